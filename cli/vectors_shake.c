/* SPDX-License-Identifier: ISC */
/*
 * Kind "handshake": two real sessions talk until both are silent, then send
 * the records that the vector names. Every message, secret and digest on the
 * way is noted; both sides must hold the same.
 */
#include <string.h>

#include "vectors.h"

struct shake {
	struct vec *v;
	struct vec_side left, right;
	json_t *messages, *requests;
	struct vec_grant grant;
	json_t *keys;
};

const char *
vec_type_name(unsigned type)
{
	static const char *const names[] = { "hello", "offer", "retry",
		"request", "grant", "confirm", "resume", "resumed", "alert" };

	if (type == HF__RECORD)
		return "record";
	return type < HF__ARRAY_N(names) ? names[type] : "?";
}

/* Both ends derived the same. The confirmation key is the responder's: the
 * initiator has used and wiped it. */
static void
same_keys(struct shake *k)
{
	const struct hf_session *l = k->left.s, *r = k->right.s;
	struct hf__secrets secrets = l->secrets;
	uint8_t exporter[32];
	json_t *mine;

	memcpy(secrets.confirm, r->secrets.confirm, sizeof(secrets.confirm));
	mine = vec_keys_json(k->v, l->suite, &secrets, &l->send, &l->recv);
	if (!json_equal(mine, k->keys))
		vec_fault(k->v, "keys", "the two sides differ");
	json_decref(mine);
	if (crypto_kdf_derive_from_key(exporter, 32, 5, "handfast",
		k->grant.master) != 0 ||
	    memcmp(exporter, l->secrets.exporter, 32) != 0)
		vec_fault(k->v, "master", "is not where the keys come from");
	if (memcmp(k->grant.sid, r->sid, HF_SID_BYTES) != 0 ||
	    memcmp(k->grant.sid, l->sid, HF_SID_BYTES) != 0)
		vec_fault(k->v, "session_id", "the two sides differ");
}

/* What a message is made of is known to its sender, and for a grant to the
 * initiator that is about to read it. */
static void
note(struct shake *k, const struct vec_side *from, struct hf_span message)
{
	const struct hf_session *r = k->right.s;

	vec_append(k->v, k->messages,
	    json_pack("{s:s,s:s,s:o}", "from", from->name, "type",
		vec_type_name(message.ptr[1]), "bytes",
		vec_json_hex(message.ptr, message.len)));
	if (message.ptr[1] == HF__REQUEST)
		vec_append(k->v, k->requests,
		    vec_inside_request(k->v, k->left.s, NULL, message));
	if (message.ptr[1] != HF__GRANT)
		return;
	vec_inside_grant(&k->grant, k->v, k->left.s, message);
	k->keys =
	    vec_keys_json(k->v, r->suite, &r->secrets, &r->recv, &r->send);
}

/* All that one side has to say goes to the other, message by message. */
static enum hf_err
carry(struct shake *k, struct vec_side *from, struct vec_side *to, bool *moved)
{
	struct hf_span out = hf_session_output(from->s), message;
	uint8_t *bytes = vec_alloc(k->v, out.len);
	size_t off, len, total = out.len;
	enum hf_err e;

	*moved |= total > 0;
	if (total > 0)
		memcpy(bytes, out.ptr, total);
	if ((e = hf_session_drained(from->s, total)) != HF_OK)
		return e;
	for (off = 0; off < total; off += len) {
		if (hf__cbor_extent(&len, bytes + off, total - off,
			HF_RECORD_MAX) != HF_OK ||
		    len == 0) {
			vec_fault(k->v, "messages", "no whole message");
			return HF_OK;
		}
		message = (struct hf_span){ bytes + off, len };
		note(k, from, message);
		if (k->v->failed ||
		    (e = vec_side_feed(to, message.ptr, message.len)) != HF_OK)
			return e;
		if (message.ptr[1] == HF__GRANT)
			same_keys(k);
	}
	return HF_OK;
}

/* A note may point into a session: one that has an error ends the vector. */
static enum hf_err
talk(struct shake *k)
{
	enum hf_err e;
	bool moved;

	do {
		moved = false;
		if ((e = carry(k, &k->left, &k->right, &moved)) != HF_OK ||
		    k->v->failed)
			return e;
		if (!moved &&
		    ((e = carry(k, &k->right, &k->left, &moved)) != HF_OK ||
			k->v->failed))
			return e;
	} while (moved);
	return HF_OK;
}

