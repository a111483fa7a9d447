/* SPDX-License-Identifier: ISC */
/*
 * Every single-bit flip and every prefix of every message of a handshake, and
 * every way to cut the stream: never accepted, never read past the end (run
 * under ASan by `make san`), and always the same as when fed whole.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

enum { MESSAGES_MAX = 6 };

/* Called with each message on its way; may change it. Returns 0 to lose it. */
typedef int tamper(struct blob *, unsigned index, void *context);

/* Runs a handshake message by message. Returns how many were sent. */
static unsigned
run_tampered(struct pair *p, tamper *f, void *context)
{
	struct hf_session *side[2] = { p->i, p->r };
	unsigned index = 0, idle = 0, turn;
	static struct blob b;

	for (turn = 0; idle < 2 && turn < 20; turn++) {
		struct hf_session *from = side[turn & 1];
		enum hf_want want = hf_session_want(from);

		while (want == HF_WANT_ADMIT || want == HF_WANT_TRUST ||
		    want == HF_WANT_COMMIT) {
			if (answer(p->world, from) != HF_OK)
				break;
			want = hf_session_want(from);
		}
		take(&b, from);
		if (b.len == 0) {
			idle++;
			continue;
		}
		idle = 0;
		if (f == NULL || f(&b, index, context))
			(void)give(side[~turn & 1], b.bytes, b.len);
		index++;
	}
	return index;
}

struct flip {
	unsigned message;
	size_t bit;
};

static int
flip_bit(struct blob *b, unsigned index, void *context)
{
	const struct flip *f = context;

	if (index == f->message)
		b->bytes[f->bit / 8] ^= (uint8_t)(1U << (f->bit % 8));
	return 1;
}

struct sizes {
	size_t len[MESSAGES_MAX];
};

static int
note_size(struct blob *b, unsigned index, void *context)
{
	((struct sizes *)context)->len[index] = b->len;
	return 1;
}

static unsigned
flip_every_bit(const struct meeting *m)
{
	struct sizes sizes = { { 0 } };
	struct flip flip;
	unsigned messages, flips = 0;
	struct world w;
	struct pair p;

	world_make(&w, m);
	fixed_random("flip"); /* every run says the same */
	pair_make(&p, &w);
	messages = run_tampered(&p, note_size, &sizes);
	assert_int_equal(p.r->state, HF__OPEN);
	assert_int_equal(messages, m->known ? 3 : 5);
	pair_free(&p);
	for (flip.message = 0; flip.message < messages; flip.message++)
		for (flip.bit = 0; flip.bit < sizes.len[flip.message] * 8;
		     flip.bit++, flips++) {
			fixed_random("flip");
			pair_make(&p, &w);
			run_tampered(&p, flip_bit, &flip);
			if (p.r->state == HF__OPEN || p.r->authenticated)
				fail_msg("message %u, bit %zu: accepted",
				    flip.message, flip.bit);
			/* The initiator is done before confirm is read. */
			if (p.i->authenticated !=
			    (flip.message + 1 == messages))
				fail_msg("message %u, bit %zu: initiator",
				    flip.message, flip.bit);
			pair_free(&p);
		}
	fixed_random(NULL);
	world_free(&w);
	return flips;
}

static void
every_flip(void **state)
{
	static const struct meeting ways[] = {
		{ .method = HF_METHOD_CERTIFICATE, .known = 1 },
		{ .method = HF_METHOD_CERTIFICATE, .target = "t" },
		{ .method = HF_METHOD_PASSWORD, .grease = 1 },
		{ .method = HF_METHOD_TICKET, .known = 1, .suite = 2 },
	};
	unsigned flips = 0;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(ways); i++)
		if (ways[i].suite == 0 || hf_suite_available(ways[i].suite))
			flips += flip_every_bit(&ways[i]);
	print_message("note: %u flips, none accepted\n", flips);
}

/* --- prefixes ----------------------------------------------------------------------- */

struct cut {
	unsigned message;
	size_t len;
	struct hf_session *to;
	int fed;
};

static int
feed_prefix(struct blob *b, unsigned index, void *context)
{
	struct cut *c = context;
	size_t used = 0;
	uint8_t *exact;

	if (index < c->message)
		return 1;
	if (index > c->message || c->len >= b->len)
		return 0;
	/* A copy of just that size: ASan sees any read past it. */
	exact = malloc(c->len == 0 ? 1 : c->len);
	assert_non_null(exact);
	memcpy(exact, b->bytes, c->len);
	assert_ok(hf_session_feed(c->to, &used, exact, c->len));
	assert_int_equal(used, c->len);
	free(exact);
	c->fed = 1;
	return 0;
}

