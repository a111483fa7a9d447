/* SPDX-License-Identifier: ISC */
/*
 * Two servers of one cluster, a store of one entry, and an initiator whose
 * session moves between them: the stage of the tests of takeover.
 */
#ifndef HANDFAST_CLUSTER_H
#define HANDFAST_CLUSTER_H

#include <string.h>

#include "testing.h"

/* The whole store. */
struct shelf {
	uint8_t entry[HF_ENTRY_MAX];
	size_t len; /* 0: nothing there */
	int down;
	int writes;
};

/* One responder's end of one connection. */
struct end {
	struct hf_session *s;
	struct shelf *shelf;
	uint8_t read[HF_ENTRY_MAX]; /* what it knows to be on the shelf */
	size_t read_len;
};

struct cluster {
	struct world world;
	struct hf_identity *second;
	struct blob first_cert, second_cert;
	struct hf_span chain[2];
	struct hf_vault *vault[2];
	struct hf_config *server[2];
	struct shelf shelf;
	void (*before_commit)(const struct hf_session *);
};

static inline void
cluster_server(struct cluster *c, int i, struct blob *cert,
    const struct hf_identity *id, const char *name, enum hf_mobility mobility)
{
	static const uint8_t key[HF_KEY_BYTES] = { 7 };
	struct hf_cert_info terms =
	    terms_of(name, HF_USAGE_RESPONDER | HF_USAGE_SERVER);

	name_set(&terms.realm, "example");
	name_set(&terms.cluster, "cluster");
	certify(cert, c->world.ca, &c->world.ca_cert, id, &terms);
	c->chain[i] = (struct hf_span){ cert->bytes, cert->len };
	assert_ok(hf_vault_new(&c->vault[i], "cluster", name));
	assert_ok(hf_vault_scope(c->vault[i], "default", NULL, 0));
	assert_ok(hf_vault_key(c->vault[i], "default", 1, key, 0));
	assert_ok(hf_config_new(&c->server[i], HF_RESPONDER));
	assert_ok(hf_config_trust(c->server[i], c->world.trust));
	assert_ok(hf_config_identity(c->server[i], id, &c->chain[i], 1));
	assert_ok(hf_config_accept(c->server[i],
	    HF_METHOD_CERTIFICATE | HF_METHOD_PASSWORD |
		HF_METHOD_PLAIN_PASSWORD | HF_METHOD_TICKET));
	assert_ok(hf_config_ring(c->server[i], c->world.ring));
	assert_ok(hf_config_vault(c->server[i], c->vault[i], mobility));
}

static inline void
cluster_make(struct cluster *c, const struct meeting *m,
    enum hf_mobility mobility)
{
	struct meeting without = *m;

	memset(c, 0, sizeof(*c));
	without.known = 0;
	world_make(&c->world, &without);
	c->second = identity_of(9);
	cluster_server(c, 0, &c->first_cert, c->world.responder,
	    "server.example", mobility);
	cluster_server(c, 1, &c->second_cert, c->second, "other.example",
	    mobility);
	if (m->known)
		assert_ok(hf_config_responder(c->world.i, &c->chain[0], 1));
	assert_ok(hf_config_without_prekey(c->world.i, m->known));
}

static inline void
cluster_free(struct cluster *c)
{
	int i;

	for (i = 0; i < 2; i++) {
		hf_config_free(c->server[i]);
		hf_vault_free(c->vault[i]);
	}
	hf_identity_free(c->second);
	world_free(&c->world);
}

static inline void
end_make(struct end *end, struct cluster *c, int server)
{
	memset(end, 0, sizeof(*end));
	end->shelf = &c->shelf;
	assert_ok(hf_session_new(&end->s, c->server[server], START_MS, NOW));
}

static inline void
end_free(struct end *end)
{
	hf_session_free(end->s);
	end->s = NULL;
}

/* The one compare-and-set: on the whole version read. */
static inline enum hf_err
shelf_swap(struct end *end, struct hf_span next)
{
	struct shelf *shelf = end->shelf;

	if (shelf->down)
		return HF_E_STORE;
	if (shelf->len != end->read_len ||
	    memcmp(shelf->entry, end->read, shelf->len) != 0)
		return HF_E_FENCED;
	memcpy(shelf->entry, next.ptr, next.len);
	shelf->len = next.len;
	shelf->writes++;
	memcpy(end->read, next.ptr, next.len);
	end->read_len = next.len;
	return HF_OK;
}

