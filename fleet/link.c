/* SPDX-License-Identifier: ISC */
/*
 * Drives one session over one stream: the only place where the library meets
 * a socket. It knows what a session may want and whom to ask for it; it does
 * not know who is trusted or what the data means.
 */
#include <sys/socket.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "link.h"

/* The session failed: lets its alert out, and waits a little for it to
 * arrive, since closing on unread bytes would make the kernel drop it. */
static void
fail(struct hf_link *l)
{
	size_t len = hf_session_output(l->session).len;

	l->err = l->cut != HF_OK ? l->cut : hf_session_error(l->session);
	if (!l->failed && l->hooks->failed != NULL) {
		l->failed = 1;
		l->hooks->failed(l->owner, l, l->err);
	}
	if (l->phase != RUNNING)
		return;
	if (len == 0 || l->eof || hf__link_flush(l) != HF_OK || l->dumb ||
	    (!l->shutting &&
		uv_shutdown(&l->shutdown, &l->io.stream, NULL) != 0)) {
		hf__link_end(l, l->err, 0);
		return;
	}
	l->phase = LINGERING;
}

static void
deliver(struct hf_link *l)
{
	enum hf_content content;
	struct hf_span data;

	if (hf_session_recv(l->session, &content, &data) != HF_OK) {
		/* One that failed has an alert to send, and says why. */
		if (hf_session_want(l->session) != HF_WANT_FAILED)
			hf__link_end(l, HF_E_STATE, 1);
		return;
	}
	if (content == HF_CONTENT_CLOSE) {
		l->hooks->closed(l->owner, l);
		return;
	}
	if (content == HF_CONTENT_ACK) {
		hf__link_send_waiting(l);
		return;
	}
	/* What it changes the session tells: hf_session_strength(). */
	if (content == HF_CONTENT_REFRESH)
		return;
	if (content == HF_CONTENT_QUERY) {
		if (l->hooks->query != NULL)
			l->hooks->query(l->owner, l);
		return;
	}
	if (content == HF_CONTENT_CHANNEL) {
		hf__link_mux_feed(l, data);
		return;
	}
	if (content == HF_CONTENT_DATA)
		l->bytes_in += data.len;
	l->hooks->data(l->owner, l, content, data.ptr, data.len);
}

/* Traces the message that is complete. A request is opened only when it is
 * admitted: it is traced then. */
static void
received(struct hf_link *l)
{
	enum { REQUEST = 3 };
	enum hf_want want = hf_session_want(l->session);

	if (l->partial == 0 || want == HF_WANT_READ ||
	    (want == HF_WANT_ADMIT && l->message_type == REQUEST))
		return;
	hf__link_trace(l, 0, l->message_type, l->partial);
	l->partial = 0;
	l->first_by = 0;
}

/* What is judged in a handshake is judged by the time of the judgement.
 * Returns 0 when it is too late. */
static int
tell_time(struct hf_link *l)
{
	enum hf_err e;

	if (l->opened)
		return 1;
	e = hf_session_tick(l->session, hf__link_ms(), (uint64_t)time(NULL));
	if (e != HF_OK && hf_session_want(l->session) != HF_WANT_FAILED)
		hf__link_end(l, e, 1);
	return e == HF_OK;
}

/* Gives the session what was read. Returns 0 when there is nothing. */
static int
feed(struct hf_link *l)
{
	uint64_t t0 = 0;
	size_t used = 0;
	enum hf_err e;

	if (l->next_len == 0) {
		if (!l->eof || l->eof_told)
			return 0;
		l->eof_told = 1;
		/* The session's own state says what it made of it. */
		e = hf_session_eof(l->session);
		return e == HF_OK ||
		    hf_session_want(l->session) == HF_WANT_FAILED;
	}
	if (!tell_time(l))
		return 1;
	if (!l->opened) {
		if (l->partial < 2)
			l->message_type = l->partial == 1 ? l->next[0] :
			    l->next_len > 1		  ? l->next[1] :
							    -1;
		t0 = uv_hrtime();
	}
	e = hf_session_feed(l->session, &used, l->next, l->next_len);
	if (!l->opened) {
		l->spent += uv_hrtime() - t0;
		l->partial += used;
		if (e == HF_OK)
			received(l);
	}
	l->next += used;
	l->next_len -= used;
	if (e != HF_OK && hf_session_want(l->session) != HF_WANT_FAILED) {
		hf__link_end(l, e, 1);
		return 0;
	}
	return used > 0 || e != HF_OK;
}

static void
admit(struct hf_link *l)
{
	enum hf_admission admission = l->hooks->admit(l->owner, l);
	uint64_t t0 = uv_hrtime();
	enum hf_err e = hf_session_admit(l->session, admission);

	l->spent += uv_hrtime() - t0;
	received(l);
	if (e != HF_OK && hf_session_want(l->session) != HF_WANT_FAILED)
		hf__link_end(l, e, 1);
}

static void
ask_state(struct hf_link *l)
{
	if (l->hooks->state != NULL)
		l->hooks->state(l->owner, l);
	else
		hf_link_supply(l, HF_E_NO_SESSION, NULL, 0);
}

