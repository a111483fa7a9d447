/* SPDX-License-Identifier: ISC */
/*
 * A misbehaving initiator's tokens: certificates, passwords and tickets that
 * are not his, not good, or not what they say, each sealed in an otherwise
 * honest request. See honest.h.
 */
#include <string.h>

#include "honest.h"

/* --- certificates ------------------------------------------------------------------ */

static void
show(struct peer *p)
{
	p->token.chain[0] = (struct hf_span){ p->object.bytes, p->object.len };
}

static void
show_terms(struct peer *p, const struct hf_cert_info *terms)
{
	certify(&p->object, p->world->ca, &p->world->ca_cert,
	    p->world->initiator, terms);
	show(p);
}

static void
cert_expired(struct peer *p)
{
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_INITIATOR);

	terms.not_after = NOW;
	show_terms(p, &terms);
}

static void
cert_not_yet(struct peer *p)
{
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_INITIATOR);

	terms.not_before = NOW + 1;
	show_terms(p, &terms);
}

static void
cert_of_usage_responder(struct peer *p)
{
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_RESPONDER);

	show_terms(p, &terms);
}

static void
cert_forged(struct peer *p)
{
	p->object = p->world->initiator_cert;
	p->object.bytes[p->object.len - 64] ^= 1;
	show(p);
}

static void
cert_of_stranger(struct peer *p)
{
	struct hf_cert_info ca = terms_of("Nobody", HF_USAGE_CA);
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_INITIATOR);
	struct blob anchor;

	assert_ok(hf_cert_self(anchor.bytes, sizeof(anchor.bytes), &anchor.len,
	    p->world->ca, &ca));
	certify(&p->object, p->world->ca, &anchor, p->world->initiator,
	    &terms);
	show(p);
}

static void
cert_revoked(struct peer *p)
{
	struct hf__cert leaf;
	struct blob list;

	assert_ok(hf__cert_parse(&leaf, p->token.chain[0].ptr,
	    p->token.chain[0].len));
	assert_ok(hf_list_make(list.bytes, sizeof(list.bytes), &list.len,
	    p->world->ca, p->world->ca_cert.bytes, p->world->ca_cert.len, 1,
	    leaf.cti.ptr, 1, NOW, NOW + 60));
	assert_ok(hf_trust_add_list(p->world->trust, list.bytes, list.len));
}

/* Mallory has alice's key certified as his, and has not the key. */
static void
cert_of_key_of_another(struct peer *p)
{
	struct hf_cert_info terms = terms_of("mallory", HF_USAGE_INITIATOR);
	struct hf_identity *mallory = identity_of(8);
	struct blob own;

	certify(&own, p->world->ca, &p->world->ca_cert, mallory, &terms);
	certify_key(&p->object, p->world->ca, &own,
	    p->world->initiator->kem.pk);
	p->own = mallory->kem;
	hf_identity_free(mallory);
	show(p);
}

/* The protected header, and what it says of the algorithm. */
static void
cert_of_header(struct peer *p, size_t at, uint8_t to)
{
	p->object = p->world->initiator_cert;
	assert_memory_equal(p->object.bytes, "\x84\x43\xa1\x01\x27\xa0", 6);
	p->object.bytes[at] = to;
	show(p);
}

static void
cert_of_es256(struct peer *p)
{
	cert_of_header(p, 4, 0x26);
}

static void
cert_tagged(struct peer *p)
{
	p->object.bytes[0] = 0xd2;
	memcpy(p->object.bytes + 1, p->world->initiator_cert.bytes,
	    p->world->initiator_cert.len);
	p->object.len = p->world->initiator_cert.len + 1;
	show(p);
}

static void
cert_and_more(struct peer *p)
{
	p->object = p->world->initiator_cert;
	p->object.bytes[p->object.len++] = 0;
	show(p);
}

static void
cert_cut(struct peer *p)
{
	p->object = p->world->initiator_cert;
	p->object.len--;
	show(p);
}

/* A true signature, of the same key, over something else. */
static void
cert_is_a_list(struct peer *p)
{
	static const uint8_t id[HF_CTI_BYTES] = { 1 };

	assert_ok(hf_list_make(p->object.bytes, sizeof(p->object.bytes),
	    &p->object.len, p->world->ca, p->world->ca_cert.bytes,
	    p->world->ca_cert.len, 1, id, 1, NOW, NOW + 60));
	show(p);
}

