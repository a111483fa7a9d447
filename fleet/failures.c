/* SPDX-License-Identifier: ISC */
/*
 * Who had too many failures (spec section 10.4): counted in this server's own
 * tables, and wrong passwords also in the store that the servers share, under
 * keyed hashes, so that what was tried at one counts at all. A store that
 * does not answer stops nobody: then the own tables alone are asked. It knows
 * users and sources; why something failed it is told.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server.h"

enum {
	MINUTE_MS = 60000,
	COUNT_BYTES = 16,   /* when in ms, and the debt then; big-endian */
	COUNT_TRIES = 4,    /* where others count at the same time */
	COUNTS_MAX = 64,    /* that a worker writes at once */
	MADE_MAX = 1 << 16, /* new ones, of a server and minute */
	WHOLE_MAX = 1024
};

/* One failure on its way into the store. */
struct hf__count {
	struct hf__count *next;
	struct hf_worker *worker;
	struct hf_op *op;
	int what, tries;
	uint8_t key[HF_COUNTER_KEY_BYTES];
	uint8_t own[HF__COUNTED_MAX];
	size_t own_len;
	uint8_t found[COUNT_BYTES];
	size_t found_len; /* 0: nothing */
	uint64_t debt;	  /* as it is written */
};

/* --- the own tables ---------------------------------------------------------- */

static struct hf_limit *
table(const struct hf_server *s, int what)
{
	return what == HF_COUNTED_USER ? s->users :
	    what == HF_COUNTED_PAIR    ? s->pairs :
					 s->sources;
}

static uint32_t
per_minute(const struct hf_server *s, int what)
{
	return what == HF_COUNTED_USER ? 2 * s->options.max_failures :
	    what == HF_COUNTED_PAIR    ? s->options.max_failures :
					 s->options.max_source_failures;
}

/* The key in those tables; of a pair, a user as one source knows him, since
 * no single one uses up his allowance. 0 where there is no user. */
static size_t
own_key(uint8_t key[HF__COUNTED_MAX], const struct hf_served_own *c, int what)
{
	size_t len = 0;

	if (what != HF_COUNTED_SOURCE) {
		if ((len = strlen(c->user)) == 0)
			return 0;
		memcpy(key, c->user, len);
	}
	if (what == HF_COUNTED_PAIR)
		key[len++] = '\0';
	if (what != HF_COUNTED_USER) {
		memcpy(key + len, c->source.key, c->source.len);
		len += c->source.len;
	}
	return len;
}

int
hf_server_allowed(struct hf_served *conn)
{
	struct hf_served_own *c = conn->own;
	struct hf_server *s = c->server;
	uint64_t ms = uv_hrtime() / 1000000;
	uint8_t key[HF__COUNTED_MAX];
	int what, ok = 1;
	size_t len;

	uv_mutex_lock(&s->lock);
	for (what = 0; what < HF__COUNTERS; what++)
		if ((len = own_key(key, c, what)) > 0)
			ok &= hf_limit_allows(table(s, what), key, len, ms);
	uv_mutex_unlock(&s->lock);
	return ok;
}

/* Who would be refused later than he would be let in learns it by waiting. */
void
hf_server_asked(struct hf_served *conn, int asked)
{
	conn->own->asked = asked;
}

int
hf_served_same_pair(const struct hf_served *a, const struct hf_served *b)
{
	return strcmp(a->own->user, b->own->user) == 0 &&
	    hf_served_same_source(a, b);
}

/* --- counters in the store ------------------------------------------------------ */

static uint64_t
wall_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

