/* SPDX-License-Identifier: ISC */
/*
 * A session as one sealed object for a store (spec section 18): what is in
 * clear, for routing alone, is the box's additional data. There is no
 * unsealed form. It knows fields and keys of scopes, not sessions.
 */
#include <string.h>

#include "internal.h"

enum {
	FORMAT = 1,
	ENTRY_FIELDS = 11,
	AAD_FIELDS = 10,
	STATE_FIELDS = 10,
	PEER_FIELDS = 8,
	TICKET_FIELDS = 4,
	MARK_FIELDS = 3,
	NONCE_BYTES = HF__STATE_NONCE,
	TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	PLAIN_MAX = 2048
};
#define SECONDS_MAX ((uint64_t)1 << 53)
#define COUNT_MAX ((uint64_t)1 << 48)

static const char label[] = "handfast/1 state";

/* --- marks ------------------------------------------------------------------------ */

void
hf__write_mark(struct hf__writer *w, const struct hf__mark *m)
{
	hf__write_list(w, MARK_FIELDS);
	hf__write_uint(w, m->count);
	hf__write_uint(w, m->bytes);
	hf__write_bytes(w, m->digest, sizeof(m->digest));
}

void
hf__read_mark(struct hf__reader *r, struct hf__mark *m)
{
	struct hf_span digest;

	(void)hf__read_list(r, MARK_FIELDS, MARK_FIELDS);
	m->count = hf__read_uint(r, COUNT_MAX);
	m->bytes = hf__read_uint(r, INT64_MAX);
	digest = hf__read_bytes(r, sizeof(m->digest), sizeof(m->digest));
	if (r->err == HF_OK)
		memcpy(m->digest, digest.ptr, sizeof(m->digest));
}

/* --- what is in clear ------------------------------------------------------------- */

/* The fields that the entry and its additional data share. */
static void
write_clear(struct hf__writer *w, const struct hf_vault *vault,
    uint32_t generation, const struct hf__stored *st)
{
	hf__write_uint(w, FORMAT);
	hf__write_text(w, vault->cluster.text, vault->cluster.len);
	hf__write_text(w, st->scope->name.text, st->scope->name.len);
	hf__write_uint(w, generation);
	hf__write_bytes(w, st->sid, sizeof(st->sid));
	hf__write_uint(w, st->epoch);
	hf__write_text(w, vault->owner.text, vault->owner.len);
	hf__write_bytes(w, st->token, sizeof(st->token));
	hf__write_uint(w, st->expires);
}

/* An entry's views. */
struct entry {
	struct hf_span clear, cluster, scope, sid, owner, token, nonce, box;
	uint64_t generation, epoch, expires;
};

static enum hf_err
read_entry(struct entry *en, const uint8_t *ptr, size_t len)
{
	struct hf__reader r;
	size_t start;

	if (len > HF_ENTRY_MAX)
		return HF_E_ENTRY;
	hf__read_init(&r, ptr, len);
	(void)hf__read_list(&r, ENTRY_FIELDS, ENTRY_FIELDS);
	start = r.off;
	if (hf__read_uint(&r, UINT32_MAX) != FORMAT)
		return HF_E_ENTRY;
	en->cluster = hf__read_text(&r, 1, HF_NAME_MAX);
	en->scope = hf__read_text(&r, 1, HF_NAME_MAX);
	en->generation = hf__read_uint(&r, UINT32_MAX);
	en->sid = hf__read_bytes(&r, HF_SID_BYTES, HF_SID_BYTES);
	en->epoch = hf__read_uint(&r, UINT32_MAX);
	en->owner = hf__read_text(&r, 1, HF_NAME_MAX);
	en->token = hf__read_bytes(&r, HF__TOKEN_BYTES, HF__TOKEN_BYTES);
	en->expires = hf__read_uint(&r, SECONDS_MAX);
	en->clear = (struct hf_span){ ptr + start, r.off - start };
	en->nonce = hf__read_bytes(&r, NONCE_BYTES, NONCE_BYTES);
	en->box = hf__read_bytes(&r, TAG_BYTES, PLAIN_MAX + TAG_BYTES);
	return hf__read_end(&r) == HF_OK && en->generation > 0 ? HF_OK :
								 HF_E_ENTRY;
}

int
hf_vault_lacks(const struct hf_vault *vault, const uint8_t *bytes, size_t len)
{
	const struct hf__scope *s;
	struct hf_entry_info info;

	if (vault == NULL || hf_entry_read(&info, bytes, len) != HF_OK ||
	    strcmp(info.cluster.text, vault->cluster.text) != 0 ||
	    (s = hf__vault_find(vault, info.scope.text)) == NULL)
		return 0;
	return s->generation_n == 0 ||
	    info.generation > s->generation[0].number;
}

