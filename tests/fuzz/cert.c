/* SPDX-License-Identifier: ISC */
/*
 * Certificates, requests, lists and chains: as raw bytes, and as claims that
 * the true CA signed whatever they say. What is accepted holds its rules; raw
 * bytes are never believed, for nobody signed them.
 */
#include "fuzzing.h"
#include "cert.h"

enum { RAW, CERTIFICATE, REQUEST, LIST, CHAIN, KINDS };

static uint8_t object[70000];

/* Signs the claims as that kind of object; raw bytes stay as they are. */
static struct hf_span
make(unsigned kind, const struct hf_identity *by, struct hf_span claims)
{
	static const char *const label[] = { NULL, HF__LABEL_CERTIFICATE,
		HF__LABEL_REQUEST, HF__LABEL_LIST };
	struct hf_span out = { object, 0 };

	if (kind == RAW || claims.len > 65536)
		return claims;
	MUST(hf__sign1_make(object, sizeof(object), &out.len, by, label[kind],
	    claims.ptr, claims.len));
	return out;
}

static void
check_info(const struct hf_cert_info *c)
{
	int authority = (c->usage & (HF_USAGE_CA | HF_USAGE_CLUSTER)) != 0;
	size_t i;

	CLAIM(c->issuer.len > 0 && c->subject.len > 0);
	CLAIM(c->subject.len == strlen(c->subject.text));
	CLAIM(hf__text_ok((const uint8_t *)c->subject.text, c->subject.len));
	CLAIM(c->not_before < c->not_after);
	CLAIM(c->not_after <= HF__TIME_MAX && c->issued <= HF__TIME_MAX);
	CLAIM(c->usage > 0 && c->usage < 32);
	CLAIM(!authority || (c->usage & (c->usage - 1)) == 0);
	CLAIM(authority ||
	    (c->suites_n > 0 && c->path_length == -1 &&
		c->permitted_names_n == 0 && c->permitted_realms_n == 0));
	CLAIM(c->path_length >= -1 && c->path_length <= 3);
	CLAIM(c->names_n <= HF_NAMES_MAX && c->suites_n <= HF_SUITES_MAX);
	CLAIM(c->cost_mib == 0 || (c->cost_mib >= 64 && c->cost_mib <= 1024));
	CLAIM(
	    c->cost_mib == 0 || (c->cost_passes >= 2 && c->cost_passes <= 10));
	for (i = 0; i < c->names_n; i++)
		CLAIM(hf_cert_named(c, c->names[i].text));
}

static void
fuzz_certificate(struct hf_span cert, int signed_by_ca)
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
	CLAIM(signed_by_ca || e != HF_OK);
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

/* The ids of what is read as a list rise. */
static void
fuzz_list(struct hf_span list)
{
	uint8_t id[2][HF_CTI_BYTES];
	struct hf_list_info info;
	struct hf_trust *trust;
	size_t i;

	if (hf_list_read(&info, list.ptr, list.len) != HF_OK)
		return;
	CLAIM(info.issuer.len > 0 && info.number <= HF__TIME_MAX);
	CLAIM(info.ids.len == info.n * (1 + HF_CTI_BYTES));
	for (i = 0; i < info.n; i++) {
		MUST(hf_list_id(id[i & 1], &info, i));
		CLAIM(
		    i == 0 || memcmp(id[~i & 1], id[i & 1], HF_CTI_BYTES) < 0);
	}
	CLAIM(hf_list_id(id[0], &info, info.n) == HF_E_ARG);
	MUST(hf_trust_new(&trust));
	MUST(hf_trust_add_ca(trust, fuzz.ca_bytes, fuzz.ca_len));
	if (hf_trust_add_list(trust, list.ptr, list.len) == HF_OK)
		CLAIM(strcmp(info.issuer.text, "CA") == 0);
	hf_trust_free(trust);
}

static void
fuzz_request(struct hf_span request)
{
	struct hf_cert_info info, terms = fuzz_terms("x", 2);
	uint8_t cert[HF_CERT_MAX];
	size_t len;

	if (hf_request_read(&info, request.ptr, request.len) != HF_OK)
		return;
	/* Signed by the key in it: the CA's, here. */
	CLAIM(memcmp(info.key, fuzz.ca->sign_pk, 32) == 0);
	CLAIM(info.subject.len > 0 && info.suites_n > 0);
	MUST(hf_cert_issue(cert, sizeof(cert), &len, fuzz.ca, fuzz.ca_bytes,
	    fuzz.ca_len, &terms, request.ptr, request.len));
	fuzz_certificate((struct hf_span){ cert, len }, 1);
}

/* Pieces of the input, and genuine certificates, as a chain. */
static void
fuzz_chain(struct hf_span in)
{
	struct hf_span chain[HF_CHAIN_MAX];
	struct hf_config *c;
	unsigned pick;
	size_t n = 0;
	enum hf_err e;

	while (n < HF_CHAIN_MAX && in.len > 0) {
		pick = in_byte(&in);
		chain[n++] = pick == 0 ?
		    fuzz.server_cert :
		    pick == 1 ?
		    (struct hf_span){ fuzz.ca_bytes, fuzz.ca_len } :
		    in_span(&in, in_word(&in) % (HF_CERT_MAX + 8));
	}
	e = hf_trust_verify(NULL, fuzz.trust, chain, n, 0, NULL, FUZZ_NOW);
	CLAIM(
	    (e == HF_OK) == (n == 1 && chain[0].ptr == fuzz.server_cert.ptr));
	MUST(hf_config_new(&c, HF_INITIATOR));
	(void)!hf_config_responder(c, chain, n);
	hf_config_free(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len }, made;
	unsigned kind;

	fuzz_people();
	fuzz_random(data, len);
	kind = in_byte(&in) % KINDS;
	if (kind == CHAIN) {
		fuzz_chain(in);
		return 0;
	}
	made = make(kind, fuzz.ca, in);
	fuzz_certificate(made, kind == CERTIFICATE);
	fuzz_list(made);
	if (kind != CERTIFICATE && kind != LIST)
		fuzz_request(made);
	else
		CLAIM(hf_request_read(&(struct hf_cert_info){ 0 }, made.ptr,
			  made.len) != HF_OK);
	return 0;
}
