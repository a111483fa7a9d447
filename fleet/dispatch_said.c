/* SPDX-License-Identifier: ISC */
/*
 * What is said on a dispatcher's connection: the first messages, by which it
 * is routed; the initiator's, by which it goes on elsewhere; and the servers',
 * which say whether they took it. All else is carried as it is.
 */
#include <stdlib.h>
#include <string.h>

#include "dispatch_own.h"

enum {
	OFFER = 1,
	RETRY = 2,
	REQUEST = 3,
	GRANT = 4,
	CONFIRM = 5,
	RESUME = 6,
	RESUMED = 7,
	ALERT = 8
};

/* --- what the initiator says --------------------------------------------------------- */

static enum hf__verdict
held(const struct hf__conn *c)
{
	return c->phase == HF__OVER || c->phase == HF__SAYING ? HF__ENDED :
								HF__HOLD;
}

static int
wants_resume(struct hf__conn *c)
{
	return c->d->config.ask && !c->asked &&
	    (!c->d->config.faster ||
		!hf__share_anew(c->d->share, uv_now(c->d->loop)));
}

/* What waits goes nowhere. What comes next is a first message. */
static void
next_first(struct hf__conn *c, const uint8_t *word, size_t len)
{
	c->phase = HF__FIRST;
	c->due = uv_now(c->d->loop) + c->d->config.header_ms;
	c->asked = c->skip = 1;
	c->tried_n = 0;
	hf__flow_say(&c->down, word, len);
}

/* As when no server had it. */
void
hf__conn_anew(struct hf__conn *c)
{
	uint8_t alert[HF_CLEAR_BYTES];

	c->how = "anew";
	c->d->counts.anew++;
	hf_alert_write(alert, HF_E_NO_SESSION);
	next_first(c, alert, sizeof(alert));
}

/* A server that lost the race with the last checkpoint of the session's owner
 * ends without a word (spec section 17.5), and takes these bytes no more. */
int
hf__conn_renew(struct hf__conn *c)
{
	static const uint8_t retry[] = { 0x82, RETRY, 0x41, 0 };

	if (c->type != RESUME || c->tried_n == 0 || c->renewed ||
	    !hf__flow_between(&c->down))
		return 0;
	c->renewed = 1;
	c->d->counts.renewed++;
	next_first(c, retry, sizeof(retry));
	return 1;
}

void
hf__conn_renewed(struct hf__conn *c)
{
	if (c->skip)
		hf__conn_settle(c);
}

static enum hf__verdict
first_message(struct hf__conn *c, const uint8_t *message, size_t len)
{
	uint8_t query[HF_CLEAR_BYTES];
	struct hf_route route;
	enum hf_err e;

	if ((e = hf_route_read(&route, message, len)) != HF_OK) {
		c->d->counts.refused_first++;
		hf__conn_refuse(c, e, "malformed");
		return HF__ENDED;
	}
	if (c->skip) {
		c->skip = 0;
		return HF__DISCARD;
	}
	if (route.type != RESUME && wants_resume(c)) {
		c->asked = 1;
		c->due = uv_now(c->d->loop) + c->d->config.answer_ms;
		c->d->counts.queries++;
		hf_query_write(query);
		hf__flow_say(&c->down, query, sizeof(query));
		return c->phase == HF__OVER ? HF__ENDED : HF__DISCARD;
	}
	if (!hf__conn_first(c, &route, message, len)) {
		hf__conn_end(c, HF_E_MEMORY, 1);
		return HF__ENDED;
	}
	c->up.held = 1;
	hf__route(c);
	return held(c);
}

/* The session is open when the confirm has passed. */
static void
opened(struct hf__conn *c)
{
	c->phase = HF__CARRYING;
	c->due = 0;
	c->query_sent = c->query_due = c->alone = c->renewed = 0;
	c->tried_n = 0;
	if (c->was_open)
		c->moves++;
	c->was_open = 1;
	if (c->resumed && c->backend != NULL)
		hf__ids_put(c->d->ids, c->sid, c->backend);
	if (c->backend == NULL) {
		c->alone = c->query_due = 1;
		c->due = uv_now(c->d->loop) + c->d->config.answer_ms;
		c->d->counts.rescued++;
	}
}

/* On an open connection: to another server, when the one that is has said its
 * message to the end. */
