/* SPDX-License-Identifier: ISC */
/*
 * What channels hold at most (spec section 20): credit, in both directions; how
 * many there are; the resets that are owed; and memory.
 */
#include "channels.h"

static void
credit_given(void **state)
{
	struct hf_mux *m = mux_of(HF_RESPONDER, 0, 4, 2 * USUAL, USUAL);
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch;

	(void)state;
	assert_ok(say_open(m, 0));
	ch = news(m, HF_NEWS_OPENED);
	/* data follows the open at once, so much and no more */
	assert_ok(say_data(m, 0, USUAL - 1));
	assert_ok(say_data(m, 0, 1));
	expect_silence(&h, m);
	/* nothing is given for what was not read */
	assert_ok(hf_channel_taken(ch, 0));
	expect_silence(&h, m);
	assert_ok(hf_channel_taken(ch, 10));
	expect(&h, m, HF__FRAME_CREDIT, 0, USUAL + 10, 0);
	assert_ok(hf_channel_taken(ch, USUAL - 10));
	expect_silence(&h, m); /* less than half the window */
	assert_ok(say_data(m, 0, 10));
	assert_ok(hf_channel_taken(ch, 10));
	expect(&h, m, HF__FRAME_CREDIT, 0, USUAL, 0);
	/* never is more on its way, or unread, than the window */
	assert_ok(say_data(m, 0, USUAL));
	assert_ok(say_data(m, 0, USUAL - 1));
	assert_int_equal(hf_channel_data(ch).len, 2 * USUAL - 1);
	assert_ok(hf_channel_taken(ch, 10));
	expect_silence(&h, m);
	assert_err(say_data(m, 0, 2), HF_E_TOO_BIG);
	failed(m, HF_E_TOO_BIG);
}

static void
credit_past(void **state)
{
	struct hf_mux *m = responder();

	(void)state;
	assert_ok(say_open(m, 0));
	assert_ok(say_data(m, 0, USUAL - 1));
	assert_err(say_data(m, 0, 2), HF_E_TOO_BIG);
	failed(m, HF_E_TOO_BIG);
	/* and its claim is bounded */
	m = responder();
	assert_ok(say_open(m, 0));
	assert_ok(say_credit(m, 0, HF_CREDIT_MAX - USUAL));
	assert_err(say_credit(m, 0, 1), HF_E_SHAPE);
	failed(m, HF_E_SHAPE);
}

/* A sender keeps to it, and goes on when it is given more. */
static void
credit_used(void **state)
{
	struct hf_mux *m = mux_of(HF_INITIATOR, 4, 0, USUAL, 2 * USUAL);
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch = open_one(m, "");
	struct hf__frame f;
	size_t sent = 0;

	(void)state;
	assert_int_equal(put_in(ch, 3 * USUAL), 2 * USUAL);
	assert_int_equal(hf_channel_room(ch), 0);
	expect(&h, m, HF__FRAME_OPEN, 0, 0, 0);
	while (hear(&f, &h, m)) {
		assert_int_equal(f.type, HF__FRAME_DATA);
		sent += f.span.len;
	}
	assert_int_equal(sent, USUAL);
	assert_int_equal(hf_channel_unsent(ch), USUAL);
	assert_ptr_equal(news(m, HF_NEWS_WRITABLE), ch);
	assert_ok(hf_channel_finish(ch));
	expect_silence(&h, m);
	assert_ok(say_credit(m, 0, 1));
	expect(&h, m, HF__FRAME_DATA, 0, 0, 1);
	expect_silence(&h, m);
	assert_ok(say_credit(m, 0, USUAL));
	while (hear(&f, &h, m) && f.type == HF__FRAME_DATA)
		sent += f.span.len;
	assert_int_equal(sent + 1, 2 * USUAL);
	assert_int_equal(f.type, HF__FRAME_FIN);
	expect_silence(&h, m);
	hf_mux_free(m);
}

/* --- limits ---------------------------------------------------------------------------- */

