/* SPDX-License-Identifier: ISC */
/*
 * Tickets in the wrong hands or at the wrong time, in whole handshakes: forged,
 * of another pool or an old key (threat A40), out of time (A41), stolen
 * without their key (A42), of a user who is gone (A44); and that a ticket is
 * tried with the one key it names (B14). For tickets alone see ticket.c.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"
#include "stage.h"

static const struct meeting by_ticket = { .method = HF_METHOD_TICKET,
	.known = 1 };

/* The error with which the responder refuses the request. */
static enum hf_err
shown(void)
{
	struct blob b;
	enum hf_err e;

	judged();
	assert_ok(answer(&w, p.i));
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	if ((e = answer(&w, p.r)) != HF_OK)
		assert_nothing(p.r);
	return e;
}

/* The bytes of the sealed ticket in the initiator's copy of its file. */
static uint8_t *
ticket_bytes(size_t *len)
{
	*len = w.i->ticket_file.ticket.len;
	return w.i->ticket +
	    (w.i->ticket_file.ticket.ptr - (const uint8_t *)w.i->ticket);
}

/* Every bit of the ticket, sealed genuinely in a request. */
static void
every_bit(void **state)
{
	uint8_t *bytes;
	size_t i, len;
	enum hf_err e;

	(void)state;
	world_make(&w, &by_ticket);
	bytes = ticket_bytes(&len);
	for (i = 0; i < len * 8; i++) {
		bytes[i / 8] ^= (uint8_t)(1U << i % 8);
		pair_make(&p, &w);
		e = shown();
		/* behind the protected header: the box */
		if (i / 8 >= 35)
			assert_err(e, HF_E_TICKET);
		else if (e != HF_E_CBOR && e != HF_E_OBJECT)
			assert_err(e, HF_E_TICKET);
		pair_free(&p);
		bytes[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	pair_make(&p, &w);
	assert_ok(shown());
	end();
}

static void
other_rings(void **state)
{
	struct hf_ring *pool;
	int i;

	(void)state;
	world_make(&w, &by_ticket);
	/* Another pool's. */
	assert_ok(hf_ring_new(&pool));
	assert_ok(hf_ring_rotate(pool, NOW));
	assert_ok(hf_config_ring(w.r, pool));
	pair_make(&p, &w);
	assert_err(shown(), HF_E_TICKET);
	pair_free(&p);
	/* Its own, through three rotations and not after a fourth. */
	assert_ok(hf_config_ring(w.r, w.ring));
	for (i = 0; i < 5; i++) {
		pair_make(&p, &w);
		assert_err(shown(), i < 4 ? HF_OK : HF_E_TICKET);
		pair_free(&p);
		assert_ok(hf_ring_rotate(w.ring, NOW));
	}
	hf_ring_free(pool);
	world_free(&w);
}

/* B14: a ticket that another key of the ring would open is not tried with
 * it: the key it names decides. */
static void
named_key_only(void **state)
{
	struct hf__ring_key first;

	(void)state;
	world_make(&w, &by_ticket);
	assert_ok(hf_ring_rotate(w.ring, NOW));
	first = w.ring->keys[0];
	memcpy(w.ring->keys[0].kid, w.ring->keys[1].kid, HF__KID_BYTES);
	memcpy(w.ring->keys[1].kid, first.kid, HF__KID_BYTES);
	pair_make(&p, &w);
	assert_err(shown(), HF_E_TICKET);
	end();
}

static void
other_audience(void **state)
{
	struct hf_cert_info terms =
	    terms_of("other.example", HF_USAGE_RESPONDER);
	struct hf_span chain;
	struct blob cert;
	int pool;

	(void)state;
	for (pool = 0; pool < 2; pool++) {
		world_make(&w, &by_ticket);
		/* One that shares the ring, and a cluster or nothing. */
		name_set(&terms.cluster, pool ? "server.example" : "else");
		certify(&cert, w.ca, &w.ca_cert, w.responder, &terms);
		chain = (struct hf_span){ cert.bytes, cert.len };
		assert_ok(hf_config_identity(w.r, w.responder, &chain, 1));
		assert_ok(hf_config_responder(w.i, &chain, 1));
		assert_ok(hf_config_expect(w.i, "other.example"));
		pair_make(&p, &w);
		assert_err(shown(), pool ? HF_OK : HF_E_TICKET);
		end();
	}
}

/* --- A41 ------------------------------------------------------------------------------ */

/* A session of the holder, who does not mind, at a responder of that time. */
static enum hf_err
shown_at(uint64_t now)
{
	enum hf_err e;

	assert_ok(hf_session_new(&p.i, w.i, START_MS, NOW));
	p.i->now = now;
	assert_ok(hf_session_new(&p.r, w.r, START_MS, now));
	e = shown();
	pair_free(&p);
	return e;
}

static void
out_of_time(void **state)
{
	struct hf_ticket_info info = { .issued = NOW - 1000,
		.expires = NOW + 1000,
		.limit = NOW + 2000 };
	uint8_t file[2048];
	size_t len;

	(void)state;
	world_make(&w, &by_ticket);
	name_set(&info.subject, "alice");
	name_set(&info.audience, "server.example");
	assert_ok(hf_ticket_issue(file, sizeof(file), &len, w.ring, &info));
	assert_ok(hf_config_ticket(w.i, file, len));
	assert_ok(shown_at(NOW));
	assert_ok(shown_at(NOW + 999));
	assert_err(shown_at(NOW + 1000), HF_E_EXPIRED);
	assert_err(shown_at(NOW + 9999), HF_E_EXPIRED);
	/* From the future, beyond the tolerance of 120 s. */
	assert_ok(shown_at(NOW - 1120));
	assert_err(shown_at(NOW - 1121), HF_E_NOT_YET);
	/* A holder who writes another end into his file deceives himself: it
	 * ends where the ticket says. */
	w.i->ticket_file.expires = w.i->ticket_file.limit = NOW + 99999;
	assert_err(shown_at(NOW + 1000), HF_E_EXPIRED);
	world_free(&w);
}

/* --- A42 ------------------------------------------------------------------------------ */

/* The ticket as sent, without its key: granted, and not to be confirmed. */
static void
without_its_key(void **state)
{
	static const uint8_t guess[19] = { 0x82, HF__CONFIRM, 0x50 };
	struct meeting m = by_ticket;
	uint8_t *key;
	struct blob b, grant;
	int known;

	(void)state;
	for (known = 0; known < 2; known++) {
		m.known = known;
		world_make(&w, &m);
		key = w.i->ticket +
		    (w.i->ticket_file.key.ptr - (const uint8_t *)w.i->ticket);
		memset(key, 0, HF_KEY_BYTES);
		pair_make(&p, &w);
		granted(&b, &grant);
		assert_err(give(p.i, grant.bytes, grant.len), HF_E_BOX);
		assert_nothing(p.i);
		assert_err(give(p.r, guess, sizeof(guess)), HF_E_BOX);
		assert_false(p.r->authenticated);
		end();
	}
}

/* From the wire: neither ticket, key, nor name are there to be seen. */
static void
nothing_in_clear(void **state)
{
	static const struct meeting ways[] = {
		{ .method = HF_METHOD_TICKET, .known = 1 },
		{ .method = HF_METHOD_TICKET },
		{ .method = HF_METHOD_PASSWORD, .known = 1 },
		{ .method = HF_METHOD_PLAIN_PASSWORD },
		{ .method = HF_METHOD_CERTIFICATE, .known = 1 },
		{ .method = HF_METHOD_CERTIFICATE },
	};
	struct blob request, grant;
	struct hf_span seen[8];
	size_t i, k, off, len, n;
	const uint8_t *at;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(ways); i++) {
		begin(&ways[i]);
		granted(&request, &grant);
		at = ticket_bytes(&len);
		n = 0;
		if (ways[i].method == HF_METHOD_TICKET) {
			seen[n++] = (struct hf_span){ at, 8 };
			seen[n++] = (struct hf_span){ at + 9, 8 };
			seen[n++] = (struct hf_span){ at + len - 8, 8 };
			seen[n++] =
			    (struct hf_span){ w.i->ticket_file.key.ptr, 8 };
		}
		seen[n++] = (struct hf_span){ (const uint8_t *)"alice", 5 };
		seen[n++] = (struct hf_span){ w.stretched, 8 };
		seen[n++] = (struct hf_span){ (const uint8_t *)"secret", 6 };
		seen[n++] = (struct hf_span){ w.initiator->kem.pk, 8 };
		for (k = 0; k < n; k++)
			for (off = 0; off + seen[k].len <= request.len; off++)
				assert_memory_not_equal(request.bytes + off,
				    seen[k].ptr, seen[k].len);
		for (off = 0; off + 8 <= grant.len; off++)
			assert_memory_not_equal(grant.bytes + off, p.r->sid,
			    8);
		end();
	}
}

/* A44: the application is asked whenever a ticket is shown. */
static void
user_gone(void **state)
{
	struct hf_peer peer;

	(void)state;
	begin(&by_ticket);
	assert_ok(shown());
	assert_int_equal(hf_session_want(p.r), HF_WANT_TRUST);
	assert_ok(hf_session_peer(&peer, p.r));
	assert_string_equal(peer.subject, "alice");
	assert_false(peer.authenticated);
	assert_err(hf_session_trust(p.r, HF_E_TICKET), HF_E_TICKET);
	assert_nothing(p.r);
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
		cmocka_unit_test(every_bit),
		cmocka_unit_test(other_rings),
		cmocka_unit_test(named_key_only),
		cmocka_unit_test(other_audience),
		cmocka_unit_test(out_of_time),
		cmocka_unit_test(without_its_key),
		cmocka_unit_test(nothing_in_clear),
		cmocka_unit_test(user_gone),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
