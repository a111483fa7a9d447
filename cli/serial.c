/* SPDX-License-Identifier: ISC */
/*
 * The highest ring serial that was seen, kept beside a key on this machine's
 * own disk: no store can bring an older ring back.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "stores.h"

/* KEY.serial */
static int
serial_path(char out[4096], const char *key)
{
	int n = snprintf(out, 4096, "%s.serial", key);

	return n > 0 && n < 4096 ?
	    CLI_OK :
	    cli_error(CLI_USAGE, "%s: too long a path", key);
}

int
cli_serial_read(uint64_t *serial, const char *key)
{
	char path[4096], *text = NULL, *end;
	size_t len;
	int r;

	*serial = 0;
	if ((r = serial_path(path, key)) != CLI_OK)
		return r;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return CLI_OK;
	if ((r = cli_read_file(path, 64, &text, &len)) != CLI_OK)
		return r;
	errno = 0;
	*serial = strtoull(text, &end, 10);
	if (errno != 0 || end == text || (*end != '\n' && *end != '\0'))
		r = cli_error(CLI_FORMAT, "%s: not a number", path);
	cli_free_file(text, len);
	return r;
}

int
cli_serial_write(const char *key, uint64_t serial)
{
	char path[4096], text[32];
	int r, n;

	if ((r = serial_path(path, key)) != CLI_OK)
		return r;
	n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)serial);
	return cli_write_file(path, text, (size_t)n, 0600, CLI_REPLACE);
}
