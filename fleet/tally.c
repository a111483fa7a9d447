/* SPDX-License-Identifier: ISC */
/*
 * Counts of keys in a table that never grows: a key has one place in each of
 * four rows, by a keyed hash, and its smallest count is taken. It is never
 * too low, and too high only for who shares all four places with others. What
 * a key stands for it does not know, and it takes no lock.
 */
#include <sodium.h>
#include <string.h>

#include "server.h"

void
hf__tally_init(struct hf__tally *t)
{
	memset(t, 0, sizeof(*t));
	randombytes_buf(t->key, sizeof(t->key));
}

void
hf__tally_find(struct hf__places *places, const struct hf__tally *t,
    const void *key, size_t len)
{
	uint8_t h[crypto_shorthash_BYTES];
	size_t i;

	(void)crypto_shorthash(h, key, len, t->key);
	for (i = 0; i < HF__TALLY_ROWS; i++)
		places->at[i] =
		    (uint16_t)((h[2 * i] | (unsigned)h[2 * i + 1] << 8) %
			HF__TALLY_WIDTH);
}

unsigned
hf__tally_count(const struct hf__tally *t, const struct hf__places *places)
{
	uint32_t n, least = UINT32_MAX;
	size_t i;

	for (i = 0; i < HF__TALLY_ROWS; i++) {
		n = t->n[i][places->at[i]];
		if (n < least)
			least = n;
	}
	return least;
}

void
hf__tally_add(struct hf__tally *t, const struct hf__places *places)
{
	size_t i;

	for (i = 0; i < HF__TALLY_ROWS; i++)
		t->n[i][places->at[i]]++;
}

void
hf__tally_remove(struct hf__tally *t, const struct hf__places *places)
{
	size_t i;

	for (i = 0; i < HF__TALLY_ROWS; i++)
		t->n[i][places->at[i]]--;
}
