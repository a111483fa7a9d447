/* SPDX-License-Identifier: ISC */
/*
 * PostgreSQL when something is wrong with it: each time the exact error and
 * the exact words, in time. By a real server.
 */
#include <sys/epoll.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"
#include "servers.h"
#include "store_now.h"
#include "storing.h"
#include "testing.h"

#define NO_RIGHT "the role has no right to do that in the store"
#define NO_SCHEMA                                                            \
	"there is no schema for handfast in the store; handfast store init " \
	"makes it"

static struct server server;

/* Changes of what a loop watches; another thread's too. */
static atomic_uint changes;

int
epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	int (*real)(int, int, int, struct epoll_event *);

	*(void **)&real = dlsym(RTLD_NEXT, "epoll_ctl");
	(void)atomic_fetch_add(&changes, 1);
	return real(epoll, op, fd, event);
}

/* The socket, as a role. */
static const char *
as(const char *role)
{
	static char uri[300];

	(void)snprintf(uri, sizeof(uri),
	    "postgresql:///postgres?host=%s&port=%d&user=%s", server.dir,
	    server.port, role);
	return uri;
}

static void
sql(const char *words)
{
	assert_int_equal(postgres_run(&server, words), 0);
}

static void
inits(const char *uri, const char *role, enum hf_err wanted, const char *words)
{
	char why[HF_STORE_REASON_MAX];
	enum hf_err e = hf_store_init(uri, role, 20000, why);

	assert_string_equal(why, words);
	assert_err(e, wanted);
}

/* The server is one for all; each case begins without tables. */
static int
enter(void **state)
{
	(void)state;
	sql("DROP SCHEMA IF EXISTS handfast CASCADE");
	return 0;
}

static int
enter_made(void **state)
{
	(void)enter(state);
	inits(server.uri, "server", HF_OK, "");
	return 0;
}

/* --- the schema --------------------------------------------------------------------------- */

static void
schema(void **state)
{
	struct hf_store *s;

	(void)state;
	store_opens(server.uri, HF_E_STORE, NO_SCHEMA);
	inits(as("server"), NULL, HF_E_STORE,
	    "permission denied for database postgres");
	inits(server.uri, NULL, HF_OK, "");
	s = store_open(server.uri);
	assert_ok(store_swap(s, "k", NULL, "one"));
	/* Again: nothing is lost. */
	inits(server.uri, "server", HF_OK, "");
	inits(server.uri, "server", HF_OK, "");
	assert_ok(store_get(s, "k"));
	store_is("one");
	hf_store_close(s);
	s = store_open(as("server"));
	assert_ok(store_swap(s, "k", "one", "two"));
	hf_store_close(s);
	inits(server.uri, "nobody-here", HF_E_STORE,
	    "role \"nobody-here\" does not exist");
	inits(server.uri,
	    "1234567890123456789012345678901234567890123456789012345678901234",
	    HF_E_ARG, "a role's name has at most 63 bytes");
	inits("postgresql://?x=1", NULL, HF_E_ARG,
	    "libpq does not understand it");
	inits("redis:///nowhere/redis.sock", NULL, HF_E_STORE,
	    "no such file or directory");
}

/* The socket is watched from the beginning on, and not anew for each question
 * and each answer. */
static void
watched(void **state)
{
	struct hf_store *s = store_open(server.uri);
	unsigned before;
	int n;

	(void)state;
	assert_ok(store_swap(s, "k", NULL, "one"));
	before = atomic_load(&changes);
	assert_true(before > 0);
	for (n = 0; n < 10; n++)
		assert_ok(store_get(s, "k"));
	assert_int_equal(atomic_load(&changes), before);
	hf_store_close(s);
}

static void
other_version(void **state)
{
	(void)state;
	sql("UPDATE handfast.version SET number = 4");
	store_opens(as("server"), HF_E_STORE,
	    "the store's schema is of version 4, not 3");
	inits(server.uri, NULL, HF_E_STORE,
	    "the store's schema is of version 4, not 3");
	sql("DELETE FROM handfast.version");
	store_opens(as("server"), HF_E_STORE,
	    "the store's schema is of version 0, not 3");
}

