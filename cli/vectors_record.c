/* SPDX-License-Identifier: ISC */
/*
 * Kinds of the open session: the key schedule, the exporter, and records from
 * a preset place. For the last a session is put together that is open with the
 * given key, IV, digest and sequence number in both directions.
 */
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

/* --- schedule and exporter ------------------------------------------------------ */

/* The suite; NULL where it is lacking (skipped) or none. */
static const struct hf__suite *
read_suite(struct vec *v)
{
	uint64_t id = vec_uint(v, v->told, "suite", UINT16_MAX);
	const struct hf__suite *suite = hf__suite_find(id);

	if (vec_lacks_suite(id))
		v->skipped = 1;
	else if (suite == NULL)
		vec_fault(v, "suite", "is not known");
	return suite;
}

enum hf_err
vec_schedule(struct vec *v)
{
	const struct hf__suite *suite = read_suite(v);
	uint8_t session_key[32], chain[32], th2[32], master[32];
	struct hf__traffic initiator = { 0 }, responder = { 0 };
	struct hf__secrets secrets;
	uint8_t resumption[32];
	enum hf_err e;

	vec_hex_into(session_key, 32, v, v->told, "session_key");
	vec_hex_into(chain, 32, v, v->told, "chain");
	vec_hex_into(th2, 32, v, v->told, "th2");
	if (v->failed || suite == NULL)
		return HF_OK;
	if ((e = hf__schedule_master(&secrets, &initiator, &responder, suite,
		 session_key, chain, th2)) != HF_OK)
		return e;
	vec_master(master, session_key, chain, th2);
	if (crypto_kdf_derive_from_key(resumption, 32, 4, "handfast",
		master) != 0 ||
	    memcmp(resumption, secrets.resumption, 32) != 0)
		vec_fault(v, "master", "is not where the keys come from");
	vec_put_hex(v, v->out, "master", master, sizeof(master));
	vec_put(v, v->out, "keys",
	    vec_keys_json(v, suite, &secrets, &initiator, &responder));
	return HF_OK;
}

/* HKDF's info, written here: the library keeps it to itself. Expanded, it must
 * give what the library gives. */
enum hf_err
vec_exporter(struct vec *v)
{
	const char *label = vec_text(v, v->told, "label");
	struct hf_span context = vec_hex(v, v->told, "context");
	size_t len = vec_uint(v, v->told, "length", HF_EXPORT_MAX);
	uint8_t secret[32], hash[32], info[HF_NAME_MAX + 80];
	uint8_t *out = vec_alloc(v, len), *again = vec_alloc(v, len);
	struct hf__writer w;
	enum hf_err e;

	vec_hex_into(secret, sizeof(secret), v, v->told, "exporter");
	if (v->failed)
		return HF_OK;
	if ((e = hf__schedule_export(out, len, secret, label, context.ptr,
		 context.len)) != HF_OK)
		return e;
	hf__hash(hash, context.ptr, context.len);
	hf__write_init(&w, info, sizeof(info));
	hf__write_list(&w, 4);
	hf__write_text(&w, "handfast/1 export", 17);
	hf__write_text(&w, label, strlen(label));
	hf__write_bytes(&w, hash, sizeof(hash));
	hf__write_uint(&w, len);
	if ((e = w.err) != HF_OK ||
	    (e = hf__hkdf_expand(again, len, secret, info, w.len)) != HF_OK)
		return e;
	if (memcmp(out, again, len) != 0)
		vec_fault(v, "info", "is not what is expanded");
	vec_put_hex(v, v->out, "info", info, w.len);
	vec_put_hex(v, v->out, "out", out, len);
	return HF_OK;
}

/* --- records --------------------------------------------------------------------- */

struct preset {
	struct hf_config *config;
	struct hf_session *s;
};

static void
preset_free(struct preset *p)
{
	hf_session_free(p->s);
	hf_config_free(p->config);
}

/* A session of that role, open, its traffic as the vector tells. */
static enum hf_err
preset_make(struct preset *p, struct vec *v, const struct hf__suite *suite,
    enum hf_role role)
{
	struct hf__traffic t = { 0 };
	enum hf_err e;

