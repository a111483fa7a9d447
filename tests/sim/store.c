/* SPDX-License-Identifier: ISC */
/*
 * The simulated store: a place for each session id, with every version that it
 * ever had, so that an adversary can bring one back. Compare-and-set is on the
 * whole version, unless that fault is planted.
 */
#include <string.h>

#include "sim.h"

struct place places[PLACES];
bool store_down;

struct place *
place_find(const uint8_t sid[HF_SID_BYTES], bool make)
{
	size_t i;

	for (i = 0; i < PLACES; i++) {
		if (places[i].used &&
		    memcmp(places[i].sid, sid, HF_SID_BYTES) == 0)
			return &places[i];
		if (!places[i].used && make) {
			places[i].used = true;
			places[i].n = 1;
			places[i].past[0].len = 0;
			places[i].most_taken = 0;
			memcpy(places[i].sid, sid, HF_SID_BYTES);
			return &places[i];
		}
	}
	return NULL;
}

const struct version *
place_now(const struct place *place)
{
	return &place->past[place->n - 1];
}

static bool
same(const struct version *a, const struct version *b)
{
	struct hf_entry_info x, y;

	if (plant == PLANT_CAS_ON_EPOCH && a->len > 0 && b->len > 0) {
		assert_ok(hf_entry_read(&x, a->bytes, a->len));
		assert_ok(hf_entry_read(&y, b->bytes, b->len));
		return x.epoch == y.epoch;
	}
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void
push(struct place *place, const void *bytes, size_t len)
{
	if (place->n == VERSIONS) {
		memmove(&place->past[0], &place->past[1],
		    (VERSIONS - 1) * sizeof(place->past[0]));
		place->n--;
	}
	memcpy(place->past[place->n].bytes, bytes, len);
	place->past[place->n++].len = len;
}

enum hf_err
place_swap(struct place *place, const struct version *expected,
    struct hf_span next, bool confirm)
{
	if (!(confirm && plant == PLANT_NO_CAS_AT_CONFIRM) &&
	    !same(place_now(place), expected))
		return HF_E_FENCED;
	push(place, next.ptr, next.len);
	return HF_OK;
}

void
place_bring_back(struct place *place, uint64_t pick)
{
	struct version old = place->past[pick % place->n];

	push(place, old.bytes, old.len);
}
