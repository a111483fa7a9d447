/* SPDX-License-Identifier: ISC */
/*
 * See carry.h. A hello is answered by a retry and followed by a confirm, after
 * which records go; the sizes are those of a request, a grant and a confirm.
 * What comes is thrown away by the kernel, where nobody wants to see it.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "carry.h"

enum {
	FIRST = 336,
	ANSWER = 115,
	CONFIRM = 19,
	SMALL = 64,
	HEAD = 5,
	RECORD = HEAD + 16384,
	RECORDS = 16,
	FLOWS = 4,
	CROWD = 16,
	TRIPS = 2000,
	TURN_MS = 400,
	FDS = 8192,
	EVENTS = 64
};

static uint8_t first[FIRST], answer[ANSWER], confirm[CONFIRM + SMALL],
    small[SMALL], bulk[RECORD * RECORDS];

void
carry_must(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "FAIL: %s\n", what);
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	carry_must(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock");
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- messages ----------------------------------------------------------------- */

static void
byte_string(uint8_t *at, size_t whole, int type)
{
	at[0] = 0x82;
	at[1] = (uint8_t)type;
	if (whole < 2 + 2 + 24) {
		at[2] = (uint8_t)(0x40 + whole - 3);
	} else if (whole < 260) {
		at[2] = 0x58;
		at[3] = (uint8_t)(whole - 4);
	} else {
		at[2] = 0x59;
		at[3] = (uint8_t)((whole - 5) >> 8);
		at[4] = (uint8_t)(whole - 5);
	}
}

/* hello = [0, 1, [1, 2], target, cookie, {}]: as long as a request, by its
 * target, whose first byte says what the server shall do. */
static void
make_first(int kind)
{
	enum { TARGET = 255, COOKIE = 64 };
	static const uint8_t head[] = { 0x86, 0, 1, 0x82, 1, 2, 0x78, TARGET };
	uint8_t *at = first + sizeof(head);

	memset(first, kind, sizeof(first));
	memcpy(first, head, sizeof(head));
	at += TARGET;
	*at++ = 0x58;
	*at++ = COOKIE;
	at += COOKIE;
	*at++ = 0xa0;
	carry_must((size_t)(at - first) <= FIRST, "a hello");
}

static size_t
first_len(void)
{
	return 8 + 255 + 2 + 64 + 1;
}

static void
make_messages(void)
{
	size_t i;

	byte_string(answer, ANSWER, 2);
	byte_string(confirm, CONFIRM, 5);
	byte_string(small, SMALL, 16);
	memcpy(confirm + CONFIRM, small, SMALL);
	for (i = 0; i < RECORDS; i++)
		byte_string(bulk + i * RECORD, RECORD, 16);
}

/* --- sockets --------------------------------------------------------------------- */

static struct sockaddr_in
loopback(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)port);
	return at;
}

static int
bound(int *port)
{
	struct sockaddr_in at = loopback(0);
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	carry_must(fd != -1 && bind(fd, (struct sockaddr *)&at, len) == 0 &&
		getsockname(fd, (struct sockaddr *)&at, &len) == 0,
	    "a free port");
	*port = ntohs(at.sin_port);
	return fd;
}

int
carry_free_port(void)
{
	int port;

	(void)close(bound(&port));
	return port;
}

static int
connect_to(int port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd != -1 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
		return fd;
	}
	if (fd != -1)
		(void)close(fd);
	return -1;
}

int
carry_connect_wait(int port, int ms)
{
	int fd;

	while ((fd = connect_to(port)) == -1 && ms > 0) {
		(void)usleep(10000);
		ms -= 10;
	}
	carry_must(fd != -1, "connect");
	return fd;
}

static void
put(int fd, const uint8_t *bytes, size_t len)
{
	carry_must(send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len, "send");
}

static void
take(int fd, size_t len)
{
	uint8_t room[FIRST];

	carry_must(recv(fd, room, len, MSG_WAITALL) == (ssize_t)len, "recv");
}

/* --- the server -------------------------------------------------------------------- */

/* What is known of a connection: 0 new; its kind, from then on. */
static char kinds[FDS];

static void
hang_up(int fd)
{
	kinds[fd] = 0;
	(void)close(fd);
}

static void
hear(int fd)
{
	static uint8_t room[1 << 16];
	ssize_t n;

	if (kinds[fd] == 's') {
		n = recv(fd, NULL, 1 << 24, MSG_TRUNC | MSG_DONTWAIT);
	} else {
		n = recv(fd, room, sizeof(room), MSG_DONTWAIT);
		if (n > 0 && kinds[fd] == 0) {
			/* A first message comes whole: it is short. */
			kinds[fd] = n > 20 ? (char)room[20] : 's';
			put(fd, answer, ANSWER);
		} else if (n >= CONFIRM && room[1] == 5) {
			n -= CONFIRM;
			if (kinds[fd] == 'e' && n > 0)
				put(fd, room + CONFIRM, (size_t)n);
			else if (kinds[fd] == 'e')
				return;
		} else if (n > 0 && kinds[fd] == 'e') {
			put(fd, room, (size_t)n);
		}
	}
	if (n == 0 || (n < 0 && errno != EAGAIN))
		hang_up(fd);
}

