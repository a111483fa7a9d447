/* SPDX-License-Identifier: ISC */
/*
 * sim [--plant FAULT] FIRST COUNT: runs so many seeds and says what they
 * reached. Ends with 1 where something happened that may not, or where
 * something that should be reached was not.
 * sim [--plant FAULT] --search ATTEMPTS REPLAYS: every schedule of the retry
 * window.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static const struct {
	const char *name;
	const unsigned long *n;
} reached[] = {
	{ "takeovers", &tally.takeovers },
	{ "proved", &tally.proved },
	{ "refreshes", &tally.refreshes },
	{ "confirmed", &tally.confirmed },
	{ "given up", &tally.given_up },
	{ "races lost", &tally.races },
	{ "fenced", &tally.fenced },
	{ "rollbacks", &tally.rollbacks },
	{ "crashes", &tally.crashes },
	{ "cuts", &tally.cuts },
	{ "doubled", &tally.doubled },
	{ "replayed resumes", &tally.replays },
	{ "forged resumes", &tally.forged },
	{ "histories rewritten", &tally.rewritten },
	{ "lost answers", &tally.lost_answers },
	{ "store failures", &tally.down },
	{ "pauses", &tally.pauses },
	{ "clock jumps", &tally.jumps },
	{ "reconnects", &tally.retries },
	{ "fallbacks", &tally.fallbacks },
	{ "tails", &tally.tails },
	{ "ends", &tally.ends },
};

static bool
plant_named(const char *name)
{
	static const char *const names[] = { "cas-on-epoch",
		"no-cas-at-confirm", "no-previous", "no-epoch", "no-digest",
		"claim-first" };
	size_t i;

	for (i = 0; i < HF__ARRAY_N(names); i++)
		if (strcmp(name, names[i]) == 0)
			plant = (enum plant)(PLANT_NONE + 1 + i);
	return plant != PLANT_NONE;
}

int
main(int argc, char **argv)
{
	unsigned long first, count, n;
	size_t i;
	int bad;

	if (argc > 2 && strcmp(argv[1], "--plant") == 0) {
		if (!plant_named(argv[2]))
			return 2;
		argv += 2;
		argc -= 2;
	}
	if (argc == 4 && strcmp(argv[1], "--search") == 0) {
		if (hf_init() != HF_OK)
			return 2;
		search((unsigned)strtoul(argv[2], NULL, 10),
		    (unsigned)strtoul(argv[3], NULL, 10));
		return tally.violations > 0;
	}
	if (argc != 3 || hf_init() != HF_OK)
		return 2;
	first = strtoul(argv[1], NULL, 10);
	count = strtoul(argv[2], NULL, 10);
	world_setup();
	for (n = 0; n < count && tally.violations < 20; n++)
		world_run(first + n);
	world_teardown();
	bad = tally.violations > 0;
	for (i = 0; i < HF__ARRAY_N(reached); i++) {
		printf("%s%s %lu", i == 0 ? "" : ", ", reached[i].name,
		    *reached[i].n);
		if (*reached[i].n == 0 && count >= 1000)
			bad = 1;
	}
	printf("; violations %lu in %lu seeds\n", tally.violations, n);
	return bad;
}
