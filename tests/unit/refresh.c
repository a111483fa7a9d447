/* SPDX-License-Identifier: ISC */
/*
 * refresh (spec section 17.8): each way, with records on their way at every
 * step, cut at every step, with a store that fails or is late at either
 * compare-and-set. What must be refused is in refresh_refused.c.
 */
#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };

/* A session that has just moved, softly, from a to b. */
static void
begin(const struct meeting *m)
{
	cluster_make(&c, m, HF_MOVES_SOFT);
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_int_equal(hf_session_strength(i), HF_MOVES_NOT);
	assert_int_equal(hf_session_strength(a.s), HF_MOVES_NOT);
	memset(&b, 0, sizeof(b));
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(hf_session_strength(i), HF_MOVES_SOFT);
	assert_int_equal(hf_session_strength(b.s), HF_MOVES_SOFT);
}

static void
finish(void)
{
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	cluster_free(&c);
}

/* All that is on its way is taken at its end. */
static void
settle(struct end *end)
{
	enum hf_content content;
	struct hf_span data;
	int more;

	do {
		assert_ok(converse(&c, i, end));
		more = 0;
		if (i->pending) {
			assert_ok(hf_session_recv(i, &content, &data));
			more = 1;
		}
		if (end->s->pending) {
			assert_ok(hf_session_recv(end->s, &content, &data));
			more = 1;
		}
	} while (more);
}

/* The next that arrives at b or its peer. */
static void
expect(struct hf_session *s, enum hf_content content, const char *data)
{
	enum hf_content is;
	struct hf_span span;

	assert_ok(converse(&c, i, &b));
	assert_ok(hf_session_recv(s, &is, &span));
	assert_int_equal(is, content);
	if (data == NULL)
		return;
	assert_int_equal(span.len, strlen(data));
	assert_memory_equal(span.ptr, data, span.len);
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

static void
assert_strength(enum hf_mobility of_i, enum hf_mobility of_r)
{
	assert_int_equal(hf_session_strength(i), of_i);
	assert_int_equal(hf_session_strength(b.s), of_r);
}

/* Both ends have the same history of both directions, and the same keys. */
static void
assert_one(struct end *end)
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
	assert_ok(hf_session_export(d[0], HF_KEY_BYTES, i, "x", NULL, 0));
	assert_ok(hf_session_export(d[1], HF_KEY_BYTES, end->s, "x", NULL, 0));
	assert_memory_equal(d[0], d[1], HF_KEY_BYTES);
	assert_int_equal(hf_session_epoch(i), hf_session_epoch(end->s));
}

/* A whole refresh, step by step. */
static void
refresh(void)
{
	assert_int_equal(hf_session_checkpoint_due(b.s), 2);
	assert_ok(end_checkpoint(&b));
	assert_int_equal(hf_session_checkpoint_due(b.s), -1);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(i, NULL), HF_CONTENT_REFRESH);
	assert_strength(HF_MOVES_PROVED, HF_MOVES_SOFT);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, NULL), HF_CONTENT_REFRESH);
	assert_strength(HF_MOVES_PROVED, HF_MOVES_SOFT);
	assert_int_equal(hf_session_checkpoint_due(b.s), 2);
	assert_ok(end_checkpoint(&b));
	assert_strength(HF_MOVES_PROVED, HF_MOVES_PROVED);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_int_equal(hf_session_checkpoint_due(b.s), 0);
}

/* --- every way ------------------------------------------------------------------------ */

