/* SPDX-License-Identifier: ISC */
/*
 * A refresh (spec section 17.8) at either end, its record and its box as they
 * are, where one is due and where none is: what comes of it is what the
 * receiver's steps say, and what goes on then is what follows from the marks
 * before. What the responder stores on the way is held to sections 17.8 and
 * 18.2.
 */
#include "takeover.h"

#define SHAPE_RECORD "[ =16 b17-65553 ]"
#define SHAPE_REFRESH "[ b32-32 *1-4 b1-2048 b16-16 ]"

enum { ENC, CHAIN, BOX };
enum { BOX_BYTES = 16, ANSWER = 2 + 2 + BOX_BYTES + 1 + HF__TAG_BYTES };

/* How the two came to be where they are. */
enum stands {
	STANDS_SOFT,	/* after a soft takeover: a refresh is due */
	STANDS_LOST,	/* the answer was lost, and another server took over */
	STANDS_CUT,	/* so was the refresh itself */
	STANDS_DONE,	/* one was in this epoch */
	STANDS_BEGUN,	/* no takeover was */
	STANDS_PROVED,	/* a proved one was */
	STANDS_KEYLESS, /* a soft one, whose resume had no reply key */
	STANDS_LAST	/* the last epoch; the responder: still writing */
};

/* What was before the record was read. */
static struct {
	bool due, got_close;
	uint64_t epoch;
	struct past received, sent;
	uint8_t secret[32];
} before;

static struct past
past_now(const struct hf__traffic *t)
{
	struct past p = { .count = t->count, .bytes = t->bytes };

	memcpy(p.digest, t->digest, sizeof(p.digest));
	return p;
}

/* --- how they come there ----------------------------------------------------- */

/* Another server goes on with what is in the store. */
static void
take_over(struct act *a, unsigned proved)
{
	hf_session_free(a->r);
	a->r = fuzz_session(moving.r[proved]);
	CLAIM(hf_session_eof(a->i) == HF_E_TRUNCATED);
	fuzz_give(a->r, moving_resume(a->i));
	while (fuzz_answer(a->r) == HF_OK)
		;
	fuzz_give(a->i, fuzz_take(act_said, sizeof(act_said), a->r));
	fuzz_give(a->r, fuzz_take(act_said, sizeof(act_said), a->i));
	MUST(fuzz_answer(a->r));
	CLAIM(a->i->state == HF__OPEN && a->r->state == HF__OPEN);
	CLAIM(hf_session_epoch(a->i) == hf_session_epoch(a->r));
	CLAIM(hf_session_strength(a->i) == hf_session_strength(a->r));
}

/* What is in the store is of that epoch, and has a previous secret or none. */
static void
check_stored(uint64_t epoch, const uint8_t *secret, const uint8_t *previous)
{
	struct hf_span state, from;

	CLAIM(entry_opens(fuzz_entry));
	CLAIM(shape_number(fuzz_entry, ENTRY_EPOCH) == epoch);
	state = take_plain(fuzz_entry, ENTRY_BOX);
	CLAIM(shape_number(state, STATE_SERIAL) == 0);
	CLAIM(memcmp(shape_item(state, STATE_SECRET).ptr, secret, 32) == 0);
	from = shape_from(state, STATE_PREVIOUS);
	CLAIM((*from.ptr == 0xf6) == (previous == NULL));
	if (previous != NULL)
		CLAIM(shape_number(from, 0) == epoch - 1 &&
		    memcmp(shape_item(from, 1).ptr, previous, 32) == 0);
}

/* The responder's first compare-and-set; the application may close while it is
 * being written. */
static void
begin(struct act *a, bool closes)
{
	struct hf_session *r = a->r;
	size_t len;

	CLAIM(hf_session_strength(r) == HF_MOVES_SOFT &&
	    hf_session_checkpoint_due(r) == 2);
	MUST(hf_session_checkpoint(r, moving.entry, sizeof(moving.entry),
	    &len));
	fuzz_entry = (struct hf_span){ moving.entry, len };
	check_stored(hf_session_epoch(r) + 1,
	    r->move->refresh->secrets.resumption, r->secrets.resumption);
	if (closes)
		MUST(hf_session_close(r));
	MUST(hf_session_checkpointed(r, HF_OK));
	CLAIM(hf_session_checkpoint_due(r) < 0);
}

/* All records of the one but the last, which stays in the act. */
static void
hear_but_last(struct act *a, struct hf_session *from, struct hf_session *to)
{
	enum hf_content content;
	struct hf_span data;
	size_t used;

	a->said = fuzz_take(act_said, sizeof(act_said), from);
	while (shape_fits(SHAPE_RECORD, a->said) < a->said.len) {
		MUST(hf_session_feed(to, &used, a->said.ptr, a->said.len));
		(void)in_span(&a->said, used);
		MUST(hf_session_recv(to, &content, &data));
	}
}

