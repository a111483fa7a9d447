/* SPDX-License-Identifier: ISC */
/*
 * The configuration of a vector's side: keys, chains, trust, suites, tokens,
 * set by the library's own functions. It starts no session.
 */
#include <string.h>

#include "vectors.h"

/* --- objects that configurations borrow ------------------------------------------- */

enum hf_err
vec_trust_make(struct hf_trust **trust, struct vec *v, const json_t *in)
{
	struct hf_span spans[VEC_LIST_MAX];
	enum hf_err e;
	size_t i, n;

	if ((e = hf_trust_new(trust)) != HF_OK)
		return e;
	n = vec_hex_list(spans, v, in, "anchors");
	for (i = 0; i < n; i++)
		if ((e = hf_trust_add_ca(*trust, spans[i].ptr,
			 spans[i].len)) != HF_OK)
			return e;
	n = vec_hex_list(spans, v, in, "lists");
	for (i = 0; i < n; i++)
		if ((e = hf_trust_add_list(*trust, spans[i].ptr,
			 spans[i].len)) != HF_OK)
			return e;
	return HF_OK;
}

/* Keys as told, in that order. */
enum hf_err
vec_ring_make(struct hf_ring **ring, struct vec *v, const json_t *keys)
{
	const json_t *key;
	enum hf_err e;
	size_t i;

	if (json_array_size(keys) > HF_RING_MAX) {
		vec_fault(v, "ring", "has more than %d keys", HF_RING_MAX);
		return HF_OK;
	}
	if ((e = hf_ring_new(ring)) != HF_OK)
		return e;
	for (i = 0; i < json_array_size(keys); i++) {
		key = json_array_get(keys, i);
		vec_members(v, key, "kid key created");
		vec_hex_into((*ring)->keys[i].kid, HF__KID_BYTES, v, key,
		    "kid");
		vec_hex_into((*ring)->keys[i].key, HF_KEY_BYTES, v, key,
		    "key");
		(*ring)->keys[i].created =
		    vec_uint(v, key, "created", INT64_MAX);
	}
	(*ring)->n = i;
	return HF_OK;
}

/* --- suites ------------------------------------------------------------------------ */

/* Vectors know suites 1 and 2; the second is not to be had everywhere. */
int
vec_lacks_suite(uint64_t suite)
{
	return (suite == 1 || suite == 2) && hf__suite_find(suite) == NULL;
}

static size_t
read_suites(uint16_t suites[HF_SUITES_MAX], struct vec_side *side)
{
	const json_t *list =
	    vec_get(side->v, side->told, "suites", JSON_ARRAY);
	size_t i, n = json_array_size(list);
	json_int_t suite;

	if (n == 0 || n > HF_SUITES_MAX) {
		vec_fault(side->v, "suites", "has %zu entries", n);
		return 0;
	}
	for (i = 0; i < n; i++) {
		suite = json_integer_value(json_array_get(list, i));
		if (suite < 1 || suite > UINT16_MAX)
			vec_fault(side->v, "suites", "holds what is no suite");
		suites[i] = (uint16_t)suite;
	}
	return n;
}

/* A suite that this processor lacks may be named all the same; what would use
 * it is skipped. */
static enum hf_err
set_suites(struct vec_side *side)
{
	struct hf_config *c = side->config;
	uint16_t suites[HF_SUITES_MAX];
	size_t i, n = read_suites(suites, side);
	enum hf_err e;

	if (side->v->failed)
		return HF_OK;
	if (vec_lacks_suite(suites[0]))
		side->v->skipped = 1;
	if ((e = hf_config_suites(c, suites, n)) != HF_E_UNSUPPORTED)
		return e;
	for (i = 0; i < n; i++)
		if (hf__suite_find(suites[i]) == NULL &&
		    !vec_lacks_suite(suites[i]))
			return e;
	memcpy(c->suites, suites, n * sizeof(*suites));
	c->suites_n = n;
	return HF_OK;
}

/* The suites of a responder are those of its leaf: it must be able to run
 * each (spec section 3.1). */
static enum hf_err
runs_all(struct vec_side *side, const struct hf__cert *leaf)
{
	uint16_t suites[HF_SUITES_MAX];
	size_t i, k, n = read_suites(suites, side);

	for (i = 0; i < leaf->suites_n; i++) {
		for (k = 0; k < n && suites[k] != leaf->suites[i]; k++)
			;
		if (k == n)
			return HF_E_UNSUPPORTED;
	}
	return HF_OK;
}

