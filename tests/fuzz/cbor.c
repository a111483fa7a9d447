/* SPDX-License-Identifier: ISC */
/*
 * CBOR, three ways over the same bytes: the finder of ends, the strict reader
 * and a walk written for this test alone. Ends agree; no prefix of an item is
 * an item; what the reader takes has one encoding, which another encoder
 * gives back.
 */
#include "walk.h"

enum { LIMIT = HF_MESSAGE_MAX };

/* Copies one item that was read by encoding it again. */
static void
encode(struct hf__writer *w, struct hf__reader *r)
{
	struct hf__item item;
	uint8_t *room;
	uint64_t n;

	CLAIM(hf__read_item(r, &item));
	switch (item.type) {
	case HF__UINT:
		hf__write_uint(w, item.value);
		return;
	case HF__NEGINT:
		if (item.value <= INT64_MAX) {
			hf__write_int(w, -1 - (int64_t)item.value);
			return;
		}
		/* below any int64_t: as a count, its major type changed */
		room = w->ptr + w->len;
		hf__write_uint(w, item.value);
		*room |= 1U << 5;
		return;
	case HF__BYTES:
		hf__write_bytes(w, item.span.ptr, item.span.len);
		return;
	case HF__TEXT:
		hf__write_text(w, (const char *)item.span.ptr, item.span.len);
		return;
	case HF__NULL:
		hf__write_null(w);
		return;
	case HF__BOOL:
		if ((room = hf__write_room(w, 1)) != NULL)
			*room = r->ptr[r->off - 1];
		return;
	case HF__LIST:
		hf__write_list(w, item.value);
		break;
	case HF__MAP:
		hf__write_map(w, item.value);
		break;
	}
	for (n = item.value * (item.type == HF__MAP ? 2 : 1); n > 0; n--)
		encode(w, r);
}

static void
check_ends(const uint8_t *data, size_t len)
{
	size_t n, k, step = len / 64 + 1, first = 0;
	enum hf_err e = hf__cbor_extent(&n, data, len, LIMIT), before;
	size_t end;

	CLAIM(walk(&end, (struct hf_span){ data, len }, 0, 0, LIMIT) == e);
	CLAIM(e == HF_OK ? n == end : n == 0);
	for (k = 0; k < len; k += step) {
		before = hf__cbor_extent(&first, data, k, LIMIT);
		if (n > 0 && k >= n) {
			CLAIM(before == HF_OK && first == n);
			continue;
		}
		/* Not yet, or for the same reason that stands later. */
		CLAIM(first == 0);
		CLAIM(before == HF_OK || before == e);
	}
	if (n > 0) {
		MUST(hf__cbor_extent(&first, data, n - 1, LIMIT));
		CLAIM(first == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t out[1 << 16];
	struct hf__reader r, again;
	struct hf_span item;
	struct hf__writer w;
	size_t n;

	if (len > sizeof(out))
		return 0;
	check_ends(data, len);
	hf__read_init(&r, data, len);
	item = hf__read_skip(&r, 0);
	if (r.err != HF_OK) {
		CLAIM(r.err == HF_E_CBOR && item.ptr == NULL);
		return 0;
	}
	CLAIM(item.len == r.off && item.len > 0);
	if (item.len <= LIMIT) {
		MUST(hf__cbor_extent(&n, data, len, LIMIT));
		CLAIM(n == item.len);
	}
	hf__write_init(&w, out, sizeof(out));
	hf__read_init(&again, data, item.len);
	encode(&w, &again);
	MUST(hf__read_end(&again));
	MUST(w.err);
	CLAIM(w.len == item.len && memcmp(out, data, w.len) == 0);
	/* No prefix is an item. */
	hf__read_init(&r, data, item.len - 1);
	(void)hf__read_skip(&r, 0);
	CLAIM(hf__read_end(&r) == HF_E_CBOR);
	return 0;
}
