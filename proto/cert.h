/* SPDX-License-Identifier: ISC */
/*
 * What the files of signed and sealed objects (cert.c, trust.c, issue.c,
 * ticket.c) share: claim numbers, labels, and pieces of claims.
 */
#ifndef HANDFAST_CERT_H
#define HANDFAST_CERT_H

#include "internal.h"

#define HF__LABEL_CERTIFICATE "handfast/1 certificate"
#define HF__LABEL_REQUEST "handfast/1 request"
#define HF__LABEL_LIST "handfast/1 list"
#define HF__LABEL_TICKET "handfast/1 ticket"

/* Times are at most this, 2^53: exact in every language. */
#define HF__TIME_MAX ((uint64_t)1 << 53)

/* CWT claims (RFC 8392, RFC 8747) and handfast's own. */
enum hf__claim {
	HF__CLAIM_ISS = 1,
	HF__CLAIM_SUB = 2,
	HF__CLAIM_AUD = 3,
	HF__CLAIM_EXP = 4,
	HF__CLAIM_NBF = 5,
	HF__CLAIM_IAT = 6,
	HF__CLAIM_CTI = 7,
	HF__CLAIM_CNF = 8,
	HF__CLAIM_HANDFAST = -65537
};

/* Keys of the handfast map of certificates and requests. */
enum hf__cert_key {
	HF__CERT_NAMES = 1,
	HF__CERT_SUITES = 2,
	HF__CERT_REALM = 3,
	HF__CERT_COST = 4,
	HF__CERT_CLUSTER = 5,
	HF__CERT_USAGE = -1,
	HF__CERT_PATH_LENGTH = -2,
	HF__CERT_PERMITTED_NAMES = -3,
	HF__CERT_PERMITTED_REALMS = -4
};

/* COSE_Key curves. */
enum { HF__CURVE_X25519 = 4, HF__CURVE_ED25519 = 6 };

/* Bits of claims seen, for the rule that some are required. */
#define HF__SEEN(claim) (1U << (claim))
#define HF__SEEN_HANDFAST 1U

/* Inside signed objects a wrong shape is HF_E_OBJECT. */
enum hf_err hf__object_err(enum hf_err);
bool hf__span_equal(struct hf_span, struct hf_span);
void hf__name_copy(struct hf_name *, struct hf_span);

/* The next key must be this one. */
void hf__read_this_key(struct hf__reader *, struct hf__key_order *, int64_t);
/* The value of a key that is not known, inside depth maps: refused when the
 * key is critical, passed over otherwise. */
void hf__read_unknown(struct hf__reader *, int64_t key, unsigned depth);
uint64_t hf__read_time(struct hf__reader *);
void hf__read_names(struct hf__reader *, struct hf__names *);
size_t hf__read_suites(struct hf__reader *, uint16_t[HF_SUITES_MAX]);
/* cnf {1: {1: 1, -1: curve, -2: x}}; another member is refused. */
struct hf_span hf__read_cnf(struct hf__reader *, int64_t *curve);

/* Reads the CA certificate of one's own key: else HF_E_OWN_CERT. */
enum hf_err hf__cert_own_ca(struct hf__cert *, const struct hf_identity *ca,
    const uint8_t *, size_t);
/* Verifies a certificate's signature. */
enum hf_err hf__cert_verify(const struct hf__cert *, const uint8_t pk[32]);
/* An authority's key must be a point of the prime-order group. */
bool hf__cert_key_ok(const struct hf__cert *);
/* Whether an authority's lists permit what a certificate below it says. */
bool hf__cert_permits(const struct hf__cert *ca, const struct hf__cert *below);
void hf__cert_info(struct hf_cert_info *, const struct hf__cert *);

#endif
