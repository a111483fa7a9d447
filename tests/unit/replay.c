/* SPDX-License-Identifier: ISC */
/*
 * The replay cache: what it remembers, for how long, and that nothing (a full
 * table, a clock that goes back, a hostile choice of values) upsets it.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "handfast.h"

#define T0 1700000000u

static const uint8_t *
print_of(uint32_t i)
{
	static uint8_t f[HF_FINGERPRINT_BYTES];

	memset(f, 0, sizeof(f));
	memcpy(f, &i, sizeof(i));
	return f;
}

static int
enter(struct hf_replay *r, uint32_t i, uint64_t now)
{
	return hf_replay_enter(r, print_of(i), now);
}

static int
seen(const struct hf_replay *r, uint32_t i, uint64_t now)
{
	return hf_replay_seen(r, print_of(i), now);
}

static struct hf_replay *
make(size_t n, uint32_t seconds)
{
	struct hf_replay *r;

	assert_int_equal(hf_replay_new(&r, n, seconds), HF_OK);
	assert_non_null(r);
	return r;
}

static void
arguments(void **state)
{
	struct hf_replay *r;

	(void)state;
	assert_int_equal(hf_replay_new(&r, 0, 1), HF_E_ARG);
	assert_null(r);
	assert_int_equal(hf_replay_new(&r, 1, 0), HF_E_ARG);
	assert_null(r);
	assert_int_equal(hf_replay_new(&r, SIZE_MAX, 1), HF_E_ARG);
	assert_null(r);
	assert_int_equal(hf_replay_new(&r, ((size_t)1 << 30) + 1, 1),
	    HF_E_ARG);
	assert_null(r);
	hf_replay_free(NULL);
}

static void
remembers_once(void **state)
{
	struct hf_replay *r = make(4, 240);

	(void)state;
	assert_int_equal(seen(r, 1, T0), 0);
	assert_int_equal(enter(r, 1, T0), 1);
	assert_int_equal(seen(r, 1, T0), 1);
	assert_int_equal(seen(r, 2, T0), 0);
	assert_int_equal(enter(r, 1, T0), 0);
	assert_int_equal(enter(r, 2, T0), 1);
	assert_int_equal(enter(r, 2, T0 + 240), 0);
	hf_replay_free(r);
}

/* Each bit of a fingerprint makes it another one (in a table of one bucket). */
static void
every_bit_counts(void **state)
{
	struct hf_replay *r = make(1, 240);
	uint8_t f[HF_FINGERPRINT_BYTES] = { 0 };
	size_t i;

	(void)state;
	assert_int_equal(hf_replay_enter(r, f, T0), 1);
	for (i = 0; i < 8 * sizeof(f); i++) {
		f[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(hf_replay_seen(r, f, T0), 0);
		f[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	assert_int_equal(hf_replay_seen(r, f, T0), 1);
	hf_replay_free(r);
}

static void
expires_after_its_time(void **state)
{
	struct hf_replay *r = make(4, 240);

	(void)state;
	assert_int_equal(enter(r, 1, T0), 1);
	assert_int_equal(seen(r, 1, T0 + 240), 1);
	assert_int_equal(seen(r, 1, T0 + 241), 0);
	assert_int_equal(enter(r, 1, T0 + 241), 1);
	assert_int_equal(enter(r, 1, T0 + 481), 0);
	assert_int_equal(seen(r, 1, T0 + 482), 0);
	assert_int_equal(seen(r, 1, UINT64_MAX), 0);
	hf_replay_free(r);
}

/* A repetition is no new entry: it does not prolong the first. */
static void
repetition_prolongs_nothing(void **state)
{
	struct hf_replay *r = make(4, 10);

	(void)state;
	assert_int_equal(enter(r, 1, T0), 1);
	assert_int_equal(enter(r, 1, T0 + 9), 0);
	assert_int_equal(seen(r, 1, T0 + 11), 0);
	hf_replay_free(r);
}

static void
full_forgets_the_new_one(void **state)
{
	struct hf_replay *r = make(3, 10);
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(enter(r, i, T0 + i), 1);
	assert_int_equal(enter(r, 3, T0 + 3), 1);
	assert_int_equal(seen(r, 3, T0 + 3), 0);
	assert_int_equal(enter(r, 3, T0 + 3), 1);
	for (i = 0; i < 3; i++)
		assert_int_equal(enter(r, i, T0 + 3), 0);
	/* the first one's time is over: exactly one place becomes free */
	assert_int_equal(enter(r, 4, T0 + 11), 1);
	assert_int_equal(seen(r, 4, T0 + 11), 1);
	assert_int_equal(seen(r, 0, T0 + 11), 0);
	assert_int_equal(seen(r, 1, T0 + 11), 1);
	assert_int_equal(enter(r, 5, T0 + 11), 1);
	assert_int_equal(seen(r, 5, T0 + 11), 0);
	hf_replay_free(r);
}

static void
room_for_one(void **state)
{
	struct hf_replay *r = make(1, 5);
	uint32_t i;

	(void)state;
	for (i = 0; i < 100; i++) {
		assert_int_equal(enter(r, i, T0 + 6 * i), 1);
		assert_int_equal(seen(r, i, T0 + 6 * i + 5), 1);
		assert_int_equal(enter(r, i + 1000, T0 + 6 * i + 5), 1);
		assert_int_equal(seen(r, i + 1000, T0 + 6 * i + 5), 0);
	}
	hf_replay_free(r);
}

/* One that expired in its place is entered again beside its old entry. */
static void
again_beside_its_old_entry(void **state)
{
	struct hf_replay *r = make(4, 10);

	(void)state;
	assert_int_equal(enter(r, 1, T0), 1);
	assert_int_equal(enter(r, 1, T0 + 11), 1);
	assert_int_equal(seen(r, 1, T0 + 21), 1);
	assert_int_equal(enter(r, 1, T0 + 21), 0);
	assert_int_equal(seen(r, 1, T0 + 22), 0);
	assert_int_equal(enter(r, 1, T0 + 22), 1);
	assert_int_equal(enter(r, 1, T0 + 33), 1);
	/* four entries of the same fingerprint; the oldest two make room */
	assert_int_equal(enter(r, 2, T0 + 33), 1);
	assert_int_equal(enter(r, 3, T0 + 33), 1);
	assert_int_equal(seen(r, 1, T0 + 33), 1);
	assert_int_equal(seen(r, 2, T0 + 33), 1);
	assert_int_equal(seen(r, 3, T0 + 33), 1);
	hf_replay_free(r);
}

/* Many times around the ring, against the plain rule. */
static void
many(void **state)
{
	enum { N = 1000, SECONDS = 100, PER_SECOND = 10 };
	struct hf_replay *r = make(N + PER_SECOND, SECONDS);
	uint32_t i, now, old;

	(void)state;
	for (i = 0; i < 50 * N; i++) {
		now = i / PER_SECOND;
		assert_int_equal(enter(r, i, T0 + now), 1);
		assert_int_equal(enter(r, i, T0 + now), 0);
		old = i * 7919u % (i + 1);
		assert_int_equal(seen(r, old, T0 + now),
		    now - old / PER_SECOND <= SECONDS);
		assert_int_equal(seen(r, i + 1, T0 + now), 0);
	}
	hf_replay_free(r);
}

/* A step back within the time leaves everything remembered. */
static void
clock_steps_back(void **state)
{
	struct hf_replay *r = make(4, 10);

	(void)state;
	assert_int_equal(enter(r, 1, T0), 1);
	assert_int_equal(seen(r, 1, T0 - 10), 1);
	assert_int_equal(enter(r, 1, T0 - 10), 0);
	assert_int_equal(enter(r, 2, T0 - 5), 1);
	assert_int_equal(seen(r, 1, T0 + 6), 1);
	assert_int_equal(seen(r, 2, T0 + 5), 1);
	assert_int_equal(seen(r, 2, T0 + 6), 0);
	hf_replay_free(r);
}

/* A table filled under a clock far ahead is not blocked until then. */
static void
clock_was_far_ahead(void **state)
{
	struct hf_replay *r = make(4, 10);
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(enter(r, i, UINT64_MAX - 3 + i), 1);
	for (i = 0; i < 4; i++)
		assert_int_equal(seen(r, i, T0), 0);
	for (i = 10; i < 14; i++)
		assert_int_equal(enter(r, i, T0), 1);
	for (i = 10; i < 14; i++)
		assert_int_equal(seen(r, i, T0), 1);
	assert_int_equal(enter(r, 10, 0), 1);
	assert_int_equal(seen(r, 10, 0), 1);
	hf_replay_free(r);
}

/* Any clock at all: an entry just made is there, or the table was full. */
static void
clock_at_random(void **state)
{
	struct hf_replay *r = make(64, 10);
	uint32_t i, lost = 0;
	uint64_t now;

	(void)state;
	for (i = 0; i < 100000; i++) {
		now = T0 + randombytes_uniform(i % 2 ? 30 : 100000);
		assert_int_equal(enter(r, i, now), 1);
		if (!seen(r, i, now))
			lost++;
	}
	assert_true(lost < i);
	hf_replay_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments),
		cmocka_unit_test(remembers_once),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(expires_after_its_time),
		cmocka_unit_test(repetition_prolongs_nothing),
		cmocka_unit_test(full_forgets_the_new_one),
		cmocka_unit_test(room_for_one),
		cmocka_unit_test(again_beside_its_old_entry),
		cmocka_unit_test(many),
		cmocka_unit_test(clock_steps_back),
		cmocka_unit_test(clock_was_far_ahead),
		cmocka_unit_test(clock_at_random),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
