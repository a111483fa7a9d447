/* SPDX-License-Identifier: ISC */
/*
 * A whole server in this process, and peers that come to it over the loopback
 * from addresses of their own: who is asked for a cookie, who has had his
 * share, what is a replay, and what a ticket is good for.
 */
#include "visit.h"

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
	await_opened(1); /* else whoever is looked at first */
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
	await_opened(1); /* else whoever is looked at first */
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

/* Whether it says so ten times in turn, after a while. */
static int
lives_now(int want)
{
	int i, n = 0;

	for (i = 0; n < 10 && i < WAIT_MS / 20; i++) {
		n = hf_server_lives(server) == want ? n + 1 : 0;
		assert_int_equal(poll(NULL, 0, 20), 0);
	}
	return n == 10;
}

/* A thread that waits for something outside gives no sign of life. */
static void
lives(void **state)
{
	struct visitor v;
	struct blob request;

	(void)state;
	options.busy = 1;
	begin(HF_METHOD_CERTIFICATE);
	assert_true(lives_now(1));
	assert_ok(hf_session_new(&v.s, w.i, START_MS, NOW));
	assert_ok(hf_session_trust(v.s, HF_OK));
	take(&request, v.s);
	/* The service takes it to judge. */
	pthread_mutex_lock(&lock);
	v.fd = dial(1);
	say(v.fd, request.bytes, request.len);
	assert_true(lives_now(0));
	pthread_mutex_unlock(&lock);
	assert_true(lives_now(1));
	leave(&v);
	assert_err(next_end(NULL), HF_E_GONE);
	finish();
	options.busy = 0;
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
	await_opened(1);
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
		cmocka_unit_test(lives),
		cmocka_unit_test(stopped),
	};

	if (hf_init() != HF_OK)
		return 1;
	hf_server_defaults(&options);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
