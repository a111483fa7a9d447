/* SPDX-License-Identifier: ISC */
/*
 * A retry (spec section 4.3) at an initiator that sent a hello or a request:
 * it says the same anew, with the cookie, and does so once.
 */
#include "message.h"

static void
stage(struct act *a, unsigned choice)
{
	static const uint8_t retry[] = { 0x82, HF__RETRY, 0x41, 0x00 };

	act_until(a, choice, choice / 4, HF_INITIATOR,
	    choice & 8 && (choice & 4) == 0 ? HF__I_HELLO_SENT :
					      HF__I_REQUEST_SENT);
	a->said = (struct hf_span){ retry, sizeof(retry) };
}

static const char *
shape(const struct act *a)
{
	(void)a;
	return "[ =2 b1-64 ]";
}

static void
taken(const struct act *a, struct hf_span message)
{
	struct hf_span out = { act_out, act_out_len };
	struct hf_span cookie = { message.ptr + 2, message.len - 2 };

	CLAIM(a->s->hs->retried);
	CLAIM(memmem(out.ptr, out.len, cookie.ptr, cookie.len) != NULL);
	if (a->s->state == HF__I_HELLO_SENT)
		CLAIM(shape_fits("[ =0 =1 *1-8 u65535 t6-6 b1-64 e ]", out) ==
		    out.len);
	else
		CLAIM(shape_fits("[ =3 =1 u65535 b16-16 t6-6 b1-64 b32-32 "
				 "( n | b0-0 ) e b144-16384 ]",
			  out) == out.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, NULL, taken };

	return fuzz_message(&target, data, len);
}
