/* SPDX-License-Identifier: ISC */
/*
 * A server's threads: each has a loop of its own and accepts from the same
 * sockets. It knows connections, where they come from and how many fit; it
 * does not know what sessions mean. When it can hold no more it leaves
 * connections in the kernel's queue until one ends.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

/* Where a peer comes from: as text for people, and as the key under which
 * its failures are counted. One IPv6 subscriber has a /64. */
static int
find_source(struct hf_conn_own *c, int family)
{
	uv_stream_t *stream = hf_link_stream(c->conn.link);
	struct hf_address a = { .len = sizeof(a.at) };
	const struct in6_addr *six;
	const uint8_t *b;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	uv_os_fd_t fd;
	int n;

	if (uv_fileno((const uv_handle_t *)stream, &fd) != 0)
		return 0;
	if (family == AF_UNIX) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
			return 0;
		n = snprintf(c->conn.source, sizeof(c->conn.source), "unix:%u",
		    (unsigned)cred.uid);
		memcpy(c->source, &cred.uid, sizeof(cred.uid));
		c->source_len = sizeof(cred.uid);
		return n > 0;
	}
	if (getpeername(fd, (struct sockaddr *)&a.at, &a.len) != 0)
		return 0;
	(void)hf_address_text(c->conn.source, &a);
	if (a.at.ss_family == AF_INET) {
		b = (const uint8_t *)&((const struct sockaddr_in *)&a.at)
			->sin_addr;
		c->source_len = 4;
	} else {
		six = &((const struct sockaddr_in6 *)&a.at)->sin6_addr;
		b = six->s6_addr;
		c->source_len = 8;
		if (IN6_IS_ADDR_V4MAPPED(six)) {
			b += 12;
			c->source_len = 4;
		}
	}
	memcpy(c->source, b, c->source_len);
	return 1;
}

static void
begin(struct hf_worker *w, struct hf_conn_own *c, int family)
{
	struct hf_generation *g;

	if (!find_source(c, family)) {
		hf_link_abort(c->conn.link, HF_E_GONE);
		return;
	}
	if (!hf__server_begin(c)) {
		hf_link_abort(c->conn.link, HF_E_LIMITED);
		return;
	}
	g = hf__server_current(w->server);
	c->generation = g;
	c->conn.generation = g->app;
	hf_link_hurry(c->conn.link, HF__FIRST_MS);
	hf_link_start(c->conn.link, g->config[w->index], c->source,
	    c->source_len);
}

/* Takes the waiting connection, where it can be held. */
static void
take(struct hf__listener *l)
{
	struct hf_worker *w = l->worker;
	struct hf_conn_own *c;

	l->waiting = 1;
	if (w->stopping || w->conns_n >= w->server->worker_conns ||
	    (c = calloc(1, sizeof(*c))) == NULL)
		return;
	if (hf_link_new(&c->conn.link, &w->loop, l->family, w->scratch,
		&hf__server_hooks, c) != HF_OK) {
		free(c);
		return;
	}
	l->waiting = 0;
	c->conn.own = c;
	c->conn.worker = w;
	c->conn.loop = &w->loop;
	c->conn.began = uv_hrtime();
	c->server = w->server;
	c->next = w->conns;
	if (w->conns != NULL)
		w->conns->own->prev = &c->conn;
	w->conns = &c->conn;
	w->conns_n++;
	if (uv_accept(&l->io.stream, hf_link_stream(c->conn.link)) != 0)
		hf_link_abort(c->conn.link, HF_E_IO);
	else
		begin(w, c, l->family);
}

static void
knocked(uv_stream_t *stream, int status)
{
	/* Out of descriptors: libuv has turned the caller away. */
	if (status == 0)
		take(stream->data);
}

static void
leave(struct hf_worker *w)
{
	if (!w->stopping || w->conns_n > 0 || w->closed)
		return;
	/* The timer stays, for what the service may still wait for. */
	w->closed = 1;
	uv_unref((uv_handle_t *)&w->grace);
	uv_close((uv_handle_t *)&w->wake, NULL);
}

void
hf__worker_forget(struct hf_conn_own *c)
{
	struct hf_worker *w = c->conn.worker;
	unsigned i;

	if (c->prev != NULL)
		c->prev->own->next = c->next;
	else
		w->conns = c->next;
	if (c->next != NULL)
		c->next->own->prev = c->prev;
	w->conns_n--;
	hf__generation_release(c->generation);
	free(c);
	for (i = 0; i < HF_LISTENERS_MAX && !w->stopping; i++)
		if (w->listener[i].waiting)
			take(&w->listener[i]);
	leave(w);
}

/* Looks at a session again: for how many looks no byte has moved. */
static int
quiet(struct hf_conn *conn)
{
	uint64_t moved =
	    hf_link_bytes_in(conn->link) + hf_link_bytes_out(conn->link);
	struct hf_conn_own *c = conn->own;

	c->quiet = moved == c->moved ? c->quiet + 1 : 0;
	c->moved = moved;
	return c->quiet;
}

