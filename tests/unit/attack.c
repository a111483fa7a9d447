/* SPDX-License-Identifier: ISC */
/*
 * Attacks on a handshake by those who hold genuine keys, or who change what
 * passes: stolen keys, names, downgrades, missing envelopes, early data
 * (threats A2, A6 to A8, A10, A11, A47). Each ends in its exact error.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"
#include "stage.h"
#include "craft.h"

/* --- A2: a recorded run against another server ---------------------------------- */

static void
replayed_elsewhere(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	struct blob request, grant, confirm, again;
	struct hf_session *other;
	struct hf_config *c;

	(void)state;
	begin(&m);
	granted(&request, &grant);
	assert_ok(give(p.i, grant.bytes, grant.len));
	take(&confirm, p.i);
	/* The same identity elsewhere: it shares no cache, and needs none. */
	assert_ok(hf_config_new(&c, HF_RESPONDER));
	assert_ok(hf_config_trust(c, w.trust));
	assert_ok(hf_config_identity(c, w.responder, w.responder_chain, 1));
	assert_ok(hf_session_new(&other, c, START_MS, NOW));
	assert_ok(give(other, request.bytes, request.len));
	assert_ok(answer(&w, other));
	assert_ok(answer(&w, other));
	take(&again, other);
	assert_memory_not_equal(again.bytes, grant.bytes, grant.len);
	assert_err(give(other, confirm.bytes, confirm.len), HF_E_BOX);
	assert_false(other->authenticated);
	hf_session_free(other);
	hf_config_free(c);
	end();
}

/* --- A6, A7, A8: stolen keys, and a key under two names -------------------------- */

/* A6: the thief of the initiator's key makes the envelope for it, and still
 * needs the transport key, sealed to another's. */
static void
stolen_initiator_key(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct craft c = ephemeral_of(5);
	struct blob b;
	int right;

	(void)state;
	for (m.known = 0; m.known < 2; m.known++)
		for (right = 0; right < 2; right++) {
			begin(&m);
			opened(&b);
			if (!right)
				memset(p.r->hs->transport_key, 0, 32);
			assert_ok(grant_by(&b, &c));
			assert_err(give(p.i, b.bytes, b.len),
			    right ? HF_OK : HF_E_BOX);
			if (!right)
				assert_nothing(p.i);
			end();
		}
}

/* A7: the thief of the responder's key shows somebody's certificate to it. He
 * cannot open the grant: not with that key in place of the one bound. */
static void
stolen_responder_key(void **state)
{
	static const uint8_t guess[19] = { 0x82, HF__CONFIRM, 0x50 };
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	const struct hf_identity *mine;
	struct blob b, grant;

	(void)state;
	for (m.known = 0; m.known < 2; m.known++) {
		begin(&m);
		granted(&b, &grant);
		mine = w.i->id;
		w.i->id = w.responder;
		assert_err(give(p.i, grant.bytes, grant.len), HF_E_BOX);
		assert_nothing(p.i);
		assert_err(give(p.r, guess, sizeof(guess)), HF_E_BOX);
		assert_false(p.r->authenticated);
		w.i->id = mine;
		end();
	}
}

/* A8: somebody else has alice's key certified under his own name. */
static void
key_under_two_names(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	struct hf_cert_info terms = terms_of("mallory", HF_USAGE_INITIATOR);
	struct hf_identity *mallory = identity_of(8);
	const struct hf_identity *alice;
	struct blob own, theirs, b, grant, other;
	struct hf_peer peer;
	struct hf_span saved;

	(void)state;
	begin(&m);
	certify(&own, w.ca, &w.ca_cert, mallory, &terms);
	with_key(&theirs, &own, w.initiator->kem.pk);
	saved = w.i->own.cert[0];
	alice = w.i->id;
	/* Mallory shows it, and has not the key. */
	w.i->own.cert[0] = (struct hf_span){ theirs.bytes, theirs.len };
	granted(&b, &grant);
	w.i->id = mallory;
	assert_err(give(p.i, grant.bytes, grant.len), HF_E_BOX);
	pair_free(&p);
	w.i->id = alice;
	/* Who has the key is who she says: a grant for the one name is none
	 * for the other. */
	pair_make(&p, &w);
	granted(&b, &other);
	assert_ok(hf_session_peer(&peer, p.r));
	assert_string_equal(peer.name, "mallory");
	pair_free(&p);
	w.i->own.cert[0] = saved;
	pair_make(&p, &w);
	granted(&b, &grant);
	assert_ok(hf_session_peer(&peer, p.r));
	assert_string_equal(peer.name, "alice");
	assert_err(give(p.i, other.bytes, other.len), HF_E_BOX);
	hf_identity_free(mallory);
	end();
}

