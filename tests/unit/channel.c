/* SPDX-License-Identifier: ISC */
/*
 * Channels (spec section 20): what each frame does in each state of one end,
 * to the exact error; and what an application can do.
 */
#include "channels.h"

/* --- the form of frames -------------------------------------------------------- */

static void
form(void **state)
{
	static const struct {
		const char *hex;
		enum hf_err e;
	} bad[] = {
		{ "00", HF_E_SHAPE },	      /* no array */
		{ "8100", HF_E_SHAPE },	      /* of one item */
		{ "8400000000", HF_E_SHAPE }, /* of four */
		{ "82", HF_E_CBOR },	      /* cut short */
		{ "8200", HF_E_CBOR },
		{ "9f000060ff", HF_E_CBOR },   /* of no stated length */
		{ "8318000060", HF_E_CBOR },   /* a long head */
		{ "83000000", HF_E_SHAPE },    /* a label that is no text */
		{ "8300006161ff", HF_E_CBOR }, /* something after it */
		{ "8300006101", HF_E_SHAPE },  /* a control in it */
		{ "8305000060", HF_E_UNEXPECTED },	 /* no such type */
		{ "8300006083050001", HF_E_UNEXPECTED }, /* for one that is */
		{ "831bffffffffffffffff00", HF_E_UNEXPECTED },
		{ "82200000", HF_E_SHAPE },	    /* a type below zero */
		{ "820000", HF_E_SHAPE },	    /* an open of two items */
		{ "83030000", HF_E_SHAPE },	    /* a fin of three */
		{ "820100", HF_E_SHAPE },	    /* data without data */
		{ "83010040", HF_E_SHAPE },	    /* of no bytes */
		{ "8301006164", HF_E_SHAPE },	    /* as text */
		{ "83020000", HF_E_SHAPE },	    /* no credit */
		{ "8302001a01000001", HF_E_SHAPE }, /* 2^24 + 1 */
		{ "83040000", HF_E_SHAPE },	    /* reason none */
		{ "8304001880", HF_E_SHAPE },	    /* moved is never sent */
		{ "83040018bf", HF_E_SHAPE },	    /* nor is 191 */
		{ "830400190100", HF_E_SHAPE },	    /* 256 */
		{ "83001b000000010000000060", HF_E_SHAPE }, /* number 2^32 */
		{ "83002060", HF_E_SHAPE },		    /* below zero */
		{ "82034100", HF_E_SHAPE },		    /* as bytes */
		{ "8300025841", HF_E_CBOR }, /* more than there is */
	};
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(bad); i++) {
		struct hf_mux *m = responder();

		assert_err(say_hex(m, bad[i].hex), bad[i].e);
		failed(m, bad[i].e);
	}
}

static void
labels(void **state)
{
	char hex[2 * 80] = "830000";
	char text[HF_LABEL_MAX + 1];
	struct hf_mux *m = responder();
	struct hf_channel *ch;
	size_t i;

	(void)state;
	strcat(hex, "7840");
	for (i = 0; i < HF_LABEL_MAX; i++)
		strcat(hex, "61");
	assert_ok(say_hex(m, hex));
	ch = news(m, HF_NEWS_OPENED);
	assert_int_equal(hf_channel_label(ch).len, HF_LABEL_MAX);
	assert_memory_equal(hf_channel_label(ch).ptr, "aaaa", 4);
	hex[9] = '1'; /* 65 bytes */
	hex[5] = '2';
	strcat(hex, "61");
	assert_err(say_hex(m, hex), HF_E_SHAPE);
	failed(m, HF_E_SHAPE);
	m = responder();
	memset(text, 'a', sizeof(text));
	assert_err(hf_channel_open(&ch, m, text, sizeof(text)), HF_E_ARG);
	assert_err(hf_channel_open(&ch, m, "\n", 1), HF_E_ARG);
	assert_err(hf_channel_open(&ch, m, NULL, 1), HF_E_ARG);
	assert_ok(hf_channel_open(&ch, m, NULL, 0));
	assert_int_equal(hf_channel_label(ch).len, 0);
	hf_mux_free(m);
}

