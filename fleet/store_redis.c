/* SPDX-License-Identifier: ISC */
/*
 * What a Redis is asked, and what its answers mean. A value stands under
 * "handfast:e:" and its key, after the name of who wrote it; one script
 * compares and sets. Expiry is the server's: it is told how long from now, so
 * that clocks need not agree. When somebody writes over a value of somebody
 * else, the script says so in the stream "handfast:changes", which is read on
 * from where one was: what was missed while a connection was lost comes later.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store_redis.h"

#define PREFIX "handfast:e:"
#define CHANGES "handfast:changes"
/* Longer than that is for ever. */
#define TTL_MAX_MS ((uint64_t)1 << 50)

enum {
	PREFIX_LEN = sizeof(PREFIX) - 1,
	WATCH_MS = 200,
	ARGS_MAX = HF__PAGE_ITEMS + 1,
	/* Bytes of the names of one listing: a scan has them in no order, so
	 * they are all here before the first is told. Of sessions they are ten
	 * million. */
	NAMES_MAX = 1 << 28
};

/* KEYS: the value's key, the stream. ARGV: expected, next, milliseconds or 0,
 * the writer, the key as we name it. The stream is only a hint: where it
 * cannot be written the value still is. */
const char hf__redis_script[] =
    "local old = redis.call('GET', KEYS[1]) or ''\n"
    "if string.sub(old, 17) ~= ARGV[1] then return 0 end\n"
    "if ARGV[2] == '' then redis.call('DEL', KEYS[1])\n"
    "elseif ARGV[3] == '0' then\n"
    "  redis.call('SET', KEYS[1], ARGV[4] .. ARGV[2])\n"
    "else\n"
    "  redis.call('SET', KEYS[1], ARGV[4] .. ARGV[2], 'PX', ARGV[3])\n"
    "end\n"
    "if old ~= '' and string.sub(old, 1, 16) ~= ARGV[4] then\n"
    "  redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', 8192, '*',\n"
    "    'w', ARGV[4], 'k', ARGV[5])\n"
    "end\n"
    "return 1\n";

/* --- answers ---------------------------------------------------------------------------- */

static void
answer(struct hf__redis_conn *c, struct hf_op *op, enum hf_err e,
    const char *why)
{
	if (c->line != NULL)
		hf__line_answer(c->line, op, e, why);
}

static int
begins(const redisReply *r, const char *word)
{
	return strncmp(r->str, word, strlen(word)) == 0;
}

static void
refused(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	int error = r->type == REDIS_REPLY_ERROR;

	answer(c, op, HF_E_STORE,
	    error ? hf__redis_words(r->str) :
		    "the store answers what was not asked");
	/* What has become a replica may have moved elsewhere. */
	if (error &&
	    (begins(r, "READONLY ") || begins(r, "MASTERDOWN ") ||
		begins(r, "LOADING ")))
		hf__redis_down(c, hf__redis_words(r->str));
}

static size_t
key_of(char out[PREFIX_LEN + HF_STORE_KEY_MAX], const uint8_t *key, size_t len)
{
	memcpy(out, PREFIX, PREFIX_LEN);
	memcpy(out + PREFIX_LEN, key, len);
	return PREFIX_LEN + len;
}

/* --- one key ---------------------------------------------------------------------------- */

static void
got_value(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	size_t len;

	if (r->type == REDIS_REPLY_NIL) {
		answer(c, op, HF_E_NO_SESSION, NULL);
		return;
	}
	if (r->type != REDIS_REPLY_STRING || r->len <= HF__REDIS_WRITER ||
	    (size_t)r->len > HF__REDIS_WRITER + sizeof(op->ask.value)) {
		refused(c, op, r);
		return;
	}
	len = (size_t)r->len - HF__REDIS_WRITER;
	memcpy(op->ask.value, r->str + HF__REDIS_WRITER, len);
	op->ask.value_len = len;
	answer(c, op, HF_OK, NULL);
}

