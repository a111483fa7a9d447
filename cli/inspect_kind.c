/* SPDX-License-Identifier: ISC */
/*
 * What an item is, told from its structure alone, also when its end is
 * missing. It judges nothing and prints nothing.
 */
#include <string.h>

#include "inspect.h"

/* Objects that are arrays told by their entries' types. */
static const struct shape *const secret_shapes[] = { &shape_identity,
	&shape_sealed_identity, &shape_ticket_file };
static const struct shape *const plain_shapes[] = { &shape_request_plain,
	&shape_grant_plain, &shape_entry, &shape_rest };

/* 1 when the entries that are there are of the right types; strictly also
 * where sizes are fixed. */
static int
looks_like(const struct doc *d, uint32_t i, const struct shape *shape,
    int strictly)
{
	const struct node *node;
	const struct field *field = shape->fields;
	uint32_t kid;

	if (d->node[i].type != T_ARRAY || d->node[i].value != shape->n ||
	    d->node[i].kid == 0)
		return 0;
	for (kid = d->node[i].kid; kid != 0; kid = d->node[kid].next) {
		node = &d->node[kid];
		if ((field->types & 1U << node->type) == 0)
			return 0;
		if ((field->flags & FIELD_CONST) != 0 &&
		    node->value != field->min)
			return 0;
		if (strictly && node->type == T_BYTES &&
		    field->min == field->max && field->max > 0 &&
		    node->value != field->max)
			return 0;
		field++;
	}
	return 1;
}

static int
is_ring(const struct doc *d, uint32_t i)
{
	const struct shape *key = shape_ring.fields[0].sub;
	uint32_t kid = d->node[i].kid;

	if (d->node[i].type != T_ARRAY || kid == 0)
		return 0;
	for (; kid != 0; kid = d->node[kid].next)
		if (!looks_like(d, kid, key, 1))
			return 0;
	return 1;
}

int
kind_is_message(const struct shape *shape)
{
	return shape >= shape_message && shape < shape_message + MESSAGES;
}

/* A message: its type and count, and either version 1 or the types of all
 * fields: the numbers alone may be anything's. */
static const struct shape *
message_of(const struct doc *d, uint32_t i)
{
	const struct shape *shape;
	const struct node *type, *version;
	size_t m;

	if (d->node[i].type != T_ARRAY || d->node[i].kid == 0)
		return NULL;
	type = &d->node[d->node[i].kid];
	version = &d->node[type->next];
	for (m = 0; m < MESSAGES; m++) {
		shape = &shape_message[m];
		if (type->type != T_UINT || type->value != message_type[m] ||
		    d->node[i].value != shape->n)
			continue;
		if (looks_like(d, i, shape, 0) ||
		    (shape->n > 2 && type->next != 0 &&
			version->type == T_UINT && version->value == 1))
			return shape;
	}
	return NULL;
}

/* Reads the item in a byte string, for a look: the caller sets d->n back. */
static uint32_t
peek(struct doc *d, uint32_t i)
{
	struct fault broken = d->broken, loose = d->loose;
	struct fault alien = d->alien, keys = d->keys;
	size_t off = d->node[i].off + d->node[i].head;
	uint32_t map = 0;

	if (d->node[i].type == T_BYTES &&
	    (d->node[i].flags & (N_INDEFINITE | N_CUT)) == 0)
		map = doc_read(d, off, d->node[i].off + d->node[i].len);
	if (d->broken.err != HF_OK)
		map = 0;
	d->broken = broken;
	d->loose = loose;
	d->alien = alien;
	d->keys = keys;
	return map;
}

/* The alg of an object's protected headers; 0: none. */
static int64_t
alg_of(struct doc *d, uint32_t i)
{
	uint32_t mark = d->n, alg = doc_at(d, peek(d, d->node[i].kid), 1);
	int64_t number = 0;

	if (alg == 0 || !node_int(&number, &d->node[alg]))
		number = 0;
	d->n = mark;
	return number;
}

enum { KEY_GRANT_ITEMS = 10 };