/* Several frames in one record are obeyed in their order. */
static void
sequence(void **state)
{
	struct hf_mux *m = responder();
	struct hf_channel *ch;

	(void)state;
	/* open 0 "a", data "xy", fin, open 2 "" */
	assert_ok(say_hex(m,
	    "8300006161830100427879820300"
	    "83000260"));
	ch = news(m, HF_NEWS_OPENED | HF_NEWS_READABLE);
	assert_int_equal(hf_channel_data(ch).len, 2);
	assert_memory_equal(hf_channel_data(ch).ptr, "xy", 2);
	assert_int_equal(hf_channel_finished(ch), 0);
	(void)news(m, HF_NEWS_OPENED);
	no_news(m);
	assert_ok(hf_channel_taken(ch, 2));
	assert_ptr_equal(news(m, HF_NEWS_FINISHED), ch);
	assert_int_equal(hf_channel_finished(ch), 1);
	hf_mux_free(m);
}

/* --- numbers ----------------------------------------------------------------------- */

static void
numbers(void **state)
{
	static const uint32_t wrong[] = { 0, 1, 3, 4, 6, UINT32_MAX };
	struct hf_mux *m;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(wrong); i++) {
		m = responder();
		assert_ok(say_open(m, 0));
		/* used before, of the wrong parity, or not the next */
		assert_err(say_open(m, wrong[i]), HF_E_UNEXPECTED);
		failed(m, HF_E_UNEXPECTED);
	}
	m = mux_of(HF_INITIATOR, 4, 4, USUAL, USUAL);
	assert_err(say_open(m, 0), HF_E_UNEXPECTED);
	hf_mux_free(m);
	m = mux_of(HF_INITIATOR, 4, 4, USUAL, USUAL);
	assert_ok(say_open(m, 1));
	assert_ok(say_open(m, 3));
	hf_mux_free(m);
}

/* Nobody speaks of a channel that was never opened, by either side. */
static void
never_opened(void **state)
{
	static const uint32_t which[] = { 2, 1, 3, UINT32_MAX };
	struct hf_mux *m;
	size_t i;
	int t;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(which); i++)
		for (t = HF__FRAME_DATA; t <= HF__FRAME_RESET; t++) {
			m = responder();
			assert_ok(say_open(m, 0));
			(void)open_one(m, "unsaid");
			assert_err(say(m, (enum hf__frame_type)t, which[i], 1,
				       1),
			    HF_E_UNEXPECTED);
			failed(m, HF_E_UNEXPECTED);
		}
}

static void
exhausted(void **state)
{
	struct hf_mux *m = mux_of(HF_INITIATOR, 4, 4, USUAL, USUAL);
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch, *last;

	(void)state;
	m->own_next = UINT32_MAX - 3;
	ch = open_one(m, "");
	last = open_one(m, "");
	assert_err(hf_channel_open(&ch, m, "", 0), HF_E_EXHAUSTED);
	expect(&h, m, HF__FRAME_OPEN, UINT32_MAX - 3, 0, 0);
	expect(&h, m, HF__FRAME_OPEN, UINT32_MAX - 1, 0, 0);
	hf_channel_free(last);
	expect(&h, m, HF__FRAME_RESET, UINT32_MAX - 1, HF_REASON_CANCELLED, 0);
	assert_err(hf_channel_open(&ch, m, "", 0), HF_E_EXHAUSTED);
	hf_mux_free(m);
}

/* --- states ------------------------------------------------------------------------- */

enum end { OPEN, HALF, DEAF, RESET, OVER, OVER_RESET, ENDS };

/* Channel 0 in that state, of the peer's; and the handle. */
static struct hf_channel *
bring(struct hf_mux *m, struct heard *h, enum end end)
{
	struct hf_channel *ch;

	assert_ok(say_open(m, 0));
	ch = news(m, HF_NEWS_OPENED);
	if (end == DEAF || end == OVER)
		assert_ok(say_fin(m, 0));
	if (end == OVER_RESET) {
		assert_ok(say_reset(m, 0, 200));
		expect(h, m, HF__FRAME_RESET, 0, 200, 0);
	}
	if (end == HALF || end == OVER) {
		assert_ok(hf_channel_finish(ch));
		expect(h, m, HF__FRAME_FIN, 0, 0, 0);
	}
	if (end == RESET) {
		assert_ok(hf_channel_reset(ch, HF_REASON_FAILED));
		expect(h, m, HF__FRAME_RESET, 0, HF_REASON_FAILED, 0);
	}
	while (hf_mux_next(m, &ch) != 0)
		continue;
	expect_silence(h, m);
	return ch;
}

