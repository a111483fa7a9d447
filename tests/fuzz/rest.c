/* SPDX-License-Identifier: ISC */
/*
 * A session at rest (spec section 21.5), its box as it is. Exactly those are
 * opened that have the shape, for the peer that is meant; what was opened is
 * sealed again as it was; and what wakes says the resume that stands there, or
 * its error is the first step's that it fails.
 */
#include "takeover.h"

#define SHAPE_REST "[ =1 t1-255 b16-16 u9007199254740992 b24-24 b16-3088 ]"
#define SHAPE_RESTED                                                       \
	"[ u65535 u2 u1 u4294967295 b32-32 u4294967295 " SHAPE_MARK        \
	" " SHAPE_MARK " " SHAPE_MARK " u281474976710656 u3 b32-32 t0-255" \
	" b1-2048 *1-4 b32-32 ]"

enum { REST_PEER = 1, REST_SID, REST_EXPIRES, REST_BOX = 5 };
enum {
	RESTED_SUITE,
	RESTED_MOBILITY,
	RESTED_EPOCH = 3,
	RESTED_SERIAL = 5,
	RESTED_SENT,
	RESTED_ACKED,
	RESTED_RECEIVED,
	RESTED_COVERED,
	RESTED_CLOSED,
	RESTED_SETTINGS,
	RESTED_TARGET,
	RESTED_LEAF,
	RESTED_ORIGINS
};

static const uint8_t key[HF_KEY_BYTES] = { 9 };

static bool
opens(struct hf_span object)
{
	struct hf_span plain;
	struct past sent, acked;

	if (object.len > HF_REST_MAX || !take_fits(SHAPE_REST, object) ||
	    !shape_is_name(shape_item(object, REST_PEER), "peer") ||
	    !take_verifies(object, REST_BOX))
		return false;
	plain = take_plain(object, REST_BOX);
	if (!take_fits(SHAPE_RESTED, plain) ||
	    shape_number(plain, RESTED_MOBILITY) == 0)
		return false;
	sent = past_of(plain, RESTED_SENT);
	acked = past_of(plain, RESTED_ACKED);
	if (acked.count == sent.count ?
		!past_same(&acked, &sent) :
		acked.count > sent.count || acked.bytes > sent.bytes)
		return false;
	return shape_number(plain, RESTED_COVERED) <=
	    past_of(plain, RESTED_RECEIVED).count;
}

static void
check_again(struct hf_span object)
{
	struct hf__rested r, back;
	uint8_t again[HF_REST_MAX];
	struct hf_span sealed = { again, 0 }, is, was;

	MUST(hf__rest_open(&r, "peer", object.ptr, object.len, key));
	MUST(hf__rest_seal(again, &sealed.len, &r, key));
	is = take_plain(sealed, REST_BOX);
	was = take_plain(object, REST_BOX);
	CLAIM(is.len == was.len && memcmp(is.ptr, was.ptr, is.len) == 0);
	MUST(hf__rest_open(&back, "peer", again, sealed.len, key));
	CLAIM(memcmp(&r, &back, sizeof(r)) == 0);
}

/* The steps of whoever wakes it; its CA is the CA of all, lists there are
 * none. */
static enum hf_err
steps(struct hf_span object, const uint8_t settings[32])
{
	struct hf_span plain = take_plain(object, REST_BOX), leaf;
	struct hf_span origins = shape_from(plain, RESTED_ORIGINS);
	size_t n = (size_t)shape_number(plain, RESTED_ORIGINS);
	struct hf_cert_info info;
	uint8_t ca[32];

	leaf = shape_item(plain, RESTED_LEAF);
	if (memcmp(shape_item(plain, RESTED_SETTINGS).ptr, settings, 32) !=
		0 ||
	    !hf_suite_available((int)shape_number(plain, RESTED_SUITE)) ||
	    hf_cert_read(&info, leaf.ptr, leaf.len) != HF_OK)
		return HF_E_ENTRY;
	if (shape_number(object, REST_EXPIRES) <= FUZZ_NOW)
		return HF_E_EXPIRED;
	hf_identity_public(ca, NULL, fuzz.ca);
	return memcmp(shape_item(origins, n - 1).ptr, ca, 16) == 0 ?
	    HF_OK :
	    HF_E_ISSUER;
}

