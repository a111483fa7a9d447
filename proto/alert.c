/* SPDX-License-Identifier: ISC */
/*
 * alert (spec sections 4.7 and 12): one coarse code. Whatever went wrong in
 * authentication looks the same to the other side; only a failing store and a
 * key id that is not known have codes of their own. In the clear before
 * traffic keys exist, a record afterwards.
 */
#include <string.h>

#include "session.h"

enum { ALERT_FIELDS = 2, ALERT_BYTES = 3 };

enum hf__alert
hf__alert_code(enum hf_err cause)
{
	switch (cause) {
	case HF_E_STORE:
		return HF__ALERT_STORE;
	case HF_E_UNKNOWN_KEY:
		return HF__ALERT_UNKNOWN_KEY;
	case HF_E_NO_SESSION:
		return HF__ALERT_NO_SESSION;
	case HF_E_TARGET:
		return HF__ALERT_TARGET;
	default:
		return HF__ALERT_REFUSED;
	}
}

enum hf_err
hf__alert_error(uint64_t code)
{
	switch (code) {
	case HF__ALERT_REFUSED:
		return HF_E_REFUSED;
	case HF__ALERT_STORE:
		return HF_E_STORE;
	case HF__ALERT_UNKNOWN_KEY:
		return HF_E_UNKNOWN_KEY;
	default:
		return HF_OK;
	}
}

enum hf_err
hf__alert_clear_error(const struct hf_session *s, uint64_t code)
{
	if (code == HF__ALERT_TARGET && s->config->role == HF_INITIATOR)
		return HF_E_TARGET;
	return hf__alert_error(code);
}

enum hf_err
hf__alert_build(struct hf_session *s, enum hf_err cause)
{
	const uint8_t code = (uint8_t)hf__alert_code(cause);
	struct hf__writer w;
	uint8_t *room;

	if (s->keys)
		return hf__record_seal(s, HF__CONTENT_ALERT, &code, 1);
	if ((room = hf__buffer_room(&s->out, ALERT_BYTES)) == NULL)
		return HF_E_MEMORY;
	hf__write_init(&w, room, ALERT_BYTES);
	hf__write_open(&w, HF__ALERT, ALERT_FIELDS);
	hf__write_uint(&w, code);
	if (w.err == HF_OK)
		s->out.len += w.len;
	return w.err;
}

enum hf_err
hf__alert_read(uint64_t *code, struct hf_span message)
{
	struct hf__reader r;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__ALERT, ALERT_FIELDS);
	*code = hf__read_uint(&r, UINT8_MAX);
	return hf__read_end(&r);
}

/* An alert in the clear: believed only while there is no other kind. */
enum hf_err
hf__alert_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	uint64_t code;
	enum hf_err e;

	(void)next;
	/* Whatever it says, an alert is not answered. */
	if ((e = hf__alert_read(&code, message)) == HF_OK &&
	    (e = hf__alert_clear_error(s, code)) == HF_OK)
		e = HF_E_SHAPE;
	return hf__fail_silently(s, e);
}

void
hf_alert_write(uint8_t out[HF_CLEAR_BYTES], enum hf_err cause)
{
	static const uint8_t head[] = { 0x82, HF__ALERT };

	memcpy(out, head, sizeof(head));
	out[sizeof(head)] = (uint8_t)hf__alert_code(cause);
}
