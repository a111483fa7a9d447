/* SPDX-License-Identifier: ISC */
/*
 * Failure limits: the exact allowance, how it flows back, who is forgotten
 * when the table is full, and clocks that lag or go back.
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

#define T0 5000000u
#define EVER 1000u /* more than any allowance here */

static struct hf_limit *
make(size_t n, uint32_t per_minute)
{
	struct hf_limit *l;

	assert_int_equal(hf_limit_new(&l, n, per_minute), HF_OK);
	assert_non_null(l);
	return l;
}

static int
allows(struct hf_limit *l, const char *key, uint64_t ms)
{
	return hf_limit_allows(l, (const uint8_t *)key, strlen(key), ms);
}

static void
failed(struct hf_limit *l, const char *key, uint64_t ms)
{
	hf_limit_failed(l, (const uint8_t *)key, strlen(key), ms);
}

/* Fails as often as it is allowed; says how often that was. */
static unsigned
exhaust(struct hf_limit *l, const char *key, uint64_t ms)
{
	unsigned n;

	for (n = 0; n < EVER && allows(l, key, ms); n++)
		failed(l, key, ms);
	return n;
}

static void
arguments(void **state)
{
	struct hf_limit *l;

	(void)state;
	assert_int_equal(hf_limit_new(&l, 0, 1), HF_E_ARG);
	assert_null(l);
	assert_int_equal(hf_limit_new(&l, 1, 0), HF_E_ARG);
	assert_null(l);
	assert_int_equal(hf_limit_new(&l, SIZE_MAX, 1), HF_E_ARG);
	assert_null(l);
	assert_int_equal(hf_limit_new(&l, ((size_t)1 << 30) + 1, 1), HF_E_ARG);
	assert_null(l);
	hf_limit_free(NULL);
}

static void
exact_allowance(void **state)
{
	struct hf_limit *l;
	uint32_t n;

	(void)state;
	for (n = 1; n <= 200; n++) {
		l = make(4, n);
		assert_int_equal(exhaust(l, "anna", T0), n);
		assert_int_equal(allows(l, "anna", T0), 0);
		assert_int_equal(exhaust(l, "bert", T0), n);
		assert_int_equal(exhaust(l, "", T0), n);
		hf_limit_free(l);
	}
}

/* 20 a minute is one every 3,000 ms: not a millisecond earlier. */
static void
flows_back_evenly(void **state)
{
	struct hf_limit *l = make(4, 20);

	(void)state;
	assert_int_equal(exhaust(l, "anna", T0), 20);
	assert_int_equal(allows(l, "anna", T0 + 2999), 0);
	assert_int_equal(allows(l, "anna", T0 + 3000), 1);
	assert_int_equal(exhaust(l, "anna", T0 + 3000), 1);
	assert_int_equal(allows(l, "anna", T0 + 5999), 0);
	assert_int_equal(exhaust(l, "anna", T0 + 6000 + 6000), 3);
	assert_int_equal(exhaust(l, "anna", T0 + 12000 + 59999), 19);
	assert_int_equal(exhaust(l, "anna", T0 + 71999 + 60001), 20);
	assert_int_equal(exhaust(l, "anna", UINT64_MAX), 20);
	/* time that is not needed is not saved up */
	failed(l, "bert", T0);
	assert_int_equal(exhaust(l, "bert", T0 + 40000), 20);
	hf_limit_free(l);
}

/* Asking often neither costs nor gains: no part of the time is lost. */
static void
asking_changes_nothing(void **state)
{
	struct hf_limit *l = make(4, 7);
	uint64_t ms;

	(void)state;
	assert_int_equal(exhaust(l, "anna", T0), 7);
	for (ms = 0; ms < 8572; ms++) /* 60,000 / 7 = 8,571.4 */
		assert_int_equal(allows(l, "anna", T0 + ms), 0);
	assert_int_equal(allows(l, "anna", T0 + ms), 1);
	assert_int_equal(exhaust(l, "anna", T0 + ms), 1);
	hf_limit_free(l);
}

