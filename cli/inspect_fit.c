/* SPDX-License-Identifier: ISC */
/*
 * Lays a shape over nodes: gives them names and words, opens the byte strings
 * that hold CBOR, marks what is secret and notes the first thing that does
 * not fit. It knows how shapes are read; what is in them are tables. Where
 * the library reads an object itself, its word counts.
 */
#include <sodium.h>
#include <string.h>

#include "inspect.h"

static void
wrong(struct doc *d, uint32_t i, const char *name, const char *text)
{
	fault_set(&d->wrong, d->blame, d->node[i].off, "%s: %s",
	    name != NULL ? name : "an entry", text);
}

/* What a size is of: number, bytes, entries. */
static int
in_range(const struct node *node, const struct field *field)
{
	if (field->flags & FIELD_CONST)
		return node->type == T_UINT && node->value == field->min;
	if (node->type == T_NULL || node->type == T_NEGINT)
		return 1;
	if (field->flags & FIELD_EMPTY)
		return node->value == 0;
	if ((field->flags & FIELD_OR_EMPTY) != 0 && node->value == 0)
		return 1;
	return field->max == 0 ||
	    (node->value >= field->min && node->value <= field->max);
}

/* Handfast's text is UTF-8 without control characters (spec section 2.2). */
static int
is_clean(const struct doc *d, const struct node *node)
{
	const uint8_t *ptr = d->ptr + node->off + node->head;
	size_t i, n, len = node->len - node->head;
	uint32_t c;

	if (node->type != T_TEXT || (node->flags & N_CUT) != 0)
		return 1;
	for (i = 0; i < len; i += n) {
		n = diag_character(&c, ptr + i, len - i);
		if (n == 0 || c < 0x20 || c == 0x7f)
			return 0;
	}
	return 1;
}

static int
holds_at(const struct doc *d, const struct node *node)
{
	return node->type == T_TEXT && (node->flags & N_CUT) == 0 &&
	    memchr(d->ptr + node->off + node->head, '@',
		node->len - node->head) != NULL;
}

struct faults {
	struct fault broken, loose, alien, keys;
};

static struct faults
faults_take(struct doc *d)
{
	struct faults taken = { d->broken, d->loose, d->alien, d->keys };

	d->broken.err = d->loose.err = HF_OK;
	d->alien.err = d->keys.err = HF_OK;
	return taken;
}

static void
carry(struct doc *d, const struct fault *fault)
{
	if (fault->err != HF_OK)
		fault_set(&d->wrong, fault->err, fault->off, "%s",
		    fault->text);
}

/* Reads what is in the byte string i. What is handfast's own must be one
 * item, deterministic; of others only a whole item is taken. */
static uint32_t
open_string(struct doc *d, uint32_t i, int foreign)
{
	struct faults outer, inner;
	size_t off = d->node[i].off + d->node[i].head;
	size_t end = d->node[i].off + d->node[i].len;
	int cut = (d->node[i].flags & N_CUT) != 0;
	uint32_t kid, mark = d->n;

	if ((d->node[i].flags & N_INDEFINITE) != 0 ||
	    d->embedded == INSPECT_EMBEDDED || (foreign && cut))
		return 0;
	outer = faults_take(d);
	kid = doc_read(d, off, end);
	inner = faults_take(d);
	d->broken = outer.broken;
	d->loose = outer.loose;
	d->alien = outer.alien;
	d->keys = outer.keys;
	if (kid != 0 && inner.broken.err == HF_OK &&
	    d->node[kid].len < end - off)
		fault_set(&inner.broken, HF_E_CBOR, off + d->node[kid].len,
		    "bytes are left over");
	if (foreign && inner.broken.err != HF_OK) {
		d->n = mark;
		return 0;
	}
	if (!foreign && !cut)
		carry(d, &inner.broken);
	if (!foreign) {
		carry(d, &inner.alien);
		carry(d, &inner.keys);
	}
	if (kid != 0 && inner.broken.err != HF_OK &&
	    (d->node[kid].flags & N_CUT) == 0)
		return 0;
	return kid;
}

/* A COSE_Key whose private part is there and was not seen as one. */
static int
is_bare_key(const struct doc *d, uint32_t i)
{
	/* By the type of the key; 0: it has no private part. */
	static const signed char private[] = { 0, -4, -4, -3, -1, 0, 0, -2 };
	uint32_t kty = doc_at(d, i, 1), part;

	if (d->node[i].type != T_MAP || kty == 0 ||
	    d->node[kty].type != T_UINT || d->node[kty].name != NULL)
		return 0;
	if (d->node[kty].value >= sizeof(private) ||
	    private[d->node[kty].value] == 0)
		return 0;
	part = doc_at(d, i, private[d->node[kty].value]);
	return part != 0 && d->node[part].type == T_BYTES;
}

