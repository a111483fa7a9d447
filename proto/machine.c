/* SPDX-License-Identifier: ISC */
/*
 * The state machine (spec section 11): which message has a place in which
 * state, and one driver that hands it to its parser. Order and type are
 * checked here and nowhere else. The driver closes the step before it calls
 * the parser, and only success opens the next.
 */
#include "session.h"

static const struct hf__step steps[] = {
	/* initiator */
	{ HF__I_HELLO_SENT, HF__OFFER, hf__offer_parse, "4.2" },
	{ HF__I_HELLO_SENT, HF__RETRY, hf__retry_parse, "4.3" },
	{ HF__I_HELLO_SENT, HF__ALERT, hf__alert_parse, "4.7" },
	{ HF__I_HELLO_SENT, HF__QUERY, hf__query_parse, "4.8" },
	{ HF__I_REQUEST_SENT, HF__GRANT, hf__grant_parse, "4.5" },
	{ HF__I_REQUEST_SENT, HF__RETRY, hf__retry_parse, "4.3" },
	{ HF__I_REQUEST_SENT, HF__ALERT, hf__alert_parse, "4.7" },
	{ HF__I_REQUEST_SENT, HF__QUERY, hf__query_parse, "4.8" },
	{ HF__I_RESUME_SENT, HF__RESUMED, hf__resumed_parse, "17.4" },
	{ HF__I_RESUME_SENT, HF__RETRY, hf__retry_parse, "4.3" },
	{ HF__I_RESUME_SENT, HF__ALERT, hf__resume_alert_parse, "17.5" },
	{ HF__I_RESUME_SENT, HF__QUERY, hf__passed_over, "17.9" },
	{ HF__I_RESUME_SENT, HF__RECORD, hf__passed_over, "17.9" },
	{ HF__OPEN, HF__QUERY, hf__query_open, "17.9" },
	/* responder */
	{ HF__R_START, HF__HELLO, hf__hello_parse, "4.1" },
	{ HF__R_START, HF__REQUEST, hf__request_parse, "4.4" },
	{ HF__R_START, HF__RESUME, hf__resume_parse, "17.2" },
	{ HF__R_START, HF__ALERT, hf__alert_parse, "4.7" },
	{ HF__R_OFFERED, HF__REQUEST, hf__request_parse, "4.4" },
	{ HF__R_OFFERED, HF__ALERT, hf__alert_parse, "4.7" },
	{ HF__R_GRANTED, HF__CONFIRM, hf__confirm_parse, "4.6" },
	{ HF__R_GRANTED, HF__ALERT, hf__alert_parse, "4.7" },
	{ HF__R_RESUMED, HF__CONFIRM, hf__confirm_parse, "17.4" },
	{ HF__R_RESUMED, HF__ALERT, hf__alert_parse, "4.7" },
	/* both */
	{ HF__OPEN, HF__RECORD, hf__record_parse, "9.1" },
};

/* States in which bytes of the peer are wanted. */
bool
hf__state_reads(enum hf__state state)
{
	switch (state) {
	case HF__I_HELLO_SENT:
	case HF__I_REQUEST_SENT:
	case HF__I_RESUME_SENT:
	case HF__R_START:
	case HF__R_OFFERED:
	case HF__R_GRANTED:
	case HF__R_RESUMED:
	case HF__OPEN:
		return true;
	default:
		return false;
	}
}

const struct hf__step *
hf__machine_step(enum hf__state state, unsigned type)
{
	size_t i;

	for (i = 0; i < HF__ARRAY_N(steps); i++)
		if (steps[i].state == state && steps[i].type == type)
			return &steps[i];
	return NULL;
}

bool
hf__machine_legal(const struct hf_session *s, unsigned type)
{
	if (hf__machine_step(s->state, type) == NULL)
		return false;
	switch (s->state) {
	case HF__I_HELLO_SENT:
	case HF__I_REQUEST_SENT:
		return type != HF__QUERY || !s->hs->queried;
	case HF__I_RESUME_SENT:
		return (type != HF__QUERY && type != HF__RECORD) ||
		    s->hs->stayed;
	case HF__OPEN:
		/* Nothing follows the peer's close (spec section 9.4), but in
		 * a session that moves. */
		if (type == HF__QUERY)
			return s->config->dispatched;
		return !s->got_close || s->move != NULL;
	default:
		return true;
	}
}

