/* SPDX-License-Identifier: ISC */
/*
 * grant, message 2 (spec section 4.5): the session key in a box. Its key comes
 * from the transport key, a secret encapsulated to the initiator's ephemeral
 * key, and the binder, which makes it a digital envelope: only the holder of
 * the token's key opens it.
 */
#include <string.h>

#include "session.h"

enum {
	GRANT_FIELDS = 6,
	PLAIN_FIELDS = 4,
	PLAIN_MAX = 64,
	SESSION_KEY_BYTES = 32
};

/* What went into the keys is gone when they are made (spec section 8.3). */
static void
wipe_inputs(struct hf_session *s)
{
	struct hf__handshake *hs = s->hs;

	sodium_memzero(hs->transport_key, sizeof(hs->transport_key));
	sodium_memzero(hs->pop, sizeof(hs->pop));
}

/* th2 and all that follows from it. */
static enum hf_err
derive(struct hf_session *s, struct hf_span grant, const uint8_t key[32],
    const struct hf__grant_keys *keys)
{
	bool initiator = s->config->role == HF_INITIATOR;
	uint8_t th2[32];

	hf__transcript(th2, (struct hf_span[]){ { s->hs->th1, 32 }, grant },
	    2);
	return hf__schedule_master(&s->secrets,
	    initiator ? &s->send : &s->recv, initiator ? &s->recv : &s->send,
	    s->suite, key, keys->chain, th2);
}

/* --- the responder builds ------------------------------------------------------ */

static enum hf_err
seal_keys(struct hf__grant_keys *keys, struct hf__pair *pair,
    const struct hf_session *s, const uint8_t random[32])
{
	const struct hf__kem *kem = s->suite->kem;
	const struct hf__hpke_base *base = &s->config->hpke;
	const struct hf__handshake *hs = s->hs;
	uint8_t ss[32], binder[32];
	const uint8_t *bound = NULL;
	enum hf_err e;

	if ((e = kem->pair(pair, random)) != HF_OK ||
	    (e = kem->encap(ss, NULL, base, pair, hs->outer.enc.ptr)) != HF_OK)
		goto out;
	if (s->method == HF_METHOD_CERTIFICATE) {
		if ((e = kem->encap(binder, NULL, base, pair,
			 hs->envelope_pk)) != HF_OK)
			goto out;
		bound = binder;
	} else if (s->method == HF_METHOD_TICKET) {
		bound = hs->pop;
	}
	hf__schedule_grant(keys, s->hs->transport_key, s->hs->th1, ss, bound);
out:
	sodium_memzero(ss, sizeof(ss));
	sodium_memzero(binder, sizeof(binder));
	return e;
}

/* Its length; with out NULL it is only counted. */
static size_t
write_plain(uint8_t *out, size_t cap, const uint8_t key[SESSION_KEY_BYTES],
    const struct hf_session *s)
{
	struct hf__writer w;

	hf__write_init(&w, out, cap);
	hf__write_list(&w, PLAIN_FIELDS);
	hf__write_bytes(&w, key, SESSION_KEY_BYTES);
	hf__write_bytes(&w, s->sid, sizeof(s->sid));
	hf__write_uint(&w, s->config->lifetime);
	hf__write_uint(&w, hf_session_mobility(s));
	return w.len;
}

static void
write_outer(struct hf__writer *w, const struct hf_session *s,
    const struct hf__pair *pair)
{
	hf__write_open(w, HF__GRANT, GRANT_FIELDS);
	hf__write_bytes(w, pair->pk, s->suite->kem->enc_len);
	if (s->method == HF_METHOD_CERTIFICATE)
		hf__write_bytes(w, NULL, 0); /* the same enc serves */
	else
		hf__write_null(w);
	hf__write_extensions(w, s->channels ? HF__EXT_CHANNELS : 0,
	    s->config->grease);
}

/* The session may move where a scope serves its target. */
static enum hf_err
prepare_move(struct hf_session *s)
{
	const struct hf_config *c = s->config;
	const struct hf__scope *scope;
	enum hf_err e;

	if (c->vault == NULL || s->placed != NULL ||
	    (scope = hf__vault_scope(hf__vault_of(s), hf_session_target(s),
		 s->now)) == NULL)
		return HF_OK;
	if ((e = hf__move_new(s, c->mobility)) != HF_OK)
		return e;
	s->move->scope = scope;
	s->move->has_key = s->method == HF_METHOD_CERTIFICATE;
	memcpy(s->move->key, s->hs->envelope_pk, sizeof(s->move->key));
	return HF_OK;
}

enum hf_err
hf__grant_build(struct hf_session *s)
{
	uint8_t random[SESSION_KEY_BYTES + HF_SID_BYTES + 32];
	size_t plain_len, aad_len, cap = 512;
	struct hf__grant_keys keys;
	struct hf__pair pair;
	struct hf__writer w;
	uint8_t *room, *box;
	enum hf_err e;

	if ((room = hf__buffer_room(&s->out, cap)) == NULL)
		return HF_E_MEMORY;
	if ((e = prepare_move(s)) != HF_OK)
		return e;
	randombytes_buf(random, sizeof(random));
	memcpy(s->sid, random + SESSION_KEY_BYTES, HF_SID_BYTES);
	if ((e = seal_keys(&keys, &pair, s,
		 random + SESSION_KEY_BYTES + HF_SID_BYTES)) != HF_OK)
		goto out;
	s->channels = s->config->channels && s->hs->outer.channels;
	plain_len = write_plain(NULL, 0, random, s);
	hf__write_init(&w, room, cap);
	write_outer(&w, s, &pair);
	aad_len = w.len;
	hf__write_bytes_head(&w, plain_len + HF__TAG_BYTES);
	box = hf__write_room(&w, plain_len + HF__TAG_BYTES);
	if ((e = w.err) != HF_OK)
		goto out;
	write_plain(box, plain_len, random, s);
	if ((e = hf__box_seal(box, plain_len, room, aad_len, keys.box)) !=
		HF_OK ||
	    (e = derive(s, (struct hf_span){ room, w.len }, random, &keys)) !=
		HF_OK)
		goto out;
	s->out.len += w.len;
	wipe_inputs(s);
	s->expires = s->now + s->config->lifetime;
	s->has_sid = true;
	s->keys = true;
	s->spoken = true;
out:
	sodium_memzero(random, sizeof(random));
	sodium_memzero(&pair, sizeof(pair));
	sodium_memzero(&keys, sizeof(keys));
	return e;
}

