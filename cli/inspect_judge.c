/* SPDX-License-Identifier: ISC */
/*
 * What is wrong with an item whose kind is known, in the order in which a
 * receiver finds it (spec sections 2.3 and 5.2). Where the library reads such
 * an object, its word counts. No signature is judged.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

/* Rings and identities are read by the library as text blocks. */
static enum hf_err
library_text(const char *label, const uint8_t *ptr, size_t len)
{
	struct hf_identity *id = NULL;
	struct hf_ring *ring = NULL;
	size_t cap = len * 2 + 256, text_len;
	char *text = malloc(cap);
	enum hf_err e;

	if (text == NULL)
		return HF_E_MEMORY;
	e = hf_pem_encode(text, cap, &text_len, label, ptr, len);
	if (e == HF_OK && strcmp(label, "HANDFAST TICKET RING") == 0)
		e = hf_ring_decode(&ring, text, text_len);
	else if (e == HF_OK)
		e = hf_identity_decode(&id, text, text_len, NULL, 0);
	hf_ring_free(e == HF_OK ? ring : NULL);
	hf_identity_free(e == HF_OK ? id : NULL);
	sodium_memzero(text, cap);
	free(text);
	/* That it needs a passphrase is not a fault of its form. */
	return e == HF_E_PASSPHRASE ? HF_OK : e;
}

static enum hf_err
library_says(const struct doc *d, uint32_t i, const struct shape *shape,
    const struct fault *found)
{
	const uint8_t *ptr = d->ptr + d->node[i].off;
	size_t len = d->node[i].len;
	struct hf_ticket_info info;
	struct hf_entry_info entry;

	if (shape == &shape_ring)
		return library_text("HANDFAST TICKET RING", ptr, len);
	if (shape == &shape_identity)
		return library_text("HANDFAST IDENTITY", ptr, len);
	if (shape == &shape_sealed_identity)
		return library_text("HANDFAST ENCRYPTED IDENTITY", ptr, len);
	if (shape == &shape_ticket_file)
		return hf_ticket_read(&info, ptr, len);
	if (shape == &shape_entry)
		return hf_entry_read(&entry, ptr, len);
	return found->err;
}

/* A head that claims more than the limit leaves. */
static int
is_too_big(struct fault *fault, const struct doc *d, uint32_t i,
    const struct shape *shape)
{
	const struct node *root = &d->node[i], *node;
	size_t max = shape == &shape_message[MESSAGE_RECORD] ? HF_RECORD_MAX :
							       HF_MESSAGE_MAX;
	size_t at;
	uint32_t k;

	if (root->len > max)
		fault_set(fault, HF_E_TOO_BIG, root->off,
		    "%s: more than %zu bytes", shape->name, max);
	for (k = i; k < d->n; k++) {
		node = &d->node[k];
		at = node->off - root->off + node->head;
		if ((node->flags & N_CUT) != 0 && at <= max &&
		    node->value > (max - at) / (node->type == T_MAP ? 2 : 1))
			fault_set(fault, HF_E_TOO_BIG, node->off,
			    "%s: claims more than %zu bytes", shape->name,
			    max);
	}
	return fault->err != HF_OK;
}

/* A Diffie-Hellman suite has sizes of its own (spec section 3.5). */
static void
judge_sizes(struct doc *d, uint32_t i, const struct shape *shape)
{
	const struct node *suite = &d->node[doc_kid(d, i, 2)], *node;
	size_t n;

	if ((shape != &shape_message[MESSAGE_OFFER] &&
		shape != &shape_message[MESSAGE_REQUEST]) ||
	    suite->type != T_UINT || suite->value < 1 || suite->value > 3)
		return;
	for (n = 3; n < shape->n && doc_kid(d, i, n) != 0; n++) {
		node = &d->node[doc_kid(d, i, n)];
		if (shape->fields[n].form == FORM_KEM &&
		    node->type == T_BYTES &&
		    node->value !=
			(shape->fields[n].flags & FIELD_OR_EMPTY ? 0 : 32))
			fault_set(&d->wrong, HF_E_SHAPE, node->off,
			    "%s: not the size of its suite",
			    shape->fields[n].name);
	}
}

/* Whether a message of that shape says its version, behind its type. */
static int
says_version(const struct shape *shape)
{
	return strcmp(shape->fields[1].name, "version") == 0;
}

