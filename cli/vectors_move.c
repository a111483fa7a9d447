/* SPDX-License-Identifier: ISC */
/*
 * Kind "takeover": one real initiator, a real responder for each connection
 * that it makes, and the store of one entry that they share. Every message,
 * entry, secret and digest on the way is noted; messages get lost where the
 * vector says so.
 */
#include <string.h>

#include "vectors.h"

enum { CONNECTIONS_MAX = 8 };

struct course {
	struct vec *v;
	struct vec_side left, right[CONNECTIONS_MAX];
	json_t *told[CONNECTIONS_MAX]; /* what each was told, and the entry */
	size_t n;
	json_t *connections, *here;
	json_t *entry; /* in the store; null at first */
	const char *lose;
	bool lost;
};

static struct vec_side *
right_of(struct course *c)
{
	return &c->right[c->n - 1];
}

/* --- what resume and resumed were made of ------------------------------------ */

struct resume_parts {
	struct hf_span nonce, box;
	size_t aad_len;
};

static bool
split_resume(struct resume_parts *p, struct hf_span message)
{
	struct hf__reader r;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__RESUME, 11);
	(void)hf__read_bytes(&r, HF_SID_BYTES, HF_SID_BYTES);
	(void)hf__read_uint(&r, UINT32_MAX);
	(void)hf__read_uint(&r, UINT32_MAX);
	(void)hf__read_text(&r, 0, HF_TARGET_MAX);
	p->nonce = hf__read_bytes(&r, 32, 32);
	(void)hf__read_cookie(&r);
	(void)hf__read_bytes_or_null(&r, 0, HF_MESSAGE_MAX);
	hf__read_extensions(&r);
	p->aad_len = r.off;
	p->box = hf__read_bytes(&r, HF__TAG_BYTES, HF_MESSAGE_MAX);
	return hf__read_end(&r) == HF_OK;
}

static void
put_plain(struct vec *v, json_t *json, const uint8_t key[32],
    struct hf_span message, size_t aad_len, struct hf_span box)
{
	uint8_t *plain = vec_alloc(v, box.len);

	if (hf__box_open(plain, box.ptr, box.len, message.ptr, aad_len, key) !=
	    HF_OK)
		vec_fault(v, "plaintext", "its box does not open");
	vec_put_hex(v, json, "plaintext", plain, box.len - HF__TAG_BYTES);
	vec_put_hex(v, json, "key", key, 32);
}

/* By the initiator that has just made it. */
static void
note_resume(struct course *c, struct hf_span message)
{
	const uint8_t *secret = c->left.s->secrets.resumption;
	json_t *json = json_object();
	struct resume_parts p;
	uint8_t key[32], th3[32];

	vec_put(c->v, c->here, "resume", json);
	if (!split_resume(&p, message)) {
		vec_fault(c->v, "resume", "does not parse");
		return;
	}
	hf__schedule_resume(key, secret, p.nonce.ptr);
	hf__transcript(th3, &message, 1);
	vec_put_hex(c->v, json, "secret", secret, 32);
	put_plain(c->v, json, key, message, p.aad_len, p.box);
	vec_put_hex(c->v, json, "th3", th3, sizeof(th3));
}

struct resumed_parts {
	struct hf_span nonce, enc, box, chain[HF_CHAIN_MAX];
	size_t aad_len, chain_n;
};

static bool
split_resumed(struct resumed_parts *p, struct hf_span message)
{
	struct hf__reader r;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__RESUMED, 5);
	p->nonce = hf__read_bytes(&r, 32, 32);
	p->enc = hf__read_bytes_or_null(&r, 32, 32);
	hf__read_chain_or_null(&r, p->chain, &p->chain_n);
	p->aad_len = r.off;
	p->box = hf__read_bytes(&r, HF__TAG_BYTES, HF_MESSAGE_MAX);
	return hf__read_end(&r) == HF_OK;
}

