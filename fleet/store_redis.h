/* SPDX-License-Identifier: ISC */
/*
 * The inside of the Redis engine, for store_redis*.c alone: where it is, a
 * connection to it, and what is said over that.
 */
#ifndef FLEET_STORE_REDIS_H
#define FLEET_STORE_REDIS_H

#include <hiredis/hiredis.h>

#include "store.h"

enum {
	HF__REDIS_TEXT = 256,
	HF__REDIS_WRITER = 16,
	HF__REDIS_SHA = 41,
	HF__REDIS_HOSTS = 8,
	HF__REDIS_ADDRESSES = 4, /* of a name, one after the other */
	HF__REDIS_ID = HF__LINE_MARK
};

struct hf__redis_host {
	char name[HF__REDIS_TEXT];
	uint16_t port;
};

struct hf__redis_uri {
	/* Several: one is the master; or all are Sentinels, who know it. */
	struct hf__redis_host host[HF__REDIS_HOSTS]; /* or */
	size_t host_n;
	char path[HF__REDIS_TEXT];
	char user[HF__REDIS_TEXT], password[HF__REDIS_TEXT];
	char master[HF__REDIS_TEXT]; /* what Sentinels call it; "" for none */
	unsigned db;
};

/* @return HF_OK; HF_E_ARG; HF_E_UNSUPPORTED for rediss:; HF_E_POLICY when
 * others can read the password's file; HF_E_STORE where it cannot be read */
HF_MUST_USE enum hf_err hf__redis_uri(struct hf__redis_uri *out,
    const char *uri, const char **reason);
/* What an error reply means, in our words. */
const char *hf__redis_words(const char *reply);

struct hf__redis {
	struct hf__redis_uri uri;
	char writer[HF__REDIS_WRITER + 1]; /* this process */
};

struct hf__redis_conn;
typedef void hf__redis_got(struct hf__redis_conn *, struct hf_op *,
    const redisReply *);

/* A reply that is to come. */
struct hf__redis_wanted {
	struct hf__redis_wanted *next;
	hf__redis_got *got;
	struct hf_op *op;
};

/* A stream, to one address. It outlives the connection that lets go of it,
 * until the loop has closed it. */
struct hf__redis_wire {
	struct hf__redis_conn *conn; /* NULL: let go */
	union {
		uv_tcp_t tcp;
		uv_pipe_t pipe;
		uv_stream_t stream;
		uv_handle_t handle;
	} io;
	uv_connect_t connecting;
	redisReader *reader;
	redisReplyObjectFunctions made_by; /* of the reader */
	size_t heard; /* bytes, since the last whole reply */
	char bytes[1 << 14];
};

struct hf__redis_conn {
	struct hf__line *line; /* NULL: cut */
	const struct hf__redis *at;
	uv_loop_t *loop;
	uv_timer_t watch; /* until it is up: what is tried takes too long */
	struct hf__redis_wire *wire;
	int up, asking;
	struct hf__redis_wanted *wanted, **wanted_end;
	char sha[HF__REDIS_SHA], seen[HF__REDIS_ID];
	/* What is being tried: a host, and an address of it. */
	struct hf__lookup *lookup;
	struct hf__redis_host master; /* as a Sentinel says; "" */
	size_t place;
	struct sockaddr_storage to[HF__REDIS_ADDRESSES];
	size_t to_n, tried;
};

/* store_redis_conn.c: sends a command, whose reply goes to `got`; the line
 * goes down where it cannot. */
void hf__redis_command(struct hf__redis_conn *conn, hf__redis_got *got,
    struct hf_op *op, int n, const char *const *words, const size_t *lengths);
/* Of at most 8 words without NUL. */
void hf__redis_say(struct hf__redis_conn *conn, hf__redis_got *got,
    struct hf_op *op, int n, const char *const *words);
/* The next host is tried, where there is one; or the line goes down. */
void hf__redis_down(struct hf__redis_conn *conn, const char *why);
/* The script is known to the server: the first time, the line is up. */
void hf__redis_load(struct hf__redis_conn *conn);
/* Connects to the address, or to the socket of the URI where that is NULL. */
void hf__redis_dial(struct hf__redis_conn *conn, const struct sockaddr *to);
/* Lets go of the wire, and of what was to come over it. */
void hf__redis_hang_up(struct hf__redis_conn *conn);

/* store_redis_find.c: the first host, from a timer. */
void hf__redis_begin(uv_timer_t *timer);
/* Another address, or another host. Returns 0 where there is none. */
int hf__redis_next_address(struct hf__redis_conn *conn);
int hf__redis_next(struct hf__redis_conn *conn);
/* All that is said before anything is asked, in one go. */
void hf__redis_introduce(struct hf__redis_conn *conn);

/* store_redis.c */
extern const char hf__redis_script[];
void hf__redis_send(void *conn, struct hf_op *op);
void hf__redis_watch(void *conn);

#endif
