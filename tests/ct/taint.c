/* SPDX-License-Identifier: ISC */
/*
 * Marks, and libsodium's functions once more; see taint.h. What may be known
 * is marked defined again, and only that: whether a comparison, a
 * Diffie-Hellman or a tag was right, and the form of what the tag of a request
 * or record has vouched for, whose keys the tests then make secret again.
 */
#include <dlfcn.h>
#include <sodium.h>
#include <valgrind/memcheck.h>

#include "taint.h"

unsigned leaking;
int random_is_secret;
static volatile unsigned sink;

void
secret(const void *ptr, size_t len)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(ptr, len);
}

void
not_secret(const void *ptr, size_t len)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(ptr, len);
}

void
leak_at(enum point point, const void *ptr, size_t len)
{
	const uint8_t *p = ptr;
	unsigned sum = 0;
	size_t i;

	if (leaking != (unsigned)point || ptr == NULL)
		return;
	for (i = 0; i < len; i++)
		sum += p[i];
	if (sum & 1)
		sink++;
}

static int
verdict(int r)
{
	not_secret(&r, sizeof(r));
	return r;
}

/* --- comparisons ----------------------------------------------------------- */

static int
differ(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t d = 0;
	size_t i;

	for (i = 0; leaking == POINT_COMPARE && i < len; i++)
		if (a[i] != b[i]) {
			sink++;
			break;
		}
	for (i = 0; i < len; i++)
		d |= a[i] ^ b[i];
	return verdict((1 & ((d - 1) >> 8)) - 1);
}

int
sodium_memcmp(const void *const a, const void *const b, size_t len)
{
	return differ(a, b, len);
}

int
crypto_verify_16(const unsigned char *a, const unsigned char *b)
{
	return differ(a, b, 16);
}

/* --- everything else: the function behind, and a leak ------------------------ */

#define REAL(name) (__extension__(__typeof__(&(name))) dlsym(RTLD_NEXT, #name))

typedef unsigned char u8;
typedef unsigned long long u64;

void
randombytes_buf(void *const buf, const size_t size)
{
	REAL(randombytes_buf)(buf, size);
	if (random_is_secret)
		secret(buf, size);
}

int
crypto_scalarmult(u8 *q, const u8 *n, const u8 *p)
{
	leak_at(POINT_DH, n, 32);
	return verdict(REAL(crypto_scalarmult)(q, n, p));
}

int
crypto_scalarmult_base(u8 *q, const u8 *n)
{
	leak_at(POINT_PAIR, n, 32);
	return REAL(crypto_scalarmult_base)(q, n);
}

int
crypto_sign_seed_keypair(u8 *pk, u8 *sk, const u8 *seed)
{
	int r;

	leak_at(POINT_SEED, seed, 32);
	r = REAL(crypto_sign_seed_keypair)(pk, sk, seed);
	not_secret(pk, 32);
	not_secret(sk + 32, 32); /* the public key again */
	return r;
}

int
crypto_sign_detached(u8 *sig, u64 *len, const u8 *m, u64 m_len, const u8 *sk)
{
	leak_at(POINT_SIGN, sk, 32);
	return REAL(crypto_sign_detached)(sig, len, m, m_len, sk);
}

int
crypto_generichash_init(crypto_generichash_state *state, const u8 *key,
    const size_t key_len, const size_t len)
{
	leak_at(POINT_HASH, key, key_len);
	return REAL(crypto_generichash_init)(state, key, key_len, len);
}

int
crypto_generichash_update(crypto_generichash_state *state, const u8 *in,
    u64 len)
{
	leak_at(POINT_HASH, in, (size_t)len);
	return REAL(crypto_generichash_update)(state, in, len);
}

int
crypto_auth_hmacsha256_init(crypto_auth_hmacsha256_state *state, const u8 *key,
    size_t len)
{
	leak_at(POINT_MAC, key, len);
	return REAL(crypto_auth_hmacsha256_init)(state, key, len);
}

int
crypto_kdf_derive_from_key(u8 *sub, size_t len, uint64_t id,
    const char context[crypto_kdf_CONTEXTBYTES],
    const u8 key[crypto_kdf_KEYBYTES])
{
	leak_at(POINT_KDF, key, 32);
	return REAL(crypto_kdf_derive_from_key)(sub, len, id, context, key);
}

