/* SPDX-License-Identifier: ISC */
/*
 * What a refresh must not be (spec section 17.8): each with its exact error at
 * the end that notices, one alert, and a session that can still go on under
 * the secret that it had.
 */
#include "heap.h"

#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };

static void
begin(enum hf_mobility mobility)
{
	cluster_make(&c, &by_cert, mobility);
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	memset(&b, 0, sizeof(b));
	assert_ok(cluster_move(&c, i, &b, 1));
}

static void
finish(void)
{
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	cluster_free(&c);
}

/* Takes what arrives until nothing does, or one end fails. */
static enum hf_err
settle(void)
{
	enum hf_content content;
	struct hf_span data;
	enum hf_err e;

	for (;;) {
		if ((e = converse(&c, i, &b)) != HF_OK)
			return e;
		if (i->pending)
			e = hf_session_recv(i, &content, &data);
		else if (b.s->pending)
			e = hf_session_recv(b.s, &content, &data);
		else
			return HF_OK;
		if (e != HF_OK)
			return e;
	}
}

/* The initiator has failed for that, says so once, and takes the session to
 * the next server, where all is well. */
static void
goes_on(enum hf_err e, enum hf_err why)
{
	assert_err(e, why);
	assert_int_equal(i->state, HF__FAILED);
	assert_true(hf_session_output(i).len > 0);
	assert_null(i->move->refresh);
	assert_true(sodium_is_zero((const uint8_t *)&i->move->reply,
	    sizeof(i->move->reply)));
	assert_int_equal(hf_session_strength(i), HF_MOVES_SOFT);
	assert_int_equal(hf_session_can_reconnect(i), 1);
	end_free(&b);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(i->state, HF__OPEN);
}

static void
proved_in_the_end(void)
{
	assert_ok(end_checkpoint(&b));
	assert_ok(settle());
	assert_ok(end_checkpoint(&b));
	assert_int_equal(hf_session_strength(i), HF_MOVES_PROVED);
	assert_int_equal(hf_session_strength(b.s), HF_MOVES_PROVED);
	finish();
}

/* --- at the initiator ---------------------------------------------------------------- */

/* What the responder would send, with its box: taken apart by the cases. */
static void
make(struct blob *data)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	assert_ok(hf_session_checkpoint(b.s, entry, sizeof(entry), &len));
	memcpy(data->bytes, b.s->move->refresh->head,
	    b.s->move->refresh->head_len);
	data->len = b.s->move->refresh->head_len;
	data->bytes[data->len++] = 0x50;
	memset(data->bytes + data->len, 7, 16);
	data->len += 16;
}

static enum hf_err
send(const struct blob *data)
{
	assert_ok(hf__record_seal(b.s, HF__REFRESH, data->bytes, data->len));
	return settle();
}

static void
shapes(void **state)
{
	static const uint8_t null[] = { 0xf6 }, none[] = { 0x80 };
	static const uint8_t long_enc[35] = { 0x58, 33 };
	static const uint8_t short_enc[33] = { 0x58, 31 };
	static const struct {
		size_t item;
		const uint8_t *with;
		size_t len;
	} cases[] = {
		{ 0, null, 1 },
		{ 0, long_enc, 35 },
		{ 0, short_enc, 33 },
		{ 1, null, 1 },
		{ 1, none, 1 },
		{ 2, null, 1 },
		{ 2, short_enc, 33 },
		{ 2, none, 1 },
	};
	struct blob data;
	size_t n;

	(void)state;
	begin(HF_MOVES_SOFT);
	for (n = 0; n < HF__ARRAY_N(cases); n++) {
		make(&data);
		assert_true(replace(&data, cases[n].item, cases[n].with,
		    cases[n].len));
		goes_on(send(&data), HF_E_SHAPE);
	}
	make(&data);
	data.bytes[data.len++] = 0;
	goes_on(send(&data), HF_E_CBOR);
	make(&data);
	data.len--;
	goes_on(send(&data), HF_E_CBOR);
	data.len = 0;
	goes_on(send(&data), HF_E_CBOR);
	make(&data);
	data.bytes[0] = 0x82; /* two fields, and more behind them */
	goes_on(send(&data), HF_E_SHAPE);
	data.bytes[0] = 0x9f;
	goes_on(send(&data), HF_E_CBOR);
	proved_in_the_end();
}

