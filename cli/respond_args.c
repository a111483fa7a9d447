/* SPDX-License-Identifier: ISC */
/*
 * handfast respond: its help and its options. It reads words into struct
 * respond and checks that they fit together; it opens no file.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"

const char help_respond[] =
    "usage: handfast respond --listen HOST:PORT|unix:PATH --identity FILE\n"
    "                        --cert CERT --trust CA.cert... [options]\n"
    "\n"
    "Serves authenticated sessions, many at once. Peers are believed by a\n"
    "certificate of a trusted CA, by password or by ticket.\n"
    "\n"
    "      --listen ADDRESS     HOST:PORT, [IPV6]:PORT or unix:PATH; port 0: any\n"
    "                           (repeat)\n"
    "      --port-file FILE     write the port that --listen HOST:0 got\n"
    "      --identity FILE      own key\n"
    "      --cert CERT          own certificate, usage responder\n"
    "      --trust CA.cert      believe certificates of this CA (repeat)\n"
    "      --revoked LIST       revocation list of such a CA (repeat)\n"
    "      --users DB           accept the passwords in this file ...\n"
    "      --password-command C ... or those for which C exits with 0: it\n"
    "                           reads user and password, a line each\n"
    "      --ring RING          accept tickets under this ring\n"
    "      --used-tickets FILE  remember used single-use tickets here, so\n"
    "                           that they stay used after a restart\n"
    "      --issue-tickets TTL  give every peer a ticket, valid that long\n"
    "      --allow PATTERN      only peers whose name matches (repeat)\n"
    "      --target T           only sessions that ask for T (repeat)\n"
    "\n"
    "What is done with a session (without: its data is printed):\n"
    "      --echo               send everything back\n"
    "      --exec CMD           run CMD, split at blanks, without a shell;\n"
    "                           HANDFAST_NAME, _SUBJECT and _METHOD say who; its\n"
    "                           stderr is this one; where it fails, the session\n"
    "                           is cut: to the peer it is not complete\n"
    "      --forward ADDRESS    pass it on, in the clear\n"
    "      --receive DIR        write it to DIR/SESSION, a file a session\n"
    "\n"
    "      --store URI          sessions may go on with another server of the\n"
    "                           cluster that has this store: lmdb:DIR,\n"
    "                           redis://..., postgresql://... or @FILE\n"
    "      --cluster X.cert     ... and the cluster's certificate\n"
    "      --checkpoint WHEN    what is stored when: record (each), MS (at most\n"
    "                           so many milliseconds later, 50), bytes:N,\n"
    "                           handover (only when it ends in order)\n"
    "      --takeover HOW       soft, proved by fresh keys right after; or proved\n"
    "      --no-refresh         what is soft stays soft\n"
    "      --workers N          threads (1)\n"
    "      --max-failures N     refused passwords a user and minute (20); from\n"
    "                           all addresses together twice that\n"
    "      --max-source-failures N  ... tokens an address and minute (200)\n"
    "      --max-unopened N     connections of an address and minute that come to\n"
    "                           no session (120): its next ones wait in line\n"
    "      --busy N             unfinished handshakes from which on an address\n"
    "                           must show a cookie (64)\n"
    "      --max-pending N      unfinished handshakes of one address (512; a\n"
    "                           quarter of all sessions that fit at most)\n"
    "      --max-sessions N     open sessions of one subject (that quarter)\n"
    "      --channels N         open channels of one session (64); 0: none\n"
    "      --proxy-from CIDR    who comes from there (or: unix) says first for whom,\n"
    "                           by the PROXY protocol, version 2 (repeat)\n"
    "      --idle T             end sessions on which nothing came or went\n"
    "                           for T (never)\n"
    "      --passphrase-file F  what the key is sealed under: first line of F\n"
    "      --passphrase-fd N    ... from descriptor N\n"
    "      --allow-readable-key take a key file that others can read\n"
    "      --log-json, --json   log lines, all words as JSON\n"
    "      --trace              a line for each message of a handshake\n"
    "\n"
    "Each session leaves one line on stderr. SIGHUP reads all files anew, for\n"
    "new sessions; SIGTERM ends it.\n"
    "\n"
    "example:\n"
    "  handfast respond --listen 127.0.0.1:7000 --identity echo.key \\\n"
    "    --cert echo.cert --trust ca/ca.cert --echo\n"
    "\n"
    "exit codes: 0 stopped by a signal, 2 usage, 3 I/O, 5 own files refused,\n"
    "6 malformed, 7 own certificate ended, 8 store\n";

enum {
	OPT_LISTEN = 256,
	OPT_IDENTITY,
	OPT_CERT,
	OPT_TRUST,
	OPT_TARGET,
	OPT_USERS,
	OPT_COMMAND,
	OPT_RING,
	OPT_USED,
	OPT_REVOKED,
	OPT_ALLOW,
	OPT_WORKERS,
	OPT_MAX_FAILURES,
	OPT_MAX_SOURCE,
	OPT_MAX_UNOPENED,
	OPT_BUSY,
	OPT_MAX_PENDING,
	OPT_PROXY,
	OPT_MAX_SESSIONS,
	OPT_CHANNELS,
	OPT_IDLE,
	OPT_TICKETS,
	OPT_LOG_JSON,
	OPT_PASS_FILE,
	OPT_PASS_FD,
	OPT_READABLE,
	OPT_PORT_FILE,
	OPT_TRACE,
	OPT_ECHO,
	OPT_EXEC,
	OPT_FORWARD,
	OPT_RECEIVE,
	OPT_STORE,
	OPT_CLUSTER,
	OPT_CHECKPOINT,
	OPT_TAKEOVER,
	OPT_NO_REFRESH,
	REFRESH_MS = 5 /* what waits for a takeover is over by then */
};

