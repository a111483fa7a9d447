/* SPDX-License-Identifier: ISC */
/*
 * Where a first message goes (spec section 17.9): by the key that it is
 * sealed to, by who owns its session, else by how much there is to do. Who
 * owns a session is known from traffic, or asked of the store: one bounded
 * question, whose answer is believed for routing alone.
 */
#include <string.h>

#include "dispatch_own.h"

enum { REQUEST = 3, RESUME = 6 };

static struct hf_span
target_of(const struct hf__conn *c)
{
	return (struct hf_span){ c->target, c->target_len };
}

static int
can_take(const struct hf__conn *c, const struct hf__backend *b)
{
	return b != NULL && b->listed && b->up && !b->draining &&
	    !b->refuses && !hf__table_tried(c, b) &&
	    hf__backend_serves(b, target_of(c));
}

/* What was asked for anew is gone on with by whoever asked for a server: the
 * bytes that hold the message may be gone through still. */
static void
nobody(struct hf__conn *c)
{
	if (hf__conn_renew(c))
		return;
	c->d->counts.no_server++;
	c->how = "no-server";
	hf__conn_end(c, HF_E_GONE, 0);
}

static void
by_balance(struct hf__conn *c)
{
	struct hf__backend *b = hf__table_choose(c, NULL);

	if (b == NULL) {
		nobody(c);
		return;
	}
	c->how = "balance";
	c->d->counts.balanced++;
	hf__conn_connect(c, b);
}

/* The owner, or another of its scope, or anybody: there it begins anew. */
static void
by_owner(struct hf__conn *c, struct hf__backend *owner)
{
	struct hf__backend *b = NULL;

	if (can_take(c, owner)) {
		c->how = "affinity";
		c->d->counts.affinity++;
		hf__conn_connect(c, owner);
		return;
	}
	if (c->scope.len > 0)
		b = hf__table_choose(c, &c->scope);
	if (b == NULL) {
		by_balance(c);
		return;
	}
	if (c->d->config.faster && c->tried_n == 0 &&
	    hf__flow_between(&c->down) &&
	    hf__share_anew(c->d->share, uv_now(c->d->loop))) {
		hf__conn_anew(c);
		return;
	}
	c->how = "transfer";
	c->d->counts.transfers++;
	hf__conn_connect(c, b);
}

static void
looked_up(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	struct hf__conn *c = arg;
	struct hf__backend *owner = NULL;
	struct hf_entry_info info;

	c->lookup = NULL;
	c->d->lookups--;
	if (e == HF_OK && hf_entry_read(&info, value, len) == HF_OK) {
		c->d->counts.lookups_found++;
		c->scope = info.scope;
		owner = hf__table_owner(c->d, &info.owner);
	}
	by_owner(c, owner);
	hf__conn_renewed(c);
}

static void
by_session(struct hf__conn *c)
{
	struct hf__backend *owner = hf__ids_get(c->d->ids, c->sid);
	uint8_t key[HF__ID_KEY] = { 's', '/' };

	c->scope.len = 0;
	if (owner != NULL) {
		c->scope = owner->is.scope;
		by_owner(c, owner);
		return;
	}
	if (c->d->port == NULL || c->d->lookups >= HF__LOOKUPS_MAX) {
		c->d->counts.lookups_skipped += c->d->port != NULL;
		by_owner(c, NULL);
		return;
	}
	memcpy(key + 2, c->sid, HF_SID_BYTES);
	c->phase = HF__LOOKING;
	c->due = 0;
	c->d->counts.lookups++;
	c->lookup = hf_port_get(c->d->port,
	    (struct hf_span){ key, sizeof(key) }, looked_up, c);
	if (c->lookup != NULL)
		c->d->lookups++;
	else
		by_owner(c, NULL);
}

static void
by_key(struct hf__conn *c)
{
	struct hf__backend *b = hf__table_key(c->d,
	    (struct hf_span){ c->key_id, HF_KEY_ID_BYTES });

	if (!can_take(c, b)) {
		c->d->counts.unknown_key++;
		hf__conn_refuse(c, HF_E_UNKNOWN_KEY, "unknown-key");
		return;
	}
	c->how = "key";
	c->d->counts.by_key++;
	hf__conn_connect(c, b);
}

void
hf__route(struct hf__conn *c)
{
	if (!hf__table_has(c->d, target_of(c))) {
		c->d->counts.no_target++;
		hf__conn_refuse(c, HF_E_TARGET, "no-target");
		return;
	}
	if (c->type == REQUEST)
		by_key(c);
	else if (c->type == RESUME)
		by_session(c);
	else
		by_balance(c);
}

void
hf__route_again(struct hf__conn *c)
{
	if (c->tried_n == HF__TRIES_MAX)
		nobody(c);
	else if (c->type == REQUEST)
		by_key(c);
	else if (c->type == RESUME)
		by_owner(c, NULL);
	else
		by_balance(c);
}
