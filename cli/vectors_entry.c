/* SPDX-License-Identifier: ISC */
/*
 * Kinds of stored sessions: sealed again from the same draw, opened by a vault
 * and told member by member. It also makes a vault of the scopes that a vector
 * tells.
 */
#include <string.h>

#include "vectors.h"

/* --- vaults ---------------------------------------------------------- */

static enum hf_err
add_keys(struct hf_vault *vault, struct vec *v, const char *scope,
    const json_t *keys)
{
	uint8_t key[HF_KEY_BYTES];
	const json_t *told;
	enum hf_err e;
	size_t i;

	for (i = 0; i < json_array_size(keys); i++) {
		told = json_array_get(keys, i);
		vec_members(v, told, "number key cut_off");
		vec_hex_into(key, sizeof(key), v, told, "key");
		if ((e = hf_vault_key(vault, scope,
			 (uint32_t)vec_uint(v, told, "number", UINT32_MAX),
			 key, vec_uint(v, told, "cut_off", INT64_MAX))) !=
		    HF_OK)
			return e;
	}
	return HF_OK;
}

static enum hf_err
add_scope(struct hf_vault *vault, struct vec *v, const json_t *told)
{
	const char *targets[HF_SCOPE_TARGETS_MAX], *name;
	const json_t *list = vec_get(v, told, "targets", JSON_ARRAY);
	const json_t *keys = vec_get(v, told, "generations", JSON_ARRAY);
	size_t i, n = json_array_size(list);
	enum hf_err e;

	vec_members(v, told, "name targets generations");
	name = vec_text(v, told, "name");
	if (n > HF_SCOPE_TARGETS_MAX)
		vec_fault(v, "targets", "are too many");
	if (v->failed)
		return HF_OK;
	for (i = 0; i < n; i++)
		targets[i] = json_string_value(json_array_get(list, i));
	if ((e = hf_vault_scope(vault, name, targets, n)) != HF_OK)
		return e;
	return add_keys(vault, v, name, keys);
}

enum hf_err
vec_vault_make(struct hf_vault **vault, struct vec *v, const char *cluster,
    const char *owner, const json_t *scopes)
{
	enum hf_err e;
	size_t i;

	if ((e = hf_vault_new(vault, cluster, owner)) != HF_OK)
		return e;
	for (i = 0; i < json_array_size(scopes); i++)
		if ((e = add_scope(*vault, v, json_array_get(scopes, i))) !=
			HF_OK ||
		    v->failed)
			return e;
	return HF_OK;
}

/* --- states from JSON -------------------------------------------------------- */

void
vec_mark_read(struct hf__mark *mark, struct vec *v, const json_t *in,
    const char *key)
{
	const json_t *told = vec_get(v, in, key, JSON_OBJECT);

	vec_members(v, told, "count bytes digest");
	mark->count = vec_uint(v, told, "count", INT64_MAX);
	mark->bytes = vec_uint(v, told, "bytes", INT64_MAX);
	vec_hex_into(mark->digest, sizeof(mark->digest), v, told, "digest");
}

static void
copy_text(char *to, size_t *len, size_t room, struct vec *v, const json_t *in,
    const char *key)
{
	const char *text = vec_text(v, in, key);

	if (strlen(text) >= room) {
		vec_fault(v, key, "is too long");
		return;
	}
	if (len != NULL)
		*len = strlen(text);
	memcpy(to, text, strlen(text) + 1);
}

static void
read_ticket(struct hf__stored *s, struct vec *v, const json_t *in)
{
	const json_t *told;

	if (vec_is_null(in, "ticket"))
		return;
	told = vec_get(v, in, "ticket", JSON_OBJECT);
	vec_members(v, told, "method first limit single_use");
	s->has_ticket = true;
	s->first_method = (unsigned)vec_uint(v, told, "method", UINT8_MAX);
	s->first_auth = vec_uint(v, told, "first", INT64_MAX);
	s->limit = vec_uint(v, told, "limit", INT64_MAX);
	s->single_use = (int)vec_uint(v, told, "single_use", 1);
}

static void
read_peer(struct hf__stored *s, struct vec *v, const json_t *in)
{
	struct hf_span origins[VEC_LIST_MAX];
	size_t i;

	vec_members(v, in,
	    "method name subject authenticated key origins not_after ticket");
	s->method = (enum hf_method)vec_uint(v, in, "method", UINT8_MAX);
	copy_text(s->name, NULL, sizeof(s->name), v, in, "name");
	copy_text(s->subject, NULL, sizeof(s->subject), v, in, "subject");
	s->authenticated = vec_uint(v, in, "authenticated", INT64_MAX);
	s->not_after = vec_uint(v, in, "not_after", INT64_MAX);
	s->has_key = !vec_is_null(in, "key");
	if (s->has_key)
		vec_hex_into(s->key, sizeof(s->key), v, in, "key");
	s->origin_n = vec_hex_list(origins, v, in, "origins");
	for (i = 0; i < s->origin_n; i++)
		if (i < HF_CHAIN_MAX && origins[i].len == HF_ORIGIN_BYTES)
			memcpy(s->origin[i], origins[i].ptr, HF_ORIGIN_BYTES);
		else
			vec_fault(v, "origins", "are not such of a chain");
	read_ticket(s, v, in);
}

