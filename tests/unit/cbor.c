/* SPDX-License-Identifier: ISC */
/*
 * Deterministic CBOR: every rule of spec section 2.2 by its exact error, the
 * public examples, hostile lengths and depths. For ends and writing see
 * cbor_stream.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

enum { EXAMPLES_USED = 37 }; /* of 82: counted by another program */

/* The reader's judgement of one item and nothing after it. */
static enum hf_err
judge(const uint8_t *ptr, size_t len)
{
	struct hf__reader r;

	hf__read_init(&r, ptr, len);
	(void)hf__read_skip(&r, 0);
	return hf__read_end(&r);
}

static enum hf_err
judge_hex(const char *hex)
{
	uint8_t buf[512];

	return judge(buf, unhex(buf, sizeof(buf), hex));
}

static void
expect_hex(const char *hex, enum hf_err expected)
{
	enum hf_err e = judge_hex(hex);

	if (e != expected)
		fail_msg("%s gives %s, not %s", hex, hf_error_name(e),
		    hf_error_name(expected));
}

static void
public_faults(void **state)
{
	json_t *cases = test_data_json("cbor/fail.json"), *one;
	uint8_t buf[512];
	const char *hex;
	size_t i, len, end;

	(void)state;
	test_data_counted(json_array_size(cases), 568);
	json_array_foreach(cases, i, one) {
		hex = json_string_value(json_object_get(one, "hex"));
		len = unhex(buf, sizeof(buf), hex);
		expect_hex(hex, HF_E_CBOR);
		if (hf__cbor_extent(&end, buf, len, sizeof(buf)) == HF_OK &&
		    end != 0)
			fail_msg("%s has an end", hex);
	}
	json_decref(cases);
}

/* What of RFC 8949's examples handfast uses. */
static int
is_used(const uint8_t *buf, json_t *example)
{
	unsigned major = buf[0] >> 5;

	if (!json_is_true(json_object_get(example, "roundtrip")))
		return 0; /* indefinite lengths, long floats */
	if (major == 7)
		return buf[0] == 0xf4 || buf[0] == 0xf5 || buf[0] == 0xf6;
	return major != 6;
}

static void
public_examples(void **state)
{
	const char *folder = test_data();
	char path[4096];
	json_t *cases, *one;
	uint8_t buf[512];
	const char *hex;
	size_t i, len, end, used = 0;

	(void)state;
	if (folder == NULL)
		skip();
	snprintf(path, sizeof(path), "%s/cbor/appendix_a.json", folder);
	cases = json_load_file(path, JSON_DECODE_INT_AS_REAL, NULL);
	test_data_counted(json_array_size(cases), 82);
	json_array_foreach(cases, i, one) {
		hex = json_string_value(json_object_get(one, "hex"));
		len = unhex(buf, sizeof(buf), hex);
		if (!is_used(buf, one)) {
			expect_hex(hex, HF_E_CBOR);
			continue;
		}
		used++;
		expect_hex(hex, HF_OK);
		assert_ok(hf__cbor_extent(&end, buf, len, sizeof(buf)));
		assert_int_equal(end, len);
	}
	test_data_counted(used, EXAMPLES_USED);
	json_decref(cases);
}

static void
shortest_heads(void **state)
{
	static const char *const ok[] = { "00", "17", "1818", "18ff", "190100",
		"19ffff", "1a00010000", "1affffffff", "1b0000000100000000",
		"1bffffffffffffffff", "20", "37", "3818", "390100",
		"3a00010000", "3b0000000100000000", "40", "4100", "60", "6161",
		"80", "8100", "a0", "a10000", "f4", "f5", "f6" };
	static const char *const bad[] = { "1800", "1817", "190000", "1900ff",
		"1a00000000", "1a0000ffff", "1b0000000000000000",
		"1b00000000ffffffff", "3800", "3817", "390017", "3900ff",
		"3a0000ffff", "3b00000000ffffffff", "580100", "59000100",
		"5a0000000100", "5b000000000000000100", "780161", "79000161",
		"980100", "99000100", "b8010000", "b900010000" };
	size_t i, end, len;
	uint8_t buf[32];

	(void)state;
	for (i = 0; i < HF__ARRAY_N(ok); i++)
		expect_hex(ok[i], HF_OK);
	for (i = 0; i < HF__ARRAY_N(bad); i++) {
		expect_hex(bad[i], HF_E_CBOR);
		len = unhex(buf, sizeof(buf), bad[i]);
		assert_err(hf__cbor_extent(&end, buf, len, 32), HF_E_CBOR);
	}
}

