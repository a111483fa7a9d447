/* SPDX-License-Identifier: ISC */
/*
 * The session that an agent holds with one peer: who waits for it, the channels
 * in it, and its end when nobody has used it for a while. How it is connected
 * agent_reach.c knows.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "agent_own.h"

static const struct hf_mux_limits limits = {
	.own = HF_CHANNELS_MAX,
	.peers = 0, /* nobody here serves anybody there */
	.window = HF__APP_WINDOW,
	.send = HF__APP_SEND,
};

struct hf__held *
hf__held_find(struct hf_agent *agent, struct hf__entry *entry)
{
	struct hf__held *held;

	LIST_FOREACH(held, &agent->held, of_agent)
		if (held->listed && held->entry == entry)
			return held;
	if ((held = calloc(1, sizeof(*held))) == NULL)
		return NULL;
	held->agent = agent;
	held->entry = entry;
	held->listed = 1;
	held->quiet_ms = hf__agent_ms();
	entry->file->refs++;
	LIST_INSERT_HEAD(&agent->held, held, of_agent);
	return held;
}

int
hf__held_free(struct hf__held *held)
{
	if (held->apps > 0 || !hf__reach_quiet(held))
		return 0;
	LIST_REMOVE(held, of_agent);
	hf_mux_free(held->mux);
	hf_session_free(held->session);
	hf_peers_free(held->entry->file);
	sodium_memzero(held, sizeof(*held));
	free(held);
	return 1;
}

void
hf__held_touch(struct hf__held *held)
{
	held->dirty = 1;
}

void
hf__held_join(struct hf__held *held, struct hf__app *app)
{
	struct hf__app **last = &held->waiting;

	held->apps++;
	while (*last != NULL)
		last = &(*last)->beside;
	*last = app;
	hf__held_touch(held);
	if (held->state != HF_AGENT_OPEN)
		hf__reach_begin(held);
}

static void
carry_all(struct hf__held *held)
{
	struct hf__app *app;

	while ((app = held->waiting) != NULL) {
		held->waiting = app->beside;
		app->beside = NULL;
		hf__app_carry(app);
	}
}

/* Nobody has a channel, nor the rest of one. */
static int
all_wait(const struct hf__held *held)
{
	const struct hf__app *app;
	unsigned n = 0;

	for (app = held->waiting; app != NULL; app = app->beside)
		n++;
	return n == held->apps;
}

void
hf__held_carry(struct hf__held *held)
{
	if (held->waiting == NULL || !hf_link_open(held->link))
		return;
	/* The server leaves: where it goes on they get theirs. */
	if (held->elsewhere && all_wait(held)) {
		hf__reach_elsewhere(held);
		return;
	}
	hf__rest_drop(held);
	carry_all(held);
}

void
hf__held_leave(struct hf__held *held, struct hf__app *app)
{
	struct hf__app **at = &held->waiting;

	while (*at != NULL && *at != app)
		at = &(*at)->beside;
	if (*at != NULL)
		*at = app->beside;
	app->beside = NULL;
	held->in += app->out;
	held->out += app->in;
	app->held = NULL;
	if (--held->apps == 0)
		held->quiet_ms = hf__agent_ms();
}

/* --- open ------------------------------------------------------------------------------ */

static void
remember(struct hf__held *held)
{
	struct hf_session *s = hf_link_session(held->link);
	struct hf_span id = hf_session_id(s);
	struct hf_peer peer;

	if (id.len == sizeof(held->sid))
		memcpy(held->sid, id.ptr, id.len);
	held->epoch = hf_session_epoch(s);
	held->strength = hf_session_strength(s);
	held->responder.len = 0;
	if (hf_session_peer(&peer, s) == HF_OK && peer.name != NULL &&
	    strlen(peer.name) <= HF_NAME_MAX) {
		held->responder.len = strlen(peer.name);
		memcpy(held->responder.text, peer.name,
		    held->responder.len + 1);
	}
}

void
hf__held_opened(struct hf__held *held)
{
	struct hf_session *s = hf_link_session(held->link);
	enum hf_err e = HF_OK;

	remember(held);
	if (!hf_session_channels(s))
		e = HF_E_UNSUPPORTED;
	else if (held->mux == NULL)
		e = hf_mux_new(&held->mux, HF_INITIATOR, &limits);
	if (e == HF_OK)
		e = hf_link_carry(held->link, held->mux);
	if (e != HF_OK) {
		hf__held_end(held, e, HF_REASON_FAILED);
		return;
	}
	held->state = HF_AGENT_OPEN;
	carry_all(held);
}

