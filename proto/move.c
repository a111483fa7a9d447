/* SPDX-License-Identifier: ISC */
/*
 * What a session that may move keeps while it is open (spec sections 17.6 and
 * 17.7): the marks of its last records, and checkpoints of its state. Acks are
 * ack.c's, and how it moves resume.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum {
	HISTORY_LEAST = 32,
	CHECKPOINT_RECORDS = 512 /* a responder must have written one */
};

/* --- marks and their history -------------------------------------------------------- */

void
hf__mark_get(struct hf__mark *m, const struct hf__traffic *t)
{
	m->count = t->count;
	m->bytes = t->bytes;
	memcpy(m->digest, t->digest, sizeof(m->digest));
}

void
hf__mark_set(struct hf__traffic *t, const struct hf__mark *m)
{
	t->count = m->count;
	t->bytes = m->bytes;
	memcpy(t->digest, m->digest, sizeof(t->digest));
}

static struct hf__past *
past(const struct hf__history *h, uint64_t count)
{
	return &h->ring[count & (h->cap - 1)];
}

static void
history_wipe(struct hf__history *h)
{
	free(h->ring);
	*h = (struct hf__history){ 0 };
}

/* Doubles until it holds what it must. */
static enum hf_err
history_grow(struct hf__history *h)
{
	struct hf__history more = *h;
	uint64_t n;

	more.cap = h->cap == 0 ? HISTORY_LEAST : 2 * h->cap;
	if ((more.ring = calloc(more.cap, sizeof(*more.ring))) == NULL)
		return HF_E_MEMORY;
	for (n = h->oldest; h->cap > 0 && n <= h->newest; n++)
		*past(&more, n) = *past(h, n);
	free(h->ring);
	*h = more;
	return HF_OK;
}

enum hf_err
hf__history_room(struct hf__history *h, uint64_t acked)
{
	bool needed = h->oldest > acked && h->cap < HF__HISTORY_MAX;

	if (h->newest - h->oldest + 1 < h->cap ||
	    (h->cap >= HF__HISTORY_USUAL && !needed))
		return HF_OK;
	return history_grow(h);
}

static void
put(struct hf__history *h, uint64_t count, uint64_t bytes,
    const uint8_t digest[32])
{
	struct hf__past *p = past(h, count);

	p->bytes = bytes;
	memcpy(p->digest, digest, sizeof(p->digest));
}

void
hf__history_add(struct hf__history *h, const struct hf__traffic *t)
{
	h->newest = t->count;
	if (h->newest - h->oldest >= h->cap)
		h->oldest = h->newest - h->cap + 1;
	put(h, t->count, t->bytes, t->digest);
}

void
hf__history_amend(struct hf__history *h, const struct hf__traffic *t)
{
	put(h, t->count, t->bytes, t->digest);
}

enum hf_err
hf__history_restart(struct hf__history *h, const struct hf__mark *m)
{
	enum hf_err e;

	if (h->cap == 0 && (e = history_grow(h)) != HF_OK)
		return e;
	h->oldest = h->newest = m->count;
	put(h, m->count, m->bytes, m->digest);
	return HF_OK;
}

bool
hf__history_find(struct hf__mark *m, const struct hf__history *h,
    uint64_t count)
{
	const struct hf__past *p;

	if (h->cap == 0 || count < h->oldest || count > h->newest)
		return false;
	p = past(h, count);
	m->count = count;
	m->bytes = p->bytes;
	memcpy(m->digest, p->digest, sizeof(m->digest));
	return true;
}

/* --- its life ------------------------------------------------------------------------- */

enum hf_err
hf__move_new(struct hf_session *s, enum hf_mobility mobility)
{
	if ((s->move = calloc(1, sizeof(*s->move))) == NULL)
		return HF_E_MEMORY;
	s->move->mobility = mobility;
	return HF_OK;
}

void
hf__move_free(struct hf_session *s)
{
	struct hf__move *m = s->move;

	if (m == NULL)
		return;
	hf__refresh_forget(s);
	history_wipe(&m->sent);
	history_wipe(&m->received);
	hf__move_unclaim(m);
	hf__part_free(s, m->kept.copy, m->kept.cert.len);
	sodium_memzero(m, sizeof(*m));
	free(m);
	s->move = NULL;
}

size_t
hf__move_bytes(const struct hf_session *s)
{
	const struct hf__move *m = s->move;

	if (m == NULL)
		return 0;
	return sizeof(*m) + (m->claim == NULL ? 0 : sizeof(*m->claim)) +
	    (m->refresh == NULL ? 0 : sizeof(*m->refresh)) +
	    (m->sent.cap + m->received.cap) * sizeof(struct hf__past);
}

