/* SPDX-License-Identifier: ISC */
/*
 * The issuing side: certificate requests and certificates (spec section 5.3).
 * Whatever is made here is read back by the reader of its kind before it
 * leaves, so that nothing is handed out that would be refused later. It knows
 * no chain beyond the one CA certificate.
 */
#include <stdlib.h>
#include <string.h>

#include "cert.h"

enum { KTY_OKP = 1 };

/* What goes into a certificate. */
struct claims {
	struct hf_span issuer, subject;
	const struct hf_cert_info *terms;
	const uint16_t *suites;
	size_t suites_n;
	const uint8_t *key;
	uint8_t cti[HF_CTI_BYTES];
};

/* A request as views. */
struct request {
	struct hf_span subject, key;
	struct hf__names names;
	uint16_t suites[HF_SUITES_MAX];
	size_t suites_n;
	uint64_t issued;
	int64_t curve;
};

static bool
is_authority(unsigned usage)
{
	return (usage & (HF_USAGE_CA | HF_USAGE_CLUSTER)) != 0;
}

static struct hf_span
name_span(const struct hf_name *name)
{
	return (struct hf_span){ (const uint8_t *)name->text, name->len };
}

/* --- writing claims --------------------------------------------------------- */

static bool
names_fit(const struct hf_name *names, size_t n)
{
	size_t i;

	if (n > HF_NAMES_MAX)
		return false;
	for (i = 0; i < n; i++)
		if (names[i].len > HF_NAME_MAX)
			return false;
	return true;
}

/* Whether all counts and lengths stay inside the struct. */
static bool
info_fits(const struct hf_cert_info *info)
{
	return names_fit(&info->subject, 1) && names_fit(&info->realm, 1) &&
	    names_fit(&info->cluster, 1) &&
	    names_fit(info->names, info->names_n) &&
	    names_fit(info->permitted_names, info->permitted_names_n) &&
	    names_fit(info->permitted_realms, info->permitted_realms_n) &&
	    info->suites_n <= HF_SUITES_MAX;
}

static void
write_span(struct hf__writer *w, int64_t key, struct hf_span text)
{
	hf__write_int(w, key);
	hf__write_text(w, (const char *)text.ptr, text.len);
}

static void
write_number(struct hf__writer *w, int64_t key, uint64_t value)
{
	hf__write_int(w, key);
	hf__write_uint(w, value);
}

static void
write_names(struct hf__writer *w, int64_t key, const struct hf_name *names,
    size_t n)
{
	size_t i;

	if (n == 0)
		return;
	hf__write_int(w, key);
	hf__write_list(w, n);
	for (i = 0; i < n; i++)
		hf__write_text(w, names[i].text, names[i].len);
}

static void
write_suites(struct hf__writer *w, const uint16_t *suites, size_t n)
{
	size_t i;

	if (n == 0)
		return;
	hf__write_int(w, HF__CERT_SUITES);
	hf__write_list(w, n);
	for (i = 0; i < n; i++)
		hf__write_uint(w, suites[i]);
}

static void
write_cnf(struct hf__writer *w, uint64_t curve, const uint8_t key[32])
{
	hf__write_int(w, HF__CLAIM_CNF);
	hf__write_map(w, 1);
	hf__write_int(w, 1);
	hf__write_map(w, 3);
	write_number(w, 1, KTY_OKP);
	write_number(w, -1, curve);
	hf__write_int(w, -2);
	hf__write_bytes(w, key, HF_KEY_BYTES);
}

