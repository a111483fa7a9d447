/* SPDX-License-Identifier: ISC */
/*
 * Kind "route": what a dispatcher reads of the first message of a stream.
 */
#include "vectors.h"

static json_t *
hex_or_null(struct hf_span span)
{
	return span.ptr == NULL ? json_null() :
				  vec_json_hex(span.ptr, span.len);
}

enum hf_err
vec_route(struct vec *v)
{
	struct hf_span bytes = vec_hex(v, v->told, "bytes");
	struct hf_route route;
	uint8_t hash[32];
	enum hf_err e;
	size_t len;
	int type;

	if (v->failed)
		return HF_OK;
	if ((e = hf_frame_read(&type, &len, bytes.ptr, bytes.len)) != HF_OK)
		return e;
	if (len == 0 || len > bytes.len)
		return HF_E_CBOR; /* not whole */
	if ((e = hf_route_read(&route, bytes.ptr, len)) != HF_OK)
		return e;
	vec_put(v, v->out, "type",
	    json_string(vec_type_name((unsigned)route.type)));
	vec_put(v, v->out, "target", vec_json_text(route.target));
	vec_put(v, v->out, "key_id", hex_or_null(route.key_id));
	vec_put(v, v->out, "session_id", hex_or_null(route.sid));
	vec_put(v, v->out, "dispatched", json_boolean(route.dispatched));
	hf__hash(hash, bytes.ptr, bytes.len);
	vec_put_hex(v, v->out, "hash", hash, sizeof(hash));
	return HF_OK;
}