static void
send_get(struct hf__redis_conn *c, struct hf_op *op)
{
	char key[PREFIX_LEN + HF_STORE_KEY_MAX];
	const char *words[2] = { "GET", key };
	size_t lengths[2] = { 3, 0 };

	lengths[1] = key_of(key, op->ask.key, op->ask.key_len);
	hf__redis_command(c, got_value, op, 2, words, lengths);
}

static void send_swap(struct hf__redis_conn *, struct hf_op *);
static void
got_swapped(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	if (r->type == REDIS_REPLY_INTEGER)
		answer(c, op, r->integer == 1 ? HF_OK : HF_E_FENCED, NULL);
	else if (r->type == REDIS_REPLY_ERROR && op->again++ == 0 &&
	    begins(r, "NOSCRIPT ")) {
		hf__redis_load(c);
		if (c->wire != NULL)
			send_swap(c, op);
	} else
		refused(c, op, r);
}

/* In milliseconds; what has expired goes at once. */
static void
ttl(char out[24], uint64_t expires)
{
	uint64_t now = (uint64_t)time(NULL), ms;

	if (expires <= now)
		ms = 1;
	else if (expires - now > TTL_MAX_MS / 1000)
		ms = 0;
	else
		ms = (expires - now) * 1000;
	(void)snprintf(out, 24, "%llu", (unsigned long long)ms);
}

static void
send_swap(struct hf__redis_conn *c, struct hf_op *op)
{
	char key[PREFIX_LEN + HF_STORE_KEY_MAX], ms[24];
	const struct hf__ask *a = &op->ask;
	const char *words[] = { "EVALSHA", c->sha, "2", key, CHANGES,
		(const char *)a->expected, (const char *)a->value, ms,
		c->at->writer, (const char *)a->key };
	size_t lengths[] = { 7, HF__REDIS_SHA - 1, 1, 0, sizeof(CHANGES) - 1,
		a->expected_len, a->value_len, 0, HF__REDIS_WRITER,
		a->key_len };

	ttl(ms, a->expires);
	lengths[3] = key_of(key, a->key, a->key_len);
	lengths[7] = strlen(ms);
	hf__redis_command(c, got_swapped, op, 10, words, lengths);
}

/* --- many keys --------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const uint8_t *x = *(uint8_t *const *)a, *y = *(uint8_t *const *)b;
	int r = memcmp(x + 1, y + 1, x[0] < y[0] ? x[0] : y[0]);

	return r != 0 ? r : (int)x[0] - (int)y[0];
}

/* Returns why it cannot; NULL where it can. */
static const char *
note_name(struct hf__page *p, const char *key, size_t len)
{
	uint8_t **more, *name;

	if (len <= PREFIX_LEN || len > PREFIX_LEN + HF_STORE_KEY_MAX)
		return NULL;
	len -= PREFIX_LEN;
	p->name_bytes += sizeof(*p->name) + 1 + len;
	if (p->name_bytes > NAMES_MAX)
		return "the store has more names than can be listed";
	if (p->name_n == p->name_cap) {
		more =
		    realloc(p->name, (2 * p->name_cap + 64) * sizeof(*more));
		if (more == NULL)
			return "out of memory";
		p->name = more;
		p->name_cap = 2 * p->name_cap + 64;
	}
	if ((name = malloc(1 + len)) == NULL)
		return "out of memory";
	name[0] = (uint8_t)len;
	memcpy(name + 1, key + PREFIX_LEN, len);
	p->name[p->name_n++] = name;
	return NULL;
}

static const char *
note_names(struct hf__page *p, const redisReply *list)
{
	const char *why = NULL;
	size_t i;

	for (i = 0; why == NULL && i < list->elements; i++)
		why = list->element[i]->type == REDIS_REPLY_STRING ?
		    note_name(p, list->element[i]->str,
			(size_t)list->element[i]->len) :
		    "the store answers what was not asked";
	return why;
}

