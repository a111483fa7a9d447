/* SPDX-License-Identifier: ISC */
/*
 * No oracle (threat A49): whatever is wrong with a message, its box, its
 * plaintext or its token, exact here, is one alert on the wire in the same
 * bytes; and nothing of the refused peer is kept but the name he claimed.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"
#include "stage.h"
#include "craft.h"

/* --- the responder, before it has keys ------------------------------------------ */

static struct blob object; /* a certificate or ticket of a case */

static void
leaf(const struct hf_cert_info *terms)
{
	certify(&object, w.ca, &w.ca_cert, w.initiator, terms);
}

static void
expired(void)
{
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_INITIATOR);

	terms.not_after = NOW;
	leaf(&terms);
}

static void
not_yet(void)
{
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_INITIATOR);

	terms.not_before = NOW + 1;
	leaf(&terms);
}

static void
wrong_usage(void)
{
	struct hf_cert_info terms = terms_of("alice", HF_USAGE_SERVER);

	leaf(&terms);
}

static void
forged(void)
{
	object = w.initiator_cert;
	object.bytes[object.len - 1] ^= 1;
}

static void
stranger(void)
{
	struct hf_cert_info terms = terms_of("Nobody", HF_USAGE_CA);
	struct blob ca_cert;

	assert_ok(hf_cert_self(ca_cert.bytes, sizeof(ca_cert.bytes),
	    &ca_cert.len, w.ca, &terms));
	terms = terms_of("alice", HF_USAGE_INITIATOR);
	certify(&object, w.ca, &ca_cert, w.initiator, &terms);
}

static void
malformed(void)
{
	object = w.initiator_cert;
	object.bytes[5] = 0xa1;
}

static void
own_key(void)
{
	with_key(&object, &w.initiator_cert, w.responder->kem.pk);
}

static void
ticket(int flip, const char *audience, uint64_t issued, uint64_t expires)
{
	struct hf_ticket_info info = { .issued = issued, .expires = expires };
	struct hf__ticket_file views;
	uint8_t file[2048];
	size_t len;

	name_set(&info.subject, "alice");
	name_set(&info.audience, audience);
	assert_ok(hf_ticket_issue(file, sizeof(file), &len, w.ring, &info));
	assert_ok(hf__ticket_file_read(&views, file, len));
	memcpy(object.bytes, views.ticket.ptr, object.len = views.ticket.len);
	object.bytes[object.len - 1] ^= (uint8_t)flip;
}

static void
ticket_forged(void)
{
	ticket(1, "server.example", NOW, NOW + 1);
}

static void
ticket_of_another(void)
{
	ticket(0, "other.example", NOW, NOW + 1);
}

static void
ticket_expired(void)
{
	ticket(0, "server.example", NOW - 9, NOW);
}

static void
ticket_of_tomorrow(void)
{
	ticket(0, "server.example", NOW + 86400, NOW + 86401);
}

/* A token: what it is made of, and what it is refused for. */
static const struct {
	int kind;
	void (*make)(void);
	enum hf_err expected;
} tokens[] = {
	{ 1, expired, HF_E_EXPIRED },
	{ 1, not_yet, HF_E_NOT_YET },
	{ 1, wrong_usage, HF_E_USAGE },
	{ 1, forged, HF_E_SIGNATURE },
	{ 1, stranger, HF_E_ISSUER },
	{ 1, malformed, HF_E_OBJECT },
	{ 1, own_key, HF_E_POLICY },
	{ 4, ticket_forged, HF_E_TICKET },
	{ 4, ticket_of_another, HF_E_TICKET },
	{ 4, ticket_expired, HF_E_EXPIRED },
	{ 4, ticket_of_tomorrow, HF_E_NOT_YET },
};

/* The crafted request around an encoded token goes to the responder. */
static void
send_token(struct hf_span token, uint64_t time)
{
	struct craft c = ephemeral_of(5);
	uint8_t plain[HF_MESSAGE_MAX];
	struct blob b;
	size_t len;

	judged();
	assert_ok(craft_plain(plain, sizeof(plain), &len, token, time));
	assert_ok(craft_request(b.bytes, sizeof(b.bytes), &b.len, p.i, &c,
	    (struct hf_span){ plain, len }));
	assert_ok(give(p.r, b.bytes, b.len));
}

static unsigned alerts;

/* The one alert, the one state. */
static void
refused(enum hf_err expected)
{
	static const uint8_t alert[] = { 0x82, HF__ALERT, 1 };
	struct hf_peer peer;
	struct blob b;

	assert_err(hf_session_error(p.r), expected);
	take(&b, p.r);
	assert_int_equal(b.len, sizeof(alert));
	assert_memory_equal(b.bytes, alert, sizeof(alert));
	assert_nothing(p.r);
	assert_ok(hf_session_peer(&peer, p.r));
	assert_false(peer.authenticated);
	/* Nothing else follows, and nothing else is taken. */
	assert_err(give(p.r, alert, sizeof(alert)), HF_E_STATE);
	assert_int_equal(hf_session_output(p.r).len, 0);
	alerts++;
}

