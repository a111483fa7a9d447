/* SPDX-License-Identifier: ISC */
/*
 * Nodes as JSON: what has a name becomes a member {"value", "words"}, bytes
 * become hex, and what JSON cannot say becomes diagnostic notation. Secrets
 * stay masked.
 */
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

static json_t *
diag_json(const struct doc *d, uint32_t i)
{
	char *text = diag_text(d, i);
	json_t *json = text == NULL ? NULL : json_string(text);

	free(text);
	return json;
}

static json_t *
hex_json(const struct doc *d, const struct node *node)
{
	size_t len = node->len - node->head;
	char *text = malloc(2 * len + 1);
	json_t *json;

	if (text == NULL)
		return NULL;
	sodium_bin2hex(text, 2 * len + 1, d->ptr + node->off + node->head,
	    len);
	json = json_string(text);
	free(text);
	return json;
}

static json_t *value_json(const struct doc *d, uint32_t i);

/* A field: what it holds, and what that means. What has no name and no
 * meaning is the value alone. */
static json_t *
member_json(const struct doc *d, uint32_t i)
{
	json_t *member;

	if (d->node[i].name == NULL && d->node[i].words == NULL)
		return value_json(d, i);
	member = json_object();
	(void)json_object_set_new(member, "value", value_json(d, i));
	if (d->node[i].words != NULL)
		(void)json_object_set_new(member, "words",
		    json_string(d->node[i].words));
	return member;
}

/* A name that is there already gets a number: a map may have a key twice. */
static void
add_member(json_t *object, const char *name, json_t *member)
{
	char again[320];
	unsigned n = 2;

	(void)snprintf(again, sizeof(again), "%s", name);
	while (json_object_get(object, again) != NULL && n < 16)
		(void)snprintf(again, sizeof(again), "%.300s #%u", name, n++);
	if (json_object_set_new(object, again, json_incref(member)) != 0)
		(void)json_object_set_new(object, "?", json_incref(member));
	json_decref(member);
}

/* What a map's entry is called: its field's name, its key's text or notation.
 * For free(). */
static char *
entry_name(const struct doc *d, uint32_t key, uint32_t value)
{
	const struct node *node = &d->node[key];

	if (d->node[value].name != NULL)
		return strdup(d->node[value].name);
	if (node->type == T_TEXT &&
	    (node->flags & (N_INDEFINITE | N_SECRET)) == 0)
		return strndup((const char *)d->ptr + node->off + node->head,
		    node->len - node->head);
	return diag_text(d, key);
}

static json_t *
map_json(const struct doc *d, const struct node *node)
{
	json_t *object = json_object();
	uint32_t key, value;
	char *name;

	for (key = node->kid; key != 0 && d->node[key].next != 0;
	     key = d->node[value].next) {
		value = d->node[key].next;
		if ((name = entry_name(d, key, value)) != NULL)
			add_member(object, name, member_json(d, value));
		free(name);
	}
	return object;
}

static json_t *
array_json(const struct doc *d, const struct node *node)
{
	json_t *array;
	uint32_t kid;

	if (node->kid != 0 && d->node[node->kid].name != NULL) {
		array = json_object();
		for (kid = node->kid; kid != 0; kid = d->node[kid].next)
			add_member(array,
			    d->node[kid].name != NULL ? d->node[kid].name :
							"more",
			    member_json(d, kid));
		return array;
	}
	array = json_array();
	for (kid = node->kid; kid != 0; kid = d->node[kid].next)
		(void)json_array_append_new(array, value_json(d, kid));
	return array;
}

static json_t *
value_json(const struct doc *d, uint32_t i)
{
	const struct node *node = &d->node[i];
	const char *text = (const char *)d->ptr + node->off + node->head;
	json_t *json = NULL;
	int64_t number;

	if ((node->flags & (N_SECRET | N_INDEFINITE)) != 0 &&
	    node->type <= T_TEXT)
		return diag_json(d, i);
	if (node->flags & N_SECRET)
		return diag_json(d, i);
	if (node_int(&number, node))
		return json_integer((json_int_t)number);
	if (node->in != 0)
		return value_json(d, node->in);
	if (node->type == T_BYTES)
		return hex_json(d, node);
	if (node->type == T_TEXT)
		json = json_stringn(text, node->len - node->head);
	else if (node->type == T_ARRAY)
		json = array_json(d, node);
	else if (node->type == T_MAP)
		json = map_json(d, node);
	else if (node->type == T_TAG && node->kid != 0 &&
	    node->value <= INT64_MAX)
		json = json_pack("{s:o,s:o}", "tag",
		    json_integer((json_int_t)node->value), "value",
		    value_json(d, node->kid));
	else if (node->type == T_BOOL)
		json = json_boolean(node->value != 0);
	else if (node->type == T_NULL)
		json = json_null();
	else if (node->type == T_FLOAT && isfinite(node->real))
		json = json_real(node->real);
	return json != NULL ? json : diag_json(d, i);
}

json_t *
json_fields(const struct doc *d, uint32_t i)
{
	return value_json(d, i);
}
