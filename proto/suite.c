/* SPDX-License-Identifier: ISC */
/*
 * The table of suites: which KEM and which record AEAD each number means, and
 * whether this build and processor have it. A new suite is a row here, with
 * its encapsulate and decapsulate, and nothing elsewhere.
 */
#include <string.h>

#include "internal.h"

/* --- DHKEM(X25519, HKDF-SHA256) -------------------------------------------- */

static enum hf_err
x25519_pair(struct hf__pair *pair, const uint8_t random[32])
{
	memcpy(pair->sk, random, sizeof(pair->sk));
	return crypto_scalarmult_base(pair->pk, pair->sk) == 0 ? HF_OK :
								 HF_E_CRYPTO;
}

/* crypto_scalarmult() refuses the all-zero result of small-order points. */
static enum hf_err
x25519_derive(uint8_t ss[32], const struct hf__hpke_base *base,
    const uint8_t sk[32], const uint8_t peer[32], const uint8_t enc[32],
    const uint8_t pk[32])
{
	uint8_t dh[32];
	enum hf_err e = HF_E_PUBLIC_KEY;

	if (crypto_scalarmult(dh, sk, peer) == 0) {
		hf__dhkem_derive(ss, base, dh, enc, pk);
		e = HF_OK;
	}
	sodium_memzero(dh, sizeof(dh));
	return e;
}

static enum hf_err
x25519_encap(uint8_t ss[32], uint8_t *enc, const struct hf__hpke_base *base,
    const struct hf__pair *ephemeral, const uint8_t *pk)
{
	(void)enc; /* it is the ephemeral's public key */
	return x25519_derive(ss, base, ephemeral->sk, pk, ephemeral->pk, pk);
}

static enum hf_err
x25519_decap(uint8_t ss[32], const struct hf__hpke_base *base,
    const struct hf__pair *own, const uint8_t *enc)
{
	return x25519_derive(ss, base, own->sk, enc, enc, own->pk);
}

const struct hf__kem hf__kem_x25519 = {
	.pk_len = 32,
	.enc_len = 32,
	.shared = true,
	.pair = x25519_pair,
	.encap = x25519_encap,
	.decap = x25519_decap,
};

/* --- record AEADs ----------------------------------------------------------- */

static bool
always(void)
{
	return true;
}

static enum hf_err
raw_expand(struct hf__aead_key *out, const uint8_t key[32])
{
	memcpy(out->u.raw, key, 32);
	return HF_OK;
}

static enum hf_err
chacha_seal(uint8_t *buf, size_t len, const uint8_t *aad, size_t aad_len,
    const uint8_t *nonce, const struct hf__aead_key *key)
{
	return crypto_aead_chacha20poly1305_ietf_encrypt(buf, NULL, buf, len,
		   aad, aad_len, NULL, nonce, key->u.raw) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}

static enum hf_err
chacha_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *aad,
    size_t aad_len, const uint8_t *nonce, const struct hf__aead_key *key)
{
	return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in,
		   len, aad, aad_len, nonce, key->u.raw) == 0 ?
	    HF_OK :
	    HF_E_BOX;
}

static const struct hf__aead chacha = {
	.iv_len = crypto_aead_chacha20poly1305_ietf_NPUBBYTES,
	.tag_len = crypto_aead_chacha20poly1305_ietf_ABYTES,
	.available = always,
	.expand = raw_expand,
	.seal = chacha_seal,
	.open = chacha_open,
};

static bool
aes_available(void)
{
	return crypto_aead_aes256gcm_is_available() != 0;
}

static enum hf_err
aes_expand(struct hf__aead_key *out, const uint8_t key[32])
{
	return crypto_aead_aes256gcm_beforenm(&out->u.aes, key) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}

static enum hf_err
aes_seal(uint8_t *buf, size_t len, const uint8_t *aad, size_t aad_len,
    const uint8_t *nonce, const struct hf__aead_key *key)
{
	return crypto_aead_aes256gcm_encrypt_afternm(buf, NULL, buf, len, aad,
		   aad_len, NULL, nonce, &key->u.aes) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}

