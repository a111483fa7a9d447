/* SPDX-License-Identifier: ISC */
/*
 * Short words for tests of stores: over the calls without a loop.
 */
#ifndef TESTS_STORING_H
#define TESTS_STORING_H

#include "fleet.h"

extern const struct hf_span store_nothing;
struct hf_span store_text(const char *text);
/* A time that has not come when the test is over. */
uint64_t store_later(void);
/* What store_get() found. */
extern uint8_t store_value[HF_STORE_VALUE_MAX];
extern size_t store_len;
enum hf_err store_get(struct hf_store *store, const char *key);
/* NULL is nothing. */
enum hf_err store_swap(struct hf_store *store, const char *key,
    const char *expected, const char *next);
/* It was found, last. */
void store_is(const char *wanted);
/* It opens. */
struct hf_store *store_open(const char *uri);
/* The opening ends so, in time, with those words. */
void store_opens(const char *uri, enum hf_err wanted, const char *words);
void store_run(uv_loop_t *loop, unsigned ms);

#endif
