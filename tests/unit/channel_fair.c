/* SPDX-License-Identifier: ISC */
/*
 * Properties of channels under seeded random schedules (spec section 20.4):
 * bytes come out whole and in order, credit is kept to from both sides, no
 * channel waits for another one's reader, and whoever has data gets his share
 * of what is sent.
 */
#include <stdlib.h>

#include "channels.h"

enum {
	ENDS = 2,
	STREAMS = 24,
	SCHEDULES = 300,
	STEPS = 600,
	FLIGHT = 64 /* records on their way */
};

static uint64_t dice_state;

static unsigned
dice(unsigned n)
{
	uint64_t z = dice_state += 0x9e3779b97f4a7c15U;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return (unsigned)((z ^ (z >> 31)) % n);
}

/* The k-th byte that end `from` says on stream s. */
static uint8_t
byte_of(int from, unsigned s, size_t k)
{
	return (uint8_t)(31 * (unsigned)from + 7 * s + k + k / 251);
}

struct stream {
	struct hf_channel *ch[ENDS];
	size_t said[ENDS], read[ENDS]; /* by that end; by the other one */
	int finished[ENDS], reset;
};

struct flight {
	uint8_t data[FLIGHT][2048];
	size_t len[FLIGHT], first, n;
};

struct talk {
	struct hf_mux *mux[ENDS];
	struct stream stream[STREAMS];
	unsigned streams;
	struct flight to[ENDS];
};

static void
speak(struct talk *t, int end, unsigned s, size_t n)
{
	struct stream *st = &t->stream[s];
	uint8_t data[4096];
	size_t i, taken;

	if (st->ch[end] == NULL || st->finished[end] ||
	    hf_channel_ended(st->ch[end]))
		return;
	n = n % sizeof(data);
	for (i = 0; i < n; i++)
		data[i] = byte_of(end, s, st->said[end] + i);
	assert_ok(hf_channel_send(st->ch[end], &taken, data, n));
	st->said[end] += taken;
}

static void
listen_to(struct talk *t, int end, unsigned s, size_t most)
{
	struct stream *st = &t->stream[s];
	struct hf_span got;
	size_t i;

	if (st->ch[end] == NULL)
		return;
	got = hf_channel_data(st->ch[end]);
	if (got.len > most)
		got.len = most;
	for (i = 0; i < got.len; i++)
		assert_int_equal(got.ptr[i],
		    byte_of(1 - end, s, st->read[1 - end] + i));
	st->read[1 - end] += got.len;
	assert_ok(hf_channel_taken(st->ch[end], got.len));
}

/* One record of what an end has to say sets out. */
static void
set_out(struct talk *t, int from)
{
	struct flight *f = &t->to[1 - from];
	size_t at = (f->first + f->n) % FLIGHT, cap = 128 + dice(1900);

	if (f->n == FLIGHT)
		return;
	assert_ok(hf_mux_output(t->mux[from], f->data[at], cap, &f->len[at]));
	assert_int_equal(f->len[at] > 0 || !hf_mux_pending(t->mux[from]), 1);
	if (f->len[at] > 0)
		f->n++;
}

/* The other end opens streams by telling of them: the label says which. */
static void
arrive(struct talk *t, int end)
{
	struct flight *f = &t->to[end];
	struct hf_channel *ch;
	unsigned news, s;

	if (f->n == 0)
		return;
	assert_ok(
	    hf_mux_feed(t->mux[end], f->data[f->first], f->len[f->first]));
	f->first = (f->first + 1) % FLIGHT;
	f->n--;
	while ((news = hf_mux_next(t->mux[end], &ch)) != 0)
		if ((news & HF_NEWS_OPENED) != 0) {
			s = hf_channel_label(ch).ptr[0] - (unsigned)'A';
			assert_null(t->stream[s].ch[end]);
			t->stream[s].ch[end] = ch;
		}
}

static void
begin(struct talk *t)
{
	char label = (char)('A' + t->streams);
	int end = (int)dice(ENDS);

	if (t->streams == STREAMS)
		return;
	assert_ok(hf_channel_open(&t->stream[t->streams].ch[end], t->mux[end],
	    &label, 1));
	t->streams++;
}

/* What was given and is not used, and what waits, are within the window: and
 * the sender never thinks that he may send more. */
static void
check(const struct talk *t)
{
	unsigned s;
	int end;

	for (s = 0; s < t->streams; s++)
		for (end = 0; end < ENDS; end++) {
			const struct hf_channel *a = t->stream[s].ch[end],
						*b = t->stream[s].ch[1 - end];

			if (a == NULL)
				continue;
			assert_true(
			    a->in.len + a->given <= a->mux->limits.window);
			if (b != NULL && !a->ended && !b->ended)
				assert_true(b->credit <= a->given);
			assert_true(a->out.len <= a->mux->limits.send);
		}
}

