/* SPDX-License-Identifier: ISC */
/*
 * query (spec sections 4.8 and 17.9): a dispatcher asks an initiator which
 * session it has, or to go on with another server on the same connection. It
 * is in clear and proved by nothing: it is answered only where an answer gives
 * away no more than the initiator's first words would.
 */
#include <string.h>

#include "session.h"

enum { QUERY_FIELDS = 2 };

void
hf_query_write(uint8_t out[HF_CLEAR_BYTES])
{
	static const uint8_t query[HF_CLEAR_BYTES] = { 0x82, HF__QUERY, 0xa0 };

	memcpy(out, query, sizeof(query));
}

static enum hf_err
shape(struct hf_span message)
{
	struct hf__reader r;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__QUERY, QUERY_FIELDS);
	(void)hf__read_extensions(&r);
	return hf__read_end(&r);
}

/* --- on the open connection -------------------------------------------------- */

/* A resume follows what was sent. A record that has come in part is read to
 * its end, so the input stays. */
static enum hf_err
stay(struct hf_session *s, uint64_t deadline)
{
	struct hf__buffer in = s->in;

	s->in = (struct hf__buffer){ .max = in.max, .fixed = in.fixed };
	hf__disconnect(s);
	s->in = in;
	hf__peer_restore(s, &s->move->kept);
	s->suite = s->move->suite;
	s->hs = hf__part_new(s, HF__PART_HANDSHAKE, sizeof(*s->hs));
	if (s->hs == NULL)
		return HF_E_MEMORY;
	s->hs->stayed = true;
	s->deadline = deadline;
	return hf__resume_build(s);
}

static bool
text_fits(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len <= max && hf__text_ok((const uint8_t *)text, len);
}

enum hf_err
hf_session_reroute(struct hf_session *s, const char *target, uint64_t ms,
    uint64_t now)
{
	enum hf_err e;

	if (s == NULL || (target != NULL && !text_fits(target, HF_TARGET_MAX)))
		return HF_E_ARG;
	if (s->state != HF__OPEN || !s->config->dispatched ||
	    !hf_session_can_reconnect(s))
		return HF_E_STATE;
	/* Nobody could take over what was not stored yet. */
	if (s->move->epoch == 0 && !s->move->heard)
		return HF_E_STATE;
	if (now >= s->expires)
		return HF_E_EXPIRED;
	if (target != NULL) {
		s->target_len = strlen(target);
		memcpy(s->target, target, s->target_len + 1);
	}
	s->ms = ms;
	s->now = now;
	if ((e = stay(s, ms + s->config->deadline_ms)) != HF_OK)
		return hf__fail_silently(s, e);
	s->state = HF__I_RESUME_SENT;
	return HF_OK;
}

/* Where it cannot be done it is passed over: the session goes on here. */
enum hf_err
hf__query_open(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	enum hf_err e;

	(void)next;
	if ((e = shape(message)) != HF_OK)
		return e;
	s->asked = s->pending = hf_session_can_reconnect(s) != 0;
	return HF_OK;
}

enum hf_err
hf__passed_over(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	(void)s;
	(void)next;
	return message.ptr[1] == HF__QUERY ? shape(message) : HF_OK;
}

/* --- before there are keys ----------------------------------------------------- */

static bool
same_name(const struct hf_config *a, const struct hf_config *b)
{
	const char *x = hf__config_expected(a), *y = hf__config_expected(b);

	if (x == NULL || y == NULL)
		return x == y;
	return strcmp(x, y) == 0;
}

enum hf_err
hf_session_earlier(struct hf_session *s, struct hf_session *earlier)
{
	if (s == NULL || s->config->role != HF_INITIATOR || s->placed != NULL)
		return HF_E_ARG;
	if (earlier != NULL &&
	    (earlier == s || earlier->placed != NULL ||
		!hf_session_can_reconnect(earlier) ||
		!same_name(s->config, earlier->config) ||
		s->target_len != earlier->target_len ||
		!hf__same(s->target, earlier->target, s->target_len)))
		return HF_E_ARG;
	s->earlier = earlier;
	return HF_OK;
}

/* The two change places, but for what is the connection's. The handshake that
 * was begun ends in the earlier one's. */
static enum hf_err
become_earlier(struct hf_session *s)
{
	struct hf_session *earlier = s->earlier, begun = *s;
	bool retried = s->hs->retried;
	enum hf_err e;

	*s = *earlier;
	*earlier = begun;
	earlier->in = s->in;
	earlier->out = s->out;
	s->in = begun.in;
	s->out = begun.out;
	s->earlier = earlier->earlier = NULL;
	s->ms = begun.ms;
	s->now = begun.now;
	s->error = HF_OK;
	s->spoken = true;
	e = stay(s, begun.deadline);
	if (s->hs != NULL) {
		s->hs->stayed = false;
		s->hs->queried = true;
		s->hs->retried = retried;
	}
	(void)hf__fail_silently(earlier, HF_E_STATE);
	sodium_memzero(&begun, sizeof(begun));
	return e;
}

enum hf_err
hf__query_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	enum hf_err e;

	if ((e = shape(message)) != HF_OK)
		return e;
	s->hs->queried = true;
	if (s->earlier != NULL && hf_session_can_reconnect(s->earlier) &&
	    s->now < s->earlier->expires) {
		*next = HF__I_RESUME_SENT;
		return become_earlier(s);
	}
	return *next == HF__I_HELLO_SENT ? hf__hello_build(s) :
					   hf__request_build(s);
}
