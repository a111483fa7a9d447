/* SPDX-License-Identifier: ISC */
/*
 * Sessions under memcheck: handshakes by every token, on both paths, with both
 * suites; records; what does not open. What goes over the wire is public from
 * then on. See secrets.c.
 */
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static const char plain_password[] = "pass phrase";

/* What goes out is public from then on. */
static void
say(struct blob *b, struct hf_session *s)
{
	struct hf_span out = hf_session_output(s);

	not_secret(out.ptr, out.len);
	take(b, s);
}

/* The initiator gives its token: this makes the request. */
static enum hf_err
give_token(void)
{
	char typed[sizeof(plain_password)];

	switch (w.i->method) {
	case HF_METHOD_PASSWORD:
		return hf_session_stretched(p.i, w.stretched);
	case HF_METHOD_PLAIN_PASSWORD:
		memcpy(typed, plain_password, sizeof(typed));
		secret(typed, sizeof(typed) - 1);
		return hf_session_password(p.i, typed, sizeof(typed) - 1);
	default:
		return hf_session_trust(p.i, HF_OK);
	}
}

/* The responder judges it: this makes the grant. */
static enum hf_err
judge_token(void)
{
	if (p.r->method == HF_METHOD_PASSWORD)
		return hf_session_verify(p.r, w.verifier);
	return hf_session_trust(p.r, HF_OK);
}

/* The keys in an opened request are secrets again. */
static void
secret_request(void)
{
	secret(p.r->hs->transport_key, 32);
	if (p.r->method == HF_METHOD_PASSWORD ||
	    p.r->method == HF_METHOD_PLAIN_PASSWORD)
		secret(p.r->hs->token.password.ptr,
		    p.r->hs->token.password.len);
	if (p.r->method == HF_METHOD_TICKET)
		secret(p.r->hs->pop, sizeof(p.r->hs->pop));
}

/* Up to the request, which is left in b. */
static void
asked(struct blob *b)
{
	if (p.i->state == HF__I_HELLO_SENT) {
		say(b, p.i);
		assert_ok(give(p.r, b->bytes, b->len));
		assert_ok(hf_session_admit(p.r, HF_ADMIT));
		say(b, p.r);
		assert_ok(give(p.i, b->bytes, b->len));
	}
	assert_ok(give_token());
	say(b, p.i);
}

/* Up to the responder's trust. */
static void
opened(void)
{
	struct blob b;

	asked(&b);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(hf_session_admit(p.r, HF_ADMIT));
	secret_request();
}

/* Up to confirm, which is left in b. */
static void
confirmed(struct blob *b)
{
	opened();
	assert_ok(judge_token());
	say(b, p.r);
	assert_ok(give(p.i, b->bytes, b->len));
	say(b, p.i);
}

static void
established(void)
{
	struct blob b;

	confirmed(&b);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_int_equal(p.i->state, HF__OPEN);
	assert_int_equal(p.r->state, HF__OPEN);
}

static void
handshake(void)
{
	established();
	leak_at(POINT_RESULT, p.i->secrets.exporter, 32);
}

/* --- records ------------------------------------------------------------------- */

static void
one_record(struct hf_session *from, struct hf_session *to, size_t len)
{
	uint8_t data[600] = { 0 };
	enum hf_content content;
	struct hf_span got;
	struct blob b;

	secret(data, len);
	assert_ok(hf_session_send(from, data, len));
	say(&b, from);
	assert_ok(give(to, b.bytes, b.len));
	assert_ok(hf_session_recv(to, &content, &got));
	assert_int_equal(got.len, len);
}

