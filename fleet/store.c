/* SPDX-License-Identifier: ISC */
/*
 * Stores behind one interface: a thread that may block on the engine, ports
 * through which loops ask it, and a deadline for every answer. It knows
 * nothing of what is stored. A store that hangs costs the ones who ask it
 * their deadline, and nobody else anything.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store.h"

#define SWEEP_NS ((uint64_t)10 * 1000 * 1000 * 1000)
#define STOP_NS ((uint64_t)2 * 1000 * 1000 * 1000)

enum {
	QUEUE_MAX = 20000, /* operations that may wait for the engine */
	SWEEP_MS = 60000,
	SWEEP_AGAIN_MS = 1000, /* where operations wait meanwhile */
	WATCH_MS = 200
};

struct hf_op {
	struct hf_op *next;   /* in the queue, or among the answers */
	struct hf_op *after;  /* of the port, in the order of deadlines */
	struct hf_port *port; /* NULL: nobody waits any more */
	hf_store_done *done;
	void *arg;
	uint64_t by; /* ms */
	int started, answered;
	struct hf__ask ask;
};

struct hf_port {
	struct hf_store *store;
	uv_loop_t *loop;
	uv_async_t async; /* answers are there */
	uv_timer_t timer; /* the first deadline */
	uv_timer_t watch;
	int handles;
	uint64_t deadline_ms;
	struct hf_op *first, **last; /* under way, by deadline */
	struct hf_op *answers;	     /* under the store's lock */
	void (*changed)(void *arg, struct hf_span key);
	void *changed_arg;
	struct hf__changes changes;
	void *reader; /* the engine's */
	int closing;
};

struct hf_store {
	const struct hf__engine *engine;
	void *at;
	const char *reason;
	uv_thread_t thread;
	uv_mutex_t lock;
	uv_cond_t work;
	struct hf_op *queue, **queue_end;
	size_t queued;
	int stopping, ended;
	uint64_t swept; /* ms: when it was, last */
};

static uint64_t
clock_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void
op_free(struct hf_op *op)
{
	sodium_memzero(op, sizeof(*op));
	free(op);
}

/* --- the thread ------------------------------------------------------------------------ */

/* Expired values go, some at a time, when there is nothing else to do; or, now
 * and then, when there was for too long. Returns 0 when there are no more. */
static int
sweep_sometimes(struct hf_store *s)
{
	uint64_t since = clock_ms() - s->swept;
	const char *reason = NULL;
	size_t n;

	if (since < (s->queue == NULL ? SWEEP_MS : 2 * SWEEP_MS))
		return 0;
	uv_mutex_unlock(&s->lock);
	if (s->engine->sweep(s->at, (uint64_t)time(NULL), &n, &reason) !=
	    HF_OK)
		n = 0;
	uv_mutex_lock(&s->lock);
	if (reason != NULL)
		s->reason = reason;
	if (n == 0)
		s->swept = clock_ms();
	else if (s->queue != NULL)
		s->swept = clock_ms() - 2 * SWEEP_MS + SWEEP_AGAIN_MS;
	return n > 0;
}

static struct hf_op *
next_op(struct hf_store *s)
{
	struct hf_op *op;

	(void)sweep_sometimes(s);
	while (s->queue == NULL && !s->stopping)
		if (!sweep_sometimes(s))
			(void)uv_cond_timedwait(&s->work, &s->lock, SWEEP_NS);
	if ((op = s->queue) == NULL)
		return NULL;
	if ((s->queue = op->next) == NULL)
		s->queue_end = &s->queue;
	s->queued--;
	return op;
}

/* Nobody waits for it: what was not begun is not done. */
static void
answer(struct hf_op *op)
{
	if (op->port == NULL) {
		op_free(op);
		return;
	}
	op->answered = 1;
	op->next = op->port->answers;
	op->port->answers = op;
	(void)uv_async_send(&op->port->async);
}