static void
let_in(int listener, int epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	int one = 1, fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) != -1) {
		carry_must(fd < FDS, "few connections");
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
		event.data.fd = fd;
		carry_must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0,
		    "epoll");
	}
}

static _Noreturn void
serve(int listener)
{
	struct epoll_event event = { .events = EPOLLIN }, some[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC), i, n;

	event.data.fd = listener;
	carry_must(epoll != -1 &&
		epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0,
	    "epoll");
	for (;;) {
		n = epoll_wait(epoll, some, EVENTS, -1);
		for (i = 0; i < n; i++)
			if (some[i].data.fd == listener)
				let_in(listener, epoll);
			else
				hear(some[i].data.fd);
	}
}

int
carry_serve(pid_t *pid)
{
	int port, fd = bound(&port);

	make_messages();
	carry_must(listen(fd, 4096) == 0 && (*pid = fork()) != -1, "listen");
	if (*pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		carry_must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "a listener");
		serve(fd);
	}
	(void)close(fd);
	return port;
}

/* --- the client ---------------------------------------------------------------------- */

int
carry_open(int port, int kind)
{
	int fd = carry_connect_wait(port, 0);

	make_first(kind);
	put(fd, first, first_len());
	take(fd, ANSWER);
	put(fd, confirm, CONFIRM);
	return fd;
}

void
carry_trip(int fd)
{
	put(fd, small, SMALL);
	take(fd, SMALL);
}

static size_t
push(int fd, size_t *at)
{
	ssize_t n = send(fd, bulk + *at, sizeof(bulk) - *at,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0) {
		carry_must(errno == EAGAIN, "send");
		return 0;
	}
	*at = (*at + (size_t)n) % sizeof(bulk);
	return (size_t)n;
}

/* Until the server has closed, too: all has arrived then. */
double
carry_bytes(int port)
{
	struct pollfd p[FLOWS];
	size_t at[FLOWS] = { 0 }, bytes = 0;
	uint64_t began, until;
	uint8_t nothing;
	int i;

	for (i = 0; i < FLOWS; i++)
		p[i] = (struct pollfd){ .fd = carry_open(port, 's'),
			.events = POLLOUT };
	began = now_ns();
	until = began + TURN_MS * (uint64_t)1000000;
	while (now_ns() < until) {
		carry_must(poll(p, FLOWS, 1000) > 0, "a flow");
		for (i = 0; i < FLOWS; i++)
			if (p[i].revents != 0)
				bytes += push(p[i].fd, &at[i]);
	}
	for (i = 0; i < FLOWS; i++)
		(void)shutdown(p[i].fd, SHUT_WR);
	for (i = 0; i < FLOWS; i++) {
		carry_must(recv(p[i].fd, &nothing, 1, 0) == 0, "the end");
		(void)close(p[i].fd);
	}
	return (double)bytes * 1e9 / (double)(now_ns() - began);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
carry_trips_us(int port)
{
	static double took[TRIPS];
	int fd = carry_open(port, 'e'), i;
	uint64_t began;

	for (i = 0; i < TRIPS; i++) {
		began = now_ns();
		carry_trip(fd);
		took[i] = (double)(now_ns() - began) / 1e3;
	}
	(void)close(fd);
	qsort(took, TRIPS, sizeof(took[0]), by_size);
	return took[TRIPS / 2];
}

/* A crowd at a time, each step of all of them. */
double
carry_connections(int port)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	uint64_t began = now_ns(), until;
	int fds[CROWD], i, n = 0;

	make_first('e');
	until = began + TURN_MS * (uint64_t)1000000;
	while (now_ns() < until) {
		for (i = 0; i < CROWD; i++)
			fds[i] = carry_connect_wait(port, 0);
		for (i = 0; i < CROWD; i++)
			put(fds[i], first, first_len());
		for (i = 0; i < CROWD; i++) {
			take(fds[i], ANSWER);
			put(fds[i], confirm, sizeof(confirm));
		}
		for (i = 0; i < CROWD; i++) {
			take(fds[i], SMALL);
			(void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER,
			    &at_once, sizeof(at_once));
			(void)close(fds[i]);
		}
		n += CROWD;
	}
	return n * 1e9 / (double)(now_ns() - began);
}
