/* SPDX-License-Identifier: ISC */
/*
 * Behind a dispatcher (spec sections 4.8 and 17.9): a session that goes on
 * with another server on the connection that it has, and one that answers a
 * query which met another's handshake.
 */
#include <stdlib.h>

#include "cluster.h"

static struct cluster c;
static struct end a, b;
static struct hf_session *i;

static void
begin(enum hf_method method, int known, enum hf_mobility mobility)
{
	const struct meeting m = { .method = method, .known = known };

	cluster_make(&c, &m, mobility);
	assert_ok(hf_config_dispatched(c.world.i, 1));
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
}

static void
finish(void)
{
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	cluster_free(&c);
}

static enum hf_err
feed_query(struct hf_session *s)
{
	uint8_t query[HF_CLEAR_BYTES];
	size_t used;

	hf_query_write(query);
	return hf_session_feed(s, &used, query, sizeof(query));
}

/* Both marks of both ends are the same. */
static void
agree(const struct hf_session *r)
{
	assert_int_equal(i->send.count, r->recv.count);
	assert_int_equal(i->recv.count, r->send.count);
	assert_memory_equal(i->send.digest, r->recv.digest, 32);
	assert_memory_equal(i->recv.digest, r->send.digest, 32);
}

/* What was put out before the resume goes to the server that was; what it said
 * meanwhile, in two pieces, is passed over. */
static void
stays(enum hf_mobility mobility)
{
	struct blob before, late, rest;
	struct hf_bases bases;
	enum hf_content content;
	struct hf_span data;
	size_t used, whole;

	begin(HF_METHOD_CERTIFICATE, 0, mobility);
	say(i, "for the first");
	say(a.s, "too late");
	take(&late, a.s);
	assert_ok(feed_query(i));
	assert_err(feed_query(i), HF_E_STATE);
	assert_ok(hf_session_recv(i, &content, &data));
	assert_int_equal(content, HF_CONTENT_QUERY);
	assert_int_equal(data.len, 0);
	assert_ok(hf_session_feed(i, &used, late.bytes, 9));
	assert_ok(hf_session_reroute(i, "files", START_MS + 5, NOW + 5));
	assert_err(hf_session_reroute(i, NULL, START_MS, NOW), HF_E_STATE);
	assert_err(hf_session_send(i, (const uint8_t *)"x", 1), HF_E_STATE);
	take(&before, i);
	assert_ok(hf__cbor_extent(&whole, before.bytes, before.len, 1 << 16));
	assert_ok(hf_session_feed(a.s, &used, before.bytes, whole));
	assert_int_equal(received(a.s, "for the first"), HF_CONTENT_DATA);
	assert_ok(give(i, late.bytes + 9, late.len - 9));
	assert_ok(feed_query(i));
	assert_int_equal(hf_session_want(i), HF_WANT_READ);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, before.bytes + whole, before.len - whole));
	assert_ok(converse(&c, i, &b));
	assert_int_equal(i->state, HF__OPEN);
	assert_int_equal(hf_session_epoch(i), 1);
	assert_ok(hf_session_bases(&bases, i));
	assert_int_equal(bases.own_count, 0);
	assert_int_equal(hf_session_target(b.s).len, 5);
	assert_memory_equal(hf_session_target(b.s).ptr, "files", 5);
	say(i, "again");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, "again"), HF_CONTENT_DATA);
	agree(b.s);
	take(&rest, i);
	assert_int_equal(rest.len, 0);
	finish();
}

static void
on_the_same_connection(void **state)
{
	(void)state;
	stays(HF_MOVES_SOFT);
	stays(HF_MOVES_PROVED);
}

/* There and back, and again, on one connection. */
static void
to_and_fro(void **state)
{
	int turn;

	(void)state;
	begin(HF_METHOD_PASSWORD, 1, HF_MOVES_SOFT);
	assert_ok(hf_config_refresh(c.world.i, 0));
	for (turn = 1; turn <= 6; turn++) {
		assert_ok(hf_session_reroute(i, NULL, START_MS, NOW));
		end_free(&a);
		end_make(&a, &c, turn % 2);
		assert_ok(converse(&c, i, &a));
		assert_int_equal(hf_session_epoch(i), turn);
		say(i, "hello there");
		assert_ok(converse(&c, i, &a));
		assert_int_equal(received(a.s, "hello there"),
		    HF_CONTENT_DATA);
		assert_ok(end_checkpoint(&a));
		assert_ok(converse(&c, i, &a));
		assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
		agree(a.s);
	}
	finish();
}

