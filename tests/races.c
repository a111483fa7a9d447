/* SPDX-License-Identifier: ISC */
/*
 * races PROGRAM N: one resume, captured, goes to two servers at once, N times:
 * two processes on one LMDB store. One of them owns the session then, answers
 * and serves; the other has said nothing, or, where it read what the first had
 * claimed already, no more than the one alert. In every other race the turn to
 * write is kept from both until both have read, so that both come to claim.
 */
#include <sys/file.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "real.h"

enum {
	RESUMED = 7, /* types of messages */
	ALERT = 8,
	HEARD_MAX = 512,
	MOVES = 8,  /* of one session */
	SURE = 200, /* in so many races each way of losing was seen */
	STORED_US = 20000,
	READ_US = 3000 /* both have read by then */
};

static struct real real;
static int turn; /* the lock of who writes */
static unsigned long passed, failed, won[2], at_once, later;

/* What one server said. */
struct server {
	int fd, over;
	uint8_t said[HEARD_MAX];
	size_t len;
};

static int
type_of(const struct server *v)
{
	return v->len > 1 ? v->said[1] : -1;
}

static int
bad(unsigned long n, const char *what)
{
	(void)fprintf(stderr, "race %lu: %s\n", n, what);
	return 0;
}

static void
listen_to(struct server *v)
{
	ssize_t n = read(v->fd, v->said + v->len, sizeof(v->said) - v->len);

	if (n <= 0)
		v->over = 1;
	else
		v->len += (size_t)n;
}

/* Until one has answered and the other is gone, or both are. */
static int
decided(const struct server v[2])
{
	return (v[0].over && v[1].over) ||
	    (v[0].over && type_of(&v[1]) == RESUMED) ||
	    (v[1].over && type_of(&v[0]) == RESUMED);
}

static void
race(struct server v[2], struct hf_span resume, int first, int kept)
{
	struct pollfd p[2];
	int n;

	memset(v, 0, 2 * sizeof(*v));
	for (n = 0; n < 2; n++)
		v[n].fd = real_connect(&real, n);
	if (kept)
		real_must(flock(turn, LOCK_EX) == 0, "a turn");
	for (n = 0; n < 2; n++)
		real_must(real_send(v[n ^ first].fd, resume.ptr, resume.len),
		    "send");
	if (kept) {
		(void)usleep(READ_US);
		real_must(flock(turn, LOCK_UN) == 0, "a turn");
	}
	while (!decided(v)) {
		for (n = 0; n < 2; n++)
			p[n] = (struct pollfd){ .fd = v[n].over ? -1 : v[n].fd,
				.events = POLLIN };
		if (poll(p, 2, REAL_WAIT_MS) <= 0 ||
		    (type_of(&v[0]) == RESUMED && type_of(&v[1]) == RESUMED))
			return;
		for (n = 0; n < 2; n++)
			if (p[n].revents != 0)
				listen_to(&v[n]);
	}
}

/* The index of the one owner, or -1. */
static int
owner(struct server v[2], unsigned long n)
{
	int w = type_of(&v[0]) == RESUMED ? 0 : 1;

	if (type_of(&v[w]) != RESUMED)
		return bad(n, "no owner") - 1;
	if (type_of(&v[!w]) == RESUMED)
		return bad(n, "two owners") - 1;
	if (!v[!w].over)
		return bad(n, "the loser stays") - 1;
	if (v[!w].len > 0 && (type_of(&v[!w]) != ALERT || v[!w].len != 3)) {
		(void)fprintf(stderr, "%zu bytes of type %d\n", v[!w].len,
		    type_of(&v[!w]));
		return bad(n, "the loser spoke") - 1;
	}
	if (v[!w].len > 0)
		later++;
	else
		at_once++;
	return w;
}

/* The owner serves: what was not there for good, and one byte more. */
static int
served(struct real_end *e, const struct server *v, uint64_t *sent)
{
	static const uint8_t zeros[MOVES + 1];
	struct hf_bases bases;
	size_t used;

	if (hf_session_feed(e->s, &used, v->said, v->len) != HF_OK ||
	    used != v->len || hf_session_bases(&bases, e->s) != HF_OK)
		return 0;
	REAL_OK(hf_session_send(e->s, zeros,
	    (size_t)(*sent + 1 - bases.own_bytes)));
	++*sent;
	return real_receive(e).len == 1;
}

static int
one(struct real_end *e, unsigned long n, uint64_t *sent)
{
	struct server v[2];
	struct hf_span out;
	int w, ok;

	real_close(e);
	(void)!hf_session_eof(e->s);
	REAL_OK(hf_session_reconnect(e->s, real_ns() / 1000000,
	    (uint64_t)time(NULL)));
	out = hf_session_output(e->s);
	race(v, out, (int)(n & 1), (int)(n >> 1 & 1));
	REAL_OK(hf_session_drained(e->s, out.len));
	w = owner(v, n);
	e->fd = v[w < 0 ? 0 : w].fd;
	ok = w >= 0 && (served(e, &v[w], sent) || bad(n, "it does not serve"));
	(void)close(v[w < 0 ? 1 : !w].fd);
	if (ok)
		won[w]++;
	return ok;
}

/* A new session, so that what is sent again stays little. */
static void
some(unsigned long from, unsigned long to)
{
	struct real_end e;
	uint64_t sent = 1;
	int ok = 1;

	real_begin(&real, &e, 0);
	real_open(&e);
	REAL_OK(hf_session_send(e.s, (const uint8_t *)"", 1));
	real_must(real_receive(&e).len == 1, "an echo");
	(void)usleep(STORED_US);
	for (; from < to && ok; from++) {
		ok = one(&e, from, &sent);
		passed += ok != 0;
		failed += !ok;
	}
	failed += to - from;
	real_close(&e);
	hf_session_free(e.s);
}

int
main(int argc, char **argv)
{
	/* A refresh would be a third write that can win. */
	static const char *const does[] = { "--echo", "--checkpoint", "record",
		"--no-refresh", NULL };
	unsigned long n, count;
	char path[96];

	if (argc != 3 || (count = strtoul(argv[2], NULL, 10)) == 0) {
		(void)fprintf(stderr, "usage: races PROGRAM N\n");
		return 2;
	}
	real_make(&real, argv[1],
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	real_serve(&real, 0, does);
	real_serve(&real, 1, does);
	(void)snprintf(path, sizeof(path), "%s/db/turn.lock", real.dir);
	real_must((turn = open(path, O_RDWR | O_CLOEXEC)) != -1, path);
	for (n = 0; n < count && failed < 20; n += MOVES)
		some(n, n + MOVES < count ? n + MOVES : count);
	real_free(&real);
	(void)
	    printf("note: %lu races: %lu won by a, %lu by b; the loser lost "
		   "%lu at the compare-and-set and said nothing, %lu when it "
		   "read\n",
		count, won[0], won[1], at_once, later);
	if (count >= SURE && (won[0] == 0 || won[1] == 0 || at_once == 0))
		failed++;
	(void)printf("%lu passed, %lu failed\n", passed, failed);
	return failed > 0;
}
