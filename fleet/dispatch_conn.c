/* SPDX-License-Identifier: ISC */
/*
 * One connection of a dispatcher, from its first message to its end: the server
 * that is gone, ends of streams, and what waits for a moment. What is said on
 * it is dispatch_said.c's, the choice of a server dispatch_route.c's.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch_own.h"

enum { REQUEST = 3 };

/* --- the end --------------------------------------------------------------------- */

static void
tell(struct hf__conn *c)
{
	struct hf_dispatch_line line = { .source = c->text,
		.server = c->backend == NULL ? NULL : c->backend->is.name.text,
		.target = { c->target, c->target_len },
		.how = c->how == NULL ? "nothing" : c->how,
		.in = c->up.bytes,
		.out = c->down.bytes,
		.ms = uv_now(c->d->loop) - c->began,
		.moves = c->moves,
		.err = c->err };

	c->d->counts.in += c->up.bytes;
	c->d->counts.out += c->down.bytes;
	if (c->d->hooks->ended != NULL)
		c->d->hooks->ended(c->d->owner, &line);
}

/* Whoever called may still look at it: it is freed a little later. */
void
hf__conn_end(struct hf__conn *c, enum hf_err err, int reset)
{
	struct hf_dispatch *d = c->d;

	if (c->phase == HF__OVER)
		return;
	c->phase = HF__OVER;
	if (c->err == HF_OK)
		c->err = err;
	tell(c);
	hf_op_forget(c->lookup);
	if (c->lookup != NULL)
		d->lookups--;
	c->lookup = NULL;
	hf__conn_leave(c);
	hf__leg_close(c->client, reset);
	hf__flow_wipe(&c->up);
	hf__flow_wipe(&c->down);
	c->client = NULL;
	c->down.to = NULL;
	free(c->first);
	c->first = NULL;
	hf__share_leave(d->share, &c->places);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		d->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	d->conns_n--;
	c->next = d->dead;
	d->dead = c;
	hf__gates_open(d);
}

/* An alert in clear, then the end. What still comes is not looked at, so that
 * the kernel does not drop the alert. */
void
hf__conn_refuse(struct hf__conn *c, enum hf_err err, const char *why)
{
	uint8_t alert[HF_CLEAR_BYTES];

	c->how = why;
	c->err = err;
	hf__conn_leave(c);
	hf__flow_wipe(&c->up);
	c->phase = HF__SAYING;
	c->up.drop = 1;
	c->due = uv_now(c->d->loop) + HF__ALERT_MS;
	if (!hf__flow_between(&c->down)) {
		hf__conn_end(c, err, 0);
		return;
	}
	hf_alert_write(alert, err);
	hf__flow_say(&c->down, alert, sizeof(alert));
	if (c->phase == HF__SAYING)
		(void)uv_shutdown(&c->client->shutdown, &c->client->io.stream,
		    NULL);
}

/* --- its first message --------------------------------------------------------------- */

int
hf__conn_first(struct hf__conn *c, const struct hf_route *route,
    const uint8_t *message, size_t len)
{
	uint8_t *copy = malloc(len);

	free(c->first);
	c->first = copy;
	c->first_len = copy == NULL ? 0 : len;
	if (copy == NULL)
		return 0;
	memcpy(copy, message, len);
	c->type = route->type;
	c->dispatched = route->dispatched;
	c->target_len = route->target.len;
	if (c->target_len > 0)
		memcpy(c->target, route->target.ptr, c->target_len);
	if (route->sid.ptr != NULL)
		memcpy(c->sid, route->sid.ptr, HF_SID_BYTES);
	if (route->key_id.ptr != NULL)
		memcpy(c->key_id, route->key_id.ptr, HF_KEY_ID_BYTES);
	c->first_us = uv_hrtime() / 1000;
	return 1;
}

/* --- a server that is gone ------------------------------------------------------------- */

/* A server that went before it said anything: the message that it had goes
 * elsewhere. One that is sealed to a key cannot. */
int
hf__conn_say_again(struct hf__conn *c)
{
	if (c->answered || c->first == NULL || c->type == REQUEST ||
	    c->up.len > 0 || !hf__flow_between(&c->up) ||
	    !hf__flow_put(&c->up, c->first, c->first_len))
		return 0;
	c->up.held = 1;
	c->backend->failed++;
	hf__conn_try_another(c);
	hf__conn_renewed(c);
	return 1;
}

/* A server that went between its resumed and the initiator's confirm: when
 * that has come the initiator is asked to go on elsewhere. One that asked for
 * a message anew: that goes to another, as nobody may ask for it once more. */
static int
wait_for_initiator(struct hf__conn *c)
{
	if (c->phase != HF__SHAKING || c->down.left > 0 ||
	    (!c->retried && (!c->resumed || !c->dispatched)))
		return 0;
	if (c->retried) {
		c->phase = HF__FIRST;
		c->asked = 1;
		c->tried[0] = c->backend;
		c->tried_n = 1;
	}
	hf__conn_leave(c);
	hf__flow_wipe_sending(&c->up);
	/* Whatever else it said is nobody's word now. */
	(void)hf__flow_put(&c->down, c->down.buf, 0);
	c->due = uv_now(c->d->loop) + c->d->config.answer_ms;
	return 1;
}

/* --- ends of streams, and what waits for a moment -------------------------------------- */

int
hf__conn_ask(struct hf__conn *c)
{
	if (c->phase != HF__CARRYING || !c->dispatched || c->query_sent)
		return 0;
	c->query_due = 1;
	hf__conn_settle(c);
	return 1;
}

