/* SPDX-License-Identifier: ISC */
/*
 * resumed (spec sections 17.3 to 17.5): the new owner's answer, made with the
 * whole next state before anything is claimed; what the initiator makes of it;
 * and what follows where a session cannot go on.
 */
#include <string.h>

#include "session.h"

enum {
	RESUMED_FIELDS = 5,
	PLAIN_FIELDS = 4,
	PLAIN_MAX = 256,
	NONCE_BYTES = 32
};

/* --- the responder builds --------------------------------------------------------- */

struct drawn {
	uint8_t random[HF__TOKEN_BYTES + 32 + 32];
	uint8_t nonce[NONCE_BYTES];
	struct hf__proof proof; /* empty: a soft takeover */
};

static enum hf_err
draw(struct drawn *d, const struct hf_session *s)
{
	const struct hf__stored *st = &s->move->claim->state;
	bool proved = st->mobility == HF_MOVES_PROVED;

	d->proof.len = 0;
	randombytes_buf(d->random, HF__TOKEN_BYTES + (proved ? 64 : 32));
	if (!proved)
		return HF_OK;
	return hf__proof_make(&d->proof, s, s->suite->kem,
	    d->random + HF__TOKEN_BYTES + 32, s->hs->outer.reply_key.ptr,
	    st->has_key ? st->key : NULL);
}

static void
write_plain(struct hf__writer *w, const struct hf__takeover *claim,
    uint64_t epoch)
{
	hf__write_list(w, PLAIN_FIELDS);
	hf__write_uint(w, epoch);
	hf__write_mark(w, &claim->state.received);
	hf__write_mark(w, &claim->found);
	hf__write_uint(w, claim->state.closed);
}

static void
write_outer(struct hf__writer *w, const struct hf_session *s,
    const struct drawn *d)
{
	const struct hf__chain *own = &s->config->own;

	hf__write_open(w, HF__RESUMED, RESUMED_FIELDS);
	hf__write_bytes(w, d->nonce, sizeof(d->nonce));
	if (d->proof.len == 0) {
		hf__write_null(w);
		hf__write_null(w);
		return;
	}
	hf__write_bytes(w, d->proof.pair.pk, s->suite->kem->enc_len);
	hf__write_chain(w, own->cert, own->n);
}

static enum hf_err
write_message(struct hf_session *s, struct drawn *d)
{
	struct hf__takeover *claim = s->move->claim;
	const uint8_t *secret = claim->state.secret;
	const struct hf_span shared = { d->proof.shared, d->proof.len };
	uint8_t plain[PLAIN_MAX], key[32], *box;
	struct hf__writer w, inner;
	size_t aad_len;
	enum hf_err e;

	hf__write_init(&inner, plain, sizeof(plain));
	write_plain(&inner, claim, claim->state.epoch + 1);
	if (inner.err != HF_OK)
		return inner.err;
	hf__schedule_nonce(d->nonce, secret, d->random + HF__TOKEN_BYTES,
	    s->now, claim->state.epoch + 1,
	    (struct hf_span){ plain, inner.len });
	hf__write_init(&w, claim->resumed, sizeof(claim->resumed));
	write_outer(&w, s, d);
	aad_len = w.len;
	hf__write_bytes_head(&w, inner.len + HF__TAG_BYTES);
	if ((box = hf__write_room(&w, inner.len + HF__TAG_BYTES)) == NULL)
		return HF_E_TOO_BIG;
	memcpy(box, plain, inner.len);
	hf__schedule_resumed(key, secret, s->hs->th1, d->nonce, shared);
	e = hf__box_seal(box, inner.len, claim->resumed, aad_len, key);
	sodium_memzero(key, sizeof(key));
	claim->resumed_len = w.len;
	return e;
}

