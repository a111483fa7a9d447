/* SPDX-License-Identifier: ISC */
/*
 * Stores, whichever engine is behind: one compare-and-set, expiry, listing,
 * news of changes by others, and a deadline for everything. Other processes
 * are real ones: killed, or stopped in the middle of writing.
 */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <linux/magic.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_now.h"
#include "testing.h"

static const char *base;
static int in_memory; /* where gets wait for nobody */
static char dir[48];
static char uri[96];
static struct hf_store *store;
static uv_loop_t loop;
static struct hf_port *port;

static struct hf_span
text(const char *s)
{
	return (struct hf_span){ (const uint8_t *)s, strlen(s) };
}

static const struct hf_span nothing = { NULL, 0 };

static int
enter(void **state)
{
	char path[80];

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/handfast-store.XXXXXX", base);
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/db", dir);
	(void)snprintf(uri, sizeof(uri), "lmdb:%s", path);
	assert_ok(hf_store_open(&store, uri));
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(hf_port_open(&port, store, &loop));
	hf_port_deadline(port, 30000); /* a disk under load is slow */
	return 0;
}

static int
leave(void **state)
{
	char command[128];

	(void)state;
	hf_port_close(port);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_store_close(store);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* --- asking, and waiting for the answer ------------------------------------------------ */

static struct answer {
	int n;
	enum hf_err err;
	char value[64];
} got;

static void
done(void *arg, enum hf_err err, const uint8_t *value, size_t len)
{
	struct answer *a = arg;

	a->n++;
	a->err = err;
	if (err != HF_OK)
		assert_null(value);
	assert_in_range(len, 0, sizeof(a->value) - 1);
	if (len > 0)
		memcpy(a->value, value, len);
	a->value[len] = '\0';
}

static unsigned patience_s = 20;

static void
wait_for(const struct answer *a, int n)
{
	uint64_t until = uv_hrtime() + patience_s * 1000000000ULL;

	while (a->n < n && uv_hrtime() < until)
		(void)uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(a->n, n);
}

static enum hf_err
get(const char *key)
{
	got.n = 0;
	assert_non_null(hf_port_get(port, text(key), done, &got));
	wait_for(&got, 1);
	return got.err;
}

static enum hf_err
swap(const char *key, const char *expected, const char *next)
{
	got.n = 0;
	assert_non_null(hf_port_swap(port, text(key),
	    expected == NULL ? nothing : text(expected),
	    next == NULL ? nothing : text(next), NOW, done, &got));
	wait_for(&got, 1);
	return got.err;
}

/* --- one key ---------------------------------------------------------------------------- */

static void
compare_and_set(void **state)
{
	(void)state;
	assert_err(get("k"), HF_E_NO_SESSION);
	assert_err(swap("k", "x", "y"), HF_E_FENCED);
	assert_ok(swap("k", NULL, "one"));
	assert_err(swap("k", NULL, "two"), HF_E_FENCED);
	assert_err(swap("k", "on", "two"), HF_E_FENCED);
	assert_err(swap("k", "one!", "two"), HF_E_FENCED);
	assert_err(swap("k", "ona", "two"), HF_E_FENCED);
	assert_ok(get("k"));
	assert_string_equal(got.value, "one");
	assert_ok(swap("k", "one", "two"));
	assert_ok(get("k"));
	assert_string_equal(got.value, "two");
	assert_err(get("k2"), HF_E_NO_SESSION);
	assert_err(swap("k", "one", NULL), HF_E_FENCED);
	assert_ok(swap("k", "two", NULL));
	assert_err(get("k"), HF_E_NO_SESSION);
	assert_ok(swap("k", NULL, NULL));
}

static void
limits(void **state)
{
	static uint8_t big[HF_STORE_VALUE_MAX + 1];
	uint8_t value[HF_STORE_VALUE_MAX];
	size_t len;

	(void)state;
	assert_null(hf_port_get(port, nothing, done, &got));
	assert_null(hf_port_get(port,
	    (struct hf_span){ big, HF_STORE_KEY_MAX + 1 }, done, &got));
	assert_null(hf_port_swap(port, text("k"), nothing,
	    (struct hf_span){ big, sizeof(big) }, NOW, done, &got));
	assert_null(hf_port_swap(port, text("k"),
	    (struct hf_span){ big, sizeof(big) }, nothing, NOW, done, &got));
	assert_ok(hf_store_swap(store, text("k"), nothing,
	    (struct hf_span){ big, HF_STORE_VALUE_MAX }, NOW));
	assert_ok(hf_store_get(store, text("k"), value, &len));
	assert_int_equal(len, HF_STORE_VALUE_MAX);
	assert_err(hf_store_get(store, nothing, value, &len), HF_E_ARG);
}

/* A thousand processes' worth of attempts: each success counts once. */
static void
race(void **state)
{
	enum { PROCESSES = 4, ROUNDS = 500 };
	unsigned wins = 0, n, p;
	uint8_t value[HF_STORE_VALUE_MAX];
	struct hf_store *mine;
	size_t len;
	int status;
	pid_t pid;

	(void)state;
	assert_ok(hf_store_swap(store, text("n"), nothing,
	    (struct hf_span){ (const uint8_t *)"\0\0\0\0", 4 }, NOW));
	/* No thread may hold a lock of malloc's while a child is made. */
	hf_port_close(port);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	hf_store_close(store);
	for (p = 0; p < PROCESSES; p++) {
		if ((pid = fork()) != 0) {
			assert_true(pid > 0);
			continue;
		}
		if (hf_store_open(&mine, uri) != HF_OK)
			_exit(1);
		for (n = 0; n < ROUNDS;) {
			unsigned next;

			if (hf_store_get(mine, text("n"), value, &len) !=
			    HF_OK)
				_exit(2);
			memcpy(&next, value, 4);
			next++;
			n += hf_store_swap(mine, text("n"),
				 (struct hf_span){ value, 4 },
				 (struct hf_span){ (uint8_t *)&next, 4 },
				 NOW) == HF_OK;
		}
		_exit(0);
	}
	for (p = 0; p < PROCESSES; p++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_ok(hf_store_open(&store, uri));
	assert_ok(hf_port_open(&port, store, &loop));
	assert_ok(hf_store_get(store, text("n"), value, &len));
	memcpy(&wins, value, 4);
	assert_int_equal(wins, PROCESSES * ROUNDS);
}

/* --- many keys --------------------------------------------------------------------------- */

static int
count(void *arg, struct hf_span key, struct hf_span value)
{
	int *n = arg;

	assert_int_equal(key.ptr[0], 's');
	assert_true(value.len > 0);
	return ++*n < 3;
}

static void
listing(void **state)
{
	static const char *const keys[] = { "r/1", "s/1", "s/2", "s/3", "s/4",
		"t/1" };
	int n = 0;
	size_t i;

	(void)state;
	assert_ok(hf_store_list(store, text("s/"), count, &n));
	assert_int_equal(n, 0);
	for (i = 0; i < HF__ARRAY_N(keys); i++)
		assert_ok(swap(keys[i], NULL, "v"));
	assert_ok(hf_store_list(store, text("s/"), count, &n));
	assert_int_equal(n, 3); /* it was enough */
	n = -10;
	assert_ok(hf_store_list(store, text("s/"), count, &n));
	assert_int_equal(n, -6);
}

static void
sweep(void **state)
{
	char key[16];
	size_t n, i;

	(void)state;
	for (i = 0; i < 10; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		assert_ok(hf_store_swap(store, text(key), nothing, text("v"),
		    NOW + i));
	}
	/* One that was put off, one that is gone. */
	assert_ok(
	    hf_store_swap(store, text("k0"), text("v"), text("w"), NOW + 100));
	assert_ok(hf_store_swap(store, text("k1"), text("v"), nothing, 0));
	assert_ok(hf_store_sweep(store, NOW - 1, &n));
	assert_int_equal(n, 0);
	assert_ok(hf_store_sweep(store, NOW + 4, &n));
	assert_int_equal(n, 3);
	assert_ok(get("k0"));
	assert_err(get("k4"), HF_E_NO_SESSION);
	assert_ok(get("k5"));
	assert_ok(hf_store_sweep(store, NOW + 100, &n));
	assert_int_equal(n, 6);
}

/* --- others -------------------------------------------------------------------------------- */

static int news;
static char newest[HF_STORE_KEY_MAX + 1];

static void
changed(void *arg, struct hf_span key)
{
	(void)arg;
	news++;
	memcpy(newest, key.ptr, key.len);
	newest[key.len] = '\0';
}

static void
other_process(void (*what)(struct hf_store *))
{
	struct hf_store *mine;
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		if (hf_store_open(&mine, uri) != HF_OK)
			_exit(1);
		what(mine);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
write_k(struct hf_store *mine)
{
	if (hf_store_swap(mine, text("k"), text("one"), text("two"), NOW) !=
	    HF_OK)
		_exit(3);
}

static void
write_old(struct hf_store *mine)
{
	if (hf_store_swap(mine, text("old"), nothing, text("x"), NOW) != HF_OK)
		_exit(3);
}

static void
tick(uv_timer_t *timer)
{
	(void)timer;
}

/* A port alone keeps no loop alive: something else does here. */
static void
run_for(unsigned ms)
{
	uint64_t until = uv_hrtime() + ms * 1000000ULL;
	uv_timer_t alive;

	assert_int_equal(uv_timer_init(&loop, &alive), 0);
	assert_int_equal(uv_timer_start(&alive, tick, 5, 5), 0);
	while (uv_hrtime() < until)
		(void)uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&alive, NULL);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
}

static void
done_with(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	(void)value;
	(void)len;
	*(int *)arg = e == HF_OK ? 1 : -1;
}

/* The second is no news. */
static void
write_k_and_q(struct hf_store *mine)
{
	struct hf_port *own = NULL;
	struct hf_op *op = NULL;
	int done = 0;

	write_k(mine);
	if (hf_port_open(&own, mine, uv_default_loop()) != HF_OK ||
	    !hf__port_swap_now(&op, own, text("q"), nothing, text("one"), NOW,
		1, done_with, &done))
		_exit(3);
	while (done == 0)
		(void)uv_run(uv_default_loop(), UV_RUN_ONCE);
	if (done != 1)
		_exit(4);
}

static void
changes(void **state)
{
	(void)state;
	news = 0;
	assert_ok(swap("before", NULL, "one"));
	other_process(write_old);
	hf_port_watch(port, changed, NULL);
	run_for(50);
	assert_ok(swap("k", NULL, "one")); /* one's own is no news */
	other_process(write_k_and_q);
	run_for(600);
	assert_int_equal(news, 1);
	assert_string_equal(newest, "k");
	assert_ok(get("k"));
	assert_string_equal(got.value, "two");
	assert_ok(get("q"));
	assert_string_equal(got.value, "one");
	hf_port_watch(port, NULL, NULL);
}

/* LMDB's own lock, as its tools take it. */
static int
begin_raw(void)
{
	char path[80];
	MDB_env *env;
	MDB_txn *txn;

	(void)snprintf(path, sizeof(path), "%s/db", dir);
	return mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 3) == 0 &&
	    mdb_env_open(env, path, 0, 0600) == 0 &&
	    mdb_txn_begin(env, NULL, 0, &txn) == 0;
}

/* The lock that a store takes before that. */
static int
open_turn(void)
{
	char path[80];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/db/turn.lock", dir);
	assert_int_not_equal(fd = open(path, O_RDWR), -1);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

static int
take_turn(void)
{
	return open_turn() != -1;
}

/* An operation that the store's thread has done, and what it does first. */
static void
wake_thread(const char *key)
{
	int fd = open_turn();

	got.n = 0;
	assert_non_null(hf_port_swap(port, text(key), nothing, text("one"),
	    NOW, done, &got));
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(got.n, 0);
	(void)close(fd);
	wait_for(&got, 1);
	assert_ok(got.err);
}

/* A process that is stopped with the writer's lock in its hand. */
static pid_t
stopped_writer(int (*hold)(void))
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		if (!hold())
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	return pid;
}

/* Writes fail in time; when the lock is free again what was given up was not
 * done, unless it had begun. A killed holder's lock is free. */
static void
stall(int (*hold)(void))
{
	uint8_t value[HF_STORE_VALUE_MAX];
	struct hf_store *reader;
	uint64_t began;
	size_t len;
	pid_t pid;
	int status;

	wake_thread("k");
	hf_port_deadline(port, 300);
	patience_s = 5;
	pid = stopped_writer(hold);
	began = uv_hrtime();
	assert_err(swap("k", "one", "begun"), HF_E_STORE);
	assert_err(swap("k2", NULL, "not begun"), HF_E_STORE);
	/* Who only reads is not kept out. */
	assert_ok(hf_store_open(&reader, uri));
	assert_ok(hf_store_get(reader, text("k"), value, &len));
	if (in_memory) {
		assert_ok(get("k"));
		assert_string_equal(got.value, "one");
	} else {
		assert_err(get("k"), HF_E_STORE); /* behind them */
	}
	assert_in_range(uv_hrtime() - began, 500000000ULL, 5000000000ULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	hf_store_close(reader);
	hf_port_deadline(port, 30000);
	patience_s = 20;
	assert_ok(swap("k", "begun", "two")); /* behind it */
	assert_err(get("k2"), HF_E_NO_SESSION);
	assert_ok(get("k"));
	assert_string_equal(got.value, "two");
}

static void
stalled(void **state)
{
	(void)state;
	stall(begin_raw);
}

static void
stalled_turn(void **state)
{
	(void)state;
	stall(take_turn);
}

/* In memory a write that finds nobody before it is done within the call, and
 * told from the loop. */
static void
at_once(void **state)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	struct answer a = { 0 };
	char key[16];
	size_t len;
	int i;

	(void)state;
	wake_thread("w");
	/* The thread may be as quick, once. */
	for (i = 0; i < 20; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		assert_non_null(hf_port_swap(port, text(key), nothing,
		    text("one"), NOW, done, &a));
		assert_int_equal(a.n, i);
		if (in_memory) {
			assert_ok(hf_store_get(store, text(key), value, &len));
			assert_int_equal(len, 3);
		}
		wait_for(&a, i + 1);
		assert_ok(a.err);
	}
	/* One that is lost says so from the loop too. */
	assert_non_null(hf_port_swap(port, text(key), nothing, text("two"),
	    NOW, done, &a));
	assert_int_equal(a.n, i);
	wait_for(&a, i + 1);
	assert_err(a.err, HF_E_FENCED);
}

/* The next process that opens the environment must see that it is not alone:
 * it would make its locks anew. */
static void
locks_stay(void **state)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
	char path[80];
	int fd, status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0) {
		(void)snprintf(path, sizeof(path), "%s/db/lock.mdb", dir);
		fd = open(path, O_RDWR);
		_exit(fd == -1 || fcntl(fd, F_GETLK, &lock) != 0 ||
		    lock.l_pid != getppid());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What is forgotten does not answer, and a port can go at any time. */
static void
forgotten(void **state)
{
	struct hf_port *other;
	struct answer none = { 0 };
	int n;

	(void)state;
	assert_ok(hf_port_open(&other, store, &loop));
	for (n = 0; n < 50; n++)
		assert_non_null(hf_port_swap(other, text("f"), nothing,
		    text("v"), NOW, done, &none));
	hf_port_close(other);
	/* Also when the answers are there. */
	assert_ok(hf_port_open(&other, store, &loop));
	for (n = 0; n < 50; n++)
		assert_non_null(hf_port_get(other, text("f"), done, &none));
	usleep(200000);
	hf_port_close(other);
	hf_op_forget(hf_port_get(port, text("f"), done, &none));
	assert_err(get("g"), HF_E_NO_SESSION);
	run_for(20);
	assert_int_equal(none.n, 0);
}

static int order[20], orders;

static void
in_order_done(void *arg, enum hf_err err, const uint8_t *value, size_t len)
{
	(void)value;
	(void)len;
	assert_err(err, HF_E_NO_SESSION);
	order[orders++] = *(int *)arg;
}

/* Answers that have gathered come as they were asked for. */
static void
in_order(void **state)
{
	int number[20], n;

	(void)state;
	orders = 0;
	for (n = 0; n < 20; n++) {
		number[n] = n;
		assert_non_null(
		    hf_port_get(port, text("k"), in_order_done, &number[n]));
	}
	usleep(300000);
	run_for(20);
	assert_int_equal(orders, 20);
	for (n = 0; n < 20; n++)
		assert_int_equal(order[n], n);
}

/* Somebody writes into the database what no store does. */
static void
write_raw(const char *key, size_t len)
{
	static uint8_t bytes[HF_STORE_VALUE_MAX + 100];
	MDB_val k = { strlen(key), (void *)(uintptr_t)key },
		v = { len, bytes };
	char path[64];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	(void)snprintf(path, sizeof(path), "%s/db", dir);
	if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 3) != 0 ||
	    mdb_env_open(env, path, 0, 0600) != 0 ||
	    mdb_txn_begin(env, NULL, 0, &txn) != 0 ||
	    mdb_dbi_open(txn, "values", 0, &dbi) != 0 ||
	    mdb_put(txn, dbi, &k, &v, 0) != 0 || mdb_txn_commit(txn) != 0)
		_exit(1);
}

