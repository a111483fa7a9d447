/* SPDX-License-Identifier: ISC */
/*
 * What a caller can do wrong: nothing where something must be, a setter of
 * the other role, a value out of its range, a call out of its time. Each is
 * refused by name, and what was set before still stands. And the tables that
 * an application asks for words.
 */
#include <stdio.h>
#include <string.h>

#include "stage.h"

static const uint8_t key[HF_KEY_BYTES] = { 1 };
static const uint8_t bytes[4] = { 1, 2, 3, 4 };

static const struct meeting certified = { .method = HF_METHOD_CERTIFICATE };

/* --- configurations ---------------------------------------------------------- */

static void
no_config(void **state)
{
	struct hf_span span = { bytes, sizeof(bytes) };
	uint16_t suite = 1;

	(void)state;
	begin(&certified);
	assert_err(hf_config_new(NULL, HF_INITIATOR), HF_E_ARG);
	assert_err(hf_config_trust(NULL, w.trust), HF_E_ARG);
	assert_err(hf_config_identity(NULL, w.initiator, &span, 1), HF_E_ARG);
	assert_err(hf_config_suites(NULL, &suite, 1), HF_E_ARG);
	assert_err(hf_config_deadline(NULL, 1), HF_E_ARG);
	assert_err(hf_config_grease(NULL, 1), HF_E_ARG);
	assert_err(hf_config_expect(NULL, "x"), HF_E_ARG);
	assert_err(hf_config_realm(NULL, "x"), HF_E_ARG);
	assert_err(hf_config_target(NULL, "x"), HF_E_ARG);
	assert_err(hf_config_responder(NULL, &span, 1), HF_E_ARG);
	assert_err(hf_config_user(NULL, "x", HF_METHOD_PASSWORD), HF_E_ARG);
	assert_err(hf_config_without_prekey(NULL, 1), HF_E_ARG);
	assert_err(hf_config_ticket(NULL, bytes, 4), HF_E_ARG);
	assert_err(hf_config_accept(NULL, HF_METHOD_TICKET), HF_E_ARG);
	assert_err(hf_config_ring(NULL, w.ring), HF_E_ARG);
	assert_err(hf_config_cookie_key(NULL, key), HF_E_ARG);
	assert_err(hf_config_tolerance(NULL, 1), HF_E_ARG);
	assert_err(hf_config_lifetime(NULL, 1), HF_E_ARG);
	assert_err(hf_config_cache(NULL, 1), HF_E_ARG);
	hf_config_free(NULL);
	end();
}

/* A setter that is for the other role changes nothing. */
static void
other_role(void **state)
{
	struct hf_span span = { bytes, sizeof(bytes) };
	struct hf_config before;
	uint16_t suite = 1;

	(void)state;
	begin(&certified);
	before = *w.r;
	assert_err(hf_config_suites(w.r, &suite, 1), HF_E_ARG);
	assert_err(hf_config_expect(w.r, "x"), HF_E_ARG);
	assert_err(hf_config_realm(w.r, "x"), HF_E_ARG);
	assert_err(hf_config_target(w.r, "x"), HF_E_ARG);
	assert_err(hf_config_responder(w.r, &span, 1), HF_E_ARG);
	assert_err(hf_config_user(w.r, "x", HF_METHOD_PASSWORD), HF_E_ARG);
	assert_err(hf_config_without_prekey(w.r, 1), HF_E_ARG);
	assert_err(hf_config_ticket(w.r, w.ticket.bytes, w.ticket.len),
	    HF_E_ARG);
	assert_memory_equal(&before, w.r, sizeof(before));
	before = *w.i;
	assert_err(hf_config_accept(w.i, HF_METHOD_TICKET), HF_E_ARG);
	assert_err(hf_config_ring(w.i, w.ring), HF_E_ARG);
	assert_err(hf_config_cookie_key(w.i, key), HF_E_ARG);
	assert_err(hf_config_tolerance(w.i, 1), HF_E_ARG);
	assert_err(hf_config_lifetime(w.i, 1), HF_E_ARG);
	assert_memory_equal(&before, w.i, sizeof(before));
	end();
}

