/* SPDX-License-Identifier: ISC */
/*
 * Whole handshakes in memory: every token, path and suite; what each side
 * learns; and what must fail, with its exact error (threats A1 to A49).
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static const enum hf_method methods[] = { HF_METHOD_CERTIFICATE,
	HF_METHOD_PASSWORD, HF_METHOD_PLAIN_PASSWORD, HF_METHOD_TICKET };

static void
say_hello(struct hf_session *from, struct hf_session *to, const char *text)
{
	enum hf_content content;
	struct hf_span data;
	struct blob b;

	assert_ok(hf_session_send(from, (const uint8_t *)text, strlen(text)));
	take(&b, from);
	assert_ok(give(to, b.bytes, b.len));
	assert_int_equal(hf_session_want(to), HF_WANT_RECV);
	assert_ok(hf_session_recv(to, &content, &data));
	assert_int_equal(content, HF_CONTENT_DATA);
	assert_int_equal(data.len, strlen(text));
	assert_memory_equal(data.ptr, text, data.len);
}

/* Both ends agree on everything, and each knows who the other is. */
static void
check_agreement(struct pair *p, const struct meeting *m)
{
	uint8_t a[100], b[100];
	struct hf_span ia = hf_session_id(p->i), ra = hf_session_id(p->r);
	struct hf_peer peer;

	assert_int_equal(ia.len, HF_SID_BYTES);
	assert_memory_equal(ia.ptr, ra.ptr, HF_SID_BYTES);
	assert_ok(hf_session_export(a, sizeof(a), p->i, "test", NULL, 0));
	assert_ok(hf_session_export(b, sizeof(b), p->r, "test", NULL, 0));
	assert_memory_equal(a, b, sizeof(a));
	assert_ok(hf_session_export(b, sizeof(b), p->r, "test",
	    (const uint8_t *)"", 1));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_ok(hf_session_export(b, 99, p->r, "test", NULL, 0));
	assert_memory_not_equal(a, b, 32); /* the length is bound, too */
	assert_int_equal(hf_session_suite(p->i), hf_session_suite(p->r));
	assert_int_equal(hf_session_suite(p->i), m->suite == 0 ? 1 : m->suite);
	assert_int_equal(hf_session_prekey(p->i), hf_session_prekey(p->r));
	assert_int_equal(hf_session_expires(p->i), NOW + 86400);
	assert_ok(hf_session_peer(&peer, p->i));
	assert_string_equal(peer.name, "server.example");
	assert_true(peer.authenticated);
	assert_ok(hf_session_peer(&peer, p->r));
	assert_string_equal(peer.name, "alice");
	assert_true(peer.authenticated);
	assert_int_equal(peer.method, m->method);
	assert_string_equal(peer.subject,
	    m->method == HF_METHOD_PASSWORD ||
		    m->method == HF_METHOD_PLAIN_PASSWORD ?
		"alice@example" :
		"alice");
	assert_int_equal(hf_session_target(p->r).len,
	    m->target == NULL ? 0 : strlen(m->target));
}

static void
every_way(void **state)
{
	struct meeting m;
	struct world w;
	struct pair p;
	unsigned n, done = 0;

	(void)state;
	for (n = 0; n < 4 * 2 * 4 * 2 * 2; n++) {
		m = (struct meeting){
			.method = methods[n & 3],
			.known = n >> 2 & 1,
			.suite = 1 + (n >> 3 & 3),
			.grease = n >> 5 & 1,
			.intermediate = n >> 6 & 1,
			.single_use = n >> 6 & 1,
			.target = n >> 6 & 1 ? "files" : NULL,
		};
		if (!hf_suite_available(m.suite))
			continue;
		world_make(&w, &m);
		shake(&p, &w);
		check_agreement(&p, &m);
		/* A plain password never goes without a prekey. */
		assert_int_equal(hf_session_prekey(p.i),
		    !m.known || m.method == HF_METHOD_PLAIN_PASSWORD);
		say_hello(p.i, p.r, "to the responder");
		say_hello(p.r, p.i, "to the initiator");
		pair_free(&p);
		world_free(&w);
		done++;
	}
	print_message("note: %u ways to meet\n", done);
	assert_in_range(done, 32, 128);
}

/* The suites that this build lacks are refused by name. */
static void
absent_suites(void **state)
{
	struct hf_config *c;
	uint16_t suite;

	(void)state;
	assert_ok(hf_config_new(&c, HF_INITIATOR));
	for (suite = 3; suite <= 4; suite++) {
		assert_non_null(hf_suite_name(suite));
		if (!hf_suite_available(suite))
			assert_err(hf_config_suites(c, &suite, 1),
			    HF_E_UNSUPPORTED);
	}
	assert_null(hf_suite_name(5));
	assert_null(hf_suite_name(-1));
	hf_config_free(c);
}

