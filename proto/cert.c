/* SPDX-License-Identifier: ISC */
/*
 * One certificate: its claims as views, the rules that hold within it, and
 * what an authority's lists permit below it (spec sections 5.2 and 5.3). It
 * knows no other certificate, no time and no trust: see trust.c.
 */
#include <stdlib.h>
#include <string.h>

#include "cert.h"

enum {
	KTY_OKP = 1,
	PATH_MAX_LENGTH = 3,
	USAGE_ALL = HF_USAGE_RESPONDER | HF_USAGE_INITIATOR | HF_USAGE_CA |
	    HF_USAGE_SERVER | HF_USAGE_CLUSTER,
	COST_MIB_MIN = 64,
	COST_MIB_MAX = 1024,
	COST_PASSES_MIN = 2,
	COST_PASSES_MAX = 10,
	/* All claims but aud, which is not for certificates. */
	REQUIRED = HF__SEEN_HANDFAST | HF__SEEN(HF__CLAIM_ISS) |
	    HF__SEEN(HF__CLAIM_SUB) | HF__SEEN(HF__CLAIM_EXP) |
	    HF__SEEN(HF__CLAIM_NBF) | HF__SEEN(HF__CLAIM_IAT) |
	    HF__SEEN(HF__CLAIM_CTI) | HF__SEEN(HF__CLAIM_CNF)
};

enum hf_err
hf__object_err(enum hf_err e)
{
	return e == HF_E_SHAPE ? HF_E_OBJECT : e;
}

bool
hf__span_equal(struct hf_span a, struct hf_span b)
{
	return a.len == b.len && (a.len == 0 || hf__same(a.ptr, b.ptr, a.len));
}

void
hf__name_copy(struct hf_name *name, struct hf_span text)
{
	name->len = text.len;
	if (text.len > 0)
		memcpy(name->text, text.ptr, text.len);
	name->text[text.len] = '\0';
}

bool
hf__realm_ok(const uint8_t *text, size_t len)
{
	return len == 0 || memchr(text, '@', len) == NULL;
}

void
hf__read_this_key(struct hf__reader *r, struct hf__key_order *order,
    int64_t key)
{
	if (hf__read_key(r, order) != key)
		hf__read_fail(r, HF_E_OBJECT);
}

void
hf__read_unknown(struct hf__reader *r, int64_t key, unsigned depth)
{
	if (key < 0)
		hf__read_fail(r, HF_E_OBJECT);
	(void)hf__read_skip(r, depth);
}

uint64_t
hf__read_time(struct hf__reader *r)
{
	return hf__read_uint(r, HF__TIME_MAX);
}

void
hf__read_names(struct hf__reader *r, struct hf__names *names)
{
	size_t i;

	names->n = hf__read_list(r, 1, HF_NAMES_MAX);
	for (i = 0; i < names->n; i++)
		names->name[i] = hf__read_text(r, 1, HF_NAME_MAX);
}

size_t
hf__read_suites(struct hf__reader *r, uint16_t suites[HF_SUITES_MAX])
{
	size_t i, n;

	n = hf__read_list(r, 1, HF_SUITES_MAX);
	for (i = 0; i < n; i++)
		suites[i] = (uint16_t)hf__read_uint(r, UINT16_MAX);
	return n;
}

struct hf_span
hf__read_cnf(struct hf__reader *r, int64_t *curve)
{
	struct hf__key_order outer = { 0 }, inner = { 0 }, none = { 0 };

	(void)hf__read_map(r, 1, 1);
	hf__read_this_key(r, &outer, 1);
	(void)hf__read_map(r, 3, 3);
	hf__read_this_key(r, &inner, 1);
	if (hf__read_uint(r, KTY_OKP) != KTY_OKP)
		hf__read_fail(r, HF_E_OBJECT);
	hf__read_this_key(r, &inner, -1);
	*curve = hf__read_key(r, &none); /* any integer */
	hf__read_this_key(r, &inner, -2);
	return hf__read_bytes(r, HF_KEY_BYTES, HF_KEY_BYTES);
}

