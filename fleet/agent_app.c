/* SPDX-License-Identifier: ISC */
/*
 * One application of an agent, as it is heard: its frames become what one
 * channel sends. It can name no other channel, for its socket is all the name
 * that there is. Who breaks the protocol, or passes descriptors, is gone. What
 * it is told is agent_words.c's, how it goes agent_gone.c's.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_own.h"

enum { ROOM_MIN = 2 * HF__WIRE_MAX, TURN_MIN = 1024 };

static void ready(uv_poll_t *, int, int);

/* --- what is waited for ---------------------------------------------------------------- */

static int
wants_to_read(const struct hf__app *a)
{
	return a->phase == HF__APP_FIRST ||
	    (a->phase == HF__APP_CARRIED && !a->finished &&
		hf_channel_room(a->channel) >= ROOM_MIN);
}

/* What is to be waited for now. */
void
hf__app_watch(struct hf__app *a)
{
	int events = 0;

	if (a->phase >= HF__APP_LEFT)
		return;
	/* What its channel has was written as far as the socket took it. */
	if (!a->in_line &&
	    (a->words_len > 0 ||
		(a->phase == HF__APP_CARRIED &&
		    hf_channel_data(a->channel).len > 0)))
		events |= UV_WRITABLE;
	if (!a->in_line && wants_to_read(a))
		events |= UV_READABLE;
	/* He may go before all that he said is read. What stands in line and
	 * said nothing so far is read in its turn. */
	else if (!hf__app_may_go(a) &&
	    !(a->in_line && a->phase == HF__APP_FIRST))
		events |= UV_DISCONNECT;
	if (events == a->events)
		return;
	a->events = events;
	if (events == 0)
		(void)uv_poll_stop(&a->poll);
	else if (uv_poll_start(&a->poll, events, ready) != 0)
		hf__app_gone(a, HF_E_IO, HF_REASON_FAILED);
}

/* --- what it says -------------------------------------------------------------------- */

static void
open_channel(struct hf__app *a, const struct hf__wire *w)
{
	const struct hf_span *name = &w->bytes[HF__OPEN_PEER];
	struct hf__entry *entry;
	unsigned of_process, of_user;
	struct hf__held *held;

	entry = hf__peers_find(a->agent->peers, (const char *)name->ptr,
	    name->len);
	/* Who may not have it does not learn whether it is there. */
	if (entry == NULL ||
	    (!a->trusted && !hf__entry_allows(entry, &a->who))) {
		hf__app_end(a, HF_E_POLICY, HF_REASON_REFUSED);
		return;
	}
	a->entry = entry;
	hf__agent_count(&of_process, &of_user, a->agent, a, entry->name);
	if (of_process >= entry->channels || of_user >= entry->user_channels) {
		hf__app_end(a, HF_E_QUOTA, HF_REASON_LIMIT);
		return;
	}
	if ((held = hf__held_find(a->agent, entry)) == NULL) {
		hf__app_end(a, HF_E_MEMORY, HF_REASON_FAILED);
		return;
	}
	a->phase = HF__APP_WAITING;
	a->held = held;
	hf__held_join(held, a);
}

static int
rules(const struct hf__app *a)
{
	return a->trusted || a->who.uid == geteuid() || a->who.uid == 0;
}

static struct hf__held *
listed(const struct hf_agent *agent, const struct hf__entry *entry)
{
	struct hf__held *held;

	LIST_FOREACH(held, &agent->held, of_agent)
		if (held->listed && held->entry == entry)
			return held;
	return NULL;
}

/* The answer to who asks: all that there is, and then that it was all. */
static void
done(struct hf__app *a, enum hf_err e)
{
	struct hf__wire w = { .type = HF__WIRE_DONE };

	w.number[0] = (uint64_t)e;
	a->phase = HF__APP_SAYING;
	a->said_ms = hf__agent_ms();
	if (hf__app_say(a, &w))
		hf__app_write(a);
	else
		hf__app_drop(a);
}

static int
is_of(const struct hf__held *held, const char *name, size_t len)
{
	return strlen(held->entry->name) == len &&
	    memcmp(held->entry->name, name, len) == 0;
}

/* Channels from before the file was read anew count too. */
static int
tell_peer(struct hf__app *a, const struct hf__entry *entry)
{
	const struct hf__held *held = listed(a->agent, entry), *other;
	struct hf__wire w;

	hf__held_state(&w, entry, held);
	LIST_FOREACH(other, &a->agent->held, of_agent)
		if (other != held &&
		    is_of(other, entry->name, strlen(entry->name)))
			w.number[HF__PEER_CHANNELS] += other->apps;
	return hf__app_say(a, &w);
}

