/* SPDX-License-Identifier: ISC */
/*
 * Sessions that may not move, or not so (spec section 17): each with its exact
 * error, one alert, the store as it was, and what follows.
 */
#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };

static const uint8_t no_session[] = { 0x82, HF__ALERT, 4 };
static const uint8_t store_alert[] = { 0x82, HF__ALERT, 2 };
static const uint8_t refused_alert[] = { 0x82, HF__ALERT, 1 };

/* A session with a record each way, all of it stored and acked. */
static void
begin(const struct meeting *m, enum hf_mobility mobility)
{
	cluster_make(&c, m, mobility);
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	say(i, "forth");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, "forth"), HF_CONTENT_DATA);
	say(a.s, "back");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, "back"), HF_CONTENT_DATA);
	assert_ok(end_checkpoint(&a));
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

/* The initiator's resume, on the way to whichever server. */
static void
resume_of(struct blob *resume)
{
	if (i->state == HF__OPEN)
		assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	take(resume, i);
}

/* A server hears that, and does what it can. */
static enum hf_err
hear(struct end *end, int server, const struct blob *message)
{
	enum hf_err e;

	end_make(end, &c, server);
	e = give(end->s, message->bytes, message->len);
	while (e == HF_OK && end_step(&c, end, &e))
		;
	return e;
}

static void
assert_said(struct end *end, const uint8_t *alert, size_t len)
{
	struct hf_span out = hf_session_output(end->s);

	assert_int_equal(out.len, len);
	assert_memory_equal(out.ptr, alert, len);
}

/* Refused so that a handshake may follow: nothing is left of it. */
static void
assert_refused(struct end *end, enum hf_err why, const uint8_t *alert)
{
	assert_err(hf_session_refused(end->s), why);
	assert_int_equal(end->s->state, HF__R_START);
	assert_null(end->s->move);
	assert_int_equal(hf_session_id(end->s).len, 0);
	assert_string_equal(end->s->name, "");
	assert_string_equal(end->s->subject, "");
	assert_true(sodium_is_zero((const uint8_t *)&end->s->secrets,
	    sizeof(end->s->secrets)));
	assert_true(sodium_is_zero((const uint8_t *)&end->s->send,
	    sizeof(end->s->send)));
	assert_true(sodium_is_zero((const uint8_t *)&end->s->recv,
	    sizeof(end->s->recv)));
	assert_said(end, alert, 3);
}

/* Refused for good. */
static void
assert_failed(struct end *end, enum hf_err e, enum hf_err why)
{
	assert_err(e, why);
	assert_int_equal(end->s->state, HF__FAILED);
	assert_null(end->s->move);
	assert_said(end, refused_alert, 3);
}

/* --- no such session --------------------------------------------------------------------- */

/* The store has nothing: the initiator begins anew on the same connection. */
static void
fallback(void **state)
{
	uint8_t sid[HF_SID_BYTES];
	struct hf_lost lost;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	memcpy(sid, hf_session_id(i).ptr, sizeof(sid));
	c.shelf.len = 0;
	hf_session_lost(&lost, i);
	assert_int_equal(lost.lost, 0);
	assert_ok(cluster_move(&c, i, &b, 0));
	assert_int_equal(i->state, HF__OPEN);
	assert_int_equal(b.s->state, HF__OPEN);
	assert_err(hf_session_refused(b.s), HF_E_NO_SESSION);
	hf_session_lost(&lost, i);
	assert_int_equal(lost.lost, 1);
	assert_err(lost.cause, HF_E_NO_SESSION);
	assert_memory_equal(lost.sid, sid, sizeof(sid));
	assert_memory_not_equal(hf_session_id(i).ptr, sid, sizeof(sid));
	assert_int_equal(lost.own_count, 1);
	assert_int_equal(lost.own_bytes, 5);
	assert_int_equal(lost.peer_count, 2);
	assert_int_equal(hf_session_epoch(i), 0);
	assert_int_equal(i->send.count, 0);
	say(i, "anew");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, "anew"), HF_CONTENT_DATA);
	finish();
}

