/* SPDX-License-Identifier: ISC */
/*
 * A worker's door, one turn of its loop after the other: how many callers are
 * taken at each, what a crowd of them leaves to those who are in, and that what
 * was said with the knock is read with it. The worker has no thread here, and
 * what it takes for the time is the test's.
 */
#include <sys/un.h>

#include "visit.h"

#include "server.h"

enum { CROWD = 45, FLOOD = 64, MOST = 16, TURNS = 8 };

/* Of whoever stands outside or has been let in. */
static struct visitor caller[CROWD + TURNS * FLOOD];
static unsigned callers;

static struct hf_worker *worker;
static uv_thread_cb work;
static uint64_t ms = 1000;

int
uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *arg)
{
	(void)thread;
	work = entry;
	worker = arg;
	return 0;
}

int
uv_thread_join(uv_thread_t *thread)
{
	(void)thread;
	work(worker);
	return 0;
}

uint64_t
uv_now(const uv_loop_t *loop)
{
	(void)loop;
	return ms;
}

/* One turn; how many came in by it. */
static unsigned
turn(void)
{
	unsigned before = worker->conns_n;

	(void)uv_run(&worker->loop, UV_RUN_NOWAIT);
	return worker->conns_n - before;
}

static struct sockaddr_un at;
static socklen_t at_len;

/* A unix socket: what was sent is there when send() returns. */
static void
open_door(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd != -1);
	at.sun_family = AF_UNIX;
	at_len = sizeof(at);
	/* The kernel chooses a name. */
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(sa_family_t)),
	    0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &at_len), 0);
	assert_int_equal(listen(fd, 4 * FLOOD), 0);
	assert_ok(hf_server_new(&server, &options, &service));
	assert_ok(hf_server_listen(server, fd, AF_UNIX));
	assert_ok(hf_server_generation(server, &w));
	assert_ok(hf_server_start(server));
}

static void
enter(void)
{
	callers = 0;
	begin_world(HF_METHOD_CERTIFICATE);
	open_door();
	/* What is not the door's is done. */
	assert_int_equal(turn(), 0);
}

static void
knock(unsigned n)
{
	struct visitor *v;

	for (; n > 0; n--) {
		assert_true(callers < HF__ARRAY_N(caller));
		v = &caller[callers++];
		assert_ok(hf_session_new(&v->s, w.i, START_MS, NOW));
		v->fd = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_true(v->fd != -1);
		assert_int_equal(connect(v->fd, (struct sockaddr *)&at,
				     at_len),
		    0);
	}
}

static void
go(void)
{
	while (callers > 0)
		leave(&caller[--callers]);
	finish();
}

/* A caller's first message. */
static void
ask(struct visitor *v)
{
	while (hf_session_want(v->s) != HF_WANT_WRITE)
		assert_true(step(v, NULL));
	talk(v);
}

