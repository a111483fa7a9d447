/* SPDX-License-Identifier: ISC */
/*
 * Key grants (spec section 19.2): for one member, by one cluster, for a day;
 * everything else is refused with its own error.
 */
#include <string.h>

#include "testing.h"

static struct world w;
static struct hf_identity *cluster, *member, *other;
static struct blob cluster_cert, member_cert, other_cert;

static struct hf_keygrant
usual(void)
{
	struct hf_keygrant g = { .serial = 7,
		.not_after = NOW + 3600,
		.generation_n = 2,
		.target_n = 1 };

	name_set(&g.cluster, "c");
	name_set(&g.scope, "files");
	name_set(&g.target[0], "t");
	g.generation[0].number = 3;
	g.generation[1].number = 2;
	g.generation[1].cut_off = NOW + 100;
	memset(g.generation[0].key, 0xa3, HF_KEY_BYTES);
	memset(g.generation[1].key, 0xa2, HF_KEY_BYTES);
	return g;
}

static struct hf_keygrant_judge
usual_judge(void)
{
	return (struct hf_keygrant_judge){ .identity = member,
		.member = { member_cert.bytes, member_cert.len },
		.cluster = { cluster_cert.bytes, cluster_cert.len },
		.now = NOW,
		.serial = 7,
		.tolerance = 120 };
}

static void
make(struct blob *b, const struct hf_keygrant *g)
{
	assert_ok(hf_keygrant_make(b->bytes, sizeof(b->bytes), &b->len,
	    cluster, g, member_cert.bytes, member_cert.len));
}

static void
given(void **state)
{
	struct hf_keygrant g = usual(), got;
	struct hf_keygrant_judge by = usual_judge();
	struct hf_vault *v;
	struct blob b;

	(void)state;
	make(&b, &g);
	assert_ok(hf_keygrant_open(&got, b.bytes, b.len, &by));
	assert_int_equal(got.serial, 7);
	assert_string_equal(got.scope.text, "files");
	assert_string_equal(got.target[0].text, "t");
	assert_int_equal(got.generation_n, 2);
	assert_int_equal(got.generation[1].cut_off, NOW + 100);
	assert_memory_equal(got.generation[0].key, g.generation[0].key, 32);
	assert_memory_equal(got.generation[1].key, g.generation[1].key, 32);
	assert_ok(hf_vault_new(&v, "c", "m"));
	assert_ok(hf_vault_grant(v, &got));
	assert_ptr_equal(hf__vault_scope(v,
			     (struct hf_span){ (const uint8_t *)"t", 1 }, NOW),
	    &v->scope[0]);
	assert_null(hf__vault_scope(v,
	    (struct hf_span){ (const uint8_t *)"u", 1 }, NOW));
	/* A grant that is void lets nothing be held. */
	assert_null(hf__vault_scope(v,
	    (struct hf_span){ (const uint8_t *)"t", 1 }, NOW + 3600));
	assert_int_equal(v->scope[0].generation[0].number, 3);
	assert_int_equal(v->scope[0].generation[0].not_after, 0);
	assert_int_equal(v->scope[0].generation[1].not_after, NOW + 100);
	assert_err(hf_vault_grant(v, &got), HF_E_ARG);
	hf_vault_free(v);
	assert_ok(hf_keygrant_read(&got, b.bytes, b.len));
	assert_true(sodium_is_zero(got.generation[0].key, 32));
}

/* The same grant again is sealed by another key. */
static void
sealed_anew(void **state)
{
	struct hf_keygrant g = usual();
	struct blob b, again;

	(void)state;
	make(&b, &g);
	make(&again, &g);
	assert_int_equal(b.len, again.len);
	assert_memory_not_equal(b.bytes, again.bytes, b.len);
}

/* The cluster's own copy, for as long as it likes. */
static void
own_copy(void **state)
{
	struct hf_keygrant g = usual(), got;
	struct hf_keygrant_judge by = usual_judge();
	struct blob b;

	(void)state;
	g.not_after = (uint64_t)1 << 53;
	assert_ok(hf_keygrant_make(b.bytes, sizeof(b.bytes), &b.len, cluster,
	    &g, cluster_cert.bytes, cluster_cert.len));
	by.identity = cluster;
	by.member = by.cluster;
	assert_err(hf_keygrant_open(&got, b.bytes, b.len, &by), HF_E_NOT_YET);
	by.own_copy = 1;
	assert_ok(hf_keygrant_open(&got, b.bytes, b.len, &by));
	assert_memory_equal(got.generation[0].key, g.generation[0].key, 32);
}

static void
refused(void **state)
{
	struct hf_keygrant g = usual(), got;
	struct hf_keygrant_judge by;
	struct blob b;

	(void)state;
	make(&b, &g);
#define TRY(change, e)                                              \
	by = usual_judge();                                         \
	change;                                                     \
	assert_err(hf_keygrant_open(&got, b.bytes, b.len, &by), e); \
	assert_true(sodium_is_zero((const uint8_t *)&got, sizeof(got)))
	TRY(by.cluster = by.member, HF_E_USAGE);
	TRY(by.member = by.cluster, HF_E_UNKNOWN_KEY);
	TRY(by.now = NOW + 3600, HF_E_EXPIRED);
	TRY(by.now = NOW + 3600 - 86400 - 121, HF_E_NOT_YET);
	TRY(by.serial = 8, HF_E_ROLLBACK);
	TRY(by.identity = other, HF_E_BOX);
	TRY(by.member.len--, HF_E_CBOR);
	TRY(by.cluster.len--, HF_E_CBOR);
	g = usual();
	name_set(&g.cluster, "d");
	make(&b, &g);
	TRY((void)0, HF_E_NAME);
	/* For a member of that one, by this cluster's key. */
	assert_ok(hf_keygrant_make(b.bytes, sizeof(b.bytes), &b.len, cluster,
	    &g, other_cert.bytes, other_cert.len));
	TRY(by.member = ((struct hf_span){ other_cert.bytes, other_cert.len }),
	    HF_E_NAME);
	/* Signed by another key. */
	assert_ok(hf_keygrant_make(b.bytes, sizeof(b.bytes), &b.len, other, &g,
	    member_cert.bytes, member_cert.len));
	name_set(&g.cluster, "c");
	assert_ok(hf_keygrant_make(b.bytes, sizeof(b.bytes), &b.len, other, &g,
	    member_cert.bytes, member_cert.len));
	TRY((void)0, HF_E_SIGNATURE);
#undef TRY
}

