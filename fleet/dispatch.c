/* SPDX-License-Identifier: ISC */
/*
 * The life of a dispatcher: it takes configurations while connections go on,
 * and looks at all of them now and then. What a connection does is
 * dispatch_conn.c's.
 */
#include <sys/resource.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_own.h"

enum {
	FDS_OWN = 48,	/* standard streams, the store, checks of servers */
	FDS_WORKER = 24 /* what each further worker has of that */
};

void
hf_dispatch_defaults(struct hf_dispatch_config *c)
{
	memset(c, 0, sizeof(*c));
	c->balance = HF_BALANCE_LEAST;
	c->header_ms = 5000;
	c->connect_ms = 2000;
	c->server_ms = 5000;
	c->answer_ms = 5000;
	c->idle_ms = 3600000;
	c->health_ms = 5000;
	c->lookup_ms = 300;
	c->source_conns = 1000;
	c->conns = 100000;
	c->ids = 1 << 16;
	c->drain_rate = 100;
}

/* --- looking ---------------------------------------------------------------------- */

static void
bury(struct hf_dispatch *d)
{
	struct hf__conn *c;

	while ((c = d->dead) != NULL) {
		d->dead = c->next;
		sodium_memzero(c, sizeof(*c));
		free(c);
	}
}

static void
look(uv_timer_t *timer)
{
	struct hf_dispatch *d = timer->data;
	uint64_t ms = uv_now(d->loop), passed = ms - d->looked;
	struct hf__conn *c, *next;

	d->looked = ms;
	for (c = d->conns; c != NULL; c = next) {
		next = c->next;
		hf__conn_look(c, ms);
	}
	hf__conns_ask(d, passed);
	hf__health_look(d, ms);
	hf__gates_open(d);
	bury(d);
}

/* --- configurations ----------------------------------------------------------------- */

/* How many connections there are descriptors for: two each. */
static unsigned
room(const struct hf_dispatch_config *config, unsigned workers)
{
	rlim_t own = FDS_OWN + (workers - 1) * FDS_WORKER, n;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		limit.rlim_cur = 1024;
	n = limit.rlim_cur > (1 << 20) ? 1 << 20 : limit.rlim_cur;
	n = n > own + 2 ? (n - own) / 2 : 1;
	return n < config->conns ? (unsigned)n : config->conns;
}

static struct hf__backend *
same_server(struct hf_dispatch *d, const struct hf_dispatch_server *is)
{
	struct hf__backend *b;
	size_t i;

	for (i = 0; i < d->backends_n; i++) {
		b = d->backend[i];
		if (strcmp(b->is.name.text, is->name.text) == 0 &&
		    b->is.at.len == is->at.len &&
		    memcmp(&b->is.at.at, &is->at.at, is->at.len) == 0)
			return b;
	}
	return NULL;
}

static struct hf__backend *
new_server(struct hf_dispatch *d, const struct hf_dispatch_server *is)
{
	struct hf__backend *b;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	b->is = *is;
	b->d = d;
	b->refs = 1;
	b->up = 1; /* until it is seen that it is not */
	return b;
}

/* What it is now; keys that were learned are kept. */
static void
update(struct hf__backend *b, const struct hf_dispatch_server *is)
{
	struct hf_dispatch_server before = b->is;
	size_t i;

	b->is = *is;
	for (i = before.keys_n; i-- > 0;)
		hf__backend_learn(b, before.key_id[i]);
}

enum hf_err
hf_dispatch_configure(struct hf_dispatch *d,
    const struct hf_dispatch_config *config)
{
	struct hf__backend *next[HF_DISPATCH_SERVERS_MAX] = { NULL }, *b;
	size_t i, n = config->servers_n;

	for (i = 0; i < n; i++) {
		if ((b = same_server(d, &config->server[i])) != NULL)
			b->refs++;
		else if ((b = new_server(d, &config->server[i])) == NULL) {
			while (i-- > 0)
				hf__backend_release(next[i]);
			return HF_E_MEMORY;
		}
		next[i] = b;
	}
	for (i = 0; i < n; i++) {
		next[i]->listed = 2;
		update(next[i], &config->server[i]);
	}
	for (i = 0; i < d->backends_n; i++) {
		b = d->backend[i];
		b->listed--;
		if (b->listed == 0) {
			b->draining = 1;
			hf__health_stop(b);
		}
		hf__backend_release(b);
	}
	for (i = 0; i < n; i++)
		next[i]->listed = 1;
	memcpy(d->backend, next, sizeof(next));
	d->backends_n = n;
	d->config = *config;
	d->conns_max = room(config, d->workers);
	if (d->port != NULL)
		hf_port_deadline(d->port, config->lookup_ms);
	hf__health_look(d, uv_now(d->loop));
	return d->crew == NULL ? HF_OK : hf__crew_configure(d->crew, config);
}

