/* SPDX-License-Identifier: ISC */
/*
 * The owner of a session that may move (spec section 17.7): it fetches the
 * state, claims it, writes checkpoints when they are due, and finds out what
 * became of a write whose answer it did not get. One operation of a session is
 * under way at a time. It knows a link and a port; sessions it only asks.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "owner.h"
#include "store_now.h"

enum {
	REST_MS = 100, /* after a write that failed */
	CLOSED_S = 60, /* what has ended stays so long */
	KEYS_MS = 20,  /* between two looks at what keys there are */
	KEYS_LOOKS = 50
};

enum doing {
	NOTHING,
	FETCHING,
	CLAIMING,
	WRITING,
	FINDING_OUT,
	LOOKING,
	AWAITING_KEYS
};

struct version {
	uint8_t bytes[HF_ENTRY_MAX];
	size_t len; /* 0: nothing */
};

struct hf_owner {
	struct hf_link *link;
	struct hf_port *port;
	const struct hf_vault *vault;
	struct hf_checkpoint_policy policy;
	uv_timer_t timer, refresh;
	struct hf_op *op;
	enum doing doing, found_for;
	enum hf_err wrote; /* what the write said that is looked after */
	struct version known, next;
	uint64_t bytes_at; /* data moved at the last checkpoint */
	int timed, resting, handing_over, queried, dead;
	int leaving;	    /* it is to be asked to go elsewhere */
	int looked, stands; /* whether it can: what is stored was looked for */
	hf__owner_renew *renew; /* NULL: nobody reads keys again */
	void *renew_arg;
	hf__owner_stored *stored; /* NULL: nobody wants to know */
	int looks;
	int refreshes; /* one was timed */
	int handles;
};

static struct hf_span
span(const struct version *v)
{
	return (struct hf_span){ v->bytes, v->len };
}

static void
set(struct version *v, const uint8_t *bytes, size_t len)
{
	v->len = len;
	if (len > 0)
		memcpy(v->bytes, bytes, len);
}

static int
same(const struct version *v, const uint8_t *bytes, size_t len)
{
	return v->len == len &&
	    (len == 0 || memcmp(v->bytes, bytes, len) == 0);
}

/* Sessions stand under "s/" and their id. */
void
hf__owner_key(uint8_t key[HF__OWNER_KEY_BYTES], struct hf_span sid)
{
	key[0] = 's';
	key[1] = '/';
	memcpy(key + 2, sid.ptr, HF_SID_BYTES);
}

static struct hf_span
key_of(const struct hf_owner *o, uint8_t key[HF__OWNER_KEY_BYTES])
{
	hf__owner_key(key, hf_session_id(hf_link_session(o->link)));
	return (struct hf_span){ key, HF__OWNER_KEY_BYTES };
}

/* --- what became of a write --------------------------------------------------------- */

static void found(void *, enum hf_err, const uint8_t *, size_t);
static void time_is_up(uv_timer_t *);

static void
tell(struct hf_owner *o, enum doing what, enum hf_err e)
{
	o->doing = NOTHING;
	if (e == HF_OK)
		set(&o->known, o->next.bytes, o->next.len);
	if (what == WRITING && e == HF_E_STORE) {
		o->resting = 1;
		(void)uv_timer_start(&o->timer, time_is_up, REST_MS, 0);
	}
	if (what == WRITING)
		o->stands = o->handing_over && e == HF_OK;
	if (what == WRITING && o->stored != NULL)
		o->stored(e);
	if (what == CLAIMING)
		hf_link_committed(o->link, e);
	else
		hf_link_checkpointed(o->link, e);
}

static int
same_session(const struct hf_entry_info *a, const struct hf_entry_info *b)
{
	return memcmp(a->sid, b->sid, sizeof(a->sid)) == 0;
}

/* Nobody but the owner writes its token. */
static int
own_token(const struct hf_entry_info *a, const struct hf_entry_info *b)
{
	return memcmp(a->token, b->token, sizeof(a->token)) == 0;
}

