/* SPDX-License-Identifier: ISC */
/*
 * Sessions that move (spec section 17), as they should: from one server to
 * another, each way of authenticating, soft and proved; what was lost in
 * between, and the retry window. What must be refused is in takeover_refused.c,
 * takeover_stored.c, takeover_proved.c and takeover_limits.c.
 */
#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };

static void
begin(const struct meeting *m, enum hf_mobility mobility)
{
	cluster_make(&c, m, mobility);
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

static enum hf_err
move_to(struct end *end, int server)
{
	return cluster_move(&c, i, end, server);
}

static void
forth(struct end *end, const char *data)
{
	say(i, data);
	assert_ok(converse(&c, i, end));
	assert_int_equal(received(end->s, data), HF_CONTENT_DATA);
}

static void
back(struct end *end, const char *data)
{
	say(end->s, data);
	assert_ok(converse(&c, i, end));
	assert_int_equal(received(i, data), HF_CONTENT_DATA);
}

/* A checkpoint, of which the initiator hears. */
static void
keep(struct end *end)
{
	assert_ok(end_checkpoint(end));
	assert_ok(converse(&c, i, end));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
}

/* Both ends have the same history of both directions. */
static void
assert_one_history(struct end *end)
{
	uint8_t d[2][HF_KEY_BYTES];
	uint64_t n[2];
	int role;

	for (role = HF_INITIATOR; role <= HF_RESPONDER; role++) {
		assert_ok(
		    hf_session_digest(d[0], &n[0], i, (enum hf_role)role));
		assert_ok(hf_session_digest(d[1], &n[1], end->s,
		    (enum hf_role)role));
		assert_int_equal(n[0], n[1]);
		assert_memory_equal(d[0], d[1], HF_KEY_BYTES);
	}
}

/* --- every way ------------------------------------------------------------------------ */

static void
one_way(const struct meeting *m, enum hf_mobility mobility)
{
	struct hf_bases bases;
	struct hf_peer was, is;

	begin(m, mobility);
	forth(&a, "forth");
	back(&a, "back");
	keep(&a);
	assert_ok(hf_session_peer(&was, a.s));
	assert_ok(move_to(&b, 1));
	assert_int_equal(i->state, HF__OPEN);
	assert_int_equal(b.s->state, HF__OPEN);
	assert_int_equal(hf_session_epoch(i), 1);
	assert_int_equal(hf_session_epoch(b.s), 1);
	assert_int_equal(hf_session_mobility(b.s), mobility);
	assert_memory_equal(hf_session_id(i).ptr, hf_session_id(a.s).ptr,
	    HF_SID_BYTES);
	assert_memory_equal(hf_session_id(b.s).ptr, hf_session_id(a.s).ptr,
	    HF_SID_BYTES);
	assert_ok(hf_session_peer(&is, b.s));
	assert_string_equal(is.name, was.name);
	assert_string_equal(is.subject, was.subject);
	assert_int_equal(is.method, was.method);
	assert_true(is.authenticated);
	assert_int_equal(hf_session_expires(b.s), hf_session_expires(a.s));
	assert_ok(hf_session_bases(&bases, i));
	assert_int_equal(bases.own_bytes, 5);
	assert_int_equal(bases.sent_count, bases.own_count);
	assert_int_equal(bases.peer_bytes, 4);
	assert_one_history(&b);
	forth(&b, "forth again");
	back(&b, "back again");
	assert_one_history(&b);
	finish();
}

static void
every_way(void **state)
{
	static const enum hf_method methods[] = { HF_METHOD_CERTIFICATE,
		HF_METHOD_PASSWORD, HF_METHOD_PLAIN_PASSWORD,
		HF_METHOD_TICKET };
	struct meeting m = { .target = "t" };
	int n, ways = 0;

	(void)state;
	for (n = 0; n < 64; n++) {
		m.method = methods[n % 4];
		m.known = (n & 4) != 0;
		m.suite = (n & 8) != 0 ? 2 : 1;
		m.grease = (n & 32) != 0;
		if ((m.method == HF_METHOD_PLAIN_PASSWORD && m.known) ||
		    !hf_suite_available(m.suite))
			continue;
		one_way(&m, (n & 16) != 0 ? HF_MOVES_PROVED : HF_MOVES_SOFT);
		ways++;
	}
	print_message("note: %d ways to move\n", ways);
	assert_int_equal(ways, hf_suite_available(2) ? 56 : 28);
}

/* --- what was lost ---------------------------------------------------------------------- */

/* Of three records the owner took two, and stored what it had of one. */
static void
lost_between(void **state)
{
	struct hf_bases bases, theirs;
	uint64_t count, bytes;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	forth(&a, "one");
	keep(&a);
	hf_session_acked(&count, &bytes, i);
	assert_int_equal(count, 1);
	assert_int_equal(bytes, 3);
	forth(&a, "two");
	say(i, "three");
	assert_ok(move_to(&b, 1));
	assert_ok(hf_session_bases(&bases, i));
	assert_int_equal(bases.own_count, 1);
	assert_int_equal(bases.own_bytes, 3);
	assert_int_equal(bases.sent_count, 3);
	assert_int_equal(bases.sent_bytes, 11);
	assert_ok(hf_session_bases(&theirs, b.s));
	assert_int_equal(theirs.peer_count, 1);
	assert_int_equal(theirs.peer_bytes, 3);
	forth(&b, "two, again");
	assert_one_history(&b);
	finish();
}

/* The owner had sent more than it had stored: the new one adopts it. */
static void
tail(void **state)
{
	struct hf_bases bases;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	back(&a, "a tail");
	assert_ok(move_to(&b, 1));
	assert_ok(hf_session_bases(&bases, b.s));
	assert_int_equal(bases.own_bytes, 6);
	assert_int_equal(bases.own_count, 2); /* the ack, and that */
	assert_int_equal(bases.stored_count, 0);
	assert_one_history(&b);
	back(&b, "more");
	finish();
}

/* It had stored more than the initiator took. */
static void
undelivered(void **state)
{
	struct hf_bases bases;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	say(a.s, "on its way");
	assert_ok(end_checkpoint(&a));
	assert_ok(move_to(&b, 1));
	assert_ok(hf_session_bases(&bases, b.s));
	assert_int_equal(bases.own_bytes, 0);
	assert_int_equal(bases.sent_bytes, 10);
	assert_one_history(&b);
	finish();
}

/* A close that was taken stays; one that was not is open again. */
static void
closes(void **state)
{
	struct hf_bases bases;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(hf_session_close(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_CLOSE);
	assert_ok(move_to(&b, 1)); /* it was never stored */
	assert_ok(hf_session_bases(&bases, b.s));
	assert_false(bases.peer_closed);
	assert_false(i->sent_close);
	assert_false(b.s->got_close);
	assert_ok(hf_session_close(i));
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, NULL), HF_CONTENT_CLOSE);
	keep(&b);
	end_free(&a);
	assert_ok(move_to(&a, 0));
	assert_true(i->sent_close);
	assert_true(a.s->got_close);
	assert_ok(hf_session_bases(&bases, a.s));
	assert_true(bases.peer_closed);
	assert_err(hf_session_send(i, (const uint8_t *)"x", 1), HF_E_STATE);
	back(&a, "the other direction goes on");
	assert_ok(hf_session_close(a.s));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_CLOSE);
	assert_int_equal(hf_session_want(i), HF_WANT_CLOSED);
	assert_int_equal(hf_session_can_reconnect(i), 0);
	finish();
	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(hf_session_close(a.s));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_CLOSE);
	keep(&a);
	assert_ok(move_to(&b, 0));
	assert_ok(hf_session_bases(&bases, i));
	assert_true(bases.peer_closed);
	assert_true(b.s->sent_close);
	finish();
}

