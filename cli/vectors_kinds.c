/* SPDX-License-Identifier: ISC */
/*
 * One vector: by its kind, what is taken from it as told and what computes the
 * rest; then the whole is compared, so that a field that nobody computes or
 * takes cannot pass. It knows the kinds' names and nothing of their inside.
 */
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

static const struct {
	const char *name;
	vec_kind *run;
	const char *inputs;
} kinds[] = {
	{ "handshake", vec_handshake,
	    "initiator responder initiator_random responder_random send" },
	{ "session", vec_session, "role config random steps" },
	{ "schedule", vec_schedule, "suite session_key chain th2" },
	{ "exporter", vec_exporter, "exporter label context length" },
	{ "record", vec_record, "suite key iv digest sequence plaintexts" },
	{ "record-open", vec_record_open,
	    "suite key iv digest sequence from bytes" },
	{ "identity", vec_identity, "seed" },
	{ "identity-encrypted", vec_identity_encrypted,
	    "seed passphrase mib passes random" },
	{ "identity-read", vec_identity_read, "file passphrase" },
	{ "ring-read", vec_ring_read, "file" },
	{ "text-read", vec_text_read, "label text" },
	{ "request", vec_request, "seed sub iat suites names" },
	{ "request-read", vec_request_read, "bytes" },
	{ "certificate", vec_certificate,
	    "issuer_seed issuer request terms random" },
	{ "certificate-read", vec_certificate_read, "bytes" },
	{ "chain", vec_chain, "chain anchors lists usage name now" },
	{ "list", vec_list, "seed iss exp iat number revoked" },
	{ "list-add", vec_list_add, "anchors intermediates lists bytes" },
	{ "ticket", vec_ticket, "ring_key terms random" },
	{ "ticket-accept", vec_ticket_accept,
	    "ring leaf ?anchors ?lists now tolerance ticket" },
	{ "ticket-file-read", vec_ticket_file_read, "file" },
	{ "password", vec_password, "realm user password mib passes" },
	{ "cookie", vec_cookie, "key type time source" },
	{ "cookie-judge", vec_cookie_judge, "cookie key type now source" },
	{ "hpke", vec_hpke,
	    "mode recipient_private ephemeral_private psk_private info psk_id "
	    "aad plaintext" },
	{ "cbor", vec_cbor, "bytes" },
	{ "entry", vec_entry,
	    "cluster scope generation session_id epoch owner token expires key "
	    "state random" },
	{ "key-grant", vec_key_grant,
	    "seed member cluster serial scope targets generations not_after "
	    "random" },
	{ "key-grant-open", vec_key_grant_open,
	    "seed leaf cluster now serial tolerance bytes" },
	{ "takeover", vec_takeover,
	    "initiator responders initiator_random responder_random script" },
	{ "entry-open", vec_entry_open, "cluster scopes now bytes" },
	{ "rest", vec_rest, "peer session_id expires key state random" },
	{ "rest-open", vec_rest_open, "peer key bytes" },
	{ "route", vec_route, "bytes" },
	{ "counter", vec_counter, "scopes now what subject source" },
	{ "channel", vec_channel, "role own peers window send steps" },
	{ "agent-frames", vec_agent_frames, "side bytes at" },
};

/* The inputs as they are told: the compare passes over them. One after a
 * question mark may be absent. */
static void
take_inputs(struct vec *v, json_t *found, const char *inputs)
{
	char name[VEC_FIELD];
	json_t *value;
	bool optional;

	while (vec_word(name, &optional, &inputs)) {
		value = json_object_get(v->told, name);
		if (value != NULL)
			vec_put(v, found, name, json_incref(value));
		else if (!optional)
			vec_fault(v, name, "is missing");
	}
}

/* `sum`: H over the vector without it, as JSON with sorted keys and without
 * blanks. So also a digit that changes nothing else is guarded. */
static void
put_sum(struct vec *v, json_t *found)
{
	char *text = json_dumps(found, JSON_SORT_KEYS | JSON_COMPACT);
	uint8_t sum[32];

	if (text == NULL) {
		vec_fault(v, "sum", "cannot be computed");
		return;
	}
	hf__hash(sum, text, strlen(text));
	free(text);
	vec_put_hex(v, found, "sum", sum, sizeof(sum));
}

/* Of a vector that cannot be computed here: its digits, as they stand. */
static void
check_sum(struct vec *v)
{
	json_t *copy = json_copy((json_t *)v->told);

	if (copy == NULL || json_object_del(copy, "sum") != 0)
		vec_fault(v, "sum", "is missing");
	else {
		put_sum(v, copy);
		vec_compare(v, v->told, copy);
	}
	json_decref(copy);
}

static void
run(struct vec *v, json_t *found, size_t kind)
{
	enum hf_err e;

	take_inputs(v, found, "id kind ?note");
	if (json_object_get(v->told, "note") != NULL)
		(void)vec_text(v, v->told, "note");
	take_inputs(v, found, kinds[kind].inputs);
	if (v->failed)
		return;
	e = kinds[kind].run(v);
	vec_random_end();
	if (v->skipped) {
		v->failed = 0;
		check_sum(v);
		return;
	}
	if (v->failed)
		return;
	if (e != HF_OK)
		vec_put(v, found, "error", json_string(hf_error_name(e)));
	else if (json_object_update(found, v->out) != 0)
		vec_fault(v, "vector", "cannot be put");
	put_sum(v, found);
	vec_compare(v, v->told, found);
}

void
vec_check(struct vec *v, const json_t *told)
{
	json_t *found = json_object();
	const char *name;
	size_t i;

	*v = (struct vec){ .told = told, .out = json_object() };
	if (vec_text(v, told, "id")[0] == '\0')
		vec_fault(v, "id", "is empty");
	name = vec_text(v, told, "kind");
	for (i = 0; i < HF__ARRAY_N(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			break;
	if (i == HF__ARRAY_N(kinds))
		vec_fault(v, "kind", "unknown kind '%.64s'", name);
	else
		run(v, found, i);
	json_decref(found);
}