/* Section 17.4's shared secrets, by the initiator. */
static enum hf_err
share(uint8_t shared[96], size_t *len, const struct hf_session *s,
    const struct resumed_parts *p)
{
	const struct hf__hpke_base *base = &s->config->hpke;
	const struct hf__kem *kem = s->suite->kem;
	const struct hf__pair *reply = &s->hs->ephemeral;
	struct hf__cert leaf;
	enum hf_err e;

	*len = 0;
	if (p->enc.ptr == NULL)
		return HF_OK;
	if ((e = hf__cert_parse(&leaf, p->chain[0].ptr, p->chain[0].len)) !=
		HF_OK ||
	    (e = kem->decap(shared, base, reply, p->enc.ptr)) != HF_OK ||
	    (e = kem->encap(shared + 32, NULL, base, reply, leaf.key.ptr)) !=
		HF_OK)
		return e;
	*len = 64;
	if (s->config->method != HF_METHOD_CERTIFICATE)
		return HF_OK;
	*len = 96;
	return kem->decap(shared + 64, base, &s->config->id->kem, p->enc.ptr);
}

/* BLAKE2b-256(key = secret, label || th || shared). */
static void
make_master(uint8_t master[32], const char *label, const uint8_t secret[32],
    const uint8_t th[32], struct hf_span shared)
{
	uint8_t data[32 + 32 + 96];
	size_t len = strlen(label);

	memcpy(data, label, len);
	memcpy(data + len, th, 32);
	len += 32;
	memcpy(data + len, shared.ptr, shared.len);
	if (crypto_generichash(master, 32, data, len + shared.len, secret,
		32) != 0)
		sodium_misuse();
}

/* All keys of the connection, by the responder that holds them; they come
 * from that master. */
static void
put_keys(struct course *c, const uint8_t master[32])
{
	const struct hf_session *r = right_of(c)->s;
	uint8_t exporter[32];

	if (crypto_kdf_derive_from_key(exporter, 32, 5, "handfast", master) !=
		0 ||
	    memcmp(exporter, r->secrets.exporter, 32) != 0)
		vec_fault(c->v, "master", "is not where the keys come from");
	vec_put_hex(c->v, c->here, "master", master, 32);
	vec_put(c->v, c->here, "keys",
	    vec_keys_json(c->v, r->suite, &r->secrets, &r->recv, &r->send));
}

/* By the initiator that shall read it. */
static void
note_resumed(struct course *c, struct hf_span message)
{
	const struct hf_session *s = c->left.s;
	const uint8_t *secret = s->secrets.resumption;
	uint8_t key[32], th3[32], th4[32], master[32], bytes[96];
	struct hf_span shared = { bytes, 0 };
	json_t *json = json_object();
	struct resumed_parts p;

	vec_put(c->v, c->here, "resumed", json);
	memcpy(th3, s->hs->th1, sizeof(th3));
	if (!split_resumed(&p, message) ||
	    share(bytes, &shared.len, s, &p) != HF_OK) {
		vec_fault(c->v, "resumed", "does not parse");
		return;
	}
	hf__schedule_resumed(key, secret, th3, p.nonce.ptr, shared);
	hf__transcript(th4, (struct hf_span[]){ { th3, 32 }, message }, 2);
	make_master(master, "handfast/1 takeover", secret, th4, shared);
	vec_put_hex(c->v, json, "shared", shared.ptr, shared.len);
	put_plain(c->v, json, key, message, p.aad_len, p.box);
	vec_put_hex(c->v, json, "th4", th4, sizeof(th4));
	put_keys(c, master);
}

static void
note_grant(struct course *c, struct hf_span message)
{
	struct vec_grant grant = { .inside = NULL };

	vec_inside_grant(&grant, c->v, c->left.s, message);
	json_decref(grant.inside);
	put_keys(c, grant.master);
}

/* --- what a refresh was made of ------------------------------------------------ */

/* Its secrets, by the initiator that has not read it yet. */
static enum hf_err
share_refresh(struct hf__proof *proof, const struct hf_session *s,
    struct hf_span head)
{
	struct hf_span enc, chain[HF_CHAIN_MAX];
	struct hf__cert leaf;
	struct hf__reader r;
	enum hf_err e;
	size_t n;

	hf__read_init(&r, head.ptr, head.len);
	(void)hf__read_list(&r, 3, 3);
	enc = hf__read_bytes(&r, 32, 32);
	hf__read_chain(&r, chain, &n);
	if ((e = r.err) != HF_OK ||
	    (e = hf__cert_parse(&leaf, chain[0].ptr, chain[0].len)) != HF_OK)
		return e;
	return hf__proof_share(proof, s, &s->move->reply, enc.ptr,
	    leaf.key.ptr);
}

