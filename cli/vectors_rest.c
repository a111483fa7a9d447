/* SPDX-License-Identifier: ISC */
/*
 * Kinds of sessions at rest: sealed again from the same draw, opened and told
 * member by member.
 */
#include <string.h>

#include "vectors.h"

/* --- from JSON and back ---------------------------------------------- */

static void
copy_text(char *to, size_t *len, size_t max, struct vec *v, const json_t *in,
    const char *key)
{
	const char *text = vec_text(v, in, key);

	*len = strlen(text);
	if (*len > max)
		vec_fault(v, key, "is too long");
	else
		memcpy(to, text, *len + 1);
}

static void
read_numbers(struct hf__rested *r, struct vec *v, const json_t *in)
{
	r->suite = (uint16_t)vec_uint(v, in, "suite", UINT16_MAX);
	r->mobility = (enum hf_mobility)vec_uint(v, in, "mobility", 2);
	r->channels = vec_uint(v, in, "channels", 1) != 0;
	r->epoch = vec_uint(v, in, "epoch", UINT32_MAX);
	r->serial = vec_uint(v, in, "serial", UINT32_MAX);
	r->covered = vec_uint(v, in, "covered", INT64_MAX);
	r->closed = (unsigned)vec_uint(v, in, "closed", 3);
}

static void
read_rested(struct hf__rested *r, struct vec *v, const json_t *in)
{
	struct hf_span origins[VEC_LIST_MAX], leaf = vec_hex(v, in, "leaf");
	size_t i;

	vec_members(v, in,
	    "suite mobility channels epoch secret serial sent acked received "
	    "covered closed settings target leaf origins");
	read_numbers(r, v, in);
	vec_hex_into(r->secret, sizeof(r->secret), v, in, "secret");
	vec_hex_into(r->settings, sizeof(r->settings), v, in, "settings");
	vec_mark_read(&r->sent, v, in, "sent");
	vec_mark_read(&r->acked, v, in, "acked");
	vec_mark_read(&r->received, v, in, "received");
	copy_text(r->target, &r->target_len, HF_TARGET_MAX, v, in, "target");
	if (leaf.len > sizeof(r->leaf))
		vec_fault(v, "leaf", "is too long");
	else if ((r->leaf_len = leaf.len) > 0)
		memcpy(r->leaf, leaf.ptr, leaf.len);
	r->origin_n = vec_hex_list(origins, v, in, "origins");
	for (i = 0; i < r->origin_n; i++)
		if (i < HF_CHAIN_MAX && origins[i].len == HF_ORIGIN_BYTES)
			memcpy(r->origin[i], origins[i].ptr, HF_ORIGIN_BYTES);
		else
			vec_fault(v, "origins", "are not such of a chain");
}

static json_t *
rested_json(struct vec *v, const struct hf__rested *r)
{
	json_t *json = json_object(), *origins = json_array();
	size_t i;

	vec_put_uint(v, json, "suite", r->suite);
	vec_put_uint(v, json, "mobility", r->mobility);
	vec_put_uint(v, json, "channels", r->channels);
	vec_put_uint(v, json, "epoch", r->epoch);
	vec_put_hex(v, json, "secret", r->secret, sizeof(r->secret));
	vec_put_uint(v, json, "serial", r->serial);
	vec_put(v, json, "sent", vec_mark_json(&r->sent));
	vec_put(v, json, "acked", vec_mark_json(&r->acked));
	vec_put(v, json, "received", vec_mark_json(&r->received));
	vec_put_uint(v, json, "covered", r->covered);
	vec_put_uint(v, json, "closed", r->closed);
	vec_put_hex(v, json, "settings", r->settings, sizeof(r->settings));
	vec_put(v, json, "target", json_string(r->target));
	vec_put_hex(v, json, "leaf", r->leaf, r->leaf_len);
	for (i = 0; i < r->origin_n; i++)
		vec_append(v, origins,
		    vec_json_hex(r->origin[i], HF_ORIGIN_BYTES));
	vec_put(v, json, "origins", origins);
	return json;
}

