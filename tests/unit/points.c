/* SPDX-License-Identifier: ISC */
/*
 * Odd X25519 public keys in every place of a handshake: of small order, where
 * no key may be derived (threat A20); static keys and echoes as ephemerals
 * (A21); not canonical (A22).
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"
#include "stage.h"
#include "craft.h"

/* --- A20: small order --------------------------------------------------------------- */

enum { POINTS_MAX = 64 };

static uint8_t points[POINTS_MAX][32];
static size_t points_n;

/* The encodings known to all; a set top bit is masked, so each twice. */
static void
well_known(void)
{
	static const char *const hex[] = {
		"00000000000000000000000000000000"
		"00000000000000000000000000000000",
		"01000000000000000000000000000000"
		"00000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46a"
		"da098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b"
		"04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
	};
	size_t i;

	for (i = 0; i < HF__ARRAY_N(hex); i++, points_n += 2) {
		unhex(points[points_n], 32, hex[i]);
		memcpy(points[points_n + 1], points[points_n], 32);
		points[points_n + 1][31] |= 0x80;
	}
	assert_int_equal(points_n, 14);
}

/* Those of Wycheproof whose result is zero. */
static void
more_from_wycheproof(void)
{
	const json_t *group, *test;
	uint8_t shared[32];
	size_t i, k, n = 0;
	json_t *all;

	if (test_data() == NULL)
		return;
	all = test_data_json("wycheproof/x25519_test.json");
	json_array_foreach(json_object_get(all, "testGroups"), i, group)
		json_array_foreach(json_object_get(group, "tests"), k, test) {
			unhex(shared, 32,
			    json_string_value(
				json_object_get(test, "shared")));
			if (!sodium_is_zero(shared, 32))
				continue;
			assert_true(points_n < POINTS_MAX);
			unhex(points[points_n++], 32,
			    json_string_value(
				json_object_get(test, "public")));
			n++;
		}
	json_decref(all);
	test_data_counted(n, 31);
}

/* A request whose enc is the point: whatever its box, it is not looked at. */
static void
as_enc_of_request(const uint8_t point[32])
{
	struct blob b;

	judged();
	assert_ok(answer(&w, p.i));
	take(&b, p.i);
	memcpy(b.bytes + 25, point, 32);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_err(answer(&w, p.r), HF_E_PUBLIC_KEY);
	assert_nothing(p.r);
}

static void
as_prekey(const uint8_t point[32])
{
	struct blob b;

	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(answer(&w, p.r));
	take(&b, p.r);
	memcpy(b.bytes + b.len - 33, point, 32);
	assert_ok(give(p.i, b.bytes, b.len));
	assert_err(answer(&w, p.i), HF_E_PUBLIC_KEY);
	assert_nothing(p.i);
	/* Nothing was sealed: all that goes out is the alert. */
	take(&b, p.i);
	assert_int_equal(b.len, 3);
}

static void
as_enc_of_grant(const uint8_t point[32])
{
	struct craft c = ephemeral_of(5);
	struct blob b;

	opened(&b);
	c.enc = point;
	assert_ok(grant_by(&b, &c));
	assert_err(give(p.i, b.bytes, b.len), HF_E_PUBLIC_KEY);
	assert_nothing(p.i);
}

/* In a certificate that the CA signed. */
static void
as_responders_key(const uint8_t point[32])
{
	struct hf_span chain;
	struct blob cert;

	with_key(&cert, &w.responder_cert, point);
	chain = (struct hf_span){ cert.bytes, cert.len };
	assert_ok(hf_config_responder(w.i, &chain, 1));
	hf_session_free(p.i);
	assert_ok(hf_session_new(&p.i, w.i, START_MS, NOW));
	assert_err(answer(&w, p.i), HF_E_PUBLIC_KEY);
	assert_nothing(p.i);
	assert_int_equal(hf_session_output(p.i).len, 0);
}

