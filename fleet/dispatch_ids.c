/* SPDX-License-Identifier: ISC */
/*
 * Which server owns which session, as far as it was seen: a table of a fixed
 * size in sets, where the one that was not used for longest goes first. Its
 * hash is keyed, so that ids can be chosen to fall together by nobody. It
 * proves nothing.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_own.h"

enum { WAYS = 8 };

struct entry {
	uint8_t sid[HF_SID_BYTES];
	struct hf__backend *backend; /* NULL: free */
	uint64_t used;
};

struct hf__ids {
	uint8_t key[crypto_shorthash_KEYBYTES];
	size_t sets;
	uint64_t clock;
	struct entry entry[];
};

struct hf__ids *
hf__ids_new(size_t n)
{
	size_t sets = n / WAYS + 1;
	struct hf__ids *ids;

	ids = calloc(1, sizeof(*ids) + sets * WAYS * sizeof(struct entry));
	if (ids == NULL)
		return NULL;
	ids->sets = sets;
	randombytes_buf(ids->key, sizeof(ids->key));
	return ids;
}

void
hf__ids_free(struct hf__ids *ids)
{
	size_t i;

	for (i = 0; ids != NULL && i < ids->sets * WAYS; i++)
		hf__backend_release(ids->entry[i].backend);
	free(ids);
}

static struct entry *
set_of(struct hf__ids *ids, const uint8_t sid[HF_SID_BYTES])
{
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t value;

	(void)crypto_shorthash(out, sid, HF_SID_BYTES, ids->key);
	memcpy(&value, out, sizeof(value));
	return &ids->entry[value % ids->sets * WAYS];
}

static struct entry *
find(struct hf__ids *ids, const uint8_t sid[HF_SID_BYTES])
{
	struct entry *e = set_of(ids, sid);
	size_t i;

	for (i = 0; i < WAYS; i++)
		if (e[i].backend != NULL &&
		    memcmp(e[i].sid, sid, HF_SID_BYTES) == 0)
			return &e[i];
	return NULL;
}

struct hf__backend *
hf__ids_get(struct hf__ids *ids, const uint8_t sid[HF_SID_BYTES])
{
	struct entry *e = find(ids, sid);

	if (e == NULL)
		return NULL;
	e->used = ++ids->clock;
	return e->backend;
}

void
hf__ids_put(struct hf__ids *ids, const uint8_t sid[HF_SID_BYTES],
    struct hf__backend *b)
{
	struct entry *e = find(ids, sid), *set = set_of(ids, sid);
	size_t i;

	for (i = 0; e == NULL && i < WAYS; i++)
		if (set[i].backend == NULL)
			e = &set[i];
	for (i = 0, e = e == NULL ? &set[0] : e; e->backend != NULL &&
	     memcmp(e->sid, sid, HF_SID_BYTES) != 0 && i < WAYS;
	     i++)
		if (set[i].used < e->used)
			e = &set[i];
	b->refs++;
	hf__backend_release(e->backend);
	memcpy(e->sid, sid, HF_SID_BYTES);
	e->backend = b;
	e->used = ++ids->clock;
}

void
hf__ids_forget(struct hf__ids *ids, const uint8_t sid[HF_SID_BYTES])
{
	struct entry *e = find(ids, sid);

	if (e == NULL)
		return;
	hf__backend_release(e->backend);
	e->backend = NULL;
	e->used = 0;
}
