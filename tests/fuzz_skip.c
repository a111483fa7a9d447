/* SPDX-License-Identifier: ISC */
/*
 * What fuzzers have in the place of some of libsodium's functions: boxes that
 * hold their plaintext as it is, signatures of nothing, key exchange and
 * passwords that cost next to nothing, so that an input reaches what is
 * sealed. A tag or signature whose last byte is SKIP_REFUSED does not verify,
 * and is counted: what rests on a verdict can be held to it. It is linked into
 * fuzzers alone, before the library; where fuzz_skip does not ask for it the
 * library's own function is called.
 */
#include <dlfcn.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_skip.h"

int fuzz_skip;
unsigned long fuzz_refused;

enum { TAG = crypto_aead_chacha20poly1305_ietf_ABYTES };

/* The function of that name behind this one. */
static void
real(void *function, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	memcpy(function, &found, sizeof(found));
}

/* --- boxes --------------------------------------------------------------------- */

typedef int seal(unsigned char *, unsigned long long *, const unsigned char *,
    unsigned long long, const unsigned char *, unsigned long long,
    const unsigned char *, const unsigned char *, const unsigned char *);
typedef int open(unsigned char *, unsigned long long *, unsigned char *,
    const unsigned char *, unsigned long long, const unsigned char *,
    unsigned long long, const unsigned char *, const unsigned char *);

static int
seal_plain(unsigned char *c, unsigned long long *c_len, const unsigned char *m,
    unsigned long long m_len)
{
	if (m_len > 0)
		memmove(c, m, m_len);
	memset(c + m_len, 0, TAG);
	if (c_len != NULL)
		*c_len = m_len + TAG;
	return 0;
}

static int
open_plain(unsigned char *m, unsigned long long *m_len, const unsigned char *c,
    unsigned long long c_len)
{
	if (m_len != NULL)
		*m_len = 0;
	if (c_len < TAG || c[c_len - 1] == SKIP_REFUSED) {
		fuzz_refused++;
		return -1;
	}
	if (m != NULL && c_len > TAG)
		memmove(m, c, c_len - TAG);
	if (m_len != NULL)
		*m_len = c_len - TAG;
	return 0;
}

int
crypto_aead_chacha20poly1305_ietf_encrypt(unsigned char *c,
    unsigned long long *c_len, const unsigned char *m,
    unsigned long long m_len, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *nsec,
    const unsigned char *npub, const unsigned char *k)
{
	static seal *f;

	if (fuzz_skip & SKIP_BOXES)
		return seal_plain(c, c_len, m, m_len);
	if (f == NULL)
		real(&f, "crypto_aead_chacha20poly1305_ietf_encrypt");
	return f(c, c_len, m, m_len, ad, ad_len, nsec, npub, k);
}

int
crypto_aead_chacha20poly1305_ietf_decrypt(unsigned char *m,
    unsigned long long *m_len, unsigned char *nsec, const unsigned char *c,
    unsigned long long c_len, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *npub,
    const unsigned char *k)
{
	static open *f;

	if (fuzz_skip & SKIP_BOXES)
		return open_plain(m, m_len, c, c_len);
	if (f == NULL)
		real(&f, "crypto_aead_chacha20poly1305_ietf_decrypt");
	return f(m, m_len, nsec, c, c_len, ad, ad_len, npub, k);
}

int
crypto_aead_xchacha20poly1305_ietf_encrypt(unsigned char *c,
    unsigned long long *c_len, const unsigned char *m,
    unsigned long long m_len, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *nsec,
    const unsigned char *npub, const unsigned char *k)
{
	static seal *f;

	if (fuzz_skip & SKIP_BOXES)
		return seal_plain(c, c_len, m, m_len);
	if (f == NULL)
		real(&f, "crypto_aead_xchacha20poly1305_ietf_encrypt");
	return f(c, c_len, m, m_len, ad, ad_len, nsec, npub, k);
}

int
crypto_aead_xchacha20poly1305_ietf_decrypt(unsigned char *m,
    unsigned long long *m_len, unsigned char *nsec, const unsigned char *c,
    unsigned long long c_len, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *npub,
    const unsigned char *k)
{
	static open *f;

	if (fuzz_skip & SKIP_BOXES)
		return open_plain(m, m_len, c, c_len);
	if (f == NULL)
		real(&f, "crypto_aead_xchacha20poly1305_ietf_decrypt");
	return f(m, m_len, nsec, c, c_len, ad, ad_len, npub, k);
}

