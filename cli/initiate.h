/* SPDX-License-Identifier: ISC */
/*
 * What the files behind `initiate` share: its command line, its state, and
 * standard input and output joined to the one session.
 */
#ifndef CLI_INITIATE_H
#define CLI_INITIATE_H

#include "serve.h"

/* What the command line of `initiate` says. */
enum { CONNECT_MAX = 8, ASK_MAX = 16 };
struct initiate {
	const char *connect[CONNECT_MAX]; /* in the order of preference */
	size_t connect_n;
	const char *trust[CLI_PATHS_MAX], *revoked[CLI_PATHS_MAX];
	size_t trust_n, revoked_n;
	const char *expect, *realm;
	const char *target[ASK_MAX]; /* the first one at first */
	size_t target_n;
	const char *responder_cert;
	const char *shared, *agent; /* a peer of the agent's; its socket */
	const char *identity, *cert, *user, *ticket, *ticket_out;
	struct cli_pass pass;
	int plain, no_prekey, no_fallback, dispatched, trace;
	uint64_t connect_ms, deadline_ms, retry_ms;
};

/* initiate_args.c: reads the command line. */
int initiate_read(struct initiate *args, int argc, char **argv);
/* What helps where a session did not begin, beside cli_fail()'s hints. */
void initiate_advise(const struct initiate *args, enum hf_err err);
/* Another session has begun in the place of one that could not go on. */
void initiate_tell_lost(const struct hf_lost *lost);

/* initiate_pace.c: for how long a session without a connection tries to go on,
 * and when it does. */
struct pace {
	int useful;	    /* something came of the last connection */
	uint64_t opened_ms; /* when that was open */
	uint64_t trying_ms; /* since when nothing came of any */
	uint64_t acked;	    /* bytes, when it was open */
	size_t tried;	    /* addresses, since the last pause */
	unsigned pauses;
};
uint64_t pace_ms(void);
/* A connection is open; the first one is useful. */
void pace_opened(struct pace *, const struct hf_link *, int first);
/* Whether something came of it: what was acked, or was received. */
void pace_moved(struct pace *, const struct hf_link *);
/* It is tried from now on. */
void pace_begin(struct pace *);
/* A connection ended, open or not: 0 when retry_ms are over. */
int pace_goes_on(struct pace *, int was_open, uint64_t retry_ms);
/* For how long the next one has to wait. */
uint64_t pace_wait(struct pace *, size_t addresses);

/* agent_join.c: standard input and output joined to a channel of the agent's. */
int initiate_shared(const struct initiate *args);

/* initiate_load.c: the objects of the library that it says. */
struct loaded {
	struct hf_config *config;
	struct hf_trust *trust;
	struct hf_identity *identity;
	struct cli_secret password;
	int known; /* the responder's certificate is */
};
int initiate_load(struct loaded *l, const struct initiate *a);
/* All addresses of --connect, and of each what was said: room for
 * HF_ADDRESSES_MAX of each. */
int initiate_addresses(struct hf_address *out, const char **names, size_t *n,
    const struct initiate *a);
/* The link's hook `trace`; its owner is what was asked for. */
void initiate_traced(void *owner, struct hf_link *link, int sent, int type,
    size_t bytes, uint64_t ns);

/* initiate_io.c: standard input to the session, the session to standard
 * output. One of each, on the loop of the link. */
struct joined;
struct joined_hooks {
	/* Reading or writing failed: errno. */
	void (*failed)(int input, int err);
	/* All that was given to joined_write() is written. */
	void (*idle)(void);
	/* The peer sends nothing more, and the input has not ended but says
	 * nothing: the link cannot be closed, which would say that it has. */
	void (*silent)(void);
};
int joined_new(struct joined **joined, uv_loop_t *loop,
    const struct joined_hooks *hooks);
void joined_free(struct joined *joined);
/* The session is open: begins to read. */
void joined_open(struct joined *joined, struct hf_link *link);
void joined_write(struct joined *joined, const uint8_t *data, size_t len);
void joined_drained(struct joined *joined);
/* The peer sends nothing more: input that has nothing to say for a second is
 * not waited for, a terminal's not at all. */
void joined_peer_closed(struct joined *joined);
/* The link is gone: reads no more; what was received is still written. */
void joined_unlink(struct joined *joined);
/* Whether the session may move: what is sent is kept until it is acked. */
void joined_keep(struct joined *joined, int on);
/* The peer has so many bytes of this session for good. */
void joined_acked(struct joined *joined, uint64_t bytes);
/* The link is gone, and another will come. */
void joined_suspend(struct joined *joined);
/* It has come: the peer has so many bytes of this session; what follows is
 * sent again. */
void joined_relink(struct joined *joined, struct hf_link *link,
    uint64_t bytes);
/* It has come with another session, which begins where so many bytes of the
 * one before were acked. */
void joined_restart(struct joined *joined, struct hf_link *link,
    uint64_t bytes);
/* 1 when all input was read to its end, of which so many bytes were read. */
int joined_finished(const struct joined *joined, uint64_t *bytes);
/* 1 while output waits to be written, or a read is under way. */
int joined_busy(const struct joined *joined);

#endif
