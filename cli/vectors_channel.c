/* SPDX-License-Identifier: ISC */
/*
 * Kind "channel": one end of a session's channels, step by step: what its
 * application does, the frames that arrive, and all that is sent after each.
 */
#include <string.h>

#include "channel.h"
#include "vectors.h"

enum { HANDLES_MAX = 64, OUT_MAX = 1 << 20, SHORT = 1024 };

struct end {
	struct vec *v;
	struct hf_mux *mux;
	uint8_t *room; /* OUT_MAX, for what goes in or comes out of a step */
	struct hf_channel *handle[HANDLES_MAX]; /* NULL: let go */
	size_t handles;
};

static struct hf_mux *
make(struct vec *v)
{
	const char *role = vec_text(v, v->told, "role");
	int initiator = strcmp(role, "initiator") == 0;
	struct hf_mux_limits limits = { .own = (size_t)vec_uint(v, v->told,
					    "own", HF_CHANNELS_MAX),
		.peers =
		    (size_t)vec_uint(v, v->told, "peers", HF_CHANNELS_MAX),
		.window =
		    (size_t)vec_uint(v, v->told, "window", HF_CREDIT_MAX),
		.send = (size_t)vec_uint(v, v->told, "send", HF_CREDIT_MAX) };
	struct hf_mux *mux;

	if (!initiator && strcmp(role, "responder") != 0)
		vec_fault(v, "role", "is '%s'", role);
	if (v->failed)
		return NULL;
	if (hf_mux_new(&mux, initiator ? HF_INITIATOR : HF_RESPONDER,
		&limits) == HF_OK)
		return mux;
	vec_fault(v, "window", "limits that are none");
	return NULL;
}

static void
keep(struct end *end, struct hf_channel *ch)
{
	if (end->handles < HANDLES_MAX)
		end->handle[end->handles++] = ch;
	else
		vec_fault(end->v, "steps", "too many channels");
}

/* The channels that the peer opened are handles now. */
static void
take_news(struct end *end)
{
	struct hf_channel *ch;
	unsigned news;

	while ((news = hf_mux_next(end->mux, &ch)) != 0)
		if ((news & HF_NEWS_OPENED) != 0)
			keep(end, ch);
}

static void
put_hash(struct vec *v, json_t *out, const char *name, const void *data,
    size_t len)
{
	uint8_t hash[32];

	hf__hash(hash, data, len);
	vec_put_hex(v, out, name, hash, sizeof(hash));
}

static enum hf_err
send(struct end *end, struct hf_channel *ch, const json_t *step, json_t *out)
{
	size_t size = (size_t)vec_uint(end->v, step, "size", OUT_MAX);
	size_t taken = 0;
	enum hf_err e;

	memset(end->room, (int)vec_uint(end->v, step, "byte", 255), size);
	if ((e = hf_channel_send(ch, &taken, end->room, size)) == HF_OK)
		vec_put_uint(end->v, out, "taken", taken);
	return e;
}

static enum hf_err
take(struct end *end, struct hf_channel *ch, const json_t *step, json_t *out)
{
	size_t size = (size_t)vec_uint(end->v, step, "size", HF_CREDIT_MAX);

	if (size > hf_channel_data(ch).len)
		return HF_E_ARG;
	put_hash(end->v, out, "hash", hf_channel_data(ch).ptr, size);
	return hf_channel_taken(ch, size);
}

static enum hf_err
with_handle(struct end *end, const char *what, const json_t *step, json_t *out)
{
	struct vec *v = end->v;
	size_t i = (size_t)vec_uint(v, step, "channel", HANDLES_MAX);
	struct hf_channel *ch;

	if (v->failed || i >= end->handles || end->handle[i] == NULL) {
		vec_fault(v, "channel", "no such handle");
		return HF_E_ARG;
	}
	ch = end->handle[i];
	if (strcmp(what, "send") == 0)
		return send(end, ch, step, out);
	if (strcmp(what, "take") == 0)
		return take(end, ch, step, out);
	if (strcmp(what, "finish") == 0)
		return hf_channel_finish(ch);
	if (strcmp(what, "reset") == 0)
		return hf_channel_reset(ch,
		    (int)vec_uint(v, step, "reason", 255));
	if (strcmp(what, "cut") == 0)
		return hf_channel_cut(ch,
		    (int)vec_uint(v, step, "reason", 255));
	hf_channel_free(ch);
	end->handle[i] = NULL;
	return HF_OK;
}