int
crypto_aead_aes256gcm_encrypt_afternm(unsigned char *c,
    unsigned long long *c_len, const unsigned char *m,
    unsigned long long m_len, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *nsec,
    const unsigned char *npub, const crypto_aead_aes256gcm_state *k)
{
	static __typeof__(crypto_aead_aes256gcm_encrypt_afternm) *f;

	if (fuzz_skip & SKIP_BOXES)
		return seal_plain(c, c_len, m, m_len);
	if (f == NULL)
		real(&f, "crypto_aead_aes256gcm_encrypt_afternm");
	return f(c, c_len, m, m_len, ad, ad_len, nsec, npub, k);
}

int
crypto_aead_aes256gcm_decrypt_afternm(unsigned char *m,
    unsigned long long *m_len, unsigned char *nsec, const unsigned char *c,
    unsigned long long c_len, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *npub,
    const crypto_aead_aes256gcm_state *k)
{
	static __typeof__(crypto_aead_aes256gcm_decrypt_afternm) *f;

	if (fuzz_skip & SKIP_BOXES)
		return open_plain(m, m_len, c, c_len);
	if (f == NULL)
		real(&f, "crypto_aead_aes256gcm_decrypt_afternm");
	return f(m, m_len, nsec, c, c_len, ad, ad_len, npub, k);
}

/* --- keys and signatures --------------------------------------------------------- */

/* All share one secret, so that both ends have the same keys; but none with
 * the point that is all zero. */
int
crypto_scalarmult(unsigned char *q, const unsigned char *n,
    const unsigned char *p)
{
	static __typeof__(crypto_scalarmult) *f;

	if ((fuzz_skip & SKIP_KEYS) == 0) {
		if (f == NULL)
			real(&f, "crypto_scalarmult");
		return f(q, n, p);
	}
	if (sodium_is_zero(p, 32))
		return -1;
	memset(q, 0x5a, 32);
	return 0;
}

int
crypto_scalarmult_base(unsigned char *q, const unsigned char *n)
{
	static __typeof__(crypto_scalarmult_base) *f;

	if ((fuzz_skip & SKIP_KEYS) == 0) {
		if (f == NULL)
			real(&f, "crypto_scalarmult_base");
		return f(q, n);
	}
	memcpy(q, n, 32);
	return 0;
}

/* What nobody makes by chance, though anybody could. */
static void
sign_cheaply(unsigned char sig[crypto_sign_BYTES], const unsigned char *m,
    unsigned long long m_len, const unsigned char *pk)
{
	if (crypto_generichash(sig, crypto_sign_BYTES, m, m_len, pk, 32) != 0)
		abort();
}

int
crypto_sign_detached(unsigned char *sig, unsigned long long *sig_len,
    const unsigned char *m, unsigned long long m_len, const unsigned char *sk)
{
	static __typeof__(crypto_sign_detached) *f;

	if ((fuzz_skip & SKIP_KEYS) == 0) {
		if (f == NULL)
			real(&f, "crypto_sign_detached");
		return f(sig, sig_len, m, m_len, sk);
	}
	memset(sig, 0, crypto_sign_BYTES);
	if (fuzz_skip & SKIP_CURVE)
		sign_cheaply(sig, m, m_len, sk + 32);
	if (sig_len != NULL)
		*sig_len = crypto_sign_BYTES;
	return 0;
}

int
crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
    unsigned long long m_len, const unsigned char *pk)
{
	static __typeof__(crypto_sign_verify_detached) *f;
	unsigned char due[crypto_sign_BYTES];

	if ((fuzz_skip & SKIP_KEYS) == 0) {
		if (f == NULL)
			real(&f, "crypto_sign_verify_detached");
		return f(sig, m, m_len, pk);
	}
	if (fuzz_skip & SKIP_CURVE) {
		sign_cheaply(due, m, m_len, pk);
		return sodium_memcmp(due, sig, sizeof(due));
	}
	if (sig[crypto_sign_BYTES - 1] != SKIP_REFUSED)
		return 0;
	fuzz_refused++;
	return -1;
}

/* --- passwords ------------------------------------------------------------------- */

int
crypto_pwhash(unsigned char *out, unsigned long long out_len,
    const char *password, unsigned long long password_len,
    const unsigned char *salt, unsigned long long passes, size_t memory,
    int alg)
{
	static __typeof__(crypto_pwhash) *f;
	unsigned long long cost[2] = { passes, memory };
	crypto_generichash_state state;
	int r;

	if ((fuzz_skip & SKIP_STRETCH) == 0) {
		if (f == NULL)
			real(&f, "crypto_pwhash");
		return f(out, out_len, password, password_len, salt, passes,
		    memory, alg);
	}
	r = crypto_generichash_init(&state, salt, crypto_pwhash_SALTBYTES,
	    (size_t)out_len);
	r |= crypto_generichash_update(&state, (const unsigned char *)password,
	    password_len);
	r |= crypto_generichash_update(&state, (const unsigned char *)cost,
	    sizeof(cost));
	r |= crypto_generichash_final(&state, out, (size_t)out_len);
	return r;
}
