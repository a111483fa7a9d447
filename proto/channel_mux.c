/* SPDX-License-Identifier: ISC */
/*
 * A mux: the channels of a session as the peer's frames make them (spec
 * section 20.3). Numbers are looked up here and nowhere else. What it keeps
 * is bounded by its own limits: a peer's claim allocates nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "channel.h"

enum {
	USUAL_CHANNELS = 256,
	USUAL_WINDOW = 262144,
	USUAL_SEND = 65536,
	LATELY = 4 /* times what is on its way */
};

/* --- lines -------------------------------------------------------------------- */

void
hf__line_add(struct hf_channel *ch, enum hf__line line)
{
	struct hf__place *p = &ch->place[line];
	struct hf_mux *m = ch->mux;

	if (p->in)
		return;
	*p = (struct hf__place){ .prev = m->line[line].last, .in = true };
	if (p->prev == NULL)
		m->line[line].first = ch;
	else
		p->prev->place[line].next = ch;
	m->line[line].last = ch;
	m->line[line].n++;
}

void
hf__line_remove(struct hf_channel *ch, enum hf__line line)
{
	struct hf__place *p = &ch->place[line];
	struct hf_mux *m = ch->mux;

	if (!p->in)
		return;
	if (p->prev == NULL)
		m->line[line].first = p->next;
	else
		p->prev->place[line].next = p->next;
	if (p->next == NULL)
		m->line[line].last = p->prev;
	else
		p->next->place[line].prev = p->prev;
	*p = (struct hf__place){ 0 };
	m->line[line].n--;
}

/* --- the table of numbers -------------------------------------------------------- */

static struct hf_channel *
find(const struct hf_mux *m, uint32_t number)
{
	struct hf_channel *ch = m->table[number % HF__TABLE];

	while (ch != NULL && ch->number != number)
		ch = ch->chain;
	return ch;
}

void
hf__channel_enter(struct hf_channel *ch, uint32_t number)
{
	struct hf_channel **slot = &ch->mux->table[number % HF__TABLE];

	ch->number = number;
	ch->numbered = true;
	ch->chain = *slot;
	*slot = ch;
}

static void
leave(struct hf_channel *ch)
{
	struct hf_channel **slot = &ch->mux->table[ch->number % HF__TABLE];

	if (!ch->numbered)
		return;
	while (*slot != NULL && *slot != ch)
		slot = &(*slot)->chain;
	if (*slot == ch)
		*slot = ch->chain;
}

/* --- one channel -------------------------------------------------------------------- */

struct hf_channel *
hf__channel_new(struct hf_mux *m, bool own, struct hf_span label)
{
	struct hf_channel *ch = calloc(1, sizeof(*ch));

	if (ch == NULL)
		return NULL;
	ch->mux = m;
	ch->own = own;
	ch->live = true;
	ch->credit = ch->given = HF_CREDIT_FIRST;
	ch->in.max = m->limits.window;
	ch->out.max = m->limits.send;
	ch->label_len = label.len;
	if (label.len > 0)
		memcpy(ch->label, label.ptr, label.len);
	hf__line_add(ch, HF__LINE_ALL);
	if (own)
		m->own_live++;
	else
		m->peers_live++;
	return ch;
}

static void
destroy(struct hf_channel *ch)
{
	int line;

	leave(ch);
	for (line = 0; line < HF__LINES; line++)
		hf__line_remove(ch, (enum hf__line)line);
	hf__buffer_free(&ch->in);
	hf__buffer_free(&ch->out);
	sodium_memzero(ch, sizeof(*ch));
	free(ch);
}

void
hf__channel_news(struct hf_channel *ch, unsigned news)
{
	if (!ch->held)
		return;
	ch->news |= news;
	hf__line_add(ch, HF__LINE_NEWS);
}

static bool
has_data(const struct hf_channel *ch)
{
	if (ch->over || ch->reset_sent || ch->fin_sent)
		return false;
	return ch->out.len > 0 ? ch->credit > 0 : ch->finishing;
}

/* Whoever has little to say, and said less than his share in this round, does
 * not wait for those that always have more. */
