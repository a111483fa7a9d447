/* SPDX-License-Identifier: ISC */
/*
 * A misbehaving initiator's hello, and the cookies that it shows: one switch a
 * row, and how the honest responder takes it. See honest.h.
 */
#include <string.h>

#include "honest.h"

static void
cookie_forged(struct peer *p)
{
	if (p->cookie_len > 0)
		p->cookie[p->cookie_len - 1] ^= 1;
}

static void
cookie_unshown(struct peer *p)
{
	p->cookie_len = 0;
}

/* Of the other message; of a minute that is over. */
static void
cookie_of_request(struct peer *p)
{
	hf__cookie_make(p->cookie, p->world->r->cookie_key, HF__REQUEST,
	    (struct hf_span){ (const uint8_t *)"there", 5 }, NOW);
}

static void
cookie_old(struct peer *p)
{
	hf__cookie_make(p->cookie, p->world->r->cookie_key, HF__HELLO,
	    (struct hf_span){ (const uint8_t *)"there", 5 }, NOW - 61);
}

static void
cookie_of_another(struct peer *p)
{
	hf__cookie_make(p->cookie, p->world->r->cookie_key, HF__HELLO,
	    (struct hf_span){ (const uint8_t *)"elsewhere", 9 }, NOW);
}

/* What a row does not say is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
/* clang-format off */
static const struct row rows[] = {
	/* hello */
	{ { "hello_of_version_2", SAY_HELLO, OUTSIDE, 1, RAW("\x02") },
	    &asked, HF_E_VERSION, CLEAR, HF__R_START, "A10" },
	{ { "hello_of_unknown_suites", SAY_HELLO, OUTSIDE, 2,
	    RAW("\x81\x19\xff\x00") },
	    &asked, HF_E_SUITE, CLEAR, HF__R_START, "A10" },
	{ { "hello_of_no_suites", SAY_HELLO, OUTSIDE, 2, RAW("\x80") },
	    &asked, HF_E_SHAPE, CLEAR, HF__R_START, "A10" },
	{ { "hello_of_nine_suites", SAY_HELLO, OUTSIDE, 2,
	    RAW("\x89\x01\x01\x01\x01\x01\x01\x01\x01\x01") },
	    &asked, HF_E_SHAPE, CLEAR, HF__R_START, "A29" },
	{ { "hello_critical_extension", SAY_HELLO, OUTSIDE, 5,
	    RAW("\xa1\x20\x41\x00") },
	    &asked, HF_E_EXTENSION, CLEAR, HF__R_START, "A31" },
	{ { "hello_unknown_extension", SAY_HELLO, OUTSIDE, 5,
	    RAW("\xa1\x19\xff\xff\x41\x00") },
	    &asked, HF_OK, NOTHING, HF__CLOSED, "A31" },
	{ { "hello_extension_twice", SAY_HELLO, OUTSIDE, 5,
	    RAW("\xa2\x01\x41\x00\x01\x41\x00") },
	    &asked, HF_E_CBOR, CLEAR, HF__R_START, "A25" },
	{ { "hello_extensions_fall", SAY_HELLO, OUTSIDE, 5,
	    RAW("\xa2\x02\x41\x00\x01\x41\x00") },
	    &asked, HF_E_CBOR, CLEAR, HF__R_START, "A26" },
	{ { "hello_long_integer", SAY_HELLO, OUTSIDE, 1, RAW("\x18\x01") },
	    &asked, HF_E_CBOR, CLEAR, HF__R_START, "A26" },
	{ { "hello_indefinite", SAY_HELLO, OUTSIDE, 3, RAW("\x7f\xff") },
	    &asked, HF_E_CBOR, CLEAR, HF__R_START, "A27" },
	{ { "hello_float", SAY_HELLO, OUTSIDE, 1, RAW("\xf9\x3c\x00") },
	    &asked, HF_E_CBOR, CLEAR, HF__R_START, "A26" },
	{ { "hello_tagged", SAY_HELLO, OUTSIDE, 3, RAW("\xc0\x60") },
	    &asked, HF_E_CBOR, CLEAR, HF__R_START, "A32" },
	{ { "hello_null_target", SAY_HELLO, OUTSIDE, 3, RAW("\xf6") },
	    &asked, HF_E_SHAPE, CLEAR, HF__R_START, "A32" },
	{ { "hello_target_no_text", SAY_HELLO, OUTSIDE, 3, RAW("\x61\xff") },
	    &asked, HF_E_SHAPE, CLEAR, HF__R_START, "A30" },
	{ { "hello_target_with_nul", SAY_HELLO, OUTSIDE, 3, RAW("\x61\x00") },
	    &asked, HF_E_SHAPE, CLEAR, HF__R_START, "A30" },
	{ { "hello_nested", SAY_HELLO, OUTSIDE, 5,
	    RAW("\x81\x81\x81\x81\x81\x81\x81\x81\x01") },
	    &asked, HF_E_CBOR, CLEAR, HF__R_START, "A28" },
	{ { "hello_lying_length", SAY_HELLO, INSTEAD, 0,
	    RAW("\x86\x00\x01\x81\x01\x7b\xff\xff\xff\xff\xff\xff\xff\xff") },
	    &asked, HF_E_TOO_BIG, CLEAR, HF__R_START, "A29" },
	{ { "hello_lying_count", SAY_HELLO, INSTEAD, 0,
	    RAW("\x86\x00\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff") },
	    &asked, HF_E_TOO_BIG, CLEAR, HF__R_START, "A29" },
	{ { "hello_oversized", SAY_HELLO, INSTEAD, 0,
	    RAW("\x86\x00\x01\x81\x01\x79\x3f\xfb") },
	    &asked, HF_E_TOO_BIG, CLEAR, HF__R_START, "A29" },
	{ { "hello_cut", SAY_HELLO, CUT, 5, RAW("") },
	    &asked, HF_E_GONE, NOTHING, HF__R_START, "A23" },
	{ { "hello_twice", SAY_HELLO, TWICE, 0, RAW("") },
	    &asked, HF_E_UNEXPECTED, CLEAR, HF__R_OFFERED, "A48" },
	{ { "hello_and_more", SAY_HELLO, BEHIND, 0, RAW("\x00") },
	    &asked, HF_E_SHAPE, CLEAR, HF__R_OFFERED, "A24" },
	{ { "hello_is_an_offer", SAY_HELLO, INSTEAD, 0, RAW("\x86\x01") },
	    &asked, HF_E_UNEXPECTED, CLEAR, HF__R_START, "A48" },
	{ { "hello_is_http", SAY_HELLO, INSTEAD, 0, RAW("GET / HTTP/1.0") },
	    &asked, HF_E_SHAPE, CLEAR, HF__R_START, "A27" },
	{ { "hello_is_an_alert", SAY_HELLO, INSTEAD, 0, RAW("\x82\x08\x01") },
	    &asked, HF_E_REFUSED, NOTHING, HF__R_START, "A49" },
	{ { "hello_is_alert_garbage", SAY_HELLO, INSTEAD, 0,
	    RAW("\x82\x08\x18\x63") },
	    &asked, HF_E_SHAPE, NOTHING, HF__R_START, "A49" },
	{ { "cookie_forged", SAY_HELLO, .prepare = cookie_forged },
	    &asked, HF_E_LIMITED, CLEAR, HF__R_ADMIT, "A37", .retry = true },
	{ { "cookie_unshown", SAY_HELLO, .prepare = cookie_unshown },
	    &asked, HF_E_LIMITED, CLEAR, HF__R_ADMIT, "A37", .retry = true },
	{ { "cookie_of_request", SAY_HELLO, .prepare = cookie_of_request },
	    &asked, HF_E_LIMITED, CLEAR, HF__R_ADMIT, "A37", .retry = true },
	{ { "cookie_old", SAY_HELLO, .prepare = cookie_old },
	    &asked, HF_E_LIMITED, CLEAR, HF__R_ADMIT, "A37", .retry = true },
	{ { "cookie_of_another", SAY_HELLO, .prepare = cookie_of_another },
	    &asked, HF_E_LIMITED, CLEAR, HF__R_ADMIT, "A37", .retry = true },
	{ { "cookie_forged_in_request", SAY_REQUEST,
	    .prepare = cookie_forged },
	    &known, HF_E_LIMITED, CLEAR, HF__R_ADMIT, "A37", .retry = true },
};
/* clang-format on */

int
main(void)
{
	return run_switches("misbehaving hellos", rows, HF__ARRAY_N(rows),
	    HF_INITIATOR);
}
