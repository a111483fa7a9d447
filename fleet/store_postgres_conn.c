/* SPDX-License-Identifier: ISC */
/*
 * A connection to a PostgreSQL on a loop, by libpq in pipeline mode: each
 * operation is a transaction of its own, sent without waiting for the one
 * before.
 */
#include <stdlib.h>
#include <string.h>

#include "store_postgres.h"

/* A socket that is watched. libpq may go on with another one, under the same
 * number: each is watched by a handle of its own. */
struct hf__pg_poll {
	uv_poll_t handle;
	struct hf__pg_conn *conn;
};

void
hf__pg_down(struct hf__pg_conn *c, const char *why)
{
	if (c->line != NULL)
		hf__line_down(c->line, why);
}

const char *
hf__pg_words(const PGresult *r)
{
	static const struct {
		const char *state, *words;
	} known[] = {
		{ "42501", "the role has no right to do that in the store" },
		{ "42P01",
		    "there is no schema for handfast in the store; "
		    "handfast store init makes it" },
		{ "3F000",
		    "there is no schema for handfast in the store; "
		    "handfast store init makes it" },
		{ "25006", "the store is a standby that takes no writes" },
		{ "53100", "the store's disk is full" },
		{ "53200", "the store is out of memory" },
		{ "53300", "the store has too many clients" },
		{ "55P03", "the store took too long" },
		{ "57014", "the store took too long" },
		{ "57P01", "the store is being stopped" },
		{ "57P02", "the store is being stopped" },
		{ "57P03", "the store is still starting" },
	};
	const char *state = hf__pq.resultErrorField(r, PG_DIAG_SQLSTATE);
	size_t i;

	for (i = 0; state != NULL && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(state, known[i].state) == 0)
			return known[i].words;
	return "the store refuses what it was asked";
}

/* connection to server at "...", port ... failed: FATAL:  words
 * A line for each address that a name has, and each host: where one answered,
 * what it said is told, not that nobody listens at another. */
const char *
hf__pg_message(const PGconn *pg)
{
	static const char refused[] = "Connection refused";
	const char *words = hf__pq.errorMessage(pg), *at = words;

	while ((at = strstr(at, " failed: ")) != NULL) {
		words = at += 9;
		if (strncmp(words, refused, sizeof(refused) - 1) != 0)
			break;
	}
	if (strncmp(words, "FATAL:  ", 8) == 0)
		words += 8;
	return *words == '\0' ? "the connection was lost" : words;
}

/* --- watching the socket ------------------------------------------------------------------------ */

static void
poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
unwatch(struct hf__pg_conn *c)
{
	if (c->poll == NULL)
		return;
	c->poll->conn = NULL;
	uv_close((uv_handle_t *)&c->poll->handle, poll_closed);
	c->poll = NULL;
	c->watched = 0;
}

/* To begin anew costs two calls of the kernel, so not where nothing changes:
 * `ready` is another one only after unwatch(). */
static int
watch(struct hf__pg_conn *c, int events, uv_poll_cb ready)
{
	struct hf__pg_poll *p;

	if (c->watched == events)
		return 1;
	if (c->poll == NULL) {
		if ((p = calloc(1, sizeof(*p))) == NULL)
			return 0;
		if (uv_poll_init(c->loop, &p->handle, hf__pq.socket(c->pg)) !=
		    0) {
			free(p);
			return 0;
		}
		p->conn = c;
		p->handle.data = p;
		uv_unref((uv_handle_t *)&p->handle);
		c->poll = p;
	}
	if (uv_poll_start(&c->poll->handle, events, ready) != 0)
		return 0;
	c->watched = events;
	return 1;
}

/* --- statements ---------------------------------------------------------------------------------- */

static void talk(uv_poll_t *, int, int);

static void
want(struct hf__pg_conn *c, hf__pg_got *got, struct hf_op *op)
{
	struct hf__pg_wanted *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		hf__pg_down(c, "out of memory");
		return;
	}
	w->got = got;
	w->op = op;
	*c->wanted_end = w;
	c->wanted_end = &w->next;
}