static void
one_way(const struct meeting *m)
{
	uint8_t secret[32];
	struct hf_peer peer;

	begin(m);
	memcpy(secret, i->secrets.resumption, sizeof(secret));
	forth(&b, "soft");
	refresh();
	assert_int_equal(hf_session_epoch(i), 2);
	assert_one(&b);
	assert_memory_not_equal(secret, i->secrets.resumption, 32);
	assert_memory_equal(b.s->secrets.resumption, i->secrets.resumption,
	    32);
	assert_ok(hf_session_peer(&peer, i));
	assert_string_equal(peer.name, "other.example");
	forth(&b, "proved");
	back(&b, "and back");
	assert_one(&b);
	/* Nothing is left of how it came about. */
	assert_null(i->move->refresh);
	assert_null(b.s->move->refresh);
	assert_true(sodium_is_zero((const uint8_t *)&i->move->reply,
	    sizeof(i->move->reply)));
	/* And on, softly again, and proved again. */
	assert_ok(end_checkpoint(&b));
	end_free(&a);
	assert_ok(cluster_move(&c, i, &a, 0));
	assert_int_equal(hf_session_epoch(i), 3);
	assert_int_equal(hf_session_strength(i), HF_MOVES_SOFT);
	assert_one(&a);
	forth(&a, "soft again");
	assert_ok(end_checkpoint(&a));
	settle(&a);
	assert_ok(end_checkpoint(&a));
	assert_int_equal(hf_session_strength(a.s), HF_MOVES_PROVED);
	assert_int_equal(hf_session_epoch(a.s), 4);
	settle(&a);
	back(&a, "and proved");
	assert_one(&a);
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
	for (n = 0; n < 32; n++) {
		m.method = methods[n % 4];
		m.known = (n & 4) != 0;
		m.suite = (n & 8) != 0 ? 2 : 1;
		m.grease = (n & 16) != 0;
		if ((m.method == HF_METHOD_PLAIN_PASSWORD && m.known) ||
		    !hf_suite_available(m.suite))
			continue;
		one_way(&m);
		ways++;
	}
	assert_int_equal(ways, hf_suite_available(2) ? 28 : 14);
}

/* --- records on their way ----------------------------------------------------------------- */

/* Each side says something at each step, before it heard what the other said
 * there: what was sealed under the old keys is opened under them. */
static void
records_on_their_way(void **state)
{
	uint64_t seq;

	(void)state;
	begin(&by_cert);
	say(i, "1");
	say(b.s, "1");
	assert_ok(end_checkpoint(&b)); /* the refresh goes out */
	assert_int_equal(b.s->send.seq, 0);
	say(b.s, "2");
	say(i, "2"); /* it has not heard */
	expect(b.s, HF_CONTENT_DATA, "1");
	expect(i, HF_CONTENT_DATA, "1");
	expect(b.s, HF_CONTENT_DATA, "2");
	expect(i, HF_CONTENT_ACK, NULL);
	assert_ok(converse(&c, i, &b)); /* the refresh waits to be taken */
	seq = i->send.seq;
	say(i, "3");
	assert_int_equal(i->send.seq, seq + 1);
	expect(i, HF_CONTENT_REFRESH, NULL);
	assert_int_equal(i->send.seq, 0);
	say(i, "4");
	expect(i, HF_CONTENT_DATA, "2");
	expect(b.s, HF_CONTENT_DATA, "3");
	assert_ok(converse(&c, i, &b));
	say(b.s, "3");
	expect(b.s, HF_CONTENT_REFRESH, NULL);
	expect(b.s, HF_CONTENT_DATA, "4");
	expect(i, HF_CONTENT_DATA, "3");
	assert_one(&b);
	finish();
}

/* The ratchet counts from the new keys on. */
static void
ratchet(void **state)
{
	(void)state;
	begin(&by_cert);
	refresh();
	i->send.seq = b.s->recv.seq = HF__RATCHET_RECORDS - 1;
	forth(&b, "the last");
	forth(&b, "the first");
	forth(&b, "another");
	assert_one(&b);
	finish();
}

/* Where the output has no room for it, it waits for that. */
static void
no_room(void **state)
{
	static uint8_t data[HF_PLAINTEXT_MAX];
	size_t half;

	(void)state;
	begin(&by_cert);
	assert_ok(hf_session_send(b.s, data, sizeof(data)));
	assert_ok(hf_session_send(b.s, data, sizeof(data) - 100));
	assert_ok(end_checkpoint(&b));
	assert_int_equal(b.s->move->refreshing, HF__REFRESH_TO_SEND);
	assert_true(b.s->send.seq > 0);
	assert_err(hf_session_checkpoint(b.s, data, sizeof(data), &half),
	    HF_E_STATE);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(b.s->move->refreshing, HF__REFRESH_SENT);
	assert_int_equal(b.s->send.seq, 0);
	settle(&b);
	assert_ok(end_checkpoint(&b));
	assert_strength(HF_MOVES_PROVED, HF_MOVES_PROVED);
	settle(&b);
	assert_one(&b);
	finish();
}

/* What the application has not released by then is not in the state, whose
 * mark is then of the epoch before. */
