/* SPDX-License-Identifier: ISC */
/*
 * request, message 1 (spec section 4.4): a transport key and the initiator's
 * token, sealed by HPKE to the responder's certified key and, after an offer,
 * to its prekey too. Built and opened here; what a token means is judged
 * here, whether its bearer is welcome is the caller's to say.
 */
#include <string.h>

#include "session.h"

enum {
	REQUEST_FIELDS = 10,
	PLAIN_FIELDS = 5,
	TRANSPORT_KEY_BYTES = 32,
	REPLY_KEY_MAX = 2048
};

/* --- building ---------------------------------------------------------------- */

/* The padding that brings have bytes to a multiple of 128: its content's
 * length. A byte string can be 1 to 24 or 26 and more bytes long, not 25. */
static size_t
padding_len(size_t have)
{
	size_t item = HF__PAD_BYTES - have % HF__PAD_BYTES;

	if (item == 25)
		item += HF__PAD_BYTES;
	return item - (item <= 24 ? 1 : 2);
}

/* The plaintext; with a writer that only counts it says how long it is. */
static void
write_plain(struct hf__writer *w, const struct hf_session *s,
    const struct hf__token *token)
{
	static const uint8_t zeros[2 * HF__PAD_BYTES];

	hf__write_list(w, PLAIN_FIELDS);
	hf__write_bytes(w, s->hs->transport_key, TRANSPORT_KEY_BYTES);
	hf__token_write(w, token);
	hf__write_uint(w, s->now);
	hf__write_null(w); /* the reply key is enc */
	hf__write_bytes(w, zeros, padding_len(w->len));
}

static void
own_token(struct hf__token *token, const struct hf_session *s)
{
	const struct hf_config *c = s->config;

	*token = (struct hf__token){ .method = c->method };
	switch (c->method) {
	case HF_METHOD_CERTIFICATE:
		memcpy(token->chain, c->own.cert, sizeof(token->chain));
		token->chain_n = c->own.n;
		break;
	case HF_METHOD_PASSWORD:
	case HF_METHOD_PLAIN_PASSWORD:
		token->user = (struct hf_span){ (const uint8_t *)c->user,
			strlen(c->user) };
		token->password =
		    (struct hf_span){ s->hs->password, s->hs->password_len };
		break;
	case HF_METHOD_TICKET:
		token->ticket = c->ticket_file.ticket;
		break;
	}
}

/* The key schedule of the request's box, for either side. */
static enum hf_err
request_context(struct hf__hpke *ctx, const struct hf_session *s,
    const uint8_t ss[32], const uint8_t *psk)
{
	const struct hf__hpke_base *base = &s->config->hpke;

	hf__hpke_schedule(ctx, base, ss, s->hs->info_hash, psk,
	    base->psk_id_prekey, false);
	return HF_OK;
}

static enum hf_err
seal_context(struct hf__hpke *ctx, struct hf_session *s,
    const uint8_t random[32])
{
	const struct hf__hpke_base *base = &s->config->hpke;
	const struct hf__kem *kem = s->suite->kem;
	struct hf__handshake *hs = s->hs;
	uint8_t ss[32], psk[32];
	enum hf_err e;

	if ((e = kem->pair(&hs->ephemeral, random)) != HF_OK ||
	    (e = kem->encap(ss, NULL, base, &hs->ephemeral,
		 hs->responder_pk)) != HF_OK)
		goto out;
	if (hs->has_prekey &&
	    (e = kem->encap(psk, NULL, base, &hs->ephemeral, hs->offered)) !=
		HF_OK)
		goto out;
	e = request_context(ctx, s, ss, hs->has_prekey ? psk : NULL);
out:
	sodium_memzero(ss, sizeof(ss));
	sodium_memzero(psk, sizeof(psk));
	return e;
}

static void
write_outer(struct hf__writer *w, const struct hf_session *s)
{
	const struct hf__handshake *hs = s->hs;

	hf__write_open(w, HF__REQUEST, REQUEST_FIELDS);
	hf__write_uint(w, s->suite->id);
	hf__write_bytes(w, hs->key_id, sizeof(hs->key_id));
	hf__write_text(w, s->target, s->target_len);
	hf__write_cookie(w, hs);
	hf__write_bytes(w, hs->ephemeral.pk, s->suite->kem->enc_len);
	if (hs->has_prekey)
		hf__write_bytes(w, NULL, 0); /* the same enc serves */
	else
		hf__write_null(w);
	hf__write_first_extensions(w, s->config, s->config->channels);
}

