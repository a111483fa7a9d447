/* SPDX-License-Identifier: ISC */
/*
 * refresh (spec section 17.8): in an open session, after a soft takeover, what
 * a proved one does on the way: the next epoch, from the old secret and a proof
 * of both ends. The responder's compare-and-sets are checkpoints; each
 * direction changes keys after its own refresh record.
 */
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum { DATA_FIELDS = 3, BOX_BYTES = HF__TAG_BYTES, MARKS_MAX = 128 };

/* --- its life ------------------------------------------------------------------- */

static void
drop(struct hf__move *m)
{
	if (m->refresh != NULL)
		sodium_memzero(m->refresh, sizeof(*m->refresh));
	free(m->refresh);
	m->refresh = NULL;
	m->refreshing = HF__REFRESH_NONE;
}

static void
forget_reply(struct hf__move *m)
{
	sodium_memzero(&m->reply, sizeof(m->reply));
	m->has_reply = false;
}

void
hf__refresh_forget(struct hf_session *s)
{
	struct hf__move *m = s->move;

	if (m == NULL)
		return;
	drop(m);
	forget_reply(m);
	m->refresh_wanted = m->hurry = false;
}

void
hf__refresh_expect(struct hf_session *s)
{
	struct hf__move *m = s->move;

	forget_reply(m);
	if (m->strength != HF_MOVES_SOFT || !s->hs->replied)
		return;
	m->reply = s->hs->ephemeral;
	m->has_reply = true;
}

void
hf__refresh_offer(struct hf_session *s, struct hf_span reply_key)
{
	struct hf__move *m = s->move;

	if (m->mobility != HF_MOVES_SOFT || reply_key.ptr == NULL)
		return;
	memcpy(m->reply.pk, reply_key.ptr, sizeof(m->reply.pk));
	m->has_reply = true;
}

static enum hf_err
allocate(struct hf__move *m)
{
	m->refresh = calloc(1, sizeof(*m->refresh));
	return m->refresh == NULL ? HF_E_MEMORY : HF_OK;
}

/* --- the responder begins ---------------------------------------------------------- */

static bool
may_begin(const struct hf_session *s)
{
	const struct hf__move *m = s->move;

	return s->state == HF__OPEN && s->config->role == HF_RESPONDER &&
	    !s->sent_close && m->strength == HF_MOVES_SOFT && m->has_reply &&
	    m->refreshing == HF__REFRESH_NONE;
}

bool
hf__refresh_begins(const struct hf_session *s)
{
	return s->move->refresh_wanted && may_begin(s) &&
	    s->move->epoch < UINT32_MAX;
}

/* Between its two compare-and-sets no checkpoint is written. */
bool
hf__refresh_waits(const struct hf__move *m)
{
	return m->refreshing == HF__REFRESH_TO_SEND ||
	    m->refreshing == HF__REFRESH_SENT ||
	    m->refreshing == HF__REFRESH_TAKEN;
}

bool
hf__refresh_hurries(const struct hf_session *s)
{
	return s->move->hurry &&
	    (hf__refresh_begins(s) ||
		s->move->refreshing == HF__REFRESH_ANSWERED);
}

void
hf__refresh_opened(struct hf_session *s)
{
	s->move->refresh_wanted = s->move->hurry = !s->config->no_refresh;
}

enum hf_err
hf_session_refresh(struct hf_session *s)
{
	if (s == NULL)
		return HF_E_ARG;
	if (s->move == NULL || !may_begin(s))
		return HF_E_STATE;
	if (s->move->epoch >= UINT32_MAX)
		return HF_E_EXHAUSTED;
	s->move->refresh_wanted = s->move->hurry = true;
	return HF_OK;
}

/* enc and the chain: all before the box. */
static void
write_head(struct hf__writer *w, const struct hf_session *s,
    const struct hf__proof *proof)
{
	const struct hf__chain *own = &s->config->own;

	hf__write_list(w, DATA_FIELDS);
	hf__write_bytes(w, proof->pair.pk, s->suite->kem->enc_len);
	hf__write_chain(w, own->cert, own->n);
}

