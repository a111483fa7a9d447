/* SPDX-License-Identifier: ISC */
/*
 * What may never happen: a key and nonce used twice, over anything; data that
 * is not what stands at its offset. It stands in front of libsodium's AEADs
 * and sees every box and record that anybody makes.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum { SLOTS = 1 << 14 };

struct tally tally;
enum plant plant;

static struct {
	uint64_t epoch; /* entries of other runs are void; 0 of all */
	struct {
		uint64_t epoch;
		uint8_t hash[24];
	} slot[SLOTS];
	uint64_t seed;
} oracle = { .epoch = 1 };

void
oracle_begin(uint64_t seed)
{
	oracle.epoch++;
	oracle.seed = seed;
}

void
violation(const char *what, ...)
{
	va_list ap;

	tally.violations++;
	fprintf(stderr, "seed %llu: ", (unsigned long long)oracle.seed);
	va_start(ap, what);
	vfprintf(stderr, what, ap);
	va_end(ap);
	fputc('\n', stderr);
}

uint8_t
pattern(enum hf_role sender, uint64_t offset)
{
	uint64_t x = (offset + 1) * 0x9e3779b97f4a7c15ULL ^ (uint64_t)sender;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return (uint8_t)(x >> 56);
}

/* Each key and nonce only once. */
static void
see(const uint8_t *key, size_t key_len, const uint8_t *nonce, size_t nonce_len)
{
	crypto_generichash_state st;
	uint8_t hash[24];
	size_t i;

	crypto_generichash_init(&st, NULL, 0, sizeof(hash));
	crypto_generichash_update(&st, key, key_len);
	crypto_generichash_update(&st, nonce, nonce_len);
	crypto_generichash_final(&st, hash, sizeof(hash));
	memcpy(&i, hash, sizeof(i));
	for (i %= SLOTS; oracle.slot[i].epoch == oracle.epoch;
	     i = (i + 1) % SLOTS)
		if (memcmp(oracle.slot[i].hash, hash, sizeof(hash)) == 0) {
			violation("a key and nonce were used twice");
			return;
		}
	oracle.slot[i].epoch = oracle.epoch;
	memcpy(oracle.slot[i].hash, hash, sizeof(hash));
}

int
crypto_aead_chacha20poly1305_ietf_encrypt(unsigned char *c,
    unsigned long long *clen, const unsigned char *m, unsigned long long mlen,
    const unsigned char *ad, unsigned long long adlen,
    const unsigned char *nsec, const unsigned char *npub,
    const unsigned char *k)
{
	static __typeof__(&crypto_aead_chacha20poly1305_ietf_encrypt) real;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT,
		    "crypto_aead_chacha20poly1305_ietf_encrypt");
	see(k, 32, npub, 12);
	return real(c, clen, m, mlen, ad, adlen, nsec, npub, k);
}

int
crypto_aead_xchacha20poly1305_ietf_encrypt(unsigned char *c,
    unsigned long long *clen, const unsigned char *m, unsigned long long mlen,
    const unsigned char *ad, unsigned long long adlen,
    const unsigned char *nsec, const unsigned char *npub,
    const unsigned char *k)
{
	static __typeof__(&crypto_aead_xchacha20poly1305_ietf_encrypt) real;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT,
		    "crypto_aead_xchacha20poly1305_ietf_encrypt");
	see(k, 32, npub, 24);
	return real(c, clen, m, mlen, ad, adlen, nsec, npub, k);
}