static bool
is_word(const struct hf_channel *ch)
{
	return ch->out.len <= HF__WORD &&
	    (ch->round < ch->mux->round ||
		ch->said + ch->out.len <= HF_QUANTUM);
}

void
hf__channel_settle(struct hf_channel *ch)
{
	if (ch->open_due || ch->credit_due || ch->reset_due)
		hf__line_add(ch, HF__LINE_CONTROL);
	else
		hf__line_remove(ch, HF__LINE_CONTROL);
	if (has_data(ch)) {
		if (!ch->place[HF__LINE_WORD].in &&
		    !ch->place[HF__LINE_DATA].in)
			hf__line_add(ch,
			    is_word(ch) ? HF__LINE_WORD : HF__LINE_DATA);
		return;
	}
	hf__line_remove(ch, HF__LINE_WORD);
	hf__line_remove(ch, HF__LINE_DATA);
	ch->turn = false;
	ch->deficit = 0;
}

void
hf__channel_end(struct hf_channel *ch, int reason)
{
	if (ch->ended)
		return;
	ch->ended = true;
	ch->reason = reason;
	hf__channel_news(ch, HF_NEWS_ENDED);
}

/* What it had to send is not sent any more. */
static void
silence(struct hf_channel *ch)
{
	hf__buffer_free(&ch->out);
	ch->finishing = ch->hangup = ch->credit_due = false;
}

/* One whose open was not written yet was never there for the peer. */
void
hf__channel_refuse(struct hf_channel *ch, int reason)
{
	silence(ch);
	ch->reset_sent = true;
	ch->reason = reason;
	if (ch->open_due) {
		ch->open_due = false;
		ch->mux->unnumbered--;
		ch->fin_got = true;
	} else {
		ch->reset_due = true;
	}
}

/* Its number is nobody's, and it counts no more. */
static void
set_over(struct hf_channel *ch)
{
	leave(ch);
	ch->over = true;
	/* of what was ended here nothing was told so far */
	if (ch->ended && (ch->news & HF_NEWS_ENDED) == 0)
		hf__channel_news(ch, HF_NEWS_OVER);
}

/* The peer counts his until the answer to his reset has come; else who opens,
 * resets and does not listen would have answers owed to him without end. */
static void
count_out(struct hf_channel *ch)
{
	if (!ch->live || !ch->over ||
	    (!ch->own && ch->reset_due && !ch->fin_sent))
		return;
	ch->live = false;
	if (ch->own)
		ch->mux->own_live--;
	else
		ch->mux->peers_live--;
}

/* One that was taken counts as long as it keeps anything: unread data, while
 * its application has it, and unsent data, until it is over. */
static void
give_place(struct hf_channel *ch)
{
	if (!ch->taken || !ch->over || ch->held)
		return;
	ch->taken = false;
	ch->mux->peers_taken--;
}

void
hf__channel_judge(struct hf_channel *ch)
{
	if (!ch->over && (ch->fin_sent || ch->reset_sent) &&
	    (ch->fin_got || ch->reset_got)) {
		ch->credit_due = false;
		set_over(ch);
		/* a reset that waits still says why */
		hf__channel_end(ch,
		    ch->reset_sent ? ch->reason : HF_REASON_NONE);
	}
	count_out(ch);
	give_place(ch);
	hf__channel_settle(ch);
	if (ch->over && !ch->held && !ch->reset_due)
		destroy(ch);
}

/* --- frames that arrive ---------------------------------------------------------------- */

static enum hf_err
on_open(struct hf_mux *m, const struct hf__frame *f)
{
	struct hf_channel *ch;

	if (f->number != m->peers_next)
		return HF_E_UNEXPECTED;
	if (m->peers_live >= HF_CHANNELS_MAX)
		return HF_E_TOO_BIG;
	if ((ch = hf__channel_new(m, false, f->span)) == NULL)
		return HF_E_MEMORY;
	m->peers_next += 2;
	hf__channel_enter(ch, f->number);
	if (m->peers_taken < m->limits.peers) {
		ch->held = ch->taken = true;
		m->peers_taken++;
		hf__channel_news(ch, HF_NEWS_OPENED);
		return HF_OK;
	}
	ch->ended = true;
	hf__channel_refuse(ch,
	    m->limits.peers == 0 ? HF_REASON_REFUSED : HF_REASON_LIMIT);
	hf__channel_judge(ch);
	return HF_OK;
}

