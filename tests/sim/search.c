/* SPDX-License-Identifier: ISC */
/*
 * The retry window, searched whole (spec sections 17.3 and 17.8): a client that
 * moves between two servers, and is refreshed there, while what it hears and says is late, lost, or said
 * again by another. What is not delivered is lost, a server that does not go
 * on has crashed: so every prefix of every schedule is an end, and from each
 * the client must come through as soon as all is well. Breadth first, states
 * that are alike once; a schedule is run anew from the beginning, by the
 * library's own objects.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cluster.h"
#include "sim.h"

enum {
	ATTEMPTS = 3, /* the client's, after its first connection */
	REPLAYS = 2,
	CHECKPOINTS = 2, /* a refresh has two; 1 where there is more else */
	ENDS = ATTEMPTS + REPLAYS,
	DEPTH = 40, /* no schedule is longer */
	NODES = 1 << 17,
	SEEN = 1 << 19,
	MESSAGE = 1024
};

enum action { RECONNECT, REPLAY, CHECKPOINT, HEAR, STEP /* of an end */ };

/* A responder's end, and what is on its way from it. What is on its way to it
 * is heard at once: it does nothing that others see before its next step. */
struct side {
	struct end end;
	uint8_t down[MESSAGE];
	size_t down_len;
	bool attached, stale; /* stale: what it read is there no more */
};

static struct cluster stage;
static struct side sides[ENDS];
static unsigned sides_n, attempts, replays, checkpoints;
static unsigned attempts_most, replays_most, checkpoints_most;
static struct hf_session *client;
static uint8_t last_resume[MESSAGE];
static size_t last_resume_len;

/* The beginning: a session that is open and stored. */
static struct {
	struct hf_session session;
	uint8_t cert[HF_CERT_MAX];
	struct hf__move move;
	struct hf__past sent[32], received[32];
	struct shelf shelf;
} root;

/* --- the beginning ---------------------------------------------------------------- */

static void
make_root(void)
{
	static const struct meeting m = { .method = HF_METHOD_CERTIFICATE,
		.known = 1 };
	struct end first;

	fixed_random("search");
	cluster_make(&stage, &m, HF_MOVES_SOFT);
	assert_ok(hf_config_expect(stage.world.i, "cluster"));
	assert_ok(hf_config_fallback(stage.world.i, 0));
	assert_ok(hf_session_new(&client, stage.world.i, START_MS, NOW));
	end_make(&first, &stage, 0);
	assert_ok(converse(&stage, client, &first));
	assert_ok(end_checkpoint(&first));
	end_free(&first);
	root.session = *client;
	root.session.in = (struct hf__buffer){ .max = client->in.max };
	root.session.out = (struct hf__buffer){ .max = client->out.max };
	assert_null(client->hs);
	memcpy(root.cert, client->peer_cert.ptr, client->peer_cert.len);
	root.move = *client->move;
	assert_int_equal(client->move->sent.cap, 32);
	assert_int_equal(client->move->received.cap, 32);
	memcpy(root.sent, client->move->sent.ring, sizeof(root.sent));
	memcpy(root.received, client->move->received.ring,
	    sizeof(root.received));
	root.shelf = stage.shelf;
}

static void *
copy_of(const void *from, size_t len)
{
	void *to = malloc(len);

	assert_non_null(to);
	memcpy(to, from, len);
	return to;
}

static void
leave(void)
{
	while (sides_n > 0)
		end_free(&sides[--sides_n].end);
	hf_session_free(client);
	client = NULL;
}

static void
begin(void)
{
	fixed_random("search on");
	oracle_begin(0);
	memset(sides, 0, sizeof(sides));
	attempts = replays = checkpoints = 0;
	last_resume_len = 0;
	client = copy_of(&root.session, sizeof(root.session));
	if (client->peer_cert_copy != NULL) {
		client->peer_cert_copy =
		    copy_of(root.cert, client->peer_cert.len);
		client->peer_cert.ptr = client->peer_cert_copy;
	}
	client->move = copy_of(&root.move, sizeof(root.move));
	client->move->sent.ring = copy_of(root.sent, sizeof(root.sent));
	client->move->received.ring =
	    copy_of(root.received, sizeof(root.received));
	stage.shelf = root.shelf;
}

/* --- what may happen ----------------------------------------------------------------- */

