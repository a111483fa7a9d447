/* SPDX-License-Identifier: ISC */
/*
 * Keys of a cluster that change while a session lives (spec section 19.3): it
 * is sealed anew under the newest, or no more where its scope has none; and
 * the names that are hashed under such a key.
 */
#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;
static struct hf_vault *v;

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };
static const uint8_t first[HF_KEY_BYTES] = { 7 }; /* of cluster.h */
static const uint8_t second[HF_KEY_BYTES] = { 8 };

static void
begin(void)
{
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	memset(&b, 0, sizeof(b));
}

static void
finish(void)
{
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	hf_vault_free(v);
	cluster_free(&c);
}

/* A vault of the cluster with one scope; cut is when its first key ends. */
static struct hf_vault *
vault(const char *cluster, const char *scope, uint32_t newest, uint64_t cut)
{
	struct hf_vault *made;

	assert_ok(hf_vault_new(&made, cluster, "server.example"));
	assert_ok(hf_vault_scope(made, scope, NULL, 0));
	assert_ok(hf_vault_key(made, scope, 1, first, cut));
	if (newest > 1)
		assert_ok(hf_vault_key(made, scope, newest, second, 0));
	return made;
}

static uint32_t
sealed_under(void)
{
	struct hf_entry_info info;

	assert_ok(hf_entry_read(&info, c.shelf.entry, c.shelf.len));
	return info.generation;
}

/* A session on which nothing moves: due at once, sealed under the new key, and
 * it goes on with a server that takes no other. */
static void
rotated(void **state)
{
	(void)state;
	begin();
	assert_int_equal(sealed_under(), 1);
	v = vault("cluster", "default", 2, NOW);
	assert_ok(hf_session_vault(a.s, v));
	assert_int_equal(hf_session_checkpoint_due(a.s), 2);
	assert_ok(end_checkpoint(&a));
	assert_int_equal(hf_session_checkpoint_due(a.s), 0);
	assert_int_equal(sealed_under(), 2);
	c.server[1]->vault = v;
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(b.s->state, HF__OPEN);
	finish();
}

/* The same keys again are nothing new. */
static void
renewed(void **state)
{
	(void)state;
	begin();
	v = vault("cluster", "default", 1, 0);
	assert_ok(hf_session_vault(a.s, v));
	assert_int_equal(hf_session_checkpoint_due(a.s), 0);
	finish();
}

/* What fails is due again; what is under way was sealed under the old key. */
static void
once_more(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	(void)state;
	begin();
	say(i, "x");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, "x"), HF_CONTENT_DATA);
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	v = vault("cluster", "default", 2, 0);
	assert_ok(hf_session_vault(a.s, v));
	assert_ok(hf_session_checkpointed(a.s, HF_OK));
	assert_int_equal(hf_session_checkpoint_due(a.s), 2);
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	assert_ok(hf_session_checkpointed(a.s, HF_E_STORE));
	assert_int_equal(hf_session_checkpoint_due(a.s), 2);
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	assert_ok(hf_session_checkpointed(a.s, HF_OK));
	assert_int_equal(hf_session_checkpoint_due(a.s), 0);
	finish();
}

/* A scope that has no keys is none. */
static void
no_keys(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	(void)state;
	begin();
	assert_ok(hf_vault_new(&v, "cluster", "server.example"));
	assert_ok(hf_vault_scope(v, "default", NULL, 0));
	assert_ok(hf_session_vault(a.s, v));
	assert_int_equal(hf_session_checkpoint_due(a.s), 2);
	assert_err(hf_session_checkpoint(a.s, entry, sizeof(entry), &len),
	    HF_E_EXPIRED);
	finish();
}

/* Without keys it is stored no more, and stays so: it can only go elsewhere. */
static void
taken_away(void **state)
{
	struct hf_vault *other = vault("cluster", "other", 1, 0);
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	(void)state;
	begin();
	v = vault("cluster", "default", 2, 0);
	assert_ok(hf_session_vault(a.s, other));
	assert_int_equal(hf_session_checkpoint_due(a.s), 2);
	assert_err(hf_session_checkpoint(a.s, entry, sizeof(entry), &len),
	    HF_E_EXPIRED);
	assert_ok(hf_session_vault(a.s, v));
	assert_err(hf_session_checkpoint(a.s, entry, sizeof(entry), &len),
	    HF_E_EXPIRED);
	assert_ok(hf_session_query(a.s));
	finish();
	hf_vault_free(other);
}

static void
misused(void **state)
{
	(void)state;
	begin();
	v = vault("clusteR", "default", 2, 0);
	assert_err(hf_session_vault(NULL, v), HF_E_ARG);
	assert_err(hf_session_vault(a.s, NULL), HF_E_ARG);
	assert_err(hf_session_vault(a.s, v), HF_E_ARG);
	assert_err(hf_session_vault(i, c.vault[0]), HF_E_STATE);
	end_make(&b, &c, 1);
	assert_err(hf_session_vault(b.s, c.vault[0]), HF_E_STATE);
	assert_int_equal(hf_session_checkpoint_due(a.s), 0);
	finish();
}

/* --- names ---------------------------------------------------------------------- */

static void
hash(uint8_t out[HF_KEY_BYTES], const struct hf_vault *by, const char *name)
{
	assert_ok(
	    hf_vault_hash(out, by, (const uint8_t *)name, strlen(name), NOW));
}

