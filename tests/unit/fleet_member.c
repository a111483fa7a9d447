/* SPDX-License-Identifier: ISC */
/*
 * Who may hold a cluster's sessions (spec section 19): what a cluster's key
 * makes for its members, and what a member can open then; by a real store,
 * into which others put what they like.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"
#include "testing.h"

enum { DAY = 86400 };

static char dir[48];
static struct hf_store *store;
static struct world w;
static struct hf_identity *key, *one, *two;
static struct blob cluster, one_cert, two_cert, ca_like;
static struct hf_cluster *c;

static struct hf_span
span(const struct blob *b)
{
	return (struct hf_span){ b->bytes, b->len };
}

static int
set_up(void **state)
{
	struct hf_cert_info terms;

	(void)state;
	world_make(&w, &(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	key = identity_of(20);
	one = identity_of(21);
	two = identity_of(22);
	terms = terms_of("c", HF_USAGE_CLUSTER);
	terms.path_length = -1;
	certify(&cluster, w.ca, &w.ca_cert, key, &terms);
	terms = terms_of("one", HF_USAGE_RESPONDER | HF_USAGE_SERVER);
	name_set(&terms.cluster, "c");
	certify(&one_cert, w.ca, &w.ca_cert, one, &terms);
	name_set(&terms.subject, "two");
	certify(&two_cert, w.ca, &w.ca_cert, two, &terms);
	terms = terms_of("c", HF_USAGE_CA);
	certify(&ca_like, w.ca, &w.ca_cert, key, &terms);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hf_identity_free(key);
	hf_identity_free(one);
	hf_identity_free(two);
	world_free(&w);
	return 0;
}

/* In memory where that is possible: a disk under load takes its time. */
static int
make_dir(void)
{
	static const char *const where[] = { "/dev/shm", "/tmp" };
	size_t i;

	for (i = 0; i < HF__ARRAY_N(where); i++) {
		(void)snprintf(dir, sizeof(dir), "%s/handfast-member.XXXXXX",
		    where[i]);
		if (mkdtemp(dir) != NULL)
			return 1;
	}
	return 0;
}

static int
enter(void **state)
{
	char uri[80];

	(void)state;
	if (!make_dir())
		return -1;
	(void)snprintf(uri, sizeof(uri), "lmdb:%s/db", dir);
	assert_ok(hf_store_open(&store, uri));
	c = NULL;
	return 0;
}

static int
leave(void **state)
{
	char command[128];

	(void)state;
	hf_cluster_close(c);
	hf_store_close(store);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* The cluster's key is taken up again: a command. */
static void
again(uint64_t now)
{
	hf_cluster_close(c);
	assert_ok(hf_cluster_open(&c, store, key, span(&cluster), now, 0));
}

static struct hf_keygrant
scope_of(const char *name, const char *target)
{
	struct hf_keygrant g = { .serial = 0 };

	name_set(&g.scope, name);
	if (target != NULL) {
		name_set(&g.target[0], target);
		g.target_n = 1;
	}
	return g;
}

static enum hf_err
admit(const struct blob *cert, const char *scope, const char *target)
{
	const struct hf_keygrant g = scope_of(scope, target);

	return hf_cluster_admit(c, span(cert), &g);
}

/* What a member that has seen that serial gets, at that time. */
static struct hf_vault *vault;
static struct hf_granted granted;

static enum hf_err
grants(const struct blob *cert, uint64_t seen, uint64_t now)
{
	const struct hf_keygrant_judge by = {
		.identity = cert == &one_cert ? one : two,
		.member = span(cert),
		.cluster = span(&cluster),
		.now = now,
		.serial = seen,
		.tolerance = 120,
	};

	hf_vault_free(vault);
	assert_ok(hf_vault_new(&vault, "c", "m"));
	granted = (struct hf_granted){ 0, 0 };
	return hf_member_grants(vault, store, &by, &granted);
}

/* What stands under a key of two or three parts. */
static size_t
key_text(char out[160], char kind, const struct blob *cert, const char *scope)
{
	char id[HF_MEMBER_ID_TEXT];

	if (cert == NULL)
		return (size_t)snprintf(out, 160, "%c/%s", kind, scope);
	hf_member_id(id, span(cert));
	if (scope == NULL)
		return (size_t)snprintf(out, 160, "%c/%s", kind, id);
	return (size_t)snprintf(out, 160, "%c/%s/%s", kind, id, scope);
}

static enum hf_err
look(struct blob *b, char kind, const struct blob *cert, const char *scope)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[160];
	size_t len = key_text(text, kind, cert, scope);
	enum hf_err e;

	e = hf_store_get(store, (struct hf_span){ (uint8_t *)text, len },
	    value, &b->len);
	assert_in_range(b->len, 0, sizeof(b->bytes));
	memcpy(b->bytes, value, b->len);
	return e;
}

