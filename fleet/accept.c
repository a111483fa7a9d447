/* SPDX-License-Identifier: ISC */
/*
 * A worker's doors. It takes connections from the listening sockets, as many
 * as the worker can hold and a few at a time, so that sessions do not wait
 * for a crowd outside; where descriptors run out it stops and tries again a
 * little later. It knows where a caller comes from; those whose address has had its
 * share it lets wait, or turns away, before anything is spent on them. What a
 * session is it does not know.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

enum {
	TURN = 16, /* callers taken before sessions have their turn, at most */
	RETRY_MS = 100, /* when descriptors or memory ran out */
	SAY_MS = 1000	/* between two words about callers turned away */
};

/* Where a peer comes from: as text for people, and as the key under which
 * its failures are counted. One IPv6 subscriber has a /64. */
int
hf__source_find(struct hf__source *s, int fd, int family,
    const struct hf_address *a)
{
	const struct in6_addr *six;
	const uint8_t *b;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (family == AF_UNIX) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
			return 0;
		memcpy(s->key, &cred.uid, sizeof(cred.uid));
		s->len = sizeof(cred.uid);
		return 1;
	}
	if (a->at.ss_family == AF_INET) {
		b = (const uint8_t *)&((const struct sockaddr_in *)&a->at)
			->sin_addr;
		s->len = 4;
	} else {
		six = &((const struct sockaddr_in6 *)&a->at)->sin6_addr;
		b = six->s6_addr;
		s->len = 8;
		if (IN6_IS_ADDR_V4MAPPED(six)) {
			b += 12;
			s->len = 4;
		}
	}
	memcpy(s->key, b, s->len);
	return 1;
}

void
hf__source_text(char out[HF_ADDRESS_TEXT], const struct hf__source *s,
    int family, const struct hf_address *a)
{
	uid_t uid;

	if (family != AF_UNIX) {
		(void)hf_address_text(out, a);
		return;
	}
	memcpy(&uid, s->key, sizeof(uid));
	(void)snprintf(out, HF_ADDRESS_TEXT, "unix:%u", (unsigned)uid);
}

/* Without a word to the caller, and without a trace in the kernel. */
static void
turn_away(struct hf_worker *w, const struct hf_served_own *c)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	uint64_t ms = uv_now(&w->loop);

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once,
	    sizeof(at_once));
	(void)close(c->fd);
	w->turned_away++;
	if (w->said_ms != 0 && ms - w->said_ms < SAY_MS)
		return;
	w->server->service->turned_away(c->conn.source, w->turned_away);
	w->said_ms = ms;
	w->turned_away = 0;
}

static int
stream_open(struct hf_link *link, int family, int fd)
{
	uv_stream_t *stream = hf_link_stream(link);

	if (family == AF_UNIX)
		return uv_pipe_open((uv_pipe_t *)stream, fd);
	return uv_tcp_open((uv_tcp_t *)stream, fd);
}

void
hf__door_pass(struct hf_worker *w, struct hf_served_own *c)
{
	int fd = c->fd;

	if (hf_link_new(&c->conn.link, &w->loop, c->family, w->scratch,
		&hf__server_hooks, c) != HF_OK) {
		hf__server_finish(c);
		free(c);
		(void)close(fd);
		return;
	}
	hf__worker_add(w, c);
	if (stream_open(c->conn.link, c->family, fd) != 0) {
		(void)close(fd);
		hf_link_abort(c->conn.link, HF_E_IO);
		return;
	}
	hf__worker_begin(w, c);
	hf_link_look(c->conn.link);
}

