/* SPDX-License-Identifier: ISC */
/*
 * What a handshake and a record cost, over the primitives they cannot do
 * without, measured in the same run: machines differ, ratios hardly. It uses
 * the public interface alone and writes one flat JSON object.
 *
 * The two sides of a ratio take turns in many short rounds of processor time;
 * the fastest round of each counts, for what else runs on a machine only ever
 * adds to it.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

enum {
	ROUNDS = 2001,
	HANDSHAKES = 2,	       /* a round */
	RECORD_BYTES = 1 << 17 /* a round */
};

void
must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench: %s failed\n", what);
		exit(1);
	}
}

static double
seconds(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0,
	    "clock_gettime");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- allocations are counted ------------------------------------------------------ */

static unsigned long allocs;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *
malloc(size_t n)
{
	allocs++;
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	allocs++;
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	allocs++;
	return __libc_realloc(p, n);
}
#endif

/* --- two people --------------------------------------------------------------------- */

static struct hf_identity *ca, *people[2];
static uint8_t ca_cert[HF_CERT_MAX], certs[2][HF_CERT_MAX];
static size_t ca_len;
static struct hf_span chain[2];
static struct hf_trust *trust;
static struct hf_config *configs[2];

struct hf_cert_info
bench_terms(const char *name, unsigned usage)
{
	struct hf_cert_info t = { .issued = NOW,
		.not_before = NOW - 1,
		.not_after = NOW + 86400,
		.usage = usage,
		.path_length = -1 };

	t.subject.len = strlen(name);
	memcpy(t.subject.text, name, t.subject.len + 1);
	if (usage != HF_USAGE_CA) {
		t.suites[0] = 1;
		t.suites_n = 1;
	}
	return t;
}

void
bench_certify(uint8_t cert[HF_CERT_MAX], struct hf_span *out,
    const struct hf_identity *id, const struct hf_cert_info *t)
{
	uint8_t request[HF_CERT_MAX];
	size_t len;

	MUST(hf_request_make(request, sizeof(request), &len, id, t, NOW));
	MUST(hf_cert_issue(cert, HF_CERT_MAX, &out->len, ca, ca_cert, ca_len,
	    t, request, len));
	out->ptr = cert;
}

static void
make_person(int i, const char *name, unsigned usage)
{
	struct hf_cert_info t = bench_terms(name, usage);

	MUST(hf_identity_new(&people[i], NULL));
	bench_certify(certs[i], &chain[i], people[i], &t);
}

struct hf_config *
bench_initiator(const char *expect)
{
	struct hf_config *c;

	MUST(hf_config_new(&c, HF_INITIATOR));
	MUST(hf_config_trust(c, trust));
	MUST(hf_config_identity(c, people[0], &chain[0], 1));
	MUST(hf_config_expect(c, expect));
	return c;
}

const struct hf_trust *
bench_trust(void)
{
	return trust;
}

static void
set_up(void)
{
	struct hf_cert_info t = bench_terms("Bench CA", HF_USAGE_CA);

	MUST(hf_init());
	MUST(hf_identity_new(&ca, NULL));
	MUST(hf_cert_self(ca_cert, sizeof(ca_cert), &ca_len, ca, &t));
	MUST(hf_trust_new(&trust));
	MUST(hf_trust_add_ca(trust, ca_cert, ca_len));
	make_person(0, "alice", HF_USAGE_INITIATOR);
	make_person(1, "server.example", HF_USAGE_RESPONDER);
	configs[0] = bench_initiator("server.example");
	MUST(hf_config_responder(configs[0], &chain[1], 1));
	MUST(hf_config_new(&configs[1], HF_RESPONDER));
	MUST(hf_config_trust(configs[1], trust));
	MUST(hf_config_identity(configs[1], people[1], &chain[1], 1));
}

/* --- handshakes ----------------------------------------------------------------------- */

static size_t wire_bytes;

void
bench_pass(struct hf_session *from, struct hf_session *to)
{
	struct hf_span out = hf_session_output(from);
	size_t used;

	MUST(hf_session_feed(to, &used, out.ptr, out.len));
	must(used == out.len, "whole message");
	wire_bytes += used;
	MUST(hf_session_drained(from, used));
}

