/* SPDX-License-Identifier: ISC */
/*
 * What the threads of a server share: one replay cache, one table of used
 * tickets, one of failures, and the configuration that new sessions get. It
 * decides who is worth a public-key operation; who is trusted it leaves to
 * the service. Everything here is bounded.
 */
#include <sys/resource.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

enum {
	REPLAY_N = 1 << 16,
	LIMIT_N = 1 << 16,
	USED_N = 1 << 18,
	FDS_PROCESS = 24, /* standard streams, signals, files being read */
	FDS_WORKER = 12
};

void
hf_server_defaults(struct hf_server_options *o)
{
	memset(o, 0, sizeof(*o));
	o->workers = 1;
	o->max_failures = 20;
	o->max_source_failures = 200;
	o->max_source_unopened = 120;
	o->busy = 64;
	o->max_pending_source = 512;
	o->fds_per_conn = 1;
	o->tolerance = 120;
	o->store_ms = HF_STORE_DEADLINE_MS;
}

void
hf__generation_release(struct hf_generation *g)
{
	unsigned i;

	if (g == NULL || atomic_fetch_sub(&g->refs, 1) != 1)
		return;
	for (i = 0; i < g->n; i++)
		hf_config_free(g->config[i]);
	if (g->app != NULL)
		g->service->retire(g->app);
	free(g);
}

struct hf_generation *
hf__server_current(struct hf_server *s)
{
	struct hf_generation *g;

	uv_mutex_lock(&s->lock);
	g = s->current;
	(void)atomic_fetch_add(&g->refs, 1);
	uv_mutex_unlock(&s->lock);
	return g;
}

enum hf_err
hf_server_generation(struct hf_server *s, void *app)
{
	struct hf_generation *g, *old;
	enum hf_err e = HF_OK;
	unsigned i;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return HF_E_MEMORY;
	atomic_init(&g->refs, 1);
	g->service = s->service;
	while (e == HF_OK && g->n < s->options.workers) {
		e = s->service->configure(&g->config[g->n], app);
		if (e != HF_OK)
			break;
		g->n++;
		if ((e = hf_config_cookie_key(g->config[g->n - 1],
			 s->cookie_key)) == HF_OK)
			e = hf_config_tolerance(g->config[g->n - 1],
			    s->options.tolerance);
	}
	if (e != HF_OK) {
		hf__generation_release(g);
		return e;
	}
	g->app = app;
	uv_mutex_lock(&s->lock);
	old = s->current;
	s->current = g;
	g->number = old == NULL ? 1 : old->number + 1;
	atomic_store(&s->generations, g->number);
	uv_mutex_unlock(&s->lock);
	hf__generation_release(old);
	for (i = 0; i < s->started; i++)
		hf__worker_wake(s->worker[i]);
	return HF_OK;
}

/* How many connections a worker may hold: descriptors are what runs out. */
static unsigned
room(const struct hf_server_options *o)
{
	struct rlimit limit;
	rlim_t n, own = FDS_PROCESS + FDS_WORKER * (rlim_t)o->workers;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		limit.rlim_cur = 1024;
	n = limit.rlim_cur > (1 << 20) ? 1 << 20 : limit.rlim_cur;
	n = n > own ? (n - own) / o->workers / o->fds_per_conn : 0;
	return n > 0 ? (unsigned)n : 1;
}

