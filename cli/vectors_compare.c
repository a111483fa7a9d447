/* SPDX-License-Identifier: ISC */
/*
 * Where two JSON values differ, and how to say it in a line: the path, and of
 * long texts the part around the first character that differs. It knows no
 * field.
 */
#include <string.h>

#include "vectors.h"

enum { SHOWN = 32 /* characters of a long text */ };

static void differ(struct vec *, const char *path, const json_t *told,
    const json_t *found);

/* A value in a few characters. */
static void
shorten(char *out, size_t cap, const json_t *value, size_t from)
{
	const char *text = json_string_value(value);

	if (text != NULL)
		(void)snprintf(out, cap, "%s%.*s%s", from > 0 ? "..." : "",
		    SHOWN, text + from,
		    strlen(text + from) > SHOWN ? "..." : "");
	else if (json_is_integer(value))
		(void)snprintf(out, cap, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(value));
	else if (json_is_array(value) || json_is_object(value))
		(void)snprintf(out, cap, "%s of %zu",
		    json_is_array(value) ? "a list" : "an object",
		    json_is_array(value) ? json_array_size(value) :
					   json_object_size(value));
	else
		(void)snprintf(out, cap, "%s",
		    json_is_true(value)	     ? "true" :
			json_is_false(value) ? "false" :
			json_is_null(value)  ? "null" :
					       "nothing");
}

/* Texts are shown from a little before where they part. */
static void
say(struct vec *v, const char *path, const json_t *told, const json_t *found)
{
	const char *a = json_string_value(told), *b = json_string_value(found);
	char want[SHOWN + 16], got[SHOWN + 16];
	size_t at = 0, from;

	if (a != NULL && b != NULL)
		while (a[at] != '\0' && a[at] == b[at])
			at++;
	from = at > SHOWN / 2 ? at - SHOWN / 2 : 0;
	if (a != NULL && b != NULL && strlen(a) <= SHOWN && strlen(b) <= SHOWN)
		from = 0;
	shorten(want, sizeof(want), told, from);
	shorten(got, sizeof(got), found, from);
	if (a != NULL && b != NULL && (from > 0 || strlen(a) > SHOWN))
		vec_fault(v, path, "expected %s, got %s (at %zu of %zu)", want,
		    got, at, strlen(a));
	else
		vec_fault(v, path, "expected %s, got %s", want, got);
}

static void
differ_objects(struct vec *v, const char *path, const json_t *told,
    const json_t *found)
{
	char inner[VEC_FIELD];
	const json_t *other;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)told, key, value) {
		(void)snprintf(inner, sizeof(inner), "%s%s%s", path,
		    *path != '\0' ? "." : "", key);
		if ((other = json_object_get(found, key)) == NULL)
			vec_fault(v, inner, "unknown field");
		else
			differ(v, inner, value, other);
	}
	json_object_foreach((json_t *)found, key, value) {
		(void)snprintf(inner, sizeof(inner), "%s%s%s", path,
		    *path != '\0' ? "." : "", key);
		if (json_object_get(told, key) == NULL)
			vec_fault(v, inner, "is missing");
	}
}

static void
differ_arrays(struct vec *v, const char *path, const json_t *told,
    const json_t *found)
{
	size_t i, n = json_array_size(told), m = json_array_size(found);
	char inner[VEC_FIELD];

	for (i = 0; i < n && i < m; i++) {
		(void)snprintf(inner, sizeof(inner), "%s[%zu]", path, i);
		differ(v, inner, json_array_get(told, i),
		    json_array_get(found, i));
	}
	if (n != m)
		vec_fault(v, path, "expected %zu entries, got %zu", n, m);
}

/* Only the first fault counts: later ones are not looked for. */
static void
differ(struct vec *v, const char *path, const json_t *told,
    const json_t *found)
{
	if (v->failed)
		return;
	if (json_is_object(told) && json_is_object(found))
		differ_objects(v, path, told, found);
	else if (json_is_array(told) && json_is_array(found))
		differ_arrays(v, path, told, found);
	else if (!json_equal(told, found))
		say(v, path, told, found);
}

/* An error that comes, or does not, is what matters first. */
void
vec_compare(struct vec *v, const json_t *told, const json_t *found)
{
	const json_t *a = json_object_get(told, "error");
	const json_t *b = json_object_get(found, "error");

	if ((a == NULL) != (b == NULL) || (a != NULL && !json_equal(a, b)))
		say(v, "error", a, b);
	differ(v, "", told, found);
}
