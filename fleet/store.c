/* SPDX-License-Identifier: ISC */
/*
 * Stores behind one interface: which engine a URI means, and the calls of
 * those who have no loop. It knows nothing of what is stored. A store that
 * hangs costs the ones who ask it their deadline, and nobody else anything.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

enum { CLOSE_MS = 2000 };

void
hf__store_say(char out[HF_STORE_REASON_MAX], const char *words)
{
	size_t len = strcspn(words, "\n"); /* libpq's come as several lines */

	if (len >= HF_STORE_REASON_MAX)
		len = HF_STORE_REASON_MAX - 1;
	memcpy(out, words, len);
	out[len] = '\0';
}

static const struct hf__engine *
find_engine(struct hf__engine *out, const char *uri, const char **where)
{
	const struct hf__engine engines[] = {
		{ "lmdb:", &hf__store_lmdb, NULL },
		{ "redis:", NULL, hf__store_redis },
		{ "rediss:", NULL, hf__store_redis },
		{ "postgresql:", NULL, hf__store_postgres },
		{ "postgres:", NULL, hf__store_postgres },
	};
	size_t i, len;

	for (i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		len = strlen(engines[i].scheme);
		if (strncmp(uri, engines[i].scheme, len) == 0) {
			*where = engines[i].local != NULL ? uri + len : uri;
			*out = engines[i];
			return out;
		}
	}
	return NULL;
}

/* --- remote ------------------------------------------------------------------------- */

/* Until the first connection stands, or could not be made. */
static enum hf_err
await_line(struct hf_store *s)
{
	int state;

	do {
		(void)uv_run(&s->loop, UV_RUN_ONCE);
		state = hf__line_state(s->port->line);
	} while (state == 0);
	return state > 0 ? HF_OK : HF_E_STORE;
}

static void
nothing(uv_timer_t *timer)
{
	(void)timer;
}

/* The loop sees to its handles, for a while. Returns 0 when something never
 * came back. */
static int
end_remote(struct hf_store *s)
{
	uint64_t until = hf__store_ms() + CLOSE_MS;

	hf_port_close(s->port);
	s->port = NULL;
	(void)uv_timer_start(&s->alive, nothing, 10, 10);
	uv_unref((uv_handle_t *)&s->alive);
	while (uv_loop_alive(&s->loop) && hf__store_ms() < until)
		(void)uv_run(&s->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&s->alive, NULL);
	(void)uv_run(&s->loop, UV_RUN_NOWAIT);
	uv_mutex_destroy(&s->waiting);
	return uv_loop_close(&s->loop) == 0;
}

static enum hf_err
open_remote(struct hf_store *s, const char *uri)
{
	const struct hf__remote *r = s->engine.remote;
	const char *reason = "";
	enum hf_err e;

	s->reason = s->said;
	e = r->open(&s->at, uri, &reason);
	hf__store_say(s->said, reason);
	if (e != HF_OK) {
		s->at = NULL;
		return e;
	}
	if (uv_mutex_init(&s->waiting) != 0)
		goto no_mutex;
	if (uv_loop_init(&s->loop) != 0)
		goto no_loop;
	s->running = 1;
	(void)uv_timer_init(&s->loop, &s->alive);
	(void)uv_timer_start(&s->alive, nothing, CLOSE_MS, CLOSE_MS);
	if ((e = hf_port_open(&s->port, s, &s->loop)) != HF_OK)
		return e;
	return await_line(s);
no_loop:
	uv_mutex_destroy(&s->waiting);
no_mutex:
	r->close(s->at);
	s->at = NULL;
	return HF_E_MEMORY;
}

/* --- opening -------------------------------------------------------------------------- */

static const char absent[] =
    "this build has no client library for such a store";

static enum hf_err
open_local(struct hf_store *s, const char *where)
{
	const struct hf__local *l = s->engine.local;
	enum hf_err e;

	if ((e = l->open(&s->at, where, &s->reason)) != HF_OK) {
		s->at = NULL;
		return e;
	}
	if ((e = hf__thread_new(&s->thread, l, s->at, &s->reason)) == HF_OK)
		return HF_OK;
	l->close(s->at);
	s->at = NULL;
	return e;
}

