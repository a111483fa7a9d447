/* SPDX-License-Identifier: ISC */
/*
 * What a PostgreSQL is asked, and what its answers mean. A compare-and-set is
 * one statement on the whole value; it is answered when its transaction has
 * ended, not before. What has expired is swept when it has by the server's
 * clock too: one of ours that is wrong ends nobody's session. Whoever writes over a value of somebody else makes a
 * notice and the next number of a sequence, by which those who were not
 * listening catch up.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_postgres.h"

/* Numbers are given before they are visible: some are read twice. */
enum { READ_AGAIN = 1000 };

/* Of a key, a value or a writer that is too long one byte too many is read. */
static const struct {
	const char *name, *sql;
} statements[] = {
	{ "get",
	    "SELECT substr(value, 1, 8193) FROM handfast.entry "
	    "WHERE key = $1" },
	{ "absent", "SELECT count(*) FROM handfast.entry WHERE key = $1" },
	{ "insert",
	    "INSERT INTO handfast.entry (key, value, expires, writer) "
	    "VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING" },
	{ "update",
	    "UPDATE handfast.entry SET value = $3, expires = $4, "
	    "writer = $5 WHERE key = $1 AND value = $2" },
	/* What it selects is as it was before: whether it was another's. */
	{ "take",
	    "UPDATE handfast.entry SET value = $3, expires = $4, "
	    "writer = $5 WHERE key = $1 AND value = $2 "
	    "RETURNING (SELECT old.writer FROM handfast.entry old "
	    "WHERE old.key = $1) IS DISTINCT FROM $5" },
	/* All who tell wait for each other until they are done there: not for
	 * the disk, for what is but a hint. */
	{ "tell",
	    "INSERT INTO handfast.change (writer, key) VALUES ($1, $2) "
	    "RETURNING pg_notify('handfast', number || ' ' || writer || "
	    "' ' || encode(key, 'hex')), "
	    "set_config('synchronous_commit', 'off', true)" },
	{ "remove",
	    "DELETE FROM handfast.entry WHERE key = $1 AND value = $2" },
	/* What is too long is nobody's, and hides nobody. */
	{ "page",
	    "SELECT key, value FROM handfast.entry WHERE key >= $1 "
	    "AND octet_length(key) BETWEEN 1 AND 128 "
	    "AND octet_length(value) BETWEEN 1 AND 8192 "
	    "ORDER BY key LIMIT 64" },
	{ "sweep",
	    "DELETE FROM handfast.entry WHERE key IN (SELECT key FROM "
	    "handfast.entry WHERE expires <= least($1, "
	    "floor(extract(epoch FROM clock_timestamp()))::bigint) "
	    "ORDER BY expires LIMIT 1000 "
	    "FOR UPDATE SKIP LOCKED)" },
	/* Not all at once: it would be given up each time, if they were many. */
	{ "forget",
	    "DELETE FROM handfast.change WHERE number <= "
	    "(SELECT least(max(number) - 8192, min(number) + 9999) "
	    "FROM handfast.change)" },
	{ "last", "SELECT coalesce(max(number), 0) FROM handfast.change" },
	/* Of a number that nobody has come to yet a stranger spoke; or the store
	 * has lost its last moments. */
	{ "news",
	    "SELECT number, substr(writer, 1, 17), substr(key, 1, 129) "
	    "FROM handfast.change WHERE number > "
	    "(SELECT CASE WHEN $1 < max(number) THEN $1 ELSE 0 END "
	    "FROM handfast.change) ORDER BY number LIMIT 10000" },
};

