/* SPDX-License-Identifier: ISC */
/*
 * An initiator's session at rest (spec section 21.5): one sealed object, from
 * which another process goes on by a resume, and by nothing else, for it has
 * no traffic key. Where it is kept, and that it is used once, is the caller's.
 */
#include <string.h>

#include "session.h"

enum {
	FORMAT = 1,
	REST_FIELDS = 6,
	CLEAR_FIELDS = 4,
	PLAIN_FIELDS = 15,
	TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	PLAIN_MAX = 3072,
	AAD_MAX = 512
};
#define SECONDS_MAX ((uint64_t)1 << 53)

static const char label[] = "handfast/1 rest";

/* --- keys and what is in clear ------------------------------------------------- */

struct keys {
	uint8_t box[32], nonce[32];
};

static enum hf_err
make_keys(struct keys *k, const uint8_t key[32])
{
	static const char context[] = "hfrest__";

	return crypto_kdf_derive_from_key(k->box, sizeof(k->box), 1, context,
		   key) == 0 &&
		crypto_kdf_derive_from_key(k->nonce, sizeof(k->nonce), 2,
		    context, key) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}

static void
write_clear(struct hf__writer *w, const struct hf__rested *r)
{
	hf__write_uint(w, FORMAT);
	hf__write_text(w, r->peer, r->peer_len);
	hf__write_bytes(w, r->sid, sizeof(r->sid));
	hf__write_uint(w, r->expires);
}

static enum hf_err
make_aad(uint8_t aad[AAD_MAX], size_t *len, const struct hf__rested *r)
{
	struct hf__writer w;

	hf__write_init(&w, aad, AAD_MAX);
	hf__write_list(&w, CLEAR_FIELDS + 1);
	hf__write_text(&w, label, strlen(label));
	write_clear(&w, r);
	*len = w.len;
	return w.err;
}

/* --- what is sealed -------------------------------------------------------------- */

static void
write_plain(struct hf__writer *w, const struct hf__rested *r)
{
	size_t i;

	hf__write_list(w, PLAIN_FIELDS);
	hf__write_uint(w, r->suite);
	hf__write_uint(w, r->mobility);
	hf__write_uint(w, r->channels);
	hf__write_uint(w, r->epoch);
	hf__write_bytes(w, r->secret, sizeof(r->secret));
	hf__write_uint(w, r->serial);
	hf__write_mark(w, &r->sent);
	hf__write_mark(w, &r->acked);
	hf__write_mark(w, &r->received);
	hf__write_uint(w, r->covered);
	hf__write_uint(w, r->closed);
	hf__write_bytes(w, r->settings, sizeof(r->settings));
	hf__write_text(w, r->target, r->target_len);
	hf__write_bytes(w, r->leaf, r->leaf_len);
	hf__write_list(w, r->origin_n);
	for (i = 0; i < r->origin_n; i++)
		hf__write_bytes(w, r->origin[i], HF_ORIGIN_BYTES);
}

static void
copy_bytes(uint8_t *out, size_t *len, struct hf__reader *rd, size_t min,
    size_t max)
{
	struct hf_span bytes = hf__read_bytes(rd, min, max);

	if (rd->err != HF_OK)
		return;
	memcpy(out, bytes.ptr, bytes.len);
	if (len != NULL)
		*len = bytes.len;
}

/* A text, into a string. */
static void
copy_text(char *out, size_t *len, struct hf__reader *rd, size_t min,
    size_t max)
{
	struct hf_span text = hf__read_text(rd, min, max);

	if (rd->err != HF_OK)
		return;
	if (text.len > 0)
		memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
	*len = text.len;
}

/* What was acked is part of what was sent. */
static bool
within(const struct hf__mark *acked, const struct hf__mark *sent)
{
	if (acked->count == sent->count)
		return acked->bytes == sent->bytes &&
		    sodium_memcmp(acked->digest, sent->digest, 32) == 0;
	return acked->count < sent->count && acked->bytes <= sent->bytes;
}

