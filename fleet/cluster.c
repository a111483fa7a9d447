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
#include <time.h>

#include "cluster_own.h"

enum { TRIES = 5, PAUSE_MS = 100 };
#define NEVER ((uint64_t)1 << 53)

/* --- rings ------------------------------------------------------------------------------ */

enum hf_err
hf__ring_load(struct hf_keygrant *ring, struct hf__seen *seen,
    const struct hf_cluster *c, const char *scope)
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

	if ((e = hf__member_get(c->store,
		 hf__member_key(text, 'r', NULL, scope), value, &len, seen)) !=
		HF_OK ||
	    (e = hf_keygrant_open(ring, value, len, &by)) != HF_OK)
		return e;
	return strcmp(ring->scope.text, scope) == 0 ? HF_OK : HF_E_NAME;
}

enum hf_err
hf__ring_save(struct hf_cluster *c, struct hf_keygrant *ring,
    struct hf__seen *seen)
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
	    hf__member_key(text, 'r', NULL, ring->scope.text), seen,
	    (struct hf_span){ value, len }, NEVER);
}

void
hf__ring_generation(struct hf_keygrant *ring, uint32_t above)
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

struct rings {
	struct hf_name name[HF__RINGS_MAX];
	size_t n;
};

static int
note_ring(void *arg, struct hf_span key, struct hf_span value)
{
	struct rings *r = arg;
	struct hf_name *name = &r->name[r->n];

	(void)value;
	if (key.len < 3 || key.len - 2 > HF_NAME_MAX ||
	    memchr(key.ptr, '\0', key.len) != NULL)
		return 1; /* no scope can have it */
	if (r->n == HF__RINGS_MAX)
		return 0;
	name->len = key.len - 2;
	memcpy(name->text, key.ptr + 2, name->len);
	name->text[name->len] = '\0';
	r->n++;
	return 1;
}

static enum hf_err
list_rings(struct rings **found, const struct hf_cluster *c)
{
	static const uint8_t rings[] = { 'r', '/' };
	enum hf_err e;

	if ((*found = calloc(1, sizeof(**found))) == NULL)
		return HF_E_MEMORY;
	e = hf_store_list(c->store, (struct hf_span){ rings, sizeof(rings) },
	    note_ring, *found);
	return e == HF_OK && (*found)->n == HF__RINGS_MAX ? HF_E_SPACE : e;
}

/* That is no ring of the cluster's; it is not that nobody knows. */
static int
is_none(enum hf_err e)
{
	return e != HF_E_ROLLBACK && e != HF_E_STORE && e != HF_E_MEMORY;
}

/* What rings there are, and the serial above all of them. One that the cluster
 * did not make, or that stands in another's place, is none: it keeps nobody
 * from changes, and where it hides the right one that is an old one then. */
static enum hf_err
look(struct hf_cluster *c)
{
	uint64_t top = c->least > c->used ? c->least : c->used;
	uint64_t lowest = UINT64_MAX;
	struct hf_keygrant ring;
	struct hf__seen seen;
	struct rings *found;
	enum hf_err e;
	size_t i;

	c->ring_n = 0;
	e = list_rings(&found, c);
	for (i = 0; e == HF_OK && i < found->n; i++) {
		e = hf__ring_load(&ring, &seen, c, found->name[i].text);
		if (e == HF_OK) {
			c->ring[c->ring_n++] = found->name[i];
			if (ring.serial > top)
				top = ring.serial;
			if (ring.serial < lowest)
				lowest = ring.serial;
		} else if (is_none(e))
			e = HF_OK;
		sodium_memzero(&ring, sizeof(ring));
	}
	free(found);
	c->serial = top + 1;
	/* Of rings that were not looked at nothing is known. */
	if (e == HF_OK && c->ring_n > 0)
		c->least = lowest;
	return e;
}