/* Somebody who has the store puts something there. */
static void
force(char kind, const struct blob *cert, const char *scope,
    const struct blob *value)
{
	struct blob old;
	char text[160];
	size_t len = key_text(text, kind, cert, scope);

	(void)look(&old, kind, cert, scope) /* none is nothing */;
	assert_ok(
	    hf_store_swap(store, (struct hf_span){ (uint8_t *)text, len },
		span(&old), span(value), (uint64_t)1 << 53));
}

/* --- the cluster's key ------------------------------------------------------------- */

static void
whose_key(void **state)
{
	struct hf_cluster *bad = NULL;

	(void)state;
	assert_err(hf_cluster_open(&bad, store, one, span(&cluster), NOW, 0),
	    HF_E_OWN_CERT);
	assert_err(hf_cluster_open(&bad, store, key, span(&ca_like), NOW, 0),
	    HF_E_OWN_CERT);
	assert_err(hf_cluster_open(&bad, store, key,
		       (struct hf_span){ cluster.bytes, cluster.len - 1 }, NOW,
		       0),
	    HF_E_CBOR);
	assert_null(bad);
	again(NOW);
}

/* --- admitted ------------------------------------------------------------------------ */

static void
admitted(void **state)
{
	struct blob b;

	(void)state;
	again(NOW);
	assert_err(grants(&one_cert, 0, NOW), HF_E_NO_SESSION);
	assert_ok(admit(&one_cert, "default", NULL));
	assert_ok(grants(&one_cert, 0, NOW));
	assert_int_equal(granted.serial, 1);
	assert_int_equal(vault->scope_n, 1);
	assert_int_equal(vault->scope[0].target_n, 0);
	assert_int_equal(vault->scope[0].generation_n, 1);
	assert_int_equal(vault->scope[0].generation[0].number, 1);
	assert_false(
	    sodium_is_zero(vault->scope[0].generation[0].box_key, 32));
	/* Nobody else is, by that or by its grant in his place. */
	assert_err(grants(&two_cert, 0, NOW), HF_E_NO_SESSION);
	assert_ok(look(&b, 'g', &one_cert, "default"));
	force('g', &two_cert, "default", &b);
	assert_err(grants(&two_cert, 0, NOW), HF_E_UNKNOWN_KEY);
	assert_int_equal(vault->scope_n, 0);
	/* For a day. */
	assert_ok(grants(&one_cert, 0, NOW + DAY - 1));
	assert_err(grants(&one_cert, 0, NOW + DAY), HF_E_EXPIRED);
}

