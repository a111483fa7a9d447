/* SPDX-License-Identifier: ISC */
/*
 * The bytes of one direction: read no faster than they can be sent, and never
 * more than a buffer of them held. It knows where messages end and tells of
 * each one before it is carried; what it means is dispatch_said.c's.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_own.h"

/* --- legs ------------------------------------------------------------------------ */

struct hf__leg *
hf__leg_new(uv_loop_t *loop, int family, struct hf__conn *conn)
{
	struct hf__leg *leg;
	int r;

	if ((leg = calloc(1, sizeof(*leg))) == NULL)
		return NULL;
	leg->family = family;
	leg->conn = conn;
	r = family == AF_UNIX ? uv_pipe_init(loop, &leg->io.pipe, 0) :
				uv_tcp_init(loop, &leg->io.tcp);
	if (r != 0) {
		free(leg);
		return NULL;
	}
	leg->io.handle.data = leg;
	return leg;
}

static void
leg_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
hf__leg_close(struct hf__leg *leg, int reset)
{
	if (leg == NULL || leg->conn == NULL)
		return;
	leg->conn = NULL;
	leg->from = NULL;
	if (reset && leg->family != AF_UNIX &&
	    uv_tcp_close_reset(&leg->io.tcp, leg_closed) == 0)
		return;
	if (!uv_is_closing(&leg->io.handle))
		uv_close(&leg->io.handle, leg_closed);
}

/* --- sending ------------------------------------------------------------------------ */

static void
sent(uv_write_t *req, int status)
{
	struct hf__chunk *c = req->data;
	struct hf__flow *flow = c->flow;

	free(c);
	if (flow == NULL)
		return;
	flow->sending = NULL;
	if (status != 0) {
		hf__conn_broken(flow->to);
		return;
	}
	hf__flow_run(flow);
}

/* What the socket does not take at once goes into a chunk, after which nothing
 * more is read. Returns 0 when the leg is broken. */
static int
put(struct hf__flow *flow, const uint8_t *data, size_t len)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
	struct hf__chunk *c;
	int r;

	if (flow->to == NULL)
		return 1;
	r = uv_try_write(&flow->to->io.stream, &buf, 1);
	if (r == UV_EAGAIN)
		r = 0;
	if (r < 0)
		return 0;
	data += r;
	len -= (size_t)r;
	if (len == 0)
		return 1;
	if ((c = malloc(sizeof(*c) + len)) == NULL)
		return 0;
	c->flow = flow;
	c->len = len;
	c->req.data = c;
	memcpy(c->data, data, len);
	buf = uv_buf_init((char *)c->data, (unsigned)len);
	if (uv_write(&c->req, &flow->to->io.stream, &buf, 1, sent) != 0) {
		free(c);
		return 0;
	}
	flow->sending = c;
	return 1;
}

int
hf__flow_between(const struct hf__flow *flow)
{
	return flow->left == 0 && flow->sending == NULL;
}

void
hf__flow_say(struct hf__flow *flow, const uint8_t *word, size_t len)
{
	if (flow->to != NULL && !put(flow, word, len))
		hf__conn_broken(flow->to);
}

void
hf__flow_wipe_sending(struct hf__flow *flow)
{
	if (flow->sending != NULL)
		flow->sending->flow = NULL;
	flow->sending = NULL;
}

void
hf__flow_wipe(struct hf__flow *flow)
{
	hf__flow_wipe_sending(flow);
	free(flow->buf);
	flow->buf = NULL;
	flow->len = flow->cap = 0;
	flow->left = 0;
	flow->held = 0;
}

/* --- messages -------------------------------------------------------------------------- */

/* How much of what is there may be carried now. Less than all: the next
 * message is not whole, or waits. *end: the stream makes no sense. */
static size_t
scan(struct hf__flow *flow, const uint8_t *data, size_t len, int *end)
{
	size_t done = 0, n, whole;
	enum hf_err e;
	int type;

	while (done < len) {
		n = len - done;
		if (flow->left > 0) {
			n = flow->left < n ? (size_t)flow->left : n;
			flow->left -= n;
			done += n;
			continue;
		}
		e = hf_frame_read(&type, &whole, data + done, n);
		if (e != HF_OK) {
			hf__conn_misframed(flow, e);
			*end = 1;
			break;
		}
		/* Not whole: a handshake's messages are carried at once. */
		if (whole == 0)
			break;
		/* What came before it is carried first. */
		if (done > 0 && type != 16)
			break;
		switch (hf__conn_message(flow, type, data + done, whole)) {
		case HF__HOLD:
			flow->held = 1;
			return done;
		case HF__ENDED:
			*end = 1;
			return done;
		case HF__DISCARD:
			flow->discard = whole;
			return done;
		default:
			flow->left = whole;
		}
	}
	return done;
}

