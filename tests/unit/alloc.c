/* SPDX-License-Identifier: ISC */
/*
 * Memory that runs out: each allocation of a whole session, one by one and
 * all from there on, is refused. The call says HF_E_MEMORY, nobody is let in,
 * nothing leaks, and the same configuration works the next time. And memory
 * that is given back: no key or password is left in it (threat A50).
 */
#include "heap.h"

#include "testing.h"

#ifdef HAVE_HEAP

#include "whole.h"

static const struct meeting ways[] = {
	{ .method = HF_METHOD_CERTIFICATE },
	{ .method = HF_METHOD_CERTIFICATE, .known = 1, .intermediate = 1 },
	{ .method = HF_METHOD_PASSWORD },
	{ .method = HF_METHOD_PLAIN_PASSWORD },
	{ .method = HF_METHOD_TICKET, .known = 1 },
	{ .method = HF_METHOD_TICKET, .known = 1, .single_use = 1 },
};

static void
every_allocation_of_a_session(void **state)
{
	unsigned long n, total = 0;
	size_t i;
	int all;

	(void)state;
	for (i = 0; i < HF__ARRAY_N(ways); i++) {
		world_make(&w, &ways[i]);
		for (all = 0; all < 2; all++)
			for (n = 1; refuse(whole_session, n, all); n++)
				total++;
		assert_in_range(n, 10, 100);
		world_free(&w);
	}
	print_message("%lu allocations refused\n", total);
}

/* --- everything else that allocates ---------------------------------------------- */

static struct blob sub_list;

static enum hf_err
build_trust(void)
{
	struct hf_trust *t = NULL;
	enum hf_err e;

	if ((e = hf_trust_new(&t)) != HF_OK ||
	    (e = hf_trust_add_ca(t, w.ca_cert.bytes, w.ca_cert.len)) !=
		HF_OK ||
	    (e = hf_trust_add_issuer(t, w.sub_cert.bytes, w.sub_cert.len,
		 NOW)) != HF_OK ||
	    (e = hf_trust_add_list(t, sub_list.bytes, sub_list.len)) !=
		HF_OK ||
	    (e = hf_trust_verify(NULL, t, w.initiator_chain, 2,
		 HF_USAGE_INITIATOR, "alice", NOW)) != HF_OK)
		goto out;
out:
	hf_trust_free(t);
	return e;
}

static enum hf_err
build_initiator(void)
{
	struct hf_config *c = NULL;
	enum hf_err e;

	if ((e = hf_config_new(&c, HF_INITIATOR)) != HF_OK ||
	    (e = hf_config_trust(c, w.trust)) != HF_OK ||
	    (e = hf_config_identity(c, w.initiator, w.initiator_chain, 2)) !=
		HF_OK ||
	    (e = hf_config_responder(c, w.responder_chain, 2)) != HF_OK ||
	    (e = hf_config_ticket(c, w.ticket.bytes, w.ticket.len)) != HF_OK ||
	    (e = hf_config_responder(c, w.responder_chain, 2)) != HF_OK)
		goto out;
out:
	hf_config_free(c);
	return e;
}

static enum hf_err
build_tables(void)
{
	struct hf_replay *replay = NULL;
	struct hf_limit *limit = NULL;
	enum hf_err e;

	if ((e = hf_replay_new(&replay, 100, 60)) == HF_OK)
		e = hf_limit_new(&limit, 100, 20);
	if (e != HF_OK && replay != NULL)
		assert_null(limit);
	hf_replay_free(replay);
	hf_limit_free(limit);
	return e;
}

static enum hf_err
build_list(void)
{
	static uint8_t ids[300 * HF_CTI_BYTES], out[8192];
	struct hf_list_info info;
	size_t len;
	enum hf_err e;

	randombytes_buf(ids, sizeof(ids));
	if ((e = hf_list_make(out, sizeof(out), &len, w.ca, w.ca_cert.bytes,
		 w.ca_cert.len, 1, ids, 300, NOW, NOW + 1)) != HF_OK)
		return e;
	e = hf_list_read(&info, out, len); /* that they rise, too */
	assert_int_equal(info.n, 300);
	return e;
}