/* Values: nothing, too little, too much. */
static void
initiator_values(void **state)
{
	char longest[HF_TARGET_MAX + 2];
	struct hf_config before;
	uint16_t suites[HF_SUITES_MAX + 1] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	struct hf_config *c = NULL;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_err(hf_config_new(&c, 0), HF_E_ARG);
	assert_err(hf_config_new(&c, 3), HF_E_ARG);
	assert_null(c);
	begin(&certified);
	before = *w.i;
	assert_err(hf_config_trust(w.i, NULL), HF_E_ARG);
	assert_err(hf_config_suites(w.i, NULL, 1), HF_E_ARG);
	assert_err(hf_config_suites(w.i, suites, 0), HF_E_ARG);
	assert_err(hf_config_suites(w.i, suites, HF_SUITES_MAX + 1), HF_E_ARG);
	suites[1] = 4; /* known, but not built */
	assert_err(hf_config_suites(w.i, suites, 2), HF_E_UNSUPPORTED);
	assert_err(hf_config_deadline(w.i, 0), HF_E_ARG);
	assert_err(hf_config_expect(w.i, NULL), HF_E_ARG);
	assert_err(hf_config_expect(w.i, longest), HF_E_ARG);
	assert_err(hf_config_expect(w.i, "a\nb"), HF_E_ARG);
	assert_err(hf_config_realm(w.i, NULL), HF_E_ARG);
	assert_err(hf_config_realm(w.i, longest), HF_E_ARG);
	assert_err(hf_config_realm(w.i, "a@b"), HF_E_ARG);
	assert_err(hf_config_realm(w.i, "@"), HF_E_ARG);
	assert_err(hf_config_target(w.i, longest), HF_E_ARG);
	assert_err(hf_config_target(w.i, "\xff"), HF_E_ARG);
	assert_err(hf_config_user(w.i, NULL, HF_METHOD_PASSWORD), HF_E_ARG);
	assert_err(hf_config_user(w.i, "x", HF_METHOD_TICKET), HF_E_ARG);
	assert_err(hf_config_user(w.i, "X", HF_METHOD_PASSWORD), HF_E_ARG);
	assert_err(hf_config_user(w.i, "", HF_METHOD_PASSWORD), HF_E_ARG);
	assert_err(hf_config_ticket(w.i, NULL, 4), HF_E_ARG);
	assert_err(hf_config_ticket(w.i, bytes, 0), HF_E_ARG);
	assert_err(hf_config_ticket(w.i, bytes, sizeof(bytes)), HF_E_OBJECT);
	assert_memory_equal(&before, w.i, sizeof(before));
	longest[HF_TARGET_MAX] = '\0';
	assert_ok(hf_config_target(w.i, longest));
	end();
}

static void
responder_values(void **state)
{
	struct hf_config before;

	(void)state;
	begin(&certified);
	before = *w.r;
	assert_err(hf_config_accept(w.r, 0), HF_E_ARG);
	assert_err(hf_config_accept(w.r, 16), HF_E_ARG);
	assert_err(hf_config_accept(w.r, HF_METHOD_TICKET | 16), HF_E_ARG);
	assert_err(hf_config_ring(w.r, NULL), HF_E_ARG);
	assert_err(hf_config_cookie_key(w.r, NULL), HF_E_ARG);
	assert_err(hf_config_tolerance(w.r, 86401), HF_E_ARG);
	assert_err(hf_config_lifetime(w.r, 0), HF_E_ARG);
	assert_memory_equal(&before, w.r, sizeof(before));
	assert_ok(hf_config_tolerance(w.r, 86400));
	assert_ok(hf_config_cookie_key(w.r, key));
	assert_ok(hf_config_cache(w.r, 0));
	end();
}

/* Chains: none, too many, an empty one, one that is too large. The old chain
 * stays; and that of the responder can be forgotten. */