/* --- A10: what passes is changed --------------------------------------------------- */

struct edit {
	unsigned message;
	size_t at;
	uint8_t from, to; /* ANY: the byte is random, to is a difference */
	enum hf_err expected;
	enum hf_role by; /* who must notice */
};

enum { ANY = 0xee };

static void
apply(struct blob *b, const struct edit *e)
{
	assert_true(e->at < b->len);
	if (e->from != ANY)
		assert_int_equal(b->bytes[e->at], e->from);
	b->bytes[e->at] = e->from == ANY ? b->bytes[e->at] ^ e->to : e->to;
}

/* The first error of either side when one byte of one message changes. */
static enum hf_err
changed(const struct edit *edit)
{
	struct hf_session *side[2];
	unsigned turn, index = 0;
	enum hf_err e = HF_OK;
	struct blob b;

	pair_make(&p, &w);
	side[0] = p.i;
	side[1] = p.r;
	for (turn = 0; turn < 8 && e == HF_OK; turn++) {
		do {
			e = answer(&w, side[turn & 1]);
		} while (e == HF_OK &&
		    (hf_session_want(side[turn & 1]) == HF_WANT_TRUST ||
			hf_session_want(side[turn & 1]) == HF_WANT_ADMIT));
		if (e != HF_OK)
			break;
		take(&b, side[turn & 1]);
		if (b.len == 0)
			continue;
		if (index++ == edit->message)
			apply(&b, edit);
		e = give(side[~turn & 1], b.bytes, b.len);
	}
	/* The changed message may announce more than comes. */
	if (e == HF_OK)
		e = hf_session_eof(side[~edit->message & 1]);
	assert_false(p.r->authenticated);
	assert_false(p.i->authenticated);
	if (edit->by != 0)
		assert_err(hf_session_error(
			       edit->by == HF_INITIATOR ? p.i : p.r),
		    e);
	pair_free(&p);
	return e;
}

static void
try(const struct edit *edits, size_t n)
{
	enum hf_err e;
	size_t i;

	for (i = 0; i < n; i++) {
		e = changed(&edits[i]);
		if (e != edits[i].expected)
			fail_msg("message %u, byte %zu, %02x to %02x: %s, "
				 "not %s",
			    edits[i].message, edits[i].at, edits[i].from,
			    edits[i].to, hf_error_name(e),
			    hf_error_name(edits[i].expected));
	}
}

/* With an offer: hello [suites 1 2, target "t"], offer, request. */
static void
downgrade_by_hello(void **state)
{
	static const struct edit edits[] = {
		{ 0, 0, 0x86, 0x87, HF_E_GONE, HF_RESPONDER },
		{ 0, 1, 0x00, 0x01, HF_E_UNEXPECTED, HF_RESPONDER },
		{ 0, 2, 0x01, 0x00, HF_E_VERSION, HF_RESPONDER },
		{ 0, 2, 0x01, 0x02, HF_E_VERSION, HF_RESPONDER },
		{ 0, 3, 0x82, 0x83, HF_E_GONE, HF_RESPONDER },
		/* the best suite hidden: the weaker one is not taken */
		{ 0, 4, 0x01, 0x00, HF_E_SUITE, HF_INITIATOR },
		{ 0, 4, 0x01, 0x02, HF_E_SUITE, HF_INITIATOR },
		{ 0, 5, 0x02, 0x03, HF_E_BOX, HF_RESPONDER },
		{ 0, 6, 0x61, 0x60, HF_E_GONE, HF_RESPONDER },
		{ 0, 7, 't', 'u', HF_E_SHAPE, HF_RESPONDER },
		{ 0, 8, 0xf6, 0xf7, HF_E_CBOR, HF_RESPONDER },
		{ 0, 9, 0xa0, 0xa1, HF_E_GONE, HF_RESPONDER },
		/* request: version, suite, key, target, path */
		{ 2, 2, 0x01, 0x02, HF_E_VERSION, HF_RESPONDER },
		{ 2, 3, 0x01, 0x02, HF_E_SUITE, HF_RESPONDER },
		{ 2, 3, 0x01, 0x03, HF_E_SUITE, HF_RESPONDER },
		{ 2, 22, 't', 'u', HF_E_SHAPE, HF_RESPONDER },
		{ 2, 58, 0x40, 0xf6, HF_E_SHAPE, HF_RESPONDER },
		/* grant: version, envelope */
		{ 3, 2, 0x01, 0x02, HF_E_VERSION, HF_INITIATOR },
		{ 3, 37, 0x40, 0xf6, HF_E_SHAPE, HF_INITIATOR },
	};
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .target = "t" };
	static const uint16_t suites[] = { 1, 2 };

	(void)state;
	if (!hf_suite_available(2)) {
		print_message("skipped: suite 2 is not available here\n");
		skip();
	}
	world_make(&w, &m);
	assert_ok(hf_config_suites(w.i, suites, 2));
	try(edits, HF__ARRAY_N(edits));
	world_free(&w);
}

