/* SPDX-License-Identifier: ISC */
/*
 * Where an agent listens: a socket in a directory of its own, or one that
 * systemd holds for it. Nothing is taken over that could be another's.
 */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "agent_path.h"

enum { TURN_MS = 2000, STEP_MS = 10 };

/* Of one that was made just now the mask may have taken something away. */
static enum hf_err
judge_directory(const char *dir, unsigned mode, int made)
{
	struct stat st;
	int fd, r;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ELOOP || errno == ENOTDIR ? HF_E_POLICY :
							    HF_E_IO;
	r = fstat(fd, &st);
	if (r == 0 && made)
		r = fchmod(fd, mode);
	(void)close(fd);
	if (r != 0)
		return HF_E_IO;
	errno = EPERM;
	return st.st_uid == geteuid() &&
		(st.st_mode & (S_IWGRP | S_IWOTH)) == 0 ?
	    HF_OK :
	    HF_E_POLICY;
}

enum hf_err
hf__own_directory(const char *dir, unsigned mode)
{
	int made = mkdir(dir, mode) == 0;

	if (!made && errno != EEXIST)
		return HF_E_IO;
	return judge_directory(dir, mode, made);
}

enum hf_err
hf__look_directory(const char *dir)
{
	enum hf_err e = judge_directory(dir, 0, 0);

	return e == HF_E_IO && errno == ENOENT ? HF_E_NO_SESSION : e;
}

int
hf__lock_within(int fd, int ms)
{
	const struct timespec step = { 0, STEP_MS * 1000000L };
	int r;

	while ((r = flock(fd, LOCK_EX | LOCK_NB)) != 0 &&
	    (errno == EWOULDBLOCK || errno == EINTR) && ms > 0) {
		(void)nanosleep(&step, NULL);
		ms -= STEP_MS;
	}
	return r;
}

/* A whole path, as the address of a socket and the directory that it is in. */
static enum hf_err
read_path(struct hf_address *at, char dir[HF_AGENT_PATH], const char *path)
{
	struct hf_address found[HF_ADDRESSES_MAX];
	const char *slash = strrchr(path, '/');
	char text[HF_AGENT_PATH + 8];
	enum hf_err e;
	size_t n;

	if (*path != '/' || slash == path || slash[1] == '\0' ||
	    strlen(path) >= HF_AGENT_PATH)
		return HF_E_ARG;
	(void)snprintf(dir, HF_AGENT_PATH, "%.*s", (int)(slash - path), path);
	(void)snprintf(text, sizeof(text), "unix:%s", path);
	if ((e = hf_address_parse(found, &n, text)) == HF_OK)
		*at = found[0];
	return e;
}

static enum hf_err
listen_at(int *fd, struct stat *made, const struct hf_address *at, int others)
{
	struct hf_address bound;
	const struct sockaddr_un *un;
	enum hf_err e;
	int r, saved;

	if ((e = hf_address_listen(fd, &bound, at)) != HF_OK)
		return e;
	un = (const struct sockaddr_un *)&bound.at;
	/* Who may is asked of the kernel, not of the file. */
	r = others ? chmod(un->sun_path, 0666) : 0;
	if (r == 0)
		r = lstat(un->sun_path, made);
	if (r == 0)
		return HF_OK;
	saved = errno;
	/* While it is listened at nobody puts another one there. */
	(void)unlink(un->sun_path);
	(void)close(*fd);
	errno = saved;
	return HF_E_IO;
}

enum hf_err
hf_agent_bind(int *fd, struct stat *made, const char *path, int others)
{
	char text[HF_AGENT_PATH];
	struct hf_address at;
	enum hf_err e;
	int dir, saved;

	if ((e = read_path(&at, text, path)) != HF_OK ||
	    (e = hf__own_directory(text, others ? 0711 : 0700)) != HF_OK)
		return e;
	dir = open(text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir == -1)
		return HF_E_IO;
	/* Who begins at the same time takes a socket that is about to listen
	 * for a dead one: one after the other. A stranger who may read the
	 * directory could hold that up, but not for ever. */
	(void)!hf__lock_within(dir, TURN_MS);
	e = listen_at(fd, made, &at, others);
	saved = errno;
	(void)close(dir);
	errno = saved;
	return e;
}

enum hf_err
hf_agent_look(const char *path)
{
	char dir[HF_AGENT_PATH];
	struct hf_address at;
	enum hf_err e;

	if ((e = read_path(&at, dir, path)) != HF_OK)
		return e;
	if ((e = hf__look_directory(dir)) == HF_OK)
		return hf_address_look(&at);
	return e == HF_E_NO_SESSION ? HF_OK : e;
}

int
hf_agent_inherited(void)
{
	struct hf_address at;
	size_t n;
	int fd;

	return hf_given_sockets(&fd, &at, &n, 1) == HF_OK && n == 1 &&
		at.at.ss_family == AF_UNIX ?
	    fd :
	    -1;
}
