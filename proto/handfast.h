/* SPDX-License-Identifier: ISC */
/**
 * @file handfast.h
 * The whole public interface of libhandfast.
 *
 * libhandfast sets up and runs mutually authenticated sessions. It owns no
 * file descriptor, clock, thread or environment: the caller owns the socket,
 * the clock and the waiting. A session is a state machine that says what it
 * wants; the caller brings it and asks again:
 *
 *     for (;;) switch (hf_session_want(s)) {
 *     case HF_WANT_WRITE:  hf_session_output(), write, hf_session_drained()
 *     case HF_WANT_READ:   read, hf_session_feed()
 *     case HF_WANT_ADMIT:  hf_session_admit()      (responder: a stranger)
 *     case HF_WANT_TRUST:  hf_session_trust()      (who the peer says he is)
 *     case HF_WANT_STATE:  hf_session_supply()     (a stored session)
 *     case HF_WANT_COMMIT: hf_session_commit()     (burn the ticket, claim)
 *     case HF_WANT_RECV:   hf_session_recv()       (a record was opened)
 *     case HF_WANT_DONE:   hf_session_send(), or wait for more to feed
 *     case HF_WANT_CLOSED: both directions were closed by their senders
 *     case HF_WANT_FAILED: hf_session_error(); drain once more, then free
 *     }
 *
 * Conventions. Outputs come before inputs. `len` counts bytes, `n` items,
 * `cap` is room. Times: `ms` are milliseconds of a monotonic clock, `now` and
 * every validity time are seconds since 1970-01-01 00:00 UTC. Text is UTF-8;
 * where a function takes `const char *` without a length it is NUL-terminated.
 * A view (struct hf_span) borrows: its owner and lifetime are said where it
 * is handed out. Every result must be used. Unless a function says more it
 * returns HF_OK, HF_E_ARG for an argument out of its range, HF_E_MEMORY when
 * memory ran out, and HF_E_SPACE when `cap` is too small (`*len` then holds
 * what is needed and nothing else has changed).
 *
 * Threads: different objects may be used by different threads at once. An
 * identity, a trust, a ring and a vault may be read by many threads as long as
 * none changes them; a config and its sessions belong to one thread at a time,
 * and so do a mux and its channels, a replay cache, and a table of limits.
 *
 * Memory: a call that says HF_E_MEMORY has leaked nothing. A session has then
 * failed; any other object can still be used. A session in the caller's memory
 * (hf_session_place()) allocates nothing afterwards.
 */
#ifndef HANDFAST_H
#define HANDFAST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The compiler warns where a result is ignored. */
#if defined(__GNUC__)
#define HF_MUST_USE __attribute__((warn_unused_result))
#else
#define HF_MUST_USE
#endif

/** Sizes and limits (spec/handfast.md, section 13). */
enum hf_limits {
	HF_VERSION_PROTOCOL = 1,   /**< the protocol's version on the wire */
	HF_SEED_BYTES = 32,	   /**< an identity's seed */
	HF_KEY_BYTES = 32,	   /**< symmetric keys, public keys, hashes */
	HF_SID_BYTES = 16,	   /**< a session id */
	HF_KEY_ID_BYTES = 16,	   /**< a certificate, in a request */
	HF_CTI_BYTES = 16,	   /**< a certificate's or ticket's id */
	HF_ORIGIN_BYTES = 32,	   /**< where a ticket's holder came from */
	HF_FINGERPRINT_BYTES = 32, /**< what a replay cache remembers */
	HF_NAME_MAX = 255,	   /**< bytes of a name, realm, cluster */
	HF_USER_MAX = 64,	   /**< bytes of a user name */
	HF_PASSWORD_MAX = 1024,	   /**< bytes of a password as typed */
	HF_TARGET_MAX = 255,	   /**< bytes of a target */
	HF_NAMES_MAX = 8,	   /**< names beside the subject */
	HF_CHAIN_MAX = 4,	   /**< certificates in a chain */
	HF_CERT_MAX = 2048,	   /**< bytes of a certificate */
	HF_TICKET_MAX = 1024,	   /**< bytes of a ticket as sent */
	HF_LIST_MAX = 1 << 20,	   /**< bytes of a revocation list */
	HF_SUITES_MAX = 8,	   /**< suites in a hello or certificate */
	HF_EXTENSIONS_MAX = 16,	   /**< entries of an extension map */
	HF_MESSAGE_MAX = 16384,	   /**< bytes of a handshake message */
	HF_PLAINTEXT_MAX = 65536,  /**< bytes of data in one record */
	HF_RECORD_MAX = 65576,	   /**< bytes of one record on the wire */
	HF_EXPORT_MAX = 8160,	   /**< bytes of exported key material */
	HF_ENTRY_MAX = 4096,	   /**< bytes of a stored session */
	HF_REST_MAX = 4096,	   /**< bytes of a session at rest */
	HF_SCOPES_MAX = 16,	   /**< scopes of a vault */
	HF_SCOPE_TARGETS_MAX = 16, /**< targets of a scope */
	HF_GENERATIONS_MAX = 8,	   /**< keys of a scope that are kept */
	HF_SOURCE_MAX = 64,	   /**< bytes of a peer's address */
	HF_CHANNELS_MAX = 1024,	  /**< channels of a side, not over, at once */
	HF_LABEL_MAX = 64,	  /**< bytes of a channel's label */
	HF_CREDIT_FIRST = 65536,  /**< bytes that follow an open at once */
	HF_CREDIT_MAX = 16777216, /**< bytes of credit of one direction */
	HF_QUANTUM = 16384, /**< bytes of a channel before the next one */
	HF_FRAMES_MIN = 128 /**< room that hf_mux_output() needs */
};

/**
 * Every result: name, number, exit code of the program, text. 1 to 31 are the
 * caller's faults, 32 to 63 the peer's, 64 to 95 the environment's. The text
 * names no secret and no input. (spec section 12)
 */
#define HF_ERRORS(X)                                                          \
	X(HF_OK, 0, 0, "no error")                                            \
	X(HF_E_ARG, 1, 2, "an argument is out of its range")                  \
	X(HF_E_STATE, 2, 2, "the call does not fit the session's state")      \
	X(HF_E_SPACE, 3, 2, "the buffer is too small")                        \
	X(HF_E_CONFIG, 4, 2, "the configuration lacks what this role needs")  \
	X(HF_E_OWN_CERT, 5, 5,                                                \
	    "the own certificate does not fit its key or its use")            \
	X(HF_E_OWN_EXPIRED, 6, 7,                                             \
	    "the own certificate or ticket is not valid now")                 \
	X(HF_E_POLICY, 7, 5, "refused by local policy")                       \
	X(HF_E_PASSPHRASE, 8, 5, "the passphrase does not open the key")      \
	X(HF_E_CBOR, 32, 6, "not deterministically encoded CBOR")             \
	X(HF_E_SHAPE, 33, 6, "a field has a wrong type, size or value")       \
	X(HF_E_UNEXPECTED, 34, 6, "a message that has no place here")         \
	X(HF_E_TOO_BIG, 35, 6, "a message is larger than allowed")            \
	X(HF_E_VERSION, 36, 4, "the protocol version is not supported")       \
	X(HF_E_SUITE, 37, 4, "not the best suite both sides have")            \
	X(HF_E_EXTENSION, 38, 6, "an unknown critical extension")             \
	X(HF_E_BOX, 39, 6, "a sealed part does not open")                     \
	X(HF_E_PUBLIC_KEY, 40, 6, "a public key has small order")             \
	X(HF_E_OBJECT, 41, 6,                                                 \
	    "a certificate, request, list or ticket is not well formed")      \
	X(HF_E_SIGNATURE, 42, 4, "a signature is wrong")                      \
	X(HF_E_ISSUER, 43, 4, "no trusted authority issued the certificate")  \
	X(HF_E_EXPIRED, 44, 7, "expired")                                     \
	X(HF_E_NOT_YET, 45, 7, "not yet valid")                               \
	X(HF_E_REVOKED, 46, 4, "the certificate is revoked")                  \
	X(HF_E_STALE_LIST, 47, 4, "the revocation list is out of date")       \
	X(HF_E_USAGE, 48, 4, "the certificate is not for this use")           \
	X(HF_E_CONSTRAINT, 49, 4,                                             \
	    "an authority above the certificate does not permit it")          \
	X(HF_E_NAME, 50, 4, "the peer has another name than expected")        \
	X(HF_E_TOKEN, 51, 4, "this kind of token is not accepted here")       \
	X(HF_E_PASSWORD, 52, 4, "unknown user or wrong password")             \
	X(HF_E_TICKET, 53, 4, "the ticket is not one for this responder")     \
	X(HF_E_TICKET_USED, 54, 7, "the single-use ticket was used before")   \
	X(HF_E_TIME, 55, 7, "the peer's clock is too far off")                \
	X(HF_E_REPLAY, 56, 7, "the request was seen before")                  \
	X(HF_E_LIMITED, 57, 4, "too many refused attempts")                   \
	X(HF_E_REFUSED, 58, 4, "the other side refused")                      \
	X(HF_E_UNKNOWN_KEY, 59, 4, "the request is sealed to an unknown key") \
	X(HF_E_TRUNCATED, 60, 3, "the stream ended without its close")        \
	X(HF_E_NO_SESSION, 61, 4, "there is no such session to go on with")   \
	X(HF_E_ROLLBACK, 62, 8, "the session's state is older than it was")   \
	X(HF_E_TARGET, 63, 4, "nobody there serves that target")              \
	X(HF_E_STORE, 64, 8, "the store failed, here or at the other side")   \
	X(HF_E_MEMORY, 65, 3, "out of memory")                                \
	X(HF_E_CRYPTO, 66, 3, "the crypto library failed")                    \
	X(HF_E_DEADLINE, 67, 3, "the handshake took too long")                \
	X(HF_E_GONE, 68, 3, "the other side went away during the handshake")  \
	X(HF_E_UNSUPPORTED, 69, 2, "this build or processor cannot do that")  \
	X(HF_E_EXHAUSTED, 70, 3, "the session has no sequence numbers left")  \
	X(HF_E_IO, 71, 3, "input or output failed")                           \
	X(HF_E_FENCED, 72, 8, "another server has taken the session over")    \
	X(HF_E_ENTRY, 73, 8, "a stored session does not open")                \
	X(HF_E_AGAIN, 80, 3, "nothing can be done now without waiting")       \
	X(HF_E_NO_AGENT, 81, 3, "there is no agent to ask")                   \
	X(HF_E_AGENT_GONE, 82, 3,                                             \
	    "the agent has ended, and the channel with it")                   \
	X(HF_E_QUOTA, 83, 5, "this application has as much as it may have")   \
	X(HF_E_RESET, 84, 3, "the channel was given up before its end")

