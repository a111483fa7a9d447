/* SPDX-License-Identifier: ISC */
/*
 * handfast initiate: its help and its options. It reads words into a struct
 * and checks that they fit together; it opens no file.
 */
#include <getopt.h>

#include "initiate.h"

const char help_initiate[] =
    "usage: handfast initiate --connect HOST:PORT|unix:PATH\n"
    "                         --trust CA.cert... TOKEN [options]\n"
    "       handfast initiate --shared PEER [--agent PATH]\n"
    "\n"
    "Opens a session and joins standard input and output to it. TOKEN is one\n"
    "of\n"
    "  --identity FILE --cert CERT    a certificate of one's own\n"
    "  --user NAME                    a user name and password\n"
    "  --ticket TICKET                a ticket\n"
    "\n"
    "      --connect ADDRESS    HOST:PORT, [IPV6]:PORT or unix:PATH (repeat: where\n"
    "                           a session that may move goes on)\n"
    "      --trust CA.cert      whom to believe about the responder (repeat)\n"
    "      --revoked LIST       revocation list of such a CA (repeat)\n"
    "      --expect NAME        the responder must have this name; without it\n"
    "                           any whom the CA certified will do\n"
    "      --realm R            ... or this realm; a password is sent only\n"
    "                           where --expect or --realm was given\n"
    "      --target T           what is asked for there (repeat, with --dispatched:\n"
    "                           SIGUSR1 goes on to the next, in the same session)\n"
    "      --responder-cert C   its certificate, if known: saves a round trip\n"
    "      --passphrase-file F  the password (with --user), or what the key is\n"
    "                           sealed under: first line of F (- is stdin)\n"
    "      --passphrase-fd N    ... from descriptor N\n"
    "      --plain-password     send the password itself, sealed, for\n"
    "                           responders that ask another program\n"
    "      --no-prekey          with --responder-cert, a password goes in one round\n"
    "                           trip: a later leak of the responder's key then\n"
    "                           opens a recording of it\n"
    "      --ticket-out FILE    save a ticket that the responder gives (0600)\n"
    "      --no-fallback        end where a session cannot go on, instead of\n"
    "                           beginning another\n"
    "      --dispatched         --connect is a dispatcher: a session that may move\n"
    "                           goes on with another server on its connection\n"
    "      --retry T            how long to try to go on (60s)\n"
    "      --connect-timeout T  for each address (10s)\n"
    "      --deadline T         for the handshake (10s)\n"
    "      --allow-readable-key take a key file that others can read\n"
    "      --trace              a line for each message of the handshake\n"
    "      --json               words as JSON\n"
    "\n"
    "      --shared PEER        a channel of the session that the agent has with\n"
    "                           PEER (handfast help agent); no option else\n"
    "      --agent PATH         the agent's socket, where it is another\n"
    "\n"
    "Nothing is written to standard output before it is verified. The end of\n"
    "input closes one direction; the program ends with the other.\n"
    "\n"
    "example:\n"
    "  echo hello | handfast initiate --connect 127.0.0.1:7000 \\\n"
    "    --trust ca/ca.cert --expect echo --identity alice.key "
    "--cert alice.cert\n"
    "\n"
    "exit codes: 0 both directions closed, 2 usage, 3 connection refused or\n"
    "lost, 4 not authenticated, here or there, 5 own files refused,\n"
    "6 malformed, 7 expired or not yet valid, 8 the responder's store\n";

enum {
	OPT_CONNECT = 256,
	OPT_TRUST,
	OPT_REVOKED,
	OPT_EXPECT,
	OPT_TARGET,
	OPT_REALM,
	OPT_RESPONDER,
	OPT_IDENTITY,
	OPT_CERT,
	OPT_USER,
	OPT_TICKET,
	OPT_TICKET_OUT,
	OPT_PASS_FILE,
	OPT_PASS_FD,
	OPT_PLAIN,
	OPT_NO_PREKEY,
	OPT_TIMEOUT,
	OPT_DEADLINE,
	OPT_NO_FALLBACK,
	OPT_DISPATCHED,
	OPT_RETRY,
	OPT_SHARED,
	OPT_AGENT,
	OPT_READABLE,
	OPT_TRACE
};

