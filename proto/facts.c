/* SPDX-License-Identifier: ISC */
/*
 * What can be asked of a session without changing it: peer, target, id,
 * suite, digests, exported keys, memory; and the one thing a responder may
 * hand out afterwards, a ticket.
 */
#include <string.h>

#include "session.h"

enum hf_err
hf_session_peer(struct hf_peer *peer, const struct hf_session *s)
{
	if (peer == NULL || s == NULL)
		return HF_E_ARG;
	*peer = (struct hf_peer){
		.authenticated = s->authenticated,
		.method = s->method,
		.cert = s->peer_cert,
		.ticket = s->ticket,
		.name = s->name,
		.subject = s->subject,
	};
	return HF_OK;
}

struct hf_span
hf_session_target(const struct hf_session *s)
{
	return (struct hf_span){ (const uint8_t *)s->target, s->target_len };
}

struct hf_span
hf_session_id(const struct hf_session *s)
{
	return (struct hf_span){ s->has_sid ? s->sid : NULL,
		s->has_sid ? sizeof(s->sid) : 0 };
}

int
hf_session_suite(const struct hf_session *s)
{
	return s->suite == NULL ? 0 : s->suite->id;
}

int
hf_session_channels(const struct hf_session *s)
{
	return s->channels;
}

int
hf_session_prekey(const struct hf_session *s)
{
	return s->prekey;
}

uint64_t
hf_session_expires(const struct hf_session *s)
{
	return s->expires;
}

static bool
established(const struct hf_session *s)
{
	return s->state == HF__OPEN || s->state == HF__CLOSED;
}

enum hf_err
hf_session_export(uint8_t *out, size_t len, const struct hf_session *s,
    const char *label, const uint8_t *context, size_t context_len)
{
	if (out == NULL || s == NULL || label == NULL ||
	    (context == NULL && context_len > 0))
		return HF_E_ARG;
	if (!established(s))
		return HF_E_STATE;
	return hf__schedule_export(out, len, s->secrets.exporter, label,
	    context, context_len);
}

enum hf_err
hf_session_digest(uint8_t digest[HF_KEY_BYTES], uint64_t *count,
    const struct hf_session *s, enum hf_role sender)
{
	const struct hf__traffic *t;

	if (digest == NULL || count == NULL || s == NULL ||
	    (sender != HF_INITIATOR && sender != HF_RESPONDER))
		return HF_E_ARG;
	if (!established(s))
		return HF_E_STATE;
	t = sender == s->config->role ? &s->send : &s->recv;
	memcpy(digest, t->digest, HF_KEY_BYTES);
	*count = t->count;
	return HF_OK;
}

/* The renewal rule (spec section 7.3): a ticket got by ticket keeps how and
 * when its holder first authenticated, and the limit set then. Any other has
 * both of its session, however long that has gone on and wherever. */
static void
ticket_terms(struct hf_ticket_info *info, const struct hf_session *s,
    uint32_t ttl, uint32_t limit)
{
	const struct hf_ticket_info *old = s->ticket;

	info->issued = s->now;
	info->first_auth = old == NULL ? s->authenticated_at : old->first_auth;
	info->first_method = old == NULL ? s->method : old->first_method;
	info->limit = info->first_auth + limit;
	if (old != NULL && old->limit < info->limit)
		info->limit = old->limit;
	if (s->peer_not_after != 0 && s->peer_not_after < info->limit)
		info->limit = s->peer_not_after;
	info->origin_n = old == NULL ? s->origin_n : old->origin_n;
	memcpy(info->origin, old == NULL ? s->origin : old->origin,
	    sizeof(info->origin));
	info->expires = s->now + ttl;
	if (info->expires > info->limit)
		info->expires = info->limit;
}

static enum hf_err
ticket_names(struct hf_ticket_info *info, const struct hf_session *s)
{
	const struct hf__cert *own = &s->config->own_leaf;
	const struct hf_span aud =
	    own->cluster.len > 0 ? own->cluster : own->subject;

	info->subject.len = strlen(s->subject);
	if (info->subject.len > HF_NAME_MAX)
		return HF_E_POLICY; /* no ticket can carry that name */
	memcpy(info->subject.text, s->subject, info->subject.len + 1);
	memcpy(info->audience.text, aud.ptr, aud.len);
	info->audience.text[aud.len] = '\0';
	info->audience.len = aud.len;
	return HF_OK;
}

enum hf_err
hf_session_issue_ticket(struct hf_session *s, uint32_t ttl, uint32_t limit,
    int single_use)
{
	struct hf_ticket_info info = { 0 };
	uint8_t file[HF_TICKET_MAX + 1024];
	size_t len = 0;
	enum hf_err e;

	if (s == NULL || ttl == 0 || limit == 0)
		return HF_E_ARG;
	if (s->config->ring == NULL)
		return HF_E_CONFIG;
	if (s->state != HF__OPEN || s->sent_close ||
	    s->config->role != HF_RESPONDER)
		return HF_E_STATE;
	/* One use stays one use. */
	if (s->ticket != NULL && s->ticket->single_use)
		return HF_E_POLICY;
	if (!hf__record_fits(s, sizeof(file)))
		return HF_E_SPACE;
	ticket_terms(&info, s, ttl, limit);
	info.single_use = single_use;
	if (info.expires <= s->now)
		return HF_E_EXPIRED;
	if ((e = ticket_names(&info, s)) == HF_OK &&
	    (e = hf_ticket_issue(file, sizeof(file), &len, s->config->ring,
		 &info)) == HF_OK &&
	    (e = hf__record_seal(s, HF__TICKET, file, len)) != HF_OK)
		e = hf__fail(s, e);
	sodium_memzero(file, sizeof(file));
	return e;
}