static void
read_state(struct hf__stored *s, struct vec *v, const json_t *in)
{
	const json_t *previous;

	vec_members(v, in,
	    "suite mobility secret previous serial received sent closed "
	    "target peer");
	s->suite = (uint16_t)vec_uint(v, in, "suite", UINT16_MAX);
	s->mobility = (enum hf_mobility)vec_uint(v, in, "mobility", 2);
	vec_hex_into(s->secret, sizeof(s->secret), v, in, "secret");
	s->unconfirmed = !vec_is_null(in, "previous");
	if (s->unconfirmed) {
		previous = vec_get(v, in, "previous", JSON_OBJECT);
		vec_members(v, previous, "epoch secret");
		s->previous_epoch = vec_uint(v, previous, "epoch", UINT32_MAX);
		vec_hex_into(s->previous, sizeof(s->previous), v, previous,
		    "secret");
	}
	s->serial = vec_uint(v, in, "serial", UINT32_MAX);
	vec_mark_read(&s->received, v, in, "received");
	vec_mark_read(&s->sent, v, in, "sent");
	s->closed = (unsigned)vec_uint(v, in, "closed", 3);
	copy_text(s->target, &s->target_len, sizeof(s->target), v, in,
	    "target");
	read_peer(s, v, vec_get(v, in, "peer", JSON_OBJECT));
}

/* --- and back -------------------------------------------------------- */

json_t *
vec_mark_json(const struct hf__mark *mark)
{
	return json_pack("{s:I,s:I,s:o}", "count", (json_int_t)mark->count,
	    "bytes", (json_int_t)mark->bytes, "digest",
	    vec_json_hex(mark->digest, sizeof(mark->digest)));
}

static json_t *
peer_json(struct vec *v, const struct hf__stored *s)
{
	json_t *json = json_object(), *origins = json_array();
	size_t i;

	vec_put_uint(v, json, "method", s->method);
	vec_put(v, json, "name", json_string(s->name));
	vec_put(v, json, "subject", json_string(s->subject));
	vec_put_uint(v, json, "authenticated", s->authenticated);
	vec_put(v, json, "key",
	    s->has_key ? vec_json_hex(s->key, sizeof(s->key)) : json_null());
	for (i = 0; i < s->origin_n; i++)
		vec_append(v, origins,
		    vec_json_hex(s->origin[i], HF_ORIGIN_BYTES));
	vec_put(v, json, "origins", origins);
	vec_put_uint(v, json, "not_after", s->not_after);
	vec_put(v, json, "ticket",
	    !s->has_ticket ?
		json_null() :
		json_pack("{s:i,s:I,s:I,s:i}", "method", (int)s->first_method,
		    "first", (json_int_t)s->first_auth, "limit",
		    (json_int_t)s->limit, "single_use", s->single_use));
	return json;
}

json_t *
vec_state_json(struct vec *v, const struct hf__stored *s)
{
	json_t *json = json_object();

	vec_put_uint(v, json, "suite", s->suite);
	vec_put_uint(v, json, "mobility", s->mobility);
	vec_put_hex(v, json, "secret", s->secret, sizeof(s->secret));
	vec_put(v, json, "previous",
	    !s->unconfirmed ?
		json_null() :
		json_pack("{s:I,s:o}", "epoch", (json_int_t)s->previous_epoch,
		    "secret", vec_json_hex(s->previous, sizeof(s->previous))));
	vec_put_uint(v, json, "serial", s->serial);
	vec_put(v, json, "received", vec_mark_json(&s->received));
	vec_put(v, json, "sent", vec_mark_json(&s->sent));
	vec_put_uint(v, json, "closed", s->closed);
	vec_put(v, json, "target", json_string(s->target));
	vec_put(v, json, "peer", peer_json(v, s));
	return json;
}

static json_t *
clear_json(struct vec *v, const struct hf_entry_info *info)
{
	json_t *json = json_object();

	vec_put(v, json, "cluster", json_string(info->cluster.text));
	vec_put(v, json, "scope", json_string(info->scope.text));
	vec_put_uint(v, json, "generation", info->generation);
	vec_put_hex(v, json, "session_id", info->sid, sizeof(info->sid));
	vec_put_uint(v, json, "epoch", info->epoch);
	vec_put(v, json, "owner", json_string(info->owner.text));
	vec_put_hex(v, json, "token", info->token, sizeof(info->token));
	vec_put_uint(v, json, "expires", info->expires);
	return json;
}

/* --- kinds ----------------------------------------------------------- */

