/* SPDX-License-Identifier: ISC */
/*
 * The inside of configurations and sessions, for the files that drive them:
 * config.c, session.c, machine.c, record.c and one file per message.
 */
#ifndef HANDFAST_SESSION_H
#define HANDFAST_SESSION_H

#include "internal.h"

enum {
	HF__OUT_MAX = 2 * HF_RECORD_MAX, /* output that may wait */
	HF__OUT_SPARE = 512,		 /* beyond it, for close and alert */
	HF__HELLO_MAX = 512		 /* bytes of a hello that we send */
};

/* config.c ---------------------------------------------------------------- */

struct hf__chain {
	uint8_t *bytes; /* all certificates, one after the other */
	struct hf_span cert[HF_CHAIN_MAX];
	size_t n;
};

/* What follows from a responder's leaf alone, for the path without hello. */
struct hf__known {
	uint8_t key_id[HF__KEY_ID_BYTES];
	uint8_t th0[32], info_hash[32];
};

struct hf_config {
	enum hf_role role;
	const struct hf_trust *trust;
	const struct hf_identity *id;
	struct hf__chain own, responder;
	struct hf__cert own_leaf; /* views into own */
	struct hf__known known;	  /* of own (responder) or responder */
	uint16_t suites[HF_SUITES_MAX];
	size_t suites_n;
	uint32_t deadline_ms, tolerance, lifetime;
	bool grease, without_prekey, cache_off;
	struct hf_name expect, realm, target;
	enum hf_method method; /* initiator: its token; 0 for none yet */
	char user[HF_USER_MAX + 1];
	uint8_t *ticket; /* a copy of the ticket file */
	size_t ticket_len;
	struct hf__ticket_file ticket_file; /* views into ticket */
	struct hf_name audience;	    /* of the ticket */
	unsigned accept;
	const struct hf_ring *ring;
	uint8_t cookie_key[32];
	const struct hf_vault *vault; /* responder: its sessions may move */
	enum hf_mobility mobility;
	bool by_hand;	  /* records are released by hf_session_release() */
	bool no_fallback; /* initiator */
	bool no_refresh;  /* a soft takeover is not refreshed by itself */
	bool dispatched;  /* initiator: behind a dispatcher */
	bool channels;	  /* asked for; or given to who asks */
	struct hf__cache cache;
	struct hf__hpke_base hpke;
};

/* Where verified signatures are remembered; NULL for nowhere. */
struct hf__cache *hf__config_cache(struct hf_config *);
/* The name that the responder must have; NULL for any. */
const char *hf__config_expected(const struct hf_config *);

/* buffer.c ------------------------------------------------------------------ */

/* Bytes in order: taken from the front, added at the back. Never shrinks and
 * never holds more than max; wiped when it grows and when it is freed. */
struct hf__buffer {
	uint8_t *ptr;
	size_t cap, start, len, max;
	bool fixed; /* in the caller's memory: cap is max, nothing is freed */
};

/* Makes room for n bytes behind the content; NULL when memory ran out. */
uint8_t *hf__buffer_room(struct hf__buffer *, size_t n);
void hf__buffer_take(struct hf__buffer *, size_t n);
void hf__buffer_free(struct hf__buffer *);

/* session --------------------------------------------------------------------- */

enum hf__state {
	HF__I_START,
	HF__I_HELLO_SENT,
	HF__I_TRUST,
	HF__I_REQUEST_SENT,
	HF__I_RESUME_SENT,
	HF__R_START,
	HF__R_ADMIT,
	HF__R_OFFERED,
	HF__R_TRUST,
	HF__R_GRANTED,
	HF__R_COMMIT,
	HF__R_STATE,
	HF__R_CLAIM,
	HF__R_RESUMED,
	HF__R_CONFIRM,
	HF__OPEN,
	HF__CLOSED,
	HF__FAILED,
	HF__STATES
};

/* The outer fields of the last hello or request (responder). Views into the
 * message held in the input buffer. */
