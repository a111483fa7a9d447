/* SPDX-License-Identifier: ISC */
/*
 * What a directory must have for LMDB: nobody else who can read it, and room.
 * LMDB maps its file of locks without asking whether there is room for it, and
 * a process that touches what has none is killed. So room is made first, in
 * files that are opened as LMDB opens them. It knows nothing of what is stored.
 */
#include <sys/stat.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store_lmdb_place.h"

enum { PATH_BYTES = 4096 };

const char *
hf__lmdb_words(int r)
{
	return r == MDB_MAP_FULL || r == ENOSPC ? "the store is full" :
						  mdb_strerror(r);
}

int
hf__lmdb_is_there(const char *dir)
{
	char path[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s/data.mdb", dir);
	struct stat st;

	if (n < 0 || (size_t)n >= sizeof(path))
		return 1;
	if (stat(path, &st) != 0)
		return errno != ENOENT && errno != ENOTDIR;
	return st.st_size > 0; /* it is begun in one write */
}

enum hf_err
hf__lmdb_judge(const char *path, const char **reason)
{
	struct stat st;

	if (lstat(path, &st) != 0) {
		if (errno == ENOENT)
			return HF_OK; /* it is made by opening */
		*reason = hf__lmdb_words(errno);
		return HF_E_STORE;
	}
	if (!S_ISDIR(st.st_mode)) {
		*reason = "not a directory";
		return HF_E_STORE;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
		*reason = "others can read it, or it is not ours";
		return HF_E_POLICY;
	}
	return HF_OK;
}

enum hf_err
hf__lmdb_directory(const char *path, const char **reason)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		*reason = hf__lmdb_words(errno);
		return HF_E_STORE;
	}
	return hf__lmdb_judge(path, reason);
}

int
hf__lmdb_in_memory(const char *path)
{
	struct statfs fs;

	/* Its type is signed on some machines. */
	return statfs(path, &fs) == 0 &&
	    ((uint32_t)fs.f_type == TMPFS_MAGIC ||
		(uint32_t)fs.f_type == RAMFS_MAGIC);
}

/* -1, or a descriptor, as LMDB opens it. */
static int
open_in(const char *dir, const char *name)
{
	char path[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* The system's own call: where a file system cannot make room, libc's would
 * write into what another process is writing, too. What else is wrong with the
 * file LMDB says. */
static int
make_room(int fd, int how, off_t len)
{
	struct stat st;
	int r;

	/* XFS wants as much again to find out that it is there. */
	if (fstat(fd, &st) == 0 && st.st_size >= len &&
	    (off_t)st.st_blocks * 512 >= st.st_size)
		return 0;
	do
		r = fallocate(fd, how, 0, len);
	while (r != 0 && errno == EINTR);
	return r != 0 && (errno == ENOSPC || errno == EDQUOT) ? errno : 0;
}

/* The two pages that LMDB begins with: where there was room for one alone,
 * what stands there would be no store for ever. The file must stay empty, for
 * LMDB to see that it is new. */
static int
room_for_data(const char *dir)
{
	int fd = open_in(dir, "data.mdb"), r;

	if (fd == -1)
		return errno;
	r = make_room(fd, FALLOC_FL_KEEP_SIZE, 2 * sysconf(_SC_PAGESIZE));
	(void)close(fd);
	return r;
}

/* Of the locks the first page is touched at once. How long their file must be
 * LMDB alone knows, and makes a short one longer. */
int
hf__lmdb_room(int *locks, const char *dir)
{
	int r;

	if ((*locks = open_in(dir, "lock.mdb")) == -1)
		return errno;
	if ((r = make_room(*locks, 0, sysconf(_SC_PAGESIZE))) != 0)
		return r;
	return room_for_data(dir);
}

int
hf__lmdb_room_mapped(int locks)
{
	struct stat st;

	return fstat(locks, &st) != 0 ? errno :
					make_room(locks, 0, st.st_size);
}
