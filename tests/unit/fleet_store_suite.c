/* SPDX-License-Identifier: ISC */
/*
 * The same cases for all stores, whichever engine is behind: one
 * compare-and-set, expiry, listing, news of changes by others, and a deadline for
 * everything; with real servers, which are stopped too.
 */
#include <sys/vfs.h>
#include <sys/wait.h>

#include <linux/magic.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "servers.h"
#include "store_cases.h"
#include "storing.h"
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

/* The list may be changed while it is read. */
static int
remove_one(void *arg, struct hf_span key, struct hf_span value)
{
	(void)arg;
	if (engine->start != NULL)
		assert_ok(
		    hf_store_swap(on.store, key, value, store_nothing, 0));
	return 1;
}

static int
enter(void **state)
{
	(void)state;
	play_begin("/tmp", engine->start == NULL ? NULL : server.uri);
	assert_ok(hf_store_list(on.store, store_nothing, remove_one, NULL));
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	play_end();
	return 0;
}

/* --- many keys --------------------------------------------------------------------------- */

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
		assert_ok(hf_store_get(on.store, key, again, &len));
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
		assert_ok(hf_store_swap(on.store, k, store_nothing,
		    (struct hf_span){ value, 1 + i }, store_later()));
	}
	key[0] = 'x';
	assert_ok(hf_store_swap(on.store, k, store_nothing, store_text("v"),
	    store_later()));
	assert_ok(hf_store_list(on.store, store_text("*["), in_order, &seen));
	assert_int_equal(seen.n, 300);
	memset(&seen, 0, sizeof(seen));
	key[0] = '*';
	key[2] = 0xff;
	assert_ok(hf_store_list(on.store, (struct hf_span){ key, 3 }, in_order,
	    &seen));
	assert_int_equal(seen.n, 1);
}

/* A remote one sweeps what has expired by its own clock too; of LMDB a server
 * sweeps by itself what has expired now. */
static void
sweep(void **state)
{
	(void)state;
	sweep_from(engine->start == NULL ? NOW : 1700000000);
}

/* Expiry by the server: without a sweep, and moved by the next write. */
static void
expires(void **state)
{
	uint64_t now = (uint64_t)time(NULL);
	size_t n;

	(void)state;
	assert_ok(hf_store_swap(on.store, store_text("gone"), store_nothing,
	    store_text("v"), now));
	assert_ok(hf_store_swap(on.store, store_text("goes"), store_nothing,
	    store_text("v"), now + 2));
	assert_ok(hf_store_swap(on.store, store_text("stays"), store_nothing,
	    store_text("v"), now + 2));
	assert_ok(hf_store_swap(on.store, store_text("ever"), store_nothing,
	    store_text("v"), UINT64_MAX));
	assert_ok(hf_store_swap(on.store, store_text("stays"), store_text("v"),
	    store_text("w"), now + 3600));
	(void)usleep(10000);
	assert_err(play_get("gone"), HF_E_NO_SESSION);
	assert_ok(play_get("goes"));
	(void)usleep(2200000);
	assert_ok(hf_store_sweep(on.store, now + 2, &n));
	assert_int_equal(n, 0);
	assert_err(play_get("goes"), HF_E_NO_SESSION);
	assert_ok(play_get("stays"));
	assert_ok(play_get("ever"));
}

/* --- others -------------------------------------------------------------------------------- */

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
	    hf_port_swap(own, store_text("k"), store_text("two"),
		store_text("three"), store_later(), written, &e) == NULL)
		_exit(4);
	(void)uv_run(&l, UV_RUN_DEFAULT);
	if (e != HF_OK)
		_exit(5);
}

static void
changes(void **state)
{
	(void)state;
	news = 0;
	assert_ok(play_swap("before", NULL, "one"));
	hf_port_watch(on.port, changed, NULL);
	store_run(&on.loop, 300);
	assert_ok(play_swap("k", NULL, "one")); /* one's own is no news */
	other_process(write_k);
	store_run(&on.loop, 600);
	assert_int_equal(news, 1);
	assert_string_equal(newest, "k");
	other_process(write_by_port);
	store_run(&on.loop, 600);
	assert_int_equal(news, 2);
	/* Nor what one takes from another. */
	assert_ok(play_swap("k", "three", "four"));
	store_run(&on.loop, 600);
	assert_int_equal(news, 2);
	hf_port_watch(on.port, NULL, NULL);
}

/* There is a /tmp of either kind. */
static int
in_memory(void)
{
	struct statfs fs;

	assert_int_equal(statfs(on.dir, &fs), 0);
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
	assert_ok(play_swap("k", NULL, "one"));
	hf_port_deadline(on.port, 300);
	pid = stopped_holder(hold_writer);
	began = uv_hrtime();
	assert_err(play_swap("k", "one", "begun"), HF_E_STORE);
	assert_err(play_swap("k2", NULL, "not begun"), HF_E_STORE);
	if (in_memory()) {
		assert_ok(play_get("k")); /* at once, whatever waits */
		assert_string_equal(got.value, "one");
	} else {
		assert_err(play_get("k"), HF_E_STORE); /* behind them */
	}
	assert_in_range(uv_hrtime() - began, 500000000ULL, 5000000000ULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	hf_port_deadline(on.port, 30000);
	assert_err(play_swap("k", "neither", ""), HF_E_FENCED); /* behind it */
	assert_err(play_get("k2"), HF_E_NO_SESSION);
	assert_ok(play_get("k"));
	if (strcmp(got.value, "begun") != 0) /* it waited for a sweep */
		assert_string_equal(got.value, "one");
	memcpy(value, got.value, sizeof(value));
	assert_ok(play_swap("k", value, "two"));
}

/* A server that answers nothing: all ends in time, what was not sent is not
 * done, and afterwards all is as before. */
static void
stopped(void **state)
{
	uint64_t began;

	(void)state;
	assert_ok(play_swap("k", NULL, "one"));
	hf_port_deadline(on.port, 300);
	server_signal(&server, SIGSTOP);
	began = uv_hrtime();
	assert_err(play_swap("k", "one", "sent"), HF_E_STORE);
	assert_err(play_swap("k2", NULL, "not sent"), HF_E_STORE);
	assert_err(play_get("k"), HF_E_STORE);
	assert_in_range(uv_hrtime() - began, 800000000ULL, 2000000000ULL);
	server_signal(&server, SIGCONT);
	hf_port_deadline(on.port, 30000);
	assert_err(play_get("k2"), HF_E_NO_SESSION);
	assert_ok(play_get("k"));
	if (strcmp(got.value, "one") != 0)
		assert_string_equal(got.value, "sent");
	assert_ok(play_swap("k2", NULL, "two"));
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
	assert_ok(hf_store_swap(on.store, store_text("k"), store_nothing,
	    store_text("v"), store_later()));
	server_signal(&server, SIGSTOP);
	began = uv_hrtime();
	assert_err(hf_store_get(on.store, store_text("k"), value, &len),
	    HF_E_STORE);
	assert_string_equal(hf_store_reason(on.store),
	    "the store does not answer");
	assert_err(hf_store_open(&other, on.uri), HF_E_STORE);
	assert_string_equal(hf_store_reason(other),
	    "the store does not answer");
	hf_store_close(other);
	assert_err(hf_store_list(on.store, store_nothing, remove_one, NULL),
	    HF_E_STORE);
	assert_in_range(uv_hrtime() - began, 5000000000ULL, 9000000000ULL);
	server_signal(&server, SIGCONT);
	assert_ok(hf_store_get(on.store, store_text("k"), value, &len));
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
