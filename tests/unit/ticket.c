/* SPDX-License-Identifier: ISC */
/*
 * Tickets and rings (spec section 7): what is sealed, who can open it, each
 * bit and prefix (threats A40, A41), rotation, and both files.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static struct hf_ring *ring;
static uint8_t file[2048];
static size_t file_len;

static struct hf_ticket_info
terms(void)
{
	struct hf_ticket_info info = { .issued = NOW,
		.expires = NOW + 3600,
		.limit = NOW + 7200,
		.first_auth = NOW - 5,
		.first_method = HF_METHOD_PASSWORD,
		.single_use = 1 };

	name_set(&info.subject, "alice");
	name_set(&info.audience, "server.example");
	return info;
}

static enum hf_err
issue(const struct hf_ring *by, const struct hf_ticket_info *info)
{
	return hf_ticket_issue(file, sizeof(file), &file_len, by, info);
}

/* The sealed part of the file, as a copy of exactly its size. */
static struct hf_span
sealed(struct hf__ticket_file *f)
{
	assert_ok(hf__ticket_file_read(f, file, file_len));
	return f->ticket;
}

static void
round_trip(void **state)
{
	struct hf_ticket_info info = terms(), open, held;
	struct hf__ticket_file f;
	uint8_t pop[32], old_pop[32], old_cti[HF_CTI_BYTES];
	size_t need;

	(void)state;
	assert_ok(issue(ring, &info));
	assert_ok(hf__ticket_open(&open, pop, ring, sealed(&f)));
	assert_memory_equal(pop, f.key.ptr, 32);
	assert_string_equal(open.subject.text, "alice");
	assert_string_equal(open.audience.text, "server.example");
	assert_int_equal(open.issued, NOW);
	assert_int_equal(open.expires, NOW + 3600);
	assert_int_equal(open.limit, NOW + 7200);
	assert_int_equal(open.first_auth, NOW - 5);
	assert_int_equal(open.first_method, HF_METHOD_PASSWORD);
	assert_int_equal(open.single_use, 1);
	memcpy(old_pop, pop, 32);
	memcpy(old_cti, open.cti, sizeof(old_cti));
	/* The holder's part: nothing that only the ring opens. */
	assert_ok(hf_ticket_read(&held, file, file_len));
	assert_string_equal(held.subject.text, "alice");
	assert_string_equal(held.audience.text, "server.example");
	assert_int_equal(held.issued, NOW);
	assert_int_equal(held.expires, NOW + 3600);
	assert_int_equal(held.limit, NOW + 7200);
	assert_int_equal(held.single_use, 1);
	assert_int_equal(held.first_auth, 0);
	assert_int_equal(held.first_method, 0);
	assert_true(sodium_is_zero(held.cti, sizeof(held.cti)));
	/* Key and id are new each time; without a limit, the end is it. */
	info.limit = 0;
	info.single_use = 0;
	info.first_method = 0;
	assert_ok(issue(ring, &info));
	assert_ok(hf__ticket_open(&open, pop, ring, sealed(&f)));
	assert_memory_not_equal(pop, old_pop, 32);
	assert_memory_not_equal(open.cti, old_cti, sizeof(old_cti));
	assert_int_equal(open.limit, NOW + 3600);
	assert_int_equal(open.single_use, 0);
	assert_err(hf_ticket_issue(file, file_len - 1, &need, ring, &info),
	    HF_E_SPACE);
	assert_int_equal(need, file_len);
}

static void
arguments(void **state)
{
	struct hf_ticket_info good = terms(), bad;
	struct hf_ring *empty;

	(void)state;
	assert_ok(hf_ring_new(&empty));
	assert_err(issue(empty, &good), HF_E_CONFIG);
	hf_ring_free(empty);
	hf_ring_free(NULL);
	assert_ok(issue(ring, &good));
	bad = good;
	bad.subject.len = 0;
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.audience.len = HF_NAME_MAX + 1;
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.audience.text[0] = '\n';
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.expires = bad.issued;
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.limit = bad.expires - 1;
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.limit = ((uint64_t)1 << 53) + 1;
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.first_method = 3;
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.first_method = 16;
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.single_use = 2;
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.first_auth = UINT64_MAX;
	assert_err(issue(ring, &bad), HF_E_ARG);
	bad = good;
	bad.origin_n = HF_CHAIN_MAX + 1;
	assert_err(issue(ring, &bad), HF_E_ARG);
}