/* Where that is not wanted the cause is told, and the session can still go on
 * where its state is. */
static void
no_fallback(void **state)
{
	struct shelf kept;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(hf_config_fallback(c.world.i, 0));
	kept = c.shelf;
	c.shelf.len = 0;
	assert_err(cluster_move(&c, i, &b, 1), HF_E_NO_SESSION);
	assert_int_equal(i->state, HF__FAILED);
	assert_int_equal(hf_session_can_reconnect(i), 1);
	end_free(&b);
	c.shelf = kept;
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(hf_session_epoch(i), 1);
	finish();
}

/* A new handshake that fails gives nothing up. */
static void
fallback_fails(void **state)
{
	static const uint8_t alert[] = { 0x82, HF__ALERT, 1 };
	struct shelf kept;
	struct blob b1;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	kept = c.shelf;
	c.shelf.len = 0;
	resume_of(&b1);
	assert_ok(hear(&b, 1, &b1));
	take(&b1, b.s);
	assert_ok(give(i, b1.bytes, b1.len));
	assert_int_equal(i->state, HF__I_TRUST); /* of the new one */
	assert_ok(answer(&c.world, i));
	assert_int_equal(i->state, HF__I_REQUEST_SENT);
	take(&b1, i);
	assert_err(give(i, alert, sizeof(alert)), HF_E_REFUSED);
	end_free(&b);
	c.shelf = kept;
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(hf_session_epoch(i), 1);
	say(i, "as before");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, "as before"), HF_CONTENT_DATA);
	finish();
}

static void
store_is_down(void **state)
{
	struct blob resume, resumed;
	struct hf_lost lost;
	enum hf_err e;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	c.shelf.down = 1;
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_STORE, store_alert);
	end_free(&b);
	/* It goes down between reading and claiming. */
	c.shelf.down = 0;
	resume_of(&resume);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, resume.bytes, resume.len));
	while (hf_session_want(b.s) != HF_WANT_COMMIT)
		assert_true(end_step(&c, &b, &e));
	assert_int_equal(hf_session_commit_kind(b.s), HF_COMMIT_CLAIM);
	assert_ok(hf_session_commit(b.s, HF_E_STORE));
	assert_refused(&b, HF_E_STORE, store_alert);
	end_free(&b);
	/* Or before the confirmation: nothing is said. */
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	take(&resumed, b.s);
	assert_ok(give(i, resumed.bytes, resumed.len));
	take(&resumed, i);
	assert_ok(give(b.s, resumed.bytes, resumed.len));
	assert_int_equal(hf_session_commit_kind(b.s), HF_COMMIT_CONFIRM);
	assert_err(hf_session_commit(b.s, HF_E_STORE), HF_E_STORE);
	assert_int_equal(hf_session_output(b.s).len, 0);
	end_free(&b);
	/* The initiator begins anew when it is told so. */
	c.shelf.down = 1;
	assert_ok(cluster_move(&c, i, &b, 0));
	hf_session_lost(&lost, i);
	assert_err(lost.cause, HF_E_STORE);
	finish();
}

/* A responder that has no store has no sessions. */
static void
no_store(void **state)
{
	struct blob resume;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	c.server[1]->vault = NULL;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_NO_SESSION, no_session);
	finish();
}

/* One resume a connection, but for a retry. */
static void
once(void **state)
{
	struct blob resume, retry;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	c.shelf.len = 0;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	take(&retry, b.s);
	assert_err(give(b.s, resume.bytes, resume.len), HF_E_UNEXPECTED);
	end_free(&b);
	end_make(&b, &c, 1);
	resume_of(&resume);
	assert_ok(give(b.s, resume.bytes, resume.len));
	assert_ok(hf_session_admit(b.s, HF_ADMIT_COOKIE));
	take(&retry, b.s);
	assert_ok(give(i, retry.bytes, retry.len));
	take(&resume, i);
	assert_int_equal(i->move->serial, 3);
	assert_ok(give(b.s, resume.bytes, resume.len));
	assert_int_equal(hf_session_cookie_shown(b.s), 1);
	finish();
}

