/* SPDX-License-Identifier: ISC */
/*
 * Sessions at rest (spec section 21.5): what wakes goes on with the session and
 * can do nothing else; what was in flight; copies; what is refused, each with
 * its exact error.
 */
#include "cluster.h"

static struct cluster c;
static struct hf_session *i, *woken;
static struct end a, b;
static uint8_t object[HF_REST_MAX];
static size_t object_len;

static const uint8_t key[HF_KEY_BYTES] = { 3 };
static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };

static void
expect(struct hf_session *s, enum hf_content content, const char *data)
{
	assert_int_equal(received(s, data), content);
}

/* A session with a record each way, all of it stored and acked. */
static void
begin(enum hf_mobility mobility)
{
	cluster_make(&c, &by_cert, mobility);
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	expect(i, HF_CONTENT_ACK, NULL);
	say(i, "forth");
	assert_ok(converse(&c, i, &a));
	expect(a.s, HF_CONTENT_DATA, "forth");
	say(a.s, "back");
	assert_ok(converse(&c, i, &a));
	expect(i, HF_CONTENT_DATA, "back");
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	expect(i, HF_CONTENT_ACK, NULL);
	memset(&b, 0, sizeof(b));
	woken = NULL;
}

static void
finish(void)
{
	hf_session_free(i);
	hf_session_free(woken);
	end_free(&a);
	end_free(&b);
	cluster_free(&c);
}

static void
rest(void)
{
	assert_ok(hf_session_rest(object, sizeof(object), &object_len, i,
	    "echo", key));
}

static enum hf_err
wake(void)
{
	hf_session_free(woken);
	return hf_session_wake(&woken, c.world.i, "echo", object, object_len,
	    key, NOW);
}

/* The process ends, and another one begins. */
static void
restart(void)
{
	rest();
	hf_session_free(i);
	i = NULL;
	assert_ok(wake());
}

/* Both directions work. */
static void
assert_talks(void)
{
	assert_int_equal(woken->state, HF__OPEN);
	say(woken, "on");
	assert_ok(converse(&c, woken, &b));
	expect(b.s, HF_CONTENT_DATA, "on");
	say(b.s, "and on");
	assert_ok(converse(&c, woken, &b));
	expect(woken, HF_CONTENT_DATA, "and on");
}

/* --- it goes on ------------------------------------------------------------------ */

static void
goes_on(void **state)
{
	enum hf_mobility m;
	struct hf_peer peer;
	uint8_t sid[HF_SID_BYTES];
	uint64_t expires, count, bytes;

	(void)state;
	for (m = HF_MOVES_SOFT; m <= HF_MOVES_PROVED; m++) {
		begin(m);
		memcpy(sid, hf_session_id(i).ptr, sizeof(sid));
		expires = hf_session_expires(i);
		restart();
		assert_int_equal(hf_session_want(woken), HF_WANT_FAILED);
		assert_err(hf_session_error(woken), HF_E_TRUNCATED);
		assert_int_equal(hf_session_output(woken).len, 0);
		assert_int_equal(hf_session_mobility(woken), m);
		assert_int_equal(hf_session_expires(woken), expires);
		assert_memory_equal(hf_session_id(woken).ptr, sid, 16);
		assert_int_equal(hf_session_target(woken).len, 1);
		assert_int_equal(hf_session_suite(woken), a.s->suite->id);
		assert_ok(hf_session_peer(&peer, woken));
		assert_true(peer.authenticated);
		assert_string_equal(peer.name, "server.example");
		hf_session_acked(&count, &bytes, woken);
		assert_int_equal(bytes, 5);
		assert_true(hf_session_can_reconnect(woken));
		assert_ok(cluster_move(&c, woken, &b, 1));
		assert_int_equal(hf_session_epoch(woken), 1);
		assert_err(hf_session_refused(b.s), HF_OK);
		assert_int_equal(hf_session_strength(woken), m);
		assert_talks();
		finish();
	}
}

