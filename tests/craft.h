/* SPDX-License-Identifier: ISC */
/*
 * Messages that no honest session would make, sealed as if one had: for tests
 * and fuzzers that play a peer who holds genuine keys and says what he likes.
 * It builds on the insides of sessions and judges nothing.
 */
#ifndef HANDFAST_CRAFT_H
#define HANDFAST_CRAFT_H

#include <string.h>

#include "internal.h"
#include "session.h"

/* What of a message is replaced; zero bytes: nothing is. */
struct craft {
	struct hf__pair pair;	   /* the ephemeral, in any case */
	const uint8_t *enc;	   /* on the wire in place of the pair's */
	struct hf_span extensions; /* encoded; none: the empty map */
	/* Encoded, in place of prekey_enc or cert_enc. */
	struct hf_span second;
};

static inline void
craft_raw(struct hf__writer *w, struct hf_span raw, const char *other,
    size_t other_len)
{
	struct hf_span put = raw.ptr != NULL ?
	    raw :
	    (struct hf_span){ (const uint8_t *)other, other_len };
	uint8_t *room = hf__write_room(w, put.len);

	if (room != NULL)
		memcpy(room, put.ptr, put.len);
}

/* A plaintext of a request around an encoded token, well padded. */
static inline enum hf_err
craft_plain(uint8_t *out, size_t cap, size_t *len, struct hf_span token,
    uint64_t time)
{
	static const uint8_t zeros[2 * HF__PAD_BYTES];
	uint8_t key[32];
	struct hf__writer w;
	size_t item;

	memset(key, 0x77, sizeof(key));
	hf__write_init(&w, out, cap);
	hf__write_list(&w, 5);
	hf__write_bytes(&w, key, sizeof(key));
	craft_raw(&w, token, "", 0);
	hf__write_uint(&w, time);
	hf__write_null(&w);
	item = HF__PAD_BYTES - w.len % HF__PAD_BYTES;
	if (item == 25)
		item += HF__PAD_BYTES;
	hf__write_bytes(&w, zeros, item - (item <= 24 ? 1 : 2));
	*len = w.len;
	return w.err;
}

/* The secret that the pair shares with a public key: as any encapsulation. */
static inline enum hf_err
craft_secret(uint8_t ss[32], const struct hf_session *s,
    const struct hf__pair *pair, const uint8_t *pk)
{
	return hf__kem_x25519.encap(ss, NULL, &s->config->hpke, pair, pk);
}

/*
 * A request with that plaintext, in place of the one that the initiator at
 * its trust would make; the session then waits for the grant to this one.
 */
static inline enum hf_err
craft_request(uint8_t *out, size_t cap, size_t *len, struct hf_session *s,
    const struct craft *c, struct hf_span plain)
{
	const struct hf__hpke_base *base = &s->config->hpke;
	struct hf__handshake *hs = s->hs;
	uint8_t ss[32], psk[32] = { 0 }, *box;
	struct hf__hpke ctx;
	struct hf__writer w;
	size_t aad_len;
	enum hf_err e;

	if ((e = craft_secret(ss, s, &c->pair, hs->responder_pk)) != HF_OK ||
	    (hs->has_prekey &&
		(e = craft_secret(psk, s, &c->pair, hs->offered)) != HF_OK))
		return e;
	hf__hpke_schedule(&ctx, base, ss, hs->info_hash,
	    hs->has_prekey ? psk : NULL, base->psk_id_prekey, false);
	hf__write_init(&w, out, cap);
	hf__write_open(&w, HF__REQUEST, 10);
	hf__write_uint(&w, s->suite->id);
	hf__write_bytes(&w, hs->key_id, sizeof(hs->key_id));
	hf__write_text(&w, s->target, s->target_len);
	hf__write_cookie(&w, hs);
	hf__write_bytes(&w, c->enc != NULL ? c->enc : c->pair.pk, 32);
	craft_raw(&w, c->second, hs->has_prekey ? "\x40" : "\xf6", 1);
	craft_raw(&w, c->extensions, "\xa0", 1);
	aad_len = w.len;
	hf__write_bytes_head(&w, plain.len + HF__TAG_BYTES);
	if ((box = hf__write_room(&w, plain.len + HF__TAG_BYTES)) == NULL)
		return w.err;
	if ((e = hf__hpke_seal(box, &ctx, out, aad_len, plain.ptr,
		 plain.len)) != HF_OK)
		return e;
	*len = w.len;
	hf__transcript(hs->th1,
	    (struct hf_span[]){ { hs->th0, 32 }, { out, w.len } }, 2);
	hs->ephemeral = c->pair;
	if (plain.len >= 35)
		memcpy(hs->transport_key, plain.ptr + 3, 32);
	s->state = HF__I_REQUEST_SENT;
	return HF_OK;
}

/* A grant with that plaintext, by the responder at its trust. */
static inline enum hf_err
craft_grant(uint8_t *out, size_t cap, size_t *len, const struct hf_session *s,
    const struct craft *c, struct hf_span plain)
{
	const struct hf__handshake *hs = s->hs;
	bool envelope = s->method == HF_METHOD_CERTIFICATE;
	uint8_t ss[32], binder[32], *box;
	const uint8_t *bound = NULL;
	struct hf__grant_keys keys;
	struct hf__writer w;
	size_t aad_len;
	enum hf_err e;

	if ((e = craft_secret(ss, s, &c->pair, hs->outer.enc.ptr)) != HF_OK ||
	    (envelope &&
		(e = craft_secret(binder, s, &c->pair, hs->envelope_pk)) !=
		    HF_OK))
		return e;
	if (envelope)
		bound = binder;
	else if (s->method == HF_METHOD_TICKET)
		bound = hs->pop;
	hf__schedule_grant(&keys, hs->transport_key, hs->th1, ss, bound);
	hf__write_init(&w, out, cap);
	hf__write_open(&w, HF__GRANT, 6);
	hf__write_bytes(&w, c->enc != NULL ? c->enc : c->pair.pk, 32);
	craft_raw(&w, c->second, envelope ? "\x40" : "\xf6", 1);
	craft_raw(&w, c->extensions, "\xa0", 1);
	aad_len = w.len;
	hf__write_bytes_head(&w, plain.len + HF__TAG_BYTES);
	if ((box = hf__write_room(&w, plain.len + HF__TAG_BYTES)) == NULL)
		return w.err;
	memmove(box, plain.ptr, plain.len);
	if ((e = hf__box_seal(box, plain.len, out, aad_len, keys.box)) !=
	    HF_OK)
		return e;
	*len = w.len;
	return HF_OK;
}

#endif