/* Its server is gone. It is asked to go on with another; without an answer it
 * hears of the end. */
static int
rescue(struct hf__conn *c)
{
	if (c->phase != HF__CARRYING || !c->dispatched || c->alone ||
	    c->client->eof || c->down.left > 0)
		return 0;
	c->alone = 1;
	c->query_sent = 0;
	c->due = uv_now(c->d->loop) + c->d->config.answer_ms;
	c->d->counts.rescued++;
	return hf__conn_ask(c);
}

static void
shut(struct hf__leg *leg)
{
	if (leg == NULL || leg->shut)
		return;
	leg->shut = 1;
	(void)uv_shutdown(&leg->shutdown, &leg->io.stream, NULL);
}

/* What is left of a stream that has ended is carried, then its end is. */
static void
pass_end(struct hf__conn *c, const struct hf__leg *from, struct hf__flow *flow)
{
	if (from == NULL || !from->eof || flow->sending != NULL || flow->held)
		return;
	if (flow == &c->down && c->alone)
		return;
	shut(flow->to);
}

static void
ask_now(struct hf__conn *c)
{
	uint8_t query[HF_CLEAR_BYTES];

	c->query_due = 0;
	c->query_sent = 1;
	c->asked_ms = uv_now(c->d->loop);
	c->d->counts.queries++;
	hf_query_write(query);
	hf__flow_say(&c->down, query, sizeof(query));
	c->down.held = 0;
	hf__flow_run(&c->down);
}

/* The server that is left is told so, and may finish what it was just told: a
 * checkpoint of it would else come between what the next one reads and its
 * claim, which is then lost. Not for long. Returns 1 when it is done. */
static int
parted(struct hf__conn *c)
{
	uint64_t ms = uv_now(c->d->loop);

	if (c->server == NULL || c->server->eof || c->parting == 2 ||
	    (!c->parting && ms - c->up.at > HF__LOOK_MS))
		return 1;
	if (c->parting)
		return 0;
	c->parting = c->down.drop = 1;
	hf__flow_wipe(&c->down);
	shut(c->server);
	c->due = ms + HF__LOOK_MS;
	return 0;
}

void
hf__conn_settle(struct hf__conn *c)
{
	if (c->skip && c->up.held) {
		c->up.held = 0;
		hf__flow_run(&c->up);
		return;
	}
	if (c->phase == HF__LEAVING && hf__flow_between(&c->up) &&
	    hf__flow_between(&c->down) && parted(c)) {
		hf__conn_leave(c);
		hf__flow_wipe(&c->down);
		c->parting = c->down.drop = 0;
		c->d->counts.moves++;
		hf__route(c);
		if (c->skip) {
			hf__conn_settle(c);
			return;
		}
	}
	if (c->query_due && c->phase == HF__CARRYING &&
	    hf__flow_between(&c->down)) {
		ask_now(c);
		return;
	}
	if (c->phase == HF__OVER)
		return;
	if (c->phase == HF__CARRYING) {
		pass_end(c, c->client, &c->up);
		pass_end(c, c->server, &c->down);
	}
	if (c->client != NULL)
		hf__leg_read(c->client);
	if (c->server != NULL && c->server->from != NULL)
		hf__leg_read(c->server);
	if (c->client != NULL && c->client->shut && c->client->eof)
		hf__conn_end(c, HF_OK, 0);
}

void
hf__conn_eof(struct hf__flow *flow)
{
	struct hf__conn *c = flow->conn;
	int both = c->client->eof && (c->server == NULL || c->server->eof);

	if ((both && !c->parting) || c->phase == HF__SAYING ||
	    (flow->client && c->phase != HF__CARRYING)) {
		hf__conn_end(c, c->was_open ? HF_OK : HF_E_GONE, 0);
		return;
	}
	if (!flow->client && c->phase == HF__SHAKING) {
		if (!hf__conn_say_again(c) && !wait_for_initiator(c))
			hf__conn_end(c, HF_E_GONE, 0);
		return;
	}
	if (!flow->client && c->phase == HF__LEAVING) {
		if (c->down.left > 0)
			hf__conn_end(c, HF_E_TRUNCATED, 1);
		else
			hf__conn_settle(c);
		return;
	}
	if (flow->client || !rescue(c))
		c->due = uv_now(c->d->loop) + HF__HALF_MS;
	hf__conn_settle(c);
}

void
hf__conn_broken(struct hf__leg *leg)
{
	struct hf__conn *c = leg == NULL ? NULL : leg->conn;

	if (c == NULL)
		return;
	if (leg == c->client) {
		hf__conn_end(c, HF_E_IO, 1);
		return;
	}
	if (c->phase == HF__SHAKING &&
	    (hf__conn_say_again(c) || wait_for_initiator(c)))
		return;
	if (c->phase == HF__LEAVING && c->down.left == 0) {
		hf__flow_wipe_sending(&c->up);
		hf__conn_settle(c);
		return;
	}
	if (c->phase != HF__CARRYING || !c->dispatched || c->down.left > 0) {
		c->d->counts.lost++;
		hf__conn_end(c, HF_E_IO, 1);
		return;
	}
	/* What it says until it resumes goes nowhere. */
	hf__conn_leave(c);
	hf__flow_wipe_sending(&c->up);
	if (!c->alone && !rescue(c))
		hf__conn_end(c, HF_E_IO, 1);
	else if (c->phase == HF__CARRYING)
		hf__flow_run(&c->up);
}