/* --- judged anew ---------------------------------------------------------------------------- */

static void
judged_anew(struct end *end, uint64_t now, enum hf_err why)
{
	struct blob resume;
	enum hf_err e;

	resume_of(&resume);
	end_make(end, &c, 1);
	assert_ok(hf_session_tick(end->s, START_MS, now));
	e = give(end->s, resume.bytes, resume.len);
	while (e == HF_OK && end_step(&c, end, &e))
		;
	if (why == HF_E_EXPIRED) {
		assert_ok(e);
		assert_refused(end, why, no_session);
	} else {
		assert_failed(end, e, why);
	}
	end_free(end);
	memset(end, 0, sizeof(*end));
}

static void
expired(void **state)
{
	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	/* The session's own end, and its peer's certificate's, are the same
	 * day: one second apart. */
	assert_int_equal(hf_session_expires(i), NOW + 86400);
	judged_anew(&b, NOW + 86400, HF_E_EXPIRED);
	assert_err(hf_session_reconnect(i, START_MS, NOW + 86400),
	    HF_E_EXPIRED);
	finish();
}

static void
by_list(const uint8_t cti[HF_CTI_BYTES], uint64_t now, enum hf_err why)
{
	uint8_t list[512];
	size_t len;

	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(hf_list_make(list, sizeof(list), &len, c.world.ca,
	    c.world.ca_cert.bytes, c.world.ca_cert.len, 1, cti, 1, NOW,
	    NOW + 1000));
	assert_ok(hf_trust_add_list(c.world.trust, list, len));
	judged_anew(&b, now, why);
	/* Before it is asked what the scope is for. */
	c.vault[1]->scope[0].target_n = 1;
	judged_anew(&b, now, why);
	finish();
}

static void
revoked(void **state)
{
	static const uint8_t another[HF_CTI_BYTES] = { 1 };
	uint8_t cti[HF_CTI_BYTES];
	struct hf_cert_info info;

	(void)state;
	fixed_random("ids that come again");
	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(hf_cert_read(&info, c.world.initiator_cert.bytes,
	    c.world.initiator_cert.len));
	memcpy(cti, info.cti, sizeof(cti));
	finish();
	fixed_random("ids that come again");
	by_list(cti, NOW, HF_E_REVOKED);
	by_list(another, NOW + 1000, HF_E_STALE_LIST);
	fixed_random(NULL);
}

/* The application says no: a user that is gone. */
static void
not_welcome(void **state)
{
	static const struct meeting m = { .method = HF_METHOD_PASSWORD };
	struct blob resume;
	enum hf_err e = HF_OK;
	struct hf_peer peer;

	(void)state;
	begin(&m, HF_MOVES_SOFT);
	resume_of(&resume);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, resume.bytes, resume.len));
	while (hf_session_want(b.s) != HF_WANT_TRUST)
		assert_true(end_step(&c, &b, &e));
	assert_ok(hf_session_peer(&peer, b.s));
	assert_string_equal(peer.subject, "alice@example");
	assert_false(peer.authenticated);
	assert_err(hf_session_verify(b.s, c.world.verifier), HF_E_STATE);
	assert_err(hf_session_trust(b.s, HF_E_POLICY), HF_E_POLICY);
	assert_said(&b, refused_alert, 3);
	assert_int_equal(c.shelf.writes, 2);
	finish();
}

