/* SPDX-License-Identifier: ISC */
/*
 * PostgreSQL where a role may not do what a server must, and where one does
 * what no server would: that it is told, and that the others go on. By a real
 * server.
 */
#include <sys/mman.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"
#include "libpq.h"
#include "servers.h"
#include "store.h"
#include "storing.h"
#include "testing.h"

static struct server server;
static char as_server[300];

/* So many transactions may end yet; below 0: all. */
static int may_end = -1;
static int (*real_sync)(PGconn *);

static int
sync_some(PGconn *pg)
{
	if (may_end == 0)
		return 0;
	may_end -= may_end > 0;
	return real_sync(pg);
}

static void
sql(const char *words)
{
	assert_int_equal(postgres_run(&server, words), 0);
}

/* The server is one for all; each case begins with new tables. */
static int
enter(void **state)
{
	char why[HF_STORE_REASON_MAX];

	(void)state;
	sql("DROP SCHEMA IF EXISTS handfast CASCADE");
	assert_ok(hf_store_init(server.uri, "server", 20000, why));
	return 0;
}

/* --- rights ------------------------------------------------------------------------ */

#define LACKS                                     \
	"the role lacks rights of this version; " \
	"handfast store init --grant gives them"

/* A role that would take, and could not tell; as one has it from an older
 * version, or in part. */
static void
rights_of_before(void **state)
{
	static const char *const lacking[] = {
		"REVOKE ALL ON handfast.change FROM server",
		"REVOKE SELECT ON handfast.change FROM server",
		"REVOKE INSERT (writer) ON handfast.change FROM server",
		"REVOKE INSERT (key) ON handfast.change FROM server",
		"REVOKE DELETE ON handfast.change FROM server",
		"REVOKE USAGE ON SEQUENCE handfast.changes FROM server",
	};
	struct hf_store *s;
	size_t i;

	for (i = 0; i < HF__ARRAY_N(lacking); i++) {
		(void)enter(state);
		sql(lacking[i]);
		store_opens(as_server, HF_E_STORE, LACKS);
	}
	/* Who only reads has nothing to tell. */
	sql("REVOKE INSERT, UPDATE, DELETE ON handfast.entry FROM server");
	s = store_open(as_server);
	assert_err(store_get(s, "k"), HF_E_NO_SESSION);
	hf_store_close(s);
}

/* Numbers are the store's own: with the last one nothing would come after it,
 * and all that was before would be forgotten. */
static void
numbers(void **state)
{
	(void)state;
	assert_int_equal(postgres_run(&server,
			     "SET ROLE server; INSERT INTO handfast.change "
			     "VALUES (9223372036854775807, 'w', 'k')"),
	    1);
	sql("SET ROLE server; INSERT INTO handfast.change (writer, key) "
	    "VALUES ('w', 'k')");
}

/* --- what is too much ----------------------------------------------------------------- */

static int
count(void *arg, struct hf_span key, struct hf_span value)
{
	(void)value;
	assert_int_equal(key.len, 3);
	++*(int *)arg;
	return 1;
}

/* What is nobody's hides nobody, whatever its length, and were it a page. */
static void
hidden(void **state)
{
	struct hf_store *s = store_open(as_server);
	int n = 0;

	(void)state;
	assert_ok(store_swap(s, "m/a", NULL, "one"));
	assert_ok(store_swap(s, "m/z", NULL, "two"));
	sql("SET ROLE server; INSERT INTO handfast.entry SELECT "
	    "convert_to('m/b' || n || repeat('k', 129), 'UTF8'), 'v', 1, 'w' "
	    "FROM generate_series(1, 100) n; "
	    "INSERT INTO handfast.entry VALUES ('m/c', '', 1, 'w'), "
	    "('m/d', convert_to(repeat('v', 8193), 'UTF8'), 1, 'w'), "
	    "('m/e', convert_to(repeat('v', 8192), 'UTF8'), 1, 'w')");
	assert_ok(hf_store_list(s, store_text("m/"), count, &n));
	assert_int_equal(n, 3);
	hf_store_close(s);
}