/* A chain of five, whatever is in it. */
static void
long_chain(void **state)
{
	uint8_t five[1 + 5 * 2] = { 0x85, 0x41, 1, 0x41, 1, 0x41, 1, 0x41, 1,
		0x41, 1 };
	struct blob data;

	(void)state;
	begin(HF_MOVES_SOFT);
	make(&data);
	assert_true(replace(&data, 1, five, sizeof(five)));
	goes_on(send(&data), HF_E_SHAPE);
	five[0] = 0x84;
	make(&data);
	assert_true(replace(&data, 1, five, sizeof(five) - 2));
	goes_on(send(&data), HF_E_OBJECT);
	proved_in_the_end();
}

#ifdef HAVE_HEAP
static enum hf_err
checkpoint(void)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	return hf_session_checkpoint(b.s, entry, sizeof(entry), &len);
}

/* Whose keys were taken away asks again and again: none is begun in vain. */
static void
keys_taken_away(void **state)
{
	const struct hf__scope *scope;

	(void)state;
	begin(HF_MOVES_SOFT);
	scope = b.s->move->scope;
	b.s->move->scope = NULL;
	assert_err(heap_refuse(checkpoint, 100000, 0), HF_E_EXPIRED);
	assert_int_equal(heap.n, 0);
	assert_false(b.s->move->hurry);
	b.s->move->scope = scope;
	assert_ok(heap_refuse(checkpoint, 100000, 0));
	assert_true(heap.n > 0);
	finish();
}
#endif

/* The server must be of the cluster, and may hold sessions; and it must have
 * the key that is certified. */
static void
servers(void **state)
{
	static const struct {
		const char *cluster;
		unsigned usage;
		uint64_t not_after;
		enum hf_err e;
	} cases[] = {
		{ "cluster", HF_USAGE_RESPONDER, NOW + 9, HF_E_USAGE },
		{ "cluster", HF_USAGE_SERVER, NOW + 9, HF_E_USAGE },
		{ "cluster", HF_USAGE_RESPONDER | HF_USAGE_SERVER, NOW,
		    HF_E_EXPIRED },
		{ "another", HF_USAGE_RESPONDER | HF_USAGE_SERVER, NOW + 9,
		    HF_E_NAME },
		{ "", HF_USAGE_RESPONDER | HF_USAGE_SERVER, NOW + 9,
		    HF_E_NAME },
	};
	struct hf__chain kept;
	struct hf_cert_info terms;
	struct blob cert;
	size_t n;

	(void)state;
	begin(HF_MOVES_SOFT);
	kept = c.server[1]->own;
	for (n = 0; n < HF__ARRAY_N(cases); n++) {
		terms = terms_of("x", cases[n].usage);
		name_set(&terms.cluster, cases[n].cluster);
		terms.not_after = cases[n].not_after;
		certify(&cert, c.world.ca, &c.world.ca_cert, c.second, &terms);
		c.server[1]->own.cert[0] =
		    (struct hf_span){ cert.bytes, cert.len };
		assert_ok(end_checkpoint(&b));
		goes_on(settle(), cases[n].e);
	}
	/* A good server's chain is public. Its key is not. */
	c.server[1]->own.cert[0] = c.chain[0];
	assert_ok(end_checkpoint(&b));
	goes_on(settle(), HF_E_BOX);
	c.server[1]->own = kept;
	proved_in_the_end();
}

