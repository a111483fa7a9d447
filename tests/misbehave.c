/* SPDX-License-Identifier: ISC */
/*
 * The misbehaving peer: who it is, how it makes each of its messages, and the
 * one place where its switch spoils what is sent. It judges nothing; where the
 * switch has cost it its keys it goes on with wrong ones.
 */
#include <string.h>

#include "misbehave.h"

static bool
is(const struct peer *p, enum said what, enum act act)
{
	return p->how != NULL && p->how->at == what && p->how->act == act;
}

static void
prepare(struct peer *p, enum said what)
{
	if (p->how != NULL && p->how->at == what && p->how->prepare != NULL)
		p->how->prepare(p);
}

static void
edit(struct blob *b, const struct peer *p, enum said what, enum act act)
{
	if (is(p, what, act))
		(void)replace(b, p->how->n, p->how->raw.ptr, p->how->raw.len);
}

static void
append(struct blob *b, struct hf_span more)
{
	assert_true(b->len + more.len <= sizeof(b->bytes));
	if (more.len > 0)
		memcpy(b->bytes + b->len, more.ptr, more.len);
	b->len += more.len;
}

/* --- writing -------------------------------------------------------------------- */

static void
begin(struct hf__writer *w, struct blob *b)
{
	hf__write_init(w, b->bytes, sizeof(b->bytes));
}

static void
finish(struct hf__writer *w, struct blob *b)
{
	assert_ok(w->err);
	b->len = w->len;
}

static void
write_cookie(struct hf__writer *w, const struct peer *p)
{
	if (p->cookie_len == 0)
		hf__write_null(w);
	else
		hf__write_bytes(w, p->cookie, p->cookie_len);
}

/* Behind the message: the head of a box with its tag, and room for it. */
static uint8_t *
box(struct blob *b, size_t len)
{
	struct hf__writer w;
	uint8_t *room;

	hf__write_init(&w, b->bytes + b->len, sizeof(b->bytes) - b->len);
	hf__write_bytes_head(&w, len + HF__TAG_BYTES);
	room = hf__write_room(&w, len + HF__TAG_BYTES);
	assert_non_null(room);
	b->len += w.len;
	return room;
}

static void
fresh(struct hf__pair *pair)
{
	uint8_t random[32];

	randombytes_buf(random, sizeof(random));
	assert_ok(hf__kem_x25519.pair(pair, random));
}

/* --- the initiator's messages ---------------------------------------------------- */

static void
say_hello(struct peer *p, struct blob *b)
{
	const struct hf_config *c = p->world->i;
	struct hf__writer w;
	size_t i;

	prepare(p, SAY_HELLO);
	begin(&w, b);
	hf__write_open(&w, HF__HELLO, 6);
	hf__write_list(&w, c->suites_n);
	for (i = 0; i < c->suites_n; i++)
		hf__write_uint(&w, c->suites[i]);
	hf__write_text(&w, p->target, strlen(p->target));
	write_cookie(&w, p);
	hf__write_map(&w, 0);
	finish(&w, b);
	edit(b, p, SAY_HELLO, OUTSIDE);
}

static void
request_plain(struct blob *b, const struct peer *p)
{
	uint8_t padding[3 * HF__PAD_BYTES];
	struct hf__writer w;
	size_t item;

	begin(&w, b);
	hf__write_list(&w, 5);
	hf__write_bytes(&w, p->transport_key, 32);
	hf__token_write(&w, &p->token);
	hf__write_uint(&w, p->time);
	hf__write_null(&w);
	hf__write_bytes(&w, NULL, 0);
	finish(&w, b);
	if (is(p, SAY_REQUEST, INSIDE) && p->how->n < 4)
		edit(b, p, SAY_REQUEST, INSIDE);
	item = HF__PAD_BYTES - --b->len % HF__PAD_BYTES;
	if (item == 25)
		item += HF__PAD_BYTES;
	hf__write_init(&w, b->bytes + b->len, sizeof(b->bytes) - b->len);
	memset(padding, p->padding, sizeof(padding));
	hf__write_bytes(&w, padding,
	    item - (item <= 24 ? 1 : 2) + p->more_padding);
	assert_ok(w.err);
	b->len += w.len;
	if (is(p, SAY_REQUEST, INSIDE) && p->how->n == 4)
		edit(b, p, SAY_REQUEST, INSIDE);
	if (is(p, SAY_REQUEST, MORE_INSIDE))
		append(b, p->how->raw);
}