static void
unused_types(void **state)
{
	static const char *const bad[] = { "c000", "c100",
		"c249010000000000000000", "d28443a10127a04040", "d81800",
		"d9d9f700", "e0", "f0", "f3", "f7", "f818", "f820", "f8ff",
		"f90000", "f93c00", "f97e00", "fa47c35000",
		"fb3ff199999999999a", "1c", "3d", "5e", "7c", "9d", "be", "fc",
		"5fff", "5f4100ff", "7fff", "7f6161ff", "9fff", "9f00ff",
		"bfff", "bf0000ff", "ff" };
	uint8_t buf[32];
	size_t i, len, end;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(bad); i++) {
		expect_hex(bad[i], HF_E_CBOR);
		len = unhex(buf, sizeof(buf), bad[i]);
		assert_err(hf__cbor_extent(&end, buf, len, 32), HF_E_CBOR);
	}
	expect_hex("", HF_E_CBOR);
	expect_hex("0000", HF_E_CBOR);
	expect_hex("f6f6", HF_E_CBOR);
}

static void
rising_keys(void **state)
{
	(void)state;
	expect_hex("a200010101", HF_OK);
	expect_hex("a200010001", HF_E_CBOR);
	expect_hex("a201010001", HF_E_CBOR);
	expect_hex("a317001818001900ff00", HF_E_CBOR);
	expect_hex("a3170018180019010000", HF_OK);
	/* Bytewise over the encodings: 10, 100, -1, "z", "aa", [100], false. */
	expect_hex("a70a0018640020006"
		   "17a0062616100811864"
		   "00f400",
	    HF_OK);
	expect_hex("a220000a00", HF_E_CBOR);
	expect_hex("a262616100617a00", HF_E_CBOR);
	expect_hex("a2616100616100", HF_E_CBOR);
	expect_hex("a1a20100000000", HF_E_CBOR);
	expect_hex("81a201000000", HF_E_CBOR);
}

/* Integer keys of a map, as far as they can be read. */
static enum hf_err
read_keys(const char *hex, int64_t *last)
{
	struct hf__key_order order = { 0 };
	struct hf__reader r;
	uint8_t buf[64];
	size_t i, n;

	hf__read_init(&r, buf, unhex(buf, sizeof(buf), hex));
	n = hf__read_map(&r, 0, 8);
	for (i = 0; i < n; i++) {
		*last = hf__read_key(&r, &order);
		(void)hf__read_skip(&r, 1);
	}
	return hf__read_end(&r);
}

static void
integer_keys(void **state)
{
	int64_t last = 5;

	(void)state;
	assert_ok(read_keys("a3000017003a0001000000", &last));
	assert_int_equal(last, -65537);
	assert_ok(read_keys("a11b7fffffffffffffff00", &last));
	assert_true(last == INT64_MAX);
	assert_ok(read_keys("a13b7fffffffffffffff00", &last));
	assert_true(last == INT64_MIN);
	assert_err(read_keys("a11b800000000000000000", &last), HF_E_SHAPE);
	assert_err(read_keys("a13b800000000000000000", &last), HF_E_SHAPE);
	assert_err(read_keys("a1616100", &last), HF_E_SHAPE);
	assert_err(read_keys("a140f6", &last), HF_E_SHAPE);
	assert_err(read_keys("a200000000", &last), HF_E_CBOR);
	assert_err(read_keys("a220002000", &last), HF_E_CBOR);
	assert_err(read_keys("a221002000", &last), HF_E_CBOR);
	assert_err(read_keys("a220000000", &last), HF_E_CBOR);
	assert_err(read_keys("a20100", &last), HF_E_CBOR);
}

