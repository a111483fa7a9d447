/* SPDX-License-Identifier: ISC */
/*
 * The caller's answers to what a session wants: admission, trust, passwords
 * and commits. Each is taken only in the state that asked for it; each moves
 * the handshake on by building the next message.
 */
#include <string.h>

#include "session.h"

/* --- admission (responder) -------------------------------------------------------- */

/* The stranger shall show a cookie first: forget what he sent. */
static enum hf_err
ask_cookie(struct hf_session *s)
{
	struct hf__handshake *hs = s->hs;
	enum hf_err e;

	if (hs->retried)
		return hf__fail(s, HF_E_UNEXPECTED);
	if ((e = hf__retry_build(s)) != HF_OK)
		return hf__fail(s, e);
	hf__buffer_take(&s->in, s->in.len);
	s->state = hs->has_prekey ? HF__R_OFFERED : HF__R_START;
	return HF_OK;
}

/* The entry is asked for where there is a store to ask. */
static enum hf_err
resume_admitted(struct hf_session *s)
{
	if (s->config->vault == NULL || s->placed != NULL ||
	    (s->hs->outer.channels && !s->config->channels))
		return hf__resume_refuse(s, HF_E_NO_SESSION);
	s->state = HF__R_STATE;
	return HF_OK;
}

static enum hf_err
admitted(struct hf_session *s)
{
	bool hello = s->hs->outer.type == HF__HELLO;
	enum hf_err e;

	if (s->hs->outer.type == HF__RESUME)
		return resume_admitted(s);
	s->state = HF__FAILED;
	e = hello ? hf__offer_build(s) : hf__request_open(s);
	if (e != HF_OK)
		return hf__fail(s, e);
	if (hello)
		hf__buffer_take(&s->in, s->in.len);
	s->state = hello ? HF__R_OFFERED : HF__R_TRUST;
	return HF_OK;
}

enum hf_err
hf_session_admit(struct hf_session *s, enum hf_admission admission)
{
	if (s == NULL)
		return HF_E_ARG;
	if (s->state != HF__R_ADMIT)
		return HF_E_STATE;
	switch (admission) {
	case HF_ADMIT:
		return admitted(s);
	case HF_ADMIT_COOKIE:
		return ask_cookie(s);
	case HF_ADMIT_REPLAY:
		return hf__fail(s, HF_E_REPLAY);
	case HF_ADMIT_LIMIT:
		return hf__fail(s, HF_E_LIMITED);
	default:
		return HF_E_ARG;
	}
}

int
hf_session_cookie_shown(const struct hf_session *s)
{
	return s->hs != NULL && s->hs->cookie_shown;
}

struct hf_span
hf_session_fingerprint(const struct hf_session *s)
{
	if (s->hs == NULL ||
	    (s->hs->outer.type != HF__REQUEST &&
		s->hs->outer.type != HF__RESUME))
		return (struct hf_span){ NULL, 0 };
	return (struct hf_span){ s->hs->th1, HF_FINGERPRINT_BYTES };
}

/* --- trust ------------------------------------------------------------------------- */

static enum hf_err
send_request(struct hf_session *s)
{
	enum hf_err e;

	s->state = HF__FAILED;
	if ((e = hf__request_build(s)) != HF_OK)
		return hf__fail(s, e);
	s->state = HF__I_REQUEST_SENT;
	return HF_OK;
}

static enum hf_err
send_grant(struct hf_session *s)
{
	enum hf_err e;

	s->state = HF__FAILED;
	if ((e = hf__grant_build(s)) != HF_OK)
		return hf__fail(s, e);
	sodium_memzero(s->in.ptr + s->in.start, s->in.len); /* the token */
	hf__buffer_take(&s->in, s->in.len);
	s->state = HF__R_GRANTED;
	return HF_OK;
}

/* The claim is made before it is put to the store. */
static enum hf_err
claim(struct hf_session *s)
{
	enum hf_err e;

	s->state = HF__FAILED;
	if ((e = hf__resumed_build(s)) != HF_OK)
		return hf__resume_refuse(s, e);
	s->state = HF__R_CLAIM;
	return HF_OK;
}

int
hf_session_takes_over(const struct hf_session *s)
{
	return s->move != NULL && s->move->claim != NULL;
}

/* A password is given or judged by its own call. */
static bool
needs_other_call(const struct hf_session *s)
{
	if (hf_session_takes_over(s))
		return false;
	if (s->state == HF__R_TRUST)
		return s->method == HF_METHOD_PASSWORD;
	return s->config->method == HF_METHOD_PASSWORD ||
	    s->config->method == HF_METHOD_PLAIN_PASSWORD;
}

