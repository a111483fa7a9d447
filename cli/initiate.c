/* SPDX-License-Identifier: ISC */
/*
 * handfast initiate: one session from its objects to its end. It connects,
 * answers what the session wants to be told, and turns the way it ended into
 * words and an exit code. Bytes of the application pass through
 * initiate_io.c; a session that is shared is the agent's, and agent_join.c's.
 */
#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "initiate.h"

enum { AGAIN_MS = 20, REST_MS = 1 };
enum { CUT_MS = 500 }; /* for what was sent to go */

/* The one session of this process. */
static struct {
	struct initiate args;
	uv_loop_t loop;
	uv_timer_t timer; /* the connect timeout */
	uv_signal_t usr1; /* on to the next target */
	uv_timer_t again; /* what could not be done at once */
	uv_timer_t rest;  /* what need not be done now */
	size_t target;
	uv_connect_t connect;
	struct loaded has;
	struct joined *joined;
	struct hf_link *link; /* NULL: none */
	struct hf_stretch *stretch;
	struct hf_address address[CONNECT_MAX * HF_ADDRESSES_MAX];
	const char *names[CONNECT_MAX * HF_ADDRESSES_MAX]; /* what was said */
	size_t addresses, next;
	const char *name; /* of the present one */
	int connected, timed_out, connect_errno;
	/* A session that may move outlives its link. */
	struct hf_session *session;
	uint8_t sid[HF_SID_BYTES];
	int broken;	  /* it has none */
	struct pace pace; /* of what is tried then */
	unsigned refused; /* attempts in a row that it was */
	int heard;	  /* a record of the responder's, in this session */
	struct hf_lost given_up;
	int opened_once, moving, lost, elsewhere;
	int tried_long;		   /* --retry is over */
	int spare;		   /* the next takeover's key is made */
	enum hf_mobility strength; /* of the last takeover, as was told */
	int result;
	uint8_t scratch[HF_LINK_SCRATCH];
} self;

static void attempt(uv_timer_t *);

/* Stops reading when nothing is left to do, so that the loop ends. */
static void
wind_up(void)
{
	if (self.link == NULL && self.joined != NULL && !self.broken &&
	    !uv_is_closing((uv_handle_t *)&self.timer))
		uv_close((uv_handle_t *)&self.timer, NULL);
}

static void
settle(int result)
{
	if (self.result == CLI_OK)
		self.result = result;
}

static void
io_failed(int input, int err)
{
	if (err != ECANCELED)
		settle(cli_error(CLI_IO, "standard %s: %s",
		    input ? "input" : "output", strerror(err)));
	if (self.link != NULL)
		hf_link_abort(self.link, HF_E_IO);
}

/* A close here would say that the input has ended: the responder learns that
 * it has not, when it has what was sent. */
static void
io_silent(void)
{
	uint64_t bytes;

	(void)joined_finished(self.joined, &bytes);
	settle(cli_error(CLI_IO,
	    "%s: the responder closed the session, and standard input had "
	    "not ended: %llu bytes of it were read",
	    self.name, (unsigned long long)bytes));
	if (self.link != NULL)
		hf_link_cut(self.link, HF_E_TRUNCATED, CUT_MS);
}

static const struct joined_hooks io_hooks = { io_failed, wind_up, io_silent };

static void
trust(void *owner, struct hf_link *link)
{
	(void)owner;
	/* Name, CA, times and usage were judged by the session. */
	if (self.args.user == NULL)
		hf_link_trust(link, HF_OK);
	else if (self.args.plain)
		hf_link_password(link, self.has.password.text,
		    self.has.password.len);
	else {
		cli_busy("stretching the password");
		hf_stretch_begin(&self.stretch, &self.loop, link,
		    self.args.user, self.has.password.text,
		    self.has.password.len);
	}
}

/* A new session. Where it took the place of another in the same object, that
 * is kept already, whether it may move or not. */
static void
hold(struct hf_link *link)
{
	struct hf_session *s = hf_link_session(link);

	self.opened_once = 1;
	self.moving = hf_session_mobility(s) != HF_MOVES_NOT;
	if (self.moving)
		self.session = hf_link_keep_session(link);
	joined_keep(self.joined, self.moving);
}

