/* SPDX-License-Identifier: ISC */
/*
 * A resumed (spec section 17.4) at an initiator that said resume, its box as
 * it is: what comes of it is what the receiver's steps say, gone through anew
 * beside the marks that were kept; and no answer but a rollback, which is
 * sealed, ends a session for good.
 */
#include "moving.h"

#define SHAPE_PROVED "[ =7 b32-32 b32-32 *1-4 b1-2048 b16-272 ]"
#define SHAPE_SOFT "[ =7 b32-32 n n b16-272 ]"
#define SHAPE_PLAIN "[ u4294967295 " SHAPE_MARK " " SHAPE_MARK " u3 ]"

enum { ENC = 2, CHAIN, BOX };
enum { EPOCH, RECEIVED, SENT, CLOSED };

static void
stage(struct act *a, unsigned choice)
{
	moving_leave(a, choice);
	a->s = a->i;
	fuzz_give(a->r, a->said);
	while (fuzz_answer(a->r) == HF_OK)
		;
	CLAIM(a->r->state == HF__R_RESUMED);
	a->said = fuzz_take(act_said, sizeof(act_said), a->r);
}

static bool
proved(const struct act *a)
{
	return a->r->config == moving.r[1];
}

static const char *
shape(const struct act *a)
{
	return proved(a) ? SHAPE_PROVED : SHAPE_SOFT;
}

static struct hf_span
plain_of(struct hf_span message)
{
	struct hf_span box = shape_item(message, BOX);

	return (struct hf_span){ box.ptr, box.len - HF__TAG_BYTES };
}

/* Of an epoch that is not 0. */
static bool
plain_fits(struct hf_span plain)
{
	return plain.len > 0 && shape_fits(SHAPE_PLAIN, plain) == plain.len &&
	    shape_number(plain, EPOCH) > 0;
}

/* What that direction was at that count, as far as it is known here. */
static const struct past *
find(const struct line *l, uint64_t count)
{
	size_t k;

	for (k = 0; k < l->n; k++)
		if (l->past[k].count == count)
			return &l->past[k];
	return NULL;
}

static bool
is_past(const struct past *p, struct hf_span mark)
{
	return p->bytes == shape_number(mark, 1) &&
	    memcmp(p->digest, shape_item(mark, 2).ptr, 32) == 0;
}

/* Steps 4 to 7. */
static bool
goes_on(struct hf_span plain)
{
	struct hf_span received = shape_from(plain, RECEIVED);
	struct hf_span sent = shape_from(plain, SENT);
	uint64_t count = shape_number(received, 0);
	const struct past *ours = find(&moving.own, count), *theirs;
	uint64_t closed = shape_number(plain, CLOSED);

	if (shape_number(plain, EPOCH) <= moving.epoch || ours == NULL ||
	    count < moving.own.past[moving.acked].count ||
	    !is_past(ours, received))
		return false;
	theirs = find(&moving.peers, shape_number(sent, 0));
	if (shape_number(sent, 0) < moving.covered ||
	    (theirs != NULL && !is_past(theirs, sent)))
		return false;
	return ((closed & 2) != 0) == moving.peer_closed &&
	    ((closed & 1) == 0 || moving.closed);
}

static enum hf_err
steps(const struct act *a, struct hf_span message)
{
	struct hf_span plain = plain_of(message);
	struct hf_cert_info leaf;
	enum hf_err e;

	if (proved(a) &&
	    (e = moving_server(&leaf, shape_item(message, ENC),
		 shape_from(message, CHAIN))) != HF_OK)
		return e;
	if (message.ptr[message.len - 1] == SKIP_REFUSED)
		return HF_E_BOX;
	if (!plain_fits(plain))
		return HF_E_SHAPE;
	return goes_on(plain) ? HF_OK : HF_E_ROLLBACK;
}

static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	enum hf_err due = steps(a, message);

	CLAIM(hf_session_can_reconnect(a->i) == (e != HF_E_ROLLBACK));
	return e == due || (e == HF_E_CBOR && due == HF_E_SHAPE);
}

static void
check_bases(const struct hf_session *i, struct hf_span plain)
{
	const struct past *sent = line_last(&moving.own);
	const struct past *got = line_last(&moving.peers);
	struct hf_span received = shape_from(plain, RECEIVED);
	struct past own = { shape_number(received, 0),
		shape_number(received, 1), { 0 } };
	struct past peers = *got;
	struct hf_bases b;

	MUST(hf_session_bases(&b, i));
	CLAIM(b.own_count == own.count && b.own_bytes == own.bytes);
	CLAIM(b.sent_count == sent->count && b.sent_bytes == sent->bytes);
	CLAIM(b.peer_count == got->count && b.peer_bytes == got->bytes);
	memcpy(own.digest, shape_item(received, 2).ptr, 32);
	past_epoch(&own, shape_number(plain, EPOCH), 1);
	past_epoch(&peers, shape_number(plain, EPOCH), 2);
	CLAIM(i->send.count == own.count && i->recv.count == peers.count);
	CLAIM(memcmp(i->send.digest, own.digest, 32) == 0);
	CLAIM(memcmp(i->recv.digest, peers.digest, 32) == 0);
}

static void
taken(const struct act *a, struct hf_span message)
{
	struct hf_span plain = plain_of(message);

	CLAIM(steps(a, message) == HF_OK);
	CLAIM(a->i->state == HF__OPEN && a->i->authenticated);
	CLAIM(hf_session_epoch(a->i) == shape_number(plain, EPOCH));
	CLAIM(a->i->sent_close == ((shape_number(plain, CLOSED) & 1) != 0));
	CLAIM(act_out_len == 19 && memcmp(act_out, "\x82\x05\x50", 3) == 0);
	check_bases(a->i, plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return moving_message(&target, data, len);
}
