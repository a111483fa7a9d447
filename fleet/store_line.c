/* SPDX-License-Identifier: ISC */
/*
 * Lines: a port's own connection to a remote store, on the port's loop. It
 * keeps what waits for the connection and what was sent over it, makes the
 * connection again when it is lost, and cuts it when an answer is overdue:
 * a store that hangs is not waited for. What a connection says is the
 * business of store_redis.c or store_postgres.c.
 *
 * Whatever happens is told from the loop, never from within the call that
 * asks.
 */
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "store.h"

enum {
	QUEUE_MAX = 20000, /* operations that may wait, or be under way */
	AGAIN_MAX = 3,	   /* times that a question is sent again */
	RETRY_MS = 50,
	RETRY_MAX_MS = 1000,
	SWEEP_MS = 60000
};

TAILQ_HEAD(list, hf_op);

struct hf__line {
	struct hf_port *port;
	const struct hf__remote *remote;
	void *conn; /* NULL: none */
	int state;  /* as hf__line_state() tells */
	int watching, closed;
	unsigned failures;
	struct list waiting, sent;
	size_t n;
	uint64_t sweep_at; /* ms */
	char mark[HF__LINE_MARK];
};

int
hf__line_blocks(const struct hf__line *line)
{
	return line->port->store->port == line->port;
}

/* Only the store's own line tells people. */
static void
say(struct hf__line *line, const char *why)
{
	if (hf__line_blocks(line) && why != NULL)
		hf__store_say(line->port->store->said, why);
}

/* --- the connection ---------------------------------------------------------------------- */

static void attempt(uv_timer_t *);

static void
too_long(uv_timer_t *timer)
{
	struct hf_port *p = timer->data;

	hf__line_down(p->line, "the store does not answer");
}

/* A little later each time, and not all at once. */
static void
try_again(struct hf__line *line)
{
	uint64_t ms = RETRY_MAX_MS;

	if (line->failures < 5)
		ms = (uint64_t)RETRY_MS << line->failures;
	ms = ms / 2 + randombytes_uniform((uint32_t)ms);
	(void)uv_timer_start(&line->port->watch, attempt, ms, 0);
}

static void
attempt(uv_timer_t *timer)
{
	struct hf_port *p = timer->data;
	struct hf__line *line = p->line;

	line->state = 0;
	(void)uv_timer_start(&p->watch, too_long, p->deadline_ms, 0);
	line->conn = line->remote->connect(p->store->at, line, p->loop);
	if (line->conn == NULL)
		hf__line_down(line, "cannot begin to connect");
}

/* The questions among what was under way are asked again; of the rest nobody
 * knows what became. */
static void
give_back(struct hf__line *line)
{
	struct list lost = TAILQ_HEAD_INITIALIZER(lost);
	struct hf_op *op;

	while ((op = TAILQ_FIRST(&line->sent)) != NULL) {
		TAILQ_REMOVE(&line->sent, op, in_line);
		if (op->port == NULL) {
			line->n--;
			hf__op_free(op);
		} else if (op->ask.kind == HF__OP_GET &&
		    op->again++ < AGAIN_MAX) {
			op->sent = 0;
			TAILQ_INSERT_TAIL(&line->waiting, op, in_line);
		} else {
			op->answered = 1;
			op->ask.err = HF_E_STORE;
			TAILQ_INSERT_TAIL(&lost, op, in_line);
		}
	}
	while ((op = TAILQ_FIRST(&lost)) != NULL) {
		TAILQ_REMOVE(&lost, op, in_line);
		line->n--;
		hf__op_finish(op);
	}
}

void
hf__line_down(struct hf__line *line, const char *why)
{
	void *conn = line->conn;

	if (line->closed || line->state < 0)
		return;
	line->conn = NULL;
	line->failures = line->state > 0 ? 0 : line->failures + 1;
	line->state = -1;
	say(line, why);
	if (conn != NULL)
		line->remote->cut(conn);
	try_again(line);
	give_back(line);
}

/* --- operations --------------------------------------------------------------------------- */

/* Where the engine does not do it by itself, what has expired is removed
 * when there is something else to do, by each server in its turn. */
static void
sweep_sometimes(struct hf__line *line)
{
	uint64_t now = hf__store_ms();
	struct hf_op *op;

	if (line->port->store->port == line->port || now < line->sweep_at)
		return;
	line->sweep_at = now + SWEEP_MS / 2 + randombytes_uniform(SWEEP_MS);
	if ((op = calloc(1, sizeof(*op))) == NULL)
		return;
	op->ask.kind = HF__OP_SWEEP;
	op->ask.expires = (uint64_t)time(NULL);
	(void)hf__port_submit(line->port, op);
}

