/* SPDX-License-Identifier: ISC */
/*
 * Who may hold a cluster's sessions, as its key says (spec section 19.3). The
 * store is not believed: whoever writes there may bring back what was, and
 * add what never was. A member of a scope is who has a grant of it that the
 * cluster signed, of no lower serial than the scope's ring; so every change
 * gives all members of all scopes new grants and then all rings the same new
 * serial, and no ring is older than the serial that the caller remembers.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "member.h"

enum { GRANT_SECONDS = 86400, RINGS_MAX = 64 };
#define NEVER ((uint64_t)1 << 53)

struct hf_cluster {
	struct hf_store *store;
	const struct hf_identity *id;
	struct hf_span cert;
	struct hf_name name;
	uint64_t now;
	uint64_t least;	 /* no ring has a lower serial */
	uint64_t serial; /* of the next change */
	struct hf_name ring[RINGS_MAX];
	size_t ring_n;
};

/* --- rings ------------------------------------------------------------------------------ */

/* A ring stands where its scope's belongs, and is not an old one. */
static enum hf_err
load_ring(struct hf_keygrant *ring, const struct hf_cluster *c,
    const char *scope)
{
	const struct hf_keygrant_judge by = { .identity = c->id,
		.member = c->cert,
		.cluster = c->cert,
		.now = c->now,
		.serial = c->least,
		.own_copy = 1 };
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[HF__MEMBER_KEY_TEXT];
	enum hf_err e;
	size_t len;

	if ((e = hf_store_get(c->store, hf__member_key(text, 'r', NULL, scope),
		 value, &len)) != HF_OK ||
	    (e = hf_keygrant_open(ring, value, len, &by)) != HF_OK)
		return e;
	return strcmp(ring->scope.text, scope) == 0 ? HF_OK : HF_E_NAME;
}

static enum hf_err
save_ring(struct hf_cluster *c, struct hf_keygrant *ring)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[HF__MEMBER_KEY_TEXT];
	size_t len = 0;
	enum hf_err e;

	ring->not_after = NEVER;
	if ((e = hf_keygrant_make(value, sizeof(value), &len, c->id, ring,
		 c->cert.ptr, c->cert.len)) != HF_OK)
		return e;
	return hf__member_put(c->store,
	    hf__member_key(text, 'r', NULL, ring->scope.text),
	    (struct hf_span){ value, len }, NEVER);
}

/* One more generation, the newest, above all that was ever given out; the
 * oldest beyond the limit goes. */
static void
new_generation(struct hf_keygrant *ring, uint32_t above)
{
	if (ring->generation_n > 0 && ring->generation[0].number > above)
		above = ring->generation[0].number;
	if (ring->generation_n == HF_GENERATIONS_MAX)
		ring->generation_n--;
	memmove(&ring->generation[1], &ring->generation[0],
	    ring->generation_n * sizeof(ring->generation[0]));
	ring->generation_n++;
	ring->generation[0].number = above + 1;
	ring->generation[0].cut_off = 0;
	randombytes_buf(ring->generation[0].key,
	    sizeof(ring->generation[0].key));
}

static void
cut_off(struct hf_keygrant *ring, uint64_t now)
{
	size_t i;

	for (i = 0; i < ring->generation_n; i++)
		if (ring->generation[i].cut_off == 0 ||
		    ring->generation[i].cut_off > now)
			ring->generation[i].cut_off = now;
}

struct rings {
	struct hf_name name[RINGS_MAX];
	size_t n;
};

static int
note_ring(void *arg, struct hf_span key, struct hf_span value)
{
	struct rings *r = arg;
	struct hf_name *name = &r->name[r->n];

	(void)value;
	if (key.len < 3 || key.len - 2 > HF_NAME_MAX)
		return 1; /* no scope can have it */
	if (r->n == RINGS_MAX)
		return 0;
	name->len = key.len - 2;
	memcpy(name->text, key.ptr + 2, name->len);
	name->text[name->len] = '\0';
	r->n++;
	return 1;
}

/* What rings there are, and the serial above all of them. One that the cluster
 * did not make, or that stands in another's place, is none: it keeps nobody
 * from changes, and where it hides the right one that is an old one then. */
static enum hf_err
look(struct hf_cluster *c)
{
	static const uint8_t rings[] = { 'r', '/' };
	struct rings *found = calloc(1, sizeof(*found));
	struct hf_keygrant ring;
	enum hf_err e;
	size_t i;

	if (found == NULL)
		return HF_E_MEMORY;
	c->serial = c->least;
	e = hf_store_list(c->store, (struct hf_span){ rings, sizeof(rings) },
	    note_ring, found);
	for (i = 0; e == HF_OK && i < found->n; i++) {
		e = load_ring(&ring, c, found->name[i].text);
		if (e == HF_OK) {
			c->ring[c->ring_n++] = found->name[i];
			if (ring.serial > c->serial)
				c->serial = ring.serial;
		} else if (e != HF_E_ROLLBACK && e != HF_E_STORE)
			e = HF_OK;
		sodium_memzero(&ring, sizeof(ring));
	}
	if (e == HF_OK && found->n == RINGS_MAX)
		e = HF_E_SPACE;
	free(found);
	c->serial++;
	return e;
}

