/* SPDX-License-Identifier: ISC */
/*
 * COSE_Sign1 and COSE_Encrypt0: public examples, every header that is not
 * ours (threats A17), the edges of Ed25519 (A18) and labels that keep one
 * object from passing for another (A19).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static const char label[] = "handfast/1 test";
static struct hf_identity *id;

static enum hf_err
verify(const uint8_t *object, size_t len, const char *as, const uint8_t *pk)
{
	struct hf__sign1 s;
	enum hf_err e;

	if ((e = hf__sign1_read(&s, object, len)) != HF_OK)
		return e;
	return hf__sign1_verify(&s, (const uint8_t *)as, strlen(as), pk);
}

/* Reads head, a signature's 64 bytes, and tail. */
static enum hf_err
read_hex(const char *head, const char *tail)
{
	uint8_t buf[256];
	struct hf__sign1 s;
	size_t len;

	len = unhex(buf, sizeof(buf), head);
	buf[len++] = 0x58;
	buf[len++] = 0x40;
	memset(buf + len, 0x11, 64);
	len += 64;
	len += unhex(buf + len, sizeof(buf) - len, tail);
	return hf__sign1_read(&s, buf, len);
}

static void
headers(void **state)
{
	(void)state;
	assert_ok(read_hex("8443a10127a0426869", ""));
	assert_ok(read_hex("8443a10127a040", ""));
	/* A kid may stand in the unprotected header, nothing else. */
	assert_ok(read_hex("8443a10127a1044131426869", ""));
	assert_err(read_hex("8443a10127a10127426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10127a1028104426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10127a10400426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10127a1616100426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10127a1014131426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10127a1034131426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10127a20127044131426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10127a2044131044132426869", ""),
	    HF_E_OBJECT);
	assert_err(read_hex("8443a10127f6426869", ""), HF_E_OBJECT);
	/* alg absent, in the wrong place, another, or with company. */
	assert_err(read_hex("8440a10127426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8440a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8441a0a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8441a0a10127426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10126a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10100a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10105a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8444a101f600a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8444a1013807a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8446a20127028104a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8445a201270300a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8445a201270127a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("84a10127a0426869", ""), HF_E_OBJECT);
	assert_err(read_hex("8463a10127a0426869", ""), HF_E_OBJECT);
}

static void
structure(void **state)
{
	(void)state;
	/* A detached payload; one that is text. */
	assert_err(read_hex("8443a10127a0f6", ""), HF_E_OBJECT);
	assert_err(read_hex("8443a10127a0626869", ""), HF_E_OBJECT);
	/* Tags: Sign1, MAC0, Sign, CWT, another. */
	assert_err(read_hex("d28443a10127a0426869", ""), HF_E_CBOR);
	assert_err(read_hex("d18443a10127a0426869", ""), HF_E_CBOR);
	assert_err(read_hex("d8628443a10127a0426869", ""), HF_E_CBOR);
	assert_err(read_hex("d83dd28443a10127a0426869", ""), HF_E_CBOR);
	assert_err(read_hex("d903e68443a10127a0426869", ""), HF_E_CBOR);
	/* Too few, too many, left over. */
	assert_err(read_hex("8343a10127a0", ""), HF_E_OBJECT);
	assert_err(read_hex("8543a10127a0426869", "00"), HF_E_OBJECT);
	assert_err(read_hex("8443a10127a0426869", "00"), HF_E_CBOR);
	assert_err(read_hex("9f43a10127a0426869", "ff"), HF_E_CBOR);
	assert_err(read_hex("980443a10127a0426869", ""), HF_E_CBOR);
	/* A signature of another length: two items where one should be. */
	assert_err(hf__sign1_read(&(struct hf__sign1){ 0 },
		       (const uint8_t *)"\x84\x43\xa1\x01\x27\xa0\x40\x40", 8),
	    HF_E_OBJECT);
}

struct made {
	uint8_t bytes[4096];
	size_t len;
};

static void
make(struct made *m, const char *as, const void *payload, size_t len)
{
	assert_ok(hf__sign1_make(m->bytes, sizeof(m->bytes), &m->len, id, as,
	    payload, len));
}

static void
sign_and_verify(void **state)
{
	static const size_t lens[] = { 0, 1, 23, 24, 255, 256, 2000, 2100,
		2101, 3000, 3900 };
	static uint8_t payload[4000];
	struct hf__sign1 s;
	struct made m;
	size_t i, need;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(lens); i++) {
		make(&m, label, payload, lens[i]);
		assert_ok(hf__sign1_read(&s, m.bytes, m.len));
		assert_int_equal(s.payload.len, lens[i]);
		assert_ok(verify(m.bytes, m.len, label, id->sign_pk));
		assert_err(verify(m.bytes, m.len, "handfast/1 tesT",
			       id->sign_pk),
		    HF_E_SIGNATURE);
		assert_err(verify(m.bytes, m.len, "", id->sign_pk),
		    HF_E_SIGNATURE);
		assert_err(verify(m.bytes, m.len, label, id->kem.pk),
		    HF_E_SIGNATURE);
		assert_err(hf__sign1_make(m.bytes, m.len - 1, &need, id, label,
			       payload, lens[i]),
		    HF_E_SPACE);
		assert_int_equal(need, m.len);
	}
}

/* Each bit and each prefix of a signed object. */
static void
every_bit_and_prefix(void **state)
{
	struct made m;
	enum hf_err e;
	size_t i;

	(void)state;
	make(&m, label, "payload", 7);
	for (i = 0; i < m.len * 8; i++) {
		m.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
		e = verify(m.bytes, m.len, label, id->sign_pk);
		if (i / 8 >= m.len - 64)
			assert_err(e, HF_E_SIGNATURE);
		else if (e != HF_E_CBOR && e != HF_E_OBJECT)
			assert_err(e, HF_E_SIGNATURE);
		m.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < m.len; i++)
		assert_err(verify(m.bytes, i, label, id->sign_pk), HF_E_CBOR);
	assert_ok(verify(m.bytes, m.len, label, id->sign_pk));
}

/* --- public examples ------------------------------------------------------------ */

static size_t
example(uint8_t *out, size_t cap, const char *name)
{
	json_t *json = test_data_json(name);
	size_t len;

	len = unhex(out, cap,
	    json_string_value(
		json_object_get(json_object_get(json, "output"), "cbor")));
	json_decref(json);
	return len;
}

/* Takes a Sign1 apart whatever its headers are; out of its tag. */
static void
take_apart(struct hf__sign1 *s, const uint8_t *ptr, size_t len)
{
	struct hf__reader r;

	*s = (struct hf__sign1){ .whole = { ptr, len } };
	hf__read_init(&r, ptr, len);
	assert_int_equal(hf__read_list(&r, 4, 4), 4);
	s->protected = hf__read_bytes(&r, 0, 64);
	(void)hf__read_skip(&r, 1);
	s->payload = hf__read_bytes(&r, 0, 64);
	s->signature = hf__read_bytes(&r, 64, 64);
	assert_ok(hf__read_end(&r));
}

static void
public_eddsa(void **state)
{
	static const char pk_hex[] = "d75a980182b10ab7d54bfed3c964073a"
				     "0ee172f3daa62325af021a68f707511a";
	uint8_t buf[512], pk[32];
	struct hf__sign1 s;
	size_t len;

	(void)state;
	unhex(pk, sizeof(pk), pk_hex);
	len = example(buf, sizeof(buf), "cose/eddsa/eddsa-sig-01.json");
	assert_err(verify(buf, len, "", pk), HF_E_CBOR); /* its tag */
	/* Its protected header carries a content type beside the algorithm:
	 * not an object of ours, yet its signature must verify. */
	assert_err(verify(buf + 1, len - 1, "", pk), HF_E_OBJECT);
	take_apart(&s, buf + 1, len - 1);
	assert_ok(hf__sign1_verify(&s, NULL, 0, pk));
	assert_err(hf__sign1_verify(&s, (const uint8_t *)"x", 1, pk),
	    HF_E_SIGNATURE);
}

static void
public_refused(void **state)
{
	static const struct {
		const char *name;
		size_t tag; /* bytes to strip */
		enum hf_err e;
	} cases[] = {
		{ "cose/eddsa/eddsa-01.json", 2, HF_E_OBJECT },
		{ "cose/eddsa/eddsa-02.json", 2, HF_E_OBJECT },
		/* Ed448 under the same algorithm: a longer signature. */
		{ "cose/eddsa/eddsa-sig-02.json", 1, HF_E_OBJECT },
		{ "cose/sign1/sign-pass-01.json", 1, HF_E_OBJECT },
		{ "cose/sign1/sign-pass-02.json", 1, HF_E_OBJECT },
		{ "cose/sign1/sign-pass-03.json", 0, HF_E_OBJECT },
		{ "cose/sign1/sign-fail-01.json", 3, HF_E_OBJECT },
		{ "cose/sign1/sign-fail-02.json", 1, HF_E_OBJECT },
		{ "cose/sign1/sign-fail-03.json", 1, HF_E_OBJECT },
		{ "cose/sign1/sign-fail-04.json", 1, HF_E_OBJECT },
		{ "cose/sign1/sign-fail-06.json", 1, HF_E_OBJECT },
		{ "cose/sign1/sign-fail-07.json", 1, HF_E_OBJECT },
		{ "cose/misc/Appendix_C_2_1.json", 1, HF_E_OBJECT },
		{ "cose/misc/chacha-poly-enc-01.json", 1, HF_E_OBJECT },
		{ "cose/misc/x25519-hkdf-256-direct.json", 2, HF_E_OBJECT },
		{ "cose/cwt/A_3.json", 1, HF_E_OBJECT },
		{ "cose/cwt/A_4.json", 1, HF_E_OBJECT },
		{ "cose/cwt/A_5.json", 1, HF_E_OBJECT },
		{ "cose/cwt/A_6.json", 1, HF_E_OBJECT },
		{ "cose/cwt/A_7.json", 1, HF_E_OBJECT },
	};
	struct hf__encrypt0 sealed;
	struct hf__sign1 s;
	uint8_t buf[1024];
	size_t i, len;
	enum hf_err e;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		len = example(buf, sizeof(buf), cases[i].name);
		if (cases[i].tag > 0)
			assert_err(hf__sign1_read(&s, buf, len), HF_E_CBOR);
		len -= cases[i].tag;
		e = hf__sign1_read(&s, buf + cases[i].tag, len);
		if (e != cases[i].e)
			fail_msg("%s: %s", cases[i].name, hf_error_name(e));
		assert_err(hf__encrypt0_read(&sealed, buf + cases[i].tag, len),
		    HF_E_OBJECT);
	}
}