/* A scope's targets are what they were; more scopes are further grants. */
static void
scopes(void **state)
{
	struct hf_keygrant more;
	char name[32];
	int n;

	(void)state;
	again(NOW);
	assert_ok(admit(&one_cert, "files", "f"));
	assert_err(admit(&two_cert, "files", "g"), HF_E_ARG);
	more = scope_of("files", "f");
	name_set(&more.target[1], "g");
	more.target_n = 2;
	assert_err(hf_cluster_admit(c, span(&two_cert), &more), HF_E_ARG);
	assert_err(grants(&two_cert, 0, NOW), HF_E_NO_SESSION);
	assert_ok(admit(&two_cert, "files", "f"));
	assert_ok(admit(&two_cert, "files", NULL)); /* as it is */
	assert_ok(admit(&two_cert, "more", NULL));
	assert_ok(grants(&one_cert, 0, NOW));
	assert_int_equal(vault->scope_n, 1);
	assert_int_equal(vault->scope[0].target_n, 1);
	assert_string_equal(vault->scope[0].target[0].text, "f");
	assert_ok(grants(&two_cert, 0, NOW));
	assert_int_equal(vault->scope_n, 2);
	for (n = 2; n < HF_SCOPES_MAX; n++) {
		(void)snprintf(name, sizeof(name), "s%d", n);
		assert_ok(admit(&two_cert, name, NULL));
	}
	assert_err(admit(&two_cert, "one more", NULL), HF_E_SPACE);
	assert_ok(grants(&two_cert, 0, NOW));
	assert_int_equal(vault->scope_n, HF_SCOPES_MAX);
}

static void
admit_arguments(void **state)
{
	static const struct blob none;
	static struct blob big;
	char name[64];
	struct blob b;

	(void)state;
	again(NOW);
	assert_err(admit(&none, "s", NULL), HF_E_ARG);
	big.len = HF_CERT_MAX + 1;
	assert_err(admit(&big, "s", NULL), HF_E_ARG);
	big.len = HF_CERT_MAX;
	assert_err(admit(&big, "s", NULL), HF_E_OBJECT);
	/* A name for which no grant could be found: nothing is changed. */
	memset(name, 'x', sizeof(name));
	name[62] = '\0';
	assert_err(admit(&one_cert, name, NULL), HF_E_ARG);
	assert_err(look(&b, 'm', &one_cert, NULL), HF_E_NO_SESSION);
	name[61] = '\0';
	assert_ok(admit(&one_cert, name, NULL));
	assert_ok(grants(&one_cert, 0, NOW));
	assert_string_equal(vault->scope[0].name.text, name);
}

/* --- changes ------------------------------------------------------------------------- */

/* Each change has its number; what was before it is refused. */
static void
serials(void **state)
{
	struct blob first, second;
	size_t n;

	(void)state;
	again(NOW);
	assert_ok(admit(&one_cert, "default", NULL));
	assert_ok(look(&first, 'g', &one_cert, "default"));
	again(NOW + 1);
	assert_ok(hf_cluster_rotate(c, "default", 0, &n));
	assert_int_equal(n, 1);
	assert_ok(grants(&one_cert, 1, NOW));
	assert_int_equal(granted.serial, 2);
	assert_ok(look(&second, 'g', &one_cert, "default"));
	force('g', &one_cert, "default", &first);
	assert_ok(grants(&one_cert, 1, NOW));
	assert_err(grants(&one_cert, 2, NOW), HF_E_ROLLBACK);
	force('g', &one_cert, "default", &second);
	/* Fresh grants change nothing but their end. */
	again(NOW + 100);
	assert_ok(hf_cluster_renew(c, &n));
	assert_int_equal(n, 1);
	assert_ok(grants(&one_cert, 2, NOW + 100));
	assert_int_equal(granted.serial, 2);
	assert_int_equal(vault->scope[0].generation_n, 2);
	assert_int_equal(vault->scope[0].not_after, NOW + 100 + DAY);
	assert_ok(grants(&one_cert, 2, NOW + DAY + 99));
	/* The next one is higher for all scopes. */
	again(NOW + 101);
	assert_ok(admit(&two_cert, "other", NULL));
	assert_ok(grants(&two_cert, 0, NOW + 101));
	assert_int_equal(granted.serial, 3);
	again(NOW + 102);
	assert_ok(hf_cluster_renew(c, &n));
	assert_int_equal(n, 2);
	assert_ok(grants(&one_cert, 3, NOW + 102));
	again(NOW + 103);
	assert_ok(admit(&two_cert, "third", NULL));
	assert_ok(grants(&two_cert, 0, NOW + 103));
	assert_int_equal(granted.serial, 4);
	assert_int_equal(granted.not_after, NOW + 103 + DAY);
}

