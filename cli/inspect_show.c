/* SPDX-License-Identifier: ISC */
/*
 * Nodes over several lines: diagnostic notation on the left, what each part
 * means behind a # on the right, or above it where it is long. It knows
 * columns; the notation itself is inspect_diag.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

enum {
	STEP = 2,      /* columns of one level */
	WORDS = 40,    /* where words begin */
	WIDE = 100,    /* columns of what stays on one line */
	HEX_LINE = 32, /* bytes on a line of a long byte string */
	HEX_MAX = 512, /* bytes shown whole */
	HEX_FIRST = 64 /* bytes shown of what is longer */
};

struct lines {
	FILE *out;
	const struct doc *d;
	unsigned indent;
};

/* What an item stands between: a key before it, a comma after it. */
struct around {
	const char *lead, *tail;
	const char *outer; /* words of what holds it, or NULL */
};

static char *
joined(const char *a, const char *b, const char *c)
{
	char *text = NULL;

	if (asprintf(&text, "%s%s%s", a, b, c) == -1)
		return NULL;
	return text;
}

/* name: words */
static char *
words_of(const struct node *node, const char *outer)
{
	const char *name = node->name != NULL ? node->name : "";
	const char *words = node->words != NULL ? node->words : "";
	char *own, *both;

	own = joined(name, *name != '\0' && *words != '\0' ? ": " : "", words);
	if (outer == NULL || own == NULL)
		return own;
	both = joined(outer, *outer != '\0' && *own != '\0' ? ": " : "", own);
	free(own);
	return both;
}

static void
put_line(const struct lines *l, const char *text, const char *words)
{
	size_t width = l->indent + strlen(text);

	if (words == NULL || *words == '\0')
		fprintf(l->out, "%*s%s\n", (int)l->indent, "", text);
	else if (width < WORDS)
		fprintf(l->out, "%*s%s%*s# %s\n", (int)l->indent, "", text,
		    (int)(WORDS - width), "", words);
	else
		fprintf(l->out, "%*s# %s\n%*s%s\n", (int)l->indent, "", words,
		    (int)l->indent, "", text);
}

/* 1 when nothing inside has words of its own. */
static int
is_silent(const struct doc *d, uint32_t i)
{
	uint32_t kid = d->node[i].kid;

	if (d->node[i].in != 0)
		return 0;
	for (; kid != 0; kid = d->node[kid].next)
		if (d->node[kid].name != NULL || d->node[kid].words != NULL ||
		    !is_silent(d, kid))
			return 0;
	return 1;
}

static int
is_string(const struct node *node)
{
	return node->type == T_BYTES || node->type == T_TEXT;
}

static int
stays_whole(const struct lines *l, uint32_t i)
{
	const struct node *node = &l->d->node[i];

	if ((node->flags & N_SECRET) != 0 ||
	    (node->kid == 0 && node->in == 0 && node->type != T_BYTES))
		return 1;
	return node->len <= WIDE && is_silent(l->d, i);
}

static void
show_hex(const struct lines *l, const struct node *node,
    const struct around *around, const char *words)
{
	const uint8_t *ptr = l->d->ptr + node->off + node->head;
	size_t i, all = node->len - node->head;
	size_t len = all > HEX_MAX ? HEX_FIRST : all;

	if (*words != '\0')
		fprintf(l->out, "%*s# %s\n", (int)l->indent, "", words);
	if (len < all)
		fprintf(l->out, "%*s# %d of %zu bytes\n", (int)l->indent, "",
		    HEX_FIRST, all);
	fprintf(l->out, "%*s%sh'", (int)l->indent, "", around->lead);
	for (i = 0; i < len; i++) {
		if (i > 0 && i % HEX_LINE == 0)
			fprintf(l->out, "\n%*s", (int)l->indent + STEP, "");
		fprintf(l->out, "%02x", ptr[i]);
	}
	fprintf(l->out, "'%s%s\n",
	    len < all || (node->flags & N_CUT) ? " ..." : "", around->tail);
}

