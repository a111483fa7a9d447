/* SPDX-License-Identifier: ISC */
/*
 * A chain of certificates (spec section 5.4), every signature of which
 * verifies unless it says otherwise. What the library says of it is what the
 * steps of the specification give, exactly; they are gone through here anew,
 * over certificates as the library reads them.
 *
 * An input is the wanted usage, the expected name, then each certificate: one
 * of the genuine ones with bytes changed, or raw.
 */
#include "objects.h"

enum { GENUINE_N = 4, CERTS_MAX = HF_CHAIN_MAX + 1 };

/* A leaf by the CA, two authorities below it, a leaf by the second. */
static uint8_t genuine_bytes[GENUINE_N][HF_CERT_MAX];
static struct hf_span genuine[GENUINE_N];

static void
issue(unsigned n, const struct hf_identity *ca, struct hf_span ca_cert,
    const struct hf_identity *id, const struct hf_cert_info *terms)
{
	uint8_t request[HF_CERT_MAX];
	size_t len;

	genuine[n].ptr = genuine_bytes[n];
	MUST(hf_request_make(request, sizeof(request), &len, id, terms,
	    FUZZ_NOW));
	MUST(hf_cert_issue(genuine_bytes[n], HF_CERT_MAX, &genuine[n].len, ca,
	    ca_cert.ptr, ca_cert.len, terms, request, len));
}

static struct hf_cert_info
authority_terms(const char *name, int path_length)
{
	struct hf_cert_info terms = fuzz_terms(name, HF_USAGE_CA);

	terms.path_length = path_length;
	fuzz_name(&terms.permitted_names[0], ".org");
	fuzz_name(&terms.permitted_names[1], "sub");
	terms.permitted_names_n = 2;
	fuzz_name(&terms.permitted_realms[0], "realm");
	terms.permitted_realms_n = 1;
	return terms;
}

static void
make_genuine(void)
{
	struct hf_identity *sub[2] = { fuzz_identity(4), fuzz_identity(5) };
	struct hf_cert_info terms = authority_terms("a.sub", 1);

	genuine[0] = fuzz.server_cert;
	issue(1, fuzz.ca, (struct hf_span){ fuzz.ca_bytes, fuzz.ca_len },
	    sub[0], &terms);
	terms = authority_terms("b.org", 0);
	issue(2, sub[0], genuine[1], sub[1], &terms);
	terms = fuzz_terms("c.org", HF_USAGE_RESPONDER);
	fuzz_name(&terms.names[0], "x.c.org");
	terms.names_n = 1;
	fuzz_name(&terms.realm, "realm");
	fuzz_name(&terms.cluster, "many.org");
	issue(3, sub[1], genuine[2], fuzz.alice, &terms);
	hf_identity_free(sub[0]);
	hf_identity_free(sub[1]);
}

/* --- the steps of the specification ------------------------------------------------ */

