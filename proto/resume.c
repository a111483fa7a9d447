/* SPDX-License-Identifier: ISC */
/*
 * resume (spec section 17.2): an initiator goes on with its session on a new
 * connection, by the resumption secret; a responder that has the session's
 * stored state judges that. Nothing is changed before the box is verified.
 */
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum {
	RESUME_FIELDS = 11,
	PLAIN_FIELDS = 3,
	PLAIN_MAX = 256,
	NONCE_BYTES = 32,
	REPLY_KEY_MIN = 32,
	REPLY_KEY_MAX = 2048,
	CLOSED_OWN = 1,	  /* the initiator's close is among sent */
	CLOSED_PEERS = 2, /* the responder's among received */
	RESUME_MAX = 4096
};

/* --- the initiator builds ------------------------------------------------------- */

/* For a proved takeover, or a refresh after a soft one. */
static bool
with_reply_key(const struct hf_session *s)
{
	return s->move->mobility == HF_MOVES_PROVED || !s->config->no_refresh;
}

static void
write_plain(struct hf__writer *w, const struct hf_session *s)
{
	const struct hf__move *m = s->move;
	struct hf__mark sent;

	hf__mark_get(&sent, &s->send);
	hf__write_list(w, PLAIN_FIELDS);
	hf__write_mark(w, &sent);
	hf__write_mark(w, &m->released);
	hf__write_uint(w,
	    (s->sent_close ? CLOSED_OWN : 0U) |
		(m->released_close ? CLOSED_PEERS : 0U));
}

static void
write_outer(struct hf__writer *w, const struct hf_session *s,
    const uint8_t nonce[NONCE_BYTES])
{
	const struct hf__move *m = s->move;

	hf__write_open(w, HF__RESUME, RESUME_FIELDS);
	hf__write_bytes(w, s->sid, sizeof(s->sid));
	hf__write_uint(w, m->epoch);
	hf__write_uint(w, m->serial);
	hf__write_text(w, s->target, s->target_len);
	hf__write_bytes(w, nonce, NONCE_BYTES);
	hf__write_cookie(w, s->hs);
	if (with_reply_key(s))
		hf__write_bytes(w, s->hs->ephemeral.pk, s->suite->kem->pk_len);
	else
		hf__write_null(w);
	hf__write_first_extensions(w, s->config, s->channels);
}

/* A fresh reply key, where there is one; and the nonce. */
static enum hf_err
draw(uint8_t nonce[NONCE_BYTES], struct hf_session *s, struct hf_span plain)
{
	bool replied = with_reply_key(s);
	bool anew = replied && !s->move->is_prepared;
	uint8_t random[64];
	enum hf_err e = HF_OK;

	s->hs->replied = replied;
	randombytes_buf(random, anew ? 64 : 32);
	hf__schedule_nonce(nonce, s->secrets.resumption, random, s->now,
	    s->move->serial, plain);
	if (anew)
		e = s->suite->kem->pair(&s->hs->ephemeral, random + 32);
	else if (replied)
		s->hs->ephemeral = s->move->prepared;
	hf__unprepare(s->move);
	sodium_memzero(random, sizeof(random));
	return e;
}

void
hf__unprepare(struct hf__move *m)
{
	sodium_memzero(&m->prepared, sizeof(m->prepared));
	m->is_prepared = false;
}

enum hf_err
hf_session_prepare(struct hf_session *s)
{
	uint8_t random[32];
	enum hf_err e;

	if (s == NULL)
		return HF_E_ARG;
	if (s->move == NULL || s->config->role != HF_INITIATOR ||
	    s->state != HF__OPEN)
		return HF_E_STATE;
	if (s->move->is_prepared || !with_reply_key(s))
		return HF_OK;
	randombytes_buf(random, sizeof(random));
	e = s->suite->kem->pair(&s->move->prepared, random);
	s->move->is_prepared = e == HF_OK;
	sodium_memzero(random, sizeof(random));
	return e;
}

