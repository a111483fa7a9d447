/* SPDX-License-Identifier: ISC */
/*
 * The end of a message, found from any number of its bytes (spec section
 * 2.3), its agreement with the reader, and the writer.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static enum hf_err
judge(const uint8_t *ptr, size_t len)
{
	struct hf__reader r;

	hf__read_init(&r, ptr, len);
	(void)hf__read_skip(&r, 0);
	return hf__read_end(&r);
}

/* A message of many shapes, then the beginning of the next. */
static const char stream_hex[] =
    "880301430a0b0c6474657874a2010240f682f5f4584c"
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    "404142434445464748494a4b1b00000001000000000f";
enum { STREAM_NEXT = 1 };

static void
end_of_a_message(void **state)
{
	uint8_t buf[256], *exact;
	size_t have, all, end, whole;

	(void)state;
	all = unhex(buf, sizeof(buf), stream_hex);
	whole = all - STREAM_NEXT;
	assert_ok(judge(buf, whole));
	for (have = 0; have <= all; have++) {
		/* A buffer of just that size, for the sanitizers. */
		exact = malloc(have + 1);
		assert_non_null(exact);
		memcpy(exact, buf, have);
		assert_ok(hf__cbor_extent(&end, exact, have, 4096));
		assert_int_equal(end, have < whole ? 0 : whole);
		if (have < whole)
			assert_err(judge(exact, have), HF_E_CBOR);
		free(exact);
	}
	/* Just as large as allowed, and one byte larger. */
	assert_ok(hf__cbor_extent(&end, buf, all, whole));
	assert_int_equal(end, whole);
	assert_err(hf__cbor_extent(&end, buf, all, whole - 1), HF_E_TOO_BIG);
	assert_int_equal(end, 0);
}

/* An item whose last part is a string: its head alone is not enough. */
static void
end_in_a_string(void **state)
{
	static const uint8_t item[] = { 0x82, 0x01, 0x63, 'a', 'b', 'c' };
	size_t have, end;

	(void)state;
	for (have = 0; have <= sizeof(item); have++) {
		assert_ok(hf__cbor_extent(&end, item, have, 16));
		assert_int_equal(end, have < sizeof(item) ? 0 : have);
	}
}

static uint32_t
next_random(uint64_t *x)
{
	*x = *x * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(*x >> 33);
}

/* Whatever the reader takes, the finder of ends finds the same end of. */
static void
reader_and_finder_agree(void **state)
{
	static const uint8_t heads[] = { 0x00, 0x18, 0x19, 0x20, 0x40, 0x41,
		0x42, 0x58, 0x60, 0x61, 0x80, 0x81, 0x82, 0x83, 0xa0, 0xa1,
		0xa2, 0xf4, 0xf6, 0xf7, 0xc0, 0x9f, 0xff, 0x98, 0xb8 };
	struct hf__reader r;
	uint8_t buf[12];
	uint64_t x = 1;
	size_t i, k, end, taken = 0;
	enum hf_err e;

	(void)state;
	for (i = 0; i < 400000; i++) {
		for (k = 0; k < sizeof(buf); k++)
			buf[k] = next_random(&x) % 4 == 0 ?
			    (uint8_t)next_random(&x) :
			    heads[next_random(&x) % sizeof(heads)];
		hf__read_init(&r, buf, sizeof(buf));
		(void)hf__read_skip(&r, 0);
		e = hf__cbor_extent(&end, buf, sizeof(buf), 4096);
		if (r.err != HF_OK) {
			assert_err(r.err, HF_E_CBOR);
			continue;
		}
		taken++;
		assert_ok(e);
		assert_int_equal(end, r.off);
	}
	assert_in_range(taken, 10000, i);
}

static void
write_all(struct hf__writer *w)
{
	uint8_t *room;

	hf__write_list(w, 9);
	hf__write_uint(w, 23);
	hf__write_int(w, -25);
	hf__write_int(w, 256);
	hf__write_int(w, INT64_MIN);
	hf__write_bytes(w, "\x01\x02", 2);
	hf__write_text(w, "abc", 3);
	hf__write_map(w, 1);
	hf__write_int(w, -65537);
	hf__write_null(w);
	hf__write_uint(w, UINT64_MAX);
	hf__write_bytes_head(w, 1);
	if ((room = hf__write_room(w, 1)) != NULL)
		*room = 7;
}

static void
writer(void **state)
{
	static const char hex[] = "891738181901003b7fffffffffffffff"
				  "42010263616263a13a00010000f6"
				  "1bffffffffffffffff4107";
	uint8_t expected[64], buf[64];
	struct hf__writer w;
	size_t len, cap;

	(void)state;
	len = unhex(expected, sizeof(expected), hex);
	hf__write_init(&w, NULL, 0);
	write_all(&w);
	assert_ok(w.err);
	assert_int_equal(w.len, len);
	hf__write_init(&w, buf, len);
	write_all(&w);
	assert_ok(w.err);
	assert_int_equal(w.len, len);
	assert_memory_equal(buf, expected, len);
	for (cap = 0; cap < len; cap++) {
		memset(buf, 0xee, sizeof(buf));
		hf__write_init(&w, buf, cap);
		hf__write_bytes(&w, expected, cap);
		assert_err(w.err, HF_E_SPACE);
		assert_null(hf__write_room(&w, 0));
		assert_int_equal(buf[cap], 0xee);
	}
}

static void
head_sizes(void **state)
{
	static const struct {
		uint64_t value;
		size_t bytes;
	} heads[] = { { 0, 1 }, { 23, 1 }, { 24, 2 }, { 255, 2 }, { 256, 3 },
		{ 65535, 3 }, { 65536, 5 }, { UINT32_MAX, 5 },
		{ (uint64_t)UINT32_MAX + 1, 9 }, { UINT64_MAX, 9 } };
	struct hf__writer w;
	struct hf__reader r;
	uint8_t buf[16];
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(heads); i++) {
		assert_int_equal(hf__cbor_head_bytes(heads[i].value),
		    heads[i].bytes);
		hf__write_init(&w, buf, sizeof(buf));
		hf__write_uint(&w, heads[i].value);
		assert_int_equal(w.len, heads[i].bytes);
		hf__read_init(&r, buf, w.len);
		assert_true(hf__read_uint(&r, UINT64_MAX) == heads[i].value);
		assert_ok(hf__read_end(&r));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(end_of_a_message),
		cmocka_unit_test(end_in_a_string),
		cmocka_unit_test(reader_and_finder_agree),
		cmocka_unit_test(writer),
		cmocka_unit_test(head_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