static void
collect(uint8_t to[MESSAGE], size_t *len, struct hf_session *from)
{
	struct hf_span out = hf_session_output(from);

	assert_in_range(out.len, 0, MESSAGE);
	*len = out.len;
	if (out.len > 0)
		memcpy(to, out.ptr, out.len);
	assert_ok(hf_session_drained(from, out.len));
}

/* The other server than the last one. */
static struct side *
connect_side(void)
{
	struct side *v = &sides[sides_n];

	end_make(&v->end, &stage, (int)(sides_n % 2));
	sides_n++;
	return v;
}

static void
tell(struct side *v, const uint8_t *message, size_t len)
{
	size_t used;

	if (len == 0 || hf_session_want(v->end.s) != HF_WANT_READ)
		return;
	(void)!hf_session_feed(v->end.s, &used, message, len);
	if (hf_session_want(v->end.s) == HF_WANT_ADMIT)
		(void)!hf_session_admit(v->end.s, HF_ADMIT);
}

static struct side *
attached(void)
{
	unsigned n;

	for (n = 0; n < sides_n; n++)
		if (sides[n].attached)
			return &sides[n];
	return NULL;
}

/* Its connection breaks, or it has waited for long enough. */
static void
reconnect(void)
{
	struct side *v = attached();

	if (v != NULL)
		v->attached = false;
	(void)!hf_session_eof(client);
	assert_ok(hf_session_reconnect(client, START_MS, NOW + 1));
	v = connect_side();
	v->attached = true;
	collect(last_resume, &last_resume_len, client);
	tell(v, last_resume, last_resume_len);
	attempts++;
}

static void
replay(void)
{
	tell(connect_side(), last_resume, last_resume_len);
	replays++;
}

static void
note_write(const struct side *by, int writes)
{
	unsigned n;

	if (stage.shelf.writes == writes)
		return;
	for (n = 0; n < sides_n; n++)
		if (&sides[n] != by && sides[n].end.read_len > 0)
			sides[n].stale = true;
}

/* The state that a claim leaves, without the secret that the client holds. */
static void
forget_previous(void)
{
	struct hf__stored st;

	assert_ok(hf__state_open(&st, stage.vault[0], stage.shelf.entry,
	    stage.shelf.len, NOW));
	if (!st.unconfirmed)
		return;
	st.unconfirmed = false;
	st.serial = 0;
	assert_ok(hf__state_seal(stage.shelf.entry, &stage.shelf.len,
	    stage.vault[0], &st, NOW));
}

static enum hf_err
commit(struct side *v)
{
	struct hf_span entry = hf_session_entry(v->end.s);
	bool confirm = hf_session_commit_kind(v->end.s) == HF_COMMIT_CONFIRM;
	enum hf_err e;

	if (confirm && plant == PLANT_NO_CAS_AT_CONFIRM) {
		memcpy(v->end.read, stage.shelf.entry, stage.shelf.len);
		v->end.read_len = stage.shelf.len;
	}
	e = shelf_swap(&v->end, entry);
	if (e == HF_OK && plant == PLANT_NO_PREVIOUS) {
		forget_previous();
		memcpy(v->end.read, stage.shelf.entry, stage.shelf.len);
		v->end.read_len = stage.shelf.len;
	}
	return e;
}

/* One thing that this end can do; false: there is none. */
static bool
step(struct side *v)
{
	struct hf_session *r = v->end.s;
	int writes = stage.shelf.writes;
	enum hf_err e;

	switch (hf_session_want(r)) {
	case HF_WANT_STATE:
		v->stale = false;
		(void)!end_supply(&v->end);
		if (hf_session_want(r) == HF_WANT_TRUST)
			(void)!hf_session_trust(r, HF_OK);
		break;
	case HF_WANT_COMMIT:
		e = commit(v);
		(void)!hf_session_commit(r, e);
		note_write(v, writes);
		break;
	default:
		return false;
	}
	if (hf_session_output(r).len > 0)
		collect(v->down, &v->down_len, r);
	return true;
}

/* One message after the other, and what is in the records. */
static void
take_all(struct hf_session *s, const uint8_t *bytes, size_t len)
{
	enum hf_content content;
	struct hf_span data;
	size_t used;

	while (len > 0 && hf_session_feed(s, &used, bytes, len) == HF_OK) {
		if (hf_session_want(s) == HF_WANT_RECV)
			(void)!hf_session_recv(s, &content, &data);
		bytes += used;
		len -= used;
	}
}

