/* SPDX-License-Identifier: ISC */
/*
 * HPKE (RFC 9180) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and
 * ChaCha20-Poly1305, modes base and PSK, and HKDF (RFC 5869), over libsodium's
 * HMAC-SHA256. Keyed HMAC states are made once and copied: a context costs
 * about as many compressions as RFC 9180 allows. It knows no message; the
 * Diffie-Hellman itself is the suite's.
 */
#include <string.h>

#include "internal.h"

static const uint8_t KEM_ID[] = { 'K', 'E', 'M', 0x00, 0x20 };
static const uint8_t HPKE_ID[] = { 'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01,
	0x00, 0x03 };
static const uint8_t VERSION[] = { 'H', 'P', 'K', 'E', '-', 'v', '1' };

struct part {
	const void *ptr;
	size_t len;
};

/* HMAC of the parts under a keyed state. libsodium's HMAC cannot fail: its
 * functions return 0 always; they are checked all the same by mac_init(). */
static void
mac(uint8_t out[32], const hf__hmac *keyed, const struct part *parts, size_t n)
{
	hf__hmac state = *keyed;
	size_t i;
	int r = 0;

	for (i = 0; i < n; i++)
		r |= crypto_auth_hmacsha256_update(&state, parts[i].ptr,
		    parts[i].len);
	r |= crypto_auth_hmacsha256_final(&state, out);
	if (r != 0)
		sodium_misuse();
	sodium_memzero(&state, sizeof(state));
}

static void
mac_init(hf__hmac *state, const uint8_t *key, size_t len)
{
	if (crypto_auth_hmacsha256_init(state, key, len) != 0)
		sodium_misuse();
}

static void
labelled_extract(uint8_t prk[32], const hf__hmac *salted, struct part id,
    const char *label, struct part ikm)
{
	const struct part parts[] = { { VERSION, sizeof(VERSION) }, id,
		{ label, strlen(label) }, ikm };

	mac(prk, salted, parts, HF__ARRAY_N(parts));
}

/* LabeledExpand of at most one block (32 bytes). */
static void
labelled_expand(uint8_t *out, size_t len, const hf__hmac *prk, struct part id,
    const char *label, struct part a, struct part b)
{
	static const uint8_t one = 1;
	const uint8_t length[2] = { (uint8_t)(len >> 8), (uint8_t)len };
	const struct part parts[] = { { length, 2 },
		{ VERSION, sizeof(VERSION) }, id, { label, strlen(label) }, a,
		b, { &one, 1 } };
	uint8_t block[32];

	mac(block, prk, parts, HF__ARRAY_N(parts));
	memcpy(out, block, len);
	sodium_memzero(block, sizeof(block));
}

static const struct part NONE = { "", 0 };
static const struct part KEM = { KEM_ID, sizeof(KEM_ID) };
static const struct part HPKE = { HPKE_ID, sizeof(HPKE_ID) };

void
hf__hpke_psk_id_hash(uint8_t hash[32], const struct hf__hpke_base *base,
    const uint8_t *psk_id, size_t len)
{
	labelled_extract(hash, &base->extract, HPKE, "psk_id_hash",
	    (struct part){ psk_id, len });
}

void
hf__hpke_info_hash(uint8_t hash[32], const struct hf__hpke_base *base,
    const uint8_t *info, size_t len)
{
	labelled_extract(hash, &base->extract, HPKE, "info_hash",
	    (struct part){ info, len });
}

void
hf__hpke_base_init(struct hf__hpke_base *base)
{
	static const char prekey[] = "handfast/1 prekey";

	mac_init(&base->extract, (const uint8_t *)"", 0);
	hf__hpke_psk_id_hash(base->psk_id_none, base, (const uint8_t *)"", 0);
	hf__hpke_psk_id_hash(base->psk_id_prekey, base,
	    (const uint8_t *)prekey, strlen(prekey));
}

/* RFC 9180, section 4.1: ExtractAndExpand(dh, kem_context = enc || pk). */
void
hf__dhkem_derive(uint8_t ss[32], const struct hf__hpke_base *base,
    const uint8_t dh[32], const uint8_t enc[32], const uint8_t pk[32])
{
	uint8_t prk[32];
	hf__hmac keyed;

	labelled_extract(prk, &base->extract, KEM, "eae_prk",
	    (struct part){ dh, 32 });
	mac_init(&keyed, prk, sizeof(prk));
	labelled_expand(ss, 32, &keyed, KEM, "shared_secret",
	    (struct part){ enc, 32 }, (struct part){ pk, 32 });
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(&keyed, sizeof(keyed));
}

