/* SPDX-License-Identifier: ISC */
/*
 * handfast respond: the life of a responder. It opens the listening sockets,
 * starts the server and then waits for signals: SIGTERM and SIGINT end it
 * cleanly, SIGHUP reads its files anew. What sessions are and who may have
 * one is seen to elsewhere.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confine.h"

enum {
	DAY_MS = 86400000,
	HOUR_MS = 3600000,
	SOON_MS = 200,
	GONE_MS = 2000,
	AGAIN_MS = 1000, /* twice as long each time */
	AGAIN_MAX_MS = 60000,
	FILES_MAX = 1 << 16 /* beyond this, memory is what runs out */
};

struct respond respond;

/* What main's loop and its signals share. */
static struct {
	uv_loop_t loop;
	uv_signal_t term, intr, hup;
	uv_timer_t daily;
	uv_timer_t hourly; /* key grants last a day */
	uv_timer_t soon;   /* they were changed now, or could not be read */
	uint64_t again_ms; /* of `soon`, where they could not; 0: they were */
	uv_async_t renew;  /* a session is sealed under newer ones */
	struct watchdog watchdog;
	struct hf_port *port;
	struct hf_server *server;
	struct hf_address bound[HF_LISTENERS_MAX];
	int fds[HF_LISTENERS_MAX];
	size_t bound_n;
	const void *generation; /* the newest */
	atomic_int fatal;
} life;

void
respond_fatal(void)
{
	atomic_store(&life.fatal, 1);
	(void)kill(getpid(), SIGTERM);
}

static int
listen_error(enum hf_err e, const char *text)
{
	if (e != HF_E_POLICY)
		return cli_errno("--listen %s", text);
	if (errno == EEXIST)
		return cli_error(CLI_POLICY,
		    "--listen %s: there is another "
		    "file in the socket's place",
		    text);
	return cli_error(CLI_POLICY,
	    "--listen %s: others could replace "
	    "files in that directory",
	    text);
}

static void
say_listening(const char *address)
{
	struct log_line line;

	if (!log_json) {
		(void)fprintf(stderr, "handfast: listening on %s\n", address);
		return;
	}
	log_begin(&line, "listen");
	log_text(&line, "address", address);
	log_end(&line);
}

static int
open_listeners(void)
{
	struct hf_address a[HF_ADDRESSES_MAX];
	char text[HF_ADDRESS_TEXT];
	size_t i, k, n;
	enum hf_err e = HF_OK;
	int r;

	for (i = 0; i < respond.listen_n; i++) {
		if ((r = cli_address(a, &n, "respond", "--listen",
			 respond.listen[i])) != CLI_OK)
			return r;
		for (k = 0; e == HF_OK && k < n; k++)
			if ((e = hf_address_listen(&life.fds[i],
				 &life.bound[i], &a[k])) == HF_OK ||
			    k + 1 == n)
				break;
			else
				e = HF_OK;
		if (e == HF_OK) {
			life.bound_n++;
			e = hf_server_listen(life.server, life.fds[i],
			    life.bound[i].at.ss_family);
		}
		if (e != HF_OK)
			return listen_error(e, respond.listen[i]);
		(void)hf_address_text(text, &life.bound[i]);
		say_listening(text);
	}
	return CLI_OK;
}

static void
remove_sockets(void)
{
	bound_remove(life.bound, life.bound_n);
	life.bound_n = 0;
}

static void
stop(uv_signal_t *handle, int signum)
{
	(void)signum;
	hf_notify("STOPPING=1");
	uv_stop(handle->loop);
}

static int
read_anew(void)
{
	struct log_line line;
	void *generation;
	enum hf_err e;
	int r;

	if ((r = serve_load(&generation, life.generation)) == CLI_OK) {
		e = hf_server_generation(life.server, generation);
		if (e == HF_OK) {
			life.generation = generation;
			serve_warn_expiry(generation);
		} else {
			r = cli_fail(e, "reload");
			serve_service.retire(generation);
		}
	}
	log_begin(&line, "reload");
	log_text(&line, "result", r == CLI_OK ? "ok" : "failed");
	log_end(&line);
	hf_notify(r == CLI_OK ?
		"STATUS=files read anew" :
		"STATUS=reload failed: the old files are used");
	return r;
}

static void
reload(uv_signal_t *handle, int signum)
{
	(void)handle;
	(void)signum;
	(void)read_anew();
}

/* The news are told once: a store that does not answer then is asked again. */
static void
by_itself(uv_timer_t *timer)
{
	(void)timer;
	if (read_anew() == CLI_OK || !vault_unanswered()) {
		life.again_ms = 0;
		return;
	}
	life.again_ms = life.again_ms == 0 ? AGAIN_MS : 2 * life.again_ms;
	if (life.again_ms > AGAIN_MAX_MS)
		life.again_ms = AGAIN_MAX_MS;
	(void)uv_timer_start(&life.soon, by_itself, life.again_ms, 0);
}

/* The cluster changes one after another: once for all of them. Where a grant
 * was taken away the others shall hear of it first: they are to refuse what
 * this server still seals. */
static void
changed(void *arg, struct hf_span key)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	size_t len;
	int gone;

	(void)arg;
	if (!vault_concerns(key))
		return;
	gone = hf_store_get(respond.server.store, key, value, &len) ==
	    HF_E_NO_SESSION;
	(void)uv_timer_start(&life.soon, by_itself, gone ? GONE_MS : SOON_MS,
	    0);
}

static void
renew(uv_async_t *async)
{
	(void)async;
	by_itself(&life.soon);
}

