/* SPDX-License-Identifier: ISC */
/*
 * What an application does to a channel (spec section 20): it has a handle,
 * and no number. It does not know what is sent when.
 */
#include <string.h>

#include "channel.h"

enum { TRIM = 32768 /* bytes of an empty buffer that are kept */ };

void
hf__channel_trim(struct hf__buffer *b)
{
	size_t max = b->max;

	if (b->cap <= TRIM)
		return;
	hf__buffer_free(b);
	b->max = max;
}

enum hf_err
hf_channel_open(struct hf_channel **channel, struct hf_mux *m,
    const char *label, size_t len)
{
	struct hf_span text = { (const uint8_t *)label, len };
	struct hf_channel *ch;

	if (channel == NULL || m == NULL || (label == NULL && len > 0) ||
	    len > HF_LABEL_MAX || !hf__text_ok(text.ptr, len))
		return HF_E_ARG;
	if (m->err != HF_OK)
		return HF_E_STATE;
	if (m->own_next + 2 * (uint64_t)m->unnumbered > UINT32_MAX)
		return HF_E_EXHAUSTED;
	if (m->own_live >= m->limits.own)
		return HF_E_SPACE;
	if ((ch = hf__channel_new(m, true, text)) == NULL)
		return HF_E_MEMORY;
	m->unnumbered++;
	ch->open_due = ch->held = true;
	hf__channel_settle(ch);
	*channel = ch;
	return HF_OK;
}

void
hf_channel_free(struct hf_channel *ch)
{
	if (ch == NULL)
		return;
	ch->held = false;
	ch->news = 0;
	hf__line_remove(ch, HF__LINE_NEWS);
	hf__buffer_free(&ch->in);
	if (!ch->ended && ch->finishing) {
		/* what waits is sent first */
		ch->hangup = true;
		if (ch->fin_sent && !ch->fin_got)
			hf__channel_refuse(ch, HF_REASON_CANCELLED);
	} else if (!ch->ended) {
		hf__channel_refuse(ch, HF_REASON_CANCELLED);
	}
	hf__channel_judge(ch);
}

struct hf_span
hf_channel_label(const struct hf_channel *ch)
{
	return (struct hf_span){ (const uint8_t *)ch->label, ch->label_len };
}

void
hf_channel_keep(struct hf_channel *ch, void *own)
{
	ch->kept = own;
}

void *
hf_channel_kept(const struct hf_channel *ch)
{
	return ch->kept;
}

/* --- sending --------------------------------------------------------------------- */

size_t
hf_channel_room(const struct hf_channel *ch)
{
	return ch->ended || ch->finishing ? 0 : ch->out.max - ch->out.len;
}

size_t
hf_channel_unsent(const struct hf_channel *ch)
{
	return ch->out.len;
}

enum hf_err
hf_channel_send(struct hf_channel *ch, size_t *taken, const uint8_t *data,
    size_t len)
{
	uint8_t *room;
	size_t n;

	if (ch == NULL || taken == NULL || (data == NULL && len > 0))
		return HF_E_ARG;
	*taken = 0;
	if (ch->ended || ch->finishing)
		return HF_E_STATE;
	n = hf_channel_room(ch);
	if (n > len)
		n = len;
	if (n == 0)
		return HF_OK;
	if ((room = hf__buffer_room(&ch->out, n)) == NULL)
		return HF_E_MEMORY;
	memcpy(room, data, n);
	ch->out.len += n;
	hf__channel_settle(ch);
	*taken = n;
	return HF_OK;
}

enum hf_err
hf_channel_finish(struct hf_channel *ch)
{
	if (ch == NULL)
		return HF_E_ARG;
	if (ch->ended)
		return HF_E_STATE;
	ch->finishing = true;
	hf__channel_settle(ch);
	return HF_OK;
}

