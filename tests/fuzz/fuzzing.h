/* SPDX-License-Identifier: ISC */
/*
 * What the fuzzers share: people whose keys never change, randomness that
 * follows from the input alone, and sessions that are answered kindly. Since
 * every ephemeral is a function of the whole input, no input can hold a
 * genuine answer to it: what was recorded never fits again.
 */
#ifndef HANDFAST_FUZZING_H
#define HANDFAST_FUZZING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_skip.h"
#include "internal.h"
#include "session.h"

enum { FUZZ_NOW = 1800000000, FUZZ_SESSION_MAX = 262144, FUZZ_METHODS = 4 };

/* What must hold whatever arrives. */
#define CLAIM(holds)                                                       \
	do {                                                               \
		if (!(holds)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
			    #holds);                                       \
			abort();                                           \
		}                                                          \
	} while (0)
#define MUST(call) CLAIM((call) == HF_OK)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* --- the input, taken from the front -------------------------------------- */

static inline unsigned
in_byte(struct hf_span *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->ptr++;
}

static inline unsigned
in_word(struct hf_span *in)
{
	unsigned high = in_byte(in);

	return high << 8 | in_byte(in);
}

/* At most n bytes: what is there. */
static inline struct hf_span
in_span(struct hf_span *in, size_t n)
{
	struct hf_span out = { in->ptr, n < in->len ? n : in->len };

	in->ptr += out.len;
	in->len -= out.len;
	return out;
}

/* Changes bytes of a genuine message as the input says; 1 when any did. */
static inline int
fuzz_change(uint8_t *message, size_t len, struct hf_span *in)
{
	static uint8_t was[HF_MESSAGE_MAX];
	unsigned n = in_byte(in) % 8 + 1;
	size_t at;

	CLAIM(len <= sizeof(was));
	memcpy(was, message, len);
	while (n-- > 0) {
		at = in_word(in) % len;
		message[at] = (uint8_t)in_byte(in);
	}
	/* One byte may have been changed twice, and be what it was. */
	return memcmp(was, message, len) != 0;
}

/* --- randomness ------------------------------------------------------------ */

static struct {
	uint8_t key[32];
	uint64_t counter;
} fuzz_source;

static inline const char *
fuzz_random_name(void)
{
	return "fuzz";
}

static inline void
fuzz_random_buf(void *const out, const size_t len)
{
	uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = { 0 };

	memcpy(nonce, &fuzz_source.counter, sizeof(nonce));
	fuzz_source.counter++;
	CLAIM(crypto_stream_chacha20(out, len, nonce, fuzz_source.key) == 0);
}

static inline uint32_t
fuzz_random_word(void)
{
	uint32_t word;

	fuzz_random_buf(&word, sizeof(word));
	return word;
}

static inline void
fuzz_random(const uint8_t *data, size_t len)
{
	hf__hash(fuzz_source.key, data, len);
	fuzz_source.counter = 0;
}

/* --- people ------------------------------------------------------------------ */

static const enum hf_method fuzz_method[FUZZ_METHODS] = {
	HF_METHOD_CERTIFICATE, HF_METHOD_PASSWORD, HF_METHOD_PLAIN_PASSWORD,
	HF_METHOD_TICKET
};

static struct {
	struct hf_identity *ca, *alice, *server;
	uint8_t ca_bytes[HF_CERT_MAX], bytes[2][HF_CERT_MAX], ticket[2048];
	size_t ca_len, ticket_len;
	struct hf_span alice_cert, server_cert;
	struct hf_trust *trust;
	struct hf_ring *ring;
	struct hf_config *r;
	struct hf_config *i[FUZZ_METHODS][2]; /* the certificate is known */
	uint8_t stretched[32], verifier[32];
} fuzz;

static inline struct hf_identity *
fuzz_identity(int byte)
{
	uint8_t seed[HF_SEED_BYTES];
	struct hf_identity *id;

	memset(seed, byte, sizeof(seed));
	MUST(hf_identity_new(&id, seed));
	return id;
}

static inline void
fuzz_name(struct hf_name *name, const char *text)
{
	name->len = strlen(text);
	memcpy(name->text, text, name->len + 1);
}

static inline struct hf_cert_info
fuzz_terms(const char *subject, unsigned usage)
{
	struct hf_cert_info terms = { .issued = FUZZ_NOW,
		.not_before = FUZZ_NOW - 100,
		.not_after = FUZZ_NOW + 100000,
		.usage = usage,
		.path_length = -1,
		.suites = { 1, 2 },
		.suites_n = usage == HF_USAGE_CA ? 0 : 2 };

	fuzz_name(&terms.subject, subject);
	return terms;
}