static const struct option options[] = { { "connect", required_argument, NULL,
					     OPT_CONNECT },
	{ "trust", required_argument, NULL, OPT_TRUST },
	{ "revoked", required_argument, NULL, OPT_REVOKED },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "target", required_argument, NULL, OPT_TARGET },
	{ "realm", required_argument, NULL, OPT_REALM },
	{ "responder-cert", required_argument, NULL, OPT_RESPONDER },
	{ "identity", required_argument, NULL, OPT_IDENTITY },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "user", required_argument, NULL, OPT_USER },
	{ "ticket", required_argument, NULL, OPT_TICKET },
	{ "ticket-out", required_argument, NULL, OPT_TICKET_OUT },
	{ "passphrase-file", required_argument, NULL, OPT_PASS_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_PASS_FD },
	{ "plain-password", no_argument, NULL, OPT_PLAIN },
	{ "no-prekey", no_argument, NULL, OPT_NO_PREKEY },
	{ "connect-timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "deadline", required_argument, NULL, OPT_DEADLINE },
	{ "no-fallback", no_argument, NULL, OPT_NO_FALLBACK },
	{ "dispatched", no_argument, NULL, OPT_DISPATCHED },
	{ "retry", required_argument, NULL, OPT_RETRY },
	{ "shared", required_argument, NULL, OPT_SHARED },
	{ "agent", required_argument, NULL, OPT_AGENT },
	{ "allow-readable-key", no_argument, NULL, OPT_READABLE },
	{ "trace", no_argument, NULL, OPT_TRACE },
	{ "json", no_argument, &cli_json, 1 }, { NULL, 0, NULL, 0 } };

static int
set_ms(uint64_t *ms, const char *option)
{
	uint64_t seconds;
	int r;

	if ((r = cli_duration(&seconds, option, optarg)) != CLI_OK)
		return r;
	if (seconds > 3600)
		return cli_usage("initiate", "%s: at most an hour", option);
	*ms = seconds * 1000;
	return CLI_OK;
}

/* Options that name no text to keep. */
static int
other_option(struct initiate *a, int c)
{
	switch (c) {
	case OPT_TRUST:
		return cli_path(a->trust, &a->trust_n, "--trust", optarg);
	case OPT_REVOKED:
		return cli_path(a->revoked, &a->revoked_n, "--revoked",
		    optarg);
	case OPT_PASS_FILE:
		return cli_pass_file(&a->pass, optarg);
	case OPT_PASS_FD:
		return cli_pass_fd(&a->pass, optarg);
	case OPT_PLAIN:
		a->plain = 1;
		return CLI_OK;
	case OPT_NO_PREKEY:
		a->no_prekey = 1;
		return CLI_OK;
	case OPT_TIMEOUT:
		return set_ms(&a->connect_ms, "--connect-timeout");
	case OPT_CONNECT:
		if (a->connect_n == CONNECT_MAX)
			return cli_usage("initiate",
			    "--connect: at most %d of them", CONNECT_MAX);
		a->connect[a->connect_n++] = optarg;
		return CLI_OK;
	case OPT_TARGET:
		if (a->target_n == ASK_MAX)
			return cli_usage("initiate",
			    "--target: at most %d of them", ASK_MAX);
		a->target[a->target_n++] = optarg;
		return CLI_OK;
	case OPT_NO_FALLBACK:
		a->no_fallback = 1;
		return CLI_OK;
	case OPT_DISPATCHED:
		a->dispatched = 1;
		return CLI_OK;
	case OPT_RETRY:
		return set_ms(&a->retry_ms, "--retry");
	case OPT_DEADLINE:
		return set_ms(&a->deadline_ms, "--deadline");
	case OPT_READABLE:
		cli_allow_readable = 1;
		return CLI_OK;
	case OPT_TRACE:
		a->trace = 1;
		return CLI_OK;
	default:
		return CLI_USAGE;
	}
}

static int
take_option(struct initiate *a, int c)
{
	const char **text = NULL;

	switch (c) {
	case OPT_EXPECT:
		text = &a->expect;
		break;
	case OPT_REALM:
		text = &a->realm;
		break;
	case OPT_RESPONDER:
		text = &a->responder_cert;
		break;
	case OPT_SHARED:
		text = &a->shared;
		break;
	case OPT_AGENT:
		text = &a->agent;
		break;
	case OPT_IDENTITY:
		text = &a->identity;
		break;
	case OPT_CERT:
		text = &a->cert;
		break;
	case OPT_USER:
		text = &a->user;
		break;
	case OPT_TICKET:
		text = &a->ticket;
		break;
	case OPT_TICKET_OUT:
		text = &a->ticket_out;
		break;
	default:
		return other_option(a, c);
	}
	*text = optarg;
	return CLI_OK;
}

