/* SPDX-License-Identifier: ISC */
/*
 * Requests and issuing (spec section 5.3): what a request says and who signed
 * it, what goes into a certificate, and everything a CA refuses to sign.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static struct hf_identity *ca, *person;
static struct blob ca_cert;

static struct blob
request_of(const struct hf_identity *id, const char *subject)
{
	struct hf_cert_info info = terms_of(subject, HF_USAGE_INITIATOR);
	struct blob request;

	assert_ok(hf_request_make(request.bytes, sizeof(request.bytes),
	    &request.len, id, &info, NOW));
	return request;
}

static enum hf_err
issue_by(struct blob *out, const struct hf_identity *by,
    const struct blob *by_cert, const struct hf_cert_info *terms,
    const struct blob *request)
{
	return hf_cert_issue(out->bytes, sizeof(out->bytes), &out->len, by,
	    by_cert->bytes, by_cert->len, terms, request->bytes, request->len);
}

static enum hf_err
issue(const struct hf_cert_info *terms)
{
	struct blob out, request = request_of(person, "asked");

	return issue_by(&out, ca, &ca_cert, terms, &request);
}

static void
request_says(void **state)
{
	struct hf_cert_info info = terms_of("alice", HF_USAGE_RESPONDER);
	struct hf_cert_info read;
	uint8_t out[HF_CERT_MAX], ed25519[32];
	size_t len, need;

	(void)state;
	info.names_n = 2;
	name_set(&info.names[0], "a");
	name_set(&info.names[1], "b");
	info.suites_n = 1;
	info.suites[0] = 2;
	name_set(&info.realm, "ignored");
	assert_ok(hf_request_make(out, sizeof(out), &len, person, &info, NOW));
	assert_ok(hf_request_read(&read, out, len));
	assert_string_equal(read.subject.text, "alice");
	assert_int_equal(read.names_n, 2);
	assert_string_equal(read.names[1].text, "b");
	assert_int_equal(read.suites_n, 1);
	assert_int_equal(read.suites[0], 2);
	assert_int_equal(read.issued, NOW);
	assert_int_equal(read.usage, 0);
	assert_int_equal(read.realm.len, 0);
	hf_identity_public(ed25519, NULL, person);
	assert_memory_equal(read.key, ed25519, sizeof(ed25519));
	assert_err(hf_request_make(out, len - 1, &need, person, &info, NOW),
	    HF_E_SPACE);
	assert_int_equal(need, len);
	/* Suites that were not said: all that this build has. */
	info.suites_n = 0;
	assert_ok(hf_request_make(out, sizeof(out), &len, person, &info, NOW));
	assert_ok(hf_request_read(&read, out, len));
	assert_in_range(read.suites_n, 1, HF_SUITES_MAX);
	assert_int_equal(hf_suite_available(read.suites[0]), 1);
}

static enum hf_err
ask(const struct hf_cert_info *info, uint64_t now)
{
	uint8_t out[HF_CERT_MAX];
	size_t len;

	return hf_request_make(out, sizeof(out), &len, person, info, now);
}

static void
request_arguments(void **state)
{
	struct hf_cert_info good = terms_of("alice", HF_USAGE_INITIATOR), bad;
	size_t i;

	(void)state;
	assert_ok(ask(&good, 0));
	assert_ok(ask(&good, (uint64_t)1 << 53));
	assert_err(ask(&good, ((uint64_t)1 << 53) + 1), HF_E_ARG);
	bad = good;
	bad.subject.len = 0;
	assert_err(ask(&bad, NOW), HF_E_ARG);
	bad.subject.len = HF_NAME_MAX + 1;
	assert_err(ask(&bad, NOW), HF_E_ARG);
	bad = good;
	memcpy(bad.subject.text, "a\nb", 3);
	bad.subject.len = 3;
	assert_err(ask(&bad, NOW), HF_E_ARG);
	memcpy(bad.subject.text, "a\xff", 2);
	bad.subject.len = 2;
	assert_err(ask(&bad, NOW), HF_E_ARG);
	bad = good;
	bad.names_n = HF_NAMES_MAX + 1;
	assert_err(ask(&bad, NOW), HF_E_ARG);
	bad.names_n = SIZE_MAX;
	assert_err(ask(&bad, NOW), HF_E_ARG);
	bad.names_n = 1; /* an empty one */
	assert_err(ask(&bad, NOW), HF_E_ARG);
	bad = good;
	bad.suites_n = HF_SUITES_MAX + 1;
	assert_err(ask(&bad, NOW), HF_E_ARG);
	/* Names that are each good, and too many bytes together. */
	bad = good;
	bad.names_n = HF_NAMES_MAX;
	for (i = 0; i < HF_NAMES_MAX; i++) {
		memset(bad.names[i].text, 'x', HF_NAME_MAX);
		bad.names[i].len = HF_NAME_MAX;
	}
	assert_err(ask(&bad, NOW), HF_E_ARG);
}

