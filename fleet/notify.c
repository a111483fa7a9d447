/* SPDX-License-Identifier: ISC */
/*
 * What a program and whoever started it have to say to each other, as systemd
 * does: by the datagrams of sd_notify(3) it tells how it is, and by
 * sd_listen_fds(3) it takes the sockets that it was given. Where nobody asked
 * for a word, and where telling fails, nothing happens.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"

enum { FIRST_GIVEN = 3 };

void
hf_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len < 2 || len >= sizeof(un.sun_path) ||
	    (*path != '/' && *path != '@'))
		return;
	memcpy(un.sun_path, path, len);
	if (*path == '@') /* abstract */
		un.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (const struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	(void)close(fd);
}

void
hf_notify_reloading(void)
{
	struct timespec now;
	char text[64];

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return;
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)now.tv_sec * 1000000 +
		(unsigned long long)now.tv_nsec / 1000);
	hf_notify(text);
}

/* A number that is meant for this process; 0 where there is none. */
static uint64_t
told(const char *name, const char *whom)
{
	const char *pid = getenv(whom), *text = getenv(name);
	char *end;
	unsigned long long n;

	if (text == NULL ||
	    (pid != NULL && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return errno != 0 || *end != '\0' ? 0 : n;
}

uint64_t
hf_watchdog_ms(void)
{
	return told("WATCHDOG_USEC", "WATCHDOG_PID") / 2000;
}

/* A stream socket that listens, and where it does. */
static int
take(struct hf_address *at, int fd)
{
	int type = 0, listens = 0, flags;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0)
		return 0;
	memset(at, 0, sizeof(*at));
	at->len = sizeof(at->at);
	return type == SOCK_STREAM && listens &&
	    getsockname(fd, (struct sockaddr *)&at->at, &at->len) == 0 &&
	    (at->at.ss_family == AF_INET || at->at.ss_family == AF_INET6 ||
		at->at.ss_family == AF_UNIX) &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	    (flags = fcntl(fd, F_GETFL)) != -1 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

enum hf_err
hf_given_sockets(int *fds, struct hf_address *at, size_t *n, size_t cap)
{
	uint64_t given = getenv("LISTEN_PID") == NULL ?
	    0 :
	    told("LISTEN_FDS", "LISTEN_PID");

	*n = 0;
	if (given > cap)
		return HF_E_SPACE;
	for (; *n < given; (*n)++) {
		fds[*n] = FIRST_GIVEN + (int)*n;
		if (!take(&at[*n], fds[*n]))
			return HF_E_ARG;
	}
	/* They are this process's own from now on. */
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return HF_OK;
}
