/* SPDX-License-Identifier: ISC */
/*
 * Nodes in diagnostic notation on one line: RFC 8949, section 8, with RFC
 * 8610's <<...>> for CBOR inside byte strings. Secrets are masked here, so
 * that no way of showing a node can forget it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

enum { BIGNUM_MAX = 64 }; /* bytes that are turned into decimal */

size_t
diag_character(uint32_t *c, const uint8_t *p, size_t len)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	size_t more, k;

	*c = p[0];
	more = *c < 0x80 ? 0 : *c < 0xe0 ? 1 : *c < 0xf0 ? 2 : 3;
	if ((*c >= 0x80 && *c < 0xc2) || *c > 0xf4 || more >= len)
		return 0;
	if (more > 0)
		*c &= 0x3fU >> more;
	for (k = 1; k <= more; k++) {
		if ((p[k] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[k] & 0x3f);
	}
	if (*c < least[more] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
		return 0;
	return more + 1;
}

/* Characters that move a cursor, hide or turn round what follows. */
static int
is_odd(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c ||
	    c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void
diag_quote(FILE *out, const uint8_t *ptr, size_t len)
{
	uint32_t c;
	size_t i, n;

	fputc('"', out);
	for (i = 0; i < len; i += n) {
		n = diag_character(&c, ptr + i, len - i);
		if (n == 0) {
			fputs("\\ufffd", out);
			n = 1;
		} else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (int)c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c == '\r')
			fputs("\\r", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (is_odd(c))
			fprintf(out, "\\u%04x", (unsigned)c);
		else
			fwrite(ptr + i, 1, n, out);
	}
	fputc('"', out);
}

/* The encoding indicator of a head longer than needed: _0 to _3. */
static void
print_width(FILE *out, const struct node *node)
{
	if (node->flags & N_LONG)
		fprintf(out, "_%d",
		    node->head == 2	? 0 :
			node->head == 3 ? 1 :
			node->head == 5 ? 2 :
					  3);
}

static void
print_negative(FILE *out, uint64_t value)
{
	if (value == UINT64_MAX)
		fputs("-18446744073709551616", out);
	else
		fprintf(out, "-%llu", (unsigned long long)value + 1);
}

/* The same with its last digit one up: between two powers of two the nearest
 * digits may belong to the number below. */
static int
digit_up(char *text, double real)
{
	char *last = strchr(text, 'e');

	if (last == NULL || last == text || *--last == '9' || *last == '.')
		return 0;
	(*last)++;
	return strtod(text, NULL) == real;
}

/* The fewest digits that read back as the same double, laid out as RFC 8949
 * does: 1.5, 0.00006103515625, 5.960464477539063e-8, 1.0e+300. */
static void
print_float(FILE *out, double real)
{
	char text[40], digits[24];
	int precision, exponent, n, i, point;

	if (isnan(real) || isinf(real)) {
		fputs(isnan(real) ? "NaN" :
			real < 0  ? "-Infinity" :
				    "Infinity",
		    out);
		return;
	}
	for (precision = 0; precision < 17; precision++) {
		(void)snprintf(text, sizeof(text), "%.*e", precision,
		    fabs(real));
		if (strtod(text, NULL) == fabs(real) ||
		    (precision > 0 && digit_up(text, fabs(real))))
			break;
	}
	exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	for (n = 0, i = 0; text[i] != 'e'; i++)
		if (text[i] != '.')
			digits[n++] = text[i];
	if (signbit(real))
		fputc('-', out);
	point = exponent < -6 || exponent > 20 ? 1 : exponent + 1;
	if (point <= 0)
		fprintf(out, "0.%.*s%.*s", -point, "000000", n, digits);
	else {
		for (i = 0; i < point; i++)
			fputc(i < n ? digits[i] : '0', out);
		fprintf(out, ".%.*s", n > point ? n - point : 1,
		    n > point ? digits + point : "0");
	}
	if (exponent < -6 || exponent > 20)
		fprintf(out, "e%+d", exponent);
}

static void
print_hex(FILE *out, const uint8_t *ptr, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		fprintf(out, "%02x", ptr[i]);
}

/* Tags 2 and 3 where no plain integer would do: as a number. */
static int
print_bignum(FILE *out, const struct doc *d, const struct node *tag)
{
	const struct node *node = &d->node[tag->kid];
	const uint8_t *ptr = d->ptr + node->off + node->head;
	uint8_t digits[BIGNUM_MAX * 3] = { 0 };
	unsigned carry;
	size_t i, k, n = 1;

	if (tag->value < 2 || tag->value > 3 || tag->kid == 0 ||
	    (tag->flags & (N_LONG | N_CUT)) != 0 || node->type != T_BYTES ||
	    node->flags != 0 || node->value < 9 || node->value > BIGNUM_MAX ||
	    ptr[0] == 0)
		return 0;
	for (i = 0; i < node->value; i++) {
		carry = ptr[i];
		for (k = 0; k < n || carry > 0; k++) {
			carry += digits[k] * 256U;
			digits[k] = (uint8_t)(carry % 10);
			carry /= 10;
			n = k + 1 > n ? k + 1 : n;
		}
	}
	if (tag->value == 3) {
		/* -1 - n: one more, and its sign. */
		for (k = 0; digits[k] == 9; k++)
			digits[k] = 0;
		digits[k]++;
		n = k + 1 > n ? k + 1 : n;
		fputc('-', out);
	}
	while (n > 0)
		fputc('0' + digits[--n], out);
	return 1;
}

/* All bytes of a string, those of its chunks where it has them. */
static uint64_t
string_bytes(const struct doc *d, const struct node *node)
{
	uint64_t sum = node->value;
	uint32_t kid;

	if ((node->flags & N_INDEFINITE) == 0)
		return sum;
	for (sum = 0, kid = node->kid; kid != 0; kid = d->node[kid].next)
		sum += d->node[kid].value;
	return sum;
}

static void
print_secret(FILE *out, const struct doc *d, const struct node *node)
{
	if (node->type == T_BYTES || node->type == T_TEXT)
		fprintf(out, "<%llu secret bytes>",
		    (unsigned long long)string_bytes(d, node));
	else
		fputs("<secret>", out);
}

static void
print_string(FILE *out, const struct doc *d, const struct node *node)
{
	const uint8_t *ptr = d->ptr + node->off + node->head;
	size_t len = node->len - node->head;

	if (node->type == T_TEXT)
		diag_quote(out, ptr, len);
	else if (node->in != 0) {
		fputs("<<", out);
		diag_print(out, d, node->in);
		fputs(">>", out);
	} else {
		fputs("h'", out);
		print_hex(out, ptr, len);
		fputc('\'', out);
	}
	print_width(out, node);
	if (node->flags & N_CUT)
		fputs(" ...", out);
}

static void
print_kids(FILE *out, const struct doc *d, const struct node *node)
{
	uint32_t kid;
	size_t n = 0;
	int map = node->type == T_MAP;

	for (kid = node->kid; kid != 0; kid = d->node[kid].next, n++) {
		if (n > 0)
			fputs(map && n % 2 != 0 ? ": " : ", ", out);
		diag_print(out, d, kid);
	}
	if (node->flags & N_CUT)
		fputs(n > 0 ? ", ..." : "...", out);
}

static void
print_container(FILE *out, const struct doc *d, const struct node *node)
{
	static const char open[] = { [T_BYTES] = '(',
		[T_TEXT] = '(',
		[T_ARRAY] = '[',
		[T_MAP] = '{' };
	static const char shut[] = { [T_BYTES] = ')',
		[T_TEXT] = ')',
		[T_ARRAY] = ']',
		[T_MAP] = '}' };

	if (node->type <= T_TEXT && node->kid == 0 &&
	    (node->flags & N_CUT) == 0) {
		fputs(node->type == T_BYTES ? "''_" : "\"\"_", out);
		return;
	}
	fputc(open[node->type], out);
	if (node->flags & N_INDEFINITE)
		fputs("_ ", out);
	else if (node->flags & N_LONG) {
		print_width(out, node);
		fputc(' ', out);
	}
	print_kids(out, d, node);
	fputc(shut[node->type], out);
}

static void
print_tag(FILE *out, const struct doc *d, const struct node *node)
{
	if (print_bignum(out, d, node))
		return;
	fprintf(out, "%llu", (unsigned long long)node->value);
	print_width(out, node);
	fputc('(', out);
	print_kids(out, d, node);
	fputc(')', out);
}

void
diag_print(FILE *out, const struct doc *d, uint32_t i)
{
	const struct node *node = &d->node[i];

	if (node->flags & N_SECRET)
		print_secret(out, d, node);
	else if (node->type == T_UINT) {
		fprintf(out, "%llu", (unsigned long long)node->value);
		print_width(out, node);
	} else if (node->type == T_NEGINT) {
		print_negative(out, node->value);
		print_width(out, node);
	} else if (node->type == T_TAG)
		print_tag(out, d, node);
	else if (node->type == T_BOOL)
		fputs(node->value != 0 ? "true" : "false", out);
	else if (node->type == T_NULL)
		fputs("null", out);
	else if (node->type == T_UNDEFINED)
		fputs("undefined", out);
	else if (node->type == T_SIMPLE)
		fprintf(out, "simple(%llu)", (unsigned long long)node->value);
	else if (node->type == T_FLOAT)
		print_float(out, node->real);
	else if (node->type <= T_TEXT && (node->flags & N_INDEFINITE) == 0)
		print_string(out, d, node);
	else
		print_container(out, d, node);
}

char *
diag_text(const struct doc *d, uint32_t i)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	diag_print(out, d, i);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