static void
by_hand(void **state)
{
	struct hf_bases bases;

	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_release_by_hand(c.server[1], 1));
	i = cluster_meet(&c, &a, 0);
	assert_ok(cluster_move(&c, i, &b, 1));
	forth(&b, "one");
	forth(&b, "two");
	assert_ok(end_checkpoint(&b));
	settle(&b);
	forth(&b, "three");
	assert_ok(hf_session_release(b.s, 1));
	assert_ok(end_checkpoint(&b));
	settle(&b);
	assert_strength(HF_MOVES_PROVED, HF_MOVES_PROVED);
	end_free(&a);
	assert_ok(cluster_move(&c, i, &a, 0));
	assert_ok(hf_session_bases(&bases, i));
	assert_int_equal(bases.own_count, 1);
	assert_int_equal(bases.own_bytes, 3);
	assert_one(&a);
	forth(&a, "two, again");
	end_free(&b);
	/* The refresh itself is released by hand like any record. */
	assert_ok(end_checkpoint(&a));
	settle(&a);
	assert_ok(end_checkpoint(&a));
	settle(&a);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_one(&b);
	finish();
}

/* One end has closed its direction, and answers all the same. */
static void
after_a_close(void **state)
{
	(void)state;
	begin(&by_cert);
	assert_ok(end_checkpoint(&b));
	assert_ok(hf_session_close(i));
	settle(&b);
	assert_int_equal(hf_session_checkpoint_due(b.s), 2);
	assert_ok(end_checkpoint(&b));
	assert_strength(HF_MOVES_PROVED, HF_MOVES_PROVED);
	settle(&b);
	back(&b, "the other direction goes on");
	assert_one(&b);
	assert_ok(hf_session_close(b.s));
	settle(&b);
	assert_int_equal(hf_session_want(i), HF_WANT_CLOSED);
	assert_int_equal(hf_session_want(b.s), HF_WANT_CLOSED);
	finish();
}

/* A responder that has closed begins none; one that closes meanwhile is
 * answered. */
static void
close_meanwhile(void **state)
{
	enum hf_content content;
	struct hf_span data;

	(void)state;
	begin(&by_cert);
	assert_ok(hf_session_close(b.s));
	assert_err(hf_session_refresh(b.s), HF_E_STATE);
	assert_true(hf_session_checkpoint_due(b.s) < 2);
	assert_ok(end_checkpoint(&b));
	settle(&b);
	assert_strength(HF_MOVES_SOFT, HF_MOVES_SOFT);
	finish();
	begin(&by_cert);
	assert_ok(end_checkpoint(&b));
	assert_ok(hf_session_close(b.s));
	settle(&b);
	assert_strength(HF_MOVES_PROVED, HF_MOVES_SOFT);
	assert_ok(end_checkpoint(&b));
	assert_strength(HF_MOVES_PROVED, HF_MOVES_PROVED);
	settle(&b);
	assert_ok(hf_session_close(i));
	settle(&b);
	assert_int_equal(b.s->state, HF__CLOSED);
	assert_int_equal(i->state, HF__CLOSED);
	/* Both close while the answer is on its way. */
	finish();
	begin(&by_cert);
	assert_ok(end_checkpoint(&b));
	assert_ok(hf_session_close(i));
	expect(b.s, HF_CONTENT_CLOSE, NULL);
	assert_ok(hf_session_close(b.s));
	assert_int_equal(b.s->state, HF__CLOSED);
	assert_null(b.s->move->refresh);
	while (i->state != HF__CLOSED) {
		assert_ok(hf_session_drained(i, hf_session_output(i).len));
		assert_ok(converse(&c, i, &b));
		assert_ok(hf_session_recv(i, &content, &data));
	}
	assert_int_equal(i->state, HF__CLOSED);
	finish();
}

/* --- cut at every step --------------------------------------------------------------------- */

/* What has been heard, and stored, when the connection is cut. */
enum cut {
	BEFORE,	    /* nothing was begun */
	WRITTEN,    /* the first compare-and-set, and no more */
	ON_ITS_WAY, /* the responder's record was sent, and is lost */
	WAITING,    /* it arrived, and was not taken */
	TAKEN,	    /* and the answer is lost */
	ANSWERED,   /* the second compare-and-set was not made */
	DONE,
	CUTS
};