enum hf_err
hf__move_rebase(struct hf_session *s, struct hf__mark own,
    struct hf__mark peers)
{
	struct hf__move *m = s->move;
	enum hf_role role = s->config->role;
	enum hf_err e;

	hf__schedule_epoch(&own, m->epoch, role);
	hf__schedule_epoch(&peers, m->epoch,
	    role == HF_INITIATOR ? HF_RESPONDER : HF_INITIATOR);
	hf__mark_set(&s->send, &own);
	hf__mark_set(&s->recv, &peers);
	if ((e = hf__history_restart(&m->sent, &own)) != HF_OK ||
	    (e = hf__history_restart(&m->received, &peers)) != HF_OK)
		return e;
	m->acked = own;
	m->released = m->told = peers;
	m->holds_acks = m->owes_ack = false;
	m->covered = peers.count;
	return HF_OK;
}

/* Right after the handshake both directions stand at their first digests;
 * after a takeover all was set with its bases. */
static enum hf_err
begin(struct hf_session *s)
{
	struct hf__move *m = s->move;
	struct hf__mark own, peers;
	enum hf_err e;

	hf__mark_get(&own, &s->send);
	hf__mark_get(&peers, &s->recv);
	if ((e = hf__history_restart(&m->sent, &own)) != HF_OK ||
	    (e = hf__history_restart(&m->received, &peers)) != HF_OK)
		return e;
	m->acked = own;
	m->released = m->told = peers;
	return HF_OK;
}

enum hf_err
hf__move_opened(struct hf_session *s)
{
	struct hf__move *m = s->move;

	if (m == NULL)
		return HF_OK;
	m->suite = s->suite;
	if (m->epoch > 0) {
		hf__move_unclaim(m);
		m->stored = true;
		m->stored_received = m->released;
		hf__mark_get(&m->stored_sent, &s->send);
		hf__refresh_opened(s);
		return HF_OK;
	}
	if (s->config->role == HF_RESPONDER)
		randombytes_buf(m->token, sizeof(m->token));
	return begin(s);
}

/* --- checkpoints (responder) --------------------------------------------------------------- */

static void
state_peer(struct hf__stored *st, const struct hf_session *s)
{
	const struct hf__move *m = s->move;

	st->method = s->method;
	memcpy(st->name, s->name, sizeof(st->name));
	memcpy(st->subject, s->subject, sizeof(st->subject));
	st->authenticated = s->authenticated_at;
	st->has_key = m->has_key;
	memcpy(st->key, m->key, sizeof(st->key));
	memcpy(st->origin, s->origin, sizeof(st->origin));
	st->origin_n = s->origin_n;
	st->not_after = s->peer_not_after;
	if (s->ticket == NULL)
		return;
	st->has_ticket = true;
	st->first_method = s->ticket->first_method;
	st->first_auth = s->ticket->first_auth;
	st->limit = s->ticket->limit;
	st->single_use = s->ticket->single_use;
	if (s->origin_n > 0)
		return;
	memcpy(st->origin, s->ticket->origin, sizeof(st->origin));
	st->origin_n = s->ticket->origin_n;
}

void
hf__move_state(struct hf__stored *st, const struct hf_session *s)
{
	const struct hf__move *m = s->move;

	memset(st, 0, sizeof(*st));
	st->scope = m->scope;
	memcpy(st->sid, s->sid, sizeof(st->sid));
	memcpy(st->token, m->token, sizeof(st->token));
	st->epoch = m->epoch;
	st->expires = s->expires;
	st->suite = s->suite->id;
	st->mobility = m->mobility;
	memcpy(st->secret, s->secrets.resumption, sizeof(st->secret));
	st->received = m->released;
	hf__mark_get(&st->sent, &s->send);
	st->closed = (m->released_close ? HF__CLOSED_I : 0U) |
	    (s->sent_close ? HF__CLOSED_R : 0U);
	memcpy(st->target, s->target, sizeof(st->target));
	st->target_len = s->target_len;
	state_peer(st, s);
}

const struct hf_vault *
hf__vault_of(const struct hf_session *s)
{
	return s->vault != NULL ? s->vault : s->config->vault;
}

/* What is being written was sealed under the key that was the newest then. */
enum hf_err
hf_session_vault(struct hf_session *s, const struct hf_vault *vault)
{
	const struct hf__scope *was, *is;
	const struct hf_vault *old;

	if (s == NULL || vault == NULL)
		return HF_E_ARG;
	if (s->state != HF__R_STATE &&
	    (s->move == NULL || s->config->role != HF_RESPONDER ||
		s->state != HF__OPEN))
		return HF_E_STATE;
	old = hf__vault_of(s);
	if (old->cluster.len != vault->cluster.len ||
	    !hf__same(old->cluster.text, vault->cluster.text,
		old->cluster.len))
		return HF_E_ARG;
	s->vault = vault;
	if (s->state == HF__R_STATE) /* nothing was sealed under others */
		return HF_OK;
	was = s->move->scope;
	is = was == NULL ? NULL : hf__vault_find(vault, was->name.text);
	if (is != NULL && is->generation_n == 0)
		is = NULL;
	if (is == NULL ||
	    was->generation[0].number != is->generation[0].number)
		s->move->reseal = true;
	s->move->scope = is;
	return HF_OK;
}