/* A change that stopped between two scopes, and was read so: what all have is
 * remembered, and so both are good until the next, at each reading. */
static void
between_scopes(void **state)
{
	struct blob before, ring;
	size_t n;

	(void)state;
	again(NOW);
	assert_ok(admit(&one_cert, "a", NULL));
	assert_ok(admit(&one_cert, "b", NULL));
	assert_ok(look(&before, 'g', &one_cert, "b"));
	assert_ok(look(&ring, 'r', NULL, "b"));
	assert_ok(hf_cluster_rotate(c, "a", 0, &n));
	force('g', &one_cert, "b", &before);
	force('r', NULL, "b", &ring);
	assert_ok(grants(&one_cert, 2, NOW));
	assert_int_equal(granted.serial, 2);
	assert_int_equal(vault->scope_n, 2);
	assert_int_equal(vault->scope[0].generation[0].number, 2);
	/* Where it was ended nothing of before is good any more. */
	again(NOW + 1);
	assert_ok(hf_cluster_renew(c, &n));
	assert_int_equal(n, 2);
	assert_ok(grants(&one_cert, 2, NOW + 1));
	assert_int_equal(granted.serial, 4);
	force('g', &one_cert, "b", &before);
	assert_err(grants(&one_cert, 4, NOW + 1), HF_E_ROLLBACK);
}

static void
rotated(void **state)
{
	uint8_t newest[32];
	size_t n;
	int k;

	(void)state;
	again(NOW);
	assert_ok(admit(&one_cert, "default", NULL));
	assert_ok(admit(&two_cert, "other", NULL));
	assert_err(hf_cluster_rotate(c, "nobody's", 0, &n), HF_E_NO_SESSION);
	assert_ok(grants(&one_cert, 0, NOW));
	memcpy(newest, vault->scope[0].generation[0].box_key, 32);
	for (k = 2; k <= HF_GENERATIONS_MAX + 2; k++) {
		assert_ok(hf_cluster_rotate(c, "default", 0, &n));
		assert_int_equal(n, 1);
		assert_ok(grants(&one_cert, 0, NOW));
		assert_int_equal(vault->scope[0].generation[0].number, k);
		assert_memory_not_equal(vault->scope[0].generation[0].box_key,
		    newest, 32);
		assert_memory_equal(vault->scope[0].generation[1].box_key,
		    newest, 32);
		assert_int_equal(vault->scope[0].generation[1].not_after, 0);
		memcpy(newest, vault->scope[0].generation[0].box_key, 32);
	}
	assert_int_equal(vault->scope[0].generation_n, HF_GENERATIONS_MAX);
	assert_int_equal(vault->scope[0]
			     .generation[HF_GENERATIONS_MAX - 1]
			     .number,
	    3);
	/* Cut off: all but the new one; and what was stays cut off. */
	again(NOW + 5);
	assert_ok(hf_cluster_rotate(c, "default", 1, &n));
	again(NOW + 9);
	assert_ok(hf_cluster_rotate(c, "default", 1, &n));
	assert_ok(grants(&one_cert, 0, NOW + 9));
	assert_int_equal(vault->scope[0].generation[0].not_after, 0);
	assert_int_equal(vault->scope[0].generation[1].not_after, NOW + 9);
	assert_int_equal(vault->scope[0].generation[2].not_after, NOW + 5);
	assert_int_equal(vault->scope[0].generation[3].not_after, NOW + 5);
	assert_ok(grants(&two_cert, 0, NOW));
	assert_int_equal(vault->scope[0].generation_n, 1);
}

