/* SPDX-License-Identifier: ISC */
/*
 * How an agent's session is connected: addresses are looked up, tried in their
 * order, and a session that may move goes on by a resume after its connection
 * broke, when it is next wanted; where that cannot be, by a new handshake.
 * Channels do not outlive a connection.
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent_own.h"

enum { PAUSE_MS = 100, PEER_CLOSED_MS = 1000 };

/* Names become addresses in a thread. */
struct hf__look_up {
	uv_work_t work;
	struct hf__held *held;
	struct hf_address at[HF__ADDRESSES * HF_ADDRESSES_MAX];
	size_t n;
	enum hf_err err;
};

static void attempt(struct hf__held *);

/* --- what is told ----------------------------------------------------------------- */

void
hf__reach_tell(struct hf__held *held, int what, enum hf_err err)
{
	struct hf_agent_event event = { .peer = held->entry->name };
	char text[HF_ADDRESS_TEXT];

	event.what = what;
	event.err = err;
	event.pid = -1;
	if (held->at_next > 0)
		event.address =
		    hf_address_text(text, &held->at[held->at_next - 1]);
	event.sid = (struct hf_span){ held->sid, sizeof(held->sid) };
	hf__agent_tell(held->agent, &event);
}

/* --- hooks ------------------------------------------------------------------------ */

static void
trust(void *owner, struct hf_link *link)
{
	struct hf__held *held = owner;
	struct hf__entry *entry = held->entry;

	/* Name, CA, times and usage were judged by the session. */
	if (entry->user == NULL)
		hf_link_trust(link, HF_OK);
	else
		hf_stretch_begin(&held->stretch, held->agent->loop, link,
		    entry->user, entry->password.text, entry->password.len);
}

static void
opened(void *owner, struct hf_link *link)
{
	struct hf__held *held = owner;
	struct hf_session *s = hf_link_session(link);
	struct hf_span id = hf_session_id(s);
	int same = held->session != NULL && id.len == HF_SID_BYTES &&
	    memcmp(id.ptr, held->sid, HF_SID_BYTES) == 0;

	held->connect_by = held->broken_ms = 0;
	held->refused = 0;
	if (same)
		held->resumes++;
	else
		held->handshakes++;
	if (hf_session_mobility(s) != HF_MOVES_NOT)
		held->session = hf_link_keep_session(link);
	hf__held_opened(held);
	hf__reach_tell(held, same ? HF_AGENT_RESUMED : HF_AGENT_SESSION,
	    HF_OK);
}

static void
moved(void *owner, struct hf_link *link)
{
	struct hf__held *held = owner;
	struct hf_session *s = hf_link_session(link);
	struct hf__app *app, *next;
	uint64_t count, bytes;

	hf_session_acked(&count, &bytes, s);
	/* Where that fails it is made when it is needed. */
	if (count > 0)
		(void)!hf_session_prepare(s);
	hf__rest_moved(held);
	if (held->state != HF_AGENT_OPEN ||
	    (held->strength == hf_session_strength(s) &&
		held->epoch == hf_session_epoch(s)))
		return;
	held->strength = hf_session_strength(s);
	held->epoch = hf_session_epoch(s);
	for (app = LIST_FIRST(&held->agent->apps); app != NULL; app = next) {
		next = LIST_NEXT(app, of_agent);
		/* One whose channel is over has its end before it. */
		if (app->held == held && app->phase == HF__APP_CARRIED &&
		    !hf_channel_ended(app->channel))
			hf__app_inform(app);
	}
}

void
hf__reach_elsewhere(struct hf__held *held)
{
	hf_link_abort(held->link, HF_E_GONE);
}

/* The server leaves: at once where nobody is disturbed by it, else when the
 * last channel is over. */
static void
query(void *owner, struct hf_link *link)
{
	struct hf__held *held = owner;

	(void)link;
	held->elsewhere = 1;
	if (held->apps == 0)
		hf__reach_elsewhere(held);
}

static void
data(void *owner, struct hf_link *link, enum hf_content content,
    const uint8_t *bytes, size_t len)
{
	/* Tickets are not kept: the entry of the file says who this is. */
	(void)owner;
	(void)link;
	(void)content;
	(void)bytes;
	(void)len;
}

/* The peer sends nothing more: no channel can go on. */
static void
closed(void *owner, struct hf_link *link)
{
	struct hf__held *held = owner;

	held->ending = 1;
	hf__held_closed(held);
	hf_link_finish(link, PEER_CLOSED_MS);
}

static void
drained(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
}

static void
channels(void *owner, struct hf_link *link)
{
	struct hf__held *held = owner;
	struct hf_channel *channel;
	struct hf__app *app;
	unsigned news;

	(void)link;
	while ((news = hf_mux_next(held->mux, &channel)) != 0) {
		app = hf_channel_kept(channel);
		if ((news & HF_NEWS_OPENED) != 0)
			hf_channel_free(channel); /* none is served here */
		else if (app != NULL)
			hf__app_news(app, news);
	}
}

