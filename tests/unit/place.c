/* SPDX-License-Identifier: ISC */
/*
 * Sessions in memory that the caller gives: whole handshakes and records
 * without one allocation, and the bounds of that memory.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

enum { RECORD = 4096 };

static unsigned long allocs;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define COUNTED 1
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);

void *
malloc(size_t n)
{
	allocs++;
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	allocs++;
	return __libc_calloc(n, size);
}
#else
#define COUNTED 0
#endif

static uint8_t *memory[2];
static size_t memory_size;

static void
place(struct pair *p, struct world *w)
{
	p->world = w;
	assert_ok(hf_session_place(&p->i, memory[0], memory_size, RECORD, w->i,
	    START_MS, NOW));
	assert_ok(hf_session_place(&p->r, memory[1], memory_size, RECORD, w->r,
	    START_MS, NOW));
}

/* Like run(), but with nothing of the test's own on the heap. */
static enum hf_err
run_static(struct pair *p)
{
	struct hf_session *side[2] = { p->i, p->r };
	enum hf_err e = HF_OK;
	static struct blob b;
	unsigned turn, k;

	for (turn = 0; turn < 12 && e == HF_OK; turn++) {
		for (k = 0; k < 2 && e == HF_OK; k++)
			e = answer(p->world, side[turn & 1]);
		take(&b, side[turn & 1]);
		if (e == HF_OK && b.len > 0)
			e = give(side[~turn & 1], b.bytes, b.len);
	}
	return e;
}

static void
every_token(void **state)
{
	static const enum hf_method methods[] = { HF_METHOD_CERTIFICATE,
		HF_METHOD_PASSWORD, HF_METHOD_PLAIN_PASSWORD,
		HF_METHOD_TICKET };
	static uint8_t data[RECORD];
	enum hf_content content;
	struct hf_span got;
	unsigned long before;
	static struct blob b;
	struct world w;
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(methods); i++) {
		world_make(&w, &(struct meeting){ .method = methods[i] });
		before = allocs;
		place(&p, &w);
		assert_ok(run_static(&p));
		assert_int_equal(hf_session_want(p.r), HF_WANT_DONE);
		assert_ok(hf_session_send(p.i, data, sizeof(data)));
		take(&b, p.i);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_ok(hf_session_recv(p.r, &content, &got));
		assert_int_equal(got.len, sizeof(data));
		assert_ok(hf_session_issue_ticket(p.r, 60, 60, 0));
		take(&b, p.r);
		assert_ok(give(p.i, b.bytes, b.len));
		assert_ok(hf_session_recv(p.i, &content, &got));
		assert_int_equal(content, HF_CONTENT_TICKET);
		assert_true(hf_session_bytes(p.i) <= memory_size);
		pair_free(&p);
		assert_int_equal(allocs, before);
		/* Nothing of it is left. */
		assert_true(sodium_is_zero(memory[0], memory_size));
		assert_true(sodium_is_zero(memory[1], memory_size));
		world_free(&w);
	}
	if (!COUNTED)
		print_message("note: allocations are not counted here\n");
}

static void
bounds(void **state)
{
	static uint8_t data[RECORD + 1];
	static struct blob b;
	struct hf_session *s;
	struct world w;
	struct pair p;

	(void)state;
	world_make(&w, &(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	assert_int_equal(hf_session_size(0), 0);
	assert_int_equal(hf_session_size(HF_PLAINTEXT_MAX + 1), 0);
	assert_err(hf_session_place(&s, memory[0], memory_size - 1, RECORD,
		       w.i, START_MS, NOW),
	    HF_E_SPACE);
	assert_err(hf_session_place(&s, memory[0] + 1, memory_size, RECORD,
		       w.i, START_MS, NOW),
	    HF_E_ARG);
	assert_err(hf_session_place(&s, NULL, memory_size, RECORD, w.i,
		       START_MS, NOW),
	    HF_E_ARG);
	assert_null(s);
	place(&p, &w);
	assert_ok(run_static(&p));
	assert_err(hf_session_send(p.i, data, sizeof(data)), HF_E_SPACE);
	assert_int_equal(hf_session_want(p.i), HF_WANT_DONE);
	/* One that agreed to more sends it all the same. */
	p.i->record_max = sizeof(data);
	assert_ok(hf_session_send(p.i, data, sizeof(data)));
	take(&b, p.i);
	assert_err(give(p.r, b.bytes, b.len), HF_E_TOO_BIG);
	pair_free(&p);
	/* One that is much too long is refused when its head is there. */
	place(&p, &w);
	assert_ok(run_static(&p));
	assert_err(give(p.r, (const uint8_t *)"\x82\x10\x59\x10\x30", 5),
	    HF_E_TOO_BIG);
	pair_free(&p);
	world_free(&w);
}

static int
set_up(void **state)
{
	int i;

	(void)state;
	assert_ok(hf_init());
	memory_size = hf_session_size(RECORD);
	for (i = 0; i < 2; i++)
		assert_non_null(memory[i] = calloc(1, memory_size));
	print_message("note: a session with records of %d bytes takes %zu\n",
	    RECORD, memory_size);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	free(memory[0]);
	free(memory[1]);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_token),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
