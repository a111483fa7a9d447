/* SPDX-License-Identifier: ISC */
/*
 * handfast initiate: one session from its objects to its end. It connects,
 * answers what the session wants to be told (a password, stretched in a
 * thread), and turns the way it ended into words and an exit code. Bytes of
 * the application pass through initiate_io.c.
 */
#include <sys/socket.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "initiate.h"

/* Memory that Argon2id takes, and what is done with it, in a thread. */
struct stretch {
	uv_work_t work;
	struct hf_link *link; /* NULL: nobody waits */
	struct hf_name realm;
	unsigned mib, passes;
	enum hf_err err;
	uint8_t key[HF_KEY_BYTES];
};

/* The one session of this process. */
static struct {
	struct initiate args;
	uv_loop_t loop;
	uv_timer_t timer; /* the connect timeout */
	uv_connect_t connect;
	struct hf_config *config;
	struct hf_trust *trust;
	struct hf_identity *identity;
	struct cli_secret password;
	struct joined *joined;
	struct hf_link *link; /* NULL: none */
	struct stretch *stretch;
	struct hf_address address[HF_ADDRESSES_MAX];
	size_t addresses, next;
	int connected, timed_out, connect_errno, known, reconnect;
	int result;
	uint8_t scratch[HF_LINK_SCRATCH];
} self;

static void attempt(void);

