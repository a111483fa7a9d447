/* SPDX-License-Identifier: ISC */
/*
 * Acks of a session that may move, and the windows that follow from them (spec
 * section 17.6): what the application has released, and what is told of it.
 */
#include "session.h"

enum {
	ACK_FIELDS = 2,
	ACK_MAX = 24,
	ACK_RECORDS = 256 /* an initiator acks after so many */
};
#define ACK_BYTES ((uint64_t)1 << 20)

uint64_t
hf__move_left(const struct hf_session *s)
{
	const struct hf__move *m = s->move;
	uint64_t sent;

	if (m == NULL)
		return UINT64_MAX;
	sent = s->send.bytes - m->acked.bytes;
	if (s->send.count - m->acked.count >= HF__WINDOW_RECORDS ||
	    sent >= HF__WINDOW_BYTES)
		return 0;
	return HF__WINDOW_BYTES - sent;
}

bool
hf__move_window(const struct hf_session *s, size_t len)
{
	return len <= hf__move_left(s);
}

static void
values(uint64_t *received, uint64_t *sent, const struct hf_session *s)
{
	const struct hf__move *m = s->move;

	if (s->config->role == HF_RESPONDER) {
		*received = m->stored_received.count;
		*sent = m->stored_sent.count;
	} else {
		*received = m->released.count;
		*sent = s->send.count;
	}
}

static enum hf_err
build(struct hf_session *s)
{
	uint64_t received, sent;
	uint8_t data[ACK_MAX];
	struct hf__writer w;

	values(&received, &sent, s);
	hf__write_init(&w, data, sizeof(data));
	hf__write_list(&w, ACK_FIELDS);
	hf__write_uint(&w, received);
	hf__write_uint(&w, sent);
	if (w.err != HF_OK)
		return w.err;
	return hf__record_seal(s, HF__ACK, data, w.len);
}

enum hf_err
hf__ack_parse(struct hf_session *s, struct hf_span data)
{
	struct hf__move *m = s->move;
	uint64_t received, sent;
	struct hf__mark mark;
	struct hf__reader r;
	enum hf_err e;

	hf__read_init(&r, data.ptr, data.len);
	(void)hf__read_list(&r, ACK_FIELDS, ACK_FIELDS);
	received = hf__read_uint(&r, HF__SEQ_MAX);
	sent = hf__read_uint(&r, HF__SEQ_MAX);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	if (received > s->send.count || received < m->acked.count ||
	    sent > s->recv.count || sent < m->covered)
		return HF_E_SHAPE;
	m->covered = sent;
	m->heard = true;
	if (received > m->acked.count) {
		if (!hf__history_find(&mark, &m->sent, received))
			return HF_E_SHAPE;
		m->acked = mark;
	}
	return HF_OK;
}

/* Where there is no room now there will be at the next. */
enum hf_err
hf__ack_tell(struct hf_session *s)
{
	struct hf__move *m = s->move;

	m->owes_ack = m->holds_acks || !hf__record_fits(s, ACK_MAX);
	if (m->owes_ack)
		return HF_OK;
	m->told = m->released;
	return build(s);
}

enum hf_err
hf_session_hold_acks(struct hf_session *s, int hold)
{
	enum hf_err e;

	if (s == NULL)
		return HF_E_ARG;
	if (s->move == NULL || s->state != HF__OPEN)
		return HF_E_STATE;
	s->move->holds_acks = hold != 0;
	e = s->move->owes_ack ? hf__ack_tell(s) : HF_OK;
	return e == HF_OK ? HF_OK : hf__fail(s, e);
}

/* An initiator tells now and then what it has taken; a responder only after
 * a checkpoint. */
static enum hf_err
tell_now_and_then(struct hf_session *s)
{
	const struct hf__move *m = s->move;

	if (s->config->role == HF_RESPONDER || s->state != HF__OPEN ||
	    (m->released.count - m->told.count < ACK_RECORDS &&
		m->released.bytes - m->told.bytes < ACK_BYTES))
		return HF_OK;
	return hf__ack_tell(s);
}

static bool
close_within(const struct hf_session *s, uint64_t count)
{
	return s->got_close && count >= s->move->close_count;
}

enum hf_err
hf__move_received(struct hf_session *s, enum hf__content content)
{
	bool automatic = content == HF__ACK || content == HF__CONTENT_QUERY ||
	    content == HF__REFRESH;
	bool by_hand = s->config->by_hand && !s->channels;
	struct hf__move *m = s->move;

	if (content == HF__CLOSE)
		m->close_count = s->recv.count;
	/* What is released by itself is so when all before it was. Channels
	 * end with the connection: none of theirs is waited for. */
	if (!automatic && by_hand)
		return HF_OK;
	if (by_hand && m->released.count + 1 != s->recv.count)
		return HF_OK;
	hf__mark_get(&m->released, &s->recv);
	m->released_close = close_within(s, m->released.count);
	return tell_now_and_then(s);
}

enum hf_err
hf_session_release(struct hf_session *s, uint64_t count)
{
	struct hf__mark mark;
	enum hf_err e;

	if (s == NULL || s->move == NULL || !s->config->by_hand || s->channels)
		return HF_E_ARG;
	if (s->state != HF__OPEN)
		return HF_E_STATE;
	if (count < s->move->released.count ||
	    !hf__history_find(&mark, &s->move->received, count))
		return HF_E_ARG;
	s->move->released = mark;
	s->move->released_close = close_within(s, count);
	e = tell_now_and_then(s);
	return e == HF_OK ? HF_OK : hf__fail(s, e);
}

void
hf_session_acked(uint64_t *count, uint64_t *bytes, const struct hf_session *s)
{
	*count = s->move == NULL ? 0 : s->move->acked.count;
	*bytes = s->move == NULL ? 0 : s->move->acked.bytes;
}
