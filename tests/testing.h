/* SPDX-License-Identifier: ISC */
/*
 * What the tests share: a small world with an authority, a responder and an
 * initiator, sessions between them in memory, and randomness that repeats.
 */
#ifndef HANDFAST_TESTING_H
#define HANDFAST_TESTING_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <jansson.h>

#include "internal.h"
#include "session.h"

#define NOW 1800000000U /* the tests' wall clock */
#define START_MS 5000U	/* the tests' monotonic clock */

#define assert_ok(e) assert_err(e, HF_OK)
#define assert_err(e, expected) \
	assert_string_equal(hf_error_name(e), hf_error_name(expected))

/* Every random byte from here on follows from the seed; NULL ends that. */
void fixed_random(const char *seed);

/* The folder of public test data, or NULL after saying that it is absent. */
const char *test_data(void);
json_t *test_data_json(const char *name);
/* So many cases were met: as many as the tests' own folder has. That of
 * HANDFAST_TESTDATA may hold others of the same form, but not none. */
void test_data_counted(size_t n, size_t expected);
/* Bytes from hex; returns how many. Fails the test on bad hex. */
size_t unhex(uint8_t *out, size_t cap, const char *hex);

struct blob {
	uint8_t bytes[HF_MESSAGE_MAX];
	size_t len;
};

/* Where item n of an encoded array begins, and how long it is. */
size_t item_at(size_t *len, const uint8_t *ptr, size_t total, size_t n);
/* Item n becomes those bytes. 0 when it was just that. */
int replace(struct blob *, size_t n, const uint8_t *with, size_t with_len);

struct world {
	struct hf_identity *ca, *sub, *initiator, *responder;
	struct blob ca_cert, sub_cert;
	struct hf_span initiator_chain[HF_CHAIN_MAX],
	    responder_chain[HF_CHAIN_MAX];
	size_t chain_n;
	struct blob initiator_cert, responder_cert, ticket;
	struct hf_trust *trust;
	struct hf_ring *ring;
	struct hf_config *i, *r;
	uint8_t stretched[HF_KEY_BYTES], verifier[HF_KEY_BYTES];
};

/* How the two meet. */
struct meeting {
	enum hf_method method;
	int known;	  /* the initiator knows the responder's certificate */
	int suite;	  /* 0: all suites */
	int grease;	  /* both sides send meaningless extensions */
	int intermediate; /* an authority between the CA and the two */
	int single_use;	  /* of the ticket */
	const char *target;
};

void world_make(struct world *, const struct meeting *);
void world_free(struct world *);
/* An identity from one repeated byte. */
struct hf_identity *identity_of(int byte);
/* A certificate for the key, by the CA; terms give the rest. */
void certify(struct blob *cert, const struct hf_identity *ca,
    const struct blob *ca_cert, const struct hf_identity *id,
    const struct hf_cert_info *terms);
/* The same certificate for another key, as a careless CA would sign it. */
void certify_key(struct blob *, const struct hf_identity *ca,
    const struct blob *leaf, const uint8_t key[32]);
void name_set(struct hf_name *, const char *);
/* Usual terms: subject, usage, valid for a day around NOW, all suites. */
struct hf_cert_info terms_of(const char *subject, unsigned usage);

struct pair {
	struct world *world;
	struct hf_session *i, *r;
};

void pair_make(struct pair *, struct world *);
void pair_free(struct pair *);
/* All output of a session. */
void take(struct blob *, struct hf_session *);
/* Feeds all, answering nothing: HF_OK or the session's error. */
enum hf_err give(struct hf_session *, const uint8_t *, size_t);
/* Answers ADMIT, TRUST and COMMIT kindly. HF_OK or the error. */
enum hf_err answer(const struct world *, struct hf_session *);
/* From where it stands until both wait: HF_OK, or the first error. */
enum hf_err run(struct pair *);
/* A whole handshake that must succeed. */
void shake(struct pair *, struct world *);

#endif
