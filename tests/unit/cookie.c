/* SPDX-License-Identifier: ISC */
/*
 * Cookies (threat A37): one is good for one key, type, source and minute, and
 * for nothing else.
 */
#include <string.h>

#include "testing.h"

static const uint8_t key[32] = { 7 };
static const struct hf_span here = { (const uint8_t *)"\x7f\0\0\1", 4 };

static bool
valid(const uint8_t *cookie, size_t len, uint64_t now)
{
	return hf__cookie_valid((struct hf_span){ cookie, len }, key,
	    HF__REQUEST, here, now);
}

static void
minute(void **state)
{
	uint8_t cookie[HF__COOKIE_BYTES];

	(void)state;
	hf__cookie_make(cookie, key, HF__REQUEST, here, NOW);
	assert_true(valid(cookie, sizeof(cookie), NOW));
	assert_true(valid(cookie, sizeof(cookie), NOW + 60));
	assert_false(valid(cookie, sizeof(cookie), NOW + 61));
	assert_false(valid(cookie, sizeof(cookie), NOW - 1));
	assert_false(valid(cookie, sizeof(cookie), 0));
	assert_false(valid(cookie, sizeof(cookie), UINT64_MAX));
}

static void
lengths(void **state)
{
	uint8_t cookie[HF__COOKIE_BYTES + 1] = { 0 };

	(void)state;
	hf__cookie_make(cookie, key, HF__REQUEST, here, NOW);
	assert_true(valid(cookie, sizeof(cookie) - 1, NOW));
	assert_false(valid(cookie, sizeof(cookie), NOW));
	assert_false(valid(cookie, sizeof(cookie) - 2, NOW));
	assert_false(valid(cookie, 0, NOW));
	assert_false(valid(NULL, 0, NOW));
}

static void
every_bit(void **state)
{
	uint8_t cookie[HF__COOKIE_BYTES];
	size_t i;

	(void)state;
	hf__cookie_make(cookie, key, HF__REQUEST, here, NOW);
	for (i = 0; i < 8 * sizeof(cookie); i++) {
		cookie[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_false(valid(cookie, sizeof(cookie), NOW));
		cookie[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	assert_true(valid(cookie, sizeof(cookie), NOW));
}

/* Of another key, type or source. */
static void
others(void **state)
{
	static const uint8_t other_key[32] = { 8 };
	static const struct hf_span there = { (const uint8_t *)"\x7f\0\0\2",
		4 },
				    nowhere = { NULL, 0 };
	uint8_t cookie[HF__COOKIE_BYTES];

	(void)state;
	hf__cookie_make(cookie, other_key, HF__REQUEST, here, NOW);
	assert_false(valid(cookie, sizeof(cookie), NOW));
	hf__cookie_make(cookie, key, HF__HELLO, here, NOW);
	assert_false(valid(cookie, sizeof(cookie), NOW));
	hf__cookie_make(cookie, key, HF__REQUEST, there, NOW);
	assert_false(valid(cookie, sizeof(cookie), NOW));
	hf__cookie_make(cookie, key, HF__REQUEST, nowhere, NOW);
	assert_false(valid(cookie, sizeof(cookie), NOW));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minute),
		cmocka_unit_test(lengths),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(others),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
