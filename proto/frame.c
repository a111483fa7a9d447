/* SPDX-License-Identifier: ISC */
/*
 * Framing (spec section 2.3): finds where the first message of a stream ends,
 * and refuses at the earliest byte what can never be taken in this state. It
 * looks at heads only and keeps nothing.
 */
#include "session.h"

enum { ARRAY_LEAST = 0x82, ARRAY_MOST = 0x8b, TYPE_MOST = 0x17 };

enum hf_err
hf__frame_scan(size_t *len, const struct hf_session *s, const uint8_t *ptr,
    size_t have)
{
	*len = 0;
	if (have >= 1 && (ptr[0] < ARRAY_LEAST || ptr[0] > ARRAY_MOST))
		return HF_E_SHAPE;
	if (have < 2)
		return HF_OK;
	if (ptr[1] > TYPE_MOST)
		return HF_E_SHAPE;
	if (!hf__machine_legal(s, ptr[1]))
		return HF_E_UNEXPECTED;
	return hf__cbor_extent(len, ptr, have,
	    ptr[1] == HF__RECORD ? hf__record_size(s, s->record_max) :
				   HF_MESSAGE_MAX);
}