/* What it says then. */
static void
check_resume(struct hf_session *s, struct hf_span object)
{
	struct hf_span plain = take_plain(object, REST_BOX), resume, told;
	struct past sent = past_of(plain, RESTED_SENT),
		    received = past_of(plain, RESTED_RECEIVED), is;
	uint8_t out[HF_MESSAGE_MAX];
	uint64_t serial = shape_number(plain, RESTED_SERIAL);
	enum hf_err e = hf_session_reconnect(s, 0, FUZZ_NOW);

	if (sodium_is_zero(shape_item(plain, 4).ptr, 32)) {
		CLAIM(e == HF_E_STATE); /* that is none */
		return;
	}
	CLAIM(e == (serial == UINT32_MAX ? HF_E_EXHAUSTED : HF_OK));
	if (e != HF_OK)
		return;
	resume = fuzz_take(out, sizeof(out), s);
	CLAIM(take_fits(SHAPE_RESUME, resume));
	CLAIM(memcmp(shape_item(resume, RESUME_SID).ptr,
		  shape_item(object, REST_SID).ptr, 16) == 0);
	CLAIM(shape_number(resume, RESUME_EPOCH) ==
	    shape_number(plain, RESTED_EPOCH));
	CLAIM(shape_number(resume, RESUME_SERIAL) == serial + 1);
	told = take_plain(resume, RESUME_BOX);
	is = past_of(told, TOLD_SENT);
	CLAIM(past_same(&is, &sent));
	is = past_of(told, TOLD_RECEIVED);
	CLAIM(past_same(&is, &received));
	CLAIM(shape_number(told, TOLD_CLOSED) ==
	    shape_number(plain, RESTED_CLOSED));
}

static void
check(struct hf_span object, struct hf_config *c, const uint8_t settings[32])
{
	bool good = opens(object);
	struct hf__rested r;
	struct hf_session *s;
	enum hf_err e;

	CLAIM(hf__rest_open(&r, "peer", object.ptr, object.len, key) ==
	    (good ? HF_OK : HF_E_ENTRY));
	if (good)
		check_again(object);
	e = hf_session_wake(&s, c, "peer", object.ptr, object.len, key,
	    FUZZ_NOW);
	CLAIM(e == (good ? steps(object, settings) : HF_E_ENTRY));
	CLAIM((s != NULL) == (e == HF_OK));
	if (e == HF_OK)
		check_resume(s, object);
	hf_session_free(s);
}

/* A session that was left as the choice says, at rest. */
static struct hf_span
leave(struct hf_config **c, uint8_t settings[32], unsigned choice)
{
	static uint8_t object[HF_REST_MAX];
	struct hf_span said = { object, 0 };
	enum leave how = choice >> 3 & 7;
	struct hf_session *i, *r;
	struct hf__rested rested;

	fuzz_random(NULL, 0);
	moving_open(&i, &r, choice % FUZZ_METHODS, choice >> 2 & 1);
	moving_before(i, r, how);
	moving_after(i, r, how);
	if (how >= LEAVE_UNCONFIRMED)
		moving_claimed(i, r, how);
	if (how == LEAVE_UNCONFIRMED)
		CLAIM(hf_session_eof(i) == HF_E_GONE);
	MUST(hf_session_rest(object, sizeof(object), &said.len, i, "peer",
	    key));
	MUST(hf__rest_open(&rested, "peer", object, said.len, key));
	memcpy(settings, rested.settings, 32);
	*c = i->config;
	hf_session_free(i);
	hf_session_free(r);
	return said;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };
	struct act a = { .admission = HF_ADMIT };
	struct hf_config *c;
	uint8_t settings[32];
	unsigned choice;

	fuzz_skip = SKIP_SEALS;
	fuzz_people();
	moving_make();
	choice = in_byte(&in);
	a.said = leave(&c, settings, choice);
	in = act_bytes(&a, in, choice);
	if (in.len > 0)
		check(in, c, settings);
	return 0;
}