static void
work(void *arg)
{
	struct hf_store *s = arg;
	struct hf_op *op;
	const char *reason;

	uv_mutex_lock(&s->lock);
	while ((op = next_op(s)) != NULL) {
		if (op->port == NULL) {
			op_free(op);
			continue;
		}
		op->started = 1;
		reason = NULL;
		uv_mutex_unlock(&s->lock);
		s->engine->ask(s->at, &op->ask, &reason);
		uv_mutex_lock(&s->lock);
		if (reason != NULL)
			s->reason = reason;
		answer(op);
	}
	s->ended = 1;
	uv_cond_signal(&s->work);
	uv_mutex_unlock(&s->lock);
}

/* --- the store ---------------------------------------------------------------------------- */

static const struct hf__engine *const engines[] = { &hf__store_lmdb };

static const struct hf__engine *
find_engine(const char *uri, const char **where)
{
	size_t i, len;

	for (i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		len = strlen(engines[i]->scheme);
		if (strncmp(uri, engines[i]->scheme, len) == 0) {
			*where = uri + len;
			return engines[i];
		}
	}
	return NULL;
}

enum hf_err
hf_store_open(struct hf_store **store, const char *uri)
{
	struct hf_store *s;
	const char *where;
	enum hf_err e;

	*store = NULL;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return HF_E_MEMORY;
	s->queue_end = &s->queue;
	s->reason = "";
	if ((s->engine = find_engine(uri, &where)) == NULL) {
		free(s);
		return HF_E_ARG;
	}
	*store = s; /* for its reason */
	if ((e = s->engine->open(&s->at, where, &s->reason)) != HF_OK) {
		s->at = NULL;
		return e;
	}
	if (uv_mutex_init(&s->lock) != 0 || uv_cond_init(&s->work) != 0 ||
	    uv_thread_create(&s->thread, work, s) != 0) {
		s->engine->close(s->at);
		s->at = NULL;
		return HF_E_MEMORY;
	}
	return HF_OK;
}

/* Waits a little for what is under way. Returns 0 where the engine hangs. */
static int
stop_thread(struct hf_store *s)
{
	int ended;

	uv_mutex_lock(&s->lock);
	s->stopping = 1;
	uv_cond_signal(&s->work);
	while (
	    !s->ended && uv_cond_timedwait(&s->work, &s->lock, STOP_NS) == 0)
		continue;
	ended = s->ended;
	uv_mutex_unlock(&s->lock);
	return ended;
}

void
hf_store_close(struct hf_store *s)
{
	if (s == NULL)
		return;
	if (s->at != NULL) {
		/* The thread may never come back: what it uses must stay. */
		if (!stop_thread(s))
			return;
		(void)uv_thread_join(&s->thread);
		s->engine->close(s->at);
		uv_cond_destroy(&s->work);
		uv_mutex_destroy(&s->lock);
	}
	free(s);
}

const struct hf__engine *
hf__store_engine(const struct hf_store *s, void **at)
{
	*at = s->at;
	return s->engine;
}

void
hf__store_say(struct hf_store *s, const char *reason)
{
	if (reason != NULL)
		s->reason = reason;
}

const char *
hf_store_reason(const struct hf_store *s)
{
	return s == NULL ? "" : s->reason;
}

/* --- ports ---------------------------------------------------------------------------------- */

static void arm(struct hf_port *);

/* Takes an operation out of the port's list. */
static void
unlist(struct hf_port *p, struct hf_op *op)
{
	struct hf_op **at = &p->first;

	while (*at != NULL && *at != op)
		at = &(*at)->after;
	if (*at == NULL)
		return;
	if ((*at = op->after) == NULL)
		p->last = at;
}

static void
finish(struct hf_op *op, enum hf_err e)
{
	if (op->done == NULL)
		return;
	op->done(op->arg, e, e == HF_OK ? op->ask.value : NULL,
	    e == HF_OK ? op->ask.value_len : 0);
}

