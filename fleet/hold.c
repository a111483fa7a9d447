/* SPDX-License-Identifier: ISC */
/*
 * The sessions of a server that may move: each is held by an owner, made when
 * it is first needed, and sealed under the newest keys that the server has.
 * What an owner does is owner.c's.
 */
#include "server.h"

static int renew(void *);

static enum hf_err
hold(struct hf_served_own *c)
{
	struct hf_server *s = c->server;
	enum hf_err e;

	if (c->holds != NULL)
		return HF_OK;
	if (c->conn.worker->port == NULL)
		return HF_E_NO_SESSION;
	e = hf_owner_new(&c->holds, c->conn.loop, c->conn.worker->port,
	    c->conn.link, s->service->vault(c->conn.generation),
	    &s->options.checkpoint);
	if (e != HF_OK)
		return e;
	if (s->service->renew != NULL)
		hf_owner_renew(c->holds, renew, c);
	hf_owner_stored(c->holds, s->service->stored);
	return HF_OK;
}

void
hf__server_state(void *owner, struct hf_link *link)
{
	struct hf_served_own *c = owner;
	enum hf_err e;

	if ((e = hold(c)) == HF_OK)
		hf_owner_state(c->holds);
	else
		hf_link_supply(link, e, NULL, 0);
}

void
hf__server_store(void *owner, struct hf_link *link, struct hf_span entry)
{
	struct hf_served_own *c = owner;

	(void)link;
	hf_owner_store(c->holds, entry);
}

/* A session outlives its configuration, but not the keys of its cluster. */
static void
newest_keys(struct hf_served_own *c)
{
	struct hf_server *s = c->server;
	const struct hf_vault *vault;
	struct hf_generation *g;

	if (c->keys_of == atomic_load(&s->generations))
		return;
	g = hf__server_current(s);
	vault = s->service->vault(g->app);
	if (vault == NULL || !hf_owner_vault(c->holds, vault)) {
		hf__generation_release(g);
		return;
	}
	hf__generation_release(c->keys);
	c->keys = g;
	c->keys_of = g->number;
}

/* Once a second for all connections, whatever the entries say: nobody can make
 * it read without end. Returns 0 where what was read has come. */
static int
renew(void *arg)
{
	struct hf_served_own *c = arg;
	struct hf_server *s = c->server;
	uint64_t ms = uv_hrtime() / 1000000;
	int again, more;

	newest_keys(c);
	uv_mutex_lock(&s->lock);
	again = s->renewed_ms == 0 || ms - s->renewed_ms >= HF__RENEW_MS;
	if (again) {
		s->renewed_ms = ms;
		s->renewed_from = atomic_load(&s->generations);
	}
	more = s->renewed_from == atomic_load(&s->generations);
	uv_mutex_unlock(&s->lock);
	if (again)
		s->service->renew();
	return more;
}

void
hf__server_moved(void *owner, struct hf_link *link)
{
	struct hf_served_own *c = owner;

	(void)link;
	if (c->server->service->acked != NULL)
		c->server->service->acked(&c->conn);
	if (hold(c) != HF_OK)
		return;
	newest_keys(c);
	hf_owner_moved(c->holds);
}

int
hf_served_moved_away(const struct hf_served *conn)
{
	return conn->own->holds != NULL &&
	    hf_owner_handed_over(conn->own->holds);
}
