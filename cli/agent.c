/* SPDX-License-Identifier: ISC */
/*
 * handfast agent: the life of an agent. It reads the file of peers, listens,
 * says what happens, and reads the file anew on SIGHUP. What becomes of
 * applications and sessions is seen to elsewhere.
 */

#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agenting.h"
#include "confine.h"

/* clang-format off */
const char help_agent[] =
"usage: handfast agent [run] --config FILE [--agent PATH] [--check]\n"
"       handfast agent status [--agent PATH] [--json]\n"
"       handfast agent close PEER [--agent PATH] [--json]\n"
"\n"
"Holds sessions for the processes of this machine: one with each peer that the\n"
"file names, opened when it is first wanted, shared by all who may have it, and\n"
"closed when nobody has used it for a while. Keys and passwords stay here; who\n"
"asks is asked of the kernel. The file is described in handfast(5), how\n"
"programs use it in handfast-agent(7). SIGHUP reads it anew.\n"
"\n"
"  --config FILE  the peers, and who may have them\n"
"  --agent PATH   the socket (as the file says, else $HANDFAST_AGENT, else\n"
"                 handfast/agent in $XDG_RUNTIME_DIR, else /run/handfast/agent)\n"
"  --check        say whether an agent could begin, and end: what the file says,\n"
"                 the files and places it names, its user; nothing is changed\n"
"  --json         words as JSON\n"
"\n"
"status prints a table of the peers; close ends the session with one of them,\n"
"and the channels in it.\n"
"\n"
"example: handfast agent --config agent.conf &\n"
"         sleep 1\n"
"         echo hello | handfast initiate --shared echo\n"
"\n"
"exit codes: 0 ended by a signal, or all well, 2 usage, 3 I/O, 4 a certificate\n"
"of the file not authenticated, 5 a file, the socket's place or the store's is\n"
"not safe, or no such user, 6 a file cannot be used, 7 expired, 8 store\n";
/* clang-format on */

/* Longer than sessions take to end, and shorter than the next agent waits for
 * what this one has. */
enum { LATE_MS = 2500, LATER_MS = 100 };
enum { KEY_PATH = HF_AGENT_PATH + 8 };

static struct {
	const char *config, *path;
	int check;
	uv_loop_t loop;
	struct loop_signals signals;
	struct watchdog watchdog;
	struct hf_agent *agent;
	uv_timer_t late;
	char where[HF_AGENT_PATH];
	int fd;		  /* that is listened at */
	int bound;	  /* the socket is of our making: */
	struct stat made; /* this one */
} life;

static const char *const words[] = {
	[HF_AGENT_SESSION] = "opened",
	[HF_AGENT_RESUMED] = "resumed",
	[HF_AGENT_RESTED] = "rested",
	[HF_AGENT_DISCARDED] = "discarded",
	[HF_AGENT_EXPIRED] = "expired",
	[HF_AGENT_ENDED] = "ended",
};

static void
told_session(const struct hf_agent_event *e)
{
	struct log_line line;
	char sid[9] = "";

	log_begin(&line, "session");
	log_text(&line, "peer", e->peer);
	log_text(&line, "result", words[e->what]);
	log_text(&line, "address", e->address);
	if (e->sid.len >= 4 && e->what != HF_AGENT_ENDED &&
	    e->what != HF_AGENT_DISCARDED)
		(void)snprintf(sid, sizeof(sid), "%02x%02x%02x%02x",
		    e->sid.ptr[0], e->sid.ptr[1], e->sid.ptr[2],
		    e->sid.ptr[3]);
	log_text(&line, "sid", sid);
	if (e->err != HF_OK)
		log_text(&line, "error", hf_error_name((int)e->err));
	if (e->expires != 0)
		log_number(&line, "expires", e->expires);
	log_end(&line);
}

