/* SPDX-License-Identifier: ISC */
/*
 * An agent, four applications and the responders of two peers on one loop, for
 * the fuzzer of agents. Every socket is a pair in this process; a connection
 * to a responder is there at once, or never; names are looked up without a
 * thread; the clock goes when it is told to.
 *
 * Each end of a channel says bytes that are told apart from all others, by a
 * tag and their place, so that whoever gets them knows whose they are.
 */
#ifndef HANDFAST_AGENT_SCENE_H
#define HANDFAST_AGENT_SCENE_H

#include <sys/socket.h>

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "agent_own.h"
#include "fuzzing.h"

enum {
	SCENE_APPS = 4,
	SCENE_ENDS = 4,
	SCENE_CHANNELS = 16,
	SCENE_TAGS = 31,
	SCENE_HEARD = HF__WIRE_MAX + 65536,
	SCENE_WORDS = 1 << 18, /* most that waits for one application */
	SCENE_TURNS = 3,
	SCENE_LAST = 400 /* turns until all must be over */
};

struct scene_app {
	int fd; /* -1: not there */
	unsigned tag, heard_tag;
	uint64_t said, heard;
	uint64_t all; /* bytes before its end */
	int finished; /* it has said that */
	int any;      /* it says anything */
	int deaf;     /* it does not read */
	int info, end, over;
	enum hf__wire_stage stage; /* of what it hears */
	uint8_t part[SCENE_HEARD];
	size_t part_len;
};
struct scene_channel {
	struct hf_channel *channel;
	unsigned tag, heard_tag;
	uint64_t said, heard;
};
struct scene_end {
	int fd;
	struct hf_session *session;
	struct hf_mux *mux;
	struct scene_channel channel[SCENE_CHANNELS];
	size_t channels_n;
	int any; /* it has sent what no honest one does */
	int closed, still;
};

static struct {
	uv_loop_t loop;
	struct hf_agent *agent;
	struct hf_peers *peers;
	struct scene_app app[SCENE_APPS];
	struct scene_end end[SCENE_ENDS];
	struct {
		uv_work_t *work;
		uv_after_work_cb after;
	} due[SCENE_APPS];
	size_t due_n;
	uint64_t ns;
	unsigned tags;
	unsigned refuses; /* 0: connected, 1: not, 2: no answer */
	int raw_apps;	  /* one has said anything */
	int raw_ends;	  /* a responder has */
} scene;

static inline uint8_t
scene_byte(unsigned tag, uint64_t at)
{
	return (uint8_t)(tag << 3 | (at & 7));
}

static inline unsigned
scene_tag(void)
{
	return 1 + scene.tags++ % SCENE_TAGS;
}

/* --- in the place of libuv's, and of the clock's ------------------------------- */

uint64_t
uv_hrtime(void)
{
	return scene.ns;
}

time_t
time(time_t *out)
{
	if (out != NULL)
		*out = FUZZ_NOW;
	return FUZZ_NOW;
}

int
uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb now,
    uv_after_work_cb after)
{
	CLAIM(loop == &scene.loop && scene.due_n < SCENE_APPS);
	now(work);
	scene.due[scene.due_n].work = work;
	scene.due[scene.due_n++].after = after;
	return 0;
}

static inline void
scene_pair(int fd[2])
{
	CLAIM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		  0, fd) == 0);
}

void
uv_pipe_connect(uv_connect_t *req, uv_pipe_t *pipe, const char *name,
    uv_connect_cb done)
{
	const struct hf_mux_limits limits = { 4, SCENE_CHANNELS,
		HF_CREDIT_FIRST, HF_CREDIT_FIRST };
	struct scene_end *end = scene.end;
	int fd[2];

	(void)name;
	while (end < scene.end + SCENE_ENDS && end->session != NULL)
		end++;
	if (scene.refuses == 2)
		return;
	if (scene.refuses != 0 || end == scene.end + SCENE_ENDS) {
		done(req, UV_ECONNREFUSED);
		return;
	}
	scene_pair(fd);
	CLAIM(uv_pipe_open(pipe, fd[0]) == 0);
	end->fd = fd[1];
	end->session = fuzz_session(fuzz.r);
	MUST(hf_mux_new(&end->mux, HF_RESPONDER, &limits));
	done(req, 0);
}

/* --- applications -------------------------------------------------------------- */

/* Where an agent keeps no more than it should it keeps the rest in the socket;
 * what that does not take is not said. */
