/* SPDX-License-Identifier: ISC */
/*
 * Records: order, loss, splicing, the ratchet, running digests, close and
 * truncation (threats B1 to B15), with every suite there is.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static struct world worlds[4];
static size_t worlds_n;

struct bytes {
	uint8_t ptr[HF_RECORD_MAX];
	size_t len;
};

static void
seal(struct bytes *out, struct hf_session *s, const char *text)
{
	assert_ok(hf_session_send(s, (const uint8_t *)text, strlen(text)));
	assert_ok(hf_session_drain(s, out->ptr, sizeof(out->ptr), &out->len));
}

static enum hf_err
feed(struct hf_session *s, const struct bytes *b)
{
	size_t used;
	enum hf_err e = hf_session_feed(s, &used, b->ptr, b->len);

	if (e == HF_OK)
		assert_int_equal(used, b->len);
	return e;
}

static void
expect(struct hf_session *s, const char *text)
{
	enum hf_content content;
	struct hf_span data;

	assert_ok(hf_session_recv(s, &content, &data));
	assert_int_equal(content, HF_CONTENT_DATA);
	assert_int_equal(data.len, strlen(text));
	assert_memory_equal(data.ptr, text, data.len);
}

static void
expect_close(struct hf_session *s)
{
	enum hf_content content;
	struct hf_span data;

	assert_ok(hf_session_recv(s, &content, &data));
	assert_int_equal(content, HF_CONTENT_CLOSE);
	assert_int_equal(data.len, 0);
}

/* B1 to B3: the second first, the second alone, the first twice. */
static void
order(void **state)
{
	static struct bytes a, b;
	struct pair p;
	size_t i, k;

	(void)state;
	for (i = 0; i < worlds_n; i++)
		for (k = 0; k < 2; k++) {
			shake(&p, &worlds[i]);
			seal(&a, p.i, "first");
			seal(&b, p.i, "second");
			if (k == 0) {
				assert_err(feed(p.r, &b), HF_E_BOX);
			} else {
				assert_ok(feed(p.r, &a));
				expect(p.r, "first");
				assert_err(feed(p.r, &a), HF_E_BOX);
			}
			assert_err(feed(p.r, &b), HF_E_STATE);
			pair_free(&p);
		}
}

/* B5: every bit of one record. */
static void
every_bit(void **state)
{
	static struct bytes a;
	enum hf_err e;
	struct pair p;
	size_t i, bit;

	(void)state;
	for (i = 0; i < worlds_n; i++)
		for (bit = 0, a.len = 1; bit < a.len * 8; bit++) {
			shake(&p, &worlds[i]);
			seal(&a, p.i, "every bit of this");
			a.ptr[bit / 8] ^= (uint8_t)(1U << (bit % 8));
			e = give(p.r, a.ptr, a.len);
			if (e == HF_OK) /* it announces more: wait for that */
				assert_err(hf_session_eof(p.r),
				    HF_E_TRUNCATED);
			else if (bit >= 32) /* behind the head */
				assert_err(e, HF_E_BOX);
			assert_err(hf_session_recv(p.r,
				       &(enum hf_content){ 0 },
				       &(struct hf_span){ 0 }),
			    HF_E_STATE);
			pair_free(&p);
		}
}

/* B9, B10: of another session, of the other direction. */
static void
splices(void **state)
{
	static struct bytes a;
	struct pair p, q;
	size_t i;

	(void)state;
	for (i = 0; i < worlds_n; i++) {
		shake(&p, &worlds[i]);
		shake(&q, &worlds[i]);
		seal(&a, p.i, "for p");
		assert_err(feed(q.r, &a), HF_E_BOX);
		assert_err(feed(p.i, &a), HF_E_BOX);
		pair_free(&p);
		pair_free(&q);
	}
}