/* The table of section 20.3, cell by cell. */
static void
states(void **state)
{
	static const struct {
		enum hf_err e[4]; /* data, credit, fin, reset */
		int answered;	  /* the reset */
	} table[ENDS] = {
		[OPEN] = { { HF_OK, HF_OK, HF_OK, HF_OK }, 1 },
		[HALF] = { { HF_OK, HF_OK, HF_OK, HF_OK }, 0 },
		[DEAF] = { { HF_E_UNEXPECTED, HF_OK, HF_E_UNEXPECTED, HF_OK },
		    1 },
		[RESET] = { { HF_OK, HF_OK, HF_OK, HF_OK }, 0 },
		[OVER] = { { HF_E_UNEXPECTED, HF_OK, HF_E_UNEXPECTED, HF_OK },
		    0 },
		[OVER_RESET] = { { HF_E_UNEXPECTED, HF_OK, HF_E_UNEXPECTED,
				     HF_OK },
		    0 },
	};
	int end, t;

	(void)state;
	for (end = OPEN; end < ENDS; end++)
		for (t = 0; t < 4; t++) {
			struct hf_mux *m = responder();
			struct heard h = { .r = { 0 } };
			enum hf_err e = table[end].e[t];

			(void)bring(m, &h, (enum end)end);
			assert_err(say(m, (enum hf__frame_type)(t + 1), 0, 9,
				       1),
			    e);
			if (t == 3 && table[end].answered)
				expect(&h, m, HF__FRAME_RESET, 0, 9, 0);
			if (e == HF_OK)
				expect_silence(&h, m);
			hf_mux_free(m);
		}
}

/* In state reset both final frames end it; before that, data is counted and
 * dropped, and the number is not free. */
static void
reset_waits(void **state)
{
	struct hf_mux *m = mux_of(HF_RESPONDER, 4, 1, USUAL, USUAL);
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch;
	int fin;

	(void)state;
	for (fin = 0; fin < 2; fin++) {
		assert_ok(say_open(m, fin ? 2 : 0));
		ch = news(m, HF_NEWS_OPENED);
		assert_ok(say_data(m, ch->number, 5));
		hf_channel_free(ch);
		no_news(m);
		expect(&h, m, HF__FRAME_RESET, fin ? 2 : 0,
		    HF_REASON_CANCELLED, 0);
		assert_int_equal(hf_mux_count(m), 1);
		assert_ok(say_data(m, fin ? 2 : 0, USUAL - 5));
		assert_ok(say_credit(m, fin ? 2 : 0, HF_CREDIT_MAX));
		assert_ok(fin ? say_fin(m, 2) : say_reset(m, 0, 1));
		assert_int_equal(hf_mux_count(m), 0);
		expect_silence(&h, m);
	}
	assert_ok(say_open(m, 4));
	hf_channel_free(news(m, HF_NEWS_OPENED));
	assert_ok(say_data(m, 4, USUAL));
	assert_err(say_data(m, 4, 1), HF_E_TOO_BIG);
	failed(m, HF_E_TOO_BIG);
}

/* What was received before a reset can be read; what waited is dropped. */
static void
reset_keeps(void **state)
{
	struct hf_mux *m = responder();
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch;
	size_t taken;

	(void)state;
	assert_ok(say_open(m, 0));
	assert_ok(say_data(m, 0, 7));
	ch = news(m, HF_NEWS_OPENED | HF_NEWS_READABLE);
	assert_int_equal(put_in(ch, 100), 100);
	assert_ok(say_reset(m, 0, HF_REASON_GONE));
	assert_ptr_equal(news(m, HF_NEWS_ENDED), ch);
	assert_int_equal(hf_channel_unsent(ch), 0);
	assert_int_equal(hf_channel_ended(ch), 1);
	assert_int_equal(hf_channel_reason(ch), HF_REASON_GONE);
	assert_int_equal(hf_channel_data(ch).len, 7);
	assert_err(hf_channel_taken(ch, 8), HF_E_ARG);
	assert_ok(hf_channel_taken(ch, 7));
	assert_int_equal(hf_channel_finished(ch), 0);
	no_news(m);
	assert_err(hf_channel_send(ch, &taken, (const uint8_t *)"x", 1),
	    HF_E_STATE);
	assert_err(hf_channel_finish(ch), HF_E_STATE);
	assert_ok(hf_channel_reset(ch, 1));
	assert_int_equal(hf_channel_reason(ch), HF_REASON_GONE);
	expect(&h, m, HF__FRAME_RESET, 0, HF_REASON_GONE, 0);
	expect_silence(&h, m);
	assert_int_equal(hf_mux_count(m), 1);
	hf_channel_free(ch);
	assert_int_equal(hf_mux_count(m), 0);
	hf_mux_free(m);
}

