/* SPDX-License-Identifier: ISC */
/*
 * Where a command listens: the file that says its port, and the sockets that
 * it leaves behind. What is listened for it does not know.
 */
#include <sys/un.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "serve.h"

int
bound_check_port(const char *path)
{
	return path == NULL ? CLI_OK :
			      cli_may_replace(path, NULL,
				  "--port-file replaces only port files");
}

int
bound_write_port(const char *path, const struct hf_address *bound)
{
	char text[HF_ADDRESS_TEXT], line[HF_ADDRESS_TEXT + 1];
	const char *port;
	int n;

	if (path == NULL)
		return CLI_OK;
	(void)hf_address_text(text, bound);
	port = bound->at.ss_family == AF_UNIX ? text : strrchr(text, ':') + 1;
	n = snprintf(line, sizeof(line), "%s\n", port);
	return cli_write_file(path, line, n > 0 ? (size_t)n : 0, 0644,
	    CLI_REPLACE);
}

void
bound_remove(const struct hf_address *bound, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (bound[i].at.ss_family == AF_UNIX)
			(void)unlink(((const struct sockaddr_un *)&bound[i].at)
					 ->sun_path);
}
