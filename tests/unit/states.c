/* SPDX-License-Identifier: ISC */
/*
 * Stored states by themselves (spec section 18): their nonces, generations
 * and owners, what they say of the peer and of his ticket; and when there is
 * one to be written.
 */
#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };

static void
begin(void)
{
	cluster_make(&c, &by_cert, HF_MOVES_SOFT);
	i = cluster_meet(&c, &a, 0);
	memset(&b, 0, sizeof(b));
}

static void
finish(void)
{
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	cluster_free(&c);
}

/* The state that is in the store. */
static struct hf__stored
state_there(void)
{
	struct hf__stored st;

	assert_ok(
	    hf__state_open(&st, c.vault[0], c.shelf.entry, c.shelf.len, NOW));
	return st;
}

static void
put_there(const struct hf__stored *st)
{
	assert_ok(
	    hf__state_seal(c.shelf.entry, &c.shelf.len, c.vault[0], st, NOW));
}

static struct hf_entry_info
info_of(struct hf_span entry)
{
	struct hf_entry_info info;

	assert_ok(hf_entry_read(&info, entry.ptr, entry.len));
	return info;
}

static struct hf_span
there(void)
{
	return (struct hf_span){ c.shelf.entry, c.shelf.len };
}

/* --- seals --------------------------------------------------------------------- */

/* The nonce of an entry of that state, where the random source says that. */
static void
nonce_of(uint8_t nonce[24], const struct hf__stored *st, const char *random)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len, n;
	const uint8_t *at;

	fixed_random(random);
	assert_ok(hf__state_seal(entry, &len, c.vault[0], st, NOW));
	fixed_random(NULL);
	at = entry + item_at(&n, entry, len, 9);
	assert_int_equal(n, 26);
	memcpy(nonce, at + 2, 24);
}

/* A grant that has ended, or that was taken away, seals nothing. */
static void
void_grants(void **state)
{
	uint8_t entry[HF_ENTRY_MAX];
	struct hf__stored st;
	size_t len;

	(void)state;
	begin();
	st = state_there();
	assert_ok(hf__state_seal(entry, &len, c.vault[0], &st, NOW));
	c.vault[0]->scope[0].not_after = NOW;
	assert_err(hf__state_seal(entry, &len, c.vault[0], &st, NOW),
	    HF_E_EXPIRED);
	st.scope = NULL;
	assert_err(hf__state_seal(entry, &len, c.vault[0], &st, NOW - 1),
	    HF_E_EXPIRED);
	finish();
}

/* A clone of a machine, or a source that repeats itself: only the very same
 * state has the same nonce. */
static void
nonces(void **state)
{
	uint8_t first[24], other[24];
	struct hf__stored st, kept;

	(void)state;
	begin();
	kept = st = state_there();
	nonce_of(first, &st, "a source");
	nonce_of(other, &st, "a source");
	assert_memory_equal(first, other, 24);
	nonce_of(other, &st, "another source");
	assert_memory_not_equal(first, other, 24);
	st.secret[31] ^= 1;
	nonce_of(other, &st, "a source");
	assert_memory_not_equal(first, other, 24);
	st = kept;
	st.epoch++;
	nonce_of(other, &st, "a source");
	assert_memory_not_equal(first, other, 24);
	c.vault[0]->scope[0].generation[0].nonce_key[31] ^= 1;
	nonce_of(other, &kept, "a source");
	assert_memory_not_equal(first, other, 24);
	finish();
}