static void
status(struct hf__app *a)
{
	const struct hf_peers *peers = a->agent->peers;
	size_t i;

	for (i = 0; rules(a) && i < peers->n; i++)
		if (!tell_peer(a, &peers->entry[i])) {
			hf__app_drop(a);
			return;
		}
	done(a, rules(a) ? HF_OK : HF_E_POLICY);
}

/* A session with the peer that is not ending, of whatever file. */
static struct hf__held *
running(const struct hf_agent *agent, const char *name, size_t len)
{
	struct hf__held *held;

	LIST_FOREACH(held, &agent->held, of_agent)
		if (!held->ending && is_of(held, name, len))
			return held;
	return NULL;
}

static void
close_session(struct hf__app *a, const struct hf__wire *w)
{
	const char *name = (const char *)w->bytes[HF__OPEN_PEER].ptr;
	size_t len = w->bytes[HF__OPEN_PEER].len;
	struct hf__entry *entry;
	struct hf__held *held;
	int known;

	if (!rules(a)) {
		done(a, HF_E_POLICY);
		return;
	}
	entry = hf__peers_find(a->agent->peers, name, len);
	known = entry != NULL;
	while ((held = running(a->agent, name, len)) != NULL) {
		known = 1;
		hf__held_end(held, HF_E_RESET, HF_REASON_SHUTDOWN);
	}
	if (entry != NULL)
		hf__rest_remove(a->agent, entry->name);
	done(a, known ? HF_OK : HF_E_CONFIG);
}

/* Its place in the order was judged when it was read. */
static enum hf_err
obey(struct hf__app *a, const struct hf__wire *w)
{
	size_t taken = 0;
	enum hf_err e;

	switch (w->type) {
	case HF__WIRE_OPEN:
		open_channel(a, w);
		return HF_OK;
	case HF__WIRE_STATUS:
		status(a);
		return HF_OK;
	case HF__WIRE_CLOSE:
		close_session(a, w);
		return HF_OK;
	case HF__WIRE_DATA:
		e = hf_channel_send(a->channel, &taken, w->bytes[0].ptr,
		    w->bytes[0].len);
		a->in += taken;
		hf__pace_said(a, HF__COST_FRAME);
		hf__held_touch(a->held);
		/* What has ended is told when it is written. */
		return e == HF_E_STATE			  ? HF_OK :
		    e == HF_OK && taken < w->bytes[0].len ? HF_E_MEMORY :
							    e;
	case HF__WIRE_END:
		a->finished = 1;
		hf__held_touch(a->held);
		e = hf_channel_finish(a->channel);
		return e == HF_E_STATE ? HF_OK : e;
	default: /* over */
		hf__app_gone(a, HF_E_RESET, (int)w->number[HF__OVER_REASON]);
		return HF_OK;
	}
}

static enum hf_err
keep(struct hf__app *a, const uint8_t *ptr, size_t len)
{
	uint8_t *part = a->part;

	if (len == 0)
		return HF_OK;
	if (part == NULL && (part = malloc(HF__WIRE_MAX)) == NULL)
		return HF_E_MEMORY;
	memmove(part, ptr, len);
	a->part = part;
	a->part_len = len;
	return HF_OK;
}

/* Goes through the frames that are whole, and keeps what is not. */
static enum hf_err
frames(struct hf__app *a, const uint8_t *ptr, size_t len)
{
	struct hf__wire w;
	enum hf_err e;
	size_t used;

	while (len > 0 && a->phase < HF__APP_SAYING) {
		e = hf__wire_read(&w, &used, ptr, len, a->stage);
		if (e != HF_OK)
			return e;
		if (used == 0)
			break;
		a->stage = hf__wire_next(a->stage, w.type);
		ptr += used;
		len -= used;
		/* It waits for its session, or has gone by then: what is
		 * behind its open is gone through after that. */
		if (w.type != HF__WIRE_OPEN)
			e = obey(a, &w);
		else if ((e = keep(a, ptr, len)) == HF_OK)
			return obey(a, &w);
		if (e != HF_OK)
			return e;
	}
	return a->phase >= HF__APP_SAYING ? HF_OK : keep(a, ptr, len);
}

void
hf__app_carry(struct hf__app *a)
{
	size_t len = a->part_len;
	enum hf_err e;

	e = hf_channel_open(&a->channel, a->held->mux, "", 0);
	if (e != HF_OK) {
		a->channel = NULL;
		if (e == HF_E_SPACE)
			hf__app_end(a, HF_E_QUOTA, HF_REASON_LIMIT);
		else
			hf__app_end(a, e, HF_REASON_FAILED);
		return;
	}
	a->phase = HF__APP_CARRIED;
	hf__agent_share(a->agent, a);
	hf_channel_keep(a->channel, a);
	a->held->opened++;
	hf__held_touch(a->held);
	hf__app_inform(a);
	/* What it said while it waited. */
	a->part_len = 0;
	if (len > 0 && a->phase == HF__APP_CARRIED &&
	    (e = frames(a, a->part, len)) != HF_OK)
		hf__app_end(a, e, HF_REASON_FAILED);
	hf__app_watch(a);
}

