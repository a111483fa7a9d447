/* SPDX-License-Identifier: ISC */
/*
 * What a session that moves remembers, at its far ends: a history at its
 * largest, which has forgotten what was acked; an ack behind data that the
 * application has not released; and whence a ticket came, from one server to
 * the next.
 */
#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };

static void
begin(const struct meeting *m)
{
	cluster_make(&c, m, HF_MOVES_SOFT);
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	memset(&b, 0, sizeof(b));
}

static void
finish(void)
{
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	cluster_free(&c);
}

static void
forth(const char *data)
{
	say(i, data);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, data), HF_CONTENT_DATA);
}

static enum hf_content
take_one(struct hf_session *s)
{
	enum hf_content content;
	struct hf_span data;

	assert_ok(hf_session_recv(s, &content, &data));
	return content;
}

/* More acks than the history has room for, all of them taken. */
static void
acks_without_end(void)
{
	int n;

	for (n = 0; n < HF__HISTORY_MAX; n++) {
		assert_ok(hf__ack_tell(i));
		assert_ok(converse(&c, i, &a));
		assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	}
	assert_int_equal(i->move->sent.cap, HF__HISTORY_MAX);
	assert_true(i->move->sent.oldest > i->move->acked.count);
}

/* An ack of a count whose mark is gone cannot be kept, so it is refused. */
static void
forgotten(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	(void)state;
	begin(&by_cert);
	forth("one");
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	acks_without_end();
	assert_ok(hf_session_checkpointed(a.s, HF_OK));
	assert_err(converse(&c, i, &a), HF_E_SHAPE);
	assert_int_equal(i->state, HF__FAILED);
	finish();
}

/* But where the last ack left it the session can go on. */
static void
as_it_was_acked(void **state)
{
	struct hf_bases bases;

	(void)state;
	begin(&by_cert);
	forth("one");
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	acks_without_end();
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_ok(hf_session_bases(&bases, i));
	assert_int_equal(bases.own_count, 1);
	assert_int_equal(bases.own_bytes, 3);
	assert_int_equal(bases.sent_count, 1 + HF__HISTORY_MAX);
	finish();
}

/* Only as it was acked. */
static void
not_as_it_was_acked(void **state)
{
	(void)state;
	begin(&by_cert);
	forth("one");
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	acks_without_end();
	i->move->acked.digest[0] ^= 1;
	assert_err(cluster_move(&c, i, &b, 1), HF_E_ROLLBACK);
	finish();
}

/* Nor may it go on from between what was acked and what is remembered: of
 * that nothing can be compared. */
static void
unknown(void **state)
{
	(void)state;
	begin(&by_cert);
	forth("one");
	forth("two");
	assert_ok(end_checkpoint(&a));
	assert_ok(hf_session_drained(a.s, hf_session_output(a.s).len));
	acks_without_end();
	assert_int_equal(i->move->acked.count, 0);
	assert_err(cluster_move(&c, i, &b, 1), HF_E_ROLLBACK);
	finish();
}

/* A state that is older by what its owner had sent alone. */
static void
older_by_its_own(void **state)
{
	struct shelf kept;

	(void)state;
	begin(&by_cert);
	kept = c.shelf;
	say(a.s, "back");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, "back"), HF_CONTENT_DATA);
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_int_equal(i->move->covered, 2);
	c.shelf = kept;
	assert_err(cluster_move(&c, i, &b, 1), HF_E_ROLLBACK);
	finish();
}

/* One that is older by what it had received alone. */
static void
older_by_the_peers(void **state)
{
	struct hf__stored was, is;

	(void)state;
	begin(&by_cert);
	assert_ok(
	    hf__state_open(&was, c.vault[0], c.shelf.entry, c.shelf.len, NOW));
	forth("one");
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_int_equal(i->move->acked.count, 1);
	assert_ok(
	    hf__state_open(&is, c.vault[0], c.shelf.entry, c.shelf.len, NOW));
	is.received = was.received;
	assert_ok(
	    hf__state_seal(c.shelf.entry, &c.shelf.len, c.vault[0], &is, NOW));
	assert_err(cluster_move(&c, i, &b, 1), HF_E_ROLLBACK);
	finish();
}

