/* SPDX-License-Identifier: ISC */
/*
 * What befalls the machine of a store: its disk is full, what it saves cannot
 * be saved, its clock is stepped, by a day each way; and what a server does to
 * a store whose own clock is wrong. By real servers.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"
#include "servers.h"
#include "storing.h"
#include "testing.h"

enum { DAY = 86400 };

static struct server server;
static char dir[] = "/tmp/handfast-faults.XXXXXX";
static char clock_file[64];
static int mounts; /* file systems of our own can be mounted */

/* --- servers whose clock goes wrong ------------------------------------------------------ */

static void
clock_is(long seconds)
{
	char path[80];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s.new", clock_file);
	assert_non_null(f = fopen(path, "w"));
	assert_true(fprintf(f, "%ld\n", seconds) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(rename(path, clock_file), 0);
}

/* Where another user can read it too. */
static void
preload(void)
{
	const char *build = getenv("BUILD");
	char words[400];

	(void)snprintf(words, sizeof(words),
	    "install -m 755 %s/tests/wall.so %s/wall.so",
	    build == NULL ? "build" : build, dir);
	assert_int_equal(system(words), 0);
	(void)snprintf(words, sizeof(words), "%s/wall.so", dir);
	assert_int_equal(setenv("LD_PRELOAD", words, 1), 0);
	assert_int_equal(setenv("HANDFAST_WALL", clock_file, 1), 0);
}

static int
enter(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/handfast-faults.XXXXXX");
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) != 0)
		return -1;
	(void)snprintf(clock_file, sizeof(clock_file), "%s/clock", dir);
	clock_is(0);
	return 0;
}

static int
leave(void **state)
{
	char words[80];

	(void)state;
	(void)snprintf(words, sizeof(words), "%s/small", server.dir);
	(void)umount2(words, MNT_DETACH);
	server_stop(&server);
	(void)snprintf(words, sizeof(words), "rm -rf %s", dir);
	return system(words);
}

/* A server's role, and the tables. */
static void
start_postgres(void)
{
	char why[HF_STORE_REASON_MAX], *user;

	postgres_start(&server);
	assert_int_equal(postgres_run(&server, "CREATE ROLE server LOGIN"), 0);
	assert_ok(hf_store_init(server.uri, "server", 20000, why));
	assert_non_null(user = strstr(server.uri, "user=postgres"));
	(void)strcpy(user, "user=server");
}

/* As who may do everything. */
static void
sql(const char *words)
{
	struct server all = server;

	(void)strcpy(strstr(all.uri, "user=server"), "user=postgres");
	assert_int_equal(postgres_run(&all, words), 0);
}

static void
tell(const char *words)
{
	char command[300];

	(void)snprintf(command, sizeof(command),
	    "redis-cli -s %s %s >/dev/null", server.socket, words);
	assert_int_equal(system(command), 0);
}

/* --- clocks -------------------------------------------------------------------------------- */

static int news;

static void
changed(void *arg, struct hf_span key)
{
	(void)arg;
	assert_true(key.len > 0);
	news++;
}

/* What all engines do while the server's clock is stepped: nothing stands
 * still, nothing is set twice, and others' writes are told. */
static void
steps(struct hf_store *s)
{
	static const long by[] = { 0, -DAY, DAY, -DAY, 0 };
	struct hf_store *other = store_open(server.uri);
	struct hf_port *port;
	char key[2] = "a";
	uv_loop_t loop;
	size_t i;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(hf_port_open(&port, s, &loop));
	news = 0;
	hf_port_watch(port, changed, NULL);
	store_run(&loop, 600);
	for (i = 0; i < HF__ARRAY_N(by); i++, key[0]++) {
		uint64_t began = uv_hrtime();

		clock_is(by[i]);
		assert_ok(store_swap(s, key, NULL, "one"));
		assert_err(store_swap(other, key, NULL, "two"), HF_E_FENCED);
		assert_ok(store_get(other, key));
		store_is("one");
		assert_ok(store_swap(other, key, "one", "two"));
		assert_err(store_swap(s, key, "one", "three"), HF_E_FENCED);
		assert_in_range(uv_hrtime() - began, 0, 2000000000ULL);
		store_run(&loop, 600);
		assert_int_equal(news, i + 1);
	}
	hf_port_close(port);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_store_close(other);
}

/* What has an hour left is gone when the server's clock is a day ahead: it is
 * not there, and nothing in its place. */
static void
redis_clock(void **state)
{
	struct hf_store *s;

	(void)state;
	preload();
	redis_start(&server, NULL);
	assert_int_equal(unsetenv("LD_PRELOAD"), 0);
	s = store_open(server.uri);
	steps(s);
	assert_ok(store_swap(s, "k", NULL, "one"));
	clock_is(DAY);
	assert_err(store_get(s, "k"), HF_E_NO_SESSION);
	assert_int_equal(store_len, 0);
	assert_err(store_swap(s, "k", "one", "two"), HF_E_FENCED);
	assert_ok(store_swap(s, "k", NULL, "new"));
	/* It does not come back. */
	clock_is(0);
	assert_ok(store_get(s, "k"));
	store_is("new");
	hf_store_close(s);
}

/* What a store's own clock says ends nothing, nor what one server's does: only
 * what has expired by both is swept. */
