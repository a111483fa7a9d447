/* SPDX-License-Identifier: ISC */
/*
 * What a session that moves is configured with, and which of its records are
 * none of this epoch, this state or this kind of session (spec section 17).
 */
#include "refused.h"

/* --- configuration -------------------------------------------------------------------------------- */

static void
vaults(void **state)
{
	static const uint8_t key[HF_KEY_BYTES] = { 1 };
	struct hf_vault *v;
	uint32_t n;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_err(hf_vault_new(&v, "", "x"), HF_E_ARG);
	assert_err(hf_vault_new(&v, "x", ""), HF_E_ARG);
	assert_ok(hf_vault_new(&v, "another", "x"));
	assert_err(hf_config_vault(c.server[1], v, HF_MOVES_SOFT),
	    HF_E_OWN_CERT);
	assert_err(hf_config_vault(c.server[1], v, HF_MOVES_NOT), HF_E_ARG);
	assert_err(hf_config_vault(c.world.i, v, HF_MOVES_SOFT), HF_E_ARG);
	assert_ok(hf_vault_scope(v, "s", NULL, 0));
	assert_err(hf_vault_scope(v, "s", NULL, 0), HF_E_ARG);
	assert_err(hf_vault_key(v, "t", 1, key, 0), HF_E_ARG);
	assert_err(hf_vault_key(v, "s", 0, key, 0), HF_E_ARG);
	for (n = 2; n < 2 + HF_GENERATIONS_MAX; n++)
		assert_ok(hf_vault_key(v, "s", n, key, 0));
	assert_err(hf_vault_key(v, "s", 1, key, 0), HF_E_SPACE);
	assert_int_equal(v->scope[0].generation[0].number,
	    1 + HF_GENERATIONS_MAX);
	assert_ok(hf_vault_key(v, "s", 50, key, 0));
	assert_int_equal(v->scope[0].generation[0].number, 50);
	assert_int_equal(v->scope[0].generation_n, HF_GENERATIONS_MAX);
	hf_vault_free(v);
	finish();
}

/* A certificate without the usage `server`, or of no cluster, holds none. */
static void
own_certificate(void **state)
{
	struct hf_cert_info terms = terms_of("x", HF_USAGE_RESPONDER);
	struct hf_span chain;
	struct blob cert;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	name_set(&terms.cluster, "cluster");
	certify(&cert, c.world.ca, &c.world.ca_cert, c.second, &terms);
	chain = (struct hf_span){ cert.bytes, cert.len };
	assert_ok(hf_config_identity(c.server[1], c.second, &chain, 1));
	assert_err(hf_config_vault(c.server[1], c.vault[1], HF_MOVES_SOFT),
	    HF_E_OWN_CERT);
	terms.usage |= HF_USAGE_SERVER;
	name_set(&terms.cluster, "");
	certify(&cert, c.world.ca, &c.world.ca_cert, c.second, &terms);
	chain.len = cert.len;
	assert_ok(hf_config_identity(c.server[1], c.second, &chain, 1));
	assert_err(hf_config_vault(c.server[1], c.vault[1], HF_MOVES_SOFT),
	    HF_E_OWN_CERT);
	finish();
}

/* --- records ------------------------------------------------------------------------------------------ */

/* A record that was sealed in one epoch is none of the next, nor the other
 * way: the initiator leaves, and is still on its way to the old owner. */
static void
old_records(void **state)
{
	struct blob old, now;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	say(i, "of the old epoch");
	take(&old, i);
	assert_ok(cluster_move(&c, i, &b, 1));
	say(i, "of the new");
	take(&now, i);
	assert_err(give(b.s, old.bytes, old.len), HF_E_BOX);
	assert_err(give(a.s, now.bytes, now.len), HF_E_BOX);
	finish();
}

static enum hf_err
record(enum hf__content content, const char *hex)
{
	uint8_t data[64];
	size_t len = unhex(data, sizeof(data), hex);
	struct blob out;