/* --- the initiator parses ------------------------------------------------------ */

static enum hf_err
open_keys(struct hf__grant_keys *keys, const struct hf_session *s,
    const uint8_t *enc)
{
	const struct hf__kem *kem = s->suite->kem;
	const struct hf__hpke_base *base = &s->config->hpke;
	const struct hf_config *c = s->config;
	const uint8_t *bound = NULL;
	uint8_t ss[32], binder[32];
	enum hf_err e;

	if ((e = kem->decap(ss, base, &s->hs->ephemeral, enc)) != HF_OK)
		goto out;
	if (c->method == HF_METHOD_CERTIFICATE) {
		if ((e = kem->decap(binder, base, &c->id->kem, enc)) != HF_OK)
			goto out;
		bound = binder;
	} else if (c->method == HF_METHOD_TICKET) {
		bound = c->ticket_file.key.ptr;
	}
	hf__schedule_grant(keys, s->hs->transport_key, s->hs->th1, ss, bound);
out:
	sodium_memzero(ss, sizeof(ss));
	sodium_memzero(binder, sizeof(binder));
	return e;
}

/* A session moves within the cluster of the responder's certificate. */
static enum hf_err
accept_move(struct hf_session *s, enum hf_mobility mobility)
{
	struct hf__cert leaf;
	enum hf_err e;

	hf__give_up(s);
	if (mobility == HF_MOVES_NOT)
		return HF_OK;
	if ((e = hf__cert_parse(&leaf, s->peer_cert.ptr, s->peer_cert.len)) !=
	    HF_OK)
		return e;
	return leaf.cluster.len == 0 || s->placed != NULL ?
	    HF_OK :
	    hf__move_new(s, mobility);
}

static enum hf_err
read_plain(uint8_t key[SESSION_KEY_BYTES], struct hf_session *s,
    struct hf_span plain)
{
	struct hf_span session_key, sid;
	uint64_t lifetime, mobility;
	struct hf__reader r;
	enum hf_err e;

	hf__read_init(&r, plain.ptr, plain.len);
	(void)hf__read_list(&r, PLAIN_FIELDS, PLAIN_FIELDS);
	session_key = hf__read_bytes(&r, SESSION_KEY_BYTES, SESSION_KEY_BYTES);
	sid = hf__read_bytes(&r, HF_SID_BYTES, HF_SID_BYTES);
	lifetime = hf__read_uint(&r, UINT32_MAX);
	mobility = hf__read_uint(&r, HF_MOVES_PROVED);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	if (lifetime == 0)
		return HF_E_SHAPE;
	if ((e = accept_move(s, (enum hf_mobility)mobility)) != HF_OK)
		return e;
	memcpy(key, session_key.ptr, SESSION_KEY_BYTES);
	memcpy(s->sid, sid.ptr, HF_SID_BYTES);
	s->has_sid = true;
	s->expires = s->now + lifetime;
	return HF_OK;
}

enum hf_err
hf__grant_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	size_t enc_len = s->suite->kem->enc_len, aad_len;
	uint8_t plain[PLAIN_MAX], key[SESSION_KEY_BYTES];
	struct hf_span enc, cert_enc, box;
	struct hf__grant_keys keys;
	struct hf__reader r;
	unsigned known;
	enum hf_err e;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__GRANT, GRANT_FIELDS);
	enc = hf__read_bytes(&r, enc_len, enc_len);
	cert_enc = hf__read_bytes_or_null(&r, 0, 0);
	known = hf__read_extensions(&r);
	aad_len = r.off;
	box = hf__read_bytes(&r, HF__TAG_BYTES, PLAIN_MAX + HF__TAG_BYTES);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	if ((cert_enc.ptr != NULL) !=
	    (s->config->method == HF_METHOD_CERTIFICATE))
		return HF_E_SHAPE; /* the envelope is not optional */
	if ((e = open_keys(&keys, s, enc.ptr)) != HF_OK ||
	    (e = hf__box_open(plain, box.ptr, box.len, message.ptr, aad_len,
		 keys.box)) != HF_OK ||
	    (e = read_plain(key, s,
		 (struct hf_span){ plain, box.len - HF__TAG_BYTES })) !=
		HF_OK ||
	    (e = derive(s, message, key, &keys)) != HF_OK)
		goto out;
	s->keys = true;
	s->channels = s->config->channels && (known & HF__EXT_CHANNELS) != 0;
	if ((e = hf__confirm_build(s)) == HF_OK)
		*next = HF__OPEN;
out:
	sodium_memzero(plain, sizeof(plain));
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&keys, sizeof(keys));
	return e;
}
