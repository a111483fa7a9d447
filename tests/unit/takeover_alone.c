/* SPDX-License-Identifier: ISC */
/*
 * Takeovers (spec section 17) that one check alone refuses: whatever stands
 * beside it, or behind it, is content.
 */
#include "refused.h"

/* --- who made it --------------------------------------------------------- */

/* All is as it should be, but for the secret. */
static void
forged(void **state)
{
	struct blob resume, resumed;
	int writes;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	i->secrets.resumption[0] ^= 1;
	resume_of(&resume);
	i->secrets.resumption[0] ^= 1;
	writes = c.shelf.writes;
	assert_failed(&b, hear(&b, 1, &resume), HF_E_BOX);
	assert_int_equal(c.shelf.writes, writes);
	end_free(&b);
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	take(&resumed, b.s);
	i->secrets.resumption[0] ^= 1;
	assert_err(give(i, resumed.bytes, resumed.len), HF_E_BOX);
	assert_int_not_equal(i->state, HF__OPEN);
	finish();
}

/* An authorised certificate, shown by who has not its key. */
static void
keyless(void **state)
{
	struct hf_identity *other = identity_of(77);
	const struct hf_identity *its;
	struct blob resume, resumed;

	(void)state;
	begin(&by_cert, HF_MOVES_PROVED);
	resume_of(&resume);
	its = c.server[1]->id;
	c.server[1]->id = other;
	assert_ok(hear(&b, 1, &resume));
	take(&resumed, b.s);
	assert_err(give(i, resumed.bytes, resumed.len), HF_E_BOX);
	assert_int_not_equal(i->state, HF__OPEN);
	c.server[1]->id = its;
	finish();
	hf_identity_free(other);
}

/* --- what has ended ------------------------------------------------------ */

enum { END = NOW + 100, LATER = NOW + 9999 };

/* The state as it would be stored with these ends, at the second END. */
static void
ends(uint64_t expires, uint64_t not_after, uint64_t ticket)
{
	struct hf__stored st;
	struct blob resume;
	enum hf_err e;

	begin(&by_cert, HF_MOVES_SOFT);
	assert_ok(
	    hf__state_open(&st, c.vault[0], c.shelf.entry, c.shelf.len, NOW));
	st.expires = expires;
	st.not_after = not_after;
	st.has_ticket = ticket != 0;
	st.limit = ticket;
	assert_ok(
	    hf__state_seal(c.shelf.entry, &c.shelf.len, c.vault[0], &st, NOW));
	resume_of(&resume);
	end_make(&b, &c, 1);
	assert_ok(hf_session_tick(b.s, START_MS, END));
	e = give(b.s, resume.bytes, resume.len);
	while (e == HF_OK && end_step(&c, &b, &e))
		;
	assert_ok(e);
	assert_refused(&b, HF_E_EXPIRED, no_session);
	finish();
}

static void
session_ended(void **state)
{
	(void)state;
	ends(END, LATER, 0);
}

static void
certificate_ended(void **state)
{
	(void)state;
	ends(LATER, END, 0);
}

static void
ticket_ended(void **state)
{
	(void)state;
	ends(LATER, 0, END);
}

/* --- what another has done meanwhile ------------------------------------- */

/* It claimed, and is no longer the owner when the initiator confirms. */
static void
fenced_at_confirm(void **state)
{
	struct blob resume, resumed, confirm;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	assert_ok(hear(&b, 1, &resume));
	take(&resumed, b.s);
	assert_ok(give(i, resumed.bytes, resumed.len));
	take(&confirm, i);
	assert_ok(give(b.s, confirm.bytes, confirm.len));
	assert_int_equal(hf_session_commit_kind(b.s), HF_COMMIT_CONFIRM);
	assert_err(hf_session_commit(b.s, HF_E_FENCED), HF_E_FENCED);
	assert_int_equal(b.s->state, HF__FAILED);
	assert_false(b.s->authenticated);
	assert_int_equal(hf_session_output(b.s).len, 0);
	finish();
}