/* Before it is open again it can do nothing but resume. */
static void
nothing_else(void **state)
{
	uint8_t out[32];
	enum hf_content content;
	struct hf_span data;
	size_t used;

	(void)state;
	begin(HF_MOVES_SOFT);
	restart();
	assert_err(hf_session_send(woken, out, 1), HF_E_STATE);
	assert_err(hf_session_close(woken), HF_E_STATE);
	assert_err(hf_session_recv(woken, &content, &data), HF_E_STATE);
	assert_err(hf_session_feed(woken, &used, out, 1), HF_E_STATE);
	assert_err(hf_session_export(out, 32, woken, "x", NULL, 0),
	    HF_E_STATE);
	assert_err(hf_session_reroute(woken, NULL, START_MS, NOW), HF_E_STATE);
	assert_true(sodium_is_zero((const uint8_t *)&woken->send.key, 32) &&
	    sodium_is_zero((const uint8_t *)&woken->recv.key, 32) &&
	    sodium_is_zero(woken->send.ratchet, 32) &&
	    sodium_is_zero(woken->recv.ratchet, 32) &&
	    sodium_is_zero(woken->secrets.exporter, 32) &&
	    sodium_is_zero(woken->secrets.confirm, 32));
	finish();
}

/* It rests again after it has moved; and where its connection has broken, or
 * a resume came to nothing, whose serial is not used again. */
static void
rests_again(void **state)
{
	(void)state;
	begin(HF_MOVES_SOFT);
	restart();
	assert_ok(hf_session_reconnect(woken, START_MS, NOW));
	assert_int_equal(woken->move->serial, 1);
	i = woken;
	woken = NULL;
	assert_err(hf_session_rest(object, sizeof(object), &object_len, i,
		       "echo", key),
	    HF_E_STATE); /* its resume is under way */
	assert_err(hf_session_eof(i), HF_E_GONE);
	restart();
	assert_int_equal(woken->move->serial, 1);
	assert_ok(cluster_move(&c, woken, &b, 1));
	assert_int_equal(hf_session_epoch(woken), 1);
	assert_talks();
	assert_ok(end_checkpoint(&b)); /* and a refresh, which nobody hears */
	i = woken;
	woken = NULL;
	restart();
	end_free(&b);
	assert_ok(cluster_move(&c, woken, &b, 0));
	assert_int_equal(hf_session_epoch(woken), 3);
	assert_talks();
	finish();
}

/* --- what was in flight ------------------------------------------------------------ */

/* The responder has stored none, one or both of two records that were not
 * acked. */
static void
in_flight(void **state)
{
	struct blob record;
	int stored, n;

	(void)state;
	for (stored = 0; stored <= 2; stored++) {
		begin(HF_MOVES_SOFT);
		for (n = 0; n < 2; n++) {
			say(i, "late");
			take(&record, i);
			if (n >= stored)
				continue;
			assert_ok(give(a.s, record.bytes, record.len));
			expect(a.s, HF_CONTENT_DATA, "late");
			assert_ok(end_checkpoint(&a));
			take(&record, a.s); /* its ack is lost */
		}
		restart();
		assert_err(cluster_move(&c, woken, &b, 1),
		    stored == 1 ? HF_E_ROLLBACK : HF_OK);
		assert_int_equal(hf_session_can_reconnect(woken), stored != 1);
		if (stored != 1)
			assert_talks();
		finish();
	}
}

/* What came after it was put to rest is lost to it, and no hindrance. */
static void
heard_later(void **state)
{
	(void)state;
	begin(HF_MOVES_SOFT);
	rest();
	say(a.s, "later");
	assert_ok(converse(&c, i, &a));
	expect(i, HF_CONTENT_DATA, "later");
	assert_ok(end_checkpoint(&a));
	assert_ok(wake());
	assert_ok(cluster_move(&c, woken, &b, 1));
	assert_err(hf_session_refused(b.s), HF_OK);
	assert_talks();
	finish();
}

/* What was sent after it makes it useless: a handshake follows. */
static void
sent_later(void **state)
{
	struct hf_lost lost;

	(void)state;
	begin(HF_MOVES_SOFT);
	rest();
	say(i, "later");
	assert_ok(converse(&c, i, &a));
	expect(a.s, HF_CONTENT_DATA, "later");
	assert_ok(end_checkpoint(&a));
	assert_ok(wake());
	assert_ok(cluster_move(&c, woken, &b, 0));
	assert_err(hf_session_refused(b.s), HF_E_ROLLBACK);
	hf_session_lost(&lost, woken);
	assert_true(lost.lost);
	assert_int_equal(hf_session_epoch(woken), 0);
	assert_talks();
	finish();
}

/* --- copies ------------------------------------------------------------------------- */

