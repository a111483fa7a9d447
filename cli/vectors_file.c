/* SPDX-License-Identifier: ISC */
/*
 * Kinds of files: textual blocks, identities in both forms, rings. What a
 * vector gives as the bytes of a file is put into its block for the library's
 * readers, which know files as text only.
 */
#include <string.h>

#include "vectors.h"

enum { FORM_PLAIN_HEAD = 0x82, BLOCK_MAX = 1 << 16 };

static const char label_plain[] = "HANDFAST IDENTITY";
static const char label_sealed[] = "HANDFAST ENCRYPTED IDENTITY";
static const char label_ring[] = "HANDFAST TICKET RING";

/* The block as text. One of no bytes has no line between its ends. */
static const char *
block(struct vec *v, const char *label, struct hf_span data, size_t *len)
{
	size_t cap = 2 * data.len + 256;
	char *text = vec_alloc(v, cap);

	if (data.len == 0)
		*len = (size_t)snprintf(text, cap,
		    "-----BEGIN %s-----\n-----END %s-----\n", label, label);
	else if (hf_pem_encode(text, cap, len, label, data.ptr, data.len) !=
	    HF_OK)
		vec_fault(v, "file", "cannot be put into a block");
	return text;
}

/* The file in its text, and the text. */
static void
put_text(struct vec *v, const char *label, const char *text)
{
	uint8_t *file = vec_alloc(v, BLOCK_MAX);
	size_t len, used;

	if (hf_pem_decode(file, BLOCK_MAX, &len, &used, label, text,
		strlen(text)) != HF_OK) {
		vec_fault(v, "text", "does not decode");
		return;
	}
	vec_put_hex(v, v->out, "file", file, len);
	vec_put_lines(v, v->out, "text", text);
}

enum hf_err
vec_identity(struct vec *v)
{
	struct hf_identity *id = NULL;
	uint8_t seed[HF_SEED_BYTES];
	char text[1024];
	size_t len;
	enum hf_err e;

	vec_hex_into(seed, sizeof(seed), v, v->told, "seed");
	if (v->failed)
		return HF_OK;
	if ((e = hf_identity_new(&id, seed)) != HF_OK ||
	    (e = hf_identity_encode(text, sizeof(text), &len, id, NULL, 0)) !=
		HF_OK)
		goto out;
	vec_put_hex(v, v->out, "ed25519_public", id->sign_pk, 32);
	vec_put_hex(v, v->out, "x25519_private", id->kem.sk, 32);
	vec_put_hex(v, v->out, "x25519_public", id->kem.pk, 32);
	put_text(v, label_plain, text);
out:
	hf_identity_free(id);
	return e;
}

/* --- sealed identities ------------------------------------------------------------ */

struct sealed {
	uint8_t seed[HF_SEED_BYTES], key[32];
	uint8_t salt[crypto_pwhash_SALTBYTES];
	uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
	const char *phrase;
	unsigned mib, passes;
	uint8_t file[160];
	size_t len;
};

/* The file of any cost: the library writes that of its own cost only. */
static enum hf_err
write_sealed(struct sealed *f)
{
	enum {
		BOX = HF_SEED_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES
	};
	struct hf__writer w;
	size_t aad_len;
	uint8_t *box;
	enum hf_err e;

	if ((e = vec_argon2(f->key, f->phrase, f->salt, f->mib, f->passes)) !=
	    HF_OK)
		return e;
	hf__write_init(&w, f->file, sizeof(f->file));
	hf__write_list(&w, 6);
	hf__write_uint(&w, 2);
	hf__write_bytes(&w, f->salt, sizeof(f->salt));
	hf__write_uint(&w, f->mib);
	hf__write_uint(&w, f->passes);
	hf__write_bytes(&w, f->nonce, sizeof(f->nonce));
	aad_len = w.len;
	hf__write_bytes_head(&w, BOX);
	if ((box = hf__write_room(&w, BOX)) == NULL)
		return w.err;
	f->len = w.len;
	return crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, f->seed,
		   sizeof(f->seed), f->file, aad_len, NULL, f->nonce,
		   f->key) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}

/* The library reads it, whatever its cost. */
static void
reads_back(struct vec *v, const struct sealed *f)
{
	struct hf_identity *id = NULL;
	size_t len;
	const char *text =
	    block(v, label_sealed, (struct hf_span){ f->file, f->len }, &len);

	if (hf_identity_decode(&id, text, len, f->phrase, strlen(f->phrase)) !=
		HF_OK ||
	    memcmp(id->seed, f->seed, sizeof(f->seed)) != 0)
		vec_fault(v, "file", "does not read back");
	hf_identity_free(id);
}

