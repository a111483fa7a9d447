/* SPDX-License-Identifier: ISC */
/*
 * Records that misbehave, of either role, in a session that was opened
 * honestly: nothing is released that is not the next good record, and whoever
 * notices tells the peer no more than that he refuses. See honest.h.
 */
#include <string.h>

#include "honest.h"

static void
sequence_skipped(struct peer *p)
{
	p->send.seq++;
}

static void
sequence_used_again(struct peer *p)
{
	p->send.seq--;
}

/* The key of 2^20 records later. */
static void
key_too_soon(struct peer *p)
{
	struct hf__traffic next;

	assert_ok(
	    hf__schedule_ratchet(&next, hf__suite_find(p->suite), &p->send));
	p->send = next;
}

static void
key_of_other_direction(struct peer *p)
{
	p->send = p->recv;
	p->send.seq = 0;
}

static void
key_of_other_session(struct peer *p)
{
	p->send = p->earlier->send;
	p->send.seq = 0;
}

static void
aad_of_confirm(struct peer *p)
{
	p->aad[1] = HF__CONFIRM;
}

/* Content types: the switch's n. */
static void
content(struct peer *p)
{
	p->content = p->how->n;
}

static void
no_data(struct peer *p)
{
	p->data.len = 0;
}

static void
close_with_data(struct peer *p)
{
	static const uint8_t data[] = { 'x' };

	p->data = (struct hf_span){ data, 1 };
}

static void
close_too_soon(struct peer *p)
{
	p->content = HF__CLOSE;
	p->data.len = 0;
}

static void
alert(struct peer *p, uint8_t code, size_t len)
{
	p->object.bytes[0] = p->object.bytes[1] = code;
	p->content = HF__CONTENT_ALERT;
	p->data = (struct hf_span){ p->object.bytes, len };
}

static void
alert_1(struct peer *p)
{
	alert(p, 1, 1);
}

static void
alert_2(struct peer *p)
{
	alert(p, 2, 1);
}

static void
alert_unknown(struct peer *p)
{
	alert(p, 99, 1);
}

static void
alert_empty(struct peer *p)
{
	alert(p, 0, 0);
}

static void
alert_of_two_bytes(struct peer *p)
{
	alert(p, 1, 2);
}

