/* SPDX-License-Identifier: ISC */
/*
 * What a responder does with a resume and the entry that a store gives it,
 * gone through anew from spec sections 17.2, 17.3 and 18: no seal is closed
 * here, so that all of both can be read.
 */
#ifndef HANDFAST_TAKEOVER_H
#define HANDFAST_TAKEOVER_H

#include "moving.h"

#define SHAPE_ENTRY                                                       \
	"[ =1 t1-255 t1-255 u4294967295 b16-16 u4294967295 t1-255 b16-16" \
	" u9007199254740992 b24-24 b16-2064 ]"
#define SHAPE_STATE                                                                 \
	"[ u65535 u2 b32-32 ( n | [ u4294967295 b32-32 ] ) u4294967295 " SHAPE_MARK \
	" " SHAPE_MARK " u3 t0-255 [ u8 t1-255 t1-320"                              \
	" u9007199254740992 ( n | b32-32 ) *0-4 b32-32 u9007199254740992"           \
	" ( [ ] | [ u8 u9007199254740992 u9007199254740992 u1 ] ) ] ]"
#define SHAPE_RESUME                                           \
	"[ =6 =1 b16-16 u4294967295 u4294967295 t0-255 b32-32" \
	" ( n | b1-64 ) ( n | b32-2048 ) e b16-272 ]"
#define SHAPE_TOLD "[ " SHAPE_MARK " " SHAPE_MARK " u3 ]"

/* Where things stand in an entry, a state, its peer, a resume and its box. */
enum {
	ENTRY_GENERATION = 3,
	ENTRY_SID,
	ENTRY_EPOCH,
	ENTRY_OWNER,
	ENTRY_TOKEN,
	ENTRY_EXPIRES,
	ENTRY_BOX = 10
};
enum {
	STATE_SUITE,
	STATE_MOBILITY,
	STATE_SECRET,
	STATE_PREVIOUS,
	STATE_SERIAL,
	STATE_RECEIVED,
	STATE_SENT,
	STATE_CLOSED,
	STATE_TARGET,
	STATE_PEER
};
enum {
	PEER_METHOD,
	PEER_SUBJECT = 2,
	PEER_KEY = 4,
	PEER_ORIGINS,
	PEER_NOT_AFTER,
	PEER_TICKET
};
enum {
	RESUME_SID = 2,
	RESUME_EPOCH,
	RESUME_SERIAL,
	RESUME_TARGET,
	RESUME_REPLY = 8,
	RESUME_BOX = 10
};
enum { TOLD_SENT, TOLD_RECEIVED, TOLD_CLOSED };

static inline struct hf_span
take_plain(struct hf_span array, size_t box)
{
	struct hf_span sealed = shape_item(array, box);

	return (struct hf_span){ sealed.ptr, sealed.len - HF__TAG_BYTES };
}

static inline bool
take_verifies(struct hf_span array, size_t box)
{
	struct hf_span sealed = shape_item(array, box);

	return sealed.ptr[sealed.len - 1] != SKIP_REFUSED;
}

static inline bool
take_fits(const char *shape, struct hf_span bytes)
{
	return bytes.len > 0 && shape_fits(shape, bytes) == bytes.len;
}

/* --- entries (section 18) ------------------------------------------------------ */

static inline bool
entry_fits(struct hf_span entry)
{
	return entry.len <= HF_ENTRY_MAX && take_fits(SHAPE_ENTRY, entry) &&
	    shape_number(entry, ENTRY_GENERATION) > 0;
}

static inline bool
is_method(uint64_t m)
{
	return m == 1 || m == 2 || m == 4 || m == 8;
}

static inline bool
state_fits(struct hf_span plain)
{
	struct hf_span peer, ticket;
	bool claimed;

	if (!take_fits(SHAPE_STATE, plain))
		return false;
	claimed = shape_number(plain, STATE_SERIAL) > 0;
	if (shape_number(plain, STATE_MOBILITY) == 0 ||
	    (claimed && *shape_from(plain, STATE_PREVIOUS).ptr == 0xf6))
		return false;
	peer = shape_from(plain, STATE_PEER);
	ticket = shape_from(peer, PEER_TICKET);
	return is_method(shape_number(peer, PEER_METHOD)) &&
	    (*ticket.ptr == 0x80 || shape_number(ticket, 0) == 0 ||
		is_method(shape_number(ticket, 0)));
}

