/* SPDX-License-Identifier: ISC */
/*
 * What a dispatcher reads of a stream (spec section 17.9): where messages end,
 * and of the first one where it wants to go. It has no session and no key, and
 * believes nothing: whoever takes the message judges it anew, the sealed part
 * too.
 */
#include "session.h"

enum {
	ARRAY_LEAST = 0x82,
	ARRAY_MOST = 0x8b,
	TYPE_MOST = 0x17,
	STRING_LEAST = 0x40, /* heads of byte strings */
	STRING_MOST = 0x5b,
	HELLO_FIELDS = 6,
	REQUEST_FIELDS = 10,
	RESUME_FIELDS = 11,
	NONCE_BYTES = 32,
	KEM_MAX = 2048 /* of any KEM */
};

/* A record ends where the head of its one byte string says. */
static enum hf_err
record_end(size_t *len, const uint8_t *ptr, size_t have)
{
	uint64_t value = 0;
	size_t head, i;

	if (ptr[0] != ARRAY_LEAST)
		return HF_E_SHAPE;
	if (have < 3)
		return HF_OK;
	if (ptr[2] < STRING_LEAST || ptr[2] > STRING_MOST)
		return HF_E_SHAPE;
	head = hf__cbor_head_claim(ptr[2]);
	if (have < 2 + head)
		return HF_OK;
	for (i = 1; i < head; i++)
		value = value << 8 | ptr[2 + i];
	if (head == 1)
		value = ptr[2] - STRING_LEAST;
	if (head != hf__cbor_head_bytes(value))
		return HF_E_CBOR;
	if (value > HF_RECORD_MAX - 2 - head)
		return HF_E_TOO_BIG;
	*len = 2 + head + (size_t)value;
	return HF_OK;
}

enum hf_err
hf_frame_read(int *type, size_t *len, const uint8_t *ptr, size_t have)
{
	*type = -1;
	*len = 0;
	if (have >= 1 && (ptr[0] < ARRAY_LEAST || ptr[0] > ARRAY_MOST))
		return HF_E_SHAPE;
	if (have < 2)
		return HF_OK;
	if (ptr[1] > TYPE_MOST)
		return HF_E_SHAPE;
	if (ptr[1] > HF__QUERY && ptr[1] != HF__RECORD)
		return HF_E_UNEXPECTED;
	*type = ptr[1];
	if (*type == HF__RECORD)
		return record_end(len, ptr, have);
	return hf__cbor_extent(len, ptr, have, HF_MESSAGE_MAX);
}

static void
read_hello(struct hf_route *route, struct hf__reader *r)
{
	size_t i, n;

	hf__read_open(r, HF__HELLO, HELLO_FIELDS);
	n = hf__read_list(r, 1, HF_SUITES_MAX);
	for (i = 0; i < n; i++)
		(void)hf__read_uint(r, UINT16_MAX);
	route->target = hf__read_text(r, 0, HF_TARGET_MAX);
	(void)hf__read_cookie(r);
}

static void
read_request(struct hf_route *route, struct hf__reader *r)
{
	hf__read_open(r, HF__REQUEST, REQUEST_FIELDS);
	(void)hf__read_uint(r, UINT16_MAX);
	route->key_id = hf__read_bytes(r, HF__KEY_ID_BYTES, HF__KEY_ID_BYTES);
	route->target = hf__read_text(r, 0, HF_TARGET_MAX);
	(void)hf__read_cookie(r);
	(void)hf__read_bytes(r, 0, KEM_MAX);
	(void)hf__read_bytes_or_null(r, 0, KEM_MAX);
}

static void
read_resume(struct hf_route *route, struct hf__reader *r)
{
	hf__read_open(r, HF__RESUME, RESUME_FIELDS);
	route->sid = hf__read_bytes(r, HF_SID_BYTES, HF_SID_BYTES);
	(void)hf__read_uint(r, UINT32_MAX);
	(void)hf__read_uint(r, UINT32_MAX);
	route->target = hf__read_text(r, 0, HF_TARGET_MAX);
	(void)hf__read_bytes(r, NONCE_BYTES, NONCE_BYTES);
	(void)hf__read_cookie(r);
	(void)hf__read_bytes_or_null(r, 0, KEM_MAX);
}

enum hf_err
hf_route_read(struct hf_route *route, const uint8_t *message, size_t len)
{
	struct hf__reader r;
	unsigned known;
	enum hf_err e;

	*route = (struct hf_route){ .type = -1 };
	if (len < 2)
		return HF_E_CBOR;
	hf__read_init(&r, message, len);
	switch (message[1]) {
	case HF__HELLO:
		read_hello(route, &r);
		break;
	case HF__REQUEST:
		read_request(route, &r);
		break;
	case HF__RESUME:
		read_resume(route, &r);
		break;
	default:
		return HF_E_UNEXPECTED;
	}
	known = hf__read_extensions(&r);
	if (message[1] != HF__HELLO)
		(void)hf__read_bytes(&r, 0, HF_MESSAGE_MAX);
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	route->type = message[1];
	route->dispatched = (known & HF__EXT_DISPATCHED) != 0;
	return HF_OK;
}

enum hf_err
hf_offer_key_id(uint8_t key_id[HF_KEY_ID_BYTES], const uint8_t *message,
    size_t len)
{
	enum { OFFER_FIELDS = 6 };
	struct hf_span leaf;
	struct hf__reader r;

	if (len < 2 || message[1] != HF__OFFER)
		return HF_E_UNEXPECTED;
	hf__read_init(&r, message, len);
	hf__read_open(&r, HF__OFFER, OFFER_FIELDS);
	(void)hf__read_uint(&r, UINT16_MAX);
	(void)hf__read_list(&r, 1, HF_CHAIN_MAX);
	leaf = hf__read_bytes(&r, 1, HF_CERT_MAX);
	if (r.err == HF_OK)
		hf__key_id(key_id, leaf);
	return r.err;
}

void
hf_key_id(uint8_t key_id[HF_KEY_ID_BYTES], const uint8_t *cert, size_t len)
{
	hf__key_id(key_id, (struct hf_span){ cert, len });
}