static void
until(enum cut cut)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	if (cut == BEFORE)
		return;
	assert_ok(hf_session_checkpoint(b.s, entry, sizeof(entry), &len));
	assert_ok(shelf_swap(&b, (struct hf_span){ entry, len }));
	if (cut == WRITTEN)
		return;
	assert_ok(hf_session_checkpointed(b.s, HF_OK));
	say(b.s, "under new keys");
	if (cut == ON_ITS_WAY)
		return;
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(i->content, HF__REFRESH);
	if (cut == WAITING)
		return;
	assert_int_equal(received(i, NULL), HF_CONTENT_REFRESH);
	say(i, "under new keys");
	if (cut == TAKEN)
		return;
	settle(&b);
	if (cut == ANSWERED)
		return;
	assert_ok(end_checkpoint(&b));
	settle(&b);
}

/* Whatever came before, the session goes on, with either strength; the one
 * that was left behind is fenced. */
static void
go_on(enum cut cut)
{
	bool taken = cut >= TAKEN;

	assert_int_equal(hf_session_strength(i),
	    taken ? HF_MOVES_PROVED : HF_MOVES_SOFT);
	end_free(&a);
	assert_ok(cluster_move(&c, i, &a, 0));
	assert_int_equal(i->state, HF__OPEN);
	assert_int_equal(a.s->state, HF__OPEN);
	assert_int_equal(hf_session_epoch(i), cut == BEFORE ? 2 : 3);
	assert_int_equal(hf_session_strength(i), HF_MOVES_SOFT);
	assert_int_equal(hf_session_strength(a.s), HF_MOVES_SOFT);
	assert_one(&a);
	forth(&a, "forth");
	back(&a, "back");
	assert_ok(end_checkpoint(&a));
	settle(&a);
	assert_ok(end_checkpoint(&a));
	settle(&a);
	assert_int_equal(hf_session_strength(a.s), HF_MOVES_PROVED);
	assert_one(&a);
}

static void
cut_at_every_step(void **state)
{
	enum cut cut;

	(void)state;
	for (cut = BEFORE; cut < CUTS; cut++) {
		begin(&by_cert);
		forth(&b, "taken");
		say(i, "not taken");
		until(cut);
		go_on(cut);
		if (cut != WRITTEN && cut != BEFORE && b.s->move != NULL &&
		    cut >= ANSWERED) {
			say(b.s, "never said");
			assert_err(end_checkpoint(&b), HF_E_FENCED);
		} else if (cut == WRITTEN) {
			assert_err(hf_session_checkpointed(b.s, HF_E_FENCED),
			    HF_E_FENCED);
		}
		finish();
	}
}

/* The one in between that is cut off, too, before it is confirmed: the secret
 * that the initiator holds stays good. */
static void
cut_twice(void **state)
{
	struct blob resume;
	enum hf_err e = HF_OK;
	enum cut cut;
	int n;

	(void)state;
	for (cut = BEFORE; cut < CUTS; cut++) {
		begin(&by_cert);
		forth(&b, "taken");
		until(cut);
		for (n = 0; n < 2; n++) {
			if (i->state == HF__OPEN)
				assert_err(hf_session_eof(i), HF_E_TRUNCATED);
			assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
			take(&resume, i);
			end_free(&a);
			end_make(&a, &c, 0);
			assert_ok(give(a.s, resume.bytes, resume.len));
			while (end_step(&c, &a, &e))
				assert_ok(e);
			assert_int_equal(a.s->state, HF__R_RESUMED);
		}
		end_free(&a);
		assert_ok(cluster_move(&c, i, &a, 0));
		assert_int_equal(i->state, HF__OPEN);
		assert_one(&a);
		forth(&a, "on");
		finish();
	}
}

/* --- the store ------------------------------------------------------------------------------ */

/* The first compare-and-set fails: nothing is sent, the session goes on, and a
 * later attempt has an ephemeral of its own. */