enum hf_err
hf_server_new(struct hf_server **server,
    const struct hf_server_options *options, const struct hf_service *service)
{
	struct hf_server *s;
	unsigned share;
	enum hf_err e;

	if (options->workers < 1 || options->workers > HF_WORKERS_MAX ||
	    options->fds_per_conn < 1)
		return HF_E_ARG;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return HF_E_MEMORY;
	s->options = *options;
	s->service = service;
	s->worker_conns = room(options);
	share = s->worker_conns * options->workers / 4;
	if (share == 0)
		share = 1;
	if (s->options.max_pending_source > share)
		s->options.max_pending_source = share;
	if (s->options.max_open_subject == 0)
		s->options.max_open_subject = share;
	atomic_init(&s->stopping, 0);
	atomic_init(&s->generations, 0);
	randombytes_buf(s->cookie_key, sizeof(s->cookie_key));
	hf__tally_init(&s->pending);
	hf__tally_init(&s->working);
	hf__tally_init(&s->open);
	if (uv_mutex_init(&s->lock) != 0) {
		free(s);
		return HF_E_MEMORY;
	}
	if (uv_mutex_init(&s->used_lock) != 0) {
		uv_mutex_destroy(&s->lock);
		free(s);
		return HF_E_MEMORY;
	}
	s->worker = calloc(options->workers, sizeof(struct hf_worker *));
	e = s->worker == NULL ? HF_E_MEMORY : HF_OK;
	if (e != HF_OK ||
	    (e = hf_replay_new(&s->replay, REPLAY_N,
		 2 * options->tolerance)) != HF_OK ||
	    (e = hf_limit_new(&s->users, LIMIT_N,
		 2 * options->max_failures)) != HF_OK ||
	    (e = hf_limit_new(&s->pairs, LIMIT_N, options->max_failures)) !=
		HF_OK ||
	    (e = hf_limit_new(&s->sources, LIMIT_N,
		 options->max_source_failures)) != HF_OK ||
	    (e = hf_limit_new(&s->unopened, LIMIT_N,
		 options->max_source_unopened)) != HF_OK ||
	    (e = hf_limit_new(&s->known, LIMIT_N, 1)) != HF_OK ||
	    (e = hf_used_new(&s->used, USED_N)) != HF_OK ||
	    (options->used_path != NULL &&
		(e = hf_used_open(s->used, options->used_path,
		     (uint64_t)time(NULL))) != HF_OK)) {
		hf_server_free(s);
		return e;
	}
	*server = s;
	return HF_OK;
}

enum hf_err
hf_server_listen(struct hf_server *s, int fd, int family)
{
	if (s->listeners_n == HF_LISTENERS_MAX || s->started != 0)
		return HF_E_ARG;
	s->listener[s->listeners_n].fd = fd;
	s->listener[s->listeners_n].family = family;
	s->listeners_n++;
	return HF_OK;
}

enum hf_err
hf_server_start(struct hf_server *s)
{
	enum hf_err e;
	int why;

	if (s->current == NULL || s->started != 0)
		return HF_E_STATE;
	for (; s->started < s->options.workers; s->started++)
		if ((e = hf__worker_start(&s->worker[s->started], s,
			 s->started)) != HF_OK) {
			why = errno;
			hf_server_stop(s);
			errno = why;
			return e;
		}
	return HF_OK;
}

int
hf_server_lives(struct hf_server *s)
{
	int lives = 1;
	unsigned i;

	for (i = 0; i < s->started; i++) {
		if (atomic_exchange(&s->worker[i]->asked, 1))
			lives = 0;
		hf__worker_wake(s->worker[i]);
	}
	return lives;
}

void
hf_server_stop(struct hf_server *s)
{
	unsigned i;

	atomic_store(&s->stopping, 1);
	for (i = 0; i < s->listeners_n; i++)
		(void)close(s->listener[i].fd);
	s->listeners_n = 0;
	for (i = 0; i < s->started; i++)
		hf__worker_wake(s->worker[i]);
	for (i = 0; i < s->started; i++)
		hf__worker_join(s->worker[i]);
	s->started = 0;
}