/* Without an offer: request, grant. */
static void
downgrade_by_request(void **state)
{
	static const struct edit edits[] = {
		{ 0, 2, 0x01, 0x00, HF_E_VERSION, HF_RESPONDER },
		{ 0, 3, 0x01, 0x02, HF_E_BOX, HF_RESPONDER },
		{ 0, 3, 0x01, 0x04, HF_E_SUITE, HF_RESPONDER },
		{ 0, 5, ANY, 0x01, HF_E_UNKNOWN_KEY, HF_RESPONDER },
		{ 0, 20, ANY, 0x80, HF_E_UNKNOWN_KEY, HF_RESPONDER },
		{ 0, 22, 't', 'u', HF_E_BOX, HF_RESPONDER },
		{ 0, 26, ANY, 0x01, HF_E_BOX, HF_RESPONDER }, /* enc */
		{ 0, 57, ANY, 0x80, HF_E_BOX, HF_RESPONDER },
		{ 0, 58, 0xf6, 0x40, HF_E_SHAPE, HF_RESPONDER },
		{ 0, 58, 0xf6, 0xf5, HF_E_SHAPE, HF_RESPONDER },
		{ 0, 59, 0xa0, 0xf6, HF_E_SHAPE, HF_RESPONDER },
		{ 1, 2, 0x01, 0x00, HF_E_VERSION, HF_INITIATOR },
		{ 1, 5, ANY, 0x01, HF_E_BOX, HF_INITIATOR }, /* enc */
		{ 1, 36, ANY, 0x80, HF_E_BOX, HF_INITIATOR },
		{ 1, 37, 0x40, 0xf6, HF_E_SHAPE, HF_INITIATOR },
	};
	struct meeting m = { .method = HF_METHOD_CERTIFICATE,
		.known = 1,
		.target = "t" };

	(void)state;
	if (!hf_suite_available(2)) {
		print_message("skipped: suite 2 is not available here\n");
		skip();
	}
	world_make(&w, &m);
	try(edits, HF__ARRAY_N(edits));
	world_free(&w);
}

/* Where the certificate in an offer begins. */
enum { OFFER_CERT = 7 };

/* What the changed chain alone is refused for. */
static enum hf_err
chain_error(const struct blob *cert, size_t at)
{
	struct blob other = *cert;
	struct hf_span chain = { other.bytes, other.len };

	other.bytes[at] ^= 1;
	return hf_trust_verify(NULL, w.trust, &chain, 1, HF_USAGE_RESPONDER,
	    "server.example", NOW);
}

/* Each byte of an offer, its lowest bit changed. */
static void
every_byte_of_the_offer(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct edit e = { .message = 1, .from = ANY, .to = 1 };
	static const enum hf_err head[] = { HF_E_GONE, HF_E_UNEXPECTED,
		HF_E_VERSION, HF_E_SUITE, HF_E_SHAPE, HF_E_TOO_BIG };
	struct blob offer, b;
	size_t cert_end, n;

	(void)state;
	begin(&m);
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(answer(&w, p.r));
	take(&offer, p.r);
	pair_free(&p);
	n = w.responder_cert.len;
	cert_end = OFFER_CERT + n;
	assert_int_equal(offer.len, cert_end + 2 + 32 + 1);
	assert_memory_equal(offer.bytes, "\x86\x01\x01\x01\x81\x58", 6);
	assert_int_equal(offer.bytes[6], n);
	for (e.at = 0; e.at < offer.len; e.at++) {
		e.by = HF_INITIATOR;
		if (e.at == 6)
			continue; /* then all behind it is something else */
		if (e.at >= OFFER_CERT && e.at < cert_end) {
			e.expected =
			    chain_error(&w.responder_cert, e.at - OFFER_CERT);
		} else if (e.at >= cert_end + 2 && e.at < cert_end + 34) {
			e.expected = HF_E_BOX; /* the prekey: th0, psk */
			e.by = HF_RESPONDER;
		} else {
			/* Behind the head of the chain it announces more. */
			e.expected =
			    e.at < HF__ARRAY_N(head) ? head[e.at] : HF_E_GONE;
		}
		assert_int_not_equal(e.expected, HF_OK);
		try(&e, 1);
	}
	world_free(&w);
}