static void
request_outer(struct blob *b, const struct peer *p)
{
	struct hf__writer w;

	begin(&w, b);
	hf__write_open(&w, HF__REQUEST, 10);
	hf__write_uint(&w, p->suite);
	hf__write_bytes(&w, p->key_id, sizeof(p->key_id));
	hf__write_text(&w, p->target, strlen(p->target));
	write_cookie(&w, p);
	hf__write_bytes(&w, p->enc, 32);
	if (p->has_prekey)
		hf__write_bytes(&w, NULL, 0);
	else
		hf__write_null(&w);
	hf__write_map(&w, 0);
	finish(&w, b);
	edit(b, p, SAY_REQUEST, OUTSIDE);
}

static void
say_request(struct peer *p, struct blob *b)
{
	uint8_t ss[32], psk[32] = { 0 };
	struct hf__hpke ctx;
	struct blob plain;
	size_t aad_len;

	fresh(&p->ephemeral);
	memcpy(p->enc, p->ephemeral.pk, 32);
	randombytes_buf(p->transport_key, 32);
	prepare(p, SAY_REQUEST);
	request_outer(b, p);
	aad_len = b->len;
	request_plain(&plain, p);
	peer_encap(ss, p, p->responder_pk);
	if (p->has_prekey)
		peer_encap(psk, p, p->offered);
	peer_context(&ctx, p, ss, psk);
	assert_ok(hf__hpke_seal(box(b, plain.len), &ctx, b->bytes, aad_len,
	    plain.bytes, plain.len));
	edit(b, p, SAY_REQUEST, AFTERWARDS);
	peer_th1(p, (struct hf_span){ b->bytes, b->len });
}

static void
say_confirm(struct peer *p, struct blob *b)
{
	struct hf__writer w;

	prepare(p, SAY_CONFIRM);
	begin(&w, b);
	hf__write_open(&w, HF__CONFIRM, 2);
	finish(&w, b);
	assert_ok(hf__box_seal(box(b, 0), 0, b->bytes, 2, p->secrets.confirm));
	edit(b, p, SAY_CONFIRM, AFTERWARDS);
}

/* --- the responder's messages ----------------------------------------------------- */

static void
say_offer(struct peer *p, struct blob *b)
{
	struct hf__writer w;

	fresh(&p->prekey);
	memcpy(p->offered, p->prekey.pk, 32);
	prepare(p, SAY_OFFER);
	begin(&w, b);
	hf__write_open(&w, HF__OFFER, 6);
	hf__write_uint(&w, p->suite);
	hf__write_chain(&w, p->chain, p->chain_n);
	hf__write_bytes(&w, p->offered, 32);
	hf__write_map(&w, 0);
	finish(&w, b);
	edit(b, p, SAY_OFFER, OUTSIDE);
	p->has_prekey = true;
	peer_th0(p, (struct hf_span){ p->heard.bytes, p->heard.len },
	    (struct hf_span){ b->bytes, b->len }, p->chain[0]);
}

static void
say_retry(struct peer *p, struct blob *b)
{
	struct hf__writer w;

	begin(&w, b);
	hf__write_open(&w, HF__RETRY, 2);
	hf__write_bytes(&w, "a cookie", 8);
	finish(&w, b);
	edit(b, p, SAY_RETRY, OUTSIDE);
}

static void
grant_plain(struct blob *b, const struct peer *p)
{
	uint8_t sid[HF_SID_BYTES];
	struct hf__writer w;

	randombytes_buf(sid, sizeof(sid));
	begin(&w, b);
	hf__write_list(&w, 4);
	hf__write_bytes(&w, p->session_key, 32);
	hf__write_bytes(&w, sid, sizeof(sid));
	hf__write_uint(&w, p->lifetime);
	hf__write_uint(&w, HF_MOVES_NOT);
	finish(&w, b);
	edit(b, p, SAY_GRANT, INSIDE);
	if (is(p, SAY_GRANT, MORE_INSIDE))
		append(b, p->how->raw);
}

static void
grant_outer(struct blob *b, const struct peer *p)
{
	struct hf__writer w;

	begin(&w, b);
	hf__write_open(&w, HF__GRANT, 6);
	hf__write_bytes(&w, p->enc, 32);
	if (p->method == HF_METHOD_CERTIFICATE)
		hf__write_bytes(&w, NULL, 0);
	else
		hf__write_null(&w);
	hf__write_map(&w, 0);
	finish(&w, b);
	edit(b, p, SAY_GRANT, OUTSIDE);
}

