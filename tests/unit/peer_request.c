/* SPDX-License-Identifier: ISC */
/*
 * A misbehaving initiator's request and confirm: one switch a row, and how the
 * honest responder takes it. See honest.h; for tokens see peer_token.c.
 */
#include <string.h>

#include "honest.h"

static void
enc_zero(struct peer *p)
{
	memset(p->enc, 0, 32);
}

static void
enc_order_8(struct peer *p)
{
	memcpy(p->enc, peer_order_8, 32);
}

static void
enc_certified(struct peer *p)
{
	memcpy(p->enc, p->responder_pk, 32);
}

static void
enc_prekey(struct peer *p)
{
	memcpy(p->enc, p->offered, 32);
}

static void
enc_static(struct peer *p)
{
	peer_use(p, &p->own);
}

/* All that it should draw anew. */
static void
used_before(struct peer *p)
{
	peer_use(p, &p->earlier->ephemeral);
	memcpy(p->transport_key, p->earlier->transport_key, 32);
}

/* A key that stands in the certificate and has small order. */
static void
certified(struct peer *p, const uint8_t key[32])
{
	certify_key(&p->object, p->world->ca, &p->world->initiator_cert, key);
	p->token.chain[0] = (struct hf_span){ p->object.bytes, p->object.len };
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
cert_of_responder(struct peer *p)
{
	certified(p, p->responder_pk);
}

static void
key_id_other(struct peer *p)
{
	p->key_id[15] ^= 1;
}

/* Sealed for another certificate of the same key, sent with this one's id. */
static void
leaf_other(struct peer *p)
{
	struct hf_cert_info terms =
	    terms_of("mallory.example", HF_USAGE_RESPONDER);
	struct hf_span none = { NULL, 0 };

	certify(&p->object, p->world->ca, &p->world->ca_cert,
	    p->world->responder, &terms);
	peer_th0(p, none, none,
	    (struct hf_span){ p->object.bytes, p->object.len });
}

static void
hello_forgotten(struct peer *p)
{
	struct hf_span none = { NULL, 0 };

	peer_th0(p, none, none, p->world->responder_chain[0]);
}

static void
label_other(struct peer *p)
{
	p->label = "handfast/1 grant";
}

static void
prekey_skipped(struct peer *p)
{
	p->has_prekey = false;
}

static void
prekey_unmixed(struct peer *p)
{
	p->unmixed = true;
}

static void
prekey_other(struct peer *p)
{
	memcpy(p->offered, p->responder_pk, 32);
}

static void
target_other(struct peer *p)
{
	p->target = "u";
}

static void
time_old(struct peer *p)
{
	p->time = NOW - 121;
}

static void
time_new(struct peer *p)
{
	p->time = NOW + 121;
}

static void
time_at_the_edge(struct peer *p)
{
	p->time = NOW - 120;
}

static void
padding_of_ones(struct peer *p)
{
	p->padding = 1;
}

static void
padding_longer(struct peer *p)
{
	p->more_padding = 1;
}

static void
padding_one_block_more(struct peer *p)
{
	p->more_padding = HF__PAD_BYTES;
}

static void
padding_much_more(struct peer *p)
{
	p->more_padding = 2 * HF__PAD_BYTES - 1;
}

/* It shows a certificate and has another key; a ticket, and has not its. */
static void
key_other(struct peer *p)
{
	p->own = p->world->responder->kem;
}

static void
pop_other(struct peer *p)
{
	p->pop[0] ^= 1;
}

static void
binder_left_out(struct peer *p)
{
	p->unbound = true;
}

static void
confirm_by_exporter(struct peer *p)
{
	memcpy(p->secrets.confirm, p->secrets.exporter, 32);
}

static void
confirm_by_zero(struct peer *p)
{
	memset(p->secrets.confirm, 0, 32);
}

#define ZERO16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define CONFIRM_OF_ZEROS RAW("\x82\x05\x50" ZERO16)

static const struct meeting target = { .method = HF_METHOD_CERTIFICATE,
	.target = "t" };
static const struct meeting target_known = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };

