/* SPDX-License-Identifier: ISC */
/*
 * Kinds of key grants: made again from the same draw, and opened by the member
 * that they are for.
 */
#include <string.h>

#include "vectors.h"

enum { GRANT_MAX = 16384 };

static void
read_targets(struct hf_keygrant *grant, struct vec *v)
{
	const json_t *list = vec_get(v, v->told, "targets", JSON_ARRAY);
	const char *text;
	size_t i;

	grant->target_n = json_array_size(list);
	if (grant->target_n > HF_SCOPE_TARGETS_MAX)
		vec_fault(v, "targets", "are too many");
	for (i = 0; i < grant->target_n && !v->failed; i++) {
		text = json_string_value(json_array_get(list, i));
		if (text == NULL || strlen(text) > HF_NAME_MAX) {
			vec_fault(v, "targets", "are no targets");
			return;
		}
		grant->target[i].len = strlen(text);
		memcpy(grant->target[i].text, text, strlen(text) + 1);
	}
}

static void
read_generations(struct hf_keygrant *grant, struct vec *v)
{
	const json_t *list = vec_get(v, v->told, "generations", JSON_ARRAY);
	const json_t *told;
	size_t i;

	grant->generation_n = json_array_size(list);
	if (grant->generation_n > HF_GENERATIONS_MAX)
		vec_fault(v, "generations", "are too many");
	for (i = 0; i < grant->generation_n && !v->failed; i++) {
		told = json_array_get(list, i);
		vec_members(v, told, "number key cut_off");
		grant->generation[i].number =
		    (uint32_t)vec_uint(v, told, "number", UINT32_MAX);
		grant->generation[i].cut_off =
		    vec_uint(v, told, "cut_off", INT64_MAX);
		vec_hex_into(grant->generation[i].key, HF_KEY_BYTES, v, told,
		    "key");
	}
}

static enum hf_err
make(uint8_t *made, size_t *len, struct vec *v, const struct hf_identity *id,
    const struct hf_keygrant *grant)
{
	struct hf_span member = vec_hex(v, v->told, "member");
	struct vec_draws draws;
	enum hf_err e;

	vec_draws_init(&draws, v, "random");
	vec_random_begin(&draws);
	e = hf_keygrant_make(made, GRANT_MAX, len, id, grant, member.ptr,
	    member.len);
	vec_random_end();
	vec_draws_done(&draws);
	return e;
}

enum hf_err
vec_key_grant(struct vec *v)
{
	struct hf_keygrant *grant = vec_alloc(v, sizeof(*grant));
	uint8_t *made = vec_alloc(v, GRANT_MAX), seed[HF_SEED_BYTES];
	struct hf_identity *id = NULL;
	size_t len = 0;
	enum hf_err e;

	vec_hex_into(seed, sizeof(seed), v, v->told, "seed");
	vec_name(&grant->cluster, v, v->told, "cluster");
	vec_name(&grant->scope, v, v->told, "scope");
	grant->serial = vec_uint(v, v->told, "serial", INT64_MAX);
	grant->not_after = vec_uint(v, v->told, "not_after", INT64_MAX);
	read_targets(grant, v);
	read_generations(grant, v);
	if (v->failed)
		return HF_OK;
	if ((e = hf_identity_new(&id, seed)) == HF_OK &&
	    (e = make(made, &len, v, id, grant)) == HF_OK)
		vec_put_signed(v, (struct hf_span){ made, len },
		    "handfast/1 key grant", id->sign_pk);
	hf_identity_free(id);
	return e;
}

static void
put_grant(struct vec *v, const struct hf_keygrant *grant)
{
	json_t *targets = json_array(), *generations = json_array();
	size_t i;

	for (i = 0; i < grant->target_n; i++)
		vec_append(v, targets, json_string(grant->target[i].text));
	for (i = 0; i < grant->generation_n; i++)
		vec_append(v, generations,
		    json_pack("{s:I,s:o,s:I}", "number",
			(json_int_t)grant->generation[i].number, "key",
			vec_json_hex(grant->generation[i].key, HF_KEY_BYTES),
			"cut_off", (json_int_t)grant->generation[i].cut_off));
	vec_put(v, v->out, "scope", json_string(grant->scope.text));
	vec_put(v, v->out, "targets", targets);
	vec_put(v, v->out, "generations", generations);
	vec_put_uint(v, v->out, "not_after", grant->not_after);
}

enum hf_err
vec_key_grant_open(struct vec *v)
{
	struct hf_keygrant *grant = vec_alloc(v, sizeof(*grant));
	struct hf_span bytes = vec_hex(v, v->told, "bytes");
	struct hf_keygrant_judge by = {
		.member = vec_hex(v, v->told, "leaf"),
		.cluster = vec_hex(v, v->told, "cluster"),
		.now = vec_uint(v, v->told, "now", INT64_MAX),
		.serial = vec_uint(v, v->told, "serial", INT64_MAX),
		.tolerance =
		    (uint32_t)vec_uint(v, v->told, "tolerance", UINT32_MAX),
	};
	struct hf_identity *id = NULL;
	uint8_t seed[HF_SEED_BYTES];
	enum hf_err e;

	vec_hex_into(seed, sizeof(seed), v, v->told, "seed");
	if (v->failed)
		return HF_OK;
	if ((e = hf_identity_new(&id, seed)) != HF_OK)
		return e;
	by.identity = id;
	if ((e = hf_keygrant_open(grant, bytes.ptr, bytes.len, &by)) == HF_OK)
		put_grant(v, grant);
	hf_identity_free(id);
	return e;
}
