/* SPDX-License-Identifier: ISC */
/*
 * How a change of a cluster is written (spec section 19.3), where another may
 * be written at the same time. A store changes one value at a time, so nothing
 * is put but in the place of what was read, and what is not there any more
 * ends it (HF_E_FENCED): it is begun again from reading on.
 *
 * First all rings are read, then who has a record, then each ring's grants, and
 * the ring is put back with its new generations under the serial that it has:
 * it is taken. Whoever reads it after that knows these generations; who read it
 * before has read the grants before too, so that of two who write a grant the
 * later one is stopped, and who lost leaves none of older keys where the other
 * was done. Then come the grants under a serial above those of all rings and
 * grants that were read, and of all changes that were begun, and last the rings
 * under the same: until then the old serial says who is a member, by old grants
 * and new ones, should this stop on the way. What was made by who lost does not
 * count by the ring of who won, or stops it.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_own.h"

enum { GRANT_SECONDS = 86400 };
#define NEVER ((uint64_t)1 << 53)

/* A member's grant of a ring. */
struct place {
	struct hf__seen seen;
	int stays; /* it is given anew */
};

/* What was read for a change. */
struct reading {
	struct hf_member *member; /* who comes or goes is the last */
	size_t n;
	const char *who; /* his id, or NULL */
	struct place *place;
	struct hf__seen ring[HF__RINGS_MAX];
	uint64_t serial; /* above all that were read */
	uint64_t lowest; /* of all rings */
	enum hf_err e;
};

static int
add(struct reading *all, const struct hf_member *m)
{
	struct hf_member *more =
	    realloc(all->member, (all->n + 1) * sizeof(*more));

	if (more == NULL) {
		all->e = HF_E_MEMORY;
		return 0;
	}
	all->member = more;
	all->member[all->n++] = *m;
	return 1;
}

static int
collect(void *arg, const struct hf_member *m)
{
	struct reading *all = arg;

	return (all->who != NULL && strcmp(m->id, all->who) == 0) ||
	    add(all, m);
}

static enum hf_err
read_members(struct reading *all, const struct hf_cluster *c,
    const struct hf__change *ch)
{
	enum hf_err e;

	if (ch->comes || ch->goes)
		all->who = ch->who.id;
	if ((e = hf_cluster_members(c->store, collect, all)) != HF_OK)
		return e;
	if (all->who != NULL)
		(void)add(all, &ch->who);
	if (all->e != HF_OK)
		return all->e;
	all->place = calloc(all->n * c->ring_n + 1, sizeof(*all->place));
	return all->place != NULL ? HF_OK : HF_E_MEMORY;
}

/* Whether its last grant of that scope still counts; *newest: the highest
 * generation that any of them was given. A store that does not say ends the
 * change: nobody is dropped for that. */
static enum hf_err
belongs(struct place *at, struct reading *all, const struct hf_cluster *c,
    const struct hf_member *m, const struct hf_keygrant *ring,
    uint32_t *newest)
{
	uint8_t value[HF_STORE_VALUE_MAX];
	char text[HF__MEMBER_KEY_TEXT], id[HF_MEMBER_ID_TEXT];
	struct hf_keygrant g;
	enum hf_err e;
	size_t len;

	at->stays = 0;
	e = hf__member_get(c->store,
	    hf__member_key(text, 'g', m->id, ring->scope.text), value, &len,
	    &at->seen);
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
	/* Of a change that was not done: none may count by this one's. */
	if (g.serial >= all->serial)
		all->serial = g.serial + 1;
	at->stays = 1;
	return HF_OK;
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

static int
is_of(const struct hf__change *ch, const char *scope)
{
	return ch->scope == NULL || strcmp(ch->scope, scope) == 0;
}

/* One that there was: who took it away was at work meanwhile. */
static enum hf_err
read_ring(struct hf_keygrant *ring, struct hf__seen *seen,
    const struct hf_cluster *c, size_t r)
{
	enum hf_err e = hf__ring_load(ring, seen, c, c->ring[r].text);

	return e == HF_E_NO_SESSION ? HF_E_FENCED : e;
}

/* A ring that is still what was read. */
static enum hf_err
load(struct hf_keygrant *ring, const struct hf_cluster *c,
    const struct reading *all, size_t r)
{
	struct hf__seen now;
	enum hf_err e;

	if ((e = read_ring(ring, &now, c, r)) != HF_OK)
		return e;
	return memcmp(&now, &all->ring[r], sizeof(now)) == 0 ? HF_OK :
							       HF_E_FENCED;
}

/* Where there is no room for one more: a generation that no member was given is
 * of a change that stopped, and goes, so that none does which something stored
 * may need. Without a member that is not known. Returns its number, which none
 * has again. */
static uint32_t
drop_unused(struct hf_keygrant *ring, uint32_t newest)
{
	uint32_t above = newest;

	if (ring->generation_n < HF_GENERATIONS_MAX)
		return newest;
	while (newest > 0 && ring->generation_n > 1 &&
	    ring->generation[0].number > newest) {
		if (ring->generation[0].number > above)
			above = ring->generation[0].number;
		ring->generation_n--;
		memmove(&ring->generation[0], &ring->generation[1],
		    ring->generation_n * sizeof(ring->generation[0]));
	}
	return above;
}

/* Reads a ring's grants, and takes it. */
static enum hf_err
take_ring(struct hf_cluster *c, struct hf__change *ch, struct reading *all,
    size_t r, struct hf_keygrant *ring)
{
	int here = is_of(ch, c->ring[r].text);
	int made = ch->made && r + 1 == c->ring_n;
	uint32_t newest = 0;
	enum hf_err e;
	size_t i;

	if ((e = load(ring, c, all, r)) != HF_OK)
		return e;
	if (ring->serial + !made > all->serial)
		all->serial = ring->serial + !made;
	if (ring->serial < all->lowest)
		all->lowest = ring->serial;
	for (i = 0; e == HF_OK && i < all->n; i++) {
		struct place *at = &all->place[i * c->ring_n + r];
		const char *id = all->member[i].id;

		e = belongs(at, all, c, &all->member[i], ring, &newest);
		if (ch->goes && strcmp(id, ch->who.id) == 0)
			at->stays = 0;
		if (ch->comes && here && strcmp(id, ch->who.id) == 0)
			at->stays = 1;
	}
	if (ch->fresh == 2 || (ch->fresh == 1 && here)) {
		newest = drop_unused(ring, newest);
		if (ch->cut_off)
			cut_off(ring, c->now);
		hf__ring_generation(ring, newest);
	}
	return e == HF_OK ? hf__ring_save(c, ring, &all->ring[r]) : e;
}

/* It is kept when it is void: it says who is a member. */
static enum hf_err
grant(struct hf_cluster *c, const struct hf_member *m,
    const struct hf_keygrant *ring, struct hf__seen *seen)
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
	    hf__member_key(text, 'g', m->id, ring->scope.text), seen,
	    (struct hf_span){ value, len }, NEVER);
}