/* Everything fresh: ephemeral, transport key, box key. */
enum hf_err
hf__request_build(struct hf_session *s)
{
	struct hf__handshake *hs = s->hs;
	struct hf__writer w, count, inner;
	struct hf__token token;
	struct hf__hpke ctx;
	size_t aad_len, cap;
	uint8_t *room, *box, random[TRANSPORT_KEY_BYTES + 32];
	enum hf_err e;

	own_token(&token, s);
	hf__write_init(&count, NULL, 0);
	write_plain(&count, s, &token);
	cap = count.len + HF__TAG_BYTES + 1024;
	if ((room = hf__buffer_room(&s->out, cap)) == NULL)
		return HF_E_MEMORY;
	randombytes_buf(random, sizeof(random));
	memcpy(hs->transport_key, random, TRANSPORT_KEY_BYTES);
	if ((e = seal_context(&ctx, s, random + TRANSPORT_KEY_BYTES)) != HF_OK)
		goto out;
	hf__write_init(&w, room, cap);
	write_outer(&w, s);
	aad_len = w.len;
	hf__write_bytes_head(&w, count.len + HF__TAG_BYTES);
	if ((box = hf__write_room(&w, count.len + HF__TAG_BYTES)) == NULL) {
		e = HF_E_SPACE;
		goto out;
	}
	hf__write_init(&inner, box, count.len);
	write_plain(&inner, s, &token);
	if ((e = inner.err) != HF_OK ||
	    (e = hf__hpke_seal(box, &ctx, room, aad_len, box, inner.len)) !=
		HF_OK)
		goto out;
	if (w.len > HF_MESSAGE_MAX) {
		e = HF_E_TOO_BIG;
		goto out;
	}
	hf__transcript(hs->th1,
	    (struct hf_span[]){ { hs->th0, 32 }, { room, w.len } }, 2);
	s->out.len += w.len;
	s->spoken = true;
out:
	if (e != HF_OK)
		sodium_memzero(room, cap);
	sodium_memzero(random, sizeof(random));
	sodium_memzero(&ctx, sizeof(ctx));
	return e;
}

/* --- parsing: what can be read before any public-key work -------------------- */

/* key id: of our certificate, and with the th0 that follows from it. */
static enum hf_err
check_key_id(struct hf_session *s, struct hf_span key_id)
{
	const struct hf_config *c = s->config;
	struct hf__handshake *hs = s->hs;

	if (sodium_memcmp(key_id.ptr, c->known.key_id, HF__KEY_ID_BYTES) != 0)
		return HF_E_UNKNOWN_KEY;
	if (hs->has_prekey)
		return HF_OK; /* set with the offer */
	memcpy(hs->th0, c->known.th0, 32);
	memcpy(hs->info_hash, c->known.info_hash, 32);
	return HF_OK;
}

static bool
own_suite(const struct hf_session *s, uint64_t id)
{
	const struct hf__cert *own = &s->config->own_leaf;
	size_t i;

	for (i = 0; i < own->suites_n; i++)
		if (own->suites[i] == id)
			return true;
	return false;
}

/* After a hello the request must keep to it. */
static bool
keeps_to_hello(const struct hf_session *s, const struct hf__outer *outer)
{
	if (!s->hs->has_prekey)
		return outer->prekey_enc.ptr == NULL;
	return outer->prekey_enc.ptr != NULL &&
	    outer->target.len == s->target_len &&
	    (s->target_len == 0 ||
		sodium_memcmp(outer->target.ptr, s->target, s->target_len) ==
		    0);
}

