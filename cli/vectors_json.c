/* SPDX-License-Identifier: ISC */
/*
 * JSON to values and back, for `vectors verify`. Nothing is forgiven: a member
 * of another type, hex that is not lower-case, a member too many are faults of
 * the vector. It knows no kind.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

struct vec_chunk {
	struct vec_chunk *next;
	max_align_t bytes[];
};

/* The first fault stands. */
void
vec_fault(struct vec *v, const char *field, const char *fmt, ...)
{
	va_list ap;

	if (v->failed)
		return;
	v->failed = 1;
	(void)snprintf(v->field, sizeof(v->field), "%s", field);
	va_start(ap, fmt);
	(void)vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

/* Without memory there is nothing to verify: the program ends. */
void *
vec_alloc(struct vec *v, size_t size)
{
	struct vec_chunk *chunk = calloc(1, sizeof(*chunk) + size + 1);

	if (chunk == NULL)
		exit(cli_fail(HF_E_MEMORY, "vectors"));
	chunk->next = v->chunks;
	v->chunks = chunk;
	return chunk->bytes;
}

void
vec_done(struct vec *v)
{
	struct vec_chunk *chunk;

	while ((chunk = v->chunks) != NULL) {
		v->chunks = chunk->next;
		free(chunk);
	}
	json_decref(v->out);
	v->out = NULL;
}

static const char *
type_name(json_type type)
{
	static const char *const names[] = { "an object", "a list", "a text",
		"an integer", "a real", "true", "false", "null" };

	return names[type];
}

const json_t *
vec_get(struct vec *v, const json_t *in, const char *key, json_type type)
{
	const json_t *value = json_object_get(in, key);

	if (value == NULL)
		vec_fault(v, key, "is missing");
	else if (json_typeof(value) != type)
		vec_fault(v, key, "is not %s", type_name(type));
	else
		return value;
	return NULL;
}

int
vec_is_null(const json_t *in, const char *key)
{
	return json_is_null(json_object_get(in, key));
}

bool
vec_word(char word[VEC_FIELD], bool *optional, const char **words)
{
	size_t n = strcspn(*words, " ");

	*optional = **words == '?';
	(void)snprintf(word, VEC_FIELD, "%.*s", (int)(n - *optional),
	    *words + *optional);
	*words += n + strspn(*words + n, " ");
	return n > 0;
}

static int
is_member(const char *names, const char *key)
{
	char name[VEC_FIELD];
	bool optional;

	while (vec_word(name, &optional, &names))
		if (strcmp(name, key) == 0)
			return 1;
	return 0;
}

void
vec_members(struct vec *v, const json_t *in, const char *names)
{
	char name[VEC_FIELD];
	const char *key;
	json_t *value;
	bool optional;

	if (!json_is_object(in)) {
		vec_fault(v, names, "stand in no object");
		return;
	}
	json_object_foreach((json_t *)in, key, value)
		if (!is_member(names, key))
			vec_fault(v, key, "unknown field");
	while (vec_word(name, &optional, &names))
		if (!optional && json_object_get(in, name) == NULL)
			vec_fault(v, name, "is missing");
}

struct hf_span
vec_unhex(struct vec *v, const json_t *value, const char *name)
{
	const char *text = json_string_value(value);
	size_t len, got = 0;
	uint8_t *bytes;

	if (text == NULL || strspn(text, "0123456789abcdef") != strlen(text) ||
	    strlen(text) % 2 != 0) {
		vec_fault(v, name, "is not lower-case hex");
		return (struct hf_span){ vec_alloc(v, 0), 0 };
	}
	len = strlen(text) / 2;
	bytes = vec_alloc(v, len);
	if (sodium_hex2bin(bytes, len, text, strlen(text), NULL, &got, NULL) !=
		0 ||
	    got != len)
		vec_fault(v, name, "is not lower-case hex");
	return (struct hf_span){ bytes, len };
}

struct hf_span
vec_hex(struct vec *v, const json_t *in, const char *key)
{
	const json_t *value = vec_get(v, in, key, JSON_STRING);

	if (value == NULL)
		return (struct hf_span){ vec_alloc(v, 0), 0 };
	return vec_unhex(v, value, key);
}

void
vec_hex_into(uint8_t *out, size_t len, struct vec *v, const json_t *in,
    const char *key)
{
	struct hf_span span = vec_hex(v, in, key);

	memset(out, 0, len);
	if (span.len == len)
		memcpy(out, span.ptr, len);
	else
		vec_fault(v, key, "is %zu bytes, not %zu", span.len, len);
}

size_t
vec_hex_list(struct hf_span spans[VEC_LIST_MAX], struct vec *v,
    const json_t *in, const char *key)
{
	const json_t *array = vec_get(v, in, key, JSON_ARRAY);
	size_t i, n = json_array_size(array);

	if (n > VEC_LIST_MAX) {
		vec_fault(v, key, "has more than %d entries", VEC_LIST_MAX);
		return 0;
	}
	for (i = 0; i < n; i++)
		spans[i] = vec_unhex(v, json_array_get(array, i), key);
	return n;
}

uint64_t
vec_uint(struct vec *v, const json_t *in, const char *key, uint64_t max)
{
	const json_t *value = vec_get(v, in, key, JSON_INTEGER);
	json_int_t number = json_integer_value(value);

	if (number >= 0 && (uint64_t)number <= max)
		return (uint64_t)number;
	vec_fault(v, key, "is out of its range");
	return 0;
}

const char *
vec_text(struct vec *v, const json_t *in, const char *key)
{
	const json_t *value = vec_get(v, in, key, JSON_STRING);

	return value == NULL ? "" : json_string_value(value);
}

const char *
vec_text_or_null(struct vec *v, const json_t *in, const char *key)
{
	return vec_is_null(in, key) ? NULL : vec_text(v, in, key);
}

bool
vec_bool(struct vec *v, const json_t *in, const char *key)
{
	const json_t *value = json_object_get(in, key);

	if (!json_is_boolean(value))
		vec_fault(v, key, "is not true or false");
	return json_is_true(value);
}

void
vec_name(struct hf_name *out, struct vec *v, const json_t *in, const char *key)
{
	const json_t *value = json_object_get(in, key);
	const char *text = json_string_value(value);

	memset(out, 0, sizeof(*out));
	if (value == NULL || json_is_null(value))
		return;
	if (text == NULL || strlen(text) > HF_NAME_MAX) {
		vec_fault(v, key, "is not a name");
		return;
	}
	out->len = strlen(text);
	memcpy(out->text, text, out->len);
}

int
vec_holds(const json_t *array, const char *text)
{
	const char *entry;
	size_t i;

	for (i = 0; i < json_array_size(array); i++) {
		entry = json_string_value(json_array_get(array, i));
		if (entry != NULL && strcmp(entry, text) == 0)
			return 1;
	}
	return 0;
}

/* --- writing ------------------------------------------------------------------ */

json_t *
vec_json_hex(const void *ptr, size_t len)
{
	char *text = malloc(2 * len + 1);
	json_t *json;

	if (text == NULL)
		return NULL;
	sodium_bin2hex(text, 2 * len + 1, ptr, len);
	json = json_string(text);
	free(text);
	return json;
}

json_t *
vec_json_text(struct hf_span text)
{
	return json_stringn(text.len == 0 ? "" : (const char *)text.ptr,
	    text.len);
}

void
vec_put(struct vec *v, json_t *to, const char *key, json_t *value)
{
	if (json_object_set_new(to, key, value) != 0)
		vec_fault(v, key, "cannot be put");
}

void
vec_put_hex(struct vec *v, json_t *to, const char *key, const void *ptr,
    size_t len)
{
	vec_put(v, to, key, vec_json_hex(ptr, len));
}

void
vec_put_uint(struct vec *v, json_t *to, const char *key, uint64_t value)
{
	vec_put(v, to, key, json_integer((json_int_t)value));
}

void
vec_put_lines(struct vec *v, json_t *to, const char *key, const char *text)
{
	json_t *lines = json_array();
	size_t n;

	for (; *text != '\0'; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		vec_append(v, lines, json_stringn(text, n));
	}
	vec_put(v, to, key, lines);
}

void
vec_append(struct vec *v, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) != 0)
		vec_fault(v, "list", "cannot be put");
}
