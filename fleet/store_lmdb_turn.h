/* SPDX-License-Identifier: ISC */
/*
 * Whose turn it is to write to a directory of LMDB's, for store_lmdb.c.
 */
#ifndef FLEET_STORE_LMDB_TURN_H
#define FLEET_STORE_LMDB_TURN_H

#include <uv.h>

#include <stddef.h>
#include <stdint.h>

struct hf__turn {
	uv_mutex_t mutex;
	int fd;
	int locks; /* LMDB's file of them */
	const volatile uint32_t *words;
	size_t guess[8], guesses; /* words that may be its lock's */
	int known;		  /* guess[0] is */
};

/* `locks` is LMDB's file of them, open, and kept. 0, or an error number: then
 * it is not. */
int hf__turn_open(struct hf__turn *turn, const char *dir, int locks);
/* When LMDB's environment is closed, not before. */
void hf__turn_close(struct hf__turn *turn);
/* In a turn, while this thread holds LMDB's own lock: finds it, to be sure when
 * the turn is passed, without it. Until then none is had without waiting. */
void hf__turn_learn(struct hf__turn *turn);
/* 0; EBUSY where it must be waited for and may not be; or an error number. */
int hf__turn_take(struct hf__turn *turn, int wait);
void hf__turn_pass(struct hf__turn *turn);

#endif
