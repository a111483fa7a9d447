/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: a library that is loaded when it is wanted is
 * the one that $HANDFAST_INSTEAD names.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

void *
dlopen(const char *file, int flags)
{
	const char *instead = getenv("HANDFAST_INSTEAD");
	void *(*real)(const char *, int);

	if (file != NULL && instead != NULL &&
	    (strncmp(file, "libpq.", 6) == 0 ||
		strncmp(file, "libmicrohttpd.", 14) == 0))
		file = instead;
	*(void **)&real = dlsym(RTLD_NEXT, "dlopen");
	return real(file, flags);
}
