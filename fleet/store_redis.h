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
	HF__REDIS_ADDRESSES = 4, /* of a name, one after the other */
	HF__REDIS_ID = HF__LINE_MARK
};

struct hf__redis_uri {
	char host[HF__REDIS_TEXT]; /* or */
	char path[HF__REDIS_TEXT];
	char user[HF__REDIS_TEXT], password[HF__REDIS_TEXT];
	uint16_t port;
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

struct hf__redis_conn {
	struct hf__line *line; /* NULL: cut */
	const struct hf__redis *at;
	uv_loop_t *loop;
	struct hf__lookup *lookup;
	/* One for each address that was tried; the last one is in use. */
	union hf__redis_io {
		uv_tcp_t tcp;
		uv_pipe_t pipe;
		uv_stream_t stream;
		uv_handle_t handle;
	} io[HF__REDIS_ADDRESSES];
	struct sockaddr_storage to[HF__REDIS_ADDRESSES];
	size_t to_n, tried;
	uv_connect_t connecting;
	uv_timer_t watch;
	int handles, up, asking;
	redisReader *reader;
	struct hf__redis_wanted *wanted, **wanted_end;
	char sha[HF__REDIS_SHA], seen[HF__REDIS_ID];
	char bytes[1 << 14];
};

/* store_redis_conn.c: sends a command, whose reply goes to `got`; the line
 * goes down where it cannot. */
void hf__redis_command(struct hf__redis_conn *conn, hf__redis_got *got,
    struct hf_op *op, int n, const char *const *words, const size_t *lengths);
/* Of at most 8 words without NUL. */
void hf__redis_say(struct hf__redis_conn *conn, hf__redis_got *got,
    struct hf_op *op, int n, const char *const *words);
void hf__redis_down(struct hf__redis_conn *conn, const char *why);
/* The script is known to the server: the first time, the line is up. */
void hf__redis_load(struct hf__redis_conn *conn);

/* store_redis.c */
extern const char hf__redis_script[];
void hf__redis_send(void *conn, struct hf_op *op);
void hf__redis_watch(void *conn);

#endif
