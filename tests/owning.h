/* SPDX-License-Identifier: ISC */
/*
 * The owner of a session between its link and its store, both of them here, as
 * the tests tell them: a store of one entry, and a link that keeps what it was
 * told.
 */
#ifndef HANDFAST_OWNING_H
#define HANDFAST_OWNING_H

#include "cluster.h"

#include "owner.h"
#include "store_now.h"

/* --- a store of one entry, and a link, that do as they are told ------------------- */

struct hf_op {
	int swap, forgotten;
	uint8_t key[HF_STORE_KEY_MAX];
	size_t key_len;
	struct shelf expected, next;
	uint64_t expires;
	hf_store_done *done;
	void *arg;
};

struct hf_port {
	struct hf_op op;
	int waits, full;
	int at_once; /* who can be told at once is */
	int quietly; /* nobody else was to be told of the last one */
	int asked;   /* operations, so far */
};

struct hf_link {
	struct hf_session *s;
	uint64_t bytes;
	int wants, queries;
	/* What it was told, and how often. */
	int supplied, committed, checkpointed, aborted;
	enum hf_err verdict;
	struct shelf entry;
};

static struct cluster c;
static struct hf_session *i;
static struct end a, b;
static struct hf_link link_;
static struct hf_port port;
static struct hf_owner *owner;
static uv_loop_t loop;

static inline void
put(struct shelf *to, struct hf_span bytes)
{
	to->len = bytes.len;
	if (bytes.len > 0)
		memcpy(to->entry, bytes.ptr, bytes.len);
}

static inline void
assert_same(const struct shelf *one, const struct shelf *other)
{
	assert_int_equal(one->len, other->len);
	assert_memory_equal(one->entry, other->entry, one->len);
}

/* The wall clock of all that is linked here. */
static uint64_t now = NOW;
time_t
time(time_t *out)
{
	if (out != NULL)
		*out = (time_t)now;
	return (time_t)now;
}

/* Of one session only one operation is under way. */
static inline struct hf_op *
ask(struct hf_span key, hf_store_done *done, void *arg)
{
	if (port.full)
		return NULL;
	assert_false(port.waits);
	memset(&port.op, 0, sizeof(port.op));
	memcpy(port.op.key, key.ptr, key.len);
	port.op.key_len = key.len;
	port.op.done = done;
	port.op.arg = arg;
	port.waits = 1;
	port.asked++;
	return &port.op;
}

struct hf_op *
hf_port_get(struct hf_port *p, struct hf_span key, hf_store_done *done,
    void *arg)
{
	assert_ptr_equal(p, &port);
	return ask(key, done, arg);
}

struct hf_op *
hf_port_swap(struct hf_port *p, struct hf_span key, struct hf_span expected,
    struct hf_span next, uint64_t expires, hf_store_done *done, void *arg)
{
	assert_ptr_equal(p, &port);
	if (ask(key, done, arg) == NULL)
		return NULL;
	port.op.swap = 1;
	put(&port.op.expected, expected);
	put(&port.op.next, next);
	port.op.expires = expires;
	return &port.op;
}

void
hf_op_forget(struct hf_op *op)
{
	if (op != NULL)
		op->forgotten = 1;
}

/* What a store does, the answer apart. */
static inline enum hf_err
perform(void)
{
	const struct hf_op *op = &port.op;

	assert_true(port.waits);
	if (!op->swap)
		return c.shelf.len == 0 ? HF_E_NO_SESSION : HF_OK;
	if (op->expected.len != c.shelf.len ||
	    memcmp(op->expected.entry, c.shelf.entry, c.shelf.len) != 0)
		return HF_E_FENCED;
	c.shelf.len = op->next.len;
	memcpy(c.shelf.entry, op->next.entry, op->next.len);
	return HF_OK;
}

static inline void
says(enum hf_err e)
{
	struct hf_op op = port.op;
	struct shelf there = c.shelf;

	assert_true(port.waits);
	port.waits = 0;
	if (op.done == NULL || op.forgotten)
		return;
	if (e == HF_OK && !op.swap)
		op.done(op.arg, e, there.entry, there.len);
	else
		op.done(op.arg, e, NULL, 0);
}

static inline void
store(void)
{
	says(perform());
}

static inline int
submitted(struct hf_op **at, struct hf_op *op)
{
	*at = op;
	if (op == NULL || !port.at_once)
		return op != NULL;
	*at = NULL;
	store();
	return 1;
}

int
hf__port_get_now(struct hf_op **op, struct hf_port *p, struct hf_span key,
    hf_store_done *done, void *arg)
{
	return submitted(op, hf_port_get(p, key, done, arg));
}

