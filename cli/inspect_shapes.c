/* SPDX-License-Identifier: ISC */
/*
 * What handfast's own objects look like: spec/handfast.cddl as tables. A
 * field: its key, name, words, types, form, flags, least and most.
 */
#include "inspect.h"

/* clang-format off */
#define N(array) (sizeof(array) / sizeof((array)[0]))
#define UINT (1U << T_UINT)
#define INT (1U << T_UINT | 1U << T_NEGINT)
#define BYTES (1U << T_BYTES)
#define TEXT (1U << T_TEXT)
#define ARRAY (1U << T_ARRAY)
#define MAP (1U << T_MAP)
#define NIL (1U << T_NULL)
#define NEEDED FIELD_NEEDED
#define SECRET FIELD_SECRET
#define PLAIN FORM_PLAIN
#define SECONDS (UINT64_C(1) << 53)

#define LIST(of) { #of, T_ARRAY, of ## _entry, 1, 0, 1, 0, HF_OK, JUDGE_NONE }
#define TUPLE(name, fields) \
	{ name, T_ARRAY, fields, N(fields), 0, 0, 0, HF_OK, JUDGE_NONE }
#define OBJECT(name, type, fields, judge) \
	{ name, type, fields, N(fields), 0, 0, 0, HF_E_OBJECT, judge }

#define TYPE(n, words) \
	{ 0, "type", words, UINT, PLAIN, FIELD_CONST, n, 0, NULL, NULL }
#define VERSION { 0, "version", NULL, UINT, PLAIN, 0, 1, 1, NULL, NULL }
#define EXTENSIONS \
	{ 0, "extensions", NULL, MAP, FORM_EXTENSIONS, 0, 0, 16, NULL, NULL }
#define COOKIE(types) \
	{ 0, "cookie", NULL, types, PLAIN, 0, 1, 64, NULL, NULL }
#define KEM(name, words, types, flags) \
	{ 0, name, words, types, FORM_KEM, flags, 32, 2048, NULL, NULL }
#define NAME(key, name, words, flags) \
	{ key, name, words, TEXT, PLAIN, flags, 1, HF_NAME_MAX, NULL, NULL }
#define REALM(key, name) { key, name, NULL, TEXT, FORM_REALM, 0, 1, \
	HF_NAME_MAX, NULL, NULL }
#define TIME(key, name, words) \
	{ key, name, words, UINT, FORM_TIME, NEEDED, 0, SECONDS, NULL, NULL }
#define CHAIN(types) { 0, "chain", "leaf first", types, PLAIN, 0, 1, \
	HF_CHAIN_MAX, NULL, &chain_list }
#define HASH(name, words) \
	{ 0, name, words, BYTES, PLAIN, 0, 32, 32, NULL, NULL }
#define SID { 0, "session id", NULL, BYTES, PLAIN, 0, 16, 16, NULL, NULL }
#define COUNT(name, words, least) \
	{ 0, name, words, UINT, PLAIN, 0, least, UINT32_MAX, NULL, NULL }
#define TARGET(name) \
	{ 0, name, NULL, TEXT, PLAIN, 0, 0, HF_TARGET_MAX, NULL, NULL }
#define BOX(least, most) \
	{ 0, "box", NULL, BYTES, FORM_SEALED, 0, least, most, NULL, NULL }

static const struct word alert_words[] = { { 1, "refused" }, { 2, "store" },
	{ 3, "unknown key" }, { 4, "no session" }, { 5, "target" },
	{ 0, NULL } };
static const struct word none_words[] = { { 0, "none" }, { 0, NULL } };
static const struct word mobility_words[] = { { 0, "does not move" },
	{ 1, "soft" }, { 2, "proved" }, { 0, NULL } };
static const struct word single_words[] = { { 0, "may be used again" },
	{ 1, "for one session only" }, { 0, NULL } };

/* --- signed objects (spec section 5) -------------------------------------- */

static const struct word alg_words[] = { { -8, "EdDSA" }, { 0, NULL } };
static const struct field header_fields[] = {
	{ 1, "alg", NULL, INT, PLAIN, NEEDED, 0, 0, alg_words, NULL },
};
static const struct shape header_map =
	OBJECT("protected header", T_MAP, header_fields, JUDGE_NONE);
