/* SPDX-License-Identifier: ISC */
/*
 * The session's public face: starting, wanting, feeding, draining, and the
 * caller's answers. It moves bytes and states; what a message means is known
 * in the file of that message.
 */
#include <string.h>

#include "session.h"

/* --- starting ------------------------------------------------------------------- */

static bool
asks_password(const struct hf_config *c)
{
	return c->method == HF_METHOD_PASSWORD ||
	    c->method == HF_METHOD_PLAIN_PASSWORD;
}

enum hf_err
hf__config_check(const struct hf_config *c, uint64_t now)
{
	bool needs_own =
	    c->role == HF_RESPONDER || c->method == HF_METHOD_CERTIFICATE;

	if (c->trust == NULL || (needs_own && c->own.n == 0) || c->method == 0)
		return HF_E_CONFIG;
	/* Whether a responder's certificate is valid its initiators judge. */
	if (c->role == HF_RESPONDER)
		return HF_OK;
	if (needs_own &&
	    (now < c->own_leaf.not_before || now >= c->own_leaf.not_after))
		return HF_E_OWN_EXPIRED;
	if (c->method == HF_METHOD_TICKET && now >= c->ticket_file.expires)
		return HF_E_OWN_EXPIRED;
	/* A password goes only to somebody who was named. */
	if (asks_password(c) && c->realm.len == 0 &&
	    hf__config_expected(c) == NULL)
		return HF_E_POLICY;
	return HF_OK;
}

/* With the certificate known and no prekey wanted: straight to the request,
 * when the caller agrees. Otherwise a hello asks for an offer. */
enum hf_err
hf__initiator_start(struct hf_session *s)
{
	const struct hf_config *c = s->config;
	bool wants_prekey = c->method == HF_METHOD_PLAIN_PASSWORD ||
	    (c->method == HF_METHOD_PASSWORD && !c->without_prekey);
	enum hf_err e;

	/* What takes the place of a session asks for the same. */
	if (s->move == NULL) {
		memcpy(s->target, c->target.text, c->target.len + 1);
		s->target_len = c->target.len;
	}
	if (c->responder.n == 0 || wants_prekey) {
		if ((e = hf__hello_build(s)) != HF_OK)
			return e;
		s->state = HF__I_HELLO_SENT;
		return HF_OK;
	}
	if ((e = hf__responder_judge(s, c->responder.cert, c->responder.n)) !=
	    HF_OK)
		return e;
	memcpy(s->hs->key_id, c->known.key_id, HF__KEY_ID_BYTES);
	memcpy(s->hs->th0, c->known.th0, 32);
	memcpy(s->hs->info_hash, c->known.info_hash, 32);
	s->state = HF__I_TRUST;
	return HF_OK;
}

static enum hf_err
start(struct hf_session *s, struct hf_config *c, uint64_t ms, uint64_t now)
{
	enum hf_err e;

	s->hs = hf__part_new(s, HF__PART_HANDSHAKE, sizeof(*s->hs));
	if (s->hs == NULL)
		return HF_E_MEMORY;
	s->config = c;
	s->ms = ms;
	s->now = now;
	s->deadline = ms + c->deadline_ms;
	s->state = c->role == HF_INITIATOR ? HF__I_START : HF__R_START;
	s->spoken = c->role == HF_RESPONDER;
	if (c->role == HF_INITIATOR && (e = hf__initiator_start(s)) != HF_OK)
		(void)hf__fail(s, e); /* hf_session_error() tells */
	return HF_OK;
}

enum hf_err
hf_session_new(struct hf_session **session, struct hf_config *c, uint64_t ms,
    uint64_t now)
{
	struct hf_session *s;
	enum hf_err e;

	if (session == NULL || c == NULL)
		return HF_E_ARG;
	*session = NULL;
	if ((e = hf__config_check(c, now)) != HF_OK ||
	    (e = hf__session_allocate(&s)) != HF_OK)
		return e;
	if ((e = start(s, c, ms, now)) != HF_OK) {
		hf_session_free(s);
		return e;
	}
	*session = s;
	return HF_OK;
}

