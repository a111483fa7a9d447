/* SPDX-License-Identifier: ISC */
/*
 * hello and retry (spec sections 4.1 and 4.3): the first words of an initiator
 * that does not know the responder's certificate or wants a prekey, and a busy
 * responder's request to show a cookie first.
 */
#include <string.h>

#include "session.h"

enum { HELLO_FIELDS = 6, RETRY_FIELDS = 2 };

enum hf_err
hf__hello_build(struct hf_session *s)
{
	const struct hf_config *c = s->config;
	struct hf__handshake *hs = s->hs;
	struct hf__writer w;
	uint8_t *room;
	size_t i;

	hf__write_init(&w, hs->hello, sizeof(hs->hello));
	hf__write_open(&w, HF__HELLO, HELLO_FIELDS);
	hf__write_list(&w, c->suites_n);
	for (i = 0; i < c->suites_n; i++)
		hf__write_uint(&w, c->suites[i]);
	hf__write_text(&w, s->target, s->target_len);
	hf__write_cookie(&w, hs);
	hf__write_first_extensions(&w, c, c->channels);
	if (w.err != HF_OK)
		return w.err;
	if ((room = hf__buffer_room(&s->out, w.len)) == NULL)
		return HF_E_MEMORY;
	memcpy(room, hs->hello, w.len);
	s->out.len += w.len;
	hs->hello_len = w.len;
	s->spoken = true;
	return HF_OK;
}

enum hf_err
hf__hello_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	const struct hf__cert *own = &s->config->own_leaf;
	struct hf__outer outer = { .type = HF__HELLO, .message = message };
	uint16_t suites[HF_SUITES_MAX];
	struct hf_span cookie;
	struct hf__reader r;
	enum hf_err e;
	size_t i, n;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__HELLO, HELLO_FIELDS);
	n = hf__read_list(&r, 1, HF_SUITES_MAX);
	for (i = 0; i < n; i++)
		suites[i] = (uint16_t)hf__read_uint(&r, UINT16_MAX);
	outer.target = hf__read_text(&r, 0, HF_TARGET_MAX);
	cookie = hf__read_cookie(&r);
	(void)hf__read_extensions(&r);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	outer.suite = hf__suite_common(suites, n, own->suites, own->suites_n);
	if (outer.suite == NULL)
		return HF_E_SUITE;
	if ((e = hf__set_target(s, outer.target)) != HF_OK)
		return e;
	s->hs->cookie_shown = hf__cookie_valid(cookie, s->config->cookie_key,
	    HF__HELLO, (struct hf_span){ s->source, s->source_len }, s->now);
	s->hs->outer = outer;
	*next = HF__R_ADMIT;
	return HF_OK;
}

enum hf_err
hf__retry_build(struct hf_session *s)
{
	uint8_t cookie[HF__COOKIE_BYTES];
	struct hf__writer w;
	uint8_t *room;

	hf__cookie_make(cookie, s->config->cookie_key, s->hs->outer.type,
	    (struct hf_span){ s->source, s->source_len }, s->now);
	if ((room = hf__buffer_room(&s->out, HF__COOKIE_BYTES + 8)) == NULL)
		return HF_E_MEMORY;
	hf__write_init(&w, room, HF__COOKIE_BYTES + 8);
	hf__write_open(&w, HF__RETRY, RETRY_FIELDS);
	hf__write_bytes(&w, cookie, sizeof(cookie));
	if (w.err != HF_OK)
		return w.err;
	s->out.len += w.len;
	s->hs->retried = true;
	s->spoken = true;
	return HF_OK;
}

/* Obeyed once: what is sent again is made anew, with the cookie. */
enum hf_err
hf__retry_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	struct hf__handshake *hs = s->hs;
	struct hf_span cookie;
	struct hf__reader r;
	enum hf_err e;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__RETRY, RETRY_FIELDS);
	cookie = hf__read_bytes(&r, 1, HF__COOKIE_MAX);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	if (hs->retried)
		return HF_E_UNEXPECTED;
	hs->retried = true;
	memcpy(hs->cookie, cookie.ptr, cookie.len);
	hs->cookie_len = cookie.len;
	switch (*next) {
	case HF__I_HELLO_SENT:
		return hf__hello_build(s);
	case HF__I_RESUME_SENT:
		return hf__resume_build(s);
	default:
		return hf__request_build(s);
	}
}