/* The right claims under the label of another kind of object. */
static void
cert_signed_as_list(struct peer *p)
{
	struct hf__cert leaf;

	assert_ok(hf__cert_parse(&leaf, p->token.chain[0].ptr,
	    p->token.chain[0].len));
	assert_ok(hf__sign1_make(p->object.bytes, sizeof(p->object.bytes),
	    &p->object.len, p->world->ca, "handfast/1 list",
	    leaf.cose.payload.ptr, leaf.cose.payload.len));
	show(p);
}

static void
cert_as_ticket(struct peer *p)
{
	p->token.method = HF_METHOD_TICKET;
	p->token.ticket = p->token.chain[0];
}

/* --- passwords ------------------------------------------------------------------------ */

static void
user(struct peer *p, const char *name, size_t len)
{
	p->token.user = (struct hf_span){ (const uint8_t *)name, len };
}

static void
user_unknown(struct peer *p)
{
	user(p, "bob", 3);
}

static void
user_with_nul(struct peer *p)
{
	user(p, "al\0ce", 5);
}

static void
user_in_capitals(struct peer *p)
{
	user(p, "Alice", 5);
}

static void
user_of_nothing(struct peer *p)
{
	user(p, "", 0);
}

static void
user_overlong(struct peer *p)
{
	memset(p->object.bytes, 'a', HF_USER_MAX + 1);
	user(p, (const char *)p->object.bytes, HF_USER_MAX + 1);
}

static void
password(struct peer *p, size_t len)
{
	memset(p->object.bytes, 'x', len);
	p->token.password = (struct hf_span){ p->object.bytes, len };
}

static void
password_wrong(struct peer *p)
{
	password(p, 32);
}

static void
password_short(struct peer *p)
{
	password(p, 31);
}

static void
password_of_nothing(struct peer *p)
{
	password(p, 0);
}

static void
password_overlong(struct peer *p)
{
	password(p, HF_PASSWORD_MAX + 1);
}

static void
password_as_plain(struct peer *p)
{
	p->token.method = HF_METHOD_PLAIN_PASSWORD;
	password(p, 6);
}

/* --- tickets -------------------------------------------------------------------------- */

static void
issue(struct peer *p, const char *audience, uint64_t issued, uint64_t expires)
{
	struct hf_ticket_info info = { .issued = issued, .expires = expires };
	struct hf__ticket_file views;
	size_t len;

	name_set(&info.subject, "alice");
	name_set(&info.audience, audience);
	assert_ok(hf_ticket_issue(p->object.bytes, sizeof(p->object.bytes),
	    &len, p->world->ring, &info));
	assert_ok(hf__ticket_file_read(&views, p->object.bytes, len));
	p->token.ticket = views.ticket;
	memcpy(p->pop, views.key.ptr, 32);
}

static void
ticket_of_another_audience(struct peer *p)
{
	issue(p, "other.example", NOW, NOW + 60);
}

static void
ticket_expired(struct peer *p)
{
	issue(p, "server.example", NOW - 60, NOW);
}

static void
ticket_of_tomorrow(struct peer *p)
{
	issue(p, "server.example", NOW + 121, NOW + 240);
}

static void
ticket_by_another_ring(struct peer *p)
{
	struct hf_ring *own = p->world->ring;

	assert_ok(hf_ring_new(&p->world->ring));
	assert_ok(hf_ring_rotate(p->world->ring, NOW));
	issue(p, "server.example", NOW, NOW + 60);
	hf_ring_free(p->world->ring);
	p->world->ring = own;
}

/* Made long ago: the key that sealed it was rotated out. */
static void
ticket_by_an_old_key(struct peer *p)
{
	int i;

	for (i = 0; i < HF_RING_MAX; i++)
		assert_ok(hf_ring_rotate(p->world->ring, NOW));
}

static void
flip(struct peer *p, size_t from_the_end)
{
	memcpy(p->object.bytes, p->token.ticket.ptr, p->token.ticket.len);
	p->object.len = p->token.ticket.len;
	p->object.bytes[p->object.len - from_the_end] ^= 1;
	p->token.ticket = (struct hf_span){ p->object.bytes, p->object.len };
}

static void
ticket_forged(struct peer *p)
{
	flip(p, 1);
}

static void
ticket_of_another_key_id(struct peer *p)
{
	/* 83, then the protected header's head: 58 1d a3 01 18 18 04 48 */
	flip(p, p->token.ticket.len - 10);
}

static void
ticket_cut(struct peer *p)
{
	p->token.ticket.len--;
}

