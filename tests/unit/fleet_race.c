/* SPDX-License-Identifier: ISC */
/*
 * One single-use ticket shown to two servers at once (threat A43): two threads,
 * two sessions, one table of used tickets behind one lock, as a responder has
 * it. One is let in, the other refused, 10,000 times; nothing is released to
 * either before the table has answered.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"
#include "testing.h"

enum { ROUNDS = 10000 };

static struct world w;
static struct hf_used *used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t start, stop;

static struct runner {
	pthread_t thread;
	struct hf_session *r;
	struct blob confirm;
	enum hf_err verdict, result;
	int too_early;
} runners[2];

/* Confirm, with data behind it; then the table is asked. */
static void
race(struct runner *run)
{
	struct hf_peer peer;
	size_t fed;
	enum hf_err e;

	e = hf_session_feed(run->r, &fed, run->confirm.bytes,
	    run->confirm.len);
	run->too_early = e != HF_OK ||
	    hf_session_want(run->r) != HF_WANT_COMMIT ||
	    hf_session_peer(&peer, run->r) != HF_OK || peer.authenticated ||
	    fed >= run->confirm.len ||
	    hf_session_send(run->r, (const uint8_t *)"x", 1) != HF_E_STATE;
	pthread_mutex_lock(&lock);
	run->verdict = hf_used_burn(used, run->r->ticket->cti,
	    run->r->ticket->expires, NOW);
	pthread_mutex_unlock(&lock);
	run->result = hf_session_commit(run->r, run->verdict);
}

static void *
runner_main(void *arg)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&start);
		race(arg);
		pthread_barrier_wait(&stop);
	}
	return NULL;
}

/* A responder that waits for confirm, and the confirm of the ticket's holder,
 * who has data to send at once. */
static void
bring(struct runner *run)
{
	struct hf_session *i;
	struct blob b;

	assert_ok(hf_session_new(&i, w.i, START_MS, NOW));
	assert_ok(hf_session_new(&run->r, w.r, START_MS, NOW));
	assert_ok(answer(&w, i));
	take(&b, i);
	assert_ok(give(run->r, b.bytes, b.len));
	assert_ok(answer(&w, run->r));
	assert_ok(answer(&w, run->r));
	take(&b, run->r);
	assert_ok(give(i, b.bytes, b.len));
	assert_ok(hf_session_send(i, (const uint8_t *)"early", 5));
	take(&run->confirm, i);
	hf_session_free(i);
}

static void
new_ticket(void)
{
	struct hf_ticket_info info = { .issued = NOW,
		.expires = NOW + 3600,
		.single_use = 1 };
	uint8_t file[2048];
	size_t len;

	name_set(&info.subject, "alice");
	name_set(&info.audience, "server.example");
	assert_ok(hf_ticket_issue(file, sizeof(file), &len, w.ring, &info));
	assert_ok(hf_config_ticket(w.i, file, len));
}

static void
one_of_two(void **state)
{
	unsigned won[2] = { 0 };
	int i, k, winner;

	(void)state;
	assert_ok(hf_used_new(&used, ROUNDS));
	pthread_barrier_init(&start, NULL, 3);
	pthread_barrier_init(&stop, NULL, 3);
	for (k = 0; k < 2; k++)
		assert_int_equal(pthread_create(&runners[k].thread, NULL,
				     runner_main, &runners[k]),
		    0);
	for (i = 0; i < ROUNDS; i++) {
		new_ticket();
		bring(&runners[0]);
		bring(&runners[1]);
		pthread_barrier_wait(&start);
		pthread_barrier_wait(&stop);
		winner = runners[0].verdict == HF_OK ? 0 : 1;
		assert_false(runners[0].too_early || runners[1].too_early);
		assert_err(runners[winner].result, HF_OK);
		assert_true(runners[winner].r->authenticated);
		assert_err(runners[!winner].verdict, HF_E_TICKET_USED);
		assert_err(runners[!winner].result, HF_E_TICKET_USED);
		assert_false(runners[!winner].r->authenticated);
		won[winner]++;
		hf_session_free(runners[0].r);
		hf_session_free(runners[1].r);
	}
	for (k = 0; k < 2; k++)
		pthread_join(runners[k].thread, NULL);
	print_message("%u and %u tickets\n", won[0], won[1]);
	hf_used_free(used);
}

/* A table that is full refuses what it could not remember. */
static void
no_room(void **state)
{
	int i;

	(void)state;
	assert_ok(hf_used_new(&used, 1));
	for (i = 0; i < 2; i++) {
		new_ticket();
		bring(&runners[0]);
		race(&runners[0]);
		assert_false(runners[0].too_early);
		assert_err(runners[0].result, i == 0 ? HF_OK : HF_E_STORE);
		assert_int_equal(runners[0].r->authenticated, i == 0);
		hf_session_free(runners[0].r);
	}
	hf_used_free(used);
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	world_make(&w,
	    &(struct meeting){ .method = HF_METHOD_TICKET,
		.known = 1,
		.single_use = 1 });
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	world_free(&w);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_two),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