static void
depth(void **state)
{
	static const size_t many = 1000000;
	uint8_t small[16], *bomb;
	struct hf__reader r;
	size_t end;

	(void)state;
	memset(small, 0x81, sizeof(small));
	small[8] = 0x00;
	assert_ok(judge(small, 9));
	assert_ok(hf__cbor_extent(&end, small, 9, 16));
	assert_int_equal(end, 9);
	small[8] = 0x81;
	small[9] = 0x00;
	assert_err(judge(small, 10), HF_E_CBOR);
	assert_err(hf__cbor_extent(&end, small, 10, 16), HF_E_CBOR);
	/* Maps count alike, and so do arrays around what is skipped. */
	expect_hex("a100a100a100a100a100a100a100a10000", HF_OK);
	expect_hex("a100a100a100a100a100a100a100a100a10000", HF_E_CBOR);
	/* In arrays already read, fewer are left. */
	hf__read_init(&r, small + 1, 9);
	(void)hf__read_skip(&r, 1);
	assert_err(hf__read_end(&r), HF_E_CBOR);
	hf__read_init(&r, small + 2, 8);
	(void)hf__read_skip(&r, 1);
	assert_ok(hf__read_end(&r));

	bomb = malloc(many);
	assert_non_null(bomb);
	memset(bomb, 0x81, many);
	assert_err(judge(bomb, many), HF_E_CBOR);
	assert_err(hf__cbor_extent(&end, bomb, many, many), HF_E_CBOR);
	memset(bomb, 0xa1, many);
	assert_err(judge(bomb, many), HF_E_CBOR);
	assert_err(hf__cbor_extent(&end, bomb, many, many), HF_E_CBOR);
	free(bomb);
}

static void
claimed_lengths(void **state)
{
	static const char *const args[] = { "1a00010000", "1affffffff",
		"1b0000000100000000", "1b7fffffffffffffff",
		"1b8000000000000000", "1bffffffffffffffff" };
	uint8_t buf[16], head[16];
	unsigned major;
	size_t i, len, end;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(args); i++) {
		len = unhex(buf, sizeof(buf), args[i]);
		for (major = 2; major <= 5; major++) {
			memcpy(head, buf, len);
			head[0] = (uint8_t)((head[0] & 31) | major << 5);
			assert_err(judge(head, len), HF_E_CBOR);
			assert_err(hf__cbor_extent(&end, head, len,
				       HF_MESSAGE_MAX),
			    HF_E_TOO_BIG);
			assert_int_equal(end, 0);
		}
	}
	/* A list or map of more than what is left cannot be. */
	expect_hex("8300", HF_E_CBOR);
	expect_hex("a200", HF_E_CBOR);
	expect_hex("43aabb", HF_E_CBOR);
}

static void
text(void **state)
{
	static const char *const ok[] = { "60", "6120", "617e", "62c2a0",
		"62c3bc", "62dfbf", "63e0a080", "63ed9fbf", "63ee8080",
		"63efbfbf", "64f0908080", "64f48fbfbf", "66e6b0b4e6b0b4" };
	static const char *const bad[] = { "6100", "611f", "610a", "617f",
		"6180", "61bf", "61c0", "62c080", "62c280", "62c29f", "62c1bf",
		"61c2", "62c241", "62c2c2", "63e08080", "63e09fbf", "62e0a0",
		"63eda080", "63edbfbf", "63e0a041", "64f0808080", "64f08fbfbf",
		"64f4908080", "64f5808080", "63f09080", "61f8", "61fe", "61ff",
		"65f888808080" };
	struct hf__reader r;
	uint8_t buf[16];
	size_t i, len;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(ok); i++)
		expect_hex(ok[i], HF_OK);
	for (i = 0; i < HF__ARRAY_N(bad); i++) {
		expect_hex(bad[i], HF_E_CBOR);
		len = unhex(buf, sizeof(buf), bad[i]);
		assert_false(hf__text_ok(buf + 1, len - 1));
		hf__read_init(&r, buf, len);
		(void)hf__read_text(&r, 0, 16);
		assert_err(r.err, HF_E_SHAPE);
	}
}

/* The one item in hex, by a reader of one type: its error. */
#define READ(call, hex)                                                    \
	(hf__read_init(&r, buf, unhex(buf, sizeof(buf), hex)), (void)call, \
	    hf__read_end(&r))