static void show(struct lines *l, uint32_t i, const struct around *around);

static void
show_kids(struct lines *l, const struct node *node)
{
	struct around around = { "", "", NULL };
	uint32_t kid, value;
	char *key, *lead;

	l->indent += STEP;
	for (kid = node->kid; kid != 0; kid = l->d->node[value].next) {
		value = kid;
		key = lead = NULL;
		around.lead = "";
		if (node->type == T_MAP && l->d->node[kid].next != 0) {
			value = l->d->node[kid].next;
			key = diag_text(l->d, kid);
			lead = joined(key == NULL ? "" : key, ": ", "");
			around.lead = lead == NULL ? "" : lead;
		}
		around.tail =
		    l->d->node[value].next != 0 || (node->flags & N_CUT) != 0 ?
		    "," :
		    "";
		show(l, value, &around);
		free(key);
		free(lead);
	}
	if (node->flags & N_CUT)
		put_line(l, "...", NULL);
	l->indent -= STEP;
}

/* <<...>> and 18(...): one pair of brackets around one item. */
static void
show_inner(struct lines *l, uint32_t inner, const char *open, const char *shut,
    const struct around *around, const char *words)
{
	char *lead = joined(around->lead, open, "");
	char *tail = joined(shut, around->tail, "");
	struct around more = { lead, tail, words };

	if (lead != NULL && tail != NULL)
		show(l, inner, &more);
	free(lead);
	free(tail);
}

static void
show_container(struct lines *l, uint32_t i, const struct around *around,
    const char *words)
{
	const struct node *node = &l->d->node[i];
	const char *open = node->type == T_MAP ? "{" :
	    node->type == T_ARRAY	       ? "[" :
						 "(";
	const char *shut = node->type == T_MAP ? "}" :
	    node->type == T_ARRAY	       ? "]" :
						 ")";
	char *line;

	line = joined(around->lead, open,
	    (node->flags & N_INDEFINITE) != 0 ? "_ " : "");
	put_line(l, line == NULL ? open : line, words);
	free(line);
	show_kids(l, node);
	line = joined(shut, around->tail, "");
	put_line(l, line == NULL ? shut : line, NULL);
	free(line);
}

/* 1 when it stood on one line. */
static int
show_whole(struct lines *l, uint32_t i, const struct around *around,
    const char *words)
{
	char *text, *line;
	int fits;

	if (!stays_whole(l, i) || (text = diag_text(l->d, i)) == NULL)
		return 0;
	line = joined(around->lead, text, around->tail);
	free(text);
	if (line == NULL)
		return 0;
	fits = l->indent + strlen(line) <= WIDE + STEP ||
	    (l->d->node[i].kid == 0 && l->d->node[i].type != T_BYTES);
	if (fits)
		put_line(l, line, words);
	free(line);
	return fits;
}

static void
show(struct lines *l, uint32_t i, const struct around *around)
{
	const struct node *node = &l->d->node[i];
	char number[32];
	char *words = words_of(node, around->outer);

	if (words == NULL)
		return;
	if (show_whole(l, i, around, words))
		;
	else if (node->in != 0)
		show_inner(l, node->in, "<<", ">>", around, words);
	else if (node->type == T_TAG && node->kid != 0) {
		(void)snprintf(number, sizeof(number), "%llu(",
		    (unsigned long long)node->value);
		show_inner(l, node->kid, number, ")", around, words);
	} else if (is_string(node) && (node->flags & N_INDEFINITE) == 0)
		show_hex(l, node, around, words);
	else
		show_container(l, i, around, words);
	free(words);
}

void
show_item(FILE *out, const struct doc *d, uint32_t i)
{
	struct lines l = { out, d, STEP };
	struct around around = { "", "", NULL };

	show(&l, i, &around);
}