static const struct option options[] = { { "listen", required_argument, NULL,
					     OPT_LISTEN },
	{ "identity", required_argument, NULL, OPT_IDENTITY },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "trust", required_argument, NULL, OPT_TRUST },
	{ "target", required_argument, NULL, OPT_TARGET },
	{ "users", required_argument, NULL, OPT_USERS },
	{ "password-command", required_argument, NULL, OPT_COMMAND },
	{ "ring", required_argument, NULL, OPT_RING },
	{ "used-tickets", required_argument, NULL, OPT_USED },
	{ "revoked", required_argument, NULL, OPT_REVOKED },
	{ "allow", required_argument, NULL, OPT_ALLOW },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "max-failures", required_argument, NULL, OPT_MAX_FAILURES },
	{ "max-source-failures", required_argument, NULL, OPT_MAX_SOURCE },
	{ "max-unopened", required_argument, NULL, OPT_MAX_UNOPENED },
	{ "busy", required_argument, NULL, OPT_BUSY },
	{ "max-pending", required_argument, NULL, OPT_MAX_PENDING },
	{ "proxy-from", required_argument, NULL, OPT_PROXY },
	{ "max-sessions", required_argument, NULL, OPT_MAX_SESSIONS },
	{ "channels", required_argument, NULL, OPT_CHANNELS },
	{ "idle", required_argument, NULL, OPT_IDLE },
	{ "issue-tickets", required_argument, NULL, OPT_TICKETS },
	{ "log-json", no_argument, NULL, OPT_LOG_JSON },
	{ "json", no_argument, &cli_json, 1 },
	{ "passphrase-file", required_argument, NULL, OPT_PASS_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_PASS_FD },
	{ "allow-readable-key", no_argument, NULL, OPT_READABLE },
	{ "port-file", required_argument, NULL, OPT_PORT_FILE },
	{ "trace", no_argument, NULL, OPT_TRACE },
	{ "echo", no_argument, NULL, OPT_ECHO },
	{ "exec", required_argument, NULL, OPT_EXEC },
	{ "forward", required_argument, NULL, OPT_FORWARD },
	{ "receive", required_argument, NULL, OPT_RECEIVE },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "cluster", required_argument, NULL, OPT_CLUSTER },
	{ "checkpoint", required_argument, NULL, OPT_CHECKPOINT },
	{ "takeover", required_argument, NULL, OPT_TAKEOVER },
	{ "no-refresh", no_argument, NULL, OPT_NO_REFRESH },
	{ NULL, 0, NULL, 0 } };

static int
add_word(const char **list, size_t *n, size_t max, const char *option,
    const char *text)
{
	if (*n == max)
		return cli_usage("respond", "%s: at most %zu of them", option,
		    max);
	list[(*n)++] = text;
	return CLI_OK;
}

static int
set_number(uint32_t *out, const char *option, uint64_t min, uint64_t max)
{
	uint64_t n;
	int r;

	if ((r = cli_number(&n, option, optarg, min, max)) == CLI_OK)
		*out = (uint32_t)n;
	return r;
}

