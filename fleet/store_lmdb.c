/* SPDX-License-Identifier: ISC */
/*
 * The embedded store: LMDB in one directory, shared by the processes of one
 * machine. LMDB's one writer at a time makes a compare-and-set; its locks
 * survive a process that is killed. It knows keys and bytes, and keeps an
 * index of expiries and a short log of changes beside them. Whose turn it is
 * to write is store_lmdb_turn.c's, what it finds of a directory
 * store_lmdb_place.c's.
 */
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"
#include "store_lmdb_place.h"
#include "store_lmdb_turn.h"

enum {
	STAMP_BYTES = 8, /* a value begins with its expiry */
	CHANGES_KEPT = 8192,
	SWEEP_MAX = 1000,
	READERS_MAX = 510,
	CHANGE_BYTES = 4 + HF_STORE_KEY_MAX
};
#define MAP_BYTES ((size_t)4 << 30)

struct lmdb {
	MDB_env *env;
	struct hf__turn turn;
	MDB_dbi values, expiries, changes;
	uint32_t self; /* whose changes are not news */
	int in_memory; /* a page of it never comes from a device */
};

static void
store_be(uint8_t *out, uint64_t v, size_t n)
{
	while (n-- > 0) {
		out[n] = (uint8_t)v;
		v >>= 8;
	}
}

static uint64_t
load_be(const uint8_t *in, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *in++;
	return v;
}

static MDB_val
val(const void *ptr, size_t len)
{
	return (MDB_val){ len, (void *)(uintptr_t)ptr };
}

/* --- opening ------------------------------------------------------------------------ */

/* EBUSY where it would have to wait, and may not. */
static int
begin_write(struct lmdb *db, MDB_txn **txn, int wait)
{
	int r;

	if ((r = hf__turn_take(&db->turn, wait)) != 0)
		return r;
	if ((r = mdb_txn_begin(db->env, NULL, 0, txn)) != 0)
		hf__turn_pass(&db->turn);
	else
		hf__turn_learn(&db->turn);
	return r;
}

static int
commit(struct lmdb *db, MDB_txn *txn)
{
	int r = mdb_txn_commit(txn);

	hf__turn_pass(&db->turn);
	return r;
}

static void
give_up(struct lmdb *db, MDB_txn *txn)
{
	mdb_txn_abort(txn);
	hf__turn_pass(&db->turn);
}

static int
open_databases(struct lmdb *db, MDB_txn *txn, unsigned flags)
{
	int r;

	if ((r = mdb_dbi_open(txn, "values", flags, &db->values)) != 0 ||
	    (r = mdb_dbi_open(txn, "expiries", flags, &db->expiries)) != 0)
		return r;
	return mdb_dbi_open(txn, "changes", flags, &db->changes);
}

/* Where they are already, no writer that is stopped keeps one from opening. */
static int
databases(struct lmdb *db)
{
	MDB_txn *txn;
	int r;

	if ((r = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn)) != 0)
		return r;
	if ((r = open_databases(db, txn, 0)) == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	if (r != MDB_NOTFOUND || (r = begin_write(db, &txn, 1)) != 0)
		return r;
	if ((r = open_databases(db, txn, MDB_CREATE)) == 0)
		return commit(db, txn);
	give_up(db, txn);
	return r;
}

static void
lmdb_close(void *engine)
{
	struct lmdb *db = engine;

	mdb_env_close(db->env);
	hf__turn_close(&db->turn);
	free(db);
}

/* *locks: LMDB's file of them, which is to stay open; or -1. */
static int
open_env(struct lmdb *db, int *locks, const char *where)
{
	int r, dead;

	*locks = -1;
	if ((r = mdb_env_set_maxdbs(db->env, 3)) != 0 ||
	    (r = mdb_env_set_maxreaders(db->env, READERS_MAX)) != 0 ||
	    (r = mdb_env_set_mapsize(db->env, MAP_BYTES)) != 0 ||
	    (r = hf__lmdb_room(locks, where)) != 0 ||
	    (r = mdb_env_open(db->env, where, MDB_NOTLS, 0600)) != 0 ||
	    (r = hf__lmdb_room_mapped(*locks)) != 0)
		return r;
	return mdb_reader_check(db->env, &dead);
}