static const struct field name_entry[] = { NAME(0, NULL, NULL, 0) };
static const struct shape name_list = LIST(name);
static const struct field realm_entry[] = { REALM(0, NULL) };
static const struct shape realm_list = LIST(realm);
static const struct field cost_fields[] = {
	{ 0, "memory", "MiB", UINT, PLAIN, 0, 64, 1024, NULL, NULL },
	{ 0, "passes", NULL, UINT, PLAIN, 0, 2, 10, NULL, NULL },
};
static const struct shape cost_tuple = TUPLE("password cost", cost_fields);
static const struct field cnf_fields[] = {
	{ 1, "COSE_Key", NULL, MAP, FORM_COSE_KEY, NEEDED, 0, 0, NULL, NULL },
};
static const struct shape cnf_map =
	OBJECT("cnf", T_MAP, cnf_fields, JUDGE_NONE);

#define SUITES(key, flags) { key, "suites", NULL, ARRAY, FORM_SUITES, flags, \
	1, HF_SUITES_MAX, NULL, NULL }
#define NAMES(key, name, words, of) { key, name, words, ARRAY, PLAIN, 0, 1, \
	HF_NAMES_MAX, NULL, &of ## _list }
#define CNF { 8, "cnf", "the key it is for", MAP, PLAIN, NEEDED, 0, 0, NULL, \
	&cnf_map }
#define CTI(words) { 7, "cti", words, BYTES, PLAIN, NEEDED, 16, 16, NULL, \
	NULL }
#define HANDFAST(inside) { -65537, "handfast", NULL, MAP, PLAIN, NEEDED, 0, \
	0, NULL, &inside }

static const struct field cert_handfast_fields[] = {
	NAMES(1, "names", "beside the subject", name),
	SUITES(2, 0),
	REALM(3, "realm"),
	{ 4, "password cost", NULL, ARRAY, PLAIN, 0, 2, 2, NULL, &cost_tuple },
	NAME(5, "cluster", NULL, 0),
	{ -1, "usage", NULL, UINT, FORM_USAGE, NEEDED, 1, 31, NULL, NULL },
	{ -2, "path length", "CAs below this one", UINT, PLAIN, 0, 0, 3, NULL,
	    NULL },
	NAMES(-3, "permitted names", "suffixes", name),
	NAMES(-4, "permitted realms", NULL, realm),
};
static const struct shape cert_handfast =
	OBJECT("handfast", T_MAP, cert_handfast_fields, JUDGE_NONE);
static const struct field cert_claims[] = {
	NAME(1, "iss", "the issuer", NEEDED),
	NAME(2, "sub", "the subject", NEEDED),
	TIME(4, "exp", "not after"),
	TIME(5, "nbf", "not before"),
	TIME(6, "iat", "issued"),
	CTI("the certificate's id"),
	CNF,
	HANDFAST(cert_handfast),
};
static const struct shape cert_map =
	OBJECT("claims", T_MAP, cert_claims, JUDGE_NONE);

static const struct field request_handfast_fields[] = {
	NAMES(1, "names", "beside the subject", name),
	SUITES(2, NEEDED),
};
static const struct shape request_handfast =
	OBJECT("handfast", T_MAP, request_handfast_fields, JUDGE_NONE);
static const struct field request_claims[] = {
	NAME(2, "sub", "the subject", NEEDED),
	TIME(6, "iat", "made"),
	CNF,
	HANDFAST(request_handfast),
};
static const struct shape request_map =
	OBJECT("claims", T_MAP, request_claims, JUDGE_NONE);

static const struct field cti_entry[] = {
	{ 0, NULL, NULL, BYTES, PLAIN, 0, 16, 16, NULL, NULL },
};
static const struct shape cti_list = LIST(cti);
static const struct field list_handfast_fields[] = {
	{ -1, "number", "rises with every list", UINT, PLAIN, NEEDED, 0,
	    SECONDS, NULL, NULL },
	{ -2, "revoked", "ids of certificates", ARRAY, PLAIN, NEEDED, 0, 0,
	    NULL, &cti_list },
};
static const struct shape list_handfast =
	OBJECT("handfast", T_MAP, list_handfast_fields, JUDGE_NONE);
