/* SPDX-License-Identifier: ISC */
/*
 * Single-use tickets are burnt here, after confirm and before anything is
 * released (spec section 7.3): in the store that the servers share, where
 * there is one, by one compare-and-set, and then in this server's own table,
 * so that a store which forgets revives no ticket that this server saw. It
 * knows ids and expiries, nothing else of tickets.
 */
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "server.h"

enum { KEY_BYTES = 2 + HF_CTI_BYTES };

/* Its ticket; NULL for a session that needs nothing burnt. */
static enum hf_err
single_use(const struct hf_ticket_info **ticket, const struct hf_served_own *c)
{
	struct hf_peer peer;
	enum hf_err e;

	*ticket = NULL;
	if ((e = hf_session_peer(&peer, hf_link_session(c->conn.link))) !=
	    HF_OK)
		return e;
	if (peer.ticket != NULL && peer.ticket->single_use)
		*ticket = peer.ticket;
	return HF_OK;
}

/* Tickets stand under "t/" and their id. */
static struct hf_span
key_of(uint8_t key[KEY_BYTES], const struct hf_ticket_info *ticket)
{
	key[0] = 't';
	key[1] = '/';
	memcpy(key + 2, ticket->cti, HF_CTI_BYTES);
	return (struct hf_span){ key, KEY_BYTES };
}

/* The store's verdict, then the own table's. */
static void
finish(struct hf_served_own *c, enum hf_err e)
{
	const struct hf_ticket_info *ticket;

	if (e == HF_OK && (e = single_use(&ticket, c)) == HF_OK &&
	    ticket != NULL) {
		uv_mutex_lock(&c->server->used_lock);
		e = hf_used_burn(c->server->used, ticket->cti, ticket->expires,
		    (uint64_t)time(NULL));
		uv_mutex_unlock(&c->server->used_lock);
	}
	hf_link_committed(c->conn.link, e);
}

/* What is there now tells whose the ticket was. */
static void
found(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	struct hf_served_own *c = arg;
	struct hf__burn *b = &c->burn;

	b->op = NULL;
	if (e == HF_OK && len == sizeof(b->token) &&
	    sodium_memcmp(value, b->token, len) == 0)
		finish(c, HF_OK);
	else if (e == HF_OK || b->wrote == HF_E_FENCED)
		finish(c, HF_E_TICKET_USED);
	else
		finish(c, HF_E_STORE);
}

static void
written(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	struct hf_served_own *c = arg;
	const struct hf_ticket_info *ticket;
	uint8_t key[KEY_BYTES];

	(void)value;
	(void)len;
	c->burn.op = NULL;
	c->burn.wrote = e;
	if (e == HF_OK || single_use(&ticket, c) != HF_OK || ticket == NULL) {
		finish(c, e);
		return;
	}
	/* Its answer may have been lost. */
	c->burn.op =
	    hf_port_get(c->conn.worker->port, key_of(key, ticket), found, c);
	if (c->burn.op == NULL)
		finish(c, HF_E_STORE);
}

/* It stays until no server's clock takes the ticket any more. */
static uint64_t
until(const struct hf_served_own *c, const struct hf_ticket_info *ticket)
{
	return ticket->expires + 2 * (uint64_t)c->server->options.tolerance;
}

void
hf__burn_commit(void *owner, struct hf_link *link)
{
	static const struct hf_span nothing = { NULL, 0 };
	struct hf_served_own *c = owner;
	const struct hf_ticket_info *ticket;
	uint8_t key[KEY_BYTES];
	enum hf_err e;

	if ((e = single_use(&ticket, c)) != HF_OK || ticket == NULL) {
		hf_link_committed(link, e);
		return;
	}
	if (c->conn.worker->port == NULL) {
		finish(c, HF_OK);
		return;
	}
	randombytes_buf(c->burn.token, sizeof(c->burn.token));
	c->burn.op = hf_port_swap(c->conn.worker->port, key_of(key, ticket),
	    nothing, (struct hf_span){ c->burn.token, sizeof(c->burn.token) },
	    until(c, ticket), written, c);
	if (c->burn.op == NULL)
		finish(c, HF_E_STORE);
}

void
hf__burn_forget(struct hf_served_own *c)
{
	hf_op_forget(c->burn.op);
	c->burn.op = NULL;
}