static enum hf_err
read_plain(struct hf__rested *r, struct hf_span plain)
{
	struct hf__reader rd;
	size_t i;

	hf__read_init(&rd, plain.ptr, plain.len);
	(void)hf__read_list(&rd, PLAIN_FIELDS, PLAIN_FIELDS);
	r->suite = (uint16_t)hf__read_uint(&rd, UINT16_MAX);
	r->mobility = (enum hf_mobility)hf__read_uint(&rd, HF_MOVES_PROVED);
	r->channels = hf__read_uint(&rd, 1) != 0;
	r->epoch = hf__read_uint(&rd, UINT32_MAX);
	copy_bytes(r->secret, NULL, &rd, sizeof(r->secret), sizeof(r->secret));
	r->serial = hf__read_uint(&rd, UINT32_MAX);
	hf__read_mark(&rd, &r->sent);
	hf__read_mark(&rd, &r->acked);
	hf__read_mark(&rd, &r->received);
	r->covered = hf__read_uint(&rd, HF__SEQ_MAX);
	r->closed = (unsigned)hf__read_uint(&rd, HF__CLOSED_I | HF__CLOSED_R);
	copy_bytes(r->settings, NULL, &rd, sizeof(r->settings),
	    sizeof(r->settings));
	copy_text(r->target, &r->target_len, &rd, 0, HF_TARGET_MAX);
	copy_bytes(r->leaf, &r->leaf_len, &rd, 1, HF_CERT_MAX);
	r->origin_n = hf__read_list(&rd, 1, HF_CHAIN_MAX);
	for (i = 0; i < r->origin_n && rd.err == HF_OK; i++)
		copy_bytes(r->origin[i], NULL, &rd, HF_ORIGIN_BYTES,
		    HF_ORIGIN_BYTES);
	return hf__read_end(&rd) == HF_OK && r->mobility != HF_MOVES_NOT &&
		within(&r->acked, &r->sent) &&
		r->covered <= r->received.count ?
	    HF_OK :
	    HF_E_ENTRY;
}

/* --- the seal ---------------------------------------------------------------------- */

enum hf_err
hf__rest_seal(uint8_t out[HF_REST_MAX], size_t *len,
    const struct hf__rested *r, const uint8_t key[32])
{
	uint8_t aad[AAD_MAX], plain[PLAIN_MAX], nonce[HF__STATE_NONCE], *box;
	struct hf__writer w, inner;
	struct keys k;
	size_t aad_len;
	enum hf_err e;

	hf__write_init(&inner, plain, sizeof(plain));
	write_plain(&inner, r);
	if ((e = inner.err) != HF_OK ||
	    (e = make_aad(aad, &aad_len, r)) != HF_OK ||
	    (e = make_keys(&k, key)) != HF_OK ||
	    (e = hf__state_nonce(nonce, k.nonce,
		 (struct hf_span){ aad, aad_len },
		 (struct hf_span){ plain, inner.len })) != HF_OK)
		goto out;
	hf__write_init(&w, out, HF_REST_MAX);
	hf__write_list(&w, REST_FIELDS);
	write_clear(&w, r);
	hf__write_bytes(&w, nonce, sizeof(nonce));
	hf__write_bytes_head(&w, inner.len + TAG_BYTES);
	if ((box = hf__write_room(&w, inner.len + TAG_BYTES)) == NULL) {
		e = HF_E_SPACE;
		goto out;
	}
	e = crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, plain,
		inner.len, aad, aad_len, NULL, nonce, k.box) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
	*len = w.len;
out:
	sodium_memzero(&k, sizeof(k));
	sodium_memzero(plain, sizeof(plain));
	return e;
}

/* Only what opens is believed, what is in clear too. */
static enum hf_err
open_box(struct hf__rested *r, struct hf_span nonce, struct hf_span box,
    const uint8_t key[32])
{
	uint8_t aad[AAD_MAX], plain[PLAIN_MAX];
	struct keys k;
	size_t aad_len;
	enum hf_err e;

	if ((e = make_aad(aad, &aad_len, r)) != HF_OK ||
	    (e = make_keys(&k, key)) != HF_OK)
		return e;
	e = HF_E_ENTRY;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
		box.ptr, box.len, aad, aad_len, nonce.ptr, k.box) == 0)
		e = read_plain(r,
		    (struct hf_span){ plain, box.len - TAG_BYTES });
	sodium_memzero(&k, sizeof(k));
	sodium_memzero(plain, sizeof(plain));
	return e;
}

