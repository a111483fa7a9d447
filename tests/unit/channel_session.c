/* SPDX-License-Identifier: ISC */
/*
 * Channels in sessions (spec sections 4.1, 9.5 and 20.1): who has them, what
 * records a session then takes and gives, and what a takeover does to them.
 */
#include "channel.h"
#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };
static const struct meeting by_hello = { .method = HF_METHOD_CERTIFICATE,
	.grease = 1,
	.target = "t" };

/* A session with the first server, each end willing or not. */
static void
begin(const struct meeting *m, int asks, int gives)
{
	cluster_make(&c, m, HF_MOVES_SOFT);
	assert_ok(hf_config_channels(c.world.i, asks));
	assert_ok(hf_config_channels(c.server[0], gives));
	assert_ok(hf_config_channels(c.server[1], gives));
	assert_ok(hf_config_dispatched(c.world.i, m->grease));
	memset(&b, 0, sizeof(b));
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

/* What reaches a session as the one record that waits. */
static enum hf_content
take_record(struct hf_session *s, struct hf_span *data)
{
	enum hf_content content;

	assert_int_equal(hf_session_want(s), HF_WANT_RECV);
	assert_ok(hf_session_recv(s, &content, data));
	return content;
}

static const uint8_t frames[] = { 0x83, 0x00, 0x00, 0x61, 'e' };

static void
who_has_them(void **state)
{
	static const struct meeting *const meetings[] = { &by_cert,
		&by_hello };
	struct hf_span data;
	int n;

	(void)state;
	for (n = 0; n < 8; n++) {
		int asks = n & 1, gives = (n & 2) != 0, both = asks && gives;

		begin(meetings[n / 4], asks, gives);
		assert_int_equal(hf_session_channels(i), both);
		assert_int_equal(hf_session_channels(a.s), both);
		assert_err(hf_session_send(i, frames, 1),
		    both ? HF_E_STATE : HF_OK);
		assert_err(hf_session_send_frames(i, frames, sizeof(frames)),
		    both ? HF_OK : HF_E_STATE);
		assert_ok(converse(&c, i, &a));
		assert_int_equal(take_record(a.s, &data),
		    both ? HF_CONTENT_CHANNEL : HF_CONTENT_DATA);
		assert_int_equal(data.len, both ? sizeof(frames) : 1);
		finish();
	}
}

/* The extension is in the messages that the specification names. */
static void
extension(void **state)
{
	struct hf_session *s;
	struct blob out;
	size_t at, len;

	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_channels(c.world.i, 1));
	assert_ok(hf_session_new(&s, c.world.i, START_MS, NOW));
	assert_ok(answer(&c.world, s));
	take(&out, s);
	at = item_at(&len, out.bytes, out.len, 8);
	assert_int_equal(len, 3);
	assert_memory_equal(out.bytes + at, "\xa1\x02\x40", 3);
	hf_session_free(s);
	assert_err(hf_config_channels(NULL, 1), HF_E_ARG);
	cluster_free(&c);
}

/* Records of the wrong kind, by a peer who has the keys. */
static void
wrong_kind(void **state)
{
	int with;

	(void)state;
	for (with = 0; with < 2; with++) {
		begin(&by_cert, with, with);
		assert_ok(hf__record_seal(i, with ? HF__DATA : HF__CHANNEL,
		    frames, sizeof(frames)));
		assert_err(converse(&c, i, &a), HF_E_UNEXPECTED);
		finish();
		begin(&by_cert, with, with);
		assert_ok(hf__record_seal(a.s, with ? HF__DATA : HF__CHANNEL,
		    frames, sizeof(frames)));
		assert_err(converse(&c, i, &a), HF_E_UNEXPECTED);
		finish();
	}
	begin(&by_cert, 1, 1);
	assert_ok(hf__record_seal(i, HF__CHANNEL, NULL, 0));
	assert_err(converse(&c, i, &a), HF_E_SHAPE);
	finish();
}

/* Frames that break the rules fail the session, and the peer is told as
 * little as ever. */