/* --- A11: "I cannot do that" --------------------------------------------------------- */

#define RAW(s)                                      \
	{                                           \
		(const uint8_t *)(s), sizeof(s) - 1 \
	}

static void
no_envelope(void **state)
{
	static const struct {
		enum hf_method method;
		struct hf_span second;
	} cases[] = {
		{ HF_METHOD_CERTIFICATE, RAW("\xf6") },
		{ HF_METHOD_CERTIFICATE, RAW("\x41\x00") },
		{ HF_METHOD_TICKET, RAW("\x40") },
		{ HF_METHOD_PASSWORD, RAW("\x40") },
	};
	struct craft c = ephemeral_of(5);
	struct blob b;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		begin(&(
		    struct meeting){ .method = cases[i].method, .known = 1 });
		opened(&b);
		c.second = cases[i].second;
		assert_ok(grant_by(&b, &c));
		assert_err(give(p.i, b.bytes, b.len), HF_E_SHAPE);
		assert_nothing(p.i);
		end();
	}
	/* The right box for a binder left out: it is not left out here. */
	begin(
	    &(struct meeting){ .method = HF_METHOD_CERTIFICATE, .known = 1 });
	opened(&b);
	p.r->method = HF_METHOD_PASSWORD;
	c.second = (struct hf_span)RAW("\x40");
	assert_ok(grant_by(&b, &c));
	assert_err(give(p.i, b.bytes, b.len), HF_E_BOX);
	assert_nothing(p.i);
	end();
}

/* No ephemeral: enc or the prekey absent, empty, or of another size. */
static void
no_ephemeral(void **state)
{
	static const struct hf_span instead[] = { RAW("\xf6"), RAW("\x40"),
		RAW("\x41\x09") };
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct blob b, message;
	size_t i, at, n;
	int offer;

	(void)state;
	for (offer = 0; offer < 2; offer++)
		for (i = 0; i < HF__ARRAY_N(instead); i++) {
			m.known = !offer;
			begin(&m);
			if (offer) {
				take(&b, p.i);
				assert_ok(give(p.r, b.bytes, b.len));
				assert_ok(answer(&w, p.r));
				take(&b, p.r);
			} else {
				granted(&message, &b);
			}
			at = offer ? b.len - 35 : 3;
			n = instead[i].len;
			assert_memory_equal(b.bytes + at, "\x58\x20", 2);
			memmove(b.bytes + at + n, b.bytes + at + 34,
			    b.len - at - 34);
			memcpy(b.bytes + at, instead[i].ptr, n);
			assert_err(give(p.i, b.bytes, b.len - 34 + n),
			    HF_E_SHAPE);
			assert_nothing(p.i);
			end();
		}
}

/* --- A47: data before confirm --------------------------------------------------------- */

static void
data_before_confirm(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	enum hf_content content;
	struct hf_span data;
	struct blob b, grant;
	size_t used;

	(void)state;
	begin(&m);
	granted(&b, &grant);
	/* The responder itself says nothing before. */
	assert_err(hf_session_send(p.r, (const uint8_t *)"x", 1), HF_E_STATE);
	assert_err(hf_session_close(p.r), HF_E_STATE);
	assert_ok(give(p.i, grant.bytes, grant.len));
	take(&b, p.i); /* confirm is lost */
	assert_ok(hf_session_send(p.i, (const uint8_t *)"early", 5));
	take(&b, p.i);
	assert_int_equal(b.bytes[1], HF__RECORD);
	assert_err(hf_session_feed(p.r, &used, b.bytes, b.len),
	    HF_E_UNEXPECTED);
	assert_err(hf_session_recv(p.r, &content, &data), HF_E_STATE);
	assert_false(p.r->authenticated);
	end();
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
		cmocka_unit_test(replayed_elsewhere),
		cmocka_unit_test(stolen_initiator_key),
		cmocka_unit_test(stolen_responder_key),
		cmocka_unit_test(key_under_two_names),
		cmocka_unit_test(downgrade_by_hello),
		cmocka_unit_test(downgrade_by_request),
		cmocka_unit_test(every_byte_of_the_offer),
		cmocka_unit_test(no_envelope),
		cmocka_unit_test(no_ephemeral),
		cmocka_unit_test(data_before_confirm),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