enum hf_err
hf_store_open(struct hf_store **store, const char *uri)
{
	struct hf__engine engine;
	struct hf_store *s;
	const char *where;

	*store = NULL;
	if (find_engine(&engine, uri, &where) == NULL)
		return HF_E_ARG;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return HF_E_MEMORY;
	s->engine = engine;
	s->reason = "";
	*store = s; /* for its reason */
	if (s->engine.local != NULL)
		return open_local(s, where);
	if (s->engine.remote != NULL)
		return open_remote(s, where);
	s->reason = absent;
	return HF_E_UNSUPPORTED;
}

void
hf_store_close(struct hf_store *s)
{
	if (s == NULL)
		return;
	/* What never came back may still use the rest. */
	if (s->thread != NULL && !hf__thread_end(s->thread))
		return;
	if (s->running && !end_remote(s))
		return;
	if (s->at != NULL && s->engine.local != NULL)
		s->engine.local->close(s->at);
	else if (s->at != NULL)
		s->engine.remote->close(s->at);
	free(s);
}

/* A remote engine alone, which connects to nothing yet. */
static enum hf_err
open_engine(void **at, const struct hf__remote *remote, const char *where,
    char reason[HF_STORE_REASON_MAX])
{
	const char *why = absent;
	enum hf_err e = HF_E_UNSUPPORTED;

	*at = NULL;
	if (remote != NULL) {
		why = "";
		e = remote->open(at, where, &why);
	}
	hf__store_say(reason, why);
	return e;
}

enum hf_err
hf_store_known(const char *uri, char reason[HF_STORE_REASON_MAX])
{
	struct hf__engine engine;
	const char *where, *why = "";
	enum hf_err e;
	void *at;

	*reason = '\0';
	if (find_engine(&engine, uri, &where) == NULL || *where == '\0')
		return HF_E_ARG;
	if (engine.local != NULL) {
		e = engine.local->judge(where, &why);
		hf__store_say(reason, why);
		return e;
	}
	if ((e = open_engine(&at, engine.remote, where, reason)) == HF_OK)
		engine.remote->close(at);
	return e;
}

enum hf_err
hf_store_find(const char *uri)
{
	struct hf__engine engine;
	const char *where;

	if (find_engine(&engine, uri, &where) == NULL || *where == '\0')
		return HF_E_ARG;
	return engine.local == NULL || engine.local->is_there(where) ?
	    HF_OK :
	    HF_E_STORE;
}

enum hf_err
hf_store_init(const char *uri, const char *role, uint64_t ms,
    char reason[HF_STORE_REASON_MAX])
{
	struct hf_store *s = NULL;
	struct hf__engine engine;
	const char *where;
	enum hf_err e;
	void *at;

	*reason = '\0';
	if (find_engine(&engine, uri, &where) == NULL)
		return HF_E_ARG;
	if (engine.remote != NULL && engine.remote->init != NULL) {
		if ((e = open_engine(&at, engine.remote, where, reason)) !=
		    HF_OK)
			return e;
		e = engine.remote->init(at, role, ms, reason);
		engine.remote->close(at);
		return e;
	}
	/* Nothing is to be made but what opening makes. */
	if ((e = hf_store_open(&s, uri)) == HF_OK && role != NULL)
		e = HF_E_UNSUPPORTED;
	hf__store_say(reason, hf_store_reason(s));
	hf_store_close(s);
	return e; /* NOLINT(clang-analyzer-unix.Malloc): it is closed */
}

const char *
hf_store_reason(const struct hf_store *s)
{
	return s == NULL ? "" : s->reason;
}

/* --- without a loop ------------------------------------------------------------------- */

struct waiter {
	int done;
	enum hf_err err;
	uint8_t *value;
	size_t len;
};

static void
waited(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	struct waiter *w = arg;

	w->done = 1;
	w->err = e;
	w->len = len;
	if (len > 0 && w->value != NULL)
		memcpy(w->value, value, len);
}

/* One operation over the store's own connection. A look at that comes first:
 * the store may have closed it long ago. */
static enum hf_err
ask_remote(struct hf_store *s, struct hf_op *op, struct waiter *w)
{
	(void)uv_run(&s->loop, UV_RUN_NOWAIT);
	op->done = waited;
	op->arg = w;
	if (hf__port_submit(s->port, op) == NULL)
		return HF_E_STORE;
	while (!w->done)
		(void)uv_run(&s->loop, UV_RUN_ONCE);
	return w->err;
}

