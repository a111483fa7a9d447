/* SPDX-License-Identifier: ISC */
/*
 * Whom to believe: self-signed authorities, intermediate ones known
 * beforehand, and their revocation lists; and the verification of chains
 * against them (spec sections 5.4 and 5.5). A chain is judged from the leaf
 * outward, each certificate in the same order of questions, and the first
 * that fails is the answer. It knows no clock: the time is told.
 */
#include <stdlib.h>
#include <string.h>

#include "cert.h"

enum { HELD_MAX = 64, ID_STRIDE = 1 + HF_CTI_BYTES };

struct authority {
	uint8_t *bytes; /* cert's views point there */
	struct hf__cert cert;
};

struct list {
	uint8_t *bytes;
	size_t len;
	struct hf_list_info info;
	uint8_t key[HF_KEY_BYTES]; /* that verified it */
};

struct hf_trust {
	struct authority *anchor, *issuer;
	size_t anchor_n, issuer_n;
	struct list *list;
	size_t list_n;
};

/* One verification under way: link[0] is the leaf. */
struct walk {
	const struct hf_trust *trust;
	struct hf__cache *cache;
	const struct hf_span *chain;
	struct hf__cert *link[HF_CHAIN_MAX];
	size_t n;
	uint64_t now;
};

enum hf_err
hf_trust_new(struct hf_trust **trust)
{
	*trust = calloc(1, sizeof(**trust));
	return *trust == NULL ? HF_E_MEMORY : HF_OK;
}

static void
free_authorities(struct authority *a, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(a[i].bytes);
	free(a);
}

void
hf_trust_free(struct hf_trust *trust)
{
	size_t i;

	if (trust == NULL)
		return;
	free_authorities(trust->anchor, trust->anchor_n);
	free_authorities(trust->issuer, trust->issuer_n);
	for (i = 0; i < trust->list_n; i++)
		free(trust->list[i].bytes);
	free(trust->list);
	free(trust);
}

/* --- the cache of verified signatures ------------------------------------- */

void
hf__cache_init(struct hf__cache *cache)
{
	memset(cache, 0, sizeof(*cache));
	randombytes_buf(cache->key, sizeof(cache->key));
}

static enum hf_err
cache_entry(uint8_t entry[32], const struct hf__cache *cache,
    const uint8_t pk[32], struct hf_span object)
{
	crypto_generichash_state st;

	if (crypto_generichash_init(&st, cache->key, sizeof(cache->key), 32) !=
		0 ||
	    crypto_generichash_update(&st, pk, 32) != 0 ||
	    crypto_generichash_update(&st, object.ptr, object.len) != 0 ||
	    crypto_generichash_final(&st, entry, 32) != 0)
		return HF_E_CRYPTO;
	return HF_OK;
}

/* Judges a certificate's signature, and its key where it is an authority's:
 * the two that cost much, and so are remembered together. */
static enum hf_err
verify(struct hf__cache *cache, const struct hf__cert *c, const uint8_t pk[32])
{
	uint8_t entry[32], *slot = NULL;
	enum hf_err e;

	if (cache != NULL) {
		if ((e = cache_entry(entry, cache, pk, c->cose.whole)) !=
		    HF_OK)
			return e;
		slot = cache->entry[entry[0] % HF__CACHE_N];
		if (sodium_memcmp(slot, entry, sizeof(entry)) == 0) {
			cache->hits++;
			return HF_OK;
		}
	}
	if ((e = hf__cert_verify(c, pk)) != HF_OK)
		return e;
	if (!hf__cert_key_ok(c))
		return HF_E_OBJECT;
	if (slot != NULL)
		memcpy(slot, entry, sizeof(entry));
	return HF_OK;
}

/* --- what is held --------------------------------------------------------- */

static enum hf_err
grow(void **array, size_t n, size_t size)
{
	void *more;

	if (n >= HELD_MAX)
		return HF_E_SPACE;
	if ((more = realloc(*array, (n + 1) * size)) == NULL)
		return HF_E_MEMORY;
	*array = more;
	return HF_OK;
}

