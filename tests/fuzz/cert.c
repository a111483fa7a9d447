/* SPDX-License-Identifier: ISC */
/*
 * A certificate, raw or signed by the true CA: what is read and what is
 * believed holds its rules, and passes for no other kind of object.
 */
#include "objects.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span made;
	struct hf_cert_info info;
	int is_signed;

	fuzz_people();
	fuzz_random(data, len);
	made = object_of(&is_signed, HF__LABEL_CERTIFICATE,
	    (struct hf_span){ data, len });
	check_certificate(made, is_signed);
	if (is_signed)
		CLAIM(hf_request_read(&info, made.ptr, made.len) != HF_OK);
	return 0;
}