/* Of either scope generation 1 is held, of "default" 3 as well; 2 is cut off. */
static inline bool
entry_opens(struct hf_span entry)
{
	uint64_t generation;

	if (!entry_fits(entry))
		return false;
	generation = shape_number(entry, ENTRY_GENERATION);
	return shape_is_name(shape_item(entry, 1), "cluster") &&
	    (shape_is_name(shape_item(entry, 2), "default") ?
		    generation == 1 || generation == 3 :
		    shape_is_name(shape_item(entry, 2), "other") &&
			generation == 1) &&
	    take_verifies(entry, ENTRY_BOX) &&
	    state_fits(take_plain(entry, ENTRY_BOX));
}

/* --- the receiver's steps (section 17.2) ---------------------------------------- */

static inline struct past
past_of(struct hf_span array, size_t n)
{
	struct hf_span mark = shape_from(array, n);
	struct past p = { .count = shape_number(mark, 0),
		.bytes = shape_number(mark, 1) };

	memcpy(p.digest, shape_item(mark, 2).ptr, 32);
	return p;
}

static inline bool
past_same(const struct past *a, const struct past *b)
{
	return a->count == b->count && a->bytes == b->bytes &&
	    memcmp(a->digest, b->digest, 32) == 0;
}

/* Step 7. A claim that is not confirmed has a serial above 0, a refresh 0. */
static inline enum hf_err
take_secret(struct past *received, struct past *sent, struct hf_span entry,
    struct hf_span resume)
{
	struct hf_span state = take_plain(entry, ENTRY_BOX);
	struct hf_span previous = shape_from(state, STATE_PREVIOUS);
	bool unconfirmed = *previous.ptr != 0xf6;
	uint64_t epoch = shape_number(entry, ENTRY_EPOCH);
	uint64_t theirs = shape_number(resume, RESUME_EPOCH);

	*received = past_of(state, STATE_RECEIVED);
	*sent = past_of(state, STATE_SENT);
	if (theirs == epoch) {
		if (unconfirmed && shape_number(state, STATE_SERIAL) > 0) {
			past_epoch(received, epoch, 1);
			past_epoch(sent, epoch, 2);
		}
		return HF_OK;
	}
	if (unconfirmed && theirs == shape_number(previous, 0) &&
	    shape_number(resume, RESUME_SERIAL) >
		shape_number(state, STATE_SERIAL))
		return HF_OK;
	return theirs > epoch ? HF_E_NO_SESSION : HF_E_REPLAY;
}

/* Step 8; of a suite that is not there no size is known. */
static inline enum hf_err
take_suite(struct hf_span state, struct hf_span resume)
{
	uint64_t suite = shape_number(state, STATE_SUITE);
	bool proved = shape_number(state, STATE_MOBILITY) == 2;
	bool replied = *shape_from(resume, RESUME_REPLY).ptr != 0xf6;
	struct hf_span reply = shape_item(resume, RESUME_REPLY);

	if (proved && !replied)
		return HF_E_SHAPE;
	if (!hf_suite_available((int)suite))
		return HF_E_NO_SESSION;
	return replied && reply.len != 32 ? HF_E_SHAPE : HF_OK;
}

/* Step 10. Its anchor is the CA of all; lists there are none. */
static inline enum hf_err
take_anew(struct hf_span entry, struct hf_span resume)
{
	struct hf_span state = take_plain(entry, ENTRY_BOX);
	struct hf_span peer = shape_from(state, STATE_PEER);
	struct hf_span origins = shape_from(peer, PEER_ORIGINS);
	struct hf_span ticket = shape_from(peer, PEER_TICKET);
	uint64_t ends = shape_number(peer, PEER_NOT_AFTER);
	size_t n = (size_t)shape_number(peer, PEER_ORIGINS);
	uint8_t ca[32];

	if (shape_number(entry, ENTRY_EXPIRES) <= FUZZ_NOW ||
	    (ends != 0 && ends <= FUZZ_NOW) ||
	    (*ticket.ptr != 0x80 && shape_number(ticket, 2) <= FUZZ_NOW))
		return HF_E_EXPIRED;
	hf_identity_public(ca, NULL, fuzz.ca);
	if (n > 0 && memcmp(shape_item(origins, n - 1).ptr, ca, 16) != 0)
		return HF_E_ISSUER;
	if (shape_is_name(shape_item(entry, 2), "other") &&
	    !shape_is_name(shape_item(resume, RESUME_TARGET), "elsewhere"))
		return HF_E_NO_SESSION;
	return HF_OK;
}