static uint8_t *
copy_bytes(const uint8_t *bytes, size_t len)
{
	uint8_t *copy;

	if ((copy = malloc(len)) != NULL)
		memcpy(copy, bytes, len);
	return copy;
}

/* Holds a copy of a certificate that was judged; the same one only once. */
static enum hf_err
hold(struct authority **held, size_t *n, const uint8_t *cert, size_t len)
{
	struct authority *a;
	struct hf_span whole = { cert, len };
	void *array = *held;
	enum hf_err e;
	size_t i;

	for (i = 0; i < *n; i++)
		if (hf__span_equal((*held)[i].cert.cose.whole, whole))
			return HF_OK;
	if ((e = grow(&array, *n, sizeof(**held))) != HF_OK)
		return e;
	*held = array;
	a = &(*held)[*n];
	if ((a->bytes = copy_bytes(cert, len)) == NULL)
		return HF_E_MEMORY;
	if ((e = hf__cert_parse(&a->cert, a->bytes, len)) != HF_OK) {
		free(a->bytes);
		return e;
	}
	(*n)++;
	return HF_OK;
}

enum hf_err
hf_trust_add_ca(struct hf_trust *trust, const uint8_t *cert, size_t len)
{
	struct hf__cert c;
	enum hf_err e;

	if ((e = hf__cert_parse(&c, cert, len)) != HF_OK)
		return e;
	if (c.usage != HF_USAGE_CA)
		return HF_E_USAGE;
	if (!hf__span_equal(c.issuer, c.subject))
		return HF_E_ISSUER;
	if ((e = verify(NULL, &c, c.key.ptr)) != HF_OK)
		return e;
	return hold(&trust->anchor, &trust->anchor_n, cert, len);
}

static bool
is_anchor(const struct hf_trust *trust, struct hf_span name)
{
	size_t i;

	for (i = 0; i < trust->anchor_n; i++)
		if (hf__span_equal(trust->anchor[i].cert.subject, name))
			return true;
	return false;
}

/* The intermediate above a certificate: of those with its issuer's name, who
 * may have had several keys, the one that signed it; else the first, by which
 * it will be refused. */
static const struct authority *
find_above(const struct hf_trust *trust, const struct hf__cert *c)
{
	const struct authority *a, *first = NULL;
	size_t i;

	for (i = 0; i < trust->issuer_n; i++) {
		a = &trust->issuer[i];
		if (!hf__span_equal(a->cert.subject, c->issuer))
			continue;
		if (hf__cert_verify(c, a->cert.key.ptr) == HF_OK)
			return a;
		if (first == NULL)
			first = a;
	}
	return first;
}

enum hf_err
hf_trust_add_issuer(struct hf_trust *trust, const uint8_t *cert, size_t len,
    uint64_t now)
{
	struct hf_span chain[HF_CHAIN_MAX] = { { cert, len } };
	const struct authority *above;
	struct hf__cert c;
	enum hf_err e;
	size_t n = 1;

	if ((e = hf__cert_parse(&c, cert, len)) != HF_OK)
		return e;
	/* Those known already may stand between it and the anchors. */
	while (n < HF_CHAIN_MAX && !is_anchor(trust, c.issuer) &&
	    (above = find_above(trust, &c)) != NULL) {
		c = above->cert;
		chain[n++] = c.cose.whole;
	}
	if ((e = hf__chain_verify(&c, trust, NULL, chain, n, HF_USAGE_CA, NULL,
		 now)) != HF_OK)
		return e;
	return hold(&trust->issuer, &trust->issuer_n, cert, len);
}

/* The key that verifies the list, among authorities named as its issuer. */
static enum hf_err
list_key(const uint8_t **key, const struct hf_trust *trust,
    struct hf_span name, const struct hf__sign1 *cose)
{
	static const uint8_t label[] = HF__LABEL_LIST;
	const struct authority *a;
	enum hf_err e = HF_E_ISSUER;
	size_t i;

