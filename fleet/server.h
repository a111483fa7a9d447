/* SPDX-License-Identifier: ISC */
/*
 * The inside of a server, for its files: server.c, which owns the tables that
 * threads share, worker.c, which runs the threads, accept.c, where connections
 * come in, line.c, where some wait, and tally.c, which counts. Nobody else
 * includes it.
 */
#ifndef FLEET_SERVER_H
#define FLEET_SERVER_H

#include <stdatomic.h>

#include "owner.h"

enum {
	HF__TALLY_ROWS = 4,
	HF__TALLY_WIDTH = 4096,
	HF__FIRST_MS = 3000, /* for a peer to say something */
	HF__AT_WORK = 8,     /* handshakes of a source that has to wait */
	HF__LINE_MAX = 1024, /* who waits, in a worker */
	HF__LINE_MS = 2,     /* between two of them */
	HF__TICK_MS = 100,   /* when the server stops: how often it looks */
	HF__QUIET_TICKS = 2,
	HF__RENEW_MS = 1000, /* between two readings of keys */
	HF__IDLE_LOOKS = 4,  /* in the time a session may be quiet */
	HF__GRACE_MS = 2000, /* for sessions to end */
	HF__STOP_MS = 3500   /* then the rest is dropped */
};

/* One configuration: a config for each worker, and what they borrow from. */
struct hf_generation {
	atomic_uint refs;
	unsigned number; /* rises */
	const struct hf_service *service;
	void *app;
	unsigned n;
	struct hf_config *config[HF_WORKERS_MAX];
};

/* How many there are of each key. A key is counted in a place of every row; its
 * smallest count is right, or too high where all places are shared. */
struct hf__places {
	uint16_t at[HF__TALLY_ROWS];
};
struct hf__tally {
	uint8_t key[16]; /* nobody can choose whom he shares places with */
	uint32_t n[HF__TALLY_ROWS][HF__TALLY_WIDTH];
};

/* The key under which what comes from one address is counted. */
struct hf__source {
	uint8_t key[16];
	size_t len;
};

/* What failures are counted for: in tables of this server, and under keys of
 * a store where there is one. */
enum {
	HF__COUNTERS = 3, /* of enum hf_counted */
	HF__COUNTED_MAX =
	    HF_USER_MAX + 1 + sizeof(((struct hf__source *)0)->key)
};

/* Asks the store for one of a connection's counters. */
struct hf__count_read {
	struct hf_served_own *c;
	struct hf_op *op;
};

/* Burns a connection's ticket in the store. */
struct hf__burn {
	struct hf_op *op;
	enum hf_err wrote;
	uint8_t token[16]; /* by which its own write is known */
};

struct hf__listener {
	uv_poll_t poll;
	struct hf_worker *worker; /* NULL: not in use */
	int fd, family;
	int paused; /* nobody is taken now */
	int turn; /* callers taken at the last knock, at most; and its time */
	uint64_t knocked_ms;
};

struct hf_worker {
	struct hf_server *server;
	unsigned index;
	uv_thread_t thread;
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t grace; /* until it stops: looks for idle sessions */
	uv_timer_t retry; /* accepting, when descriptors ran out */
	uv_timer_t turn;  /* of the next in the line */
	struct hf_served_own *line, *line_last;
	unsigned line_n;
	uv_tcp_t first; /* of the loop's streams: closed at once */
	struct hf__listener listener[HF_LISTENERS_MAX];
	struct hf_port *port;	  /* NULL without a store */
	struct hf__count *counts; /* being written to it */
	unsigned counts_n;
	struct hf_served *conns;
	unsigned conns_n;
	struct hf__greeting *greetings;
	unsigned greetings_n;
	unsigned ticks;		       /* since it stops */
	uint64_t turned_away, said_ms; /* since it was said; when that was */
	int stopping, closed;
	atomic_int asked; /* whether it lives, and has not said so yet */
	uint8_t scratch[HF_LINK_SCRATCH];
};

struct hf_served_own {
	struct hf_served conn;
	struct hf_server *server;
	struct hf_generation *generation;
	struct hf_served *prev, *next;
	struct hf_served_own *behind; /* in the line */
	uint64_t since;		      /* in the line, ms */
	int fd, family;		      /* before it has a link */
	struct hf__source source;
	char user[HF_USER_MAX + 1]; /* empty without a password */
	int asked;		    /* about it, elsewhere */
	struct hf__places pending;  /* where its source is counted */
	struct hf__places at_work;  /* and there, too */
	struct hf__places open;	    /* where its subject is */
	int handshaking, working, admitted, counted;
	struct hf_owner *holds;	    /* NULL: the session does not move */
	struct hf_generation *keys; /* NULL, or whose keys that one uses */
	unsigned keys_of;	    /* its number */
	int shares; /* its failures are counted in the store: under these */
	uint8_t counter[HF__COUNTERS][HF_COUNTER_KEY_BYTES];
	struct hf__count_read read[HF__COUNTERS];
	unsigned reading;
	struct hf__burn burn;
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
	atomic_uint generations; /* number of the newest */
	struct hf_worker **worker;
	uint8_t cookie_key[HF_KEY_BYTES];
	/* all below by the lock */
	uv_mutex_t lock;
	struct hf_generation *current;
	uint64_t renewed_ms;   /* when keys were last to be read; 0: never */
	unsigned renewed_from; /* the newest generation then */
	struct hf_replay *replay;
	struct hf_limit *users, *pairs, *sources; /* refused tokens */
	struct hf_limit *unopened; /* what never became a session, by source */
	struct hf_limit *known;	   /* counters of the store that are not 0 */
	uint64_t made_since;	   /* ms: when the minute began in which */
	unsigned made;		   /* so many new ones were begun */
	struct hf__tally pending;  /* unfinished, by source */
	struct hf__tally working;  /* of these, those not in a line */
	struct hf__tally open;	   /* open sessions, by subject */
	/* by a lock of its own: it waits for the disk */
	uv_mutex_t used_lock;
	struct hf_used *used;
};

