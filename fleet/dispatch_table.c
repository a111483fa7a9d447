/* SPDX-License-Identifier: ISC */
/*
 * The servers of a dispatcher, and the choice among them. It knows what they
 * serve and how many connections they have; how they are reached it does not
 * know.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_own.h"

void
hf__backend_release(struct hf__backend *b)
{
	if (b != NULL && --b->refs == 0)
		free(b);
}

static int
same_name(const struct hf_name *a, const struct hf_name *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

int
hf__backend_serves(const struct hf__backend *b, struct hf_span target)
{
	const struct hf_name *t;
	size_t i;

	for (i = 0; i < b->is.targets_n; i++) {
		t = &b->is.target[i];
		if (t->len == target.len &&
		    (t->len == 0 || memcmp(t->text, target.ptr, t->len) == 0))
			return 1;
	}
	return b->is.targets_n == 0;
}

static int
offers(const struct hf__backend *b)
{
	return b->up && !b->refuses;
}

/* Whether another server of its scope, one that takes sessions now, has all of
 * one kind of what it serves: that target, or whatever else. */
static int
elsewhere(const struct hf_dispatch *d, const struct hf__backend *b,
    const struct hf_name *target)
{
	const struct hf__backend *o;
	size_t i;

	for (i = 0; i < d->backends_n; i++) {
		o = d->backend[i];
		if (o == b || !offers(o) || o->draining ||
		    !same_name(&o->is.scope, &b->is.scope))
			continue;
		if (target == NULL ?
			o->is.targets_n == 0 :
			hf__backend_serves(o,
			    (struct hf_span){ (const uint8_t *)target->text,
				target->len }))
			return 1;
	}
	return 0;
}

int
hf_dispatch_alone(const char **target, const struct hf_dispatch *d,
    const char *server)
{
	const struct hf__backend *b = NULL;
	size_t i;

	*target = NULL;
	for (i = 0; i < d->backends_n; i++)
		if (strcmp(d->backend[i]->is.name.text, server) == 0)
			b = d->backend[i];
	if (b == NULL)
		return 0;
	if (b->is.targets_n == 0)
		return !elsewhere(d, b, NULL);
	for (i = 0; i < b->is.targets_n; i++)
		if (!elsewhere(d, b, &b->is.target[i])) {
			*target = b->is.target[i].text;
			return 1;
		}
	return 0;
}

struct hf__backend *
hf__table_owner(const struct hf_dispatch *d, const struct hf_name *owner)
{
	size_t i;

	for (i = 0; i < d->backends_n; i++)
		if (same_name(&d->backend[i]->is.owner, owner))
			return d->backend[i];
	return NULL;
}

static int
has_key(const struct hf__backend *b, struct hf_span key_id)
{
	size_t i;

	for (i = 0; i < b->is.keys_n; i++)
		if (key_id.len == HF_KEY_ID_BYTES &&
		    memcmp(b->is.key_id[i], key_id.ptr, HF_KEY_ID_BYTES) == 0)
			return 1;
	return 0;
}

struct hf__backend *
hf__table_key(const struct hf_dispatch *d, struct hf_span key_id)
{
	size_t i;

	for (i = 0; i < d->backends_n; i++)
		if (has_key(d->backend[i], key_id))
			return d->backend[i];
	return NULL;
}

/* The oldest goes where there is no room. */
void
hf__backend_learn(struct hf__backend *b, const uint8_t key_id[HF_KEY_ID_BYTES])
{
	struct hf_dispatch_server *is = &b->is;

	if (has_key(b, (struct hf_span){ key_id, HF_KEY_ID_BYTES }))
		return;
	if (is->keys_n < HF_DISPATCH_KEYS_MAX)
		is->keys_n++;
	memmove(is->key_id[1], is->key_id[0],
	    (is->keys_n - 1) * HF_KEY_ID_BYTES);
	memcpy(is->key_id[0], key_id, HF_KEY_ID_BYTES);
}

int
hf__table_has(const struct hf_dispatch *d, struct hf_span target)
{
	size_t i;

	for (i = 0; i < d->backends_n; i++)
		if (hf__backend_serves(d->backend[i], target))
			return 1;
	return 0;
}

int
hf__table_tried(const struct hf__conn *c, const struct hf__backend *b)
{
	unsigned i;

	for (i = 0; i < c->tried_n; i++)
		if (c->tried[i] == b)
			return 1;
	return 0;
}

/* Rendezvous hashing: whoever has the greatest value for this source and
 * target; the others' values do not change when one goes. */
static uint64_t
weight(const struct hf__conn *c, const struct hf__backend *b)
{
	uint8_t text[sizeof(c->source.key) + HF_TARGET_MAX + HF_NAME_MAX + 2];
	uint8_t out[crypto_shorthash_BYTES];
	size_t n = c->source.len;
	uint64_t value;

	memcpy(text, c->source.key, n);
	text[n++] = (uint8_t)c->target_len;
	memcpy(text + n, c->target, c->target_len);
	n += c->target_len;
	text[n++] = (uint8_t)b->is.name.len;
	memcpy(text + n, b->is.name.text, b->is.name.len);
	n += b->is.name.len;
	(void)crypto_shorthash(out, text, n, c->d->hash);
	memcpy(&value, out, sizeof(value));
	return value;
}

static int
better(const struct hf__conn *c, const struct hf__backend *a,
    const struct hf__backend *b)
{
	if (c->d->config.balance == HF_BALANCE_LEAST && a->conns != b->conns)
		return a->conns < b->conns;
	return weight(c, a) > weight(c, b);
}

/* Of those that offer, of those that are up and refuse, or of those that are
 * down. */
enum kind { OFFERS, REFUSES, DOWN };

static enum kind
kind_of(const struct hf__backend *b)
{
	return offers(b) ? OFFERS : b->up ? REFUSES : DOWN;
}

static struct hf__backend *
choose(const struct hf__conn *c, const struct hf_name *scope, enum kind kind)
{
	const struct hf_span target = { c->target, c->target_len };
	struct hf__backend *b, *best = NULL;
	size_t i;

	for (i = 0; i < c->d->backends_n; i++) {
		b = c->d->backend[i];
		if (kind_of(b) != kind || b->draining ||
		    hf__table_tried(c, b) || !hf__backend_serves(b, target) ||
		    (scope != NULL && !same_name(&b->is.scope, scope)))
			continue;
		if (best == NULL || better(c, b, best))
			best = b;
	}
	return best;
}

/* One that was seen to be down may have come back. */
struct hf__backend *
hf__table_choose(const struct hf__conn *c, const struct hf_name *scope)
{
	struct hf__backend *b = choose(c, scope, OFFERS);

	if (b == NULL)
		b = choose(c, scope, REFUSES);
	return b != NULL ? b : choose(c, scope, DOWN);
}
