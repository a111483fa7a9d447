/* SPDX-License-Identifier: ISC */
/*
 * HPKE against the vectors of RFC 9180, appendix A.2 (modes base and PSK), and
 * primitives against Wycheproof: what libsodium accepts is pinned here.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (s == NULL)
		fail_msg("no %s", key);
	return s;
}

static struct hf__hpke_base base;

static void
check_context(const json_t *v, int mode)
{
	uint8_t ss[32], info[64], info_hash[32], psk[32], psk_id[64],
	    psk_id_hash[32], want[64];
	size_t info_len = unhex(info, sizeof(info), text_of(v, "info")), len,
	       i;
	const json_t *list, *row;
	struct hf__hpke ctx, sealing;

	unhex(ss, sizeof(ss), text_of(v, "shared_secret"));
	hf__hpke_info_hash(info_hash, &base, info, info_len);
	if (mode == HF__HPKE_PSK) {
		assert_int_equal(unhex(psk, sizeof(psk), text_of(v, "psk")),
		    32);
		len = unhex(psk_id, sizeof(psk_id), text_of(v, "psk_id"));
		hf__hpke_psk_id_hash(psk_id_hash, &base, psk_id, len);
	}
	hf__hpke_schedule(&ctx, &base, ss, info_hash,
	    mode == HF__HPKE_PSK ? psk : NULL, psk_id_hash, true);
	unhex(want, sizeof(want), text_of(v, "key"));
	assert_memory_equal(ctx.key, want, 32);
	unhex(want, sizeof(want), text_of(v, "base_nonce"));
	assert_memory_equal(ctx.nonce, want, 12);
	unhex(want, sizeof(want), text_of(v, "exporter_secret"));
	assert_memory_equal(ctx.exporter, want, 32);
	list = json_object_get(v, "encryptions");
	assert_true(json_array_size(list) > 0);
	sealing = ctx;
	json_array_foreach((json_t *)list, i, row) {
		uint8_t aad[64], pt[128], ct[160], out[160];
		size_t aad_len = unhex(aad, sizeof(aad), text_of(row, "aad"));
		size_t pt_len = unhex(pt, sizeof(pt), text_of(row, "pt"));
		size_t ct_len = unhex(ct, sizeof(ct), text_of(row, "ct"));

		if (json_object_get(row, "sequence number") != NULL)
			sealing.seq = ctx.seq =
			    strtoull(text_of(row, "sequence number"), NULL,
				10);
		assert_ok(
		    hf__hpke_seal(out, &sealing, aad, aad_len, pt, pt_len));
		assert_int_equal(ct_len, pt_len + 16);
		assert_memory_equal(out, ct, ct_len);
		ct[0] ^= 1;
		assert_err(hf__hpke_open(out, &ctx, aad, aad_len, ct, ct_len),
		    HF_E_BOX);
		ct[0] ^= 1;
		assert_ok(hf__hpke_open(out, &ctx, aad, aad_len, ct, ct_len));
		assert_memory_equal(out, pt, pt_len);
	}
	list = json_object_get(v, "exports");
	assert_true(json_array_size(list) > 0);
	json_array_foreach((json_t *)list, i, row) {
		uint8_t context[64], out[32];

		len = unhex(context, sizeof(context),
		    text_of(row, "exporter_context"));
		unhex(want, sizeof(want), text_of(row, "exported_value"));
		assert_ok(hf__hpke_export(out, 32, &ctx, context, len));
		assert_memory_equal(out, want, 32);
	}
}

static void
check_kem(const json_t *v)
{
	struct hf__pair r, e;
	uint8_t ss[32], want[32], enc[32];

	unhex(r.sk, 32, text_of(v, "skRm"));
	unhex(r.pk, 32, text_of(v, "pkRm"));
	unhex(e.sk, 32, text_of(v, "skEm"));
	unhex(e.pk, 32, text_of(v, "pkEm"));
	unhex(enc, 32, text_of(v, "enc"));
	unhex(want, 32, text_of(v, "shared_secret"));
	assert_memory_equal(enc, e.pk, 32);
	assert_ok(hf__kem_x25519.encap(ss, NULL, &base, &e, r.pk));
	assert_memory_equal(ss, want, 32);
	assert_ok(hf__kem_x25519.decap(ss, &base, &r, enc));
	assert_memory_equal(ss, want, 32);
}

/* Of another suite, where the file says of which. */
static bool
other(const json_t *v, const char *id, json_int_t ours)
{
	const json_t *number = json_object_get(v, id);

	return number != NULL && json_integer_value(number) != ours;
}

