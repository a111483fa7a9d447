/* SPDX-License-Identifier: ISC */
/*
 * COSE and CWT at large (RFC 9052, 9053, 8392, 8747): names for what objects
 * of other origin hold, as far as their structure goes. Nothing is wrong
 * here: it demands nothing. Private and symmetric keys are masked.
 */
#include "inspect.h"

/* clang-format off */
#define N(array) (sizeof(array) / sizeof((array)[0]))
#define INT (1U << T_UINT | 1U << T_NEGINT)
#define BYTES (1U << T_BYTES)
#define TEXT (1U << T_TEXT)
#define ARRAY (1U << T_ARRAY)
#define MAP (1U << T_MAP)
#define NIL (1U << T_NULL)
#define FLOAT (1U << T_FLOAT)

#define FOREIGN(name, type, fields) \
	{ name, type, fields, N(fields), 1, 0, 1, HF_OK, JUDGE_NONE }
#define ENTRIES(name, fields) \
	{ name, T_ARRAY, fields, 1, 0, 1, 1, HF_OK, JUDGE_NONE }
#define FIELD(key, name, words, types) \
	{ key, name, words, types, FORM_PLAIN, 0, 0, 0, NULL, NULL }
#define TABLE(key, name, types, table) \
	{ key, name, NULL, types, FORM_PLAIN, 0, 0, 0, table, NULL }
#define SUB(key, name, words, types, form, sub) \
	{ key, name, words, types, form, 0, 0, 0, NULL, sub }
#define HIDDEN(key, name, words) \
	{ key, name, words, 0, FORM_PLAIN, FIELD_SECRET, 0, 0, NULL, NULL }
#define TIME(key, name, words) \
	{ key, name, words, INT | FLOAT, FORM_TIME, 0, 0, 0, NULL, NULL }

static const struct word algs[] = {
	{ -65535, "RS1" }, { -260, "WalnutDSA" }, { -259, "RS512" },
	{ -258, "RS384" }, { -257, "RS256" }, { -50, "ML-DSA-87" },
	{ -49, "ML-DSA-65" }, { -48, "ML-DSA-44" }, { -47, "ES256K" },
	{ -46, "HSS-LMS" }, { -45, "SHAKE256" }, { -44, "SHA-512" },
	{ -43, "SHA-384" }, { -42, "RSAES-OAEP with SHA-512" },
	{ -41, "RSAES-OAEP with SHA-256" },
	{ -40, "RSAES-OAEP with SHA-1" }, { -39, "PS512" }, { -38, "PS384" },
	{ -37, "PS256" }, { -36, "ES512" }, { -35, "ES384" },
	{ -34, "ECDH-SS + A256KW" }, { -33, "ECDH-SS + A192KW" },
	{ -32, "ECDH-SS + A128KW" }, { -31, "ECDH-ES + A256KW" },
	{ -30, "ECDH-ES + A192KW" }, { -29, "ECDH-ES + A128KW" },
	{ -28, "ECDH-SS + HKDF-512" }, { -27, "ECDH-SS + HKDF-256" },
	{ -26, "ECDH-ES + HKDF-512" }, { -25, "ECDH-ES + HKDF-256" },
	{ -19, "Ed25519" }, { -18, "SHAKE128" }, { -17, "SHA-512/256" },
	{ -16, "SHA-256" }, { -15, "SHA-256/64" }, { -14, "SHA-1" },
	{ -13, "direct+HKDF-AES-256" }, { -12, "direct+HKDF-AES-128" },
	{ -11, "direct+HKDF-SHA-512" }, { -10, "direct+HKDF-SHA-256" },
	{ -9, "ESP256" }, { -8, "EdDSA" }, { -7, "ES256" }, { -6, "direct" },
	{ -5, "A256KW" }, { -4, "A192KW" }, { -3, "A128KW" },
	{ 1, "A128GCM" }, { 2, "A192GCM" }, { 3, "A256GCM" },
	{ 4, "HMAC 256/64" }, { 5, "HMAC 256/256" }, { 6, "HMAC 384/384" },
	{ 7, "HMAC 512/512" }, { 10, "AES-CCM-16-64-128" },
	{ 11, "AES-CCM-16-64-256" }, { 12, "AES-CCM-64-64-128" },
	{ 13, "AES-CCM-64-64-256" }, { 14, "AES-MAC 128/64" },
	{ 15, "AES-MAC 256/64" }, { 24, "ChaCha20/Poly1305" },
	{ 25, "AES-MAC 128/128" }, { 26, "AES-MAC 256/128" },
	{ 30, "AES-CCM-16-128-128" }, { 31, "AES-CCM-16-128-256" },
	{ 32, "AES-CCM-64-128-128" }, { 33, "AES-CCM-64-128-256" },
	{ 34, "IV-GENERATION" }, { 0, NULL },
};
static const struct word ktys[] = { { 1, "OKP" }, { 2, "EC2" }, { 3, "RSA" },
	{ 4, "symmetric" }, { 5, "HSS-LMS" }, { 6, "WalnutDSA" },
	{ 7, "AKP" }, { 0, NULL } };
