/* SPDX-License-Identifier: ISC */
/*
 * Redis on several hosts: the master is found among them, by itself or by a
 * Sentinel, and again when it has become another. By real servers, and by
 * some that say what they are told.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"
#include "servers.h"
#include "storing.h"
#include "testing.h"

#define REPLICA "the store is a replica that takes no writes"

static struct server one, two, sentinel;
static char uri[300];

static int
leave(void **state)
{
	(void)state;
	server_stop(&one);
	server_stop(&two);
	server_stop(&sentinel);
	return 0;
}

static void
tell(const struct server *s, const char *words)
{
	char command[300];

	(void)snprintf(command, sizeof(command),
	    "redis-cli -s %s %s >/dev/null", s->socket, words);
	assert_int_equal(system(command), 0);
}

/* A master and its replica. */
static void
pair(void)
{
	char master[8];

	redis_start_at(&one, server_free_port(), NULL);
	(void)snprintf(master, sizeof(master), "%d", one.port);
	redis_start_at(&two, server_free_port(), master);
}

static const char *
at(int first, int second, const char *more)
{
	(void)snprintf(uri, sizeof(uri), "redis://127.0.0.1:%d,127.0.0.1:%d%s",
	    first, second, more);
	return uri;
}

/* Until a write succeeds, or it took too long. */
static void
writes(struct hf_store *s, const char *key, const char *value)
{
	uint64_t until = uv_hrtime() + 20000000000ULL;
	enum hf_err e;

	while ((e = store_swap(s, key, NULL, value)) == HF_E_STORE &&
	    uv_hrtime() < until)
		(void)usleep(20000);
	/* What was tried before may have been done. */
	if (e == HF_E_FENCED) {
		assert_ok(store_get(s, key));
		store_is(value);
	} else
		assert_ok(e);
}

static void
arrives(const struct server *at_server, const char *key, const char *value)
{
	struct hf_store *s = store_open(at_server->uri);
	uint64_t until = uv_hrtime() + 10000000000ULL;

	while (store_get(s, key) != HF_OK && uv_hrtime() < until)
		(void)usleep(10000);
	store_is(value);
	hf_store_close(s);
}

/* --- what a URI says ---------------------------------------------------------------------- */

static void
uris(void **state)
{
	static const char *const bad[] = { "redis://h,", "redis://,h",
		"redis://h,,h", "redis://h:0,h", "redis://h,h:x",
		"redis://[::1],[::1", "redis://1,2,3,4,5,6,7,8,9",
		"redis:///run/redis.sock?sentinel=web",
		"redis://h?sentinel=", "redis://h?sentinel=%4" };
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(bad); i++)
		store_opens(bad[i], HF_E_ARG, "");
	/* The last one's words are told. */
	store_opens("redis://no-such-host.invalid,127.0.0.1:1", HF_E_STORE,
	    "connection refused");
	store_opens("redis://127.0.0.1:1,no-such-host.invalid", HF_E_STORE,
	    "the store's name is not found");
	store_opens("redis://[::1]:1,127.0.0.1:1/3?sentinel=web", HF_E_STORE,
	    "connection refused");
}

/* --- several hosts -------------------------------------------------------------------------- */

static void
master_found(void **state)
{
	struct hf_store *s;

	(void)state;
	pair();
	s = store_open(at(two.port, one.port, ""));
	assert_ok(store_swap(s, "k", NULL, "one"));
	hf_store_close(s);
	arrives(&one, "k", "one");
	/* Whoever may not ask for the role is told. */
	tell(&one,
	    "acl setuser blind on '>x' '~handfast:*' -@all +auth "
	    "+'script|load'");
	(void)snprintf(uri, sizeof(uri),
	    "redis://blind:x@127.0.0.1:1,127.0.0.1:%d", one.port);
	store_opens(uri, HF_E_STORE,
	    "the user has no right to do that in the store");
}

/* The first one answers nothing: the second has its share of the time. */
static void
first_hangs(void **state)
{
	struct hf_store *s;
	uint64_t began;

	(void)state;
	pair();
	server_signal(&two, SIGSTOP);
	began = uv_hrtime();
	s = store_open(at(two.port, one.port, ""));
	assert_in_range(uv_hrtime() - began, 900000000ULL, 1900000000ULL);
	assert_ok(store_swap(s, "k", NULL, "one"));
	hf_store_close(s);
	server_signal(&one, SIGSTOP);
	store_opens(uri, HF_E_STORE, "the store does not answer");
	server_signal(&one, SIGCONT);
}

