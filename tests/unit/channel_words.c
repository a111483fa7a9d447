/* SPDX-License-Identifier: ISC */
/*
 * Small things beside large ones (spec section 20.4): what goes ahead of turns
 * is bounded, and so is what channels that send at the same time may have on
 * its way to here.
 */
#include "channels.h"

/* How much each channel says in so many records, while those of index `busy`
 * and above always have much, the others always a little. */
static void
talk_on(uint64_t *sent, size_t n, size_t busy, int records)
{
	struct hf_mux *m = mux_of(HF_INITIATOR, n, 0, USUAL, 2 * USUAL);
	struct hf_channel *ch[64];
	uint8_t record[4000];
	struct hf__frame f;
	struct hf__reader r;
	size_t len, i;

	for (i = 0; i < n; i++)
		ch[i] = open_one(m, "");
	while (records-- > 0) {
		for (i = 0; i < n; i++) {
			if (ch[i]->out.len < (i < busy ? 1 : HF_QUANTUM))
				(void)put_in(ch[i], i < busy ? 2000 : 30000);
			if (ch[i]->credit < USUAL && ch[i]->numbered)
				assert_ok(say_credit(m, ch[i]->number, 50000));
		}
		assert_ok(hf_mux_output(m, record, sizeof(record), &len));
		for (hf__read_init(&r, record, len); r.off < len;) {
			assert_ok(hf__frame_get(&f, &r));
			if (f.type == HF__FRAME_DATA)
				sent[f.number / 2] += f.span.len;
		}
	}
	hf_mux_free(m);
}

/* Who says words without end gets no more than who has much; and however many
 * they are, he gets his turn between them. */
static void
words_in_turn(void **state)
{
	enum { TALKERS = 40 };
	uint64_t few[3] = { 0 }, many[TALKERS + 1] = { 0 };
	size_t i;

	(void)state;
	talk_on(few, 3, 1, 1000);
	assert_true(few[0] <= few[1] + HF_QUANTUM);
	assert_true(few[0] <= few[2] + HF_QUANTUM);
	talk_on(many, TALKERS + 1, TALKERS, 2000);
	for (i = 0; i < TALKERS; i++)
		assert_true(many[i] <= many[TALKERS] + HF_QUANTUM);
	assert_true(many[TALKERS] > 4 * HF_QUANTUM);
}

/* Nor does he wait for all of them, where they come at once. */
static void
words_at_once(void **state)
{
	enum { TALKERS = 40 };
	struct hf_mux *m = mux_of(HF_INITIATOR, TALKERS + 1, 0, USUAL, USUAL);
	struct hf_channel *ch[TALKERS + 1];
	struct heard h = { .r = { 0 } };
	struct hf__frame f;
	size_t before = 0;
	int i;

	(void)state;
	for (i = 0; i <= TALKERS; i++)
		ch[i] = open_one(m, "");
	for (i = 0; i <= TALKERS; i++)
		expect(&h, m, HF__FRAME_OPEN, 2 * (uint32_t)i, 0, 0);
	for (i = 0; i <= TALKERS; i++)
		(void)put_in(ch[i], i < TALKERS ? 2000 : 30000);
	while (hear(&f, &h, m) && f.number != 2 * TALKERS)
		before += f.span.len;
	assert_int_equal(f.number, 2 * TALKERS);
	assert_in_range(before, HF_QUANTUM, HF_QUANTUM + 2000);
	hf_mux_free(m);
}

/* Reads all that was said on the channel; the credit that is given for it. */
static uint32_t
given_for(struct hf_mux *m, struct heard *h, struct hf_channel *ch, size_t len)
{
	struct hf__frame f;

	assert_ok(say_data(m, ch->number, len));
	assert_ok(hf_channel_taken(ch, len));
	if (!hear(&f, h, m))
		return 0;
	assert_int_equal(f.type, HF__FRAME_CREDIT);
	assert_int_equal(f.number, ch->number);
	return f.value;
}

/* What may be on its way is for all of them who speak: one alone has all of
 * it, and all of its window; of many each has a quarter of a quantum at the least. */