static void
scopes(void **state)
{
	static const char *const only[] = { "u", "v" };
	static const uint8_t key[HF_KEY_BYTES] = { 7 }, other[32] = { 8 };
	struct blob resume;
	struct hf_vault *v;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	/* The scope's name and key, for other targets. */
	assert_ok(hf_vault_new(&v, "cluster", "other.example"));
	assert_ok(hf_vault_scope(v, "default", only, 2));
	assert_ok(hf_vault_key(v, "default", 1, key, 0));
	assert_ok(hf_config_vault(c.server[1], v, HF_MOVES_SOFT));
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_NO_SESSION, no_session);
	end_free(&b);
	hf_vault_free(v);
	/* Another scope; another key; no such generation; one cut off. */
	assert_ok(hf_vault_new(&v, "cluster", "other.example"));
	assert_ok(hf_vault_scope(v, "elsewhere", NULL, 0));
	assert_ok(hf_vault_key(v, "elsewhere", 1, key, 0));
	assert_ok(hf_config_vault(c.server[1], v, HF_MOVES_SOFT));
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ENTRY, no_session);
	end_free(&b);
	assert_ok(hf_vault_scope(v, "default", NULL, 0));
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ENTRY, no_session);
	end_free(&b);
	assert_ok(hf_vault_key(v, "default", 1, other, 0));
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ENTRY, no_session);
	end_free(&b);
	assert_ok(hf_vault_key(v, "default", 1, key, NOW));
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ENTRY, no_session);
	end_free(&b);
	assert_ok(hf_vault_key(v, "default", 1, key, NOW + 1));
	assert_ok(hf_vault_key(v, "default", 2, other, 0));
	assert_ok(hear(&b, 1, &resume));
	assert_int_equal(b.s->state, HF__R_RESUMED);
	end_free(&b);
	memset(&b, 0, sizeof(b));
	hf_vault_free(v);
	finish();
}

/* --- replays and races ------------------------------------------------------------------------ */

static void
replays(void **state)
{
	struct blob old, now, resumed;
	struct end x;
	int writes;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&old); /* never arrives */
	resume_of(&now);
	assert_ok(hear(&b, 1, &now));
	writes = c.shelf.writes;
	/* While the claim is not confirmed: the same, and an older one. */
	assert_failed(&x, hear(&x, 0, &now), HF_E_REPLAY);
	end_free(&x);
	assert_failed(&x, hear(&x, 0, &old), HF_E_REPLAY);
	end_free(&x);
	take(&resumed, b.s);
	assert_ok(give(i, resumed.bytes, resumed.len));
	assert_ok(converse(&c, i, &b));
	assert_int_equal(b.s->state, HF__OPEN);
	/* And afterwards. */
	assert_failed(&x, hear(&x, 0, &now), HF_E_REPLAY);
	end_free(&x);
	assert_failed(&x, hear(&x, 0, &old), HF_E_REPLAY);
	end_free(&x);
	assert_int_equal(c.shelf.writes, writes + 1);
	/* An old answer is not taken for one to a new question. */
	resume_of(&now);
	assert_err(give(i, resumed.bytes, resumed.len), HF_E_BOX);
	assert_int_equal(hf_session_can_reconnect(i), 1);
	finish();
}

/* Two servers have read the same: one wins, the other says nothing. */
static void
race(void **state)
{
	struct blob resume;
	enum hf_err e;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	end_free(&a);
	resume_of(&resume);
	end_make(&a, &c, 0);
	end_make(&b, &c, 1);
	assert_ok(give(a.s, resume.bytes, resume.len));
	assert_ok(give(b.s, resume.bytes, resume.len));
	while (hf_session_want(a.s) != HF_WANT_COMMIT)
		assert_true(end_step(&c, &a, &e));
	while (hf_session_want(b.s) != HF_WANT_COMMIT)
		assert_true(end_step(&c, &b, &e));
	assert_true(end_step(&c, &b, &e));
	assert_ok(e);
	assert_true(end_step(&c, &a, &e));
	assert_err(e, HF_E_FENCED);
	assert_int_equal(a.s->state, HF__FAILED);
	assert_int_equal(hf_session_output(a.s).len, 0);
	assert_true(hf_session_output(b.s).len > 0);
	finish();
}