/* A step is one of these, and has these members alone. */
static void
check_step(struct vec *v, const char *what, const json_t *step)
{
	static const struct {
		const char *word, *members;
	} steps[] = { { "feed", "do bytes" }, { "open", "do label" },
		{ "send", "do channel size byte" },
		{ "take", "do channel size" }, { "finish", "do channel" },
		{ "reset", "do channel reason" },
		{ "cut", "do channel reason" }, { "free", "do channel" },
		{ "restart", "do reason" } };
	size_t i;

	for (i = 0; i < HF__ARRAY_N(steps); i++)
		if (strcmp(steps[i].word, what) == 0) {
			vec_members(v, step, steps[i].members);
			return;
		}
	vec_fault(v, "do", "no such step");
}

static enum hf_err
do_step(struct end *end, const json_t *step, json_t *out)
{
	const char *what = vec_text(end->v, step, "do"), *label;
	struct hf_channel *ch;
	struct hf_span bytes;
	enum hf_err e;

	check_step(end->v, what, step);
	if (end->v->failed)
		return HF_E_ARG;
	if (strcmp(what, "feed") == 0) {
		bytes = vec_hex(end->v, step, "bytes");
		return hf_mux_feed(end->mux, bytes.ptr, bytes.len);
	}
	if (strcmp(what, "restart") == 0)
		return hf_mux_restart(end->mux,
		    (enum hf_reason)vec_uint(end->v, step, "reason", 255));
	if (strcmp(what, "open") != 0)
		return with_handle(end, what, step, out);
	label = vec_text(end->v, step, "label");
	e = hf_channel_open(&ch, end->mux, label, strlen(label));
	if (e == HF_OK)
		keep(end, ch);
	return e;
}

/* All there is to send, in one run of frames. */
static enum hf_err
put_out(struct end *end, json_t *out)
{
	uint8_t *all = end->room;
	size_t len = 0, n;
	enum hf_err e;

	while (hf_mux_pending(end->mux) && OUT_MAX - len >= HF_FRAMES_MIN) {
		if ((e = hf_mux_output(end->mux, all + len, OUT_MAX - len,
			 &n)) != HF_OK)
			return e;
		len += n;
	}
	if (len <= SHORT) {
		vec_put_hex(end->v, out, "out", all, len);
		return HF_OK;
	}
	vec_put_uint(end->v, out, "out_length", len);
	put_hash(end->v, out, "out_hash", all, len);
	return HF_OK;
}

static enum hf_err
play(struct end *end, json_t *results)
{
	const json_t *steps =
			 vec_get(end->v, end->v->told, "steps", JSON_ARRAY),
		     *step;
	enum hf_err e = HF_OK;
	json_t *out;
	size_t i;

	for (i = 0; e == HF_OK && !end->v->failed &&
	     (step = json_array_get(steps, i)) != NULL;
	     i++) {
		out = json_object();
		vec_append(end->v, results, out);
		if ((e = do_step(end, step, out)) == HF_OK) {
			take_news(end);
			e = put_out(end, out);
		}
	}
	return e;
}

static json_t *
handles(struct end *end)
{
	json_t *list = json_array(), *one;
	struct hf_channel *ch;
	struct hf_span data;
	size_t i;

	for (i = 0; i < end->handles; i++) {
		if ((ch = end->handle[i]) == NULL)
			continue;
		one = json_object();
		data = hf_channel_data(ch);
		vec_put(end->v, one, "label",
		    vec_json_text(hf_channel_label(ch)));
		vec_put_uint(end->v, one, "unread", data.len);
		vec_put(end->v, one, "finished",
		    json_boolean(hf_channel_finished(ch)));
		vec_put(end->v, one, "ended",
		    json_boolean(hf_channel_ended(ch)));
		vec_put_uint(end->v, one, "reason",
		    (uint64_t)hf_channel_reason(ch));
		vec_append(end->v, list, one);
	}
	return list;
}

/* Guards what is passed over. */
static void
put_fed(struct vec *v)
{
	const json_t *steps = json_object_get(v->told, "steps"), *bytes;
	uint8_t hash[32];
	crypto_generichash_state state;
	struct hf_span span;
	size_t i;

	(void)crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	for (i = 0; i < json_array_size(steps); i++) {
		bytes = json_object_get(json_array_get(steps, i), "bytes");
		if (bytes == NULL)
			continue;
		span = vec_unhex(v, bytes, "bytes");
		(void)crypto_generichash_update(&state, span.ptr, span.len);
	}
	(void)crypto_generichash_final(&state, hash, sizeof(hash));
	vec_put_hex(v, v->out, "hash", hash, sizeof(hash));
}

enum hf_err
vec_channel(struct vec *v)
{
	struct end end = { .v = v, .mux = make(v) };
	json_t *results;
	enum hf_err e;

	if (end.mux == NULL)
		return HF_E_ARG;
	end.room = vec_alloc(v, OUT_MAX);
	results = json_array();
	e = play(&end, results);
	put_fed(v);
	vec_put(v, v->out, "results", results);
	vec_put(v, v->out, "channels", handles(&end));
	hf_mux_free(end.mux);
	return e;
}
