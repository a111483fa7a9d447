/* SPDX-License-Identifier: ISC */
/*
 * An initiator that waits for an offer or a grant, and somebody who says what
 * he likes: raw bytes, a genuine offer with bytes changed, or a grant sealed
 * by the true responder with a plaintext of the fuzzer. Only the last can be
 * accepted, and only when it says what a grant says.
 */
#include "fuzzing.h"
#include "craft.h"

enum { OFFER, CHANGED_OFFER, GRANT, CHANGED_GRANT, SEALED_GRANT, WAYS };

/* session_key, session_id, lifetime, mobility: in the one encoding. */
static void
check_plain(const struct hf_session *i, struct hf_span plain)
{
	static const uint8_t start[] = { 0x84, 0x58, 0x20 };
	struct hf_span sid = hf_session_id(i);

	CLAIM(plain.len >= 54 && plain.len <= 58);
	CLAIM(memcmp(plain.ptr, start, sizeof(start)) == 0);
	CLAIM(plain.ptr[35] == 0x50);
	CLAIM(sid.len == 16 && memcmp(sid.ptr, plain.ptr + 36, 16) == 0);
	CLAIM(plain.ptr[plain.len - 1] <= HF_MOVES_PROVED);
	CLAIM(hf_session_expires(i) > FUZZ_NOW);
	CLAIM(hf_session_expires(i) <= (uint64_t)FUZZ_NOW + UINT32_MAX);
}

static void
feed_sealed(struct hf_session *i, struct hf_session *r, struct hf_span in)
{
	struct hf_span plain = in_span(&in, in_byte(&in) % 80);
	struct craft craft = { .pair = { { 1 }, { 0 } } };
	uint8_t out[512];
	size_t len = 0, used;

	MUST(hf__kem_x25519.pair(&craft.pair, craft.pair.sk));
	MUST(craft_grant(out, sizeof(out), &len, r, &craft, plain));
	if (hf_session_feed(i, &used, out, len) != HF_OK) {
		fuzz_stranger(i);
		return;
	}
	CLAIM(used == len && i->state == HF__OPEN && i->authenticated);
	check_plain(i, plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len }, said;
	static uint8_t out[HF_MESSAGE_MAX];
	struct hf_session *i, *r;
	unsigned choice, way;
	size_t piece, used;

	fuzz_people();
	fuzz_random(data, len);
	choice = in_byte(&in);
	way = choice % WAYS;
	piece = in_byte(&in) % 64;
	i = fuzz_session(fuzz.i[choice / WAYS % FUZZ_METHODS][choice >> 7]);
	r = fuzz_session(fuzz.r);
	if (way <= CHANGED_OFFER && i->state != HF__I_HELLO_SENT)
		way = way == OFFER ? GRANT : CHANGED_GRANT;
	if (way <= CHANGED_OFFER) {
		said = fuzz_run(out, sizeof(out), i, r, i, HF__I_HELLO_SENT);
		if (way == CHANGED_OFFER && fuzz_change(out, said.len, &in))
			(void)!hf_session_feed(i, &used, out, said.len);
	} else if (way == SEALED_GRANT) {
		(void)fuzz_run(out, sizeof(out), i, r, r, HF__R_TRUST);
		feed_sealed(i, r, in);
		goto done;
	} else {
		said = fuzz_run(out, sizeof(out), i, r, i, HF__I_REQUEST_SENT);
		if (way == CHANGED_GRANT && fuzz_change(out, said.len, &in))
			(void)!hf_session_feed(i, &used, out, said.len);
	}
	fuzz_feed(i, in, piece);
	fuzz_stranger(i);
done:
	fuzz_bounded(i);
	hf_session_free(i);
	hf_session_free(r);
	return 0;
}