/* Stops reading when nothing is left to do, so that the loop ends. */
static void
wind_up(void)
{
	if (self.link == NULL && self.joined != NULL &&
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

static void
io_idle(void)
{
	wind_up();
}

static const struct joined_hooks io_hooks = { io_failed, io_idle };

static void
stretch_work(uv_work_t *work)
{
	struct stretch *s = work->data;

	s->err =
	    hf_password_stretch(s->key, self.password.text, self.password.len,
		s->realm.text, self.args.user, s->mib, s->passes);
}

static void
stretch_done(uv_work_t *work, int status)
{
	struct stretch *s = work->data;
	struct hf_link *link = s->link;

	self.stretch = NULL;
	if (link != NULL && (status != 0 || s->err != HF_OK))
		hf_link_trust(link, status != 0 ? HF_E_MEMORY : s->err);
	else if (link != NULL)
		hf_link_stretched(link, s->key);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

/* The responder's certificate says for which realm, and at what cost. */
static void
stretch(struct hf_link *link, const struct hf_peer *peer)
{
	struct hf_cert_info *info;
	struct stretch *s;
	enum hf_err e;

	info = malloc(sizeof(*info));
	s = calloc(1, sizeof(*s));
	if (info == NULL || s == NULL) {
		e = HF_E_MEMORY;
		goto bad;
	}
	if ((e = hf_cert_read(info, peer->cert.ptr, peer->cert.len)) != HF_OK)
		goto bad;
	e = HF_E_TOKEN;
	if (info->realm.len == 0)
		goto bad;
	s->realm = info->realm;
	s->mib = info->cost_mib;
	s->passes = info->cost_passes;
	s->link = link;
	s->work.data = s;
	e = HF_E_MEMORY;
	if (uv_queue_work(&self.loop, &s->work, stretch_work, stretch_done) !=
	    0)
		goto bad;
	self.stretch = s;
	free(info);
	return;
bad:
	free(info);
	free(s);
	hf_link_trust(link, e);
}

static void
trust(void *owner, struct hf_link *link)
{
	struct hf_peer peer;
	enum hf_err e;

	(void)owner;
	/* Name, CA, times and usage were judged by the session. */
	if ((e = hf_session_peer(&peer, hf_link_session(link))) != HF_OK)
		hf_link_trust(link, e);
	else if (self.args.user == NULL)
		hf_link_trust(link, HF_OK);
	else if (self.args.plain)
		hf_link_password(link, self.password.text, self.password.len);
	else
		stretch(link, &peer);
}

static void
opened(void *owner, struct hf_link *link)
{
	(void)owner;
	joined_open(self.joined, link);
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
		settle(cli_write_pem(self.args.ticket_out, "HANDFAST TICKET",
		    bytes, len, 0600, CLI_REPLACE));
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

/* What helps where a session did not begin, beside cli_fail()'s hints. */
static void
advise(enum hf_err err)
{
	if (err == HF_E_NAME && self.args.expect != NULL)
		cli_hint("the certificate there is not for '%s'",
		    self.args.expect);
	else if (err == HF_E_TOKEN && self.args.user != NULL)
		cli_hint("the certificate there names no realm: it takes no "
			 "passwords");
	else if (err == HF_E_EXPIRED)
		cli_hint("a certificate there needs renewal, or the clock "
			 "here is wrong");
	else if (err == HF_E_SHAPE || err == HF_E_CBOR ||
	    err == HF_E_UNEXPECTED || err == HF_E_TOO_BIG)
		cli_hint("is that a handfast responder?");
}

/* Says how a session ended that did not end well. */
static void
explain(enum hf_err err, int was_open)
{
	if (self.result != CLI_OK)
		return;
	settle(cli_fail(err, "%s", self.args.connect));
	if (!was_open)
		advise(err);
	else if (err == HF_E_TRUNCATED)
		cli_hint("the output is not complete");
	else if (err == HF_E_EXPIRED)
		cli_hint("the responder grants a session only so much time");
}

/* A connection that was never made: the next address, or the end. */
static void
not_connected(void)
{
	if (self.next < self.addresses) {
		attempt();
		return;
	}
	errno = self.timed_out ? ETIMEDOUT : self.connect_errno;
	settle(cli_errno("cannot connect to %s", self.args.connect));
}

static void
ended(void *owner, struct hf_link *link, enum hf_err err)
{
	(void)owner;
	self.link = NULL;
	if (self.stretch != NULL)
		self.stretch->link = NULL;
	if (!self.connected) {
		not_connected();
	} else if (err == HF_E_UNKNOWN_KEY && self.known) {
		cli_warn("%s: the responder has another certificate than %s; "
			 "asking for it",
		    self.args.connect, self.args.responder_cert);
		self.known = 0;
		self.reconnect = 1;
	} else {
		if (err != HF_OK)
			explain(err, hf_link_opened(link));
		joined_unlink(self.joined);
	}
	if (self.reconnect) {
		self.reconnect = 0;
		self.next--;
		if (hf_config_responder(self.config, NULL, 0) != HF_OK)
			settle(cli_fail(HF_E_STATE, "%s", self.args.connect));
		else
			attempt();
	}
	wind_up();
}

static void
traced(void *owner, struct hf_link *link, int sent, int type, size_t bytes,
    uint64_t ns)
{
	(void)owner;
	(void)link;
	if (self.args.trace)
		log_trace(sent, type, bytes, ns);
}

static const struct hf_link_hooks hooks = { .trust = trust,
	.opened = opened,
	.data = data,
	.closed = closed,
	.drained = drained,
	.ended = ended,
	.trace = traced };

static void
connected(uv_connect_t *req, int status)
{
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
	hf_link_start(self.link, self.config, NULL, 0);
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
attempt(void)
{
	const struct hf_address *a = &self.address[self.next++];
	enum hf_err e;
	int r;

	self.connected = self.timed_out = 0;
	if ((e = hf_link_new(&self.link, &self.loop, a->at.ss_family,
		 self.scratch, &hooks, NULL)) != HF_OK) {
		self.link = NULL;
		settle(cli_fail(e, "%s", self.args.connect));
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

/* The token: what this side authenticates with. */
static int
load_token(void)
{
	const struct initiate *a = &self.args;
	uint8_t file[CLI_TICKET_FILE];
	struct cli_chain *chain;
	enum hf_err e = HF_OK;
	size_t len = 0;
	int r;

	if (a->user != NULL) {
		r = cli_pass_read(&self.password, &a->pass, "Password: ", 0);
		if (r != CLI_OK)
			return r;
		e = hf_config_user(self.config, a->user,
		    a->plain ? HF_METHOD_PLAIN_PASSWORD : HF_METHOD_PASSWORD);
		if (e == HF_OK)
			e = hf_config_without_prekey(self.config,
			    a->no_prekey);
		return e == HF_OK ? CLI_OK : cli_fail(e, "--user %s", a->user);
	}
	if (a->ticket != NULL) {
		r = cli_load_ticket(file, &len, a->ticket);
		if (r == CLI_OK &&
		    (e = hf_config_ticket(self.config, file, len)) != HF_OK)
			r = cli_fail(e, "%s", a->ticket);
		sodium_memzero(file, sizeof(file));
		return r;
	}
	if ((chain = malloc(sizeof(*chain))) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", a->cert);
	r = cli_load_identity(&self.identity, a->identity, &a->pass);
	if (r == CLI_OK)
		r = cli_load_chain(chain, a->cert);
	if (r == CLI_OK &&
	    (e = hf_config_identity(self.config, self.identity, chain->spans,
		 chain->n)) != HF_OK)
		r = cli_fail(e, "%s", a->cert);
	free(chain);
	return r;
}

static int
load_responder(void)
{
	struct cli_chain *chain;
	enum hf_err e;
	int r;

	if (self.args.responder_cert == NULL)
		return CLI_OK;
	if ((chain = malloc(sizeof(*chain))) == NULL)
		return cli_fail(HF_E_MEMORY, "--responder-cert");
	r = cli_load_chain(chain, self.args.responder_cert);
	if (r == CLI_OK &&
	    (e = hf_config_responder(self.config, chain->spans, chain->n)) !=
		HF_OK)
		r = cli_fail(e, "%s", self.args.responder_cert);
	self.known = r == CLI_OK;
	free(chain);
	return r;
}

static int
load_config(void)
{
	const struct initiate *a = &self.args;
	struct hf_session *session = NULL;
	enum hf_err e;
	int r;

	if ((r = cli_load_trust(&self.trust, a->trust, a->trust_n, a->revoked,
		 a->revoked_n)) != CLI_OK)
		return r;
	if ((e = hf_config_new(&self.config, HF_INITIATOR)) != HF_OK ||
	    (e = hf_config_trust(self.config, self.trust)) != HF_OK ||
	    (e = hf_config_deadline(self.config, (uint32_t)a->deadline_ms)) !=
		HF_OK ||
	    /* Now and then, so that nobody depends on its absence. */
	    (e = hf_config_grease(self.config, randombytes_uniform(8) == 0)) !=
		HF_OK)
		return cli_fail(e, "configuration");
	if (a->expect != NULL &&
	    (e = hf_config_expect(self.config, a->expect)) != HF_OK)
		return cli_fail(e, "--expect");
	if (a->realm != NULL &&
	    (e = hf_config_realm(self.config, a->realm)) != HF_OK)
		return cli_fail(e, "--realm");
	if (a->target != NULL &&
	    (e = hf_config_target(self.config, a->target)) != HF_OK)
		return cli_fail(e, "--target");
	if ((r = load_token()) != CLI_OK || (r = load_responder()) != CLI_OK)
		return r;
	/* What is wrong with one's own files is said before connecting. */
	e = hf_session_new(&session, self.config, 0, cli_now());
	hf_session_free(session);
	return e == HF_OK ? CLI_OK :
			    cli_fail(e, "%s",
				a->ticket != NULL   ? a->ticket :
				    a->cert != NULL ? a->cert :
						      "configuration");
}

static int
run(void)
{
	int r;

	if ((r = pump_init()) != CLI_OK || (r = load_config()) != CLI_OK ||
	    (r = cli_address(self.address, &self.addresses, "initiate",
		 "--connect", self.args.connect)) != CLI_OK)
		return r;
	if ((r = loop_init(&self.loop)) != CLI_OK)
		return r;
	if (uv_timer_init(&self.loop, &self.timer) != 0)
		return cli_error(CLI_IO, "cannot make a timer");
	if ((r = joined_new(&self.joined, &self.loop, &io_hooks)) != CLI_OK)
		return r;
	attempt();
	wind_up();
	(void)uv_run(&self.loop, UV_RUN_DEFAULT);
	pump_stop();
	(void)uv_loop_close(&self.loop);
	return self.result;
}

int
cmd_initiate(int argc, char **argv)
{
	int r;

	if ((r = initiate_read(&self.args, argc, argv)) == CLI_OK)
		r = run();
	joined_free(self.joined);
	hf_config_free(self.config);
	hf_trust_free(self.trust);
	hf_identity_free(self.identity);
	cli_secret_free(&self.password);
	sodium_memzero(self.scratch, sizeof(self.scratch));
	return r;
}
