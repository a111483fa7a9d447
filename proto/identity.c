/* SPDX-License-Identifier: ISC */
/*
 * Identities: an Ed25519 seed, the key pair from it and the X25519 pair that
 * it converts to, in guarded memory that is read-only once made; and the two
 * text forms, plain and sealed under a passphrase. It knows no certificate.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
	FORM_PLAIN = 1,
	FORM_SEALED = 2,
	COST_MIB = 64,
	COST_PASSES = 3,
	/* What is accepted in a file. */
	MIB_MIN = 8,
	MIB_MAX = 1024,
	PASSES_MAX = 10,
	BOX_BYTES = HF_SEED_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES,
	FILE_MAX = 160
};

static const char label_plain[] = "HANDFAST IDENTITY";
static const char label_sealed[] = "HANDFAST ENCRYPTED IDENTITY";

struct sealed {
	struct hf_span salt, nonce, box, aad;
	uint64_t mib, passes;
};

enum hf_err
hf_identity_new(struct hf_identity **out, const uint8_t seed[HF_SEED_BYTES])
{
	struct hf_identity *id;

	*out = NULL;
	if ((id = sodium_malloc(sizeof(*id))) == NULL)
		return HF_E_MEMORY;
	if (seed != NULL)
		memcpy(id->seed, seed, sizeof(id->seed));
	else
		randombytes_buf(id->seed, sizeof(id->seed));
	if (crypto_sign_seed_keypair(id->sign_pk, id->sign_sk, id->seed) !=
		0 ||
	    crypto_sign_ed25519_sk_to_curve25519(id->kem.sk, id->sign_sk) !=
		0 ||
	    crypto_sign_ed25519_pk_to_curve25519(id->kem.pk, id->sign_pk) !=
		0 ||
	    sodium_mprotect_readonly(id) != 0) {
		sodium_free(id);
		return HF_E_CRYPTO;
	}
	*out = id;
	return HF_OK;
}

void
hf_identity_free(struct hf_identity *id)
{
	sodium_free(id);
}

void
hf_identity_public(uint8_t ed25519[HF_KEY_BYTES], uint8_t x25519[HF_KEY_BYTES],
    const struct hf_identity *id)
{
	if (ed25519 != NULL)
		memcpy(ed25519, id->sign_pk, HF_KEY_BYTES);
	if (x25519 != NULL)
		memcpy(x25519, id->kem.pk, HF_KEY_BYTES);
}

/* The length and cost were checked: only memory can be missing. */
static enum hf_err
stretch(uint8_t key[32], const char *pass, size_t pass_len,
    const uint8_t *salt, uint64_t mib, uint64_t passes)
{
	int r = crypto_pwhash(key, 32, pass, pass_len, salt, passes,
	    (size_t)mib << 20, crypto_pwhash_ALG_ARGON2ID13);

	sodium_stackzero(HF__STACK_USED); /* its last hash is left there */
	return r == 0 ? HF_OK : HF_E_MEMORY;
}

static enum hf_err
write_sealed(struct hf__writer *w, const struct hf_identity *id,
    const char *pass, size_t pass_len)
{
	uint8_t salt[crypto_pwhash_SALTBYTES], key[32], *box;
	uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
	size_t aad_len;
	enum hf_err e;

	randombytes_buf(salt, sizeof(salt));
	randombytes_buf(nonce, sizeof(nonce));
	hf__write_list(w, 6);
	hf__write_uint(w, FORM_SEALED);
	hf__write_bytes(w, salt, sizeof(salt));
	hf__write_uint(w, COST_MIB);
	hf__write_uint(w, COST_PASSES);
	hf__write_bytes(w, nonce, sizeof(nonce));
	aad_len = w->len;
	hf__write_bytes_head(w, BOX_BYTES);
	if ((box = hf__write_room(w, BOX_BYTES)) == NULL)
		return HF_E_SPACE;
	if ((e = stretch(key, pass, pass_len, salt, COST_MIB, COST_PASSES)) !=
	    HF_OK)
		goto out;
	if (crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, id->seed,
		sizeof(id->seed), w->ptr, aad_len, NULL, nonce, key) != 0)
		e = HF_E_CRYPTO;
out:
	sodium_memzero(key, sizeof(key));
	return e;
}