/* The client hears what its server said, and answers: so also to a refresh. */
static bool
hear(void)
{
	struct side *v = attached();
	uint8_t answer[MESSAGE];
	size_t len;

	if (v == NULL || v->down_len == 0 ||
	    (hf_session_want(client) != HF_WANT_READ &&
		hf_session_want(client) != HF_WANT_DONE))
		return false;
	take_all(client, v->down, v->down_len);
	v->down_len = 0;
	collect(answer, &len, client);
	if (hf_session_want(v->end.s) == HF_WANT_DONE)
		take_all(v->end.s, answer, len);
	else
		tell(v, answer, len);
	return true;
}

/* Whoever is open stores what there is, and may find out that it is fenced. */
static bool
checkpoint(void)
{
	int writes = stage.shelf.writes;
	unsigned n;

	for (n = sides_n; n-- > 0;)
		if (sides[n].end.s->state == HF__OPEN)
			break;
	if (n == (unsigned)-1)
		return false;
	(void)!end_checkpoint(&sides[n].end);
	note_write(&sides[n], writes);
	if (hf_session_output(sides[n].end.s).len > 0)
		collect(sides[n].down, &sides[n].down_len, sides[n].end.s);
	checkpoints++;
	return true;
}

/* False where that cannot happen now. */
static bool
act(unsigned action)
{
	switch (action) {
	case RECONNECT:
		if (attempts == attempts_most)
			return false;
		reconnect();
		return true;
	case REPLAY:
		if (replays == replays_most || last_resume_len == 0)
			return false;
		replay();
		return true;
	case CHECKPOINT:
		return checkpoints < checkpoints_most && checkpoint();
	case HEAR:
		return hear();
	default:
		return action - STEP < sides_n && step(&sides[action - STEP]);
	}
}

/* --- states that are alike --------------------------------------------------------------- */

struct print {
	uint8_t bytes[16 + 16 * ENDS];
	size_t len;
};

static void
put(struct print *p, uint64_t v)
{
	assert_in_range(p->len, 0, sizeof(p->bytes) - 1);
	p->bytes[p->len++] = (uint8_t)v;
}

static bool
same(const void *a, const void *b)
{
	return memcmp(a, b, 32) == 0;
}

static void
put_side(struct print *p, const struct side *v, const struct hf__stored *st)
{
	const struct hf_session *r = v->end.s;

	put(p, r->state);
	put(p, r->error);
	put(p, r->refused);
	put(p, v->attached | v->stale << 1);
	put(p, v->down_len == 0 ? 0 : v->down[1]);
	put(p, r->hs == NULL ? 0 : r->hs->outer.epoch);
	put(p, r->hs == NULL ? 0 : r->hs->outer.serial);
	put(p, r->move == NULL ? 0 : r->move->epoch);
	put(p, r->move == NULL ? 0 : r->move->refreshing);
	put(p, hf_session_strength(r));
	put(p, same(r->secrets.resumption, st->secret));
	put(p, same(r->secrets.resumption, client->secrets.resumption));
}

/* All that tells two states apart, but for what is random in them. */
static void
fingerprint(struct print *p)
{
	struct hf__stored st;
	unsigned n;

	assert_ok(hf__state_open(&st, stage.vault[0], stage.shelf.entry,
	    stage.shelf.len, NOW));
	p->len = 0;
	put(p, attempts);
	put(p, replays);
	put(p, checkpoints);
	put(p, client->state);
	put(p, client->error);
	put(p, client->move->epoch);
	put(p, client->move->serial);
	put(p, hf_session_strength(client));
	put(p, client->move->has_reply);
	put(p, st.epoch);
	put(p, st.unconfirmed);
	put(p, st.unconfirmed ? st.previous_epoch : 0);
	put(p, st.serial);
	put(p, same(st.secret, client->secrets.resumption));
	put(p,
	    st.unconfirmed && same(st.previous, client->secrets.resumption));
	for (n = 0; n < sides_n; n++)
		put_side(p, &sides[n], &st);
}

static uint64_t *seen;

/* False where one like it was met before. */
static bool
fresh(const struct print *p)
{
	uint64_t h[2];
	size_t i;

	assert_int_equal(crypto_generichash((uint8_t *)h, sizeof(h), p->bytes,
			     p->len, NULL, 0),
	    0);
	h[0] |= 1;
	for (i = h[1] % SEEN; seen[i] != 0; i = (i + 1) % SEEN)
		if (seen[i] == h[0])
			return false;
	seen[i] = h[0];
	return true;
}

