/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: its wall clock goes wrong by HANDFAST_CLOCK
 * seconds; where that is a path, by the seconds that stand in the file at
 * each moment. Monotonic clocks, and so deadlines, stay right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long
off(void)
{
	const char *text = getenv("HANDFAST_CLOCK");
	long seconds = 0;
	FILE *f;

	if (text == NULL)
		return 0;
	if (text[0] != '/')
		return strtol(text, NULL, 10);
	if ((f = fopen(text, "re")) != NULL) {
		if (fscanf(f, "%ld", &seconds) != 1)
			seconds = 0;
		(void)fclose(f);
	}
	return seconds;
}

time_t
time(time_t *out)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return (time_t)-1;
	now.tv_sec += off();
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}
