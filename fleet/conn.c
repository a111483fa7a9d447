/* SPDX-License-Identifier: ISC */
/*
 * An application's end of a connection: frames to and from whoever works on
 * it, the agent or a thread of this process. Which of the two it is makes no
 * difference after it was opened. It holds no key and knows no session.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent_path.h"
#include "agent_private.h"
#include "agent_wire.h"
#include "conn.h"

enum {
	IN_MAX = 4 * HF__WIRE_MAX, /* received at once */
	AT_ONCE = 4,		   /* frames sent at once */
	CLOSE_MS = 2000		   /* where no call may wait */
};
_Static_assert((int)HF_CONN_PEER_MAX == (int)HF__WIRE_PEER_MAX,
    "a name that can be asked for has room in what is told");

struct hf_conn {
	int fd;
	struct hf__private *own; /* NULL: it is shared */
	int wait_ms;		 /* 0: never */
	enum hf_err err;	 /* the first one */
	int finished, peer_finished, blocked;
	enum hf__wire_stage stage; /* of what the agent says */
	struct hf_conn_info info;
	size_t data_left; /* of the frame of data at in + in_at */
	size_t in_at, in_len;
	size_t out_at, out_len; /* of a frame that went in part, and an end */
	uint8_t in[IN_MAX];
	uint8_t out[HF__WIRE_MAX + HF__WIRE_SMALL];
};

/* --- waiting ---------------------------------------------------------------------- */

/* When a call that begins now may wait no longer; -1: never. */
static int64_t
until(const struct hf_conn *c)
{
	struct timespec now;

	if (c->wait_ms <= 0)
		return c->wait_ms;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + c->wait_ms;
}

/* Waits for an event. HF_E_AGAIN where nothing may wait. */
static enum hf_err
wait_for(struct hf_conn *c, short events, int64_t end)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	struct timespec now;
	int64_t left = -1;
	int r;

	if (c->wait_ms == 0)
		return HF_E_AGAIN;
	do {
		if (end >= 0) {
			(void)clock_gettime(CLOCK_MONOTONIC, &now);
			left = end - (int64_t)now.tv_sec * 1000 -
			    now.tv_nsec / 1000000;
			if (left <= 0)
				return HF_E_DEADLINE;
		}
		r = poll(&p, 1, (int)left);
	} while (r == -1 && errno == EINTR);
	return r == -1 ? HF_E_IO : r == 0 ? HF_E_DEADLINE : HF_OK;
}

/* --- what comes ------------------------------------------------------------------- */

static enum hf_err
failed(struct hf_conn *c, enum hf_err e)
{
	if (c->err == HF_OK)
		c->err = e;
	return c->err;
}

