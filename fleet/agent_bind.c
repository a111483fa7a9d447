/* SPDX-License-Identifier: ISC */
/*
 * Where an agent listens: a socket in a directory of its own, or one that
 * systemd holds for it. Nothing is taken over that could be another's.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "agent_path.h"

enum hf_err
hf__own_directory(const char *dir, unsigned mode)
{
	struct stat st;
	int fd, made = mkdir(dir, mode) == 0, r;

	if (!made && errno != EEXIST)
		return HF_E_IO;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ELOOP || errno == ENOTDIR ? HF_E_POLICY :
							    HF_E_IO;
	r = fstat(fd, &st);
	/* The mask may have taken something away. */
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
hf_agent_bind(int *fd, const char *path, int others)
{
	struct hf_address at[HF_ADDRESSES_MAX], bound;
	char text[HF_AGENT_PATH + 8];
	const struct sockaddr_un *un;
	const char *slash = strrchr(path, '/');
	enum hf_err e;
	size_t n;
	int r;

	if (*path != '/' || slash == path || slash[1] == '\0' ||
	    strlen(path) >= HF_AGENT_PATH)
		return HF_E_ARG;
	(void)snprintf(text, sizeof(text), "%.*s", (int)(slash - path), path);
	if ((e = hf__own_directory(text, others ? 0711 : 0700)) != HF_OK)
		return e;
	(void)snprintf(text, sizeof(text), "unix:%s", path);
	if ((e = hf_address_parse(at, &n, text)) != HF_OK ||
	    (e = hf_address_listen(fd, &bound, &at[0])) != HF_OK)
		return e;
	un = (const struct sockaddr_un *)&bound.at;
	/* Who may is asked of the kernel, not of the file. */
	r = others ? chmod(un->sun_path, 0666) : 0;
	if (r == 0)
		return HF_OK;
	(void)close(*fd);
	return HF_E_IO;
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