/* A fallback on the same connection asks for the target of the resume. */
static void
falls_back(void **state)
{
	struct hf_lost lost;

	(void)state;
	begin(HF_METHOD_CERTIFICATE, 0, HF_MOVES_SOFT);
	c.shelf.len = 0;
	assert_ok(hf_session_reroute(i, "files", START_MS, NOW));
	end_make(&b, &c, 0);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(i->state, HF__OPEN);
	hf_session_lost(&lost, i);
	assert_err(lost.cause, HF_E_NO_SESSION);
	assert_memory_equal(hf_session_target(b.s).ptr, "files", 5);
	/* It moves on, as any other would, once it is stored. */
	assert_ok(end_checkpoint(&b));
	assert_err(hf_session_reroute(i, "", START_MS, NOW), HF_E_STATE);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_ok(hf_session_reroute(i, "", START_MS, NOW));
	end_free(&b);
	end_make(&b, &c, 1);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(hf_session_epoch(i), 1);
	assert_int_equal(hf_session_target(b.s).len, 0);
	finish();
}

/* The setting decides, and the peer does not. */
static void
only_where_told(void **state)
{
	struct hf_session *other;

	(void)state;
	assert_err(hf_config_dispatched(NULL, 1), HF_E_ARG);
	begin(HF_METHOD_CERTIFICATE, 0, HF_MOVES_SOFT);
	assert_err(hf_config_dispatched(c.server[0], 1), HF_E_ARG);
	assert_err(hf_session_reroute(NULL, NULL, 0, 0), HF_E_ARG);
	assert_err(hf_session_reroute(a.s, NULL, START_MS, NOW), HF_E_STATE);
	assert_err(hf_session_reroute(i, "\n", START_MS, NOW), HF_E_ARG);
	assert_err(hf_session_reroute(i, NULL, START_MS, i->expires),
	    HF_E_EXPIRED);
	assert_int_equal(i->state, HF__OPEN);
	assert_ok(hf_session_new(&other, c.world.i, START_MS, NOW));
	assert_err(hf_session_reroute(other, NULL, START_MS, NOW), HF_E_STATE);
	hf_session_free(other);
	assert_err(feed_query(a.s), HF_E_UNEXPECTED);
	assert_ok(hf_config_dispatched(c.world.i, 0));
	assert_err(hf_session_reroute(i, NULL, START_MS, NOW), HF_E_STATE);
	assert_err(feed_query(i), HF_E_UNEXPECTED);
	finish();
}

/* The query met a handshake of somebody who has a session already. */
static void
earlier_answers(enum hf_method method, int known)
{
	struct hf_session *begun;
	struct blob out;
	uint8_t sid[HF_SID_BYTES];

	begin(method, known, HF_MOVES_SOFT);
	memcpy(sid, hf_session_id(i).ptr, sizeof(sid));
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_new(&begun, c.world.i, START_MS, NOW));
	assert_ok(hf_session_earlier(begun, i));
	while (hf_session_want(begun) == HF_WANT_TRUST)
		assert_ok(answer(&c.world, begun));
	take(&out, begun);
	assert_int_equal(out.bytes[1], known ? HF__REQUEST : HF__HELLO);
	assert_ok(feed_query(begun));
	assert_err(hf_session_error(i), HF_E_STATE);
	assert_int_equal(hf_session_want(i), HF_WANT_FAILED);
	assert_int_equal(hf_session_can_reconnect(i), 0);
	assert_int_equal(hf_session_output(begun).ptr[1], HF__RESUME);
	end_make(&b, &c, 1);
	assert_ok(converse(&c, begun, &b));
	assert_int_equal(begun->state, HF__OPEN);
	assert_memory_equal(hf_session_id(begun).ptr, sid, sizeof(sid));
	assert_int_equal(hf_session_epoch(begun), 1);
	hf_session_free(i);
	i = begun;
	say(i, "and on");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, "and on"), HF_CONTENT_DATA);
	agree(b.s);
	finish();
}

static void
an_earlier_session_answers(void **state)
{
	(void)state;
	earlier_answers(HF_METHOD_CERTIFICATE, 0);
	earlier_answers(HF_METHOD_CERTIFICATE, 1);
	earlier_answers(HF_METHOD_PASSWORD, 1);
}

/* One that cannot go on any more does not. */
static void
an_earlier_session_too_old(void **state)
{
	struct hf_session *begun;
	struct blob out;

	(void)state;
	begin(HF_METHOD_CERTIFICATE, 0, HF_MOVES_SOFT);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	i->expires = NOW + 9;
	assert_ok(hf_session_new(&begun, c.world.i, START_MS, NOW + 9));
	assert_ok(hf_session_earlier(begun, i));
	take(&out, begun);
	assert_ok(feed_query(begun));
	assert_int_equal(hf_session_output(begun).ptr[1], HF__HELLO);
	assert_int_equal(hf_session_can_reconnect(i), 1);
	assert_err(feed_query(begun), HF_E_UNEXPECTED);
	hf_session_free(begun);
	finish();
}

static enum hf_err
earlier_of(struct hf_session *earlier, const char *name, const char *target)
{
	struct hf_session *begun;
	struct hf_config *other;
	enum hf_err e;

	assert_ok(hf_config_new(&other, HF_INITIATOR));
	assert_ok(hf_config_trust(other, c.world.trust));
	assert_ok(hf_config_identity(other, c.world.initiator,
	    c.world.initiator_chain, 1));
	if (name != NULL)
		assert_ok(hf_config_expect(other, name));
	assert_ok(hf_config_target(other, target));
	assert_ok(hf_session_new(&begun, other, START_MS, NOW));
	e = hf_session_earlier(begun, earlier);
	assert_ok(hf_session_earlier(begun, NULL));
	hf_session_free(begun);
	hf_config_free(other);
	return e;
}

