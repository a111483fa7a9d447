/* SPDX-License-Identifier: ISC */
/*
 * What a store in memory does within the call, for those who can be told there
 * and then (store_now.h): only what need not wait; in its turn behind what was
 * asked for before; and where it has to wait the loop does not. The store's
 * thread is held up here where a test wants it to be.
 */
#include <sys/file.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <linux/magic.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_now.h"
#include "storing.h"
#include "testing.h"

enum { SHORT_MS = 300, HELD_MS = 2500, QUICK_MS = 1500, ORDER = 8 };

static char dir[48], uri[96];
static struct hf_store *store;
static struct hf_port *port;
static uv_loop_t loop;
static uv_timer_t ticker; /* of those that wait for a slow store */

/* --- the store's thread ----------------------------------------------------------- */

static pthread_t own;
static atomic_int asleep; /* nobody wakes it */
static atomic_int gate;	  /* it stops before it takes its turn to write */
static atomic_int at_gate;

void
uv_cond_signal(uv_cond_t *cond)
{
	if (!atomic_load(&asleep) && pthread_cond_signal(cond) != 0)
		abort();
}

void
uv_mutex_lock(uv_mutex_t *mutex)
{
	while (!pthread_equal(pthread_self(), own) && atomic_load(&gate)) {
		atomic_store(&at_gate, 1);
		usleep(1000);
	}
	if (pthread_mutex_lock(mutex) != 0)
		abort();
}

/* --- the stage ----------------------------------------------------------------------- */

/* Who was told what, in order. */
static struct {
	int id;
	enum hf_err err;
	char value[16];
} said[ORDER];
static int said_n;
static int ids[ORDER] = { 0, 1, 2, 3, 4, 5, 6, 7 };

static void
done(void *arg, enum hf_err err, const uint8_t *value, size_t len)
{
	assert_true(said_n < ORDER);
	said[said_n].id = *(int *)arg;
	said[said_n].err = err;
	assert_true(len < sizeof(said->value));
	if (len > 0)
		memcpy(said[said_n].value, value, len);
	said[said_n].value[len] = '\0';
	said_n++;
}

static void
assert_said(int n, int id, enum hf_err err)
{
	assert_true(n < said_n);
	assert_int_equal(said[n].id, id);
	assert_err(said[n].err, err);
}

static struct hf_span
text(const char *s)
{
	return s == NULL ? store_nothing : store_text(s);
}

/* Returns what is under way; NULL where it was told. */
static struct hf_op *
swap_now(int id, const char *expected, const char *next)
{
	struct hf_op *op;
	int before = said_n;

	assert_int_equal(hf__port_swap_now(&op, port, text("k"),
			     text(expected), text(next), store_later(), 0,
			     done, &ids[id]),
	    1);
	assert_int_equal(said_n - before, op == NULL);
	return op;
}

static void
swap_soon(int id, const char *expected, const char *next)
{
	int before = said_n;

	assert_non_null(hf_port_swap(port, text("k"), text(expected),
	    text(next), store_later(), done, &ids[id]));
	assert_int_equal(said_n, before);
}

static void
get_now(int id, enum hf_err err, const char *value)
{
	struct hf_op *op;
	int n = said_n;

	assert_int_equal(hf__port_get_now(&op, port, text("k"), done,
			     &ids[id]),
	    1);
	assert_null(op);
	assert_int_equal(said_n, n + 1);
	assert_said(n, id, err);
	assert_string_equal(said[n].value, value);
}

static void
wait_said(int n)
{
	uint64_t until = uv_hrtime() + 20000000000ULL;

	while (said_n < n && uv_hrtime() < until)
		store_run(&loop, 2);
	assert_int_equal(said_n, n);
}