/* --- what is asked before, and what happens after --------------------------------- */

static void
wrong_password(void **state)
{
	struct meeting m = { .method = HF_METHOD_PASSWORD };
	struct blob unknown, wrong;
	uint8_t other[32] = { 1 };
	struct world w;
	struct pair p;
	struct blob b;
	int i;

	(void)state;
	world_make(&w, &m);
	for (i = 0; i < 2; i++) {
		pair_make(&p, &w);
		while (hf_session_want(p.r) != HF_WANT_TRUST) {
			while (hf_session_want(p.i) == HF_WANT_TRUST ||
			    hf_session_want(p.r) == HF_WANT_ADMIT) {
				assert_ok(answer(&w, p.i));
				assert_ok(answer(&w, p.r));
			}
			take(&b, p.i);
			assert_ok(give(p.r, b.bytes, b.len));
			if (hf_session_want(p.r) == HF_WANT_ADMIT)
				assert_ok(answer(&w, p.r));
			take(&b, p.r);
			assert_ok(give(p.i, b.bytes, b.len));
		}
		assert_err(hf_session_trust(p.r, HF_OK), HF_E_STATE);
		assert_err(hf_session_verify(p.r, i == 0 ? NULL : other),
		    HF_E_PASSWORD);
		take(i == 0 ? &unknown : &wrong, p.r);
		assert_err(give(p.i, unknown.bytes, unknown.len),
		    HF_E_REFUSED);
		pair_free(&p);
	}
	assert_int_equal(unknown.len, wrong.len);
	assert_memory_equal(unknown.bytes, wrong.bytes, wrong.len);
	world_free(&w);
}

/* A password is sent to nobody who was not named. */
static void
password_policy(void **state)
{
	struct meeting m = { .method = HF_METHOD_PASSWORD };
	struct hf_session *s;
	struct world w;
	struct pair p;

	(void)state;
	world_make(&w, &m);
	assert_ok(hf_config_expect(w.i, ""));
	assert_err(hf_session_new(&s, w.i, START_MS, NOW), HF_E_POLICY);
	assert_null(s);
	assert_ok(hf_config_realm(w.i, "elsewhere"));
	pair_make(&p, &w);
	assert_err(run(&p), HF_E_NAME);
	assert_err(hf_session_error(p.i), HF_E_NAME);
	pair_free(&p);
	assert_ok(hf_config_realm(w.i, "example"));
	shake(&p, &w);
	pair_free(&p);
	world_free(&w);
}

static void
wrong_name(void **state)
{
	struct world w;
	struct pair p;
	int known;

	(void)state;
	for (known = 0; known < 2; known++) {
		struct meeting m = { .method = HF_METHOD_PASSWORD,
			.known = known };

		world_make(&w, &m);
		assert_ok(hf_config_expect(w.i, "other.example"));
		pair_make(&p, &w);
		(void)run(&p);
		assert_err(hf_session_error(p.i), HF_E_NAME);
		/* Nothing was sealed: the request was never made. */
		assert_int_equal(p.r->state,
		    known ? HF__R_START : HF__R_OFFERED);
		pair_free(&p);
		world_free(&w);
	}
}

/* The certificate that was known is forgotten, for the next sessions: the one
 * that began with it has its own. */
static void
forgotten(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	struct hf_peer peer;
	struct world w;
	struct pair p;

	(void)state;
	world_make(&w, &m);
	shake(&p, &w);
	assert_ok(hf_config_responder(w.i, NULL, 0));
	assert_ok(hf_session_peer(&peer, p.i));
	assert_int_equal(peer.cert.len, w.responder_cert.len);
	assert_memory_equal(peer.cert.ptr, w.responder_cert.bytes,
	    w.responder_cert.len);
	pair_free(&p);
	world_free(&w);
}