static enum hf_err
lmdb_open(void **engine, const char *where, const char **reason)
{
	struct lmdb *db;
	enum hf_err e;
	int r, locks;

	if (*where == '\0')
		return HF_E_ARG;
	if ((e = hf__lmdb_directory(where, reason)) != HF_OK)
		return e;
	if ((db = calloc(1, sizeof(*db))) == NULL)
		return HF_E_MEMORY;
	db->self = (uint32_t)getpid();
	if ((r = mdb_env_create(&db->env)) != 0) {
		free(db);
		*reason = hf__lmdb_words(r);
		return HF_E_STORE;
	}
	if ((r = open_env(db, &locks, where)) != 0 ||
	    (r = hf__turn_open(&db->turn, where, locks)) != 0) {
		*reason = hf__lmdb_words(r);
		mdb_env_close(db->env);
		if (locks != -1)
			(void)close(locks);
		free(db);
		return HF_E_STORE;
	}
	if ((r = databases(db)) != 0) {
		*reason = hf__lmdb_words(r);
		lmdb_close(db);
		return HF_E_STORE;
	}
	db->in_memory = hf__lmdb_in_memory(where);
	/* There is nothing to wait for. */
	if (db->in_memory)
		(void)mdb_env_set_flags(db->env, MDB_NOSYNC, 1);
	*engine = db;
	return HF_OK;
}

/* --- one key -------------------------------------------------------------------------- */

/* What is there: length 0 for nothing. */
static int
look(MDB_txn *txn, const struct lmdb *db, struct hf_span key,
    uint64_t *expires, struct hf_span *value)
{
	MDB_val k = val(key.ptr, key.len), v;
	int r = mdb_get(txn, db->values, &k, &v);

	*value = (struct hf_span){ NULL, 0 };
	*expires = 0;
	if (r == MDB_NOTFOUND)
		return 0;
	if (r != 0)
		return r;
	if (v.mv_size < STAMP_BYTES)
		return MDB_CORRUPTED;
	*expires = load_be(v.mv_data, STAMP_BYTES);
	*value = (struct hf_span){ (const uint8_t *)v.mv_data + STAMP_BYTES,
		v.mv_size - STAMP_BYTES };
	return 0;
}

/* The index of expiries: expiry and key, with nothing behind them. */
static int
index_expiry(MDB_txn *txn, const struct lmdb *db, struct hf_span key,
    uint64_t expires, int add)
{
	uint8_t entry[STAMP_BYTES + HF_STORE_KEY_MAX] = { 0 };
	MDB_val k = val(entry, STAMP_BYTES + key.len), v = val("", 0);
	int r;

	store_be(entry, expires, STAMP_BYTES);
	memcpy(entry + STAMP_BYTES, key.ptr, key.len);
	if (add)
		return mdb_put(txn, db->expiries, &k, &v, 0);
	r = mdb_del(txn, db->expiries, &k, NULL);
	return r == MDB_NOTFOUND ? 0 : r;
}

/* The last number in the log of changes. */
static int
last_change(MDB_txn *txn, const struct lmdb *db, uint64_t *last)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int r;

	*last = 0;
	if ((r = mdb_cursor_open(txn, db->changes, &cursor)) != 0)
		return r;
	r = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
	if (r == 0)
		*last = load_be(k.mv_data, STAMP_BYTES);
	mdb_cursor_close(cursor);
	return r == MDB_NOTFOUND ? 0 : r;
}

/* Says that a key was changed, and by whom; the oldest words are dropped. */
static int
log_change(MDB_txn *txn, const struct lmdb *db, struct hf_span key)
{
	uint8_t number[STAMP_BYTES] = { 0 }, said[CHANGE_BYTES];
	MDB_val k = val(number, sizeof(number)), v;
	uint64_t last;
	int r;

	if ((r = last_change(txn, db, &last)) != 0)
		return r;
	store_be(said, db->self, 4);
	memcpy(said + 4, key.ptr, key.len);
	store_be(number, last + 1, sizeof(number));
	v = val(said, 4 + key.len);
	if ((r = mdb_put(txn, db->changes, &k, &v, MDB_APPEND)) != 0 ||
	    last + 1 <= CHANGES_KEPT)
		return r;
	store_be(number, last + 1 - CHANGES_KEPT, sizeof(number));
	r = mdb_del(txn, db->changes, &k, NULL);
	return r == MDB_NOTFOUND ? 0 : r;
}

