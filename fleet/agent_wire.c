/* SPDX-License-Identifier: ISC */
/*
 * The frames of the agent's own protocol (spec section 21): deterministic CBOR,
 * one array each, in shapes that a table gives. What does not have one of them
 * byte by byte is refused as soon as that can be told; nothing is taken for
 * long because it says so. It knows no socket and no session.
 */
#include <string.h>

#include "agent_wire.h"

/* A field: 'u' a number, 'e' an error's, 'b' bytes, 's' none or max bytes, 'p'
 * a peer's name, 'v' the version. min and max are of the number, or of the
 * length. */
struct field {
	char kind;
	uint64_t min, max;
};
struct shape {
	int type;
	size_t n;
	struct field field[HF__WIRE_FIELDS];
};
enum { CODE_MAX = 95 };

#define VERSION                                         \
	{                                               \
		'v', HF__WIRE_VERSION, HF__WIRE_VERSION \
	}
#define PEER                              \
	{                                 \
		'p', 1, HF__WIRE_PEER_MAX \
	}
#define COUNT                      \
	{                          \
		'u', 0, UINT64_MAX \
	}

/* clang-format off */
static const struct shape shapes[] = {
	{ HF__WIRE_OPEN, 2, { VERSION, PEER } },
	{ HF__WIRE_DATA, 1, { { 'b', 1, HF__WIRE_DATA_MAX } } },
	{ HF__WIRE_END, 0, { { 0, 0, 0 } } },
	{ HF__WIRE_OVER, 2, { { 'e', 1, CODE_MAX }, { 'u', 0, 255 } } },
	{ HF__WIRE_STATUS, 1, { VERSION } },
	{ HF__WIRE_CLOSE, 2, { VERSION, PEER } },
	{ HF__WIRE_INFO, 6, { { 'b', HF_SID_BYTES, HF_SID_BYTES },
	    { 'u', 0, 0xffff }, COUNT, { 'u', 0, HF_MOVES_PROVED },
	    { 'b', 0, HF_NAME_MAX }, { 'u', 0, 1 } } },
	{ HF__WIRE_PEER, 11, { PEER, { 'u', 0, 3 },
	    { 's', 0, HF_SID_BYTES }, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT,
	    COUNT, { 'e', 0, CODE_MAX } } },
	{ HF__WIRE_DONE, 1, { { 'e', 0, CODE_MAX } } },
};
/* clang-format on */

/* --- order ---------------------------------------------------------------------- */

#define BIT(type) ((uint32_t)1 << HF__WIRE_##type)

static const uint32_t may[] = {
	[HF__WIRE_ASKS] = BIT(OPEN) | BIT(STATUS) | BIT(CLOSE),
	[HF__WIRE_SENDS] = BIT(DATA) | BIT(END) | BIT(OVER),
	[HF__WIRE_SENT] = BIT(OVER),
	[HF__WIRE_ANSWERS] = BIT(INFO) | BIT(OVER),
	[HF__WIRE_CARRIES] = BIT(INFO) | BIT(DATA) | BIT(END) | BIT(OVER),
	[HF__WIRE_CARRIED] = BIT(INFO) | BIT(OVER),
	[HF__WIRE_TELLS] = BIT(PEER) | BIT(DONE) | BIT(OVER),
	[HF__WIRE_AGREES] = BIT(DONE) | BIT(OVER),
	[HF__WIRE_ANY] = BIT(INFO) | BIT(PEER) | BIT(DONE) | BIT(OVER),
	[HF__WIRE_LAST] = 0,
};

int
hf__wire_may(enum hf__wire_stage stage, enum hf__wire_type type)
{
	return (may[stage] >> type & 1) != 0;
}

enum hf__wire_stage
hf__wire_next(enum hf__wire_stage stage, enum hf__wire_type type)
{
	switch (type) {
	case HF__WIRE_OPEN:
		return HF__WIRE_SENDS;
	case HF__WIRE_DATA:
		return stage;
	case HF__WIRE_END:
		return stage == HF__WIRE_SENDS ? HF__WIRE_SENT :
						 HF__WIRE_CARRIED;
	case HF__WIRE_INFO:
		return stage == HF__WIRE_CARRIED ? HF__WIRE_CARRIED :
						   HF__WIRE_CARRIES;
	case HF__WIRE_PEER:
		return HF__WIRE_TELLS;
	default:
		return HF__WIRE_LAST;
	}
}