static void
opened(void *owner, struct hf_link *link)
{
	struct hf_session *s = hf_link_session(link);
	struct hf_span id = hf_session_id(s);
	struct hf_bases bases;
	struct hf_lost lost;
	int same = memcmp(self.sid, id.ptr, HF_SID_BYTES) == 0;

	(void)owner;
	cli_idle();
	memcpy(self.sid, id.ptr, HF_SID_BYTES);
	self.broken = self.refused = 0;
	pace_opened(&self.pace, link, !self.opened_once);
	self.spare = 0;
	self.heard &= same;
	if (!self.opened_once) {
		hold(link);
		joined_open(self.joined, link);
		return;
	}
	if (same && hf_session_bases(&bases, s) == HF_OK) {
		if (self.args.trace)
			cli_note("moved: epoch %llu at %s, %s",
			    (unsigned long long)hf_session_epoch(s), self.name,
			    cli_strength(hf_session_strength(s)));
		self.strength = hf_session_strength(s);
		joined_relink(self.joined, link, bases.own_bytes);
		return;
	}
	hf_session_lost(&lost, s);
	if (lost.lost == 0)
		lost = self.given_up;
	self.lost = 1;
	initiate_tell_lost(&lost);
	hold(link);
	joined_restart(self.joined, link, lost.own_bytes);
}

/* Where that fails the key is made when it is needed. */
static void
prepare(uv_timer_t *timer)
{
	(void)timer;
	self.spare = self.link != NULL && hf_link_session(self.link) != NULL &&
	    hf_session_prepare(hf_link_session(self.link)) == HF_OK;
}

static void
moved(void *owner, struct hf_link *link)
{
	struct hf_session *s = hf_link_session(link);
	uint8_t digest[HF_KEY_BYTES];
	uint64_t count, bytes;

	(void)owner;
	if (hf_session_digest(digest, &count, s, HF_RESPONDER) == HF_OK)
		self.heard |= count > 0;
	hf_session_acked(&count, &bytes, s);
	joined_acked(self.joined, bytes);
	pace_moved(&self.pace, link);
	/* Nothing that is on its way now waits for the next takeover's key. */
	if (!self.spare && !uv_is_active((uv_handle_t *)&self.rest))
		(void)uv_timer_start(&self.rest, prepare, REST_MS, 0);
	if (hf_session_strength(s) == self.strength)
		return;
	self.strength = hf_session_strength(s);
	if (self.args.trace && self.strength == HF_MOVES_PROVED)
		cli_note("proved: epoch %llu",
		    (unsigned long long)hf_session_epoch(s));
}

/* Another server behind the same dispatcher. Returns 0 where that is not
 * possible, now. */
static int
reroute(void)
{
	const char *target = NULL;

	if (self.args.target_n > 1)
		target = self.args.target[self.target];
	if (self.link == NULL || hf_link_reroute(self.link, target) != HF_OK)
		return 0;
	self.broken = 1;
	pace_begin(&self.pace);
	joined_suspend(self.joined);
	return 1;
}

/* A session that has just begun is not stored yet; one that is on its way
 * comes to its end first. */
static void
later(uv_timer_t *timer)
{
	if (reroute() || self.session == NULL || !self.moving)
		(void)uv_timer_stop(timer);
}

static void
go_elsewhere(void)
{
	if (!reroute())
		(void)uv_timer_start(&self.again, later, AGAIN_MS, AGAIN_MS);
}

/* To whoever has the next target. */
static void
next_target(uv_signal_t *handle, int signum)
{
	(void)handle;
	(void)signum;
	self.target = (self.target + 1) % self.args.target_n;
	go_elsewhere();
}

/* The server leaves, or a dispatcher wants it to be another: that behind the
 * dispatcher, or the next address. */
static void
query(void *owner, struct hf_link *link)
{
	(void)owner;
	if (self.args.dispatched) {
		go_elsewhere();
		return;
	}
	self.elsewhere = 1;
	hf_link_abort(link, HF_E_GONE);
}

static void
data(void *owner, struct hf_link *link, enum hf_content content,
    const uint8_t *bytes, size_t len)
{
	(void)owner;
	(void)link;
	if (content == HF_CONTENT_DATA)
		joined_write(self.joined, bytes, len);
	else if (content == HF_CONTENT_TICKET && self.args.ticket_out != NULL)
		settle(cli_write_pem(self.args.ticket_out, PEM_TICKET, bytes,
		    len, 0600, CLI_REPLACE));
}

static void
closed(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
	joined_peer_closed(self.joined);
}

static void
drained(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
	joined_drained(self.joined);
}

static void
hint_cut(void)
{
	uint64_t bytes;

	if (joined_finished(self.joined, &bytes))
		cli_hint("the output is not complete");
	else
		cli_hint("the output is not complete, and standard input had "
			 "not ended: %llu bytes of it were read",
		    (unsigned long long)bytes);
}

static void
hint_tried(void)
{
	cli_hint("the session broke, and could not go on within --retry: the "
		 "output is not complete");
}

