/* SPDX-License-Identifier: ISC */
/*
 * Deterministic CBOR (RFC 8949, section 4.2.1) over the caller's buffers, by
 * libcbor's streaming decoder and encoders: the only file that sees libcbor.
 * libcbor says what an item is; what makes it deterministic (shortest heads,
 * definite lengths, ordered keys, valid text, depth) is judged here. It
 * allocates nothing and believes no length. It knows no message.
 */
#include <cbor.h>
#include <string.h>

#include "internal.h"

/* --- reading: libcbor's callbacks fill one item --------------------------- */

struct decoded {
	struct hf__item item;
	bool refused; /* a type that handfast does not use */
};

static void
got(void *context, enum hf__cbor_type type, uint64_t value)
{
	struct decoded *d = context;

	d->item.type = type;
	d->item.value = value;
}

static void
on_uint8(void *c, uint8_t v)
{
	got(c, HF__UINT, v);
}

static void
on_uint16(void *c, uint16_t v)
{
	got(c, HF__UINT, v);
}

static void
on_uint32(void *c, uint32_t v)
{
	got(c, HF__UINT, v);
}

static void
on_uint64(void *c, uint64_t v)
{
	got(c, HF__UINT, v);
}

static void
on_negint8(void *c, uint8_t v)
{
	got(c, HF__NEGINT, v);
}

static void
on_negint16(void *c, uint16_t v)
{
	got(c, HF__NEGINT, v);
}

static void
on_negint32(void *c, uint32_t v)
{
	got(c, HF__NEGINT, v);
}

static void
on_negint64(void *c, uint64_t v)
{
	got(c, HF__NEGINT, v);
}

static void
on_string(void *c, cbor_data data, size_t len)
{
	struct decoded *d = c;

	got(c, HF__TEXT, len);
	d->item.span = (struct hf_span){ data, len };
}

static void
on_bytes(void *c, cbor_data data, size_t len)
{
	struct decoded *d = c;

	got(c, HF__BYTES, len);
	d->item.span = (struct hf_span){ data, len };
}

static void
on_array(void *c, size_t n)
{
	got(c, HF__LIST, n);
}

static void
on_map(void *c, size_t n)
{
	got(c, HF__MAP, n);
}

static void
on_bool(void *c, bool v)
{
	got(c, HF__BOOL, v);
}

static void
on_null(void *c)
{
	got(c, HF__NULL, 0);
}

static void
refuse(void *c)
{
	((struct decoded *)c)->refused = true;
}

static void
refuse_tag(void *c, uint64_t v)
{
	(void)v;
	refuse(c);
}

static void
refuse_float(void *c, float v)
{
	(void)v;
	refuse(c);
}

static void
refuse_double(void *c, double v)
{
	(void)v;
	refuse(c);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_negint8,
	.negint16 = on_negint16,
	.negint32 = on_negint32,
	.negint64 = on_negint64,
	.string = on_string,
	.byte_string = on_bytes,
	.array_start = on_array,
	.map_start = on_map,
	.boolean = on_bool,
	.null = on_null,
	.string_start = refuse,
	.byte_string_start = refuse,
	.indef_array_start = refuse,
	.indef_map_start = refuse,
	.indef_break = refuse,
	.undefined = refuse,
	.tag = refuse_tag,
	.float2 = refuse_float,
	.float4 = refuse_float,
	.float8 = refuse_double,
};

void
hf__read_init(struct hf__reader *r, const uint8_t *ptr, size_t len)
{
	*r = (struct hf__reader){ .ptr = ptr, .len = len };
}

void
hf__read_fail(struct hf__reader *r, enum hf_err err)
{
	if (r->err == HF_OK)
		r->err = err;
}