static void
wrong_tokens(void)
{
	uint8_t token[HF_CERT_MAX + 16];
	struct hf__writer writer;
	size_t i;

	for (i = 0; i < HF__ARRAY_N(tokens); i++) {
		pair_make(&p, &w);
		tokens[i].make();
		hf__write_init(&writer, token, sizeof(token));
		hf__write_list(&writer, 2);
		hf__write_uint(&writer, (uint64_t)tokens[i].kind);
		if (tokens[i].kind == 1)
			hf__write_list(&writer, 1);
		hf__write_bytes(&writer, object.bytes, object.len);
		send_token((struct hf_span){ token, writer.len }, NOW);
		assert_err(answer(&w, p.r), tokens[i].expected);
		refused(tokens[i].expected);
		pair_free(&p);
	}
}

#define K32 "2222222222222222222222222222222222222222222222222222222222222222"

/* By its bytes: malformed, unknown, out of time; then a wrong password. */
static void
other_tokens(void)
{
	static const struct {
		const char *hex;
		int late;
		enum hf_err expected;
	} cases[] = {
		{ "82054100", 0, HF_E_TOKEN },
		{ "80", 0, HF_E_SHAPE },
		{ "820141ff", 0, HF_E_SHAPE },
		{ "8201f7", 0, HF_E_CBOR },
		{ "8204410000", 0, HF_E_SHAPE },
		{ "82044100", 0, HF_E_OBJECT },
		{ "830261415820" K32, 0, HF_E_SHAPE },
		{ "830361616162", 0, HF_E_TOKEN }, /* without a prekey */
		{ "830261615820" K32, 121, HF_E_TIME },
		{ "830261615820" K32, 0, HF_E_PASSWORD },
	};
	uint8_t token[256];
	size_t i, len;
	enum hf_err e;

	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		pair_make(&p, &w);
		len = unhex(token, sizeof(token), cases[i].hex);
		send_token((struct hf_span){ token, len },
		    NOW - (uint64_t)cases[i].late);
		e = answer(&w, p.r);
		if (cases[i].expected == HF_E_PASSWORD) {
			assert_ok(e);
			e = hf_session_verify(p.r, w.verifier);
		}
		assert_err(e, cases[i].expected);
		refused(cases[i].expected);
		pair_free(&p);
	}
}

/* A genuine request with one byte changed, or too early, or with a verdict. */
static void
changed_requests(void)
{
	static const struct {
		size_t at;
		uint8_t to;
		enum hf_err fed, answered;
	} cases[] = {
		{ 0, 0x9f, HF_E_SHAPE, HF_OK },
		{ 1, HF__GRANT, HF_E_UNEXPECTED, HF_OK },
		{ 2, 0x02, HF_E_VERSION, HF_OK },
		{ 3, 0x09, HF_E_SUITE, HF_OK },
		{ 4, 0x5b, HF_E_TOO_BIG, HF_OK },
		{ 22, 0xf7, HF_E_CBOR, HF_OK },
		{ 22, 0xf5, HF_E_SHAPE, HF_OK },
		{ 25, 0xff, HF_OK, HF_E_BOX }, /* enc */
		{ 70, 0xff, HF_OK, HF_E_BOX }, /* box */
	};
	struct blob b;
	size_t i;

	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		fixed_random("alerts"); /* so that the change is one */
		pair_make(&p, &w);
		assert_ok(answer(&w, p.i));
		take(&b, p.i);
		assert_int_not_equal(b.bytes[cases[i].at], cases[i].to);
		b.bytes[cases[i].at] = cases[i].to;
		if (cases[i].at == 4)
			b.bytes[5] = 0x80; /* a length of 2^63 and more */
		assert_err(give(p.r, b.bytes, b.len), cases[i].fed);
		if (cases[i].fed == HF_OK)
			assert_err(answer(&w, p.r), cases[i].answered);
		refused(
		    cases[i].fed == HF_OK ? cases[i].answered : cases[i].fed);
		pair_free(&p);
	}
	fixed_random(NULL);
}

static void
verdicts(void)
{
	static const enum hf_admission answers[] = { HF_ADMIT_REPLAY,
		HF_ADMIT_LIMIT };
	static const enum hf_err expected[] = { HF_E_REPLAY, HF_E_LIMITED },
				 policy[] = { HF_E_POLICY, HF_E_PASSWORD,
					 HF_E_LIMITED, HF_E_REVOKED };
	uint8_t zero[32] = { 0 };
	struct blob b;
	size_t i;

	for (i = 0; i < HF__ARRAY_N(answers); i++) {
		pair_make(&p, &w);
		assert_ok(answer(&w, p.i));
		take(&b, p.i);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_err(hf_session_admit(p.r, answers[i]), expected[i]);
		refused(expected[i]);
		pair_free(&p);
	}
	for (i = 0; i < HF__ARRAY_N(policy); i++) {
		pair_make(&p, &w);
		opened(&b);
		assert_err(hf_session_trust(p.r, policy[i]), policy[i]);
		refused(policy[i]);
		pair_free(&p);
	}
	/* A small-order point; a deadline. */
	pair_make(&p, &w);
	assert_ok(answer(&w, p.i));
	take(&b, p.i);
	memcpy(b.bytes + 25, zero, 32);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_err(answer(&w, p.r), HF_E_PUBLIC_KEY);
	refused(HF_E_PUBLIC_KEY);
	pair_free(&p);
	pair_make(&p, &w);
	assert_err(hf_session_tick(p.r, START_MS + 10000, NOW), HF_E_DEADLINE);
	refused(HF_E_DEADLINE);
	pair_free(&p);
}