enum hf_err
hf_channel_cut(struct hf_channel *ch, int reason)
{
	if (ch == NULL || reason < 0 || !hf__reason_sent((uint64_t)reason))
		return HF_E_ARG;
	if (ch->ended || ch->fin_sent)
		return hf_channel_reset(ch, reason);
	hf__buffer_free(&ch->in);
	ch->ended = ch->finishing = true;
	ch->reason = ch->cut = reason;
	hf__channel_settle(ch);
	return HF_OK;
}

enum hf_err
hf_channel_reset(struct hf_channel *ch, int reason)
{
	if (ch == NULL || reason < 0 || !hf__reason_sent((uint64_t)reason))
		return HF_E_ARG;
	hf__buffer_free(&ch->in);
	if (ch->ended)
		return HF_OK;
	ch->ended = true;
	hf__channel_refuse(ch, reason);
	hf__channel_judge(ch);
	return HF_OK;
}

/* --- receiving ------------------------------------------------------------------- */

struct hf_span
hf_channel_data(const struct hf_channel *ch)
{
	return (struct hf_span){ ch->in.len == 0 ? NULL :
						   ch->in.ptr + ch->in.start,
		ch->in.len };
}

/* Where many send at once each has its part of what may be on its way. */
static size_t
window_now(const struct hf_channel *ch)
{
	const struct hf_mux *m = ch->mux;
	size_t n = m->line[HF__LINE_HEARD].n, part;

	if (m->flight == 0 || n <= 1)
		return m->limits.window;
	part = m->flight / n;
	if (part < HF__PART_MIN)
		part = HF__PART_MIN;
	return part < m->limits.window ? part : m->limits.window;
}

/* Credit in portions of half the window: what was given and is not used, and
 * what is unread, stay within it. A part bounds what is given, not what is
 * unread: else who waits for more before he takes it would wait for ever. */
void
hf__channel_give(struct hf_channel *ch)
{
	size_t all = ch->mux->limits.window, part = window_now(ch);

	if (ch->ended || ch->fin_got)
		return;
	if (ch->given > part - part / 2 ||
	    ch->in.len + (size_t)ch->given > all - all / 2)
		return;
	ch->part = part;
	ch->credit_due = true;
	hf__channel_settle(ch);
}

enum hf_err
hf_channel_taken(struct hf_channel *ch, size_t len)
{
	if (ch == NULL || len > ch->in.len)
		return HF_E_ARG;
	if (len == 0)
		return HF_OK;
	hf__buffer_take(&ch->in, len);
	if (ch->in.len == 0) {
		hf__channel_trim(&ch->in);
		if (ch->fin_got)
			hf__channel_news(ch, HF_NEWS_FINISHED);
	}
	hf__channel_give(ch);
	return HF_OK;
}

int
hf_channel_finished(const struct hf_channel *ch)
{
	return ch->fin_got && ch->in.len == 0;
}

int
hf_channel_ended(const struct hf_channel *ch)
{
	return ch->ended;
}

int
hf_channel_over(const struct hf_channel *ch)
{
	return ch->over;
}

int
hf_channel_reason(const struct hf_channel *ch)
{
	return ch->ended ? ch->reason : HF_REASON_NONE;
}

const char *
hf_reason_name(int reason)
{
	static const struct {
		int reason;
		const char *name;
	} names[] = { { HF_REASON_NONE, "none" },
		{ HF_REASON_CANCELLED, "cancelled" },
		{ HF_REASON_REFUSED, "refused" },
		{ HF_REASON_FAILED, "failed" }, { HF_REASON_LIMIT, "limit" },
		{ HF_REASON_GONE, "gone" }, { HF_REASON_SHUTDOWN, "shutdown" },
		{ HF_REASON_IDLE, "idle" }, { HF_REASON_MOVED, "moved" },
		{ HF_REASON_LOST, "lost" },
		{ HF_REASON_RESTARTED, "restarted" } };
	size_t i;

	for (i = 0; i < HF__ARRAY_N(names); i++)
		if (names[i].reason == reason)
			return names[i].name;
	return "other";
}
