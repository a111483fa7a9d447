/* SPDX-License-Identifier: ISC */
/*
 * Chains against anchors (spec section 5.4): every question by its exact
 * error and in its order, constraints and path lengths, labels (threats A15,
 * A19), the cache of signatures. For revocation see revoke.c.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

/* An anchor, three intermediates below one another, a leaf below each. */
static struct {
	struct hf_identity *id[4], *person;
	struct blob cert[4], leaf[4];
	struct hf_trust *trust;
} pki;

static struct hf_span
span(const struct blob *b)
{
	return (struct hf_span){ b->bytes, b->len };
}

/* leaf n below intermediates n to 1. */
static size_t
chain_of(struct hf_span chain[HF_CHAIN_MAX + 1], size_t n)
{
	size_t i;

	chain[0] = span(&pki.leaf[n]);
	for (i = 0; i < n; i++)
		chain[1 + i] = span(&pki.cert[n - i]);
	return n + 1;
}

static void
self(struct blob *out, const struct hf_identity *id,
    const struct hf_cert_info *terms)
{
	assert_ok(hf_cert_self(out->bytes, sizeof(out->bytes), &out->len, id,
	    terms));
}

/*
 * What hf_cert_issue() would refuse to make: any terms, any label, signed by
 * any key. The certificate is issued under a CA that permits all, and its
 * claims signed again.
 */
static void
forge(struct blob *out, const struct hf_identity *ca, const char *issuer,
    const struct hf_identity *id, const struct hf_cert_info *terms,
    const char *label)
{
	struct hf_cert_info any = terms_of(issuer, HF_USAGE_CA);
	struct blob ca_cert, cert;
	struct hf__sign1 cose;

	any.not_before = 0;
	any.not_after = (uint64_t)1 << 53;
	self(&ca_cert, ca, &any);
	certify(&cert, ca, &ca_cert, id, terms);
	assert_ok(hf__sign1_read(&cose, cert.bytes, cert.len));
	assert_ok(hf__sign1_make(out->bytes, sizeof(out->bytes), &out->len, ca,
	    label, cose.payload.ptr, cose.payload.len));
}

#define CERTIFICATE "handfast/1 certificate"

static enum hf_err
verify(const struct blob *a, const struct blob *b, unsigned usage,
    const char *name, uint64_t now)
{
	struct hf_span chain[2] = { span(a) };

	if (b != NULL)
		chain[1] = span(b);
	return hf_trust_verify(NULL, pki.trust, chain, b != NULL ? 2 : 1,
	    usage, name, now);
}

static void
lengths(void **state)
{
	struct hf_span chain[HF_CHAIN_MAX + 1];
	struct hf_cert_info info;
	size_t n, k;

	(void)state;
	for (n = 0; n < 4; n++) {
		assert_int_equal(chain_of(chain, n), n + 1);
		assert_ok(hf_trust_verify(&info, pki.trust, chain, n + 1,
		    HF_USAGE_INITIATOR, "alice", NOW));
		assert_string_equal(info.subject.text, "alice");
		/* Cut short, it has no issuer. */
		for (k = 1; k <= n; k++)
			assert_err(hf_trust_verify(&info, pki.trust, chain, k,
				       HF_USAGE_INITIATOR, NULL, NOW),
			    HF_E_ISSUER);
	}
	chain[4] = span(&pki.cert[0]);
	assert_err(hf_trust_verify(&info, pki.trust, chain, 5, 0, NULL, NOW),
	    HF_E_ARG);
	assert_err(hf_trust_verify(&info, pki.trust, chain, 0, 0, NULL, NOW),
	    HF_E_ARG);
	/* In another order; one left out; with its anchor. */
	chain_of(chain, 2);
	chain[3] = chain[1];
	chain[1] = chain[2];
	chain[2] = chain[3];
	assert_err(hf_trust_verify(&info, pki.trust, chain, 3, 0, NULL, NOW),
	    HF_E_ISSUER);
	assert_err(hf_trust_verify(&info, pki.trust, chain, 2, 0, NULL, NOW),
	    HF_E_ISSUER);
	assert_err(verify(&pki.leaf[0], &pki.cert[0], 0, NULL, NOW),
	    HF_E_ISSUER);
	assert_err(verify(&pki.cert[0], NULL, 0, NULL, NOW), HF_E_ISSUER);
	/* The same certificate twice. */
	assert_err(verify(&pki.cert[1], &pki.cert[1], 0, NULL, NOW),
	    HF_E_ISSUER);
}