/* --- over ------------------------------------------------------------------------------ */

/* Everybody who is with it, but not those who come meanwhile; nor those whose
 * channel is over, who still hear what came before that. */
static void
tell_all(struct hf__held *held, enum hf_err err, int reason)
{
	struct hf__app *app, *next;

	for (app = LIST_FIRST(&held->agent->apps); app != NULL; app = next) {
		next = LIST_NEXT(app, of_agent);
		if (app->held == held &&
		    (app->channel == NULL || !hf_channel_ended(app->channel)))
			hf__app_end(app, err, reason);
	}
}

void
hf__held_cut(struct hf__held *held, enum hf_err err)
{
	struct hf__app *app, *next;

	/* Nobody has a channel any more. */
	if (held->mux != NULL)
		(void)!hf_mux_restart(held->mux, HF_REASON_LOST);
	for (app = LIST_FIRST(&held->agent->apps); app != NULL; app = next) {
		next = LIST_NEXT(app, of_agent);
		if (app->held != held)
			continue;
		if (app->phase == HF__APP_LEFT)
			hf__app_forget(app);
		else
			hf__app_lose(app, err);
	}
}

void
hf__held_closed(struct hf__held *held)
{
	struct hf__app *app, *all = held->waiting;
	int listed = held->listed;
	struct hf__held *next = NULL;

	/* It is over: the next one does not wake it. */
	hf__rest_drop(held);
	/* Who comes now gets a session of his own. */
	held->listed = 0;
	held->waiting = NULL;
	hf__held_cut(held, HF_E_RESET);
	while ((app = all) != NULL) {
		all = app->beside;
		hf__held_leave(held, app);
		if (next == NULL &&
		    (next = hf__held_find(held->agent, held->entry)) != NULL)
			/* Of a file that was read anew since: for these alone. */
			next->listed = listed;
		if (next == NULL) {
			hf__app_end(app, HF_E_MEMORY, HF_REASON_FAILED);
			continue;
		}
		app->held = next;
		hf__held_join(next, app);
	}
}

void
hf__held_failed(struct hf__held *held, enum hf_err err)
{
	held->last = err;
	held->state = HF_AGENT_DOWN;
	held->quiet_ms = hf__agent_ms();
	/* Where it ended in order nobody was left. */
	if (err == HF_OK)
		err = HF_E_RESET;
	hf__held_cut(held, err);
	held->waiting = NULL;
	tell_all(held, err, HF_REASON_LOST);
}

void
hf__held_end(struct hf__held *held, enum hf_err err, int reason)
{
	held->waiting = NULL;
	tell_all(held, err, reason);
	hf__reach_end(held);
}

/* --- what is told of it ------------------------------------------------------------------- */

void
hf__held_state(struct hf__wire *w, const struct hf__entry *entry,
    const struct hf__held *held)
{
	memset(w, 0, sizeof(*w));
	w->type = HF__WIRE_PEER;
	w->bytes[HF__PEER_NAME].ptr = (const uint8_t *)entry->name;
	w->bytes[HF__PEER_NAME].len = strlen(entry->name);
	if (held == NULL)
		return;
	w->number[HF__PEER_STATE] = (uint64_t)held->state;
	w->number[HF__PEER_CHANNELS] = held->apps;
	w->number[HF__PEER_OPENED] = held->opened;
	w->number[HF__PEER_HANDSHAKES] = held->handshakes;
	w->number[HF__PEER_RESUMES] = held->resumes;
	w->number[HF__PEER_IN] = held->in;
	w->number[HF__PEER_OUT] = held->out;
	w->number[HF__PEER_ERROR] = (uint64_t)held->last;
	if (held->state != HF_AGENT_OPEN && held->state != HF_AGENT_BROKEN)
		return;
	w->number[HF__PEER_EPOCH] = held->epoch;
	w->bytes[HF__PEER_SID].ptr = held->sid;
	w->bytes[HF__PEER_SID].len = sizeof(held->sid);
}