/** One result code for everything; see HF_ERRORS. */
enum hf_err {
#define HF__ENUM(name, number, exit_code, text) name = number,
	HF_ERRORS(HF__ENUM)
#undef HF__ENUM
};

/** A borrowed run of bytes. */
struct hf_span {
	const uint8_t *ptr; /**< the first byte */
	size_t len;	    /**< how many */
};

/** Which side of the handshake a session or config plays. */
enum hf_role { HF_INITIATOR = 1, HF_RESPONDER = 2 };

/** What a certificate may be used for; bits. (spec section 5.2) */
enum hf_usage {
	HF_USAGE_RESPONDER = 1,
	HF_USAGE_INITIATOR = 2,
	HF_USAGE_CA = 4,
	HF_USAGE_SERVER = 8,  /**< may hold a cluster's sessions */
	HF_USAGE_CLUSTER = 16 /**< signs key grants only */
};

/** How a peer authenticated; also bits for hf_config_accept(). */
enum hf_method {
	HF_METHOD_CERTIFICATE = 1,
	HF_METHOD_PASSWORD = 2,	      /**< stretched by the client */
	HF_METHOD_PLAIN_PASSWORD = 4, /**< sent as typed, always to a prekey */
	HF_METHOD_TICKET = 8
};

/** Whether a session may move to another server (spec section 4.5). */
enum hf_mobility { HF_MOVES_NOT = 0, HF_MOVES_SOFT = 1, HF_MOVES_PROVED = 2 };

/** What a session needs next. */
enum hf_want {
	HF_WANT_READ = 1, /**< bytes from the peer: hf_session_feed() */
	HF_WANT_WRITE,	  /**< output waits: hf_session_output() */
	HF_WANT_ADMIT,	  /**< responder: hf_session_admit() */
	HF_WANT_TRUST,	  /**< hf_session_trust() or the like */
	HF_WANT_STATE,	  /**< responder: hf_session_supply() */
	HF_WANT_COMMIT,	  /**< responder: hf_session_commit() */
	HF_WANT_RECV,	  /**< a record waits: hf_session_recv() */
	HF_WANT_DONE,	  /**< established: send, or feed what arrives */
	HF_WANT_CLOSED,	  /**< both directions are closed */
	HF_WANT_FAILED	  /**< see hf_session_error() */
};

/** Answers to HF_WANT_ADMIT. */
enum hf_admission {
	HF_ADMIT = 1,	 /**< go on */
	HF_ADMIT_COOKIE, /**< first show a cookie (the responder is busy) */
	HF_ADMIT_REPLAY, /**< seen before: fails with HF_E_REPLAY */
	HF_ADMIT_LIMIT	 /**< too many failures: fails with HF_E_LIMITED */
};

/** What hf_session_recv() hands out. */
enum hf_content {
	HF_CONTENT_DATA = 1,
	HF_CONTENT_CLOSE = 2,	/**< the peer will send nothing more */
	HF_CONTENT_ACK = 3,	/**< see hf_session_acked(); no data */
	HF_CONTENT_CHANNEL = 4, /**< for hf_mux_feed() */
	HF_CONTENT_TICKET =
	    5,		      /**< bytes of a ticket file (spec section 7.3) */
	HF_CONTENT_QUERY = 7, /**< go on with another server: no data */
	HF_CONTENT_REFRESH =
	    8 /**< see hf_session_strength(); nothing for the application */
};

/** What HF_WANT_COMMIT asks for. */
enum hf_commit {
	HF_COMMIT_TICKET = 1, /**< burn the single-use ticket */
	HF_COMMIT_CLAIM,      /**< put hf_session_entry() in the place of the
				 entry that was supplied */
	HF_COMMIT_CONFIRM     /**< and now in the place of the claim */
};

/** @name Library */ /** @{ */

/** The library's version, "major.minor.patch". Static. */
const char *hf_version(void);
/** Prepares libsodium. Call it before anything else; again does no harm.
 * @return HF_OK or HF_E_CRYPTO */
HF_MUST_USE enum hf_err hf_init(void);
/** The name of a result ("HF_E_ARG"); "HF_E_?" for no known one. Static. */
const char *hf_error_name(int err);
/** One line of text for a result. Static. */
const char *hf_error_text(int err);
/** The program's exit code for a result (0, 2 to 8). */
int hf_error_exit(int err);
/** The n-th known result, for tables and bindings; -1 past the end. */
int hf_error_at(size_t n);
/** A constant of this header by its name ("HF_CERT_MAX", "HF_WANT_READ"), for
 * languages that cannot read it; -1 for no such name. Results are not among
 * them: hf_error_at(), hf_error_name(). */
int64_t hf_constant(const char *name);
/** "certificate", "password", "plain-password", "ticket"; "none" otherwise. */
const char *hf_method_name(int method);

/** The name of a suite ("x25519-chacha20poly1305"), also of one that this
 * build lacks; NULL for a number the specification does not know. Static. */
const char *hf_suite_name(int suite);
/** 1 when this build and this processor can run the suite, else 0. */
int hf_suite_available(int suite);

/** @} */
/** @name Text files (RFC 7468) */ /** @{ */

/** Writes one textual block, NUL-terminated. @p len excludes the NUL, `cap`
 * must hold it. @p label is for example "HANDFAST CERTIFICATE". */
HF_MUST_USE enum hf_err hf_pem_encode(char *out, size_t cap, size_t *len,
    const char *label, const uint8_t *data, size_t data_len);
/** Reads the next block with @p label from text; @p used says how far it got.
 * @return HF_OK; HF_E_OBJECT when there is no (further) such block or it is
 * not well formed; HF_E_SPACE */
HF_MUST_USE enum hf_err hf_pem_decode(uint8_t *out, size_t cap, size_t *len,
    size_t *used, const char *label, const char *text, size_t text_len);

/** @} */
/** @name Identities (spec section 5.1) */ /** @{ */

/** A long-term key pair: an Ed25519 seed and the X25519 key it converts to.
 * Secret parts live in sodium_malloc memory. */
struct hf_identity;

/** Makes an identity from @p seed, or from fresh randomness when NULL. */
HF_MUST_USE enum hf_err hf_identity_new(struct hf_identity **id,
    const uint8_t seed[HF_SEED_BYTES]);
/** Wipes and frees; accepts NULL. */
void hf_identity_free(struct hf_identity *id);
/** Writes the identity as a text block, sealed under @p pass when it is not
 * NULL (Argon2id, XChaCha20-Poly1305). The output is secret: wipe it. */
HF_MUST_USE enum hf_err hf_identity_encode(char *out, size_t cap, size_t *len,
    const struct hf_identity *id, const char *pass, size_t pass_len);
/** Reads what hf_identity_encode() wrote.
 * @return HF_OK; HF_E_PASSPHRASE when a passphrase is needed (@p pass is
 * NULL) or does not open it; HF_E_OBJECT */
HF_MUST_USE enum hf_err hf_identity_decode(struct hf_identity **id,
    const char *text, size_t text_len, const char *pass, size_t pass_len);
/** The Ed25519 and X25519 public keys; either output may be NULL. */
void hf_identity_public(uint8_t ed25519[HF_KEY_BYTES],
    uint8_t x25519[HF_KEY_BYTES], const struct hf_identity *id);

/** @} */
/** @name Certificates (spec section 5) */ /** @{ */

/** A name with its length; NUL-terminated, so also a C string. */
struct hf_name {
	size_t len;		    /**< 0: absent */
	char text[HF_NAME_MAX + 1]; /**< UTF-8 */
};

/** What a certificate says. All of it is copied: nothing borrows. */
struct hf_cert_info {
	struct hf_name issuer;		    /**< the subject of the CA above */
	struct hf_name subject;		    /**< whom it names */
	struct hf_name names[HF_NAMES_MAX]; /**< beside the subject */
	size_t names_n;			    /**< how many */
	struct hf_name realm;		    /**< of its users: no \@ */
	struct hf_name cluster;		    /**< of servers it belongs to */
	struct hf_name permitted_names[HF_NAMES_MAX];  /**< CA: suffixes */
	size_t permitted_names_n;		       /**< how many */
	struct hf_name permitted_realms[HF_NAMES_MAX]; /**< CA: realms */
	size_t permitted_realms_n;		       /**< how many */
	uint8_t cti[HF_CTI_BYTES];		       /**< its id */
	uint8_t key[HF_KEY_BYTES]; /**< X25519; Ed25519 for ca and cluster */
	uint64_t issued,	   /**< when it was made */
	    not_before,		   /**< from when it is valid */
	    not_after;		   /**< from when no more */
	unsigned usage;		   /**< HF_USAGE_ bits */
	int path_length;	   /**< CA: CAs below; -1: unlimited */
	uint16_t suites[HF_SUITES_MAX]; /**< best first */
	size_t suites_n;		/**< how many */
	unsigned cost_mib, /**< of passwords; 0, 0: the default, 64 and 2 */
	    cost_passes;   /**< Argon2id's */
};