/* What a scan tells twice is one. */
static void
sort_names(struct hf__page *p)
{
	size_t i, n = 0;

	if (p->name_n > 0)
		qsort(p->name, p->name_n, sizeof(*p->name), compare);
	for (i = 0; i < p->name_n; i++)
		if (n > 0 && compare(&p->name[n - 1], &p->name[i]) == 0)
			free(p->name[i]);
		else
			p->name[n++] = p->name[i];
	p->name_n = n;
}

static int
take_item(struct hf__page *p, const uint8_t *name, const redisReply *r)
{
	struct hf__page_item *item = &p->item[p->n];

	if (r->type == REDIS_REPLY_NIL) /* gone meanwhile */
		return 1;
	if (r->type != REDIS_REPLY_STRING || r->len <= HF__REDIS_WRITER ||
	    r->len > HF__REDIS_WRITER + HF_STORE_VALUE_MAX)
		return 0;
	item->value_len = (size_t)r->len - HF__REDIS_WRITER;
	if ((item->value = malloc(item->value_len)) == NULL)
		return 0;
	memcpy(item->value, r->str + HF__REDIS_WRITER, item->value_len);
	item->key_len = name[0];
	memcpy(item->key, name + 1, name[0]);
	p->n++;
	return 1;
}

static void
got_items(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	struct hf__page *p = op->ask.page;
	size_t i, n = p->name_n - p->name_at;

	if (n > HF__PAGE_ITEMS)
		n = HF__PAGE_ITEMS;
	if (r->type != REDIS_REPLY_ARRAY || r->elements != n) {
		refused(c, op, r);
		return;
	}
	for (i = 0; i < n; i++)
		if (!take_item(p, p->name[p->name_at + i], r->element[i])) {
			refused(c, op, r);
			return;
		}
	p->name_at += n;
	p->last = p->name_at == p->name_n;
	answer(c, op, HF_OK, NULL);
}

static void
ask_items(struct hf__redis_conn *c, struct hf_op *op)
{
	char keys[HF__PAGE_ITEMS][PREFIX_LEN + HF_STORE_KEY_MAX];
	struct hf__page *p = op->ask.page;
	const char *words[ARGS_MAX] = { "MGET" };
	size_t lengths[ARGS_MAX] = { 4 }, i;

	for (i = 0; i < HF__PAGE_ITEMS && p->name_at + i < p->name_n; i++) {
		lengths[1 + i] = key_of(keys[i], p->name[p->name_at + i] + 1,
		    p->name[p->name_at + i][0]);
		words[1 + i] = keys[i];
	}
	p->last = i == 0;
	if (i == 0)
		answer(c, op, HF_OK, NULL);
	else
		hf__redis_command(c, got_items, op, (int)(1 + i), words,
		    lengths);
}

static void scan(struct hf__redis_conn *, struct hf_op *, const char *);

static void
got_names(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	struct hf__page *p = op->ask.page;
	const char *why;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[1]->type != REDIS_REPLY_ARRAY) {
		refused(c, op, r);
		return;
	}
	why = note_names(p, r->element[1]);
	if (why == NULL && !hf__op_progress(op))
		why = "the store's listing does not end";
	if (why != NULL) {
		answer(c, op, HF_E_STORE, why);
		return;
	}
	if (strcmp(r->element[0]->str, "0") != 0) {
		scan(c, op, r->element[0]->str);
		return;
	}
	sort_names(p);
	ask_items(c, op);
}

/* All keys that match; what has a meaning in patterns is escaped. */
static void
scan(struct hf__redis_conn *c, struct hf_op *op, const char *cursor)
{
	char match[PREFIX_LEN + 2 * HF_STORE_KEY_MAX + 1];
	const char *words[] = { "SCAN", cursor, "MATCH", match, "COUNT",
		"1000" };
	size_t lengths[] = { 4, strlen(cursor), 5, 0, 5, 4 };
	size_t i, n = PREFIX_LEN;

	memcpy(match, PREFIX, PREFIX_LEN);
	for (i = 0; i < op->ask.key_len; i++) {
		if (strchr("*?[]\\^-", op->ask.key[i]) != NULL)
			match[n++] = '\\';
		match[n++] = (char)op->ask.key[i];
	}
	match[n++] = '*';
	lengths[3] = n;
	hf__redis_command(c, got_names, op, 6, words, lengths);
}

