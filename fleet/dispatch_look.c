/* SPDX-License-Identifier: ISC */
/*
 * What time brings to a dispatcher's connections: whatever was to be done
 * within its time and was not, servers that take nothing any more, and
 * initiators that are asked to leave one. It reads and writes nothing.
 */
#include "dispatch_own.h"

/* Another server could have its session. */
static int
has_other(const struct hf__conn *c)
{
	const struct hf__backend *b =
	    hf__table_choose(c, &c->backend->is.scope);

	return b != NULL && b->up && !b->refuses && b != c->backend;
}

/* When bytes last moved, or its server was there for others: that one may take
 * its time. */
static uint64_t
last_sign(const struct hf__conn *c, uint64_t ms)
{
	const struct hf__backend *b = c->backend;
	uint64_t seen = b == NULL ? 0 : b->up ? ms : b->seen_ms;

	return seen > c->touched ? seen : c->touched;
}

/* In a session that is open: its server is gone and it said nothing; or half
 * of it is closed, and what moves in the other half may. */
static void
too_quiet(struct hf__conn *c, uint64_t ms)
{
	uint64_t last = last_sign(c, ms);

	if (c->alone && c->server != NULL) {
		c->alone = 0;
		c->due = ms + HF__HALF_MS;
		hf__conn_settle(c);
	} else if (!c->alone && ms - last < HF__HALF_MS) {
		c->due = last + HF__HALF_MS;
	} else {
		c->d->counts.lost += c->alone != 0;
		hf__conn_end(c, HF_E_DEADLINE, 1);
	}
}

static void
time_is_up(struct hf__conn *c, uint64_t ms)
{
	switch (c->phase) {
	case HF__FIRST:
		c->d->counts.late++;
		c->how = "late";
		hf__conn_end(c, HF_E_DEADLINE, 1);
		break;
	case HF__CONNECTING:
		c->backend->failed++;
		hf__health_tell(c->backend, 0);
		hf__conn_try_another(c);
		hf__conn_renewed(c);
		break;
	case HF__SHAKING:
		if (!c->answered) {
			c->d->counts.overdue++;
			hf__health_doubt(c->backend);
		}
		if (!hf__conn_say_again(c))
			hf__conn_end(c, HF_E_DEADLINE, 1);
		break;
	case HF__CARRYING:
		too_quiet(c, ms);
		break;
	case HF__LEAVING:
		if (c->down.left == 0 && c->down.sending == NULL) {
			c->parting = 2;
			hf__flow_wipe_sending(&c->up);
			hf__conn_settle(c);
		} else {
			hf__conn_end(c, HF_E_DEADLINE, 1);
		}
		break;
	default:
		hf__conn_end(c, HF_E_DEADLINE, 1);
	}
}

/* Its server takes nothing of what it says, behind which a resume may stand:
 * where it was asked to go on elsewhere, or the server does not answer anybody
 * else, it goes on without that one. What the server has not taken, the
 * session says again. */
static int
held_up(struct hf__conn *c, uint64_t ms)
{
	const struct hf_dispatch_config *config = &c->d->config;

	uint64_t taken = c->up.bytes;

	if (c->server != NULL)
		taken -= uv_stream_get_write_queue_size(&c->server->io.stream);
	if (c->phase != HF__CARRYING || c->up.sending == NULL ||
	    c->server == NULL || taken != c->stuck) {
		c->stuck = taken;
		c->stuck_ms = ms;
		return 0;
	}
	if (c->query_sent && ms - c->asked_ms >= config->answer_ms &&
	    ms - c->stuck_ms >= config->answer_ms)
		return 1;
	if (ms - c->stuck_ms < config->server_ms)
		return 0;
	if (c->backend->up && ms - c->backend->asked_ms >= config->server_ms)
		hf__health_doubt(c->backend);
	return c->dispatched && !c->backend->up;
}

/* Its server is down and has not ended what it began to say, behind which the
 * initiator was to be asked: that one hears of an end, and goes on elsewhere. */
static int
cut_short(const struct hf__conn *c, uint64_t ms)
{
	return c->query_due && c->phase == HF__CARRYING && c->server != NULL &&
	    !c->backend->up && c->down.sending == NULL &&
	    ms - c->down.at >= c->d->config.server_ms;
}

void
hf__conn_look(struct hf__conn *c, uint64_t ms)
{
	uint64_t idle = c->d->config.idle_ms;

	if (held_up(c, ms) || cut_short(c, ms)) {
		c->d->counts.overdue++;
		hf__conn_broken(c->server);
		return;
	}
	if (c->due != 0 && ms >= c->due) {
		time_is_up(c, ms);
	} else if (c->phase == HF__CARRYING && idle != 0 &&
	    ms - c->touched >= idle) {
		c->d->counts.idle++;
		hf__conn_end(c, HF_E_DEADLINE, 1);
	}
}

/* So many initiators of a server that is left, or that answers nobody, are
 * asked to go on elsewhere as the rate allows: a worker's share of it, in
 * thousandths of a query of all. */
void
hf__conns_ask(struct hf_dispatch *d, uint64_t passed)
{
	const uint64_t more = d->config.drain_rate * passed;
	const uint64_t one = (uint64_t)1000 * d->workers;
	struct hf__conn *c, *next;
	struct hf__backend *b;

	for (c = d->conns; c != NULL; c = next) {
		next = c->next;
		b = c->backend;
		/* What was asked and passed over holds no longer than why. */
		if (b != NULL && b->up && !b->draining && !c->alone)
			c->query_sent = 0;
		if (b == NULL || c->query_due ||
		    (!b->draining && (b->up || !has_other(c))))
			continue;
		if (b->drained_ms != d->looked) {
			b->drained_ms = d->looked;
			/* Less than one is kept for the next time. */
			b->drain_due =
			    more + (b->drain_due < one ? b->drain_due : 0);
		}
		if (b->drain_due < one)
			continue;
		/* It may end by that, and be the last that used its server. */
		b->refs++;
		if (hf__conn_ask(c))
			b->drain_due -= one;
		hf__backend_release(b);
	}
}