/* What has come for a caller; 0 where nothing has. */
static size_t
told(const struct visitor *v)
{
	uint8_t in[4096];
	ssize_t n = recv(v->fd, in, sizeof(in), MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

/* --- how many ------------------------------------------------------------------- */

/* One who comes alone is one; behind him in a crowd twice as many each turn,
 * up to a limit. */
static void
ramp(void **state)
{
	static const unsigned taken[] = { 1, 2, 4, 8, 16, 14, 0 };
	size_t i;

	(void)state;
	enter();
	knock(CROWD);
	for (i = 0; i < HF__ARRAY_N(taken); i++) {
		assert_int_equal(turn(), taken[i]);
		ms++; /* soon is as good as at once */
	}
	ms++;
	knock(3);
	assert_int_equal(turn(), 1);
	assert_int_equal(turn(), 2);
	ms += 2;
	knock(2);
	assert_int_equal(turn(), 1);
	ms += 2;
	assert_int_equal(turn(), 1);
	assert_int_equal(worker->conns_n, CROWD + 5);
	go();
}

static unsigned fired;

static void
fires(uv_timer_t *timer)
{
	(void)timer;
	fired++;
}

/* A caller's whole handshake. */
static void
comes_in(struct visitor *v)
{
	while (hf_session_want(v->s) != HF_WANT_DONE) {
		(void)turn();
		(void)turn();
		assert_true(step(v, NULL));
	}
	(void)turn();
	assert_int_equal(log_.opened, 1);
}

/* There are always more outside than can be taken: in each turn those who are
 * in are heard, and a timer has its time. */
static void
flood(void **state)
{
	static const uint8_t word[] = { 'x' };
	unsigned n, in;
	uv_timer_t timer;

	(void)state;
	enter();
	assert_int_equal(uv_timer_init(&worker->loop, &timer), 0);
	knock(1);
	comes_in(&caller[0]);
	knock(FLOOD);
	fired = 0;
	for (n = 0; n < TURNS; n++) {
		assert_ok(hf_session_send(caller[0].s, word, sizeof(word)));
		talk(&caller[0]);
		assert_int_equal(uv_timer_start(&timer, fires, 0, 0), 0);
		in = turn();
		assert_in_range(in, 1, MOST);
		assert_int_equal(log_.bytes, n + 1);
		assert_int_equal(fired, n + 1);
		knock(in);
	}
	assert_int_equal(in, MOST);
	uv_close((uv_handle_t *)&timer, NULL);
	go();
}

/* --- what was said with the knock --------------------------------------------------- */

/* It is read, and answered, in the turn that lets the caller in; where nothing
 * was said nobody is waited for. */
static void
said_with_the_knock(void **state)
{
	(void)state;
	enter();
	knock(1);
	ask(&caller[0]);
	assert_int_equal(turn(), 1);
	assert_true(told(&caller[0]) > 0);
	knock(1);
	ms += 2;
	assert_int_equal(turn(), 1);
	assert_int_equal(told(&caller[1]), 0);
	ask(&caller[1]);
	(void)turn();
	(void)turn();
	assert_true(told(&caller[1]) > 0);
	go();
}

/* --- whoever says for whom he comes ---------------------------------------------------- */

static void
comes_for(const struct visitor *v)
{
	const struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	uint8_t head[HF_PROXY_WRITTEN];
	struct hf_address a = { .len = sizeof(in) };
	size_t len;

	memcpy(&a.at, &in, sizeof(in));
	len = hf_proxy_write(head, &a, &a);
	assert_int_equal(send(v->fd, head, len, 0), len);
}

/* He has a place while his header is read. When he is turned away behind it the
 * door opens again, also where nobody else is in. */
static void
turned_away_behind_a_header(void **state)
{
	unsigned n;

	(void)state;
	enter();
	assert_ok(hf_cidr_parse(&server->options.proxy[0], "unix"));
	server->options.proxy_n = 1;
	server->options.max_pending_source = 0;
	server->worker_conns = 1;
	knock(2);
	(void)turn();
	(void)turn();
	assert_int_equal(worker->greetings_n, 1);
	assert_int_equal(worker->listener[0].paused, 1);
	comes_for(&caller[0]);
	for (n = 0; n < TURNS && worker->greetings_n > 0; n++)
		(void)turn();
	assert_int_equal(log_.turned_away, 1);
	server->options.max_pending_source = 1;
	comes_for(&caller[1]);
	for (n = 0; n < TURNS && worker->conns_n == 0; n++)
		(void)turn();
	assert_int_equal(worker->conns_n, 1);
	go();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ramp),
		cmocka_unit_test(flood),
		cmocka_unit_test(said_with_the_knock),
		cmocka_unit_test(turned_away_behind_a_header),
	};

	if (hf_init() != HF_OK)
		return 1;
	hf_server_defaults(&options);
	options.max_source_unopened = 100000;
	options.max_pending_source = 100000;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