	assert_ok(hf__record_seal(i, content, data, len));
	take(&out, i);
	return give(a.s, out.bytes, out.len);
}

static void
bad_acks(void **state)
{
	static const char *const bad[] = {
		"820400", /* more than was sent: 3 */
		"820002", /* more than was sent to it: 1 before this */
		"8100",
		"83000000",
		"820000f6",
		"824000",
		"82183f00",
	};
	static const enum hf_err why[] = { HF_E_SHAPE, HF_E_SHAPE, HF_E_SHAPE,
		HF_E_SHAPE, HF_E_CBOR, HF_E_SHAPE, HF_E_SHAPE };
	size_t n;

	(void)state;
	for (n = 0; n < HF__ARRAY_N(bad); n++) {
		begin(&by_cert, HF_MOVES_SOFT);
		assert_err(record(HF__ACK, bad[n]), why[n]);
		finish();
	}
	/* One that goes back. */
	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(record(HF__ACK, "820201"));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	assert_err(record(HF__ACK, "820102"), HF_E_SHAPE);
	finish();
}

/* Acks go out also when the window is full: while the store is slow they push
 * no mark out of the history that may still be acked. */
static void
slow_store(void **state)
{
	static const uint8_t x[] = { 'x' };
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;
	int n;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	say(i, "first");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, "first"), HF_CONTENT_DATA);
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	while (hf_session_send(i, x, sizeof(x)) == HF_OK) {
		assert_ok(converse(&c, i, &a));
		assert_int_equal(received(a.s, "x"), HF_CONTENT_DATA);
	}
	for (n = 0; n < HF__WINDOW_RECORDS; n++) {
		say(a.s, "y");
		assert_ok(converse(&c, i, &a));
		assert_int_equal(received(i, "y"), HF_CONTENT_DATA);
		assert_ok(converse(&c, i, &a));
		if (hf_session_want(a.s) == HF_WANT_RECV)
			assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	}
	assert_true(i->send.count - i->move->acked.count > HF__WINDOW_RECORDS);
	assert_ok(hf_session_checkpointed(a.s,
	    shelf_swap(&a, (struct hf_span){ entry, len })));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_int_equal(i->move->acked.count, 2);
	finish();
}

/* What is owed meanwhile is told at once of all; not beyond the connection. */
static void
held_acks(void **state)
{
	uint64_t before;

	(void)state;
	assert_err(hf_session_hold_acks(NULL, 1), HF_E_ARG);
	begin(&by_cert, HF_MOVES_SOFT);
	before = i->move->acked.bytes;
	assert_ok(hf_session_hold_acks(a.s, 1));
	for (int n = 0; n < 2; n++) {
		say(i, "x");
		assert_ok(converse(&c, i, &a));
		assert_int_equal(received(a.s, "x"), HF_CONTENT_DATA);
		assert_ok(end_checkpoint(&a));
		assert_int_equal(hf_session_output(a.s).len, 0);
	}
	assert_ok(hf_session_hold_acks(a.s, 0));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_int_equal(i->move->acked.bytes, before + 2);
	assert_ok(hf_session_hold_acks(a.s, 0));
	assert_int_equal(hf_session_output(a.s).len, 0);
	before = a.s->send.bytes;
	assert_ok(hf_session_hold_acks(i, 1));
	for (int n = 0; n < 300; n++) {
		say(a.s, "y");
		assert_ok(converse(&c, i, &a));
		assert_int_equal(received(i, "y"), HF_CONTENT_DATA);
		assert_int_equal(hf_session_output(i).len, 0);
	}
	assert_ok(hf_session_hold_acks(i, 0));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	assert_int_equal(a.s->move->acked.bytes, before + 300);
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_ok(hf_session_hold_acks(i, 1));
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(i->state, HF__OPEN);
	assert_false(i->move->holds_acks);
	finish();
}