static int (*real_send)(PGconn *, const char *, int, const char *const *,
    const int *, const int *, int);

/* The page after the first one is the first one. */
static int
send_again(PGconn *pg, const char *name, int n, const char *const *values,
    const int *lengths, const int *formats, int format)
{
	const char *const first[] = { "m/" };
	const int two[] = { 2 };

	return strcmp(name, "page") == 0 ?
	    real_send(pg, name, 1, first, two, formats, format) :
	    real_send(pg, name, n, values, lengths, formats, format);
}

static void
send_by(int (*how)(PGconn *, const char *, int, const char *const *,
    const int *, const int *, int))
{
	assert_int_equal(mprotect(&hf__pq, sizeof(hf__pq),
			     PROT_READ | PROT_WRITE),
	    0);
	hf__pq.sendQueryPrepared = how;
	assert_int_equal(mprotect(&hf__pq, sizeof(hf__pq), PROT_READ), 0);
}

static int
count_some(void *arg, struct hf_span key, struct hf_span value)
{
	(void)key;
	(void)value;
	return ++*(int *)arg < 1000;
}

/* A store that goes round tells nobody the same for ever. */
static void
round_and_round(void **state)
{
	struct hf_store *s = store_open(as_server);
	int n = 0;

	(void)state;
	sql("INSERT INTO handfast.entry SELECT convert_to('m/' || n, 'UTF8'), "
	    "'v', 1, 'w' FROM generate_series(100, 200) n");
	assert_ok(hf_store_list(s, store_text("m/"), count_some, &n));
	assert_int_equal(n, 101);
	real_send = hf__pq.sendQueryPrepared;
	send_by(send_again);
	n = 0;
	assert_err(hf_store_list(s, store_text("m/"), count_some, &n),
	    HF_E_STORE);
	send_by(real_send);
	assert_string_equal(hf_store_reason(s),
	    "the store answers what was not asked");
	assert_int_equal(n, 64);
	hf_store_close(s);
}

/* One does not have the others' sweeps fail, with news that are too many, or
 * that cannot be touched. */
static void
sweeps(void **state)
{
	struct hf_store *s = store_open(as_server);
	pid_t pid;
	size_t n;

	(void)state;
	sql("SET ROLE server; INSERT INTO handfast.change (writer, key) "
	    "SELECT 'w', 'k' FROM generate_series(1, 25000)");
	assert_ok(hf_store_sweep(s, 0, &n));
	/* Behind it on the same connection. */
	assert_err(store_get(s, "k"), HF_E_NO_SESSION);
	sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM handfast.change) = "
	    "15000; END $$");
	sql("INSERT INTO handfast.entry VALUES ('k', 'v', 1, 'w')");
	pid = postgres_aside(&server,
	    "SET ROLE server; BEGIN; LOCK TABLE handfast.change; "
	    "SELECT pg_sleep(3)");
	assert_ok(hf_store_sweep(s, 2, &n));
	assert_int_equal(n, 1);
	postgres_over(pid);
	assert_err(store_get(s, "k"), HF_E_NO_SESSION);
	hf_store_close(s);
}

/* --- news ----------------------------------------------------------------------------- */

static int news;

static void
changed(void *arg, struct hf_span key)
{
	(void)arg;
	(void)key;
	news++;
}

static struct watching {
	struct hf_store *store;
	struct hf_port *port;
	uv_loop_t loop;
} on;

static void
watch(void)
{
	assert_int_equal(uv_loop_init(&on.loop), 0);
	on.store = store_open(as_server);
	assert_ok(hf_port_open(&on.port, on.store, &on.loop));
	hf_port_watch(on.port, changed, NULL);
	store_run(&on.loop, 400);
	news = 0;
}

static void
watched(void)
{
	hf_port_close(on.port);
	(void)uv_run(&on.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&on.loop), 0);
	hf_store_close(on.store);
}

/* Whoever may connect says a number that nobody has come to: what is missed
 * after that is heard of all the same. */
