/* SPDX-License-Identifier: ISC */
/*
 * Tickets that a session hands out: how long they last, what they earn, and what
 * ends them (threat A44).
 */
#include <string.h>

#include "testing.h"

/* Tickets that a responder hands out, and their renewal. */
static void
issued_tickets(void **state)
{
	struct meeting m = { .method = HF_METHOD_PASSWORD };
	struct hf_ticket_info info;
	enum hf_content content;
	struct hf_span file;
	uint8_t copy[2048];
	size_t copy_len;
	struct world w;
	struct pair p;
	struct blob b;
	int round;

	(void)state;
	world_make(&w, &m);
	shake(&p, &w);
	for (round = 0; round < 3; round++) {
		assert_ok(hf_session_issue_ticket(p.r, 3600, 7200, 0));
		take(&b, p.r);
		assert_ok(give(p.i, b.bytes, b.len));
		assert_ok(hf_session_recv(p.i, &content, &file));
		assert_int_equal(content, HF_CONTENT_TICKET);
		assert_ok(hf_ticket_read(&info, file.ptr, file.len));
		assert_string_equal(info.subject.text, "alice@example");
		assert_string_equal(info.audience.text, "server.example");
		/* Never beyond two hours after the password. */
		assert_int_equal(info.limit, NOW + 7200);
		assert_int_equal(info.expires,
		    NOW + (round == 2 ? 7200 : 3600 + 3000 * round));
		if (round == 2)
			break;
		/* The ticket, used when half of it is over, is renewed. */
		memcpy(copy, file.ptr, copy_len = file.len);
		pair_free(&p);
		assert_ok(hf_config_ticket(w.i, copy, copy_len));
		assert_ok(hf_session_new(&p.i, w.i, START_MS,
		    NOW + 3000 * (uint64_t)(round + 1)));
		assert_ok(hf_session_new(&p.r, w.r, START_MS,
		    NOW + 3000 * (uint64_t)(round + 1)));
		assert_ok(run(&p));
		assert_int_equal(p.r->ticket->first_method,
		    HF_METHOD_PASSWORD);
		assert_int_equal(p.r->ticket->first_auth, NOW);
	}
	/* At the limit there is nothing to renew. */
	assert_ok(hf_session_tick(p.r, START_MS, NOW + 7200));
	assert_err(hf_session_issue_ticket(p.r, 3600, 7200, 0), HF_E_EXPIRED);
	pair_free(&p);
	world_free(&w);
}

/* A session with a ticket got in a session of the certificate. */
static void
ticket_session(struct pair *p, struct world *w, uint64_t now)
{
	enum hf_content content;
	struct hf_span file;
	struct blob b;

	shake(p, w);
	assert_ok(hf_session_issue_ticket(p->r, 1U << 30, 1U << 30, 0));
	take(&b, p->r);
	assert_ok(give(p->i, b.bytes, b.len));
	assert_ok(hf_session_recv(p->i, &content, &file));
	assert_ok(hf_config_ticket(w->i, file.ptr, file.len));
	pair_free(p);
	assert_ok(hf_session_new(&p->i, w->i, START_MS, now));
	assert_ok(hf_session_new(&p->r, w->r, START_MS, now));
}

/* A44: what a ticket opens ends with the certificates that earned it: with
 * their time, and with their revocation, at any place of the chain. */
