/* SPDX-License-Identifier: ISC */
/*
 * The honest side: its session, its application, and which of its secrets are
 * in its memory. How it must end it does not know; see judge.c.
 */
#include <stdlib.h>
#include <string.h>

#include "honest.h"

const struct meeting asked = { .method = HF_METHOD_CERTIFICATE },
		     known = { .method = HF_METHOD_CERTIFICATE, .known = 1 },
		     by_ticket = { .method = HF_METHOD_TICKET },
		     by_ticket_known = { .method = HF_METHOD_TICKET,
			     .known = 1 },
		     by_password = { .method = HF_METHOD_PASSWORD },
		     by_password_known = { .method = HF_METHOD_PASSWORD,
			     .known = 1 },
		     by_plain = { .method = HF_METHOD_PLAIN_PASSWORD },
		     by_single_use = { .method = HF_METHOD_TICKET,
			     .known = 1,
			     .single_use = 1 };

static const uint8_t words[] = "words";

enum { WORDS = 5 };

/* --- its secrets ------------------------------------------------------------------ */

static void
note(struct honest *h, const uint8_t *secret, size_t len)
{
	size_t i;

	if (len > sizeof(h->secret[0].bytes))
		len = sizeof(h->secret[0].bytes);
	if (sodium_is_zero(secret, len))
		return;
	for (i = 0; i < h->secrets; i++)
		if (h->secret[i].len == len &&
		    memcmp(h->secret[i].bytes, secret, len) == 0)
			return;
	assert_true(h->secrets < HONEST_SECRETS);
	memcpy(h->secret[h->secrets].bytes, secret, len);
	h->secret[h->secrets++].len = len;
}

/* Every secret that it holds at this moment, and where it stands. */
static void
look(struct honest *h)
{
	const struct hf_session *s = h->s;

	if (s->state == HF__FAILED)
		return;
	h->was = s->state;
	h->send = s->send;
	if (s->suite != NULL)
		h->suite = s->suite->id;
	note(h, s->send.ratchet, 32);
	note(h, s->send.key.u.raw, 32);
	note(h, s->recv.ratchet, 32);
	note(h, s->recv.key.u.raw, 32);
	note(h, s->secrets.confirm, 32);
	note(h, s->secrets.exporter, 32);
	memcpy(h->resumption, s->secrets.resumption, 32);
	if (s->hs == NULL)
		return;
	note(h, s->hs->ephemeral.sk, 32);
	note(h, s->hs->prekey.sk, 32);
	note(h, s->hs->transport_key, 32);
	note(h, s->hs->password, s->hs->password_len);
	note(h, s->hs->pop, 32);
}

/* The whole of it where it is short, else either half. */
bool
honest_holds(const struct honest *h, const uint8_t *secret, size_t len)
{
	size_t half = len < 32 ? len : 16;

	return memmem(h->memory, h->size, secret, half) != NULL ||
	    memmem(h->memory, h->size, secret + len - half, half) != NULL;
}

void
honest_wiped(const struct honest *h)
{
	size_t i;

	for (i = 0; i < h->secrets; i++)
		if (honest_holds(h, h->secret[i].bytes, h->secret[i].len))
			fail_msg("secret %zu of %zu is still there", i,
			    h->secrets);
}

/* --- its application --------------------------------------------------------------- */

static enum hf_err
admit(struct honest *h)
{
	struct hf_span print = hf_session_fingerprint(h->s);

	if (h->row->retry && !hf_session_cookie_shown(h->s) &&
	    h->s->state == HF__R_ADMIT && !h->s->hs->retried)
		return hf_session_admit(h->s, HF_ADMIT_COOKIE);
	if (h->row->retry && !hf_session_cookie_shown(h->s) &&
	    !h->s->hs->has_prekey)
		return hf_session_admit(h->s, HF_ADMIT_LIMIT);
	if (print.len > 0 && !h->row->forgetful &&
	    hf_replay_seen(h->app->replay, print.ptr, NOW))
		return hf_session_admit(h->s, HF_ADMIT_REPLAY);
	return hf_session_admit(h->s, HF_ADMIT);
}