/* The session as it will be once the claim has won. */
static enum hf_err
become(struct hf_session *s, const struct drawn *d)
{
	struct hf__move *m = s->move;
	struct hf__stored *st = &m->claim->state;
	const struct hf_span parts[] = { { s->hs->th1, 32 },
		{ m->claim->resumed, m->claim->resumed_len } };
	uint8_t th4[32];
	enum hf_err e;

	hf__transcript(th4, parts, HF__ARRAY_N(parts));
	if ((e = hf__schedule_takeover(&s->secrets, &s->recv, &s->send,
		 s->suite, st->secret, th4,
		 (struct hf_span){ d->proof.shared, d->proof.len })) != HF_OK)
		return e;
	m->epoch = st->epoch + 1;
	m->strength = st->mobility;
	m->scope = st->scope;
	memcpy(m->token, d->random, sizeof(m->token));
	s->authenticated_at = st->authenticated;
	m->has_key = st->has_key;
	memcpy(m->key, st->key, sizeof(m->key));
	s->got_close = m->released_close = (st->closed & HF__CLOSED_I) != 0;
	m->close_count = s->got_close ? st->received.count : 0;
	s->sent_close = (st->closed & HF__CLOSED_R) != 0;
	return hf__move_rebase(s, st->sent, st->received);
}

/* The stored state while nothing has come back from the initiator. */
static enum hf_err
make_claim(struct hf_session *s)
{
	struct hf__takeover *claim = s->move->claim;
	struct hf__stored *st = &claim->state;

	st->unconfirmed = true;
	st->previous_epoch = s->hs->outer.epoch;
	memcpy(st->previous, st->secret, sizeof(st->previous));
	st->serial = s->hs->outer.serial;
	memcpy(st->secret, s->secrets.resumption, sizeof(st->secret));
	st->epoch = s->move->epoch;
	memcpy(st->token, s->move->token, sizeof(st->token));
	memcpy(st->target, s->target, sizeof(st->target));
	st->target_len = s->target_len;
	return hf__state_seal(claim->entry, &claim->entry_len, hf__vault_of(s),
	    st, s->now);
}

enum hf_err
hf__resumed_build(struct hf_session *s)
{
	struct drawn d;
	enum hf_err e;

	if (s->move->claim->state.epoch >= UINT32_MAX)
		return HF_E_EXHAUSTED;
	if ((e = draw(&d, s)) == HF_OK &&
	    (e = write_message(s, &d)) == HF_OK &&
	    (e = become(s, &d)) == HF_OK)
		e = make_claim(s);
	sodium_memzero(&d, sizeof(d));
	return e;
}

/* --- the responder's two compare-and-sets ------------------------------------------ */

struct hf_span
hf_session_entry(const struct hf_session *s)
{
	const struct hf__takeover *claim =
	    s->move == NULL ? NULL : s->move->claim;

	if (claim == NULL ||
	    (s->state != HF__R_CLAIM && s->state != HF__R_CONFIRM))
		return (struct hf_span){ NULL, 0 };
	return (struct hf_span){ claim->entry, claim->entry_len };
}

enum hf_err
hf__claim_committed(struct hf_session *s)
{
	const struct hf__takeover *claim = s->move->claim;
	uint8_t *room = hf__buffer_room(&s->out, claim->resumed_len);

	if (room == NULL)
		return HF_E_MEMORY;
	memcpy(room, claim->resumed, claim->resumed_len);
	s->out.len += claim->resumed_len;
	hf__buffer_take(&s->in, s->in.len);
	s->keys = true;
	s->state = HF__R_RESUMED;
	return HF_OK;
}

/* The initiator has the new secret: the previous one goes. */
enum hf_err
hf__claim_confirm(struct hf_session *s)
{
	struct hf__takeover *claim = s->move->claim;

	hf__move_state(&claim->state, s);
	return hf__state_seal(claim->entry, &claim->entry_len, hf__vault_of(s),
	    &claim->state, s->now);
}

/* --- the initiator parses -------------------------------------------------------------- */

struct answer {
	struct hf_span nonce, enc, box, chain[HF_CHAIN_MAX];
	size_t chain_n, aad_len;
	struct hf__cert leaf;
	struct hf__proof proof; /* empty: a soft takeover */
	uint64_t epoch;
	struct hf__mark received, sent;
	unsigned closed;
};

