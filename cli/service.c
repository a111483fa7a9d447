/* SPDX-License-Identifier: ISC */
/*
 * What `respond` answers to its server: which keys and lists are in force,
 * whether a peer may have a session, and the log line that every session
 * leaves. How sessions travel it does not know; what is done with their data
 * is the sink's.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "service.h"

enum { WARN_DAYS = 14, TICKET_LIMIT = 7 * 86400 };

static void
retire(void *app)
{
	struct generation *g = app;

	if (g == NULL)
		return;
	hf_identity_free(g->identity);
	hf_trust_free(g->trust);
	hf_ring_free(g->ring);
	cli_users_free(g->users);
	hf_vault_free(g->vault);
	free(g);
}

/* Clients stretch their passwords as the certificate says. */
static int
check_users(const struct generation *g)
{
	unsigned mib = g->leaf.cost_mib, passes = g->leaf.cost_passes;

	if (g->leaf.realm.len == 0)
		return cli_error(CLI_POLICY,
		    "%s: the certificate has no "
		    "realm, so nobody can use a password here",
		    respond.cert);
	if (strcmp(g->leaf.realm.text, g->users->realm.text) != 0)
		return cli_error(CLI_POLICY,
		    "%s is for realm %s, the "
		    "certificate for %s",
		    respond.users, g->users->realm.text, g->leaf.realm.text);
	if (mib == 0) {
		mib = 64;
		passes = 2;
	}
	if (mib != g->users->mib || passes != g->users->passes)
		return cli_error(CLI_POLICY,
		    "%s has password cost %u:%u, "
		    "the certificate %u:%u",
		    respond.users, g->users->mib, g->users->passes, mib,
		    passes);
	return CLI_OK;
}

static int
load_forward(struct generation *g)
{
	if (respond.forward == NULL)
		return CLI_OK;
	return cli_address(g->forward, &g->forward_n, "respond", "--forward",
	    respond.forward);
}

/* A certificate that no session could be made with is refused at once; one
 * that expires later its initiators refuse. */
static int
try_config(struct generation *g)
{
	uint64_t now = cli_now();
	struct hf_config *config = NULL;
	struct hf_session *session = NULL;
	enum hf_err e;

	if ((e = serve_service.configure(&config, g)) == HF_OK)
		e = hf_session_new(&session, config, 0, now);
	if (e == HF_OK &&
	    (now < g->leaf.not_before || now >= g->leaf.not_after))
		e = HF_E_OWN_EXPIRED;
	hf_session_free(session);
	hf_config_free(config);
	return e == HF_OK ? CLI_OK : cli_fail(e, "%s", respond.cert);
}

/* Lists may come by a way that others hold. */
static int
no_older_list(const struct generation *g, const struct generation *before)
{
	enum hf_err e = hf_trust_supersedes(g->trust, before->trust);

	if (e != HF_E_STALE_LIST)
		return e == HF_OK ? CLI_OK : cli_fail(e, "--revoked");
	return cli_refuse(e, "--revoked: an older list than the one in use");
}

int
serve_load(void **generation, const void *before)
{
	struct generation *g;
	int r;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return cli_fail(HF_E_MEMORY, "configuration");
	r = cli_load_identity(&g->identity, respond.identity, &respond.pass);
	if (r == CLI_OK)
		r = cli_load_chain(&g->chain, respond.cert);
	if (r == CLI_OK)
		r = cli_load_leaf(&g->leaf, &g->chain, respond.cert);
	if (r == CLI_OK)
		r = cli_load_trust(&g->trust, respond.trust, respond.trust_n,
		    respond.revoked, respond.revoked_n, cli_now());
	if (r == CLI_OK && before != NULL)
		r = no_older_list(g, before);
	if (r == CLI_OK && respond.ring != NULL)
		r = cli_load_ring(&g->ring, respond.ring);
	if (r == CLI_OK && respond.users != NULL)
		r = cli_load_users(&g->users, respond.users);
	if (r == CLI_OK && g->users != NULL)
		r = check_users(g);
	if (r == CLI_OK)
		r = load_forward(g);
	if (r == CLI_OK)
		r = vault_load(g);
	if (r == CLI_OK)
		r = try_config(g);
	if (r != CLI_OK) {
		retire(g);
		return r;
	}
	*generation = g;
	return CLI_OK;
}