/* In a secret file what does not fit its place may be a key. */
static void
unsure(const struct doc *d, struct node *node)
{
	if (d->guarded)
		node->name = NULL;
}

static void
fit_inner(struct doc *d, uint32_t i, const struct field *field, int foreign)
{
	uint32_t kid;

	if (d->node[i].type != T_BYTES || (foreign && d->node[i].value == 0))
		return;
	if (field->form == FORM_PERHAPS && d->node[i].len > d->node[i].head &&
	    d->ptr[d->node[i].off + d->node[i].head] >> 5 != 5) {
		fit_text(d, i);
		return;
	}
	if ((kid = open_string(d, i, foreign)) == 0) {
		unsure(d, &d->node[i]);
		return;
	}
	d->node[i].in = kid;
	d->embedded++;
	fit(d, kid,
	    field->form == FORM_PERHAPS && is_bare_key(d, kid) ?
		cose_key_shape(d, kid) :
		field->sub);
	d->embedded--;
}

static void
fit_token(struct doc *d, uint32_t i)
{
	uint32_t kind = d->node[i].kid;

	if (kind == 0 || d->node[kind].type != T_UINT)
		wrong(d, i, "token", "its kind is no number");
	else if (d->node[kind].value < 1 || d->node[kind].value > 4)
		fault_set(&d->wrong, HF_E_TOKEN, d->node[kind].off,
		    "token: an unknown kind");
	else
		fit(d, i, &shape_token[d->node[kind].value - 1]);
}

static void
fit_field(struct doc *d, uint32_t i, const struct field *field, int foreign)
{
	struct node *node = &d->node[i];

	node->name = field->name;
	if (field->flags & FIELD_SECRET)
		node->flags |= N_SECRET;
	if (field->words != NULL)
		node_say(d, i, "%s", field->words);
	if (field->types != 0 && (field->types & 1U << node->type) == 0) {
		if (!foreign)
			wrong(d, i, field->name, "of another type");
		unsure(d, node);
		return;
	}
	if (!foreign && !in_range(node, field)) {
		wrong(d, i, field->name,
		    node->type == T_UINT ? "out of its range" :
					   "of another size");
		unsure(d, node);
	}
	if (!foreign && !is_clean(d, node))
		wrong(d, i, field->name,
		    "not UTF-8, or control characters in it");
	if (!foreign && field->form == FORM_REALM && holds_at(d, node))
		wrong(d, i, field->name, "an @ in it");
	fit_words(d, i, field);
	if (field->form == FORM_EMBEDDED || field->form == FORM_PERHAPS)
		fit_inner(d, i, field, foreign);
	else if (field->form == FORM_TOKEN)
		fit_token(d, i);
	else if (field->form == FORM_COSE_KEY)
		fit(d, i, cose_key_shape(d, i));
	else if (field->sub != NULL && node->type == field->sub->type)
		fit(d, i, field->sub);
}

static void
fit_array(struct doc *d, uint32_t i, const struct shape *shape)
{
	size_t least = shape->least > 0 ? shape->least : shape->n;
	uint64_t count = d->node[i].value;
	uint32_t kid, n = 0;

	if (!shape->each && !shape->foreign &&
	    (count < least || count > shape->n))
		fault_set(&d->wrong, d->blame, d->node[i].off,
		    "%s: %llu entries, not %zu", shape->name,
		    (unsigned long long)count, shape->n);
	for (kid = d->node[i].kid; kid != 0; kid = d->node[kid].next, n++)
		if (shape->each)
			fit_field(d, kid, &shape->fields[0], shape->foreign);
		else if (n < shape->n)
			fit_field(d, kid, &shape->fields[n], shape->foreign);
}

/* A key that is in no table: from zero up it is passed over. */
static void
fit_unknown(struct doc *d, uint32_t key, uint32_t value)
{
	const struct node *node = &d->node[key];

	if (node->type == T_UINT) {
		node_say(d, value, "unknown, ignored");
		return;
	}
	node_say(d, value, "unknown and critical: refused");
	fault_set(&d->wrong, d->blame, node->off,
	    node->type == T_NEGINT ? "an unknown critical key" :
				     "a key that is no integer");
}

