/* SPDX-License-Identifier: ISC */
/*
 * A CA's directory: loads key and certificate, and tells whether a
 * certificate is this CA's own. It knows the three file names; options and
 * help are ca.c's and cert.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cadir.h"

int
cadir_paths(struct cadir_paths *paths, const char *dir)
{
	if (strlen(dir) + sizeof("/ca.cert") > sizeof(paths->cert))
		return cli_error(CLI_USAGE, "%s: too long a path", dir);
	(void)snprintf(paths->key, sizeof(paths->key), "%s/ca.key", dir);
	(void)snprintf(paths->cert, sizeof(paths->cert), "%s/ca.cert", dir);
	(void)snprintf(paths->list, sizeof(paths->list), "%s/ca.list", dir);
	return CLI_OK;
}

int
cadir_load(struct cadir *ca, const char *dir, const struct cli_pass *pass)
{
	uint8_t key[HF_KEY_BYTES];
	int result;

	ca->id = NULL;
	if ((result = cadir_paths(&ca->paths, dir)) != CLI_OK ||
	    (result = cli_load_chain(&ca->chain, ca->paths.cert)) != CLI_OK ||
	    (result = cli_load_leaf(&ca->info, &ca->chain, ca->paths.cert)) !=
		CLI_OK)
		return result;
	if ((ca->info.usage & HF_USAGE_CA) == 0)
		return cli_fail(HF_E_OWN_CERT, "%s", ca->paths.cert);
	result = cli_load_identity(&ca->id, ca->paths.key, pass);
	if (result != CLI_OK)
		return result;
	hf_identity_public(key, NULL, ca->id);
	if (memcmp(key, ca->info.key, sizeof(key)) != 0) {
		result = cli_fail(HF_E_OWN_CERT, "%s and %s", ca->paths.cert,
		    ca->paths.key);
		cadir_free(ca);
	}
	return result;
}

void
cadir_free(struct cadir *ca)
{
	hf_identity_free(ca->id);
	ca->id = NULL;
}

/* A CA with this one's name and key, and no other limits: what it verifies
 * has this one's signature, even where its own issuer is not at hand. */
static enum hf_err
trust_own(struct hf_trust *trust, const struct cadir *ca)
{
	struct hf_cert_info terms = { .usage = HF_USAGE_CA,
		.path_length = -1 };
	uint8_t cert[HF_CERT_MAX];
	size_t len;
	enum hf_err e;

	terms.subject = ca->info.subject;
	terms.issued = terms.not_before = cli_now();
	terms.not_after = terms.not_before + 86400; /* surely until then */
	if ((e = hf_cert_self(cert, sizeof(cert), &len, ca->id, &terms)) !=
	    HF_OK)
		return e;
	return hf_trust_add_ca(trust, cert, len);
}

/* A root's own certificate is its own, but no list ends it. The others have
 * its name and its signature: ids that anybody may write would revoke those
 * whom he likes. */
int
cadir_issued(const struct cadir *ca, const struct cli_chain *chain,
    const char *path)
{
	const struct hf_span *cert = &chain->spans[0], *own;
	struct hf_cert_info info;
	struct hf_trust *trust = NULL;
	enum hf_err e;
	int result;

	if ((result = cli_load_leaf(&info, chain, path)) != CLI_OK)
		return result;
	if (strcmp(info.issuer.text, ca->info.subject.text) != 0)
		return cli_refuse(HF_E_ISSUER,
		    "%s: issued by '%s', not by '%s'", path, info.issuer.text,
		    ca->info.subject.text);
	own = &ca->chain.spans[0];
	if (cert->len == own->len &&
	    memcmp(cert->ptr, own->ptr, own->len) == 0) {
		(void)cli_error(CLI_POLICY,
		    "%s: a root's own certificate: to revoke it has no effect",
		    path);
		cli_hint("who gives it by --trust trusts it until he gives it "
			 "no more");
		return CLI_POLICY;
	}
	if ((e = hf_trust_new(&trust)) != HF_OK ||
	    (e = trust_own(trust, ca)) != HF_OK)
		result = cli_fail(e, "%s", ca->paths.cert);
	else {
		/* The signature is judged before all that may be wrong with
		 * one that is to be revoked. */
		e = hf_trust_verify(NULL, trust, cert, 1, 0, NULL, cli_now());
		if (e != HF_OK && e != HF_E_EXPIRED && e != HF_E_NOT_YET)
			result = cli_fail(e, "%s", path);
	}
	hf_trust_free(trust);
	return result;
}

int
idset_add(struct idset *set, const uint8_t cti[HF_CTI_BYTES])
{
	uint8_t *ids;

	ids = realloc(set->ids, (set->n + 1) * HF_CTI_BYTES);
	if (ids == NULL)
		return cli_errno("a revocation list");
	set->ids = ids;
	memcpy(ids + set->n++ * HF_CTI_BYTES, cti, HF_CTI_BYTES);
	return CLI_OK;
}

static int
order(const void *a, const void *b)
{
	return memcmp(a, b, HF_CTI_BYTES);
}

void
idset_sort(struct idset *set)
{
	size_t i, kept = 0;

	if (set->n == 0)
		return;
	qsort(set->ids, set->n, HF_CTI_BYTES, order);
	for (i = 1; i < set->n; i++)
		if (order(set->ids + kept * HF_CTI_BYTES,
			set->ids + i * HF_CTI_BYTES) != 0)
			memmove(set->ids + ++kept * HF_CTI_BYTES,
			    set->ids + i * HF_CTI_BYTES, HF_CTI_BYTES);
	set->n = kept + 1;
}
