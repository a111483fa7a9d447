/* SPDX-License-Identifier: ISC */
/* The world of the tests; see testing.h. */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- randomness that repeats ------------------------------------------------- */

static uint8_t seed_key[32];
static uint64_t seed_counter;

static const char *
fixed_name(void)
{
	return "fixed";
}

static void
fixed_buf(void *const out, const size_t len)
{
	uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = { 0 };

	memcpy(nonce, &seed_counter, sizeof(nonce));
	seed_counter++;
	if (crypto_stream_chacha20(out, len, nonce, seed_key) != 0)
		abort();
}

static uint32_t
fixed_word(void)
{
	uint32_t word;

	fixed_buf(&word, sizeof(word));
	return word;
}

static struct randombytes_implementation fixed = {
	.implementation_name = fixed_name,
	.random = fixed_word,
	.buf = fixed_buf,
};

void
fixed_random(const char *seed)
{
	struct randombytes_implementation *use =
	    &randombytes_sysrandom_implementation;

	seed_counter = 0;
	if (seed != NULL) {
		hf__hash(seed_key, seed, strlen(seed));
		use = &fixed;
	}
	if (randombytes_set_implementation(use) != 0)
		abort();
}

/* --- data ---------------------------------------------------------------------- */

const char *
test_data(void)
{
	const char *folder = getenv("HANDFAST_TESTDATA");
	static char probe[4096];
	FILE *f;

	if (folder == NULL)
		folder = "../shared/data";
	snprintf(probe, sizeof(probe), "%s/MANIFEST.md", folder);
	if ((f = fopen(probe, "r")) == NULL) {
		print_message("note: no public test data at %s (set "
			      "HANDFAST_TESTDATA): these are left out\n",
		    folder);
		return NULL;
	}
	fclose(f);
	return folder;
}

json_t *
test_data_json(const char *name)
{
	const char *folder = test_data();
	json_error_t error;
	char path[4096];
	json_t *json;

	if (folder == NULL)
		skip();
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if ((json = json_load_file(path, 0, &error)) == NULL)
		fail_msg("%s: %s", path, error.text);
	return json;
}

void
test_data_counted(size_t n, size_t expected)
{
	if (getenv("HANDFAST_TESTDATA") == NULL || n == 0)
		assert_int_equal(n, expected);
}

size_t
unhex(uint8_t *out, size_t cap, const char *hex)
{
	size_t len = 0;

	if (hex == NULL ||
	    sodium_hex2bin(out, cap, hex, strlen(hex), NULL, &len, NULL) !=
		0 ||
	    len * 2 != strlen(hex))
		fail_msg("bad hex");
	return len;
}

/* --- items of an array ----------------------------------------------------------- */

size_t
item_at(size_t *len, const uint8_t *ptr, size_t total, size_t n)
{
	struct hf__reader r;
	struct hf_span item = { NULL, 0 };
	size_t i, count;

	hf__read_init(&r, ptr, total);
	count = hf__read_list(&r, 1, 16);
	assert_true(n < count);
	for (i = 0; i <= n; i++)
		item = hf__read_skip(&r, 1);
	assert_ok(r.err);
	*len = item.len;
	return (size_t)(item.ptr - ptr);
}

int
replace(struct blob *b, size_t n, const uint8_t *with, size_t with_len)
{
	size_t len, at = item_at(&len, b->bytes, b->len, n);

	if (len == with_len && memcmp(b->bytes + at, with, len) == 0)
		return 0;
	assert_true(b->len - len + with_len <= sizeof(b->bytes));
	memmove(b->bytes + at + with_len, b->bytes + at + len,
	    b->len - at - len);
	memcpy(b->bytes + at, with, with_len);
	b->len = b->len - len + with_len;
	return 1;
}

/* --- people -------------------------------------------------------------------- */

struct hf_identity *
identity_of(int byte)
{
	uint8_t seed[HF_SEED_BYTES];
	struct hf_identity *id = NULL;

	memset(seed, byte, sizeof(seed));
	assert_ok(hf_identity_new(&id, seed));
	return id;
}

void
name_set(struct hf_name *name, const char *text)
{
	name->len = strlen(text);
	assert_in_range(name->len, 0, HF_NAME_MAX);
	memcpy(name->text, text, name->len + 1);
}

struct hf_cert_info
terms_of(const char *subject, unsigned usage)
{
	struct hf_cert_info terms = {
		.issued = NOW - 3600,
		.not_before = NOW - 3600,
		.not_after = NOW + 86400,
		.usage = usage,
		.path_length = -1,
	};

	name_set(&terms.subject, subject);
	if ((usage & (HF_USAGE_CA | HF_USAGE_CLUSTER)) == 0)
		terms.suites_n = hf__suite_defaults(terms.suites);
	return terms;
}