/* The next epoch, as the responder has it prepared. */
static void
put_next(struct course *c, json_t *json, const uint8_t master[32],
    const struct hf__refresh *next)
{
	const struct hf_session *r = right_of(c)->s;
	uint8_t exporter[32];
	json_t *keys;

	if (crypto_kdf_derive_from_key(exporter, 32, 5, "handfast", master) !=
		0 ||
	    memcmp(exporter, next->secrets.exporter, 32) != 0)
		vec_fault(c->v, "refresh", "is not where the keys come from");
	vec_put_hex(c->v, json, "master", master, 32);
	vec_put_hex(c->v, json, "proof", next->proof, 32);
	keys = vec_keys_json(c->v, r->suite, &next->secrets, &next->recv,
	    &next->send);
	(void)json_object_del(keys, "initiator_digest");
	(void)json_object_del(keys, "responder_digest");
	vec_put(c->v, json, "keys", keys);
}

/* After a checkpoint that began one. */
static void
note_refresh(struct course *c)
{
	const struct hf_session *l = c->left.s, *r = right_of(c)->s;
	const struct hf__refresh *next = r->move->refresh;
	uint8_t th5[32], master[32];
	struct hf__proof proof;
	struct hf_span head;
	json_t *json;

	if (r->move->refreshing != HF__REFRESH_SENT)
		return;
	head = (struct hf_span){ next->head, next->head_len };
	if (share_refresh(&proof, l, head) != HF_OK) {
		vec_fault(c->v, "refresh", "does not parse");
		return;
	}
	json = json_object();
	vec_put(c->v, c->here, "refresh", json);
	hf__transcript(th5, &head, 1);
	make_master(master, "handfast/1 refresh", r->secrets.resumption, th5,
	    (struct hf_span){ proof.shared, proof.len });
	vec_put_hex(c->v, json, "head", head.ptr, head.len);
	vec_put_hex(c->v, json, "shared", proof.shared, proof.len);
	vec_put_hex(c->v, json, "th5", th5, sizeof(th5));
	put_next(c, json, master, next);
}

/* --- messages ----------------------------------------------------------------- */

static void
note(struct course *c, const struct vec_side *from, struct hf_span message)
{
	unsigned type = message.ptr[1];

	vec_append(c->v, json_object_get(c->here, "messages"),
	    json_pack("{s:s,s:s,s:o}", "from", from->name, "type",
		vec_type_name(type), "bytes",
		vec_json_hex(message.ptr, message.len)));
	if (type == HF__RESUME)
		note_resume(c, message);
	else if (type == HF__RESUMED)
		note_resumed(c, message);
	else if (type == HF__GRANT)
		note_grant(c, message);
	if (strcmp(vec_type_name(type), c->lose) == 0)
		c->lost = true;
}

/* What a responder had written is the entry now. */
static void
keep(struct course *c)
{
	struct vec_side *right = right_of(c);
	json_t *all = json_object_get(c->here, "entries");
	size_t n = json_array_size(right->entries);

	if (n == 0)
		return;
	json_decref(c->entry);
	c->entry = json_incref(json_array_get(right->entries, n - 1));
	if (json_array_extend(all, right->entries) != 0)
		vec_fault(c->v, "entries", "cannot be put");
	(void)json_array_clear(right->entries);
}

static enum hf_err
carry(struct course *c, struct vec_side *from, struct vec_side *to,
    bool *moved)
{
	struct hf_span out = hf_session_output(from->s);
	uint8_t *bytes = vec_alloc(c->v, out.len);
	size_t off, len, total = out.len;
	enum hf_err e;

	*moved |= total > 0;
	if (total > 0)
		memcpy(bytes, out.ptr, total);
	if ((e = hf_session_drained(from->s, total)) != HF_OK)
		return e;
	for (off = 0; off < total && !c->v->failed; off += len) {
		if (hf__cbor_extent(&len, bytes + off, total - off,
			HF_RECORD_MAX) != HF_OK ||
		    len == 0) {
			vec_fault(c->v, "messages", "no whole message");
			return HF_OK;
		}
		note(c, from, (struct hf_span){ bytes + off, len });
		if (c->v->failed || c->lost)
			continue;
		e = vec_side_feed(to, bytes + off, len);
		keep(c);
		if (e != HF_OK)
			return e;
	}
	return HF_OK;
}