/* Puts a value, or removes it, with its place in the index. */
static int
put(MDB_txn *txn, const struct lmdb *db, const struct hf__ask *a,
    uint64_t old_expires, int had)
{
	uint8_t bytes[STAMP_BYTES + HF_STORE_VALUE_MAX];
	const struct hf_span key = { a->key, a->key_len };
	MDB_val k = val(a->key, a->key_len), v;
	int r;

	if (had && (a->value_len == 0 || old_expires != a->expires) &&
	    (r = index_expiry(txn, db, key, old_expires, 0)) != 0)
		return r;
	if (a->value_len == 0)
		return had ? mdb_del(txn, db->values, &k, NULL) : 0;
	store_be(bytes, a->expires, STAMP_BYTES);
	memcpy(bytes + STAMP_BYTES, a->value, a->value_len);
	v = val(bytes, STAMP_BYTES + a->value_len);
	if ((r = mdb_put(txn, db->values, &k, &v, 0)) != 0)
		return r;
	return had && old_expires == a->expires ?
	    0 :
	    index_expiry(txn, db, key, a->expires, 1);
}

static int
swap(struct lmdb *db, struct hf__ask *a, int wait)
{
	const struct hf_span key = { a->key, a->key_len };
	struct hf_span found;
	uint64_t expires;
	MDB_txn *txn;
	int r;

	if ((r = begin_write(db, &txn, wait)) != 0)
		return r;
	if ((r = look(txn, db, key, &expires, &found)) != 0)
		goto bad;
	if (found.len != a->expected_len ||
	    (found.len > 0 &&
		memcmp(found.ptr, a->expected, found.len) != 0)) {
		a->err = HF_E_FENCED;
		give_up(db, txn);
		return 0;
	}
	if ((r = put(txn, db, a, expires, found.len > 0)) != 0 ||
	    (!a->quietly && (r = log_change(txn, db, key)) != 0))
		goto bad;
	return commit(db, txn);
bad:
	give_up(db, txn);
	return r;
}

static int
read_value(MDB_txn *txn, const struct lmdb *db, struct hf__ask *a)
{
	struct hf_span found;
	uint64_t expires;
	int r;

	r = look(txn, db, (struct hf_span){ a->key, a->key_len }, &expires,
	    &found);
	if (r == 0 && found.len > sizeof(a->value))
		r = MDB_CORRUPTED;
	if (r != 0)
		return r;
	if (found.len > 0)
		memcpy(a->value, found.ptr, found.len);
	a->value_len = found.len;
	a->err = found.len == 0 ? HF_E_NO_SESSION : HF_OK;
	return 0;
}

static int
get(struct lmdb *db, struct hf__ask *a)
{
	MDB_txn *txn;
	int r;

	if ((r = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn)) != 0)
		return r;
	r = read_value(txn, db, a);
	mdb_txn_abort(txn);
	return r;
}

static void
lmdb_reader_free(void *reader)
{
	mdb_txn_abort(reader);
}

/* A reader that keeps its place takes no lock when it looks again. Only its
 * first look does, for the moment of finding that place. */
static int
peek(struct lmdb *db, void **reader, struct hf__ask *a)
{
	MDB_txn *txn = *reader;
	int r;

	if (txn == NULL)
		r = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);
	else
		r = mdb_txn_renew(txn);
	if (r == 0) {
		*reader = txn;
		r = read_value(txn, db, a);
		mdb_txn_reset(txn);
	} else if (*reader != NULL) {
		mdb_txn_abort(txn);
		*reader = NULL;
	}
	return r == 0;
}

static void
judge(struct hf__ask *a, int r, const char **reason)
{
	if (r == 0)
		return;
	*reason = hf__lmdb_words(r);
	a->err = HF_E_STORE;
}

static void
lmdb_ask(void *engine, struct hf__ask *a, const char **reason)
{
	struct lmdb *db = engine;

	a->err = HF_OK;
	judge(a, a->kind == HF__OP_GET ? get(db, a) : swap(db, a, 1), reason);
}

/* A write is done here only when nobody else's turn is in its way. */
static int
lmdb_now(void *engine, void **reader, struct hf__ask *a, const char **reason)
{
	struct lmdb *db = engine;
	int r;

	if (!db->in_memory)
		return 0;
	if (a->kind == HF__OP_GET)
		return peek(db, reader, a);
	a->err = HF_OK;
	if ((r = swap(db, a, 0)) == EBUSY)
		return 0;
	judge(a, r, reason);
	return 1;
}

/* --- all keys --------------------------------------------------------------------------- */

static enum hf_err
failed(int r, const char **reason)
{
	if (r == 0 || r == MDB_NOTFOUND)
		return HF_OK;
	*reason = hf__lmdb_words(r);
	return HF_E_STORE;
}