/* Every attempt has a serial, a nonce and a reply key of its own. */
enum hf_err
hf__resume_build(struct hf_session *s)
{
	uint8_t plain[PLAIN_MAX], nonce[NONCE_BYTES], key[32], *room, *box;
	struct hf__writer w, inner;
	size_t aad_len;
	enum hf_err e;

	if (s->move->serial == UINT32_MAX)
		return HF_E_EXHAUSTED;
	if ((room = hf__buffer_room(&s->out, RESUME_MAX)) == NULL)
		return HF_E_MEMORY;
	s->move->serial++;
	hf__write_init(&inner, plain, sizeof(plain));
	write_plain(&inner, s);
	if ((e = inner.err) != HF_OK ||
	    (e = draw(nonce, s, (struct hf_span){ plain, inner.len })) !=
		HF_OK)
		return e;
	hf__write_init(&w, room, RESUME_MAX);
	write_outer(&w, s, nonce);
	aad_len = w.len;
	hf__write_bytes_head(&w, inner.len + HF__TAG_BYTES);
	if ((box = hf__write_room(&w, inner.len + HF__TAG_BYTES)) == NULL)
		return HF_E_SPACE;
	memcpy(box, plain, inner.len);
	hf__schedule_resume(key, s->secrets.resumption, nonce);
	e = hf__box_seal(box, inner.len, room, aad_len, key);
	sodium_memzero(key, sizeof(key));
	if (e != HF_OK)
		return e;
	hf__transcript(s->hs->th1, (struct hf_span[]){ { room, w.len } }, 1);
	s->out.len += w.len;
	s->spoken = true;
	return HF_OK;
}

int
hf_session_can_reconnect(const struct hf_session *s)
{
	return s->move != NULL && s->config->role == HF_INITIATOR &&
	    s->state != HF__CLOSED && s->has_sid &&
	    !sodium_is_zero(s->secrets.resumption,
		sizeof(s->secrets.resumption));
}

enum hf_err
hf_session_reconnect(struct hf_session *s, uint64_t ms, uint64_t now)
{
	enum hf_err e;

	if (s == NULL)
		return HF_E_ARG;
	if (!hf_session_can_reconnect(s))
		return HF_E_STATE;
	if (now >= s->expires) { /* while it had no connection */
		s->now = now;
		s->error = HF_OK;
		return hf__fail_silently(s, HF_E_EXPIRED);
	}
	hf__disconnect(s);
	hf__peer_restore(s, &s->move->kept);
	s->suite = s->move->suite;
	if (s->out.ptr != NULL)
		sodium_memzero(s->out.ptr, s->out.cap);
	hf__buffer_take(&s->out, s->out.len);
	s->error = HF_OK;
	s->hs = hf__part_new(s, HF__PART_HANDSHAKE, sizeof(*s->hs));
	if (s->hs == NULL) /* its keys are gone: it is not open any more */
		return hf__fail_silently(s, HF_E_MEMORY);
	s->ms = ms;
	s->now = now;
	s->deadline = ms + s->config->deadline_ms;
	s->state = HF__I_RESUME_SENT;
	if ((e = hf__resume_build(s)) != HF_OK)
		return hf__fail_silently(s, e);
	return HF_OK;
}

/* --- the responder parses --------------------------------------------------------- */