static enum hf_err
send_records(struct shake *k)
{
	const json_t *list = vec_get(k->v, k->v->told, "send", JSON_ARRAY);
	struct vec_side *side;
	struct hf_span data;
	const char *from;
	json_t *record;
	unsigned type;
	enum hf_err e;
	size_t i;

	json_array_foreach((json_t *)list, i, record) {
		vec_members(k->v, record, "from type data");
		from = vec_text(k->v, record, "from");
		side = strcmp(from, "initiator") == 0 ? &k->left : &k->right;
		if (strcmp(from, side->name) != 0)
			vec_fault(k->v, "send.from", "is '%s'", from);
		type = (unsigned)vec_uint(k->v, record, "type", UINT8_MAX);
		data = vec_hex(k->v, record, "data");
		if (k->v->failed)
			return HF_OK;
		if ((e = vec_side_send(side, type, data)) != HF_OK ||
		    (e = talk(k)) != HF_OK)
			return e;
	}
	return HF_OK;
}

static void
put_digest(struct shake *k, const char *name, enum hf_role sender)
{
	uint8_t l[HF_KEY_BYTES], r[HF_KEY_BYTES];
	uint64_t l_count, r_count;

	if (hf_session_digest(l, &l_count, k->left.s, sender) != HF_OK ||
	    hf_session_digest(r, &r_count, k->right.s, sender) != HF_OK ||
	    l_count != r_count || memcmp(l, r, sizeof(l)) != 0)
		vec_fault(k->v, name, "the two sides differ");
	vec_put_hex(k->v, k->v->out, name, l, sizeof(l));
}

static void
put_all(struct shake *k)
{
	json_t *out = k->v->out, *last;

	last = json_array_get(k->requests, json_array_size(k->requests) - 1);
	if (k->keys == NULL || !json_equal(last, k->right.opened)) {
		vec_fault(k->v, "requests", "the two sides differ");
		return;
	}
	vec_put_uint(k->v, out, "suite",
	    (uint64_t)hf_session_suite(k->left.s));
	vec_put(k->v, out, "messages", json_incref(k->messages));
	vec_put(k->v, out, "requests", json_incref(k->requests));
	vec_put(k->v, out, "grant", json_incref(k->grant.inside));
	vec_put_hex(k->v, out, "session_key", k->grant.session_key, 32);
	vec_put_hex(k->v, out, "session_id", k->grant.sid, HF_SID_BYTES);
	vec_put_hex(k->v, out, "master", k->grant.master, 32);
	vec_put(k->v, out, "keys", json_incref(k->keys));
	vec_put(k->v, out, "received_by_initiator",
	    json_incref(k->left.received));
	vec_put(k->v, out, "received_by_responder",
	    json_incref(k->right.received));
	put_digest(k, "final_initiator_digest", HF_INITIATOR);
	put_digest(k, "final_responder_digest", HF_RESPONDER);
	if (strcmp(vec_side_state(&k->left), vec_side_state(&k->right)) != 0)
		vec_fault(k->v, "state", "the two sides differ");
	vec_put(k->v, out, "state", json_string(vec_side_state(&k->left)));
	vec_draws_done(&k->left.draws);
	vec_draws_done(&k->right.draws);
}

enum hf_err
vec_handshake(struct vec *v)
{
	struct shake k = { .v = v,
		.messages = json_array(),
		.requests = json_array() };
	enum hf_err e;

	if (vec_lacks_suite((uint64_t)json_integer_value(
		json_object_get(v->told, "suite"))))
		v->skipped = 1;
	if ((e = vec_side_make(&k.left, v, HF_INITIATOR,
		 vec_get(v, v->told, "initiator", JSON_OBJECT),
		 "initiator_random")) != HF_OK ||
	    (e = vec_side_make(&k.right, v, HF_RESPONDER,
		 vec_get(v, v->told, "responder", JSON_OBJECT),
		 "responder_random")) != HF_OK ||
	    v->failed || v->skipped ||
	    (e = vec_side_start(&k.left)) != HF_OK || v->failed ||
	    (e = talk(&k)) != HF_OK || v->failed ||
	    (e = send_records(&k)) != HF_OK || v->failed)
		goto out;
	put_all(&k);
out:
	vec_side_free(&k.left);
	vec_side_free(&k.right);
	json_decref(k.messages);
	json_decref(k.requests);
	json_decref(k.grant.inside);
	json_decref(k.keys);
	return e;
}
