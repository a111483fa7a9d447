/* SPDX-License-Identifier: ISC */
/*
 * How long transfers and handshakes take, side by side: all of them in a
 * histogram each, for people; and the last ones, by which a policy can prefer
 * a handshake while transfers are slower. What is transferred it does not
 * know.
 */
#include <stdlib.h>
#include <string.h>

#include "dispatch_own.h"

enum { LEAST = 8 }; /* fewer say nothing */

static void
count(struct hf_dispatch_times *t, uint64_t us)
{
	size_t i = 0;

	while (i + 1 < HF_DISPATCH_BUCKETS && us >= hf_dispatch_bucket_us(i))
		i++;
	t->bucket[i]++;
	t->n++;
	t->sum_us += us;
}

uint64_t
hf_dispatch_bucket_us(size_t i)
{
	return (uint64_t)128 << i;
}

void
hf__times_add(struct hf__recent *r, struct hf_dispatch_times *all, uint64_t us,
    uint64_t ms)
{
	count(all, us);
	r->us[r->next] = us;
	r->at_ms[r->next] = ms;
	r->next = (r->next + 1) % HF__RECENT;
	if (r->n < HF__RECENT)
		r->n++;
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Another worker's clock, which stands still while its loop works, may be ahead
 * of the one that asks. */
uint64_t
hf__times_recent(const struct hf__recent *r, uint64_t ms)
{
	uint64_t us[HF__RECENT];
	size_t i, n = 0;

	for (i = 0; i < r->n; i++)
		if (r->at_ms[i] + HF__RECENT_MS > ms)
			us[n++] = r->us[i];
	if (n < LEAST)
		return 0;
	qsort(us, n, sizeof(us[0]), by_size);
	return us[n / 2];
}

/* One in so many transfers is made all the same: else nobody would see that
 * they have become faster. */
int
hf__rule_anew(struct hf__rule *rule, uint64_t ms)
{
	uint64_t transfer = hf__times_recent(&rule->transfer, ms);
	uint64_t handshake = hf__times_recent(&rule->handshake, ms);

	if (transfer == 0 || handshake == 0 || transfer <= handshake)
		return 0;
	return ++rule->turn % HF__RULE_TURN != 0;
}