void
hf__pg_execute(struct hf__pg_conn *c, hf__pg_got *got, struct hf_op *op,
    const char *prepared, const char *sql, int n,
    const struct hf__pg_value *values)
{
	const char *ptr[8];
	int len[8], binary[8], i, good;
	Oid type[8];

	if (c->line == NULL)
		return;
	for (i = 0; i < n; i++) {
		ptr[i] = values[i].ptr;
		len[i] = (int)values[i].len;
		type[i] = values[i].type;
		binary[i] = 1;
	}
	good = prepared != NULL ?
	    hf__pq.sendQueryPrepared(c->pg, prepared, n, ptr, len, binary, 1) :
	    hf__pq.sendQueryParams(c->pg, sql, n, type, ptr, len, binary, 1);
	if (good)
		want(c, got, op);
	else
		hf__pg_down(c, hf__pg_message(c->pg));
}

static void
got_prepared(struct hf__pg_conn *c, struct hf_op *op, const PGresult *r)
{
	(void)op;
	if (hf__pq.resultStatus(r) == PGRES_FATAL_ERROR)
		hf__pg_down(c, hf__pg_words(r));
}

void
hf__pg_prepare(struct hf__pg_conn *c, const char *name, const char *sql)
{
	if (c->line == NULL)
		return;
	if (hf__pq.sendPrepare(c->pg, name, sql, 0, NULL))
		want(c, got_prepared, NULL);
	else
		hf__pg_down(c, hf__pg_message(c->pg));
}

/* Sends what can be sent; of the rest the poll tells. */
static void
push(struct hf__pg_conn *c)
{
	int more = hf__pq.flush(c->pg);

	if (more < 0)
		hf__pg_down(c, hf__pg_message(c->pg));
	else if (!watch(c, UV_READABLE | (more > 0 ? UV_WRITABLE : 0), talk))
		hf__pg_down(c, "cannot watch the connection");
}

void
hf__pg_end(struct hf__pg_conn *c, struct hf_op *op)
{
	if (c->line == NULL)
		return;
	if (!hf__pq.pipelineSync(c->pg)) {
		hf__pg_down(c, hf__pg_message(c->pg));
		return;
	}
	want(c, NULL, op);
	if (c->line != NULL)
		push(c);
}

/* --- results -------------------------------------------------------------------------------------- */

static void
ended(struct hf__pg_conn *c, struct hf_op *op)
{
	enum hf_err e = c->verdict;
	const char *why = c->why;

	c->verdict = HF_OK;
	c->why = NULL;
	if (op != NULL) {
		hf__line_answer(c->line, op, e, why);
		/* What has become a standby may have moved elsewhere. */
		if (why != NULL && strstr(why, "standby") != NULL)
			hf__pg_down(c, why);
	} else if (!c->up) {
		c->up = 1;
		hf__line_up(c->line);
	}
}

/* The head of what is wanted is over, or is the end. Returns 0 when that is
 * not what came. */
static int
advance(struct hf__pg_conn *c, int end)
{
	struct hf__pg_wanted *w = c->wanted;
	struct hf_op *op = w->op;

	if ((w->got == NULL) != end)
		return 0;
	if ((c->wanted = w->next) == NULL)
		c->wanted_end = &c->wanted;
	free(w);
	if (end)
		ended(c, op);
	return 1;
}

static void
take(struct hf__pg_conn *c, PGresult *r)
{
	int good = 1;

	if (r == NULL)
		good = advance(c, 0);
	else if (hf__pq.resultStatus(r) == PGRES_PIPELINE_SYNC)
		good = advance(c, 1);
	else if (c->wanted->got == NULL)
		good = 0; /* the transaction's end has failed */
	else if (hf__pq.resultStatus(r) != PGRES_PIPELINE_ABORTED)
		c->wanted->got(c, c->wanted->op, r);
	hf__pq.clear(r);
	if (!good)
		hf__pg_down(c,
		    hf__pq.status(c->pg) == CONNECTION_OK ?
			"a transaction's end failed" :
			hf__pg_message(c->pg));
}

static void
hear(struct hf__pg_conn *c)
{
	PGnotify *n;

	while (c->line != NULL && (n = hf__pq.notifies(c->pg)) != NULL) {
		hf__pg_notified(c, n->extra);
		hf__pq.freemem(n);
	}
}

