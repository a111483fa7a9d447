/* SPDX-License-Identifier: ISC */
/*
 * What the files behind `inspect` share: an item of CBOR as a tree of nodes
 * over the bytes it was read from, and the tables that say what its parts
 * mean. Nothing here judges a signature or holds a secret of its own.
 */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include <jansson.h>

#include "cli.h"

enum {
	INSPECT_DEPTH = 16,	 /* arrays, maps and tags open at once */
	INSPECT_MAX = 2 << 20,	 /* bytes of a file */
	INSPECT_NODES = 1 << 18, /* parts of one item */
	INSPECT_ITEMS = 1 << 14, /* items of a file */
	INSPECT_EMBEDDED = 6,	 /* items in byte strings in each other */
	HANDFAST_DEPTH = 8	 /* arrays and maps, in handfast */
};

enum type {
	T_UINT,
	T_NEGINT, /* -1 - value */
	T_BYTES,
	T_TEXT,
	T_ARRAY,
	T_MAP, /* key, value, key, value... */
	T_TAG,
	T_BOOL,
	T_NULL,
	T_UNDEFINED,
	T_SIMPLE,
	T_FLOAT
};

enum node_flag {
	N_INDEFINITE = 1, /* strings: their chunks are the children */
	N_LONG = 2,	  /* a head longer than needed */
	N_CUT = 4,	  /* not all of it is there */
	N_SECRET = 8	  /* never shown */
};

struct node {
	uint64_t value; /* number, length, count, tag; bits of a double */
	double real;
	uint32_t off, len;	/* in the document, with its head */
	uint32_t kid, next, in; /* nodes; in: what a byte string holds */
	uint8_t type, head, flags;
	const char *name; /* of the field it is; NULL: none */
	char *words;	  /* what it means; NULL: nothing to say */
};

/* Something wrong, and where; err HF_OK: nothing. */
struct fault {
	enum hf_err err;
	size_t off;
	char text[160];
};

struct doc {
	const uint8_t *ptr;
	size_t len;
	struct node *node; /* 0 stands for none */
	uint32_t n, cap;
	struct fault broken; /* not CBOR */
	struct fault loose;  /* CBOR, but not deterministic or not valid */
	struct fault alien;  /* a head that handfast does not use */
	struct fault keys;   /* a map out of order */
	struct fault wrong;  /* not what a handfast object has there */
	enum hf_err blame;   /* what `wrong` is called here */
	unsigned embedded;
	int guarded; /* byte strings without a name are secret */
};

/* inspect_head.c: one head, by libcbor's streaming decoder */

/* One head, and the string behind it. */
struct head {
	enum type type;
	uint64_t value;
	double real;
	size_t bytes, strings; /* of the head; of the string that is there */
	int indefinite, end, cut;
};
/* Reads one head with its string: 0 when there is none. */
int head_read(struct doc *d, struct head *h, size_t off, size_t end);
void doc_broken(struct doc *d, size_t off, const char *text);

/* inspect_cbor.c: bytes to nodes */

/* Reads the item at off. Returns its node, which is of use also when
 * d->broken was set; 0 when there is none, or no memory. */
uint32_t doc_read(struct doc *d, size_t off, size_t end);

/* inspect_doc.c: ways about a tree of nodes */

void doc_init(struct doc *d, const void *ptr, size_t len);
/* Forgets the nodes and faults, for the next item. */
void doc_reset(struct doc *d);
void doc_free(struct doc *d);
/* Remembers the first fault in the order of bytes. */
void fault_set(struct fault *fault, enum hf_err err, size_t off,
    const char *fmt, ...) CLI_PRINTF(4, 5);
/* The n-th child, or 0. */
uint32_t doc_kid(const struct doc *d, uint32_t i, size_t n);
/* The value at an integer key of a map, or 0. */
uint32_t doc_at(const struct doc *d, uint32_t map, int64_t key);
/* An integer's value; 0 when it is none or does not fit. */
int node_int(int64_t *out, const struct node *node);
/* Adds words to a node. */
void node_say(struct doc *d, uint32_t i, const char *fmt, ...)
    CLI_PRINTF(3, 4);

/* inspect_diag.c: nodes as text (RFC 8949, section 8; RFC 8610, app. G) */

/* On one line. */
void diag_print(FILE *out, const struct doc *d, uint32_t i);
/* The same as a string for free(), or NULL. */
char *diag_text(const struct doc *d, uint32_t i);
/* One character of UTF-8 (RFC 3629) and its bytes; 0: there is none. */
size_t diag_character(uint32_t *c, const uint8_t *p, size_t len);
/* A string of text, quoted; nothing in it can drive a terminal. */
void diag_quote(FILE *out, const uint8_t *ptr, size_t len);

/* inspect_show.c: the same over several lines, with words beside it */

void show_item(FILE *out, const struct doc *d, uint32_t i);

/* inspect_json.c: named fields */

json_t *json_fields(const struct doc *d, uint32_t i);

/* inspect_fit.c: lays a shape over nodes; names them, finds what is wrong */

struct word {
	int64_t value;
	const char *text;
};