static void
one_alert_in_clear(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };

	(void)state;
	world_make(&w, &m);
	wrong_tokens();
	other_tokens();
	changed_requests();
	verdicts();
	world_free(&w);
	print_message("%u failures, one alert\n", alerts);
}

/* --- the responder with keys: the alert is a record ------------------------------- */

static void
one_alert_sealed(void **state)
{
	/* confirm: wrong, malformed, too long, another message, twice */
	static const struct {
		const char *hex;
		enum hf_err expected;
	} cases[] = {
		{ "820550"
		  "00000000000000000000000000000000",
		    HF_E_BOX },
		{ "820540", HF_E_SHAPE },
		{ "8205f6", HF_E_SHAPE },
		{ "8205f7", HF_E_CBOR },
		{ "82055bffffffffffffffff", HF_E_TOO_BIG },
		{ "ff", HF_E_SHAPE },
		{ "821040", HF_E_UNEXPECTED },
		{ "86000181016000", HF_E_UNEXPECTED },
	};
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	struct blob first = { .len = 0 }, b, grant;
	uint8_t bytes[64];
	size_t i, len;

	(void)state;
	world_make(&w, &m);
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		fixed_random("alerts"); /* so that the keys are the same */
		pair_make(&p, &w);
		granted(&b, &grant);
		len = unhex(bytes, sizeof(bytes), cases[i].hex);
		assert_err(give(p.r, bytes, len), cases[i].expected);
		assert_false(p.r->authenticated);
		take(&b, p.r);
		if (i == 0)
			first = b;
		assert_int_equal(b.len, first.len);
		assert_memory_equal(b.bytes, first.bytes, b.len);
		/* To the true initiator it is a refusal. */
		assert_ok(give(p.i, grant.bytes, grant.len));
		assert_err(give(p.i, b.bytes, b.len), HF_E_REFUSED);
		pair_free(&p);
	}
	fixed_random(NULL);
	world_free(&w);
}

/* --- the initiator ------------------------------------------------------------------- */

/* A grant that does not open, one malformed outside, one inside. */
static void
one_alert_of_the_initiator(void **state)
{
	static const uint8_t alert[] = { 0x82, HF__ALERT, 1 };
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	static const enum hf_err expected[] = { HF_E_BOX, HF_E_SHAPE,
		HF_E_SHAPE, HF_E_CBOR };
	struct craft c = ephemeral_of(5);
	uint8_t plain[sizeof(plain_grant) + 1] = { 0 };
	struct blob b;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(expected); i++) {
		begin(&m);
		opened(&b);
		memcpy(plain, plain_grant, sizeof(plain_grant));
		if (i == 2)
			plain[52] = 0x00; /* a lifetime of nothing */
		assert_ok(
		    craft_grant(b.bytes, sizeof(b.bytes), &b.len, p.r, &c,
			(struct hf_span){ plain,
			    sizeof(plain_grant) + (i == 3 ? 1 : 0) }));
		if (i == 0)
			b.bytes[b.len - 1] ^= 1;
		if (i == 1)
			b.bytes[37] = 0xf6;
		assert_err(give(p.i, b.bytes, b.len), expected[i]);
		take(&b, p.i);
		assert_int_equal(b.len, sizeof(alert));
		assert_memory_equal(b.bytes, alert, sizeof(alert));
		assert_nothing(p.i);
		end();
	}
}

/* The codes that are not 1 tell nothing about a token. */
static void
other_codes(void **state)
{
	enum hf_err e;
	size_t i;
	int at;

	(void)state;
	for (i = 0; (at = hf_error_at(i)) >= 0; i++) {
		e = (enum hf_err)at;
		assert_int_equal(hf__alert_code(e),
		    e == HF_E_STORE	      ? HF__ALERT_STORE :
			e == HF_E_UNKNOWN_KEY ? HF__ALERT_UNKNOWN_KEY :
			e == HF_E_NO_SESSION  ? HF__ALERT_NO_SESSION :
			e == HF_E_TARGET      ? HF__ALERT_TARGET :
						HF__ALERT_REFUSED);
	}
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
		cmocka_unit_test(one_alert_in_clear),
		cmocka_unit_test(one_alert_sealed),
		cmocka_unit_test(one_alert_of_the_initiator),
		cmocka_unit_test(other_codes),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
