/* SPDX-License-Identifier: ISC */
/*
 * The transcript and the key schedule (spec section 8): every label and every
 * subkey number of a session stands here. Outside HPKE all hashing is
 * BLAKE2b, and subkeys come by libsodium's crypto_kdf. It knows no message's
 * inside.
 */
#include <string.h>

#include "internal.h"

/* Subkey numbers under the master secret (spec section 8.3). */
enum subkey {
	SUBKEY_INITIATOR = 1,
	SUBKEY_RESPONDER = 2,
	SUBKEY_CONFIRM = 3,
	SUBKEY_RESUMPTION = 4,
	SUBKEY_EXPORTER = 5,
	SUBKEY_DIGESTS = 6,
	SUBKEY_PROOF = 7
};

static const char CONTEXT[crypto_kdf_CONTEXTBYTES + 1] = "handfast";
static const char RATCHET[crypto_kdf_CONTEXTBYTES + 1] = "hfratche";

/* BLAKE2b fails only for lengths that are out of its range. */
static void
hash_parts(uint8_t *out, size_t out_len, const struct hf_span *key,
    const struct hf_span *parts, size_t n)
{
	crypto_generichash_state state;
	size_t i;
	int r;

	r = crypto_generichash_init(&state, key == NULL ? NULL : key->ptr,
	    key == NULL ? 0 : key->len, out_len);
	for (i = 0; i < n; i++)
		r |= crypto_generichash_update(&state, parts[i].ptr,
		    parts[i].len);
	r |= crypto_generichash_final(&state, out, out_len);
	if (r != 0)
		sodium_misuse();
	sodium_memzero(&state, sizeof(state));
}

void
hf__hash(uint8_t out[32], const void *data, size_t len)
{
	const struct hf_span part = { data, len };

	hash_parts(out, HF__HASH_BYTES, NULL, &part, 1);
}

static struct hf_span
label_span(const char *label)
{
	return (struct hf_span){ (const uint8_t *)label, strlen(label) };
}

void
hf__hash_labelled(uint8_t out[32], const char *label, const void *data,
    size_t len)
{
	const struct hf_span parts[] = { label_span(label), { data, len } };

	hash_parts(out, HF__HASH_BYTES, NULL, parts, HF__ARRAY_N(parts));
}

/* H(CBOR [part, ...]): at most three byte strings, heads and contents fed to
 * the hash in turn so that no message is copied. */
void
hf__transcript(uint8_t th[32], const struct hf_span *parts, size_t n)
{
	uint8_t heads[3 * 9 + 1];
	struct hf_span fed[6];
	struct hf__writer w;
	size_t i, start = 0;

	hf__write_init(&w, heads, sizeof(heads));
	hf__write_list(&w, n);
	for (i = 0; i < n; i++) {
		hf__write_bytes_head(&w, parts[i].len);
		fed[2 * i] = (struct hf_span){ heads + start, w.len - start };
		fed[2 * i + 1] = parts[i];
		start = w.len;
	}
	hash_parts(th, HF__HASH_BYTES, NULL, fed, 2 * n);
}

void
hf__schedule_grant(struct hf__grant_keys *keys,
    const uint8_t transport_key[32], const uint8_t th1[32],
    const uint8_t ss[32], const uint8_t *binder)
{
	const struct hf_span key = { transport_key, 32 };
	const struct hf_span parts[] = { label_span("handfast/1 grant"),
		{ th1, 32 }, { ss, 32 }, { binder, binder == NULL ? 0 : 32 } };
	uint8_t block[64];

	hash_parts(block, sizeof(block), &key, parts, HF__ARRAY_N(parts));
	memcpy(keys->box, block, 32);
	memcpy(keys->chain, block + 32, 32);
	sodium_memzero(block, sizeof(block));
}

static const uint8_t ONCE[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

enum hf_err
hf__box_seal(uint8_t *buf, size_t len, const uint8_t *aad, size_t aad_len,
    const uint8_t key[32])
{
	return crypto_aead_chacha20poly1305_ietf_encrypt(buf, NULL, buf, len,
		   aad, aad_len, NULL, ONCE, key) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}

enum hf_err
hf__box_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *aad,
    size_t aad_len, const uint8_t key[32])
{
	return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in,
		   len, aad, aad_len, ONCE, key) == 0 ?
	    HF_OK :
	    HF_E_BOX;
}