static void
say_grant(struct peer *p, struct blob *b)
{
	uint8_t ss[32], bound[32], *room;
	struct hf__grant_keys keys;
	struct blob plain;
	size_t aad_len;

	fresh(&p->ephemeral);
	memcpy(p->enc, p->ephemeral.pk, 32);
	randombytes_buf(p->session_key, 32);
	p->lifetime = 3600;
	prepare(p, SAY_GRANT);
	grant_outer(b, p);
	aad_len = b->len;
	grant_plain(&plain, p);
	peer_encap(ss, p, p->reply);
	hf__schedule_grant(&keys, p->transport_key, p->th1, ss,
	    peer_binder(bound, p, NULL));
	room = box(b, plain.len);
	memcpy(room, plain.bytes, plain.len);
	assert_ok(hf__box_seal(room, plain.len, b->bytes, aad_len, keys.box));
	edit(b, p, SAY_GRANT, AFTERWARDS);
	peer_derive(p, (struct hf_span){ b->bytes, b->len }, &keys);
}

/* --- records ------------------------------------------------------------------------ */

static void
say_record(struct peer *p, struct blob *b, enum said what)
{
	static const struct hf_span data[] = { RAW("one"), RAW("two"),
		RAW("") };
	struct hf__writer w;
	uint8_t *room;

	p->aad[0] = 0x82;
	p->aad[1] = HF__RECORD;
	p->content = what == SAY_CLOSE ? HF__CLOSE : HF__DATA;
	p->data = data[what - SAY_FIRST];
	prepare(p, what);
	begin(&w, b);
	hf__write_open(&w, HF__RECORD, 2);
	finish(&w, b);
	room = box(b, p->data.len + 1);
	if (p->data.len > 0)
		memcpy(room, p->data.ptr, p->data.len);
	room[p->data.len] = (uint8_t)p->content;
	peer_seal(p, room, p->data.len + 1);
	edit(b, p, what, AFTERWARDS);
}

/* --- saying ------------------------------------------------------------------------- */

static void
make(struct peer *p, struct blob *b, enum said what)
{
	static void (*const makers[])(struct peer *,
	    struct blob *) = { say_hello, say_offer, say_retry, say_request,
		say_grant, say_confirm };

	if (what < HF__ARRAY_N(makers))
		makers[what](p, b);
	else
		say_record(p, b, what);
}

void
peer_say(struct peer *p, struct blob *out, enum said what)
{
	struct blob *b = &p->said[what];
	struct hf_span all;

	make(p, b, what);
	out->len = 0;
	if (is(p, what, INSTEAD)) {
		append(out, p->how->raw);
		return;
	}
	if (is(p, what, UNSAID))
		return;
	if (is(p, what, LATE)) {
		p->late = *b;
		return;
	}
	if (is(p, what, REPLAY))
		*b = p->earlier->said[what];
	if (is(p, what, ECHO))
		*b = p->heard;
	if (is(p, what, FLIP))
		b->bytes[b->len - p->how->n] ^= 1;
	if (is(p, what, BEFORE))
		append(out, p->how->raw);
	all = (struct hf_span){ b->bytes, b->len };
	if (is(p, what, CUT)) {
		all.len = p->how->n;
		p->ended = true;
	}
	append(out, all);
	if (is(p, what, TWICE))
		append(out, all);
	if (is(p, what, BEHIND))
		append(out, p->how->raw);
	append(out, (struct hf_span){ p->late.bytes, p->late.len });
	p->late.len = 0;
}

/* --- who it is ---------------------------------------------------------------------- */

static void
set_token(struct peer *p)
{
	const struct hf_config *c = p->world->i;

	p->token = (struct hf__token){ .method = p->method, .chain_n = 1 };
	p->token.chain[0] = p->world->initiator_chain[0];
	p->token.user = (struct hf_span){ (const uint8_t *)"alice", 5 };
	p->token.password = p->method == HF_METHOD_PASSWORD ?
	    (struct hf_span){ p->world->stretched, HF_KEY_BYTES } :
	    (struct hf_span){ (const uint8_t *)"secret", 6 };
	if (p->method == HF_METHOD_TICKET) {
		p->token.ticket = c->ticket_file.ticket;
		memcpy(p->pop, c->ticket_file.key.ptr, 32);
	}
}

void
peer_init(struct peer *p, struct world *w, const struct meeting *m,
    enum hf_role role, const struct misbehaviour *how)
{
	struct hf_span none = { NULL, 0 };

	memset(p, 0, sizeof(*p));
	p->world = w;
	p->meeting = m;
	p->role = role;
	p->how = how;
	hf__hpke_base_init(&p->base);
	p->own = role == HF_INITIATOR ? w->initiator->kem : w->responder->kem;
	p->chain[0] = w->responder_chain[0];
	p->chain_n = 1;
	p->suite = 1;
	p->time = NOW;
	p->label = "handfast/1 request";
	p->target = m->target == NULL ? "" : m->target;
	memcpy(p->responder_pk, w->responder->kem.pk, 32);
	hf__key_id(p->key_id, w->responder_chain[0]);
	peer_th0(p, none, none, w->responder_chain[0]);
	p->method = m->method;
	if (role == HF_INITIATOR)
		set_token(p);
}