/* B4, B13: half-close, close, and what must not follow. */
static void
closing(void **state)
{
	static struct bytes a, again;
	struct pair p;

	(void)state;
	shake(&p, &worlds[0]);
	assert_err(hf_session_send(p.i, (const uint8_t *)"", 0), HF_E_ARG);
	seal(&a, p.i, "last words");
	assert_ok(hf_session_close(p.i));
	assert_err(hf_session_close(p.i), HF_E_STATE);
	assert_err(hf_session_send(p.i, (const uint8_t *)"x", 1), HF_E_STATE);
	assert_ok(
	    hf_session_drain(p.i, again.ptr, sizeof(again.ptr), &again.len));
	assert_ok(feed(p.r, &a));
	/* While a record waits, nothing more is taken. */
	assert_err(feed(p.r, &again), HF_E_STATE);
	expect(p.r, "last words");
	assert_ok(feed(p.r, &again));
	expect_close(p.r);
	assert_ok(hf_session_eof(p.r));
	assert_int_equal(hf_session_want(p.r), HF_WANT_DONE);
	/* The other direction is still open. */
	seal(&a, p.r, "the answer");
	assert_ok(feed(p.i, &a));
	expect(p.i, "the answer");
	assert_ok(hf_session_close(p.r));
	assert_int_equal(hf_session_want(p.r), HF_WANT_WRITE);
	assert_ok(hf_session_drain(p.r, a.ptr, sizeof(a.ptr), &a.len));
	assert_int_equal(hf_session_want(p.r), HF_WANT_CLOSED);
	assert_ok(feed(p.i, &a));
	expect_close(p.i);
	assert_int_equal(hf_session_want(p.i), HF_WANT_CLOSED);
	assert_ok(hf_session_eof(p.i));
	pair_free(&p);
}

static void
truncation(void **state)
{
	static struct bytes a;
	struct pair p;
	size_t used;

	(void)state;
	shake(&p, &worlds[0]);
	assert_err(hf_session_eof(p.r), HF_E_TRUNCATED);
	assert_int_equal(hf_session_want(p.r), HF_WANT_FAILED);
	pair_free(&p);
	shake(&p, &worlds[0]);
	seal(&a, p.i, "half of this");
	assert_ok(hf_session_feed(p.r, &used, a.ptr, a.len / 2));
	assert_err(hf_session_eof(p.r), HF_E_TRUNCATED);
	pair_free(&p);
}

/* After its close a direction says nothing: even a genuine record. */
static void
after_close(void **state)
{
	static struct bytes a;
	struct pair p;

	(void)state;
	shake(&p, &worlds[0]);
	assert_ok(hf_session_close(p.i));
	assert_ok(hf_session_drain(p.i, a.ptr, sizeof(a.ptr), &a.len));
	assert_ok(feed(p.r, &a));
	expect_close(p.r);
	p.i->sent_close = false;
	seal(&a, p.i, "and another thing");
	a.len = 2; /* its type is enough */
	assert_err(feed(p.r, &a), HF_E_UNEXPECTED);
	pair_free(&p);
}

/* Contents that are reserved, malformed or out of place. */
static void
contents(void **state)
{
	static const struct {
		uint8_t type;
		const char *data;
		enum hf_err expected;
	} cases[] = {
		{ 0, "x", HF_E_UNEXPECTED },
		{ HF__DATA, "", HF_E_SHAPE },
		{ HF__CLOSE, "x", HF_E_SHAPE },
		{ 3, "x", HF_E_UNEXPECTED },
		{ 4, "x", HF_E_UNEXPECTED },
		{ HF__TICKET, "x", HF_E_UNEXPECTED },
		{ HF__CONTENT_ALERT, "\1", HF_E_REFUSED },
		{ HF__CONTENT_ALERT, "\2", HF_E_STORE },
		{ HF__CONTENT_ALERT, "\x63", HF_E_SHAPE },
		{ HF__CONTENT_ALERT, "\1\1", HF_E_SHAPE },
		{ HF__CONTENT_ALERT, "", HF_E_SHAPE },
		{ 7, "x", HF_E_UNEXPECTED },
		{ 8, "x", HF_E_UNEXPECTED },
		{ 255, "x", HF_E_UNEXPECTED },
	};
	static struct bytes a;
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		shake(&p, &worlds[0]);
		assert_ok(hf__record_seal(p.i, (enum hf__content)cases[i].type,
		    (const uint8_t *)cases[i].data, strlen(cases[i].data)));
		assert_ok(hf_session_drain(p.i, a.ptr, sizeof(a.ptr), &a.len));
		assert_err(feed(p.r, &a), cases[i].expected);
		/* Its resumption secret outlives the connection. */
		assert_false(sodium_is_zero(p.r->secrets.resumption, 32));
		assert_true(
		    sodium_is_zero((uint8_t *)&p.r->recv, sizeof(p.r->recv)));
		assert_true(
		    sodium_is_zero((uint8_t *)&p.r->send, sizeof(p.r->send)));
		pair_free(&p);
	}
	/* A ticket record must hold a ticket file. */
	shake(&p, &worlds[0]);
	assert_ok(hf__record_seal(p.r, HF__TICKET, (const uint8_t *)"x", 1));
	assert_ok(hf_session_drain(p.r, a.ptr, sizeof(a.ptr), &a.len));
	assert_err(feed(p.i, &a), HF_E_SHAPE);
	pair_free(&p);
}

