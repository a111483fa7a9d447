/* SPDX-License-Identifier: ISC */
/*
 * The misbehaving peer's ears: what it takes from the honest side's messages.
 * They are honest, so it looks at little.
 */
#include <string.h>

#include "misbehave.h"

static void
hear_offer(struct peer *p, struct hf_span message)
{
	struct hf_span chain[HF_CHAIN_MAX], prekey;
	struct hf__cert leaf;
	struct hf__reader r;
	size_t n;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__OFFER, 6);
	p->suite = hf__read_uint(&r, UINT16_MAX);
	hf__read_chain(&r, chain, &n);
	prekey = hf__read_bytes(&r, 32, 32);
	assert_ok(r.err);
	assert_ok(hf__cert_parse(&leaf, chain[0].ptr, chain[0].len));
	memcpy(p->responder_pk, leaf.key.ptr, 32);
	memcpy(p->offered, prekey.ptr, 32);
	p->has_prekey = true;
	hf__key_id(p->key_id, chain[0]);
	peer_th0(p,
	    (struct hf_span){ p->said[SAY_HELLO].bytes,
		p->said[SAY_HELLO].len },
	    message, chain[0]);
}

static void
hear_retry(struct peer *p, struct hf_span message)
{
	struct hf_span cookie;
	struct hf__reader r;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__RETRY, 2);
	cookie = hf__read_bytes(&r, 1, HF__COOKIE_MAX);
	assert_ok(r.err);
	memcpy(p->cookie, cookie.ptr, p->cookie_len = cookie.len);
}

/* Opens, and keeps what the grant needs. */
static void
hear_request(struct peer *p, struct hf_span message)
{
	uint8_t ss[32], psk[32] = { 0 };
	struct hf_span enc, sealed, key;
	struct hf__hpke ctx;
	struct hf_ticket_info info;
	struct hf__token token;
	struct hf__cert leaf;
	struct hf__reader r;
	struct blob plain;
	size_t aad_len, i;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__REQUEST, 10);
	p->suite = hf__read_uint(&r, UINT16_MAX);
	for (i = 0; i < 3; i++)
		(void)hf__read_skip(&r, 1);
	enc = hf__read_bytes(&r, 32, 32);
	(void)hf__read_bytes_or_null(&r, 0, 0);
	(void)hf__read_skip(&r, 1);
	aad_len = r.off;
	sealed = hf__read_bytes(&r, 144, HF_MESSAGE_MAX);
	assert_ok(r.err);
	memcpy(p->reply, enc.ptr, 32);
	peer_decap(ss, p, &p->own, enc.ptr);
	if (p->has_prekey)
		peer_decap(psk, p, &p->prekey, enc.ptr);
	peer_context(&ctx, p, ss, psk);
	peer_th1(p, message);
	if (hf__hpke_open(plain.bytes, &ctx, message.ptr, aad_len, sealed.ptr,
		sealed.len) != HF_OK) {
		peer_must(p, HF_E_BOX);
		return;
	}
	hf__read_init(&r, plain.bytes, sealed.len - HF__TAG_BYTES);
	(void)hf__read_list(&r, 5, 5);
	key = hf__read_bytes(&r, 32, 32);
	hf__token_read(&r, &token);
	assert_ok(r.err);
	memcpy(p->transport_key, key.ptr, 32);
	p->method = token.method;
	if (p->method == HF_METHOD_CERTIFICATE) {
		assert_ok(hf__cert_parse(&leaf, token.chain[0].ptr,
		    token.chain[0].len));
		memcpy(p->envelope_pk, leaf.key.ptr, 32);
	} else if (p->method == HF_METHOD_TICKET) {
		assert_ok(hf__ticket_open(&info, p->pop, p->world->ring,
		    token.ticket));
	}
}

static void
hear_grant(struct peer *p, struct hf_span message)
{
	uint8_t ss[32], bound[32], plain[64] = { 0 };
	struct hf_span enc, sealed;
	struct hf__grant_keys keys;
	struct hf__reader r;
	size_t aad_len;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__GRANT, 6);
	enc = hf__read_bytes(&r, 32, 32);
	(void)hf__read_skip(&r, 1);
	(void)hf__read_skip(&r, 1);
	aad_len = r.off;
	sealed = hf__read_bytes(&r, 16, 80);
	assert_ok(r.err);
	peer_decap(ss, p, &p->ephemeral, enc.ptr);
	hf__schedule_grant(&keys, p->transport_key, p->th1, ss,
	    peer_binder(bound, p, enc.ptr));
	peer_must(p,
	    hf__box_open(plain, sealed.ptr, sealed.len, message.ptr, aad_len,
		keys.box));
	memcpy(p->session_key, plain + 3, 32);
	peer_derive(p, message, &keys);
}

static void
hear_confirm(const struct peer *p, struct hf_span message)
{
	peer_must(p,
	    hf__box_open(NULL, message.ptr + 3, HF__TAG_BYTES, message.ptr, 2,
		p->secrets.confirm));
}

static void
hear_record(struct peer *p, struct hf_span message)
{
	struct hf_span sealed;
	struct hf__reader r;
	enum hf_err e;
	struct blob b;
	size_t len;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__RECORD, 2);
	sealed = hf__read_bytes(&r, 17, sizeof(b.bytes));
	assert_ok(r.err);
	memcpy(b.bytes, sealed.ptr, len = sealed.len);
	e = peer_open(&p->recv, (unsigned)p->suite, b.bytes, &len);
	peer_must(p, e);
	if (e != HF_OK)
		return;
	if (b.bytes[len] == HF__CLOSE)
		p->closes++;
	else if (len == 5 && memcmp(b.bytes, "words", 5) == 0)
		p->words++;
}

void
peer_hear(struct peer *p, struct hf_span message)
{
	memcpy(p->heard.bytes, message.ptr, message.len);
	p->heard.len = message.len;
	switch (message.ptr[1]) {
	case HF__OFFER:
		hear_offer(p, message);
		break;
	case HF__RETRY:
		hear_retry(p, message);
		break;
	case HF__REQUEST:
		hear_request(p, message);
		break;
	case HF__GRANT:
		hear_grant(p, message);
		break;
	case HF__CONFIRM:
		hear_confirm(p, message);
		break;
	case HF__RECORD:
		hear_record(p, message);
		break;
	}
}