/* Small and usual heads, both ways, and over the ratchet. */
static void
records(void)
{
	struct blob b;

	one_record(p.i, p.r, 1);
	one_record(p.r, p.i, 600);
	p.i->send.seq = p.r->recv.seq = HF__RATCHET_RECORDS - 1;
	one_record(p.i, p.r, 100);
	one_record(p.i, p.r, 100);
	leak_at(POINT_RESULT, p.i->send.ratchet, 32);
	assert_ok(hf_session_close(p.i));
	say(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
}

static void
exporter(void)
{
	uint8_t exported[80], context[16] = { 0 };

	secret(context, sizeof(context));
	assert_ok(hf_session_export(exported, sizeof(exported), p.i, "x",
	    context, sizeof(context)));
	leak_at(POINT_RESULT, exported, sizeof(exported));
}

/* A ticket in a record: made, sealed, carried, read. */
static void
session_ticket(void)
{
	enum hf_content content;
	struct hf_span got;
	struct blob b;

	assert_ok(hf_session_issue_ticket(p.r, 60, 600, 0));
	say(&b, p.r);
	assert_ok(give(p.i, b.bytes, b.len));
	assert_ok(hf_session_recv(p.i, &content, &got));
	assert_int_equal(content, HF_CONTENT_TICKET);
}

/* --- what is refused -------------------------------------------------------------- */

static void
password_wrong(void)
{
	uint8_t other[HF_KEY_BYTES];

	memcpy(other, w.verifier, sizeof(other));
	other[31] ^= 1;
	assert_err(hf_session_verify(p.r, other), HF_E_PASSWORD);
}

static void
password_unknown(void)
{
	assert_err(hf_session_verify(p.r, NULL), HF_E_PASSWORD);
}

static void
bad_request(void)
{
	struct blob b;

	asked(&b);
	b.bytes[b.len - 1] ^= 1;
	assert_ok(give(p.r, b.bytes, b.len));
	assert_err(hf_session_admit(p.r, HF_ADMIT), HF_E_BOX);
}

static void
bad_grant(void)
{
	struct blob b;

	assert_ok(judge_token());
	say(&b, p.r);
	b.bytes[b.len - 1] ^= 1;
	assert_err(give(p.i, b.bytes, b.len), HF_E_BOX);
}

static void
bad_confirm(void)
{
	struct blob b;

	confirmed(&b);
	b.bytes[b.len - 1] ^= 1;
	assert_err(give(p.r, b.bytes, b.len), HF_E_BOX);
}

static void
bad_record(void)
{
	uint8_t data[300] = { 0 };
	struct blob b;

	secret(data, sizeof(data));
	assert_ok(hf_session_send(p.i, data, sizeof(data)));
	say(&b, p.i);
	b.bytes[9] ^= 1;
	assert_err(give(p.r, b.bytes, b.len), HF_E_BOX);
}

/* A request for another key of the responder. */
static void
bad_key_id(void)
{
	struct blob b;

	asked(&b);
	b.bytes[5] ^= 1;
	assert_err(give(p.r, b.bytes, b.len), HF_E_UNKNOWN_KEY);
}

/* Genuine, then with one bit of its hash turned round. */
static void
cookies(void)
{
	struct blob b, cookie;

	asked(&b);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(hf_session_admit(p.r, HF_ADMIT_COOKIE));
	say(&cookie, p.r);
	assert_ok(give(p.i, cookie.bytes, cookie.len));
	say(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_true(hf_session_cookie_shown(p.r));
	pair_free(&p);
	pair_make(&p, &w);
	b.bytes[40] ^= 1;
	assert_ok(give(p.r, b.bytes, b.len));
	assert_false(hf_session_cookie_shown(p.r));
}

/* --- the list ----------------------------------------------------------------------- */

enum {
	CHACHA = 1,
	AES = 2,
	ALL = POINT_DH | POINT_PAIR | POINT_SEAL | POINT_OPEN | POINT_HASH |
	    POINT_MAC | POINT_KDF | POINT_COMPARE | POINT_RESULT,
	SOME = POINT_DH | POINT_COMPARE | POINT_RESULT,
	/* libsodium compares an AES tag within: see memcheck.supp */
	RECORDS = POINT_SEAL | POINT_OPEN | POINT_KDF | POINT_RESULT
};

#define MEET(m, k, s)                                               \
	{                                                           \
		.method = HF_METHOD_##m, .known = (k), .suite = (s) \
	}
#define WAYS(name, m)                                                       \
	{ "handshake/" name "/offer/chacha20poly1305", NULL, handshake,     \
		MEET(m, 0, CHACHA), ALL },                                  \
	    { "handshake/" name "/offer/aes256gcm", NULL, handshake,        \
		    MEET(m, 0, AES), SOME },                                \
	    { "handshake/" name "/known/chacha20poly1305", NULL, handshake, \
		    MEET(m, 1, CHACHA), SOME },                             \
	{                                                                   \
		"handshake/" name "/known/aes256gcm", NULL, handshake,      \
		    MEET(m, 1, AES), SOME                                   \
	}

/* clang-format off */
const struct ct_case session_cases[] = {
	WAYS("certificate", CERTIFICATE),
	WAYS("password", PASSWORD),
	WAYS("ticket", TICKET),
	/* A plain password always goes to a prekey. */
	{ "handshake/plain-password/offer/chacha20poly1305", NULL, handshake,
	    MEET(PLAIN_PASSWORD, 0, CHACHA), ALL },
	{ "handshake/plain-password/offer/aes256gcm", NULL, handshake,
	    MEET(PLAIN_PASSWORD, 0, AES), SOME },
	{ "records/chacha20poly1305", established, records, MEET(CERTIFICATE, 1, CHACHA),
	    RECORDS | POINT_COMPARE },
	{ "records/aes256gcm", established, records, MEET(CERTIFICATE, 1, AES), RECORDS },
	{ "exporter", established, exporter, MEET(CERTIFICATE, 1, CHACHA),
	    POINT_MAC | POINT_HASH | POINT_RESULT },
	{ "ticket/in-session", established, session_ticket, MEET(TICKET, 1, CHACHA),
	    POINT_SEAL | POINT_OPEN },
	{ "password/wrong", opened, password_wrong, MEET(PASSWORD, 1, CHACHA),
	    POINT_COMPARE | POINT_HASH },
	{ "password/unknown-user", opened, password_unknown, MEET(PASSWORD, 1, CHACHA),
	    POINT_COMPARE | POINT_HASH },
	{ "refused/request", NULL, bad_request, MEET(TICKET, 1, CHACHA),
	    POINT_COMPARE | POINT_OPEN },
	{ "refused/grant", opened, bad_grant, MEET(CERTIFICATE, 1, CHACHA),
	    POINT_COMPARE | POINT_OPEN },
	{ "refused/confirm", NULL, bad_confirm, MEET(CERTIFICATE, 1, CHACHA),
	    POINT_COMPARE | POINT_OPEN },
	{ "refused/record/chacha20poly1305", established, bad_record,
	    MEET(CERTIFICATE, 1, CHACHA), POINT_COMPARE | POINT_OPEN },
	{ "refused/record/aes256gcm", established, bad_record, MEET(CERTIFICATE, 1, AES),
	    POINT_OPEN },
	{ "refused/key-id", NULL, bad_key_id, MEET(CERTIFICATE, 1, CHACHA), POINT_COMPARE },
	{ "cookie", NULL, cookies, MEET(CERTIFICATE, 1, CHACHA),
	    POINT_COMPARE | POINT_HASH },
};
/* clang-format on */
const size_t session_cases_n = HF__ARRAY_N(session_cases);