/* A copy, after the first was open; after it was only claimed; and before. */
static void
copies(void **state)
{
	struct blob first, second;
	enum hf_err e;

	(void)state;
	begin(HF_MOVES_SOFT);
	restart();
	assert_ok(cluster_move(&c, woken, &b, 1));
	assert_talks();
	assert_ok(wake());
	end_free(&b);
	assert_err(cluster_move(&c, woken, &b, 0), HF_E_REPLAY);
	finish();

	begin(HF_MOVES_SOFT);
	restart();
	assert_ok(hf_session_reconnect(woken, START_MS, NOW));
	take(&first, woken);
	assert_ok(wake());
	assert_ok(hf_session_reconnect(woken, START_MS, NOW));
	take(&second, woken);
	/* The same serial, and nothing else that a key comes from. */
	assert_int_equal(woken->move->serial, 1);
	assert_int_equal(first.len, second.len);
	assert_memory_not_equal(first.bytes, second.bytes, first.len);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, first.bytes, first.len));
	while (end_step(&c, &b, &e))
		assert_ok(e);
	assert_int_equal(b.s->state, HF__R_RESUMED);
	end_free(&b);
	end_make(&b, &c, 0);
	e = give(b.s, second.bytes, second.len);
	while (e == HF_OK && end_step(&c, &b, &e))
		;
	assert_err(e, HF_E_REPLAY);
	finish();
}

/* Of a copy's resume everything that a key comes from is its own. */
static void
nonces_of_copies(void **state)
{
	struct blob resume[2];
	const uint8_t *nonce[2];
	size_t n, k;

	(void)state;
	begin(HF_MOVES_SOFT);
	restart();
	for (k = 0; k < 2; k++) {
		assert_ok(wake());
		assert_ok(hf_session_reconnect(woken, START_MS, NOW));
		take(&resume[k], woken);
		nonce[k] = resume[k].bytes +
		    item_at(&n, resume[k].bytes, resume[k].len, 6);
		assert_int_equal(n, 34);
	}
	assert_memory_not_equal(nonce[0], nonce[1], 34);
	finish();
}

/* --- what is refused ------------------------------------------------------------------ */

static void
changed(void **state)
{
	static const uint8_t other[HF_KEY_BYTES] = { 4 };
	struct hf_session *s;
	size_t n;

	(void)state;
	begin(HF_MOVES_SOFT);
	rest();
	for (n = 0; n < 8 * object_len; n++) {
		object[n / 8] ^= (uint8_t)(1U << n % 8);
		assert_err(wake(), HF_E_ENTRY);
		object[n / 8] ^= (uint8_t)(1U << n % 8);
	}
	for (n = 0; n < object_len; n++)
		assert_err(hf_session_wake(&s, c.world.i, "echo", object, n,
			       key, NOW),
		    HF_E_ENTRY);
	assert_err(hf_session_wake(&s, c.world.i, "echo", object, object_len,
		       other, NOW),
	    HF_E_ENTRY);
	assert_null(s);
	assert_err(hf_session_wake(&s, c.world.i, "ech", object, object_len,
		       key, NOW),
	    HF_E_ENTRY);
	assert_ok(wake());
	finish();
}

/* Of a bad one nothing stays. */
static void
nothing_of_a_bad_one(void **state)
{
	struct hf__rested r;

	(void)state;
	begin(HF_MOVES_SOFT);
	rest();
	object[object_len - 1] ^= 1;
	memset(&r, 0xa5, sizeof(r));
	assert_err(hf__rest_open(&r, "echo", object, object_len, key),
	    HF_E_ENTRY);
	assert_true(sodium_is_zero((const uint8_t *)&r, sizeof(r)));
	finish();
}

static void
expired(void **state)
{
	struct hf_session *s;
	uint64_t end;

	(void)state;
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_lifetime(c.server[0], 100));
	i = cluster_meet(&c, &a, 0);
	memset(&b, 0, sizeof(b));
	woken = NULL;
	rest();
	end = hf_session_expires(i);
	assert_int_equal(end, NOW + 100);
	assert_err(hf_session_wake(&s, c.world.i, "echo", object, object_len,
		       key, end),
	    HF_E_EXPIRED);
	assert_null(s);
	assert_ok(hf_session_wake(&s, c.world.i, "echo", object, object_len,
	    key, end - 1));
	assert_err(hf_session_reconnect(s, START_MS, end), HF_E_EXPIRED);
	hf_session_free(s);
	finish();
}

/* A configuration that shows, or expects, somebody else. */
/* What was acked must have been released: else nobody would wake it. */
static void
unreleased(void **state)
{
	(void)state;
	begin(HF_MOVES_SOFT);
	assert_ok(hf_config_release_by_hand(c.world.i, 1));
	say(a.s, "more");
	assert_ok(converse(&c, i, &a));
	expect(i, HF_CONTENT_DATA, "more");
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	expect(i, HF_CONTENT_ACK, NULL);
	assert_err(hf_session_rest(object, sizeof(object), &object_len, i,
		       "echo", key),
	    HF_E_STATE);
	assert_ok(hf_session_release(i, i->move->covered));
	rest();
	assert_ok(wake());
	finish();
}

