/* SPDX-License-Identifier: ISC */
/*
 * One application of an agent, as it goes: what it had said before is still
 * heard, what it has of its channel goes back, and counts as its until the peer
 * has answered. Whoever opens channels and leaves them gets no further by it
 * than whoever keeps them.
 */
#include <sys/socket.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_own.h"

enum { LAST_MAX = 1 << 20 /* bytes that are gone through for a last word */ };

/* --- what is left of it --------------------------------------------------------------- */

static void
release(struct hf__app *a)
{
	hf__flow_leave(a->agent, a->flow);
	sodium_memzero(a, sizeof(*a));
	free(a);
}

static void
closed(uv_handle_t *handle)
{
	struct hf__app *a = handle->data;
	struct hf_agent *agent = a->agent;

	/* A child that was forked may have a copy of it, and of the other end. */
	(void)shutdown(a->fd, SHUT_RDWR);
	(void)close(a->fd);
	a->fd = -1;
	if (a->part != NULL)
		sodium_memzero(a->part, HF__WIRE_MAX);
	free(a->part);
	if (a->words != NULL)
		sodium_memzero(a->words, a->words_cap);
	free(a->words);
	a->part = a->words = NULL;
	agent->apps_n--;
	if (a->phase == HF__APP_OVER)
		release(a);
	else
		a->shut = 1;
	hf__agent_left(agent);
}

static void
tell(const struct hf__app *a)
{
	struct hf_agent_event event = { .peer = NULL };

	/* Of who asked how it is nothing is told. */
	if (a->held == NULL && a->err == HF_OK)
		return;
	event.what = a->held == NULL ? HF_AGENT_REFUSED : HF_AGENT_CHANNEL;
	event.peer = a->entry != NULL ? a->entry->name : NULL;
	event.err = a->err;
	event.reason = a->reason;
	event.uid = (unsigned long)a->who.uid;
	event.pid = (long)a->who.pid;
	/* From the peer, and to it. */
	event.in = a->out;
	event.out = a->in;
	event.ms = hf__agent_ms() - a->began_ms;
	hf__agent_tell(a->agent, &event);
}

/* Gives the channel up, where both have not finished. */
static void
give_up(struct hf__app *a)
{
	if (a->channel == NULL || (a->finished && a->end_told))
		return;
	(void)!hf_channel_reset(a->channel,
	    a->reason == HF_REASON_NONE	     ? HF_REASON_GONE :
		a->reason >= HF_REASON_MOVED ? HF_REASON_SHUTDOWN :
					       a->reason);
	hf__held_touch(a->held);
}

/* Whether the channel goes on without it: a reset to be answered, or what it
 * had said to be sent. */
static int
is_owed(const struct hf__app *a)
{
	return a->channel != NULL && !hf_channel_over(a->channel) &&
	    !a->agent->alone && !a->agent->stopping;
}

void
hf__app_forget(struct hf__app *a)
{
	if (a->phase == HF__APP_OVER)
		return;
	a->phase = HF__APP_OVER;
	if (a->channel != NULL) {
		hf_channel_free(a->channel);
		a->channel = NULL;
		hf__held_touch(a->held);
	}
	if (a->held != NULL)
		hf__held_leave(a->held, a);
	LIST_REMOVE(a, of_agent);
	if (a->shut)
		release(a);
}

void
hf__app_drop(struct hf__app *a)
{
	if (a->phase >= HF__APP_LEFT)
		return;
	tell(a);
	give_up(a);
	a->phase = HF__APP_LEFT;
	hf__pace_leave(a);
	hf__agent_share(a->agent, a);
	uv_close((uv_handle_t *)&a->poll, closed);
	if (!is_owed(a))
		hf__app_forget(a);
}

/* --- why ------------------------------------------------------------------------------ */

void
hf__app_gone(struct hf__app *a, enum hf_err err, int reason)
{
	if (a->err == HF_OK) {
		a->err = err;
		a->reason = reason;
	}
	hf__app_drop(a);
}

void
hf__app_end(struct hf__app *a, enum hf_err err, int reason)
{
	struct hf__wire w = { .type = HF__WIRE_OVER };

	if (a->phase >= HF__APP_SAYING)
		return;
	a->err = err;
	a->reason = reason;
	a->phase = HF__APP_SAYING;
	hf__pace_leave(a); /* that it is told at once */
	a->said_ms = hf__agent_ms();
	w.number[HF__OVER_ERROR] = (uint64_t)err;
	w.number[HF__OVER_REASON] = (uint64_t)reason;
	if (hf__app_say(a, &w))
		hf__app_write(a);
	else
		hf__app_drop(a);
}

void
hf__app_lose(struct hf__app *a, enum hf_err err)
{
	if (a->phase != HF__APP_CARRIED || a->lost != HF_OK)
		return;
	/* One that was over before has its own end. */
	if (hf_channel_reason(a->channel) == HF_REASON_LOST)
		a->lost = err;
	a->said_ms = a->lost_ms = hf__agent_ms();
	hf__pace_leave(a); /* its time runs, and what came is told */
	hf__app_write(a);
}

/* More of what it said, behind what is left; 0: that was all. */
static size_t
read_more(const struct hf__app *a, size_t len)
{
	struct iovec room = { a->agent->last + len,
		sizeof(a->agent->last) - len };
	struct msghdr m = { .msg_iov = &room, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = recvmsg(a->fd, &m, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	return n <= 0 || (m.msg_flags & MSG_CTRUNC) != 0 ? 0 : (size_t)n;
}

/* The reason of its over, behind whatever else is in its socket and is of no
 * use any more. */
static int
last_word(struct hf__app *a)
{
	uint8_t *in = a->agent->last;
	size_t len = a->part_len, at, used, more, all = 0;
	enum hf__wire_stage stage = a->stage;
	int reason = HF_REASON_GONE;
	struct hf__wire w;

	if (len > 0)
		memcpy(in, a->part, len);
	a->part_len = 0;
	for (;;) {
		for (at = 0;; at += used) {
			if (hf__wire_read(&w, &used, in + at, len - at,
				stage) != HF_OK)
				goto out;
			if (used == 0)
				break;
			stage = hf__wire_next(stage, w.type);
			if (w.type != HF__WIRE_OVER)
				continue;
			reason = (int)w.number[HF__OVER_REASON];
			goto out;
		}
		len -= at;
		memmove(in, in + at, len);
		/* Who goes on for ever is not listened to for ever. */
		if (all >= LAST_MAX || (more = read_more(a, len)) == 0)
			goto out;
		len += more;
		all += more;
	}
out:
	sodium_memzero(in, sizeof(a->agent->last));
	return reason;
}

void
hf__app_went(struct hf__app *a)
{
	if (a->phase == HF__APP_CARRIED && a->finished && a->end_told)
		hf__app_gone(a, HF_OK, HF_REASON_NONE);
	else if (a->phase == HF__APP_FIRST)
		hf__app_gone(a, HF_E_GONE, HF_REASON_GONE);
	else if (a->phase < HF__APP_SAYING)
		hf__app_gone(a, HF_E_RESET, last_word(a));
	else
		hf__app_drop(a);
}

int
hf__app_may_go(const struct hf__app *a)
{
	return a->phase == HF__APP_CARRIED && a->end_told && !a->finished &&
	    !a->agent->alone;
}

void
hf__app_deaf(struct hf__app *a)
{
	if (hf__app_may_go(a))
		a->words_len = a->words_at = 0;
	else
		hf__app_went(a);
}