static enum hf_err
aes_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *aad,
    size_t aad_len, const uint8_t *nonce, const struct hf__aead_key *key)
{
	return crypto_aead_aes256gcm_decrypt_afternm(out, NULL, NULL, in, len,
		   aad, aad_len, nonce, &key->u.aes) == 0 ?
	    HF_OK :
	    HF_E_BOX;
}

static const struct hf__aead aes = {
	.iv_len = crypto_aead_aes256gcm_NPUBBYTES,
	.tag_len = crypto_aead_aes256gcm_ABYTES,
	.available = aes_available,
	.expand = aes_expand,
	.seal = aes_seal,
	.open = aes_open,
};

#ifdef crypto_aead_aegis256_KEYBYTES
static enum hf_err
aegis_seal(uint8_t *buf, size_t len, const uint8_t *aad, size_t aad_len,
    const uint8_t *nonce, const struct hf__aead_key *key)
{
	return crypto_aead_aegis256_encrypt(buf, NULL, buf, len, aad, aad_len,
		   NULL, nonce, key->u.raw) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}

static enum hf_err
aegis_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *aad,
    size_t aad_len, const uint8_t *nonce, const struct hf__aead_key *key)
{
	return crypto_aead_aegis256_decrypt(out, NULL, NULL, in, len, aad,
		   aad_len, nonce, key->u.raw) == 0 ?
	    HF_OK :
	    HF_E_BOX;
}

static const struct hf__aead aegis = {
	.iv_len = crypto_aead_aegis256_NPUBBYTES,
	.tag_len = crypto_aead_aegis256_ABYTES,
	.available = always,
	.expand = raw_expand,
	.seal = aegis_seal,
	.open = aegis_open,
};
#define AEGIS_KEM &hf__kem_x25519
#define AEGIS &aegis
#else
#define AEGIS_KEM NULL
#define AEGIS NULL
#endif

/* --- the table, in the order of preference ---------------------------------- */

static const struct hf__suite suites[] = {
	{ 1, "x25519-chacha20poly1305", &hf__kem_x25519, &chacha },
	{ 2, "x25519-aes256gcm", &hf__kem_x25519, &aes },
	{ 3, "x25519-aegis256", AEGIS_KEM, AEGIS },
	{ 4, "xwing", NULL, NULL },
};

static const struct hf__suite *
lookup(uint64_t id)
{
	size_t i;

	for (i = 0; i < HF__ARRAY_N(suites); i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

const struct hf__suite *
hf__suite_find(uint64_t id)
{
	const struct hf__suite *suite = lookup(id);

	if (suite == NULL || suite->kem == NULL || suite->aead == NULL)
		return NULL;
	return suite->aead->available() ? suite : NULL;
}

const char *
hf_suite_name(int suite)
{
	const struct hf__suite *row =
	    suite < 0 ? NULL : lookup((uint64_t)suite);

	return row == NULL ? NULL : row->name;
}

int
hf_suite_available(int suite)
{
	return suite >= 0 && hf__suite_find((uint64_t)suite) != NULL;
}

size_t
hf__suite_defaults(uint16_t out[HF_SUITES_MAX])
{
	size_t i, n = 0;

	for (i = 0; i < HF__ARRAY_N(suites); i++)
		if (hf__suite_find(suites[i].id) != NULL)
			out[n++] = suites[i].id;
	return n;
}

const struct hf__suite *
hf__suite_common(const uint16_t *ours, size_t ours_n, const uint16_t *theirs,
    size_t theirs_n)
{
	const struct hf__suite *suite;
	size_t i, k;

	for (i = 0; i < ours_n; i++)
		for (k = 0; k < theirs_n; k++)
			if (ours[i] == theirs[k] &&
			    (suite = hf__suite_find(ours[i])) != NULL)
				return suite;
	return NULL;
}