/* --- configurations ----------------------------------------------------------------- */

static enum hf_err
set_own(struct vec_side *side, const json_t *in)
{
	struct hf_span chain[VEC_LIST_MAX];
	uint8_t seed[HF_SEED_BYTES];
	enum hf_err e;
	size_t n;

	vec_hex_into(seed, sizeof(seed), side->v, in, "seed");
	n = vec_hex_list(chain, side->v, in, "chain");
	if (side->v->failed)
		return HF_OK;
	if ((e = hf_identity_new(&side->id, seed)) != HF_OK)
		return e;
	return hf_config_identity(side->config, side->id, chain, n);
}

/* A responder whose leaf lists a suite that only this processor lacks: its
 * configuration is put together from the parts, so that the vectors of the
 * other suites can be verified here. */
static enum hf_err
set_own_regardless(struct vec_side *side)
{
	struct hf_config *c = side->config;
	struct hf_span chain[VEC_LIST_MAX];
	size_t n = vec_hex_list(chain, side->v, side->told, "chain");
	enum hf_err e;

	c->role = HF_INITIATOR;
	e = hf_config_responder(c, chain, n);
	c->role = HF_RESPONDER;
	if (e != HF_OK)
		return e;
	c->own = c->responder;
	c->responder = (struct hf__chain){ 0 };
	c->id = side->id;
	return hf__cert_parse(&c->own_leaf, c->own.cert[0].ptr,
	    c->own.cert[0].len);
}

static enum hf_err
set_own_responder(struct vec_side *side)
{
	struct hf_span chain[VEC_LIST_MAX];
	struct hf__cert leaf;
	enum hf_err e, result;
	size_t i;

	if ((result = set_own(side, side->told)) != HF_OK &&
	    result != HF_E_UNSUPPORTED)
		return result;
	if (side->v->failed)
		return HF_OK;
	(void)vec_hex_list(chain, side->v, side->told, "chain");
	if ((e = hf__cert_parse(&leaf, chain[0].ptr, chain[0].len)) != HF_OK ||
	    (e = runs_all(side, &leaf)) != HF_OK || result == HF_OK)
		return e;
	for (i = 0; i < leaf.suites_n; i++)
		if (hf__suite_find(leaf.suites[i]) == NULL &&
		    !vec_lacks_suite(leaf.suites[i]))
			return result;
	if (leaf.suites_n == 1)
		side->v->skipped = 1;
	return set_own_regardless(side);
}

enum hf_err
vec_set_ticket(struct vec_side *side, const json_t *token)
{
	struct hf_span file = vec_hex(side->v, token, "file");

	vec_members(side->v, token, "kind file");
	return hf_config_ticket(side->config, file.ptr, file.len);
}

static enum hf_err
set_user(struct vec_side *side, const json_t *token, enum hf_method method)
{
	vec_members(side->v, token, "kind user password");
	return hf_config_user(side->config, vec_text(side->v, token, "user"),
	    method);
}

static enum hf_err
set_token(struct vec_side *side)
{
	const json_t *token =
	    vec_get(side->v, side->told, "token", JSON_OBJECT);
	const char *kind = vec_text(side->v, token, "kind");

	if (strcmp(kind, "certificate") == 0) {
		vec_members(side->v, token, "kind seed chain");
		return set_own(side, token);
	}
	if (strcmp(kind, "password") == 0)
		return set_user(side, token, HF_METHOD_PASSWORD);
	if (strcmp(kind, "plain") == 0)
		return set_user(side, token, HF_METHOD_PLAIN_PASSWORD);
	if (strcmp(kind, "ticket") != 0)
		vec_fault(side->v, "token.kind", "unknown kind '%s'", kind);
	return HF_OK; /* set when the side was made */
}

