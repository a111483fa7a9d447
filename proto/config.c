/* SPDX-License-Identifier: ISC */
/*
 * Configurations: what all sessions of one role share. Setters check what can
 * be checked without a peer; what follows from a certificate alone is
 * computed here once.
 */
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum {
	DEADLINE_MS = 10000,
	TOLERANCE = 120,
	TOLERANCE_MAX = 86400,
	LIFETIME = 86400
};

enum hf_err
hf_config_new(struct hf_config **config, enum hf_role role)
{
	struct hf_config *c;

	if (config == NULL || (role != HF_INITIATOR && role != HF_RESPONDER))
		return HF_E_ARG;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return HF_E_MEMORY;
	c->role = role;
	c->deadline_ms = DEADLINE_MS;
	c->tolerance = TOLERANCE;
	c->lifetime = LIFETIME;
	if (role == HF_RESPONDER) {
		c->accept = HF_METHOD_CERTIFICATE;
		c->method = HF_METHOD_CERTIFICATE; /* its own, always */
	}
	c->suites_n = hf__suite_defaults(c->suites);
	randombytes_buf(c->cookie_key, sizeof(c->cookie_key));
	hf__cache_init(&c->cache);
	hf__hpke_base_init(&c->hpke);
	*config = c;
	return HF_OK;
}

static void
chain_free(struct hf__chain *chain)
{
	free(chain->bytes);
	*chain = (struct hf__chain){ 0 };
}

static void
ticket_free(struct hf_config *c)
{
	sodium_free(c->ticket);
	c->ticket = NULL;
	c->ticket_len = 0;
}

void
hf_config_free(struct hf_config *c)
{
	if (c == NULL)
		return;
	chain_free(&c->own);
	chain_free(&c->responder);
	ticket_free(c);
	sodium_memzero(c, sizeof(*c));
	free(c);
}

/* --- chains ----------------------------------------------------------------------- */

static enum hf_err
chain_copy(struct hf__chain *out, const struct hf_span *chain, size_t n)
{
	size_t i, len = 0;
	uint8_t *p;

	if (chain == NULL || n == 0 || n > HF_CHAIN_MAX)
		return HF_E_ARG;
	for (i = 0; i < n; i++) {
		if (chain[i].ptr == NULL || chain[i].len == 0 ||
		    chain[i].len > HF_CERT_MAX)
			return HF_E_ARG;
		len += chain[i].len;
	}
	if ((out->bytes = malloc(len)) == NULL)
		return HF_E_MEMORY;
	for (i = 0, p = out->bytes; i < n; p += chain[i++].len) {
		memcpy(p, chain[i].ptr, chain[i].len);
		out->cert[i] = (struct hf_span){ p, chain[i].len };
	}
	out->n = n;
	return HF_OK;
}

/* Key id, th0 and info hash of a request without hello to this leaf. */
static void
know(struct hf_config *c, struct hf_span leaf)
{
	static const struct hf_span none = { NULL, 0 };
	const struct hf_span parts[] = { none, none, leaf };

	hf__key_id(c->known.key_id, leaf);
	hf__transcript(c->known.th0, parts, HF__ARRAY_N(parts));
	hf__request_info_hash(c->known.info_hash, &c->hpke, c->known.th0);
}

static enum hf_err
own_fits(const struct hf_config *c, const struct hf_identity *id,
    const struct hf__cert *leaf)
{
	unsigned usage =
	    c->role == HF_RESPONDER ? HF_USAGE_RESPONDER : HF_USAGE_INITIATOR;
	size_t i;

	if ((leaf->usage & usage) == 0 ||
	    sodium_memcmp(leaf->key.ptr, id->kem.pk, 32) != 0)
		return HF_E_OWN_CERT;
	for (i = 0; c->role == HF_RESPONDER && i < leaf->suites_n; i++)
		if (hf__suite_find(leaf->suites[i]) == NULL)
			return HF_E_UNSUPPORTED;
	return HF_OK;
}

enum hf_err
hf_config_identity(struct hf_config *c, const struct hf_identity *id,
    const struct hf_span *chain, size_t n)
{
	struct hf__chain copy = { 0 };
	struct hf__cert leaf;
	enum hf_err e;

	if (c == NULL || id == NULL)
		return HF_E_ARG;
	if ((e = chain_copy(&copy, chain, n)) != HF_OK)
		return e;
	if ((e = hf__cert_parse(&leaf, copy.cert[0].ptr, copy.cert[0].len)) !=
		HF_OK ||
	    (e = own_fits(c, id, &leaf)) != HF_OK) {
		chain_free(&copy);
		return e;
	}
	chain_free(&c->own);
	c->own = copy;
	c->own_leaf = leaf;
	c->id = id;
	c->method = HF_METHOD_CERTIFICATE;
	if (c->role == HF_RESPONDER)
		know(c, copy.cert[0]);
	return HF_OK;
}

