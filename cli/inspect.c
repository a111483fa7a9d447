/* SPDX-License-Identifier: ISC */
/*
 * handfast inspect: any object or captured stream in words. It tells text
 * blocks, the users file and raw CBOR apart, goes from item to item and
 * reports what is wrong; nothing is verified, and no secret is shown.
 */
#include <sys/stat.h>

#include <getopt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

/* clang-format off */
const char help_inspect[] =
"usage: handfast inspect [--json] FILE|-\n"
"\n"
"Shows what a file holds, in CBOR diagnostic notation (RFC 8949, section 8)\n"
"and beside it in words: identities, certificates and chains, requests,\n"
"revocation lists, tickets, ticket rings, users files, key grants, stored\n"
"sessions, sessions at rest, and captured messages of one direction, as text\n"
"blocks or as raw CBOR. Other CBOR is shown too; other text, hexadecimal too,\n"
"is not read.\n"
"\n"
"Nothing is verified: no signature, no time, no issuer. 'handfast cert\n"
"verify' does that. Seeds, keys, passwords and verifiers are never shown.\n"
"What could be read before a fault is on stdout, the fault with its byte on\n"
"stderr.\n"
"\n"
"      --json               one JSON object: type, fields, diagnostic\n"
"\n"
"example:\n"
"  handfast inspect alice.cert\n"
"  handfast inspect --json - <captured | jq -r .diagnostic\n"
"\n"
"exit codes: 0 done, 2 usage, 3 I/O, 4 another version of the protocol or kind\n"
"of token, 6 malformed, 8 malformed: a session, stored or at rest\n";
/* clang-format on */

enum { LABEL_MAX = 64 };