/* The longest names still make a ticket that a request takes. */
static void
largest(void **state)
{
	struct hf_ticket_info info = terms(), open;
	struct hf__ticket_file f;
	uint8_t pop[32];

	(void)state;
	memset(info.subject.text, 's', HF_NAME_MAX);
	memset(info.audience.text, 'a', HF_NAME_MAX);
	info.subject.len = info.audience.len = HF_NAME_MAX;
	info.expires = info.limit = (uint64_t)1 << 53;
	info.first_auth = (uint64_t)1 << 53;
	info.first_method = HF_METHOD_TICKET;
	assert_ok(issue(ring, &info));
	assert_in_range(sealed(&f).len, 500, HF_TICKET_MAX);
	assert_ok(hf__ticket_open(&open, pop, ring, sealed(&f)));
	assert_int_equal(open.subject.len, HF_NAME_MAX);
	assert_int_equal(open.expires, (uint64_t)1 << 53);
}

/* One byte more than a ticket may have, sealed by the right key. */
static void
too_long(void **state)
{
	static const uint8_t inside[HF_TICKET_MAX];
	uint8_t ticket[HF_TICKET_MAX + 1], pop[32];
	struct hf_ticket_info info;
	size_t len, over;

	(void)state;
	for (over = 0; over < 2; over++) {
		assert_ok(hf__encrypt0_make(ticket, sizeof(ticket), &len,
		    ring->keys[0].kid, ring->keys[0].key, "handfast/1 ticket",
		    inside, sizeof(inside) - 51 + over));
		assert_int_equal(len, HF_TICKET_MAX + over);
		assert_err(hf__ticket_open(&info, pop, ring,
			       (struct hf_span){ ticket, len }),
		    over ? HF_E_OBJECT : HF_E_TICKET);
	}
}