static const struct word curves[] = { { 1, "P-256" }, { 2, "P-384" },
	{ 3, "P-521" }, { 4, "X25519" }, { 5, "X448" }, { 6, "Ed25519" },
	{ 7, "Ed448" }, { 8, "secp256k1" }, { 0, NULL } };

/* --- keys ----------------------------------------------------------------- */

#define KEY_COMMON \
	TABLE(1, "kty", INT | TEXT, ktys), \
	FIELD(2, "kid", NULL, 0), \
	TABLE(3, "alg", INT | TEXT, algs), \
	FIELD(4, "key_ops", NULL, ARRAY), \
	FIELD(5, "Base IV", NULL, BYTES)

static const struct field okp_fields[] = {
	KEY_COMMON,
	TABLE(-1, "crv", INT | TEXT, curves),
	FIELD(-2, "x", "public", 0),
	FIELD(-3, "y", "public", 0),
	HIDDEN(-4, "d", "private"),
};
const struct shape shape_key_okp = FOREIGN("COSE_Key", T_MAP, okp_fields);
static const struct field rsa_fields[] = {
	KEY_COMMON,
	FIELD(-1, "n", "public", 0), FIELD(-2, "e", "public", 0),
	HIDDEN(-3, "d", "private"), HIDDEN(-4, "p", "private"),
	HIDDEN(-5, "q", "private"), HIDDEN(-6, "dP", "private"),
	HIDDEN(-7, "dQ", "private"), HIDDEN(-8, "qInv", "private"),
	HIDDEN(-9, "other", "private"), HIDDEN(-10, "r_i", "private"),
	HIDDEN(-11, "d_i", "private"), HIDDEN(-12, "t_i", "private"),
};
const struct shape shape_key_rsa = FOREIGN("COSE_Key", T_MAP, rsa_fields);
static const struct field secret_fields[] = {
	KEY_COMMON,
	HIDDEN(-1, "k", "the key"),
};
const struct shape shape_key_secret =
	FOREIGN("COSE_Key", T_MAP, secret_fields);
static const struct field akp_fields[] = {
	KEY_COMMON,
	FIELD(-1, "pub", "public", 0),
	HIDDEN(-2, "priv", "private"),
};
const struct shape shape_key_akp = FOREIGN("COSE_Key", T_MAP, akp_fields);
/* Of a type that is not known anything may be the private part. */
static const struct field other_fields[] = {
	KEY_COMMON,
	HIDDEN(-1, NULL, "perhaps private"),
	HIDDEN(-2, NULL, "perhaps private"),
	HIDDEN(-3, NULL, "perhaps private"),
	HIDDEN(-4, NULL, "perhaps private"),
	HIDDEN(-5, NULL, "perhaps private"),
	HIDDEN(-6, NULL, "perhaps private"),
};
const struct shape shape_key_other = FOREIGN("COSE_Key", T_MAP, other_fields);
static const struct field key_set_fields[] = {
	SUB(0, NULL, NULL, MAP, FORM_COSE_KEY, NULL),
};
const struct shape shape_key_set = ENTRIES("COSE_KeySet", key_set_fields);