enum hf_err
hf__resume_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	struct hf__outer outer = { .type = HF__RESUME, .message = message };
	struct hf_span sid, cookie;
	struct hf__reader r;
	enum hf_err e;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__RESUME, RESUME_FIELDS);
	sid = hf__read_bytes(&r, HF_SID_BYTES, HF_SID_BYTES);
	outer.epoch = hf__read_uint(&r, UINT32_MAX);
	outer.serial = hf__read_uint(&r, UINT32_MAX);
	if (r.err == HF_OK && outer.serial == 0)
		return HF_E_SHAPE;
	outer.target = hf__read_text(&r, 0, HF_TARGET_MAX);
	outer.nonce = hf__read_bytes(&r, NONCE_BYTES, NONCE_BYTES);
	cookie = hf__read_cookie(&r);
	outer.reply_key =
	    hf__read_bytes_or_null(&r, REPLY_KEY_MIN, REPLY_KEY_MAX);
	outer.channels = (hf__read_extensions(&r) & HF__EXT_CHANNELS) != 0;
	outer.aad_len = r.off;
	outer.box =
	    hf__read_bytes(&r, HF__TAG_BYTES, PLAIN_MAX + HF__TAG_BYTES);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	if (s->hs->resume_seen)
		return HF_E_UNEXPECTED;
	memcpy(s->sid, sid.ptr, sizeof(s->sid));
	s->has_sid = true;
	if ((e = hf__set_target(s, outer.target)) != HF_OK)
		return e;
	s->hs->cookie_shown |= hf__cookie_valid(cookie, s->config->cookie_key,
	    HF__RESUME, (struct hf_span){ s->source, s->source_len }, s->now);
	hf__transcript(s->hs->th1, &message, 1);
	s->hs->outer = outer;
	*next = HF__R_ADMIT;
	return HF_OK;
}

/* --- what a claim is made of ---------------------------------------------------- */

enum hf_err
hf__move_claim(struct hf__move *m)
{
	if ((m->claim = malloc(sizeof(*m->claim))) == NULL)
		return HF_E_MEMORY;
	memset(m->claim, 0, HF__TAKEOVER_HEAD);
	return HF_OK;
}

void
hf__move_unclaim(struct hf__move *m)
{
	if (m->claim != NULL)
		sodium_memzero(m->claim, HF__TAKEOVER_HEAD);
	free(m->claim);
	m->claim = NULL;
}

/* --- the responder judges ----------------------------------------------------------- */

/* Which secret the initiator holds, by epoch and serial. Where its epoch is
 * the state's, a claim that is not confirmed has reached it: the marks go on
 * in the chains of that epoch, as they do at the initiator. A refresh, whose
 * serial is 0, does not change the marks before it. */
static enum hf_err
choose_secret(struct hf__stored *st, const struct hf__outer *outer)
{
	if (outer->epoch == st->epoch) {
		if (st->unconfirmed && st->serial > 0) {
			hf__schedule_epoch(&st->received, st->epoch,
			    HF_INITIATOR);
			hf__schedule_epoch(&st->sent, st->epoch, HF_RESPONDER);
		}
		return HF_OK;
	}
	if (st->unconfirmed && outer->epoch == st->previous_epoch &&
	    outer->serial > st->serial) {
		memcpy(st->secret, st->previous, sizeof(st->secret));
		return HF_OK;
	}
	return outer->epoch > st->epoch ? HF_E_NO_SESSION : HF_E_REPLAY;
}

struct claims { /* what the box says */
	struct hf__mark sent, received;
	unsigned closed;
};

static enum hf_err
open_box(struct claims *cl, const struct hf__outer *outer,
    const uint8_t secret[32])
{
	uint8_t key[32], plain[PLAIN_MAX];
	struct hf__reader r;
	enum hf_err e;

	hf__schedule_resume(key, secret, outer->nonce.ptr);
	e = hf__box_open(plain, outer->box.ptr, outer->box.len,
	    outer->message.ptr, outer->aad_len, key);
	sodium_memzero(key, sizeof(key));
	if (e != HF_OK)
		return e;
	hf__read_init(&r, plain, outer->box.len - HF__TAG_BYTES);
	(void)hf__read_list(&r, PLAIN_FIELDS, PLAIN_FIELDS);
	hf__read_mark(&r, &cl->sent);
	hf__read_mark(&r, &cl->received);
	cl->closed = (unsigned)hf__read_uint(&r, CLOSED_OWN | CLOSED_PEERS);
	sodium_memzero(plain, sizeof(plain));
	return hf__read_end(&r);
}