/* --- a format that is not known ------------------------------------------ */

/* What an entry is made of (spec section 18.1). */
struct parts {
	struct hf_span clear, nonce;
	uint8_t *box;
	size_t box_len;
};

static void
take_apart(struct parts *p)
{
	struct hf__reader r;
	struct hf_span box;
	size_t start;

	hf__read_init(&r, c.shelf.entry, c.shelf.len);
	(void)hf__read_list(&r, 11, 11);
	start = r.off;
	(void)hf__read_uint(&r, UINT32_MAX);
	(void)hf__read_text(&r, 1, HF_NAME_MAX);
	(void)hf__read_text(&r, 1, HF_NAME_MAX);
	(void)hf__read_uint(&r, UINT32_MAX);
	(void)hf__read_bytes(&r, HF_SID_BYTES, HF_SID_BYTES);
	(void)hf__read_uint(&r, UINT32_MAX);
	(void)hf__read_text(&r, 1, HF_NAME_MAX);
	(void)hf__read_bytes(&r, HF__TOKEN_BYTES, HF__TOKEN_BYTES);
	(void)hf__read_uint(&r, UINT64_MAX >> 11);
	p->clear = (struct hf_span){ c.shelf.entry + start, r.off - start };
	p->nonce = hf__read_bytes(&r, HF__STATE_NONCE, HF__STATE_NONCE);
	box = hf__read_bytes(&r, 16, HF_ENTRY_MAX);
	assert_ok(hf__read_end(&r));
	p->box = c.shelf.entry + (box.ptr - c.shelf.entry);
	p->box_len = box.len;
}

static size_t
bind(uint8_t aad[HF_ENTRY_MAX], struct hf_span clear)
{
	static const char label[] = "handfast/1 state";
	struct hf__writer w;
	uint8_t *room;

	hf__write_init(&w, aad, HF_ENTRY_MAX);
	hf__write_list(&w, 10);
	hf__write_text(&w, label, strlen(label));
	room = hf__write_room(&w, clear.len);
	assert_non_null(room);
	memcpy(room, clear.ptr, clear.len);
	return w.len;
}

/* The same state, sealed as one of that format. */
static void
seal_as(uint8_t format)
{
	const uint8_t *key = c.vault[0]->scope[0].generation[0].box_key;
	uint8_t aad[HF_ENTRY_MAX], plain[HF_ENTRY_MAX];
	unsigned long long len;
	struct parts p;

	take_apart(&p);
	assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(plain,
			     &len, NULL, p.box, p.box_len, aad,
			     bind(aad, p.clear), p.nonce.ptr, key),
	    0);
	c.shelf.entry[p.clear.ptr - c.shelf.entry] = format;
	assert_int_equal(crypto_aead_xchacha20poly1305_ietf_encrypt(p.box,
			     NULL, plain, len, aad, bind(aad, p.clear), NULL,
			     p.nonce.ptr, key),
	    0);
}

static void
another_format(void **state)
{
	struct hf_entry_info info;
	struct blob resume;

	(void)state;
	begin(&by_cert, HF_MOVES_SOFT);
	resume_of(&resume);
	seal_as(2);
	assert_err(hf_entry_read(&info, c.shelf.entry, c.shelf.len),
	    HF_E_ENTRY);
	assert_err(hf_entry_open(&info, c.vault[1], c.shelf.entry, c.shelf.len,
		       NOW),
	    HF_E_ENTRY);
	assert_ok(hear(&b, 1, &resume));
	assert_refused(&b, HF_E_ENTRY, no_session);
	end_free(&b);
	seal_as(1);
	assert_ok(hear(&b, 1, &resume));
	assert_int_equal(b.s->state, HF__R_RESUMED);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forged),
		cmocka_unit_test(keyless),
		cmocka_unit_test(session_ended),
		cmocka_unit_test(certificate_ended),
		cmocka_unit_test(ticket_ended),
		cmocka_unit_test(fenced_at_confirm),
		cmocka_unit_test(another_format),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