static const struct option options[] = {
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

struct report {
	const char *path;
	json_t *items;	  /* --json */
	json_t *fault;	  /* the first */
	const char *type; /* of several items */
	int result;	  /* that of the first fault */
	unsigned n, messages, secret;
};

/* An item: where it comes from, and what it is. */
struct item {
	const char *label; /* of its text block, or NULL */
	const struct shape *shape;
	uint32_t node;
	struct fault fault;
};

static const struct {
	const char *label;
	const struct shape *shape;
} blocks[] = { { "HANDFAST IDENTITY", &shape_identity },
	{ "HANDFAST ENCRYPTED IDENTITY", &shape_sealed_identity },
	{ "HANDFAST CERTIFICATE", &shape_certificate },
	{ "HANDFAST CERTIFICATE REQUEST", &shape_request },
	{ "HANDFAST REVOCATION LIST", &shape_list },
	{ "HANDFAST TICKET", &shape_ticket_file },
	{ "HANDFAST TICKET RING", &shape_ring } };

static int
is_secret(const struct shape *shape)
{
	return shape == &shape_identity || shape == &shape_sealed_identity ||
	    shape == &shape_ticket_file || shape == &shape_ring;
}

/* Before anything else is said. */
static void
say_note(void)
{
	static const char text[] = "nothing is verified by inspect";

	if (cli_json)
		fprintf(stderr,
		    "{\"note\":{\"name\":\"unverified\",\"exit\":0,"
		    "\"text\":\"%s\"}}\n",
		    text);
	else
		fprintf(stderr, "handfast: note: %s\n", text);
}

static void
report_fault(struct report *r, const struct item *item)
{
	const struct fault *fault = &item->fault;
	char from[LABEL_MAX + 32] = "";
	int result;

	if (fault->err == HF_OK)
		return;
	if (item->label != NULL)
		(void)snprintf(from, sizeof(from), "block %u, %s: ", r->n + 1,
		    item->label);
	result = cli_fail(fault->err, "%s: %sbyte %zu: %s", r->path, from,
	    fault->off, fault->text);
	if (r->result == CLI_OK)
		r->result = result;
	if (cli_json && r->fault == NULL)
		r->fault = json_pack("{s:s,s:I,s:s}", "name",
		    hf_error_name((int)fault->err), "offset",
		    (json_int_t)fault->off, "text", fault->text);
}

/* "certificate", or what is to be said of CBOR of other origin. */
static void
describe(char *out, size_t cap, const struct doc *d, const struct item *item)
{
	const struct shape *shape = item->shape;
	char loose[sizeof(d->loose.text) + 64] = "";

	if (shape != NULL && !shape->foreign) {
		(void)snprintf(out, cap, "%s", shape->name);
		return;
	}
	if (d->loose.err != HF_OK)
		(void)snprintf(loose, sizeof(loose),
		    "; not deterministic: %s at byte %zu", d->loose.text,
		    d->loose.off);
	(void)snprintf(out, cap, "%s%snot a handfast object%s",
	    shape != NULL ? shape->name : "", shape != NULL ? "; " : "",
	    loose);
}

static void
add_json(struct report *r, const struct doc *d, const struct item *item,
    const char *type)
{
	const struct node *node = &d->node[item->node];
	char *text = diag_text(d, item->node);
	json_t *json;

	json = json_pack("{s:s,s:I,s:I,s:b,s:o,s:s}", "type", type, "offset",
	    (json_int_t)node->off, "length", (json_int_t)node->len,
	    "deterministic", d->loose.err == HF_OK && d->broken.err == HF_OK,
	    "fields", json_fields(d, item->node), "diagnostic",
	    text == NULL ? "" : text);
	if (item->label != NULL)
		(void)json_object_set_new(json, "label",
		    json_string(item->label));
	free(text);
	(void)json_array_append_new(r->items, json);
}

static void
add_text(const struct report *r, const struct doc *d, const struct item *item,
    const char *type)
{
	const struct node *node = &d->node[item->node];
	const char *end = node->flags & N_CUT ? ", its end missing" : "";

	if (r->n > 0)
		putchar('\n');
	if (item->label != NULL)
		printf("%s, %u bytes%s: %s\n", item->label, node->len, end,
		    type);
	else
		printf("byte %u, %u bytes%s: %s\n", node->off, node->len, end,
		    type);
	show_item(stdout, d, item->node);
}

/* Shows an item that was read, and what is wrong with it. */
static void
report_item(struct report *r, struct doc *d, struct item *item)
{
	char type[512];

	if (item->node != 0) {
		describe(type, sizeof(type), d, item);
		if (cli_json)
			add_json(r, d, item, type);
		else
			add_text(r, d, item, type);
		r->secret |= item->shape != NULL && is_secret(item->shape);
	}
	report_fault(r, item);
	r->n++;
}

/* Raw CBOR: one item after the other, to the end or to what is no item. */
static void
inspect_raw(struct report *r, const char *ptr, size_t len)
{
	struct doc d;
	struct item item;
	uint32_t body;
	size_t off = 0;

	doc_init(&d, ptr, len);
	do {
		doc_reset(&d);
		memset(&item, 0, sizeof(item));
		item.node = doc_read(&d, off, len);
		if (item.node != 0) {
			item.shape = kind_of(&d, item.node, &body);
			d.guarded =
			    item.shape != NULL && is_secret(item.shape);
			kind_judge(&item.fault, &d, body, item.shape);
			off += d.node[item.node].len;
		} else
			item.fault = d.broken;
		if (item.shape != NULL && kind_is_message(item.shape))
			r->messages++;
		else if (r->messages > 0 && item.node != 0)
			kind_no_message(&item.fault, &d, item.node);
		report_item(r, &d, &item);
		if (r->n == INSPECT_ITEMS && off < len) {
			memset(&item, 0, sizeof(item));
			fault_set(&item.fault, HF_E_TOO_BIG, off,
			    "more than %d items", INSPECT_ITEMS);
			report_fault(r, &item);
			break;
		}
	} while (off < len && d.broken.err == HF_OK);
	doc_free(&d);
	r->type = r->messages > 0 ? "messages" : "CBOR sequence";
}

/* Identity and ring files have one error for all faults (spec section 14). */
static enum hf_err
left_over(const struct shape *shape)
{
	return shape == &shape_identity || shape == &shape_sealed_identity ||
		shape == &shape_ring ?
	    HF_E_OBJECT :
	    HF_E_CBOR;
}

/* The CBOR of one text block. */
static void
inspect_block(struct report *r, const char *label, const struct shape *shape,
    const uint8_t *ptr, size_t len)
{
	struct item item = { label, shape, 0, { HF_OK, 0, "" } };
	struct doc d;

	doc_init(&d, ptr, len);
	d.guarded = is_secret(shape);
	item.node = doc_read(&d, 0, len);
	if (item.node != 0)
		kind_judge(&item.fault, &d, item.node, shape);
	else
		item.fault = d.broken;
	if (item.fault.err == HF_OK && d.node[item.node].len < len)
		fault_set(&item.fault, left_over(shape), d.node[item.node].len,
		    "bytes are left over");
	report_item(r, &d, &item);
	doc_free(&d);
}

/* The label of the next block at *at or behind it; moves *at to its line.
 * Returns 0 when there is none. */
static int
next_label(char label[LABEL_MAX], const char *text, size_t len, size_t *at)
{
	static const char begin[] = "-----BEGIN ";
	const char *line = text + *at, *end;
	size_t n, skip = sizeof(begin) - 1;

	for (; (size_t)(line - text) < len; line = end + 1) {
		end = memchr(line, '\n', len - (size_t)(line - text));
		if (end == NULL)
			end = text + len;
		n = (size_t)(end - line);
		if (n > 0 && line[n - 1] == '\r')
			n--;
		if (n > skip + 5 && n < skip + 5 + LABEL_MAX &&
		    memcmp(line, begin, skip) == 0 &&
		    memcmp(line + n - 5, "-----", 5) == 0) {
			memset(label, 0, LABEL_MAX);
			memcpy(label, line + skip, n - skip - 5);
			*at = (size_t)(line - text);
			return 1;
		}
		if (end == text + len)
			break;
	}
	return 0;
}

static const struct shape *
block_shape(const char *label)
{
	size_t i;

	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (strcmp(blocks[i].label, label) == 0)
			return blocks[i].shape;
	return NULL;
}

static void
inspect_blocks(struct report *r, const char *text, size_t len)
{
	char label[LABEL_MAX];
	struct item item;
	uint8_t *data = malloc(len);
	size_t at = 0, used, data_len;
	enum hf_err e = data == NULL ? HF_E_MEMORY : HF_OK;

	while (e == HF_OK && next_label(label, text, len, &at)) {
		if (block_shape(label) == NULL) {
			cli_warn("%s: passed over a block '%s'", r->path,
			    label);
			at++;
			continue;
		}
		if (r->n == INSPECT_ITEMS)
			e = HF_E_TOO_BIG;
		else
			e = hf_pem_decode(data, len, &data_len, &used, label,
			    text + at, len - at);
		if (e != HF_OK)
			break;
		inspect_block(r, label, block_shape(label), data, data_len);
		sodium_memzero(data, data_len);
		at += used;
	}
	if (e != HF_OK || r->n == 0) {
		memset(&item, 0, sizeof(item));
		fault_set(&item.fault, e == HF_OK ? HF_E_OBJECT : e, at,
		    e == HF_OK ? "no block of handfast's" :
				 "a block that is not well formed");
		report_fault(r, &item);
	}
	free(data);
	r->type = "text blocks";
}

/* Several certificates and nothing else are a chain. */
static const char *
type_of_all(const struct report *r)
{
	static const char cert[] = "certificate";
	const char *type;
	json_t *item;
	size_t i;

	json_array_foreach(r->items, i, item) {
		type = json_string_value(json_object_get(item, "type"));
		if (type == NULL || strcmp(type, cert) != 0)
			return r->type;
	}
	return "certificate chain";
}

static json_t *
joined_diagnostic(const json_t *items)
{
	char *text = NULL;
	const char *part;
	size_t len, i;
	FILE *out = open_memstream(&text, &len);
	json_t *json, *item;

	if (out == NULL)
		return json_null();
	json_array_foreach(items, i, item) {
		part = json_string_value(json_object_get(item, "diagnostic"));
		fprintf(out, "%s%s", i > 0 ? ", " : "",
		    part == NULL ? "" : part);
	}
	json = fclose(out) == 0 ? json_string(text) : json_null();
	free(text);
	return json;
}

static int
print_json(struct report *r)
{
	json_t *root;
	char *text = NULL;

	if (json_array_size(r->items) == 1)
		root = json_incref(json_array_get(r->items, 0));
	else
		root = json_pack("{s:s,s:{s:I},s:o,s:O}", "type",
		    type_of_all(r), "fields", "items",
		    (json_int_t)json_array_size(r->items), "diagnostic",
		    joined_diagnostic(r->items), "items", r->items);
	(void)json_object_set_new(root, "verified", json_false());
	if (r->fault != NULL)
		(void)json_object_set(root, "error", r->fault);
	if (root != NULL)
		text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (text == NULL)
		return cli_fail(HF_E_MEMORY, "%s", r->path);
	cli_put_json(stdout, text);
	free(text);
	return CLI_OK;
}

static void
warn_readable(const char *path)
{
	struct stat st;

	if (strcmp(path, "-") != 0 && stat(path, &st) == 0 &&
	    S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		cli_warn("%s: a secret that others can read (mode %04o)", path,
		    (unsigned)(st.st_mode & 07777));
}

static void
inspect_bytes(struct report *r, const char *ptr, size_t len)
{
	static const char users[] = "handfast-users ";
	struct item item = { NULL, NULL, 0, { HF_OK, 0, "" } };
	char label[LABEL_MAX];
	json_t *json = NULL;
	size_t at = 0;

	if (len >= sizeof(users) - 1 &&
	    memcmp(ptr, users, sizeof(users) - 1) == 0) {
		r->secret = 1;
		r->result =
		    inspect_users(cli_json ? &json : NULL, r->path, ptr, len);
		if (json != NULL)
			(void)json_array_append_new(r->items, json);
	} else if (next_label(label, ptr, len, &at))
		inspect_blocks(r, ptr, len);
	else if (text_is_no_cbor((const uint8_t *)ptr, len)) {
		fault_set(&item.fault, HF_E_OBJECT, 0,
		    "text, and no block of handfast's in it");
		report_fault(r, &item);
		text_hint((const uint8_t *)ptr, len);
	} else
		inspect_raw(r, ptr, len);
}

static int
inspect(const char *path)
{
	struct report r;
	char *ptr;
	size_t len;
	int result;

	memset(&r, 0, sizeof(r));
	r.path = path;
	result = cli_read_file(path, INSPECT_MAX, &ptr, &len);
	if (result != CLI_OK)
		return result;
	say_note();
	if (len == 0)
		r.result = cli_error(CLI_FORMAT, "%s: empty", path);
	else {
		r.items = json_array();
		inspect_bytes(&r, ptr, len);
		if (r.secret)
			warn_readable(path);
		if (cli_json && json_array_size(r.items) > 0)
			result = print_json(&r);
	}
	json_decref(r.items);
	json_decref(r.fault);
	cli_free_file(ptr, len);
	return r.result != CLI_OK ? r.result : result;
}

int
cmd_inspect(int argc, char **argv)
{
	int c;

	if ((c = cli_option(argc, argv, ":", options)) != -1)
		return cli_bad_option("inspect", c, argv);
	if (argc - optind != 1)
		return cli_usage("inspect", "inspect takes one FILE, or -");
	return inspect(argv[optind]);
}