/* What a row does not say is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
/* clang-format off */
static const struct row rows[] = {
	/* which, in which order */
	{ { "record_late", SAY_FIRST, LATE, 0, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B1" },
	{ { "record_dropped", SAY_FIRST, UNSAID, 0, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B2" },
	{ { "second_record_dropped", SAY_SECOND, UNSAID, 0, RAW("") },
	    &asked, HF_E_BOX, SEALED, HF__OPEN, "B2", 1 },
	{ { "sequence_skipped", SAY_SECOND, .prepare = sequence_skipped },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B2", 1 },
	{ { "record_twice", SAY_FIRST, TWICE, 0, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B3", 1 },
	{ { "sequence_used_again", SAY_SECOND,
	    .prepare = sequence_used_again },
	    &by_ticket, HF_E_BOX, SEALED, HF__OPEN, "B7", 1 },
	{ { "record_cut", SAY_SECOND, CUT, 9, RAW("") },
	    &known, HF_E_TRUNCATED, NOTHING, HF__OPEN, "B4", 1 },
	{ { "record_cut_to_nothing", SAY_FIRST, CUT, 0, RAW("") },
	    &known, HF_E_TRUNCATED, NOTHING, HF__OPEN, "B4" },
	{ { "close_unsaid", SAY_CLOSE, UNSAID, 0, RAW("") },
	    &known, HF_E_TRUNCATED, NOTHING, HF__OPEN, "B4", 2 },
	{ { "record_of_other_session", SAY_FIRST, REPLAY, 0, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B9" },
	{ { "key_of_other_session", SAY_FIRST,
	    .prepare = key_of_other_session },
	    &asked, HF_E_BOX, SEALED, HF__OPEN, "B9" },
	{ { "record_sent_back", SAY_FIRST, ECHO, 0, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B10" },
	{ { "key_of_other_direction", SAY_FIRST,
	    .prepare = key_of_other_direction },
	    &by_password, HF_E_BOX, SEALED, HF__OPEN, "B10" },
	{ { "key_too_soon", SAY_SECOND, .prepare = key_too_soon },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B6", 1 },
	{ { "aad_of_confirm", SAY_FIRST, .prepare = aad_of_confirm },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B14" },

	/* bytes */
	{ { "record_tag_flipped", SAY_FIRST, FLIP, 1, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B5" },
	{ { "record_type_flipped", SAY_FIRST, FLIP, 17, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B5" },
	{ { "record_data_flipped", SAY_SECOND, FLIP, 18, RAW("") },
	    &known, HF_E_BOX, SEALED, HF__OPEN, "B5", 1 },
	{ { "record_oversized", SAY_FIRST, INSTEAD, 0,
	    RAW("\x82\x10\x5a\x00\x01\x00\x12") },
	    &known, HF_E_TOO_BIG, SEALED, HF__OPEN, "B12" },
	{ { "record_lying_length", SAY_FIRST, INSTEAD, 0,
	    RAW("\x82\x10\x5b\xff\xff\xff\xff\xff\xff\xff\xff") },
	    &known, HF_E_TOO_BIG, SEALED, HF__OPEN, "B12" },
	{ { "record_of_no_box", SAY_FIRST, INSTEAD, 0, RAW("\x82\x10\x40") },
	    &known, HF_E_SHAPE, SEALED, HF__OPEN, "B12" },
	{ { "record_long_head", SAY_FIRST, INSTEAD, 0,
	    RAW("\x82\x10\x59\x00\x14") },
	    &known, HF_E_CBOR, SEALED, HF__OPEN, "A26" },
	{ { "record_null", SAY_FIRST, INSTEAD, 0, RAW("\x82\x10\xf6") },
	    &known, HF_E_SHAPE, SEALED, HF__OPEN, "A32" },
	{ { "record_of_three_items", SAY_FIRST, INSTEAD, 0,
	    RAW("\x83\x10\x40\x40") },
	    &known, HF_E_SHAPE, SEALED, HF__OPEN, "A24" },
	{ { "record_and_more", SAY_FIRST, BEHIND, 0, RAW("\x00") },
	    &known, HF_E_SHAPE, SEALED, HF__OPEN, "A24", 1 },

	/* contents */
	{ { "record_empty", SAY_FIRST, .prepare = no_data },
	    &known, HF_E_SHAPE, SEALED, HF__OPEN, "B12" },
	{ { "content_0", SAY_FIRST, PREPARED, 0, RAW(""), content },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "B8" },
	{ { "content_ack", SAY_FIRST, PREPARED, 3, RAW(""), content },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "B8" },
	{ { "content_channel", SAY_FIRST, PREPARED, 4, RAW(""), content },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "B8" },
	{ { "content_query", SAY_FIRST, PREPARED, 7, RAW(""), content },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "B8" },
	{ { "content_refresh", SAY_FIRST, PREPARED, 8, RAW(""), content },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "B8" },
	{ { "content_private", SAY_FIRST, PREPARED, 255, RAW(""), content },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "B8" },
	{ { "close_with_data", SAY_CLOSE, .prepare = close_with_data },
	    &known, HF_E_SHAPE, SEALED, HF__OPEN, "B13", 2 },
	{ { "data_after_close", SAY_FIRST, .prepare = close_too_soon },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "B13",
	    .stays_open = true },
	{ { "close_twice", SAY_SECOND, .prepare = close_too_soon },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "B13", 1,
	    .stays_open = true },
	{ { "alert_1", SAY_FIRST, .prepare = alert_1 },
	    &known, HF_E_REFUSED, NOTHING, HF__OPEN, "A49" },
	{ { "alert_2", SAY_SECOND, .prepare = alert_2 },
	    &known, HF_E_STORE, NOTHING, HF__OPEN, "A49", 1 },
	{ { "alert_unknown", SAY_FIRST, .prepare = alert_unknown },
	    &known, HF_E_SHAPE, NOTHING, HF__OPEN, "A49" },
	{ { "alert_empty", SAY_FIRST, .prepare = alert_empty },
	    &known, HF_E_SHAPE, NOTHING, HF__OPEN, "A49" },
	{ { "alert_of_two_bytes", SAY_FIRST, .prepare = alert_of_two_bytes },
	    &known, HF_E_SHAPE, NOTHING, HF__OPEN, "A49" },

	/* what is no record */
	{ { "alert_in_clear", SAY_FIRST, INSTEAD, 0, RAW("\x82\x08\x01") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "A49" },
	{ { "hello_when_open", SAY_SECOND, INSTEAD, 0, RAW("\x86\x00") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "A48", 1 },
	{ { "request_when_open", SAY_FIRST, INSTEAD, 0, RAW("\x8a\x03") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "A48" },
	{ { "grant_when_open", SAY_FIRST, INSTEAD, 0, RAW("\x86\x04") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "A48" },
	{ { "retry_when_open", SAY_FIRST, INSTEAD, 0, RAW("\x82\x02") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "A48" },
	{ { "resume_when_open", SAY_FIRST, INSTEAD, 0, RAW("\x86\x06") },
	    &known, HF_E_UNEXPECTED, SEALED, HF__OPEN, "A48" },
};

/* A ticket comes from the responder alone, and is his. */
static void
ticket_for_other(struct peer *p)
{
	struct hf_ticket_info info = { .issued = NOW, .expires = NOW + 60 };

	name_set(&info.subject, "alice");
	name_set(&info.audience, "evil.example");
	assert_ok(hf_ticket_issue(p->object.bytes, sizeof(p->object.bytes),
	    &p->object.len, p->world->ring, &info));
	p->content = HF__TICKET;
	p->data = (struct hf_span){ p->object.bytes, p->object.len };
}

static void
ticket_of_own(struct peer *p)
{
	p->content = HF__TICKET;
	p->data =
	    (struct hf_span){ p->world->ticket.bytes, p->world->ticket.len };
}

static const struct row of_initiator[] = {
	{ { "ticket_from_initiator", SAY_FIRST, .prepare = ticket_of_own },
	    &by_ticket, HF_E_UNEXPECTED, SEALED, HF__OPEN, "B8" },
};

static const struct row of_responder[] = {
	{ { "ticket_of_garbage", SAY_FIRST, PREPARED, HF__TICKET, RAW(""),
	    content },
	    &known, HF_E_SHAPE, SEALED, HF__OPEN, "A24" },
	{ { "ticket_for_other", SAY_FIRST, .prepare = ticket_for_other },
	    &known, HF_E_SHAPE, SEALED, HF__OPEN, "A36" },
};
/* clang-format on */

int
main(void)
{
	return run_switches("records of an initiator", rows, HF__ARRAY_N(rows),
		   HF_INITIATOR) |
	    run_switches("records of a responder", rows, HF__ARRAY_N(rows),
		HF_RESPONDER) |
	    run_switches("tickets of an initiator", of_initiator,
		HF__ARRAY_N(of_initiator), HF_INITIATOR) |
	    run_switches("tickets of a responder", of_responder,
		HF__ARRAY_N(of_responder), HF_RESPONDER);
}