/* One that left: nothing is for it any more, and the others have a new key.
 * Of one that was put out all that it could open is refused, too. */
static void
removed(void **state)
{
	struct hf_keygrant g;
	struct blob b;
	int evict;

	(void)state;
	again(NOW);
	for (evict = 0; evict < 2; evict++) {
		assert_ok(admit(&one_cert, "default", NULL));
		assert_ok(admit(&two_cert, "default", NULL));
		assert_ok(admit(&two_cert, "more", NULL));
		again(NOW + 1);
		assert_ok(hf_cluster_remove(c, span(&two_cert), evict));
		assert_err(grants(&two_cert, 0, NOW + 1), HF_E_NO_SESSION);
		assert_err(look(&b, 'g', &two_cert, "more"), HF_E_NO_SESSION);
		assert_err(look(&b, 'm', &two_cert, NULL), HF_E_NO_SESSION);
		assert_err(hf_cluster_remove(c, span(&two_cert), evict),
		    HF_E_NO_SESSION);
		assert_ok(grants(&one_cert, 0, NOW + 1));
		/* Twice new keys: that there was no record says nothing. */
		assert_int_equal(vault->scope[0].generation[0].number,
		    3 + 2 * evict);
		assert_int_equal(vault->scope[0].generation[1].not_after,
		    evict ? NOW + 1 : 0);
	}
	/* Also in a scope that was its own. */
	assert_ok(look(&b, 'r', NULL, "more"));
	assert_ok(hf_keygrant_read(&g, b.bytes, b.len));
	assert_int_equal(g.generation_n, 5);
	assert_int_equal(g.generation[1].cut_off, NOW + 1);
	assert_int_equal(g.generation[2].cut_off, NOW + 1);
}

/* --- what others put there ------------------------------------------------------------ */

static int members;

static int
count(void *arg, const struct hf_member *m)
{
	char id[HF_MEMBER_ID_TEXT];

	hf_member_id(id, span(&one_cert));
	assert_null(arg);
	assert_string_equal(m->id, id);
	assert_int_equal(m->scope_n, 2);
	assert_string_equal(m->scope[0].text, "default");
	assert_string_equal(m->scope[1].text, "m");
	assert_int_equal(m->cert_len, one_cert.len);
	assert_memory_equal(m->cert, one_cert.bytes, m->cert_len);
	members++;
	return 0;
}

static void
bad_records(void **state)
{
	static const struct blob none;
	enum { SCOPES = 2 * (HF_SCOPES_MAX + 1) }; /* their bytes */
	struct blob good, bad;

	(void)state;
	again(NOW);
	assert_ok(admit(&one_cert, "default", NULL));
	assert_ok(admit(&one_cert, "m", NULL));
	assert_ok(hf_cluster_members(store, count, NULL));
	assert_int_equal(members, 1);
	assert_ok(look(&good, 'm', &one_cert, NULL));
	/* 1 + (1 + 7) + (1 + 1) bytes before the certificate */
	for (bad = good; bad.len > 0; bad.len--) {
		if (bad.len > 11)
			bad.len = 11;
		force('m', &one_cert, NULL, &bad);
		assert_ok(hf_cluster_members(store, count, NULL));
		assert_int_equal(members, 1);
		assert_ok(admit(&one_cert, "default", NULL));
	}
#define TRY(change)                        \
	bad = good;                        \
	change;                            \
	force('m', &one_cert, NULL, &bad); \
	assert_ok(hf_cluster_members(store, count, NULL))
	TRY(bad.bytes[0] = HF_SCOPES_MAX + 1);
	TRY(bad.bytes[0] = HF_SCOPES_MAX + 1; memset(bad.bytes + 1, 1, SCOPES);
	    memcpy(bad.bytes + 1 + SCOPES, one_cert.bytes, one_cert.len);
	    bad.len = 1 + SCOPES + one_cert.len);
	TRY(bad.bytes[0] = 1; bad.bytes[1] = 0;
	    memcpy(bad.bytes + 2, one_cert.bytes, one_cert.len);
	    bad.len = 2 + one_cert.len);
	TRY(bad.bytes[9] = 255; bad.len = 10 + 254);
	TRY(memset(bad.bytes + good.len, 0, 4096 - good.len); bad.len = 4000);
#undef TRY
	bad = good;
	bad.len = 11;
	force('m', &none, NULL, &bad);
	assert_ok(hf_cluster_members(store, count, NULL));
	assert_int_equal(members, 1);
	force('m', &one_cert, NULL, &good);
	assert_ok(hf_cluster_members(store, count, NULL));
}