static void
refused(void **state)
{
	struct hf_mux *m = mux_of(HF_RESPONDER, 0, 1, USUAL, USUAL);
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch;

	(void)state;
	assert_ok(say_open(m, 0));
	assert_ok(say_open(m, 2));
	ch = news(m, HF_NEWS_OPENED);
	no_news(m);
	expect(&h, m, HF__FRAME_RESET, 2, HF_REASON_LIMIT, 0);
	assert_ok(say_data(m, 2, USUAL));
	assert_int_equal(hf_mux_bytes(m),
	    sizeof(struct hf_mux) + 2 * sizeof(struct hf_channel));
	assert_ok(say_fin(m, 2));
	assert_int_equal(hf_mux_count(m), 1);
	/* a handle that is kept counts, also of one that is over */
	assert_ok(say_reset(m, 0, 1));
	expect(&h, m, HF__FRAME_RESET, 0, 1, 0);
	assert_ok(say_open(m, 4));
	expect(&h, m, HF__FRAME_RESET, 4, HF_REASON_LIMIT, 0);
	hf_channel_free(ch);
	assert_ok(say_open(m, 6));
	(void)news(m, HF_NEWS_OPENED);
	expect_silence(&h, m);
	hf_mux_free(m);
	/* where none are taken it says so */
	m = mux_of(HF_INITIATOR, 1, 0, USUAL, USUAL);
	assert_ok(say_open(m, 1));
	expect(&h, m, HF__FRAME_RESET, 1, HF_REASON_REFUSED, 0);
	hf_mux_free(m);
}

/* One that nobody has any more counts as long as it has something to send: a
 * peer that opens and takes nothing makes no end keep more than that. */
static void
unsent(void **state)
{
	struct hf_mux *m = mux_of(HF_RESPONDER, 0, 1, USUAL, 2 * USUAL);
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch;
	struct hf__frame f;

	(void)state;
	assert_ok(say_open(m, 0));
	assert_ok(say_fin(m, 0));
	ch = news(m, HF_NEWS_OPENED | HF_NEWS_FINISHED);
	assert_int_equal(put_in(ch, 2 * USUAL), 2 * USUAL);
	assert_ok(hf_channel_finish(ch));
	hf_channel_free(ch);
	while (hear(&f, &h, m))
		assert_int_equal(f.type, HF__FRAME_DATA);
	assert_ok(say_open(m, 2));
	no_news(m);
	expect(&h, m, HF__FRAME_RESET, 2, HF_REASON_LIMIT, 0);
	assert_ok(say_fin(m, 2));
	/* the credit comes, and makes room */
	assert_ok(say_credit(m, 0, USUAL));
	while (hear(&f, &h, m) && f.type == HF__FRAME_DATA)
		;
	assert_int_equal(f.type, HF__FRAME_FIN);
	assert_ok(say_open(m, 4));
	ch = news(m, HF_NEWS_OPENED);
	/* one that was cut, until the peer has answered the reset */
	assert_int_equal(put_in(ch, 2 * USUAL), 2 * USUAL);
	assert_ok(hf_channel_cut(ch, HF_REASON_FAILED));
	hf_channel_free(ch);
	assert_ok(say_open(m, 6));
	no_news(m);
	assert_ok(say_reset(m, 6, HF_REASON_CANCELLED));
	assert_ok(say_reset(m, 4, HF_REASON_CANCELLED));
	assert_ok(say_open(m, 8));
	(void)news(m, HF_NEWS_OPENED);
	hf_mux_free(m);
}

/* Who opens one after the other is never refused, whoever ends them and how. */
static void
one_by_one(void **state)
{
	struct hf_mux *i = mux_of(HF_INITIATOR, 1, 0, USUAL, USUAL);
	struct hf_mux *r = mux_of(HF_RESPONDER, 0, 1, USUAL, USUAL);
	struct hf_channel *mine, *theirs;
	int n;

	(void)state;
	for (n = 0; n < 40; n++) {
		mine = open_one(i, "");
		(void)put_in(mine, 100);
		if (n & 1)
			assert_ok(hf_channel_finish(mine));
		carry(r, i, 4096);
		assert_int_equal(hf_mux_next(r, &theirs) & HF_NEWS_OPENED,
		    HF_NEWS_OPENED);
		(void)put_in(theirs, USUAL);
		if (n & 2)
			assert_ok(hf_channel_finish(theirs));
		else if (n & 4)
			assert_ok(hf_channel_cut(theirs, HF_REASON_FAILED));
		if (n & 8)
			carry(i, r, 4096);
		hf_channel_free(theirs);
		carry(i, r, 4096);
		hf_channel_free(mine);
		/* it may open the next as soon as it counts the last no more */
		carry(r, i, 4096);
		while (i->own_live > 0)
			assert_true(carry(i, r, 4096) > 0);
	}
	hf_mux_free(i);
	hf_mux_free(r);
}

