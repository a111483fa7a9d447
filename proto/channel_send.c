/* SPDX-License-Identifier: ISC */
/*
 * What a mux sends next (spec section 20.4): first opens, credits and resets,
 * of which each channel has one of each at most; then data, by deficit round
 * robin, words of channels that say little ahead of it. Nothing is decided
 * before it is asked for.
 */
#include <string.h>

#include "channel.h"

enum {
	/* A record that hf_mux_seal() makes: a whole quantum and its head. */
	RECORD = HF_QUANTUM + HF__FRAME_HEAD,
	/* A record is ended rather than filled up with less than that. */
	CRUMB = 256
};

int
hf_mux_pending(const struct hf_mux *m)
{
	return m->err == HF_OK &&
	    (m->line[HF__LINE_CONTROL].n > 0 || m->line[HF__LINE_WORD].n > 0 ||
		m->line[HF__LINE_DATA].n > 0);
}

static size_t
room(const struct hf__writer *w)
{
	return w->cap - w->len;
}

/* Its part, but within the window, less what the peer may still send. */
static uint32_t
grant(const struct hf_channel *ch)
{
	size_t room = ch->mux->limits.window - ch->in.len;

	return (uint32_t)((ch->part < room ? ch->part : room) - ch->given);
}

static void
put(struct hf__writer *w, const struct hf_channel *ch,
    enum hf__frame_type type, uint32_t value, struct hf_span span)
{
	struct hf__frame f = { type, ch->number, span, value };

	hf__frame_put(w, &f);
}

