/* SPDX-License-Identifier: ISC */
/*
 * No key seals two records under one nonce (threats B6, B7): every key and
 * nonce that reaches the cipher is written down here, over several sessions,
 * both directions, every kind of record and every change of the traffic key;
 * the sequence numbers end before they could begin again; and a record is
 * good under the key of its own generation alone (B8).
 */
#include <string.h>

#include "testing.h"
#include "stage.h"

/* --- a cipher that writes down ----------------------------------------------------- */

enum { USES_MAX = 512 };

static struct use {
	uint8_t key[32], nonce[12];
} uses[USES_MAX];
static size_t uses_n;

static enum hf_err
spy_seal(uint8_t *buf, size_t len, const uint8_t *aad, size_t aad_len,
    const uint8_t *nonce, const struct hf__aead_key *key)
{
	assert_true(uses_n < USES_MAX);
	memcpy(uses[uses_n].key, key->u.raw, 32);
	memcpy(uses[uses_n++].nonce, nonce, 12);
	return hf__suite_find(1)->aead->seal(buf, len, aad, aad_len, nonce,
	    key);
}

static struct hf__aead spy_aead;
static struct hf__suite spy;

static void
watch(struct hf_session *s)
{
	spy = *hf__suite_find(1);
	spy_aead = *spy.aead;
	spy_aead.seal = spy_seal;
	spy.aead = &spy_aead;
	s->suite = &spy;
}

static void
assert_all_differ(void)
{
	size_t a, b;

	for (a = 0; a < uses_n; a++)
		for (b = a + 1; b < uses_n; b++)
			assert_memory_not_equal(&uses[a], &uses[b],
			    sizeof(uses[a]));
}

static void
discard(struct hf_session *s)
{
	assert_ok(hf_session_drained(s, hf_session_output(s).len));
}

/* --- never twice ------------------------------------------------------------------------ */

static const struct meeting by_ticket = { .method = HF_METHOD_TICKET,
	.known = 1,
	.suite = 1 };

/* Around both ends of the numbers, and where the key changes. */
static const uint64_t around[] = { 0, HF__RATCHET_RECORDS - 2,
	2 * (uint64_t)HF__RATCHET_RECORDS - 2, (uint64_t)1 << 32,
	HF__SEQ_MAX - 8 };

static void
say_everything(struct hf_session *s)
{
	int i;

	for (i = 0; i < 4; i++) {
		assert_ok(hf_session_send(s, (const uint8_t *)"data", 4));
		if (s->config->role == HF_RESPONDER)
			assert_ok(hf_session_issue_ticket(s, 60, 60, 0));
		discard(s);
	}
}

static void
never_twice(void **state)
{
	struct hf_session *side[2];
	size_t i, k, n;

	(void)state;
	uses_n = 0;
	world_make(&w, &by_ticket);
	for (n = 0; n < 3; n++) {
		shake(&p, &w);
		side[0] = p.i;
		side[1] = p.r;
		for (k = 0; k < 2; k++) {
			watch(side[k]);
			for (i = 0; i < HF__ARRAY_N(around); i++) {
				/* Numbers only rise. */
				assert_true(side[k]->send.seq <= around[i]);
				side[k]->send.seq = around[i];
				if (i + 1 == HF__ARRAY_N(around) && k == 1)
					break;
				say_everything(side[k]);
			}
		}
		assert_ok(hf_session_close(p.i));
		/* The last words of a responder: an alert. */
		assert_err(give(p.r, (const uint8_t *)"\x82\x00", 2),
		    HF_E_UNEXPECTED);
		assert_true(hf_session_output(p.r).len > 0);
		pair_free(&p);
	}
	assert_true(uses_n > 3 * 40);
	assert_all_differ();
	print_message("%zu records, no key and nonce twice\n", uses_n);
	world_free(&w);
}

/* --- the end of the numbers ---------------------------------------------------------------- */

static enum hf_err
send_data(struct hf_session *s)
{
	return hf_session_send(s, (const uint8_t *)"x", 1);
}

static enum hf_err
send_ticket(struct hf_session *s)
{
	return hf_session_issue_ticket(s, 60, 60, 0);
}

/* Not even its alert: no number is left for it. */
static enum hf_err
send_alert(struct hf_session *s)
{
	return give(s, (const uint8_t *)"\x82\x00", 2);
}

static void
nothing_past_the_end(void **state)
{
	static const struct {
		enum hf_err (*say)(struct hf_session *);
		enum hf_err expected;
	} cases[] = {
		{ send_data, HF_E_EXHAUSTED },
		{ hf_session_close, HF_E_EXHAUSTED },
		{ send_ticket, HF_E_EXHAUSTED },
		{ send_alert, HF_E_UNEXPECTED },
	};
	size_t i;

	(void)state;
	world_make(&w, &by_ticket);
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		shake(&p, &w);
		watch(p.r);
		uses_n = 0;
		p.r->send.seq = HF__SEQ_MAX - 1;
		assert_ok(send_data(p.r));
		assert_int_equal(uses_n, 1);
		discard(p.r);
		assert_err(cases[i].say(p.r), cases[i].expected);
		assert_int_equal(uses_n, 1);
		assert_int_equal(hf_session_output(p.r).len, 0);
		assert_int_equal(hf_session_want(p.r), HF_WANT_FAILED);
		assert_false(p.r->keys);
		pair_free(&p);
	}
	world_free(&w);
}

/* What arrives with the number behind the last is not opened. */
static void
nothing_taken_past_the_end(void **state)
{
	struct blob b;

	(void)state;
	world_make(&w, &by_ticket);
	shake(&p, &w);
	p.r->send.seq = p.i->recv.seq = HF__SEQ_MAX - 1;
	assert_ok(send_data(p.r));
	take(&b, p.r);
	assert_ok(give(p.i, b.bytes, b.len));
	assert_ok(hf_session_recv(p.i, &(enum hf_content){ 0 },
	    &(struct hf_span){ NULL, 0 }));
	assert_err(give(p.i, b.bytes, b.len), HF_E_EXHAUSTED);
	assert_false(p.i->keys);
	end();
}

/* --- generations of the key ------------------------------------------------------------------ */

/* A sender that changes its key one record too late, or too soon. */
static void
own_generation_only(void **state)
{
	struct hf__traffic next;
	struct blob b;
	int soon;

	(void)state;
	world_make(&w, &by_ticket);
	for (soon = 0; soon < 2; soon++) {
		shake(&p, &w);
		p.i->send.seq = p.r->recv.seq =
		    HF__RATCHET_RECORDS - (uint64_t)soon;
		if (soon) {
			assert_ok(hf__schedule_ratchet(&next, p.i->suite,
			    &p.i->send));
			p.i->send = next;
			assert_ok(send_data(p.i));
		} else {
			/* Its counter says that it is not yet due. */
			p.i->send.seq++;
			p.i->send.iv[11] ^= 1;
			assert_ok(send_data(p.i));
		}
		take(&b, p.i);
		assert_err(give(p.r, b.bytes, b.len), HF_E_BOX);
		pair_free(&p);
	}
	/* In time it is good. */
	shake(&p, &w);
	p.i->send.seq = p.r->recv.seq = HF__RATCHET_RECORDS;
	assert_ok(send_data(p.i));
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	end();
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
		cmocka_unit_test(never_twice),
		cmocka_unit_test(nothing_past_the_end),
		cmocka_unit_test(nothing_taken_past_the_end),
		cmocka_unit_test(own_generation_only),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