enum hf_err
hf__rest_open(struct hf__rested *r, const char *peer, const uint8_t *bytes,
    size_t len, const uint8_t key[32])
{
	struct hf_span nonce, box;
	struct hf__reader rd;
	enum hf_err e;

	memset(r, 0, sizeof(*r));
	if (len > HF_REST_MAX)
		return HF_E_ENTRY;
	hf__read_init(&rd, bytes, len);
	(void)hf__read_list(&rd, REST_FIELDS, REST_FIELDS);
	if (hf__read_uint(&rd, UINT32_MAX) != FORMAT)
		return HF_E_ENTRY;
	copy_text(r->peer, &r->peer_len, &rd, 1, HF_NAME_MAX);
	copy_bytes(r->sid, NULL, &rd, sizeof(r->sid), sizeof(r->sid));
	r->expires = hf__read_uint(&rd, SECONDS_MAX);
	nonce = hf__read_bytes(&rd, HF__STATE_NONCE, HF__STATE_NONCE);
	box = hf__read_bytes(&rd, TAG_BYTES, PLAIN_MAX + TAG_BYTES);
	e = hf__read_end(&rd) == HF_OK && strcmp(peer, r->peer) == 0 ?
	    open_box(r, nonce, box, key) :
	    HF_E_ENTRY;
	if (e != HF_OK)
		sodium_memzero(r, sizeof(*r));
	return e;
}

/* --- sessions ------------------------------------------------------------------------ */

static void
mix(crypto_generichash_state *h, const void *ptr, size_t len)
{
	uint8_t head[8];
	size_t i;

	for (i = 0; i < sizeof(head); i++)
		head[i] = (uint8_t)((uint64_t)len >> (8 * i));
	(void)crypto_generichash_update(h, head, sizeof(head));
	if (len > 0)
		(void)crypto_generichash_update(h, ptr, len);
}

/* Who is to be shown, and to whom: a session that was made for others is not
 * this configuration's. */
static void
settings_of(uint8_t out[32], const struct hf_config *c)
{
	const char *expect = hf__config_expected(c);
	uint8_t method = (uint8_t)c->method;
	crypto_generichash_state h;
	size_t i;

	(void)crypto_generichash_init(&h, NULL, 0, 32);
	mix(&h, &method, 1);
	for (i = 0; i < c->own.n; i++)
		mix(&h, c->own.cert[i].ptr, c->own.cert[i].len);
	mix(&h, c->user, strlen(c->user));
	mix(&h, c->ticket, c->ticket_len);
	mix(&h, expect, expect == NULL ? 0 : strlen(expect));
	mix(&h, c->realm.text, c->realm.len);
	mix(&h, c->target.text, c->target.len);
	(void)crypto_generichash_final(&h, out, 32);
	sodium_memzero(&h, sizeof(h));
}

static bool
may_rest(const struct hf_session *s)
{
	const struct hf__move *m = s->move;

	return hf_session_can_reconnect(s) && m->suite != NULL &&
	    (s->state == HF__OPEN || s->state == HF__FAILED) &&
	    m->refreshing == HF__REFRESH_NONE && m->kept.cert.ptr == NULL &&
	    m->covered <= m->released.count;
}

static void
describe(struct hf__rested *r, const struct hf_session *s)
{
	const struct hf__move *m = s->move;

	memcpy(r->sid, s->sid, sizeof(r->sid));
	r->expires = s->expires;
	r->suite = m->suite->id;
	r->mobility = m->mobility;
	r->channels = s->channels;
	r->epoch = m->epoch;
	r->serial = m->serial;
	memcpy(r->secret, s->secrets.resumption, sizeof(r->secret));
	hf__mark_get(&r->sent, &s->send);
	r->acked = m->acked;
	r->received = m->released;
	r->covered = m->covered;
	r->closed = (s->sent_close ? HF__CLOSED_I : 0U) |
	    (m->released_close ? HF__CLOSED_R : 0U);
	settings_of(r->settings, s->config);
	memcpy(r->target, s->target, sizeof(r->target));
	r->target_len = s->target_len;
	memcpy(r->leaf, s->peer_cert.ptr, s->peer_cert.len);
	r->leaf_len = s->peer_cert.len;
	memcpy(r->origin, s->origin, sizeof(r->origin));
	r->origin_n = s->origin_n;
}

enum hf_err
hf_session_rest(uint8_t *out, size_t cap, size_t *len,
    const struct hf_session *s, const char *peer, const uint8_t key[32])
{
	uint8_t object[HF_REST_MAX];
	struct hf__rested r;
	enum hf_err e;

	if (out == NULL || len == NULL || s == NULL || peer == NULL ||
	    key == NULL || strlen(peer) == 0 || strlen(peer) > HF_NAME_MAX)
		return HF_E_ARG;
	if (!may_rest(s))
		return HF_E_STATE;
	memset(&r, 0, sizeof(r));
	r.peer_len = strlen(peer);
	memcpy(r.peer, peer, r.peer_len + 1);
	describe(&r, s);
	e = hf__rest_seal(object, len, &r, key);
	sodium_memzero(&r, sizeof(r));
	if (e == HF_OK && *len > cap)
		e = HF_E_SPACE;
	if (e == HF_OK)
		memcpy(out, object, *len);
	return e;
}