/* Writes one frame of the control line. False: there was no room. */
static bool
put_control(struct hf__writer *w, struct hf_channel *ch)
{
	struct hf_span none = { NULL, 0 };
	struct hf_mux *m = ch->mux;

	if (room(w) < HF__FRAME_OPEN_BYTES)
		return false;
	if (ch->open_due) {
		hf__channel_enter(ch, (uint32_t)m->own_next);
		m->own_next += 2;
		m->unnumbered--;
		ch->open_due = false;
		put(w, ch, HF__FRAME_OPEN, 0, hf_channel_label(ch));
	} else if (ch->reset_due) {
		ch->reset_due = ch->credit_due = false;
		put(w, ch, HF__FRAME_RESET, (uint32_t)ch->reason, none);
	} else {
		ch->credit_due = false;
		put(w, ch, HF__FRAME_CREDIT, grant(ch), none);
		ch->given += grant(ch);
	}
	hf__channel_judge(ch);
	return true;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* All is sent: a fin, and where nobody reads here any more a reset. */
static void
put_fin(struct hf__writer *w, struct hf_channel *ch)
{
	if (ch->cut != 0) {
		hf__channel_refuse(ch, ch->cut);
		hf__channel_judge(ch);
		return;
	}
	put(w, ch, HF__FRAME_FIN, 0, (struct hf_span){ NULL, 0 });
	ch->fin_sent = true;
	if (ch->hangup && !ch->fin_got) {
		ch->reset_sent = ch->reset_due = true;
		ch->reason = HF_REASON_CANCELLED;
	}
	hf__channel_judge(ch);
}

static void
put_data(struct hf__writer *w, struct hf_channel *ch, size_t n)
{
	size_t half = ch->out.max / 2;
	bool above = ch->out.len > half;

	put(w, ch, HF__FRAME_DATA, 0,
	    (struct hf_span){ ch->out.ptr + ch->out.start, n });
	hf__buffer_take(&ch->out, n);
	ch->credit -= n;
	ch->said += n;
	if (above && ch->out.len <= half)
		hf__channel_news(ch, HF_NEWS_WRITABLE);
	if (ch->out.len == 0)
		hf__channel_trim(&ch->out);
}

/* It is done for now: it stands again behind the others, or in no line. */
static bool
put_end(struct hf__writer *w, struct hf_channel *ch, enum hf__line line)
{
	if (ch->out.len == 0 && ch->finishing) {
		if (room(w) < HF__FRAME_SMALL_BYTES)
			return false;
		put_fin(w, ch); /* which may free it */
		return true;
	}
	ch->turn = false;
	hf__line_remove(ch, line);
	hf__channel_settle(ch);
	return true;
}

/* The first in line has its turn. False: it goes on in the next record. */
static bool
put_turn(struct hf__writer *w, struct hf_channel *ch)
{
	struct hf_mux *m = ch->mux;
	size_t want, n;

	if (!ch->turn) {
		ch->turn = true;
		ch->deficit += HF_QUANTUM;
		/* Everybody before it had a turn in this round. */
		m->round += ch->round == m->round;
		ch->round = m->round;
		ch->said = m->ahead = 0;
	}
	want = least(ch->deficit, least(ch->out.len, (size_t)ch->credit));
	if (want > 0) {
		if (room(w) <= HF__FRAME_HEAD)
			return false;
		n = least(want, room(w) - HF__FRAME_HEAD);
		if (n < want && n < CRUMB && w->len > 0)
			return false;
		ch->deficit -= n;
		put_data(w, ch, n);
		if (n < want)
			return false;
	}
	return put_end(w, ch, HF__LINE_DATA);
}

/* A word goes in one piece where a record has room for that. */
static bool
put_word(struct hf__writer *w, struct hf_channel *ch)
{
	struct hf_mux *m = ch->mux;
	size_t want, n;

	if (ch->round < m->round) {
		ch->round = m->round;
		ch->said = 0;
	}
	want = least(HF__WORD, least(ch->out.len, (size_t)ch->credit));
	if (want > 0) {
		if (room(w) <= HF__FRAME_HEAD)
			return false;
		n = least(want, room(w) - HF__FRAME_HEAD);
		if (n < want && w->len > 0)
			return false;
		m->ahead += n;
		put_data(w, ch, n);
	}
	return put_end(w, ch, HF__LINE_WORD);
}

/* Words first; but whoever always has more gets his turns between them. False:
 * there was no room. */
static bool
put_next(struct hf__writer *w, struct hf_mux *m)
{
	struct hf_channel *word = m->line[HF__LINE_WORD].first,
			  *data = m->line[HF__LINE_DATA].first;

	return word != NULL && (data == NULL || m->ahead < HF_QUANTUM) ?
	    put_word(w, word) :
	    put_turn(w, data);
}

enum hf_err
hf_mux_output(struct hf_mux *m, uint8_t *out, size_t cap, size_t *len)
{
	struct hf__writer w;
	bool more = true;

	if (m == NULL || out == NULL || len == NULL || cap < HF_FRAMES_MIN)
		return HF_E_ARG;
	if (m->err != HF_OK)
		return m->err;
	hf__write_init(&w, out, cap);
	/* The end of a channel's data may be a reset. */
	do {
		while (more && m->line[HF__LINE_CONTROL].n > 0)
			more =
			    put_control(&w, m->line[HF__LINE_CONTROL].first);
		while (more &&
		    m->line[HF__LINE_WORD].n + m->line[HF__LINE_DATA].n > 0)
			more = put_next(&w, m);
	} while (more && m->line[HF__LINE_CONTROL].n > 0);
	*len = w.len;
	return w.err;
}

enum hf_err
hf_mux_seal(struct hf_mux *m, struct hf_session *s, size_t most)
{
	size_t put_out = 0, cap, len;
	uint8_t *record;
	enum hf_err e;

	if (m == NULL || s == NULL)
		return HF_E_ARG;
	if (!hf_session_channels(s))
		return HF_E_STATE;
	if (m->err != HF_OK)
		return m->err;
	while (put_out < most && hf_mux_pending(m)) {
		cap = least(hf_session_sendable(s), RECORD);
		if (cap < HF_FRAMES_MIN)
			return HF_OK;
		if ((record = hf_session_room(s, cap)) == NULL)
			return hf_session_fail(s, HF_E_MEMORY);
		if ((e = hf_mux_output(m, record, cap, &len)) != HF_OK ||
		    (e = hf_session_send_frames(s, record, len)) != HF_OK)
			return e;
		put_out += len;
	}
	return HF_OK;
}
