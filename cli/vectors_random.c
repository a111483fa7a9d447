/* SPDX-License-Identifier: ISC */
/*
 * Randomness for `vectors verify`: while a list is set, every draw of the
 * library must be the next entry, of the same length. Otherwise randomness is
 * the system's, as ever.
 */
#include <string.h>

#include "vectors.h"

static struct vec_draws *current;

static const char *
listed_name(void)
{
	return "listed";
}

static void
take_entry(struct vec_draws *d, uint8_t *out, size_t len)
{
	char field[VEC_FIELD];
	struct hf_span entry;

	(void)snprintf(field, sizeof(field), "%s[%zu]", d->name, d->next);
	memset(out, 0, len);
	if (d->next >= json_array_size(d->list)) {
		vec_fault(d->v, field, "is missing: %zu bytes are drawn", len);
		return;
	}
	entry = vec_unhex(d->v, json_array_get(d->list, d->next++), field);
	if (entry.len == len)
		memcpy(out, entry.ptr, len);
	else
		vec_fault(d->v, field, "has %zu bytes, %zu are drawn",
		    entry.len, len);
}

static void
listed_buf(void *const out, const size_t len)
{
	if (current == NULL)
		randombytes_sysrandom_implementation.buf(out, len);
	else
		take_entry(current, out, len);
}

static uint32_t
listed_word(void)
{
	uint32_t word;

	listed_buf(&word, sizeof(word));
	return word;
}

void
vec_random_install(void)
{
	static struct randombytes_implementation listed = {
		.implementation_name = listed_name,
		.random = listed_word,
		.buf = listed_buf,
	};

	if (randombytes_set_implementation(&listed) != 0)
		sodium_misuse();
}

void
vec_random_begin(struct vec_draws *draws)
{
	current = draws;
}

void
vec_random_end(void)
{
	current = NULL;
}

void
vec_draws_init(struct vec_draws *d, struct vec *v, const char *name)
{
	*d = (struct vec_draws){ .v = v, .name = name };
	d->list = vec_get(v, v->told, name, JSON_ARRAY);
}

void
vec_draws_done(const struct vec_draws *d)
{
	char field[VEC_FIELD];

	(void)snprintf(field, sizeof(field), "%s[%zu]", d->name, d->next);
	if (d->next < json_array_size(d->list))
		vec_fault(d->v, field, "is never drawn");
}
