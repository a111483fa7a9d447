/* SPDX-License-Identifier: ISC */
/*
 * What the files of libhandfast share among themselves. Nothing here is
 * promised to callers. hf__noun_verb functions live in the file their noun
 * names; each section below is one file.
 */
#ifndef HANDFAST_INTERNAL_H
#define HANDFAST_INTERNAL_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handfast.h"

#define HF__ARRAY_N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	HF__HASH_BYTES = 32,
	HF__TAG_BYTES = 16,
	HF__KEY_ID_BYTES = 16,
	HF__DEPTH_MAX = 8,
	HF__EXTENSION_VALUE_MAX = 256,
	HF__COOKIE_MAX = 64,
	HF__COOKIE_BYTES = 24,
	HF__COOKIE_SECONDS = 60,
	HF__PAD_BYTES = 128,
	HF__KID_BYTES = 8,
	HF__TOKEN_BYTES = 16,
	HF__SHARED_MAX = 3 * 32, /* secrets of a proof */
	HF__SUBJECT_MAX = HF_USER_MAX + 1 + HF_NAME_MAX,
	HF__STACK_USED = 8192 /* by one call of libsodium, and more */
};

/* Message types (spec section 16). */
enum hf__type {
	HF__HELLO = 0,
	HF__OFFER = 1,
	HF__RETRY = 2,
	HF__REQUEST = 3,
	HF__GRANT = 4,
	HF__CONFIRM = 5,
	HF__RESUME = 6,
	HF__RESUMED = 7,
	HF__ALERT = 8,
	HF__QUERY = 9,
	HF__RECORD = 16
};

/* Inner content types of records (spec section 9.5). */
enum hf__content {
	HF__DATA = 1,
	HF__CLOSE = 2,
	HF__ACK = 3,
	HF__CHANNEL = 4,
	HF__TICKET = 5,
	HF__CONTENT_ALERT = 6,
	HF__CONTENT_QUERY = 7,
	HF__REFRESH = 8
};

/* Alert codes (spec section 12). */
enum hf__alert {
	HF__ALERT_REFUSED = 1,
	HF__ALERT_STORE = 2,
	HF__ALERT_UNKNOWN_KEY = 3,
	HF__ALERT_NO_SESSION = 4,
	HF__ALERT_TARGET = 5
};

/* error.c: whether public bytes are the same; never for secrets. */
bool hf__same(const void *, const void *, size_t);

/* cbor.c, cbor_scan.c: strict deterministic CBOR over the caller's buffers - */

enum hf__cbor_type {
	HF__UINT,
	HF__NEGINT, /* value n stands for -1 - n */
	HF__BYTES,
	HF__TEXT,
	HF__LIST, /* an array; value is its count */
	HF__MAP,  /* value is the count of its pairs */
	HF__NULL,
	HF__BOOL
};

struct hf__item {
	enum hf__cbor_type type;
	uint64_t value;
	struct hf_span span; /* the content of BYTES and TEXT */
};

/* A reader: the first error sticks, and every later read gives zero. */
struct hf__reader {
	const uint8_t *ptr;
	size_t len, off;
	enum hf_err err;
};

void hf__read_init(struct hf__reader *, const uint8_t *ptr, size_t len);
bool hf__read_item(struct hf__reader *, struct hf__item *);
/* The next item must be of that type, and within bounds: else HF_E_SHAPE. */
uint64_t hf__read_uint(struct hf__reader *, uint64_t max);
struct hf_span hf__read_bytes(struct hf__reader *, size_t min, size_t max);
struct hf_span hf__read_text(struct hf__reader *, size_t min, size_t max);
size_t hf__read_list(struct hf__reader *, size_t min, size_t max);
size_t hf__read_map(struct hf__reader *, size_t min, size_t max);
/* Bytes, or null, which gives ptr NULL. */
struct hf_span hf__read_bytes_or_null(struct hf__reader *, size_t min,
    size_t max);
/* The next key of a map with integer keys; *last orders them: give it
 * a struct that starts as { 0 }. */
struct hf__key_order {
	bool any;
	int64_t last;
};
int64_t hf__read_key(struct hf__reader *, struct hf__key_order *);
/* Passes over one whole item, itself inside depth arrays and maps. */
struct hf_span hf__read_skip(struct hf__reader *, unsigned depth);
/* HF_OK when all was read and nothing is left over. */
enum hf_err hf__read_end(const struct hf__reader *);
void hf__read_fail(struct hf__reader *, enum hf_err);