static void
write_handfast(struct hf__writer *w, const struct claims *c)
{
	const struct hf_cert_info *t = c->terms;
	bool cost = t->cost_mib != 0 || t->cost_passes != 0;
	bool path = t->usage == HF_USAGE_CA && t->path_length >= 0;

	hf__write_int(w, HF__CLAIM_HANDFAST);
	hf__write_map(w,
	    (size_t)1 + (t->names_n > 0) + (c->suites_n > 0) +
		(t->realm.len > 0) + cost + (t->cluster.len > 0) + path +
		(t->permitted_names_n > 0) + (t->permitted_realms_n > 0));
	write_names(w, HF__CERT_NAMES, t->names, t->names_n);
	write_suites(w, c->suites, c->suites_n);
	if (t->realm.len > 0)
		write_span(w, HF__CERT_REALM, name_span(&t->realm));
	if (cost) {
		hf__write_int(w, HF__CERT_COST);
		hf__write_list(w, 2);
		hf__write_uint(w, t->cost_mib);
		hf__write_uint(w, t->cost_passes);
	}
	if (t->cluster.len > 0)
		write_span(w, HF__CERT_CLUSTER, name_span(&t->cluster));
	write_number(w, HF__CERT_USAGE, t->usage);
	if (path)
		write_number(w, HF__CERT_PATH_LENGTH,
		    (uint64_t)t->path_length);
	write_names(w, HF__CERT_PERMITTED_NAMES, t->permitted_names,
	    t->permitted_names_n);
	write_names(w, HF__CERT_PERMITTED_REALMS, t->permitted_realms,
	    t->permitted_realms_n);
}

static void
write_claims(struct hf__writer *w, const struct claims *c)
{
	hf__write_map(w, 8);
	write_span(w, HF__CLAIM_ISS, c->issuer);
	write_span(w, HF__CLAIM_SUB, c->subject);
	write_number(w, HF__CLAIM_EXP, c->terms->not_after);
	write_number(w, HF__CLAIM_NBF, c->terms->not_before);
	write_number(w, HF__CLAIM_IAT, c->terms->issued);
	hf__write_int(w, HF__CLAIM_CTI);
	hf__write_bytes(w, c->cti, sizeof(c->cti));
	write_cnf(w,
	    is_authority(c->terms->usage) ? HF__CURVE_ED25519 :
					    HF__CURVE_X25519,
	    c->key);
	write_handfast(w, c);
}

/* What the readers refuse in an object made here was the caller's fault. */
static enum hf_err
caller_err(enum hf_err e)
{
	return e == HF_E_SPACE || e == HF_E_OBJECT || e == HF_E_CBOR ?
	    HF_E_ARG :
	    e;
}

/* What was made goes to the caller when there is room. */
static enum hf_err
deliver(uint8_t *out, size_t cap, size_t *len, const uint8_t *made,
    size_t made_len)
{
	*len = made_len;
	if (made_len > cap)
		return HF_E_SPACE;
	memcpy(out, made, made_len);
	return HF_OK;
}

/* --- requests ---------------------------------------------------------------- */

static void
read_request_map(struct hf__reader *r, struct request *q)
{
	struct hf__key_order order = { 0 };
	size_t i, n;
	int64_t key;

	n = hf__read_map(r, 0, HF_CERT_MAX);
	for (i = 0; i < n && r->err == HF_OK; i++) {
		switch (key = hf__read_key(r, &order)) {
		case HF__CERT_NAMES:
			hf__read_names(r, &q->names);
			break;
		case HF__CERT_SUITES:
			q->suites_n = hf__read_suites(r, q->suites);
			break;
		default:
			hf__read_unknown(r, key, 2);
		}
	}
}

static void
read_request_claim(struct hf__reader *r, struct request *q, int64_t key,
    bool *dated)
{
	switch (key) {
	case HF__CLAIM_SUB:
		q->subject = hf__read_text(r, 1, HF_NAME_MAX);
		break;
	case HF__CLAIM_IAT:
		q->issued = hf__read_time(r);
		*dated = true;
		break;
	case HF__CLAIM_CNF:
		q->key = hf__read_cnf(r, &q->curve);
		break;
	case HF__CLAIM_HANDFAST:
		read_request_map(r, q);
		break;
	default:
		hf__read_unknown(r, key, 1);
	}
}

