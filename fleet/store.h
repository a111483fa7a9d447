/* SPDX-License-Identifier: ISC */
/*
 * The inside of stores, for store.c and one file per engine. Nobody else
 * includes it.
 */
#ifndef FLEET_STORE_H
#define FLEET_STORE_H

#include "fleet.h"

enum hf__op_kind { HF__OP_GET, HF__OP_SWAP };

/* What an engine is asked, and what it answers. */
struct hf__ask {
	enum hf__op_kind kind;
	uint8_t key[HF_STORE_KEY_MAX];
	size_t key_len;
	uint8_t expected[HF_STORE_VALUE_MAX];
	size_t expected_len;
	uint8_t value[HF_STORE_VALUE_MAX]; /* next; the answer of a get */
	size_t value_len;
	uint64_t expires;
	enum hf_err err;
};

/* Where to look for changes by others: opaque to store.c. */
struct hf__changes {
	uint64_t seen;
	uint8_t key[HF_STORE_KEY_MAX];
	size_t key_len;
};

/* An engine whose calls block; store.c gives it a thread of its own. */
struct hf__engine {
	const char *scheme;
	enum hf_err (
	    *open)(void **engine, const char *where, const char **reason);
	void (*close)(void *engine);
	/* Get or compare-and-set; sets ask->err. */
	void (*ask)(void *engine, struct hf__ask *ask, const char **reason);
	enum hf_err (*list)(void *engine, struct hf_span prefix,
	    int (*each)(void *arg, struct hf_span key, struct hf_span value),
	    void *arg, const char **reason);
	enum hf_err (*sweep)(void *engine, uint64_t now, size_t *n,
	    const char **reason);
	/* A get that waits for nothing, neither a lock nor a device: for the
	 * loops' own threads. Each has a reader of its own, made when *reader
	 * is NULL. Returns 0 where it cannot be done so: ask() can. */
	int (*peek)(void *engine, void **reader, struct hf__ask *ask);
	void (*reader_free)(void *reader);
	/* The next key that another process changed: HF_OK, or
	 * HF_E_NO_SESSION when there is none. */
	enum hf_err (*changed)(void *engine, struct hf__changes *changes);
};

extern const struct hf__engine hf__store_lmdb;

/* A store's engine, and what it opened. */
const struct hf__engine *hf__store_engine(const struct hf_store *s, void **at);
/* A reason, for hf_store_reason(); NULL: none. */
void hf__store_say(struct hf_store *s, const char *reason);
/* Copy into what an engine is asked. Return 0 where it is too long. */
int hf__ask_key(struct hf__ask *ask, struct hf_span key);
int hf__ask_swap(struct hf__ask *ask, struct hf_span expected,
    struct hf_span next, uint64_t expires);

#endif