/* Finds the end of the first item of a stream. HF_OK and *len > 0: it is that
 * long. HF_OK and *len 0: more bytes are needed. Else it can never be legal.
 */
enum hf_err hf__cbor_extent(size_t *len, const uint8_t *ptr, size_t have,
    size_t max);

/* A writer: too small a buffer sets err and writes nothing more. With ptr
 * NULL it only counts. */
struct hf__writer {
	uint8_t *ptr;
	size_t cap, len;
	enum hf_err err;
};

void hf__write_init(struct hf__writer *, uint8_t *ptr, size_t cap);
void hf__write_uint(struct hf__writer *, uint64_t);
void hf__write_int(struct hf__writer *, int64_t);
void hf__write_bytes(struct hf__writer *, const void *, size_t);
void hf__write_text(struct hf__writer *, const char *, size_t);
void hf__write_list(struct hf__writer *, size_t n);
void hf__write_map(struct hf__writer *, size_t n);
void hf__write_null(struct hf__writer *);
/* Only the head of a byte string of len bytes; its content is the caller's. */
void hf__write_bytes_head(struct hf__writer *, size_t len);
/* Room for len raw bytes, or NULL. */
uint8_t *hf__write_room(struct hf__writer *, size_t len);
/* Bytes that a head takes, from its first byte; 0 for one never taken. */
size_t hf__cbor_head_claim(uint8_t first);
/* Bytes that a head with that value takes. */
size_t hf__cbor_head_bytes(uint64_t value);
/* Well-formed UTF-8 without NUL or control characters. */
bool hf__text_ok(const uint8_t *, size_t);

/* hpke.c: RFC 9180 and RFC 5869 over libsodium's HMAC-SHA256 -------------- */

/* A keyed HMAC state, to be copied for every use of the key. */
typedef crypto_auth_hmacsha256_state hf__hmac;

/* What is the same in every context; made once for a configuration. */
struct hf__hpke_base {
	hf__hmac extract;	   /* keyed with the empty salt */
	uint8_t psk_id_none[32];   /* psk_id_hash of "" */
	uint8_t psk_id_prekey[32]; /* of "handfast/1 prekey" */
};

struct hf__hpke {
	uint8_t key[32], nonce[12];
	uint8_t exporter[32]; /* only with hf__hpke_export() */
	uint64_t seq;
};

enum hf__hpke_mode { HF__HPKE_BASE = 0, HF__HPKE_PSK = 1 };

void hf__hpke_base_init(struct hf__hpke_base *);
/* DHKEM(X25519, HKDF-SHA256): ExtractAndExpand(dh, enc || pk). */
void hf__dhkem_derive(uint8_t ss[32], const struct hf__hpke_base *,
    const uint8_t dh[32], const uint8_t enc[32], const uint8_t pk[32]);
void hf__hpke_info_hash(uint8_t hash[32], const struct hf__hpke_base *,
    const uint8_t *info, size_t len);
/* The key schedule; psk NULL: mode base. */
void hf__hpke_schedule(struct hf__hpke *, const struct hf__hpke_base *,
    const uint8_t ss[32], const uint8_t info_hash[32], const uint8_t *psk,
    const uint8_t *psk_id_hash, bool exporter);
void hf__hpke_psk_id_hash(uint8_t hash[32], const struct hf__hpke_base *,
    const uint8_t *psk_id, size_t len);
enum hf_err hf__hpke_seal(uint8_t *out, struct hf__hpke *, const uint8_t *aad,
    size_t aad_len, const uint8_t *in, size_t len);
enum hf_err hf__hpke_open(uint8_t *out, struct hf__hpke *, const uint8_t *aad,
    size_t aad_len, const uint8_t *in, size_t len);
enum hf_err hf__hpke_export(uint8_t *out, size_t len, const struct hf__hpke *,
    const uint8_t *context, size_t context_len);
enum hf_err hf__hkdf_expand(uint8_t *out, size_t len, const uint8_t prk[32],
    const uint8_t *info, size_t info_len);
void hf__hkdf_extract(uint8_t prk[32], const uint8_t *salt, size_t salt_len,
    const uint8_t *ikm, size_t ikm_len);