/* A request with these claims, signed by the person as that object. */
static enum hf_err
read_claims(const char *before, const char *after, const char *label)
{
	uint8_t payload[512], out[1024];
	struct hf_cert_info info;
	size_t len, n;

	n = unhex(payload, sizeof(payload), before);
	memcpy(payload + n, person->sign_pk, 32);
	n += 32;
	n += unhex(payload + n, sizeof(payload) - n, after);
	assert_ok(
	    hf__sign1_make(out, sizeof(out), &len, person, label, payload, n));
	return hf_request_read(&info, out, len);
}

#define REQUEST "handfast/1 request"
#define CNF "08a101a301012006215820"
#define REST "3a00010000a1028101"

static void
request_form(void **state)
{
	static const struct {
		const char *before, *after;
		enum hf_err e;
	} cases[] = {
		{ "a40261610600" CNF, REST, HF_OK },
		{ "a30600" CNF, REST, HF_E_OBJECT },
		{ "a3026161" CNF, REST, HF_E_OBJECT },
		{ "a30261610600" CNF, "", HF_E_OBJECT },
		{ "a402600600" CNF, REST, HF_E_OBJECT },
		{ "a40261610620" CNF, REST, HF_E_OBJECT },
		{ "a4026161061b0020000000000001" CNF, REST, HF_E_OBJECT },
		{ "a4026161061b0020000000000000" CNF, REST, HF_OK },
		{ "a40261610600" CNF, "3a00010000a0", HF_E_OBJECT },
		{ "a40261610600" CNF, "3a00010000a10280", HF_E_OBJECT },
		{ "a40261610600" CNF, "3a00010000a101816161", HF_E_OBJECT },
		{ "a40261610600" CNF, "3a00010000a201816161028101", HF_OK },
		{ "a40261610600" CNF, "3a00010000a20281012001", HF_E_OBJECT },
		{ "a40261610600" CNF, "3a00010000a20281010300", HF_OK },
		{ "a50261610600" CNF, "2000" REST, HF_E_OBJECT },
		{ "a50261610600" CNF, "0900" REST, HF_OK },
		{ "a50261610600" CNF, "0700" REST, HF_E_CBOR },
		{ "a40261610600" CNF, REST "00", HF_E_CBOR },
		/* the certified form of the key; another kind of key */
		{ "a4026161060008a101a301012004215820", REST, HF_E_OBJECT },
		{ "a4026161060008a101a301022006215820", REST, HF_E_OBJECT },
		{ "a4026161060008a101a401012006215820", "234100" REST,
		    HF_E_OBJECT },
	};
	enum hf_err e;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++)
		if ((e = read_claims(cases[i].before, cases[i].after,
			 REQUEST)) != cases[i].e)
			fail_msg("%s..%s: %s", cases[i].before, cases[i].after,
			    hf_error_name(e));
	assert_err(read_claims("a40261610600" CNF, REST,
		       "handfast/1 certificate"),
	    HF_E_SIGNATURE);
	assert_err(read_claims("a40261610600" CNF, REST, "handfast/1 list"),
	    HF_E_SIGNATURE);
}