static void
answered(uv_async_t *async)
{
	struct hf_port *p = async->data;
	struct hf_op *op, *next, *in_order = NULL;

	uv_mutex_lock(&p->store->lock);
	op = p->answers;
	p->answers = NULL;
	uv_mutex_unlock(&p->store->lock);
	for (; op != NULL; op = next) { /* the oldest first */
		next = op->next;
		op->next = in_order;
		in_order = op;
	}
	for (op = in_order; op != NULL; op = next) {
		next = op->next;
		unlist(p, op);
		finish(op, op->ask.err);
		op_free(op);
	}
	if (!p->closing)
		arm(p);
}

/* Lets go of an operation; the thread frees it when it comes to it. Returns 0
 * where its answer is already here. */
static int
abandon(struct hf_op *op)
{
	struct hf_store *s = op->port->store;
	int left;

	uv_mutex_lock(&s->lock);
	left = !op->answered;
	if (left)
		op->port = NULL;
	uv_mutex_unlock(&s->lock);
	return left;
}

static void
late(uv_timer_t *timer)
{
	struct hf_port *p = timer->data;
	uint64_t now = clock_ms();
	hf_store_done *done;
	struct hf_op *op;
	void *arg;

	while ((op = p->first) != NULL && op->by <= now) {
		done = op->done;
		arg = op->arg;
		unlist(p, op);
		if (!abandon(op))
			op->done = NULL; /* freed with the answers */
		if (done != NULL)
			done(arg, HF_E_STORE, NULL, 0);
	}
	arm(p);
}

static void
arm(struct hf_port *p)
{
	uint64_t now = clock_ms();

	if (p->first == NULL)
		(void)uv_timer_stop(&p->timer);
	else
		(void)uv_timer_start(&p->timer, late,
		    p->first->by > now ? p->first->by - now : 0, 0);
}

enum hf_err
hf_port_open(struct hf_port **port, struct hf_store *store, uv_loop_t *loop)
{
	struct hf_port *p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return HF_E_MEMORY;
	p->store = store;
	p->loop = loop;
	p->last = &p->first;
	p->deadline_ms = HF_STORE_DEADLINE_MS;
	p->handles = 3;
	if (uv_async_init(loop, &p->async, answered) != 0) {
		free(p);
		return HF_E_IO;
	}
	(void)uv_timer_init(loop, &p->timer);
	(void)uv_timer_init(loop, &p->watch);
	p->async.data = p->timer.data = p->watch.data = p;
	/* A port alone keeps no loop alive. */
	uv_unref((uv_handle_t *)&p->async);
	uv_unref((uv_handle_t *)&p->watch);
	*port = p;
	return HF_OK;
}

static void
handle_closed(uv_handle_t *handle)
{
	struct hf_port *p = handle->data;

	if (--p->handles == 0)
		free(p);
}

void
hf_port_close(struct hf_port *p)
{
	struct hf_op *op;

	if (p == NULL)
		return;
	p->closing = 1;
	while ((op = p->first) != NULL) {
		op->done = NULL;
		unlist(p, op);
		(void)abandon(op);
	}
	answered(&p->async); /* frees what had come */
	if (p->reader != NULL)
		p->store->engine->reader_free(p->reader);
	uv_close((uv_handle_t *)&p->async, handle_closed);
	uv_close((uv_handle_t *)&p->timer, handle_closed);
	uv_close((uv_handle_t *)&p->watch, handle_closed);
}

void
hf_port_deadline(struct hf_port *p, uint64_t ms)
{
	p->deadline_ms = ms;
}

static void
list(struct hf_port *p, struct hf_op *op)
{
	*p->last = op;
	p->last = &op->after;
	if (p->first == op)
		arm(p);
}

