/* SPDX-License-Identifier: ISC */
/*
 * Kind "session": one side through a script. Each step is an input; what the
 * side puts out, its state and the records it took follow. An error ends the
 * script, and it must be the one that the vector names, at that step.
 */
#include <string.h>

#include "vectors.h"

static const struct {
	const char *word, *inputs;
} words[] = {
	{ "start", "do" },
	{ "feed", "do bytes" },
	{ "end", "do" },
	{ "wait", "do seconds" },
	{ "send", "do type bytes" },
	{ "reconnect", "do" },
	{ "reroute", "do target" },
	{ "checkpoint", "do" },
};

static enum hf_err
wait_seconds(struct vec_side *side, const json_t *step)
{
	uint64_t seconds = vec_uint(side->v, step, "seconds", UINT32_MAX);

	side->ms += seconds * 1000;
	side->now += seconds;
	return hf_session_tick(side->s, side->ms, side->now);
}

static enum hf_err
do_step(struct vec_side *side, const json_t *step)
{
	const char *word = vec_text(side->v, step, "do");
	struct hf_span data;

	if (side->v->failed)
		return HF_OK;
	if ((strcmp(word, "start") == 0) != (side->s == NULL)) {
		vec_fault(side->v, "steps.do", "'%s' has no place here", word);
		return HF_OK;
	}
	if (side->s == NULL)
		return vec_side_start(side);
	if (strcmp(word, "end") == 0)
		return hf_session_eof(side->s);
	if (strcmp(word, "wait") == 0)
		return wait_seconds(side, step);
	if (strcmp(word, "reconnect") == 0)
		return vec_side_reconnect(side);
	if (strcmp(word, "reroute") == 0)
		return vec_side_reroute(side,
		    vec_text_or_null(side->v, step, "target"));
	if (strcmp(word, "checkpoint") == 0)
		return vec_side_checkpoint(side);
	data = vec_hex(side->v, step, "bytes");
	if (strcmp(word, "feed") == 0)
		return vec_side_feed(side, data.ptr, data.len);
	return vec_side_send(side,
	    (unsigned)vec_uint(side->v, step, "type", UINT8_MAX), data);
}

/* The inputs of a step, for the compare. */
static json_t *
take_step(struct vec_side *side, const json_t *step)
{
	const char *word = vec_text(side->v, step, "do");
	json_t *taken = json_object(), *value;
	const char *inputs = NULL;
	char name[VEC_FIELD];
	bool optional;
	size_t i;

	for (i = 0; i < HF__ARRAY_N(words); i++)
		if (strcmp(words[i].word, word) == 0)
			inputs = words[i].inputs;
	if (inputs == NULL) {
		vec_fault(side->v, "steps.do", "unknown step '%s'", word);
		return taken;
	}
	while (vec_word(name, &optional, &inputs))
		if ((value = json_object_get(step, name)) != NULL)
			vec_put(side->v, taken, name, json_incref(value));
		else
			vec_fault(side->v, name, "is missing");
	return taken;
}

/* What the step gave. The records are taken over. */
static void
put_given(struct vec_side *side, json_t *taken)
{
	struct hf_span out = { NULL, 0 };

	if (side->s != NULL)
		out = hf_session_output(side->s);
	vec_put_hex(side->v, taken, "out", out.ptr, out.len);
	if (side->s != NULL && hf_session_drained(side->s, out.len) != HF_OK)
		vec_fault(side->v, "out", "cannot be drained");
	vec_put(side->v, taken, "state", json_string(vec_side_state(side)));
	vec_put(side->v, taken, "received", side->received);
	side->received = json_array();
	if (json_object_get(side->told, "cluster") != NULL) {
		vec_put(side->v, taken, "entries", side->entries);
		side->entries = json_array();
	}
}

static enum hf_err
run_steps(struct vec_side *side, const json_t *list)
{
	json_t *done = json_array(), *step, *taken;
	enum hf_err e = HF_OK;
	size_t i;

	json_array_foreach((json_t *)list, i, step) {
		if (e != HF_OK)
			vec_fault(side->v, "steps", "step %zu after %s", i,
			    hf_error_name(e));
		if (side->v->failed)
			break;
		taken = take_step(side, step);
		e = do_step(side, step);
		put_given(side, taken);
		vec_append(side->v, done, taken);
	}
	if (e == HF_OK && side->s != NULL && side->s->state == HF__R_START)
		e = hf_session_refused(side->s);
	vec_put(side->v, side->v->out, "steps", done);
	if (e != HF_OK)
		vec_put(side->v, side->v->out, "error",
		    json_string(hf_error_name(e)));
	vec_draws_done(&side->draws);
	return HF_OK;
}

/* Of a hello the first suite that vectors know. */
static int
hello_lacks(struct hf__reader *r)
{
	size_t i, n = hf__read_list(r, 1, HF_SUITES_MAX);
	uint64_t suite;

	for (i = 0; i < n; i++) {
		suite = hf__read_uint(r, UINT16_MAX);
		if (suite == 1 || suite == 2)
			return vec_lacks_suite(suite);
	}
	return 0;
}

/* Whether the peer's bytes choose a suite that this processor lacks. */
static int
chooses_lacking(struct hf_span message)
{
	struct hf__reader r;
	uint64_t type;

	hf__read_init(&r, message.ptr, message.len);
	(void)hf__read_list(&r, 2, 10);
	type = hf__read_uint(&r, HF__RECORD);
	(void)hf__read_uint(&r, HF_VERSION_PROTOCOL);
	if (r.err != HF_OK)
		return 0;
	if (type == HF__HELLO)
		return hello_lacks(&r);
	return (type == HF__OFFER || type == HF__REQUEST) &&
	    vec_lacks_suite(hf__read_uint(&r, UINT16_MAX));
}

static void
skip_lacking(struct vec_side *side, const json_t *list)
{
	struct hf_span data;
	json_t *step, *bytes;
	size_t i;

	json_array_foreach((json_t *)list, i, step) {
		if ((bytes = json_object_get(step, "bytes")) == NULL)
			continue;
		data = vec_unhex(side->v, bytes, "bytes");
		if (chooses_lacking(data))
			side->v->skipped = 1;
	}
}

enum hf_err
vec_session(struct vec *v)
{
	const char *role = vec_text(v, v->told, "role");
	const json_t *steps = vec_get(v, v->told, "steps", JSON_ARRAY);
	int initiator = strcmp(role, "initiator") == 0;
	struct vec_side side;
	enum hf_err e;

	if (!initiator && strcmp(role, "responder") != 0)
		vec_fault(v, "role", "is '%s'", role);
	e = vec_side_make(&side, v, initiator ? HF_INITIATOR : HF_RESPONDER,
	    vec_get(v, v->told, "config", JSON_OBJECT), "random");
	if (e == HF_OK && !v->failed) {
		skip_lacking(&side, steps);
		if (!v->skipped)
			e = run_steps(&side, steps);
	}
	vec_side_free(&side);
	return e;
}
