/* SPDX-License-Identifier: ISC */
/*
 * Cases that stores are tested with, whichever engine is behind, and what they
 * are played on: one store, a port of it on a loop, what that answered last, and
 * other processes with the same store.
 */
#ifndef TESTS_STORE_CASES_H
#define TESTS_STORE_CASES_H

#include "fleet.h"

extern struct played {
	char dir[48]; /* an empty one, but for LMDB's "db" */
	char uri[256];
	struct hf_store *store;
	struct hf_port *port;
	uv_loop_t loop;
	unsigned patience_s; /* for an answer */
} on;

/* The store at uri; NULL: LMDB, in a directory that is made in base. */
void play_begin(const char *base, const char *uri);
void play_end(void);

struct answer {
	int n; /* how often there was one */
	enum hf_err err;
	char value[64];
};

/* As a port's `done`, of a struct answer. */
void answered(void *answer, enum hf_err err, const uint8_t *value, size_t len);
/* Until there were so many. */
void wait_answer(const struct answer *answer, int n);
/* To these two. */
extern struct answer got;
enum hf_err play_get(const char *key);
/* NULL is nothing. */
enum hf_err play_swap(const char *key, const char *expected, const char *next);

/* What hf_port_watch() told. */
extern int news;
extern char newest[HF_STORE_KEY_MAX + 1];
void changed(void *arg, struct hf_span key);

/* Another process does it with the store; it exits with a number where that
 * fails, and so does the test. */
void other_process(void (*what)(struct hf_store *));
/* That: k is two, which was one. */
void write_k(struct hf_store *mine);
/* A process that is stopped with the lock in its hand that `hold` takes. */
pid_t stopped_holder(int (*hold)(void));
/* That: LMDB's own, as its tools take it. 0: not taken. */
int hold_writer(void);

void compare_and_set(void **state);
void limits(void **state);
void race(void **state);
void listing(void **state);
/* Of what expires at that time and in the seconds after it. */
void sweep_from(uint64_t from);
void forgotten(void **state);
void refused(void **state);

#endif
