/* SPDX-License-Identifier: ISC */
/*
 * Stores, whichever engine is behind: one compare-and-set, expiry, listing,
 * news of changes by others, and a deadline for everything. Other processes
 * are real ones: killed, or stopped in the middle of writing. The same cases
 * for all engines, with real servers.
 */
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <linux/magic.h>

#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"
#include "servers.h"
#include "testing.h"

/* An engine, and how its server is had for all the cases. */
struct engine {
	const char *name;
	int (*have)(void);
	void (*start)(struct server *server);
	int sweeps; /* what has expired is there until it is swept */
};

static const struct engine *engine;
static struct server server;
static char dir[] = "/tmp/handfast-store.XXXXXX";
static char uri[256];
static struct hf_store *store;
static uv_loop_t loop;
static struct hf_port *port;

static struct hf_span
text(const char *s)
{
	return (struct hf_span){ (const uint8_t *)s, strlen(s) };
}

static const struct hf_span nothing = { NULL, 0 };

/* A time that has not come when the test is over. */
static uint64_t
later(void)
{
	return (uint64_t)time(NULL) + 3600;
}

/* The list may be changed while it is read. */
static int
remove_one(void *arg, struct hf_span key, struct hf_span value)
{
	(void)arg;
	if (engine->start != NULL)
		assert_ok(hf_store_swap(store, key, value, nothing, 0));
	return 1;
}

static int
enter(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/handfast-store.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	if (engine->start == NULL)
		(void)snprintf(uri, sizeof(uri), "lmdb:%s/db", dir);
	else
		(void)strcpy(uri, server.uri);
	assert_ok(hf_store_open(&store, uri));
	assert_ok(hf_store_list(store, nothing, remove_one, NULL));
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
	assert_in_range(len, 0, sizeof(a->value) - 1);
	if (len > 0)
		memcpy(a->value, value, len);
	a->value[len] = '\0';
}