static enum hf_err
trust_initiator(struct honest *h)
{
	struct hf_span print = hf_session_fingerprint(h->s), password;
	struct hf_peer peer;
	bool alice;

	if (!h->row->forgetful)
		(void)hf_replay_enter(h->app->replay, print.ptr, NOW);
	assert_ok(hf_session_peer(&peer, h->s));
	assert_false(peer.authenticated);
	alice = strcmp(peer.name, "alice") == 0;
	if (peer.method == HF_METHOD_PASSWORD)
		return hf_session_verify(h->s,
		    alice ? h->world->verifier : NULL);
	password = hf_session_asked_password(h->s);
	if (peer.method == HF_METHOD_PLAIN_PASSWORD &&
	    (!alice || password.len != 6 ||
		memcmp(password.ptr, "secret", 6) != 0))
		return hf_session_trust(h->s, HF_E_PASSWORD);
	return hf_session_trust(h->s, HF_OK);
}

static enum hf_err
trust(struct honest *h)
{
	if (h->s->state == HF__R_TRUST)
		return trust_initiator(h);
	return answer(h->world, h->s);
}

static enum hf_err
commit(struct honest *h)
{
	struct hf_peer peer;

	assert_ok(hf_session_peer(&peer, h->s));
	assert_non_null(peer.ticket);
	if (h->row->store_fails)
		return hf_session_commit(h->s, HF_E_STORE);
	if (h->app->has_burnt &&
	    memcmp(h->app->burnt, peer.ticket->cti, HF_CTI_BYTES) == 0)
		return hf_session_commit(h->s, HF_E_TICKET_USED);
	memcpy(h->app->burnt, peer.ticket->cti, HF_CTI_BYTES);
	h->app->has_burnt = true;
	h->burns++;
	return hf_session_commit(h->s, HF_OK);
}

static enum hf_err
receive(struct honest *h)
{
	static const char *const expected[] = { "one", "two" };
	enum hf_content content;
	struct hf_span data;

	assert_ok(hf_session_recv(h->s, &content, &data));
	if (content == HF_CONTENT_CLOSE)
		return h->s->sent_close || h->row->stays_open ?
		    HF_OK :
		    hf_session_close(h->s);
	assert_int_equal(content, HF_CONTENT_DATA);
	assert_true(h->released < HF__ARRAY_N(expected));
	assert_int_equal(data.len, 3);
	assert_memory_equal(data.ptr, expected[h->released++], 3);
	return HF_OK;
}

/* Open for the first time: this is a login, and it has something to say. */
static enum hf_err
greet(struct honest *h)
{
	struct hf_peer peer;

	assert_ok(hf_session_peer(&peer, h->s));
	assert_true(peer.authenticated);
	/* What is searched for in the end is there now. */
	assert_true(honest_holds(h, h->s->send.ratchet, 32));
	h->greeted = true;
	h->logins++;
	return hf_session_send(h->s, words, WORDS);
}

/* --- bytes --------------------------------------------------------------------------- */

/* Each whole message of its output goes to the peer. */
static enum hf_err
speak(struct honest *h, struct peer *p)
{
	struct hf_span out = hf_session_output(h->s);
	static uint8_t copy[HF_RECORD_MAX];
	size_t len;

	while (out.len > 0) {
		assert_ok(
		    hf__cbor_extent(&len, out.ptr, out.len, HF_RECORD_MAX));
		assert_true(len >= 3);
		h->requests += out.ptr[1] == HF__REQUEST;
		memcpy(copy, out.ptr, len);
		assert_ok(hf_session_drained(h->s, len));
		peer_hear(p, (struct hf_span){ copy, len });
		out = hf_session_output(h->s);
	}
	return HF_OK;
}

