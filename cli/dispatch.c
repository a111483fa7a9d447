/* SPDX-License-Identifier: ISC */
/*
 * handfast dispatch: the life of a dispatcher. It reads the file, listens,
 * says what happens, and reads the file anew on SIGHUP, whose connections it
 * keeps. Where connections go is seen to elsewhere.
 */

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confine.h"
#include "dispatching.h"
#include "stores.h"

/* clang-format off */
const char help_dispatch[] =
"usage: handfast dispatch [run] --config FILE [--check] [--workers N]\n"
"           [--port-file FILE]\n"
"       handfast dispatch status --control PATH [--once] [--json]\n"
"       handfast dispatch metrics --control PATH\n"
"       handfast dispatch drain|undrain NAME --control PATH [--json]\n"
"\n"
"Stands before several responders. It reads in clear where a connection wants\n"
"to go, and carries bytes; it holds no keys. A session goes to the server that\n"
"owns it, or moves to another that has its target. The file is described in\n"
"handfast(5). SIGHUP reads it anew; no connection ends by that.\n"
"\n"
"  --config FILE     servers, targets, limits\n"
"  --check           say whether a dispatcher could begin, and end: what the\n"
"                    file says, that addresses are known, the user, the store's\n"
"                    URI and owner, directories; nothing is opened or changed\n"
"  --workers N       threads (1)\n"
"  --port-file FILE  write the first address's port there\n"
"\n"
"status prints a table, on a terminal again and again; drain asks each client\n"
"on a server to go on with another, and gives it no new ones.\n"
"  --control PATH    the control socket, as the file names it\n"
"  --once            print the table once\n"
"  --json            words as JSON\n"
"\n"
"example: handfast dispatch --config dispatch.conf --check\n"
"\n"
"exit codes: 0 ended by a signal, or all well, 2 usage, 3 I/O, 5 a place that is\n"
"not safe, a user that is not there, or a secret that others can read, 6 the file\n"
"cannot be used, 8 store\n";
/* clang-format on */

static const struct option options[] = {
	{ "config", required_argument, NULL, 'f' },
	{ "check", no_argument, NULL, 'c' },
	{ "workers", required_argument, NULL, 'w' },
	{ "port-file", required_argument, NULL, 'p' },
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

static struct {
	const char *config, *port_file;
	uint64_t workers;
	int check;
	uv_loop_t loop;
	struct loop_signals signals;
	struct watchdog watchdog;
	struct dispatch_file *file;
	struct hf_store *store;
	struct hf_dispatch *dispatch;
	struct control *control;
	struct http *http;
	struct doors doors;
} life = { .workers = 1 };

static void
health(void *owner, const char *server, int up)
{
	struct log_line line;

	(void)owner;
	log_begin(&line, "server");
	log_text(&line, "name", server);
	log_text(&line, "state", up ? "up" : "down");
	log_end(&line);
}

static void
ended(void *owner, const struct hf_dispatch_line *l)
{
	char target[HF_TARGET_MAX + 1];
	struct log_line line;

	(void)owner;
	memcpy(target, l->target.ptr, l->target.len);
	target[l->target.len] = '\0';
	log_begin(&line, "connection");
	log_text(&line, "from", l->source);
	if (l->server != NULL)
		log_text(&line, "server", l->server);
	log_text(&line, "target", target);
	log_text(&line, "how", l->how);
	if (l->err != HF_OK)
		log_text(&line, "error", hf_error_name((int)l->err));
	log_number(&line, "moves", l->moves);
	log_number(&line, "bytes_in", l->in);
	log_number(&line, "bytes_out", l->out);
	log_number(&line, "ms", l->ms);
	log_end(&line);
}

static const struct hf_dispatch_hooks hooks = { health, ended };

static void
stop(uv_signal_t *handle, int signum)
{
	(void)handle;
	(void)signum;
	hf_notify("STOPPING=1");
	uv_stop(&life.loop);
}

/* Which words of the file changed that are read at the start alone; "": none.
 * Whoever changes them begins anew. */
static const char *
kept(char out[64], const struct dispatch_file *now,
    const struct dispatch_file *was)
{
	const struct {
		const char *word;
		int changed;
	} all[] = {
		{ "listen",
		    now->listen_n != was->listen_n ||
			memcmp(now->listen, was->listen,
			    sizeof(now->listen)) != 0 },
		{ "control", strcmp(now->control, was->control) != 0 },
		{ "metrics", strcmp(now->metrics, was->metrics) != 0 },
		{ "store", strcmp(now->store, was->store) != 0 },
		{ "user", strcmp(now->user, was->user) != 0 },
		{ "sandbox", now->sandbox != was->sandbox },
	};
	size_t i, n = 0;

	out[0] = '\0';
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].changed)
			n += (size_t)snprintf(out + n, 64 - n, "%s%s",
			    n == 0 ? "" : ",", all[i].word);
	return out;
}

static int
reload_file(char changed[64])
{
	struct dispatch_file *next;
	enum hf_err e;
	int r;

	if ((next = calloc(1, sizeof(*next))) == NULL)
		return cli_fail(HF_E_MEMORY, "reload");
	if ((r = dispatch_file_read(next, life.config)) == CLI_OK &&
	    (e = hf_dispatch_configure(life.dispatch, &next->config)) != HF_OK)
		r = cli_fail(e, "reload");
	if (r == CLI_OK) {
		log_json = cli_json || next->log_json;
		if (*kept(changed, next, life.file) != '\0')
			cli_warn("%s: %s: read at the start alone",
			    life.config, changed);
	}
	free(next);
	return r;
}