/* Sealed under the newest key, opened by the one that is named. */
static void
generations(void **state)
{
	static const uint8_t newer[HF_KEY_BYTES] = { 8 };
	struct hf_entry_info info;
	struct hf__stored st;
	size_t n, at;

	(void)state;
	begin();
	assert_ok(hf_vault_key(c.vault[0], "default", 2, newer, 0));
	assert_int_equal(info_of(there()).generation, 1);
	st = state_there();
	put_there(&st);
	assert_int_equal(info_of(there()).generation, 2);
	assert_err(hf__state_open(&st, c.vault[1], c.shelf.entry, c.shelf.len,
		       NOW),
	    HF_E_ENTRY);
	assert_ok(hf_vault_key(c.vault[1], "default", 2, newer, 0));
	assert_ok(
	    hf__state_open(&st, c.vault[1], c.shelf.entry, c.shelf.len, NOW));
	/* There is none that is zero. */
	at = item_at(&n, c.shelf.entry, c.shelf.len, 3);
	assert_int_equal(c.shelf.entry[at], 2);
	c.shelf.entry[at] = 0;
	assert_err(hf_entry_read(&info, c.shelf.entry, c.shelf.len),
	    HF_E_ENTRY);
	finish();
}

/* The state in the store, in clear; and sealed again as somebody would who
 * has the key. */
static void
reseal(void (*change)(uint8_t *plain, size_t len))
{
	static const char label[] = "\x8a\x70handfast/1 state";
	const struct hf__generation *g = &c.vault[0]->scope[0].generation[0];
	uint8_t aad[HF_ENTRY_MAX], plain[HF_ENTRY_MAX], *nonce, *box;
	size_t n, at, aad_len;
	unsigned long long len;

	at = item_at(&n, c.shelf.entry, c.shelf.len, 9);
	memcpy(aad, label, sizeof(label) - 1);
	memcpy(aad + sizeof(label) - 1, c.shelf.entry + 1, at - 1);
	aad_len = sizeof(label) - 1 + at - 1;
	nonce = c.shelf.entry + at + 2;
	at = item_at(&n, c.shelf.entry, c.shelf.len, 10);
	box = c.shelf.entry + at + 2;
	if (c.shelf.entry[at] == 0x59)
		box++;
	n = (size_t)(c.shelf.entry + c.shelf.len - box);
	assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(plain,
			     &len, NULL, box, n, aad, aad_len, nonce,
			     g->box_key),
	    0);
	change(plain, (size_t)len);
	assert_int_equal(crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL,
			     plain, len, aad, aad_len, NULL, nonce,
			     g->box_key),
	    0);
}

static void
leave_it(uint8_t *plain, size_t len)
{
	assert_true(len > 0 && plain != NULL);
}

/* No previous secret is null, and not no bytes. */
static void
empty_previous(uint8_t *plain, size_t len)
{
	size_t n, at = item_at(&n, plain, len, 3);

	assert_int_equal(plain[at], 0xf6);
	plain[at] = 0x40;
}

static void
no_previous(void **state)
{
	struct hf__stored st;

	(void)state;
	begin();
	reseal(leave_it);
	st = state_there();
	assert_false(st.unconfirmed);
	reseal(empty_previous);
	assert_err(hf__state_open(&st, c.vault[0], c.shelf.entry, c.shelf.len,
		       NOW),
	    HF_E_ENTRY);
	finish();
}

static void
nothing_of_a_bad_one(void **state)
{
	struct hf__stored st;

	(void)state;
	begin();
	c.shelf.entry[c.shelf.len - 1] ^= 1;
	assert_err(hf__state_open(&st, c.vault[0], c.shelf.entry, c.shelf.len,
		       NOW),
	    HF_E_ENTRY);
	assert_true(sodium_is_zero((const uint8_t *)&st, sizeof(st)));
	finish();
}

/* A target is served by its whole name. */
static void
targets(void **state)
{
	static const char *const served[] = { "ab", "abcd" };
	static const uint8_t key[HF_KEY_BYTES] = { 7 };
	static const char text[] = "abcde";
	struct hf_vault *v;
	size_t n;

	(void)state;
	assert_ok(hf_vault_new(&v, "c", "o"));
	assert_ok(hf_vault_scope(v, "s", served, 2));
	assert_null(hf__vault_scope(v,
	    (struct hf_span){ (const uint8_t *)text, 2 }, NOW)); /* no key */
	assert_ok(hf_vault_key(v, "s", 1, key, 0));
	for (n = 0; n <= 5; n++)
		assert_int_equal(hf__vault_scope(v,
				     (struct hf_span){ (const uint8_t *)text,
					 n },
				     NOW) != NULL,
		    n == 2 || n == 4);
	hf_vault_free(v);
}

