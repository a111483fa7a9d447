/* SPDX-License-Identifier: ISC */
/*
 * A revocation list (spec section 5.5), raw or signed by the true CA: ids rise
 * and are found, raw bytes are never believed, and one that is believed
 * refuses whom it names.
 */
#include "objects.h"

static void
check_ids(const struct hf_list_info *info)
{
	uint8_t id[2][HF_CTI_BYTES];
	size_t i;

	CLAIM(info->ids.len == info->n * (1 + HF_CTI_BYTES));
	for (i = 0; i < info->n; i++) {
		MUST(hf_list_id(id[i & 1], info, i));
		CLAIM(
		    i == 0 || memcmp(id[~i & 1], id[i & 1], HF_CTI_BYTES) < 0);
	}
	CLAIM(hf_list_id(id[0], info, info->n) == HF_E_ARG);
}

/* What the server's certificate is worth beside the list. */
static enum hf_err
verdict(const struct hf_list_info *info)
{
	struct hf_cert_info server;
	uint8_t id[HF_CTI_BYTES];
	size_t i;

	MUST(
	    hf_cert_read(&server, fuzz.server_cert.ptr, fuzz.server_cert.len));
	for (i = 0; i < info->n; i++) {
		MUST(hf_list_id(id, info, i));
		if (memcmp(id, server.cti, sizeof(id)) == 0)
			return HF_E_REVOKED;
	}
	return FUZZ_NOW >= info->next_update ? HF_E_STALE_LIST : HF_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_list_info info;
	struct hf_trust *trust;
	struct hf_span made;
	enum hf_err e, added;
	int is_signed;

	fuzz_people();
	fuzz_random(data, len);
	made = object_of(&is_signed, HF__LABEL_LIST,
	    (struct hf_span){ data, len });
	check_certificate(made, 0);
	e = hf_list_read(&info, made.ptr, made.len);
	CLAIM(e == HF_OK || e == HF_E_CBOR || e == HF_E_OBJECT);
	MUST(hf_trust_new(&trust));
	MUST(hf_trust_add_ca(trust, fuzz.ca_bytes, fuzz.ca_len));
	added = hf_trust_add_list(trust, made.ptr, made.len);
	if (e == HF_OK) {
		check_name(&info.issuer);
		check_ids(&info);
		CLAIM(info.number <= HF__TIME_MAX);
		CLAIM((added == HF_OK) ==
		    (is_signed && strcmp(info.issuer.text, "CA") == 0));
	} else
		CLAIM(added == e);
	if (added == HF_OK)
		CLAIM(hf_trust_verify(NULL, trust, &fuzz.server_cert, 1, 0,
			  NULL, FUZZ_NOW) == verdict(&info));
	hf_trust_free(trust);
	return 0;
}
