/* SPDX-License-Identifier: ISC */
/*
 * storm PROGRAM N: a server that has N sessions is killed, and all their
 * clients come to two others at once. They come back as handfast initiate
 * does: to the other server where one does not take them, and after both a
 * pause, longer each time and by chance. Says how long it takes until all go
 * on, how often they had to ask, and what somebody waits meanwhile whose
 * session was there already. Real processes on one LMDB store.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "real.h"

enum {
	B = 1,
	WORD = 16,
	PAUSE_MS = 100, /* as in cli/initiate.c */
	DOUBLED = 4,
	LIMIT_MS = 120000,
	STORED_MS = 500,
	PING_MS = 20,
	PER_CLIENT = 20, /* attempts: more is a herd */
	WINDOW_MS = 100,
	EVENTS = 256
};

struct client {
	struct hf_session *s;
	int fd; /* -1: none */
	int server, opened, failed;
	unsigned tried, pauses, attempts;
	uint64_t due;  /* ms: when it asks again; 0: not by itself */
	uint64_t done; /* ns: when its echo came; 0: not yet */
};

static struct real real;
static struct client *clients;
static unsigned long count, done, failed, proved, attempts;
static int poller;
static uint64_t began, proved_ns;
static const uint8_t word[WORD] = "goes on with it";

static uint64_t
now_ms(void)
{
	return real_ns() / 1000000;
}

static uint64_t
pause_ms(struct client *c)
{
	unsigned n = c->pauses < DOUBLED ? c->pauses++ : DOUBLED;
	uint32_t most = (uint32_t)PAUSE_MS << n;

	return most / 2 + randombytes_uniform(most);
}

/* --- a client ------------------------------------------------------------------- */

static void
away(struct client *c)
{
	if (c->fd != -1)
		(void)close(c->fd);
	c->fd = -1;
	c->opened = 0;
	c->server = c->server == B ? REAL_C : B;
	c->due = now_ms();
	if (++c->tried < 2)
		return;
	c->tried = 0;
	c->due += pause_ms(c);
}

static void
give_up(struct client *c)
{
	(void)fprintf(stderr, "storm: %s\n",
	    hf_error_name((int)hf_session_error(c->s)));
	c->failed = 1;
	failed++;
	away(c);
	c->due = 0;
}

static int
flush(struct client *c)
{
	struct hf_span out = hf_session_output(c->s);
	ssize_t n = send(c->fd, out.ptr, out.len, MSG_NOSIGNAL);

	if (n <= 0)
		return 0;
	REAL_OK(hf_session_drained(c->s, (size_t)n));
	return 1;
}

/* What the new owner had not for good, and one word more. */
static void
speak(struct client *c)
{
	static const uint8_t words[2][WORD] = { "goes on with it",
		"goes on with it" };
	struct hf_bases bases;

	c->opened = 1;
	REAL_OK(hf_session_bases(&bases, c->s));
	real_must(bases.own_bytes == 0 || bases.own_bytes == WORD, "a word");
	REAL_OK(hf_session_send(c->s, words[0],
	    (size_t)(2 * WORD - bases.own_bytes)));
}

static void
hear(struct client *c)
{
	enum hf_content content;
	struct hf_span data;

	REAL_OK(hf_session_recv(c->s, &content, &data));
	if (content == HF_CONTENT_REFRESH) {
		proved++;
		proved_ns = real_ns();
	}
	if (content != HF_CONTENT_DATA || c->done != 0 || !c->opened)
		return;
	c->done = real_ns();
	done++;
}

/* Until it waits. */
static void
step(struct client *c)
{
	for (;;) {
		switch (hf_session_want(c->s)) {
		case HF_WANT_TRUST:
			REAL_OK(hf_session_trust(c->s, HF_OK));
			break;
		case HF_WANT_WRITE:
			if (!flush(c)) {
				away(c);
				return;
			}
			break;
		case HF_WANT_RECV:
			hear(c);
			break;
		case HF_WANT_DONE:
			if (c->opened)
				return;
			speak(c);
			break;
		case HF_WANT_FAILED:
			give_up(c);
			return;
		default:
			return;
		}
	}
}

static void
readable(struct client *c)
{
	static uint8_t buffer[1 << 16];
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	size_t used, at = 0;

	if (n <= 0) {
		(void)!hf_session_eof(c->s);
		away(c);
		return;
	}
	while (at < (size_t)n && c->fd != -1) {
		if (hf_session_feed(c->s, &used, buffer + at,
			(size_t)n - at) != HF_OK) {
			give_up(c);
			return;
		}
		at += used;
		step(c);
	}
}

static int
reach(int server)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	real_must(fd != -1, "socket");
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/%c.sock",
	    real.dir, server == B ? 'b' : 'c');
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void
watch(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	real_must(epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) == 0, "epoll");
}

static void
ask(struct client *c)
{
	c->due = 0;
	c->attempts++;
	attempts++;
	if ((c->fd = reach(c->server)) == -1) {
		away(c);
		return;
	}
	watch(c);
	if (hf_session_reconnect(c->s, now_ms(), (uint64_t)time(NULL)) !=
	    HF_OK)
		give_up(c);
	else
		step(c);
}

/* --- somebody who was there already --------------------------------------------- */

static struct client witness;
static uint64_t asked_ns, longest_ns, said_ms;

