/* SPDX-License-Identifier: ISC */
/*
 * A link's stream and timer: reads no more than the session can take, sends
 * what it has sealed, and closes everything exactly once. It does not know
 * what the bytes mean. Bytes that the session did not take are held, at most
 * one read of them; bytes that the socket does not take are copied into the
 * request that will send them.
 */
#include <sys/socket.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "link.h"

struct chunk {
	uv_write_t req;
	struct hf_link *link;
	uint8_t data[];
};

uint64_t
hf__link_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void
handle_closed(uv_handle_t *handle)
{
	struct hf_link *l = handle->data;

	if (--l->handles > 0)
		return;
	l->hooks->ended(l->owner, l, l->err);
	if (!l->kept)
		hf_session_free(l->session);
	if (l->waiting != NULL)
		sodium_memzero(l->waiting, l->waiting_cap);
	free(l->waiting);
	if (l->held != NULL)
		sodium_memzero(l->held, HF_LINK_SCRATCH);
	free(l->held);
	sodium_memzero(l, sizeof(*l));
	free(l);
}

void
hf__link_end(struct hf_link *l, enum hf_err err, int reset)
{
	if (l->phase == ENDING)
		return;
	l->phase = ENDING;
	if (l->err == HF_OK)
		l->err = l->cut != HF_OK ? l->cut : err;
	uv_close((uv_handle_t *)&l->timer, handle_closed);
	if (reset && l->family != AF_UNIX &&
	    uv_tcp_close_reset(&l->io.tcp, handle_closed) == 0)
		return;
	uv_close(&l->io.handle, handle_closed);
}

/* What it costs depends on how far the session was. */
void
hf__link_broken(struct hf_link *l)
{
	enum hf_err e = HF_E_IO;

	if (l->phase == LINGERING) {
		hf__link_end(l, l->err, 0);
		return;
	}
	if (l->session != NULL && hf_session_eof(l->session) != HF_OK)
		e = hf_session_error(l->session);
	if (!l->failed && l->hooks->failed != NULL) {
		l->failed = 1;
		l->hooks->failed(l->owner, l, e);
	}
	hf__link_end(l, e, 0);
}

/* Nothing can be sent any more. What the peer said before it went, an alert
 * perhaps, may still wait to be read. */
static void
unsendable(struct hf_link *l)
{
	l->dumb = 1;
	if (l->finish_at == 0)
		l->finish_at = hf__link_ms() + LINGER_MS;
	if (l->phase == LINGERING)
		hf__link_end(l, l->err, 0);
	else if (!l->running)
		hf__link_settle(l);
}

/* Acks would pile up for a peer that sends and does not read. */
static void
hold_acks(struct hf_link *l)
{
	size_t unread = uv_stream_get_write_queue_size(&l->io.stream);
	int hold = unread > (l->unread ? HF_LINK_LOW : HF_LINK_HIGH);

	if (hold == l->unread || l->phase != RUNNING)
		return;
	l->unread = hold;
	if (hf_session_hold_acks(l->session, hold) != HF_E_STATE && !hold)
		hf__link_run(l);
}

static void
written(uv_write_t *req, int status)
{
	struct chunk *c = req->data;
	struct hf_link *l = c->link;

	free(c);
	if (l->phase == ENDING)
		return;
	if (status != 0) {
		unsendable(l);
		return;
	}
	if (l->mux != NULL)
		hf_link_pump(l);
	if (l->full && l->phase == RUNNING && l->waiting_len == 0 &&
	    uv_stream_get_write_queue_size(&l->io.stream) < HF_LINK_LOW) {
		l->full = 0;
		l->hooks->drained(l->owner, l);
	}
	hold_acks(l);
}

/* Hands the rest of the output over to a request that owns a copy. Returns 0
 * when memory ran out. */