static enum hf_err
request_parse(struct request *q, struct hf__sign1 *cose, const uint8_t *ptr,
    size_t len)
{
	struct hf__key_order order = { 0 };
	struct hf__reader whole, r;
	bool dated = false;
	size_t i, n;
	enum hf_err e;

	*q = (struct request){ 0 };
	if (len > HF_CERT_MAX)
		return HF_E_OBJECT;
	if ((e = hf__sign1_begin(cose, &whole, ptr, len)) != HF_OK)
		return e;
	hf__read_init(&r, cose->payload.ptr, cose->payload.len);
	n = hf__read_map(&r, 0, HF_CERT_MAX);
	for (i = 0; i < n && r.err == HF_OK; i++)
		read_request_claim(&r, q, hf__read_key(&r, &order), &dated);
	if ((e = hf__read_end(&r)) != HF_OK)
		return hf__object_err(e);
	if ((e = hf__sign1_end(cose, &whole)) != HF_OK)
		return e;
	return q->subject.len > 0 && q->key.len > 0 && q->suites_n > 0 &&
		q->curve == HF__CURVE_ED25519 && dated ?
	    HF_OK :
	    HF_E_OBJECT;
}

enum hf_err
hf_request_make(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *id, const struct hf_cert_info *info,
    uint64_t now)
{
	uint8_t payload[HF_CERT_MAX], made[HF_CERT_MAX];
	uint16_t suites[HF_SUITES_MAX];
	struct hf__sign1 cose;
	struct hf__writer w;
	struct request q;
	size_t suites_n, made_len;
	enum hf_err e;

	if (!info_fits(info))
		return HF_E_ARG;
	memcpy(suites, info->suites, sizeof(suites));
	if ((suites_n = info->suites_n) == 0)
		suites_n = hf__suite_defaults(suites);
	hf__write_init(&w, payload, sizeof(payload));
	hf__write_map(&w, 4);
	write_span(&w, HF__CLAIM_SUB, name_span(&info->subject));
	write_number(&w, HF__CLAIM_IAT, now);
	write_cnf(&w, HF__CURVE_ED25519, id->sign_pk);
	hf__write_int(&w, HF__CLAIM_HANDFAST);
	hf__write_map(&w, (size_t)1 + (info->names_n > 0));
	write_names(&w, HF__CERT_NAMES, info->names, info->names_n);
	write_suites(&w, suites, suites_n);
	if ((e = w.err) != HF_OK ||
	    (e = hf__sign1_make(made, sizeof(made), &made_len, id,
		 HF__LABEL_REQUEST, payload, w.len)) != HF_OK ||
	    (e = request_parse(&q, &cose, made, made_len)) != HF_OK)
		return caller_err(e);
	return deliver(out, cap, len, made, made_len);
}

/* The form, then the signature by the key inside, then that key. */
static enum hf_err
request_verify(struct request *q, const uint8_t *request, size_t len)
{
	static const uint8_t label[] = HF__LABEL_REQUEST;
	struct hf__sign1 cose;
	enum hf_err e;

	if ((e = request_parse(q, &cose, request, len)) != HF_OK)
		return e;
	if (q->key.ptr == NULL)
		return HF_E_OBJECT;
	if ((e = hf__sign1_verify(&cose, label, sizeof(label) - 1,
		 q->key.ptr)) != HF_OK)
		return e;
	return crypto_core_ed25519_is_valid_point(q->key.ptr) == 1 ?
	    HF_OK :
	    HF_E_PUBLIC_KEY;
}

enum hf_err
hf_request_read(struct hf_cert_info *info, const uint8_t *request, size_t len)
{
	struct request q;
	enum hf_err e;
	size_t i;

	if ((e = request_verify(&q, request, len)) != HF_OK)
		return e;
	memset(info, 0, sizeof(*info));
	hf__name_copy(&info->subject, q.subject);
	for (i = 0; i < q.names.n; i++)
		hf__name_copy(&info->names[i], q.names.name[i]);
	info->names_n = q.names.n;
	memcpy(info->suites, q.suites, sizeof(info->suites));
	info->suites_n = q.suites_n;
	info->issued = q.issued;
	memcpy(info->key, q.key.ptr, HF_KEY_BYTES);
	return HF_OK;
}