const struct shape *
cose_key_shape(const struct doc *d, uint32_t map)
{
	uint32_t kty = doc_at(d, map, 1);
	const struct node *node = &d->node[kty];

	if (kty == 0 || node->type != T_UINT)
		return &shape_key_other;
	if (node->value == 1 || node->value == 2)
		return &shape_key_okp;
	if (node->value == 3)
		return &shape_key_rsa;
	if (node->value == 7)
		return &shape_key_akp;
	return node->value == 4 ? &shape_key_secret : &shape_key_other;
}

/* --- CWT claims ----------------------------------------------------------- */

static const struct field cnf_fields[] = {
	SUB(1, "COSE_Key", NULL, MAP, FORM_COSE_KEY, NULL),
	SUB(2, "Encrypted_COSE_Key", NULL, ARRAY, FORM_PLAIN,
	    &shape_encrypt0),
	FIELD(3, "kid", NULL, BYTES),
};
static const struct shape cnf_map = FOREIGN("cnf", T_MAP, cnf_fields);
static const struct field claim_fields[] = {
	FIELD(1, "iss", "the issuer", TEXT),
	FIELD(2, "sub", "the subject", TEXT),
	FIELD(3, "aud", "the audience", TEXT | ARRAY),
	TIME(4, "exp", "not after"),
	TIME(5, "nbf", "not before"),
	TIME(6, "iat", "issued"),
	FIELD(7, "cti", "the token's id", BYTES),
	SUB(8, "cnf", "the key it is for", MAP, FORM_PLAIN, &cnf_map),
	FIELD(9, "scope", NULL, TEXT | BYTES),
	FIELD(10, "nonce", NULL, 0),
	FIELD(38, "ace_profile", NULL, 0),
};
const struct shape shape_claims =
	FOREIGN("CWT claims set", T_MAP, claim_fields);

/* --- headers -------------------------------------------------------------- */

static const struct field header_fields[24];
static const struct shape header_map = { "headers", T_MAP, header_fields, 24,
	0, 0, 1, HF_OK, JUDGE_NONE };

#define PROTECTED SUB(0, "protected", NULL, BYTES, FORM_EMBEDDED, &header_map)
#define UNPROTECTED SUB(0, "unprotected", NULL, MAP, FORM_PLAIN, &header_map)
#define SIGNATURE FIELD(0, "signature", "not judged", BYTES)
#define CIPHERTEXT { 0, "ciphertext", NULL, BYTES | NIL, FORM_PLAIN, 0, 0, \
	0, NULL, NULL }

static const struct field signature_fields[] = { PROTECTED, UNPROTECTED,
	SIGNATURE };
static const struct shape signature_tuple =
	FOREIGN("COSE_Signature", T_ARRAY, signature_fields);

static const struct field header_fields[24] = {
	TABLE(1, "alg", INT | TEXT, algs),
	FIELD(2, "crit", "must be understood", ARRAY),
	FIELD(3, "content type", NULL, 0),
	FIELD(4, "kid", NULL, 0),
	FIELD(5, "IV", NULL, BYTES),
	FIELD(6, "Partial IV", NULL, BYTES),
	SUB(7, "counter signature", NULL, ARRAY, FORM_PLAIN,
	    &signature_tuple),
	FIELD(8, "CounterSignature0", NULL, BYTES),
	FIELD(9, "CounterSignature0", NULL, BYTES),
	FIELD(10, "kid context", NULL, BYTES),
	SUB(11, "counter signature, version 2", NULL, ARRAY, FORM_PLAIN,
	    &signature_tuple),
	FIELD(12, "CounterSignature0, version 2", NULL, BYTES),
	SUB(15, "CWT claims", NULL, MAP, FORM_PLAIN, &shape_claims),
	FIELD(16, "typ", NULL, 0),
	FIELD(32, "x5bag", "X.509 certificates", 0),
	FIELD(33, "x5chain", "X.509 certificates", 0),
	FIELD(34, "x5t", "hash of an X.509 certificate", 0),
	FIELD(35, "x5u", "where an X.509 certificate is", 0),
	SUB(-1, "ephemeral key", NULL, MAP, FORM_COSE_KEY, NULL),
	SUB(-2, "static key", NULL, MAP, FORM_COSE_KEY, NULL),
	FIELD(-3, "static key id", NULL, BYTES),
	FIELD(-20, "salt", NULL, BYTES),
	FIELD(-22, "PartyU nonce", NULL, 0),
	FIELD(-25, "PartyV nonce", NULL, 0),
};