/* CBOR [label, the clear fields]: their bytes are the entry's own. */
static enum hf_err
make_aad(uint8_t *aad, size_t cap, size_t *len, struct hf_span clear)
{
	struct hf__writer w;
	uint8_t *room;

	hf__write_init(&w, aad, cap);
	hf__write_list(&w, AAD_FIELDS);
	hf__write_text(&w, label, strlen(label));
	if ((room = hf__write_room(&w, clear.len)) != NULL)
		memcpy(room, clear.ptr, clear.len);
	*len = w.len;
	return w.err;
}

/* --- what is sealed ---------------------------------------------------------------- */

static void
write_peer(struct hf__writer *w, const struct hf__stored *st)
{
	size_t i;

	hf__write_list(w, PEER_FIELDS);
	hf__write_uint(w, st->method);
	hf__write_text(w, st->name, strlen(st->name));
	hf__write_text(w, st->subject, strlen(st->subject));
	hf__write_uint(w, st->authenticated);
	if (st->has_key)
		hf__write_bytes(w, st->key, sizeof(st->key));
	else
		hf__write_null(w);
	hf__write_list(w, st->origin_n);
	for (i = 0; i < st->origin_n; i++)
		hf__write_bytes(w, st->origin[i], HF_ORIGIN_BYTES);
	hf__write_uint(w, st->not_after);
	if (!st->has_ticket) {
		hf__write_list(w, 0);
		return;
	}
	hf__write_list(w, TICKET_FIELDS);
	hf__write_uint(w, st->first_method);
	hf__write_uint(w, st->first_auth);
	hf__write_uint(w, st->limit);
	hf__write_uint(w, st->single_use != 0);
}

static void
write_state(struct hf__writer *w, const struct hf__stored *st)
{
	hf__write_list(w, STATE_FIELDS);
	hf__write_uint(w, st->suite);
	hf__write_uint(w, st->mobility);
	hf__write_bytes(w, st->secret, sizeof(st->secret));
	if (st->unconfirmed) {
		hf__write_list(w, 2);
		hf__write_uint(w, st->previous_epoch);
		hf__write_bytes(w, st->previous, sizeof(st->previous));
	} else {
		hf__write_null(w);
	}
	hf__write_uint(w, st->serial);
	hf__write_mark(w, &st->received);
	hf__write_mark(w, &st->sent);
	hf__write_uint(w, st->closed);
	hf__write_text(w, st->target, st->target_len);
	write_peer(w, st);
}

/* A text into a string of cap bytes, its NUL included. */
static void
copy_text(char *out, size_t *len, struct hf__reader *r, size_t least,
    size_t cap)
{
	struct hf_span text = hf__read_text(r, least, cap - 1);

	*len = 0;
	if (r->err != HF_OK)
		return;
	if (text.len > 0)
		memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
	*len = text.len;
}

static void
copy_bytes(uint8_t *out, struct hf__reader *r, size_t len)
{
	struct hf_span bytes = hf__read_bytes(r, len, len);

	if (r->err == HF_OK)
		memcpy(out, bytes.ptr, len);
}

/* One way to authenticate; at first also 0, for another than these. */
static unsigned
read_method(struct hf__reader *r, uint64_t least)
{
	uint64_t m = hf__read_uint(r, HF_METHOD_TICKET);

	if (m < least || (m & (m - 1)) != 0)
		hf__read_fail(r, HF_E_SHAPE);
	return (unsigned)m;
}

static void
read_ticket(struct hf__stored *st, struct hf__reader *r)
{
	size_t n = hf__read_list(r, 0, TICKET_FIELDS);

	st->has_ticket = n == TICKET_FIELDS;
	if (n == 0)
		return;
	if (n != TICKET_FIELDS)
		hf__read_fail(r, HF_E_SHAPE);
	st->first_method = read_method(r, 0);
	st->first_auth = hf__read_uint(r, SECONDS_MAX);
	st->limit = hf__read_uint(r, SECONDS_MAX);
	st->single_use = (int)hf__read_uint(r, 1);
}

