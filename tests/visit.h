/* SPDX-License-Identifier: ISC */
/*
 * A whole server in this process, and peers that come to it over the loopback
 * from addresses of their own. The wall clock stands still, unless a test sets
 * it.
 */
#ifndef HANDFAST_VISIT_H
#define HANDFAST_VISIT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "testing.h"

#include "fleet.h"

enum { WAIT_MS = 5000, ENDINGS = 16 };

static struct world w;
static struct hf_server *server;
static struct hf_server_options options;
static uint16_t port;	      /* where peers go */
static struct hf_vault *keys; /* NULL, or of the servers' cluster */

/* What the service was told, in order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static struct {
	enum hf_err err[ENDINGS];
	unsigned method[ENDINGS];
	unsigned ended, seen, opened, judged, turned_away;
	size_t bytes;
} log_;

static uint64_t wall = NOW;

time_t
time(time_t *out)
{
	if (out != NULL)
		*out = (time_t)wall;
	return (time_t)wall;
}

/* --- the service ----------------------------------------------------------------- */

static inline enum hf_err
configure(struct hf_config **config, void *generation)
{
	struct world *world = generation;
	enum hf_err e;

	if ((e = hf_config_new(config, HF_RESPONDER)) == HF_OK &&
	    (e = hf_config_trust(*config, world->trust)) == HF_OK &&
	    (e = hf_config_identity(*config, world->responder,
		 world->responder_chain, world->chain_n)) == HF_OK &&
	    (e = hf_config_ring(*config, world->ring)) == HF_OK)
		e = hf_config_accept(*config,
		    HF_METHOD_CERTIFICATE | HF_METHOD_PASSWORD |
			HF_METHOD_TICKET);
	return e;
}

static inline void
retire(void *generation)
{
	(void)generation;
}

static inline void
judge(struct hf_served *conn)
{
	struct hf_peer peer;

	pthread_mutex_lock(&lock);
	log_.judged++;
	pthread_mutex_unlock(&lock);
	if (hf_session_peer(&peer, hf_link_session(conn->link)) != HF_OK)
		hf_link_trust(conn->link, HF_E_STATE);
	else if (peer.method == HF_METHOD_PASSWORD)
		hf_link_verify(conn->link, w.verifier);
	else
		hf_link_trust(conn->link, HF_OK);
}

static inline void
opened(struct hf_served *conn)
{
	(void)conn;
	pthread_mutex_lock(&lock);
	log_.opened++;
	pthread_cond_signal(&news);
	pthread_mutex_unlock(&lock);
}

static inline void
data(struct hf_served *conn, const uint8_t *bytes, size_t len)
{
	(void)conn;
	(void)bytes;
	pthread_mutex_lock(&lock);
	log_.bytes += len;
	pthread_mutex_unlock(&lock);
}

static inline void
closed(struct hf_served *conn)
{
	hf_link_close(conn->link);
}

static inline void
drained(struct hf_served *conn)
{
	(void)conn;
}

static inline int
idle(struct hf_served *conn)
{
	(void)conn;
	return 0;
}

static inline void
ended(struct hf_served *conn, enum hf_err err)
{
	struct hf_peer peer;

	pthread_mutex_lock(&lock);
	if (log_.ended < ENDINGS) {
		log_.err[log_.ended] = err;
		if (hf_session_peer(&peer, hf_link_session(conn->link)) ==
		    HF_OK)
			log_.method[log_.ended] = peer.method;
		log_.ended++;
	}
	pthread_cond_signal(&news);
	pthread_mutex_unlock(&lock);
}

static inline void
turned_away(const char *source, uint64_t n)
{
	assert_non_null(source);
	pthread_mutex_lock(&lock);
	log_.turned_away += (unsigned)n;
	pthread_mutex_unlock(&lock);
}

/* How the next session ended there; its method in *method where not NULL. */
static inline enum hf_err
next_end(unsigned *method)
{
	struct timespec until;
	enum hf_err e;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&lock);
	while (log_.seen == log_.ended)
		if (pthread_cond_timedwait(&news, &lock, &until) != 0)
			break;
	assert_true(log_.seen < log_.ended);
	e = log_.err[log_.seen];
	if (method != NULL)
		*method = log_.method[log_.seen];
	log_.seen++;
	pthread_mutex_unlock(&lock);
	return e;
}

/* Until so many have been let in. */
static inline void
await_opened(unsigned n)
{
	struct timespec until;
	int late = 0;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&lock);
	while (log_.opened < n && late == 0)
		late = pthread_cond_timedwait(&news, &lock, &until);
	assert_int_equal(log_.opened, n);
	pthread_mutex_unlock(&lock);
}

static inline const struct hf_vault *
vault_of(void *generation)
{
	(void)generation;
	return keys;
}