/* --- objects -------------------------------------------------------------- */

#define PAYLOAD SUB(0, "payload", NULL, BYTES | NIL, FORM_PERHAPS, \
	&shape_claims)
#define TAG FIELD(0, "tag", "not judged", BYTES)

static const struct field recipient_fields[4];
static const struct shape recipient_tuple = { "COSE_recipient", T_ARRAY,
	recipient_fields, 4, 3, 0, 1, HF_OK, JUDGE_NONE };
static const struct field recipient_entry[] = {
	SUB(0, NULL, NULL, ARRAY, FORM_PLAIN, &recipient_tuple),
};
static const struct shape recipient_list =
	ENTRIES("recipients", recipient_entry);
#define RECIPIENTS SUB(0, "recipients", NULL, ARRAY, FORM_PLAIN, \
	&recipient_list)
static const struct field recipient_fields[4] = { PROTECTED, UNPROTECTED,
	CIPHERTEXT, RECIPIENTS };

static const struct field signature_entry[] = {
	SUB(0, NULL, NULL, ARRAY, FORM_PLAIN, &signature_tuple),
};
static const struct shape signature_list =
	ENTRIES("signatures", signature_entry);

static const struct field sign1_fields[] = { PROTECTED, UNPROTECTED, PAYLOAD,
	SIGNATURE };
const struct shape shape_sign1 = FOREIGN("COSE_Sign1", T_ARRAY, sign1_fields);
static const struct field sign_fields[] = { PROTECTED, UNPROTECTED, PAYLOAD,
	SUB(0, "signatures", NULL, ARRAY, FORM_PLAIN, &signature_list) };
const struct shape shape_sign = FOREIGN("COSE_Sign", T_ARRAY, sign_fields);
static const struct field mac0_fields[] = { PROTECTED, UNPROTECTED, PAYLOAD,
	TAG };
const struct shape shape_mac0 = FOREIGN("COSE_Mac0", T_ARRAY, mac0_fields);
static const struct field mac_fields[] = { PROTECTED, UNPROTECTED, PAYLOAD,
	TAG, RECIPIENTS };
const struct shape shape_mac = FOREIGN("COSE_Mac", T_ARRAY, mac_fields);
static const struct field encrypt0_fields[] = { PROTECTED, UNPROTECTED,
	CIPHERTEXT };
const struct shape shape_encrypt0 =
	FOREIGN("COSE_Encrypt0", T_ARRAY, encrypt0_fields);
static const struct field encrypt_fields[] = { PROTECTED, UNPROTECTED,
	CIPHERTEXT, RECIPIENTS };
const struct shape shape_encrypt =
	FOREIGN("COSE_Encrypt", T_ARRAY, encrypt_fields);

/* What is signed or authenticated (RFC 9052, sections 4.4, 5.3, 6.3). */
#define CONTEXT FIELD(0, "context", NULL, TEXT)
#define AAD FIELD(0, "external aad", NULL, BYTES)
static const struct field signature_input[] = { CONTEXT, PROTECTED, AAD,
	PAYLOAD };
const struct shape shape_signature_input =
	FOREIGN("COSE Sig_structure", T_ARRAY, signature_input);
static const struct field mac_input[] = { CONTEXT, PROTECTED, AAD, PAYLOAD };
const struct shape shape_mac_input =
	FOREIGN("COSE MAC_structure", T_ARRAY, mac_input);
static const struct field encrypt_input[] = { CONTEXT, PROTECTED, AAD };
const struct shape shape_encrypt_input =
	FOREIGN("COSE Enc_structure", T_ARRAY, encrypt_input);
/* clang-format on */