/* No bit may change, and none may be missing. */
static void
every_bit(void **state)
{
	struct hf_keygrant g = usual(), got;
	struct hf_keygrant_judge by = usual_judge();
	struct blob b;
	size_t bit, len;

	(void)state;
	make(&b, &g);
	for (bit = 0; bit < 8 * b.len; bit += 3) {
		b.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(hf_keygrant_open(&got, b.bytes, b.len,
					 &by),
		    HF_OK);
		b.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (len = 0; len < b.len; len++)
		assert_err(hf_keygrant_open(&got, b.bytes, len, &by),
		    HF_E_CBOR);
}

/* A certificate's signature is none of a grant's, nor the other way. */
static void
labels(void **state)
{
	struct hf_keygrant g = usual(), got;
	struct hf_keygrant_judge by = usual_judge();
	struct hf__sign1 cose;
	struct blob b, again;

	(void)state;
	make(&b, &g);
	assert_ok(hf__sign1_read(&cose, b.bytes, b.len));
	assert_ok(hf__sign1_make(again.bytes, sizeof(again.bytes), &again.len,
	    cluster, "handfast/1 certificate", cose.payload.ptr,
	    cose.payload.len));
	assert_err(hf_keygrant_open(&got, again.bytes, again.len, &by),
	    HF_E_SIGNATURE);
}

/* Nothing follows what was signed. */
static void
longer(void **state)
{
	struct hf_keygrant g = usual(), got;
	struct hf_keygrant_judge by = usual_judge();
	uint8_t payload[HF_MESSAGE_MAX];
	struct hf__sign1 cose;
	struct blob b, again;
	size_t len;

	(void)state;
	make(&b, &g);
	assert_ok(hf__sign1_read(&cose, b.bytes, b.len));
	memcpy(payload, cose.payload.ptr, cose.payload.len);
	payload[cose.payload.len] = 0;
	for (len = cose.payload.len; len < cose.payload.len + 2; len++) {
		assert_ok(hf__sign1_make(again.bytes, sizeof(again.bytes),
		    &again.len, cluster, "handfast/1 key grant", payload,
		    len));
		assert_err(hf_keygrant_open(&got, again.bytes, again.len, &by),
		    len == cose.payload.len ? HF_OK : HF_E_CBOR);
	}
}

static void
arguments(void **state)
{
	struct hf_keygrant g;
	struct hf_vault *v;
	uint8_t out[64];
	size_t len;

	(void)state;
#define BAD(change)                                                      \
	g = usual();                                                     \
	change;                                                          \
	assert_err(hf_keygrant_make(out, sizeof(out), &len, cluster, &g, \
		       member_cert.bytes, member_cert.len),              \
	    HF_E_ARG)
	BAD(g.cluster.len = 0);
	BAD(g.scope.len = 0);
	BAD(g.serial = 0);
	BAD(g.generation_n = 0);
	BAD(g.generation[1].number = 3);
	BAD(g.generation[1].number = 4);
	BAD(g.generation[1].number = 0);
	BAD(g.target_n = HF_SCOPE_TARGETS_MAX + 1);
#undef BAD
	g = usual();
	assert_err(hf_keygrant_make(out, sizeof(out), &len, cluster, &g,
		       member_cert.bytes, member_cert.len),
	    HF_E_SPACE);
	g.generation_n = 0;
	assert_ok(hf_vault_new(&v, "c", "m"));
	assert_err(hf_vault_grant(v, &g), HF_E_ARG);
	assert_int_equal(v->scope_n, 0);
	hf_vault_free(v);
	g = usual();
	assert_err(hf_keygrant_make(out, sizeof(out), &len, cluster, &g,
		       member_cert.bytes, member_cert.len - 1),
	    HF_E_CBOR);
}

static int
set_up(void **state)
{
	struct hf_cert_info terms;

	(void)state;
	if (hf_init() != HF_OK)
		return -1;
	world_make(&w, &(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	cluster = identity_of(20);
	member = identity_of(21);
	other = identity_of(22);
	terms = terms_of("c", HF_USAGE_CLUSTER);
	terms.path_length = -1;
	certify(&cluster_cert, w.ca, &w.ca_cert, cluster, &terms);
	terms = terms_of("m", HF_USAGE_RESPONDER | HF_USAGE_SERVER);
	name_set(&terms.cluster, "c");
	certify(&member_cert, w.ca, &w.ca_cert, member, &terms);
	name_set(&terms.cluster, "d");
	certify(&other_cert, w.ca, &w.ca_cert, other, &terms);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hf_identity_free(cluster);
	hf_identity_free(member);
	hf_identity_free(other);
	world_free(&w);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given),
		cmocka_unit_test(sealed_anew),
		cmocka_unit_test(own_copy),
		cmocka_unit_test(refused),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(labels),
		cmocka_unit_test(longer),
		cmocka_unit_test(arguments),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