/* A responder hands out tickets for itself: the holder expects the audience. */
static void
foreign_ticket(void **state)
{
	struct hf_ticket_info info = { .issued = NOW, .expires = NOW + 60 };
	uint8_t file[1024];
	static struct bytes a;
	struct pair p;
	size_t len, i;

	(void)state;
	name_set(&info.subject, "alice");
	for (i = 0; i < 2; i++) {
		name_set(&info.audience,
		    i == 0 ? "server.example" : "evil.example");
		assert_ok(hf_ticket_issue(file, sizeof(file), &len,
		    worlds[0].ring, &info));
		shake(&p, &worlds[0]);
		assert_ok(hf__record_seal(p.r, HF__TICKET, file, len));
		assert_ok(hf_session_drain(p.r, a.ptr, sizeof(a.ptr), &a.len));
		assert_err(feed(p.i, &a), i == 0 ? HF_OK : HF_E_SHAPE);
		pair_free(&p);
	}
}

/* An alert in the clear is nobody's word: the connection ends, no more. */
static void
clear_alert(void **state)
{
	static const uint8_t alert[] = { 0x82, HF__ALERT, 1 };
	struct pair p;
	size_t used;

	(void)state;
	shake(&p, &worlds[0]);
	assert_err(hf_session_feed(p.i, &used, alert, sizeof(alert)),
	    HF_E_UNEXPECTED);
	assert_false(sodium_is_zero(p.i->secrets.resumption, 32));
	pair_free(&p);
}

/* --- sizes and memory -------------------------------------------------------------- */

static void
sizes(void **state)
{
	static const size_t lens[] = { 1, 5, 6, 7, 22, 23, 24, 237, 238, 239,
		240, 255, 256, 1024, 16384, 65518, 65519, 65535, 65536 };
	static uint8_t data[HF_PLAINTEXT_MAX + 1];
	static struct bytes a;
	enum hf_content content;
	struct hf_span got;
	struct pair p;
	uint8_t *room;
	size_t i, k, used;

	(void)state;
	randombytes_buf(data, sizeof(data));
	for (k = 0; k < worlds_n; k++) {
		shake(&p, &worlds[k]);
		assert_err(hf_session_send(p.i, data, sizeof(data)), HF_E_ARG);
		assert_null(hf_session_room(p.i, sizeof(data)));
		for (i = 0; i < HF__ARRAY_N(lens) * 3; i++) {
			size_t len = lens[i / 3];

			if (i % 3 == 0) {
				assert_ok(hf_session_send(p.i, data, len));
			} else {
				room = hf_session_room(p.i, HF_PLAINTEXT_MAX);
				assert_non_null(room);
				memcpy(room, data, len);
				assert_ok(hf_session_send(p.i, room, len));
			}
			assert_ok(hf_session_drain(p.i, a.ptr, sizeof(a.ptr),
			    &a.len));
			if (i % 3 == 2) { /* in two pieces */
				assert_ok(hf_session_feed(p.r, &used, a.ptr,
				    a.len / 2));
				assert_ok(hf_session_feed(p.r, &used,
				    a.ptr + a.len / 2, a.len - a.len / 2));
			} else {
				assert_ok(feed(p.r, &a));
			}
			assert_ok(hf_session_recv(p.r, &content, &got));
			assert_int_equal(got.len, len);
			assert_memory_equal(got.ptr, data, len);
		}
		assert_true(hf_session_bytes(p.i) <= 262144);
		assert_true(hf_session_bytes(p.r) <= 262144);
		pair_free(&p);
	}
}

