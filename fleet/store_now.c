/* SPDX-License-Identifier: ISC */
/*
 * Stores without a loop, for commands that may wait: the engine is asked on
 * the caller's own thread, and has no deadline.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

/* What the store's thread asks meanwhile says its own reasons. */
static enum hf_err
ask_now(struct hf_store *s, struct hf__ask *ask)
{
	const char *reason = NULL;
	void *at;

	hf__store_engine(s, &at)->ask(at, ask, &reason);
	hf__store_say(s, reason);
	return ask->err;
}

static void
ask_free(struct hf__ask *ask)
{
	sodium_memzero(ask, sizeof(*ask));
	free(ask);
}

enum hf_err
hf_store_get(struct hf_store *s, struct hf_span key,
    uint8_t value[HF_STORE_VALUE_MAX], size_t *len)
{
	struct hf__ask *ask = calloc(1, sizeof(*ask));
	enum hf_err e = HF_E_ARG;

	if (ask == NULL)
		return HF_E_MEMORY;
	*len = 0;
	if (hf__ask_key(ask, key)) {
		e = ask_now(s, ask);
		*len = ask->value_len;
		memcpy(value, ask->value, ask->value_len);
	}
	ask_free(ask);
	return e;
}

enum hf_err
hf_store_swap(struct hf_store *s, struct hf_span key, struct hf_span expected,
    struct hf_span next, uint64_t expires)
{
	struct hf__ask *ask = calloc(1, sizeof(*ask));
	enum hf_err e = HF_E_ARG;

	if (ask == NULL)
		return HF_E_MEMORY;
	if (hf__ask_key(ask, key) &&
	    hf__ask_swap(ask, expected, next, expires))
		e = ask_now(s, ask);
	ask_free(ask);
	return e;
}

enum hf_err
hf_store_list(struct hf_store *s, struct hf_span prefix,
    int (*each)(void *arg, struct hf_span key, struct hf_span value),
    void *arg)
{
	const char *reason = NULL;
	enum hf_err e;
	void *at;

	e = hf__store_engine(s, &at)->list(at, prefix, each, arg, &reason);
	hf__store_say(s, reason);
	return e;
}

enum hf_err
hf_store_sweep(struct hf_store *s, uint64_t now, size_t *n)
{
	const char *reason = NULL;
	enum hf_err e;
	void *at;

	e = hf__store_engine(s, &at)->sweep(at, now, n, &reason);
	hf__store_say(s, reason);
	return e;
}