struct hf__outer {
	enum hf__type type;
	const struct hf__suite *suite;
	struct hf_span message, target, enc, prekey_enc, box;
	size_t aad_len;
	bool channels; /* asked for */
	/* of a resume */
	struct hf_span nonce, reply_key;
	uint64_t epoch, serial;
};

/* What lives only until the handshake is done. */
struct hf__handshake {
	struct hf__pair ephemeral; /* initiator: of the request */
	struct hf__pair prekey;	   /* responder: of the offer */
	uint8_t offered[32];	   /* initiator: the responder's prekey */
	bool has_prekey, retried, cookie_shown;
	bool resume_seen; /* responder: of this connection */
	bool replied;	  /* initiator: its resume has a reply key */
	bool queried;	  /* initiator: before there were keys */
	bool stayed;	  /* initiator: on an open connection */
	uint8_t hello[HF__HELLO_MAX];
	size_t hello_len;
	uint8_t responder_pk[32]; /* initiator: certified key */
	uint8_t key_id[HF__KEY_ID_BYTES];
	uint8_t th0[32], info_hash[32];
	uint8_t th1[32]; /* or, of a resume, th3 */
	uint8_t transport_key[32];
	uint8_t password[HF_PASSWORD_MAX]; /* initiator: either form */
	size_t password_len;
	uint8_t cookie[HF__COOKIE_MAX];
	size_t cookie_len;
	struct hf__outer outer;
	struct hf__token token;	 /* responder: views into the input buffer */
	uint8_t envelope_pk[32]; /* responder: the initiator's key */
	uint8_t pop[32];	 /* responder: the ticket's key */
};

/* move.c: marks of the last records of a direction. */
struct hf__past {
	uint64_t bytes;
	uint8_t digest[32];
};
struct hf__history {
	struct hf__past *ring;	 /* the mark of count n is at n modulo cap */
	size_t cap;		 /* 0 or a power of two */
	uint64_t oldest, newest; /* counts that are held, both included */
};

/* A takeover under way, at the responder. */
struct hf__takeover {
	struct hf__stored state;
	struct hf__mark found; /* of the own direction, as the state had it */
	size_t entry_len, resumed_len;
	/* Both are sealed: they are neither cleared nor wiped. */
	uint8_t entry[HF_ENTRY_MAX];
	uint8_t resumed[HF_MESSAGE_MAX];
};

enum { HF__TAKEOVER_HEAD = offsetof(struct hf__takeover, entry) };

/* proved.c: the secrets of a proved takeover or a refresh. */
struct hf__proof {
	struct hf__pair pair; /* responder: the ephemeral */
	uint8_t shared[HF__SHARED_MAX];
	size_t len;
};

/* refresh.c: how far a refresh is. */
enum hf__refreshing {
	HF__REFRESH_NONE,
	HF__REFRESH_WRITING, /* responder: its first compare-and-set */
	HF__REFRESH_TO_SEND, /* responder: when there is room */
	HF__REFRESH_SENT,    /* responder: waits for the answer */
	HF__REFRESH_TAKEN, /* the peer's is verified, and waits to be taken */
	HF__REFRESH_ANSWERED /* responder: its second compare-and-set */
};

enum { HF__REFRESH_HEAD_MAX = HF_CHAIN_MAX * (HF_CERT_MAX + 3) + 128 };
/* The next epoch, while one end is not in it yet. */
struct hf__refresh {
	struct hf__secrets secrets;
	struct hf__traffic send, recv; /* keys, and nothing else */
	uint8_t proof[32];	       /* key of the responder's box */
	/* responder: its data before the box; and where it changed keys */
	uint8_t head[HF__REFRESH_HEAD_MAX];
	size_t head_len;
	struct hf__mark changed;
};

/* Who the other end of a session is, while a new handshake asks another. */
struct hf__peer {
	struct hf_span cert; /* none: nothing is kept */
	uint8_t *copy;
	uint8_t origin[HF_CHAIN_MAX][HF_ORIGIN_BYTES];
	size_t origin_n;
	uint64_t not_after;
	char name[HF_NAME_MAX + 1];
};

