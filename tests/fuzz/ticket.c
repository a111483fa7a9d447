/* SPDX-License-Identifier: ISC */
/*
 * Tickets as sent, as raw bytes and as claims that the ring sealed; and the
 * holder's file. Raw bytes never open; what opens holds its rules.
 */
#include "cert.h"
#include "shape.h"

static void
fuzz_open(struct hf_span ticket, int sealed)
{
	struct hf_ticket_info info;
	uint8_t pop[32];
	enum hf_err e = hf__ticket_open(&info, pop, fuzz.ring, ticket);

	CLAIM(e == HF_OK || e == HF_E_CBOR || e == HF_E_OBJECT ||
	    e == HF_E_TICKET);
	CLAIM(!sealed || e == HF_OK || e == HF_E_TICKET);
	if (e != HF_OK)
		return;
	CLAIM(sealed);
	CLAIM(info.subject.len > 0 && info.audience.len > 0);
	CLAIM(strlen(info.subject.text) == info.subject.len);
	CLAIM(info.expires <= info.limit && info.limit <= HF__TIME_MAX);
	CLAIM(info.single_use == 0 || info.single_use == 1);
	CLAIM(info.first_method <= 8);
}

static void
fuzz_file(struct hf_span file)
{
	struct hf_ticket_info info;
	struct hf_config *c;
	enum hf_err e = hf_ticket_read(&info, file.ptr, file.len);

	CLAIM(e == HF_OK || e == HF_E_CBOR || e == HF_E_OBJECT);
	CLAIM((e == HF_OK) == shape_ticket_file(file));
	MUST(hf_config_new(&c, HF_INITIATOR));
	if (e == HF_OK) {
		CLAIM(
		    info.issued < info.expires && info.expires <= info.limit);
		CLAIM(info.subject.len > 0 && info.audience.len > 0);
		MUST(hf_config_ticket(c, file.ptr, file.len));
		CLAIM(hf_ticket_read(&info, file.ptr, file.len - 1) ==
		    HF_E_CBOR);
	} else if (file.len > 0) {
		CLAIM(hf_config_ticket(c, file.ptr, file.len) == e);
	}
	hf_config_free(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len }, ticket;
	uint8_t out[HF_TICKET_MAX];
	unsigned way;

	fuzz_people();
	fuzz_random(data, len);
	way = in_byte(&in) % 3;
	if (way == 0) {
		fuzz_file(in);
	} else if (way == 1) {
		fuzz_open(in, 0);
	} else if (in.len <= HF_TICKET_MAX - 64) {
		ticket.ptr = out;
		MUST(hf__encrypt0_make(out, sizeof(out), &ticket.len,
		    fuzz.ring->keys[0].kid, fuzz.ring->keys[0].key,
		    HF__LABEL_TICKET, in.ptr, in.len));
		fuzz_open(ticket, 1);
		out[in_byte(&in) % ticket.len] ^= 1;
		fuzz_open(ticket, 0);
	}
	return 0;
}