/* Until it waits for bytes, or has ended. */
static enum hf_err
settle(struct honest *h, struct peer *p)
{
	enum hf_err e = HF_OK;

	while (e == HF_OK) {
		look(h);
		switch (hf_session_want(h->s)) {
		case HF_WANT_WRITE:
			e = speak(h, p);
			break;
		case HF_WANT_ADMIT:
			e = admit(h);
			break;
		case HF_WANT_TRUST:
			e = trust(h);
			break;
		case HF_WANT_COMMIT:
			e = commit(h);
			break;
		case HF_WANT_RECV:
			e = receive(h);
			break;
		case HF_WANT_DONE:
			if (h->greeted)
				return HF_OK;
			e = greet(h);
			break;
		default:
			return hf_session_error(h->s);
		}
	}
	return e;
}

static enum hf_err
hear(struct honest *h, struct peer *p, const struct blob *b)
{
	enum hf_err e = HF_OK;
	size_t off, used;

	for (off = 0; e == HF_OK && off < b->len; off += used) {
		if (!hf__state_reads(h->s->state))
			return hf_session_error(h->s);
		e = hf_session_feed(h->s, &used, b->bytes + off, b->len - off);
		if (e == HF_OK)
			e = settle(h, p);
	}
	if (e == HF_OK && p->ended) {
		h->eof = true;
		e = hf_session_eof(h->s);
	}
	return e;
}

/* --- one session ------------------------------------------------------------------------ */

/* In which order the peer speaks. */
static size_t
script(enum said what[SAID_N + 1], const struct row *row, enum hf_role role)
{
	bool offer = !row->meeting->known ||
	    row->meeting->method == HF_METHOD_PLAIN_PASSWORD;
	size_t n = 0;

	if (role == HF_INITIATOR) {
		if (offer)
			what[n++] = SAY_HELLO;
		if (row->retry)
			what[n++] = offer ? SAY_HELLO : SAY_REQUEST;
		what[n++] = SAY_REQUEST;
		what[n++] = SAY_CONFIRM;
	} else {
		if (row->retry)
			what[n++] = SAY_RETRY;
		if (offer)
			what[n++] = SAY_OFFER;
		what[n++] = SAY_GRANT;
	}
	what[n++] = SAY_FIRST;
	what[n++] = SAY_SECOND;
	what[n++] = SAY_CLOSE;
	return n;
}

enum hf_err
honest_meets(struct honest *h, struct peer *p)
{
	enum said what[SAID_N + 1];
	size_t i, n = script(what, h->row, p->role);
	static struct blob b;
	enum hf_err e = settle(h, p);

	for (i = 0; i < n && e == HF_OK && !h->eof; i++) {
		peer_say(p, &b, what[i]);
		e = hear(h, p, &b);
	}
	if (e == HF_OK && !h->eof) {
		h->eof = true;
		e = hf_session_eof(h->s);
	}
	return e;
}

void
honest_start(struct honest *h, const struct row *row, struct world *w,
    struct app *app, enum hf_role peer)
{
	memset(h, 0, sizeof(*h));
	h->row = row;
	h->world = w;
	h->app = app;
	h->size = hf_session_size(HF_PLAINTEXT_MAX);
	h->memory = calloc(1, h->size);
	assert_non_null(h->memory);
	assert_ok(hf_session_place(&h->s, h->memory, h->size, HF_PLAINTEXT_MAX,
	    peer == HF_INITIATOR ? w->r : w->i, START_MS, NOW));
	if (peer == HF_INITIATOR)
		assert_ok(
		    hf_session_source(h->s, (const uint8_t *)"there", 5));
	/* Not its own, and not to stay with it. */
	note(h, w->stretched, 32);
}

void
honest_stop(struct honest *h)
{
	hf_session_free(h->s);
	honest_wiped(h);
	assert_true(sodium_is_zero(h->resumption, 32) ||
	    !honest_holds(h, h->resumption, 32));
	free(h->memory);
}
