/* SPDX-License-Identifier: ISC */
/*
 * Kinds of tickets: sealed again from the same draws, opened by a ring and
 * judged for a responder, read from the holder's file.
 */
#include <string.h>

#include "cert.h"
#include "vectors.h"

enum { FILE_MAX = HF_TICKET_MAX + 1024 };

static void
read_terms(struct hf_ticket_info *info, struct vec *v, const json_t *terms)
{
	struct hf_span origins[VEC_LIST_MAX];
	size_t i;

	vec_members(v, terms,
	    "sub aud exp iat single_use method first limit ?origins");
	memset(info, 0, sizeof(*info));
	vec_name(&info->subject, v, terms, "sub");
	vec_name(&info->audience, v, terms, "aud");
	info->expires = vec_uint(v, terms, "exp", INT64_MAX);
	info->issued = vec_uint(v, terms, "iat", INT64_MAX);
	info->single_use = (int)vec_uint(v, terms, "single_use", 1);
	info->first_method = (unsigned)vec_uint(v, terms, "method", UINT8_MAX);
	info->first_auth = vec_uint(v, terms, "first", INT64_MAX);
	info->limit = vec_uint(v, terms, "limit", INT64_MAX);
	if (json_object_get(terms, "origins") == NULL)
		return;
	info->origin_n = vec_hex_list(origins, v, terms, "origins");
	for (i = 0; i < info->origin_n; i++)
		if (i < HF_CHAIN_MAX && origins[i].len == HF_ORIGIN_BYTES)
			memcpy(info->origin[i], origins[i].ptr,
			    HF_ORIGIN_BYTES);
		else
			vec_fault(v, "origins", "are not such of a chain");
}

/* A ring of the one key. */
static enum hf_err
one_key(struct hf_ring **ring, struct vec *v)
{
	json_t *keys = json_array();
	enum hf_err e;

	vec_append(v, keys, json_incref(json_object_get(v->told, "ring_key")));
	e = vec_ring_make(ring, v, keys);
	json_decref(keys);
	return e;
}

/* Enc_structure of RFC 9052. It is right when the ticket opens under it. */
static void
put_inside(struct vec *v, const struct hf__encrypt0 *cose,
    const uint8_t key[32])
{
	size_t len = cose->ciphertext.len - HF__TAG_BYTES;
	uint8_t aad[128], *claims = vec_alloc(v, cose->ciphertext.len);
	struct hf__writer w;

	hf__write_init(&w, aad, sizeof(aad));
	hf__write_list(&w, 3);
	hf__write_text(&w, "Encrypt0", 8);
	hf__write_bytes(&w, cose->protected.ptr, cose->protected.len);
	hf__write_bytes(&w, HF__LABEL_TICKET, strlen(HF__LABEL_TICKET));
	if (w.err != HF_OK ||
	    crypto_aead_chacha20poly1305_ietf_decrypt(claims, NULL, NULL,
		cose->ciphertext.ptr, cose->ciphertext.len, aad, w.len,
		cose->iv.ptr, key) != 0)
		vec_fault(v, "aad", "does not open the ticket");
	vec_put_hex(v, v->out, "claims", claims, len);
	vec_put_hex(v, v->out, "protected", cose->protected.ptr,
	    cose->protected.len);
	vec_put_hex(v, v->out, "aad", aad, w.len);
}

static enum hf_err
put_file(struct vec *v, const struct hf_ring *ring, struct hf_span made)
{
	char *text = vec_alloc(v, 2 * FILE_MAX);
	struct hf__ticket_file file;
	struct hf__encrypt0 cose;
	struct hf_ticket_info info;
	uint8_t pop[HF_KEY_BYTES];
	size_t len;
	enum hf_err e;

	if ((e = hf__ticket_file_read(&file, made.ptr, made.len)) != HF_OK ||
	    (e = hf__encrypt0_read(&cose, file.ticket.ptr, file.ticket.len)) !=
		HF_OK ||
	    (e = hf__ticket_open(&info, pop, ring, file.ticket)) != HF_OK ||
	    (e = hf_pem_encode(text, 2 * (size_t)FILE_MAX, &len,
		 "HANDFAST TICKET", made.ptr, made.len)) != HF_OK)
		return e;
	if (memcmp(pop, file.key.ptr, sizeof(pop)) != 0)
		vec_fault(v, "file", "holds another key than the ticket");
	put_inside(v, &cose, ring->keys[0].key);
	vec_put_hex(v, v->out, "ticket", file.ticket.ptr, file.ticket.len);
	vec_put_hex(v, v->out, "file", made.ptr, made.len);
	vec_put_lines(v, v->out, "text", text);
	return HF_OK;
}

