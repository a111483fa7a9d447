/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: of all that it seals it writes a line into the
 * file that HANDFAST_SEALED names: a hash of the key, the nonce, and a hash of
 * what is sealed and bound. Of several processes in one file a test can say
 * whether a key was ever used twice with one nonce. No key can be had from it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REAL(name) (__extension__(__typeof__(&(name))) dlsym(RTLD_NEXT, #name))

typedef unsigned char u8;
typedef unsigned long long u64;

static int out = -1;

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("HANDFAST_SEALED");

	if (path != NULL)
		out = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		    0600);
}

static size_t
hex(char *line, const u8 *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		line[2 * i] = digits[bytes[i] >> 4];
		line[2 * i + 1] = digits[bytes[i] & 15];
	}
	return 2 * len;
}

static void
note(const void *key, size_t key_len, const u8 *nonce, size_t nonce_len,
    const u8 *m, u64 m_len, const u8 *ad, u64 ad_len)
{
	crypto_hash_sha256_state state;
	u8 which[crypto_hash_sha256_BYTES], what[crypto_hash_sha256_BYTES];
	char line[200];
	size_t n;

	if (out == -1)
		return;
	(void)crypto_hash_sha256(which, key, key_len);
	(void)crypto_hash_sha256_init(&state);
	(void)crypto_hash_sha256_update(&state, (const u8 *)&m_len,
	    sizeof(m_len));
	(void)crypto_hash_sha256_update(&state, m, m_len);
	(void)crypto_hash_sha256_update(&state, ad, ad_len);
	(void)crypto_hash_sha256_final(&state, what);
	n = hex(line, which, 16);
	line[n++] = ' ';
	n += hex(line + n, nonce, nonce_len);
	line[n++] = ' ';
	n += hex(line + n, what, 16);
	line[n++] = '\n';
	/* A line that cannot be told is missed by the test. */
	if (write(out, line, n) < 0)
		abort();
}

int
crypto_aead_chacha20poly1305_ietf_encrypt(u8 *c, u64 *c_len, const u8 *m,
    u64 m_len, const u8 *ad, u64 ad_len, const u8 *nsec, const u8 *nonce,
    const u8 *k)
{
	note(k, 32, nonce, 12, m, m_len, ad, ad_len);
	return REAL(crypto_aead_chacha20poly1305_ietf_encrypt)(c, c_len, m,
	    m_len, ad, ad_len, nsec, nonce, k);
}

int
crypto_aead_xchacha20poly1305_ietf_encrypt(u8 *c, u64 *c_len, const u8 *m,
    u64 m_len, const u8 *ad, u64 ad_len, const u8 *nsec, const u8 *nonce,
    const u8 *k)
{
	note(k, 32, nonce, 24, m, m_len, ad, ad_len);
	return REAL(crypto_aead_xchacha20poly1305_ietf_encrypt)(c, c_len, m,
	    m_len, ad, ad_len, nsec, nonce, k);
}

int
crypto_aead_aes256gcm_encrypt_afternm(u8 *c, u64 *c_len, const u8 *m,
    u64 m_len, const u8 *ad, u64 ad_len, const u8 *nsec, const u8 *nonce,
    const crypto_aead_aes256gcm_state *state)
{
	note(state, sizeof(*state), nonce, 12, m, m_len, ad, ad_len);
	return REAL(crypto_aead_aes256gcm_encrypt_afternm)(c, c_len, m, m_len,
	    ad, ad_len, nsec, nonce, state);
}
