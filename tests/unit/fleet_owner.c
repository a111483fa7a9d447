/* SPDX-License-Identifier: ISC */
/*
 * The owner of a session between its link and its store, both of them here:
 * what is asked of the store, when, over which version; and what becomes of a
 * write whose answer was lost, came late, or was another's.
 */
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

static void
put(struct shelf *to, struct hf_span bytes)
{
	to->len = bytes.len;
	if (bytes.len > 0)
		memcpy(to->entry, bytes.ptr, bytes.len);
}

static void
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
static struct hf_op *
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
static enum hf_err
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

static void
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

static void
store(void)
{
	says(perform());
}

static int
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

static void
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

static void
nothing_to_do(uv_timer_t *timer)
{
	(void)timer;
}

/* A write has failed: the next waits a little, and comes by itself. */
static void
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
static void
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

static void
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
static void
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
static void
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

static void
assert_told(int *count, int n, enum hf_err verdict)
{
	assert_int_equal(*count, n);
	assert_err(link_.verdict, verdict);
	assert_false(port.waits);
}

/* The session is another server's now: its entry is in the store. */
static void
taken_over(void)
{
	a.read_len = c.shelf.len;
	memcpy(a.read, c.shelf.entry, c.shelf.len);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(hf_session_epoch(b.s), 1);
}

/* --- checkpoints ------------------------------------------------------------------------ */

/* Each over the one before; nothing is written twice. */
static void
one_after_the_other(void **state)
{
	struct shelf first;

	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	first = c.shelf;
	hf_owner_moved(owner);
	assert_false(port.waits);
	hear("one");
	hf_owner_moved(owner);
	assert_asks(1);
	assert_same(&port.op.expected, &first);
	hear("while it is written");
	hf_owner_moved(owner);
	hf_owner_look(owner);
	assert_int_equal(port.asked, 2);
	store();
	assert_told(&link_.checkpointed, 2, HF_OK);
	first = c.shelf;
	hf_owner_moved(owner);
	assert_asks(1);
	assert_same(&port.op.expected, &first);
	store();
	finish();
}

/* No answer, but it was done; or it was not. */
static void
answer_lost(void **state)
{
	struct shelf first;

	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	hear("one");
	hf_owner_moved(owner);
	assert_ok(perform());
	says(HF_E_STORE);
	assert_asks(0);
	assert_int_equal(link_.checkpointed, 1);
	store();
	assert_told(&link_.checkpointed, 2, HF_OK);
	first = c.shelf;
	hear("two");
	hf_owner_moved(owner);
	assert_same(&port.op.expected, &first);
	says(HF_E_STORE);
	store();
	assert_told(&link_.checkpointed, 3, HF_E_STORE);
	rested();
	assert_same(&port.op.expected, &first);
	/* Nor is it known what is there now. */
	says(HF_E_STORE);
	says(HF_E_STORE);
	assert_told(&link_.checkpointed, 4, HF_E_STORE);
	rested();
	says(HF_E_STORE);
	c.shelf.len = 0;
	store();
	assert_told(&link_.checkpointed, 5, HF_E_STORE);
	assert_int_equal(a.s->state, HF__OPEN);
	finish();
}

/* An own write that was given up comes late: the next is over it. */
static void
late_write(void **state)
{
	struct shelf first, second;

	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	first = c.shelf;
	hear("one");
	hf_owner_moved(owner);
	second = port.op.next;
	says(HF_E_STORE);
	store();
	assert_told(&link_.checkpointed, 2, HF_E_STORE);
	hear("two");
	rested();
	assert_same(&port.op.expected, &first);
	c.shelf = second;
	store();
	store();
	assert_told(&link_.checkpointed, 3, HF_E_STORE);
	assert_int_equal(a.s->state, HF__OPEN);
	rested();
	assert_same(&port.op.expected, &second);
	store();
	assert_told(&link_.checkpointed, 4, HF_OK);
	finish();
}

