/* SPDX-License-Identifier: ISC */
/*
 * Argon2id for `vectors verify`: it takes long, and vectors have few passwords,
 * so that what was computed before is remembered. It knows no vector.
 */
#include <string.h>

#include "vectors.h"

enum { MEMO_N = 32 };

static struct {
	uint8_t of[32], out[32];
} memo[MEMO_N];
static size_t memo_n;

static void
key_of(uint8_t of[32], const char *function, const char *password,
    const void *salt, size_t salt_len, unsigned mib, unsigned passes)
{
	char head[64];
	crypto_generichash_state state;
	int r;

	(void)snprintf(head, sizeof(head), "%s %u %u %zu ", function, mib,
	    passes, salt_len);
	r = crypto_generichash_init(&state, NULL, 0, 32);
	r |= crypto_generichash_update(&state, (const uint8_t *)head,
	    strlen(head));
	r |= crypto_generichash_update(&state, salt, salt_len);
	r |= crypto_generichash_update(&state, (const uint8_t *)password,
	    strlen(password));
	r |= crypto_generichash_final(&state, of, 32);
	if (r != 0)
		sodium_misuse();
}

static bool
recall(uint8_t out[32], const uint8_t of[32])
{
	size_t i;

	for (i = 0; i < memo_n && i < MEMO_N; i++)
		if (memcmp(memo[i].of, of, 32) == 0) {
			memcpy(out, memo[i].out, 32);
			return true;
		}
	return false;
}

static void
remember(const uint8_t of[32], const uint8_t out[32])
{
	size_t i = memo_n++ % MEMO_N;

	memcpy(memo[i].of, of, 32);
	memcpy(memo[i].out, out, 32);
}

enum hf_err
vec_stretch(uint8_t out[HF_KEY_BYTES], const char *password, const char *realm,
    const char *user, unsigned mib, unsigned passes)
{
	char salt[HF_NAME_MAX + HF_PASSWORD_MAX + 2];
	uint8_t of[32];
	enum hf_err e;
	int n = snprintf(salt, sizeof(salt), "%s\n%s", realm, user);

	if (n < 0 || (size_t)n >= sizeof(salt))
		return HF_E_ARG;
	key_of(of, "stretch", password, salt, (size_t)n, mib, passes);
	if (recall(out, of))
		return HF_OK;
	if ((e = hf_password_stretch(out, password, strlen(password), realm,
		 user, mib, passes)) == HF_OK)
		remember(of, out);
	return e;
}

enum hf_err
vec_argon2(uint8_t out[32], const char *password,
    const uint8_t salt[crypto_pwhash_SALTBYTES], unsigned mib, unsigned passes)
{
	uint8_t of[32];

	key_of(of, "argon2", password, salt, crypto_pwhash_SALTBYTES, mib,
	    passes);
	if (recall(out, of))
		return HF_OK;
	if (crypto_pwhash(out, 32, password, strlen(password), salt, passes,
		(size_t)mib << 20, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return HF_E_MEMORY;
	remember(of, out);
	return HF_OK;
}