static void
step(struct talk *t)
{
	int end = (int)dice(ENDS);
	unsigned s = t->streams == 0 ? 0 : dice(t->streams);
	struct stream *st = &t->stream[s];

	switch (dice(20)) {
	case 0:
		begin(t);
		break;
	case 1:
		if (st->ch[end] != NULL && !hf_channel_ended(st->ch[end])) {
			assert_ok(hf_channel_finish(st->ch[end]));
			st->finished[end] = 1;
		}
		break;
	case 2:
		if (dice(8) == 0 && st->ch[end] != NULL &&
		    !hf_channel_ended(st->ch[end])) {
			assert_ok(hf_channel_reset(st->ch[end], 200));
			st->reset = 1;
		}
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		speak(t, end, s, dice(4096));
		break;
	case 7:
	case 8:
	case 9:
		listen_to(t, end, s, dice(8192));
		break;
	case 10:
	case 11:
	case 12:
	case 13:
		set_out(t, end);
		break;
	default:
		arrive(t, end);
		break;
	}
}

/* Both read all there is, until nothing moves. */
static void
settle(struct talk *t)
{
	int end, moved = 1;
	unsigned s;

	while (moved) {
		moved = 0;
		for (end = 0; end < ENDS; end++) {
			for (s = 0; s < t->streams; s++)
				listen_to(t, end, s, SIZE_MAX);
			moved |= hf_mux_pending(t->mux[end]) != 0;
			set_out(t, end);
			moved |= t->to[1 - end].n > 0;
			while (t->to[1 - end].n > 0)
				arrive(t, 1 - end);
		}
	}
}

static void
end_all(struct talk *t)
{
	unsigned s;
	int end;

	for (s = 0; s < t->streams; s++)
		for (end = 0; end < ENDS; end++)
			if (t->stream[s].ch[end] != NULL &&
			    !hf_channel_ended(t->stream[s].ch[end]))
				assert_ok(
				    hf_channel_finish(t->stream[s].ch[end]));
	settle(t);
	for (s = 0; s < t->streams; s++) {
		struct stream *st = &t->stream[s];

		for (end = 0; end < ENDS; end++) {
			if (st->ch[end] == NULL)
				continue;
			assert_int_equal(hf_channel_ended(st->ch[end]), 1);
			if (!st->reset)
				assert_int_equal(hf_channel_reason(
						     st->ch[end]),
				    0);
			/* an end that has no reason has had all */
			if (hf_channel_reason(st->ch[end]) == 0)
				assert_int_equal(st->read[1 - end],
				    st->said[1 - end]);
			hf_channel_free(st->ch[end]);
		}
	}
	for (end = 0; end < ENDS; end++) {
		assert_int_equal(hf_mux_count(t->mux[end]), 0);
		assert_int_equal(t->mux[end]->own_live, 0);
		assert_int_equal(t->mux[end]->peers_live, 0);
		assert_int_equal(t->mux[end]->peers_taken, 0);
	}
}

static void
schedules(void **state)
{
	static struct talk t;
	int i, k;

	(void)state;
	for (i = 0; i < SCHEDULES; i++) {
		memset(&t, 0, sizeof(t));
		dice_state = (uint64_t)i;
		t.mux[0] = mux_of(HF_INITIATOR, STREAMS, STREAMS,
		    USUAL + dice(USUAL), 1 + dice(20000));
		t.mux[1] = mux_of(HF_RESPONDER, STREAMS, STREAMS,
		    USUAL + dice(USUAL), 1 + dice(20000));
		for (k = 0; k < STEPS; k++) {
			step(&t);
			check(&t);
		}
		settle(&t);
		end_all(&t);
		hf_mux_free(t.mux[0]);
		hf_mux_free(t.mux[1]);
	}
}

/* --- fairness ------------------------------------------------------------------------ */

/* Counts the data of each channel, in records of random size, while all of
 * them always have more. */
static void
shares(void **state)
{
	enum { N = 10, RECORDS = 4000 };
	uint64_t sent[N] = { 0 }, most, least;
	struct hf_channel *ch[N];
	uint8_t record[40000];
	struct hf_mux *m = mux_of(HF_INITIATOR, N, 0, USUAL, 2 * USUAL);
	struct hf__frame f;
	struct hf__reader r;
	size_t len;
	int i, k;

	(void)state;
	dice_state = 1;
	for (i = 0; i < N; i++)
		ch[i] = open_one(m, "");
	for (k = 0; k < RECORDS; k++) {
		for (i = 0; i < N; i++) {
			/* some in small pieces, some in large ones */
			while (hf_channel_unsent(ch[i]) < HF_QUANTUM)
				(void)put_in(ch[i], i % 2 ? 300 : 30000);
			if (ch[i]->credit < USUAL && ch[i]->numbered)
				assert_ok(say_credit(m, ch[i]->number, 50000));
		}
		assert_ok(hf_mux_output(m, record, 128 + dice(39000), &len));
		for (hf__read_init(&r, record, len); r.off < len;) {
			assert_ok(hf__frame_get(&f, &r));
			if (f.type == HF__FRAME_DATA)
				sent[f.number / 2] += f.span.len;
		}
		for (most = least = sent[0], i = 1; i < N; i++) {
			most = sent[i] > most ? sent[i] : most;
			least = sent[i] < least ? sent[i] : least;
		}
		/* one turn apart, and never more */
		assert_true(most - least <= HF_QUANTUM);
	}
	assert_true(least > 10 * HF_QUANTUM);
	hf_mux_free(m);
}

