/* SPDX-License-Identifier: ISC */
/*
 * Sessions that may not move (spec section 17): each with its exact error, one
 * alert, the store as it was, and what follows.
 */
#include "refused.h"

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

/* What had been closed of a session was that session's: what begins anew after
 * a claim that the store did not take is open both ways. */
static void
closed_before(void **state)
{
	struct blob resume;
	enum hf_err e;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(hf_session_close(i));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, NULL), HF_CONTENT_CLOSE);
	assert_ok(end_checkpoint(&a));
	resume_of(&resume);
	end_make(&b, &c, 0);
	assert_ok(give(b.s, resume.bytes, resume.len));
	while (hf_session_want(b.s) != HF_WANT_COMMIT)
		assert_true(end_step(&c, &b, &e));
	assert_ok(hf_session_commit(b.s, HF_E_STORE));
	assert_refused(&b, HF_E_STORE, store_alert);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(b.s->state, HF__OPEN);
	say(i, "anew");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(b.s, "anew"), HF_CONTENT_DATA);
	say(b.s, "too");
	assert_ok(converse(&c, i, &b));
	assert_int_equal(received(i, "too"), HF_CONTENT_DATA);
	finish();
}

/* It begins with the suite that is the best of now. */
static void
another_suite(void **state)
{
	static const uint16_t suites[] = { 2, 1 };

	(void)state;
	if (!hf_suite_available(2))
		skip();
	begin(&by_cert, HF_MOVES_SOFT);
	assert_int_equal(i->suite->id, 1);
	assert_ok(hf_config_suites(c.world.i, suites, 2));
	c.shelf.len = 0;
	assert_ok(cluster_move(&c, i, &b, 0));
	assert_int_equal(i->state, HF__OPEN);
	assert_int_equal(i->suite->id, 2);
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
	struct hf_lost lost;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	/* The session's own end, and its peer's certificate's, are the same
	 * day: one second apart. */
	assert_int_equal(hf_session_expires(i), NOW + 86400);
	judged_anew(&b, NOW + 86400, HF_E_EXPIRED);
	assert_true(hf_session_can_reconnect(i));
	assert_err(hf_session_reconnect(i, START_MS, NOW + 86400),
	    HF_E_EXPIRED);
	/* Nothing is kept for another attempt, and it is told as lost. */
	assert_false(hf_session_can_reconnect(i));
	assert_err(hf_session_error(i), HF_E_EXPIRED);
	assert_true(
	    sodium_is_zero((const uint8_t *)&i->secrets, sizeof(i->secrets)));
	hf_session_lost(&lost, i);
	assert_true(lost.lost && lost.cause == HF_E_EXPIRED);
	assert_err(hf_session_reconnect(i, START_MS, NOW + 86400), HF_E_STATE);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fallback),
		cmocka_unit_test(no_fallback),
		cmocka_unit_test(fallback_fails),
		cmocka_unit_test(store_is_down),
		cmocka_unit_test(closed_before),
		cmocka_unit_test(another_suite),
		cmocka_unit_test(no_store),
		cmocka_unit_test(once),
		cmocka_unit_test(expired),
		cmocka_unit_test(revoked),
		cmocka_unit_test(not_welcome),
		cmocka_unit_test(scopes),
		cmocka_unit_test(replays),
		cmocka_unit_test(race),
		cmocka_unit_test(fenced),
		cmocka_unit_test(void_grant),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
