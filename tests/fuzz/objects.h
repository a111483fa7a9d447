/* SPDX-License-Identifier: ISC */
/*
 * What certificates and the like are held to, for the fuzzers of each. Claims
 * come as raw bytes, or signed by the true CA whatever they say; raw bytes are
 * never believed, for nobody signed them.
 */
#ifndef HANDFAST_OBJECTS_H
#define HANDFAST_OBJECTS_H

#include "cert.h"
#include "fuzzing.h"

enum { OBJECT_MAX = 1 << 16 };

/* The claims, signed by the CA as that kind of object. */
static inline struct hf_span
object_sign(const char *label, struct hf_span claims)
{
	static uint8_t object[OBJECT_MAX + 256];
	struct hf_span out = { object, 0 };

	MUST(hf__sign1_make(object, sizeof(object), &out.len, fuzz.ca, label,
	    claims.ptr, claims.len));
	return out;
}

/* The first byte of an input says whether it is signed. */
static inline struct hf_span
object_of(int *is_signed, const char *label, struct hf_span in)
{
	*is_signed = (in_byte(&in) & 1) != 0 && in.len <= OBJECT_MAX;
	return *is_signed ? object_sign(label, in) : in;
}

static inline void
check_name(const struct hf_name *name)
{
	CLAIM(name->len > 0 && name->len == strlen(name->text));
	CLAIM(hf__text_ok((const uint8_t *)name->text, name->len));
}

/* Of any certificate that is read. */
static inline void
check_info(const struct hf_cert_info *c)
{
	int authority = (c->usage & (HF_USAGE_CA | HF_USAGE_CLUSTER)) != 0;
	size_t i;

	check_name(&c->issuer);
	check_name(&c->subject);
	CLAIM(c->not_before < c->not_after);
	CLAIM(c->not_after <= HF__TIME_MAX && c->issued <= HF__TIME_MAX);
	CLAIM(c->usage > 0 && c->usage < 32);
	CLAIM(!authority || (c->usage & (c->usage - 1)) == 0);
	CLAIM(authority || c->suites_n > 0);
	CLAIM(c->usage == HF_USAGE_CA ||
	    (c->path_length == -1 && c->permitted_names_n == 0 &&
		c->permitted_realms_n == 0));
	CLAIM(strchr(c->realm.text, '@') == NULL);
	for (i = 0; i < c->permitted_realms_n; i++)
		CLAIM(strchr(c->permitted_realms[i].text, '@') == NULL);
	CLAIM(c->path_length >= -1 && c->path_length <= 3);
	CLAIM(c->names_n <= HF_NAMES_MAX && c->suites_n <= HF_SUITES_MAX);
	CLAIM(c->cost_mib == 0 || (c->cost_mib >= 64 && c->cost_mib <= 1024));
	CLAIM(
	    c->cost_mib == 0 || (c->cost_passes >= 2 && c->cost_passes <= 10));
	for (i = 0; i < c->names_n; i++) {
		check_name(&c->names[i]);
		CLAIM(hf_cert_named(c, c->names[i].text));
	}
}

static inline void
check_certificate(struct hf_span cert, int is_signed)
{
	struct hf_cert_info info;
	enum hf_err e;

	if (hf_cert_read(&info, cert.ptr, cert.len) == HF_OK) {
		check_info(&info);
		CLAIM(cert.len <= HF_CERT_MAX);
		/* The one encoding: nothing shorter, nothing behind. */
		CLAIM(
		    hf_cert_read(&info, cert.ptr, cert.len - 1) == HF_E_CBOR);
	}
	e = hf_trust_verify(&info, fuzz.trust, &cert, 1, 0, NULL, FUZZ_NOW);
	CLAIM(is_signed || e != HF_OK);
	if (e != HF_OK)
		return;
	check_info(&info);
	CLAIM(strcmp(info.issuer.text, "CA") == 0);
	CLAIM(info.not_before <= FUZZ_NOW && FUZZ_NOW < info.not_after);
	CLAIM(hf_trust_verify(NULL, fuzz.trust, &cert, 1, ~info.usage & 31U,
		  NULL, FUZZ_NOW) == HF_E_USAGE);
	CLAIM(hf_trust_verify(NULL, fuzz.trust, &cert, 1, 0, "\n", FUZZ_NOW) ==
	    HF_E_NAME);
}

#endif
