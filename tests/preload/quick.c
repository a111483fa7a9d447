/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: stretches passwords without work, so that a
 * test can make thousands of password handshakes. What comes out depends on
 * password and salt, and is no Argon2id. Both sides and `user add` must have
 * it. It touches nothing else.
 */
#include <sodium.h>

int
crypto_pwhash(unsigned char *const out, unsigned long long out_len,
    const char *const password, unsigned long long password_len,
    const unsigned char *const salt, unsigned long long opslimit,
    size_t memlimit, int alg)
{
	(void)opslimit;
	(void)memlimit;
	(void)alg;
	return crypto_generichash(out, (size_t)out_len,
	    (const unsigned char *)password, password_len, salt,
	    crypto_pwhash_SALTBYTES);
}