/* The keys of the next epoch; and the key of the responder's box. */
static enum hf_err
derive(struct hf_session *s, uint8_t key[32], const struct hf__proof *proof,
    struct hf_span head)
{
	struct hf__refresh *next = s->move->refresh;
	bool initiator = s->config->role == HF_INITIATOR;
	uint8_t th5[32];

	hf__transcript(th5, &head, 1);
	return hf__schedule_refresh(&next->secrets, key,
	    initiator ? &next->send : &next->recv,
	    initiator ? &next->recv : &next->send, s->suite,
	    s->secrets.resumption, th5,
	    (struct hf_span){ proof->shared, proof->len });
}

static enum hf_err
prepare(struct hf_session *s, const struct hf__proof *proof)
{
	struct hf__refresh *next = s->move->refresh;
	struct hf__writer w;

	hf__write_init(&w, next->head, sizeof(next->head));
	write_head(&w, s, proof);
	if (w.err != HF_OK)
		return w.err;
	next->head_len = w.len;
	return derive(s, next->proof, proof,
	    (struct hf_span){ next->head, w.len });
}

/* The state says of itself what it will be when the refresh has gone out. */
static void
say_next(struct hf__stored *st, const struct hf_session *s)
{
	st->unconfirmed = true;
	st->previous_epoch = st->epoch;
	memcpy(st->previous, st->secret, sizeof(st->previous));
	st->serial = 0;
	st->epoch++;
	memcpy(st->secret, s->move->refresh->secrets.resumption,
	    sizeof(st->secret));
}

enum hf_err
hf__refresh_build(struct hf_session *s, struct hf__stored *st)
{
	struct hf__move *m = s->move;
	struct hf__proof proof;
	uint8_t random[32];
	enum hf_err e;

	if ((e = allocate(m)) != HF_OK)
		return e;
	randombytes_buf(random, sizeof(random));
	if ((e = hf__proof_make(&proof, s, s->suite->kem, random, m->reply.pk,
		 m->has_key ? m->key : NULL)) == HF_OK &&
	    (e = prepare(s, &proof)) == HF_OK) {
		say_next(st, s);
		m->refreshing = HF__REFRESH_WRITING;
	}
	sodium_memzero(random, sizeof(random));
	sodium_memzero(&proof, sizeof(proof));
	if (e != HF_OK)
		drop(m);
	return e;
}

/* --- what the boxes are over ---------------------------------------------------------- */

struct aad {
	uint8_t bytes[HF__REFRESH_HEAD_MAX + MARKS_MAX];
	size_t len;
};

static enum hf_err
add_mark(struct aad *aad, const struct hf__mark *mark)
{
	struct hf__writer w;

	hf__write_init(&w, aad->bytes + aad->len,
	    sizeof(aad->bytes) - aad->len);
	hf__write_mark(&w, mark);
	aad->len += w.len;
	return w.err;
}

/* sent: the responder's direction, before its record. */
static enum hf_err
aad_responder(struct aad *aad, struct hf_span head,
    const struct hf__traffic *sent)
{
	struct hf__mark mark;

	if (head.len > HF__REFRESH_HEAD_MAX)
		return HF_E_TOO_BIG;
	memcpy(aad->bytes, head.ptr, head.len);
	aad->len = head.len;
	hf__mark_get(&mark, sent);
	return add_mark(aad, &mark);
}

/* changed: the responder's direction, in the new epoch; sent: the initiator's,
 * before its record. */
static enum hf_err
aad_initiator(struct aad *aad, const struct hf__mark *changed,
    const struct hf__traffic *sent)
{
	struct hf__mark mark;
	enum hf_err e;

	aad->len = 0;
	hf__mark_get(&mark, sent);
	if ((e = add_mark(aad, changed)) != HF_OK)
		return e;
	return add_mark(aad, &mark);
}

/* --- keys change --------------------------------------------------------------------- */

/* The record that was just counted is the last under the old keys. */
static void
change(struct hf__traffic *t, const struct hf__traffic *next,
    struct hf__history *history, uint64_t epoch, enum hf_role sender)
{
	struct hf__mark mark;