/* --- names ---------------------------------------------------------------------- */

/* Whether they could stand in a peer's name. */
static int
of_a_name(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!(name[i] >= 'a' && name[i] <= 'z') &&
		    !(name[i] >= 'A' && name[i] <= 'Z') &&
		    !(name[i] >= '0' && name[i] <= '9') && name[i] != '.' &&
		    name[i] != '-' && name[i] != '_')
			return 0;
	return 1;
}

int
hf__wire_peer(const char *name, size_t len)
{
	return len >= 1 && len <= HF__WIRE_PEER_MAX && of_a_name(name, len);
}

/* --- reading ------------------------------------------------------------------ */

enum { UNSIGNED = 0, BYTES = 2, TEXT = 3, ARRAY = 4, TAG = 6, SIMPLE = 7 };
enum { SIMPLE_MIN = 20, SIMPLE_MAX = 22 }; /* false, true, null */

struct reader {
	const uint8_t *ptr;
	size_t have, at;
	int more; /* it ends before its end */
};

/* What its first byte says of an item: what is never encoded so (section 2.2),
 * then that it is not of that type. */
static enum hf_err
begins(uint8_t first, unsigned major)
{
	unsigned info = first & 31U, found = first >> 5;

	if (info > 27 || found == TAG ||
	    (found == SIMPLE && (info < SIMPLE_MIN || info > SIMPLE_MAX)))
		return HF_E_CBOR;
	return found == major ? HF_OK : HF_E_SHAPE;
}

/* The head of an item of that type; r->more where it is not whole yet. */
static enum hf_err
head(uint64_t *value, struct reader *r, unsigned major)
{
	enum hf_err e;
	unsigned info;
	size_t n, i;

	*value = 0;
	if (r->at == r->have) {
		r->more = 1;
		return HF_OK;
	}
	if ((e = begins(r->ptr[r->at], major)) != HF_OK)
		return e;
	info = r->ptr[r->at] & 31U;
	if (info < 24) {
		*value = info;
		r->at++;
		return HF_OK;
	}
	n = (size_t)1 << (info - 24);
	if (r->have - r->at <= n) {
		r->more = 1;
		return HF_OK;
	}
	for (i = 1; i <= n; i++)
		*value = *value << 8 | r->ptr[r->at + i];
	/* The shortest form, and no other. */
	if (*value < 24 || (n > 1 && *value >> (4 * n) == 0))
		return HF_E_CBOR;
	r->at += n + 1;
	return HF_OK;
}

static enum hf_err
read_bytes(struct hf_span *out, struct reader *r, const struct field *f)
{
	uint64_t len;
	enum hf_err e;
	size_t there;

	e = head(&len, r, f->kind == 'p' ? TEXT : BYTES);
	if (e != HF_OK || r->more)
		return e;
	if (len > f->max)
		return HF_E_TOO_BIG;
	if (len < f->min || (f->kind == 's' && len != 0 && len != f->max))
		return HF_E_SHAPE;
	there = r->have - r->at < len ? r->have - r->at : (size_t)len;
	if (f->kind == 'p' && !of_a_name((const char *)r->ptr + r->at, there))
		return HF_E_SHAPE;
	if (there < len) {
		r->more = 1;
		return HF_OK;
	}
	out->ptr = r->ptr + r->at;
	out->len = there;
	r->at += there;
	return HF_OK;
}

static int
is_bytes(const struct field *f)
{
	return f->kind == 'b' || f->kind == 's' || f->kind == 'p';
}

