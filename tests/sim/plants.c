/* SPDX-License-Identifier: ISC */
/*
 * Faults planted in the library, to see that the simulation finds them. They
 * stand in front of libsodium, and of the one function of the key schedule
 * that makes an owner's keys; without a plant they change nothing.
 */
#include <dlfcn.h>
#include <string.h>

#include "sim.h"

/* Keys that come from the secret alone: not from the epoch, nor from the
 * nonces and all that was said. */
enum hf_err __real_hf__schedule_takeover(struct hf__secrets *,
    struct hf__traffic *, struct hf__traffic *, const struct hf__suite *,
    const uint8_t[32], const uint8_t[32], struct hf_span);
enum hf_err __wrap_hf__schedule_takeover(struct hf__secrets *,
    struct hf__traffic *, struct hf__traffic *, const struct hf__suite *,
    const uint8_t[32], const uint8_t[32], struct hf_span);

enum hf_err
__wrap_hf__schedule_takeover(struct hf__secrets *secrets,
    struct hf__traffic *initiator, struct hf__traffic *responder,
    const struct hf__suite *suite, const uint8_t secret[32],
    const uint8_t th4[32], struct hf_span shared)
{
	static const uint8_t nothing[32];

	return __real_hf__schedule_takeover(secrets, initiator, responder,
	    suite, secret, plant == PLANT_NO_EPOCH ? nothing : th4, shared);
}

/* A digest is taken for the one that rewrite_history() makes of it: keys, which
 * are compared by the same function, never differ by that one bit. */
static bool
rewritten(const uint8_t *a, const uint8_t *b, size_t len)
{
	return len == 32 && (a[0] ^ b[0]) == 1 &&
	    memcmp(a + 1, b + 1, len - 1) == 0;
}

int
sodium_memcmp(const void *a, const void *b, size_t len)
{
	static __typeof__(&sodium_memcmp) real;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "sodium_memcmp");
	return plant == PLANT_NO_DIGEST && rewritten(a, b, len) ?
	    0 :
	    real(a, b, len);
}

/* What a resume says is believed before its box was verified. */
int
crypto_aead_chacha20poly1305_ietf_decrypt(unsigned char *m,
    unsigned long long *mlen, unsigned char *nsec, const unsigned char *c,
    unsigned long long clen, const unsigned char *ad, unsigned long long adlen,
    const unsigned char *npub, const unsigned char *k)
{
	static __typeof__(&crypto_aead_chacha20poly1305_ietf_decrypt) real;
	int r;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT,
		    "crypto_aead_chacha20poly1305_ietf_decrypt");
	r = real(m, mlen, nsec, c, clen, ad, adlen, npub, k);
	if (r == 0 || plant != PLANT_CLAIM_FIRST || adlen < 2 ||
	    ad[1] != HF__RESUME)
		return r;
	return crypto_stream_chacha20_ietf_xor_ic(m, c, clen - 16, npub, 1, k);
}