/* No more than 1,024 of the peer's that are not over: refused ones count. */
static void
too_many(void **state)
{
	struct hf_mux *m = mux_of(HF_RESPONDER, 0, 0, USUAL, USUAL);
	struct heard h = { .r = { 0 } };
	uint32_t n;

	(void)state;
	for (n = 0; n < HF_CHANNELS_MAX; n++)
		assert_ok(say_open(m, 2 * n));
	for (n = 0; n < HF_CHANNELS_MAX; n++)
		expect(&h, m, HF__FRAME_RESET, 2 * n, HF_REASON_REFUSED, 0);
	assert_int_equal(hf_mux_count(m), HF_CHANNELS_MAX);
	/* its final frame makes room */
	assert_ok(say_fin(m, 2));
	assert_ok(say_open(m, 2 * n));
	assert_err(say_open(m, 2 * n + 2), HF_E_TOO_BIG);
	assert_int_equal(hf_mux_count(m), 0);
	failed(m, HF_E_TOO_BIG);
}

/* The peer opens that many, and resets them; whoever had them is done. */
static void
reset_many(struct hf_mux *m, uint32_t n, uint32_t from, int had)
{
	for (; n > 0; n--, from += 2) {
		assert_ok(say_open(m, from));
		assert_ok(say_reset(m, from, HF_REASON_GONE));
		if (had)
			hf_channel_free(
			    news(m, HF_NEWS_OPENED | HF_NEWS_ENDED));
	}
}

/* A channel that the peer has reset counts until the answer is sent: who opens
 * and resets without end and does not listen is owed no more than that. */
static void
owed(void **state)
{
	const uint32_t most = HF_CHANNELS_MAX;
	struct heard h = { .r = { 0 } };
	struct hf_mux *m;
	uint32_t n;
	int had;

	(void)state;
	for (had = 0; had <= 1; had++) {
		m = mux_of(HF_RESPONDER, 0, (size_t)had, USUAL, USUAL);
		reset_many(m, most, 0, had);
		assert_int_equal(hf_mux_count(m), most);
		/* an answer makes room */
		for (n = 0; n < most; n++)
			expect(&h, m, HF__FRAME_RESET, 2 * n,
			    had ? HF_REASON_GONE : HF_REASON_REFUSED, 0);
		expect_silence(&h, m);
		assert_int_equal(hf_mux_count(m), 0);
		reset_many(m, most, 2 * most, had);
		assert_err(say_open(m, 4 * most), HF_E_TOO_BIG);
		failed(m, HF_E_TOO_BIG);
	}
}

/* The own side keeps to that: what is not over at the other side counts. */
static void
own_limit(void **state)
{
	struct hf_mux *i =
	    mux_of(HF_INITIATOR, HF_CHANNELS_MAX, 0, USUAL, USUAL);
	struct hf_mux *r = mux_of(HF_RESPONDER, 0, 0, USUAL, USUAL);
	struct hf_channel *ch;
	int round, n;

	(void)state;
	for (round = 0; round < 3; round++) {
		for (n = 0; n < HF_CHANNELS_MAX; n++) {
			ch = open_one(i, "");
			carry(r, i, 4096);
			hf_channel_free(ch);
		}
		assert_err(hf_channel_open(&ch, i, "", 0), HF_E_SPACE);
		carry(r, i, 4096);
		carry(i, r, 4096);
		assert_int_equal(hf_mux_count(i) + hf_mux_count(r), 0);
	}
	hf_mux_free(i);
	hf_mux_free(r);
}