static void
every_prefix(void **state)
{
	static const struct meeting ways[] = {
		{ .method = HF_METHOD_CERTIFICATE, .intermediate = 1 },
		{ .method = HF_METHOD_PLAIN_PASSWORD },
	};
	unsigned cuts = 0;
	struct world w;
	struct pair p;
	struct cut c;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(ways); i++) {
		world_make(&w, &ways[i]);
		for (c.message = 0; c.message < 5; c.message++)
			for (c.len = 0, c.fed = 1; c.fed; c.len++, cuts++) {
				c.fed = 0;
				pair_make(&p, &w);
				c.to = c.message % 2 == 0 ? p.r : p.i;
				run_tampered(&p, feed_prefix, &c);
				assert_err(hf_session_eof(c.to), HF_E_GONE);
				assert_false(p.r->authenticated);
				pair_free(&p);
			}
		world_free(&w);
	}
	print_message("note: %u prefixes, each waits for the rest\n", cuts);
}

static int
feed_bytes(struct blob *b, unsigned index, void *context)
{
	struct hf_session **side = context;
	struct hf_session *to = side[~index & 1];
	size_t i, used;

	for (i = 0; i < b->len; i++) {
		assert_ok(hf_session_feed(to, &used, b->bytes + i, 1));
		assert_int_equal(used, 1);
	}
	return 0;
}

/* B15: one byte at a time makes no difference. */
static void
byte_by_byte(void **state)
{
	struct hf_session *side[2];
	struct world w;
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct meeting m = { .method = HF_METHOD_CERTIFICATE,
			.intermediate = i & 1,
			.known = i >> 1 & 1 };

		world_make(&w, &m);
		pair_make(&p, &w);
		side[0] = p.i;
		side[1] = p.r;
		run_tampered(&p, feed_bytes, side);
		assert_int_equal(p.i->state, HF__OPEN);
		assert_int_equal(p.r->state, HF__OPEN);
		pair_free(&p);
		world_free(&w);
	}
}

/* --- garbage -------------------------------------------------------------------------- */

static void
garbage(void **state)
{
	static const struct {
		const char *hex;
		enum hf_err expected;
	} cases[] = {
		{ "474554", HF_E_SHAPE },   /* GET */
		{ "16030100", HF_E_SHAPE }, /* TLS */
		{ "9f00", HF_E_SHAPE },
		{ "8000", HF_E_SHAPE },
		{ "8c00", HF_E_SHAPE },
		{ "821818", HF_E_SHAPE },
		{ "82f6", HF_E_SHAPE },
		{ "8605", HF_E_UNEXPECTED },
		{ "821059ffff", HF_E_UNEXPECTED },
		{ "86005f", HF_E_CBOR },
		{ "86001801", HF_E_CBOR },
		{ "8600f9", HF_E_CBOR },
		{ "8600c1", HF_E_CBOR },
		{ "86005affffffff", HF_E_TOO_BIG },
		{ "86005bffffffffffffffff", HF_E_TOO_BIG },
		{ "86009affffffff", HF_E_TOO_BIG },
		{ "8600bbffffffffffffffff", HF_E_TOO_BIG },
		{ "860081818181818181818101", HF_E_CBOR },
		{ "860002810160f6a0", HF_E_VERSION },
		{ "850001810160f6", HF_E_SHAPE },
		{ "8600018060f6a0", HF_E_SHAPE },
		{ "860001810960f6a0", HF_E_SUITE },
		{ "860001810162ff00f6a0", HF_E_SHAPE },
		{ "860001810160f5a0", HF_E_SHAPE },
		{ "860001810160f6a1204100", HF_E_EXTENSION },
		{ "860001810160f6a2014100014100", HF_E_CBOR },
		{ "860001810160f6a2024100014100", HF_E_CBOR },
		{ "860001810160f6a101f6", HF_E_SHAPE },
	};
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	uint8_t bytes[64];
	struct world w;
	struct pair p;
	size_t i, len;
	struct blob b;

	(void)state;
	world_make(&w, &m);
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		pair_make(&p, &w);
		len = unhex(bytes, sizeof(bytes), cases[i].hex);
		assert_err(give(p.r, bytes, len), cases[i].expected);
		take(&b, p.r);
		/* The same alert for everything. */
		assert_int_equal(b.len, 3);
		assert_memory_equal(b.bytes, "\x82\x08\x01", 3);
		assert_true(hf_session_bytes(p.r) < 16384);
		pair_free(&p);
	}
	world_free(&w);
}

/* Random bytes behind a good beginning: never accepted, never a crash. */
static void
noise(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	uint8_t bytes[300];
	struct world w;
	struct pair p;
	unsigned i;

	(void)state;
	world_make(&w, &m);
	fixed_random("noise");
	for (i = 0; i < 20000; i++) {
		pair_make(&p, &w);
		randombytes_buf(bytes, sizeof(bytes));
		bytes[0] = (uint8_t)(0x82 + bytes[0] % 9);
		bytes[1] = (uint8_t)(bytes[1] % 4);
		(void)give(p.r, bytes, sizeof(bytes));
		assert_false(p.r->authenticated);
		assert_true(
		    p.r->state == HF__FAILED || p.r->state == HF__R_START);
		pair_free(&p);
	}
	fixed_random(NULL);
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
		cmocka_unit_test(garbage),
		cmocka_unit_test(noise),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(every_prefix),
		cmocka_unit_test(every_flip),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