static void
times(void **state)
{
	struct hf_cert_info terms = terms_of("Test CA", HF_USAGE_CA);
	struct hf_span chain[HF_CHAIN_MAX + 1];
	struct hf_trust *other;
	struct blob anchor;
	size_t n = chain_of(chain, 1);

	(void)state;
	assert_ok(verify(&pki.leaf[0], NULL, 0, NULL, NOW - 3600));
	assert_err(verify(&pki.leaf[0], NULL, 0, NULL, NOW - 3601),
	    HF_E_NOT_YET);
	assert_ok(verify(&pki.leaf[0], NULL, 0, NULL, NOW + 86399));
	assert_err(verify(&pki.leaf[0], NULL, 0, NULL, NOW + 86400),
	    HF_E_EXPIRED);
	assert_err(verify(&pki.leaf[0], NULL, 0, NULL, 0), HF_E_NOT_YET);
	assert_err(verify(&pki.leaf[0], NULL, 0, NULL, UINT64_MAX),
	    HF_E_EXPIRED);
	/* An anchor's own time counts; one that is valid is preferred. */
	assert_ok(hf_trust_new(&other));
	terms.not_after = NOW;
	self(&anchor, pki.id[0], &terms);
	assert_ok(hf_trust_add_ca(other, anchor.bytes, anchor.len));
	assert_err(hf_trust_verify(NULL, other, chain, n, 0, NULL, NOW),
	    HF_E_EXPIRED);
	assert_ok(hf_trust_verify(NULL, other, chain, n, 0, NULL, NOW - 1));
	assert_ok(hf_trust_add_ca(other, pki.cert[0].bytes, pki.cert[0].len));
	assert_ok(hf_trust_verify(NULL, other, chain, n, 0, NULL, NOW));
	hf_trust_free(other);
}

static void
times_above(void **state)
{
	struct hf_cert_info ca_terms = terms_of("Sub", HF_USAGE_CA);
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_INITIATOR);
	struct blob sub, leaf;

	(void)state;
	ca_terms.not_before = NOW + 1;
	forge(&sub, pki.id[0], "Test CA", pki.id[1], &ca_terms, CERTIFICATE);
	forge(&leaf, pki.id[1], "Sub", pki.person, &terms, CERTIFICATE);
	assert_err(verify(&leaf, &sub, 0, NULL, NOW), HF_E_NOT_YET);
	assert_ok(verify(&leaf, &sub, 0, NULL, NOW + 1));
	/* The leaf is judged first. */
	terms.not_after = NOW;
	forge(&leaf, pki.id[1], "Sub", pki.person, &terms, CERTIFICATE);
	assert_err(verify(&leaf, &sub, 0, NULL, NOW), HF_E_EXPIRED);
}

static void
usage_and_name(void **state)
{
	struct hf_cert_info terms =
	    terms_of("server.example", HF_USAGE_RESPONDER | HF_USAGE_SERVER);
	struct blob leaf;

	(void)state;
	terms.names_n = 1;
	name_set(&terms.names[0], "other.example");
	name_set(&terms.cluster, "pool");
	certify(&leaf, pki.id[0], &pki.cert[0], pki.person, &terms);
	assert_ok(verify(&leaf, NULL, HF_USAGE_RESPONDER, NULL, NOW));
	assert_ok(verify(&leaf, NULL, HF_USAGE_RESPONDER | HF_USAGE_SERVER,
	    NULL, NOW));
	assert_err(verify(&leaf, NULL, HF_USAGE_INITIATOR, NULL, NOW),
	    HF_E_USAGE);
	assert_err(verify(&leaf, NULL, HF_USAGE_INITIATOR | HF_USAGE_RESPONDER,
		       NULL, NOW),
	    HF_E_USAGE);
	assert_err(verify(&leaf, NULL, HF_USAGE_CA, NULL, NOW), HF_E_USAGE);
	assert_err(verify(&pki.cert[1], NULL, HF_USAGE_RESPONDER, NULL, NOW),
	    HF_E_USAGE);
	assert_ok(verify(&pki.cert[1], NULL, HF_USAGE_CA, NULL, NOW));
	assert_ok(verify(&leaf, NULL, 0, "server.example", NOW));
	assert_ok(verify(&leaf, NULL, 0, "other.example", NOW));
	assert_ok(verify(&leaf, NULL, 0, "pool", NOW));
	assert_err(verify(&leaf, NULL, 0, "", NOW), HF_E_NAME);
	assert_err(verify(&leaf, NULL, 0, "example", NOW), HF_E_NAME);
	assert_err(verify(&leaf, NULL, 0, "SERVER.example", NOW), HF_E_NAME);
	assert_err(verify(&leaf, NULL, 0, "x.server.example", NOW), HF_E_NAME);
	/* The name comes last of all, usage after time. */
	assert_err(verify(&leaf, NULL, HF_USAGE_CA, "x", NOW), HF_E_USAGE);
	assert_err(verify(&leaf, NULL, HF_USAGE_CA, "x", NOW * 2U - 1),
	    HF_E_EXPIRED);
}