void
bench_handshake(struct hf_session *s[2], struct hf_config *initiator,
    struct hf_config *responder)
{
	wire_bytes = 0;
	MUST(hf_session_new(&s[0], initiator, 0, NOW));
	MUST(hf_session_new(&s[1], responder, 0, NOW));
	MUST(hf_session_trust(s[0], HF_OK));
	bench_pass(s[0], s[1]);
	MUST(hf_session_admit(s[1], HF_ADMIT));
	MUST(hf_session_trust(s[1], HF_OK));
	bench_pass(s[1], s[0]);
	bench_pass(s[0], s[1]);
	must(hf_session_want(s[0]) == HF_WANT_DONE &&
		hf_session_want(s[1]) == HF_WANT_DONE,
	    "handshake");
}

static void
handshake(struct hf_session *s[2])
{
	bench_handshake(s, configs[0], configs[1]);
}

static void
handshakes(void)
{
	struct hf_session *s[2];
	int i;

	for (i = 0; i < HANDSHAKES; i++) {
		handshake(s);
		hf_session_free(s[0]);
		hf_session_free(s[1]);
	}
}

static uint8_t sig_pk[32], sig_sk[64], sig[64], message[HF_CERT_MAX];
static size_t message_len; /* of what a certificate's signature covers */
static int verifies;

/* 6 scalar multiplications, 2 of the base point, and `verifies`. */
static void
primitives(void)
{
	static uint8_t sk[32] = { 7 }, pk[32], q[32];
	int i, k;

	for (i = 0; i < HANDSHAKES; i++) {
		for (k = 0; k < 2; k++)
			must(crypto_scalarmult_base(pk, sk) == 0, "base");
		for (k = 0; k < 6; k++)
			must(crypto_scalarmult(q, sk, pk) == 0, "scalarmult");
		for (k = 0; k < verifies; k++)
			must(crypto_sign_verify_detached(sig, message,
				 message_len, sig_pk) == 0,
			    "verify");
	}
}

/* --- records ---------------------------------------------------------------------------- */

static struct hf_session *session[2];
static size_t record_len;
static uint8_t plain[1 << 16], other[(1 << 16) + 64];

static void
receive(void)
{
	struct hf_span out = hf_session_output(session[0]), data;
	enum hf_content content;
	size_t used;

	MUST(hf_session_feed(session[1], &used, out.ptr, out.len));
	MUST(hf_session_recv(session[1], &content, &data));
	must(data.len == record_len, "record");
	MUST(hf_session_drained(session[0], used));
}

/* The application writes into the session's room: nothing is copied. */
static void
records(void)
{
	size_t n;

	for (n = 0; n < RECORD_BYTES; n += record_len) {
		MUST(hf_session_send(session[0],
		    hf_session_room(session[0], record_len), record_len));
		receive();
	}
}

/* The application sends from a buffer of its own. */
static void
records_copied(void)
{
	size_t n;

	for (n = 0; n < RECORD_BYTES; n += record_len) {
		MUST(hf_session_send(session[0], plain, record_len));
		receive();
	}
}

/* The same bytes, type byte and AAD included, sealed in place and opened. */
static void
raw_aead(void)
{
	static uint8_t key[32], nonce[12], aad[2] = { 0x82, 16 },
					   sealed[(1 << 16) + 64];
	size_t n, len = record_len + 1;

	for (n = 0; n < RECORD_BYTES; n += record_len) {
		must(crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL,
			 sealed, len, aad, sizeof(aad), NULL, nonce, key) == 0,
		    "encrypt");
		must(crypto_aead_chacha20poly1305_ietf_decrypt(other, NULL,
			 NULL, sealed, len + 16, aad, sizeof(aad), nonce,
			 key) == 0,
		    "decrypt");
	}
}

/* --- ratios ------------------------------------------------------------------------------- */

static double paused, pause_began;

void
bench_pause(void)
{
	pause_began = seconds();
}

void
bench_go_on(void)
{
	paused += seconds() - pause_began;
}

static double
timed(void (*f)(void), double best)
{
	double start = seconds(), took;

	paused = 0;
	f();
	took = seconds() - start - paused;
	return took < best ? took : best;
}

struct figure
bench_compare(void (*a)(void), void (*b)(void), unsigned per_round)
{
	double best_a = 1e9, best_b = 1e9;
	int i;

	a();
	b();
	for (i = 0; i < ROUNDS; i++) {
		best_a = timed(a, best_a);
		best_b = timed(b, best_b);
	}
	return (struct figure){ best_a / best_b, best_a * 1e6 / per_round };
}