/* What a session that may move has beside any other. */
struct hf__move {
	enum hf_mobility mobility;
	uint64_t epoch, serial;
	enum hf_mobility strength; /* of this epoch */
	struct hf__pair reply;	   /* of the resume that began it */
	bool has_reply;		   /* and no refresh has used it */
	struct hf__pair prepared;  /* initiator: of the next resume */
	bool is_prepared;
	enum hf__refreshing refreshing;
	struct hf__refresh *refresh;
	bool refresh_wanted;  /* responder: with the next checkpoint */
	bool hurry;	      /* which must be now */
	struct hf__peer kept; /* initiator: until a fallback has succeeded */
	struct hf__history sent, received;
	struct hf__mark acked;	  /* of the own records: the peer has them */
	uint64_t covered;	  /* of the peer's: by its last ack */
	struct hf__mark released; /* of the peer's records */
	bool released_close;
	bool heard;	      /* an ack has come: the session is stored */
	uint64_t close_count; /* of the peer's records, its close included */
	const struct hf__suite *suite;
	struct hf__mark told;	   /* initiator: released at its last ack */
	bool holds_acks, owes_ack; /* none are sent now; one was left out */
	/* responder */
	const struct hf__scope *scope; /* NULL: its keys were taken away */
	bool reseal, resealing; /* to be stored under the newest key; is now */
	uint8_t token[HF__TOKEN_BYTES];
	struct hf__mark stored_received, stored_sent; /* in the store */
	struct hf__mark writing_received, writing_sent;
	bool writing, stored;
	bool has_key;
	uint8_t key[32]; /* the peer's certified key */
	struct hf__takeover *claim;
	struct hf_bases bases; /* of the last takeover */
};

struct hf_session {
	struct hf_config *config;
	const struct hf_vault *vault; /* NULL: the configuration's */
	struct hf__placed *placed;    /* NULL: its parts are on the heap */
	size_t record_max;	      /* bytes of data in a record */
	enum hf__state state;
	enum hf_err error;
	uint64_t ms, now, deadline;
	struct hf__buffer in, out;
	const struct hf__suite *suite;
	struct hf__handshake *hs; /* NULL once it is done */
	uint8_t source[HF_SOURCE_MAX];
	size_t source_len;
	bool spoken; /* something was sent: an alert makes sense */

	bool keys; /* traffic keys are held */
	struct hf__secrets secrets;
	struct hf__traffic send, recv;
	bool sent_close, got_close;
	bool prekey;
	bool channels; /* carried in the place of data */
	uint8_t sid[HF_SID_BYTES];
	bool has_sid;
	uint64_t expires;

	bool pending; /* an opened record waits to be received */
	bool asked;   /* ... it is none, but a query in clear */
	enum hf__content content;
	struct hf_span plaintext;
	uint8_t pending_tag[HF__RECORD_TAG_MAX];

	bool authenticated;
	uint64_t authenticated_at; /* by its handshake, wherever that was */
	enum hf_method method;
	struct hf_span peer_cert;
	uint8_t *peer_cert_copy;
	uint8_t origin[HF_CHAIN_MAX][HF_ORIGIN_BYTES]; /* of its chain */
	size_t origin_n;
	uint64_t peer_not_after; /* of its chain; 0 without one */
	struct hf_ticket_info *ticket;
	char name[HF_NAME_MAX + 1], subject[HF__SUBJECT_MAX + 1];
	char target[HF_TARGET_MAX + 1];
	size_t target_len;

	struct hf__move *move;	    /* NULL: it does not move */
	struct hf_lost lost;	    /* what a fallback gave up */
	enum hf_err refused;	    /* responder: why a resume was */
	struct hf_session *earlier; /* initiator: answers a query */
};

/* A session in the caller's memory, with the parts that otherwise come from
 * the heap; the input and the output buffer follow. */
struct hf__placed {
	struct hf_session session;
	struct hf__handshake handshake;
	struct hf_ticket_info ticket;
	uint8_t peer_cert[HF_CERT_MAX];
};

