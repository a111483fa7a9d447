/* SPDX-License-Identifier: ISC */
/*
 * The workers of a dispatcher beside its first: each is a dispatcher of its
 * own, on a loop in a thread, that takes connections from the same sockets.
 * What concerns all of them is told to each in turn, by its own thread, while
 * the first one's waits; and what they count together stands behind a lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatch_own.h"

/* Done by a worker's thread. */
typedef enum hf_err task(struct hf_dispatch *d, void *arg);

struct hand {
	struct hf_dispatch *d;
	uv_loop_t loop;
	uv_async_t wake;
	uv_thread_t thread;
	uv_mutex_t lock;
	uv_cond_t done;
	task *task; /* NULL: none waits */
	void *arg;
	enum hf_err result;
};

struct hf__crew {
	struct hf_dispatch_hooks hooks;
	struct hf_dispatch_counts counts; /* the last sum */
	unsigned n;
	struct hand *hand[HF_DISPATCH_WORKERS_MAX - 1];
};

/* --- what is counted together ---------------------------------------------------- */

struct hf__share *
hf__share_new(void)
{
	struct hf__share *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	if (uv_mutex_init(&s->lock) != 0) {
		free(s);
		return NULL;
	}
	hf__tally_init(&s->sources);
	return s;
}

void
hf__share_free(struct hf__share *s)
{
	uv_mutex_destroy(&s->lock);
	free(s);
}

int
hf__share_enter(struct hf__places *places, struct hf__share *s,
    const struct hf__source *source, unsigned most)
{
	int enters;

	hf__tally_find(places, &s->sources, source->key, source->len);
	uv_mutex_lock(&s->lock);
	enters = hf__tally_count(&s->sources, places) < most;
	if (enters) {
		hf__tally_add(&s->sources, places);
		s->conns++;
	}
	uv_mutex_unlock(&s->lock);
	return enters;
}

void
hf__share_leave(struct hf__share *s, const struct hf__places *places)
{
	uv_mutex_lock(&s->lock);
	hf__tally_remove(&s->sources, places);
	s->conns--;
	uv_mutex_unlock(&s->lock);
}

unsigned
hf__share_conns(struct hf__share *s)
{
	unsigned n;

	uv_mutex_lock(&s->lock);
	n = s->conns;
	uv_mutex_unlock(&s->lock);
	return n;
}

void
hf__share_took(struct hf__share *s, struct hf__recent *kind,
    struct hf_dispatch_times *own, uint64_t us, uint64_t ms)
{
	uv_mutex_lock(&s->lock);
	hf__times_add(kind, own, us, ms);
	uv_mutex_unlock(&s->lock);
}

uint64_t
hf__share_recent(struct hf__share *s, const struct hf__recent *kind,
    uint64_t ms)
{
	uint64_t us;

	uv_mutex_lock(&s->lock);
	us = hf__times_recent(kind, ms);
	uv_mutex_unlock(&s->lock);
	return us;
}

int
hf__share_anew(struct hf__share *s, uint64_t ms)
{
	int anew;

	uv_mutex_lock(&s->lock);
	anew = hf__rule_anew(&s->rule, ms);
	uv_mutex_unlock(&s->lock);
	return anew;
}

/* --- threads ---------------------------------------------------------------------- */

static void
woken(uv_async_t *async)
{
	struct hand *h = async->data;

	uv_mutex_lock(&h->lock);
	if (h->task != NULL) {
		h->result = h->task(h->d, h->arg);
		h->task = NULL;
		uv_cond_signal(&h->done);
	}
	uv_mutex_unlock(&h->lock);
}

static enum hf_err
call(struct hand *h, task *what, void *arg)
{
	enum hf_err e;

	uv_mutex_lock(&h->lock);
	h->arg = arg;
	h->task = what;
	(void)uv_async_send(&h->wake);
	while (h->task != NULL)
		uv_cond_wait(&h->done, &h->lock);
	e = h->result;
	uv_mutex_unlock(&h->lock);
	return e;
}

static void
work(void *arg)
{
	struct hand *h = arg;

	(void)uv_run(&h->loop, UV_RUN_DEFAULT);
}