/* Certificates that are no authority's issue nothing. */
static void
who_may_issue(void **state)
{
	struct hf_cert_info terms = terms_of("mallory", HF_USAGE_INITIATOR);
	struct hf_cert_info below = terms_of("alice", HF_USAGE_INITIATOR);
	struct blob leaf, forged;

	(void)state;
	certify(&leaf, pki.id[0], &pki.cert[0], pki.id[2], &terms);
	forge(&forged, pki.id[2], "mallory", pki.person, &below, CERTIFICATE);
	assert_err(verify(&forged, &leaf, 0, NULL, NOW), HF_E_USAGE);
	terms = terms_of("mallory", HF_USAGE_CLUSTER);
	certify(&leaf, pki.id[0], &pki.cert[0], pki.id[2], &terms);
	assert_err(verify(&forged, &leaf, 0, NULL, NOW), HF_E_USAGE);
	/* Someone with the anchor's name, or an intermediate's. */
	forge(&forged, pki.id[2], "Test CA", pki.person, &below, CERTIFICATE);
	assert_err(verify(&forged, NULL, 0, NULL, NOW), HF_E_SIGNATURE);
	forge(&forged, pki.id[2], "Sub CA 1", pki.person, &below, CERTIFICATE);
	assert_err(verify(&forged, &pki.cert[1], 0, NULL, NOW),
	    HF_E_SIGNATURE);
	assert_err(verify(&forged, NULL, 0, NULL, NOW), HF_E_ISSUER);
	forge(&forged, pki.id[2], "Nobody", pki.person, &below, CERTIFICATE);
	assert_err(verify(&forged, NULL, 0, NULL, NOW), HF_E_ISSUER);
	assert_err(verify(&forged, &pki.cert[1], 0, NULL, NOW), HF_E_ISSUER);
}

/* Signed as another kind of object, the claims are worth nothing. */
static void
labels(void **state)
{
	static const char *const wrong[] = { "handfast/1 request",
		"handfast/1 list", "handfast/1 ticket", "",
		"handfast/1 certificat", "handfast/1 certificate " };
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_INITIATOR);
	struct hf_cert_info ca = terms_of("Fake CA", HF_USAGE_CA);
	struct blob cert, anchor;
	struct hf_trust *trust;
	struct hf__sign1 cose;
	size_t i;

	(void)state;
	forge(&cert, pki.id[0], "Test CA", pki.person, &terms, CERTIFICATE);
	assert_ok(verify(&cert, NULL, 0, NULL, NOW));
	assert_ok(hf_trust_new(&trust));
	self(&anchor, pki.id[0], &ca);
	for (i = 0; i < HF__ARRAY_N(wrong); i++) {
		forge(&cert, pki.id[0], "Test CA", pki.person, &terms,
		    wrong[i]);
		assert_err(verify(&cert, NULL, 0, NULL, NOW), HF_E_SIGNATURE);
		assert_ok(hf__sign1_read(&cose, anchor.bytes, anchor.len));
		assert_ok(hf__sign1_make(cert.bytes, sizeof(cert.bytes),
		    &cert.len, pki.id[0], wrong[i], cose.payload.ptr,
		    cose.payload.len));
		assert_err(hf_trust_add_ca(trust, cert.bytes, cert.len),
		    HF_E_SIGNATURE);
	}
	hf_trust_free(trust);
}