static void
settings(void **state)
{
	struct hf_span leaf;
	struct hf_config *w;
	uint16_t suite;

	(void)state;
	begin(HF_MOVES_SOFT);
	w = c.world.i;
	rest();
	assert_ok(hf_config_target(w, "other"));
	assert_err(wake(), HF_E_ENTRY);
	assert_ok(hf_config_target(w, "t"));
	assert_ok(wake());
	assert_ok(hf_config_realm(w, "elsewhere"));
	assert_err(wake(), HF_E_ENTRY);
	w->realm = (struct hf_name){ 0 };
	assert_ok(wake());
	assert_ok(hf_config_expect(w, "other.example"));
	assert_err(wake(), HF_E_ENTRY);
	w->expect = (struct hf_name){ 0 };
	name_set(&w->expect, "server.example");
	rest();
	assert_ok(wake());
	w->method = HF_METHOD_PASSWORD;
	assert_err(wake(), HF_E_ENTRY);
	w->method = HF_METHOD_CERTIFICATE;
	assert_ok(wake());
	w->user[0] = 'u';
	assert_err(wake(), HF_E_ENTRY);
	w->user[0] = '\0';
	leaf = w->own.cert[0];
	w->own.cert[0] = c.chain[0];
	assert_err(wake(), HF_E_ENTRY);
	w->own.cert[0] = leaf;
	assert_ok(wake());
	suite = woken->move->suite->id;
	w->suites_n = 1;
	w->suites[0] = suite == 1 ? 2 : 1;
	assert_err(wake(), HF_E_ENTRY);
	w->suites[w->suites_n++] = suite;
	assert_ok(wake());
	finish();
}

/* By ticket: another one is somebody else's. */
static void
tickets(void **state)
{
	static const struct meeting by_ticket = { .method = HF_METHOD_TICKET,
		.known = 1,
		.target = "t" };

	(void)state;
	cluster_make(&c, &by_ticket, HF_MOVES_PROVED);
	i = cluster_meet(&c, &a, 0);
	memset(&b, 0, sizeof(b));
	woken = NULL;
	rest();
	assert_ok(wake());
	c.world.i->ticket[c.world.i->ticket_len - 1] ^= 1;
	assert_err(wake(), HF_E_ENTRY);
	c.world.i->ticket[c.world.i->ticket_len - 1] ^= 1;
	assert_ok(wake());
	assert_ok(cluster_move(&c, woken, &b, 1));
	assert_int_equal(hf_session_strength(woken), HF_MOVES_PROVED);
	assert_talks();
	finish();
}

/* Its own close, which was stored, is known when it wakes: it does not close
 * again. */
static void
closed(void **state)
{
	(void)state;
	begin(HF_MOVES_SOFT);
	assert_ok(hf_session_close(i));
	assert_ok(converse(&c, i, &a));
	expect(a.s, HF_CONTENT_CLOSE, NULL);
	assert_ok(end_checkpoint(&a));
	restart();
	assert_ok(cluster_move(&c, woken, &b, 1));
	assert_err(hf_session_refused(b.s), HF_OK);
	assert_err(hf_session_send(woken, key, 1), HF_E_STATE);
	say(b.s, "still");
	assert_ok(converse(&c, woken, &b));
	expect(woken, HF_CONTENT_DATA, "still");
	finish();
}

/* Whom the process does not believe any more it does not go on with. */
static void
trust(void **state)
{
	static uint8_t list[HF_LIST_MAX];
	struct hf_cert_info info;
	struct hf_trust *none;
	size_t len;

	(void)state;
	begin(HF_MOVES_SOFT);
	rest();
	assert_ok(hf_trust_new(&none));
	assert_ok(hf_config_trust(c.world.i, none));
	assert_err(wake(), HF_E_ISSUER);
	assert_null(woken);
	assert_ok(hf_config_trust(c.world.i, c.world.trust));
	hf_trust_free(none);
	assert_ok(wake());
	assert_ok(hf_cert_read(&info, c.first_cert.bytes, c.first_cert.len));
	assert_ok(hf_list_make(list, sizeof(list), &len, c.world.ca,
	    c.world.ca_cert.bytes, c.world.ca_cert.len, 1, info.cti, 1, NOW,
	    NOW + 10));
	assert_ok(hf_trust_add_list(c.world.trust, list, len));
	assert_err(wake(), HF_E_REVOKED);
	finish();
}