/* suite.c: the table of suites -------------------------------------------- */

/* An ephemeral key pair: for a Diffie-Hellman KEM it serves every
 * encapsulation of its message. */
struct hf__pair {
	uint8_t sk[32], pk[32];
};

struct hf__kem {
	size_t pk_len, enc_len;
	/* Diffie-Hellman: enc is the pair's public key and the reply key. */
	bool shared;
	/* From 32 random bytes. */
	enum hf_err (*pair)(struct hf__pair *, const uint8_t random[32]);
	/* enc is written only where the KEM is not shared. */
	enum hf_err (*encap)(uint8_t ss[32], uint8_t *enc,
	    const struct hf__hpke_base *, const struct hf__pair *,
	    const uint8_t *pk);
	enum hf_err (*decap)(uint8_t ss[32], const struct hf__hpke_base *,
	    const struct hf__pair *own, const uint8_t *enc);
};

enum { HF__IV_MAX = 32, HF__RECORD_TAG_MAX = 32 };

/* An expanded record key of any suite. */
struct hf__aead_key {
	union {
		uint8_t raw[32];
		crypto_aead_aes256gcm_state aes;
	} u;
};

struct hf__aead {
	size_t iv_len, tag_len;
	bool (*available)(void);
	enum hf_err (*expand)(struct hf__aead_key *, const uint8_t key[32]);
	/* In place: len bytes at buf become len + tag_len. */
	enum hf_err (*seal)(uint8_t *buf, size_t len, const uint8_t *aad,
	    size_t aad_len, const uint8_t *nonce, const struct hf__aead_key *);
	/* out may be in; len includes the tag. */
	enum hf_err (*open)(uint8_t *out, const uint8_t *in, size_t len,
	    const uint8_t *aad, size_t aad_len, const uint8_t *nonce,
	    const struct hf__aead_key *);
};

struct hf__suite {
	uint16_t id;
	const char *name;
	const struct hf__kem *kem;   /* NULL: not in this build */
	const struct hf__aead *aead; /* NULL: not in this build */
};

/* NULL for one that is unknown or not available. */
const struct hf__suite *hf__suite_find(uint64_t id);
/* All available suites in the order of preference; returns how many. */
size_t hf__suite_defaults(uint16_t suites[HF_SUITES_MAX]);
/* The first of ours that is in theirs; NULL for none. */
const struct hf__suite *hf__suite_common(const uint16_t *ours, size_t ours_n,
    const uint16_t *theirs, size_t theirs_n);
/* X25519 with its refusal of small-order points. */
extern const struct hf__kem hf__kem_x25519;

/* schedule.c: transcript and key derivation -------------------------------- */

struct hf__traffic {
	struct hf__aead_key key;
	uint8_t ratchet[32]; /* the raw key, from which the next one comes */
	uint8_t iv[HF__IV_MAX];
	uint64_t seq;
	uint64_t count; /* records in the digest */
	uint64_t bytes; /* of data in them */
	uint8_t digest[32];
};

/* So many records of a direction, the bytes of data in them, and the running
 * digest after them (spec section 17.1). */
struct hf__mark {
	uint64_t count, bytes;
	uint8_t digest[32];
};

void hf__hash(uint8_t out[32], const void *data, size_t len);
/* H(label || data). */
void hf__hash_labelled(uint8_t out[32], const char *label, const void *data,
    size_t len);
/* H(CBOR [a, b]) and H(CBOR [a, b, c]). */
void hf__transcript(uint8_t th[32], const struct hf_span *parts, size_t n);
/* The key of the grant's box, and the chain that goes into the master secret:
 * both from the transport key, th1, the secret encapsulated to the reply key
 * and the binder (NULL for none). */
struct hf__grant_keys {
	uint8_t box[32], chain[32];
};
void hf__schedule_grant(struct hf__grant_keys *,
    const uint8_t transport_key[32], const uint8_t th1[32],
    const uint8_t ss[32], const uint8_t *binder);
/* Everything from the master secret. */
struct hf__secrets {
	uint8_t confirm[32], resumption[32], exporter[32];
};
enum hf_err hf__schedule_master(struct hf__secrets *,
    struct hf__traffic *initiator, struct hf__traffic *responder,
    const struct hf__suite *, const uint8_t session_key[32],
    const uint8_t chain[32], const uint8_t th2[32]);
