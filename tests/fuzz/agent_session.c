/* SPDX-License-Identifier: ISC */
/*
 * A whole agent in one process: its applications, and the responders that it
 * connects to, say and do what the input says. Only the clock, the threads and
 * the way to a responder are other ones than in life.
 *
 * What applications say never reaches a responder but as legal frames in legal
 * records; what they hear is legal by section 21.3, in its order, and of their
 * own channel alone; whoever goes away leaves nothing behind.
 */
#include "agent_scene.h"

enum { SAY_MAX = 40000 };

/* --- the things that can happen ----------------------------------------------- */

static void
say_frame(struct scene_app *app, const struct hf__wire *w)
{
	uint8_t frame[HF__WIRE_SMALL];

	scene_say(app, frame, hf__wire_write(frame, w));
}

/* A question, or an open: of a peer that there is, or of none. */
static void
say_first(struct scene_app *app, unsigned how)
{
	static const char *const names[] = { "one", "two", "x", "one" };
	static const enum hf__wire_type types[] = { HF__WIRE_OPEN,
		HF__WIRE_OPEN, HF__WIRE_STATUS, HF__WIRE_CLOSE };
	const char *name = names[how >> 2 & 3];
	struct hf__wire w = { .type = types[how & 3] };

	w.number[HF__OPEN_VERSION] = HF__WIRE_VERSION;
	w.bytes[HF__OPEN_PEER].ptr = (const uint8_t *)name;
	w.bytes[HF__OPEN_PEER].len = strlen(name);
	say_frame(app, &w);
}

static void
say_data(struct scene_app *app, size_t len)
{
	static uint8_t out[SAY_MAX + 8 * HF__WIRE_HEAD];
	size_t part, at = 0, i;

	for (len %= SAY_MAX; len > 0; len -= part) {
		part = len < HF__WIRE_DATA_MAX ? len : HF__WIRE_DATA_MAX;
		at += hf__wire_data(out + at, part);
		for (i = 0; i < part; i++)
			out[at++] = scene_byte(app->tag, app->said++);
	}
	scene_say(app, out, at);
}

static void
app_acts(struct scene_app *app, unsigned what, struct hf_span *in)
{
	struct hf__wire w = { .type = HF__WIRE_END };
	struct hf_span raw;

	switch (what) {
	case 0:
		say_first(app, in_byte(in));
		break;
	case 1:
		say_data(app, in_word(in));
		break;
	case 2:
		if (!app->finished)
			app->all = app->said;
		app->finished = 1;
		say_frame(app, &w);
		break;
	case 3:
		w.type = HF__WIRE_OVER;
		w.number[HF__OVER_ERROR] = HF_E_RESET;
		w.number[HF__OVER_REASON] = in_byte(in);
		say_frame(app, &w);
		break;
	case 4:
		raw = in_span(in, in_byte(in));
		app->any = 1;
		scene_say(app, raw.ptr, raw.len);
		break;
	case 5:
		scene_hear(app, in_word(in));
		break;
	case 6:
		scene_leave(app);
		break;
	default:
		app->deaf = !app->deaf;
	}
}

static void
channel_acts(struct scene_channel *ch, unsigned what, struct hf_span *in)
{
	static uint8_t data[SAY_MAX];
	size_t len, i, taken;

	switch (what) {
	case 0:
		len = in_word(in) % SAY_MAX;
		for (i = 0; i < len; i++)
			data[i] = scene_byte(ch->tag, ch->said + i);
		if (hf_channel_send(ch->channel, &taken, data, len) == HF_OK)
			ch->said += taken;
		break;
	case 1:
		(void)!hf_channel_finish(ch->channel);
		break;
	case 2:
		(void)!hf_channel_reset(ch->channel,
		    1 + (int)in_byte(in) % 127);
		break;
	default:
		scene_take(ch);
	}
}

static void
end_acts(struct scene_end *end, unsigned what, struct hf_span *in)
{
	struct hf_span raw = { NULL, 0 };
	struct hf_channel *own;

	switch (what) {
	case 0: /* a channel that nobody there asked for */
		if (hf_channel_open(&own, end->mux, "l", 1) == HF_OK)
			hf_channel_free(own);
		break;
	case 1: /* frames of any kind */
		raw = in_span(in, in_byte(in));
		scene_any(end);
		if (end->session->state == HF__OPEN && raw.len > 0)
			(void)!hf_session_send_frames(end->session, raw.ptr,
			    raw.len);
		break;
	case 2: /* bytes that are no record */
		raw = in_span(in, in_byte(in));
		scene_any(end);
		scene_put(end, raw);
		break;
	case 3:
		if (hf_session_close(end->session) == HF_OK)
			end->closed = 1;
		break;
	case 4:
		(void)!hf_session_issue_ticket(end->session, 100, 1000, 0);
		break;
	case 5: /* a record of any type */
		raw = in_span(in, in_byte(in) % 32);
		scene_any(end);
		if (end->session->state == HF__OPEN)
			(void)!hf__record_seal(end->session,
			    (enum hf__content)in_byte(in), raw.ptr, raw.len);
		break;
	case 6:
		end->still = !end->still;
		break;
	default:
		scene_cut(end);
	}
}

static void
step(struct hf_span *in)
{
	unsigned op = in_byte(in), who = op >> 4 & 3, what = in_byte(in) & 7;
	struct scene_app *app = &scene.app[who];
	struct scene_end *end = &scene.end[who];

	switch (op & 3) {
	case 0:
	case 1:
		if (app->fd == -1)
			scene_come(app, op >> 7 & 1);
		app_acts(app, what, in);
		break;
	case 2:
		if (end->fd == -1)
			scene.refuses = what & 3;
		else if ((op & 4) != 0)
			end_acts(end, what, in);
		else if (end->channels_n > 0)
			channel_acts(&end->channel[(what >> 2) %
					 end->channels_n],
			    op >> 6 & 3, in);
		break;
	default:
		if (op >> 7 != 0)
			scene_reload();
		scene_wait(what * 100 << (what & 4));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };

	scene_begin(data, len);
	while (in.len > 0) {
		step(&in);
		scene_turn();
	}
	scene_finish();
	return 0;
}