static void
discard(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Its thread is not there, or has ended. */
static void
hand_free(struct hand *h)
{
	hf__dispatch_free(h->d);
	uv_cond_destroy(&h->done);
	uv_mutex_destroy(&h->lock);
	free(h);
}

/* What waits for the loop is made before its thread is. */
static enum hf_err
hand_new(struct hand **hand, struct hf_dispatch *first, struct hf__crew *crew)
{
	struct hand *h = calloc(1, sizeof(*h));
	enum hf_err e;

	if (h == NULL)
		return HF_E_MEMORY;
	if (uv_mutex_init(&h->lock) != 0 || uv_cond_init(&h->done) != 0 ||
	    uv_loop_init(&h->loop) != 0) {
		free(h);
		return HF_E_MEMORY;
	}
	if (uv_async_init(&h->loop, &h->wake, woken) != 0)
		e = HF_E_IO;
	else
		e = hf__dispatch_new(&h->d, &h->loop, first->store,
		    &crew->hooks, first->owner);
	if (e == HF_OK) {
		h->wake.data = h;
		h->d->share = first->share;
		h->d->workers = first->workers;
		memcpy(h->d->hash, first->hash, sizeof(h->d->hash));
		if (uv_thread_create(&h->thread, work, h) != 0)
			e = HF_E_IO;
	}
	if (e != HF_OK) {
		if (h->d != NULL)
			hf_port_close(h->d->port);
		uv_walk(&h->loop, discard, NULL);
		(void)uv_run(&h->loop, UV_RUN_DEFAULT);
		(void)uv_loop_close(&h->loop);
		hand_free(h);
		return e;
	}
	*hand = h;
	return HF_OK;
}

enum hf_err
hf_dispatch_workers(struct hf_dispatch *d, unsigned n)
{
	struct hf__crew *crew;
	enum hf_err e = HF_OK;

	if (n == 0 || n > HF_DISPATCH_WORKERS_MAX || d->crew != NULL)
		return HF_E_ARG;
	if (n == 1)
		return HF_OK;
	if ((crew = calloc(1, sizeof(*crew))) == NULL)
		return HF_E_MEMORY;
	d->workers = n;
	d->crew = crew;
	/* What is up or down the first one says. */
	crew->hooks.ended = d->hooks->ended;
	while (e == HF_OK && crew->n < n - 1)
		if ((e = hand_new(&crew->hand[crew->n], d, crew)) == HF_OK)
			crew->n++;
	if (e != HF_OK) {
		hf__crew_stop(crew);
		hf__crew_free(crew);
		d->crew = NULL;
		d->workers = 1;
	}
	return e;
}

/* --- what each is told -------------------------------------------------------------- */

static enum hf_err
configure(struct hf_dispatch *d, void *arg)
{
	return hf_dispatch_configure(d, arg);
}

enum hf_err
hf__crew_configure(struct hf__crew *crew,
    const struct hf_dispatch_config *config)
{
	enum hf_err e = HF_OK, one;
	unsigned i;

	for (i = 0; i < crew->n; i++)
		if ((one = call(crew->hand[i], configure,
			 (void *)(uintptr_t)config)) != HF_OK)
			e = one;
	return e;
}

struct drain {
	const char *server;
	int on;
};

static enum hf_err
drain(struct hf_dispatch *d, void *arg)
{
	const struct drain *what = arg;

	return hf_dispatch_drain(d, what->server, what->on);
}

void
hf__crew_drain(struct hf__crew *crew, const char *server, int on)
{
	struct drain what = { server, on };
	unsigned i;

	for (i = 0; i < crew->n; i++)
		(void)!call(crew->hand[i], drain, &what);
}

struct listener {
	int fd, family;
};

static enum hf_err
listens(struct hf_dispatch *d, void *arg)
{
	const struct listener *l = arg;

	return hf_dispatch_listen(d, l->fd, l->family);
}

enum hf_err
hf__crew_listen(struct hf__crew *crew, int fd, int family)
{
	struct listener l = { .family = family };
	enum hf_err e;
	unsigned i;

	for (i = 0; i < crew->n; i++) {
		if ((l.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
			return HF_E_IO;
		if ((e = call(crew->hand[i], listens, &l)) != HF_OK) {
			(void)close(l.fd);
			return e;
		}
	}
	return HF_OK;
}

static enum hf_err
counts(struct hf_dispatch *d, void *arg)
{
	memcpy(arg, &d->counts, sizeof(d->counts));
	return HF_OK;
}

const struct hf_dispatch_counts *
hf__crew_counts(struct hf__crew *crew, const struct hf_dispatch_counts *own)
{
	enum { WORDS = sizeof(*own) / sizeof(uint64_t) };
	uint64_t sum[WORDS], some[WORDS];
	unsigned i;
	size_t k;

	memcpy(sum, own, sizeof(sum));
	for (i = 0; i < crew->n; i++) {
		(void)!call(crew->hand[i], counts, some);
		for (k = 0; k < WORDS; k++)
			sum[k] += some[k];
	}
	memcpy(&crew->counts, sum, sizeof(sum));
	return &crew->counts;
}

struct asked {
	size_t i;
	struct hf_dispatch_state state;
};

static enum hf_err
state(struct hf_dispatch *d, void *arg)
{
	struct asked *a = arg;

	return hf_dispatch_state(&a->state, d, a->i) ? HF_OK : HF_E_ARG;
}

void
hf__crew_state(struct hf__crew *crew, struct hf_dispatch_state *s, size_t i)
{
	struct asked a = { .i = i };
	unsigned k;

	for (k = 0; k < crew->n; k++) {
		if (call(crew->hand[k], state, &a) != HF_OK)
			continue;
		s->conns += a.state.conns;
		s->taken += a.state.taken;
		s->failed += a.state.failed;
	}
}

/* --- the end -------------------------------------------------------------------------- */

static enum hf_err
stop(struct hf_dispatch *d, void *arg)
{
	hf_dispatch_stop(d);
	uv_close(arg, NULL);
	return HF_OK;
}

void
hf__crew_stop(struct hf__crew *crew)
{
	struct hand *h;
	unsigned i;

	for (i = 0; crew != NULL && i < crew->n; i++) {
		h = crew->hand[i];
		(void)!call(h, stop, &h->wake);
		(void)uv_thread_join(&h->thread);
		(void)uv_loop_close(&h->loop);
	}
}

void
hf__crew_free(struct hf__crew *crew)
{
	unsigned i;

	for (i = 0; crew != NULL && i < crew->n; i++)
		hand_free(crew->hand[i]);
	free(crew);
}
