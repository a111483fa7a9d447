/* SPDX-License-Identifier: ISC */
/*
 * Every field of every message, and of what is sealed in them, replaced by
 * each other type (threat A32), by more than is there (A24), by text that is
 * none (A30), by unknown extensions (A31): each by its exact error.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"
#include "stage.h"
#include "craft.h"

/* --- types ------------------------------------------------------------------ */

/* Another type for a field; whether it is an encoding at all. */
static const struct other {
	const char *hex;
	enum hf_err expected;
} others[] = {
	{ "00", HF_E_SHAPE },
	{ "1bffffffffffffffff", HF_E_SHAPE },
	{ "20", HF_E_SHAPE },
	{ "40", HF_E_SHAPE },
	{ "60", HF_E_SHAPE },
	{ "80", HF_E_SHAPE },
	{ "a0", HF_E_SHAPE },
	{ "a10000", HF_E_SHAPE },
	{ "8100", HF_E_SHAPE },
	{ "f4", HF_E_SHAPE },
	{ "f5", HF_E_SHAPE },
	{ "f6", HF_E_SHAPE },
	{ "f7", HF_E_CBOR },
	{ "e0", HF_E_CBOR },
	{ "f0", HF_E_CBOR },
	{ "f8ff", HF_E_CBOR },
	{ "f90000", HF_E_CBOR },
	{ "fb3ff0000000000000", HF_E_CBOR },
	{ "c000", HF_E_CBOR },
	{ "d81840", HF_E_CBOR },
	{ "c24101", HF_E_CBOR },
	{ "5f40ff", HF_E_CBOR },
	{ "7fff", HF_E_CBOR },
	{ "9fff", HF_E_CBOR },
	{ "1800", HF_E_CBOR },
	{ "580100", HF_E_CBOR },
	{ "9800", HF_E_CBOR },
	{ "1c", HF_E_CBOR },
};

/* The fields for which one of those is of the right type. */
static const struct exception {
	enum message message;
	size_t field;
	const char *hex;
	enum hf_err expected;
} exceptions[] = {
	{ HELLO, 1, "00", HF_E_VERSION },
	{ HELLO, 1, "1bffffffffffffffff", HF_E_VERSION },
	{ HELLO, 2, "8100", HF_E_SUITE },
	{ HELLO, 3, "60", HF_OK },
	{ OFFER, 1, "00", HF_E_VERSION },
	{ OFFER, 1, "1bffffffffffffffff", HF_E_VERSION },
	{ OFFER, 2, "00", HF_E_SUITE },
	{ REQUEST, 1, "00", HF_E_VERSION },
	{ REQUEST, 1, "1bffffffffffffffff", HF_E_VERSION },
	{ REQUEST, 2, "00", HF_E_SUITE },
	{ REQUEST, 4, "60", HF_OK }, /* found when the box is opened */
	{ GRANT, 1, "00", HF_E_VERSION },
	{ GRANT, 1, "1bffffffffffffffff", HF_E_VERSION },
};

static enum hf_err
expectation(enum message message, size_t field, const struct other *o)
{
	size_t i;

	for (i = 0; i < HF__ARRAY_N(exceptions); i++)
		if (exceptions[i].message == message &&
		    exceptions[i].field == field &&
		    strcmp(exceptions[i].hex, o->hex) == 0)
			return exceptions[i].expected;
	return o->expected;
}

static void
every_field_of_another_type(void **state)
{
	static const size_t fields[MESSAGES] = { 6, 6, 2, 10, 6, 2, 2, 2 };
	struct hf_session *to;
	unsigned message, tried = 0;
	struct meeting m;
	uint8_t with[16];
	struct blob b;
	size_t n, i, len;
	enum hf_err e, want;

	(void)state;
	for (message = 0; message < MESSAGES; message++) {
		m = path_of(message, 1);
		world_make(&w, &m);
		for (n = 1; n < fields[message]; n++)
			for (i = 0; i < HF__ARRAY_N(others); i++) {
				to = before(&b, message);
				len = unhex(with, sizeof(with), others[i].hex);
				if (replace(&b, n, with, len)) {
					want = expectation(message, n,
					    &others[i]);
					e = give(to, b.bytes, b.len);
					if (e != want)
						fail_msg("message %u, field "
							 "%zu, %s: %s, not %s",
						    message, n, others[i].hex,
						    hf_error_name(e),
						    hf_error_name(want));
					tried++;
				}
				pair_free(&p);
			}
		world_free(&w);
	}
	print_message("%u fields of another type\n", tried);
}