/* And writes the same, from the same draws. */
static void
writes_same(struct vec *v, const struct sealed *f)
{
	struct hf_identity *id = NULL;
	struct vec_draws draws;
	char text[1024];
	size_t len = 0, mine_len;
	const char *mine = block(v, label_sealed,
	    (struct hf_span){ f->file, f->len }, &mine_len);

	vec_draws_init(&draws, v, "random");
	vec_random_begin(&draws);
	if (hf_identity_new(&id, f->seed) != HF_OK ||
	    hf_identity_encode(text, sizeof(text), &len, id, f->phrase,
		strlen(f->phrase)) != HF_OK ||
	    len != mine_len || memcmp(text, mine, len) != 0)
		vec_fault(v, "file", "is not what the library writes");
	vec_random_end();
	vec_draws_done(&draws);
	hf_identity_free(id);
}

enum hf_err
vec_identity_encrypted(struct vec *v)
{
	struct hf_span draws[VEC_LIST_MAX];
	struct sealed f = { 0 };
	enum hf_err e;

	vec_hex_into(f.seed, sizeof(f.seed), v, v->told, "seed");
	f.phrase = vec_text(v, v->told, "passphrase");
	f.mib = (unsigned)vec_uint(v, v->told, "mib", 1024);
	f.passes = (unsigned)vec_uint(v, v->told, "passes", 10);
	if (vec_hex_list(draws, v, v->told, "random") != 2 ||
	    draws[0].len != sizeof(f.salt) || draws[1].len != sizeof(f.nonce))
		vec_fault(v, "random", "is not a salt and a nonce");
	if (v->failed)
		return HF_OK;
	memcpy(f.salt, draws[0].ptr, sizeof(f.salt));
	memcpy(f.nonce, draws[1].ptr, sizeof(f.nonce));
	if ((e = write_sealed(&f)) != HF_OK)
		return e;
	reads_back(v, &f);
	if (f.mib == 64 && f.passes == 3)
		writes_same(v, &f);
	vec_put_hex(v, v->out, "key", f.key, sizeof(f.key));
	vec_put_hex(v, v->out, "file", f.file, f.len);
	return HF_OK;
}

/* --- reading ---------------------------------------------------------------------- */

/* The array's head tells which of the two forms it may be. */
enum hf_err
vec_identity_read(struct vec *v)
{
	struct hf_span file = vec_hex(v, v->told, "file");
	const char *phrase = vec_text(v, v->told, "passphrase");
	struct hf_identity *id = NULL;
	const char *text;
	size_t len;
	enum hf_err e;

	text = block(v,
	    file.len > 0 && file.ptr[0] == FORM_PLAIN_HEAD ? label_plain :
							     label_sealed,
	    file, &len);
	if (v->failed)
		return HF_OK;
	if ((e = hf_identity_decode(&id, text, len, phrase, strlen(phrase))) ==
	    HF_OK)
		vec_put_hex(v, v->out, "seed", id->seed, sizeof(id->seed));
	hf_identity_free(id);
	return e;
}

enum hf_err
vec_ring_read(struct vec *v)
{
	struct hf_span file = vec_hex(v, v->told, "file");
	json_t *list, *key;
	struct hf_ring *ring = NULL;
	const char *text;
	size_t i, len;
	enum hf_err e;

	text = block(v, label_ring, file, &len);
	if (v->failed)
		return HF_OK;
	if ((e = hf_ring_decode(&ring, text, len)) != HF_OK)
		return e;
	list = json_array();
	for (i = 0; i < hf_ring_count(ring); i++) {
		key = json_object();
		vec_put_hex(v, key, "kid", ring->keys[i].kid, HF__KID_BYTES);
		vec_put_hex(v, key, "key", ring->keys[i].key, HF_KEY_BYTES);
		vec_put_uint(v, key, "created", ring->keys[i].created);
		vec_append(v, list, key);
	}
	vec_put(v, v->out, "ring", list);
	hf_ring_free(ring);
	return HF_OK;
}

/* A text is read to its end: no further block is no fault. */
enum hf_err
vec_text_read(struct vec *v)
{
	const char *label = vec_text(v, v->told, "label");
	struct hf_span text = vec_hex(v, v->told, "text");
	uint8_t *data = vec_alloc(v, text.len);
	json_t *blocks = json_array();
	size_t off = 0, len, used;
	enum hf_err e;

	do {
		e = hf_pem_decode(data, text.len, &len, &used, label,
		    (const char *)text.ptr + off, text.len - off);
		if (e == HF_OK)
			vec_append(v, blocks, vec_json_hex(data, len));
		off += used;
	} while (e == HF_OK);
	vec_put(v, v->out, "blocks", blocks);
	return e == HF_E_OBJECT && off == text.len ? HF_OK : e;
}
