/* SPDX-License-Identifier: ISC */
/*
 * What of this process's environment the programs get that it starts: never
 * a secret of its store, for what runs there may do what a peer says. Nobody
 * else makes a child's environment.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static int
begins(const char *text, const char *const *with)
{
	for (; *with != NULL; with++)
		if (strncmp(text, *with, strlen(*with)) == 0)
			return 1;
	return 0;
}

char **
child_env(size_t *kept, const char *const *without, size_t more)
{
	/* Redis's, and libpq's (handfast-store(7)). */
	static const char *const secrets[] = { "HANDFAST_STORE_PASSWORD=",
		"PGPASSWORD=", NULL };
	size_t n;
	char **env;

	for (n = 0; environ[n] != NULL; n++)
		continue;
	if ((env = calloc(n + more + 1, sizeof(*env))) == NULL)
		return NULL;
	*kept = 0;
	for (n = 0; environ[n] != NULL; n++)
		if (!begins(environ[n], secrets) &&
		    !begins(environ[n], without))
			env[(*kept)++] = environ[n];
	return env;
}