static void
proofs(void **state)
{
	static const uint8_t zero[32] = { 0 };
	uint8_t entry[HF_ENTRY_MAX];
	struct blob data;
	size_t len;
	int byte;

	(void)state;
	begin(HF_MOVES_SOFT);
	make(&data); /* the box is none */
	goes_on(send(&data), HF_E_BOX);
	make(&data);
	memcpy(data.bytes + 3, zero, sizeof(zero));
	goes_on(send(&data), HF_E_PUBLIC_KEY);
	/* Each of the secrets, and what they are hashed with, is needed. */
	for (byte = 0; byte < 3; byte++) {

		if (byte == 0)
			b.s->move->reply.pk[0] ^= 1;
		else if (byte == 1)
			b.s->move->key[0] ^= 1;
		else
			b.s->secrets.resumption[0] ^= 1;
		assert_ok(
		    hf_session_checkpoint(b.s, entry, sizeof(entry), &len));
		assert_ok(hf_session_checkpointed(b.s,
		    byte > 0 ?
			HF_OK :
			shelf_swap(&b, (struct hf_span){ entry, len })));
		goes_on(settle(), HF_E_BOX);
	}
	/* And the other enc, which the box does not cover twice. */
	assert_ok(hf_session_checkpoint(b.s, data.bytes, sizeof(data.bytes),
	    &data.len));
	b.s->move->refresh->head[3] ^= 1;
	assert_ok(hf_session_checkpointed(b.s, HF_OK));
	goes_on(settle(), HF_E_BOX);
	proved_in_the_end();
}

/* The two have another history: of the responder's direction. */
static void
history_of_the_responder(void **state)
{
	(void)state;
	begin(HF_MOVES_SOFT);
	say(b.s, "x");
	assert_ok(settle());
	i->recv.digest[0] ^= 1;
	assert_ok(end_checkpoint(&b));
	assert_err(settle(), HF_E_BOX);
	assert_int_equal(i->state, HF__FAILED);
	finish();
}

/* --- at the responder ----------------------------------------------------------------- */

/* Up to where the answer is waited for; the initiator's is left out. */
static void
wait_for_answer(void)
{
	assert_ok(end_checkpoint(&b));
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(b.s->move->refreshing, HF__REFRESH_SENT);
}

/* The responder has failed for that; the initiator goes on elsewhere. */
static void
responder_fails(enum hf_err e, enum hf_err why)
{
	assert_err(e, why);
	assert_int_equal(b.s->state, HF__FAILED);
	assert_null(b.s->move);
	assert_true(hf_session_output(b.s).len > 0);
	end_free(&b);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(i->state, HF__OPEN);
}

static enum hf_err
answer_with(const uint8_t *data, size_t len)
{
	struct blob record;

	assert_ok(hf__record_seal(i, HF__REFRESH, data, len));
	take(&record, i);
	return give(b.s, record.bytes, record.len);
}

static void
answers(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 17, 32 };
	uint8_t data[32] = { 0 };
	size_t n;

	(void)state;
	begin(HF_MOVES_SOFT);
	for (n = 0; n < HF__ARRAY_N(sizes); n++) {
		wait_for_answer();
		responder_fails(answer_with(data, sizes[n]), HF_E_SHAPE);
	}
	wait_for_answer();
	responder_fails(answer_with(data, 16), HF_E_BOX);
	proved_in_the_end();
}

/* A former owner has the secret, so the keys of the soft epoch, and does what
 * the initiator would. The new keys he has not. */
static void
answer_under_old_secrets(void **state)
{
	static const uint8_t nothing[32] = { 0 };
	uint8_t box[16], confirm[32];

	(void)state;
	begin(HF_MOVES_SOFT);
	wait_for_answer();
	memcpy(confirm, i->secrets.resumption, sizeof(confirm));
	assert_ok(hf__box_seal(box, 0, NULL, 0, confirm));
	responder_fails(answer_with(box, sizeof(box)), HF_E_BOX);
	wait_for_answer();
	assert_ok(hf__box_seal(box, 0, NULL, 0, nothing));
	responder_fails(answer_with(box, sizeof(box)), HF_E_BOX);
	/* The right key, over no history. */
	wait_for_answer();
	assert_ok(hf__box_seal(box, 0, NULL, 0,
	    b.s->move->refresh->secrets.confirm));
	responder_fails(answer_with(box, sizeof(box)), HF_E_BOX);
	proved_in_the_end();
}