enum hf_err
hf_dispatch_drain(struct hf_dispatch *d, const char *server, int on)
{
	size_t i;

	for (i = 0; i < d->backends_n; i++)
		if (strcmp(d->backend[i]->is.name.text, server) == 0) {
			d->backend[i]->draining = on;
			if (d->crew != NULL)
				hf__crew_drain(d->crew, server, on);
			return HF_OK;
		}
	return HF_E_ARG;
}

/* --- what it says of itself ---------------------------------------------------------- */

const struct hf_dispatch_counts *
hf_dispatch_counts(const struct hf_dispatch *d)
{
	return d->crew == NULL ? &d->counts :
				 hf__crew_counts(d->crew, &d->counts);
}

unsigned
hf_dispatch_conns(const struct hf_dispatch *d)
{
	return hf__share_conns(d->share);
}

void
hf_dispatch_recent(uint64_t *transfer_us, uint64_t *handshake_us,
    const struct hf_dispatch *d)
{
	uint64_t ms = uv_now(d->loop);

	*transfer_us =
	    hf__share_recent(d->share, &d->share->rule.transfer, ms);
	*handshake_us =
	    hf__share_recent(d->share, &d->share->rule.handshake, ms);
}

int
hf_dispatch_state(struct hf_dispatch_state *s, const struct hf_dispatch *d,
    size_t i)
{
	const struct hf__backend *b;

	if (i >= d->backends_n)
		return 0;
	b = d->backend[i];
	s->name = b->is.name.text;
	s->scope = b->is.scope.text;
	(void)hf_address_text(s->address, &b->is.at);
	s->up = b->up;
	s->draining = b->draining;
	s->conns = b->conns;
	s->taken = b->taken;
	s->failed = b->failed;
	if (d->crew != NULL)
		hf__crew_state(d->crew, s, i);
	return 1;
}

/* --- beginning and end ----------------------------------------------------------------- */

enum hf_err
hf__dispatch_new(struct hf_dispatch **dispatch, uv_loop_t *loop,
    struct hf_store *store, const struct hf_dispatch_hooks *hooks, void *owner)
{
	struct hf_dispatch *d;
	enum hf_err e = HF_OK;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return HF_E_MEMORY;
	d->loop = loop;
	d->store = store;
	d->hooks = hooks;
	d->owner = owner;
	d->workers = 1;
	hf_dispatch_defaults(&d->config);
	if ((d->ids = hf__ids_new(d->config.ids)) == NULL ||
	    (store != NULL &&
		(e = hf_port_open(&d->port, store, loop)) != HF_OK)) {
		hf__ids_free(d->ids);
		free(d);
		return e != HF_OK ? e : HF_E_MEMORY;
	}
	d->look.data = d;
	d->looked = uv_now(loop);
	/* Neither fails. */
	(void)uv_timer_init(loop, &d->look);
	(void)uv_timer_start(&d->look, look, HF__LOOK_MS, HF__LOOK_MS);
	*dispatch = d;
	return HF_OK;
}

enum hf_err
hf_dispatch_new(struct hf_dispatch **dispatch, uv_loop_t *loop,
    struct hf_store *store, const struct hf_dispatch_hooks *hooks, void *owner)
{
	struct hf__share *share = hf__share_new();
	enum hf_err e;

	if (share == NULL)
		return HF_E_MEMORY;
	if ((e = hf__dispatch_new(dispatch, loop, store, hooks, owner)) !=
	    HF_OK) {
		hf__share_free(share);
		return e;
	}
	(*dispatch)->share = share;
	randombytes_buf((*dispatch)->hash, sizeof((*dispatch)->hash));
	return HF_OK;
}

enum hf_err
hf_dispatch_listen(struct hf_dispatch *d, int fd, int family)
{
	enum hf_err e = HF_OK;

	if (d->crew != NULL)
		e = hf__crew_listen(d->crew, fd, family);
	return e != HF_OK ? e : hf__gate_open(d, fd, family);
}

void
hf_dispatch_stop(struct hf_dispatch *d)
{
	size_t i;

	if (d->stopping)
		return;
	d->stopping = 1;
	hf__crew_stop(d->crew);
	hf__gates_close(d);
	while (d->conns != NULL)
		hf__conn_end(d->conns, HF_E_GONE, 0);
	for (i = 0; i < d->backends_n; i++)
		hf__health_stop(d->backend[i]);
	hf_port_close(d->port);
	d->port = NULL;
	uv_close((uv_handle_t *)&d->look, NULL);
}

void
hf__dispatch_free(struct hf_dispatch *d)
{
	size_t i;

	if (d == NULL)
		return;
	bury(d);
	hf__ids_free(d->ids);
	for (i = 0; i < d->backends_n; i++)
		hf__backend_release(d->backend[i]);
	sodium_memzero(d->hash, sizeof(d->hash));
	free(d);
}

void
hf_dispatch_free(struct hf_dispatch *d)
{
	if (d == NULL)
		return;
	hf__crew_free(d->crew);
	hf__share_free(d->share);
	hf__dispatch_free(d);
}
