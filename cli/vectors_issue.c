/* SPDX-License-Identifier: ISC */
/*
 * Kinds that make signed objects: certificate requests, certificates and
 * revocation lists, issued again by the library from the same seed and draws.
 */
#include <stdlib.h>
#include <string.h>

#include "cert.h"
#include "vectors.h"

enum { SIGNED_MAX = 1 << 16 };

/* --- what is signed --------------------------------------------------------------- */

/* Sig_structure of RFC 9052. It is right when the signature verifies over
 * it. */
void
vec_put_signed(struct vec *v, struct hf_span made, const char *label,
    const uint8_t pk[32])
{
	struct hf__sign1 cose;
	uint8_t *tbs = vec_alloc(v, made.len + 128);
	struct hf__writer w;

	if (hf__sign1_read(&cose, made.ptr, made.len) != HF_OK) {
		vec_fault(v, "bytes", "do not read back");
		return;
	}
	hf__write_init(&w, tbs, made.len + 128);
	hf__write_list(&w, 4);
	hf__write_text(&w, "Signature1", 10);
	hf__write_bytes(&w, cose.protected.ptr, cose.protected.len);
	hf__write_bytes(&w, label, strlen(label));
	hf__write_bytes(&w, cose.payload.ptr, cose.payload.len);
	if (w.err != HF_OK ||
	    crypto_sign_verify_detached(cose.signature.ptr, tbs, w.len, pk) !=
		0)
		vec_fault(v, "signed", "is not what is signed");
	vec_put_hex(v, v->out, "payload", cose.payload.ptr, cose.payload.len);
	vec_put_hex(v, v->out, "signed", tbs, w.len);
	vec_put_hex(v, v->out, "signature", cose.signature.ptr,
	    cose.signature.len);
	vec_put_hex(v, v->out, "bytes", made.ptr, made.len);
}

/* --- terms -------------------------------------------------------------------------- */

/* Absent and null are no entries; anything else is a fault. */
static const json_t *
list_or_null(struct vec *v, const json_t *in, const char *key)
{
	const json_t *list = json_object_get(in, key);

	if (list == NULL || json_is_null(list))
		return NULL;
	return vec_get(v, in, key, JSON_ARRAY);
}

static size_t
read_names(struct hf_name names[HF_NAMES_MAX], struct vec *v, const json_t *in,
    const char *key)
{
	const json_t *list = list_or_null(v, in, key);
	const char *text;
	size_t i, n = json_array_size(list);

	if (n > HF_NAMES_MAX) {
		vec_fault(v, key, "has more than %d entries", HF_NAMES_MAX);
		return 0;
	}
	for (i = 0; i < n; i++) {
		text = json_string_value(json_array_get(list, i));
		if (text == NULL || strlen(text) > HF_NAME_MAX) {
			vec_fault(v, key, "holds what is no name");
			return 0;
		}
		names[i].len = strlen(text);
		memcpy(names[i].text, text, names[i].len + 1);
	}
	return n;
}

static size_t
read_suites(uint16_t suites[HF_SUITES_MAX], struct vec *v, const json_t *in)
{
	const json_t *list = list_or_null(v, in, "suites"), *entry;
	size_t i, n = json_array_size(list);
	json_int_t suite;

	if (n > HF_SUITES_MAX)
		vec_fault(v, "suites", "has more than %d entries",
		    HF_SUITES_MAX);
	for (i = 0; i < n && !v->failed; i++) {
		entry = json_array_get(list, i);
		suite = json_integer_value(entry);
		if (!json_is_integer(entry) || suite < 0 || suite > UINT16_MAX)
			vec_fault(v, "suites", "holds what is no suite");
		suites[i] = (uint16_t)suite;
	}
	return v->failed ? 0 : n;
}