/* Takeover (spec section 17): the keys of both boxes, the nonces, and
 * everything of the new epoch but the digests. */
void hf__schedule_resume(uint8_t key[32], const uint8_t secret[32],
    const uint8_t nonce[32]);
void hf__schedule_resumed(uint8_t key[32], const uint8_t secret[32],
    const uint8_t th3[32], const uint8_t nonce[32], struct hf_span shared);
void hf__schedule_nonce(uint8_t nonce[32], const uint8_t secret[32],
    const uint8_t random[32], uint64_t now, uint64_t number,
    struct hf_span plain);
enum hf_err hf__schedule_takeover(struct hf__secrets *,
    struct hf__traffic *initiator, struct hf__traffic *responder,
    const struct hf__suite *, const uint8_t secret[32], const uint8_t th4[32],
    struct hf_span shared);
/* The same of a refresh; and the proof key. */
enum hf_err hf__schedule_refresh(struct hf__secrets *, uint8_t proof[32],
    struct hf__traffic *initiator, struct hf__traffic *responder,
    const struct hf__suite *, const uint8_t secret[32], const uint8_t th5[32],
    struct hf_span shared);
/* The digest of a direction goes on in a new epoch. */
void hf__schedule_epoch(struct hf__mark *, uint64_t epoch,
    enum hf_role sender);
/* A box whose key serves once, so that its nonce is zero: in place, len bytes
 * become len + HF__TAG_BYTES. */
enum hf_err hf__box_seal(uint8_t *buf, size_t len, const uint8_t *aad,
    size_t aad_len, const uint8_t key[32]);
/* out may be NULL for an empty box. HF_E_BOX when it does not open. */
enum hf_err hf__box_open(uint8_t *out, const uint8_t *in, size_t len,
    const uint8_t *aad, size_t aad_len, const uint8_t key[32]);
/* Key and IV of the next 2^20 records. */
enum hf_err hf__schedule_ratchet(struct hf__traffic *next,
    const struct hf__suite *, const struct hf__traffic *);
enum hf_err hf__schedule_export(uint8_t *out, size_t len,
    const uint8_t exporter[32], const char *label, const uint8_t *context,
    size_t context_len);

/* cose.c: COSE_Sign1 and COSE_Encrypt0, untagged --------------------------- */

struct hf__sign1 {
	struct hf_span protected, payload, signature;
	struct hf_span whole;
};

/* Reads the structure; alg must be EdDSA, in the protected header alone. */
enum hf_err hf__sign1_read(struct hf__sign1 *, const uint8_t *ptr, size_t len);
/* The same in two, with an empty unprotected header: the caller judges the
 * payload between, so that the first fault in the order of bytes counts. */
enum hf_err hf__sign1_begin(struct hf__sign1 *, struct hf__reader *,
    const uint8_t *ptr, size_t len);
enum hf_err hf__sign1_end(struct hf__sign1 *, struct hf__reader *);
/* Verifies the signature; label is the external_aad. */
enum hf_err hf__sign1_verify(const struct hf__sign1 *, const uint8_t *label,
    size_t label_len, const uint8_t pk[32]);
enum hf_err hf__sign1_make(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *, const char *label, const uint8_t *payload,
    size_t payload_len);
/* sealed ticket: COSE_Encrypt0, ChaCha20-Poly1305. */
enum hf_err hf__encrypt0_make(uint8_t *out, size_t cap, size_t *len,
    const uint8_t kid[HF__KID_BYTES], const uint8_t key[32], const char *label,
    const uint8_t *in, size_t in_len);
struct hf__encrypt0 {
	struct hf_span protected, kid, iv, ciphertext;
};
enum hf_err hf__encrypt0_read(struct hf__encrypt0 *, const uint8_t *, size_t);
/* out holds ciphertext.len - HF__TAG_BYTES bytes. */
enum hf_err hf__encrypt0_open(uint8_t *out, const struct hf__encrypt0 *,
    const uint8_t key[32], const char *label);

/* identity.c ---------------------------------------------------------------- */

struct hf_identity {
	uint8_t seed[32];
	uint8_t sign_sk[64];
	uint8_t sign_pk[32];
	struct hf__pair kem; /* the X25519 conversion */
};

