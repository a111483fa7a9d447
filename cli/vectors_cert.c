/* SPDX-License-Identifier: ISC */
/*
 * Kinds that read and judge signed objects: certificates, requests, chains and
 * revocation lists. All judgement is the library's.
 */
#include <string.h>

#include "cert.h"
#include "vectors.h"

/* --- what a certificate says ------------------------------------------------------- */

static void
put_name(struct vec *v, json_t *to, const char *key,
    const struct hf_name *name)
{
	if (name->len > 0)
		vec_put(v, to, key, json_stringn(name->text, name->len));
}

static void
put_names(struct vec *v, json_t *to, const char *key,
    const struct hf_name *names, size_t n)
{
	json_t *list;
	size_t i;

	if (n == 0)
		return;
	list = json_array();
	for (i = 0; i < n; i++)
		vec_append(v, list, json_stringn(names[i].text, names[i].len));
	vec_put(v, to, key, list);
}

static void
put_suites(struct vec *v, json_t *to, const struct hf_cert_info *info)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < info->suites_n; i++)
		vec_append(v, list, json_integer(info->suites[i]));
	vec_put(v, to, "suites", list);
}

/* What a certificate does not say has no member. */
json_t *
vec_info_json(struct vec *v, const struct hf_cert_info *info)
{
	json_t *json = json_object();

	put_name(v, json, "iss", &info->issuer);
	put_name(v, json, "sub", &info->subject);
	vec_put_hex(v, json, "cti", info->cti, sizeof(info->cti));
	vec_put_hex(v, json, "key", info->key, sizeof(info->key));
	vec_put_uint(v, json, "nbf", info->not_before);
	vec_put_uint(v, json, "exp", info->not_after);
	vec_put_uint(v, json, "iat", info->issued);
	vec_put_uint(v, json, "usage", info->usage);
	put_names(v, json, "names", info->names, info->names_n);
	if (info->suites_n > 0)
		put_suites(v, json, info);
	put_name(v, json, "realm", &info->realm);
	if (info->cost_mib != 0)
		vec_put(v, json, "cost",
		    json_pack("[i,i]", (int)info->cost_mib,
			(int)info->cost_passes));
	put_name(v, json, "cluster", &info->cluster);
	if (info->path_length >= 0)
		vec_put_uint(v, json, "path_length",
		    (uint64_t)info->path_length);
	put_names(v, json, "suffixes", info->permitted_names,
	    info->permitted_names_n);
	put_names(v, json, "realms", info->permitted_realms,
	    info->permitted_realms_n);
	return json;
}

/* Read and not judged: a CA's key is judged with its signature only. */
static enum hf_err
read_info(struct hf_cert_info *info, struct hf_span cert)
{
	struct hf__cert c;
	enum hf_err e;

	if ((e = hf__cert_parse(&c, cert.ptr, cert.len)) != HF_OK)
		return e;
	memset(info, 0, sizeof(*info));
	hf__cert_info(info, &c);
	return HF_OK;
}

enum hf_err
vec_certificate_read(struct vec *v)
{
	struct hf_span cert = vec_hex(v, v->told, "bytes");
	struct hf_cert_info info;
	json_t *json;
	enum hf_err e;

	if (v->failed)
		return HF_OK;
	if ((e = read_info(&info, cert)) != HF_OK)
		return e;
	json = vec_info_json(v, &info);
	if (json_object_update(v->out, json) != 0)
		vec_fault(v, "vector", "cannot be put");
	json_decref(json);
	return HF_OK;
}

enum hf_err
vec_request_read(struct vec *v)
{
	struct hf_span request = vec_hex(v, v->told, "bytes");
	struct hf_cert_info info;
	json_t *names;
	enum hf_err e;
	size_t i;

	if (v->failed)
		return HF_OK;
	if ((e = hf_request_read(&info, request.ptr, request.len)) != HF_OK)
		return e;
	put_name(v, v->out, "sub", &info.subject);
	vec_put_uint(v, v->out, "iat", info.issued);
	vec_put_hex(v, v->out, "key", info.key, sizeof(info.key));
	names = json_array();
	for (i = 0; i < info.names_n; i++)
		vec_append(v, names, json_string(info.names[i].text));
	vec_put(v, v->out, "names", names);
	put_suites(v, v->out, &info);
	return HF_OK;
}