/* An owner that slept: its write fails, and it says nothing more. */
static void
fenced(void **state)
{
	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	say(i, "not yet taken");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_DATA);
	say(a.s, "never sent");
	assert_ok(hf_session_drained(a.s, hf_session_output(a.s).len));
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_err(end_checkpoint(&a), HF_E_FENCED);
	assert_int_equal(a.s->state, HF__FAILED);
	assert_false(a.s->keys);
	assert_null(a.s->move);
	assert_int_equal(hf_session_output(a.s).len, 0);
	finish();
}

/* --- older states ------------------------------------------------------------------------------- */

/* The store brings back what was before the last ack. */
static void
rollback(void **state)
{
	uint64_t count, bytes;
	struct hf_lost lost;
	struct shelf kept;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	kept = c.shelf;
	say(i, "acked");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_DATA);
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	c.shelf = kept;
	hf_session_acked(&count, &bytes, i);
	assert_int_equal(bytes, 10);
	assert_err(cluster_move(&c, i, &b, 1), HF_E_ROLLBACK);
	assert_int_equal(hf_session_can_reconnect(i), 0);
	assert_true(
	    sodium_is_zero((const uint8_t *)&i->secrets, sizeof(i->secrets)));
	/* What was acked can be told still. */
	hf_session_lost(&lost, i);
	assert_int_equal(lost.lost, 1);
	assert_err(lost.cause, HF_E_ROLLBACK);
	assert_memory_equal(lost.sid, i->sid, HF_SID_BYTES);
	assert_int_equal(lost.own_count, count);
	assert_int_equal(lost.own_bytes, bytes);
	finish();
}

/* It brings back an epoch that is over. */
static void
old_epoch(void **state)
{
	struct blob resume;
	struct shelf kept;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	kept = c.shelf;
	assert_ok(cluster_move(&c, i, &b, 1));
	end_free(&b);
	c.shelf = kept;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_NO_SESSION, no_session);
	finish();
}

/* The initiator is the one who was brought back, or tells another story. */
static void
other_history(void **state)
{
	struct blob resume;
	struct hf__traffic kept;
	struct hf__move *m;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	kept = i->send;
	m = i->move;
	i->send.count--; /* it has sent less than was stored */
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	end_free(&b);
	i->send = kept;
	i->send.digest[31] ^= 1;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	end_free(&b);
	i->send = kept;
	i->send.bytes++;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	end_free(&b);
	i->send = kept;
	i->sent_close = true;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	end_free(&b);
	i->sent_close = false;
	m->released.count--; /* the state had that much, and its ack more */
	m->released.bytes = 99;
	m->released.count = 2;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ROLLBACK, no_session);
	finish();
}

/* --- every bit ------------------------------------------------------------------------------------ */

static void
every_bit_of_resume(void **state)
{
	struct blob resume, flipped;
	size_t bit;
	int writes;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	writes = c.shelf.writes;
	for (bit = 0; bit < 8 * resume.len; bit++) {
		flipped = resume;
		flipped.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		(void)hear(&b, 1, &flipped);
		assert_int_not_equal(b.s->state, HF__R_RESUMED);
		assert_int_equal(c.shelf.writes, writes);
		end_free(&b);
	}
	print_message("note: %zu bits of resume\n", bit);
	assert_ok(hear(&b, 1, &resume));
	assert_int_equal(b.s->state, HF__R_RESUMED);
	finish();
}