/* cert.c: certificates as views, and chains --------------------------------- */

struct hf__names {
	struct hf_span name[HF_NAMES_MAX];
	size_t n;
};

struct hf__cert {
	struct hf__sign1 cose;
	struct hf_span issuer, subject, realm, cluster, cti, key;
	struct hf__names names, permitted_names, permitted_realms;
	bool has_permitted_names, has_permitted_realms;
	uint64_t issued, not_before, not_after;
	unsigned usage;
	int path_length;
	uint16_t suites[HF_SUITES_MAX];
	size_t suites_n;
	unsigned cost_mib, cost_passes;
	/* Set by chain verification: what a ticket keeps of the chain. */
	uint8_t origin[HF_CHAIN_MAX][HF_ORIGIN_BYTES];
	size_t origin_n;
	uint64_t chain_not_after;
};

/* Text may be a realm: in user@realm the last @ stands before it. */
bool hf__realm_ok(const uint8_t *, size_t);
enum hf_err hf__cert_parse(struct hf__cert *, const uint8_t *, size_t);
bool hf__cert_named(const struct hf__cert *, const char *name, size_t len);

/* A cache of signatures that verified: hashes of (key, object). */
enum { HF__CACHE_N = 256 };
struct hf__cache {
	uint8_t key[32]; /* random, so that nobody can aim at a slot */
	uint8_t entry[HF__CACHE_N][32];
	uint64_t hits;
};
void hf__cache_init(struct hf__cache *);

/* Whether the chain that a ticket came from is still good: its anchor is
 * believed, and no list that is held has one of its certificates. */
enum hf_err hf__origins_judge(const struct hf_trust *,
    const struct hf_ticket_info *, uint64_t now);
/* Verifies a chain; cache may be NULL. leaf views into chain[0]. */
enum hf_err hf__chain_verify(struct hf__cert *leaf, const struct hf_trust *,
    struct hf__cache *, const struct hf_span *chain, size_t n, unsigned usage,
    const char *name, uint64_t now);

/* ticket.c ------------------------------------------------------------------- */

struct hf_ring {
	struct hf__ring_key {
		uint8_t kid[HF__KID_BYTES], key[32];
		uint64_t created;
	} keys[HF_RING_MAX];
	size_t n;
};

/* Opens a ticket as a token; info and its proof-of-possession key.
 * HF_E_TICKET when it does not open or is not well formed inside. */
enum hf_err hf__ticket_open(struct hf_ticket_info *, uint8_t pop[32],
    const struct hf_ring *, struct hf_span ticket);
/* A ticket file's secret parts, as views into it. */
struct hf__ticket_file {
	struct hf_span ticket, key, subject, audience;
	uint64_t issued, expires, limit;
	int single_use;
};
enum hf_err hf__ticket_file_read(struct hf__ticket_file *, const uint8_t *,
    size_t);

/* token.c: the token inside a request ---------------------------------------- */

struct hf__token {
	enum hf_method method;
	struct hf_span chain[HF_CHAIN_MAX]; /* certificate */
	size_t chain_n;
	struct hf_span user;	 /* password forms */
	struct hf_span password; /* stretched (32 bytes), or as typed */
	struct hf_span ticket;
};

void hf__token_write(struct hf__writer *, const struct hf__token *);
void hf__token_read(struct hf__reader *, struct hf__token *);

/* cookie.c -------------------------------------------------------------------- */

void hf__cookie_make(uint8_t cookie[HF__COOKIE_BYTES], const uint8_t key[32],
    enum hf__type, struct hf_span source, uint64_t now);
bool hf__cookie_valid(struct hf_span cookie, const uint8_t key[32],
    enum hf__type, struct hf_span source, uint64_t now);

/* vault.c: the keys of scopes (spec section 18) -------------------------------- */

struct hf__generation {
	uint32_t number;
	uint64_t not_after; /* what it sealed is refused from then; 0: never */
	uint8_t box_key[32], nonce_key[32], name_key[32];
};

struct hf__scope {
	struct hf_name name;
	struct hf_name target[HF_SCOPE_TARGETS_MAX];
	size_t target_n;    /* 0: every target */
	uint64_t not_after; /* of its grant; 0: none */
	struct hf__generation generation[HF_GENERATIONS_MAX];
	size_t generation_n; /* newest first */
};

