/* SPDX-License-Identifier: ISC */
/*
 * The library with each allocation refused, one by one and all from there on:
 * sessions by every token and path, and every object that allocates, guarded
 * memory too. The call says HF_E_MEMORY, nobody is let in, nothing leaks, and
 * the same objects work the next time. A session in given memory allocates
 * nothing.
 */
#include "heap.h"

#include "testing.h"

#ifdef HAVE_HEAP

#include "case.h"
#include "whole.h"

enum { OFFER, KNOWN, RETRY, PATHS };

struct flow {
	const char *name;
	enum hf_err (*run)(void);
	struct meeting meeting;
	int path, all, may_do_without;
	unsigned long least; /* allocations there are at the least */
};

static void
refuse_each(const void *arg)
{
	const struct flow *f = arg;
	unsigned long n;

	world_make(&w, &f->meeting);
	cookie_first = f->path == RETRY;
	does_without = f->may_do_without;
	for (n = 1; refuse(f->run, n, f->all); n++)
		continue;
	assert_in_range(n - 1, f->least, 200);
	/* What was refused before is in nobody's way. */
	assert_false(refuse(f->run, (unsigned long)-1, 0));
	world_free(&w);
	case_count("n", n - 1);
}

/* --- sessions ---------------------------------------------------------------- */

static void
sessions(void)
{
	static const struct {
		const char *name;
		enum hf_method method;
		int single_use, intermediate;
	} tokens[] = { { "certificate", HF_METHOD_CERTIFICATE, 0, 0 },
		{ "certificate-chain", HF_METHOD_CERTIFICATE, 0, 1 },
		{ "password", HF_METHOD_PASSWORD, 0, 0 },
		{ "plain-password", HF_METHOD_PLAIN_PASSWORD, 0, 0 },
		{ "ticket", HF_METHOD_TICKET, 0, 0 },
		{ "single-use-ticket", HF_METHOD_TICKET, 1, 0 } };
	static const char *const paths[] = { "offer", "known", "retry" };
	char name[64];
	size_t i;
	int path, all;

	for (i = 0; i < HF__ARRAY_N(tokens); i++)
		for (path = 0; path < PATHS; path++)
			for (all = 0; all < 2; all++) {
				struct flow f = { .run = whole_session,
					.meeting = { .method =
							 tokens[i].method,
					    .known = path != OFFER,
					    .single_use = tokens[i].single_use,
					    .intermediate =
						tokens[i].intermediate },
					.path = path,
					.all = all,
					.least = 10 };

				(void)snprintf(name, sizeof(name),
				    "session/%s/%s/%s", tokens[i].name,
				    paths[path], all ? "all-from" : "one");
				run_case("proto", name, refuse_each, &f);
			}
}

/* A whole session in given memory, and not one allocation. */
static void
placed(const void *arg)
{
	const struct meeting *m = arg;
	size_t moved, size = hf_session_size(HF_PLAINTEXT_MAX);
	void *memory[2] = { malloc(size), malloc(size) };
	long live;

	assert_true(memory[0] != NULL && memory[1] != NULL);
	world_make(&w, m);
	/* Once before: signatures that verified are remembered. */
	assert_false(refuse(handshake, (unsigned long)-1, 0));
	live = heap.live;
	heap.n = 0;
	heap.at = 1;
	heap.all = 1;
	assert_ok(hf_session_place(&p.i, memory[0], size, HF_PLAINTEXT_MAX,
	    w.i, START_MS, NOW));
	assert_ok(hf_session_place(&p.r, memory[1], size, HF_PLAINTEXT_MAX,
	    w.r, START_MS, NOW));
	do {
		moved = 0;
		assert_ok(pass(p.i, p.r, &moved));
		assert_ok(pass(p.r, p.i, &moved));
	} while (moved > 0);
	assert_ok(record(p.i, p.r, 3000, 1));
	assert_ok(closed(p.i, p.r));
	assert_ok(closed(p.r, p.i));
	heap.at = 0;
	assert_int_equal(heap.n, 0);
	assert_int_equal(heap.live, live);
	hf_session_free(p.i);
	hf_session_free(p.r);
	world_free(&w);
	free(memory[0]);
	free(memory[1]);
}

/* --- objects ------------------------------------------------------------------- */

