/* SPDX-License-Identifier: ISC */
/*
 * Who may hold a cluster's sessions (spec section 19): members, scopes and the
 * key grants that the cluster makes for them, in the store that they share.
 * For commands, and for a server that starts: every call waits for the store.
 *
 *     r/SCOPE      the cluster's own copy of a scope's keys
 *     m/ID         a member: its scopes, and its certificate
 *     g/ID/SCOPE   the grant of a scope for a member
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"

enum {
	ID_TEXT = 2 * HF_KEY_BYTES,
	GRANT_SECONDS = 86400,
	KEY_TEXT = HF_STORE_KEY_MAX + 1
};
#define NEVER ((uint64_t)1 << 53)

struct hf_cluster {
	struct hf_store *store;
	const struct hf_identity *id;
	struct hf_span cert;
	struct hf_name name;
	uint64_t now, serial; /* the highest of all rings */
};

/* A store's key of two or three parts. Returns its length, 0 when it is too
 * long. */
static struct hf_span
key_of(char out[KEY_TEXT], char kind, const char *id, const char *scope)
{
	int n = id != NULL && scope != NULL ?
	    snprintf(out, KEY_TEXT, "%c/%s/%s", kind, id, scope) :
	    snprintf(out, KEY_TEXT, "%c/%s", kind, id != NULL ? id : scope);

	return (struct hf_span){ (const uint8_t *)out,
		n > 0 && n < KEY_TEXT ? (size_t)n : 0 };
}

void
hf_member_id(char out[HF_MEMBER_ID_TEXT], struct hf_span cert)
{
	uint8_t hash[HF_KEY_BYTES];

	/* It fails only for lengths out of its range. */
	if (crypto_generichash(hash, sizeof(hash), cert.ptr, cert.len, NULL,
		0) != 0)
		sodium_misuse();
	sodium_bin2hex(out, HF_MEMBER_ID_TEXT, hash, sizeof(hash));
}

/* Puts a value in the place of whatever is there. */
static enum hf_err
replace(struct hf_store *store, struct hf_span key, struct hf_span value,
    uint64_t expires)
{
	uint8_t old[HF_STORE_VALUE_MAX];
	enum hf_err e = HF_E_FENCED;
	size_t len;
	int tries;

	if (key.len == 0)
		return HF_E_ARG;
	for (tries = 0; e == HF_E_FENCED && tries < 100; tries++) {
		e = hf_store_get(store, key, old, &len);
		if (e != HF_OK && e != HF_E_NO_SESSION)
			break;
		e = hf_store_swap(store, key, (struct hf_span){ old, len },
		    value, expires);
	}
	sodium_memzero(old, sizeof(old));
	return e;
}

/* --- rings ------------------------------------------------------------------------------ */

static enum hf_err
open_ring(struct hf_keygrant *ring, const struct hf_cluster *c,
    struct hf_span value)
{
	const struct hf_keygrant_judge by = { .identity = c->id,
		.member = c->cert,
		.cluster = c->cert,
		.now = c->now,
		.own_copy = 1 };

	return hf_keygrant_open(ring, value.ptr, value.len, &by);
}

static enum hf_err
load_ring(struct hf_keygrant *ring, const struct hf_cluster *c,
    const char *scope)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[KEY_TEXT];
	enum hf_err e;
	size_t len;

	if ((e = hf_store_get(c->store, key_of(text, 'r', NULL, scope), value,
		 &len)) == HF_OK)
		e = open_ring(ring, c, (struct hf_span){ value, len });
	return e;
}

/* With the next serial. */
static enum hf_err
save_ring(struct hf_cluster *c, struct hf_keygrant *ring)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[KEY_TEXT];
	size_t len = 0;
	enum hf_err e;

	ring->serial = c->serial;
	ring->not_after = NEVER;
	if ((e = hf_keygrant_make(value, sizeof(value), &len, c->id, ring,
		 c->cert.ptr, c->cert.len)) != HF_OK)
		return e;
	return replace(c->store, key_of(text, 'r', NULL, ring->scope.text),
	    (struct hf_span){ value, len }, NEVER);
}

/* One more generation, the newest; the oldest beyond the limit goes. */
static void
new_generation(struct hf_keygrant *ring)
{
	uint32_t number =
	    ring->generation_n == 0 ? 0 : ring->generation[0].number;

	if (ring->generation_n == HF_GENERATIONS_MAX)
		ring->generation_n--;
	memmove(&ring->generation[1], &ring->generation[0],
	    ring->generation_n * sizeof(ring->generation[0]));
	ring->generation_n++;
	ring->generation[0].number = number + 1;
	ring->generation[0].cut_off = 0;
	randombytes_buf(ring->generation[0].key,
	    sizeof(ring->generation[0].key));
}