/* The lock of those who write, as another process has it. */
static int
hold_turn(void)
{
	char path[80];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/db/turn.lock", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd != -1);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

static void
stand(const char *value)
{
	assert_ok(store_get(store, "k"));
	store_is(value);
}

/* Sees a write by the thread, until there is one. */
static void
await(const char *value)
{
	uint64_t until = uv_hrtime() + 20000000000ULL;

	do {
		assert_true(uv_hrtime() < until);
		usleep(1000);
	} while (store_get(store, "k") != HF_OK ||
	    store_len != strlen(value) ||
	    memcmp(store_value, value, store_len) != 0);
}

static void
take_turn(void)
{
	(void)hold_turn();
}

/* A process that has the lock for that long, and is killed by itself. */
static pid_t
holder(void (*hold)(void), unsigned ms)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		hold();
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		usleep(ms * 1000);
		(void)raise(SIGKILL);
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static int
enter(void **state)
{
	pid_t pid;

	(void)state;
	own = pthread_self();
	strcpy(dir, "/dev/shm/handfast-now.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(uri, sizeof(uri), "lmdb:%s/db", dir);
	store = store_open(uri);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_timer_init(&loop, &ticker), 0);
	assert_ok(hf_port_open(&port, store, &loop));
	hf_port_deadline(port, 30000);
	said_n = 0;
	/* The thread has something to do: from then on it sleeps. */
	pid = holder(take_turn, SHORT_MS);
	if (swap_now(0, NULL, "first") != NULL)
		wait_said(1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_said(0, 0, HF_OK);
	said_n = 0;
	return 0;
}

static int
leave(void **state)
{
	char command[128];

	(void)state;
	atomic_store(&gate, 0);
	atomic_store(&asleep, 0);
	hf_port_close(port);
	uv_close((uv_handle_t *)&ticker, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_store_close(store);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* --- within the call ------------------------------------------------------------------ */

static void
within_the_call(void **state)
{
	struct hf_op *op;

	(void)state;
	get_now(0, HF_OK, "first");
	assert_null(swap_now(1, "first", "one"));
	assert_said(1, 1, HF_OK);
	stand("one");
	assert_null(swap_now(2, "first", "two"));
	assert_said(2, 2, HF_E_FENCED);
	assert_null(swap_now(3, "one", NULL));
	assert_said(3, 3, HF_OK);
	get_now(4, HF_E_NO_SESSION, "");
	/* What cannot be asked is told to nobody. */
	op = (struct hf_op *)&loop;
	assert_int_equal(hf__port_get_now(&op, port, store_nothing, done,
			     &ids[5]),
	    0);
	assert_null(op);
	store_run(&loop, 20);
	assert_int_equal(said_n, 5);
}

/* --- in turn ---------------------------------------------------------------------------- */

/* A write waits behind one that was asked for before, and is done after it;
 * who reads waits for neither. */
static void
behind(void)
{
	assert_non_null(swap_now(1, "one", "two"));
	get_now(2, HF_OK, "first");
	swap_soon(3, "two", "three");
	store_run(&loop, 20);
	assert_int_equal(said_n, 1);
	stand("first");
}

static void
behind_is_done(int n)
{
	wait_said(n);
	assert_said(1, 0, HF_OK);
	assert_said(2, 1, HF_OK);
	assert_said(3, 3, HF_OK);
}

static void
behind_the_queue(void **state)
{
	int fd;

	(void)state;
	fd = hold_turn();
	atomic_store(&asleep, 1);
	assert_non_null(swap_now(0, "first", "one"));
	assert_int_equal(close(fd), 0);
	behind();
	atomic_store(&asleep, 0);
	assert_non_null(swap_now(4, "three", "four"));
	behind_is_done(5);
	assert_said(4, 4, HF_OK);
	stand("four");
}

static void
behind_the_thread(void **state)
{
	uint64_t until = uv_hrtime() + 20000000000ULL;
	int fd;

	(void)state;
	fd = hold_turn();
	atomic_store(&at_gate, 0);
	atomic_store(&gate, 1);
	assert_non_null(swap_now(0, "first", "one"));
	while (!atomic_load(&at_gate)) {
		assert_true(uv_hrtime() < until);
		usleep(1000);
	}
	assert_int_equal(close(fd), 0);
	behind();
	atomic_store(&gate, 0);
	behind_is_done(4);
	stand("three");
}

/* Of what was done by the thread and what the loop did itself the answers come
 * as it was done. */
static void
told_in_order(void **state)
{
	int fd;

	(void)state;
	fd = hold_turn();
	swap_soon(0, "first", "one");
	assert_int_equal(close(fd), 0);
	await("one");
	/* It may say so a little later. */
	usleep(100000);
	swap_soon(1, "one", "two");
	stand("two");
	fd = hold_turn();
	swap_soon(2, "two", "three");
	assert_int_equal(close(fd), 0);
	await("three");
	usleep(100000);
	swap_soon(3, "three", "four");
	stand("four");
	assert_int_equal(said_n, 0);
	wait_said(4);
	assert_said(0, 0, HF_OK);
	assert_said(1, 1, HF_OK);
	assert_said(2, 2, HF_OK);
	assert_said(3, 3, HF_OK);
}

/* --- a store that is slow ------------------------------------------------------------ */

static uint64_t longest; /* from one tick to the next, ms */
static uint64_t ticked;

static void
tick(uv_timer_t *timer)
{
	uint64_t now = uv_hrtime() / 1000000;

	(void)timer;
	if (now - ticked > longest)
		longest = now - ticked;
	ticked = now;
}

/* LMDB's own lock, as its tools take it. */
static void
take_raw(void)
{
	char path[80];
	MDB_env *env;
	MDB_txn *txn;

	(void)snprintf(path, sizeof(path), "%s/db", dir);
	if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 3) != 0 ||
	    mdb_env_open(env, path, 0, 0600) != 0 ||
	    mdb_txn_begin(env, NULL, 0, &txn) != 0)
		_exit(1);
}

/* The call returns, the loop goes on, the deadline holds, and reading goes on
 * within its call; then the store is as it was. */
static void
slow(void (*hold)(void))
{
	uint64_t began;
	int status;
	pid_t pid;

	hf_port_deadline(port, SHORT_MS);
	pid = holder(hold, HELD_MS);
	longest = 0;
	ticked = began = uv_hrtime() / 1000000;
	assert_int_equal(uv_timer_start(&ticker, tick, 5, 5), 0);
	assert_non_null(swap_now(0, "first", "one"));
	assert_non_null(swap_now(1, "first", "two"));
	get_now(2, HF_OK, "first");
	wait_said(3);
	assert_in_range(uv_hrtime() / 1000000 - began, SHORT_MS - 1,
	    SHORT_MS + QUICK_MS);
	assert_in_range(longest, 1, QUICK_MS);
	assert_said(1, 0, HF_E_STORE);
	assert_said(2, 1, HF_E_STORE);
	(void)uv_timer_stop(&ticker);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	hf_port_deadline(port, 30000);
	/* The first had begun, the other was not. */
	await("one");
	if (swap_now(3, "one", "three") != NULL)
		wait_said(4);
	assert_said(3, 3, HF_OK);
	stand("three");
}

static void
slow_turn(void **state)
{
	(void)state;
	slow(take_turn);
}

static void
slow_writer(void **state)
{
	(void)state;
	slow(take_raw);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(within_the_call, enter, leave),
		cmocka_unit_test_setup_teardown(behind_the_queue, enter,
		    leave),
		cmocka_unit_test_setup_teardown(behind_the_thread, enter,
		    leave),
		cmocka_unit_test_setup_teardown(told_in_order, enter, leave),
		cmocka_unit_test_setup_teardown(slow_turn, enter, leave),
		cmocka_unit_test_setup_teardown(slow_writer, enter, leave),
	};
	struct statfs fs;

	if (hf_init() != HF_OK)
		return 1;
	if (statfs("/dev/shm", &fs) != 0 || fs.f_type != TMPFS_MAGIC ||
	    access("/dev/shm", W_OK) != 0) {
		(void)puts("nothing in memory here");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
