/* SPDX-License-Identifier: ISC */
/*
 * The simulated world: one client that sends and receives a known stream,
 * servers that do the same, links that an adversary cuts, doubles and replays,
 * and a schedule by one seed. Whatever happens, in the end, when all is well
 * again, the client must come through.
 */
#include <string.h>

#include "../cluster.h"
#include "sim.h"

enum {
	STEPS = 260,
	QUIET_STEPS = 4000,
	PATIENCE = 60, /* steps a client waits for an answer */
	TRUTHS = 4096, /* records of a session that are remembered */
	REFUSALS = 2
};

enum phase { IDLE, ISSUED, APPLIED };

struct queue {
	uint8_t bytes[QUEUE];
	size_t len;
};

/* A server's end of a connection. */
struct link {
	bool used, attached; /* attached: the client's present one */
	bool gone;	     /* the client's side is closed */
	bool forged;	     /* its resume is nobody's */
	int server;
	struct hf_session *r;
	struct queue up, down;
	unsigned frozen;
	struct place *place;
	struct version known; /* what the owner knows to be stored */
	enum phase phase;
	bool checkpoint; /* the operation is one, and not a want's */
	struct version next;
	enum hf_err result;
	bool opened;
	uint64_t in, out; /* offsets of both directions */
};

static struct cluster stage;
static struct hf_config *servers[SERVERS];
static struct link links[LINKS];

static struct {
	struct hf_session *s;
	struct link *link;
	uint8_t sid[HF_SID_BYTES];
	uint64_t epoch, in, out, total, acked;
	unsigned waited, refused;
	bool finished;
	/* What it said on a connection that began with a resume. */
	struct said {
		const struct link *to;
		uint8_t bytes[SAID];
		size_t len, resume_len;
	} said[RESUMES];
	unsigned resumes;
} client;

static uint64_t state, ms, now, server_total;
static struct hf__mark truth[TRUTHS];
static uint64_t truths;
static bool quiet, rolled_back;

uint64_t
rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static bool
fault(unsigned in_1000)
{
	return !quiet && chance(in_1000);
}

/* --- links -------------------------------------------------------------------------- */

static void
link_free(struct link *l)
{
	hf_session_free(l->r);
	if (client.link == l)
		client.link = NULL;
	memset(l, 0, sizeof(*l));
}

static struct link *
link_new(void)
{
	struct link *l = &links[rnd() % LINKS];
	size_t i;

	for (i = 0; i < LINKS; i++)
		if (!links[i].used)
			l = &links[i];
	if (l->used)
		link_free(l);
	l->used = true;
	l->server = (int)(rnd() % SERVERS);
	assert_ok(hf_session_new(&l->r, servers[l->server], ms, now));
	return l;
}

static void
queue_put(struct queue *q, const uint8_t *bytes, size_t len)
{
	if (q->len + len > QUEUE)
		return;
	memcpy(q->bytes + q->len, bytes, len);
	q->len += len;
}

static void
queue_take(struct queue *q, size_t len)
{
	memmove(q->bytes, q->bytes + len, q->len - len);
	q->len -= len;
}

/* Some of what a session has to say goes on its way. */
static void
emit(struct hf_session *s, struct queue *q)
{
	struct hf_span out = hf_session_output(s);
	size_t len = out.len;

	if (!quiet && chance(300))
		len = 1 + rnd() % len;
	if (len > QUEUE - q->len)
		len = QUEUE - q->len;
	queue_put(q, out.ptr, len);
	assert_ok(hf_session_drained(s, len));
}

/* Some of what is on its way arrives. */
static void
arrive(struct hf_session *s, struct queue *q)
{
	size_t len = q->len, used;

	if (!quiet && chance(300))
		len = 1 + rnd() % len;
	if (fault(4)) { /* sent twice, in part or whole */
		queue_put(q, q->bytes, len);
		tally.doubled++;
	}
	if (hf_session_feed(s, &used, q->bytes, len) == HF_E_STATE)
		return;
	queue_take(q, used);
}

/* --- the store's operations ------------------------------------------------------------ */