	for (i = 0; i < trust->anchor_n + trust->issuer_n; i++) {
		a = i < trust->anchor_n ? &trust->anchor[i] :
					  &trust->issuer[i - trust->anchor_n];
		if (!hf__span_equal(a->cert.subject, name))
			continue;
		*key = a->cert.key.ptr;
		e = hf__sign1_verify(cose, label, sizeof(label) - 1, *key);
		if (e != HF_E_SIGNATURE)
			break;
	}
	return e;
}

static bool
list_is_by(const struct list *l, struct hf_span name, const uint8_t *key)
{
	return hf__same(l->key, key, sizeof(l->key)) &&
	    l->info.issuer.len == name.len &&
	    hf__same(l->info.issuer.text, name.ptr, name.len);
}

static struct list *
find_list(const struct hf_trust *trust, struct hf_span name,
    const uint8_t *key)
{
	size_t i;

	for (i = 0; i < trust->list_n; i++)
		if (list_is_by(&trust->list[i], name, key))
			return &trust->list[i];
	return NULL;
}

/* A slot for the list: a new one, or that of an older list. */
static enum hf_err
list_slot(struct list **slot, struct hf_trust *trust, struct hf_span name,
    const uint8_t *key, uint64_t number)
{
	void *array = trust->list;
	enum hf_err e;

	if ((*slot = find_list(trust, name, key)) != NULL)
		return number > (*slot)->info.number ? HF_OK : HF_E_STALE_LIST;
	if ((e = grow(&array, trust->list_n, sizeof(**slot))) != HF_OK)
		return e;
	trust->list = array;
	*slot = &trust->list[trust->list_n];
	**slot = (struct list){ 0 };
	return HF_OK;
}

enum hf_err
hf_trust_add_list(struct hf_trust *trust, const uint8_t *bytes, size_t len)
{
	struct hf_list_info info;
	struct hf__sign1 cose;
	struct hf_span name;
	struct list *slot, *held;
	const uint8_t *key = NULL;
	uint8_t *copy;
	enum hf_err e;

	if ((e = hf_list_read(&info, bytes, len)) != HF_OK ||
	    (e = hf__sign1_read(&cose, bytes, len)) != HF_OK)
		return e;
	name = (struct hf_span){ (const uint8_t *)info.issuer.text,
		info.issuer.len };
	if ((e = list_key(&key, trust, name, &cose)) != HF_OK)
		return e;
	held = find_list(trust, name, key);
	if (held != NULL &&
	    hf__span_equal((struct hf_span){ held->bytes, held->len },
		(struct hf_span){ bytes, len }))
		return HF_OK;
	if ((e = list_slot(&slot, trust, name, key, info.number)) != HF_OK)
		return e;
	if ((copy = copy_bytes(bytes, len)) == NULL)
		return HF_E_MEMORY;
	info.ids.ptr = copy + (info.ids.ptr - bytes);
	if (slot->bytes == NULL)
		trust->list_n++;
	free(slot->bytes);
	slot->bytes = copy;
	slot->len = len;
	slot->info = info;
	memcpy(slot->key, key, sizeof(slot->key));
	return HF_OK;
}

enum hf_err
hf_trust_supersedes(const struct hf_trust *trust,
    const struct hf_trust *before)
{
	const struct list *old, *held;
	size_t i;

	if (trust == NULL || before == NULL)
		return HF_E_ARG;
	for (i = 0; i < before->list_n; i++) {
		old = &before->list[i];
		held = find_list(trust,
		    (struct hf_span){ (const uint8_t *)old->info.issuer.text,
			old->info.issuer.len },
		    old->key);
		if (held != NULL && held->info.number <= old->info.number &&
		    !hf__span_equal((struct hf_span){ held->bytes, held->len },
			(struct hf_span){ old->bytes, old->len }))
			return HF_E_STALE_LIST;
	}
	return HF_OK;
}

/* --- chains ---------------------------------------------------------------- */

