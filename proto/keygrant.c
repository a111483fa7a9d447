/* SPDX-License-Identifier: ISC */
/*
 * Key grants (spec section 19.2): the keys of a scope for one member of a
 * cluster, signed by the cluster's key and sealed to the member's. It knows
 * one grant; who is a member, and where grants are kept, is not its business.
 */
#include <string.h>

#include "internal.h"

enum {
	FORMAT = 1,
	FIELDS = 10,
	INFO_FIELDS = 8,
	PAYLOAD_MAX = 8192,
	PLAIN_MAX = 1 + HF_GENERATIONS_MAX * 34,
	DAY = 86400
};
#define NUMBER_MAX ((uint64_t)1 << 53)

static const char label[] = "handfast/1 key grant";

/* --- what is signed ----------------------------------------------------------------- */

/* The fields before enc: of the payload, and of HPKE's info. */
static void
write_head(struct hf__writer *w, const struct hf_keygrant *g)
{
	size_t i;

	hf__write_uint(w, FORMAT);
	hf__write_text(w, g->cluster.text, g->cluster.len);
	hf__write_uint(w, g->serial);
	hf__write_bytes(w, g->member, sizeof(g->member));
	hf__write_text(w, g->scope.text, g->scope.len);
	hf__write_list(w, g->target_n);
	for (i = 0; i < g->target_n; i++)
		hf__write_text(w, g->target[i].text, g->target[i].len);
	hf__write_list(w, g->generation_n);
	for (i = 0; i < g->generation_n; i++) {
		hf__write_list(w, 2);
		hf__write_uint(w, g->generation[i].number);
		hf__write_uint(w, g->generation[i].cut_off);
	}
	hf__write_uint(w, g->not_after);
}

static enum hf_err
info_hash(uint8_t hash[32], const struct hf__hpke_base *base,
    struct hf_span head)
{
	uint8_t info[PAYLOAD_MAX];
	struct hf__writer w;
	uint8_t *room;

	hf__write_init(&w, info, sizeof(info));
	room = hf__write_room(&w, sizeof(label) - 1);
	if (room != NULL)
		memcpy(room, label, sizeof(label) - 1);
	hf__write_list(&w, INFO_FIELDS);
	if ((room = hf__write_room(&w, head.len)) != NULL)
		memcpy(room, head.ptr, head.len);
	if (w.err != HF_OK)
		return w.err;
	hf__hpke_info_hash(hash, base, info, w.len);
	return HF_OK;
}

/* Where a grant to that certificate is sealed: its key, or what an
 * authority's key converts to. */
static enum hf_err
member_key(uint8_t pk[32], const struct hf__cert *cert)
{
	if ((cert->usage & (HF_USAGE_CA | HF_USAGE_CLUSTER)) == 0) {
		memcpy(pk, cert->key.ptr, 32);
		return HF_OK;
	}
	return crypto_sign_ed25519_pk_to_curve25519(pk, cert->key.ptr) == 0 ?
	    HF_OK :
	    HF_E_PUBLIC_KEY;
}

/* --- making --------------------------------------------------------------------------- */

static enum hf_err
seal_keys(uint8_t enc[32], uint8_t *box, size_t *len,
    const struct hf_keygrant *g, const uint8_t pk[32], struct hf_span head)
{
	uint8_t random[32], ss[32], hash[32], plain[PLAIN_MAX];
	const struct hf__kem *kem = &hf__kem_x25519;
	struct hf__hpke_base base;
	struct hf__hpke ctx;
	struct hf__pair pair;
	struct hf__writer w;
	enum hf_err e;
	size_t i;

	hf__hpke_base_init(&base);
	hf__write_init(&w, plain, sizeof(plain));
	hf__write_list(&w, g->generation_n);
	for (i = 0; i < g->generation_n; i++)
		hf__write_bytes(&w, g->generation[i].key, HF_KEY_BYTES);
	randombytes_buf(random, sizeof(random));
	if ((e = w.err) != HF_OK ||
	    (e = info_hash(hash, &base, head)) != HF_OK ||
	    (e = kem->pair(&pair, random)) != HF_OK ||
	    (e = kem->encap(ss, NULL, &base, &pair, pk)) != HF_OK)
		goto out;
	memcpy(enc, pair.pk, 32);
	hf__hpke_schedule(&ctx, &base, ss, hash, NULL, base.psk_id_none,
	    false);
	e = hf__hpke_seal(box, &ctx, NULL, 0, plain, w.len);
	*len = w.len + HF__TAG_BYTES;
out:
	sodium_memzero(random, sizeof(random));
	sodium_memzero(&pair, sizeof(pair));
	sodium_memzero(ss, sizeof(ss));
	sodium_memzero(plain, sizeof(plain));
	sodium_memzero(&ctx, sizeof(ctx));
	return e;
}