void
serve_warn_expiry(const void *generation)
{
	const struct generation *g = generation;
	uint64_t now = cli_now();
	char text[CLI_TIME_TEXT];

	if (g->leaf.not_after <= now)
		cli_warn("%s expired on %s: no session will begin",
		    respond.cert, cli_time_text(text, g->leaf.not_after));
	else if (g->leaf.not_after - now < WARN_DAYS * 86400)
		cli_warn("%s expires on %s", respond.cert,
		    cli_time_text(text, g->leaf.not_after));
	vault_warn_expiry(g, now);
}

static enum hf_err
configure(struct hf_config **config, void *generation)
{
	struct generation *g = generation;
	unsigned accept = 0;
	struct hf_config *c;
	enum hf_err e;

	if (respond.trust_n > 0)
		accept |= HF_METHOD_CERTIFICATE;
	if (g->users != NULL)
		accept |= HF_METHOD_PASSWORD;
	if (respond.password_command != NULL)
		accept |= HF_METHOD_PLAIN_PASSWORD;
	if (g->ring != NULL)
		accept |= HF_METHOD_TICKET;
	if ((e = hf_config_new(&c, HF_RESPONDER)) != HF_OK)
		return e;
	if ((e = hf_config_trust(c, g->trust)) == HF_OK &&
	    (e = hf_config_identity(c, g->identity, g->chain.spans,
		 g->chain.n)) == HF_OK &&
	    (g->ring == NULL || (e = hf_config_ring(c, g->ring)) == HF_OK) &&
	    (g->vault == NULL || !respond.sink->moves ||
		(e = hf_config_vault(c, g->vault, respond.takeover)) ==
		    HF_OK) &&
	    /* The owner begins it, when what waits for a takeover is done. */
	    (e = hf_config_refresh(c, 0)) == HF_OK &&
	    (e = hf_config_channels(c,
		 respond.sink->channels && respond.channels > 0)) == HF_OK &&
	    (e = hf_config_release_by_hand(c, respond.sink->acked != NULL)) ==
		HF_OK)
		e = hf_config_accept(c, accept);
	if (e != HF_OK) {
		hf_config_free(c);
		return e;
	}
	*config = c;
	return HF_OK;
}

static const struct hf_vault *
vault(void *generation)
{
	return ((struct generation *)generation)->vault;
}

static int
target_served(struct hf_span target)
{
	size_t i;

	for (i = 0; i < respond.targets_n; i++)
		if (strlen(respond.targets[i]) == target.len &&
		    memcmp(respond.targets[i], target.ptr, target.len) == 0)
			return 1;
	return respond.targets_n == 0;
}

static int
name_allowed(const char *name)
{
	size_t i;

	for (i = 0; i < respond.allow_n; i++)
		if (fnmatch(respond.allow[i], name, 0) == 0)
			return 1;
	return respond.allow_n == 0;
}

/* A ticket earned by a password ends with its user's entry. What stands behind
 * the last @ of its subject is the realm: that holds none. */
static int
ticket_holds(const struct generation *g, const struct hf_ticket_info *ticket)
{
	const char *subject = ticket->subject.text, *at;

	if (g->users == NULL ||
	    (ticket->first_method & HF_METHOD_PASSWORD) == 0)
		return 1;
	at = strrchr(subject, '@');
	if (at == NULL || strcmp(at + 1, g->users->realm.text) != 0)
		return 0;
	return cli_users_find(g->users, subject, (size_t)(at - subject)) !=
	    NULL;
}

/* A session that moves here shows no token again: its user must still be
 * there, and the ticket's. */
static int
still_welcome(const struct generation *g, const struct hf_peer *peer)
{
	if (peer->method == HF_METHOD_PASSWORD)
		return g->users != NULL &&
		    cli_users_find(g->users, peer->name, strlen(peer->name)) !=
		    NULL;
	return peer->ticket == NULL || ticket_holds(g, peer->ticket);
}

