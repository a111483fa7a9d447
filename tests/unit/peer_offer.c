/* SPDX-License-Identifier: ISC */
/*
 * A misbehaving responder's offer and retry: one switch a row, and how the
 * honest initiator takes it. Nothing is sealed to such a responder. See
 * honest.h.
 */
#include <string.h>

#include "honest.h"

static struct hf_cert_info
usual(void)
{
	struct hf_cert_info terms =
	    terms_of("server.example", HF_USAGE_RESPONDER);

	name_set(&terms.realm, "example");
	return terms;
}

static void
show(struct peer *p)
{
	p->chain[0] = (struct hf_span){ p->object.bytes, p->object.len };
}

static void
show_terms(struct peer *p, const struct hf_cert_info *terms)
{
	certify(&p->object, p->world->ca, &p->world->ca_cert,
	    p->world->responder, terms);
	show(p);
}

static void
cert_of_other_name(struct peer *p)
{
	struct hf_cert_info terms = usual();

	name_set(&terms.subject, "other.example");
	show_terms(p, &terms);
}

static void
cert_expired(struct peer *p)
{
	struct hf_cert_info terms = usual();

	terms.not_after = NOW;
	show_terms(p, &terms);
}

static void
cert_not_yet(struct peer *p)
{
	struct hf_cert_info terms = usual();

	terms.not_before = NOW + 1;
	show_terms(p, &terms);
}

static void
cert_of_usage_initiator(struct peer *p)
{
	struct hf_cert_info terms = usual();

	terms.usage = HF_USAGE_INITIATOR;
	show_terms(p, &terms);
}

static void
cert_without_realm(struct peer *p)
{
	struct hf_cert_info terms = usual();

	terms.realm.len = 0;
	show_terms(p, &terms);
}

/* Of a realm that the initiator was not told. */
static void
cert_of_other_realm(struct peer *p)
{
	struct hf_cert_info terms = usual();

	assert_ok(hf_config_realm(p->world->i, "example"));
	name_set(&terms.realm, "elsewhere");
	show_terms(p, &terms);
}

static void
cert_of_suite_2(struct peer *p)
{
	struct hf_cert_info terms = usual();

	terms.suites_n = 1;
	terms.suites[0] = 2;
	show_terms(p, &terms);
	p->suite = 1;
}

static void
cert_forged(struct peer *p)
{
	p->object = p->world->responder_cert;
	p->object.bytes[p->object.len - 1] ^= 1;
	show(p);
}

/* By an authority of the same key that nobody here believes. */
static void
cert_of_stranger(struct peer *p)
{
	struct hf_cert_info ca = terms_of("Nobody", HF_USAGE_CA),
			    terms = usual();
	struct blob anchor;

	assert_ok(hf_cert_self(anchor.bytes, sizeof(anchor.bytes), &anchor.len,
	    p->world->ca, &ca));
	certify(&p->object, p->world->ca, &anchor, p->world->responder,
	    &terms);
	show(p);
}

/* Signed by one whose certificate makes him no authority. */
static void
cert_by_a_leaf(struct peer *p)
{
	struct hf_cert_info ca = terms_of("alice", HF_USAGE_CA),
			    terms = usual();
	struct blob anchor;

	assert_ok(hf_cert_self(anchor.bytes, sizeof(anchor.bytes), &anchor.len,
	    p->world->initiator, &ca));
	certify(&p->object, p->world->initiator, &anchor, p->world->responder,
	    &terms);
	p->chain[1] = p->world->initiator_chain[0];
	p->chain_n = 2;
	show(p);
}

static void
cert_revoked(struct peer *p)
{
	struct blob list;
	struct hf__cert leaf;

	assert_ok(hf__cert_parse(&leaf, p->chain[0].ptr, p->chain[0].len));
	assert_ok(hf_list_make(list.bytes, sizeof(list.bytes), &list.len,
	    p->world->ca, p->world->ca_cert.bytes, p->world->ca_cert.len, 1,
	    leaf.cti.ptr, 1, NOW, NOW + 60));
	assert_ok(hf_trust_add_list(p->world->trust, list.bytes, list.len));
}

static void
certified(struct peer *p, const uint8_t key[32])
{
	certify_key(&p->object, p->world->ca, &p->world->responder_cert, key);
	show(p);
}

static void
cert_of_initiator(struct peer *p)
{
	certified(p, p->world->initiator->kem.pk);
}

static void
cert_zero(struct peer *p)
{
	certified(p, peer_zero);
}

static void
cert_order_8(struct peer *p)
{
	certified(p, peer_order_8);
}

static void
suite_worse(struct peer *p)
{
	p->suite = 2;
}

static void
prekey_zero(struct peer *p)
{
	memset(p->offered, 0, 32);
}