/* For another name, or another target, no id is given away. */
static void
not_another_one(void **state)
{
	(void)state;
	begin(HF_METHOD_CERTIFICATE, 0, HF_MOVES_SOFT);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(earlier_of(i, "server.example", ""));
	assert_err(earlier_of(i, NULL, ""), HF_E_ARG);
	assert_err(earlier_of(i, "other.example", ""), HF_E_ARG);
	assert_err(earlier_of(i, "server.example", "files"), HF_E_ARG);
	memcpy(i->target, "files", 6);
	i->target_len = 5;
	assert_ok(earlier_of(i, "server.example", "files"));
	assert_err(earlier_of(i, "server.example", "filez"), HF_E_ARG);
	assert_err(earlier_of(i, "server.example", "file"), HF_E_ARG);
	assert_err(hf_session_earlier(i, i), HF_E_ARG);
	assert_err(hf_session_earlier(NULL, i), HF_E_ARG);
	assert_err(hf_session_earlier(a.s, i), HF_E_ARG);
	assert_err(hf_session_earlier(a.s, NULL), HF_E_ARG);
	finish();
}

/* A dispatcher's words. */
static void
words(void **state)
{
	uint8_t out[HF_CLEAR_BYTES];

	(void)state;
	hf_query_write(out);
	assert_memory_equal(out, "\x82\x09\xa0", 3);
	hf_alert_write(out, HF_E_TARGET);
	assert_memory_equal(out, "\x82\x08\x05", 3);
	hf_alert_write(out, HF_E_UNKNOWN_KEY);
	assert_memory_equal(out, "\x82\x08\x03", 3);
	hf_alert_write(out, HF_E_REFUSED);
	assert_memory_equal(out, "\x82\x08\x01", 3);
}

static void
frame_is(const char *bytes, size_t have, enum hf_err e, int type, size_t len)
{
	size_t found_len = 99;
	int found = 99;

	assert_err(hf_frame_read(&found, &found_len, (const uint8_t *)bytes,
		       have),
	    e);
	assert_int_equal(found, type);
	assert_int_equal(found_len, len);
}

/* Where messages end: a record by its head alone. */
static void
frames(void **state)
{
	(void)state;
	frame_is("", 0, HF_OK, -1, 0);
	frame_is("\x82", 1, HF_OK, -1, 0);
	frame_is("\x81", 1, HF_E_SHAPE, -1, 0);
	frame_is("\x8c", 1, HF_E_SHAPE, -1, 0);
	frame_is("\x82\x10", 2, HF_OK, 16, 0);
	frame_is("\x82\x10\x57", 3, HF_OK, 16, 26);
	frame_is("\x82\x10\x58", 3, HF_OK, 16, 0);
	frame_is("\x82\x10\x58\x18", 4, HF_OK, 16, 28);
	frame_is("\x82\x10\x58\x17", 4, HF_E_CBOR, 16, 0);
	frame_is("\x82\x10\x59\x01\x00", 5, HF_OK, 16, 261);
	frame_is("\x82\x10\x5a\x00\x01\x00\x21", 7, HF_OK, 16, 65576);
	frame_is("\x82\x10\x5a\x00\x01\x00\x22", 7, HF_E_TOO_BIG, 16, 0);
	frame_is("\x82\x10\x5b\0\0\0\0\0\0\0\1", 11, HF_E_CBOR, 16, 0);
	frame_is("\x82\x10\x5b\xff\0\0\0\0\0\0\1", 11, HF_E_TOO_BIG, 16, 0);
	frame_is("\x82\x10\x5f", 3, HF_E_SHAPE, 16, 0);
	frame_is("\x82\x10\x60", 3, HF_E_SHAPE, 16, 0);
	frame_is("\x83\x10\x41", 3, HF_E_SHAPE, 16, 0);
	frame_is("\x82\x0a", 2, HF_E_UNEXPECTED, -1, 0);
	frame_is("\x82\x11", 2, HF_E_UNEXPECTED, -1, 0);
	frame_is("\x82\x18", 2, HF_E_SHAPE, -1, 0);
	frame_is("\x82\x09\xa0\x82", 4, HF_OK, 9, 3);
	frame_is("\x82\x08\x1c", 3, HF_E_CBOR, 8, 0);
	frame_is("\x82\x02\x59\x40\x00", 5, HF_E_TOO_BIG, 2, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_the_same_connection),
		cmocka_unit_test(to_and_fro),
		cmocka_unit_test(falls_back),
		cmocka_unit_test(only_where_told),
		cmocka_unit_test(an_earlier_session_answers),
		cmocka_unit_test(an_earlier_session_too_old),
		cmocka_unit_test(not_another_one),
		cmocka_unit_test(words),
		cmocka_unit_test(frames),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
