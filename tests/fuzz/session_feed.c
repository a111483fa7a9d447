/* SPDX-License-Identifier: ISC */
/*
 * An established pair. The input is a script: either side sends, closes,
 * hands out a ticket, seals what it should not, and what it said arrives
 * whole, changed, in part or not at all, or something else arrives. What is
 * released must be what was said, in its order, and nothing after the first
 * fault.
 */
#include "fuzzing.h"

enum { SAID_MAX = 16, LOST = 0 };

/* One direction: records sealed and not yet delivered. */
struct way {
	struct hf_session *from, *to;
	struct said {
		uint8_t *record;
		size_t len, data_len;
		uint8_t first, content;
	} said[SAID_MAX];
	size_t first, n;
	int spoiled; /* nothing may be released any more */
};

static void
drop(struct way *w)
{
	free(w->said[w->first % SAID_MAX].record);
	w->first++;
	w->n--;
}

/* What the sender put out becomes the last entry. */
static void
collect(struct way *w, size_t data_len, unsigned first, unsigned content)
{
	struct hf_span out = hf_session_output(w->from);
	struct said *said;

	if (out.len == 0)
		return;
	if (w->n == SAID_MAX) { /* lost on the way */
		drop(w);
		w->spoiled = 1;
	}
	said = &w->said[(w->first + w->n++) % SAID_MAX];
	*said = (struct said){ malloc(out.len), out.len, data_len,
		(uint8_t)first, (uint8_t)content };
	CLAIM(said->record != NULL);
	memcpy(said->record, out.ptr, out.len);
	MUST(hf_session_drained(w->from, out.len));
}

/* --- saying ------------------------------------------------------------------ */

static void
say_data(struct way *w, struct hf_span *in)
{
	static uint8_t data[HF_PLAINTEXT_MAX];
	unsigned first = in_byte(in);
	size_t len = in_word(in);

	memset(data, (int)first, len);
	if (hf_session_send(w->from, data, len) == HF_OK)
		collect(w, len, first, HF_CONTENT_DATA);
}

/* Several records that are not drained, as far as there is room; lost later. */
static void
say_much(struct way *w, struct hf_span *in)
{
	static uint8_t data[HF_PLAINTEXT_MAX];
	unsigned n = in_byte(in) % 4;

	do {
		if (hf_session_send(w->from, data, in_word(in) + n) != HF_OK)
			break;
		fuzz_bounded(w->from);
	} while (n-- > 0);
	collect(w, 0, 0, LOST);
}

/* A record of any type that no honest session makes. */
static void
say_any(struct way *w, struct hf_span *in)
{
	unsigned content = in_byte(in);
	struct hf_span data = in_span(in, in_byte(in));

	if (w->from->state != HF__OPEN || w->from->sent_close ||
	    hf__record_seal(w->from, (enum hf__content)content, data.ptr,
		data.len) != HF_OK)
		return;
	collect(w, data.len, data.len > 0 ? data.ptr[0] : 0, content);
}

/* --- arriving ----------------------------------------------------------------- */

/* What waits is what was said; a close ends the direction. */
static void
check(struct way *w, const struct said *said)
{
	enum hf_content content;
	struct hf_span data;

	CLAIM(!w->spoiled);
	MUST(hf_session_recv(w->to, &content, &data));
	CLAIM(content == (enum hf_content)said->content);
	CLAIM(content != HF_CONTENT_DATA || data.len > 0);
	if (content == HF_CONTENT_TICKET) {
		CLAIM(w->to->config->role == HF_INITIATOR);
		return;
	}
	CLAIM(data.len == said->data_len);
	CLAIM(data.len == 0 || (data.ptr[0] == said->first));
	if (content == HF_CONTENT_CLOSE)
		w->spoiled = 1;
}

/* Feeds bytes; said is what they are, or NULL when they are not genuine. */
static void
arrive(struct way *w, struct hf_span bytes, const struct said *said,
    size_t piece)
{
	size_t used, take;

	w->spoiled |= said == NULL && bytes.len > 0;
	while (bytes.len > 0) {
		take = piece == 0 || piece > bytes.len ? bytes.len : piece;
		if (hf_session_feed(w->to, &used, bytes.ptr, take) != HF_OK)
			break;
		fuzz_bounded(w->to);
		(void)in_span(&bytes, used);
		if (hf_session_want(w->to) == HF_WANT_RECV) {
			CLAIM(said != NULL && bytes.len == 0);
			check(w, said);
		}
	}
}

static void
deliver(struct way *w, struct hf_span *in, unsigned how)
{
	struct said *said = &w->said[w->first % SAID_MAX];
	unsigned at = in_word(in), with = in_byte(in);
	size_t len;

	if (w->n == 0)
		return;
	len = said->len;
	switch (said->content == LOST ? 4 : how) {
	case 0: /* whole */
		arrive(w, (struct hf_span){ said->record, len }, said,
		    at % 3 == 0 ? 0 : at % 4000);
		break;
	case 1: /* changed */
		said->record[at % len] ^= (uint8_t)with;
		arrive(w, (struct hf_span){ said->record, len },
		    with % 256 == 0 ? said : NULL, 0);
		break;
	case 2: /* cut, by more than what arrives next could be by chance */
		CLAIM(len > 8);
		arrive(w, (struct hf_span){ said->record, at % (len - 8) },
		    NULL, 0);
		w->spoiled = 1;
		break;
	case 3: /* twice */
		arrive(w, (struct hf_span){ said->record, len }, said, 0);
		arrive(w, (struct hf_span){ said->record, len }, NULL, 0);
		break;
	default: /* not at all */
		w->spoiled = 1;
	}
	drop(w);
}

static void
step(struct way *w, struct hf_span *in, unsigned what)
{
	switch (what) {
	case 0:
		say_data(w, in);
		break;
	case 1:
		say_any(w, in);
		break;
	case 2:
		if (hf_session_close(w->from) == HF_OK)
			collect(w, 0, 0, HF_CONTENT_CLOSE);
		break;
	case 3:
		if (hf_session_issue_ticket(w->from, 1 + in_word(in), 1000,
			0) == HF_OK)
			collect(w, 0, 0, HF_CONTENT_TICKET);
		break;
	case 4:
		say_much(w, in);
		break;
	case 5:
		arrive(w, in_span(in, in_byte(in)), NULL, in_byte(in));
		break;
	default:
		deliver(w, in, what - 6);
	}
	fuzz_bounded(w->from);
	fuzz_bounded(w->to);
	/* An alert, if there is one: lost. */
	MUST(hf_session_drained(w->to, hf_session_output(w->to).len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len }, said;
	static uint8_t out[HF_MESSAGE_MAX];
	struct way ways[2] = { 0 };
	struct hf_session *i, *r;
	unsigned op;

	fuzz_people();
	fuzz_random(data, len);
	i = fuzz_session(fuzz.i[3][1]);
	r = fuzz_session(fuzz.r);
	said = fuzz_run(out, sizeof(out), i, r, r, HF__R_GRANTED);
	fuzz_give(r, said);
	MUST(hf_session_commit(r, HF_OK));
	CLAIM(i->state == HF__OPEN && r->state == HF__OPEN);
	ways[0].from = ways[1].to = i;
	ways[0].to = ways[1].from = r;
	while (in.len > 0) {
		op = in_byte(&in);
		step(&ways[op & 1], &in, (op >> 1) % 11);
	}
	for (op = 0; op < 2; op++)
		while (ways[op].n > 0)
			drop(&ways[op]);
	hf_session_free(i);
	hf_session_free(r);
	return 0;
}