/* --- all is well again ---------------------------------------------------------------------- */

/* By one more attempt the client is through, and data flows both ways. */
static bool
comes_through(void)
{
	uint64_t epoch = client->move->epoch;
	struct hf_span data;
	enum hf_content content;
	struct end next;
	bool ok;

	(void)!hf_session_eof(client);
	if (hf_session_reconnect(client, START_MS, NOW + 1) != HF_OK)
		return false;
	end_make(&next, &stage, 1);
	ok = converse(&stage, client, &next) == HF_OK &&
	    client->state == HF__OPEN && next.s->state == HF__OPEN &&
	    client->move->epoch > epoch &&
	    hf_session_send(client, (const uint8_t *)"x", 1) == HF_OK &&
	    converse(&stage, client, &next) == HF_OK &&
	    hf_session_recv(next.s, &content, &data) == HF_OK &&
	    end_checkpoint(&next) == HF_OK &&
	    converse(&stage, client, &next) == HF_OK &&
	    hf_session_recv(client, &content, &data) == HF_OK &&
	    content == HF_CONTENT_ACK;
	end_free(&next);
	return ok;
}

/* --- breadth first ----------------------------------------------------------------------------- */

struct node {
	uint8_t path[DEPTH];
	uint8_t len;
};
static struct node *nodes;
static size_t nodes_n;
static unsigned long opens, runs, refreshed;

static void
show(const struct node *at)
{
	unsigned n;

	fprintf(stderr, "schedule:");
	for (n = 0; n < at->len; n++)
		if (at->path[n] < STEP)
			fprintf(stderr, " %s",
			    (const char *const[]){ "reconnect", "replay",
				"checkpoint", "hear" }[at->path[n]]);
		else
			fprintf(stderr, " %u", at->path[n] - STEP);
	fputc('\n', stderr);
}

static void
run_again(const struct node *at)
{
	unsigned n;

	runs++;
	begin();
	for (n = 0; n < at->len; n++)
		if (!act(at->path[n]))
			violation("a schedule that cannot be run again");
}

/* At most one end is open under what the store holds. */
static bool
one_owner(void)
{
	struct hf__stored st;
	unsigned n, owners = 0;

	assert_ok(hf__state_open(&st, stage.vault[0], stage.shelf.entry,
	    stage.shelf.len, NOW));
	for (n = 0; n < sides_n; n++)
		owners += sides[n].end.s->state == HF__OPEN &&
		    sides[n].end.s->move->epoch == st.epoch;
	opens += owners;
	refreshed += hf_session_strength(client) == HF_MOVES_PROVED;
	return owners <= 1;
}

/* A state that was not met before. */
static void
judge(const struct node *at)
{
	assert_in_range(nodes_n, 0, NODES - 1);
	assert_in_range(at->len, 0, DEPTH - 1);
	nodes[nodes_n++] = *at;
	if (!one_owner()) {
		violation("two owners");
		show(at);
	}
	if (!comes_through()) {
		violation("the client is stranded");
		show(at);
	}
}

/* What cannot happen changes nothing, so the next can be tried at once. */
static void
expand(const struct node *from)
{
	struct node next = *from;
	struct print print;
	unsigned action;

	next.len++;
	run_again(from);
	for (action = 0; action < STEP + ENDS; action++) {
		if (!act(action))
			continue;
		next.path[from->len] = (uint8_t)action;
		fingerprint(&print);
		if (fresh(&print))
			judge(&next);
		leave();
		run_again(from);
	}
	leave();
}

void
search(unsigned most_attempts, unsigned most_replays)
{
	size_t at;

	attempts_most = most_attempts;
	replays_most = most_replays;
	checkpoints_most = most_attempts > 2 ? 1 : CHECKPOINTS;
	assert_in_range(attempts_most + replays_most, 1, ENDS);

	nodes = calloc(NODES, sizeof(*nodes));
	seen = calloc(SEEN, sizeof(*seen));
	assert_non_null(nodes);
	assert_non_null(seen);
	make_root();
	leave();
	for (nodes_n = 1, at = 0; at < nodes_n && tally.violations < 5; at++)
		expand(&nodes[at]);
	printf("%zu states by %lu runs, the longest of %u steps; owners open "
	       "in %lu, the client proved in %lu; violations %lu\n",
	    nodes_n, runs, nodes[nodes_n - 1].len, opens, refreshed,
	    tally.violations);
	free(nodes);
	free(seen);
	cluster_free(&stage);
}