static void
anchors(void **state)
{
	struct hf_cert_info terms = terms_of("Other CA", HF_USAGE_CA);
	struct blob cert;
	struct hf_trust *trust;
	size_t i;

	(void)state;
	assert_ok(hf_trust_new(&trust));
	assert_err(hf_trust_add_ca(trust, pki.leaf[0].bytes, pki.leaf[0].len),
	    HF_E_USAGE);
	assert_err(hf_trust_add_ca(trust, pki.cert[1].bytes, pki.cert[1].len),
	    HF_E_ISSUER);
	/* Its own key, another issuer's name. */
	forge(&cert, pki.id[1], "Test CA", pki.id[1], &terms, CERTIFICATE);
	assert_err(hf_trust_add_ca(trust, cert.bytes, cert.len), HF_E_ISSUER);
	self(&cert, pki.id[1], &terms);
	cert.bytes[cert.len - 1] ^= 1;
	assert_err(hf_trust_add_ca(trust, cert.bytes, cert.len),
	    HF_E_SIGNATURE);
	assert_err(hf_trust_add_ca(trust, cert.bytes, cert.len - 1),
	    HF_E_CBOR);
	/* 64 of one name, and then no more; the same again is no more. */
	for (i = 0; i < 64; i++) {
		self(&cert, pki.id[i % 4], &terms);
		assert_ok(hf_trust_add_ca(trust, cert.bytes, cert.len));
		assert_ok(hf_trust_add_ca(trust, cert.bytes, cert.len));
	}
	self(&cert, pki.id[0], &terms);
	assert_err(hf_trust_add_ca(trust, cert.bytes, cert.len), HF_E_SPACE);
	terms = terms_of("alice", HF_USAGE_INITIATOR);
	for (i = 0; i < 4; i++) {
		forge(&cert, pki.id[i], "Other CA", pki.person, &terms,
		    CERTIFICATE);
		assert_ok(hf_trust_verify(NULL, trust,
		    &(struct hf_span){ cert.bytes, cert.len }, 1, 0, "alice",
		    NOW));
	}
	hf_trust_free(trust);
	hf_trust_free(NULL);
}

/* --- constraints --------------------------------------------------------------- */

static enum hf_err
under(const struct hf_cert_info *ca, const struct hf_cert_info *leaf)
{
	struct blob sub, cert;

	forge(&sub, pki.id[0], "Test CA", pki.id[1], ca, CERTIFICATE);
	forge(&cert, pki.id[1], ca->subject.text, pki.person, leaf,
	    CERTIFICATE);
	return verify(&cert, &sub, 0, NULL, NOW);
}

static void
suffixes(void **state)
{
	static const struct {
		const char *suffix, *name;
		enum hf_err e;
	} cases[] = {
		{ "example", "example", HF_OK },
		{ "example", "a.example", HF_OK },
		{ "example", "a@example", HF_OK },
		{ "example", "a/example", HF_OK },
		{ "example", "a.b.example", HF_OK },
		{ "example", "anexample", HF_E_CONSTRAINT },
		{ "example", "a-example", HF_E_CONSTRAINT },
		{ "example", "example.a", HF_E_CONSTRAINT },
		{ "example", "xample", HF_E_CONSTRAINT },
		{ "example", "Example", HF_E_CONSTRAINT },
		{ ".example", "a.example", HF_OK },
		{ ".example", ".example", HF_OK },
		{ ".example", "example", HF_E_CONSTRAINT },
		{ ".example", "aexample", HF_E_CONSTRAINT },
		{ "@example", "a@example", HF_OK },
		{ "@example", "a.example", HF_E_CONSTRAINT },
		{ "/x", "a/x", HF_OK },
		{ "x", "x.", HF_E_CONSTRAINT },
	};
	struct hf_cert_info ca, leaf;
	enum hf_err e;
	size_t i, k;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases) * 2; i++) {
		ca = terms_of("Sub", HF_USAGE_CA);
		ca.permitted_names_n = 2;
		name_set(&ca.permitted_names[0], "fits");
		name_set(&ca.permitted_names[1], cases[i / 2].suffix);
		/* As the subject, then as one of two names. */
		leaf = terms_of("fits", HF_USAGE_INITIATOR);
		k = i % 2;
		leaf.names_n = k * 2;
		name_set(k ? &leaf.names[1] : &leaf.subject,
		    cases[i / 2].name);
		name_set(&leaf.names[0], "a.fits");
		if ((e = under(&ca, &leaf)) != cases[i / 2].e)
			fail_msg("%s %s: %s", cases[i / 2].suffix,
			    cases[i / 2].name, hf_error_name(e));
	}
	/* The cluster too: it is a name that can be expected. */
	leaf = terms_of("fits", HF_USAGE_RESPONDER);
	name_set(&leaf.cluster, "a.fits");
	assert_ok(under(&ca, &leaf));
	name_set(&leaf.cluster, "elsewhere");
	assert_err(under(&ca, &leaf), HF_E_CONSTRAINT);
}

