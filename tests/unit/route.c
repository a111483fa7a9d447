/* SPDX-License-Identifier: ISC */
/*
 * What a dispatcher reads in the messages that pass it (spec section 17.9):
 * where a first one wants to go, and whose offer that is.
 */
#include "stage.h"

/* A message that is cut anywhere is no message. */
static void
cut(const struct blob *b)
{
	struct hf_route route;
	size_t n;

	for (n = 0; n < b->len; n++) {
		assert_err(hf_route_read(&route, b->bytes, n), HF_E_CBOR);
		assert_int_equal(route.type, -1);
	}
}

static void
handshakes(void **state)
{
	const struct meeting m = { .method = HF_METHOD_CERTIFICATE,
		.target = "files" };
	uint8_t key_id[HF_KEY_ID_BYTES], offered[HF_KEY_ID_BYTES];
	struct hf_route route;
	struct blob b;

	(void)state;
	begin(&m);
	hf_key_id(key_id, w.responder_cert.bytes, w.responder_cert.len);
	take(&b, p.i);
	assert_ok(hf_route_read(&route, b.bytes, b.len));
	assert_int_equal(route.type, HF__HELLO);
	assert_int_equal(route.target.len, 5);
	assert_memory_equal(route.target.ptr, "files", 5);
	assert_null(route.key_id.ptr);
	assert_false(route.dispatched);
	cut(&b);
	assert_err(hf_offer_key_id(offered, b.bytes, b.len), HF_E_UNEXPECTED);

	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(answer(&w, p.r));
	take(&b, p.r);
	assert_err(hf_route_read(&route, b.bytes, b.len), HF_E_UNEXPECTED);
	assert_ok(hf_offer_key_id(offered, b.bytes, b.len));
	assert_memory_equal(offered, key_id, sizeof(key_id));
	assert_err(hf_offer_key_id(offered, b.bytes, 1), HF_E_UNEXPECTED);
	assert_err(hf_offer_key_id(offered, b.bytes, 8), HF_E_CBOR);

	assert_ok(give(p.i, b.bytes, b.len));
	assert_ok(answer(&w, p.i));
	take(&b, p.i);
	assert_ok(hf_route_read(&route, b.bytes, b.len));
	assert_int_equal(route.type, HF__REQUEST);
	assert_int_equal(route.key_id.len, sizeof(key_id));
	assert_memory_equal(route.key_id.ptr, key_id, sizeof(key_id));
	cut(&b);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(handshakes) };

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
