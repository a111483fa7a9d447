/* SPDX-License-Identifier: ISC */
/*
 * An offer (spec section 4.2) at an initiator that sent a hello: before it
 * seals anything it has verified the chain, the name and the suite.
 */
#include "message.h"

static void
stage(struct act *a, unsigned choice)
{
	act_until(a, choice, 0, HF_INITIATOR, HF__I_HELLO_SENT);
}

static const char *
shape(const struct act *a)
{
	(void)a;
	return "[ =1 =1 u65535 *1-4 b1-2048 b32-32 e ]";
}

/* What is not CBOR then is a certificate in it. */
static bool
refused(const struct act *a, struct hf_span message, enum hf_err e)
{
	struct hf_span chain = shape_item(message, 3), cert;
	struct hf_cert_info info;
	size_t n = chain.ptr[-1] & 31, i;

	(void)a;
	chain.len = (size_t)(message.ptr + message.len - --chain.ptr);
	for (i = 0; i < n && e == HF_E_CBOR; i++) {
		cert = shape_item(chain, i);
		if (hf_cert_read(&info, cert.ptr, cert.len) == HF_E_CBOR)
			return true;
	}
	return !act_of_shape(e);
}

/* Whom it now talks to has that name and use, by the one CA. */
static void
check_peer(const struct hf_session *s)
{
	struct hf_cert_info info;

	MUST(hf_cert_read(&info, s->peer_cert.ptr, s->peer_cert.len));
	CLAIM(hf_cert_named(&info, "server"));
	CLAIM(info.usage & HF_USAGE_RESPONDER);
	CLAIM(info.not_before <= FUZZ_NOW && FUZZ_NOW < info.not_after);
	CLAIM(s->config->method == HF_METHOD_CERTIFICATE ||
	    s->config->method == HF_METHOD_TICKET || info.realm.len > 0);
	CLAIM(info.suites_n > 0 && s->suite != NULL);
	/* The best of its own that the other has. */
	CLAIM(s->suite->id == 1 || info.suites[0] != 1);
}

static void
taken(const struct act *a, struct hf_span message)
{
	struct hf_span out = { act_out, act_out_len };

	if (a->s->state == HF__FAILED) {
		/* The prekey's point. */
		CLAIM(hf_session_error(a->s) == HF_E_PUBLIC_KEY);
		CLAIM(memmem(message.ptr, message.len,
			  "\x58\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			  "\0\0\0\0\0\0\0\0\0\0\0",
			  34) != NULL);
		return;
	}
	CLAIM(a->s->state == HF__I_REQUEST_SENT && !a->s->authenticated);
	CLAIM(shape_fits("[ =3 =1 u65535 b16-16 t6-6 n b32-32 b0-0 e "
			 "b144-16384 ]",
		  out) == out.len);
	CLAIM(a->s->suite->id == message.ptr[3]);
	check_peer(a->s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct target target = { stage, shape, refused, taken };

	return fuzz_message(&target, data, len);
}
