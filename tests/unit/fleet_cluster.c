/* SPDX-License-Identifier: ISC */
/*
 * Changes of a cluster (spec section 19.3) over a store that is not to be
 * believed: whoever writes there puts his own record in, brings back what was,
 * hides it meanwhile, exchanges rings; and nobody has a key by that whom the
 * cluster did not admit.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fleet.h"
#include "testing.h"

static char dir[40];
static struct hf_store *store;
static struct world w;
static struct hf_identity *id, *one, *two, *thief;
static struct blob cert, cert_one, cert_two, cert_thief;
static struct hf_cluster *c;

static struct hf_span
span(const struct blob *b)
{
	return (struct hf_span){ b->bytes, b->len };
}

static void
open_at(uint64_t now, uint64_t least)
{
	hf_cluster_close(c);
	assert_ok(hf_cluster_open(&c, store, id, span(&cert), now, least));
}

static enum hf_err
admit(const struct blob *who, const char *scope)
{
	struct hf_keygrant g = { .serial = 0 };

	open_at(NOW, 0);
	name_set(&g.scope, scope);
	return hf_cluster_admit(c, span(who), &g);
}

static int
enter(void **state)
{
	char uri[80];

	(void)state;
	strcpy(dir, "/tmp/handfast-cluster.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(uri, sizeof(uri), "lmdb:%s/db", dir);
	assert_ok(hf_store_open(&store, uri));
	c = NULL;
	assert_ok(admit(&cert_one, "default"));
	assert_ok(admit(&cert_two, "default"));
	return 0;
}

static int
leave(void **state)
{
	char command[80];

	(void)state;
	hf_cluster_close(c);
	hf_store_close(store);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* --- what stands in the store --------------------------------------------------- */

struct value {
	char key[HF_STORE_KEY_MAX + 1];
	uint8_t bytes[HF_STORE_VALUE_MAX];
	size_t len; /* 0: nothing */
};

static struct hf_span
key_of(const struct value *v)
{
	return (struct hf_span){ (const uint8_t *)v->key, strlen(v->key) };
}

static void
look(struct value *v, char kind, const struct blob *who, const char *scope)
{
	char hex[HF_MEMBER_ID_TEXT] = "";

	if (who != NULL)
		hf_member_id(hex, span(who));
	(void)snprintf(v->key, sizeof(v->key), "%c/%s%s%s", kind, hex,
	    who != NULL && scope != NULL ? "/" : "",
	    scope != NULL ? scope : "");
	v->len = 0;
	if (hf_store_get(store, key_of(v), v->bytes, &v->len) != HF_OK)
		v->len = 0;
}

static void
put(const struct value *v)
{
	struct value now;

	memcpy(now.key, v->key, sizeof(now.key));
	if (hf_store_get(store, key_of(v), now.bytes, &now.len) != HF_OK)
		now.len = 0;
	assert_ok(hf_store_swap(store, key_of(v),
	    (struct hf_span){ now.bytes, now.len },
	    (struct hf_span){ v->bytes, v->len }, (uint64_t)1 << 53));
}

static void
hide(const struct value *v)
{
	struct value none;

	memcpy(none.key, v->key, sizeof(none.key));
	none.len = 0;
	put(&none);
}

static void
assert_same(const struct value *was, char kind, const struct blob *who,
    const char *scope)
{
	struct value v;

	look(&v, kind, who, scope);
	assert_int_equal(v.len, was->len);
	assert_memory_equal(v.bytes, was->bytes, v.len);
}

/* A member's record as the cluster would have written it. */
static void
record(struct value *v, const struct blob *whose, const struct blob *who)
{
	static const uint8_t head[] = "\1\7default";

	look(v, 'm', whose, NULL);
	memcpy(v->bytes, head, sizeof(head) - 1);
	memcpy(v->bytes + sizeof(head) - 1, who->bytes, who->len);
	v->len = sizeof(head) - 1 + who->len;
}

/* All that may be changed, by all who may. */
static void
change_all(void)
{
	size_t n;

	open_at(NOW, 0);
	assert_ok(hf_cluster_renew(c, &n));
	open_at(NOW, 0);
	assert_ok(hf_cluster_rotate(c, "default", 0, &n));
	assert_ok(admit(&cert_two, "files"));
	open_at(NOW, 0);
	assert_ok(hf_cluster_renew(c, &n));
}