enum hf_err
vec_ticket(struct vec *v)
{
	uint8_t *made = vec_alloc(v, FILE_MAX);
	struct hf_ring *ring = NULL;
	struct hf_ticket_info info;
	struct vec_draws draws;
	size_t len = 0;
	enum hf_err e;

	read_terms(&info, v, vec_get(v, v->told, "terms", JSON_OBJECT));
	vec_draws_init(&draws, v, "random");
	if ((e = one_key(&ring, v)) != HF_OK || v->failed)
		goto out;
	vec_random_begin(&draws);
	e = hf_ticket_issue(made, FILE_MAX, &len, ring, &info);
	vec_random_end();
	vec_draws_done(&draws);
	if (e == HF_OK)
		e = put_file(v, ring, (struct hf_span){ made, len });
out:
	hf_ring_free(ring);
	return e;
}

/* --- accepting --------------------------------------------------------------------- */

/* Section 7.2, steps 4 and 5; in a session they are request.c's, and tried by
 * the kinds "handshake" and "session". */
static enum hf_err
judge(const struct hf_ticket_info *info, const struct hf__cert *leaf,
    const struct hf_trust *trust, uint64_t now, uint64_t tolerance)
{
	if (!hf__cert_named(leaf, info->audience.text, info->audience.len))
		return HF_E_TICKET;
	if (now >= info->expires || now >= info->limit)
		return HF_E_EXPIRED;
	if (info->issued > now + tolerance)
		return HF_E_NOT_YET;
	return hf__origins_judge(trust, info, now);
}

static void
put_origins(struct vec *v, const struct hf_ticket_info *info)
{
	json_t *origins = json_array();
	size_t i;

	for (i = 0; i < info->origin_n; i++)
		vec_append(v, origins,
		    vec_json_hex(info->origin[i], HF_ORIGIN_BYTES));
	vec_put(v, v->out, "origins", origins);
}

static void
put_info(struct vec *v, const struct hf_ticket_info *info,
    const uint8_t pop[HF_KEY_BYTES])
{
	vec_put(v, v->out, "sub", json_string(info->subject.text));
	vec_put(v, v->out, "aud", json_string(info->audience.text));
	vec_put_uint(v, v->out, "exp", info->expires);
	vec_put_uint(v, v->out, "iat", info->issued);
	vec_put_uint(v, v->out, "single_use", (uint64_t)info->single_use);
	vec_put_uint(v, v->out, "method", info->first_method);
	vec_put_uint(v, v->out, "first", info->first_auth);
	vec_put_uint(v, v->out, "limit", info->limit);
	vec_put_hex(v, v->out, "cti", info->cti, sizeof(info->cti));
	vec_put_hex(v, v->out, "proof", pop, HF_KEY_BYTES);
}

/* Whom the responder believes; nobody where that is not told. */
static enum hf_err
read_trust(struct hf_trust **trust, struct vec *v)
{
	if (json_object_get(v->told, "anchors") == NULL)
		return hf_trust_new(trust);
	return vec_trust_make(trust, v, v->told);
}

enum hf_err
vec_ticket_accept(struct vec *v)
{
	struct hf_span ticket = vec_hex(v, v->told, "ticket");
	struct hf_span cert = vec_hex(v, v->told, "leaf");
	uint64_t now = vec_uint(v, v->told, "now", INT64_MAX);
	uint64_t tolerance = vec_uint(v, v->told, "tolerance", UINT32_MAX);
	struct hf_ticket_info info;
	uint8_t pop[HF_KEY_BYTES];
	struct hf_trust *trust = NULL;
	struct hf_ring *ring = NULL;
	struct hf__cert leaf;
	enum hf_err e;

	if ((e = vec_ring_make(&ring, v,
		 vec_get(v, v->told, "ring", JSON_ARRAY))) != HF_OK ||
	    (e = read_trust(&trust, v)) != HF_OK || v->failed)
		goto out;
	if ((e = hf__cert_parse(&leaf, cert.ptr, cert.len)) != HF_OK ||
	    (e = hf__ticket_open(&info, pop, ring, ticket)) != HF_OK ||
	    (e = judge(&info, &leaf, trust, now, tolerance)) != HF_OK)
		goto out;
	put_info(v, &info, pop);
	if (json_object_get(v->told, "anchors") != NULL)
		put_origins(v, &info);
out:
	hf_trust_free(trust);
	hf_ring_free(ring);
	return e;
}

enum hf_err
vec_ticket_file_read(struct vec *v)
{
	struct hf_span file = vec_hex(v, v->told, "file");
	struct hf__ticket_file f;
	enum hf_err e;

	if (v->failed)
		return HF_OK;
	if ((e = hf__ticket_file_read(&f, file.ptr, file.len)) != HF_OK)
		return e;
	vec_put_hex(v, v->out, "ticket", f.ticket.ptr, f.ticket.len);
	vec_put_hex(v, v->out, "proof", f.key.ptr, f.key.len);
	vec_put(v, v->out, "sub", vec_json_text(f.subject));
	vec_put(v, v->out, "aud", vec_json_text(f.audience));
	vec_put_uint(v, v->out, "iat", f.issued);
	vec_put_uint(v, v->out, "exp", f.expires);
	vec_put_uint(v, v->out, "single_use", (uint64_t)f.single_use);
	vec_put_uint(v, v->out, "limit", f.limit);
	return HF_OK;
}
