/* SPDX-License-Identifier: ISC */
/*
 * A walk over the heads of one item of CBOR, written for the fuzzers alone
 * from spec/handfast.md, sections 2.2 and 2.3: what the library says of ends
 * and of the first fault is held to it.
 */
#ifndef HANDFAST_WALK_H
#define HANDFAST_WALK_H

#include "fuzzing.h"

/* The end of the item at off; *end 0 where more bytes are needed. Of one head
 * first the encoding is judged, then size, then depth. */
static inline enum hf_err
walk(size_t *end, struct hf_span in, size_t off, unsigned depth, size_t limit)
{
	static const unsigned extra[] = { 1, 2, 4, 8 };
	unsigned major, info, k;
	uint64_t value;
	enum hf_err e;

	*end = 0;
	if (off >= in.len)
		return HF_OK;
	major = in.ptr[off] >> 5;
	info = in.ptr[off++] & 31;
	if (major == 6 || info > 27 ||
	    (major == 7 && (info < 20 || info > 22)))
		return HF_E_CBOR;
	value = info;
	if (info >= 24) {
		if (in.len - off < extra[info - 24])
			return HF_OK;
		for (value = 0, k = 0; k < extra[info - 24]; k++)
			value = value << 8 | in.ptr[off++];
		if (value < (info == 24 ? 24 : 1ULL << extra[info - 25] * 8))
			return HF_E_CBOR;
	}
	if (off > limit)
		return HF_E_TOO_BIG;
	*end = off;
	if (major < 2 || major == 7)
		return HF_OK;
	if (value > limit - off)
		return HF_E_TOO_BIG;
	if (major < 4) {
		*end = value > in.len - off ? 0 : off + (size_t)value;
		return HF_OK;
	}
	if (depth == 8)
		return HF_E_CBOR;
	for (value *= major == 5 ? 2 : 1; value > 0; value--)
		if ((e = walk(end, in, *end, depth + 1, limit)) != HF_OK ||
		    *end == 0)
			return e;
	return HF_OK;
}

#endif