static void
told(void *owner, const struct hf_agent_event *e)
{
	struct log_line line;

	(void)owner;
	if (e->what != HF_AGENT_REFUSED && e->what != HF_AGENT_CHANNEL) {
		told_session(e);
		return;
	}
	log_begin(&line, e->what == HF_AGENT_REFUSED ? "refused" : "channel");
	log_text(&line, "peer", e->peer);
	log_number(&line, "uid", e->uid);
	if (e->pid > 0)
		log_number(&line, "pid", (uint64_t)e->pid);
	if (e->err != HF_OK)
		log_text(&line, "error", hf_error_name((int)e->err));
	if (e->what == HF_AGENT_CHANNEL) {
		log_text(&line, "reason", hf_reason_name(e->reason));
		log_number(&line, "bytes_in", e->in);
		log_number(&line, "bytes_out", e->out);
		log_number(&line, "ms", e->ms);
	}
	log_end(&line);
}

/* What the file says is no word of the command line. */
static int
wrong_file(enum hf_err e, const char *why)
{
	return e == HF_E_CONFIG ? cli_error(CLI_FORMAT, "%s", why) :
				  cli_refuse(e, "%s", why);
}

static int
read_file(struct hf_peers **peers)
{
	char why[HF_WHY_MAX] = "";
	enum hf_err e;

	e = hf_peers_read(peers, life.config, NULL, why);
	return e == HF_OK ? CLI_OK : wrong_file(e, why);
}

/* Secrets are read, and the socket is made, by the user that it becomes. */
static int
become_user(void)
{
	char why[HF_WHY_MAX] = "";
	struct hf_peers *top;
	enum hf_err e;
	int r;

	e = hf_peers_read_top(&top, life.config, why);
	if (e != HF_OK)
		return wrong_file(e, why);
	r = confine_user(hf_peers_user(top));
	hf_peers_free(top);
	return r;
}

/* Takes the socket away, while it is listened at still: what another agent put
 * in its place is that one's. */
static void
leave_socket(void)
{
	struct stat st;

	if (life.bound && lstat(life.path, &st) == 0 &&
	    st.st_dev == life.made.st_dev && st.st_ino == life.made.st_ino)
		(void)unlink(life.path);
	life.bound = 0;
}

/* All that ends in order has, and a thread looks up a name still, or stretches a
 * password: neither can be told to stop, and nobody waits for what it finds.
 * What is secret is in memory that goes with the process; so does its lock. */
static void
leave(uv_timer_t *timer)
{
	(void)timer;
	_exit(CLI_OK);
}

/* Where the loop stood still, sessions too were due just now: it comes round
 * once more, which puts them to rest. */
static void
late(uv_timer_t *timer)
{
	(void)uv_timer_start(timer, leave, LATER_MS, 0);
}

static void
stop(uv_signal_t *handle, int signum)
{
	(void)signum;
	(void)handle;
	hf_notify("STOPPING=1");
	leave_socket();
	hf_agent_stop(life.agent);
	/* Sessions count from now, so it does too. It fails for no reason that
	 * can arise. */
	uv_update_time(&life.loop);
	(void)uv_timer_start(&life.late, late, LATE_MS, 0);
	watchdog_end(&life.watchdog);
	loop_signals_close(&life.signals);
}

/* The socket stays where it is: whoever changes that begins anew. */
static void
reload(uv_signal_t *handle, int signum)
{
	struct hf_peers *peers;
	struct log_line line;
	int r;

	(void)handle;
	(void)signum;
	hf_notify_reloading();
	if ((r = read_file(&peers)) == CLI_OK)
		hf_agent_configure(life.agent, peers);
	log_begin(&line, "reload");
	log_text(&line, "result", r == CLI_OK ? "ok" : "failed");
	log_end(&line);
	hf_notify(r == CLI_OK ?
		"READY=1\nSTATUS=file read anew" :
		"READY=1\nSTATUS=reload failed: the old file is used");
}

static int
bad_place(enum hf_err e)
{
	int taken = errno == EADDRINUSE;

	if (e == HF_E_POLICY)
		return cli_refuse(e,
		    "%s: not safe there: its directory must be this user's, "
		    "no link, and closed to others' changes, and nothing but a "
		    "dead socket of his may stand there",
		    life.path);
	if (e != HF_E_IO)
		return cli_fail(e, "%s", life.path);
	(void)cli_errno("%s", life.path);
	if (taken)
		cli_hint("does an agent run there? see 'handfast agent status "
			 "--agent %s'; another one needs a socket of its own",
		    life.path);
	return CLI_IO;
}

