/* SPDX-License-Identifier: ISC */
/*
 * Channels (spec section 20): what each frame does in each state of one end,
 * to the exact error; and what an application can do.
 */
#include <stdlib.h>

#include "channels.h"

enum { USUAL = 65536 };

/* A responder's mux: the peer is the initiator, with even numbers. */
static struct hf_mux *
responder(void)
{
	return mux_of(HF_RESPONDER, 4, 4, USUAL, USUAL);
}

static void
failed(struct hf_mux *m, enum hf_err e)
{
	struct hf_channel *ch;
	uint8_t out[HF_FRAMES_MIN];
	size_t len;

	/* the error sticks, and nothing is said any more */
	assert_err(say_hex(m, "8303006161"), e);
	assert_int_equal(hf_mux_pending(m), 0);
	assert_err(hf_mux_output(m, out, sizeof(out), &len), e);
	assert_err(hf_channel_open(&ch, m, "", 0), HF_E_STATE);
	hf_mux_free(m);
}

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

/* --- handles that are let go ----------------------------------------------------------- */

static void
freed_early(void **state)
{
	struct hf_mux *m = mux_of(HF_INITIATOR, 1, 0, USUAL, USUAL);
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch = open_one(m, "never said");

	(void)state;
	assert_err(hf_channel_open(&ch, m, "", 0), HF_E_SPACE);
	assert_int_equal(put_in(ch, 10), 10);
	hf_channel_free(ch);
	hf_channel_free(NULL);
	assert_int_equal(hf_mux_count(m), 0);
	expect_silence(&h, m);
	/* its number was not used */
	(void)open_one(m, "said");
	expect(&h, m, HF__FRAME_OPEN, 0, 0, 4);
	hf_mux_free(m);
}

/* After a finish all is sent; then nothing more is taken. */
static void
freed_finished(void **state)
{
	struct hf_mux *m = mux_of(HF_INITIATOR, 2, 0, USUAL, USUAL);
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch = open_one(m, "");

	(void)state;
	assert_int_equal(put_in(ch, 10), 10);
	assert_ok(hf_channel_finish(ch));
	hf_channel_free(ch);
	expect(&h, m, HF__FRAME_OPEN, 0, 0, 0);
	expect(&h, m, HF__FRAME_DATA, 0, 0, 10);
	expect(&h, m, HF__FRAME_FIN, 0, 0, 0);
	expect(&h, m, HF__FRAME_RESET, 0, HF_REASON_CANCELLED, 0);
	assert_ok(say_data(m, 0, 4));
	assert_ok(say_fin(m, 0));
	assert_int_equal(hf_mux_count(m), 0);
	no_news(m);

	/* where the fin is out already */
	ch = open_one(m, "");
	assert_ok(hf_channel_finish(ch));
	expect(&h, m, HF__FRAME_OPEN, 2, 0, 0);
	expect(&h, m, HF__FRAME_FIN, 2, 0, 0);
	hf_channel_free(ch);
	expect(&h, m, HF__FRAME_RESET, 2, HF_REASON_CANCELLED, 0);
	assert_ok(say_reset(m, 2, 1));

	/* and where the peer has finished, nothing is missing */
	ch = open_one(m, "");
	assert_ok(hf_channel_finish(ch));
	expect(&h, m, HF__FRAME_OPEN, 4, 0, 0);
	assert_int_equal(put_in(open_one(m, ""), 1), 1);
	expect(&h, m, HF__FRAME_FIN, 4, 0, 0);
	assert_ok(say_fin(m, 4));
	hf_channel_free(ch);
	expect(&h, m, HF__FRAME_OPEN, 6, 0, 0);
	expect(&h, m, HF__FRAME_DATA, 6, 0, 1);
	expect_silence(&h, m);
	hf_mux_free(m);
}

/* Let go, and the peer finishes before that is said: it is still said why. */
static void
freed_and_finished(void **state)
{
	struct hf_mux *m = responder();
	struct heard h = { .r = { 0 } };

	(void)state;
	assert_ok(say_open(m, 0));
	hf_channel_free(news(m, HF_NEWS_OPENED));
	assert_ok(say_fin(m, 0));
	expect(&h, m, HF__FRAME_RESET, 0, HF_REASON_CANCELLED, 0);
	assert_int_equal(hf_mux_count(m), 0);
	hf_mux_free(m);
}