static void
judge(struct hf_served *conn)
{
	const struct generation *g = conn->generation;
	struct hf_session *session = hf_link_session(conn->link);
	struct hf_peer peer;
	enum hf_err e;

	if (conn->app == NULL &&
	    (conn->app = calloc(1, sizeof(struct serve))) == NULL) {
		hf_link_trust(conn->link, HF_E_MEMORY);
		return;
	}
	((struct serve *)conn->app)->whole.conn = conn;
	if ((e = hf_session_peer(&peer, session)) != HF_OK)
		hf_link_trust(conn->link, e);
	else if (!target_served(hf_session_target(session)) ||
	    !name_allowed(peer.name))
		hf_link_trust(conn->link, HF_E_POLICY);
	else if (hf_session_takes_over(session))
		hf_link_trust(conn->link,
		    still_welcome(g, &peer) ? HF_OK : HF_E_PASSWORD);
	else if (peer.method == HF_METHOD_PASSWORD)
		hf_link_verify(conn->link,
		    g->users == NULL ? NULL :
				       cli_users_find(g->users, peer.name,
					   strlen(peer.name)));
	else if (peer.method == HF_METHOD_PLAIN_PASSWORD)
		ask_begin(conn);
	else if (peer.method == HF_METHOD_TICKET && peer.ticket != NULL &&
	    !ticket_holds(g, peer.ticket))
		hf_link_trust(conn->link, HF_E_TICKET);
	else
		hf_link_trust(conn->link, HF_OK);
}

static struct lane *
whole(const struct hf_served *conn)
{
	return &((struct serve *)conn->app)->whole;
}

static void
opened(struct hf_served *conn)
{
	uint64_t ttl = respond.ticket_ttl;
	enum hf_err e;

	/* A ticket that has no time left under its limit is not renewed, nor a
	 * single-use one: the session goes on without one. */
	if (ttl != 0 &&
	    (e = hf_link_issue_ticket(conn->link, (uint32_t)ttl,
		 (uint32_t)(ttl > TICKET_LIMIT ? ttl : TICKET_LIMIT))) !=
		HF_OK &&
	    e != HF_E_EXPIRED && e != HF_E_POLICY)
		(void)cli_fail(e, "ticket for %s", conn->source);
	if (!carry_begin(conn))
		respond.sink->opened(whole(conn));
}

static int
carried(const struct hf_served *conn)
{
	return conn->app != NULL &&
	    ((const struct serve *)conn->app)->carry != NULL;
}

static void
data(struct hf_served *conn, const uint8_t *bytes, size_t len)
{
	respond.sink->data(whole(conn), bytes, len);
}

static void
closed(struct hf_served *conn)
{
	if (carried(conn))
		carry_closed(conn);
	else
		respond.sink->closed(whole(conn));
}

static void
drained(struct hf_served *conn)
{
	if (!carried(conn))
		respond.sink->drained(whole(conn));
}

static void
acked(struct hf_served *conn)
{
	if (respond.sink->acked != NULL && conn->app != NULL && !carried(conn))
		respond.sink->acked(whole(conn));
}

/* A quiet peer may still have much to say: its own close alone tells, so its
 * session is not closed in order before that, but cut. One that moves would
 * only go on elsewhere then: it is closed, and its peer says what was missing.
 * Channels that are open are reset by a close, which is no end of theirs. */
static int
idle(struct hf_served *conn)
{
	if (carried(conn))
		return respond.sink->idle || carry_idle(conn);
	return hf_session_mobility(hf_link_session(conn->link)) !=
	    HF_MOVES_NOT;
}