static inline void
scene_say(struct scene_app *app, const uint8_t *data, size_t len)
{
	if (app->fd == -1 || len == 0)
		return;
	scene.raw_apps |= app->any;
	if (send(app->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)len)
		app->any = scene.raw_apps = 1;
}

static inline void
scene_come(struct scene_app *app, int trusted)
{
	int fd[2];

	memset(app, 0, offsetof(struct scene_app, part));
	app->stage = HF__WIRE_ANY;
	app->part_len = 0;
	app->tag = scene_tag();
	scene_pair(fd);
	app->fd = fd[0];
	hf__app_begin(scene.agent, fd[1], trusted);
}

static inline void
scene_leave(struct scene_app *app)
{
	if (app->fd != -1)
		CLAIM(close(app->fd) == 0);
	app->fd = -1;
}

/* All of one channel, in its order, and of no other. */
static inline void
scene_heard(unsigned *tag, uint64_t *heard, struct hf_span data)
{
	size_t i;

	if (*tag == 0)
		*tag = data.ptr[0] >> 3;
	for (i = 0; i < data.len; i++)
		CLAIM(data.ptr[i] == scene_byte(*tag, (*heard)++));
}

/* 1 where whoever hears something can tell whose it is. */
static inline int
scene_told_apart(void)
{
	return !scene.raw_ends && !scene.raw_apps && scene.tags < SCENE_TAGS;
}

/* The peer has finished: what it said has come, all of it. */
static inline void
scene_end_heard(const struct scene_app *app)
{
	const struct scene_channel *ch;
	size_t i, k;

	for (i = 0; i < SCENE_ENDS; i++)
		for (k = 0; k < scene.end[i].channels_n; k++) {
			ch = &scene.end[i].channel[k];
			CLAIM(ch->tag != app->heard_tag ||
			    ch->said == app->heard);
		}
}

static inline void
scene_frame(struct scene_app *app, const struct hf__wire *w)
{
	size_t i;

	CLAIM(!app->over);
	switch (w->type) {
	case HF__WIRE_INFO:
		app->info = 1;
		break;
	case HF__WIRE_DATA:
		CLAIM(app->info && !app->end);
		if (!scene_told_apart())
			break;
		scene_heard(&app->heard_tag, &app->heard, w->bytes[0]);
		for (i = 0; i < SCENE_APPS; i++)
			CLAIM(&scene.app[i] == app || scene.app[i].fd == -1 ||
			    scene.app[i].heard_tag != app->heard_tag);
		break;
	case HF__WIRE_END:
		CLAIM(app->info && !app->end);
		app->end = 1;
		if (scene_told_apart() && app->heard_tag != 0)
			scene_end_heard(app);
		break;
	case HF__WIRE_OVER:
	case HF__WIRE_DONE:
		app->over = 1;
		break;
	default:
		CLAIM(w->type == HF__WIRE_PEER && !app->info);
	}
}

/* Reads at most so much, and judges every frame. */
static inline void
scene_hear(struct scene_app *app, size_t most)
{
	struct hf_span in = { app->part, 0 };
	struct hf__wire w;
	size_t used;
	ssize_t n;

	if (app->fd == -1)
		return;
	if (most > SCENE_HEARD - app->part_len)
		most = SCENE_HEARD - app->part_len;
	n = recv(app->fd, app->part + app->part_len, most, MSG_DONTWAIT);
	app->part_len += n > 0 ? (size_t)n : 0;
	in.len = app->part_len;
	while (in.len > 0) {
		MUST(hf__wire_read(&w, &used, in.ptr, in.len, app->stage));
		if (used == 0)
			break;
		app->stage = hf__wire_next(app->stage, w.type);
		scene_frame(app, &w);
		(void)in_span(&in, used);
	}
	memmove(app->part, in.ptr, in.len);
	app->part_len = in.len;
}

/* --- responders ----------------------------------------------------------------- */

static inline void
scene_cut(struct scene_end *end)
{
	if (end->fd != -1)
		CLAIM(close(end->fd) == 0);
	end->fd = -1;
	hf_mux_free(end->mux);
	hf_session_free(end->session);
	memset(end, 0, sizeof(*end));
	end->fd = -1;
}

static inline void
scene_any(struct scene_end *end)
{
	end->any = scene.raw_ends = 1;
}

