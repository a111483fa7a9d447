/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: its wall clock goes wrong by HANDFAST_CLOCK
 * seconds. Monotonic clocks, and so deadlines, stay right.
 */
#include <stdlib.h>
#include <time.h>

time_t
time(time_t *out)
{
	const char *off = getenv("HANDFAST_CLOCK");
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return (time_t)-1;
	if (off != NULL)
		now.tv_sec += strtol(off, NULL, 10);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}
