/* SPDX-License-Identifier: ISC */
/*
 * Proved takeovers that lack the proof, or show another (spec section 17): who
 * answers, with which keys, and what a handshake in between leaves.
 */
#include "refused.h"

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
	assert_memory_equal(i->peer_cert.ptr, c.chain[0].ptr, c.chain[0].len);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reply_keys),
		cmocka_unit_test(without_proof),
		cmocka_unit_test(small_answer),
		cmocka_unit_test(servers),
		cmocka_unit_test(fallback_meets_another),
		cmocka_unit_test(fallback_after_proof),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