static void
request_every_bit(void **state)
{
	struct blob r = request_of(person, "alice"), out;
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_INITIATOR);
	struct hf_cert_info info;
	enum hf_err e;
	size_t i;

	(void)state;
	for (i = 0; i < r.len * 8; i++) {
		r.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
		e = hf_request_read(&info, r.bytes, r.len);
		if (e != HF_E_CBOR && e != HF_E_OBJECT)
			assert_err(e, HF_E_SIGNATURE);
		assert_err(issue_by(&out, ca, &ca_cert, &terms, &r), e);
		r.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < r.len; i++)
		assert_err(hf_request_read(&info, r.bytes, i), HF_E_CBOR);
	assert_ok(hf_request_read(&info, r.bytes, r.len));
}

/* A signature under A + T, T of order 8, holds for one request in eight
 * where the verifier multiplies by no cofactor: the key is refused then. */
static void
request_mixed_order_key(void **state)
{
	static const uint8_t torsion[32] = { 0x26, 0xe8, 0x95, 0x8f, 0xc2,
		0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
		0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1,
		0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 };
	struct hf_identity mixed = *person; /* key pair that does not match */
	struct hf_cert_info info = terms_of("m", HF_USAGE_INITIATOR), read;
	uint8_t out[HF_CERT_MAX];
	unsigned held = 0, i;
	enum hf_err e;
	size_t len;

	(void)state;
	assert_int_equal(crypto_core_ed25519_add(mixed.sign_pk,
			     person->sign_pk, torsion),
	    0);
	/* libsodium hashes the public half of the secret key. */
	memcpy(mixed.sign_sk + 32, mixed.sign_pk, 32);
	for (i = 0; i < 200; i++) {
		assert_ok(hf_request_make(out, sizeof(out), &len, &mixed,
		    &info, NOW + i));
		e = hf_request_read(&read, out, len);
		if (e == HF_E_PUBLIC_KEY)
			held++;
		else
			assert_err(e, HF_E_SIGNATURE);
	}
	assert_in_range(held, 5, 195); /* by the version of libsodium */
	sodium_memzero(&mixed, sizeof(mixed));
}

static void
certificate_says(void **state)
{
	struct hf_cert_info terms = terms_of("", HF_USAGE_RESPONDER), read;
	struct blob cert, again, request = request_of(person, "asked");
	uint8_t x25519[32], ed25519[32];
	size_t len;

	(void)state;
	hf_identity_public(ed25519, x25519, person);
	name_set(&terms.realm, "realm");
	name_set(&terms.cluster, "pool");
	terms.names_n = 1;
	name_set(&terms.names[0], "other");
	terms.cost_mib = 64;
	terms.cost_passes = 3;
	terms.path_length = 0; /* not for an end entity: passed over */
	assert_ok(issue_by(&cert, ca, &ca_cert, &terms, &request));
	assert_ok(hf_cert_read(&read, cert.bytes, cert.len));
	assert_string_equal(read.issuer.text, "Test CA");
	assert_string_equal(read.subject.text, "asked");
	assert_string_equal(read.realm.text, "realm");
	assert_string_equal(read.cluster.text, "pool");
	assert_string_equal(read.names[0].text, "other");
	assert_int_equal(read.names_n, 1);
	assert_int_equal(read.cost_mib, 64);
	assert_int_equal(read.cost_passes, 3);
	assert_int_equal(read.path_length, -1);
	assert_int_equal(read.usage, HF_USAGE_RESPONDER);
	assert_int_equal(read.issued, terms.issued);
	assert_int_equal(read.not_before, terms.not_before);
	assert_int_equal(read.not_after, terms.not_after);
	assert_memory_equal(read.key, x25519, 32);
	/* The id is random, the length the same. */
	assert_ok(issue_by(&again, ca, &ca_cert, &terms, &request));
	assert_int_equal(again.len, cert.len);
	assert_memory_not_equal(again.bytes, cert.bytes, cert.len);
	assert_err(hf_cert_issue(again.bytes, cert.len - 1, &len, ca,
		       ca_cert.bytes, ca_cert.len, &terms, request.bytes,
		       request.len),
	    HF_E_SPACE);
	assert_int_equal(len, cert.len);
	/* The operator's subject goes before the wish; suites too. */
	name_set(&terms.subject, "given");
	terms.suites_n = 0;
	assert_ok(issue_by(&cert, ca, &ca_cert, &terms, &request));
	assert_ok(hf_cert_read(&read, cert.bytes, cert.len));
	assert_string_equal(read.subject.text, "given");
	assert_int_equal(read.suites_n, terms_of("x", 1).suites_n);
	/* Authorities and clusters keep the signing key. */
	terms = terms_of("Sub", HF_USAGE_CA);
	terms.path_length = 1;
	terms.permitted_names_n = terms.permitted_realms_n = 1;
	name_set(&terms.permitted_names[0], "n");
	name_set(&terms.permitted_realms[0], "r");
	assert_ok(issue_by(&cert, ca, &ca_cert, &terms, &request));
	assert_ok(hf_cert_read(&read, cert.bytes, cert.len));
	assert_memory_equal(read.key, ed25519, 32);
	assert_int_equal(read.path_length, 1);
	assert_string_equal(read.permitted_names[0].text, "n");
	assert_string_equal(read.permitted_realms[0].text, "r");
	terms = terms_of("Pool", HF_USAGE_CLUSTER);
	assert_ok(issue_by(&cert, ca, &ca_cert, &terms, &request));
	assert_ok(hf_cert_read(&read, cert.bytes, cert.len));
	assert_memory_equal(read.key, ed25519, 32);
}