static void
fit_map(struct doc *d, uint32_t i, const struct shape *shape)
{
	const struct field *field;
	uint32_t key, value;
	int64_t number;
	size_t n;

	for (key = d->node[i].kid; key != 0; key = d->node[value].next) {
		if ((value = d->node[key].next) == 0)
			return;
		n = shape->n;
		if (node_int(&number, &d->node[key]))
			for (n = 0; n < shape->n; n++)
				if (shape->fields[n].key == number)
					break;
		if (n < shape->n)
			fit_field(d, value, &shape->fields[n], shape->foreign);
		else if (!shape->foreign)
			fit_unknown(d, key, value);
	}
	if (shape->foreign || (d->node[i].flags & N_CUT) != 0)
		return;
	for (n = 0; n < shape->n; n++) {
		field = &shape->fields[n];
		if ((field->flags & FIELD_NEEDED) != 0 &&
		    doc_at(d, i, field->key) == 0)
			fault_set(&d->wrong, d->blame,
			    d->node[i].off + d->node[i].len, "%s is missing",
			    field->name);
	}
}

static enum hf_err
library_says(const struct doc *d, uint32_t i, enum judge judge)
{
	const uint8_t *ptr = d->ptr + d->node[i].off;
	size_t len = d->node[i].len;
	struct hf_cert_info info;
	struct hf_list_info list;
	struct hf_keygrant grant;
	enum hf_err e = HF_OK;

	if (judge == JUDGE_CERT)
		e = hf_cert_read(&info, ptr, len);
	else if (judge == JUDGE_REQUEST)
		e = hf_request_read(&info, ptr, len);
	else if (judge == JUDGE_LIST)
		e = hf_list_read(&list, ptr, len);
	else if (judge == JUDGE_GRANT)
		e = hf_keygrant_read(&grant, ptr, len);
	/* Signatures are not judged here. */
	return e == HF_E_SIGNATURE ? HF_OK : e;
}

/* The library is right about what it can read; the tables say where. */
static void
fit_judge(struct doc *d, uint32_t i, const struct shape *shape,
    const struct fault *before)
{
	enum hf_err e = library_says(d, i, shape->judge);

	if (e == HF_OK)
		d->wrong = *before;
	else if (d->wrong.err == HF_OK)
		fault_set(&d->wrong, e, d->node[i].off, "%s, as a whole",
		    shape->name);
	else if (before->err == HF_OK || before->off > d->wrong.off)
		d->wrong.err = e;
}

void
fit(struct doc *d, uint32_t i, const struct shape *shape)
{
	struct fault before = d->wrong;
	enum hf_err blame = d->blame;

	if (shape->blame != HF_OK)
		d->blame = shape->blame;
	if (d->node[i].type != shape->type) {
		if (!shape->foreign)
			fault_set(&d->wrong, d->blame, d->node[i].off,
			    "%s: of another type", shape->name);
	} else if (shape->type == T_MAP)
		fit_map(d, i, shape);
	else
		fit_array(d, i, shape);
	if (shape->judge != JUDGE_NONE && (d->node[i].flags & N_CUT) == 0)
		fit_judge(d, i, shape, &before);
	d->blame = blame;
}

/* What is in a byte string, when it is such a key. At INSPECT_EMBEDDED keys
 * in each other open_string() ends it: all that walks the tree recurses. */
static uint32_t
key_in_string(struct doc *d, uint32_t i)
{
	const struct node *node = &d->node[i];
	uint32_t kid, mark = d->n;

	if (node->type != T_BYTES || node->in != 0 ||
	    node->len <= node->head ||
	    d->ptr[node->off + node->head] >> 5 != 5)
		return 0;
	if ((kid = open_string(d, i, 1)) != 0 && is_bare_key(d, kid))
		return kid;
	d->n = mark;
	return 0;
}

/* In CBOR of other origin a key may stand anywhere. */
void
fit_keys(struct doc *d, uint32_t i)
{
	uint32_t kid = key_in_string(d, i);

	if (kid != 0)
		d->node[i].in = kid;
	if (is_bare_key(d, i))
		fit(d, i, cose_key_shape(d, i));
	for (kid = d->node[i].kid; kid != 0; kid = d->node[kid].next)
		fit_keys(d, kid);
	d->embedded++;
	if (d->node[i].in != 0)
		fit_keys(d, d->node[i].in);
	d->embedded--;
}

/* Strings and floats: what else could hold a key? */
void
fit_guard(struct doc *d, uint32_t i)
{
	uint32_t kid;

	if ((d->node[i].type == T_BYTES || d->node[i].type == T_TEXT ||
		d->node[i].type == T_FLOAT) &&
	    d->node[i].name == NULL)
		d->node[i].flags |= N_SECRET;
	else {
		for (kid = d->node[i].kid; kid != 0; kid = d->node[kid].next)
			fit_guard(d, kid);
		if (d->node[i].in != 0)
			fit_guard(d, d->node[i].in);
	}
}