/* So does one of a refresh that was given up: of the next epoch, and its own. */
static void
late_refresh(void **state)
{
	struct shelf late;
	struct hf__stored st;

	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	assert_ok(
	    hf__state_open(&st, c.vault[0], c.shelf.entry, c.shelf.len, NOW));
	st.unconfirmed = true;
	st.previous_epoch = st.epoch++;
	assert_ok(hf__state_seal(late.entry, &late.len, c.vault[0], &st, NOW));
	hear("one");
	hf_owner_moved(owner);
	c.shelf = late;
	store();
	assert_asks(0);
	store();
	assert_told(&link_.checkpointed, 2, HF_E_STORE);
	assert_int_equal(a.s->state, HF__OPEN);
	hf_owner_look(owner);
	assert_asks(0);
	store();
	assert_int_equal(link_.aborted, 0);
	rested();
	assert_same(&port.op.expected, &late);
	store();
	assert_told(&link_.checkpointed, 3, HF_OK);
	finish();
}

/* What another has taken over is not written over. */
static void
fenced(void **state)
{
	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	hear("one");
	taken_over();
	hf_owner_moved(owner);
	store();
	assert_asks(0);
	store();
	assert_told(&link_.checkpointed, 2, HF_E_FENCED);
	assert_int_equal(a.s->state, HF__FAILED);
	finish();
}

/* Neither an entry that does not open, nor one of another session, nor one of
 * an epoch that is over, nor of an owner of the same epoch ends a session. */
static void
no_fence(void **state)
{
	struct shelf other, taken;
	size_t k;

	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	taken_over();
	other = taken = c.shelf;
	finish();
	for (k = 0; k < 3; k++) {
		begin(HF_CHECKPOINT_RECORD, 0);
		stored();
		hear("one");
		if (k == 2) {
			taken_over();
			c.shelf.entry[c.shelf.len - 1] ^= 1;
		} else {
			c.shelf = k == 0 ? other : taken;
		}
		hf_owner_moved(owner);
		says(HF_E_FENCED);
		store();
		assert_told(&link_.checkpointed, 2, HF_E_STORE);
		assert_int_equal(a.s->state, HF__OPEN);
		/* A look is of the same mind. */
		hf_owner_look(owner);
		assert_asks(0);
		store();
		assert_int_equal(link_.aborted, 0);
		port.waits = 0;
		finish();
	}
}

/* The epoch before this one: brought back, or a copy that was read late. */
static void
older_epoch(void **state)
{
	struct shelf before;

	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	before = c.shelf;
	taken_over();
	/* b's owner: what it claimed is what it knows. */
	link_.s = b.s;
	hf_owner_end(owner, 0);
	assert_ok(hf_owner_new(&owner, &loop, &port, &link_, c.vault[1],
	    &(struct hf_checkpoint_policy){ HF_CHECKPOINT_RECORD, 0, 0 }));
	hf_owner_state(owner);
	store();
	say(i, "one");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, "one"), HF_CONTENT_DATA);
	hf_owner_moved(owner);
	assert_asks(1);
	assert_same(&port.op.expected, &c.shelf);
	c.shelf = before;
	store();
	store();
	assert_told(&link_.checkpointed, 2, HF_E_STORE);
	assert_int_equal(b.s->state, HF__OPEN);
	hf_owner_look(owner);
	store();
	assert_int_equal(link_.aborted, 0);
	port.waits = 0;
	finish();
}

/* Two servers had claimed the same epoch, and the store now shows the other
 * one's: it is not taken for an own write that came late. */