/* Who was heard lately is who sends now; a word here and there does not count. */
static void
hear(struct hf_channel *ch, size_t len)
{
	struct hf_mux *m = ch->mux;
	const struct hf_channel *first;

	m->heard += len;
	ch->lately += len;
	if (ch->lately >= HF__PART_MIN) {
		ch->lately = 0;
		ch->heard = m->heard;
		hf__line_remove(ch, HF__LINE_HEARD);
		hf__line_add(ch, HF__LINE_HEARD);
	}
	while ((first = m->line[HF__LINE_HEARD].first) != NULL &&
	    m->heard - first->heard > LATELY * (uint64_t)m->flight)
		hf__line_remove(m->line[HF__LINE_HEARD].first, HF__LINE_HEARD);
}

static enum hf_err
on_data(struct hf_channel *ch, const struct hf__frame *f)
{
	uint8_t *room;

	if (ch->fin_got)
		return HF_E_UNEXPECTED;
	if (f->span.len > ch->given)
		return HF_E_TOO_BIG;
	ch->given -= f->span.len;
	hear(ch, f->span.len);
	if (!ch->held || ch->ended)
		return HF_OK;
	if ((room = hf__buffer_room(&ch->in, f->span.len)) == NULL)
		return HF_E_MEMORY;
	memcpy(room, f->span.ptr, f->span.len);
	ch->in.len += f->span.len;
	if (ch->mux->flight != 0)
		hf__channel_give(ch);
	hf__channel_news(ch, HF_NEWS_READABLE);
	return HF_OK;
}

static enum hf_err
on_credit(struct hf_channel *ch, const struct hf__frame *f)
{
	if (ch->reset_sent)
		return HF_OK;
	if (f->value > HF_CREDIT_MAX - ch->credit)
		return HF_E_SHAPE;
	ch->credit += f->value;
	hf__channel_settle(ch);
	return HF_OK;
}

static enum hf_err
on_fin(struct hf_channel *ch)
{
	if (ch->fin_got)
		return HF_E_UNEXPECTED;
	ch->fin_got = true;
	ch->credit_due = false;
	if (ch->in.len == 0 && !ch->ended)
		hf__channel_news(ch, HF_NEWS_FINISHED);
	hf__channel_judge(ch);
	return HF_OK;
}

/* Answered where no final frame was sent yet; what was received stays. */
static enum hf_err
on_reset(struct hf_channel *ch, const struct hf__frame *f)
{
	ch->reset_got = true;
	if (!ch->reset_sent && !ch->fin_sent)
		hf__channel_refuse(ch, (int)f->value);
	else
		silence(ch);
	hf__channel_end(ch, (int)f->value);
	hf__channel_judge(ch);
	return HF_OK;
}

/* Whether the number was ever used. */
static bool
was_opened(const struct hf_mux *m, uint32_t number)
{
	return number % 2 == m->own_next % 2 ? number < m->own_next :
					       number < m->peers_next;
}

static enum hf_err
obey(struct hf_mux *m, const struct hf__frame *f)
{
	struct hf_channel *ch;

	if (f->type == HF__FRAME_OPEN)
		return on_open(m, f);
	if ((ch = find(m, f->number)) == NULL)
		/* Sent before the other side had the final frame. */
		return was_opened(m, f->number) &&
			(f->type == HF__FRAME_CREDIT ||
			    f->type == HF__FRAME_RESET) ?
		    HF_OK :
		    HF_E_UNEXPECTED;
	switch (f->type) {
	case HF__FRAME_DATA:
		return on_data(ch, f);
	case HF__FRAME_CREDIT:
		return on_credit(ch, f);
	case HF__FRAME_FIN:
		return on_fin(ch);
	default:
		return on_reset(ch, f);
	}
}

/* --- the mux ------------------------------------------------------------------------------- */

static bool
limits_ok(const struct hf_mux_limits *l)
{
	return l->own <= HF_CHANNELS_MAX && l->peers <= HF_CHANNELS_MAX &&
	    l->window >= HF_CREDIT_FIRST && l->window <= HF_CREDIT_MAX &&
	    l->send >= 1 && l->send <= HF_CREDIT_MAX;
}

