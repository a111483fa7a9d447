/* SPDX-License-Identifier: ISC */
/*
 * Redis when something is wrong with it: each time the exact error and the
 * exact words, in time. By real servers, and by one that says what it is told.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <dlfcn.h>
#include <netdb.h>
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

static struct server server;
/* A command of one word each to the server, by its own client. */
static void
tell(const char *words)
{
	char command[2048];

	(void)snprintf(command, sizeof(command),
	    "redis-cli -s %s %s >/dev/null", server.socket, words);
	assert_int_equal(system(command), 0);
}

static int
leave(void **state)
{
	(void)state;
	server_stop(&server);
	return 0;
}

/* --- where, and who ----------------------------------------------------------------------- */

static void
uris(void **state)
{
	static const char *const bad[] = { "redis:", "redis://", "redis:///",
		"redis://:6379", "redis://h:0", "redis://h:65536",
		"redis://h:x", "redis://h:", "redis://h/x", "redis://h/1/2",
		"redis://[::1", "redis://[::1]x", "redis://u%4@h",
		"redis://u%00@h", "redis://h?nothing", "redis://h?what=1",
		"redis://h?db=x", "redis:/h", "redis://h/9999999" };
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(bad); i++)
		store_opens(bad[i], HF_E_ARG, "");
	store_opens("rediss://h", HF_E_UNSUPPORTED,
	    "hiredis has no TLS here; stunnel does it, see "
	    "handfast-store(7)");
	store_opens("redis:///nowhere/redis.sock", HF_E_STORE,
	    "no such file or directory");
	store_opens("redis://127.0.0.1:1", HF_E_STORE, "connection refused");
	store_opens("redis://no-such-host.invalid", HF_E_STORE,
	    "the store's name is not found");
}

/* The rights that a server needs, and no more: as handfast-store(7) has it. */
#define RIGHTS                                                            \
	"resetkeys '~handfast:*' resetchannels -@all +auth +select +get " \
	"+mget +set +del +scan +evalsha +'script|load' +xadd +xread "     \
	"+xrevrange"

static void
login_works(const char *uri)
{
	struct hf_store *s = store_open(uri);
	size_t n;

	assert_ok(store_swap(s, "k", NULL, "one"));
	assert_ok(store_get(s, "k"));
	store_is("one");
	assert_ok(store_swap(s, "k", "one", NULL));
	assert_ok(hf_store_sweep(s, 0, &n));
	hf_store_close(s);
}