	t->key = next->key;
	memcpy(t->ratchet, next->ratchet, sizeof(t->ratchet));
	memcpy(t->iv, next->iv, sizeof(t->iv));
	t->seq = 0;
	hf__mark_get(&mark, t);
	hf__schedule_epoch(&mark, epoch, sender);
	hf__mark_set(t, &mark);
	hf__history_amend(history, t);
}

/* Nothing of it was sent, nor will be. It is tried again with a checkpoint that
 * is due for itself. */
void
hf__refresh_not_written(struct hf__move *m)
{
	m->hurry = false;
	if (m->refreshing == HF__REFRESH_WRITING)
		drop(m);
}

enum hf_err
hf__refresh_written(struct hf_session *s)
{
	struct hf__move *m = s->move;

	m->hurry = false;
	if (m->refreshing == HF__REFRESH_ANSWERED) {
		m->refreshing = HF__REFRESH_NONE;
		m->strength = HF_MOVES_PROVED;
	}
	if (m->refreshing != HF__REFRESH_WRITING)
		return HF_OK;
	m->refreshing = HF__REFRESH_TO_SEND;
	return hf__refresh_send(s);
}

/* The responder's record: the head, and the box that shows the new keys. */
static enum hf_err
send_head(struct hf_session *s)
{
	struct hf__refresh *next = s->move->refresh;
	uint8_t data[sizeof(next->head)], *box;
	struct hf__writer w;
	struct aad aad;
	enum hf_err e;

	hf__write_init(&w, data, sizeof(data));
	memcpy(data, next->head, next->head_len);
	w.len = next->head_len;
	hf__write_bytes_head(&w, BOX_BYTES);
	if ((box = hf__write_room(&w, BOX_BYTES)) == NULL ||
	    aad_responder(&aad, (struct hf_span){ data, next->head_len },
		&s->send) != HF_OK)
		return HF_E_TOO_BIG;
	if ((e = hf__box_seal(box, 0, aad.bytes, aad.len, next->proof)) !=
	    HF_OK)
		return e;
	return hf__record_seal(s, HF__REFRESH, data, w.len);
}

enum hf_err
hf__refresh_send(struct hf_session *s)
{
	struct hf__move *m = s->move;
	enum hf_err e;

	if (s->state != HF__OPEN || m == NULL ||
	    m->refreshing != HF__REFRESH_TO_SEND ||
	    !hf__record_fits(s, m->refresh->head_len + 1 + BOX_BYTES))
		return HF_OK;
	if ((e = send_head(s)) != HF_OK)
		return e;
	change(&s->send, &m->refresh->send, &m->sent, m->epoch + 1,
	    HF_RESPONDER);
	hf__mark_get(&m->refresh->changed, &s->send);
	forget_reply(m);
	m->refreshing = HF__REFRESH_SENT;
	return HF_OK;
}

/* --- what arrives --------------------------------------------------------------------- */

struct shown {
	struct hf_span enc, box, chain[HF_CHAIN_MAX], head;
	size_t chain_n;
};

static enum hf_err
read_data(struct shown *sh, const struct hf_session *s, struct hf_span data)
{
	size_t enc_len = s->suite->kem->enc_len;
	struct hf__reader r;

	hf__read_init(&r, data.ptr, data.len);
	(void)hf__read_list(&r, DATA_FIELDS, DATA_FIELDS);
	sh->enc = hf__read_bytes(&r, enc_len, enc_len);
	hf__read_chain(&r, sh->chain, &sh->chain_n);
	sh->head = (struct hf_span){ data.ptr, r.off };
	sh->box = hf__read_bytes(&r, BOX_BYTES, BOX_BYTES);
	return hf__read_end(&r);
}