static void
store_be(uint8_t out[8], uint64_t v)
{
	int i;

	for (i = 7; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

static uint64_t
load_be(const uint8_t in[8])
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | in[i];
	return v;
}

/* The debt of a counter as it is now. One from further ahead than clocks
 * differ is of a clock that was set back since, and is not believed. */
static uint64_t
debt_now(const struct hf_server *s, int what, const uint8_t *value, size_t len)
{
	uint64_t now = wall_ms(), since, debt, most, paid;

	if (len != COUNT_BYTES)
		return 0;
	since = load_be(value);
	debt = load_be(value + 8);
	most = (uint64_t)per_minute(s, what) * HF_LIMIT_FAILURE;
	if (debt > most)
		debt = most;
	if (since > now)
		return since - now > (uint64_t)s->options.tolerance * 1000 ?
		    0 :
		    debt;
	if (now - since >= MINUTE_MS)
		return 0;
	paid = (now - since) * per_minute(s, what);
	return debt > paid ? debt - paid : 0;
}

/* What is counted of one kind, as bytes that no two of them share: 0 where
 * there is no room. */
static size_t
whole_name(uint8_t out[WHOLE_MAX], enum hf_counted what, const char *subject,
    struct hf_span source)
{
	size_t len = 0,
	       n = what == HF_COUNTED_SOURCE ? 0 : strlen(subject) + 1;

	if (what == HF_COUNTED_USER)
		source.len = 0;
	if (1 + n + source.len > WHOLE_MAX)
		return 0;
	out[len++] = (uint8_t)what;
	if (n > 0)
		memcpy(out + len, subject, n);
	len += n;
	if (source.len > 0)
		memcpy(out + len, source.ptr, source.len);
	return len + source.len;
}

/* Counters stand under "f/" and a keyed hash: the store learns no names. */
enum hf_err
hf_counter_key(uint8_t key[HF_COUNTER_KEY_BYTES], const struct hf_vault *vault,
    enum hf_counted what, const char *subject, struct hf_span source,
    uint64_t now)
{
	uint8_t name[WHOLE_MAX], hash[HF_KEY_BYTES];
	size_t len = whole_name(name, what, subject, source);
	enum hf_err e;

	if (len == 0)
		return HF_E_ARG;
	if ((e = hf_vault_hash(hash, vault, name, len, now)) != HF_OK)
		return e;
	memcpy(key, "f/", 2);
	memcpy(key + 2, hash, HF_COUNTER_KEY_BYTES - 2);
	return HF_OK;
}

static int
find_counters(struct hf_served_own *c, const char *subject)
{
	const struct hf_service *service = c->server->service;
	struct hf_span source = { c->source.key, c->source.len };
	const struct hf_vault *vault;
	int what;

	if (c->conn.worker->port == NULL || service->vault == NULL ||
	    (vault = service->vault(c->conn.generation)) == NULL)
		return 0;
	for (what = 0; what < HF__COUNTERS; what++)
		if (hf_counter_key(c->counter[what], vault,
			(enum hf_counted)what, subject, source,
			(uint64_t)time(NULL)) != HF_OK)
			return 0;
	return 1;
}

/* The own table learns what the store has. */
static void
learn(struct hf_server *s, int what, const uint8_t *own, size_t own_len,
    uint64_t debt)
{
	uint64_t ms = uv_hrtime() / 1000000;

	uv_mutex_lock(&s->lock);
	hf_limit_raise(table(s, what), own, own_len, debt, ms);
	uv_mutex_unlock(&s->lock);
}

/* It is worth asking for this counter, for a minute. */
static void
mark(struct hf_server *s, const uint8_t *key)
{
	uint64_t ms = uv_hrtime() / 1000000;

	uv_mutex_lock(&s->lock);
	hf_limit_failed(s->known, key, HF_COUNTER_KEY_BYTES, ms);
	uv_mutex_unlock(&s->lock);
}

static int
marked(struct hf_server *s, const uint8_t *key)
{
	uint64_t ms = uv_hrtime() / 1000000;
	int is;

	uv_mutex_lock(&s->lock);
	is = !hf_limit_allows(s->known, key, HF_COUNTER_KEY_BYTES, ms);
	uv_mutex_unlock(&s->lock);
	return is;
}

void
hf__failures_heard(struct hf_server *s, struct hf_span key)
{
	if (key.len == HF_COUNTER_KEY_BYTES && memcmp(key.ptr, "f/", 2) == 0)
		mark(s, key.ptr);
}

/* --- before a password is judged -------------------------------------------------- */

static void
answered(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	struct hf__count_read *r = arg;
	struct hf_served_own *c = r->c;
	uint8_t own[HF__COUNTED_MAX];
	int what = (int)(r - c->read);

	r->op = NULL;
	if (e == HF_OK)
		learn(c->server, what, own, own_key(own, c, what),
		    debt_now(c->server, what, value, len));
	if (--c->reading == 0)
		hf__server_judge(c);
}

/* Only counters that are known to be there are asked for: a good login costs
 * the store nothing. */
void
hf__failures_ask(struct hf_served_own *c, const struct hf_peer *peer)
{
	size_t len = peer->name == NULL ? 0 : strlen(peer->name);
	int what;

	c->user[0] = '\0';
	c->shares = c->asked = 0;
	/* Who takes a session over shows no password: guessing at his shall
	 * not stop him. */
	if (len > 0 && len <= HF_USER_MAX &&
	    !hf_session_takes_over(hf_link_session(c->conn.link)) &&
	    (peer->method == HF_METHOD_PASSWORD ||
		peer->method == HF_METHOD_PLAIN_PASSWORD)) {
		memcpy(c->user, peer->name, len + 1);
		c->shares = find_counters(c, peer->subject);
	}
	c->reading = 1; /* until all are asked */
	for (what = 0; c->shares && what < HF__COUNTERS; what++) {
		if (!marked(c->server, c->counter[what]))
			continue;
		c->read[what].c = c;
		c->read[what].op = hf_port_get(c->conn.worker->port,
		    (struct hf_span){ c->counter[what], HF_COUNTER_KEY_BYTES },
		    answered, &c->read[what]);
		c->reading += c->read[what].op != NULL;
	}
	if (--c->reading == 0)
		hf__server_judge(c);
}

void
hf__failures_forget(struct hf_served_own *c)
{
	int what;

	for (what = 0; what < HF__COUNTERS; what++) {
		hf_op_forget(c->read[what].op);
		c->read[what].op = NULL;
	}
}

/* --- after it was wrong ------------------------------------------------------------- */

static void
drop(struct hf__count *n)
{
	struct hf__count **at = &n->worker->counts;

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	n->worker->counts_n--;
	hf_op_forget(n->op);
	sodium_memzero(n, sizeof(*n));
	free(n);
}

void
hf__failures_end(struct hf_worker *w)
{
	while (w->counts != NULL)
		drop(w->counts);
}

/* Nobody fills a store with names: of new ones there are so many a minute. */
static int
may_make(struct hf_server *s)
{
	uint64_t ms = uv_hrtime() / 1000000;
	int may;

	uv_mutex_lock(&s->lock);
	if (ms - s->made_since >= MINUTE_MS) {
		s->made_since = ms;
		s->made = 0;
	}
	may = s->made < MADE_MAX;
	s->made += (unsigned)may;
	uv_mutex_unlock(&s->lock);
	return may;
}

static void ask(struct hf__count *);

/* Where somebody else counted meanwhile, again. Where it is not known whether
 * it was written it is left at that. */
static void
written(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	struct hf__count *n = arg;

	(void)value;
	(void)len;
	n->op = NULL;
	if (e == HF_OK)
		learn(n->worker->server, n->what, n->own, n->own_len, n->debt);
	if (e == HF_E_FENCED && ++n->tries < COUNT_TRIES)
		ask(n);
	else
		drop(n);
}

static void
found(void *arg, enum hf_err e, const uint8_t *value, size_t len)
{
	struct hf__count *n = arg;
	struct hf_server *s = n->worker->server;
	uint64_t most = (uint64_t)per_minute(s, n->what) * HF_LIMIT_FAILURE;
	uint8_t next[COUNT_BYTES];

	n->op = NULL;
	if ((e != HF_OK && e != HF_E_NO_SESSION) || len > COUNT_BYTES ||
	    (e == HF_E_NO_SESSION && !may_make(s))) {
		drop(n);
		return;
	}
	n->found_len = e == HF_OK ? len : 0;
	if (n->found_len > 0)
		memcpy(n->found, value, len);
	n->debt =
	    debt_now(s, n->what, n->found, n->found_len) + HF_LIMIT_FAILURE;
	if (n->debt > most)
		n->debt = most;
	store_be(next, wall_ms());
	store_be(next + 8, n->debt);
	n->op = hf_port_swap(n->worker->port,
	    (struct hf_span){ n->key, sizeof(n->key) },
	    (struct hf_span){ n->found, n->found_len },
	    (struct hf_span){ next, sizeof(next) },
	    (uint64_t)time(NULL) + MINUTE_MS / 1000 + s->options.tolerance,
	    written, n);
	if (n->op == NULL)
		drop(n);
}

static void
ask(struct hf__count *n)
{
	n->op = hf_port_get(n->worker->port,
	    (struct hf_span){ n->key, sizeof(n->key) }, found, n);
	if (n->op == NULL)
		drop(n);
}

/* Counts one failure in the store. Where too much is on its way already the
 * own tables must do: sessions need the store more. */
static void
count(struct hf_served_own *c, int what)
{
	struct hf_worker *w = c->conn.worker;
	struct hf__count *n;

	mark(c->server, c->counter[what]);
	if (w->counts_n >= COUNTS_MAX || (n = calloc(1, sizeof(*n))) == NULL)
		return;
	n->worker = w;
	n->what = what;
	memcpy(n->key, c->counter[what], sizeof(n->key));
	n->own_len = own_key(n->own, c, what);
	n->next = w->counts;
	w->counts = n;
	w->counts_n++;
	ask(n);
}

/* Whether an error is a refused token: these alone are counted. Malformed
 * bytes cost little, unless in a token that was opened: it has a method. */
static int
counts(enum hf_err e, int token)
{
	switch (e) {
	case HF_E_SIGNATURE:
	case HF_E_ISSUER:
	case HF_E_EXPIRED:
	case HF_E_NOT_YET:
	case HF_E_REVOKED:
	case HF_E_STALE_LIST:
	case HF_E_USAGE:
	case HF_E_CONSTRAINT:
	case HF_E_TOKEN:
	case HF_E_PASSWORD:
	case HF_E_TICKET:
	case HF_E_TICKET_USED:
	case HF_E_POLICY:
		return 1;
	case HF_E_CBOR:
	case HF_E_SHAPE:
	case HF_E_PUBLIC_KEY:
	case HF_E_OBJECT:
		return token;
	default:
		return 0;
	}
}

void
hf__failures_failed(void *owner, struct hf_link *link, enum hf_err err)
{
	struct hf_served_own *c = owner;
	struct hf_server *s = c->server;
	uint64_t ms = uv_hrtime() / 1000000;
	uint8_t key[HF__COUNTED_MAX];
	struct hf_peer peer;
	int token = hf_session_peer(&peer, hf_link_session(link)) == HF_OK &&
	    peer.method != 0;
	int late = err == HF_E_DEADLINE && c->asked;
	int what, wrong = (err == HF_E_PASSWORD || late) && c->user[0] != '\0';

	if (hf_link_opened(link) || (!late && !counts(err, token)))
		return;
	uv_mutex_lock(&s->lock);
	for (what = 0; what < HF__COUNTERS; what++)
		if (what == HF_COUNTED_SOURCE || wrong)
			hf_limit_failed(table(s, what), key,
			    own_key(key, c, what), ms);
	uv_mutex_unlock(&s->lock);
	for (what = 0; wrong && c->shares && what < HF__COUNTERS; what++)
		count(c, what);
}
