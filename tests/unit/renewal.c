/* SPDX-License-Identifier: ISC */
/*
 * Tickets that a session gives (spec section 7.3): a renewed one keeps how,
 * when and until when its holder was let in; and when none is given.
 */
#include <string.h>

#include "stage.h"

/* What the responder's ticket says; the initiator then has it. */
static struct hf_ticket_info
given(uint32_t ttl, uint32_t limit, int single_use)
{
	struct hf_ticket_info info;
	enum hf_content content;
	struct hf_span file;
	uint8_t pop[32];
	struct blob b;

	assert_ok(hf_session_issue_ticket(p.r, ttl, limit, single_use));
	take(&b, p.r);
	assert_ok(give(p.i, b.bytes, b.len));
	assert_ok(hf_session_recv(p.i, &content, &file));
	assert_int_equal(content, HF_CONTENT_TICKET);
	assert_ok(hf_config_ticket(w.i, file.ptr, file.len));
	assert_ok(
	    hf__ticket_open(&info, pop, w.ring, w.i->ticket_file.ticket));
	return info;
}

/* A session with the last ticket, so much later. */
static void
again(uint32_t later)
{
	pair_free(&p);
	assert_ok(hf_session_new(&p.i, w.i, START_MS, NOW + later));
	assert_ok(hf_session_new(&p.r, w.r, START_MS, NOW + later));
	assert_ok(run(&p));
}

static void
open_with(const struct meeting *m)
{
	begin(m);
	assert_ok(run(&p));
}

static void
keeps_its_limit(void **state)
{
	struct hf_ticket_info info;

	(void)state;
	open_with(&(struct meeting){ .method = HF_METHOD_PASSWORD });
	info = given(600, 1000, 0);
	assert_int_equal(info.expires, NOW + 600);
	assert_int_equal(info.limit, NOW + 1000);
	again(100);
	info = given(5000, 5000, 0);
	assert_int_equal(info.limit, NOW + 1000);
	assert_int_equal(info.expires, NOW + 1000);
	assert_int_equal(info.issued, NOW + 100);
	assert_int_equal(info.first_auth, NOW);
	assert_int_equal(info.first_method, HF_METHOD_PASSWORD);
	assert_int_equal(info.origin_n, 0);
	/* A shorter limit counts from the first time, too. */
	again(200);
	info = given(5000, 300, 0);
	assert_int_equal(info.limit, NOW + 300);
	again(250);
	assert_err(hf_session_issue_ticket(p.r, 60, 250, 0), HF_E_EXPIRED);
	end();
}

static void
keeps_its_origin(void **state)
{
	struct hf_ticket_info first, info;

	(void)state;
	open_with(&(struct meeting){ .method = HF_METHOD_CERTIFICATE,
	    .intermediate = 1 });
	first = given(1U << 30, 1U << 30, 0);
	/* No longer than the certificate, which ends in a day. */
	assert_int_equal(first.limit, NOW + 86400);
	assert_int_equal(first.expires, NOW + 86400);
	assert_int_equal(first.origin_n, 2);
	again(1000);
	info = given(60, 1U << 30, 0);
	assert_int_equal(info.limit, NOW + 86400);
	assert_int_equal(info.origin_n, 2);
	assert_memory_equal(info.origin, first.origin, sizeof(info.origin));
	assert_int_equal(info.first_method, HF_METHOD_CERTIFICATE);
	assert_memory_not_equal(info.cti, first.cti, sizeof(info.cti));
	end();
}

static void
when_none_is_given(void **state)
{
	static const uint8_t data[HF_PLAINTEXT_MAX];
	const struct hf_ring *ring;
	struct blob b;

	(void)state;
	open_with(&(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	ring = w.r->ring;
	w.r->ring = NULL;
	assert_err(hf_session_issue_ticket(p.r, 60, 60, 0), HF_E_CONFIG);
	w.r->ring = ring;
	assert_err(hf_session_issue_ticket(p.i, 60, 60, 0), HF_E_CONFIG);
	w.i->ring = ring;
	assert_err(hf_session_issue_ticket(p.i, 60, 60, 0), HF_E_STATE);
	/* Output waits: nothing is lost, nothing is sent twice. */
	assert_ok(hf_session_send(p.r, data, sizeof(data)));
	assert_ok(hf_session_send(p.r, data, sizeof(data)));
	assert_err(hf_session_issue_ticket(p.r, 60, 60, 0), HF_E_SPACE);
	assert_ok(hf_session_drained(p.r, hf_session_output(p.r).len));
	assert_ok(hf_session_issue_ticket(p.r, 60, 60, 1));
	take(&b, p.r);
	assert_ok(hf_session_close(p.r));
	assert_err(hf_session_issue_ticket(p.r, 60, 60, 0), HF_E_STATE);
	assert_err(hf_session_error(p.r), HF_OK);
	end();
}

/* A user and a realm that are each allowed, but too long for one name. */
static void
long_names(void **state)
{
	struct hf_cert_info terms =
	    terms_of("server.example", HF_USAGE_RESPONDER);
	char user[HF_USER_MAX + 1];
	struct hf_span chain;
	struct blob cert;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(&(struct meeting){ .method = HF_METHOD_PASSWORD });
		pair_free(&p);
		memset(user, 'u', sizeof(user));
		user[HF_USER_MAX] = '\0';
		assert_ok(hf_config_user(w.i, user, HF_METHOD_PASSWORD));
		memset(terms.realm.text, 'r', HF_NAME_MAX);
		terms.realm.len = HF_NAME_MAX - HF_USER_MAX - 1 + i;
		certify(&cert, w.ca, &w.ca_cert, w.responder, &terms);
		chain = (struct hf_span){ cert.bytes, cert.len };
		assert_ok(hf_config_identity(w.r, w.responder, &chain, 1));
		shake(&p, &w);
		assert_int_equal(strlen(p.r->subject), HF_NAME_MAX + i);
		assert_err(hf_session_issue_ticket(p.r, 60, 60, 0),
		    i == 0 ? HF_OK : HF_E_POLICY);
		end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_its_limit),
		cmocka_unit_test(keeps_its_origin),
		cmocka_unit_test(when_none_is_given),
		cmocka_unit_test(long_names),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
