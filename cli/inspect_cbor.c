/* SPDX-License-Identifier: ISC */
/*
 * Bytes to nodes: any well-formed CBOR (RFC 8949), also what handfast never
 * uses. Depth, parts and bytes are bounded, no claimed length is believed. It notes the first place that is not
 * deterministic; what an item is for it refuses to know.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

static uint32_t
node_new(struct doc *d, const struct head *h, size_t off)
{
	struct node *grown;
	uint32_t cap = d->cap == 0 ? 64 : d->cap * 2;

	if (d->n == 0)
		d->n = 1;
	if (d->n >= INSPECT_NODES) {
		fault_set(&d->broken, HF_E_TOO_BIG, off,
		    "more than %d parts in one item", INSPECT_NODES);
		return 0;
	}
	if (d->n >= d->cap) {
		grown = realloc(d->node, cap * sizeof(*grown));
		if (grown == NULL) {
			fault_set(&d->broken, HF_E_MEMORY, off, "too large");
			return 0;
		}
		if (d->cap == 0)
			memset(grown, 0, sizeof(*grown));
		d->node = grown;
		d->cap = cap;
	}
	memset(&d->node[d->n], 0, sizeof(*d->node));
	d->node[d->n].value = h->value;
	d->node[d->n].real = h->real;
	d->node[d->n].off = (uint32_t)off;
	d->node[d->n].len = (uint32_t)(h->bytes + h->strings);
	d->node[d->n].type = (uint8_t)h->type;
	d->node[d->n].head = (uint8_t)h->bytes;
	if (h->indefinite)
		d->node[d->n].flags |= N_INDEFINITE;
	if (h->cut)
		d->node[d->n].flags |= N_CUT;
	return d->n++;
}

static size_t
head_bytes(uint64_t value)
{
	if (value < 24)
		return 1;
	if (value <= UINT8_MAX)
		return 2;
	if (value <= UINT16_MAX)
		return 3;
	return value <= UINT32_MAX ? 5 : 9;
}

/* 1 when a shorter float says the same; of what is not a number, when the
 * bits that it would lack are zero (RFC 8949, section 4.1). */
static int
float_is_long(double real, const uint8_t *ptr, size_t bytes)
{
	double scaled;
	int exponent;

	if (bytes == 3)
		return 0;
	if (isnan(real))
		return bytes == 5 ? (ptr[3] & 0x1f) == 0 && ptr[4] == 0 :
				    (ptr[5] & 0x1f) == 0 && ptr[6] == 0 &&
			ptr[7] == 0 && ptr[8] == 0;
	if (isinf(real) || real == 0)
		return 1;
	if (bytes == 9 && fabs(real) <= 3.4028234663852886e38 &&
	    (double)(float)real == real)
		return 1;
	/* Half: 11 bits, the lowest at least 2^-24, below 2^16. */
	scaled = frexp(fabs(real), &exponent);
	scaled =
	    exponent > -14 ? ldexp(scaled, 11) : ldexp(scaled, exponent + 24);
	return exponent <= 16 && exponent >= -23 && scaled == floor(scaled);
}

/* Not UTF-8 as RFC 3629 has it. */
static int
text_is_bad(const uint8_t *p, size_t len)
{
	uint32_t c;
	size_t i, n;

	for (i = 0; i < len; i += n)
		if ((n = diag_character(&c, p + i, len - i)) == 0)
			return 1;
	return 0;
}

/* What of a head is not deterministic, or not of handfast. */
static void
judge_head(struct doc *d, uint32_t i, const struct head *h)
{
	struct node *node = &d->node[i];
	const char *loose = NULL, *alien = NULL;

	if (h->indefinite)
		loose = alien = "an indefinite length";
	else if (h->type <= T_TAG && h->bytes != head_bytes(h->value)) {
		node->flags |= N_LONG;
		loose = alien = "a head longer than needed";
	} else if (h->type == T_FLOAT &&
	    float_is_long(h->real, d->ptr + node->off, h->bytes))
		loose = "a float longer than needed";
	else if (h->type == T_TEXT && !h->cut &&
	    text_is_bad(d->ptr + node->off + h->bytes, h->strings))
		loose = "text that is not UTF-8";
	if (h->type == T_TAG)
		alien = "a tag";
	else if (h->type == T_FLOAT)
		alien = "a float";
	else if (h->type == T_UNDEFINED || h->type == T_SIMPLE)
		alien = "a simple value";
	if (loose != NULL)
		fault_set(&d->loose, HF_E_CBOR, node->off, "%s", loose);
	if (alien != NULL)
		fault_set(&d->alien, HF_E_CBOR, node->off, "%s", alien);
}