void
respond_renew(void)
{
	(void)uv_async_send(&life.renew);
}

static void
daily(uv_timer_t *timer)
{
	(void)timer;
	serve_warn_expiry(life.generation);
}

static int
all_live(void)
{
	return hf_server_lives(life.server);
}

static int
watch_grants(void)
{
	enum hf_err e;

	if (respond.store == NULL)
		return CLI_OK;
	e = hf_port_open(&life.port, respond.server.store, &life.loop);
	if (e != HF_OK)
		return cli_fail(e, "%s", respond.store);
	hf_port_watch(life.port, changed, NULL);
	return CLI_OK;
}

static int
watch_signals(void)
{
	int r;

	if ((r = loop_init(&life.loop)) != CLI_OK)
		return r;
	if (uv_signal_init(&life.loop, &life.term) != 0 ||
	    uv_signal_init(&life.loop, &life.intr) != 0 ||
	    uv_signal_init(&life.loop, &life.hup) != 0 ||
	    uv_timer_init(&life.loop, &life.daily) != 0 ||
	    uv_timer_init(&life.loop, &life.hourly) != 0 ||
	    uv_timer_init(&life.loop, &life.soon) != 0 ||
	    uv_async_init(&life.loop, &life.renew, renew) != 0 ||
	    uv_signal_start(&life.term, stop, SIGTERM) != 0 ||
	    uv_signal_start(&life.intr, stop, SIGINT) != 0 ||
	    uv_signal_start(&life.hup, reload, SIGHUP) != 0 ||
	    uv_timer_start(&life.daily, daily, DAY_MS, DAY_MS) != 0 ||
	    (respond.store != NULL &&
		uv_timer_start(&life.hourly, by_itself, HOUR_MS, HOUR_MS) !=
		    0))
		return cli_error(CLI_IO, "cannot watch for signals");
	return watch_grants();
}

static void
unwatch_signals(void)
{
	uv_close((uv_handle_t *)&life.term, NULL);
	uv_close((uv_handle_t *)&life.intr, NULL);
	uv_close((uv_handle_t *)&life.hup, NULL);
	uv_close((uv_handle_t *)&life.daily, NULL);
	uv_close((uv_handle_t *)&life.hourly, NULL);
	uv_close((uv_handle_t *)&life.soon, NULL);
	uv_close((uv_handle_t *)&life.renew, NULL);
	watchdog_end(&life.watchdog);
	hf_port_close(life.port);
	life.port = NULL;
	(void)uv_run(&life.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&life.loop);
}

/* Programs that sessions start must not get what this process was given. */
static void
keep_descriptors(void)
{
	int fd, flags;

	for (fd = 3; fd < 1024; fd++)
		if ((flags = fcntl(fd, F_GETFD)) != -1)
			(void)fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

static int
make_server(void)
{
	void *generation;
	enum hf_err e;
	int r;

	if (respond.store != NULL &&
	    (r = cli_store_open(&respond.server.store, respond.store)) !=
		CLI_OK)
		return r;
	if ((r = serve_load(&generation, NULL)) != CLI_OK)
		return r;
	errno = 0;
	e = hf_server_new(&life.server, &respond.server, &serve_service);
	if (e == HF_OK)
		e = hf_server_generation(life.server, generation);
	if (e != HF_OK) {
		serve_service.retire(generation);
		if (e == HF_E_IO && errno != 0)
			return cli_errno("%s", respond.server.used_path);
		if (e == HF_E_OBJECT && respond.server.used_path != NULL)
			return cli_refuse(e,
			    "%s: no file of used tickets, or one that others "
			    "can write",
			    respond.server.used_path);
		return cli_fail(e, "cannot make the server");
	}
	life.generation = generation;
	respond.pass.ask_no_more = 1;
	serve_warn_expiry(generation);
	return CLI_OK;
}

static int
serve(void)
{
	enum hf_err e;
	int r;

	if ((r = bound_check_port(respond.port_file)) != CLI_OK ||
	    (respond.receive != NULL && (r = receive_look()) != CLI_OK) ||
	    (r = pump_init()) != CLI_OK || (r = make_server()) != CLI_OK)
		return r;
	/* A signal may come as soon as somebody sees the address. */
	if ((r = watch_signals()) != CLI_OK ||
	    (r = open_listeners()) != CLI_OK)
		return r;
	if ((e = hf_server_start(life.server)) != HF_OK)
		r = e == HF_E_IO ? cli_errno("cannot start threads") :
				   cli_fail(e, "cannot start threads");
	else if ((r = watchdog_begin(&life.watchdog, &life.loop, all_live)) ==
		CLI_OK &&
	    (r = bound_write_port(respond.port_file, &life.bound[0])) ==
		CLI_OK) {
		hf_notify("READY=1");
		(void)uv_run(&life.loop, UV_RUN_DEFAULT);
	}
	/* While they are listened on: later they may be a successor's. */
	remove_sockets();
	hf_server_stop(life.server);
	pump_stop();
	unwatch_signals();
	return r == CLI_OK && atomic_load(&life.fatal) ? CLI_IO : r;
}

int
cmd_respond(int argc, char **argv)
{
	int r;

	if ((r = respond_read(argc, argv)) == CLI_OK) {
		keep_descriptors();
		loop_files(FILES_MAX);
		r = serve();
		remove_sockets();
	}
	hf_server_free(life.server);
	hf_store_close(respond.server.store);
	cli_secret_free(&respond.kept);
	free(respond.exec);
	free(respond.password_command);
	return r;
}
