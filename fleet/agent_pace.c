/* SPDX-License-Identifier: ISC */
/*
 * Whose turn it is, where one process says all that it can and others a word
 * now and then (spec section 21.3). A process pays for what it says and hears;
 * one that pays more than it gets back floods. While others talk all that flood
 * have one purse: when it is empty they stand in a line, and nothing of theirs
 * is touched until the agent has rested. So they wait in their own sockets, and
 * there is a processor for an answer. Where nobody else talks nobody rests. It
 * does not know what is said.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent_own.h"

enum {
	BACK = 16384,	    /* that each is forgiven, a millisecond; */
	BACK_FLOODS = 1024, /* all that flood together */
	FLOOD = 1 << 16,    /* unpaid, and it floods */
	MOST = 2 * FLOOD,
	PURSE = 1 << 16, /* between two rests, of all that flood */
	TURN = 1 << 14,	 /* of that one process at once */
	TALK_MS = 2000,	 /* since its last word, and it talks no more */
	REST = 3,	 /* times what the work has taken, and at least so */
	REST_MS = 8,	 /* long: it is in the way of few answers then */
	REST_MAX_MS = 50,
	IN_LINE = 16,	/* connections of a process that are taken meanwhile */
	REMEMBERED = 64 /* processes that have no connection any more */
};

/* --- processes ---------------------------------------------------------------- */

/* A pid that was used again is another's. */
static int
is_of(const struct hf__flow *f, const struct hf__who *who)
{
	return f->pid == who->pid && f->number == who->number &&
	    f->uid == who->uid;
}

struct hf__flow *
hf__flow_of(struct hf_agent *agent, const struct hf__who *who)
{
	struct hf__flow *f;

	LIST_FOREACH(f, &agent->flows, of_agent)
		if (is_of(f, who))
			break;
	if (f == NULL) {
		if ((f = calloc(1, sizeof(*f))) == NULL)
			return NULL;
		f->pid = who->pid;
		f->number = who->number;
		f->uid = who->uid;
		f->at_ms = hf__agent_ms();
		LIST_INSERT_HEAD(&agent->flows, f, of_agent);
	} else if (f->apps == 0) {
		agent->flows_left--;
	}
	f->apps++;
	return f;
}

static void
silent(struct hf_agent *agent, struct hf__flow *f)
{
	if (!f->talks)
		return;
	f->talks = 0;
	TAILQ_REMOVE(&agent->talk, f, said);
}

static void
forget(struct hf_agent *agent, struct hf__flow *f)
{
	silent(agent, f);
	agent->floods -= (unsigned)f->floods;
	agent->flows_left--;
	LIST_REMOVE(f, of_agent);
	free(f);
}

void
hf__flow_leave(struct hf_agent *agent, struct hf__flow *f)
{
	struct hf__flow *least = f, *each;

	if (--f->apps > 0)
		return;
	/* Who opens and leaves in turn is remembered; of too many who paid
	 * least is not. */
	if (++agent->flows_left <= REMEMBERED)
		return;
	LIST_FOREACH(each, &agent->flows, of_agent)
		if (each->apps == 0 && each->unpaid < least->unpaid)
			least = each;
	forget(agent, least);
}

/* --- what it costs --------------------------------------------------------------- */

/* Those who flood are forgiven less than their purse has: nobody comes out of it
 * because he rests. */
static void
settle(struct hf_agent *agent, struct hf__flow *f, uint64_t now, size_t cost)
{
	uint64_t back = now - f->at_ms;
	int floods;

	back = f->floods ? back * BACK_FLOODS / agent->floods : back * BACK;
	f->unpaid -= back < f->unpaid ? back : f->unpaid;
	f->unpaid += cost;
	if (f->unpaid > MOST)
		f->unpaid = MOST;
	f->at_ms = now;
	floods = f->unpaid > (f->floods ? FLOOD / 2 : FLOOD);
	agent->floods += (unsigned)floods - (unsigned)f->floods;
	f->floods = floods;
	if (floods)
		silent(agent, f);
}

