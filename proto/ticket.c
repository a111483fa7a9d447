/* SPDX-License-Identifier: ISC */
/*
 * Tickets: the ring of keys that seals them, sealing and opening, and the
 * file that a holder keeps (spec section 7). It knows what a ticket says; it
 * refuses to know the time, the responder's names and what was burnt: those
 * are judged where the ticket is used.
 */
#include <stdlib.h>
#include <string.h>

#include "cert.h"

enum {
	KEY_SINGLE_USE = -1,
	KEY_FIRST_METHOD = -2,
	KEY_FIRST_AUTH = -3,
	KEY_LIMIT = -4,
	KEY_ORIGIN = -5,
	KTY_SYMMETRIC = 4,
	FILE_VERSION = 1,
	RING_FILE_MAX = 8 + HF_RING_MAX * 64
};

static const char label_ring[] = "HANDFAST TICKET RING";

/* --- rings ---------------------------------------------------------------- */

enum hf_err
hf_ring_new(struct hf_ring **ring)
{
	if ((*ring = sodium_malloc(sizeof(**ring))) == NULL)
		return HF_E_MEMORY;
	memset(*ring, 0, sizeof(**ring));
	return HF_OK;
}

void
hf_ring_free(struct hf_ring *ring)
{
	sodium_free(ring);
}

enum hf_err
hf_ring_rotate(struct hf_ring *ring, uint64_t now)
{
	if (now > HF__TIME_MAX)
		return HF_E_ARG;
	memmove(&ring->keys[1], &ring->keys[0],
	    sizeof(ring->keys) - sizeof(ring->keys[0]));
	randombytes_buf(ring->keys[0].kid, sizeof(ring->keys[0].kid));
	randombytes_buf(ring->keys[0].key, sizeof(ring->keys[0].key));
	ring->keys[0].created = now;
	if (ring->n < HF_RING_MAX)
		ring->n++;
	return HF_OK;
}

size_t
hf_ring_count(const struct hf_ring *ring)
{
	return ring->n;
}

enum hf_err
hf_ring_encode(char *out, size_t cap, size_t *len, const struct hf_ring *ring)
{
	uint8_t file[RING_FILE_MAX];
	struct hf__writer w;
	enum hf_err e;
	size_t i;

	hf__write_init(&w, file, sizeof(file));
	hf__write_list(&w, ring->n);
	for (i = 0; i < ring->n; i++) {
		hf__write_list(&w, 3);
		hf__write_bytes(&w, ring->keys[i].kid, HF__KID_BYTES);
		hf__write_bytes(&w, ring->keys[i].key, HF_KEY_BYTES);
		hf__write_uint(&w, ring->keys[i].created);
	}
	if ((e = w.err) == HF_OK)
		e = hf_pem_encode(out, cap, len, label_ring, file, w.len);
	sodium_memzero(file, sizeof(file));
	return e;
}

static enum hf_err
read_ring(struct hf_ring *ring, const uint8_t *file, size_t len)
{
	struct hf_span kid, key;
	struct hf__reader r;
	size_t i, n;

	hf__read_init(&r, file, len);
	n = hf__read_list(&r, 0, HF_RING_MAX);
	for (i = 0; i < n; i++) {
		(void)hf__read_list(&r, 3, 3);
		kid = hf__read_bytes(&r, HF__KID_BYTES, HF__KID_BYTES);
		key = hf__read_bytes(&r, HF_KEY_BYTES, HF_KEY_BYTES);
		ring->keys[i].created = hf__read_time(&r);
		if (r.err != HF_OK)
			break;
		memcpy(ring->keys[i].kid, kid.ptr, HF__KID_BYTES);
		memcpy(ring->keys[i].key, key.ptr, HF_KEY_BYTES);
	}
	ring->n = n;
	return hf__read_end(&r) == HF_OK ? HF_OK : HF_E_OBJECT;
}

enum hf_err
hf_ring_decode(struct hf_ring **ring, const char *text, size_t text_len)
{
	uint8_t file[RING_FILE_MAX];
	size_t len, used;
	enum hf_err e;

	*ring = NULL;
	if ((e = hf_pem_decode(file, sizeof(file), &len, &used, label_ring,
		 text, text_len)) != HF_OK ||
	    (e = hf_ring_new(ring)) != HF_OK ||
	    (e = read_ring(*ring, file, len)) != HF_OK) {
		hf_ring_free(*ring);
		*ring = NULL;
	}
	sodium_memzero(file, sizeof(file));
	return e == HF_E_SPACE ? HF_E_OBJECT : e;
}

/* --- issuing --------------------------------------------------------------- */