/* With `prekey` a chain known beforehand is not used (section 4.2). */
enum hf_err
vec_set_initiator(struct vec_side *side)
{
	const char *expect, *realm;
	struct hf_config *c = side->config;
	struct hf_span chain[VEC_LIST_MAX];
	enum hf_err e;
	size_t n;

	expect = vec_text_or_null(side->v, side->told, "expect");
	realm = vec_text_or_null(side->v, side->told, "realm");
	if ((e = set_token(side)) != HF_OK ||
	    (e = set_suites(side)) != HF_OK ||
	    (expect != NULL && (e = hf_config_expect(c, expect)) != HF_OK) ||
	    (realm != NULL && (e = hf_config_realm(c, realm)) != HF_OK) ||
	    (e = hf_config_target(c,
		 vec_text(side->v, side->told, "target"))) != HF_OK ||
	    (json_object_get(side->told, "dispatched") != NULL &&
		(e = hf_config_dispatched(c,
		     vec_bool(side->v, side->told, "dispatched"))) != HF_OK))
		return e;
	if (vec_bool(side->v, side->told, "prekey") ||
	    vec_is_null(side->told, "responder_chain"))
		return HF_OK;
	n = vec_hex_list(chain, side->v, side->told, "responder_chain");
	if ((e = hf_config_without_prekey(c, 1)) != HF_OK)
		return e;
	return hf_config_responder(c, chain, n);
}

static unsigned
read_kinds(struct vec_side *side)
{
	static const char *const names[] = { "certificate", "password",
		"plain", "ticket" };
	const json_t *kinds =
	    vec_get(side->v, side->told, "kinds", JSON_ARRAY);
	unsigned bits = 0;
	size_t i, known = 0;

	for (i = 0; i < HF__ARRAY_N(names); i++)
		if (vec_holds(kinds, names[i])) {
			bits |= 1U << i;
			known++;
		}
	if (known != json_array_size(kinds))
		vec_fault(side->v, "kinds", "holds one that is not known");
	return bits;
}

/* Where it has a store: what it holds of its cluster. */
static enum hf_err
set_vault(struct vec_side *side)
{
	const json_t *told = json_object_get(side->told, "cluster");
	enum hf_err e;

	if (told == NULL)
		return HF_OK;
	vec_members(side->v, told, "name owner mobility scopes");
	if ((e = vec_vault_make(&side->vault, side->v,
		 vec_text(side->v, told, "name"),
		 vec_text(side->v, told, "owner"),
		 vec_get(side->v, told, "scopes", JSON_ARRAY))) != HF_OK ||
	    side->v->failed)
		return e;
	return hf_config_vault(side->config, side->vault,
	    (enum hf_mobility)vec_uint(side->v, told, "mobility", 2));
}

enum hf_err
vec_set_responder(struct vec_side *side)
{
	const json_t *in = side->told;
	struct hf_config *c = side->config;
	uint8_t key[HF_KEY_BYTES];
	enum hf_err e;

	vec_hex_into(key, sizeof(key), side->v, in, "cookie_key");
	if ((e = set_own_responder(side)) != HF_OK ||
	    (e = hf_config_accept(c, read_kinds(side))) != HF_OK ||
	    (e = hf_config_cookie_key(c, key)) != HF_OK ||
	    (e = hf_config_tolerance(c,
		 (uint32_t)vec_uint(side->v, in, "tolerance", UINT32_MAX))) !=
		HF_OK ||
	    (e = hf_config_lifetime(c,
		 (uint32_t)vec_uint(side->v, in, "lifetime", UINT32_MAX))) !=
		HF_OK ||
	    (e = set_vault(side)) != HF_OK)
		return e;
	if (vec_is_null(in, "ring"))
		return HF_OK;
	e = vec_ring_make(&side->ring, side->v,
	    vec_get(side->v, in, "ring", JSON_ARRAY));
	return e != HF_OK || side->ring == NULL ?
	    e :
	    hf_config_ring(c, side->ring);
}

/* Not there: false. */
static bool
told_true(const struct vec_side *side, const char *key)
{
	return json_object_get(side->told, key) != NULL &&
	    vec_bool(side->v, side->told, key);
}

enum hf_err
vec_set_common(struct vec_side *side)
{
	uint64_t seconds =
	    vec_uint(side->v, side->told, "deadline", UINT32_MAX / 1000);
	enum hf_err e;

	if ((e = vec_trust_make(&side->trust, side->v, side->told)) != HF_OK ||
	    (e = hf_config_trust(side->config, side->trust)) != HF_OK ||
	    (e = hf_config_grease(side->config,
		 vec_bool(side->v, side->told, "grease"))) != HF_OK ||
	    (e = hf_config_refresh(side->config,
		 told_true(side, "refresh"))) != HF_OK ||
	    (e = hf_config_channels(side->config,
		 told_true(side, "channels"))) != HF_OK)
		return e;
	return hf_config_deadline(side->config, (uint32_t)seconds * 1000);
}
