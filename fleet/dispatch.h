/* SPDX-License-Identifier: ISC */
/*
 * A dispatcher (spec section 17.9): it takes connections, finds for each a
 * server that has what is asked for, and carries bytes. It holds no key. It
 * belongs to one loop's thread, which alone may call it; others that it has
 * for its work it starts and ends itself. It prints nothing and never exits.
 */
#ifndef FLEET_DISPATCH_H
#define FLEET_DISPATCH_H

#include "fleet.h"

enum {
	HF_DISPATCH_SERVERS_MAX = 64,
	HF_DISPATCH_TARGETS_MAX = 64,
	HF_DISPATCH_KEYS_MAX = 4,
	HF_DISPATCH_WORKERS_MAX = 64,
	HF_DISPATCH_BUCKETS = 24 /* of durations: the first is 128 us */
};

struct hf_dispatch_server {
	struct hf_name name;  /* for people, and what drain is told */
	struct hf_name owner; /* as its certificate calls it */
	struct hf_name scope;
	struct hf_address at;
	int proxy; /* it is told for whom the dispatcher comes */
	struct hf_name target[HF_DISPATCH_TARGETS_MAX];
	size_t targets_n; /* 0: it serves every target */
	uint8_t key_id[HF_DISPATCH_KEYS_MAX][HF_KEY_ID_BYTES];
	size_t keys_n; /* further ones are learned from its offers */
};

struct hf_dispatch_config {
	struct hf_dispatch_server server[HF_DISPATCH_SERVERS_MAX];
	size_t servers_n;
	enum { HF_BALANCE_LEAST, HF_BALANCE_HASH } balance;
	int ask;	       /* a query before a handshake */
	int faster;	       /* a handshake where transfers are slower */
	uint64_t header_ms;    /* for the first message to be whole */
	uint64_t connect_ms;   /* for a server to accept */
	uint64_t server_ms;    /* for a server to answer a hello or resume */
	uint64_t answer_ms;    /* for an initiator to answer a query */
	uint64_t idle_ms;      /* without a byte; 0: for ever */
	uint64_t health_ms;    /* between two checks of a server */
	uint64_t lookup_ms;    /* for the store to say who the owner is */
	unsigned source_conns; /* open at once, of one source */
	unsigned conns;	       /* of all; no more than descriptors allow */
	unsigned ids;	       /* session ids that are remembered */
	unsigned drain_rate;   /* queries a second */
};

/* What is said about one connection when it has ended. */
struct hf_dispatch_line {
	const char *source, *server; /* NULL: it never had one */
	struct hf_span target;
	const char *how; /* affinity, transfer, balance, key, or why not */
	uint64_t in, out, ms;
	unsigned moves;
	enum hf_err err;
};

struct hf_dispatch_hooks {
	/* A server was found up, or down. */
	void (*health)(void *owner, const char *server, int up);
	/* In the thread that had the connection. */
	void (*ended)(void *owner, const struct hf_dispatch_line *line);
};

/* Durations, each in the first bucket that is longer. */
struct hf_dispatch_times {
	uint64_t bucket[HF_DISPATCH_BUCKETS], n, sum_us;
};

/* Counted since it began. Numbers of 64 bits alone. */
struct hf_dispatch_counts {
	uint64_t accepted, refused_source, refused_first, late, idle;
	uint64_t no_target, no_server, unknown_key;
	uint64_t affinity, transfers, balanced, by_key, anew, overdue, renewed;
	uint64_t lookups, lookups_found, lookups_skipped;
	uint64_t queries, moves, rescued, lost;
	uint64_t in, out;
	/* From a resume to what is said to it; from a hello or request to the
	 * grant. */
	struct hf_dispatch_times transfer, handshake;
};
/* The end of bucket i, us; the last one has none. */
uint64_t hf_dispatch_bucket_us(size_t i);
struct hf_dispatch_state {
	const char *name, *scope;
	char address[HF_ADDRESS_TEXT];
	int up, draining;
	unsigned conns;
	uint64_t taken, failed;
};

struct hf_dispatch;

/* The store may be NULL; it and the loop are borrowed. */
HF_MUST_USE enum hf_err hf_dispatch_new(struct hf_dispatch **dispatch,
    uv_loop_t *loop, struct hf_store *store,
    const struct hf_dispatch_hooks *hooks, void *owner);
void hf_dispatch_defaults(struct hf_dispatch_config *config);
/* Work is done by so many threads, this loop's one among them. Each looks
 * after the servers and remembers sessions for itself; limits, counts, drains,
 * configurations and the rule of transfers are those of all. Once, before all that follows.
 * @return HF_OK; HF_E_ARG; HF_E_MEMORY; HF_E_IO */
HF_MUST_USE enum hf_err hf_dispatch_workers(struct hf_dispatch *dispatch,
    unsigned n);
/* Takes a configuration, at first and again: what is the same stays as it is,
 * and no connection is closed. Servers that are gone are drained.
 * @return HF_OK; HF_E_MEMORY: nothing has changed, or with several workers
 * that it has not for all of them */
HF_MUST_USE enum hf_err hf_dispatch_configure(struct hf_dispatch *dispatch,
    const struct hf_dispatch_config *config);
/* Accepts from a listening socket, which it closes in the end. */
HF_MUST_USE enum hf_err hf_dispatch_listen(struct hf_dispatch *dispatch,
    int fd, int family);
/* Asks each initiator on that server to go on with another, at the rate, and
 * gives it no new ones; on 0: it is a server like any other again.
 * @return HF_OK; HF_E_ARG: no such server */
HF_MUST_USE enum hf_err hf_dispatch_drain(struct hf_dispatch *dispatch,
    const char *server, int on);
/* Whether sessions of that server have nowhere to go, should it be drained:
 * 1, when no other one of its scope, up and not drained itself, has `target`
 * of its targets, or (NULL) takes any. The text is the dispatcher's. */
int hf_dispatch_alone(const char **target, const struct hf_dispatch *dispatch,
    const char *server);
const struct hf_dispatch_counts *hf_dispatch_counts(
    const struct hf_dispatch *dispatch);
/* The state of server i; 0 when there is none. */
int hf_dispatch_state(struct hf_dispatch_state *state,
    const struct hf_dispatch *dispatch, size_t i);
unsigned hf_dispatch_conns(const struct hf_dispatch *dispatch);
/* The medians of the last transfers and handshakes, us; 0: too few of them. */
void hf_dispatch_recent(uint64_t *transfer_us, uint64_t *handshake_us,
    const struct hf_dispatch *dispatch);
/* Accepts no more, and closes all that is open. The loop then runs out of
 * what is the dispatcher's; hf_dispatch_free() follows. */
void hf_dispatch_stop(struct hf_dispatch *dispatch);
/* After the loop has ended. Accepts NULL. */
void hf_dispatch_free(struct hf_dispatch *dispatch);

#endif