/* Spec section 17.7: by what is there now. */
static enum hf_err
judge(struct hf_owner *o, const uint8_t *entry, size_t len)
{
	struct hf_entry_info now, ours;

	if (same(&o->next, entry, len))
		return HF_OK;
	if (same(&o->known, entry, len))
		return HF_E_STORE;
	if (hf_entry_open(&now, o->vault, entry, len, (uint64_t)time(NULL)) !=
		HF_OK ||
	    hf_entry_read(&ours, o->next.bytes, o->next.len) != HF_OK ||
	    !same_session(&now, &ours))
		return HF_E_STORE;
	if (own_token(&now, &ours)) {
		/* An own write that came late, perhaps of a refresh that was
		 * given up: the next one is over it. */
		set(&o->known, entry, len);
		return HF_E_STORE;
	}
	/* By the epoch that it is in: what was to be written may say the next,
	 * which is another's now. */
	return now.epoch > hf_session_epoch(hf_link_session(o->link)) ?
	    HF_E_FENCED :
	    HF_E_STORE;
}

static void
find_out(struct hf_owner *o, enum doing what, enum hf_err wrote)
{
	uint8_t key[HF__OWNER_KEY_BYTES];

	o->doing = FINDING_OUT;
	o->found_for = what;
	o->wrote = wrote;
	o->op = hf_port_get(o->port, key_of(o, key), found, o);
	if (o->op == NULL)
		tell(o, what, HF_E_STORE);
}

static void
found(void *arg, enum hf_err e, const uint8_t *entry, size_t len)
{
	struct hf_owner *o = arg;
	enum hf_err verdict = HF_E_STORE;

	o->op = NULL;
	if (e == HF_OK)
		verdict = judge(o, entry, len);
	/* A claim that was not the first is lost, whatever is there. */
	if (verdict == HF_E_STORE && o->found_for == CLAIMING &&
	    o->wrote == HF_E_FENCED)
		verdict = HF_E_FENCED;
	tell(o, o->found_for, verdict);
}

static void
written(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	struct hf_owner *o = arg;
	enum doing what = o->doing;

	(void)value;
	(void)len;
	o->op = NULL;
	if (e == HF_OK)
		tell(o, what, HF_OK);
	else
		find_out(o, what, e);
}

static void
write_next(struct hf_owner *o, enum doing what)
{
	const struct hf_session *s = hf_link_session(o->link);
	uint64_t expires = hf_session_expires(s);
	uint8_t key[HF__OWNER_KEY_BYTES];
	int asked;

	o->doing = what;
	/* The link waits for a claim, and takes its answer at any time. Whom
	 * it fences the claim has told; its confirmation is no news. */
	if (what == CLAIMING) {
		asked = hf__port_swap_now(&o->op, o->port, key_of(o, key),
		    span(&o->known), span(&o->next), expires,
		    hf_session_commit_kind(s) == HF_COMMIT_CONFIRM, written,
		    o);
	} else {
		o->op = hf_port_swap(o->port, key_of(o, key), span(&o->known),
		    span(&o->next), expires, written, o);
		asked = o->op != NULL;
	}
	if (!asked)
		tell(o, what, HF_E_STORE);
}

/* --- taking over --------------------------------------------------------------------- */

/* Sealed under a key that this server has not heard of yet: it looks, for a
 * while, whether there is one. */
static int
must_wait(struct hf_owner *o)
{
	return o->renew != NULL && o->looks++ < KEYS_LOOKS &&
	    hf_vault_lacks(o->vault, o->known.bytes, o->known.len) &&
	    o->renew(o->renew_arg) &&
	    hf_vault_lacks(o->vault, o->known.bytes, o->known.len) &&
	    uv_timer_start(&o->timer, time_is_up, KEYS_MS, 0) == 0;
}

static void
supply(struct hf_owner *o)
{
	o->doing = AWAITING_KEYS;
	if (must_wait(o))
		return;
	o->doing = NOTHING;
	hf_link_supply(o->link, HF_OK, o->known.bytes, o->known.len);
}

static void
fetched(void *arg, enum hf_err e, const uint8_t *entry, size_t len)
{
	struct hf_owner *o = arg;

	o->op = NULL;
	o->doing = NOTHING;
	if (e == HF_OK && len > HF_ENTRY_MAX)
		e = HF_E_ENTRY;
	if (e != HF_OK) {
		hf_link_supply(o->link, e, o->known.bytes, o->known.len);
		return;
	}
	set(&o->known, entry, len);
	o->looks = 0;
	supply(o);
}

