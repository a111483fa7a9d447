/* SPDX-License-Identifier: ISC */
/*
 * What the files of the bench share: the people of bench.c, its way to measure
 * a ratio, and the figures that it writes.
 */
#ifndef BENCH_H
#define BENCH_H

#include "handfast.h"

enum { NOW = 1800000000 };

/* Ends the bench with a word of what failed. */
void must(int ok, const char *what);
#define MUST(call) must((call) == HF_OK, #call)

/* Terms of a certificate by the bench's CA, and one for a key. */
struct hf_cert_info bench_terms(const char *name, unsigned usage);
void bench_certify(uint8_t cert[HF_CERT_MAX], struct hf_span *out,
    const struct hf_identity *id, const struct hf_cert_info *t);
const struct hf_trust *bench_trust(void);
/* A config of the bench's client, who has a certificate. */
struct hf_config *bench_initiator(const char *expect);
/* One message from one session to another. */
void bench_pass(struct hf_session *from, struct hf_session *to);
/* One full mutual handshake in the one-round-trip path. */
void bench_handshake(struct hf_session *s[2], struct hf_config *initiator,
    struct hf_config *responder);

/* a and b take turns; the fastest round of each counts. */
struct figure {
	double ratio; /* time of a over time of b */
	double a_us;  /* of one a */
};
struct figure bench_compare(void (*a)(void), void (*b)(void),
    unsigned per_round);
/* What is between them is not counted. */
void bench_pause(void);
void bench_go_on(void);
void bench_figure(const char *name, double value);
void bench_whole(const char *name, unsigned long value);

/* bench_move.c: what it costs that a session moves. */
void bench_move(void);

#endif
