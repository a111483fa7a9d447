/* SPDX-License-Identifier: ISC */
/*
 * Retry cookies (spec section 10.2): a keyed hash over the message's type, the
 * peer's address and the time. Nothing is remembered of the peer. It decides
 * whether a cookie is genuine, never whether one is needed.
 */
#include <string.h>

#include "internal.h"

enum { TIME_BYTES = 8, MAC_BYTES = HF__COOKIE_BYTES - TIME_BYTES };

static void
cookie_mac(uint8_t mac[MAC_BYTES], const uint8_t key[32], enum hf__type type,
    const uint8_t time[TIME_BYTES], struct hf_span source)
{
	crypto_generichash_state state;
	const uint8_t type_byte = (uint8_t)type;
	int r;

	r = crypto_generichash_init(&state, key, 32, MAC_BYTES);
	r |= crypto_generichash_update(&state, &type_byte, 1);
	r |= crypto_generichash_update(&state, time, TIME_BYTES);
	r |= crypto_generichash_update(&state, source.ptr, source.len);
	r |= crypto_generichash_final(&state, mac, MAC_BYTES);
	if (r != 0)
		sodium_misuse();
	sodium_memzero(&state, sizeof(state));
}

void
hf__cookie_make(uint8_t cookie[HF__COOKIE_BYTES], const uint8_t key[32],
    enum hf__type type, struct hf_span source, uint64_t now)
{
	size_t i;

	for (i = 0; i < TIME_BYTES; i++)
		cookie[i] = (uint8_t)(now >> (8 * (TIME_BYTES - 1 - i)));
	cookie_mac(cookie + TIME_BYTES, key, type, cookie, source);
}

bool
hf__cookie_valid(struct hf_span cookie, const uint8_t key[32],
    enum hf__type type, struct hf_span source, uint64_t now)
{
	uint8_t mac[MAC_BYTES];
	uint64_t made = 0;
	size_t i;

	if (cookie.len != HF__COOKIE_BYTES)
		return false;
	cookie_mac(mac, key, type, cookie.ptr, source);
	if (sodium_memcmp(mac, cookie.ptr + TIME_BYTES, MAC_BYTES) != 0)
		return false;
	for (i = 0; i < TIME_BYTES; i++)
		made = made << 8 | cookie.ptr[i];
	return made <= now && now - made <= HF__COOKIE_SECONDS;
}