static enum hf_err
identity_new(void)
{
	struct hf_identity *id = NULL;
	enum hf_err e = hf_identity_new(&id, NULL);

	if (e != HF_OK)
		assert_null(id);
	hf_identity_free(id);
	return e;
}

static enum hf_err
identity_text(const char *pass, size_t len)
{
	struct hf_identity *id = NULL;
	char text[1024];
	size_t n;
	enum hf_err e;

	if ((e = hf_identity_encode(text, sizeof(text), &n, w.initiator, pass,
		 len)) == HF_OK &&
	    (e = hf_identity_decode(&id, text, n, pass, len)) != HF_OK)
		assert_null(id);
	hf_identity_free(id);
	return e;
}

static enum hf_err
identity_plain(void)
{
	return identity_text(NULL, 0);
}

static enum hf_err
identity_sealed(void)
{
	return identity_text("passphrase", 10);
}

static enum hf_err
stretch(void)
{
	uint8_t out[HF_KEY_BYTES];

	return hf_password_stretch(out, "password", 8, "example", "bob", 64,
	    2);
}

static enum hf_err
certificate(void)
{
	struct hf_cert_info terms = terms_of("bob", HF_USAGE_INITIATOR);
	struct hf_trust *t = NULL;
	uint8_t request[HF_CERT_MAX], cert[HF_CERT_MAX];
	struct hf_span chain;
	size_t len;
	enum hf_err e;

	if ((e = hf_request_make(request, sizeof(request), &len, w.responder,
		 &terms, NOW)) != HF_OK ||
	    (e = hf_cert_issue(cert, sizeof(cert), &chain.len, w.ca,
		 w.ca_cert.bytes, w.ca_cert.len, &terms, request, len)) !=
		HF_OK ||
	    (e = hf_trust_new(&t)) != HF_OK ||
	    (e = hf_trust_add_ca(t, w.ca_cert.bytes, w.ca_cert.len)) != HF_OK)
		goto out;
	chain.ptr = cert;
	e = hf_trust_verify(NULL, t, &chain, 1, HF_USAGE_INITIATOR, "bob",
	    NOW);
out:
	hf_trust_free(t);
	return e;
}

static enum hf_err
list(void)
{
	static uint8_t ids[300 * HF_CTI_BYTES], out[8192];
	struct hf_trust *t = NULL;
	size_t len;
	enum hf_err e;

	randombytes_buf(ids, sizeof(ids));
	if ((e = hf_list_make(out, sizeof(out), &len, w.ca, w.ca_cert.bytes,
		 w.ca_cert.len, 1, ids, 300, NOW, NOW + 1)) != HF_OK ||
	    (e = hf_trust_new(&t)) != HF_OK ||
	    (e = hf_trust_add_ca(t, w.ca_cert.bytes, w.ca_cert.len)) !=
		HF_OK ||
	    (e = hf_trust_add_list(t, out, len)) != HF_OK)
		goto out;
	e = hf_trust_verify(NULL, t, w.initiator_chain, 1, HF_USAGE_INITIATOR,
	    "alice", NOW);
out:
	hf_trust_free(t);
	return e;
}

static enum hf_err
ring(void)
{
	struct hf_ring *r = NULL, *again = NULL;
	char text[1024];
	size_t len;
	enum hf_err e;

	if ((e = hf_ring_new(&r)) == HF_OK &&
	    (e = hf_ring_rotate(r, NOW)) == HF_OK &&
	    (e = hf_ring_encode(text, sizeof(text), &len, r)) == HF_OK &&
	    (e = hf_ring_decode(&again, text, len)) != HF_OK)
		assert_null(again);
	hf_ring_free(again);
	hf_ring_free(r);
	return e;
}

static enum hf_err
initiator(void)
{
	struct hf_config *c = NULL;
	enum hf_err e;

	if ((e = hf_config_new(&c, HF_INITIATOR)) != HF_OK ||
	    (e = hf_config_trust(c, w.trust)) != HF_OK ||
	    (e = hf_config_identity(c, w.initiator, w.initiator_chain, 1)) !=
		HF_OK ||
	    (e = hf_config_responder(c, w.responder_chain, 1)) != HF_OK ||
	    (e = hf_config_ticket(c, w.ticket.bytes, w.ticket.len)) != HF_OK ||
	    /* Each again: the old one is let go. */
	    (e = hf_config_responder(c, w.responder_chain, 1)) != HF_OK ||
	    (e = hf_config_ticket(c, w.ticket.bytes, w.ticket.len)) != HF_OK)
		goto out;
	e = hf_config_user(c, "bob", HF_METHOD_PASSWORD);
out:
	hf_config_free(c);
	return e;
}

