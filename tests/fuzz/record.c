/* SPDX-License-Identifier: ISC */
/*
 * A record (spec section 9) at either end of an open session, its plaintext as
 * it is: what each content type may hold, and what is released of it.
 */
#include "message.h"

/* The other side's data, ticket or close; s may have closed before. */
static void
stage(struct act *a, unsigned choice)
{
	enum hf_role role = choice & 1 ? HF_INITIATOR : HF_RESPONDER;
	struct hf_session *from;
	struct hf_span confirm;
	static uint8_t out[512];

	a->i = fuzz_session(fuzz.i[choice & 2 ? 0 : 1][1]);
	a->r = fuzz_session(fuzz.r);
	a->s = role == HF_INITIATOR ? a->i : a->r;
	from = role == HF_INITIATOR ? a->r : a->i;
	confirm = fuzz_run(out, sizeof(out), a->i, a->r, a->r, HF__R_GRANTED);
	fuzz_give(a->r, confirm);
	if (choice & 4)
		MUST(hf_session_close(a->s));
	switch (choice >> 3 & 3) {
	case 0:
		MUST(hf_session_send(from, (const uint8_t *)"some data", 9));
		break;
	case 1:
		MUST(hf_session_close(from));
		break;
	case 2:
		if (role == HF_INITIATOR)
			MUST(hf_session_issue_ticket(from, 60, 60, 0));
		break;
	default:
		MUST(hf__record_seal(from, HF__CONTENT_ALERT,
		    (const uint8_t *)"\1", 1));
	}
	a->said = fuzz_take(act_said, sizeof(act_said), from);
}

static const char *
shape(const struct act *a)
{
	(void)a;
	return "[ =16 b17-65553 ]";
}

/* A ticket file for the responder that sends it (spec section 7.3). */
static bool
ticket_fits(struct hf_span file)
{
	struct hf_span audience;

	if (!shape_ticket_file(file))
		return false;
	audience = shape_item(file, 4);
	return audience.len == 6 && memcmp(audience.ptr, "server", 6) == 0;
}

static struct hf_span
plain_of(struct hf_span message)
{
	struct hf_span sealed = shape_item(message, 1);

	return (struct hf_span){ sealed.ptr, sealed.len - HF__TAG_BYTES };
}

static enum hf_err
alert_error(struct hf_span plain)
{
	switch (plain.len == 2 ? plain.ptr[0] : 0) {
	case 1:
		return HF_E_REFUSED;
	case 2:
		return HF_E_STORE;
	case 3:
		return HF_E_UNKNOWN_KEY;
	default:
		return HF_E_SHAPE;
	}
}

/* The table of section 9.5. */
static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	struct hf_span plain = plain_of(message);

	if (message.ptr[message.len - 1] == SKIP_REFUSED)
		return e == HF_E_BOX && fuzz_refused > 0;
	switch (plain.ptr[plain.len - 1]) {
	case HF__DATA:
		return e == HF_E_SHAPE && plain.len == 1;
	case HF__CLOSE:
		return e == HF_E_SHAPE && plain.len > 1;
	case HF__TICKET:
		plain.len--;
		return a->s == a->i ? e == HF_E_SHAPE && !ticket_fits(plain) :
				      e == HF_E_UNEXPECTED;
	case HF__CONTENT_ALERT:
		CLAIM(hf_session_output(a->s).len == 0);
		return e == alert_error(plain);
	default:
		return e == HF_E_UNEXPECTED;
	}
}

static void
taken(const struct act *a, struct hf_span message)
{
	struct hf_span plain = plain_of(message);
	uint8_t content = plain.ptr[plain.len - 1];

	CLAIM(a->released == 1 && a->s->recv.count == 1);
	CLAIM(
	    content == a->s->content && a->s->plaintext.len + 1 == plain.len);
	CLAIM(memcmp(a->s->plaintext.ptr, plain.ptr, plain.len - 1) == 0);
	CLAIM(content == HF__DATA    ? plain.len > 1 :
		content == HF__CLOSE ? plain.len == 1 :
				       content == HF__TICKET && a->s == a->i);
	if (content == HF__TICKET)
		CLAIM(
		    ticket_fits((struct hf_span){ plain.ptr, plain.len - 1 }));
	CLAIM(a->s->state ==
	    (content == HF__CLOSE && a->s->sent_close ? HF__CLOSED :
							HF__OPEN));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return fuzz_message(&target, data, len);
}