static void
every_bit_of_resumed(void **state)
{
	struct blob resume, resumed, flipped;
	size_t bit;
	enum hf_err e;

	(void)state;
	begin(&by_cert, HF_MOVES_PROVED);
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	take(&resumed, b.s);
	/* Each flip ends a connection: the initiator asks again, and is given
	 * an answer to that. */
	for (bit = 0; bit < 8 * resumed.len; bit += 5) {
		flipped = resumed;
		flipped.bytes[bit / 8 % resumed.len] ^=
		    (uint8_t)(1 << bit % 8);
		e = give(i, flipped.bytes, flipped.len);
		assert_int_not_equal(i->state, HF__OPEN);
		if (e == HF_OK) /* a length that is longer now */
			assert_err(hf_session_eof(i), HF_E_GONE);
		assert_int_equal(hf_session_can_reconnect(i), 1);
		end_free(&b);
		resume_of(&resume);
		assert_ok(hear(&b, 1, &resume));
		take(&resumed, b.s);
	}
	assert_ok(give(i, resumed.bytes, resumed.len));
	assert_int_equal(i->state, HF__OPEN);
	finish();
}

static void
every_bit_of_an_entry(void **state)
{
	struct blob resume;
	size_t bit;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	for (bit = 0; bit < 8 * c.shelf.len; bit++) {
		c.shelf.entry[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_ok(hear(&b, 1, &resume));
		assert_refused(&b, HF_E_ENTRY, no_session);
		end_free(&b);
		c.shelf.entry[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	print_message("note: %zu bits of an entry\n", bit);
	memset(&b, 0, sizeof(b));
	finish();
}

/* Another session's entry; one cut short; one that is too long. */
static void
other_entries(void **state)
{
	struct shelf first;
	struct blob resume;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	first = c.shelf;
	resume_of(&resume);
	end_free(&a);
	c.shelf.len = 0;
	hf_session_free(i);
	i = cluster_meet(&c, &a, 0);
	assert_ok(hear(&b, 1, &resume)); /* of the first */
	assert_refused(&b, HF_E_ENTRY, no_session);
	end_free(&b);
	c.shelf = first;
	for (c.shelf.len = 1; c.shelf.len < first.len; c.shelf.len++) {
		assert_ok(hear(&b, 1, &resume));
		assert_refused(&b, HF_E_ENTRY, no_session);
		end_free(&b);
	}
	c.shelf.len = HF_ENTRY_MAX;
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ENTRY, no_session);
	finish();
}

/* --- proved ----------------------------------------------------------------------------------------- */

/* The state says another suite than it was. */
static void
store_suite(uint16_t suite)
{
	struct hf__stored st;

	assert_ok(
	    hf__state_open(&st, c.vault[0], c.shelf.entry, c.shelf.len, NOW));
	st.suite = suite;
	assert_ok(
	    hf__state_seal(c.shelf.entry, &c.shelf.len, c.vault[0], &st, NOW));
}

static void
reply_keys(void **state)
{
	static const uint8_t zero[32] = { 0 }, longer[35] = { 0x58, 33 };
	struct blob resume;
	uint8_t *at;

	(void)state;
	/* A reply key of another size, where there may be one; and none where
	 * there must be. */
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	assert_true(replace(&resume, 8, longer, sizeof(longer)));
	assert_failed(&b, hear(&b, 1, &resume), HF_E_SHAPE);
	finish();
	begin(&by_cert, HF_MOVES_PROVED);
	/* A reply key of small order, well sealed. */
	resume_of(&resume);
	at = memmem(resume.bytes, resume.len, i->hs->ephemeral.pk, 32);
	assert_non_null(at);
	memcpy(at, zero, 32);
	assert_failed(&b, hear(&b, 1, &resume), HF_E_BOX);
	end_free(&b);
	i->move->mobility = HF_MOVES_SOFT;
	assert_ok(hf_config_refresh(c.world.i, 0));
	resume_of(&resume);
	assert_failed(&b, hear(&b, 1, &resume), HF_E_SHAPE);
	end_free(&b);
	store_suite(99); /* that, whatever the suite is */
	assert_failed(&b, hear(&b, 1, &resume), HF_E_SHAPE);
	end_free(&b);
	i->move->mobility = HF_MOVES_PROVED;
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_NO_SESSION, no_session);
	finish();
}

/* A proved session is not answered without proof, even by who has all its
 * secrets. */
static void
without_proof(void **state)
{
	struct blob resume, resumed;

	(void)state;
	begin(&by_cert, HF_MOVES_PROVED);
	resume_of(&resume);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, resume.bytes, resume.len));
	assert_ok(hf_session_admit(b.s, HF_ADMIT));
	assert_ok(end_supply(&b));
	b.s->move->claim->state.mobility = HF_MOVES_SOFT;
	assert_ok(hf_session_trust(b.s, HF_OK));
	assert_ok(hf_session_commit(b.s, HF_OK));
	take(&resumed, b.s);
	assert_err(give(i, resumed.bytes, resumed.len), HF_E_SHAPE);
	finish();
}