/* Each bit and prefix of the sealed ticket: an end moved, a limit raised. */
static void
every_bit_and_prefix(void **state)
{
	struct hf_ticket_info info = terms(), open;
	struct hf__ticket_file f;
	uint8_t ticket[HF_TICKET_MAX + 1], pop[32], *exact;
	struct hf_span s;
	enum hf_err e;
	size_t i;

	(void)state;
	assert_ok(issue(ring, &info));
	s = sealed(&f);
	memcpy(ticket, s.ptr, s.len);
	s.ptr = ticket;
	for (i = 0; i < s.len * 8; i++) {
		ticket[i / 8] ^= (uint8_t)(1U << i % 8);
		e = hf__ticket_open(&open, pop, ring, s);
		/* Head, kid and IV come first: 35 bytes with their heads. */
		if (i / 8 >= 35)
			assert_err(e, HF_E_TICKET);
		else if (e != HF_E_CBOR && e != HF_E_OBJECT)
			assert_err(e, HF_E_TICKET);
		ticket[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < s.len; i++) {
		exact = malloc(i + 1);
		assert_non_null(exact);
		memcpy(exact, ticket, i);
		assert_err(hf__ticket_open(&open, pop, ring,
			       (struct hf_span){ exact, i }),
		    HF_E_CBOR);
		free(exact);
	}
	ticket[s.len] = 0;
	assert_err(hf__ticket_open(&open, pop, ring,
		       (struct hf_span){ ticket, s.len + 1 }),
	    HF_E_CBOR);
	assert_err(hf__ticket_open(&open, pop, ring,
		       (struct hf_span){ file, HF_TICKET_MAX + 1 }),
	    HF_E_OBJECT);
	assert_ok(hf__ticket_open(&open, pop, ring, s));
}

static void
rings_and_rotation(void **state)
{
	struct hf_ticket_info info = terms(), open;
	struct hf_ring *other, *r;
	struct hf__ticket_file f;
	uint8_t pop[32], kid[HF__KID_BYTES];
	int i;

	(void)state;
	assert_ok(hf_ring_new(&r));
	assert_int_equal(hf_ring_count(r), 0);
	assert_ok(hf_ring_rotate(r, NOW));
	assert_int_equal(hf_ring_count(r), 1);
	assert_int_equal(r->keys[0].created, NOW);
	assert_ok(issue(r, &info));
	/* Another pool's ring, an empty one, one with the same key id. */
	assert_err(hf__ticket_open(&open, pop, ring, sealed(&f)), HF_E_TICKET);
	assert_ok(hf_ring_new(&other));
	assert_err(hf__ticket_open(&open, pop, other, sealed(&f)),
	    HF_E_TICKET);
	assert_ok(hf_ring_rotate(other, NOW));
	memcpy(other->keys[0].kid, r->keys[0].kid, HF__KID_BYTES);
	assert_err(hf__ticket_open(&open, pop, other, sealed(&f)),
	    HF_E_TICKET);
	hf_ring_free(other);
	/* It opens through three rotations, and not after the fourth. */
	memcpy(kid, r->keys[0].kid, sizeof(kid));
	for (i = 1; i <= 3; i++) {
		assert_ok(hf_ring_rotate(r, NOW + (uint64_t)i));
		assert_int_equal(hf_ring_count(r), i + 1);
		assert_int_equal(r->keys[0].created, NOW + (uint64_t)i);
		assert_memory_equal(r->keys[i].kid, kid, sizeof(kid));
		assert_ok(hf__ticket_open(&open, pop, r, sealed(&f)));
	}
	assert_ok(hf_ring_rotate(r, NOW + 4));
	assert_int_equal(hf_ring_count(r), HF_RING_MAX);
	assert_err(hf__ticket_open(&open, pop, r, sealed(&f)), HF_E_TICKET);
	/* New ones are sealed by the newest key. */
	assert_ok(issue(r, &info));
	assert_memory_equal(sealed(&f).ptr + 9, r->keys[0].kid, HF__KID_BYTES);
	assert_err(hf_ring_rotate(r, ((uint64_t)1 << 53) + 1), HF_E_ARG);
	hf_ring_free(r);
}

/* --- claims that a ring sealed, and that are no ticket's ------------------------- */

#define KEY32 \
	"7777777777777777777777777777777777777777777777777777777777777777"
#define SUB "02626162"
#define AUD "036163"
#define CTI "075011111111111111111111111111111111"
#define CNF "08a101a20104205820" KEY32
#define HF4 "3a00010000a4200021082202231864"

static enum hf_err
open_claims(const char *hex, const char *label)
{
	uint8_t claims[512], ticket[1024], pop[32];
	struct hf_ticket_info info;
	struct hf_span s = { ticket, 0 };
	size_t len;

	len = unhex(claims, sizeof(claims), hex);
	assert_ok(hf__encrypt0_make(ticket, sizeof(ticket), &s.len,
	    ring->keys[0].kid, ring->keys[0].key, label, claims, len));
	return hf__ticket_open(&info, pop, ring, s);
}

#define TICKET "handfast/1 ticket"

static void
claims(void **state)
{
	static const struct {
		const char *hex;
		enum hf_err e;
	} cases[] = {
		{ "a7" SUB AUD "0418640601" CTI CNF HF4, HF_OK },
		/* each missing */
		{ "a6" AUD "0418640601" CTI CNF HF4, HF_E_TICKET },
		{ "a6" SUB "0418640601" CTI CNF HF4, HF_E_TICKET },
		{ "a6" SUB AUD "0601" CTI CNF HF4, HF_E_TICKET },
		{ "a6" SUB AUD "041864" CTI CNF HF4, HF_E_TICKET },
		{ "a6" SUB AUD "0418640601" CNF HF4, HF_E_TICKET },
		{ "a6" SUB AUD "0418640601" CTI HF4, HF_E_TICKET },
		{ "a6" SUB AUD "0418640601" CTI CNF, HF_E_TICKET },
		/* exp above the limit; a float; twice; unsorted */
		{ "a7" SUB AUD "0418650601" CTI CNF HF4, HF_E_TICKET },
		{ "a7" SUB AUD "04f956400601" CTI CNF HF4, HF_E_TICKET },
		{ "a8" SUB SUB AUD "0418640601" CTI CNF HF4, HF_E_TICKET },
		{ "a7" AUD SUB "0418640601" CTI CNF HF4, HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI CNF HF4 "00", HF_E_TICKET },
		{ "a7" SUB AUD "041b00200000000000010601" CTI CNF HF4,
		    HF_E_TICKET },
		/* unknown */
		{ "a8" SUB AUD "0418640601" CTI CNF "09f6" HF4, HF_OK },
		{ "a8" SUB AUD "0418640601" CTI CNF "20f6" HF4, HF_E_TICKET },
		/* wrong values */
		{ "a70260" AUD "0418640601" CTI CNF HF4, HF_E_TICKET },
		{ "a7" SUB "03600418640601" CTI CNF HF4, HF_E_TICKET },
		{ "a7" SUB AUD "0418640601074100" CNF HF4, HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI "08a101a20101205820" KEY32 HF4,
		    HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI "08a101a20104204100" HF4,
		    HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI "08a101a3010402412020582"
		  "0" KEY32 HF4,
		    HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI CNF
		  "3a00010000a4200221082202231864",
		    HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI CNF
		  "3a00010000a4200021032202231864",
		    HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI CNF
		  "3a00010000a4200021102202231864",
		    HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI CNF
		  "3a00010000a320002202231864",
		    HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI CNF
		  "3a00010000a4010020002202231864",
		    HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI CNF
		  "3a00010000a52000210822022318642400",
		    HF_E_TICKET },
		{ "a7" SUB AUD "0418640601" CTI CNF
		  "3a00010000a50100200021082202231864",
		    HF_OK },
		{ "80", HF_E_TICKET },
		{ "", HF_E_TICKET },
	};
	enum hf_err e;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++)
		if ((e = open_claims(cases[i].hex, TICKET)) != cases[i].e)
			fail_msg("%s: %s", cases[i].hex, hf_error_name(e));
	/* Sealed as another kind of object. */
	assert_err(open_claims(cases[0].hex, "handfast/1 certificate"),
	    HF_E_TICKET);
	assert_err(open_claims(cases[0].hex, "handfast/1 ticke"), HF_E_TICKET);
}

