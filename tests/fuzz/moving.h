/* SPDX-License-Identifier: ISC */
/*
 * A session that moves, for the fuzzers of what is said then: a responder of
 * a cluster, the entry that it leaves, an initiator that comes back, and the
 * marks of what they said, kept anew beside them.
 */
#ifndef HANDFAST_MOVING_H
#define HANDFAST_MOVING_H

#include "message.h"

#define SHAPE_MARK "[ u281474976710656 u9223372036854775807 b32-32 ]"

enum { PAST_MAX = 16 };

/* How far a direction is, as spec section 9.3 counts. */
struct past {
	uint64_t count, bytes;
	uint8_t digest[32];
};

/* One direction of an epoch, from its base on. */
struct line {
	struct past past[PAST_MAX];
	size_t n;
};

/* What was before an initiator said resume. */
enum leave {
	LEAVE_PLAIN,
	LEAVE_CLOSED,	   /* the initiator had closed, and that is stored */
	LEAVE_CLOSED_LOST, /* it had, and nobody has heard it */
	LEAVE_CLOSED_BACK, /* the responder had, and it was heard */
	LEAVE_TAIL,	   /* the responder said more than is stored */
	LEAVE_ACKED,	   /* an ack came; what was said then is lost */
	LEAVE_UNCONFIRMED, /* another server's resumed was lost */
	LEAVE_CONFIRMED	   /* it came, and the confirm was lost */
};

static struct {
	struct hf_vault *vault;
	struct hf_span cert;
	struct hf_config *r[2]; /* soft, proved */
	uint8_t cert_bytes[HF_CERT_MAX], entry[HF_ENTRY_MAX];
	/* At the initiator: what it said and heard, and what was acked of it
	 * and of the responder's. */
	struct line own, peers;
	size_t acked;
	uint64_t covered, epoch;
	bool closed, peer_closed;
} moving;

/* --- people ------------------------------------------------------------------ */

static inline void
moving_vault(void)
{
	static const uint8_t key[HF_KEY_BYTES] = { 7 };
	static const char *const elsewhere[] = { "elsewhere" };

	MUST(hf_vault_new(&moving.vault, "cluster", "server"));
	MUST(hf_vault_scope(moving.vault, "other", elsewhere, 1));
	MUST(hf_vault_key(moving.vault, "other", 1, key, 0));
	MUST(hf_vault_scope(moving.vault, "default", NULL, 0));
	MUST(hf_vault_key(moving.vault, "default", 1, key, 0));
	MUST(hf_vault_key(moving.vault, "default", 2, key, FUZZ_NOW));
	MUST(hf_vault_key(moving.vault, "default", 3, key, FUZZ_NOW + 1));
}

static inline void
moving_responder(struct hf_config **r, enum hf_mobility mobility)
{
	MUST(hf_config_new(r, HF_RESPONDER));
	MUST(hf_config_trust(*r, fuzz.trust));
	MUST(hf_config_cache(*r, 0));
	MUST(hf_config_identity(*r, fuzz.server, &moving.cert, 1));
	MUST(hf_config_accept(*r, 15));
	MUST(hf_config_ring(*r, fuzz.ring));
	MUST(hf_config_vault(*r, moving.vault, mobility));
}

static inline void
moving_make(void)
{
	struct hf_cert_info terms =
	    fuzz_terms("server", HF_USAGE_RESPONDER | HF_USAGE_SERVER);
	uint8_t request[HF_CERT_MAX];
	size_t len;

	if (moving.vault != NULL)
		return;
	moving_vault();
	fuzz_name(&terms.realm, "realm");
	fuzz_name(&terms.cluster, "cluster");
	moving.cert.ptr = moving.cert_bytes;
	MUST(hf_request_make(request, sizeof(request), &len, fuzz.server,
	    &terms, FUZZ_NOW));
	MUST(hf_cert_issue(moving.cert_bytes, HF_CERT_MAX, &moving.cert.len,
	    fuzz.ca, fuzz.ca_bytes, fuzz.ca_len, &terms, request, len));
	moving_responder(&moving.r[0], HF_MOVES_SOFT);
	moving_responder(&moving.r[1], HF_MOVES_PROVED);
}

/* --- marks, anew --------------------------------------------------------------- */