/* All of one, and what the responder stores at its end. */
static void
refresh(struct act *a)
{
	begin(a, false);
	moving_hear(a->r, a->i);
	moving_hear(a->i, a->r);
	moving_store(a->r);
	check_stored(hf_session_epoch(a->i), a->i->secrets.resumption, NULL);
	CLAIM(hf_session_strength(a->r) == HF_MOVES_PROVED &&
	    hf_session_strength(a->i) == HF_MOVES_PROVED);
	moving_hear(a->r, a->i);
}

static void
stand(struct act *a, enum stands stands, unsigned method)
{
	bool proved = stands == STANDS_PROVED;

	moving_open(&a->i, &a->r, method, proved);
	moving_before(a->i, a->r, LEAVE_PLAIN);
	if (stands == STANDS_BEGUN)
		return;
	MUST(hf_config_refresh(a->i->config, stands != STANDS_KEYLESS));
	take_over(a, proved);
	MUST(hf_config_refresh(a->i->config, 1));
	if (stands == STANDS_DONE)
		refresh(a);
	if (stands != STANDS_LOST && stands != STANDS_CUT)
		return;
	begin(a, false);
	if (stands == STANDS_LOST)
		moving_hear(a->r, a->i);
	CLAIM(hf_session_epoch(a->i) == (stands == STANDS_LOST ? 2 : 1));
	take_over(a, 0);
	CLAIM(hf_session_epoch(a->i) == 3 &&
	    hf_session_strength(a->i) == HF_MOVES_SOFT);
}

/* What is none, where none is due. */
static void
say_any(struct act *a, struct hf_session *from)
{
	static const uint8_t data[BOX_BYTES];
	size_t len;

	moving_lose(from);
	if (a->s->move->strength == HF_MOVES_SOFT && a->s == a->r)
		MUST(hf_session_checkpoint(a->r, moving.entry,
		    sizeof(moving.entry), &len));
	MUST(hf__record_seal(from, HF__REFRESH, data, sizeof(data)));
	a->said = fuzz_take(act_said, sizeof(act_said), from);
}

/* One that is due: the responder's, or the answer to it. */
static void
say_due(struct act *a, bool peer_closes, bool own_closes)
{
	if (a->s == a->r && peer_closes)
		MUST(hf_session_close(a->i));
	if (a->s == a->i && own_closes)
		MUST(hf_session_close(a->i));
	begin(a, a->s == a->r ? own_closes : peer_closes);
	hear_but_last(a, a->r, a->i);
	if (a->s == a->i)
		return;
	fuzz_give(a->i, a->said);
	while (hf_session_want(a->i) == HF_WANT_RECV) {
		enum hf_content content;
		struct hf_span data;

		MUST(hf_session_recv(a->i, &content, &data));
	}
	hear_but_last(a, a->i, a->r);
}

/* Bits: 1 which end, 2 how the initiator authenticated, 4 to 16 where they
 * stand, 32 the peer has closed, or 64 the end itself. */
static void
stage(struct act *a, unsigned choice)
{
	enum stands stands = choice >> 2 & 7;
	bool one = (choice & 96) != 96;

	stand(a, stands, choice >> 1 & 1);
	a->s = choice & 1 ? a->r : a->i;
	before.due = stands <= STANDS_CUT;
	if (before.due)
		say_due(a, one && choice & 32, one && choice & 64);
	else
		say_any(a, choice & 1 ? a->i : a->r);
	if (stands == STANDS_LAST && a->s == a->i)
		a->i->move->epoch = UINT32_MAX;
	before.got_close = a->s->got_close;
	before.epoch = a->s->move->epoch;
	before.received = past_now(&a->s->recv);
	before.sent = past_now(&a->s->send);
	memcpy(before.secret, a->s->secrets.resumption, 32);
}

/* --- the receiver's steps ------------------------------------------------------ */

static const char *
shape(const struct act *a)
{
	(void)a;
	return SHAPE_RECORD;
}

static struct hf_span
plain_of(struct hf_span message)
{
	return take_plain(message, 1);
}

static enum hf_err
steps_initiator(struct hf_cert_info *leaf, struct hf_span data)
{
	enum hf_err e;

	if (!take_fits(SHAPE_REFRESH, data) ||
	    shape_fits(SHAPE_REFRESH, data) != data.len)
		return HF_E_SHAPE;
	if ((e = moving_server(leaf, shape_item(data, ENC),
		 shape_from(data, CHAIN))) != HF_OK)
		return e;
	return data.ptr[data.len - 1] == SKIP_REFUSED ? HF_E_BOX : HF_OK;
}

