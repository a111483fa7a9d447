/* SPDX-License-Identifier: ISC */
/*
 * A server's threads: each has a loop of its own and accepts from the same
 * sockets. It knows which connections it has and when they are to end; it
 * does not know what sessions mean.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

void
hf__worker_add(struct hf_worker *w, struct hf_served_own *c)
{
	c->conn.own = c;
	c->conn.worker = w;
	c->conn.loop = &w->loop;
	c->conn.began = uv_hrtime();
	c->next = w->conns;
	if (w->conns != NULL)
		w->conns->own->prev = &c->conn;
	w->conns = &c->conn;
	w->conns_n++;
}

void
hf__worker_begin(struct hf_worker *w, struct hf_served_own *c)
{
	struct hf_generation *g = hf__server_current(w->server);

	c->generation = g;
	c->keys_of = g->number;
	c->conn.generation = g->app;
	hf_link_hurry(c->conn.link, HF__FIRST_MS);
	hf_link_start(c->conn.link, g->config[w->index], c->source.key,
	    c->source.len);
}

static void
leave(struct hf_worker *w)
{
	if (!w->stopping || w->conns_n > 0 || w->closed)
		return;
	/* The timer stays, for what the service may still wait for. */
	w->closed = 1;
	uv_unref((uv_handle_t *)&w->grace);
	uv_close((uv_handle_t *)&w->retry, NULL);
	uv_close((uv_handle_t *)&w->turn, NULL);
	uv_close((uv_handle_t *)&w->wake, NULL);
	hf__failures_end(w);
	hf_port_close(w->port);
	w->port = NULL;
}

/* Another process wrote what may be a session of ours, or a count. */
static void
changed(void *arg, struct hf_span key)
{
	uint8_t own[HF__OWNER_KEY_BYTES];
	struct hf_worker *w = arg;
	struct hf_served *c, *next;
	struct hf_span sid;

	hf__failures_heard(w->server, key);
	if (key.len != sizeof(own) || memcmp(key.ptr, "s/", 2) != 0)
		return;
	for (c = w->conns; c != NULL; c = next) {
		next = c->own->next;
		if (c->own->holds == NULL || !hf_link_opened(c->link))
			continue;
		sid = hf_session_id(hf_link_session(c->link));
		hf__owner_key(own, sid);
		if (memcmp(key.ptr, own, sizeof(own)) == 0)
			hf_owner_look(c->own->holds);
	}
}

static int
open_port(struct hf_worker *w)
{
	if (w->server->options.store == NULL)
		return 0;
	if (hf_port_open(&w->port, w->server->options.store, &w->loop) !=
	    HF_OK)
		return UV_ENOMEM;
	hf_port_deadline(w->port, w->server->options.store_ms);
	hf_port_watch(w->port, changed, w);
	return 0;
}

void
hf__worker_forget(struct hf_served_own *c)
{
	struct hf_worker *w = c->conn.worker;

	if (c->prev != NULL)
		c->prev->own->next = c->next;
	else
		w->conns = c->next;
	if (c->next != NULL)
		c->next->own->prev = c->prev;
	w->conns_n--;
	hf__generation_release(c->generation);
	hf__generation_release(c->keys);
	free(c);
	hf__doors_open(w);
	leave(w);
}

/* Looks at a session again: for how many looks no byte has moved. */
static int
quiet(struct hf_served *conn)
{
	uint64_t moved =
	    hf_link_bytes_in(conn->link) + hf_link_bytes_out(conn->link);
	struct hf_served_own *c = conn->own;

	c->quiet = moved == c->moved ? c->quiet + 1 : 0;
	c->moved = moved;
	return c->quiet;
}

static void
look_idle(uv_timer_t *timer)
{
	struct hf_worker *w = timer->data;
	struct hf_served *c, *next;

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
wind_down(struct hf_served *conn, uint64_t left)
{
	int looks = quiet(conn);

	if (!hf_link_opened(conn->link))
		hf_link_abort(conn->link, HF_E_GONE);
	else if (left > 0 && conn->own->holds != NULL)
		hf_owner_hand_over(conn->own->holds);
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
	struct hf_served *c, *next;
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

/* There is a new generation: sessions that move get its keys. */
static void
newer_keys(struct hf_worker *w)
{
	struct hf_served *c, *next;

	for (c = w->conns; c != NULL; c = next) {
		next = c->own->next;
		if (c->own->holds != NULL && hf_link_opened(c->link))
			hf__server_moved(c->own, c->link);
	}
}

static void
woken(uv_async_t *async)
{
	struct hf_worker *w = async->data;

	atomic_store(&w->asked, 0);
	if (w->stopping)
		return;
	if (!atomic_load(&w->server->stopping)) {
		newer_keys(w);
		return;
	}
	w->stopping = 1;
	hf__doors_close(w);
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
	hf__doors_close(w);
	hf_port_close(w->port);
	uv_walk(&w->loop, discard, NULL);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&w->loop);
	free(w);
}

/* All that a worker's loop watches. Returns 0 or a libuv error. */
static int
prepare(struct hf_worker *w)
{
	uint64_t look = w->server->options.idle_ms / HF__IDLE_LOOKS;
	unsigned i;
	int r;

	if ((r = uv_async_init(&w->loop, &w->wake, woken)) != 0 ||
	    (r = uv_timer_init(&w->loop, &w->grace)) != 0 ||
	    (r = uv_timer_init(&w->loop, &w->retry)) != 0 ||
	    (r = uv_timer_init(&w->loop, &w->turn)) != 0)
		return r;
	w->wake.data = w->grace.data = w->retry.data = w->turn.data = w;
	/* libuv keeps a descriptor in reserve from the first stream on. */
	if ((r = uv_tcp_init(&w->loop, &w->first)) != 0)
		return r;
	uv_close((uv_handle_t *)&w->first, NULL);
	if ((r = open_port(w)) != 0)
		return r;
	if (w->server->options.idle_ms != 0)
		r = uv_timer_start(&w->grace, look_idle, look, look);
	for (i = 0; r == 0 && i < w->server->listeners_n; i++)
		r = hf__door_make(w, i);
	return r;
}

enum hf_err
hf__worker_start(struct hf_worker **worker, struct hf_server *s,
    unsigned index)
{
	struct hf_worker *w;
	int r;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return HF_E_MEMORY;
	w->server = s;
	w->index = index;
	if ((r = uv_loop_init(&w->loop)) != 0) {
		free(w);
		errno = -r;
		return HF_E_IO;
	}
	if ((r = prepare(w)) != 0 ||
	    (r = uv_thread_create(&w->thread, work, w)) != 0) {
		undo(w);
		errno = -r;
		return HF_E_IO;
	}
	*worker = w;
	return HF_OK;
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
