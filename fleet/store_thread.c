/* SPDX-License-Identifier: ISC */
/*
 * A thread that may block on a local engine, for all ports of a store. It
 * takes one operation after the other; what nobody waits for any more before
 * it was begun is not done. What need not wait the loops do themselves.
 */
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

struct hf__thread {
	const struct hf__local *local;
	void *engine;
	const char **reason; /* the store's */
	uv_thread_t thread;
	uv_mutex_t lock;
	uv_cond_t work;
	struct hf_op *queue, **queue_end;
	size_t queued;
	int busy, stopping, ended;
	uint64_t swept; /* ms: when it was, last */
};

/* Expired values go, some at a time, when there is nothing else to do; or, now
 * and then, when there was for too long. Returns 0 when there are no more. */
static int
sweep_sometimes(struct hf__thread *t)
{
	uint64_t since = hf__store_ms() - t->swept;
	const char *reason = NULL;
	size_t n;

	if (since < (t->queue == NULL ? SWEEP_MS : 2 * SWEEP_MS))
		return 0;
	uv_mutex_unlock(&t->lock);
	if (t->local->sweep(t->engine, (uint64_t)time(NULL), &n, &reason) !=
	    HF_OK)
		n = 0;
	uv_mutex_lock(&t->lock);
	if (reason != NULL)
		*t->reason = reason;
	if (n == 0)
		t->swept = hf__store_ms();
	else if (t->queue != NULL)
		t->swept = hf__store_ms() - 2 * SWEEP_MS + SWEEP_AGAIN_MS;
	return n > 0;
}

static struct hf_op *
next_op(struct hf__thread *t)
{
	struct hf_op *op;

	(void)sweep_sometimes(t);
	while (t->queue == NULL && !t->stopping)
		if (!sweep_sometimes(t))
			(void)uv_cond_timedwait(&t->work, &t->lock, SWEEP_NS);
	if ((op = t->queue) == NULL)
		return NULL;
	if ((t->queue = op->next) == NULL)
		t->queue_end = &t->queue;
	t->queued--;
	return op;
}

static void
keep(struct hf_op *op)
{
	op->answered = 1;
	op->next = op->port->answers;
	op->port->answers = op;
}

static void
answer(struct hf_op *op)
{
	if (op->port == NULL) {
		hf__op_free(op);
		return;
	}
	keep(op);
	(void)uv_async_send(&op->port->async);
}

static void
work(void *arg)
{
	struct hf__thread *t = arg;
	struct hf_op *op;
	const char *reason;

	uv_mutex_lock(&t->lock);
	while ((op = next_op(t)) != NULL) {
		if (op->port == NULL) {
			hf__op_free(op);
			continue;
		}
		reason = NULL;
		t->busy = 1;
		uv_mutex_unlock(&t->lock);
		t->local->ask(t->engine, &op->ask, &reason);
		uv_mutex_lock(&t->lock);
		t->busy = 0;
		if (reason != NULL)
			*t->reason = reason;
		answer(op);
	}
	t->ended = 1;
	uv_cond_signal(&t->work);
	uv_mutex_unlock(&t->lock);
}

enum hf_err
hf__thread_new(struct hf__thread **thread, const struct hf__local *local,
    void *engine, const char **reason)
{
	struct hf__thread *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return HF_E_MEMORY;
	t->local = local;
	t->engine = engine;
	t->reason = reason;
	t->queue_end = &t->queue;
	if (uv_mutex_init(&t->lock) != 0 || uv_cond_init(&t->work) != 0 ||
	    uv_thread_create(&t->thread, work, t) != 0) {
		free(t);
		return HF_E_MEMORY;
	}
	*thread = t;
	return HF_OK;
}

/* Waits a little for what is under way. */
int
hf__thread_end(struct hf__thread *t)
{
	int ended;

	uv_mutex_lock(&t->lock);
	t->stopping = 1;
	uv_cond_signal(&t->work);
	while (
	    !t->ended && uv_cond_timedwait(&t->work, &t->lock, STOP_NS) == 0)
		continue;
	ended = t->ended;
	uv_mutex_unlock(&t->lock);
	if (!ended)
		return 0;
	(void)uv_thread_join(&t->thread);
	uv_cond_destroy(&t->work);
	uv_mutex_destroy(&t->lock);
	free(t);
	return 1;
}