/* What may have changed since the handshake. */
static enum hf_err
judge_anew(const struct hf_session *s, const struct hf__stored *st)
{
	struct hf_ticket_info info = { .origin_n = st->origin_n };
	enum hf_err e;

	if (s->now >= st->expires ||
	    (st->not_after != 0 && s->now >= st->not_after) ||
	    (st->has_ticket && s->now >= st->limit))
		return HF_E_EXPIRED;
	memcpy(info.origin, st->origin, sizeof(info.origin));
	if ((e = hf__origins_judge(s->config->trust, &info, s->now)) != HF_OK)
		return e;
	return hf__scope_serves(st->scope, hf_session_target(s)) ?
	    HF_OK :
	    HF_E_NO_SESSION;
}

/* One direction by one end, and whether its close is within the mark. */
struct side {
	const struct hf__mark *mark;
	bool closed;
};

/* At one count there is one history; and what was closed stays closed. */
static bool
agree(const struct side *a, const struct side *b)
{
	if (a->mark->count < b->mark->count)
		return !a->closed || b->closed;
	if (a->mark->count > b->mark->count)
		return !b->closed || a->closed;
	return a->closed == b->closed && a->mark->bytes == b->mark->bytes &&
	    sodium_memcmp(a->mark->digest, b->mark->digest, 32) == 0;
}

/* A receiver is never ahead of its sender, but for the tail that a crashed
 * owner had sent after its last checkpoint. */
static enum hf_err
compare(const struct hf__stored *st, const struct claims *cl)
{
	struct side i = { &st->received, (st->closed & HF__CLOSED_I) != 0 };
	struct side i_sent = { &cl->sent, (cl->closed & CLOSED_OWN) != 0 };
	struct side r = { &st->sent, (st->closed & HF__CLOSED_R) != 0 };
	struct side r_got = { &cl->received,
		(cl->closed & CLOSED_PEERS) != 0 };

	if (i.mark->count > i_sent.mark->count || !agree(&i, &i_sent) ||
	    !agree(&r, &r_got))
		return HF_E_ROLLBACK;
	return HF_OK;
}

/* The session is the one that was stored. */
static enum hf_err
restore(struct hf_session *s, const struct hf__stored *st)
{
	struct hf_ticket_info *info;

	s->method = st->method;
	memcpy(s->name, st->name, sizeof(s->name));
	memcpy(s->subject, st->subject, sizeof(s->subject));
	memcpy(s->origin, st->origin, sizeof(s->origin));
	s->origin_n = st->origin_n;
	s->peer_not_after = st->not_after;
	s->expires = st->expires;
	if (!st->has_ticket)
		return HF_OK;
	if (strlen(st->subject) > HF_NAME_MAX)
		return HF_E_ENTRY;
	info = hf__part_new(s, HF__PART_TICKET, sizeof(*info));
	if (info == NULL)
		return HF_E_MEMORY;
	info->subject.len = strlen(st->subject);
	memcpy(info->subject.text, st->subject, info->subject.len + 1);
	info->first_method = st->first_method;
	info->first_auth = st->first_auth;
	info->limit = info->expires = st->limit;
	info->single_use = st->single_use;
	memcpy(info->origin, st->origin, sizeof(info->origin));
	info->origin_n = st->origin_n;
	s->ticket = info;
	return HF_OK;
}

/* What the claim will say: the bases as both ends have them now. */
static void
settle(struct hf_session *s, struct hf__stored *st, const struct claims *cl)
{
	struct hf_bases *b = &s->move->bases;

	b->stored_count = b->sent_count = st->sent.count;
	b->sent_bytes = st->sent.bytes;
	b->own_count = cl->received.count;
	b->own_bytes = cl->received.bytes;
	b->peer_count = st->received.count;
	b->peer_bytes = st->received.bytes;
	b->peer_closed = (st->closed & HF__CLOSED_I) != 0;
	st->closed = (st->closed & HF__CLOSED_I) |
	    ((cl->closed & CLOSED_PEERS) != 0 ? HF__CLOSED_R : 0U);
	s->move->claim->state = *st;
	/* resumed says what the state had; the claim, where it goes on */
	s->move->claim->found = st->sent;
	s->move->claim->state.sent = cl->received;
}

