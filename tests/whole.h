/* SPDX-License-Identifier: ISC */
/*
 * Whole sessions, from nothing to closed both ways, whose allocations may be
 * refused: what came of it is judged here. One world and one pair, as in
 * stage.h; heap.h is included before.
 */
#ifndef HANDFAST_WHOLE_H
#define HANDFAST_WHOLE_H

#include "testing.h"

static struct world w;
static struct pair p;

static inline void
nothing_to_note(void)
{
}

static inline void
no_data_to_note(const uint8_t *data)
{
	(void)data;
}

static void (*after_each_step)(void) = nothing_to_note;
static void (*note_data)(const uint8_t *data) = no_data_to_note;
/* The first message of an initiator is answered with a cookie. */
static int cookie_first;
/* qsort() sorts without, where it gets no memory. */
static int does_without;

static inline enum hf_err
answer_it(struct hf_session *s)
{
	if (cookie_first && hf_session_want(s) == HF_WANT_ADMIT &&
	    !hf_session_cookie_shown(s))
		return hf_session_admit(s, HF_ADMIT_COOKIE);
	return answer(&w, s);
}

static inline enum hf_err
start(struct hf_session **s, struct hf_config *c)
{
	enum hf_err e;

	if ((e = hf_session_new(s, c, START_MS, NOW)) != HF_OK)
		return e;
	return hf_session_error(*s);
}

/* All that one side has to say goes to the other. */
static inline enum hf_err
pass(struct hf_session *from, struct hf_session *to, size_t *moved)
{
	static struct blob b;
	enum hf_err e;

	while (hf_session_want(from) == HF_WANT_ADMIT ||
	    hf_session_want(from) == HF_WANT_TRUST ||
	    hf_session_want(from) == HF_WANT_COMMIT) {
		if ((e = answer_it(from)) != HF_OK)
			return e;
		after_each_step();
	}
	take(&b, from);
	*moved += b.len;
	e = give(to, b.bytes, b.len);
	after_each_step();
	return e;
}

static inline enum hf_err
handshake(void)
{
	size_t moved;
	enum hf_err e;

	if ((e = start(&p.i, w.i)) != HF_OK || (e = start(&p.r, w.r)) != HF_OK)
		return e;
	do {
		moved = 0;
		if ((e = pass(p.i, p.r, &moved)) != HF_OK ||
		    (e = pass(p.r, p.i, &moved)) != HF_OK)
			return e;
	} while (moved > 0);
	return HF_OK;
}

/* A record, whole or in two pieces, to the application. */
static inline enum hf_err
record(struct hf_session *from, struct hf_session *to, size_t len,
    size_t first)
{
	static uint8_t data[HF_PLAINTEXT_MAX], wire[HF_RECORD_MAX];
	enum hf_content content;
	struct hf_span got;
	size_t n, used;
	uint8_t *room;
	enum hf_err e;

	if ((room = hf_session_room(from, len)) == NULL) {
		/* That alone spoils nothing. */
		assert_int_equal(hf_session_want(from), HF_WANT_DONE);
		return HF_E_MEMORY;
	}
	memset(room, (int)len % 251 + 1, len);
	note_data(room);
	if ((e = hf_session_send(from, room, len)) != HF_OK)
		return e;
	assert_ok(hf_session_drain(from, wire, sizeof(wire), &n));
	if (first > 0 &&
	    (e = hf_session_feed(to, &used, wire, first)) != HF_OK)
		return e;
	if ((e = hf_session_feed(to, &used, wire + first, n - first)) != HF_OK)
		return e;
	assert_ok(hf_session_recv(to, &content, &got));
	assert_int_equal(got.len, len);
	memset(data, (int)len % 251 + 1, len);
	assert_memory_equal(got.ptr, data, len);
	return HF_OK;
}

static inline enum hf_err
handed_ticket(void)
{
	enum hf_content content;
	struct hf_span data;
	struct blob b;
	enum hf_err e;

	if ((e = hf_session_issue_ticket(p.r, 60, 600, 0)) != HF_OK)
		return e;
	take(&b, p.r);
	if ((e = give(p.i, b.bytes, b.len)) != HF_OK)
		return e;
	assert_ok(hf_session_recv(p.i, &content, &data));
	assert_int_equal(content, HF_CONTENT_TICKET);
	return HF_OK;
}

static inline enum hf_err
closed(struct hf_session *from, struct hf_session *to)
{
	enum hf_content content;
	struct hf_span data;
	struct blob b;
	enum hf_err e;

	if ((e = hf_session_close(from)) != HF_OK)
		return e;
	take(&b, from);
	if ((e = give(to, b.bytes, b.len)) != HF_OK)
		return e;
	assert_ok(hf_session_recv(to, &content, &data));
	return HF_OK;
}

/* From such a session no ticket is issued. */
static inline int
single_use(void)
{
	return p.r->ticket != NULL && p.r->ticket->single_use;
}

static inline enum hf_err
whole_session(void)
{
	enum hf_err e;

	if ((e = handshake()) != HF_OK ||
	    (e = record(p.i, p.r, 20, 0)) != HF_OK ||
	    (e = record(p.i, p.r, 3000, 1)) != HF_OK ||
	    (e = record(p.r, p.i, 65536, 40000)) != HF_OK ||
	    (!single_use() && (e = handed_ticket()) != HF_OK) ||
	    (e = record(p.i, p.r, 65536, 0)) != HF_OK ||
	    (e = closed(p.i, p.r)) != HF_OK || (e = closed(p.r, p.i)) != HF_OK)
		return e;
	assert_int_equal(hf_session_want(p.i), HF_WANT_CLOSED);
	assert_int_equal(hf_session_want(p.r), HF_WANT_CLOSED);
	return HF_OK;
}

/* Where it failed, nobody is let in by it: who failed knows nobody. */
static inline void
judge(const struct hf_session *s)
{
	if (s == NULL || hf_session_error(s) == HF_OK)
		return;
	assert_int_equal(hf_session_want(s), HF_WANT_FAILED);
	assert_false(s->keys);
	assert_true(
	    sodium_is_zero((const uint8_t *)&s->send, sizeof(s->send)));
	assert_true(
	    sodium_is_zero((const uint8_t *)&s->recv, sizeof(s->recv)));
	assert_null(s->hs);
}

/* Refuses allocation n. Returns 0 when there is none of that number. */
static inline int
refuse(enum hf_err (*f)(void), unsigned long n, int all)
{
	long live = heap.live;
	enum hf_err e;

	p = (struct pair){ &w, NULL, NULL };
	e = heap_refuse(f, n, all);
	if (heap.n < n || (does_without && e == HF_OK))
		assert_ok(e);
	else
		assert_err(e, HF_E_MEMORY);
	judge(p.i);
	judge(p.r);
	hf_session_free(p.i);
	hf_session_free(p.r);
	assert_int_equal(heap.live, live);
	return heap.n >= n;
}

#endif