static enum hf_err
subkey(uint8_t *out, size_t len, enum subkey id, const uint8_t master[32])
{
	return crypto_kdf_derive_from_key(out, len, id, CONTEXT, master) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}

static enum hf_err
traffic_set(struct hf__traffic *t, const struct hf__suite *suite,
    const uint8_t block[64])
{
	memcpy(t->ratchet, block, 32);
	memcpy(t->iv, block + 32, suite->aead->iv_len);
	return suite->aead->expand(&t->key, block);
}

/* Every key of an epoch: traffic, confirmation, resumption, exporter. */
static enum hf_err
from_master(struct hf__secrets *secrets, struct hf__traffic *initiator,
    struct hf__traffic *responder, const struct hf__suite *suite,
    const uint8_t master[32])
{
	size_t traffic_len = 32 + suite->aead->iv_len;
	uint8_t block[64];
	enum hf_err e;

	if ((e = subkey(block, traffic_len, SUBKEY_INITIATOR, master)) !=
		HF_OK ||
	    (e = traffic_set(initiator, suite, block)) != HF_OK ||
	    (e = subkey(block, traffic_len, SUBKEY_RESPONDER, master)) !=
		HF_OK ||
	    (e = traffic_set(responder, suite, block)) != HF_OK ||
	    (e = subkey(secrets->confirm, 32, SUBKEY_CONFIRM, master)) !=
		HF_OK ||
	    (e = subkey(secrets->resumption, 32, SUBKEY_RESUMPTION, master)) !=
		HF_OK)
		goto out;
	e = subkey(secrets->exporter, 32, SUBKEY_EXPORTER, master);
out:
	sodium_memzero(block, sizeof(block));
	return e;
}

static enum hf_err
first_digests(struct hf__traffic *initiator, struct hf__traffic *responder,
    const uint8_t master[32])
{
	uint8_t block[64];
	enum hf_err e;

	if ((e = subkey(block, 64, SUBKEY_DIGESTS, master)) == HF_OK) {
		memcpy(initiator->digest, block, 32);
		memcpy(responder->digest, block + 32, 32);
	}
	sodium_memzero(block, sizeof(block));
	return e;
}

enum hf_err
hf__schedule_master(struct hf__secrets *secrets, struct hf__traffic *initiator,
    struct hf__traffic *responder, const struct hf__suite *suite,
    const uint8_t session_key[32], const uint8_t chain[32],
    const uint8_t th2[32])
{
	uint8_t key[64], master[32];
	const struct hf_span parts[] = { label_span("handfast/1 master"),
		{ th2, 32 } };
	const struct hf_span keyed = { key, sizeof(key) };
	enum hf_err e;

	memcpy(key, session_key, 32);
	memcpy(key + 32, chain, 32);
	hash_parts(master, sizeof(master), &keyed, parts, HF__ARRAY_N(parts));
	if ((e = from_master(secrets, initiator, responder, suite, master)) ==
	    HF_OK)
		e = first_digests(initiator, responder, master);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(master, sizeof(master));
	return e;
}

/* --- takeover (spec section 17) --------------------------------------------- */

static void
store_be8(uint8_t out[8], uint64_t value)
{
	size_t i;

	for (i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> (8 * (7 - i)));
}

void
hf__schedule_resume(uint8_t key[32], const uint8_t secret[32],
    const uint8_t nonce[32])
{
	const struct hf_span keyed = { secret, 32 };
	const struct hf_span parts[] = { label_span("handfast/1 resume"),
		{ nonce, 32 } };

	hash_parts(key, 32, &keyed, parts, HF__ARRAY_N(parts));
}

void
hf__schedule_resumed(uint8_t key[32], const uint8_t secret[32],
    const uint8_t th3[32], const uint8_t nonce[32], struct hf_span shared)
{
	const struct hf_span keyed = { secret, 32 };
	const struct hf_span parts[] = { label_span("handfast/1 resumed"),
		{ th3, 32 }, { nonce, 32 }, shared };

	hash_parts(key, 32, &keyed, parts, HF__ARRAY_N(parts));
}

