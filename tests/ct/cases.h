/* SPDX-License-Identifier: ISC */
/*
 * One test: what runs under memcheck, in which world, and where its controls
 * leak. sessions.c and objects.c have them, secrets.c runs them.
 */
#ifndef HANDFAST_CASES_H
#define HANDFAST_CASES_H

#include "testing.h"

#include "taint.h"

struct ct_case {
	const char *name;
	void (*prepare)(void); /* once, before; NULL: nothing */
	void (*run)(void);
	struct meeting meeting;
	unsigned points; /* one control each */
};

/* The world and the pair of the test that runs; all their secrets marked. */
extern struct world w;
extern struct pair p;

extern const struct ct_case session_cases[], object_cases[];
extern const size_t session_cases_n, object_cases_n;

#endif
