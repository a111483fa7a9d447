/* SPDX-License-Identifier: ISC */
/*
 * A whole server in this process, and peers that come to it over the loopback
 * from addresses of their own: who is asked for a cookie, who has had his
 * share, what is a replay, and what a ticket is good for. The wall clock
 * stands still.
 */
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
static uint16_t port;

/* What the service was told, in order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static struct {
	enum hf_err err[ENDINGS];
	unsigned method[ENDINGS];
	unsigned ended, seen, opened, judged, turned_away;
	size_t bytes;
} log_;

time_t
time(time_t *out)
{
	if (out != NULL)
		*out = (time_t)NOW;
	return (time_t)NOW;
}

/* --- the service ----------------------------------------------------------------- */

static enum hf_err
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

static void
retire(void *generation)
{
	(void)generation;
}

static void
judge(struct hf_conn *conn)
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

static void
opened(struct hf_conn *conn)
{
	(void)conn;
	pthread_mutex_lock(&lock);
	log_.opened++;
	pthread_mutex_unlock(&lock);
}

static void
data(struct hf_conn *conn, const uint8_t *bytes, size_t len)
{
	(void)conn;
	(void)bytes;
	pthread_mutex_lock(&lock);
	log_.bytes += len;
	pthread_mutex_unlock(&lock);
}

static void
closed(struct hf_conn *conn)
{
	hf_link_close(conn->link);
}

static void
drained(struct hf_conn *conn)
{
	(void)conn;
}

static int
idle(struct hf_conn *conn)
{
	(void)conn;
	return 0;
}

static void
ended(struct hf_conn *conn, enum hf_err err)
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

static void
turned_away(const char *source, uint64_t n)
{
	assert_non_null(source);
	pthread_mutex_lock(&lock);
	log_.turned_away += (unsigned)n;
	pthread_mutex_unlock(&lock);
}

static const struct hf_service service = { .configure = configure,
	.retire = retire,
	.judge = judge,
	.opened = opened,
	.data = data,
	.closed = closed,
	.drained = drained,
	.idle = idle,
	.ended = ended,
	.turned_away = turned_away };

/* How the next session ended there; its method in *method where not NULL. */
static enum hf_err
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

static void
begin(enum hf_method method)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd;

	memset(&log_, 0, sizeof(log_));
	world_make(&w,
	    &(struct meeting){ .method = method,
		.known = 1,
		.single_use = method == HF_METHOD_TICKET });
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
	hf_server_defaults(&options); /* for the next test */
}

static void
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
static int
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
static size_t
hear(int fd, uint8_t *out, size_t cap)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	n = recv(fd, out, cap, 0);
	return n > 0 ? (size_t)n : 0;
}

static void
say(int fd, const uint8_t *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static enum hf_err
judge_server(struct hf_session *s, const uint8_t *stretched)
{
	if (stretched != NULL)
		return hf_session_stretched(s, stretched);
	return hf_session_trust(s, HF_OK);
}

static void
talk(struct visitor *v)
{
	struct hf_span out = hf_session_output(v->s);

	say(v->fd, out.ptr, out.len);
	assert_ok(hf_session_drained(v->s, out.len));
}

/* One step of a session that is not open yet; 0 when it is over. */
static int
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
static enum hf_err
visit(struct visitor *v, int from, const uint8_t *stretched)
{
	v->fd = dial(from);
	assert_ok(hf_session_new(&v->s, w.i, START_MS, NOW));
	while (step(v, stretched))
		continue;
	return hf_session_error(v->s);
}

/* What the server makes of an open session shows in what it sends next. */
static enum hf_err
outcome(struct visitor *v)
{
	uint8_t in[4096];
	size_t n = hear(v->fd, in, sizeof(in));

	return n > 0 ? give(v->s, in, n) : hf_session_eof(v->s);
}

static void
leave(struct visitor *v)
{
	hf_session_free(v->s);
	assert_int_equal(close(v->fd), 0);
}

/* A session that opens and ends well. */
static void
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
static void
unwelcome(int from, const uint8_t *stretched, enum hf_err why)
{
	struct visitor v;

	assert_err(visit(&v, from, stretched), HF_E_REFUSED);
	leave(&v);
	assert_err(next_end(NULL), why);
}

/* Whether a connection is closed unheard. */
static int
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

/* --- what is seen twice --------------------------------------------------------------- */

/* A recorded request: not opened a second time, nobody judged. */
static void
replay(void **state)
{
	struct visitor v;
	struct blob request;
	uint8_t in[64];
	unsigned method;
	int fd;

	(void)state;
	begin(HF_METHOD_CERTIFICATE);
	assert_ok(hf_session_new(&v.s, w.i, START_MS, NOW));
	assert_ok(hf_session_trust(v.s, HF_OK));
	take(&request, v.s);
	v.fd = dial(1);
	say(v.fd, request.bytes, request.len);
	while (step(&v, NULL))
		continue;
	assert_int_equal(hf_session_want(v.s), HF_WANT_DONE);
	fd = dial(2);
	say(fd, request.bytes, request.len);
	assert_int_equal(hear(fd, in, sizeof(in)), 3);
	assert_memory_equal(in, "\x82\x08\x01", 3);
	assert_int_equal(close(fd), 0);
	assert_err(next_end(&method), HF_E_REPLAY);
	assert_int_equal(method, 0);
	assert_int_equal(log_.judged, 1);
	leave(&v);
	assert_err(next_end(NULL), HF_E_TRUNCATED);
	finish();
}

/* A single-use ticket opens one session. */
static void
ticket_twice(void **state)
{
	struct visitor v;

	(void)state;
	begin(HF_METHOD_TICKET);
	welcome(1, NULL);
	assert_ok(visit(&v, 2, NULL));
	assert_err(outcome(&v), HF_E_REFUSED);
	leave(&v);
	assert_err(next_end(NULL), HF_E_TICKET_USED);
	assert_int_equal(log_.opened, 1);
	finish();
}

/* --- who has had his share ------------------------------------------------------------ */

/* A stranger shows a cookie where his address has much under way. */
static void
cookie(void **state)
{
	struct visitor v;
	uint8_t in[64];
	struct blob request;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		options.busy = i == 0 ? 0 : 1;
		begin(HF_METHOD_CERTIFICATE);
		v.fd = dial(1);
		assert_ok(hf_session_new(&v.s, w.i, START_MS, NOW));
		assert_ok(hf_session_trust(v.s, HF_OK));
		take(&request, v.s);
		say(v.fd, request.bytes, request.len);
		assert_true(hear(v.fd, in, sizeof(in)) > 2);
		/* a retry; a grant */
		assert_int_equal(in[1], i == 0 ? 2 : 4);
		assert_int_equal(log_.judged, i);
		leave(&v);
		assert_err(next_end(NULL), HF_E_GONE);
		finish();
	}
	options.busy = 0;
	begin(HF_METHOD_CERTIFICATE);
	welcome(1, NULL);
	finish();
}