/* --- files --------------------------------------------------------------------------- */

static void
ticket_file(void **state)
{
	static const struct {
		const char *hex;
		enum hf_err e;
	} cases[] = {
		{ "890141415820" KEY32 "6161616201020002", HF_OK },
		{ "890241415820" KEY32 "6161616201020002", HF_E_OBJECT },
		{ "890041415820" KEY32 "6161616201020002", HF_E_OBJECT },
		{ "880141415820" KEY32 "61616162010200", HF_E_OBJECT },
		{ "8901405820" KEY32 "6161616201020002", HF_E_OBJECT },
		{ "89014141410061616162010200"
		  "02",
		    HF_E_OBJECT },
		{ "890141415820" KEY32 "60616201020002", HF_E_OBJECT },
		{ "890141415820" KEY32 "61616001020002", HF_E_OBJECT },
		{ "890141415820" KEY32 "6161610a01020002", HF_E_OBJECT },
		{ "890141415820" KEY32 "6161616202020002", HF_E_OBJECT },
		{ "890141415820" KEY32 "6161616201030002", HF_E_OBJECT },
		{ "890141415820" KEY32 "6161616201020202", HF_E_OBJECT },
		{ "890141415820" KEY32 "6161616201022002", HF_E_OBJECT },
		{ "890141415820" KEY32 "616161621801020002", HF_E_CBOR },
		{ "890141415820" KEY32 "616161620102000200", HF_E_CBOR },
		{ "9f0141415820" KEY32 "6161616201020002ff", HF_E_CBOR },
	};
	struct hf_ticket_info info = terms(), read;
	uint8_t buf[256];
	enum hf_err e;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		e = hf_ticket_read(&read, buf,
		    unhex(buf, sizeof(buf), cases[i].hex));
		if (e != cases[i].e)
			fail_msg("%s: %s", cases[i].hex, hf_error_name(e));
	}
	assert_ok(issue(ring, &info));
	for (i = 0; i < file_len; i++)
		assert_err(hf_ticket_read(&read, file, i), HF_E_CBOR);
}