/* What its own process could not have made, sealed all the same. */
static void
of_no_use(void **state)
{
	struct hf__rested r, kept;

	(void)state;
	begin(HF_MOVES_SOFT);
	rest();
	assert_ok(hf__rest_open(&kept, "echo", object, object_len, key));
	r = kept;
	r.suite = 99;
	assert_ok(hf__rest_seal(object, &object_len, &r, key));
	assert_err(wake(), HF_E_ENTRY);
	r = kept;
	r.leaf_len--;
	assert_ok(hf__rest_seal(object, &object_len, &r, key));
	assert_err(wake(), HF_E_ENTRY);
	assert_ok(hf__rest_seal(object, &object_len, &kept, key));
	assert_ok(wake());
	finish();
}

/* One's own certificate has to be good too. */
static void
own_certificate(void **state)
{
	struct hf_session *s;

	(void)state;
	begin(HF_MOVES_SOFT);
	rest();
	assert_err(hf_session_wake(&s, c.world.i, "echo", object, object_len,
		       key, c.world.i->own_leaf.not_after),
	    HF_E_OWN_EXPIRED);
	assert_err(hf_session_wake(&s, c.server[0], "echo", object, object_len,
		       key, NOW),
	    HF_E_ARG);
	finish();
}

/* --- what may not rest ---------------------------------------------------------------- */

static enum hf_err
rest_of(const struct hf_session *s)
{
	return hf_session_rest(object, sizeof(object), &object_len, s, "echo",
	    key);
}

static void
states(void **state)
{
	struct pair p;

	(void)state;
	begin(HF_MOVES_SOFT);
	assert_err(rest_of(a.s), HF_E_STATE); /* a responder's */
	/* A session that was refused for its marks is over. */
	rest();
	say(i, "later");
	assert_ok(wake());
	hf_session_free(i);
	i = woken;
	woken = NULL;
	assert_ok(hf_session_reconnect(i, START_MS, NOW));
	assert_err(rest_of(i), HF_E_STATE);
	finish();
	/* Closed both ways. */
	begin(HF_MOVES_SOFT);
	assert_ok(hf_session_close(i));
	assert_ok(rest_of(i));
	assert_ok(converse(&c, i, &a));
	expect(a.s, HF_CONTENT_CLOSE, NULL);
	assert_ok(hf_session_close(a.s));
	assert_ok(converse(&c, i, &a));
	expect(i, HF_CONTENT_CLOSE, NULL);
	assert_err(rest_of(i), HF_E_STATE);
	finish();
	/* One that does not move. */
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	pair_make(&p, &c.world);
	assert_err(rest_of(p.i), HF_E_STATE);
	pair_free(&p);
	cluster_free(&c);
}

/* A refresh that was verified and not yet taken; then it was. */
static void
refreshing(void **state)
{
	(void)state;
	begin(HF_MOVES_SOFT);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(hf_session_strength(i), HF_MOVES_SOFT);
	assert_ok(end_checkpoint(&b)); /* the refresh goes out */
	assert_ok(converse(&c, i, &b));
	expect(i, HF_CONTENT_ACK, NULL);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(i->move->refreshing, HF__REFRESH_TAKEN);
	assert_err(rest_of(i), HF_E_STATE);
	expect(i, HF_CONTENT_REFRESH, NULL);
	assert_ok(converse(&c, i, &b));
	expect(b.s, HF_CONTENT_REFRESH, NULL);
	assert_ok(end_checkpoint(&b));
	restart();
	end_free(&b);
	assert_ok(cluster_move(&c, woken, &b, 0));
	assert_int_equal(hf_session_epoch(woken), 3);
	assert_talks();
	finish();
}

/* A handshake in its place came to nothing: what is known of the other server
 * is not this session's. */
static void
in_its_place(void **state)
{
	(void)state;
	begin(HF_MOVES_SOFT);
	c.shelf.down = 1;
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	i->move->kept.cert = i->peer_cert;
	assert_err(hf_session_eof(i), HF_E_GONE);
	assert_err(rest_of(i), HF_E_STATE);
	i->move->kept.cert = (struct hf_span){ NULL, 0 };
	assert_ok(rest_of(i));
	finish();
}