/* An ack is released by itself, but not before the data that came first. */
static void
behind_data(void **state)
{
	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_release_by_hand(c.server[0], 1));
	memset(&b, 0, sizeof(b));
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_ok(hf__ack_tell(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	assert_int_equal(a.s->move->released.count, 1);
	forth("kept back");
	assert_ok(hf__ack_tell(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	assert_int_equal(a.s->recv.count, 3);
	assert_int_equal(a.s->move->released.count, 1);
	assert_ok(hf_session_release(a.s, 3));
	assert_int_equal(a.s->move->released.bytes, 9);
	finish();
}

/* What there is no room for is not put out: no ack, no query. */
static void
no_room(void **state)
{
	static const uint8_t data[HF_PLAINTEXT_MAX];
	size_t waits;
	int n;

	(void)state;
	begin(&by_cert);
	for (n = 0; n < 300; n++)
		say(a.s, "x");
	while (hf_session_send(i, data, sizeof(data)) == HF_OK)
		continue;
	while (hf_session_send(i, data, 1) == HF_OK)
		continue;
	waits = hf_session_output(i).len;
	for (n = 0; n < 300; n++) {
		struct hf_span out = hf_session_output(a.s);
		size_t used;

		assert_ok(hf_session_feed(i, &used, out.ptr, out.len));
		assert_ok(hf_session_drained(a.s, used));
		assert_true(i->pending);
		assert_int_equal(take_one(i), HF_CONTENT_DATA);
	}
	assert_int_equal(hf_session_output(i).len, waits);
	assert_int_equal(i->move->told.count, 0);
	finish();
}

/* Neither more records nor more bytes than the window wait for an ack. */
static void
window_of_bytes(void **state)
{
	static const uint8_t data[HF_PLAINTEXT_MAX];
	uint64_t sent = 0;

	(void)state;
	begin(&by_cert);
	while (hf_session_send(i, data, sizeof(data)) == HF_OK) {
		sent += sizeof(data);
		assert_ok(converse(&c, i, &a));
		assert_int_equal(take_one(a.s), HF_CONTENT_DATA);
	}
	assert_int_equal(sent, HF__WINDOW_BYTES);
	assert_err(hf_session_send(i, data, 1), HF_E_SPACE);
	finish();
}

/* What an initiator has not released it neither acks nor shows. */
static void
initiator_by_hand(void **state)
{
	struct hf_bases bases;

	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_release_by_hand(c.world.i, 1));
	memset(&b, 0, sizeof(b));
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	say(a.s, "back");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, "back"), HF_CONTENT_DATA);
	assert_ok(hf__ack_tell(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	assert_int_equal(a.s->move->acked.count, 1);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_ok(hf_session_bases(&bases, b.s));
	assert_int_equal(bases.own_count, 1);
	assert_int_equal(bases.own_bytes, 0);
	finish();
}

/* A cookie that is not ours is none. */
static void
cookies(void **state)
{
	struct blob message;

	(void)state;
	begin(&by_cert);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	take(&message, i);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, message.bytes, message.len));
	assert_ok(hf_session_admit(b.s, HF_ADMIT_COOKIE));
	take(&message, b.s);
	message.bytes[message.len - 1] ^= 1;
	assert_ok(give(i, message.bytes, message.len));
	take(&message, i);
	assert_ok(give(b.s, message.bytes, message.len));
	assert_int_equal(hf_session_want(b.s), HF_WANT_ADMIT);
	assert_int_equal(hf_session_cookie_shown(b.s), 0);
	finish();
}

/* One retry a connection, also where a handshake follows. */
static void
one_retry(void **state)
{
	static const uint8_t retry[] = { 0x82, HF__RETRY, 0x41, 0 };
	struct blob message;
	int n;

	(void)state;
	for (n = 0; n < 2; n++) {
		begin(&by_cert);
		c.shelf.len = 0;
		assert_err(hf_session_eof(i), HF_E_TRUNCATED);
		assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
		if (n == 1)
			assert_ok(give(i, retry, sizeof(retry)));
		take(&message, i);
		assert_ok(give(i, (const uint8_t[]){ 0x82, HF__ALERT, 4 }, 3));
		assert_ok(answer(&c.world, i));
		take(&message, i);
		assert_err(give(i, retry, sizeof(retry)),
		    n == 0 ? HF_OK : HF_E_UNEXPECTED);
		finish();
	}
}

/* A session that stands in for one that was closed in part is open. */
static void
closes_of_the_lost(void **state)
{
	(void)state;
	begin(&by_cert);
	assert_ok(hf_session_close(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_CLOSE);
	c.shelf.len = 0;
	assert_ok(cluster_move(&c, i, &b, 0));
	assert_int_equal(hf_session_epoch(i), 0);
	say(i, "open");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, "open"), HF_CONTENT_DATA);
	finish();
}

/* A close is released when its record is, and not before. */
static void
close_by_hand(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	struct hf__stored st;
	size_t len;

	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_release_by_hand(c.server[0], 1));
	memset(&b, 0, sizeof(b));
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	forth("one");
	assert_ok(hf_session_close(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_CLOSE);
	assert_ok(hf_session_release(a.s, 1));
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	assert_ok(hf_session_checkpointed(a.s, HF_E_STORE));
	assert_ok(hf__state_open(&st, c.vault[0], entry, len, NOW));
	assert_int_equal(st.closed, 0);
	assert_ok(hf_session_release(a.s, 2));
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	assert_ok(hf__state_open(&st, c.vault[0], entry, len, NOW));
	assert_int_equal(st.closed, HF__CLOSED_I);
	finish();
}