/* --- ports ----------------------------------------------------------------------------- */

static void
answered(uv_async_t *async)
{
	struct hf_port *p = async->data;
	struct hf__thread *t = p->store->thread;
	struct hf_op *op, *next, *in_order = NULL;

	uv_mutex_lock(&t->lock);
	op = p->answers;
	p->answers = NULL;
	uv_mutex_unlock(&t->lock);
	for (; op != NULL; op = next) { /* the oldest first */
		next = op->next;
		op->next = in_order;
		in_order = op;
	}
	for (op = in_order; op != NULL; op = next) {
		next = op->next;
		hf__op_finish(op);
	}
}

static void
soon(uv_idle_t *idle)
{
	struct hf_port *p = idle->data;

	(void)uv_idle_stop(idle);
	answered(&p->async);
}

enum hf_err
hf__thread_port(struct hf_port *p)
{
	if (uv_async_init(p->loop, &p->async, answered) != 0)
		return HF_E_IO;
	(void)uv_idle_init(p->loop, &p->soon);
	p->async.data = p->soon.data = p;
	uv_unref((uv_handle_t *)&p->async);
	p->handles += 2;
	return HF_OK;
}

void
hf__thread_port_close(struct hf_port *p)
{
	answered(&p->async); /* frees what had come */
	if (p->reader != NULL)
		p->store->engine.local->reader_free(p->reader);
	uv_close((uv_handle_t *)&p->async, hf__port_closed);
	uv_close((uv_handle_t *)&p->soon, hf__port_closed);
}

/* Does it here and now, if that need not wait; a write only where none is
 * before it. */
int
hf__thread_now(struct hf_port *p, struct hf_op *op)
{
	struct hf__thread *t = p->store->thread;
	const char *reason = NULL;
	int waits;

	uv_mutex_lock(&t->lock);
	waits = op->ask.kind != HF__OP_GET && (t->busy || t->queue != NULL);
	uv_mutex_unlock(&t->lock);
	if (waits || !t->local->now(t->engine, &p->reader, &op->ask, &reason))
		return 0;
	if (reason != NULL) {
		uv_mutex_lock(&t->lock);
		*t->reason = reason;
		uv_mutex_unlock(&t->lock);
	}
	return 1;
}

/* Who asked is told from the loop, as if it had been away. */
static void
tell_soon(struct hf_port *p, struct hf_op *op)
{
	uv_mutex_lock(&p->store->thread->lock);
	keep(op);
	uv_mutex_unlock(&p->store->thread->lock);
	(void)uv_idle_start(&p->soon, soon);
}

int
hf__thread_submit(struct hf_port *p, struct hf_op *op)
{
	struct hf__thread *t = p->store->thread;
	int full;

	if (hf__thread_now(p, op)) {
		tell_soon(p, op);
		return 1;
	}
	uv_mutex_lock(&t->lock);
	full = t->queued >= QUEUE_MAX;
	if (!full) {
		*t->queue_end = op;
		t->queue_end = &op->next;
		t->queued++;
	}
	uv_mutex_unlock(&t->lock);
	/* Only now: who wakes finds the lock free. */
	if (!full)
		uv_cond_signal(&t->work);
	return !full;
}

int
hf__thread_abandon(struct hf_op *op)
{
	struct hf__thread *t = op->port->store->thread;
	int left;

	uv_mutex_lock(&t->lock);
	left = !op->answered;
	if (left)
		op->port = NULL;
	uv_mutex_unlock(&t->lock);
	return left;
}

/* --- changes --------------------------------------------------------------------------- */

/* Reading is quick, and takes no lock that a writer could hold. */
static void
look_for_changes(uv_timer_t *timer)
{
	struct hf_port *p = timer->data;
	struct hf_store *s = p->store;
	int n;

	for (n = 0;
	     n < 1000 && s->engine.local->changed(s->at, &p->changes) == HF_OK;
	     n++)
		p->changed(p->changed_arg,
		    (struct hf_span){ p->changes.key, p->changes.key_len });
}

void
hf__thread_watch(struct hf_port *p)
{
	p->changes = (struct hf__changes){ 0 };
	if (p->changed == NULL)
		(void)uv_timer_stop(&p->watch);
	else
		(void)uv_timer_start(&p->watch, look_for_changes, 0, WATCH_MS);
}
