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

/* More acks than the history has room for, all of them taken. */
static void
acks_without_end(void)
{
	int n;

	for (n = 0; n < HF__HISTORY_MAX; n++) {
		assert_ok(hf__ack_build(i));
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
	assert_ok(hf__ack_build(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	assert_int_equal(a.s->move->released.count, 1);
	forth("kept back");
	assert_ok(hf__ack_build(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	assert_int_equal(a.s->recv.count, 3);
	assert_int_equal(a.s->move->released.count, 1);
	assert_ok(hf_session_release(a.s, 3));
	assert_int_equal(a.s->move->released.bytes, 9);
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
		cmocka_unit_test(behind_data),
		cmocka_unit_test(whence_a_ticket_came),
		cmocka_unit_test(no_ticket_says_that),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