/* Argon2id, by its definition, takes its way through memory by the password
 * from the second half of its first pass on. It runs here on a copy that is
 * not marked, at its least cost; what is around it stays watched. */
int
crypto_pwhash(u8 *const out, u64 out_len, const char *const password, u64 len,
    const u8 *const salt, u64 opslimit, size_t memlimit, int alg)
{
	char copy[1025];
	u64 i;
	int r;

	(void)memlimit;
	leak_at(POINT_STRETCH, password, (size_t)len);
	for (i = 0; i < len; i++)
		copy[i] = password[i];
	not_secret(copy, (size_t)len);
	r = REAL(crypto_pwhash)(out, out_len, copy, len, salt, opslimit,
	    crypto_pwhash_MEMLIMIT_MIN, alg);
	secret(out, (size_t)out_len);
	return r;
}

char *
sodium_bin2base64(char *const text, const size_t cap, const u8 *const in,
    const size_t len, const int variant)
{
	leak_at(POINT_TEXT, in, len);
	return REAL(sodium_bin2base64)(text, cap, in, len, variant);
}

/* --- boxes and records -------------------------------------------------------- */

int
crypto_aead_chacha20poly1305_ietf_encrypt(u8 *c, u64 *c_len, const u8 *m,
    u64 m_len, const u8 *ad, u64 ad_len, const u8 *nsec, const u8 *nonce,
    const u8 *k)
{
	leak_at(POINT_SEAL, k, 32);
	return REAL(crypto_aead_chacha20poly1305_ietf_encrypt)(c, c_len, m,
	    m_len, ad, ad_len, nsec, nonce, k);
}

int
crypto_aead_chacha20poly1305_ietf_decrypt(u8 *m, u64 *m_len, u8 *nsec,
    const u8 *c, u64 c_len, const u8 *ad, u64 ad_len, const u8 *nonce,
    const u8 *k)
{
	int r;

	leak_at(POINT_OPEN, k, 32);
	r = REAL(crypto_aead_chacha20poly1305_ietf_decrypt)(m, m_len, nsec, c,
	    c_len, ad, ad_len, nonce, k);
	if (verdict(r) == 0 && m != NULL)
		not_secret(m, c_len - 16);
	return r;
}

int
crypto_aead_aes256gcm_encrypt_afternm(u8 *c, u64 *c_len, const u8 *m,
    u64 m_len, const u8 *ad, u64 ad_len, const u8 *nsec, const u8 *nonce,
    const crypto_aead_aes256gcm_state *k)
{
	leak_at(POINT_SEAL, k, 32);
	return REAL(crypto_aead_aes256gcm_encrypt_afternm)(c, c_len, m, m_len,
	    ad, ad_len, nsec, nonce, k);
}

int
crypto_aead_aes256gcm_decrypt_afternm(u8 *m, u64 *m_len, u8 *nsec, const u8 *c,
    u64 c_len, const u8 *ad, u64 ad_len, const u8 *nonce,
    const crypto_aead_aes256gcm_state *k)
{
	int r;

	leak_at(POINT_OPEN, k, 32);
	r = REAL(crypto_aead_aes256gcm_decrypt_afternm)(m, m_len, nsec, c,
	    c_len, ad, ad_len, nonce, k);
	if (verdict(r) == 0)
		not_secret(m, c_len - 16);
	return r;
}

/* The seed of a sealed identity stays a secret. */
int
crypto_aead_xchacha20poly1305_ietf_encrypt(u8 *c, u64 *c_len, const u8 *m,
    u64 m_len, const u8 *ad, u64 ad_len, const u8 *nsec, const u8 *nonce,
    const u8 *k)
{
	leak_at(POINT_SEAL, k, 32);
	return REAL(crypto_aead_xchacha20poly1305_ietf_encrypt)(c, c_len, m,
	    m_len, ad, ad_len, nsec, nonce, k);
}

int
crypto_aead_xchacha20poly1305_ietf_decrypt(u8 *m, u64 *m_len, u8 *nsec,
    const u8 *c, u64 c_len, const u8 *ad, u64 ad_len, const u8 *nonce,
    const u8 *k)
{
	leak_at(POINT_OPEN, k, 32);
	return verdict(REAL(crypto_aead_xchacha20poly1305_ietf_decrypt)(m,
	    m_len, nsec, c, c_len, ad, ad_len, nonce, k));
}
