/* SPDX-License-Identifier: ISC */
/*
 * A record of a session that may move (spec sections 9.5 and 17.6), at either
 * end, its plaintext as it is: acks and queries as well, before and after a
 * close; what is counted of it, and what an ack moves.
 */
#include "moving.h"

enum { SAID = 3, HEARD = 2, ACKED = 2, COVERED = 1 };

/* What the table and the rules are asked about. */
static struct {
	bool got_close, acked;
	uint64_t own, peers;
} before;

static void
seal(struct hf_session *from, enum hf__content content, const char *data,
    size_t len)
{
	MUST(hf__record_seal(from, content, (const uint8_t *)data, len));
}

/* What the other side says now. */
static void
say(struct hf_session *from, unsigned what)
{
	switch (what) {
	case 0:
		seal(from, HF__DATA, "data", 4);
		break;
	case 1:
		seal(from, HF__CLOSE, NULL, 0);
		break;
	case 2:
		if (from->config->role == HF_RESPONDER && !from->sent_close)
			MUST(hf_session_issue_ticket(from, 60, 60, 0));
		break;
	case 3:
		seal(from, HF__CONTENT_ALERT, "\1", 1);
		break;
	case 4:
		seal(from, HF__CONTENT_QUERY, NULL, 0);
		break;
	case 5:
		seal(from, HF__ACK, "\x82\x03\x02", 3);
		break;
	case 6: /* as far as the encoding goes */
		seal(from, HF__ACK, "\x82\x1b\0\1\0\0\0\0\0\0\x18\x20", 12);
		break;
	default:
		seal(from, HF__ACK, "\x82\x02\x01\x00", 4);
	}
}

static void
stage(struct act *a, unsigned choice)
{
	struct hf_session *from;
	unsigned k;

	moving_open(&a->i, &a->r, 0, 0);
	a->s = choice & 1 ? a->i : a->r;
	from = choice & 1 ? a->r : a->i;
	for (k = 0; k < SAID; k++)
		moving_say(a->s);
	moving_hear(a->s, from);
	for (k = 0; k < HEARD; k++)
		moving_say(from);
	before.own = SAID;
	before.peers = HEARD;
	before.acked = (choice & 64) != 0;
	if (before.acked) {
		seal(from, HF__ACK, "\x82\x02\x01", 3);
		before.peers++;
	}
	before.got_close = (choice & 4) != 0;
	if (before.got_close) {
		MUST(hf_session_close(from));
		before.peers++;
	}
	moving_hear(from, a->s);
	if ((choice & 2) != 0 && !before.got_close) {
		MUST(hf_session_close(a->s));
		before.own++;
	}
	say(from, choice >> 3 & 7);
	a->said = fuzz_take(act_said, sizeof(act_said), from);
}

static const char *
shape(const struct act *a)
{
	(void)a;
	return "[ =16 b17-65553 ]";
}

static bool
ticket_fits(struct hf_span file)
{
	struct hf_span audience;

	if (!shape_ticket_file(file))
		return false;
	audience = shape_item(file, 4);
	return shape_is_name(audience, "server") ||
	    shape_is_name(audience, "cluster");
}

/* Section 17.6, the receiver. */
static bool
ack_fits(struct hf_span data)
{
	uint64_t received, sent;

	if (data.len == 0 ||
	    shape_fits("[ u281474976710656 u281474976710656 ]", data) !=
		data.len)
		return false;
	received = shape_number(data, 0);
	sent = shape_number(data, 1);
	return received <= before.own && sent <= before.peers &&
	    (!before.acked || (received >= ACKED && sent >= COVERED));
}

static bool
may_follow(uint8_t content)
{
	return content == HF__ACK || content == HF__CONTENT_QUERY ||
	    content == HF__CONTENT_ALERT;
}

static enum hf_err
alert_error(struct hf_span data)
{
	switch (data.len == 1 ? data.ptr[0] : 0) {
	case 1:
		return HF_E_REFUSED;
	case 2:
		return HF_E_STORE;
	case 3:
		return HF_E_UNKNOWN_KEY;
	default:
		return HF_E_SHAPE;
	}
}

static struct hf_span
plain_of(struct hf_span message)
{
	struct hf_span sealed = shape_item(message, 1);

	return (struct hf_span){ sealed.ptr, sealed.len - HF__TAG_BYTES };
}

/* The table of section 9.5, for a session that moves. HF_E_SHAPE stands for
 * HF_E_CBOR too. */
static enum hf_err
steps(const struct act *a, struct hf_span message)
{
	struct hf_span data = plain_of(message);
	uint8_t content = data.ptr[--data.len];

	if (message.ptr[message.len - 1] == SKIP_REFUSED)
		return HF_E_BOX;
	if (before.got_close && !may_follow(content))
		return HF_E_UNEXPECTED;
	switch (content) {
	case HF__DATA:
		return data.len > 0 ? HF_OK : HF_E_SHAPE;
	case HF__CLOSE:
		return data.len == 0 ? HF_OK : HF_E_SHAPE;
	case HF__TICKET:
		if (a->s == a->r)
			return HF_E_UNEXPECTED;
		return ticket_fits(data) ? HF_OK : HF_E_SHAPE;
	case HF__ACK:
		return ack_fits(data) ? HF_OK : HF_E_SHAPE;
	case HF__CONTENT_QUERY:
		if (a->s == a->r)
			return HF_E_UNEXPECTED;
		return data.len == 0 ? HF_OK : HF_E_SHAPE;
	case HF__CONTENT_ALERT:
		return alert_error(data);
	default:
		return HF_E_UNEXPECTED;
	}
}

static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	enum hf_err due = steps(a, message);

	/* The initiator's session goes on elsewhere, and the responder's from
	 * the store. */
	CLAIM(hf_session_can_reconnect(a->s) == (a->s == a->i));
	return e == due || (e == HF_E_CBOR && due == HF_E_SHAPE);
}

static void
taken(const struct act *a, struct hf_span message)
{
	struct hf_span data = plain_of(message);
	uint8_t content = data.ptr[--data.len];
	uint64_t count, bytes, acked = before.acked ? ACKED : 0;

	CLAIM(steps(a, message) == HF_OK);
	CLAIM(a->released == 1 && a->s->recv.count == before.peers + 1);
	CLAIM(a->s->content == content && a->s->plaintext.len == data.len);
	CLAIM(data.len == 0 ||
	    memcmp(a->s->plaintext.ptr, data.ptr, data.len) == 0);
	hf_session_acked(&count, &bytes, a->s);
	if (content == HF__ACK)
		acked = shape_number(data, 0);
	CLAIM(count == acked && bytes == 4 * (acked > SAID ? SAID : acked));
	CLAIM(act_out_len == 0);
	CLAIM(a->s->state ==
	    (content == HF__CLOSE && a->s->sent_close ? HF__CLOSED :
							HF__OPEN));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return moving_message(&target, data, len);
}
