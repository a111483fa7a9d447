/* SPDX-License-Identifier: ISC */
/*
 * A misbehaving responder's grant: one switch a row, and how the honest
 * initiator takes it. See honest.h.
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

/* What the initiator said, said back. */
static void
enc_of_request(struct peer *p)
{
	memcpy(p->enc, p->reply, 32);
}

static void
enc_static(struct peer *p)
{
	peer_use(p, &p->own);
}

static void
used_before(struct peer *p)
{
	peer_use(p, &p->earlier->ephemeral);
	memcpy(p->session_key, p->earlier->session_key, 32);
}

static void
envelope_to_other(struct peer *p)
{
	memcpy(p->envelope_pk, p->own.pk, 32);
}

static void
binder_left_out(struct peer *p)
{
	p->unbound = true;
}

static void
pop_other(struct peer *p)
{
	p->pop[31] ^= 1;
}

/* The thief of the initiator's key: he knows all but what was sealed. */
static void
transport_key_other(struct peer *p)
{
	memcpy(p->transport_key, p->earlier->transport_key, 32);
}

static void
request_other(struct peer *p)
{
	memcpy(p->th1, p->earlier->th1, 32);
}

#define ZERO16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

/* What a row does not say is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
/* clang-format off */
static const struct row rows[] = {
	/* grant: its keys */
	{ { "enc_zero", SAY_GRANT, .prepare = enc_zero },
	    &known, HF_E_PUBLIC_KEY, CLEAR, HF__I_REQUEST_SENT, "A20" },
	{ { "enc_order_8", SAY_GRANT, .prepare = enc_order_8 },
	    &by_password, HF_E_PUBLIC_KEY, CLEAR, HF__I_REQUEST_SENT,
	    "A20" },
	{ { "enc_of_request", SAY_GRANT, .prepare = enc_of_request },
	    &known, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A21" },
	{ { "enc_static", SAY_GRANT, .prepare = enc_static },
	    &known, HF_OK, NOTHING, HF__CLOSED, "A21" },
	{ { "enc_used_before", SAY_GRANT, .prepare = used_before },
	    &known, HF_OK, NOTHING, HF__CLOSED, "A46" },
	{ { "enc_null", SAY_GRANT, OUTSIDE, 2, RAW("\xf6") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A11" },
	{ { "envelope_skipped", SAY_GRANT, OUTSIDE, 3, RAW("\xf6") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A11" },
	{ { "envelope_unasked", SAY_GRANT, OUTSIDE, 3, RAW("\x40") },
	    &by_ticket, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A11" },
	{ { "envelope_unasked_by_password", SAY_GRANT, OUTSIDE, 3,
	    RAW("\x40") },
	    &by_password_known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT,
	    "A11" },
	{ { "envelope_to_other", SAY_GRANT, .prepare = envelope_to_other },
	    &known, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A8" },
	{ { "binder_left_out", SAY_GRANT, .prepare = binder_left_out },
	    &asked, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A11" },
	{ { "binder_left_out_of_ticket", SAY_GRANT,
	    .prepare = binder_left_out },
	    &by_ticket_known, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A42" },
	{ { "pop_other", SAY_GRANT, .prepare = pop_other },
	    &by_ticket, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A42" },
	{ { "transport_key_other", SAY_GRANT,
	    .prepare = transport_key_other },
	    &known, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A6" },
	{ { "request_other", SAY_GRANT, .prepare = request_other },
	    &by_password, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A3" },

	/* grant: its fields and its plaintext */
	{ { "grant_of_version_2", SAY_GRANT, OUTSIDE, 1, RAW("\x02") },
	    &known, HF_E_VERSION, CLEAR, HF__I_REQUEST_SENT, "A10" },
	{ { "grant_critical_extension", SAY_GRANT, OUTSIDE, 4,
	    RAW("\xa1\x20\x40") },
	    &known, HF_E_EXTENSION, CLEAR, HF__I_REQUEST_SENT, "A31" },
	{ { "grant_extension_twice", SAY_GRANT, OUTSIDE, 4,
	    RAW("\xa2\x00\x40\x00\x40") },
	    &known, HF_E_CBOR, CLEAR, HF__I_REQUEST_SENT, "A25" },
	{ { "grant_extension_unsealed", SAY_GRANT, AFTERWARDS, 4,
	    RAW("\xa1\x01\x40") },
	    &known, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A10" },
	{ { "grant_box_short", SAY_GRANT, AFTERWARDS, 5,
	    RAW("\x4f" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A23" },
	{ { "grant_box_empty", SAY_GRANT, AFTERWARDS, 5,
	    RAW("\x50" ZERO16) },
	    &known, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A47" },
	{ { "grant_box_flipped", SAY_GRANT, FLIP, 20, RAW("") },
	    &known, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A47" },
	{ { "session_key_short", SAY_GRANT, INSIDE, 0, RAW("\x41\x00") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A32" },
	{ { "session_id_null", SAY_GRANT, INSIDE, 1, RAW("\xf6") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A32" },
	{ { "lifetime_of_nothing", SAY_GRANT, INSIDE, 2, RAW("\x00") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A16" },
	{ { "lifetime_of_2_to_32", SAY_GRANT, INSIDE, 2,
	    RAW("\x1b\x00\x00\x00\x01\x00\x00\x00\x00") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A16" },
	{ { "lifetime_long", SAY_GRANT, INSIDE, 2, RAW("\x19\x00\x01") },
	    &known, HF_E_CBOR, CLEAR, HF__I_REQUEST_SENT, "A26" },
	{ { "mobility_unknown", SAY_GRANT, INSIDE, 3, RAW("\x03") },
	    &known, HF_E_SHAPE, CLEAR, HF__I_REQUEST_SENT, "A31" },
	{ { "mobility_proved", SAY_GRANT, INSIDE, 3, RAW("\x02") },
	    &known, HF_OK, NOTHING, HF__CLOSED, "A31" },
	{ { "more_than_the_plaintext", SAY_GRANT, MORE_INSIDE, 0,
	    RAW("\xf6") },
	    &known, HF_E_CBOR, CLEAR, HF__I_REQUEST_SENT, "A24" },

	/* grant: when, and how often */
	{ { "grant_replayed", SAY_GRANT, REPLAY, 0, RAW("") },
	    &known, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A3" },
	{ { "grant_replayed_after_an_offer", SAY_GRANT, REPLAY, 0, RAW("") },
	    &by_ticket, HF_E_BOX, CLEAR, HF__I_REQUEST_SENT, "A3" },
	{ { "grant_is_the_request", SAY_GRANT, ECHO, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, CLEAR, HF__I_REQUEST_SENT, "A4" },
	{ { "grant_is_a_confirm", SAY_GRANT, INSTEAD, 0, RAW("\x82\x05") },
	    &known, HF_E_UNEXPECTED, CLEAR, HF__I_REQUEST_SENT, "A48" },
	{ { "grant_unsaid", SAY_GRANT, UNSAID, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, CLEAR, HF__I_REQUEST_SENT, "A47" },
	{ { "grant_late", SAY_GRANT, LATE, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, CLEAR, HF__I_REQUEST_SENT, "A47" },
	{ { "grant_twice", SAY_GRANT, TWICE, 0, RAW("") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "A48" },
	{ { "grant_and_more", SAY_GRANT, BEHIND, 0, RAW("\x00") },
	    &known, HF_E_SHAPE, SEALED, HF__OPEN, "A24" },
	{ { "grant_cut", SAY_GRANT, CUT, 60, RAW("") },
	    &known, HF_E_GONE, NOTHING, HF__I_REQUEST_SENT, "A23" },
	{ { "grant_is_an_alert", SAY_GRANT, INSTEAD, 0, RAW("\x82\x08\x01") },
	    &known, HF_E_REFUSED, NOTHING, HF__I_REQUEST_SENT, "A49" },
	{ { "grant_is_alert_2", SAY_GRANT, INSTEAD, 0, RAW("\x82\x08\x02") },
	    &by_ticket, HF_E_STORE, NOTHING, HF__I_REQUEST_SENT, "A49" },
	{ { "grant_is_alert_3", SAY_GRANT, INSTEAD, 0, RAW("\x82\x08\x03") },
	    &known, HF_E_UNKNOWN_KEY, NOTHING, HF__I_REQUEST_SENT, "A49" },
	{ { "grant_is_alert_garbage", SAY_GRANT, INSTEAD, 0,
	    RAW("\x82\x08\x18\xff") },
	    &known, HF_E_SHAPE, NOTHING, HF__I_REQUEST_SENT, "A49" },
};
/* clang-format on */

int
main(void)
{
	return run_switches("misbehaving grants", rows, HF__ARRAY_N(rows),
	    HF_RESPONDER);
}
