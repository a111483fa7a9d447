/* SPDX-License-Identifier: ISC */
/*
 * The life of an agent: its door, at which applications come in, the look that
 * it takes at all times that run, and its end. What an application may do is
 * agent_app.c's, what a session does agent_held.c's.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_own.h"

enum {
	AT_ONCE = 64,
	SAYING_MS = 5000, /* and nothing of it was taken */
	LOST_MS = 60000	  /* however much was taken: what is left is dropped */
};

static void knocked(uv_poll_t *, int, int);

uint64_t
hf__agent_ms(void)
{
	return uv_hrtime() / 1000000;
}

void
hf__agent_tell(struct hf_agent *agent, const struct hf_agent_event *event)
{
	if (agent->told != NULL)
		agent->told(agent->owner, event);
}

void
hf__agent_share(struct hf_agent *agent, const struct hf__app *app)
{
	struct hf__app *a;
	unsigned n = 0;

	LIST_FOREACH(a, &agent->apps, of_agent)
		n += a->phase == HF__APP_CARRIED && a->flow == app->flow;
	LIST_FOREACH(a, &agent->apps, of_agent)
		if (a->flow == app->flow)
			a->share = n;
}

void
hf__agent_count(unsigned *of_process, unsigned *of_user,
    const struct hf_agent *agent, const struct hf__app *app, const char *peer)
{
	const struct hf__app *a;

	*of_process = *of_user = 0;
	LIST_FOREACH(a, &agent->apps, of_agent) {
		if (a == app || a->held == NULL ||
		    strcmp(a->entry->name, peer) != 0 ||
		    a->who.uid != app->who.uid)
			continue;
		++*of_user;
		*of_process += a->flow == app->flow;
	}
}

/* --- the door ---------------------------------------------------------------------- */

static unsigned
of_user(const struct hf_agent *agent, uid_t uid)
{
	const struct hf__app *a;
	unsigned n = 0;

	LIST_FOREACH(a, &agent->apps, of_agent)
		n += a->phase < HF__APP_LEFT && a->who.uid == uid;
	return n;
}

static void
open_door(struct hf_agent *agent, int open)
{
	agent->deaf = !open;
	if (!open)
		(void)uv_poll_stop(&agent->door);
	else if (uv_poll_start(&agent->door, UV_READABLE, knocked) != 0)
		agent->deaf = 1; /* the next look tries again */
}

static void
knocked(uv_poll_t *poll, int status, int events)
{
	struct hf_agent *agent = poll->data;
	struct hf__app *a;
	int n, fd;

	(void)events;
	for (n = 0; status == 0 && n < AT_ONCE; n++) {
		if (agent->apps_n >= HF__APPS_MAX) {
			open_door(agent, 0);
			return;
		}
		fd = accept4(agent->door_fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd == -1) {
			/* No descriptors: those that are there go on. */
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOMEM || errno == ENOBUFS)
				open_door(agent, 0);
			return;
		}
		hf__app_begin(agent, fd, 0);
		a = LIST_FIRST(&agent->apps);
		if (a == NULL || a->fd != fd)
			continue;
		if (of_user(agent, a->who.uid) > HF__APPS_USER) {
			hf__app_end(a, HF_E_QUOTA, HF_REASON_LIMIT);
		} else if (hf__pace_waits(a)) {
			hf__app_watch(a);
			if (!hf__pace_crowd(a))
				continue;
			/* The door is for others too, and rests. */
			agent->crowded = 1;
			open_door(agent, 0);
			return;
		}
	}
}

void
hf__agent_knocks(struct hf_agent *agent)
{
	if (!agent->crowded)
		return;
	agent->crowded = 0;
	if (agent->listening && !agent->stopping)
		open_door(agent, 1);
}

/* --- the look ---------------------------------------------------------------------- */

/* The kernel tells of room only when there is much: it is tried. */
static void
press(struct hf__app *a, uint64_t now)
{
	hf__app_write(a);
	if (a->said_ms + SAYING_MS <= now || a->lost_ms + LOST_MS <= now)
		hf__app_end(a, a->lost, HF_REASON_LOST);
}

static void
look(uv_timer_t *timer)
{
	struct hf_agent *agent = timer->data;
	uint64_t now = hf__agent_ms();
	struct hf__held *held, *next_held;
	struct hf__app *a, *next;

	for (a = LIST_FIRST(&agent->apps); a != NULL; a = next) {
		next = LIST_NEXT(a, of_agent);
		if (a->phase == HF__APP_FIRST &&
		    now - a->began_ms >= HF__APP_FIRST_MS)
			hf__app_end(a, HF_E_DEADLINE, HF_REASON_IDLE);
		else if (a->phase == HF__APP_SAYING &&
		    (agent->stopping || now - a->said_ms >= SAYING_MS))
			hf__app_drop(a);
		else if (a->phase == HF__APP_CARRIED && a->lost != HF_OK)
			press(a, now);
	}
	/* What was done so far, and was told, has a later time. */
	for (held = LIST_FIRST(&agent->held); held != NULL; held = next_held) {
		next_held = LIST_NEXT(held, of_agent);
		hf__reach_look(held, hf__agent_ms());
	}
	hf__pace_look(agent, hf__agent_ms());
	if (agent->listening && agent->deaf && !agent->stopping)
		open_door(agent, 1);
	hf__agent_left(agent);
}