/* The roles are exchanged: one write fails, the next finds the other one. */
static void
promoted(void **state)
{
	struct hf_store *s;

	(void)state;
	pair();
	s = store_open(at(one.port, two.port, ""));
	assert_ok(store_swap(s, "k", NULL, "one"));
	arrives(&two, "k", "one");
	(void)snprintf(uri, sizeof(uri), "replicaof 127.0.0.1 %d", two.port);
	tell(&two, "replicaof no one");
	tell(&one, uri);
	assert_err(store_swap(s, "k", "one", "two"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s), REPLICA);
	assert_ok(store_swap(s, "k", "one", "two"));
	hf_store_close(s);
	arrives(&two, "k", "two");
}

/* The master is gone, its replica still one: that is said; then it is none. */
static void
killed(void **state)
{
	struct hf_store *s;

	(void)state;
	pair();
	s = store_open(at(one.port, two.port, ""));
	assert_ok(store_swap(s, "k", NULL, "one"));
	arrives(&two, "k", "one");
	server_stop(&one);
	assert_err(store_swap(s, "k", "one", "two"), HF_E_STORE);
	store_opens(uri, HF_E_STORE, REPLICA);
	tell(&two, "replicaof no one");
	assert_ok(store_swap(s, "k", "one", "two"));
	hf_store_close(s);
}

/* --- Sentinels -------------------------------------------------------------------------------- */

static const char *
asked(const char *name)
{
	char more[40];

	(void)snprintf(more, sizeof(more), "?sentinel=%s", name);
	return at(1, sentinel.port, more);
}

/* The master is killed; the Sentinels make the replica the new one, and the
 * store goes on there. */
static void
sentinels(void **state)
{
	struct hf_store *s;

	(void)state;
	pair();
	redis_start_sentinel(&sentinel, server_free_port(), one.port);
	s = store_open(asked("web"));
	assert_ok(store_swap(s, "k", NULL, "one"));
	arrives(&two, "k", "one");
	store_opens(asked("other"), HF_E_STORE,
	    "the Sentinel knows no such master");
	/* It must have heard of the replica. */
	(void)snprintf(uri, sizeof(uri),
	    "until redis-cli -s %s sentinel replicas web | grep -qx %d; "
	    "do sleep 0.1; done",
	    sentinel.socket, two.port);
	assert_int_equal(system(uri), 0);
	(void)kill(one.pid, SIGKILL);
	writes(s, "k2", "after");
	assert_ok(store_get(s, "k"));
	store_is("one");
	hf_store_close(s);
	arrives(&two, "k2", "after");
}

/* --- one that says what it is told ------------------------------------------------------------- */

struct says {
	const char *word[4];
};
static pid_t fake;
static int fake_port;

/* What it says on each connection, one after the other, whatever it hears;
 * the last connection's words on all that follow. */
static void
fake_start(const struct says *says, size_t n)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, client;
	char heard[4096];
	size_t i = 0, word;

	fake_port = server_free_port();
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)fake_port);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
			     sizeof(on)),
	    0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, 8), 0);
	if ((fake = fork()) != 0) {
		assert_true(fake > 0);
		(void)close(fd);
		return;
	}
	for (; (client = accept(fd, NULL, NULL)) != -1; i += i + 1 < n) {
		for (word = 0; word < HF__ARRAY_N(says->word) &&
		     says[i].word[word] != NULL &&
		     read(client, heard, sizeof(heard)) > 0;
		     word++)
			if (write(client, says[i].word[word],
				strlen(says[i].word[word])) < 0)
				break;
		while (read(client, heard, sizeof(heard)) > 0)
			;
		(void)close(client);
	}
	_exit(0);
}

static void
fake_stop(void)
{
	(void)kill(fake, SIGKILL);
	(void)waitpid(fake, NULL, 0);
}

#define LOADED "$40\r\n0123456789012345678901234567890123456789\r\n"

