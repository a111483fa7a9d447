/* SPDX-License-Identifier: ISC */
/*
 * The replay cache: a set of at most n fingerprints, each remembered for a
 * fixed time. It knows hashes and the times it is told; it does not know what
 * they are hashes of, reads no clock and takes no lock. It is a defence of
 * costs: when it is full it forgets the new one, never an old one, and never
 * refuses. Every call costs the same whatever the table holds: the key of the
 * hash is random, so nobody can aim at a bucket, and an expired entry is only
 * dropped when its place is needed. (spec section 10.3)
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "handfast.h"

#define REPLAY_N_MAX ((size_t)1 << 30) /* indices are 32 bits, buckets 2^k */

struct entry {
	uint8_t fingerprint[HF_FINGERPRINT_BYTES];
	uint64_t time;
	uint32_t next; /* in its bucket, from 1; 0 ends it */
};

/* The entries are a ring in the order in which they were made. */
struct hf_replay {
	struct entry *entries;
	uint32_t *buckets;
	uint32_t n, oldest, used;
	uint32_t mask;
	uint32_t seconds;
	uint8_t key[crypto_shorthash_KEYBYTES];
};

enum hf_err
hf_replay_new(struct hf_replay **replay, size_t n, uint32_t seconds)
{
	struct hf_replay *r;
	size_t buckets = 1;

	*replay = NULL;
	if (n == 0 || n > REPLAY_N_MAX || seconds == 0)
		return HF_E_ARG;
	while (buckets < n)
		buckets *= 2;
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return HF_E_MEMORY;
	r->entries = calloc(n, sizeof(*r->entries));
	r->buckets = calloc(buckets, sizeof(*r->buckets));
	if (r->entries == NULL || r->buckets == NULL) {
		hf_replay_free(r);
		return HF_E_MEMORY;
	}
	r->n = (uint32_t)n;
	r->mask = (uint32_t)(buckets - 1);
	r->seconds = seconds;
	crypto_shorthash_keygen(r->key);
	*replay = r;
	return HF_OK;
}

void
hf_replay_free(struct hf_replay *replay)
{
	if (replay == NULL)
		return;
	free(replay->entries);
	free(replay->buckets);
	sodium_memzero(replay, sizeof(*replay));
	free(replay);
}

static uint32_t *
bucket(const struct hf_replay *r, const uint8_t *fingerprint)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t i;

	crypto_shorthash(hash, fingerprint, HF_FINGERPRINT_BYTES, r->key);
	memcpy(&i, hash, sizeof(i));
	return &r->buckets[i & r->mask];
}

/*
 * An entry counts while the clock is at most `seconds` from it, either way:
 * after a small step back it must still be found, and after a large one it
 * must not hold its place until the clock has caught up.
 */
static int
remembered(const struct hf_replay *r, const struct entry *e, uint64_t now)
{
	return (now > e->time ? now - e->time : e->time - now) <= r->seconds;
}

int
hf_replay_seen(const struct hf_replay *replay,
    const uint8_t fingerprint[HF_FINGERPRINT_BYTES], uint64_t now)
{
	const struct entry *e;
	uint32_t i;

	for (i = *bucket(replay, fingerprint); i != 0; i = e->next) {
		e = &replay->entries[i - 1];
		if (remembered(replay, e, now) &&
		    sodium_memcmp(e->fingerprint, fingerprint,
			HF_FINGERPRINT_BYTES) == 0)
			return 1;
	}
	return 0;
}

static void
drop_oldest(struct hf_replay *r)
{
	struct entry *e = &r->entries[r->oldest];
	uint32_t *link = bucket(r, e->fingerprint);

	while (*link != r->oldest + 1)
		link = &r->entries[*link - 1].next;
	*link = e->next;
	r->oldest = (r->oldest + 1) % r->n;
	r->used--;
}

int
hf_replay_enter(struct hf_replay *replay,
    const uint8_t fingerprint[HF_FINGERPRINT_BYTES], uint64_t now)
{
	struct hf_replay *r = replay;
	struct entry *e;
	uint32_t *head, slot;

	if (hf_replay_seen(r, fingerprint, now))
		return 0;
	if (r->used == r->n) {
		if (remembered(r, &r->entries[r->oldest], now))
			return 1;
		drop_oldest(r);
	}
	slot = (r->oldest + r->used) % r->n;
	head = bucket(r, fingerprint);
	e = &r->entries[slot];
	memcpy(e->fingerprint, fingerprint, HF_FINGERPRINT_BYTES);
	e->time = now;
	e->next = *head;
	*head = slot + 1;
	r->used++;
	return 1;
}