static void
write_file(const char *path, const char *words, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(words, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void
logins(void **state)
{
	char uri[300], path[80], big[257];

	(void)state;
	redis_start(&server, NULL);
	tell("acl setuser web on '>se:cr@t' " RIGHTS);
	tell("acl setuser idle on '>x' -@all +auth");
	tell("acl setuser blind on '>x' '~handfast:*' -@all +auth "
	     "+'script|load'");
	(void)snprintf(path, sizeof(path), "%s/pass", server.dir);
	write_file(path, "se:cr@t\n", 0600);
	(void)snprintf(uri, sizeof(uri), "redis://web:se%%3acr%%40t@%s",
	    server.socket);
	login_works(uri);
	(void)snprintf(uri, sizeof(uri), "redis://web@%s?passfile=%s",
	    server.socket, path);
	login_works(uri);
	write_file(path, "se:cr@t\n", 0640);
	store_opens(uri, HF_E_POLICY, "others can read the password's file");
	write_file(path, "", 0600);
	store_opens(uri, HF_E_STORE, "there is no password in its file");
	assert_int_equal(unlink(path), 0);
	store_opens(uri, HF_E_STORE, "cannot read the password's file");
	(void)snprintf(uri, sizeof(uri), "redis://web@%s", server.socket);
	assert_int_equal(setenv("HANDFAST_STORE_PASSWORD", "se:cr@t", 1), 0);
	login_works(uri);
	assert_int_equal(setenv("HANDFAST_STORE_PASSWORD", "secret", 1), 0);
	store_opens(uri, HF_E_STORE, "the store refuses the user or password");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(setenv("HANDFAST_STORE_PASSWORD", big, 1), 0);
	store_opens(uri, HF_E_ARG,
	    "the password in HANDFAST_STORE_PASSWORD is too long");
	assert_int_equal(unsetenv("HANDFAST_STORE_PASSWORD"), 0);
	(void)snprintf(uri, sizeof(uri), "redis://idle:x@%s", server.socket);
	store_opens(uri, HF_E_STORE,
	    "the user has no right to do that in the store");
	tell("config set requirepass big");
	store_opens(server.uri, HF_E_STORE, "the store asks for a password");
	(void)snprintf(uri, sizeof(uri), "redis://:big@%s", server.socket);
	login_works(uri);
}

/* A user that may connect, and nothing else. */
static void
no_rights(void **state)
{
	struct hf_store *s;
	char uri[300];

	(void)state;
	redis_start(&server, NULL);
	tell("acl setuser blind on '>x' '~handfast:*' -@all +auth "
	     "+'script|load'");
	(void)snprintf(uri, sizeof(uri), "redis://blind:x@%s", server.socket);
	s = store_open(uri);
	assert_err(store_get(s, "k"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the user has no right to do that in the store");
	assert_err(store_swap(s, "k", NULL, "v"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the user has no right to do that in the store");
	hf_store_close(s);
}

static void
databases(void **state)
{
	struct hf_store *zero, *five;
	char uri[300];

	(void)state;
	redis_start(&server, NULL);
	(void)snprintf(uri, sizeof(uri), "redis://%s?db=5", server.socket);
	zero = store_open(server.uri);
	five = store_open(uri);
	assert_ok(store_swap(zero, "k", NULL, "zero"));
	assert_ok(store_swap(five, "k", NULL, "five"));
	assert_ok(store_get(zero, "k"));
	store_is("zero");
	hf_store_close(zero);
	hf_store_close(five);
	(void)snprintf(uri, sizeof(uri), "redis://%s?db=500", server.socket);
	store_opens(uri, HF_E_STORE, "the store has no such database");
}

/* --- full ------------------------------------------------------------------------------------ */

/* Fills it until it refuses. Returns how many it took. */
static int
fill(struct hf_store *s, enum hf_err *e)
{
	static uint8_t big[HF_STORE_VALUE_MAX];
	char key[16];
	int n;

	for (n = 0, *e = HF_OK; *e == HF_OK && n < 2000; n++) {
		(void)snprintf(key, sizeof(key), "k%04d", n);
		*e = hf_store_swap(s, store_text(key), store_nothing,
		    (struct hf_span){ big, sizeof(big) }, store_later());
	}
	return n;
}

static void
full(void **state)
{
	static const char *const few[] = { "--maxmemory", "4mb",
		"--maxmemory-policy", "noeviction", NULL };
	static uint8_t big[HF_STORE_VALUE_MAX];
	struct hf_store *s;
	enum hf_err e;
	int n;

	(void)state;
	redis_start(&server, few);
	s = store_open(server.uri);
	n = fill(s, &e);
	assert_err(e, HF_E_STORE);
	assert_in_range(n, 50, 1500);
	assert_string_equal(hf_store_reason(s),
	    "the store is full: its maxmemory is reached");
	/* What is there can be read, and removed; then there is room. */
	assert_ok(store_get(s, "k0000"));
	assert_int_equal(store_len, sizeof(big));
	for (n = 0; n < 20; n++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%04d", n);
		assert_ok(hf_store_swap(s, store_text(key),
		    (struct hf_span){ big, sizeof(big) }, store_nothing, 0));
	}
	assert_ok(store_swap(s, "new", NULL, "v"));
	hf_store_close(s);
}

/* One that throws entries away: they are gone, and nothing else is there. */
static void
evicts(void **state)
{
	static const char *const few[] = { "--maxmemory", "4mb",
		"--maxmemory-policy", "allkeys-lru", NULL };
	struct hf_store *s;
	enum hf_err e;
	int n, gone = 0;
	char key[16];

	(void)state;
	redis_start(&server, few);
	s = store_open(server.uri);
	n = fill(s, &e);
	assert_ok(e);
	assert_int_equal(n, 2000);
	for (n = 0; n < 2000; n++) {
		(void)snprintf(key, sizeof(key), "k%04d", n);
		e = store_get(s, key);
		if (e == HF_E_NO_SESSION)
			gone++;
		else
			assert_ok(e);
		assert_int_equal(store_len,
		    e == HF_OK ? HF_STORE_VALUE_MAX : 0);
	}
	assert_in_range(gone, 1000, 1999);
	hf_store_close(s);
}

/* --- replicas -------------------------------------------------------------------------------- */

static void
replicas(void **state)
{
	static const char *const stale[] = { "--replicaof", "127.0.0.1 1",
		NULL };
	struct hf_store *s;

	(void)state;
	redis_start(&server, stale);
	s = store_open(server.uri);
	assert_err(store_get(s, "k"), HF_E_NO_SESSION);
	assert_err(store_swap(s, "k", NULL, "v"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store is a replica that takes no writes");
	/* Promoted: it is found out by itself. */
	tell("replicaof no one");
	assert_ok(store_swap(s, "k", NULL, "v"));
	tell("replicaof 127.0.0.1 1");
	tell("config set replica-serve-stale-data no");
	assert_err(store_get(s, "k"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store is a replica without its master");
	hf_store_close(s);
}

/* --- one that says what it is told --------------------------------------------------------------- */

/* Whatever it hears, it says the next of these; after the last one, nothing. */
static void
say_next(int fd, const void *arg)
{
	const char *const *says = arg;
	char heard[4096];

	while (read(fd, heard, sizeof(heard)) > 0)
		if (*says != NULL) {
			if (write(fd, *says, strlen(*says)) < 0)
				break;
			says++;
		}
}

#define LOADED "$40\r\n0123456789012345678901234567890123456789\r\n"

static void
at_once(void **state)
{
	static const struct {
		const char *says, *words;
	} of[] = {
		{ "-LOADING Redis is loading the dataset in memory\r\n",
		    "the store is still loading" },
		{ "-ERR max number of clients reached\r\n",
		    "the store has too many clients" },
		{ "-MISCONF Redis is configured to save RDB snapshots\r\n",
		    "the store cannot save, and takes no writes" },
		{ "-BUSY Redis is busy running a script.\r\n",
		    "the store is busy with a script" },
		{ "-SOMETHING new\r\n",
		    "the store refuses what it was asked" },
		{ "$3\r\nabc\r\n", "the store answers what was not asked" },
		{ LOADED ":1\r\n", "the store answers what was not asked" },
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", "that is no Redis" },
		{ "", "the store does not answer" },
	};
	const char *says[2] = { NULL, NULL };
	struct hf_store *s;
	enum hf_err e;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(of); i++) {
		says[0] = of[i].says;
		redis_start_false(&server, say_next, says);
		e = hf_store_open(&s, server.uri);
		assert_string_equal(hf_store_reason(s), of[i].words);
		assert_err(e, HF_E_STORE);
		hf_store_close(s);
		server_stop(&server);
	}
}

/* Answers to a question that are none. */
static void
nonsense(void **state)
{
	static const char *const of[] = { ":1\r\n", "*0\r\n", "$2\r\nxx\r\n",
		"$16\r\n0123456789abcdef\r\n", "+OK\r\n", "-\r\n",
		"*1\r\n$1\r\nx\r\n", "+0123456789abcdefx\r\n",
		"-ERR 0123456789abcdefx\r\n" };
	static char huge[9000];
	const char *says[3] = { LOADED, NULL, NULL };
	struct hf_store *s;
	size_t i;

	(void)state;
	(void)snprintf(huge, sizeof(huge), "$%d\r\n",
	    16 + HF_STORE_VALUE_MAX + 1);
	memset(huge + strlen(huge), 'x', 16 + HF_STORE_VALUE_MAX + 1);
	(void)strcat(huge, "\r\n");
	for (i = 0; i <= HF__ARRAY_N(of); i++) {
		says[1] = i < HF__ARRAY_N(of) ? of[i] : huge;
		redis_start_false(&server, say_next, says);
		s = store_open(server.uri);
		assert_err(store_get(s, "k"), HF_E_STORE);
		assert_int_equal(store_len, 0);
		hf_store_close(s);
		server_stop(&server);
	}
}

/* An answer in small parts that never ends is no longer heard after a while,
 * however little of it is not understood yet. */
static void
endless(void **state)
{
	static const char head[] = "*10000\r\n",
			  part[] = "$20\r\n01234567890123456789\r\n";
	const char *says[3] = { LOADED, NULL, NULL };
	size_t len = strlen(head), n;
	char *answer = malloc((8 << 20) + 100);
	struct hf_store *s;

	(void)state;
	assert_non_null(answer);
	memcpy(answer, head, len);
	for (n = 0; len < 8 << 20; n++)
		len += (size_t)sprintf(answer + len, "%s%s",
		    n % 1000 == 0 ? "*1000\r\n" : "", part);
	says[1] = answer;
	redis_start_false(&server, say_next, says);
	s = store_open(server.uri);
	assert_err(store_swap(s, "k", NULL, "v"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store answers what was not asked");
	hf_store_close(s);
	server_stop(&server);
	free(answer);
}

/* --- on the way ---------------------------------------------------------------------------------- */

static struct relay relay;
static char relay_uri[80];

static void
with_relay(const char *host)
{
	redis_start(&server, NULL);
	relay_start(&relay, server.socket);
	(void)snprintf(relay_uri, sizeof(relay_uri), "redis://%s:%d", host,
	    relay.port);
}

static int
leave_relay(void **state)
{
	relay_stop(&relay);
	return leave(state);
}

/* The connection is cut between request and answer: a question is asked
 * again; of a write it is not known what became, and it did happen. */
static void
cut(void **state)
{
	struct hf_store *s;

	(void)state;
	with_relay("localhost"); /* names are looked up too */
	s = store_open(relay_uri);
	assert_ok(store_swap(s, "k", NULL, "one"));
	*relay.mode = RELAY_CUT;
	assert_ok(store_get(s, "k"));
	store_is("one");
	assert_int_equal(*relay.cuts, 1);
	*relay.mode = RELAY_CUT;
	assert_err(store_swap(s, "k", "one", "two"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store has closed the connection");
	assert_int_equal(*relay.cuts, 2);
	assert_ok(store_get(s, "k"));
	store_is("two");
	assert_err(store_swap(s, "k", "one", "two"), HF_E_FENCED);
	hf_store_close(s);
}

/* In libc's place: a name of two addresses, where nobody is at the first. */
int
getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
    struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);
	int r, two = name != NULL && strcmp(name, "two.test") == 0;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (!two)
		return real(name, port, hints, list);
	if ((r = real("127.0.0.2", port, hints, list)) == 0)
		r = real("127.0.0.1", port, hints, &(*list)->ai_next);
	return r;
}

static void
two_addresses(void **state)
{
	struct hf_store *s;

	(void)state;
	with_relay("two.test");
	s = store_open(relay_uri);
	assert_ok(store_swap(s, "k", NULL, "one"));
	*relay.mode = RELAY_CUT;
	assert_ok(store_get(s, "k"));
	store_is("one");
	hf_store_close(s);
}

/* Nothing arrives, and nobody says so. */
static void
dropped(void **state)
{
	struct hf_store *s;
	uint64_t began;

	(void)state;
	with_relay("127.0.0.1");
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

/* A server that was started anew knows no script. */
static void
forgotten_script(void **state)
{
	struct hf_store *s;

	(void)state;
	redis_start(&server, NULL);
	s = store_open(server.uri);
	assert_ok(store_swap(s, "k", NULL, "one"));
	tell("script flush");
	assert_ok(store_swap(s, "k", "one", "two"));
	assert_ok(store_get(s, "k"));
	store_is("two");
	hf_store_close(s);
}

/* --- news ----------------------------------------------------------------------------------------- */

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
	with_relay("127.0.0.1");
	assert_int_equal(uv_loop_init(&loop), 0);
	watcher = store_open(relay_uri);
	other = store_open(server.uri);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uris),
		cmocka_unit_test_teardown(logins, leave),
		cmocka_unit_test_teardown(no_rights, leave),
		cmocka_unit_test_teardown(databases, leave),
		cmocka_unit_test_teardown(full, leave),
		cmocka_unit_test_teardown(evicts, leave),
		cmocka_unit_test_teardown(replicas, leave),
		cmocka_unit_test(at_once),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(endless),
		cmocka_unit_test_teardown(cut, leave_relay),
		cmocka_unit_test_teardown(two_addresses, leave_relay),
		cmocka_unit_test_teardown(dropped, leave_relay),
		cmocka_unit_test_teardown(forgotten_script, leave),
		cmocka_unit_test_teardown(missed_news, leave_relay),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	if (hf_init() != HF_OK)
		return 1;
	if (!have_redis()) {
		(void)printf("note: no redis-server here\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