int
hf__port_swap_now(struct hf_op **op, struct hf_port *p, struct hf_span key,
    struct hf_span expected, struct hf_span next, uint64_t expires,
    int quietly, hf_store_done *done, void *arg)
{
	port.quietly = quietly;
	return submitted(op,
	    hf_port_swap(p, key, expected, next, expires, done, arg));
}

static inline void
assert_asks(int swap)
{
	assert_true(port.waits);
	assert_int_equal(port.op.swap, swap);
	assert_int_equal(port.op.key_len, 2 + HF_SID_BYTES);
	assert_memory_equal(port.op.key, "s/", 2);
	assert_memory_equal(port.op.key + 2, hf_session_id(link_.s).ptr,
	    HF_SID_BYTES);
}

struct hf_session *
hf_link_session(const struct hf_link *l)
{
	return l->s;
}

void
hf_link_supply(struct hf_link *l, enum hf_err verdict, const uint8_t *entry,
    size_t len)
{
	l->supplied++;
	l->verdict = verdict;
	put(&l->entry, (struct hf_span){ entry, entry == NULL ? 0 : len });
}

void
hf_link_committed(struct hf_link *l, enum hf_err verdict)
{
	l->committed++;
	l->verdict = verdict;
}

enum hf_err
hf_link_checkpoint(struct hf_link *l, uint8_t *out, size_t cap, size_t *len)
{
	return hf_session_checkpoint(l->s, out, cap, len);
}

void
hf_link_checkpointed(struct hf_link *l, enum hf_err verdict)
{
	l->checkpointed++;
	l->verdict = verdict;
	assert_err(hf_session_checkpointed(l->s, verdict),
	    verdict == HF_E_FENCED ? HF_E_FENCED : HF_OK);
}

int
hf_link_wants_store(const struct hf_link *l)
{
	return l->wants;
}

enum hf_err
hf_link_vault(struct hf_link *l, const struct hf_vault *vault)
{
	return hf_session_vault(l->s, vault);
}

void
hf_link_query(struct hf_link *l)
{
	l->queries++;
}

void
hf_link_abort(struct hf_link *l, enum hf_err e)
{
	l->aborted++;
	l->verdict = e;
}

uint64_t
hf_link_bytes_in(const struct hf_link *l)
{
	return l->bytes / 2;
}

uint64_t
hf_link_bytes_out(const struct hf_link *l)
{
	return l->bytes - l->bytes / 2;
}

static inline void
nothing_to_do(uv_timer_t *timer)
{
	(void)timer;
}

/* A write has failed: the next waits a little, and comes by itself. */
static inline void
rested(void)
{
	uv_timer_t awake;

	hf_owner_moved(owner);
	assert_false(port.waits);
	(void)uv_timer_init(&loop, &awake);
	(void)uv_timer_start(&awake, nothing_to_do, 5, 5);
	while (!port.waits)
		(void)uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&awake, NULL);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
}

/* --- the stage ----------------------------------------------------------------------- */

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1 };

/* A session that is open and stands nowhere yet, and its owner. */
static inline void
begin(int kind, uint64_t value)
{
	struct hf_checkpoint_policy policy = { .value = value };

	policy.kind = kind;
	memset(&port, 0, sizeof(port));
	memset(&link_, 0, sizeof(link_));
	memset(&b, 0, sizeof(b));
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	end_make(&a, &c, 0);
	assert_ok(hf_session_new(&i, c.world.i, START_MS, NOW));
	assert_ok(converse(&c, i, &a));
	link_.s = a.s;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(
	    hf_owner_new(&owner, &loop, &port, &link_, c.vault[0], &policy));
}

static inline void
finish(void)
{
	hf_owner_end(owner, 0);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	cluster_free(&c);
}

/* Something to store. */
static inline void
hear(const char *data)
{
	enum hf_content content;
	struct hf_span span;

	assert_ok(converse(&c, i, &a));
	if (hf_session_want(i) == HF_WANT_RECV)
		assert_ok(hf_session_recv(i, &content, &span));
	say(i, data);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, data), HF_CONTENT_DATA);
}

/* The first checkpoint is written. */
static inline void
stored(void)
{
	hf_owner_moved(owner);
	assert_asks(1);
	assert_int_equal(port.op.expected.len, 0);
	assert_int_equal(port.op.expires, hf_session_expires(a.s));
	store();
	assert_int_equal(link_.checkpointed, 1);
	assert_ok(link_.verdict);
	assert_int_equal(hf_session_checkpoint_due(a.s), 0);
}

static inline void
assert_told(int *count, int n, enum hf_err verdict)
{
	assert_int_equal(*count, n);
	assert_err(link_.verdict, verdict);
	assert_false(port.waits);
}

/* The session is another server's now: its entry is in the store. */
static inline void
taken_over(void)
{
	a.read_len = c.shelf.len;
	memcpy(a.read, c.shelf.entry, c.shelf.len);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(hf_session_epoch(b.s), 1);
}

#endif