static const struct field list_claims[] = {
	NAME(1, "iss", "the issuer", NEEDED),
	TIME(4, "exp", "the next update"),
	TIME(6, "iat", "issued"),
	HANDFAST(list_handfast),
};
static const struct shape list_map =
	OBJECT("claims", T_MAP, list_claims, JUDGE_NONE);

#define PROTECTED(inside) { 0, "protected", NULL, BYTES, FORM_EMBEDDED, 0, \
	0, 0, NULL, &inside }
#define UNPROTECTED { 0, "unprotected", NULL, MAP, PLAIN, FIELD_EMPTY, 0, 0, \
	NULL, NULL }
#define SIGNED(fields, claims) \
	static const struct field fields[] = { \
		PROTECTED(header_map), \
		UNPROTECTED, \
		{ 0, "payload", NULL, BYTES, FORM_EMBEDDED, 0, 0, 0, NULL, \
		    &claims }, \
		{ 0, "signature", "not judged", BYTES, PLAIN, 0, 64, 64, \
		    NULL, NULL }, \
	}
SIGNED(cert_fields, cert_map);
SIGNED(request_fields, request_map);
SIGNED(list_fields, list_map);

/* A cluster's word to a member (spec section 19.2). */
static const struct field target_entry[] = { TARGET(NULL) };
static const struct shape target_list = LIST(target);
static const struct field generation_fields[] = {
	COUNT("number", NULL, 1),
	{ 0, "cut-off", NULL, UINT, FORM_TIME, 0, 0, SECONDS, none_words,
	    NULL },
};
static const struct shape generation_tuple =
	OBJECT("generation", T_ARRAY, generation_fields, JUDGE_NONE);
static const struct field generation_entry[] = {
	{ 0, NULL, NULL, ARRAY, PLAIN, 0, 2, 2, NULL, &generation_tuple },
};
static const struct shape generation_list = LIST(generation);
static const struct field key_grant_payload[] = {
	{ 0, "form", NULL, UINT, PLAIN, FIELD_CONST, 1, 0, NULL, NULL },
	NAME(0, "cluster", NULL, 0),
	{ 0, "serial", "rises with every change", UINT, PLAIN, 0, 1, SECONDS,
	    NULL, NULL },
	HASH("member", "hash of its certificate"),
	NAME(0, "scope", NULL, 0),
	{ 0, "targets", "none: every target", ARRAY, PLAIN, 0, 0,
	    HF_SCOPE_TARGETS_MAX, NULL, &target_list },
	{ 0, "generations", "newest first", ARRAY, PLAIN, 0, 1,
	    HF_GENERATIONS_MAX, NULL, &generation_list },
	TIME(0, "not after", NULL),
	KEM("enc", "an ephemeral key", BYTES, 0),
	{ 0, "ciphertext", NULL, BYTES, FORM_SEALED, 0, 16, 512, NULL, NULL },
};
static const struct shape key_grant_array =
	OBJECT("key grant's payload", T_ARRAY, key_grant_payload, JUDGE_NONE);
SIGNED(key_grant_fields, key_grant_array);
const struct shape shape_key_grant =
	OBJECT("key grant", T_ARRAY, key_grant_fields, JUDGE_GRANT);
const struct shape shape_certificate =
	OBJECT("certificate", T_ARRAY, cert_fields, JUDGE_CERT);
const struct shape shape_request =
	OBJECT("certificate request", T_ARRAY, request_fields, JUDGE_REQUEST);
const struct shape shape_list =
	OBJECT("revocation list", T_ARRAY, list_fields, JUDGE_LIST);

static const struct field chain_entry[] = {
	{ 0, NULL, NULL, BYTES, FORM_EMBEDDED, 0, 1, HF_CERT_MAX, NULL,
	    &shape_certificate },
};
static const struct shape chain_list = LIST(chain);

/* --- tickets (spec section 7) --------------------------------------------- */

static const struct word ticket_alg[] = { { 24, "ChaCha20/Poly1305" },
	{ 0, NULL } };
static const struct field ticket_header_fields[] = {
	{ 1, "alg", NULL, INT, PLAIN, NEEDED | FIELD_CONST, 24, 0, ticket_alg,
	    NULL },
	{ 4, "kid", "the ring's key", BYTES, PLAIN, NEEDED, 8, 8, NULL, NULL },
	{ 5, "IV", NULL, BYTES, PLAIN, NEEDED, 12, 12, NULL, NULL },
};
static const struct shape ticket_header =
	OBJECT("protected header", T_MAP, ticket_header_fields, JUDGE_NONE);