/* Reads once, without waiting. */
static enum hf_err
fill(struct hf_conn *c)
{
	struct iovec room;
	struct msghdr m = { .msg_iov = &room, .msg_iovlen = 1 };
	ssize_t n;

	if (c->in_at > 0 && c->in_len > 0)
		memmove(c->in, c->in + c->in_at, c->in_len);
	c->in_at = 0;
	room.iov_base = c->in + c->in_len;
	room.iov_len = sizeof(c->in) - c->in_len;
	do
		n = recvmsg(c->fd, &m, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return HF_E_AGAIN;
	if (n <= 0)
		return failed(c, HF_E_AGENT_GONE);
	/* Descriptors have no place here; the kernel has closed them. */
	if ((m.msg_flags & MSG_CTRUNC) != 0)
		return failed(c, HF_E_UNEXPECTED);
	c->in_len += (size_t)n;
	return HF_OK;
}

static void
informed(struct hf_conn_info *i, const struct hf__wire *w)
{
	const struct hf_span *name = &w->bytes[HF__INFO_RESPONDER];

	i->open = 1;
	i->broken = (int)w->number[HF__INFO_BROKEN];
	i->suite = (int)w->number[HF__INFO_SUITE];
	i->epoch = w->number[HF__INFO_EPOCH];
	i->strength = (enum hf_mobility)w->number[HF__INFO_STRENGTH];
	memset(i->sid, 0, sizeof(i->sid));
	memcpy(i->sid, w->bytes[HF__INFO_SID].ptr, w->bytes[HF__INFO_SID].len);
	memcpy(i->responder, name->ptr, name->len);
	i->responder[name->len] = '\0';
}

/* Its place in the order was judged when it was read. */
static enum hf_err
take(struct hf_conn *c, const struct hf__wire *w, size_t used)
{
	size_t head = 0;

	c->stage = hf__wire_next(c->stage, w->type);
	switch (w->type) {
	case HF__WIRE_INFO:
		informed(&c->info, w);
		break;
	case HF__WIRE_DATA:
		c->data_left = w->bytes[0].len;
		head = used - c->data_left;
		c->in_at += head;
		c->in_len -= head;
		return HF_OK;
	case HF__WIRE_END:
		c->peer_finished = 1;
		break;
	default: /* over */
		c->info.reason = (int)w->number[HF__OVER_REASON];
		return failed(c, (enum hf_err)w->number[HF__OVER_ERROR]);
	}
	c->in_at += used;
	c->in_len -= used;
	return HF_OK;
}

/* Takes the next frame, if there is a whole one: HF_OK; HF_E_AGAIN. */
static enum hf_err
next(struct hf_conn *c)
{
	struct hf__wire w;
	size_t used;
	enum hf_err e;

	if (c->err != HF_OK)
		return c->err;
	for (;;) {
		e = hf__wire_read(&w, &used, c->in + c->in_at, c->in_len,
		    c->stage);
		if (e != HF_OK)
			return failed(c, e);
		if (used > 0)
			return take(c, &w, used);
		if ((e = fill(c)) != HF_OK)
			return e;
	}
}

/* --- what goes -------------------------------------------------------------------- */

/* Nothing can be sent any more. Why, the agent has said behind what else it had
 * to say: with data before it that is for who receives. */
static enum hf_err
cut_off(struct hf_conn *c)
{
	while (c->data_left == 0 && next(c) == HF_OK)
		continue;
	return c->data_left > 0 ? HF_E_RESET : failed(c, HF_E_AGENT_GONE);
}

static ssize_t
put(struct hf_conn *c, struct iovec *iov, size_t n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t sent;

	do
		sent = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent;
}

/* What waits goes first. */
static enum hf_err
flush(struct hf_conn *c)
{
	struct iovec iov;
	ssize_t n;

	while (c->out_len > 0) {
		iov.iov_base = c->out + c->out_at;
		iov.iov_len = c->out_len;
		if ((n = put(c, &iov, 1)) == -1)
			return errno == EAGAIN || errno == EWOULDBLOCK ?
			    HF_E_AGAIN :
			    cut_off(c);
		c->out_at += (size_t)n;
		c->out_len -= (size_t)n;
	}
	c->out_at = 0;
	return HF_OK;
}

/* All of it; or, where nothing may wait, what goes now. */
static enum hf_err
flush_all(struct hf_conn *c, int64_t end)
{
	enum hf_err e;

	while ((e = flush(c)) == HF_E_AGAIN &&
	    (e = wait_for(c, POLLOUT, end)) == HF_OK)
		continue;
	return e == HF_E_AGAIN ? HF_OK : e;
}

/* One attempt to send a few frames. *sent: bytes of data that need no further
 * thought of the application. */
static enum hf_err
send_once(struct hf_conn *c, size_t *sent, const uint8_t *data, size_t len)
{
	uint8_t heads[AT_ONCE][HF__WIRE_HEAD];
	struct iovec iov[2 * AT_ONCE];
	size_t n = 0, at = 0, i, gone, part;
	ssize_t r;

	*sent = 0;
	for (; n < 2 * AT_ONCE && at < len; n += 2) {
		part = len - at < HF__WIRE_DATA_MAX ? len - at :
						      HF__WIRE_DATA_MAX;
		iov[n].iov_base = heads[n / 2];
		iov[n].iov_len = hf__wire_data(heads[n / 2], part);
		iov[n + 1].iov_base = (void *)(uintptr_t)(data + at);
		iov[n + 1].iov_len = part;
		at += part;
	}
	if ((r = put(c, iov, n)) == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? HF_E_AGAIN :
								 cut_off(c);
	gone = (size_t)r;
	for (i = 0; i < n && gone >= iov[i].iov_len + iov[i + 1].iov_len;
	     i += 2) {
		gone -= iov[i].iov_len + iov[i + 1].iov_len;
		*sent += iov[i + 1].iov_len;
	}
	if (gone == 0)
		return HF_OK;
	/* The rest of a frame that has begun is kept. */
	for (part = 0; part < 2; part++) {
		if (gone < iov[i + part].iov_len) {
			memcpy(c->out + c->out_len,
			    (uint8_t *)iov[i + part].iov_base + gone,
			    iov[i + part].iov_len - gone);
			c->out_len += iov[i + part].iov_len - gone;
			gone = 0;
		} else {
			gone -= iov[i + part].iov_len;
		}
	}
	*sent += iov[i + 1].iov_len;
	return HF_OK;
}

enum hf_err
hf_conn_send(struct hf_conn *c, size_t *sent, const void *data, size_t len)
{
	int64_t end = until(c);
	size_t some;
	enum hf_err e;

	*sent = 0;
	if (c->err != HF_OK)
		return c->err;
	if (c->finished)
		return HF_E_STATE;
	c->blocked = 0;
	while (*sent < len) {
		some = 0;
		if ((e = flush(c)) == HF_OK)
			e = send_once(c, &some, (const uint8_t *)data + *sent,
			    len - *sent);
		*sent += some;
		if (e == HF_E_AGAIN) {
			c->blocked = 1;
			if (c->wait_ms == 0 && *sent > 0)
				return HF_OK;
			e = wait_for(c, POLLOUT, end);
		}
		if (e != HF_OK)
			return e;
	}
	return flush_all(c, end);
}

enum hf_err
hf_conn_finish(struct hf_conn *c)
{
	struct hf__wire w = { .type = HF__WIRE_END };
	int64_t end = until(c);

	if (c->err != HF_OK)
		return c->err;
	if (!c->finished) {
		c->finished = 1;
		c->blocked = 0; /* nothing more is to be sent */
		memmove(c->out, c->out + c->out_at, c->out_len);
		c->out_at = 0;
		c->out_len += hf__wire_write(c->out + c->out_len, &w);
	}
	return flush_all(c, end);
}

enum hf_err
hf_conn_recv(struct hf_conn *c, size_t *len, void *buf, size_t cap)
{
	int64_t end = until(c);
	enum hf_err e;

	*len = 0;
	if (cap == 0)
		return HF_E_ARG;
	for (;;) {
		/* What is left of what was sent without waiting. */
		if (c->out_len > 0 && c->err == HF_OK)
			(void)!flush(c);
		if (c->data_left > 0)
			break;
		if (c->peer_finished)
			return HF_OK;
		if ((e = next(c)) == HF_E_AGAIN)
			e = wait_for(c,
			    c->out_len > 0 ? POLLIN | POLLOUT : POLLIN, end);
		if (e != HF_OK)
			return e;
	}
	*len = c->data_left < cap ? c->data_left : cap;
	memcpy(buf, c->in + c->in_at, *len);
	c->in_at += *len;
	c->in_len -= *len;
	c->data_left -= *len;
	return HF_OK;
}

/* --- opening and closing ------------------------------------------------------------ */

static enum hf_err
reach(struct hf_conn *c, const char *peer, unsigned flags, const char *where)
{
	char path[HF__PATH_MAX];
	enum hf_err e = HF_OK;

	if ((flags & HF_SHARED) != 0) {
		if (where == NULL && (e = hf__agent_where(path)) == HF_OK)
			where = path;
		if (e == HF_OK)
			e = hf__agent_connect(&c->fd, where);
		if (e == HF_OK)
			c->info.shared = 1;
		if (e != HF_E_NO_AGENT || (flags & HF_FALLBACK) == 0)
			return e;
		c->info.fell_back = 1;
		where = NULL;
	}
	if (where == NULL) {
		if ((e = hf__peers_where(path)) != HF_OK)
			return e;
		where = path;
	}
	return hf__private_start(&c->own, &c->fd, where, peer);
}

/* Asks for the channel; and waits until there is one. */
static enum hf_err
ask(struct hf_conn *c, const char *peer)
{
	struct hf__wire w = { .type = HF__WIRE_OPEN };
	int64_t end = until(c);
	enum hf_err e;

	w.number[HF__OPEN_VERSION] = HF__WIRE_VERSION;
	w.bytes[HF__OPEN_PEER].ptr = (const uint8_t *)peer;
	w.bytes[HF__OPEN_PEER].len = strlen(peer);
	c->out_len = hf__wire_write(c->out, &w);
	if ((e = flush(c)) != HF_OK)
		return e;
	while (!c->info.open) {
		if ((e = next(c)) == HF_E_AGAIN)
			e = wait_for(c, POLLIN, end);
		if (e == HF_E_AGAIN)
			return HF_OK;
		if (e != HF_OK)
			return e;
	}
	return HF_OK;
}

enum hf_err
hf_conn_open_at(struct hf_conn **out, const char *peer, unsigned flags,
    const char *where)
{
	unsigned mode = flags & (HF_SHARED | HF_UNSHARED);
	struct hf_conn *c;
	enum hf_err e;

	if ((mode != HF_SHARED && mode != HF_UNSHARED) ||
	    (flags &
		~(unsigned)(HF_SHARED | HF_UNSHARED | HF_FALLBACK |
		    HF_NONBLOCK)) != 0 ||
	    (mode == HF_UNSHARED && (flags & HF_FALLBACK) != 0) ||
	    !hf__wire_peer(peer, strlen(peer)))
		return HF_E_ARG;
	if ((e = hf_init()) != HF_OK)
		return e;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return HF_E_MEMORY;
	c->fd = -1;
	c->stage = HF__WIRE_ANSWERS;
	c->wait_ms = (flags & HF_NONBLOCK) != 0 ? 0 : -1;
	memcpy(c->info.peer, peer, strlen(peer) + 1);
	if ((e = reach(c, peer, flags, where)) == HF_OK)
		e = ask(c, peer);
	if (e != HF_OK) {
		(void)hf_conn_close(c);
		return e;
	}
	*out = c;
	return HF_OK;
}

enum hf_err
hf_conn_open(struct hf_conn **out, const char *peer, unsigned flags)
{
	return hf_conn_open_at(out, peer, flags, NULL);
}

/* Says so, where that goes: who only goes away has died. */
static void
give_up(struct hf_conn *c)
{
	struct hf__wire w = { .type = HF__WIRE_OVER };

	/* Not in the middle of a frame. */
	if (c->fd == -1 || flush(c) != HF_OK)
		return;
	w.number[HF__OVER_ERROR] = HF_E_RESET;
	w.number[HF__OVER_REASON] = HF_REASON_CANCELLED;
	c->out_len = hf__wire_write(c->out, &w);
	(void)!flush(c);
}

/* An agent keeps what was said until it is sent; a thread of this process ends
 * with the connection. It hangs up when all is, or says why that cannot be. */
static enum hf_err
all_sent(struct hf_conn *c)
{
	int64_t end;
	enum hf_err e;

	if (c->own == NULL)
		return HF_OK;
	if (c->wait_ms == 0)
		c->wait_ms = CLOSE_MS;
	end = until(c);
	if ((e = flush_all(c, end)) != HF_OK)
		return e;
	do {
		if ((e = next(c)) == HF_E_AGAIN)
			e = wait_for(c, POLLIN, end);
	} while (e == HF_OK);
	return e == HF_E_AGENT_GONE ? HF_OK : e;
}

enum hf_err
hf_conn_close(struct hf_conn *c)
{
	enum hf_err e;

	if (c == NULL)
		return HF_OK;
	e = c->err;
	if (e == HF_OK)
		e = c->finished && c->peer_finished &&
			(c->own != NULL || c->out_len == 0) ?
		    all_sent(c) :
		    HF_E_RESET;
	if (e != HF_OK && c->err == HF_OK)
		give_up(c);
	if (c->fd != -1)
		(void)close(c->fd);
	hf__private_end(c->own);
	sodium_memzero(c, sizeof(*c));
	free(c);
	return e;
}

int
hf_conn_poll_fd(const struct hf_conn *c, short *events)
{
	*events =
	    (short)(POLLIN | (c->out_len > 0 || c->blocked ? POLLOUT : 0));
	return c->fd;
}

int
hf_conn_pending(struct hf_conn *c)
{
	while (c->data_left == 0 && !c->peer_finished)
		switch (next(c)) {
		case HF_OK:
			continue;
		case HF_E_AGAIN:
			return 0;
		default:
			return 1;
		}
	return 1;
}

void
hf_conn_wait(struct hf_conn *c, int ms)
{
	c->wait_ms = ms < 0 ? -1 : ms;
}

void
hf_conn_info(struct hf_conn_info *info, struct hf_conn *c)
{
	/* What stands before data can be told; what is behind it not yet. */
	(void)hf_conn_pending(c);
	*info = c->info;
}
