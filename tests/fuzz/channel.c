/* SPDX-License-Identifier: ISC */
/*
 * A mux between a peer who says anything and an application that does
 * anything: what is kept never passes the limits, what is sent is legal by
 * section 20.3 whatever was heard, and all counts come out even.
 *
 * The input: a byte of limits; then steps. Below 64 so many bytes of a record
 * follow; below 128 also 256 times the byte that follows; above, the
 * application does the thing (bits 4 to 6) to a handle (the others).
 */
#include "channel.h"
#include "fuzzing.h"

enum { HANDLES = 16, NUMBERS = 256, PEERS_MAX = 3, SEND = 5000 };

struct said { /* of one channel, by this end */
	bool opened, fin, reset;
	uint64_t bytes, credit;
};

struct end {
	struct hf_mux *mux;
	struct hf_channel *handle[HANDLES];
	struct said said[NUMBERS];
	uint32_t next;
	size_t peers;
};

static struct said *
said_of(struct end *end, uint32_t number)
{
	return number < NUMBERS ? &end->said[number] : NULL;
}

/* What is sent, by another hand. */
static void
check_frame(struct end *end, const struct hf__frame *f)
{
	struct said *s = said_of(end, f->number);
	bool own = f->number % 2 == end->next % 2;

	if (f->type == HF__FRAME_OPEN) {
		CLAIM(f->number == end->next);
		end->next += 2;
	} else {
		CLAIM(!own || f->number < end->next);
	}
	if (s == NULL)
		return;
	CLAIM(!s->reset);
	switch (f->type) {
	case HF__FRAME_OPEN:
		CLAIM(!s->opened);
		s->opened = true;
		break;
	case HF__FRAME_DATA:
		CLAIM(!s->fin && (s->bytes += f->span.len) <= s->credit);
		CLAIM(f->span.len <= HF_QUANTUM);
		break;
	case HF__FRAME_FIN:
		CLAIM(!s->fin);
		s->fin = true;
		break;
	case HF__FRAME_RESET:
		s->reset = true;
		break;
	case HF__FRAME_CREDIT:
		break;
	}
}

static void
speak(struct end *end)
{
	static uint8_t out[4096];
	struct hf__reader r;
	struct hf__frame f;
	size_t len;

	while (hf_mux_pending(end->mux)) {
		MUST(hf_mux_output(end->mux, out, sizeof(out), &len));
		CLAIM(len > 0 && len <= sizeof(out));
		hf__read_init(&r, out, len);
		while (r.off < len) {
			MUST(hf__frame_get(&f, &r));
			check_frame(end, &f);
		}
	}
}

/* What the peer gave: he may name any channel, so all of it is counted. */
static void
count_credit(struct end *end, struct hf_span in)
{
	struct hf__reader r;
	struct hf__frame f;
	struct said *s;

	hf__read_init(&r, in.ptr, in.len);
	while (r.off < in.len && hf__frame_get(&f, &r) == HF_OK)
		if (f.type == HF__FRAME_CREDIT &&
		    (s = said_of(end, f.number)) != NULL)
			s->credit += f.value;
}

static void
forget_said(struct end *end)
{
	size_t i;

	memset(end->said, 0, sizeof(end->said));
	for (i = 0; i < NUMBERS; i++)
		end->said[i].credit = HF_CREDIT_FIRST;
	end->next = end->next % 2;
}

static void
keep(struct end *end, struct hf_channel *ch)
{
	size_t i;

	for (i = 0; i < HANDLES; i++)
		if (end->handle[i] == NULL) {
			end->handle[i] = ch;
			return;
		}
	hf_channel_free(ch);
}

static void
hear(struct end *end, struct hf_span in)
{
	struct hf_channel *ch;
	unsigned news;
	enum hf_err e;

	if (in.len == 0)
		return;
	count_credit(end, in);
	e = hf_mux_feed(end->mux, in.ptr, in.len);
	CLAIM(e == HF_OK || e == HF_E_CBOR || e == HF_E_SHAPE ||
	    e == HF_E_UNEXPECTED || e == HF_E_TOO_BIG);
	while ((news = hf_mux_next(end->mux, &ch)) != 0)
		if ((news & HF_NEWS_OPENED) != 0)
			keep(end, ch);
	if (e == HF_OK)
		return;
	CLAIM(hf_mux_feed(end->mux, in.ptr, in.len) == e);
	CLAIM(!hf_mux_pending(end->mux));
	MUST(hf_mux_restart(end->mux, HF_REASON_LOST));
	forget_said(end);
}