static int
is_known(const struct hf_cluster *c, const struct hf_name *scope)
{
	size_t i;

	for (i = 0; i < c->ring_n; i++)
		if (strcmp(c->ring[i].text, scope->text) == 0)
			return 1;
	return 0;
}

enum hf_err
hf__ring_overlooked(const struct hf_cluster *c)
{
	struct hf_keygrant ring;
	struct hf__seen seen;
	struct rings *found;
	enum hf_err e;
	size_t i;

	e = list_rings(&found, c);
	for (i = 0; e == HF_OK && i < found->n; i++)
		if (!is_known(c, &found->name[i])) {
			e = hf__ring_load(&ring, &seen, c,
			    found->name[i].text);
			sodium_memzero(&ring, sizeof(ring));
			if (e == HF_OK)
				e = HF_E_FENCED;
			else if (is_none(e))
				e = HF_OK;
		}
	free(found);
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
hf_cluster_remember(struct hf_cluster *c, uint64_t used,
    enum hf_err (*remember)(void *arg, uint64_t used), void *arg)
{
	c->used = used;
	c->remember = remember;
	c->remember_arg = arg;
}

void
hf_cluster_anew(struct hf_cluster *c)
{
	c->anew = 1;
}

void
hf_cluster_close(struct hf_cluster *c)
{
	free(c);
}

uint64_t
hf_cluster_serial(const struct hf_cluster *c)
{
	return c->least;
}

/* --- members ----------------------------------------------------------------------------- */

static enum hf_err
write_member(struct hf_cluster *c, struct hf__change *ch)
{
	const struct hf_member *m = &ch->who;
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
	    &ch->record, (struct hf_span){ value, at + m->cert_len }, NEVER);
}

/* The record of who holds that certificate; a new one where there is none, or
 * another's in its place. */
