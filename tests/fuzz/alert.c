/* SPDX-License-Identifier: ISC */
/*
 * An alert in clear (spec section 4.7) in every state of either role that
 * waits for a message of the handshake. None is answered.
 */
#include "message.h"

static void
stage(struct act *a, unsigned choice)
{
	static const uint8_t alert[] = { 0x82, HF__ALERT, 1 };
	static const struct {
		enum hf_role role;
		enum hf__state state;
	} where[] = { { HF_INITIATOR, HF__I_HELLO_SENT },
		{ HF_INITIATOR, HF__I_REQUEST_SENT },
		{ HF_RESPONDER, HF__R_START }, { HF_RESPONDER, HF__R_OFFERED },
		{ HF_RESPONDER, HF__R_GRANTED } };
	unsigned n = choice >> 2;

	n = n < HF__ARRAY_N(where) ? n : HF__ARRAY_N(where) - 1;
	act_until(a, choice, 0, where[n].role, where[n].state);
	a->said = (struct hf_span){ alert, sizeof(alert) };
}

static const char *
shape(const struct act *a)
{
	(void)a;
	return "[ =8 u255 ]";
}

/* Always: by its own error, and without a word. */
static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	CLAIM(hf_session_output(a->s).len == 0);
	switch (message.ptr[message.len - 1]) {
	case 1:
		return e == HF_E_REFUSED;
	case 2:
		return e == HF_E_STORE;
	case 3:
		return e == HF_E_UNKNOWN_KEY;
	case 5:
		return e ==
		    (a->s->config->role == HF_INITIATOR ? HF_E_TARGET :
							  HF_E_SHAPE);
	default:
		return e == HF_E_SHAPE;
	}
}

static void
taken(const struct act *a, struct hf_span message)
{
	(void)message;
	CLAIM(a->s == NULL); /* never */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return fuzz_message(&target, data, len);
}