static void
act(struct end *end, unsigned what, unsigned which)
{
	struct hf_channel *ch = end->handle[which % HANDLES];
	static uint8_t data[3000];
	size_t taken;

	if (what == 0 && ch == NULL) {
		if (hf_channel_open(&ch, end->mux, "l", 1) == HF_OK)
			keep(end, ch);
		return;
	}
	if (what == 1) {
		if (which == 0) {
			MUST(hf_mux_restart(end->mux, HF_REASON_MOVED));
			forget_said(end);
		} else {
			speak(end);
		}
		return;
	}
	if (ch == NULL)
		return;
	switch (what) {
	case 2:
		(void)!hf_channel_send(ch, &taken, data, sizeof(data));
		CLAIM(taken <= sizeof(data));
		break;
	case 3:
		(void)!hf_channel_finish(ch);
		break;
	case 4:
		MUST(hf_channel_reset(ch, 7));
		break;
	case 5:
		MUST(hf_channel_cut(ch, 200));
		break;
	case 6:
		MUST(hf_channel_taken(ch, hf_channel_data(ch).len));
		break;
	case 7:
		hf_channel_free(ch);
		end->handle[which % HANDLES] = NULL;
		break;
	default:
		break;
	}
}

static void
check(const struct end *end)
{
	const struct hf_mux *m = end->mux;
	const struct hf_channel *ch = m->line[HF__LINE_ALL].first;
	size_t own = 0, peers = 0, taken = 0, mine = 0, n = 0;

	for (; ch != NULL; ch = ch->place[HF__LINE_ALL].next, n++) {
		own += ch->own && !ch->over;
		peers += !ch->own &&
		    (!ch->over || (ch->reset_due && !ch->fin_sent));
		mine += ch->own;
		taken += ch->taken;
		CLAIM(!ch->taken || (!ch->own && (ch->held || !ch->over)));
		CLAIM(ch->own || ch->taken ||
		    (!ch->held && ch->in.ptr == NULL && ch->out.ptr == NULL));
		CLAIM(ch->over || ch->in.len + ch->given <= m->limits.window);
		CLAIM(ch->credit <= HF_CREDIT_MAX);
		CLAIM(ch->out.len <= m->limits.send);
		CLAIM(ch->held || (ch->in.ptr == NULL && ch->news == 0));
		CLAIM(!ch->over || ch->ended);
		CLAIM(!ch->over || ch->held || ch->reset_due);
	}
	CLAIM(n == hf_mux_count(m));
	CLAIM(own == m->own_live && own <= m->limits.own);
	CLAIM(peers == m->peers_live && peers <= HF_CHANNELS_MAX);
	CLAIM(taken == m->peers_taken && taken <= m->limits.peers);
	CLAIM(hf_mux_bytes(m) <= sizeof(*m) + n * sizeof(*ch) +
		(taken + mine) * (m->limits.window + m->limits.send));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_mux_limits limits = { PEERS_MAX, 0, HF_CREDIT_FIRST, SEND };
	static struct end end;
	size_t i, n;

	if (len == 0)
		return 0;
	memset(&end, 0, sizeof(end));
	limits.peers = data[0] >> 1 & PEERS_MAX;
	MUST(hf_mux_new(&end.mux, data[0] & 1 ? HF_INITIATOR : HF_RESPONDER,
	    &limits));
	end.next = data[0] & 1 ? 0 : 1;
	forget_said(&end);
	for (i = 1; i < len;) {
		n = data[i++];
		if (n >= 128) {
			act(&end, (unsigned)n >> 4 & 7, (unsigned)n & 15);
			check(&end);
			continue;
		}
		if (n >= 64) {
			if (i == len)
				break;
			n = (n - 64) | (size_t)data[i++] << 6;
		}
		if (n > len - i)
			n = len - i;
		hear(&end, (struct hf_span){ data + i, n });
		check(&end);
		i += n;
	}
	speak(&end);
	check(&end);
	hf_mux_free(end.mux);
	return 0;
}