static int
queue(struct hf_link *l, const uint8_t *data, size_t len)
{
	struct chunk *c;
	uv_buf_t buf;

	if ((c = malloc(sizeof(*c) + len)) == NULL)
		return 0;
	memcpy(c->data, data, len);
	c->link = l;
	c->req.data = c;
	buf = uv_buf_init((char *)c->data, (unsigned int)len);
	if (uv_write(&c->req, &l->io.stream, &buf, 1, written) != 0) {
		free(c);
		unsendable(l);
		return 1;
	}
	l->full = 1;
	hold_acks(l);
	return 1;
}

void
hf__link_trace(struct hf_link *l, int sent, int type, size_t bytes)
{
	if (l->hooks->trace != NULL && !l->opened)
		l->hooks->trace(l->owner, l, sent, type, bytes, l->spent);
	l->spent = 0;
}

enum hf_err
hf__link_flush(struct hf_link *l)
{
	struct hf_span out = hf_session_output(l->session);
	size_t done = 0;
	uv_buf_t buf;
	int r;

	if (out.len == 0)
		return 0;
	if (l->dumb)
		return hf_session_drained(l->session, out.len);
	hf__link_trace(l, 1, out.len > 1 ? out.ptr[1] : -1, out.len);
	if (uv_stream_get_write_queue_size(&l->io.stream) == 0) {
		buf = uv_buf_init((char *)(uintptr_t)out.ptr,
		    (unsigned int)out.len);
		r = uv_try_write(&l->io.stream, &buf, 1);
		if (r < 0 && r != UV_EAGAIN) {
			unsendable(l);
			done = out.len;
		} else if (r > 0) {
			done = (size_t)r;
		}
	}
	if (done < out.len && !queue(l, out.ptr + done, out.len - done))
		return HF_E_MEMORY;
	return hf_session_drained(l->session, out.len);
}

static void
alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct hf_link *l = handle->data;

	(void)suggested;
	/* Where there is more libuv would go on reading, many times: others of
	 * the loop have their turn first. */
	if (l->filled) {
		l->filled = 0;
		*buf = uv_buf_init(NULL, 0);
		return;
	}
	*buf = uv_buf_init((char *)l->scratch, HF_LINK_SCRATCH);
}

/* What the session did not take must leave the shared scratch. */
static int
hold(struct hf_link *l)
{
	if (l->next_len == 0 || l->next == l->held)
		return 1;
	if (l->held == NULL && (l->held = malloc(HF_LINK_SCRATCH)) == NULL)
		return 0;
	memmove(l->held, l->next, l->next_len);
	l->next = l->held;
	return 1;
}

static void
arrived(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct hf_link *l = stream->data;

	if (n == 0 || n == UV_ENOBUFS || l->phase == ENDING)
		return;
	l->filled = n == HF_LINK_SCRATCH;
	if (l->phase == LINGERING) {
		if (n < 0)
			hf__link_end(l, l->err, 0);
		return;
	}
	if (n < 0 && n != UV_EOF) {
		hf__link_broken(l);
		return;
	}
	if (n == UV_EOF) {
		l->eof = 1;
	} else {
		l->next = (const uint8_t *)buf->base;
		l->next_len = (size_t)n;
	}
	hf__link_run(l);
	if (l->phase == RUNNING && !hold(l)) {
		l->err = HF_E_MEMORY;
		hf__link_end(l, HF_E_MEMORY, 1);
	}
}

void
hf_link_look(struct hf_link *l)
{
	uv_os_fd_t fd;
	uv_buf_t buf;
	ssize_t n;

	if (l->phase != RUNNING || !l->reading ||
	    uv_fileno(&l->io.handle, &fd) != 0)
		return;
	alloc(&l->io.handle, 0, &buf);
	n = recv(fd, buf.base, buf.len, MSG_DONTWAIT);
	if (n > 0)
		arrived(&l->io.stream, n, &buf);
}