static enum hf_err
steps_responder(struct hf_span data)
{
	if (data.len != BOX_BYTES)
		return HF_E_SHAPE;
	return data.ptr[data.len - 1] == SKIP_REFUSED ? HF_E_BOX : HF_OK;
}

/* Of a record whose content it is. HF_E_SHAPE stands for HF_E_CBOR too. */
static enum hf_err
steps(const struct act *a, struct hf_cert_info *leaf, struct hf_span message)
{
	struct hf_span data = plain_of(message);

	data.len--;
	if (message.ptr[message.len - 1] == SKIP_REFUSED)
		return HF_E_BOX;
	if (!before.due)
		return HF_E_UNEXPECTED;
	return a->s == a->i ? steps_initiator(leaf, data) :
			      steps_responder(data);
}

static bool
is_refresh(struct hf_span message)
{
	struct hf_span data = plain_of(message);

	return data.ptr[data.len - 1] == HF__REFRESH;
}

/* The initiator can resume as if it had not come; a responder keeps nothing. */
static void
check_refused(const struct act *a)
{
	const struct hf__move *m = a->s->move;

	CLAIM(hf_session_can_reconnect(a->s) == (a->s == a->i));
	if (a->s == a->r) {
		CLAIM(m == NULL);
		return;
	}
	CLAIM(m->epoch == before.epoch && !m->has_reply && m->refresh == NULL);
	CLAIM(memcmp(a->s->secrets.resumption, before.secret, 32) == 0);
}

/* What other records are is not asked here. */
static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	struct hf_cert_info leaf;
	enum hf_err due;

	check_refused(a);
	if (!is_refresh(message))
		return true;
	due = steps(a, &leaf, message);
	return e == due || (e == HF_E_CBOR && due == HF_E_SHAPE);
}

/* --- what came of it ------------------------------------------------------------- */

static void
check_direction(const struct hf__traffic *t, const struct past *was,
    const uint8_t tag[HF__TAG_BYTES], int direction)
{
	struct past due = *was, is = past_now(t);

	past_add(&due, 0, tag);
	past_epoch(&due, before.epoch + 1, direction);
	CLAIM(past_same(&is, &due) && t->seq == 0);
}

static void
check_initiator(const struct act *a, const struct hf_cert_info *leaf)
{
	static const uint8_t tag[HF__TAG_BYTES];
	const struct hf__move *m = a->i->move;

	CLAIM(act_out_len == ANSWER && a->i->state == HF__OPEN);
	CLAIM(memcmp(act_out, "\x82\x10\x58\x21", 4) == 0);
	CLAIM(sodium_is_zero(act_out + 4, BOX_BYTES) &&
	    act_out[4 + BOX_BYTES] == HF__REFRESH);
	check_direction(&a->i->send, &before.sent, tag, 1);
	CLAIM(m->serial == 0 && !m->has_reply &&
	    sodium_is_zero((const uint8_t *)&m->reply, sizeof(m->reply)));
	CLAIM(hf_session_strength(a->i) == HF_MOVES_PROVED);
	CLAIM(strcmp(a->i->name, leaf->subject.text) == 0);
}

static void
check_responder(const struct act *a)
{
	struct past now = past_now(&a->r->send);

	CLAIM(act_out_len == 0 && past_same(&now, &before.sent));
	CLAIM(hf_session_strength(a->r) == HF_MOVES_SOFT);
	CLAIM(hf_session_checkpoint_due(a->r) == 2 || a->r->state != HF__OPEN);
}

static void
taken(const struct act *a, struct hf_span message)
{
	const uint8_t *tag = message.ptr + message.len - HF__TAG_BYTES;
	const struct hf__move *m = a->s->move;
	struct hf_cert_info leaf;

	if (!is_refresh(message)) {
		CLAIM(m->epoch == before.epoch);
		return;
	}
	CLAIM(steps(a, &leaf, message) == HF_OK && a->released == 1);
	CLAIM(a->s->got_close == before.got_close);
	CLAIM(m->epoch == before.epoch + 1 && m->refresh == NULL);
	CLAIM(memcmp(a->s->secrets.resumption, before.secret, 32) != 0);
	check_direction(&a->s->recv, &before.received, tag,
	    a->s == a->i ? 2 : 1);
	if (a->s == a->i)
		check_initiator(a, &leaf);
	else
		check_responder(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return moving_message(&target, data, len);
}