static void
rfc9180(void **state)
{
	json_t *all =
	    test_data_json("hpke/rfc9180_a2_x25519_sha256_chachapoly.json");
	size_t i, done = 0;
	const json_t *v;
	int mode;

	(void)state;
	json_array_foreach(all, i, v) {
		mode = (int)json_integer_value(json_object_get(v, "mode"));
		if (mode > HF__HPKE_PSK || other(v, "kem_id", 0x20))
			continue; /* handfast has no auth modes */
		check_kem(v);
		if (other(v, "kdf_id", 1) || other(v, "aead_id", 3))
			continue;
		check_context(v, mode);
		done++;
	}
	test_data_counted(done, 2);
	json_decref(all);
}

/* Runs f over every test of a Wycheproof file. */
static void
wycheproof(const char *name, size_t expected,
    void (*f)(const json_t *group, const json_t *test, int valid))
{
	json_t *all = test_data_json(name);
	const json_t *group, *test;
	size_t i, k, n = 0;

	json_array_foreach(json_object_get(all, "testGroups"), i, group)
		json_array_foreach(json_object_get(group, "tests"), k, test) {
			f(group, test,
			    strcmp(text_of(test, "result"), "invalid") != 0);
			n++;
		}
	test_data_counted(n, expected);
	json_decref(all);
}

static size_t zero_cases;

static void
x25519_case(const json_t *group, const json_t *test, int valid)
{
	uint8_t pk[32], want[32], dh[32], ss[32], enc[32], ours[32];
	struct hf__pair own;

	(void)group;
	(void)valid;
	unhex(pk, 32, text_of(test, "public"));
	unhex(own.sk, 32, text_of(test, "private"));
	unhex(want, 32, text_of(test, "shared"));
	memset(enc, 1, sizeof(enc));
	memcpy(own.pk, enc, 32);
	if (sodium_is_zero(want, 32)) {
		/* In every slot of a handshake: as what is encapsulated to,
		 * and as what arrives encapsulated. */
		assert_err(hf__kem_x25519.encap(ss, NULL, &base, &own, pk),
		    HF_E_PUBLIC_KEY);
		assert_err(hf__kem_x25519.decap(ss, &base, &own, pk),
		    HF_E_PUBLIC_KEY);
		zero_cases++;
		return;
	}
	assert_int_equal(crypto_scalarmult(dh, own.sk, pk), 0);
	assert_memory_equal(dh, want, 32);
	assert_ok(hf__kem_x25519.decap(ss, &base, &own, pk));
	hf__dhkem_derive(ours, &base, want, pk, own.pk);
	assert_memory_equal(ss, ours, 32);
}

static void
wycheproof_x25519(void **state)
{
	(void)state;
	zero_cases = 0;
	wycheproof("wycheproof/x25519_test.json", 518, x25519_case);
	test_data_counted(zero_cases, 31);
}

static void
ed25519_case(const json_t *group, const json_t *test, int valid)
{
	uint8_t pk[32], message[4096], sig[256];
	size_t len = unhex(message, sizeof(message), text_of(test, "msg"));
	size_t sig_len = unhex(sig, sizeof(sig), text_of(test, "sig"));
	int r;

	unhex(pk, 32, text_of(json_object_get(group, "publicKey"), "pk"));
	r = sig_len == 64 ?
	    crypto_sign_verify_detached(sig, message, len, pk) :
	    -1;
	assert_int_equal(r == 0, valid);
}