static void
read_cost(struct hf_cert_info *info, struct vec *v, const json_t *terms)
{
	const json_t *cost = list_or_null(v, terms, "cost");
	json_int_t mib, passes;

	if (cost == NULL)
		return;
	mib = json_integer_value(json_array_get(cost, 0));
	passes = json_integer_value(json_array_get(cost, 1));
	if (json_array_size(cost) != 2 || mib < 0 || mib > UINT16_MAX ||
	    passes < 0 || passes > UINT16_MAX) {
		vec_fault(v, "cost", "is not memory and passes");
		return;
	}
	info->cost_mib = (unsigned)mib;
	info->cost_passes = (unsigned)passes;
}

static void
read_terms(struct hf_cert_info *info, struct vec *v, const json_t *terms)
{
	vec_members(v, terms,
	    "sub nbf exp iat usage names suites realm cost cluster "
	    "path_length suffixes realms");
	memset(info, 0, sizeof(*info));
	vec_name(&info->subject, v, terms, "sub");
	info->not_before = vec_uint(v, terms, "nbf", INT64_MAX);
	info->not_after = vec_uint(v, terms, "exp", INT64_MAX);
	info->issued = vec_uint(v, terms, "iat", INT64_MAX);
	info->usage = (unsigned)vec_uint(v, terms, "usage", UINT8_MAX);
	info->names_n = read_names(info->names, v, terms, "names");
	info->suites_n = read_suites(info->suites, v, terms);
	vec_name(&info->realm, v, terms, "realm");
	read_cost(info, v, terms);
	vec_name(&info->cluster, v, terms, "cluster");
	info->path_length = vec_is_null(terms, "path_length") ?
	    -1 :
	    (int)vec_uint(v, terms, "path_length", UINT8_MAX);
	info->permitted_names_n =
	    read_names(info->permitted_names, v, terms, "suffixes");
	info->permitted_realms_n =
	    read_names(info->permitted_realms, v, terms, "realms");
}

/* --- kinds --------------------------------------------------------------------------- */

enum hf_err
vec_request(struct vec *v)
{
	struct hf_identity *id = NULL;
	uint8_t seed[HF_SEED_BYTES], *made = vec_alloc(v, HF_CERT_MAX);
	struct hf_cert_info info = { 0 };
	uint64_t now = vec_uint(v, v->told, "iat", INT64_MAX);
	size_t len;
	enum hf_err e;

	vec_hex_into(seed, sizeof(seed), v, v->told, "seed");
	vec_name(&info.subject, v, v->told, "sub");
	info.names_n = read_names(info.names, v, v->told, "names");
	info.suites_n = read_suites(info.suites, v, v->told);
	if (v->failed)
		return HF_OK;
	if ((e = hf_identity_new(&id, seed)) == HF_OK &&
	    (e = hf_request_make(made, HF_CERT_MAX, &len, id, &info, now)) ==
		HF_OK)
		vec_put_signed(v, (struct hf_span){ made, len },
		    HF__LABEL_REQUEST, id->sign_pk);
	hf_identity_free(id);
	return e;
}

/* An anchor asks for itself: the request shows its key only. */
static enum hf_err
issue(uint8_t *made, size_t *len, struct vec *v, const struct hf_identity *ca,
    const struct hf_cert_info *terms)
{
	struct hf_span request = vec_hex(v, v->told, "request"), above;
	struct hf_cert_info asked;
	enum hf_err e;

	if (!vec_is_null(v->told, "issuer")) {
		above = vec_hex(v, v->told, "issuer");
		if (v->failed)
			return HF_OK;
		return hf_cert_issue(made, HF_CERT_MAX, len, ca, above.ptr,
		    above.len, terms, request.ptr, request.len);
	}
	if ((e = hf_request_read(&asked, request.ptr, request.len)) != HF_OK)
		return e;
	if (memcmp(asked.key, ca->sign_pk, sizeof(asked.key)) != 0)
		vec_fault(v, "request", "is not by the anchor's key");
	return hf_cert_self(made, HF_CERT_MAX, len, ca, terms);
}