static bool
is_method(uint64_t m)
{
	return m == 0 || m == HF_METHOD_CERTIFICATE ||
	    m == HF_METHOD_PASSWORD || m == HF_METHOD_PLAIN_PASSWORD ||
	    m == HF_METHOD_TICKET;
}

static bool
name_ok(const struct hf_name *name)
{
	return name->len >= 1 && name->len <= HF_NAME_MAX &&
	    hf__text_ok((const uint8_t *)name->text, name->len);
}

static bool
terms_ok(const struct hf_ticket_info *info)
{
	return name_ok(&info->subject) && name_ok(&info->audience) &&
	    info->issued < info->expires && info->expires <= HF__TIME_MAX &&
	    (info->limit == 0 || info->expires <= info->limit) &&
	    info->limit <= HF__TIME_MAX && info->first_auth <= HF__TIME_MAX &&
	    is_method(info->first_method) && info->origin_n <= HF_CHAIN_MAX &&
	    (info->single_use == 0 || info->single_use == 1);
}

static void
write_number(struct hf__writer *w, int64_t key, uint64_t value)
{
	hf__write_int(w, key);
	hf__write_uint(w, value);
}

static void
write_claims(struct hf__writer *w, const struct hf_ticket_info *info,
    uint64_t limit, const uint8_t cti[HF_CTI_BYTES], const uint8_t pop[32])
{
	size_t i;

	hf__write_map(w, 7);
	hf__write_int(w, HF__CLAIM_SUB);
	hf__write_text(w, info->subject.text, info->subject.len);
	hf__write_int(w, HF__CLAIM_AUD);
	hf__write_text(w, info->audience.text, info->audience.len);
	write_number(w, HF__CLAIM_EXP, info->expires);
	write_number(w, HF__CLAIM_IAT, info->issued);
	hf__write_int(w, HF__CLAIM_CTI);
	hf__write_bytes(w, cti, HF_CTI_BYTES);
	hf__write_int(w, HF__CLAIM_CNF);
	hf__write_map(w, 1);
	hf__write_int(w, 1);
	hf__write_map(w, 2);
	write_number(w, 1, KTY_SYMMETRIC);
	hf__write_int(w, -1);
	hf__write_bytes(w, pop, HF_KEY_BYTES);
	hf__write_int(w, HF__CLAIM_HANDFAST);
	hf__write_map(w, info->origin_n > 0 ? 5 : 4);
	write_number(w, KEY_SINGLE_USE, (uint64_t)info->single_use);
	write_number(w, KEY_FIRST_METHOD, info->first_method);
	write_number(w, KEY_FIRST_AUTH, info->first_auth);
	write_number(w, KEY_LIMIT, limit);
	if (info->origin_n == 0)
		return;
	hf__write_int(w, KEY_ORIGIN);
	hf__write_list(w, info->origin_n);
	for (i = 0; i < info->origin_n; i++)
		hf__write_bytes(w, info->origin[i], HF_ORIGIN_BYTES);
}

static void
write_file(struct hf__writer *w, const struct hf_ticket_info *info,
    uint64_t limit, struct hf_span ticket, const uint8_t pop[32])
{
	hf__write_list(w, 9);
	hf__write_uint(w, FILE_VERSION);
	hf__write_bytes(w, ticket.ptr, ticket.len);
	hf__write_bytes(w, pop, HF_KEY_BYTES);
	hf__write_text(w, info->subject.text, info->subject.len);
	hf__write_text(w, info->audience.text, info->audience.len);
	hf__write_uint(w, info->issued);
	hf__write_uint(w, info->expires);
	hf__write_uint(w, (uint64_t)info->single_use);
	hf__write_uint(w, limit);
}

enum hf_err
hf_ticket_issue(uint8_t *out, size_t cap, size_t *len,
    const struct hf_ring *ring, const struct hf_ticket_info *info)
{
	uint8_t claims[HF_TICKET_MAX], sealed[HF_TICKET_MAX];
	uint8_t cti[HF_CTI_BYTES], pop[HF_KEY_BYTES];
	struct hf_span ticket = { sealed, 0 };
	uint64_t limit = info->limit != 0 ? info->limit : info->expires;
	struct hf__writer w, count;
	enum hf_err e;

	if (ring->n == 0)
		return HF_E_CONFIG;
	if (!terms_ok(info))
		return HF_E_ARG;
	randombytes_buf(cti, sizeof(cti));
	randombytes_buf(pop, sizeof(pop));
	hf__write_init(&w, claims, sizeof(claims));
	write_claims(&w, info, limit, cti, pop);
	if ((e = w.err) != HF_OK ||
	    (e = hf__encrypt0_make(sealed, sizeof(sealed), &ticket.len,
		 ring->keys[0].kid, ring->keys[0].key, HF__LABEL_TICKET,
		 claims, w.len)) != HF_OK)
		goto out;
	hf__write_init(&count, NULL, 0);
	write_file(&count, info, limit, ticket, pop);
	*len = count.len;
	if (count.len > cap) {
		e = HF_E_SPACE;
		goto out;
	}
	hf__write_init(&w, out, cap);
	write_file(&w, info, limit, ticket, pop);
	e = w.err;
out:
	sodium_memzero(claims, sizeof(claims));
	sodium_memzero(pop, sizeof(pop));
	return e;
}