static void
wycheproof_ed25519(void **state)
{
	(void)state;
	wycheproof("wycheproof/ed25519_test.json", 151, ed25519_case);
}

static void
aead_case(const json_t *group, const json_t *test, int valid)
{
	uint8_t key[32], iv[64], aad[1024], msg[1024], ct[1024], out[1024];
	size_t iv_len = unhex(iv, sizeof(iv), text_of(test, "iv"));
	size_t aad_len = unhex(aad, sizeof(aad), text_of(test, "aad"));
	size_t len = unhex(msg, sizeof(msg), text_of(test, "msg"));
	size_t ct_len = unhex(ct, sizeof(ct), text_of(test, "ct"));
	const struct hf__aead *aead = hf__suite_find(1)->aead;
	struct hf__aead_key expanded;
	enum hf_err e;

	(void)group;
	if (iv_len != aead->iv_len)
		return; /* no nonce of another size can reach the AEAD */
	unhex(key, 32, text_of(test, "key"));
	assert_ok(aead->expand(&expanded, key));
	ct_len +=
	    unhex(ct + ct_len, sizeof(ct) - ct_len, text_of(test, "tag"));
	e = aead->open(out, ct, ct_len, aad, aad_len, iv, &expanded);
	assert_err(e, valid ? HF_OK : HF_E_BOX);
	if (!valid)
		return;
	assert_memory_equal(out, msg, len);
	assert_ok(aead->seal(msg, len, aad, aad_len, iv, &expanded));
	assert_memory_equal(msg, ct, ct_len);
}

static void
wycheproof_chacha(void **state)
{
	(void)state;
	wycheproof("wycheproof/chacha20_poly1305_test.json", 325, aead_case);
}

static void
hkdf_case(const json_t *group, const json_t *test, int valid)
{
	uint8_t ikm[512], salt[512], info[512], prk[32];
	static uint8_t out[16384], want[16384];
	size_t ikm_len = unhex(ikm, sizeof(ikm), text_of(test, "ikm"));
	size_t salt_len = unhex(salt, sizeof(salt), text_of(test, "salt"));
	size_t info_len = unhex(info, sizeof(info), text_of(test, "info"));
	size_t size =
	    (size_t)json_integer_value(json_object_get(test, "size"));

	(void)group;
	hf__hkdf_extract(prk, salt, salt_len, ikm, ikm_len);
	assert_err(hf__hkdf_expand(out, size, prk, info, info_len),
	    valid ? HF_OK : HF_E_ARG);
	if (!valid)
		return;
	assert_int_equal(unhex(want, sizeof(want), text_of(test, "okm")),
	    size);
	assert_memory_equal(out, want, size);
}

static void
wycheproof_hkdf(void **state)
{
	(void)state;
	wycheproof("wycheproof/hkdf_sha256_test.json", 86, hkdf_case);
}

/* Without the data folder too: RFC 5869, test case 1, and a round trip. */
static void
known_hkdf(void **state)
{
	uint8_t ikm[22], salt[13], info[10], prk[32], okm[42], want[42];

	(void)state;
	memset(ikm, 0x0b, sizeof(ikm));
	for (size_t i = 0; i < sizeof(salt); i++)
		salt[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(info); i++)
		info[i] = (uint8_t)(0xf0 + i);
	hf__hkdf_extract(prk, salt, sizeof(salt), ikm, sizeof(ikm));
	assert_ok(hf__hkdf_expand(okm, sizeof(okm), prk, info, sizeof(info)));
	unhex(want, sizeof(want),
	    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
	    "34007208d5b887185865");
	assert_memory_equal(okm, want, sizeof(okm));
	assert_err(hf__hkdf_expand(okm, 0, prk, NULL, 0), HF_E_ARG);
}