enum hf_err
hf__machine_run(struct hf_session *s, struct hf_span message)
{
	const struct hf__step *step =
	    hf__machine_step(s->state, message.ptr[1]);
	enum hf__state next = s->state;
	enum hf_err e;

	if (step == NULL)
		return hf__fail(s, HF_E_UNEXPECTED);
	s->state = HF__FAILED;
	if ((e = step->parse(s, message, &next)) != HF_OK)
		return hf__fail(s, e);
	s->state = next;
	/* A hello, request or resume is held until the caller has answered for it. An
	 * opened record stays readable in the emptied buffer. */
	if (next != HF__R_ADMIT)
		hf__buffer_take(&s->in, s->in.len);
	if (next == HF__OPEN && s->hs != NULL)
		return hf__handshake_done(s);
	return HF_OK;
}

enum hf_err
hf__handshake_done(struct hf_session *s)
{
	enum hf_err e;

	if ((e = hf__move_opened(s)) != HF_OK)
		return hf__fail(s, e);
	s->state = HF__OPEN;
	if (s->move == NULL || s->move->epoch == 0)
		s->authenticated_at = s->now;
	s->authenticated = true;
	s->earlier = NULL;
	hf__handshake_free(s);
	return HF_OK;
}

void
hf__handshake_free(struct hf_session *s)
{
	hf__part_free(s, s->hs, sizeof(*s->hs));
	s->hs = NULL;
}

/* Both directions are closed: their keys go, their digests stay. */
void
hf__close(struct hf_session *s)
{
	s->state = HF__CLOSED;
	s->keys = false;
	hf__refresh_forget(s);
	if (s->move != NULL)
		hf__unprepare(s->move);
	sodium_memzero(&s->send.key, sizeof(s->send.key));
	sodium_memzero(s->send.ratchet, sizeof(s->send.ratchet));
	sodium_memzero(&s->recv.key, sizeof(s->recv.key));
	sodium_memzero(s->recv.ratchet, sizeof(s->recv.ratchet));
}

/* Traffic keys go, and whatever else belonged to the connection. The marks of
 * a session that may move stay, and its resumption secret does. */
void
hf__disconnect(struct hf_session *s)
{
	struct hf__mark own, peers;

	hf__mark_get(&own, &s->send);
	hf__mark_get(&peers, &s->recv);
	s->pending = s->asked = false;
	s->keys = false;
	if (s->in.ptr != NULL)
		sodium_memzero(s->in.ptr, s->in.cap); /* a token, a record */
	hf__buffer_take(&s->in, s->in.len);
	sodium_memzero(&s->send, sizeof(s->send));
	sodium_memzero(&s->recv, sizeof(s->recv));
	sodium_memzero(s->secrets.confirm, sizeof(s->secrets.confirm));
	sodium_memzero(s->secrets.exporter, sizeof(s->secrets.exporter));
	hf__handshake_free(s);
	if (s->move == NULL)
		return;
	hf__refresh_forget(s);
	hf__mark_set(&s->send, &own);
	hf__mark_set(&s->recv, &peers);
}

/* Whether a failed session can never go on: it was never open, it has ended,
 * another has it, or it was given up for a new one that did not open. A
 * certificate that has expired, which anybody can show in answer to a resume,
 * ends no session. */
static bool
is_over(const struct hf_session *s)
{
	return !s->authenticated || s->now >= s->expires ||
	    s->error == HF_E_ROLLBACK || s->error == HF_E_FENCED;
}

enum hf_err
hf__fail_silently(struct hf_session *s, enum hf_err err)
{
	s->state = HF__FAILED;
	if (s->error == HF_OK)
		s->error = err;
	hf__disconnect(s);
	if (is_over(s) && s->authenticated && s->move != NULL) {
		hf__lost_note(s, s->error);
		s->lost.lost = 1;
	}
	if (is_over(s))
		sodium_memzero(&s->secrets, sizeof(s->secrets));
	/* A responder's goes on elsewhere, from the store. */
	if (is_over(s) || s->config->role == HF_RESPONDER)
		hf__move_free(s);
	return s->error;
}

enum hf_err
hf__fail(struct hf_session *s, enum hf_err err)
{
	if (s->error == HF_OK) {
		s->error = err;
		/* Where no alert can be made there is none. */
		if (s->spoken && !s->sent_close)
			(void)hf__alert_build(s, err);
	}
	return hf__fail_silently(s, err);
}