/* --- what is sealed ---------------------------------------------------------- */

/* Each field of both plaintexts. An array in place of a token has a kind. */
static void
every_sealed_field(void **state)
{
	struct meeting m = path_of(REQUEST, 0);
	struct blob plain;
	uint8_t with[16];
	size_t n, i, len;
	int grant;
	enum hf_err e;

	(void)state;
	world_make(&w, &m);
	for (grant = 0; grant < 2; grant++)
		for (n = 0; n < (grant ? 4 : 5); n++)
			for (i = 0; i < HF__ARRAY_N(others); i++) {
				if (grant)
					memcpy(plain.bytes, plain_grant,
					    plain.len = sizeof(plain_grant));
				else
					request_plain(&plain);
				len = unhex(with, sizeof(with), others[i].hex);
				if (!replace(&plain, n, with, len))
					continue;
				e = grant ? seal_grant(&plain) :
					    seal_request(&plain);
				if (!grant && n == 1 &&
				    strcmp(others[i].hex, "8100") == 0)
					assert_err(e, HF_E_TOKEN);
				else if (e != others[i].expected)
					fail_msg("%s, field %zu, %s: %s",
					    grant ? "grant" : "request", n,
					    others[i].hex, hf_error_name(e));
				pair_free(&p);
			}
	world_free(&w);
}

/* Ends, padding and ranges of both. */
/* Who counts failures knows by the method that a token was opened, whatever
 * is wrong behind its kind. It proves nothing. */
static void
kind_of_a_bad_token(void **state)
{
	static const struct {
		const char *token;
		enum hf_err expected;
		unsigned method;
	} cases[] = {
		{ "f6", HF_E_SHAPE, 0 },
		{ "820540", HF_E_TOKEN, 0 },
		{ "82180440", HF_E_CBOR, 0 },
		{ "820180", HF_E_SHAPE, HF_METHOD_CERTIFICATE },
		{ "8301804100", HF_E_SHAPE, HF_METHOD_CERTIFICATE },
		{ "830263626f624100", HF_E_SHAPE, HF_METHOD_PASSWORD },
		{ "830263424f426178", HF_E_SHAPE, HF_METHOD_PASSWORD },
		{ "830363424f426178", HF_E_SHAPE, HF_METHOD_PLAIN_PASSWORD },
		{ "8204f7", HF_E_CBOR, HF_METHOD_TICKET },
		{ "820440", HF_E_SHAPE, HF_METHOD_TICKET },
	};
	struct meeting m = { .method = HF_METHOD_PASSWORD };
	uint8_t token[16];
	struct hf_peer peer;
	struct blob plain;
	size_t i, len;

	(void)state;
	world_make(&w, &m);
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		len = unhex(token, sizeof(token), cases[i].token);
		assert_ok(craft_plain(plain.bytes, sizeof(plain.bytes),
		    &plain.len, (struct hf_span){ token, len }, NOW));
		assert_err(seal_request(&plain), cases[i].expected);
		assert_ok(hf_session_peer(&peer, p.r));
		assert_int_equal(peer.method, cases[i].method);
		assert_false(peer.authenticated);
		assert_string_equal(peer.name, "");
		assert_string_equal(peer.subject, "");
		assert_nothing(p.r);
		pair_free(&p);
	}
	world_free(&w);
}