/* As the second version had it: a change's number beside the entry. */
#define SECOND                                                              \
	"DROP TABLE handfast.change;"                                       \
	"ALTER TABLE handfast.entry ADD changed bigint NOT NULL DEFAULT 0," \
	" ADD CHECK (octet_length(key) BETWEEN 1 AND 128),"                 \
	" ADD CHECK (octet_length(value) BETWEEN 1 AND 8192);"              \
	"CREATE INDEX entry_changed ON handfast.entry (changed)"            \
	" WHERE changed > 0;"
/* The first one had a trigger, which told others of changes. */
#define FIRST                                                               \
	SECOND                                                              \
	"CREATE FUNCTION handfast.taken() RETURNS trigger LANGUAGE plpgsql" \
	" AS $$ BEGIN RETURN NULL; END $$;"                                 \
	"CREATE TRIGGER taken BEFORE UPDATE ON handfast.entry FOR EACH ROW" \
	" EXECUTE FUNCTION handfast.taken();"

static void
goes_on_from(const char *before, const char *why)
{
	struct hf_store *s = store_open(server.uri);

	assert_ok(store_swap(s, "k", NULL, "one"));
	hf_store_close(s);
	sql(before);
	store_opens(as("server"), HF_E_STORE, why);
	inits(server.uri, "server", HF_OK, "");
	s = store_open(as("server"));
	assert_ok(store_swap(s, "k", "one", "two"));
	assert_ok(store_get(s, "k"));
	store_is("two");
	hf_store_close(s);
}

static void
first_version(void **state)
{
	(void)state;
	goes_on_from(FIRST "UPDATE handfast.version SET number = 1",
	    "the store's schema is of version 1, not 3");
}

static void
second_version(void **state)
{
	(void)state;
	goes_on_from(SECOND "UPDATE handfast.version SET number = 2",
	    "the store's schema is of version 2, not 3");
}

/* What is longer than anything that is stored is not read to its end. */
static void
too_long(void **state)
{
	struct hf_store *s = store_open(as("server"));

	(void)state;
	sql("SET ROLE server; INSERT INTO handfast.entry VALUES "
	    "('k', convert_to(repeat('v', 8193), 'UTF8'), 1, 'w'),"
	    "('l', convert_to(repeat('v', 8192), 'UTF8'), 1, 'w')");
	assert_err(store_get(s, "k"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store answers what was not asked");
	assert_ok(store_get(s, "l"));
	hf_store_close(s);
}

/* How large the change's table may become. */
static void
forgotten(void **state)
{
	struct hf_store *s = store_open(as("server"));
	size_t n;

	(void)state;
	sql("INSERT INTO handfast.change (writer, key) SELECT 'w', 'k' "
	    "FROM generate_series(1, 9000)");
	assert_ok(hf_store_sweep(s, 0, &n));
	assert_int_equal(n, 0);
	sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM handfast.change) = "
	    "8192; END $$");
	hf_store_close(s);
}

/* --- who ------------------------------------------------------------------------------------- */

static void
roles(void **state)
{
	static const char *const not_allowed[] = {
		"SET ROLE server; DROP TABLE handfast.entry",
		"SET ROLE server; TRUNCATE handfast.entry",
		"SET ROLE server; ALTER TABLE handfast.entry ADD x int",
		"SET ROLE server; CREATE TABLE handfast.more (x int)",
		"SET ROLE server; UPDATE handfast.version SET number = 2",
		"SET ROLE server; SELECT setval('handfast.changes', 1)",
		"SET ROLE server; UPDATE handfast.change SET key = key",
	};
	struct hf_store *s;
	size_t i;

	(void)state;
	sql("SET ROLE server; SELECT count(*) FROM handfast.entry");
	for (i = 0; i < HF__ARRAY_N(not_allowed); i++)
		assert_int_equal(postgres_run(&server, not_allowed[i]), 1);
	store_opens(as("stranger"), HF_E_STORE, NO_RIGHT);
	sql("GRANT USAGE ON SCHEMA handfast TO stranger; "
	    "GRANT SELECT ON handfast.version TO stranger");
	s = store_open(as("stranger"));
	assert_err(store_get(s, "k"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s), NO_RIGHT);
	assert_err(store_swap(s, "k", NULL, "v"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s), NO_RIGHT);
	/* The connection has borne it. */
	sql("GRANT SELECT ON handfast.entry TO stranger");
	assert_err(store_get(s, "k"), HF_E_NO_SESSION);
	assert_err(store_swap(s, "k", NULL, "v"), HF_E_STORE);
	hf_store_close(s);
	sql("REVOKE ALL ON handfast.entry, handfast.version FROM stranger; "
	    "REVOKE ALL ON SCHEMA handfast FROM stranger");
}