/* A point of small order in the answer: where it goes into one secret only. */
static void
small_answer(void **state)
{
	static const struct meeting m = { .method = HF_METHOD_PASSWORD,
		.known = 1,
		.target = "t" };
	static const uint8_t enc[34] = { 0x58, 0x20 };
	struct blob resume, resumed;

	(void)state;
	begin(&m, HF_MOVES_PROVED);
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	take(&resumed, b.s);
	assert_true(replace(&resumed, 2, enc, sizeof(enc)));
	assert_err(give(i, resumed.bytes, resumed.len), HF_E_PUBLIC_KEY);
	finish();
}

/* The server that answers must be of the cluster, and may hold sessions. */
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
		/* Shown by anybody; the session is not over for that. */
		{ "cluster", HF_USAGE_RESPONDER | HF_USAGE_SERVER, NOW,
		    HF_E_EXPIRED },
		{ "another", HF_USAGE_RESPONDER | HF_USAGE_SERVER, NOW + 9,
		    HF_E_NAME },
		{ "", HF_USAGE_RESPONDER | HF_USAGE_SERVER, NOW + 9,
		    HF_E_NAME },
	};
	struct blob resume, resumed, cert;
	struct hf_cert_info terms;
	struct hf__chain kept;
	size_t n;

	(void)state;
	begin(&by_cert, HF_MOVES_PROVED);
	kept = c.server[1]->own;
	for (n = 0; n < HF__ARRAY_N(cases); n++) {
		terms = terms_of("x", cases[n].usage);
		name_set(&terms.cluster, cases[n].cluster);
		terms.not_after = cases[n].not_after;
		certify(&cert, c.world.ca, &c.world.ca_cert, c.second, &terms);
		c.server[1]->own.cert[0] =
		    (struct hf_span){ cert.bytes, cert.len };
		resume_of(&resume);
		assert_ok(hear(&b, 1, &resume));
		take(&resumed, b.s);
		assert_err(give(i, resumed.bytes, resumed.len), cases[n].e);
		end_free(&b);
	}
	c.server[1]->own = kept;
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_int_equal(hf_session_epoch(i), HF__ARRAY_N(cases) + 1);
	finish();
}

/* What stood in for a session that then goes on after all was another server,
 * of another cluster: of it nothing is left. */