static bool
same(struct hf_span a, struct hf_span b)
{
	return a.len == b.len &&
	    (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool
is_mark(uint8_t c)
{
	return strchr(".@/", c) != NULL && c != 0;
}

static bool
fits_suffix(struct hf_span name, const struct hf__names *suffixes)
{
	struct hf_span s;
	size_t i, at;

	for (i = 0; i < suffixes->n; i++) {
		s = suffixes->name[i];
		if (s.len > name.len)
			continue;
		at = name.len - s.len;
		if (memcmp(name.ptr + at, s.ptr, s.len) == 0 &&
		    (at == 0 || is_mark(s.ptr[0]) ||
			is_mark(name.ptr[at - 1])))
			return true;
	}
	return false;
}

/* Step 4. */
static enum hf_err
permits(const struct hf__cert *ca, const struct hf__cert *below, size_t n)
{
	bool names = ca->has_permitted_names, found;
	size_t i, k, authorities = 0;

	for (i = 0; i < n; i++)
		authorities += (below[i].usage & HF_USAGE_CA) != 0;
	if (ca->path_length >= 0 && authorities > (size_t)ca->path_length)
		return HF_E_CONSTRAINT;
	for (i = 0; i < n; i++) {
		found = below[i].realm.len == 0 ||
		    (!names && !ca->has_permitted_realms);
		for (k = 0; k < ca->permitted_realms.n; k++)
			found |=
			    same(below[i].realm, ca->permitted_realms.name[k]);
		if (names) {
			found &= fits_suffix(below[i].subject,
			    &ca->permitted_names);
			for (k = 0; k < below[i].names.n; k++)
				found &= fits_suffix(below[i].names.name[k],
				    &ca->permitted_names);
			if (below[i].cluster.len > 0)
				found &= fits_suffix(below[i].cluster,
				    &ca->permitted_names);
		}
		if (!found)
			return HF_E_CONSTRAINT;
	}
	return HF_OK;
}

static bool
verifies(const struct hf__cert *c)
{
	return c->cose.signature.ptr[63] != SKIP_REFUSED;
}

static bool
key_ok(const struct hf__cert *c)
{
	return (c->usage & (HF_USAGE_CA | HF_USAGE_CLUSTER)) == 0 ||
	    crypto_core_ed25519_is_valid_point(c->key.ptr) == 1;
}

/* Steps 2.1 to 2.5 for one certificate. */
static enum hf_err
link_up(struct hf__cert *certs, const struct hf_span *chain, size_t n,
    size_t i)
{
	static const struct hf_span ca = { (const uint8_t *)"CA", 2 };
	enum hf_err e;

	if (same(certs[i].issuer, certs[i].subject))
		return HF_E_ISSUER;
	if (i + 1 < n) {
		e = hf__cert_parse(&certs[i + 1], chain[i + 1].ptr,
		    chain[i + 1].len);
		if (e != HF_OK)
			return e;
		if (!same(certs[i + 1].subject, certs[i].issuer))
			return HF_E_ISSUER;
		if ((certs[i + 1].usage & HF_USAGE_CA) == 0)
			return HF_E_USAGE;
	} else if (!same(certs[i].issuer, ca)) {
		return HF_E_ISSUER;
	}
	if (!verifies(&certs[i]))
		return HF_E_SIGNATURE;
	if (!key_ok(&certs[i]))
		return HF_E_OBJECT;
	if (FUZZ_NOW < certs[i].not_before)
		return HF_E_NOT_YET;
	return FUZZ_NOW >= certs[i].not_after ? HF_E_EXPIRED : HF_OK;
}

static enum hf_err
steps(const struct hf_span *chain, size_t n, unsigned usage, const char *name)
{
	struct hf__cert certs[HF_CHAIN_MAX];
	struct hf_span want = { (const uint8_t *)name, 0 };
	enum hf_err e;
	size_t i;
	bool named;

	if (n == 0 || n > HF_CHAIN_MAX)
		return HF_E_ARG;
	e = hf__cert_parse(&certs[0], chain[0].ptr, chain[0].len);
	for (i = 0; i < n && e == HF_OK; i++) {
		e = link_up(certs, chain, n, i);
		if (e == HF_OK && i == 0 && (certs[0].usage & usage) != usage)
			e = HF_E_USAGE;
		if (e == HF_OK && i > 0)
			e = permits(&certs[i], certs, i);
	}
	if (e != HF_OK || name == NULL)
		return e;
	want.len = strlen(name);
	named = same(certs[0].subject, want) || same(certs[0].cluster, want);
	for (i = 0; i < certs[0].names.n; i++)
		named |= same(certs[0].names.name[i], want);
	return named ? HF_OK : HF_E_NAME;
}

/* --- inputs ------------------------------------------------------------------------- */

/* A genuine one with bytes changed, or raw bytes. */
static struct hf_span
next_cert(uint8_t room[HF_CERT_MAX + 8], struct hf_span *in)
{
	unsigned pick = in_byte(in), n;
	struct hf_span cert;
	size_t at;

	if (pick % 8 >= GENUINE_N)
		return in_span(in, in_word(in) % (HF_CERT_MAX + 8));
	cert = genuine[pick % 8];
	memcpy(room, cert.ptr, cert.len);
	for (n = pick / 8 % 8; n > 0; n--) {
		at = in_word(in) % cert.len;
		room[at] ^= (uint8_t)in_byte(in);
	}
	return (struct hf_span){ room, cert.len };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const names[] = { NULL, "server", "x.c.org",
		"many.org" };
	static uint8_t room[CERTS_MAX][HF_CERT_MAX + 8];
	struct hf_span in = { data, len }, chain[CERTS_MAX];
	unsigned usage, what;
	const char *name;
	enum hf_err e;
	size_t n = 0;

	fuzz_skip = SKIP_SEALS;
	fuzz_people();
	fuzz_random(NULL, 0);
	if (genuine[1].ptr == NULL)
		make_genuine();
	what = in_byte(&in);
	usage = what % 32;
	name = names[what / 32 % 4];
	while (n < CERTS_MAX && in.len > 0) {
		chain[n] = next_cert(room[n], &in);
		n++;
	}
	e = hf_trust_verify(NULL, fuzz.trust, chain, n, usage, name, FUZZ_NOW);
	CLAIM(e == steps(chain, n, usage, name));
	/* A second time from the cache, which has no word in it. */
	if (n > 0 && n <= HF_CHAIN_MAX) {
		static struct hf__cache cache;
		struct hf__cert leaf;

		CLAIM(hf__chain_verify(&leaf, fuzz.trust, &cache, chain, n,
			  usage, name, FUZZ_NOW) == e);
		CLAIM(hf__chain_verify(&leaf, fuzz.trust, &cache, chain, n,
			  usage, name, FUZZ_NOW) == e);
	}
	return 0;
}