void
hf_owner_state(struct hf_owner *o)
{
	uint8_t key[HF__OWNER_KEY_BYTES];

	o->doing = FETCHING;
	if (hf__port_get_now(&o->op, o->port, key_of(o, key), fetched, o))
		return;
	o->doing = NOTHING;
	hf_link_supply(o->link, HF_E_STORE, NULL, 0);
}

void
hf_owner_store(struct hf_owner *o, struct hf_span entry)
{
	set(&o->next, entry.ptr, entry.len);
	write_next(o, CLAIMING);
}

/* --- checkpoints ---------------------------------------------------------------------- */

/* What is known may be of a session that was asked for on this connection and
 * could not go on: of the one that began in its place nothing is stored. */
static void
forget_other(struct hf_owner *o)
{
	struct hf_entry_info was, is;

	if (hf_entry_read(&was, o->known.bytes, o->known.len) != HF_OK ||
	    hf_entry_read(&is, o->next.bytes, o->next.len) != HF_OK ||
	    !same_session(&was, &is))
		o->known.len = 0;
}

/* It goes on, or begins anew, with another server: whether it can go on is
 * known first, for what was stored may be gone. */
static void
let_go(struct hf_owner *o)
{
	if (o->queried)
		return;
	o->leaving = 1;
	if (!o->stands && !o->looked) {
		hf_owner_look(o);
		if (o->doing == LOOKING)
			return;
	}
	o->queried = 1;
	hf_link_query(o->link);
}

static void
checkpoint(struct hf_owner *o)
{
	enum hf_err e;

	o->timed = 0;
	o->bytes_at = hf_link_bytes_in(o->link) + hf_link_bytes_out(o->link);
	e = hf_link_checkpoint(o->link, o->next.bytes, sizeof(o->next.bytes),
	    &o->next.len);
	/* Another server may have newer keys. */
	if (e == HF_E_EXPIRED)
		let_go(o);
	if (e != HF_OK)
		return;
	forget_other(o);
	write_next(o, WRITING);
}

static void
time_is_up(uv_timer_t *timer)
{
	struct hf_owner *o = timer->data;

	if (o->doing == AWAITING_KEYS) {
		supply(o);
		return;
	}
	o->timed = 1;
	o->resting = 0;
	hf_owner_moved(o);
}

/* Whether the policy wants what could be stored to be stored now. */
static int
wants(struct hf_owner *o)
{
	uint64_t moved =
	    hf_link_bytes_in(o->link) + hf_link_bytes_out(o->link);

	if (hf_link_wants_store(o->link) || o->handing_over)
		return 1;
	switch (o->policy.kind) {
	case HF_CHECKPOINT_RECORD:
		return 1;
	case HF_CHECKPOINT_BYTES:
		return moved - o->bytes_at >= o->policy.value;
	case HF_CHECKPOINT_MS:
		if (!o->timed && !uv_is_active((uv_handle_t *)&o->timer))
			(void)uv_timer_start(&o->timer, time_is_up,
			    o->policy.value, 0);
		return o->timed;
	default:
		return 0;
	}
}

/* --- a refresh ------------------------------------------------------------------------- */

static void
refresh_now(uv_timer_t *timer)
{
	struct hf_owner *o = timer->data;

	if (o->dead)
		return;
	/* It begins with a write of its own; one that is under way is not. */
	if (o->doing != NOTHING || o->resting)
		(void)uv_timer_start(timer, refresh_now, o->policy.refresh_ms,
		    0);
	/* It may have been closed, or have had one, meanwhile. */
	else if (hf_session_refresh(hf_link_session(o->link)) == HF_OK)
		hf_owner_moved(o);
}

/* Its public-key work would keep waiting whoever comes behind, most of all
 * where many sessions move at once. */
static void
refresh_later(struct hf_owner *o)
{
	if (o->policy.refresh_ms == 0 || o->refreshes || o->dead ||
	    hf_session_strength(hf_link_session(o->link)) != HF_MOVES_SOFT)
		return;
	o->refreshes = 1;
	(void)uv_timer_start(&o->refresh, refresh_now, o->policy.refresh_ms,
	    0);
}

void
hf_owner_moved(struct hf_owner *o)
{
	int due = hf_session_checkpoint_due(hf_link_session(o->link));

	refresh_later(o);

	if (o->doing != NOTHING || o->resting || o->dead)
		return;
	if (due == 2 || (due == 1 && wants(o))) {
		checkpoint(o);
		return;
	}
	if (due == 0 && o->handing_over)
		let_go(o);
}

