/* SPDX-License-Identifier: ISC */
/*
 * Owners of a session that moves: what is another's is not written over, a
 * takeover asks and claims over the version read, and is refreshed later.
 */
#include "owning.h"

/* --- another's ------------------------------------------------------------------------- */

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

/* --- taken over ------------------------------------------------------------------------ */

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

/* It slept while another took the session over. What it wants to write then,
 * a refresh, is of the epoch that is there: it is fenced all the same. */
static void
fenced_in_a_refresh(void **state)
{
	struct end d;

	(void)state;
	go_on(20);
	assert_ok(cluster_move(&c, i, &d, 0));
	assert_int_equal(hf_session_epoch(d.s), hf_session_epoch(b.s) + 1);
	run_until(20000, 1);
	assert_asks(1);
	assert_int_equal(b.s->move->refreshing, HF__REFRESH_WRITING);
	store(); /* no: another has written */
	store(); /* who it was */
	assert_told(&link_.checkpointed, 2, HF_E_FENCED);
	assert_int_equal(b.s->state, HF__FAILED);
	assert_false(b.s->keys);
	end_free(&d);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refreshed_later),
		cmocka_unit_test(fenced_in_a_refresh),
		cmocka_unit_test(fenced),
		cmocka_unit_test(no_fence),
		cmocka_unit_test(older_epoch),
		cmocka_unit_test(same_epoch),
		cmocka_unit_test(claim),
		cmocka_unit_test(told_at_once),
		cmocka_unit_test(state_refused),
		cmocka_unit_test(another_session),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
