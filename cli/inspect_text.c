/* SPDX-License-Identifier: ISC */
/*
 * Text where CBOR was expected: hexadecimal, base64, JSON, words. Read as CBOR
 * it would be numbers and strings that nobody wrote, and a key in it would be
 * shown. It tells such a file and says so; it shows nothing of it.
 */
#include <ctype.h>
#include <string.h>

#include "inspect.h"

enum { TEXT_LEAST = 8 }; /* bytes; fewer may well be CBOR */

/* UTF-8 without control characters but those of lines. */
static int
is_plain(const uint8_t *ptr, size_t len)
{
	uint32_t c;
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = diag_character(&c, ptr + i, len - i);
		if (n == 0 || c == 0x7f ||
		    (c < 0x20 && c != '\n' && c != '\r' && c != '\t'))
			return 0;
	}
	return 1;
}

static int
is_hex(const uint8_t *ptr, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!isxdigit(ptr[i]) && !isspace(ptr[i]))
			return 0;
	return 1;
}

/* One string may look like text; a sequence of nothing but such is taken for
 * text, which is the safer fault. */
static int
is_one_item(const uint8_t *ptr, size_t len)
{
	struct doc d;
	uint32_t node;
	int whole;

	doc_init(&d, ptr, len);
	node = doc_read(&d, 0, len);
	whole = node != 0 && d.broken.err == HF_OK && d.node[node].len == len;
	doc_free(&d);
	return whole;
}

/* The mark stands at the beginning, perhaps of characters of two or four
 * bytes. */
static int
is_mark(const uint8_t *ptr, size_t len, const char *mark)
{
	size_t i, zeros = 0;

	for (i = 0; *mark != '\0' && i < len; i++)
		if (ptr[i] == (uint8_t)*mark) {
			mark++;
			zeros = 0;
		} else if (ptr[i] != 0 || ++zeros > 3)
			return 0;
	return *mark == '\0';
}

/* A text block or a users file that is not where its reader looks for it:
 * behind blanks, in UTF-16, in a string of CBOR. */
static int
holds_mark(const uint8_t *ptr, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((ptr[i] == '-' &&
			is_mark(ptr + i, len - i, "-----BEGIN HANDFAST ")) ||
		    (ptr[i] == 'h' &&
			is_mark(ptr + i, len - i, "handfast-users 1 realm=")))
			return 1;
	return 0;
}

int
text_is_no_cbor(const uint8_t *ptr, size_t len)
{
	return holds_mark(ptr, len) ||
	    (len >= TEXT_LEAST && is_plain(ptr, len) &&
		!is_one_item(ptr, len));
}

void
text_hint(const uint8_t *ptr, size_t len)
{
	if (holds_mark(ptr, len))
		cli_hint("a block begins its line, a users file its file; "
			 "UTF-16 is not read");
	if (is_hex(ptr, len))
		cli_hint("hexadecimal is not read: 'xxd -r -p' makes bytes "
			 "of it");
}
