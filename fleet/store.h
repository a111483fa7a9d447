/* SPDX-License-Identifier: ISC */
/*
 * The inside of stores, for store*.c. Nobody else includes it.
 *
 * An engine is local or remote. A local one blocks: a thread of its own asks
 * it (store_thread.c). A remote one is asked on the loops, each port over a
 * connection of its own (store_line.c).
 */
#ifndef FLEET_STORE_H
#define FLEET_STORE_H

#include <sys/queue.h>

#include "store_now.h"

enum hf__op_kind { HF__OP_GET, HF__OP_SWAP, HF__OP_PAGE, HF__OP_SWEEP };

/* Some keys with their values, in order. */
struct hf__page_item {
	uint8_t key[HF_STORE_KEY_MAX], *value;
	size_t key_len, value_len;
};
enum { HF__PAGE_ITEMS = 64, HF__LINE_MARK = 48 };
struct hf__page {
	struct hf__page_item item[HF__PAGE_ITEMS];
	size_t n;
	int last; /* nothing follows */
	/* Where the next one begins: the engine's. */
	uint8_t after[HF_STORE_KEY_MAX + 1];
	size_t after_len;
	uint8_t **name; /* a length and a key each */
	size_t name_n, name_cap, name_at, name_bytes;
};

/* What an engine is asked, and what it answers. */
struct hf__ask {
	enum hf__op_kind kind;
	size_t key_len, expected_len, value_len;
	uint64_t expires;      /* what a sweep goes by */
	int quietly;	       /* a swap that is no news to others */
	struct hf__page *page; /* borrowed */
	enum hf_err err;
	uint8_t key[HF_STORE_KEY_MAX]; /* or the prefix of a page */
	/* Last, for they are large and mostly empty: not cleared when one is
	 * made, and wiped as far as they were filled. */
	uint8_t expected[HF_STORE_VALUE_MAX];
	uint8_t value[HF_STORE_VALUE_MAX]; /* next; the answer of a get */
};

/* One operation: of its port while that waits, of a thread or a line until it
 * is answered. */
struct hf_op {
	struct hf_op *next; /* of the thread */
	TAILQ_ENTRY(hf_op) in_line;
	struct hf_op *after;  /* of the port, by deadline */
	struct hf_port *port; /* NULL: nobody waits any more */
	hf_store_done *done;
	void *arg;
	uint64_t by, until; /* ms; however it gets on */
	int sent, answered;
	unsigned again; /* times that it was sent again */
	struct hf__ask ask;
};

/* Where to look for changes by others: opaque to store_thread.c. */
struct hf__changes {
	uint64_t seen;
	uint8_t key[HF_STORE_KEY_MAX];
	size_t key_len;
};

/* An engine whose calls block. */
struct hf__local {
	enum hf_err (
	    *open)(void **engine, const char *where, const char **reason);
	void (*close)(void *engine);
	/* Whether open() would find one, and not make it. */
	int (*is_there)(const char *where);
	/* Whether open() would refuse what is there; HF_OK where nothing is. */
	enum hf_err (*judge)(const char *where, const char **reason);
	/* Get or compare-and-set; sets ask->err. */
	void (*ask)(void *engine, struct hf__ask *ask, const char **reason);
	enum hf_err (*list)(void *engine, struct hf_span prefix,
	    int (*each)(void *arg, struct hf_span key, struct hf_span value),
	    void *arg, const char **reason);
	enum hf_err (*sweep)(void *engine, uint64_t now, size_t *n,
	    const char **reason);
	/* As ask(), but waits for nothing, neither a lock nor a device: for
	 * the loops' own threads. Each has a reader of its own, made when
	 * *reader is NULL. Returns 0 where it cannot be done so: ask() can. */
	int (*now)(void *engine, void **reader, struct hf__ask *ask,
	    const char **reason);
	void (*reader_free)(void *reader);
	/* The next key that another process changed: HF_OK, or
	 * HF_E_NO_SESSION when there is none. */
	enum hf_err (*changed)(void *engine, struct hf__changes *changes);
};

/* An engine on a loop. A connection begins to be made by `connect`, which
 * says NULL where it cannot even begin; the connection then says
 * hf__line_up() once, or hf__line_down(). It answers each `send` by one
 * hf__line_answer() in any order. After `cut` it says nothing more, and frees
 * itself from the loop, also when it is called from within its own calls. */
struct hf__line;
struct hf__remote {
	/* Reads the URI; nothing is connected yet. */
	enum hf_err (
	    *open)(void **engine, const char *uri, const char **reason);
	void (*close)(void *engine);
	void *(*connect)(void *engine, struct hf__line *line, uv_loop_t *loop);
	void (*send)(void *conn, struct hf_op *op);
	/* From now on hf__line_news() is wanted. */
	void (*watch)(void *conn);
	void (*cut)(void *conn);
	/* Makes what the store needs; may block, within the deadline. */
	enum hf_err (*init)(void *engine, const char *role, uint64_t ms,
	    char reason[HF_STORE_REASON_MAX]);
};

