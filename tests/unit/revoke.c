/* SPDX-License-Identifier: ISC */
/*
 * Revocation lists (spec section 5.5): their form, who signs them, their
 * rising numbers, and that an old one fails closed.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static struct hf_identity *ca, *sub, *person;
static struct blob ca_cert, sub_cert, leaf, below;
static struct hf_trust *trust;
static uint8_t list[HF_LIST_MAX];
static size_t list_len;

static const uint8_t *
cti_of(const struct blob *cert)
{
	static struct hf_cert_info info;

	assert_ok(hf_cert_read(&info, cert->bytes, cert->len));
	return info.cti;
}

static void
make(const struct hf_identity *by, const struct blob *cert, uint64_t number,
    const uint8_t *ids, size_t n, uint64_t next_update)
{
	assert_ok(hf_list_make(list, sizeof(list), &list_len, by, cert->bytes,
	    cert->len, number, ids, n, NOW, next_update));
}

static enum hf_err
add(void)
{
	return hf_trust_add_list(trust, list, list_len);
}

static enum hf_err
verify(const struct blob *a, const struct blob *b, uint64_t now)
{
	struct hf_span chain[2] = { { a->bytes, a->len } };

	if (b != NULL)
		chain[1] = (struct hf_span){ b->bytes, b->len };
	return hf_trust_verify(NULL, trust, chain, b != NULL ? 2 : 1, 0, NULL,
	    now);
}

static int
new_trust(void **state)
{
	(void)state;
	assert_ok(hf_trust_new(&trust));
	assert_ok(hf_trust_add_ca(trust, ca_cert.bytes, ca_cert.len));
	return 0;
}

static void
revoked_and_stale(void **state)
{
	uint8_t ids[3 * HF_CTI_BYTES];

	(void)state;
	assert_ok(verify(&leaf, NULL, NOW));
	make(ca, &ca_cert, 7, NULL, 0, NOW + 100);
	assert_ok(add());
	assert_ok(verify(&leaf, NULL, NOW));
	assert_ok(verify(&leaf, NULL, NOW + 99));
	assert_err(verify(&leaf, NULL, NOW + 100), HF_E_STALE_LIST);
	/* Time before revocation, revocation before usage. */
	assert_err(verify(&leaf, NULL, NOW + 86400), HF_E_EXPIRED);
	memset(ids, 0x55, sizeof(ids));
	memcpy(ids + HF_CTI_BYTES, cti_of(&leaf), HF_CTI_BYTES);
	memset(ids + 2 * HF_CTI_BYTES, 0xaa, HF_CTI_BYTES);
	make(ca, &ca_cert, 8, ids, 3, NOW + 100);
	assert_ok(add());
	assert_err(verify(&leaf, NULL, NOW), HF_E_REVOKED);
	assert_err(verify(&leaf, NULL, NOW + 100), HF_E_REVOKED);
	/* Only that one, and what is below another CA is not meant. */
	assert_ok(verify(&sub_cert, NULL, NOW));
	assert_ok(verify(&below, &sub_cert, NOW));
	/* Its absence from a later list: no longer revoked. */
	make(ca, &ca_cert, 9, ids, 1, NOW + 100);
	assert_ok(add());
	assert_ok(verify(&leaf, NULL, NOW));
}

static void
numbers(void **state)
{
	uint8_t ids[HF_CTI_BYTES];

	(void)state;
	memcpy(ids, cti_of(&leaf), sizeof(ids));
	make(ca, &ca_cert, 5, ids, 1, NOW + 100);
	assert_ok(add());
	assert_ok(add()); /* the same again */
	make(ca, &ca_cert, 4, NULL, 0, NOW + 1000);
	assert_err(add(), HF_E_STALE_LIST);
	make(ca, &ca_cert, 5, NULL, 0, NOW + 100);
	assert_err(add(), HF_E_STALE_LIST);
	make(ca, &ca_cert, 5, ids, 1, NOW + 101);
	assert_err(add(), HF_E_STALE_LIST);
	assert_err(verify(&leaf, NULL, NOW), HF_E_REVOKED);
	make(ca, &ca_cert, (uint64_t)1 << 53, ids, 1, NOW + 101);
	assert_ok(add());
	assert_err(verify(&leaf, NULL, NOW + 100), HF_E_REVOKED);
}