/* Handfast's signed objects, by their claims. */
static const struct shape *
signed_of(struct doc *d, uint32_t i)
{
	static const uint8_t header[] = { 0x43, 0xa1, 0x01, 0x27 };
	uint32_t mark = d->n, payload = doc_kid(d, i, 2), claims;
	const struct node *protected = &d->node[d->node[i].kid];
	const struct shape *shape = NULL;

	if (protected->len != sizeof(header) ||
	    memcmp(d->ptr + protected->off, header, sizeof(header)) != 0)
		return NULL;
	claims = peek(d, payload);
	if (claims != 0 && d->node[claims].type == T_ARRAY)
		shape = d->node[claims].value == KEY_GRANT_ITEMS ?
		    &shape_key_grant :
		    NULL;
	else if (doc_at(d, claims, -65537) == 0)
		shape = NULL;
	else if (doc_at(d, claims, 8) == 0)
		shape = &shape_list;
	else if (doc_at(d, claims, 1) == 0)
		shape = &shape_request;
	else
		shape = &shape_certificate;
	d->n = mark;
	return shape;
}

static int
is_ticket(struct doc *d, uint32_t i)
{
	uint32_t mark = d->n, map = peek(d, d->node[i].kid);
	uint32_t kid = doc_at(d, map, 4), iv = doc_at(d, map, 5);
	int is;

	is = alg_of(d, i) == 24 && kid != 0 && iv != 0 &&
	    d->node[kid].type == T_BYTES && d->node[kid].value == 8 &&
	    d->node[iv].type == T_BYTES && d->node[iv].value == 12 &&
	    d->node[doc_kid(d, i, 1)].value == 0;
	d->n = mark;
	return is;
}

static unsigned
types_at(const struct doc *d, uint32_t i, size_t n)
{
	uint32_t kid = doc_kid(d, i, n);

	return kid == 0 ? 0 : 1U << d->node[kid].type;
}

/* protected, unprotected, content, and what follows. */
static const struct shape *
cose_array(struct doc *d, uint32_t i, int tagged)
{
	unsigned bytes = 1U << T_BYTES, nil = 1U << T_NULL, last;
	uint64_t n = d->node[i].value;
	int64_t alg;

	if (types_at(d, i, 0) != bytes || types_at(d, i, 1) != 1U << T_MAP ||
	    (types_at(d, i, 2) & (bytes | nil)) == 0)
		return NULL;
	last = types_at(d, i, 3);
	alg = alg_of(d, i);
	if (n == 3 && last == 0)
		return !tagged && is_ticket(d, i) ? &shape_ticket :
						    &shape_encrypt0;
	if (n == 4 && last == bytes) {
		if (!tagged && signed_of(d, i) != NULL)
			return signed_of(d, i);
		return (alg >= 4 && alg <= 7) || (alg >= 14 && alg <= 26) ?
		    &shape_mac0 :
		    &shape_sign1;
	}
	if (n == 4 && last == 1U << T_ARRAY)
		return alg > 0 ? &shape_encrypt : &shape_sign;
	return n == 5 && last == bytes ? &shape_mac : NULL;
}

/* Sig_structure, MAC_structure, Enc_structure: their contexts. */
static const struct shape *
input_of(const struct doc *d, uint32_t i)
{
	static const struct {
		const char *context;
		const struct shape *shape;
	} inputs[] = { { "Signature1", &shape_signature_input },
		{ "MAC0", &shape_mac_input }, { "MAC", &shape_mac_input },
		{ "Encrypt0", &shape_encrypt_input },
		{ "Encrypt", &shape_encrypt_input },
		{ "Enc_Recipient", &shape_encrypt_input },
		{ "Mac_Recipient", &shape_encrypt_input },
		{ "Rec_Recipient", &shape_encrypt_input } };
	const struct node *node = &d->node[d->node[i].kid];
	size_t k;

	if (types_at(d, i, 0) != 1U << T_TEXT)
		return NULL;
	for (k = 0; k < sizeof(inputs) / sizeof(inputs[0]); k++)
		if (strlen(inputs[k].context) == node->value &&
		    node->len - node->head == node->value &&
		    memcmp(d->ptr + node->off + node->head, inputs[k].context,
			node->value) == 0 &&
		    d->node[i].value == inputs[k].shape->n)
			return inputs[k].shape;
	return NULL;
}

