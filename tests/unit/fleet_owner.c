/* SPDX-License-Identifier: ISC */
/*
 * What the owner of a session asks of the store, when, over which version; and
 * what becomes of a write whose answer was lost or came late.
 */
#include "owning.h"

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

static int told;
static enum hf_err told_err;

static void
tell(enum hf_err e)
{
	told++;
	told_err = e;
}

/* Whoever keeps the log hears of each, and of no claim. */
static void
tells(void **state)
{
	(void)state;
	begin(HF_CHECKPOINT_RECORD, 0);
	told = 0;
	hf_owner_stored(owner, tell);
	stored();
	assert_int_equal(told, 1);
	assert_ok(told_err);
	hear("one");
	hf_owner_moved(owner);
	says(HF_E_STORE);
	assert_asks(0);
	assert_int_equal(told, 1);
	says(HF_E_STORE);
	assert_int_equal(told, 2);
	assert_err(told_err, HF_E_STORE);
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

/* What was written before the hand-over may be gone by then, or be looked for in
 * vain: it is asked to go all the same, and has not moved. */
static void
handed_nothing_over(void **state)
{
	static const enum hf_err looks[] = { HF_OK, HF_E_NO_SESSION,
		HF_E_STORE };
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(looks) / sizeof(looks[0]); n++) {
		begin(HF_CHECKPOINT_RECORD, 0);
		stored();
		hf_owner_look(owner); /* for another reason */
		store();
		hf_owner_hand_over(owner);
		assert_asks(0);
		assert_int_equal(link_.queries, 0);
		says(looks[n]);
		assert_int_equal(link_.queries, 1);
		assert_int_equal(hf_owner_handed_over(owner),
		    looks[n] == HF_OK);
		hf_owner_moved(owner);
		assert_false(port.waits);
		assert_int_equal(link_.queries, 1);
		finish();
	}
	/* There is another one. */
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	c.shelf.entry[c.shelf.len - 1] ^= 1;
	hf_owner_hand_over(owner);
	store();
	assert_int_equal(link_.queries, 1);
	assert_false(hf_owner_handed_over(owner));
	finish();
	/* The store takes no more questions. */
	begin(HF_CHECKPOINT_RECORD, 0);
	stored();
	port.full = 1;
	hf_owner_hand_over(owner);
	assert_int_equal(link_.queries, 1);
	assert_false(hf_owner_handed_over(owner));
	finish();
	/* What is written then stands; what cannot be does not. */
	begin(HF_CHECKPOINT_HANDOVER, 0);
	stored();
	hear("one");
	hf_owner_hand_over(owner);
	store();
	hf_owner_moved(owner);
	assert_true(hf_owner_handed_over(owner));
	hear("two");
	hf_owner_moved(owner);
	assert_asks(1);
	c.shelf.len = 0;
	store();
	store();
	assert_told(&link_.checkpointed, 3, HF_E_STORE);
	assert_false(hf_owner_handed_over(owner));
	finish();
}

/* Whose grants have ended stores nothing more: the session is asked to go
 * elsewhere, however quiet it is then. */
static void
granted_no_more(void **state)
{
	(void)state;
	begin(HF_CHECKPOINT_BYTES, 100);
	stored();
	hear("one");
	link_.bytes = 200;
	c.vault[0]->scope[0].not_after = 1;
	hf_owner_moved(owner);
	assert_asks(0);
	assert_int_equal(link_.queries, 0);
	store();
	assert_int_equal(link_.queries, 1);
	assert_false(port.waits);
	assert_int_equal(link_.aborted, 0);
	/* It has some again; and what comes while it looks is written then. */
	c.vault[0]->scope[0].not_after = 0;
	hf_owner_look(owner);
	hear("two");
	link_.bytes = 400;
	hf_owner_moved(owner);
	store();
	assert_asks(1);
	store();
	assert_int_equal(link_.queries, 1);
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
		cmocka_unit_test(no_room),
		cmocka_unit_test(tells),
		cmocka_unit_test(policies),
		cmocka_unit_test(hand_over),
		cmocka_unit_test(handed_nothing_over),
		cmocka_unit_test(granted_no_more),
		cmocka_unit_test(looks),
		cmocka_unit_test(ends),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