static void
broken_rules(void **state)
{
	struct hf_span data;
	struct hf_mux *m;
	enum hf_err e;

	(void)state;
	begin(&by_cert, 1, 1);
	assert_ok(hf_mux_new(&m, HF_RESPONDER, NULL));
	assert_ok(hf_session_send_frames(i, (const uint8_t *)"\x82\x03\x00",
	    3)); /* a fin for what was never opened */
	assert_ok(converse(&c, i, &a));
	assert_int_equal(take_record(a.s, &data), HF_CONTENT_CHANNEL);
	e = hf_mux_feed(m, data.ptr, data.len);
	assert_err(e, HF_E_UNEXPECTED);
	assert_err(hf_session_fail(a.s, HF_OK), HF_E_ARG);
	assert_err(hf_session_fail(a.s, HF_E_ARG), HF_E_ARG);
	assert_err(hf_session_fail(a.s, HF_E_AGAIN), HF_E_ARG);
	assert_err(hf_session_fail(a.s, HF_E_RESET), HF_E_ARG);
	assert_err(hf_session_fail(a.s, e), HF_E_UNEXPECTED);
	assert_err(hf_session_fail(a.s, HF_E_CBOR), HF_E_STATE);
	assert_err(hf_session_error(a.s), HF_E_UNEXPECTED);
	assert_err(hf_mux_seal(m, a.s, 1), HF_E_UNEXPECTED);
	assert_err(converse(&c, i, &a), HF_E_REFUSED);
	hf_mux_free(m);
	finish();
}

/* As many bytes as a record may carry now. */
static void
sendable(void **state)
{
	size_t n, left = 4 << 20;

	(void)state;
	begin(&by_cert, 1, 1);
	assert_int_equal(hf_session_sendable(i), HF_PLAINTEXT_MAX);
	assert_int_equal(hf_session_sendable(NULL), 0);
	while ((n = hf_session_sendable(i)) > 0) {
		uint8_t *room = hf_session_room(i, n);

		memset(room, 0, n);
		assert_true(n <= left);
		left -= n;
		assert_err(hf_session_send_frames(i, room, n + 1),
		    n == HF_PLAINTEXT_MAX ? HF_E_ARG : HF_E_SPACE);
		assert_ok(hf_session_send_frames(i, room, n));
		/* the window of a session that moves, else the output */
		if (hf_session_sendable(i) < HF_PLAINTEXT_MAX)
			assert_ok(
			    hf_session_drained(i, hf_session_output(i).len));
	}
	assert_int_equal(left, 0);
	assert_err(hf_session_send_frames(i, frames, 1), HF_E_SPACE);
	assert_ok(hf_session_close(i));
	assert_int_equal(hf_session_sendable(i), 0);
	assert_err(hf_session_send_frames(i, frames, 1), HF_E_STATE);
	finish();
}

/* Two applications talk through muxes over sessions. */
static void
pour(struct hf_mux *to, struct hf_session *from, struct hf_session *at)
{
	struct hf_span out, data;
	size_t used;

	while ((out = hf_session_output(from)).len > 0) {
		assert_ok(hf_session_feed(at, &used, out.ptr, out.len));
		assert_ok(hf_session_drained(from, used));
		if (hf_session_want(at) == HF_WANT_RECV &&
		    take_record(at, &data) == HF_CONTENT_CHANNEL)
			assert_ok(hf_mux_feed(to, data.ptr, data.len));
	}
}

