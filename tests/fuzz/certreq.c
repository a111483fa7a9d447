/* SPDX-License-Identifier: ISC */
/*
 * A certificate request (spec section 5.3), raw or signed by the key that the
 * CA has: whoever asks holds the key that he asks for, and what is issued for
 * the request is a certificate.
 */
#include "objects.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_cert_info info, terms = fuzz_terms("x", HF_USAGE_INITIATOR);
	uint8_t cert[HF_CERT_MAX];
	struct hf_span made;
	size_t cert_len;
	enum hf_err e;
	int is_signed;

	fuzz_people();
	fuzz_random(data, len);
	made = object_of(&is_signed, HF__LABEL_REQUEST,
	    (struct hf_span){ data, len });
	check_certificate(made, 0);
	e = hf_request_read(&info, made.ptr, made.len);
	CLAIM(e == HF_OK || e == HF_E_CBOR || e == HF_E_OBJECT ||
	    e == HF_E_SIGNATURE || e == HF_E_PUBLIC_KEY);
	if (e != HF_OK)
		return 0;
	CLAIM(!is_signed || memcmp(info.key, fuzz.ca->sign_pk, 32) == 0);
	check_name(&info.subject);
	CLAIM(info.suites_n > 0 && info.suites_n <= HF_SUITES_MAX);
	MUST(hf_cert_issue(cert, sizeof(cert), &cert_len, fuzz.ca,
	    fuzz.ca_bytes, fuzz.ca_len, &terms, made.ptr, made.len));
	check_certificate((struct hf_span){ cert, cert_len }, 1);
	CLAIM(hf_request_read(&info, made.ptr, made.len - 1) == HF_E_CBOR);
	return 0;
}
