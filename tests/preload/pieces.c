/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: its sockets and its standard streams pass one
 * byte at a time, and before each byte the call is interrupted once and would
 * block once. How often that happened is written to the file that
 * HANDFAST_PIECES names, when the program ends. Other descriptors it leaves
 * alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 1024 };

static atomic_uint turn[FDS][2];
static atomic_ulong interrupted, blocked, bytes[2];

static void *
behind(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL) {
		fprintf(stderr, "pieces: no %s\n", name);
		abort();
	}
	return found;
}

__attribute__((destructor)) static void
report(void)
{
	const char *path = getenv("HANDFAST_PIECES");
	FILE *f;

	if (path == NULL || (f = fopen(path, "w")) == NULL)
		return;
	fprintf(f, "interrupted %lu\nblocked %lu\nread %lu\nwritten %lu\n",
	    atomic_load(&interrupted), atomic_load(&blocked),
	    atomic_load(&bytes[0]), atomic_load(&bytes[1]));
	(void)fclose(f);
}

static int
is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* 0: let a byte pass; -1: errno says what happened instead. What is no socket
 * may block: its caller does not expect to be told that it would. */
static int
disturb(int fd, int writes)
{
	int n, socket = is_socket(fd);

	if (fd < 0 || fd >= FDS)
		return 0;
	n = atomic_fetch_add(&turn[fd][writes], 1) % (socket ? 3 : 2);
	if (n == 0) {
		atomic_fetch_add(&interrupted, 1);
		errno = EINTR;
		return -1;
	}
	if (n == 1 && socket) {
		atomic_fetch_add(&blocked, 1);
		errno = EAGAIN;
		return -1;
	}
	return 0;
}

static int
ours(int fd)
{
	return (fd >= 0 && fd <= 1) || is_socket(fd);
}

static ssize_t
passed(ssize_t n, int writes)
{
	if (n > 0)
		atomic_fetch_add(&bytes[writes], (unsigned long)n);
	return n;
}

ssize_t
read(int fd, void *buf, size_t len)
{
	ssize_t (*real)(int, void *, size_t);

	*(void **)&real = behind("read");
	if (!ours(fd))
		return real(fd, buf, len);
	if (disturb(fd, 0) != 0)
		return -1;
	return passed(real(fd, buf, len > 0 ? 1 : 0), 0);
}

ssize_t
write(int fd, const void *buf, size_t len)
{
	ssize_t (*real)(int, const void *, size_t);

	*(void **)&real = behind("write");
	if (!ours(fd))
		return real(fd, buf, len);
	if (disturb(fd, 1) != 0)
		return -1;
	return passed(real(fd, buf, len > 0 ? 1 : 0), 1);
}

/* The first byte of a vector, as the calls below take it. */
static struct iovec
first(const struct iovec *iov, size_t n)
{
	struct iovec one = { NULL, 0 };
	size_t i;

	for (i = 0; i < n; i++)
		if (iov[i].iov_len > 0)
			return (struct iovec){ iov[i].iov_base, 1 };
	return one;
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	ssize_t (*real)(int, const struct iovec *, int);
	struct iovec one = first(iov, (size_t)n);

	*(void **)&real = behind("writev");
	if (!ours(fd))
		return real(fd, iov, n);
	if (disturb(fd, 1) != 0)
		return -1;
	return passed(real(fd, &one, 1), 1);
}

ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t (*real)(int, struct msghdr *, int);
	struct iovec one = first(message->msg_iov, message->msg_iovlen);

	*(void **)&real = behind("recvmsg");
	if (disturb(fd, 0) != 0)
		return -1;
	message->msg_iov = &one;
	message->msg_iovlen = 1;
	return passed(real(fd, message, flags), 0);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t (*real)(int, const struct msghdr *, int);
	struct iovec one = first(message->msg_iov, message->msg_iovlen);
	struct msghdr small = *message;

	*(void **)&real = behind("sendmsg");
	if (disturb(fd, 1) != 0)
		return -1;
	small.msg_iov = &one;
	small.msg_iovlen = 1;
	return passed(real(fd, &small, flags), 1);
}

int
accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
	int (*real)(int, __SOCKADDR_ARG, socklen_t *, int);

	*(void **)&real = behind("accept4");
	if (disturb(fd, 0) != 0)
		return -1;
	return real(fd, addr, len, flags);
}

/* libuv takes a short read and a hang-up for the end; where bytes are left, a
 * kernel that gives single ones would not have said so yet. */
int
epoll_pwait(int ep, struct epoll_event *events, int max, int timeout,
    const sigset_t *mask)
{
	int (*real)(int, struct epoll_event *, int, int, const sigset_t *);
	int i, n, left;

	*(void **)&real = behind("epoll_pwait");
	n = real(ep, events, max, timeout, mask);
	for (i = 0; i < n; i++)
		if ((events[i].events & EPOLLHUP) != 0 &&
		    ioctl(events[i].data.fd, FIONREAD, &left) == 0 && left > 0)
			events[i].events &= ~(unsigned)EPOLLHUP;
	return n;
}

int
epoll_wait(int ep, struct epoll_event *events, int max, int timeout)
{
	return epoll_pwait(ep, events, max, timeout, NULL);
}