static const struct hf_service service = { .configure = configure,
	.retire = retire,
	.vault = vault_of,
	.judge = judge,
	.opened = opened,
	.data = data,
	.closed = closed,
	.drained = drained,
	.idle = idle,
	.ended = ended,
	.turned_away = turned_away };

/* One more server, and the one that peers go to. */
static inline void
open_server(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(fd != -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	port = at.sin_port;
	assert_ok(hf_server_new(&server, &options, &service));
	assert_ok(hf_server_listen(server, fd, AF_INET));
	assert_ok(hf_server_generation(server, &w));
	assert_ok(hf_server_start(server));
}

static inline void
begin_world(enum hf_method method)
{
	memset(&log_, 0, sizeof(log_));
	world_make(&w,
	    &(struct meeting){ .method = method,
		.known = 1,
		.single_use = method == HF_METHOD_TICKET });
}

static inline void
begin(enum hf_method method)
{
	begin_world(method);
	open_server();
	hf_server_defaults(&options); /* for the next test */
}

static inline void
finish(void)
{
	hf_server_free(server);
	world_free(&w);
}

/* --- peers ------------------------------------------------------------------------- */

struct visitor {
	struct hf_session *s;
	int fd;
};

/* Comes from 127.0.0.`from`. */
static inline int
dial(int from)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd != -1);
	at.sin_addr.s_addr = htonl(0x7f000000U + (unsigned)from);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = port;
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* What comes next, at most cap bytes; 0 at the end or a reset. */
static inline size_t
hear(int fd, uint8_t *out, size_t cap)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	n = recv(fd, out, cap, 0);
	return n > 0 ? (size_t)n : 0;
}

static inline void
say(int fd, const uint8_t *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static inline enum hf_err
judge_server(struct hf_session *s, const uint8_t *stretched)
{
	if (stretched != NULL)
		return hf_session_stretched(s, stretched);
	return hf_session_trust(s, HF_OK);
}

static inline void
talk(struct visitor *v)
{
	struct hf_span out = hf_session_output(v->s);

	say(v->fd, out.ptr, out.len);
	assert_ok(hf_session_drained(v->s, out.len));
}

/* One step of a session that is not open yet; 0 when it is over. */
static inline int
step(struct visitor *v, const uint8_t *stretched)
{
	uint8_t in[4096];
	size_t n;

	switch (hf_session_want(v->s)) {
	case HF_WANT_TRUST:
		assert_ok(judge_server(v->s, stretched));
		return 1;
	case HF_WANT_WRITE:
		talk(v);
		return 1;
	case HF_WANT_READ:
		if ((n = hear(v->fd, in, sizeof(in))) > 0)
			(void)give(v->s, in, n);
		else
			assert_err(hf_session_eof(v->s), HF_E_GONE);
		return 1;
	default:
		return 0;
	}
}

/* Opens a session; the error of one that is refused. */
static inline enum hf_err
visit(struct visitor *v, int from, const uint8_t *stretched)
{
	v->fd = dial(from);
	assert_ok(hf_session_new(&v->s, w.i, START_MS, NOW));
	while (step(v, stretched))
		continue;
	return hf_session_error(v->s);
}

/* What the server makes of an open session shows in what it sends next. */
static inline enum hf_err
outcome(struct visitor *v)
{
	uint8_t in[4096];
	size_t n = hear(v->fd, in, sizeof(in));

	return n > 0 ? give(v->s, in, n) : hf_session_eof(v->s);
}

static inline void
leave(struct visitor *v)
{
	hf_session_free(v->s);
	assert_int_equal(close(v->fd), 0);
}

/* A session that opens and ends well. */
static inline void
welcome(int from, const uint8_t *stretched)
{
	struct visitor v;

	assert_ok(visit(&v, from, stretched));
	assert_ok(hf_session_close(v.s));
	talk(&v);
	assert_ok(outcome(&v));
	assert_ok(next_end(NULL));
	leave(&v);
}

/* One that the server refuses, for that reason. */
static inline void
unwelcome(int from, const uint8_t *stretched, enum hf_err why)
{
	struct visitor v;

	assert_err(visit(&v, from, stretched), HF_E_REFUSED);
	leave(&v);
	assert_err(next_end(NULL), why);
}

/* Whether a connection is closed unheard. */
static inline int
is_turned_away(int from)
{
	struct pollfd p = { .fd = dial(from), .events = POLLIN };
	uint8_t byte;
	int n;

	n = poll(&p, 1, 200);
	assert_true(n == 0 || recv(p.fd, &byte, 1, 0) <= 0);
	assert_int_equal(close(p.fd), 0);
	if (n == 0)
		assert_err(next_end(NULL), HF_E_GONE);
	return n == 1;
}

static const uint8_t wrong[HF_KEY_BYTES];

static inline void
as(const char *user)
{
	assert_ok(hf_config_user(w.i, user, HF_METHOD_PASSWORD));
}

#endif
