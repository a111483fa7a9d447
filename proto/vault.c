/* SPDX-License-Identifier: ISC */
/*
 * Vaults: which scopes a server may hold sessions of, and the keys that seal
 * their stored states (spec section 18.1), in guarded memory. It knows
 * nothing of what is sealed, nor how a server came by its keys.
 */
#include <string.h>

#include "internal.h"

static const char CONTEXT[crypto_kdf_CONTEXTBYTES + 1] = "hfstate_";
enum subkey { SUBKEY_BOX = 1, SUBKEY_NONCE = 2, SUBKEY_NAME = 3 };

static enum hf_err
set_name(struct hf_name *name, const char *text, size_t least)
{
	size_t len;

	if (text == NULL || (len = strlen(text)) < least ||
	    len > HF_NAME_MAX || !hf__text_ok((const uint8_t *)text, len))
		return HF_E_ARG;
	memcpy(name->text, text, len + 1);
	name->len = len;
	return HF_OK;
}

enum hf_err
hf_vault_new(struct hf_vault **vault, const char *cluster, const char *owner)
{
	struct hf_vault *v;
	enum hf_err e;

	if (vault == NULL)
		return HF_E_ARG;
	*vault = NULL;
	if ((v = sodium_malloc(sizeof(*v))) == NULL)
		return HF_E_MEMORY;
	memset(v, 0, sizeof(*v));
	if ((e = set_name(&v->cluster, cluster, 1)) != HF_OK ||
	    (e = set_name(&v->owner, owner, 1)) != HF_OK) {
		sodium_free(v);
		return e;
	}
	*vault = v;
	return HF_OK;
}

void
hf_vault_free(struct hf_vault *vault)
{
	sodium_free(vault); /* wipes */
}

static struct hf__scope *
find(struct hf_vault *vault, const char *scope)
{
	size_t i;

	for (i = 0; i < vault->scope_n; i++)
		if (strcmp(vault->scope[i].name.text, scope) == 0)
			return &vault->scope[i];
	return NULL;
}

enum hf_err
hf_vault_scope(struct hf_vault *vault, const char *scope,
    const char *const *targets, size_t n)
{
	struct hf__scope made = { .target_n = n };
	enum hf_err e;
	size_t i;

	if (vault == NULL || n > HF_SCOPE_TARGETS_MAX ||
	    (targets == NULL && n > 0))
		return HF_E_ARG;
	if ((e = set_name(&made.name, scope, 1)) != HF_OK)
		return e;
	for (i = 0; i < n; i++)
		if ((e = set_name(&made.target[i], targets[i], 0)) != HF_OK)
			return e;
	if (find(vault, scope) != NULL)
		return HF_E_ARG;
	if (vault->scope_n == HF_SCOPES_MAX)
		return HF_E_SPACE;
	vault->scope[vault->scope_n++] = made;
	return HF_OK;
}

static enum hf_err
derive(struct hf__generation *g, const uint8_t key[HF_KEY_BYTES])
{
	return crypto_kdf_derive_from_key(g->box_key, 32, SUBKEY_BOX, CONTEXT,
		   key) == 0 &&
		crypto_kdf_derive_from_key(g->nonce_key, 32, SUBKEY_NONCE,
		    CONTEXT, key) == 0 &&
		crypto_kdf_derive_from_key(g->name_key, 32, SUBKEY_NAME,
		    CONTEXT, key) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}

/* Newest first; where there is no room the oldest goes. */
enum hf_err
hf_vault_key(struct hf_vault *vault, const char *scope, uint32_t generation,
    const uint8_t key[HF_KEY_BYTES], uint64_t not_after)
{
	struct hf__generation *g;
	struct hf__scope *s;
	enum hf_err e;
	size_t i, moved;

	if (vault == NULL || scope == NULL || generation == 0 || key == NULL ||
	    (s = find(vault, scope)) == NULL)
		return HF_E_ARG;
	for (i = 0; i < s->generation_n; i++)
		if (s->generation[i].number <= generation)
			break;
	if (i == HF_GENERATIONS_MAX)
		return HF_E_SPACE;
	g = &s->generation[i];
	if (i == s->generation_n || g->number != generation) {
		if (s->generation_n < HF_GENERATIONS_MAX)
			s->generation_n++;
		moved = s->generation_n - 1 - i;
		memmove(g + 1, g, moved * sizeof(*g));
	}
	*g = (struct hf__generation){ .number = generation,
		.not_after = not_after };
	if ((e = derive(g, key)) != HF_OK)
		sodium_memzero(g, sizeof(*g));
	return e;
}

bool
hf__scope_serves(const struct hf__scope *scope, struct hf_span target)
{
	size_t i;

	for (i = 0; i < scope->target_n; i++)
		if (scope->target[i].len == target.len &&
		    hf__same(scope->target[i].text, target.ptr, target.len))
			return true;
	return scope->target_n == 0;
}

bool
hf__scope_valid(const struct hf__scope *scope, uint64_t now)
{
	return scope->generation_n > 0 &&
	    (scope->not_after == 0 || now < scope->not_after);
}

const struct hf__scope *
hf__vault_scope(const struct hf_vault *vault, struct hf_span target,
    uint64_t now)
{
	size_t i;

	for (i = 0; i < vault->scope_n; i++)
		if (hf__scope_valid(&vault->scope[i], now) &&
		    hf__scope_serves(&vault->scope[i], target))
			return &vault->scope[i];
	return NULL;
}

const struct hf__scope *
hf__vault_find(const struct hf_vault *vault, const char *name)
{
	size_t i;

	for (i = 0; i < vault->scope_n; i++)
		if (strcmp(vault->scope[i].name.text, name) == 0)
			return &vault->scope[i];
	return NULL;
}

/* Of the scope whose name is the first, the oldest generation in force: a
 * member that has not heard of the newest has the same. */
static const struct hf__generation *
name_key(const struct hf_vault *vault, uint64_t now)
{
	const struct hf__generation *found = NULL;
	const struct hf__scope *s = NULL;
	size_t i;

	for (i = 0; i < vault->scope_n; i++)
		if (hf__scope_valid(&vault->scope[i], now) &&
		    (s == NULL ||
			strcmp(vault->scope[i].name.text, s->name.text) < 0))
			s = &vault->scope[i];
	for (i = 0; s != NULL && i < s->generation_n; i++)
		if (s->generation[i].not_after == 0 ||
		    now < s->generation[i].not_after)
			found = &s->generation[i];
	return found;
}

enum hf_err
hf_vault_hash(uint8_t out[HF_KEY_BYTES], const struct hf_vault *vault,
    const uint8_t *data, size_t len, uint64_t now)
{
	const struct hf__generation *g;

	if (out == NULL || vault == NULL || data == NULL)
		return HF_E_ARG;
	if ((g = name_key(vault, now)) == NULL)
		return HF_E_EXPIRED;
	return crypto_generichash(out, HF_KEY_BYTES, data, len, g->name_key,
		   sizeof(g->name_key)) == 0 ?
	    HF_OK :
	    HF_E_CRYPTO;
}