static enum hf_err
give_ring(struct hf_cluster *c, struct hf__change *ch, struct reading *all,
    size_t r, struct hf_keygrant *ring)
{
	enum hf_err e;
	size_t i;

	if ((e = load(ring, c, all, r)) != HF_OK)
		return e;
	if (!ch->unchanged)
		ring->serial = all->serial;
	for (i = 0; e == HF_OK && i < all->n; i++) {
		struct place *at = &all->place[i * c->ring_n + r];

		if (at->stays) {
			e = grant(c, &all->member[i], ring, &at->seen);
			ch->n += e == HF_OK && is_of(ch, ring->scope.text);
		}
	}
	return e == HF_OK && !ch->unchanged ?
	    hf__ring_save(c, ring, &all->ring[r]) :
	    e;
}

/* What stands there of who goes is removed last: what was put there meanwhile
 * is found by that. The record, which may be put there as it was, goes before
 * the grants, which may not. */
static enum hf_err
forget(struct hf_cluster *c, struct hf__change *ch, struct reading *all)
{
	static const struct hf_span nothing = { NULL, 0 };
	const struct hf_member *m = &all->member[all->n - 1];
	struct place *at = &all->place[(all->n - 1) * c->ring_n];
	char text[HF__MEMBER_KEY_TEXT];
	enum hf_err e;
	size_t r;

	e = hf__member_put(c->store, hf__member_key(text, 'm', m->id, NULL),
	    &ch->record, nothing, 0);
	for (r = 0; e == HF_OK && r < c->ring_n; r++)
		e = hf__member_put(c->store,
		    hf__member_key(text, 'g', m->id, c->ring[r].text),
		    &at[r].seen, nothing, 0);
	return e;
}

enum hf_err
hf__cluster_begin(struct hf_cluster *c, uint64_t serial)
{
	enum hf_err e = HF_OK;

	if (serial <= c->used)
		return HF_OK;
	if (c->remember != NULL)
		e = c->remember(c->remember_arg, serial);
	if (e == HF_OK)
		c->used = serial;
	return e;
}

enum hf_err
hf__cluster_alter(struct hf_cluster *c, struct hf__change *ch)
{
	struct reading all = { .serial = c->serial, .lowest = UINT64_MAX };
	struct hf_keygrant ring;
	enum hf_err e = HF_OK;
	size_t r;

	if (c->ring_n == 0)
		ch->unchanged = 1;
	for (r = 0; e == HF_OK && r < c->ring_n; r++)
		e = read_ring(&ring, &all.ring[r], c, r);
	if (e == HF_OK)
		e = read_members(&all, c, ch);
	if (e == HF_OK && !ch->unchanged)
		e = hf__cluster_begin(c, all.serial);
	for (r = 0; e == HF_OK && r < c->ring_n; r++)
		e = take_ring(c, ch, &all, r, &ring);
	if (e == HF_OK)
		e = hf__ring_overlooked(c);
	/* Where a change stopped on the way, some have a higher one. */
	if (c->ring_n > 0 && all.lowest + 1 != all.serial)
		ch->unchanged = 0;
	if (e == HF_OK && !ch->unchanged)
		e = hf__cluster_begin(c, all.serial);
	for (r = 0; e == HF_OK && r < c->ring_n; r++)
		e = give_ring(c, ch, &all, r, &ring);
	if (e == HF_OK && ch->goes)
		e = forget(c, ch, &all);
	if (e == HF_OK && !ch->unchanged) {
		c->least = all.serial;
		c->serial = all.serial + 1;
	}
	sodium_memzero(&ring, sizeof(ring));
	free(all.member);
	free(all.place);
	return e;
}