/* What the applications said in this round goes together; and who came in it
 * gets a channel, where the session did not end in it. */
static void
round_ended(uv_check_t *check)
{
	struct hf_agent *agent = check->data;
	struct hf__held *held, *next;

	for (held = LIST_FIRST(&agent->held); held != NULL; held = next) {
		next = LIST_NEXT(held, of_agent);
		if (!held->dirty)
			continue;
		if (held->state == HF_AGENT_OPEN && held->link != NULL)
			hf__held_carry(held);
		held->dirty = 0;
		if (held->state == HF_AGENT_OPEN && held->link != NULL)
			hf_link_pump(held->link);
	}
}

/* --- its life ---------------------------------------------------------------------- */

enum hf_err
hf_agent_new(struct hf_agent **out, uv_loop_t *loop, struct hf_peers *peers,
    void (*told)(void *owner, const struct hf_agent_event *event), void *owner)
{
	struct hf_agent *agent;

	if ((agent = calloc(1, sizeof(*agent))) == NULL)
		return HF_E_MEMORY;
	agent->loop = loop;
	agent->told = told;
	agent->owner = owner;
	TAILQ_INIT(&agent->talk);
	TAILQ_INIT(&agent->line);
	agent->door_fd = agent->rest_dir = agent->rest_lock = -1;
	/* None of these fails after its argument was checked. */
	if (uv_timer_init(loop, &agent->look) != 0 ||
	    uv_timer_init(loop, &agent->rest) != 0 ||
	    uv_check_init(loop, &agent->round) != 0 ||
	    uv_timer_start(&agent->look, look, HF__LOOK_MS, HF__LOOK_MS) !=
		0 ||
	    uv_check_start(&agent->round, round_ended) != 0) {
		free(agent);
		return HF_E_MEMORY;
	}
	agent->look.data = agent->rest.data = agent->round.data = agent;
	agent->peers = peers;
	*out = agent;
	return HF_OK;
}

enum hf_err
hf_agent_listen(struct hf_agent *agent, int fd)
{
	if (uv_poll_init(agent->loop, &agent->door, fd) != 0)
		return HF_E_IO;
	agent->door.data = agent;
	agent->door_fd = fd;
	agent->listening = 1;
	open_door(agent, 1);
	return agent->deaf ? HF_E_IO : HF_OK;
}

enum hf_err
hf_agent_serve(struct hf_agent *agent, int fd)
{
	agent->alone = 1;
	hf__app_begin(agent, fd, 1);
	return LIST_EMPTY(&agent->apps) ? HF_E_MEMORY : HF_OK;
}

void
hf_agent_configure(struct hf_agent *agent, struct hf_peers *peers)
{
	struct hf__held *held;

	LIST_FOREACH(held, &agent->held, of_agent) {
		hf__rest_drop(held);
		held->listed = 0;
	}
	hf_peers_free(agent->peers);
	agent->peers = peers;
	hf__rest_tidy(agent);
}

static void
door_closed(uv_handle_t *handle)
{
	struct hf_agent *agent = handle->data;

	(void)close(agent->door_fd);
	agent->door_fd = -1;
	hf__agent_left(agent);
}

void
hf_agent_stop(struct hf_agent *agent)
{
	struct hf__held *held, *next_held;
	struct hf__app *a, *next;

	if (agent->stopping)
		return;
	agent->stopping = 1;
	if (agent->listening)
		uv_close((uv_handle_t *)&agent->door, door_closed);
	for (a = LIST_FIRST(&agent->apps); a != NULL; a = next) {
		next = LIST_NEXT(a, of_agent);
		if (a->phase == HF__APP_LEFT)
			hf__app_forget(a);
		else
			hf__app_end(a, HF_E_AGENT_GONE, HF_REASON_RESTARTED);
	}
	for (held = LIST_FIRST(&agent->held); held != NULL; held = next_held) {
		next_held = LIST_NEXT(held, of_agent);
		held->waiting = NULL;
		hf__reach_leave(held);
	}
	hf__agent_left(agent);
}

void
hf__agent_left(struct hf_agent *agent)
{
	struct hf__held *held, *next;

	for (held = LIST_FIRST(&agent->held); held != NULL; held = next) {
		next = LIST_NEXT(held, of_agent);
		if (!held->listed)
			(void)hf__held_free(held);
	}
	if (agent->alone && agent->apps_n == 0 && !agent->stopping) {
		hf_agent_stop(agent);
		return;
	}
	if (!agent->stopping || agent->apps_n > 0 ||
	    !LIST_EMPTY(&agent->held) || agent->door_fd != -1 ||
	    uv_is_closing((uv_handle_t *)&agent->look))
		return;
	uv_close((uv_handle_t *)&agent->look, NULL);
	uv_close((uv_handle_t *)&agent->rest, NULL);
	uv_close((uv_handle_t *)&agent->round, NULL);
}

void
hf_agent_free(struct hf_agent *agent)
{
	if (agent == NULL)
		return;
	hf__rest_end(agent);
	hf__pace_end(agent);
	hf_peers_free(agent->peers);
	free(agent);
}
