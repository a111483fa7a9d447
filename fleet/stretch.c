/* SPDX-License-Identifier: ISC */
/*
 * A password stretched for a link that wants it, in a thread of the loop's
 * pool: Argon2id takes its time. The responder's certificate says for which
 * realm, and at what cost. Where the password comes from it does not know.
 */
#include <sodium.h>
#include <stdlib.h>

#include "fleet.h"

struct hf_stretch {
	uv_work_t work;
	struct hf_link *link; /* NULL: nobody waits */
	struct hf_stretch **place;
	const char *user;
	struct hf_span password;
	struct hf_name realm;
	unsigned mib, passes;
	enum hf_err err;
	uint8_t key[HF_KEY_BYTES];
};

static void
work(uv_work_t *req)
{
	struct hf_stretch *s = req->data;

	s->err = hf_password_stretch(s->key, (const char *)s->password.ptr,
	    s->password.len, s->realm.text, s->user, s->mib, s->passes);
}

static void
worked(uv_work_t *req, int status)
{
	struct hf_stretch *s = req->data;
	struct hf_link *link = s->link;

	*s->place = NULL;
	if (link != NULL && (status != 0 || s->err != HF_OK))
		hf_link_trust(link, status != 0 ? HF_E_MEMORY : s->err);
	else if (link != NULL)
		hf_link_stretched(link, s->key);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

static enum hf_err
prepare(struct hf_stretch *s, struct hf_link *link)
{
	struct hf_cert_info *info;
	struct hf_peer peer;
	enum hf_err e;

	if ((info = malloc(sizeof(*info))) == NULL)
		return HF_E_MEMORY;
	if ((e = hf_session_peer(&peer, hf_link_session(link))) == HF_OK)
		e = hf_cert_read(info, peer.cert.ptr, peer.cert.len);
	if (e == HF_OK && info->realm.len == 0)
		e = HF_E_TOKEN;
	if (e == HF_OK) {
		s->realm = info->realm;
		s->mib = info->cost_mib;
		s->passes = info->cost_passes;
	}
	free(info);
	return e;
}

void
hf_stretch_begin(struct hf_stretch **place, uv_loop_t *loop,
    struct hf_link *link, const char *user, const char *password, size_t len)
{
	struct hf_stretch *s;
	enum hf_err e = HF_E_MEMORY;

	/* The one before is at work still. Two in one place could not both be
	 * forgotten when their links go. */
	if (*place != NULL) {
		hf_link_trust(link, HF_E_GONE);
		return;
	}
	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (e = prepare(s, link)) != HF_OK)
		goto bad;
	s->link = link;
	s->place = place;
	s->user = user;
	s->password = (struct hf_span){ (const uint8_t *)password, len };
	s->work.data = s;
	e = HF_E_MEMORY;
	if (uv_queue_work(loop, &s->work, work, worked) != 0)
		goto bad;
	*place = s;
	return;
bad:
	free(s);
	hf_link_trust(link, e);
}

void
hf_stretch_forget(struct hf_stretch *s)
{
	if (s != NULL)
		s->link = NULL;
}