/* The AAD is written here; it is right when the box opens under it. */
static void
put_inside(struct vec *v, const struct hf__generation *generation,
    struct hf_span entry)
{
	uint8_t *aad = vec_alloc(v, HF_ENTRY_MAX), *plain;
	struct hf_span nonce, box;
	struct hf__reader r;
	struct hf__writer w;
	size_t i, from, to;

	hf__read_init(&r, entry.ptr, entry.len);
	(void)hf__read_list(&r, 11, 11);
	for (from = r.off, i = 0; i < 9; i++)
		(void)hf__read_skip(&r, 1);
	to = r.off;
	nonce = hf__read_bytes(&r, 24, 24);
	box = hf__read_bytes(&r, HF__TAG_BYTES, HF_ENTRY_MAX);
	hf__write_init(&w, aad, HF_ENTRY_MAX);
	hf__write_list(&w, 10);
	hf__write_text(&w, "handfast/1 state", 16);
	if (hf__read_end(&r) != HF_OK || w.err != HF_OK) {
		vec_fault(v, "bytes", "do not parse");
		return;
	}
	memcpy(aad + w.len, entry.ptr + from, to - from);
	w.len += to - from;
	plain = vec_alloc(v, box.len);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
		box.ptr, box.len, aad, w.len, nonce.ptr,
		generation->box_key) != 0)
		vec_fault(v, "aad", "does not open the entry");
	vec_put_hex(v, v->out, "plaintext", plain, box.len - HF__TAG_BYTES);
	vec_put_hex(v, v->out, "aad", aad, w.len);
	vec_put_hex(v, v->out, "box_key", generation->box_key, 32);
	vec_put_hex(v, v->out, "nonce_key", generation->nonce_key, 32);
}

static enum hf_err
seal(struct vec *v, const struct hf_vault *vault, struct hf__stored *s)
{
	uint8_t *entry = vec_alloc(v, HF_ENTRY_MAX);
	struct vec_draws draws;
	size_t len;
	enum hf_err e;

	s->scope = &vault->scope[0];
	vec_draws_init(&draws, v, "random");
	vec_random_begin(&draws);
	e = hf__state_seal(entry, &len, vault, s, 0);
	vec_random_end();
	vec_draws_done(&draws);
	if (e != HF_OK)
		return e;
	put_inside(v, &vault->scope[0].generation[0],
	    (struct hf_span){ entry, len });
	vec_put_hex(v, v->out, "bytes", entry, len);
	return HF_OK;
}

/* A vault of the one scope with the one key. */
static enum hf_err
one_vault(struct hf_vault **vault, struct vec *v)
{
	const char *scope = vec_text(v, v->told, "scope");
	uint8_t key[HF_KEY_BYTES];
	enum hf_err e;

	vec_hex_into(key, sizeof(key), v, v->told, "key");
	if ((e = hf_vault_new(vault, vec_text(v, v->told, "cluster"),
		 vec_text(v, v->told, "owner"))) != HF_OK ||
	    (e = hf_vault_scope(*vault, scope, NULL, 0)) != HF_OK)
		return e;
	return hf_vault_key(*vault, scope,
	    (uint32_t)vec_uint(v, v->told, "generation", UINT32_MAX), key, 0);
}

enum hf_err
vec_entry(struct vec *v)
{
	struct hf__stored *s = vec_alloc(v, sizeof(*s));
	struct hf_vault *vault = NULL;
	enum hf_err e;

	vec_hex_into(s->sid, sizeof(s->sid), v, v->told, "session_id");
	vec_hex_into(s->token, sizeof(s->token), v, v->told, "token");
	s->epoch = vec_uint(v, v->told, "epoch", UINT32_MAX);
	s->expires = vec_uint(v, v->told, "expires", INT64_MAX);
	read_state(s, v, vec_get(v, v->told, "state", JSON_OBJECT));
	if ((e = one_vault(&vault, v)) == HF_OK && !v->failed)
		e = seal(v, vault, s);
	hf_vault_free(vault);
	return e;
}

enum hf_err
vec_entry_open(struct vec *v)
{
	struct hf_span entry = vec_hex(v, v->told, "bytes");
	uint64_t now = vec_uint(v, v->told, "now", INT64_MAX);
	struct hf__stored *s = vec_alloc(v, sizeof(*s));
	struct hf_vault *vault = NULL;
	struct hf_entry_info info;
	enum hf_err e;

	if ((e = vec_vault_make(&vault, v, vec_text(v, v->told, "cluster"),
		 "vectors", vec_get(v, v->told, "scopes", JSON_ARRAY))) ==
		HF_OK &&
	    !v->failed &&
	    (e = hf_entry_open(&info, vault, entry.ptr, entry.len, now)) ==
		HF_OK &&
	    (e = hf__state_open(s, vault, entry.ptr, entry.len, now)) ==
		HF_OK) {
		vec_put(v, v->out, "clear", clear_json(v, &info));
		vec_put(v, v->out, "state", vec_state_json(v, s));
	}
	hf_vault_free(vault);
	return e;
}
