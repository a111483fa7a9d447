/* SPDX-License-Identifier: ISC */
/*
 * Keys that leak after a run was recorded: every static key (threat A12), or
 * all that another session of the same two knew (A13). What a recorder can
 * compute is computed here by hand, and opens nothing; with the one secret
 * that is gone it does open.
 */
#include <stdlib.h>
#include <string.h>

#include "testing.h"
#include "stage.h"
#include "craft.h"

struct tap {
	struct blob request, grant, record;
	uint8_t th0[32], info_hash[32], th1[32];
	struct hf__pair prekey, ephemeral; /* of the responder, initiator */
	uint8_t transport_key[32];
};

/* A whole run, recorded; then everybody else forgets. */
static void
record_run(struct tap *t)
{
	judged();
	memcpy(t->th0, p.i->hs->th0, 32);
	memcpy(t->info_hash, p.i->hs->info_hash, 32);
	t->prekey = p.r->hs->prekey;
	granted(&t->request, &t->grant);
	t->ephemeral = p.i->hs->ephemeral;
	memcpy(t->th1, p.i->hs->th1, 32);
	memcpy(t->transport_key, p.i->hs->transport_key, 32);
	assert_ok(give(p.i, t->grant.bytes, t->grant.len));
	take(&t->record, p.i);
	assert_ok(give(p.r, t->record.bytes, t->record.len));
	assert_ok(hf_session_send(p.i, (const uint8_t *)"the data", 8));
	take(&t->record, p.i);
}

static struct hf_span
field(const struct blob *b, unsigned n, size_t *aad_len)
{
	struct hf__reader r;
	struct hf_span f = { NULL, 0 };

	hf__read_init(&r, b->bytes, b->len);
	assert_true(hf__read_list(&r, 2, 10) > n);
	while (n-- > 0)
		(void)hf__read_skip(&r, 1);
	if (aad_len != NULL)
		*aad_len = r.off;
	f = hf__read_bytes(&r, 0, HF_RECORD_MAX);
	assert_non_null(f.ptr);
	return f;
}

/* The request's box with that key, and that prekey or none. */
static enum hf_err
open_request(uint8_t transport_key[32], const struct tap *t,
    const struct hf__pair *own, const uint8_t *psk)
{
	struct hf_span enc = field(&t->request, 6, NULL), box;
	uint8_t ss[32], plain[HF_MESSAGE_MAX];
	const struct hf__hpke_base *base = &w.r->hpke;
	struct hf__hpke ctx;
	size_t aad_len;
	enum hf_err e;

	box = field(&t->request, 9, &aad_len);
	assert_ok(hf__kem_x25519.decap(ss, base, own, enc.ptr));
	hf__hpke_schedule(&ctx, base, ss, t->info_hash, psk,
	    base->psk_id_prekey, false);
	if ((e = hf__hpke_open(plain, &ctx, t->request.bytes, aad_len, box.ptr,
		 box.len)) == HF_OK)
		memcpy(transport_key, plain + 3, 32);
	return e;
}

/* The grant's box, then the first record of the initiator, by a session key that
 * is not the grant's where there is one. */
static enum hf_err
open_record_by(const struct tap *t, const uint8_t ss[32],
    const uint8_t *binder, const uint8_t *another)
{
	static const uint8_t aad[] = { 0x82, HF__RECORD };
	const struct hf__suite *suite = hf__suite_find(1);
	uint8_t plain[128], th2[32];
	struct hf__traffic i, r;
	struct hf__grant_keys keys;
	struct hf__secrets secrets;
	struct hf_span box;
	size_t aad_len;
	enum hf_err e;

	box = field(&t->grant, 5, &aad_len);
	hf__schedule_grant(&keys, t->transport_key, t->th1, ss, binder);
	if ((e = hf__box_open(plain, box.ptr, box.len, t->grant.bytes, aad_len,
		 keys.box)) != HF_OK)
		return e;
	hf__transcript(th2,
	    (struct hf_span[]){ { t->th1, 32 },
		{ t->grant.bytes, t->grant.len } },
	    2);
	assert_ok(hf__schedule_master(&secrets, &i, &r, suite,
	    another != NULL ? another : plain + 3, keys.chain, th2));
	box = field(&t->record, 1, NULL);
	if ((e = suite->aead->open(plain, box.ptr, box.len, aad, sizeof(aad),
		 i.iv, &i.key)) == HF_OK)
		assert_memory_equal(plain, "the data\x01", 9);
	return e;
}

static enum hf_err
open_record(const struct tap *t, const uint8_t ss[32], const uint8_t *binder)
{
	return open_record_by(t, ss, binder, NULL);
}