void
hf_owner_hand_over(struct hf_owner *o)
{
	o->handing_over = 1;
	hf_owner_moved(o);
}

int
hf_owner_handed_over(const struct hf_owner *o)
{
	return o->queried && o->stands;
}

/* --- hints, and the end ------------------------------------------------------------------ */

static void
looked(void *arg, enum hf_err e, const uint8_t *entry, size_t len)
{
	struct hf_owner *o = arg;
	struct hf_entry_info now, ours;

	o->op = NULL;
	o->doing = NOTHING;
	o->looked = o->leaving;
	o->stands = o->leaving && e == HF_OK && same(&o->known, entry, len);
	if (e == HF_OK &&
	    hf_entry_open(&now, o->vault, entry, len, (uint64_t)time(NULL)) ==
		HF_OK &&
	    hf_entry_read(&ours, o->known.bytes, o->known.len) == HF_OK &&
	    same_session(&now, &ours) && !own_token(&now, &ours) &&
	    now.epoch > ours.epoch)
		hf_link_abort(o->link, HF_E_FENCED);
	/* One that hands over checkpoints first, where it can. */
	else if (o->leaving && !o->queried && !o->handing_over)
		let_go(o);
	else
		hf_owner_moved(o);
}

void
hf_owner_look(struct hf_owner *o)
{
	uint8_t key[HF__OWNER_KEY_BYTES];

	if (o->doing != NOTHING || o->known.len == 0 || o->dead)
		return;
	o->doing = LOOKING;
	o->op = hf_port_get(o->port, key_of(o, key), looked, o);
	if (o->op == NULL)
		o->doing = NOTHING;
}

/* Its session is sealed under the newest of them, at once if that is another
 * one than it was. */
int
hf_owner_vault(struct hf_owner *o, const struct hf_vault *vault)
{
	if (o->dead || hf_link_vault(o->link, vault) != HF_OK)
		return 0;
	o->vault = vault;
	return 1;
}

void
hf_owner_renew(struct hf_owner *o, hf__owner_renew *renew, void *arg)
{
	o->renew = renew;
	o->renew_arg = arg;
}

void
hf_owner_stored(struct hf_owner *o, hf__owner_stored *stored)
{
	o->stored = stored;
}

enum hf_err
hf_owner_new(struct hf_owner **owner, uv_loop_t *loop, struct hf_port *port,
    struct hf_link *link, const struct hf_vault *vault,
    const struct hf_checkpoint_policy *policy)
{
	struct hf_owner *o;

	if ((o = calloc(1, sizeof(*o))) == NULL)
		return HF_E_MEMORY;
	o->link = link;
	o->port = port;
	o->vault = vault;
	o->policy = *policy;
	(void)uv_timer_init(loop, &o->timer);
	(void)uv_timer_init(loop, &o->refresh);
	o->timer.data = o->refresh.data = o;
	uv_unref((uv_handle_t *)&o->timer);
	uv_unref((uv_handle_t *)&o->refresh);
	o->handles = 2;
	*owner = o;
	return HF_OK;
}

static void
timer_closed(uv_handle_t *handle)
{
	struct hf_owner *o = handle->data;

	if (--o->handles > 0)
		return;
	sodium_memzero(o, sizeof(*o));
	free(o);
}

/* Whether its close has come the responder cannot know: where it has not, the
 * initiator resumes. What is stored stays for as long as it may try. */
static void
leave(struct hf_owner *o)
{
	uint64_t ends = hf_session_expires(hf_link_session(o->link));
	uint64_t soon = (uint64_t)time(NULL) + CLOSED_S;
	uint8_t key[HF__OWNER_KEY_BYTES];

	(void)hf_port_swap(o->port, key_of(o, key), span(&o->known),
	    span(&o->known), soon < ends ? soon : ends, NULL, NULL);
}

void
hf_owner_end(struct hf_owner *o, int in_order)
{
	struct hf_session *s;

	if (o == NULL || o->dead)
		return;
	o->dead = 1;
	hf_op_forget(o->op);
	s = hf_link_session(o->link);
	if (in_order && o->known.len > 0 && s != NULL &&
	    hf_session_id(s).len == HF_SID_BYTES)
		leave(o);
	uv_close((uv_handle_t *)&o->timer, timer_closed);
	uv_close((uv_handle_t *)&o->refresh, timer_closed);
}
