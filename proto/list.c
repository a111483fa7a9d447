/* SPDX-License-Identifier: ISC */
/*
 * Revocation lists: making and reading (spec section 5.5). It knows their
 * form; whose they are and which one rules is trust.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "cert.h"

enum {
	KEY_NUMBER = -1,
	KEY_IDS = -2,
	ID_STRIDE = 1 + HF_CTI_BYTES,
	SEEN_NUMBER = 2,
	SEEN_IDS = 4,
	REQUIRED = HF__SEEN_HANDFAST | SEEN_NUMBER | SEEN_IDS |
	    HF__SEEN(HF__CLAIM_EXP) | HF__SEEN(HF__CLAIM_IAT)
};

static int
order_ids(const void *a, const void *b)
{
	return memcmp(a, b, HF_CTI_BYTES); /* public */
}

/* Sorts the ids and drops those that stand twice. */
static size_t
sort_ids(uint8_t *ids, size_t n)
{
	size_t i, kept = 0;

	qsort(ids, n, HF_CTI_BYTES, order_ids);
	for (i = 0; i < n; i++)
		if (kept == 0 ||
		    order_ids(ids + (kept - 1) * HF_CTI_BYTES,
			ids + i * HF_CTI_BYTES) != 0)
			memmove(ids + kept++ * HF_CTI_BYTES,
			    ids + i * HF_CTI_BYTES, HF_CTI_BYTES);
	return kept;
}

static void
write_number(struct hf__writer *w, int64_t key, uint64_t value)
{
	hf__write_int(w, key);
	hf__write_uint(w, value);
}

static void
write_list(struct hf__writer *w, const struct hf_list_info *info,
    const uint8_t *ids)
{
	size_t i;

	hf__write_map(w, 4);
	hf__write_int(w, HF__CLAIM_ISS);
	hf__write_text(w, info->issuer.text, info->issuer.len);
	write_number(w, HF__CLAIM_EXP, info->next_update);
	write_number(w, HF__CLAIM_IAT, info->issued);
	hf__write_int(w, HF__CLAIM_HANDFAST);
	hf__write_map(w, 2);
	write_number(w, KEY_NUMBER, info->number);
	hf__write_int(w, KEY_IDS);
	hf__write_list(w, info->n);
	for (i = 0; i < info->n; i++)
		hf__write_bytes(w, ids + i * HF_CTI_BYTES, HF_CTI_BYTES);
}

enum hf_err
hf_list_make(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *ca, const uint8_t *ca_cert, size_t ca_cert_len,
    uint64_t number, const uint8_t *ids, size_t n, uint64_t now,
    uint64_t next_update)
{
	struct hf_list_info info = { .number = number,
		.issued = now,
		.next_update = next_update };
	uint8_t *sorted = NULL, *payload = NULL;
	struct hf__cert cert;
	struct hf__writer w;
	enum hf_err e;

	if (number > HF__TIME_MAX || next_update > HF__TIME_MAX ||
	    next_update <= now || n > HF_LIST_MAX / ID_STRIDE)
		return HF_E_ARG;
	if ((e = hf__cert_own_ca(&cert, ca, ca_cert, ca_cert_len)) != HF_OK)
		return e;
	hf__name_copy(&info.issuer, cert.subject);
	e = HF_E_MEMORY;
	if ((sorted = malloc(n * HF_CTI_BYTES + 1)) == NULL)
		goto out;
	if (n > 0)
		memcpy(sorted, ids, n * HF_CTI_BYTES);
	info.n = sort_ids(sorted, n);
	hf__write_init(&w, NULL, 0);
	write_list(&w, &info, sorted);
	if ((payload = malloc(w.len)) == NULL)
		goto out;
	hf__write_init(&w, payload, w.len);
	write_list(&w, &info, sorted);
	if ((e = w.err) != HF_OK ||
	    (e = hf__sign1_make(NULL, 0, len, ca, HF__LABEL_LIST, payload,
		 w.len)) != HF_E_SPACE)
		goto out;
	e = *len > HF_LIST_MAX ?
	    HF_E_ARG :
	    hf__sign1_make(out, cap, len, ca, HF__LABEL_LIST, payload, w.len);
out:
	free(sorted);
	free(payload);
	return e;
}

