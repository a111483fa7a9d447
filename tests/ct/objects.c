/* SPDX-License-Identifier: ISC */
/*
 * Objects under memcheck: identities and rings as text and back, tickets,
 * what a CA signs, passwords. A text that was made of a secret is a secret
 * where it depends on it. See secrets.c.
 */
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static const char typed[] = "an open secret";
static char text[2048];
static size_t len;

/* A passphrase that is marked, in memory of its own. */
static const char *
passphrase(void)
{
	static char copy[sizeof(typed)];

	memcpy(copy, typed, sizeof(copy));
	secret(copy, sizeof(copy) - 1);
	return copy;
}

/* Of the block in text the letters that hold nothing but that key are marked,
 * and no others; nor the last two of a line, which show its form. */
static void
mark_letters(const char *label, const uint8_t key[32])
{
	size_t at, i, used, begin = strlen(label) + 17;
	uint8_t file[512], plain[32];
	char *letter;

	memcpy(plain, key, sizeof(plain));
	not_secret(plain, sizeof(plain));
	assert_ok(
	    hf_pem_decode(file, sizeof(file), &at, &used, label, text, len));
	not_secret(file, sizeof(file));
	for (i = at, at = 0; memcmp(file + at, plain, sizeof(plain)) != 0;)
		assert_true(++at < i);
	for (i = (8 * at + 5) / 6; i < 8 * (at + sizeof(plain)) / 6; i++) {
		letter = text + begin + i + i / 64;
		if (letter[1] != '\n' && letter[2] != '\n')
			secret(letter, 1);
	}
}

static void
identity_new(void)
{
	struct hf_identity *id;
	uint8_t seed[HF_SEED_BYTES];

	randombytes_buf(seed, sizeof(seed));
	assert_ok(hf_identity_new(&id, seed));
	leak_at(POINT_RESULT, id->kem.sk, sizeof(id->kem.sk));
	hf_identity_free(id);
}

static void
identity_encode(void)
{
	assert_ok(hf_identity_encode(text, sizeof(text), &len, w.initiator,
	    NULL, 0));
	leak_at(POINT_RESULT, text + 60, 8);
}

static void
identity_decode(void)
{
	struct hf_identity *id;

	assert_ok(hf_identity_encode(text, sizeof(text), &len, w.initiator,
	    NULL, 0));
	not_secret(text, len);
	mark_letters("HANDFAST IDENTITY", w.initiator->seed);
	assert_ok(hf_identity_decode(&id, text, len, NULL, 0));
	leak_at(POINT_RESULT, id->seed, sizeof(id->seed));
	hf_identity_free(id);
}

static void
sealed_text(void)
{
	random_is_secret = 0; /* salt and nonce stand in the file */
	assert_ok(hf_identity_encode(text, sizeof(text), &len, w.initiator,
	    passphrase(), sizeof(typed) - 1));
	random_is_secret = 1;
	not_secret(text, len);
}

static void
identity_sealed(void)
{
	struct hf_identity *id;

	assert_ok(hf_identity_decode(&id, text, len, passphrase(),
	    sizeof(typed) - 1));
	leak_at(POINT_RESULT, id->seed, sizeof(id->seed));
	hf_identity_free(id);
}

static void
identity_wrong_passphrase(void)
{
	struct hf_identity *id;

	assert_err(hf_identity_decode(&id, text, len, passphrase(),
		       sizeof(typed) - 2),
	    HF_E_PASSPHRASE);
}

static void
ring_encode(void)
{
	assert_ok(hf_ring_encode(text, sizeof(text), &len, w.ring));
	leak_at(POINT_RESULT, text + 60, 8);
}

static void
ring_decode(void)
{
	static const char label[] = "HANDFAST TICKET RING";
	struct hf_ring *ring;

	random_is_secret = 0;
	assert_ok(hf_ring_rotate(w.ring, NOW));
	random_is_secret = 1;
	secret(w.ring->keys[0].key, HF_KEY_BYTES);
	assert_ok(hf_ring_encode(text, sizeof(text), &len, w.ring));
	not_secret(text, len);
	mark_letters(label, w.ring->keys[0].key);
	mark_letters(label, w.ring->keys[1].key);
	assert_ok(hf_ring_decode(&ring, text, len));
	leak_at(POINT_RESULT, ring->keys[1].key, HF_KEY_BYTES);
	hf_ring_free(ring);
}

static struct hf_ticket_info
ticket_terms(void)
{
	struct hf_ticket_info info = { .issued = NOW, .expires = NOW + 60 };

	name_set(&info.subject, "bob");
	name_set(&info.audience, "server.example");
	return info;
}

static void
ticket_issue(void)
{
	struct hf_ticket_info info = ticket_terms();
	struct hf__ticket_file file;
	struct blob b;

	assert_ok(
	    hf_ticket_issue(b.bytes, sizeof(b.bytes), &b.len, w.ring, &info));
	assert_ok(hf__ticket_file_read(&file, b.bytes, b.len));
	leak_at(POINT_RESULT, file.key.ptr, file.key.len);
}

