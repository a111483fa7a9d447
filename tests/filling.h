/* SPDX-License-Identifier: ISC */
/*
 * Sessions that stand in a store and are nobody's: for measures of what many
 * of them cost.
 */
#ifndef FILLING_H
#define FILLING_H

#include "fleet.h"

enum {
	FILLING_ENTRY = 700,
	FILLING_AT_ONCE = 400,
	FILLING_SAID = 100000 /* so many, then a line on stderr */
};

/* A session's key: as random as an id. */
struct hf_span filling_key(uint8_t key[18], unsigned long n);
/* Sealed, it looks random. */
struct hf_span filling_entry(uint8_t entry[FILLING_ENTRY], unsigned long n,
    unsigned long version);
/* Stores the first version of those from `from` to before `to`. */
void filling(struct hf_port *port, uv_loop_t *loop, unsigned long from,
    unsigned long to);

#endif
