/* SPDX-License-Identifier: ISC */
/*
 * Two servers of a cluster on one store: a single-use ticket is good at one of
 * them, and wrong passwords at both add up. The store fails, loses an answer,
 * forgets; the clocks go on. LMDB's own calls are stepped into.
 */
#include <dlfcn.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>

#include "visit.h"

enum { SERVERS = 3, FAILURE = HF_LIMIT_FAILURE };

static char dir[64], uri[80];
static struct hf_store *store;
static struct hf_server *servers[SERVERS];
static uint16_t ports[SERVERS];
static const uint8_t cluster_key[HF_KEY_BYTES] = { 3 };

/* --- LMDB, as it may be -------------------------------------------------------- */

static atomic_int down, lose, reads, writes;

int
mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn)
{
	int (*real)(MDB_env *, MDB_txn *, unsigned, MDB_txn **);

	*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_begin");
	return atomic_load(&down) ? EIO : real(env, parent, flags, txn);
}

int
mdb_txn_renew(MDB_txn *txn)
{
	int (*real)(MDB_txn *);

	*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_renew");
	return atomic_load(&down) ? EIO : real(txn);
}

int
mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value)
{
	int (*real)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *);

	*(void **)&real = dlsym(RTLD_NEXT, "mdb_get");
	(void)atomic_fetch_add(&reads, 1);
	return real(txn, dbi, key, value);
}

/* A sweep that finds nothing commits, and writes nothing. */
static _Thread_local int has_put;

int
mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value,
    unsigned flags)
{
	int (*real)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *, unsigned);

	*(void **)&real = dlsym(RTLD_NEXT, "mdb_put");
	has_put = 1;
	return real(txn, dbi, key, value, flags);
}

/* Written, though it says that it was not. */
int
mdb_txn_commit(MDB_txn *txn)
{
	int (*real)(MDB_txn *), r;

	*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_commit");
	r = real(txn);
	(void)atomic_fetch_add(&writes, has_put);
	has_put = 0;
	return atomic_load(&lose) ? EIO : r;
}

/* --- the servers ----------------------------------------------------------------- */

static void
go_to(int i)
{
	server = servers[i];
	port = ports[i];
}