static void
arguments(void **state)
{
	char longest[HF_NAME_MAX + 2];
	struct hf_session *s;
	size_t len;

	(void)state;
	begin(HF_MOVES_SOFT);
	memset(longest, 'p', sizeof(longest));
	longest[HF_NAME_MAX + 1] = '\0';
	assert_err(hf_session_rest(NULL, 1, &len, i, "p", key), HF_E_ARG);
	assert_err(hf_session_rest(object, 1, NULL, i, "p", key), HF_E_ARG);
	assert_err(hf_session_rest(object, 1, &len, NULL, "p", key), HF_E_ARG);
	assert_err(hf_session_rest(object, 1, &len, i, NULL, key), HF_E_ARG);
	assert_err(hf_session_rest(object, 1, &len, i, "p", NULL), HF_E_ARG);
	assert_err(hf_session_rest(object, 1, &len, i, "", key), HF_E_ARG);
	assert_err(hf_session_rest(object, sizeof(object), &len, i, longest,
		       key),
	    HF_E_ARG);
	longest[HF_NAME_MAX] = '\0';
	assert_ok(
	    hf_session_rest(object, sizeof(object), &len, i, longest, key));
	assert_err(hf_session_rest(object, len - 1, &len, i, longest, key),
	    HF_E_SPACE);
	assert_ok(
	    hf_session_wake(&s, c.world.i, longest, object, len, key, NOW));
	hf_session_free(s);
	assert_err(hf_session_wake(NULL, c.world.i, "p", object, len, key,
		       NOW),
	    HF_E_ARG);
	assert_err(hf_session_wake(&s, NULL, "p", object, len, key, NOW),
	    HF_E_ARG);
	assert_err(hf_session_wake(&s, c.world.i, NULL, object, len, key, NOW),
	    HF_E_ARG);
	assert_err(hf_session_wake(&s, c.world.i, "p", NULL, len, key, NOW),
	    HF_E_ARG);
	assert_err(hf_session_wake(&s, c.world.i, "p", object, len, NULL, NOW),
	    HF_E_ARG);
	finish();
}

/* --- seals ------------------------------------------------------------------------------ */

static void
nonce_of(uint8_t nonce[24], const struct hf__rested *r, const char *random,
    const uint8_t by[32])
{
	uint8_t out[HF_REST_MAX];
	const uint8_t *at;
	size_t len, n;

	fixed_random(random);
	assert_ok(hf__rest_seal(out, &len, r, by));
	fixed_random(NULL);
	at = out + item_at(&n, out, len, 4);
	assert_int_equal(n, 26);
	memcpy(nonce, at + 2, 24);
}

/* A clone of a machine, or a source that repeats itself. */
static void
nonces(void **state)
{
	static const uint8_t other_key[32] = { 5 };
	uint8_t first[24], other[24];
	struct hf__rested r, kept;

	(void)state;
	begin(HF_MOVES_SOFT);
	rest();
	assert_ok(hf__rest_open(&kept, "echo", object, object_len, key));
	nonce_of(first, &kept, "a source", key);
	nonce_of(other, &kept, "a source", key);
	assert_memory_equal(first, other, 24);
	nonce_of(other, &kept, "another source", key);
	assert_memory_not_equal(first, other, 24);
	r = kept;
	r.secret[31] ^= 1;
	nonce_of(other, &r, "a source", key);
	assert_memory_not_equal(first, other, 24);
	r = kept;
	r.expires++;
	nonce_of(other, &r, "a source", key);
	assert_memory_not_equal(first, other, 24);
	nonce_of(other, &kept, "a source", other_key);
	assert_memory_not_equal(first, other, 24);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on),
		cmocka_unit_test(nothing_else),
		cmocka_unit_test(rests_again),
		cmocka_unit_test(in_flight),
		cmocka_unit_test(heard_later),
		cmocka_unit_test(sent_later),
		cmocka_unit_test(copies),
		cmocka_unit_test(nonces_of_copies),
		cmocka_unit_test(changed),
		cmocka_unit_test(nothing_of_a_bad_one),
		cmocka_unit_test(expired),
		cmocka_unit_test(settings),
		cmocka_unit_test(unreleased),
		cmocka_unit_test(tickets),
		cmocka_unit_test(closed),
		cmocka_unit_test(trust),
		cmocka_unit_test(of_no_use),
		cmocka_unit_test(own_certificate),
		cmocka_unit_test(states),
		cmocka_unit_test(refreshing),
		cmocka_unit_test(in_its_place),
		cmocka_unit_test(arguments),
		cmocka_unit_test(nonces),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