static enum hf_err
read_outer(struct answer *a, const struct hf_session *s,
    struct hf_span message)
{
	bool proved = s->move->mobility == HF_MOVES_PROVED;
	size_t enc_len = s->suite->kem->enc_len;
	struct hf__reader r;
	enum hf_err e;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__RESUMED, RESUMED_FIELDS);
	a->nonce = hf__read_bytes(&r, NONCE_BYTES, NONCE_BYTES);
	a->enc = hf__read_bytes_or_null(&r, enc_len, enc_len);
	hf__read_chain_or_null(&r, a->chain, &a->chain_n);
	a->aad_len = r.off;
	a->box = hf__read_bytes(&r, HF__TAG_BYTES, PLAIN_MAX + HF__TAG_BYTES);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	return (a->enc.ptr != NULL) == proved && (a->chain_n > 0) == proved ?
	    HF_OK :
	    HF_E_SHAPE;
}

static enum hf_err
share_back(struct answer *a, const struct hf_session *s)
{
	enum hf_err e;

	a->proof.len = 0;
	if (a->enc.ptr == NULL)
		return HF_OK;
	if ((e = hf__proof_judge(&a->leaf, s, a->chain, a->chain_n)) != HF_OK)
		return e;
	return hf__proof_share(&a->proof, s, &s->hs->ephemeral, a->enc.ptr,
	    a->leaf.key.ptr);
}

static enum hf_err
open_box(struct answer *a, const struct hf_session *s, struct hf_span message)
{
	uint8_t key[32], plain[PLAIN_MAX];
	struct hf__reader r;
	enum hf_err e;

	hf__schedule_resumed(key, s->secrets.resumption, s->hs->th1,
	    a->nonce.ptr, (struct hf_span){ a->proof.shared, a->proof.len });
	e = hf__box_open(plain, a->box.ptr, a->box.len, message.ptr,
	    a->aad_len, key);
	sodium_memzero(key, sizeof(key));
	if (e != HF_OK)
		return e;
	hf__read_init(&r, plain, a->box.len - HF__TAG_BYTES);
	(void)hf__read_list(&r, PLAIN_FIELDS, PLAIN_FIELDS);
	if ((a->epoch = hf__read_uint(&r, UINT32_MAX)) == 0)
		hf__read_fail(&r, HF_E_SHAPE);
	hf__read_mark(&r, &a->received);
	hf__read_mark(&r, &a->sent);
	a->closed = (unsigned)hf__read_uint(&r, HF__CLOSED_I | HF__CLOSED_R);
	return hf__read_end(&r);
}

static bool
same_mark(const struct hf__mark *a, const struct hf__mark *b)
{
	return a->count == b->count && a->bytes == b->bytes &&
	    sodium_memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

/* The state that was found is no older than what was acked, and its history
 * is ours. */
static enum hf_err
compare(const struct answer *a, const struct hf_session *s)
{
	const struct hf__move *m = s->move;
	struct hf__mark mark;
	bool known;

	if (a->epoch <= m->epoch || a->received.count > s->send.count ||
	    a->received.count < m->acked.count || a->sent.count < m->covered)
		return HF_E_ROLLBACK;
	known = hf__history_find(&mark, &m->sent, a->received.count);
	if (!known && a->received.count == m->acked.count) {
		mark = m->acked;
		known = true;
	}
	if (!known || !same_mark(&mark, &a->received))
		return HF_E_ROLLBACK;
	if (hf__history_find(&mark, &m->received, a->sent.count) &&
	    !same_mark(&mark, &a->sent))
		return HF_E_ROLLBACK;
	if (((a->closed & HF__CLOSED_R) != 0) != m->released_close ||
	    ((a->closed & HF__CLOSED_I) != 0 && !s->sent_close))
		return HF_E_ROLLBACK;
	return HF_OK;
}

/* The new epoch, and where both directions go on. */
static enum hf_err
become_next(struct hf_session *s, const struct answer *a,
    struct hf_span message)
{
	const struct hf_span parts[] = { { s->hs->th1, 32 }, message };
	struct hf__move *m = s->move;
	uint8_t th4[32], secret[32];
	enum hf_err e;

	hf__transcript(th4, parts, HF__ARRAY_N(parts));
	memcpy(secret, s->secrets.resumption, sizeof(secret));
	e = hf__schedule_takeover(&s->secrets, &s->send, &s->recv, s->suite,
	    secret, th4, (struct hf_span){ a->proof.shared, a->proof.len });
	sodium_memzero(secret, sizeof(secret));
	if (e != HF_OK)
		return e;
	m->bases = (struct hf_bases){ .own_count = a->received.count,
		.own_bytes = a->received.bytes,
		.sent_count = s->send.count,
		.sent_bytes = s->send.bytes,
		.peer_count = m->released.count,
		.peer_bytes = m->released.bytes,
		.peer_closed = m->released_close };
	m->epoch = a->epoch;
	m->serial = 0;
	m->strength = m->mobility;
	hf__refresh_expect(s);
	s->sent_close = (a->closed & HF__CLOSED_I) != 0;
	s->got_close = m->released_close;
	return hf__move_rebase(s, a->received, m->released);
}

enum hf_err
hf__resumed_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	struct answer a;
	enum hf_err e;

	if ((e = read_outer(&a, s, message)) != HF_OK ||
	    (e = share_back(&a, s)) != HF_OK ||
	    (e = open_box(&a, s, message)) != HF_OK ||
	    (e = compare(&a, s)) != HF_OK)
		goto out;
	if (a.enc.ptr != NULL && (e = hf__set_peer_cert(s, &a.leaf)) != HF_OK)
		goto out;
	if ((e = become_next(s, &a, message)) != HF_OK)
		goto out;
	s->keys = true;
	if ((e = hf__confirm_build(s)) == HF_OK)
		*next = HF__OPEN;
out:
	sodium_memzero(&a, sizeof(a));
	return e;
}

