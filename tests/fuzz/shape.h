/* SPDX-License-Identifier: ISC */
/*
 * What a message may look like, said in a line and judged by a reader of its
 * own: fuzzers hold the library to it. It shares nothing with proto/cbor.c,
 * and stops at the first thing that does not fit.
 *
 * A shape is made of words:
 *   [ a b c ]	   an array of just these
 *   *1-8 a	   an array of 1 to 8 of them
 *   ( a | b )	   one or the other
 *   =5		   that number       u255    a number up to that
 *   b1-64	   byte string       z0-256  one of zeros
 *   t1-64	   text              i       text as names of users are
 *   n		   null              e       an extension map
 */
#ifndef HANDFAST_SHAPE_H
#define HANDFAST_SHAPE_H

#include "cli.h"
#include "fuzzing.h"

struct shape_at {
	const uint8_t *ptr;
	size_t len, off;
};

/* A head in its shortest form; false where there is none. */
static inline bool
shape_head(struct shape_at *at, unsigned *major, uint64_t *value)
{
	static const uint64_t least[] = { 24, 256, 65536, 1ULL << 32 };
	unsigned info, n;

	if (at->off >= at->len)
		return false;
	*major = at->ptr[at->off] >> 5;
	info = at->ptr[at->off++] & 31;
	*value = info;
	if (*major == 7)
		return info == 22;
	if (info < 24)
		return true;
	if (info > 27)
		return false;
	for (*value = 0, n = 1U << (info - 24); n > 0; n--) {
		if (at->off >= at->len)
			return false;
		*value = *value << 8 | at->ptr[at->off++];
	}
	return *value >= least[info - 24];
}

static inline bool
shape_is_text(const uint8_t *p, size_t len)
{
	uint32_t c;
	size_t n;

	for (; len > 0; p += n, len -= n)
		if ((n = cli_utf8(&c, p, len)) == 0 || c < 0x20 ||
		    (c >= 0x7f && c < 0xa0))
			return false;
	return true;
}

static inline bool
shape_string(struct shape_at *at, char kind, uint64_t low, uint64_t high)
{
	static const char user[] = "abcdefghijklmnopqrstuvwxyz0123456789._@+-";
	bool text = kind == 't' || kind == 'i';
	const uint8_t *p;
	unsigned major;
	uint64_t len, k;

	if (!shape_head(at, &major, &len) || major != (text ? 3 : 2) ||
	    len < low || len > high || len > at->len - at->off)
		return false;
	p = at->ptr + at->off;
	at->off += (size_t)len;
	if (text && !shape_is_text(p, (size_t)len))
		return false;
	for (k = 0; k < len; k++)
		if ((kind == 'z' && p[k] != 0) ||
		    (kind == 'i' && strchr(user, p[k]) == NULL))
			return false;
	return true;
}

/* Up to 16 keys that rise, none below zero, and byte strings. */
static inline bool
shape_extensions(struct shape_at *at)
{
	uint64_t n, k, key, last = 0;
	unsigned major;

	if (!shape_head(at, &major, &n) || major != 5 || n > 16)
		return false;
	for (k = 0; k < n; k++) {
		if (!shape_head(at, &major, &key) || major != 0 ||
		    key > INT64_MAX || (k > 0 && key <= last) ||
		    !shape_string(at, 'b', 0, 256))
			return false;
		last = key;
	}
	return true;
}

/* Past one word, with all that belongs to it. */
static inline const char *
shape_past(const char *s)
{
	int open = 0;

	do {
		s += strspn(s, " ");
		open += *s == '[' || *s == '(';
		open -= *s == ']' || *s == ')';
		if (*s == '*') {
			s += strcspn(s, " ");
			s = shape_past(s);
			continue;
		}
		s += strchr("[](|)", *s) != NULL ? 1 : strcspn(s, " ]|)[(");
	} while (open > 0);
	return s;
}

