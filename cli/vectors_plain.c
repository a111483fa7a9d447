/* SPDX-License-Identifier: ISC */
/*
 * Kinds that need no object: passwords, cookies, HPKE and strict CBOR.
 */
#include <string.h>

#include "vectors.h"

/* The salt and what it is hashed from are written here: the library keeps them
 * to itself. Stretched with that salt, the same must come out. */
static enum hf_err
put_salt(struct vec *v, const char *realm, const char *user,
    const char *password, const uint8_t stretched[HF_KEY_BYTES])
{
	unsigned mib = (unsigned)vec_uint(v, v->told, "mib", 1024);
	unsigned passes = (unsigned)vec_uint(v, v->told, "passes", 10);
	uint8_t input[HF_NAME_MAX + HF_USER_MAX + 64], salt[32], again[32];
	struct hf__writer w;
	enum hf_err e;

	hf__write_init(&w, input, sizeof(input));
	hf__write_list(&w, 3);
	hf__write_text(&w, "handfast/1 password", 19);
	hf__write_text(&w, realm, strlen(realm));
	hf__write_text(&w, user, strlen(user));
	if ((e = w.err) != HF_OK)
		return e;
	if (crypto_hash_sha256(salt, input, w.len) != 0)
		return HF_E_CRYPTO;
	if ((e = vec_argon2(again, password, salt, mib, passes)) != HF_OK)
		return e;
	if (memcmp(again, stretched, sizeof(again)) != 0)
		vec_fault(v, "salt", "does not give what is stretched");
	vec_put_hex(v, v->out, "salt_input", input, w.len);
	vec_put_hex(v, v->out, "salt", salt, crypto_pwhash_SALTBYTES);
	return HF_OK;
}

enum hf_err
vec_password(struct vec *v)
{
	const char *realm = vec_text(v, v->told, "realm");
	const char *user = vec_text(v, v->told, "user");
	const char *password = vec_text(v, v->told, "password");
	unsigned mib = (unsigned)vec_uint(v, v->told, "mib", 1024);
	unsigned passes = (unsigned)vec_uint(v, v->told, "passes", 10);
	uint8_t stretched[HF_KEY_BYTES], verifier[HF_KEY_BYTES];
	enum hf_err e;

	if (v->failed)
		return HF_OK;
	if ((e = vec_stretch(stretched, password, realm, user, mib, passes)) !=
		HF_OK ||
	    (e = hf_password_verifier(verifier, stretched)) != HF_OK ||
	    (e = put_salt(v, realm, user, password, stretched)) != HF_OK)
		return e;
	vec_put_hex(v, v->out, "stretched", stretched, sizeof(stretched));
	vec_put_hex(v, v->out, "verifier", verifier, sizeof(verifier));
	return HF_OK;
}

/* --- cookies ------------------------------------------------------------------------- */

enum hf_err
vec_cookie(struct vec *v)
{
	struct hf_span source = vec_hex(v, v->told, "source");
	unsigned type = (unsigned)vec_uint(v, v->told, "type", HF__RECORD);
	uint64_t time = vec_uint(v, v->told, "time", INT64_MAX);
	uint8_t key[HF_KEY_BYTES], cookie[HF__COOKIE_BYTES];

	vec_hex_into(key, sizeof(key), v, v->told, "key");
	if (source.len > HF_SOURCE_MAX)
		return HF_E_ARG;
	hf__cookie_make(cookie, key, (enum hf__type)type, source, time);
	vec_put_hex(v, v->out, "cookie", cookie, sizeof(cookie));
	return HF_OK;
}

enum hf_err
vec_cookie_judge(struct vec *v)
{
	struct hf_span source = vec_hex(v, v->told, "source");
	struct hf_span cookie = vec_hex(v, v->told, "cookie");
	unsigned type = (unsigned)vec_uint(v, v->told, "type", HF__RECORD);
	uint64_t now = vec_uint(v, v->told, "now", INT64_MAX);
	uint8_t key[HF_KEY_BYTES];

	vec_hex_into(key, sizeof(key), v, v->told, "key");
	vec_put(v, v->out, "valid",
	    json_boolean(hf__cookie_valid(cookie, key, (enum hf__type)type,
		source, now)));
	return HF_OK;
}

/* --- HPKE ------------------------------------------------------------------------------ */

struct sealing {
	struct hf__hpke_base base;
	struct hf__pair recipient, ephemeral, other;
	bool psk;
	uint8_t ss[32], psk_ss[32];
};

/* One encapsulation, and that its decapsulation gives the same. */
static enum hf_err
encap(uint8_t ss[32], struct vec *v, const struct sealing *s,
    const struct hf__pair *to)
{
	const struct hf__kem *kem = &hf__kem_x25519;
	uint8_t again[32];
	enum hf_err e;

	if ((e = kem->encap(ss, NULL, &s->base, &s->ephemeral, to->pk)) !=
		HF_OK ||
	    (e = kem->decap(again, &s->base, to, s->ephemeral.pk)) != HF_OK)
		return e;
	if (memcmp(ss, again, 32) != 0)
		vec_fault(v, "shared_secret", "is another when decapsulated");
	return HF_OK;
}