enum hf_err
hf__request_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	struct hf__outer outer = { .type = HF__REQUEST, .message = message };
	struct hf_span key_id, cookie;
	struct hf__reader r;
	uint64_t suite_id;
	enum hf_err e;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__REQUEST, REQUEST_FIELDS);
	suite_id = hf__read_uint(&r, UINT16_MAX);
	outer.suite = hf__suite_find(suite_id);
	if (r.err == HF_OK &&
	    (outer.suite == NULL || !own_suite(s, suite_id) ||
		(s->suite != NULL && s->suite != outer.suite)))
		return HF_E_SUITE;
	if (r.err != HF_OK)
		return r.err;
	key_id = hf__read_bytes(&r, HF__KEY_ID_BYTES, HF__KEY_ID_BYTES);
	outer.target = hf__read_text(&r, 0, HF_TARGET_MAX);
	cookie = hf__read_cookie(&r);
	outer.enc = hf__read_bytes(&r, outer.suite->kem->enc_len,
	    outer.suite->kem->enc_len);
	outer.prekey_enc = hf__read_bytes_or_null(&r, 0, 0);
	outer.channels = (hf__read_extensions(&r) & HF__EXT_CHANNELS) != 0;
	outer.aad_len = r.off;
	outer.box =
	    hf__read_bytes(&r, HF__PAD_BYTES + HF__TAG_BYTES, HF_MESSAGE_MAX);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	if (!keeps_to_hello(s, &outer))
		return HF_E_SHAPE;
	if ((e = check_key_id(s, key_id)) != HF_OK ||
	    (e = hf__set_target(s, outer.target)) != HF_OK)
		return e;
	s->hs->cookie_shown |= hf__cookie_valid(cookie, s->config->cookie_key,
	    HF__REQUEST, (struct hf_span){ s->source, s->source_len }, s->now);
	hf__transcript(s->hs->th1,
	    (struct hf_span[]){ { s->hs->th0, 32 }, message }, 2);
	s->hs->outer = outer;
	*next = HF__R_ADMIT;
	return HF_OK;
}

/* --- opening: public-key work, then the token --------------------------------- */

static enum hf_err
open_context(struct hf__hpke *ctx, const struct hf_session *s)
{
	const struct hf__hpke_base *base = &s->config->hpke;
	const struct hf__outer *outer = &s->hs->outer;
	const struct hf__kem *kem = outer->suite->kem;
	uint8_t ss[32], psk[32];
	enum hf_err e;

	if ((e = kem->decap(ss, base, &s->config->id->kem, outer->enc.ptr)) !=
	    HF_OK)
		goto out;
	if (s->hs->has_prekey &&
	    (e = kem->decap(psk, base, &s->hs->prekey, outer->enc.ptr)) !=
		HF_OK)
		goto out;
	e = request_context(ctx, s, ss, s->hs->has_prekey ? psk : NULL);
out:
	sodium_memzero(ss, sizeof(ss));
	sodium_memzero(psk, sizeof(psk));
	return e;
}

static enum hf_err
read_plain(struct hf_session *s, struct hf_span plain)
{
	struct hf__handshake *hs = s->hs;
	struct hf_span key, padding;
	struct hf__token token;
	struct hf__reader r;
	uint64_t time;
	enum hf_err e;

	hf__read_init(&r, plain.ptr, plain.len);
	(void)hf__read_list(&r, PLAIN_FIELDS, PLAIN_FIELDS);
	key = hf__read_bytes(&r, TRANSPORT_KEY_BYTES, TRANSPORT_KEY_BYTES);
	hf__token_read(&r, &token);
	s->method = token.method; /* also of one with a fault: it is counted */
	time = hf__read_uint(&r, UINT64_MAX);
	/* Null for a Diffie-Hellman suite; another KEM's key otherwise. */
	if (hf__read_bytes_or_null(&r, 1, REPLY_KEY_MAX).ptr != NULL)
		hf__read_fail(&r, HF_E_SHAPE);
	padding = hf__read_bytes(&r, 0, 2 * HF__PAD_BYTES);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	if (plain.len % HF__PAD_BYTES != 0 ||
	    (padding.len > 0 && !sodium_is_zero(padding.ptr, padding.len)))
		return HF_E_SHAPE;
	if (time > s->now + s->config->tolerance ||
	    time + s->config->tolerance < s->now)
		return HF_E_TIME;
	memcpy(hs->transport_key, key.ptr, TRANSPORT_KEY_BYTES);
	hs->token = token;
	return HF_OK;
}

/* --- judging the token --------------------------------------------------------- */

/* A refused certificate leaves the name that it claims, for the log. */
static enum hf_err
judge_certificate(struct hf_session *s, const struct hf__token *token)
{
	struct hf_config *c = s->config;
	struct hf__cert leaf;
	enum hf_err e;

	leaf.subject = (struct hf_span){ NULL, 0 };
	if ((e = hf__chain_verify(&leaf, c->trust, hf__config_cache(c),
		 token->chain, token->chain_n, HF_USAGE_INITIATOR, NULL,
		 s->now)) != HF_OK) {
		hf__set_name(s, leaf.subject);
		return e;
	}
	if (sodium_memcmp(leaf.key.ptr, c->id->kem.pk, 32) == 0)
		return HF_E_POLICY; /* it is ourselves */
	memcpy(s->hs->envelope_pk, leaf.key.ptr, 32);
	return hf__set_peer_cert(s, &leaf);
}

