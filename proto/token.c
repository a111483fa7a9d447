/* SPDX-License-Identifier: ISC */
/*
 * Tokens inside a request (spec sections 4.4 and 6): their encoding, what a
 * user name is, how a password is stretched and what of it a responder keeps.
 * It knows no user and judges no token.
 */
#include <stdlib.h>
#include <string.h>

#include "session.h"

/* Kinds on the wire; methods are bits. */
enum {
	KIND_CERTIFICATE = 1,
	KIND_PASSWORD = 2,
	KIND_PLAIN_PASSWORD = 3,
	KIND_TICKET = 4,
	COST_MIB = 64,
	COST_MIB_MAX = 1024,
	COST_PASSES = 2,
	COST_PASSES_MAX = 10,
	SALT_MAX = 32 + HF_NAME_MAX + HF_USER_MAX
};

static const char label_salt[] = "handfast/1 password";

static bool
user_ok(const uint8_t *user, size_t len)
{
	size_t i;
	uint8_t c;

	if (len < 1 || len > HF_USER_MAX)
		return false;
	for (i = 0; i < len; i++) {
		c = user[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '_' && c != '@' && c != '+' && c != '-')
			return false;
	}
	return true;
}

enum hf_err
hf_user_check(const char *user, size_t len)
{
	return user_ok((const uint8_t *)user, len) ? HF_OK : HF_E_ARG;
}

void
hf__token_write(struct hf__writer *w, const struct hf__token *t)
{
	switch (t->method) {
	case HF_METHOD_CERTIFICATE:
		hf__write_list(w, 2);
		hf__write_uint(w, KIND_CERTIFICATE);
		hf__write_chain(w, t->chain, t->chain_n);
		break;
	case HF_METHOD_PASSWORD:
		hf__write_list(w, 3);
		hf__write_uint(w, KIND_PASSWORD);
		hf__write_text(w, (const char *)t->user.ptr, t->user.len);
		hf__write_bytes(w, t->password.ptr, t->password.len);
		break;
	case HF_METHOD_PLAIN_PASSWORD:
		hf__write_list(w, 3);
		hf__write_uint(w, KIND_PLAIN_PASSWORD);
		hf__write_text(w, (const char *)t->user.ptr, t->user.len);
		hf__write_text(w, (const char *)t->password.ptr,
		    t->password.len);
		break;
	case HF_METHOD_TICKET:
		hf__write_list(w, 2);
		hf__write_uint(w, KIND_TICKET);
		hf__write_bytes(w, t->ticket.ptr, t->ticket.len);
		break;
	}
}

static void
read_user(struct hf__reader *r, struct hf__token *t)
{
	t->user = hf__read_text(r, 1, HF_USER_MAX);
	if (r->err == HF_OK && !user_ok(t->user.ptr, t->user.len))
		hf__read_fail(r, HF_E_SHAPE);
}

/* Spec section 4.4.1: the kind is judged before the fields it announces. */
void
hf__token_read(struct hf__reader *r, struct hf__token *t)
{
	size_t members;
	uint64_t kind;

	memset(t, 0, sizeof(*t));
	members = hf__read_list(r, 1, HF_MESSAGE_MAX);
	kind = hf__read_uint(r, UINT64_MAX);
	if (kind < KIND_CERTIFICATE || kind > KIND_TICKET)
		hf__read_fail(r, HF_E_TOKEN);
	if (members !=
	    (kind == KIND_PASSWORD || kind == KIND_PLAIN_PASSWORD ? 3 : 2))
		hf__read_fail(r, HF_E_SHAPE);
	switch (kind) {
	case KIND_CERTIFICATE:
		t->method = HF_METHOD_CERTIFICATE;
		hf__read_chain(r, t->chain, &t->chain_n);
		break;
	case KIND_PASSWORD:
		t->method = HF_METHOD_PASSWORD;
		read_user(r, t);
		t->password = hf__read_bytes(r, HF_KEY_BYTES, HF_KEY_BYTES);
		break;
	case KIND_PLAIN_PASSWORD:
		t->method = HF_METHOD_PLAIN_PASSWORD;
		read_user(r, t);
		t->password = hf__read_text(r, 1, HF_PASSWORD_MAX);
		break;
	case KIND_TICKET:
		t->method = HF_METHOD_TICKET;
		t->ticket = hf__read_bytes(r, 1, HF_TICKET_MAX);
		break;
	}
}

/* The first 16 bytes of SHA-256(CBOR [label, realm, user]). */
static enum hf_err
make_salt(uint8_t salt[crypto_hash_sha256_BYTES], const char *realm,
    const char *user)
{
	uint8_t buf[SALT_MAX];
	struct hf__writer w;

	hf__write_init(&w, buf, sizeof(buf));
	hf__write_list(&w, 3);
	hf__write_text(&w, label_salt, sizeof(label_salt) - 1);
	hf__write_text(&w, realm, strlen(realm));
	hf__write_text(&w, user, strlen(user));
	if (w.err != HF_OK)
		return w.err;
	return crypto_hash_sha256(salt, buf, w.len) != 0 ? HF_E_CRYPTO : HF_OK;
}

enum hf_err
hf_password_stretch(uint8_t stretched[HF_KEY_BYTES], const char *password,
    size_t password_len, const char *realm, const char *user, unsigned mib,
    unsigned passes)
{
	uint8_t salt[crypto_hash_sha256_BYTES];
	enum hf_err e;
	int r;

	if (mib == 0 && passes == 0) {
		mib = COST_MIB;
		passes = COST_PASSES;
	}
	if (mib < COST_MIB || mib > COST_MIB_MAX || passes < COST_PASSES ||
	    passes > COST_PASSES_MAX || password_len < 1 ||
	    password_len > HF_PASSWORD_MAX || strlen(realm) > HF_NAME_MAX ||
	    !hf__realm_ok((const uint8_t *)realm, strlen(realm)) ||
	    !user_ok((const uint8_t *)user, strlen(user)))
		return HF_E_ARG;
	if ((e = make_salt(salt, realm, user)) != HF_OK)
		return e;
	r = crypto_pwhash(stretched, HF_KEY_BYTES, password, password_len,
	    salt, passes, (size_t)mib << 20, crypto_pwhash_ALG_ARGON2ID13);
	sodium_stackzero(HF__STACK_USED); /* its last hash is left there */
	/* All else is in range: only memory can be missing. */
	return r == 0 ? HF_OK : HF_E_MEMORY;
}

enum hf_err
hf_password_verifier(uint8_t verifier[HF_KEY_BYTES],
    const uint8_t stretched[HF_KEY_BYTES])
{
	hf__hash_labelled(verifier, "handfast/1 verifier", stretched,
	    HF_KEY_BYTES);
	return HF_OK;
}
