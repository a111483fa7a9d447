/* SPDX-License-Identifier: ISC */
/*
 * A confirm (spec section 4.6) at a responder that made a grant, and what
 * follows it in the stream.
 */
#include "message.h"

static void
stage(struct act *a, unsigned choice)
{
	act_until(a, choice, choice >> 2, HF_RESPONDER, HF__R_GRANTED);
}

static const char *
shape(const struct act *a)
{
	(void)a;
	return "[ =5 b16-16 ]";
}

static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	(void)a;
	return e == HF_E_BOX && fuzz_refused > 0 &&
	    message.ptr[message.len - 1] == SKIP_REFUSED;
}

static void
taken(const struct act *a, struct hf_span message)
{
	CLAIM(message.len == 19);
	CLAIM(a->r->state == HF__OPEN && a->r->authenticated);
	CLAIM(act_out_len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return fuzz_message(&target, data, len);
}