	*p = (struct preset){ 0 };
	vec_hex_into(t.ratchet, sizeof(t.ratchet), v, v->told, "key");
	vec_hex_into(t.iv, suite->aead->iv_len, v, v->told, "iv");
	vec_hex_into(t.digest, sizeof(t.digest), v, v->told, "digest");
	t.seq = t.count = vec_uint(v, v->told, "sequence", INT64_MAX);
	if ((e = suite->aead->expand(&t.key, t.ratchet)) != HF_OK ||
	    (e = hf_config_new(&p->config, role)) != HF_OK ||
	    (e = hf__session_allocate(&p->s)) != HF_OK)
		return e;
	p->s->config = p->config;
	p->s->state = HF__OPEN;
	p->s->suite = suite;
	p->s->spoken = p->s->keys = true;
	p->s->send = p->s->recv = t;
	return HF_OK;
}

static struct hf_span
drain(struct vec *v, struct hf_session *s)
{
	struct hf_span out = hf_session_output(s);
	uint8_t *copy = vec_alloc(v, out.len);

	if (out.len > 0)
		memcpy(copy, out.ptr, out.len);
	if (hf_session_drained(s, out.len) != HF_OK)
		vec_fault(v, "bytes", "cannot be drained");
	return (struct hf_span){ copy, out.len };
}

/* IV xor sequence number; it is right when the record opens under it. */
static void
put_nonce(struct vec *v, json_t *to, const struct hf_session *s, uint64_t seq,
    struct hf_span record)
{
	static const uint8_t aad[] = { 0x82, HF__RECORD };
	const struct hf__traffic *t = &s->send;
	size_t i, n = s->suite->aead->iv_len;
	uint8_t nonce[HF__IV_MAX], *out = vec_alloc(v, record.len);
	struct hf_span box;
	struct hf__reader r;

	memcpy(nonce, t->iv, n);
	for (i = 0; i < 8; i++)
		nonce[n - 1 - i] ^= (uint8_t)(seq >> (8 * i));
	hf__read_init(&r, record.ptr, record.len);
	hf__read_open(&r, HF__RECORD, 2);
	box = hf__read_bytes(&r, 1, HF_RECORD_MAX);
	if (hf__read_end(&r) != HF_OK ||
	    s->suite->aead->open(out, box.ptr, box.len, aad, sizeof(aad),
		nonce, &t->key) != HF_OK)
		vec_fault(v, "records.nonce", "does not open the record");
	vec_put_hex(v, to, "nonce", nonce, n);
}

/* A ticket is for the peer that sends it, and these vectors tell of no peer:
 * the receiver gets one of the right name. */
static void
set_peer(struct vec *v, struct hf_session *s, struct hf_span ticket)
{
	struct hf_cert_info terms = { .not_after = 1,
		.usage = HF_USAGE_CA,
		.path_length = -1 };
	const uint8_t seed[HF_SEED_BYTES] = { 0 };
	uint8_t *cert = vec_alloc(v, HF_CERT_MAX);
	struct hf_identity *id = NULL;
	struct hf__ticket_file file;
	size_t len;

	if (hf__ticket_file_read(&file, ticket.ptr, ticket.len) != HF_OK)
		return;
	terms.subject.len = file.audience.len;
	memcpy(terms.subject.text, file.audience.ptr, file.audience.len);
	if (hf_identity_new(&id, seed) != HF_OK ||
	    hf_cert_self(cert, HF_CERT_MAX, &len, id, &terms) != HF_OK)
		vec_fault(v, "plaintexts.data", "no peer has that name");
	else
		s->peer_cert = (struct hf_span){ cert, len };
	hf_identity_free(id);
}

/* What the receiver must say to a record of that content. */
static enum hf_err
expected(uint64_t type, struct hf_span data)
{
	if (type == HF__DATA && data.len == 0)
		return HF_E_SHAPE;
	if (type == HF__CONTENT_ALERT)
		return hf__alert_error(data.len == 1 ? data.ptr[0] : 0);
	return HF_OK;
}

static void
receive(struct vec *v, struct hf_session *s, struct hf_span record,
    uint64_t type, struct hf_span data, const uint8_t digest[32])
{
	enum hf_content content;
	struct hf_span got;
	size_t used;

	if (type == HF__TICKET)
		set_peer(v, s, data);
	if (hf_session_feed(s, &used, record.ptr, record.len) !=
	    expected(type, data)) {
		vec_fault(v, "records.bytes", "the receiver says %s",
		    hf_error_name(s->error));
		return;
	}
	if (s->error != HF_OK)
		return; /* as it must */
	if (hf_session_recv(s, &content, &got) != HF_OK || content != type ||
	    got.len != data.len ||
	    (got.len > 0 && memcmp(got.ptr, data.ptr, got.len) != 0) ||
	    memcmp(s->recv.digest, digest, 32) != 0)
		vec_fault(v, "records.bytes", "is received as another");
}