/* All static keys are known: R's, the initiator's, the CA's. */
static void
forward_secrecy(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE, .suite = 1 };
	const struct hf__hpke_base *base;
	uint8_t ss[32], binder[32], key[32], none[32] = { 0 };
	const struct hf__pair *leaked[3];
	struct hf_span request_enc, grant_enc;
	static struct tap t;
	size_t a, b;

	(void)state;
	for (m.known = 0; m.known < 2; m.known++) {
		begin(&m);
		record_run(&t);
		base = &w.r->hpke;
		request_enc = field(&t.request, 6, NULL);
		grant_enc = field(&t.grant, 2, NULL);
		leaked[0] = &w.responder->kem;
		leaked[1] = &w.initiator->kem;
		leaked[2] = &w.ca->kem;
		/* The token, where no prekey protects it (15.2). */
		if (m.known) {
			assert_ok(open_request(key, &t, leaked[0], NULL));
			assert_memory_equal(key, t.transport_key, 32);
		} else {
			assert_ok(hf__kem_x25519.decap(ss, base, leaked[0],
			    request_enc.ptr));
			assert_err(open_request(key, &t, leaked[0], NULL),
			    HF_E_BOX);
			assert_err(open_request(key, &t, leaked[0], ss),
			    HF_E_BOX);
			assert_err(open_request(key, &t, leaked[0], none),
			    HF_E_BOX);
			assert_ok(hf__kem_x25519.decap(ss, base, &t.prekey,
			    request_enc.ptr));
			assert_ok(open_request(key, &t, leaked[0], ss));
		}
		/* Even with the transport key and the binder, records stay
		 * sealed: each leaked key with each public one. */
		assert_ok(hf__kem_x25519.decap(binder, base, leaked[1],
		    grant_enc.ptr));
		assert_err(open_record(&t, none, binder), HF_E_BOX);
		for (a = 0; a < 3; a++)
			for (b = 0; b < 4; b++) {
				const uint8_t *pk = b == 0 ? grant_enc.ptr :
				    b == 1		   ? request_enc.ptr :
							     leaked[b - 1]->pk;

				assert_ok(hf__kem_x25519.decap(ss, base,
				    leaked[a], pk));
				assert_err(open_record(&t, ss, binder),
				    HF_E_BOX);
				assert_err(open_record(&t, ss, NULL),
				    HF_E_BOX);
			}
		/* The ephemeral, which is gone, is what is needed; it alone
		 * does not do either. */
		assert_ok(hf__kem_x25519.decap(ss, base, &t.ephemeral,
		    grant_enc.ptr));
		assert_ok(open_record(&t, ss, binder));
		assert_err(open_record(&t, ss, NULL), HF_E_BOX);
		end();
	}
}

/* A13: all that one session knows does not open another of the same two. */
static void
other_sessions_keys(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE,
		.known = 1,
		.suite = 1 };
	uint8_t ss[32], binder[32];
	static struct tap one, two;
	struct hf__traffic keys;
	struct hf__secrets secrets;
	struct blob b;

	(void)state;
	begin(&m);
	record_run(&one);
	keys = p.r->recv;
	secrets = p.r->secrets;
	pair_free(&p);
	pair_make(&p, &w);
	record_run(&two);
	assert_memory_not_equal(secrets.resumption, p.r->secrets.resumption,
	    32);
	assert_memory_not_equal(secrets.exporter, p.r->secrets.exporter, 32);
	assert_ok(hf__kem_x25519.decap(binder, &w.r->hpke, &w.initiator->kem,
	    field(&two.grant, 2, NULL).ptr));
	assert_ok(hf__kem_x25519.decap(ss, &w.r->hpke, &one.ephemeral,
	    field(&two.grant, 2, NULL).ptr));
	assert_err(open_record(&two, ss, binder), HF_E_BOX);
	b = two.record;
	assert_ok(hf__kem_x25519.decap(ss, &w.r->hpke, &two.ephemeral,
	    field(&two.grant, 2, NULL).ptr));
	assert_ok(open_record(&two, ss, binder));
	assert_err(open_record_by(&two, ss, binder, one.transport_key),
	    HF_E_BOX);
	memcpy(two.transport_key, one.transport_key, 32);
	assert_err(open_record(&two, ss, binder), HF_E_BOX);
	p.r->recv = keys;
	assert_err(give(p.r, b.bytes, b.len), HF_E_BOX);
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
		cmocka_unit_test(forward_secrecy),
		cmocka_unit_test(other_sessions_keys),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