enum hf_err
hf_session_place(struct hf_session **session, void *memory, size_t size,
    size_t record, struct hf_config *c, uint64_t ms, uint64_t now)
{
	enum hf_err e;

	if (session == NULL || c == NULL)
		return HF_E_ARG;
	*session = NULL;
	if ((e = hf__config_check(c, now)) != HF_OK ||
	    (e = hf__session_place(session, memory, size, record)) != HF_OK)
		return e;
	return start(*session, c, ms, now);
}

enum hf_err
hf_session_source(struct hf_session *s, const uint8_t *source, size_t len)
{
	if (s == NULL || source == NULL || len > HF_SOURCE_MAX)
		return HF_E_ARG;
	memcpy(s->source, source, len);
	s->source_len = len;
	return HF_OK;
}

/* --- wanting -------------------------------------------------------------------- */

enum hf_want
hf_session_want(const struct hf_session *s)
{
	if (s->state == HF__FAILED)
		return HF_WANT_FAILED;
	if (s->out.len > 0)
		return HF_WANT_WRITE;
	if (s->pending)
		return HF_WANT_RECV;
	switch (s->state) {
	case HF__R_ADMIT:
		return HF_WANT_ADMIT;
	case HF__I_TRUST:
	case HF__R_TRUST:
		return HF_WANT_TRUST;
	case HF__R_STATE:
		return HF_WANT_STATE;
	case HF__R_COMMIT:
	case HF__R_CLAIM:
	case HF__R_CONFIRM:
		return HF_WANT_COMMIT;
	case HF__OPEN:
		return HF_WANT_DONE;
	case HF__CLOSED:
		return HF_WANT_CLOSED;
	default:
		return HF_WANT_READ;
	}
}

enum hf_err
hf_session_error(const struct hf_session *s)
{
	return s->error;
}

enum hf_err
hf_session_tick(struct hf_session *s, uint64_t ms, uint64_t now)
{
	if (s == NULL)
		return HF_E_ARG;
	s->ms = ms;
	s->now = now;
	if (s->state == HF__FAILED || s->state == HF__CLOSED)
		return HF_OK;
	if (s->hs != NULL && ms >= s->deadline)
		return hf__fail(s, HF_E_DEADLINE);
	if (s->state == HF__OPEN && now >= s->expires)
		return hf__fail(s, HF_E_EXPIRED);
	return HF_OK;
}

uint64_t
hf_session_deadline(const struct hf_session *s)
{
	if (s->hs != NULL)
		return s->deadline;
	if (s->state != HF__OPEN)
		return UINT64_MAX;
	return s->ms + (s->expires > s->now ? s->expires - s->now : 0) * 1000;
}

enum hf_err
hf_session_fail(struct hf_session *s, enum hf_err cause)
{
	if (s == NULL || cause < HF_E_CBOR || cause > HF_E_ENTRY)
		return HF_E_ARG;
	return s->state == HF__OPEN ? hf__fail(s, cause) : HF_E_STATE;
}

/* --- bytes in ------------------------------------------------------------------- */

/* hello, request and resume stay until the caller has answered for them. */
static bool
is_held(uint8_t type)
{
	return type == HF__HELLO || type == HF__REQUEST || type == HF__RESUME;
}

static enum hf_err
gather(struct hf_session *s, const uint8_t *data, size_t len)
{
	uint8_t *room = hf__buffer_room(&s->in, len);

	if (room == NULL)
		return HF_E_MEMORY;
	memcpy(room, data, len);
	s->in.len += len;
	return HF_OK;
}

/* A fault in the heads of a message. An alert is not answered, however it is
 * made (spec section 12.2). */
static enum hf_err
misframed(struct hf_session *s, const uint8_t *message, enum hf_err e)
{
	bool legal = e == HF_E_CBOR || e == HF_E_TOO_BIG;

	return legal && message[1] == HF__ALERT ? hf__fail_silently(s, e) :
						  hf__fail(s, e);
}

