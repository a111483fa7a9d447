/* SPDX-License-Identifier: ISC */
/*
 * Time of a refusal by password (threat A33): does it tell an unknown user
 * from a wrong password, or where the password is wrong? In the manner of
 * dudect: samples of all kinds in random order, the slow ones cut off at
 * several places, Welch's t between two kinds.
 *
 * The machine may be shared, so a pair of kinds has ROUNDS rounds, which are
 * taken together, each by how sure it is. There is no difference when T
 * standard errors around the one measured stay within the bound, and when the
 * control, the same refusal with a little work added, is as clearly beyond it.
 *
 *     ct-times LABEL
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "testing.h"

enum {
	UNKNOWN, /* no such user */
	FIRST,	 /* the verifier's first byte differs */
	LAST,	 /* its last byte differs */
	SLOWER,	 /* the control: as LAST, with a little work added */
	KINDS,
	SAMPLES = 24000, /* a round */
	ROUNDS = 12,
	USERS = 1000,
	CROPS = 3,
	WORK = 12 /* steps of the control */
};

/* A difference of less is none: about one load from a farther cache. */
static const double T = 4.5, BOUND_NS = 10;
/* The fastest part of the samples that is looked at. */
static const double crop[CROPS] = { 0.5, 0.75, 0.9 };
static const struct {
	const char *name;
	int a, b;
} pairs[] = { { "unknown-user,first-byte-wrong", UNKNOWN, FIRST },
	{ "unknown-user,last-byte-wrong", UNKNOWN, LAST },
	{ "first-byte-wrong,last-byte-wrong", FIRST, LAST } };

#define WHAT(lookup) ((lookup) ? "lookup-and-verify" : "verify")

static struct world w;
static struct blob request;
static const uint8_t *verifiers[KINDS];
static const char *names[KINDS];
static struct cli_users users;

struct samples {
	double *ns;
	size_t n;
};

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
work(size_t steps)
{
	volatile size_t i;

	for (i = 0; i < steps; i++)
		continue;
}

/* One refusal of a session that was brought to it, without and with looking
 * the user up. What the kinds differ in is fetched before. */
