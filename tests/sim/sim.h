/* SPDX-License-Identifier: ISC */
/*
 * A simulation of sessions that move: one thread, one seed, the library's own
 * objects. The world (world.c) has a client, servers, a store and a network
 * that an adversary runs; what may never happen is judged by oracle.c.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "testing.h"

enum {
	SERVERS = 3,
	LINKS = 6,     /* server ends at a time, stale ones too */
	PLACES = 24,   /* session ids in one run */
	VERSIONS = 24, /* of an entry that the store can bring back */
	QUEUE = 1 << 14,
	RESUMES = 6, /* recorded for replay, with what followed */
	SAID = 1 << 11
};

/* What a run reached, and what went wrong in it. */
struct tally {
	unsigned long takeovers, races, rollbacks, crashes, replays,
	    lost_answers, pauses, fenced, fallbacks, tails, cuts, jumps,
	    retries, proved, ends, down, doubled, forged, rewritten, refreshes,
	    confirmed, given_up, violations;
};
extern struct tally tally;

/* Faults planted on purpose, to see that they are found. */
enum plant {
	PLANT_NONE,
	PLANT_CAS_ON_EPOCH,
	PLANT_NO_CAS_AT_CONFIRM,
	PLANT_NO_PREVIOUS, /* only in the search */
	PLANT_NO_EPOCH,	   /* plants.c */
	PLANT_NO_DIGEST,
	PLANT_CLAIM_FIRST
};
extern enum plant plant;

/* oracle.c */
void oracle_begin(uint64_t seed);
/* Something that may never be was seen. */
void violation(const char *what, ...) __attribute__((format(printf, 1, 2)));
/* What byte stands at an offset of a direction of a session. */
uint8_t pattern(enum hf_role sender, uint64_t offset);

/* store.c */
struct place {
	bool used;
	uint8_t sid[HF_SID_BYTES];
	struct version {
		uint8_t bytes[HF_ENTRY_MAX];
		size_t len; /* 0: nothing */
	} past[VERSIONS];
	size_t n;	     /* versions so far; the last is current */
	uint64_t most_taken; /* bytes that any server released */
};
extern struct place places[PLACES];
extern bool store_down;
struct place *place_find(const uint8_t sid[HF_SID_BYTES], bool make);
const struct version *place_now(const struct place *);
/* HF_OK or HF_E_FENCED. */
enum hf_err place_swap(struct place *, const struct version *expected,
    struct hf_span next, bool confirm);
/* The adversary brings an older version back. */
void place_bring_back(struct place *, uint64_t pick);

/* world.c */
void world_run(uint64_t seed);
void world_setup(void);
void world_teardown(void);

/* search.c: every schedule of the retry window, with so many attempts of the
 * client and resumes replayed. */
void search(unsigned attempts, unsigned replays);

/* Randomness of the schedule, apart from that of the keys. */
uint64_t rnd(void);
static inline bool
chance(unsigned in_1000)
{
	return rnd() % 1000 < in_1000;
}

#endif