static void
same_epoch(void **state)
{
	struct shelf was, other;
	struct blob resume;
	struct end d;
	enum hf_err e;

	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	was = c.shelf;
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	take(&resume, i);
	end_make(&d, &c, 0);
	end_make(&b, &c, 1);
	assert_ok(give(d.s, resume.bytes, resume.len));
	assert_ok(give(b.s, resume.bytes, resume.len));
	while (hf_session_want(d.s) != HF_WANT_COMMIT)
		assert_true(end_step(&c, &d, &e));
	put(&other, hf_session_entry(d.s));
	end_free(&d);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(b.s->state, HF__OPEN);
	link_.s = b.s;
	hf_owner_end(owner, 0);
	assert_ok(hf_owner_new(&owner, &loop, &port, &link_, c.vault[1],
	    &(struct hf_checkpoint_policy){ HF_CHECKPOINT_RECORD, 0, 0 }));
	hf_owner_state(owner);
	store();
	was = c.shelf;
	say(i, "one");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, "one"), HF_CONTENT_DATA);
	hf_owner_moved(owner);
	assert_same(&port.op.expected, &was);
	c.shelf = other;
	store();
	store();
	assert_told(&link_.checkpointed, 2, HF_E_STORE);
	rested();
	assert_same(&port.op.expected, &was);
	port.waits = 0;
	finish();
}

/* Another server's owner of what it has just taken over. */
static void
go_on(uint64_t refresh_ms)
{
	const struct hf_checkpoint_policy policy = { HF_CHECKPOINT_HANDOVER, 0,
		refresh_ms };

	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	assert_ok(hf_config_refresh(c.server[1], 0));
	taken_over();
	link_.s = b.s;
	hf_owner_end(owner, 0);
	assert_ok(
	    hf_owner_new(&owner, &loop, &port, &link_, c.vault[1], &policy));
	hf_owner_state(owner);
	store();
	uv_update_time(&loop);
	hf_owner_moved(owner);
	assert_false(port.waits);
}

static void
run_until(uint64_t ms, int stop)
{
	uint64_t until = uv_hrtime() + ms * 1000000;
	uv_timer_t awake;

	(void)uv_timer_init(&loop, &awake);
	(void)uv_timer_start(&awake, nothing_to_do, 2, 2);
	while (!(stop && port.waits) && uv_hrtime() < until)
		(void)uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&awake, NULL);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
}

/* What waits for a takeover comes first; a refresh begins later, and once. */
static void
refreshed_later(void **state)
{
	uint64_t began;

	(void)state;
	go_on(200);
	began = uv_hrtime();
	run_until(20000, 1);
	assert_in_range(uv_hrtime() - began, 150000000, 20000000000);
	assert_asks(1);
	assert_int_equal(b.s->move->refreshing, HF__REFRESH_WRITING);
	store();
	assert_told(&link_.checkpointed, 2, HF_OK);
	assert_int_equal(b.s->move->refreshing, HF__REFRESH_SENT);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(i, NULL), HF_CONTENT_REFRESH);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, NULL), HF_CONTENT_REFRESH);
	hf_owner_moved(owner);
	assert_int_equal(hf_session_strength(b.s), HF_MOVES_SOFT);
	assert_asks(1);
	store();
	assert_int_equal(hf_session_strength(b.s), HF_MOVES_PROVED);
	finish();
	/* A write that is under way when it is time is not the refresh's. */
	go_on(50);
	say(i, "one");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, "one"), HF_CONTENT_DATA);
	hf_owner_hand_over(owner);
	assert_asks(1);
	run_until(120, 0);
	assert_int_equal(b.s->move->refreshing, HF__REFRESH_NONE);
	store();
	assert_told(&link_.checkpointed, 2, HF_OK);
	run_until(20000, 1);
	assert_asks(1);
	assert_int_equal(b.s->move->refreshing, HF__REFRESH_WRITING);
	store();
	finish();
	go_on(0);
	run_until(60, 1);
	assert_false(port.waits);
	assert_int_equal(hf_session_strength(b.s), HF_MOVES_SOFT);
	finish();
	/* One that ends meanwhile has none. */
	go_on(20);
	finish();
	assert_false(port.waits);
}