/* Failures beyond the allowance do not pile up: at most a minute's wait. */
static void
debt_is_bounded(void **state)
{
	struct hf_limit *l = make(4, 6);
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		failed(l, "anna", T0);
	assert_int_equal(allows(l, "anna", T0 + 9999), 0);
	assert_int_equal(exhaust(l, "anna", T0 + 10000), 1);
	hf_limit_free(l);
}

static void
nothing_overflows(void **state)
{
	struct hf_limit *l = make(1, UINT32_MAX);
	int i;

	(void)state;
	for (i = 0; i < 100000; i++)
		failed(l, "anna", T0);
	assert_int_equal(allows(l, "anna", T0), 1);
	hf_limit_free(l);
	/* a time whose product with the rate is 2^64 */
	l = make(1, 2);
	assert_int_equal(exhaust(l, "anna", T0), 2);
	assert_int_equal(exhaust(l, "anna", T0 + (UINT64_C(1) << 63)), 2);
	hf_limit_free(l);
}

static void
least_recently_used_goes(void **state)
{
	struct hf_limit *l = make(3, 1);

	(void)state;
	failed(l, "a", T0);
	failed(l, "b", T0);
	failed(l, "c", T0);
	/* asking is use: the order is now b, c, a */
	assert_int_equal(allows(l, "a", T0), 0);
	failed(l, "d", T0); /* takes b's place */
	assert_int_equal(allows(l, "c", T0), 0);
	assert_int_equal(allows(l, "a", T0), 0);
	assert_int_equal(allows(l, "d", T0), 0);
	assert_int_equal(allows(l, "b", T0), 1);
	/* order c, a, d: and failing is use */
	failed(l, "c", T0);
	failed(l, "e", T0); /* takes a's place */
	failed(l, "f", T0); /* takes d's place */
	assert_int_equal(allows(l, "a", T0), 1);
	assert_int_equal(allows(l, "d", T0), 1);
	assert_int_equal(allows(l, "c", T0), 0);
	assert_int_equal(allows(l, "e", T0), 0);
	assert_int_equal(allows(l, "f", T0), 0);
	hf_limit_free(l);
}

/* Asking after strangers takes no place from those who failed. */
static void
asking_adds_nobody(void **state)
{
	struct hf_limit *l = make(2, 1);
	char key[16] = "stranger 00";
	int i;

	(void)state;
	failed(l, "a", T0);
	failed(l, "b", T0);
	for (i = 0; i < 100; i++) {
		key[9] = (char)('0' + i / 10);
		key[10] = (char)('0' + i % 10);
		assert_int_equal(allows(l, key, T0), 1);
	}
	assert_int_equal(allows(l, "a", T0), 0);
	assert_int_equal(allows(l, "b", T0), 0);
	hf_limit_free(l);
}

static void
room_for_one(void **state)
{
	struct hf_limit *l = make(1, 2);

	(void)state;
	assert_int_equal(exhaust(l, "a", T0), 2);
	assert_int_equal(allows(l, "a", T0), 0);
	assert_int_equal(exhaust(l, "b", T0), 2);
	assert_int_equal(allows(l, "b", T0), 0);
	assert_int_equal(exhaust(l, "a", T0), 2);
	hf_limit_free(l);
}

/* A newcomer in a forgotten key's place starts without its debt. */
static void
place_is_clean(void **state)
{
	struct hf_limit *l = make(1, 3);

	(void)state;
	assert_int_equal(exhaust(l, "a", T0), 3);
	failed(l, "b", T0);
	assert_int_equal(exhaust(l, "b", T0), 2);
	hf_limit_free(l);
}

