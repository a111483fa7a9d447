/* SPDX-License-Identifier: ISC */
/*
 * What the files behind `initiate` share: its command line, its state, and
 * standard input and output joined to the one session.
 */
#ifndef CLI_INITIATE_H
#define CLI_INITIATE_H

#include "serve.h"

/* What the command line of `initiate` says. */
struct initiate {
	const char *connect;
	const char *trust[CLI_PATHS_MAX], *revoked[CLI_PATHS_MAX];
	size_t trust_n, revoked_n;
	const char *expect, *target, *realm;
	const char *responder_cert;
	const char *identity, *cert, *user, *ticket, *ticket_out;
	struct cli_pass pass;
	int plain, no_prekey, trace;
	uint64_t connect_ms, deadline_ms;
};

/* initiate_args.c: reads the command line. */
int initiate_read(struct initiate *args, int argc, char **argv);

/* initiate_io.c: standard input to the session, the session to standard
 * output. One of each, on the loop of the link. */
struct joined;
struct joined_hooks {
	/* Reading or writing failed: errno. */
	void (*failed)(int input, int err);
	/* All that was given to joined_write() is written. */
	void (*idle)(void);
};
int joined_new(struct joined **joined, uv_loop_t *loop,
    const struct joined_hooks *hooks);
void joined_free(struct joined *joined);
/* The session is open: begins to read. */
void joined_open(struct joined *joined, struct hf_link *link);
void joined_write(struct joined *joined, const uint8_t *data, size_t len);
void joined_drained(struct joined *joined);
/* The peer sends nothing more: input that has nothing to say for a second
 * counts as ended, a terminal at once. */
void joined_peer_closed(struct joined *joined);
/* The link is gone: reads no more; what was received is still written. */
void joined_unlink(struct joined *joined);
/* 1 while output waits to be written, or a read is under way. */
int joined_busy(const struct joined *joined);

#endif
