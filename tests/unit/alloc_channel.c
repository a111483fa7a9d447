/* SPDX-License-Identifier: ISC */
/*
 * Memory that runs out in channels: each allocation of two that talk, one by
 * one and all from there on, is refused. The call says HF_E_MEMORY, and
 * nothing leaks.
 */
#include "heap.h"

#include "channels.h"

#ifdef HAVE_HEAP

static struct hf_mux *here, *there;

/* All that one has to say goes to the other. */
static enum hf_err
hand_over(struct hf_mux *to, struct hf_mux *from)
{
	uint8_t record[4096];
	enum hf_err e;
	size_t len;

	while (hf_mux_pending(from)) {
		if ((e = hf_mux_output(from, record, sizeof(record), &len)) !=
			HF_OK ||
		    (e = hf_mux_feed(to, record, len)) != HF_OK)
			return e;
	}
	return HF_OK;
}

static enum hf_err
whole(void)
{
	static const uint8_t data[20000];
	struct hf_channel *ch, *peer = NULL;
	enum hf_err e;
	size_t taken;

	if ((e = hf_mux_new(&here, HF_INITIATOR, NULL)) != HF_OK ||
	    (e = hf_mux_new(&there, HF_RESPONDER, NULL)) != HF_OK ||
	    (e = hf_channel_open(&ch, here, "label", 5)) != HF_OK ||
	    (e = hf_channel_send(ch, &taken, data, sizeof(data))) != HF_OK ||
	    (e = hand_over(there, here)) != HF_OK)
		return e;
	assert_int_equal(taken, sizeof(data));
	(void)hf_mux_next(there, &peer);
	assert_int_equal(hf_channel_data(peer).len, taken);
	if ((e = hf_channel_taken(peer, taken)) != HF_OK ||
	    (e = hf_channel_send(peer, &taken, data, 100)) != HF_OK ||
	    (e = hf_channel_finish(peer)) != HF_OK ||
	    (e = hand_over(here, there)) != HF_OK)
		return e;
	assert_int_equal(hf_channel_data(ch).len, 100);
	return hf_channel_finish(ch);
}

/* Returns 0 when there is no allocation of that number. */
static int
refuse(unsigned long n, int all)
{
	long live = heap.live;
	enum hf_err e;

	here = there = NULL;
	e = heap_refuse(whole, n, all);
	if (heap.n < n)
		assert_ok(e);
	else
		assert_err(e, HF_E_MEMORY);
	hf_mux_free(here);
	hf_mux_free(there);
	assert_int_equal(heap.live, live);
	return heap.n >= n;
}

static void
every_allocation_of_channels(void **state)
{
	unsigned long n;
	int all;

	(void)state;
	for (all = 0; all < 2; all++) {
		for (n = 1; refuse(n, all); n++)
			continue;
		assert_in_range(n, 8, 40);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(
	    every_allocation_of_channels) };

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int
main(void)
{
	print_message("skipped: a sanitizer has malloc for itself\n");
	return 77;
}

#endif
