/* SPDX-License-Identifier: ISC */
/*
 * What single values mean: times, usages, suites, extensions, sizes of what
 * is sealed. It knows numbers and their words, no structure.
 */
#include <string.h>

#include "inspect.h"

static void
say_time(struct doc *d, uint32_t i)
{
	const struct node *node = &d->node[i];
	char text[CLI_TIME_TEXT];

	if (node->type == T_UINT)
		node_say(d, i, "%s", cli_time_text(text, node->value));
	else if (node->type == T_FLOAT && node->real >= 0 &&
	    node->real < 9007199254740992.0)
		node_say(d, i, "%s",
		    cli_time_text(text, (uint64_t)node->real));
}

static void
say_duration(struct doc *d, uint32_t i)
{
	uint64_t s = d->node[i].value;

	if (s % 86400 == 0 && s > 0)
		node_say(d, i, "%llu d", (unsigned long long)(s / 86400));
	else if (s % 3600 == 0 && s > 0)
		node_say(d, i, "%llu h", (unsigned long long)(s / 3600));
	else
		node_say(d, i, "%llu s", (unsigned long long)s);
}

static void
say_usage(struct doc *d, uint32_t i)
{
	uint64_t usage = d->node[i].value;
	unsigned bit;

	for (bit = 1; bit <= HF_USAGE_CLUSTER; bit <<= 1)
		if ((usage & bit) != 0)
			node_say(d, i, "%s", cli_usage_word(bit));
	if (usage == 0 || usage > 31)
		node_say(d, i, "unknown");
}

static void
say_suite(struct doc *d, uint32_t at, const struct node *node)
{
	const char *name = NULL;

	if (node->type == T_UINT && node->value <= 65535)
		name = hf_suite_name((int)node->value);
	if (name != NULL)
		node_say(d, at, "%s", name);
	else if (node->type == T_UINT && node->value >= 65280 &&
	    node->value <= 65535)
		node_say(d, at, "private");
	else
		node_say(d, at, "unknown");
}

static void
say_suites(struct doc *d, uint32_t i)
{
	uint32_t kid;
	unsigned n = 0;

	for (kid = d->node[i].kid; kid != 0 && n < HF_SUITES_MAX; n++) {
		say_suite(d, i, &d->node[kid]);
		if (d->node[kid].type != T_UINT || d->node[kid].value > 65535)
			fault_set(&d->wrong, d->blame, d->node[kid].off,
			    "suites: not a number of 0 to 65535");
		kid = d->node[kid].next;
	}
}

static void
say_sealed(struct doc *d, uint32_t i, unsigned extra)
{
	uint64_t len = d->node[i].value;

	if (d->node[i].type != T_BYTES || len < extra)
		return;
	if (len == 16 && extra == 16)
		node_say(d, i, "seals nothing: a tag alone");
	else
		node_say(d, i, "seals %llu byte%s",
		    (unsigned long long)(len - extra),
		    len - extra == 1 ? "" : "s");
}

static void
say_zeros(struct doc *d, uint32_t i)
{
	const struct node *node = &d->node[i];
	size_t k;

	for (k = node->head; k < node->len; k++)
		if (d->ptr[node->off + k] != 0) {
			fault_set(&d->wrong, d->blame, node->off,
			    "padding: not all zero");
			return;
		}
	node_say(d, i, "%u zero bytes", node->len - node->head);
}

static void
say_extension(struct doc *d, uint32_t key, uint32_t value)
{
	const struct node *node = &d->node[key], *held = &d->node[value];
	int64_t number;

	if (!node_int(&number, node)) {
		fault_set(&d->wrong, d->blame, node->off,
		    "extensions: a key that is no integer of 64 bits");
		return;
	}
	if (number < -65536)
		node_say(d, value, "private, critical: refused");
	else if (number < 0)
		node_say(d, value, "unknown, critical: refused");
	else if (number == 1)
		node_say(d, value, "dispatched");
	else if (number == 2)
		node_say(d, value, "channels");
	else if (number <= 65535)
		node_say(d, value, "unknown, ignored");
	else if (number <= 131071)
		node_say(d, value, "grease: means nothing");
	else
		node_say(d, value, "private, ignored");
	if (held->type != T_BYTES || held->value > 256)
		fault_set(&d->wrong, d->blame, held->off,
		    "extensions: not a byte string of 0 to 256 bytes");
	else if (number < 0)
		fault_set(&d->wrong, HF_E_EXTENSION, node->off,
		    "extension %lld", (long long)number);
}

void
fit_extensions(struct doc *d, uint32_t map)
{
	uint32_t key, value;

	for (key = d->node[map].kid; key != 0; key = d->node[value].next) {
		if ((value = d->node[key].next) == 0)
			return;
		say_extension(d, key, value);
	}
	if (d->node[map].value == 0)
		node_say(d, map, "none");
}

/* A byte string that reads as text. */
void
fit_text(struct doc *d, uint32_t i)
{
	const struct node *node = &d->node[i];
	const char *ptr = (const char *)d->ptr + node->off + node->head;
	size_t k, len = node->len - node->head;

	if ((node->flags & N_INDEFINITE) != 0 || len == 0 || len > 256)
		return;
	for (k = 0; k < len; k++)
		if (ptr[k] < 0x20 || ptr[k] > 0x7e)
			return;
	node_say(d, i, "\"%.*s\"", (int)len, ptr);
}

void
fit_words(struct doc *d, uint32_t i, const struct field *field)
{
	const struct node *node = &d->node[i];
	const char *word = NULL;
	int64_t number;

	if (node_int(&number, node) &&
	    (word = word_of(field->table, number)) != NULL)
		node_say(d, i, "%s", word);
	else if (field->table != NULL && node->type <= T_NEGINT &&
	    field->form != FORM_TIME)
		node_say(d, i, "unknown");
	if (field->form == FORM_TIME && word == NULL)
		say_time(d, i);
	else if (field->form == FORM_DURATION && node->type == T_UINT)
		say_duration(d, i);
	else if (field->form == FORM_USAGE && node->type == T_UINT)
		say_usage(d, i);
	else if (field->form == FORM_SUITE)
		say_suite(d, i, node);
	else if (field->form == FORM_SUITES)
		say_suites(d, i);
	else if (field->form == FORM_EXTENSIONS && node->type == T_MAP)
		fit_extensions(d, i);
	else if (field->form == FORM_SEALED)
		say_sealed(d, i, 16);
	else if (field->form == FORM_RECORD)
		say_sealed(d, i, 17);
	else if (field->form == FORM_ZEROS && node->type == T_BYTES)
		say_zeros(d, i);
}
