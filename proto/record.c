/* SPDX-License-Identifier: ISC */
/*
 * Records (spec section 9): sealing into the output, opening from the input,
 * sequence numbers, the ratchet and the running digests. Nothing is allocated
 * once the buffers have grown to the records in use. It does not know what
 * the data means.
 */
#include <string.h>

#include "session.h"

static const uint8_t AAD[] = { 0x82, HF__RECORD };

enum {
	/* the head of records of 256 bytes and more; the usual case */
	USUAL_HEAD = 5,
	OVERHEAD_MAX = 1 + HF__RECORD_TAG_MAX
};

/* The type byte and the tag around the data. */
static size_t
overhead(const struct hf_session *s)
{
	return 1 + s->suite->aead->tag_len;
}

static void
make_nonce(uint8_t nonce[HF__IV_MAX], const struct hf__traffic *t,
    size_t iv_len)
{
	size_t i;

	memcpy(nonce, t->iv, iv_len);
	for (i = 0; i < 8; i++)
		nonce[iv_len - 1 - i] ^= (uint8_t)(t->seq >> (8 * i));
}

/* d(n+1) = BLAKE2b-256(d(n), n, tag): within one block. */
static enum hf_err
digest_add(struct hf__traffic *t, struct hf__history *history,
    const uint8_t *tag, size_t tag_len, size_t data_len)
{
	uint8_t block[32 + 8 + HF__RECORD_TAG_MAX];
	size_t i;

	memcpy(block, t->digest, 32);
	for (i = 0; i < 8; i++)
		block[32 + i] = (uint8_t)(t->count >> (8 * (7 - i)));
	memcpy(block + 40, tag, tag_len);
	if (crypto_generichash(t->digest, 32, block, 40 + tag_len, NULL, 0) !=
	    0)
		return HF_E_CRYPTO;
	t->count++;
	t->bytes += data_len;
	if (history != NULL)
		hf__history_add(history, t);
	return HF_OK;
}

/* What counts by its bytes too: an application's data, however carried. */
static bool
bulk(enum hf__content content)
{
	return content == HF__DATA || content == HF__CHANNEL;
}

/* Before the record of a sequence number that is a multiple of 2^20. */
static bool
ratchet_due(const struct hf__traffic *t)
{
	return t->seq != 0 && t->seq % HF__RATCHET_RECORDS == 0;
}

/* --- sealing -------------------------------------------------------------------- */

/* The data is put USUAL_HEAD behind the output's end; for other heads it is
 * moved, which happens to small records and the very largest only. */
enum hf_err
hf__record_seal(struct hf_session *s, enum hf__content content,
    const uint8_t *data, size_t len)
{
	struct hf__history *history = s->move == NULL ? NULL : &s->move->sent;
	size_t sealed = len + overhead(s);
	size_t head = sizeof(AAD) + hf__cbor_head_bytes(sealed);
	uint8_t nonce[HF__IV_MAX], *room;
	struct hf__traffic *t = &s->send, next;
	struct hf__writer w;
	enum hf_err e;

	if (t->seq >= HF__SEQ_MAX)
		return HF_E_EXHAUSTED;
	room = hf__buffer_room(&s->out, HF__RECORD_HEAD + sealed);
	if (room == NULL ||
	    (history != NULL &&
		hf__history_room(history, s->move->acked.count) != HF_OK))
		return HF_E_MEMORY;
	/* In place already when the data was written to hf_session_room():
	 * making room again moves nothing, for there is enough. */
	if (len > 0 && data != room + head)
		memmove(room + head, data, len);
	room[head + len] = (uint8_t)content;
	hf__write_init(&w, room, head);
	hf__write_list(&w, 2);
	hf__write_uint(&w, HF__RECORD);
	hf__write_bytes_head(&w, sealed);
	if (w.err != HF_OK)
		return w.err;
	if (ratchet_due(t)) {
		if ((e = hf__schedule_ratchet(&next, s->suite, t)) != HF_OK)
			return e;
		*t = next;
		sodium_memzero(&next, sizeof(next));
	}
	make_nonce(nonce, t, s->suite->aead->iv_len);
	if ((e = s->suite->aead->seal(room + head, len + 1, AAD, sizeof(AAD),
		 nonce, &t->key)) != HF_OK ||
	    (e = digest_add(t, history, room + head + len + 1,
		 s->suite->aead->tag_len, bulk(content) ? len : 0)) != HF_OK)
		return e;
	t->seq++;
	s->out.len += head + sealed;
	return HF_OK;
}

size_t
hf__record_size(const struct hf_session *s, size_t len)
{
	return HF__RECORD_HEAD + len + overhead(s);
}