void
hf__redis_send(void *conn, struct hf_op *op)
{
	struct hf__redis_conn *c = conn;

	switch (op->ask.kind) {
	case HF__OP_GET:
		send_get(c, op);
		return;
	case HF__OP_SWAP:
		send_swap(c, op);
		return;
	case HF__OP_PAGE:
		if (op->ask.page->name == NULL)
			scan(c, op, "0");
		else
			ask_items(c, op);
		return;
	default: /* the server sweeps by itself */
		answer(c, op, HF_OK, NULL);
	}
}

/* --- news ---------------------------------------------------------------------------------- */

/* [id, ["w", writer, "k", key]] */
static void
take_change(struct hf__redis_conn *c, const redisReply *r)
{
	const redisReply *f;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[0]->len >= HF__REDIS_ID)
		return;
	memcpy(c->seen, r->element[0]->str, (size_t)r->element[0]->len + 1);
	f = r->element[1];
	if (f->type != REDIS_REPLY_ARRAY || f->elements != 4 ||
	    f->element[1]->type != REDIS_REPLY_STRING ||
	    f->element[3]->type != REDIS_REPLY_STRING ||
	    f->element[3]->len > HF_STORE_KEY_MAX ||
	    strcmp(f->element[1]->str, c->at->writer) == 0)
		return;
	if (c->line != NULL)
		hf__line_news(c->line,
		    (struct hf_span){ (const uint8_t *)f->element[3]->str,
			(size_t)f->element[3]->len });
}

/* For the next connection. */
static void
remember(struct hf__redis_conn *c)
{
	if (c->line != NULL)
		(void)snprintf(hf__line_mark(c->line), HF__REDIS_ID, "%s",
		    c->seen);
}

/* [[name, [change, ...]]], or nil */
static void
got_news(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	const redisReply *list;
	size_t i;

	(void)op;
	c->asking = 0;
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 1 ||
	    r->element[0]->type != REDIS_REPLY_ARRAY ||
	    r->element[0]->elements != 2 ||
	    r->element[0]->element[1]->type != REDIS_REPLY_ARRAY)
		return;
	list = r->element[0]->element[1];
	for (i = 0; i < list->elements && c->line != NULL; i++)
		take_change(c, list->element[i]);
	remember(c);
}

static void
look(uv_timer_t *timer)
{
	struct hf__redis_conn *c = timer->data;
	const char *const words[] = { "XREAD", "COUNT", "1000", "STREAMS",
		CHANGES, c->seen };

	if (c->asking)
		return; /* one at a time */
	c->asking = 1;
	hf__redis_say(c, got_news, NULL, 6, words);
}

/* Where a watcher begins that was not here before: at the end. */
static void
got_last(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	(void)op;
	memcpy(c->seen, "0-0", 4);
	if (r->type == REDIS_REPLY_ARRAY && r->elements == 1 &&
	    r->element[0]->type == REDIS_REPLY_ARRAY &&
	    r->element[0]->elements == 2 &&
	    r->element[0]->element[0]->type == REDIS_REPLY_STRING &&
	    r->element[0]->element[0]->len < HF__REDIS_ID)
		memcpy(c->seen, r->element[0]->element[0]->str,
		    (size_t)r->element[0]->element[0]->len + 1);
	remember(c);
	if (c->line != NULL)
		(void)uv_timer_start(&c->watch, look, 0, WATCH_MS);
}

void
hf__redis_watch(void *conn)
{
	static const char *const words[] = { "XREVRANGE", CHANGES, "+", "-",
		"COUNT", "1" };
	struct hf__redis_conn *c = conn;

	(void)snprintf(c->seen, sizeof(c->seen), "%s", hf__line_mark(c->line));
	if (c->seen[0] != '\0')
		(void)uv_timer_start(&c->watch, look, 0, WATCH_MS);
	else
		hf__redis_say(c, got_last, NULL, 6, words);
}