enum form {
	FORM_PLAIN,
	FORM_TIME,
	FORM_DURATION,
	FORM_USAGE,
	FORM_SUITE,
	FORM_SUITES,
	FORM_EXTENSIONS,
	FORM_TOKEN,
	FORM_SEALED,   /* ciphertext with a tag of 16 bytes */
	FORM_RECORD,   /* and one byte of content type */
	FORM_EMBEDDED, /* a byte string that holds CBOR */
	FORM_PERHAPS,  /* one that may hold a map */
	FORM_COSE_KEY,
	FORM_REALM, /* text without @ */
	FORM_KEM,
	FORM_ZEROS
};

enum {
	FIELD_SECRET = 1,
	FIELD_NEEDED = 2,   /* of a map */
	FIELD_CONST = 4,    /* the number is min: tells shapes apart */
	FIELD_EMPTY = 8,    /* nothing in it */
	FIELD_OR_EMPTY = 16 /* in range, or nothing in it */
};

struct shape;
struct field {
	int64_t key; /* of a map; arrays have theirs in order */
	const char *name, *words;
	unsigned types; /* 1 << enum type; 0: any */
	enum form form;
	unsigned flags;
	uint64_t min, max; /* number, bytes, entries; max 0: any */
	const struct word *table;
	const struct shape *sub;
};

enum judge { JUDGE_NONE, JUDGE_CERT, JUDGE_REQUEST, JUDGE_LIST, JUDGE_GRANT };

struct shape {
	const char *name;
	enum type type;		    /* T_ARRAY or T_MAP */
	const struct field *fields; /* one, with `each`: for every entry */
	size_t n, least;	    /* least: entries may be left out */
	int each;
	int foreign;	   /* not handfast's: nothing in it is wrong */
	enum hf_err blame; /* HF_OK: as around it */
	enum judge judge;  /* the library's own opinion */
};

void fit(struct doc *d, uint32_t i, const struct shape *shape);
/* Finds private and symmetric COSE_Keys in what is not handfast's. */
void fit_keys(struct doc *d, uint32_t i);
/* What a secret file says is secret where it was not understood. */
void fit_guard(struct doc *d, uint32_t i);
/* NULL when it is not in the table. */
const char *word_of(const struct word *table, int64_t value);

/* inspect_words.c: what values mean */

void fit_words(struct doc *d, uint32_t i, const struct field *field);
void fit_text(struct doc *d, uint32_t i);
void fit_extensions(struct doc *d, uint32_t map);

/* inspect_shapes.c: handfast's own; inspect_cose.c: COSE at large */

enum message {
	MESSAGE_HELLO,
	MESSAGE_OFFER,
	MESSAGE_RETRY,
	MESSAGE_REQUEST,
	MESSAGE_GRANT,
	MESSAGE_CONFIRM,
	MESSAGE_RESUME,
	MESSAGE_RESUMED,
	MESSAGE_ALERT,
	MESSAGE_QUERY,
	MESSAGE_RECORD,
	MESSAGES
};
extern const struct shape shape_message[MESSAGES];
extern const uint8_t message_type[MESSAGES];
extern const struct shape shape_token[4]; /* by kind, less 1 */
extern const struct shape shape_certificate, shape_request, shape_list;
extern const struct shape shape_key_grant, shape_entry, shape_rest;
extern const struct shape shape_ticket, shape_ticket_file, shape_ring;
extern const struct shape shape_identity, shape_sealed_identity;
extern const struct shape shape_request_plain, shape_grant_plain;
enum { FRAMES = 5 };
extern const struct shape shape_frame[FRAMES]; /* of channels, by type */

extern const struct shape shape_sign1, shape_sign, shape_mac0, shape_mac;
extern const struct shape shape_encrypt0, shape_encrypt, shape_claims;
extern const struct shape shape_signature_input, shape_mac_input;
extern const struct shape shape_encrypt_input;
extern const struct shape shape_key_okp, shape_key_rsa, shape_key_secret;
extern const struct shape shape_key_akp, shape_key_other, shape_key_set;
const struct shape *cose_key_shape(const struct doc *d, uint32_t map);

/* inspect_kind.c: what an item is */

/* The shape of the item, or NULL: not known. Steps over tags; *body is what
 * is inside them. */
const struct shape *kind_of(struct doc *d, uint32_t i, uint32_t *body);
int kind_is_message(const struct shape *shape);

/* inspect_judge.c: what is wrong with it */

/* Lays the shape over the item and asks the library. The first fault, in the
 * order in which a receiver finds them, is left in *fault. */
void kind_judge(struct fault *fault, struct doc *d, uint32_t i,
    const struct shape *shape);
/* Says in *fault why the item after other messages is none. */
void kind_no_message(struct fault *fault, const struct doc *d, uint32_t i);

/* inspect_text.c: text that is neither */

/* 1 for what is read as CBOR by mistake alone. */
int text_is_no_cbor(const uint8_t *ptr, size_t len);
void text_hint(const uint8_t *ptr, size_t len);

/* inspect_users.c: the users file */

int inspect_users(json_t **json, const char *path, const char *text,
    size_t len);

#endif