/* No more than so many unfinished handshakes of one address. */
static void
pending(void **state)
{
	int a, b;

	(void)state;
	options.max_pending_source = 2;
	begin(HF_METHOD_CERTIFICATE);
	a = dial(9);
	b = dial(9);
	assert_true(is_turned_away(9));
	welcome(1, NULL);
	assert_int_equal(close(a), 0);
	assert_err(next_end(NULL), HF_E_GONE);
	welcome(9, NULL);
	assert_int_equal(close(b), 0);
	assert_err(next_end(NULL), HF_E_GONE);
	finish();
}

/* An address of which too many came to nothing: eight at a time, the next waits
 * for one of them. Nobody else does. */
static void
unopened(void **state)
{
	enum { AT_WORK = 8 };
	int at_work[AT_WORK], waits, i;
	struct pollfd p = { .events = POLLIN };
	uint8_t in[8];

	(void)state;
	options.max_source_unopened = 2;
	begin(HF_METHOD_CERTIFICATE);
	welcome(9, NULL);
	assert_false(is_turned_away(9));
	assert_false(is_turned_away(9));
	for (i = 0; i < AT_WORK; i++)
		at_work[i] = dial(9);
	p.fd = waits = dial(9);
	say(waits, (const uint8_t *)"\xff", 1);
	assert_int_equal(poll(&p, 1, 200), 0);
	welcome(1, NULL);
	assert_int_equal(close(at_work[0]), 0);
	assert_err(next_end(NULL), HF_E_GONE);
	assert_int_equal(hear(waits, in, sizeof(in)), 3);
	assert_int_equal(close(waits), 0);
	assert_err(next_end(NULL), HF_E_SHAPE);
	for (i = 1; i < AT_WORK; i++) {
		assert_int_equal(close(at_work[i]), 0);
		assert_err(next_end(NULL), HF_E_GONE);
	}
	finish();
}

/* Who waits when the server stops is sent away with all others. */
static void
unopened_at_the_end(void **state)
{
	uint8_t byte;
	int fd[20], i;

	(void)state;
	options.max_source_unopened = 1;
	begin(HF_METHOD_CERTIFICATE);
	assert_false(is_turned_away(9));
	for (i = 0; i < 20; i++)
		fd[i] = dial(9);
	welcome(1, NULL);
	hf_server_stop(server);
	for (i = 0; i < 20; i++) {
		assert_int_equal(hear(fd[i], &byte, 1), 0);
		assert_int_equal(close(fd[i]), 0);
	}
	finish();
}

static const uint8_t wrong[HF_KEY_BYTES];

static void
as(const char *user)
{
	assert_ok(hf_config_user(w.i, user, HF_METHOD_PASSWORD));
}

