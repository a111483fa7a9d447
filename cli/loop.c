/* SPDX-License-Identifier: ISC */
/*
 * The first event loop of a process. Where libuv runs out of descriptors,
 * threads or memory for what it keeps of them it aborts; here they are asked
 * for beforehand, so that the program says what is missing and ends in order.
 * What loops are used for it does not know.
 */
#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve.h"

enum { POOL = 4 }; /* libuv's threads for work, unless told otherwise */

static uv_mutex_t gate;
static uv_work_t first_work;

static void
wait_at_gate(void *unused)
{
	(void)unused;
	uv_mutex_lock(&gate);
	uv_mutex_unlock(&gate);
}

/* As many threads at once as the pool will have: it takes their memory over
 * when they have ended. Returns 0 or a libuv error. */
static int
try_threads(void)
{
	uv_thread_t thread[POOL];
	int n = 0, r;

	if ((r = uv_mutex_init(&gate)) != 0)
		return r;
	uv_mutex_lock(&gate);
	while (n < POOL &&
	    (r = uv_thread_create(&thread[n], wait_at_gate, NULL)) == 0)
		n++;
	uv_mutex_unlock(&gate);
	while (n > 0)
		(void)uv_thread_join(&thread[--n]);
	uv_mutex_destroy(&gate);
	return r;
}

/* One to watch them all, two for signals, one to wake it. */
static int
try_descriptors(void)
{
	int a[2], b[2], r = 0;

	if (pipe2(a, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(b, O_CLOEXEC) != 0) {
		r = -errno;
	} else {
		(void)close(b[0]);
		(void)close(b[1]);
	}
	(void)close(a[0]);
	(void)close(a[1]);
	return r;
}

/* The table of a loop's descriptors could not grow. */
static void *
grow_or_end(void *old, size_t size)
{
	void *grown = realloc(old, size);

	if (grown != NULL || size == 0)
		return grown;
	_exit(cli_fail(HF_E_MEMORY, "event loop"));
}

static void
no_work(uv_work_t *work)
{
	(void)work;
}

static void
no_work_done(uv_work_t *work, int status)
{
	(void)work;
	(void)status;
}

int
loop_init(uv_loop_t *loop)
{
	int r;

	if ((r = uv_replace_allocator(malloc, grow_or_end, calloc, free)) ==
		0 &&
	    (r = try_descriptors()) == 0 && (r = try_threads()) == 0 &&
	    (r = uv_loop_init(loop)) == 0)
		r = uv_queue_work(loop, &first_work, no_work, no_work_done);
	if (r != 0)
		return cli_error(CLI_IO, "cannot make an event loop: %s",
		    uv_strerror(r));
	return CLI_OK;
}

int
loop_signals(struct loop_signals *s, uv_loop_t *loop, uv_signal_cb stop,
    uv_signal_cb reload)
{
	if (uv_signal_init(loop, &s->term) == 0 &&
	    uv_signal_init(loop, &s->intr) == 0 &&
	    uv_signal_init(loop, &s->hup) == 0 &&
	    uv_signal_start(&s->term, stop, SIGTERM) == 0 &&
	    uv_signal_start(&s->intr, stop, SIGINT) == 0 &&
	    uv_signal_start(&s->hup, reload, SIGHUP) == 0)
		return CLI_OK;
	return cli_error(CLI_IO, "cannot watch for signals");
}

void
loop_signals_close(struct loop_signals *s)
{
	uv_close((uv_handle_t *)&s->term, NULL);
	uv_close((uv_handle_t *)&s->intr, NULL);
	uv_close((uv_handle_t *)&s->hup, NULL);
}

void
loop_files(unsigned most)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_max < most)
		most = (unsigned)limit.rlim_max;
	if (limit.rlim_cur >= most)
		return;
	limit.rlim_cur = most;
	/* Where it stays as it was, fewer connections are held. */
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
