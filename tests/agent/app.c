/* SPDX-License-Identifier: ISC */
/*
 * An application of the wrapper API, and what it may rely on: the same for a
 * session that is shared and for one of its own. Which it is its first argument
 * says, as the flag's number, and nothing here asks.
 *
 *     app FLAGS WHERE PEER WRONG DOWN
 *
 * PEER echoes; WRONG is another than it should be; nobody listens for DOWN.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conn.h"

static unsigned mode;
static const char *where, *peer, *wrong, *down;
static int failures;

#define CHECK(holds)                                                    \
	do {                                                            \
		if (!(holds)) {                                         \
			printf("FAIL: %s:%d: %s\n", __func__, __LINE__, \
			    #holds);                                    \
			failures++;                                     \
			return;                                         \
		}                                                       \
	} while (0)
#define IS(call, expected)                                                \
	do {                                                              \
		enum hf_err got_ = (call);                                \
		if (got_ != (expected)) {                                 \
			printf("FAIL: %s:%d: %s: %s, not %s\n", __func__, \
			    __LINE__, #call, hf_error_name(got_),         \
			    hf_error_name(expected));                     \
			failures++;                                       \
			return;                                           \
		}                                                         \
	} while (0)

static enum hf_err
open_one(struct hf_conn **c, unsigned more)
{
	return hf_conn_open_at(c, peer, mode | more, where);
}

/* As random as it must be to show what is missing or twice. */
static uint8_t *
noise(size_t len)
{
	uint8_t *data = malloc(len);
	uint32_t x = 12345;
	size_t i;

	for (i = 0; data != NULL && i < len; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24);
	}
	return data;
}

static void
said_and_heard(void)
{
	struct hf_conn *c;
	char buf[16];
	size_t n, at = 0;

	IS(open_one(&c, 0), HF_OK);
	IS(hf_conn_send(c, &n, "hello", 5), HF_OK);
	CHECK(n == 5);
	while (at < 5) {
		IS(hf_conn_recv(c, &n, buf + at, 5 - at), HF_OK);
		CHECK(n > 0);
		at += n;
	}
	CHECK(memcmp(buf, "hello", 5) == 0);
	IS(hf_conn_finish(c), HF_OK);
	IS(hf_conn_finish(c), HF_OK);
	IS(hf_conn_send(c, &n, "x", 1), HF_E_STATE);
	IS(hf_conn_recv(c, &n, buf, sizeof(buf)), HF_OK);
	CHECK(n == 0);
	IS(hf_conn_recv(c, &n, buf, sizeof(buf)), HF_OK);
	CHECK(n == 0);
	IS(hf_conn_close(c), HF_OK);
}

/* Both ways at once, by polling. */
static void
without_waiting(void)
{
	enum { LEN = 5000000 };
	uint8_t *data = noise(LEN), *got = malloc(LEN);
	size_t sent = 0, heard = 0, n;
	struct pollfd p;
	struct hf_conn *c;
	enum hf_err s, r;

	CHECK(data != NULL && got != NULL);
	IS(open_one(&c, HF_NONBLOCK), HF_OK);
	IS(hf_conn_recv(c, &n, got, LEN), HF_E_AGAIN);
	while (heard < LEN) {
		s = r = HF_E_AGAIN;
		if (sent < LEN) {
			s = hf_conn_send(c, &n, data + sent, LEN - sent);
			sent += n;
			CHECK(s == HF_OK || (s == HF_E_AGAIN && n == 0));
			if (sent == LEN)
				IS(hf_conn_finish(c), HF_OK);
		}
		r = hf_conn_recv(c, &n, got + heard, LEN - heard);
		heard += n;
		CHECK(r == HF_OK || r == HF_E_AGAIN);
		if (s != HF_E_AGAIN || r != HF_E_AGAIN)
			continue;
		p.fd = hf_conn_poll_fd(c, &p.events);
		CHECK(poll(&p, 1, 20000) == 1);
	}
	CHECK(memcmp(data, got, LEN) == 0);
	hf_conn_wait(c, -1);
	IS(hf_conn_recv(c, &n, got, 1), HF_OK);
	CHECK(n == 0);
	IS(hf_conn_close(c), HF_OK);
	free(data);
	free(got);
}

static void
late(void)
{
	struct timespec a, b;
	struct hf_conn *c;
	char one;
	size_t n;
	long ms;

	IS(open_one(&c, 0), HF_OK);
	hf_conn_wait(c, 0);
	IS(hf_conn_recv(c, &n, &one, 1), HF_E_AGAIN);
	CHECK(!hf_conn_pending(c));
	hf_conn_wait(c, 200);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	IS(hf_conn_recv(c, &n, &one, 1), HF_E_DEADLINE);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	ms = (long)((b.tv_sec - a.tv_sec) * 1000 +
	    (b.tv_nsec - a.tv_nsec) / 1000000);
	CHECK(ms >= 190 && ms < 10000);
	/* That was nothing's end. */
	hf_conn_wait(c, -1);
	IS(hf_conn_send(c, &n, "x", 1), HF_OK);
	IS(hf_conn_recv(c, &n, &one, 1), HF_OK);
	CHECK(n == 1 && one == 'x');
	IS(hf_conn_close(c), HF_E_RESET);
}