static enum hf_err
read_sealing(struct sealing *s, struct vec *v)
{
	const struct hf__kem *kem = &hf__kem_x25519;
	uint8_t recipient[32], ephemeral[32], other[32];
	enum hf_err e;

	hf__hpke_base_init(&s->base);
	s->psk = vec_uint(v, v->told, "mode", 1) == HF__HPKE_PSK;
	if (s->psk == vec_is_null(v->told, "psk_private"))
		vec_fault(v, "psk_private", "does not fit the mode");
	vec_hex_into(recipient, 32, v, v->told, "recipient_private");
	vec_hex_into(ephemeral, 32, v, v->told, "ephemeral_private");
	if (s->psk)
		vec_hex_into(other, 32, v, v->told, "psk_private");
	if (v->failed)
		return HF_OK;
	if ((e = kem->pair(&s->recipient, recipient)) != HF_OK ||
	    (e = kem->pair(&s->ephemeral, ephemeral)) != HF_OK ||
	    (e = encap(s->ss, v, s, &s->recipient)) != HF_OK)
		return e;
	if (s->psk &&
	    ((e = kem->pair(&s->other, other)) != HF_OK ||
		(e = encap(s->psk_ss, v, s, &s->other)) != HF_OK))
		return e;
	return HF_OK;
}

static enum hf_err
put_box(struct vec *v, const struct hf__hpke *ctx)
{
	struct hf_span aad = vec_hex(v, v->told, "aad");
	struct hf_span plain = vec_hex(v, v->told, "plaintext");
	size_t len = plain.len + HF__TAG_BYTES;
	uint8_t *box = vec_alloc(v, len), *again = vec_alloc(v, len);
	struct hf__hpke sealer = *ctx, opener = *ctx;
	enum hf_err e;

	if ((e = hf__hpke_seal(box, &sealer, aad.ptr, aad.len, plain.ptr,
		 plain.len)) != HF_OK ||
	    (e = hf__hpke_open(again, &opener, aad.ptr, aad.len, box, len)) !=
		HF_OK)
		return e;
	if (plain.len > 0 && memcmp(again, plain.ptr, plain.len) != 0)
		vec_fault(v, "box", "opens to something else");
	vec_put_hex(v, v->out, "box", box, len);
	return HF_OK;
}

enum hf_err
vec_hpke(struct vec *v)
{
	struct hf_span info = vec_hex(v, v->told, "info");
	struct hf_span psk_id = vec_hex(v, v->told, "psk_id");
	uint8_t info_hash[32], psk_id_hash[32];
	struct sealing s = { 0 };
	struct hf__hpke ctx;
	enum hf_err e;

	if ((e = read_sealing(&s, v)) != HF_OK || v->failed)
		return e;
	hf__hpke_info_hash(info_hash, &s.base, info.ptr, info.len);
	hf__hpke_psk_id_hash(psk_id_hash, &s.base, psk_id.ptr, psk_id.len);
	hf__hpke_schedule(&ctx, &s.base, s.ss, info_hash,
	    s.psk ? s.psk_ss : NULL, psk_id_hash, false);
	vec_put_hex(v, v->out, "recipient_public", s.recipient.pk, 32);
	vec_put_hex(v, v->out, "enc", s.ephemeral.pk, 32);
	vec_put_hex(v, v->out, "shared_secret", s.ss, 32);
	vec_put_hex(v, v->out, "psk", s.psk_ss, s.psk ? 32 : 0);
	vec_put_hex(v, v->out, "key", ctx.key, sizeof(ctx.key));
	vec_put_hex(v, v->out, "nonce", ctx.nonce, sizeof(ctx.nonce));
	return put_box(v, &ctx);
}

/* --- CBOR ------------------------------------------------------------------------------- */

/* Items, and how deep arrays and maps are nested, of what was read before. */
static void
measure(struct hf_span bytes, uint64_t *items, uint64_t *depth)
{
	uint64_t left[HF__DEPTH_MAX + 1] = { 0 };
	struct hf__reader r;
	struct hf__item item;
	size_t open = 0;

	*items = *depth = 0;
	hf__read_init(&r, bytes.ptr, bytes.len);
	while (r.off < r.len && hf__read_item(&r, &item)) {
		++*items;
		if (open > 0)
			left[open]--;
		if (item.type == HF__LIST || item.type == HF__MAP) {
			if (++open > HF__DEPTH_MAX)
				return;
			left[open] =
			    item.value * (item.type == HF__MAP ? 2 : 1);
			if (open > *depth)
				*depth = open;
		}
		while (open > 0 && left[open] == 0)
			open--;
	}
}

enum hf_err
vec_cbor(struct vec *v)
{
	struct hf_span bytes = vec_hex(v, v->told, "bytes");
	uint64_t items, depth;
	struct hf__reader r;
	enum hf_err e;

	hf__read_init(&r, bytes.ptr, bytes.len);
	(void)hf__read_skip(&r, 0);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	measure(bytes, &items, &depth);
	vec_put_uint(v, v->out, "items", items);
	vec_put_uint(v, v->out, "depth", depth);
	return HF_OK;
}