static int
is_cose_key(const struct doc *d, uint32_t i)
{
	uint32_t kty = doc_at(d, i, 1), key;
	int64_t number;

	if (kty == 0 || d->node[kty].type != T_UINT || d->node[kty].value > 7)
		return 0;
	for (key = d->node[i].kid; key != 0;
	     key = d->node[d->node[key].next].next) {
		if (node_int(&number, &d->node[key]) && number < 0)
			return 1;
		if (d->node[key].next == 0)
			break;
	}
	return 0;
}

/* At least two of the usual claims, each of its type. */
static int
is_claims(const struct doc *d, uint32_t i)
{
	const struct field *field = shape_claims.fields;
	unsigned found = 0;
	uint32_t at;

	for (; field->key <= 7; field++) {
		if ((at = doc_at(d, i, field->key)) == 0)
			continue;
		if ((field->types & 1U << d->node[at].type) == 0)
			return 0;
		found++;
	}
	return found >= 2;
}

static const struct shape *
map_of(const struct doc *d, uint32_t i)
{
	if (is_cose_key(d, i))
		return cose_key_shape(d, i);
	return is_claims(d, i) ? &shape_claims : NULL;
}

static int
is_key_set(const struct doc *d, uint32_t i)
{
	uint32_t kid = d->node[i].kid;

	if (kid == 0)
		return 0;
	for (; kid != 0; kid = d->node[kid].next)
		if (!is_cose_key(d, kid))
			return 0;
	return 1;
}

static const struct shape *
array_of(struct doc *d, uint32_t i, int tagged)
{
	const struct shape *shape;
	size_t k;

	for (k = 0; k < sizeof(secret_shapes) / sizeof(secret_shapes[0]); k++)
		if (looks_like(d, i, secret_shapes[k], 0))
			return secret_shapes[k];
	for (k = 0; k < sizeof(plain_shapes) / sizeof(plain_shapes[0]); k++)
		if (looks_like(d, i, plain_shapes[k], 1))
			return plain_shapes[k];
	if (is_ring(d, i))
		return &shape_ring;
	if (!tagged && (shape = message_of(d, i)) != NULL)
		return shape;
	for (k = 0; !tagged && k < FRAMES; k++)
		if (looks_like(d, i, &shape_frame[k], 1))
			return &shape_frame[k];
	if ((shape = cose_array(d, i, tagged)) != NULL ||
	    (shape = input_of(d, i)) != NULL)
		return shape;
	return is_key_set(d, i) ? &shape_key_set : NULL;
}

/* A tag says what its content is; the content has to look like it. */
static const struct shape *
shape_of_tag(const struct shape *found, uint64_t tag)
{
	if (found == &shape_sign1 && tag == 17)
		return &shape_mac0;
	if (found == &shape_mac0 && tag == 18)
		return &shape_sign1;
	if (found == &shape_sign && tag == 96)
		return &shape_encrypt;
	if (found == &shape_encrypt && tag == 98)
		return &shape_sign;
	return found;
}

const struct shape *
kind_of(struct doc *d, uint32_t i, uint32_t *body)
{
	static const struct word tags[] = { { 16, "COSE_Encrypt0" },
		{ 17, "COSE_Mac0" }, { 18, "COSE_Sign1" }, { 61, "CWT" },
		{ 96, "COSE_Encrypt" }, { 97, "COSE_Mac" },
		{ 98, "COSE_Sign" }, { 55799, "CBOR" }, { 0, NULL } };
	const struct shape *shape = NULL;
	const char *word;
	uint64_t tag = 0;
	uint32_t first = i;

	for (; d->node[i].type == T_TAG && d->node[i].kid != 0;
	     i = d->node[i].kid)
		tag = d->node[i].value;
	if (d->node[i].type == T_ARRAY)
		shape = shape_of_tag(array_of(d, i, i != first), tag);
	else if (d->node[i].type == T_MAP)
		shape = map_of(d, i);
	*body = i;
	for (; shape != NULL && first != i; first = d->node[first].kid) {
		word = d->node[first].value > INT64_MAX ?
		    NULL :
		    word_of(tags, (int64_t)d->node[first].value);
		node_say(d, first, "tag of %s",
		    word != NULL ? word : "something else");
	}
	return shape;
}
