/* SPDX-License-Identifier: ISC */
/*
 * Short words for tests of stores, see storing.h.
 */
#include <string.h>
#include <time.h>

#include "storing.h"
#include "testing.h"

const struct hf_span store_nothing = { NULL, 0 };
uint8_t store_value[HF_STORE_VALUE_MAX];
size_t store_len;

struct hf_span
store_text(const char *s)
{
	return (struct hf_span){ (const uint8_t *)s, strlen(s) };
}

uint64_t
store_later(void)
{
	return (uint64_t)time(NULL) + 3600;
}

enum hf_err
store_get(struct hf_store *s, const char *key)
{
	return hf_store_get(s, store_text(key), store_value, &store_len);
}

enum hf_err
store_swap(struct hf_store *s, const char *key, const char *expected,
    const char *next)
{
	return hf_store_swap(s, store_text(key),
	    expected == NULL ? store_nothing : store_text(expected),
	    next == NULL ? store_nothing : store_text(next), store_later());
}

void
store_is(const char *wanted)
{
	assert_int_equal(store_len, strlen(wanted));
	assert_memory_equal(store_value, wanted, store_len);
}

struct hf_store *
store_open(const char *uri)
{
	struct hf_store *s;
	enum hf_err e = hf_store_open(&s, uri);

	assert_string_equal(hf_store_reason(s), "");
	assert_ok(e);
	return s;
}

void
store_opens(const char *uri, enum hf_err wanted, const char *words)
{
	uint64_t began = uv_hrtime();
	struct hf_store *s;
	enum hf_err e = hf_store_open(&s, uri);

	assert_string_equal(hf_store_reason(s), words);
	assert_err(e, wanted);
	assert_in_range(uv_hrtime() - began, 0, 4000000000ULL);
	hf_store_close(s);
}

static void
tick(uv_timer_t *timer)
{
	(void)timer;
}

/* A port alone keeps no loop alive: something else does here. */
void
store_run(uv_loop_t *loop, unsigned ms)
{
	uint64_t until = uv_hrtime() + ms * 1000000ULL;
	uv_timer_t alive;

	assert_int_equal(uv_timer_init(loop, &alive), 0);
	assert_int_equal(uv_timer_start(&alive, tick, 5, 5), 0);
	while (uv_hrtime() < until)
		(void)uv_run(loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&alive, NULL);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}
