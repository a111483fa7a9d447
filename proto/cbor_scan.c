/* SPDX-License-Identifier: ISC */
/*
 * What can be said of CBOR from the heads of its items alone: how long a head
 * and an item are, and where a message ends that is still arriving; and what
 * text may hold. It decodes nothing and believes no length.
 */
#include "internal.h"

size_t
hf__cbor_head_bytes(uint64_t value)
{
	if (value < 24)
		return 1;
	if (value <= UINT8_MAX)
		return 2;
	if (value <= UINT16_MAX)
		return 3;
	return value <= UINT32_MAX ? 5 : 9;
}

/*
 * The bytes that the head of an item takes, from its first byte alone; 0 for
 * heads that are never deterministic or never used: reserved, indefinite,
 * tags, floats and simple values but false, true, null.
 */
size_t
hf__cbor_head_claim(uint8_t first)
{
	static const size_t bytes[] = { 2, 3, 5, 9 };
	unsigned major = first >> 5, info = first & 31;

	if (major == 6 || info > 27)
		return 0;
	if (major == 7)
		return info >= 20 && info <= 22 ? 1 : 0;
	return info < 24 ? 1 : bytes[info - 24];
}

/* The argument of a head that is known to be whole. */
static uint64_t
head_value(const uint8_t *ptr, size_t head)
{
	uint64_t value = 0;
	size_t i;

	if (head == 1)
		return ptr[0] & 31;
	for (i = 1; i < head; i++)
		value = value << 8 | ptr[i];
	return value;
}

bool
hf__text_ok(const uint8_t *p, size_t len)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint32_t c;
	size_t i, more, k;

	for (i = 0; i < len; i += more + 1) {
		c = p[i];
		more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc2) ||
		    c > 0xf4 || more >= len - i)
			return false;
		if (more > 0)
			c &= 0x3fU >> more;
		for (k = 1; k <= more; k++) {
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (p[i + k] & 0x3f);
		}
		/* Controls of two bytes, overlong forms, surrogates. */
		if ((c >= 0x80 && c < 0xa0) || c < least[more] ||
		    c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

/*
 * The end of the first item, from heads alone: nothing of its content is
 * judged yet. `open` counts the items still to come at each depth.
 */
enum hf_err
hf__cbor_extent(size_t *len, const uint8_t *ptr, size_t have, size_t max)
{
	uint64_t open[HF__DEPTH_MAX + 1], value, members;
	size_t off = 0, head, depth = 0;
	bool string, container;
	unsigned major;

	*len = 0;
	open[0] = 1;
	do {
		if (off >= have)
			return HF_OK;
		if ((head = hf__cbor_head_claim(ptr[off])) == 0)
			return HF_E_CBOR;
		if (head > have - off)
			return HF_OK;
		major = ptr[off] >> 5;
		value = head_value(ptr + off, head);
		if (major != 7 && head != hf__cbor_head_bytes(value))
			return HF_E_CBOR;
		off += head;
		string = major == 2 || major == 3;
		container = major == 4 || major == 5;
		/* Each of them takes a byte at least. */
		if (off > max || ((string || container) && value > max - off))
			return HF_E_TOO_BIG;
		if (container && depth == HF__DEPTH_MAX)
			return HF_E_CBOR;
		if (string)
			off += (size_t)value;
		members = major == 4 ? value : major == 5 ? value * 2 : 0;
		open[depth]--;
		if (members > 0)
			open[++depth] = members;
		while (depth > 0 && open[depth] == 0)
			depth--;
	} while (open[depth] > 0);
	if (off <= have)
		*len = off;
	return HF_OK;
}