static void
read_peer(struct hf__stored *st, struct hf__reader *r)
{
	struct hf_span key;
	size_t i, len;

	(void)hf__read_list(r, PEER_FIELDS, PEER_FIELDS);
	st->method = (enum hf_method)read_method(r, 1);
	copy_text(st->name, &len, r, 1, sizeof(st->name));
	copy_text(st->subject, &len, r, 1, sizeof(st->subject));
	st->authenticated = hf__read_uint(r, SECONDS_MAX);
	key = hf__read_bytes_or_null(r, sizeof(st->key), sizeof(st->key));
	st->has_key = key.ptr != NULL;
	if (st->has_key)
		memcpy(st->key, key.ptr, sizeof(st->key));
	st->origin_n = hf__read_list(r, 0, HF_CHAIN_MAX);
	for (i = 0; i < st->origin_n && r->err == HF_OK; i++)
		copy_bytes(st->origin[i], r, HF_ORIGIN_BYTES);
	st->not_after = hf__read_uint(r, SECONDS_MAX);
	read_ticket(st, r);
}

static void
read_previous(struct hf__stored *st, struct hf__reader *r, struct hf_span all)
{
	/* null or an array: the next byte tells */
	st->unconfirmed = r->off < all.len && all.ptr[r->off] == 0x82;
	if (!st->unconfirmed) {
		if (hf__read_bytes_or_null(r, 0, 0).ptr != NULL)
			hf__read_fail(r, HF_E_SHAPE);
		return;
	}
	(void)hf__read_list(r, 2, 2);
	st->previous_epoch = hf__read_uint(r, UINT32_MAX);
	copy_bytes(st->previous, r, sizeof(st->previous));
}

static enum hf_err
read_state(struct hf__stored *st, struct hf_span plain)
{
	struct hf__reader r;

	hf__read_init(&r, plain.ptr, plain.len);
	(void)hf__read_list(&r, STATE_FIELDS, STATE_FIELDS);
	st->suite = (uint16_t)hf__read_uint(&r, UINT16_MAX);
	st->mobility = (enum hf_mobility)hf__read_uint(&r, HF_MOVES_PROVED);
	copy_bytes(st->secret, &r, sizeof(st->secret));
	read_previous(st, &r, plain);
	st->serial = hf__read_uint(&r, UINT32_MAX);
	hf__read_mark(&r, &st->received);
	hf__read_mark(&r, &st->sent);
	st->closed = (unsigned)hf__read_uint(&r, HF__CLOSED_I | HF__CLOSED_R);
	copy_text(st->target, &st->target_len, &r, 0, sizeof(st->target));
	read_peer(st, &r);
	return hf__read_end(&r) == HF_OK && st->mobility != HF_MOVES_NOT &&
		(st->unconfirmed || st->serial == 0) ?
	    HF_OK :
	    HF_E_ENTRY;
}

/* --- the seal ----------------------------------------------------------------------- */

enum hf_err
hf__state_nonce(uint8_t nonce[HF__STATE_NONCE], const uint8_t key[32],
    struct hf_span aad, struct hf_span plain)
{
	crypto_generichash_state st;
	uint8_t random[32];
	int r;

	randombytes_buf(random, sizeof(random));
	r = crypto_generichash_init(&st, key, 32, NONCE_BYTES);
	r |= crypto_generichash_update(&st, random, sizeof(random));
	r |= crypto_generichash_update(&st, aad.ptr, aad.len);
	r |= crypto_generichash_update(&st, plain.ptr, plain.len);
	r |= crypto_generichash_final(&st, nonce, NONCE_BYTES);
	sodium_memzero(&st, sizeof(st));
	return r == 0 ? HF_OK : HF_E_CRYPTO;
}

enum hf_err
hf__state_seal(uint8_t out[HF_ENTRY_MAX], size_t *len,
    const struct hf_vault *vault, const struct hf__stored *st, uint64_t now)
{
	const struct hf__generation *g;
	uint8_t aad[HF_ENTRY_MAX], plain[PLAIN_MAX], nonce[NONCE_BYTES], *box;
	size_t aad_len, start;
	struct hf__writer w, inner;
	enum hf_err e;

	if (st->scope == NULL || !hf__scope_valid(st->scope, now))
		return HF_E_EXPIRED;
	g = &st->scope->generation[0];
	hf__write_init(&inner, plain, sizeof(plain));
	write_state(&inner, st);
	hf__write_init(&w, out, HF_ENTRY_MAX);
	hf__write_list(&w, ENTRY_FIELDS);
	start = w.len;
	write_clear(&w, vault, g->number, st);
	if ((e = inner.err) != HF_OK || (e = w.err) != HF_OK ||
	    (e = make_aad(aad, sizeof(aad), &aad_len,
		 (struct hf_span){ out + start, w.len - start })) != HF_OK ||
	    (e = hf__state_nonce(nonce, g->nonce_key,
		 (struct hf_span){ aad, aad_len },
		 (struct hf_span){ plain, inner.len })) != HF_OK)
		goto out;
	hf__write_bytes(&w, nonce, sizeof(nonce));
	hf__write_bytes_head(&w, inner.len + TAG_BYTES);
	if ((box = hf__write_room(&w, inner.len + TAG_BYTES)) == NULL) {
		e = HF_E_SPACE;
		goto out;
	}
	e = crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, plain,
		inner.len, aad, aad_len, NULL, nonce, g->box_key) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
	*len = w.len;