/* What a row does not say is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
/* clang-format off */
static const struct row rows[] = {
	/* request: its keys */
	{ { "enc_zero", SAY_REQUEST, .prepare = enc_zero },
	    &known, HF_E_PUBLIC_KEY, CLEAR, HF__R_ADMIT, "A20" },
	{ { "enc_zero_after_an_offer", SAY_REQUEST, .prepare = enc_zero },
	    &asked, HF_E_PUBLIC_KEY, CLEAR, HF__R_ADMIT, "A20" },
	{ { "enc_order_8", SAY_REQUEST, .prepare = enc_order_8 },
	    &known, HF_E_PUBLIC_KEY, CLEAR, HF__R_ADMIT, "A20" },
	{ { "cert_zero", SAY_REQUEST, .prepare = cert_zero },
	    &known, HF_E_PUBLIC_KEY, CLEAR, HF__R_TRUST, "A20" },
	{ { "cert_order_8", SAY_REQUEST, .prepare = cert_order_8 },
	    &asked, HF_E_PUBLIC_KEY, CLEAR, HF__R_TRUST, "A20" },
	{ { "cert_of_responder", SAY_REQUEST, .prepare = cert_of_responder },
	    &known, HF_E_POLICY, CLEAR, HF__R_ADMIT, "A5" },
	{ { "enc_certified", SAY_REQUEST, .prepare = enc_certified },
	    &known, HF_E_BOX, CLEAR, HF__R_ADMIT, "A21" },
	{ { "enc_prekey", SAY_REQUEST, .prepare = enc_prekey },
	    &asked, HF_E_BOX, CLEAR, HF__R_ADMIT, "A21" },
	{ { "enc_static", SAY_REQUEST, .prepare = enc_static },
	    &known, HF_OK, NOTHING, HF__CLOSED, "A21" },
	{ { "enc_used_before", SAY_REQUEST, .prepare = used_before },
	    &known, HF_OK, NOTHING, HF__CLOSED, "A46", .forgetful = true },
	{ { "request_made_again", SAY_REQUEST, .prepare = used_before },
	    &known, HF_E_REPLAY, CLEAR, HF__R_ADMIT, "A46" },
	{ { "enc_empty", SAY_REQUEST, OUTSIDE, 6, RAW("\x40") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_START, "A11" },
	{ { "enc_null", SAY_REQUEST, OUTSIDE, 6, RAW("\xf6") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_START, "A11" },
	{ { "prekey_skipped", SAY_REQUEST, .prepare = prekey_skipped },
	    &asked, HF_E_SHAPE, CLEAR, HF__R_OFFERED, "A11" },
	{ { "prekey_unmixed", SAY_REQUEST, .prepare = prekey_unmixed },
	    &asked, HF_E_BOX, CLEAR, HF__R_ADMIT, "A11" },
	{ { "prekey_other", SAY_REQUEST, .prepare = prekey_other },
	    &asked, HF_E_BOX, CLEAR, HF__R_ADMIT, "A12" },
	{ { "prekey_unasked", SAY_REQUEST, OUTSIDE, 7, RAW("\x40") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_START, "A10" },
	{ { "hello_forgotten", SAY_REQUEST, .prepare = hello_forgotten },
	    &asked, HF_E_BOX, CLEAR, HF__R_ADMIT, "A10" },
	{ { "label_other", SAY_REQUEST, .prepare = label_other },
	    &known, HF_E_BOX, CLEAR, HF__R_ADMIT, "A19" },
	{ { "key_id_other", SAY_REQUEST, .prepare = key_id_other },
	    &known, HF_E_UNKNOWN_KEY, CLEAR, HF__R_START, "A9" },
	{ { "leaf_other", SAY_REQUEST, .prepare = leaf_other },
	    &known, HF_E_BOX, CLEAR, HF__R_ADMIT, "A9" },

	/* request: its fields, and what they are sealed with */
	{ { "request_of_version_0", SAY_REQUEST, OUTSIDE, 1, RAW("\x00") },
	    &known, HF_E_VERSION, CLEAR, HF__R_START, "A10" },
	{ { "suite_uncertified", SAY_REQUEST, OUTSIDE, 2, RAW("\x04") },
	    &known, HF_E_SUITE, CLEAR, HF__R_START, "A10" },
	{ { "suite_not_offered", SAY_REQUEST, OUTSIDE, 2, RAW("\x02") },
	    &asked, HF_E_SUITE, CLEAR, HF__R_OFFERED, "A10" },
	{ { "target_not_asked", SAY_REQUEST, .prepare = target_other },
	    &target, HF_E_SHAPE, CLEAR, HF__R_OFFERED, "A10" },
	{ { "target_unsealed", SAY_REQUEST, AFTERWARDS, 4, RAW("\x61u") },
	    &target_known, HF_E_BOX, CLEAR, HF__R_ADMIT, "A10" },
	{ { "cookie_unsealed", SAY_REQUEST, AFTERWARDS, 5, RAW("\x41x") },
	    &known, HF_E_BOX, CLEAR, HF__R_ADMIT, "A10" },
	{ { "extension_unsealed", SAY_REQUEST, AFTERWARDS, 8,
	    RAW("\xa1\x01\x40") },
	    &known, HF_E_BOX, CLEAR, HF__R_ADMIT, "A10" },
	{ { "request_critical_extension", SAY_REQUEST, OUTSIDE, 8,
	    RAW("\xa1\x20\x40") },
	    &known, HF_E_EXTENSION, CLEAR, HF__R_START, "A31" },
	{ { "request_extension_no_bytes", SAY_REQUEST, OUTSIDE, 8,
	    RAW("\xa1\x01\xf5") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_START, "A32" },
	{ { "request_box_flipped", SAY_REQUEST, FLIP, 1, RAW("") },
	    &known, HF_E_BOX, CLEAR, HF__R_ADMIT, "A10" },
	{ { "request_box_short", SAY_REQUEST, AFTERWARDS, 9,
	    RAW("\x50" ZERO16) },
	    &known, HF_E_SHAPE, CLEAR, HF__R_START, "A23" },

	/* request: its plaintext */
	{ { "transport_key_short", SAY_REQUEST, INSIDE, 0, RAW("\x41\x00") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A32" },
	{ { "transport_key_true", SAY_REQUEST, INSIDE, 0, RAW("\xf5") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A32" },
	{ { "transport_key_lying", SAY_REQUEST, INSIDE, 0,
	    RAW("\x5a\xff\xff\xff\xff") },
	    &known, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A29" },
	{ { "time_long", SAY_REQUEST, INSIDE, 2, RAW("\x1a\x00\x00\x00\x01") },
	    &known, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A26" },
	{ { "time_old", SAY_REQUEST, .prepare = time_old },
	    &known, HF_E_TIME, CLEAR, HF__R_ADMIT, "A45" },
	{ { "time_new", SAY_REQUEST, .prepare = time_new },
	    &known, HF_E_TIME, CLEAR, HF__R_ADMIT, "A45" },
	{ { "time_at_the_edge", SAY_REQUEST, .prepare = time_at_the_edge },
	    &known, HF_OK, NOTHING, HF__CLOSED, "A45" },
	{ { "reply_key_unasked", SAY_REQUEST, INSIDE, 3, RAW("\x41\x00") },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A11" },
	{ { "padding_of_ones", SAY_REQUEST, .prepare = padding_of_ones },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A24" },
	{ { "padding_longer", SAY_REQUEST, .prepare = padding_longer },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A24" },
	{ { "padding_one_block_more", SAY_REQUEST,
	    .prepare = padding_one_block_more },
	    &known, HF_OK, NOTHING, HF__CLOSED, "A24" },
	{ { "padding_much_more", SAY_REQUEST, .prepare = padding_much_more },
	    &known, HF_E_SHAPE, CLEAR, HF__R_ADMIT, "A24" },
	{ { "more_than_the_plaintext", SAY_REQUEST, MORE_INSIDE, 0,
	    RAW("\x00") },
	    &known, HF_E_CBOR, CLEAR, HF__R_ADMIT, "A24" },

	/* request: when, and how often */
	{ { "request_replayed", SAY_REQUEST, REPLAY, 0, RAW("") },
	    &known, HF_E_REPLAY, CLEAR, HF__R_ADMIT, "A1" },
	{ { "request_replayed_uncached", SAY_REQUEST, REPLAY, 0, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__R_GRANTED, "A1",
	    .forgetful = true },
	{ { "request_replayed_after_an_offer", SAY_REQUEST, REPLAY, 0,
	    RAW("") },
	    &asked, HF_E_BOX, CLEAR, HF__R_ADMIT, "A1", .forgetful = true },
	{ { "request_cut", SAY_REQUEST, CUT, 100, RAW("") },
	    &known, HF_E_GONE, NOTHING, HF__R_START, "A23" },
	{ { "request_twice", SAY_REQUEST, TWICE, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__R_GRANTED, "A48" },
	{ { "request_and_more", SAY_REQUEST, BEHIND, 0, RAW("\x00") },
	    &known, HF_E_SHAPE, SEALED, HF__R_GRANTED, "A24" },
	{ { "request_unsaid", SAY_REQUEST, UNSAID, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, CLEAR, HF__R_START, "A47" },
	{ { "request_is_the_offer", SAY_REQUEST, ECHO, 0, RAW("") },
	    &asked, HF_E_UNEXPECTED, CLEAR, HF__R_OFFERED, "A4" },
	{ { "confirm_before_request", SAY_REQUEST, BEFORE, 0,
	    CONFIRM_OF_ZEROS },
	    &asked, HF_E_UNEXPECTED, CLEAR, HF__R_OFFERED, "A48" },

	/* confirm */
	{ { "key_other", SAY_REQUEST, .prepare = key_other },
	    &known, HF_E_BOX, SEALED, HF__R_GRANTED, "A7" },
	{ { "pop_other", SAY_REQUEST, .prepare = pop_other },
	    &by_ticket_known, HF_E_BOX, SEALED, HF__R_GRANTED, "A42" },
	{ { "binder_left_out", SAY_REQUEST, .prepare = binder_left_out },
	    &asked, HF_E_BOX, SEALED, HF__R_GRANTED, "A7" },
	{ { "confirm_flipped", SAY_CONFIRM, FLIP, 1, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__R_GRANTED, "A47" },
	{ { "confirm_by_exporter", SAY_CONFIRM,
	    .prepare = confirm_by_exporter },
	    &known, HF_E_BOX, SEALED, HF__R_GRANTED, "A47" },
	{ { "confirm_by_zero", SAY_CONFIRM, .prepare = confirm_by_zero },
	    &by_single_use, HF_E_BOX, SEALED, HF__R_GRANTED, "A43" },
	{ { "confirm_replayed", SAY_CONFIRM, REPLAY, 0, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__R_GRANTED, "A1" },
	{ { "confirm_unsaid", SAY_CONFIRM, UNSAID, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__R_GRANTED, "A47" },
	{ { "confirm_late", SAY_CONFIRM, LATE, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__R_GRANTED, "A47" },
	{ { "confirm_is_the_grant", SAY_CONFIRM, ECHO, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__R_GRANTED, "A4" },
	{ { "confirm_twice", SAY_CONFIRM, TWICE, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "A48" },
	{ { "confirm_longer", SAY_CONFIRM, AFTERWARDS, 1,
	    RAW("\x51" ZERO16 "\0") },
	    &known, HF_E_SHAPE, SEALED, HF__R_GRANTED, "A23" },
	{ { "confirm_cut", SAY_CONFIRM, CUT, 18, RAW("") },
	    &known, HF_E_GONE, NOTHING, HF__R_GRANTED, "A23" },
	{ { "confirm_is_an_alert", SAY_CONFIRM, INSTEAD, 0,
	    RAW("\x82\x08\x01") },
	    &known, HF_E_REFUSED, NOTHING, HF__R_GRANTED, "A49" },
	{ { "confirm_is_alert_garbage", SAY_CONFIRM, INSTEAD, 0,
	    RAW("\x82\x08\x60") },
	    &known, HF_E_SHAPE, NOTHING, HF__R_GRANTED, "A49" },
};
/* clang-format on */

int
main(void)
{
	return run_switches("misbehaving requests and confirms", rows,
	    HF__ARRAY_N(rows), HF_INITIATOR);
}
