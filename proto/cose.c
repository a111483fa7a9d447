/* SPDX-License-Identifier: ISC */
/*
 * COSE_Sign1 and COSE_Encrypt0 (RFC 9052), untagged, with the one algorithm
 * each that handfast uses: EdDSA and ChaCha20-Poly1305. It knows headers and
 * what is signed or sealed; it refuses to know what a payload says, and takes
 * no algorithm from any place but the protected header.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
	KID_KEY = 4,
	KID_MAX = 64,
	TBS_OVERHEAD = 128,
	AAD_MAX = 128,
	ENCRYPT0_PROTECTED = 28
};

static const uint8_t eddsa[] = { 0xa1, 0x01, 0x27 };

/* {1: 24, 4: kid, 5: iv}: what stands before the kid and before the iv. */
static const uint8_t chacha_kid[] = { 0xa3, 0x01, 0x18, 0x18, 0x04, 0x48 };
static const uint8_t chacha_iv[] = { 0x05, 0x4c };

enum { IV_BYTES = 12, KID_AT = 6, IV_HEAD_AT = 14, IV_AT = 16 };

static enum hf_err
object_err(enum hf_err e)
{
	return e == HF_E_SHAPE ? HF_E_OBJECT : e;
}

/* At most so many kids, and nothing else. */
static void
read_unprotected(struct hf__reader *r, size_t max)
{
	struct hf__key_order order = { 0 };
	size_t i, n;

	n = hf__read_map(r, 0, max);
	for (i = 0; i < n; i++) {
		if (hf__read_key(r, &order) != KID_KEY)
			hf__read_fail(r, HF_E_OBJECT);
		(void)hf__read_bytes(r, 0, KID_MAX);
	}
}

static enum hf_err
read_to_payload(struct hf__sign1 *s, struct hf__reader *r, const uint8_t *ptr,
    size_t len, size_t kids)
{
	*s = (struct hf__sign1){ .whole = { ptr, len } };
	hf__read_init(r, ptr, len);
	(void)hf__read_list(r, 4, 4);
	s->protected = hf__read_bytes(r, sizeof(eddsa), sizeof(eddsa));
	if (r->err == HF_OK &&
	    !hf__same(s->protected.ptr, eddsa, sizeof(eddsa)))
		hf__read_fail(r, HF_E_OBJECT);
	read_unprotected(r, kids);
	s->payload = hf__read_bytes(r, 0, HF_LIST_MAX);
	return object_err(r->err);
}

enum hf_err
hf__sign1_begin(struct hf__sign1 *s, struct hf__reader *r, const uint8_t *ptr,
    size_t len)
{
	return read_to_payload(s, r, ptr, len, 0);
}

enum hf_err
hf__sign1_end(struct hf__sign1 *s, struct hf__reader *r)
{
	s->signature = hf__read_bytes(r, crypto_sign_BYTES, crypto_sign_BYTES);
	return object_err(hf__read_end(r));
}

enum hf_err
hf__sign1_read(struct hf__sign1 *s, const uint8_t *ptr, size_t len)
{
	struct hf__reader r;
	enum hf_err e;

	if ((e = read_to_payload(s, &r, ptr, len, 1)) != HF_OK)
		return e;
	return hf__sign1_end(s, &r);
}

/* The bytes to be signed, contiguous: on the stack for all but long lists. */
struct tbs {
	uint8_t small[HF_CERT_MAX + TBS_OVERHEAD];
	uint8_t *heap;
	const uint8_t *ptr;
	size_t len;
};

/* Sig_structure (RFC 9052, section 4.4). */
static void
write_tbs(struct hf__writer *w, struct hf_span protected, struct hf_span label,
    struct hf_span payload)
{
	hf__write_list(w, 4);
	hf__write_text(w, "Signature1", 10);
	hf__write_bytes(w, protected.ptr, protected.len);
	hf__write_bytes(w, label.ptr, label.len);
	hf__write_bytes(w, payload.ptr, payload.len);
}

static enum hf_err
tbs_make(struct tbs *t, struct hf_span protected, struct hf_span label,
    struct hf_span payload)
{
	struct hf__writer w;
	uint8_t *to = t->small;

	t->heap = NULL;
	hf__write_init(&w, NULL, 0);
	write_tbs(&w, protected, label, payload);
	t->len = w.len;
	if (t->len > sizeof(t->small)) {
		if ((t->heap = malloc(t->len)) == NULL)
			return HF_E_MEMORY;
		to = t->heap;
	}
	t->ptr = to;
	hf__write_init(&w, to, t->len);
	write_tbs(&w, protected, label, payload);
	return w.err;
}

enum hf_err
hf__sign1_verify(const struct hf__sign1 *s, const uint8_t *label,
    size_t label_len, const uint8_t pk[32])
{
	struct tbs t;
	enum hf_err e;

	if ((e = tbs_make(&t, s->protected,
		 (struct hf_span){ label, label_len }, s->payload)) != HF_OK)
		goto out;
	if (crypto_sign_verify_detached(s->signature.ptr, t.ptr, t.len, pk) !=
	    0)
		e = HF_E_SIGNATURE;
out:
	free(t.heap);
	return e;
}