static void
parts(void **state)
{
	enum { N = 8, ALL = 2 * USUAL };
	struct hf_mux *m = mux_of(HF_RESPONDER, 0, N, 4 * USUAL, USUAL);
	struct hf_channel *ch[N];
	struct heard h = { .r = { 0 } };
	int i;

	(void)state;
	for (i = 0; i < N; i++) {
		assert_ok(say_open(m, 2 * (uint32_t)i));
		ch[i] = news(m, HF_NEWS_OPENED);
	}
	/* as it begins each has its window */
	assert_int_equal(given_for(m, &h, ch[0], USUAL), 4 * USUAL);
	assert_ok(say_data(m, 0, USUAL));
	assert_ok(say_data(m, 0, USUAL));
	assert_ok(say_data(m, 0, USUAL));
	assert_ok(hf_channel_taken(ch[0], 3 * USUAL));
	expect(&h, m, HF__FRAME_CREDIT, 0, 3 * USUAL, 0);
	hf_mux_flight(m, ALL);
	/* one alone has it still; what was given is not taken back */
	assert_int_equal(given_for(m, &h, ch[0], USUAL), 0);
	assert_int_equal(given_for(m, &h, ch[0], USUAL), 2 * USUAL);
	for (i = 1; i < N; i++)
		assert_int_equal(given_for(m, &h, ch[i], USUAL),
		    ALL / (i + 1));
	hf_mux_flight(m, HF_QUANTUM);
	for (i = 0; i < N; i++)
		assert_int_equal(given_for(m, &h, ch[i], HF_QUANTUM / 4), 0);
	assert_int_equal(given_for(m, &h, ch[7], ALL / N - HF_QUANTUM / 4),
	    HF_QUANTUM / 4);
	/* who has been silent for a while has no part */
	assert_int_equal(m->line[HF__LINE_HEARD].n, N);
	for (i = 0; i < 10; i++)
		assert_int_equal(given_for(m, &h, ch[7], HF_QUANTUM / 4),
		    HF_QUANTUM / 4);
	for (i = 0; i < 3; i++)
		(void)given_for(m, &h, ch[7], HF_QUANTUM / 4);
	assert_int_equal(m->line[HF__LINE_HEARD].n, 1);
	hf_mux_free(m);
}

/* So many channels, opened by `mine`; the other end's of each. */
static void
join(struct hf_mux **mine, struct hf_mux **other, struct hf_channel **ch,
    struct hf_channel **its, size_t n)
{
	size_t i;

	*mine = mux_of(HF_INITIATOR, n, 0, USUAL, USUAL);
	*other = mux_of(HF_RESPONDER, 0, n, USUAL, 4 * USUAL);
	for (i = 0; i < n; i++)
		ch[i] = open_one(*mine, "");
	(void)carry(*other, *mine, HF_PLAINTEXT_MAX);
	for (i = 0; i < n; i++)
		its[i] = news(*other, HF_NEWS_OPENED);
}

/* Who takes whole messages alone gets them, though they are longer than its
 * part of what may be on its way. */
static void
whole_messages(void **state)
{
	enum { N = 16, MESSAGE = 10000, ENOUGH = 40 };
	struct hf_channel *ch[N], *its[N];
	size_t i, taken[N] = { 0 };
	struct hf_mux *m, *other;
	int turn;

	(void)state;
	join(&m, &other, ch, its, N);
	hf_mux_flight(m, 2 * HF_QUANTUM);
	for (turn = 0; turn < 4 * ENOUGH; turn++) {
		for (i = 0; i < N; i++)
			(void)put_in(its[i], USUAL);
		(void)carry(m, other, HF_PLAINTEXT_MAX);
		for (i = 0; i < N; i++) {
			if (hf_channel_data(ch[i]).len < MESSAGE)
				continue;
			assert_ok(hf_channel_taken(ch[i], MESSAGE));
			taken[i]++;
		}
		(void)carry(other, m, HF_PLAINTEXT_MAX);
	}
	for (i = 0; i < N; i++)
		assert_in_range(taken[i], ENOUGH, 4 * ENOUGH);
	hf_mux_free(m);
	hf_mux_free(other);
}

/* Those who say a word now and then take nothing from one who says much. */
static void
whispers(void **state)
{
	enum { N = 32, TURNS = 64 };
	struct hf_channel *ch[N], *its[N];
	struct hf_mux *m, *other;
	size_t i, got = 0, len;
	int turn;

	(void)state;
	join(&m, &other, ch, its, N);
	hf_mux_flight(m, 2 * HF_QUANTUM);
	for (turn = 0; turn < TURNS; turn++) {
		(void)put_in(its[0], 2 * USUAL);
		for (i = 1; i < N; i++)
			(void)put_in(its[i], 1);
		(void)carry(m, other, HF_PLAINTEXT_MAX);
		for (i = 0; i < N; i++) {
			len = hf_channel_data(ch[i]).len;
			got += i == 0 ? len : 0;
			assert_ok(hf_channel_taken(ch[i], len));
		}
		(void)carry(other, m, HF_PLAINTEXT_MAX);
	}
	assert_true(got > (size_t)TURNS * USUAL / 2);
	hf_mux_free(m);
	hf_mux_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_in_turn),
		cmocka_unit_test(words_at_once),
		cmocka_unit_test(parts),
		cmocka_unit_test(whole_messages),
		cmocka_unit_test(whispers),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