out:
	sodium_memzero(plain, inner.len);
	return e;
}

/* The scope and the one generation that an entry names. */
static const struct hf__generation *
find_key(const struct hf__scope **scope, const struct hf_vault *vault,
    const struct entry *en, uint64_t now)
{
	const struct hf__generation *g;
	size_t i, j;

	if (en->cluster.len != vault->cluster.len ||
	    !hf__same(en->cluster.ptr, vault->cluster.text, en->cluster.len))
		return NULL;
	for (i = 0; i < vault->scope_n; i++) {
		*scope = &vault->scope[i];
		if (!hf__scope_valid(*scope, now) ||
		    (*scope)->name.len != en->scope.len ||
		    !hf__same((*scope)->name.text, en->scope.ptr,
			en->scope.len))
			continue;
		for (j = 0; j < (*scope)->generation_n; j++) {
			g = &(*scope)->generation[j];
			if (g->number == en->generation &&
			    (g->not_after == 0 || now < g->not_after))
				return g;
		}
	}
	return NULL;
}

enum hf_err
hf__state_open(struct hf__stored *st, const struct hf_vault *vault,
    const uint8_t *entry, size_t len, uint64_t now)
{
	uint8_t aad[HF_ENTRY_MAX], plain[PLAIN_MAX];
	const struct hf__generation *g;
	struct entry en;
	size_t aad_len;
	enum hf_err e;

	memset(st, 0, sizeof(*st));
	if ((e = read_entry(&en, entry, len)) != HF_OK)
		return e;
	if ((g = find_key(&st->scope, vault, &en, now)) == NULL)
		return HF_E_ENTRY;
	if ((e = make_aad(aad, sizeof(aad), &aad_len, en.clear)) != HF_OK)
		return e;
	e = HF_E_ENTRY;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
		en.box.ptr, en.box.len, aad, aad_len, en.nonce.ptr,
		g->box_key) == 0)
		e = read_state(st,
		    (struct hf_span){ plain, en.box.len - TAG_BYTES });
	memcpy(st->sid, en.sid.ptr, sizeof(st->sid));
	memcpy(st->token, en.token.ptr, sizeof(st->token));
	st->epoch = en.epoch;
	st->expires = en.expires;
	sodium_memzero(plain, en.box.len - TAG_BYTES);
	if (e != HF_OK)
		sodium_memzero(st, sizeof(*st));
	return e;
}

static void
name_of(struct hf_name *name, struct hf_span text)
{
	memcpy(name->text, text.ptr, text.len);
	name->text[text.len] = '\0';
	name->len = text.len;
}

enum hf_err
hf_entry_read(struct hf_entry_info *info, const uint8_t *entry, size_t len)
{
	struct entry en;
	enum hf_err e;

	if (info == NULL || entry == NULL)
		return HF_E_ARG;
	memset(info, 0, sizeof(*info));
	if ((e = read_entry(&en, entry, len)) != HF_OK)
		return e;
	name_of(&info->cluster, en.cluster);
	name_of(&info->scope, en.scope);
	name_of(&info->owner, en.owner);
	memcpy(info->sid, en.sid.ptr, HF_SID_BYTES);
	memcpy(info->token, en.token.ptr, HF_OWNER_TOKEN_BYTES);
	info->generation = (uint32_t)en.generation;
	info->epoch = en.epoch;
	info->expires = en.expires;
	return HF_OK;
}

enum hf_err
hf_entry_open(struct hf_entry_info *info, const struct hf_vault *vault,
    const uint8_t *entry, size_t len, uint64_t now)
{
	struct hf__stored st;
	enum hf_err e;

	if (vault == NULL)
		return HF_E_ARG;
	if ((e = hf_entry_read(info, entry, len)) == HF_OK)
		e = hf__state_open(&st, vault, entry, len, now);
	sodium_memzero(&st, sizeof(st));
	return e;
}