static const struct field ticket_fields[] = {
	PROTECTED(ticket_header),
	UNPROTECTED,
	{ 0, "ciphertext", NULL, BYTES, FORM_SEALED, 0, 16, HF_TICKET_MAX,
	    NULL, NULL },
};
const struct shape shape_ticket =
	OBJECT("sealed ticket", T_ARRAY, ticket_fields, JUDGE_NONE);
#define SEALED_TICKET { 0, "ticket", "sealed to the ring", BYTES, \
	FORM_EMBEDDED, 0, 1, HF_TICKET_MAX, NULL, &shape_ticket }

static const struct field ticket_file_fields[] = {
	{ 0, "form", NULL, UINT, PLAIN, FIELD_CONST, 1, 0, NULL, NULL },
	SEALED_TICKET,
	{ 0, "key", "proof of possession", BYTES, PLAIN, SECRET, 32, 32, NULL,
	    NULL },
	NAME(0, "sub", "whom it names", 0),
	NAME(0, "aud", "the responder it is for", 0),
	TIME(0, "iat", "issued"),
	TIME(0, "exp", "not after"),
	{ 0, "single use", NULL, UINT, PLAIN, 0, 0, 1, single_words, NULL },
	TIME(0, "limit", "no renewal outlives this"),
};
const struct shape shape_ticket_file =
	OBJECT("ticket file", T_ARRAY, ticket_file_fields, JUDGE_NONE);

static const struct field ring_key_fields[] = {
	{ 0, "kid", "its name in tickets", BYTES, PLAIN, 0, 8, 8, NULL, NULL },
	{ 0, "key", NULL, BYTES, PLAIN, SECRET, 32, 32, NULL, NULL },
	TIME(0, "created", NULL),
};
static const struct shape ring_key =
	OBJECT("ring key", T_ARRAY, ring_key_fields, JUDGE_NONE);
static const struct field ring_fields[] = {
	{ 0, NULL, NULL, ARRAY, PLAIN, 0, 3, 3, NULL, &ring_key },
};
const struct shape shape_ring = { "ticket ring", T_ARRAY, ring_fields, 1, 0,
	1, 0, HF_E_OBJECT, JUDGE_NONE };

/* --- identities (spec section 14) ----------------------------------------- */

static const struct field identity_fields[] = {
	{ 0, "form", "a seed", UINT, PLAIN, FIELD_CONST, 1, 0, NULL, NULL },
	{ 0, "seed", "the private key", BYTES, PLAIN, SECRET, 32, 32, NULL,
	    NULL },
};
const struct shape shape_identity =
	OBJECT("identity", T_ARRAY, identity_fields, JUDGE_NONE);
static const struct field sealed_fields[] = {
	{ 0, "form", "a sealed seed", UINT, PLAIN, FIELD_CONST, 2, 0, NULL,
	    NULL },
	{ 0, "salt", "of Argon2id", BYTES, PLAIN, 0, 16, 16, NULL, NULL },
	{ 0, "memory", "MiB", UINT, PLAIN, 0, 8, 1024, NULL, NULL },
	{ 0, "passes", NULL, UINT, PLAIN, 0, 1, 10, NULL, NULL },
	{ 0, "nonce", NULL, BYTES, PLAIN, 0, 24, 24, NULL, NULL },
	BOX(48, 48),
};
const struct shape shape_sealed_identity =
	OBJECT("encrypted identity", T_ARRAY, sealed_fields, JUDGE_NONE);

/* --- tokens, and what is inside the boxes --------------------------------- */

#define KIND(n, words) \
	{ 0, "kind", words, UINT, PLAIN, FIELD_CONST, n, 0, NULL, NULL }
#define USER { 0, "user", NULL, TEXT, PLAIN, 0, 1, HF_USER_MAX, NULL, NULL }
static const struct field token_cert[] = { KIND(1, "certificate"),
	CHAIN(ARRAY) };
