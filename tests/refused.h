/* SPDX-License-Identifier: ISC */
/*
 * The stage of tests of sessions that may not move, or not so: one that is
 * stored and acked, a resume on its way, and what a server that refuses it
 * leaves behind and says.
 */
#ifndef HANDFAST_REFUSED_H
#define HANDFAST_REFUSED_H

#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;

static const struct meeting by_cert = { .method = HF_METHOD_CERTIFICATE,
	.known = 1,
	.target = "t" };

static const uint8_t no_session[] = { 0x82, HF__ALERT, 4 };
static const uint8_t store_alert[] = { 0x82, HF__ALERT, 2 };
static const uint8_t refused_alert[] = { 0x82, HF__ALERT, 1 };

/* A session with a record each way, all of it stored and acked. */
static inline void
begin(const struct meeting *m, enum hf_mobility mobility)
{
	cluster_make(&c, m, mobility);
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	say(i, "forth");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(a.s, "forth"), HF_CONTENT_DATA);
	say(a.s, "back");
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, "back"), HF_CONTENT_DATA);
	assert_ok(end_checkpoint(&a));
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	memset(&b, 0, sizeof(b));
}

static inline void
finish(void)
{
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	cluster_free(&c);
}

/* The initiator's resume, on the way to whichever server. */
static inline void
resume_of(struct blob *resume)
{
	if (i->state == HF__OPEN)
		assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	take(resume, i);
}

/* A server hears that, and does what it can. */
static inline enum hf_err
hear(struct end *end, int server, const struct blob *message)
{
	enum hf_err e;

	end_make(end, &c, server);
	e = give(end->s, message->bytes, message->len);
	while (e == HF_OK && end_step(&c, end, &e))
		;
	return e;
}

static inline void
assert_said(struct end *end, const uint8_t *alert, size_t len)
{
	struct hf_span out = hf_session_output(end->s);

	assert_int_equal(out.len, len);
	assert_memory_equal(out.ptr, alert, len);
}

/* Refused so that a handshake may follow: nothing is left of it. */
static inline void
assert_refused(struct end *end, enum hf_err why, const uint8_t *alert)
{
	assert_err(hf_session_refused(end->s), why);
	assert_int_equal(end->s->state, HF__R_START);
	assert_null(end->s->move);
	assert_int_equal(hf_session_id(end->s).len, 0);
	assert_string_equal(end->s->name, "");
	assert_string_equal(end->s->subject, "");
	assert_true(sodium_is_zero((const uint8_t *)&end->s->secrets,
	    sizeof(end->s->secrets)));
	assert_true(sodium_is_zero((const uint8_t *)&end->s->send,
	    sizeof(end->s->send)));
	assert_true(sodium_is_zero((const uint8_t *)&end->s->recv,
	    sizeof(end->s->recv)));
	assert_said(end, alert, 3);
}

/* Refused for good. */
static inline void
assert_failed(struct end *end, enum hf_err e, enum hf_err why)
{
	assert_err(e, why);
	assert_int_equal(end->s->state, HF__FAILED);
	assert_null(end->s->move);
	assert_said(end, refused_alert, 3);
}

#endif