static enum hf__verdict
moves_on(struct hf__conn *c, const uint8_t *message, size_t len)
{
	struct hf_route route;
	enum hf_err e;

	if ((e = hf_route_read(&route, message, len)) != HF_OK) {
		hf__conn_end(c, e, 1);
		return HF__ENDED;
	}
	if (!hf__conn_first(c, &route, message, len)) {
		hf__conn_end(c, HF_E_MEMORY, 1);
		return HF__ENDED;
	}
	c->up.held = 1;
	c->tried_n = 0;
	c->due = uv_now(c->d->loop) + c->d->config.answer_ms;
	c->phase = HF__LEAVING;
	return HF__HOLD;
}

/* Another first message for the same server: after a retry or an offer, or when
 * its session did not go on there. */
static void
says_more(struct hf__conn *c, const struct hf_route *route,
    const uint8_t *message, size_t len)
{
	uint64_t began = c->first_us;
	int retried = c->retried;

	if (c->first != NULL) /* the one that brought it here */
		return;
	/* What was said to another message is no answer to this one. */
	c->retried = c->resumed = c->granted = 0;
	/* A handshake is as long as its hello ago, a resume as its first. */
	if (!hf__conn_first(c, route, message, len))
		c->type = route->type;
	else if (retried)
		c->answered = 0;
	if (retried || route->type == REQUEST)
		c->first_us = began;
}

static enum hf__verdict
from_initiator(struct hf__conn *c, int type, const uint8_t *message,
    size_t len)
{
	struct hf_route route;

	switch (c->phase) {
	case HF__FIRST:
		return first_message(c, message, len);
	case HF__SHAKING:
		if (type == CONFIRM && !c->granted) {
			hf__conn_end(c, HF_E_UNEXPECTED, 1);
			return HF__ENDED;
		}
		if (type == CONFIRM)
			opened(c);
		else if (hf_route_read(&route, message, len) == HF_OK)
			says_more(c, &route, message, len);
		return HF__CARRY;
	case HF__CARRYING:
		return type == RESUME ? moves_on(c, message, len) : HF__CARRY;
	default:
		return HF__HOLD;
	}
}

/* --- what the server says ------------------------------------------------------------- */

static enum hf__verdict
from_server(struct hf__conn *c, int type, const uint8_t *message, size_t len)
{
	uint64_t us = uv_hrtime() / 1000 - c->first_us;
	struct hf__share *share = c->d->share;
	uint64_t ms = uv_now(c->d->loop);
	uint8_t key_id[HF_KEY_ID_BYTES];

	if (c->phase != HF__SHAKING)
		return c->phase == HF__LEAVING || c->query_due ? HF__HOLD :
								 HF__CARRY;
	if (!c->answered) {
		c->due = ms + HF__SHAKE_MS;
		hf__health_tell(c->backend, 1);
	}
	c->answered = 1;
	c->retried = type == RETRY;
	c->renewed |= c->retried;
	free(c->first);
	c->first = NULL;
	if (type == OFFER && hf_offer_key_id(key_id, message, len) == HF_OK)
		hf__backend_learn(c->backend, key_id);
	if (type == GRANT)
		hf__share_took(share, &share->rule.handshake,
		    &c->d->counts.handshake, us, ms);
	if (type == RESUMED) {
		c->resumed = 1;
		hf__share_took(share, &share->rule.transfer,
		    &c->d->counts.transfer, us, ms);
	}
	/* Anybody may have said it. The store knows better, where one is. */
	if (type == ALERT && c->type == RESUME && c->d->port != NULL)
		hf__ids_forget(c->d->ids, c->sid);
	return HF__CARRY;
}

enum hf__verdict
hf__conn_message(struct hf__flow *flow, int type, const uint8_t *message,
    size_t len)
{
	struct hf__conn *c = flow->conn;

	if (flow->client)
		return from_initiator(c, type, message, len);
	c->granted |= type == GRANT || type == RESUMED;
	return from_server(c, type, message, len);
}

void
hf__conn_misframed(struct hf__flow *flow, enum hf_err e)
{
	struct hf__conn *c = flow->conn;

	if (flow->client && c->phase == HF__FIRST) {
		c->d->counts.refused_first++;
		hf__conn_refuse(c, e, "malformed");
	} else {
		hf__conn_end(c, e, 1);
	}
}
