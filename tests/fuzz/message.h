/* SPDX-License-Identifier: ISC */
/*
 * One kind of message at a session that waits for it, with cryptography
 * skipped: the same bytes whole and in pieces come to the same, what is taken
 * has the shape that the specification gives it, what has that shape is not
 * refused for it, and no session goes on where a seal did not verify. Each
 * fuzzer says how its session is brought there, and the shape.
 *
 * An input is two bytes of choices, then the message and whatever follows it;
 * or, as the first says, changes to the genuine one.
 */
#ifndef HANDFAST_MESSAGE_H
#define HANDFAST_MESSAGE_H

#include "shape.h"

enum { GENUINE = 0x80, SEALED_ALERT = 3 + 2 + HF__TAG_BYTES };

/* The two, and which of them reads. */
struct act {
	struct hf_session *i, *r, *s;
	struct hf_span said; /* the genuine message, not yet fed */
	enum hf_admission admission;
	unsigned released; /* records that were taken */
};

struct target {
	/* Brings the session there; choice is below GENUINE. */
	void (*stage)(struct act *a, unsigned choice);
	const char *(*shape)(const struct act *a);
	/* What has the shape was refused; whether it may be, with that. NULL:
	 * never for its shape. */
	bool (*refused)(const struct act *a, struct hf_span message,
	    enum hf_err e);
	/* The message was taken, and all questions after it answered. */
	void (*taken)(const struct act *a, struct hf_span message);
};

/* What came of it: the same for the same bytes. */
struct trace {
	enum hf_err err;
	enum hf__state state;
	unsigned long refused;
	uint8_t said[32];
	char name[HF_NAME_MAX + 1];
};

static uint8_t act_said[HF_MESSAGE_MAX], act_in[1 << 17];
static crypto_generichash_state act_hash;
/* The last output of the session, as far as there is room. */
static uint8_t act_out[HF_MESSAGE_MAX];
static size_t act_out_len;

static inline void
act_note(const void *ptr, size_t len)
{
	if (len > 0)
		CLAIM(crypto_generichash_update(&act_hash, ptr, len) == 0);
}

static inline void
act_drain(struct act *a)
{
	struct hf_span out = hf_session_output(a->s);

	fuzz_bounded(a->s);
	if (out.len == 0)
		return;
	act_note(out.ptr, out.len);
	if (out.len <= sizeof(act_out)) {
		memcpy(act_out, out.ptr, out.len);
		act_out_len = out.len;
	}
	MUST(hf_session_drained(a->s, out.len));
}

/* Takes records and answers questions, until there are none. */
static inline void
act_settle(struct act *a)
{
	enum hf_content content;
	struct hf_span data;
	enum hf_err e;

	do {
		act_drain(a);
		if (hf_session_want(a->s) == HF_WANT_RECV) {
			MUST(hf_session_recv(a->s, &content, &data));
			act_note(data.ptr, data.len);
			a->released++;
			e = HF_OK;
		} else if (hf_session_want(a->s) == HF_WANT_ADMIT &&
		    a->admission != HF_ADMIT) {
			e = hf_session_admit(a->s, a->admission);
			a->admission = HF_ADMIT;
		} else
			e = fuzz_answer(a->s);
	} while (e == HF_OK);
	act_drain(a);
}

/* A failed session stays as it is. */
static inline void
act_failed(struct hf_session *s)
{
	static const uint8_t more[] = { 0x82, HF__ALERT, 1 };
	enum hf_err e = hf_session_error(s);
	enum hf_content content;
	struct hf_span data;
	size_t used = 99;

	CLAIM(e != HF_OK && s->state == HF__FAILED && !s->keys);
	CLAIM(hf_session_feed(s, &used, more, sizeof(more)) == HF_E_STATE);
	CLAIM(used == 0 && hf_session_error(s) == e);
	CLAIM(hf_session_output(s).len == 0);
	CLAIM(hf_session_recv(s, &content, &data) == HF_E_STATE);
	CLAIM(sodium_is_zero((const uint8_t *)&s->recv.key,
	    sizeof(s->recv.key)));
	CLAIM(sodium_is_zero((const uint8_t *)&s->send.key,
	    sizeof(s->send.key)));
	CLAIM(sodium_is_zero(s->recv.ratchet, sizeof(s->recv.ratchet)));
	CLAIM(sodium_is_zero(s->send.ratchet, sizeof(s->send.ratchet)));
}

/* The alert that is the last thing said, if anything is. */
static inline void
act_alert(bool keys, enum hf_err e)
{
	uint8_t code = e == HF_E_UNKNOWN_KEY ? 3 : e == HF_E_STORE ? 2 : 1;

	if (act_out_len == 0)
		return;
	if (keys)
		CLAIM(act_out_len == SEALED_ALERT &&
		    memcmp(act_out, "\x82\x10\x52", 3) == 0);
	else
		CLAIM(act_out_len == 3 && act_out[2] == code &&
		    memcmp(act_out, "\x82\x08", 2) == 0);
}

/* A message that fits, and is not too long. */
static inline size_t
act_fits(const struct act *a, const struct target *t, struct hf_span bytes)
{
	size_t fits = shape_fits(t->shape(a), bytes);

	return fits > HF_MESSAGE_MAX && a->s->state != HF__OPEN ? 0 : fits;
}

/* A message of another type has a place there too: it is not judged here. */
static inline bool
act_of_other(enum hf__state state, const struct target *t, const struct act *a,
    struct hf_span bytes)
{
	unsigned long type = strtoul(t->shape(a) + strlen("[ ="), NULL, 10);