static void
single_use(void **state)
{
	static const enum hf_err verdicts[] = { HF_OK, HF_E_TICKET_USED,
		HF_E_STORE };
	struct meeting m = { .method = HF_METHOD_TICKET,
		.known = 1,
		.single_use = 1 };
	struct world w;
	struct pair p;
	struct blob b;
	size_t i;

	(void)state;
	world_make(&w, &m);
	for (i = 0; i < HF__ARRAY_N(verdicts); i++) {
		pair_make(&p, &w);
		assert_ok(answer(&w, p.i));
		take(&b, p.i);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_ok(answer(&w, p.r));
		assert_ok(answer(&w, p.r));
		take(&b, p.r);
		assert_ok(give(p.i, b.bytes, b.len));
		assert_ok(hf_session_send(p.i, (const uint8_t *)"early", 5));
		take(&b, p.i);
		/* Confirm is taken, the data waits for the commit. */
		size_t used;

		assert_ok(hf_session_feed(p.r, &used, b.bytes, b.len));
		assert_true(used < b.len);
		assert_int_equal(hf_session_want(p.r), HF_WANT_COMMIT);
		assert_err(hf_session_send(p.r, (const uint8_t *)"x", 1),
		    HF_E_STATE);
		struct hf_peer peer;

		assert_ok(hf_session_peer(&peer, p.r));
		assert_false(peer.authenticated);
		assert_err(hf_session_commit(p.r, verdicts[i]), verdicts[i]);
		if (verdicts[i] != HF_OK) {
			take(&b, p.r);
			/* Sealed, for keys exist. */
			assert_int_equal(b.bytes[1], HF__RECORD);
			assert_err(give(p.i, b.bytes, b.len),
			    verdicts[i] == HF_E_STORE ? HF_E_STORE :
							HF_E_REFUSED);
		} else {
			assert_ok(hf_session_feed(p.r, &used, b.bytes + used,
			    b.len - used));
			assert_int_equal(hf_session_want(p.r), HF_WANT_RECV);
		}
		pair_free(&p);
	}
	world_free(&w);
}

/* A retry, on either message; what is sent again is made anew. */
static void
cookies(void **state)
{
	struct world w;
	struct pair p;
	struct blob first, again, b;
	int known;

	(void)state;
	for (known = 0; known < 2; known++) {
		struct meeting m = { .method = HF_METHOD_PASSWORD,
			.known = known };

		world_make(&w, &m);
		pair_make(&p, &w);
		if (known)
			assert_ok(answer(&w, p.i));
		take(&first, p.i);
		assert_ok(give(p.r, first.bytes, first.len));
		assert_int_equal(hf_session_want(p.r), HF_WANT_ADMIT);
		assert_false(hf_session_cookie_shown(p.r));
		assert_ok(hf_session_admit(p.r, HF_ADMIT_COOKIE));
		take(&b, p.r);
		assert_int_equal(b.bytes[1], HF__RETRY);
		assert_ok(give(p.i, b.bytes, b.len));
		take(&again, p.i);
		assert_int_equal(again.bytes[1], first.bytes[1]);
		if (known) /* ephemeral and box share no run of bytes */
			assert_memory_not_equal(again.bytes + again.len - 64,
			    first.bytes + first.len - 64, 64);
		assert_ok(give(p.r, again.bytes, again.len));
		assert_true(hf_session_cookie_shown(p.r));
		assert_err(hf_session_admit(p.r, (enum hf_admission)9),
		    HF_E_ARG);
		assert_ok(run(&p));
		assert_int_equal(hf_session_want(p.r), HF_WANT_DONE);
		pair_free(&p);

		/* The cookie is of this source, this type and this minute. */
		pair_make(&p, &w);
		assert_ok(hf_session_source(p.r, (const uint8_t *)"else", 4));
		assert_ok(give(p.r, again.bytes, again.len));
		assert_false(hf_session_cookie_shown(p.r));
		pair_free(&p);
		pair_make(&p, &w);
		assert_ok(hf_session_tick(p.r, START_MS, NOW + 61));
		assert_ok(give(p.r, again.bytes, again.len));
		assert_false(hf_session_cookie_shown(p.r));
		/* It is asked for once a connection. */
		assert_ok(hf_session_admit(p.r, HF_ADMIT_COOKIE));
		assert_ok(give(p.r, again.bytes, again.len));
		assert_err(hf_session_admit(p.r, HF_ADMIT_COOKIE),
		    HF_E_UNEXPECTED);
		pair_free(&p);
		world_free(&w);
	}
}

static void
refused_admission(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	struct world w;
	struct pair p;
	struct blob b;

	(void)state;
	world_make(&w, &m);
	pair_make(&p, &w);
	assert_ok(answer(&w, p.i));
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_int_equal(hf_session_fingerprint(p.r).len,
	    HF_FINGERPRINT_BYTES);
	assert_err(hf_session_admit(p.r, HF_ADMIT_REPLAY), HF_E_REPLAY);
	take(&b, p.r);
	assert_err(give(p.i, b.bytes, b.len), HF_E_REFUSED);
	pair_free(&p);
	world_free(&w);
}

/* --- clocks and limits -------------------------------------------------------------- */