static int
is_other_version(struct fault *fault, const struct doc *d, uint32_t i)
{
	const struct node *version = &d->node[doc_kid(d, i, 1)];

	if (doc_kid(d, i, 1) == 0 || version->type != T_UINT ||
	    version->value == 1)
		return 0;
	fault_set(fault, HF_E_VERSION, version->off, "version %llu",
	    (unsigned long long)version->value);
	return 1;
}

/* Heads, then the version, then the fields (spec section 2.3). */
static void
judge_message(struct fault *fault, struct doc *d, uint32_t i,
    const struct shape *shape)
{
	struct fault found = { HF_OK, 0, "" };

	fit(d, i, shape);
	judge_sizes(d, i, shape);
	if (is_too_big(&found, d, i, shape))
		;
	else if (d->broken.err != HF_OK)
		found = d->broken;
	if (d->alien.err != HF_OK)
		fault_set(&found, HF_E_CBOR, d->alien.off, "%s",
		    d->alien.text);
	if (found.err == HF_OK &&
	    (!says_version(shape) || !is_other_version(&found, d, i))) {
		found = d->wrong;
		if (d->keys.err != HF_OK)
			fault_set(&found, HF_E_CBOR, d->keys.off, "%s",
			    d->keys.text);
	}
	*fault = found;
}

/* All in the order of bytes (spec section 5.2). */
static void
judge_object(struct fault *fault, struct doc *d, uint32_t i,
    const struct shape *shape)
{
	enum hf_err e;

	if (d->alien.err != HF_OK)
		fault_set(&d->wrong, HF_E_CBOR, d->alien.off, "%s",
		    d->alien.text);
	if (d->keys.err != HF_OK)
		fault_set(&d->wrong, HF_E_CBOR, d->keys.off, "%s",
		    d->keys.text);
	fit(d, i, shape);
	*fault = d->broken;
	if (fault->err != HF_OK)
		return;
	*fault = d->wrong;
	if ((e = library_says(d, i, shape, fault)) == HF_OK)
		fault->err = HF_OK;
	else if (fault->err == HF_OK)
		fault_set(fault, e, d->node[i].off, "%s, as a whole",
		    shape->name);
	else
		fault->err = e;
}

void
kind_judge(struct fault *fault, struct doc *d, uint32_t i,
    const struct shape *shape)
{
	*fault = d->broken;
	if (kind_is_message(shape))
		judge_message(fault, d, i, shape);
	else if (shape != NULL && !shape->foreign)
		judge_object(fault, d, i, shape);
	else {
		if (shape != NULL)
			fit(d, i, shape);
		if (i != 0)
			fit_keys(d, i);
	}
	if (d->guarded)
		fit_guard(d, i);
}

/* 1 when a message of this type has a version; 0 for none; -1: no type. */
static int
has_version(uint64_t type, const char **name)
{
	size_t m;

	for (m = 0; m < MESSAGES; m++)
		if (message_type[m] == type) {
			*name = shape_message[m].name;
			return says_version(&shape_message[m]);
		}
	return -1;
}

void
kind_no_message(struct fault *fault, const struct doc *d, uint32_t i)
{
	const struct node *node = &d->node[i], *type = &d->node[node->kid];
	const char *name = NULL;
	int versioned;

	*fault = d->broken;
	if (d->ptr[node->off] < 0x82 || d->ptr[node->off] > 0x8b) {
		fault_set(fault, HF_E_SHAPE, node->off,
		    "no message: not an array of 2 to 11 items");
		return;
	}
	if (node->kid == 0)
		return;
	if (d->ptr[type->off] > 0x17) {
		fault_set(fault, HF_E_SHAPE, type->off,
		    "no message: its type is not a number of 0 to 23");
		return;
	}
	versioned = has_version(type->value, &name);
	if (versioned == -1)
		fault_set(fault, HF_E_UNEXPECTED, type->off,
		    "no message of type %llu is defined",
		    (unsigned long long)type->value);
	else if (d->alien.err != HF_OK)
		fault_set(fault, d->alien.err, d->alien.off, "%s",
		    d->alien.text);
	else if (versioned == 0 || !is_other_version(fault, d, i))
		fault_set(fault, HF_E_SHAPE, node->off,
		    "%s: not its number of items, or their types", name);
}