static void
own_certificate(void **state)
{
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_INITIATOR),
			    pool;
	struct blob out, leaf, cluster, request = request_of(person, "alice");

	(void)state;
	certify(&leaf, ca, &ca_cert, person, &terms);
	assert_err(issue_by(&out, person, &ca_cert, &terms, &request),
	    HF_E_OWN_CERT);
	assert_err(issue_by(&out, person, &leaf, &terms, &request),
	    HF_E_OWN_CERT);
	/* A cluster's key signs, but no certificates. */
	pool = terms_of("Pool", HF_USAGE_CLUSTER);
	certify(&cluster, ca, &ca_cert, person, &pool);
	assert_err(issue_by(&out, person, &cluster, &terms, &request),
	    HF_E_OWN_CERT);
	leaf.len--;
	assert_err(issue_by(&out, person, &leaf, &terms, &request), HF_E_CBOR);
	assert_err(issue_by(&out, ca, &request, &terms, &request),
	    HF_E_OBJECT);
}

static void
arguments(void **state)
{
	struct hf_cert_info good = terms_of("alice", HF_USAGE_INITIATOR), bad;
	struct blob out;

	(void)state;
	assert_ok(issue(&good));
	bad = good;
	bad.names_n = SIZE_MAX;
	assert_err(issue(&bad), HF_E_ARG);
	bad = good;
	bad.permitted_realms_n = SIZE_MAX;
	assert_err(issue(&bad), HF_E_ARG);
	bad = good;
	bad.usage = 0;
	assert_err(issue(&bad), HF_E_ARG);
	bad.usage = 32;
	assert_err(issue(&bad), HF_E_ARG);
	bad.usage = HF_USAGE_CA | HF_USAGE_INITIATOR;
	assert_err(issue(&bad), HF_E_ARG);
	bad = good;
	bad.not_after = bad.not_before;
	assert_err(issue(&bad), HF_E_ARG);
	bad = good;
	bad.cost_mib = 64;
	assert_err(issue(&bad), HF_E_ARG);
	bad.cost_passes = 11;
	assert_err(issue(&bad), HF_E_ARG);
	bad = good;
	bad.permitted_names_n = 1;
	name_set(&bad.permitted_names[0], "x");
	assert_err(issue(&bad), HF_E_ARG);
	bad = good;
	bad.realm.len = HF_NAME_MAX + 1;
	assert_err(issue(&bad), HF_E_ARG);
	name_set(&bad.realm, "a@b");
	assert_err(issue(&bad), HF_E_ARG);
	bad = terms_of("Sub", HF_USAGE_CA);
	bad.path_length = 4;
	assert_err(issue(&bad), HF_E_ARG);
	/* Self-signed: only a CA. */
	assert_err(hf_cert_self(out.bytes, sizeof(out.bytes), &out.len, ca,
		       &good),
	    HF_E_ARG);
	bad = terms_of("", HF_USAGE_CA);
	assert_err(hf_cert_self(out.bytes, sizeof(out.bytes), &out.len, ca,
		       &bad),
	    HF_E_ARG);
	bad = terms_of("CA", HF_USAGE_CA);
	bad.permitted_realms_n = 1;
	name_set(&bad.permitted_realms[0], "a@b");
	assert_err(hf_cert_self(out.bytes, sizeof(out.bytes), &out.len, ca,
		       &bad),
	    HF_E_ARG);
	bad = terms_of("CA", HF_USAGE_CA);
	assert_err(hf_cert_self(out.bytes, 10, &out.len, ca, &bad),
	    HF_E_SPACE);
	assert_ok(hf_cert_self(out.bytes, out.len, &out.len, ca, &bad));
}