enum hf_err
hf_cluster_open(struct hf_cluster **cluster, struct hf_store *store,
    const struct hf_identity *id, struct hf_span cert, uint64_t now,
    uint64_t least)
{
	struct hf_cert_info *info;
	struct hf_cluster *c;
	uint8_t own[HF_KEY_BYTES];
	enum hf_err e;

	*cluster = NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    (info = calloc(1, sizeof(*info))) == NULL) {
		free(c);
		return HF_E_MEMORY;
	}
	c->store = store;
	c->id = id;
	c->cert = cert;
	c->now = now;
	c->least = least;
	hf_identity_public(own, NULL, id);
	if ((e = hf_cert_read(info, cert.ptr, cert.len)) == HF_OK &&
	    (info->usage != HF_USAGE_CLUSTER ||
		sodium_memcmp(own, info->key, sizeof(own)) != 0))
		e = HF_E_OWN_CERT;
	c->name = info->subject;
	free(info);
	if (e == HF_OK)
		e = look(c);
	if (e != HF_OK) {
		free(c);
		return e;
	}
	*cluster = c;
	return HF_OK;
}

void
hf_cluster_close(struct hf_cluster *c)
{
	free(c);
}

uint64_t
hf_cluster_serial(const struct hf_cluster *c)
{
	return c->serial - 1;
}

/* --- members ----------------------------------------------------------------------------- */

static enum hf_err
write_member(struct hf_cluster *c, const struct hf_member *m)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[HF__MEMBER_KEY_TEXT];
	size_t at = 1, i;

	value[0] = (uint8_t)m->scope_n;
	for (i = 0; i < m->scope_n; i++) {
		value[at++] = (uint8_t)m->scope[i].len;
		memcpy(value + at, m->scope[i].text, m->scope[i].len);
		at += m->scope[i].len;
	}
	memcpy(value + at, m->cert, m->cert_len);
	return hf__member_put(c->store, hf__member_key(text, 'm', m->id, NULL),
	    (struct hf_span){ value, at + m->cert_len }, NEVER);
}

/* The record of who holds that certificate; a new one where there is none, or
 * another's in its place. */
static enum hf_err
load_member(struct hf_member *m, const struct hf_cluster *c,
    struct hf_span cert)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[HF__MEMBER_KEY_TEXT], id[HF_MEMBER_ID_TEXT];
	enum hf_err e;
	size_t len;

	if (cert.len == 0 || cert.len > sizeof(m->cert))
		return HF_E_ARG;
	hf_member_id(id, cert);
	e = hf_store_get(c->store, hf__member_key(text, 'm', id, NULL), value,
	    &len);
	if (e == HF_OK &&
	    (hf__member_read(m, (struct hf_span){ value, len }) != HF_OK ||
		strcmp(m->id, id) != 0))
		e = HF_E_NO_SESSION;
	if (e != HF_E_NO_SESSION)
		return e;
	memset(m, 0, sizeof(*m));
	memcpy(m->cert, cert.ptr, cert.len);
	m->cert_len = cert.len;
	memcpy(m->id, id, sizeof(m->id));
	return HF_E_NO_SESSION;
}

struct crowd {
	struct hf_member *member;
	size_t n;
	enum hf_err e;
};

static int
collect(void *arg, const struct hf_member *m)
{
	struct crowd *crowd = arg;
	struct hf_member *more =
	    realloc(crowd->member, (crowd->n + 1) * sizeof(*more));

	if (more == NULL) {
		crowd->e = HF_E_MEMORY;
		return 0;
	}
	crowd->member = more;
	crowd->member[crowd->n++] = *m;
	return 1;
}

/* Whether its last grant of that scope still counts; *newest: the highest
 * generation that any of them was given. A store that does not say ends the
 * change: nobody is dropped for that. */