/* --- who is not a member ----------------------------------------------------------- */

static void
forged(void **state)
{
	struct hf_keygrant own = { .serial = 1000,
		.not_after = NOW + 1000,
		.generation_n = 1,
		.generation = { { .number = 1 } } };
	struct value v;

	(void)state;
	name_set(&own.cluster, "c");
	name_set(&own.scope, "default");
	record(&v, &cert_thief, &cert_thief);
	put(&v);
	change_all();
	look(&v, 'g', &cert_thief, "default");
	assert_int_equal(v.len, 0);
	/* With another's grant beside it. */
	look(&v, 'g', &cert_one, "default");
	hf_member_id(v.key + 2, span(&cert_thief));
	v.key[HF_MEMBER_ID_TEXT + 1] = '/';
	put(&v);
	change_all();
	assert_same(&v, 'g', &cert_thief, "default");
	/* With one that he signed. */
	look(&v, 'g', &cert_thief, "default");
	assert_ok(hf_keygrant_make(v.bytes, sizeof(v.bytes), &v.len, thief,
	    &own, cert_thief.bytes, cert_thief.len));
	put(&v);
	change_all();
	assert_same(&v, 'g', &cert_thief, "default");
}

/* One is admitted to another scope, by a record that holds the thief's
 * certificate. */
static void
in_ones_place(void **state)
{
	struct value v;

	(void)state;
	record(&v, &cert_one, &cert_thief);
	put(&v);
	assert_ok(admit(&cert_one, "files"));
	look(&v, 'g', &cert_thief, "files");
	assert_int_equal(v.len, 0);
	look(&v, 'g', &cert_thief, "default");
	assert_int_equal(v.len, 0);
	look(&v, 'g', &cert_one, "files");
	assert_true(v.len > 0);
}

static void
not_that_scope(void **state)
{
	struct value grant, ring[2];
	uint64_t serial;
	size_t n;

	(void)state;
	assert_ok(admit(&cert_two, "files"));
	/* Its grant of one scope says nothing of another. */
	look(&grant, 'g', &cert_one, "default");
	(void)strcpy(strrchr(grant.key, '/') + 1, "files");
	put(&grant);
	change_all();
	assert_same(&grant, 'g', &cert_one, "files");
	/* Nor does a ring in another's place. */
	look(&ring[0], 'r', NULL, "default");
	look(&ring[1], 'r', NULL, "files");
	(void)strcpy(ring[0].key, "r/files");
	put(&ring[0]);
	assert_err(admit(&cert_one, "files"), HF_E_NAME);
	assert_err(hf_cluster_rotate(c, "files", 0, &n), HF_E_NAME);
	assert_ok(hf_cluster_renew(c, &n));
	assert_int_equal(n, 2);
	/* It was there when the others were changed: it is old now. */
	open_at(NOW, 0);
	assert_ok(hf_cluster_rotate(c, "default", 0, &n));
	serial = hf_cluster_serial(c);
	put(&ring[1]);
	hf_cluster_close(c);
	c = NULL;
	assert_err(hf_cluster_open(&c, store, id, span(&cert), NOW, serial),
	    HF_E_ROLLBACK);
}

/* Neither a new key nor a new member of one scope is another's. */
static void
one_scope_alone(void **state)
{
	struct hf_keygrant r;
	struct value v;
	size_t n;

	(void)state;
	assert_ok(admit(&cert_one, "files"));
	open_at(NOW, 0);
	assert_ok(hf_cluster_rotate(c, "files", 0, &n));
	look(&v, 'r', NULL, "files");
	assert_ok(hf_keygrant_read(&r, v.bytes, v.len));
	assert_int_equal(r.generation[0].number, 2);
	look(&v, 'r', NULL, "default");
	assert_ok(hf_keygrant_read(&r, v.bytes, v.len));
	assert_int_equal(r.generation[0].number, 1);
	assert_ok(admit(&cert_thief, "files"));
	look(&v, 'g', &cert_thief, "files");
	assert_true(v.len > 0);
	look(&v, 'g', &cert_thief, "default");
	assert_int_equal(v.len, 0);
}

