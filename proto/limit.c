/* SPDX-License-Identifier: ISC */
/*
 * Failure limits: how many failures each key has left, in a table of at most
 * n keys that forgets the least recently used. It knows keyed hashes of the
 * keys and the times it is told; it does not know what a key stands for (a
 * user, an address), which names exist, or what failed; it reads no clock and
 * takes no lock. An allowance of per_minute failures flows back evenly, a
 * whole one in a minute. Every call costs the same whatever the table holds.
 * (spec section 10.4)
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "handfast.h"

#define LIMIT_N_MAX ((size_t)1 << 30) /* indices are 32 bits, buckets 2^k */
#define MINUTE_MS 60000
#define ID_BYTES 16

/*
 * Debt is counted so that no division is needed: one failure adds MINUTE_MS,
 * one millisecond takes away per_minute. Indices start from 1; 0 is none.
 */
struct entry {
	uint8_t id[ID_BYTES];
	uint64_t debt;
	uint64_t ms;	       /* when debt was right */
	uint32_t next;	       /* in its bucket */
	uint32_t newer, older; /* by use */
};

struct hf_limit {
	struct entry *entries;
	uint32_t *buckets;
	uint32_t n, used;
	uint32_t newest, oldest;
	uint32_t mask;
	uint32_t per_minute;
	uint8_t key[crypto_generichash_KEYBYTES];
};

enum hf_err
hf_limit_new(struct hf_limit **limit, size_t n, uint32_t per_minute)
{
	struct hf_limit *l;
	size_t buckets = 1;

	*limit = NULL;
	if (n == 0 || n > LIMIT_N_MAX || per_minute == 0)
		return HF_E_ARG;
	while (buckets < n)
		buckets *= 2;
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return HF_E_MEMORY;
	l->entries = calloc(n, sizeof(*l->entries));
	l->buckets = calloc(buckets, sizeof(*l->buckets));
	if (l->entries == NULL || l->buckets == NULL) {
		hf_limit_free(l);
		return HF_E_MEMORY;
	}
	l->n = (uint32_t)n;
	l->mask = (uint32_t)(buckets - 1);
	l->per_minute = per_minute;
	crypto_generichash_keygen(l->key);
	*limit = l;
	return HF_OK;
}

void
hf_limit_free(struct hf_limit *limit)
{
	if (limit == NULL)
		return;
	free(limit->entries);
	free(limit->buckets);
	sodium_memzero(limit, sizeof(*limit));
	free(limit);
}

/* 128 bits under a secret key: nobody can find two keys that share an id. */
static void
identify(uint8_t id[ID_BYTES], const struct hf_limit *l, const uint8_t *key,
    size_t len)
{
	(void)crypto_generichash(id, ID_BYTES, key, len, l->key,
	    sizeof(l->key));
}

static struct entry *
at(const struct hf_limit *l, uint32_t i)
{
	return &l->entries[i - 1];
}

static uint32_t *
bucket(const struct hf_limit *l, const uint8_t id[ID_BYTES])
{
	uint32_t i;

	memcpy(&i, id, sizeof(i));
	return &l->buckets[i & l->mask];
}

static uint32_t
find(const struct hf_limit *l, const uint8_t id[ID_BYTES])
{
	uint32_t i;

	for (i = *bucket(l, id); i != 0; i = at(l, i)->next)
		if (sodium_memcmp(at(l, i)->id, id, ID_BYTES) == 0)
			break;
	return i;
}

static void
order_remove(struct hf_limit *l, uint32_t i)
{
	const struct entry *e = at(l, i);

	*(e->newer != 0 ? &at(l, e->newer)->older : &l->newest) = e->older;
	*(e->older != 0 ? &at(l, e->older)->newer : &l->oldest) = e->newer;
}

static void
order_insert(struct hf_limit *l, uint32_t i)
{
	struct entry *e = at(l, i);

	e->newer = 0;
	e->older = l->newest;
	*(l->newest != 0 ? &at(l, l->newest)->newer : &l->oldest) = i;
	l->newest = i;
}

static void
bucket_remove(struct hf_limit *l, uint32_t i)
{
	uint32_t *link = bucket(l, at(l, i)->id);

	while (*link != i)
		link = &at(l, *link)->next;
	*link = at(l, i)->next;
}

/* A new entry without debt, in a free place or in that of the oldest. */
static uint32_t
add(struct hf_limit *l, const uint8_t id[ID_BYTES], uint64_t ms)
{
	uint32_t *head, i;

	if (l->used < l->n) {
		i = ++l->used;
	} else {
		i = l->oldest;
		order_remove(l, i);
		bucket_remove(l, i);
	}
	head = bucket(l, id);
	memcpy(at(l, i)->id, id, ID_BYTES);
	at(l, i)->debt = 0;
	at(l, i)->ms = ms;
	at(l, i)->next = *head;
	*head = i;
	order_insert(l, i);
	return i;
}

/*
 * Brings the debt to the present. Callers' clocks may differ a little (threads
 * read theirs at different moments): time that was paid for once is not paid
 * for again, so a clock that lags gains nothing. One that lags by more than a
 * minute has been set back, and counts from here.
 */
static void
settle(const struct hf_limit *l, struct entry *e, uint64_t ms)
{
	uint64_t paid;

	if (ms < e->ms) {
		if (e->ms - ms > MINUTE_MS)
			e->ms = ms;
		return;
	}
	if (ms - e->ms >= MINUTE_MS) {
		e->debt = 0;
	} else {
		paid = (ms - e->ms) * l->per_minute;
		e->debt -= paid < e->debt ? paid : e->debt;
	}
	e->ms = ms;
}

static uint64_t
debt_max(const struct hf_limit *l)
{
	return (uint64_t)l->per_minute * MINUTE_MS;
}

/* Finds the key and makes it the newest; 0 when it is not in the table. */
static uint32_t
use(struct hf_limit *l, const uint8_t id[ID_BYTES], uint64_t ms)
{
	uint32_t i;

	if ((i = find(l, id)) == 0)
		return 0;
	order_remove(l, i);
	order_insert(l, i);
	settle(l, at(l, i), ms);
	return i;
}

int
hf_limit_allows(struct hf_limit *limit, const uint8_t *key, size_t len,
    uint64_t ms)
{
	uint8_t id[ID_BYTES];
	uint32_t i;

	if (limit->used == 0) /* as it is where nobody ever failed */
		return 1;
	identify(id, limit, key, len);
	if ((i = use(limit, id, ms)) == 0)
		return 1;
	return at(limit, i)->debt + MINUTE_MS <= debt_max(limit);
}

void
hf_limit_failed(struct hf_limit *limit, const uint8_t *key, size_t len,
    uint64_t ms)
{
	uint8_t id[ID_BYTES];
	struct entry *e;
	uint32_t i;

	identify(id, limit, key, len);
	if ((i = use(limit, id, ms)) == 0)
		i = add(limit, id, ms);
	e = at(limit, i);
	e->debt += MINUTE_MS;
	if (e->debt > debt_max(limit))
		e->debt = debt_max(limit);
}

void
hf_limit_raise(struct hf_limit *limit, const uint8_t *key, size_t len,
    uint64_t debt, uint64_t ms)
{
	uint8_t id[ID_BYTES];
	struct entry *e;
	uint32_t i;

	if (debt == 0)
		return;
	identify(id, limit, key, len);
	if ((i = use(limit, id, ms)) == 0)
		i = add(limit, id, ms);
	e = at(limit, i);
	if (debt > debt_max(limit))
		debt = debt_max(limit);
	if (debt > e->debt)
		e->debt = debt;
}