static void
after_close(void **state)
{
	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(hf_session_close(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_CLOSE);
	assert_ok(record(HF__ACK, "820202"));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_ACK);
	assert_err(record(HF__DATA, "00"), HF_E_UNEXPECTED);
	finish();
	begin(&by_cert, HF_MOVES_SOFT);
	assert_err(record(HF__CONTENT_QUERY, ""), HF_E_UNEXPECTED);
	finish();
}

/* In a session that does not move there is nothing of all this. */
static void
does_not_move(void **state)
{
	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	c.server[0]->vault = NULL;
	end_make(&a, &c, 0);
	assert_ok(hf_session_new(&i, c.world.i, START_MS, NOW));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(hf_session_mobility(i), HF_MOVES_NOT);
	assert_int_equal(hf_session_can_reconnect(i), 0);
	assert_err(hf_session_reconnect(i, START_MS, NOW), HF_E_STATE);
	assert_err(hf_session_hold_acks(i, 1), HF_E_STATE);
	assert_int_equal(hf_session_checkpoint_due(a.s), 0);
	assert_err(record(HF__ACK, "820000"), HF_E_UNEXPECTED);
	memset(&b, 0, sizeof(b));
	finish();
}

static void
exhausted(void **state)
{
	struct blob resume;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	i->move->serial = UINT32_MAX;
	assert_err(hf_session_reconnect(i, START_MS, NOW), HF_E_EXHAUSTED);
	i->move->serial = 0;
	resume_of(&resume);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, resume.bytes, resume.len));
	assert_ok(hf_session_admit(b.s, HF_ADMIT));
	assert_ok(end_supply(&b));
	b.s->move->claim->state.epoch = UINT32_MAX;
	assert_err(hf_session_trust(b.s, HF_OK), HF_E_EXHAUSTED);
	finish();
}

/* --- tickets ------------------------------------------------------------- */

/* What the initiator is given says when it first authenticated, and ends by the
 * limit from there on. */
static void
assert_ticket(struct end *end, uint64_t authenticated)
{
	struct hf__ticket_file file;
	struct hf_ticket_info info;
	enum hf_content content;
	struct hf_span data;
	uint8_t pop[32];

	assert_ok(hf_session_issue_ticket(end->s, 3600, 7200, 0));
	assert_ok(converse(&c, i, end));
	assert_ok(hf_session_recv(i, &content, &data));
	if (content == HF_CONTENT_ACK) {
		assert_ok(converse(&c, i, end));
		assert_ok(hf_session_recv(i, &content, &data));
	}
	assert_int_equal(content, HF_CONTENT_TICKET);
	assert_ok(hf__ticket_file_read(&file, data.ptr, data.len));
	assert_ok(hf__ticket_open(&info, pop, c.world.ring, file.ticket));
	assert_int_equal(info.first_auth, authenticated);
	assert_int_equal(info.limit, authenticated + 7200);
	sodium_memzero(pop, sizeof(pop));
}

/* However late it is, and whichever server it is by now. */
static void
tickets(void **state)
{
	struct blob resume;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(hf_session_tick(a.s, START_MS, NOW + 1000));
	assert_ticket(&a, NOW);
	resume_of(&resume);
	end_make(&b, &c, 1);
	assert_ok(hf_session_tick(b.s, START_MS, NOW + 100));
	assert_ok(give(b.s, resume.bytes, resume.len));
	assert_ok(converse(&c, i, &b));
	assert_int_equal(b.s->state, HF__OPEN);
	assert_ok(hf_session_tick(b.s, START_MS, NOW + 2000));
	assert_ticket(&b, NOW);
	assert_ok(hf_session_tick(b.s, START_MS, NOW + 7200));
	assert_err(hf_session_issue_ticket(b.s, 3600, 7200, 0), HF_E_EXPIRED);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_records),
		cmocka_unit_test(vaults),
		cmocka_unit_test(own_certificate),
		cmocka_unit_test(bad_acks),
		cmocka_unit_test(slow_store),
		cmocka_unit_test(held_acks),
		cmocka_unit_test(after_close),
		cmocka_unit_test(does_not_move),
		cmocka_unit_test(exhausted),
		cmocka_unit_test(tickets),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
