/* SPDX-License-Identifier: ISC */
/*
 * Cases that every engine of a store is tested with, see store_cases.h.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_cases.h"
#include "storing.h"
#include "testing.h"

struct played on = { .patience_s = 20 };
struct answer got;
int news;
char newest[HF_STORE_KEY_MAX + 1];

void
play_begin(const char *base, const char *uri)
{
	(void)snprintf(on.dir, sizeof(on.dir), "%s/handfast-store.XXXXXX",
	    base);
	assert_non_null(mkdtemp(on.dir));
	if (uri != NULL)
		(void)snprintf(on.uri, sizeof(on.uri), "%s", uri);
	else
		(void)snprintf(on.uri, sizeof(on.uri), "lmdb:%s/db", on.dir);
	assert_ok(hf_store_open(&on.store, on.uri));
	assert_int_equal(uv_loop_init(&on.loop), 0);
	assert_ok(hf_port_open(&on.port, on.store, &on.loop));
	hf_port_deadline(on.port, 30000); /* a disk under load is slow */
}

void
play_end(void)
{
	char command[128];

	hf_port_close(on.port);
	(void)uv_run(&on.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&on.loop), 0);
	hf_store_close(on.store);
	(void)snprintf(command, sizeof(command), "rm -rf %s", on.dir);
	assert_int_equal(system(command), 0);
}

/* --- asking, and waiting for the answer ------------------------------------------------ */

void
answered(void *arg, enum hf_err err, const uint8_t *value, size_t len)
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

void
wait_answer(const struct answer *a, int n)
{
	uint64_t until = uv_hrtime() + on.patience_s * 1000000000ULL;

	while (a->n < n && uv_hrtime() < until)
		(void)uv_run(&on.loop, UV_RUN_ONCE);
	assert_int_equal(a->n, n);
}

enum hf_err
play_get(const char *key)
{
	got.n = 0;
	assert_non_null(hf_port_get(on.port, store_text(key), answered, &got));
	wait_answer(&got, 1);
	return got.err;
}

enum hf_err
play_swap(const char *key, const char *expected, const char *next)
{
	got.n = 0;
	assert_non_null(hf_port_swap(on.port, store_text(key),
	    expected == NULL ? store_nothing : store_text(expected),
	    next == NULL ? store_nothing : store_text(next), store_later(),
	    answered, &got));
	wait_answer(&got, 1);
	return got.err;
}

/* --- one key ---------------------------------------------------------------------------- */

void
compare_and_set(void **state)
{
	(void)state;
	assert_err(play_get("k"), HF_E_NO_SESSION);
	assert_err(play_swap("k", "x", "y"), HF_E_FENCED);
	assert_ok(play_swap("k", NULL, "one"));
	assert_err(play_swap("k", NULL, "two"), HF_E_FENCED);
	assert_err(play_swap("k", "on", "two"), HF_E_FENCED);
	assert_err(play_swap("k", "one!", "two"), HF_E_FENCED);
	assert_err(play_swap("k", "ona", "two"), HF_E_FENCED);
	assert_ok(play_get("k"));
	assert_string_equal(got.value, "one");
	assert_ok(play_swap("k", "one", "two"));
	assert_ok(play_get("k"));
	assert_string_equal(got.value, "two");
	assert_err(play_get("k2"), HF_E_NO_SESSION);
	assert_err(play_swap("k", "one", NULL), HF_E_FENCED);
	assert_ok(play_swap("k", "two", NULL));
	assert_err(play_get("k"), HF_E_NO_SESSION);
	assert_ok(play_swap("k", NULL, NULL));
}