static void
chains(void **state)
{
	static const uint8_t large[HF_CERT_MAX + 1];
	struct hf_span good[HF_CHAIN_MAX + 1], bad;
	size_t i;

	(void)state;
	begin(
	    &(struct meeting){ .method = HF_METHOD_CERTIFICATE, .known = 1 });
	for (i = 0; i <= HF_CHAIN_MAX; i++)
		good[i] = w.initiator_chain[0];
	assert_err(hf_config_identity(w.i, NULL, good, 1), HF_E_ARG);
	assert_err(hf_config_identity(w.i, w.initiator, NULL, 1), HF_E_ARG);
	assert_err(hf_config_identity(w.i, w.initiator, good, 0), HF_E_ARG);
	assert_err(hf_config_identity(w.i, w.initiator, good,
		       HF_CHAIN_MAX + 1),
	    HF_E_ARG);
	bad = (struct hf_span){ NULL, 4 };
	assert_err(hf_config_identity(w.i, w.initiator, &bad, 1), HF_E_ARG);
	bad = (struct hf_span){ bytes, 0 };
	assert_err(hf_config_identity(w.i, w.initiator, &bad, 1), HF_E_ARG);
	bad = (struct hf_span){ large, sizeof(large) };
	assert_err(hf_config_identity(w.i, w.initiator, &bad, 1), HF_E_ARG);
	assert_err(hf_config_responder(w.i, &bad, 1), HF_E_ARG);
	assert_int_equal(w.i->own.n, 1);
	assert_int_equal(w.i->responder.n, 1);
	assert_ok(run(&p));
	pair_free(&p);
	assert_ok(hf_config_responder(w.i, NULL, 0));
	pair_make(&p, &w);
	assert_int_equal(p.i->state, HF__I_HELLO_SENT);
	end();
}

/* One's own certificate: for this key, this role, and suites of this build. */
static void
own_certificate(void **state)
{
	struct hf_cert_info terms = terms_of("me", HF_USAGE_INITIATOR);
	struct hf_span chain;
	struct blob cert;

	(void)state;
	begin(&certified);
	chain = w.responder_chain[0];
	assert_err(hf_config_identity(w.r, w.initiator, &chain, 1),
	    HF_E_OWN_CERT);
	certify(&cert, w.ca, &w.ca_cert, w.responder, &terms);
	chain = (struct hf_span){ cert.bytes, cert.len };
	assert_err(hf_config_identity(w.r, w.responder, &chain, 1),
	    HF_E_OWN_CERT);
	assert_ok(hf_config_identity(w.i, w.responder, &chain, 1));
	terms.usage = HF_USAGE_RESPONDER;
	terms.suites[0] = 1;
	terms.suites[1] = 4; /* known, but not built */
	terms.suites_n = 2;
	certify(&cert, w.ca, &w.ca_cert, w.responder, &terms);
	chain = (struct hf_span){ cert.bytes, cert.len };
	assert_err(hf_config_identity(w.r, w.responder, &chain, 1),
	    HF_E_UNSUPPORTED);
	assert_err(hf_config_identity(w.i, w.responder, &chain, 1),
	    HF_E_OWN_CERT);
	/* What was set before still serves. */
	assert_ok(hf_config_identity(w.i, w.initiator, w.initiator_chain, 1));
	assert_ok(run(&p));
	end();
}

/* What a role cannot do without. */
static void
incomplete(void **state)
{
	struct hf_session *s = NULL;
	struct hf_config *c;
	int role;

	(void)state;
	begin(&certified);
	for (role = HF_INITIATOR; role <= HF_RESPONDER; role++) {
		assert_ok(hf_config_new(&c, (enum hf_role)role));
		assert_err(hf_session_new(&s, c, START_MS, NOW), HF_E_CONFIG);
		assert_ok(hf_config_trust(c, w.trust));
		assert_err(hf_session_new(&s, c, START_MS, NOW), HF_E_CONFIG);
		assert_null(s);
		hf_config_free(c);
	}
	assert_ok(hf_config_new(&c, HF_INITIATOR));
	assert_ok(hf_config_identity(c, w.initiator, w.initiator_chain, 1));
	assert_err(hf_session_new(&s, c, START_MS, NOW), HF_E_CONFIG);
	assert_ok(hf_config_trust(c, w.trust));
	assert_ok(hf_session_new(&s, c, START_MS, NOW));
	hf_session_free(s);
	hf_config_free(c);
	end();
}

