/* SPDX-License-Identifier: ISC */
/*
 * Kind "agent-frames": what one side of the agent's own protocol says, read as
 * it arrives and written again. It sees the inside of fleet/ for that, as the
 * other kinds see that of proto/.
 */
#include <inttypes.h>
#include <string.h>

#include "agent_wire.h"
#include "vectors.h"

/* How a field is told: 'n' a number; 'c' one that may be greater than JSON's
 * readers agree about, in digits; 't' text, 'x' hex; 's' hex, or null. */
struct told {
	const char *name;
	char how;
};
struct kind {
	enum hf__wire_type type;
	const char *name;
	struct told field[HF__WIRE_FIELDS];
};

static const struct kind kinds[] = {
	{ HF__WIRE_OPEN, "open", { { "version", 'n' }, { "peer", 't' } } },
	{ HF__WIRE_DATA, "data", { { "data", 'x' } } },
	{ HF__WIRE_END, "end", { { NULL, 0 } } },
	{ HF__WIRE_OVER, "over", { { "error", 'n' }, { "reason", 'n' } } },
	{ HF__WIRE_STATUS, "status", { { "version", 'n' } } },
	{ HF__WIRE_CLOSE, "close", { { "version", 'n' }, { "peer", 't' } } },
	{ HF__WIRE_INFO, "info",
	    { { "session_id", 's' }, { "suite", 'n' }, { "epoch", 'c' },
		{ "strength", 'n' }, { "responder", 'x' },
		{ "broken", 'n' } } },
	{ HF__WIRE_PEER, "peer",
	    { { "name", 't' }, { "state", 'n' }, { "session_id", 's' },
		{ "epoch", 'c' }, { "channels", 'c' }, { "opened", 'c' },
		{ "handshakes", 'c' }, { "resumes", 'c' }, { "received", 'c' },
		{ "sent", 'c' }, { "error", 'n' } } },
	{ HF__WIRE_DONE, "done", { { "error", 'n' } } },
};

/* One side under way. */
struct stream {
	struct vec *v;
	struct hf_span in;
	size_t from; /* of in: where the next frame begins */
	enum hf__wire_stage stage;
	json_t *frames;
};

static json_t *
field_json(const struct told *told, uint64_t number, struct hf_span bytes)
{
	char digits[24];

	switch (told->how) {
	case 'n':
		return json_integer((json_int_t)number);
	case 'c':
		(void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
		return json_string(digits);
	case 't':
		return vec_json_text(bytes);
	default:
		return told->how == 's' && bytes.len == 0 ?
		    json_null() :
		    vec_json_hex(bytes.ptr, bytes.len);
	}
}

static void
put_frame(struct stream *s, const struct hf__wire *w)
{
	json_t *json = json_object();
	const struct kind *kind = kinds;
	size_t i;

	while (kind->type != w->type)
		kind++;
	vec_put(s->v, json, "type", json_string(kind->name));
	for (i = 0; i < HF__WIRE_FIELDS && kind->field[i].name != NULL; i++)
		vec_put(s->v, json, kind->field[i].name,
		    field_json(&kind->field[i], w->number[i], w->bytes[i]));
	vec_append(s->v, s->frames, json);
}

/* What was read is written as it was. */
static void
write_again(struct stream *s, const struct hf__wire *w, size_t used)
{
	uint8_t out[HF__WIRE_SMALL];
	size_t len, more = 0;

	if (w->type == HF__WIRE_DATA) {
		more = w->bytes[0].len;
		len = hf__wire_data(out, more);
	} else {
		len = hf__wire_write(out, w);
	}
	if (len + more != used || memcmp(out, s->in.ptr + s->from, len) != 0)
		vec_fault(s->v, "bytes", "a frame is written otherwise");
}

/* Byte by byte: *at of them show a fault. */
static enum hf_err
take(struct stream *s, size_t *at)
{
	struct hf__wire w;
	enum hf_err e;
	size_t used;

	for (*at = 1; *at <= s->in.len && s->stage != HF__WIRE_LAST; ++*at) {
		e = hf__wire_read(&w, &used, s->in.ptr + s->from,
		    *at - s->from, s->stage);
		if (e != HF_OK)
			return e;
		if (used == 0)
			continue;
		put_frame(s, &w);
		write_again(s, &w, used);
		s->stage = hf__wire_next(s->stage, w.type);
		s->from += used;
	}
	return HF_OK;
}

static json_t *
what_may_come(struct vec *v, enum hf__wire_stage stage)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < HF__ARRAY_N(kinds); i++)
		if (hf__wire_may(stage, kinds[i].type))
			vec_append(v, list, json_string(kinds[i].name));
	return list;
}

enum hf_err
vec_agent_frames(struct vec *v)
{
	const char *side = vec_text(v, v->told, "side");
	struct stream s = { .v = v, .in = vec_hex(v, v->told, "bytes") };
	uint8_t hash[32];
	enum hf_err e;
	size_t at;

	if (strcmp(side, "agent") == 0)
		s.stage = HF__WIRE_ANY;
	else if (strcmp(side, "application") != 0)
		vec_fault(v, "side", "is none");
	if (v->failed)
		return HF_OK;
	s.frames = json_array();
	e = take(&s, &at);
	vec_put(v, v->out, "frames", s.frames);
	if (e != HF_OK && vec_uint(v, v->told, "at", INT64_MAX) != at)
		vec_fault(v, "at", "%zu bytes show it", at);
	if (e == HF_OK && !vec_is_null(v->told, "at"))
		vec_fault(v, "at", "nothing is wrong");
	vec_put_uint(v, v->out, "left", s.in.len - s.from);
	vec_put(v, v->out, "next", what_may_come(v, s.stage));
	hf__hash(hash, s.in.ptr, s.in.len);
	vec_put_hex(v, v->out, "hash", hash, sizeof(hash));
	return e;
}