static bool
well_formed(const struct hf_keygrant *g)
{
	size_t i;

	if (g->cluster.len == 0 || g->scope.len == 0 || g->serial == 0 ||
	    g->serial > NUMBER_MAX || g->not_after > NUMBER_MAX ||
	    g->target_n > HF_SCOPE_TARGETS_MAX || g->generation_n == 0 ||
	    g->generation_n > HF_GENERATIONS_MAX ||
	    g->generation[g->generation_n - 1].number == 0)
		return false;
	for (i = 1; i < g->generation_n; i++)
		if (g->generation[i].number >= g->generation[i - 1].number)
			return false;
	return true;
}

enum hf_err
hf_keygrant_make(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *cluster, const struct hf_keygrant *grant,
    const uint8_t *member, size_t member_len)
{
	uint8_t payload[PAYLOAD_MAX], enc[32], box[PLAIN_MAX + HF__TAG_BYTES];
	struct hf_keygrant g;
	struct hf__cert cert;
	size_t start, box_len = 0;
	uint8_t pk[32];
	struct hf__writer w;
	enum hf_err e;

	if (out == NULL || len == NULL || cluster == NULL || grant == NULL ||
	    member == NULL || !well_formed(grant))
		return HF_E_ARG;
	g = *grant;
	hf__hash(g.member, member, member_len);
	hf__write_init(&w, payload, sizeof(payload));
	hf__write_list(&w, FIELDS);
	start = w.len;
	write_head(&w, &g);
	if ((e = hf__cert_parse(&cert, member, member_len)) != HF_OK ||
	    (e = member_key(pk, &cert)) != HF_OK || (e = w.err) != HF_OK ||
	    (e = seal_keys(enc, box, &box_len, &g, pk,
		 (struct hf_span){ payload + start, w.len - start })) != HF_OK)
		goto out;
	hf__write_bytes(&w, enc, sizeof(enc));
	hf__write_bytes(&w, box, box_len);
	if ((e = w.err) == HF_OK)
		e = hf__sign1_make(out, cap, len, cluster, label, payload,
		    w.len);
out:
	sodium_memzero(&g, sizeof(g));
	return e;
}

/* --- reading ---------------------------------------------------------------------------- */

static void
read_name(struct hf_name *name, struct hf__reader *r, size_t least)
{
	struct hf_span text = hf__read_text(r, least, HF_NAME_MAX);

	if (r->err != HF_OK)
		return;
	if (text.len > 0)
		memcpy(name->text, text.ptr, text.len);
	name->text[text.len] = '\0';
	name->len = text.len;
}

static void
read_head(struct hf_keygrant *g, struct hf__reader *r)
{
	struct hf_span member;
	size_t i;

	if (hf__read_uint(r, NUMBER_MAX) != FORMAT)
		hf__read_fail(r, HF_E_OBJECT);
	read_name(&g->cluster, r, 1);
	g->serial = hf__read_uint(r, NUMBER_MAX);
	member = hf__read_bytes(r, sizeof(g->member), sizeof(g->member));
	if (r->err == HF_OK)
		memcpy(g->member, member.ptr, sizeof(g->member));
	read_name(&g->scope, r, 1);
	g->target_n = hf__read_list(r, 0, HF_SCOPE_TARGETS_MAX);
	for (i = 0; i < g->target_n && r->err == HF_OK; i++)
		read_name(&g->target[i], r, 0);
	g->generation_n = hf__read_list(r, 1, HF_GENERATIONS_MAX);
	for (i = 0; i < g->generation_n && r->err == HF_OK; i++) {
		(void)hf__read_list(r, 2, 2);
		g->generation[i].number =
		    (uint32_t)hf__read_uint(r, UINT32_MAX);
		g->generation[i].cut_off = hf__read_uint(r, NUMBER_MAX);
	}
	g->not_after = hf__read_uint(r, NUMBER_MAX);
}