static int
highest(void *arg, struct hf_span key, struct hf_span value)
{
	struct hf_cluster *c = arg;
	struct hf_keygrant ring;

	(void)key;
	if (open_ring(&ring, c, value) == HF_OK && ring.serial > c->serial)
		c->serial = ring.serial;
	sodium_memzero(&ring, sizeof(ring));
	return 1;
}

enum hf_err
hf_cluster_open(struct hf_cluster **cluster, struct hf_store *store,
    const struct hf_identity *id, struct hf_span cert, uint64_t now)
{
	static const uint8_t rings[] = { 'r', '/' };
	struct hf_cert_info *info;
	struct hf_cluster *c;
	uint8_t own[HF_KEY_BYTES];
	enum hf_err e;

	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    (info = calloc(1, sizeof(*info))) == NULL) {
		free(c);
		return HF_E_MEMORY;
	}
	c->store = store;
	c->id = id;
	c->cert = cert;
	c->now = now;
	hf_identity_public(own, NULL, id);
	if ((e = hf_cert_read(info, cert.ptr, cert.len)) == HF_OK &&
	    (info->usage != HF_USAGE_CLUSTER ||
		sodium_memcmp(own, info->key, sizeof(own)) != 0))
		e = HF_E_OWN_CERT;
	c->name = info->subject;
	free(info);
	if (e == HF_OK)
		e = hf_store_list(store,
		    (struct hf_span){ rings, sizeof(rings) }, highest, c);
	if (e != HF_OK) {
		free(c);
		return e;
	}
	c->serial++; /* of whatever is changed now */
	*cluster = c;
	return HF_OK;
}

void
hf_cluster_close(struct hf_cluster *c)
{
	free(c);
}

/* --- members ----------------------------------------------------------------------------- */

/* A member's record: how many scopes, each with its length, the certificate. */
static enum hf_err
read_member(struct hf_member *m, struct hf_span value)
{
	size_t at = 1, i, len;

	memset(m, 0, sizeof(*m));
	if (value.len < 1 || value.ptr[0] > HF_SCOPES_MAX)
		return HF_E_OBJECT;
	m->scope_n = value.ptr[0];
	for (i = 0; i < m->scope_n; i++) {
		if (at >= value.len || (len = value.ptr[at]) == 0 ||
		    len > value.len - at - 1)
			return HF_E_OBJECT;
		memcpy(m->scope[i].text, value.ptr + at + 1, len);
		m->scope[i].len = len;
		at += 1 + len;
	}
	if (value.len - at == 0 || value.len - at > HF_CERT_MAX)
		return HF_E_OBJECT;
	m->cert_len = value.len - at;
	memcpy(m->cert, value.ptr + at, m->cert_len);
	hf_member_id(m->id, (struct hf_span){ m->cert, m->cert_len });
	return HF_OK;
}

static enum hf_err
write_member(struct hf_cluster *c, const struct hf_member *m)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[KEY_TEXT];
	size_t at = 1, i;

	value[0] = (uint8_t)m->scope_n;
	for (i = 0; i < m->scope_n; i++) {
		value[at++] = (uint8_t)m->scope[i].len;
		memcpy(value + at, m->scope[i].text, m->scope[i].len);
		at += m->scope[i].len;
	}
	memcpy(value + at, m->cert, m->cert_len);
	return replace(c->store, key_of(text, 'm', m->id, NULL),
	    (struct hf_span){ value, at + m->cert_len }, NEVER);
}

static enum hf_err
load_member(struct hf_member *m, struct hf_cluster *c, struct hf_span cert)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[KEY_TEXT], id[HF_MEMBER_ID_TEXT];
	enum hf_err e;
	size_t len;

	hf_member_id(id, cert);
	if ((e = hf_store_get(c->store, key_of(text, 'm', id, NULL), value,
		 &len)) != HF_OK)
		return e;
	return read_member(m, (struct hf_span){ value, len });
}

struct walk {
	int (*each)(void *arg, const struct hf_member *member);
	void *arg;
	enum hf_err e;
};

static int
walk_one(void *arg, struct hf_span key, struct hf_span value)
{
	struct walk *w = arg;
	struct hf_member *m = malloc(sizeof(*m));

	(void)key;
	w->e = m == NULL ? HF_E_MEMORY : read_member(m, value);
	if (w->e == HF_OK && !w->each(w->arg, m)) {
		free(m);
		return 0;
	}
	free(m);
	return w->e == HF_OK;
}

enum hf_err
hf_cluster_members(struct hf_store *store,
    int (*each)(void *arg, const struct hf_member *member), void *arg)
{
	static const uint8_t members[] = { 'm', '/' };
	struct walk w = { each, arg, HF_OK };
	enum hf_err e = hf_store_list(store,
	    (struct hf_span){ members, sizeof(members) }, walk_one, &w);

	return e == HF_OK ? w.e : e;
}