/* A peer whose window is full holds back this one alone. */
static void
not_read(void)
{
	static uint8_t block[65536];
	struct hf_conn *c, *other;
	size_t n, total = 0;
	enum hf_err e;
	char one;
	int i;

	IS(open_one(&c, 0), HF_OK);
	IS(open_one(&other, 0), HF_OK);
	hf_conn_wait(c, 300);
	for (i = 0; i < 2000; i++) {
		e = hf_conn_send(c, &n, block, sizeof(block));
		total += n;
		if (e != HF_OK)
			break;
	}
	CHECK(e == HF_E_DEADLINE && total > 100000 && total < 20000000);
	hf_conn_wait(other, 10000);
	IS(hf_conn_send(other, &n, "y", 1), HF_OK);
	IS(hf_conn_recv(other, &n, &one, 1), HF_OK);
	CHECK(n == 1 && one == 'y');
	IS(hf_conn_close(c), HF_E_RESET);
	IS(hf_conn_finish(other), HF_OK);
	IS(hf_conn_recv(other, &n, &one, 1), HF_OK);
	CHECK(n == 0);
	IS(hf_conn_close(other), HF_OK);
}

static void
at_once(void)
{
	enum { LEN = 300000 };
	uint8_t *data = noise(LEN), *got = malloc(LEN);
	size_t n;

	CHECK(data != NULL && got != NULL);
	IS(hf_conn_call(mode, data, LEN, got, LEN, &n, peer), HF_OK);
	CHECK(n == LEN && memcmp(data, got, LEN) == 0);
	IS(hf_conn_call(mode, NULL, 0, got, LEN, &n, peer), HF_OK);
	CHECK(n == 0);
	IS(hf_conn_call(mode, data, LEN, got, 1000, &n, peer), HF_E_SPACE);
	CHECK(n == 1000 && memcmp(data, got, 1000) == 0);
	IS(hf_conn_call(mode | HF_NONBLOCK, "x", 1, got, 1, &n, peer),
	    HF_E_ARG);
	free(data);
	free(got);
}

static void
known(void)
{
	static const uint8_t zero[HF_SID_BYTES];
	struct hf_conn_info i;
	struct hf_conn *c;

	IS(open_one(&c, 0), HF_OK);
	hf_conn_info(&i, c);
	CHECK(i.shared == ((mode & HF_SHARED) == HF_SHARED));
	CHECK(i.fell_back == 0 && i.open == 1 && i.broken == 0);
	CHECK(i.reason == HF_REASON_NONE);
	CHECK(strcmp(i.peer, peer) == 0);
	CHECK(strcmp(i.responder, "server") == 0);
	CHECK(hf_suite_name(i.suite) != NULL);
	CHECK(memcmp(i.sid, zero, sizeof(zero)) != 0);
	IS(hf_conn_close(c), HF_E_RESET);
}

static void
refused(void)
{
	struct hf_conn *c = NULL;

	IS(hf_conn_open_at(&c, "nobody", mode, where), HF_E_POLICY);
	IS(hf_conn_open_at(&c, wrong, mode, where), HF_E_NAME);
	IS(hf_conn_open_at(&c, down, mode, where), HF_E_IO);
	IS(hf_conn_open_at(&c, "a/b", mode, where), HF_E_ARG);
	IS(hf_conn_open_at(&c, "", mode, where), HF_E_ARG);
	IS(hf_conn_open_at(&c, peer, 0, where), HF_E_ARG);
	IS(hf_conn_open_at(&c, peer, HF_SHARED | HF_UNSHARED, where),
	    HF_E_ARG);
	IS(hf_conn_open_at(&c, peer, HF_UNSHARED | HF_FALLBACK, where),
	    HF_E_ARG);
	IS(hf_conn_open_at(&c, peer, mode | 64, where), HF_E_ARG);
	CHECK(c == NULL);
	IS(hf_conn_close(NULL), HF_OK);
}

/* Where nothing waits the reason comes later. */
static void
refused_later(void)
{
	struct hf_conn *c;
	struct pollfd p;
	enum hf_err e;
	size_t n;
	char one;

	e = hf_conn_open_at(&c, wrong, mode | HF_NONBLOCK, where);
	if (e != HF_OK) {
		IS(e, HF_E_NAME); /* the answer was there by then */
		return;
	}
	while ((e = hf_conn_recv(c, &n, &one, 1)) == HF_E_AGAIN) {
		p.fd = hf_conn_poll_fd(c, &p.events);
		CHECK(poll(&p, 1, 20000) == 1);
	}
	IS(e, HF_E_NAME);
	IS(hf_conn_send(c, &n, "x", 1), HF_E_NAME);
	IS(hf_conn_finish(c), HF_E_NAME);
	IS(hf_conn_close(c), HF_E_NAME);
}

int
main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	mode = (unsigned)strtoul(argv[1], NULL, 10);
	where = argv[2];
	peer = argv[3];
	wrong = argv[4];
	down = argv[5];
	said_and_heard();
	without_waiting();
	late();
	not_read();
	at_once();
	known();
	refused();
	refused_later();
	printf("%d failed\n", failures);
	return failures != 0;
}