/* --- who is no member any more ------------------------------------------------------- */

static void
evicted_and_back(void **state)
{
	struct value m, g;

	(void)state;
	look(&m, 'm', &cert_one, NULL);
	look(&g, 'g', &cert_one, "default");
	open_at(NOW, 0);
	assert_ok(hf_cluster_remove(c, span(&cert_one), 1));
	put(&m);
	put(&g);
	change_all();
	assert_same(&g, 'g', &cert_one, "default");
	/* It is not known to be there twice. */
	hide(&m);
	open_at(NOW, 0);
	assert_err(hf_cluster_remove(c, span(&cert_one), 1), HF_E_NO_SESSION);
}

struct news {
	struct value grant[2], member;
	unsigned grants[2];
	int gone;
};

static void
changed(void *arg, struct hf_span key)
{
	struct news *n = arg;
	size_t i;

	for (i = 0; i < 2; i++)
		n->grants[i] += key.len == strlen(n->grant[i].key) &&
		    memcmp(key.ptr, n->grant[i].key, key.len) == 0;
	n->gone |= key.len == strlen(n->member.key) &&
	    memcmp(key.ptr, n->member.key, key.len) == 0;
}

static void
tick(uv_timer_t *timer)
{
	(void)timer;
}

/* Runs the loop for so long, or until the member is gone. */
static void
watch_for(uv_loop_t *loop, const struct news *n, unsigned ms)
{
	uint64_t until = uv_hrtime() + ms * 1000000ULL;
	uv_timer_t alive;

	assert_int_equal(uv_timer_init(loop, &alive), 0);
	assert_int_equal(uv_timer_start(&alive, tick, 5, 5), 0);
	while (!n->gone && uv_hrtime() < until)
		(void)uv_run(loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&alive, NULL);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}