static enum hf_err
talk(struct course *c)
{
	struct vec_side *right = right_of(c);
	enum hf_err e;
	bool moved;

	do {
		moved = false;
		if ((e = carry(c, &c->left, right, &moved)) != HF_OK ||
		    (!moved &&
			(e = carry(c, right, &c->left, &moved)) != HF_OK))
			return e;
	} while (moved && !c->v->failed);
	return HF_OK;
}

/* --- the script --------------------------------------------------------------- */

/* The next responder, told what the store has. */
static enum hf_err
next_responder(struct course *c)
{
	const json_t *list =
	    vec_get(c->v, c->v->told, "responders", JSON_ARRAY);
	struct vec_side *right = &c->right[c->n];
	json_t *told, *shelf;
	enum hf_err e;

	if (c->n == CONNECTIONS_MAX || c->n >= json_array_size(list)) {
		vec_fault(c->v, "responders", "has no more");
		return HF_OK;
	}
	told = c->told[c->n] = json_deep_copy(json_array_get(list, c->n));
	shelf = json_object_get(json_object_get(told, "application"), "shelf");
	if (!vec_is_null(shelf, "entry"))
		vec_fault(c->v, "entry", "is the store's, not told");
	vec_put(c->v, shelf, "entry", json_incref(c->entry));
	e = vec_side_make(right, c->v, HF_RESPONDER, told, "responder_random");
	/* a responder draws nothing before it has heard something */
	right->draws.list = json_array_get(right->draws.list, c->n);
	c->n++;
	return e;
}

static bool
is_type(const char *name)
{
	unsigned type;

	for (type = 0; type <= HF__RECORD; type++)
		if (strcmp(vec_type_name(type), name) == 0)
			return strcmp(name, "?") != 0;
	return false;
}

/* The stream ends, and with it what was on its way. */
static enum hf_err
leave(struct vec_side *left)
{
	enum hf_err e = hf_session_eof(left->s);

	if (e != HF_OK && e != HF_E_TRUNCATED && e != HF_E_GONE)
		return e;
	return hf_session_drained(left->s, hf_session_output(left->s).len);
}

static enum hf_err
connect_next(struct course *c, const json_t *step)
{
	enum hf_err e;

	c->lose = vec_text_or_null(c->v, step, "lose");
	if (c->lose != NULL && !is_type(c->lose))
		vec_fault(c->v, "lose", "is no message's name");
	c->lose = c->lose == NULL ? "" : c->lose;
	c->lost = false;
	c->here = json_pack("{s:[],s:[],s:n,s:n,s:n,s:n}", "messages",
	    "entries", "resume", "resumed", "master", "keys");
	vec_append(c->v, c->connections, c->here);
	if ((e = next_responder(c)) != HF_OK || c->v->failed)
		return e;
	if (c->n == 1)
		e = vec_side_start(&c->left);
	else {
		json_decref(c->left.received);
		c->left.received = json_array();
		e = leave(&c->left);
		if (e == HF_OK)
			e = vec_side_reconnect(&c->left);
	}
	return e == HF_OK && !c->v->failed ? talk(c) : e;
}

static enum hf_err
send_record(struct course *c, const json_t *step)
{
	const char *from = vec_text(c->v, step, "from");
	bool left = strcmp(from, "initiator") == 0;
	struct hf_span data = vec_hex(c->v, step, "data");
	unsigned type = (unsigned)vec_uint(c->v, step, "type", UINT8_MAX);

	if (!left && strcmp(from, "responder") != 0)
		vec_fault(c->v, "from", "is '%s'", from);
	if (c->v->failed)
		return HF_OK;
	return vec_side_send(left ? &c->left : right_of(c), type, data);
}

