/* SPDX-License-Identifier: ISC */
/*
 * Buffers: bytes come out as they went in, however they were moved about;
 * none holds more than its limit, and one in the caller's memory stays there.
 * A message that has no room fails the session, by name.
 */
#include <string.h>

#include "stage.h"

/* What goes in next is one more than what went in before. */
static uint8_t in, out;

static void
put(struct hf__buffer *b, size_t n)
{
	uint8_t *room = hf__buffer_room(b, n);
	size_t i;

	assert_non_null(room);
	for (i = 0; i < n; i++)
		room[i] = in++;
	b->len += n;
}

static void
get(struct hf__buffer *b, size_t n)
{
	size_t i;

	assert_true(n <= b->len);
	for (i = 0; i < n; i++)
		assert_int_equal(b->ptr[b->start + i], out++);
	hf__buffer_take(b, n);
}

static void
limit(void **state)
{
	struct hf__buffer b = { .max = 100 };

	(void)state;
	assert_null(hf__buffer_room(&b, 101));
	assert_non_null(hf__buffer_room(&b, 100));
	assert_int_equal(b.cap, 100);
	in = out = 0;
	put(&b, 60);
	assert_null(hf__buffer_room(&b, 41));
	assert_null(hf__buffer_room(&b, SIZE_MAX));
	put(&b, 40);
	assert_null(hf__buffer_room(&b, 1));
	get(&b, 100);
	hf__buffer_free(&b);
	assert_null(b.ptr);
	assert_int_equal(b.max, 0);
}

static void
fixed(void **state)
{
	uint8_t memory[32];
	struct hf__buffer b = { .ptr = memory,
		.cap = sizeof(memory),
		.max = 64, /* whatever it says */
		.fixed = true };

	(void)state;
	in = out = 0;
	assert_null(hf__buffer_room(&b, 33));
	put(&b, 32);
	assert_ptr_equal(b.ptr, memory);
	assert_null(hf__buffer_room(&b, 1));
	get(&b, 10);
	put(&b, 10);
	assert_ptr_equal(b.ptr, memory);
	get(&b, 32);
	put(&b, 5);
	hf__buffer_free(&b);
	assert_true(sodium_is_zero(memory, sizeof(memory)));
}

/* A thousand small steps in and out, within 64 bytes and within 4096. */
static void
in_order(void **state)
{
	struct hf__buffer b;
	size_t max, i, n;

	(void)state;
	for (max = 64; max <= 4096; max *= 64) {
		b = (struct hf__buffer){ .max = max };
		in = out = 0;
		for (i = 0; i < 1000; i++) {
			n = i * 7 % 23;
			if (n > 0 && b.len + n <= max)
				put(&b, n);
			n = i * 5 % 19;
			get(&b, n < b.len ? n : b.len);
		}
		get(&b, b.len);
		assert_int_equal(in, out);
		assert_int_equal(b.start, 0);
		hf__buffer_free(&b);
	}
}

/* From here on no output fits. */
static void
fill(struct hf_session *s)
{
	s->out.max = s->out.len;
	if (s->out.cap > s->out.max)
		s->out.cap = s->out.max;
	s->out.fixed = true;
}

static void
refit(struct hf_session *s)
{
	s->out.fixed = false;
}

static void
no_room_for_a_retry(void **state)
{
	struct blob b;

	(void)state;
	begin(&(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	fill(p.r);
	assert_err(hf_session_admit(p.r, HF_ADMIT_COOKIE), HF_E_MEMORY);
	assert_nothing(p.r);
	refit(p.r);
	end();
}

static void
no_room_for_a_confirm(void **state)
{
	struct blob b, grant;

	(void)state;
	begin(&(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	granted(&b, &grant);
	fill(p.i);
	assert_err(give(p.i, grant.bytes, grant.len), HF_E_MEMORY);
	assert_int_equal(hf_session_want(p.i), HF_WANT_FAILED);
	assert_false(p.i->keys);
	assert_false(p.i->authenticated);
	refit(p.i);
	end();
}

static void
no_room_for_a_close(void **state)
{
	(void)state;
	begin(&(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	assert_ok(run(&p));
	fill(p.i);
	assert_err(hf_session_close(p.i), HF_E_MEMORY);
	assert_int_equal(hf_session_want(p.i), HF_WANT_FAILED);
	assert_err(hf_session_eof(p.r), HF_E_TRUNCATED);
	refit(p.i);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit),
		cmocka_unit_test(fixed),
		cmocka_unit_test(in_order),
		cmocka_unit_test(no_room_for_a_retry),
		cmocka_unit_test(no_room_for_a_confirm),
		cmocka_unit_test(no_room_for_a_close),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
