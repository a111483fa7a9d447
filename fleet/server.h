/* SPDX-License-Identifier: ISC */
/*
 * The inside of a server, for its two files: server.c, which owns the tables
 * that threads share, and worker.c, which runs the threads. Nobody else
 * includes it.
 */
#ifndef FLEET_SERVER_H
#define FLEET_SERVER_H

#include <stdatomic.h>

#include "fleet.h"

enum {
	HF__BUCKETS = 4096,
	HF__FIRST_MS = 3000, /* for a peer to say something */
	HF__TICK_MS = 100,   /* when the server stops: how often it looks */
	HF__QUIET_TICKS = 2,
	HF__IDLE_LOOKS = 4,  /* in the time a session may be quiet */
	HF__GRACE_MS = 2000, /* for sessions to end */
	HF__STOP_MS = 3500   /* then the rest is dropped */
};

/* One configuration: a config for each worker, and what they borrow from. */
struct hf_generation {
	atomic_uint refs;
	const struct hf_service *service;
	void *app;
	unsigned n;
	struct hf_config *config[HF_WORKERS_MAX];
};

struct hf__listener {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} io;
	struct hf_worker *worker;
	int family;
	int waiting; /* a connection was not taken yet */
};

struct hf_worker {
	struct hf_server *server;
	unsigned index;
	uv_thread_t thread;
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t grace; /* until it stops: looks for idle sessions */
	struct hf__listener listener[HF_LISTENERS_MAX];
	struct hf_conn *conns;
	unsigned conns_n;
	unsigned ticks; /* since it stops */
	int stopping, closed;
	uint8_t scratch[HF_LINK_SCRATCH];
};

struct hf_conn_own {
	struct hf_conn conn;
	struct hf_server *server;
	struct hf_generation *generation;
	struct hf_conn *prev, *next;
	uint8_t source[16];
	size_t source_len;
	char user[HF_USER_MAX + 1]; /* empty without a password */
	int handshaking, admitted;
	uint16_t *open; /* where it is counted among its subject's */
	uint64_t moved; /* bytes, when last looked at */
	int quiet;
};

struct hf_server {
	struct hf_server_options options;
	const struct hf_service *service;
	struct {
		int fd, family;
	} listener[HF_LISTENERS_MAX];
	unsigned listeners_n, started;
	unsigned worker_conns; /* open at once in a worker */
	atomic_int stopping;
	struct hf_worker **worker;
	uint8_t cookie_key[HF_KEY_BYTES];
	uint8_t hash_key[16];
	/* all below by the lock */
	uv_mutex_t lock;
	struct hf_generation *current;
	struct hf_replay *replay;
	struct hf_limit *users, *sources;
	unsigned handshaking;
	uint16_t pending[HF__BUCKETS]; /* unfinished, by source */
	uint16_t open[HF__BUCKETS];    /* open sessions, by subject */
	/* by a lock of its own: it waits for the disk */
	uv_mutex_t used_lock;
	struct hf_used *used;
};

void hf__generation_release(struct hf_generation *g);
/* Takes a reference to what new sessions use. */
struct hf_generation *hf__server_current(struct hf_server *s);
/* Counts a handshake that begins. Returns 0 when its source has too many. */
int hf__server_begin(struct hf_conn_own *c);
/* Counts it out; once. */
void hf__server_finish(struct hf_conn_own *c);
/* The hooks of the server's links; the owner is a struct hf_conn_own. */
extern const struct hf_link_hooks hf__server_hooks;

HF_MUST_USE enum hf_err hf__worker_start(struct hf_worker **worker,
    struct hf_server *s, unsigned index);
/* Wakes it, where the server stops. */
void hf__worker_wake(struct hf_worker *w);
/* Waits for the thread and frees. */
void hf__worker_join(struct hf_worker *w);
/* A connection ended: takes it from its worker and frees it. */
void hf__worker_forget(struct hf_conn_own *c);

#endif