static enum hf_err
one_record(struct vec *v, json_t *records, const json_t *plain,
    struct preset *from, struct preset *to)
{
	struct hf_session *s = from->s;
	uint64_t seq = s->send.seq;
	struct hf_span data, record;
	json_t *made;
	uint64_t type;
	enum hf_err e;

	vec_members(v, plain, "type data");
	type = vec_uint(v, plain, "type", UINT8_MAX);
	data = vec_hex(v, plain, "data");
	if (v->failed)
		return HF_OK;
	if ((e = hf__record_seal(s, (enum hf__content)type, data.ptr,
		 data.len)) != HF_OK)
		return e;
	record = drain(v, s);
	made = json_object();
	vec_put_uint(v, made, "sequence", seq);
	vec_put_hex(v, made, "key", s->send.ratchet, 32);
	vec_put_hex(v, made, "iv", s->send.iv, s->suite->aead->iv_len);
	put_nonce(v, made, s, seq, record);
	vec_put_hex(v, made, "bytes", record.ptr, record.len);
	vec_put_hex(v, made, "digest", s->send.digest, 32);
	vec_append(v, records, made);
	receive(v, to->s, record, type, data, s->send.digest);
	return HF_OK;
}

/* Tickets go from responder to initiator. */
enum hf_err
vec_record(struct vec *v)
{
	const json_t *plains = vec_get(v, v->told, "plaintexts", JSON_ARRAY);
	const struct hf__suite *suite = read_suite(v);
	struct preset from = { 0 }, to = { 0 };
	json_t *records = json_array(), *plain;
	enum hf_err e;
	size_t i;

	if (v->failed || suite == NULL) {
		json_decref(records);
		return HF_OK;
	}
	if ((e = preset_make(&from, v, suite, HF_RESPONDER)) != HF_OK ||
	    (e = preset_make(&to, v, suite, HF_INITIATOR)) != HF_OK)
		goto out;
	json_array_foreach((json_t *)plains, i, plain)
		if ((e = one_record(v, records, plain, &from, &to)) != HF_OK ||
		    v->failed)
			goto out;
out:
	vec_put(v, v->out, "records", records);
	preset_free(&from);
	preset_free(&to);
	return e;
}

static enum hf_err
open_all(struct vec *v, struct hf_session *s, json_t *received)
{
	struct hf_span bytes = vec_hex(v, v->told, "bytes"), data;
	enum hf_content content;
	size_t off, used;
	json_t *one;
	enum hf_err e;

	for (off = 0; off < bytes.len; off += used) {
		if ((e = hf_session_feed(s, &used, bytes.ptr + off,
			 bytes.len - off)) != HF_OK)
			return e;
		if (!s->pending) {
			vec_fault(v, "bytes", "not a whole record");
			return HF_OK;
		}
		if ((e = hf_session_recv(s, &content, &data)) != HF_OK)
			return e;
		one = json_object();
		vec_put_uint(v, one, "type", (uint64_t)content);
		vec_put_hex(v, one, "data", data.ptr, data.len);
		vec_put_hex(v, one, "digest", s->recv.digest, 32);
		vec_append(v, received, one);
	}
	return HF_OK;
}

enum hf_err
vec_record_open(struct vec *v)
{
	const struct hf__suite *suite = read_suite(v);
	const char *from = vec_text(v, v->told, "from");
	int by_responder = strcmp(from, "responder") == 0;
	json_t *received;
	struct preset p;
	enum hf_err e;

	if (!by_responder && strcmp(from, "initiator") != 0)
		vec_fault(v, "from", "is '%s'", from);
	if (v->failed || suite == NULL)
		return HF_OK;
	received = json_array();
	if ((e = preset_make(&p, v, suite,
		 by_responder ? HF_INITIATOR : HF_RESPONDER)) == HF_OK)
		e = open_all(v, p.s, received);
	vec_put(v, v->out, "received", received);
	preset_free(&p);
	return e;
}