static void
clocks(void **state)
{
	static const struct {
		uint64_t now;
		enum hf_err expected;
	} cases[] = {
		{ NOW, HF_OK },
		{ NOW + 120, HF_OK },
		{ NOW - 120, HF_OK },
		{ NOW + 121, HF_E_TIME },
		{ NOW - 121, HF_E_TIME },
	};
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	struct world w;
	struct pair p;
	struct blob b;
	size_t i;

	(void)state;
	world_make(&w, &m);
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		pair_make(&p, &w);
		assert_ok(answer(&w, p.i));
		take(&b, p.i);
		assert_ok(hf_session_tick(p.r, START_MS, cases[i].now));
		assert_ok(give(p.r, b.bytes, b.len));
		assert_err(answer(&w, p.r), cases[i].expected);
		pair_free(&p);
	}
	world_free(&w);
}

static void
deadline(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct world w;
	struct pair p;
	struct blob b;

	(void)state;
	world_make(&w, &m);
	pair_make(&p, &w);
	assert_int_equal(hf_session_deadline(p.r), START_MS + 10000);
	/* The wall clock may jump as it likes. */
	assert_ok(hf_session_tick(p.r, START_MS + 9999, 0));
	assert_ok(hf_session_tick(p.r, START_MS + 9999, UINT32_MAX));
	assert_err(hf_session_tick(p.r, START_MS + 10000, NOW), HF_E_DEADLINE);
	take(&b, p.r);
	assert_memory_equal(b.bytes, "\x82\x08\x01", 3);
	assert_int_equal(hf_session_deadline(p.r), UINT64_MAX);
	pair_free(&p);
	shake(&p, &w);
	assert_int_equal(hf_session_deadline(p.r), START_MS + 86400000);
	assert_ok(hf_session_tick(p.r, START_MS + 99999, NOW + 86399));
	assert_err(hf_session_tick(p.r, START_MS + 99999, NOW + 86400),
	    HF_E_EXPIRED);
	pair_free(&p);
	world_free(&w);
}

static void
own_validity(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct hf_session *s;
	struct world w;
	struct pair p;
	int known;

	(void)state;
	world_make(&w, &m);
	assert_err(hf_session_new(&s, w.i, 0, NOW + 86400), HF_E_OWN_EXPIRED);
	/* The responder's own is judged by the initiator. */
	p.world = &w;
	for (known = 0; known < 2; known++) {
		assert_ok(hf_config_responder(w.i, w.responder_chain,
		    known ? w.chain_n : 0));
		assert_ok(hf_config_user(w.i, "alice", HF_METHOD_PASSWORD));
		assert_ok(hf_session_new(&p.i, w.i, 0, NOW + 86400));
		assert_ok(hf_session_new(&p.r, w.r, 0, NOW + 86400));
		(void)run(&p);
		assert_err(hf_session_error(p.i), HF_E_EXPIRED);
		pair_free(&p);
	}
	world_free(&w);
	m.method = HF_METHOD_TICKET;
	world_make(&w, &m);
	assert_err(hf_session_new(&s, w.i, 0, NOW + 3600), HF_E_OWN_EXPIRED);
	world_free(&w);
}

static void
accepted_tokens(void **state)
{
	struct world w;
	struct pair p;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(methods); i++) {
		struct meeting m = { .method = methods[i] };

		world_make(&w, &m);
		assert_ok(hf_config_accept(w.r, 15U & ~(unsigned)methods[i]));
		pair_make(&p, &w);
		assert_err(run(&p), HF_E_TOKEN);
		assert_err(hf_session_error(p.r), HF_E_TOKEN);
		pair_free(&p);
		world_free(&w);
	}
}

/* The end of the stream, at any point of a handshake. */
static void
peer_gone(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct world w;
	struct pair p;

	(void)state;
	world_make(&w, &m);
	pair_make(&p, &w);
	assert_err(hf_session_eof(p.i), HF_E_GONE);
	assert_err(hf_session_eof(p.r), HF_E_GONE);
	assert_int_equal(hf_session_want(p.i), HF_WANT_FAILED);
	pair_free(&p);
	world_free(&w);
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way),
		cmocka_unit_test(absent_suites),
		cmocka_unit_test(wrong_password),
		cmocka_unit_test(password_policy),
		cmocka_unit_test(wrong_name),
		cmocka_unit_test(forgotten),
		cmocka_unit_test(single_use),
		cmocka_unit_test(cookies),
		cmocka_unit_test(refused_admission),
		cmocka_unit_test(clocks),
		cmocka_unit_test(deadline),
		cmocka_unit_test(own_validity),
		cmocka_unit_test(accepted_tokens),
		cmocka_unit_test(peer_gone),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