static void
as_initiators_key(const uint8_t point[32])
{
	struct hf_span own = w.i->own.cert[0];
	struct blob cert, b;

	with_key(&cert, &w.initiator_cert, point);
	w.i->own.cert[0] = (struct hf_span){ cert.bytes, cert.len };
	opened(&b); /* the envelope is made with the grant */
	assert_err(answer(&w, p.r), HF_E_PUBLIC_KEY);
	assert_nothing(p.r);
	w.i->own.cert[0] = own;
}

static void
small_order(void **state)
{
	static void (*const slots[])(const uint8_t[32]) = { as_enc_of_request,
		as_enc_of_grant, as_initiators_key, as_responders_key,
		as_prekey };
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	size_t i, slot;

	(void)state;
	well_known();
	more_from_wycheproof();
	for (slot = 0; slot < HF__ARRAY_N(slots); slot++) {
		m.known = slots[slot] != as_prekey;
		world_make(&w, &m);
		for (i = 0; i < points_n; i++) {
			pair_make(&p, &w);
			slots[slot](points[i]);
			pair_free(&p);
		}
		world_free(&w);
	}
	print_message("%zu points in %zu places\n", points_n,
	    HF__ARRAY_N(slots));
}

/* As the enc of a request where the prekey is what it meets first, too. */
static void
small_order_after_an_offer(void **state)
{
	struct meeting m = { .method = HF_METHOD_PLAIN_PASSWORD };
	size_t i;

	(void)state;
	if (points_n == 0) /* where it runs alone */
		well_known();
	for (i = 0; i < points_n; i++) {
		begin(&m);
		as_enc_of_request(points[i]);
		end();
	}
}

/* --- A21: ephemerals that are not ------------------------------------------------------ */

/* A genuine token, as encoded. */
static struct hf_span
own_token(uint8_t *out, size_t cap)
{
	struct hf__token token = { .method = HF_METHOD_CERTIFICATE,
		.chain_n = 1 };
	struct hf__writer writer;

	token.chain[0] = w.initiator_chain[0];
	hf__write_init(&writer, out, cap);
	hf__token_write(&writer, &token);
	assert_ok(writer.err);
	return (struct hf_span){ out, writer.len };
}

/* The initiator's request with that ephemeral. */
static void
request_with(struct blob *out, const struct craft *c)
{
	uint8_t token[HF_CERT_MAX], plain[HF_MESSAGE_MAX];
	size_t len;

	judged();
	assert_ok(craft_plain(plain, sizeof(plain), &len,
	    own_token(token, sizeof(token)), NOW));
	assert_ok(craft_request(out->bytes, sizeof(out->bytes), &out->len, p.i,
	    c, (struct hf_span){ plain, len }));
}

static void
assert_agree(void)
{
	uint8_t a[32], b[32];

	assert_int_equal(p.i->state, HF__OPEN);
	assert_int_equal(p.r->state, HF__OPEN);
	assert_ok(hf_session_export(a, 32, p.i, "x", NULL, 0));
	assert_ok(hf_session_export(b, 32, p.r, "x", NULL, 0));
	assert_memory_equal(a, b, 32);
}

/* The own static key as ephemeral: a fool's choice, that harms only him. */
static void
static_as_ephemeral(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct craft c = { .pair = { { 0 }, { 0 } } };
	struct blob b;

	(void)state;
	for (m.known = 0; m.known < 2; m.known++) {
		begin(&m);
		c.pair = w.initiator->kem;
		request_with(&b, &c);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_ok(run(&p));
		assert_agree();
		pair_free(&p);
		/* The responder, in his grant. */
		pair_make(&p, &w);
		c.pair = w.responder->kem;
		opened(&b);
		assert_ok(grant_by(&b, &c));
		assert_ok(give(p.i, b.bytes, b.len));
		assert_int_equal(p.i->state, HF__OPEN);
		end();
	}
}