static void
whose(void **state)
{
	struct hf_cert_info terms = terms_of("Stranger", HF_USAGE_CA);
	struct blob cert;

	(void)state;
	/* A CA nobody knows; one with a known name. */
	assert_ok(hf_cert_self(cert.bytes, sizeof(cert.bytes), &cert.len,
	    person, &terms));
	make(person, &cert, 1, NULL, 0, NOW + 1);
	assert_err(add(), HF_E_ISSUER);
	name_set(&terms.subject, "Test CA");
	assert_ok(hf_cert_self(cert.bytes, sizeof(cert.bytes), &cert.len,
	    person, &terms));
	make(person, &cert, 1, NULL, 0, NOW + 1);
	assert_err(add(), HF_E_SIGNATURE);
	/* An intermediate is known once it was given. */
	make(sub, &sub_cert, 1, cti_of(&below), 1, NOW + 1);
	assert_err(add(), HF_E_ISSUER);
	assert_err(hf_trust_add_issuer(trust, sub_cert.bytes, sub_cert.len,
		       NOW + 86400),
	    HF_E_EXPIRED);
	assert_err(hf_trust_add_issuer(trust, leaf.bytes, leaf.len, NOW),
	    HF_E_USAGE);
	assert_err(hf_trust_add_issuer(trust, cert.bytes, cert.len, NOW),
	    HF_E_ISSUER);
	assert_ok(
	    hf_trust_add_issuer(trust, sub_cert.bytes, sub_cert.len, NOW));
	assert_ok(add());
	assert_err(verify(&below, &sub_cert, NOW), HF_E_REVOKED);
	assert_ok(verify(&leaf, NULL, NOW));
	/* It is not believed for that: the chain still carries it. */
	assert_err(verify(&below, NULL, NOW), HF_E_ISSUER);
	/* An intermediate that is revoked takes all below with it. */
	make(ca, &ca_cert, 1, cti_of(&sub_cert), 1, NOW + 1);
	assert_ok(add());
	assert_err(verify(&sub_cert, NULL, NOW), HF_E_REVOKED);
	assert_err(hf_trust_add_issuer(trust, sub_cert.bytes, sub_cert.len,
		       NOW),
	    HF_E_REVOKED);
}

/* Two authorities of one name: each has a list of its own. */
static void
same_name(void **state)
{
	struct hf_cert_info terms = terms_of("Test CA", HF_USAGE_CA);
	struct blob cert;
	int i;

	(void)state;
	assert_ok(hf_cert_self(cert.bytes, sizeof(cert.bytes), &cert.len,
	    person, &terms));
	make(person, &cert, 1, cti_of(&leaf), 1, NOW + 1);
	assert_err(add(), HF_E_SIGNATURE);
	assert_ok(hf_trust_add_ca(trust, cert.bytes, cert.len));
	for (i = 0; i < 2; i++) {
		assert_ok(add());
		/* What the other one lists is not meant. */
		assert_ok(verify(&leaf, NULL, NOW));
	}
	make(ca, &ca_cert, 1, cti_of(&leaf), 1, NOW + 1);
	assert_ok(add());
	assert_err(verify(&leaf, NULL, NOW), HF_E_REVOKED);
}

/* An intermediate below an intermediate that was given before. */
static void
deeper_issuer(void **state)
{
	struct hf_cert_info terms = terms_of("Deep CA", HF_USAGE_CA);
	struct blob deep;

	(void)state;
	certify(&deep, sub, &sub_cert, person, &terms);
	assert_err(hf_trust_add_issuer(trust, deep.bytes, deep.len, NOW),
	    HF_E_ISSUER);
	assert_ok(
	    hf_trust_add_issuer(trust, sub_cert.bytes, sub_cert.len, NOW));
	assert_ok(hf_trust_add_issuer(trust, deep.bytes, deep.len, NOW));
	make(person, &deep, 1, NULL, 0, NOW + 1);
	assert_ok(add());
}

/* An intermediate that has had two keys: what is below is by one of them. */
static void
issuer_of_two_keys(void **state)
{
	struct hf_cert_info terms = terms_of("Sub CA", HF_USAGE_CA);
	struct blob second, deep;

	(void)state;
	certify(&second, ca, &ca_cert, person, &terms);
	name_set(&terms.subject, "Deep CA");
	certify(&deep, person, &second, sub, &terms);
	assert_ok(
	    hf_trust_add_issuer(trust, sub_cert.bytes, sub_cert.len, NOW));
	assert_err(hf_trust_add_issuer(trust, deep.bytes, deep.len, NOW),
	    HF_E_SIGNATURE);
	assert_ok(hf_trust_add_issuer(trust, second.bytes, second.len, NOW));
	assert_ok(hf_trust_add_issuer(trust, deep.bytes, deep.len, NOW));
}