/** Reads a certificate without judging it.
 * @return HF_OK or HF_E_OBJECT, HF_E_CBOR, HF_E_SHAPE */
HF_MUST_USE enum hf_err hf_cert_read(struct hf_cert_info *info,
    const uint8_t *cert, size_t len);
/** 1 when @p name is the subject, one of the names or the cluster. */
int hf_cert_named(const struct hf_cert_info *info, const char *name);

/** Makes a certificate request, signed by the identity. Only `subject`,
 * `names` and `suites` of @p info are read.
 * @param now seconds since the epoch */
HF_MUST_USE enum hf_err hf_request_make(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *id, const struct hf_cert_info *info,
    uint64_t now);
/** Reads a request and verifies its signature; fills subject, names and
 * suites, `issued`, and `key` with the requester's Ed25519 key.
 * @return HF_OK, HF_E_OBJECT, HF_E_CBOR, HF_E_SIGNATURE, HF_E_PUBLIC_KEY */
HF_MUST_USE enum hf_err hf_request_read(struct hf_cert_info *info,
    const uint8_t *request, size_t len);

/** Issues a certificate to the key of a verified @p request.
 * `names`, `suites`, `usage`, times, `realm`, `cluster`, cost, `path_length`
 * and permitted lists come from @p terms; issuer comes from @p ca_cert, the
 * key and (where terms has none) the subject from the request; the id is
 * random. Refuses what the CA certificate itself does not permit.
 * @return HF_OK; the errors of hf_request_read(); HF_E_OWN_CERT when ca_cert
 * is not this CA's; HF_E_CONSTRAINT */
HF_MUST_USE enum hf_err hf_cert_issue(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *ca, const uint8_t *ca_cert, size_t ca_cert_len,
    const struct hf_cert_info *terms, const uint8_t *request,
    size_t request_len);
/** Makes a self-signed CA certificate from @p terms. */
HF_MUST_USE enum hf_err hf_cert_self(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *ca, const struct hf_cert_info *terms);
/** Makes a revocation list.
 * @param number rises with every list of this CA
 * @param ids n certificate ids, HF_CTI_BYTES each
 * @param now, next_update when it is made, and until when it may be used */
HF_MUST_USE enum hf_err hf_list_make(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *ca, const uint8_t *ca_cert, size_t ca_cert_len,
    uint64_t number, const uint8_t *ids, size_t n, uint64_t now,
    uint64_t next_update);
/** What a revocation list says. `ids` borrows from the list's bytes: n
 * entries of 1 + HF_CTI_BYTES bytes each, the first of them CBOR's head. */
struct hf_list_info {
	struct hf_name issuer; /**< the CA's subject */
	uint64_t number,       /**< rises with every list of a CA */
	    issued,	       /**< when it was made */
	    next_update;       /**< until when it may be used */
	size_t n;	       /**< certificates that are revoked */
	struct hf_span ids;    /**< see above */
};
/** Reads a list without judging its signature. */
HF_MUST_USE enum hf_err hf_list_read(struct hf_list_info *info,
    const uint8_t *list, size_t len);
/** Copies the i-th id of a list. @return HF_OK or HF_E_ARG */
HF_MUST_USE enum hf_err hf_list_id(uint8_t cti[HF_CTI_BYTES],
    const struct hf_list_info *info, size_t i);

/** Authorities that are believed, and their revocation lists. */
struct hf_trust;

/** Believes nobody yet. */
HF_MUST_USE enum hf_err hf_trust_new(struct hf_trust **trust);
/** Accepts NULL. */
void hf_trust_free(struct hf_trust *trust);
/** Believes a self-signed CA certificate (its signature is checked).
 * @return HF_OK, HF_E_USAGE when it is no CA, HF_E_ISSUER when another issued
 * it, HF_E_SIGNATURE, HF_E_OBJECT */
HF_MUST_USE enum hf_err hf_trust_add_ca(struct hf_trust *trust,
    const uint8_t *cert, size_t len);
/** Adds the revocation list of a CA; a newer one replaces an older one.
 * For an intermediate CA give its certificate first (hf_trust_add_issuer()).
 * From then on certificates by that CA are refused when the list is stale.
 * @return HF_OK, HF_E_ISSUER, HF_E_SIGNATURE, HF_E_STALE_LIST for
 * another list whose number is not above that of the one held, HF_E_OBJECT */
HF_MUST_USE enum hf_err hf_trust_add_list(struct hf_trust *trust,
    const uint8_t *list, size_t len);
/** For who reads its files anew: whether each list in @p trust would have taken
 * the place of the one that @p before has of the same CA. One of a CA that
 * @p trust has no list of is not missed.
 * @return HF_OK, HF_E_STALE_LIST, HF_E_ARG */
HF_MUST_USE enum hf_err hf_trust_supersedes(const struct hf_trust *trust,
    const struct hf_trust *before);
/** Makes an intermediate CA known, so that its list can be added. It is not
 * believed itself: chains must still carry it, up to an anchor.
 * @param now it must be valid at that time, below an anchor (and the
 * intermediates made known before)
 * @return as hf_trust_verify() */
HF_MUST_USE enum hf_err hf_trust_add_issuer(struct hf_trust *trust,
    const uint8_t *cert, size_t len, uint64_t now);
/** Verifies a chain, leaf first, at time @p now (spec section 5.4).
 * @param info what the leaf says; may be NULL
 * @param usage HF_USAGE_ bits that the leaf must all have
 * @param name expected name, or NULL for any
 * @return HF_OK or the exact reason */
HF_MUST_USE enum hf_err hf_trust_verify(struct hf_cert_info *info,
    const struct hf_trust *trust, const struct hf_span *chain, size_t n,
    unsigned usage, const char *name, uint64_t now);

/** @} */
/** @name Passwords (spec section 6) */ /** @{ */

/** HF_OK when @p user is 1 to 64 of [a-z0-9._@+-], else HF_E_ARG. */
HF_MUST_USE enum hf_err hf_user_check(const char *user, size_t len);
/** Stretches a password by Argon2id: the client's work, 64 MiB by default.
 * @param realm without an \@
 * @param mib memory, 64 to 1024; @param passes 2 to 10; 0, 0: the default */
HF_MUST_USE enum hf_err hf_password_stretch(uint8_t stretched[HF_KEY_BYTES],
    const char *password, size_t password_len, const char *realm,
    const char *user, unsigned mib, unsigned passes);
/** What a responder stores: a hash of the stretched password. */
HF_MUST_USE enum hf_err hf_password_verifier(uint8_t verifier[HF_KEY_BYTES],
    const uint8_t stretched[HF_KEY_BYTES]);

/** @} */
/** @name Tickets (spec section 7) */ /** @{ */

/** The keys that seal tickets: newest first, at most HF_RING_MAX. */
struct hf_ring;
enum { HF_RING_MAX = 4 };

/** A ring without keys. */
HF_MUST_USE enum hf_err hf_ring_new(struct hf_ring **ring);
/** Wipes and frees; accepts NULL. */
void hf_ring_free(struct hf_ring *ring);
/** Puts a fresh key in front; the oldest beyond HF_RING_MAX is dropped. */
HF_MUST_USE enum hf_err hf_ring_rotate(struct hf_ring *ring, uint64_t now);
/** How many keys the ring holds. */
size_t hf_ring_count(const struct hf_ring *ring);
/** Writes the ring as a text block. The output is secret: wipe it. */
HF_MUST_USE enum hf_err hf_ring_encode(char *out, size_t cap, size_t *len,
    const struct hf_ring *ring);
/** Reads what hf_ring_encode() wrote. @return HF_OK or HF_E_OBJECT */
HF_MUST_USE enum hf_err hf_ring_decode(struct hf_ring **ring, const char *text,
    size_t text_len);

/** What a ticket says. */
struct hf_ticket_info {
	struct hf_name subject;	 /**< whom it lets in */
	struct hf_name audience; /**< a name or cluster of the responder */
	uint64_t issued,	 /**< when it was made */
	    expires;		 /**< from when it is void */
	uint64_t limit;		 /**< no renewal outlives this */
	uint64_t first_auth;	 /**< when its holder first authenticated */
	unsigned first_method; /**< enum hf_method, 0: issued by an operator */
	int single_use;	       /**< 1: good for one session */
	uint8_t cti[HF_CTI_BYTES]; /**< its id */
	/** Of the certificates by which its holder first authenticated: 16
	 * bytes of the issuer's key, then the certificate's id. The ticket ends
	 * with their revocation. */
	uint8_t origin[HF_CHAIN_MAX][HF_ORIGIN_BYTES];
	size_t origin_n; /**< how many; 0 without a certificate */
};
/** Issues a ticket file: the sealed ticket, its proof-of-possession key and
 * what the holder may know. The output is a private key: wipe it. `cti` of
 * @p info is ignored (random), as is `limit` 0 (then `expires`).
 * @return HF_OK; HF_E_CONFIG for a ring without keys; HF_E_ARG */
HF_MUST_USE enum hf_err hf_ticket_issue(uint8_t *out, size_t cap, size_t *len,
    const struct hf_ring *ring, const struct hf_ticket_info *info);
/** Reads the holder's part of a ticket file (not what only the ring opens).
 * @return HF_OK, HF_E_OBJECT, HF_E_CBOR, HF_E_SHAPE */
