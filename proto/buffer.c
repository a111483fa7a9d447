/* SPDX-License-Identifier: ISC */
/*
 * A buffer of bytes in order. It grows with what is put in, never with what
 * is announced, and wipes whatever memory it leaves. It knows no content.
 */
#include <stdlib.h>
#include <string.h>

#include "session.h"

static bool
grow(struct hf__buffer *b, size_t need)
{
	size_t cap = b->cap < 512 ? 1024 : b->cap + b->cap / 2;
	uint8_t *ptr;

	if (b->fixed || need > b->max)
		return false;
	if (cap < need)
		cap = need;
	if (cap > b->max)
		cap = b->max;
	if ((ptr = malloc(cap)) == NULL)
		return false;
	if (b->len > 0)
		memcpy(ptr, b->ptr + b->start, b->len);
	if (b->ptr != NULL)
		sodium_memzero(b->ptr, b->cap);
	free(b->ptr);
	b->ptr = ptr;
	b->cap = cap;
	b->start = 0;
	return true;
}

uint8_t *
hf__buffer_room(struct hf__buffer *b, size_t n)
{
	if (b->cap - b->len < n) {
		if (n > SIZE_MAX - b->len || !grow(b, b->len + n))
			return NULL;
	} else if (b->cap - b->start - b->len < n) {
		memmove(b->ptr, b->ptr + b->start, b->len);
		b->start = 0;
	}
	return b->ptr + b->start + b->len;
}

void
hf__buffer_take(struct hf__buffer *b, size_t n)
{
	b->len -= n;
	b->start = b->len == 0 ? 0 : b->start + n;
}

void
hf__buffer_free(struct hf__buffer *b)
{
	if (b->ptr != NULL)
		sodium_memzero(b->ptr, b->cap);
	if (!b->fixed)
		free(b->ptr);
	*b = (struct hf__buffer){ 0 };
}
