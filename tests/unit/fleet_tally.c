/* SPDX-License-Identifier: ISC */
/*
 * The server's counts of many keys in few places: never too low, right for a
 * key among a crowd of others, and back at nothing when all are gone.
 */
#include <string.h>

#include "server.h"
#include "testing.h"

enum { KEYS = 500, OTHERS = 20000 };

static struct hf__tally tally;
static struct hf__places places[KEYS];

static unsigned
count_of(uint32_t key)
{
	struct hf__places p;

	hf__tally_find(&p, &tally, &key, sizeof(key));
	return hf__tally_count(&tally, &p);
}

/* A key that is there a thousand times makes no other look as if it were. */
static void
heavy(void **state)
{
	uint32_t key = 1, i;

	(void)state;
	hf__tally_init(&tally);
	hf__tally_find(&places[0], &tally, &key, sizeof(key));
	for (i = 0; i < 1000; i++)
		hf__tally_add(&tally, &places[0]);
	assert_int_equal(count_of(key), 1000);
	for (key = 2; key < OTHERS; key++)
		assert_int_equal(count_of(key), 0);
}

/* Many keys at once: key i is there i times. */
static void
many(void **state)
{
	uint32_t key, i, wrong = 0;

	(void)state;
	hf__tally_init(&tally);
	for (key = 0; key < KEYS; key++) {
		hf__tally_find(&places[key], &tally, &key, sizeof(key));
		for (i = 0; i < key; i++)
			hf__tally_add(&tally, &places[key]);
	}
	for (key = 0; key < KEYS; key++) {
		assert_true(count_of(key) >= key);
		wrong += count_of(key) != key;
	}
	assert_in_range(wrong, 0, KEYS / 20);
	for (key = 0; key < KEYS; key++)
		for (i = 0; i < key; i++)
			hf__tally_remove(&tally, &places[key]);
	for (key = 0; key < OTHERS; key++)
		assert_int_equal(count_of(key), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heavy),
		cmocka_unit_test(many),
	};

	assert_ok(hf_init());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
