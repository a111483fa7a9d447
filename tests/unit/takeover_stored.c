/* SPDX-License-Identifier: ISC */
/*
 * Sessions whose stored state is older than it was, or not theirs, or changed
 * on its way (spec section 17): each with its exact error.
 */
#include "refused.h"

/* --- older states ------------------------------------------------------------------------------- */

/* The store brings back what was before the last ack. */
static void
rollback(void **state)
{
	uint64_t count, bytes;
	struct hf_lost lost;
	struct shelf kept;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	kept = c.shelf;
	say(i, "acked");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_DATA);
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	c.shelf = kept;
	hf_session_acked(&count, &bytes, i);
	assert_int_equal(bytes, 10);
	assert_err(cluster_move(&c, i, &b, 1), HF_E_ROLLBACK);
	assert_int_equal(hf_session_can_reconnect(i), 0);
	assert_true(
	    sodium_is_zero((const uint8_t *)&i->secrets, sizeof(i->secrets)));
	/* What was acked can be told still. */
	hf_session_lost(&lost, i);
	assert_int_equal(lost.lost, 1);
	assert_err(lost.cause, HF_E_ROLLBACK);
	assert_memory_equal(lost.sid, i->sid, HF_SID_BYTES);
	assert_int_equal(lost.own_count, count);
	assert_int_equal(lost.own_bytes, bytes);
	finish();
}

/* It brings back an epoch that is over. */
static void
old_epoch(void **state)
{
	struct blob resume;
	struct shelf kept;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	kept = c.shelf;
	assert_ok(cluster_move(&c, i, &b, 1));
	end_free(&b);
	c.shelf = kept;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_NO_SESSION, no_session);
	finish();
}

/* The initiator is the one who was brought back, or tells another story. */
static void
other_history(void **state)
{
	struct blob resume;
	struct hf__traffic kept;
	struct hf__move *m;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	kept = i->send;
	m = i->move;
	i->send.count--; /* it has sent less than was stored */
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	end_free(&b);
	i->send = kept;
	i->send.digest[31] ^= 1;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	end_free(&b);
	i->send = kept;
	i->send.bytes++;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	end_free(&b);
	i->send = kept;
	i->sent_close = true;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	end_free(&b);
	i->sent_close = false;
	m->released.count--; /* the state had that much, and its ack more */
	m->released.bytes = 99;
	m->released.count = 2;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	finish();
}

/* --- every bit ------------------------------------------------------------------------------------ */

static void
every_bit_of_resume(void **state)
{
	struct blob resume, flipped;
	size_t bit;
	int writes;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	writes = c.shelf.writes;
	for (bit = 0; bit < 8 * resume.len; bit++) {
		flipped = resume;
		flipped.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		(void)hear(&b, 1, &flipped);
		assert_int_not_equal(b.s->state, HF__R_RESUMED);
		assert_int_equal(c.shelf.writes, writes);
		end_free(&b);
	}
	print_message("note: %zu bits of resume\n", bit);
	assert_ok(hear(&b, 1, &resume));
	assert_int_equal(b.s->state, HF__R_RESUMED);
	finish();
}

static void
every_bit_of_resumed(void **state)
{
	struct blob resume, resumed, flipped;
	size_t bit;
	enum hf_err e;

	(void)state;
	begin(&by_cert, HF_MOVES_PROVED);
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	take(&resumed, b.s);
	/* Each flip ends a connection: the initiator asks again, and is given
	 * an answer to that. */
	for (bit = 0; bit < 8 * resumed.len; bit += 5) {
		flipped = resumed;
		flipped.bytes[bit / 8 % resumed.len] ^=
		    (uint8_t)(1 << bit % 8);
		e = give(i, flipped.bytes, flipped.len);
		assert_int_not_equal(i->state, HF__OPEN);
		if (e == HF_OK) /* a length that is longer now */
			assert_err(hf_session_eof(i), HF_E_GONE);
		assert_int_equal(hf_session_can_reconnect(i), 1);
		end_free(&b);
		resume_of(&resume);
		assert_ok(hear(&b, 1, &resume));
		take(&resumed, b.s);
	}
	assert_ok(give(i, resumed.bytes, resumed.len));
	assert_int_equal(i->state, HF__OPEN);
	finish();
}

static void
every_bit_of_an_entry(void **state)
{
	struct blob resume;
	size_t bit;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	for (bit = 0; bit < 8 * c.shelf.len; bit++) {
		c.shelf.entry[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_ok(hear(&b, 1, &resume));
		assert_refused(&b, HF_E_ENTRY, no_session);
		end_free(&b);
		c.shelf.entry[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	print_message("note: %zu bits of an entry\n", bit);
	memset(&b, 0, sizeof(b));
	finish();
}

/* Another session's entry; one cut short; one that is too long. */
static void
other_entries(void **state)
{
	struct shelf first;
	struct blob resume;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	first = c.shelf;
	resume_of(&resume);
	end_free(&a);
	c.shelf.len = 0;
	hf_session_free(i);
	i = cluster_meet(&c, &a, 0);
	assert_ok(hear(&b, 1, &resume)); /* of the first */
	assert_refused(&b, HF_E_ENTRY, no_session);
	end_free(&b);
	c.shelf = first;
	for (c.shelf.len = 1; c.shelf.len < first.len; c.shelf.len++) {
		assert_ok(hear(&b, 1, &resume));
		assert_refused(&b, HF_E_ENTRY, no_session);
		end_free(&b);
	}
	c.shelf.len = HF_ENTRY_MAX;
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ENTRY, no_session);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rollback),
		cmocka_unit_test(old_epoch),
		cmocka_unit_test(other_history),
		cmocka_unit_test(every_bit_of_resume),
		cmocka_unit_test(every_bit_of_resumed),
		cmocka_unit_test(every_bit_of_an_entry),
		cmocka_unit_test(other_entries),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