struct hf_vault {
	struct hf_name cluster, owner;
	struct hf__scope scope[HF_SCOPES_MAX];
	size_t scope_n;
};

/* The scope of a target, with a key to seal; NULL for none. */
const struct hf__scope *hf__vault_scope(const struct hf_vault *,
    struct hf_span target, uint64_t now);
/* The one of that name; NULL for none. */
const struct hf__scope *hf__vault_find(const struct hf_vault *,
    const char *name);
/* Whether its keys may be used now. */
bool hf__scope_valid(const struct hf__scope *, uint64_t now);
bool hf__scope_serves(const struct hf__scope *, struct hf_span target);

/* state.c: a session as one sealed object (spec section 18) ------------------- */

struct hf__stored {
	/* in clear */
	const struct hf__scope *scope;
	uint8_t sid[HF_SID_BYTES], token[HF__TOKEN_BYTES];
	uint64_t epoch, expires;
	/* sealed */
	uint16_t suite;
	enum hf_mobility mobility;
	uint8_t secret[32];
	/* previous and serial are of an unconfirmed claim; or of an unconfirmed
	 * refresh, whose serial is 0 */
	bool unconfirmed;
	uint64_t previous_epoch, serial;
	uint8_t previous[32];
	struct hf__mark received, sent;
	unsigned closed;
	char target[HF_TARGET_MAX + 1];
	size_t target_len;
	/* the peer */
	enum hf_method method;
	char name[HF_NAME_MAX + 1], subject[HF__SUBJECT_MAX + 1];
	uint64_t authenticated, not_after;
	bool has_key;
	uint8_t key[32];
	uint8_t origin[HF_CHAIN_MAX][HF_ORIGIN_BYTES];
	size_t origin_n;
	bool has_ticket;
	unsigned first_method;
	int single_use;
	uint64_t first_auth, limit;
};

/* Bits of `closed`: whose close. */
enum { HF__CLOSED_I = 1, HF__CLOSED_R = 2 };

enum { HF__STATE_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
/* Keyed, and over all that is sealed with it: a machine that was cloned, or
 * whose random source repeats, gives no nonce to two different plaintexts. */
enum hf_err hf__state_nonce(uint8_t nonce[HF__STATE_NONCE],
    const uint8_t key[32], struct hf_span aad, struct hf_span plain);
void hf__write_mark(struct hf__writer *, const struct hf__mark *);
void hf__read_mark(struct hf__reader *, struct hf__mark *);
/* Seals under the newest generation of its scope: HF_E_EXPIRED where that is
 * void, or none. */
enum hf_err hf__state_seal(uint8_t out[HF_ENTRY_MAX], size_t *len,
    const struct hf_vault *, const struct hf__stored *, uint64_t now);
/* HF_E_ENTRY for whatever is wrong with it. */
enum hf_err hf__state_open(struct hf__stored *, const struct hf_vault *,
    const uint8_t *entry, size_t len, uint64_t now);

/* rest.c: an initiator's session at rest (spec section 21.5) ------------------ */

struct hf__rested {
	/* in clear */
	char peer[HF_NAME_MAX + 1];
	size_t peer_len;
	uint8_t sid[HF_SID_BYTES];
	uint64_t expires;
	/* sealed */
	uint16_t suite;
	enum hf_mobility mobility;
	bool channels;
	uint64_t epoch, serial; /* serial: the last one used */
	uint8_t secret[32];
	struct hf__mark sent, acked, received;
	uint64_t covered;
	unsigned closed;
	uint8_t settings[32]; /* a hash of what it was told to be */
	char target[HF_TARGET_MAX + 1];
	size_t target_len;
	uint8_t leaf[HF_CERT_MAX];
	size_t leaf_len;
	uint8_t origin[HF_CHAIN_MAX][HF_ORIGIN_BYTES];
	size_t origin_n;
};

enum hf_err hf__rest_seal(uint8_t out[HF_REST_MAX], size_t *len,
    const struct hf__rested *, const uint8_t key[32]);
/* HF_E_ENTRY for whatever is wrong with it, and where it is another peer's. */
enum hf_err hf__rest_open(struct hf__rested *, const char *peer,
    const uint8_t *bytes, size_t len, const uint8_t key[32]);

#endif
