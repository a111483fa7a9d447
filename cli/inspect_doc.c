/* SPDX-License-Identifier: ISC */
/*
 * Ways about a tree of nodes, and the first of several faults. It knows what
 * a map's keys are; it reads no bytes.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

void
fault_set(struct fault *fault, enum hf_err err, size_t off, const char *fmt,
    ...)
{
	va_list ap;

	if (fault->err != HF_OK && fault->off <= off)
		return;
	fault->err = err;
	fault->off = off;
	va_start(ap, fmt);
	(void)vsnprintf(fault->text, sizeof(fault->text), fmt, ap);
	va_end(ap);
}

void
doc_init(struct doc *d, const void *ptr, size_t len)
{
	memset(d, 0, sizeof(*d));
	d->ptr = ptr;
	d->len = len;
	d->blame = HF_E_SHAPE;
}

void
doc_reset(struct doc *d)
{
	uint32_t i;

	for (i = 1; i < d->n; i++)
		free(d->node[i].words);
	d->n = 0;
	d->broken.err = d->loose.err = HF_OK;
	d->alien.err = d->keys.err = d->wrong.err = HF_OK;
	d->blame = HF_E_SHAPE;
	d->embedded = 0;
}

void
doc_free(struct doc *d)
{
	doc_reset(d);
	free(d->node);
	d->node = NULL;
	d->cap = 0;
}

uint32_t
doc_kid(const struct doc *d, uint32_t i, size_t n)
{
	uint32_t kid = d->node[i].kid;

	while (n-- > 0 && kid != 0)
		kid = d->node[kid].next;
	return kid;
}

int
node_int(int64_t *out, const struct node *node)
{
	if (node->type > T_NEGINT || node->value > INT64_MAX)
		return 0;
	*out = (int64_t)node->value;
	if (node->type == T_NEGINT)
		*out = -1 - *out;
	return 1;
}

uint32_t
doc_at(const struct doc *d, uint32_t map, int64_t key)
{
	uint32_t kid;
	int64_t found;

	if (map == 0 || d->node[map].type != T_MAP)
		return 0;
	for (kid = d->node[map].kid; kid != 0;
	     kid = d->node[d->node[kid].next].next) {
		if (d->node[kid].next == 0)
			break;
		if (node_int(&found, &d->node[kid]) && found == key)
			return d->node[kid].next;
	}
	return 0;
}

void
node_say(struct doc *d, uint32_t i, const char *fmt, ...)
{
	char text[512], *joined = NULL;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (d->node[i].words == NULL) {
		d->node[i].words = strdup(text);
		return;
	}
	if (asprintf(&joined, "%s, %s", d->node[i].words, text) == -1)
		return;
	free(d->node[i].words);
	d->node[i].words = joined;
}

const char *
word_of(const struct word *table, int64_t value)
{
	for (; table != NULL && table->text != NULL; table++)
		if (table->value == value)
			return table->text;
	return NULL;
}