static enum hf_err
do_step(struct course *c, const json_t *step)
{
	const char *word = vec_text(c->v, step, "do");
	enum hf_err e;

	if (strcmp(word, "connect") == 0) {
		vec_members(c->v, step, "do lose");
		return connect_next(c, step);
	}
	if (c->n == 0 || c->v->failed) {
		vec_fault(c->v, "script", "does not begin with a connect");
		return HF_OK;
	}
	if (strcmp(word, "checkpoint") == 0) {
		vec_members(c->v, step, "do arrives");
		e = vec_side_checkpoint(right_of(c));
		if (e == HF_OK && !c->v->failed)
			note_refresh(c);
		keep(c);
	} else {
		if (strcmp(word, "send") != 0)
			vec_fault(c->v, "script.do", "unknown step '%s'",
			    word);
		vec_members(c->v, step, "do from type data arrives");
		e = send_record(c, step);
	}
	if (e != HF_OK || c->v->failed || !vec_bool(c->v, step, "arrives"))
		return e;
	return talk(c);
}

/* --- the result --------------------------------------------------------------- */

static void
put_received(struct course *c)
{
	if (c->n == 0 || c->v->failed)
		return;
	vec_put(c->v, c->here, "received_by_initiator",
	    json_incref(c->left.received));
	vec_put(c->v, c->here, "received_by_responder",
	    json_incref(right_of(c)->received));
}

static void
put_mark(struct course *c, const char *name, const struct hf__traffic *left,
    const struct hf__traffic *right)
{
	struct hf__mark l, r;

	hf__mark_get(&l, left);
	hf__mark_get(&r, right);
	if (l.count != r.count || l.bytes != r.bytes ||
	    memcmp(l.digest, r.digest, sizeof(l.digest)) != 0)
		vec_fault(c->v, name, "the two sides differ");
	vec_put(c->v, c->v->out, name, vec_mark_json(&l));
}

/* What is told of a connection that is never made would not be looked at. */
static void
check_used(struct course *c, const char *name)
{
	if (json_array_size(json_object_get(c->v->told, name)) != c->n)
		vec_fault(c->v, name, "%zu connections are made", c->n);
}

static void
put_all(struct course *c)
{
	const struct hf_session *l = c->left.s, *r = right_of(c)->s;
	json_t *out = c->v->out;
	struct hf_span sid = hf_session_id(l);
	size_t i;

	if (memcmp(l->secrets.resumption, r->secrets.resumption, 32) != 0 ||
	    memcmp(l->secrets.exporter, r->secrets.exporter, 32) != 0)
		vec_fault(c->v, "keys", "the two sides differ");
	vec_put_hex(c->v, out, "session_id", sid.ptr, sid.len);
	vec_put(c->v, out, "connections", json_incref(c->connections));
	put_mark(c, "final_initiator", &l->send, &r->recv);
	put_mark(c, "final_responder", &l->recv, &r->send);
	vec_put(c->v, out, "state", json_string(vec_side_state(&c->left)));
	vec_draws_done(&c->left.draws);
	for (i = 0; i < c->n; i++)
		vec_draws_done(&c->right[i].draws);
	check_used(c, "responders");
	check_used(c, "responder_random");
}

static enum hf_err
run(struct course *c)
{
	const json_t *script = vec_get(c->v, c->v->told, "script", JSON_ARRAY);
	enum hf_err e = HF_OK;
	json_t *step;
	size_t i;

	json_array_foreach((json_t *)script, i, step) {
		if (strcmp(vec_text(c->v, step, "do"), "connect") == 0)
			put_received(c);
		if ((e = do_step(c, step)) != HF_OK || c->v->failed)
			return e;
	}
	put_received(c);
	if (c->n == 0)
		vec_fault(c->v, "script", "is empty");
	else
		put_all(c);
	return e;
}

enum hf_err
vec_takeover(struct vec *v)
{
	struct course *c = vec_alloc(v, sizeof(*c));
	enum hf_err e;
	size_t i;

	*c = (struct course){ .v = v,
		.connections = json_array(),
		.entry = json_null() };
	e = vec_side_make(&c->left, v, HF_INITIATOR,
	    vec_get(v, v->told, "initiator", JSON_OBJECT), "initiator_random");
	if (e == HF_OK && !v->failed && !v->skipped)
		e = run(c);
	vec_side_free(&c->left);
	for (i = 0; i < c->n; i++)
		vec_side_free(&c->right[i]);
	for (i = 0; i < CONNECTIONS_MAX; i++)
		json_decref(c->told[i]);
	json_decref(c->connections);
	json_decref(c->entry);
	return e;
}