static inline bool
take_agree(const struct past *a, bool a_closed, const struct past *b,
    bool b_closed)
{
	if (a->count == b->count)
		return past_same(a, b) && a_closed == b_closed;
	return a->count < b->count ? !a_closed || b_closed :
				     !b_closed || a_closed;
}

/* Step 11. */
static inline bool
take_marks(const struct past *received, const struct past *sent,
    struct hf_span state, struct hf_span told)
{
	struct past i_sent = past_of(told, TOLD_SENT);
	struct past i_received = past_of(told, TOLD_RECEIVED);
	uint64_t here = shape_number(state, STATE_CLOSED);
	uint64_t there = shape_number(told, TOLD_CLOSED);

	return received->count <= i_sent.count &&
	    take_agree(received, here & 1, &i_sent, there & 1) &&
	    take_agree(sent, here & 2, &i_received, there & 2);
}

/* What is made of what was proved, and of a ticket's name. */
static inline enum hf_err
take_keys(struct hf_span entry, struct hf_span resume)
{
	struct hf_span state = take_plain(entry, ENTRY_BOX);
	struct hf_span peer = shape_from(state, STATE_PEER);
	struct hf_span key = shape_item(peer, PEER_KEY);

	if (*shape_from(peer, PEER_TICKET).ptr != 0x80 &&
	    shape_item(peer, PEER_SUBJECT).len > HF_NAME_MAX)
		return HF_E_ENTRY;
	if (shape_number(entry, ENTRY_EPOCH) == UINT32_MAX)
		return HF_E_EXHAUSTED;
	if (shape_number(state, STATE_MOBILITY) == 2 &&
	    (sodium_is_zero(shape_item(resume, RESUME_REPLY).ptr, 32) ||
		(key.len > 0 && sodium_is_zero(key.ptr, 32))))
		return HF_E_PUBLIC_KEY;
	return HF_OK;
}

/* Steps 6 to 13. HF_E_SHAPE stands for HF_E_CBOR too. */
static inline enum hf_err
take_steps(struct hf_span entry, struct hf_span resume)
{
	struct hf_span state, told = take_plain(resume, RESUME_BOX);
	struct past received, sent;
	enum hf_err e;

	if (!entry_opens(entry) ||
	    memcmp(shape_item(entry, ENTRY_SID).ptr,
		shape_item(resume, RESUME_SID).ptr, HF_SID_BYTES) != 0)
		return HF_E_ENTRY;
	state = take_plain(entry, ENTRY_BOX);
	if ((e = take_secret(&received, &sent, entry, resume)) != HF_OK ||
	    (e = take_suite(state, resume)) != HF_OK)
		return e;
	if (!take_verifies(resume, RESUME_BOX))
		return HF_E_BOX;
	if (!take_fits(SHAPE_TOLD, told))
		return HF_E_SHAPE;
	if ((e = take_anew(entry, resume)) != HF_OK)
		return e;
	if (!take_marks(&received, &sent, state, told))
		return HF_E_ROLLBACK;
	return take_keys(entry, resume);
}

/* --- what came of it -------------------------------------------------------------- */

static inline void
check_mark(const struct past *is, struct hf_span array, size_t n)
{
	struct past said = past_of(array, n);

	CLAIM(past_same(is, &said));
}

