/* SPDX-License-Identifier: ISC */
/*
 * A grant (spec section 4.5) at an initiator that sent a request. Its box
 * holds the plaintext as it is; the session opens by no other one than the
 * specification's.
 */
#include "message.h"

static void
stage(struct act *a, unsigned choice)
{
	act_until(a, choice, choice >> 2, HF_INITIATOR, HF__I_REQUEST_SENT);
}

static const char *
shape(const struct act *a)
{
	return a->i->config->method == HF_METHOD_CERTIFICATE ?
	    "[ =4 =1 b32-32 b0-0 e b16-80 ]" :
	    "[ =4 =1 b32-32 n e b16-80 ]";
}

/* The lifetime is not 0. */
static bool
plain_fits(struct hf_span message)
{
	struct hf_span box = shape_item(message, 5);
	struct hf_span plain = { box.ptr, box.len - HF__TAG_BYTES };

	return shape_fits("[ b32-32 b16-16 u4294967295 u2 ]", plain) ==
	    plain.len &&
	    plain.len > 0 && plain.ptr[52] != 0;
}

static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	(void)a;
	if (e == HF_E_CBOR || e == HF_E_SHAPE)
		return !plain_fits(message);
	return e == HF_E_PUBLIC_KEY || (e == HF_E_BOX && fuzz_refused > 0);
}

static void
taken(const struct act *a, struct hf_span message)
{
	struct hf_span box = shape_item(message, 5), sid = hf_session_id(a->i);

	CLAIM(a->i->state == HF__OPEN && a->i->authenticated);
	CLAIM(plain_fits(message));
	CLAIM(memcmp(sid.ptr, box.ptr + 36, HF_SID_BYTES) == 0);
	CLAIM(hf_session_expires(a->i) > FUZZ_NOW &&
	    hf_session_expires(a->i) <= (uint64_t)FUZZ_NOW + UINT32_MAX);
	CLAIM(act_out_len == 19 && memcmp(act_out, "\x82\x05\x50", 3) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return fuzz_message(&target, data, len);
}