/* Alike for all who hold the oldest key in force, new ones or not, and other
 * scopes behind the first or not; for others not. */
static void
names(void **state)
{
	uint8_t one[HF_KEY_BYTES], two[HF_KEY_BYTES];
	struct hf_vault *other;

	(void)state;
	v = vault("cluster", "default", 1, 0);
	hash(one, v, "bob");
	hash(two, v, "ann");
	assert_memory_not_equal(one, two, sizeof(one));
	other = vault("cluster", "default", 3, 0);
	hash(two, other, "bob");
	assert_memory_equal(one, two, sizeof(one));
	assert_ok(hf_vault_scope(other, "e", NULL, 0));
	assert_ok(hf_vault_key(other, "e", 1, second, 0));
	hash(two, other, "bob");
	assert_memory_equal(one, two, sizeof(one));
	assert_ok(hf_vault_scope(other, "d", NULL, 0));
	assert_ok(hf_vault_key(other, "d", 1, second, 0));
	hash(two, other, "bob");
	assert_memory_not_equal(one, two, sizeof(one));
	hf_vault_free(other);
	other = vault("cluster", "default", 2, NOW); /* the first is cut off */
	hash(two, other, "bob");
	assert_memory_not_equal(one, two, sizeof(one));
	hf_vault_free(other);
	hf_vault_free(v);
}

static void
no_key(void **state)
{
	uint8_t out[HF_KEY_BYTES];

	(void)state;
	v = vault("cluster", "default", 1, NOW);
	assert_err(hf_vault_hash(out, v, out, 1, NOW), HF_E_EXPIRED);
	assert_ok(hf_vault_hash(out, v, out, 1, NOW - 1));
	assert_err(hf_vault_hash(NULL, v, out, 1, NOW), HF_E_ARG);
	assert_err(hf_vault_hash(out, NULL, out, 1, NOW), HF_E_ARG);
	assert_err(hf_vault_hash(out, v, NULL, 1, NOW), HF_E_ARG);
	hf_vault_free(v);
}

/* Which entries name a key that a vault has not. */
static void
lacks(void **state)
{
	struct hf_vault *other = vault("cluster", "other", 1, 0);
	struct hf_vault *elsewhere = vault("elsewhere", "default", 1, 0);
	struct hf_vault *empty;

	(void)state;
	begin();
	v = vault("cluster", "default", 2, 0);
	assert_int_equal(hf_vault_lacks(c.vault[1], c.shelf.entry,
			     c.shelf.len),
	    0);
	assert_ok(hf_session_vault(a.s, v));
	assert_ok(end_checkpoint(&a));
	assert_int_equal(hf_vault_lacks(c.vault[1], c.shelf.entry,
			     c.shelf.len),
	    1);
	assert_int_equal(hf_vault_lacks(v, c.shelf.entry, c.shelf.len), 0);
	assert_int_equal(hf_vault_lacks(other, c.shelf.entry, c.shelf.len), 0);
	assert_int_equal(hf_vault_lacks(elsewhere, c.shelf.entry, c.shelf.len),
	    0);
	assert_ok(hf_vault_new(&empty, "cluster", "server.example"));
	assert_ok(hf_vault_scope(empty, "default", NULL, 0));
	assert_int_equal(hf_vault_lacks(empty, c.shelf.entry, c.shelf.len), 1);
	assert_int_equal(hf_vault_lacks(c.vault[1], c.shelf.entry,
			     c.shelf.len - 1),
	    0);
	assert_int_equal(hf_vault_lacks(NULL, c.shelf.entry, c.shelf.len), 0);
	hf_vault_free(other);
	hf_vault_free(elsewhere);
	hf_vault_free(empty);
	finish();
}

/* Given while the entry is wanted: it opens, and the session is sealed under
 * it from then on; a key of another cluster is not taken. */
static void
heard_in_time(void **state)
{
	struct hf_vault *other = vault("other", "default", 2, 0);
	struct hf_span out;
	size_t used;

	(void)state;
	begin();
	v = vault("cluster", "default", 2, 0);
	assert_ok(hf_session_vault(a.s, v));
	assert_ok(end_checkpoint(&a));
	end_make(&b, &c, 1);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	assert_err(hf_session_vault(b.s, v), HF_E_STATE);
	out = hf_session_output(i);
	assert_ok(hf_session_feed(b.s, &used, out.ptr, out.len));
	assert_ok(hf_session_drained(i, used));
	assert_ok(hf_session_admit(b.s, HF_ADMIT));
	assert_int_equal(hf_session_want(b.s), HF_WANT_STATE);
	assert_err(hf_session_vault(b.s, other), HF_E_ARG);
	assert_ok(hf_session_vault(b.s, v));
	assert_ok(converse(&c, i, &b));
	assert_int_equal(b.s->state, HF__OPEN);
	assert_int_equal(sealed_under(), 2);
	hf_vault_free(other);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rotated),
		cmocka_unit_test(renewed),
		cmocka_unit_test(once_more),
		cmocka_unit_test(no_keys),
		cmocka_unit_test(taken_away),
		cmocka_unit_test(misused),
		cmocka_unit_test(names),
		cmocka_unit_test(no_key),
		cmocka_unit_test(lacks),
		cmocka_unit_test(heard_in_time),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