static void
sentinel_answers(void **state)
{
	static const char *const nonsense =
	    "the Sentinel answers what was not asked";
	static const struct {
		struct says says;
		const char *words;
	} of[] = {
		{ { { "-NOAUTH Authentication required.\r\n" } },
		    "the store asks for a password" },
		{ { { "*-1\r\n" } }, "the Sentinel knows no such master" },
		{ { { "*1\r\n$9\r\n127.0.0.1\r\n" } }, nonsense },
		{ { { "*2\r\n$0\r\n\r\n$1\r\n1\r\n" } }, nonsense },
		{ { { "*2\r\n$9\r\n127.0.0.1\r\n$1\r\n0\r\n" } }, nonsense },
		{ { { "*2\r\n$9\r\n127.0.0.1\r\n$2\r\n1x\r\n" } }, nonsense },
		{ { { "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n65536\r\n" } },
		    nonsense },
		{ { { "*2\r\n$9\r\n127.0.0.1\r\n:1\r\n" } }, nonsense },
		{ { { "*2\r\n$9\r\n127.0.0.1\r\n$1\r\n1\r\n" } },
		    "connection refused" },
		{ { { "+OK\r\n" } }, nonsense },
	};
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(of); i++) {
		fake_start(&of[i].says, 1);
		(void)snprintf(uri, sizeof(uri),
		    "redis://127.0.0.1:%d?sentinel=web", fake_port);
		store_opens(uri, HF_E_STORE, of[i].words);
		fake_stop();
	}
}

/* It says that a replica is the master: the replica says what it is, and the
 * next Sentinel is asked. */
static void
sentinel_behind(void **state)
{
	static char says[60];
	const struct says answer = { { says } };
	struct hf_store *s;

	(void)state;
	pair();
	(void)snprintf(says, sizeof(says),
	    "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n%05d\r\n", two.port);
	fake_start(&answer, 1);
	(void)snprintf(uri, sizeof(uri), "redis://127.0.0.1:%d?sentinel=web",
	    fake_port);
	store_opens(uri, HF_E_STORE, REPLICA);
	redis_start_sentinel(&sentinel, server_free_port(), one.port);
	s = store_open(at(fake_port, sentinel.port, "?sentinel=web"));
	assert_ok(store_swap(s, "k", NULL, "one"));
	hf_store_close(s);
	fake_stop();
}

/* Answers after which it is asked anew, over another connection; and one of
 * a cluster's. */
static void
turns_away(void **state)
{
	static const struct {
		const char *says, *words;
		int again;
	} of[] = {
		{ "-LOADING Redis is loading the dataset in memory\r\n",
		    "the store is still loading", 1 },
		{ "-MASTERDOWN Link with MASTER is down\r\n",
		    "the store is a replica without its master", 1 },
		{ "-READONLY You can't write against a replica.\r\n", REPLICA,
		    1 },
		{ "-MOVED 3999 127.0.0.1:6381\r\n",
		    "the store is a Redis Cluster, which is not supported",
		    0 },
		{ "-ASK 3999 127.0.0.1:6381\r\n",
		    "the store is a Redis Cluster, which is not supported",
		    0 },
	};
	struct says says[2] = { { { LOADED, NULL, "$-1\r\n" } },
		{ { LOADED, "$17\r\n0123456789abcdefx\r\n" } } };
	struct hf_store *s;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(of); i++) {
		says[0].word[1] = of[i].says;
		fake_start(says, 2);
		(void)snprintf(uri, sizeof(uri), "redis://127.0.0.1:%d",
		    fake_port);
		s = store_open(uri);
		assert_err(store_get(s, "k"), HF_E_STORE);
		assert_string_equal(hf_store_reason(s), of[i].words);
		assert_err(store_get(s, "k"),
		    of[i].again ? HF_OK : HF_E_NO_SESSION);
		hf_store_close(s);
		fake_stop();
	}
}

/* A real node of a cluster takes no script on two slots. */
static void
cluster(void **state)
{
	static const char *const more[] = { "--cluster-enabled", "yes", NULL };
	struct hf_store *s;

	(void)state;
	redis_start(&one, more);
	s = store_open(one.uri);
	assert_err(store_get(s, "k"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s), "the store's cluster is down");
	tell(&one, "cluster addslotsrange 0 16383");
	while (store_get(s, "k") == HF_E_STORE)
		(void)usleep(100000);
	assert_err(store_swap(s, "k", NULL, "v"), HF_E_STORE);
	assert_string_equal(hf_store_reason(s),
	    "the store is a Redis Cluster, which is not supported");
	hf_store_close(s);
}

#define MADE(name) cmocka_unit_test_teardown(name, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uris),
		MADE(master_found),
		MADE(first_hangs),
		MADE(promoted),
		MADE(killed),
		MADE(sentinels),
		cmocka_unit_test(sentinel_answers),
		MADE(sentinel_behind),
		cmocka_unit_test(turns_away),
		MADE(cluster),
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
