/* SPDX-License-Identifier: ISC */
/*
 * One head of CBOR and the string behind it, by libcbor's streaming decoder:
 * the only file of the program that sees libcbor. What heads make up
 * together it refuses to know.
 */
#include <cbor.h>
#include <string.h>

#include "inspect.h"

static void
put(void *context, enum type type, uint64_t value)
{
	struct head *h = context;

	h->type = type;
	h->value = value;
}

static void
on_uint8(void *c, uint8_t v)
{
	put(c, T_UINT, v);
}

static void
on_uint16(void *c, uint16_t v)
{
	put(c, T_UINT, v);
}

static void
on_uint32(void *c, uint32_t v)
{
	put(c, T_UINT, v);
}

static void
on_uint64(void *c, uint64_t v)
{
	put(c, T_UINT, v);
}

static void
on_negint8(void *c, uint8_t v)
{
	put(c, T_NEGINT, v);
}

static void
on_negint16(void *c, uint16_t v)
{
	put(c, T_NEGINT, v);
}

static void
on_negint32(void *c, uint32_t v)
{
	put(c, T_NEGINT, v);
}

static void
on_negint64(void *c, uint64_t v)
{
	put(c, T_NEGINT, v);
}

static void
on_string(void *c, cbor_data data, size_t len)
{
	(void)data;
	put(c, T_TEXT, len);
	((struct head *)c)->strings = len;
}

static void
on_bytes(void *c, cbor_data data, size_t len)
{
	(void)data;
	put(c, T_BYTES, len);
	((struct head *)c)->strings = len;
}

static void
on_array(void *c, size_t n)
{
	put(c, T_ARRAY, n);
}

static void
on_map(void *c, size_t n)
{
	put(c, T_MAP, n);
}

static void
open_ended(void *c, enum type type)
{
	put(c, type, 0);
	((struct head *)c)->indefinite = 1;
}

static void
on_string_start(void *c)
{
	open_ended(c, T_TEXT);
}

static void
on_bytes_start(void *c)
{
	open_ended(c, T_BYTES);
}

static void
on_array_start(void *c)
{
	open_ended(c, T_ARRAY);
}

static void
on_map_start(void *c)
{
	open_ended(c, T_MAP);
}

static void
on_break(void *c)
{
	((struct head *)c)->end = 1;
}

static void
on_bool(void *c, bool v)
{
	put(c, T_BOOL, v);
}

static void
on_null(void *c)
{
	put(c, T_NULL, 0);
}

static void
on_undefined(void *c)
{
	put(c, T_UNDEFINED, 0);
}

static void
on_double(void *c, double v)
{
	put(c, T_FLOAT, 0);
	((struct head *)c)->real = v;
}

static void
on_float(void *c, float v)
{
	on_double(c, (double)v);
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
	.string_start = on_string_start,
	.byte_string_start = on_bytes_start,
	.array_start = on_array,
	.indef_array_start = on_array_start,
	.map_start = on_map,
	.indef_map_start = on_map_start,
	.indef_break = on_break,
	.boolean = on_bool,
	.null = on_null,
	.undefined = on_undefined,
	.float2 = on_float,
	.float4 = on_float,
	.float8 = on_double,
};

void
doc_broken(struct doc *d, size_t off, const char *text)
{
	fault_set(&d->broken, HF_E_CBOR, off, "%s", text);
}

/* The argument of a head that is whole. */
static uint64_t
argument(const uint8_t *ptr, size_t bytes)
{
	uint64_t value = 0;
	size_t i;

	if (bytes == 1)
		return ptr[0] & 31;
	for (i = 1; i < bytes; i++)
		value = value << 8 | ptr[i];
	return value;
}

/* What this libcbor takes only where it knows the number: tags, and simple
 * values without a name. */
static int
read_numbered(struct doc *d, struct head *h, size_t off, unsigned major)
{
	uint64_t value = argument(d->ptr + off, h->bytes);

	if (major == 7 && h->bytes == 2 && value < 32) {
		doc_broken(d, off, "a simple value below 32 in two bytes");
		return 0;
	}
	put(h, major == 6 ? T_TAG : T_SIMPLE, value);
	return 1;
}

int
head_read(struct doc *d, struct head *h, size_t off, size_t end)
{
	struct cbor_decoder_result result;
	unsigned major = 0, info = 0;

	memset(h, 0, sizeof(*h));
	h->bytes = 1;
	if (off < end) {
		major = d->ptr[off] >> 5;
		info = d->ptr[off] & 31;
		if ((info > 27 && info < 31) ||
		    (info == 31 && (major < 2 || major == 6))) {
			doc_broken(d, off, "a head that is reserved");
			return 0;
		}
		if (info > 23 && info < 28)
			h->bytes += (size_t)1 << (info - 24);
	}
	if (h->bytes > end - off) {
		fault_set(&d->broken, HF_E_CBOR, end,
		    "the input ends where an item or its head should be");
		return 0;
	}
	if (major == 6 || (major == 7 && (info < 20 || info == 24)))
		return read_numbered(d, h, off, major);
	result = cbor_stream_decode(d->ptr + off, end - off, &callbacks, h);
	if (result.status == CBOR_DECODER_FINISHED)
		return 1;
	if (result.status != CBOR_DECODER_NEDATA ||
	    (major != 2 && major != 3)) {
		doc_broken(d, off, "not well-formed CBOR");
		return 0;
	}
	put(h, major == 2 ? T_BYTES : T_TEXT,
	    argument(d->ptr + off, h->bytes));
	h->strings = end - off - h->bytes;
	h->cut = 1;
	fault_set(&d->broken, HF_E_CBOR, end,
	    "the input ends in a string of %llu bytes that begins at byte "
	    "%zu: %llu are missing",
	    (unsigned long long)h->value, off,
	    (unsigned long long)(h->value - h->strings));
	return 1;
}