enum hf_err
vec_certificate(struct vec *v)
{
	struct hf_identity *ca = NULL;
	uint8_t seed[HF_SEED_BYTES], *made = vec_alloc(v, HF_CERT_MAX);
	struct hf_cert_info terms, info;
	struct vec_draws draws;
	size_t len = 0;
	enum hf_err e;

	vec_hex_into(seed, sizeof(seed), v, v->told, "issuer_seed");
	read_terms(&terms, v, vec_get(v, v->told, "terms", JSON_OBJECT));
	vec_draws_init(&draws, v, "random");
	if (json_array_size(draws.list) != 1)
		vec_fault(v, "random", "is not the cti alone");
	if (v->failed)
		return HF_OK;
	if ((e = hf_identity_new(&ca, seed)) != HF_OK)
		return e;
	vec_random_begin(&draws);
	e = issue(made, &len, v, ca, &terms);
	vec_random_end();
	if (e == HF_OK && !v->failed &&
	    (e = hf_cert_read(&info, made, len)) == HF_OK) {
		vec_draws_done(&draws);
		vec_put_hex(v, v->out, "key", info.key, sizeof(info.key));
		vec_put_signed(v, (struct hf_span){ made, len },
		    HF__LABEL_CERTIFICATE, ca->sign_pk);
	}
	hf_identity_free(ca);
	return e;
}

/* The library wants the CA's certificate for its name. */
static enum hf_err
own_cert(uint8_t *cert, size_t *len, struct vec *v,
    const struct hf_identity *ca)
{
	struct hf_cert_info terms = { .not_after = 1,
		.usage = HF_USAGE_CA,
		.path_length = -1 };

	vec_name(&terms.subject, v, v->told, "iss");
	return hf_cert_self(cert, HF_CERT_MAX, len, ca, &terms);
}

static uint8_t *
read_ids(struct vec *v, size_t *n)
{
	const json_t *list = vec_get(v, v->told, "revoked", JSON_ARRAY);
	struct hf_span cti;
	uint8_t *ids;
	size_t i;

	*n = json_array_size(list);
	ids = vec_alloc(v, *n * HF_CTI_BYTES);
	for (i = 0; i < *n; i++) {
		cti = vec_unhex(v, json_array_get(list, i), "revoked");
		if (cti.len != HF_CTI_BYTES) {
			vec_fault(v, "revoked", "holds what is no cti");
			break;
		}
		memcpy(ids + i * HF_CTI_BYTES, cti.ptr, HF_CTI_BYTES);
	}
	return ids;
}

enum hf_err
vec_list(struct vec *v)
{
	uint8_t cert[HF_CERT_MAX], seed[HF_SEED_BYTES];
	uint8_t *made = vec_alloc(v, SIGNED_MAX);
	struct hf_identity *ca = NULL;
	uint64_t exp = vec_uint(v, v->told, "exp", INT64_MAX);
	uint64_t iat = vec_uint(v, v->told, "iat", INT64_MAX);
	uint64_t number = vec_uint(v, v->told, "number", INT64_MAX);
	size_t n, cert_len, len;
	const uint8_t *ids = read_ids(v, &n);
	enum hf_err e;

	vec_hex_into(seed, sizeof(seed), v, v->told, "seed");
	if (v->failed)
		return HF_OK;
	if ((e = hf_identity_new(&ca, seed)) == HF_OK &&
	    (e = own_cert(cert, &cert_len, v, ca)) == HF_OK &&
	    (e = hf_list_make(made, SIGNED_MAX, &len, ca, cert, cert_len,
		 number, ids, n, iat, exp)) == HF_OK)
		vec_put_signed(v, (struct hf_span){ made, len },
		    HF__LABEL_LIST, ca->sign_pk);
	hf_identity_free(ca);
	return e;
}