struct parts {
	struct hf__sign1 cose;
	struct hf_span head, enc, box;
};

static enum hf_err
read_grant(struct hf_keygrant *g, struct parts *p, const uint8_t *grant,
    size_t len)
{
	struct hf__reader r;
	size_t start;
	enum hf_err e;

	memset(g, 0, sizeof(*g));
	if ((e = hf__sign1_read(&p->cose, grant, len)) != HF_OK)
		return e;
	hf__read_init(&r, p->cose.payload.ptr, p->cose.payload.len);
	(void)hf__read_list(&r, FIELDS, FIELDS);
	start = r.off;
	read_head(g, &r);
	p->head = (struct hf_span){ r.ptr + start, r.off - start };
	p->enc = hf__read_bytes(&r, 32, 32);
	p->box = hf__read_bytes(&r, HF__TAG_BYTES, PLAIN_MAX + HF__TAG_BYTES);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e == HF_E_CBOR ? HF_E_CBOR : HF_E_OBJECT;
	return well_formed(g) ? HF_OK : HF_E_OBJECT;
}

enum hf_err
hf_keygrant_read(struct hf_keygrant *g, const uint8_t *grant, size_t len)
{
	struct parts p;

	if (g == NULL || grant == NULL)
		return HF_E_ARG;
	return read_grant(g, &p, grant, len);
}

static enum hf_err
open_keys(struct hf_keygrant *g, const struct parts *p,
    const struct hf_identity *id)
{
	uint8_t ss[32], hash[32], plain[PLAIN_MAX];
	struct hf__hpke_base base;
	struct hf__hpke ctx;
	struct hf_span key;
	struct hf__reader r;
	enum hf_err e;
	size_t i;

	hf__hpke_base_init(&base);
	if ((e = info_hash(hash, &base, p->head)) != HF_OK ||
	    (e = hf__kem_x25519.decap(ss, &base, &id->kem, p->enc.ptr)) !=
		HF_OK)
		goto out;
	hf__hpke_schedule(&ctx, &base, ss, hash, NULL, base.psk_id_none,
	    false);
	if ((e = hf__hpke_open(plain, &ctx, NULL, 0, p->box.ptr,
		 p->box.len)) != HF_OK)
		goto out;
	hf__read_init(&r, plain, p->box.len - HF__TAG_BYTES);
	(void)hf__read_list(&r, g->generation_n, g->generation_n);
	for (i = 0; i < g->generation_n && r.err == HF_OK; i++) {
		key = hf__read_bytes(&r, HF_KEY_BYTES, HF_KEY_BYTES);
		if (r.err == HF_OK)
			memcpy(g->generation[i].key, key.ptr, HF_KEY_BYTES);
	}
	if (hf__read_end(&r) != HF_OK)
		e = HF_E_OBJECT;
out:
	sodium_memzero(ss, sizeof(ss));
	sodium_memzero(plain, sizeof(plain));
	sodium_memzero(&ctx, sizeof(ctx));
	return e;
}

/* The member is one of this cluster, or the cluster itself. */
static enum hf_err
judge_member(const struct hf_keygrant *g, const struct hf_keygrant_judge *by)
{
	struct hf_span name;
	struct hf__cert leaf;
	enum hf_err e;

	if ((e = hf__cert_parse(&leaf, by->member.ptr, by->member.len)) !=
	    HF_OK)
		return e;
	name = leaf.usage == HF_USAGE_CLUSTER ? leaf.subject : leaf.cluster;
	return name.len == g->cluster.len &&
		hf__same(name.ptr, g->cluster.text, g->cluster.len) ?
	    HF_OK :
	    HF_E_NAME;
}

