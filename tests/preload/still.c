/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: nobody answers what the name of a host means.
 * Addresses are what they are.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **found)
{
	const struct timespec step = { 1, 0 };
	int (*real)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);

	while (node != NULL && strcmp(node, "still.invalid") == 0)
		(void)nanosleep(&step, NULL);
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, found);
}
