/* SPDX-License-Identifier: ISC */
/*
 * What requests and grants were made of, from a session that holds its part of
 * the secrets, by the functions that the session itself uses. Nothing here
 * changes the session.
 */
#include <string.h>

#include "vectors.h"

/* The request's outer parts; shape is not judged again. */
static void
split_request(struct hf_span message, size_t *aad_len, struct hf_span *box)
{
	struct hf__reader r;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__REQUEST, 10);
	(void)hf__read_uint(&r, UINT16_MAX);
	(void)hf__read_bytes(&r, 0, HF_MESSAGE_MAX);
	(void)hf__read_text(&r, 0, HF_TARGET_MAX);
	(void)hf__read_cookie(&r);
	(void)hf__read_bytes(&r, 0, HF_MESSAGE_MAX);
	(void)hf__read_bytes_or_null(&r, 0, HF_MESSAGE_MAX);
	hf__read_extensions(&r);
	*aad_len = r.off;
	*box = hf__read_bytes(&r, HF__TAG_BYTES, HF_MESSAGE_MAX);
}

/* The two encapsulated secrets, by either side. */
static enum hf_err
request_secrets(uint8_t ss[32], uint8_t psk[32], const struct hf_session *s,
    const struct hf__pair *prekey)
{
	const struct hf__hpke_base *base = &s->config->hpke;
	const struct hf__handshake *hs = s->hs;
	const struct hf__kem *kem = s->suite->kem;
	const uint8_t *enc = hs->outer.enc.ptr;
	enum hf_err e;

	if (s->config->role == HF_INITIATOR) {
		if ((e = kem->encap(ss, NULL, base, &hs->ephemeral,
			 hs->responder_pk)) != HF_OK)
			return e;
		return hs->has_prekey ?
		    kem->encap(psk, NULL, base, &hs->ephemeral, hs->offered) :
		    HF_OK;
	}
	if ((e = kem->decap(ss, base, &s->config->id->kem, enc)) != HF_OK)
		return e;
	return hs->has_prekey ? kem->decap(psk, base, prekey, enc) : HF_OK;
}

/* What the box holds. The responder has opened it in place. */
static struct hf_span
request_plain(struct vec *v, const struct hf_session *s,
    const struct hf__hpke *ctx, struct hf_span message)
{
	struct hf__hpke once = *ctx;
	struct hf_span box = s->hs->outer.box;
	size_t aad_len;
	uint8_t *plain;

	if (message.ptr == NULL)
		return (struct hf_span){ s->in.ptr + s->in.start +
			    (box.ptr - s->hs->outer.message.ptr),
			box.len - HF__TAG_BYTES };
	split_request(message, &aad_len, &box);
	if (box.ptr == NULL) {
		vec_fault(v, "requests", "a request that does not parse");
		return (struct hf_span){ vec_alloc(v, 0), 0 };
	}
	plain = vec_alloc(v, box.len);
	if (hf__hpke_open(plain, &once, message.ptr, aad_len, box.ptr,
		box.len) != HF_OK)
		vec_fault(v, "requests", "a box that does not open");
	return (struct hf_span){ plain, box.len - HF__TAG_BYTES };
}

json_t *
vec_inside_request(struct vec *v, const struct hf_session *s,
    const struct hf__pair *prekey, struct hf_span message)
{
	const struct hf__hpke_base *base = &s->config->hpke;
	const struct hf__handshake *hs = s->hs;
	uint8_t ss[32], psk[32], info_hash[32];
	json_t *json = json_object();
	struct hf_span plain;
	struct hf__hpke ctx;

	if (request_secrets(ss, psk, s, prekey) != HF_OK)
		vec_fault(v, "requests", "no shared secret");
	hf__request_info_hash(info_hash, base, hs->th0);
	hf__hpke_schedule(&ctx, base, ss, info_hash,
	    hs->has_prekey ? psk : NULL, base->psk_id_prekey, false);
	plain = request_plain(v, s, &ctx, message);
	vec_put_hex(v, json, "th0", hs->th0, sizeof(hs->th0));
	vec_put_hex(v, json, "plaintext", plain.ptr, plain.len);
	vec_put_hex(v, json, "shared_secret", ss, sizeof(ss));
	vec_put(v, json, "psk",
	    hs->has_prekey ? vec_json_hex(psk, sizeof(psk)) : json_null());
	vec_put_hex(v, json, "key", ctx.key, sizeof(ctx.key));
	vec_put_hex(v, json, "nonce", ctx.nonce, sizeof(ctx.nonce));
	vec_put_hex(v, json, "th1", hs->th1, sizeof(hs->th1));
	return json;
}

/* --- grants --------------------------------------------------------------------- */

struct grant_parts {
	struct hf_span enc, box;
	size_t aad_len;
};

static bool
split_grant(struct grant_parts *p, struct hf_span message)
{
	struct hf__reader r;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__GRANT, 6);
	p->enc = hf__read_bytes(&r, HF_KEY_BYTES, HF_KEY_BYTES);
	(void)hf__read_bytes_or_null(&r, 0, 0);
	hf__read_extensions(&r);
	p->aad_len = r.off;
	p->box = hf__read_bytes(&r, HF__TAG_BYTES, 64 + HF__TAG_BYTES);
	return hf__read_end(&r) == HF_OK;
}