enum hf_err
hf_identity_encode(char *out, size_t cap, size_t *len,
    const struct hf_identity *id, const char *pass, size_t pass_len)
{
	uint8_t file[FILE_MAX];
	struct hf__writer w;
	enum hf_err e = HF_OK;

	if (pass != NULL && (pass_len == 0 || pass_len > HF_PASSWORD_MAX))
		return HF_E_ARG;
	hf__write_init(&w, file, sizeof(file));
	if (pass == NULL) {
		hf__write_list(&w, 2);
		hf__write_uint(&w, FORM_PLAIN);
		hf__write_bytes(&w, id->seed, sizeof(id->seed));
	} else
		e = write_sealed(&w, id, pass, pass_len);
	if (e != HF_OK || (e = w.err) != HF_OK)
		goto out;
	e = hf_pem_encode(out, cap, len,
	    pass == NULL ? label_plain : label_sealed, file, w.len);
out:
	sodium_memzero(file, sizeof(file));
	return e;
}

static enum hf_err
decode_plain(struct hf_identity **id, const uint8_t *file, size_t len)
{
	struct hf__reader r;
	struct hf_span seed;

	hf__read_init(&r, file, len);
	(void)hf__read_list(&r, 2, 2);
	if (hf__read_uint(&r, FORM_PLAIN) != FORM_PLAIN)
		hf__read_fail(&r, HF_E_OBJECT);
	seed = hf__read_bytes(&r, HF_SEED_BYTES, HF_SEED_BYTES);
	if (hf__read_end(&r) != HF_OK)
		return HF_E_OBJECT;
	return hf_identity_new(id, seed.ptr);
}

static enum hf_err
read_sealed(struct sealed *s, const uint8_t *file, size_t len)
{
	struct hf__reader r;

	hf__read_init(&r, file, len);
	(void)hf__read_list(&r, 6, 6);
	if (hf__read_uint(&r, FORM_SEALED) != FORM_SEALED)
		hf__read_fail(&r, HF_E_OBJECT);
	s->salt = hf__read_bytes(&r, crypto_pwhash_SALTBYTES,
	    crypto_pwhash_SALTBYTES);
	s->mib = hf__read_uint(&r, MIB_MAX);
	s->passes = hf__read_uint(&r, PASSES_MAX);
	s->nonce =
	    hf__read_bytes(&r, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
		crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
	s->aad = (struct hf_span){ file, r.off };
	s->box = hf__read_bytes(&r, BOX_BYTES, BOX_BYTES);
	if (hf__read_end(&r) != HF_OK || s->mib < MIB_MIN || s->passes < 1)
		return HF_E_OBJECT;
	return HF_OK;
}

static enum hf_err
decode_sealed(struct hf_identity **id, const uint8_t *file, size_t len,
    const char *pass, size_t pass_len)
{
	uint8_t key[32] = { 0 }, seed[HF_SEED_BYTES] = { 0 };
	struct sealed s;
	enum hf_err e;

	if ((e = read_sealed(&s, file, len)) != HF_OK)
		return e;
	if (pass == NULL || pass_len > HF_PASSWORD_MAX)
		return HF_E_PASSPHRASE;
	if ((e = stretch(key, pass, pass_len, s.salt.ptr, s.mib, s.passes)) !=
	    HF_OK)
		goto out;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(seed, NULL, NULL,
		s.box.ptr, s.box.len, s.aad.ptr, s.aad.len, s.nonce.ptr,
		key) != 0) {
		e = HF_E_PASSPHRASE;
		goto out;
	}
	e = hf_identity_new(id, seed);
out:
	sodium_memzero(key, sizeof(key));
	sodium_memzero(seed, sizeof(seed));
	return e;
}

enum hf_err
hf_identity_decode(struct hf_identity **id, const char *text, size_t text_len,
    const char *pass, size_t pass_len)
{
	uint8_t file[FILE_MAX];
	size_t len, used;
	enum hf_err e;

	*id = NULL;
	e = hf_pem_decode(file, sizeof(file), &len, &used, label_plain, text,
	    text_len);
	if (e == HF_OK)
		e = decode_plain(id, file, len);
	else if (e == HF_E_OBJECT && used == text_len) {
		e = hf_pem_decode(file, sizeof(file), &len, &used,
		    label_sealed, text, text_len);
		if (e == HF_OK)
			e = decode_sealed(id, file, len, pass, pass_len);
	}
	sodium_memzero(file, sizeof(file));
	return e == HF_E_SPACE ? HF_E_OBJECT : e;
}