static enum hf_err
lmdb_list(void *engine, struct hf_span prefix,
    int (*each)(void *arg, struct hf_span key, struct hf_span value),
    void *arg, const char **reason)
{
	struct lmdb *db = engine;
	MDB_cursor *cursor = NULL;
	MDB_val k = val(prefix.ptr, prefix.len), v;
	MDB_txn *txn;
	int r;

	if ((r = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn)) != 0)
		return failed(r, reason);
	if ((r = mdb_cursor_open(txn, db->values, &cursor)) == 0)
		r = mdb_cursor_get(cursor, &k, &v,
		    prefix.len > 0 ? MDB_SET_RANGE : MDB_FIRST);
	while (r == 0 && k.mv_size >= prefix.len && v.mv_size >= STAMP_BYTES &&
	    memcmp(k.mv_data, prefix.ptr, prefix.len) == 0) {
		if (!each(arg, (struct hf_span){ k.mv_data, k.mv_size },
			(struct hf_span){ (const uint8_t *)v.mv_data +
				STAMP_BYTES,
			    v.mv_size - STAMP_BYTES }))
			break;
		r = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	return failed(r, reason);
}

/* Removes the first of the index, if its time has come. */
static int
sweep_one(MDB_txn *txn, const struct lmdb *db, uint64_t now, int *more)
{
	uint8_t key[HF_STORE_KEY_MAX];
	MDB_cursor *cursor;
	MDB_val k, v;
	size_t len;
	int r;

	*more = 0;
	if ((r = mdb_cursor_open(txn, db->expiries, &cursor)) != 0)
		return r;
	r = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	if (r == 0 && k.mv_size > STAMP_BYTES &&
	    k.mv_size <= STAMP_BYTES + sizeof(key) &&
	    load_be(k.mv_data, STAMP_BYTES) <= now) {
		len = k.mv_size - STAMP_BYTES;
		memcpy(key, (const uint8_t *)k.mv_data + STAMP_BYTES, len);
		r = mdb_cursor_del(cursor, 0);
		k = val(key, len);
		if (r == 0)
			r = mdb_del(txn, db->values, &k, NULL);
		*more = r == 0 || r == MDB_NOTFOUND;
	}
	mdb_cursor_close(cursor);
	return r == MDB_NOTFOUND ? 0 : r;
}

static enum hf_err
lmdb_sweep(void *engine, uint64_t now, size_t *n, const char **reason)
{
	struct lmdb *db = engine;
	int r, more = 1, dead;
	MDB_txn *txn;

	*n = 0;
	if ((r = mdb_reader_check(db->env, &dead)) != 0 ||
	    (r = begin_write(db, &txn, 1)) != 0)
		return failed(r, reason);
	while (r == 0 && more && *n < SWEEP_MAX) {
		r = sweep_one(txn, db, now, &more);
		*n += r == 0 && more;
	}
	if (r != 0)
		give_up(db, txn);
	else
		r = commit(db, txn);
	return failed(r, reason);
}

/* The next change by another process. A watcher that begins, or was away for
 * too long, begins at the end. */
static enum hf_err
lmdb_changed(void *engine, struct hf__changes *c)
{
	struct lmdb *db = engine;
	uint8_t number[STAMP_BYTES] = { 0 };
	MDB_val k = val(number, sizeof(number)), v;
	enum hf_err e = HF_E_NO_SESSION;
	MDB_txn *txn;
	uint64_t last;

	if (mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn) != 0)
		return HF_E_STORE;
	if (last_change(txn, db, &last) != 0)
		goto out;
	if (c->seen == 0 || c->seen > last || last - c->seen > CHANGES_KEPT)
		c->seen = last;
	while (c->seen < last) {
		store_be(number, ++c->seen, sizeof(number));
		k = val(number, sizeof(number));
		if (mdb_get(txn, db->changes, &k, &v) != 0 || v.mv_size <= 4 ||
		    v.mv_size > CHANGE_BYTES ||
		    load_be(v.mv_data, 4) == db->self)
			continue;
		c->key_len = v.mv_size - 4;
		memcpy(c->key, (const uint8_t *)v.mv_data + 4, c->key_len);
		e = HF_OK;
		break;
	}
out:
	mdb_txn_abort(txn);
	return e;
}

const struct hf__local hf__store_lmdb = {
	.open = lmdb_open,
	.close = lmdb_close,
	.is_there = hf__lmdb_is_there,
	.judge = hf__lmdb_judge,
	.ask = lmdb_ask,
	.list = lmdb_list,
	.sweep = lmdb_sweep,
	.now = lmdb_now,
	.reader_free = lmdb_reader_free,
	.changed = lmdb_changed,
};