/* Both finish: nothing is lost, and the end has no reason. */
static void
both_finish(void **state)
{
	struct hf_mux *i = mux_of(HF_INITIATOR, 4, 0, USUAL, USUAL);
	struct hf_mux *r = responder();
	struct hf_channel *a = open_one(i, "echo"), *b;

	(void)state;
	assert_int_equal(put_in(a, 3), 3);
	assert_ok(hf_channel_finish(a));
	assert_ok(hf_channel_finish(a));
	assert_int_equal(hf_channel_room(a), 0);
	carry(r, i, 128);
	b = news(r, HF_NEWS_OPENED | HF_NEWS_READABLE);
	assert_int_equal(hf_channel_label(b).len, 4);
	assert_ok(hf_channel_taken(b, 3));
	assert_ptr_equal(news(r, HF_NEWS_FINISHED), b);
	assert_int_equal(hf_channel_ended(b), 0);
	assert_int_equal(put_in(b, 9), 9);
	assert_ok(hf_channel_finish(b));
	carry(i, r, 128);
	assert_ptr_equal(news(r, HF_NEWS_ENDED), b);
	assert_int_equal(hf_channel_reason(b), HF_REASON_NONE);
	assert_ptr_equal(news(i, HF_NEWS_READABLE | HF_NEWS_ENDED), a);
	assert_int_equal(hf_channel_data(a).len, 9);
	assert_ok(hf_channel_taken(a, 9));
	assert_ptr_equal(news(i, HF_NEWS_FINISHED), a);
	hf_channel_free(a);
	hf_channel_free(b);
	assert_int_equal(hf_mux_pending(i) + hf_mux_pending(r), 0);
	assert_int_equal(hf_mux_count(i) + hf_mux_count(r), 0);
	hf_mux_free(i);
	hf_mux_free(r);
}

/* --- takeovers and failures -------------------------------------------------------------- */

static void
restart(void **state)
{
	struct hf_mux *m = responder();
	struct heard h = { .r = { 0 } };
	struct hf_channel *a, *b, *own = open_one(m, "own");

	(void)state;
	assert_ok(say_open(m, 0));
	assert_ok(say_data(m, 0, 3));
	assert_ok(say_open(m, 2));
	a = news(m, HF_NEWS_OPENED | HF_NEWS_READABLE);
	b = news(m, HF_NEWS_OPENED);
	assert_int_equal(put_in(b, 100), 100);
	no_news(m);
	hf_channel_free(b);
	assert_ok(hf_mux_restart(m, HF_REASON_MOVED));
	assert_ptr_equal(news(m, HF_NEWS_ENDED), own);
	assert_ptr_equal(news(m, HF_NEWS_ENDED), a);
	no_news(m);
	assert_int_equal(hf_channel_reason(a), HF_REASON_MOVED);
	assert_int_equal(hf_channel_data(a).len, 3);
	expect_silence(&h, m);
	assert_int_equal(hf_mux_count(m), 2);
	/* numbers begin anew, and the old handles name nothing */
	assert_err(say_data(m, 0, 1), HF_E_UNEXPECTED);
	assert_ok(hf_mux_restart(m, HF_REASON_LOST));
	assert_int_equal(hf_channel_reason(a), HF_REASON_MOVED);
	assert_ok(say_open(m, 0));
	(void)open_one(m, "");
	expect(&h, m, HF__FRAME_OPEN, 1, 0, 0);
	assert_ok(hf_channel_taken(a, 3));
	hf_channel_free(a);
	hf_channel_free(own);
	expect_silence(&h, m);
	assert_int_equal(hf_mux_count(m), 2);
	hf_mux_free(m);
}

static void
reasons(void **state)
{
	(void)state;
	assert_string_equal(hf_reason_name(HF_REASON_NONE), "none");
	assert_string_equal(hf_reason_name(HF_REASON_MOVED), "moved");
	assert_string_equal(hf_reason_name(8), "other");
	assert_string_equal(hf_reason_name(-1), "other");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(form),
		cmocka_unit_test(labels),
		cmocka_unit_test(sequence),
		cmocka_unit_test(numbers),
		cmocka_unit_test(never_opened),
		cmocka_unit_test(exhausted),
		cmocka_unit_test(states),
		cmocka_unit_test(reset_waits),
		cmocka_unit_test(reset_keeps),
		cmocka_unit_test(both_finish),
		cmocka_unit_test(restart),
		cmocka_unit_test(reasons),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
