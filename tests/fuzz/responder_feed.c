/* SPDX-License-Identifier: ISC */
/*
 * A responder and somebody who says what he likes: from the start, after an
 * offer, or sealed in a request as one who knows the certificate may. Nobody
 * may be authenticated, whatever the application grants.
 */
#include "fuzzing.h"
#include "craft.h"

enum {
	RAW,
	AFTER_OFFER,
	AFTER_GRANT,
	SEALED_TOKEN,
	SEALED_PLAIN,
	CHANGED_TOKEN,
	WAYS
};

/* The token that the initiator would send, changed as the input says. */
static struct hf_span
changed_token(uint8_t *out, size_t cap, const struct hf_session *i,
    struct hf_span *in)
{
	struct hf__token token = { .method = i->config->method,
		.chain = { fuzz.alice_cert },
		.chain_n = 1,
		.user = { (const uint8_t *)"alice", 5 },
		.password = { fuzz.stretched, 32 },
		.ticket = i->config->ticket_file.ticket };
	struct hf__writer w;

	hf__write_init(&w, out, cap);
	hf__token_write(&w, &token);
	MUST(w.err);
	(void)fuzz_change(out, w.len, in);
	return (struct hf_span){ out, w.len };
}

/* A request whose token, or whole plaintext, is the fuzzer's. */
static void
feed_sealed(struct hf_session *i, struct hf_session *r, struct hf_span *in,
    unsigned way)
{
	uint8_t token[HF_CERT_MAX + 8], buf[12000], out[HF_MESSAGE_MAX];
	struct craft craft = { .pair = { { 1 }, { 0 } } };
	struct hf_span plain;
	size_t len = 0;

	if (way == CHANGED_TOKEN)
		plain = changed_token(token, sizeof(token), i, in);
	else
		plain = in_span(in, in_word(in) % 8192);
	if (way != SEALED_PLAIN) {
		if (plain.len == 0)
			return;
		MUST(craft_plain(buf, sizeof(buf), &len, plain, FUZZ_NOW));
		plain = (struct hf_span){ buf, len };
	}
	MUST(hf__kem_x25519.pair(&craft.pair, craft.pair.sk));
	MUST(craft_request(out, sizeof(out), &len, i, &craft, plain));
	fuzz_feed(r, (struct hf_span){ out, len }, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };
	static uint8_t out[HF_MESSAGE_MAX];
	struct hf_session *i, *r;
	unsigned choice, way;
	size_t piece;

	fuzz_people();
	fuzz_random(data, len);
	choice = in_byte(&in);
	way = choice % WAYS;
	piece = in_byte(&in) % 64;
	i = fuzz_session(fuzz.i[choice / WAYS % FUZZ_METHODS][choice >> 7]);
	r = fuzz_session(fuzz.r);
	if (way == AFTER_OFFER && i->state == HF__I_HELLO_SENT)
		(void)fuzz_run(out, sizeof(out), i, r, r, HF__R_OFFERED);
	else if (way == AFTER_GRANT)
		(void)fuzz_run(out, sizeof(out), i, r, r, HF__R_GRANTED);
	else if (way >= SEALED_TOKEN) {
		if (i->state == HF__I_HELLO_SENT)
			(void)fuzz_run(out, sizeof(out), i, r, i, HF__I_TRUST);
		feed_sealed(i, r, &in, way);
	}
	fuzz_feed(r, in, piece);
	fuzz_stranger(r);
	hf_session_free(i);
	hf_session_free(r);
	return 0;
}
