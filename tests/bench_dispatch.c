/* SPDX-License-Identifier: ISC */
/*
 * bench-dispatch PROGRAM FILE.json: what a client behind a dispatcher waits
 * for until it hears the first byte back: by a handshake, by a session that
 * comes to another server with a new connection, and by one that moves under
 * its connection; in turns, on each of the stores. The dispatcher, the two
 * servers and the stores are processes of their own. The handshake is that of
 * a client that knows the cluster, hello first; every other one is of a client
 * that knows the server's certificate, which is the shortest there is. The
 * servers and their store are on one processor, the dispatcher and the client
 * on the other, as they would be on machines of their own.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"
#include "real.h"
#include "servers.h"

enum {
	ROUNDS = 100,	   /* sessions */
	ROUNDS_MOST = 250, /* where one in a hundred is looked for */
	MOVES = 8,	   /* of each, and as many handshakes between them */
	REST_US = 3000,	   /* what was before is over */
	WORD = 16,
	WORDS = MOVES + 1
};

static struct real real;
static struct hf_config *knows[2], *asks;
static const uint8_t word[WORD] = "first echoed b.";
enum { MOST = ROUNDS_MOST * MOVES / 2 };
static double shake[MOST], brief[MOST], again[MOST], moved[MOST];
static size_t samples; /* of each */

/* What begins from now on runs there, too. */
static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/* --- the dispatcher ---------------------------------------------------------- */

static const char conf[] =
    "listen = {\"unix:d.sock\"}\ncontrol = \"d.ctl\"\nstore = \"%s\"\n"
    "lookup-ms = 5000\nhealth-ms = 60000\n"
    "server a {\n address = \"unix:a.sock\"\n certificate = \"a.cert\"\n}\n"
    "server b {\n address = \"unix:b.sock\"\n certificate = \"b.cert\"\n}\n";

static void
dispatch(void)
{
	static const char *const words[] = { "handfast", "dispatch",
		"--config", "d.conf", NULL };
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/d.conf", real.dir);
	real_must((f = fopen(path, "w")) != NULL &&
		fprintf(f, conf, real.store) > 0 && fclose(f) == 0,
	    path);
	real_start(&real, REAL_DISPATCHER, words);
}

static void
tell(const char *line)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	uint64_t until = real_ns() + REAL_WAIT_MS * (uint64_t)1000000;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[64];

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/d.ctl", real.dir);
	real_must(fd != -1, "socket");
	/* It listens before it answers. */
	while (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		real_must(real_ns() < until, at.sun_path);
		(void)usleep(5000);
	}
	real_must(real_send(fd, (const uint8_t *)line, strlen(line)) &&
		read(fd, answer, sizeof(answer)) == 3,
	    line);
	(void)close(fd);
}

/* From now on everything goes to server n. */
static void
only(int n)
{
	tell(n == 0 ? "undrain a\n" : "undrain b\n");
	tell(n == 0 ? "drain b\n" : "drain a\n");
}

/* --- what is measured -------------------------------------------------------- */

/* One word more than `sent`, and its echo. What the server had not for good
 * goes with it once more, as it must. */
static void
echo(struct real_end *e, uint64_t sent)
{
	static uint8_t out[WORDS * WORD];
	struct hf_bases bases = { 0 };
	struct hf_span data;
	size_t len, at;

	real_open(e);
	REAL_OK(hf_session_error(e->s));
	if (hf_session_bases(&bases, e->s) != HF_OK)
		bases.own_bytes = sent;
	len = (size_t)(sent + WORD - bases.own_bytes);
	real_must(len % WORD == 0 && len <= sizeof(out), "whole words");
	for (at = 0; at < len; at += WORD)
		memcpy(out + at, word, WORD);
	REAL_OK(hf_session_send(e->s, out, len));
	data = real_receive(e);
	real_must(data.len == WORD && memcmp(data.ptr, word, WORD) == 0,
	    "an echo");
}

/* What comes behind the echo: that it is stored. Then a key for the next
 * resume is made, as `initiate` does. */
static void
rest(struct real_end *e)
{
	struct pollfd p = { .fd = e->fd, .events = POLLIN };

	while (hf_session_error(e->s) == HF_OK &&
	    poll(&p, 1, REST_US / 1000) == 1) {
		real_hear(e);
		real_flush(e);
	}
	REAL_OK(hf_session_error(e->s));
	REAL_OK(hf_session_prepare(e->s));
	real_flush(e);
}

static void
begin(struct real_end *e, struct hf_config *config)
{
	e->fd = real_connect(&real, REAL_DISPATCHER);
	REAL_OK(hf_session_new(&e->s, config, real_ns() / 1000000,
	    (uint64_t)time(NULL)));
}

static double
handshake(struct hf_config *config)
{
	struct real_end e;
	uint64_t began = real_ns();
	double us;

	begin(&e, config);
	echo(&e, 0);
	us = (double)(real_ns() - began) / 1e3;
	rest(&e);
	real_close(&e);
	hf_session_free(e.s);
	(void)usleep(REST_US);
	return us;
}

/* The connection breaks; on a new one its session comes to another server. */
static double
transfer(struct real_end *e, uint64_t sent)
{
	uint64_t began;
	double us;

	real_close(e);
	(void)!hf_session_eof(e->s);
	(void)usleep(REST_US);
	began = real_ns();
	e->fd = real_connect(&real, REAL_DISPATCHER);
	REAL_OK(hf_session_reconnect(e->s, real_ns() / 1000000,
	    (uint64_t)time(NULL)));
	echo(e, sent);
	us = (double)(real_ns() - began) / 1e3;
	rest(e);
	return us;
}

