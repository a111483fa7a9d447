/* SPDX-License-Identifier: ISC */
/*
 * A password that is stretched in a thread for longer than its link lasts: the
 * one that comes next waits for it in vain, and nobody is answered who is gone
 * (threat A38).
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "testing.h"

#include "fleet.h"

enum { STEP_MS = 5 };

static const struct meeting by_password = { .method = HF_METHOD_PASSWORD };

static struct world w;
static uv_loop_t loop;
static uv_timer_t timer;
static uint8_t scratch[HF_LINK_SCRATCH];
static struct hf_stretch *place;

/* A link, and the responder at its other end. */
struct side {
	struct hf_link *link; /* NULL: none any more */
	struct hf_session *peer;
	int fd;
	int asked; /* for the password, stretched */
	int opened;
	enum hf_err err;
};
static struct side first, second;

/* The one thread of the pool has this to do before it stretches. */
static uv_work_t plug;
static sem_t pulled;

/* The wall clock of all that is linked here. */
time_t
time(time_t *out)
{
	if (out != NULL)
		*out = NOW;
	return NOW;
}

/* --- what an initiator does --------------------------------------------------- */

static void
on_trust(void *owner, struct hf_link *link)
{
	static const char password[] = "correct horse";
	struct side *side = owner;

	side->asked++;
	hf_stretch_begin(&place, &loop, link, "bob", password,
	    sizeof(password) - 1);
}

static void
on_opened(void *owner, struct hf_link *link)
{
	struct side *side = owner;

	(void)link;
	side->opened++;
}

static void
on_ended(void *owner, struct hf_link *link, enum hf_err err)
{
	struct side *side = owner;

	(void)link;
	side->link = NULL;
	side->err = err;
	hf_stretch_forget(place);
}

static void
on_nothing(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
}

static void
on_data(void *owner, struct hf_link *link, enum hf_content content,
    const uint8_t *data, size_t len)
{
	(void)owner;
	(void)link;
	(void)content;
	(void)data;
	(void)len;
}

static const struct hf_link_hooks hooks = { .trust = on_trust,
	.opened = on_opened,
	.data = on_data,
	.closed = on_nothing,
	.drained = on_nothing,
	.ended = on_ended };

/* --- one run -------------------------------------------------------------------- */

static void
connect_side(struct side *side)
{
	int fds[2];

	memset(side, 0, sizeof(*side));
	assert_ok(hf_session_new(&side->peer, w.r, 0, NOW));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	side->fd = fds[0];
	assert_int_equal(fcntl(side->fd, F_SETFL, O_NONBLOCK), 0);
	assert_ok(
	    hf_link_new(&side->link, &loop, AF_UNIX, scratch, &hooks, side));
	assert_int_equal(uv_pipe_open((uv_pipe_t *)hf_link_stream(side->link),
			     fds[1]),
	    0);
	hf_link_start(side->link, w.i, NULL, 0);
}

/* The responder says what it has to say. */
static void
move(struct side *side)
{
	struct hf_span out;
	uint8_t in[4096];
	ssize_t n = recv(side->fd, in, sizeof(in), 0);

	if (n > 0)
		(void)give(side->peer, in, (size_t)n);
	while (hf_session_want(side->peer) == HF_WANT_ADMIT)
		assert_ok(answer(&w, side->peer));
	out = hf_session_output(side->peer);
	n = send(side->fd, out.ptr, out.len, MSG_NOSIGNAL);
	if (n > 0)
		assert_ok(hf_session_drained(side->peer, (size_t)n));
}

static void
free_side(struct side *side)
{
	hf_session_free(side->peer);
	assert_int_equal(close(side->fd), 0);
}

static void
ticked(uv_timer_t *t)
{
	(void)t;
}

/* Until the initiator has asked for it to be stretched. */
static void
until_asked(struct side *side)
{
	connect_side(side);
	while (side->link != NULL && side->asked == 0) {
		move(side);
		(void)uv_run(&loop, UV_RUN_ONCE);
	}
}

/* Its handshake took too long. */
static void
until_gone(struct side *side)
{
	if (side->link != NULL)
		hf_link_abort(side->link, HF_E_DEADLINE);
	while (side->link != NULL)
		(void)uv_run(&loop, UV_RUN_ONCE);
}

static void
wait_in_thread(uv_work_t *work)
{
	(void)work;
	while (sem_wait(&pulled) != 0)
		continue;
}

static void
waited(uv_work_t *work, int status)
{
	(void)work;
	assert_int_equal(status, 0);
}

static int
enter(void **state)
{
	(void)state;
	world_make(&w, &by_password);
	assert_int_equal(sem_init(&pulled, 0, 0), 0);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_timer_init(&loop, &timer), 0);
	return uv_timer_start(&timer, ticked, STEP_MS, STEP_MS);
}

static int
leave(void **state)
{
	(void)state;
	/* Also where the test has failed. */
	assert_int_equal(sem_post(&pulled), 0);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(sem_destroy(&pulled), 0);
	world_free(&w);
	return 0;
}

/* --- the tests -------------------------------------------------------------------- */

/* The next one begins while the one before is at work: it is refused, since in
 * its place nobody could forget it. */
static void
one_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(uv_queue_work(&loop, &plug, wait_in_thread, waited),
	    0);
	until_asked(&first);
	assert_non_null(place);
	until_gone(&first);
	assert_err(first.err, HF_E_DEADLINE);
	until_asked(&second);
	/* The one before comes to its end, and then this one goes. */
	assert_int_equal(sem_post(&pulled), 0);
	while (place != NULL)
		(void)uv_run(&loop, UV_RUN_ONCE);
	until_gone(&second);
	(void)uv_timer_stop(&timer);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(second.asked, 1);
	assert_err(second.err, HF_E_GONE);
	assert_int_equal(first.opened + second.opened, 0);
	free_side(&first);
	free_side(&second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_at_a_time, enter, leave),
	};

	if (setenv("UV_THREADPOOL_SIZE", "1", 1) != 0 || hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