/* --- what becomes of it ------------------------------------------------------------ */

/* 1 where another address, or another time, may do better. */
static int
passing(enum hf_err err)
{
	return err == HF_E_IO || err == HF_E_GONE || err == HF_E_DEADLINE ||
	    err == HF_E_TRUNCATED || err == HF_E_STORE;
}

static void
give_up(struct hf__held *held, enum hf_err err)
{
	int rests;

	/* A resume that is under way is not waited for. */
	if (held->rest_by != 0 && held->session != NULL)
		(void)!hf_session_eof(held->session);
	rests = held->rest_by != 0 &&
	    (held->session == NULL ? held->rested == HF__RESTS :
				     hf__rest_put(held));
	if (!rests)
		hf__rest_drop(held);
	hf_session_free(held->session);
	held->session = NULL;
	held->connect_by = held->again_at = held->broken_ms = 0;
	if (!rests)
		hf__reach_tell(held, HF_AGENT_ENDED, err);
	hf__held_failed(held, err);
}

/* It cannot go on: a new one in its place. */
static void
begin_anew(struct hf__held *held)
{
	hf_session_free(held->session);
	held->session = NULL;
	held->tried = 0;
	held->at_next = 0;
	held->first = HF_OK;
	attempt(held);
}

/* It did not come to a session: the next attempt, or the end. */
static void
not_opened(struct hf__held *held, enum hf_err err)
{
	struct hf__entry *entry = held->entry;
	int resuming = held->session != NULL;

	if (held->first == HF_OK)
		held->first = err;
	if (resuming &&
	    (!hf_session_can_reconnect(held->session) ||
		(!passing(err) && ++held->refused > 1))) {
		begin_anew(held);
		return;
	}
	if (err == HF_E_UNKNOWN_KEY && entry->known != NULL &&
	    hf_config_responder(entry->config, NULL, 0) == HF_OK) {
		free(entry->known);
		entry->known = NULL;
		held->at_next--;
		attempt(held);
		return;
	}
	if (!resuming && !passing(err)) {
		give_up(held, err);
		return;
	}
	if (++held->tried < held->at_n) {
		attempt(held);
		return;
	}
	held->tried = 0;
	if (resuming && hf__agent_ms() - held->broken_ms < entry->retry_ms)
		held->again_at = hf__agent_ms() + PAUSE_MS;
	else if (resuming && held->refused > 0)
		begin_anew(held); /* one word is enough in the end */
	else
		give_up(held, held->first);
}

static int
may_go_on(const struct hf__held *held)
{
	return held->session != NULL &&
	    hf_session_can_reconnect(held->session);
}

/* It goes on when it is wanted. Who came in the moment in which it broke never
 * had a channel of it, and wants it, or another one in its place. */
static void
broke(struct hf__held *held, enum hf_err err)
{
	if (!may_go_on(held)) {
		hf__rest_drop(held);
		hf_session_free(held->session);
		held->session = NULL;
	}
	held->last = err;
	held->state = HF_AGENT_BROKEN;
	held->quiet_ms = hf__agent_ms();
	hf__reach_tell(held, HF_AGENT_ENDED, err);
	hf__held_cut(held, err);
	if (held->waiting != NULL)
		hf__reach_begin(held);
}

static void
ended(void *owner, struct hf_link *link, enum hf_err err)
{
	struct hf__held *held = owner;
	struct hf_agent *agent = held->agent;
	int was_open = held->state == HF_AGENT_OPEN;
	int over = held->ending || (hf_link_opened(link) && err == HF_OK);

	held->link = NULL;
	held->connect_by = 0;
	held->elsewhere = 0;
	hf_stretch_forget(held->stretch);
	if (!over && !was_open) {
		not_opened(held, held->connected ? err : HF_E_IO);
	} else if (!over && (held->waiting != NULL || may_go_on(held))) {
		broke(held, err);
	} else {
		give_up(held, err);
	}
	/* It may have been the last of it. */
	hf__agent_left(agent);
}

static const struct hf_link_hooks hooks = {
	.trust = trust,
	.opened = opened,
	.moved = moved,
	.query = query,
	.data = data,
	.closed = closed,
	.drained = drained,
	.ended = ended,
	.channels = channels,
};

/* --- connecting ---------------------------------------------------------------------- */

static void
connected(uv_connect_t *req, int status)
{
	struct hf__held *held = req->data;
	enum hf_err e;

	if (held->link == NULL || status == UV_ECANCELED)
		return;
	held->connect_by = 0;
	if (status != 0) {
		hf_link_abort(held->link, HF_E_IO);
		return;
	}
	held->connected = 1;
	if (held->session == NULL)
		hf_link_start(held->link, held->entry->config, NULL, 0);
	else if ((e = hf_session_reconnect(held->session, hf__agent_ms(),
		      (uint64_t)time(NULL))) == HF_OK)
		hf_link_start_again(held->link, held->session);
	else
		hf_link_abort(held->link, e);
}

