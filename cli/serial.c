/* SPDX-License-Identifier: ISC */
/*
 * The highest ring serial that was seen, kept beside a key on this machine's
 * own disk: no store can bring an older ring back. Who changes a cluster has
 * its key to himself from before he reads that until it is written, and keeps
 * the serial of what he begins there too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "stores.h"

enum { STEP_MS = 20 };

/* The key itself, which its commands read and none replaces: so nothing need
 * be written beside it, and by whatever path it is reached it is one. For
 * writing where that may be: NFS locks nothing else. */
int
cli_serial_lock(int *fd, const char *key)
{
	const struct timespec step = { 0, STEP_MS * 1000000L };
	long ms = CLI_SERIAL_SECONDS * 1000L;
	int r;

	if ((*fd = open(key, O_RDWR | O_CLOEXEC)) == -1 &&
	    (*fd = open(key, O_RDONLY | O_CLOEXEC)) == -1)
		return cli_errno("%s", key);
	while ((r = flock(*fd, LOCK_EX | LOCK_NB)) == -1 &&
	    (errno == EWOULDBLOCK || errno == EINTR) && ms > 0) {
		(void)nanosleep(&step, NULL);
		ms -= STEP_MS;
	}
	if (r == 0)
		return CLI_OK;
	if (errno != EWOULDBLOCK && errno != EINTR)
		return cli_errno("%s", key);
	(void)cli_error(CLI_IO,
	    "%s: another command has it, for more than %d seconds", key,
	    CLI_SERIAL_SECONDS);
	cli_hint("nothing was changed: try again when that one is done");
	return CLI_IO;
}

/* KEY.serial */
static int
serial_path(char out[4096], const char *key)
{
	int n = snprintf(out, 4096, "%s.serial", key);

	return n > 0 && n < 4096 ?
	    CLI_OK :
	    cli_error(CLI_USAGE, "%s: too long a path", key);
}

/* One number, or two, a line each. */
static int
parse(struct cli_serial *serial, const char *text)
{
	uint64_t *to[] = { &serial->seen, &serial->used };
	char *end;
	int i;

	for (i = 0; i < 2 && (i == 0 || *text != '\0'); i++) {
		errno = 0;
		*to[i] = strtoull(text, &end, 10);
		if (errno != 0 || end == text ||
		    (*end != '\n' && *end != '\0'))
			return 0;
		text = end + (*end == '\n');
	}
	return *text == '\0';
}

int
cli_serial_read(struct cli_serial *serial, const char *key)
{
	char path[4096], *text = NULL;
	size_t len;
	int r;

	serial->seen = serial->used = 0;
	if ((r = serial_path(path, key)) != CLI_OK)
		return r;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return CLI_OK;
	if ((r = cli_read_file(path, 64, &text, &len)) != CLI_OK)
		return r;
	if (!parse(serial, text))
		r = cli_error(CLI_FORMAT, "%s: not a number", path);
	cli_free_file(text, len);
	return r;
}

int
cli_serial_write(const char *key, const struct cli_serial *serial)
{
	char path[4096], text[64];
	int r, n;

	if ((r = serial_path(path, key)) != CLI_OK)
		return r;
	n = snprintf(text, sizeof(text),
	    serial->used == 0 ? "%llu\n" : "%llu\n%llu\n",
	    (unsigned long long)serial->seen,
	    (unsigned long long)serial->used);
	return cli_write_file(path, text, (size_t)n, 0600, CLI_UPDATE);
}