static enum hf_err
after(const struct hf_trust *before)
{
	struct hf_trust *held = trust;
	enum hf_err e;

	assert_ok(new_trust(NULL));
	assert_ok(add());
	e = hf_trust_supersedes(trust, before);
	hf_trust_free(trust);
	trust = held;
	return e;
}

/* Read anew: what was held is not exchanged for an older one. */
static void
read_anew(void **state)
{
	struct hf_trust *none;

	(void)state;
	make(ca, &ca_cert, 5, cti_of(&leaf), 1, NOW + 100);
	assert_ok(after(trust)); /* there was none */
	assert_ok(add());
	assert_ok(after(trust)); /* the same */
	make(ca, &ca_cert, 6, NULL, 0, NOW + 100);
	assert_ok(after(trust));
	make(ca, &ca_cert, 4, NULL, 0, NOW + 1000);
	assert_err(after(trust), HF_E_STALE_LIST);
	make(ca, &ca_cert, 5, NULL, 0, NOW + 100);
	assert_err(after(trust), HF_E_STALE_LIST);
	/* Where that CA has none any more there is nothing to compare. */
	assert_ok(hf_trust_new(&none));
	assert_ok(hf_trust_supersedes(none, trust));
	assert_err(hf_trust_supersedes(none, NULL), HF_E_ARG);
	assert_err(hf_trust_supersedes(NULL, trust), HF_E_ARG);
	hf_trust_free(none);
}

/* Signed as another kind of object. */
static void
labels(void **state)
{
	struct hf__sign1 cose;
	uint8_t other[1024];
	size_t len;

	(void)state;
	make(ca, &ca_cert, 1, NULL, 0, NOW + 1);
	assert_ok(hf__sign1_read(&cose, list, list_len));
	assert_ok(hf__sign1_make(other, sizeof(other), &len, ca,
	    "handfast/1 certificate", cose.payload.ptr, cose.payload.len));
	assert_err(hf_trust_add_list(trust, other, len), HF_E_SIGNATURE);
	assert_ok(hf__sign1_make(other, sizeof(other), &len, ca,
	    "handfast/1 list", cose.payload.ptr, cose.payload.len));
	assert_ok(hf_trust_add_list(trust, other, len));
	/* A certificate is no list, nor the other way round. */
	assert_err(hf_trust_add_list(trust, ca_cert.bytes, ca_cert.len),
	    HF_E_OBJECT);
	assert_err(hf_trust_add_ca(trust, list, list_len), HF_E_OBJECT);
}

/* A list from claims in hex, signed by the CA. */
static enum hf_err
read_claims(const char *hex)
{
	uint8_t payload[512], signed_list[1024];
	struct hf_list_info info;
	size_t len;

	len = unhex(payload, sizeof(payload), hex);
	assert_ok(hf__sign1_make(signed_list, sizeof(signed_list), &len, ca,
	    "handfast/1 list", payload, len));
	return hf_list_read(&info, signed_list, len);
}

#define ID1 "5000000000000000000000000000000001"
#define ID2 "5000000000000000000000000000000002"
#define REST "3a00010000a22001"

static void
form(void **state)
{
	static const struct {
		const char *hex;
		enum hf_err e;
	} cases[] = {
		{ "a40161610418640601" REST "2180", HF_OK },
		{ "a40161610418640601" REST "2182" ID1 ID2, HF_OK },
		{ "a40161610418640601" REST "2182" ID2 ID1, HF_E_OBJECT },
		{ "a40161610418640601" REST "2182" ID1 ID1, HF_E_OBJECT },
		{ "a40161610418640601" REST "21814100", HF_E_OBJECT },
		{ "a40161610418640601" REST "2183" ID1 ID2, HF_E_CBOR },
		{ "a40161610418640601" REST "21a0", HF_E_OBJECT },
		{ "a40161610418640601" REST "2160", HF_E_OBJECT },
		/* claims that are missing, wrong or unknown */
		{ "a30418640601" REST "2180", HF_E_OBJECT },
		{ "a30161610601" REST "2180", HF_E_OBJECT },
		{ "a3016161041864" REST "2180", HF_E_OBJECT },
		{ "a30161610418640601", HF_E_OBJECT },
		{ "a401616104186406013a00010000a12001", HF_E_OBJECT },
		{ "a401616104186406013a00010000a12180", HF_E_OBJECT },
		{ "a401616104186406013a00010000a22020"
		  "2180",
		    HF_E_OBJECT },
		{ "a401616104186406013a00010000a2201b00200000000000012180",
		    HF_E_OBJECT },
		{ "a401616104186406013a00010000a2201b00200000000000002180",
		    HF_OK },
		{ "a401600418640601" REST "2180", HF_E_OBJECT },
		{ "a401616104200601" REST "2180", HF_E_OBJECT },
		{ "a501616104186406012000" REST "2180", HF_E_OBJECT },
		{ "a501616104186406010900" REST "2180", HF_OK },
		{ "a501616104186406010400" REST "2180", HF_E_CBOR },
		{ "a401616104186406013a00010000a3200121802200", HF_E_OBJECT },
		{ "a401616104186406013a00010000a3060020012180", HF_OK },
		{ "a40161610418640601" REST "218000", HF_E_CBOR },
		{ "80", HF_E_OBJECT },
		{ "a0", HF_E_OBJECT },
	};
	enum hf_err e;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++)
		if ((e = read_claims(cases[i].hex)) != cases[i].e)
			fail_msg("%s: %s", cases[i].hex, hf_error_name(e));
}