/* What is believed or made known is a certificate. */
static void
no_certificate(void **state)
{
	(void)state;
	begin(&certified);
	assert_err(hf_trust_add_ca(w.trust, bytes, sizeof(bytes)),
	    HF_E_OBJECT);
	assert_err(hf_trust_add_issuer(w.trust, bytes, sizeof(bytes), NOW),
	    HF_E_OBJECT);
	assert_err(hf_trust_add_list(w.trust, bytes, sizeof(bytes)),
	    HF_E_OBJECT);
	assert_err(hf_trust_verify(NULL, NULL, w.initiator_chain, 1, 0, NULL,
		       NOW),
	    HF_E_ARG);
	assert_err(hf_trust_verify(NULL, w.trust, NULL, 1, 0, NULL, NOW),
	    HF_E_ARG);
	assert_err(hf_trust_verify(NULL, w.trust, w.initiator_chain, 0, 0,
		       NULL, NOW),
	    HF_E_ARG);
	hf_trust_free(NULL);
	end();
}

/* A signature that verified is not verified again, unless it is to be. */
static void
cache(void **state)
{
	(void)state;
	begin(&certified);
	assert_ok(run(&p));
	assert_int_equal(hf_config_cache_hits(w.r), 0);
	pair_free(&p);
	shake(&p, &w);
	assert_int_equal(hf_config_cache_hits(w.r), 1);
	pair_free(&p);
	assert_ok(hf_config_cache(w.r, 0));
	shake(&p, &w);
	assert_int_equal(hf_config_cache_hits(w.r), 1);
	end();
}

/* --- sessions ------------------------------------------------------------------- */

static void
no_session(void **state)
{
	struct hf_session *s = NULL;
	enum hf_content content;
	struct hf_peer peer;
	struct hf_span span;
	uint8_t out[HF_KEY_BYTES];
	uint64_t count;
	size_t len;

	(void)state;
	begin(&certified);
	assert_err(hf_session_new(NULL, w.i, START_MS, NOW), HF_E_ARG);
	assert_err(hf_session_new(&s, NULL, START_MS, NOW), HF_E_ARG);
	assert_err(hf_session_place(NULL, out, 1, 1, w.i, START_MS, NOW),
	    HF_E_ARG);
	assert_err(hf_session_place(&s, out, 1, 1, NULL, START_MS, NOW),
	    HF_E_ARG);
	assert_err(hf_session_source(NULL, bytes, 4), HF_E_ARG);
	assert_err(hf_session_feed(NULL, &len, bytes, 4), HF_E_ARG);
	assert_err(hf_session_eof(NULL), HF_E_ARG);
	assert_err(hf_session_drained(NULL, 0), HF_E_ARG);
	assert_err(hf_session_drain(NULL, out, 1, &len), HF_E_ARG);
	assert_err(hf_session_tick(NULL, START_MS, NOW), HF_E_ARG);
	assert_err(hf_session_admit(NULL, HF_ADMIT), HF_E_ARG);
	assert_err(hf_session_peer(&peer, NULL), HF_E_ARG);
	assert_err(hf_session_trust(NULL, HF_OK), HF_E_ARG);
	assert_err(hf_session_stretched(NULL, key), HF_E_ARG);
	assert_err(hf_session_password(NULL, "secret", 6), HF_E_ARG);
	assert_err(hf_session_verify(NULL, key), HF_E_ARG);
	assert_err(hf_session_commit(NULL, HF_OK), HF_E_ARG);
	assert_err(hf_session_recv(NULL, &content, &span), HF_E_ARG);
	assert_err(hf_session_send(NULL, bytes, 4), HF_E_ARG);
	assert_err(hf_session_close(NULL), HF_E_ARG);
	assert_err(hf_session_issue_ticket(NULL, 1, 1, 0), HF_E_ARG);
	assert_err(hf_session_export(out, 1, NULL, "x", NULL, 0), HF_E_ARG);
	assert_err(hf_session_digest(out, &count, NULL, HF_INITIATOR),
	    HF_E_ARG);
	assert_null(hf_session_room(NULL, 1));
	hf_session_free(NULL);
	assert_null(s);
	end();
}

