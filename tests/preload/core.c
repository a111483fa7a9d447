/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: cores are allowed, whatever it asks for, and
 * with HANDFAST_END it sends itself that signal when it has ended and cleaned
 * up. It is what a build without the guard would be, for tests that look into
 * cores.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define BEHIND(name) \
	(__extension__(__typeof__(&(name))) dlsym(RTLD_NEXT, #name))

int
prctl(int option, ...)
{
	unsigned long a[4];
	va_list args;
	int i;

	va_start(args, option);
	for (i = 0; i < 4; i++)
		a[i] = va_arg(args, unsigned long);
	va_end(args);
	if (option == PR_SET_DUMPABLE)
		return 0;
	return BEHIND(prctl)(option, a[0], a[1], a[2], a[3]);
}

/* By this name too: the program has large files. */
int setrlimit64(__rlimit_resource_t, const struct rlimit64 *);

int
setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
	if (resource == RLIMIT_CORE)
		return 0;
	return BEHIND(setrlimit64)(resource, limit);
}

__attribute__((constructor)) static void
begin(void)
{
	const struct rlimit64 all = { RLIM64_INFINITY, RLIM64_INFINITY };

	(void)BEHIND(setrlimit64)(RLIMIT_CORE, &all);
}

__attribute__((destructor)) static void
end(void)
{
	const char *signum = getenv("HANDFAST_END");

	if (signum != NULL)
		(void)raise(atoi(signum));
}
