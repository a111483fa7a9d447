/* SPDX-License-Identifier: ISC */
/*
 * What the demo says: the three acts, what each message of theirs carries,
 * and a table from what both sides traced. It runs nothing.
 */
#include <stdio.h>
#include <string.h>

#include "demo.h"

#define REQUEST_CLEAR "in clear: suite, id of the server's key, target. "
#define GRANT                                                          \
	"sealed to this one request: the session key, the session id " \
	"and its lifetime"
#define CONFIRM                                                     \
	"nothing but a proof of the right keys; only now does the " \
	"server believe "

const struct demo_act demo_acts[DEMO_ACTS] = {
	{ "alice", "a certificate",
	    "alice has the server's certificate already, so one round trip is "
	    "enough.",
	    { "--identity", "alice.key", "--cert", "alice.cert",
		"--responder-cert", "server.cert" },
	    { { "request",
		  REQUEST_CLEAR
		  "sealed to the server's certified "
		  "key: a fresh transport key, alice's certificate, the "
		  "time, padding" },
		{ "grant",
		    GRANT ", in an envelope that only alice's private "
			  "key opens" },
		{ "confirm", CONFIRM "it is alice" } },
	    NULL },
	{ "bob", "a user name and password",
	    "bob knows only the server's name; he asks for its certificate "
	    "and checks it first.",
	    { "--user", "bob", "--passphrase-file", "password" },
	    { { "hello", "suites and target; nothing about who asks" },
		{ "offer",
		    "the server's certificate, and a prekey made for "
		    "this connection alone" },
		{ "request",
		    REQUEST_CLEAR
		    "sealed to the server's key and "
		    "to the prekey: a fresh transport key, bob's name, his "
		    "password stretched by Argon2id, the time, padding" },
		{ "grant", GRANT }, { "confirm", CONFIRM "it is bob" } },
	    "The password itself never leaves bob's machine. Stretching it, "
	    "which makes guessing slow, is not in these times." },
	{ "carol", "a ticket",
	    "carol got a ticket beforehand; the server keeps no list of "
	    "tickets, only the ring that opens them.",
	    { "--ticket", "carol.ticket", "--responder-cert", "server.cert" },
	    { { "request",
		  REQUEST_CLEAR
		  "sealed to the server's certified "
		  "key: a fresh transport key, the ticket, the time, "
		  "padding" },
		{ "grant",
		    GRANT ", bound to the proof key that came with "
			  "the ticket and was never sent" },
		{ "confirm", CONFIRM "it is the ticket's owner" } },
	    NULL }
};

static const char *
bold(void)
{
	return cli_color(stdout) ? "\033[1m" : "";
}

static const char *
dim(void)
{
	return cli_color(stdout) ? "\033[2m" : "";
}

static const char *
plain(void)
{
	return cli_color(stdout) ? "\033[0m" : "";
}

/* Prints text in lines of 78 columns behind an indent. */
static void
wrap(const char *text, int indent)
{
	int col = 0, len;

	while (*text != '\0') {
		len = (int)strcspn(text, " ");
		if (col > 0 && indent + col + 1 + len > 78) {
			putchar('\n');
			col = 0;
		}
		if (col == 0)
			printf("%*s", indent, "");
		else
			putchar(' ');
		printf("%.*s", len, text);
		col += len + (col > 0);
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

void
demo_begin(const char *address, long pid, long responder)
{
	printf("%shandfast demo%s\n\n", bold(), plain());
	wrap("A CA, a server with its certificate, and three who want in: "
	     "alice with a certificate of her own, bob with a password, carol "
	     "with a ticket. Each runs `handfast initiate` as a process of "
	     "its own; the server is `handfast respond --echo`.",
	    0);
	printf("\nserver: process %ld on %s; this is process %ld\n\n",
	    responder, address, pid);
}

/* The n-th session's part of the responder's log. */
static const char *
session_part(const char *log, unsigned n)
{
	const char *p = log, *mark;

	while (--n > 0 && (mark = strstr(p, "event=session")) != NULL) {
		p = strchr(mark, '\n');
		p = p == NULL ? mark + 1 : p + 1;
	}
	return p;
}

/* The microseconds that `log` says of a message; -1: it does not. */
static long
micros(const char *log, const char *verb, const char *name, long *bytes)
{
	const char *end = strstr(log, "event=session");
	char found[16], message[16];
	long b, us;

	for (; (log = strstr(log, "trace: ")) != NULL; log++) {
		if (end != NULL && log > end)
			break;
		if (sscanf(log, "trace: %15s %15s %ld bytes %ld us", found,
			message, &b, &us) == 4 &&
		    strcmp(found, verb) == 0 && strcmp(message, name) == 0) {
			*bytes = b;
			return us;
		}
	}
	return -1;
}

static int
from_initiator(const char *name)
{
	return strcmp(name, "offer") != 0 && strcmp(name, "grant") != 0;
}

void
demo_show(const struct demo_act *act, unsigned n, const char *ours,
    const char *theirs)
{
	long made, opened, bytes = 0, sum_bytes = 0, sum_us = 0;
	size_t i;

	theirs = session_part(theirs, n);
	printf("%s%u. %s: %s%s\n", bold(), n, act->who, act->title, plain());
	wrap(act->token, 3);
	printf("\n   %smessage  from       bytes  making us  opening us%s\n",
	    dim(), plain());
	for (i = 0; i < 6 && act->says[i].name != NULL; i++) {
		const char *name = act->says[i].name;
		int ini = from_initiator(name);

		made = micros(ini ? ours : theirs, "sent", name, &bytes);
		opened = micros(ini ? theirs : ours, "received", name, &bytes);
		printf("   %s%-8s%s %-9s %6ld %10ld %11ld\n", bold(), name,
		    plain(), ini ? "initiator" : "responder", bytes, made,
		    opened);
		wrap(act->says[i].text, 12);
		sum_bytes += bytes;
		sum_us += made + opened;
	}
	printf("   %sall of it          %6ld %22ld us, both sides "
	       "together%s\n",
	    dim(), sum_bytes, sum_us, plain());
	if (act->note != NULL)
		wrap(act->note, 3);
}

void
demo_finish(void)
{
	printf("%sAll three echoes came back right.%s\n\n", bold(), plain());
	wrap("Times are those spent in the library, in a process that does "
	     "this once: caches are cold. The time for making a confirm is in "
	     "that for opening the grant before it.",
	    0);
	printf(
	    "\nWhat next:\n"
	    "  handfast help            a first use of your own, step by "
	    "step\n"
	    "  handfast help respond    what the server can do: --exec, "
	    "--forward, ...\n"
	    "  handfast help initiate   how to get in, and what is checked\n"
	    "  spec/handfast.md         the protocol, byte by byte\n");
}