/* How much may be read now. */
static size_t
appetite(struct hf__app *a)
{
	size_t room, turn;

	/* The first frame, and what little comes with it; or the last one. */
	if (a->phase == HF__APP_FIRST || a->finished)
		return a->part_len < HF__WIRE_SMALL ?
		    HF__WIRE_SMALL - a->part_len :
		    0;
	room = hf_channel_room(a->channel);
	room = room > a->part_len ? room - a->part_len : 0;
	/* A process has one turn, over however many channels. */
	turn = hf__pace_turn(a, HF__APP_READ) / (a->share == 0 ? 1 : a->share);
	turn = turn < TURN_MIN ? TURN_MIN : turn;
	return room < turn ? room : turn;
}

static void
read_some(struct hf__app *a)
{
	uint8_t *in = a->agent->in;
	struct iovec room = { in + a->part_len, appetite(a) };
	struct msghdr m = { .msg_iov = &room, .msg_iovlen = 1 };
	size_t len = a->part_len;
	enum hf_err e;
	ssize_t n;

	if (room.iov_len == 0)
		return;
	n = recvmsg(a->fd, &m, MSG_DONTWAIT);
	if (n == -1 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		hf__app_went(a);
		return;
	}
	hf__pace_pay(a, (size_t)n);
	if (len > 0)
		memcpy(in, a->part, len);
	a->part_len = 0;
	len += (size_t)n;
	/* Whoever passes descriptors has another agent in mind; the kernel has
	 * closed them. */
	e = (m.msg_flags & MSG_CTRUNC) != 0 ? HF_E_UNEXPECTED :
					      frames(a, in, len);
	sodium_memzero(in, len);
	if (e != HF_OK)
		hf__app_end(a, e, HF_REASON_FAILED);
}

/* It closed its socket and had not read all that was there: an error, of which
 * the kernel tells before what was said. */
static int
after_error(struct hf__app *a)
{
	socklen_t len = sizeof(int);
	int what;

	(void)getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &what, &len);
	a->events = 0; /* the loop has stopped to look */
	return hf__app_may_go(a) ? UV_READABLE : UV_DISCONNECT;
}

static void
ready(uv_poll_t *poll, int status, int events)
{
	struct hf__app *a = poll->data;

	if (status < 0) {
		events = after_error(a);
	} else if (hf__pace_waits(a)) {
		if ((events & UV_DISCONNECT) == 0) {
			hf__app_watch(a);
			return;
		}
		hf__pace_leave(a); /* who has gone does not stand there */
	}
	/* Behind its end it may have said why it goes. */
	if ((events & UV_READABLE) != 0 ||
	    ((events & UV_DISCONNECT) != 0 && a->phase == HF__APP_CARRIED &&
		a->finished && a->part_len < HF__WIRE_SMALL))
		read_some(a);
	else if ((events & UV_DISCONNECT) != 0)
		hf__app_went(a);
	if (a->phase < HF__APP_LEFT && (events & UV_WRITABLE) != 0)
		hf__app_write(a);
	hf__app_watch(a);
}

void
hf__app_turn(struct hf__app *a)
{
	if (wants_to_read(a))
		read_some(a);
	if (a->phase == HF__APP_CARRIED)
		hf__app_write(a);
	hf__app_watch(a);
}

void
hf__app_begin(struct hf_agent *agent, int fd, int trusted)
{
	struct hf__app *a;

	if ((a = calloc(1, sizeof(*a))) == NULL) {
		(void)close(fd);
		return;
	}
	a->agent = agent;
	a->fd = fd;
	a->trusted = trusted;
	a->began_ms = hf__agent_ms();
	if (hf__who(&a->who, fd) != HF_OK ||
	    (a->flow = hf__flow_of(agent, &a->who)) == NULL ||
	    uv_poll_init(agent->loop, &a->poll, fd) != 0) {
		if (a->flow != NULL)
			hf__flow_leave(agent, a->flow);
		(void)close(fd);
		free(a);
		return;
	}
	a->poll.data = a;
	LIST_INSERT_HEAD(&agent->apps, a, of_agent);
	agent->apps_n++;
	hf__pace_pay(a, HF__COST_OPEN);
	hf__app_watch(a);
}