/* A store tells of others' changes alone. */
static void
remove_elsewhere(void)
{
	struct hf_store *mine;
	struct hf_cluster *change;
	char uri[80];
	int status;
	pid_t pid;

	(void)snprintf(uri, sizeof(uri), "lmdb:%s/db", dir);
	if ((pid = fork()) == 0)
		_exit(hf_store_open(&mine, uri) != HF_OK ||
		    hf_cluster_open(&change, mine, id, span(&cert), NOW, 0) !=
			HF_OK ||
		    hf_cluster_remove(change, span(&cert_one), 0) != HF_OK);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Nor by a grant of a scope whose ring was hidden when he was let go. */
static void
without_its_ring(void **state)
{
	struct value m, g, r;

	(void)state;
	assert_ok(admit(&cert_two, "files"));
	look(&m, 'm', &cert_one, NULL);
	look(&g, 'g', &cert_one, "default");
	look(&r, 'r', NULL, "default");
	hide(&r);
	open_at(NOW, 0);
	assert_ok(hf_cluster_remove(c, span(&cert_one), 1));
	put(&m);
	open_at(NOW, 0);
	assert_ok(admit(&cert_two, "default"));
	assert_same(&g, 'g', &cert_one, "default");
}

/* Not even one that is removed at once, which whoever reads the store could
 * keep. */
static void
no_last_grant(void **state)
{
	struct news n = { .gone = 0 };
	struct hf_port *port;
	uv_loop_t loop;

	(void)state;
	look(&n.grant[0], 'g', &cert_one, "default");
	look(&n.grant[1], 'g', &cert_two, "default");
	look(&n.member, 'm', &cert_one, NULL);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(hf_port_open(&port, store, &loop));
	hf_port_watch(port, changed, &n);
	watch_for(&loop, &n, 50);
	remove_elsewhere();
	watch_for(&loop, &n, 10000);
	assert_true(n.gone);
	assert_int_equal(n.grants[0], 1); /* it went */
	assert_int_equal(n.grants[1], 1); /* a new one */
	hf_port_close(port);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
}

/* While it is evicted nothing of it is there, or only half. */
static void
hidden_meanwhile(void **state)
{
	struct value m, g[2], ring;
	struct hf_keygrant was, is;

	(void)state;
	assert_ok(admit(&cert_one, "files"));
	look(&m, 'm', &cert_one, NULL);
	look(&g[0], 'g', &cert_one, "default");
	look(&g[1], 'g', &cert_one, "files");
	look(&ring, 'r', NULL, "files");
	assert_ok(hf_keygrant_read(&was, ring.bytes, ring.len));
	hide(&m);
	hide(&g[1]);
	open_at(NOW, 0);
	assert_err(hf_cluster_remove(c, span(&cert_one), 1), HF_E_NO_SESSION);
	put(&m);
	put(&g[0]);
	put(&g[1]);
	change_all();
	assert_same(&g[0], 'g', &cert_one, "default");
	assert_same(&g[1], 'g', &cert_one, "files");
	/* And what it had of the scope that nobody saw is cut off. */
	look(&ring, 'r', NULL, "files");
	assert_ok(hf_keygrant_read(&is, ring.bytes, ring.len));
	assert_true(is.generation[0].number > was.generation[0].number);
	assert_int_equal(is.generation[is.generation_n - 1].cut_off, NOW);
}

static void
all_brought_back(void **state)
{
	struct hf_keygrant scope = { .serial = 0 };
	struct value m, g, ring;
	uint64_t serial;

	(void)state;
	name_set(&scope.scope, "default");
	look(&m, 'm', &cert_one, NULL);
	look(&g, 'g', &cert_one, "default");
	look(&ring, 'r', NULL, "default");
	open_at(NOW, 0);
	assert_ok(hf_cluster_remove(c, span(&cert_one), 0));
	serial = hf_cluster_serial(c);
	put(&m);
	put(&g);
	put(&ring);
	hf_cluster_close(c);
	c = NULL;
	assert_err(hf_cluster_open(&c, store, id, span(&cert), NOW, serial),
	    HF_E_ROLLBACK);
	/* A store that was lost is begun anew, above it. */
	hide(&ring);
	assert_ok(hf_cluster_open(&c, store, id, span(&cert), NOW, serial));
	assert_err(hf_cluster_admit(c, span(&cert_two), &scope),
	    HF_E_ROLLBACK);
	hf_cluster_anew(c);
	assert_ok(hf_cluster_admit(c, span(&cert_two), &scope));
	assert_int_equal(hf_cluster_serial(c), serial + 1);
}

/* Another store than the cluster's, or one that lost all: nothing is done
 * there, and nothing remembered of it that would keep one from the right one. */
static void
emptied(void **state)
{
	struct value ring;
	uint64_t serial;
	size_t n;

	(void)state;
	open_at(NOW, 0);
	serial = hf_cluster_serial(c);
	look(&ring, 'r', NULL, "default");
	hide(&ring);
	open_at(NOW, serial);
	assert_err(hf_cluster_renew(c, &n), HF_E_ROLLBACK);
	assert_err(hf_cluster_rotate(c, "default", 0, &n), HF_E_ROLLBACK);
	assert_err(hf_cluster_remove(c, span(&cert_one), 1), HF_E_ROLLBACK);
	hf_cluster_anew(c);
	assert_err(hf_cluster_renew(c, &n), HF_E_ROLLBACK);
	assert_int_equal(hf_cluster_serial(c), serial);
	/* Also where one was seen to be there before. */
	put(&ring);
	open_at(NOW, 0);
	hide(&ring);
	assert_err(hf_cluster_renew(c, &n), HF_E_ROLLBACK);
	assert_int_equal(hf_cluster_serial(c), serial);
	/* Where there never was one there is nothing to be done. */
	open_at(NOW, 0);
	assert_ok(hf_cluster_renew(c, &n));
	assert_int_equal(n, 0);
	assert_err(hf_cluster_remove(c, span(&cert_thief), 1),
	    HF_E_NO_SESSION);
	assert_int_equal(hf_cluster_serial(c), 0);
	put(&ring);
	open_at(NOW, serial);
	assert_ok(hf_cluster_renew(c, &n));
	assert_int_equal(n, 2);
}

static enum hf_err
keep_used(void *arg, uint64_t serial)
{
	uint64_t *used = arg;

	assert_true(serial > *used);
	*used = serial;
	return HF_OK;
}

static enum hf_err
no_room(void *arg, uint64_t serial)
{
	(void)arg;
	(void)serial;
	return HF_E_IO;
}

/* What a change that stopped had given, hidden until who has it is evicted:
 * the serial that it was begun with was told before, and is not used again. */
static void
hidden_since_a_stop(void **state)
{
	struct value m, g, kept, other, ring;
	uint64_t serial, used = 0;
	size_t n;

	(void)state;
	look(&m, 'm', &cert_one, NULL);
	look(&g, 'g', &cert_one, "default");
	look(&other, 'g', &cert_two, "default");
	look(&ring, 'r', NULL, "default");
	open_at(NOW, 0);
	serial = hf_cluster_serial(c);
	hf_cluster_remember(c, used, keep_used, &used);
	assert_ok(hf_cluster_rotate(c, "default", 0, &n));
	assert_int_equal(used, serial + 1);
	look(&kept, 'g', &cert_one, "default");
	put(&g);
	put(&other);
	put(&ring);
	open_at(NOW, serial);
	hf_cluster_remember(c, used, keep_used, &used);
	assert_ok(hf_cluster_remove(c, span(&cert_one), 1));
	assert_int_equal(used, serial + 2);
	assert_int_equal(hf_cluster_serial(c), serial + 2);
	put(&m);
	put(&kept);
	change_all();
	assert_same(&kept, 'g', &cert_one, "default");
}

/* A serial that cannot be kept is not used. */
static void
not_remembered(void **state)
{
	struct value one_s, two_s, ring;
	size_t n;

	(void)state;
	look(&ring, 'r', NULL, "default");
	look(&one_s, 'g', &cert_one, "default");
	look(&two_s, 'g', &cert_two, "default");
	open_at(NOW, 0);
	hf_cluster_remember(c, 0, no_room, NULL);
	assert_err(hf_cluster_rotate(c, "default", 0, &n), HF_E_IO);
	assert_err(hf_cluster_remove(c, span(&cert_one), 1), HF_E_IO);
	assert_same(&ring, 'r', NULL, "default");
	assert_same(&one_s, 'g', &cert_one, "default");
	assert_same(&two_s, 'g', &cert_two, "default");
	/* A renewal signs under what all have. */
	open_at(NOW, 0);
	hf_cluster_remember(c, hf_cluster_serial(c), no_room, NULL);
	assert_ok(hf_cluster_renew(c, &n));
	assert_int_equal(n, 2);
}

/* Copies, of a member's record and of a ring, are none, and in nobody's way. */
static void
copies(void **state)
{
	static const uint8_t name[] = "r/default\0x";
	const struct hf_span key = { name, sizeof(name) - 1 };
	struct value v, ring;
	size_t n;

	(void)state;
	look(&v, 'm', &cert_two, NULL);
	(void)strcpy(v.key, "m/elsewhere");
	put(&v);
	look(&ring, 'r', NULL, "default");
	assert_ok(hf_store_swap(store, key, (struct hf_span){ NULL, 0 },
	    (struct hf_span){ ring.bytes, ring.len }, (uint64_t)1 << 53));
	open_at(NOW, 0);
	assert_ok(hf_cluster_rotate(c, "default", 0, &n));
	assert_int_equal(n, 2);
	assert_ok(hf_cluster_remove(c, span(&cert_one), 1));
}

/* --- who is ----------------------------------------------------------------------------- */

static enum hf_err
load(const struct hf_identity *who, const struct blob *leaf, uint64_t *serial)
{
	struct hf_keygrant_judge by = { .identity = who,
		.member = span(leaf),
		.cluster = span(&cert),
		.now = NOW,
		.serial = *serial };
	struct hf_granted granted = { 0 };
	struct hf_vault *v;
	enum hf_err e;

	assert_ok(hf_vault_new(&v, "c", "m"));
	if ((e = hf_member_grants(v, store, &by, &granted)) == HF_OK)
		*serial = granted.serial;
	hf_vault_free(v);
	return e;
}

/* Whatever changes elsewhere, a member of two scopes has grants that count by
 * the highest serial it has seen. */
static void
two_scopes(void **state)
{
	uint64_t serial = 0;
	size_t n;

	(void)state;
	assert_ok(admit(&cert_one, "files"));
	assert_ok(load(one, &cert_one, &serial));
	assert_int_equal(serial, 3);
	assert_ok(load(one, &cert_one, &serial));
	open_at(NOW, 0);
	assert_ok(hf_cluster_rotate(c, "files", 0, &n));
	assert_int_equal(n, 1);
	assert_ok(load(one, &cert_one, &serial));
	open_at(NOW, 0);
	assert_ok(hf_cluster_remove(c, span(&cert_two), 0));
	assert_ok(load(one, &cert_one, &serial));
	assert_ok(load(one, &cert_one, &serial));
	assert_int_equal(serial, 5);
	assert_err(load(two, &cert_two, &serial), HF_E_NO_SESSION);
}

/* More rings than there may be are not taken for fewer. */
static void
too_many_rings(void **state)
{
	struct value v;
	unsigned i;

	(void)state;
	look(&v, 'r', NULL, "default");
	for (i = 1; i <= 66; i++) {
		(void)snprintf(v.key, sizeof(v.key), "r/%u", i);
		put(&v);
		if (i != 62 && i != 63 && i != 66)
			continue;
		hf_cluster_close(c);
		c = NULL;
		assert_err(hf_cluster_open(&c, store, id, span(&cert), NOW, 0),
		    i < 63 ? HF_OK : HF_E_SPACE);
	}
}

/* Grants that are void still say who is a member; and no record, however it
 * is spoiled, keeps the others from theirs. */
static void
lapsed(void **state)
{
	struct value v;
	size_t n;

	(void)state;
	record(&v, &cert_thief, &cert_thief);
	v.bytes[0] = 200;
	put(&v);
	assert_ok(hf_store_sweep(store, NOW + 86400 * 3, &n));
	open_at(NOW + 86400 * 3, 0);
	assert_ok(hf_cluster_renew(c, &n));
	assert_int_equal(n, 2);
	assert_int_equal(hf_cluster_serial(c), 2);
}

/* A value that no store wrote: it cannot be read. */
static void
spoil(struct value *v)
{
	MDB_val key = { strlen(v->key), v->key }, bytes = { 1, v->bytes };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	char path[64];
	int status;
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s/db", dir);
	if ((pid = fork()) == 0)
		_exit(mdb_env_create(&env) != 0 ||
		    mdb_env_set_maxdbs(env, 3) != 0 ||
		    mdb_env_open(env, path, 0, 0600) != 0 ||
		    mdb_txn_begin(env, NULL, 0, &txn) != 0 ||
		    mdb_dbi_open(txn, "values", 0, &dbi) != 0 ||
		    mdb_put(txn, dbi, &key, &bytes, 0) != 0 ||
		    mdb_txn_commit(txn) != 0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Where the store does not say who is a member nobody is dropped for that. */
static void
not_to_be_read(void **state)
{
	struct value grant, ring;
	size_t n;

	(void)state;
	look(&grant, 'g', &cert_one, "default");
	look(&ring, 'r', NULL, "default");
	open_at(NOW, 0);
	spoil(&grant);
	assert_err(hf_cluster_rotate(c, "default", 0, &n), HF_E_STORE);
	assert_err(hf_cluster_remove(c, span(&cert_two), 1), HF_E_STORE);
	assert_same(&ring, 'r', NULL, "default");
}

/* Who has no certificate, or none that a record could hold. */
static void
nobody_removed(void **state)
{
	static const struct blob none;
	static struct blob big;
	struct value ring;

	(void)state;
	look(&ring, 'r', NULL, "default");
	open_at(NOW, 0);
	assert_err(hf_cluster_remove(c, span(&none), 1), HF_E_ARG);
	big.len = HF_CERT_MAX + 1;
	assert_err(hf_cluster_remove(c, span(&big), 1), HF_E_ARG);
	assert_same(&ring, 'r', NULL, "default");
}

/* A change that stopped when the grants were made, and one ring. */
static void
stopped(void **state)
{
	struct value ring, last;
	struct hf_keygrant r;
	uint64_t serial = 0;
	size_t n;

	(void)state;
	assert_ok(admit(&cert_one, "files"));
	look(&ring, 'r', NULL, "files");
	open_at(NOW, 0);
	assert_ok(hf_cluster_rotate(c, "files", 0, &n));
	put(&ring);
	open_at(NOW, 0);
	/* What is remembered then is what both have. */
	assert_int_equal(hf_cluster_serial(c), 3);
	assert_ok(hf_cluster_renew(c, &n));
	assert_int_equal(n, 3);
	assert_int_equal(hf_cluster_serial(c), 5);
	assert_ok(load(one, &cert_one, &serial));
	assert_int_equal(serial, 5);
	/* No generation's number is given out twice. */
	open_at(NOW, 0);
	assert_ok(hf_cluster_rotate(c, "files", 0, &n));
	look(&last, 'r', NULL, "files");
	put(&ring);
	open_at(NOW, 0);
	assert_ok(hf_cluster_rotate(c, "files", 0, &n));
	look(&ring, 'r', NULL, "files");
	assert_ok(hf_keygrant_read(&r, last.bytes, last.len));
	n = r.generation[0].number;
	assert_ok(hf_keygrant_read(&r, ring.bytes, ring.len));
	assert_int_equal(r.generation[0].number, n + 1);
}

/* Where no grant tells the serial the ring does. */
static void
nobody_left(void **state)
{
	struct hf_cluster *late;
	struct hf_keygrant g;
	struct value ring;
	int i;

	(void)state;
	open_at(NOW, 0);
	assert_ok(hf_cluster_remove(c, span(&cert_one), 0));
	open_at(NOW, 0);
	assert_ok(hf_cluster_remove(c, span(&cert_two), 0));
	assert_int_equal(hf_cluster_serial(c), 4);
	assert_ok(admit(&cert_two, "default"));
	assert_int_equal(hf_cluster_serial(c), 5);
	/* Also that of a change that was made since it was opened. */
	open_at(NOW, 0);
	assert_ok(hf_cluster_open(&late, store, id, span(&cert), NOW, 0));
	assert_ok(hf_cluster_remove(c, span(&cert_two), 0));
	assert_int_equal(hf_cluster_serial(c), 6);
	assert_err(hf_cluster_remove(late, span(&cert_two), 0),
	    HF_E_NO_SESSION);
	assert_int_equal(hf_cluster_serial(late), 7);
	hf_cluster_close(late);
	/* Nor which keys were given out: what is stored stays as long as it
	 * can. */
	for (i = 0; i < HF_GENERATIONS_MAX; i++) {
		open_at(NOW, 0);
		assert_err(hf_cluster_remove(c, span(&cert_two), 0),
		    HF_E_NO_SESSION);
	}
	look(&ring, 'r', NULL, "default");
	assert_ok(hf_keygrant_read(&g, ring.bytes, ring.len));
	assert_int_equal(g.generation_n, HF_GENERATIONS_MAX);
}

static int
set_up(void **state)
{
	struct hf_cert_info terms;

	(void)state;
	if (hf_init() != HF_OK)
		return -1;
	world_make(&w, &(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	id = identity_of(20);
	one = identity_of(21);
	two = identity_of(22);
	thief = identity_of(23);
	terms = terms_of("c", HF_USAGE_CLUSTER);
	terms.path_length = -1;
	certify(&cert, w.ca, &w.ca_cert, id, &terms);
	terms = terms_of("m", HF_USAGE_RESPONDER | HF_USAGE_SERVER);
	name_set(&terms.cluster, "c");
	certify(&cert_one, w.ca, &w.ca_cert, one, &terms);
	certify(&cert_two, w.ca, &w.ca_cert, two, &terms);
	certify(&cert_thief, w.ca, &w.ca_cert, thief, &terms);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hf_identity_free(id);
	hf_identity_free(one);
	hf_identity_free(two);
	hf_identity_free(thief);
	world_free(&w);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(forged),
		TEST(in_ones_place),
		TEST(not_that_scope),
		TEST(one_scope_alone),
		TEST(evicted_and_back),
		TEST(without_its_ring),
		TEST(no_last_grant),
		TEST(hidden_meanwhile),
		TEST(all_brought_back),
		TEST(emptied),
		TEST(hidden_since_a_stop),
		TEST(not_remembered),
		TEST(copies),
		TEST(two_scopes),
		TEST(too_many_rings),
		TEST(lapsed),
		TEST(not_to_be_read),
		TEST(nobody_removed),
		TEST(stopped),
		TEST(nobody_left),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