static void
talk(uv_poll_t *handle, int status, int events)
{
	struct hf__pg_poll *p = handle->data;
	struct hf__pg_conn *c = p->conn;

	(void)events;
	if (c == NULL || c->line == NULL)
		return;
	if (status < 0 || !hf__pq.consumeInput(c->pg)) {
		hf__pg_down(c, hf__pg_message(c->pg));
		return;
	}
	while (c->line != NULL && c->wanted != NULL && !hf__pq.isBusy(c->pg))
		take(c, hf__pq.getResult(c->pg));
	if (c->line == NULL)
		return;
	if (hf__pq.status(c->pg) != CONNECTION_OK) {
		hf__pg_down(c, hf__pg_message(c->pg));
		return;
	}
	hear(c);
	if (c->line != NULL)
		push(c);
}

/* --- connecting ------------------------------------------------------------------------------------- */

static void
connected(struct hf__pg_conn *c)
{
	if (hf__pq.setnonblocking(c->pg, 1) != 0 ||
	    !hf__pq.enterPipelineMode(c->pg)) {
		hf__pg_down(c, hf__pg_message(c->pg));
		return;
	}
	hf__pg_introduce(c);
}

static void step(uv_poll_t *, int, int);

static void
go_on(struct hf__pg_conn *c, PostgresPollingStatusType next)
{
	unwatch(c);
	switch (next) {
	case PGRES_POLLING_READING:
	case PGRES_POLLING_WRITING:
		if (!watch(c,
			next == PGRES_POLLING_READING ? UV_READABLE :
							UV_WRITABLE,
			step))
			hf__pg_down(c, "cannot watch the connection");
		return;
	case PGRES_POLLING_OK:
		connected(c);
		return;
	default:
		hf__pg_down(c, hf__pg_message(c->pg));
	}
}

static void
step(uv_poll_t *handle, int status, int events)
{
	struct hf__pg_poll *p = handle->data;
	struct hf__pg_conn *c = p->conn;

	(void)status;
	(void)events;
	if (c != NULL && c->line != NULL)
		go_on(c, hf__pq.connectPoll(c->pg));
}

/* Only commands speak to people. */
static void
silence(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

void
hf__pg_begin(struct hf__pg_conn *c)
{
	struct hf__pg_terms terms;
	int named = c->host_n > 0;

	hf__pg_terms(&terms, c->at, named ? c->hosts : NULL,
	    named ? c->addresses : NULL, named ? c->ports : NULL);
	c->pg = hf__pq.connectStartParams(terms.name, terms.value, 0);
	if (c->pg == NULL)
		hf__pg_down(c, "out of memory");
	else if (hf__pq.status(c->pg) == CONNECTION_BAD)
		hf__pg_down(c, hf__pg_message(c->pg));
	else {
		(void)hf__pq.setNoticeReceiver(c->pg, silence, NULL);
		go_on(c, PGRES_POLLING_WRITING);
	}
}

static void *
pg_connect(void *engine, struct hf__line *line, uv_loop_t *loop)
{
	struct hf__pg_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->line = line;
	c->at = engine;
	c->loop = loop;
	c->wanted_end = &c->wanted;
	(void)uv_timer_init(loop, &c->timer);
	c->timer.data = c;
	uv_unref((uv_handle_t *)&c->timer);
	(void)uv_timer_start(&c->timer, hf__pg_look_up, 0, 0);
	return c;
}

/* Nobody is in its calls any more. */
static void
closed(uv_handle_t *handle)
{
	struct hf__pg_conn *c = handle->data;
	struct hf__pg_wanted *w;

	while ((w = c->wanted) != NULL) {
		c->wanted = w->next;
		free(w);
	}
	hf__pq.finish(c->pg);
	free(c->names);
	free(c);
}

static void
pg_cut(void *conn)
{
	struct hf__pg_conn *c = conn;

	c->line = NULL;
	hf__lookup_forget(c->lookup);
	unwatch(c);
	uv_close((uv_handle_t *)&c->timer, closed);
}

/* --- the engine ---------------------------------------------------------------------------- */

static const struct hf__remote remote = {
	.open = hf__pg_open,
	.close = hf__pg_close,
	.connect = pg_connect,
	.send = hf__pg_send,
	.watch = hf__pg_watch,
	.cut = pg_cut,
	.init = hf__pg_init,
};
const struct hf__remote *const hf__store_postgres = &remote;
