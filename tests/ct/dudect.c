/* SPDX-License-Identifier: ISC */
/*
 * Time of hf_session_verify() for an unknown user, and for verifiers that
 * differ in their first or last byte (threat A33): do the three differ? In
 * the manner of dudect: samples in random order, the slowest cut off, Welch's
 * t. It measures a machine, so it is built by tests/sh/ct.sh and run only on
 * request: build/tests/ct_dudect [SAMPLES]. Exit code 1 where |t| passes 4.5.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "testing.h"

enum { CLASSES = 3, SAMPLES = 30000 };

static const char *const class_name[CLASSES] = { "unknown user",
	"first byte wrong", "last byte wrong" };

static struct world w;
static struct blob request;

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One verification by a responder that was brought to it. */
static double
sample(unsigned class)
{
	uint8_t verifier[HF_KEY_BYTES];
	struct hf_session *s;
	double before, after;
	enum hf_err e;

	memcpy(verifier, w.verifier, sizeof(verifier));
	verifier[class == 1 ? 0 : sizeof(verifier) - 1] ^= 1;
	assert_ok(hf_session_new(&s, w.r, START_MS, NOW));
	assert_ok(give(s, request.bytes, request.len));
	assert_ok(answer(&w, s));
	before = now_ns();
	e = hf_session_verify(s, class == 0 ? NULL : verifier);
	after = now_ns();
	assert_err(e, HF_E_PASSWORD);
	hf_session_free(s);
	return after - before;
}

static int
by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct statistics {
	double *value;
	size_t n;
	double mean, variance;
};

/* Mean and variance of all but the slowest tenth. */
static void
compute(struct statistics *s)
{
	size_t i;

	qsort(s->value, s->n, sizeof(*s->value), by_value);
	s->n -= s->n / 10;
	s->mean = s->variance = 0;
	for (i = 0; i < s->n; i++)
		s->mean += s->value[i] / (double)s->n;
	for (i = 0; i < s->n; i++)
		s->variance += (s->value[i] - s->mean) *
		    (s->value[i] - s->mean) / (double)(s->n - 1);
}

static double
welch(const struct statistics *a, const struct statistics *b)
{
	return (a->mean - b->mean) /
	    sqrt(a->variance / (double)a->n + b->variance / (double)b->n);
}

int
main(int argc, char **argv)
{
	size_t samples = argc > 1 ? strtoul(argv[1], NULL, 10) : SAMPLES, i;
	struct statistics s[CLASSES] = { 0 };
	struct meeting m = { .method = HF_METHOD_PASSWORD, .known = 1 };
	unsigned class, other;
	int bad = 0;
	struct pair p;
	double t;

	assert_ok(hf_init());
	world_make(&w, &m);
	pair_make(&p, &w);
	assert_ok(answer(&w, p.i));
	take(&request, p.i);
	pair_free(&p);
	for (class = 0; class < CLASSES; class ++) {
		s[class].value = calloc(samples, sizeof(double));
		assert_non_null(s[class].value);
	}
	for (i = 0; i < samples; i++) {
		class = randombytes_uniform(CLASSES);
		s[class].value[s[class].n++] = sample(class);
	}
	for (class = 0; class < CLASSES; class ++) {
		compute(&s[class]);
		printf("%-18s %zu samples, %.1f ns, deviation %.1f\n",
		    class_name[class], s[class].n, s[class].mean,
		    sqrt(s[class].variance));
	}
	for (class = 0; class < CLASSES; class ++)
		for (other = class + 1; other < CLASSES; other++) {
			t = welch(&s[class], &s[other]);
			bad |= fabs(t) > 4.5;
			printf("%s, %s: t = %.2f\n", class_name[class],
			    class_name[other], t);
		}
	for (class = 0; class < CLASSES; class ++)
		free(s[class].value);
	world_free(&w);
	printf(bad ? "they differ\n" : "no difference was measured\n");
	return bad;
}