static enum hf_err
responder(void)
{
	struct hf_config *c = NULL;
	enum hf_err e;

	if ((e = hf_config_new(&c, HF_RESPONDER)) != HF_OK ||
	    (e = hf_config_trust(c, w.trust)) != HF_OK ||
	    (e = hf_config_identity(c, w.responder, w.responder_chain, 1)) !=
		HF_OK)
		goto out;
	e = hf_config_identity(c, w.responder, w.responder_chain, 1);
out:
	hf_config_free(c);
	return e;
}

static enum hf_err
tables(void)
{
	static const uint8_t print[HF_FINGERPRINT_BYTES] = { 1 };
	struct hf_replay *replay = NULL;
	struct hf_limit *limit = NULL;
	enum hf_err e;

	if ((e = hf_replay_new(&replay, 100, 60)) == HF_OK)
		e = hf_limit_new(&limit, 100, 20);
	if (e == HF_OK) {
		assert_true(hf_replay_enter(replay, print, NOW));
		assert_false(hf_replay_enter(replay, print, NOW));
		hf_limit_failed(limit, print, 4, START_MS);
		assert_true(hf_limit_allows(limit, print, 4, START_MS));
	}
	hf_replay_free(replay);
	hf_limit_free(limit);
	return e;
}

static enum hf_err
session_new(void)
{
	struct hf_session *s[2] = { NULL, NULL };
	enum hf_err e;

	if ((e = hf_session_new(&s[0], w.i, START_MS, NOW)) == HF_OK &&
	    (e = hf_session_error(s[0])) == HF_OK)
		e = hf_session_new(&s[1], w.r, START_MS, NOW);
	hf_session_free(s[0]);
	hf_session_free(s[1]);
	return e;
}

static void
objects(void)
{
#define PLACE                                               \
	{                                                   \
		.method = HF_METHOD_CERTIFICATE, .known = 1 \
	}
	static struct flow flows[] = {
		{ "identity-new", identity_new, PLACE, 0, 0, 0, 1 },
		{ "identity-plain", identity_plain, PLACE, 0, 0, 0, 1 },
		{ "identity-sealed", identity_sealed, PLACE, 0, 0, 0, 3 },
		{ "password-stretch", stretch, PLACE, 0, 0, 0, 1 },
		{ "certificate", certificate, PLACE, 0, 0, 0, 1 },
		{ "revocation-list", list, PLACE, 0, 0, 1, 3 },
		{ "ring", ring, PLACE, 0, 0, 0, 2 },
		{ "initiator", initiator, PLACE, 0, 0, 0, 5 },
		{ "responder", responder, PLACE, 0, 0, 0, 3 },
		{ "replay-and-limit", tables, PLACE, 0, 0, 0, 3 },
		{ "session-new", session_new, PLACE, 0, 0, 0, 4 },
	};
	char name[64];
	size_t i;

	for (i = 0; i < HF__ARRAY_N(flows); i++)
		for (flows[i].all = 0; flows[i].all < 2; flows[i].all++) {
			(void)snprintf(name, sizeof(name), "%s/%s",
			    flows[i].name, flows[i].all ? "all-from" : "one");
			run_case("proto", name, refuse_each, &flows[i]);
		}
}

int
main(void)
{
	static const struct meeting placed_by[] = {
		{ .method = HF_METHOD_CERTIFICATE },
		{ .method = HF_METHOD_PASSWORD },
		{ .method = HF_METHOD_PLAIN_PASSWORD },
		{ .method = HF_METHOD_TICKET, .known = 1 },
	};
	static const char *const names[] = { "placed/certificate",
		"placed/password", "placed/plain-password", "placed/ticket" };
	size_t i;

	assert_ok(hf_init());
	sessions();
	for (i = 0; i < HF__ARRAY_N(names); i++)
		run_case("proto", names[i], placed, &placed_by[i]);
	objects();
	return case_total();
}

#else

int
main(void)
{
	print_message("a sanitizer has malloc for itself\n");
	return 77;
}

#endif