/* What the other said, said back by one who has not its private key. */
static void
echoes(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct craft c = ephemeral_of(5);
	uint8_t echo[32];
	struct blob b;

	(void)state;
	/* enc of the request as enc of the grant */
	m.known = 1;
	begin(&m);
	opened(&b);
	memcpy(echo, b.bytes + 25, 32);
	c.enc = echo;
	assert_ok(grant_by(&b, &c));
	assert_err(give(p.i, b.bytes, b.len), HF_E_BOX);
	assert_nothing(p.i);
	pair_free(&p);
	/* the responder's certified key as enc of the request */
	pair_make(&p, &w);
	c.enc = w.responder->kem.pk;
	request_with(&b, &c);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_err(answer(&w, p.r), HF_E_BOX);
	assert_nothing(p.r);
	end();
	/* the prekey as enc of the request */
	m.known = 0;
	begin(&m);
	judged();
	memcpy(echo, p.i->hs->offered, 32);
	c.enc = echo;
	request_with(&b, &c);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_err(answer(&w, p.r), HF_E_BOX);
	assert_nothing(p.r);
	end();
}

/* A prekey that is the responder's certified key: both sides agree still. */
static void
static_as_prekey(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct blob hello, b;

	(void)state;
	begin(&m);
	take(&hello, p.i);
	assert_ok(give(p.r, hello.bytes, hello.len));
	assert_ok(answer(&w, p.r));
	take(&b, p.r);
	memcpy(b.bytes + b.len - 33, w.responder->kem.pk, 32);
	p.r->hs->prekey = w.responder->kem;
	hf__transcript(p.r->hs->th0,
	    (struct hf_span[]){ { hello.bytes, hello.len }, { b.bytes, b.len },
		w.responder_chain[0] },
	    3);
	hf__request_info_hash(p.r->hs->info_hash, &w.r->hpke, p.r->hs->th0);
	assert_ok(give(p.i, b.bytes, b.len));
	assert_ok(run(&p));
	assert_agree();
	end();
}

/* --- A22: not canonical ------------------------------------------------------------------ */

/* The top bit is masked for the function and kept in the transcript: whoever
 * sends it consistently is understood; who sets it on the way is not. */
static void
top_bit(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct craft c = ephemeral_of(5);
	struct blob b;

	(void)state;
	c.pair.pk[31] |= 0x80;
	for (m.known = 0; m.known < 2; m.known++) {
		begin(&m);
		request_with(&b, &c);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_ok(run(&p));
		assert_agree();
		pair_free(&p);
		pair_make(&p, &w);
		opened(&b);
		assert_ok(grant_by(&b, &c));
		assert_ok(give(p.i, b.bytes, b.len));
		assert_int_equal(p.i->state, HF__OPEN);
		pair_free(&p);
		/* On the way: the same secret, another kem_context. */
		pair_make(&p, &w);
		judged();
		assert_ok(answer(&w, p.i));
		take(&b, p.i);
		b.bytes[25 + 31] ^= 0x80;
		assert_ok(give(p.r, b.bytes, b.len));
		assert_err(answer(&w, p.r), HF_E_BOX);
		pair_free(&p);
		pair_make(&p, &w);
		granted(&b, &b);
		b.bytes[5 + 31] ^= 0x80;
		assert_err(give(p.i, b.bytes, b.len), HF_E_BOX);
		end();
	}
}

/* Another encoding of its key is not this identity's certificate (3.4). */
static void
top_bit_in_a_certificate(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct hf_span chain;
	struct blob cert;
	uint8_t key[32];

	(void)state;
	begin(&m);
	memcpy(key, w.responder->kem.pk, 32);
	key[31] |= 0x80;
	with_key(&cert, &w.responder_cert, key);
	chain = (struct hf_span){ cert.bytes, cert.len };
	assert_err(hf_config_identity(w.r, w.responder, &chain, 1),
	    HF_E_OWN_CERT);
	end();
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_order),
		cmocka_unit_test(small_order_after_an_offer),
		cmocka_unit_test(static_as_ephemeral),
		cmocka_unit_test(echoes),
		cmocka_unit_test(static_as_prekey),
		cmocka_unit_test(top_bit),
		cmocka_unit_test(top_bit_in_a_certificate),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
