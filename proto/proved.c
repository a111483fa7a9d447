/* SPDX-License-Identifier: ISC */
/*
 * What proves the two ends of a session that moves to each other (spec section
 * 17.4): an encapsulation to the initiator's reply key, one to the server's
 * certified key and, where there is one, one to the initiator's. A proved
 * takeover and a refresh are made of it. It knows no message.
 */
#include "session.h"

enum hf_err
hf__proof_make(struct hf__proof *p, const struct hf_session *s,
    const struct hf__kem *kem, const uint8_t random[32], const uint8_t *reply,
    const uint8_t *initiator)
{
	const struct hf__hpke_base *base = &s->config->hpke;
	enum hf_err e;

	p->len = 0;
	if ((e = kem->pair(&p->pair, random)) != HF_OK ||
	    (e = kem->encap(p->shared, NULL, base, &p->pair, reply)) !=
		HF_OK ||
	    (e = kem->decap(p->shared + 32, base, &s->config->id->kem,
		 reply)) != HF_OK)
		return e;
	p->len = 64;
	if (initiator == NULL)
		return HF_OK;
	p->len = 96;
	return kem->encap(p->shared + 64, NULL, base, &p->pair, initiator);
}

enum hf_err
hf__proof_judge(struct hf__cert *leaf, const struct hf_session *s,
    const struct hf_span *chain, size_t n)
{
	struct hf_config *c = s->config;
	struct hf__cert first;
	enum hf_err e;

	if ((e = hf__cert_parse(&first, s->peer_cert.ptr, s->peer_cert.len)) !=
		HF_OK ||
	    (e = hf__chain_verify(leaf, c->trust, hf__config_cache(c), chain,
		 n, HF_USAGE_RESPONDER | HF_USAGE_SERVER, NULL, s->now)) !=
		HF_OK)
		return e;
	return leaf->cluster.len == first.cluster.len &&
		hf__same(leaf->cluster.ptr, first.cluster.ptr,
		    first.cluster.len) ?
	    HF_OK :
	    HF_E_NAME;
}

enum hf_err
hf__proof_share(struct hf__proof *p, const struct hf_session *s,
    const struct hf__pair *reply, const uint8_t *enc, const uint8_t *server)
{
	const struct hf__hpke_base *base = &s->config->hpke;
	const struct hf__kem *kem = s->suite->kem;
	enum hf_err e;

	p->len = 0;
	if ((e = kem->decap(p->shared, base, reply, enc)) != HF_OK ||
	    (e = kem->encap(p->shared + 32, NULL, base, reply, server)) !=
		HF_OK)
		return e;
	p->len = 64;
	if (s->config->method != HF_METHOD_CERTIFICATE)
		return HF_OK;
	p->len = 96;
	return kem->decap(p->shared + 64, base, &s->config->id->kem, enc);
}