enum hf_err
hf_config_responder(struct hf_config *c, const struct hf_span *chain, size_t n)
{
	struct hf__chain copy = { 0 };
	enum hf_err e;

	if (c == NULL || c->role != HF_INITIATOR)
		return HF_E_ARG;
	if (n > 0 && (e = chain_copy(&copy, chain, n)) != HF_OK)
		return e;
	chain_free(&c->responder);
	c->responder = copy;
	if (n > 0)
		know(c, copy.cert[0]);
	return HF_OK;
}

/* --- the rest ---------------------------------------------------------------------- */

enum hf_err
hf_config_trust(struct hf_config *c, const struct hf_trust *trust)
{
	if (c == NULL || trust == NULL)
		return HF_E_ARG;
	c->trust = trust;
	return HF_OK;
}

enum hf_err
hf_config_suites(struct hf_config *c, const uint16_t *suites, size_t n)
{
	size_t i;

	if (c == NULL || c->role != HF_INITIATOR || suites == NULL || n == 0 ||
	    n > HF_SUITES_MAX)
		return HF_E_ARG;
	for (i = 0; i < n; i++)
		if (hf__suite_find(suites[i]) == NULL)
			return HF_E_UNSUPPORTED;
	memcpy(c->suites, suites, n * sizeof(*suites));
	c->suites_n = n;
	return HF_OK;
}

enum hf_err
hf_config_deadline(struct hf_config *c, uint32_t ms)
{
	if (c == NULL || ms == 0)
		return HF_E_ARG;
	c->deadline_ms = ms;
	return HF_OK;
}

enum hf_err
hf_config_grease(struct hf_config *c, int on)
{
	if (c == NULL)
		return HF_E_ARG;
	c->grease = on != 0;
	return HF_OK;
}

/* An empty name is none; controls and bad UTF-8 are refused. */
static enum hf_err
set_name(struct hf_name *name, const char *text, size_t max)
{
	size_t len;

	if (text == NULL || (len = strlen(text)) > max ||
	    !hf__text_ok((const uint8_t *)text, len))
		return HF_E_ARG;
	memcpy(name->text, text, len + 1);
	name->len = len;
	return HF_OK;
}

enum hf_err
hf_config_expect(struct hf_config *c, const char *name)
{
	if (c == NULL || c->role != HF_INITIATOR)
		return HF_E_ARG;
	return set_name(&c->expect, name, HF_NAME_MAX);
}

enum hf_err
hf_config_realm(struct hf_config *c, const char *realm)
{
	if (c == NULL || c->role != HF_INITIATOR || realm == NULL ||
	    !hf__realm_ok((const uint8_t *)realm, strlen(realm)))
		return HF_E_ARG;
	return set_name(&c->realm, realm, HF_NAME_MAX);
}

enum hf_err
hf_config_target(struct hf_config *c, const char *target)
{
	if (c == NULL || c->role != HF_INITIATOR)
		return HF_E_ARG;
	return set_name(&c->target, target, HF_TARGET_MAX);
}

enum hf_err
hf_config_user(struct hf_config *c, const char *user, enum hf_method method)
{
	enum hf_err e;

	if (c == NULL || c->role != HF_INITIATOR || user == NULL ||
	    (method != HF_METHOD_PASSWORD &&
		method != HF_METHOD_PLAIN_PASSWORD))
		return HF_E_ARG;
	if ((e = hf_user_check(user, strlen(user))) != HF_OK)
		return e;
	memcpy(c->user, user, strlen(user) + 1);
	c->method = method;
	return HF_OK;
}

enum hf_err
hf_config_without_prekey(struct hf_config *c, int on)
{
	if (c == NULL || c->role != HF_INITIATOR)
		return HF_E_ARG;
	c->without_prekey = on != 0;
	return HF_OK;
}

