/* SPDX-License-Identifier: ISC */
/*
 * How long transfers and handshakes take, as a dispatcher counts it, and the
 * policy that goes by it: fleet/dispatch_times.c.
 */
#include <string.h>

#include "dispatch_own.h"
#include "testing.h"

static struct hf_dispatch_times all;

static void
add(struct hf__recent *r, uint64_t us, uint64_t ms, int n)
{
	while (n-- > 0)
		hf__times_add(r, &all, us, ms);
}

/* Each is in the first bucket that is longer; the last one has no end. */
static void
buckets(void **state)
{
	struct hf__recent r = { .n = 0 };

	(void)state;
	memset(&all, 0, sizeof(all));
	add(&r, 0, 1, 1);
	add(&r, 127, 1, 1);
	add(&r, 128, 1, 1);
	add(&r, 255, 1, 1);
	add(&r, UINT64_C(1) << 50, 1, 1);
	assert_int_equal(hf_dispatch_bucket_us(0), 128);
	assert_int_equal(hf_dispatch_bucket_us(1), 256);
	assert_int_equal(all.bucket[0], 2);
	assert_int_equal(all.bucket[1], 2);
	assert_int_equal(all.bucket[HF_DISPATCH_BUCKETS - 1], 1);
	assert_int_equal(all.n, 5);
	assert_int_equal(all.sum_us, 510 + (UINT64_C(1) << 50));
}

/* The median of the last ones, none of which is older than a minute. */
static void
recent(void **state)
{
	struct hf__recent r = { .n = 0 };

	(void)state;
	add(&r, 100, 1000, 7);
	assert_int_equal(hf__times_recent(&r, 1000), 0);
	add(&r, 300, 1000, 1);
	assert_int_equal(hf__times_recent(&r, 1000), 100);
	add(&r, 300, 2000, 8);
	assert_int_equal(hf__times_recent(&r, 2000), 300);
	add(&r, 50, 3000, HF__RECENT);
	assert_int_equal(hf__times_recent(&r, 3000), 50);
	assert_int_equal(hf__times_recent(&r, 3000 + HF__RECENT_MS - 1), 50);
	assert_int_equal(hf__times_recent(&r, 3000 + HF__RECENT_MS), 0);
	/* By another's clock, which is ahead. */
	assert_int_equal(hf__times_recent(&r, 2999), 50);
}

/* Slower transfers: a handshake, but one of sixteen times a transfer, to see
 * whether it still is so. Nothing is said by too few, or by old ones. */
static void
rule(void **state)
{
	static struct hf__rule rule;
	int i, anew = 0;

	(void)state;
	memset(&rule, 0, sizeof(rule));
	add(&rule.transfer, 200, 1, 20);
	assert_int_equal(hf__rule_anew(&rule, 1), 0);
	add(&rule.handshake, 200, 1, 20);
	assert_int_equal(hf__rule_anew(&rule, 1), 0);
	add(&rule.transfer, 201, 1, HF__RECENT);
	for (i = 0; i < 4 * HF__RULE_TURN; i++)
		anew += hf__rule_anew(&rule, 1);
	assert_int_equal(anew, 4 * (HF__RULE_TURN - 1));
	assert_int_equal(hf__rule_anew(&rule, 1 + HF__RECENT_MS), 0);
	add(&rule.transfer, 199, 2, HF__RECENT);
	assert_int_equal(hf__rule_anew(&rule, 2), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets),
		cmocka_unit_test(recent),
		cmocka_unit_test(rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