/* Bytes of data that a record may still have. */
static size_t
record_left(const struct hf_session *s)
{
	size_t used = s->out.len + hf__record_size(s, 0) + HF__OUT_SPARE;

	if (used > s->out.max)
		return 0;
	return s->out.max - used < s->record_max ? s->out.max - used :
						   s->record_max;
}

bool
hf__record_fits(const struct hf_session *s, size_t len)
{
	return len <= s->record_max &&
	    s->out.len + hf__record_size(s, len) <= s->out.max - HF__OUT_SPARE;
}

uint8_t *
hf_session_room(struct hf_session *s, size_t cap)
{
	uint8_t *room;

	if (s == NULL || cap > HF_PLAINTEXT_MAX)
		return NULL;
	room = hf__buffer_room(&s->out, HF__RECORD_HEAD + cap + OVERHEAD_MAX);
	return room == NULL ? NULL : room + USUAL_HEAD;
}

static enum hf_err
send_bulk(struct hf_session *s, enum hf__content content, const uint8_t *data,
    size_t len)
{
	enum hf_err e;

	if (s == NULL || data == NULL || len == 0 || len > HF_PLAINTEXT_MAX)
		return HF_E_ARG;
	if (s->state != HF__OPEN || s->sent_close ||
	    s->channels != (content == HF__CHANNEL))
		return HF_E_STATE;
	if (!hf__record_fits(s, len) || !hf__move_window(s, len))
		return HF_E_SPACE;
	e = hf__record_seal(s, content, data, len);
	return e == HF_OK ? HF_OK : hf__fail(s, e);
}

enum hf_err
hf_session_send(struct hf_session *s, const uint8_t *data, size_t len)
{
	return send_bulk(s, HF__DATA, data, len);
}

enum hf_err
hf_session_send_frames(struct hf_session *s, const uint8_t *frames, size_t len)
{
	return send_bulk(s, HF__CHANNEL, frames, len);
}

size_t
hf_session_sendable(const struct hf_session *s)
{
	uint64_t left;

	if (s == NULL || s->state != HF__OPEN || s->sent_close)
		return 0;
	left = hf__move_left(s);
	return left < record_left(s) ? (size_t)left : record_left(s);
}

enum hf_err
hf_session_close(struct hf_session *s)
{
	enum hf_err e;

	if (s == NULL)
		return HF_E_ARG;
	if (s->state != HF__OPEN || s->sent_close)
		return HF_E_STATE;
	if ((e = hf__record_seal(s, HF__CLOSE, NULL, 0)) != HF_OK)
		return hf__fail(s, e);
	s->sent_close = true;
	if (s->got_close && !s->pending)
		hf__close(s);
	return HF_OK;
}

/* --- opening -------------------------------------------------------------------- */

/* Opens under the current key, or the next one where a ratchet is due: the
 * receiver moves on only when the record verifies. */
static enum hf_err
open_sealed(struct hf_session *s, uint8_t *out, struct hf_span sealed)
{
	struct hf__traffic *t = &s->recv, next;
	uint8_t nonce[HF__IV_MAX];
	enum hf_err e;

	if (t->seq >= HF__SEQ_MAX)
		return HF_E_EXHAUSTED;
	make_nonce(nonce, t, s->suite->aead->iv_len);
	if (!ratchet_due(t))
		return s->suite->aead->open(out, sealed.ptr, sealed.len, AAD,
		    sizeof(AAD), nonce, &t->key);
	if ((e = hf__schedule_ratchet(&next, s->suite, t)) == HF_OK) {
		make_nonce(nonce, &next, s->suite->aead->iv_len);
		e = s->suite->aead->open(out, sealed.ptr, sealed.len, AAD,
		    sizeof(AAD), nonce, &next.key);
	}
	if (e == HF_OK)
		*t = next;
	sodium_memzero(&next, sizeof(next));
	return e;
}

/* A ticket is for the responder that sends it: its audience, which its holder
 * will expect, is one of the names that were just verified. */
static bool
ticket_is_peers(const struct hf_session *s, struct hf_span data)
{
	struct hf__ticket_file file;
	struct hf__cert peer;

	return hf__ticket_file_read(&file, data.ptr, data.len) == HF_OK &&
	    hf__cert_parse(&peer, s->peer_cert.ptr, s->peer_cert.len) ==
	    HF_OK &&
	    hf__cert_named(&peer, (const char *)file.audience.ptr,
		file.audience.len);
}

/* What a session that moves may still say after its close. */
static bool
follows_close(uint8_t content)
{
	return content == HF__ACK || content == HF__CONTENT_ALERT ||
	    content == HF__CONTENT_QUERY || content == HF__REFRESH;
}