static void
postgres_clock(void **state)
{
	uint64_t now = (uint64_t)time(NULL);
	struct hf_store *s;
	size_t n;

	(void)state;
	preload();
	start_postgres();
	assert_int_equal(unsetenv("LD_PRELOAD"), 0);
	s = store_open(server.uri);
	clock_is(DAY);
	sql("DO $$ BEGIN ASSERT extract(epoch from now()) > "
	    "extract(epoch from pg_postmaster_start_time()) + 80000; END $$");
	clock_is(0);
	steps(s);
	assert_ok(store_swap(s, "k", NULL, "one"));
	clock_is(DAY);
	assert_ok(hf_store_sweep(s, now, &n));
	assert_int_equal(n, 0);
	assert_ok(store_get(s, "k"));
	clock_is(0);
	assert_ok(hf_store_sweep(s, now + DAY, &n));
	assert_int_equal(n, 0);
	assert_ok(store_get(s, "k"));
	clock_is(DAY);
	assert_ok(hf_store_sweep(s, now + DAY, &n));
	assert_int_equal(n, 6);
	assert_err(store_get(s, "k"), HF_E_NO_SESSION);
	hf_store_close(s);
}

/* --- disks ----------------------------------------------------------------------------------- */

/* Fills it until it refuses. Returns how many it took. */
static int
fill(struct hf_store *s)
{
	static uint8_t big[HF_STORE_VALUE_MAX];
	enum hf_err e = HF_OK;
	char key[16];
	int n;

	for (n = 0; n < 2000; n++) {
		(void)snprintf(key, sizeof(key), "k%04d", n);
		e = hf_store_swap(s, store_text(key), store_nothing,
		    (struct hf_span){ big, sizeof(big) }, store_later());
		if (e != HF_OK)
			break;
	}
	assert_err(e, HF_E_STORE);
	return n;
}

/* The table's disk is full: nothing half is there, what was there can be read
 * over the same connection, and when there is room all is as before. */
static void
postgres_full(void **state)
{
	struct hf_store *s;
	char path[80], words[200], key[16];
	struct stat st;
	int n;

	(void)state;
	if (!mounts) {
		(void)printf("note: no file systems can be mounted here\n");
		skip();
	}
	start_postgres();
	(void)snprintf(path, sizeof(path), "%s/small", server.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(stat(server.dir, &st), 0);
	(void)snprintf(words, sizeof(words), "size=2m,mode=0700,uid=%u,gid=%u",
	    (unsigned)st.st_uid, (unsigned)st.st_gid);
	assert_int_equal(mount("tmpfs", path, "tmpfs", 0, words), 0);
	(void)snprintf(words, sizeof(words),
	    "CREATE TABLESPACE small LOCATION '%s'", path);
	sql(words);
	sql("ALTER TABLE handfast.entry SET TABLESPACE small");
	s = store_open(server.uri);
	assert_ok(store_swap(s, "before", NULL, "one"));
	n = fill(s);
	assert_string_equal(hf_store_reason(s), "the store's disk is full");
	assert_in_range(n, 50, 250);
	(void)snprintf(key, sizeof(key), "k%04d", n);
	assert_err(store_get(s, key), HF_E_NO_SESSION);
	assert_ok(store_get(s, "k0000"));
	assert_int_equal(store_len, HF_STORE_VALUE_MAX);
	assert_ok(store_get(s, "before"));
	store_is("one");
	assert_int_equal(mount("tmpfs", path, "tmpfs", MS_REMOUNT, "size=8m"),
	    0);
	assert_ok(store_swap(s, key, NULL, "room"));
	assert_ok(store_swap(s, "before", "one", NULL));
	hf_store_close(s);
}

/* A Redis that cannot save takes no writes, and says so. */
static void
redis_unsaved(void **state)
{
	static const char *const more[] = { "--save", "900 1",
		"--enable-protected-configs", "yes", NULL };
	struct hf_store *s;
	char words[160];

	(void)state;
	redis_start(&server, more);
	s = store_open(server.uri);
	assert_ok(store_swap(s, "k", NULL, "one"));
	(void)snprintf(words, sizeof(words), "mkdir %s/gone", server.dir);
	assert_int_equal(system(words), 0);
	(void)snprintf(words, sizeof(words), "config set dir %s/gone",
	    server.dir);
	tell(words);
	(void)snprintf(words, sizeof(words), "rmdir %s/gone", server.dir);
	assert_int_equal(system(words), 0);
	tell("bgsave");
	(void)snprintf(words, sizeof(words),
	    "until redis-cli -s %s info persistence | "
	    "grep -q status:err; do sleep 0.1; done",
	    server.socket);
	assert_int_equal(system(words), 0);
	assert_err(store_swap(s, "k", "one", "two"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store cannot save, and takes no writes");
	assert_ok(store_get(s, "k"));
	store_is("one");
	(void)snprintf(words, sizeof(words), "config set dir %s", server.dir);
	tell(words);
	tell("bgsave");
	while (store_swap(s, "k", "one", "two") == HF_E_STORE)
		(void)usleep(100000);
	assert_ok(store_get(s, "k"));
	store_is("two");
	hf_store_close(s);
}

#define MADE(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int
main(void)
{
	const struct CMUnitTest redis[] = { MADE(redis_clock),
		MADE(redis_unsaved) };
	const struct CMUnitTest postgres[] = { MADE(postgres_clock),
		MADE(postgres_full) };
	int failed = 0;

	(void)signal(SIGPIPE, SIG_IGN);
	if (hf_init() != HF_OK)
		return 1;
	mounts = unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (have_redis())
		failed += cmocka_run_group_tests(redis, NULL, NULL);
	else
		(void)printf("note: no redis-server here\n");
	if (have_postgres())
		failed += cmocka_run_group_tests(postgres, NULL, NULL);
	else
		(void)printf("note: no PostgreSQL here\n");
	return failed;
}