/* --- grants -------------------------------------------------------------------------------- */

static enum hf_err
grant(struct hf_cluster *c, const struct hf_member *m,
    const struct hf_keygrant *ring)
{
	struct hf_keygrant g = *ring;
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[KEY_TEXT];
	size_t len = 0;
	enum hf_err e;

	g.serial = c->serial;
	g.not_after = c->now + GRANT_SECONDS;
	e = hf_keygrant_make(value, sizeof(value), &len, c->id, &g, m->cert,
	    m->cert_len);
	sodium_memzero(&g, sizeof(g));
	if (e != HF_OK)
		return e;
	return replace(c->store, key_of(text, 'g', m->id, ring->scope.text),
	    (struct hf_span){ value, len }, c->now + GRANT_SECONDS);
}

/* Members are collected first: a list is not changed while it is read. */
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

static int
has_scope(const struct hf_member *m, const char *scope)
{
	size_t i;

	for (i = 0; i < m->scope_n; i++)
		if (strcmp(m->scope[i].text, scope) == 0)
			return 1;
	return 0;
}

/* Of a changed scope, and of the member's other scopes too: it takes no grant
 * whose serial is below another's. */
static enum hf_err
grant_scopes(struct hf_cluster *c, const struct hf_member *m,
    const struct hf_keygrant *changed)
{
	enum hf_err e = grant(c, m, changed);
	struct hf_keygrant ring;
	size_t i;

	for (i = 0; e == HF_OK && i < m->scope_n; i++) {
		if (strcmp(m->scope[i].text, changed->scope.text) == 0)
			continue;
		if ((e = load_ring(&ring, c, m->scope[i].text)) == HF_OK)
			e = grant(c, m, &ring);
		sodium_memzero(&ring, sizeof(ring));
	}
	return e;
}

/* Fresh grants of one scope for all who have it. */
static enum hf_err
grant_all(struct hf_cluster *c, const struct hf_keygrant *ring, size_t *n,
    enum hf_err (*make)(struct hf_cluster *c, const struct hf_member *m,
	const struct hf_keygrant *ring))
{
	struct crowd crowd = { NULL, 0, HF_OK };
	enum hf_err e;
	size_t i;

	if ((e = hf_cluster_members(c->store, collect, &crowd)) == HF_OK)
		e = crowd.e;
	for (i = 0; e == HF_OK && i < crowd.n; i++)
		if (has_scope(&crowd.member[i], ring->scope.text)) {
			e = make(c, &crowd.member[i], ring);
			*n += e == HF_OK;
		}
	free(crowd.member);
	return e;
}

/* --- changes --------------------------------------------------------------------------------- */

/* A scope's ring, made where there is none. A scope keeps its targets. */
static enum hf_err
need_ring(struct hf_keygrant *ring, struct hf_cluster *c,
    const struct hf_keygrant *scope)
{
	enum hf_err e = load_ring(ring, c, scope->scope.text);
	size_t i;

	if (e == HF_E_NO_SESSION) {
		memset(ring, 0, sizeof(*ring));
		ring->cluster = c->name;
		ring->scope = scope->scope;
		ring->target_n = scope->target_n;
		memcpy(ring->target, scope->target, sizeof(ring->target));
		new_generation(ring);
		return HF_OK;
	}
	if (e != HF_OK || scope->target_n == 0)
		return e;
	if (ring->target_n != scope->target_n)
		return HF_E_ARG;
	for (i = 0; i < ring->target_n; i++)
		if (strcmp(ring->target[i].text, scope->target[i].text) != 0)
			return HF_E_ARG;
	return HF_OK;
}

enum hf_err
hf_cluster_admit(struct hf_cluster *c, struct hf_span cert,
    const struct hf_keygrant *scope)
{
	char text[KEY_TEXT], id[HF_MEMBER_ID_TEXT];
	struct hf_keygrant ring;
	struct hf_member m;
	enum hf_err e;

	if (cert.len == 0 || cert.len > sizeof(m.cert))
		return HF_E_ARG;
	/* A scope whose grants have no place is none. */
	hf_member_id(id, cert);
	if (key_of(text, 'g', id, scope->scope.text).len == 0)
		return HF_E_ARG;
	e = load_member(&m, c, cert);
	if (e == HF_E_NO_SESSION) {
		memset(&m, 0, sizeof(m));
		memcpy(m.cert, cert.ptr, cert.len);
		m.cert_len = cert.len;
		memcpy(m.id, id, sizeof(m.id));
		e = HF_OK;
	}
	if (e != HF_OK || (e = need_ring(&ring, c, scope)) != HF_OK)
		return e;
	if (!has_scope(&m, scope->scope.text)) {
		if (m.scope_n == HF_SCOPES_MAX)
			e = HF_E_SPACE;
		else
			m.scope[m.scope_n++] = scope->scope;
	}
	if (e == HF_OK && (e = save_ring(c, &ring)) == HF_OK &&
	    (e = write_member(c, &m)) == HF_OK)
		e = grant_scopes(c, &m, &ring);
	sodium_memzero(&ring, sizeof(ring));
	return e;
}