/* What is in the database and cannot be a value is an error of the store. */
static void
spoilt(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_ok(swap("good", NULL, "one"));
	if ((pid = fork()) == 0) {
		write_raw("short", 7);
		write_raw("long", 8 + HF_STORE_VALUE_MAX + 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_err(get("short"), HF_E_STORE);
	assert_err(swap("short", NULL, "one"), HF_E_STORE);
	assert_err(get("long"), HF_E_STORE);
	assert_true(strlen(hf_store_reason(store)) > 0);
	assert_ok(get("good"));
}

static enum hf_err
opened(const char *path)
{
	struct hf_store *s;
	char at[160];
	enum hf_err e;

	(void)snprintf(at, sizeof(at), "lmdb:%s", path);
	e = hf_store_open(&s, at);
	hf_store_close(s);
	return e;
}

/* A store is a directory, and its owner's alone. */
static void
directories(void **state)
{
	char path[64], other[64];
	FILE *f;

	(void)state;
	(void)snprintf(other, sizeof(other), "%s/link", dir);
	(void)snprintf(path, sizeof(path), "%s/behind", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(symlink(path, other), 0);
	assert_err(opened(other), HF_E_STORE);
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	assert_non_null(f = fopen(path, "w"));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0700), 0);
	{
		struct hf_store *s;
		char at[80];

		(void)snprintf(at, sizeof(at), "lmdb:%s", path);
		assert_err(hf_store_open(&s, at), HF_E_STORE);
		assert_string_equal(hf_store_reason(s), "not a directory");
		hf_store_close(s);
	}
	if (geteuid() != 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/another's", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_err(opened(path), HF_E_POLICY);
}

/* What is made is for its owner alone, whatever the umask. */
static void
made(void **state)
{
	char path[64], command[128];
	mode_t mask = umask(0);
	struct stat st;

	(void)state;
	strcpy(dir, "/tmp/handfast-store.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/new", dir);
	assert_ok(opened(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	(void)umask(mask);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

static void
refused(void **state)
{
	struct hf_store *s;
	char path[64], bad[80];

	(void)state;
	assert_err(hf_store_open(&s, "file:/tmp"), HF_E_ARG);
	hf_store_close(s);
	assert_err(hf_store_open(&s, "lmdb:"), HF_E_ARG);
	hf_store_close(s);
	assert_err(hf_store_open(&s, "lmdb:/nonexistent/x"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s), "No such file or directory");
	hf_store_close(s);
	(void)snprintf(path, sizeof(path), "%s/open", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(bad, sizeof(bad), "lmdb:%s", path);
	assert_err(hf_store_open(&s, bad), HF_E_POLICY);
	hf_store_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(compare_and_set, enter, leave),
		cmocka_unit_test_setup_teardown(limits, enter, leave),
		cmocka_unit_test_setup_teardown(race, enter, leave),
		cmocka_unit_test_setup_teardown(listing, enter, leave),
		cmocka_unit_test_setup_teardown(sweep, enter, leave),
		cmocka_unit_test_setup_teardown(changes, enter, leave),
		cmocka_unit_test_setup_teardown(stalled, enter, leave),
		cmocka_unit_test_setup_teardown(stalled_turn, enter, leave),
		cmocka_unit_test_setup_teardown(at_once, enter, leave),
		cmocka_unit_test_setup_teardown(locks_stay, enter, leave),
		cmocka_unit_test_setup_teardown(forgotten, enter, leave),
		cmocka_unit_test_setup_teardown(in_order, enter, leave),
		cmocka_unit_test_setup_teardown(spoilt, enter, leave),
		cmocka_unit_test_setup_teardown(directories, enter, leave),
		cmocka_unit_test_setup_teardown(refused, enter, leave),
		cmocka_unit_test(made),
	};

	struct statfs fs;
	int failed;

	if (hf_init() != HF_OK)
		return 1;
	base = "/tmp";
	in_memory = statfs(base, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	base = "/dev/shm"; /* as where sessions are by default */
	if (in_memory || access(base, W_OK) != 0 || statfs(base, &fs) != 0 ||
	    fs.f_type != TMPFS_MAGIC)
		return failed;
	in_memory = 1;
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
