/* SPDX-License-Identifier: ISC */
/*
 * A resume (spec section 17.2) at a responder that has the session's entry,
 * its box as it is: what comes of it is what the receiver's steps say, and
 * what is claimed and answered is what follows from both.
 */
#include "takeover.h"

static bool asked_cookie;

static void
stage(struct act *a, unsigned choice)
{
	moving_leave(a, choice);
	a->s = a->r;
	asked_cookie = (choice & 64) != 0;
	if (asked_cookie)
		a->admission = HF_ADMIT_COOKIE;
}

static const char *
shape(const struct act *a)
{
	(void)a;
	return SHAPE_RESUME;
}

static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	(void)a;
	return e == HF_E_SHAPE && shape_number(message, RESUME_SERIAL) == 0;
}

static void
taken(const struct act *a, struct hf_span message)
{
	struct hf_span out = { act_out, act_out_len };

	CLAIM(shape_number(message, RESUME_SERIAL) > 0);
	if (asked_cookie) {
		CLAIM(a->r->state == HF__R_START);
		CLAIM(take_fits("[ =2 b24-24 ]", out));
	} else
		check_taken(a->r, out, fuzz_entry, message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return moving_message(&target, data, len);
}
