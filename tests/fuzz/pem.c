/* SPDX-License-Identifier: ISC */
/*
 * Text blocks: reading never passes the text, says how far it came, and what
 * it reads is what writing gives back.
 */
#include "fuzzing.h"

static const char label[] = "HANDFAST CERTIFICATE";

/* The text of a block again, with LF for CR LF. */
static void
check_block(struct hf_span data, struct hf_span block)
{
	static char text[1 << 17];
	size_t len, i, k = 0;

	MUST(hf_pem_encode(text, sizeof(text), &len, label, data.ptr,
	    data.len));
	for (i = 0; i < block.len; i++) {
		if (block.ptr[i] == '\r' && i + 1 < block.len &&
		    block.ptr[i + 1] == '\n')
			continue;
		if (block.ptr[i] == '\r' && i + 1 == block.len)
			break;
		CLAIM(k < len && (uint8_t)text[k] == block.ptr[i]);
		k++;
	}
	CLAIM(k == len || k + 1 == len); /* the last LF may be missing */
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t text_len)
{
	const char *text = (const char *)bytes, *begin;
	static uint8_t out[1 << 16], again[1 << 16];
	size_t at = 0, used, len, len2, used2;
	enum hf_err e;

	if (text_len > sizeof(out))
		return 0;
	do {
		e = hf_pem_decode(out, sizeof(out), &len, &used, label,
		    text + at, text_len - at);
		CLAIM(used <= text_len - at);
		if (e != HF_OK) {
			CLAIM(e == HF_E_OBJECT && len == 0);
			break;
		}
		CLAIM(len > 0 && used > 2 * strlen(label) + 30);
		/* Just enough room, and one byte less. */
		MUST(hf_pem_decode(again, len, &len2, &used2, label, text + at,
		    text_len - at));
		CLAIM(len2 == len && used2 == used);
		CLAIM(memcmp(out, again, len) == 0);
		CLAIM(hf_pem_decode(again, len - 1, &len2, &used2, label,
			  text + at, text_len - at) == HF_E_SPACE);
		CLAIM(len2 == len);
		/* Where the block begins: at the last such line. */
		begin = text + at + used - 10;
		do {
			begin--;
		} while (
		    begin > text + at && memcmp(begin, "-----BEGIN", 10) != 0);
		check_block((struct hf_span){ out, len },
		    (struct hf_span){ (const uint8_t *)begin,
			(size_t)(text + at + used - begin) });
		at += used;
	} while (at < text_len);
	return 0;
}