static void
no_room(void **state)
{
	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	port.full = 1;
	hf_owner_moved(owner);
	assert_told(&link_.checkpointed, 1, HF_E_STORE);
	hf_owner_state(owner);
	assert_told(&link_.supplied, 1, HF_E_STORE);
	port.full = 0;
	rested();
	port.full = 1;
	says(HF_E_STORE); /* and there is no finding out */
	assert_told(&link_.checkpointed, 2, HF_E_STORE);
	port.full = 0;
	rested();
	store();
	assert_told(&link_.checkpointed, 3, HF_OK);
	port.full = 1;
	hf_owner_look(owner);
	port.full = 0;
	hear("one");
	hf_owner_moved(owner);
	assert_asks(1);
	store();
	finish();
}

/* --- when ---------------------------------------------------------------------------------- */

static void
policies(void **state)
{
	(void)state;
	begin(HF_CHECKPOINT_BYTES, 100);
	link_.bytes = 7;
	stored();
	hear("one");
	link_.bytes = 106;
	hf_owner_moved(owner);
	assert_false(port.waits);
	link_.bytes = 107;
	hf_owner_moved(owner);
	assert_asks(1);
	store();
	hear("two");
	hf_owner_moved(owner);
	assert_false(port.waits);
	link_.wants = 1; /* the session's end waits for it */
	hf_owner_moved(owner);
	assert_asks(1);
	store();
	finish();
	begin(HF_CHECKPOINT_HANDOVER, 0);
	stored();
	hear("one");
	hf_owner_moved(owner);
	assert_false(port.waits);
	finish();
	begin(HF_CHECKPOINT_MS, 30);
	stored();
	hear("one");
	hf_owner_moved(owner);
	assert_false(port.waits);
	while (!port.waits) {
		hear("more");
		hf_owner_moved(owner);
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	assert_asks(1);
	store();
	hear("two");
	hf_owner_moved(owner);
	assert_false(port.waits);
	finish();
}

/* All that there is, then one query. */
static void
hand_over(void **state)
{
	(void)state;
	begin(HF_CHECKPOINT_HANDOVER, 0);
	stored();
	hear("one");
	assert_false(hf_owner_handed_over(owner));
	hf_owner_hand_over(owner);
	assert_asks(1);
	assert_int_equal(link_.queries, 0);
	assert_false(hf_owner_handed_over(owner));
	store();
	assert_int_equal(link_.queries, 0);
	hf_owner_moved(owner);
	hf_owner_moved(owner);
	assert_int_equal(link_.queries, 1);
	assert_true(hf_owner_handed_over(owner));
	finish();
}

/* --- taking over ---------------------------------------------------------------------------- */

/* An owner for the session that comes to server 1, and its resume. */
static void
resume_is_here(void)
{
	struct blob resume;

	a.read_len = c.shelf.len;
	memcpy(a.read, c.shelf.entry, c.shelf.len);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	take(&resume, i);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, resume.bytes, resume.len));
	assert_ok(hf_session_admit(b.s, HF_ADMIT));
	assert_int_equal(hf_session_want(b.s), HF_WANT_STATE);
	memset(&link_, 0, sizeof(link_));
	link_.s = b.s;
	hf_owner_end(owner, 0);
	assert_ok(hf_owner_new(&owner, &loop, &port, &link_, c.vault[1],
	    &(struct hf_checkpoint_policy){ HF_CHECKPOINT_RECORD, 0, 0 }));
}

static void
asks_for_state(void)
{
	resume_is_here();
	hf_owner_state(owner);
	assert_asks(0);
}

static void
claims(struct shelf *was)
{
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	*was = c.shelf;
	asks_for_state();
	store();
	assert_told(&link_.supplied, 1, HF_OK);
	assert_same(&link_.entry, was);
	assert_ok(
	    hf_session_supply(b.s, HF_OK, link_.entry.entry, link_.entry.len));
	assert_ok(hf_session_trust(b.s, HF_OK));
	assert_int_equal(hf_session_commit_kind(b.s), HF_COMMIT_CLAIM);
	hf_owner_store(owner, hf_session_entry(b.s));
	assert_asks(1);
	assert_same(&port.op.expected, was);
	assert_int_equal(port.op.next.len, hf_session_entry(b.s).len);
	assert_memory_equal(port.op.next.entry, hf_session_entry(b.s).ptr,
	    port.op.next.len);
}