static void
prekey_order_8(struct peer *p)
{
	memcpy(p->offered, peer_order_8, 32);
}

static void
prekey_static(struct peer *p)
{
	p->prekey = p->own;
	memcpy(p->offered, p->own.pk, 32);
}

#define ZERO16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define CERT "\x41\0"

/* What a row does not say is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
/* clang-format off */
static const struct row rows[] = {
	/* offer: judged before anything is sealed */
	{ { "offer_of_version_2", SAY_OFFER, OUTSIDE, 1, RAW("\x02") },
	    &asked, HF_E_VERSION, CLEAR, HF__I_HELLO_SENT, "A10" },
	{ { "offer_of_unknown_suite", SAY_OFFER, OUTSIDE, 2,
	    RAW("\x19\xff\x00") },
	    &asked, HF_E_SUITE, CLEAR, HF__I_HELLO_SENT, "A10" },
	{ { "offer_of_worse_suite", SAY_OFFER, .prepare = suite_worse },
	    &asked, HF_E_SUITE, CLEAR, HF__I_HELLO_SENT, "A10" },
	{ { "offer_of_uncertified_suite", SAY_OFFER,
	    .prepare = cert_of_suite_2 },
	    &asked, HF_E_SUITE, CLEAR, HF__I_HELLO_SENT, "A10" },
	{ { "cert_of_other_name", SAY_OFFER, .prepare = cert_of_other_name },
	    &by_plain, HF_E_NAME, CLEAR, HF__I_HELLO_SENT, "A14" },
	{ { "cert_without_realm", SAY_OFFER, .prepare = cert_without_realm },
	    &by_password, HF_E_TOKEN, CLEAR, HF__I_HELLO_SENT, "A36" },
	{ { "cert_of_other_realm", SAY_OFFER,
	    .prepare = cert_of_other_realm },
	    &by_plain, HF_E_NAME, CLEAR, HF__I_HELLO_SENT, "A36" },
	{ { "cert_expired", SAY_OFFER, .prepare = cert_expired },
	    &asked, HF_E_EXPIRED, CLEAR, HF__I_HELLO_SENT, "A15" },
	{ { "cert_not_yet", SAY_OFFER, .prepare = cert_not_yet },
	    &asked, HF_E_NOT_YET, CLEAR, HF__I_HELLO_SENT, "A15" },
	{ { "cert_of_usage_initiator", SAY_OFFER,
	    .prepare = cert_of_usage_initiator },
	    &asked, HF_E_USAGE, CLEAR, HF__I_HELLO_SENT, "A15" },
	{ { "cert_forged", SAY_OFFER, .prepare = cert_forged },
	    &asked, HF_E_SIGNATURE, CLEAR, HF__I_HELLO_SENT, "A15" },
	{ { "cert_of_stranger", SAY_OFFER, .prepare = cert_of_stranger },
	    &asked, HF_E_ISSUER, CLEAR, HF__I_HELLO_SENT, "A15" },
	{ { "cert_by_a_leaf", SAY_OFFER, .prepare = cert_by_a_leaf },
	    &asked, HF_E_USAGE, CLEAR, HF__I_HELLO_SENT, "A15" },
	{ { "cert_revoked", SAY_OFFER, .prepare = cert_revoked },
	    &asked, HF_E_REVOKED, CLEAR, HF__I_HELLO_SENT, "A15" },
	{ { "cert_of_initiator", SAY_OFFER, .prepare = cert_of_initiator },
	    &asked, HF_E_POLICY, CLEAR, HF__I_HELLO_SENT, "A5" },
	{ { "cert_zero", SAY_OFFER, .prepare = cert_zero },
	    &asked, HF_E_PUBLIC_KEY, CLEAR, HF__I_TRUST, "A20" },
	{ { "cert_order_8", SAY_OFFER, .prepare = cert_order_8 },
	    &by_ticket, HF_E_PUBLIC_KEY, CLEAR, HF__I_TRUST, "A20" },
	{ { "chain_of_none", SAY_OFFER, OUTSIDE, 3, RAW("\x80") },
	    &asked, HF_E_SHAPE, CLEAR, HF__I_HELLO_SENT, "A15" },
	{ { "chain_of_five", SAY_OFFER, OUTSIDE, 3,
	    RAW("\x85" CERT CERT CERT CERT CERT) },
	    &asked, HF_E_SHAPE, CLEAR, HF__I_HELLO_SENT, "A15" },
	{ { "chain_of_garbage", SAY_OFFER, OUTSIDE, 3, RAW("\x81" CERT) },
	    &asked, HF_E_OBJECT, CLEAR, HF__I_HELLO_SENT, "A17" },
	{ { "chain_is_true", SAY_OFFER, OUTSIDE, 3, RAW("\xf5") },
	    &asked, HF_E_SHAPE, CLEAR, HF__I_HELLO_SENT, "A32" },
	{ { "prekey_zero", SAY_OFFER, .prepare = prekey_zero },
	    &asked, HF_E_PUBLIC_KEY, CLEAR, HF__I_TRUST, "A20" },
	{ { "prekey_order_8", SAY_OFFER, .prepare = prekey_order_8 },
	    &by_plain, HF_E_PUBLIC_KEY, CLEAR, HF__I_TRUST, "A20" },
	{ { "prekey_static", SAY_OFFER, .prepare = prekey_static },
	    &asked, HF_OK, NOTHING, HF__CLOSED, "A21" },
	{ { "prekey_null", SAY_OFFER, OUTSIDE, 4, RAW("\xf6") },
	    &asked, HF_E_SHAPE, CLEAR, HF__I_HELLO_SENT, "A11" },
	{ { "prekey_empty", SAY_OFFER, OUTSIDE, 4, RAW("\x40") },
	    &by_plain, HF_E_SHAPE, CLEAR, HF__I_HELLO_SENT, "A11" },
	{ { "offer_critical_extension", SAY_OFFER, OUTSIDE, 5,
	    RAW("\xa1\x3a\x00\x01\x00\x00\x40") },
	    &asked, HF_E_EXTENSION, CLEAR, HF__I_HELLO_SENT, "A31" },
	{ { "offer_unknown_extension", SAY_OFFER, OUTSIDE, 5,
	    RAW("\xa1\x1a\x00\x01\x00\x00\x40") },
	    &asked, HF_OK, NOTHING, HF__CLOSED, "A31" },
	{ { "offer_extensions_fall", SAY_OFFER, OUTSIDE, 5,
	    RAW("\xa2\x01\x40\x00\x40") },
	    &asked, HF_E_CBOR, CLEAR, HF__I_HELLO_SENT, "A26" },
	{ { "offer_lying_length", SAY_OFFER, INSTEAD, 0,
	    RAW("\x86\x01\x01\x01\x81\x5a\xff\xff\xff\xff") },
	    &asked, HF_E_TOO_BIG, CLEAR, HF__I_HELLO_SENT, "A29" },
	{ { "offer_cut", SAY_OFFER, CUT, 90, RAW("") },
	    &asked, HF_E_GONE, NOTHING, HF__I_HELLO_SENT, "A23" },
	{ { "offer_unsaid", SAY_OFFER, UNSAID, 0, RAW("") },
	    &asked, HF_E_UNEXPECTED, CLEAR, HF__I_HELLO_SENT, "A11" },
	{ { "offer_is_the_hello", SAY_OFFER, ECHO, 0, RAW("") },
	    &asked, HF_E_UNEXPECTED, CLEAR, HF__I_HELLO_SENT, "A4" },
	{ { "offer_twice", SAY_OFFER, TWICE, 0, RAW("") },
	    &asked, HF_E_UNEXPECTED, CLEAR, HF__I_REQUEST_SENT, "A48" },
	{ { "offer_replayed", SAY_OFFER, REPLAY, 0, RAW("") },
	    &asked, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A3" },
	{ { "offer_is_alert_garbage", SAY_OFFER, INSTEAD, 0,
	    RAW("\x83\x08\x01\x01") },
	    &asked, HF_E_SHAPE, NOTHING, HF__I_HELLO_SENT, "A49" },

	/* retry */
	{ { "retry_twice", SAY_RETRY, TWICE, 0, RAW("") },
	    &asked, HF_E_UNEXPECTED, CLEAR, HF__I_HELLO_SENT, "A48",
	    .retry = true },
	{ { "retry_twice_of_request", SAY_RETRY, TWICE, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, CLEAR, HF__I_REQUEST_SENT, "A48",
	    .retry = true },
	{ { "retry_again_after_offer", SAY_OFFER, BEHIND, 0,
	    RAW("\x82\x02\x41x") },
	    &asked, HF_E_UNEXPECTED, CLEAR, HF__I_REQUEST_SENT, "A48",
	    .retry = true },
	{ { "retry_of_no_cookie", SAY_RETRY, OUTSIDE, 1, RAW("\x40") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A29",
	    .retry = true },
	{ { "retry_of_a_long_cookie", SAY_RETRY, OUTSIDE, 1,
	    RAW("\x58\x41" ZERO16 ZERO16 ZERO16 ZERO16 "\0") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A29",
	    .retry = true },
};
/* clang-format on */

int
main(void)
{
	return run_switches("misbehaving offers and retries", rows,
	    HF__ARRAY_N(rows), HF_RESPONDER);
}
