/* SPDX-License-Identifier: ISC */
/*
 * history URI PROCESSES KEYS MS [keep]: so many processes ask one store for a
 * while, each in its turn a get, or a compare-and-set of what it saw last, of a
 * key among a few; and say when each began and ended. What it says on stdout,
 * a line each,
 *
 *     PROCESS NUMBER i NS get KEY
 *     PROCESS NUMBER i NS swap KEY EXPECTED NEXT
 *     PROCESS NUMBER r NS RESULT [VALUE]
 *
 * is judged by tests/linear.py. "-" is nothing. No value is written twice, and
 * with "keep" nothing is removed: what is there tells what was written last.
 */
#include <sys/wait.h>

#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fleet.h"

enum { KEYS_MAX = 16, VALUE = 24 };

static struct hf_port *port;
static uv_loop_t loop;
static char seen[KEYS_MAX][VALUE]; /* of each key, the last value */
static unsigned long number;
static unsigned who;
static int keeps;

static void
die(const char *what)
{
	(void)fprintf(stderr, "history: %s\n", what);
	_exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		die("clock_gettime");
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* In one write, so that lines of several processes are whole. */
static void __attribute__((format(printf, 2, 3)))
say(char when, const char *format, ...)
{
	char line[200];
	va_list args;
	int n, m;

	n = snprintf(line, sizeof(line), "%u %lu %c %" PRIu64 " ", who, number,
	    when, now_ns());
	va_start(args, format);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
	va_end(args);
	n += m;
	line[n++] = '\n';
	if (write(1, line, (size_t)n) != n)
		die("write");
}

static struct hf_span
text(const char *s)
{
	if (strcmp(s, "-") == 0)
		return (struct hf_span){ NULL, 0 };
	return (struct hf_span){ (const uint8_t *)s, strlen(s) };
}

struct answer {
	int done;
	enum hf_err err;
	char value[VALUE];
};

static void
answered(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	struct answer *a = arg;

	a->done = 1;
	a->err = e;
	if (len >= sizeof(a->value))
		die("a value that nobody wrote");
	if (len > 0)
		memcpy(a->value, value, len);
	a->value[len] = '\0';
}

static enum hf_err
wait_for(struct hf_op *op, struct answer *a)
{
	if (op == NULL)
		return HF_E_STORE;
	while (!a->done)
		(void)uv_run(&loop, UV_RUN_ONCE);
	return a->err;
}

static void
get(unsigned k)
{
	struct answer a = { 0 };
	char key[4];
	enum hf_err e;

	(void)snprintf(key, sizeof(key), "k%u", k % KEYS_MAX);
	say('i', "get %s", key);
	e = wait_for(hf_port_get(port, text(key), answered, &a), &a);
	if (e == HF_E_NO_SESSION)
		(void)strcpy(a.value, "-");
	say('r', "%s %s", hf_error_name((int)e),
	    a.value[0] == '\0' ? "-" : a.value);
	if (e == HF_OK || e == HF_E_NO_SESSION)
		(void)strcpy(seen[k], a.value);
}

/* Sometimes it removes. */
static void
swap(unsigned k)
{
	struct answer a = { 0 };
	char key[4], next[VALUE] = "-";
	enum hf_err e;

	(void)snprintf(key, sizeof(key), "k%u", k % KEYS_MAX);
	if (keeps || strcmp(seen[k], "-") == 0 || randombytes_uniform(10) > 0)
		(void)snprintf(next, sizeof(next), "%u.%lu", who, number);
	say('i', "swap %s %s %s", key, seen[k], next);
	e = wait_for(hf_port_swap(port, text(key), text(seen[k]), text(next),
			 (uint64_t)time(NULL) + 3600, answered, &a),
	    &a);
	say('r', "%s", hf_error_name((int)e));
	if (e == HF_OK)
		(void)strcpy(seen[k], next);
}

static void
work(const char *uri, unsigned keys, unsigned ms)
{
	uint64_t until = now_ns() + (uint64_t)ms * 1000000;
	struct hf_store *store;
	unsigned k;

	if (hf_store_open(&store, uri) != HF_OK)
		die(hf_store_reason(store));
	if (uv_loop_init(&loop) != 0 ||
	    hf_port_open(&port, store, &loop) != HF_OK)
		die("a port");
	hf_port_deadline(port, 500);
	for (k = 0; k < keys; k++)
		(void)strcpy(seen[k], "-");
	for (; now_ns() < until; number++) {
		k = randombytes_uniform(keys);
		if (randombytes_uniform(3) == 0)
			get(k);
		else
			swap(k);
		/* Who is far ahead of the others meets nobody. */
		if (randombytes_uniform(4) == 0)
			(void)usleep(randombytes_uniform(2000));
	}
	_exit(0);
}

int
main(int argc, char **argv)
{
	unsigned n, keys, ms;
	int status, bad = 0;

	keeps = argc == 6 && strcmp(argv[5], "keep") == 0;
	if (argc != 5 + keeps || hf_init() != HF_OK)
		return 2;
	n = (unsigned)strtoul(argv[2], NULL, 10);
	keys = (unsigned)strtoul(argv[3], NULL, 10);
	ms = (unsigned)strtoul(argv[4], NULL, 10);
	if (keys == 0 || keys > KEYS_MAX)
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	for (who = 0; who < n; who++)
		if (fork() == 0)
			work(argv[1], keys, ms);
	/* A process that was killed is a history that ends. */
	for (who = 0; who < n; who++)
		if (wait(&status) > 0 && WIFEXITED(status) &&
		    WEXITSTATUS(status) != 0)
			bad = 1;
	return bad;
}