static void
log_session(const struct hf_served *conn, enum hf_err err)
{
	struct hf_session *session = hf_link_session(conn->link);
	int was_open = hf_link_opened(conn->link);
	struct hf_peer peer;
	struct log_line line;
	char sid[9] = "";
	struct hf_span id;

	log_begin(&line, "session");
	log_text(&line, "result",
	    !was_open						 ? "refused" :
		err == HF_OK					 ? "ok" :
		err == HF_E_FENCED || hf_served_moved_away(conn) ? "moved" :
								   "lost");
	if (session != NULL && hf_session_peer(&peer, session) == HF_OK) {
		log_text(&line, "name", peer.name);
		log_text(&line, "subject", peer.subject);
		if (peer.method != 0)
			log_text(&line, "method",
			    hf_method_name((int)peer.method));
	}
	log_text(&line, "from", conn->source);
	if (session != NULL) {
		log_bytes(&line, "target", hf_session_target(session));
		log_text(&line, "suite",
		    hf_suite_name(hf_session_suite(session)));
		id = hf_session_id(session);
		if (id.len >= 4)
			(void)snprintf(sid, sizeof(sid), "%02x%02x%02x%02x",
			    id.ptr[0], id.ptr[1], id.ptr[2], id.ptr[3]);
	}
	log_text(&line, "sid", sid);
	if (session != NULL && hf_session_epoch(session) > 0) {
		log_number(&line, "epoch", hf_session_epoch(session));
		log_text(&line, "takeover",
		    cli_strength(hf_session_strength(session)));
	}
	/* Why a session that is stored did not go on here. */
	if (session != NULL && hf_session_refused(session) != HF_OK)
		log_text(&line, "resume",
		    hf_error_name((int)hf_session_refused(session)));
	if (err != HF_OK)
		log_text(&line, "error", hf_error_name((int)err));
	if (carried(conn))
		log_number(&line, "channels", carry_count(conn));
	log_number(&line, "bytes_in", hf_link_bytes_in(conn->link));
	log_number(&line, "bytes_out", hf_link_bytes_out(conn->link));
	log_number(&line, "ms", (uv_hrtime() - conn->began) / 1000000);
	log_end(&line);
}

/* A proxy said hello for itself, and went when it had its offer: a check
 * whether a server is there. */
static int
only_looked(const struct hf_served *conn, enum hf_err err)
{
	struct hf_session *session = hf_link_session(conn->link);
	struct hf_peer peer;

	return conn->of_proxy && err == HF_E_GONE && session != NULL &&
	    hf_session_suite(session) != 0 &&
	    hf_session_peer(&peer, session) == HF_OK &&
	    (peer.name == NULL || peer.name[0] == '\0');
}

static void
ended(struct hf_served *conn, enum hf_err err)
{
	if (!only_looked(conn, err))
		log_session(conn, err);
	if (respond.trace)
		log_digests(hf_link_session(conn->link));
	if (conn->app == NULL)
		return;
	ask_forget(conn);
	if (carried(conn))
		carry_end(conn);
	else
		respond.sink->ended(whole(conn));
	free(conn->app);
	conn->app = NULL;
}

static void
trace(struct hf_served *conn, int sent, int type, size_t bytes, uint64_t ns)
{
	(void)conn;
	if (respond.trace)
		log_trace(sent, type, bytes, ns);
}

static void
turned_away(const char *source, uint64_t n)
{
	struct log_line line;

	log_begin(&line, "turned-away");
	log_text(&line, "from", source);
	log_text(&line, "error", hf_error_name(HF_E_LIMITED));
	log_number(&line, "connections", n);
	log_end(&line);
}

/* Once when sessions cannot be stored, and once when they can again; of a store
 * that does both in turns, so often at most. */
enum { STORE_SAID_MS = 10000 };

static void
stored(enum hf_err err)
{
	static atomic_int failing;
	static atomic_ullong said_ms;
	unsigned long long now = uv_hrtime() / 1000000;
	int was = err == HF_OK;
	struct log_line line;

	if (err == HF_E_FENCED || atomic_load(&failing) != was ||
	    (!was && now - atomic_load(&said_ms) < STORE_SAID_MS &&
		atomic_load(&said_ms) != 0) ||
	    !atomic_compare_exchange_strong(&failing, &was, !was))
		return;
	if (err != HF_OK)
		atomic_store(&said_ms, now);
	log_begin(&line, "store");
	log_text(&line, "result", err == HF_OK ? "ok" : "failed");
	if (err != HF_OK)
		log_text(&line, "error", hf_error_name((int)err));
	log_end(&line);
}

const struct hf_service serve_service = { .configure = configure,
	.retire = retire,
	.vault = vault,
	.renew = respond_renew,
	.stored = stored,
	.judge = judge,
	.opened = opened,
	.data = data,
	.closed = closed,
	.drained = drained,
	.channels = carry_news,
	.acked = acked,
	.idle = idle,
	.ended = ended,
	.trace = trace,
	.turned_away = turned_away };