static void
claim(void **state)
{
	struct shelf was;

	(void)state;
	claims(&was);
	store();
	assert_told(&link_.committed, 1, HF_OK);
	finish();
	/* The answer is lost. */
	claims(&was);
	assert_ok(perform());
	says(HF_E_STORE);
	assert_asks(0);
	assert_int_equal(link_.committed, 0);
	store();
	assert_told(&link_.committed, 1, HF_OK);
	finish();
	/* It never came. */
	claims(&was);
	says(HF_E_STORE);
	store();
	assert_told(&link_.committed, 1, HF_E_STORE);
	finish();
	/* Another was first, and then gave up: it is lost all the same. */
	claims(&was);
	says(HF_E_FENCED);
	store();
	assert_told(&link_.committed, 1, HF_E_FENCED);
	finish();
	claims(&was);
	says(HF_E_FENCED);
	says(HF_E_STORE);
	assert_told(&link_.committed, 1, HF_E_FENCED);
	finish();
}

static void
at_once(void)
{
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	resume_is_here();
	port.at_once = 1;
	port.asked = 0;
	hf_owner_state(owner);
	assert_told(&link_.supplied, 1, HF_OK);
	assert_same(&link_.entry, &c.shelf);
	assert_ok(
	    hf_session_supply(b.s, HF_OK, link_.entry.entry, link_.entry.len));
	assert_ok(hf_session_trust(b.s, HF_OK));
}

/* A store that need not wait: the link is told before it has asked. */
static void
told_at_once(void **state)
{
	struct blob said;

	(void)state;
	at_once();
	hf_owner_store(owner, hf_session_entry(b.s));
	assert_told(&link_.committed, 1, HF_OK);
	assert_int_equal(c.shelf.len, hf_session_entry(b.s).len);
	assert_memory_equal(c.shelf.entry, hf_session_entry(b.s).ptr,
	    c.shelf.len);
	assert_int_equal(port.asked, 2);
	/* Of a claim others must hear, of its confirmation nobody need. */
	assert_false(port.quietly);
	assert_ok(hf_session_commit(b.s, HF_OK));
	take(&said, b.s);
	assert_ok(give(i, said.bytes, said.len));
	take(&said, i);
	assert_ok(give(b.s, said.bytes, said.len));
	assert_int_equal(hf_session_commit_kind(b.s), HF_COMMIT_CONFIRM);
	hf_owner_store(owner, hf_session_entry(b.s));
	assert_told(&link_.committed, 2, HF_OK);
	assert_true(port.quietly);
	finish();
	/* Another was first: what is there is looked at as ever. */
	at_once();
	c.shelf.entry[c.shelf.len - 1] ^= 1;
	hf_owner_store(owner, hf_session_entry(b.s));
	assert_asks(0);
	assert_int_equal(link_.committed, 0);
	store();
	assert_told(&link_.committed, 1, HF_E_FENCED);
	finish();
	/* Nothing can be asked. */
	at_once();
	port.full = 1;
	hf_owner_store(owner, hf_session_entry(b.s));
	assert_told(&link_.committed, 1, HF_E_STORE);
	finish();
}

static void
state_refused(void **state)
{
	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	asks_for_state();
	says(HF_E_STORE);
	assert_told(&link_.supplied, 1, HF_E_STORE);
	hf_owner_state(owner);
	c.shelf.len = 0;
	store();
	assert_told(&link_.supplied, 2, HF_E_NO_SESSION);
	hf_owner_state(owner);
	port.waits = 0;
	port.op.done(port.op.arg, HF_OK, (const uint8_t *)&c,
	    HF_ENTRY_MAX + 1);
	assert_told(&link_.supplied, 3, HF_E_ENTRY);
	assert_int_equal(link_.entry.len, 0);
	finish();
}