static enum hf_err
judge_times(const struct hf__cert *c, uint64_t now)
{
	if (now < c->not_before)
		return HF_E_NOT_YET;
	return now >= c->not_after ? HF_E_EXPIRED : HF_OK;
}

/*
 * The anchor that signed the outermost certificate. Several may have its
 * name: the first that is valid now, else the first.
 */
static enum hf_err
find_anchor(const struct hf__cert **issuer, const struct walk *w,
    const struct hf__cert *c)
{
	const struct hf__cert *anchor;
	enum hf_err e, result = HF_E_ISSUER;
	size_t i;

	*issuer = NULL;
	for (i = 0; i < w->trust->anchor_n; i++) {
		anchor = &w->trust->anchor[i].cert;
		if (!hf__span_equal(anchor->subject, c->issuer))
			continue;
		e = verify(w->cache, c, anchor->key.ptr);
		if (e != HF_OK && e != HF_E_SIGNATURE)
			return e;
		if (e != HF_OK)
			result = e;
		else if (*issuer == NULL ||
		    (judge_times(*issuer, w->now) != HF_OK &&
			judge_times(anchor, w->now) == HF_OK))
			*issuer = anchor;
	}
	return *issuer != NULL ? HF_OK : result;
}

static enum hf_err
find_issuer(const struct hf__cert **issuer, const struct walk *w, size_t i)
{
	const struct hf__cert *c = w->link[i];
	struct hf__cert *next;
	enum hf_err e;

	/* Only anchors issue themselves, and no chain carries its anchor. */
	if (hf__span_equal(c->issuer, c->subject))
		return HF_E_ISSUER;
	if (i + 1 == w->n)
		return find_anchor(issuer, w, c);
	next = w->link[i + 1];
	if ((e = hf__cert_parse(next, w->chain[i + 1].ptr,
		 w->chain[i + 1].len)) != HF_OK)
		return e;
	if (!hf__span_equal(next->subject, c->issuer))
		return HF_E_ISSUER;
	if (next->usage != HF_USAGE_CA)
		return HF_E_USAGE;
	*issuer = next;
	return verify(w->cache, c, next->key.ptr);
}