static void
numbers_of_strangers(void **state)
{
	struct hf_store *other = store_open(as_server);

	(void)state;
	assert_ok(store_swap(other, "k", NULL, "one"));
	watch();
	sql("SET ROLE stranger; NOTIFY handfast, "
	    "'9223372036854775807 0123456789abcdef 6b'");
	store_run(&on.loop, 300);
	assert_int_equal(news, 1);
	sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
	    "WHERE usename = 'server'; "
	    "INSERT INTO handfast.change (writer, key) VALUES ('w', 'k')");
	store_run(&on.loop, 2000);
	assert_int_equal(news, 2);
	watched();
	hf_store_close(other);
}

/* All who tell take turns: none waits for the disk in his. */
static void
told_lightly(void **state)
{
	struct hf_store *one = store_open(as_server),
			*two = store_open(as_server);

	(void)state;
	sql("CREATE TABLE handfast.seen (how text); "
	    "GRANT INSERT ON handfast.seen TO server; "
	    "CREATE FUNCTION handfast.see() RETURNS trigger LANGUAGE plpgsql "
	    "AS $$ BEGIN INSERT INTO handfast.seen VALUES "
	    "(current_setting('synchronous_commit')); RETURN NULL; END $$; "
	    "CREATE CONSTRAINT TRIGGER see AFTER INSERT ON handfast.change "
	    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
	    "EXECUTE FUNCTION handfast.see(); "
	    "CREATE CONSTRAINT TRIGGER see AFTER UPDATE ON handfast.entry "
	    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
	    "EXECUTE FUNCTION handfast.see()");
	assert_ok(store_swap(one, "k", NULL, "one"));
	assert_ok(store_swap(two, "k", "one", "two"));
	/* Behind it on the same connection. */
	assert_ok(store_swap(two, "k", "two", "three"));
	sql("DO $$ BEGIN ASSERT (SELECT string_agg(how, ' ') "
	    "FROM handfast.seen) = 'on off on'; END $$");
	hf_store_close(one);
	hf_store_close(two);
}

enum { MANY = 17 /* one more than are told together */ };

/* In a table that nobody else can write to. */
static void
sync_by(int (*how)(PGconn *))
{
	assert_int_equal(mprotect(&hf__pq, sizeof(hf__pq),
			     PROT_READ | PROT_WRITE),
	    0);
	hf__pq.pipelineSync = how;
	assert_int_equal(mprotect(&hf__pq, sizeof(hf__pq), PROT_READ), 0);
}

static unsigned answers, fenced;

static void
answered(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	(void)arg;
	(void)value;
	(void)len;
	answers++;
	fenced += e == HF_E_FENCED;
}

/* The connection is lost while others are told of the first of them: all are
 * answered at once, as somebody has held the first one up. */
static void
lost_in_telling(void **state)
{
	struct hf_store *other = store_open(as_server);
	char key[2] = "a";
	pid_t pid;
	int i;

	(void)state;
	real_sync = hf__pq.pipelineSync;
	sync_by(sync_some);
	for (i = 0; i < MANY; i++, key[0]++)
		assert_ok(store_swap(other, key, NULL, "one"));
	watch();
	pid = postgres_aside(&server,
	    "BEGIN; UPDATE handfast.entry SET writer = writer "
	    "WHERE key = 'a'; SELECT pg_sleep(1.2)");
	answers = fenced = 0;
	for (i = 0, key[0] = 'a'; i < MANY; i++, key[0]++)
		assert_non_null(
		    hf_port_swap(on.port, store_text(key), store_text("one"),
			store_text("two"), store_later(), answered, NULL));
	may_end = MANY;
	while (may_end > 0)
		(void)uv_run(&on.loop, UV_RUN_NOWAIT);
	postgres_over(pid);
	(void)usleep(200000);
	store_run(&on.loop, 300);
	may_end = -1;
	sync_by(real_sync);
	assert_int_equal(answers, MANY);
	assert_int_equal(fenced, 0);
	for (i = 0, key[0] = 'a'; i < MANY; i++, key[0]++) {
		assert_ok(store_get(other, key));
		store_is("two");
	}
	watched();
	hf_store_close(other);
}