static enum hf_err
judge_password(struct hf_session *s, const struct hf__token *token)
{
	const struct hf_span realm = s->config->own_leaf.realm;
	size_t len = token->user.len;

	if (realm.len == 0 ||
	    (token->method == HF_METHOD_PLAIN_PASSWORD && !s->hs->has_prekey))
		return HF_E_TOKEN;
	memcpy(s->name, token->user.ptr, len);
	s->name[len] = '\0';
	memcpy(s->subject, s->name, len);
	s->subject[len] = '@';
	memcpy(s->subject + len + 1, realm.ptr, realm.len);
	s->subject[len + 1 + realm.len] = '\0';
	return HF_OK;
}

/* A ticket earned by a password names user@realm: in the own realm the user is
 * the name, as he was in the session that earned it. A user's name may hold an
 * @, a realm holds none. */
static void
set_ticket_name(struct hf_session *s, const struct hf_ticket_info *info)
{
	const unsigned password =
	    HF_METHOD_PASSWORD | HF_METHOD_PLAIN_PASSWORD;
	const struct hf_span realm = s->config->own_leaf.realm;
	char *at;

	memcpy(s->name, info->subject.text, info->subject.len + 1);
	memcpy(s->subject, info->subject.text, info->subject.len + 1);
	at = strrchr(s->name, '@');
	if ((info->first_method & password) != 0 && at != NULL &&
	    strlen(at + 1) == realm.len &&
	    hf__same(at + 1, realm.ptr, realm.len))
		*at = '\0';
}

static enum hf_err
judge_ticket(struct hf_session *s, const struct hf__token *token)
{
	const struct hf_config *c = s->config;
	struct hf_ticket_info *info;
	enum hf_err e;

	if (c->ring == NULL)
		return HF_E_TOKEN;
	info = hf__part_new(s, HF__PART_TICKET, sizeof(*info));
	if (info == NULL)
		return HF_E_MEMORY;
	if ((e = hf__ticket_open(info, s->hs->pop, c->ring, token->ticket)) !=
	    HF_OK)
		goto out;
	e = HF_E_TICKET;
	if (!hf__cert_named(&c->own_leaf, info->audience.text,
		info->audience.len))
		goto out;
	e = HF_E_EXPIRED;
	if (s->now >= info->expires || s->now >= info->limit)
		goto out;
	e = HF_E_NOT_YET;
	if (info->issued > s->now + c->tolerance)
		goto out;
	if ((e = hf__origins_judge(c->trust, info, s->now)) != HF_OK)
		goto out;
	set_ticket_name(s, info);
	s->ticket = info;
	return HF_OK;
out:
	hf__part_free(s, info, sizeof(*info));
	return e;
}

static enum hf_err
judge(struct hf_session *s)
{
	const struct hf__token *token = &s->hs->token;

	if ((token->method & s->config->accept) == 0)
		return HF_E_TOKEN;
	switch (token->method) {
	case HF_METHOD_CERTIFICATE:
		return judge_certificate(s, token);
	case HF_METHOD_TICKET:
		return judge_ticket(s, token);
	default:
		return judge_password(s, token);
	}
}

/* The held message is opened in place. Then the prekey has served (spec section
 * 4.2): to say whether the bearer is welcome may take the caller long. */
enum hf_err
hf__request_open(struct hf_session *s)
{
	const struct hf__outer *outer = &s->hs->outer;
	size_t plain_len = outer->box.len - HF__TAG_BYTES;
	uint8_t *box =
	    s->in.ptr + s->in.start + (outer->box.ptr - outer->message.ptr);
	struct hf__hpke ctx;
	enum hf_err e;

	if ((e = open_context(&ctx, s)) != HF_OK ||
	    (e = hf__hpke_open(box, &ctx, outer->message.ptr, outer->aad_len,
		 box, outer->box.len)) != HF_OK ||
	    (e = read_plain(s, (struct hf_span){ box, plain_len })) != HF_OK ||
	    (e = judge(s)) != HF_OK)
		goto out;
	s->suite = outer->suite;
	s->prekey = s->hs->has_prekey;
out:
	sodium_memzero(&ctx, sizeof(ctx));
	sodium_memzero(&s->hs->prekey, sizeof(s->hs->prekey));
	return e;
}
