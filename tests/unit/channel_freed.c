/* SPDX-License-Identifier: ISC */
/*
 * Channels (spec section 20) whose handles are let go, at any time, and what the
 * peer may say of them then; and those that are over.
 */
#include "channels.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(freed_early),
		cmocka_unit_test(freed_finished),
		cmocka_unit_test(freed_and_finished),
		cmocka_unit_test(over),
		cmocka_unit_test(cut),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