/* The connection is lost as it begins to watch: another is made. */
static void
lost_in_watching(void **state)
{
	struct hf_store *other = store_open(as_server);

	(void)state;
	assert_ok(store_swap(other, "k", NULL, "one"));
	assert_int_equal(uv_loop_init(&on.loop), 0);
	on.store = store_open(as_server);
	real_sync = hf__pq.pipelineSync;
	sync_by(sync_some);
	assert_ok(hf_port_open(&on.port, on.store, &on.loop));
	hf_port_watch(on.port, changed, NULL);
	may_end = 1; /* what it says first */
	while (may_end > 0 || hf__line_state(on.port->line) == 0)
		store_run(&on.loop, 1);
	may_end = -1;
	sync_by(real_sync);
	assert_int_equal(hf__line_state(on.port->line), -1);
	store_run(&on.loop, 500);
	assert_int_equal(hf__line_state(on.port->line), 1);
	answers = fenced = 0;
	assert_non_null(
	    hf_port_swap(on.port, store_text("k"), store_text("one"),
		store_text("two"), store_later(), answered, NULL));
	store_run(&on.loop, 300);
	assert_int_equal(answers, 1);
	assert_int_equal(fenced, 0);
	/* It watches, too. */
	news = 0;
	assert_ok(store_swap(other, "k", "two", "three"));
	store_run(&on.loop, 300);
	assert_int_equal(news, 1);
	watched();
	hf_store_close(other);
}

/* --- the next version --------------------------------------------------------------------- */

/* Somebody reads for long while the tables are to be changed: that is given up
 * before all servers, who wait behind it, give up. */
static void
blocked(void **state)
{
	char why[HF_STORE_REASON_MAX];
	struct hf_store *s = store_open(as_server);
	uint64_t began;
	enum hf_err e;
	pid_t pid;

	(void)state;
	assert_ok(store_swap(s, "k", NULL, "one"));
	sql("DROP TABLE handfast.change; ALTER TABLE handfast.entry "
	    "ADD changed bigint NOT NULL DEFAULT 0, "
	    "ADD CHECK (octet_length(key) > 0), "
	    "ADD CHECK (octet_length(value) > 0); "
	    "CREATE INDEX entry_changed ON handfast.entry (changed); "
	    "UPDATE handfast.version SET number = 2");
	pid = postgres_aside(&server,
	    "BEGIN; LOCK TABLE handfast.entry IN ACCESS SHARE MODE; "
	    "SELECT pg_sleep(5)");
	began = uv_hrtime();
	e = hf_store_init(server.uri, "server", 20000, why);
	assert_string_equal(why, "canceling statement due to lock timeout");
	assert_err(e, HF_E_STORE);
	assert_in_range(uv_hrtime() - began, 1300000000ULL, 2500000000ULL);
	assert_ok(store_get(s, "k"));
	postgres_over(pid);
	assert_ok(hf_store_init(server.uri, "server", 20000, why));
	assert_ok(store_get(s, "k"));
	store_is("one");
	hf_store_close(s);
}

#define CASE(name) cmocka_unit_test_setup(name, enter)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rights_of_before),
		CASE(numbers),
		CASE(hidden),
		CASE(round_and_round),
		CASE(sweeps),
		CASE(numbers_of_strangers),
		CASE(told_lightly),
		CASE(lost_in_telling),
		CASE(lost_in_watching),
		CASE(blocked),
	};
	int failed;

	(void)signal(SIGPIPE, SIG_IGN);
	if (hf_init() != HF_OK)
		return 1;
	if (!have_postgres()) {
		(void)printf("note: no PostgreSQL here\n");
		return 77;
	}
	postgres_start(&server);
	sql("CREATE ROLE server LOGIN; CREATE ROLE stranger LOGIN");
	(void)snprintf(as_server, sizeof(as_server),
	    "postgresql:///postgres?host=%s&port=%d&user=server", server.dir,
	    server.port);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	server_stop(&server);
	return failed;
}