void hf__generation_release(struct hf_generation *g);
/* Takes a reference to what new sessions use. */
struct hf_generation *hf__server_current(struct hf_server *s);
/* Counts a connection: it may begin its handshake; or has to wait for it,
 * since too many of its source came to nothing; or is turned away, since too
 * many are under way. */
enum hf__welcome { HF__TURNED_AWAY, HF__WAITS, HF__BEGINS };
enum hf__welcome hf__server_begin(struct hf_served_own *c);
/* Whether one that waited may begin now. */
int hf__server_turn(struct hf_served_own *c);
/* Counts it out; once. */
void hf__server_finish(struct hf_served_own *c);
/* May the peer have a session? After the failures are known. */
void hf__server_judge(struct hf_served_own *c);
/* burn.c: the link's hook, and its end. */
void hf__burn_commit(void *owner, struct hf_link *link);
void hf__burn_forget(struct hf_served_own *c);
/* failures.c: finds out what other servers have counted, then judges; counts
 * what failed; its end. */
void hf__failures_ask(struct hf_served_own *c, const struct hf_peer *peer);
void hf__failures_failed(void *owner, struct hf_link *link, enum hf_err err);
void hf__failures_forget(struct hf_served_own *c);
/* Another server wrote this key. */
void hf__failures_heard(struct hf_server *s, struct hf_span key);
/* What is being written is let go, before the port is. */
void hf__failures_end(struct hf_worker *w);
/* hold.c: the link's hooks about sessions that move. */
void hf__server_state(void *owner, struct hf_link *link);
void hf__server_store(void *owner, struct hf_link *link, struct hf_span entry);
void hf__server_moved(void *owner, struct hf_link *link);
/* The hooks of the server's links; the owner is a struct hf_served_own. */
extern const struct hf_link_hooks hf__server_hooks;

HF_MUST_USE enum hf_err hf__worker_start(struct hf_worker **worker,
    struct hf_server *s, unsigned index);
/* Wakes it, where the server stops. */
void hf__worker_wake(struct hf_worker *w);
/* Waits for the thread and frees. */
void hf__worker_join(struct hf_worker *w);
/* Puts a connection among those of its worker; begins its handshake; takes it
 * away, when it has ended, and frees it. */
void hf__worker_add(struct hf_worker *w, struct hf_served_own *c);
void hf__worker_begin(struct hf_worker *w, struct hf_served_own *c);
void hf__worker_forget(struct hf_served_own *c);

/* accept.c. Where a connection comes from: 0 when that cannot be found. */
int hf__source_find(struct hf__source *s, int fd, int family,
    const struct hf_address *a);
void hf__source_text(char out[HF_ADDRESS_TEXT], const struct hf__source *s,
    int family, const struct hf_address *a);
/* One caller, from that address. Takes the descriptor. */
void hf__door_take(struct hf__listener *l, int fd, const struct hf_address *a,
    int of_proxy);
/* greet.c: the same, when it has said from where. */
void hf__greet(struct hf__listener *l, int fd, const struct hf_address *a);
void hf__greetings_end(struct hf_worker *w);
/* The descriptor of a connection becomes a link's; from here on its
 * end is the link's. */
void hf__door_pass(struct hf_worker *w, struct hf_served_own *c);
/* Makes the door to listener i. Returns 0 when it cannot. */
int hf__door_make(struct hf_worker *w, unsigned i);
/* Something has become free: takes connections again. */
void hf__doors_open(struct hf_worker *w);
void hf__doors_close(struct hf_worker *w);

/* line.c. Joins the line; returns 0 when that is full. */
int hf__line_join(struct hf_worker *w, struct hf_served_own *c);
/* All who wait are sent away. */
void hf__line_end(struct hf_worker *w);

/* tally.c */
void hf__tally_init(struct hf__tally *t);
void hf__tally_find(struct hf__places *places, const struct hf__tally *t,
    const void *key, size_t len);
unsigned hf__tally_count(const struct hf__tally *t,
    const struct hf__places *places);
/* One more, or one less of those that were added. */
void hf__tally_add(struct hf__tally *t, const struct hf__places *places);
void hf__tally_remove(struct hf__tally *t, const struct hf__places *places);

#endif