/* memory.c: a part from the heap, or the caller's place for it; NULL when
 * memory ran out. */
enum hf__part { HF__PART_HANDSHAKE, HF__PART_TICKET, HF__PART_CERT };
void *hf__part_new(struct hf_session *, enum hf__part, size_t size);
/* Wipes and frees; accepts NULL. */
void hf__part_free(struct hf_session *, void *, size_t size);
/* An empty session, in memory of either kind. */
enum hf_err hf__session_allocate(struct hf_session **);
enum hf_err hf__session_place(struct hf_session **, void *memory, size_t size,
    size_t record);

/* machine.c: what may arrive when */
struct hf__step {
	enum hf__state state;
	enum hf__type type;
	enum hf_err (*parse)(struct hf_session *, struct hf_span message,
	    enum hf__state *next);
	const char *section; /* of spec/handfast.md */
};
bool hf__state_reads(enum hf__state);
/* NULL when that type has no place in that state. */
const struct hf__step *hf__machine_step(enum hf__state, unsigned type);
/* Whether it has one now, by what this session was told and has heard. */
bool hf__machine_legal(const struct hf_session *, unsigned type);
/* Hands one whole message to its step. */
enum hf_err hf__machine_run(struct hf_session *, struct hf_span message);
/* Fails the session: the first error sticks, an alert is put out. */
enum hf_err hf__fail(struct hf_session *, enum hf_err);
/* The same without an alert: the peer sent one, or has gone. */
enum hf_err hf__fail_silently(struct hf_session *, enum hf_err);
/* The session is open: wipes what only the handshake needed. */
enum hf_err hf__handshake_done(struct hf_session *);
void hf__handshake_free(struct hf_session *);
/* The connection is over, and all that was only its own. */
void hf__disconnect(struct hf_session *);
/* Both directions are closed. */
void hf__close(struct hf_session *);

/* frame.c: where the first message ends; *len 0: more bytes are needed. */
enum hf_err hf__frame_scan(size_t *len, const struct hf_session *,
    const uint8_t *ptr, size_t have);

/* message.c: fields that several messages share */
/* The array's head, its type and, where the type has one, the version. */
void hf__read_open(struct hf__reader *, enum hf__type, size_t fields);
void hf__write_open(struct hf__writer *, enum hf__type, size_t fields);
struct hf_span hf__read_cookie(struct hf__reader *);
void hf__read_chain(struct hf__reader *, struct hf_span[HF_CHAIN_MAX],
    size_t *n);
void hf__read_chain_or_null(struct hf__reader *, struct hf_span[HF_CHAIN_MAX],
    size_t *n);
void hf__write_chain(struct hf__writer *, const struct hf_span *, size_t n);
/* Which extensions a message has, of those that are known; bits. */
enum { HF__EXT_DISPATCHED = 1, HF__EXT_CHANNELS = 2 };
unsigned hf__read_extensions(struct hf__reader *);
void hf__write_extensions(struct hf__writer *, unsigned known, bool grease);
/* Those of an initiator's first message of a stream. */
void hf__write_first_extensions(struct hf__writer *, const struct hf_config *,
    bool channels);
void hf__write_cookie(struct hf__writer *, const struct hf__handshake *);
enum hf_err hf__set_target(struct hf_session *, struct hf_span target);
void hf__set_name(struct hf_session *, struct hf_span name);
enum hf_err hf__set_peer_cert(struct hf_session *, const struct hf__cert *);
/* A session's peer, its certificate included, is put aside; and is again what
 * it was. */
void hf__peer_keep(struct hf__peer *, struct hf_session *);
void hf__peer_restore(struct hf_session *, struct hf__peer *);
void hf__key_id(uint8_t id[HF__KEY_ID_BYTES], struct hf_span leaf);
void hf__request_info_hash(uint8_t hash[32], const struct hf__hpke_base *,
    const uint8_t th0[32]);

