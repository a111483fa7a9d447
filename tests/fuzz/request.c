/* SPDX-License-Identifier: ISC */
/*
 * A request (spec section 4.4) at a responder, at the start or after an offer.
 * Its box holds the plaintext as it is, so that tokens of every kind are
 * reached; what was opened is held to its own shape.
 */
#include "message.h"

#define PLAIN                                                \
	"[ b32-32 ( [ =1 *1-4 b1-2048 ] | [ =2 i b32-32 ] |" \
	" [ =3 i t1-1024 ] | [ =4 b1-1024 ] ) u18446744073709551615 n z0-256 ]"

enum { TOKEN_AT = 35 }; /* in the plaintext */

static void
stage(struct act *a, unsigned choice)
{
	a->i = fuzz_session(fuzz.i[choice % FUZZ_METHODS][choice >> 2 & 1]);
	a->r = a->s = fuzz_session(fuzz.r);
	a->said = fuzz_run(act_said, sizeof(act_said), a->i, a->r, a->r,
	    a->i->state == HF__I_HELLO_SENT ? HF__R_OFFERED : HF__R_START);
	if (choice & 8)
		a->admission = HF_ADMIT_COOKIE;
}

static bool
offered(const struct act *a)
{
	return a->i->prekey;
}

static const char *
shape(const struct act *a)
{
	return offered(a) ? "[ =3 =1 u65535 b16-16 t0-255 ( n | b1-64 ) "
			    "b32-32 b0-0 e b144-16384 ]" :
			    "[ =3 =1 u65535 b16-16 t0-255 ( n | b1-64 ) "
			    "b32-32 n e b144-16384 ]";
}

/* After an offer the target must be the hello's. */
static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	struct hf_span target = shape_item(message, 4);

	if (e == HF_E_SHAPE)
		return offered(a) &&
		    (target.len != 6 || memcmp(target.ptr, "target", 6) != 0);
	return e == HF_E_SUITE || e == HF_E_UNKNOWN_KEY;
}

static void
check_granted(const struct hf_session *r, struct hf_span plain)
{
	static const enum hf_method methods[] = { HF_METHOD_CERTIFICATE,
		HF_METHOD_PASSWORD, HF_METHOD_PLAIN_PASSWORD,
		HF_METHOD_TICKET };
	struct shape_at at = { plain.ptr, plain.len, TOKEN_AT };
	struct hf_span out = { act_out, act_out_len };
	unsigned major;
	uint64_t time;

	CLAIM(shape_skip(&at) && shape_head(&at, &major, &time));
	CLAIM(time >= FUZZ_NOW - 120 && time <= FUZZ_NOW + 120);
	CLAIM(r->method == methods[plain.ptr[TOKEN_AT + 1] - 1]);
	CLAIM(shape_fits(r->method == HF_METHOD_CERTIFICATE ?
		      "[ =4 =1 b32-32 b0-0 e b70-80 ]" :
		      "[ =4 =1 b32-32 n e b70-80 ]",
		  out) == out.len);
	CLAIM(r->name[0] != '\0' && !r->authenticated);
}

static void
taken(const struct act *a, struct hf_span message)
{
	struct hf_span box = shape_item(message, 9);
	struct hf_span plain = { box.ptr, box.len - HF__TAG_BYTES };
	enum hf_err e = hf_session_error(a->r);
	bool fits;

	if (e == HF_OK && a->r->state != HF__R_GRANTED) {
		CLAIM(
		    a->r->state == (offered(a) ? HF__R_OFFERED : HF__R_START));
		return; /* it was asked for a cookie */
	}
	fits = shape_fits(PLAIN, plain) == plain.len &&
	    plain.len % HF__PAD_BYTES == 0;
	if (a->r->state == HF__R_GRANTED) {
		CLAIM(fits);
		check_granted(a->r, plain);
	} else if (fits && plain.ptr[TOKEN_AT] == 0x83) {
		/* The others hold objects that are not well formed. */
		CLAIM(!act_of_shape(e));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return fuzz_message(&target, data, len);
}