void
hf__pace_pay(struct hf__app *a, size_t cost)
{
	struct hf_agent *agent = a->agent;
	struct hf__flow *f = a->flow;

	settle(agent, f, hf__agent_ms(), cost);
	if (!f->floods)
		return;
	agent->purse -= (int64_t)cost;
	if (agent->purse < -PURSE)
		agent->purse = -PURSE;
}

void
hf__pace_said(struct hf__app *a, size_t cost)
{
	struct hf_agent *agent = a->agent;
	struct hf__flow *f = a->flow;

	hf__pace_pay(a, cost);
	if (f->floods)
		return;
	silent(agent, f);
	f->talks = 1;
	f->talked_ms = f->at_ms;
	TAILQ_INSERT_TAIL(&agent->talk, f, said);
}

void
hf__pace_look(struct hf_agent *agent, uint64_t now)
{
	struct hf__flow *f, *next;

	for (f = LIST_FIRST(&agent->flows); f != NULL; f = next) {
		next = LIST_NEXT(f, of_agent);
		settle(agent, f, now, 0);
		if (f->apps == 0 && f->unpaid == 0)
			forget(agent, f);
	}
}

/* --- rests ------------------------------------------------------------------------- */

/* What this thread has worked, in microseconds. */
static int64_t
worked(void)
{
	struct timespec t = { .tv_sec = 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Others talk, who do not flood. */
static int
others(struct hf_agent *agent)
{
	uint64_t now = hf__agent_ms();
	struct hf__flow *f;

	while ((f = TAILQ_FIRST(&agent->talk)) != NULL &&
	    now - f->talked_ms >= TALK_MS)
		silent(agent, f);
	return f != NULL;
}

static void rested(uv_timer_t *);

static void
rest(struct hf_agent *agent)
{
	int64_t ms = REST * (worked() - agent->worked_us) / 1000;

	if (ms < REST_MS)
		ms = REST_MS;
	if (ms > REST_MAX_MS)
		ms = REST_MAX_MS;
	uv_update_time(agent->loop);
	(void)uv_timer_start(&agent->rest, rested, (uint64_t)ms, 0);
}

int
hf__pace_waits(struct hf__app *a)
{
	struct hf_agent *agent = a->agent;

	if (a->in_line)
		return 1;
	if (!a->flow->floods || agent->purse > 0 || agent->stopping ||
	    (a->phase != HF__APP_FIRST && a->phase != HF__APP_CARRIED) ||
	    a->lost != HF_OK || !others(agent))
		return 0;
	a->in_line = 1;
	a->flow->in_line++;
	TAILQ_INSERT_TAIL(&agent->line, a, line);
	if (!uv_is_active((uv_handle_t *)&agent->rest))
		rest(agent);
	return 1;
}

void
hf__pace_leave(struct hf__app *a)
{
	if (!a->in_line)
		return;
	a->in_line = 0;
	a->flow->in_line--;
	TAILQ_REMOVE(&a->agent->line, a, line);
}

static void
rested(uv_timer_t *timer)
{
	struct hf_agent *agent = timer->data;
	struct hf__app *a;

	if (agent->stopping)
		return;
	agent->purse += PURSE;
	if (agent->purse > PURSE)
		agent->purse = PURSE;
	agent->worked_us = worked();
	while (agent->purse > 0 && (a = TAILQ_FIRST(&agent->line)) != NULL) {
		hf__pace_leave(a);
		hf__app_turn(a);
	}
	if (!TAILQ_EMPTY(&agent->line))
		rest(agent);
	hf__agent_knocks(agent);
}

int
hf__pace_crowd(const struct hf__app *a)
{
	return a->flow->in_line >= IN_LINE;
}

size_t
hf__pace_turn(struct hf__app *a, size_t most)
{
	return a->flow->floods && most > TURN && others(a->agent) ? TURN :
								    most;
}

void
hf__pace_end(struct hf_agent *agent)
{
	struct hf__flow *f, *next;

	for (f = LIST_FIRST(&agent->flows); f != NULL; f = next) {
		next = LIST_NEXT(f, of_agent);
		forget(agent, f);
	}
}