static enum hf_err
load_member(struct hf__change *ch, const struct hf_cluster *c)
{
	struct hf_member *m = &ch->who;
	const struct hf_span cert = ch->cert;
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[HF__MEMBER_KEY_TEXT], id[HF_MEMBER_ID_TEXT];
	enum hf_err e;
	size_t len;

	if (cert.len == 0 || cert.len > sizeof(m->cert))
		return HF_E_ARG;
	hf_member_id(id, cert);
	e = hf__member_get(c->store, hf__member_key(text, 'm', id, NULL),
	    value, &len, &ch->record);
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
fill_ring(struct hf_keygrant *ring, const struct hf_cluster *c,
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
	hf__ring_generation(ring, 0);
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

/* A ring is there before anybody has a grant of it, so that whoever begins a
 * change meanwhile finds it. */
static enum hf_err
find_ring(struct hf_cluster *c, struct hf__change *ch)
{
	struct hf_keygrant ring = { .serial = 0 };
	struct hf__seen seen;
	enum hf_err e;

	e = hf__ring_load(&ring, &seen, c, ch->admit->scope.text);
	if (e == HF_OK)
		e = same_targets(&ring, ch->admit);
	/* One more than may be would be in the way of all changes. */
	else if (e == HF_E_NO_SESSION && c->ring_n + 1 == HF__RINGS_MAX)
		e = HF_E_SPACE;
	else if (e == HF_E_NO_SESSION) {
		fill_ring(&ring, c, ch->admit);
		ch->made = 1;
		e = HF_OK;
	}
	if (e == HF_OK && ch->made &&
	    (e = hf__cluster_begin(c, c->serial)) == HF_OK &&
	    (e = hf__ring_save(c, &ring, &seen)) == HF_OK)
		c->ring[c->ring_n++] = ring.scope;
	sodium_memzero(&ring, sizeof(ring));
	return e;
}

static enum hf_err
admit_once(struct hf_cluster *c, struct hf__change *ch)
{
	enum hf_err e;

	if ((e = load_member(ch, c)) != HF_OK && e != HF_E_NO_SESSION)
		return e;
	if ((e = note_scope(&ch->who, &ch->admit->scope)) != HF_OK ||
	    (e = find_ring(c, ch)) != HF_OK ||
	    (e = write_member(c, ch)) != HF_OK)
		return e;
	/* Who was let go of meanwhile would have grants and no record. */
	return (e = hf__cluster_alter(c, ch)) == HF_OK ? write_member(c, ch) :
							 e;
}

static enum hf_err
rotate_once(struct hf_cluster *c, struct hf__change *ch)
{
	struct hf_keygrant ring;
	struct hf__seen seen;
	enum hf_err e;

	e = hf__ring_load(&ring, &seen, c, ch->scope);
	sodium_memzero(&ring, sizeof(ring));
	return e == HF_OK ? hf__cluster_alter(c, ch) : e;
}

/* The keys of all scopes are made anew: which ones it had is known from the
 * store alone. What stands there of it goes last. */
static enum hf_err
remove_once(struct hf_cluster *c, struct hf__change *ch)
{
	enum hf_err e = load_member(ch, c);

	if (e != HF_OK && e != HF_E_NO_SESSION)
		return e;
	*ch->known |= e == HF_OK;
	return hf__cluster_alter(c, ch);
}

/* --- again, where another was at work ------------------------------------------------- */

/* So long that two do not meet again and again. */
static void
wait_a_moment(int tries)
{
	uint32_t ms = randombytes_uniform((uint32_t)PAUSE_MS << tries);
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	(void)nanosleep(&t, NULL);
}

static enum hf_err
settle(struct hf_cluster *c, struct hf__change *ch)
{
	const struct hf__change begun = *ch;
	enum hf_err e;
	int tries;

	/* Above that of any that came to nothing. */
	if (c->serial <= c->used)
		c->serial = c->used + 1;
	for (tries = 1;; tries++) {
		/* Another store, or one that lost all: it says nothing of
		 * members. */
		if (c->ring_n == 0 && c->least > 0 && !(ch->comes && c->anew))
			return HF_E_ROLLBACK;
		if ((e = ch->once(c, ch)) != HF_E_FENCED || tries == TRIES)
			return e;
		wait_a_moment(tries);
		*ch = begun;
		if ((e = look(c)) != HF_OK)
			return e;
	}
}

enum hf_err
hf_cluster_admit(struct hf_cluster *c, struct hf_span cert,
    const struct hf_keygrant *scope)
{
	struct hf__change ch = { .once = admit_once,
		.cert = cert,
		.admit = scope,
		.scope = scope->scope.text,
		.comes = 1 };
	char text[HF__MEMBER_KEY_TEXT], id[HF_MEMBER_ID_TEXT];

	if (cert.len == 0 || cert.len > sizeof(ch.who.cert))
		return HF_E_ARG;
	/* A scope whose grants have no place is none. */
	hf_member_id(id, cert);
	if (hf__member_key(text, 'g', id, scope->scope.text).len == 0)
		return HF_E_ARG;
	return settle(c, &ch);
}

enum hf_err
hf_cluster_rotate(struct hf_cluster *c, const char *scope, int cut_off,
    size_t *n)
{
	struct hf__change ch = { .once = rotate_once,
		.scope = scope,
		.fresh = 1,
		.cut_off = cut_off };
	enum hf_err e = settle(c, &ch);

	*n = ch.n;
	return e;
}

enum hf_err
hf_cluster_remove(struct hf_cluster *c, struct hf_span cert, int evict)
{
	int known = 0;
	struct hf__change ch = { .once = remove_once,
		.cert = cert,
		.fresh = 2,
		.cut_off = evict,
		.known = &known,
		.goes = 1 };
	enum hf_err e = settle(c, &ch);

	return e == HF_OK && !known ? HF_E_NO_SESSION : e;
}

enum hf_err
hf_cluster_renew(struct hf_cluster *c, size_t *n)
{
	struct hf__change ch = { .once = hf__cluster_alter, .unchanged = 1 };
	enum hf_err e = settle(c, &ch);

	*n = ch.n;
	return e;
}