static inline struct hf_span
fuzz_certify(uint8_t out[HF_CERT_MAX], const struct hf_identity *id,
    const char *subject, unsigned usage)
{
	struct hf_cert_info terms = fuzz_terms(subject, usage);
	struct hf_span cert = { out, 0 };
	uint8_t request[HF_CERT_MAX];
	size_t len;

	fuzz_name(&terms.realm, "realm");
	MUST(hf_request_make(request, sizeof(request), &len, id, &terms,
	    FUZZ_NOW));
	MUST(hf_cert_issue(out, HF_CERT_MAX, &cert.len, fuzz.ca, fuzz.ca_bytes,
	    fuzz.ca_len, &terms, request, len));
	return cert;
}

static inline void
fuzz_objects(void)
{
	struct hf_cert_info terms = fuzz_terms("CA", HF_USAGE_CA);
	struct hf_ticket_info info = { .issued = FUZZ_NOW,
		.expires = FUZZ_NOW + 1000,
		.first_auth = FUZZ_NOW,
		.single_use = 1 };

	fuzz.ca = fuzz_identity(1);
	fuzz.alice = fuzz_identity(2);
	fuzz.server = fuzz_identity(3);
	MUST(hf_cert_self(fuzz.ca_bytes, sizeof(fuzz.ca_bytes), &fuzz.ca_len,
	    fuzz.ca, &terms));
	MUST(hf_trust_new(&fuzz.trust));
	MUST(hf_trust_add_ca(fuzz.trust, fuzz.ca_bytes, fuzz.ca_len));
	fuzz.alice_cert = fuzz_certify(fuzz.bytes[0], fuzz.alice, "alice",
	    HF_USAGE_INITIATOR);
	fuzz.server_cert = fuzz_certify(fuzz.bytes[1], fuzz.server, "server",
	    HF_USAGE_RESPONDER);
	MUST(hf_ring_new(&fuzz.ring));
	MUST(hf_ring_rotate(fuzz.ring, FUZZ_NOW));
	fuzz_name(&info.subject, "alice");
	fuzz_name(&info.audience, "server");
	MUST(hf_ticket_issue(fuzz.ticket, sizeof(fuzz.ticket),
	    &fuzz.ticket_len, fuzz.ring, &info));
	memset(fuzz.stretched, 0x5a, sizeof(fuzz.stretched));
	MUST(hf_password_verifier(fuzz.verifier, fuzz.stretched));
}

static inline struct hf_config *
fuzz_initiator(enum hf_method method, int known)
{
	struct hf_config *c;

	MUST(hf_config_new(&c, HF_INITIATOR));
	MUST(hf_config_trust(c, fuzz.trust));
	MUST(hf_config_cache(c, 0));
	MUST(hf_config_expect(c, "server"));
	MUST(hf_config_target(c, "target"));
	if (method == HF_METHOD_CERTIFICATE)
		MUST(hf_config_identity(c, fuzz.alice, &fuzz.alice_cert, 1));
	else if (method == HF_METHOD_TICKET)
		MUST(hf_config_ticket(c, fuzz.ticket, fuzz.ticket_len));
	else
		MUST(hf_config_user(c, "alice", method));
	if (known) {
		MUST(hf_config_responder(c, &fuzz.server_cert, 1));
		MUST(hf_config_without_prekey(c, 1));
	}
	return c;
}

/* Everybody, made at the first input. */
static inline void
fuzz_people(void)
{
	static struct randombytes_implementation source = {
		.implementation_name = fuzz_random_name,
		.random = fuzz_random_word,
		.buf = fuzz_random_buf,
	};
	unsigned m;

	if (fuzz.r != NULL)
		return;
	CLAIM(randombytes_set_implementation(&source) == 0);
	MUST(hf_init());
	fuzz_objects();
	for (m = 0; m < FUZZ_METHODS; m++) {
		fuzz.i[m][0] = fuzz_initiator(fuzz_method[m], 0);
		fuzz.i[m][1] = fuzz_initiator(fuzz_method[m], 1);
	}
	MUST(hf_config_new(&fuzz.r, HF_RESPONDER));
	MUST(hf_config_trust(fuzz.r, fuzz.trust));
	MUST(hf_config_cache(fuzz.r, 0));
	MUST(hf_config_identity(fuzz.r, fuzz.server, &fuzz.server_cert, 1));
	MUST(hf_config_accept(fuzz.r, 15));
	MUST(hf_config_ring(fuzz.r, fuzz.ring));
}

/* --- sessions ------------------------------------------------------------------ */

static inline struct hf_session *
fuzz_session(struct hf_config *c)
{
	struct hf_session *s;

	MUST(hf_session_new(&s, c, 0, FUZZ_NOW));
	if (c == fuzz.r)
		MUST(hf_session_source(s, (const uint8_t *)"source", 6));
	return s;
}