/* Who ended it, and keeps his handle, is told when the peer knows. */
static void
over(void **state)
{
	struct hf_mux *m = mux_of(HF_INITIATOR, 4, 0, USUAL, USUAL);
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch = open_one(m, "");

	(void)state;
	expect(&h, m, HF__FRAME_OPEN, 0, 0, 0);
	assert_ok(hf_channel_reset(ch, HF_REASON_GONE));
	expect(&h, m, HF__FRAME_RESET, 0, HF_REASON_GONE, 0);
	assert_int_equal(hf_channel_ended(ch), 1);
	assert_int_equal(hf_channel_over(ch), 0);
	no_news(m);
	assert_ok(say_data(m, 0, 4));
	no_news(m);
	assert_ok(say_reset(m, 0, HF_REASON_GONE));
	assert_ptr_equal(news(m, HF_NEWS_OVER), ch);
	assert_int_equal(hf_channel_over(ch), 1);
	hf_channel_free(ch);
	/* Both have finished: its end says that too. */
	ch = open_one(m, "");
	expect(&h, m, HF__FRAME_OPEN, 2, 0, 0);
	assert_ok(say_fin(m, 2));
	assert_ptr_equal(news(m, HF_NEWS_FINISHED), ch);
	assert_ok(hf_channel_finish(ch));
	assert_int_equal(hf_channel_over(ch), 0);
	expect(&h, m, HF__FRAME_FIN, 2, 0, 0);
	assert_ptr_equal(news(m, HF_NEWS_ENDED), ch);
	assert_int_equal(hf_channel_over(ch), 1);
	hf_channel_free(ch);
	/* The peer ended it: so does that. */
	ch = open_one(m, "");
	expect(&h, m, HF__FRAME_OPEN, 4, 0, 0);
	assert_ok(say_reset(m, 4, HF_REASON_FAILED));
	expect(&h, m, HF__FRAME_RESET, 4, HF_REASON_FAILED, 0);
	assert_ptr_equal(news(m, HF_NEWS_ENDED), ch);
	assert_int_equal(hf_channel_over(ch), 1);
	hf_channel_free(ch);
	/* Never said: the peer has nothing to know. */
	ch = open_one(m, "");
	assert_ok(hf_channel_reset(ch, HF_REASON_GONE));
	assert_int_equal(hf_channel_over(ch), 1);
	assert_ptr_equal(news(m, HF_NEWS_OVER), ch);
	hf_channel_free(ch);
	/* Its session ends while it waits. */
	ch = open_one(m, "");
	expect(&h, m, HF__FRAME_OPEN, 6, 0, 0);
	assert_ok(hf_channel_reset(ch, HF_REASON_GONE));
	assert_ok(hf_mux_restart(m, HF_REASON_LOST));
	assert_int_equal(hf_channel_over(ch), 1);
	assert_ptr_equal(news(m, HF_NEWS_OVER), ch);
	/* That is told once, whatever becomes of the next one. */
	assert_ok(hf_mux_restart(m, HF_REASON_LOST));
	no_news(m);
	hf_channel_free(ch);
	/* Its peer breaks the rules. */
	ch = open_one(m, "");
	expect(&h, m, HF__FRAME_OPEN, 0, 0, 0);
	assert_ok(hf_channel_reset(ch, HF_REASON_GONE));
	assert_err(say_data(m, 8, 1), HF_E_UNEXPECTED);
	assert_int_equal(hf_channel_over(ch), 1);
	assert_ptr_equal(news(m, HF_NEWS_OVER), ch);
	hf_channel_free(ch);
	hf_mux_free(m);
}

/* Cut: what waits is sent, and then no fin. */
static void
cut(void **state)
{
	struct hf_mux *m = responder();
	struct heard h = { .r = { 0 } };
	struct hf_channel *ch;

	(void)state;
	assert_ok(say_open(m, 0));
	ch = news(m, HF_NEWS_OPENED);
	assert_int_equal(put_in(ch, 10), 10);
	assert_err(hf_channel_cut(ch, HF_REASON_MOVED), HF_E_ARG);
	assert_err(hf_channel_cut(ch, -1), HF_E_ARG);
	assert_ok(hf_channel_cut(ch, HF_REASON_FAILED));
	assert_int_equal(hf_channel_ended(ch), 1);
	assert_int_equal(hf_channel_reason(ch), HF_REASON_FAILED);
	hf_channel_free(ch);
	assert_ok(say_data(m, 0, 10));
	expect(&h, m, HF__FRAME_DATA, 0, 0, 10);
	expect(&h, m, HF__FRAME_RESET, 0, HF_REASON_FAILED, 0);
	assert_ok(say_fin(m, 0));
	expect_silence(&h, m);
	assert_int_equal(hf_mux_count(m), 0);
	/* where nothing waits it is all that is sent */
	assert_ok(say_open(m, 2));
	ch = news(m, HF_NEWS_OPENED);
	assert_ok(hf_channel_cut(ch, HF_REASON_FAILED));
	assert_int_equal(hf_mux_pending(m), 1);
	expect(&h, m, HF__FRAME_RESET, 2, HF_REASON_FAILED, 0);
	hf_mux_free(m);
}

/* --- credit ---------------------------------------------------------------------------- */

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
		cmocka_unit_test(freed_early),
		cmocka_unit_test(freed_finished),
		cmocka_unit_test(freed_and_finished),
		cmocka_unit_test(over),
		cmocka_unit_test(cut),
		cmocka_unit_test(credit_given),
		cmocka_unit_test(credit_past),
		cmocka_unit_test(credit_used),
		cmocka_unit_test(refused),
		cmocka_unit_test(too_many),
		cmocka_unit_test(owed),
		cmocka_unit_test(own_limit),
		cmocka_unit_test(arguments),
		cmocka_unit_test(restart),
		cmocka_unit_test(reasons),
		cmocka_unit_test(memory),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