static void
flush(uv_timer_t *timer)
{
	struct hf_port *p = timer->data;
	struct hf__line *line = p->line;
	struct hf_op *op;

	sweep_sometimes(line);
	while (line->state > 0 && (op = TAILQ_FIRST(&line->waiting)) != NULL) {
		TAILQ_REMOVE(&line->waiting, op, in_line);
		TAILQ_INSERT_TAIL(&line->sent, op, in_line);
		op->sent = 1;
		line->remote->send(line->conn, op);
	}
}

void
hf__line_up(struct hf__line *line)
{
	line->state = 1;
	line->failures = 0;
	/* Before `watch`, by which it may be down again: the timer is that of
	 * the next attempt then. */
	(void)uv_timer_start(&line->port->watch, flush, 0, 0);
	if (line->watching)
		line->remote->watch(line->conn);
}

int
hf__line_submit(struct hf__line *line, struct hf_op *op)
{
	if (line->n >= QUEUE_MAX)
		return 0;
	line->n++;
	TAILQ_INSERT_TAIL(&line->waiting, op, in_line);
	if (line->state > 0)
		(void)uv_timer_start(&line->port->watch, flush, 0, 0);
	return 1;
}

/* What was not sent is not done. What was sent should have been answered by
 * now, unless it is the port that goes. */
void
hf__line_abandon(struct hf__line *line, struct hf_op *op)
{
	if (!op->sent) {
		TAILQ_REMOVE(&line->waiting, op, in_line);
		line->n--;
		hf__op_free(op);
		return;
	}
	op->port = NULL;
	if (!line->port->closing)
		hf__line_down(line, "the store does not answer");
}

void
hf__line_answer(struct hf__line *line, struct hf_op *op, enum hf_err e,
    const char *why)
{
	TAILQ_REMOVE(&line->sent, op, in_line);
	line->n--;
	if (op->port == NULL) {
		hf__op_free(op);
		return;
	}
	if (e != HF_OK)
		say(line, why);
	op->answered = 1;
	op->ask.err = e;
	hf__op_finish(op);
}

void
hf__line_watch(struct hf__line *line)
{
	if (line->watching)
		return;
	line->watching = 1;
	if (line->state > 0)
		line->remote->watch(line->conn);
}

void
hf__line_news(struct hf__line *line, struct hf_span key)
{
	if (line->port->changed != NULL && !line->closed)
		line->port->changed(line->port->changed_arg, key);
}

char *
hf__line_mark(struct hf__line *line)
{
	return line->mark;
}

/* --- lines ---------------------------------------------------------------------------------- */

enum hf_err
hf__line_new(struct hf_port *port)
{
	struct hf__line *line;

	if ((line = calloc(1, sizeof(*line))) == NULL)
		return HF_E_MEMORY;
	TAILQ_INIT(&line->waiting);
	TAILQ_INIT(&line->sent);
	line->port = port;
	line->remote = port->store->engine.remote;
	line->sweep_at = hf__store_ms() + SWEEP_MS / 2;
	port->line = line;
	return HF_OK;
}

void
hf__line_start(struct hf__line *line)
{
	(void)uv_timer_start(&line->port->watch, attempt, 0, 0);
}

/* Freed with the port. */
void
hf__line_close(struct hf__line *line)
{
	struct hf_op *op;

	line->closed = 1;
	line->state = -1;
	if (line->conn != NULL)
		line->remote->cut(line->conn);
	line->conn = NULL;
	while ((op = TAILQ_FIRST(&line->sent)) != NULL) {
		TAILQ_REMOVE(&line->sent, op, in_line);
		hf__op_free(op);
	}
}

uint64_t
hf__line_deadline(const struct hf__line *line)
{
	return line->port->deadline_ms;
}

int
hf__line_state(const struct hf__line *line)
{
	return line->state;
}

/* --- names ---------------------------------------------------------------------------------- */

struct hf__lookup {
	uv_getaddrinfo_t req;
	void (*done)(void *arg, const struct addrinfo *list);
	void *arg;
};

static void
found(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct hf__lookup *l = req->data;

	if (l->done != NULL)
		l->done(l->arg, status == 0 ? list : NULL);
	uv_freeaddrinfo(list);
	free(l);
}

struct hf__lookup *
hf__lookup(uv_loop_t *loop, const char *host,
    void (*done)(void *arg, const struct addrinfo *list), void *arg)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct hf__lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->done = done;
	l->arg = arg;
	l->req.data = l;
	if (uv_getaddrinfo(loop, &l->req, found, host, NULL, &hints) == 0)
		return l;
	free(l);
	return NULL;
}

void
hf__lookup_forget(struct hf__lookup *l)
{
	if (l == NULL)
		return;
	l->done = NULL;
	(void)uv_cancel((uv_req_t *)&l->req);
}