/* --- chains -------------------------------------------------------------------------- */

enum hf_err
vec_chain(struct vec *v)
{
	struct hf_span chain[VEC_LIST_MAX];
	size_t n = vec_hex_list(chain, v, v->told, "chain");
	unsigned usage = (unsigned)vec_uint(v, v->told, "usage", UINT8_MAX);
	const char *name = vec_text_or_null(v, v->told, "name");
	uint64_t now = vec_uint(v, v->told, "now", INT64_MAX);
	struct hf_trust *trust = NULL;
	struct hf_cert_info info;
	enum hf_err e;

	if ((e = vec_trust_make(&trust, v, v->told)) == HF_OK && !v->failed &&
	    (e = hf_trust_verify(&info, trust, chain, n, usage, name, now)) ==
		HF_OK)
		vec_put(v, v->out, "leaf", vec_info_json(v, &info));
	hf_trust_free(trust);
	return e;
}

/* --- revocation lists ------------------------------------------------------------------ */

/* Intermediate CAs are told before the lists; each is valid when it was
 * issued, which is all that is asked of them here. */
static enum hf_err
add_issuers(struct hf_trust *trust, struct vec *v)
{
	struct hf_span spans[VEC_LIST_MAX];
	size_t i, n = vec_hex_list(spans, v, v->told, "intermediates");
	struct hf_cert_info info;
	enum hf_err e;

	for (i = 0; i < n; i++)
		if ((e = read_info(&info, spans[i])) != HF_OK ||
		    (e = hf_trust_add_issuer(trust, spans[i].ptr, spans[i].len,
			 info.not_before)) != HF_OK)
			return e;
	return HF_OK;
}

static enum hf_err
held_trust(struct hf_trust **trust, struct vec *v)
{
	struct hf_span spans[VEC_LIST_MAX];
	enum hf_err e;
	size_t i, n;

	if ((e = hf_trust_new(trust)) != HF_OK)
		return e;
	n = vec_hex_list(spans, v, v->told, "anchors");
	for (i = 0; i < n; i++)
		if ((e = hf_trust_add_ca(*trust, spans[i].ptr,
			 spans[i].len)) != HF_OK)
			return e;
	if ((e = add_issuers(*trust, v)) != HF_OK)
		return e;
	n = vec_hex_list(spans, v, v->told, "lists");
	for (i = 0; i < n; i++)
		if ((e = hf_trust_add_list(*trust, spans[i].ptr,
			 spans[i].len)) != HF_OK)
			return e;
	return HF_OK;
}

static enum hf_err
put_list(struct vec *v, struct hf_span list)
{
	struct hf_list_info info;
	uint8_t cti[HF_CTI_BYTES];
	json_t *revoked;
	enum hf_err e;
	size_t i;

	if ((e = hf_list_read(&info, list.ptr, list.len)) != HF_OK)
		return e;
	put_name(v, v->out, "iss", &info.issuer);
	vec_put_uint(v, v->out, "exp", info.next_update);
	vec_put_uint(v, v->out, "iat", info.issued);
	vec_put_uint(v, v->out, "number", info.number);
	revoked = json_array();
	for (i = 0; i < info.n && e == HF_OK; i++) {
		e = hf_list_id(cti, &info, i);
		vec_append(v, revoked, vec_json_hex(cti, sizeof(cti)));
	}
	vec_put(v, v->out, "revoked", revoked);
	return e;
}

enum hf_err
vec_list_add(struct vec *v)
{
	struct hf_span list = vec_hex(v, v->told, "bytes");
	struct hf_trust *trust = NULL;
	enum hf_err e;

	if ((e = held_trust(&trust, v)) == HF_OK && !v->failed &&
	    (e = hf_trust_add_list(trust, list.ptr, list.len)) == HF_OK)
		e = put_list(v, list);
	hf_trust_free(trust);
	return e;
}