static struct hf_span
read_realm(struct hf__reader *r)
{
	struct hf_span realm = hf__read_text(r, 1, HF_NAME_MAX);

	if (!hf__realm_ok(realm.ptr, realm.len))
		hf__read_fail(r, HF_E_OBJECT);
	return realm;
}

static void
read_realms(struct hf__reader *r, struct hf__names *realms)
{
	size_t i;

	realms->n = hf__read_list(r, 1, HF_NAMES_MAX);
	for (i = 0; i < realms->n; i++)
		realms->name[i] = read_realm(r);
}

static void
read_cost(struct hf__reader *r, struct hf__cert *c)
{
	(void)hf__read_list(r, 2, 2);
	c->cost_mib = (unsigned)hf__read_uint(r, COST_MIB_MAX);
	if (c->cost_mib < COST_MIB_MIN)
		hf__read_fail(r, HF_E_OBJECT);
	c->cost_passes = (unsigned)hf__read_uint(r, COST_PASSES_MAX);
	if (c->cost_passes < COST_PASSES_MIN)
		hf__read_fail(r, HF_E_OBJECT);
}

static void
read_handfast(struct hf__reader *r, struct hf__cert *c)
{
	struct hf__key_order order = { 0 };
	size_t i, n;
	int64_t key;

	n = hf__read_map(r, 0, HF_CERT_MAX);
	for (i = 0; i < n && r->err == HF_OK; i++) {
		switch (key = hf__read_key(r, &order)) {
		case HF__CERT_NAMES:
			hf__read_names(r, &c->names);
			break;
		case HF__CERT_SUITES:
			c->suites_n = hf__read_suites(r, c->suites);
			break;
		case HF__CERT_REALM:
			c->realm = read_realm(r);
			break;
		case HF__CERT_COST:
			read_cost(r, c);
			break;
		case HF__CERT_CLUSTER:
			c->cluster = hf__read_text(r, 1, HF_NAME_MAX);
			break;
		case HF__CERT_USAGE:
			c->usage = (unsigned)hf__read_uint(r, USAGE_ALL);
			break;
		case HF__CERT_PATH_LENGTH:
			c->path_length =
			    (int)hf__read_uint(r, PATH_MAX_LENGTH);
			break;
		case HF__CERT_PERMITTED_NAMES:
			c->has_permitted_names = true;
			hf__read_names(r, &c->permitted_names);
			break;
		case HF__CERT_PERMITTED_REALMS:
			c->has_permitted_realms = true;
			read_realms(r, &c->permitted_realms);
			break;
		default:
			hf__read_unknown(r, key, 2);
		}
	}
}

/* One claim; *seen notes which. */
static void
read_claim(struct hf__reader *r, struct hf__cert *c, int64_t key,
    unsigned *seen, int64_t *curve)
{
	if (key >= HF__CLAIM_ISS && key <= HF__CLAIM_CNF)
		*seen |= HF__SEEN(key);
	switch (key) {
	case HF__CLAIM_ISS:
		c->issuer = hf__read_text(r, 1, HF_NAME_MAX);
		break;
	case HF__CLAIM_SUB:
		c->subject = hf__read_text(r, 1, HF_NAME_MAX);
		break;
	case HF__CLAIM_EXP:
		c->not_after = hf__read_time(r);
		break;
	case HF__CLAIM_NBF:
		c->not_before = hf__read_time(r);
		break;
	case HF__CLAIM_IAT:
		c->issued = hf__read_time(r);
		break;
	case HF__CLAIM_CTI:
		c->cti = hf__read_bytes(r, HF_CTI_BYTES, HF_CTI_BYTES);
		break;
	case HF__CLAIM_CNF:
		c->key = hf__read_cnf(r, curve);
		break;
	case HF__CLAIM_HANDFAST:
		*seen |= HF__SEEN_HANDFAST;
		read_handfast(r, c);
		break;
	case HF__CLAIM_AUD:
		hf__read_fail(r, HF_E_OBJECT);
		break;
	default:
		hf__read_unknown(r, key, 1);
	}
}