/* The two have another history: of the initiator's direction. */
static void
history_of_the_initiator(void **state)
{
	(void)state;
	begin(HF_MOVES_SOFT);
	say(i, "x");
	assert_ok(settle());
	b.s->recv.digest[0] ^= 1;
	assert_ok(end_checkpoint(&b));
	assert_err(settle(), HF_E_BOX);
	assert_int_equal(b.s->state, HF__FAILED);
	finish();
}

/* A reply key of small order ends the session: at once, with its alert. */
static void
reply_key(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	(void)state;
	begin(HF_MOVES_SOFT);
	memset(b.s->move->reply.pk, 0, sizeof(b.s->move->reply.pk));
	assert_err(hf_session_checkpoint(b.s, entry, sizeof(entry), &len),
	    HF_E_PUBLIC_KEY);
	responder_fails(hf_session_error(b.s), HF_E_PUBLIC_KEY);
	/* Nor the initiator's certified key, should a CA have signed one. */
	memset(b.s->move->key, 0, sizeof(b.s->move->key));
	assert_err(hf_session_checkpoint(b.s, entry, sizeof(entry), &len),
	    HF_E_PUBLIC_KEY);
	responder_fails(hf_session_error(b.s), HF_E_PUBLIC_KEY);
	proved_in_the_end();
}

/* --- where it has no place --------------------------------------------------------------- */

static void
unexpected_at_initiator(void **state)
{
	struct blob data;

	(void)state;
	/* In an epoch that was begun by a handshake. */
	begin(HF_MOVES_SOFT);
	end_free(&a);
	end_free(&b);
	hf_session_free(i);
	c.shelf.len = 0;
	i = cluster_meet(&c, &b, 0);
	assert_ok(settle());
	data.len = 0;
	assert_err(send(&data), HF_E_UNEXPECTED);
	finish();
	/* In one that was proved on the way. */
	begin(HF_MOVES_PROVED);
	assert_err(send(&data), HF_E_UNEXPECTED);
	finish();
	/* In one whose resume had no reply key. */
	begin(HF_MOVES_SOFT);
	make(&data);
	i->move->has_reply = false;
	goes_on(send(&data), HF_E_UNEXPECTED);
	/* A second one. */
	assert_ok(end_checkpoint(&b));
	assert_ok(settle());
	assert_int_equal(hf_session_strength(i), HF_MOVES_PROVED);
	assert_err(send(&data), HF_E_UNEXPECTED);
	finish();
	/* Where no epoch follows. */
	begin(HF_MOVES_SOFT);
	make(&data);
	i->move->epoch = UINT32_MAX;
	assert_err(send(&data), HF_E_UNEXPECTED);
	finish();
}

static void
unexpected_at_responder(void **state)
{
	static const uint8_t box[16] = { 0 };

	(void)state;
	begin(HF_MOVES_SOFT);
	responder_fails(answer_with(box, sizeof(box)), HF_E_UNEXPECTED);
	/* Nobody has asked, though it is being written. */
	{
		uint8_t entry[HF_ENTRY_MAX];
		size_t len;

		assert_ok(
		    hf_session_checkpoint(b.s, entry, sizeof(entry), &len));
	}
	responder_fails(answer_with(box, sizeof(box)), HF_E_UNEXPECTED);
	/* And a second answer. */
	assert_ok(end_checkpoint(&b));
	assert_ok(settle());
	responder_fails(answer_with(box, sizeof(box)), HF_E_UNEXPECTED);
	finish();
}

static void
does_not_move(void **state)
{
	struct world w;
	struct pair p;
	struct blob record;

	(void)state;
	world_make(&w, &by_cert);
	shake(&p, &w);
	assert_err(hf_session_refresh(p.r), HF_E_STATE);
	assert_int_equal(hf_session_strength(p.r), HF_MOVES_NOT);
	assert_ok(hf__record_seal(p.r, HF__REFRESH, NULL, 0));
	take(&record, p.r);
	assert_err(give(p.i, record.bytes, record.len), HF_E_UNEXPECTED);
	pair_free(&p);
	shake(&p, &w);
	assert_ok(hf__record_seal(p.i, HF__REFRESH, NULL, 0));
	take(&record, p.i);
	assert_err(give(p.r, record.bytes, record.len), HF_E_UNEXPECTED);
	pair_free(&p);
	world_free(&w);
}

