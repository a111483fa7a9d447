/* SPDX-License-Identifier: ISC */
/*
 * The channels of a responder's session: each is a lane, which its sink serves
 * as it would a session. It knows when a lane begins and ends; numbers are the
 * mux's, and what flows is the sink's.
 */
#include <sys/resource.h>

#include <stdlib.h>

#include "serve.h"

enum { CLOSE_MS = 5000, WINDOW = 131072 };

struct carry {
	struct hf_served *conn;
	struct hf_mux *mux;
	LIST_HEAD(, lane) lanes;
	uv_timer_t timer; /* buries lanes that are over */
	uint64_t count;
};

/* Of all sessions: each takes descriptors of this process. */
static atomic_int all_lanes;

static int
most_lanes(void)
{
	unsigned fds = respond.sink->fds;
	struct rlimit limit;

	if (fds < 2)
		return INT32_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	return (int)(limit.rlim_cur / 2 / fds);
}

static struct carry *
carry_of(const struct hf_served *conn)
{
	return ((const struct serve *)conn->app)->carry;
}

static void bury(uv_timer_t *);

/* --- one lane --------------------------------------------------------------------- */

void
carry_over(struct lane *lane)
{
	lane->over = 1;
	/* Not now: its sink is at work. It fails for no reason that can arise
	 * here; at the latest the lane ends with its connection. */
	(void)uv_timer_start(&carry_of(lane->conn)->timer, bury, 0, 0);
}

static void
bury_one(struct lane *lane)
{
	LIST_REMOVE(lane, beside);
	respond.sink->ended(lane);
	hf_channel_free(lane->channel);
	free(lane);
	(void)atomic_fetch_sub(&all_lanes, 1);
}

static void
bury(uv_timer_t *timer)
{
	struct carry *c = timer->data;
	struct lane *lane, *next;

	for (lane = LIST_FIRST(&c->lanes); lane != NULL; lane = next) {
		next = LIST_NEXT(lane, beside);
		if (lane->over)
			bury_one(lane);
	}
	hf_link_pump(c->conn->link);
}

void
carry_deliver(struct lane *lane)
{
	struct hf_channel *ch = lane->channel;
	struct hf_span data;

	if (lane->delivering)
		return;
	lane->delivering = 1;
	while (!lane->held && !lane->over &&
	    (data = hf_channel_data(ch)).len > 0) {
		if (data.len > CARRY_PIECE)
			data.len = CARRY_PIECE;
		respond.sink->data(lane, data.ptr, data.len);
		/* What was dropped meanwhile is not there to be taken. */
		if (lane->over || hf_channel_taken(ch, data.len) != HF_OK)
			break;
	}
	if (!lane->held && !lane->over && !lane->told &&
	    hf_channel_finished(ch)) {
		lane->told = 1;
		respond.sink->closed(lane);
	}
	lane->delivering = 0;
	/* Both have finished, and all was delivered; or nothing more can be. */
	if (hf_channel_ended(ch) &&
	    (lane->told || hf_channel_reason(ch) != HF_REASON_NONE))
		carry_over(lane);
	hf_link_pump(lane->conn->link);
}

static struct lane *
begin(struct carry *c, struct hf_channel *ch)
{
	struct lane *lane;

	c->count++;
	if (atomic_fetch_add(&all_lanes, 1) >= most_lanes() ||
	    (lane = calloc(1, sizeof(*lane))) == NULL) {
		(void)atomic_fetch_sub(&all_lanes, 1);
		if (hf_channel_reset(ch, HF_REASON_LIMIT) == HF_OK)
			hf_channel_free(ch);
		return NULL;
	}
	lane->conn = c->conn;
	lane->channel = ch;
	LIST_INSERT_HEAD(&c->lanes, lane, beside);
	hf_channel_keep(ch, lane);
	respond.sink->opened(lane);
	return lane;
}

/* --- all of a session ------------------------------------------------------------------ */

int
carry_begin(struct hf_served *conn)
{
	struct hf_mux_limits limits = { .own = 0,
		.peers = (size_t)respond.channels,
		.window = WINDOW,
		.send = 2 * (size_t)CARRY_PIECE };
	struct serve *serve = conn->app;
	struct carry *c;

	if (!hf_session_channels(hf_link_session(conn->link)))
		return 0;
	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    hf_mux_new(&c->mux, HF_RESPONDER, &limits) != HF_OK ||
	    hf_link_carry(conn->link, c->mux) != HF_OK) {
		if (c != NULL)
			hf_mux_free(c->mux);
		free(c);
		hf_link_abort(conn->link, HF_E_MEMORY);
		return 1;
	}
	c->conn = conn;
	(void)uv_timer_init(conn->loop, &c->timer);
	c->timer.data = c;
	serve->carry = c;
	return 1;
}

void
carry_news(struct hf_served *conn)
{
	struct carry *c = carry_of(conn);
	struct hf_channel *ch;
	struct lane *lane;
	unsigned news;

	while ((news = hf_mux_next(c->mux, &ch)) != 0) {
		lane = (news & HF_NEWS_OPENED) != 0 ? begin(c, ch) :
						      hf_channel_kept(ch);
		if (lane == NULL || lane->over)
			continue;
		if ((news & HF_NEWS_WRITABLE) != 0)
			respond.sink->drained(lane);
		carry_deliver(lane);
	}
}

void
carry_closed(struct hf_served *conn)
{
	if (hf_mux_restart(carry_of(conn)->mux, HF_REASON_LOST) == HF_OK)
		carry_news(conn);
	hf_link_finish(conn->link, CLOSE_MS);
}

int
carry_idle(const struct hf_served *conn)
{
	return LIST_EMPTY(&carry_of(conn)->lanes);
}

uint64_t
carry_count(const struct hf_served *conn)
{
	return carry_of(conn)->count;
}

static void
freed(uv_handle_t *timer)
{
	struct carry *c = timer->data;

	free(c);
}

void
carry_end(struct hf_served *conn)
{
	struct carry *c = carry_of(conn);

	while (!LIST_EMPTY(&c->lanes))
		bury_one(LIST_FIRST(&c->lanes)); /* NOLINT(*-unix.Malloc) */
	hf_mux_free(c->mux);
	uv_close((uv_handle_t *)&c->timer, freed);
}