/* Refused tokens of one address, whosesoever they are. */
static void
failures_of_a_source(void **state)
{
	struct visitor v;
	unsigned method;

	(void)state;
	options.max_source_failures = 2;
	begin(HF_METHOD_PASSWORD);
	as("ann");
	unwelcome(9, wrong, HF_E_PASSWORD);
	as("bob");
	unwelcome(9, wrong, HF_E_PASSWORD);
	/* Not even opened any more. */
	as("carol");
	assert_err(visit(&v, 9, w.stretched), HF_E_REFUSED);
	leave(&v);
	assert_err(next_end(&method), HF_E_LIMITED);
	assert_int_equal(method, 0);
	assert_int_equal(log_.judged, 2);
	welcome(1, w.stretched);
	finish();
}

/* Wrong passwords of one user from one address; wherever they come from, twice
 * as many. */
static void
failures_of_a_user(void **state)
{
	(void)state;
	options.max_failures = 1;
	begin(HF_METHOD_PASSWORD);
	as("bob");
	unwelcome(8, wrong, HF_E_PASSWORD);
	unwelcome(8, w.stretched, HF_E_LIMITED);
	welcome(1, w.stretched);
	unwelcome(9, wrong, HF_E_PASSWORD);
	unwelcome(1, w.stretched, HF_E_LIMITED);
	as("ann");
	welcome(8, w.stretched);
	finish();
}

/* Malformed bytes are no refused tokens: nobody else pays for them. */
static void
garbage(void **state)
{
	uint8_t in[16];
	int fd, i;

	(void)state;
	options.max_source_failures = 1;
	begin(HF_METHOD_CERTIFICATE);
	for (i = 0; i < 3; i++) {
		fd = dial(1);
		say(fd, (const uint8_t *)"\x86\x00\x01\xff", 4);
		assert_int_equal(hear(fd, in, sizeof(in)), 3);
		assert_int_equal(close(fd), 0);
		assert_err(next_end(NULL), HF_E_CBOR);
	}
	welcome(1, NULL);
	finish();
}

/* --- how many sessions ------------------------------------------------------------------ */

static void
one_of_a_subject(void **state)
{
	struct visitor first;

	(void)state;
	options.max_open_subject = 1;
	begin(HF_METHOD_CERTIFICATE);
	assert_ok(visit(&first, 1, NULL));
	unwelcome(2, NULL, HF_E_LIMITED);
	leave(&first);
	assert_err(next_end(NULL), HF_E_TRUNCATED);
	welcome(2, NULL);
	finish();
}

/* Two that are let in at once: one is, when both have shown who they are. */
static void
two_at_once(void **state)
{
	struct visitor v[2];
	int i;

	(void)state;
	options.max_open_subject = 1;
	begin(HF_METHOD_CERTIFICATE);
	for (i = 0; i < 2; i++) {
		assert_ok(hf_session_new(&v[i].s, w.i, START_MS, NOW));
		v[i].fd = dial(1 + i);
		assert_ok(hf_session_trust(v[i].s, HF_OK));
		talk(&v[i]);
		(void)step(&v[i], NULL); /* the grant */
		assert_int_equal(hf_session_want(v[i].s), HF_WANT_WRITE);
	}
	talk(&v[0]);
	assert_ok(hf_session_send(v[1].s, (const uint8_t *)"data", 4));
	(void)usleep(100000);
	talk(&v[1]);
	assert_err(outcome(&v[1]), HF_E_TRUNCATED);
	assert_err(next_end(NULL), HF_E_LIMITED);
	assert_int_equal(log_.opened, 1);
	assert_int_equal(log_.bytes, 0);
	leave(&v[0]);
	leave(&v[1]);
	assert_err(next_end(NULL), HF_E_TRUNCATED);
	finish();
}

/* A server that stops cuts what is not idle: its peer knows that there was
 * more. */
static void
stopped(void **state)
{
	struct visitor v;

	(void)state;
	begin(HF_METHOD_CERTIFICATE);
	assert_ok(visit(&v, 1, NULL));
	hf_server_stop(server);
	assert_err(outcome(&v), HF_E_TRUNCATED);
	assert_err(next_end(NULL), HF_E_TRUNCATED);
	leave(&v);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay),
		cmocka_unit_test(ticket_twice),
		cmocka_unit_test(cookie),
		cmocka_unit_test(pending),
		cmocka_unit_test(unopened),
		cmocka_unit_test(unopened_at_the_end),
		cmocka_unit_test(failures_of_a_source),
		cmocka_unit_test(failures_of_a_user),
		cmocka_unit_test(garbage),
		cmocka_unit_test(one_of_a_subject),
		cmocka_unit_test(two_at_once),
		cmocka_unit_test(stopped),
	};

	if (hf_init() != HF_OK)
		return 1;
	hf_server_defaults(&options);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