/* A ring that is not the cluster's: nobody is given a key of it. */
static void
bad_rings(void **state)
{
	struct hf_keygrant g = scope_of("default", NULL);
	struct blob good, bad;
	size_t n;

	(void)state;
	again(NOW);
	assert_ok(admit(&one_cert, "default", NULL));
	assert_ok(look(&good, 'r', NULL, "default"));
	/* Sealed to the cluster and well formed, but signed by a member. */
	g.serial = 1000;
	g.not_after = NOW + 60;
	name_set(&g.cluster, "c");
	g.generation_n = 1;
	g.generation[0].number = 1;
	assert_ok(hf_keygrant_make(bad.bytes, sizeof(bad.bytes), &bad.len, one,
	    &g, cluster.bytes, cluster.len));
	force('r', NULL, "default", &bad);
	assert_err(hf_cluster_rotate(c, "default", 0, &n), HF_E_SIGNATURE);
	assert_err(hf_cluster_renew(c, &n), HF_E_SIGNATURE);
	assert_err(admit(&two_cert, "default", NULL), HF_E_SIGNATURE);
	assert_err(grants(&two_cert, 0, NOW), HF_E_NO_SESSION);
	/* Nor does it drive the serials up. */
	again(NOW);
	assert_ok(admit(&two_cert, "other", NULL));
	assert_ok(grants(&two_cert, 0, NOW));
	assert_int_equal(granted.serial, 1);
	force('r', NULL, "default", &good);
	assert_ok(hf_cluster_rotate(c, "default", 0, &n));
}

/* One grant that is refused is enough: a member begins with all, or not. */
static void
bad_grants(void **state)
{
	struct blob good, bad;

	(void)state;
	again(NOW);
	assert_ok(admit(&one_cert, "a", NULL));
	assert_ok(admit(&one_cert, "b", NULL));
	assert_ok(look(&good, 'g', &one_cert, "a"));
	bad = good;
	bad.bytes[bad.len - 1] ^= 1;
	force('g', &one_cert, "a", &bad);
	assert_err(grants(&one_cert, 0, NOW), HF_E_SIGNATURE);
	/* The same one twice. */
	force('g', &one_cert, "a", &good);
	assert_ok(grants(&one_cert, 0, NOW));
	force('g', &one_cert, "b", &good);
	assert_err(grants(&one_cert, 0, NOW), HF_E_ARG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whose_key, enter, leave),
		cmocka_unit_test_setup_teardown(admitted, enter, leave),
		cmocka_unit_test_setup_teardown(scopes, enter, leave),
		cmocka_unit_test_setup_teardown(admit_arguments, enter, leave),
		cmocka_unit_test_setup_teardown(serials, enter, leave),
		cmocka_unit_test_setup_teardown(between_scopes, enter, leave),
		cmocka_unit_test_setup_teardown(rotated, enter, leave),
		cmocka_unit_test_setup_teardown(removed, enter, leave),
		cmocka_unit_test_setup_teardown(bad_records, enter, leave),
		cmocka_unit_test_setup_teardown(bad_rings, enter, leave),
		cmocka_unit_test_setup_teardown(bad_grants, enter, leave),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