/* RFC 9180, section 5.1: KeySchedule. */
void
hf__hpke_schedule(struct hf__hpke *ctx, const struct hf__hpke_base *base,
    const uint8_t ss[32], const uint8_t info_hash[32], const uint8_t *psk,
    const uint8_t *psk_id_hash, bool exporter)
{
	uint8_t context[65], secret[32];
	struct part whole = { context, sizeof(context) };
	hf__hmac keyed;

	context[0] = psk == NULL ? HF__HPKE_BASE : HF__HPKE_PSK;
	memcpy(context + 1, psk == NULL ? base->psk_id_none : psk_id_hash, 32);
	memcpy(context + 33, info_hash, 32);
	mac_init(&keyed, ss, 32);
	labelled_extract(secret, &keyed, HPKE, "secret",
	    psk == NULL ? NONE : (struct part){ psk, 32 });
	mac_init(&keyed, secret, sizeof(secret));
	labelled_expand(ctx->key, 32, &keyed, HPKE, "key", whole, NONE);
	labelled_expand(ctx->nonce, 12, &keyed, HPKE, "base_nonce", whole,
	    NONE);
	if (exporter)
		labelled_expand(ctx->exporter, 32, &keyed, HPKE, "exp", whole,
		    NONE);
	ctx->seq = 0;
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(&keyed, sizeof(keyed));
}

/* RFC 9180, section 5.2: nonce = base_nonce xor seq, then seq + 1. */
static void
next_nonce(uint8_t nonce[12], struct hf__hpke *ctx)
{
	size_t i;

	memcpy(nonce, ctx->nonce, 12);
	for (i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(ctx->seq >> (8 * i));
}

enum hf_err
hf__hpke_seal(uint8_t *out, struct hf__hpke *ctx, const uint8_t *aad,
    size_t aad_len, const uint8_t *in, size_t len)
{
	uint8_t nonce[12];

	next_nonce(nonce, ctx);
	if (ctx->seq == UINT64_MAX ||
	    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, aad,
		aad_len, NULL, nonce, ctx->key) != 0)
		return HF_E_CRYPTO;
	ctx->seq++;
	return HF_OK;
}

enum hf_err
hf__hpke_open(uint8_t *out, struct hf__hpke *ctx, const uint8_t *aad,
    size_t aad_len, const uint8_t *in, size_t len)
{
	uint8_t nonce[12];

	next_nonce(nonce, ctx);
	if (ctx->seq == UINT64_MAX ||
	    crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len,
		aad, aad_len, nonce, ctx->key) != 0)
		return HF_E_BOX;
	ctx->seq++;
	return HF_OK;
}

enum hf_err
hf__hpke_export(uint8_t *out, size_t len, const struct hf__hpke *ctx,
    const uint8_t *context, size_t context_len)
{
	hf__hmac keyed;

	if (len == 0 || len > 32)
		return HF_E_ARG;
	mac_init(&keyed, ctx->exporter, sizeof(ctx->exporter));
	labelled_expand(out, len, &keyed, HPKE, "sec",
	    (struct part){ context, context_len }, NONE);
	sodium_memzero(&keyed, sizeof(keyed));
	return HF_OK;
}

void
hf__hkdf_extract(uint8_t prk[32], const uint8_t *salt, size_t salt_len,
    const uint8_t *ikm, size_t ikm_len)
{
	const struct part part = { ikm, ikm_len };
	hf__hmac keyed;

	mac_init(&keyed, salt, salt_len);
	mac(prk, &keyed, &part, 1);
	sodium_memzero(&keyed, sizeof(keyed));
}

/* RFC 5869, section 2.3. */
enum hf_err
hf__hkdf_expand(uint8_t *out, size_t len, const uint8_t prk[32],
    const uint8_t *info, size_t info_len)
{
	uint8_t block[32], counter = 0;
	struct part parts[] = { { block, 0 }, { info, info_len },
		{ &counter, 1 } };
	hf__hmac keyed;
	size_t take;

	if (len == 0 || len > (size_t)255 * 32)
		return HF_E_ARG;
	mac_init(&keyed, prk, 32);
	for (; len > 0; out += take, len -= take) {
		counter++;
		mac(block, &keyed, parts, HF__ARRAY_N(parts));
		parts[0].len = sizeof(block);
		take = len < sizeof(block) ? len : sizeof(block);
		memcpy(out, block, take);
	}
	sodium_memzero(block, sizeof(block));
	sodium_memzero(&keyed, sizeof(keyed));
	return HF_OK;
}
