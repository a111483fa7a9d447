/* SPDX-License-Identifier: ISC */
/*
 * Bytes in files: reading with a limit, refusing secrets that others can
 * read, writing new files and replacing old ones whole. It knows paths,
 * modes and locks; what the bytes mean it refuses to know.
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Judges the opened file, not the path: what was checked is what is read. */
static int
check_private(const struct stat *st, const char *path)
{
	if (cli_allow_readable)
		return CLI_OK;
	if (st->st_uid != geteuid())
		(void)cli_error(CLI_POLICY,
		    "%s: a secret that belongs to another user (uid %lu)",
		    path, (unsigned long)st->st_uid);
	else if ((st->st_mode & 077) != 0)
		(void)cli_error(CLI_POLICY,
		    "%s: a secret that others can read (mode %04o)", path,
		    (unsigned)(st->st_mode & 07777));
	else
		return CLI_OK;
	cli_hint("chmod 600 and chown it%s",
	    cli_has_option("allow-readable-key") ?
		", or give --allow-readable-key" :
		"");
	return CLI_POLICY;
}

static int
read_all(int fd, const char *path, char *buf, size_t max, size_t *len)
{
	ssize_t got;

	*len = 0;
	while (*len <= max) {
		got = read(fd, buf + *len, max + 1 - *len);
		if (got == 0)
			return CLI_OK;
		if (got > 0)
			*len += (size_t)got;
		else if (errno != EINTR)
			return cli_errno("%s", path);
	}
	return cli_error(CLI_FORMAT, "%s: longer than %zu bytes", path, max);
}

static int
read_path(const char *path, size_t max, int secret, char **buf, size_t *len)
{
	struct stat st;
	size_t room = max;
	int fd = STDIN_FILENO, result = CLI_OK;

	*buf = NULL;
	*len = 0;
	if (strcmp(path, "-") != 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd == -1)
			return cli_errno("%s", path);
		if (fstat(fd, &st) == -1)
			result = cli_errno("%s", path);
		else if (secret)
			result = check_private(&st, path);
		if (result == CLI_OK && S_ISREG(st.st_mode) &&
		    st.st_size > 0 && (uint64_t)st.st_size < max)
			room = (size_t)st.st_size;
	}
	/* One allocation: growing would leave copies of a secret behind. */
	if (result == CLI_OK && (*buf = malloc(room + 2)) == NULL)
		result = cli_errno("%s", path);
	if (result == CLI_OK)
		result = read_all(fd, path, *buf, room, len);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	if (result != CLI_OK || *buf == NULL) {
		cli_free_file(*buf, *len);
		*buf = NULL;
		*len = 0;
	} else
		(*buf)[*len] = '\0';
	return result;
}

int
cli_read_file(const char *path, size_t max, char **buf, size_t *len)
{
	return read_path(path, max, 0, buf, len);
}

int
cli_read_secret_file(const char *path, size_t max, char **buf, size_t *len)
{
	return read_path(path, max, 1, buf, len);
}

void
cli_free_file(char *buf, size_t len)
{
	if (buf == NULL)
		return;
	sodium_memzero(buf, len);
	free(buf);
}

static int
write_all(int fd, const char *path, const void *data, size_t len)
{
	const char *p = data;
	ssize_t put;

	while (len > 0) {
		put = write(fd, p, len);
		if (put >= 0) {
			p += put;
			len -= (size_t)put;
		} else if (errno != EINTR)
			return cli_errno("%s", path);
	}
	return CLI_OK;
}

static int
write_new(const char *path, const void *data, size_t len, unsigned mode)
{
	int fd, result;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    (mode_t)mode);
	if (fd == -1 && errno == EEXIST) {
		(void)cli_error(CLI_POLICY, "%s: exists, not overwritten",
		    path);
		cli_hint("remove it, or choose another name");
		return CLI_POLICY;
	}
	if (fd == -1)
		return cli_errno("%s", path);
	result = write_all(fd, path, data, len);
	if (result == CLI_OK && fsync(fd) == -1)
		result = cli_errno("%s", path);
	if (close(fd) == -1 && result == CLI_OK)
		result = cli_errno("%s", path);
	if (result != CLI_OK)
		(void)unlink(path);
	return result;
}

/* Who owns a new file (-1: as it comes), and who may read it. */
struct rights {
	mode_t mode;
	uid_t user;
	gid_t group;
};

/* Those of the file that was read and is written again. A link would be
 * replaced, and what it leads to stay as it was. */
static int
keep_rights(struct rights *rights, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? CLI_OK : cli_errno("%s", path);
	if (S_ISLNK(st.st_mode)) {
		(void)cli_error(CLI_POLICY, "%s: a link, not replaced", path);
		cli_hint("name the file that it leads to");
		return CLI_POLICY;
	}
	rights->mode = st.st_mode & 0777;
	rights->user = st.st_uid;
	/* Whose group it is matters where that may do anything. */
	if ((st.st_mode & 070) != 0)
		rights->group = st.st_gid;
	return CLI_OK;
}