HF_MUST_USE enum hf_err hf_ticket_read(struct hf_ticket_info *info,
    const uint8_t *file, size_t len);

/** @} */
/** @name Stored sessions (spec section 18) */ /** @{ */

/** Which scopes a server may hold sessions of, and their keys; in
 * sodium_malloc memory. It may be read by many threads while none changes it.
 */
struct hf_vault;

/** @param cluster the name in the `cluster` claim of its servers
 * @param owner this server's name, for others to see */
HF_MUST_USE enum hf_err hf_vault_new(struct hf_vault **vault,
    const char *cluster, const char *owner);
/** Wipes and frees; accepts NULL. */
void hf_vault_free(struct hf_vault *vault);
/** Adds a scope. A session belongs to the first scope that serves its target.
 * @param targets the n targets among which a session moves; n 0: all
 * @return HF_OK; HF_E_ARG, also when it is there; HF_E_SPACE */
HF_MUST_USE enum hf_err hf_vault_scope(struct hf_vault *vault,
    const char *scope, const char *const *targets, size_t n);
/** Gives a scope a key, or that generation another one. States are sealed
 * under the newest; of more than HF_GENERATIONS_MAX the oldest is dropped.
 * @param not_after what it sealed is refused from then; 0: never
 * @return HF_OK; HF_E_ARG; HF_E_SPACE when it would be the oldest */
HF_MUST_USE enum hf_err hf_vault_key(struct hf_vault *vault, const char *scope,
    uint32_t generation, const uint8_t key[HF_KEY_BYTES], uint64_t not_after);
/** Whether an entry says that it was sealed under a newer key of a scope that
 * this has: who has not heard of it yet reads his key grants again (spec section
 * 19.3). @return 1 or 0, also for what is no entry */
int hf_vault_lacks(const struct hf_vault *vault, const uint8_t *entry,
    size_t len);
/** A hash of @p data that all who hold the same keys make, and who reads only
 * the store cannot: for names that a store must not show (spec section 10.4).
 * The key is the oldest one in force of the scope whose name is the first.
 * @return HF_OK; HF_E_ARG; HF_E_EXPIRED where no key is in force */
HF_MUST_USE enum hf_err hf_vault_hash(uint8_t out[HF_KEY_BYTES],
    const struct hf_vault *vault, const uint8_t *data, size_t len,
    uint64_t now);

enum { HF_OWNER_TOKEN_BYTES = 16 };

/** What of a stored session anyone can read, and nobody needs to believe. */
struct hf_entry_info {
	struct hf_name cluster, scope;	     /**< where it may move */
	struct hf_name owner;		     /**< the server that wrote it */
	uint8_t sid[HF_SID_BYTES];	     /**< the session's id */
	uint8_t token[HF_OWNER_TOKEN_BYTES]; /**< of the owner's claim */
	uint32_t generation;		     /**< which key sealed it */
	uint64_t epoch,			     /**< how often it moved */
	    expires;			     /**< when the session ends */
};
/** Reads what is in clear. @return HF_OK or HF_E_ENTRY */
HF_MUST_USE enum hf_err hf_entry_read(struct hf_entry_info *info,
    const uint8_t *entry, size_t len);
/** The same, and believed: the seal was opened. @return HF_OK or HF_E_ENTRY */
HF_MUST_USE enum hf_err hf_entry_open(struct hf_entry_info *info,
    const struct hf_vault *vault, const uint8_t *entry, size_t len,
    uint64_t now);

/** @} */
/** @name Clusters (spec section 19) */ /** @{ */

/** The keys of one scope for one member of a cluster. With keys it is secret:
 * wipe it. */
struct hf_keygrant {
	struct hf_name cluster, scope; /**< whose, and which */
	uint64_t serial;	       /**< rises with every change */
	uint8_t member[HF_KEY_BYTES];  /**< the hash of its certificate */
	struct hf_name target[HF_SCOPE_TARGETS_MAX]; /**< it serves these */
	size_t target_n;			     /**< 0: every target */
	struct {
		uint32_t number;	   /**< falling */
		uint64_t cut_off;	   /**< 0, or when it is refused */
		uint8_t key[HF_KEY_BYTES]; /**< secret */
	} generation[HF_GENERATIONS_MAX];  /**< newest first */
	size_t generation_n;		   /**< at least 1 */
	uint64_t not_after;		   /**< from then it is void */
};
/** Makes a grant. `member` of @p grant is ignored: it is the hash of the
 * certificate @p member, to whose key the grant is sealed.
 * @return HF_OK; HF_E_ARG; HF_E_PUBLIC_KEY; HF_E_SPACE; the errors of
 * hf_cert_read() */
HF_MUST_USE enum hf_err hf_keygrant_make(uint8_t *out, size_t cap, size_t *len,
    const struct hf_identity *cluster, const struct hf_keygrant *grant,
    const uint8_t *member, size_t member_len);
/** What a grant says, but for its keys, without judging it.
 * @return HF_OK, HF_E_OBJECT, HF_E_CBOR */
HF_MUST_USE enum hf_err hf_keygrant_read(struct hf_keygrant *g,
    const uint8_t *grant, size_t len);
/** The same, and believed: the cluster, by its certificate, has signed it for
 * whichever member. @return HF_OK; HF_E_USAGE, HF_E_NAME for another's
 * certificate; HF_E_SIGNATURE; HF_E_OBJECT, HF_E_CBOR */
HF_MUST_USE enum hf_err hf_keygrant_verify(struct hf_keygrant *g,
    const uint8_t *grant, size_t len, struct hf_span cluster);
/** By what a grant is judged. */
struct hf_keygrant_judge {
	const struct hf_identity *identity; /**< the member's key */
	struct hf_span member;		    /**< its leaf certificate */
	struct hf_span cluster; /**< the cluster's, verified by the caller */
	uint64_t now;		/**< seconds since the epoch */
	uint64_t serial;	/**< the highest that all scopes had */
	uint32_t tolerance;	/**< seconds that clocks may differ */
	int own_copy; /**< the cluster's own: it may last longer than a day */
};
/** Verifies a grant and opens its keys.
 * @return HF_OK; HF_E_USAGE, HF_E_NAME for another's certificate;
 * HF_E_SIGNATURE; HF_E_UNKNOWN_KEY for another member's; HF_E_EXPIRED;
 * HF_E_NOT_YET; HF_E_ROLLBACK for a lower serial; HF_E_PUBLIC_KEY; HF_E_BOX;
 * HF_E_OBJECT, HF_E_CBOR */
HF_MUST_USE enum hf_err hf_keygrant_open(struct hf_keygrant *g,
    const uint8_t *grant, size_t len, const struct hf_keygrant_judge *by);
/** Adds the scope of an opened grant, and its keys, to a vault. */
HF_MUST_USE enum hf_err hf_vault_grant(struct hf_vault *vault,
    const struct hf_keygrant *grant);

/** @} */
/** @name Configuration */ /** @{ */

/** What all sessions of one role share: keys, trust, policy, and a cache of
 * signatures already verified. Borrowed objects must outlive it, and it must
 * outlive its sessions. */
struct hf_config;

/** A config of one role, with nothing in it but defaults. */
HF_MUST_USE enum hf_err hf_config_new(struct hf_config **config,
    enum hf_role role);
/** Wipes and frees; accepts NULL. */
void hf_config_free(struct hf_config *config);
/** Whom to believe. Borrowed. */
HF_MUST_USE enum hf_err hf_config_trust(struct hf_config *config,
    const struct hf_trust *trust);
/** The own key (borrowed) and chain (copied), leaf first. For an initiator
 * this chooses the certificate token.
 * @return HF_OK; HF_E_OWN_CERT when the leaf is not for this key or lacks the
 * role's usage; HF_E_OBJECT */
HF_MUST_USE enum hf_err hf_config_identity(struct hf_config *config,
    const struct hf_identity *id, const struct hf_span *chain, size_t n);
/** The suites offered or accepted, best first. Default: all available.
 * @return HF_OK, HF_E_UNSUPPORTED for one that is not available */
HF_MUST_USE enum hf_err hf_config_suites(struct hf_config *config,
    const uint16_t *suites, size_t n);
/** Handshakes not finished after @p ms fail. Default 10,000. */
HF_MUST_USE enum hf_err hf_config_deadline(struct hf_config *config,
    uint32_t ms);
/** Sends a meaningless extension in every message of the next sessions that
 * has room for one, so that no peer comes to depend on their absence. */
HF_MUST_USE enum hf_err hf_config_grease(struct hf_config *config, int on);
/** Initiator: the name that the responder's certificate must carry. */
HF_MUST_USE enum hf_err hf_config_expect(struct hf_config *config,
    const char *name);
/** Initiator: the realm that the responder's certificate must carry; no \@ is
 * in one. */
HF_MUST_USE enum hf_err hf_config_realm(struct hf_config *config,
    const char *realm);
/** Initiator: the target asked for. Default: the empty one. */
HF_MUST_USE enum hf_err hf_config_target(struct hf_config *config,
    const char *target);
/** Initiator: the responder's chain, known beforehand (copied): one round
 * trip, unless the token wants a prekey. n 0 forgets it. */
HF_MUST_USE enum hf_err hf_config_responder(struct hf_config *config,
    const struct hf_span *chain, size_t n);
/** Initiator: authenticate as @p user by password; the session asks for it
 * (HF_WANT_TRUST) when it knows whom it talks to.
 * @param method HF_METHOD_PASSWORD or HF_METHOD_PLAIN_PASSWORD */
HF_MUST_USE enum hf_err hf_config_user(struct hf_config *config,
    const char *user, enum hf_method method);