/* --- kinds ------------------------------------------------------------ */

/* The AAD is written here; it is right when the box opens under it. */
static void
put_inside(struct vec *v, const uint8_t key[32], struct hf_span object)
{
	uint8_t aad[HF_REST_MAX], subkey[2][32], *plain;
	struct hf_span nonce, box;
	struct hf__reader r;
	struct hf__writer w;
	size_t i, from, to;

	hf__read_init(&r, object.ptr, object.len);
	(void)hf__read_list(&r, 6, 6);
	for (from = r.off, i = 0; i < 4; i++)
		(void)hf__read_skip(&r, 1);
	to = r.off;
	nonce = hf__read_bytes(&r, 24, 24);
	box = hf__read_bytes(&r, HF__TAG_BYTES, HF_REST_MAX);
	hf__write_init(&w, aad, sizeof(aad));
	hf__write_list(&w, 5);
	hf__write_text(&w, "handfast/1 rest", 15);
	if (hf__read_end(&r) != HF_OK || w.err != HF_OK ||
	    crypto_kdf_derive_from_key(subkey[0], 32, 1, "hfrest__", key) !=
		0 ||
	    crypto_kdf_derive_from_key(subkey[1], 32, 2, "hfrest__", key) !=
		0) {
		vec_fault(v, "bytes", "do not parse");
		return;
	}
	memcpy(aad + w.len, object.ptr + from, to - from);
	w.len += to - from;
	plain = vec_alloc(v, box.len);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
		box.ptr, box.len, aad, w.len, nonce.ptr, subkey[0]) != 0)
		vec_fault(v, "aad", "does not open it");
	vec_put_hex(v, v->out, "plaintext", plain, box.len - HF__TAG_BYTES);
	vec_put_hex(v, v->out, "aad", aad, w.len);
	vec_put_hex(v, v->out, "box_key", subkey[0], 32);
	vec_put_hex(v, v->out, "nonce_key", subkey[1], 32);
}

enum hf_err
vec_rest(struct vec *v)
{
	struct hf__rested *r = vec_alloc(v, sizeof(*r));
	uint8_t *object = vec_alloc(v, HF_REST_MAX), key[HF_KEY_BYTES];
	struct vec_draws draws;
	size_t len;
	enum hf_err e;

	copy_text(r->peer, &r->peer_len, HF_NAME_MAX, v, v->told, "peer");
	vec_hex_into(r->sid, sizeof(r->sid), v, v->told, "session_id");
	r->expires = vec_uint(v, v->told, "expires", INT64_MAX);
	vec_hex_into(key, sizeof(key), v, v->told, "key");
	read_rested(r, v, vec_get(v, v->told, "state", JSON_OBJECT));
	if (v->failed)
		return HF_OK;
	vec_draws_init(&draws, v, "random");
	vec_random_begin(&draws);
	e = hf__rest_seal(object, &len, r, key);
	vec_random_end();
	vec_draws_done(&draws);
	if (e != HF_OK)
		return e;
	put_inside(v, key, (struct hf_span){ object, len });
	vec_put_hex(v, v->out, "bytes", object, len);
	return HF_OK;
}

enum hf_err
vec_rest_open(struct vec *v)
{
	struct hf_span object = vec_hex(v, v->told, "bytes");
	struct hf__rested *r = vec_alloc(v, sizeof(*r));
	uint8_t key[HF_KEY_BYTES];
	enum hf_err e;

	vec_hex_into(key, sizeof(key), v, v->told, "key");
	if (v->failed)
		return HF_OK;
	if ((e = hf__rest_open(r, vec_text(v, v->told, "peer"), object.ptr,
		 object.len, key)) != HF_OK)
		return e;
	vec_put_hex(v, v->out, "session_id", r->sid, sizeof(r->sid));
	vec_put_uint(v, v->out, "expires", r->expires);
	vec_put(v, v->out, "state", rested_json(v, r));
	return HF_OK;
}