void
certify(struct blob *cert, const struct hf_identity *ca,
    const struct blob *ca_cert, const struct hf_identity *id,
    const struct hf_cert_info *terms)
{
	struct hf_cert_info asked = *terms;
	uint8_t request[HF_CERT_MAX];
	size_t len;

	assert_ok(
	    hf_request_make(request, sizeof(request), &len, id, &asked, NOW));
	assert_ok(hf_cert_issue(cert->bytes, sizeof(cert->bytes), &cert->len,
	    ca, ca_cert->bytes, ca_cert->len, terms, request, len));
}

void
certify_key(struct blob *out, const struct hf_identity *ca,
    const struct blob *leaf, const uint8_t key[32])
{
	uint8_t payload[HF_CERT_MAX];
	struct hf__cert c;

	assert_ok(hf__cert_parse(&c, leaf->bytes, leaf->len));
	memcpy(payload, c.cose.payload.ptr, c.cose.payload.len);
	memcpy(payload + (c.key.ptr - c.cose.payload.ptr), key, 32);
	assert_ok(hf__sign1_make(out->bytes, sizeof(out->bytes), &out->len, ca,
	    "handfast/1 certificate", payload, c.cose.payload.len));
}

static void
make_authority(struct world *w, int intermediate)
{
	struct hf_cert_info terms = terms_of("Test CA", HF_USAGE_CA);

	w->ca = identity_of(1);
	assert_ok(hf_cert_self(w->ca_cert.bytes, sizeof(w->ca_cert.bytes),
	    &w->ca_cert.len, w->ca, &terms));
	assert_ok(hf_trust_new(&w->trust));
	assert_ok(hf_trust_add_ca(w->trust, w->ca_cert.bytes, w->ca_cert.len));
	w->chain_n = 1;
	if (!intermediate)
		return;
	w->sub = identity_of(2);
	terms = terms_of("Test Sub CA", HF_USAGE_CA);
	certify(&w->sub_cert, w->ca, &w->ca_cert, w->sub, &terms);
	w->chain_n = 2;
}

static void
make_people(struct world *w)
{
	const struct hf_identity *ca = w->sub == NULL ? w->ca : w->sub;
	const struct blob *ca_cert =
	    w->sub == NULL ? &w->ca_cert : &w->sub_cert;
	struct hf_cert_info terms =
	    terms_of("server.example", HF_USAGE_RESPONDER);

	w->responder = identity_of(3);
	name_set(&terms.realm, "example");
	certify(&w->responder_cert, ca, ca_cert, w->responder, &terms);
	w->initiator = identity_of(4);
	terms = terms_of("alice", HF_USAGE_INITIATOR);
	certify(&w->initiator_cert, ca, ca_cert, w->initiator, &terms);
	w->initiator_chain[0] =
	    (struct hf_span){ w->initiator_cert.bytes, w->initiator_cert.len };
	w->responder_chain[0] =
	    (struct hf_span){ w->responder_cert.bytes, w->responder_cert.len };
	w->initiator_chain[1] = w->responder_chain[1] =
	    (struct hf_span){ w->sub_cert.bytes, w->sub_cert.len };
}

static void
make_ticket(struct world *w, int single_use)
{
	struct hf_ticket_info info = {
		.issued = NOW,
		.expires = NOW + 3600,
		.single_use = single_use,
		.first_auth = NOW,
	};

	name_set(&info.subject, "alice");
	name_set(&info.audience, "server.example");
	assert_ok(hf_ring_new(&w->ring));
	assert_ok(hf_ring_rotate(w->ring, NOW));
	assert_ok(hf_ticket_issue(w->ticket.bytes, sizeof(w->ticket.bytes),
	    &w->ticket.len, w->ring, &info));
}

static void
make_initiator(struct world *w, const struct meeting *m)
{
	uint16_t suite = (uint16_t)m->suite;

	assert_ok(hf_config_new(&w->i, HF_INITIATOR));
	assert_ok(hf_config_trust(w->i, w->trust));
	assert_ok(hf_config_expect(w->i, "server.example"));
	assert_ok(hf_config_grease(w->i, m->grease));
	if (m->target != NULL)
		assert_ok(hf_config_target(w->i, m->target));
	if (m->suite != 0)
		assert_ok(hf_config_suites(w->i, &suite, 1));
	if (m->method == HF_METHOD_CERTIFICATE)
		assert_ok(hf_config_identity(w->i, w->initiator,
		    w->initiator_chain, w->chain_n));
	else if (m->method == HF_METHOD_TICKET)
		assert_ok(
		    hf_config_ticket(w->i, w->ticket.bytes, w->ticket.len));
	else
		assert_ok(hf_config_user(w->i, "alice", m->method));
	if (m->known)
		assert_ok(
		    hf_config_responder(w->i, w->responder_chain, w->chain_n));
	assert_ok(hf_config_without_prekey(w->i, m->known));
}