static void
realms(void **state)
{
	struct hf_cert_info ca = terms_of("Sub", HF_USAGE_CA);
	struct hf_cert_info leaf = terms_of("r", HF_USAGE_RESPONDER);

	(void)state;
	ca.permitted_realms_n = 2;
	name_set(&ca.permitted_realms[0], "one");
	name_set(&ca.permitted_realms[1], "two");
	assert_ok(under(&ca, &leaf));
	name_set(&leaf.realm, "two");
	assert_ok(under(&ca, &leaf));
	name_set(&leaf.realm, "a.two");
	assert_err(under(&ca, &leaf), HF_E_CONSTRAINT);
	name_set(&leaf.realm, "tw");
	assert_err(under(&ca, &leaf), HF_E_CONSTRAINT);
	/* Without permitted realms, any; with permitted names alone, none. */
	ca.permitted_realms_n = 0;
	assert_ok(under(&ca, &leaf));
	ca.permitted_names_n = 1;
	name_set(&ca.permitted_names[0], "r");
	assert_err(under(&ca, &leaf), HF_E_CONSTRAINT);
	leaf.realm.len = 0;
	assert_ok(under(&ca, &leaf));
}

static enum hf_err
below(const struct hf_trust *trust, const struct blob *leaf,
    const struct blob *sub)
{
	struct hf_span chain[] = { span(leaf), span(sub) };

	return hf_trust_verify(NULL, trust, chain, 2, 0, NULL, NOW);
}

/* Three levels: the constraint of one CA reaches all below it, and that of
 * an anchor too. Its own name need not fit. */
static void
constraints_reach_down(void **state)
{
	struct hf_cert_info terms = terms_of("Root", HF_USAGE_CA);
	struct hf_cert_info mid = terms_of("mid.example", HF_USAGE_CA);
	struct hf_cert_info leaf =
	    terms_of("alice@example", HF_USAGE_INITIATOR);
	struct blob anchor, sub, cert;
	struct hf_trust *trust;

	(void)state;
	assert_ok(hf_trust_new(&trust));
	terms.permitted_names_n = 1;
	name_set(&terms.permitted_names[0], "example");
	self(&anchor, pki.id[0], &terms);
	assert_ok(hf_trust_add_ca(trust, anchor.bytes, anchor.len));
	forge(&sub, pki.id[0], "Root", pki.id[1], &mid, CERTIFICATE);
	forge(&cert, pki.id[1], "mid.example", pki.person, &leaf, CERTIFICATE);
	assert_ok(below(trust, &cert, &sub));
	name_set(&leaf.subject, "alice");
	forge(&cert, pki.id[1], "mid.example", pki.person, &leaf, CERTIFICATE);
	assert_err(below(trust, &cert, &sub), HF_E_CONSTRAINT);
	/* The intermediate's own name does not fit. */
	name_set(&leaf.subject, "alice@example");
	name_set(&mid.subject, "mid");
	forge(&sub, pki.id[0], "Root", pki.id[1], &mid, CERTIFICATE);
	forge(&cert, pki.id[1], "mid", pki.person, &leaf, CERTIFICATE);
	assert_err(below(trust, &cert, &sub), HF_E_CONSTRAINT);
	/* Lists meet: what the upper permits the lower may take away. */
	name_set(&mid.subject, "mid.example");
	mid.permitted_names_n = 1;
	name_set(&mid.permitted_names[0], "b.example");
	forge(&sub, pki.id[0], "Root", pki.id[1], &mid, CERTIFICATE);
	forge(&cert, pki.id[1], "mid.example", pki.person, &leaf, CERTIFICATE);
	assert_err(below(trust, &cert, &sub), HF_E_CONSTRAINT);
	hf_trust_free(trust);
}