static void
ring_file(void **state)
{
	char text[1024];
	struct hf_ring *r, *back;
	size_t len, need, i;
	int n;

	(void)state;
	assert_ok(hf_ring_new(&r));
	for (n = 0; n <= HF_RING_MAX; n++) {
		assert_ok(hf_ring_encode(text, sizeof(text), &len, r));
		assert_ok(hf_ring_decode(&back, text, len));
		assert_int_equal(hf_ring_count(back), n);
		assert_memory_equal(back->keys, r->keys,
		    sizeof(r->keys[0]) * (size_t)n);
		hf_ring_free(back);
		assert_ok(hf_ring_rotate(r, NOW + (uint64_t)n));
	}
	assert_err(hf_ring_encode(text, len, &need, r), HF_E_SPACE);
	assert_ok(hf_ring_encode(text, sizeof(text), &len, r));
	for (i = 0; i < len - 1; i++) {
		assert_err(hf_ring_decode(&back, text, i), HF_E_OBJECT);
		assert_null(back);
	}
	hf_ring_free(r);
}

static void
ring_file_form(void **state)
{
	static const struct {
		const char *hex;
		enum hf_err e;
	} cases[] = {
		{ "80", HF_OK },
		{ "81834801020304050607085820" KEY32 "00", HF_OK },
		{ "818347010203040506075820" KEY32 "00", HF_E_OBJECT },
		{ "81824801020304050607085820" KEY32, HF_E_OBJECT },
		{ "8183480102030405060708410000", HF_E_OBJECT },
		{ "81834801020304050607085820" KEY32 "20", HF_E_OBJECT },
		{ "81834801020304050607085820" KEY32 "1800", HF_E_OBJECT },
		{ "81834801020304050607085820" KEY32 "0000", HF_E_OBJECT },
		{ "81834801020304050607085820" KEY32 "1b0020000000000001",
		    HF_E_OBJECT },
		{ "858080808080", HF_E_OBJECT },
		{ "a0", HF_E_OBJECT },
	};
	uint8_t buf[256];
	char text[1024];
	struct hf_ring *r;
	size_t i, len;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		len = unhex(buf, sizeof(buf), cases[i].hex);
		assert_ok(hf_pem_encode(text, sizeof(text), &len,
		    "HANDFAST TICKET RING", buf, len));
		assert_err(hf_ring_decode(&r, text, len), cases[i].e);
		hf_ring_free(r);
	}
	memset(buf, 0, sizeof(buf));
	assert_ok(hf_pem_encode(text, sizeof(text), &len, "HANDFAST TICKET",
	    buf, 36));
	assert_err(hf_ring_decode(&r, text, len), HF_E_OBJECT);
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	assert_ok(hf_ring_new(&ring));
	assert_ok(hf_ring_rotate(ring, NOW));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hf_ring_free(ring);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(arguments),
		cmocka_unit_test(largest),
		cmocka_unit_test(too_long),
		cmocka_unit_test(every_bit_and_prefix),
		cmocka_unit_test(rings_and_rotation),
		cmocka_unit_test(claims),
		cmocka_unit_test(ticket_file),
		cmocka_unit_test(ring_file),
		cmocka_unit_test(ring_file_form),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
