/* SPDX-License-Identifier: ISC */
/*
 * The stages of one handshake, for tests that break in between; and what a
 * peer with genuine keys then says. One world and one pair for each test.
 */
#ifndef HANDFAST_STAGE_H
#define HANDFAST_STAGE_H

#include <string.h>

#include "craft.h"
#include "testing.h"

static struct world w;
static struct pair p;

static inline void
begin(const struct meeting *m)
{
	world_make(&w, m);
	pair_make(&p, &w);
}

static inline void
end(void)
{
	pair_free(&p);
	world_free(&w);
}

/* The initiator is at its trust: nothing was sealed yet. */
static inline void
judged(void)
{
	struct blob b;

	if (p.i->state != HF__I_HELLO_SENT)
		return;
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(answer(&w, p.r));
	take(&b, p.r);
	assert_ok(give(p.i, b.bytes, b.len));
	assert_int_equal(p.i->state, HF__I_TRUST);
}

/* The responder has opened the request, which is in out, and is asked. */
static inline void
opened(struct blob *out)
{
	judged();
	assert_ok(answer(&w, p.i));
	take(out, p.i);
	assert_ok(give(p.r, out->bytes, out->len));
	assert_ok(answer(&w, p.r));
	assert_int_equal(p.r->state, HF__R_TRUST);
}

static inline void
granted(struct blob *request, struct blob *grant)
{
	opened(request);
	assert_ok(answer(&w, p.r));
	take(grant, p.r);
}

static inline void
assert_nothing(const struct hf_session *s)
{
	assert_int_equal(s->state, HF__FAILED);
	assert_false(s->keys);
	assert_false(s->has_sid);
	assert_false(s->authenticated);
	assert_true(
	    sodium_is_zero((const uint8_t *)&s->send, sizeof(s->send)));
	assert_true(
	    sodium_is_zero((const uint8_t *)&s->recv, sizeof(s->recv)));
	assert_true(
	    sodium_is_zero((const uint8_t *)&s->secrets, sizeof(s->secrets)));
}

/* A leaf again with another key, as a careless CA would sign it. */
static inline void
with_key(struct blob *out, const struct blob *leaf, const uint8_t key[32])
{
	certify_key(out, w.ca, leaf, key);
}

static const uint8_t plain_grant[54] = { 0x84, 0x58,
	0x20, [35] = 0x50, [52] = 0x05, [53] = 0x00 };

static inline enum hf_err
grant_by(struct blob *out, const struct craft *c)
{
	out->len = 0;
	return craft_grant(out->bytes, sizeof(out->bytes), &out->len, p.r, c,
	    (struct hf_span){ plain_grant, sizeof(plain_grant) });
}

static inline struct craft
ephemeral_of(int byte)
{
	struct craft c = { .pair = { { 0 }, { 0 } } };

	memset(c.pair.sk, byte, sizeof(c.pair.sk));
	assert_ok(hf__kem_x25519.pair(&c.pair, c.pair.sk));
	return c;
}

/* --- one message of each type, and who takes it ---------------------------------- */

enum message {
	HELLO,
	OFFER,
	RETRY,
	REQUEST,
	GRANT,
	CONFIRM,
	ALERT,
	RECORD,
	MESSAGES
};

/* A pair before that message arrives, and the message. Returns its reader. */
static inline struct hf_session *
before(struct blob *b, enum message message)
{
	static const uint8_t retry[] = { 0x82, HF__RETRY, 0x41, 0x00 };
	static const uint8_t alert[] = { 0x82, HF__ALERT, 1 };
	struct blob other;

	pair_make(&p, &w);
	switch (message) {
	case HELLO:
		take(b, p.i);
		return p.r;
	case OFFER:
		take(b, p.i);
		assert_ok(give(p.r, b->bytes, b->len));
		assert_ok(answer(&w, p.r));
		take(b, p.r);
		return p.i;
	case RETRY:
	case ALERT:
		judged();
		assert_ok(answer(&w, p.i));
		take(b, p.i);
		b->len = message == RETRY ? sizeof(retry) : sizeof(alert);
		memcpy(b->bytes, message == RETRY ? retry : alert, b->len);
		return p.i;
	case REQUEST:
		judged();
		assert_ok(answer(&w, p.i));
		take(b, p.i);
		return p.r;
	case GRANT:
		granted(&other, b);
		return p.i;
	default:
		granted(&other, b);
		assert_ok(give(p.i, b->bytes, b->len));
		take(b, p.i);
		if (message == CONFIRM)
			return p.r;
		assert_ok(give(p.r, b->bytes, b->len));
		assert_ok(hf_session_send(p.i, (const uint8_t *)"data", 4));
		take(b, p.i);
		return p.r;
	}
}

/* Which of the two paths has the message. */
static inline struct meeting
path_of(enum message message, int known)
{
	return (struct meeting){ .method = HF_METHOD_CERTIFICATE,
		.known = message == HELLO || message == OFFER ? 0 : known,
		.target = "t" };
}

/* --- plaintexts, whole ------------------------------------------------------------ */

/* An honest plaintext of a request, with a plain password of 150 bytes and 128
 * bytes of padding more than it needs: still of a box's size when one field
 * is gone. */
static inline void
request_plain(struct blob *plain)
{
	uint8_t token[160], zeros[2 * HF__PAD_BYTES] = { 0 };
	size_t len, more;

	memset(token, 'p', sizeof(token));
	len = unhex(token, sizeof(token), "830361617896") + 150;
	assert_ok(craft_plain(plain->bytes, sizeof(plain->bytes), &plain->len,
	    (struct hf_span){ token, len }, NOW));
	(void)item_at(&more, plain->bytes, plain->len, 4);
	zeros[0] = 0x58;
	zeros[1] = (uint8_t)(more - 2 + HF__PAD_BYTES);
	assert_true(replace(plain, 4, zeros, more + HF__PAD_BYTES));
}

static inline enum hf_err
seal_request(const struct blob *plain)
{
	struct craft c = ephemeral_of(5);
	struct blob b;

	pair_make(&p, &w);
	judged();
	assert_ok(craft_request(b.bytes, sizeof(b.bytes), &b.len, p.i, &c,
	    (struct hf_span){ plain->bytes, plain->len }));
	assert_ok(give(p.r, b.bytes, b.len));
	return answer(&w, p.r);
}

static inline enum hf_err
seal_grant(const struct blob *plain)
{
	struct craft c = ephemeral_of(5);
	struct blob b;

	pair_make(&p, &w);
	opened(&b);
	assert_ok(craft_grant(b.bytes, sizeof(b.bytes), &b.len, p.r, &c,
	    (struct hf_span){ plain->bytes, plain->len }));
	return give(p.i, b.bytes, b.len);
}

#endif
