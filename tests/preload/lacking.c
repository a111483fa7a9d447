/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into the program: a processor without AES-256-GCM. It touches
 * nothing else.
 */
#include <sodium.h>

int
crypto_aead_aes256gcm_is_available(void)
{
	return 0;
}