/* --- the retry window -------------------------------------------------------------------- */

/* The initiator's resume arrives, is claimed, and its answer is lost. */
static void
claim_and_lose(struct end *end, int server)
{
	struct blob resume;
	enum hf_err e = HF_OK;

	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	take(&resume, i);
	end_make(end, &c, server);
	assert_ok(give(end->s, resume.bytes, resume.len));
	while (end_step(&c, end, &e))
		assert_ok(e);
	assert_int_equal(end->s->state, HF__R_RESUMED);
}

static void
lost_resumed(void **state)
{
	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	forth(&a, "one");
	keep(&a);
	claim_and_lose(&b, 1);
	end_free(&b);
	claim_and_lose(&b, 1);
	end_free(&b);
	end_free(&a);
	assert_ok(move_to(&a, 0));
	assert_int_equal(i->state, HF__OPEN);
	assert_int_equal(hf_session_epoch(i), 3);
	assert_one_history(&a);
	forth(&a, "two");
	assert_int_equal(i->move->serial, 0);
	finish();
}

/* The initiator has the new keys, and the owner goes before it knows. */
static void
lost_confirm(void **state)
{
	struct blob resumed, confirm;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	forth(&a, "one");
	keep(&a);
	claim_and_lose(&b, 1);
	take(&resumed, b.s);
	assert_ok(give(i, resumed.bytes, resumed.len));
	assert_int_equal(i->state, HF__OPEN);
	take(&confirm, i);
	say(i, "lost with it");
	end_free(&a);
	assert_ok(move_to(&a, 0));
	assert_int_equal(hf_session_epoch(i), 2);
	assert_one_history(&a);
	/* The one in between never was an owner. */
	assert_ok(
	    hf_session_feed(b.s, &(size_t){ 0 }, confirm.bytes, confirm.len));
	assert_int_equal(hf_session_commit_kind(b.s), HF_COMMIT_CONFIRM);
	assert_err(hf_session_commit(b.s,
		       shelf_swap(&b, hf_session_entry(b.s))),
	    HF_E_FENCED);
	assert_int_equal(hf_session_output(b.s).len, 0);
	forth(&a, "again");
	finish();
}