static void
number_anew(struct hf_mux *m, enum hf_role role)
{
	m->own_next = role == HF_INITIATOR ? 0 : 1;
	m->peers_next = 1 - m->own_next;
}

enum hf_err
hf_mux_new(struct hf_mux **mux, enum hf_role role,
    const struct hf_mux_limits *limits)
{
	static const struct hf_mux_limits usual = { USUAL_CHANNELS,
		USUAL_CHANNELS, USUAL_WINDOW, USUAL_SEND };
	struct hf_mux *m;

	if (mux == NULL || (role != HF_INITIATOR && role != HF_RESPONDER) ||
	    (limits != NULL && !limits_ok(limits)))
		return HF_E_ARG;
	if ((m = calloc(1, sizeof(*m))) == NULL)
		return HF_E_MEMORY;
	m->limits = limits == NULL ? usual : *limits;
	m->round = 1; /* in which nobody said anything */
	number_anew(m, role);
	*mux = m;
	return HF_OK;
}

void
hf_mux_free(struct hf_mux *m)
{
	if (m == NULL)
		return;
	while (m->line[HF__LINE_ALL].first != NULL)
		destroy(m->line[HF__LINE_ALL].first);
	sodium_memzero(m, sizeof(*m));
	free(m);
}

/* Every channel is over, and nothing is said of it. */
static void
drop_all(struct hf_mux *m, int reason)
{
	struct hf_channel *ch, *next;

	for (ch = m->line[HF__LINE_ALL].first; ch != NULL; ch = next) {
		next = ch->place[HF__LINE_ALL].next;
		silence(ch);
		ch->open_due = ch->reset_due = false;
		if (!ch->over)
			set_over(ch);
		ch->numbered = false;
		hf__channel_end(ch, reason);
		hf__channel_judge(ch);
	}
	m->own_live = m->peers_live = m->unnumbered = 0;
}

enum hf_err
hf_mux_feed(struct hf_mux *m, const uint8_t *data, size_t len)
{
	struct hf__reader r;
	struct hf__frame f;
	enum hf_err e;

	if (m == NULL || data == NULL || len == 0)
		return HF_E_ARG;
	if (m->err != HF_OK)
		return m->err;
	hf__read_init(&r, data, len);
	do {
		if ((e = hf__frame_get(&f, &r)) == HF_OK)
			e = obey(m, &f);
	} while (e == HF_OK && r.off < len);
	if (e != HF_OK) {
		m->err = e;
		drop_all(m, HF_REASON_LOST);
	}
	return e;
}

enum hf_err
hf_mux_restart(struct hf_mux *m, enum hf_reason reason)
{
	if (m == NULL || hf__reason_sent(reason) || reason == HF_REASON_NONE)
		return HF_E_ARG;
	drop_all(m, reason);
	number_anew(m, m->own_next % 2 == 0 ? HF_INITIATOR : HF_RESPONDER);
	m->err = HF_OK;
	return HF_OK;
}

void
hf_mux_flight(struct hf_mux *m, size_t bytes)
{
	m->flight = bytes;
}

int
hf_mux_has_news(const struct hf_mux *m)
{
	return m->line[HF__LINE_NEWS].n > 0;
}

unsigned
hf_mux_next(struct hf_mux *m, struct hf_channel **channel)
{
	struct hf_channel *ch = m->line[HF__LINE_NEWS].first;
	unsigned news;

	if (ch == NULL)
		return 0;
	hf__line_remove(ch, HF__LINE_NEWS);
	news = ch->news;
	ch->news = 0;
	*channel = ch;
	return news;
}

size_t
hf_mux_bytes(const struct hf_mux *m)
{
	const struct hf_channel *ch = m->line[HF__LINE_ALL].first;
	size_t bytes = sizeof(*m);

	for (; ch != NULL; ch = ch->place[HF__LINE_ALL].next)
		bytes += sizeof(*ch) + ch->in.cap + ch->out.cap;
	return bytes;
}

size_t
hf_mux_count(const struct hf_mux *m)
{
	return m->line[HF__LINE_ALL].n;
}