static void
sealed_ends_and_ranges(void **state)
{
	struct meeting m = path_of(REQUEST, 0);
	struct blob plain, longer;
	size_t i;

	(void)state;
	world_make(&w, &m);
	request_plain(&plain);
	assert_ok(seal_request(&plain));
	pair_free(&p);
	/* A whole block more behind the item; one byte; one less. */
	longer = plain;
	memset(longer.bytes + plain.len, 0, HF__PAD_BYTES);
	longer.len += HF__PAD_BYTES;
	assert_err(seal_request(&longer), HF_E_CBOR);
	pair_free(&p);
	longer.len = plain.len + 1;
	assert_err(seal_request(&longer), HF_E_CBOR);
	pair_free(&p);
	/* Padding that is not zero, in each of its bytes. */
	for (i = plain.len - 1; plain.bytes[i] == 0; i--) {
		longer = plain;
		longer.bytes[i] = 1;
		assert_err(seal_request(&longer), HF_E_SHAPE);
		pair_free(&p);
	}
	/* A length that is no multiple of 128. */
	longer = plain;
	assert_int_equal(longer.bytes[i], plain.len - i - 1);
	longer.bytes[i]--;
	longer.len--;
	assert_err(seal_request(&longer), HF_E_SHAPE);
	pair_free(&p);
	/* A grant: a byte more, one less, mobility, lifetime. */
	memcpy(plain.bytes, plain_grant, sizeof(plain_grant));
	plain.len = sizeof(plain_grant);
	assert_ok(seal_grant(&plain));
	pair_free(&p);
	plain.bytes[plain.len++] = 0;
	assert_err(seal_grant(&plain), HF_E_CBOR);
	pair_free(&p);
	plain.len -= 2;
	assert_err(seal_grant(&plain), HF_E_CBOR);
	pair_free(&p);
	plain.len++;
	for (i = 1; i <= 4; i++) {
		plain.bytes[53] = (uint8_t)i;
		assert_err(seal_grant(&plain),
		    i <= HF_MOVES_PROVED ? HF_OK : HF_E_SHAPE);
		pair_free(&p);
	}
	plain.bytes[53] = 0;
	assert_true(
	    replace(&plain, 2, (const uint8_t *)"\x1a\xff\xff\xff\xff", 5));
	assert_ok(seal_grant(&plain));
	assert_int_equal(hf_session_expires(p.i), NOW + (uint64_t)UINT32_MAX);
	pair_free(&p);
	assert_true(replace(&plain, 2,
	    (const uint8_t *)"\x1b\x00\x00\x00\x01\x00\x00\x00\x00", 9));
	assert_err(seal_grant(&plain), HF_E_SHAPE);
	pair_free(&p);
	world_free(&w);
}

/* --- A30: text -------------------------------------------------------------------------- */

static void
bad_targets(void **state)
{
	static const char *const bad[] = { "6100", "611f", "610a", "617f",
		"6180", "62c080", "61c3", "63eda080", "64f4908080", "620061",
		"626100" };
	struct hf_session *to;
	struct meeting m;
	struct blob b;
	uint8_t with[300];
	size_t i, len;
	unsigned message;

	(void)state;
	for (message = HELLO; message <= REQUEST; message += REQUEST) {
		m = path_of(message, 1);
		world_make(&w, &m);
		for (i = 0; i < HF__ARRAY_N(bad); i++) {
			to = before(&b, message);
			len = unhex(with, sizeof(with), bad[i]);
			assert_true(
			    replace(&b, message == HELLO ? 3 : 4, with, len));
			assert_err(give(to, b.bytes, b.len), HF_E_SHAPE);
			pair_free(&p);
		}
		/* 255 bytes, and 256. */
		for (i = 0; i < 2; i++) {
			to = before(&b, message);
			memset(with, 'a', sizeof(with));
			memcpy(with, i == 0 ? "\x78\xff" : "\x79\x01\x00",
			    2 + i);
			assert_true(replace(&b, message == HELLO ? 3 : 4, with,
			    257 + 2 * i));
			assert_err(give(to, b.bytes, b.len),
			    i == 0 ? HF_OK : HF_E_SHAPE);
			if (i == 0)
				assert_int_equal(hf_session_target(to).len,
				    255);
			pair_free(&p);
		}
		world_free(&w);
	}
}

/* --- A31: extensions ---------------------------------------------------------------------- */

