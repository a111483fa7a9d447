/* SPDX-License-Identifier: ISC */
/*
 * Framing (spec section 2.3) in every state of both roles: at each byte that
 * arrives, what the session says of it is what the specification's steps 1 to
 * 4 say, and not sooner or later.
 */
#include "walk.h"

enum { BY_BYTE = 600, RECORD_LIMIT = 65544 + 16 };

/* Section 11: types that have a place, as bits. */
#define BIT(type) (1U << (type))

static const struct {
	enum hf_role role;
	enum hf__state state;
	unsigned legal; /* 0: nothing is taken */
} states[] = {
	{ HF_INITIATOR, HF__I_HELLO_SENT,
	    BIT(HF__OFFER) | BIT(HF__RETRY) | BIT(HF__ALERT) |
		BIT(HF__QUERY) },
	{ HF_INITIATOR, HF__I_TRUST, 0 },
	{ HF_INITIATOR, HF__I_REQUEST_SENT,
	    BIT(HF__GRANT) | BIT(HF__RETRY) | BIT(HF__ALERT) |
		BIT(HF__QUERY) },
	{ HF_INITIATOR, HF__OPEN, BIT(HF__RECORD) },
	{ HF_INITIATOR, HF__CLOSED, 0 },
	{ HF_INITIATOR, HF__FAILED, 0 },
	{ HF_RESPONDER, HF__R_START,
	    BIT(HF__HELLO) | BIT(HF__REQUEST) | BIT(HF__RESUME) |
		BIT(HF__ALERT) },
	{ HF_RESPONDER, HF__R_ADMIT, 0 },
	{ HF_RESPONDER, HF__R_OFFERED, BIT(HF__REQUEST) | BIT(HF__ALERT) },
	{ HF_RESPONDER, HF__R_TRUST, 0 },
	{ HF_RESPONDER, HF__R_GRANTED, BIT(HF__CONFIRM) | BIT(HF__ALERT) },
	{ HF_RESPONDER, HF__R_COMMIT, 0 },
	{ HF_RESPONDER, HF__OPEN, BIT(HF__RECORD) },
	{ HF_RESPONDER, HF__CLOSED, 0 },
	{ HF_RESPONDER, HF__FAILED, 0 },
};

struct stage {
	struct hf_session *i, *r, *s;
};

static void
open_both(struct stage *a)
{
	static uint8_t out[HF_MESSAGE_MAX];

	fuzz_give(a->r,
	    fuzz_run(out, sizeof(out), a->i, a->r, a->r, HF__R_GRANTED));
	MUST(hf_session_commit(a->r, HF_OK));
	CLAIM(a->i->state == HF__OPEN && a->r->state == HF__OPEN);
}

static void
close_both(struct stage *a)
{
	struct hf_session *side[2] = { a->i, a->r };
	enum hf_content content;
	static uint8_t out[512];
	struct hf_span data;
	unsigned n;

	open_both(a);
	for (n = 0; n < 2; n++) {
		MUST(hf_session_close(side[n]));
		fuzz_give(side[1 - n], fuzz_take(out, sizeof(out), side[n]));
		MUST(hf_session_recv(side[1 - n], &content, &data));
	}
}

/* By the path with an offer, and a single-use ticket. */
static void
bring(struct stage *a, enum hf_role role, enum hf__state state)
{
	static uint8_t out[HF_MESSAGE_MAX];

	a->i = fuzz_session(fuzz.i[3][0]);
	a->r = fuzz_session(fuzz.r);
	a->s = role == HF_INITIATOR ? a->i : a->r;
	if (state == HF__OPEN)
		open_both(a);
	else if (state == HF__CLOSED)
		close_both(a);
	else if (state == HF__FAILED)
		(void)!hf__fail(a->s, HF_E_DEADLINE);
	else if (state == HF__R_START)
		(void)fuzz_take(out, sizeof(out), a->i);
	else if (state == HF__R_ADMIT)
		fuzz_give(a->r, fuzz_take(out, sizeof(out), a->i));
	else
		(void)fuzz_run(out, sizeof(out), a->i, a->r, a->s, state);
	MUST(hf_session_drained(a->s, hf_session_output(a->s).len));
	CLAIM(a->s->state == state);
}

/* Steps 1 to 4; *end 0 where more is needed. */
static enum hf_err
judge(size_t *end, unsigned legal, struct hf_span in)
{
	*end = 0;
	if (legal == 0)
		return HF_E_STATE;
	if (in.len > 0 && (in.ptr[0] < 0x82 || in.ptr[0] > 0x8b))
		return HF_E_SHAPE;
	if (in.len < 2)
		return HF_OK;
	if (in.ptr[1] > 0x17)
		return HF_E_SHAPE;
	if ((legal & BIT(in.ptr[1])) == 0)
		return HF_E_UNEXPECTED;
	return walk(end, in, 0, 0,
	    in.ptr[1] == HF__RECORD ? RECORD_LIMIT : HF_MESSAGE_MAX);
}

static void
by_byte(struct hf_session *s, unsigned legal, struct hf_span in)
{
	enum hf_err e, expected;
	size_t k, used, end;

	for (k = 1; k <= in.len && k <= BY_BYTE; k++) {
		expected = judge(&end, legal, (struct hf_span){ in.ptr, k });
		e = hf_session_feed(s, &used, in.ptr + k - 1, 1);
		CLAIM(e != HF_OK || used == 1);
		if (end > 0) { /* whole: its parser has the word */
			CLAIM(end == k);
			return;
		}
		CLAIM(e == expected);
		if (e != HF_OK)
			return;
	}
}

static void
at_once(struct hf_session *s, unsigned legal, struct hf_span in)
{
	enum hf__state before = s->state;
	size_t used, end;
	enum hf_err expected = judge(&end, legal, in), e;

	e = hf_session_feed(s, &used, in.ptr, in.len);
	if (end > 0) {
		CLAIM(e != HF_OK || used == end);
		return;
	}
	CLAIM(e == expected);
	if (e == HF_OK)
		CLAIM(used == in.len && s->in.len == in.len);
	else if (e == HF_E_STATE)
		CLAIM(used == 0 && s->state == before);
	else
		CLAIM(s->state == HF__FAILED && s->in.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };
	struct stage a;
	unsigned n, way;

	fuzz_skip = SKIP_SEALS;
	fuzz_people();
	n = in_byte(&in) % HF__ARRAY_N(states);
	if (in.len == 0 || in.len > 2 * RECORD_LIMIT)
		return 0;
	for (way = 0; way < 2; way++) {
		fuzz_random(NULL, 0);
		bring(&a, states[n].role, states[n].state);
		(way == 0 ? at_once : by_byte)(a.s, states[n].legal, in);
		hf_session_free(a.i);
		hf_session_free(a.r);
	}
	return 0;
}