static const struct field token_password[] = {
	KIND(2, "password, stretched"), USER,
	{ 0, "stretched", NULL, BYTES, PLAIN, SECRET, 32, 32, NULL, NULL },
};
static const struct field token_plain[] = {
	KIND(3, "password, plain"), USER,
	{ 0, "password", NULL, TEXT, PLAIN, SECRET, 1, HF_PASSWORD_MAX, NULL,
	    NULL },
};
static const struct field token_ticket[] = { KIND(4, "ticket"),
	SEALED_TICKET };
const struct shape shape_token[4] = {
	TUPLE("token", token_cert),
	TUPLE("token", token_password),
	TUPLE("token", token_plain),
	TUPLE("token", token_ticket),
};
static const struct field request_plain[] = {
	{ 0, "transport key", NULL, BYTES, PLAIN, SECRET, 32, 32, NULL, NULL },
	{ 0, "token", NULL, ARRAY, FORM_TOKEN, 0, 0, 0, NULL, NULL },
	{ 0, "time", NULL, UINT, FORM_TIME, 0, 0, 0, NULL, NULL },
	KEM("reply key", NULL, BYTES | NIL, 0),
	{ 0, "padding", NULL, BYTES, FORM_ZEROS, 0, 0, 256, NULL, NULL },
};
const struct shape shape_request_plain =
	TUPLE("plaintext of a request's box", request_plain);
static const struct field grant_plain[] = {
	{ 0, "session key", NULL, BYTES, PLAIN, SECRET, 32, 32, NULL, NULL },
	SID,
	{ 0, "lifetime", NULL, UINT, FORM_DURATION, 0, 1, UINT32_MAX, NULL,
	    NULL },
	{ 0, "mobility", NULL, UINT, PLAIN, 0, 0, 2, mobility_words, NULL },
};
const struct shape shape_grant_plain =
	TUPLE("plaintext of a grant's box", grant_plain);

/* --- messages (spec section 4) -------------------------------------------- */

static const struct field hello[] = {
	TYPE(0, "hello"), VERSION, SUITES(0, 0),
	TARGET("target"),
	COOKIE(BYTES | NIL), EXTENSIONS,
};
static const struct field offer[] = {
	TYPE(1, "offer"), VERSION,
	{ 0, "suite", NULL, UINT, FORM_SUITE, 0, 0, 65535, NULL, NULL },
	CHAIN(ARRAY), KEM("prekey", "of this connection", BYTES, 0), EXTENSIONS,
};
static const struct field retry[] = { TYPE(2, "retry"), COOKIE(BYTES) };
static const struct field request[] = {
	TYPE(3, "request"), VERSION,
	{ 0, "suite", NULL, UINT, FORM_SUITE, 0, 0, 65535, NULL, NULL },
	{ 0, "key id", "of the responder's certificate", BYTES, PLAIN, 0, 16,
	    16, NULL, NULL },
	TARGET("target"),
	COOKIE(BYTES | NIL),
	KEM("enc", "an ephemeral key", BYTES, 0),
	KEM("prekey enc", "null without an offer", BYTES | NIL,
	    FIELD_OR_EMPTY), EXTENSIONS,
	BOX(144, HF_MESSAGE_MAX),
};
static const struct field grant[] = {
	TYPE(4, "grant"), VERSION,
	KEM("enc", "an ephemeral key", BYTES, 0),
	KEM("cert enc", "null without a certificate", BYTES | NIL,
	    FIELD_OR_EMPTY),
	EXTENSIONS,
	BOX(16, 80),
};
static const struct field confirm[] = {
	TYPE(5, "confirm"),
	BOX(16, 16),
};
static const struct field resume[] = {
	TYPE(6, "resume"), VERSION, SID,
	COUNT("epoch", NULL, 0), COUNT("serial", "of attempts", 1),
	TARGET("target"), HASH("nonce", NULL), COOKIE(BYTES | NIL),
	KEM("reply key", "null: nothing is to be proved", BYTES | NIL, 0),
	EXTENSIONS, BOX(16, 272),
};
static const struct field resumed[] = {
	TYPE(7, "resumed"), HASH("nonce", NULL),
	KEM("enc", "null in a soft takeover", BYTES | NIL, 0),
	CHAIN(ARRAY | NIL), BOX(16, 272),
};
static const struct field alert[] = {
	TYPE(8, "alert"),
	{ 0, "code", NULL, UINT, PLAIN, 0, 1, 5, alert_words, NULL },
};
static const struct field query[] = { TYPE(9, "query"), EXTENSIONS };
static const struct field record[] = {
	TYPE(16, "record"),
	{ 0, "ciphertext", NULL, BYTES, FORM_RECORD, 0, 17, HF_RECORD_MAX,
	    NULL, NULL },
};
const struct shape shape_message[MESSAGES] = {
	TUPLE("hello", hello), TUPLE("offer", offer), TUPLE("retry", retry),
	TUPLE("request", request), TUPLE("grant", grant),
	TUPLE("confirm", confirm), TUPLE("resume", resume),
	TUPLE("resumed", resumed), TUPLE("alert", alert),
	TUPLE("query", query), TUPLE("record", record),
};