static void
wait_for(const struct answer *a, int n)
{
	uint64_t until = uv_hrtime() + 20000000000ULL;

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
	    next == NULL ? nothing : text(next), later(), done, &got));
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
	    (struct hf_span){ big, sizeof(big) }, later(), done, &got));
	assert_ok(hf_store_swap(store, text("k"), nothing,
	    (struct hf_span){ big, HF_STORE_VALUE_MAX }, later()));
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
	    (struct hf_span){ (const uint8_t *)"\0\0\0\0", 4 }, later()));
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
				 later()) == HF_OK;
		}
		_exit(0);
	}
	for (p = 0; p < PROCESSES; p++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
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

struct seen {
	size_t n;
	uint8_t last[HF_STORE_KEY_MAX];
	size_t last_len;
};

static int
in_order(void *arg, struct hf_span key, struct hf_span value)
{
	struct seen *s = arg;
	uint8_t again[HF_STORE_VALUE_MAX];
	size_t n = key.len < s->last_len ? key.len : s->last_len, len;
	int r = n == 0 ? 0 : memcmp(s->last, key.ptr, n);

	assert_true(r < 0 || (r == 0 && s->last_len < key.len));
	memcpy(s->last, key.ptr, key.len);
	s->last_len = key.len;
	s->n++;
	/* The store can be asked meanwhile. */
	if (s->n % 50 == 0) {
		assert_ok(hf_store_get(store, key, again, &len));
		assert_int_equal(len, value.len);
		assert_memory_equal(again, value.ptr, len);
	}
	return 1;
}

/* Any bytes make a key, those too that patterns would take for more. */
static void
all_bytes(void **state)
{
	uint8_t key[4] = { '*', '[', 0, 0 }, value[300];
	struct seen seen = { 0 };
	struct hf_span k = { key, sizeof(key) };
	unsigned i;

	(void)state;
	for (i = 0; i < 300; i++) {
		key[2] = (uint8_t)(i * 37);
		key[3] = (uint8_t)(i >> 8);
		memset(value, (int)i, sizeof(value));
		assert_ok(hf_store_swap(store, k, nothing,
		    (struct hf_span){ value, 1 + i }, later()));
	}
	key[0] = 'x';
	assert_ok(hf_store_swap(store, k, nothing, text("v"), later()));
	assert_ok(hf_store_list(store, text("*["), in_order, &seen));
	assert_int_equal(seen.n, 300);
	memset(&seen, 0, sizeof(seen));
	key[0] = '*';
	key[2] = 0xff;
	assert_ok(
	    hf_store_list(store, (struct hf_span){ key, 3 }, in_order, &seen));
	assert_int_equal(seen.n, 1);
}

/* A remote one sweeps what has expired by its own clock too; of LMDB a server
 * sweeps by itself what has expired now. */
static void
sweep(void **state)
{
	uint64_t from = engine->start == NULL ? NOW : 1700000000;
	char key[16];
	size_t n, i;

	(void)state;
	for (i = 0; i < 10; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		assert_ok(hf_store_swap(store, text(key), nothing, text("v"),
		    from + i));
	}
	/* One that was put off, one that is gone. */
	assert_ok(hf_store_swap(store, text("k0"), text("v"), text("w"),
	    from + 100));
	assert_ok(hf_store_swap(store, text("k1"), text("v"), nothing, 0));
	assert_ok(hf_store_sweep(store, from - 1, &n));
	assert_int_equal(n, 0);
	assert_ok(hf_store_sweep(store, from + 4, &n));
	assert_int_equal(n, 3);
	assert_ok(get("k0"));
	assert_err(get("k4"), HF_E_NO_SESSION);
	assert_ok(get("k5"));
	assert_ok(hf_store_sweep(store, from + 100, &n));
	assert_int_equal(n, 6);
}

/* Expiry by the server: without a sweep, and moved by the next write. */
static void
expires(void **state)
{
	uint64_t now = (uint64_t)time(NULL);
	size_t n;

	(void)state;
	assert_ok(hf_store_swap(store, text("gone"), nothing, text("v"), now));
	assert_ok(
	    hf_store_swap(store, text("goes"), nothing, text("v"), now + 2));
	assert_ok(
	    hf_store_swap(store, text("stays"), nothing, text("v"), now + 2));
	assert_ok(hf_store_swap(store, text("ever"), nothing, text("v"),
	    UINT64_MAX));
	assert_ok(hf_store_swap(store, text("stays"), text("v"), text("w"),
	    now + 3600));
	(void)usleep(10000);
	assert_err(get("gone"), HF_E_NO_SESSION);
	assert_ok(get("goes"));
	(void)usleep(2200000);
	assert_ok(hf_store_sweep(store, now + 2, &n));
	assert_int_equal(n, 0);
	assert_err(get("goes"), HF_E_NO_SESSION);
	assert_ok(get("stays"));
	assert_ok(get("ever"));
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
	if (hf_store_swap(mine, text("k"), text("one"), text("two"),
		later()) != HF_OK)
		_exit(3);
}

static void
written(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	(void)value;
	(void)len;
	*(enum hf_err *)arg = e;
}

static void
enough(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* As a server does, whose loop goes on. */
static void
write_by_port(struct hf_store *mine)
{
	enum hf_err e = HF_E_STATE;
	struct hf_port *own;
	uv_timer_t timer;
	uv_loop_t l;

	if (uv_loop_init(&l) != 0 || uv_timer_init(&l, &timer) != 0 ||
	    uv_timer_start(&timer, enough, 500, 0) != 0 ||
	    hf_port_open(&own, mine, &l) != HF_OK ||
	    hf_port_swap(own, text("k"), text("two"), text("three"), later(),
		written, &e) == NULL)
		_exit(4);
	(void)uv_run(&l, UV_RUN_DEFAULT);
	if (e != HF_OK)
		_exit(5);
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
changes(void **state)
{
	(void)state;
	news = 0;
	assert_ok(swap("before", NULL, "one"));
	hf_port_watch(port, changed, NULL);
	run_for(300);
	assert_ok(swap("k", NULL, "one")); /* one's own is no news */
	other_process(write_k);
	run_for(600);
	assert_int_equal(news, 1);
	assert_string_equal(newest, "k");
	other_process(write_by_port);
	run_for(600);
	assert_int_equal(news, 2);
	/* Nor what one takes from another. */
	assert_ok(swap("k", "three", "four"));
	run_for(600);
	assert_int_equal(news, 2);
	hf_port_watch(port, NULL, NULL);
}

/* A process that is stopped with the writer's lock in its hand. */
static pid_t
stopped_writer(void)
{
	int ready[2];
	MDB_env *env;
	MDB_txn *txn;
	char path[64];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		(void)snprintf(path, sizeof(path), "%s/db", dir);
		if (mdb_env_create(&env) != 0 ||
		    mdb_env_set_maxdbs(env, 3) != 0 ||
		    mdb_env_open(env, path, 0, 0600) != 0 ||
		    mdb_txn_begin(env, NULL, 0, &txn) != 0)
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

/* There is a /tmp of either kind. */
static int
in_memory(void)
{
	struct statfs fs;

	assert_int_equal(statfs(dir, &fs), 0);
	return (uint32_t)fs.f_type == TMPFS_MAGIC ||
	    (uint32_t)fs.f_type == RAMFS_MAGIC;
}

/* Writes fail in time; when the lock is free again what was given up was not
 * done, unless it had begun. A killed holder's lock is free. */
static void
stalled(void **state)
{
	uint64_t began;
	char value[sizeof(got.value)];
	pid_t pid;
	int status;

	(void)state;
	assert_ok(swap("k", NULL, "one"));
	hf_port_deadline(port, 300);
	pid = stopped_writer();
	began = uv_hrtime();
	assert_err(swap("k", "one", "begun"), HF_E_STORE);
	assert_err(swap("k2", NULL, "not begun"), HF_E_STORE);
	if (in_memory()) {
		assert_ok(get("k")); /* at once, whatever waits */
		assert_string_equal(got.value, "one");
	} else {
		assert_err(get("k"), HF_E_STORE); /* behind them */
	}
	assert_in_range(uv_hrtime() - began, 500000000ULL, 5000000000ULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	hf_port_deadline(port, 30000);
	assert_err(swap("k", "neither", ""), HF_E_FENCED); /* behind it */
	assert_err(get("k2"), HF_E_NO_SESSION);
	assert_ok(get("k"));
	if (strcmp(got.value, "begun") != 0) /* it waited for a sweep */
		assert_string_equal(got.value, "one");
	memcpy(value, got.value, sizeof(value));
	assert_ok(swap("k", value, "two"));
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
		    text("v"), later(), done, &none));
	hf_port_close(other);
	hf_op_forget(hf_port_get(port, text("f"), done, &none));
	assert_err(get("g"), HF_E_NO_SESSION);
	run_for(20);
	assert_int_equal(none.n, 0);
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

/* A server that answers nothing: all ends in time, what was not sent is not
 * done, and afterwards all is as before. */
static void
stopped(void **state)
{
	uint64_t began;

	(void)state;
	assert_ok(swap("k", NULL, "one"));
	hf_port_deadline(port, 300);
	server_signal(&server, SIGSTOP);
	began = uv_hrtime();
	assert_err(swap("k", "one", "sent"), HF_E_STORE);
	assert_err(swap("k2", NULL, "not sent"), HF_E_STORE);
	assert_err(get("k"), HF_E_STORE);
	assert_in_range(uv_hrtime() - began, 800000000ULL, 2000000000ULL);
	server_signal(&server, SIGCONT);
	hf_port_deadline(port, 30000);
	assert_err(get("k2"), HF_E_NO_SESSION);
	assert_ok(get("k"));
	if (strcmp(got.value, "one") != 0)
		assert_string_equal(got.value, "sent");
	assert_ok(swap("k2", NULL, "two"));
}

/* Without a loop it is the same, and nothing can be opened. */
static void
stopped_commands(void **state)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	struct hf_store *other;
	uint64_t began;
	size_t len;

	(void)state;
	assert_ok(
	    hf_store_swap(store, text("k"), nothing, text("v"), later()));
	server_signal(&server, SIGSTOP);
	began = uv_hrtime();
	assert_err(hf_store_get(store, text("k"), value, &len), HF_E_STORE);
	assert_string_equal(hf_store_reason(store),
	    "the store does not answer");
	assert_err(hf_store_open(&other, uri), HF_E_STORE);
	assert_string_equal(hf_store_reason(other),
	    "the store does not answer");
	hf_store_close(other);
	assert_err(hf_store_list(store, nothing, remove_one, NULL),
	    HF_E_STORE);
	assert_in_range(uv_hrtime() - began, 5000000000ULL, 9000000000ULL);
	server_signal(&server, SIGCONT);
	assert_ok(hf_store_get(store, text("k"), value, &len));
	assert_int_equal(len, 1);
}

/* --- all engines ---------------------------------------------------------------------- */

static void
start_redis(struct server *s)
{
	redis_start(s, NULL);
}

/* As a role that may do what a server does, and nothing else. */
static void
start_postgres(struct server *s)
{
	char why[HF_STORE_REASON_MAX], *user;
	enum hf_err e;

	postgres_start(s);
	assert_int_equal(postgres_run(s, "CREATE ROLE server LOGIN"), 0);
	e = hf_store_init(s->uri, "server", 20000, why);
	assert_string_equal(why, "");
	assert_ok(e);
	user = strstr(s->uri, "user=postgres");
	assert_non_null(user);
	(void)strcpy(user, "user=server");
}

static const struct engine engines[] = {
	{ "lmdb", NULL, NULL, 1 },
	{ "redis", have_redis, start_redis, 0 },
	{ "postgres", have_postgres, start_postgres, 1 },
};

/* Which engines a case is for. */
enum { ALL = 3, LOCAL = 1, REMOTE = 2, SWEPT = 4, EXPIRES = 8 };
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
static const struct {
	int of;
	struct CMUnitTest test;
} cases[] = {
	{ ALL, CASE(compare_and_set) },
	{ ALL, CASE(limits) },
	{ ALL, CASE(race) },
	{ ALL, CASE(listing) },
	{ ALL, CASE(all_bytes) },
	{ SWEPT, CASE(sweep) },
	{ EXPIRES, CASE(expires) },
	{ ALL, CASE(changes) },
	{ LOCAL, CASE(stalled) },
	{ REMOTE, CASE(stopped) },
	{ REMOTE, CASE(stopped_commands) },
	{ ALL, CASE(forgotten) },
	{ LOCAL, CASE(refused) },
};

static int
run_engine(const struct engine *e)
{
	struct CMUnitTest tests[HF__ARRAY_N(cases)];
	int failed,
	    is = (e->start == NULL ? LOCAL : REMOTE) |
	    (e->sweeps ? SWEPT : EXPIRES);
	size_t i, n = 0;

	engine = e;
	for (i = 0; i < HF__ARRAY_N(cases); i++)
		if ((cases[i].of & is) != 0)
			tests[n++] = cases[i].test;
	if (e->have != NULL && !e->have()) {
		(void)printf("note: %s: no server here, not tested\n",
		    e->name);
		return 0;
	}
	if (e->start != NULL)
		e->start(&server);
	failed = _cmocka_run_group_tests(e->name, tests, n, NULL, NULL);
	if (e->start != NULL)
		server_stop(&server);
	return failed;
}

/* All engines, or those that are named. */
int
main(int argc, char **argv)
{
	int failed = 0;
	size_t i;

	(void)signal(SIGPIPE, SIG_IGN);
	if (hf_init() != HF_OK)
		return 1;
	for (i = 0; i < HF__ARRAY_N(engines); i++)
		if (argc < 2 || strcmp(argv[1], engines[i].name) == 0)
			failed += run_engine(&engines[i]);
	return failed;
}
