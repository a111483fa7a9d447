/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: a disk that takes a second and a half for each
 * entry that is to be kept. It touches nothing else.
 */
#include <time.h>
#include <unistd.h>

int
fdatasync(int fd)
{
	const struct timespec long_while = { 1, 500000000 };

	(void)nanosleep(&long_while, NULL);
	return fsync(fd);
}