/* The anchor's path length against the authorities below it. */
static void
path_lengths(void **state)
{
	struct hf_cert_info terms = terms_of("Test CA", HF_USAGE_CA);
	struct hf_span chain[HF_CHAIN_MAX + 1];
	struct hf_trust *trust;
	struct blob anchor;
	size_t n;
	int path;

	(void)state;
	for (path = 0; path <= 3; path++) {
		assert_ok(hf_trust_new(&trust));
		terms.path_length = path;
		self(&anchor, pki.id[0], &terms);
		assert_ok(hf_trust_add_ca(trust, anchor.bytes, anchor.len));
		for (n = 0; n < 4; n++) {
			chain_of(chain, n);
			assert_err(hf_trust_verify(NULL, trust, chain, n + 1,
				       0, NULL, NOW),
			    n <= (size_t)path ? HF_OK : HF_E_CONSTRAINT);
			/* The authority itself as the leaf counts. */
			if (n > 0)
				assert_err(hf_trust_verify(NULL, trust,
					       chain + 1, n, HF_USAGE_CA, NULL,
					       NOW),
				    n <= (size_t)path ? HF_OK :
							HF_E_CONSTRAINT);
		}
		hf_trust_free(trust);
	}
}

static void
path_length_between(void **state)
{
	struct hf_cert_info ca = terms_of("Sub", HF_USAGE_CA);
	struct hf_cert_info leaf = terms_of("alice", HF_USAGE_INITIATOR);

	(void)state;
	ca.path_length = 0;
	assert_ok(under(&ca, &leaf));
	leaf = terms_of("Sub Sub", HF_USAGE_CA);
	assert_err(under(&ca, &leaf), HF_E_CONSTRAINT);
	ca.path_length = 1;
	assert_ok(under(&ca, &leaf));
	leaf = terms_of("Cluster", HF_USAGE_CLUSTER);
	ca.path_length = 0;
	assert_ok(under(&ca, &leaf));
}

/* --- flips, keys, cache ---------------------------------------------------------- */