static enum hf_err
judge(struct hf_session *s, struct hf__stored *st)
{
	const struct hf__outer *outer = &s->hs->outer;
	const struct hf__suite *suite = hf__suite_find(st->suite);
	struct claims cl;
	enum hf_err e;

	if (sodium_memcmp(st->sid, s->sid, sizeof(st->sid)) != 0)
		return HF_E_ENTRY;
	if ((e = choose_secret(st, outer)) != HF_OK)
		return e;
	if (outer->reply_key.ptr == NULL && st->mobility == HF_MOVES_PROVED)
		return HF_E_SHAPE;
	if (suite == NULL) /* whose sizes nobody knows here */
		return HF_E_NO_SESSION;
	if (outer->reply_key.ptr != NULL &&
	    outer->reply_key.len != suite->kem->pk_len)
		return HF_E_SHAPE;
	if ((e = open_box(&cl, outer, st->secret)) != HF_OK ||
	    (e = judge_anew(s, st)) != HF_OK ||
	    (e = compare(st, &cl)) != HF_OK ||
	    (e = hf__move_new(s, st->mobility)) != HF_OK ||
	    (e = hf__move_claim(s->move)) != HF_OK)
		return e;
	s->suite = suite;
	s->move->epoch = st->epoch;
	s->channels = outer->channels;
	settle(s, st, &cl);
	hf__refresh_offer(s, outer->reply_key);
	return restore(s, st);
}

enum hf_err
hf__resume_open(struct hf_session *s, const uint8_t *entry, size_t len)
{
	struct hf__stored st;
	enum hf_err e;

	if ((e = hf__state_open(&st, hf__vault_of(s), entry, len, s->now)) ==
	    HF_OK)
		e = judge(s, &st);
	sodium_memzero(&st, sizeof(st));
	return e;
}

/* --- refused ------------------------------------------------------------------------- */

/* As if it had not been asked, but once a connection. */
static void
forget(struct hf_session *s)
{
	struct hf__handshake *hs = s->hs;
	bool retried = hs->retried, shown = hs->cookie_shown;

	sodium_memzero(hs, sizeof(*hs));
	hs->retried = retried;
	hs->cookie_shown = shown;
	hs->resume_seen = true;
	hf__move_free(s);
	sodium_memzero(&s->secrets, sizeof(s->secrets));
	sodium_memzero(&s->send, sizeof(s->send));
	sodium_memzero(&s->recv, sizeof(s->recv));
	hf__part_free(s, s->ticket, sizeof(*s->ticket));
	s->ticket = NULL;
	s->keys = s->has_sid = s->channels = false;
	s->sent_close = s->got_close = false;
	s->suite = NULL;
	s->method = (enum hf_method)0;
	s->name[0] = s->subject[0] = '\0';
	s->origin_n = 0;
	s->peer_not_after = s->expires = 0;
	if (s->in.ptr != NULL)
		sodium_memzero(s->in.ptr, s->in.cap);
	hf__buffer_take(&s->in, s->in.len);
}

/* The alert of a resume that a handshake may follow; 0: it ends the
 * connection. */
static enum hf_err
told(enum hf_err cause)
{
	switch (cause) {
	case HF_E_STORE:
		return HF_E_STORE;
	case HF_E_NO_SESSION:
	case HF_E_EXPIRED:
	case HF_E_ROLLBACK:
	case HF_E_ENTRY:
		return HF_E_NO_SESSION;
	default:
		return HF_OK;
	}
}

enum hf_err
hf__resume_refuse(struct hf_session *s, enum hf_err cause)
{
	enum hf_err e;

	if (told(cause) == HF_OK)
		return hf__fail(s, cause);
	forget(s);
	s->refused = cause;
	if ((e = hf__alert_build(s, told(cause))) != HF_OK)
		return hf__fail(s, e);
	s->state = HF__R_START;
	return HF_OK;
}

enum hf_err
hf_session_refused(const struct hf_session *s)
{
	return s->refused;
}
