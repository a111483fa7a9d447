/* SPDX-License-Identifier: ISC */
/*
 * The fields that several messages share: the opening with type and version,
 * cookies, chains and the extension map (spec sections 4 and 16); and what a
 * session keeps of them.
 */
#include <string.h>

#include "session.h"

enum { EXTENSION_DISPATCHED = 1, EXTENSION_CHANNELS = 2 };

/* hello, offer, request, grant and resume carry the version. */
static bool
versioned(enum hf__type type)
{
	return type == HF__HELLO || type == HF__OFFER || type == HF__REQUEST ||
	    type == HF__GRANT || type == HF__RESUME;
}

void
hf__read_open(struct hf__reader *r, enum hf__type type, size_t fields)
{
	size_t n = hf__read_list(r, 2, 11);

	if (hf__read_uint(r, HF__RECORD) != type)
		hf__read_fail(r, HF_E_SHAPE);
	if (versioned(type) && r->err == HF_OK &&
	    hf__read_uint(r, UINT64_MAX) != HF_VERSION_PROTOCOL)
		hf__read_fail(r, HF_E_VERSION);
	if (n != fields)
		hf__read_fail(r, HF_E_SHAPE);
}

void
hf__write_open(struct hf__writer *w, enum hf__type type, size_t fields)
{
	hf__write_list(w, fields);
	hf__write_uint(w, type);
	if (versioned(type))
		hf__write_uint(w, HF_VERSION_PROTOCOL);
}

struct hf_span
hf__read_cookie(struct hf__reader *r)
{
	return hf__read_bytes_or_null(r, 1, HF__COOKIE_MAX);
}

void
hf__write_cookie(struct hf__writer *w, const struct hf__handshake *hs)
{
	if (hs->cookie_len == 0)
		hf__write_null(w);
	else
		hf__write_bytes(w, hs->cookie, hs->cookie_len);
}

void
hf__read_chain(struct hf__reader *r, struct hf_span chain[HF_CHAIN_MAX],
    size_t *n)
{
	size_t i;

	*n = hf__read_list(r, 1, HF_CHAIN_MAX);
	for (i = 0; i < *n; i++)
		chain[i] = hf__read_bytes(r, 1, HF_CERT_MAX);
	if (r->err != HF_OK)
		*n = 0;
}

void
hf__read_chain_or_null(struct hf__reader *r,
    struct hf_span chain[HF_CHAIN_MAX], size_t *n)
{
	enum { CBOR_NULL = 0xf6 };

	*n = 0;
	if (r->err == HF_OK && r->off < r->len && r->ptr[r->off] == CBOR_NULL)
		(void)hf__read_bytes_or_null(r, 0, 0);
	else
		hf__read_chain(r, chain, n);
}

void
hf__write_chain(struct hf__writer *w, const struct hf_span *chain, size_t n)
{
	size_t i;

	hf__write_list(w, n);
	for (i = 0; i < n; i++)
		hf__write_bytes(w, chain[i].ptr, chain[i].len);
}

/* Those below zero that are not known refuse, the others are passed over. */
unsigned
hf__read_extensions(struct hf__reader *r)
{
	struct hf__key_order order = { 0 };
	size_t i, n = hf__read_map(r, 0, HF_EXTENSIONS_MAX);
	unsigned known = 0;

	for (i = 0; i < n && r->err == HF_OK; i++) {
		int64_t key = hf__read_key(r, &order);

		(void)hf__read_bytes(r, 0, HF__EXTENSION_VALUE_MAX);
		if (key < 0)
			hf__read_fail(r, HF_E_EXTENSION);
		else if (key == EXTENSION_DISPATCHED)
			known |= HF__EXT_DISPATCHED;
		else if (key == EXTENSION_CHANNELS)
			known |= HF__EXT_CHANNELS;
	}
	return known;
}

static void
write_grease(struct hf__writer *w)
{
	uint8_t random[11];

	randombytes_buf(random, sizeof(random));
	hf__write_uint(w, 65536U + (random[0] << 8 | random[1]));
	hf__write_bytes(w, random + 3, 1 + (random[2] & 7));
}