/* --- owners --------------------------------------------------------------------- */

/* Each owner has a token of its own, from its claim on. And there is an entry
 * to be written when it was asked for, and only then. */
static void
owners(void **state)
{
	struct hf_entry_info first, next;
	struct hf__stored st;
	struct blob resume;
	enum hf_err e = HF_OK;

	(void)state;
	begin();
	first = info_of(there());
	assert_false(sodium_is_zero(first.token, sizeof(first.token)));
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	take(&resume, i);
	end_make(&b, &c, 1);
	assert_ok(give(b.s, resume.bytes, resume.len));
	while (hf_session_want(b.s) != HF_WANT_COMMIT) {
		assert_null(hf_session_entry(b.s).ptr);
		assert_true(end_step(&c, &b, &e));
		assert_ok(e);
	}
	next = info_of(hf_session_entry(b.s));
	assert_false(sodium_is_zero(next.token, sizeof(next.token)));
	assert_memory_not_equal(next.token, first.token, sizeof(next.token));
	assert_memory_equal(next.token, b.s->move->token, sizeof(next.token));
	assert_string_equal(next.owner.text, "other.example");
	assert_true(end_step(&c, &b, &e));
	assert_null(hf_session_entry(b.s).ptr);
	assert_ok(converse(&c, i, &b));
	assert_int_equal(b.s->state, HF__OPEN);
	assert_null(hf_session_entry(b.s).ptr);
	assert_memory_equal(info_of(there()).token, next.token,
	    sizeof(next.token));
	st = state_there(); /* and the secret before is forgotten */
	assert_false(st.unconfirmed);
	assert_int_equal(st.serial, 0);
	/* Nor has another session's first owner the same. */
	hf_session_free(i);
	end_free(&a);
	c.shelf.len = 0;
	i = cluster_meet(&c, &a, 0);
	assert_memory_not_equal(info_of(there()).token, first.token,
	    sizeof(first.token));
	finish();
}

/* --- what they say ------------------------------------------------------------- */

static void
end_of_the_peer(void **state)
{
	struct hf__stored st;

	(void)state;
	begin();
	st = state_there();
	assert_true(st.not_after > NOW);
	assert_int_equal(st.not_after, a.s->peer_not_after);
	finish();
}

/* Of a suite that this server has not there is no session. */
static void
suites(void **state)
{
	struct hf__stored st;

	(void)state;
	begin();
	st = state_there();
	st.suite = 99;
	put_there(&st);
	assert_ok(cluster_move(&c, i, &b, 0));
	assert_int_equal(hf_session_epoch(i), 0);
	assert_err(hf_session_refused(b.s), HF_E_NO_SESSION);
	finish();
}

/* A ticket that has ended takes its session with it. */
static void
end_of_a_ticket(void **state)
{
	struct hf__stored st;
	int late;

	(void)state;
	for (late = 0; late < 2; late++) {
		begin();
		st = state_there();
		st.has_ticket = true;
		st.limit = NOW + 1 - (uint64_t)late;
		put_there(&st);
		assert_ok(cluster_move(&c, i, &b, 0));
		assert_int_equal(hf_session_epoch(i), late ? 0 : 1);
		assert_err(hf_session_refused(b.s),
		    late ? HF_E_EXPIRED : HF_OK);
		finish();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(void_grants),
		cmocka_unit_test(nonces),
		cmocka_unit_test(generations),
		cmocka_unit_test(no_previous),
		cmocka_unit_test(nothing_of_a_bad_one),
		cmocka_unit_test(targets),
		cmocka_unit_test(owners),
		cmocka_unit_test(end_of_the_peer),
		cmocka_unit_test(suites),
		cmocka_unit_test(end_of_a_ticket),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