/* --- figures ------------------------------------------------------------------------------ */

static FILE *json;
static int rows;

void
bench_figure(const char *name, double value)
{
	fprintf(json, "%s\n  \"%s\": %.4g", rows++ == 0 ? "{" : ",", name,
	    value);
}

void
bench_whole(const char *name, unsigned long value)
{
	fprintf(json, "%s\n  \"%s\": %lu", rows++ == 0 ? "{" : ",", name,
	    value);
}

static void
figures_of_handshakes(void)
{
	struct hf_session *s[2];
	struct figure f;
	unsigned long before;

	MUST(hf_config_cache(configs[0], 0));
	MUST(hf_config_cache(configs[1], 0));
	verifies = 2;
	f = bench_compare(handshakes, primitives, HANDSHAKES);
	bench_figure("handshake_verified_over_primitives", f.ratio);
	bench_figure("handshake_verified_us", f.a_us);
	MUST(hf_config_cache(configs[0], 1));
	MUST(hf_config_cache(configs[1], 1));
	verifies = 0;
	f = bench_compare(handshakes, primitives, HANDSHAKES);
	bench_figure("handshake_cached_over_primitives", f.ratio);
	bench_figure("handshake_cached_us", f.a_us);
	before = allocs;
	handshake(s);
	bench_whole("handshake_allocs", allocs - before);
	bench_whole("handshake_wire_bytes", wire_bytes);
	bench_whole("session_idle_bytes", hf_session_bytes(s[0]));
	hf_session_free(s[0]);
	hf_session_free(s[1]);
}

static void
bench_record(size_t len, const char *name, const char *copied,
    const char *rate)
{
	struct figure f, g;

	record_len = len;
	/* Throughput over throughput: the inverse of times. */
	f = bench_compare(raw_aead, records, 1);
	bench_figure(name, f.ratio);
	g = bench_compare(raw_aead, records_copied, 1);
	bench_figure(copied, g.ratio);
	bench_figure(rate, RECORD_BYTES / (f.a_us / f.ratio));
}

/* Both directions at once, with the largest records. */
static void
bench_memory(void)
{
	unsigned long before;
	int i;

	record_len = HF_PLAINTEXT_MAX;
	for (i = 0; i < 2; i++) {
		struct hf_session *swap = session[0];

		MUST(hf_session_send(session[0], plain, record_len));
		receive();
		MUST(hf_session_send(session[0], plain, record_len));
		MUST(hf_session_send(session[0], plain, record_len));
		receive();
		receive();
		session[0] = session[1];
		session[1] = swap;
	}
	bench_whole("session_bytes",
	    hf_session_bytes(session[0]) > hf_session_bytes(session[1]) ?
		hf_session_bytes(session[0]) :
		hf_session_bytes(session[1]));
	record_len = 16384;
	before = allocs;
	records();
	records_copied();
	bench_whole("record_allocs", allocs - before);
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: bench FILE.json\n");
		return 2;
	}
	set_up();
	must(crypto_sign_keypair(sig_pk, sig_sk) == 0, "keypair");
	/* The certificate without its signature, with COSE's words around. */
	message_len = chain[1].len - 33;
	must(crypto_sign_detached(sig, NULL, message, message_len, sig_sk) ==
		0,
	    "sign");
	if ((json = fopen(argv[1], "w")) == NULL) {
		perror(argv[1]);
		return 3;
	}
	figures_of_handshakes();
	handshake(session);
	bench_record(16384, "record_16k_over_aead",
	    "record_16k_copied_over_aead", "record_16k_bytes_per_us");
	bench_record(1024, "record_1k_over_aead", "record_1k_copied_over_aead",
	    "record_1k_bytes_per_us");
	bench_memory();
	bench_move();
	fprintf(json, "\n}\n");
	if (fclose(json) != 0) {
		perror(argv[1]);
		return 3;
	}
	hf_session_free(session[0]);
	hf_session_free(session[1]);
	hf_config_free(configs[0]);
	hf_config_free(configs[1]);
	hf_trust_free(trust);
	hf_identity_free(people[0]);
	hf_identity_free(people[1]);
	hf_identity_free(ca);
	return 0;
}
