/* SPDX-License-Identifier: ISC */
/*
 * Kind "counter": the key of a store under which failures are counted.
 */
#include <string.h>

#include "fleet.h"
#include "vectors.h"

static enum hf_counted
counted(struct vec *v)
{
	static const char *const names[] = { "user", "pair", "source" };
	const char *what = vec_text(v, v->told, "what");
	size_t i;

	for (i = 0; i < HF__ARRAY_N(names); i++)
		if (strcmp(what, names[i]) == 0)
			return (enum hf_counted)i;
	vec_fault(v, "what", "is none that is counted");
	return HF_COUNTED_USER;
}

enum hf_err
vec_counter(struct vec *v)
{
	struct hf_span source = vec_hex(v, v->told, "source");
	const char *subject = vec_text(v, v->told, "subject");
	uint64_t now = vec_uint(v, v->told, "now", INT64_MAX);
	enum hf_counted what = counted(v);
	uint8_t key[HF_COUNTER_KEY_BYTES];
	struct hf_vault *vault = NULL;
	enum hf_err e;

	e = vec_vault_make(&vault, v, "cluster", "vectors",
	    vec_get(v, v->told, "scopes", JSON_ARRAY));
	if (e == HF_OK && !v->failed &&
	    (e = hf_counter_key(key, vault, what, subject, source, now)) ==
		HF_OK)
		vec_put_hex(v, v->out, "key", key, sizeof(key));
	hf_vault_free(vault);
	return e;
}