/* Section 17.3: the claim. */
static inline void
check_claim(struct hf_span claim, struct hf_span entry, struct hf_span resume,
    const struct past *received)
{
	struct hf_span was = take_plain(entry, ENTRY_BOX), is;
	struct hf_span told = take_plain(resume, RESUME_BOX);
	struct past theirs = past_of(told, TOLD_RECEIVED);
	uint64_t theirs_epoch = shape_number(resume, RESUME_EPOCH);
	struct hf_span previous, target = shape_item(resume, RESUME_TARGET);
	struct hf_span peer[2];

	CLAIM(entry_opens(claim));
	is = take_plain(claim, ENTRY_BOX);
	CLAIM(shape_number(claim, ENTRY_EPOCH) ==
	    shape_number(entry, ENTRY_EPOCH) + 1);
	CLAIM(shape_is_name(shape_item(claim, ENTRY_OWNER), "server"));
	CLAIM(memcmp(shape_item(claim, ENTRY_TOKEN).ptr,
		  shape_item(entry, ENTRY_TOKEN).ptr, 16) != 0);
	CLAIM(shape_number(claim, ENTRY_EXPIRES) ==
	    shape_number(entry, ENTRY_EXPIRES));
	previous = shape_from(is, STATE_PREVIOUS);
	CLAIM(shape_number(previous, 0) == theirs_epoch);
	CLAIM(memcmp(shape_item(previous, 1).ptr,
		  theirs_epoch == shape_number(entry, ENTRY_EPOCH) ?
		      shape_item(was, STATE_SECRET).ptr :
		      shape_item(shape_from(was, STATE_PREVIOUS), 1).ptr,
		  32) == 0);
	CLAIM(memcmp(shape_item(is, STATE_SECRET).ptr,
		  shape_item(was, STATE_SECRET).ptr, 32) != 0);
	CLAIM(shape_number(is, STATE_SERIAL) ==
	    shape_number(resume, RESUME_SERIAL));
	check_mark(received, is, STATE_RECEIVED);
	check_mark(&theirs, is, STATE_SENT);
	CLAIM(shape_number(is, STATE_CLOSED) ==
	    ((shape_number(was, STATE_CLOSED) & 1) |
		(shape_number(told, TOLD_CLOSED) & 2)));
	CLAIM(shape_item(is, STATE_TARGET).len == target.len &&
	    (target.len == 0 ||
		memcmp(shape_item(is, STATE_TARGET).ptr, target.ptr,
		    target.len) == 0));
	peer[0] = shape_from(was, STATE_PEER);
	peer[1] = shape_from(is, STATE_PEER);
	CLAIM(peer[0].len == peer[1].len &&
	    memcmp(peer[0].ptr, peer[1].ptr, peer[0].len) == 0);
}

/* Section 17.4: what is answered. */
static inline void
check_resumed(struct hf_span out, struct hf_span entry, struct hf_span resume)
{
	struct hf_span state = take_plain(entry, ENTRY_BOX), plain;
	struct past received, sent;

	CLAIM(take_secret(&received, &sent, entry, resume) == HF_OK);
	CLAIM(take_fits(shape_number(state, STATE_MOBILITY) == 2 ?
		"[ =7 b32-32 b32-32 *1-4 b1-2048 b16-272 ]" :
		"[ =7 b32-32 n n b16-272 ]",
	    out));
	plain = take_plain(out, 4);
	CLAIM(take_fits("[ u4294967295 " SHAPE_MARK " " SHAPE_MARK " u3 ]",
	    plain));
	CLAIM(shape_number(plain, 0) == shape_number(entry, ENTRY_EPOCH) + 1);
	check_mark(&received, plain, 1);
	check_mark(&sent, plain, 2);
}

/* Of a resume that was judged with that entry. */
static inline void
check_taken(const struct hf_session *r, struct hf_span out,
    struct hf_span entry, struct hf_span resume)
{
	enum hf_err due =
	    entry.len == 0 ? HF_E_NO_SESSION : take_steps(entry, resume);
	const struct hf__takeover *claim;
	struct past received, sent;

	switch (due) {
	case HF_OK:
		CLAIM(r->state == HF__R_RESUMED && !r->authenticated);
		check_resumed(out, entry, resume);
		CLAIM(take_secret(&received, &sent, entry, resume) == HF_OK);
		claim = r->move->claim;
		check_claim((struct hf_span){ claim->entry, claim->entry_len },
		    entry, resume, &received);
		break;
	case HF_E_NO_SESSION:
	case HF_E_EXPIRED:
	case HF_E_ENTRY:
	case HF_E_ROLLBACK:
		CLAIM(r->state == HF__R_START && !r->keys && r->move == NULL);
		CLAIM(hf_session_refused(r) == due);
		CLAIM(take_fits("[ =8 =4 ]", out));
		break;
	default:
		CLAIM(r->state == HF__FAILED);
		CLAIM(hf_session_error(r) == due ||
		    (due == HF_E_SHAPE && hf_session_error(r) == HF_E_CBOR));
	}
}

#endif
