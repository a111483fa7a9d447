/* SPDX-License-Identifier: ISC */
/*
 * One side of a connection as a vector tells it: a real session, bytes in and
 * records out. Its configuration is made in vectors_config.c, what its
 * application answers in vectors_answer.c; which bytes are right is compared
 * elsewhere.
 */
#include <string.h>

#include "vectors.h"

#define SIDE_INPUTS                                                      \
	"now suites anchors lists grease deadline application ?refresh " \
	"?channels"
#define INITIATOR_INPUTS \
	SIDE_INPUTS      \
	" expect realm target responder_chain prekey token ?dispatched"
#define RESPONDER_INPUTS \
	SIDE_INPUTS      \
	" seed chain kinds ring cookie_key source tolerance lifetime ?cluster"

enum { START_MS = 1000 };

static void
check_members(struct vec_side *side)
{
	vec_members(side->v, side->told,
	    side->role == HF_INITIATOR ? INITIATOR_INPUTS : RESPONDER_INPUTS);
	vec_answer_check(side);
}

static enum hf_err
new_session(struct vec_side *side)
{
	struct hf_span source;
	enum hf_err e;

	vec_random_begin(&side->draws);
	e = hf_session_new(&side->s, side->config, side->ms, side->now);
	vec_random_end();
	if (e != HF_OK)
		return e;
	if (side->role == HF_INITIATOR)
		return hf_session_error(side->s);
	source = vec_hex(side->v, side->told, "source");
	return hf_session_source(side->s, source.ptr, source.len);
}

/* What a responder has on its own is judged here, of an initiator's all that
 * does not depend on its token: the rest is judged when it starts. */
enum hf_err
vec_side_make(struct vec_side *side, struct vec *v, enum hf_role role,
    const json_t *told, const char *random)
{
	const json_t *token = json_object_get(told, "token");
	enum hf_err e;

	*side = (struct vec_side){ .v = v,
		.name = role == HF_INITIATOR ? "initiator" : "responder",
		.told = told,
		.app = vec_get(v, told, "application", JSON_OBJECT),
		.role = role,
		.ms = START_MS,
		.now = vec_uint(v, told, "now", INT64_MAX),
		.received = json_array(),
		.entries = json_array() };
	vec_draws_init(&side->draws, v, random);
	check_members(side);
	if (v->failed)
		return HF_OK;
	if ((e = hf_config_new(&side->config, role)) != HF_OK ||
	    (e = vec_set_common(side)) != HF_OK)
		return e;
	if (role == HF_INITIATOR)
		return json_object_get(token, "file") != NULL ?
		    vec_set_ticket(side, token) :
		    HF_OK;
	if ((e = vec_set_responder(side)) != HF_OK || v->failed)
		return e;
	return new_session(side);
}

void
vec_side_free(struct vec_side *side)
{
	hf_session_free(side->s);
	hf_config_free(side->config);
	hf_vault_free(side->vault);
	hf_ring_free(side->ring);
	hf_trust_free(side->trust);
	hf_identity_free(side->id);
	json_decref(side->received);
	json_decref(side->entries);
	json_decref(side->opened);
}

enum hf_err
vec_side_start(struct vec_side *side)
{
	enum hf_err e;

	if ((e = vec_set_initiator(side)) != HF_OK || side->v->failed ||
	    (e = new_session(side)) != HF_OK)
		return e;
	return vec_answer(side);
}

/* --- bytes -------------------------------------------------------------------------- */

static enum hf_err
take_record(struct vec_side *side)
{
	enum hf_content content;
	struct hf_span data;
	enum hf_err e;

	if (!side->s->pending)
		return HF_OK;
	if ((e = hf_session_recv(side->s, &content, &data)) != HF_OK)
		return e;
	vec_append(side->v, side->received,
	    json_pack("{s:i,s:o}", "type", (int)content, "data",
		vec_json_hex(data.ptr, data.len)));
	return HF_OK;
}

/* The session takes one message at a time. What is left when it has ended is
 * never read. */
enum hf_err
vec_side_feed(struct vec_side *side, const uint8_t *data, size_t len)
{
	size_t off = 0, used;
	enum hf_err e;

	do {
		vec_random_begin(&side->draws);
		e = hf_session_feed(side->s, &used, data + off, len - off);
		vec_random_end();
		if (e == HF_E_STATE && off > 0 && side->s->error == HF_OK)
			return HF_OK;
		if (e != HF_OK || (e = take_record(side)) != HF_OK ||
		    (e = vec_answer(side)) != HF_OK)
			return e;
		off += used;
	} while (off < len && !side->v->failed);
	return HF_OK;
}

enum hf_err
vec_side_send(struct vec_side *side, unsigned type, struct hf_span data)
{
	struct hf_session *s = side->s;

	if (type == HF__CLOSE && data.len == 0)
		return hf_session_close(s);
	if (type == HF__DATA && data.len > 0)
		return hf_session_send(s, data.ptr, data.len);
	if (type == HF__CHANNEL && data.len > 0)
		return hf_session_send_frames(s, data.ptr, data.len);
	if (s->state != HF__OPEN || s->sent_close)
		return HF_E_STATE;
	/* Contents that no public function sends. */
	return hf__record_seal(s, (enum hf__content)type, data.ptr, data.len);
}

enum hf_err
vec_side_reconnect(struct vec_side *side)
{
	enum hf_err e;

	vec_random_begin(&side->draws);
	e = hf_session_reconnect(side->s, side->ms, side->now);
	vec_random_end();
	return e;
}

enum hf_err
vec_side_reroute(struct vec_side *side, const char *target)
{
	enum hf_err e;

	vec_random_begin(&side->draws);
	e = hf_session_reroute(side->s, target, side->ms, side->now);
	vec_random_end();
	return e;
}

/* The store takes it. */
enum hf_err
vec_side_checkpoint(struct vec_side *side)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;
	enum hf_err e;

	vec_random_begin(&side->draws);
	e = hf_session_checkpoint(side->s, entry, sizeof(entry), &len);
	vec_random_end();
	if (e != HF_OK)
		return e;
	vec_append(side->v, side->entries, vec_json_hex(entry, len));
	return hf_session_checkpointed(side->s, HF_OK);
}

const char *
vec_side_state(const struct vec_side *side)
{
	static const char *const names[HF__STATES] = {
		[HF__I_START] = "start",
		[HF__I_HELLO_SENT] = "hello-sent",
		[HF__I_TRUST] = "trust",
		[HF__I_REQUEST_SENT] = "request-sent",
		[HF__I_RESUME_SENT] = "resume-sent",
		[HF__R_START] = "start",
		[HF__R_ADMIT] = "admit",
		[HF__R_OFFERED] = "offered",
		[HF__R_TRUST] = "trust",
		[HF__R_GRANTED] = "granted",
		[HF__R_COMMIT] = "commit",
		[HF__R_STATE] = "state",
		[HF__R_CLAIM] = "claim",
		[HF__R_RESUMED] = "resumed",
		[HF__R_CONFIRM] = "confirm",
		[HF__OPEN] = "open",
		[HF__CLOSED] = "closed",
		[HF__FAILED] = "failed",
	};

	return side->s == NULL ? "failed" : names[side->s->state];
}