/* Names that no certificate could have, and no hello. */
static int
check_names(const struct initiate *a)
{
	struct hf_name name;
	size_t i;

	if (a->expect != NULL &&
	    cli_name(&name, "--expect", a->expect) != CLI_OK)
		return CLI_USAGE;
	if (a->realm != NULL &&
	    cli_realm(&name, "--realm", a->realm) != CLI_OK)
		return CLI_USAGE;
	for (i = 0; i < a->target_n; i++)
		if (*a->target[i] != '\0' &&
		    cli_name(&name, "--target", a->target[i]) != CLI_OK)
			return CLI_USAGE;
	if (a->target_n > 1 && !a->dispatched)
		return cli_usage("initiate",
		    "several --target are for --dispatched");
	return a->user != NULL ? cli_user_name("initiate", a->user) : CLI_OK;
}

/* All that is said of a peer stands in the agent's file. */
static int
check_shared(const struct initiate *a)
{
	if (a->connect_n > 0 || a->trust_n > 0 || a->revoked_n > 0 ||
	    a->target_n > 0 || a->expect != NULL || a->realm != NULL ||
	    a->responder_cert != NULL || a->identity != NULL ||
	    a->cert != NULL || a->user != NULL || a->ticket != NULL ||
	    a->ticket_out != NULL || a->plain || a->no_prekey ||
	    a->no_fallback || a->dispatched || a->trace)
		return cli_usage("initiate",
		    "with --shared the agent's file says all the rest");
	return CLI_OK;
}

static int
check(const struct initiate *a)
{
	int tokens = (a->identity != NULL || a->cert != NULL) +
	    (a->user != NULL) + (a->ticket != NULL);

	if (a->shared != NULL)
		return check_shared(a);
	if (a->agent != NULL)
		return cli_usage("initiate", "--agent is for --shared");
	if (a->connect_n == 0)
		return cli_usage("initiate", "no --connect HOST:PORT");
	if (a->trust_n == 0)
		return cli_usage("initiate", "no --trust CA.cert");
	if (tokens != 1)
		return cli_usage("initiate",
		    "one of --identity with --cert, "
		    "--user, --ticket");
	if ((a->identity == NULL) != (a->cert == NULL))
		return cli_usage("initiate",
		    "--identity and --cert go together");
	if (a->user == NULL && (a->plain || a->no_prekey))
		return cli_usage("initiate", "%s is for --user",
		    a->plain ? "--plain-password" : "--no-prekey");
	if (a->plain && a->no_prekey)
		return cli_usage("initiate",
		    "a plain password always needs "
		    "a prekey");
	if (a->user != NULL && a->expect == NULL && a->realm == NULL)
		return cli_usage("initiate",
		    "a password is sent only to one "
		    "who was named: --expect NAME or --realm R");
	return check_names(a);
}

int
initiate_read(struct initiate *a, int argc, char **argv)
{
	int c, r;

	*a = (struct initiate){ .pass = CLI_PASS_NONE,
		.connect_ms = 10000,
		.deadline_ms = 10000,
		.retry_ms = 60000 };
	while ((c = cli_option(argc, argv, ":", options)) != -1) {
		if (c == '?' || c == ':')
			return cli_bad_option("initiate", c, argv);
		if ((r = take_option(a, c)) != CLI_OK)
			return r;
	}
	if (optind < argc)
		return cli_usage("initiate", "unexpected word '%s'",
		    argv[optind]);
	return check(a);
}

/* What helps where a session did not begin, beside cli_fail()'s hints. */
void
initiate_advise(const struct initiate *a, enum hf_err err)
{
	if (err == HF_E_NAME && a->expect != NULL)
		cli_hint("the certificate there is not for '%s'", a->expect);
	else if (err == HF_E_TOKEN && a->user != NULL)
		cli_hint("the certificate there names no realm: it takes no "
			 "passwords");
	else if (err == HF_E_EXPIRED)
		cli_hint("a certificate there needs renewal, or the clock "
			 "here is wrong");
	else if (err == HF_E_TARGET)
		cli_hint("the dispatcher there has no server for that target");
	else if (err == HF_E_SHAPE || err == HF_E_CBOR ||
	    err == HF_E_UNEXPECTED || err == HF_E_TOO_BIG)
		cli_hint("is that a handfast responder?");
}

/* Another session has begun in the place of one that could not go on. */
void
initiate_tell_lost(const struct hf_lost *lost)
{
	cli_warn("continuity lost (%s): of the session before, %llu bytes in "
		 "%llu records had arrived, and %llu records had come; going "
		 "on from the first byte that was not acked",
	    hf_error_name((int)lost->cause),
	    (unsigned long long)lost->own_bytes,
	    (unsigned long long)lost->own_count,
	    (unsigned long long)lost->peer_count);
}

void
initiate_traced(void *owner, struct hf_link *link, int sent, int type,
    size_t bytes, uint64_t ns)
{
	const struct initiate *a = owner;

	(void)link;
	if (a->trace)
		log_trace(sent, type, bytes, ns);
}