/* Output that nobody drains is bounded, and says so without harm. */
static void
output_bound(void **state)
{
	static uint8_t data[HF_PLAINTEXT_MAX];
	struct pair p;

	(void)state;
	shake(&p, &worlds[0]);
	assert_ok(hf_session_send(p.i, data, sizeof(data)));
	assert_ok(hf_session_send(p.i, data, sizeof(data)));
	assert_err(hf_session_send(p.i, data, sizeof(data)), HF_E_SPACE);
	assert_int_equal(hf_session_want(p.i), HF_WANT_WRITE);
	assert_ok(hf_session_drained(p.i, hf_session_output(p.i).len));
	assert_ok(hf_session_send(p.i, data, sizeof(data)));
	assert_true(hf_session_bytes(p.i) <= 262144);
	pair_free(&p);
}

/* --- ratchet, exhaustion, digests --------------------------------------------------- */

static void
skip_to(struct pair *p, uint64_t seq)
{
	p->i->send.seq = p->r->recv.seq = seq;
}

static void
ratchet(void **state)
{
	uint8_t before[32];
	static struct bytes a, forged;
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < worlds_n; i++) {
		shake(&p, &worlds[i]);
		memcpy(before, p.r->recv.ratchet, 32);
		skip_to(&p, HF__RATCHET_RECORDS - 1);
		seal(&a, p.i, "old key");
		assert_ok(feed(p.r, &a));
		expect(p.r, "old key");
		assert_memory_equal(p.r->recv.ratchet, before, 32);
		seal(&a, p.i, "new key");
		assert_memory_not_equal(p.i->send.ratchet, before, 32);
		assert_ok(feed(p.r, &a));
		expect(p.r, "new key");
		assert_memory_equal(p.r->recv.ratchet, p.i->send.ratchet, 32);
		assert_int_equal(p.r->recv.seq, HF__RATCHET_RECORDS + 1);
		seal(&a, p.i, "still new");
		assert_ok(feed(p.r, &a));
		expect(p.r, "still new");
		/* A forged first record of the new key changes nothing. */
		skip_to(&p, 2 * HF__RATCHET_RECORDS);
		memcpy(before, p.r->recv.ratchet, 32);
		seal(&a, p.i, "newer");
		forged = a;
		forged.ptr[9] ^= 1;
		assert_err(hf__record_parse(p.r,
			       (struct hf_span){ forged.ptr, forged.len },
			       &(enum hf__state){ HF__OPEN }),
		    HF_E_BOX);
		assert_memory_equal(p.r->recv.ratchet, before, 32);
		assert_ok(feed(p.r, &a));
		expect(p.r, "newer");
		pair_free(&p);
	}
}

/* B6: the sequence stops before it could wrap. */
static void
exhaustion(void **state)
{
	static struct bytes a;
	struct pair p;

	(void)state;
	shake(&p, &worlds[0]);
	skip_to(&p, HF__SEQ_MAX - 1);
	seal(&a, p.i, "the last");
	assert_err(hf_session_send(p.i, (const uint8_t *)"x", 1),
	    HF_E_EXHAUSTED);
	assert_int_equal(hf_session_output(p.i).len, 0);
	assert_ok(feed(p.r, &a));
	expect(p.r, "the last");
	assert_err(feed(p.r, &a), HF_E_EXHAUSTED);
	pair_free(&p);
}

static void
digests(void **state)
{
	static struct bytes a;
	uint8_t x[32], y[32], start[32], mine[56];
	uint64_t n;
	struct pair p;
	size_t i;

	(void)state;
	shake(&p, &worlds[0]);
	assert_ok(hf_session_digest(start, &n, p.i, HF_INITIATOR));
	assert_int_equal(n, 0);
	assert_ok(hf_session_digest(x, &n, p.i, HF_RESPONDER));
	assert_memory_not_equal(start, x, 32);
	for (i = 0; i < 3; i++) {
		seal(&a, p.i, "one more");
		assert_ok(feed(p.r, &a));
		/* Decrypted is not yet released. */
		assert_ok(hf_session_digest(y, &n, p.r, HF_INITIATOR));
		assert_int_equal(n, i);
		expect(p.r, "one more");
		assert_ok(hf_session_digest(x, &n, p.i, HF_INITIATOR));
		assert_int_equal(n, i + 1);
		assert_ok(hf_session_digest(y, &n, p.r, HF_INITIATOR));
		assert_int_equal(n, i + 1);
		assert_memory_equal(x, y, 32);
		if (i == 0) { /* by its definition */
			memcpy(mine, start, 32);
			memset(mine + 32, 0, 8);
			memcpy(mine + 40, a.ptr + a.len - 16, 16);
			hf__hash(y, mine, sizeof(mine));
			assert_memory_equal(x, y, 32);
		}
	}
	pair_free(&p);
}