/* A record under the keys of before, after they changed: in each direction. */
static void
old_keys(void **state)
{
	struct hf__traffic old;

	(void)state;
	begin(HF_MOVES_SOFT);
	old = b.s->send;
	assert_ok(end_checkpoint(&b));
	old.seq = 2;
	old.count = b.s->send.count;
	memcpy(&b.s->send, &old, sizeof(old));
	say(b.s, "as the former owner would");
	assert_err(settle(), HF_E_BOX);
	assert_int_equal(i->state, HF__FAILED);
	finish();
	begin(HF_MOVES_SOFT);
	old = i->send;
	assert_ok(end_checkpoint(&b));
	assert_ok(settle());
	old.seq = 1;
	memcpy(&i->send, &old, sizeof(old));
	say(i, "as the former owner would");
	assert_err(settle(), HF_E_BOX);
	assert_int_equal(b.s->state, HF__FAILED);
	finish();
}

/* Who has the secret of the soft epoch, and comes after the confirmation, is
 * refused. */
static void
old_secret(void **state)
{
	struct hf__secrets old;
	struct blob resume;
	enum hf_err e;

	(void)state;
	begin(HF_MOVES_SOFT);
	old = i->secrets;
	assert_ok(end_checkpoint(&b));
	assert_ok(settle());
	assert_ok(end_checkpoint(&b));
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	i->secrets = old;
	i->move->epoch = 1;
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	take(&resume, i);
	end_free(&a);
	end_make(&a, &c, 0);
	e = give(a.s, resume.bytes, resume.len);
	while (e == HF_OK && end_step(&c, &a, &e))
		;
	assert_err(e, HF_E_REPLAY);
	finish();
}

/* --- memory that runs out -------------------------------------------------------------------- */

#ifdef HAVE_HEAP
/* Every allocation of a refresh is refused once: the session fails, or the
 * checkpoint does, and it is proved at another time. */
static void
every_allocation(void **state)
{
	unsigned long n, refusals = 0;
	enum hf_err e;

	(void)state;
	begin(HF_MOVES_SOFT);
	for (n = 1;; n++) {
		heap.n = 0;
		heap.at = n;
		if ((e = end_checkpoint(&b)) == HF_OK)
			e = settle();
		if (e == HF_OK)
			e = end_checkpoint(&b);
		heap.at = 0;
		if (e == HF_OK)
			break;
		assert_err(e, HF_E_MEMORY);
		refusals++;
		if (i->state == HF__FAILED || b.s->state == HF__FAILED) {
			end_free(&b);
			assert_ok(cluster_move(&c, i, &b, 1));
		}
		assert_int_equal(i->state, HF__OPEN);
	}
	assert_true(refusals >= 3);
	print_message("%lu allocations refused\n", refusals);
	assert_int_equal(hf_session_strength(b.s), HF_MOVES_PROVED);
	assert_int_equal(hf_session_strength(i), HF_MOVES_PROVED);
	finish();
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(long_chain),
		cmocka_unit_test(servers),
		cmocka_unit_test(proofs),
		cmocka_unit_test(history_of_the_responder),
		cmocka_unit_test(answers),
		cmocka_unit_test(answer_under_old_secrets),
		cmocka_unit_test(history_of_the_initiator),
		cmocka_unit_test(reply_key),
		cmocka_unit_test(unexpected_at_initiator),
		cmocka_unit_test(unexpected_at_responder),
		cmocka_unit_test(does_not_move),
		cmocka_unit_test(old_keys),
		cmocka_unit_test(old_secret),
#ifdef HAVE_HEAP
		cmocka_unit_test(keys_taken_away),
		cmocka_unit_test(every_allocation),
#endif
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