static void
ticket_as_cert(struct peer *p)
{
	p->token.method = HF_METHOD_CERTIFICATE;
	p->token.chain[0] = p->token.ticket;
}

/* The whole file, with the key that is to be kept. */
static void
ticket_file(struct peer *p)
{
	p->token.ticket =
	    (struct hf_span){ p->world->i->ticket, p->world->i->ticket_len };
}

#define CERT "\x41\0"

/* What a row does not say is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
/* clang-format off */
static const struct row rows[] = {
	/* the array around it */
	{ { "token_no_array", SAY_REQUEST, INSIDE, 1, RAW("\xf6") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A32" },
	{ { "token_of_kind_0", SAY_REQUEST, INSIDE, 1, RAW("\x82\x00\x40") },
	    &known, HF_E_TOKEN, CLEAR, HF__R_ADMIT, "A10" },
	{ { "token_of_kind_5", SAY_REQUEST, INSIDE, 1, RAW("\x82\x05\x40") },
	    &asked, HF_E_TOKEN, CLEAR, HF__R_ADMIT, "A10" },
	{ { "token_of_three_items", SAY_REQUEST, INSIDE, 1,
	    RAW("\x83\x04\x41\x00\x00") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A24" },
	{ { "token_kind_long", SAY_REQUEST, INSIDE, 1,
	    RAW("\x82\x18\x04\x41\x00") },
	    &known, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A26" },
	{ { "token_undefined", SAY_REQUEST, INSIDE, 1, RAW("\x82\x04\xf7") },
	    &known, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A32" },
	{ { "token_lying_length", SAY_REQUEST, INSIDE, 1,
	    RAW("\x82\x04\x5b\xff\xff\xff\xff\xff\xff\xff\xff") },
	    &known, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A29" },

	/* certificates */
	{ { "chain_of_none", SAY_REQUEST, INSIDE, 1, RAW("\x82\x01\x80") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A15" },
	{ { "chain_of_five", SAY_REQUEST, INSIDE, 1,
	    RAW("\x82\x01\x85" CERT CERT CERT CERT CERT) },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A15" },
	{ { "cert_expired", SAY_REQUEST, .prepare = cert_expired },
	    &known, HF_E_EXPIRED, CLEAR, HF__R_ADMIT, "A15" },
	{ { "cert_not_yet", SAY_REQUEST, .prepare = cert_not_yet },
	    &known, HF_E_NOT_YET, CLEAR, HF__R_ADMIT, "A15" },
	{ { "cert_of_usage_responder", SAY_REQUEST,
	    .prepare = cert_of_usage_responder },
	    &known, HF_E_USAGE, CLEAR, HF__R_ADMIT, "A15" },
	{ { "cert_forged", SAY_REQUEST, .prepare = cert_forged },
	    &asked, HF_E_SIGNATURE, CLEAR, HF__R_ADMIT, "A18" },
	{ { "cert_of_stranger", SAY_REQUEST, .prepare = cert_of_stranger },
	    &known, HF_E_ISSUER, CLEAR, HF__R_ADMIT, "A15" },
	{ { "cert_revoked", SAY_REQUEST, .prepare = cert_revoked },
	    &known, HF_E_REVOKED, CLEAR, HF__R_ADMIT, "A15" },
	{ { "cert_of_key_of_another", SAY_REQUEST,
	    .prepare = cert_of_key_of_another },
	    &known, HF_E_BOX, SEALED, HF__R_GRANTED, "A8" },
	{ { "cert_of_es256", SAY_REQUEST, .prepare = cert_of_es256 },
	    &known, HF_E_OBJECT, CLEAR, HF__R_ADMIT, "A17" },
	{ { "cert_tagged", SAY_REQUEST, .prepare = cert_tagged },
	    &known, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A17" },
	{ { "cert_and_more", SAY_REQUEST, .prepare = cert_and_more },
	    &known, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A24" },
	{ { "cert_cut", SAY_REQUEST, .prepare = cert_cut },
	    &known, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A23" },
	{ { "cert_is_a_list", SAY_REQUEST, .prepare = cert_is_a_list },
	    &known, HF_E_OBJECT, CLEAR, HF__R_ADMIT, "A19" },
	{ { "cert_signed_as_list", SAY_REQUEST,
	    .prepare = cert_signed_as_list },
	    &known, HF_E_SIGNATURE, CLEAR, HF__R_ADMIT, "A19" },
	{ { "cert_as_ticket", SAY_REQUEST, .prepare = cert_as_ticket },
	    &known, HF_E_OBJECT, CLEAR, HF__R_ADMIT, "A10" },

	/* passwords */
	{ { "user_unknown", SAY_REQUEST, .prepare = user_unknown },
	    &by_password, HF_E_PASSWORD, CLEAR, HF__R_TRUST, "A33" },
	{ { "user_unknown_plain", SAY_REQUEST, .prepare = user_unknown },
	    &by_plain, HF_E_PASSWORD, CLEAR, HF__R_TRUST, "A33" },
	{ { "user_with_nul", SAY_REQUEST, .prepare = user_with_nul },
	    &by_password, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A30" },
	{ { "user_in_capitals", SAY_REQUEST, .prepare = user_in_capitals },
	    &by_plain, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A30" },
	{ { "user_of_nothing", SAY_REQUEST, .prepare = user_of_nothing },
	    &by_password, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A30" },
	{ { "user_overlong", SAY_REQUEST, .prepare = user_overlong },
	    &by_password, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A30" },
	{ { "password_wrong", SAY_REQUEST, .prepare = password_wrong },
	    &by_password, HF_E_PASSWORD, CLEAR, HF__R_TRUST, "A33" },
	{ { "password_wrong_plain", SAY_REQUEST, .prepare = password_wrong },
	    &by_plain, HF_E_PASSWORD, CLEAR, HF__R_TRUST, "A33" },
	{ { "password_short", SAY_REQUEST, .prepare = password_short },
	    &by_password_known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A39" },
	{ { "password_of_nothing", SAY_REQUEST,
	    .prepare = password_of_nothing },
	    &by_plain, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A39" },
	{ { "password_overlong", SAY_REQUEST,
	    .prepare = password_overlong },
	    &by_plain, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A39" },
	{ { "password_as_plain", SAY_REQUEST,
	    .prepare = password_as_plain },
	    &by_password_known, HF_E_TOKEN, CLEAR, HF__R_ADMIT, "A10" },

	/* tickets */
	{ { "ticket_of_another_audience", SAY_REQUEST,
	    .prepare = ticket_of_another_audience },
	    &by_ticket, HF_E_TICKET, CLEAR, HF__R_ADMIT, "A40" },
	{ { "ticket_expired", SAY_REQUEST, .prepare = ticket_expired },
	    &by_ticket_known, HF_E_EXPIRED, CLEAR, HF__R_ADMIT, "A41" },
	{ { "ticket_of_tomorrow", SAY_REQUEST,
	    .prepare = ticket_of_tomorrow },
	    &by_ticket_known, HF_E_NOT_YET, CLEAR, HF__R_ADMIT, "A41" },
	{ { "ticket_by_another_ring", SAY_REQUEST,
	    .prepare = ticket_by_another_ring },
	    &by_ticket_known, HF_E_TICKET, CLEAR, HF__R_ADMIT, "A40" },
	{ { "ticket_by_an_old_key", SAY_REQUEST,
	    .prepare = ticket_by_an_old_key },
	    &by_ticket_known, HF_E_TICKET, CLEAR, HF__R_ADMIT, "A40" },
	{ { "ticket_forged", SAY_REQUEST, .prepare = ticket_forged },
	    &by_ticket_known, HF_E_TICKET, CLEAR, HF__R_ADMIT, "A40" },
	{ { "ticket_of_another_key_id", SAY_REQUEST,
	    .prepare = ticket_of_another_key_id },
	    &by_ticket, HF_E_TICKET, CLEAR, HF__R_ADMIT, "A40" },
	{ { "ticket_cut", SAY_REQUEST, .prepare = ticket_cut },
	    &by_ticket, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A23" },
	{ { "ticket_as_cert", SAY_REQUEST, .prepare = ticket_as_cert },
	    &by_ticket_known, HF_E_OBJECT, CLEAR, HF__R_ADMIT, "A10" },
	{ { "ticket_file", SAY_REQUEST, .prepare = ticket_file },
	    &by_ticket_known, HF_E_OBJECT, CLEAR, HF__R_ADMIT, "A42" },
	{ { "ticket_used_twice", SAY_REQUEST },
	    &by_single_use, HF_E_TICKET_USED, SEALED, HF__R_COMMIT, "A43" },
	{ { "ticket_not_to_be_burnt", SAY_REQUEST },
	    &by_single_use, HF_E_STORE, SEALED, HF__R_COMMIT, "A43",
	    .store_fails = true },
};
/* clang-format on */

int
main(void)
{
	return run_switches("misbehaving tokens", rows, HF__ARRAY_N(rows),
	    HF_INITIATOR);
}