static void
making(void **state)
{
	uint8_t ids[5 * HF_CTI_BYTES], cti[HF_CTI_BYTES];
	struct hf_list_info info;
	size_t i, len;

	(void)state;
	/* Any order, and twice the same: sorted, once. */
	for (i = 0; i < 5; i++)
		memset(ids + i * HF_CTI_BYTES, (int)(9 - i * 2) & 7,
		    HF_CTI_BYTES);
	make(ca, &ca_cert, 3, ids, 5, NOW + 1);
	assert_ok(hf_list_read(&info, list, list_len));
	assert_string_equal(info.issuer.text, "Test CA");
	assert_int_equal(info.number, 3);
	assert_int_equal(info.issued, NOW);
	assert_int_equal(info.next_update, NOW + 1);
	assert_int_equal(info.n, 4); /* 1, 7, 5, 3, 1 */
	for (i = 0; i < 4; i++) {
		assert_ok(hf_list_id(cti, &info, i));
		assert_int_equal(cti[0], 1 + i * 2);
	}
	assert_err(hf_list_id(cti, &info, 4), HF_E_ARG);
	assert_err(hf_list_make(list, list_len - 1, &len, ca, ca_cert.bytes,
		       ca_cert.len, 3, ids, 5, NOW, NOW + 1),
	    HF_E_SPACE);
	assert_int_equal(len, list_len);
	/* Another's certificate, no CA's; a time that does not rise. */
	assert_err(hf_list_make(list, sizeof(list), &len, sub, ca_cert.bytes,
		       ca_cert.len, 3, ids, 5, NOW, NOW + 1),
	    HF_E_OWN_CERT);
	assert_err(hf_list_make(list, sizeof(list), &len, person, leaf.bytes,
		       leaf.len, 3, ids, 5, NOW, NOW + 1),
	    HF_E_OWN_CERT);
	assert_err(hf_list_make(list, sizeof(list), &len, ca, ca_cert.bytes,
		       ca_cert.len, 3, ids, 5, NOW, NOW),
	    HF_E_ARG);
	assert_err(hf_list_make(list, sizeof(list), &len, ca, ca_cert.bytes,
		       ca_cert.len, ((uint64_t)1 << 53) + 1, ids, 5, NOW,
		       NOW + 1),
	    HF_E_ARG);
}

/* The longest list: each id is found, and none between them. */
static void
long_list(void **state)
{
	enum { N = 61000 };
	uint8_t *ids = calloc(N + 700, HF_CTI_BYTES), cti[HF_CTI_BYTES];
	struct hf_list_info info;
	size_t i, len;

	(void)state;
	assert_non_null(ids);
	for (i = 0; i < N + 700; i++) {
		ids[i * HF_CTI_BYTES] = (uint8_t)(i >> 8);
		ids[i * HF_CTI_BYTES + 1] = (uint8_t)i;
		ids[i * HF_CTI_BYTES + 2] = (uint8_t)(i >> 16);
	}
	memcpy(ids, cti_of(&leaf), HF_CTI_BYTES);
	make(ca, &ca_cert, 1, ids, N, NOW + 1);
	assert_ok(hf_list_read(&info, list, list_len));
	assert_int_equal(info.n, N);
	assert_ok(hf_list_id(cti, &info, N - 1));
	assert_ok(add());
	assert_err(verify(&leaf, NULL, NOW), HF_E_REVOKED);
	memcpy(ids, cti_of(&sub_cert), HF_CTI_BYTES);
	make(ca, &ca_cert, 2, ids, N, NOW + 1);
	assert_ok(add());
	assert_ok(verify(&leaf, NULL, NOW));
	assert_err(verify(&sub_cert, NULL, NOW), HF_E_REVOKED);
	assert_err(hf_list_make(list, sizeof(list), &len, ca, ca_cert.bytes,
		       ca_cert.len, 3, ids, N + 700, NOW, NOW + 1),
	    HF_E_ARG);
	free(ids);
}