/* A session that is open says what is wrong and goes on. */
static void
session_values(void **state)
{
	static const uint8_t source[HF_SOURCE_MAX + 1];
	char label[HF_NAME_MAX + 2];
	enum hf_content content;
	struct hf_span span;
	struct hf_peer peer;
	uint8_t out[HF_KEY_BYTES];
	uint64_t count;
	size_t len;

	(void)state;
	begin(&certified);
	pair_free(&p);
	shake(&p, &w);
	assert_err(hf_session_source(p.r, NULL, 1), HF_E_ARG);
	assert_err(hf_session_source(p.r, source, sizeof(source)), HF_E_ARG);
	assert_ok(hf_session_source(p.r, source, HF_SOURCE_MAX));
	assert_err(hf_session_feed(p.r, NULL, bytes, 4), HF_E_ARG);
	assert_err(hf_session_feed(p.r, &len, NULL, 4), HF_E_ARG);
	assert_ok(hf_session_feed(p.r, &len, NULL, 0));
	assert_int_equal(len, 0);
	assert_err(hf_session_drained(p.r, 1), HF_E_ARG);
	assert_err(hf_session_drain(p.r, NULL, 1, &len), HF_E_ARG);
	assert_err(hf_session_drain(p.r, out, 1, NULL), HF_E_ARG);
	assert_err(hf_session_peer(NULL, p.r), HF_E_ARG);
	assert_ok(hf_session_peer(&peer, p.r));
	assert_err(hf_session_recv(p.r, NULL, &span), HF_E_ARG);
	assert_err(hf_session_recv(p.r, &content, NULL), HF_E_ARG);
	assert_err(hf_session_recv(p.r, &content, &span), HF_E_STATE);
	assert_err(hf_session_send(p.r, NULL, 4), HF_E_ARG);
	assert_err(hf_session_send(p.r, bytes, 0), HF_E_ARG);
	assert_err(hf_session_send(p.r, bytes, HF_PLAINTEXT_MAX + 1),
	    HF_E_ARG);
	assert_null(hf_session_room(p.r, HF_PLAINTEXT_MAX + 1));
	assert_err(hf_session_export(NULL, 1, p.r, "x", NULL, 0), HF_E_ARG);
	assert_err(hf_session_export(out, 1, p.r, NULL, NULL, 0), HF_E_ARG);
	assert_err(hf_session_export(out, 1, p.r, "x", NULL, 1), HF_E_ARG);
	assert_err(hf_session_export(out, 0, p.r, "x", NULL, 0), HF_E_ARG);
	memset(label, 'x', sizeof(label));
	label[HF_NAME_MAX + 1] = '\0';
	assert_err(hf_session_export(out, 1, p.r, label, NULL, 0), HF_E_ARG);
	label[HF_NAME_MAX] = '\0';
	assert_ok(hf_session_export(out, 1, p.r, label, NULL, 0));
	assert_err(hf_session_digest(NULL, &count, p.r, HF_INITIATOR),
	    HF_E_ARG);
	assert_err(hf_session_digest(out, NULL, p.r, HF_INITIATOR), HF_E_ARG);
	assert_err(hf_session_digest(out, &count, p.r, 0), HF_E_ARG);
	assert_err(hf_session_digest(out, &count, p.r, 3), HF_E_ARG);
	assert_err(hf_session_issue_ticket(p.r, 0, 1, 0), HF_E_ARG);
	assert_err(hf_session_issue_ticket(p.r, 1, 0, 0), HF_E_ARG);
	assert_err(hf_session_commit(p.r, HF_OK), HF_E_STATE);
	assert_err(hf_session_admit(p.r, HF_ADMIT), HF_E_STATE);
	assert_err(hf_session_trust(p.r, HF_E_POLICY), HF_E_STATE);
	assert_err(hf_session_verify(p.r, key), HF_E_STATE);
	assert_err(hf_session_stretched(p.i, key), HF_E_STATE);
	assert_err(hf_session_error(p.r), HF_OK);
	assert_ok(hf_session_send(p.r, bytes, 4));
	assert_ok(run(&p));
	assert_int_equal(hf_session_want(p.i), HF_WANT_RECV);
	end();
}