/* Soft and proved, there and back again, many times. */
static void
many_times(void **state)
{
	struct end *from = &a, *to = &b, *other;
	int n;

	(void)state;
	begin(&by_cert, HF_MOVES_PROVED);
	for (n = 1; n <= 50; n++) {
		forth(from, "some data");
		if (n % 3 == 0)
			back(from, "and an answer");
		keep(from);
		assert_ok(move_to(to, n % 2));
		assert_int_equal(hf_session_epoch(i), n);
		assert_one_history(to);
		end_free(from);
		memset(from, 0, sizeof(*from));
		other = from;
		from = to;
		to = other;
	}
	finish();
}

/* --- acks, windows, checkpoints ------------------------------------------------------------ */

static void
window(void **state)
{
	static const uint8_t data[1024];
	uint64_t n = 0, count, bytes;
	enum hf_content content;
	struct hf_span span;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	while (hf_session_send(i, data, sizeof(data)) == HF_OK) {
		n++;
		assert_ok(converse(&c, i, &a));
		assert_ok(hf_session_recv(a.s, &content, &span));
	}
	assert_int_equal(n, 1024);
	assert_err(hf_session_send(i, data, 1), HF_E_SPACE);
	assert_int_equal(hf_session_checkpoint_due(a.s), 2);
	assert_ok(end_checkpoint(&a));
	assert_err(hf_session_send(i, data, 1), HF_E_SPACE);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	hf_session_acked(&count, &bytes, i);
	assert_int_equal(count, 1024);
	assert_int_equal(bytes, 1024 * 1024);
	assert_ok(hf_session_send(i, data, 1));
	finish();
}