static bool
is_authority(const struct hf__cert *c)
{
	return (c->usage & (HF_USAGE_CA | HF_USAGE_CLUSTER)) != 0;
}

/* The rules between claims. */
static bool
consistent(const struct hf__cert *c, int64_t curve)
{
	if (c->usage == 0 || c->not_after <= c->not_before)
		return false;
	if (is_authority(c))
		return curve == HF__CURVE_ED25519 &&
		    (c->usage == HF_USAGE_CLUSTER ?
			    c->path_length < 0 && !c->has_permitted_names &&
				!c->has_permitted_realms :
			    c->usage == HF_USAGE_CA);
	return curve == HF__CURVE_X25519 && c->suites_n > 0 &&
	    c->path_length < 0 && !c->has_permitted_names &&
	    !c->has_permitted_realms;
}

/*
 * An authority's key is only looked at as bytes here: whoever verifies by it
 * or shows it calls hf__cert_key_ok(), which costs as much as a signature.
 */
enum hf_err
hf__cert_parse(struct hf__cert *c, const uint8_t *ptr, size_t len)
{
	struct hf__key_order order = { 0 };
	struct hf__reader whole, r;
	int64_t curve = 0;
	unsigned seen = 0;
	size_t i, n;
	int64_t key;
	enum hf_err e;

	*c = (struct hf__cert){ .path_length = -1 };
	if (len > HF_CERT_MAX)
		return HF_E_OBJECT;
	if ((e = hf__sign1_begin(&c->cose, &whole, ptr, len)) != HF_OK)
		return e;
	hf__read_init(&r, c->cose.payload.ptr, c->cose.payload.len);
	n = hf__read_map(&r, 0, HF_CERT_MAX);
	for (i = 0; i < n && r.err == HF_OK; i++) {
		key = hf__read_key(&r, &order);
		read_claim(&r, c, key, &seen, &curve);
	}
	if ((e = hf__read_end(&r)) != HF_OK)
		return hf__object_err(e);
	if ((e = hf__sign1_end(&c->cose, &whole)) != HF_OK)
		return e;
	return (seen & REQUIRED) == REQUIRED && consistent(c, curve) ?
	    HF_OK :
	    HF_E_OBJECT;
}

bool
hf__cert_key_ok(const struct hf__cert *c)
{
	return !is_authority(c) ||
	    crypto_core_ed25519_is_valid_point(c->key.ptr) == 1;
}

enum hf_err
hf__cert_own_ca(struct hf__cert *cert, const struct hf_identity *ca,
    const uint8_t *ptr, size_t len)
{
	enum hf_err e;

	if ((e = hf__cert_parse(cert, ptr, len)) != HF_OK)
		return e;
	return cert->usage == HF_USAGE_CA &&
		hf__same(cert->key.ptr, ca->sign_pk, HF_KEY_BYTES) ?
	    HF_OK :
	    HF_E_OWN_CERT;
}

enum hf_err
hf__cert_verify(const struct hf__cert *c, const uint8_t pk[32])
{
	static const uint8_t label[] = HF__LABEL_CERTIFICATE;

	return hf__sign1_verify(&c->cose, label, sizeof(label) - 1, pk);
}

bool
hf__cert_named(const struct hf__cert *c, const char *name, size_t len)
{
	struct hf_span want = { (const uint8_t *)name, len };
	size_t i;

	if (len == 0)
		return false;
	if (hf__span_equal(c->subject, want) ||
	    hf__span_equal(c->cluster, want))
		return true;
	for (i = 0; i < c->names.n; i++)
		if (hf__span_equal(c->names.name[i], want))
			return true;
	return false;
}

static bool
is_mark(uint8_t c)
{
	return c == '.' || c == '@' || c == '/';
}

