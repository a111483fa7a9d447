/* SPDX-License-Identifier: ISC */
/*
 * One application of an agent, as it is told: what its channel receives becomes
 * frames, and so does what is known of the session. Who does not read is not
 * read for: his channel gets no more credit, and nobody else waits for him.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "agent_own.h"

enum { AT_ONCE = 8 };

static int
keep_words(struct hf__app *a, const uint8_t *data, size_t len)
{
	uint8_t *more;
	size_t cap;

	if (a->words_at > 0) {
		memmove(a->words, a->words + a->words_at, a->words_len);
		a->words_at = 0;
	}
	if (a->words_len + len > a->words_cap) {
		cap = 2 * (a->words_len + len);
		if ((more = malloc(cap)) == NULL)
			return 0;
		if (a->words != NULL) {
			memcpy(more, a->words, a->words_len);
			sodium_memzero(a->words, a->words_cap);
		}
		free(a->words);
		a->words = more;
		a->words_cap = cap;
	}
	memcpy(a->words + a->words_len, data, len);
	a->words_len += len;
	return 1;
}

int
hf__app_say(struct hf__app *a, const struct hf__wire *w)
{
	uint8_t frame[HF__WIRE_SMALL] = { 0 };
	size_t len = hf__wire_write(frame, w);

	return keep_words(a, frame, len);
}

static ssize_t
put(struct hf__app *a, struct iovec *iov, size_t n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t sent;

	do
		sent = sendmsg(a->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent;
}

/* Returns 0 when it went away. */
static int
write_words(struct hf__app *a)
{
	struct iovec iov;
	ssize_t n;

	while (a->words_len > 0) {
		iov.iov_base = a->words + a->words_at;
		iov.iov_len = a->words_len;
		if ((n = put(a, &iov, 1)) == -1)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		a->words_at += (size_t)n;
		a->words_len -= (size_t)n;
		/* Also the rest of a frame is something that it took. */
		if (a->phase == HF__APP_CARRIED)
			a->said_ms = hf__agent_ms();
	}
	a->words_at = 0;
	return 1;
}

/* Frames of what the channel has received; the rest of one that has begun is
 * kept. Returns 0 when nothing more goes, -1 when it went away. */
static int
write_data(struct hf__app *a)
{
	uint8_t heads[AT_ONCE][HF__WIRE_HEAD];
	struct iovec iov[2 * AT_ONCE];
	struct hf_span data = hf_channel_data(a->channel);
	size_t n = 0, at = 0, i, part, gone_by, whole;
	ssize_t r;

	if (data.len == 0)
		return 0;
	data.len = hf__pace_turn(a, data.len);
	for (; n < 2 * AT_ONCE && at < data.len; n += 2, at += part) {
		part = data.len - at < HF__WIRE_DATA_MAX ? data.len - at :
							   HF__WIRE_DATA_MAX;
		iov[n].iov_base = heads[n / 2];
		iov[n].iov_len = hf__wire_data(heads[n / 2], part);
		iov[n + 1].iov_base = (void *)(uintptr_t)(data.ptr + at);
		iov[n + 1].iov_len = part;
	}
	if ((r = put(a, iov, n)) == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	gone_by = (size_t)r;
	at = 0;
	for (i = 0; i < n && gone_by > 0; i += 2) {
		whole = iov[i].iov_len + iov[i + 1].iov_len;
		at += iov[i + 1].iov_len;
		if (gone_by >= whole) {
			gone_by -= whole;
			continue;
		}
		if ((gone_by < iov[i].iov_len &&
			!keep_words(a, (uint8_t *)iov[i].iov_base + gone_by,
			    iov[i].iov_len - gone_by)))
			return -1;
		part = gone_by > iov[i].iov_len ? gone_by - iov[i].iov_len : 0;
		if (!keep_words(a, (uint8_t *)iov[i + 1].iov_base + part,
			iov[i + 1].iov_len - part))
			return -1;
		gone_by = 0;
	}
	a->out += at;
	hf__pace_said(a, at);
	a->said_ms = hf__agent_ms();
	/* It was received: the peer may send as much again. */
	if (hf_channel_taken(a->channel, at) != HF_OK)
		return -1;
	hf__held_touch(a->held);
	return a->words_len == 0;
}

/* The channel has nothing more: what that means for the application. Returns 1
 * when there is a word to be written. */
static int
at_end(struct hf__app *a)
{
	struct hf__wire w = { .type = HF__WIRE_END };
	int reason;

	if (a->channel == NULL || a->words_len > 0 ||
	    hf_channel_data(a->channel).len > 0)
		return 0;
	reason = hf_channel_reason(a->channel);
	if (!a->end_told && hf_channel_finished(a->channel) && reason == 0) {
		a->end_told = 1;
		return hf__app_say(a, &w);
	}
	/* What broke the session is told when that has ended. */
	if (!hf_channel_ended(a->channel) ||
	    (reason == HF_REASON_LOST && a->lost == HF_OK))
		return 0;
	if (reason != 0)
		hf__app_end(a,
		    reason == HF_REASON_REFUSED	  ? HF_E_REFUSED :
			reason == HF_REASON_LIMIT ? HF_E_QUOTA :
			reason != HF_REASON_LOST  ? HF_E_RESET :
						    a->lost,
		    reason);
	else if (a->finished && a->end_told)
		hf__app_drop(a); /* both have finished */
	return 0;
}

void
hf__app_write(struct hf__app *a)
{
	int r = 1;

	/* Where it may have gone its channel's end is still to be seen. */
	if (!write_words(a))
		hf__app_deaf(a);
	if (a->phase == HF__APP_SAYING) {
		if (a->words_len == 0)
			hf__app_drop(a);
		else
			hf__app_watch(a);
		return;
	}
	while (a->words_len == 0 && a->phase == HF__APP_CARRIED &&
	    !hf__pace_waits(a)) {
		r = write_data(a);
		if (r == 0 && at_end(a) && write_words(a))
			continue;
		if (r <= 0)
			break;
	}
	if (r < 0)
		hf__app_went(a);
	hf__app_watch(a);
}

void
hf__app_news(struct hf__app *a, unsigned news)
{
	if (a->phase == HF__APP_LEFT && hf_channel_over(a->channel)) {
		hf__app_forget(a);
		return;
	}
	if (a->phase != HF__APP_CARRIED)
		return;
	if ((news & (HF_NEWS_READABLE | HF_NEWS_FINISHED | HF_NEWS_ENDED)) !=
	    0)
		hf__app_write(a);
	else
		hf__app_watch(a);
}

void
hf__app_inform(struct hf__app *a)
{
	const struct hf__held *held = a->held;
	struct hf__wire w = { .type = HF__WIRE_INFO };

	w.bytes[HF__INFO_SID].ptr = held->sid;
	w.bytes[HF__INFO_SID].len = sizeof(held->sid);
	w.number[HF__INFO_SUITE] =
	    (uint64_t)hf_session_suite(hf_link_session(held->link));
	w.number[HF__INFO_EPOCH] = held->epoch;
	w.number[HF__INFO_STRENGTH] = (uint64_t)held->strength;
	w.bytes[HF__INFO_RESPONDER].ptr =
	    (const uint8_t *)held->responder.text;
	w.bytes[HF__INFO_RESPONDER].len = held->responder.len;
	if (hf__app_say(a, &w))
		hf__app_write(a);
	else
		hf__app_gone(a, HF_E_MEMORY, HF_REASON_FAILED);
}