/* one file per message; build appends to the output, parse is a step */
enum hf_err hf__hello_build(struct hf_session *);
enum hf_err hf__hello_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
enum hf_err hf__retry_build(struct hf_session *);
enum hf_err hf__retry_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
enum hf_err hf__offer_build(struct hf_session *);
enum hf_err hf__offer_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
/* Judges the responder's chain before anything is sealed to it. */
enum hf_err hf__responder_judge(struct hf_session *, const struct hf_span *,
    size_t n);
enum hf_err hf__request_build(struct hf_session *);
enum hf_err hf__request_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
/* Opens an admitted request and judges its token. */
enum hf_err hf__request_open(struct hf_session *);
enum hf_err hf__grant_build(struct hf_session *);
enum hf_err hf__grant_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
enum hf_err hf__confirm_build(struct hf_session *);
enum hf_err hf__confirm_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
enum hf_err hf__alert_build(struct hf_session *, enum hf_err cause);
enum hf_err hf__alert_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
/* The code of an alert in clear. */
enum hf_err hf__alert_read(uint64_t *code, struct hf_span message);
enum hf__alert hf__alert_code(enum hf_err cause);
/* HF_OK for a code that is not one. */
enum hf_err hf__alert_error(uint64_t code);
/* The same of an alert in clear: it may be a dispatcher's. */
enum hf_err hf__alert_clear_error(const struct hf_session *, uint64_t code);

/* resume.c, resumed.c: takeover (spec section 17) */
enum hf_err hf__resume_build(struct hf_session *);
/* A reply key that was made beforehand is gone. */
void hf__unprepare(struct hf__move *);
enum hf_err hf__resume_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
/* Judges a stored entry against the resume that asked for it. */
enum hf_err hf__resume_open(struct hf_session *, const uint8_t *entry,
    size_t len);
enum hf_err hf__resumed_build(struct hf_session *);
/* The claim has won: resumed goes out. */
enum hf_err hf__claim_committed(struct hf_session *);
/* confirm has come: the entry of the second compare-and-set. */
enum hf_err hf__claim_confirm(struct hf_session *);
/* A session that could not go on is over: another is open. */
void hf__lost_note(struct hf_session *s, enum hf_err cause);
void hf__give_up(struct hf_session *);
enum hf_err hf__resumed_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
/* An alert in answer to resume: a handshake follows where that is allowed. */
enum hf_err hf__resume_alert_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
/* The responder does not go on with that session, but stays for another. */
enum hf_err hf__resume_refuse(struct hf_session *, enum hf_err);
/* proved.c. Responder: to the reply key and, unless NULL, the initiator's. */
enum hf_err hf__proof_make(struct hf__proof *, const struct hf_session *,
    const struct hf__kem *, const uint8_t random[32], const uint8_t *reply,
    const uint8_t *initiator);
/* Another server of the cluster that the handshake was with. */
enum hf_err hf__proof_judge(struct hf__cert *leaf, const struct hf_session *,
    const struct hf_span *chain, size_t n);
/* Initiator: the same secrets. */
enum hf_err hf__proof_share(struct hf__proof *, const struct hf_session *,
    const struct hf__pair *reply, const uint8_t *enc, const uint8_t *server);

/* refresh.c. Initiator: the reply key of a soft takeover is kept. */
void hf__refresh_expect(struct hf_session *);
/* Responder: the initiator's reply key, or none. */
void hf__refresh_offer(struct hf_session *, struct hf_span reply_key);
/* The session is open in a new epoch: a refresh may be due. */
void hf__refresh_opened(struct hf_session *);
/* Whatever of a refresh was under way is over. */
void hf__refresh_forget(struct hf_session *);
/* Responder: whether the next checkpoint begins one. */
bool hf__refresh_begins(const struct hf_session *);
/* Makes the next epoch, and what the state says of it. */
enum hf_err hf__refresh_build(struct hf_session *, struct hf__stored *);
/* Responder: whether no checkpoint may be written; or must be, for it. */
bool hf__refresh_waits(const struct hf__move *);
bool hf__refresh_hurries(const struct hf_session *);
/* Responder: what became of a checkpoint. */
enum hf_err hf__refresh_written(struct hf_session *);
void hf__refresh_not_written(struct hf__move *);
/* Sends it as soon as there is room. */
enum hf_err hf__refresh_send(struct hf_session *);
enum hf_err hf__refresh_parse(struct hf_session *, struct hf_span data);
/* The record has been taken: keys change. */
enum hf_err hf__refresh_take(struct hf_session *);