static enum hf_err
read_field(struct hf__wire *w, size_t i, struct reader *r,
    const struct field *f)
{
	enum hf_err e;

	if (is_bytes(f))
		return read_bytes(&w->bytes[i], r, f);
	e = head(&w->number[i], r, UNSIGNED);
	if (e != HF_OK || r->more)
		return e;
	/* That is what a call says, and no end: who were told it would wait. */
	if (f->kind == 'e' && w->number[i] == HF_E_AGAIN)
		return HF_E_SHAPE;
	if (w->number[i] >= f->min && w->number[i] <= f->max)
		return HF_OK;
	return f->kind == 'v' ? HF_E_VERSION : HF_E_SHAPE;
}

static const struct shape *
shape_of(uint64_t type)
{
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if ((uint64_t)shapes[i].type == type)
			return &shapes[i];
	return NULL;
}

/* The fields of a frame of so many items. */
static enum hf_err
read_fields(struct hf__wire *w, struct reader *r, const struct shape *shape,
    uint64_t items)
{
	enum hf_err e;
	size_t i = 0;

	/* Another version may have other fields: it is judged first. */
	if (shape->n > 0 && shape->field[0].kind == 'v' && items > 1) {
		e = read_field(w, 0, r, &shape->field[0]);
		if (e != HF_OK || r->more)
			return e;
		i = 1;
	}
	if (items != shape->n + 1)
		return HF_E_SHAPE;
	for (; i < shape->n; i++)
		if ((e = read_field(w, i, r, &shape->field[i])) != HF_OK ||
		    r->more)
			return e;
	return HF_OK;
}

enum hf_err
hf__wire_read(struct hf__wire *w, size_t *used, const uint8_t *ptr,
    size_t have, enum hf__wire_stage stage)
{
	struct reader r = { ptr, have, 0, 0 };
	uint64_t items = 0, type = 0;
	const struct shape *shape;
	enum hf_err e;

	*used = 0;
	memset(w, 0, sizeof(*w));
	if ((e = head(&items, &r, ARRAY)) != HF_OK || r.more)
		return e;
	if (items < 1 || items > HF__WIRE_FIELDS + 1)
		return HF_E_SHAPE;
	if ((e = head(&type, &r, UNSIGNED)) != HF_OK || r.more)
		return e;
	shape = shape_of(type);
	if (shape == NULL ||
	    !hf__wire_may(stage, (enum hf__wire_type)shape->type))
		return HF_E_UNEXPECTED;
	w->type = (enum hf__wire_type)shape->type;
	e = read_fields(w, &r, shape, items);
	if (e == HF_OK && !r.more)
		*used = r.at;
	return e;
}

/* --- writing ------------------------------------------------------------------ */

static size_t
put_head(uint8_t *out, unsigned major, uint64_t value)
{
	unsigned info = 24;
	size_t n = 1, i;

	if (value < 24) {
		out[0] = (uint8_t)(major << 5 | value);
		return 1;
	}
	while (n < 8 && value >> (8 * n) != 0) {
		n *= 2;
		info++;
	}
	out[0] = (uint8_t)(major << 5 | info);
	for (i = 0; i < n; i++)
		out[1 + i] = (uint8_t)(value >> (8 * (n - 1 - i)));
	return n + 1;
}

size_t
hf__wire_data(uint8_t out[HF__WIRE_HEAD], size_t len)
{
	size_t at = put_head(out, ARRAY, 2);

	at += put_head(out + at, UNSIGNED, HF__WIRE_DATA);
	return at + put_head(out + at, BYTES, len);
}

size_t
hf__wire_write(uint8_t out[HF__WIRE_SMALL], const struct hf__wire *w)
{
	const struct shape *shape = shape_of((uint64_t)w->type);
	const struct hf_span *b;
	size_t i, at;

	if (shape == NULL)
		return 0; /* none that there is */
	at = put_head(out, ARRAY, shape->n + 1);
	at += put_head(out + at, UNSIGNED, (uint64_t)w->type);
	for (i = 0; i < shape->n; i++) {
		b = &w->bytes[i];
		if (!is_bytes(&shape->field[i])) {
			at += put_head(out + at, UNSIGNED, w->number[i]);
			continue;
		}
		at += put_head(out + at,
		    shape->field[i].kind == 'p' ? TEXT : BYTES, b->len);
		if (b->len > 0)
			memcpy(out + at, b->ptr, b->len);
		at += b->len;
	}
	return at;
}