static void
write_sign1(struct hf__writer *w, const uint8_t *payload, size_t payload_len,
    const uint8_t sig[crypto_sign_BYTES])
{
	hf__write_list(w, 4);
	hf__write_bytes(w, eddsa, sizeof(eddsa));
	hf__write_map(w, 0);
	hf__write_bytes(w, payload, payload_len);
	hf__write_bytes(w, sig, crypto_sign_BYTES);
}

enum hf_err
hf__sign1_make(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *id, const char *label, const uint8_t *payload,
    size_t payload_len)
{
	uint8_t sig[crypto_sign_BYTES] = { 0 };
	struct hf__writer w;
	struct tbs t;
	enum hf_err e;

	hf__write_init(&w, NULL, 0);
	write_sign1(&w, payload, payload_len, sig);
	*len = w.len;
	if (w.len > cap)
		return HF_E_SPACE;
	if ((e = tbs_make(&t, (struct hf_span){ eddsa, sizeof(eddsa) },
		 (struct hf_span){ (const uint8_t *)label, strlen(label) },
		 (struct hf_span){ payload, payload_len })) != HF_OK)
		goto out;
	if (crypto_sign_detached(sig, NULL, t.ptr, t.len, id->sign_sk) != 0) {
		e = HF_E_CRYPTO;
		goto out;
	}
	hf__write_init(&w, out, cap);
	write_sign1(&w, payload, payload_len, sig);
	e = w.err;
out:
	free(t.heap);
	return e;
}

/* Enc_structure (RFC 9052, section 5.3). */
static enum hf_err
make_aad(uint8_t aad[AAD_MAX], size_t *len, struct hf_span protected,
    const char *label)
{
	struct hf__writer w;

	hf__write_init(&w, aad, AAD_MAX);
	hf__write_list(&w, 3);
	hf__write_text(&w, "Encrypt0", 8);
	hf__write_bytes(&w, protected.ptr, protected.len);
	hf__write_bytes(&w, label, strlen(label));
	*len = w.len;
	return w.err;
}

enum hf_err
hf__encrypt0_make(uint8_t *out, size_t cap, size_t *len,
    const uint8_t kid[HF__KID_BYTES], const uint8_t key[32], const char *label,
    const uint8_t *in, size_t in_len)
{
	uint8_t header[ENCRYPT0_PROTECTED], aad[AAD_MAX], *box;
	struct hf_span protected = { header, sizeof(header) };
	struct hf__writer w;
	size_t aad_len;
	enum hf_err e;

	*len = 1 + 2 + sizeof(header) + 1 +
	    hf__cbor_head_bytes(in_len + HF__TAG_BYTES) + in_len +
	    HF__TAG_BYTES;
	if (*len > cap)
		return HF_E_SPACE;
	memcpy(header, chacha_kid, sizeof(chacha_kid));
	memcpy(header + KID_AT, kid, HF__KID_BYTES);
	memcpy(header + IV_HEAD_AT, chacha_iv, sizeof(chacha_iv));
	randombytes_buf(header + IV_AT, IV_BYTES);
	if ((e = make_aad(aad, &aad_len, protected, label)) != HF_OK)
		return e;
	hf__write_init(&w, out, cap);
	hf__write_list(&w, 3);
	hf__write_bytes(&w, header, sizeof(header));
	hf__write_map(&w, 0);
	hf__write_bytes_head(&w, in_len + HF__TAG_BYTES);
	box = hf__write_room(&w, in_len + HF__TAG_BYTES);
	if (box == NULL)
		return w.err;
	if (crypto_aead_chacha20poly1305_ietf_encrypt(box, NULL, in, in_len,
		aad, aad_len, NULL, header + IV_AT, key) != 0)
		return HF_E_CRYPTO;
	return HF_OK;
}

enum hf_err
hf__encrypt0_read(struct hf__encrypt0 *s, const uint8_t *ptr, size_t len)
{
	struct hf__reader r;
	const uint8_t *p;

	*s = (struct hf__encrypt0){ 0 };
	hf__read_init(&r, ptr, len);
	(void)hf__read_list(&r, 3, 3);
	s->protected =
	    hf__read_bytes(&r, ENCRYPT0_PROTECTED, ENCRYPT0_PROTECTED);
	if ((p = s->protected.ptr) == NULL)
		return object_err(r.err);
	if (!hf__same(p, chacha_kid, sizeof(chacha_kid)) ||
	    !hf__same(p + IV_HEAD_AT, chacha_iv, sizeof(chacha_iv)))
		return HF_E_OBJECT;
	s->kid = (struct hf_span){ p + KID_AT, HF__KID_BYTES };
	s->iv = (struct hf_span){ p + IV_AT, IV_BYTES };
	(void)hf__read_map(&r, 0, 0);
	s->ciphertext = hf__read_bytes(&r, HF__TAG_BYTES, HF_TICKET_MAX);
	return object_err(hf__read_end(&r));
}

enum hf_err
hf__encrypt0_open(uint8_t *out, const struct hf__encrypt0 *s,
    const uint8_t key[32], const char *label)
{
	uint8_t aad[AAD_MAX];
	size_t aad_len;
	enum hf_err e;

	if ((e = make_aad(aad, &aad_len, s->protected, label)) != HF_OK)
		return e;
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL,
		s->ciphertext.ptr, s->ciphertext.len, aad, aad_len, s->iv.ptr,
		key) != 0)
		return HF_E_BOX;
	return HF_OK;
}