/* query.c (spec sections 4.8 and 17.9) */
enum hf_err hf__query_parse(struct hf_session *, struct hf_span,
    enum hf__state *);
/* On an open session: it waits to be received, as a sealed one would. */
enum hf_err hf__query_open(struct hf_session *, struct hf_span,
    enum hf__state *);
/* What comes of the old epoch, or asks for what was done already. */
enum hf_err hf__passed_over(struct hf_session *, struct hf_span,
    enum hf__state *);
/* session.c: begins a handshake; the state follows from it. */
enum hf_err hf__initiator_start(struct hf_session *);
/* Whether it has all that a session of its role needs, and that is valid. */
enum hf_err hf__config_check(const struct hf_config *, uint64_t now);

/* move.c */
enum {
	HF__HISTORY_USUAL = 1024,
	HF__HISTORY_MAX = 8192, /* with the acks behind a full window */
	HF__WINDOW_RECORDS = 1024
};
#define HF__WINDOW_BYTES ((uint64_t)4 << 20)
enum hf_err hf__move_new(struct hf_session *, enum hf_mobility);
enum hf_err hf__move_claim(struct hf__move *);
void hf__move_unclaim(struct hf__move *);
void hf__move_free(struct hf_session *);
size_t hf__move_bytes(const struct hf_session *);
void hf__mark_get(struct hf__mark *, const struct hf__traffic *);
void hf__mark_set(struct hf__traffic *, const struct hf__mark *);
/* Makes sure that the next record of a direction can be remembered, and that
 * for it none beyond what was acked is forgotten. */
enum hf_err hf__history_room(struct hf__history *, uint64_t acked);
void hf__history_add(struct hf__history *, const struct hf__traffic *);
/* The mark of the last record is another. */
void hf__history_amend(struct hf__history *, const struct hf__traffic *);
/* The history begins anew, at that mark. */
enum hf_err hf__history_restart(struct hf__history *, const struct hf__mark *);
/* The mark at a count; false where it is not held. */
bool hf__history_find(struct hf__mark *, const struct hf__history *,
    uint64_t count);
/* Whether len more bytes of data may be sent before the next ack. */
bool hf__move_window(const struct hf_session *, size_t len);
/* How many bytes that are at most. */
uint64_t hf__move_left(const struct hf_session *);
/* Tells what is stored, or was released; owes it while acks are held. */
enum hf_err hf__ack_tell(struct hf_session *);
enum hf_err hf__ack_parse(struct hf_session *, struct hf_span data);
/* A record was taken by the application, or is released by itself. */
enum hf_err hf__move_received(struct hf_session *, enum hf__content);
/* The session is open: the first time, or again. */
enum hf_err hf__move_opened(struct hf_session *);
/* The state as it is now. */
void hf__move_state(struct hf__stored *, const struct hf_session *);
/* The keys of a responder's store; NULL for none. */
const struct hf_vault *hf__vault_of(const struct hf_session *);
/* Both directions go on at these marks, in the session's epoch. */
enum hf_err hf__move_rebase(struct hf_session *, struct hf__mark own,
    struct hf__mark peers);

/* record.c */
enum { HF__RECORD_HEAD = 7, HF__RATCHET_RECORDS = 1 << 20 };
#define HF__SEQ_MAX ((uint64_t)1 << 48)
enum hf_err hf__record_seal(struct hf_session *, enum hf__content,
    const uint8_t *, size_t);
/* Bytes of a record with the largest head, and that much data. */
size_t hf__record_size(const struct hf_session *, size_t len);
/* Whether a record of that much data may still be put out. */
bool hf__record_fits(const struct hf_session *, size_t len);
enum hf_err hf__record_parse(struct hf_session *, struct hf_span,
    enum hf__state *);

#endif