static void
attempt(struct hf__held *held)
{
	const struct hf_address *a;
	enum hf_err e;

	if (held->at_next >= held->at_n)
		held->at_next = 0;
	a = &held->at[held->at_next++];
	held->connected = 0;
	held->again_at = 0;
	held->state = HF_AGENT_OPENING;
	if ((e = hf_link_new(&held->link, held->agent->loop, a->at.ss_family,
		 held->agent->scratch, &hooks, held)) != HF_OK) {
		held->link = NULL;
		give_up(held, e);
		return;
	}
	held->connect.data = held;
	held->connect_by = hf__agent_ms() + held->entry->connect_ms;
	if (hf_address_connect(&held->connect, hf_link_stream(held->link), a,
		connected) != 0)
		hf_link_abort(held->link, HF_E_IO);
}

static void
look_up(uv_work_t *work)
{
	struct hf__look_up *l = work->data;
	const struct hf__entry *entry = l->held->entry;
	size_t i, n;
	enum hf_err e;

	for (i = 0; i < entry->addresses_n; i++) {
		e = hf_address_parse(l->at + l->n, &n, entry->address[i]);
		if (e == HF_OK)
			l->n += n;
		else if (l->err == HF_OK)
			l->err = e == HF_E_ARG ? HF_E_CONFIG : e;
	}
}

static void
looked_up(uv_work_t *work, int status)
{
	struct hf__look_up *l = work->data;
	struct hf__held *held = l->held;
	struct hf_agent *agent = held->agent;

	held->look_up = NULL;
	if (status == 0 && l->n > 0) {
		memcpy(held->at, l->at, l->n * sizeof(l->at[0]));
		held->at_n = l->n;
		held->at_next = 0;
	}
	if (held->ending || held->at_n == 0)
		give_up(held,
		    held->ending || l->err == HF_OK ? HF_E_GONE : l->err);
	else
		attempt(held);
	free(l);
	hf__agent_left(agent);
}

void
hf__reach_begin(struct hf__held *held)
{
	struct hf__look_up *l;

	if (held->link != NULL || held->look_up != NULL)
		return;
	if (held->again_at != 0)
		return; /* soon */
	held->state = HF_AGENT_OPENING;
	hf__rest_drop(held);
	if (held->session == NULL)
		hf__rest_take(held);
	held->tried = 0;
	held->refused = 0;
	held->first = HF_OK;
	held->broken_ms = hf__agent_ms();
	if ((l = calloc(1, sizeof(*l))) == NULL) {
		give_up(held, HF_E_MEMORY);
		return;
	}
	l->held = held;
	l->work.data = l;
	if (uv_queue_work(held->agent->loop, &l->work, look_up, looked_up) !=
	    0) {
		free(l);
		give_up(held, HF_E_MEMORY);
		return;
	}
	held->look_up = l;
}

/* --- its end ------------------------------------------------------------------------- */

void
hf__reach_end(struct hf__held *held)
{
	held->listed = 0;
	held->ending = 1;
	held->again_at = 0;
	if (held->link == NULL) {
		hf__rest_drop(held);
		hf_session_free(held->session);
		held->session = NULL;
		held->state = HF_AGENT_DOWN;
	} else if (hf_link_opened(held->link)) {
		hf_link_finish(held->link, HF__END_MS);
	} else {
		hf_link_abort(held->link, HF_E_GONE);
	}
}

void
hf__reach_leave(struct hf__held *held)
{
	if (!held->listed || held->session == NULL ||
	    held->agent->rest_key == NULL) {
		hf__reach_end(held);
		return;
	}
	held->listed = 0;
	held->ending = 1;
	held->again_at = 0;
	held->rest_by = hf__agent_ms() + HF__END_MS;
	if (held->link == NULL)
		give_up(held, HF_E_GONE);
	else if (!hf_link_opened(held->link))
		hf_link_abort(held->link, HF_E_GONE);
}

int
hf__reach_quiet(const struct hf__held *held)
{
	return held->link == NULL && held->look_up == NULL &&
	    held->stretch == NULL && held->again_at == 0;
}

void
hf__reach_look(struct hf__held *held, uint64_t now)
{
	uint64_t idle = held->entry->idle_ms;
	int unused = held->apps == 0 && !held->ending;

	if (hf__rest_look(held, now))
		return;
	if (held->connect_by != 0 && now >= held->connect_by) {
		held->connect_by = 0;
		hf_link_abort(held->link, HF_E_IO);
	} else if (held->again_at != 0 && now >= held->again_at) {
		attempt(held);
	} else if (held->state == HF_AGENT_OPEN && unused && held->elsewhere) {
		hf__reach_elsewhere(held);
	} else if (unused &&
	    (!held->listed ||
		((held->state == HF_AGENT_OPEN ||
		     held->state == HF_AGENT_BROKEN) &&
		    idle != 0 && now - held->quiet_ms >= idle))) {
		hf__reach_end(held);
	}
}