/* --- certificates -------------------------------------------------------------- */

static enum hf_err
make_cert(uint8_t made[HF_CERT_MAX], struct hf__cert *cert,
    const struct hf_identity *ca, struct claims *c)
{
	uint8_t payload[HF_CERT_MAX];
	struct hf__writer w;
	size_t len;
	enum hf_err e;

	randombytes_buf(c->cti, sizeof(c->cti));
	hf__write_init(&w, payload, sizeof(payload));
	write_claims(&w, c);
	if ((e = w.err) != HF_OK ||
	    (e = hf__sign1_make(made, HF_CERT_MAX, &len, ca,
		 HF__LABEL_CERTIFICATE, payload, w.len)) != HF_OK ||
	    (e = hf__cert_parse(cert, made, len)) != HF_OK)
		return caller_err(e);
	return HF_OK;
}

/* Whether chain verification can take the new certificate below the CA; its
 * times are judged when it is used. */
static bool
ca_permits(const struct hf__cert *ca, const struct hf__cert *cert)
{
	if (hf__span_equal(cert->issuer, cert->subject))
		return false;
	if (cert->usage == HF_USAGE_CA && ca->path_length >= 0 &&
	    cert->path_length >= ca->path_length)
		return false;
	if (cert->usage == HF_USAGE_CA && ca->path_length == 0)
		return false;
	return hf__cert_permits(ca, cert);
}

enum hf_err
hf_cert_issue(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *ca, const uint8_t *ca_cert, size_t ca_cert_len,
    const struct hf_cert_info *terms, const uint8_t *request,
    size_t request_len)
{
	uint8_t made[HF_CERT_MAX], x25519[32];
	struct hf__cert above, cert;
	struct claims c = { .terms = terms };
	struct request q;
	enum hf_err e;

	if (!info_fits(terms))
		return HF_E_ARG;
	if ((e = hf__cert_own_ca(&above, ca, ca_cert, ca_cert_len)) != HF_OK ||
	    (e = request_verify(&q, request, request_len)) != HF_OK)
		return e;
	c.issuer = above.subject;
	c.subject =
	    terms->subject.len > 0 ? name_span(&terms->subject) : q.subject;
	c.suites = terms->suites;
	c.suites_n = terms->suites_n;
	c.key = q.key.ptr;
	if (!is_authority(terms->usage)) {
		if (c.suites_n == 0) {
			c.suites = q.suites;
			c.suites_n = q.suites_n;
		}
		if (crypto_sign_ed25519_pk_to_curve25519(x25519, c.key) != 0)
			return HF_E_PUBLIC_KEY;
		c.key = x25519;
	}
	if ((e = make_cert(made, &cert, ca, &c)) != HF_OK)
		return e;
	if (!ca_permits(&above, &cert))
		return HF_E_CONSTRAINT;
	return deliver(out, cap, len, made, cert.cose.whole.len);
}

enum hf_err
hf_cert_self(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *ca, const struct hf_cert_info *terms)
{
	uint8_t made[HF_CERT_MAX];
	struct hf__cert cert;
	struct claims c = { .terms = terms };
	enum hf_err e;

	if (!info_fits(terms) || terms->usage != HF_USAGE_CA)
		return HF_E_ARG;
	c.issuer = c.subject = name_span(&terms->subject);
	c.suites = terms->suites;
	c.suites_n = terms->suites_n;
	c.key = ca->sign_pk;
	if ((e = make_cert(made, &cert, ca, &c)) != HF_OK)
		return e;
	return deliver(out, cap, len, made, cert.cose.whole.len);
}