/** Initiator: allow a stretched password in one round trip, without the
 * prekey that protects it from a later leak of the responder's key. */
HF_MUST_USE enum hf_err hf_config_without_prekey(struct hf_config *config,
    int on);
/** Initiator: authenticate by ticket (the bytes of a ticket file, copied).
 * Where no name is expected, the ticket's audience is. */
HF_MUST_USE enum hf_err hf_config_ticket(struct hf_config *config,
    const uint8_t *file, size_t len);
/** Responder: which tokens are accepted; HF_METHOD_ bits. Default:
 * HF_METHOD_CERTIFICATE. */
HF_MUST_USE enum hf_err hf_config_accept(struct hf_config *config,
    unsigned methods);
/** Responder: the ring that opens and seals tickets. Borrowed. */
HF_MUST_USE enum hf_err hf_config_ring(struct hf_config *config,
    const struct hf_ring *ring);
/** Responder: the key of its cookies, shared by a cluster. Default: random. */
HF_MUST_USE enum hf_err hf_config_cookie_key(struct hf_config *config,
    const uint8_t key[HF_KEY_BYTES]);
/** Responder: how far a request's time may be off, in seconds, either way.
 * Default 120. A replay cache must remember twice as long. */
HF_MUST_USE enum hf_err hf_config_tolerance(struct hf_config *config,
    uint32_t seconds);
/** Responder: how long a session may live, in seconds. Default 86,400. */
HF_MUST_USE enum hf_err hf_config_lifetime(struct hf_config *config,
    uint32_t seconds);
/** Responder: its sessions may move to other servers of the cluster. Call it
 * after hf_config_identity(). The vault is borrowed.
 * @param mobility HF_MOVES_SOFT or HF_MOVES_PROVED
 * @return HF_OK; HF_E_OWN_CERT when the certificate lacks the usage `server`
 * or is of another cluster */
HF_MUST_USE enum hf_err hf_config_vault(struct hf_config *config,
    const struct hf_vault *vault, enum hf_mobility mobility);
/** Whether records count as received only from hf_session_release() on, and
 * not from hf_session_recv(). Default: off. Sessions with channels need no such
 * calls, and take none: what channels carry ends with the connection. */
HF_MUST_USE enum hf_err hf_config_release_by_hand(struct hf_config *config,
    int on);
/** Initiator: whether a session that cannot go on is followed by a new
 * handshake on the same connection. Default: on. */
HF_MUST_USE enum hf_err hf_config_fallback(struct hf_config *config, int on);
/** Whether a soft takeover is followed by a refresh (spec section 17.8).
 * Initiator: it takes part, at the cost of a key in every resume. Responder: it
 * begins one by itself. Default: on. */
HF_MUST_USE enum hf_err hf_config_refresh(struct hf_config *config, int on);
/** Initiator: the other end of its connections is a dispatcher, so that a
 * query in clear is honoured on an open session, and hf_session_reroute() can
 * be used. Default: off. (spec section 17.9) */
HF_MUST_USE enum hf_err hf_config_dispatched(struct hf_config *config, int on);
/** Whether sessions carry channels in the place of data (spec section 20).
 * Initiator: it asks for them. Responder: who asks gets them. Default: off. */
HF_MUST_USE enum hf_err hf_config_channels(struct hf_config *config, int on);
/** Whether signatures that verified are remembered, so that the next chain
 * with them costs less: times, revocation and names are judged every time.
 * Default: on. */
HF_MUST_USE enum hf_err hf_config_cache(struct hf_config *config, int on);
/** Number of signature verifications saved by the config's cache so far. */
uint64_t hf_config_cache_hits(const struct hf_config *config);

/** @} */
/** @name Sessions */ /** @{ */

struct hf_session;

/** Who the peer is, as far as it is established when asked. Views borrow from
 * the session until it is freed. */
struct hf_peer {
	int authenticated; /**< 0: only claimed, the handshake still runs */
	/** The kind of its token, also where the rest of that is malformed; 0
	 * for a responder's certificate. */
	enum hf_method method;
	struct hf_span cert; /**< its leaf, verified, for hf_cert_read() */
	const struct hf_ticket_info *ticket; /**< NULL without a ticket */
	const char *name; /**< certificate's subject, user, ticket's subject */
	const char *subject; /**< as name; user\@realm for a password */
};

/** Starts a session.
 * @param ms the monotonic clock, @param now the wall clock in seconds
 * @return HF_OK; HF_E_CONFIG; HF_E_OWN_EXPIRED when an initiator's certificate
 * or ticket is not valid at @p now; HF_E_POLICY when a password would go to
 * somebody who was not named */
HF_MUST_USE enum hf_err hf_session_new(struct hf_session **session,
    struct hf_config *config, uint64_t ms, uint64_t now);
/** Bytes of memory for hf_session_place() with records of at most @p record
 * bytes of data, 1 to HF_PLAINTEXT_MAX; 0 for another number. */
size_t hf_session_size(size_t record);
/** Starts a session in memory that the caller gives, and allocates nothing.
 * It neither sends nor takes records of more than @p record bytes of data:
 * the first gives HF_E_SPACE, the second fails it with HF_E_TOO_BIG.
 * @param memory as aligned as malloc's, and the session's alone until
 * hf_session_free(), which wipes and does not free it
 * @return as hf_session_new(); HF_E_SPACE when @p size is too small */
HF_MUST_USE enum hf_err hf_session_place(struct hf_session **session,
    void *memory, size_t size, size_t record, struct hf_config *config,
    uint64_t ms, uint64_t now);
/** Wipes and frees; accepts NULL. */
void hf_session_free(struct hf_session *session);
/** What the session needs next. */
enum hf_want hf_session_want(const struct hf_session *session);
/** Why it failed: the first error sticks. HF_OK while it has not. */
enum hf_err hf_session_error(const struct hf_session *session);
/** Responder: the peer's address in any fixed form, for cookies. */
HF_MUST_USE enum hf_err hf_session_source(struct hf_session *session,
    const uint8_t *source, size_t len);

/** Gives bytes from the peer. Takes at most one message: call again with what
 * is left once hf_session_want() says READ or DONE.
 * @param used how many bytes were taken
 * @return HF_OK; HF_E_STATE, taking nothing, while the session wants an
 * answer or has ended; else the session has failed for that reason */
HF_MUST_USE enum hf_err hf_session_feed(struct hf_session *session,
    size_t *used, const uint8_t *data, size_t len);
/** The peer's stream ended. @return HF_OK after its close record, otherwise
 * the session has failed: HF_E_GONE in a handshake, else HF_E_TRUNCATED */
HF_MUST_USE enum hf_err hf_session_eof(struct hf_session *session);
/** A view of the bytes to send, until the next call on this session; empty
 * when there are none. Legal after failure: then it holds the alert. */
struct hf_span hf_session_output(const struct hf_session *session);
/** The first @p len bytes of the output were sent. */
HF_MUST_USE enum hf_err hf_session_drained(struct hf_session *session,
    size_t len);
/** Fails an open session whose records broke the rules of what they carry:
 * the peer gets an alert. @param cause an error of 32 to 73: no session fails
 * for those from 80 (spec section 12.1)
 * @return that error; HF_E_ARG; HF_E_STATE when it is not open */
HF_MUST_USE enum hf_err hf_session_fail(struct hf_session *session,
    enum hf_err cause);
/** Copies output and drains it: output() and drained() in one. */
HF_MUST_USE enum hf_err hf_session_drain(struct hf_session *session,
    uint8_t *out, size_t cap, size_t *len);
/** Tells the time. Fails the session with HF_E_DEADLINE when it is late. */
HF_MUST_USE enum hf_err hf_session_tick(struct hf_session *session,
    uint64_t ms, uint64_t now);
/** When to tick at the latest, in ms of the monotonic clock: the handshake's
 * deadline, then the session's end. UINT64_MAX: neither runs. */
uint64_t hf_session_deadline(const struct hf_session *session);

/** Responder, at HF_WANT_ADMIT: a hello or request is parsed, no public-key
 * work is done. @return 1 when it showed a valid cookie, else 0 */
int hf_session_cookie_shown(const struct hf_session *session);
/** Responder, from HF_WANT_ADMIT for a request until the handshake ends: the
 * hash to look up in a replay cache (enter it at HF_WANT_TRUST). A view of
 * HF_FINGERPRINT_BYTES; empty for a hello. */
struct hf_span hf_session_fingerprint(const struct hf_session *session);
/** Answers HF_WANT_ADMIT. HF_ADMIT_COOKIE is for one that showed none.
 * @return HF_OK; HF_E_STATE; else the session has failed */
HF_MUST_USE enum hf_err hf_session_admit(struct hf_session *session,
    enum hf_admission admission);
/** Who the peer is; see struct hf_peer. At HF_WANT_TRUST: who he claims to be,
 * with certificates and tickets already verified. After a failure the name may
 * be no more than a claim. */
HF_MUST_USE enum hf_err hf_session_peer(struct hf_peer *peer,
    const struct hf_session *session);
/** The target that the initiator asked for, as bytes of UTF-8. A view. */
struct hf_span hf_session_target(const struct hf_session *session);
/** Answers HF_WANT_TRUST. A @p verdict other than HF_OK fails the session
 * with it. @return HF_OK; HF_E_STATE, also where a password must be given or
 * judged by another call; else the session has failed */
HF_MUST_USE enum hf_err hf_session_trust(struct hf_session *session,
    enum hf_err verdict);
/** Initiator, at HF_WANT_TRUST, with HF_METHOD_PASSWORD: the stretched
 * password (hf_password_stretch() with the realm and cost of the peer's
 * certificate). Answers HF_WANT_TRUST. */