static void
arguments(void **state)
{
	static const struct hf_mux_limits wrong[] = { { HF_CHANNELS_MAX + 1, 0,
							  USUAL, 1 },
		{ 0, HF_CHANNELS_MAX + 1, USUAL, 1 }, { 0, 0, USUAL - 1, 1 },
		{ 0, 0, HF_CREDIT_MAX + 1, 1 }, { 0, 0, USUAL, 0 },
		{ 0, 0, USUAL, HF_CREDIT_MAX + 1 } };
	uint8_t out[HF_FRAMES_MIN];
	struct hf_channel *ch;
	struct hf_mux *m;
	size_t i, len;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(wrong); i++)
		assert_err(hf_mux_new(&m, HF_INITIATOR, &wrong[i]), HF_E_ARG);
	assert_err(hf_mux_new(&m, (enum hf_role)0, NULL), HF_E_ARG);
	assert_err(hf_mux_new(NULL, HF_INITIATOR, NULL), HF_E_ARG);
	assert_ok(hf_mux_new(&m, HF_INITIATOR, NULL));
	assert_err(hf_mux_output(m, out, HF_FRAMES_MIN - 1, &len), HF_E_ARG);
	assert_ok(hf_mux_output(m, out, HF_FRAMES_MIN, &len));
	assert_int_equal(len, 0);
	assert_err(hf_mux_feed(m, out, 0), HF_E_ARG);
	assert_err(hf_mux_feed(m, NULL, 1), HF_E_ARG);
	assert_err(hf_mux_restart(m, HF_REASON_NONE), HF_E_ARG);
	assert_err(hf_mux_restart(m, HF_REASON_GONE), HF_E_ARG);
	ch = open_one(m, "");
	assert_err(hf_channel_reset(ch, 0), HF_E_ARG);
	assert_err(hf_channel_reset(ch, 128), HF_E_ARG);
	assert_err(hf_channel_reset(ch, -1), HF_E_ARG);
	assert_err(hf_channel_reset(ch, 256), HF_E_ARG);
	assert_err(hf_channel_send(ch, &len, NULL, 1), HF_E_ARG);
	assert_err(hf_channel_finish(NULL), HF_E_ARG);
	assert_null(hf_channel_kept(ch));
	hf_channel_keep(ch, out);
	assert_ptr_equal(hf_channel_kept(ch), out);
	hf_mux_free(m);
	hf_mux_free(NULL);
}

/* What it holds is counted, and given back as soon as nothing is in it. */
static void
memory(void **state)
{
	struct hf_mux *m = mux_of(HF_RESPONDER, 4, 4, 4 * USUAL, 4 * USUAL);
	size_t empty = hf_mux_bytes(m), one;
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch;

	(void)state;
	assert_ok(say_open(m, 0));
	ch = news(m, HF_NEWS_OPENED);
	one = hf_mux_bytes(m);
	assert_ok(say_data(m, 0, USUAL - 1));
	assert_true(hf_mux_bytes(m) >= one + USUAL - 1);
	assert_true(hf_mux_bytes(m) <= one + 4 * USUAL);
	assert_ok(hf_channel_taken(ch, USUAL - 1));
	assert_int_equal(hf_mux_bytes(m), one);
	(void)put_in(ch, 100);
	assert_true(hf_mux_bytes(m) > one);
	assert_ok(hf_channel_reset(ch, 1));
	assert_int_equal(hf_mux_bytes(m), one);
	hf_channel_free(ch);
	assert_ok(say_reset(m, 0, 1));
	assert_int_equal(hf_mux_bytes(m), one); /* its reset is to be sent */
	expect(&h, m, HF__FRAME_RESET, 0, 1, 0);
	assert_int_equal(hf_mux_bytes(m), empty);
	hf_mux_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credit_given),
		cmocka_unit_test(credit_past),
		cmocka_unit_test(credit_used),
		cmocka_unit_test(refused),
		cmocka_unit_test(unsent),
		cmocka_unit_test(one_by_one),
		cmocka_unit_test(too_many),
		cmocka_unit_test(owed),
		cmocka_unit_test(own_limit),
		cmocka_unit_test(arguments),
		cmocka_unit_test(memory),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
