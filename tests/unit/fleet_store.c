/* SPDX-License-Identifier: ISC */
/*
 * The cases of all stores (store_cases.h) with LMDB, on a disk and in memory; and
 * what is LMDB's alone: its files, its locks, and who is stopped or killed with
 * one of them in the hand.
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

#include "store_cases.h"
#include "store_now.h"
#include "storing.h"
#include "testing.h"

static const char *base;
static int in_memory; /* where gets wait for nobody */

static int
enter(void **state)
{
	(void)state;
	play_begin(base, NULL);
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	play_end();
	return 0;
}

static void
sweep(void **state)
{
	(void)state;
	sweep_from(NOW);
}

/* --- others -------------------------------------------------------------------------------- */

static void
write_old(struct hf_store *mine)
{
	if (hf_store_swap(mine, store_text("old"), store_nothing,
		store_text("x"), store_later()) != HF_OK)
		_exit(3);
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
	    !hf__port_swap_now(&op, own, store_text("q"), store_nothing,
		store_text("one"), store_later(), 1, done_with, &done))
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
	assert_ok(play_swap("before", NULL, "one"));
	other_process(write_old);
	hf_port_watch(on.port, changed, NULL);
	store_run(&on.loop, 50);
	assert_ok(play_swap("k", NULL, "one")); /* one's own is no news */
	other_process(write_k_and_q);
	store_run(&on.loop, 600);
	assert_int_equal(news, 1);
	assert_string_equal(newest, "k");
	assert_ok(play_get("k"));
	assert_string_equal(got.value, "two");
	assert_ok(play_get("q"));
	assert_string_equal(got.value, "one");
	hf_port_watch(on.port, NULL, NULL);
}

/* The lock that a store takes before that. */
static int
open_turn(void)
{
	char path[80];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/db/turn.lock", on.dir);
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
	assert_non_null(hf_port_swap(on.port, store_text(key), store_nothing,
	    store_text("one"), store_later(), answered, &got));
	(void)uv_run(&on.loop, UV_RUN_NOWAIT);
	assert_int_equal(got.n, 0);
	(void)close(fd);
	wait_answer(&got, 1);
	assert_ok(got.err);
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
	hf_port_deadline(on.port, 300);
	on.patience_s = 5;
	pid = stopped_holder(hold);
	began = uv_hrtime();
	assert_err(play_swap("k", "one", "begun"), HF_E_STORE);
	assert_err(play_swap("k2", NULL, "not begun"), HF_E_STORE);
	/* Who only reads is not kept out. */
	assert_ok(hf_store_open(&reader, on.uri));
	assert_ok(hf_store_get(reader, store_text("k"), value, &len));
	if (in_memory) {
		assert_ok(play_get("k"));
		assert_string_equal(got.value, "one");
	} else {
		assert_err(play_get("k"), HF_E_STORE); /* behind them */
	}
	assert_in_range(uv_hrtime() - began, 500000000ULL, 5000000000ULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	hf_store_close(reader);
	hf_port_deadline(on.port, 30000);
	on.patience_s = 20;
	assert_ok(play_swap("k", "begun", "two")); /* behind it */
	assert_err(play_get("k2"), HF_E_NO_SESSION);
	assert_ok(play_get("k"));
	assert_string_equal(got.value, "two");
}

static void
stalled(void **state)
{
	(void)state;
	stall(hold_writer);
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
		assert_non_null(
		    hf_port_swap(on.port, store_text(key), store_nothing,
			store_text("one"), store_later(), answered, &a));
		assert_int_equal(a.n, i);
		if (in_memory) {
			assert_ok(hf_store_get(on.store, store_text(key),
			    value, &len));
			assert_int_equal(len, 3);
		}
		wait_answer(&a, i + 1);
		assert_ok(a.err);
	}
	/* One that is lost says so from the loop too. */
	assert_non_null(hf_port_swap(on.port, store_text(key), store_nothing,
	    store_text("two"), store_later(), answered, &a));
	assert_int_equal(a.n, i);
	wait_answer(&a, i + 1);
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
		(void)snprintf(path, sizeof(path), "%s/db/lock.mdb", on.dir);
		fd = open(path, O_RDWR);
		_exit(fd == -1 || fcntl(fd, F_GETLK, &lock) != 0 ||
		    lock.l_pid != getppid());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
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
		assert_non_null(hf_port_get(on.port, store_text("k"),
		    in_order_done, &number[n]));
	}
	usleep(300000);
	store_run(&on.loop, 20);
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

	(void)snprintf(path, sizeof(path), "%s/db", on.dir);
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
	assert_ok(play_swap("good", NULL, "one"));
	if ((pid = fork()) == 0) {
		write_raw("short", 7);
		write_raw("long", 8 + HF_STORE_VALUE_MAX + 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_err(play_get("short"), HF_E_STORE);
	assert_err(play_swap("short", NULL, "one"), HF_E_STORE);
	assert_err(play_get("long"), HF_E_STORE);
	assert_true(strlen(hf_store_reason(on.store)) > 0);
	assert_ok(play_get("good"));
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
	(void)snprintf(other, sizeof(other), "%s/link", on.dir);
	(void)snprintf(path, sizeof(path), "%s/behind", on.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(symlink(path, other), 0);
	assert_err(opened(other), HF_E_STORE);
	(void)snprintf(path, sizeof(path), "%s/file", on.dir);
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
	(void)snprintf(path, sizeof(path), "%s/another's", on.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_err(opened(path), HF_E_POLICY);
}

/* What is made is for its owner alone, whatever the umask. */
static void
made(void **state)
{
	char dir[] = "/tmp/handfast-store.XXXXXX", path[64], command[128];
	mode_t mask = umask(0);
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/new", dir);
	assert_ok(opened(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	(void)umask(mask);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
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