void
hf__schedule_nonce(uint8_t nonce[32], const uint8_t secret[32],
    const uint8_t random[32], uint64_t now, uint64_t number,
    struct hf_span plain)
{
	const struct hf_span keyed = { secret, 32 };
	uint8_t numbers[16];
	const struct hf_span parts[] = { label_span("handfast/1 nonce"),
		{ random, 32 }, { numbers, sizeof(numbers) }, plain };

	store_be8(numbers, now);
	store_be8(numbers + 8, number);
	hash_parts(nonce, 32, &keyed, parts, HF__ARRAY_N(parts));
}

enum hf_err
hf__schedule_takeover(struct hf__secrets *secrets,
    struct hf__traffic *initiator, struct hf__traffic *responder,
    const struct hf__suite *suite, const uint8_t secret[32],
    const uint8_t th4[32], struct hf_span shared)
{
	const struct hf_span keyed = { secret, 32 };
	const struct hf_span parts[] = { label_span("handfast/1 takeover"),
		{ th4, 32 }, shared };
	uint8_t master[32];
	enum hf_err e;

	hash_parts(master, sizeof(master), &keyed, parts, HF__ARRAY_N(parts));
	e = from_master(secrets, initiator, responder, suite, master);
	sodium_memzero(master, sizeof(master));
	return e;
}

enum hf_err
hf__schedule_refresh(struct hf__secrets *secrets, uint8_t proof[32],
    struct hf__traffic *initiator, struct hf__traffic *responder,
    const struct hf__suite *suite, const uint8_t secret[32],
    const uint8_t th5[32], struct hf_span shared)
{
	const struct hf_span keyed = { secret, 32 };
	const struct hf_span parts[] = { label_span("handfast/1 refresh"),
		{ th5, 32 }, shared };
	uint8_t master[32];
	enum hf_err e;

	hash_parts(master, sizeof(master), &keyed, parts, HF__ARRAY_N(parts));
	if ((e = from_master(secrets, initiator, responder, suite, master)) ==
	    HF_OK)
		e = subkey(proof, 32, SUBKEY_PROOF, master);
	sodium_memzero(master, sizeof(master));
	return e;
}

void
hf__schedule_epoch(struct hf__mark *mark, uint64_t epoch, enum hf_role sender)
{
	uint8_t numbers[8 + 1 + 8 + 8];
	const struct hf_span parts[] = { label_span("handfast/1 epoch"),
		{ numbers, sizeof(numbers) }, { mark->digest, 32 } };

	store_be8(numbers, epoch);
	numbers[8] = (uint8_t)sender;
	store_be8(numbers + 9, mark->count);
	store_be8(numbers + 17, mark->bytes);
	hash_parts(mark->digest, 32, NULL, parts, HF__ARRAY_N(parts));
}

enum hf_err
hf__schedule_ratchet(struct hf__traffic *next, const struct hf__suite *suite,
    const struct hf__traffic *t)
{
	uint8_t block[64];
	enum hf_err e = HF_E_CRYPTO;

	*next = *t;
	if (crypto_kdf_derive_from_key(block, 32 + suite->aead->iv_len, 1,
		RATCHET, t->ratchet) == 0)
		e = traffic_set(next, suite, block);
	sodium_memzero(block, sizeof(block));
	return e;
}

enum hf_err
hf__schedule_export(uint8_t *out, size_t len, const uint8_t exporter[32],
    const char *label, const uint8_t *context, size_t context_len)
{
	static const char domain[] = "handfast/1 export";
	uint8_t info[HF_NAME_MAX + 80], hash[32];
	struct hf__writer w;

	if (len == 0 || len > HF_EXPORT_MAX || strlen(label) > HF_NAME_MAX)
		return HF_E_ARG;
	hf__hash(hash, context, context_len);
	hf__write_init(&w, info, sizeof(info));
	hf__write_list(&w, 4);
	hf__write_text(&w, domain, strlen(domain));
	hf__write_text(&w, label, strlen(label));
	hf__write_bytes(&w, hash, sizeof(hash));
	hf__write_uint(&w, len);
	if (w.err != HF_OK)
		return w.err;
	return hf__hkdf_expand(out, len, exporter, info, w.len);
}