/* Keys rise strictly, by the bytes of their encodings. */
static void
judge_keys(struct doc *d, uint32_t before, uint32_t key)
{
	const struct node *a = &d->node[before], *b = &d->node[key];
	size_t least = a->len < b->len ? a->len : b->len;
	int order = memcmp(d->ptr + a->off, d->ptr + b->off, least);

	const char *text = NULL;

	if (order == 0 && a->len == b->len)
		text = "a map key twice";
	else if (order > 0 || (order == 0 && a->len > b->len))
		text = "a map key out of order";
	if (text == NULL)
		return;
	fault_set(&d->loose, HF_E_CBOR, b->off, "%s", text);
	fault_set(&d->keys, HF_E_CBOR, b->off, "%s", text);
}

static uint32_t read_item(struct doc *d, size_t *off, size_t end,
    unsigned depth);

/* How many children a node shall have. */
static uint64_t
wanted(const struct node *node)
{
	if (node->flags & N_INDEFINITE)
		return UINT64_MAX;
	if (node->type == T_TAG)
		return 1;
	if (node->type == T_MAP)
		return node->value > UINT64_MAX / 2 ? UINT64_MAX :
						      node->value * 2;
	return node->type == T_ARRAY ? node->value : 0;
}

/* A chunk is a string of the same type and of definite length. */
static int
chunk_fits(struct doc *d, uint32_t parent, uint32_t kid)
{
	const struct node *p = &d->node[parent], *k = &d->node[kid];

	if (p->type != T_BYTES && p->type != T_TEXT)
		return 1;
	if (k->type == p->type && (k->flags & N_INDEFINITE) == 0)
		return 1;
	doc_broken(d, k->off, "a chunk of a string that is no such string");
	return 0;
}

/* Reads what is in node i; N_CUT stays on it when that ends early. */
static void
read_kids(struct doc *d, uint32_t i, size_t *off, size_t end, unsigned depth)
{
	uint64_t n, all = wanted(&d->node[i]);
	uint32_t kid, last = 0, key = 0;
	int map = d->node[i].type == T_MAP, open = all == UINT64_MAX;

	d->node[i].flags |= N_CUT;
	for (n = 0; n < all; n++) {
		if (open && *off < end && d->ptr[*off] == 0xff &&
		    (d->node[i].flags & N_INDEFINITE) != 0) {
			if (map && n % 2 != 0)
				doc_broken(d, *off,
				    "a map key without a value");
			else
				(*off)++;
			break;
		}
		if ((kid = read_item(d, off, end, depth)) == 0)
			break;
		if (last == 0)
			d->node[i].kid = kid;
		else
			d->node[last].next = kid;
		last = kid;
		if (!chunk_fits(d, i, kid) || d->broken.err != HF_OK)
			break;
		if (map && n % 2 == 0) {
			if (key != 0)
				judge_keys(d, key, kid);
			key = kid;
		}
	}
	if (d->node[i].flags & N_INDEFINITE)
		d->node[i].value = map ? n / 2 : n;
	if (d->broken.err == HF_OK)
		d->node[i].flags &= (uint8_t)~N_CUT;
}

static uint32_t
read_item(struct doc *d, size_t *off, size_t end, unsigned depth)
{
	struct head h;
	uint32_t i;
	size_t start = *off;

	if (!head_read(d, &h, start, end))
		return 0;
	if (h.end) {
		doc_broken(d, start, "a break that ends nothing");
		return 0;
	}
	if ((i = node_new(d, &h, start)) == 0)
		return 0;
	judge_head(d, i, &h);
	*off += h.bytes + h.strings;
	if (h.cut ||
	    (wanted(&d->node[i]) == 0 && h.type != T_ARRAY && h.type != T_MAP))
		return i;
	if (depth == INSPECT_DEPTH) {
		d->node[i].flags |= N_CUT;
		fault_set(&d->broken, HF_E_CBOR, start,
		    "nested deeper than %d", INSPECT_DEPTH);
		return i;
	}
	if (depth == HANDFAST_DEPTH)
		fault_set(&d->alien, HF_E_CBOR, start, "nested deeper than %d",
		    HANDFAST_DEPTH);
	read_kids(d, i, off, end, depth + 1);
	d->node[i].len = (uint32_t)(*off - start);
	return i;
}

uint32_t
doc_read(struct doc *d, size_t off, size_t end)
{
	return read_item(d, &off, end, 0);
}