/* --- opening ---------------------------------------------------------------- */

enum {
	SEEN_HANDFAST_KEYS = 0xf,
	REQUIRED = HF__SEEN_HANDFAST | HF__SEEN(HF__CLAIM_SUB) |
	    HF__SEEN(HF__CLAIM_AUD) | HF__SEEN(HF__CLAIM_EXP) |
	    HF__SEEN(HF__CLAIM_IAT) | HF__SEEN(HF__CLAIM_CTI) |
	    HF__SEEN(HF__CLAIM_CNF)
};

static struct hf_span
read_pop(struct hf__reader *r)
{
	struct hf__key_order outer = { 0 }, inner = { 0 };

	(void)hf__read_map(r, 1, 1);
	hf__read_this_key(r, &outer, 1);
	(void)hf__read_map(r, 2, 2);
	hf__read_this_key(r, &inner, 1);
	if (hf__read_uint(r, KTY_SYMMETRIC) != KTY_SYMMETRIC)
		hf__read_fail(r, HF_E_OBJECT);
	hf__read_this_key(r, &inner, -1);
	return hf__read_bytes(r, HF_KEY_BYTES, HF_KEY_BYTES);
}

static void
read_origins(struct hf__reader *r, struct hf_ticket_info *info)
{
	struct hf_span origin;
	size_t i, n;

	n = hf__read_list(r, 1, HF_CHAIN_MAX);
	for (i = 0; i < n; i++) {
		origin = hf__read_bytes(r, HF_ORIGIN_BYTES, HF_ORIGIN_BYTES);
		if (origin.ptr == NULL)
			return;
		memcpy(info->origin[i], origin.ptr, HF_ORIGIN_BYTES);
		info->origin_n = i + 1;
	}
}

static void
read_handfast(struct hf__reader *r, struct hf_ticket_info *info)
{
	struct hf__key_order order = { 0 };
	unsigned seen = 0;
	size_t i, n;
	int64_t key;

	n = hf__read_map(r, 4, HF_TICKET_MAX);
	for (i = 0; i < n && r->err == HF_OK; i++) {
		key = hf__read_key(r, &order);
		if (key < 0 && key >= KEY_LIMIT)
			seen |= 1U << (-1 - key);
		switch (key) {
		case KEY_SINGLE_USE:
			info->single_use = (int)hf__read_uint(r, 1);
			break;
		case KEY_FIRST_METHOD:
			info->first_method =
			    (unsigned)hf__read_uint(r, HF_METHOD_TICKET);
			break;
		case KEY_FIRST_AUTH:
			info->first_auth = hf__read_time(r);
			break;
		case KEY_LIMIT:
			info->limit = hf__read_time(r);
			break;
		case KEY_ORIGIN:
			read_origins(r, info);
			break;
		default:
			hf__read_unknown(r, key, 2);
		}
	}
	if (seen != SEEN_HANDFAST_KEYS || !is_method(info->first_method))
		hf__read_fail(r, HF_E_OBJECT);
}

static void
read_claim(struct hf__reader *r, struct hf_ticket_info *info, int64_t key,
    struct hf_span *cti, struct hf_span *pop)
{
	switch (key) {
	case HF__CLAIM_SUB:
		hf__name_copy(&info->subject,
		    hf__read_text(r, 1, HF_NAME_MAX));
		break;
	case HF__CLAIM_AUD:
		hf__name_copy(&info->audience,
		    hf__read_text(r, 1, HF_NAME_MAX));
		break;
	case HF__CLAIM_EXP:
		info->expires = hf__read_time(r);
		break;
	case HF__CLAIM_IAT:
		info->issued = hf__read_time(r);
		break;
	case HF__CLAIM_CTI:
		*cti = hf__read_bytes(r, HF_CTI_BYTES, HF_CTI_BYTES);
		break;
	case HF__CLAIM_CNF:
		*pop = read_pop(r);
		break;
	case HF__CLAIM_HANDFAST:
		read_handfast(r, info);
		break;
	default:
		hf__read_unknown(r, key, 1);
	}
}