static void
look_idle(uv_timer_t *timer)
{
	struct hf_worker *w = timer->data;
	struct hf_conn *c, *next;

	for (c = w->conns; c != NULL; c = next) {
		next = c->own->next;
		if (!hf_link_opened(c->link) || quiet(c) <= HF__IDLE_LOOKS)
			continue;
		if (w->server->service->idle(c) && !hf_link_busy(c->link))
			hf_link_finish(c->link, HF__GRACE_MS);
		else
			hf_link_abort(c->link, HF_E_DEADLINE);
	}
}

/* A session that is quiet, and of which the service says that nothing would
 * be missing, is closed in order. Any other is cut when the time is up, so
 * that its peer learns that it was. */
static void
wind_down(struct hf_conn *conn, uint64_t left)
{
	int looks = quiet(conn);

	if (!hf_link_opened(conn->link))
		hf_link_abort(conn->link, HF_E_GONE);
	else if (left == 0)
		hf_link_abort(conn->link, HF_E_TRUNCATED);
	else if (hf_link_busy(conn->link))
		conn->own->quiet = 0;
	else if (looks >= HF__QUIET_TICKS &&
	    conn->own->server->service->idle(conn))
		hf_link_finish(conn->link, left);
}

static void
tick(uv_timer_t *timer)
{
	struct hf_worker *w = timer->data;
	struct hf_conn *c, *next;
	uint64_t left;

	/* Whatever still holds on, the service's children too, is dropped. */
	if (++w->ticks * HF__TICK_MS >= HF__STOP_MS) {
		uv_stop(timer->loop);
		return;
	}
	left = w->ticks * HF__TICK_MS < HF__GRACE_MS ?
	    HF__GRACE_MS - w->ticks * HF__TICK_MS :
	    0;
	for (c = w->conns; c != NULL; c = next) {
		next = c->own->next;
		wind_down(c, left);
	}
}

static void
woken(uv_async_t *async)
{
	struct hf_worker *w = async->data;
	unsigned i;

	if (w->stopping || !atomic_load(&w->server->stopping))
		return;
	w->stopping = 1;
	for (i = 0; i < HF_LISTENERS_MAX; i++)
		if (w->listener[i].worker != NULL)
			uv_close(&w->listener[i].io.handle, NULL);
	if (uv_timer_start(&w->grace, tick, 0, HF__TICK_MS) != 0)
		uv_stop(&w->loop);
	leave(w);
}

static void
work(void *arg)
{
	struct hf_worker *w = arg;

	while (uv_run(&w->loop, UV_RUN_DEFAULT) != 0 && !w->stopping)
		continue;
}

static int
open_listener(struct hf_worker *w, unsigned i)
{
	struct hf__listener *l = &w->listener[i];
	int fd, r;

	l->family = w->server->listener[i].family;
	if (l->family == AF_UNIX)
		r = uv_pipe_init(&w->loop, &l->io.pipe, 0);
	else
		r = uv_tcp_init(&w->loop, &l->io.tcp);
	if (r != 0)
		return 0;
	l->worker = w;
	l->io.handle.data = l;
	fd = fcntl(w->server->listener[i].fd, F_DUPFD_CLOEXEC, 3);
	if (fd == -1)
		return 0;
	if (l->family == AF_UNIX)
		r = uv_pipe_open(&l->io.pipe, fd);
	else
		r = uv_tcp_open(&l->io.tcp, fd);
	if (r != 0) {
		(void)close(fd);
		return 0;
	}
	return uv_listen(&l->io.stream, SOMAXCONN, knocked) == 0;
}

static void
discard(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* After a failed start: no link was made yet. */
static void
undo(struct hf_worker *w)
{
	uv_walk(&w->loop, discard, NULL);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&w->loop);
	free(w);
}

enum hf_err
hf__worker_start(struct hf_worker **worker, struct hf_server *s,
    unsigned index)
{
	struct hf_worker *w;
	uint64_t look;
	unsigned i;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return HF_E_MEMORY;
	w->server = s;
	w->index = index;
	if (uv_loop_init(&w->loop) != 0) {
		free(w);
		return HF_E_IO;
	}
	if (uv_async_init(&w->loop, &w->wake, woken) != 0 ||
	    uv_timer_init(&w->loop, &w->grace) != 0)
		goto bad;
	w->wake.data = w->grace.data = w;
	look = s->options.idle_ms / HF__IDLE_LOOKS;
	if (s->options.idle_ms != 0 &&
	    uv_timer_start(&w->grace, look_idle, look, look) != 0)
		goto bad;
	for (i = 0; i < s->listeners_n; i++)
		if (!open_listener(w, i))
			goto bad;
	if (uv_thread_create(&w->thread, work, w) != 0)
		goto bad;
	*worker = w;
	return HF_OK;
bad:
	undo(w);
	return HF_E_IO;
}

void
hf__worker_wake(struct hf_worker *w)
{
	(void)uv_async_send(&w->wake);
}

void
hf__worker_join(struct hf_worker *w)
{
	if (uv_thread_join(&w->thread) != 0)
		return;
	uv_close((uv_handle_t *)&w->grace, NULL);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	/* Where it was stopped with handles open, the loop must stay. */
	if (uv_loop_close(&w->loop) == 0)
		free(w);
}