HF_MUST_USE enum hf_err hf_session_stretched(struct hf_session *session,
    const uint8_t stretched[HF_KEY_BYTES]);
/** Initiator, at HF_WANT_TRUST, with HF_METHOD_PLAIN_PASSWORD. */
HF_MUST_USE enum hf_err hf_session_password(struct hf_session *session,
    const char *password, size_t len);
/** Responder, at HF_WANT_TRUST of a stretched password: judges it against the
 * stored verifier; NULL for an unknown user costs the same time and fails the
 * same way, HF_E_PASSWORD. Answers HF_WANT_TRUST. */
HF_MUST_USE enum hf_err hf_session_verify(struct hf_session *session,
    const uint8_t *verifier);
/** Responder, at HF_WANT_TRUST of a plain password: a view of it, secret,
 * valid until the answer. Empty otherwise. */
struct hf_span hf_session_asked_password(const struct hf_session *session);
/** Responder: answers HF_WANT_COMMIT: the single-use ticket is burnt (HF_OK),
 * was burnt before (HF_E_TICKET_USED), or the store is down (HF_E_STORE). */
HF_MUST_USE enum hf_err hf_session_commit(struct hf_session *session,
    enum hf_err verdict);

/** The record waiting at HF_WANT_RECV: its content, valid until the next
 * feed or a failure. This releases it to the application: it now counts as received.
 * @return HF_OK or HF_E_STATE */
HF_MUST_USE enum hf_err hf_session_recv(struct hf_session *session,
    enum hf_content *content, struct hf_span *data);
/** Room for @p cap bytes of data inside the output, so that they need not be
 * copied: fill it, then hf_session_send() the same pointer. Valid until the
 * next call on this session. NULL when memory ran out. */
uint8_t *hf_session_room(struct hf_session *session, size_t cap);
/** Seals up to HF_PLAINTEXT_MAX bytes into one data record of the output.
 * @return HF_OK; HF_E_STATE before the handshake is done or after close */
HF_MUST_USE enum hf_err hf_session_send(struct hf_session *session,
    const uint8_t *data, size_t len);
/** How many bytes of data, or of frames, one record may carry now: 0 when
 * output must be drained first, an ack is waited for, or nothing can be sent
 * in this state; at most HF_PLAINTEXT_MAX. */
size_t hf_session_sendable(const struct hf_session *session);
/** 1 in a session that carries channels: both ends said so. It takes no data
 * (HF_E_STATE). 0 before the grant. */
int hf_session_channels(const struct hf_session *session);
/** As hf_session_send(), for frames from hf_mux_output().
 * @return HF_OK; HF_E_ARG; HF_E_STATE, also in a session without channels;
 * HF_E_SPACE for more than hf_session_sendable() */
HF_MUST_USE enum hf_err hf_session_send_frames(struct hf_session *session,
    const uint8_t *frames, size_t len);
/** Seals the close record: nothing can be sent after it. */
HF_MUST_USE enum hf_err hf_session_close(struct hf_session *session);
/** Responder: issues a ticket to the peer in a record (spec section 7.3). Its
 * subject and first authentication are the session's own; it ends with the
 * limit, and with the peer's certificates.
 * @param ttl seconds
 * @param limit seconds from first authentication beyond which no renewal goes
 * @return HF_OK; HF_E_EXPIRED when no time is left; HF_E_POLICY in a session
 * that began with a single-use ticket; HF_E_SPACE when output must be drained
 * first; HF_E_CONFIG without a ring; HF_E_STATE */
HF_MUST_USE enum hf_err hf_session_issue_ticket(struct hf_session *session,
    uint32_t ttl, uint32_t limit, int single_use);

/** The session's id, HF_SID_BYTES; empty before the grant. A view. */
struct hf_span hf_session_id(const struct hf_session *session);
/** The suite in use, 0 before one is chosen. */
int hf_session_suite(const struct hf_session *session);
/** 1 when the request was sealed with a prekey too (two round trips). */
int hf_session_prekey(const struct hf_session *session);
/** When the session ends at the latest, seconds since the epoch; 0 before. */
uint64_t hf_session_expires(const struct hf_session *session);
/** Key material for the application, the same at both ends and bound to this
 * session (spec section 8.4). @param len 1 to HF_EXPORT_MAX
 * @return HF_OK; HF_E_STATE before the session is established */
HF_MUST_USE enum hf_err hf_session_export(uint8_t *out, size_t len,
    const struct hf_session *session, const char *label,
    const uint8_t *context, size_t context_len);
/** The running digest of one direction (spec section 9.3).
 * @param count records that the digest covers
 * @param sender whose records: HF_INITIATOR or HF_RESPONDER */
HF_MUST_USE enum hf_err hf_session_digest(uint8_t digest[HF_KEY_BYTES],
    uint64_t *count, const struct hf_session *session, enum hf_role sender);
/** Bytes of memory the session holds now, its buffers included. */
size_t hf_session_bytes(const struct hf_session *session);

/** @} */
/** @name Sessions that move (spec section 17) */ /** @{ */

/** Whether the session may go on with another server. */
enum hf_mobility hf_session_mobility(const struct hf_session *session);
/** The epoch: 0 at first; each takeover, and each refresh, makes it larger. */
uint64_t hf_session_epoch(const struct hf_session *session);
/** Initiator: begins a new connection, with whatever server, by a resume. The
 * session must have failed, or been left by the caller, who has a new stream.
 * What was not received by then is dropped; counts and keys go on.
 * @return HF_OK; HF_E_STATE when this session cannot go on; HF_E_EXPIRED, and
 * from then on it cannot; HF_E_EXHAUSTED; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf_session_reconnect(struct hf_session *session,
    uint64_t ms, uint64_t now);
/** Initiator, in an open session that may move: makes the key that its next
 * resume will show, so that it need not be made when that is urgent. Again does
 * nothing; each resume uses one up.
 * @return HF_OK, also where none is needed; HF_E_STATE */
HF_MUST_USE enum hf_err hf_session_prepare(struct hf_session *session);
/** Initiator, with hf_config_dispatched(): goes on with another server on the
 * connection that is open, by a resume; for instance after HF_CONTENT_QUERY.
 * What was put out before still goes to the server that was. As after
 * hf_session_reconnect() nothing can be sent until it is open again.
 * @param target the one to ask for from now on; NULL: the same
 * @return HF_OK; HF_E_STATE when this session cannot go on, is not open, or was
 * not stored yet (no ack has come); HF_E_ARG; HF_E_EXPIRED; else the session has failed */
HF_MUST_USE enum hf_err hf_session_reroute(struct hf_session *session,
    const char *target, uint64_t ms, uint64_t now);
/** Initiator, before the handshake is done: what answers a query for a
 * session id. Then @p session goes on as the earlier session, and that one has
 * failed (HF_E_STATE). Without one a query is answered by the same question
 * anew. Borrowed until @p session is open or freed; the configs of both must
 * outlive both. NULL forgets it.
 * @param earlier one that can reconnect, with the same expected name and
 * target; else HF_E_ARG */
HF_MUST_USE enum hf_err hf_session_earlier(struct hf_session *session,
    struct hf_session *earlier);
/** 1 when hf_session_reconnect() may succeed. */
int hf_session_can_reconnect(const struct hf_session *session);
/** Initiator: seals what another process needs to go on with the session; no
 * traffic key is in it. The session stays as it is; but what it sends after
 * that, and a resume of its own, make the object useless: whoever wakes it then
 * is refused, and makes a handshake. So may records that were not acked yet
 * (hf_session_acked()). It is as secret as @p key. (spec section 21.5)
 * @param peer what wakes it must say the same, 1 to HF_NAME_MAX bytes
 * @param cap HF_REST_MAX is enough
 * @return HF_OK; HF_E_ARG; HF_E_STATE where it is neither open nor could
 * reconnect, a takeover is under way, or it had begun a handshake in its place;
 * HF_E_SPACE; HF_E_CRYPTO */
HF_MUST_USE enum hf_err hf_session_rest(uint8_t *out, size_t cap, size_t *len,
    const struct hf_session *session, const char *peer,
    const uint8_t key[HF_KEY_BYTES]);
/** Makes a session that can do one thing: hf_session_reconnect(). It has the
 * session id, target, suite, peer and expiry that it had; until it is open
 * again it has failed (HF_E_TRUNCATED). Each object is used once: a second use
 * repeats no key, but is refused where the first one got as far.
 * @param config of the same role, token, expected name, realm and target
 * @return HF_OK; HF_E_ARG; HF_E_ENTRY for an object that was changed, is of
 * another key, peer or configuration, or of a suite that is not there;
 * HF_E_EXPIRED; HF_E_ISSUER, HF_E_REVOKED, HF_E_STALE_LIST for the server's
 * certificate; as hf_session_new() */
HF_MUST_USE enum hf_err hf_session_wake(struct hf_session **session,
    struct hf_config *config, const char *peer, const uint8_t *object,
    size_t len, const uint8_t key[HF_KEY_BYTES], uint64_t now);
/** Responder, at HF_WANT_STATE: the entry that the store has for
 * hf_session_id().
 * @param verdict HF_OK; HF_E_NO_SESSION when it has none; HF_E_STORE
 * @return HF_OK, also when the resume is refused and a handshake may follow
 * (see hf_session_refused()); else the session has failed */
HF_MUST_USE enum hf_err hf_session_supply(struct hf_session *session,
    enum hf_err verdict, const uint8_t *entry, size_t len);
/** Responder: 1 while a stored session is taken over, and its peer judged at
 * HF_WANT_TRUST: he has shown no password or ticket again. */