static enum hf_err
belongs(int *does, const struct hf_cluster *c, const struct hf_member *m,
    const struct hf_keygrant *ring, uint32_t *newest)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[HF__MEMBER_KEY_TEXT], id[HF_MEMBER_ID_TEXT];
	struct hf_keygrant g;
	enum hf_err e;
	size_t len;

	*does = 0;
	e = hf_store_get(c->store,
	    hf__member_key(text, 'g', m->id, ring->scope.text), value, &len);
	if (e != HF_OK)
		return e == HF_E_NO_SESSION ? HF_OK : e;
	if (hf_keygrant_verify(&g, value, len, c->cert) != HF_OK)
		return HF_OK;
	sodium_bin2hex(id, sizeof(id), g.member, sizeof(g.member));
	if (strcmp(id, m->id) != 0 ||
	    strcmp(g.scope.text, ring->scope.text) != 0 ||
	    g.serial < ring->serial)
		return HF_OK;
	if (g.generation[0].number > *newest)
		*newest = g.generation[0].number;
	*does = 1;
	return HF_OK;
}

/* --- changes --------------------------------------------------------------------------------- */

struct change {
	const struct hf_member *in; /* comes to `scope` */
	const char *out;	    /* the id of who goes */
	const char *scope;
	int fresh;     /* a new generation: 1 of the scope, 2 of all */
	int cut_off;   /* the others are refused from now on */
	int unchanged; /* the serial stays */
	size_t n;      /* grants made, of the scope or of all */
};

/* It is kept when it is void: it says who is a member. */
static enum hf_err
grant(struct hf_cluster *c, const struct hf_member *m,
    const struct hf_keygrant *ring)
{
	struct hf_keygrant g = *ring;
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[HF__MEMBER_KEY_TEXT];
	size_t len = 0;
	enum hf_err e;

	g.not_after = c->now + GRANT_SECONDS;
	e = hf_keygrant_make(value, sizeof(value), &len, c->id, &g, m->cert,
	    m->cert_len);
	sodium_memzero(&g, sizeof(g));
	if (e != HF_OK)
		return e;
	return hf__member_put(c->store,
	    hf__member_key(text, 'g', m->id, ring->scope.text),
	    (struct hf_span){ value, len }, NEVER);
}

/* Grants first: whoever has one of the new serial is a member by the old ring
 * too, should this stop on the way. */
static enum hf_err
alter_ring(struct hf_cluster *c, struct change *ch, const struct crowd *crowd,
    struct hf_keygrant *ring)
{
	int here =
	    ch->scope == NULL || strcmp(ch->scope, ring->scope.text) == 0;
	uint32_t newest = 0;
	enum hf_err e = HF_OK;
	int *stays;
	size_t i;

	if ((stays = calloc(crowd->n + 1, sizeof(*stays))) == NULL)
		return HF_E_MEMORY;
	for (i = 0; e == HF_OK && i < crowd->n; i++) {
		const struct hf_member *m = &crowd->member[i];

		e = belongs(&stays[i], c, m, ring, &newest);
		if ((ch->out != NULL && strcmp(ch->out, m->id) == 0) ||
		    (ch->in != NULL && here && strcmp(ch->in->id, m->id) == 0))
			stays[i] = 0;
	}
	if (ch->fresh == 2 || (ch->fresh == 1 && here)) {
		if (ch->cut_off)
			cut_off(ring, c->now);
		new_generation(ring, newest);
	}
	if (!ch->unchanged)
		ring->serial = c->serial;
	for (i = 0; e == HF_OK && i < crowd->n; i++)
		if (stays[i]) {
			e = grant(c, &crowd->member[i], ring);
			ch->n += e == HF_OK && here;
		}
	free(stays);
	if (e == HF_OK && ch->in != NULL && here)
		e = grant(c, ch->in, ring);
	return e == HF_OK && !ch->unchanged ? save_ring(c, ring) : e;
}

/* `made` is a ring that is not in the store yet, or NULL. */
static enum hf_err
alter(struct hf_cluster *c, struct change *ch, struct hf_keygrant *made)
{
	struct crowd crowd = { NULL, 0, HF_OK };
	struct hf_keygrant ring;
	enum hf_err e;
	size_t i;

	if ((e = hf_cluster_members(c->store, collect, &crowd)) == HF_OK)
		e = crowd.e;
	for (i = 0; e == HF_OK && i < c->ring_n; i++)
		if ((e = load_ring(&ring, c, c->ring[i].text)) == HF_OK)
			e = alter_ring(c, ch, &crowd, &ring);
	if (e == HF_OK && made != NULL)
		e = alter_ring(c, ch, &crowd, made);
	if (e == HF_OK && !ch->unchanged)
		c->serial++;
	sodium_memzero(&ring, sizeof(ring));
	free(crowd.member);
	return e;
}

/* A scope keeps its targets. */
static enum hf_err
same_targets(const struct hf_keygrant *ring, const struct hf_keygrant *scope)
{
	size_t i;

	if (scope->target_n == 0)
		return HF_OK;
	if (ring->target_n != scope->target_n)
		return HF_E_ARG;
	for (i = 0; i < ring->target_n; i++)
		if (strcmp(ring->target[i].text, scope->target[i].text) != 0)
			return HF_E_ARG;
	return HF_OK;
}