/* --- edges of Ed25519 -------------------------------------------------------------- */

/* A signature S = r + h a with a chosen R, by hand. */
static void
sign_by_hand(uint8_t sig[64], const uint8_t r_point[32], const uint8_t r[32],
    const uint8_t *tbs, size_t tbs_len)
{
	uint8_t hash[64], h[32], a[64], ha[32], scalar[32];
	crypto_hash_sha512_state st;

	crypto_hash_sha512(a, id->seed, 32);
	a[0] &= 248;
	a[31] = (uint8_t)((a[31] & 127) | 64);
	memset(a + 32, 0, 32);
	crypto_core_ed25519_scalar_reduce(scalar, a);
	crypto_hash_sha512_init(&st);
	crypto_hash_sha512_update(&st, r_point, 32);
	crypto_hash_sha512_update(&st, id->sign_pk, 32);
	crypto_hash_sha512_update(&st, tbs, tbs_len);
	crypto_hash_sha512_final(&st, hash);
	crypto_core_ed25519_scalar_reduce(h, hash);
	crypto_core_ed25519_scalar_mul(ha, h, scalar);
	memcpy(sig, r_point, 32);
	crypto_core_ed25519_scalar_add(sig + 32, ha, r);
}

static void
edges_of_ed25519(void **state)
{
	/* The group order. */
	static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63,
		0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
		0x14, [31] = 0x10 };
	static const uint8_t neutral[32] = { 1 }, zero[32] = { 0 };
	/* "Signature1" over payload "p", as signed. */
	static const uint8_t tbs[] = "\x84\x6aSignature1\x43\xa1\x01\x27"
				     "\x4fhandfast/1 test\x41p";
	uint8_t r_point[32], one[32] = { 1 }, *sig;
	struct made m;
	unsigned carry = 0;
	size_t i;

	(void)state;
	make(&m, label, "p", 1);
	sig = m.bytes + m.len - 64;
	/* By hand, with an honest R: what is accepted. */
	assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(r_point, one),
	    0);
	sign_by_hand(sig, r_point, one, tbs, sizeof(tbs) - 1);
	assert_ok(verify(m.bytes, m.len, label, id->sign_pk));
	/* S + L is the same number, and refused. */
	for (i = 0; i < 32; i++) {
		carry += (unsigned)sig[32 + i] + order[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_err(verify(m.bytes, m.len, label, id->sign_pk), HF_E_SIGNATURE);
	/* R the neutral point: the equation holds, and it is refused. */
	sign_by_hand(sig, neutral, zero, tbs, sizeof(tbs) - 1);
	assert_err(verify(m.bytes, m.len, label, id->sign_pk), HF_E_SIGNATURE);
	/* All-zero signature under the neutral key: R = S B - h A holds. */
	memcpy(sig, neutral, 32);
	memset(sig + 32, 0, 32);
	assert_err(verify(m.bytes, m.len, label, neutral), HF_E_SIGNATURE);
}

/* --- sealing ------------------------------------------------------------------------ */

static void
sealed_objects(void **state)
{
	static const uint8_t kid[HF__KID_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t key[32] = { 9 }, other[32] = { 8 }, buf[128], again[128];
	uint8_t out[64];
	struct hf__encrypt0 s;
	size_t len, len2, i;
	enum hf_err e;

	(void)state;
	assert_ok(hf__encrypt0_make(buf, sizeof(buf), &len, kid, key, label,
	    (const uint8_t *)"secret", 6));
	assert_ok(hf__encrypt0_make(again, sizeof(again), &len2, kid, key,
	    label, (const uint8_t *)"secret", 6));
	assert_int_equal(len, len2);
	assert_memory_not_equal(buf, again, len); /* the nonce */
	assert_err(hf__encrypt0_make(again, len - 1, &len2, kid, key, label,
		       (const uint8_t *)"secret", 6),
	    HF_E_SPACE);
	assert_int_equal(len, len2);
	assert_ok(hf__encrypt0_read(&s, buf, len));
	assert_memory_equal(s.kid.ptr, kid, sizeof(kid));
	assert_int_equal(s.ciphertext.len, 6 + HF__TAG_BYTES);
	assert_ok(hf__encrypt0_open(out, &s, key, label));
	assert_memory_equal(out, "secret", 6);
	assert_err(hf__encrypt0_open(out, &s, other, label), HF_E_BOX);
	assert_err(hf__encrypt0_open(out, &s, key, "handfast/1 tesT"),
	    HF_E_BOX);
	for (i = 0; i < len; i++)
		assert_err(hf__encrypt0_read(&s, buf, i), HF_E_CBOR);
	for (i = 0; i < len * 8; i++) {
		buf[i / 8] ^= (uint8_t)(1U << i % 8);
		if ((e = hf__encrypt0_read(&s, buf, len)) == HF_OK)
			assert_err(hf__encrypt0_open(out, &s, key, label),
			    HF_E_BOX);
		else if (e != HF_E_CBOR)
			assert_err(e, HF_E_OBJECT);
		buf[i / 8] ^= (uint8_t)(1U << i % 8);
	}
}

static enum hf_err
read_sealed(const char *protected_hex, const char *rest)
{
	struct hf__encrypt0 s;
	uint8_t buf[256];
	size_t len;

	len = unhex(buf, sizeof(buf), protected_hex);
	len += unhex(buf + len, sizeof(buf) - len, rest);
	return hf__encrypt0_read(&s, buf, len);
}

static void
sealed_headers(void **state)
{
	static const char good[] = "83581ca301181804480102030405060708"
				   "054c000000000000000000000000";
	static const char box[] = "a05000000000000000000000000000000000";

	(void)state;
	assert_ok(read_sealed(good, box));
	assert_err(read_sealed(good, "a04f000000000000000000000000000000"),
	    HF_E_OBJECT);
	assert_err(read_sealed(good, "a0f6"), HF_E_OBJECT);
	assert_err(read_sealed(good,
		       "a10441315000000000000000000000000000"
		       "000000"),
	    HF_E_OBJECT);
	/* AES-GCM; a kid of seven bytes; no kid; an IV of eleven. */
	assert_err(read_sealed("83581ca301031804480102030405060708054c"
			       "000000000000000000000000",
		       box),
	    HF_E_OBJECT);
	assert_err(read_sealed("83581ba3011818044701020304050607054c"
			       "000000000000000000000000",
		       box),
	    HF_E_OBJECT);
	assert_err(read_sealed("8352a2011818054c000000000000000000000000",
		       box),
	    HF_E_OBJECT);
	assert_err(read_sealed("83581ba301181804480102030405060708054b"
			       "0000000000000000000000",
		       box),
	    HF_E_OBJECT);
	assert_err(read_sealed("d083581ca301181804480102030405060708"
			       "054c000000000000000000000000",
		       box),
	    HF_E_CBOR);
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	id = identity_of(7);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hf_identity_free(id);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(structure),
		cmocka_unit_test(sign_and_verify),
		cmocka_unit_test(every_bit_and_prefix),
		cmocka_unit_test(public_eddsa),
		cmocka_unit_test(public_refused),
		cmocka_unit_test(edges_of_ed25519),
		cmocka_unit_test(sealed_objects),
		cmocka_unit_test(sealed_headers),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