/* The first want after the handshake. Returns 1 when that was now. */
static int
open_once(struct hf_link *l)
{
	struct hf_bases bases;

	if (l->opened)
		return 0;
	l->opened = 1;
	/* An initiator keeps its session: it was told. */
	l->was_closed = l->hooks->store != NULL &&
	    hf_session_bases(&bases, l->session) == HF_OK && bases.peer_closed;
	l->hooks->opened(l->owner, l);
	return 1;
}

/* Where nothing is to be released there is bytes to read, or a close that
 * another owner took. Returns 0 when it must wait. */
static int
go_on(struct hf_link *l)
{
	if (open_once(l))
		return 1;
	if (l->paused)
		return 0;
	if (!l->was_closed)
		return feed(l);
	l->was_closed = 0;
	l->hooks->closed(l->owner, l);
	return 1;
}

/* Does one thing that the session wants. Returns 0 when it must wait. */
static int
step(struct hf_link *l)
{
	enum hf_want want = hf_session_want(l->session);
	enum hf_err e;

	switch (want) {
	case HF_WANT_WRITE:
		if ((e = hf__link_flush(l)) == HF_OK)
			return 1;
		hf__link_end(l, e, 1);
		return 0;
	case HF_WANT_STATE:
		if (l->asked)
			return 0;
		l->asked = 1;
		ask_state(l);
		return !l->asked;
	case HF_WANT_COMMIT:
		if (l->asked)
			return 0;
		l->asked = 1;
		if (hf_session_commit_kind(l->session) == HF_COMMIT_TICKET)
			l->hooks->commit(l->owner, l);
		else
			l->hooks->store(l->owner, l,
			    hf_session_entry(l->session));
		return !l->asked;
	case HF_WANT_ADMIT:
		admit(l);
		return 1;
	case HF_WANT_TRUST:
		if (l->asked)
			return 0;
		l->asked = 1;
		l->hooks->trust(l->owner, l);
		return !l->asked;
	case HF_WANT_RECV:
		if (open_once(l))
			return 1;
		if (l->paused)
			return 0;
		deliver(l);
		return 1;
	case HF_WANT_DONE:
		return go_on(l);
	case HF_WANT_READ:
		return feed(l);
	case HF_WANT_FAILED:
		fail(l);
		return 0;
	default:
		return 0;
	}
}

void
hf__link_run(struct hf_link *l)
{
	if (l->running || l->phase != RUNNING)
		return;
	l->running = 1;
	do {
		while (l->phase == RUNNING && step(l))
			continue;
	} while (hf__link_mux_send(l));
	if (l->phase == RUNNING && l->opened && l->hooks->moved != NULL &&
	    hf_session_mobility(l->session) != HF_MOVES_NOT)
		l->hooks->moved(l->owner, l);
	l->running = 0;
	if (l->phase != ENDING)
		hf__link_settle(l);
}

enum hf_err
hf_link_new(struct hf_link **link, uv_loop_t *loop, int family,
    uint8_t scratch[HF_LINK_SCRATCH], const struct hf_link_hooks *hooks,
    void *owner)
{
	struct hf_link *l;
	int r;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return HF_E_MEMORY;
	l->hooks = hooks;
	l->owner = owner;
	l->scratch = scratch;
	l->family = family;
	l->handles = 2;
	if (family == AF_UNIX)
		r = uv_pipe_init(loop, &l->io.pipe, 0);
	else
		r = uv_tcp_init(loop, &l->io.tcp);
	if (r != 0 || uv_timer_init(loop, &l->timer) != 0) {
		/* Neither fails after its argument was checked. */
		free(l);
		return HF_E_IO;
	}
	l->io.handle.data = l;
	l->timer.data = l;
	*link = l;
	return HF_OK;
}

uv_stream_t *
hf_link_stream(struct hf_link *l)
{
	return &l->io.stream;
}

void
hf_link_hurry(struct hf_link *l, uint64_t ms)
{
	l->first_by = hf__link_ms() + ms;
}

struct hf_session *
hf_link_session(const struct hf_link *l)
{
	return l->session;
}

static void
tune(struct hf_link *l)
{
	if (l->family != AF_UNIX)
		hf_address_tune(&l->io.tcp);
}

void
hf_link_start_again(struct hf_link *l, struct hf_session *session)
{
	tune(l);
	l->phase = RUNNING;
	l->session = session;
	l->kept = 1;
	hf__link_run(l);
}

struct hf_session *
hf_link_keep_session(struct hf_link *l)
{
	l->kept = 1;
	return l->session;
}

void
hf_link_start(struct hf_link *l, struct hf_config *config,
    const uint8_t *source, size_t source_len)
{
	uint64_t t0 = uv_hrtime();
	enum hf_err e;

	tune(l);
	l->phase = RUNNING;
	if ((e = hf_session_new(&l->session, config, hf__link_ms(),
		 (uint64_t)time(NULL))) != HF_OK ||
	    (source_len > 0 &&
		(e = hf_session_source(l->session, source, source_len)) !=
		    HF_OK)) {
		hf__link_end(l, e, 1);
		return;
	}
	l->spent = uv_hrtime() - t0;
	hf__link_run(l);
}

