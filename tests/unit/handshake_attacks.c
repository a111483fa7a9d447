/* SPDX-License-Identifier: ISC */
/*
 * Who stands between two that shake hands, or is not who he says (threats A1 to
 * A9): replays, reflections, the wrong place, the wrong key.
 */
#include <string.h>

#include "testing.h"

static void
replayed_request(void **state)
{
	struct meeting m = { .method = HF_METHOD_TICKET,
		.known = 1,
		.single_use = 1 };
	struct hf_peer peer;
	struct world w;
	struct pair p, q;
	struct blob request, grant, confirm, again;
	int i;

	(void)state;
	world_make(&w, &m);
	pair_make(&p, &w);
	assert_ok(answer(&w, p.i));
	take(&request, p.i);
	assert_ok(give(p.r, request.bytes, request.len));
	assert_ok(answer(&w, p.r));
	assert_ok(answer(&w, p.r));
	take(&grant, p.r);
	assert_ok(give(p.i, grant.bytes, grant.len));
	take(&confirm, p.i);
	for (i = 0; i < 1000; i++) {
		pair_make(&q, &w);
		assert_ok(give(q.r, request.bytes, request.len));
		assert_memory_equal(hf_session_fingerprint(q.r).ptr,
		    hf_session_fingerprint(p.r).ptr, HF_FINGERPRINT_BYTES);
		assert_ok(answer(&w, q.r));
		assert_ok(answer(&w, q.r));
		take(&again, q.r);
		assert_memory_not_equal(again.bytes, grant.bytes, grant.len);
		assert_err(give(q.r, confirm.bytes, confirm.len), HF_E_BOX);
		assert_ok(hf_session_peer(&peer, q.r));
		assert_false(peer.authenticated);
		pair_free(&q);
	}
	/* A3: an old grant answers no new request. */
	pair_make(&q, &w);
	assert_ok(answer(&w, q.i));
	take(&again, q.i);
	assert_err(give(q.i, grant.bytes, grant.len), HF_E_BOX);
	pair_free(&q);
	pair_free(&p);
	world_free(&w);
}

/* A4: what one says is no answer to himself. */
static void
reflection(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct world w;
	struct pair p;
	struct blob b;

	(void)state;
	world_make(&w, &m);
	pair_make(&p, &w);
	take(&b, p.i);
	assert_err(give(p.i, b.bytes, b.len), HF_E_UNEXPECTED);
	pair_free(&p);
	shake(&p, &w);
	assert_ok(hf_session_send(p.i, (const uint8_t *)"mine", 4));
	take(&b, p.i);
	assert_err(give(p.i, b.bytes, b.len), HF_E_BOX);
	pair_free(&p);
	world_free(&w);
}

/* A5: a party that meets itself refuses, whichever role notices. */
static void
self_talk(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct hf_cert_info terms = terms_of("server.example",
	    HF_USAGE_RESPONDER | HF_USAGE_INITIATOR);
	struct hf_span chain;
	struct blob cert;
	struct world w;
	struct pair p;

	(void)state;
	world_make(&w, &m);
	certify(&cert, w.ca, &w.ca_cert, w.responder, &terms);
	chain = (struct hf_span){ cert.bytes, cert.len };
	assert_ok(hf_config_identity(w.i, w.responder, &chain, 1));
	pair_make(&p, &w);
	assert_err(run(&p), HF_E_POLICY);
	assert_err(hf_session_error(p.i), HF_E_POLICY);
	pair_free(&p);
	/* The initiator's own check taken away: the responder's holds. */
	assert_ok(hf_config_identity(w.r, w.responder, &chain, 1));
	pair_make(&p, &w);
	const struct hf_identity *mine = w.i->id;

	w.i->id = NULL;
	assert_err(run(&p), HF_E_POLICY);
	assert_err(hf_session_error(p.r), HF_E_POLICY);
	w.i->id = mine;
	pair_free(&p);
	world_free(&w);
}

/* A6, A7: with the other side's or the own certificate but not its key. */
static void
impersonation(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	struct world w;
	struct pair p;
	struct blob b;
	struct hf_identity *other = identity_of(9);
	const struct hf_identity *mine;

	(void)state;
	world_make(&w, &m);
	/* An attacker shows alice's certificate and cannot confirm. */
	mine = w.i->id;
	w.i->id = other;
	pair_make(&p, &w);
	assert_err(run(&p), HF_E_BOX);
	assert_err(hf_session_error(p.i), HF_E_BOX);
	assert_int_equal(p.r->state, HF__R_GRANTED);
	pair_free(&p);
	w.i->id = mine;
	/* An attacker shows the responder's and cannot even open. */
	mine = w.r->id;
	w.r->id = other;
	pair_make(&p, &w);
	assert_ok(answer(&w, p.i));
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_err(answer(&w, p.r), HF_E_BOX);
	w.r->id = mine;
	pair_free(&p);
	hf_identity_free(other);
	world_free(&w);
}

/* A8: two certificates over one key are two responders. A9: a request for
 * one is none for the other. */
static void
other_certificate(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	struct hf_cert_info terms =
	    terms_of("mallory.example", HF_USAGE_RESPONDER);
	struct hf_span chain;
	struct world w;
	struct pair p;
	struct blob cert, b;

	(void)state;
	world_make(&w, &m);
	certify(&cert, w.ca, &w.ca_cert, w.responder, &terms);
	chain = (struct hf_span){ cert.bytes, cert.len };
	assert_ok(hf_config_identity(w.r, w.responder, &chain, 1));
	pair_make(&p, &w);
	assert_ok(answer(&w, p.i));
	take(&b, p.i);
	assert_err(give(p.r, b.bytes, b.len), HF_E_UNKNOWN_KEY);
	take(&b, p.r);
	assert_err(give(p.i, b.bytes, b.len), HF_E_UNKNOWN_KEY);
	pair_free(&p);
	/* Even with the key id forced, the transcript differs. */
	pair_make(&p, &w);
	assert_ok(answer(&w, p.i));
	take(&b, p.i);
	memcpy(b.bytes + 5, w.r->known.key_id, HF__KEY_ID_BYTES);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_err(answer(&w, p.r), HF_E_BOX);
	pair_free(&p);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replayed_request),
		cmocka_unit_test(reflection),
		cmocka_unit_test(self_talk),
		cmocka_unit_test(impersonation),
		cmocka_unit_test(other_certificate),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