/* Ids lie sorted, at equal distances, each after its head. */
static bool
is_listed(const struct hf_list_info *info, const uint8_t *cti)
{
	size_t low = 0, high = info->n, mid;
	const uint8_t *id;
	int order;

	while (low < high) {
		mid = low + (high - low) / 2;
		id = info->ids.ptr + mid * ID_STRIDE + 1;
		order = memcmp(id, cti, HF_CTI_BYTES); /* public */
		if (order == 0)
			return true;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static enum hf_err
judge_revoked(const struct walk *w, const struct hf__cert *c,
    const struct hf__cert *issuer)
{
	const struct list *l;

	if ((l = find_list(w->trust, issuer->subject, issuer->key.ptr)) ==
	    NULL)
		return HF_OK;
	if (is_listed(&l->info, c->cti.ptr))
		return HF_E_REVOKED;
	return w->now >= l->info.next_update ? HF_E_STALE_LIST : HF_OK;
}

enum { ORIGIN_KEY_BYTES = HF_ORIGIN_BYTES - HF_CTI_BYTES };

static enum hf_err
origin_judge(const struct hf_trust *trust,
    const uint8_t origin[HF_ORIGIN_BYTES], uint64_t now)
{
	const uint8_t *cti = origin + ORIGIN_KEY_BYTES;
	const struct list *l;
	size_t i;

	for (i = 0; i < trust->list_n; i++) {
		l = &trust->list[i];
		if (!hf__same(l->key, origin, ORIGIN_KEY_BYTES))
			continue;
		if (is_listed(&l->info, cti))
			return HF_E_REVOKED;
		if (now >= l->info.next_update)
			return HF_E_STALE_LIST;
	}
	return HF_OK;
}

enum hf_err
hf__origins_judge(const struct hf_trust *trust,
    const struct hf_ticket_info *info, uint64_t now)
{
	size_t i, n = info->origin_n;
	enum hf_err e = HF_E_ISSUER;

	if (n == 0)
		return HF_OK;
	for (i = 0; i < trust->anchor_n && e != HF_OK; i++)
		if (hf__same(trust->anchor[i].cert.key.ptr,
			info->origin[n - 1], ORIGIN_KEY_BYTES))
			e = HF_OK;
	for (i = 0; i < n && e == HF_OK; i++)
		e = origin_judge(trust, info->origin[i], now);
	return e;
}

/* Keeps in the leaf where the i-th certificate of its chain came from. */
static void
note_origin(struct hf__cert *leaf, const struct hf__cert *c, size_t i,
    const struct hf__cert *issuer)
{
	memcpy(leaf->origin[i], issuer->key.ptr, ORIGIN_KEY_BYTES);
	memcpy(leaf->origin[i] + ORIGIN_KEY_BYTES, c->cti.ptr, HF_CTI_BYTES);
	leaf->origin_n = i + 1;
	if (i == 0 || c->not_after < leaf->chain_not_after)
		leaf->chain_not_after = c->not_after;
	if (issuer->not_after < leaf->chain_not_after)
		leaf->chain_not_after = issuer->not_after;
}

/* What an authority permits of the certificates below it, link[0] to
 * link[below - 1]: how many authorities, and which names. */
static enum hf_err
judge_below(const struct walk *w, const struct hf__cert *ca, size_t below)
{
	size_t i;
	int authorities = 0;

	for (i = 0; i < below; i++)
		if (w->link[i]->usage == HF_USAGE_CA)
			authorities++;
	if (ca->path_length >= 0 && authorities > ca->path_length)
		return HF_E_CONSTRAINT;
	for (i = 0; i < below; i++)
		if (!hf__cert_permits(ca, w->link[i]))
			return HF_E_CONSTRAINT;
	return HF_OK;
}

enum hf_err
hf__chain_verify(struct hf__cert *leaf, const struct hf_trust *trust,
    struct hf__cache *cache, const struct hf_span *chain, size_t n,
    unsigned usage, const char *name, uint64_t now)
{
	struct hf__cert above[HF_CHAIN_MAX - 1];
	struct walk w = { trust, cache, chain,
		{ leaf, &above[0], &above[1], &above[2] }, n, now };
	const struct hf__cert *issuer;
	enum hf_err e;
	size_t i;

	if (trust == NULL || chain == NULL || n < 1 || n > HF_CHAIN_MAX)
		return HF_E_ARG;
	if ((e = hf__cert_parse(leaf, chain[0].ptr, chain[0].len)) != HF_OK)
		return e;
	for (i = 0; i < n; i++) {
		if ((e = find_issuer(&issuer, &w, i)) != HF_OK ||
		    (e = judge_times(w.link[i], now)) != HF_OK ||
		    (e = judge_revoked(&w, w.link[i], issuer)) != HF_OK)
			return e;
		if (i == 0 && (leaf->usage & usage) != usage)
			return HF_E_USAGE;
		if ((e = judge_below(&w, w.link[i], i)) != HF_OK)
			return e;
		note_origin(leaf, w.link[i], i, issuer);
	}
	if ((e = judge_times(issuer, now)) != HF_OK ||
	    (e = judge_below(&w, issuer, n)) != HF_OK)
		return e;
	if (name != NULL && !hf__cert_named(leaf, name, strlen(name)))
		return HF_E_NAME;
	return HF_OK;
}

enum hf_err
hf_trust_verify(struct hf_cert_info *info, const struct hf_trust *trust,
    const struct hf_span *chain, size_t n, unsigned usage, const char *name,
    uint64_t now)
{
	struct hf__cert leaf;
	enum hf_err e;

	if ((e = hf__chain_verify(&leaf, trust, NULL, chain, n, usage, name,
		 now)) != HF_OK)
		return e;
	if (info != NULL)
		hf__cert_info(info, &leaf);
	return HF_OK;
}
