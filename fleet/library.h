/* SPDX-License-Identifier: ISC */
/*
 * Libraries that are loaded when something of them is wanted for the first
 * time: whoever does without a server's store, or metrics, has neither them nor
 * what they bring along in the process that holds the keys.
 */
#ifndef FLEET_LIBRARY_H
#define FLEET_LIBRARY_H

#include <stddef.h>

/* A function, and the place of its address in a table. */
struct hf_symbol {
	const char *name;
	size_t at;
};

/* Loads a library, and puts the addresses of its functions into a table of
 * function pointers; it stays loaded. Returns NULL, or why it could not, in the
 * loader's words, which the next call replaces. */
const char *hf_library_load(void *table, const char *file,
    const struct hf_symbol *symbols, size_t n);

#endif
