/* SPDX-License-Identifier: ISC */
/*
 * The misbehaving peer's keys: secrets, transcript, schedule and the boxes of
 * records, by what it holds, right or wrong. It knows no message's form.
 */
#include <string.h>

#include "misbehave.h"

const uint8_t peer_zero[32];
const uint8_t peer_order_8[32] = { 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8,
	0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d,
	0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8,
	0x00 };

void
peer_use(struct peer *p, const struct hf__pair *pair)
{
	p->ephemeral = *pair;
	memcpy(p->enc, pair->pk, 32);
}

void
peer_must(const struct peer *p, enum hf_err e)
{
	if (p->how == NULL)
		assert_ok(e);
}

void
peer_encap(uint8_t ss[32], const struct peer *p, const uint8_t pk[32])
{
	memset(ss, 0, 32);
	peer_must(p,
	    hf__kem_x25519.encap(ss, NULL, &p->base, &p->ephemeral, pk));
}

void
peer_decap(uint8_t ss[32], const struct peer *p, const struct hf__pair *own,
    const uint8_t enc[32])
{
	memset(ss, 0, 32);
	peer_must(p, hf__kem_x25519.decap(ss, &p->base, own, enc));
}

void
peer_th0(struct peer *p, struct hf_span hello, struct hf_span offer,
    struct hf_span leaf)
{
	hf__transcript(p->th0, (struct hf_span[]){ hello, offer, leaf }, 3);
}

void
peer_th1(struct peer *p, struct hf_span request)
{
	hf__transcript(p->th1, (struct hf_span[]){ { p->th0, 32 }, request },
	    2);
}

void
peer_context(struct hf__hpke *ctx, const struct peer *p, const uint8_t ss[32],
    const uint8_t psk[32])
{
	uint8_t info[64], hash[32];
	size_t len = strlen(p->label);

	memcpy(info, p->label, len);
	memcpy(info + len, p->th0, 32);
	hf__hpke_info_hash(hash, &p->base, info, len + 32);
	hf__hpke_schedule(ctx, &p->base, ss, hash,
	    p->has_prekey && !p->unmixed ? psk : NULL, p->base.psk_id_prekey,
	    false);
}

const uint8_t *
peer_binder(uint8_t out[32], const struct peer *p, const uint8_t *enc)
{
	if (p->unbound)
		return NULL;
	if (p->method == HF_METHOD_TICKET)
		return p->pop;
	if (p->method != HF_METHOD_CERTIFICATE)
		return NULL;
	if (enc == NULL)
		peer_encap(out, p, p->envelope_pk);
	else
		peer_decap(out, p, &p->own, enc);
	return out;
}

void
peer_derive(struct peer *p, struct hf_span grant,
    const struct hf__grant_keys *keys)
{
	bool initiator = p->role == HF_INITIATOR;
	uint8_t th2[32];

	hf__transcript(th2, (struct hf_span[]){ { p->th1, 32 }, grant }, 2);
	assert_ok(hf__schedule_master(&p->secrets,
	    initiator ? &p->send : &p->recv, initiator ? &p->recv : &p->send,
	    hf__suite_find(p->suite), p->session_key, keys->chain, th2));
}

/* Suites 1 and 2 alike: an IV of 12 bytes, a tag of 16. */
static void
nonce_of(uint8_t nonce[HF__IV_MAX], const struct hf__traffic *t)
{
	unsigned i;

	memcpy(nonce, t->iv, 12);
	for (i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(t->seq >> (8 * i));
}

void
peer_seal(struct peer *p, uint8_t *box, size_t len)
{
	uint8_t nonce[HF__IV_MAX];

	nonce_of(nonce, &p->send);
	assert_ok(hf__suite_find(p->suite)->aead->seal(box, len, p->aad,
	    sizeof(p->aad), nonce, &p->send.key));
	p->send.seq++;
}

enum hf_err
peer_open(struct hf__traffic *t, unsigned suite, uint8_t *box, size_t *len)
{
	static const uint8_t aad[] = { 0x82, HF__RECORD };
	uint8_t nonce[HF__IV_MAX];
	enum hf_err e;

	nonce_of(nonce, t);
	e = hf__suite_find(suite)->aead->open(box, box, *len, aad, sizeof(aad),
	    nonce, &t->key);
	t->seq++;
	*len -= 1 + HF__TAG_BYTES;
	return e;
}