static enum hf_err
read_claims(struct hf_ticket_info *info, uint8_t pop_out[32],
    const uint8_t *ptr, size_t len)
{
	struct hf_span cti = { NULL, 0 }, pop = { NULL, 0 };
	struct hf__key_order order = { 0 };
	struct hf__reader r;
	unsigned seen = 0;
	size_t i, n;
	int64_t key;

	hf__read_init(&r, ptr, len);
	n = hf__read_map(&r, 0, HF_TICKET_MAX);
	for (i = 0; i < n && r.err == HF_OK; i++) {
		key = hf__read_key(&r, &order);
		if (key > 0 && key <= HF__CLAIM_CNF)
			seen |= HF__SEEN(key);
		if (key == HF__CLAIM_HANDFAST)
			seen |= HF__SEEN_HANDFAST;
		read_claim(&r, info, key, &cti, &pop);
	}
	if (hf__read_end(&r) != HF_OK || (seen & REQUIRED) != REQUIRED ||
	    cti.ptr == NULL || pop.ptr == NULL || info->expires > info->limit)
		return HF_E_TICKET;
	memcpy(info->cti, cti.ptr, HF_CTI_BYTES);
	memcpy(pop_out, pop.ptr, HF_KEY_BYTES);
	return HF_OK;
}

static const struct hf__ring_key *
find_key(const struct hf_ring *ring, struct hf_span kid)
{
	size_t i;

	for (i = 0; i < ring->n; i++)
		if (hf__same(ring->keys[i].kid, kid.ptr, HF__KID_BYTES))
			return &ring->keys[i];
	return NULL;
}

enum hf_err
hf__ticket_open(struct hf_ticket_info *info, uint8_t pop[32],
    const struct hf_ring *ring, struct hf_span ticket)
{
	uint8_t claims[HF_TICKET_MAX];
	const struct hf__ring_key *key;
	struct hf__encrypt0 cose;
	enum hf_err e;

	memset(info, 0, sizeof(*info));
	if (ticket.len > HF_TICKET_MAX)
		return HF_E_OBJECT;
	if ((e = hf__encrypt0_read(&cose, ticket.ptr, ticket.len)) != HF_OK)
		return e;
	if ((key = find_key(ring, cose.kid)) == NULL ||
	    hf__encrypt0_open(claims, &cose, key->key, HF__LABEL_TICKET) !=
		HF_OK)
		return HF_E_TICKET;
	e = read_claims(info, pop, claims,
	    cose.ciphertext.len - HF__TAG_BYTES);
	sodium_memzero(claims, sizeof(claims));
	return e;
}

/* --- the holder's file -------------------------------------------------------- */

enum hf_err
hf__ticket_file_read(struct hf__ticket_file *f, const uint8_t *ptr, size_t len)
{
	struct hf__reader r;

	*f = (struct hf__ticket_file){ 0 };
	hf__read_init(&r, ptr, len);
	(void)hf__read_list(&r, 9, 9);
	if (hf__read_uint(&r, FILE_VERSION) != FILE_VERSION)
		hf__read_fail(&r, HF_E_OBJECT);
	f->ticket = hf__read_bytes(&r, 1, HF_TICKET_MAX);
	f->key = hf__read_bytes(&r, HF_KEY_BYTES, HF_KEY_BYTES);
	f->subject = hf__read_text(&r, 1, HF_NAME_MAX);
	f->audience = hf__read_text(&r, 1, HF_NAME_MAX);
	f->issued = hf__read_time(&r);
	f->expires = hf__read_time(&r);
	f->single_use = (int)hf__read_uint(&r, 1);
	f->limit = hf__read_time(&r);
	if (hf__read_end(&r) != HF_OK)
		return hf__object_err(hf__read_end(&r));
	return f->issued < f->expires && f->expires <= f->limit ? HF_OK :
								  HF_E_OBJECT;
}

enum hf_err
hf_ticket_read(struct hf_ticket_info *info, const uint8_t *file, size_t len)
{
	struct hf__ticket_file f;
	enum hf_err e;

	if ((e = hf__ticket_file_read(&f, file, len)) != HF_OK)
		return e;
	memset(info, 0, sizeof(*info));
	hf__name_copy(&info->subject, f.subject);
	hf__name_copy(&info->audience, f.audience);
	info->issued = f.issued;
	info->expires = f.expires;
	info->single_use = f.single_use;
	info->limit = f.limit;
	return HF_OK;
}
