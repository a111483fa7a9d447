/* SPDX-License-Identifier: ISC */
/*
 * What is secret and what is not, for valgrind's memcheck: secret memory is
 * marked undefined, so that every branch and every address that depends on it
 * is reported. libsodium's functions stand in taint.c once more: the same, but
 * their verdicts are public, and each can be made to leak its secret, so that
 * a silent test means something.
 */
#ifndef HANDFAST_TAINT_H
#define HANDFAST_TAINT_H

#include <stddef.h>
#include <stdint.h>

/* Where a control leaks: the secrets that libsodium is given. */
enum point {
	POINT_DH = 1 << 0,	 /* a private key, in crypto_scalarmult() */
	POINT_PAIR = 1 << 1,	 /* in crypto_scalarmult_base() */
	POINT_SEED = 1 << 2,	 /* an identity's seed */
	POINT_SIGN = 1 << 3,	 /* a signing key */
	POINT_SEAL = 1 << 4,	 /* the key of a box or record that is made */
	POINT_OPEN = 1 << 5,	 /* ... that is opened */
	POINT_HASH = 1 << 6,	 /* what BLAKE2b hashes, or its key */
	POINT_MAC = 1 << 7,	 /* the key of HMAC-SHA256 */
	POINT_KDF = 1 << 8,	 /* the master secret */
	POINT_COMPARE = 1 << 9,	 /* both sides: the first difference ends it */
	POINT_TEXT = 1 << 10,	 /* what becomes text */
	POINT_STRETCH = 1 << 11, /* a password */
	POINT_RESULT = 1 << 12	 /* what the test has made */
};

/* The one point that leaks; 0 for none. */
extern unsigned leaking;
/* Whether random bytes are secret; certificate ids are not. */
extern int random_is_secret;

void secret(const void *, size_t);
void not_secret(const void *, size_t);
/* Takes its course by the secret, where that point leaks. */
void leak_at(enum point, const void *, size_t);

#endif