/* It goes to another server under its connection. */
static double
move(struct real_end *e, uint64_t sent)
{
	uint64_t began;
	double us;

	(void)usleep(REST_US);
	began = real_ns();
	REAL_OK(hf_session_reroute(e->s, NULL, real_ns() / 1000000,
	    (uint64_t)time(NULL)));
	echo(e, sent);
	us = (double)(real_ns() - began) / 1e3;
	rest(e);
	return us;
}

/* One session, and its moves between as many handshakes; all go to one server
 * at a time. */
static void
round_of(int r)
{
	struct real_end e;
	int n, at;

	only(1);
	begin(&e, asks);
	echo(&e, 0);
	rest(&e);
	for (n = 0; n < MOVES; n++) {
		at = (r * MOVES + n) / 2;
		only(n % 2);
		if (n % 4 == 0 || n % 4 == 3)
			shake[at] = handshake(asks);
		else
			brief[at] = handshake(knows[n % 2]);
		if (n / 2 % 2 == n % 2)
			again[at] = transfer(&e, WORD * (uint64_t)(n + 1));
		else
			moved[at] = move(&e, WORD * (uint64_t)(n + 1));
	}
	real_close(&e);
	hf_session_free(e.s);
}

/* --- figures -------------------------------------------------------------------- */

static FILE *json;
static int rows;

static void
row(const char *name, const char *engine, double value)
{
	(void)fprintf(json, "%s\n  \"dispatch_%s%s%s\": %.4g",
	    rows++ == 0 ? "{" : ",", name, *engine == '\0' ? "" : "_", engine,
	    value);
	(void)printf("dispatch_%s%s%s %.4g\n", name,
	    *engine == '\0' ? "" : "_", engine, value);
}

/* The worse of both ways to come to another server, over the handshake. */
static double
median_ratio(void)
{
	double a = real_percentile(again, samples, 50),
	       b = real_percentile(moved, samples, 50);

	return (a > b ? a : b) / real_percentile(shake, samples, 50);
}

/* Of both ways together: one in a hundred is few. */
static double
p99_ratio(void)
{
	static double all[2 * MOST];

	memcpy(all, again, samples * sizeof(*all));
	memcpy(all + samples, moved, samples * sizeof(*all));
	return real_percentile(all, 2 * samples, 99) /
	    real_percentile(shake, samples, 99);
}

static void
rows_of(const char *engine)
{
	row("handshake_us", engine, real_percentile(shake, samples, 50));
	row("handshake_known_us", engine, real_percentile(brief, samples, 50));
	row("transfer_us", engine, real_percentile(again, samples, 50));
	row("move_us", engine, real_percentile(moved, samples, 50));
	row("handshake_p99_us", engine, real_percentile(shake, samples, 99));
	row("handshake_known_p99_us", engine,
	    real_percentile(brief, samples, 99));
	row("transfer_p99_us", engine, real_percentile(again, samples, 99));
	row("move_p99_us", engine, real_percentile(moved, samples, 99));
}

static double
run(const char *program, const char *engine, const char *store, int rounds)
{
	static const char *const does[] = { "--echo", NULL };
	int i;

	pin(1);
	/* Where sessions are by default: in memory. */
	real_make_on(&real, program,
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", store);
	for (i = 0; i < 2; i++) {
		real_client(&knows[i], &real, i);
		real_serve(&real, i, does);
	}
	pin(0);
	real_client(&asks, &real, -1);
	REAL_OK(hf_config_dispatched(asks, 1));
	dispatch();
	round_of(0); /* to warm up */
	samples = (size_t)rounds * MOVES / 2;
	for (i = 0; i < rounds; i++)
		round_of(i);
	rows_of(engine);
	hf_config_free(asks);
	for (i = 0; i < 2; i++)
		hf_config_free(knows[i]);
	real_free(&real);
	return median_ratio();
}

static double
run_postgres(const char *program)
{
	char why[HF_STORE_REASON_MAX];
	struct server server;
	double r;

	pin(1);
	postgres_start(&server);
	real_must(hf_store_init(server.uri, NULL, 60000, why) == HF_OK, why);
	r = run(program, "postgres", server.uri, ROUNDS);
	server_stop(&server);
	return r;
}

static double
run_redis(const char *program)
{
	struct server server;
	double r;

	pin(1);
	redis_start(&server, NULL);
	r = run(program, "redis", server.uri, ROUNDS);
	server_stop(&server);
	return r;
}

int
main(int argc, char **argv)
{
	double worst, r;

	if (argc != 3) {
		(void)fprintf(stderr,
		    "usage: bench-dispatch PROGRAM FILE.json\n");
		return 2;
	}
	REAL_OK(hf_init());
	(void)signal(SIGPIPE, SIG_IGN);
	real_must((json = fopen(argv[2], "w")) != NULL, argv[2]);
	worst = run(argv[1], "lmdb", "lmdb:db", ROUNDS_MOST);
	row("transfer_over_handshake_p99", "", p99_ratio());
	if (have_redis() && (r = run_redis(argv[1])) > worst)
		worst = r;
	if (have_postgres() && (r = run_postgres(argv[1])) > worst)
		worst = r;
	if (have_redis() && have_postgres())
		row("transfer_over_handshake_median", "", worst);
	else
		(void)fprintf(stderr,
		    "bench-dispatch: not all stores are here: no figure of "
		    "the worst of them\n");
	(void)fprintf(json, "\n}\n");
	return fclose(json) != 0;
}