bool
hf__read_item(struct hf__reader *r, struct hf__item *item)
{
	struct cbor_decoder_result result;
	struct decoded d = { 0 };
	size_t left, head;

	*item = d.item;
	if (r->err != HF_OK)
		return false;
	left = r->len - r->off;
	if (left == 0 || (head = hf__cbor_head_claim(r->ptr[r->off])) == 0 ||
	    head > left)
		goto refused;
	result = cbor_stream_decode(r->ptr + r->off, left, &callbacks, &d);
	if (result.status != CBOR_DECODER_FINISHED || d.refused ||
	    result.read != head + d.item.span.len ||
	    (d.item.type < HF__NULL &&
		head != hf__cbor_head_bytes(d.item.value)))
		goto refused;
	/* A count is at most what is left: each entry takes a byte or two. */
	left -= result.read;
	if ((d.item.type == HF__LIST && d.item.value > left) ||
	    (d.item.type == HF__MAP && d.item.value > left / 2))
		goto refused;
	r->off += result.read;
	*item = d.item;
	return true;
refused:
	hf__read_fail(r, HF_E_CBOR);
	return false;
}

static bool
read_typed(struct hf__reader *r, struct hf__item *item,
    enum hf__cbor_type type, uint64_t min, uint64_t max)
{
	if (!hf__read_item(r, item))
		return false;
	if (item->type == type && item->value >= min && item->value <= max &&
	    (type != HF__TEXT || hf__text_ok(item->span.ptr, item->span.len)))
		return true;
	hf__read_fail(r, HF_E_SHAPE);
	*item = (struct hf__item){ 0 };
	return false;
}

uint64_t
hf__read_uint(struct hf__reader *r, uint64_t max)
{
	struct hf__item item;

	return read_typed(r, &item, HF__UINT, 0, max) ? item.value : 0;
}

static struct hf_span
read_string(struct hf__reader *r, enum hf__cbor_type type, size_t min,
    size_t max)
{
	struct hf__item item;

	if (!read_typed(r, &item, type, min, max))
		return (struct hf_span){ NULL, 0 };
	return item.span;
}

struct hf_span
hf__read_bytes(struct hf__reader *r, size_t min, size_t max)
{
	return read_string(r, HF__BYTES, min, max);
}

struct hf_span
hf__read_text(struct hf__reader *r, size_t min, size_t max)
{
	return read_string(r, HF__TEXT, min, max);
}

struct hf_span
hf__read_bytes_or_null(struct hf__reader *r, size_t min, size_t max)
{
	struct hf__reader ahead = *r;
	struct hf__item item;

	if (hf__read_item(&ahead, &item) && item.type == HF__NULL) {
		*r = ahead;
		return (struct hf_span){ NULL, 0 };
	}
	return hf__read_bytes(r, min, max);
}

size_t
hf__read_list(struct hf__reader *r, size_t min, size_t max)
{
	struct hf__item item;

	return read_typed(r, &item, HF__LIST, min, max) ? item.value : 0;
}

size_t
hf__read_map(struct hf__reader *r, size_t min, size_t max)
{
	struct hf__item item;

	return read_typed(r, &item, HF__MAP, min, max) ? item.value : 0;
}

/* Whether integer key a comes before b in the order of encoded bytes. */
static bool
key_before(int64_t a, int64_t b)
{
	if ((a < 0) != (b < 0))
		return b < 0;
	return a < 0 ? a > b : a < b;
}

int64_t
hf__read_key(struct hf__reader *r, struct hf__key_order *order)
{
	struct hf__item item;
	int64_t key;

	if (!hf__read_item(r, &item))
		return 0;
	if (item.type > HF__NEGINT || item.value > INT64_MAX) {
		hf__read_fail(r, HF_E_SHAPE);
		return 0;
	}
	key = item.type == HF__UINT ? (int64_t)item.value :
				      -1 - (int64_t)item.value;
	if (order->any && !key_before(order->last, key)) {
		hf__read_fail(r, HF_E_CBOR);
		return 0;
	}
	order->any = true;
	order->last = key;
	return key;
}

/* Encoded keys must rise: compared as bytes, a prefix comes first. */
static bool
bytes_rise(struct hf_span a, struct hf_span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.ptr, b.ptr, len); /* public bytes */

	return order < 0 || (order == 0 && a.len < b.len);
}