static void
ticket_origin(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE,
		.intermediate = 1 };
	struct hf_cert_info info;
	uint8_t list[1024];
	size_t len, i;
	struct world w;
	struct pair p;

	(void)state;
	for (i = 0; i < 3; i++) {
		world_make(&w, &m);
		ticket_session(&p, &w, NOW + 60);
		if (i == 2) {
			assert_ok(hf_trust_add_issuer(w.trust,
			    w.sub_cert.bytes, w.sub_cert.len, NOW));
			assert_ok(hf_cert_read(&info, w.initiator_cert.bytes,
			    w.initiator_cert.len));
			assert_ok(hf_list_make(list, sizeof(list), &len, w.sub,
			    w.sub_cert.bytes, w.sub_cert.len, 1, info.cti, 1,
			    NOW, NOW + 3600));
		} else {
			assert_ok(hf_cert_read(&info, w.sub_cert.bytes,
			    w.sub_cert.len));
			assert_ok(hf_list_make(list, sizeof(list), &len, w.ca,
			    w.ca_cert.bytes, w.ca_cert.len, 1, info.cti, i,
			    NOW, NOW + 3600));
		}
		assert_ok(hf_trust_add_list(w.trust, list, len));
		if (i == 0) {
			assert_ok(run(&p));
			assert_int_equal(p.r->ticket->limit, NOW + 86400);
			assert_int_equal(p.r->ticket->origin_n, 2);
		} else {
			(void)run(&p); /* the initiator's own is listed too */
			if (i == 2)
				assert_err(hf_session_error(p.r),
				    HF_E_REVOKED);
			else
				assert_err(hf_session_error(p.i),
				    HF_E_REVOKED);
		}
		pair_free(&p);
		world_free(&w);
	}
}

/* A ticket ends with the trust in the authority behind it, too. */
static void
ticket_anchor(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct hf_cert_info terms = terms_of("Other CA", HF_USAGE_CA);
	struct hf_identity *other = identity_of(7);
	struct hf_trust *trust;
	struct blob ca;
	struct world w;
	struct pair p;

	(void)state;
	world_make(&w, &m);
	ticket_session(&p, &w, NOW + 60);
	assert_ok(
	    hf_cert_self(ca.bytes, sizeof(ca.bytes), &ca.len, other, &terms));
	assert_ok(hf_trust_new(&trust));
	assert_ok(hf_trust_add_ca(trust, ca.bytes, ca.len));
	assert_ok(hf_config_trust(w.r, trust));
	assert_err(run(&p), HF_E_ISSUER);
	assert_err(hf_session_error(p.r), HF_E_ISSUER);
	pair_free(&p);
	world_free(&w);
	hf_trust_free(trust);
	hf_identity_free(other);
}

/* Only in the realm of the password is its user the name. */
static void
ticket_realm(void **state)
{
	static const char *const subjects[] = { "bob@example", "bob@other",
		"bob", "bob@corp@example", "bob@example@corp" };
	static const char *const names[] = { "bob", "bob@other", "bob",
		"bob@corp", "bob@example@corp" };
	struct hf_ticket_info info = { .issued = NOW,
		.expires = NOW + 60,
		.first_auth = NOW,
		.first_method = HF_METHOD_PASSWORD };
	struct meeting m = { .method = HF_METHOD_TICKET };
	struct hf_peer peer;
	struct blob file;
	struct world w;
	struct pair p;
	size_t i;

	(void)state;
	world_make(&w, &m);
	name_set(&info.audience, "server.example");
	for (i = 0; i < HF__ARRAY_N(subjects); i++) {
		name_set(&info.subject, subjects[i]);
		assert_ok(hf_ticket_issue(file.bytes, sizeof(file.bytes),
		    &file.len, w.ring, &info));
		assert_ok(hf_config_ticket(w.i, file.bytes, file.len));
		shake(&p, &w);
		assert_ok(hf_session_peer(&peer, p.r));
		assert_string_equal(peer.name, names[i]);
		assert_string_equal(peer.subject, subjects[i]);
		pair_free(&p);
	}
	world_free(&w);
}

/* A single-use ticket earns no other. */
static void
single_use_stays(void **state)
{
	struct meeting m = { .method = HF_METHOD_TICKET, .single_use = 1 };
	struct world w;
	struct pair p;

	(void)state;
	world_make(&w, &m);
	shake(&p, &w);
	assert_err(hf_session_issue_ticket(p.r, 60, 60, 0), HF_E_POLICY);
	assert_err(hf_session_issue_ticket(p.r, 60, 60, 1), HF_E_POLICY);
	assert_int_equal(hf_session_want(p.r), HF_WANT_DONE);
	pair_free(&p);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(issued_tickets),
		cmocka_unit_test(ticket_origin),
		cmocka_unit_test(ticket_anchor),
		cmocka_unit_test(ticket_realm),
		cmocka_unit_test(single_use_stays),
	};

	return hf_init() != HF_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