static void
read_ids(struct hf__reader *r, struct hf_list_info *info)
{
	struct hf_span id, last = { NULL, 0 };
	size_t i, n;

	n = hf__read_list(r, 0, HF_LIST_MAX / ID_STRIDE);
	info->ids.ptr = r->ptr + r->off;
	for (i = 0; i < n && r->err == HF_OK; i++) {
		id = hf__read_bytes(r, HF_CTI_BYTES, HF_CTI_BYTES);
		if (id.ptr != NULL && last.ptr != NULL &&
		    order_ids(last.ptr, id.ptr) >= 0)
			hf__read_fail(r, HF_E_OBJECT);
		last = id;
	}
	info->ids.len = (size_t)(r->ptr + r->off - info->ids.ptr);
	info->n = n;
}

static void
read_handfast(struct hf__reader *r, struct hf_list_info *info, unsigned *seen)
{
	struct hf__key_order order = { 0 };
	size_t i, n;
	int64_t key;

	n = hf__read_map(r, 0, HF_LIST_MAX);
	for (i = 0; i < n && r->err == HF_OK; i++) {
		switch (key = hf__read_key(r, &order)) {
		case KEY_NUMBER:
			info->number = hf__read_time(r);
			*seen |= SEEN_NUMBER;
			break;
		case KEY_IDS:
			read_ids(r, info);
			*seen |= SEEN_IDS;
			break;
		default:
			hf__read_unknown(r, key, 2);
		}
	}
}

static void
read_claim(struct hf__reader *r, struct hf_list_info *info, int64_t key,
    unsigned *seen)
{
	switch (key) {
	case HF__CLAIM_ISS:
		hf__name_copy(&info->issuer, hf__read_text(r, 1, HF_NAME_MAX));
		break;
	case HF__CLAIM_EXP:
		info->next_update = hf__read_time(r);
		*seen |= HF__SEEN(HF__CLAIM_EXP);
		break;
	case HF__CLAIM_IAT:
		info->issued = hf__read_time(r);
		*seen |= HF__SEEN(HF__CLAIM_IAT);
		break;
	case HF__CLAIM_HANDFAST:
		read_handfast(r, info, seen);
		*seen |= HF__SEEN_HANDFAST;
		break;
	default:
		hf__read_unknown(r, key, 1);
	}
}

enum hf_err
hf_list_read(struct hf_list_info *info, const uint8_t *list, size_t len)
{
	struct hf__key_order order = { 0 };
	struct hf__reader whole, r;
	struct hf__sign1 cose;
	unsigned seen = 0;
	size_t i, n;
	enum hf_err e;

	memset(info, 0, sizeof(*info));
	if (len > HF_LIST_MAX)
		return HF_E_OBJECT;
	if ((e = hf__sign1_begin(&cose, &whole, list, len)) != HF_OK)
		return e;
	hf__read_init(&r, cose.payload.ptr, cose.payload.len);
	n = hf__read_map(&r, 0, HF_LIST_MAX);
	for (i = 0; i < n && r.err == HF_OK; i++)
		read_claim(&r, info, hf__read_key(&r, &order), &seen);
	if ((e = hf__read_end(&r)) != HF_OK)
		return hf__object_err(e);
	if ((e = hf__sign1_end(&cose, &whole)) != HF_OK)
		return e;
	return info->issuer.len > 0 && (seen & REQUIRED) == REQUIRED ?
	    HF_OK :
	    HF_E_OBJECT;
}

enum hf_err
hf_list_id(uint8_t cti[HF_CTI_BYTES], const struct hf_list_info *info,
    size_t i)
{
	if (i >= info->n)
		return HF_E_ARG;
	memcpy(cti, info->ids.ptr + i * ID_STRIDE + 1, HF_CTI_BYTES);
	return HF_OK;
}