static void
store_fails_first(void **state)
{
	uint8_t head[64], entry[HF_ENTRY_MAX];
	size_t len;

	(void)state;
	begin(&by_cert);
	c.shelf.down = 1;
	assert_ok(end_checkpoint(&b));
	assert_int_equal(hf_session_output(b.s).len, 0);
	assert_null(b.s->move->refresh);
	assert_int_equal(hf_session_checkpoint_due(b.s), 0);
	forth(&b, "on it goes");
	assert_int_equal(hf_session_checkpoint_due(b.s), 1);
	assert_ok(hf_session_checkpoint(b.s, entry, sizeof(entry), &len));
	memcpy(head, b.s->move->refresh->head, sizeof(head));
	assert_ok(hf_session_checkpointed(b.s, HF_E_STORE));
	assert_null(b.s->move->refresh);
	c.shelf.down = 0;
	assert_ok(hf_session_checkpoint(b.s, entry, sizeof(entry), &len));
	assert_memory_not_equal(head, b.s->move->refresh->head, sizeof(head));
	assert_ok(hf_session_checkpointed(b.s,
	    shelf_swap(&b, (struct hf_span){ entry, len })));
	settle(&b);
	assert_ok(end_checkpoint(&b));
	assert_strength(HF_MOVES_PROVED, HF_MOVES_PROVED);
	settle(&b);
	assert_one(&b);
	finish();
}

/* It was taken for failed, and came late: nobody has that secret, and the
 * initiator's is the previous one. */
static void
late_write(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	(void)state;
	begin(&by_cert);
	forth(&b, "taken");
	assert_ok(hf_session_checkpoint(b.s, entry, sizeof(entry), &len));
	assert_ok(hf_session_checkpointed(b.s, HF_E_STORE));
	assert_ok(shelf_swap(&b, (struct hf_span){ entry, len }));
	go_on(WAITING);
	finish();
	/* Or the owner writes over it, and its epoch is again the one it is. */
	begin(&by_cert);
	forth(&b, "taken");
	assert_ok(hf_session_checkpoint(b.s, entry, sizeof(entry), &len));
	assert_ok(hf_session_checkpointed(b.s, HF_E_STORE));
	assert_ok(shelf_swap(&b, (struct hf_span){ entry, len }));
	b.s->move->refresh_wanted = false;
	assert_ok(end_checkpoint(&b));
	settle(&b);
	end_free(&a);
	assert_ok(cluster_move(&c, i, &a, 0));
	assert_int_equal(hf_session_epoch(i), 2);
	assert_one(&a);
	finish();
}

/* The second fails: the responder is still soft, and says so, until a later
 * checkpoint. */
static void
store_fails_second(void **state)
{
	(void)state;
	begin(&by_cert);
	until(ANSWERED);
	c.shelf.down = 1;
	assert_ok(end_checkpoint(&b));
	assert_strength(HF_MOVES_PROVED, HF_MOVES_SOFT);
	assert_true(hf_session_checkpoint_due(b.s) < 2);
	c.shelf.down = 0;
	forth(&b, "more");
	assert_ok(end_checkpoint(&b));
	assert_strength(HF_MOVES_PROVED, HF_MOVES_PROVED);
	settle(&b);
	assert_one(&b);
	finish();
}

/* Somebody else has the session when a compare-and-set is made. */
static void
fenced(void **state)
{
	(void)state;
	begin(&by_cert);
	end_free(&a);
	assert_ok(cluster_move(&c, i, &a, 0));
	assert_err(end_checkpoint(&b), HF_E_FENCED);
	assert_int_equal(hf_session_output(b.s).len, 0);
	assert_null(b.s->move);
	finish();
	begin(&by_cert);
	until(ANSWERED);
	assert_ok(hf_session_drained(b.s, hf_session_output(b.s).len));
	end_free(&a);
	assert_ok(cluster_move(&c, i, &a, 0));
	assert_err(end_checkpoint(&b), HF_E_FENCED);
	assert_int_equal(hf_session_output(b.s).len, 0);
	finish();
}

/* --- who wants one --------------------------------------------------------------------------- */

static void
by_call(void **state)
{
	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_err(hf_config_refresh(NULL, 1), HF_E_ARG);
	assert_err(hf_session_refresh(NULL), HF_E_ARG);
	assert_ok(hf_config_refresh(c.server[1], 0));
	i = cluster_meet(&c, &a, 0);
	assert_err(hf_session_refresh(a.s), HF_E_STATE); /* epoch 0 */
	assert_err(hf_session_refresh(i), HF_E_STATE);
	assert_ok(cluster_move(&c, i, &b, 1));
	settle(&b);
	assert_int_equal(hf_session_checkpoint_due(b.s), 0);
	assert_err(hf_session_refresh(i), HF_E_STATE);
	b.s->move->epoch = UINT32_MAX;
	assert_err(hf_session_refresh(b.s), HF_E_EXHAUSTED);
	b.s->move->epoch = 1;
	assert_ok(hf_session_refresh(b.s));
	refresh();
	assert_err(hf_session_refresh(b.s), HF_E_STATE); /* once */
	assert_one(&b);
	finish();
}