static void
typed_fields(void **state)
{
	struct hf__reader r;
	uint8_t buf[64];

	(void)state;
	assert_ok(READ(hf__read_uint(&r, 24), "1818"));
	assert_err(READ(hf__read_uint(&r, 23), "1818"), HF_E_SHAPE);
	assert_err(READ(hf__read_uint(&r, 99), "20"), HF_E_SHAPE);
	assert_err(READ(hf__read_uint(&r, 99), "4100"), HF_E_SHAPE);
	assert_err(READ(hf__read_uint(&r, 99), "f90000"), HF_E_CBOR);
	assert_err(READ(hf__read_uint(&r, 99), "1801"), HF_E_CBOR);
	assert_ok(READ(hf__read_uint(&r, UINT64_MAX), "1bffffffffffffffff"));
	assert_ok(READ(hf__read_bytes(&r, 2, 3), "420000"));
	assert_ok(READ(hf__read_bytes(&r, 2, 3), "43000000"));
	assert_err(READ(hf__read_bytes(&r, 2, 3), "4100"), HF_E_SHAPE);
	assert_err(READ(hf__read_bytes(&r, 2, 3), "4400000000"), HF_E_SHAPE);
	assert_err(READ(hf__read_bytes(&r, 2, 3), "626161"), HF_E_SHAPE);
	assert_err(READ(hf__read_text(&r, 0, 3), "42c3bc"), HF_E_SHAPE);
	assert_err(READ(hf__read_text(&r, 1, 3), "60"), HF_E_SHAPE);
	assert_err(READ(hf__read_text(&r, 0, 1), "62c3bc"), HF_E_SHAPE);
	assert_err(READ(hf__read_list(&r, 1, 2), "80"), HF_E_SHAPE);
	assert_err(READ(hf__read_list(&r, 0, 2), "a0"), HF_E_SHAPE);
	assert_err(READ(hf__read_list(&r, 0, 1), "820000"), HF_E_SHAPE);
	assert_err(READ(hf__read_list(&r, 0, 9), "8100"), HF_E_CBOR);
	assert_err(READ(hf__read_map(&r, 0, 2), "80"), HF_E_SHAPE);
	assert_ok(READ(hf__read_map(&r, 0, 2), "a0"));
	assert_ok(READ(hf__read_bytes_or_null(&r, 1, 2), "f6"));
	assert_ok(READ(hf__read_bytes_or_null(&r, 1, 2), "4100"));
	assert_err(READ(hf__read_bytes_or_null(&r, 1, 2), "40"), HF_E_SHAPE);
	assert_err(READ(hf__read_bytes_or_null(&r, 1, 2), "f5"), HF_E_SHAPE);
	assert_err(READ(hf__read_bytes_or_null(&r, 1, 2), "f7"), HF_E_CBOR);
	assert_err(READ(hf__read_uint(&r, 9), "0000"), HF_E_CBOR);
}

static void
first_error_sticks(void **state)
{
	static const uint8_t items[] = { 0x61, 'a', 0x01, 0x18, 0x01 };
	struct hf__item item;
	struct hf__reader r;

	(void)state;
	hf__read_init(&r, items, sizeof(items));
	assert_int_equal(hf__read_uint(&r, 9), 0);
	assert_int_equal(hf__read_uint(&r, 9), 0);
	assert_null(hf__read_bytes(&r, 0, 9).ptr);
	assert_int_equal(hf__read_list(&r, 0, 9), 0);
	assert_false(hf__read_item(&r, &item));
	hf__read_fail(&r, HF_E_ARG);
	assert_err(hf__read_end(&r), HF_E_SHAPE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_faults),
		cmocka_unit_test(public_examples),
		cmocka_unit_test(shortest_heads),
		cmocka_unit_test(unused_types),
		cmocka_unit_test(rising_keys),
		cmocka_unit_test(integer_keys),
		cmocka_unit_test(depth),
		cmocka_unit_test(claimed_lengths),
		cmocka_unit_test(text),
		cmocka_unit_test(typed_fields),
		cmocka_unit_test(first_error_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
