/* SPDX-License-Identifier: ISC */
/*
 * What a dispatcher reads (spec section 17.9): frames end where the heads say,
 * at every byte that arrives; and a first message that a responder takes is
 * read the same way.
 */
#include "walk.h"

enum { PREFIXES = 300, RECORD_MOST = HF_RECORD_MAX };

static int
first(unsigned type)
{
	return type == HF__HELLO || type == HF__REQUEST || type == HF__RESUME;
}

/* The verdict never changes as more arrives, nor the end once it is known. */
static void
by_prefix(struct hf_span in)
{
	size_t k, len, known = 0;
	enum hf_err e = HF_OK, before = HF_OK;
	int type;

	for (k = 0; k <= in.len && k <= PREFIXES; k++) {
		e = hf_frame_read(&type, &len, in.ptr, k);
		CLAIM(before == HF_OK || e == before);
		CLAIM(known == 0 || known == len);
		CLAIM(e == HF_OK || len == 0);
		CLAIM(type >= -1 && type <= HF__RECORD);
		before = e;
		known = len;
	}
}

/* Steps 1 to 4 of section 2.3, by another hand. */
static void
by_walk(struct hf_span in, enum hf_err e, int type, size_t len)
{
	size_t end = 0;
	enum hf_err expected;

	if (in.len < 2 || type < 0)
		return;
	CLAIM(in.ptr[1] == type);
	if (type == HF__RECORD) {
		if (e != HF_OK || len == 0 || len > in.len)
			return;
		expected = walk(&end, in, 0, 0, RECORD_MOST);
		CLAIM(expected == HF_OK && end == len);
		return;
	}
	expected = walk(&end, in, 0, 0, HF_MESSAGE_MAX);
	CLAIM(e == expected && (e != HF_OK || len == end));
}

/* Suites, keys, and the sizes that a suite's KEM has: what a dispatcher does
 * not know, and a responder refuses before it has read the rest. */
static int
of_suite(enum hf_err taken, unsigned type)
{
	return taken == HF_E_SUITE || taken == HF_E_UNKNOWN_KEY ||
	    (taken == HF_E_SHAPE && type != HF__HELLO);
}

/* Whoever would take the message finds in it what was read. */
static void
by_responder(const struct hf_route *route, enum hf_err e, struct hf_span in)
{
	struct hf_session *r = fuzz_session(fuzz.r);
	struct hf_span target;
	size_t used;
	enum hf_err taken = hf_session_feed(r, &used, in.ptr, in.len);

	if (taken == HF_OK) {
		MUST(e);
		CLAIM(used == in.len && route->type == in.ptr[1]);
		target = hf_session_target(r);
		CLAIM(route->target.len == target.len &&
		    memcmp(route->target.ptr, target.ptr, target.len) == 0);
		CLAIM((route->sid.ptr != NULL) == (in.ptr[1] == HF__RESUME));
		if (route->sid.ptr != NULL)
			CLAIM(memcmp(route->sid.ptr, hf_session_id(r).ptr,
				  HF_SID_BYTES) == 0);
		CLAIM(
		    (route->key_id.ptr != NULL) == (in.ptr[1] == HF__REQUEST));
	} else if (e != HF_OK && !of_suite(taken, in.ptr[1])) {
		CLAIM(taken == e);
	}
	hf_session_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };
	struct hf_route route;
	enum hf_err e;
	size_t whole;
	int type;

	fuzz_people();
	fuzz_random(data, len);
	by_prefix(in);
	e = hf_frame_read(&type, &whole, in.ptr, in.len);
	by_walk(in, e, type, whole);
	if (e != HF_OK || whole == 0 || whole > in.len)
		return 0;
	e = hf_route_read(&route, in.ptr, whole);
	CLAIM(first((unsigned)type) || e == HF_E_UNEXPECTED);
	CLAIM(e == HF_OK || route.type == -1);
	if (first((unsigned)type))
		by_responder(&route, e, (struct hf_span){ in.ptr, whole });
	return 0;
}