enum hf_err
hf_cluster_rotate(struct hf_cluster *c, const char *scope, int cut_off,
    size_t *n)
{
	struct hf_keygrant ring;
	enum hf_err e;
	size_t i;

	*n = 0;
	if ((e = load_ring(&ring, c, scope)) != HF_OK)
		return e;
	for (i = 0; cut_off && i < ring.generation_n; i++)
		if (ring.generation[i].cut_off == 0 ||
		    ring.generation[i].cut_off > c->now)
			ring.generation[i].cut_off = c->now;
	new_generation(&ring);
	if ((e = save_ring(c, &ring)) == HF_OK)
		e = grant_all(c, &ring, n, grant_scopes);
	sodium_memzero(&ring, sizeof(ring));
	return e;
}

/* The member's record and grants go first: nothing new is sealed to it. */
enum hf_err
hf_cluster_remove(struct hf_cluster *c, struct hf_span cert, int evict)
{
	static const struct hf_span nothing = { NULL, 0 };
	char text[KEY_TEXT];
	struct hf_member m;
	enum hf_err e;
	size_t i, n;

	if ((e = load_member(&m, c, cert)) != HF_OK ||
	    (e = replace(c->store, key_of(text, 'm', m.id, NULL), nothing,
		 0)) != HF_OK)
		return e;
	for (i = 0; e == HF_OK && i < m.scope_n; i++)
		if ((e = replace(c->store,
			 key_of(text, 'g', m.id, m.scope[i].text), nothing,
			 0)) == HF_OK)
			e = hf_cluster_rotate(c, m.scope[i].text, evict, &n);
	return e;
}

struct renewal {
	struct hf_cluster *c;
	struct hf_name scope[64];
	size_t n;
};

static int
note_scope(void *arg, struct hf_span key, struct hf_span value)
{
	struct renewal *r = arg;

	(void)value;
	if (r->n == sizeof(r->scope) / sizeof(r->scope[0]) || key.len < 3 ||
	    key.len - 2 > HF_NAME_MAX)
		return 0;
	memcpy(r->scope[r->n].text, key.ptr + 2, key.len - 2);
	r->scope[r->n].text[key.len - 2] = '\0';
	r->n++;
	return 1;
}

enum hf_err
hf_cluster_renew(struct hf_cluster *c, size_t *n)
{
	static const uint8_t rings[] = { 'r', '/' };
	struct renewal *r = calloc(1, sizeof(*r));
	struct hf_keygrant ring;
	enum hf_err e;
	size_t i;

	*n = 0;
	if (r == NULL)
		return HF_E_MEMORY;
	e = hf_store_list(c->store, (struct hf_span){ rings, sizeof(rings) },
	    note_scope, r);
	c->serial--; /* nothing changes */
	for (i = 0; e == HF_OK && i < r->n; i++)
		if ((e = load_ring(&ring, c, r->scope[i].text)) == HF_OK)
			e = grant_all(c, &ring, n, grant);
	sodium_memzero(&ring, sizeof(ring));
	free(r);
	return e;
}

/* --- a member's own ---------------------------------------------------------------------------- */

struct taking {
	struct hf_vault *vault;
	struct hf_keygrant_judge by;
	uint64_t serial;
	size_t n;
	enum hf_err e;
};

static int
take_grant(void *arg, struct hf_span key, struct hf_span value)
{
	struct taking *t = arg;
	struct hf_keygrant g;

	(void)key;
	t->e = hf_keygrant_open(&g, value.ptr, value.len, &t->by);
	if (t->e == HF_OK && (t->e = hf_vault_grant(t->vault, &g)) == HF_OK) {
		t->n++;
		if (g.serial > t->serial)
			t->serial = g.serial;
	}
	sodium_memzero(&g, sizeof(g));
	return t->e == HF_OK;
}

enum hf_err
hf_member_grants(struct hf_vault *vault, struct hf_store *store,
    const struct hf_keygrant_judge *by, uint64_t *serial)
{
	struct taking t = { vault, *by, by->serial, 0, HF_OK };
	char id[HF_MEMBER_ID_TEXT], text[KEY_TEXT];
	enum hf_err e;

	hf_member_id(id, by->member);
	e = hf_store_list(store, key_of(text, 'g', id, ""), take_grant, &t);
	if (e == HF_OK)
		e = t.e;
	if (e != HF_OK)
		return e;
	*serial = t.serial;
	return t.n > 0 ? HF_OK : HF_E_NO_SESSION;
}