static void
issue(struct link *l, struct hf_span next, bool checkpoint)
{
	l->phase = ISSUED;
	l->checkpoint = checkpoint;
	l->next.len = next.len;
	if (next.len > 0)
		memcpy(l->next.bytes, next.ptr, next.len);
}

static bool
same_version(const struct version *a, const struct version *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* An owner whose answer was lost reads what is there: spec section 17.7. */
static enum hf_err
find_out(struct link *l)
{
	const struct version *found = place_now(l->place);

	if (same_version(found, &l->next))
		return HF_OK;
	return same_version(found, &l->known) ? HF_E_STORE : HF_E_FENCED;
}

static void
apply(struct link *l)
{
	bool seen;

	if (l->forged && l->next.len > 0)
		violation("a claim by a resume that nobody made");
	if (store_down) {
		l->result = HF_E_STORE;
	} else if (l->next.len == 0) {
		l->place = place_find(hf_session_id(l->r).ptr, false);
		l->result = l->place == NULL || place_now(l->place)->len == 0 ?
		    HF_E_NO_SESSION :
		    HF_OK;
		if (l->result == HF_OK)
			l->known = *place_now(l->place);
	} else {
		seen = same_version(place_now(l->place), &l->known);
		l->result = place_swap(l->place, &l->known,
		    (struct hf_span){ l->next.bytes, l->next.len },
		    !l->checkpoint &&
			hf_session_commit_kind(l->r) == HF_COMMIT_CONFIRM);
		if (l->result == HF_OK && !seen)
			violation("written over what its writer never saw");
		if (fault(40)) {
			tally.lost_answers++;
			l->result = find_out(l);
		}
		if (l->result == HF_OK)
			l->known = l->next;
	}
	tally.down += l->result == HF_E_STORE;
	l->phase = APPLIED;
}

static void
checkpointed(struct link *l)
{
	bool soft = hf_session_strength(l->r) == HF_MOVES_SOFT;
	bool begins = l->r->move != NULL &&
	    l->r->move->refreshing == HF__REFRESH_WRITING;

	(void)!hf_session_checkpointed(l->r, l->result);
	tally.given_up += begins && l->result == HF_E_STORE;
	tally.confirmed +=
	    soft && hf_session_strength(l->r) == HF_MOVES_PROVED;
}

/* Who is fenced says nothing more; who could not write goes on, unsure. */
static void
answered(struct link *l)
{
	l->phase = IDLE;
	tally.fenced += l->result == HF_E_FENCED;
	if (l->checkpoint) {
		checkpointed(l);
		return;
	}
	if (hf_session_want(l->r) == HF_WANT_STATE) {
		(void)!hf_session_supply(l->r, l->result, l->known.bytes,
		    l->known.len);
		if (hf_session_refused(l->r) == HF_E_ROLLBACK && !rolled_back)
			violation("two histories of one session");
		return;
	}
	if (hf_session_want(l->r) != HF_WANT_COMMIT)
		return; /* it was late, and failed meanwhile */
	tally.races += l->result == HF_E_FENCED;
	(void)!hf_session_commit(l->r, l->result);
}

/* --- the servers ------------------------------------------------------------------------- */

static void
check_data(enum hf_role sender, uint64_t *offset, struct hf_span data)
{
	size_t i;

	for (i = 0; i < data.len; i++)
		if (data.ptr[i] != pattern(sender, *offset + i)) {
			violation("data that does not stand at offset %llu",
			    (unsigned long long)(*offset + i));
			break;
		}
	*offset += data.len;
}

/* Both ends of a takeover have the same in mind. */
static void
check_bases(const struct link *l)
{
	struct hf_bases here, there;

	if (hf_session_bases(&here, l->r) != HF_OK)
		return;
	if (here.peer_bytes > l->place->most_taken)
		violation("a base above what was ever taken");
	tally.tails += here.own_count > here.stored_count;
	if (!l->attached || hf_session_bases(&there, client.s) != HF_OK ||
	    hf_session_epoch(client.s) != hf_session_epoch(l->r))
		return;
	if (there.own_count != here.peer_count ||
	    there.own_bytes != here.peer_bytes ||
	    there.peer_count != here.own_count ||
	    there.peer_bytes != here.own_bytes)
		violation("two ends of one takeover at other bases");
}

static void
server_opened(struct link *l)
{
	struct hf_bases bases;

	l->opened = true;
	if (hf_session_bases(&bases, l->r) == HF_OK) {
		l->in = bases.peer_bytes;
		l->out = bases.own_bytes;
		tally.takeovers++;
		tally.proved += hf_session_mobility(l->r) == HF_MOVES_PROVED;
		check_bases(l);
		return;
	}
	l->place = place_find(hf_session_id(l->r).ptr, true);
	l->known.len = 0;
}

static void
say_some(struct hf_session *s, enum hf_role role, uint64_t *offset,
    uint64_t total)
{
	uint8_t data[200];
	size_t i, len = 1 + rnd() % sizeof(data);

	if (len > total - *offset)
		len = total - *offset;
	for (i = 0; i < len; i++)
		data[i] = pattern(role, *offset + i);
	if (len > 0 && hf_session_send(s, data, len) == HF_OK)
		*offset += len;
}

static void
server_idle(struct link *l)
{
	uint8_t entry[HF_ENTRY_MAX];
	int due = hf_session_checkpoint_due(l->r);
	size_t len;

	if (!l->opened)
		server_opened(l);
	if (l->phase == IDLE && l->place != NULL &&
	    (due == 2 || (due == 1 && chance(quiet ? 1000 : 250)))) {
		assert_ok(
		    hf_session_checkpoint(l->r, entry, sizeof(entry), &len));
		issue(l, (struct hf_span){ entry, len }, true);
		return;
	}
	if (!l->r->sent_close && l->out < server_total)
		say_some(l->r, HF_RESPONDER, &l->out, server_total);
	else if (!l->r->sent_close && l->r->got_close && due == 0)
		assert_ok(hf_session_close(l->r));
}

static void
server_take(struct link *l)
{
	enum hf_content content;
	struct hf_span data;

	if (hf_session_recv(l->r, &content, &data) != HF_OK)
		return;
	if (content != HF_CONTENT_DATA)
		return;
	if (!l->opened)
		server_opened(l);
	check_data(HF_INITIATOR, &l->in, data);
	if (l->in > l->place->most_taken)
		l->place->most_taken = l->in;
}

static void
server_want(struct link *l)
{
	switch (hf_session_want(l->r)) {
	case HF_WANT_ADMIT:
		(void)!hf_session_admit(l->r,
		    fault(20) && !hf_session_cookie_shown(l->r) ?
			HF_ADMIT_COOKIE :
			HF_ADMIT);
		break;
	case HF_WANT_TRUST:
		(void)!hf_session_trust(l->r, HF_OK);
		break;
	case HF_WANT_STATE:
		issue(l, (struct hf_span){ NULL, 0 }, false);
		break;
	case HF_WANT_COMMIT:
		issue(l, hf_session_entry(l->r), false);
		break;
	case HF_WANT_RECV:
		server_take(l);
		break;
	case HF_WANT_WRITE:
		emit(l->r, &l->down);
		break;
	case HF_WANT_DONE:
		if (l->up.len > 0 && chance(700))
			arrive(l->r, &l->up);
		else
			server_idle(l);
		break;
	case HF_WANT_READ:
		if (l->up.len > 0)
			arrive(l->r, &l->up);
		else if (l->gone)
			link_free(l);
		break;
	default: /* failed, or closed both ways */
		if (hf_session_output(l->r).len > 0)
			emit(l->r, &l->down);
		else if (!l->attached || l->down.len == 0)
			link_free(l); /* the client sees its end */
	}
}

static void
server_step(struct link *l)
{
	if (!l->used)
		return;
	if (l->frozen > 0 && !quiet) {
		tally.pauses += --l->frozen == 0;
		return;
	}
	(void)!hf_session_tick(l->r, ms, now);
	if (l->phase == APPLIED) {
		answered(l);
		return;
	}
	if (l->phase == ISSUED && chance(600))
		apply(l);
	/* While a checkpoint is being written the session goes on. */
	if (l->phase == IDLE || l->checkpoint)
		server_want(l);
	if (l->used && quiet && !l->attached)
		link_free(l);
}

/* --- the client ---------------------------------------------------------------------------- */

static void
attach(void)
{
	if (client.link != NULL) {
		client.link->attached = false;
		client.link->gone = true;
	}
	client.link = link_new();
	client.link->attached = true;
	client.waited = 0;
}

static void
start_anew(void)
{
	hf_session_free(client.s);
	assert_ok(hf_session_new(&client.s, stage.world.i, ms, now));
	client.refused = 0;
	attach();
}

/* Its connection is over: on to another server, or to another session. */
static void
go_on(void)
{
	if (hf_session_error(client.s) == HF_E_REFUSED)
		client.refused++;
	if (hf_session_error(client.s) == HF_E_ROLLBACK && !rolled_back)
		violation("a state older than what was acked, by itself");
	if (client.refused <= REFUSALS && hf_session_can_reconnect(client.s) &&
	    hf_session_reconnect(client.s, ms, now) == HF_OK) {
		tally.retries++;
		attach();
		return;
	}
	start_anew();
}

/* What the client said, record by record, as it was when it said it. */
static void
remember_truth(void)
{
	const struct hf__move *m = client.s->move;

	if (m == NULL || m->sent.cap == 0 || m->epoch != client.epoch ||
	    memcmp(client.sid, client.s->sid, HF_SID_BYTES) != 0)
		return;
	for (; truths <= m->sent.newest && truths < TRUTHS; truths++)
		if (!hf__history_find(&truth[truths], &m->sent, truths))
			truth[truths].count = UINT64_MAX;
}

/* The history that both ends go on with is the true one. */
static void
check_truth(uint64_t base)
{
	struct hf__mark now_is, was;

	if (base < truths && truth[base].count == base &&
	    hf__history_find(&now_is, &client.s->move->sent, base)) {
		was = truth[base];
		hf__schedule_epoch(&was, client.epoch, HF_INITIATOR);
		if (memcmp(was.digest, now_is.digest, sizeof(was.digest)) != 0)
			violation("a history that never was");
	}
	truths = base;
}

static void
client_opened(void)
{
	struct hf_bases bases;
	struct hf_lost lost;

	client.refused = 0;
	if (memcmp(client.sid, hf_session_id(client.s).ptr, HF_SID_BYTES) !=
	    0) {
		hf_session_lost(&lost, client.s);
		tally.fallbacks += lost.lost != 0;
		memcpy(client.sid, hf_session_id(client.s).ptr, HF_SID_BYTES);
		client.in = client.out = client.acked = truths = 0;
		client.epoch = 0;
	}
	if (hf_session_epoch(client.s) == client.epoch)
		return;
	if (hf_session_epoch(client.s) < client.epoch)
		violation("the epoch went back");
	client.epoch = hf_session_epoch(client.s);
	assert_ok(hf_session_bases(&bases, client.s));
	if (bases.own_bytes < client.acked)
		violation("what was acked is gone, and nobody was told");
	if (bases.peer_bytes != client.in)
		violation("the client's own base is not what it took");
	client.out = bases.own_bytes;
	check_truth(bases.own_count);
}

/* An epoch of its own, and no takeover: nothing goes back. */
static void
client_refreshed(void)
{
	if (hf_session_epoch(client.s) != client.epoch + 1 ||
	    hf_session_strength(client.s) != HF_MOVES_PROVED)
		violation("a refresh that gives no proved epoch");
	client.epoch = hf_session_epoch(client.s);
	tally.refreshes++;
}

static void
client_take(void)
{
	enum hf_content content;
	struct hf_span data;
	uint64_t count;

	client_opened();
	client.waited = 0;
	if (hf_session_recv(client.s, &content, &data) != HF_OK)
		return;
	if (content == HF_CONTENT_DATA)
		check_data(HF_RESPONDER, &client.in, data);
	else if (content == HF_CONTENT_REFRESH)
		client_refreshed();
	hf_session_acked(&count, &client.acked, client.s);
	if (count % 2 == 1)
		(void)!hf_session_prepare(client.s);
}

static void
client_done(void)
{
	client_opened();
	if (client.link->down.len > 0 && chance(600))
		arrive(client.s, &client.link->down);
	else if (!client.s->sent_close && client.out < client.total)
		say_some(client.s, HF_INITIATOR, &client.out, client.total);
	else if (!client.s->sent_close)
		assert_ok(hf_session_close(client.s));
	else if (client.link->down.len > 0)
		arrive(client.s, &client.link->down);
}

/* A resume begins a recording, and what follows on that connection is part
 * of it. */
static void
remember(struct hf_span out)
{
	struct said *said;

	if (out.len > 1 && out.ptr[1] == HF__RESUME) {
		said = &client.said[client.resumes++ % RESUMES];
		said->to = client.link;
		said->len = 0;
		said->resume_len = out.len;
	} else {
		if (client.resumes == 0)
			return;
		said = &client.said[(client.resumes - 1) % RESUMES];
	}
	if (said->to != client.link || out.len > SAID - said->len)
		return;
	memcpy(said->bytes + said->len, out.ptr, out.len);
	said->len += out.len;
}

/* Says some of it, and all of it is remembered once. */
static void
client_say(void)
{
	static const struct hf_session *whose;
	static size_t left; /* of what was remembered already */
	struct hf_span out = hf_session_output(client.s);

	if (whose != client.s || left > out.len)
		left = 0;
	whose = client.s;
	remember((struct hf_span){ out.ptr + left, out.len - left });
	emit(client.s, &client.link->up);
	left = hf_session_output(client.s).len;
}

static void
client_want(void)
{
	switch (hf_session_want(client.s)) {
	case HF_WANT_WRITE:
		if (client.s->state == HF__OPEN)
			client.waited = 0;
		client_say();
		break;
	case HF_WANT_TRUST:
		(void)!hf_session_trust(client.s, HF_OK);
		break;
	case HF_WANT_RECV:
		client_take();
		break;
	case HF_WANT_DONE:
		client_done();
		break;
	case HF_WANT_READ:
		if (client.link->down.len > 0)
			arrive(client.s, &client.link->down);
		break;
	case HF_WANT_CLOSED:
		if (client.in != server_total)
			violation("closed, and not all has come");
		client.finished = true;
		break;
	default:
		go_on();
	}
}

static void
client_step(void)
{
	enum hf_want want;

	if (client.s->state == HF__OPEN)
		client_opened();
	remember_truth();
	(void)!hf_session_tick(client.s, ms, now);
	want = hf_session_want(client.s);
	/* What has arrived is taken before the end of the stream is. */
	if (want == HF_WANT_RECV || want == HF_WANT_CLOSED) {
		client_want();
		return;
	}
	if (client.link == NULL || ++client.waited > PATIENCE) {
		if (hf_session_want(client.s) != HF_WANT_FAILED)
			(void)!hf_session_eof(client.s);
		go_on();
		return;
	}
	client_want();
}

/* --- the adversary ------------------------------------------------------------------------- */

static struct said *
some_said(void)
{
	if (client.resumes == 0)
		return NULL;
	return &client.said[rnd() %
	    (client.resumes < RESUMES ? client.resumes : RESUMES)];
}

static struct link *
link_of_nobody(void)
{
	struct link *l = link_new();

	if (client.link == NULL)
		attach();
	l->gone = true;
	return l;
}

/* Word for word, with all that followed or without. */
static void
replay_resume(void)
{
	const struct said *said = some_said();

	if (said == NULL)
		return;
	queue_put(&link_of_nobody()->up, said->bytes,
	    chance(500) ? said->resume_len : said->len);
	tally.replays++;
}

/* The next attempt, by somebody who does not have the secret. */
static void
forge_resume(void)
{
	enum { SERIAL = 21 }; /* while the epoch is one byte */
	const struct said *said = some_said();
	uint8_t bytes[SAID];
	struct link *l;

	if (said == NULL || said->bytes[SERIAL - 1] > 22 ||
	    said->bytes[SERIAL] > 21)
		return;
	memcpy(bytes, said->bytes, said->resume_len);
	bytes[SERIAL] += 1 + (uint8_t)chance(300);
	l = link_of_nobody();
	l->forged = true;
	queue_put(&l->up, bytes, said->resume_len);
	tally.forged++;
}

/* A member that went wrong: it seals a state of another history. */
static void
rewrite_history(struct place *place)
{
	const struct version *was = place_now(place);
	uint8_t entry[HF_ENTRY_MAX];
	struct hf__stored st;
	size_t len;

	if (was->len == 0 ||
	    hf__state_open(&st, stage.vault[0], was->bytes, was->len, now) !=
		HF_OK)
		return;
	st.received.digest[0] ^= 1;
	assert_ok(hf__state_seal(entry, &len, stage.vault[0], &st, now));
	assert_ok(
	    place_swap(place, was, (struct hf_span){ entry, len }, false));
	tally.rewritten++;
	rolled_back = true;
}

static void
crash(int server)
{
	size_t i;

	for (i = 0; i < LINKS; i++)
		if (links[i].used && links[i].server == server) {
			tally.crashes++;
			link_free(&links[i]);
		}
}

static void
mischief(void)
{
	size_t i = rnd() % LINKS;
	struct place *place;

	ms += rnd() % 30;
	now = (uint64_t)NOW + (ms - START_MS) / 1000;
	if (fault(3)) {
		now += rnd() % 100;
		tally.jumps++;
	}
	if (fault(6) && client.link != NULL) {
		client.link->attached = false;
		client.link->gone = true;
		client.link = NULL;
		tally.cuts++;
	}
	if (fault(5))
		crash((int)(rnd() % SERVERS));
	if (fault(4))
		links[i].frozen = 1 + rnd() % 80;
	if (fault(2) && places[0].used) {
		i = rnd() % PLACES;
		if (places[i].used) {
			place_bring_back(&places[i], rnd());
			tally.rollbacks++;
			rolled_back = true;
		}
	}
	if (fault(8))
		replay_resume();
	if (fault(6))
		forge_resume();
	if (fault(1) && (place = place_find(client.sid, false)) != NULL)
		rewrite_history(place);
	if (fault(5))
		store_down = !store_down;
}

/* --- one run --------------------------------------------------------------------------------- */

void
world_setup(void)
{
	static const struct meeting m = { .method = HF_METHOD_CERTIFICATE,
		.known = 1 };

	fixed_random("the world");
	cluster_make(&stage, &m, HF_MOVES_SOFT);
	servers[0] = stage.server[0];
	servers[1] = servers[2] = stage.server[1];
	/* One known certificate: a handshake may be with any of them. */
	assert_ok(hf_config_responder(stage.world.i, NULL, 0));
	assert_ok(hf_config_expect(stage.world.i, "cluster"));
}

void
world_teardown(void)
{
	cluster_free(&stage);
}

static void
reset(uint64_t seed)
{
	char text[32];
	size_t i;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
	fixed_random(text);
	state = seed * 0x9e3779b97f4a7c15ULL + 1;
	for (i = 0; i < 8; i++)
		(void)rnd();
	memset(&client, 0, sizeof(client));
	truths = 0;
	for (i = 0; i < PLACES; i++)
		places[i].used = false;
	ms = START_MS;
	now = NOW;
	store_down = quiet = rolled_back = false;
	client.total = rnd() % 4000;
	server_total = rnd() % 3000;
	for (i = 0; i < 2; i++)
		assert_ok(hf_config_vault(stage.server[i], stage.vault[i],
		    chance(150) ? HF_MOVES_PROVED : HF_MOVES_SOFT));
}

void
world_run(uint64_t seed)
{
	unsigned steps;
	size_t i;

	reset(seed);
	oracle_begin(seed);
	assert_ok(hf_session_new(&client.s, stage.world.i, ms, now));
	attach();
	for (steps = 0; steps < STEPS + QUIET_STEPS && !client.finished;
	     steps++) {
		quiet = steps >= STEPS;
		store_down = store_down && !quiet;
		mischief();
		client_step();
		for (i = 0; i < LINKS; i++)
			server_step(&links[i]);
	}
	tally.ends += client.finished;
	if (!client.finished)
		violation("the client is stranded in state %d",
		    (int)client.s->state);
	for (i = 0; i < LINKS; i++)
		if (links[i].used)
			link_free(&links[i]);
	hf_session_free(client.s);
	fixed_random(NULL);
}