static int
set_command(char ***out, const char *option)
{
	free(*out);
	if ((*out = split_words(optarg)) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", option);
	if (**out == NULL)
		return cli_usage("respond", "%s names no command", option);
	return CLI_OK;
}

static int
set_sink(const struct sink *sink)
{
	if (respond.sink != NULL && respond.sink != sink)
		return cli_usage("respond",
		    "only one of --echo, --exec, --forward and --receive");
	respond.sink = sink;
	return CLI_OK;
}

static int
set_checkpoint(const char *text)
{
	struct hf_checkpoint_policy *p = &respond.server.checkpoint;
	int bytes = strncmp(text, "bytes:", 6) == 0;

	if (strcmp(text, "record") == 0) {
		p->kind = HF_CHECKPOINT_RECORD;
		return CLI_OK;
	}
	if (strcmp(text, "handover") == 0) {
		p->kind = HF_CHECKPOINT_HANDOVER;
		return CLI_OK;
	}
	p->kind = bytes ? HF_CHECKPOINT_BYTES : HF_CHECKPOINT_MS;
	return cli_number(&p->value, "--checkpoint", bytes ? text + 6 : text,
	    1, bytes ? (uint64_t)1 << 32 : 60000);
}

/* Options about sessions that move. */
static int
moving_option(int c)
{
	switch (c) {
	case OPT_STORE:
		respond.store = optarg;
		return CLI_OK;
	case OPT_CLUSTER:
		respond.cluster = optarg;
		return CLI_OK;
	case OPT_CHECKPOINT:
		return set_checkpoint(optarg);
	case OPT_TAKEOVER:
		if (strcmp(optarg, "soft") != 0 &&
		    strcmp(optarg, "proved") != 0)
			return cli_usage("respond",
			    "--takeover: soft or proved, not '%s'", optarg);
		respond.takeover =
		    *optarg == 's' ? HF_MOVES_SOFT : HF_MOVES_PROVED;
		return CLI_OK;
	case OPT_NO_REFRESH:
		respond.server.checkpoint.refresh_ms = 0;
		return CLI_OK;
	default:
		return CLI_USAGE;
	}
}

/* Options about what a session does, and how the program is run. */
static int
running_option(int c)
{
	int r;

	switch (c) {
	case OPT_LOG_JSON:
		log_json = 1;
		return CLI_OK;
	case OPT_PASS_FILE:
		return cli_pass_file(&respond.pass, optarg);
	case OPT_PASS_FD:
		return cli_pass_fd(&respond.pass, optarg);
	case OPT_READABLE:
		cli_allow_readable = 1;
		return CLI_OK;
	case OPT_PORT_FILE:
		respond.port_file = optarg;
		return CLI_OK;
	case OPT_TRACE:
		respond.trace = 1;
		return CLI_OK;
	case OPT_ECHO:
		return set_sink(&sink_echo);
	case OPT_EXEC:
		if ((r = set_sink(&sink_exec)) != CLI_OK)
			return r;
		return set_command(&respond.exec, "--exec");
	case OPT_FORWARD:
		respond.forward = optarg;
		return set_sink(&sink_forward);
	case OPT_RECEIVE:
		respond.receive = optarg;
		return set_sink(&sink_receive);
	default:
		return moving_option(c);
	}
}

static int
add_proxy(struct hf_server_options *o)
{
	if (o->proxy_n == HF_CIDRS_MAX)
		return cli_usage("respond", "--proxy-from: at most %d of them",
		    HF_CIDRS_MAX);
	if (hf_cidr_parse(&o->proxy[o->proxy_n], optarg) != HF_OK)
		return cli_usage("respond",
		    "--proxy-from: '%s' is no ADDRESS/BITS", optarg);
	o->proxy_n++;
	return CLI_OK;
}

/* Options about numbers: limits and sizes. */
static int
limit_option(int c)
{
	struct hf_server_options *o = &respond.server;
	int r;

	switch (c) {
	case OPT_WORKERS:
		return set_number(&o->workers, "--workers", 1, HF_WORKERS_MAX);
	case OPT_MAX_FAILURES:
		return set_number(&o->max_failures, "--max-failures", 1,
		    1000000);
	case OPT_MAX_SOURCE:
		return set_number(&o->max_source_failures,
		    "--max-source-failures", 1, 1000000);
	case OPT_MAX_UNOPENED:
		return set_number(&o->max_source_unopened, "--max-unopened", 1,
		    1000000);
	case OPT_BUSY:
		return set_number(&o->busy, "--busy", 0, 1000000);
	case OPT_MAX_PENDING:
		return set_number(&o->max_pending_source, "--max-pending", 1,
		    65535);
	case OPT_PROXY:
		return add_proxy(o);
	case OPT_MAX_SESSIONS:
		return set_number(&o->max_open_subject, "--max-sessions", 1,
		    65535);
	case OPT_CHANNELS:
		return cli_number(&respond.channels, "--channels", optarg, 0,
		    HF_CHANNELS_MAX);
	case OPT_IDLE:
		r = cli_duration(&o->idle_ms, "--idle", optarg);
		o->idle_ms *= 1000;
		return r;
	case OPT_TICKETS:
		r = cli_duration(&respond.ticket_ttl, "--issue-tickets",
		    optarg);
		if (r == CLI_OK && respond.ticket_ttl > 365 * 86400)
			r = cli_usage("respond",
			    "--issue-tickets: at most a "
			    "year");
		return r;
	default:
		return running_option(c);
	}
}

static int
take_option(int c)
{
	switch (c) {
	case OPT_LISTEN:
		return add_word(respond.listen, &respond.listen_n,
		    HF_LISTENERS_MAX, "--listen", optarg);
	case OPT_IDENTITY:
		respond.identity = optarg;
		return CLI_OK;
	case OPT_CERT:
		respond.cert = optarg;
		return CLI_OK;
	case OPT_TRUST:
		return cli_path(respond.trust, &respond.trust_n, "--trust",
		    optarg);
	case OPT_REVOKED:
		return cli_path(respond.revoked, &respond.revoked_n,
		    "--revoked", optarg);
	case OPT_TARGET:
		return add_word(respond.targets, &respond.targets_n,
		    TARGETS_MAX, "--target", optarg);
	case OPT_ALLOW:
		return add_word(respond.allow, &respond.allow_n, ALLOW_MAX,
		    "--allow", optarg);
	case OPT_USERS:
		respond.users = optarg;
		return CLI_OK;
	case OPT_COMMAND:
		return set_command(&respond.password_command,
		    "--password-command");
	case OPT_RING:
		respond.ring = optarg;
		return CLI_OK;
	case OPT_USED:
		respond.server.used_path = optarg;
		return CLI_OK;
	default:
		return limit_option(c);
	}
}

int
respond_read(int argc, char **argv)
{
	int c, r;

	hf_server_defaults(&respond.server);
	respond.takeover = HF_MOVES_SOFT;
	respond.channels = CHANNELS_USUAL;
	respond.server.checkpoint =
	    (struct hf_checkpoint_policy){ HF_CHECKPOINT_MS, 50, REFRESH_MS };
	respond.pass.fd = -1;
	respond.pass.kept = &respond.kept;
	while ((c = cli_option(argc, argv, ":", options)) != -1) {
		if (c == '?' || c == ':')
			return cli_bad_option("respond", c, argv);
		if ((r = take_option(c)) != CLI_OK)
			return r;
	}
	log_json |= cli_json;
	if (optind < argc)
		return cli_usage("respond", "unexpected word '%s'",
		    argv[optind]);
	if (respond.listen_n == 0)
		return cli_usage("respond", "no --listen HOST:PORT");
	if (respond.identity == NULL || respond.cert == NULL)
		return cli_usage("respond", "no %s FILE",
		    respond.identity == NULL ? "--identity" : "--cert");
	if (respond.trust_n == 0 && respond.users == NULL &&
	    respond.password_command == NULL && respond.ring == NULL)
		return cli_usage("respond",
		    "nobody could authenticate: no "
		    "--trust, --users, --password-command or --ring");
	if ((respond.store == NULL) != (respond.cluster == NULL))
		return cli_usage("respond",
		    "--store and --cluster go together");
	if (respond.users != NULL && respond.password_command != NULL)
		return cli_usage("respond",
		    "only one of --users and --password-command");
	if (respond.ticket_ttl != 0 && respond.ring == NULL)
		return cli_usage("respond", "--issue-tickets needs --ring");
	if (respond.sink == NULL)
		respond.sink = &sink_print;
	respond.server.fds_per_conn = respond.sink->fds;
	return CLI_OK;
}