/* The reply key may be made beforehand: for one resume, and no more. */
static void
prepared(void **state)
{
	uint8_t pk[2][32];

	(void)state;
	begin(&by_cert);
	assert_err(hf_session_prepare(NULL), HF_E_ARG);
	assert_err(hf_session_prepare(b.s), HF_E_STATE);
	assert_ok(hf_session_prepare(i));
	memcpy(pk[0], i->move->prepared.pk, 32);
	assert_ok(hf_session_prepare(i));
	assert_memory_equal(pk[0], i->move->prepared.pk, 32);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_err(hf_session_prepare(i), HF_E_STATE);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	assert_memory_equal(pk[0], i->hs->ephemeral.pk, 32);
	assert_true(sodium_is_zero((const uint8_t *)&i->move->prepared,
	    sizeof(i->move->prepared)));
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	memcpy(pk[1], i->hs->ephemeral.pk, 32);
	assert_memory_not_equal(pk[0], pk[1], 32);
	end_free(&b);
	end_make(&b, &c, 1);
	assert_ok(converse(&c, i, &b));
	assert_ok(hf_session_prepare(i));
	memcpy(pk[0], i->move->prepared.pk, 32);
	refresh();
	assert_one(&b);
	end_free(&a);
	assert_ok(cluster_move(&c, i, &a, 0));
	assert_memory_equal(a.s->move->reply.pk, pk[0], 32);
	assert_ok(end_checkpoint(&a));
	settle(&a);
	assert_ok(end_checkpoint(&a));
	assert_int_equal(hf_session_strength(a.s), HF_MOVES_PROVED);
	assert_ok(hf_session_prepare(i));
	settle(&a);
	assert_ok(hf_session_close(a.s));
	assert_ok(hf_session_close(i));
	settle(&a);
	assert_int_equal(i->state, HF__CLOSED);
	assert_false(i->move->is_prepared);
	finish();
	/* Nothing to make where it takes no part. */
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_refresh(c.world.i, 0));
	i = cluster_meet(&c, &a, 0);
	memset(&b, 0, sizeof(b));
	assert_ok(hf_session_prepare(i));
	assert_false(i->move->is_prepared);
	finish();
}

/* An initiator that takes no part sends no reply key, and is not asked. */
static void
no_part(void **state)
{
	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_refresh(c.world.i, 0));
	i = cluster_meet(&c, &a, 0);
	assert_ok(cluster_move(&c, i, &b, 1));
	settle(&b);
	assert_int_equal(hf_session_checkpoint_due(b.s), 0);
	assert_err(hf_session_refresh(b.s), HF_E_STATE);
	forth(&b, "x");
	assert_ok(end_checkpoint(&b));
	settle(&b);
	assert_strength(HF_MOVES_SOFT, HF_MOVES_SOFT);
	assert_int_equal(hf_session_epoch(i), 1);
	finish();
	/* Nor is one that was proved on the way. */
	cluster_make(&c, &by_cert, HF_MOVES_PROVED);
	i = cluster_meet(&c, &a, 0);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_strength(HF_MOVES_PROVED, HF_MOVES_PROVED);
	settle(&b);
	assert_err(hf_session_refresh(b.s), HF_E_STATE);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way),
		cmocka_unit_test(records_on_their_way),
		cmocka_unit_test(ratchet),
		cmocka_unit_test(no_room),
		cmocka_unit_test(by_hand),
		cmocka_unit_test(after_a_close),
		cmocka_unit_test(close_meanwhile),
		cmocka_unit_test(cut_at_every_step),
		cmocka_unit_test(cut_twice),
		cmocka_unit_test(store_fails_first),
		cmocka_unit_test(late_write),
		cmocka_unit_test(store_fails_second),
		cmocka_unit_test(fenced),
		cmocka_unit_test(by_call),
		cmocka_unit_test(prepared),
		cmocka_unit_test(no_part),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