/* An initiator acks what it takes, so that its responder can go on. */
static void
acks_of_the_initiator(void **state)
{
	uint64_t count, bytes;
	int n;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	for (n = 0; n < 254; n++)
		back(&a, "x");
	assert_ok(converse(&c, i, &a));
	hf_session_acked(&count, &bytes, a.s);
	assert_int_equal(count, 0);
	back(&a, "x"); /* the 256th: there was an ack before */
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	hf_session_acked(&count, &bytes, a.s);
	assert_int_equal(count, 256);
	assert_int_equal(bytes, 255);
	finish();
}

static void
checkpoints(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;
	int n;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_int_equal(hf_session_checkpoint_due(a.s), 0);
	forth(&a, "x");
	assert_int_equal(hf_session_checkpoint_due(a.s), 1);
	for (n = 1; n < 512; n++)
		forth(&a, "x");
	assert_int_equal(hf_session_checkpoint_due(a.s), 2);
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	assert_true(len <= 600);
	print_message("note: a stored state of %zu bytes\n", len);
	assert_int_equal(hf_session_checkpoint_due(a.s), -1);
	assert_err(hf_session_checkpoint(a.s, entry, sizeof(entry), &len),
	    HF_E_STATE);
	assert_ok(hf_session_checkpointed(a.s, HF_E_STORE));
	assert_int_equal(hf_session_output(a.s).len, 0); /* no ack */
	assert_int_equal(hf_session_checkpoint_due(a.s), 2);
	assert_err(hf_session_checkpointed(a.s, HF_OK), HF_E_STATE);
	keep(&a);
	assert_int_equal(hf_session_checkpoint_due(a.s), 0);
	assert_err(hf_session_checkpoint(i, entry, sizeof(entry), &len),
	    HF_E_STATE);
	finish();
}

/* When its grant is void a server stores nothing and takes nothing over. */
static void
void_grant(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	forth(&a, "x");
	c.vault[0]->scope[0].not_after = NOW;
	assert_err(hf_session_checkpoint(a.s, entry, sizeof(entry), &len),
	    HF_E_EXPIRED);
	assert_int_equal(a.s->state, HF__OPEN);
	c.vault[0]->scope[0].not_after = NOW + 1;
	keep(&a);
	c.vault[0]->scope[0].not_after = NOW;
	assert_ok(move_to(&b, 0));
	assert_err(hf_session_refused(b.s), HF_E_ENTRY);
	assert_int_equal(hf_session_mobility(b.s), HF_MOVES_NOT);
	finish();
}

/* What the application has not released is not stored. */
static void
by_hand(void **state)
{
	struct hf_bases bases;

	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_release_by_hand(c.server[0], 1));
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	forth(&a, "one");
	forth(&a, "two");
	assert_int_equal(hf_session_checkpoint_due(a.s), 0);
	assert_err(hf_session_release(a.s, 3), HF_E_ARG);
	assert_ok(hf_session_release(a.s, 1));
	assert_err(hf_session_release(a.s, 0), HF_E_ARG);
	assert_int_equal(hf_session_checkpoint_due(a.s), 1);
	keep(&a);
	assert_ok(move_to(&b, 1));
	assert_ok(hf_session_bases(&bases, i));
	assert_int_equal(bases.own_count, 1);
	assert_int_equal(bases.own_bytes, 3);
	finish();
}

/* A query asks the initiator to go elsewhere, even after a close. */
static void
query(void **state)
{
	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_err(hf_session_query(i), HF_E_STATE);
	assert_ok(hf_session_query(a.s));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_QUERY);
	assert_ok(move_to(&b, 1));
	forth(&b, "elsewhere");
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way),
		cmocka_unit_test(lost_between),
		cmocka_unit_test(tail),
		cmocka_unit_test(undelivered),
		cmocka_unit_test(closes),
		cmocka_unit_test(lost_resumed),
		cmocka_unit_test(lost_confirm),
		cmocka_unit_test(many_times),
		cmocka_unit_test(window),
		cmocka_unit_test(acks_of_the_initiator),
		cmocka_unit_test(checkpoints),
		cmocka_unit_test(void_grant),
		cmocka_unit_test(by_hand),
		cmocka_unit_test(query),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