static bool
allows(const struct hf_config *c, uint16_t suite)
{
	size_t i;

	for (i = 0; i < c->suites_n; i++)
		if (c->suites[i] == suite)
			return hf__suite_find(suite) != NULL;
	return false;
}

/* Nobody can say that an own file was not changed meanwhile: what it was made
 * with, and whom it believed, is judged anew. */
static enum hf_err
judge(struct hf__cert *leaf, const struct hf__rested *r,
    const struct hf_config *c, uint64_t now)
{
	struct hf_ticket_info from = { .origin_n = r->origin_n };
	uint8_t settings[32];
	enum hf_err e;

	settings_of(settings, c);
	if (sodium_memcmp(settings, r->settings, sizeof(settings)) != 0 ||
	    !allows(c, r->suite) ||
	    hf__cert_parse(leaf, r->leaf, r->leaf_len) != HF_OK)
		return HF_E_ENTRY;
	if (now >= r->expires)
		return HF_E_EXPIRED;
	memcpy(from.origin, r->origin, sizeof(from.origin));
	if ((e = hf__origins_judge(c->trust, &from, now)) != HF_OK)
		return e;
	memcpy(leaf->origin, r->origin, sizeof(leaf->origin));
	leaf->origin_n = r->origin_n;
	return HF_OK;
}

/* As it would be if its connection had broken. */
static enum hf_err
restore(struct hf_session *s, const struct hf__rested *r,
    const struct hf__cert *leaf)
{
	struct hf__move *m;
	enum hf_err e;

	s->state = HF__FAILED;
	s->error = HF_E_TRUNCATED;
	s->authenticated = s->spoken = true;
	memcpy(s->sid, r->sid, sizeof(s->sid));
	s->has_sid = true;
	s->expires = r->expires;
	s->channels = r->channels;
	s->suite = hf__suite_find(r->suite);
	memcpy(s->secrets.resumption, r->secret, sizeof(r->secret));
	memcpy(s->target, r->target, sizeof(s->target));
	s->target_len = r->target_len;
	if ((e = hf__set_peer_cert(s, leaf)) != HF_OK ||
	    (e = hf__move_new(s, r->mobility)) != HF_OK)
		return e;
	m = s->move;
	m->suite = s->suite;
	m->epoch = r->epoch;
	m->serial = r->serial;
	m->heard = true;
	m->acked = r->acked;
	m->covered = r->covered;
	m->released = m->told = r->received;
	s->sent_close = (r->closed & HF__CLOSED_I) != 0;
	s->got_close = m->released_close = (r->closed & HF__CLOSED_R) != 0;
	m->close_count = s->got_close ? r->received.count : 0;
	hf__mark_set(&s->send, &r->sent);
	hf__mark_set(&s->recv, &r->received);
	if ((e = hf__history_restart(&m->sent, &r->sent)) != HF_OK)
		return e;
	return hf__history_restart(&m->received, &r->received);
}

enum hf_err
hf_session_wake(struct hf_session **session, struct hf_config *c,
    const char *peer, const uint8_t *object, size_t len, const uint8_t key[32],
    uint64_t now)
{
	struct hf__rested r;
	struct hf__cert leaf;
	struct hf_session *s;
	enum hf_err e;

	if (session == NULL || c == NULL || c->role != HF_INITIATOR ||
	    peer == NULL || object == NULL || key == NULL)
		return HF_E_ARG;
	*session = NULL;
	if ((e = hf__config_check(c, now)) != HF_OK)
		return e;
	if ((e = hf__rest_open(&r, peer, object, len, key)) != HF_OK ||
	    (e = judge(&leaf, &r, c, now)) != HF_OK ||
	    (e = hf__session_allocate(&s)) != HF_OK)
		goto out;
	s->config = c;
	s->now = now;
	if ((e = restore(s, &r, &leaf)) == HF_OK)
		*session = s;
	else
		hf_session_free(s);
out:
	sodium_memzero(&r, sizeof(r));
	return e;
}
