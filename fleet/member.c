/* SPDX-License-Identifier: ISC */
/*
 * What stands in a cluster's store about its members (spec section 19): their
 * records, which anybody may have written who can write there, and the key
 * grants that a member takes from it. Who is a member is cluster.c's. For
 * commands, and for a server that starts: every call waits for the store.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "member.h"

struct hf_span
hf__member_key(char out[HF__MEMBER_KEY_TEXT], char kind, const char *id,
    const char *scope)
{
	int n = id != NULL && scope != NULL ?
	    snprintf(out, HF__MEMBER_KEY_TEXT, "%c/%s/%s", kind, id, scope) :
	    snprintf(out, HF__MEMBER_KEY_TEXT, "%c/%s", kind,
		id != NULL ? id : scope);

	return (struct hf_span){ (const uint8_t *)out,
		n > 0 && n < HF__MEMBER_KEY_TEXT ? (size_t)n : 0 };
}

void
hf_member_id(char out[HF_MEMBER_ID_TEXT], struct hf_span cert)
{
	uint8_t hash[HF_KEY_BYTES];

	/* It fails only for lengths out of its range. */
	if (crypto_generichash(hash, sizeof(hash), cert.ptr, cert.len, NULL,
		0) != 0)
		sodium_misuse();
	sodium_bin2hex(out, HF_MEMBER_ID_TEXT, hash, sizeof(hash));
}

static void
note(struct hf__seen *seen, struct hf_span value)
{
	memset(seen, 0, sizeof(*seen));
	if (value.len > 0 &&
	    crypto_generichash(seen->hash, sizeof(seen->hash), value.ptr,
		value.len, NULL, 0) != 0)
		sodium_misuse();
}

enum hf_err
hf__member_get(struct hf_store *store, struct hf_span key,
    uint8_t value[HF_STORE_VALUE_MAX], size_t *len, struct hf__seen *seen)
{
	enum hf_err e = hf_store_get(store, key, value, len);

	note(seen, (struct hf_span){ value, e == HF_OK ? *len : 0 });
	return e;
}

/* The store compares whole values. What stands there is read once more for
 * that: whatever comes between this and the swap it finds itself. */
enum hf_err
hf__member_put(struct hf_store *store, struct hf_span key,
    struct hf__seen *seen, struct hf_span value, uint64_t expires)
{
	uint8_t old[HF_STORE_VALUE_MAX];
	struct hf__seen now;
	enum hf_err e;
	size_t len = 0;

	if (key.len == 0)
		return HF_E_ARG;
	e = hf__member_get(store, key, old, &len, &now);
	if (e == HF_OK || e == HF_E_NO_SESSION)
		e = memcmp(&now, seen, sizeof(now)) == 0 ?
		    hf_store_swap(store, key, (struct hf_span){ old, len },
			value, expires) :
		    HF_E_FENCED;
	sodium_memzero(old, sizeof(old));
	if (e == HF_OK)
		note(seen, value);
	return e;
}

/* --- members ------------------------------------------------------------------------------ */

/* How many scopes, each with its length, the certificate. */
enum hf_err
hf__member_read(struct hf_member *m, struct hf_span value)
{
	size_t at = 1, i, len;

	memset(m, 0, sizeof(*m));
	if (value.len < 1 || value.ptr[0] > HF_SCOPES_MAX)
		return HF_E_OBJECT;
	m->scope_n = value.ptr[0];
	for (i = 0; i < m->scope_n; i++) {
		if (at >= value.len || (len = value.ptr[at]) == 0 ||
		    len > value.len - at - 1)
			return HF_E_OBJECT;
		memcpy(m->scope[i].text, value.ptr + at + 1, len);
		m->scope[i].len = len;
		at += 1 + len;
	}
	if (value.len - at == 0 || value.len - at > HF_CERT_MAX)
		return HF_E_OBJECT;
	m->cert_len = value.len - at;
	memcpy(m->cert, value.ptr + at, m->cert_len);
	hf_member_id(m->id, (struct hf_span){ m->cert, m->cert_len });
	return HF_OK;
}

struct walk {
	int (*each)(void *arg, const struct hf_member *member);
	void *arg;
	enum hf_err e;
};

static int
walk_one(void *arg, struct hf_span key, struct hf_span value)
{
	struct walk *w = arg;
	struct hf_member *m = malloc(sizeof(*m));
	int more = 1;

	if (m == NULL)
		w->e = HF_E_MEMORY;
	/* What is no record is nobody's, and hides nobody; nor is a copy that
	 * stands elsewhere. */
	else if (hf__member_read(m, value) == HF_OK &&
	    key.len == strlen(m->id) + 2 &&
	    memcmp(key.ptr + 2, m->id, key.len - 2) == 0)
		more = w->each(w->arg, m);
	free(m);
	return more && w->e == HF_OK;
}

enum hf_err
hf_cluster_members(struct hf_store *store,
    int (*each)(void *arg, const struct hf_member *member), void *arg)
{
	static const uint8_t members[] = { 'm', '/' };
	struct walk w = { each, arg, HF_OK };
	enum hf_err e = hf_store_list(store,
	    (struct hf_span){ members, sizeof(members) }, walk_one, &w);

	return e == HF_OK ? w.e : e;
}

/* --- a member's own ---------------------------------------------------------------------------- */

struct taking {
	struct hf_vault *vault;
	struct hf_keygrant_judge by;
	struct hf_granted all;
	size_t n;
	enum hf_err e;
};

static int
take_grant(void *arg, struct hf_span key, struct hf_span value)
{
	struct taking *t = arg;
	struct hf_keygrant g;

	(void)key;
	t->e = hf_keygrant_open(&g, value.ptr, value.len, &t->by);
	if (t->e == HF_OK && (t->e = hf_vault_grant(t->vault, &g)) == HF_OK) {
		t->n++;
		/* What all of them have: in a change that is under way, or
		 * stopped, that of before it is not refused yet. */
		if (g.serial < t->all.serial)
			t->all.serial = g.serial;
		if (g.not_after < t->all.not_after)
			t->all.not_after = g.not_after;
	}
	sodium_memzero(&g, sizeof(g));
	return t->e == HF_OK;
}

enum hf_err
hf_member_grants(struct hf_vault *vault, struct hf_store *store,
    const struct hf_keygrant_judge *by, struct hf_granted *granted)
{
	struct taking t = { vault, *by, { UINT64_MAX, UINT64_MAX }, 0, HF_OK };
	char id[HF_MEMBER_ID_TEXT], text[HF__MEMBER_KEY_TEXT];
	enum hf_err e;

	hf_member_id(id, by->member);
	e = hf_store_list(store, hf__member_key(text, 'g', id, ""), take_grant,
	    &t);
	if (e == HF_OK)
		e = t.e;
	if (e != HF_OK)
		return e;
	*granted = t.all;
	return t.n > 0 ? HF_OK : HF_E_NO_SESSION;
}
