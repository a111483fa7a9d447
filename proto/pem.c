/* SPDX-License-Identifier: ISC */
/*
 * Textual encodings (RFC 7468, strict form): BEGIN line, lines of exactly 64
 * base64 characters but for the last, END line. Text around blocks, and
 * blocks with other labels, are passed over; inside a block nothing is
 * forgiven but a carriage return before each newline. Base64 is libsodium's,
 * in constant time, for blocks may be secret. It knows no content.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
	LINE_CHARS = 64,
	LINE_BYTES = LINE_CHARS / 4 * 3,
	BASE64 = sodium_base64_VARIANT_ORIGINAL,
	LABEL_MAX = 64
};

struct line {
	const char *ptr;
	size_t len;
};

/* The line at *at without its end; moves *at past it. */
static struct line
next_line(const char *text, size_t text_len, size_t *at)
{
	struct line line = { text + *at, 0 };
	const char *end;

	if ((end = memchr(line.ptr, '\n', text_len - *at)) == NULL) {
		line.len = text_len - *at;
		*at = text_len;
	} else {
		line.len = (size_t)(end - line.ptr);
		*at += line.len + 1;
	}
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* "-----BEGIN label-----" and the like. */
static bool
is_edge(struct line line, const char *edge, const char *label)
{
	size_t e = strlen(edge), n = strlen(label);

	return line.len == e + n + 5 && hf__same(line.ptr, edge, e) &&
	    hf__same(line.ptr + e, label, n) &&
	    hf__same(line.ptr + e + n, "-----", 5);
}

static char *
put(char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

enum hf_err
hf_pem_encode(char *out, size_t cap, size_t *len, const char *label,
    const uint8_t *data, size_t data_len)
{
	size_t label_len = strlen(label), chars, off, n;
	char *to = out;

	*len = 0;
	if (label_len == 0 || label_len > LABEL_MAX || data_len == 0 ||
	    data_len > SIZE_MAX / 4)
		return HF_E_ARG;
	chars = (data_len + 2) / 3 * 4;
	*len = 11 + 5 + 1 + 9 + 5 + 1 + 2 * label_len + chars +
	    (chars + LINE_CHARS - 1) / LINE_CHARS;
	if (cap <= *len) {
		(*len)++;
		return HF_E_SPACE;
	}
	to = put(to, "-----BEGIN ");
	to = put(to, label);
	to = put(to, "-----\n");
	for (off = 0; off < data_len; off += n) {
		n = data_len - off < LINE_BYTES ? data_len - off : LINE_BYTES;
		if (sodium_bin2base64(to, LINE_CHARS + 1, data + off, n,
			BASE64) == NULL)
			return HF_E_CRYPTO;
		to = put(to + (n + 2) / 3 * 4, "\n");
	}
	to = put(to, "-----END ");
	to = put(to, label);
	to = put(to, "-----\n");
	*to = '\0';
	return HF_OK;
}

/* 1 where low <= c <= high, without a branch: all are below 2^31. */
static unsigned
in_range(unsigned c, unsigned low, unsigned high)
{
	return ((low - 1 - c) & (c - high - 1)) >> 31;
}

/* Whether a line has letters of the alphabet alone, and padding at its end:
 * libsodium 1.0.18 takes bytes of 0x80 and more for a slash. Every letter
 * costs the same, for it may be a key's. */
static bool
in_alphabet(struct line line)
{
	unsigned c, good = 1;
	size_t i;

	for (i = 0; i < line.len; i++) {
		c = (uint8_t)line.ptr[i];
		good &= in_range(c, 'A', 'Z') | in_range(c, 'a', 'z') |
		    in_range(c, '0', '9') | in_range(c, '+', '+') |
		    in_range(c, '/', '/') |
		    (in_range(c, '=', '=') & (unsigned)(i + 2 >= line.len));
	}
	return good != 0;
}

/* The bytes that the lines from at to the END line hold, by their count and
 * padding alone; 0 when they are not laid out as a block. */
static size_t
body_bytes(const char *text, size_t text_len, size_t at, const char *label)
{
	struct line line;
	size_t len = 0;
	bool more = true;

	while (at < text_len) {
		line = next_line(text, text_len, &at);
		if (is_edge(line, "-----END ", label))
			return len;
		if (!more || line.len == 0 || line.len > LINE_CHARS ||
		    line.len % 4 != 0 || !in_alphabet(line))
			return 0;
		len += line.len / 4 * 3;
		more = line.len == LINE_CHARS;
		if (line.ptr[line.len - 1] == '=') {
			len -= line.ptr[line.len - 2] == '=' ? 2 : 1;
			more = false;
		}
	}
	return 0;
}

enum hf_err
hf_pem_decode(uint8_t *out, size_t cap, size_t *len, size_t *used,
    const char *label, const char *text, size_t text_len)
{
	size_t at = 0, begin = 0, need, got, off = 0;
	struct line line = { NULL, 0 };

	*len = *used = 0;
	while (!is_edge(line, "-----BEGIN ", label)) {
		if (at >= text_len) {
			*used = text_len;
			return HF_E_OBJECT;
		}
		begin = at;
		line = next_line(text, text_len, &at);
	}
	*used = begin;
	if ((need = body_bytes(text, text_len, at, label)) == 0)
		return HF_E_OBJECT;
	if (need > cap) {
		*len = need;
		return HF_E_SPACE;
	}
	for (line = next_line(text, text_len, &at);
	     !is_edge(line, "-----END ", label);
	     line = next_line(text, text_len, &at)) {
		if (sodium_base642bin(out + off, need - off, line.ptr,
			line.len, NULL, &got, NULL, BASE64) != 0) {
			sodium_memzero(out, need);
			return HF_E_OBJECT;
		}
		off += got;
	}
	if (off != need) {
		sodium_memzero(out, need);
		return HF_E_OBJECT;
	}
	*len = need;
	*used = at;
	return HF_OK;
}
