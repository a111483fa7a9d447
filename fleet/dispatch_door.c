/* SPDX-License-Identifier: ISC */
/*
 * Where a dispatcher's connections come in: a few at a time, no more than
 * there are descriptors for, and of one source no more than its share. Where
 * descriptors run out it stops and looks again a little later; what is open
 * goes on meanwhile.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatch_own.h"

enum { TURN = 16 };

static void
pause_gate(struct hf__gate *g)
{
	(void)uv_poll_stop(&g->poll);
	g->paused = 1;
}

static void
turn_away(int fd)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	(void)close(fd);
}

static void
begin(struct hf_dispatch *d, int fd, int family,
    const struct hf__places *places, const struct hf__source *source,
    const char *text, const struct hf_address *from)
{
	struct hf__conn *c;
	int r = UV_ENOMEM;

	if ((c = calloc(1, sizeof(*c))) != NULL)
		c->client = hf__leg_new(d->loop, family, c);
	if (c != NULL && c->client != NULL)
		r = family == AF_UNIX ? uv_pipe_open(&c->client->io.pipe, fd) :
					uv_tcp_open(&c->client->io.tcp, fd);
	if (r != 0) {
		if (c != NULL)
			hf__leg_close(c->client, 0);
		free(c);
		(void)close(fd);
		hf__share_leave(d->share, places);
		return;
	}
	if (family != AF_UNIX)
		hf_address_tune(&c->client->io.tcp);
	c->d = d;
	c->source = *source;
	memcpy(c->text, text, sizeof(c->text));
	c->from = *from;
	c->began = c->touched = uv_now(d->loop);
	c->due = c->began + d->config.header_ms;
	c->up.conn = c->down.conn = c;
	c->up.client = 1;
	c->down.to = c->client;
	c->client->from = &c->up;
	c->places = *places;
	if ((c->next = d->conns) != NULL)
		c->next->prev = c;
	d->conns = c;
	d->conns_n++;
	d->counts.accepted++;
	hf__leg_read(c->client);
}

static void
take(struct hf__gate *g, int fd, const struct hf_address *a)
{
	struct hf_dispatch *d = g->d;
	char text[HF_ADDRESS_TEXT];
	struct hf__places places;
	struct hf__source source;

	memset(&source, 0, sizeof(source));
	if (!hf__source_find(&source, fd, g->family, a)) {
		(void)close(fd);
		return;
	}
	if (!hf__share_enter(&places, d->share, &source,
		d->config.source_conns)) {
		d->counts.refused_source++;
		turn_away(fd);
		return;
	}
	hf__source_text(text, &source, g->family, a);
	begin(d, fd, g->family, &places, &source, text, a);
}

static void
knocked(uv_poll_t *poll, int status, int events)
{
	struct hf__gate *g = poll->data;
	struct hf_address a;
	int fd, i;

	(void)status;
	(void)events;
	for (i = 0; i < TURN; i++) {
		if (hf__share_conns(g->d->share) >= g->d->conns_max) {
			pause_gate(g);
			return;
		}
		memset(&a.at, 0, sizeof(a.at));
		a.len = sizeof(a.at);
		fd = accept4(g->fd, (struct sockaddr *)&a.at, &a.len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			take(g, fd, &a);
		} else if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOBUFS || errno == ENOMEM) {
			pause_gate(g);
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} /* else that caller is gone */
	}
}

enum hf_err
hf__gate_open(struct hf_dispatch *d, int fd, int family)
{
	struct hf__gate *g;

	if (d->gates_n == HF_LISTENERS_MAX)
		return HF_E_ARG;
	if ((g = calloc(1, sizeof(*g))) == NULL)
		return HF_E_MEMORY;
	g->d = d;
	g->fd = fd;
	g->family = family;
	if (uv_poll_init(d->loop, &g->poll, fd) != 0) {
		free(g);
		return HF_E_IO;
	}
	g->poll.data = g;
	d->gate[d->gates_n++] = g;
	return uv_poll_start(&g->poll, UV_READABLE, knocked) == 0 ? HF_OK :
								    HF_E_IO;
}

/* Also by the clock: where descriptors ran out nobody tells of new ones. */
void
hf__gates_open(struct hf_dispatch *d)
{
	struct hf__gate *g;
	size_t i;

	for (i = 0; i < d->gates_n && !d->stopping; i++) {
		g = d->gate[i];
		if (g->paused && hf__share_conns(d->share) < d->conns_max &&
		    uv_poll_start(&g->poll, UV_READABLE, knocked) == 0)
			g->paused = 0;
	}
}

static void
gate_closed(uv_handle_t *handle)
{
	struct hf__gate *g = handle->data;

	(void)close(g->fd);
	free(g);
}

void
hf__gates_close(struct hf_dispatch *d)
{
	size_t i;

	for (i = 0; i < d->gates_n; i++)
		uv_close((uv_handle_t *)&d->gate[i]->poll, gate_closed);
	d->gates_n = 0;
}