static inline void
scene_put(struct scene_end *end, struct hf_span said)
{
	/* What does not go is lost: then nothing after it is a record. */
	if (said.len > 0 &&
	    send(end->fd, said.ptr, said.len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		(ssize_t)said.len)
		scene_any(end);
}

static inline void
scene_take(struct scene_channel *ch)
{
	struct hf_span data = hf_channel_data(ch->channel);

	size_t i;

	if (data.len == 0)
		return;
	if (scene_told_apart())
		scene_heard(&ch->heard_tag, &ch->heard, data);
	MUST(hf_channel_taken(ch->channel, data.len));
	for (i = 0; i < SCENE_APPS; i++)
		CLAIM(!scene_told_apart() ||
		    !hf_channel_finished(ch->channel) ||
		    scene.app[i].tag != ch->heard_tag ||
		    (scene.app[i].finished && scene.app[i].all == ch->heard));
}

static inline void
scene_news(struct scene_end *end)
{
	struct scene_channel *ch;
	struct hf_channel *c;
	unsigned news;

	while ((news = hf_mux_next(end->mux, &c)) != 0) {
		if ((news & HF_NEWS_OPENED) == 0)
			continue;
		if (end->channels_n == SCENE_CHANNELS) {
			hf_channel_free(c);
			continue;
		}
		ch = &end->channel[end->channels_n++];
		ch->channel = c;
		ch->tag = scene_tag();
	}
}

/* One record of the agent's, or what else the session got: it is never wrong,
 * unless this end was. */
static inline void
scene_record(struct scene_end *end)
{
	enum hf_content content;
	struct hf_span data;
	enum hf_err e;

	MUST(hf_session_recv(end->session, &content, &data));
	if (content == HF_CONTENT_CLOSE) {
		(void)!hf_session_close(end->session);
		end->closed = 1;
		return;
	}
	CLAIM(content == HF_CONTENT_CHANNEL);
	e = hf_mux_feed(end->mux, data.ptr, data.len);
	CLAIM(e == HF_OK || end->any);
	scene_news(end);
}

static inline void
scene_speak(struct scene_end *end)
{
	static uint8_t frames[4096];
	size_t len;

	while (end->session->state == HF__OPEN && !end->closed &&
	    hf_mux_pending(end->mux) &&
	    hf_session_sendable(end->session) >= sizeof(frames)) {
		MUST(hf_mux_output(end->mux, frames, sizeof(frames), &len));
		MUST(hf_session_send_frames(end->session, frames, len));
		scene_put(end, hf_session_output(end->session));
		MUST(hf_session_drained(end->session,
		    hf_session_output(end->session).len));
	}
}

static inline void
scene_serve(struct scene_end *end)
{
	static uint8_t in[65536];
	struct hf_span said = { in, 0 };
	size_t used;
	enum hf_err e;
	ssize_t n;

	if (end->fd == -1 || end->still)
		return;
	n = recv(end->fd, in, sizeof(in), MSG_DONTWAIT);
	said.len = n > 0 ? (size_t)n : 0;
	for (;;) {
		while (fuzz_answer(end->session) == HF_OK)
			;
		scene_put(end, hf_session_output(end->session));
		MUST(hf_session_drained(end->session,
		    hf_session_output(end->session).len));
		if (hf_session_want(end->session) == HF_WANT_RECV) {
			scene_record(end);
			continue;
		}
		if (said.len == 0 ||
		    hf_session_want(end->session) == HF_WANT_CLOSED ||
		    hf_session_want(end->session) == HF_WANT_FAILED)
			break;
		e = hf_session_feed(end->session, &used, said.ptr, said.len);
		CLAIM(e == HF_OK || end->any);
		if (e != HF_OK || used == 0)
			break;
		(void)in_span(&said, used);
	}
	scene_speak(end);
	if (n == 0)
		scene_cut(end);
}

/* --- the scene ------------------------------------------------------------------ */

static inline void
scene_check(void)
{
	const struct hf__app *a;
	const struct hf__held *held;
	unsigned n = 0;

	LIST_FOREACH(a, &scene.agent->apps, of_agent) {
		n += !a->shut;
		CLAIM(a->part_len <= HF__WIRE_MAX);
		CLAIM(a->words_len <= SCENE_WORDS);
		CLAIM(a->channel == NULL || a->held != NULL);
		CLAIM(a->phase != HF__APP_CARRIED || a->channel != NULL);
		CLAIM(a->phase != HF__APP_OVER);
		CLAIM(a->phase != HF__APP_LEFT || a->channel != NULL);
	}
	CLAIM(n <= scene.agent->apps_n);
	LIST_FOREACH(held, &scene.agent->held, of_agent) {
		n = 0;
		LIST_FOREACH(a, &scene.agent->apps, of_agent)
			n += a->held == held;
		CLAIM(n == held->apps);
		CLAIM(held->mux == NULL ||
		    hf_mux_count(held->mux) <= HF_CHANNELS_MAX);
	}
}

/* The loop goes round as often as it takes for a word to be passed on. */
static inline void
scene_turn(void)
{
	size_t i, n;

	for (n = 0; n < SCENE_TURNS; n++) {
		while (scene.due_n > 0) {
			scene.due_n--;
			scene.due[scene.due_n]
			    .after(scene.due[scene.due_n].work, 0);
		}
		(void)uv_run(&scene.loop, UV_RUN_NOWAIT);
		for (i = 0; i < SCENE_ENDS; i++)
			scene_serve(&scene.end[i]);
		for (i = 0; i < SCENE_APPS; i++)
			if (!scene.app[i].deaf)
				scene_hear(&scene.app[i], SCENE_HEARD);
		scene_check();
	}
}

static inline void
scene_wait(uint64_t ms)
{
	scene.ns += ms * 1000000;
	if (!uv_is_closing((uv_handle_t *)&scene.agent->look))
		scene.agent->look.timer_cb(&scene.agent->look);
}

/* The file is read anew, and says the same. */
static inline void
scene_reload(void)
{
	scene.peers->refs++;
	hf_agent_configure(scene.agent, scene.peers);
}

static inline struct hf_peers *
scene_peers(void)
{
	static const char *const names[] = { "one", "two" };
	static char address[] = "unix:/x";
	struct hf_peers *peers = calloc(1, sizeof(*peers));
	struct hf__entry *p;

	CLAIM(peers != NULL);
	peers->refs = 2; /* one of them stays here */
	for (peers->n = 0; peers->n < 2; peers->n++) {
		p = &peers->entry[peers->n];
		memcpy(p->name, names[peers->n], 4);
		p->file = peers;
		p->address[0] = address;
		p->addresses_n = 1;
		p->idle_ms = p->connect_ms = p->retry_ms = 1000;
		p->channels = p->user_channels = 3;
		p->config = fuzz.i[0][1];
	}
	MUST(hf_config_channels(fuzz.i[0][1], 1));
	MUST(hf_config_channels(fuzz.r, 1));
	return peers;
}

static inline void
scene_begin(const uint8_t *data, size_t len)
{
	size_t i;

	fuzz_people();
	if (scene.peers == NULL)
		scene.peers = scene_peers();
	fuzz_random(data, len);
	scene.peers->refs = 2;
	scene.ns = 1000000000;
	scene.tags = scene.refuses = 0;
	scene.raw_apps = scene.raw_ends = 0;
	scene.due_n = 0;
	memset(scene.app, 0, sizeof(scene.app));
	memset(scene.end, 0, sizeof(scene.end));
	for (i = 0; i < SCENE_APPS; i++)
		scene.app[i].fd = -1;
	for (i = 0; i < SCENE_ENDS; i++)
		scene.end[i].fd = -1;
	CLAIM(uv_loop_init(&scene.loop) == 0);
	MUST(hf_agent_new(&scene.agent, &scene.loop, scene.peers, NULL, NULL));
}

/* All is over in the end, whatever was left of it. */
static inline void
scene_finish(void)
{
	size_t i, n;

	hf_agent_stop(scene.agent);
	scene_turn();
	for (i = 0; i < SCENE_ENDS; i++)
		scene_cut(&scene.end[i]);
	for (n = 0; n < SCENE_LAST && uv_loop_alive(&scene.loop); n++) {
		scene_wait(100);
		scene_turn();
	}
	for (i = 0; i < SCENE_APPS; i++)
		scene_leave(&scene.app[i]);
	CLAIM(!uv_loop_alive(&scene.loop));
	CLAIM(LIST_EMPTY(&scene.agent->apps) && scene.agent->apps_n == 0);
	CLAIM(LIST_EMPTY(&scene.agent->held) && scene.peers->refs == 2);
	CLAIM(uv_loop_close(&scene.loop) == 0);
	hf_agent_free(scene.agent);
	for (i = 0; i < SCENE_ENDS; i++)
		scene_cut(&scene.end[i]);
}

#endif