static void
sealed(void **state)
{
	static uint8_t text[50000];
	struct hf_mux *m[2];
	struct hf_channel *ch, *peers;
	size_t taken;

	(void)state;
	begin(&by_cert, 1, 1);
	assert_ok(hf_mux_new(&m[0], HF_INITIATOR, NULL));
	assert_ok(hf_mux_new(&m[1], HF_RESPONDER, NULL));
	memset(text, 'y', sizeof(text));
	assert_ok(hf_channel_open(&ch, m[0], "echo", 4));
	assert_ok(hf_channel_send(ch, &taken, text, sizeof(text)));
	assert_int_equal(taken, sizeof(text));
	assert_err(hf_mux_seal(m[0], NULL, 1), HF_E_ARG);
	/* about so much, and the rest when it is asked for again */
	assert_ok(hf_mux_seal(m[0], i, 1));
	assert_true(hf_session_output(i).len < HF_QUANTUM + 64);
	pour(m[1], i, a.s);
	assert_int_equal(hf_mux_next(m[1], &peers),
	    HF_NEWS_OPENED | HF_NEWS_READABLE);
	assert_ok(hf_channel_finish(ch));
	assert_ok(hf_mux_seal(m[0], i, SIZE_MAX));
	pour(m[1], i, a.s);
	assert_int_equal(hf_channel_data(peers).len, sizeof(text));
	assert_memory_equal(hf_channel_data(peers).ptr, text, sizeof(text));
	/* no more than the session has room for */
	while (hf_session_sendable(i) >= HF_FRAMES_MIN) {
		assert_ok(hf_channel_open(&ch, m[0], "", 0));
		assert_ok(hf_channel_send(ch, &taken, text, sizeof(text)));
		assert_ok(hf_mux_seal(m[0], i, SIZE_MAX));
	}
	assert_int_equal(hf_mux_pending(m[0]), 1);
	pour(m[1], i, a.s);
	assert_ok(hf_mux_seal(m[0], i, SIZE_MAX));
	assert_int_equal(hf_mux_pending(m[0]), 0);
	hf_mux_free(m[0]);
	hf_mux_free(m[1]);
	finish();
	begin(&by_cert, 0, 1);
	assert_ok(hf_mux_new(&m[0], HF_INITIATOR, NULL));
	assert_err(hf_mux_seal(m[0], i, 1), HF_E_STATE);
	hf_mux_free(m[0]);
	finish();
}

/* A takeover goes on with channels, or without, as the session was; their
 * records are released by themselves, and are within the digests. */
static void
moved(void **state)
{
	struct hf_span data;
	int with;

	(void)state;
	for (with = 0; with < 2; with++) {
		begin(&by_cert, with, 1);
		assert_ok(hf_config_release_by_hand(c.server[1], with));
		if (with)
			assert_ok(
			    hf_session_send_frames(i, frames, sizeof(frames)));
		else
			say(i, "data");
		assert_ok(converse(&c, i, &a));
		(void)take_record(a.s, &data);
		assert_ok(end_checkpoint(&a));
		assert_ok(cluster_move(&c, i, &b, 1));
		assert_int_equal(hf_session_channels(i), with);
		assert_int_equal(hf_session_channels(b.s), with);
		assert_int_equal(b.s->recv.bytes, with ? 5 : 4);
		assert_int_equal(i->move->acked.bytes, with ? 5 : 4);
		if (with) {
			assert_ok(hf_session_send_frames(i, frames, 5));
			assert_ok(converse(&c, i, &b));
			(void)take_record(b.s, &data);
			assert_int_equal(b.s->move->released.bytes, 10);
			assert_err(hf_session_release(b.s, 1), HF_E_ARG);
		}
		finish();
	}
}

/* A server that serves none does not go on with such a session; its grant to
 * the handshake that follows says so. */
static void
moved_to_one_without(void **state)
{
	(void)state;
	begin(&by_hello, 1, 1);
	assert_ok(hf_config_channels(c.server[0], 0));
	assert_ok(cluster_move(&c, i, &b, 0));
	assert_err(hf_session_refused(b.s), HF_E_NO_SESSION);
	assert_int_equal(i->state, HF__OPEN);
	assert_int_equal(hf_session_epoch(i), 0);
	assert_int_equal(hf_session_channels(i), 0);
	assert_int_equal(hf_session_channels(b.s), 0);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_them),
		cmocka_unit_test(extension),
		cmocka_unit_test(wrong_kind),
		cmocka_unit_test(broken_rules),
		cmocka_unit_test(sendable),
		cmocka_unit_test(sealed),
		cmocka_unit_test(moved),
		cmocka_unit_test(moved_to_one_without),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