static void
store_be(uint8_t out[8], uint64_t v)
{
	int i;

	for (i = 7; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

static uint64_t
load_be(const char *in)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | (uint8_t)in[i];
	return v;
}

/* --- answers ----------------------------------------------------------------------------- */

static void
refuse(struct hf__pg_conn *c, const char *why)
{
	c->verdict = HF_E_STORE;
	c->why = why;
}

/* What a result must be; or the transaction has failed. */
static int
is(struct hf__pg_conn *c, const PGresult *r, ExecStatusType wanted)
{
	ExecStatusType status = hf__pq.resultStatus(r);

	if (status == wanted)
		return 1;
	refuse(c,
	    status == PGRES_FATAL_ERROR ?
		hf__pg_words(r) :
		"the store answers what was not asked");
	return 0;
}

static void
got_value(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	int len;

	if (!is(c, r, PGRES_TUPLES_OK))
		return;
	if (hf__pq.ntuples(r) == 0) {
		c->verdict = HF_E_NO_SESSION;
		return;
	}
	len = hf__pq.getlength(r, 0, 0);
	if (len <= 0 || (size_t)len > sizeof(op->ask.value)) {
		refuse(c, "the store answers what was not asked");
		return;
	}
	memcpy(op->ask.value, hf__pq.getvalue(r, 0, 0), (size_t)len);
	op->ask.value_len = (size_t)len;
}

static void
got_count(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	const char *rows;

	(void)op;
	if (!is(c, r, PGRES_COMMAND_OK))
		return;
	rows = hf__pq.cmdTuples((PGresult *)(uintptr_t)r);
	c->verdict = strcmp(rows, "1") == 0 ? HF_OK : HF_E_FENCED;
}

static void tell_later(struct hf__pg_conn *, const struct hf__ask *);

/* Whether it was somebody else's. */
static void
got_taken(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	if (!is(c, r, PGRES_TUPLES_OK))
		return;
	if (hf__pq.ntuples(r) != 1 || hf__pq.getlength(r, 0, 0) != 1) {
		c->verdict = HF_E_FENCED;
		return;
	}
	c->verdict = HF_OK;
	if (*hf__pq.getvalue(r, 0, 0) != 0)
		tell_later(c, &op->ask);
}

static void
got_absent(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	(void)op;
	if (is(c, r, PGRES_TUPLES_OK) && hf__pq.ntuples(r) == 1 &&
	    hf__pq.getlength(r, 0, 0) == 8)
		c->verdict = load_be(hf__pq.getvalue(r, 0, 0)) == 0 ?
		    HF_OK :
		    HF_E_FENCED;
	else
		c->verdict = HF_E_STORE;
}

static void
got_swept(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	if (is(c, r, PGRES_COMMAND_OK))
		op->ask.value_len =
		    strtoul(hf__pq.cmdTuples((PGresult *)(uintptr_t)r), NULL,
			10);
}

/* What is of hints alone may fail. */
static void
got_hint(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	(void)c;
	(void)op;
	(void)r;
}

/* In order, and nothing twice: or a listing would have no end. */
static int
is_next(const struct hf__page *p, const char *key, size_t len)
{
	int r = memcmp(key, p->after, len < p->after_len ? len : p->after_len);

	return r > 0 || (r == 0 && len >= p->after_len);
}

static int
take_item(struct hf__page *p, const PGresult *r, int row)
{
	struct hf__page_item *item = &p->item[p->n];
	int key = hf__pq.getlength(r, row, 0),
	    value = hf__pq.getlength(r, row, 1);

	if (key <= 0 || key > HF_STORE_KEY_MAX || value <= 0 ||
	    value > HF_STORE_VALUE_MAX ||
	    !is_next(p, hf__pq.getvalue(r, row, 0), (size_t)key) ||
	    (item->value = malloc((size_t)value)) == NULL)
		return 0;
	item->key_len = (size_t)key;
	item->value_len = (size_t)value;
	memcpy(item->key, hf__pq.getvalue(r, row, 0), item->key_len);
	memcpy(item->value, hf__pq.getvalue(r, row, 1), item->value_len);
	p->n++;
	/* What follows begins at the least key that is greater. */
	p->after_len = item->key_len + 1;
	memcpy(p->after, item->key, item->key_len);
	p->after[item->key_len] = 0;
	return 1;
}

static void
got_page(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	struct hf__page *p = op->ask.page;
	size_t prefix = op->ask.key_len;
	int row, rows;

	if (!is(c, r, PGRES_TUPLES_OK))
		return;
	rows = hf__pq.ntuples(r);
	if (rows > HF__PAGE_ITEMS) {
		refuse(c, "the store answers what was not asked");
		return;
	}
	p->last = rows < HF__PAGE_ITEMS;
	for (row = 0; row < rows; row++) {
		if ((size_t)hf__pq.getlength(r, row, 0) < prefix ||
		    memcmp(hf__pq.getvalue(r, row, 0), op->ask.key, prefix) !=
			0) {
			p->last = 1;
			return;
		}
		if (!take_item(p, r, row)) {
			refuse(c, "the store answers what was not asked");
			return;
		}
	}
}

/* --- questions ---------------------------------------------------------------------------- */

static struct hf__pg_value
bytes(const void *ptr, size_t len)
{
	return (struct hf__pg_value){ ptr, len, HF__PG_BYTEA };
}

static void
send_swap(struct hf__pg_conn *c, struct hf_op *op)
{
	const struct hf__ask *a = &op->ask;
	uint8_t expires[8];
	const struct hf__pg_value key = bytes(a->key, a->key_len),
				  expected =
				      bytes(a->expected, a->expected_len),
				  next = bytes(a->value, a->value_len),
				  when = { expires, 8, HF__PG_INT8 },
				  who = { c->at->writer, HF__PG_WRITER,
					  HF__PG_TEXT };
	const struct hf__pg_value add[] = { key, next, when, who };
	const struct hf__pg_value change[] = { key, expected, next, when,
		who };
	const struct hf__pg_value drop[] = { key, expected };

	store_be(expires, a->expires);
	if (a->expected_len == 0 && a->value_len == 0)
		hf__pg_execute(c, got_absent, op, "absent", NULL, 1, &key);
	else if (a->expected_len == 0)
		hf__pg_execute(c, got_count, op, "insert", NULL, 4, add);
	else if (a->value_len == 0)
		hf__pg_execute(c, got_count, op, "remove", NULL, 2, drop);
	else if (a->quietly)
		hf__pg_execute(c, got_count, op, "update", NULL, 5, change);
	else
		hf__pg_execute(c, got_taken, op, "take", NULL, 5, change);
}

/* What becomes of old news holds no sweep up, and none back. */
static void
send_sweep(struct hf__pg_conn *c, struct hf_op *op)
{
	uint8_t now[8];
	const struct hf__pg_value until = { now, 8, HF__PG_INT8 };

	store_be(now, op->ask.expires);
	hf__pg_execute(c, got_swept, op, "sweep", NULL, 1, &until);
	hf__pg_end(c, op);
	hf__pg_execute(c, got_hint, NULL, "forget", NULL, 0, NULL);
	hf__pg_end(c, NULL);
}

void
hf__pg_send(void *conn, struct hf_op *op)
{
	struct hf__pg_conn *c = conn;
	const struct hf__ask *a = &op->ask;
	struct hf__pg_value one = bytes(a->key, a->key_len);

	switch (a->kind) {
	case HF__OP_GET:
		hf__pg_execute(c, got_value, op, "get", NULL, 1, &one);
		break;
	case HF__OP_SWAP:
		send_swap(c, op);
		break;
	case HF__OP_PAGE:
		if (a->page->after_len > 0)
			one = bytes(a->page->after, a->page->after_len);
		hf__pg_execute(c, got_page, op, "page", NULL, 1, &one);
		break;
	default:
		send_sweep(c, op);
		return;
	}
	hf__pg_end(c, op);
}

/* --- news ----------------------------------------------------------------------------------- */

static void
see(struct hf__pg_conn *c, uint64_t number)
{
	if (c->line == NULL || number <= c->seen)
		return;
	c->seen = number;
	(void)snprintf(hf__line_mark(c->line), HF__LINE_MARK, "%llu",
	    (unsigned long long)number);
}

static void
news(struct hf__pg_conn *c, const char *writer, size_t len, const uint8_t *key,
    size_t key_len)
{
	if (c->line == NULL || key_len == 0 || key_len > HF_STORE_KEY_MAX ||
	    (len == HF__PG_WRITER && memcmp(writer, c->at->writer, len) == 0))
		return;
	hf__line_news(c->line, (struct hf_span){ key, key_len });
}

static void
got_news(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	int row;

	(void)op;
	if (hf__pq.resultStatus(r) != PGRES_TUPLES_OK)
		return; /* they are hints */
	for (row = 0; row < hf__pq.ntuples(r); row++) {
		if (hf__pq.getlength(r, row, 0) != 8)
			return;
		see(c, load_be(hf__pq.getvalue(r, row, 0)));
		if (hf__pq.nfields(r) == 3)
			news(c, hf__pq.getvalue(r, row, 1),
			    (size_t)hf__pq.getlength(r, row, 1),
			    (const uint8_t *)hf__pq.getvalue(r, row, 2),
			    (size_t)hf__pq.getlength(r, row, 2));
	}
}

static void
tell(uv_timer_t *timer)
{
	struct hf__pg_conn *c = timer->data;
	struct hf__pg_value change[2];
	size_t i, n = c->told_n;

	c->told_n = 0;
	change[0] =
	    (struct hf__pg_value){ c->at->writer, HF__PG_WRITER, HF__PG_TEXT };
	for (i = 0; i < n && c->line != NULL && c->up; i++) {
		change[1] = bytes(c->told[i].key, c->told[i].len);
		hf__pg_execute(c, got_hint, NULL, "tell", NULL, 2, change);
		hf__pg_end(c, NULL);
	}
}

/* That this process has it now. Whoever had it finds out by himself, if not by
 * this. */
static void
tell_later(struct hf__pg_conn *c, const struct hf__ask *a)
{
	if (c->told_n == HF__PG_TOLD)
		tell(&c->timer);
	if (c->line == NULL)
		return;
	memcpy(c->told[c->told_n].key, a->key, a->key_len);
	c->told[c->told_n++].len = a->key_len;
	if (hf__line_blocks(c->line))
		tell(&c->timer);
	else if (!uv_is_active((uv_handle_t *)&c->timer))
		(void)uv_timer_start(&c->timer, tell, HF__PG_TELL_MS, 0);
}

/* From now on; and what came since the last time. */
void
hf__pg_watch(void *conn)
{
	struct hf__pg_conn *c = conn;
	const char *mark = hf__line_mark(c->line);
	uint64_t from = strtoull(mark, NULL, 10);
	struct hf__pg_value one;
	uint8_t number[8];

	hf__pg_execute(c, got_hint, NULL, NULL, "LISTEN handfast", 0, NULL);
	hf__pg_end(c, NULL);
	if (c->line == NULL)
		return;
	if (*mark == '\0') {
		memcpy(hf__line_mark(c->line), "0", 2);
		hf__pg_execute(c, got_news, NULL, "last", NULL, 0, NULL);
	} else {
		c->seen = from;
		store_be(number, from > READ_AGAIN ? from - READ_AGAIN : 0);
		one = (struct hf__pg_value){ number, 8, HF__PG_INT8 };
		hf__pg_execute(c, got_news, NULL, "news", NULL, 1, &one);
	}
	hf__pg_end(c, NULL);
}

/* NUMBER WRITER KEY, the key in hexadecimal. */
void
hf__pg_notified(struct hf__pg_conn *c, const char *words)
{
	uint8_t key[HF_STORE_KEY_MAX];
	const char *writer, *hex;
	char *end;
	uint64_t number = strtoull(words, &end, 10);
	size_t n = 0;

	if (*end != ' ' || strlen(end) <= HF__PG_WRITER + 2)
		return;
	writer = end + 1;
	hex = writer + HF__PG_WRITER + 1;
	/* Anybody who may connect there can say what he likes. */
	if (sodium_hex2bin(key, sizeof(key), hex, strlen(hex), NULL, &n,
		NULL) != 0)
		return;
	see(c, number);
	news(c, writer, HF__PG_WRITER, key, n);
}

/* --- the beginning ----------------------------------------------------------------------------- */

static void
got_entry(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	(void)op;
	if (hf__pq.resultStatus(r) == PGRES_FATAL_ERROR)
		hf__pg_down(c, hf__pg_words(r));
}

static void
got_version(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	char words[100];

	got_entry(c, op, r);
	if (c->line == NULL || hf__pq.resultStatus(r) != PGRES_TUPLES_OK)
		return;
	if (hf__pq.ntuples(r) == 1 && hf__pq.getlength(r, 0, 0) == 8 &&
	    load_be(hf__pq.getvalue(r, 0, 0)) == HF__PG_SCHEMA)
		return;
	(void)snprintf(words, sizeof(words),
	    "the store's schema is of version %llu, not %d",
	    hf__pq.ntuples(r) == 1 && hf__pq.getlength(r, 0, 0) == 8 ?
		(unsigned long long)load_be(hf__pq.getvalue(r, 0, 0)) :
		0ULL,
	    HF__PG_SCHEMA);
	hf__pg_down(c, words);
}

/* One to whom an older version gave its rights would take, and tell nobody. */
static void
got_rights(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	got_entry(c, op, r);
	if (c->line != NULL && hf__pq.resultStatus(r) == PGRES_TUPLES_OK &&
	    (hf__pq.ntuples(r) != 1 || hf__pq.getlength(r, 0, 0) != 1 ||
		*hf__pq.getvalue(r, 0, 0) == 0))
		hf__pg_down(c,
		    "the role lacks rights of this version; "
		    "handfast store init --grant gives them");
}

/* What takes too long is given up by the server, before we do. */
void
hf__pg_introduce(struct hf__pg_conn *c)
{
	char ms[24];
	const struct hf__pg_value limit = { ms,
		(size_t)snprintf(ms, sizeof(ms), "%llu",
		    (unsigned long long)hf__line_deadline(c->line) * 3 / 4),
		HF__PG_TEXT };
	size_t i;

	hf__pg_execute(c, got_entry, NULL, NULL,
	    "SELECT set_config('statement_timeout', $1, false), "
	    "set_config('search_path', '', false), "
	    "set_config('default_transaction_isolation', 'read committed', "
	    "false)",
	    1, &limit);
	hf__pg_execute(c, got_version, NULL, NULL,
	    "SELECT max(number)::bigint FROM handfast.version", 0, NULL);
	hf__pg_execute(c, got_rights, NULL, NULL,
	    "SELECT NOT has_table_privilege('handfast.entry', 'UPDATE') OR "
	    "has_column_privilege('handfast.change', 'writer', 'INSERT') AND "
	    "has_column_privilege('handfast.change', 'key', 'INSERT') AND "
	    "has_table_privilege('handfast.change', 'SELECT') AND "
	    "has_table_privilege('handfast.change', 'DELETE') AND "
	    "has_sequence_privilege('handfast.changes', 'USAGE')",
	    0, NULL);
	for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		hf__pg_prepare(c, statements[i].name, statements[i].sql);
	hf__pg_end(c, NULL);
}
