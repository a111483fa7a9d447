/* SPDX-License-Identifier: ISC */
/*
 * Where a session lives: on the heap, each part as it is needed, or whole in
 * memory that the caller gives, where nothing is allocated. It knows sizes,
 * and nothing of what the parts mean.
 */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum { ALIGNMENT = alignof(max_align_t) };

void *
hf__part_new(struct hf_session *s, enum hf__part part, size_t size)
{
	if (s->placed == NULL)
		return calloc(1, size);
	switch (part) {
	case HF__PART_HANDSHAKE:
		return &s->placed->handshake;
	case HF__PART_TICKET:
		return &s->placed->ticket;
	default:
		return s->placed->peer_cert;
	}
}

void
hf__part_free(struct hf_session *s, void *ptr, size_t size)
{
	if (ptr == NULL)
		return;
	sodium_memzero(ptr, size);
	if (s->placed == NULL)
		free(ptr);
}

/* Input: the largest message or record. Output: the same, and close and alert
 * behind it. */
static size_t
input_size(size_t record)
{
	size_t need = record + HF__RECORD_HEAD + 1 + HF__RECORD_TAG_MAX;

	if (need < HF_MESSAGE_MAX)
		need = HF_MESSAGE_MAX;
	return (need + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t
hf_session_size(size_t record)
{
	if (record == 0 || record > HF_PLAINTEXT_MAX)
		return 0;
	return sizeof(struct hf__placed) + 2 * input_size(record) +
	    HF__OUT_SPARE;
}

enum hf_err
hf__session_place(struct hf_session **session, void *memory, size_t size,
    size_t record)
{
	size_t in = input_size(record), need = hf_session_size(record);
	struct hf__placed *placed = memory;
	uint8_t *buffers;

	if (memory == NULL || need == 0 || (uintptr_t)memory % ALIGNMENT != 0)
		return HF_E_ARG;
	if (size < need)
		return HF_E_SPACE;
	buffers = (uint8_t *)memory + sizeof(*placed);
	memset(placed, 0, sizeof(*placed));
	placed->session.placed = placed;
	placed->session.record_max = record;
	placed->session.in = (struct hf__buffer){ .ptr = buffers,
		.cap = in,
		.max = in,
		.fixed = true };
	placed->session.out = (struct hf__buffer){ .ptr = buffers + in,
		.cap = in + HF__OUT_SPARE,
		.max = in + HF__OUT_SPARE,
		.fixed = true };
	*session = &placed->session;
	return HF_OK;
}

enum hf_err
hf__session_allocate(struct hf_session **session)
{
	struct hf_session *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return HF_E_MEMORY;
	s->record_max = HF_PLAINTEXT_MAX;
	s->in.max = HF_RECORD_MAX;
	s->out.max = HF__OUT_MAX + HF__OUT_SPARE;
	*session = s;
	return HF_OK;
}

void
hf_session_free(struct hf_session *s)
{
	bool placed;

	if (s == NULL)
		return;
	hf__handshake_free(s);
	hf__move_free(s);
	hf__buffer_free(&s->in);
	hf__buffer_free(&s->out);
	hf__part_free(s, s->peer_cert_copy, s->peer_cert.len);
	hf__part_free(s, s->ticket, sizeof(*s->ticket));
	placed = s->placed != NULL;
	sodium_memzero(s, sizeof(*s));
	if (!placed)
		free(s);
}

size_t
hf_session_bytes(const struct hf_session *s)
{
	return sizeof(*s) + s->in.cap + s->out.cap +
	    (s->hs == NULL ? 0 : sizeof(*s->hs)) +
	    (s->peer_cert_copy == NULL ? 0 : s->peer_cert.len) +
	    (s->ticket == NULL ? 0 : sizeof(*s->ticket)) + hf__move_bytes(s);
}