static void
logins(void **state)
{
	char uri[400];

	(void)state;
	sql("GRANT USAGE ON SCHEMA handfast TO password; "
	    "GRANT SELECT ON handfast.version TO password");
	(void)snprintf(uri, sizeof(uri), "%s&password=right", as("password"));
	hf_store_close(store_open(uri));
	(void)snprintf(uri, sizeof(uri), "%s&password=wrong", as("password"));
	store_opens(uri, HF_E_STORE,
	    "password authentication failed for user \"password\"");
	store_opens(as("password"), HF_E_STORE,
	    "fe_sendauth: no password supplied");
	store_opens(as("nobody"), HF_E_STORE,
	    "role \"nobody\" does not exist");
	sql("REVOKE ALL ON handfast.version FROM password; "
	    "REVOKE ALL ON SCHEMA handfast FROM password");
}

/* By certificates, both ways; the host by its name. */
static void
certificates(void **state)
{
	static const struct {
		const char *host, *mode, *root, *cert;
		const char *words;
	} of[] = {
		{ "localhost", "verify-full", "ca", "client", "" },
		{ "127.0.0.1", "verify-full", "ca", "client", "" },
		{ "localhost", "verify-full", "other", "client",
		    "SSL error: certificate verify failed" },
		{ "127.0.0.2,localhost", "verify-full", "other", "client",
		    "SSL error: certificate verify failed" },
		{ "localhost,127.0.0.2", "verify-full", "other", "client",
		    "SSL error: certificate verify failed" },
		{ "127.0.0.2,127.0.0.3", "verify-full", "ca", "client",
		    "Connection refused" },
		{ "localhost", "verify-full", "ca", "other",
		    "SSL error: tlsv1 alert unknown ca" },
		{ "localhost", "verify-full", "ca", "none",
		    "connection requires a valid client certificate" },
		{ "localhost", "disable", "ca", "client",
		    "no pg_hba.conf entry for host \"127.0.0.1\", user "
		    "\"server\", database \"postgres\", no encryption" },
		{ "no-such-host.invalid", "verify-full", "ca", "client",
		    "the store's name is not found" },
	};
	struct hf_store *s;
	char uri[600];
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(of); i++) {
		(void)snprintf(uri, sizeof(uri),
		    "postgresql://server@%s/postgres?port=%d&sslmode=%s&"
		    "sslrootcert=%s/%s.crt&sslcert=%s/%s.crt&"
		    "sslkey=%s/%s.key",
		    of[i].host, server.port, of[i].mode, server.dir,
		    of[i].root, server.dir, of[i].cert, server.dir,
		    of[i].cert);
		if (of[i].words[0] != '\0') {
			store_opens(uri, HF_E_STORE, of[i].words);
			continue;
		}
		s = store_open(uri);
		assert_ok(store_swap(s, "k", NULL, "tls"));
		assert_ok(store_swap(s, "k", "tls", NULL));
		hf_store_close(s);
	}
}

/* --- what it says ------------------------------------------------------------------------------- */