void
world_make(struct world *w, const struct meeting *m)
{
	memset(w, 0, sizeof(*w));
	make_authority(w, m->intermediate);
	make_people(w);
	make_ticket(w, m->single_use);
	memset(w->stretched, 0x5a, sizeof(w->stretched));
	assert_ok(hf_password_verifier(w->verifier, w->stretched));
	make_initiator(w, m);
	assert_ok(hf_config_new(&w->r, HF_RESPONDER));
	assert_ok(hf_config_trust(w->r, w->trust));
	assert_ok(hf_config_identity(w->r, w->responder, w->responder_chain,
	    w->chain_n));
	assert_ok(hf_config_accept(w->r,
	    HF_METHOD_CERTIFICATE | HF_METHOD_PASSWORD |
		HF_METHOD_PLAIN_PASSWORD | HF_METHOD_TICKET));
	assert_ok(hf_config_ring(w->r, w->ring));
	assert_ok(hf_config_grease(w->r, m->grease));
}

void
world_free(struct world *w)
{
	hf_config_free(w->i);
	hf_config_free(w->r);
	hf_ring_free(w->ring);
	hf_trust_free(w->trust);
	hf_identity_free(w->ca);
	hf_identity_free(w->sub);
	hf_identity_free(w->initiator);
	hf_identity_free(w->responder);
}

/* --- sessions -------------------------------------------------------------------- */

void
pair_make(struct pair *p, struct world *w)
{
	p->world = w;
	assert_ok(hf_session_new(&p->i, w->i, START_MS, NOW));
	assert_ok(hf_session_new(&p->r, w->r, START_MS, NOW));
	assert_ok(hf_session_source(p->r, (const uint8_t *)"somewhere", 9));
}

void
pair_free(struct pair *p)
{
	hf_session_free(p->i);
	hf_session_free(p->r);
}

void
take(struct blob *out, struct hf_session *s)
{
	assert_ok(
	    hf_session_drain(s, out->bytes, sizeof(out->bytes), &out->len));
}

enum hf_err
give(struct hf_session *s, const uint8_t *data, size_t len)
{
	enum hf_err e = HF_OK;
	size_t used, off;

	for (off = 0; off < len && e == HF_OK; off += used) {
		e = hf_session_feed(s, &used, data + off, len - off);
		if (e == HF_OK && used == 0)
			break;
	}
	return e;
}

static enum hf_err
answer_trust(const struct world *w, struct hf_session *s)
{
	enum hf_method method =
	    s->config->role == HF_INITIATOR ? w->i->method : s->method;
	struct hf_span asked;

	if (s->config->role == HF_RESPONDER) {
		if (method == HF_METHOD_PASSWORD)
			return hf_session_verify(s, w->verifier);
		if (method == HF_METHOD_PLAIN_PASSWORD) {
			asked = hf_session_asked_password(s);
			return hf_session_trust(s,
			    asked.len == 6 &&
				    memcmp(asked.ptr, "secret", 6) == 0 ?
				HF_OK :
				HF_E_PASSWORD);
		}
		return hf_session_trust(s, HF_OK);
	}
	if (method == HF_METHOD_PASSWORD)
		return hf_session_stretched(s, w->stretched);
	if (method == HF_METHOD_PLAIN_PASSWORD)
		return hf_session_password(s, "secret", 6);
	return hf_session_trust(s, HF_OK);
}

enum hf_err
answer(const struct world *w, struct hf_session *s)
{
	switch (hf_session_want(s)) {
	case HF_WANT_ADMIT:
		return hf_session_admit(s, HF_ADMIT);
	case HF_WANT_TRUST:
		return answer_trust(w, s);
	case HF_WANT_COMMIT:
		return hf_session_commit(s, HF_OK);
	default:
		return hf_session_error(s);
	}
}

static int
asks(const struct hf_session *s)
{
	enum hf_want want = hf_session_want(s);

	return want == HF_WANT_ADMIT || want == HF_WANT_TRUST ||
	    want == HF_WANT_COMMIT;
}

/* One way: what s has to say goes to the other. */
static enum hf_err
move(struct pair *p, struct hf_session *s, struct hf_session *to, int *moved)
{
	struct blob *b = malloc(sizeof(*b));
	enum hf_err e = HF_OK;

	assert_non_null(b);
	while (asks(s)) {
		*moved = 1;
		if ((e = answer(p->world, s)) != HF_OK)
			goto out;
	}
	take(b, s);
	*moved |= b->len > 0;
	e = give(to, b->bytes, b->len);
out:
	free(b);
	return e;
}

enum hf_err
run(struct pair *p)
{
	enum hf_err e;
	int moved;

	do {
		moved = 0;
		if ((e = move(p, p->i, p->r, &moved)) != HF_OK ||
		    (e = move(p, p->r, p->i, &moved)) != HF_OK)
			return e;
	} while (moved);
	return HF_OK;
}

void
shake(struct pair *p, struct world *w)
{
	pair_make(p, w);
	assert_ok(run(p));
	assert_int_equal(hf_session_want(p->i), HF_WANT_DONE);
	assert_int_equal(hf_session_want(p->r), HF_WANT_DONE);
}