/* Keys that differ in one bit or in length only are different keys. */
static void
many_keys(void **state)
{
	enum { N = 20000 };
	struct hf_limit *l = make(N, 1);
	uint8_t zero[65] = { 0 };
	uint32_t i;
	size_t len;

	(void)state;
	for (i = 0; i < N; i++) {
		assert_int_equal(hf_limit_allows(l, (const uint8_t *)&i,
				     sizeof(i), T0),
		    1);
		hf_limit_failed(l, (const uint8_t *)&i, sizeof(i), T0);
	}
	for (i = 0; i < N; i++)
		assert_int_equal(hf_limit_allows(l, (const uint8_t *)&i,
				     sizeof(i), T0),
		    0);
	/* 100 more take the places of the first 100 */
	for (i = N; i < N + 100; i++)
		hf_limit_failed(l, (const uint8_t *)&i, sizeof(i), T0);
	for (i = 0; i < N + 100; i++)
		assert_int_equal(hf_limit_allows(l, (const uint8_t *)&i,
				     sizeof(i), T0),
		    i < 100);
	for (len = 0; len <= sizeof(zero); len++) {
		if (len == sizeof(i)) /* the number 0 above; forgotten */
			continue;
		assert_int_equal(hf_limit_allows(l, zero, len, T0), 1);
		hf_limit_failed(l, zero, len, T0);
		assert_int_equal(hf_limit_allows(l, zero, len, T0), 0);
	}
	hf_limit_free(l);
}

/* Two clocks that differ a little gain nothing by taking turns. */
static void
lagging_clock_gains_nothing(void **state)
{
	struct hf_limit *l = make(4, 60);
	uint64_t ms;
	unsigned n = 0;

	(void)state;
	assert_int_equal(exhaust(l, "anna", T0), 60);
	for (ms = 0; ms < 10000; ms++) {
		n += exhaust(l, "anna", T0 + ms);
		n += exhaust(l, "anna", T0 + ms - 500);
	}
	assert_int_equal(n, 9);
	/* a whole minute back: still only a lag */
	assert_int_equal(allows(l, "anna", T0 + 9999 - 60000), 0);
	assert_int_equal(allows(l, "anna", T0 + 9000), 0);
	assert_int_equal(allows(l, "anna", T0 + 10000), 1);
	hf_limit_free(l);
}

/* A clock set back by more counts from there: nobody is locked out. */
static void
clock_set_back(void **state)
{
	struct hf_limit *l = make(4, 20);

	(void)state;
	assert_int_equal(exhaust(l, "anna", UINT64_MAX), 20);
	assert_int_equal(allows(l, "anna", T0), 0);
	assert_int_equal(allows(l, "anna", T0 + 2999), 0);
	assert_int_equal(exhaust(l, "anna", T0 + 3000), 1);
	assert_int_equal(exhaust(l, "anna", 0), 0);
	assert_int_equal(exhaust(l, "anna", 60000), 20);
	hf_limit_free(l);
}

static void
raise_to(struct hf_limit *l, const char *key, uint64_t debt, uint64_t ms)
{
	hf_limit_raise(l, (const uint8_t *)key, strlen(key), debt, ms);
}

/* What others counted: never less than before, never more than all. */
static void
raised(void **state)
{
	struct hf_limit *l = make(2, 20);

	(void)state;
	failed(l, "anna", T0);
	raise_to(l, "anna", 5 * HF_LIMIT_FAILURE, T0);
	raise_to(l, "anna", 4 * HF_LIMIT_FAILURE, T0);
	assert_int_equal(exhaust(l, "anna", T0), 15);
	raise_to(l, "bob", UINT64_MAX, T0);
	assert_int_equal(allows(l, "bob", T0 + 2999), 0);
	assert_int_equal(allows(l, "bob", T0 + 3000), 1);
	/* Nothing takes nobody's place. */
	raise_to(l, "carl", 0, T0 + 3000);
	assert_int_equal(exhaust(l, "anna", T0 + 3000), 1);
	raise_to(l, "carl", 19 * HF_LIMIT_FAILURE, T0 + 3000);
	assert_int_equal(exhaust(l, "carl", T0 + 3000), 1);
	hf_limit_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments),
		cmocka_unit_test(exact_allowance),
		cmocka_unit_test(flows_back_evenly),
		cmocka_unit_test(asking_changes_nothing),
		cmocka_unit_test(debt_is_bounded),
		cmocka_unit_test(nothing_overflows),
		cmocka_unit_test(least_recently_used_goes),
		cmocka_unit_test(asking_adds_nobody),
		cmocka_unit_test(room_for_one),
		cmocka_unit_test(place_is_clean),
		cmocka_unit_test(many_keys),
		cmocka_unit_test(lagging_clock_gains_nothing),
		cmocka_unit_test(clock_set_back),
		cmocka_unit_test(raised),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
