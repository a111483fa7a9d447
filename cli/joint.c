/* SPDX-License-Identifier: ISC */
/*
 * Joins a session to a stream pair of this machine, there and back: a child's
 * standard input and output, or a socket to another program. Each direction
 * is held back by the other's queue and closed by itself. It does not know
 * what is at the far end.
 */
#include <sys/socket.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"

struct chunk {
	uv_write_t req;
	struct joint *joint;
	size_t len;
	uint8_t data[];
};

static void
broke(struct joint *j)
{
	/* A reader that went away, as `head` does: the rest is dropped. */
	j->broken = 1;
	if (j->held && j->lane != NULL) {
		j->held = 0;
		lane_resume(j->lane);
	}
}

static void
written(uv_write_t *req, int status)
{
	struct chunk *c = req->data;
	struct joint *j = c->joint;

	sodium_memzero(c->data, c->len);
	free(c);
	if (j->lane == NULL)
		return;
	if (status != 0) {
		broke(j);
	} else if (j->held &&
	    uv_stream_get_write_queue_size(j->out) < HF_LINK_LOW) {
		j->held = 0;
		lane_resume(j->lane);
	}
}

static int
queue(struct joint *j, const uint8_t *data, size_t len)
{
	struct chunk *c;
	uv_buf_t buf;

	if ((c = malloc(sizeof(*c) + len)) == NULL)
		return 0;
	memcpy(c->data, data, len);
	c->joint = j;
	c->len = len;
	c->req.data = c;
	buf = uv_buf_init((char *)c->data, (unsigned int)len);
	if (uv_write(&c->req, j->out, &buf, 1, written) == 0)
		return 1;
	sodium_memzero(c->data, len);
	free(c);
	return 0;
}

void
joint_data(struct joint *j, const uint8_t *data, size_t len)
{
	size_t done = 0;
	uv_buf_t buf;
	int r;

	if (j->broken)
		return;
	if (uv_stream_get_write_queue_size(j->out) == 0) {
		buf = uv_buf_init((char *)(uintptr_t)data, (unsigned int)len);
		r = uv_try_write(j->out, &buf, 1);
		if (r < 0 && r != UV_EAGAIN) {
			broke(j);
			return;
		}
		if (r > 0)
			done = (size_t)r;
	}
	if (done < len && !queue(j, data + done, len - done)) {
		lane_abort(j->lane, HF_E_MEMORY);
		return;
	}
	if (uv_stream_get_write_queue_size(j->out) > HF_LINK_HIGH) {
		j->held = 1;
		lane_pause(j->lane);
	}
}

/* Whether to close it is to reset it, also where this process dies. To a unix
 * socket it makes no difference. */
static void
set_reset(struct joint *j, int on)
{
	const struct linger at_once = { .l_onoff = on, .l_linger = 0 };
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)j->out, &fd) == 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once,
		    sizeof(at_once));
}

static void
close_out(struct joint *j)
{
	uv_close((uv_handle_t *)j->out, joint_handle_closed);
	if (j->waits)
		uv_close((uv_handle_t *)&j->timer, joint_handle_closed);
}

/* All was written, and its end: it may be closed now. */
static void
shut(uv_shutdown_t *req, int status)
{
	struct joint *j = req->handle->data;

	j->shut = 1;
	if (uv_is_closing((uv_handle_t *)j->out))
		return;
	if (status == 0)
		set_reset(j, 0);
	if (j->waits)
		close_out(j);
}

void
joint_closed(struct joint *j)
{
	j->finished = 1;
	if (!j->broken && uv_shutdown(&j->shutdown, j->out, shut) != 0)
		j->broken = 1;
}

static void
alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct joint *j = handle->data;

	(void)suggested;
	*buf = uv_buf_init((char *)j->buf, HF_LINK_SCRATCH);
}

static void
came_back(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct joint *j = stream->data;

	if (j->lane == NULL || n == 0)
		return;
	if (n < 0) {
		j->over = 1;
		(void)uv_read_stop(j->in);
		j->hooks->ended(j, n == UV_EOF ? 0 : (int)n);
		return;
	}
	lane_send(j->lane, (const uint8_t *)buf->base, (size_t)n);
	if (lane_full(j->lane)) {
		j->blocked = 1;
		(void)uv_read_stop(j->in);
	}
}

static void
read_back(struct joint *j)
{
	if (uv_read_start(j->in, alloc, came_back) != 0) {
		j->over = 1;
		j->hooks->ended(j, UV_EIO);
	}
}

void
joint_start(struct joint *j)
{
	if ((j->buf = malloc(HF_LINK_SCRATCH)) == NULL) {
		lane_abort(j->lane, HF_E_MEMORY);
		return;
	}
	j->ready = 1;
	/* What is cut off must not look complete there. */
	set_reset(j, 1);
	read_back(j);
	lane_resume(j->lane);
}

void
joint_drained(struct joint *j)
{
	if (!j->blocked || j->over)
		return;
	j->blocked = 0;
	read_back(j);
}

void
joint_handle_closed(uv_handle_t *handle)
{
	struct joint *j = handle->data;

	if (--j->handles > 0)
		return;
	if (j->buf != NULL)
		sodium_memzero(j->buf, HF_LINK_SCRATCH);
	free(j->buf);
	j->buf = NULL;
	j->hooks->freed(j);
}

/* It has taken nothing for that long. */
static void
overdue(uv_timer_t *timer)
{
	struct joint *j = timer->data;
	size_t left = uv_stream_get_write_queue_size(j->out);

	if (left == j->left)
		close_out(j);
	j->left = left;
}

/* All has come, and is not written yet. Returns 0 where it does not wait. */
static int
wait_for_rest(struct joint *j, uint64_t ms)
{
	if (!j->finished || j->shut || j->broken || ms == 0 ||
	    uv_timer_init(j->out->loop, &j->timer) != 0)
		return 0;
	j->timer.data = j;
	j->handles++;
	j->waits = 1;
	j->left = uv_stream_get_write_queue_size(j->out);
	return uv_timer_start(&j->timer, overdue, ms, ms) == 0;
}

void
joint_end(struct joint *j, uint64_t ms)
{
	j->lane = NULL;
	if (j->in != NULL && j->in != j->out &&
	    !uv_is_closing((uv_handle_t *)j->in))
		uv_close((uv_handle_t *)j->in, joint_handle_closed);
	if (j->out != NULL && !uv_is_closing((uv_handle_t *)j->out) &&
	    !wait_for_rest(j, ms))
		close_out(j);
}