static void
reload(uv_signal_t *handle, int signum)
{
	struct log_line line;
	char changed[64] = "";
	int r;

	(void)handle;
	(void)signum;
	hf_notify_reloading();
	r = reload_file(changed);
	log_begin(&line, "reload");
	log_text(&line, "result", r == CLI_OK ? "ok" : "failed");
	if (changed[0] != '\0')
		log_text(&line, "kept", changed);
	log_end(&line);
	hf_notify(r == CLI_OK ?
		"READY=1\nSTATUS=file read anew" :
		"READY=1\nSTATUS=reload failed: the old file is used");
}

/* As long as all workers answer. */
static int
all_answer(void)
{
	(void)hf_dispatch_counts(life.dispatch);
	return 1;
}

static int
begin_loop(void)
{
	int r;

	if ((r = loop_init(&life.loop)) != CLI_OK ||
	    (r = loop_signals(&life.signals, &life.loop, stop, reload)) !=
		CLI_OK)
		return r;
	return CLI_OK;
}

static int
begin_dispatch(void)
{
	enum hf_err e;
	int r;

	if (life.file->store[0] != '\0' &&
	    (r = cli_store_open(&life.store, life.file->store)) != CLI_OK)
		return r == CLI_USAGE ? CLI_FORMAT : r;
	if ((e = hf_dispatch_new(&life.dispatch, &life.loop, life.store,
		 &hooks, NULL)) != HF_OK ||
	    (e = hf_dispatch_workers(life.dispatch, (unsigned)life.workers)) !=
		HF_OK ||
	    (e = hf_dispatch_configure(life.dispatch, &life.file->config)) !=
		HF_OK)
		return cli_fail(e, "cannot make the dispatcher");
	return CLI_OK;
}

static int
begin(void)
{
	int r;

	if ((r = bound_check_port(life.port_file)) != CLI_OK ||
	    (r = doors_bind(&life.doors, life.file)) != CLI_OK ||
	    (r = dispatch_confine(life.file, life.port_file)) != CLI_OK ||
	    (r = begin_loop()) != CLI_OK || (r = begin_dispatch()) != CLI_OK)
		return r;
	if (life.file->control[0] != '\0' &&
	    (r = control_open(&life.control, &life.loop, life.file->control,
		 life.dispatch)) != CLI_OK)
		return r;
	if (life.file->metrics[0] != '\0' &&
	    (r = http_open(&life.http, &life.loop, life.file->metrics,
		 life.dispatch)) != CLI_OK)
		return r;
	dispatch_confine_calls(life.file);
	if ((r = doors_open(&life.doors, life.dispatch)) != CLI_OK ||
	    (r = watchdog_begin(&life.watchdog, &life.loop, all_answer)) !=
		CLI_OK)
		return r;
	return bound_write_port(life.port_file, &life.doors.bound[0]);
}

static void
finish(void)
{
	doors_remove(&life.doors);
	if (life.dispatch == NULL)
		return;
	hf_dispatch_stop(life.dispatch);
	control_close(life.control);
	http_close(life.http);
	loop_signals_close(&life.signals);
	watchdog_end(&life.watchdog);
	(void)uv_run(&life.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&life.loop);
	hf_dispatch_free(life.dispatch);
	hf_store_close(life.store);
}

static int
run(void)
{
	int r;

	if ((life.file = calloc(1, sizeof(*life.file))) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", life.config);
	if ((r = dispatch_file_read(life.file, life.config)) != CLI_OK)
		return r;
	if (life.check)
		return dispatch_check(life.file);
	log_json = cli_json || life.file->log_json;
	loop_files(1 << 20);
	if ((r = begin()) == CLI_OK) {
		hf_notify("READY=1");
		(void)uv_run(&life.loop, UV_RUN_DEFAULT);
	}
	finish();
	return r;
}

static int
read_options(int argc, char **argv)
{
	int c, r;

	while ((c = cli_option(argc, argv, ":", options)) != -1)
		switch (c) {
		case 'f':
			life.config = optarg;
			break;
		case 'c':
			life.check = 1;
			break;
		case 'w':
			r = cli_number(&life.workers, "--workers", optarg, 1,
			    HF_DISPATCH_WORKERS_MAX);
			if (r != CLI_OK)
				return r;
			break;
		case 'p':
			life.port_file = optarg;
			break;
		default:
			return cli_bad_option("dispatch", c, argv);
		}
	if (optind < argc)
		return cli_usage("dispatch", "unexpected word '%s'",
		    argv[optind]);
	if (life.config == NULL)
		return cli_usage("dispatch", "no --config FILE");
	return CLI_OK;
}

int
cmd_dispatch(int argc, char **argv)
{
	static const char *const words[] = { "status", "metrics", "drain",
		"undrain" };
	size_t i;
	int r;

	for (i = 0; argc > 1 && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(argv[1], words[i]) == 0)
			return dispatch_ask(argc - 1, argv + 1);
	/* `run` may be left out. */
	if (argc > 1 && strcmp(argv[1], "run") == 0) {
		argc--;
		argv++;
	} else if (argc > 1 && argv[1][0] != '-')
		return cli_no_word(argc, argv,
		    "run, status, metrics, drain or undrain");
	if ((r = read_options(argc, argv)) != CLI_OK)
		return r;
	r = run();
	free(life.file);
	return r;
}