/* --- when it is not possible ------------------------------------------------------------- */

/* What can be told of a session when it is gone. */
void
hf__lost_note(struct hf_session *s, enum hf_err cause)
{
	s->lost = (struct hf_lost){ .cause = cause,
		.own_count = s->move->acked.count,
		.own_bytes = s->move->acked.bytes,
		.peer_count = s->move->covered };
	memcpy(s->lost.sid, s->sid, sizeof(s->lost.sid));
}

/* On the same connection a handshake is begun. The session that cannot go on
 * is given up only when another is open. */
static enum hf_err
fall_back(struct hf_session *s, enum hf_err cause)
{
	struct hf__handshake *hs = s->hs;
	bool retried = hs->retried;

	hf__lost_note(s, cause);
	hf__peer_keep(&s->move->kept, s);
	sodium_memzero(hs, sizeof(*hs));
	hs->retried = retried;
	s->suite = NULL; /* the best common one of now, not of that session */
	return hf__initiator_start(s);
}

enum hf_err
hf__resume_alert_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	uint64_t code;
	enum hf_err e;

	if ((e = hf__alert_read(&code, message)) != HF_OK)
		return hf__fail_silently(s, e);
	e = code == HF__ALERT_NO_SESSION ? HF_E_NO_SESSION :
					   hf__alert_clear_error(s, code);
	if (e == HF_OK)
		e = HF_E_SHAPE;
	if ((e != HF_E_NO_SESSION && e != HF_E_STORE) ||
	    s->config->no_fallback)
		return hf__fail_silently(s, e);
	if ((e = fall_back(s, e)) == HF_OK)
		*next = s->state;
	return e;
}

/* The grant of a new session has been opened: the old one is over. */
void
hf__give_up(struct hf_session *s)
{
	if (s->move == NULL)
		return;
	s->lost.lost = 1;
	s->authenticated = false; /* until the one in its place is open */
	hf__move_free(s);
	sodium_memzero(&s->send, sizeof(s->send));
	sodium_memzero(&s->recv, sizeof(s->recv));
	s->sent_close = s->got_close = false;
}

void
hf_session_lost(struct hf_lost *lost, const struct hf_session *s)
{
	*lost = s->lost;
	if (lost->lost == 0)
		*lost = (struct hf_lost){ 0 };
}

enum hf_err
hf_session_bases(struct hf_bases *bases, const struct hf_session *s)
{
	if (bases == NULL || s == NULL)
		return HF_E_ARG;
	if (s->move == NULL || s->move->epoch == 0)
		return HF_E_STATE;
	*bases = s->move->bases;
	return HF_OK;
}