/* An answer was given: the session goes on, or says why not. */
static void
answered(struct hf_link *l, enum hf_err e, uint64_t t0)
{
	l->spent += uv_hrtime() - t0;
	l->asked = 0;
	if (e != HF_OK && hf_session_want(l->session) != HF_WANT_FAILED) {
		hf__link_end(l, e, 1);
		return;
	}
	hf__link_run(l);
}

/* Whether an answer is still wanted. */
static int
asks_for(struct hf_link *l, enum hf_want want)
{
	if (l->phase != RUNNING || !l->asked ||
	    hf_session_want(l->session) != want)
		return 0;
	if (tell_time(l))
		return 1;
	l->asked = 0;
	hf__link_run(l);
	return 0;
}

static int
asks(struct hf_link *l)
{
	return asks_for(l, HF_WANT_TRUST);
}

void
hf_link_supply(struct hf_link *l, enum hf_err verdict, const uint8_t *entry,
    size_t len)
{
	uint64_t t0 = uv_hrtime();

	if (asks_for(l, HF_WANT_STATE))
		answered(l, hf_session_supply(l->session, verdict, entry, len),
		    t0);
}

void
hf_link_committed(struct hf_link *l, enum hf_err verdict)
{
	uint64_t t0 = uv_hrtime();

	if (asks_for(l, HF_WANT_COMMIT))
		answered(l, hf_session_commit(l->session, verdict), t0);
}

enum hf_err
hf_link_checkpoint(struct hf_link *l, uint8_t *out, size_t cap, size_t *len)
{
	enum hf_err e;

	if (l->phase != RUNNING || !l->opened)
		return HF_E_STATE;
	/* Keys are good for some time only. */
	e = hf_session_tick(l->session, hf__link_ms(), (uint64_t)time(NULL));
	if (e == HF_OK)
		e = hf_session_checkpoint(l->session, out, cap, len);
	if (hf_session_want(l->session) == HF_WANT_FAILED)
		fail(l);
	return e;
}

/* A count that was released before, or was not received, changes nothing. */
void
hf_link_release(struct hf_link *l, uint64_t count)
{
	if (l->phase != RUNNING || !l->opened ||
	    hf_session_release(l->session, count) != HF_OK)
		return;
	if (!l->running)
		hf__link_run(l);
}

enum hf_err
hf_link_vault(struct hf_link *l, const struct hf_vault *vault)
{
	if (l->phase != RUNNING)
		return HF_E_STATE;
	return hf_session_vault(l->session, vault);
}

void
hf_link_query(struct hf_link *l)
{
	if (l->phase != RUNNING || !l->opened)
		return;
	/* Where it cannot be said the peer will find out. */
	if (hf_session_query(l->session) == HF_OK)
		hf__link_run(l);
}

void
hf_link_trust(struct hf_link *l, enum hf_err verdict)
{
	uint64_t t0 = uv_hrtime();

	if (asks(l))
		answered(l, hf_session_trust(l->session, verdict), t0);
}

void
hf_link_verify(struct hf_link *l, const uint8_t *verifier)
{
	uint64_t t0 = uv_hrtime();

	if (asks(l))
		answered(l, hf_session_verify(l->session, verifier), t0);
}

void
hf_link_stretched(struct hf_link *l, const uint8_t stretched[HF_KEY_BYTES])
{
	uint64_t t0 = uv_hrtime();

	if (asks(l))
		answered(l, hf_session_stretched(l->session, stretched), t0);
}

void
hf_link_password(struct hf_link *l, const char *text, size_t len)
{
	uint64_t t0 = uv_hrtime();

	if (asks(l))
		answered(l, hf_session_password(l->session, text, len), t0);
}

enum hf_err
hf_link_issue_ticket(struct hf_link *l, uint32_t ttl, uint32_t limit)
{
	enum hf_err e;

	if (l->phase != RUNNING || !l->opened || l->closing)
		return HF_E_STATE;
	e = hf_session_issue_ticket(l->session, ttl, limit, 0);
	hf__link_run(l);
	return e;
}

void
hf_link_pause(struct hf_link *l)
{
	l->paused = 1;
	if (!l->running && l->phase == RUNNING)
		hf__link_settle(l);
}

void
hf_link_resume(struct hf_link *l)
{
	l->paused = 0;
	hf__link_run(l);
}

void
hf_link_abort(struct hf_link *l, enum hf_err err)
{
	if (l->phase == LINGERING)
		hf__link_end(l, l->err, 0);
	else
		hf__link_end(l, err, l->phase == RUNNING);
}

uint64_t
hf_link_bytes_in(const struct hf_link *l)
{
	return l->bytes_in;
}

uint64_t
hf_link_bytes_out(const struct hf_link *l)
{
	return l->bytes_out;
}

int
hf_link_opened(const struct hf_link *l)
{
	return l->opened;
}

int
hf_link_open(const struct hf_link *l)
{
	return l->phase == RUNNING && l->opened && !l->closing;
}