static int
give_rights(int fd, const struct rights *rights)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return 0;
	/* Some file systems have one owner for all, and no such call. */
	if (((rights->user != (uid_t)-1 && rights->user != st.st_uid) ||
		(rights->group != (gid_t)-1 && rights->group != st.st_gid)) &&
	    fchown(fd, rights->user, rights->group) == -1)
		return 0;
	return fchmod(fd, rights->mode) == 0;
}

/* Writes beside the file and renames: readers see the old or the new one. */
static int
write_replace(const char *path, const void *data, size_t len,
    const struct rights *rights)
{
	char temp[4096];
	int fd, n, result;

	n = snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof(temp))
		return cli_error(CLI_USAGE, "%s: too long a path", path);
	if ((fd = mkostemp(temp, O_CLOEXEC)) == -1)
		return cli_errno("%s", path);
	result = write_all(fd, path, data, len);
	if (result == CLI_OK && (!give_rights(fd, rights) || fsync(fd) == -1))
		result = cli_errno("%s", path);
	if (close(fd) == -1 && result == CLI_OK)
		result = cli_errno("%s", path);
	if (result == CLI_OK && rename(temp, path) == -1)
		result = cli_errno("%s", path);
	if (result != CLI_OK)
		(void)unlink(temp);
	return result;
}

/* The directory of that file; -1 after an error, which was said. */
static int
open_beside(const char *path)
{
	const char *slash = strrchr(path, '/');
	int n = slash == NULL ? 0 : (int)(slash - path) + 1, fd;
	char dir[4096];

	n = snprintf(dir, sizeof(dir), "%.*s.", n, path);
	if (n < 0 || (size_t)n >= sizeof(dir)) {
		(void)cli_error(CLI_USAGE, "%s: too long a path", path);
		return -1;
	}
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		(void)cli_errno("%s", dir);
	return fd;
}

/* The same, of what was read there; what was renamed stays so when the machine
 * goes down. */
static int
update(const char *path, const void *data, size_t len, struct rights *rights)
{
	int dir, result;

	if ((result = keep_rights(rights, path)) != CLI_OK)
		return result;
	if ((dir = open_beside(path)) == -1)
		return CLI_IO;
	result = write_replace(path, data, len, rights);
	/* A file system may have no such thing. */
	if (result == CLI_OK && fsync(dir) == -1 && errno != EINVAL)
		result = cli_errno("%s", path);
	(void)close(dir);
	return result;
}

static int
replace(const char *path, const void *data, size_t len, unsigned mode,
    enum cli_write how)
{
	mode_t mask = umask(0);
	struct rights rights = { (mode_t)mode & ~mask, (uid_t)-1, (gid_t)-1 };

	(void)umask(mask);
	return how == CLI_UPDATE ? update(path, data, len, &rights) :
				   write_replace(path, data, len, &rights);
}

int
cli_write_file(const char *path, const void *data, size_t len, unsigned mode,
    enum cli_write how)
{
	if (strcmp(path, "-") == 0) {
		if (fwrite(data, 1, len, stdout) != len)
			return cli_errno("standard output");
		return cli_flush();
	}
	if (how == CLI_NEW)
		return write_new(path, data, len, mode);
	return replace(path, data, len, mode, how);
}

int
cli_write_pem(const char *path, const char *label, const void *data,
    size_t len, unsigned mode, enum cli_write how)
{
	char *text = NULL;
	size_t cap = len * 3 / 2 + 256, text_len = 0;
	enum hf_err e;
	int result;

	if ((text = malloc(cap)) == NULL)
		return cli_errno("%s", path);
	e = hf_pem_encode(text, cap, &text_len, label, data, len);
	if (e != HF_OK)
		result = cli_fail(e, "%s", path);
	else
		result = cli_write_file(path, text, text_len, mode, how);
	sodium_memzero(text, cap);
	free(text);
	return result;
}

/* The file itself is replaced by each writer, so another one beside it is
 * locked, and stays. None but its owner can open it: whoever can, could hold
 * the lock for ever. */
int
cli_lock(int *fd, const char *path)
{
	const char *slash = strrchr(path, '/');
	int n, dir = slash == NULL ? 0 : (int)(slash - path) + 1;
	char lock[4096];

	*fd = -1;
	n = snprintf(lock, sizeof(lock), "%.*s.%s.lock", dir, path,
	    path + dir);
	if (n < 0 || (size_t)n >= sizeof(lock))
		return cli_error(CLI_USAGE, "%s: too long a path", path);
	*fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd == -1)
		return cli_errno("%s", lock);
	if (flock(*fd, LOCK_EX) == -1) {
		(void)cli_errno("%s", lock);
		(void)close(*fd);
		*fd = -1;
		return CLI_IO;
	}
	return CLI_OK;
}