enum hf_err
hf_config_ticket(struct hf_config *c, const uint8_t *file, size_t len)
{
	struct hf__ticket_file views;
	uint8_t *copy;
	enum hf_err e;

	if (c == NULL || c->role != HF_INITIATOR || file == NULL || len == 0)
		return HF_E_ARG;
	if ((e = hf__ticket_file_read(&views, file, len)) != HF_OK)
		return e;
	if ((copy = sodium_malloc(len)) == NULL) /* it has a private key */
		return HF_E_MEMORY;
	memcpy(copy, file, len);
	ticket_free(c);
	c->ticket = copy;
	c->ticket_len = len;
	c->method = HF_METHOD_TICKET;
	memcpy(c->audience.text, views.audience.ptr, views.audience.len);
	c->audience.text[views.audience.len] = '\0';
	c->audience.len = views.audience.len;
	return hf__ticket_file_read(&c->ticket_file, copy, len);
}

enum hf_err
hf_config_accept(struct hf_config *c, unsigned methods)
{
	const unsigned all = HF_METHOD_CERTIFICATE | HF_METHOD_PASSWORD |
	    HF_METHOD_PLAIN_PASSWORD | HF_METHOD_TICKET;

	if (c == NULL || c->role != HF_RESPONDER || methods == 0 ||
	    (methods & ~all) != 0)
		return HF_E_ARG;
	c->accept = methods;
	return HF_OK;
}

enum hf_err
hf_config_ring(struct hf_config *c, const struct hf_ring *ring)
{
	if (c == NULL || c->role != HF_RESPONDER || ring == NULL)
		return HF_E_ARG;
	c->ring = ring;
	return HF_OK;
}

enum hf_err
hf_config_cookie_key(struct hf_config *c, const uint8_t key[HF_KEY_BYTES])
{
	if (c == NULL || c->role != HF_RESPONDER || key == NULL)
		return HF_E_ARG;
	memcpy(c->cookie_key, key, HF_KEY_BYTES);
	return HF_OK;
}

enum hf_err
hf_config_tolerance(struct hf_config *c, uint32_t seconds)
{
	if (c == NULL || c->role != HF_RESPONDER || seconds > TOLERANCE_MAX)
		return HF_E_ARG;
	c->tolerance = seconds;
	return HF_OK;
}

enum hf_err
hf_config_lifetime(struct hf_config *c, uint32_t seconds)
{
	if (c == NULL || c->role != HF_RESPONDER || seconds == 0)
		return HF_E_ARG;
	c->lifetime = seconds;
	return HF_OK;
}

enum hf_err
hf_config_vault(struct hf_config *c, const struct hf_vault *vault,
    enum hf_mobility mobility)
{
	const struct hf__cert *own;

	if (c == NULL || c->role != HF_RESPONDER || vault == NULL ||
	    (mobility != HF_MOVES_SOFT && mobility != HF_MOVES_PROVED))
		return HF_E_ARG;
	own = &c->own_leaf;
	if (c->own.n == 0 || (own->usage & HF_USAGE_SERVER) == 0 ||
	    own->cluster.len != vault->cluster.len ||
	    !hf__same(own->cluster.ptr, vault->cluster.text, own->cluster.len))
		return HF_E_OWN_CERT;
	c->vault = vault;
	c->mobility = mobility;
	return HF_OK;
}

enum hf_err
hf_config_refresh(struct hf_config *c, int on)
{
	if (c == NULL)
		return HF_E_ARG;
	c->no_refresh = on == 0;
	return HF_OK;
}

enum hf_err
hf_config_release_by_hand(struct hf_config *c, int on)
{
	if (c == NULL)
		return HF_E_ARG;
	c->by_hand = on != 0;
	return HF_OK;
}

enum hf_err
hf_config_fallback(struct hf_config *c, int on)
{
	if (c == NULL || c->role != HF_INITIATOR)
		return HF_E_ARG;
	c->no_fallback = on == 0;
	return HF_OK;
}

enum hf_err
hf_config_dispatched(struct hf_config *c, int on)
{
	if (c == NULL || c->role != HF_INITIATOR)
		return HF_E_ARG;
	c->dispatched = on != 0;
	return HF_OK;
}

enum hf_err
hf_config_channels(struct hf_config *c, int on)
{
	if (c == NULL)
		return HF_E_ARG;
	c->channels = on != 0;
	return HF_OK;
}

enum hf_err
hf_config_cache(struct hf_config *c, int on)
{
	if (c == NULL)
		return HF_E_ARG;
	c->cache_off = on == 0;
	return HF_OK;
}

uint64_t
hf_config_cache_hits(const struct hf_config *c)
{
	return c->cache.hits;
}

struct hf__cache *
hf__config_cache(struct hf_config *c)
{
	return c->cache_off ? NULL : &c->cache;
}

const char *
hf__config_expected(const struct hf_config *c)
{
	if (c->expect.len > 0)
		return c->expect.text;
	return c->method == HF_METHOD_TICKET ? c->audience.text : NULL;
}
