/* SPDX-License-Identifier: ISC */
/*
 * Where an agent's socket is, whether that place can be trusted, and who is at
 * the other end. Paths are judged by what was opened, never twice by name; the
 * kernel's word is taken, nobody else's. It sends and reads nothing.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "agent_path.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef O_PATH
#define O_PATH 0
#endif

enum { CONNECT_MS = 10000 };

/* What one side writes into the other's room. */
_Static_assert((int)HF_AGENT_PATH == (int)HF__PATH_MAX,
    "paths of the agent and of its applications have the same room");

/* --- who -------------------------------------------------------------------------- */

#ifdef SO_PEERCRED
/* A process keeps its number when its pid is another's. A kernel without pidfs
 * (before Linux 6.9) has one number for all: then the pid alone tells. */
static uint64_t
process_number(int fd)
{
	socklen_t len = sizeof(int);
	struct stat st;
	int pidfd = -1, r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) != 0)
		return 0;
	r = fstat(pidfd, &st);
	(void)close(pidfd);
	return r == 0 ? (uint64_t)st.st_ino : 0;
}

static enum hf_err
user_of(uid_t *user, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return HF_E_IO;
	*user = cred.uid;
	return HF_OK;
}

enum hf_err
hf__who(struct hf__who *who, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	memset(who, 0, sizeof(*who));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return HF_E_IO;
	who->uid = cred.uid;
	who->gid = cred.gid;
	who->pid = cred.pid;
	who->number = process_number(fd);
#ifdef SO_PEERGROUPS
	len = sizeof(who->group);
	/* More than there is room for: its first group alone counts. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, who->group, &len) == 0)
		who->groups_n = len / sizeof(who->group[0]);
#endif
	return HF_OK;
}
#else
static enum hf_err
user_of(uid_t *user, int fd)
{
	gid_t group;

	return getpeereid(fd, user, &group) == 0 ? HF_OK : HF_E_IO;
}

enum hf_err
hf__who(struct hf__who *who, int fd)
{
	memset(who, 0, sizeof(*who));
	who->pid = -1;
	return getpeereid(fd, &who->uid, &who->gid) == 0 ? HF_OK : HF_E_IO;
}
#endif

/* --- where ------------------------------------------------------------------------ */

/* Programs with more rights than their user take no word of his. */
static const char *
word(const char *name)
{
	const char *value = secure_getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

static enum hf_err
join(char out[HF__PATH_MAX], const char *dir, const char *rest)
{
	int n = snprintf(out, HF__PATH_MAX, "%s%s", dir, rest);

	return n > 0 && n < HF__PATH_MAX ? HF_OK : HF_E_CONFIG;
}

enum hf_err
hf__agent_where(char out[HF__PATH_MAX])
{
	const char *said;

	if ((said = word("HANDFAST_AGENT")) != NULL)
		return join(out, said, "");
	if ((said = word("XDG_RUNTIME_DIR")) != NULL)
		return join(out, said, "/handfast/agent");
	return join(out, "/run/handfast/agent", "");
}

enum hf_err
hf_agent_where(char out[HF_AGENT_PATH], int peers)
{
	return peers ? hf__peers_where(out) : hf__agent_where(out);
}

enum hf_err
hf__peers_where(char out[HF__PATH_MAX])
{
	const char *said;

	if ((said = word("HANDFAST_PEERS")) != NULL)
		return join(out, said, "");
	if ((said = word("XDG_CONFIG_HOME")) != NULL)
		return join(out, said, "/handfast/peers.conf");
	if ((said = word("HOME")) != NULL)
		return join(out, said, "/.config/handfast/peers.conf");
	return HF_E_CONFIG;
}

/* --- whether it is safe there ------------------------------------------------------- */

/* Who owns it could be anybody, so everything above it must be root's alone. */
static int
above_is_roots(int dir)
{
	char path[HF__PATH_MAX], name[64], *slash;
	struct stat st;
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", dir);
	n = readlink(name, path, sizeof(path) - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	while ((slash = strrchr(path, '/')) != NULL) {
		slash[slash == path] = '\0';
		if (lstat(path, &st) != 0 || st.st_uid != 0 ||
		    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
			return 0;
		if (slash == path)
			return 1;
	}
	return 0;
}

/* Opens the directory of the path. *base: the rest of it. */
static enum hf_err
open_dir(int *dir, const char **base, const char *path)
{
	char copy[HF__PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t len;

	if (*path != '/' || slash[1] == '\0' || strlen(path) >= sizeof(copy))
		return HF_E_ARG;
	len = slash == path ? 1 : (size_t)(slash - path);
	memcpy(copy, path, len);
	copy[len] = '\0';
	*base = slash + 1;
	*dir = open(copy, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *dir != -1		       ? HF_OK :
	    errno == ENOENT		       ? HF_E_NO_AGENT :
	    errno == ELOOP || errno == ENOTDIR ? HF_E_POLICY :
						 HF_E_IO;
}

static enum hf_err
judge(uid_t *owner, int dir, const char *base)
{
	struct stat st, socket;

	if (fstat(dir, &st) != 0)
		return HF_E_IO;
	*owner = st.st_uid;
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
	    (st.st_uid != 0 && st.st_uid != geteuid() && !above_is_roots(dir)))
		return HF_E_POLICY;
	if (fstatat(dir, base, &socket, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? HF_E_NO_AGENT : HF_E_IO;
	/* What systemd listens at is root's. */
	if (!S_ISSOCK(socket.st_mode) ||
	    (socket.st_uid != st.st_uid && socket.st_uid != 0))
		return HF_E_POLICY;
	return HF_OK;
}

static enum hf_err
connect_at(int fd, int dir, const char *base)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval most = { CONNECT_MS / 1000, 0 };
	int n;

	n = snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/%s",
	    dir, base);
	if (n < 0 || (size_t)n >= sizeof(un.sun_path))
		return HF_E_ARG;
	/* The queue of who is not taken yet may be full for a while. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) != 0)
		return HF_E_IO;
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
		return HF_OK;
	return errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN ?
	    HF_E_NO_AGENT :
	    errno == EACCES || errno == EPERM ? HF_E_POLICY :
						HF_E_IO;
}

enum hf_err
hf__agent_connect(int *out, const char *path)
{
	const char *base;
	uid_t owner = 0, user = 0;
	int dir, fd = -1;
	enum hf_err e;

	*out = -1;
	if ((e = open_dir(&dir, &base, path)) != HF_OK)
		return e;
	if ((e = judge(&owner, dir, base)) != HF_OK)
		goto out;
	e = HF_E_IO;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || (e = connect_at(fd, dir, base)) != HF_OK ||
	    (e = user_of(&user, fd)) != HF_OK)
		goto out;
	/* Who listens is whose place it is. */
	if (user != owner && user != 0)
		e = HF_E_POLICY;
out:
	(void)close(dir);
	if (e == HF_OK) {
		*out = fd;
		return HF_OK;
	}
	if (fd != -1)
		(void)close(fd);
	return e;
}
