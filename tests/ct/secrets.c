/* SPDX-License-Identifier: ISC */
/*
 * No branch and no address may depend on a secret. Run under valgrind's
 * memcheck by tests/sh/ct.sh: every secret (private keys, all randomness,
 * passwords, ring and cookie keys, data) is marked undefined, and memcheck
 * reports where the course of the program depends on it.
 *
 * What may be known is marked defined again, and only that: bytes on the wire;
 * whether a comparison, a Diffie-Hellman or a tag was right; the form of what
 * a tag has vouched for, whose keys are then made secret again.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "testing.h"

static void
secret(const void *ptr, size_t len)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(ptr, len);
}

static void public(const void *ptr, size_t len)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(ptr, len);
}

/* --- in place of libsodium's: the same, and the verdict is public -------------- */

static int
verdict(int r)
{
	public(&r, sizeof(r));
	return r;
}

static int
differ(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t d = 0;
	size_t i;

	for (i = 0; i < len; i++)
		d |= a[i] ^ b[i];
	return verdict((1 & ((d - 1) >> 8)) - 1);
}

int
sodium_memcmp(const void *const a, const void *const b, size_t len)
{
	return differ(a, b, len);
}

int
crypto_verify_16(const unsigned char *a, const unsigned char *b)
{
	return differ(a, b, 16);
}

/* Not while certificates are made: their ids are public. */
static int random_is_secret;

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

void
randombytes_buf(void *const buf, const size_t size)
{
	REAL(randombytes_buf)(buf, size);
	if (random_is_secret)
		secret(buf, size);
}

int
crypto_scalarmult(unsigned char *q, const unsigned char *n,
    const unsigned char *p)
{
	return verdict(REAL(crypto_scalarmult)(q, n, p));
}

int
crypto_aead_chacha20poly1305_ietf_decrypt(unsigned char *m,
    unsigned long long *m_len, unsigned char *nsec, const unsigned char *c,
    unsigned long long c_len, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *nonce,
    const unsigned char *k)
{
	int r = REAL(crypto_aead_chacha20poly1305_ietf_decrypt)(m, m_len, nsec,
	    c, c_len, ad, ad_len, nonce, k);

	if (verdict(r) == 0 && m != NULL)
	public(m, c_len - 16);
	return r;
}

int
crypto_aead_aes256gcm_decrypt_afternm(unsigned char *m,
    unsigned long long *m_len, unsigned char *nsec, const unsigned char *c,
    unsigned long long c_len, const unsigned char *ad,
    unsigned long long ad_len, const unsigned char *nonce,
    const crypto_aead_aes256gcm_state *k)
{
	int r = REAL(crypto_aead_aes256gcm_decrypt_afternm)(m, m_len, nsec, c,
	    c_len, ad, ad_len, nonce, k);

	if (verdict(r) == 0)
	public(m, c_len - 16);
	return r;
}

/* --- a world whose secrets are secret -------------------------------------------- */

static struct world w;
static struct pair p;

static void
secret_identity(const struct hf_identity *id)
{
	secret(id->seed, sizeof(id->seed));
	secret(id->sign_sk, sizeof(id->sign_sk));
	secret(id->kem.sk, sizeof(id->kem.sk));
}

static void
begin(const struct meeting *m)
{
	random_is_secret = 0;
	world_make(&w, m);
	random_is_secret = 1;
	secret_identity(w.initiator);
	secret_identity(w.responder);
	secret(w.ring->keys[0].key, HF_KEY_BYTES);
	secret(w.r->cookie_key, sizeof(w.r->cookie_key));
	secret(w.stretched, sizeof(w.stretched));
	secret(w.verifier, sizeof(w.verifier));
	secret(w.r->known.key_id, sizeof(w.r->known.key_id));
	if (w.i->ticket != NULL)
		secret(w.i->ticket_file.key.ptr, HF_KEY_BYTES);
	pair_make(&p, &w);
}

static void
end(void)
{
	pair_free(&p);
	world_free(&w);
}

/* What goes out is public from then on. */
static void
say(struct blob *b, struct hf_session *s)
{
	struct hf_span out = hf_session_output(s);

	public(out.ptr, out.len);
	take(b, s);
}

/* The keys in an opened request are secrets again. */
static void
secret_request(void)
{
	secret(p.r->hs->transport_key, 32);
	if (p.r->method == HF_METHOD_PASSWORD)
		secret(p.r->hs->token.password.ptr, 32);
	if (p.r->method == HF_METHOD_TICKET)
		secret(p.r->hs->pop, sizeof(p.r->hs->pop));
}

