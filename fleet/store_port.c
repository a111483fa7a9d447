/* SPDX-License-Identifier: ISC */
/*
 * Ports: through them loops ask a store, and each operation has a deadline
 * that ends the waiting, whatever the engine does. How the store is asked is
 * the business of store_thread.c or store_line.c.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

enum {
	OP_HEAD = offsetof(struct hf_op, ask.expected),
	PROGRESS_MAX = 150 /* deadlines: five minutes */
};

uint64_t
hf__store_ms(void)
{
	return uv_hrtime() / 1000000;
}

/* The answer of a sweep is a number in the place of a length. */
static size_t
filled(size_t len)
{
	return len < HF_STORE_VALUE_MAX ? len : HF_STORE_VALUE_MAX;
}

void
hf__op_free(struct hf_op *op)
{
	sodium_memzero(op->ask.expected, filled(op->ask.expected_len));
	sodium_memzero(op->ask.value, filled(op->ask.value_len));
	sodium_memzero(op, OP_HEAD);
	free(op);
}

/* --- operations ------------------------------------------------------------------------ */

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

struct hf_op *
hf__op_new(struct hf_span key, hf_store_done *done, void *arg)
{
	struct hf_op *op = malloc(sizeof(*op));

	if (op == NULL)
		return NULL;
	memset(op, 0, OP_HEAD);
	op->done = done;
	op->arg = arg;
	if (hf__ask_key(&op->ask, key))
		return op;
	free(op);
	return NULL;
}

/* --- deadlines ------------------------------------------------------------------------- */

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
	op->after = NULL;
}

/* Lets go of an operation; whoever has it frees it in the end. Returns 0 where
 * its answer is already here. */
static int
abandon(struct hf_port *p, struct hf_op *op)
{
	if (p->line == NULL)
		return hf__thread_abandon(op);
	if (op->answered)
		return 0;
	hf__line_abandon(p->line, op);
	return 1;
}

static void
late(uv_timer_t *timer)
{
	struct hf_port *p = timer->data;
	uint64_t now = hf__store_ms();
	hf_store_done *done;
	struct hf_op *op;
	void *arg;

	while ((op = p->first) != NULL && op->by <= now) {
		done = op->done;
		arg = op->arg;
		unlist(p, op);
		if (!abandon(p, op))
			op->done = NULL; /* freed with the answers */
		if (done != NULL)
			done(arg, HF_E_STORE, NULL, 0);
	}
	if (!p->closing)
		arm(p);
}

static void
arm(struct hf_port *p)
{
	uint64_t now = hf__store_ms();

	if (p->first == NULL)
		(void)uv_timer_stop(&p->timer);
	else
		(void)uv_timer_start(&p->timer, late,
		    p->first->by > now ? p->first->by - now : 0, 0);
}

int
hf__op_progress(struct hf_op *op)
{
	struct hf_port *p = op->port;
	uint64_t now = hf__store_ms();

	if (p == NULL || now >= op->until)
		return 0;
	unlist(p, op);
	op->by = now + p->deadline_ms;
	*p->last = op;
	p->last = &op->after;
	arm(p);
	return 1;
}

void
hf__op_finish(struct hf_op *op)
{
	struct hf_port *p = op->port;
	enum hf_err e = op->ask.err;

	if (p != NULL)
		unlist(p, op);
	if (op->done != NULL)
		op->done(op->arg, e, e == HF_OK ? op->ask.value : NULL,
		    e == HF_OK ? op->ask.value_len : 0);
	hf__op_free(op);
	if (p != NULL && !p->closing)
		arm(p);
}

/* --- ports ----------------------------------------------------------------------------- */

enum hf_err
hf_port_open(struct hf_port **port, struct hf_store *store, uv_loop_t *loop)
{
	struct hf_port *p;
	enum hf_err e;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return HF_E_MEMORY;
	p->store = store;
	p->loop = loop;
	p->last = &p->first;
	p->deadline_ms = HF_STORE_DEADLINE_MS;
	p->handles = 2;
	e = store->thread != NULL ? hf__thread_port(p) : hf__line_new(p);
	if (e != HF_OK) {
		free(p);
		return e;
	}
	(void)uv_timer_init(loop, &p->timer);
	(void)uv_timer_init(loop, &p->watch);
	p->timer.data = p->watch.data = p;
	/* A port alone keeps no loop alive. */
	uv_unref((uv_handle_t *)&p->watch);
	if (p->line != NULL)
		hf__line_start(p->line);
	*port = p;
	return HF_OK;
}