static inline bool
shape_word(struct shape_at *at, const char **shape)
{
	const char *s = *shape + strspn(*shape, " "), *item;
	struct shape_at begin = *at;
	uint64_t low, high, value;
	unsigned major;
	char kind = *s, *end;

	*shape = shape_past(s);
	low = strtoull(s + 1, &end, 10);
	high = *end == '-' ? strtoull(end + 1, NULL, 10) : low;
	switch (kind) {
	case '[':
		if (!shape_head(at, &major, &value) || major != 4)
			return false;
		for (s++; s[strspn(s, " ")] != ']'; value--)
			if (value == 0 || !shape_word(at, &s))
				return false;
		return value == 0;
	case '*':
		if (!shape_head(at, &major, &value) || major != 4 ||
		    value < low || value > high)
			return false;
		for (; value > 0; value--) {
			item = strchr(s, ' ');
			if (!shape_word(at, &item))
				return false;
		}
		return true;
	case '(':
		while (*s != ')') {
			s++;
			*at = begin;
			if (shape_word(at, &s))
				return true;
			s += strspn(s, " ");
		}
		return false;
	case '=':
	case 'u':
		return shape_head(at, &major, &value) && major == 0 &&
		    (kind == '=' ? value == low : value <= low);
	case 'n':
		return shape_head(at, &major, &value) && major == 7;
	case 'e':
		return shape_extensions(at);
	default:
		return shape_string(at, kind, kind == 'i' ? 1 : low,
		    kind == 'i' ? 64 : high);
	}
}

/* How many bytes at the beginning fit; 0: they do not. */
static inline size_t
shape_fits(const char *shape, struct hf_span bytes)
{
	struct shape_at at = { bytes.ptr, bytes.len, 0 };

	return shape_word(&at, &shape) ? at.off : 0;
}

/* Past one item of any kind; false where there is none. */
static inline bool
shape_skip(struct shape_at *at)
{
	unsigned major;
	uint64_t n;

	if (!shape_head(at, &major, &n))
		return false;
	if (major == 2 || major == 3) {
		if (n > at->len - at->off)
			return false;
		at->off += (size_t)n;
	} else if (major == 4 || major == 5) {
		for (n *= major == 5 ? 2 : 1; n > 0; n--)
			if (!shape_skip(at))
				return false;
	}
	return true;
}

/* The n-th item of an array, which fits: what follows its head, of a string
 * all of its bytes. */
static inline struct hf_span
shape_item(struct hf_span array, size_t n)
{
	struct shape_at at = { array.ptr, array.len, 0 };
	unsigned major;
	uint64_t value;

	CLAIM(shape_head(&at, &major, &value) && major == 4 && value > n);
	while (n-- > 0)
		CLAIM(shape_skip(&at));
	CLAIM(shape_head(&at, &major, &value));
	return (struct hf_span){ at.ptr + at.off,
		major == 2 || major == 3 ? (size_t)value : 0 };
}

/* From the n-th item of an array, which fits, on: its head and what follows. */
static inline struct hf_span
shape_from(struct hf_span array, size_t n)
{
	struct shape_at at = { array.ptr, array.len, 0 };
	unsigned major;
	uint64_t value;

	CLAIM(shape_head(&at, &major, &value) && major == 4 && value >= n);
	while (n-- > 0)
		CLAIM(shape_skip(&at));
	return (struct hf_span){ at.ptr + at.off, at.len - at.off };
}

/* What the head of an item says: of an array how many are in it. */
static inline uint64_t
shape_value(struct hf_span item)
{
	struct shape_at at = { item.ptr, item.len, 0 };
	unsigned major;
	uint64_t value;

	CLAIM(shape_head(&at, &major, &value));
	return value;
}

/* The number that the n-th item of an array is, or how many are in it. */
static inline uint64_t
shape_number(struct hf_span array, size_t n)
{
	return shape_value(shape_from(array, n));
}

static inline bool
shape_is_name(struct hf_span text, const char *name)
{
	return text.len == strlen(name) &&
	    memcmp(text.ptr, name, text.len) == 0;
}

/* A ticket file (spec section 7.3): iat below exp, exp at most limit. */
static inline bool
shape_ticket_file(struct hf_span file)
{
	struct shape_at at = { file.ptr, file.len, 1 };
	uint64_t n[3];
	unsigned major, i;

	if (shape_fits("[ =1 b1-1024 b32-32 t1-255 t1-255 u9007199254740992 "
		       "u9007199254740992 u1 u9007199254740992 ]",
		file) != file.len ||
	    file.len == 0)
		return false;
	for (i = 0; i < 5; i++)
		CLAIM(shape_skip(&at));
	CLAIM(
	    shape_head(&at, &major, &n[0]) && shape_head(&at, &major, &n[1]));
	CLAIM(shape_skip(&at) && shape_head(&at, &major, &n[2]));
	return n[0] < n[1] && n[1] <= n[2];
}

#endif