void
limits(void **state)
{
	static uint8_t big[HF_STORE_VALUE_MAX + 1];
	uint8_t value[HF_STORE_VALUE_MAX];
	size_t len;

	(void)state;
	assert_null(hf_port_get(on.port, store_nothing, answered, &got));
	assert_null(hf_port_get(on.port,
	    (struct hf_span){ big, HF_STORE_KEY_MAX + 1 }, answered, &got));
	assert_null(hf_port_swap(on.port, store_text("k"), store_nothing,
	    (struct hf_span){ big, sizeof(big) }, store_later(), answered,
	    &got));
	assert_null(hf_port_swap(on.port, store_text("k"),
	    (struct hf_span){ big, sizeof(big) }, store_nothing, store_later(),
	    answered, &got));
	assert_ok(hf_store_swap(on.store, store_text("k"), store_nothing,
	    (struct hf_span){ big, HF_STORE_VALUE_MAX }, store_later()));
	assert_ok(hf_store_get(on.store, store_text("k"), value, &len));
	assert_int_equal(len, HF_STORE_VALUE_MAX);
	assert_err(hf_store_get(on.store, store_nothing, value, &len),
	    HF_E_ARG);
}

/* A thousand processes' worth of attempts: each success counts once. */
void
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
	assert_ok(hf_store_swap(on.store, store_text("n"), store_nothing,
	    (struct hf_span){ (const uint8_t *)"\0\0\0\0", 4 },
	    store_later()));
	/* No thread may hold a lock of malloc's while a child is made. */
	hf_port_close(on.port);
	(void)uv_run(&on.loop, UV_RUN_DEFAULT);
	hf_store_close(on.store);
	for (p = 0; p < PROCESSES; p++) {
		if ((pid = fork()) != 0) {
			assert_true(pid > 0);
			continue;
		}
		if (hf_store_open(&mine, on.uri) != HF_OK)
			_exit(1);
		for (n = 0; n < ROUNDS;) {
			unsigned next;

			if (hf_store_get(mine, store_text("n"), value, &len) !=
			    HF_OK)
				_exit(2);
			memcpy(&next, value, 4);
			next++;
			n += hf_store_swap(mine, store_text("n"),
				 (struct hf_span){ value, 4 },
				 (struct hf_span){ (uint8_t *)&next, 4 },
				 store_later()) == HF_OK;
		}
		_exit(0);
	}
	for (p = 0; p < PROCESSES; p++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_ok(hf_store_open(&on.store, on.uri));
	assert_ok(hf_port_open(&on.port, on.store, &on.loop));
	assert_ok(hf_store_get(on.store, store_text("n"), value, &len));
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

void
listing(void **state)
{
	static const char *const keys[] = { "r/1", "s/1", "s/2", "s/3", "s/4",
		"t/1" };
	int n = 0;
	size_t i;

	(void)state;
	assert_ok(hf_store_list(on.store, store_text("s/"), count, &n));
	assert_int_equal(n, 0);
	for (i = 0; i < HF__ARRAY_N(keys); i++)
		assert_ok(play_swap(keys[i], NULL, "v"));
	assert_ok(hf_store_list(on.store, store_text("s/"), count, &n));
	assert_int_equal(n, 3); /* it was enough */
	n = -10;
	assert_ok(hf_store_list(on.store, store_text("s/"), count, &n));
	assert_int_equal(n, -6);
}

void
sweep_from(uint64_t from)
{
	char key[16];
	size_t n, i;

	for (i = 0; i < 10; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		assert_ok(hf_store_swap(on.store, store_text(key),
		    store_nothing, store_text("v"), from + i));
	}
	/* One that was put off, one that is gone. */
	assert_ok(hf_store_swap(on.store, store_text("k0"), store_text("v"),
	    store_text("w"), from + 100));
	assert_ok(hf_store_swap(on.store, store_text("k1"), store_text("v"),
	    store_nothing, 0));
	assert_ok(hf_store_sweep(on.store, from - 1, &n));
	assert_int_equal(n, 0);
	assert_ok(hf_store_sweep(on.store, from + 4, &n));
	assert_int_equal(n, 3);
	assert_ok(play_get("k0"));
	assert_err(play_get("k4"), HF_E_NO_SESSION);
	assert_ok(play_get("k5"));
	assert_ok(hf_store_sweep(on.store, from + 100, &n));
	assert_int_equal(n, 6);
}

/* --- others -------------------------------------------------------------------------------- */

void
changed(void *arg, struct hf_span key)
{
	(void)arg;
	news++;
	memcpy(newest, key.ptr, key.len);
	newest[key.len] = '\0';
}

void
other_process(void (*what)(struct hf_store *))
{
	struct hf_store *mine;
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		if (hf_store_open(&mine, on.uri) != HF_OK)
			_exit(1);
		what(mine);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void
write_k(struct hf_store *mine)
{
	if (hf_store_swap(mine, store_text("k"), store_text("one"),
		store_text("two"), store_later()) != HF_OK)
		_exit(3);
}

pid_t
stopped_holder(int (*hold)(void))
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

int
hold_writer(void)
{
	char path[80];
	MDB_env *env;
	MDB_txn *txn;

	(void)snprintf(path, sizeof(path), "%s/db", on.dir);
	return mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 3) == 0 &&
	    mdb_env_open(env, path, 0, 0600) == 0 &&
	    mdb_txn_begin(env, NULL, 0, &txn) == 0;
}

/* What is forgotten does not answer, and a port can go at any time. */
void
forgotten(void **state)
{
	struct hf_port *other;
	struct answer none = { 0 };
	int n;

	(void)state;
	assert_ok(hf_port_open(&other, on.store, &on.loop));
	for (n = 0; n < 50; n++)
		assert_non_null(
		    hf_port_swap(other, store_text("f"), store_nothing,
			store_text("v"), store_later(), answered, &none));
	hf_port_close(other);
	/* Also when the answers are there. */
	assert_ok(hf_port_open(&other, on.store, &on.loop));
	for (n = 0; n < 50; n++)
		assert_non_null(
		    hf_port_get(other, store_text("f"), answered, &none));
	usleep(200000);
	hf_port_close(other);
	hf_op_forget(hf_port_get(on.port, store_text("f"), answered, &none));
	assert_err(play_get("g"), HF_E_NO_SESSION);
	store_run(&on.loop, 20);
	assert_int_equal(none.n, 0);
}

void
refused(void **state)
{
	struct hf_store *s;
	char path[64], bad[80], why[HF_STORE_REASON_MAX];
	int fd;

	(void)state;
	assert_err(hf_store_open(&s, "file:/tmp"), HF_E_ARG);
	hf_store_close(s);
	assert_err(hf_store_open(&s, "lmdb:"), HF_E_ARG);
	hf_store_close(s);
	assert_err(hf_store_open(&s, "lmdb:/nonexistent/x"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s), "No such file or directory");
	hf_store_close(s);
	/* Looking makes none, and an empty file is none yet. */
	assert_err(hf_store_find("file:/tmp"), HF_E_ARG);
	assert_err(hf_store_find("lmdb:"), HF_E_ARG);
	(void)snprintf(path, sizeof(path), "%s/found", on.dir);
	(void)snprintf(bad, sizeof(bad), "lmdb:%s", path);
	assert_err(hf_store_find(bad), HF_E_STORE);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/found/data.mdb", on.dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_err(hf_store_find(bad), HF_E_STORE);
	assert_ok(hf_store_open(&s, bad));
	hf_store_close(s);
	assert_ok(hf_store_find(bad));
	assert_ok(hf_store_find("redis://127.0.0.1:1"));
	(void)snprintf(path, sizeof(path), "%s/open", on.dir);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(bad, sizeof(bad), "lmdb:%s", path);
	assert_err(hf_store_open(&s, bad), HF_E_POLICY);
	hf_store_close(s);
	assert_err(hf_store_known(bad, why), HF_E_POLICY);
	assert_string_equal(why, "others can read it, or it is not ours");
	(void)snprintf(bad, sizeof(bad), "lmdb:%s/found/data.mdb", on.dir);
	assert_err(hf_store_known(bad, why), HF_E_STORE);
	assert_string_equal(why, "not a directory");
	(void)snprintf(bad, sizeof(bad), "lmdb:%s/unmade", on.dir);
	assert_ok(hf_store_known(bad, why));
	assert_string_equal(why, "");
	assert_err(hf_store_find(bad), HF_E_STORE);
}
