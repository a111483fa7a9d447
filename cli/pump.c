/* SPDX-License-Identifier: ISC */
/*
 * Standard input and output, whatever they are: files, pipes, terminals. They
 * are read and written by threads that may wait, since making them
 * non-blocking would change them for every program that shares them. Each
 * wait also ends when the program does. It knows bytes only.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "serve.h"

static int stop_fd[2] = { -1, -1 };  /* readable for ever: stop */
static int nudge_fd[2] = { -1, -1 }; /* readable: look again */

int
pump_init(void)
{
	if (pipe2(stop_fd, O_CLOEXEC) != 0 ||
	    pipe2(nudge_fd, O_CLOEXEC | O_NONBLOCK) != 0)
		return cli_errno("cannot make a pipe");
	return CLI_OK;
}

void
pump_stop(void)
{
	/* Every poll sees the end of the pipe from now on. */
	if (stop_fd[1] != -1)
		(void)close(stop_fd[1]);
	stop_fd[1] = -1;
}

void
pump_nudge(void)
{
	/* A full pipe wakes as well. */
	if (write(nudge_fd[1], "", 1) < 0)
		return;
}

static void
take_nudge(void)
{
	char buf[16];

	if (read(nudge_fd[0], buf, sizeof(buf)) < 0)
		return;
}

/* Waits until fd is ready. Returns 1, 0 after idle_ms, -1 and errno. */
static int
wait_ready(int fd, short events, const atomic_int *idle_ms)
{
	struct pollfd p[3] = { { .fd = fd, .events = events },
		{ .fd = stop_fd[0], .events = POLLIN },
		{ .fd = idle_ms == NULL ? -1 : nudge_fd[0],
		    .events = POLLIN } };
	int r;

	for (;;) {
		r = poll(p, 3, idle_ms == NULL ? -1 : atomic_load(idle_ms));
		if (r == -1 && errno != EINTR)
			return -1;
		if (r == 0)
			return 0;
		if (r > 0 && p[1].revents != 0) {
			errno = ECANCELED;
			return -1;
		}
		if (r > 0 && p[0].revents != 0)
			return 1;
		if (r > 0 && p[2].revents != 0)
			take_nudge();
	}
}

ssize_t
pump_read(int fd, uint8_t *buf, size_t cap, const atomic_int *idle_ms)
{
	ssize_t n;
	int r;

	for (;;) {
		if ((r = wait_ready(fd, POLLIN, idle_ms)) == 0)
			errno = EAGAIN;
		if (r <= 0)
			return -1;
		n = read(fd, buf, cap);
		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			return n;
	}
}

int
pump_write(int fd, const uint8_t *data, size_t len)
{
	struct stat st;
	size_t most = len;
	ssize_t n;

	/* A ready pipe takes this much without waiting. */
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		most = PIPE_BUF;
	while (len > 0) {
		if (wait_ready(fd, POLLOUT, NULL) < 0)
			return errno;
		n = write(fd, data, len < most ? len : most);
		if (n < 0) {
			if (errno != EINTR && errno != EAGAIN)
				return errno;
			continue;
		}
		data += n;
		len -= (size_t)n;
	}
	return 0;
}