struct hf__engine {
	const char *scheme;
	const struct hf__local *local; /* or */
	const struct hf__remote *remote;
};

extern const struct hf__local hf__store_lmdb;
/* NULL where the build lacks the client library. */
extern const struct hf__remote *const hf__store_redis;
extern const struct hf__remote *const hf__store_postgres;

struct hf__thread;

struct hf_store {
	struct hf__engine engine;
	void *at; /* the engine's */
	const char *reason;
	char said[HF_STORE_REASON_MAX];
	struct hf__thread *thread; /* of a local engine */
	/* Of a remote one: where those wait that have no loop. */
	int running;
	uv_mutex_t waiting;
	uv_loop_t loop;
	uv_timer_t alive; /* it has nothing else to keep it running */
	struct hf_port *port;
};

struct hf_port {
	struct hf_store *store;
	uv_loop_t *loop;
	uv_timer_t timer; /* the first deadline */
	uv_timer_t watch;
	int handles;
	uint64_t deadline_ms;
	struct hf_op *first, **last; /* under way, by deadline */
	void (*changed)(void *arg, struct hf_span key);
	void *changed_arg;
	int closing;
	/* With a thread. */
	uv_async_t async; /* answers are there */
	uv_idle_t soon;	  /* answers of what the loop did itself */
	struct hf_op *answers;
	struct hf__changes changes;
	void *reader; /* the engine's */
	/* With a line. */
	struct hf__line *line;
};

/* store.c */
void hf__store_say(char out[HF_STORE_REASON_MAX], const char *words);

/* store_port.c */
uint64_t hf__store_ms(void);
void hf__op_free(struct hf_op *op);
/* Hands the answer to whoever waits, and frees. */
void hf__op_finish(struct hf_op *op);
struct hf_op *hf__op_new(struct hf_span key, hf_store_done *done, void *arg);
struct hf_op *hf__port_submit(struct hf_port *port, struct hf_op *op);
/* The operation has got on: its deadline is counted anew. Returns 0 where it
 * has done so for too long, or nobody waits for it. */
int hf__op_progress(struct hf_op *op);
int hf__ask_key(struct hf__ask *ask, struct hf_span key);
int hf__ask_swap(struct hf__ask *ask, struct hf_span expected,
    struct hf_span next, uint64_t expires);
void hf__port_closed(uv_handle_t *handle);

/* store_thread.c */
HF_MUST_USE enum hf_err hf__thread_new(struct hf__thread **thread,
    const struct hf__local *local, void *engine, const char **reason);
/* 0 where the engine hangs: what it uses must stay. */
int hf__thread_end(struct hf__thread *thread);
HF_MUST_USE enum hf_err hf__thread_port(struct hf_port *port);
void hf__thread_port_close(struct hf_port *port);
/* 0 where it must wait: nothing was done then. */
int hf__thread_now(struct hf_port *port, struct hf_op *op);
/* 0 when there are too many already. */
int hf__thread_submit(struct hf_port *port, struct hf_op *op);
/* 0 where its answer is already here. */
int hf__thread_abandon(struct hf_op *op);
void hf__thread_watch(struct hf_port *port);

/* store_line.c */
HF_MUST_USE enum hf_err hf__line_new(struct hf_port *port);
void hf__line_start(struct hf__line *line);
void hf__line_close(struct hf__line *line);
/* Waits no longer than this for a connection, and for an answer. */
uint64_t hf__line_deadline(const struct hf__line *line);
/* 1 when it is up; -1 when the last attempt failed; 0: on its way. */
int hf__line_state(const struct hf__line *line);
int hf__line_submit(struct hf__line *line, struct hf_op *op);
void hf__line_abandon(struct hf__line *line, struct hf_op *op);
void hf__line_watch(struct hf__line *line);
/* For connections. The words are copied. */
void hf__line_up(struct hf__line *line);
void hf__line_down(struct hf__line *line, const char *why);
void hf__line_answer(struct hf__line *line, struct hf_op *op, enum hf_err err,
    const char *why);
void hf__line_news(struct hf__line *line, struct hf_span key);
/* 1 for that of a store's own calls, whose loop runs no longer than they do. */
int hf__line_blocks(const struct hf__line *line);
/* How far the news were read, for the next connection: empty at first. */
char *hf__line_mark(struct hf__line *line);

/* Names are looked up on the loop. `done` gets the addresses, until it
 * returns, or NULL; nothing after hf__lookup_forget(). */
struct hf__lookup;
HF_MUST_USE struct hf__lookup *hf__lookup(uv_loop_t *loop, const char *host,
    void (*done)(void *arg, const struct addrinfo *list), void *arg);
void hf__lookup_forget(struct hf__lookup *lookup);

#endif
