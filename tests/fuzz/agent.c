/* SPDX-License-Identifier: ISC */
/*
 * Frames of the agent's own protocol (spec section 21.3), as each side takes
 * them, wherever it is: no verdict changes as more arrives, what is taken is
 * one item of deterministic CBOR, and written again it is the same.
 */
#include "agent_wire.h"
#include "walk.h"

enum { PREFIXES = 600 };

static void
by_prefix(struct hf_span in, enum hf__wire_stage stage)
{
	enum hf_err e, before = HF_OK;
	size_t k, used, known = 0;
	struct hf__wire w;

	for (k = 0; k <= in.len && k <= PREFIXES; k++) {
		e = hf__wire_read(&w, &used, in.ptr, k, stage);
		CLAIM(before == HF_OK || e == before);
		CLAIM(known == 0 || used == known);
		CLAIM(e == HF_OK || used == 0);
		CLAIM(used <= k && used <= HF__WIRE_MAX);
		before = e;
		known = used;
	}
}

static void
written_again(const struct hf__wire *w, struct hf_span in, size_t used)
{
	uint8_t out[HF__WIRE_SMALL];
	size_t len;

	if (w->type == HF__WIRE_DATA) {
		len = hf__wire_data(out, w->bytes[0].len);
		CLAIM(len + w->bytes[0].len == used);
		CLAIM(w->bytes[0].ptr == in.ptr + len);
	} else {
		len = hf__wire_write(out, w);
		CLAIM(len == used);
	}
	CLAIM(memcmp(out, in.ptr, len) == 0);
}

static void
from_stage(struct hf_span in, enum hf__wire_stage stage)
{
	struct hf__wire w;
	size_t used, end;

	by_prefix(in, stage);
	while (in.len > 0) {
		if (hf__wire_read(&w, &used, in.ptr, in.len, stage) != HF_OK ||
		    used == 0)
			return;
		MUST(walk(&end, in, 0, 0, HF__WIRE_MAX));
		CLAIM(end == used);
		written_again(&w, in, used);
		stage = hf__wire_next(stage, w.type);
		in.ptr += used;
		in.len -= used;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };
	unsigned stage;

	for (stage = HF__WIRE_ASKS; stage <= HF__WIRE_LAST; stage++)
		from_stage(in, (enum hf__wire_stage)stage);
	return 0;
}