static enum hf_err
ask(struct hf_store *s, struct hf_op *op, uint8_t *value, size_t *len)
{
	struct waiter w = { 0, HF_E_STORE, value, 0 };
	enum hf_err e;

	if (s->engine.local != NULL) {
		s->engine.local->ask(s->at, &op->ask, &s->reason);
		waited(&w, op->ask.err, op->ask.value,
		    op->ask.err == HF_OK ? op->ask.value_len : 0);
		e = w.err;
		hf__op_free(op);
	} else {
		uv_mutex_lock(&s->waiting);
		e = ask_remote(s, op, &w);
		uv_mutex_unlock(&s->waiting);
	}
	if (len != NULL)
		*len = w.len;
	return e;
}

enum hf_err
hf_store_get(struct hf_store *s, struct hf_span key,
    uint8_t value[HF_STORE_VALUE_MAX], size_t *len)
{
	struct hf_op *op = hf__op_new(key, NULL, NULL);

	*len = 0;
	return op == NULL ? HF_E_ARG : ask(s, op, value, len);
}

enum hf_err
hf_store_swap(struct hf_store *s, struct hf_span key, struct hf_span expected,
    struct hf_span next, uint64_t expires)
{
	struct hf_op *op = hf__op_new(key, NULL, NULL);

	if (op == NULL)
		return HF_E_ARG;
	if (hf__ask_swap(&op->ask, expected, next, expires))
		return ask(s, op, NULL, NULL);
	hf__op_free(op);
	return HF_E_ARG;
}

/* --- many keys ------------------------------------------------------------------------ */

static void
page_clear(struct hf__page *page)
{
	size_t i;

	for (i = 0; i < page->n; i++) {
		sodium_memzero(page->item[i].value, page->item[i].value_len);
		free(page->item[i].value);
	}
	page->n = 0;
}

static enum hf_err
next_page(struct hf_store *s, struct hf_span prefix, struct hf__page *page)
{
	struct hf_op *op = calloc(1, sizeof(*op));

	page_clear(page);
	if (op == NULL)
		return HF_E_MEMORY;
	op->ask.kind = HF__OP_PAGE;
	op->ask.page = page;
	if (prefix.len > 0)
		memcpy(op->ask.key, prefix.ptr, prefix.len);
	op->ask.key_len = prefix.len;
	return ask(s, op, NULL, NULL);
}

/* Calls nobody while the store is being asked: `each` may ask it too. */
static enum hf_err
list_remote(struct hf_store *s, struct hf_span prefix,
    int (*each)(void *arg, struct hf_span key, struct hf_span value),
    void *arg)
{
	struct hf__page *page = calloc(1, sizeof(*page));
	enum hf_err e = HF_OK;
	int more = 1;
	size_t i;

	if (page == NULL)
		return HF_E_MEMORY;
	while (e == HF_OK && more && !page->last) {
		e = next_page(s, prefix, page);
		for (i = 0; e == HF_OK && more && i < page->n; i++)
			more = each(arg,
			    (struct hf_span){ page->item[i].key,
				page->item[i].key_len },
			    (struct hf_span){ page->item[i].value,
				page->item[i].value_len });
	}
	page_clear(page);
	for (i = 0; i < page->name_n; i++)
		free(page->name[i]);
	free(page->name);
	free(page);
	return e;
}

enum hf_err
hf_store_list(struct hf_store *s, struct hf_span prefix,
    int (*each)(void *arg, struct hf_span key, struct hf_span value),
    void *arg)
{
	if (prefix.len > HF_STORE_KEY_MAX)
		return HF_E_ARG;
	return s->engine.local != NULL ?
	    s->engine.local->list(s->at, prefix, each, arg, &s->reason) :
	    list_remote(s, prefix, each, arg);
}

enum hf_err
hf_store_sweep(struct hf_store *s, uint64_t now, size_t *n)
{
	struct hf_op *op;

	*n = 0;
	if (s->engine.local != NULL)
		return s->engine.local->sweep(s->at, now, n, &s->reason);
	if ((op = calloc(1, sizeof(*op))) == NULL)
		return HF_E_MEMORY;
	op->ask.kind = HF__OP_SWEEP;
	op->ask.expires = now;
	/* As a number of bytes: the answer of a sweep has no other. */
	return ask(s, op, NULL, n);
}