/* The session's own time, not a certificate's. */
static int
is_over(void)
{
	return self.session != NULL && !hf_session_can_reconnect(self.session);
}

/* Says how a session ended that did not end well. */
static void
explain(enum hf_err err, int was_open)
{
	if (self.result != CLI_OK)
		return;
	settle(cli_fail(err, "%s", self.name));
	if (err == HF_E_EXPIRED && (was_open || is_over()))
		cli_hint("the responder grants a session only so much time");
	else if (!was_open)
		initiate_advise(&self.args, err);
	else if (err == HF_E_TRUNCATED)
		hint_cut();
	if (!was_open && self.tried_long)
		hint_tried();
}

/* A connection that was never made: the next address, or the end. */
static void
not_connected(void)
{
	if (!self.opened_once && self.next < self.addresses) {
		attempt(NULL);
		return;
	}
	errno = self.timed_out ? ETIMEDOUT : self.connect_errno;
	settle(cli_errno("cannot connect to %s", self.name));
	if (self.opened_once)
		hint_tried();
}

/* --- going on elsewhere ------------------------------------------------------------ */

/* The old session cannot go on: a new one in its place, unless that is not
 * wanted. Returns 0 then. */
static int
begin_anew(enum hf_err err)
{
	if (self.args.no_fallback)
		return 0;
	hf_session_lost(&self.given_up, self.session);
	/* Of one that could go on none was told, or the one before it. */
	if (self.given_up.lost == 0 || hf_session_can_reconnect(self.session))
		hf_session_acked(&self.given_up.own_count,
		    &self.given_up.own_bytes, self.session);
	self.given_up.lost = 1;
	self.given_up.cause = err;
	hf_session_free(self.session);
	self.session = NULL;
	return 1;
}

/* The responder has another certificate than the one that is known: it is
 * asked for it, and must stand every check. Returns 0 where none is known. */
static int
ask_for_it(enum hf_err err)
{
	if (err != HF_E_UNKNOWN_KEY || !self.has.known ||
	    hf_config_responder(self.has.config, NULL, 0) != HF_OK)
		return 0;
	self.has.known = 0;
	cli_warn("%s: the responder has another certificate than %s; asking "
		 "for it",
	    self.name, self.args.responder_cert);
	return 1;
}

/* The link of a session that may move is gone. Returns 0 when that was the
 * end. */
static int
go_on(enum hf_err err)
{
	uint64_t wait = 0;
	int goes_on;

	if (err == HF_OK || err == HF_E_TARGET || self.result != CLI_OK ||
	    !self.moving)
		return 0;
	(void)ask_for_it(err);
	/* The other side said that it cannot go on. */
	if (self.args.no_fallback &&
	    (err == HF_E_NO_SESSION || err == HF_E_STORE))
		return 0;
	goes_on = pace_goes_on(&self.pace, !self.broken, self.args.retry_ms);
	if (!self.broken) {
		if (self.args.trace)
			cli_note("broken: %s", hf_error_name((int)err));
		/* What the session says may stand on the same line. */
		if (!isatty(STDOUT_FILENO))
			cli_busy("the connection broke; going on where it "
				 "can, for %u s at most",
			    (unsigned)(self.args.retry_ms / 1000));
		self.broken = 1;
		joined_suspend(self.joined);
	}
	self.tried_long = !goes_on;
	if (!goes_on)
		return 0;
	/* Where its state may be another's, once more and no more. */
	self.refused += err == HF_E_REFUSED;
	if (self.session != NULL &&
	    (!hf_session_can_reconnect(self.session) || self.refused > 1) &&
	    !begin_anew(err))
		return 0;
	/* The one that was left comes last; after all of them a pause. */
	if (self.next == self.addresses)
		self.next = 0;
	if (self.session == NULL && self.refused > 2)
		return 0;
	if (!self.elsewhere)
		wait = pace_wait(&self.pace, self.addresses);
	self.elsewhere = 0;
	return uv_timer_start(&self.timer, attempt, wait, 0) == 0;
}

/* A session that was refused before anything of it came back: its ticket may
 * be used. There is none to go on with. */
static int
never_began(const struct hf_link *link, enum hf_err err)
{
	return (err == HF_E_REFUSED || err == HF_E_STORE) &&
	    hf_link_opened(link) && !self.heard;
}

