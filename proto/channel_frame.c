/* SPDX-License-Identifier: ISC */
/*
 * The form of a channel's frames (spec section 20.2). It does not know which
 * channels there are.
 */
#include "channel.h"

enum { SHORT_FIELDS = 2, FIELDS = 3, REASON_MAX = 255 };

/* What the specification says is never sent: none, and what an end only tells
 * its own applications. */
bool
hf__reason_sent(uint64_t reason)
{
	return (reason >= 1 && reason <= 127) ||
	    (reason >= 192 && reason <= REASON_MAX);
}

enum hf_err
hf__frame_get(struct hf__frame *f, struct hf__reader *r)
{
	size_t n = hf__read_list(r, SHORT_FIELDS, FIELDS);
	uint64_t type = hf__read_uint(r, UINT64_MAX);

	*f = (struct hf__frame){ 0 };
	if (r->err != HF_OK)
		return r->err;
	if (type > HF__FRAME_RESET)
		return HF_E_UNEXPECTED;
	f->type = (enum hf__frame_type)type;
	if (n != (f->type == HF__FRAME_FIN ? SHORT_FIELDS : FIELDS))
		return HF_E_SHAPE;
	f->number = (uint32_t)hf__read_uint(r, UINT32_MAX);
	switch (f->type) {
	case HF__FRAME_OPEN:
		f->span = hf__read_text(r, 0, HF_LABEL_MAX);
		break;
	case HF__FRAME_DATA:
		f->span = hf__read_bytes(r, 1, HF_PLAINTEXT_MAX);
		break;
	case HF__FRAME_CREDIT:
		f->value = (uint32_t)hf__read_uint(r, HF_CREDIT_MAX);
		if (f->value == 0)
			hf__read_fail(r, HF_E_SHAPE);
		break;
	case HF__FRAME_FIN:
		break;
	case HF__FRAME_RESET:
		f->value = (uint32_t)hf__read_uint(r, REASON_MAX);
		if (!hf__reason_sent(f->value))
			hf__read_fail(r, HF_E_SHAPE);
		break;
	}
	return r->err;
}

void
hf__frame_put(struct hf__writer *w, const struct hf__frame *f)
{
	hf__write_list(w, f->type == HF__FRAME_FIN ? SHORT_FIELDS : FIELDS);
	hf__write_uint(w, f->type);
	hf__write_uint(w, f->number);
	switch (f->type) {
	case HF__FRAME_OPEN:
		hf__write_text(w, (const char *)f->span.ptr, f->span.len);
		break;
	case HF__FRAME_DATA:
		hf__write_bytes(w, f->span.ptr, f->span.len);
		break;
	case HF__FRAME_CREDIT:
	case HF__FRAME_RESET:
		hf__write_uint(w, f->value);
		break;
	case HF__FRAME_FIN:
		break;
	}
}