static void
every_other_allocation(void **state)
{
	static enum hf_err (*const builders[])(
	    void) = { build_trust, build_initiator, build_tables, build_list };
	static const uint8_t id[HF_CTI_BYTES] = { 1 };
	unsigned long n, total = 0;
	size_t i;
	int all;

	(void)state;
	world_make(&w, &ways[1]);
	assert_ok(hf_list_make(sub_list.bytes, sizeof(sub_list.bytes),
	    &sub_list.len, w.sub, w.sub_cert.bytes, w.sub_cert.len, 1, id, 1,
	    NOW, NOW + 1000));
	for (i = 0; i < HF__ARRAY_N(builders); i++)
		for (all = 0; all < 2; all++) {
			does_without = builders[i] == build_list;
			for (n = 1; refuse(builders[i], n, all); n++)
				total++;
			assert_in_range(n, 3, 100);
		}
	world_free(&w);
	print_message("%lu allocations refused\n", total);
}

/* --- A50: what is given back -------------------------------------------------------- */

static void
watch(const uint8_t *secret)
{
	size_t i;

	if (sodium_is_zero(secret, SECRET_BYTES))
		return;
	for (i = 0; i < heap.secrets; i++)
		if (memcmp(heap.secret[i], secret, SECRET_BYTES) == 0)
			return;
	assert_true(heap.secrets < SECRETS_MAX);
	memcpy(heap.secret[heap.secrets], secret, SECRET_BYTES);
	heap.secrets++;
}

/* Every secret that a session holds at this moment. */
static void
note_secrets_of(const struct hf_session *s)
{
	if (s == NULL)
		return;
	watch(s->secrets.confirm);
	watch(s->secrets.resumption);
	watch(s->secrets.exporter);
	watch(s->send.ratchet);
	watch(s->recv.ratchet);
	if (s->hs == NULL)
		return;
	watch(s->hs->ephemeral.sk);
	watch(s->hs->prekey.sk);
	watch(s->hs->transport_key);
	watch(s->hs->password);
	watch(s->hs->pop);
}

static void
note_secrets(void)
{
	note_secrets_of(p.i);
	note_secrets_of(p.r);
}

static enum hf_err
wrong_password(void)
{
	enum hf_err e;

	w.verifier[0] ^= 1;
	e = handshake();
	w.verifier[0] ^= 1;
	return e == HF_E_PASSWORD ? HF_OK : e;
}

static void
nothing_secret_is_left(void **state)
{
	static enum hf_err (*const ends[])(
	    void) = { whole_session, handshake, wrong_password };
	size_t i, k, least;
	uint8_t *control;

	(void)state;
	after_each_step = note_secrets;
	note_data = watch;
	for (i = 0; i < HF__ARRAY_N(ways); i++)
		for (k = 0; k < HF__ARRAY_N(ends); k++) {
			if (ends[k] == wrong_password &&
			    ways[i].method != HF_METHOD_PASSWORD)
				continue;
			world_make(&w, &ways[i]);
			heap.secrets = 0;
			watch(w.stretched);
			(void)refuse(ends[k], (unsigned long)-1, 0);
			least = ends[k] == wrong_password ? 4 : 8;
			assert_in_range(heap.secrets, least, SECRETS_MAX);
			assert_int_equal(heap.found, 0);
			/* The watch does watch. */
			control = malloc(100);
			assert_non_null(control);
			memcpy(control + 50, heap.secret[1], SECRET_BYTES);
			__asm__ volatile("" : : "r"(control) : "memory");
			free(control);
			assert_int_equal(heap.found, 1);
			heap.found = 0;
			heap.secrets = 0;
			world_free(&w);
		}
	after_each_step = nothing_to_note;
	note_data = no_data_to_note;
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_of_a_session),
		cmocka_unit_test(every_other_allocation),
		cmocka_unit_test(nothing_secret_is_left),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

#else

int
main(void)
{
	print_message("skipped: a sanitizer has malloc for itself\n");
	return 77;
}

#endif