/* A word on a quiet channel waits for nobody's turn. */
static void
word_in_a_flood(void **state)
{
	enum { BUSY = 8 };
	struct hf_mux *m =
	    mux_of(HF_INITIATOR, BUSY + 1, 0, USUAL, HF_CREDIT_MAX);
	struct hf_channel *quiet = open_one(m, ""), *ch;
	struct heard h = { .r = { 0 } };
	struct hf__frame f;
	size_t before;
	int i, k;

	(void)state;
	for (i = 0; i < BUSY; i++) {
		ch = open_one(m, "");
		(void)put_in(ch, 1 << 18);
	}
	for (i = 0; i <= BUSY; i++)
		expect(&h, m, HF__FRAME_OPEN, 2 * (uint32_t)i, 0, 0);
	for (i = 1; i <= BUSY; i++)
		assert_ok(say_credit(m, 2 * (uint32_t)i, 1 << 18));
	for (k = 0; k < 5; k++) {
		/* what was written already cannot be overtaken */
		while (h.r.off < h.r.len)
			assert_ok(hf__frame_get(&f, &h.r));
		(void)put_in(quiet, 10);
		for (before = 0; hear(&f, &h, m) && f.number != 0;)
			before += f.span.len;
		assert_int_equal(f.number, 0);
		assert_int_equal(f.span.len, 10);
		assert_int_equal(before, 0);
	}
	hf_mux_free(m);
}

/* One reader that never reads stalls nobody else. */
static void
slow_reader(void **state)
{
	struct hf_mux *i = mux_of(HF_INITIATOR, 3, 0, USUAL, 4 * USUAL);
	struct hf_mux *r = mux_of(HF_RESPONDER, 0, 3, USUAL, USUAL);
	struct hf_channel *slow = open_one(i, "s"), *ch = open_one(i, "f");
	struct hf_channel *in[2];
	size_t got = 0;
	int k;

	(void)state;
	(void)put_in(slow, 4 * USUAL);
	carry(r, i, 16384);
	in[0] = news(r, HF_NEWS_OPENED | HF_NEWS_READABLE);
	in[1] = news(r, HF_NEWS_OPENED);
	for (k = 0; k < 50; k++) {
		(void)put_in(ch, 4 * USUAL);
		carry(r, i, 16384);
		got += hf_channel_data(in[1]).len;
		assert_ok(hf_channel_taken(in[1], hf_channel_data(in[1]).len));
		carry(i, r, 16384);
	}
	assert_true(got >= 50 * (size_t)USUAL);
	assert_int_equal(hf_channel_data(in[0]).len, USUAL);
	assert_int_equal(hf_channel_unsent(slow), 3 * USUAL);
	/* and what it cost is its own window */
	assert_true(hf_mux_bytes(r) <= sizeof(struct hf_mux) +
		2 * (sizeof(struct hf_channel) + 2 * USUAL));
	hf_mux_free(i);
	hf_mux_free(r);
}

/* Opens, credits and resets go first, whatever waits. */
static void
control_first(void **state)
{
	struct hf_mux *m = mux_of(HF_INITIATOR, 3, 1, USUAL, 4 * USUAL);
	struct hf_channel *busy = open_one(m, "");
	struct heard h = { .r = { 0 } };
	struct hf__frame f;

	(void)state;
	(void)put_in(busy, 3 * USUAL);
	expect(&h, m, HF__FRAME_OPEN, 0, 0, 0);
	assert_ok(say_credit(m, 0, 1 << 20));
	while (h.r.off < h.r.len)
		assert_ok(hf__frame_get(&f, &h.r));
	(void)put_in(busy, 4 * USUAL);
	assert_ok(say_data(m, 0, USUAL));
	assert_ok(hf_channel_taken(busy, USUAL));
	(void)open_one(m, "");
	assert_ok(say_open(m, 1));
	assert_ok(say_open(m, 3));
	expect(&h, m, HF__FRAME_CREDIT, 0, USUAL, 0);
	expect(&h, m, HF__FRAME_OPEN, 2, 0, 0);
	expect(&h, m, HF__FRAME_RESET, 3, HF_REASON_LIMIT, 0);
	assert_int_equal(hear(&f, &h, m), 1);
	assert_int_equal(f.type, HF__FRAME_DATA);
	hf_mux_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedules),
		cmocka_unit_test(shares),
		cmocka_unit_test(word_in_a_flood),
		cmocka_unit_test(slow_reader),
		cmocka_unit_test(control_first),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
