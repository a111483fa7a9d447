/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: it stands still for three seconds wherever it
 * unlinks a file by its path.
 */
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

int
unlink(const char *path)
{
	const struct timespec pause = { 3, 0 };
	int (*real)(const char *);

	(void)nanosleep(&pause, NULL);
	*(void **)&real = dlsym(RTLD_NEXT, "unlink");
	return real(path);
}
