/* SPDX-License-Identifier: ISC */
/*
 * The PROXY protocol: what is written is read again, what is none is refused
 * at the byte that says so, and a header is taken from whom it may be.
 */
#include <arpa/inet.h>

#include <string.h>

#include "fleet.h"
#include "testing.h"

static struct hf_address
address(const char *text, unsigned port)
{
	struct hf_address a = { .len = 0 };
	struct sockaddr_in6 *x = (struct sockaddr_in6 *)&a.at;
	struct sockaddr_in *four = (struct sockaddr_in *)&a.at;

	if (inet_pton(AF_INET6, text, &x->sin6_addr) == 1) {
		x->sin6_family = AF_INET6;
		x->sin6_port = htons((uint16_t)port);
		a.len = sizeof(*x);
	} else {
		assert_int_equal(inet_pton(AF_INET, text, &four->sin_addr), 1);
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		a.len = sizeof(*four);
	}
	return a;
}

static void
read_again(const char *from, const char *to, size_t len)
{
	struct hf_address a = address(from, 1234), b = address(to, 7000), got;
	uint8_t head[HF_PROXY_WRITTEN];
	char text[2][HF_ADDRESS_TEXT];
	size_t k, whole;

	assert_int_equal(hf_proxy_write(head, &a, &b), len);
	for (k = 0; k <= len; k++) {
		assert_ok(hf_proxy_read(&got, &whole, head, k));
		assert_int_equal(whole, k < 16 ? 16 : len);
		assert_int_equal(got.len > 0, k == len && len > 16);
	}
	if (len > 16)
		assert_string_equal(hf_address_text(text[0], &a),
		    hf_address_text(text[1], &got));
}

static void
written_and_read(void **state)
{
	(void)state;
	read_again("192.0.2.1", "198.51.100.7", 28);
	read_again("2001:db8::1", "2001:db8::2", 52);
	read_again("192.0.2.1", "2001:db8::2", 16);
}

static void
refused(size_t at, uint8_t value, enum hf_err e)
{
	struct hf_address a = address("192.0.2.1", 1), got;
	uint8_t head[HF_PROXY_WRITTEN];
	size_t whole;

	(void)hf_proxy_write(head, &a, &a);
	head[at] = value;
	assert_err(hf_proxy_read(&got, &whole, head, 28), e);
	assert_int_equal(got.len, 0);
}

static void
what_is_none(void **state)
{
	const uint8_t hello[] = { 0x86, 0x00 };
	struct hf_address got;
	size_t whole;

	(void)state;
	refused(0, 0x86, HF_E_SHAPE);
	refused(11, 0x0b, HF_E_SHAPE);
	refused(12, 0x11, HF_E_SHAPE);
	refused(12, 0x22, HF_E_SHAPE);
	refused(13, 0x12, HF_E_SHAPE); /* UDP */
	refused(13, 0x31, HF_E_SHAPE); /* a unix socket */
	refused(13, 0x21, HF_E_SHAPE); /* too short for it */
	refused(14, 0x40, HF_E_TOO_BIG);
	refused(15, 11, HF_E_SHAPE);
	assert_err(hf_proxy_read(&got, &whole, hello, 1), HF_E_SHAPE);
}

static void
more_follows(void **state)
{
	struct hf_address a = address("192.0.2.1", 80), got;
	uint8_t head[HF_PROXY_WRITTEN + 8] = { 0 };
	size_t whole;

	(void)state;
	(void)hf_proxy_write(head, &a, &a);
	head[15] = 20;
	assert_ok(hf_proxy_read(&got, &whole, head, 28));
	assert_int_equal(whole, 36);
	assert_int_equal(got.len, 0);
	assert_ok(hf_proxy_read(&got, &whole, head, 36));
	assert_int_equal(got.len, sizeof(struct sockaddr_in));
}

static void
from_whom(void **state)
{
	static const char *const bad[] = { "", "/8", "10.0.0.0/33", "::/129",
		"10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1", "x", "10.0.0/8" };
	struct hf_address a = address("10.1.2.3", 0),
			  b = address("2001:db8::7", 0),
			  mapped = address("::ffff:10.1.2.3", 0),
			  local = { .at.ss_family = AF_UNIX };
	struct hf_cidr c[3];
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(bad); i++)
		assert_err(hf_cidr_parse(&c[0], bad[i]), HF_E_ARG);
	assert_ok(hf_cidr_parse(&c[0], "10.1.2.0/23"));
	assert_ok(hf_cidr_parse(&c[1], "2001:db8::/32"));
	assert_ok(hf_cidr_parse(&c[2], "unix"));
	assert_int_equal(hf_cidr_holds(c, 1, &a), 1);
	assert_int_equal(hf_cidr_holds(c, 1, &mapped), 1);
	assert_int_equal(hf_cidr_holds(c, 1, &b), 0);
	assert_int_equal(hf_cidr_holds(c, 2, &b), 1);
	assert_int_equal(hf_cidr_holds(c, 2, &local), 0);
	assert_int_equal(hf_cidr_holds(c, 3, &local), 1);
	assert_int_equal(hf_cidr_holds(c, 0, &a), 0);
	a = address("10.1.4.1", 0);
	assert_int_equal(hf_cidr_holds(c, 3, &a), 0);
	assert_ok(hf_cidr_parse(&c[0], "0.0.0.0/0"));
	assert_int_equal(hf_cidr_holds(c, 1, &a), 1);
	assert_ok(hf_cidr_parse(&c[0], "10.1.4.1"));
	assert_int_equal(hf_cidr_holds(c, 1, &a), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_and_read),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(more_follows),
		cmocka_unit_test(from_whom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
