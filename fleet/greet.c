/* SPDX-License-Identifier: ISC */
/*
 * Connections of those who say in a header for whom they come: the header is
 * read before anything else, and not a byte more. What is none, or does not
 * come in time, is closed.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "server.h"

struct hf__greeting {
	uv_poll_t poll;
	uv_timer_t timer;
	struct hf__listener *listener;
	struct hf__greeting *next, *prev;
	struct hf_address at, from; /* as the kernel, and the header has it */
	int fd, handles, good;
	size_t len;
	uint8_t bytes[HF_PROXY_MAX];
};

/* The poll is gone: now another may watch the descriptor. */
static void
closed(uv_handle_t *handle)
{
	struct hf__greeting *g = handle->data;
	struct hf_worker *w = g->listener->worker;

	if (--g->handles > 0)
		return;
	if (g->good && !w->stopping)
		hf__door_take(g->listener, g->fd,
		    g->from.len > 0 ? &g->from : &g->at, g->from.len == 0);
	else
		(void)close(g->fd);
	free(g);
	/* He had a place, and may have none now. */
	hf__doors_open(w);
}

static void
finish(struct hf__greeting *g, int good)
{
	struct hf_worker *w = g->listener->worker;

	if (uv_is_closing((uv_handle_t *)&g->poll))
		return;
	g->good = good;
	if (g->prev != NULL)
		g->prev->next = g->next;
	else
		w->greetings = g->next;
	if (g->next != NULL)
		g->next->prev = g->prev;
	w->greetings_n--;
	uv_close((uv_handle_t *)&g->poll, closed);
	uv_close((uv_handle_t *)&g->timer, closed);
}

static void
too_late(uv_timer_t *timer)
{
	finish(timer->data, 0);
}

static void
readable(uv_poll_t *poll, int status, int events)
{
	struct hf__greeting *g = poll->data;
	enum hf_err e = HF_OK;
	size_t whole = 0;
	ssize_t n;

	(void)events;
	if (status != 0) {
		finish(g, 0);
		return;
	}
	for (;;) {
		e = hf_proxy_read(&g->from, &whole, g->bytes, g->len);
		if (e != HF_OK || g->len == whole)
			break;
		n = recv(g->fd, g->bytes + g->len, whole - g->len, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			finish(g, 0);
			return;
		}
		g->len += (size_t)n;
	}
	finish(g, e == HF_OK);
}

void
hf__greet(struct hf__listener *l, int fd, const struct hf_address *a)
{
	struct hf_worker *w = l->worker;
	struct hf__greeting *g;

	if ((g = calloc(1, sizeof(*g))) == NULL ||
	    uv_poll_init(&w->loop, &g->poll, fd) != 0) {
		(void)close(fd);
		free(g);
		return;
	}
	(void)uv_timer_init(&w->loop, &g->timer);
	g->poll.data = g->timer.data = g;
	g->listener = l;
	g->at = *a;
	g->fd = fd;
	g->handles = 2;
	if ((g->next = w->greetings) != NULL)
		g->next->prev = g;
	w->greetings = g;
	w->greetings_n++;
	if (uv_timer_start(&g->timer, too_late, HF__FIRST_MS, 0) != 0 ||
	    uv_poll_start(&g->poll, UV_READABLE, readable) != 0)
		finish(g, 0);
}

void
hf__greetings_end(struct hf_worker *w)
{
	while (w->greetings != NULL)
		finish(w->greetings, 0);
}