	return bytes.len > 1 && bytes.ptr[1] != type &&
	    hf__machine_step(state, bytes.ptr[1]) != NULL;
}

static inline bool
act_of_shape(enum hf_err e)
{
	return e == HF_E_CBOR || e == HF_E_SHAPE || e == HF_E_VERSION ||
	    e == HF_E_EXTENSION || e == HF_E_TOO_BIG || e == HF_E_UNEXPECTED;
}

/* The first message is given in one piece, and held to the shape. */
static inline size_t
act_judge(struct act *a, const struct target *t, struct hf_span bytes)
{
	size_t fits = act_fits(a, t, bytes), used;
	bool other = act_of_other(a->s->state, t, a, bytes);
	bool keys = a->s->keys, whole;
	struct hf_span message;
	enum hf_err e;

	if (bytes.len == 0)
		return 0;
	e = hf_session_feed(a->s, &used, bytes.ptr, bytes.len);
	CLAIM(used <= bytes.len && (e != HF_OK || used > 0));
	whole = !hf__state_reads(a->s->state) || a->s->in.len == 0;
	message = (struct hf_span){ bytes.ptr, fits };
	if (!whole)
		CLAIM(fits == 0 && used == bytes.len);
	else if (e == HF_OK)
		CLAIM(other || (fits > 0 && fits == used));
	else if (fits > 0 && t->refused != NULL)
		CLAIM(t->refused(a, message, e));
	else if (fits > 0)
		CLAIM(!act_of_shape(e));
	act_out_len = 0;
	act_settle(a);
	if (e != HF_OK)
		act_alert(keys, e);
	else if (whole && !other && t->taken != NULL)
		t->taken(a, message);
	return used;
}

static inline void
act_feed(struct act *a, struct hf_span bytes, size_t piece)
{
	size_t used, take;
	enum hf_err e;

	for (;;) {
		act_settle(a);
		if (bytes.len == 0 ||
		    (hf_session_want(a->s) != HF_WANT_READ &&
			hf_session_want(a->s) != HF_WANT_DONE))
			return;
		take = piece == 0 || piece > bytes.len ? bytes.len : piece;
		e = hf_session_feed(a->s, &used, bytes.ptr, take);
		CLAIM(used <= take && (used > 0 || e != HF_OK));
		(void)in_span(&bytes, used);
	}
}

/* What is fed: the input, or the genuine message as it changes it. */
static inline struct hf_span
act_bytes(const struct act *a, struct hf_span in, unsigned choice)
{
	size_t at, len = a->said.len;
	unsigned n;

	if ((choice & GENUINE) == 0 || len == 0)
		return in;
	memcpy(act_in, a->said.ptr, len);
	for (n = in_byte(&in) % 16; n > 0; n--) {
		at = in_word(&in) % len;
		act_in[at] ^= (uint8_t)in_byte(&in);
	}
	in = in_span(&in, sizeof(act_in) - len);
	if (in.len > 0)
		memcpy(act_in + len, in.ptr, in.len);
	return (struct hf_span){ act_in, len + in.len };
}

static inline void
act_play(struct trace *trace, const struct target *t, struct hf_span in,
    unsigned choice, size_t piece)
{
	struct act a = { .admission = HF_ADMIT };
	struct hf_span bytes;

	fuzz_random(NULL, 0);
	fuzz_refused = 0;
	CLAIM(crypto_generichash_init(&act_hash, NULL, 0, 32) == 0);
	a.i = a.r = NULL;
	t->stage(&a, choice & ~(unsigned)GENUINE);
	act_drain(&a);
	bytes = act_bytes(&a, in, choice);
	if (piece == 0)
		(void)in_span(&bytes, act_judge(&a, t, bytes));
	act_feed(&a, bytes, piece);
	memset(trace, 0, sizeof(*trace));
	trace->err = hf_session_error(a.s);
	trace->state = a.s->state;
	trace->refused = fuzz_refused;
	memcpy(trace->name, a.s->name, sizeof(trace->name));
	CLAIM(crypto_generichash_final(&act_hash, trace->said, 32) == 0);
	CLAIM(fuzz_refused == 0 || a.s->state == HF__FAILED);
	if (a.s->state == HF__FAILED)
		act_failed(a.s);
	hf_session_free(a.i);
	hf_session_free(a.r);
}

static inline int
fuzz_message(const struct target *t, const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };
	struct trace whole, pieces;
	unsigned choice, piece;

	fuzz_skip = SKIP_SEALS;
	fuzz_people();
	choice = in_byte(&in);
	piece = in_byte(&in) % 64 + 1;
	act_play(&whole, t, in, choice, 0);
	act_play(&pieces, t, in, choice, piece);
	CLAIM(memcmp(&whole, &pieces, sizeof(whole)) == 0);
	return 0;
}

/* Runs the two until the one that reads waits in that state for what is said
 * in the act. */
static inline void
act_until(struct act *a, unsigned method, unsigned known, enum hf_role role,
    enum hf__state state)
{
	a->i = fuzz_session(fuzz.i[method % FUZZ_METHODS][known % 2]);
	a->r = fuzz_session(fuzz.r);
	a->s = role == HF_INITIATOR ? a->i : a->r;
	a->said =
	    fuzz_run(act_said, sizeof(act_said), a->i, a->r, a->s, state);
}

#endif