enum hf_err
hf_session_trust(struct hf_session *s, enum hf_err verdict)
{
	if (s == NULL)
		return HF_E_ARG;
	if (s->state != HF__I_TRUST && s->state != HF__R_TRUST)
		return HF_E_STATE;
	if (verdict != HF_OK)
		return hf__fail(s, verdict);
	if (needs_other_call(s))
		return HF_E_STATE;
	if (hf_session_takes_over(s))
		return claim(s);
	return s->state == HF__I_TRUST ? send_request(s) : send_grant(s);
}

static enum hf_err
give_password(struct hf_session *s, enum hf_method method,
    const uint8_t *password, size_t len)
{
	if (s == NULL || password == NULL || len == 0 || len > HF_PASSWORD_MAX)
		return HF_E_ARG;
	if (s->state != HF__I_TRUST || s->config->method != method)
		return HF_E_STATE;
	memcpy(s->hs->password, password, len);
	s->hs->password_len = len;
	return send_request(s);
}

enum hf_err
hf_session_stretched(struct hf_session *s,
    const uint8_t stretched[HF_KEY_BYTES])
{
	return give_password(s, HF_METHOD_PASSWORD, stretched, HF_KEY_BYTES);
}

enum hf_err
hf_session_password(struct hf_session *s, const char *password, size_t len)
{
	if (password != NULL && !hf__text_ok((const uint8_t *)password, len))
		return HF_E_ARG;
	return give_password(s, HF_METHOD_PLAIN_PASSWORD,
	    (const uint8_t *)password, len);
}

/* An unknown user costs what a known one costs: the same hash is compared, by
 * the same steps, with bytes that are as near, and refused in any case. */
enum hf_err
hf_session_verify(struct hf_session *s, const uint8_t *verifier)
{
	const uint8_t *compared[2] = { verifier, NULL };
	uint8_t shown[HF_KEY_BYTES];
	unsigned refused = verifier == NULL;
	enum hf_err e;

	if (s == NULL)
		return HF_E_ARG;
	if (s->state != HF__R_TRUST || s->method != HF_METHOD_PASSWORD ||
	    hf_session_takes_over(s))
		return HF_E_STATE;
	compared[1] = s->hs->th1;
	if ((e = hf_password_verifier(shown, s->hs->token.password.ptr)) !=
	    HF_OK)
		return hf__fail(s, e);
	refused |=
	    (unsigned)sodium_memcmp(shown, compared[refused], sizeof(shown));
	sodium_memzero(shown, sizeof(shown));
	if (refused != 0)
		return hf__fail(s, HF_E_PASSWORD);
	return send_grant(s);
}

struct hf_span
hf_session_asked_password(const struct hf_session *s)
{
	if (s->state != HF__R_TRUST || s->method != HF_METHOD_PLAIN_PASSWORD ||
	    hf_session_takes_over(s))
		return (struct hf_span){ NULL, 0 };
	return s->hs->token.password;
}

/* --- the store (responder) ------------------------------------------------------- */

enum hf_err
hf_session_supply(struct hf_session *s, enum hf_err verdict,
    const uint8_t *entry, size_t len)
{
	enum hf_err e;

	if (s == NULL || (verdict == HF_OK && entry == NULL))
		return HF_E_ARG;
	if (s->state != HF__R_STATE)
		return HF_E_STATE;
	s->state = HF__FAILED;
	if ((e = verdict) == HF_OK)
		e = hf__resume_open(s, entry, len);
	if (e != HF_OK)
		return hf__resume_refuse(s, e);
	s->state = HF__R_TRUST;
	return HF_OK;
}

enum hf_commit
hf_session_commit_kind(const struct hf_session *s)
{
	switch (s->state) {
	case HF__R_CLAIM:
		return HF_COMMIT_CLAIM;
	case HF__R_CONFIRM:
		return HF_COMMIT_CONFIRM;
	default:
		return HF_COMMIT_TICKET;
	}
}

/* Another server was faster, or the store does not answer: nothing is sent of
 * this takeover; before the claim a handshake may still follow. */
static enum hf_err
claim_failed(struct hf_session *s, enum hf_err verdict)
{
	if (s->state == HF__R_CLAIM && verdict == HF_E_STORE)
		return hf__resume_refuse(s, verdict);
	return hf__fail_silently(s, verdict);
}

enum hf_err
hf_session_commit(struct hf_session *s, enum hf_err verdict)
{
	enum hf_err e = HF_OK;

	if (s == NULL)
		return HF_E_ARG;
	if (s->state != HF__R_COMMIT && s->state != HF__R_CLAIM &&
	    s->state != HF__R_CONFIRM)
		return HF_E_STATE;
	if (verdict != HF_OK)
		return s->state == HF__R_COMMIT ? hf__fail(s, verdict) :
						  claim_failed(s, verdict);
	if (s->state == HF__R_CLAIM)
		return (e = hf__claim_committed(s)) == HF_OK ? HF_OK :
							       hf__fail(s, e);
	return hf__handshake_done(s);
}