void
hf__write_extensions(struct hf__writer *w, unsigned known, bool grease)
{
	bool dispatched = (known & HF__EXT_DISPATCHED) != 0;
	bool channels = (known & HF__EXT_CHANNELS) != 0;

	hf__write_map(w, (size_t)dispatched + channels + grease);
	if (dispatched) {
		hf__write_uint(w, EXTENSION_DISPATCHED);
		hf__write_bytes(w, "", 0);
	}
	if (channels) {
		hf__write_uint(w, EXTENSION_CHANNELS);
		hf__write_bytes(w, "", 0);
	}
	if (grease)
		write_grease(w);
}

void
hf__write_first_extensions(struct hf__writer *w, const struct hf_config *c,
    bool channels)
{
	hf__write_extensions(w,
	    (c->dispatched ? HF__EXT_DISPATCHED : 0U) |
		(channels ? HF__EXT_CHANNELS : 0U),
	    c->grease);
}

enum hf_err
hf__set_target(struct hf_session *s, struct hf_span target)
{
	if (target.len > HF_TARGET_MAX)
		return HF_E_SHAPE;
	if (target.len > 0)
		memcpy(s->target, target.ptr, target.len);
	s->target[target.len] = '\0';
	s->target_len = target.len;
	return HF_OK;
}

void
hf__set_name(struct hf_session *s, struct hf_span name)
{
	if (name.len > HF_NAME_MAX)
		return;
	if (name.len > 0)
		memcpy(s->name, name.ptr, name.len);
	s->name[name.len] = '\0';
	memcpy(s->subject, s->name, name.len + 1);
}

enum hf_err
hf__set_peer_cert(struct hf_session *s, const struct hf__cert *leaf)
{
	struct hf_span whole = leaf->cose.whole;
	uint8_t *made = hf__part_new(s, HF__PART_CERT, whole.len);

	if (made == NULL) /* and all is as it was */
		return HF_E_MEMORY;
	/* That of the session before, or of the server before; in the
	 * caller's memory both have one place. */
	hf__part_free(s, s->peer_cert_copy, s->peer_cert.len);
	memcpy(made, whole.ptr, whole.len);
	whole.ptr = made;
	s->peer_cert_copy = made;
	s->peer_cert = whole;
	memcpy(s->origin, leaf->origin, sizeof(s->origin));
	s->origin_n = leaf->origin_n;
	s->peer_not_after = leaf->chain_not_after;
	hf__set_name(s, leaf->subject);
	return HF_OK;
}

void
hf__peer_keep(struct hf__peer *kept, struct hf_session *s)
{
	kept->cert = s->peer_cert;
	kept->copy = s->peer_cert_copy;
	memcpy(kept->origin, s->origin, sizeof(kept->origin));
	kept->origin_n = s->origin_n;
	kept->not_after = s->peer_not_after;
	memcpy(kept->name, s->name, sizeof(kept->name));
	s->peer_cert = (struct hf_span){ NULL, 0 };
	s->peer_cert_copy = NULL;
}

void
hf__peer_restore(struct hf_session *s, struct hf__peer *kept)
{
	if (kept->cert.ptr == NULL)
		return;
	hf__part_free(s, s->peer_cert_copy, s->peer_cert.len);
	s->peer_cert = kept->cert;
	s->peer_cert_copy = kept->copy;
	memcpy(s->origin, kept->origin, sizeof(s->origin));
	s->origin_n = kept->origin_n;
	s->peer_not_after = kept->not_after;
	hf__set_name(s,
	    (struct hf_span){ (const uint8_t *)kept->name,
		strlen(kept->name) });
	*kept = (struct hf__peer){ 0 };
}

void
hf__key_id(uint8_t id[HF__KEY_ID_BYTES], struct hf_span leaf)
{
	uint8_t hash[32];

	hf__hash(hash, leaf.ptr, leaf.len);
	memcpy(id, hash, HF__KEY_ID_BYTES);
}

void
hf__request_info_hash(uint8_t hash[32], const struct hf__hpke_base *base,
    const uint8_t th0[32])
{
	static const char label[] = "handfast/1 request";
	uint8_t info[sizeof(label) - 1 + 32];

	memcpy(info, label, sizeof(label) - 1);
	memcpy(info + sizeof(label) - 1, th0, 32);
	hf__hpke_info_hash(hash, base, info, sizeof(info));
}