static enum hf_err
verify(struct hf_session *s, const struct shown *sh)
{
	struct hf__proof proof = { .len = 0 };
	struct hf__cert leaf;
	struct aad aad;
	uint8_t key[32];
	enum hf_err e;

	if ((e = hf__proof_judge(&leaf, s, sh->chain, sh->chain_n)) != HF_OK)
		return e;
	if ((e = hf__proof_share(&proof, s, &s->move->reply, sh->enc.ptr,
		 leaf.key.ptr)) == HF_OK &&
	    (e = derive(s, key, &proof, sh->head)) == HF_OK &&
	    (e = aad_responder(&aad, sh->head, &s->recv)) == HF_OK)
		e = hf__box_open(NULL, sh->box.ptr, sh->box.len, aad.bytes,
		    aad.len, key);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&proof, sizeof(proof));
	return e == HF_OK ? hf__set_peer_cert(s, &leaf) : e;
}

static enum hf_err
parse_servers(struct hf_session *s, struct hf_span data)
{
	struct hf__move *m = s->move;
	struct shown sh;
	enum hf_err e;

	if (!m->has_reply || m->refreshing != HF__REFRESH_NONE ||
	    m->epoch >= UINT32_MAX)
		return HF_E_UNEXPECTED;
	if ((e = read_data(&sh, s, data)) != HF_OK ||
	    (e = allocate(m)) != HF_OK)
		return e;
	return verify(s, &sh);
}

static enum hf_err
parse_answer(struct hf_session *s, struct hf_span data)
{
	struct hf__move *m = s->move;
	struct aad aad;
	enum hf_err e;

	if (m->refreshing != HF__REFRESH_SENT)
		return HF_E_UNEXPECTED;
	if (data.len != BOX_BYTES)
		return HF_E_SHAPE;
	if ((e = aad_initiator(&aad, &m->refresh->changed, &s->recv)) != HF_OK)
		return e;
	return hf__box_open(NULL, data.ptr, data.len, aad.bytes, aad.len,
	    m->refresh->secrets.confirm);
}

enum hf_err
hf__refresh_parse(struct hf_session *s, struct hf_span data)
{
	enum hf_err e;

	if (s->move == NULL)
		return HF_E_UNEXPECTED;
	e = s->config->role == HF_INITIATOR ? parse_servers(s, data) :
					      parse_answer(s, data);
	if (e == HF_OK)
		s->move->refreshing = HF__REFRESH_TAKEN;
	return e;
}

/* The initiator's, under the old keys. */
static enum hf_err
send_answer(struct hf_session *s)
{
	uint8_t box[BOX_BYTES];
	struct hf__mark changed;
	struct aad aad;
	enum hf_err e;

	hf__mark_get(&changed, &s->recv);
	if ((e = aad_initiator(&aad, &changed, &s->send)) != HF_OK ||
	    (e = hf__box_seal(box, 0, aad.bytes, aad.len,
		 s->move->refresh->secrets.confirm)) != HF_OK)
		return e;
	return hf__record_seal(s, HF__REFRESH, box, sizeof(box));
}

enum hf_err
hf__refresh_take(struct hf_session *s)
{
	bool initiator = s->config->role == HF_INITIATOR;
	struct hf__move *m = s->move;
	enum hf_err e;

	change(&s->recv, &m->refresh->recv, &m->received, m->epoch + 1,
	    initiator ? HF_RESPONDER : HF_INITIATOR);
	if (initiator) {
		if ((e = send_answer(s)) != HF_OK)
			return e;
		change(&s->send, &m->refresh->send, &m->sent, m->epoch + 1,
		    HF_INITIATOR);
	}
	m->epoch++;
	memcpy(s->secrets.resumption, m->refresh->secrets.resumption, 32);
	memcpy(s->secrets.exporter, m->refresh->secrets.exporter, 32);
	drop(m);
	if (!initiator) {
		m->refreshing = HF__REFRESH_ANSWERED;
		m->hurry = true;
		return HF_OK;
	}
	forget_reply(m);
	m->serial = 0;
	m->strength = HF_MOVES_PROVED;
	return HF_OK;
}

enum hf_mobility
hf_session_strength(const struct hf_session *s)
{
	return s->move == NULL ? HF_MOVES_NOT : s->move->strength;
}