static void
shut(uv_shutdown_t *req, int status)
{
	struct hf_link *l = req->data;

	if (l->phase != RUNNING)
		return;
	if (status != 0) {
		unsendable(l);
		return;
	}
	l->shut = 1;
	hf__link_run(l);
}

/* Whether more bytes from the peer could be used now. */
static int
hungry(const struct hf_link *l)
{
	enum hf_want want;

	if (l->phase == LINGERING)
		return !l->eof;
	if (l->phase != RUNNING || l->eof || l->paused || l->next_len > 0)
		return 0;
	want = hf_session_want(l->session);
	return want == HF_WANT_READ || want == HF_WANT_DONE;
}

static void late(uv_timer_t *);

/* Sets the one timer to what comes first. */
static void
arm(struct hf_link *l)
{
	uint64_t at = UINT64_MAX, now = hf__link_ms(), end_s, now_s;

	if (l->phase == LINGERING) {
		at = now + LINGER_MS;
	} else if (!l->opened) {
		at = hf_session_deadline(l->session);
		if (l->first_by != 0 && l->first_by < at)
			at = l->first_by;
		if (l->finish_at != 0 && l->finish_at < at)
			at = l->finish_at;
	} else {
		end_s = hf_session_expires(l->session);
		now_s = (uint64_t)time(NULL);
		if (end_s != 0)
			at = now + (end_s > now_s ? end_s - now_s : 0) * 1000;
		if (l->finish_at != 0 && l->finish_at < at)
			at = l->finish_at;
	}
	if (at == UINT64_MAX)
		(void)uv_timer_stop(&l->timer);
	else if (uv_timer_start(&l->timer, late, at > now ? at - now : 0, 0) !=
	    0)
		hf__link_end(l, HF_E_IO, 1);
}

/* A session that moves still acks after its close. */
static int
may_shut(const struct hf_link *l)
{
	return l->cut != HF_OK ||
	    hf_session_mobility(l->session) == HF_MOVES_NOT ||
	    hf_session_want(l->session) == HF_WANT_CLOSED;
}

void
hf__link_settle(struct hf_link *l)
{
	int want_read;

	if (l->phase == RUNNING && l->closing && !l->shutting && !l->dumb &&
	    may_shut(l)) {
		l->shutting = 1;
		l->shutdown.data = l;
		if (uv_shutdown(&l->shutdown, &l->io.stream, shut) != 0) {
			unsendable(l);
			return;
		}
	}
	if (l->phase == RUNNING && l->shut &&
	    (hf_session_want(l->session) == HF_WANT_CLOSED ||
		(l->cut != HF_OK && l->eof)))
		hf__link_end(l, HF_OK, 0);
	if (l->phase == ENDING)
		return;
	want_read = hungry(l);
	if (l->dumb && !want_read) {
		hf__link_broken(l);
		return;
	}
	if (want_read && !l->reading &&
	    uv_read_start(&l->io.stream, alloc, arrived) != 0) {
		hf__link_broken(l);
		return;
	}
	if (!want_read && l->reading)
		(void)uv_read_stop(&l->io.stream);
	l->reading = want_read;
	arm(l);
}

static void
late(uv_timer_t *timer)
{
	struct hf_link *l = timer->data;
	enum hf_err e;

	if (l->phase == LINGERING) {
		hf__link_end(l, l->err, 0);
	} else if (l->first_by != 0 && hf__link_ms() >= l->first_by) {
		hf__link_end(l, HF_E_DEADLINE, 1);
	} else if (l->finish_at != 0 && hf__link_ms() >= l->finish_at) {
		hf__link_end(l, l->opened ? HF_E_TRUNCATED : HF_E_GONE, 1);
	} else {
		/* The handshake's deadline, or the session's end. */
		e = hf_session_tick(l->session, hf__link_ms(),
		    (uint64_t)time(NULL));
		if (e != HF_OK &&
		    hf_session_want(l->session) != HF_WANT_FAILED)
			hf__link_end(l, e, 1);
		hf__link_run(l);
	}
}
