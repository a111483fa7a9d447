/* SPDX-License-Identifier: ISC */
/*
 * offer (spec section 4.2): the responder's suite, certificate chain and a
 * prekey made for this connection. The initiator judges all of it before it
 * seals anything.
 */
#include <string.h>

#include "session.h"

enum { OFFER_FIELDS = 6 };

static void
set_th0(struct hf_session *s, struct hf_span hello, struct hf_span offer,
    struct hf_span leaf)
{
	const struct hf_span parts[] = { hello, offer, leaf };

	hf__transcript(s->hs->th0, parts, HF__ARRAY_N(parts));
	hf__request_info_hash(s->hs->info_hash, &s->config->hpke, s->hs->th0);
}

enum hf_err
hf__offer_build(struct hf_session *s)
{
	const struct hf__chain *own = &s->config->own;
	struct hf__handshake *hs = s->hs;
	const struct hf__suite *suite = hs->outer.suite;
	size_t i, cap = 512;
	struct hf__writer w;
	uint8_t *room, random[32];
	enum hf_err e;

	for (i = 0; i < own->n; i++)
		cap += own->cert[i].len + 3;
	if ((room = hf__buffer_room(&s->out, cap)) == NULL)
		return HF_E_MEMORY;
	randombytes_buf(random, sizeof(random));
	e = suite->kem->pair(&hs->prekey, random);
	sodium_memzero(random, sizeof(random));
	if (e != HF_OK)
		return e;
	hf__write_init(&w, room, cap);
	hf__write_open(&w, HF__OFFER, OFFER_FIELDS);
	hf__write_uint(&w, suite->id);
	hf__write_chain(&w, own->cert, own->n);
	hf__write_bytes(&w, hs->prekey.pk, suite->kem->pk_len);
	hf__write_extensions(&w, 0, s->config->grease);
	if (w.err != HF_OK)
		return w.err;
	set_th0(s, hs->outer.message, (struct hf_span){ room, w.len },
	    own->cert[0]);
	s->out.len += w.len;
	s->suite = suite;
	hs->has_prekey = true;
	s->spoken = true;
	return HF_OK;
}

/*
 * Chain, name, realm and suite: everything that must be true of a responder
 * before a token is sealed to it.
 */
enum hf_err
hf__responder_judge(struct hf_session *s, const struct hf_span *chain,
    size_t n)
{
	struct hf_config *c = s->config;
	const struct hf__suite *suite;
	struct hf__cert leaf;
	enum hf_err e;

	if ((e = hf__chain_verify(&leaf, c->trust, hf__config_cache(c), chain,
		 n, HF_USAGE_RESPONDER, hf__config_expected(c), s->now)) !=
	    HF_OK)
		return e;
	suite = hf__suite_common(c->suites, c->suites_n, leaf.suites,
	    leaf.suites_n);
	if (suite == NULL || (s->suite != NULL && s->suite != suite))
		return HF_E_SUITE;
	if (c->id != NULL &&
	    sodium_memcmp(leaf.key.ptr, c->id->kem.pk, 32) == 0)
		return HF_E_POLICY; /* it is ourselves */
	if (c->realm.len > 0 &&
	    (leaf.realm.len != c->realm.len ||
		sodium_memcmp(leaf.realm.ptr, c->realm.text, c->realm.len) !=
		    0))
		return HF_E_NAME;
	if ((c->method == HF_METHOD_PASSWORD ||
		c->method == HF_METHOD_PLAIN_PASSWORD) &&
	    leaf.realm.len == 0)
		return HF_E_TOKEN;
	s->suite = suite;
	memcpy(s->hs->responder_pk, leaf.key.ptr, 32);
	return hf__set_peer_cert(s, &leaf);
}

enum hf_err
hf__offer_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	struct hf_span chain[HF_CHAIN_MAX], prekey;
	const struct hf__suite *suite;
	struct hf__reader r;
	uint64_t suite_id;
	enum hf_err e;
	size_t n;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__OFFER, OFFER_FIELDS);
	suite_id = hf__read_uint(&r, UINT16_MAX);
	hf__read_chain(&r, chain, &n);
	if (r.err == HF_OK && (suite = hf__suite_find(suite_id)) == NULL)
		return HF_E_SUITE;
	if (r.err != HF_OK)
		return r.err;
	prekey = hf__read_bytes(&r, suite->kem->pk_len, suite->kem->pk_len);
	(void)hf__read_extensions(&r);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	s->suite = suite;
	if ((e = hf__responder_judge(s, chain, n)) != HF_OK)
		return e;
	memcpy(s->hs->offered, prekey.ptr, prekey.len);
	s->hs->has_prekey = true;
	s->prekey = true;
	hf__key_id(s->hs->key_id, chain[0]);
	set_th0(s, (struct hf_span){ s->hs->hello, s->hs->hello_len }, message,
	    chain[0]);
	*next = HF__I_TRUST;
	return HF_OK;
}