/* What the opened content may be here (spec section 9.5). */
static enum hf_err
take_content(struct hf_session *s, uint8_t content, struct hf_span data)
{
	enum hf_err e;

	if (s->got_close && !follows_close(content))
		return HF_E_UNEXPECTED;
	switch (content) {
	case HF__DATA:
	case HF__CHANNEL:
		if (s->channels != (content == HF__CHANNEL))
			return HF_E_UNEXPECTED;
		if (data.len == 0)
			return HF_E_SHAPE;
		break;
	case HF__CLOSE:
		if (data.len != 0)
			return HF_E_SHAPE;
		s->got_close = true;
		break;
	case HF__TICKET:
		if (s->config->role != HF_INITIATOR)
			return HF_E_UNEXPECTED;
		if (!ticket_is_peers(s, data))
			return HF_E_SHAPE;
		break;
	case HF__ACK:
		if (s->move == NULL)
			return HF_E_UNEXPECTED;
		if ((e = hf__ack_parse(s, data)) != HF_OK)
			return e;
		break;
	case HF__CONTENT_QUERY:
		if (s->move == NULL || s->config->role != HF_INITIATOR)
			return HF_E_UNEXPECTED;
		if (data.len != 0)
			return HF_E_SHAPE;
		break;
	case HF__REFRESH:
		if ((e = hf__refresh_parse(s, data)) != HF_OK)
			return e;
		break;
	case HF__CONTENT_ALERT:
		if (data.len != 1 ||
		    (e = hf__alert_error(data.ptr[0])) == HF_OK)
			e = HF_E_SHAPE;
		return hf__fail_silently(s, e);
	default:
		return HF_E_UNEXPECTED;
	}
	s->content = (enum hf__content)content;
	s->plaintext = data;
	s->pending = true;
	return HF_OK;
}

/* The plaintext goes to the input buffer's memory: in place when the record
 * was gathered there, else straight from the caller's bytes. */
enum hf_err
hf__record_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	size_t tag_len = s->suite->aead->tag_len, len;
	struct hf_span sealed;
	struct hf__reader r;
	uint8_t *out;
	enum hf_err e;

	(void)next;
	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__RECORD, 2);
	sealed =
	    hf__read_bytes(&r, overhead(s), HF_PLAINTEXT_MAX + overhead(s));
	if ((e = hf__read_end(&r)) != HF_OK)
		return e;
	if (s->move != NULL &&
	    hf__history_room(&s->move->received, s->move->released.count) !=
		HF_OK)
		return HF_E_MEMORY;
	if (s->in.len > 0)
		out = s->in.ptr + s->in.start + (sealed.ptr - message.ptr);
	else if ((out = hf__buffer_room(&s->in, sealed.len)) == NULL)
		return HF_E_MEMORY;
	memcpy(s->pending_tag, sealed.ptr + sealed.len - tag_len, tag_len);
	if ((e = open_sealed(s, out, sealed)) != HF_OK)
		return e;
	s->recv.seq++;
	len = sealed.len - overhead(s);
	if (len > s->record_max)
		return HF_E_TOO_BIG;
	return take_content(s, out[len], (struct hf_span){ out, len });
}

/* The waiting record now counts. */
static enum hf_err
take_pending(struct hf_session *s)
{
	enum hf_err e;

	if ((e = digest_add(&s->recv,
		 s->move == NULL ? NULL : &s->move->received, s->pending_tag,
		 s->suite->aead->tag_len,
		 bulk(s->content) ? s->plaintext.len : 0)) != HF_OK)
		return e;
	s->pending = false;
	if (s->content == HF__REFRESH && (e = hf__refresh_take(s)) != HF_OK)
		return e;
	return s->move == NULL ? HF_OK : hf__move_received(s, s->content);
}

enum hf_err
hf_session_recv(struct hf_session *s, enum hf_content *content,
    struct hf_span *data)
{
	enum hf_err e;

	if (s == NULL || content == NULL || data == NULL)
		return HF_E_ARG;
	if (!s->pending)
		return HF_E_STATE;
	if (s->asked) {
		s->pending = s->asked = false;
		*content = HF_CONTENT_QUERY;
		*data = (struct hf_span){ NULL, 0 };
		return HF_OK;
	}
	if ((e = take_pending(s)) != HF_OK)
		return hf__fail(s, e);
	*content = (enum hf_content)s->content;
	*data = s->plaintext;
	if (s->got_close && s->sent_close)
		hf__close(s);
	return HF_OK;
}