static void
ended(void *owner, struct hf_link *link, enum hf_err err)
{
	(void)owner;
	self.link = NULL;
	if (self.args.trace && err == HF_OK)
		log_digests(hf_link_session(link));
	hf_stretch_forget(self.stretch);
	if (!never_began(link, err) && go_on(self.connected ? err : HF_E_IO))
		return;
	cli_idle();
	self.broken = 0;
	if (!self.connected) {
		not_connected();
		if (self.opened_once)
			joined_unlink(self.joined);
	} else if (ask_for_it(err)) {
		self.next--;
		attempt(NULL);
	} else {
		if (err != HF_OK)
			explain(err, hf_link_opened(link));
		joined_unlink(self.joined);
	}
	wind_up();
}

static const struct hf_link_hooks hooks = { .trust = trust,
	.opened = opened,
	.data = data,
	.closed = closed,
	.drained = drained,
	.moved = moved,
	.query = query,
	.ended = ended,
	.trace = initiate_traced };

static void
connected(uv_connect_t *req, int status)
{
	enum hf_err e;

	(void)req;
	if (self.link == NULL || status == UV_ECANCELED)
		return;
	(void)uv_timer_stop(&self.timer);
	if (status != 0) {
		self.connect_errno = -status;
		hf_link_abort(self.link, HF_E_IO);
		return;
	}
	self.connected = 1;
	if (self.session == NULL)
		hf_link_start(self.link, self.has.config, NULL, 0);
	else if ((e = hf_session_reconnect(self.session, pace_ms(),
		      cli_now())) == HF_OK)
		hf_link_start_again(self.link, self.session);
	else
		hf_link_abort(self.link, e);
}

static void
too_late(uv_timer_t *timer)
{
	(void)timer;
	self.timed_out = 1;
	if (self.link != NULL && !self.connected)
		hf_link_abort(self.link, HF_E_IO);
}

static void
attempt(uv_timer_t *timer)
{
	const struct hf_address *a = &self.address[self.next];
	enum hf_err e;
	int r;

	(void)timer;
	self.name = self.names[self.next++];
	self.connected = self.timed_out = 0;
	if ((e = hf_link_new(&self.link, &self.loop, a->at.ss_family,
		 self.scratch, &hooks, &self.args)) != HF_OK) {
		self.link = NULL;
		settle(cli_fail(e, "%s", self.name));
		return;
	}
	r = hf_address_connect(&self.connect, hf_link_stream(self.link), a,
	    connected);
	if (r == 0)
		r = uv_timer_start(&self.timer, too_late, self.args.connect_ms,
		    0);
	if (r != 0) {
		self.connect_errno = -r;
		hf_link_abort(self.link, HF_E_IO);
	}
}

/* None keeps the loop going. */
static int
watch(void)
{
	if (uv_timer_init(&self.loop, &self.again) != 0 ||
	    uv_timer_init(&self.loop, &self.rest) != 0 ||
	    uv_signal_init(&self.loop, &self.usr1) != 0 ||
	    (self.args.target_n > 1 &&
		uv_signal_start(&self.usr1, next_target, SIGUSR1) != 0))
		return cli_error(CLI_IO, "cannot watch for signals");
	uv_unref((uv_handle_t *)&self.again);
	uv_unref((uv_handle_t *)&self.rest);
	uv_unref((uv_handle_t *)&self.usr1);
	return CLI_OK;
}

static int
run(void)
{
	int r;

	if ((r = pump_init()) != CLI_OK ||
	    (r = initiate_load(&self.has, &self.args)) != CLI_OK ||
	    (r = initiate_addresses(self.address, self.names, &self.addresses,
		 &self.args)) != CLI_OK)
		return r;
	if ((r = loop_init(&self.loop)) != CLI_OK)
		return r;
	if (uv_timer_init(&self.loop, &self.timer) != 0)
		return cli_error(CLI_IO, "cannot make a timer");
	if ((r = joined_new(&self.joined, &self.loop, &io_hooks)) != CLI_OK)
		return r;
	if ((r = watch()) != CLI_OK)
		return r;
	attempt(NULL);
	wind_up();
	(void)uv_run(&self.loop, UV_RUN_DEFAULT);
	pump_stop();
	(void)uv_loop_close(&self.loop);
	/* All has arrived, but not in one session. */
	return self.result == CLI_OK && self.lost ? CLI_IO : self.result;
}

int
cmd_initiate(int argc, char **argv)
{
	int r;

	if ((r = initiate_read(&self.args, argc, argv)) == CLI_OK)
		r = self.args.shared != NULL ? initiate_shared(&self.args) :
					       run();
	joined_free(self.joined);
	hf_session_free(self.session);
	hf_config_free(self.has.config);
	hf_trust_free(self.has.trust);
	hf_identity_free(self.has.identity);
	cli_secret_free(&self.has.password);
	sodium_memzero(self.scratch, sizeof(self.scratch));
	return r;
}