static void
skip(struct hf__reader *r, unsigned depth)
{
	struct hf_span key, last = { NULL, 0 };
	struct hf__item item;
	uint64_t i;
	size_t start;

	if (!hf__read_item(r, &item))
		return;
	if (item.type == HF__TEXT &&
	    !hf__text_ok(item.span.ptr, item.span.len))
		hf__read_fail(r, HF_E_CBOR);
	if (item.type != HF__LIST && item.type != HF__MAP)
		return;
	if (depth == 0) {
		hf__read_fail(r, HF_E_CBOR);
		return;
	}
	for (i = 0; i < item.value && r->err == HF_OK; i++) {
		start = r->off;
		skip(r, depth - 1);
		if (item.type == HF__LIST || r->err != HF_OK)
			continue;
		key = (struct hf_span){ r->ptr + start, r->off - start };
		if (last.ptr != NULL && !bytes_rise(last, key))
			hf__read_fail(r, HF_E_CBOR);
		last = key;
		skip(r, depth - 1);
	}
}

struct hf_span
hf__read_skip(struct hf__reader *r, unsigned depth)
{
	size_t start = r->off;

	skip(r, HF__DEPTH_MAX - depth);
	if (r->err != HF_OK)
		return (struct hf_span){ NULL, 0 };
	return (struct hf_span){ r->ptr + start, r->off - start };
}

enum hf_err
hf__read_end(const struct hf__reader *r)
{
	if (r->err != HF_OK)
		return r->err;
	return r->off == r->len ? HF_OK : HF_E_CBOR;
}

/* --- writing ---------------------------------------------------------------- */

void
hf__write_init(struct hf__writer *w, uint8_t *ptr, size_t cap)
{
	*w = (struct hf__writer){ .ptr = ptr, .cap = cap };
}

uint8_t *
hf__write_room(struct hf__writer *w, size_t len)
{
	uint8_t *room;

	if (w->err == HF_OK && w->ptr != NULL && len > w->cap - w->len)
		w->err = HF_E_SPACE;
	if (w->err != HF_OK)
		return NULL;
	room = w->ptr == NULL ? NULL : w->ptr + w->len;
	w->len += len;
	return room;
}

typedef size_t encoder(uint64_t, unsigned char *, size_t);

static size_t
encode_bytes_head(uint64_t n, unsigned char *out, size_t cap)
{
	return cbor_encode_bytestring_start((size_t)n, out, cap);
}

static size_t
encode_text_head(uint64_t n, unsigned char *out, size_t cap)
{
	return cbor_encode_string_start((size_t)n, out, cap);
}

static size_t
encode_list_head(uint64_t n, unsigned char *out, size_t cap)
{
	return cbor_encode_array_start((size_t)n, out, cap);
}

static size_t
encode_map_head(uint64_t n, unsigned char *out, size_t cap)
{
	return cbor_encode_map_start((size_t)n, out, cap);
}

static void
write_head(struct hf__writer *w, encoder *encode, uint64_t value)
{
	size_t len = hf__cbor_head_bytes(value);
	uint8_t *room = hf__write_room(w, len);

	if (room != NULL && encode(value, room, len) != len)
		w->err = HF_E_SPACE;
}

void
hf__write_uint(struct hf__writer *w, uint64_t value)
{
	write_head(w, cbor_encode_uint, value);
}

void
hf__write_int(struct hf__writer *w, int64_t value)
{
	if (value < 0)
		write_head(w, cbor_encode_negint, (uint64_t)(-1 - value));
	else
		write_head(w, cbor_encode_uint, (uint64_t)value);
}

void
hf__write_bytes_head(struct hf__writer *w, size_t len)
{
	write_head(w, encode_bytes_head, len);
}

static void
write_raw(struct hf__writer *w, const void *data, size_t len)
{
	uint8_t *room = hf__write_room(w, len);

	if (room != NULL && len > 0)
		memcpy(room, data, len);
}

void
hf__write_bytes(struct hf__writer *w, const void *data, size_t len)
{
	hf__write_bytes_head(w, len);
	write_raw(w, data, len);
}

void
hf__write_text(struct hf__writer *w, const char *text, size_t len)
{
	write_head(w, encode_text_head, len);
	write_raw(w, text, len);
}

void
hf__write_list(struct hf__writer *w, size_t n)
{
	write_head(w, encode_list_head, n);
}

void
hf__write_map(struct hf__writer *w, size_t n)
{
	write_head(w, encode_map_head, n);
}

void
hf__write_null(struct hf__writer *w)
{
	uint8_t *room = hf__write_room(w, 1);

	if (room != NULL && cbor_encode_null(room, 1) != 1)
		w->err = HF_E_SPACE;
}