/* A message that is whole in the caller's bytes is parsed where it is. */
static enum hf_err
feed_direct(struct hf_session *s, size_t *used, const uint8_t *data,
    size_t len)
{
	enum hf_err e;
	size_t whole;

	if ((e = hf__frame_scan(&whole, s, data, len)) != HF_OK)
		return misframed(s, data, e);
	*used = whole;
	if (whole != 0 && !is_held(data[1]))
		return hf__machine_run(s, (struct hf_span){ data, whole });
	*used = whole == 0 ? len : whole;
	if ((e = gather(s, data, *used)) != HF_OK)
		return hf__fail(s, e);
	return whole == 0 ?
	    HF_OK :
	    hf__machine_run(s,
		(struct hf_span){ s->in.ptr + s->in.start, whole });
}

/* The rest of a message whose beginning was gathered. At most the largest
 * message is ever held. */
static enum hf_err
feed_gathered(struct hf_session *s, size_t *used, const uint8_t *data,
    size_t len)
{
	bool records =
	    s->state == HF__OPEN || (s->hs != NULL && s->hs->stayed);
	size_t limit = records ? s->in.max : HF_MESSAGE_MAX;
	size_t whole, before = s->in.len, take = limit - before;
	const uint8_t *message;
	enum hf_err e;

	if (take > len)
		take = len;
	if ((e = gather(s, data, take)) != HF_OK)
		return hf__fail(s, e);
	message = s->in.ptr + s->in.start;
	if ((e = hf__frame_scan(&whole, s, message, s->in.len)) != HF_OK)
		return misframed(s, message, e);
	*used = whole == 0 ? take : whole - before;
	if (whole == 0)
		return HF_OK;
	s->in.len = whole;
	return hf__machine_run(s, (struct hf_span){ message, whole });
}

enum hf_err
hf_session_feed(struct hf_session *s, size_t *used, const uint8_t *data,
    size_t len)
{
	if (s == NULL || used == NULL || (data == NULL && len > 0))
		return HF_E_ARG;
	*used = 0;
	if (!hf__state_reads(s->state) || s->pending)
		return HF_E_STATE;
	if (len == 0)
		return HF_OK;
	if (s->in.len == 0)
		return feed_direct(s, used, data, len);
	return feed_gathered(s, used, data, len);
}

enum hf_err
hf_session_eof(struct hf_session *s)
{
	if (s == NULL)
		return HF_E_ARG;
	if (s->state == HF__FAILED)
		return s->error;
	/* In a session that moves the stream ends when both have closed. */
	if (s->state == HF__CLOSED || (s->got_close && s->move == NULL))
		return HF_OK;
	return hf__fail_silently(s,
	    s->state == HF__OPEN ? HF_E_TRUNCATED : HF_E_GONE);
}

/* --- bytes out ------------------------------------------------------------------- */

struct hf_span
hf_session_output(const struct hf_session *s)
{
	return (struct hf_span){ s->out.ptr == NULL ?
		    NULL :
		    s->out.ptr + s->out.start,
		s->out.len };
}

enum hf_err
hf_session_drained(struct hf_session *s, size_t len)
{
	enum hf_err e;

	if (s == NULL || len > s->out.len)
		return HF_E_ARG;
	hf__buffer_take(&s->out, len);
	e = hf__refresh_send(s);
	return e == HF_OK ? HF_OK : hf__fail(s, e);
}

enum hf_err
hf_session_drain(struct hf_session *s, uint8_t *out, size_t cap, size_t *len)
{
	struct hf_span output;

	if (s == NULL || out == NULL || len == NULL)
		return HF_E_ARG;
	output = hf_session_output(s);
	*len = output.len < cap ? output.len : cap;
	if (output.ptr != NULL)
		memcpy(out, output.ptr, *len);
	return hf_session_drained(s, *len);
}