static void
every_bit(void **state)
{
	struct blob cert = pki.leaf[0];
	enum hf_err e;
	size_t i;

	(void)state;
	for (i = 0; i < cert.len * 8; i++) {
		cert.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
		e = verify(&cert, NULL, 0, NULL, NOW);
		if (i / 8 >= cert.len - 64)
			assert_err(e, HF_E_SIGNATURE);
		else if (e != HF_E_CBOR && e != HF_E_OBJECT &&
		    e != HF_E_ISSUER)
			assert_err(e, HF_E_SIGNATURE);
		cert.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	assert_ok(verify(&cert, NULL, 0, NULL, NOW));
	for (i = 0; i < cert.len; i++) {
		cert.len = i;
		assert_err(verify(&cert, NULL, 0, NULL, NOW), HF_E_CBOR);
		cert.len = pki.leaf[0].len;
	}
}

static struct hf__cache cache;

static enum hf_err
cached(const struct blob *cert, const struct hf_trust *trust, unsigned usage,
    const char *name, uint64_t now)
{
	struct hf_span chain = span(cert);
	struct hf__cert leaf;

	return hf__chain_verify(&leaf, trust, &cache, &chain, 1, usage, name,
	    now);
}

/* An intermediate whose key has a part of small order: the anchor signed it,
 * and it is still no key (A18). */
static void
mixed_order_key(void **state)
{
	static const uint8_t torsion[32] = { 0x26, 0xe8, 0x95, 0x8f, 0xc2,
		0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
		0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1,
		0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 };
	struct hf_cert_info terms = terms_of("Sub", HF_USAGE_CA);
	struct hf__cert c;
	struct blob cert;
	uint8_t payload[HF_CERT_MAX], mixed[32];
	size_t at;

	(void)state;
	forge(&cert, pki.id[0], "Test CA", pki.id[1], &terms, CERTIFICATE);
	assert_ok(verify(&cert, NULL, HF_USAGE_CA, NULL, NOW));
	assert_ok(hf__cert_parse(&c, cert.bytes, cert.len));
	assert_int_equal(crypto_core_ed25519_add(mixed, c.key.ptr, torsion),
	    0);
	at = (size_t)(c.key.ptr - c.cose.payload.ptr);
	memcpy(payload, c.cose.payload.ptr, c.cose.payload.len);
	memcpy(payload + at, mixed, 32);
	assert_ok(hf__sign1_make(cert.bytes, sizeof(cert.bytes), &cert.len,
	    pki.id[0], CERTIFICATE, payload, c.cose.payload.len));
	assert_err(verify(&cert, NULL, HF_USAGE_CA, NULL, NOW), HF_E_OBJECT);
	/* Refused each time, also with a cache. */
	hf__cache_init(&cache);
	assert_err(cached(&cert, pki.trust, 0, NULL, NOW), HF_E_OBJECT);
	assert_err(cached(&cert, pki.trust, 0, NULL, NOW), HF_E_OBJECT);
	assert_int_equal(cache.hits, 0);
}

static void
signature_cache(void **state)
{
	struct hf_cert_info terms = terms_of("Test CA", HF_USAGE_CA);
	struct blob cert = pki.leaf[0], anchor;
	struct hf_trust *other;
	size_t i;

	(void)state;
	hf__cache_init(&cache);
	assert_ok(cached(&cert, pki.trust, 0, NULL, NOW));
	assert_int_equal(cache.hits, 0);
	assert_ok(cached(&cert, pki.trust, 0, NULL, NOW));
	assert_int_equal(cache.hits, 1);
	/* All but the signature is judged anew. */
	assert_err(cached(&cert, pki.trust, 0, NULL, 1), HF_E_NOT_YET);
	assert_err(cached(&cert, pki.trust, HF_USAGE_SERVER, NULL, NOW),
	    HF_E_USAGE);
	assert_err(cached(&cert, pki.trust, 0, "bob", NOW), HF_E_NAME);
	assert_int_equal(cache.hits, 4);
	/* Another signature over the same claims is another object. */
	for (i = 0; i < 2; i++) {
		cert.bytes[cert.len - 1] ^= 1;
		assert_err(cached(&cert, pki.trust, 0, NULL, NOW),
		    i == 0 ? HF_E_SIGNATURE : HF_OK);
	}
	cert.bytes[cert.len - 40] ^= 1;
	for (i = 0; i < 3; i++)
		assert_err(cached(&cert, pki.trust, 0, NULL, NOW),
		    HF_E_SIGNATURE);
	assert_int_equal(cache.hits, 5);
	/* So is the same object under another key of the same name. */
	assert_ok(hf_trust_new(&other));
	self(&anchor, pki.id[1], &terms);
	assert_ok(hf_trust_add_ca(other, anchor.bytes, anchor.len));
	assert_err(cached(&pki.leaf[0], other, 0, NULL, NOW), HF_E_SIGNATURE);
	assert_int_equal(cache.hits, 5);
	hf_trust_free(other);
}

static int
set_up(void **state)
{
	static const char *const names[] = { "Test CA", "Sub CA 1", "Sub CA 2",
		"Sub CA 3" };
	struct hf_cert_info terms;
	size_t i;

	(void)state;
	assert_ok(hf_init());
	pki.person = identity_of(20);
	for (i = 0; i < 4; i++) {
		pki.id[i] = identity_of(10 + (int)i);
		terms = terms_of(names[i], HF_USAGE_CA);
		if (i == 0)
			self(&pki.cert[0], pki.id[0], &terms);
		else
			certify(&pki.cert[i], pki.id[i - 1], &pki.cert[i - 1],
			    pki.id[i], &terms);
		terms = terms_of("alice", HF_USAGE_INITIATOR);
		certify(&pki.leaf[i], pki.id[i], &pki.cert[i], pki.person,
		    &terms);
	}
	assert_ok(hf_trust_new(&pki.trust));
	assert_ok(
	    hf_trust_add_ca(pki.trust, pki.cert[0].bytes, pki.cert[0].len));
	return 0;
}

static int
tear_down(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		hf_identity_free(pki.id[i]);
	hf_identity_free(pki.person);
	hf_trust_free(pki.trust);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(times),
		cmocka_unit_test(times_above),
		cmocka_unit_test(usage_and_name),
		cmocka_unit_test(who_may_issue),
		cmocka_unit_test(labels),
		cmocka_unit_test(anchors),
		cmocka_unit_test(suffixes),
		cmocka_unit_test(realms),
		cmocka_unit_test(constraints_reach_down),
		cmocka_unit_test(path_lengths),
		cmocka_unit_test(path_length_between),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(mixed_order_key),
		cmocka_unit_test(signature_cache),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