/* Keeps what was not carried. Returns 0 when memory ran out. */
int
hf__flow_put(struct hf__flow *flow, const uint8_t *data, size_t len)
{
	if (flow->buf == NULL) {
		if (len == 0)
			return 1;
		if ((flow->buf = malloc(HF__FLOW_MAX)) == NULL)
			return 0;
		flow->cap = HF__FLOW_MAX;
	}
	memmove(flow->buf, data, len);
	flow->len = len;
	if (len == 0) {
		free(flow->buf);
		flow->buf = NULL;
		flow->cap = 0;
	}
	return 1;
}

/* Carries what it can of these bytes, which are all that there is. The
 * connection may be gone after it: then it returns 0. */
static int
carry(struct hf__flow *flow, const uint8_t *data, size_t len)
{
	struct hf__conn *c = flow->conn;
	int end = 0;
	size_t n;

	while (len > 0 && flow->sending == NULL && !flow->held) {
		n = scan(flow, data, len, &end);
		if (end)
			return 0;
		if (flow->discard > 0) {
			data += flow->discard;
			len -= flow->discard;
			flow->discard = 0;
			continue;
		}
		if (n == 0)
			break;
		flow->bytes += n;
		flow->at = uv_now(c->d->loop);
		if (!put(flow, data, n)) {
			/* A resume may follow. */
			if (!hf__flow_put(flow, data + n, len - n))
				hf__conn_end(c, HF_E_MEMORY, 1);
			else
				hf__conn_broken(flow->to);
			return 0;
		}
		data += n;
		len -= n;
	}
	if (!hf__flow_put(flow, data, len)) {
		hf__conn_end(c, HF_E_MEMORY, 1);
		return 0;
	}
	return 1;
}

/* --- reading ------------------------------------------------------------------------------ */

static void
give_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct hf__leg *leg = handle->data;
	struct hf__flow *flow = leg->from;

	(void)size;
	*buf = uv_buf_init(NULL, 0);
	if (flow == NULL)
		return;
	if (flow->buf == NULL)
		*buf =
		    uv_buf_init((char *)flow->conn->d->scratch, HF__FLOW_MAX);
	else
		*buf = uv_buf_init((char *)flow->buf + flow->len,
		    (unsigned)(flow->cap - flow->len));
}

static void
arrived(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct hf__leg *leg = stream->data;
	struct hf__flow *flow = leg->from;

	(void)buf;
	if (flow == NULL || n == 0)
		return;
	if (n < 0) {
		leg->eof = 1;
		(void)uv_read_stop(stream);
		leg->reading = 0;
		if (n == UV_EOF)
			hf__conn_eof(flow);
		else
			hf__conn_broken(leg);
		return;
	}
	flow->conn->touched = uv_now(stream->loop);
	if (flow->drop)
		return;
	if (flow->buf == NULL) {
		if (!carry(flow, flow->conn->d->scratch, (size_t)n))
			return;
	} else {
		flow->len += (size_t)n;
		if (!carry(flow, flow->buf, flow->len))
			return;
	}
	hf__conn_settle(flow->conn);
}

void
hf__leg_read(struct hf__leg *leg)
{
	struct hf__flow *flow = leg->from;
	int wants = flow != NULL && !leg->eof && !flow->held &&
	    flow->sending == NULL &&
	    (flow->buf == NULL || flow->len < flow->cap);

	if (wants == leg->reading)
		return;
	if (wants && uv_read_start(&leg->io.stream, give_room, arrived) != 0)
		return;
	if (!wants)
		(void)uv_read_stop(&leg->io.stream);
	leg->reading = wants;
}

void
hf__flow_run(struct hf__flow *flow)
{
	struct hf__conn *c = flow->conn;

	if (flow->len > 0 && !carry(flow, flow->buf, flow->len))
		return;
	hf__conn_settle(c);
}
