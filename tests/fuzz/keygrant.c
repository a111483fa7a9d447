/* SPDX-License-Identifier: ISC */
/*
 * A key grant (spec section 19.2), raw, or a payload that the cluster signed
 * whatever it says, a genuine one or not; its box as it is. What is read has
 * the shape, and what is said of it are the receiver's steps, gone through
 * here anew.
 */
#include "moving.h"

#define PAYLOAD                                                     \
	"[ =1 t1-255 u9007199254740992 b32-32 t1-255 *0-16 t0-255"  \
	" *1-8 [ u4294967295 u9007199254740992 ] u9007199254740992" \
	" b32-32 b16-289 ]"

enum { DAY = 86400, TOLERANCE = 120, SERIAL = 5 };

static struct {
	struct hf_identity *id;
	uint8_t bytes[HF_CERT_MAX], member[32];
	struct hf_span cert;
} cluster;

static void
make_cluster(void)
{
	struct hf_cert_info terms = fuzz_terms("cluster", HF_USAGE_CLUSTER);
	uint8_t request[HF_CERT_MAX];
	size_t len;

	cluster.id = fuzz_identity(6);
	terms.suites_n = 2; /* of the request: the certificate has none */
	MUST(hf_request_make(request, sizeof(request), &len, cluster.id,
	    &terms, FUZZ_NOW));
	terms.suites_n = 0;
	cluster.cert.ptr = cluster.bytes;
	MUST(hf_cert_issue(cluster.bytes, HF_CERT_MAX, &cluster.cert.len,
	    fuzz.ca, fuzz.ca_bytes, fuzz.ca_len, &terms, request, len));
	hf__hash(cluster.member, moving.cert.ptr, moving.cert.len);
}

/* The generations fall, to 1 at the least; *n of them. */
static bool
falling(uint64_t *n, struct hf_span payload)
{
	struct hf_span from = shape_from(payload, 6);
	struct shape_at at = { from.ptr, from.len, 0 };
	uint64_t k, value, last = UINT64_MAX;
	unsigned major;

	CLAIM(shape_head(&at, &major, n));
	for (k = 0; k < *n; k++) {
		CLAIM(shape_head(&at, &major, &value));
		CLAIM(shape_head(&at, &major, &value));
		if (value >= last || value == 0)
			return false;
		last = value;
		CLAIM(shape_skip(&at));
	}
	return true;
}

static enum hf_err
steps(struct hf_span payload, int own_copy)
{
	struct hf_span box = shape_item(payload, 9), plain;
	char keys[32];
	uint64_t n, not_after = shape_number(payload, 7);

	CLAIM(falling(&n, payload));
	if (!shape_is_name(shape_item(payload, 1), "cluster"))
		return HF_E_NAME;
	if (memcmp(shape_item(payload, 3).ptr, cluster.member, 32) != 0)
		return HF_E_UNKNOWN_KEY;
	if (FUZZ_NOW >= not_after)
		return HF_E_EXPIRED;
	if (!own_copy && not_after > (uint64_t)FUZZ_NOW + DAY + TOLERANCE)
		return HF_E_NOT_YET;
	if (shape_number(payload, 2) < SERIAL)
		return HF_E_ROLLBACK;
	if (sodium_is_zero(shape_item(payload, 8).ptr, 32))
		return HF_E_PUBLIC_KEY;
	if (box.ptr[box.len - 1] == SKIP_REFUSED)
		return HF_E_BOX;
	plain = (struct hf_span){ box.ptr, box.len - HF__TAG_BYTES };
	(void)snprintf(keys, sizeof(keys), "*%u-%u b32-32", (unsigned)n,
	    (unsigned)n);
	return plain.len > 0 && shape_fits(keys, plain) == plain.len ?
	    HF_OK :
	    HF_E_OBJECT;
}

static void
fuzz_payload(struct hf_span payload, const struct hf_keygrant_judge *by)
{
	static uint8_t grant[1 << 16];
	struct hf_keygrant g;
	enum hf_err read, e;
	uint64_t n;
	size_t len;
	bool fits;

	if (payload.len == 0 || payload.len > sizeof(grant) - 256)
		return;
	MUST(hf__sign1_make(grant, sizeof(grant), &len, cluster.id,
	    "handfast/1 key grant", payload.ptr, payload.len));
	fits = shape_fits(PAYLOAD, payload) == payload.len &&
	    shape_number(payload, 2) > 0 && falling(&n, payload);
	read = hf_keygrant_read(&g, grant, len);
	CLAIM(fits ? read == HF_OK : read == HF_E_CBOR || read == HF_E_OBJECT);
	e = hf_keygrant_open(&g, grant, len, by);
	CLAIM(e == (fits ? steps(payload, by->own_copy) : read));
	if (e != HF_OK)
		CLAIM(sodium_is_zero((const uint8_t *)&g, sizeof(g)));
}

/* The payload of a grant that is right in all, to be changed. */
static struct hf_span
genuine(void)
{
	static uint8_t made[4096];
	struct hf_keygrant g = { .serial = SERIAL,
		.target_n = 2,
		.generation_n = 2,
		.generation = { { .number = 3 },
		    { .number = 1, .cut_off = FUZZ_NOW } },
		.not_after = FUZZ_NOW + DAY };
	struct hf__sign1 cose;
	size_t len;

	fuzz_name(&g.cluster, "cluster");
	fuzz_name(&g.scope, "default");
	fuzz_name(&g.target[0], "target");
	MUST(hf_keygrant_make(made, sizeof(made), &len, cluster.id, &g,
	    moving.cert.ptr, moving.cert.len));
	MUST(hf__sign1_read(&cose, made, len));
	return cose.payload;
}

/* Nobody signed it; here that is told by its last byte alone. */
static void
fuzz_raw(struct hf_span grant, const struct hf_keygrant_judge *by)
{
	struct hf_keygrant g;
	enum hf_err e = hf_keygrant_read(&g, grant.ptr, grant.len), open;

	CLAIM(e == HF_OK || e == HF_E_CBOR || e == HF_E_OBJECT);
	open = hf_keygrant_open(&g, grant.ptr, grant.len, by);
	if (e != HF_OK)
		CLAIM(open == e);
	else
		CLAIM(
		    open != HF_OK || grant.ptr[grant.len - 1] != SKIP_REFUSED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };
	struct hf_keygrant_judge by = { .now = FUZZ_NOW,
		.serial = SERIAL,
		.tolerance = TOLERANCE };
	struct act a = { .admission = HF_ADMIT };
	unsigned choice;

	fuzz_skip = SKIP_SEALS;
	fuzz_people();
	moving_make();
	if (cluster.id == NULL)
		make_cluster();
	fuzz_random(NULL, 0);
	choice = in_byte(&in);
	by.identity = fuzz.server;
	by.member = moving.cert;
	by.cluster = cluster.cert;
	by.own_copy = (choice & 2) != 0;
	a.said = genuine();
	in = act_bytes(&a, in, choice);
	if (choice & (GENUINE | 1))
		fuzz_payload(in, &by);
	else if (in.len > 0)
		fuzz_raw(in, &by);
	return 0;
}