static void
extensions(void **state)
{
	static const struct {
		const char *hex;
		enum hf_err expected;
	} cases[] = {
		{ "a0", HF_OK },
		{ "a1004100", HF_OK },
		{ "a119ffff40", HF_OK },
		{ "a11a0001000042abcd", HF_OK },
		{ "a11b7fffffffffffffff40", HF_OK },
		{ "a2004001410a", HF_OK },
		{ "a1204100", HF_E_EXTENSION },
		{ "a13a0001000040", HF_E_EXTENSION },
		{ "a200402040", HF_E_EXTENSION },
		{ "a120f6",
		    HF_E_SHAPE }, /* the key is judged with its value */
		{ "a100f6", HF_E_SHAPE },
		{ "a1006100", HF_E_SHAPE },
		{ "a1616140", HF_E_SHAPE },
		{ "a11b800000000000000040", HF_E_SHAPE },
		{ "a201400040", HF_E_CBOR },
		{ "a200400040", HF_E_CBOR },
		{ "a220400040", HF_E_EXTENSION },
		{ "b1004001400240034004400540064007400840094"
		  "00a400b400c400d400e400f401040",
		    HF_E_SHAPE },
		{ "b0004001400240034004400540064007400840094"
		  "00a400b400c400d400e400f40",
		    HF_OK },
	};
	static const size_t
	    field[] = { [HELLO] = 5, [OFFER] = 5, [REQUEST] = 8, [GRANT] = 4 };
	struct hf_session *to;
	struct meeting m;
	struct blob b;
	uint8_t with[300];
	size_t i, len;
	unsigned message;
	enum hf_err e;

	(void)state;
	for (message = HELLO; message <= GRANT; message++) {
		if (message == RETRY)
			continue;
		m = path_of(message, 1);
		world_make(&w, &m);
		for (i = 0; i < HF__ARRAY_N(cases); i++) {
			to = before(&b, message);
			len = unhex(with, sizeof(with), cases[i].hex);
			(void)replace(&b, field[message], with, len);
			e = give(to, b.bytes, b.len);
			/* What is ignored is still in the transcript. */
			if (message == GRANT && i > 0 &&
			    cases[i].expected == HF_OK)
				assert_err(e, HF_E_BOX);
			else if (e != cases[i].expected)
				fail_msg("message %u, %s: %s", message,
				    cases[i].hex, hf_error_name(e));
			if (e == HF_OK && i > 0)
				assert_err(run(&p), HF_E_BOX);
			pair_free(&p);
		}
		/* Of 256 bytes, and 257. */
		for (len = 256; len <= 257; len++) {
			to = before(&b, message);
			memset(with, 0, sizeof(with));
			memcpy(with, "\xa1\x00\x59\x01", 4);
			with[4] = (uint8_t)len;
			(void)replace(&b, field[message], with, 5 + len);
			assert_err(give(to, b.bytes, b.len),
			    len == 257		 ? HF_E_SHAPE :
				message == GRANT ? HF_E_BOX :
						   HF_OK);
			pair_free(&p);
		}
		world_free(&w);
	}
}

/* Unknown ones that their sender meant: ignored, and all goes on. */
static void
extensions_meant(void **state)
{
	static const uint8_t unknown[] = { 0xa2, 0x05, 0x41, 0x01, 0x1a, 0x00,
		0x01, 0x23, 0x45, 0x40 };
	struct meeting m = path_of(GRANT, 0);
	struct craft c = ephemeral_of(5);
	struct blob plain, b;

	(void)state;
	world_make(&w, &m);
	c.extensions = (struct hf_span){ unknown, sizeof(unknown) };
	request_plain(&plain);
	pair_make(&p, &w);
	judged();
	assert_ok(craft_request(b.bytes, sizeof(b.bytes), &b.len, p.i, &c,
	    (struct hf_span){ plain.bytes, plain.len }));
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(answer(&w, p.r));
	pair_free(&p);
	pair_make(&p, &w);
	opened(&b);
	assert_ok(grant_by(&b, &c));
	assert_ok(give(p.i, b.bytes, b.len));
	assert_int_equal(p.i->state, HF__OPEN);
	pair_free(&p);
	world_free(&w);
}

/* Our own grease is there, in each message, and of the kind that is ignored. */
static void
grease(void **state)
{
	struct meeting m = path_of(HELLO, 0);
	struct hf__key_order order;
	struct hf__reader r;
	unsigned message;
	size_t i, n, len, at, values = 0;
	int64_t key, last = 0;
	struct blob b;

	(void)state;
	m.grease = 1;
	world_make(&w, &m);
	for (i = 0; i < 40; i++)
		for (message = HELLO; message <= GRANT; message++) {
			if (message == RETRY)
				continue;
			(void)before(&b, message);
			at = item_at(&len, b.bytes, b.len,
			    message == REQUEST	 ? 8 :
				message == GRANT ? 4 :
						   5);
			hf__read_init(&r, b.bytes + at, len);
			n = hf__read_map(&r, 1, 1);
			assert_int_equal(n, 1);
			order = (struct hf__key_order){ 0 };
			key = hf__read_key(&r, &order);
			assert_in_range(hf__read_bytes(&r, 1, 8).len, 1, 8);
			assert_ok(hf__read_end(&r));
			assert_in_range(key, 65536, 131071);
			values += key != last;
			last = key;
			pair_free(&p);
		}
	assert_in_range(values, 100, 160);
	world_free(&w);
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
		cmocka_unit_test(every_field_of_another_type),
		cmocka_unit_test(every_sealed_field),
		cmocka_unit_test(kind_of_a_bad_token),
		cmocka_unit_test(sealed_ends_and_ranges),
		cmocka_unit_test(bad_targets),
		cmocka_unit_test(extensions),
		cmocka_unit_test(extensions_meant),
		cmocka_unit_test(grease),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