int
hf_session_checkpoint_due(const struct hf_session *s)
{
	const struct hf__move *m = s->move;
	uint64_t received, sent;

	if (m == NULL || s->config->role != HF_RESPONDER ||
	    s->state != HF__OPEN)
		return 0;
	if (m->writing || hf__refresh_waits(m))
		return -1;
	if (!m->stored || m->reseal || hf__refresh_hurries(s))
		return 2;
	received = m->released.count - m->stored_received.count;
	sent = s->send.count - m->stored_sent.count;
	if (received >= CHECKPOINT_RECORDS || sent >= CHECKPOINT_RECORDS ||
	    m->released.bytes - m->stored_received.bytes >=
		HF__WINDOW_BYTES / 2)
		return 2;
	/* The ack of the last checkpoint alone is nothing new. */
	return received > 0 || sent > 1;
}

enum hf_err
hf_session_checkpoint(struct hf_session *s, uint8_t *out, size_t cap,
    size_t *len)
{
	uint8_t entry[HF_ENTRY_MAX];
	struct hf__stored state;
	enum hf_err e;

	if (s == NULL || out == NULL || len == NULL)
		return HF_E_ARG;
	if (s->move == NULL || s->config->role != HF_RESPONDER ||
	    s->state != HF__OPEN || s->move->writing ||
	    hf__refresh_waits(s->move))
		return HF_E_STATE;
	hf__move_state(&state, s);
	/* Before there is work that would be in vain. */
	e = state.scope != NULL && hf__scope_valid(state.scope, s->now) ?
	    HF_OK :
	    HF_E_EXPIRED;
	if (e == HF_OK && hf__refresh_begins(s))
		e = hf__refresh_build(s, &state);
	if (e == HF_OK &&
	    (e = hf__state_seal(entry, len, hf__vault_of(s), &state,
		 s->now)) == HF_OK) {
		e = *len > cap ? HF_E_SPACE : HF_OK;
		if (e == HF_OK)
			memcpy(out, entry, *len);
	}
	if (e == HF_OK) {
		s->move->writing = true;
		s->move->writing_received = state.received;
		s->move->writing_sent = state.sent;
		s->move->resealing = s->move->reseal;
		s->move->reseal = false;
	} else {
		hf__refresh_not_written(s->move);
	}
	sodium_memzero(&state, sizeof(state));
	/* The peer's reply key is no key. */
	return e == HF_E_PUBLIC_KEY ? hf__fail(s, e) : e;
}

enum hf_err
hf_session_checkpointed(struct hf_session *s, enum hf_err verdict)
{
	struct hf__move *m;
	enum hf_err e;

	if (s == NULL)
		return HF_E_ARG;
	if ((m = s->move) == NULL || !m->writing)
		return HF_E_STATE;
	m->writing = false;
	m->reseal |= m->resealing && verdict != HF_OK;
	if (verdict == HF_E_FENCED)
		return hf__fail_silently(s, HF_E_FENCED);
	if (verdict != HF_OK || s->state != HF__OPEN) {
		hf__refresh_not_written(m);
		return HF_OK;
	}
	m->stored = true;
	m->stored_received = m->writing_received;
	m->stored_sent = m->writing_sent;
	e = hf__ack_tell(s);
	if (e == HF_OK)
		e = hf__refresh_written(s);
	return e == HF_OK ? HF_OK : hf__fail(s, e);
}

enum hf_err
hf_session_query(struct hf_session *s)
{
	enum hf_err e;

	if (s == NULL)
		return HF_E_ARG;
	if (s->move == NULL || s->config->role != HF_RESPONDER ||
	    s->state != HF__OPEN || s->sent_close)
		return HF_E_STATE;
	if (!hf__record_fits(s, 0))
		return HF_E_SPACE;
	e = hf__record_seal(s, HF__CONTENT_QUERY, NULL, 0);
	return e == HF_OK ? HF_OK : hf__fail(s, e);
}

enum hf_mobility
hf_session_mobility(const struct hf_session *s)
{
	return s->move == NULL ? HF_MOVES_NOT : s->move->mobility;
}

uint64_t
hf_session_epoch(const struct hf_session *s)
{
	return s->move == NULL ? 0 : s->move->epoch;
}