static void
enter(enum hf_method method)
{
	int i;

	strcpy(dir, "/tmp/handfast-shared.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(uri, sizeof(uri), "lmdb:%s/db", dir);
	assert_ok(hf_store_open(&store, uri));
	assert_ok(hf_vault_new(&keys, "cluster", "server.example"));
	assert_ok(hf_vault_scope(keys, "default", NULL, 0));
	assert_ok(hf_vault_key(keys, "default", 1, cluster_key, 0));
	wall = NOW;
	begin_world(method);
	options.store = store;
	options.store_ms = 20000; /* a disk under load is slow */
	for (i = 0; i < SERVERS; i++) {
		open_server();
		servers[i] = server;
		ports[i] = port;
	}
	go_to(0);
}

static void
leave_all(void)
{
	char command[128];
	int i;

	for (i = 0; i < SERVERS; i++)
		hf_server_free(servers[i]);
	world_free(&w);
	hf_vault_free(keys);
	keys = NULL;
	hf_store_close(store);
	hf_server_defaults(&options);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

/* --- what is in the store ----------------------------------------------------------- */

static struct {
	size_t n;
	uint64_t least, most; /* debts */
	uint8_t key[HF_STORE_KEY_MAX], value[64];
	size_t key_len, value_len;
} seen;

static int
see(void *arg, struct hf_span key, struct hf_span value)
{
	uint64_t debt = 0;
	size_t i;

	(void)arg;
	assert_in_range(value.len, 1, sizeof(seen.value));
	memcpy(seen.key, key.ptr, key.len);
	memcpy(seen.value, value.ptr, value.len);
	seen.key_len = key.len;
	seen.value_len = value.len;
	for (i = value.len - 8; i < value.len; i++)
		debt = debt << 8 | value.ptr[i];
	if (seen.n++ == 0 || debt < seen.least)
		seen.least = debt;
	if (debt > seen.most)
		seen.most = debt;
	return 1;
}

static void
look(const char *prefix)
{
	memset(&seen, 0, sizeof(seen));
	assert_ok(hf_store_list(store,
	    (struct hf_span){ (const uint8_t *)prefix, 2 }, see, NULL));
}

/* Waits until so many counters stand, at so many failures each. */
static void
counters(size_t n, uint64_t least, uint64_t most)
{
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		look("f/");
		if (seen.n == n && seen.least == least * FAILURE &&
		    seen.most == most * FAILURE)
			return;
		(void)usleep(5000);
	}
	fail_msg("%zu counters of %llu to %llu", seen.n,
	    (unsigned long long)seen.least, (unsigned long long)seen.most);
}

static void
counted(size_t n, uint64_t failures)
{
	counters(n, failures, failures);
}

/* Wrong passwords, one after another, which the store has heard of before. */
static void
guess(int at, int from, int n, uint64_t before)
{
	int i;

	go_to(at);
	for (i = 1; i <= n; i++) {
		unwelcome(from, wrong, HF_E_PASSWORD);
		counted(3, before + (uint64_t)i);
	}
}

/* --- failures ------------------------------------------------------------------------ */

/* 5 and 5 are 10: of a user from one source; another source has the rest. */
static void
adds_up(void **state)
{
	(void)state;
	options.max_failures = 10;
	enter(HF_METHOD_PASSWORD);
	as("bob");
	guess(0, 9, 5, 0);
	guess(1, 9, 5, 5);
	unwelcome(9, w.stretched, HF_E_LIMITED);
	go_to(0);
	unwelcome(9, w.stretched, HF_E_LIMITED);
	welcome(1, w.stretched);
	as("ann");
	welcome(9, w.stretched);
	counted(3, 10);
	leave_all();
}

/* A source that tries many users. */
static void
of_a_source(void **state)
{
	(void)state;
	options.max_source_failures = 2;
	enter(HF_METHOD_PASSWORD);
	as("ann");
	unwelcome(9, wrong, HF_E_PASSWORD);
	counted(3, 1);
	go_to(1);
	as("bob");
	unwelcome(9, wrong, HF_E_PASSWORD);
	counters(5, 1, 2);
	as("carol");
	unwelcome(9, w.stretched, HF_E_LIMITED);
	go_to(0);
	as("dora");
	unwelcome(9, w.stretched, HF_E_LIMITED);
	welcome(1, w.stretched);
	leave_all();
}

/* Who is known nowhere costs the store nothing; who failed, one read and one
 * write a counter. */
static void
costs(void **state)
{
	int before, read;

	(void)state;
	enter(HF_METHOD_PASSWORD);
	before = atomic_load(&writes);
	read = atomic_load(&reads);
	welcome(1, w.stretched);
	assert_int_equal(atomic_load(&reads), read);
	assert_int_equal(atomic_load(&writes), before);
	unwelcome(1, wrong, HF_E_PASSWORD);
	counted(3, 1);
	assert_int_equal(atomic_load(&writes), before + 3);
	welcome(1, w.stretched);
	assert_int_equal(atomic_load(&writes), before + 3);
	leave_all();
}

/* A whole allowance in a minute, by the clocks of the servers; then the store
 * is rid of it. */
static void
flows_back(void **state)
{
	size_t n;

	(void)state;
	options.max_failures = 2;
	enter(HF_METHOD_PASSWORD);
	guess(0, 9, 2, 0);
	wall = NOW + 30; /* one of two is forgiven to him and this source */
	go_to(1);
	unwelcome(9, wrong, HF_E_PASSWORD);
	counters(3, 1, 2);
	unwelcome(9, w.stretched, HF_E_LIMITED);
	wall = NOW + 90;
	guess(2, 9, 1, 0);
	welcome(9, w.stretched);
	assert_ok(hf_store_sweep(store, wall + 60 + 120 - 1, &n));
	assert_int_equal(n, 0);
	assert_ok(hf_store_sweep(store, wall + 60 + 120, &n));
	assert_int_equal(n, 3);
	leave_all();
}

/* Nothing is taken from what cannot be: a debt beyond all, a time far ahead, a
 * value of another kind. */
static void
nonsense(void **state)
{
	uint8_t value[16], key[HF_STORE_KEY_MAX];
	struct hf_span was, is = { value, sizeof(value) };
	size_t len;

	(void)state;
	options.max_failures = 2;
	enter(HF_METHOD_PASSWORD);
	guess(0, 9, 1, 0);
	memset(value, 0xff, sizeof(value));
	for (len = 16; len >= 15; len--) {
		look("f/");
		memcpy(key, seen.key, seen.key_len);
		was = (struct hf_span){ seen.value, seen.value_len };
		is.len = len;
		assert_ok(hf_store_swap(store,
		    (struct hf_span){ key, seen.key_len }, was, is, NOW));
		welcome(9, w.stretched);
	}
	unwelcome(9, wrong, HF_E_PASSWORD);
	unwelcome(9, w.stretched, HF_E_LIMITED);
	leave_all();
}

/* A store that is down stops no login, and forgives nothing. */
static void
store_down(void **state)
{
	(void)state;
	options.max_failures = 2;
	enter(HF_METHOD_PASSWORD);
	as("bob");
	guess(0, 9, 1, 0);
	guess(1, 9, 1, 1);
	atomic_store(&down, 1);
	unwelcome(9, w.stretched, HF_E_LIMITED);
	as("ann");
	welcome(9, w.stretched);
	as("bob");
	go_to(2); /* it has not heard of him */
	unwelcome(9, wrong, HF_E_PASSWORD);
	welcome(9, w.stretched);
	atomic_store(&down, 0);
	unwelcome(9, w.stretched, HF_E_LIMITED);
	counted(3, 2);
	leave_all();
}

/* --- tickets -------------------------------------------------------------------------- */

static void
refused(enum hf_err why, enum hf_err told)
{
	struct visitor v;

	assert_ok(visit(&v, 1, NULL));
	assert_err(outcome(&v), told);
	leave(&v);
	assert_err(next_end(NULL), why);
}

/* It is good once, wherever; and stays in the store as long as any clock takes
 * it. */
static void
ticket_once(void **state)
{
	size_t n;

	(void)state;
	enter(HF_METHOD_TICKET);
	welcome(1, NULL);
	go_to(1);
	refused(HF_E_TICKET_USED, HF_E_REFUSED);
	look("t/");
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.key_len, 2 + HF_CTI_BYTES);
	assert_ok(hf_store_sweep(store, NOW + 3600 + 240 - 1, &n));
	assert_int_equal(n, 0);
	assert_ok(hf_store_sweep(store, NOW + 3600 + 240, &n));
	assert_int_equal(n, 1);
	leave_all();
}