static void
every_bit_and_prefix(void **state)
{
	uint8_t ids[HF_CTI_BYTES] = { 1 };
	enum hf_err e;
	size_t i;

	(void)state;
	make(ca, &ca_cert, 1, ids, 1, NOW + 1);
	for (i = 0; i < list_len * 8; i++) {
		list[i / 8] ^= (uint8_t)(1U << i % 8);
		e = add();
		if (i / 8 >= list_len - 64)
			assert_err(e, HF_E_SIGNATURE);
		else if (e != HF_E_CBOR && e != HF_E_OBJECT &&
		    e != HF_E_ISSUER)
			assert_err(e, HF_E_SIGNATURE);
		list[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < list_len; i++)
		assert_err(hf_trust_add_list(trust, list, i), HF_E_CBOR);
	assert_ok(add());
}

static int
set_up(void **state)
{
	struct hf_cert_info terms = terms_of("Test CA", HF_USAGE_CA);

	(void)state;
	assert_ok(hf_init());
	ca = identity_of(1);
	sub = identity_of(2);
	person = identity_of(3);
	assert_ok(hf_cert_self(ca_cert.bytes, sizeof(ca_cert.bytes),
	    &ca_cert.len, ca, &terms));
	name_set(&terms.subject, "Sub CA");
	certify(&sub_cert, ca, &ca_cert, sub, &terms);
	terms = terms_of("alice", HF_USAGE_INITIATOR);
	certify(&leaf, ca, &ca_cert, person, &terms);
	certify(&below, sub, &sub_cert, person, &terms);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hf_identity_free(ca);
	hf_identity_free(sub);
	hf_identity_free(person);
	return 0;
}

static int
free_trust(void **state)
{
	(void)state;
	hf_trust_free(trust);
	return 0;
}

/* A list of all that a list may have, and of a byte more, for a claim that
 * nobody knows. */
static void
too_large(void **state)
{
	static uint8_t payload[HF_LIST_MAX], large[HF_LIST_MAX + 1];
	static const size_t around = 77, claims = 55;
	struct hf_list_info info;
	struct hf__writer w;
	size_t over, filler;

	(void)state;
	for (over = 0; over < 2; over++) {
		filler = HF_LIST_MAX - around - claims + over;
		hf__write_init(&w, payload, sizeof(payload));
		hf__write_map(&w, 5);
		hf__write_int(&w, 1);
		hf__write_text(&w, "Test CA", 7);
		hf__write_int(&w, 4);
		hf__write_uint(&w, NOW + 60);
		hf__write_int(&w, 6);
		hf__write_uint(&w, NOW);
		hf__write_int(&w, 9);
		hf__write_bytes_head(&w, filler);
		memset(hf__write_room(&w, filler), 0, filler);
		hf__write_int(&w, -65537);
		hf__write_map(&w, 2);
		hf__write_int(&w, -1);
		hf__write_uint(&w, 1);
		hf__write_int(&w, -2);
		hf__write_list(&w, 1);
		hf__write_bytes(&w, payload, HF_CTI_BYTES);
		assert_ok(w.err);
		assert_ok(hf__sign1_make(large, sizeof(large), &list_len, ca,
		    "handfast/1 list", payload, w.len));
		assert_int_equal(list_len, HF_LIST_MAX + over);
		assert_err(hf_list_read(&info, large, list_len),
		    over ? HF_E_OBJECT : HF_OK);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, new_trust, free_trust)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(revoked_and_stale),
		TEST(numbers),
		TEST(whose),
		TEST(same_name),
		TEST(deeper_issuer),
		TEST(issuer_of_two_keys),
		TEST(read_anew),
		TEST(labels),
		TEST(form),
		TEST(making),
		TEST(long_list),
		TEST(too_large),
		TEST(every_bit_and_prefix),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