/* Where a header named another place, that is where it is from. */
void
hf__door_take(struct hf__listener *l, int fd, const struct hf_address *a,
    int of_proxy)
{
	int family =
	    a->at.ss_family == AF_INET || a->at.ss_family == AF_INET6 ?
	    a->at.ss_family :
	    l->family;
	struct hf_worker *w = l->worker;
	struct hf_served_own *c;
	enum hf__welcome welcome;

	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    !hf__source_find(&c->source, fd, family, a)) {
		free(c);
		(void)close(fd);
		return;
	}
	c->server = w->server;
	c->fd = fd;
	c->family = l->family;
	c->conn.of_proxy = of_proxy;
	hf__source_text(c->conn.source, &c->source, family, a);
	welcome = hf__server_begin(c);
	if (welcome == HF__BEGINS) {
		hf__door_pass(w, c);
	} else if (welcome == HF__TURNED_AWAY || !hf__line_join(w, c)) {
		turn_away(w, c);
		hf__server_finish(c);
		free(c);
	}
}

/* A caller of a unix socket has no address. */
static void
arrive(struct hf__listener *l, int fd, struct hf_address *a)
{
	const struct hf_server_options *o = &l->worker->server->options;

	if (l->family == AF_UNIX)
		a->at.ss_family = AF_UNIX;
	if (hf_cidr_holds(o->proxy, o->proxy_n, a))
		hf__greet(l, fd, a);
	else
		hf__door_take(l, fd, a, 0);
}

static void
retry(uv_timer_t *timer)
{
	hf__doors_open(timer->data);
}

/* No more for now; whoever knocks waits in the kernel's queue. */
static void
pause_door(struct hf__listener *l)
{
	(void)uv_poll_stop(&l->poll);
	l->paused = 1;
}

/* One who comes alone is not made to wait until it is known that nobody comes
 * behind him; in a crowd, more are taken each turn of the loop. */
static int
next_turn(struct hf__listener *l)
{
	uint64_t ms = uv_now(&l->worker->loop);

	if (ms - l->knocked_ms > 1)
		l->turn = 1;
	else if (l->turn < TURN)
		l->turn *= 2;
	l->knocked_ms = ms;
	return l->turn;
}

static void
knocked(uv_poll_t *poll, int status, int events)
{
	struct hf__listener *l = poll->data;
	struct hf_worker *w = l->worker;
	struct hf_address a;
	int fd, i, turn;

	(void)status;
	(void)events;
	turn = next_turn(l);
	for (i = 0; i < turn; i++) {
		if (w->conns_n + w->line_n + w->greetings_n >=
		    w->server->worker_conns) {
			pause_door(l);
			return;
		}
		memset(&a.at, 0, sizeof(a.at));
		a.len = sizeof(a.at);
		fd = accept4(l->fd, (struct sockaddr *)&a.at, &a.len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			arrive(l, fd, &a);
		} else if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOBUFS || errno == ENOMEM) {
			pause_door(l);
			(void)uv_timer_start(&w->retry, retry, RETRY_MS, 0);
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} /* else that caller is gone */
	}
}

int
hf__door_make(struct hf_worker *w, unsigned i)
{
	struct hf__listener *l = &w->listener[i];
	int r;

	l->family = w->server->listener[i].family;
	l->fd = fcntl(w->server->listener[i].fd, F_DUPFD_CLOEXEC, 3);
	if (l->fd == -1)
		return -errno;
	if ((r = uv_poll_init(&w->loop, &l->poll, l->fd)) != 0) {
		(void)close(l->fd);
		return r;
	}
	l->worker = w;
	l->poll.data = l;
	return uv_poll_start(&l->poll, UV_READABLE, knocked);
}

void
hf__doors_open(struct hf_worker *w)
{
	unsigned i;

	for (i = 0; i < HF_LISTENERS_MAX && !w->stopping; i++)
		if (w->listener[i].paused &&
		    uv_poll_start(&w->listener[i].poll, UV_READABLE,
			knocked) == 0)
			w->listener[i].paused = 0;
}

static void
door_closed(uv_handle_t *handle)
{
	struct hf__listener *l = handle->data;

	(void)close(l->fd);
}

void
hf__doors_close(struct hf_worker *w)
{
	unsigned i;

	for (i = 0; i < HF_LISTENERS_MAX; i++)
		if (w->listener[i].worker != NULL)
			uv_close((uv_handle_t *)&w->listener[i].poll,
			    door_closed);
	(void)uv_timer_stop(&w->retry);
	hf__line_end(w);
	hf__greetings_end(w);
}