/* Up to the responder's trust. */
static void
opened(void)
{
	struct blob b;

	if (p.i->state == HF__I_HELLO_SENT) {
		say(&b, p.i);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_ok(answer(&w, p.r));
		say(&b, p.r);
		assert_ok(give(p.i, b.bytes, b.len));
	}
	assert_ok(answer(&w, p.i));
	say(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(answer(&w, p.r));
	secret_request();
}

/* --- what is run --------------------------------------------------------------------- */

static void
one_record(struct hf_session *from, struct hf_session *to)
{
	uint8_t data[300] = { 0 };
	enum hf_content content;
	struct hf_span got;
	struct blob b;

	secret(data, sizeof(data));
	assert_ok(hf_session_send(from, data, sizeof(data)));
	say(&b, from);
	assert_ok(give(to, b.bytes, b.len));
	assert_ok(hf_session_recv(to, &content, &got));
}

/* Whole sessions by every token, in both paths, with both suites. */
static void
sessions(void **state)
{
	static const enum hf_method methods[] = { HF_METHOD_CERTIFICATE,
		HF_METHOD_PASSWORD, HF_METHOD_PLAIN_PASSWORD,
		HF_METHOD_TICKET };
	uint8_t exported[32];
	struct blob b;
	unsigned i;

	(void)state;
	for (i = 0; i < 16; i++) {
		struct meeting m = { .method = methods[i & 3],
			.known = i >> 2 & 1,
			.suite = 1 + (int)(i >> 3 & 1) };

		if (!hf_suite_available(m.suite))
			continue;
		begin(&m);
		opened();
		assert_ok(answer(&w, p.r));
		say(&b, p.r);
		assert_ok(give(p.i, b.bytes, b.len));
		say(&b, p.i);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_ok(answer(&w, p.r));
		assert_int_equal(p.i->state, HF__OPEN);
		assert_int_equal(p.r->state, HF__OPEN);
		one_record(p.i, p.r);
		one_record(p.r, p.i);
		assert_ok(hf_session_export(exported, sizeof(exported), p.i,
		    "x", NULL, 0));
		end();
	}
}

/* A wrong verifier, and none. */
static void
passwords(void **state)
{
	struct meeting m = { .method = HF_METHOD_PASSWORD, .known = 1 };
	uint8_t other[HF_KEY_BYTES] = { 1 };
	int unknown;

	(void)state;
	for (unknown = 0; unknown < 2; unknown++) {
		begin(&m);
		opened();
		secret(other, sizeof(other));
		assert_err(hf_session_verify(p.r, unknown ? NULL : other),
		    HF_E_PASSWORD);
		end();
	}
}

/* Boxes that do not open: request, grant, confirm, record, ticket. */
static void
boxes(void **state)
{
	struct meeting m = { .method = HF_METHOD_TICKET, .known = 1 };
	struct hf_ticket_info info;
	struct blob b, confirm;
	struct hf_span ticket;
	uint8_t pop[32];

	(void)state;
	begin(&m);
	assert_ok(answer(&w, p.i));
	say(&b, p.i);
	b.bytes[b.len - 1] ^= 1;
	assert_ok(give(p.r, b.bytes, b.len));
	assert_err(answer(&w, p.r), HF_E_BOX);
	pair_free(&p);
	pair_make(&p, &w);
	opened();
	assert_ok(answer(&w, p.r));
	say(&b, p.r);
	assert_ok(give(p.i, b.bytes, b.len));
	say(&confirm, p.i);
	confirm.bytes[confirm.len - 1] ^= 1;
	assert_err(give(p.r, confirm.bytes, confirm.len), HF_E_BOX);
	pair_free(&p);
	pair_make(&p, &w);
	opened();
	assert_ok(answer(&w, p.r));
	say(&b, p.r);
	assert_ok(give(p.i, b.bytes, b.len));
	say(&confirm, p.i);
	assert_ok(give(p.r, confirm.bytes, confirm.len));
	assert_ok(hf_session_send(p.i, confirm.bytes, confirm.len));
	say(&b, p.i);
	b.bytes[9] ^= 1;
	assert_err(give(p.r, b.bytes, b.len), HF_E_BOX);
	pair_free(&p);
	pair_make(&p, &w);
	opened();
	assert_ok(answer(&w, p.r));
	say(&b, p.r);
	b.bytes[b.len - 1] ^= 1;
	assert_err(give(p.i, b.bytes, b.len), HF_E_BOX);
	/* A ticket: genuine, then forged. */
	ticket = w.i->ticket_file.ticket;
	assert_ok(hf__ticket_open(&info, pop, w.ring, ticket));
	w.i->ticket[ticket.ptr - (const uint8_t *)w.i->ticket + 60] ^= 1;
	assert_err(hf__ticket_open(&info, pop, w.ring, ticket), HF_E_TICKET);
	end();
}

/* Cookies, genuine and not; and the key id of the certificate in use. */
static void
cookies_and_key_ids(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .known = 1 };
	struct blob b, cookie;

	(void)state;
	begin(&m);
	assert_ok(answer(&w, p.i));
	say(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(hf_session_admit(p.r, HF_ADMIT_COOKIE));
	say(&cookie, p.r);
	assert_ok(give(p.i, cookie.bytes, cookie.len));
	say(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_true(hf_session_cookie_shown(p.r));
	pair_free(&p);
	pair_make(&p, &w);
	b.bytes[40] ^= 1; /* in the cookie's hash */
	assert_ok(give(p.r, b.bytes, b.len));
	assert_false(hf_session_cookie_shown(p.r));
	pair_free(&p);
	pair_make(&p, &w);
	b.bytes[5] ^= 1; /* in the key id */
	assert_err(give(p.r, b.bytes, b.len), HF_E_UNKNOWN_KEY);
	end();
}

/* What must be reported, so that silence means something. */
static void
leak(void **state)
{
	static volatile uint8_t table[256];
	uint8_t key[32];

	(void)state;
	random_is_secret = 1;
	randombytes_buf(key, sizeof(key));
	if (memcmp(key, "something", 9) == 0)
		table[0] = 1;
	table[0] = table[key[9]];
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions),
		cmocka_unit_test(passwords),
		cmocka_unit_test(boxes),
		cmocka_unit_test(cookies_and_key_ids),
	};
	const struct CMUnitTest control[] = { cmocka_unit_test(leak) };

	if (argc > 1 && strcmp(argv[1], "leak") == 0)
		return cmocka_run_group_tests(control, set_up, NULL);
	return cmocka_run_group_tests(tests, set_up, NULL);
}