int hf_session_takes_over(const struct hf_session *session);
/** Why a resume on this connection was refused; HF_OK: it was not. */
enum hf_err hf_session_refused(const struct hf_session *session);
/** What HF_WANT_COMMIT asks for. */
enum hf_commit hf_session_commit_kind(const struct hf_session *session);
/** At HF_WANT_COMMIT for a claim or a confirm: the entry to write, by one
 * compare-and-set on the whole of the one that it replaces. Lost: answer
 * HF_E_FENCED. A view until the answer. */
struct hf_span hf_session_entry(const struct hf_session *session);

/** How far the ends of this epoch are proved to each other: HF_MOVES_NOT before
 * the first takeover, where the handshake was the proof; HF_MOVES_SOFT after a
 * takeover by the session's secret alone, until a refresh has proved more;
 * HF_MOVES_PROVED. Each end knows by itself. (spec section 17.8) */
enum hf_mobility hf_session_strength(const struct hf_session *session);
/** Responder: begins a refresh, by the next checkpoint, which is due now. By
 * itself it begins after every soft takeover (hf_config_refresh()).
 * @return HF_OK; HF_E_STATE in an epoch that is not soft, or whose initiator
 * takes no part, or that has had one; HF_E_EXHAUSTED */
HF_MUST_USE enum hf_err hf_session_refresh(struct hf_session *session);

/** Where both directions went on at the last takeover. Counts are of records,
 * bytes of data in them, since the session began. */
struct hf_bases {
	uint64_t own_count;    /**< our records that the peer had */
	uint64_t own_bytes;    /**< the bytes in them */
	uint64_t sent_count;   /**< our records, sent before */
	uint64_t sent_bytes;   /**< the bytes in them */
	uint64_t peer_count;   /**< the peer's records that we had */
	uint64_t peer_bytes;   /**< the bytes in them */
	uint64_t stored_count; /**< responder: ours, by the state */
	int peer_closed;       /**< 1: the peer's close is among them */
};
/** HF_E_STATE before the first takeover. */
HF_MUST_USE enum hf_err hf_session_bases(struct hf_bases *bases,
    const struct hf_session *session);
/** What the last fallback gave up: continuity was lost. */
struct hf_lost {
	int lost;		   /**< 1: there was one */
	enum hf_err cause;	   /**< why it could not go on */
	uint8_t sid[HF_SID_BYTES]; /**< of the session given up */
	uint64_t own_count;	   /**< our records that the peer acked */
	uint64_t own_bytes;	   /**< the bytes in them */
	uint64_t peer_count;	   /**< the peer's records that we acked */
};
/** Fills @p lost with what the last fallback gave up; or with the session
 * itself, where it was open and can never go on, as after HF_E_ROLLBACK. */
void hf_session_lost(struct hf_lost *lost, const struct hf_session *session);
/** Own records, and bytes in them, that the peer has for good. */
void hf_session_acked(uint64_t *count, uint64_t *bytes,
    const struct hf_session *session);
/** While @p hold is 1 no acks are sent; at 0 the one that is owed. For who sees
 * that the peer does not read: they would pile up behind each other.
 * @return HF_OK; HF_E_STATE where it is not open or does not move; what sealing
 * failed with, when the session has failed (spec section 17.6) */
HF_MUST_USE enum hf_err hf_session_hold_acks(struct hf_session *session,
    int hold);
/** With hf_config_release_by_hand(): the application is done with the peer's
 * records up to @p count (see hf_session_digest()).
 * @return HF_OK; HF_E_ARG for a count that was not received, or was before */
HF_MUST_USE enum hf_err hf_session_release(struct hf_session *session,
    uint64_t count);
/** Responder: in an open session that may move, the keys under which it is
 * sealed from now on, in the place of its configuration's. Where the newest key
 * of its scope is another one it is due to be stored again. Where an entry is
 * wanted (HF_WANT_STATE), those by which it is opened. Borrowed until the
 * session ends or has others.
 * @return HF_OK; HF_E_ARG, also for another cluster's; HF_E_STATE */
HF_MUST_USE enum hf_err hf_session_vault(struct hf_session *session,
    const struct hf_vault *vault);
/** Responder: 0 nothing to store; 1 something; 2 it must be now, for the
 * peer waits, or soon will, or the keys have changed, or a refresh is due; -1
 * one is being written, or a refresh waits for its answer, before which none
 * is. */
int hf_session_checkpoint_due(const struct hf_session *session);
/** Responder: seals the session's state for the store. One is written at a
 * time: hf_session_checkpointed() ends it. Where a refresh begins it is that of
 * the next epoch.
 * @return HF_OK; HF_E_STATE; HF_E_SPACE; HF_E_EXPIRED where the keys of its
 * scope are void, or taken away: it can be stored no more; HF_E_MEMORY;
 * HF_E_PUBLIC_KEY when the session has failed, since its peer's reply key is
 * none */
HF_MUST_USE enum hf_err hf_session_checkpoint(struct hf_session *session,
    uint8_t *out, size_t cap, size_t *len);
/** Responder: what became of it. HF_OK: it is stored, and the peer is told.
 * HF_E_FENCED: the session fails, saying nothing. HF_E_STORE: not stored. */
HF_MUST_USE enum hf_err hf_session_checkpointed(struct hf_session *session,
    enum hf_err verdict);
/** Responder: asks the peer to go on with another server.
 * @return HF_OK; HF_E_STATE; HF_E_SPACE */
HF_MUST_USE enum hf_err hf_session_query(struct hf_session *session);

/** @} */
/** @name Dispatchers (spec section 17.9) */ /** @{ */

/** What a dispatcher reads of the first message of a stream: in clear, proved
 * by nothing, good for routing only. Views into the message. */
struct hf_route {
	int type;	       /**< 0 hello, 3 request, 6 resume */
	struct hf_span target; /**< what is asked for */
	struct hf_span key_id; /**< request: of the responder's certificate */
	struct hf_span sid;    /**< resume: the session id */
	int dispatched; /**< its sender honours a query on an open session */
};
/** Finds the end of the message at @p ptr, by as little of it as that takes.
 * @param type its type, 0 to 23; -1 while it is not known
 * @param len of the whole message; 0: more bytes are needed. That of a record
 * may be more than @p have.
 * @return HF_OK; HF_E_SHAPE, HF_E_UNEXPECTED for a type that is not used,
 * HF_E_CBOR, HF_E_TOO_BIG: no message that could be legal begins so */
HF_MUST_USE enum hf_err hf_frame_read(int *type, size_t *len,
    const uint8_t *ptr, size_t have);
/** Reads a whole hello, request or resume as hf_frame_read() found it. The
 * sealed part is not looked at.
 * @return HF_OK; HF_E_UNEXPECTED for another type; HF_E_VERSION,
 * HF_E_EXTENSION, HF_E_SHAPE, HF_E_CBOR */
HF_MUST_USE enum hf_err hf_route_read(struct hf_route *route,
    const uint8_t *message, size_t len);
/** The key id by which a request names that leaf certificate. */
void hf_key_id(uint8_t key_id[HF_KEY_ID_BYTES], const uint8_t *cert,
    size_t len);
/** The key id of the server whose offer this whole message is.
 * @return HF_OK; HF_E_UNEXPECTED, HF_E_VERSION, HF_E_SHAPE, HF_E_CBOR */
HF_MUST_USE enum hf_err hf_offer_key_id(uint8_t key_id[HF_KEY_ID_BYTES],
    const uint8_t *message, size_t len);
enum { HF_CLEAR_BYTES = 3 /**< of a query or an alert in clear */ };
/** A query, as a dispatcher says it. */
void hf_query_write(uint8_t out[HF_CLEAR_BYTES]);
/** An alert in clear, as a dispatcher says it.
 * @param cause HF_E_TARGET, HF_E_UNKNOWN_KEY, HF_E_NO_SESSION; any other is
 *   HF_E_REFUSED */
void hf_alert_write(uint8_t out[HF_CLEAR_BYTES], enum hf_err cause);

/** @} */
/** @name Channels (spec section 20) */ /** @{ */

/** All channels of one session, at one end, while it is open on one
 * connection. It knows no session: records of HF_CONTENT_CHANNEL go into
 * hf_mux_feed(), and what hf_mux_output() writes goes into such records. It
 * keeps no more than its limits allow, whatever the peer claims. It and its
 * channels belong to one thread at a time. */
struct hf_mux;
/** One end of one channel: two streams of bytes, one each way. The handle is
 * all that an application has of it: the number that it has on the wire is the
 * mux's own, and no call takes one. */
struct hf_channel;

/** Why a channel ended. 1 to 127 and 192 to 255 are sent by a reset; what is
 * not listed may come too. 128 to 191 are never sent. */
enum hf_reason {
	HF_REASON_NONE = 0,	 /**< it has not, or both ends have finished */
	HF_REASON_CANCELLED = 1, /**< the application gave it up */
	HF_REASON_REFUSED = 2,	 /**< nobody serves it there */
	HF_REASON_FAILED = 3,	 /**< what was behind it failed */
	HF_REASON_LIMIT = 4,	 /**< too many channels at once */
	HF_REASON_GONE = 5,	 /**< the application died */
	HF_REASON_SHUTDOWN = 6,	 /**< that end is shutting down */
	HF_REASON_IDLE = 7,	 /**< nothing was said for too long */
	HF_REASON_MOVED = 128,	 /**< the session went on elsewhere */
	HF_REASON_LOST = 129,	 /**< the session, or its connection, ended */
	HF_REASON_RESTARTED = 130 /**< the agent was started again */
};