/* What can be asked of a session that moves, and when. */
static void
when(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	(void)state;
	begin(&by_cert);
	assert_err(hf_session_release(a.s, 0), HF_E_ARG); /* not by hand */
	assert_err(hf_session_checkpoint(a.s, entry, 100, &len), HF_E_SPACE);
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	assert_ok(hf_session_checkpointed(a.s, HF_E_STORE));
	assert_err(hf_session_reconnect(a.s, START_MS, NOW), HF_E_STATE);
	assert_ok(hf_session_close(a.s));
	assert_err(hf_session_query(a.s), HF_E_STATE);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_CLOSE);
	assert_ok(hf_session_close(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_CLOSE);
	assert_int_equal(hf_session_want(a.s), HF_WANT_CLOSED);
	assert_err(hf_session_checkpoint(a.s, entry, sizeof(entry), &len),
	    HF_E_STATE);
	a.s->sent_close = false; /* whatever it remembers */
	assert_err(hf_session_query(a.s), HF_E_STATE);
	finish();
}

/* --- tickets ---------------------------------------------------------------------------- */

/* The initiator holds a ticket that its certificate earned. */
static void
earn_ticket(void)
{
	struct hf_span ticket;
	enum hf_content content;

	assert_ok(hf_session_issue_ticket(a.s, 600, 6000, 0));
	assert_ok(converse(&c, i, &a));
	assert_ok(hf_session_recv(i, &content, &ticket));
	assert_int_equal(content, HF_CONTENT_TICKET);
	assert_ok(hf_config_ticket(c.world.i, ticket.ptr, ticket.len));
}

/* Neither by a ticket nor by a move does a revoked certificate get rid of the
 * list that names it. */
static void
whence_a_ticket_came(void **state)
{
	struct hf_cert_info info;
	uint8_t list[512];
	size_t len;

	(void)state;
	begin(&by_cert);
	earn_ticket();
	assert_ok(hf_cert_read(&info, c.world.initiator_cert.bytes,
	    c.world.initiator_cert.len));
	hf_session_free(i);
	end_free(&a);
	c.shelf.len = 0;
	i = cluster_meet(&c, &a, 0);
	assert_non_null(a.s->ticket);
	assert_int_equal(a.s->ticket->origin_n, 1);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(b.s->ticket->origin_n, 1);
	assert_int_equal(b.s->ticket->first_method, HF_METHOD_CERTIFICATE);
	assert_ok(end_checkpoint(&b));
	end_free(&a);
	assert_ok(cluster_move(&c, i, &a, 0));
	assert_int_equal(a.s->ticket->origin_n, 1);
	end_free(&b);
	assert_ok(hf_list_make(list, sizeof(list), &len, c.world.ca,
	    c.world.ca_cert.bytes, c.world.ca_cert.len, 1, info.cti, 1, NOW,
	    NOW + 1000));
	assert_ok(hf_trust_add_list(c.world.trust, list, len));
	assert_err(cluster_move(&c, i, &b, 1), HF_E_REVOKED);
	finish();
}

/* A state says more of a ticket than any ticket holds: a subject that is a
 * user of a realm and longer than a name. */
static void
no_ticket_says_that(void **state)
{
	struct hf__stored st;
	uint64_t epoch;
	int longer;

	(void)state;
	for (longer = 0; longer < 2; longer++) {
		begin(&by_cert);
		assert_ok(hf__state_open(&st, c.vault[0], c.shelf.entry,
		    c.shelf.len, NOW));
		st.has_ticket = true;
		st.limit = NOW + 100;
		memset(st.subject, 'x', HF_NAME_MAX + 1U);
		st.subject[HF_NAME_MAX + longer] = '\0';
		assert_ok(hf__state_seal(c.shelf.entry, &c.shelf.len,
		    c.vault[0], &st, NOW));
		assert_ok(cluster_move(&c, i, &b, 0));
		epoch = hf_session_epoch(i);
		assert_int_equal(epoch, longer ? 0 : 1);
		assert_err(hf_session_refused(b.s),
		    longer ? HF_E_ENTRY : HF_OK);
		finish();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forgotten),
		cmocka_unit_test(as_it_was_acked),
		cmocka_unit_test(not_as_it_was_acked),
		cmocka_unit_test(unknown),
		cmocka_unit_test(older_by_its_own),
		cmocka_unit_test(older_by_the_peers),
		cmocka_unit_test(behind_data),
		cmocka_unit_test(no_room),
		cmocka_unit_test(window_of_bytes),
		cmocka_unit_test(initiator_by_hand),
		cmocka_unit_test(cookies),
		cmocka_unit_test(one_retry),
		cmocka_unit_test(closes_of_the_lost),
		cmocka_unit_test(close_by_hand),
		cmocka_unit_test(when),
		cmocka_unit_test(whence_a_ticket_came),
		cmocka_unit_test(no_ticket_says_that),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