void
hf_server_free(struct hf_server *s)
{
	if (s == NULL)
		return;
	hf_server_stop(s);
	hf__generation_release(s->current);
	hf_replay_free(s->replay);
	hf_limit_free(s->users);
	hf_limit_free(s->pairs);
	hf_limit_free(s->sources);
	hf_limit_free(s->unopened);
	hf_limit_free(s->known);
	hf_used_free(s->used);
	uv_mutex_destroy(&s->lock);
	uv_mutex_destroy(&s->used_lock);
	free(s->worker);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

enum hf__welcome
hf__server_begin(struct hf_served_own *c)
{
	struct hf_server *s = c->server;
	uint64_t ms = uv_hrtime() / 1000000;
	enum hf__welcome answer = HF__TURNED_AWAY;

	hf__tally_find(&c->pending, &s->pending, c->source.key, c->source.len);
	hf__tally_find(&c->at_work, &s->working, c->source.key, c->source.len);
	uv_mutex_lock(&s->lock);
	if (hf__tally_count(&s->pending, &c->pending) <
	    s->options.max_pending_source) {
		hf__tally_add(&s->pending, &c->pending);
		c->handshaking = 1;
		answer = HF__WAITS;
		if (hf_limit_allows(s->unopened, c->source.key, c->source.len,
			ms)) {
			hf__tally_add(&s->working, &c->at_work);
			c->working = 1;
			answer = HF__BEGINS;
		}
	}
	uv_mutex_unlock(&s->lock);
	return answer;
}

int
hf__server_turn(struct hf_served_own *c)
{
	struct hf_server *s = c->server;

	uv_mutex_lock(&s->lock);
	if (hf__tally_count(&s->working, &c->at_work) < HF__AT_WORK) {
		hf__tally_add(&s->working, &c->at_work);
		c->working = 1;
	}
	uv_mutex_unlock(&s->lock);
	return c->working;
}

void
hf__server_finish(struct hf_served_own *c)
{
	if (!c->handshaking)
		return;
	uv_mutex_lock(&c->server->lock);
	c->handshaking = 0;
	hf__tally_remove(&c->server->pending, &c->pending);
	if (c->working)
		hf__tally_remove(&c->server->working, &c->at_work);
	c->working = 0;
	uv_mutex_unlock(&c->server->lock);
}

/* Whether the peer's subject may have one more session; with `enter` it has.
 * Nobody is counted before he has proved who he is. */
static int
room_for(struct hf_served_own *c, const char *subject, int enter)
{
	struct hf_server *s = c->server;
	int ok;

	hf__tally_find(&c->open, &s->open, subject, strlen(subject));
	uv_mutex_lock(&s->lock);
	ok = hf__tally_count(&s->open, &c->open) < s->options.max_open_subject;
	if (ok && enter) {
		hf__tally_add(&s->open, &c->open);
		c->counted = 1;
	}
	uv_mutex_unlock(&s->lock);
	return ok;
}

static enum hf_admission
admit(void *owner, struct hf_link *link)
{
	struct hf_served_own *c = owner;
	struct hf_server *s = c->server;
	struct hf_session *session = hf_link_session(link);
	struct hf_span print = hf_session_fingerprint(session);
	enum hf_admission answer = HF_ADMIT;
	uint64_t now = (uint64_t)time(NULL), ms = uv_hrtime() / 1000000;

	uv_mutex_lock(&s->lock);
	if (!c->admitted && !hf_session_cookie_shown(session) &&
	    hf__tally_count(&s->pending, &c->pending) > s->options.busy)
		answer = HF_ADMIT_COOKIE;
	else if (!hf_limit_allows(s->sources, c->source.key, c->source.len,
		     ms))
		answer = HF_ADMIT_LIMIT;
	else if (print.len == HF_FINGERPRINT_BYTES &&
	    hf_replay_seen(s->replay, print.ptr, now))
		answer = HF_ADMIT_REPLAY;
	uv_mutex_unlock(&s->lock);
	/* An offer was made with a key of this connection: its request needs
	 * no cookie again. */
	if (answer == HF_ADMIT)
		c->admitted = 1;
	return answer;
}

int
hf_served_same_source(const struct hf_served *a, const struct hf_served *b)
{
	const struct hf__source *x = &a->own->source, *y = &b->own->source;

	return x->len == y->len && memcmp(x->key, y->key, x->len) == 0;
}

static void
trust(void *owner, struct hf_link *link)
{
	struct hf_served_own *c = owner;
	struct hf_session *session = hf_link_session(link);
	struct hf_span print = hf_session_fingerprint(session);
	struct hf_peer peer;
	enum hf_err e;
	int fresh = 1;

	if ((e = hf_session_peer(&peer, session)) != HF_OK) {
		hf_link_trust(link, e);
		return;
	}
	uv_mutex_lock(&c->server->lock);
	if (print.len == HF_FINGERPRINT_BYTES)
		fresh = hf_replay_enter(c->server->replay, print.ptr,
		    (uint64_t)time(NULL));
	uv_mutex_unlock(&c->server->lock);
	if (fresh)
		hf__failures_ask(c, &peer);
	else
		hf_link_trust(link, HF_E_REPLAY);
}

void
hf__server_judge(struct hf_served_own *c)
{
	struct hf_link *link = c->conn.link;
	struct hf_peer peer;
	enum hf_err e;

	if ((e = hf_session_peer(&peer, hf_link_session(link))) != HF_OK)
		hf_link_trust(link, e);
	else if (!hf_server_allowed(&c->conn) || !room_for(c, peer.subject, 0))
		hf_link_trust(link, HF_E_LIMITED);
	else
		c->server->service->judge(&c->conn);
}

static void
opened(void *owner, struct hf_link *link)
{
	struct hf_served_own *c = owner;
	struct hf_peer peer;

	hf__server_finish(c);
	if (hf_session_peer(&peer, hf_link_session(link)) != HF_OK ||
	    !room_for(c, peer.subject, 1))
		hf_link_abort(link, HF_E_LIMITED);
	else
		c->server->service->opened(&c->conn);
}

static void
data(void *owner, struct hf_link *link, enum hf_content content,
    const uint8_t *bytes, size_t len)
{
	struct hf_served_own *c = owner;

	if (content == HF_CONTENT_DATA)
		c->server->service->data(&c->conn, bytes, len);
	else
		hf_link_abort(link, HF_E_UNEXPECTED);
}

static void
closed(void *owner, struct hf_link *link)
{
	struct hf_served_own *c = owner;

	(void)link;
	c->server->service->closed(&c->conn);
}

static void
drained(void *owner, struct hf_link *link)
{
	struct hf_served_own *c = owner;

	(void)link;
	if (hf_link_opened(link))
		c->server->service->drained(&c->conn);
}

static void
channels(void *owner, struct hf_link *link)
{
	struct hf_served_own *c = owner;

	(void)link;
	if (c->server->service->channels != NULL)
		c->server->service->channels(&c->conn);
}

static void
ended(void *owner, struct hf_link *link, enum hf_err err)
{
	struct hf_served_own *c = owner;
	struct hf_server *s = c->server;

	hf__burn_forget(c);
	hf__failures_forget(c);
	hf__server_finish(c);
	uv_mutex_lock(&s->lock);
	if (c->counted)
		hf__tally_remove(&s->open, &c->open);
	if (!hf_link_opened(link))
		hf_limit_failed(s->unopened, c->source.key, c->source.len,
		    uv_hrtime() / 1000000);
	uv_mutex_unlock(&s->lock);
	c->server->service->ended(&c->conn, err);
	hf_owner_end(c->holds, err == HF_OK && hf_link_opened(link));
	hf__worker_forget(c);
}

static void
traced(void *owner, struct hf_link *link, int sent, int type, size_t bytes,
    uint64_t ns)
{
	struct hf_served_own *c = owner;

	(void)link;
	if (c->server->service->trace != NULL)
		c->server->service->trace(&c->conn, sent, type, bytes, ns);
}

const struct hf_link_hooks hf__server_hooks = { .admit = admit,
	.trust = trust,
	.commit = hf__burn_commit,
	.state = hf__server_state,
	.store = hf__server_store,
	.moved = hf__server_moved,
	.opened = opened,
	.data = data,
	.closed = closed,
	.drained = drained,
	.channels = channels,
	.failed = hf__failures_failed,
	.ended = ended,
	.trace = traced };