static inline void
past_be8(uint8_t out[8], uint64_t v)
{
	int i;

	for (i = 7; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

/* Spec section 17.4: where a direction goes on in an epoch. */
static inline void
past_epoch(struct past *p, uint64_t epoch, int direction)
{
	static const char label[] = "handfast/1 epoch";
	uint8_t in[sizeof(label) - 1 + 8 + 1 + 8 + 8 + 32], *at = in;

	memcpy(at, label, sizeof(label) - 1);
	at += sizeof(label) - 1;
	past_be8(at, epoch);
	at[8] = (uint8_t)direction;
	past_be8(at + 9, p->count);
	past_be8(at + 17, p->bytes);
	memcpy(at + 25, p->digest, 32);
	CLAIM(crypto_generichash(p->digest, 32, in, sizeof(in), NULL, 0) == 0);
}

static inline void
line_begin(struct line *l, const struct past *base)
{
	l->past[0] = *base;
	l->n = 1;
}

static inline const struct past *
line_last(const struct line *l)
{
	return &l->past[l->n - 1];
}

/* Spec section 9.3: one record more. */
static inline void
past_add(struct past *p, size_t bytes, const uint8_t tag[HF__TAG_BYTES])
{
	uint8_t in[32 + 8 + HF__TAG_BYTES];

	memcpy(in, p->digest, 32);
	past_be8(in + 32, p->count);
	memcpy(in + 40, tag, HF__TAG_BYTES);
	p->count++;
	p->bytes += bytes;
	CLAIM(crypto_generichash(p->digest, 32, in, sizeof(in), NULL, 0) == 0);
}

/* One record more, whose tag is zero: seals are skipped. */
static inline void
line_add(struct line *l, size_t bytes)
{
	static const uint8_t tag[HF__TAG_BYTES];

	CLAIM(l->n < PAST_MAX);
	l->past[l->n] = *line_last(l);
	past_add(&l->past[l->n], bytes, tag);
	l->n++;
}

/* --- what is said before ----------------------------------------------------- */

static inline void
moving_say(struct hf_session *from)
{
	MUST(hf_session_send(from, (const uint8_t *)"data", 4));
}

/* All that the one has said; the other takes it, record by record. */
static inline void
moving_hear(struct hf_session *from, struct hf_session *to)
{
	static uint8_t out[HF_MESSAGE_MAX];
	struct hf_span said = fuzz_take(out, sizeof(out), from), data;
	enum hf_content content;
	size_t used;

	while (said.len > 0) {
		MUST(hf_session_feed(to, &used, said.ptr, said.len));
		(void)in_span(&said, used);
		MUST(hf_session_recv(to, &content, &data));
	}
}

static inline void
moving_lose(struct hf_session *from)
{
	MUST(hf_session_drained(from, hf_session_output(from).len));
}

static inline void
moving_begin(const struct hf_session *i)
{
	struct past base = { .count = 0 };

	memcpy(base.digest, i->send.digest, 32);
	line_begin(&moving.own, &base);
	memcpy(base.digest, i->recv.digest, 32);
	line_begin(&moving.peers, &base);
	moving.acked = 0;
	moving.covered = moving.epoch = 0;
	moving.closed = moving.peer_closed = false;
}

/* Writes a checkpoint, which the store takes: an ack waits then. */
static inline void
moving_store(struct hf_session *r)
{
	size_t len;

	MUST(hf_session_checkpoint(r, moving.entry, sizeof(moving.entry),
	    &len));
	MUST(hf_session_checkpointed(r, HF_OK));
	fuzz_entry = (struct hf_span){ moving.entry, len };
}

static inline void
moving_open(struct hf_session **i, struct hf_session **r, unsigned method,
    unsigned proved)
{
	static uint8_t out[HF_MESSAGE_MAX];

	*i = fuzz_session(fuzz.i[method][0]);
	*r = fuzz_session(moving.r[proved]);
	fuzz_give(*r, fuzz_run(out, sizeof(out), *i, *r, *r, HF__R_GRANTED));
	while (fuzz_answer(*r) == HF_OK)
		;
	CLAIM((*r)->state == HF__OPEN && (*i)->state == HF__OPEN);
	moving_begin(*i);
}

/* What was said until the last checkpoint. */
static inline void
moving_before(struct hf_session *i, struct hf_session *r, enum leave leave)
{
	moving_say(i);
	line_add(&moving.own, 4);
	moving_hear(i, r);
	moving_say(r);
	line_add(&moving.peers, 4);
	if (leave == LEAVE_CLOSED || leave == LEAVE_CLOSED_LOST) {
		MUST(hf_session_close(i));
		line_add(&moving.own, 0);
		moving.closed = true;
	}
	if (leave == LEAVE_CLOSED_LOST)
		moving_lose(i);
	moving_hear(i, r);
	if (leave == LEAVE_CLOSED_BACK) {
		MUST(hf_session_close(r));
		line_add(&moving.peers, 0);
		moving.peer_closed = true;
	}
	moving_hear(r, i);
	moving_store(r);
}

/* And after it; the ack that came of it is lost with what is not heard. */
static inline void
moving_after(struct hf_session *i, struct hf_session *r, enum leave leave)
{
	if (leave == LEAVE_TAIL || leave == LEAVE_ACKED) {
		line_add(&moving.peers, 0);
		moving.acked = 1;
		moving.covered = 1;
	}
	if (leave == LEAVE_TAIL) {
		moving_say(r);
		line_add(&moving.peers, 4);
	}
	if (leave == LEAVE_TAIL || leave == LEAVE_ACKED)
		moving_hear(r, i);
	if (leave == LEAVE_ACKED) {
		moving_say(i);
		moving_say(i);
		line_add(&moving.own, 4);
		line_add(&moving.own, 4);
	}
	CLAIM(hf_session_eof(i) == HF_E_TRUNCATED);
}

/* An attempt of its own, with all that it needs. */
static inline struct hf_span
moving_resume(struct hf_session *i)
{
	MUST(hf_session_reconnect(i, 0, FUZZ_NOW));
	return fuzz_take(act_said, sizeof(act_said), i);
}

/* Another server claims the session, and is gone before it is confirmed. */
static inline void
moving_claimed(struct hf_session *i, const struct hf_session *before,
    enum leave leave)
{
	struct hf_session *r = fuzz_session(before->config);
	struct past own = moving.own.past[1],
		    peers = *line_last(&moving.peers);
	const struct hf__takeover *claim;

	fuzz_give(r, moving_resume(i));
	while (fuzz_answer(r) == HF_OK)
		;
	CLAIM(r->state == HF__R_RESUMED);
	claim = r->move->claim;
	memcpy(moving.entry, claim->entry, claim->entry_len);
	fuzz_entry.len = claim->entry_len;
	if (leave == LEAVE_CONFIRMED) {
		fuzz_give(i, fuzz_take(act_said, sizeof(act_said), r));
		CLAIM(i->state == HF__OPEN);
		moving.epoch = 1;
		past_epoch(&own, 1, 1);
		past_epoch(&peers, 1, 2);
		line_begin(&moving.own, &own);
		line_begin(&moving.peers, &peers);
		moving.covered = peers.count;
		moving_say(i);
		line_add(&moving.own, 4);
		CLAIM(hf_session_eof(i) == HF_E_TRUNCATED);
	}
	hf_session_free(r);
}

/* The two were open, and what was its responder is in the store. The
 * initiator has said resume, which is in the act. */
static inline void
moving_leave(struct act *a, unsigned choice)
{
	enum leave leave = choice >> 3 & 7;
	struct hf_session *first;

	fuzz_random(NULL, 0); /* whatever was made here before */
	moving_open(&a->i, &first, choice % FUZZ_METHODS, choice >> 2 & 1);
	moving_before(a->i, first, leave);
	moving_after(a->i, first, leave);
	if (leave >= LEAVE_UNCONFIRMED)
		moving_claimed(a->i, first, leave);
	hf_session_free(first);
	a->said = moving_resume(a->i);
	a->r = fuzz_session(moving.r[choice >> 2 & 1]);
}

/* Of a server that proves itself (spec section 17.4): its chain, and enc and
 * the certified key, which are points. What does not verify here was counted
 * when the session found it. */
static inline enum hf_err
moving_server(struct hf_cert_info *leaf, struct hf_span enc,
    struct hf_span chain)
{
	struct hf_span cert[HF_CHAIN_MAX];
	unsigned long refused = fuzz_refused;
	size_t i, n = (size_t)shape_value(chain);
	enum hf_err e;

	for (i = 0; i < n; i++)
		cert[i] = shape_item(chain, i);
	e = hf_trust_verify(leaf, fuzz.trust, cert, n,
	    HF_USAGE_RESPONDER | HF_USAGE_SERVER, NULL, FUZZ_NOW);
	fuzz_refused = refused;
	if (e != HF_OK)
		return e;
	if (strcmp(leaf->cluster.text, "cluster") != 0)
		return HF_E_NAME;
	return sodium_is_zero(enc.ptr, 32) || sodium_is_zero(leaf->key, 32) ?
	    HF_E_PUBLIC_KEY :
	    HF_OK;
}

/* All is made before the first input is looked at: it draws randomness. */
static inline int
moving_message(const struct target *t, const uint8_t *data, size_t len)
{
	fuzz_skip = SKIP_SEALS;
	fuzz_people();
	moving_make();
	return fuzz_message(t, data, len);
}

#endif