/* Genuine, then forged. */
static void
ticket_open(void)
{
	struct hf_ticket_info info;
	struct hf__ticket_file file;
	uint8_t sealed[HF_TICKET_MAX], pop[32];
	struct hf_span ticket;

	assert_ok(hf__ticket_file_read(&file, w.ticket.bytes, w.ticket.len));
	memcpy(sealed, file.ticket.ptr, file.ticket.len);
	ticket = (struct hf_span){ sealed, file.ticket.len };
	assert_ok(hf__ticket_open(&info, pop, w.ring, ticket));
	sealed[60] ^= 1;
	assert_err(hf__ticket_open(&info, pop, w.ring, ticket), HF_E_TICKET);
}

/* --- what is signed -------------------------------------------------------------- */

static void
certificate_self(void)
{
	struct hf_cert_info terms = terms_of("Test CA", HF_USAGE_CA);
	struct blob b;

	assert_ok(
	    hf_cert_self(b.bytes, sizeof(b.bytes), &b.len, w.ca, &terms));
}

static void
certificate_issue(void)
{
	struct hf_cert_info terms = terms_of("bob", HF_USAGE_INITIATOR);
	uint8_t request[HF_CERT_MAX];
	struct blob b;

	random_is_secret = 0; /* ids stand in the certificate */
	assert_ok(hf_request_make(request, sizeof(request), &len, w.initiator,
	    &terms, NOW));
	not_secret(request, len);
	assert_ok(hf_cert_issue(b.bytes, sizeof(b.bytes), &b.len, w.ca,
	    w.ca_cert.bytes, w.ca_cert.len, &terms, request, len));
}

static void
revocation_list(void)
{
	static const uint8_t ids[3 * HF_CTI_BYTES] = { 1, [16] = 2, [32] = 3 };
	struct blob b;

	assert_ok(hf_list_make(b.bytes, sizeof(b.bytes), &b.len, w.ca,
	    w.ca_cert.bytes, w.ca_cert.len, 1, ids, 3, NOW, NOW + 60));
}

/* --- passwords ---------------------------------------------------------------------- */

static void
stretch(void)
{
	uint8_t out[HF_KEY_BYTES];

	assert_ok(hf_password_stretch(out, passphrase(), sizeof(typed) - 1,
	    "example", "bob", 0, 0));
	leak_at(POINT_RESULT, out, sizeof(out));
}

static void
verifier(void)
{
	uint8_t out[HF_KEY_BYTES];

	assert_ok(hf_password_verifier(out, w.stretched));
	leak_at(POINT_RESULT, out, sizeof(out));
}

/* clang-format off */
#define PLACE { .method = HF_METHOD_CERTIFICATE, .known = 1, .suite = 1 }

const struct ct_case object_cases[] = {
	{ "identity/new", NULL, identity_new, PLACE, POINT_SEED | POINT_RESULT },
	{ "identity/encode", NULL, identity_encode, PLACE,
	    POINT_TEXT | POINT_RESULT },
	{ "identity/decode", NULL, identity_decode, PLACE,
	    POINT_SEED | POINT_RESULT },
	{ "identity/decode-sealed", sealed_text, identity_sealed, PLACE,
	    POINT_STRETCH | POINT_OPEN | POINT_COMPARE | POINT_SEED |
	    POINT_RESULT },
	{ "identity/encode-sealed", NULL, sealed_text, PLACE,
	    POINT_STRETCH | POINT_SEAL },
	{ "identity/wrong-passphrase", sealed_text, identity_wrong_passphrase, PLACE,
	    POINT_STRETCH | POINT_OPEN | POINT_COMPARE },
	{ "ring/encode", NULL, ring_encode, PLACE, POINT_TEXT | POINT_RESULT },
	{ "ring/decode", NULL, ring_decode, PLACE, POINT_RESULT },
	{ "ticket/issue", NULL, ticket_issue, PLACE, POINT_SEAL | POINT_RESULT },
	{ "ticket/open", NULL, ticket_open, PLACE, POINT_OPEN | POINT_COMPARE },
	{ "certificate/self", NULL, certificate_self, PLACE, POINT_SIGN },
	{ "certificate/issue", NULL, certificate_issue, PLACE, POINT_SIGN },
	{ "certificate/revocation-list", NULL, revocation_list, PLACE, POINT_SIGN },
	{ "password/stretch", NULL, stretch, PLACE, POINT_STRETCH | POINT_RESULT },
	{ "password/verifier", NULL, verifier, PLACE, POINT_HASH | POINT_RESULT },
};
/* clang-format on */
const size_t object_cases_n = HF__ARRAY_N(object_cases);