static inline enum hf_err
end_supply(struct end *end)
{
	struct shelf *shelf = end->shelf;

	if (shelf->down)
		return hf_session_supply(end->s, HF_E_STORE, NULL, 0);
	if (shelf->len == 0)
		return hf_session_supply(end->s, HF_E_NO_SESSION, NULL, 0);
	memcpy(end->read, shelf->entry, shelf->len);
	end->read_len = shelf->len;
	return hf_session_supply(end->s, HF_OK, shelf->entry, shelf->len);
}

/* Does one thing that a responder wants; 0 when it waits for its peer. */
static inline int
end_step(struct cluster *c, struct end *end, enum hf_err *e)
{
	switch (hf_session_want(end->s)) {
	case HF_WANT_ADMIT:
	case HF_WANT_TRUST:
		if (end->s->move != NULL && end->s->move->claim != NULL)
			*e = hf_session_trust(end->s, HF_OK);
		else
			*e = answer(&c->world, end->s);
		return 1;
	case HF_WANT_STATE:
		*e = end_supply(end);
		return 1;
	case HF_WANT_COMMIT:
		if (c->before_commit != NULL)
			c->before_commit(end->s);
		*e = hf_session_commit(end->s,
		    hf_session_commit_kind(end->s) == HF_COMMIT_TICKET ?
			HF_OK :
			shelf_swap(end, hf_session_entry(end->s)));
		return 1;
	default:
		return 0;
	}
}

/* Writes the session's state. */
static inline enum hf_err
end_checkpoint(struct end *end)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;
	enum hf_err e;

	if ((e = hf_session_checkpoint(end->s, entry, sizeof(entry), &len)) !=
	    HF_OK)
		return e;
	return hf_session_checkpointed(end->s,
	    shelf_swap(end, (struct hf_span){ entry, len }));
}

/* What one says the other hears; records wait where they arrive. Returns the
 * first error. */
static inline enum hf_err
converse(struct cluster *c, struct hf_session *i, struct end *r)
{
	enum hf_err e = HF_OK;
	struct hf_span out;
	size_t used;
	int moved;

	do {
		moved = 0;
		while (e == HF_OK && end_step(c, r, &e))
			moved = 1;
		while (e == HF_OK && hf_session_want(i) == HF_WANT_TRUST) {
			e = answer(&c->world, i);
			moved = 1;
		}
		out = hf_session_output(i);
		if (out.len > 0 && r->s->state != HF__FAILED &&
		    !r->s->pending && e == HF_OK) {
			e = hf_session_feed(r->s, &used, out.ptr, out.len);
			assert_ok(hf_session_drained(i, used));
			moved |= used > 0;
		}
		out = hf_session_output(r->s);
		if (out.len > 0 && i->state != HF__FAILED && !i->pending &&
		    e == HF_OK) {
			e = hf_session_feed(i, &used, out.ptr, out.len);
			assert_ok(hf_session_drained(r->s, used));
			moved |= used > 0;
		}
	} while (moved && e == HF_OK);
	return e;
}

/* A handshake with a server, and the first checkpoint. */
static inline struct hf_session *
cluster_meet(struct cluster *c, struct end *r, int server)
{
	struct hf_session *i;

	end_make(r, c, server);
	assert_ok(hf_session_new(&i, c->world.i, START_MS, NOW));
	assert_ok(converse(c, i, r));
	assert_int_equal(i->state, HF__OPEN);
	assert_int_equal(r->s->state, HF__OPEN);
	assert_int_equal(hf_session_checkpoint_due(r->s), 2);
	assert_ok(end_checkpoint(r));
	return i;
}

/* The initiator's connection breaks, and it goes to a server. */
static inline enum hf_err
cluster_move(struct cluster *c, struct hf_session *i, struct end *to,
    int server)
{
	if (i->state == HF__OPEN)
		assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	end_make(to, c, server);
	return converse(c, i, to);
}

/* Takes the one record that waits. */
static inline enum hf_content
received(struct hf_session *s, const char *data)
{
	enum hf_content content;
	struct hf_span span;

	assert_int_equal(hf_session_want(s), HF_WANT_RECV);
	assert_ok(hf_session_recv(s, &content, &span));
	if (data != NULL) {
		assert_int_equal(span.len, strlen(data));
		assert_memory_equal(span.ptr, data, span.len);
	}
	return content;
}

static inline void
say(struct hf_session *s, const char *data)
{
	assert_ok(hf_session_send(s, (const uint8_t *)data, strlen(data)));
}

#endif