void
hf__port_closed(uv_handle_t *handle)
{
	struct hf_port *p = handle->data;

	if (--p->handles > 0)
		return;
	free(p->line);
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
		(void)abandon(p, op);
	}
	if (p->line == NULL)
		hf__thread_port_close(p);
	else
		hf__line_close(p->line);
	uv_close((uv_handle_t *)&p->timer, hf__port_closed);
	uv_close((uv_handle_t *)&p->watch, hf__port_closed);
}

void
hf_port_deadline(struct hf_port *p, uint64_t ms)
{
	p->deadline_ms = ms;
}

struct hf_op *
hf__port_submit(struct hf_port *p, struct hf_op *op)
{
	op->port = p;
	op->by = hf__store_ms() + p->deadline_ms;
	op->until = op->by + (PROGRESS_MAX - 1) * p->deadline_ms;
	*p->last = op;
	p->last = &op->after;
	if (p->line == NULL ? !hf__thread_submit(p, op) :
			      !hf__line_submit(p->line, op)) {
		unlist(p, op);
		hf__op_free(op);
		return NULL;
	}
	if (p->first == op)
		arm(p);
	return op;
}

struct hf_op *
hf_port_get(struct hf_port *p, struct hf_span key, hf_store_done *done,
    void *arg)
{
	struct hf_op *op = hf__op_new(key, done, arg);

	return op == NULL ? NULL : hf__port_submit(p, op);
}

static struct hf_op *
new_swap(struct hf_span key, struct hf_span expected, struct hf_span next,
    uint64_t expires, hf_store_done *done, void *arg)
{
	struct hf_op *op = hf__op_new(key, done, arg);

	if (op == NULL || hf__ask_swap(&op->ask, expected, next, expires))
		return op;
	hf__op_free(op);
	return NULL;
}

struct hf_op *
hf_port_swap(struct hf_port *p, struct hf_span key, struct hf_span expected,
    struct hf_span next, uint64_t expires, hf_store_done *done, void *arg)
{
	struct hf_op *op = new_swap(key, expected, next, expires, done, arg);

	return op == NULL ? NULL : hf__port_submit(p, op);
}

/* An operation that is done at once is in no list and has no deadline. */
static int
submit_now(struct hf_op **at, struct hf_port *p, struct hf_op *op)
{
	*at = NULL;
	if (op == NULL)
		return 0;
	if (p->line == NULL && hf__thread_now(p, op)) {
		hf__op_finish(op);
		return 1;
	}
	*at = hf__port_submit(p, op);
	return *at != NULL;
}

int
hf__port_get_now(struct hf_op **op, struct hf_port *p, struct hf_span key,
    hf_store_done *done, void *arg)
{
	return submit_now(op, p, hf__op_new(key, done, arg));
}

int
hf__port_swap_now(struct hf_op **op, struct hf_port *p, struct hf_span key,
    struct hf_span expected, struct hf_span next, uint64_t expires,
    int quietly, hf_store_done *done, void *arg)
{
	struct hf_op *swap = new_swap(key, expected, next, expires, done, arg);

	if (swap != NULL)
		swap->ask.quietly = quietly;
	return submit_now(op, p, swap);
}

/* It stays in the list, to be freed with its answer or at its deadline. */
void
hf_op_forget(struct hf_op *op)
{
	if (op != NULL)
		op->done = NULL;
}

void
hf_port_watch(struct hf_port *p,
    void (*changed)(void *arg, struct hf_span key), void *arg)
{
	p->changed = changed;
	p->changed_arg = arg;
	if (p->line == NULL)
		hf__thread_watch(p);
	else if (changed != NULL)
		hf__line_watch(p->line);
}