static void
read_only(void **state)
{
	struct hf_store *s;

	(void)state;
	s = store_open(as("server"));
	assert_ok(store_swap(s, "k", NULL, "one"));
	hf_store_close(s);
	sql("ALTER ROLE server SET default_transaction_read_only = on");
	s = store_open(as("server"));
	assert_ok(store_get(s, "k"));
	assert_err(store_swap(s, "k", "one", "two"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store is a standby that takes no writes");
	sql("ALTER ROLE server RESET default_transaction_read_only");
	assert_ok(store_swap(s, "k", "one", "two"));
	hf_store_close(s);
}

/* Somebody holds the row: it is given up in time, by the server too, and the
 * connection goes on. */
static void
locked(void **state)
{
	struct hf_store *s;
	uint64_t began;
	pid_t pid;

	(void)state;
	s = store_open(as("server"));
	assert_ok(store_swap(s, "k", NULL, "one"));
	pid = postgres_aside(&server,
	    "BEGIN; UPDATE handfast.entry SET expires = expires; "
	    "SELECT pg_sleep(4); ROLLBACK");
	began = uv_hrtime();
	assert_err(store_swap(s, "k", "one", "two"), HF_E_STORE);
	assert_in_range(uv_hrtime() - began, 1400000000ULL, 2100000000ULL);
	assert_string_equal(hf_store_reason(s), "the store took too long");
	assert_ok(store_get(s, "k"));
	store_is("one");
	postgres_over(pid);
	assert_ok(store_swap(s, "k", "one", "two"));
	hf_store_close(s);
}

/* Backends that are ended are found ended; all goes on with new ones. */
static void
terminated(void **state)
{
	struct hf_store *s;

	(void)state;
	s = store_open(as("server"));
	assert_ok(store_swap(s, "k", NULL, "one"));
	sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
	    "WHERE usename = 'server'");
	assert_ok(store_get(s, "k"));
	store_is("one");
	assert_ok(store_swap(s, "k", "one", "two"));
	hf_store_close(s);
}

/* --- on the way ------------------------------------------------------------------------------------ */

static struct relay relay;
static char relay_uri[160];

static int
enter_relay(void **state)
{
	(void)enter_made(state);
	relay_start(&relay, server.socket);
	(void)snprintf(relay_uri, sizeof(relay_uri),
	    "postgresql://server@127.0.0.1:%d/postgres?sslmode=disable",
	    relay.port);
	return 0;
}

static int
leave_relay(void **state)
{
	(void)state;
	relay_stop(&relay);
	return 0;
}

static void
cut(void **state)
{
	struct hf_store *s;

	(void)state;
	s = store_open(relay_uri);
	assert_ok(store_swap(s, "k", NULL, "one"));
	*relay.mode = RELAY_CUT;
	assert_ok(store_get(s, "k"));
	store_is("one");
	assert_int_equal(*relay.cuts, 1);
	*relay.mode = RELAY_CUT;
	assert_err(store_swap(s, "k", "one", "two"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "server closed the connection unexpectedly");
	assert_int_equal(*relay.cuts, 2);
	assert_ok(store_get(s, "k"));
	store_is("two");
	assert_err(store_swap(s, "k", "one", "two"), HF_E_FENCED);
	hf_store_close(s);
}

static void
dropped(void **state)
{
	struct hf_store *s;
	uint64_t began;

	(void)state;
	s = store_open(relay_uri);
	assert_ok(store_swap(s, "k", NULL, "one"));
	*relay.mode = RELAY_EAT;
	began = uv_hrtime();
	assert_err(store_swap(s, "k", "one", "two"), HF_E_STORE);
	assert_in_range(uv_hrtime() - began, 1900000000ULL, 3000000000ULL);
	assert_string_equal(hf_store_reason(s), "the store does not answer");
	store_opens(relay_uri, HF_E_STORE, "the store does not answer");
	*relay.mode = RELAY_PASS;
	assert_ok(store_get(s, "k"));
	store_is("one");
	*relay.mode = RELAY_REFUSE;
	began = uv_hrtime();
	assert_err(store_get(s, "k"), HF_E_STORE);
	assert_in_range(uv_hrtime() - began, 1900000000ULL, 3000000000ULL);
	*relay.mode = RELAY_PASS;
	assert_ok(store_get(s, "k"));
	hf_store_close(s);
}

/* --- news -------------------------------------------------------------------------------------------- */

static int news;

static void
changed(void *arg, struct hf_span key)
{
	(void)arg;
	assert_int_equal(key.len, 1);
	assert_int_equal(key.ptr[0], 'k');
	news++;
}

/* What others wrote while the connection was lost is told afterwards. Only
 * the first of another's writes is news. */
static void
missed_news(void **state)
{
	struct hf_store *watcher, *other;
	struct hf_port *port;
	uv_loop_t loop;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	watcher = store_open(relay_uri);
	other = store_open(as("server"));
	assert_ok(hf_port_open(&port, watcher, &loop));
	assert_ok(store_swap(watcher, "k", NULL, "one"));
	news = 0;
	hf_port_watch(port, changed, NULL);
	store_run(&loop, 500);
	*relay.mode = RELAY_REFUSE;
	store_run(&loop, 300);
	assert_ok(store_swap(other, "k", "one", "two"));
	assert_ok(store_swap(other, "k", "two", "three"));
	store_run(&loop, 300);
	assert_int_equal(news, 0);
	*relay.mode = RELAY_PASS;
	store_run(&loop, 2500);
	assert_int_equal(news, 1);
	assert_ok(store_swap(other, "k", "three", "four"));
	store_run(&loop, 500);
	assert_int_equal(news, 1);
	hf_port_close(port);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_store_close(watcher);
	hf_store_close(other);
}

static void
said(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	(void)value;
	(void)len;
	*(enum hf_err *)arg = e;
}

static enum hf_err
swap_quietly(struct hf_port *port, uv_loop_t *loop, const char *expected,
    const char *next)
{
	enum hf_err e = HF_E_AGAIN;
	struct hf_op *op;
	int n;

	assert_int_equal(hf__port_swap_now(&op, port, store_text("k"),
			     store_text(expected), store_text(next),
			     store_later(), 1, said, &e),
	    1);
	for (n = 0; n < 200 && e == HF_E_AGAIN; n++)
		store_run(loop, 10);
	return e;
}

/* What is no news to others is compared as well, and others hear nothing. */
static void
quietly(void **state)
{
	struct hf_store *watcher = store_open(as("server")),
			*other = store_open(as("server"));
	struct hf_port *port, *own;
	uv_loop_t loop;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(hf_port_open(&port, watcher, &loop));
	assert_ok(hf_port_open(&own, other, &loop));
	assert_ok(store_swap(watcher, "k", NULL, "one"));
	news = 0;
	hf_port_watch(port, changed, NULL);
	store_run(&loop, 300);
	assert_err(swap_quietly(own, &loop, "two", "three"), HF_E_FENCED);
	assert_ok(swap_quietly(own, &loop, "one", "two"));
	store_run(&loop, 300);
	assert_int_equal(news, 0);
	assert_ok(store_get(watcher, "k"));
	store_is("two");
	hf_port_close(own);
	hf_port_close(port);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_store_close(watcher);
	hf_store_close(other);
}

/* Whoever may connect can say what he likes where news are told: what is none
 * is passed over. */
static void
said_by_strangers(void **state)
{
	static const char *const of[] = { "", "x", "5", "5 0123456789abcdef",
		"5 0123456789abcdef ", "5 0123456789abcdef 6",
		"5 0123456789abcdef 6b6", "5 0123456789abcdef 6bxx",
		"5 0123456789abcdef +6", "5 0123456789abcdef 6b" };
	struct hf_store *watcher;
	struct hf_port *port;
	char words[120];
	uv_loop_t loop;
	size_t i;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	watcher = store_open(as("server"));
	assert_ok(hf_port_open(&port, watcher, &loop));
	news = 0;
	hf_port_watch(port, changed, NULL);
	store_run(&loop, 300);
	for (i = 0; i < HF__ARRAY_N(of); i++) {
		assert_int_equal(news, 0);
		(void)snprintf(words, sizeof(words),
		    "SET ROLE stranger; NOTIFY handfast, '%s'", of[i]);
		sql(words);
		store_run(&loop, 100);
	}
	assert_int_equal(news, 1);
	hf_port_close(port);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_store_close(watcher);
}

#define MADE(name) cmocka_unit_test_setup(name, enter_made)
#define RELAYED(name) \
	cmocka_unit_test_setup_teardown(name, enter_relay, leave_relay)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(schema, enter),
		MADE(watched),
		MADE(other_version),
		MADE(first_version),
		MADE(second_version),
		MADE(too_long),
		MADE(forgotten),
		MADE(roles),
		MADE(logins),
		MADE(certificates),
		MADE(read_only),
		MADE(locked),
		MADE(terminated),
		RELAYED(cut),
		RELAYED(dropped),
		RELAYED(missed_news),
		MADE(quietly),
		MADE(said_by_strangers),
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
	sql("CREATE ROLE server LOGIN; CREATE ROLE stranger LOGIN; "
	    "CREATE ROLE password LOGIN PASSWORD 'right'");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	server_stop(&server);
	return failed;
}
