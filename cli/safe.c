/* SPDX-License-Identifier: ISC */
/*
 * Text that somebody else chose, for eyes: names in certificates, paths. It
 * knows which characters drive a terminal or turn a line around, and writes
 * them as what they are; whether the text is a good name it does not judge.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

size_t
cli_utf8(uint32_t *point, const void *text, size_t len)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = text;
	uint32_t c;
	size_t i, n;

	if (len == 0)
		return 0;
	*point = p[0];
	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc0 || p[0] > 0xf7 || n > len)
		return 0;
	c = p[0] & (0xffU >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*point = c;
	return n;
}

int
cli_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ||	/* controls */
	    c == 0x61c || c == 0x200e || c == 0x200f || /* directions */
	    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	    c == 0x2028 || c == 0x2029; /* ends of lines */
}

void
cli_put_json(FILE *out, const char *json)
{
	size_t used, len = strlen(json);
	uint32_t c;

	/* All that is unsafe stands in texts: controls below 0x20 are not
	 * there as they are, and the others have four digits. */
	for (; len > 0; json += used, len -= used) {
		if ((used = cli_utf8(&c, json, len)) == 0)
			used = 1;
		else if (cli_unsafe(c)) {
			fprintf(out, "\\u%04x", (unsigned)c);
			continue;
		}
		fwrite(json, 1, used, out);
	}
	putc('\n', out);
}

const char *
cli_safe(char *out, size_t cap, const char *text)
{
	size_t used, at = 0, len = strlen(text);
	char form[16];
	uint32_t c;
	int n;

	for (; len > 0; text += used, len -= used) {
		if ((used = cli_utf8(&c, text, len)) == 0) {
			used = 1;
			n = snprintf(form, sizeof(form), "\\x%02X",
			    (unsigned)(uint8_t)*text);
		} else if (cli_unsafe(c)) {
			n = snprintf(form, sizeof(form), "\\u{%04X}",
			    (unsigned)c);
		} else {
			memcpy(form, text, used);
			n = (int)used;
		}
		if (n < 0 || (size_t)n >= cap - at)
			break;
		memcpy(out + at, form, (size_t)n);
		at += (size_t)n;
	}
	out[at] = '\0';
	return out;
}