static enum hf_err
judge_cluster(const struct hf_keygrant *g, const struct hf__cert *cluster)
{
	if (cluster->usage != HF_USAGE_CLUSTER)
		return HF_E_USAGE;
	return cluster->subject.len == g->cluster.len &&
		hf__same(cluster->subject.ptr, g->cluster.text,
		    g->cluster.len) ?
	    HF_OK :
	    HF_E_NAME;
}

static enum hf_err
judge_signature(const struct parts *p, const struct hf__cert *cluster)
{
	return hf__sign1_verify(&p->cose, (const uint8_t *)label,
	    sizeof(label) - 1, cluster->key.ptr);
}

/* What is judged before the keys are opened, in the order of the spec. */
static enum hf_err
judge(const struct hf_keygrant *g, const struct parts *p,
    const struct hf__cert *cluster, const struct hf_keygrant_judge *by)
{
	uint8_t member[32];
	enum hf_err e;

	if ((e = judge_cluster(g, cluster)) != HF_OK ||
	    (e = judge_member(g, by)) != HF_OK ||
	    (e = judge_signature(p, cluster)) != HF_OK)
		return e;
	hf__hash(member, by->member.ptr, by->member.len);
	if (!hf__same(member, g->member, sizeof(member)))
		return HF_E_UNKNOWN_KEY;
	if (by->now >= g->not_after)
		return HF_E_EXPIRED;
	if (!by->own_copy && g->not_after > by->now + DAY + by->tolerance)
		return HF_E_NOT_YET;
	return g->serial < by->serial ? HF_E_ROLLBACK : HF_OK;
}

enum hf_err
hf_keygrant_verify(struct hf_keygrant *g, const uint8_t *grant, size_t len,
    struct hf_span cluster)
{
	struct hf__cert cert;
	struct parts p;
	enum hf_err e;

	if (g == NULL || grant == NULL)
		return HF_E_ARG;
	if ((e = read_grant(g, &p, grant, len)) == HF_OK &&
	    (e = hf__cert_parse(&cert, cluster.ptr, cluster.len)) == HF_OK &&
	    (e = judge_cluster(g, &cert)) == HF_OK)
		e = judge_signature(&p, &cert);
	if (e != HF_OK)
		sodium_memzero(g, sizeof(*g));
	return e;
}

enum hf_err
hf_keygrant_open(struct hf_keygrant *g, const uint8_t *grant, size_t len,
    const struct hf_keygrant_judge *by)
{
	struct hf__cert cluster;
	struct parts p;
	enum hf_err e;

	if (g == NULL || grant == NULL || by == NULL || by->identity == NULL)
		return HF_E_ARG;
	if ((e = read_grant(g, &p, grant, len)) == HF_OK &&
	    (e = hf__cert_parse(&cluster, by->cluster.ptr, by->cluster.len)) ==
		HF_OK &&
	    (e = judge(g, &p, &cluster, by)) == HF_OK)
		e = open_keys(g, &p, by->identity);
	if (e != HF_OK)
		sodium_memzero(g, sizeof(*g));
	return e;
}

enum hf_err
hf_vault_grant(struct hf_vault *vault, const struct hf_keygrant *g)
{
	const char *targets[HF_SCOPE_TARGETS_MAX];
	enum hf_err e;
	size_t i;

	if (vault == NULL || g == NULL || !well_formed(g))
		return HF_E_ARG;
	for (i = 0; i < g->target_n; i++)
		targets[i] = g->target[i].text;
	if ((e = hf_vault_scope(vault, g->scope.text, targets, g->target_n)) !=
	    HF_OK)
		return e;
	vault->scope[vault->scope_n - 1].not_after = g->not_after;
	for (i = 0; i < g->generation_n && e == HF_OK; i++)
		e = hf_vault_key(vault, g->scope.text, g->generation[i].number,
		    g->generation[i].key, g->generation[i].cut_off);
	return e;
}