/** A mux's own limits: none follows from what the peer says. */
struct hf_mux_limits {
	size_t own;   /**< channels that may be open from here, 0 to 1,024 */
	size_t peers; /**< of the peer's that are taken, 0 to 1,024: each until
			  it is over and its handle was freed */
	size_t window; /**< bytes of a channel that wait to be read,
			  HF_CREDIT_FIRST to HF_CREDIT_MAX */
	size_t send;   /**< bytes of a channel that wait to be sent, at least
			  1, at most HF_CREDIT_MAX */
};

/** @param role of the session; @param limits NULL for 256 of each side, a
 * window of 262,144 bytes and 65,536 to be sent
 * @return HF_OK; HF_E_ARG; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf_mux_new(struct hf_mux **mux, enum hf_role role,
    const struct hf_mux_limits *limits);
/** Wipes and frees, with all its channels: no handle is good any more. Accepts
 * NULL. */
void hf_mux_free(struct hf_mux *mux);
/** Takes the data of one record of type channel: one frame or several.
 * @return HF_OK; HF_E_CBOR, HF_E_SHAPE, HF_E_UNEXPECTED, HF_E_TOO_BIG: the
 * peer broke the rules; HF_E_MEMORY. After an error the mux has failed, with
 * all its channels (HF_REASON_LOST), and so must the session:
 * hf_session_fail(). It then gives that error again. */
HF_MUST_USE enum hf_err hf_mux_feed(struct hf_mux *mux, const uint8_t *data,
    size_t len);
/** 1 when hf_mux_output() has something to write. */
int hf_mux_pending(const struct hf_mux *mux);
/** Writes frames for one record, fairly from all channels; they count as sent.
 * Call it as late as possible: what is written cannot be overtaken.
 * @param cap at least HF_FRAMES_MIN (HF_E_ARG) @param len 0: nothing to send
 * @return HF_OK; HF_E_ARG; the error of a mux that has failed */
HF_MUST_USE enum hf_err hf_mux_output(struct hf_mux *mux, uint8_t *out,
    size_t cap, size_t *len);
/** Both in one: seals frames into records of the session, as many as it takes
 * and until about @p most bytes were put out. HF_OK also when it took none.
 * @return HF_OK; HF_E_ARG; HF_E_STATE; the error of a mux that has failed; else
 * the session has failed */
HF_MUST_USE enum hf_err hf_mux_seal(struct hf_mux *mux,
    struct hf_session *session, size_t most);
/** The session went on by a takeover, or has ended: every channel ends, for
 * that reason, and says nothing; what was received can still be read. From now
 * on numbers begin anew, as at the other end, also after a failure.
 * @param reason HF_REASON_MOVED, _LOST or _RESTARTED */
HF_MUST_USE enum hf_err hf_mux_restart(struct hf_mux *mux,
    enum hf_reason reason);
/** About how many bytes of all channels may be on their way here while several
 * of them send at the same time: each gets credit for its part, at least for
 * a quarter of HF_QUANTUM and at most for its window. What is on its way cannot be
 * overtaken; but where it is less than the way holds all are slower.
 * @param bytes 0, as it begins: each has its window */
void hf_mux_flight(struct hf_mux *mux, size_t bytes);
/** Bytes of memory it holds now, buffers and channels included. */
size_t hf_mux_bytes(const struct hf_mux *mux);
/** Channels that are not over, or whose handle was not freed. */
size_t hf_mux_count(const struct hf_mux *mux);

/** What is new about a channel; bits. */
enum hf_news {
	HF_NEWS_OPENED = 1,   /**< the peer opened it: the handle is yours */
	HF_NEWS_READABLE = 2, /**< hf_channel_data() has something */
	HF_NEWS_WRITABLE = 4, /**< what waits fell to half of what may wait */
	HF_NEWS_FINISHED = 8, /**< the peer sends nothing more, all is read */
	HF_NEWS_ENDED = 16,   /**< see hf_channel_reason() */
	HF_NEWS_OVER = 32     /**< it was ended here: hf_channel_over() now */
};
/** The next channel with something new: HF_NEWS_ bits, told once; 0: none.
 * READABLE comes again when more has come. */
unsigned hf_mux_next(struct hf_mux *mux, struct hf_channel **channel);
/** 1 when hf_mux_next() would tell something: also hf_mux_output() makes news. */
int hf_mux_has_news(const struct hf_mux *mux);

/** Opens a channel. Data may follow at once; the peer may refuse it later.
 * @param label what it is for, UTF-8 without controls, 0 to HF_LABEL_MAX bytes
 * @return HF_OK; HF_E_ARG; HF_E_SPACE when there are as many as the limit
 * allows; HF_E_EXHAUSTED when its session has no numbers left; HF_E_STATE after
 * a failure; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf_channel_open(struct hf_channel **channel,
    struct hf_mux *mux, const char *label, size_t len);
/** Lets the handle go; accepts NULL. Where all was said it ends so. After
 * hf_channel_finish() what waits is still sent, and then nothing more is
 * taken; else it is reset: HF_REASON_CANCELLED. */
void hf_channel_free(struct hf_channel *channel);
/** The label. A view, good as long as the handle. */
struct hf_span hf_channel_label(const struct hf_channel *channel);
/** What the application keeps with a handle; NULL at first. */
void hf_channel_keep(struct hf_channel *channel, void *own);
/** What hf_channel_keep() was given. */
void *hf_channel_kept(const struct hf_channel *channel);
/** Copies data to be sent, as much as fits. @param taken how much that was
 * @return HF_OK, with less than @p len taken wait for HF_NEWS_WRITABLE;
 * HF_E_STATE when it was finished, or has ended; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf_channel_send(struct hf_channel *channel,
    size_t *taken, const uint8_t *data, size_t len);
/** How much hf_channel_send() would take. */
size_t hf_channel_room(const struct hf_channel *channel);
/** Bytes that wait to be sent. */
size_t hf_channel_unsent(const struct hf_channel *channel);
/** Sends what waits, and then a reset: what came before it is whole, and not
 * all there should be. Nothing more is sent or received here.
 * @param reason as hf_channel_reset() @return HF_OK; HF_E_ARG */
HF_MUST_USE enum hf_err hf_channel_cut(struct hf_channel *channel, int reason);
/** Sends nothing more after what waits; the other direction goes on.
 * @return HF_OK, also again; HF_E_STATE when it has ended */
HF_MUST_USE enum hf_err hf_channel_finish(struct hf_channel *channel);
/** Ends both directions at once. What waits to be sent or read is dropped.
 * @param reason 1 to 127 or 192 to 255
 * @return HF_OK, also when it has ended; HF_E_ARG */
HF_MUST_USE enum hf_err hf_channel_reset(struct hf_channel *channel,
    int reason);
/** What was received and not read yet. A view, until the next call on this
 * channel or hf_mux_feed(). Also what came before its end can be read. */
struct hf_span hf_channel_data(const struct hf_channel *channel);
/** Reads the first @p len bytes of it: the peer may send as many more. */
HF_MUST_USE enum hf_err hf_channel_taken(struct hf_channel *channel,
    size_t len);
/** 1 when the peer has finished and all of it was read. */
int hf_channel_finished(const struct hf_channel *channel);
/** 1 when nothing can be sent or received any more. */
int hf_channel_ended(const struct hf_channel *channel);
/** 1 when both ends know that it has ended: it counts no more. An end that is
 * slow to answer a reset delays that, and so does what waits to be sent. */
int hf_channel_over(const struct hf_channel *channel);
/** Why it ended, see enum hf_reason; 0 while it has not, and where both ends
 * finished. */
int hf_channel_reason(const struct hf_channel *channel);
/** "refused", "gone", ...; "other" for a number that is not known. Static. */
const char *hf_reason_name(int reason);

/** @} */
/** @name Replay cache (spec section 10.3) */ /** @{ */

/** A bounded set of fingerprints, each remembered for a fixed time. It is a
 * defence of costs only: when it is full, new ones are not remembered. */
struct hf_replay;

/** @param n how many are remembered; @param seconds for how long */
HF_MUST_USE enum hf_err hf_replay_new(struct hf_replay **replay, size_t n,
    uint32_t seconds);
/** Accepts NULL. */
void hf_replay_free(struct hf_replay *replay);
/** 1 when the fingerprint was entered and is still remembered, else 0. */
int hf_replay_seen(const struct hf_replay *replay,
    const uint8_t fingerprint[HF_FINGERPRINT_BYTES], uint64_t now);
/** Enters one. @return 1 when it was new (or there was no room), 0 when it
 * was there already */
int hf_replay_enter(struct hf_replay *replay,
    const uint8_t fingerprint[HF_FINGERPRINT_BYTES], uint64_t now);

/** @} */
/** @name Failure limits (spec section 10.4) */ /** @{ */

/** Counts refused tokens by key (a user, a source) in a table of bounded
 * size; the key least recently used is forgotten first. */
struct hf_limit;

/** @param n keys held; @param per_minute failures allowed in a minute */
HF_MUST_USE enum hf_err hf_limit_new(struct hf_limit **limit, size_t n,
    uint32_t per_minute);
/** Accepts NULL. */
void hf_limit_free(struct hf_limit *limit);
/** 1 while the key has failures to spare, else 0. */
int hf_limit_allows(struct hf_limit *limit, const uint8_t *key, size_t len,
    uint64_t ms);
/** Counts one failure of the key. */
void hf_limit_failed(struct hf_limit *limit, const uint8_t *key, size_t len,
    uint64_t ms);
/** What a failure adds to a key's debt; per_minute of it flow back in a
 * millisecond. */
enum { HF_LIMIT_FAILURE = 60000 };
/** Somebody else counted too: the key's debt is @p debt at least, though
 * never more than a whole allowance. */
void hf_limit_raise(struct hf_limit *limit, const uint8_t *key, size_t len,
    uint64_t debt, uint64_t ms);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
