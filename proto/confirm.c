/* SPDX-License-Identifier: ISC */
/*
 * confirm, message 3 (spec section 4.6): an empty box under a key that only
 * both ends of this transcript have. Until it is verified the responder
 * stores, burns, counts and releases nothing.
 */
#include "session.h"

enum {
	CONFIRM_FIELDS = 2,
	CONFIRM_BYTES = 3 + HF__TAG_BYTES /* 82 05 50, then the tag */
};

enum hf_err
hf__confirm_build(struct hf_session *s)
{
	struct hf__writer w;
	uint8_t *room, *box;
	size_t aad_len;
	enum hf_err e;

	if ((room = hf__buffer_room(&s->out, CONFIRM_BYTES)) == NULL)
		return HF_E_MEMORY;
	hf__write_init(&w, room, CONFIRM_BYTES);
	hf__write_open(&w, HF__CONFIRM, CONFIRM_FIELDS);
	aad_len = w.len;
	hf__write_bytes_head(&w, HF__TAG_BYTES);
	if ((box = hf__write_room(&w, HF__TAG_BYTES)) == NULL)
		return HF_E_SPACE;
	if ((e = hf__box_seal(box, 0, room, aad_len, s->secrets.confirm)) !=
	    HF_OK)
		return e;
	s->out.len += w.len;
	sodium_memzero(s->secrets.confirm, sizeof(s->secrets.confirm));
	return HF_OK;
}

enum hf_err
hf__confirm_parse(struct hf_session *s, struct hf_span message,
    enum hf__state *next)
{
	struct hf__reader r;
	struct hf_span box;
	size_t aad_len;
	enum hf_err e;

	hf__read_init(&r, message.ptr, message.len);
	hf__read_open(&r, HF__CONFIRM, CONFIRM_FIELDS);
	aad_len = r.off;
	box = hf__read_bytes(&r, HF__TAG_BYTES, HF__TAG_BYTES);
	if ((e = hf__read_end(&r)) != HF_OK ||
	    (e = hf__box_open(NULL, box.ptr, box.len, message.ptr, aad_len,
		 s->secrets.confirm)) != HF_OK)
		return e;
	sodium_memzero(s->secrets.confirm, sizeof(s->secrets.confirm));
	if (s->move != NULL && s->move->claim != NULL) {
		*next = HF__R_CONFIRM;
		return hf__claim_confirm(s);
	}
	*next = s->ticket != NULL && s->ticket->single_use ? HF__R_COMMIT :
							     HF__OPEN;
	return HF_OK;
}