/* --- a session in a store (spec section 18.1) ------------------------------ */

static const struct field entry_fields[] = {
	{ 0, "form", NULL, UINT, PLAIN, FIELD_CONST, 1, 0, NULL, NULL },
	NAME(0, "cluster", NULL, 0), NAME(0, "scope", NULL, 0),
	COUNT("generation", "of the key that sealed it", 1), SID,
	COUNT("epoch", NULL, 0), NAME(0, "owner", "who wrote it", 0),
	{ 0, "token", "of the owner's claim", BYTES, PLAIN, 0, 16, 16, NULL,
	    NULL },
	TIME(0, "expires", NULL),
	{ 0, "nonce", NULL, BYTES, PLAIN, 0, 24, 24, NULL, NULL },
	BOX(16, 2064),
};
const struct shape shape_entry = { "stored session", T_ARRAY, entry_fields,
	N(entry_fields), 0, 0, 0, HF_E_ENTRY, JUDGE_NONE };

/* --- an initiator's session at rest (spec section 21.5) -------------------- */

static const struct field rest_fields[] = {
	{ 0, "form", NULL, UINT, PLAIN, FIELD_CONST, 1, 0, NULL, NULL },
	NAME(0, "peer", "as its process calls it", 0), SID,
	TIME(0, "expires", NULL),
	{ 0, "nonce", NULL, BYTES, PLAIN, 0, 24, 24, NULL, NULL },
	BOX(16, 3088),
};
const struct shape shape_rest = { "session at rest", T_ARRAY, rest_fields,
	N(rest_fields), 0, 0, 0, HF_E_ENTRY, JUDGE_NONE };

/* --- frames of channels, in a record's data (spec section 20.2) ------------ */

#define CHANNEL \
	{ 0, "channel", NULL, UINT, PLAIN, 0, 0, UINT32_MAX, NULL, NULL }
static const struct word reason_words[] = { { 1, "cancelled" },
	{ 2, "refused" }, { 3, "failed" }, { 4, "limit" }, { 5, "gone" },
	{ 6, "shutdown" }, { 7, "idle" }, { 0, NULL } };
static const struct field frame_open[] = {
	TYPE(0, "open"), CHANNEL,
	{ 0, "label", NULL, TEXT, PLAIN, 0, 0, HF_LABEL_MAX, NULL, NULL },
};
static const struct field frame_data[] = {
	TYPE(1, "data"), CHANNEL,
	{ 0, "data", NULL, BYTES, PLAIN, 0, 1, HF_PLAINTEXT_MAX, NULL, NULL },
};
static const struct field frame_credit[] = {
	TYPE(2, "credit"), CHANNEL,
	{ 0, "bytes", "more", UINT, PLAIN, 0, 1, HF_CREDIT_MAX, NULL, NULL },
};
static const struct field frame_fin[] = { TYPE(3, "fin"), CHANNEL };
static const struct field frame_reset[] = {
	TYPE(4, "reset"), CHANNEL,
	{ 0, "reason", NULL, UINT, PLAIN, 0, 1, 255, reason_words, NULL },
};
const struct shape shape_frame[FRAMES] = {
	TUPLE("open of a channel", frame_open),
	TUPLE("data of a channel", frame_data),
	TUPLE("credit of a channel", frame_credit),
	TUPLE("fin of a channel", frame_fin),
	TUPLE("reset of a channel", frame_reset),
};
const uint8_t message_type[MESSAGES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
	16 };
/* clang-format on */
