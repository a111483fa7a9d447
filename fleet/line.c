/* SPDX-License-Identifier: ISC */
/*
 * The line of a worker: connections from addresses of which too many came to
 * nothing. They wait, unread, and one begins every few milliseconds, first
 * come, first served, while their address has not too many at work already.
 * So a flood takes a small part of the worker's time, whatever it sends, and
 * those who share its address are served too. Who has to wait it does not
 * know.
 */
#include <stdlib.h>
#include <unistd.h>

#include "server.h"

static void
drop(struct hf_served_own *c)
{
	(void)close(c->fd);
	hf__server_finish(c);
	free(c);
}

/* Takes the one at *at out. Returns it. */
static struct hf_served_own *
take_out(struct hf_worker *w, struct hf_served_own **at,
    struct hf_served_own *before)
{
	struct hf_served_own *c = *at;

	*at = c->behind;
	if (w->line_last == c)
		w->line_last = before;
	w->line_n--;
	return c;
}

static void
next(uv_timer_t *timer)
{
	struct hf_worker *w = timer->data;
	struct hf_served_own **at, *before = NULL;
	uint64_t ms = uv_now(timer->loop);

	while (w->line != NULL && ms - w->line->since >= HF__FIRST_MS)
		drop(take_out(w, &w->line, NULL));
	for (at = &w->line; *at != NULL; at = &(*at)->behind) {
		if (hf__server_turn(*at)) {
			hf__door_pass(w, take_out(w, at, before));
			break;
		}
		before = *at;
	}
	if (w->line == NULL)
		(void)uv_timer_stop(timer);
	hf__doors_open(w);
}

int
hf__line_join(struct hf_worker *w, struct hf_served_own *c)
{
	if (w->line_n >= HF__LINE_MAX)
		return 0;
	if (w->line == NULL) {
		if (uv_timer_start(&w->turn, next, HF__LINE_MS, HF__LINE_MS) !=
		    0)
			return 0;
		w->line = c;
	} else {
		w->line_last->behind = c;
	}
	c->since = uv_now(&w->loop);
	w->line_last = c;
	w->line_n++;
	return 1;
}

void
hf__line_end(struct hf_worker *w)
{
	while (w->line != NULL)
		drop(take_out(w, &w->line, NULL));
	(void)uv_timer_stop(&w->turn);
}