/* A suffix ends a name whole, or at a mark of either. */
static bool
suffix_permits(struct hf_span suffix, struct hf_span name)
{
	const uint8_t *tail;

	if (name.len < suffix.len)
		return false;
	tail = name.ptr + (name.len - suffix.len);
	if (!hf__same(tail, suffix.ptr, suffix.len))
		return false;
	return name.len == suffix.len || is_mark(suffix.ptr[0]) ||
	    is_mark(tail[-1]);
}

static bool
name_permitted(const struct hf__cert *ca, struct hf_span name)
{
	size_t i;

	for (i = 0; i < ca->permitted_names.n; i++)
		if (suffix_permits(ca->permitted_names.name[i], name))
			return true;
	return false;
}

static bool
realm_permitted(const struct hf__cert *ca, struct hf_span realm)
{
	size_t i;

	for (i = 0; i < ca->permitted_realms.n; i++)
		if (hf__span_equal(ca->permitted_realms.name[i], realm))
			return true;
	return false;
}

bool
hf__cert_permits(const struct hf__cert *ca, const struct hf__cert *below)
{
	size_t i;

	/* Where names are limited and no realms are listed, there are none. */
	if ((ca->has_permitted_realms || ca->has_permitted_names) &&
	    below->realm.len > 0 && !realm_permitted(ca, below->realm))
		return false;
	if (!ca->has_permitted_names)
		return true;
	if (!name_permitted(ca, below->subject))
		return false;
	/* An expected name may be the cluster's. */
	if (below->cluster.len > 0 && !name_permitted(ca, below->cluster))
		return false;
	for (i = 0; i < below->names.n; i++)
		if (!name_permitted(ca, below->names.name[i]))
			return false;
	return true;
}

static void
copy_names(struct hf_name *to, size_t *n, const struct hf__names *from)
{
	for (*n = 0; *n < from->n; (*n)++)
		hf__name_copy(&to[*n], from->name[*n]);
}

void
hf__cert_info(struct hf_cert_info *info, const struct hf__cert *c)
{
	memset(info, 0, sizeof(*info));
	hf__name_copy(&info->issuer, c->issuer);
	hf__name_copy(&info->subject, c->subject);
	hf__name_copy(&info->realm, c->realm);
	hf__name_copy(&info->cluster, c->cluster);
	copy_names(info->names, &info->names_n, &c->names);
	copy_names(info->permitted_names, &info->permitted_names_n,
	    &c->permitted_names);
	copy_names(info->permitted_realms, &info->permitted_realms_n,
	    &c->permitted_realms);
	memcpy(info->cti, c->cti.ptr, HF_CTI_BYTES);
	memcpy(info->key, c->key.ptr, HF_KEY_BYTES);
	info->issued = c->issued;
	info->not_before = c->not_before;
	info->not_after = c->not_after;
	info->usage = c->usage;
	info->path_length = c->path_length;
	memcpy(info->suites, c->suites, sizeof(info->suites));
	info->suites_n = c->suites_n;
	info->cost_mib = c->cost_mib;
	info->cost_passes = c->cost_passes;
}

enum hf_err
hf_cert_read(struct hf_cert_info *info, const uint8_t *cert, size_t len)
{
	struct hf__cert c;
	enum hf_err e;

	if ((e = hf__cert_parse(&c, cert, len)) != HF_OK)
		return e;
	if (!hf__cert_key_ok(&c))
		return HF_E_OBJECT;
	hf__cert_info(info, &c);
	return HF_OK;
}

static bool
name_is(const struct hf_name *name, const char *want)
{
	return name->len > 0 && name->len == strlen(want) &&
	    hf__same(name->text, want, name->len);
}

int
hf_cert_named(const struct hf_cert_info *info, const char *name)
{
	size_t i;

	if (name_is(&info->subject, name) || name_is(&info->cluster, name))
		return 1;
	for (i = 0; i < info->names_n; i++)
		if (name_is(&info->names[i], name))
			return 1;
	return 0;
}