/* It was burnt, though the store said that it was not: by its token the server
 * knows that it was him. */
static void
ticket_answer_lost(void **state)
{
	(void)state;
	enter(HF_METHOD_TICKET);
	atomic_store(&lose, 1);
	welcome(1, NULL);
	atomic_store(&lose, 0);
	go_to(1);
	refused(HF_E_TICKET_USED, HF_E_REFUSED);
	leave_all();
}

/* No store, no session; and the ticket is still good. */
static void
ticket_store_down(void **state)
{
	(void)state;
	enter(HF_METHOD_TICKET);
	atomic_store(&down, 1);
	refused(HF_E_STORE, HF_E_STORE);
	assert_int_equal(log_.opened, 0);
	atomic_store(&down, 0);
	welcome(1, NULL);
	leave_all();
}

/* A store that has forgotten: the server that saw the ticket has not. */
static void
ticket_forgotten(void **state)
{
	(void)state;
	enter(HF_METHOD_TICKET);
	welcome(1, NULL);
	look("t/");
	assert_ok(
	    hf_store_swap(store, (struct hf_span){ seen.key, seen.key_len },
		(struct hf_span){ seen.value, seen.value_len },
		(struct hf_span){ NULL, 0 }, 0));
	refused(HF_E_TICKET_USED, HF_E_REFUSED);
	leave_all();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_up),
		cmocka_unit_test(of_a_source),
		cmocka_unit_test(costs),
		cmocka_unit_test(flows_back),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(store_down),
		cmocka_unit_test(ticket_once),
		cmocka_unit_test(ticket_answer_lost),
		cmocka_unit_test(ticket_store_down),
		cmocka_unit_test(ticket_forgotten),
	};

	if (hf_init() != HF_OK)
		return 1;
	hf_server_defaults(&options);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