static void
round_trip(void **state)
{
	uint8_t ss[32], again[32], zero[32] = { 0 }, text[20] = "hello",
				   sealed[36], opened[20];
	struct hf__pair own, ephemeral;
	struct hf__hpke a, b;

	(void)state;
	randombytes_buf(ss, sizeof(ss));
	assert_ok(hf__kem_x25519.pair(&own, ss));
	randombytes_buf(ss, sizeof(ss));
	assert_ok(hf__kem_x25519.pair(&ephemeral, ss));
	assert_ok(hf__kem_x25519.encap(ss, NULL, &base, &ephemeral, own.pk));
	assert_ok(hf__kem_x25519.decap(again, &base, &own, ephemeral.pk));
	assert_memory_equal(ss, again, 32);
	assert_err(hf__kem_x25519.decap(again, &base, &own, zero),
	    HF_E_PUBLIC_KEY);
	hf__hpke_schedule(&a, &base, ss, zero, NULL, NULL, false);
	b = a;
	assert_ok(hf__hpke_seal(sealed, &a, NULL, 0, text, sizeof(text)));
	assert_ok(hf__hpke_open(opened, &b, NULL, 0, sealed, sizeof(sealed)));
	assert_memory_equal(opened, text, sizeof(text));
	/* The sequence moved on: the same box does not open twice. */
	assert_err(hf__hpke_open(opened, &b, NULL, 0, sealed, sizeof(sealed)),
	    HF_E_BOX);
}

/* Where a context ends: at the last sequence number, at one block of exported
 * key, at 255 of an expanded one. */
static void
ends(void **state)
{
	static uint8_t okm[255 * 32 + 1];
	uint8_t ss[32] = { 1 }, zero[32] = { 0 }, box[17] = { 0 };
	uint8_t first[32], second[32];
	struct hf__hpke a, b;

	(void)state;
	hf__hpke_schedule(&a, &base, ss, zero, NULL, NULL, true);
	b = a;
	a.seq = UINT64_MAX - 1;
	assert_ok(hf__hpke_seal(box, &a, NULL, 0, box, 1));
	assert_err(hf__hpke_seal(box, &a, NULL, 0, box, 1), HF_E_CRYPTO);
	b.seq = UINT64_MAX - 1;
	assert_ok(hf__hpke_open(box, &b, NULL, 0, box, sizeof(box)));
	b.seq--;
	assert_ok(hf__hpke_seal(box, &b, NULL, 0, box, 1));
	assert_int_equal(b.seq, UINT64_MAX);
	/* Even what was sealed with that very nonce. */
	a = b;
	a.seq = 0;
	memcpy(a.nonce, b.nonce, sizeof(a.nonce));
	for (size_t i = 4; i < 12; i++)
		a.nonce[i] ^= 0xff;
	assert_ok(hf__hpke_seal(box, &a, NULL, 0, box, 1));
	assert_err(hf__hpke_open(box, &b, NULL, 0, box, sizeof(box)),
	    HF_E_BOX);
	assert_err(hf__hpke_export(first, 0, &a, NULL, 0), HF_E_ARG);
	assert_err(hf__hpke_export(first, 33, &a, NULL, 0), HF_E_ARG);
	assert_ok(hf__hpke_export(first, 32, &a, ss, 1));
	assert_ok(hf__hpke_export(second, 32, &b, ss, 1));
	assert_memory_equal(first, second, 32);
	assert_ok(hf__hpke_export(second, 32, &b, zero, 1));
	assert_memory_not_equal(first, second, 32);
	assert_err(hf__hkdf_expand(okm, sizeof(okm), ss, NULL, 0), HF_E_ARG);
	assert_ok(hf__hkdf_expand(okm, sizeof(okm) - 1, ss, NULL, 0));
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	hf__hpke_base_init(&base);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_hkdf),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(ends),
		cmocka_unit_test(rfc9180),
		cmocka_unit_test(wycheproof_x25519),
		cmocka_unit_test(wycheproof_ed25519),
		cmocka_unit_test(wycheproof_chacha),
		cmocka_unit_test(wycheproof_hkdf),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