static struct hf_op *
submit(struct hf_port *p, struct hf_op *op)
{
	struct hf_store *s = p->store;
	int full;

	op->port = p;
	op->by = clock_ms() + p->deadline_ms;
	uv_mutex_lock(&s->lock);
	full = s->queued >= QUEUE_MAX;
	if (!full) {
		*s->queue_end = op;
		s->queue_end = &op->next;
		s->queued++;
	}
	uv_mutex_unlock(&s->lock);
	if (full) {
		op_free(op);
		return NULL;
	}
	/* Only now: who wakes finds the lock free. */
	uv_cond_signal(&s->work);
	list(p, op);
	return op;
}

int
hf__ask_key(struct hf__ask *ask, struct hf_span key)
{
	if (key.len == 0 || key.len > sizeof(ask->key))
		return 0;
	memcpy(ask->key, key.ptr, key.len);
	ask->key_len = key.len;
	return 1;
}

int
hf__ask_swap(struct hf__ask *ask, struct hf_span expected, struct hf_span next,
    uint64_t expires)
{
	if (expected.len > sizeof(ask->expected) ||
	    next.len > sizeof(ask->value))
		return 0;
	ask->kind = HF__OP_SWAP;
	if (expected.len > 0)
		memcpy(ask->expected, expected.ptr, expected.len);
	if (next.len > 0)
		memcpy(ask->value, next.ptr, next.len);
	ask->expected_len = expected.len;
	ask->value_len = next.len;
	ask->expires = expires;
	return 1;
}

static struct hf_op *
op_new(struct hf_span key, hf_store_done *done, void *arg)
{
	struct hf_op *op = calloc(1, sizeof(*op));

	if (op == NULL)
		return NULL;
	op->done = done;
	op->arg = arg;
	if (hf__ask_key(&op->ask, key))
		return op;
	free(op);
	return NULL;
}

/* Answers at once, as the thread would. */
static struct hf_op *
submit_answered(struct hf_port *p, struct hf_op *op)
{
	op->port = p;
	op->by = clock_ms() + p->deadline_ms;
	list(p, op);
	uv_mutex_lock(&p->store->lock);
	answer(op);
	uv_mutex_unlock(&p->store->lock);
	return op;
}

struct hf_op *
hf_port_get(struct hf_port *p, struct hf_span key, hf_store_done *done,
    void *arg)
{
	struct hf_op *op = op_new(key, done, arg);

	if (op == NULL)
		return NULL;
	if (p->store->engine->peek(p->store->at, &p->reader, &op->ask))
		return submit_answered(p, op);
	return submit(p, op);
}

struct hf_op *
hf_port_swap(struct hf_port *p, struct hf_span key, struct hf_span expected,
    struct hf_span next, uint64_t expires, hf_store_done *done, void *arg)
{
	struct hf_op *op = op_new(key, done, arg);

	if (op == NULL)
		return NULL;
	if (hf__ask_swap(&op->ask, expected, next, expires))
		return submit(p, op);
	op_free(op);
	return NULL;
}

/* It stays in the list, to be freed with its answer or at its deadline. */
void
hf_op_forget(struct hf_op *op)
{
	if (op != NULL)
		op->done = NULL;
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Reading is quick, and takes no lock that a writer could hold. */
static void
look_for_changes(uv_timer_t *timer)
{
	struct hf_port *p = timer->data;
	struct hf_store *s = p->store;
	int n;

	for (n = 0;
	     n < 1000 && s->engine->changed(s->at, &p->changes) == HF_OK; n++)
		p->changed(p->changed_arg,
		    (struct hf_span){ p->changes.key, p->changes.key_len });
}

void
hf_port_watch(struct hf_port *p,
    void (*changed)(void *arg, struct hf_span key), void *arg)
{
	p->changed = changed;
	p->changed_arg = arg;
	p->changes = (struct hf__changes){ 0 };
	if (changed == NULL)
		(void)uv_timer_stop(&p->watch);
	else
		(void)uv_timer_start(&p->watch, look_for_changes, 0, WATCH_MS);
}