static enum hf_err
issue_under(const struct hf_cert_info *above, const struct hf_cert_info *terms)
{
	struct blob out, cert, request = request_of(person, "asked");

	assert_ok(hf_cert_self(cert.bytes, sizeof(cert.bytes), &cert.len, ca,
	    above));
	return issue_by(&out, ca, &cert, terms, &request);
}

static void
constraints(void **state)
{
	struct hf_cert_info above = terms_of("CA", HF_USAGE_CA);
	struct hf_cert_info leaf = terms_of("a.example", HF_USAGE_RESPONDER);
	struct hf_cert_info sub = terms_of("b.example", HF_USAGE_CA), bad;

	(void)state;
	above.permitted_names_n = above.permitted_realms_n = 1;
	name_set(&above.permitted_names[0], "example");
	name_set(&above.permitted_realms[0], "realm");
	assert_ok(issue_under(&above, &leaf));
	name_set(&leaf.realm, "realm");
	assert_ok(issue_under(&above, &leaf));
	bad = leaf;
	name_set(&bad.realm, "other");
	assert_err(issue_under(&above, &bad), HF_E_CONSTRAINT);
	bad = leaf;
	name_set(&bad.subject, "a.elsewhere");
	assert_err(issue_under(&above, &bad), HF_E_CONSTRAINT);
	bad = leaf;
	bad.names_n = 1;
	name_set(&bad.names[0], "anexample");
	assert_err(issue_under(&above, &bad), HF_E_CONSTRAINT);
	/* The request's own subject is constrained too. */
	bad = leaf;
	bad.subject.len = 0;
	assert_err(issue_under(&above, &bad), HF_E_CONSTRAINT);
	/* Validity outside the CA's own is judged when it is used. */
	bad = leaf;
	bad.not_after++;
	bad.not_before--;
	assert_ok(issue_under(&above, &bad));
	/* Its own name, which chain verification takes for an anchor's. */
	above.permitted_names_n = 0;
	name_set(&leaf.subject, "CA");
	assert_err(issue_under(&above, &leaf), HF_E_CONSTRAINT);
	/* Path length. */
	assert_ok(issue_under(&above, &sub));
	above.path_length = 1;
	assert_ok(issue_under(&above, &sub));
	sub.path_length = 1;
	assert_err(issue_under(&above, &sub), HF_E_CONSTRAINT);
	sub.path_length = 0;
	assert_ok(issue_under(&above, &sub));
	above.path_length = 0;
	assert_err(issue_under(&above, &sub), HF_E_CONSTRAINT);
	sub.path_length = -1;
	assert_err(issue_under(&above, &sub), HF_E_CONSTRAINT);
}

static int
set_up(void **state)
{
	struct hf_cert_info terms = terms_of("Test CA", HF_USAGE_CA);

	(void)state;
	assert_ok(hf_init());
	ca = identity_of(1);
	person = identity_of(3);
	assert_ok(hf_cert_self(ca_cert.bytes, sizeof(ca_cert.bytes),
	    &ca_cert.len, ca, &terms));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hf_identity_free(ca);
	hf_identity_free(person);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_says),
		cmocka_unit_test(request_arguments),
		cmocka_unit_test(request_form),
		cmocka_unit_test(request_every_bit),
		cmocka_unit_test(request_mixed_order_key),
		cmocka_unit_test(certificate_says),
		cmocka_unit_test(own_certificate),
		cmocka_unit_test(arguments),
		cmocka_unit_test(constraints),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