/* What a store has of the session that is asked for; no bytes: nothing. */
static struct hf_span fuzz_entry;

/* Whatever the session asks is granted; a password is the right one. */
static inline enum hf_err
fuzz_answer(struct hf_session *s)
{
	switch (hf_session_want(s)) {
	case HF_WANT_ADMIT:
		return hf_session_admit(s, HF_ADMIT);
	case HF_WANT_COMMIT:
		return hf_session_commit(s, HF_OK);
	case HF_WANT_STATE:
		return hf_session_supply(s,
		    fuzz_entry.len > 0 ? HF_OK : HF_E_NO_SESSION,
		    fuzz_entry.ptr, fuzz_entry.len);
	case HF_WANT_TRUST:
		if (s->config->role == HF_RESPONDER)
			return s->method == HF_METHOD_PASSWORD &&
				(s->move == NULL || s->move->claim == NULL) ?
			    hf_session_verify(s, fuzz.verifier) :
			    hf_session_trust(s, HF_OK);
		if (s->config->method == HF_METHOD_PASSWORD)
			return hf_session_stretched(s, fuzz.stretched);
		if (s->config->method == HF_METHOD_PLAIN_PASSWORD)
			return hf_session_password(s, "secret", 6);
		return hf_session_trust(s, HF_OK);
	default:
		return HF_E_STATE;
	}
}

/* All that a session has to say. */
static inline struct hf_span
fuzz_take(uint8_t *out, size_t cap, struct hf_session *s)
{
	struct hf_span all = { out, 0 };

	MUST(hf_session_drain(s, out, cap, &all.len));
	return all;
}

static inline void
fuzz_bounded(const struct hf_session *s)
{
	CLAIM(hf_session_bytes(s) <= FUZZ_SESSION_MAX);
}

/* Feeds in pieces of that size (0: in one), answering on the way; what the
 * session says is thrown away. Stops where it reads no more. */
static inline void
fuzz_feed(struct hf_session *s, struct hf_span data, size_t piece)
{
	size_t used, take;
	enum hf_err e;

	for (;;) {
		do {
			fuzz_bounded(s);
			MUST(hf_session_drained(s, hf_session_output(s).len));
		} while (fuzz_answer(s) == HF_OK);
		if (data.len == 0 || hf_session_want(s) != HF_WANT_READ)
			return;
		take = piece == 0 || piece > data.len ? data.len : piece;
		e = hf_session_feed(s, &used, data.ptr, take);
		CLAIM(used <= take && (used > 0 || e != HF_OK));
		(void)in_span(&data, used);
	}
}

/* Nobody showed who he is: nothing may be open, known or released. */
static inline void
fuzz_stranger(struct hf_session *s)
{
	enum hf_want want = hf_session_want(s);
	enum hf_content content;
	struct hf_span data;
	struct hf_peer peer;
	uint8_t key[32];

	MUST(hf_session_peer(&peer, s));
	CLAIM(!peer.authenticated);
	CLAIM(want != HF_WANT_DONE && want != HF_WANT_RECV &&
	    want != HF_WANT_COMMIT && want != HF_WANT_CLOSED);
	CLAIM((want == HF_WANT_FAILED) == (hf_session_error(s) != HF_OK));
	CLAIM(hf_session_recv(s, &content, &data) == HF_E_STATE);
	CLAIM(hf_session_export(key, 32, s, "x", NULL, 0) == HF_E_STATE);
	CLAIM(hf_session_send(s, key, 32) == HF_E_STATE);
}

/* A genuine message, which must be taken. */
static inline void
fuzz_give(struct hf_session *s, struct hf_span message)
{
	size_t used;

	if (message.len == 0)
		return;
	MUST(hf_session_feed(s, &used, message.ptr, message.len));
	CLAIM(used == message.len);
}

/* Runs the two until the wanted one is where it wants bytes of the other that
 * are ready: these are taken and not fed. */
static inline struct hf_span
fuzz_run(uint8_t *out, size_t cap, struct hf_session *i, struct hf_session *r,
    struct hf_session *wanted, enum hf__state state)
{
	struct hf_session *side[2] = { i, r }, *from, *to;
	struct hf_span said = { out, 0 };
	unsigned turn;

	for (turn = 0; turn < 20; turn++) {
		from = side[turn % 2];
		to = side[(turn + 1) % 2];
		while (!(from == wanted && from->state == state) &&
		    fuzz_answer(from) == HF_OK)
			;
		said = fuzz_take(out, cap, from);
		if (wanted->state == state &&
		    (!hf__state_reads(state) || to == wanted))
			return said;
		fuzz_give(to, said);
	}
	abort();
}

#endif
