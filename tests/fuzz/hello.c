/* SPDX-License-Identifier: ISC */
/*
 * A hello (spec section 4.1) at a responder that waits for the first message:
 * it makes an offer of a suite in the list, or asks for a cookie.
 */
#include "message.h"

static void
stage(struct act *a, unsigned choice)
{
	a->i = fuzz_session(fuzz.i[choice % FUZZ_METHODS][0]);
	a->r = a->s = fuzz_session(fuzz.r);
	a->said = fuzz_take(act_said, sizeof(act_said), a->i);
	if (choice & 4)
		a->admission = HF_ADMIT_COOKIE;
}

static const char *
shape(const struct act *a)
{
	(void)a;
	return "[ =0 =1 *1-8 u65535 t0-255 ( n | b1-64 ) e ]";
}

/* The suite is the first in the list that the certificate has too, 1 or 2;
 * the target is the text behind the list. */
static void
check_fields(const struct hf_session *s, struct hf_span message)
{
	struct shape_at at = { message.ptr, message.len, 3 };
	struct hf_span target = hf_session_target(s);
	unsigned major, suite = 0;
	uint64_t n, k;

	CLAIM(shape_head(&at, &major, &n));
	for (; n > 0; n--) {
		CLAIM(shape_head(&at, &major, &k));
		if (suite == 0 && (k == 1 || k == 2) &&
		    hf__suite_find(k) != NULL)
			suite = (unsigned)k;
	}
	CLAIM(suite != 0 && (s->suite == NULL || s->suite->id == suite));
	CLAIM(shape_head(&at, &major, &n) && major == 3);
	CLAIM(target.len == n);
	CLAIM(n == 0 || memcmp(target.ptr, at.ptr + at.off, n) == 0);
}

static void
taken(const struct act *a, struct hf_span message)
{
	struct hf_span out = { act_out, act_out_len };

	if (a->s->state == HF__R_OFFERED) {
		CLAIM(shape_fits("[ =1 =1 u65535 *1-4 b1-2048 b32-32 e ]",
			  out) == out.len);
		CLAIM(a->s->suite->id == act_out[3]);
	} else {
		CLAIM(a->s->state == HF__R_START);
		CLAIM(shape_fits("[ =2 b24-24 ]", out) == out.len);
	}
	check_fields(a->s, message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, NULL, taken };

	return fuzz_message(&target, data, len);
}