/* Where it listens: what systemd gave, which has no path here, else the option,
 * the file, the rest. */
static int
find_socket(const struct hf_peers *peers)
{
	const char *said = hf_peers_socket(peers);
	int n;

	if ((life.fd = hf_agent_inherited()) != -1) {
		life.path = NULL;
		return CLI_OK;
	}
	if (life.path != NULL)
		return CLI_OK;
	life.path = life.where;
	if (*said == '\0')
		return hf_agent_where(life.where, 0) == HF_OK ?
		    CLI_OK :
		    cli_usage("agent", "no --agent PATH");
	/* Other peers may come in their place. */
	n = snprintf(life.where, sizeof(life.where), "%s", said);
	return n >= 0 && (size_t)n < sizeof(life.where) ?
	    CLI_OK :
	    cli_error(CLI_FORMAT, "%s: too long", said);
}

static int
listen_somewhere(const struct hf_peers *peers)
{
	enum hf_err e;

	if (life.path == NULL)
		return CLI_OK;
	e = hf_agent_bind(&life.fd, &life.made, life.path,
	    hf_peers_for_others(peers));
	life.bound = e == HF_OK;
	return e == HF_OK ? CLI_OK : bad_place(e);
}

/* Where sessions rest, if anywhere. The key is beside the socket, and so goes
 * when the machine starts again, or where the file says. */
static int
find_key(const char **key, char beside[KEY_PATH], const struct hf_peers *peers)
{
	*key = hf_peers_store_key(peers);
	if (**key != '\0' || *hf_peers_store(peers) == '\0')
		return CLI_OK;
	if (life.path == NULL)
		return cli_error(CLI_FORMAT,
		    "%s: store: no store-key, and the socket is not of the "
		    "agent's making",
		    life.config);
	(void)snprintf(beside, KEY_PATH, "%s.key", life.path);
	*key = beside;
	return CLI_OK;
}

static int
open_store(const struct hf_peers *peers)
{
	char beside[KEY_PATH], why[HF_WHY_MAX] = "";
	const char *key;
	enum hf_err e;
	int r;

	if (*hf_peers_store(peers) == '\0')
		return CLI_OK;
	if ((r = find_key(&key, beside, peers)) != CLI_OK)
		return r;
	e = hf_agent_store(life.agent, hf_peers_store(peers), key, why);
	if (e == HF_OK)
		return CLI_OK;
	r = wrong_file(e, why);
	if (e == HF_E_AGAIN)
		cli_hint("end the other agent first, or give this one a store "
			 "of its own in %s",
		    life.config);
	return r;
}

/* Whatever it writes: its socket it takes away in the end, sessions rest. */
static int
confine(const struct hf_peers *peers)
{
	struct confine dirs = { .n = 0 };
	const char *store = hf_peers_store(peers);
	const char *key = hf_peers_store_key(peers);
	int r = CLI_OK;

	if (!hf_peers_sandbox(peers))
		return CLI_OK;
	if (life.bound)
		r = confine_beside(&dirs, life.path);
	/* The store is judged when it is opened, and made as it would make it. */
	if (r == CLI_OK && *store != '\0') {
		(void)mkdir(store, 0700);
		r = confine_dir(&dirs, store);
	}
	if (r == CLI_OK && *store != '\0' && *key != '\0')
		r = confine_beside(&dirs, key);
	return r == CLI_OK ? confine_files(&dirs) : r;
}

/* What would keep it from beginning, beside what the file says. */
static int
look(const struct hf_peers *peers)
{
	const char *store = hf_peers_store(peers), *key;
	char beside[KEY_PATH], why[HF_WHY_MAX] = "";
	enum hf_err e;
	int r;

	if ((r = find_socket(peers)) != CLI_OK ||
	    (r = find_key(&key, beside, peers)) != CLI_OK)
		return r;
	if (life.path != NULL && (e = hf_agent_look(life.path)) != HF_OK)
		return bad_place(e);
	if (*store != '\0' &&
	    (e = hf_agent_store_look(store, key, why)) != HF_OK)
		return wrong_file(e, why);
	return CLI_OK;
}