static void
make_ring(struct hf_keygrant *ring, const struct hf_cluster *c,
    const struct hf_keygrant *scope)
{
	memset(ring, 0, sizeof(*ring));
	ring->cluster = c->name;
	ring->scope = scope->scope;
	ring->target_n = scope->target_n;
	memcpy(ring->target, scope->target, sizeof(ring->target));
	/* Whoever had a grant of it before somebody took the ring away is no
	 * member of this one. */
	ring->serial = c->serial;
	new_generation(ring, 0);
}

static enum hf_err
note_scope(struct hf_member *m, const struct hf_name *scope)
{
	size_t i;

	for (i = 0; i < m->scope_n; i++)
		if (strcmp(m->scope[i].text, scope->text) == 0)
			return HF_OK;
	if (m->scope_n == HF_SCOPES_MAX)
		return HF_E_SPACE;
	m->scope[m->scope_n++] = *scope;
	return HF_OK;
}

enum hf_err
hf_cluster_admit(struct hf_cluster *c, struct hf_span cert,
    const struct hf_keygrant *scope)
{
	char text[HF__MEMBER_KEY_TEXT], id[HF_MEMBER_ID_TEXT];
	struct hf_keygrant ring;
	struct hf_member m;
	struct change ch = { .in = &m, .scope = scope->scope.text };
	enum hf_err e;
	int there;

	if (cert.len == 0 || cert.len > sizeof(m.cert))
		return HF_E_ARG;
	/* A scope whose grants have no place is none. */
	hf_member_id(id, cert);
	if (hf__member_key(text, 'g', id, scope->scope.text).len == 0)
		return HF_E_ARG;
	e = load_ring(&ring, c, scope->scope.text);
	there = e == HF_OK;
	if (there)
		e = same_targets(&ring, scope);
	else if (e == HF_E_NO_SESSION && c->ring_n < RINGS_MAX) {
		make_ring(&ring, c, scope);
		e = HF_OK;
	}
	if (e == HF_OK && (e = load_member(&m, c, cert)) == HF_E_NO_SESSION)
		e = HF_OK;
	if (e == HF_OK && (e = note_scope(&m, &scope->scope)) == HF_OK &&
	    (e = write_member(c, &m)) == HF_OK)
		e = alter(c, &ch, there ? NULL : &ring);
	if (e == HF_OK && !there)
		c->ring[c->ring_n++] = ring.scope;
	sodium_memzero(&ring, sizeof(ring));
	return e;
}

enum hf_err
hf_cluster_rotate(struct hf_cluster *c, const char *scope, int cut_off,
    size_t *n)
{
	struct change ch = { .scope = scope, .fresh = 1, .cut_off = cut_off };
	struct hf_keygrant ring;
	enum hf_err e;

	*n = 0;
	if ((e = load_ring(&ring, c, scope)) == HF_OK) {
		sodium_memzero(&ring, sizeof(ring));
		e = alter(c, &ch, NULL);
	}
	*n = ch.n;
	return e;
}

/* The keys of all scopes are made anew: which ones it had is known from the
 * store alone. What stands there of it goes last. */
enum hf_err
hf_cluster_remove(struct hf_cluster *c, struct hf_span cert, int evict)
{
	static const struct hf_span nothing = { NULL, 0 };
	struct change ch = { .fresh = 2, .cut_off = evict };
	char text[HF__MEMBER_KEY_TEXT];
	struct hf_member m;
	enum hf_err e, known;
	size_t i;

	known = load_member(&m, c, cert);
	if (known != HF_OK && known != HF_E_NO_SESSION)
		return known;
	ch.out = m.id;
	e = alter(c, &ch, NULL);
	for (i = 0; e == HF_OK && i < c->ring_n; i++)
		e = hf__member_put(c->store,
		    hf__member_key(text, 'g', m.id, c->ring[i].text), nothing,
		    0);
	if (e == HF_OK)
		e = hf__member_put(c->store,
		    hf__member_key(text, 'm', m.id, NULL), nothing, 0);
	return e == HF_OK ? known : e;
}

/* Where a change stopped on the way rings have two serials: then this is one
 * too. */
enum hf_err
hf_cluster_renew(struct hf_cluster *c, size_t *n)
{
	struct change ch = { .unchanged = 1 };
	struct hf_keygrant ring;
	enum hf_err e = HF_OK;
	size_t i;

	for (i = 0; e == HF_OK && i < c->ring_n; i++) {
		e = load_ring(&ring, c, c->ring[i].text);
		if (e == HF_OK && ring.serial + 1 != c->serial)
			ch.unchanged = 0;
		sodium_memzero(&ring, sizeof(ring));
	}
	if (e == HF_OK)
		e = alter(c, &ch, NULL);
	*n = ch.n;
	return e;
}