/* An answer that is none leaves the question open. */
static void
answers(void **state)
{
	struct blob b;

	(void)state;
	begin(&certified);
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_err(hf_session_admit(p.r, 0), HF_E_ARG);
	assert_err(hf_session_admit(p.r, 5), HF_E_ARG);
	assert_int_equal(hf_session_want(p.r), HF_WANT_ADMIT);
	assert_ok(run(&p));
	end();
	begin(&(struct meeting){ .method = HF_METHOD_PLAIN_PASSWORD });
	judged();
	assert_err(hf_session_password(p.i, NULL, 6), HF_E_ARG);
	assert_err(hf_session_password(p.i, "", 0), HF_E_ARG);
	assert_err(hf_session_password(p.i, "a\nb", 3), HF_E_ARG);
	assert_err(hf_session_stretched(p.i, NULL), HF_E_ARG);
	assert_err(hf_session_stretched(p.i, key), HF_E_STATE);
	assert_err(hf_session_trust(p.i, HF_OK), HF_E_STATE);
	assert_int_equal(hf_session_want(p.i), HF_WANT_TRUST);
	assert_ok(run(&p));
	end();
}

/* --- words ------------------------------------------------------------------------ */

/* Each result has a name, a text and an exit code, and none is listed twice;
 * what is no result says so. */
static void
results(void **state)
{
	size_t n, k;

	(void)state;
	for (n = 0; hf_error_at(n) != -1; n++) {
		for (k = 0; k < n; k++)
			assert_int_not_equal(hf_error_at(k), hf_error_at(n));
		assert_memory_equal(hf_error_name(hf_error_at(n)), "HF_", 3);
		assert_true(strlen(hf_error_text(hf_error_at(n))) > 4);
		assert_in_range(hf_error_exit(hf_error_at(n)),
		    hf_error_at(n) == HF_OK ? 0 : 2,
		    hf_error_at(n) == HF_OK ? 0 : 8);
	}
	assert_true(n > 40);
	assert_int_equal(hf_error_at(SIZE_MAX), -1);
	assert_string_equal(hf_error_name(-1), "HF_E_?");
	assert_string_equal(hf_error_text(-1), "unknown error");
	assert_int_equal(hf_error_exit(-1), 3);
	assert_string_equal(hf_error_name(HF_E_REVOKED), "HF_E_REVOKED");
	assert_int_equal(hf_error_exit(HF_E_REVOKED), 4);
}

static void
words(void **state)
{
	int i, n = 0;

	(void)state;
	assert_int_equal(sscanf(hf_version(), "%d.%d.%d%n", &i, &i, &i, &n),
	    3);
	assert_int_equal(hf_version()[n], '\0');
	assert_string_equal(hf_method_name(HF_METHOD_CERTIFICATE),
	    "certificate");
	assert_string_equal(hf_method_name(HF_METHOD_PASSWORD), "password");
	assert_string_equal(hf_method_name(HF_METHOD_PLAIN_PASSWORD),
	    "plain-password");
	assert_string_equal(hf_method_name(HF_METHOD_TICKET), "ticket");
	assert_string_equal(hf_method_name(0), "none");
	assert_int_equal(hf_constant("HF_CERT_MAX"), HF_CERT_MAX);
	assert_int_equal(hf_constant("HF_LIMIT_FAILURE"), HF_LIMIT_FAILURE);
	assert_int_equal(hf_constant("HF_CERT"), -1);
	assert_int_equal(hf_constant(""), -1);
	assert_int_equal(hf_constant(NULL), -1);
	assert_string_equal(hf_method_name(3), "none");
	assert_string_equal(hf_suite_name(1), "x25519-chacha20poly1305");
	assert_string_equal(hf_suite_name(4), "xwing");
	assert_null(hf_suite_name(0));
	assert_null(hf_suite_name(-1));
	assert_true(hf_suite_available(1));
	assert_false(hf_suite_available(4));
	assert_false(hf_suite_available(99));
	assert_false(hf_suite_available(-1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_config),
		cmocka_unit_test(other_role),
		cmocka_unit_test(initiator_values),
		cmocka_unit_test(responder_values),
		cmocka_unit_test(chains),
		cmocka_unit_test(own_certificate),
		cmocka_unit_test(incomplete),
		cmocka_unit_test(no_certificate),
		cmocka_unit_test(cache),
		cmocka_unit_test(no_session),
		cmocka_unit_test(session_values),
		cmocka_unit_test(answers),
		cmocka_unit_test(results),
		cmocka_unit_test(words),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