static void
fallback_meets_another(void **state)
{
	static const struct meeting by_hello = { .method =
						     HF_METHOD_CERTIFICATE,
		.target = "t" };
	struct hf_cert_info terms =
	    terms_of("server.example", HF_USAGE_RESPONDER | HF_USAGE_SERVER);
	struct blob message, cert;
	struct hf_span chain;
	struct shelf kept;

	(void)state;
	begin(&by_hello, HF_MOVES_PROVED);
	name_set(&terms.cluster, "another");
	certify(&cert, c.world.ca, &c.world.ca_cert, c.second, &terms);
	chain = (struct hf_span){ cert.bytes, cert.len };
	assert_ok(hf_config_identity(c.server[1], c.second, &chain, 1));
	kept = c.shelf;
	c.shelf.len = 0;
	resume_of(&message);
	assert_ok(hear(&b, 1, &message));
	take(&message, b.s);
	assert_ok(give(i, message.bytes, message.len));
	take(&message, i); /* a hello */
	assert_ok(give(b.s, message.bytes, message.len));
	assert_ok(hf_session_admit(b.s, HF_ADMIT));
	take(&message, b.s);
	assert_ok(give(i, message.bytes, message.len));
	assert_int_equal(i->state, HF__I_TRUST);
	assert_memory_equal(i->peer_cert.ptr, cert.bytes, cert.len);
	assert_err(hf_session_eof(i), HF_E_GONE);
	end_free(&b);
	c.shelf = kept;
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	assert_int_equal(i->peer_cert.len, c.first_cert.len);
	assert_memory_equal(i->peer_cert.ptr, c.first_cert.bytes,
	    c.first_cert.len);
	assert_string_equal(i->name, "server.example");
	end_make(&b, &c, 0);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(hf_session_epoch(i), 1);
	finish();
}

/* A copy of the certificate of the server before does not outlive it: that
 * which takes its place is longer. */
static void
fallback_after_proof(void **state)
{
	(void)state;
	begin(&by_cert, HF_MOVES_PROVED);
	assert_ok(cluster_move(&c, i, &b, 1));
	assert_non_null(i->peer_cert_copy);
	assert_true(i->peer_cert.len < c.chain[0].len);
	end_free(&b);
	c.shelf.len = 0;
	assert_ok(cluster_move(&c, i, &b, 0));
	assert_int_equal(hf_session_epoch(i), 0);
	assert_int_equal(i->peer_cert.len, c.chain[0].len);
	assert_null(i->peer_cert_copy);
	finish();
}

/* A grant that ends while the claim is made: no claim, and a handshake may
 * follow. */
static void
void_grant(void **state)
{
	struct blob resume;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, resume.bytes, resume.len));
	assert_ok(hf_session_admit(b.s, HF_ADMIT));
	assert_ok(end_supply(&b));
	c.vault[1]->scope[0].not_after = NOW;
	assert_ok(hf_session_trust(b.s, HF_OK));
	assert_refused(&b, HF_E_EXPIRED, no_session);
	finish();
}

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fallback),
		cmocka_unit_test(no_fallback),
		cmocka_unit_test(fallback_fails),
		cmocka_unit_test(store_is_down),
		cmocka_unit_test(no_store),
		cmocka_unit_test(once),
		cmocka_unit_test(expired),
		cmocka_unit_test(revoked),
		cmocka_unit_test(not_welcome),
		cmocka_unit_test(scopes),
		cmocka_unit_test(replays),
		cmocka_unit_test(race),
		cmocka_unit_test(fenced),
		cmocka_unit_test(rollback),
		cmocka_unit_test(old_epoch),
		cmocka_unit_test(other_history),
		cmocka_unit_test(every_bit_of_resume),
		cmocka_unit_test(every_bit_of_resumed),
		cmocka_unit_test(every_bit_of_an_entry),
		cmocka_unit_test(other_entries),
		cmocka_unit_test(reply_keys),
		cmocka_unit_test(without_proof),
		cmocka_unit_test(small_answer),
		cmocka_unit_test(servers),
		cmocka_unit_test(fallback_meets_another),
		cmocka_unit_test(fallback_after_proof),
		cmocka_unit_test(void_grant),
		cmocka_unit_test(old_records),
		cmocka_unit_test(vaults),
		cmocka_unit_test(own_certificate),
		cmocka_unit_test(bad_acks),
		cmocka_unit_test(slow_store),
		cmocka_unit_test(after_close),
		cmocka_unit_test(does_not_move),
		cmocka_unit_test(exhausted),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