static void
ping(void)
{
	uint64_t ns = real_ns();

	if (asked_ns != 0 && witness.done != 0) {
		if (witness.done - asked_ns > longest_ns)
			longest_ns = witness.done - asked_ns;
		done--; /* it is not one of them */
		asked_ns = witness.done = 0;
	}
	if (asked_ns != 0 || ns / 1000000 - said_ms < PING_MS)
		return;
	said_ms = ns / 1000000;
	asked_ns = ns;
	REAL_OK(hf_session_send(witness.s, word, WORD));
	step(&witness);
}

/* --- the storm --------------------------------------------------------------------- */

static void
take_in(struct client *c)
{
	struct real_end e;

	real_begin(&real, &e, 0);
	real_open(&e);
	REAL_OK(hf_session_error(e.s));
	REAL_OK(hf_session_send(e.s, word, WORD));
	real_must(real_receive(&e).len == WORD, "an echo");
	c->s = e.s;
	c->fd = e.fd;
}

static void
wait_and_read(int ms)
{
	struct epoll_event e[EVENTS];
	struct client *c;
	int n = epoll_wait(poller, e, EVENTS, ms), k;

	for (k = 0; k < n; k++) {
		c = e[k].data.ptr;
		if (c->fd != -1)
			readable(c);
	}
}

static void
leave(struct client *c)
{
	(void)close(c->fd);
	c->fd = -1;
	c->due = now_ms();
	(void)!hf_session_eof(c->s);
}

/* It has come to another server when nothing has happened yet. */
static void
make_witness(void)
{
	witness.server = B;
	take_in(&witness);
	(void)usleep(STORED_MS * 1000);
	leave(&witness);
	ask(&witness);
	while (done == 0) {
		real_must(witness.fd != -1, "a witness");
		wait_and_read(100);
	}
	done = attempts = 0;
	witness.done = 0;
}

static void
rage(void)
{
	uint64_t until = now_ms() + LIMIT_MS, looked = 0, ms;
	unsigned long i;

	while (done + failed < count && (ms = now_ms()) < until) {
		for (i = 0; looked != ms && i < count; i++)
			if (clients[i].due != 0 && clients[i].due <= ms)
				ask(&clients[i]);
		looked = ms;
		wait_and_read(1);
		ping();
	}
}

static int
by_time(const void *a, const void *b)
{
	const struct client *x = a, *y = b;

	return (x->done > y->done) - (x->done < y->done);
}

static double
at(unsigned long percent)
{
	unsigned long n = count * percent / 100;

	return (double)(clients[n > 0 ? n - 1 : 0].done - began) / 1e6;
}

static int
judge(void)
{
	unsigned long i, from = 0, most = 0, bad = failed;
	unsigned worst = 0;

	bad += count - done - failed;
	qsort(clients, count, sizeof(*clients), by_time);
	for (i = 0; i < count; i++) {
		while (clients[i].done - clients[from].done >
		    (uint64_t)WINDOW_MS * 1000000)
			from++;
		if (clients[i].done != 0 && i - from + 1 > most)
			most = i - from + 1;
		if (clients[i].attempts > worst)
			worst = clients[i].attempts;
		/* One takeover, and its refresh. */
		bad += hf_session_epoch(clients[i].s) > 2;
	}
	(void)printf("note: %lu sessions of a killed server: half go on after "
		     "%.0f ms, 99 %% after %.0f, all after %.0f; at most %lu "
		     "in %d ms; %.1f attempts each, at most %u; whose session "
		     "was elsewhere waited at most %.0f ms\n",
	    count, at(50), at(99), at(100), most, WINDOW_MS,
	    (double)attempts / (double)count, worst, (double)longest_ns / 1e6);
	if (worst > PER_CLIENT)
		bad++;
	return bad > 0;
}

static void
make_clients(void)
{
	struct rlimit files;
	unsigned long i;

	real_must(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
	files.rlim_cur = files.rlim_max;
	real_must(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
	real_must((clients = calloc(count, sizeof(*clients))) != NULL &&
		(poller = epoll_create1(EPOLL_CLOEXEC)) != -1,
	    "memory");
	for (i = 0; i < count; i++)
		clients[i].server = i % 2 == 0 ? B : REAL_C;
}

static void
run(const char *program)
{
	static const char *const does[] = { "--echo", NULL };
	unsigned long i;

	make_clients();
	real_make(&real, program,
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	real_serve(&real, 0, does);
	real_serve(&real, B, does);
	real_serve(&real, REAL_C, does);
	make_witness();
	for (i = 0; i < count; i++)
		take_in(&clients[i]);
	(void)usleep(STORED_MS * 1000);
	(void)kill(real.server[0], SIGKILL);
	(void)waitpid(real.server[0], NULL, 0);
	real.server[0] = 0;
	began = real_ns();
	for (i = 0; i < count; i++)
		leave(&clients[i]);
	rage();
}

int
main(int argc, char **argv)
{
	unsigned long i;
	int bad;

	if (argc != 3 || (count = strtoul(argv[2], NULL, 10)) == 0) {
		(void)fprintf(stderr, "usage: storm PROGRAM N\n");
		return 2;
	}
	run(argv[1]);
	bad = judge();
	for (i = 0; i < count; i++)
		hf_session_free(clients[i].s);
	hf_session_free(witness.s);
	free(clients);
	real_free(&real);
	(void)printf("%lu go on, %lu do not\n", done, count - done);
	return bad;
}