/* A session that could not go on, and another in its place on the same
 * connection: that is written where nothing is. */
static void
another_session(void **state)
{
	struct shelf was;

	(void)state;
	claims(&was);
	port.waits = 0;
	finish();
	c.shelf = was;
	begin(HF_CHECKPOINT_RECORD, 0);
	c.shelf = was;
	hf_owner_state(owner);
	store();
	assert_int_equal(link_.supplied, 1);
	hf_owner_moved(owner);
	assert_asks(1);
	assert_int_equal(port.op.expected.len, 0);
	port.waits = 0;
	finish();
}

/* --- looks, and the end ------------------------------------------------------------------------ */

static void
looks(void **state)
{
	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	hf_owner_look(owner); /* nothing is stored yet */
	assert_false(port.waits);
	stored();
	hf_owner_look(owner);
	assert_asks(0);
	hear("while it looks");
	hf_owner_moved(owner);
	store();
	assert_int_equal(link_.aborted, 0);
	assert_asks(1); /* and then it goes on */
	store();
	hf_owner_look(owner);
	says(HF_E_STORE);
	assert_int_equal(link_.aborted, 0);
	taken_over();
	hf_owner_look(owner);
	store();
	assert_told(&link_.aborted, 1, HF_E_FENCED);
	finish();
}

/* A session that ended in order stays as it is, for a little; any other as
 * long as it may live; and what is under way is forgotten. */
static void
ends(void **state)
{
	struct shelf was;

	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	was = c.shelf;
	hf_owner_end(owner, 1);
	assert_asks(1);
	assert_same(&port.op.expected, &was);
	assert_same(&port.op.next, &was);
	assert_int_equal(port.op.expires, now + 60);
	assert_null(port.op.done);
	store();
	assert_same(&c.shelf, &was);
	hear("after the end"); /* and it does nothing more */
	hf_owner_moved(owner);
	hf_owner_look(owner);
	hf_owner_end(owner, 1);
	assert_false(port.waits);
	finish();
	/* No longer than it would have lived. */
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	now = hf_session_expires(a.s) - 1;
	hf_owner_end(owner, 1);
	assert_asks(1);
	assert_int_equal(port.op.expires, now + 1);
	port.waits = 0;
	now = NOW;
	finish();
	begin(HF_CHECKPOINT_RECORD, 0);
	hf_owner_end(owner, 1); /* nothing was stored */
	assert_false(port.waits);
	finish();
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	hear("one");
	hf_owner_moved(owner);
	hf_owner_end(owner, 0);
	assert_int_equal(port.asked, 2);
	assert_true(port.op.forgotten);
	assert_true(c.shelf.len > 0);
	finish();
	/* What it knows to be there, not what it could not write. */
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	was = c.shelf;
	hear("one");
	hf_owner_moved(owner);
	says(HF_E_STORE);
	store();
	hf_owner_end(owner, 1);
	assert_asks(1);
	assert_same(&port.op.expected, &was);
	port.waits = 0;
	finish();
	hf_owner_end(NULL, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(answer_lost),
		cmocka_unit_test(late_write),
		cmocka_unit_test(late_refresh),
		cmocka_unit_test(refreshed_later),
		cmocka_unit_test(fenced),
		cmocka_unit_test(no_fence),
		cmocka_unit_test(older_epoch),
		cmocka_unit_test(same_epoch),
		cmocka_unit_test(no_room),
		cmocka_unit_test(policies),
		cmocka_unit_test(hand_over),
		cmocka_unit_test(claim),
		cmocka_unit_test(told_at_once),
		cmocka_unit_test(state_refused),
		cmocka_unit_test(another_session),
		cmocka_unit_test(looks),
		cmocka_unit_test(ends),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