/* A session that failed hands out no record that it had opened. */
static void
pending_at_the_end(void **state)
{
	enum hf_content content;
	static struct bytes a;
	struct hf_span got;
	struct pair p;

	(void)state;
	shake(&p, &worlds[0]);
	seal(&a, p.i, "too late");
	assert_ok(feed(p.r, &a));
	assert_int_equal(hf_session_want(p.r), HF_WANT_RECV);
	assert_err(hf_session_tick(p.r, START_MS, NOW + 86400), HF_E_EXPIRED);
	assert_err(hf_session_recv(p.r, &content, &got), HF_E_STATE);
	assert_ok(hf_session_tick(p.r, START_MS, NOW + 86401));
	assert_err(hf_session_eof(p.r), HF_E_EXPIRED);
	assert_err(hf_session_error(p.r), HF_E_EXPIRED);
	pair_free(&p);
}

/* Closed both ways: no key is kept, only the digests. */
static void
keys_of_a_closed_session(void **state)
{
	static struct bytes a;
	struct pair p;
	int i;

	(void)state;
	shake(&p, &worlds[0]);
	for (i = 0; i < 2; i++) {
		struct hf_session *s = i == 0 ? p.i : p.r;

		assert_ok(hf_session_close(s));
		assert_ok(hf_session_drain(s, a.ptr, sizeof(a.ptr), &a.len));
		assert_ok(feed(i == 0 ? p.r : p.i, &a));
		expect_close(i == 0 ? p.r : p.i);
	}
	for (i = 0; i < 2; i++) {
		const struct hf__traffic *t = i == 0 ? &p.r->send : &p.r->recv;

		assert_true(
		    sodium_is_zero((const uint8_t *)&t->key, sizeof(t->key)));
		assert_true(sodium_is_zero(t->ratchet, 32));
		assert_false(sodium_is_zero(t->digest, 32));
	}
	pair_free(&p);
}

/* Nothing leaves before the handshake is done. */
static void
too_early(void **state)
{
	uint8_t out[32];
	uint64_t n;
	struct pair p;

	(void)state;
	pair_make(&p, &worlds[0]);
	assert_err(hf_session_send(p.i, (const uint8_t *)"x", 1), HF_E_STATE);
	assert_err(hf_session_close(p.r), HF_E_STATE);
	assert_err(hf_session_export(out, 32, p.i, "x", NULL, 0), HF_E_STATE);
	assert_err(hf_session_digest(out, &n, p.i, HF_INITIATOR), HF_E_STATE);
	assert_err(hf_session_issue_ticket(p.r, 1, 1, 0), HF_E_STATE);
	assert_int_equal(hf_session_id(p.i).len, 0);
	pair_free(&p);
}

static int
set_up(void **state)
{
	int suite;

	(void)state;
	assert_ok(hf_init());
	for (suite = 1; suite <= 4; suite++)
		if (hf_suite_available(suite))
			world_make(&worlds[worlds_n++],
			    &(struct meeting){ .method = HF_METHOD_TICKET,
				.known = 1,
				.suite = suite });
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	while (worlds_n > 0)
		world_free(&worlds[--worlds_n]);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(splices),
		cmocka_unit_test(closing),
		cmocka_unit_test(truncation),
		cmocka_unit_test(after_close),
		cmocka_unit_test(contents),
		cmocka_unit_test(foreign_ticket),
		cmocka_unit_test(clear_alert),
		cmocka_unit_test(sizes),
		cmocka_unit_test(output_bound),
		cmocka_unit_test(ratchet),
		cmocka_unit_test(exhaustion),
		cmocka_unit_test(digests),
		cmocka_unit_test(pending_at_the_end),
		cmocka_unit_test(keys_of_a_closed_session),
		cmocka_unit_test(too_early),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