static enum hf_err
binder_of(uint8_t binder[32], size_t *len, const struct hf_session *s,
    const uint8_t *enc)
{
	const struct hf_config *c = s->config;

	*len = 0;
	if (c->method == HF_METHOD_CERTIFICATE) {
		*len = 32;
		return s->suite->kem->decap(binder, &c->hpke, &c->id->kem,
		    enc);
	}
	if (c->method == HF_METHOD_TICKET) {
		*len = 32;
		memcpy(binder, c->ticket_file.key.ptr, 32);
	}
	return HF_OK;
}

void
vec_master(uint8_t master[32], const uint8_t session_key[32],
    const uint8_t chain[32], const uint8_t th2[32])
{
	static const char label[] = "handfast/1 master";
	uint8_t key[64], data[sizeof(label) - 1 + 32];

	memcpy(key, session_key, 32);
	memcpy(key + 32, chain, 32);
	memcpy(data, label, sizeof(label) - 1);
	memcpy(data + sizeof(label) - 1, th2, 32);
	if (crypto_generichash(master, 32, data, sizeof(data), key,
		sizeof(key)) != 0)
		sodium_misuse();
}

/* The session key and id out of the plaintext. */
static void
read_granted(struct vec_grant *grant, struct vec *v, struct hf_span plain)
{
	struct hf_span key, sid;
	struct hf__reader r;

	hf__read_init(&r, plain.ptr, plain.len);
	(void)hf__read_list(&r, 4, 4);
	key = hf__read_bytes(&r, HF_KEY_BYTES, HF_KEY_BYTES);
	sid = hf__read_bytes(&r, HF_SID_BYTES, HF_SID_BYTES);
	if (r.err != HF_OK) {
		vec_fault(v, "grant.plaintext", "does not parse");
		return;
	}
	memcpy(grant->session_key, key.ptr, HF_KEY_BYTES);
	memcpy(grant->sid, sid.ptr, HF_SID_BYTES);
}

void
vec_inside_grant(struct vec_grant *grant, struct vec *v,
    const struct hf_session *s, struct hf_span message)
{
	uint8_t ss[32], binder[32], th2[32], *plain;
	struct hf__grant_keys keys;
	struct grant_parts p;
	size_t binder_len;
	json_t *json = json_object();

	grant->inside = json;
	if (!split_grant(&p, message) ||
	    s->suite->kem->decap(ss, &s->config->hpke, &s->hs->ephemeral,
		p.enc.ptr) != HF_OK ||
	    binder_of(binder, &binder_len, s, p.enc.ptr) != HF_OK) {
		vec_fault(v, "grant", "does not parse");
		return;
	}
	hf__schedule_grant(&keys, s->hs->transport_key, s->hs->th1, ss,
	    binder_len > 0 ? binder : NULL);
	plain = vec_alloc(v, p.box.len);
	if (hf__box_open(plain, p.box.ptr, p.box.len, message.ptr, p.aad_len,
		keys.box) != HF_OK) {
		vec_fault(v, "grant", "does not open");
		return;
	}
	read_granted(grant, v,
	    (struct hf_span){ plain, p.box.len - HF__TAG_BYTES });
	hf__transcript(th2, (struct hf_span[]){ { s->hs->th1, 32 }, message },
	    2);
	vec_master(grant->master, grant->session_key, keys.chain, th2);
	vec_put_hex(v, json, "ss", ss, sizeof(ss));
	vec_put_hex(v, json, "binder", binder, binder_len);
	vec_put_hex(v, json, "key", keys.box, sizeof(keys.box));
	vec_put_hex(v, json, "chain", keys.chain, sizeof(keys.chain));
	vec_put_hex(v, json, "plaintext", plain, p.box.len - HF__TAG_BYTES);
	vec_put_hex(v, json, "th2", th2, sizeof(th2));
}

/* --- keys ------------------------------------------------------------------------ */

static void
put_traffic(struct vec *v, json_t *json, const char *side,
    const struct hf__suite *suite, const struct hf__traffic *t)
{
	char name[VEC_FIELD];

	(void)snprintf(name, sizeof(name), "%s_key", side);
	vec_put_hex(v, json, name, t->ratchet, sizeof(t->ratchet));
	(void)snprintf(name, sizeof(name), "%s_iv", side);
	vec_put_hex(v, json, name, t->iv, suite->aead->iv_len);
	(void)snprintf(name, sizeof(name), "%s_digest", side);
	vec_put_hex(v, json, name, t->digest, sizeof(t->digest));
}

json_t *
vec_keys_json(struct vec *v, const struct hf__suite *suite,
    const struct hf__secrets *secrets, const struct hf__traffic *initiator,
    const struct hf__traffic *responder)
{
	json_t *json = json_object();

	put_traffic(v, json, "initiator", suite, initiator);
	put_traffic(v, json, "responder", suite, responder);
	vec_put_hex(v, json, "confirmation", secrets->confirm, 32);
	vec_put_hex(v, json, "resumption", secrets->resumption, 32);
	vec_put_hex(v, json, "exporter", secrets->exporter, 32);
	return json;
}
