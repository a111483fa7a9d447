/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: tells every secret that it gives to libsodium
 * or gets from it, into the file that HANDFAST_TELL names, a name and hex a
 * line. With it a test knows what to look for in a core. It keeps no copy, but
 * with HANDFAST_TELL_KEEP, where the test must find all.
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

static int out = -1, keep;

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("HANDFAST_TELL");

	if (path != NULL)
		out = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		    0600);
	keep = getenv("HANDFAST_TELL_KEEP") != NULL;
}

static void
tell(const char *name, const void *secret, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *p = secret;
	void *copy;
	char line[512];
	size_t i, n = strlen(name);

	if (out == -1 || secret == NULL || len < 8)
		return;
	memcpy(line, name, n);
	line[n++] = ' ';
	for (i = 0; i < len && n < sizeof(line) - 3; i++) {
		line[n++] = digits[p[i] >> 4];
		line[n++] = digits[p[i] & 15];
	}
	line[n++] = '\n';
	/* A line that cannot be told is missed by the test. */
	if (write(out, line, n) < 0)
		abort();
	explicit_bzero(line, sizeof(line));
	if (keep && (copy = malloc(len)) != NULL) {
		memcpy(copy, secret, len);
		__asm__ volatile("" : : "r"(copy) : "memory");
	}
}

void
randombytes_buf(void *const buf, const size_t size)
{
	REAL(randombytes_buf)(buf, size);
	tell("random", buf, size);
}

int
crypto_scalarmult(u8 *q, const u8 *n, const u8 *p)
{
	int r = REAL(crypto_scalarmult)(q, n, p);

	tell("x25519-private", n, 32);
	tell("x25519-shared", q, 32);
	return r;
}

int
crypto_scalarmult_base(u8 *q, const u8 *n)
{
	tell("x25519-private", n, 32);
	return REAL(crypto_scalarmult_base)(q, n);
}

int
crypto_sign_seed_keypair(u8 *pk, u8 *sk, const u8 *seed)
{
	tell("seed", seed, 32);
	return REAL(crypto_sign_seed_keypair)(pk, sk, seed);
}

int
crypto_sign_ed25519_sk_to_curve25519(u8 *to, const u8 *from)
{
	int r = REAL(crypto_sign_ed25519_sk_to_curve25519)(to, from);

	tell("identity-x25519", to, 32);
	return r;
}

int
crypto_pwhash(u8 *const key, u64 key_len, const char *const password, u64 len,
    const u8 *const salt, u64 opslimit, size_t memlimit, int alg)
{
	int r = REAL(crypto_pwhash)(key, key_len, password, len, salt,
	    opslimit, memlimit, alg);

	tell("password", password, (size_t)len);
	tell("stretched", key, (size_t)key_len);
	return r;
}

/* The third and fourth part of what a grant's keys are made of are secrets,
 * like the keys that go in; the others are public. */
static _Thread_local int keyed_for, part;

int
crypto_generichash_init(crypto_generichash_state *state, const u8 *key,
    const size_t key_len, const size_t len)
{
	keyed_for = key_len > 0 ? (int)len : 0;
	part = 0;
	/* A cookie's key is the server's own. */
	tell(len == 64	      ? "transport-key" :
		key_len == 64 ? "session-key-and-chain" :
		len == 32     ? "keyed" :
				"cookie-key",
	    key, key_len);
	return REAL(crypto_generichash_init)(state, key, key_len, len);
}

int
crypto_generichash_update(crypto_generichash_state *state, const u8 *in,
    u64 len)
{
	if (keyed_for == 64 && part++ >= 2)
		tell("grant-secret", in, (size_t)len);
	return REAL(crypto_generichash_update)(state, in, len);
}

int
crypto_generichash_final(crypto_generichash_state *state, u8 *hash,
    const size_t len)
{
	int r = REAL(crypto_generichash_final)(state, hash, len);

	if (keyed_for == 64) {
		tell("grant-box-key", hash, 32);
		tell("chain", hash + 32, 32);
	}
	keyed_for = 0;
	return r;
}

int
crypto_auth_hmacsha256_init(crypto_auth_hmacsha256_state *state, const u8 *key,
    size_t len)
{
	tell("hmac-key", key, len);
	return REAL(crypto_auth_hmacsha256_init)(state, key, len);
}

int
crypto_kdf_derive_from_key(u8 *sub, size_t len, uint64_t id,
    const char context[crypto_kdf_CONTEXTBYTES],
    const u8 key[crypto_kdf_KEYBYTES])
{
	static const char *const names[] = { "?", "traffic-initiator",
		"traffic-responder", "confirm-key", "resumption", "exporter",
		"digests" };
	int r = REAL(crypto_kdf_derive_from_key)(sub, len, id, context, key);

	tell("master", key, 32);
	if (id >= 1 && id <= 5)
		tell(names[id], sub, 32);
	return r;
}

int
crypto_aead_chacha20poly1305_ietf_encrypt(u8 *c, u64 *c_len, const u8 *m,
    u64 m_len, const u8 *ad, u64 ad_len, const u8 *nsec, const u8 *nonce,
    const u8 *k)
{
	tell("seal-key", k, 32);
	return REAL(crypto_aead_chacha20poly1305_ietf_encrypt)(c, c_len, m,
	    m_len, ad, ad_len, nsec, nonce, k);
}

int
crypto_aead_chacha20poly1305_ietf_decrypt(u8 *m, u64 *m_len, u8 *nsec,
    const u8 *c, u64 c_len, const u8 *ad, u64 ad_len, const u8 *nonce,
    const u8 *k)
{
	tell("open-key", k, 32);
	return REAL(crypto_aead_chacha20poly1305_ietf_decrypt)(m, m_len, nsec,
	    c, c_len, ad, ad_len, nonce, k);
}

int
crypto_aead_aes256gcm_beforenm(crypto_aead_aes256gcm_state *state, const u8 *k)
{
	tell("aes-key", k, 32);
	return REAL(crypto_aead_aes256gcm_beforenm)(state, k);
}

int
crypto_aead_xchacha20poly1305_ietf_encrypt(u8 *c, u64 *c_len, const u8 *m,
    u64 m_len, const u8 *ad, u64 ad_len, const u8 *nsec, const u8 *nonce,
    const u8 *k)
{
	tell("file-key", k, 32);
	return REAL(crypto_aead_xchacha20poly1305_ietf_encrypt)(c, c_len, m,
	    m_len, ad, ad_len, nsec, nonce, k);
}

int
crypto_aead_xchacha20poly1305_ietf_decrypt(u8 *m, u64 *m_len, u8 *nsec,
    const u8 *c, u64 c_len, const u8 *ad, u64 ad_len, const u8 *nonce,
    const u8 *k)
{
	tell("file-key", k, 32);
	return REAL(crypto_aead_xchacha20poly1305_ietf_decrypt)(m, m_len, nsec,
	    c, c_len, ad, ad_len, nonce, k);
}
