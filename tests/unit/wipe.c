/* SPDX-License-Identifier: ISC */
/*
 * What has served is wiped at once, not when the session ends (threat A50,
 * spec sections 4.2 and 8.3): the prekey, the token and what the grant's keys
 * were made of, the confirm key, a password that was judged. And an answer that
 * does not fit the question is no answer.
 */
#include <string.h>

#include "stage.h"

static const enum hf_method methods[] = { HF_METHOD_CERTIFICATE,
	HF_METHOD_PASSWORD, HF_METHOD_PLAIN_PASSWORD, HF_METHOD_TICKET };

#define assert_zero(x) \
	assert_true(sodium_is_zero((const uint8_t *)&(x), sizeof(x)))

static int
holds(const uint8_t *where, size_t len, const void *what, size_t n)
{
	size_t i;

	for (i = 0; i + n <= len; i++)
		if (memcmp(where + i, what, n) == 0)
			return 1;
	return 0;
}

/* The prekey, at the responder that is asked whether it trusts the bearer. */
static void
before_the_trust(void **state)
{
	struct hf__handshake *hs;
	struct hf__pair prekey;
	struct blob b;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(methods); i++) {
		begin(&(struct meeting){ .method = methods[i] });
		judged();
		hs = p.r->hs;
		prekey = hs->prekey;
		assert_false(sodium_is_zero(prekey.sk, 32));
		opened(&b);
		assert_int_equal(hf_session_want(p.r), HF_WANT_TRUST);
		assert_true(hf_session_prekey(p.r));
		assert_ptr_equal(p.r->hs, hs);
		assert_zero(hs->prekey);
		assert_false(
		    holds((uint8_t *)p.r, sizeof(*p.r), prekey.sk, 32));
		assert_false(holds((uint8_t *)hs, sizeof(*hs), prekey.sk, 32));
		assert_false(holds(p.r->in.ptr, p.r->in.cap, prekey.sk, 32));
		assert_ok(answer(&w, p.r));
		assert_int_equal(p.r->state, HF__R_GRANTED);
		end();
	}
}

/* From the trust to the grant, at the responder. */
static void
after_the_grant(void **state)
{
	struct hf__handshake *hs;
	uint8_t key[32], *in;
	struct blob b;
	size_t i, len;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(methods); i++) {
		begin(&(struct meeting){ .method = methods[i] });
		opened(&b);
		hs = p.r->hs;
		assert_false(sodium_is_zero(hs->transport_key, 32));
		memcpy(key, hs->transport_key, 32);
		in = p.r->in.ptr;
		len = p.r->in.cap;
		assert_true(holds(in, len, key, 32));
		if (methods[i] == HF_METHOD_PLAIN_PASSWORD)
			assert_int_equal(hf_session_asked_password(p.r).len,
			    6);
		assert_ok(answer(&w, p.r));
		assert_int_equal(p.r->state, HF__R_GRANTED);
		assert_ptr_equal(p.r->in.ptr, in);
		assert_false(holds(in, len, key, 32));
		assert_false(holds(in, len, "secret", 6));
		assert_false(holds(in, len, w.stretched, 32));
		assert_zero(hs->transport_key);
		assert_zero(hs->pop);
		assert_null(hf_session_asked_password(p.r).ptr);
		end();
	}
}

/* The key of confirm, at either end. */
static void
after_the_confirm(void **state)
{
	struct blob b, grant;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(methods); i++) {
		begin(&(
		    struct meeting){ .method = methods[i], .single_use = 1 });
		granted(&b, &grant);
		assert_false(sodium_is_zero(p.r->secrets.confirm, 32));
		assert_ok(give(p.i, grant.bytes, grant.len));
		assert_zero(p.i->secrets.confirm);
		assert_null(p.i->hs);
		take(&b, p.i);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_zero(p.r->secrets.confirm);
		/* A ticket for one session waits for its commit. */
		assert_int_equal(p.r->hs == NULL,
		    methods[i] != HF_METHOD_TICKET);
		assert_int_equal(hf_session_want(p.r),
		    methods[i] == HF_METHOD_TICKET ? HF_WANT_COMMIT :
						     HF_WANT_DONE);
		end();
	}
}

/* A verifier judges a stretched password and nothing else. */
static void
verifier_for_another_token(void **state)
{
	struct blob b;
	size_t i;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(methods); i++) {
		if (methods[i] == HF_METHOD_PASSWORD)
			continue;
		begin(&(struct meeting){ .method = methods[i] });
		opened(&b);
		assert_err(hf_session_verify(p.r, w.verifier), HF_E_STATE);
		assert_err(hf_session_verify(p.r, NULL), HF_E_STATE);
		assert_int_equal(hf_session_want(p.r), HF_WANT_TRUST);
		end();
	}
}

/* No password is given to whom nobody has judged yet. */
static void
password_before_trust(void **state)
{
	(void)state;
	begin(&(struct meeting){ .method = HF_METHOD_PASSWORD });
	assert_int_equal(p.i->state, HF__I_HELLO_SENT);
	assert_err(hf_session_stretched(p.i, w.stretched), HF_E_STATE);
	assert_zero(p.i->hs->password);
	end();
	begin(&(struct meeting){ .method = HF_METHOD_PLAIN_PASSWORD });
	assert_err(hf_session_password(p.i, "secret", 6), HF_E_STATE);
	assert_zero(p.i->hs->password);
	assert_ok(run(&p));
	end();
}

/* However much comes at once, at most the largest message is held. */
static void
one_message_is_held(void **state)
{
	static uint8_t much[HF_RECORD_MAX] = { 0x8a, HF__REQUEST, 0x01 };
	size_t used;

	(void)state;
	begin(&(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	assert_ok(hf_session_feed(p.r, &used, much, 1));
	memset(much + 3, 0x40, sizeof(much) - 3); /* empty byte strings */
	assert_err(hf_session_feed(p.r, &used, much + 1, sizeof(much) - 1),
	    HF_E_SHAPE);
	assert_in_range(p.r->in.cap, 1, HF_MESSAGE_MAX);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_trust),
		cmocka_unit_test(after_the_grant),
		cmocka_unit_test(after_the_confirm),
		cmocka_unit_test(verifier_for_another_token),
		cmocka_unit_test(password_before_trust),
		cmocka_unit_test(one_message_is_held),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