static double
sample(int kind, int lookup)
{
	const uint8_t *verifier = verifiers[kind];
	const char *name = names[kind];
	size_t steps = kind == SLOWER ? WORK : 0;
	struct hf_session *s;
	double before, after;
	enum hf_err e;

	assert_ok(hf_session_new(&s, w.r, START_MS, NOW));
	assert_ok(give(s, request.bytes, request.len));
	assert_ok(hf_session_admit(s, HF_ADMIT));
	__asm__ volatile(""
			 : "+r"(verifier), "+r"(name), "+r"(steps)::"memory");
	before = now_ns();
	if (lookup)
		verifier = cli_users_find(&users, name, 5);
	e = hf_session_verify(s, verifier);
	work(steps);
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

static void
moments(double *mean, double *variance, const struct samples *s, size_t n)
{
	size_t i;

	*mean = *variance = 0;
	for (i = 0; i < n; i++)
		*mean += s->ns[i] / (double)n;
	for (i = 0; i < n; i++)
		*variance +=
		    (s->ns[i] - *mean) * (s->ns[i] - *mean) / (double)(n - 1);
}

/* b's mean less a's, its standard error, and a's mean: by the crop that sees
 * best. */
struct difference {
	double ns, error, mean;
};

static struct difference
compare(const struct samples *a, const struct samples *b)
{
	struct difference d = { 0, INFINITY, 0 };
	double mean[2], variance[2], error;
	size_t i, n[2];

	for (i = 0; i < CROPS; i++) {
		n[0] = (size_t)((double)a->n * crop[i]);
		n[1] = (size_t)((double)b->n * crop[i]);
		moments(&mean[0], &variance[0], a, n[0]);
		moments(&mean[1], &variance[1], b, n[1]);
		error = sqrt(
		    variance[0] / (double)n[0] + variance[1] / (double)n[1]);
		if (error < d.error)
			d = (struct difference){ mean[1] - mean[0], error,
				mean[0] };
	}
	return d;
}

static void
take_round(struct samples s[KINDS], int lookup)
{
	int i, kind;

	for (kind = 0; kind < KINDS; kind++)
		s[kind].n = 0;
	for (i = 0; i < SAMPLES; i++) {
		kind = (int)randombytes_uniform(KINDS);
		s[kind].ns[s[kind].n++] = sample(kind, lookup);
	}
	for (kind = 0; kind < KINDS; kind++)
		qsort(s[kind].ns, s[kind].n, sizeof(double), by_value);
}

/* What was seen before and a further round, each by how sure it is. */
static struct difference
together(struct difference before, struct difference round)
{
	double a = 1 / (before.error * before.error);
	double b = 1 / (round.error * round.error);

	return (struct difference){ (before.ns * a + round.ns * b) / (a + b),
		1 / sqrt(a + b), round.mean };
}

/* 1 when it is decided that a pair is alike. */
static int
alike(const char *label, int lookup, size_t pair, struct difference d,
    struct difference control)
{
	int same = fabs(d.ns) + T * d.error <= BOUND_NS;
	int seen = control.ns - T * control.error > BOUND_NS;

	printf("%s %s/%s/%s: %+.1f ns of %.0f, t %.1f, at most %.1f of %.0f; "
	       "control %+.1f ns %s\n",
	    same && seen ? "PASS" : "note:", label, WHAT(lookup),
	    pairs[pair].name, d.ns, d.mean, d.ns / d.error,
	    fabs(d.ns) + T * d.error, BOUND_NS, control.ns,
	    seen ? "seen" : "not seen");
	return same && seen;
}

static const char *
verdict(struct difference d)
{
	return fabs(d.ns) > BOUND_NS && fabs(d.ns) > T * d.error ?
	    "told apart" :
	    "not decided, for the machine's other work,";
}

/* Returns how many pairs were never found alike. */
static unsigned
measure(const char *label, int lookup)
{
	static const struct difference nothing = { 0, INFINITY, 0 };
	struct difference seen[HF__ARRAY_N(pairs)], control = nothing;
	int decided[HF__ARRAY_N(pairs)] = { 0 };
	struct samples s[KINDS];
	size_t i, left = HF__ARRAY_N(pairs);
	int round;

	for (i = 0; i < KINDS; i++)
		assert_non_null(s[i].ns = calloc(SAMPLES, sizeof(double)));
	for (i = 0; i < HF__ARRAY_N(pairs); i++)
		seen[i] = nothing;
	for (round = 0; round < ROUNDS && left > 0; round++) {
		take_round(s, lookup);
		control = together(control, compare(&s[LAST], &s[SLOWER]));
		for (i = 0; i < HF__ARRAY_N(pairs); i++) {
			if (decided[i])
				continue;
			seen[i] = together(seen[i],
			    compare(&s[pairs[i].a], &s[pairs[i].b]));
			decided[i] = alike(label, lookup, i, seen[i], control);
			left -= (size_t)decided[i];
		}
	}
	for (i = 0; i < HF__ARRAY_N(pairs); i++)
		if (!decided[i])
			printf("FAIL %s/%s/%s: %s in %d rounds\n", label,
			    WHAT(lookup), pairs[i].name, verdict(seen[i]),
			    ROUNDS);
	for (i = 0; i < KINDS; i++)
		free(s[i].ns);
	return (unsigned)left;
}

/* A responder that one request has reached, and its users: one is missing. */
static void
prepare(void)
{
	struct meeting m = { .method = HF_METHOD_PASSWORD, .known = 1 };
	struct cli_user *u;
	struct pair p;
	size_t i;

	world_make(&w, &m);
	pair_make(&p, &w);
	assert_ok(answer(&w, p.i));
	take(&request, p.i);
	pair_free(&p);
	assert_non_null(users.user = calloc(USERS, sizeof(*users.user)));
	users.n = USERS;
	for (i = 0; i < USERS; i++) {
		u = &users.user[i];
		(void)snprintf((char *)u->name, sizeof(u->name), "u%04zu",
		    2 * i);
		memcpy(u->verifier, w.verifier, sizeof(u->verifier));
		u->verifier[i % 2 == 0 ? 0 : 31] ^= 1;
	}
	names[UNKNOWN] = "u1001";
	names[FIRST] = "u1000";
	names[LAST] = names[SLOWER] = "u1002";
	verifiers[FIRST] = users.user[500].verifier;
	verifiers[LAST] = verifiers[SLOWER] = users.user[501].verifier;
}

int
main(int argc, char **argv)
{
	const char *label = argc > 1 ? argv[1] : "times";
	unsigned failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	assert_ok(hf_init());
	prepare();
	failed = measure(label, 0) + measure(label, 1);
	free(users.user);
	world_free(&w);
	printf("%zu passed, %u failed\n", 2 * HF__ARRAY_N(pairs) - failed,
	    failed);
	return failed != 0;
}
