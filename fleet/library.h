/* SPDX-License-Identifier: ISC */
/*
 * Libraries that are loaded when something of them is wanted for the first
 * time: whoever does without a server's store, or metrics, has neither them nor
 * what they bring along in the process that holds the keys.
 */
#ifndef FLEET_LIBRARY_H
#define FLEET_LIBRARY_H

#include <stddef.h>

/* A table of functions has its pages for itself, and nobody writes there once
 * it is full: its first member begins with _Alignas(HF_TABLE_BYTES), so it ends
 * with a page, too. Where pages have one size it is that: a program's place in
 * memory is a multiple of it. */
#if defined(__x86_64__) || defined(__i386__) || defined(__s390__) || \
    defined(__riscv)
#define HF_TABLE_BYTES 4096
#else
#define HF_TABLE_BYTES 65536
#endif

/* A function, and the place of its address in a table. */
struct hf_symbol {
	const char *name;
	size_t at;
};

/* Loads a library, puts the addresses of its functions into a table of
 * function pointers of HF_TABLE_BYTES, and makes that read-only; it stays
 * loaded. Returns NULL, or why it could not, in the loader's words, which the
 * next call replaces. A table that is full is not filled again. */
const char *hf_library_load(void *table, const char *file,
    const struct hf_symbol *symbols, size_t n);

#endif