/* Directories above those that it makes. */
static int
check(const struct hf_peers *peers)
{
	const char *store = hf_peers_store(peers);
	const char *key = hf_peers_store_key(peers);
	struct confine dirs = { .n = 0 };
	int r = CLI_OK;

	if (life.path != NULL &&
	    (r = confine_beside(&dirs, life.path)) == CLI_OK)
		r = confine_look("socket", dirs.dir[0]);
	if (r == CLI_OK && *store != '\0')
		r = confine_look("store", store);
	if (r == CLI_OK && *store != '\0' && *key != '\0')
		r = confine_look("store-key", key);
	return r;
}

static int
begin(struct hf_peers *peers)
{
	int r, sandbox = hf_peers_sandbox(peers);
	enum hf_err e;

	if ((r = listen_somewhere(peers)) != CLI_OK ||
	    (r = confine(peers)) != CLI_OK ||
	    (r = loop_init(&life.loop)) != CLI_OK) {
		hf_peers_free(peers);
		return r;
	}
	(void)uv_timer_init(&life.loop, &life.late);
	uv_unref((uv_handle_t *)&life.late); /* no reason to go on */
	if ((e = hf_agent_new(&life.agent, &life.loop, peers, told, NULL)) !=
	    HF_OK) {
		hf_peers_free(peers);
		return cli_fail(e, "agent");
	}
	if ((r = open_store(peers)) != CLI_OK ||
	    (r = loop_signals(&life.signals, &life.loop, stop, reload)) !=
		CLI_OK)
		return r;
	if (sandbox)
		confine_calls();
	if ((e = hf_agent_listen(life.agent, life.fd)) != HF_OK)
		return cli_fail(e, "agent");
	if (life.bound)
		(void)fprintf(stderr, "handfast: listening on unix:%s\n",
		    life.path);
	return watchdog_begin(&life.watchdog, &life.loop, NULL);
}

static int
run(void)
{
	struct hf_peers *peers;
	int r;

	if ((r = become_user()) != CLI_OK || (r = read_file(&peers)) != CLI_OK)
		return r;
	r = look(peers);
	if (r != CLI_OK || life.check) {
		r = r == CLI_OK ? check(peers) : r;
		hf_peers_free(peers);
		return r;
	}
	log_json = cli_json || hf_peers_log_json(peers);
	loop_files(1 << 20);
	if ((r = begin(peers)) != CLI_OK) {
		leave_socket();
		return r;
	}
	hf_notify("READY=1");
	(void)uv_run(&life.loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&life.late, NULL);
	(void)uv_run(&life.loop, UV_RUN_DEFAULT);
	hf_agent_free(life.agent);
	(void)uv_loop_close(&life.loop);
	return CLI_OK;
}

static int
read_options(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument,
						     NULL, 'f' },
		{ "agent", required_argument, NULL, 'a' },
		{ "check", no_argument, NULL, 'c' },
		{ "json", no_argument, &cli_json, 1 }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = cli_option(argc, argv, ":", options)) != -1)
		switch (c) {
		case 'f':
			life.config = optarg;
			break;
		case 'a':
			life.path = optarg;
			break;
		case 'c':
			life.check = 1;
			break;
		default:
			return cli_bad_option("agent", c, argv);
		}
	if (optind < argc)
		return cli_usage("agent", "unexpected word '%s'",
		    argv[optind]);
	if (life.config == NULL)
		return cli_usage("agent", "no --config FILE");
	return CLI_OK;
}

int
cmd_agent(int argc, char **argv)
{
	int r;

	if (argc > 1 &&
	    (strcmp(argv[1], "status") == 0 || strcmp(argv[1], "close") == 0))
		return agent_ask(argc - 1, argv + 1);
	/* `run` may be left out. */
	if (argc > 1 && strcmp(argv[1], "run") == 0) {
		argc--;
		argv++;
	}
	if ((r = read_options(argc, argv)) != CLI_OK)
		return r;
	return run();
}
