/* SPDX-License-Identifier: ISC */
/**
 * @file
 * Sessions on sockets, over libuv: links, servers, and the stores that the
 * servers of a cluster share. It knows streams, timers, threads and the tables
 * that threads share; what a session carries, who may have one and where keys
 * come from are its owner's business, asked through hooks. It prints nothing
 * and never exits.
 *
 * The conventions are those of handfast.h: outputs before inputs, `len` bytes,
 * `n` items, `cap` room, `ms` milliseconds, `now` and every end of a validity
 * seconds since the epoch; a struct hf_span borrows. Unless a function says
 * more it returns HF_OK, HF_E_ARG for an argument out of its range, and
 * HF_E_MEMORY. Who gets an object frees it by the call that is named after it,
 * which accepts NULL where it says so. `owner` and `arg` are the caller's, and
 * handed back as they are. C11; needs handfast.h, and uv.h, which
 * needs -D_GNU_SOURCE or -std=gnu11.
 */
#ifndef FLEET_H
#define FLEET_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "conn.h"
#include "handfast.h"

/** Sizes and limits of links and addresses. */
enum hf_fleet_limits {
	HF_LINK_SCRATCH = 1 << 16, /**< bytes to read into; one a loop */
	HF_LINK_RECORD = 1 << 14,  /**< data bytes in a record of bulk */
	HF_LINK_HIGH = 1 << 18,	   /**< queued bytes at which to hold back */
	HF_LINK_LOW = 1 << 16,	   /**< queued bytes at which to go on */
	HF_ADDRESS_TEXT = 128	   /**< room for an address as text */
};

/** @name Links: one session over one stream */ /** @{ */

/** One session over one stream. All calls and hooks of a link belong to its
 * loop's thread. A link is freed by itself right after `ended`, which comes
 * exactly once and only after hf_link_start() or hf_link_abort(); no call may
 * follow it. */
struct hf_link;

/** What a link asks and tells its owner. All but those that say so must be
 * there; a hook may call its link, and any other. */
struct hf_link_hooks {
	/** Responder: HF_WANT_ADMIT, see hf_session_admit(). */
	enum hf_admission (*admit)(void *owner, struct hf_link *link);
	/** HF_WANT_TRUST: answer now or later by one of hf_link_trust(),
	 * hf_link_verify(), hf_link_stretched(), hf_link_password(). */
	void (*trust)(void *owner, struct hf_link *link);
	/** Responder: HF_WANT_COMMIT of a handshake: the single-use ticket is
	 * to be burnt. Answered now or later by hf_link_committed(). */
	void (*commit)(void *owner, struct hf_link *link);
	/** Responder: HF_WANT_STATE, answered now or later by
	 * hf_link_supply(). NULL: nothing moves here. */
	void (*state)(void *owner, struct hf_link *link);
	/** Responder: HF_WANT_COMMIT of a takeover, with the entry to write,
	 * borrowed until the hook returns. Answered by hf_link_committed().
	 * NULL where `state` is. */
	void (*store)(void *owner, struct hf_link *link, struct hf_span entry);
	/** An open session that may move has gone on: a checkpoint may be due,
	 * an ack may have come. May be NULL. */
	void (*moved)(void *owner, struct hf_link *link);
	/** Initiator: the peer asks to go on elsewhere. May be NULL. */
	void (*query)(void *owner, struct hf_link *link);
	/** The handshake is done: both sides are who they say. */
	void (*opened)(void *owner, struct hf_link *link);
	/** A record of data or a ticket, 0 to HF_PLAINTEXT_MAX bytes, borrowed
	 * until the hook returns. To hold further ones back call
	 * hf_link_pause(). */
	void (*data)(void *owner, struct hf_link *link,
	    enum hf_content content, const uint8_t *data, size_t len);
	/** The peer sends nothing more. */
	void (*closed)(void *owner, struct hf_link *link);
	/** Fewer than HF_LINK_LOW bytes wait to be sent. */
	void (*drained)(void *owner, struct hf_link *link);
	/** The session failed; `ended` follows. May be NULL. */
	void (*failed)(void *owner, struct hf_link *link, enum hf_err err);
	/** Over: HF_OK after a close both ways. The session can still be
	 * asked; nothing can be done to it. */
	void (*ended)(void *owner, struct hf_link *link, enum hf_err err);
	/** One message of the handshake: 1 for one that was sent, its type,
	 * bytes, and nanoseconds spent in the library since the last one. May
	 * be NULL. */
	void (*trace)(void *owner, struct hf_link *link, int sent, int type,
	    size_t bytes, uint64_t ns);
	/** With hf_link_carry(): hf_mux_next() may have something. What the
	 * hook does to channels is sent by itself. May be NULL. */
	void (*channels)(void *owner, struct hf_link *link);
};

/** Makes a link with a stream of the kind (AF_INET, AF_INET6 or AF_UNIX) that
 * the caller then accepts or connects. The scratch, shared by all links of the
 * loop, the loop and the hooks are borrowed until `ended`.
 * @return HF_OK; HF_E_MEMORY; HF_E_IO */
HF_MUST_USE enum hf_err hf_link_new(struct hf_link **link, uv_loop_t *loop,
    int family, uint8_t scratch[HF_LINK_SCRATCH],
    const struct hf_link_hooks *hooks, void *owner);
/** The link's stream, to be accepted or connected; the link's, also to close. */
uv_stream_t *hf_link_stream(struct hf_link *link);
/** Begins the handshake on the connected stream. The config is borrowed until
 * `ended`; `source` (at most HF_SOURCE_MAX bytes, copied) is where a peer comes
 * from, see hf_session_source(). Where it fails the link ends with that
 * error. */
void hf_link_start(struct hf_link *link, struct hf_config *config,
    const uint8_t *source, size_t source_len);
/** After the start: takes what the peer has said already, without the loop's
 * next turn. Not from within a hook: links of a loop share their scratch. */
void hf_link_look(struct hf_link *link);
/** From now, before the start: the peer's first message must be complete in
 * `ms`. The session's deadline counts too. */
void hf_link_hurry(struct hf_link *link, uint64_t ms);
/** As hf_link_start(), with a session that has begun to reconnect. It stays the
 * caller's: it is freed by nobody when the link ends. */
void hf_link_start_again(struct hf_link *link, struct hf_session *session);
/** The session is the caller's from now on, also after the link's end. */
struct hf_session *hf_link_keep_session(struct hf_link *link);
/** The session, borrowed; NULL before hf_link_start(). Only for asking, never
 * for answering. */
struct hf_session *hf_link_session(const struct hf_link *link);

/** Answers `trust`; see hf_session_trust(). */
void hf_link_trust(struct hf_link *link, enum hf_err verdict);
/** Answers `trust` by a user's verifier (HF_KEY_BYTES), or NULL for one that is
 * not known; see hf_session_verify(). */
void hf_link_verify(struct hf_link *link, const uint8_t *verifier);
/** Answers `trust` of an initiator by its stretched password; see
 * hf_session_stretched(). */
void hf_link_stretched(struct hf_link *link,
    const uint8_t stretched[HF_KEY_BYTES]);
/** Answers `trust` of an initiator by the password itself, `len` bytes; see
 * hf_session_password(). */
void hf_link_password(struct hf_link *link, const char *text, size_t len);

/** Answers `state`: HF_OK and the entry, `len` bytes that are copied, or why
 * there is none; see hf_session_supply(). */
void hf_link_supply(struct hf_link *link, enum hf_err verdict,
    const uint8_t *entry, size_t len);
/** Answers `store` and `commit`; see hf_session_commit(). */
void hf_link_committed(struct hf_link *link, enum hf_err verdict);
/** The entry of an open session, to be stored; see hf_session_checkpoint().
 * @return as that; HF_E_STATE where the link is not open */
HF_MUST_USE enum hf_err hf_link_checkpoint(struct hf_link *link, uint8_t *out,
    size_t cap, size_t *len);
/** What became of it; see hf_session_checkpointed(). */
void hf_link_checkpointed(struct hf_link *link, enum hf_err verdict);
/** Behind a dispatcher: goes on with another server on this connection, for a
 * target, or with NULL for the same one; see hf_session_reroute(). What waits
 * is dropped; `opened` follows again.
 * @return HF_OK; HF_E_STATE and HF_E_EXPIRED: nothing was done */
HF_MUST_USE enum hf_err hf_link_reroute(struct hf_link *link,
    const char *target);
/** 1 while the link waits with its close until all is stored. */
int hf_link_wants_store(const struct hf_link *link);
/** Responder: asks the peer to go on elsewhere; see hf_session_query(). */
void hf_link_query(struct hf_link *link);
/** Other keys for a session that may move; see hf_session_vault().
 * @return as that; HF_E_STATE where the link does not run */
HF_MUST_USE enum hf_err hf_link_vault(struct hf_link *link,
    const struct hf_vault *vault);
/** So many bytes were used, and may be acked; see hf_session_release(). */
void hf_link_release(struct hf_link *link, uint64_t count);

/** Seals data into records and sends them. What cannot be sent yet is queued
 * (copied): above HF_LINK_HIGH wait for `drained`. After hf_link_close() the
 * link ends as cut: there was more to say. */
void hf_link_send(struct hf_link *link, const uint8_t *data, size_t len);
/** From `opened` on, in a session with channels: these are carried. The mux is
 * the owner's, borrowed until `ended`; hf_mux_restart() is the owner's to call,
 * from `closed`, `failed` or `ended`, or when `opened` comes again. Without
 * one, channel records fail the session.
 * @return HF_OK; HF_E_STATE in a session without channels */
HF_MUST_USE enum hf_err hf_link_carry(struct hf_link *link,
    struct hf_mux *mux);
/** After calls on its channels from outside of the link's hooks: sends what
 * there is to send, as far as the peer and the socket take it. The rest is
 * taken from the mux when they take more, never before: who waits longest is
 * next. hf_link_close() sends the rest first. */
void hf_link_pump(struct hf_link *link);
/** 1 while something waits: data to be taken, or bytes to be sent. */
int hf_link_busy(const struct hf_link *link);
/** Bytes queued. */
size_t hf_link_queued(const struct hf_link *link);
/** Sends the peer a ticket of `ttl` seconds, and `limit` for all that come of
 * it; see hf_session_issue_ticket(). @return as that */
HF_MUST_USE enum hf_err hf_link_issue_ticket(struct hf_link *link,
    uint32_t ttl, uint32_t limit);
/** Holds records back, and with them the peer. */
void hf_link_pause(struct hf_link *link);
/** Lets them come again. */
void hf_link_resume(struct hf_link *link);
/** Sends nothing more: the close record, then at once the stream's half. */
void hf_link_close(struct hf_link *link);
/** The same, and the peer has `ms` to close too. */
void hf_link_finish(struct hf_link *link, uint64_t ms);
/** Sends what is queued, but no close record: the peer sees a truncation. The
 * link ends with the error, after `ms` at the latest. */
void hf_link_cut(struct hf_link *link, enum hf_err err, uint64_t ms);
/** Ends at once, without a close record: the peer sees a truncation. */
void hf_link_abort(struct hf_link *link, enum hf_err err);
/** Bytes of data received. */
uint64_t hf_link_bytes_in(const struct hf_link *link);
/** Bytes of data sent. */
uint64_t hf_link_bytes_out(const struct hf_link *link);
/** 1 once it was opened. */
int hf_link_opened(const struct hf_link *link);
/** 1 when that was so, and nothing has ended it since: what is sent may go. */
int hf_link_open(const struct hf_link *link);

/** @} */
/** @name A password for a link */ /** @{ */

/** A password that a thread stretches. */
struct hf_stretch;
/** At `trust` of an initiator with a password: stretches it in a thread, as the
 * peer's certificate says, and answers. *place is it until then, and NULL
 * before and after: where one that was forgotten is at work in it still, the
 * answer is HF_E_GONE. User and password (`len` bytes) are borrowed until
 * then. */
void hf_stretch_begin(struct hf_stretch **place, uv_loop_t *loop,
    struct hf_link *link, const char *user, const char *password, size_t len);
/** The link is gone: nobody is answered. Accepts NULL. */
void hf_stretch_forget(struct hf_stretch *stretch);

/** @} */
/** @name Addresses: where to listen and to connect */ /** @{ */

/** An address of a stream socket. */
struct hf_address {
	struct sockaddr_storage at; /**< AF_INET, AF_INET6 or AF_UNIX */
	socklen_t len;		    /**< bytes of it */
};
/** Limits. */
enum { HF_ADDRESSES_MAX = 8 /**< addresses of a name */ };

/** 1 for the form of what hf_address_parse() reads; no name is looked up. */
int hf_address_looks(const char *text);
/** Reads HOST:PORT, [HOST]:PORT or unix:PATH; names are resolved, blocking.
 * @return HF_OK with n >= 1; HF_E_ARG; HF_E_IO, errno says why, 0: the name is
 * not found */
HF_MUST_USE enum hf_err hf_address_parse(struct hf_address
					     out[HF_ADDRESSES_MAX],
    size_t *n, const char *text);
/** As text, the same forms. Returns `out`. */
const char *hf_address_text(char out[HF_ADDRESS_TEXT],
    const struct hf_address *address);
/** Opens a listening socket, which is the caller's to close; *bound is where it
 * listens. A unix socket is made with mode 0600, where no one else can replace
 * it or a directory above it; a socket file that nobody listens on is replaced,
 * any other file refused. Not beside threads that make files: the mask is
 * changed meanwhile.
 * @return HF_OK; HF_E_POLICY; HF_E_IO, errno says why */
HF_MUST_USE enum hf_err hf_address_listen(int *fd, struct hf_address *bound,
    const struct hf_address *address);
/** Whether that could make a unix socket there, one that is listened at aside;
 * nothing is changed.
 * @return as hf_address_listen() */
HF_MUST_USE enum hf_err hf_address_look(const struct hf_address *address);
/** Connects a stream made for the address's family.
 * @return 0 or a libuv error; the callback may follow only after 0 */
HF_MUST_USE int hf_address_connect(uv_connect_t *req, uv_stream_t *stream,
    const struct hf_address *address, uv_connect_cb done);
/** What a TCP stream of a peer should have: what is said goes out at once, and
 * one whose network is gone, or who takes nothing of what waits for him, is
 * found out in two minutes. Comforts: without them it still works. */
void hf_address_tune(uv_tcp_t *tcp);

/** @} */
/** @name For whom somebody comes: the PROXY protocol, version 2 */ /** @{ */

/** Sizes and limits. */
enum hf_proxy_limits {
	HF_PROXY_MAX = 536,    /**< bytes of a header that is read */
	HF_PROXY_WRITTEN = 52, /**< of one that is written */
	HF_CIDRS_MAX = 8       /**< of a server's options */
};
/** Some addresses: those that begin as this one. */
struct hf_cidr {
	int family; /**< AF_INET, AF_INET6; AF_UNIX: every unix socket */
	uint8_t bytes[16]; /**< in the network's order; 4 of AF_INET */
	unsigned bits;	   /**< so many of them count */
};
/** Reads ADDRESS, ADDRESS/BITS or `unix`. @return HF_OK; HF_E_ARG */
HF_MUST_USE enum hf_err hf_cidr_parse(struct hf_cidr *cidr, const char *text);
/** 1 when any of the n has the address. */
int hf_cidr_holds(const struct hf_cidr *cidr, size_t n,
    const struct hf_address *address);
/** Writes a header; for addresses that are not TCP's one that says nothing.
 * Returns its length. */
size_t hf_proxy_write(uint8_t out[HF_PROXY_WRITTEN],
    const struct hf_address *from, const struct hf_address *to);
/** Reads one, of `have` bytes so far. *len: so many bytes it has, as far as that
 * is known; it is whole when `have` is that. from->len 0: it says nothing.
 * @return HF_OK; HF_E_SHAPE; HF_E_TOO_BIG */
HF_MUST_USE enum hf_err hf_proxy_read(struct hf_address *from, size_t *len,
    const uint8_t *ptr, size_t have);

/** @} */
/** @name Single-use tickets that were used */ /** @{ */

/** Tickets that were used. Bounded; an entry is kept until its ticket expires.
 * Where there is no room left, a ticket is refused: fail closed. Not locked. */
struct hf_used;

/** Makes one with room for n tickets, at least 1.
 * @return HF_OK; HF_E_ARG; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf_used_new(struct hf_used **used, size_t n);
/** Also remembers in a file, made with mode 0600, and begins with what it holds;
 * the file is this process's alone until hf_used_free().
 * @return HF_OK; HF_E_IO, errno says why; HF_E_OBJECT for another file, which
 * stays as it is; HF_E_STORE when it holds more than there is room for */
HF_MUST_USE enum hf_err hf_used_open(struct hf_used *used, const char *path,
    uint64_t now);
/** Frees; accepts NULL. */
void hf_used_free(struct hf_used *used);
/** Burns a ticket that expires then. @return HF_OK: it is burnt now;
 * HF_E_TICKET_USED; HF_E_STORE */
HF_MUST_USE enum hf_err hf_used_burn(struct hf_used *used,
    const uint8_t cti[HF_CTI_BYTES], uint64_t expires, uint64_t now);

/** @} */
/** @name Stores: what the servers of a cluster share */ /** @{ */

/** Sizes and limits. */
enum hf_store_limits {
	HF_STORE_KEY_MAX = 128,	     /**< bytes of a key */
	HF_STORE_VALUE_MAX = 8192,   /**< bytes of a value */
	HF_STORE_DEADLINE_MS = 2000, /**< unless hf_port_deadline() */
	HF_STORE_REASON_MAX = 200    /**< room for what a store said */
};
/** A store. Values of up to HF_STORE_VALUE_MAX bytes under keys of 1 to
 * HF_STORE_KEY_MAX, each with an expiry; changed by one compare-and-set on the
 * whole of what was there. One for a process, which its threads may use; each
 * loop has a port of its own. Every operation ends within the deadline, whatever
 * the store does: as HF_E_STORE where it is not known what became of it. */
struct hf_store;
/** A loop's own way to a store: its calls and answers belong to the loop's
 * thread. */
struct hf_port;
/** An operation under way; the port's. */
struct hf_op;

/** Opens "lmdb:DIR", made when missing (0700); connects to
 * "redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]", "redis:///PATH?db=N" or
 * "redis://USER@HOST?passfile=FILE"; or to "postgresql://...", as libpq reads
 * it, in a database where hf_store_init() was. Waits no longer than the
 * deadline. *store is the caller's also after an error, but for HF_E_ARG and
 * HF_E_MEMORY, when it is NULL: for its reason, and hf_store_close().
 * @return HF_OK; HF_E_ARG for another URI; HF_E_UNSUPPORTED for one that this
 * build cannot do; HF_E_POLICY where others can read it; HF_E_STORE: see
 * hf_store_reason() */
HF_MUST_USE enum hf_err hf_store_open(struct hf_store **store,
    const char *uri);
/** Whether a URI is understood; opens nothing, connects to nothing. A file that
 * it names is read, the library for such a store loaded, the owner and the mode
 * of a directory that is there are judged. What is wrong is said in words where
 * there are any, else `reason` is "".
 * @return HF_OK; else as hf_store_open() */
HF_MUST_USE enum hf_err hf_store_known(const char *uri,
    char reason[HF_STORE_REASON_MAX]);
/** Whether a store is where hf_store_open() would make one that is missing, for
 * who only looks at it. One that is remote is there, as is one that cannot be
 * looked for: opening it tells.
 * @return HF_OK; HF_E_STORE: there is none; HF_E_ARG for another URI */
HF_MUST_USE enum hf_err hf_store_find(const char *uri);
/** Makes what a store needs before it can be opened, or brings it up to date:
 * the tables of PostgreSQL, in `ms`. A role that is named (NULL: none) may then
 * use them, and only that. May be called again. Whatever goes wrong is also said
 * in words.
 * @return as hf_store_open(); HF_E_UNSUPPORTED for a role where the store has
 * none */
HF_MUST_USE enum hf_err hf_store_init(const char *uri, const char *role,
    uint64_t ms, char reason[HF_STORE_REASON_MAX]);
/** Closes and frees, after all its ports; accepts NULL. */
void hf_store_close(struct hf_store *store);
/** What the store said last, for people; of a remote one, to hf_store_open()
 * and the calls without a loop. Static or the store's, and never NULL. */
const char *hf_store_reason(const struct hf_store *store);

/** Opens a port for a loop; store and loop are borrowed.
 * @return HF_OK; HF_E_MEMORY; HF_E_IO */
HF_MUST_USE enum hf_err hf_port_open(struct hf_port **port,
    struct hf_store *store, uv_loop_t *loop);
/** Operations under way are forgotten. Frees itself from the loop. */
void hf_port_close(struct hf_port *port);
/** The deadline of operations from now on, in milliseconds. */
void hf_port_deadline(struct hf_port *port, uint64_t ms);

/** The answer to an operation: HF_OK; HF_E_NO_SESSION: nothing there;
 * HF_E_FENCED: something else was there; HF_E_STORE. The value, `len` bytes, is
 * borrowed until the call returns. */
typedef void hf_store_done(void *arg, enum hf_err err, const uint8_t *value,
    size_t len);
/** Reads the value of a key, which is copied. NULL where it was not begun;
 * `done` is not called then, else once, unless hf_op_forget(). */
struct hf_op *hf_port_get(struct hf_port *port, struct hf_span key,
    hf_store_done *done, void *arg);
/** Puts `next` in the place of `expected`; one of length 0 is nothing. From
 * `expires` on the store may remove it. All are copied. Returns as hf_port_get(). */
struct hf_op *hf_port_swap(struct hf_port *port, struct hf_span key,
    struct hf_span expected, struct hf_span next, uint64_t expires,
    hf_store_done *done, void *arg);
/** `done` will not be called. The operation may still happen. */
void hf_op_forget(struct hf_op *op);
/** Calls `changed` when the value of a key may have been changed by another
 * process: a hint that may come late, twice or never. One watcher a port. */
void hf_port_watch(struct hf_port *port,
    void (*changed)(void *arg, struct hf_span key), void *arg);

/** As hf_port_get(), for who has no loop: it waits; from any thread.
 * @return HF_OK; HF_E_ARG, also without memory; HF_E_NO_SESSION; HF_E_STORE */
HF_MUST_USE enum hf_err hf_store_get(struct hf_store *store,
    struct hf_span key, uint8_t value[HF_STORE_VALUE_MAX], size_t *len);
/** As hf_port_swap(), for who has no loop.
 * @return HF_OK; HF_E_ARG; HF_E_FENCED; HF_E_STORE */
HF_MUST_USE enum hf_err hf_store_swap(struct hf_store *store,
    struct hf_span key, struct hf_span expected, struct hf_span next,
    uint64_t expires);
/** Every key with that prefix, in order, until `each` returns 0. Both are
 * borrowed until it returns. @return HF_OK; HF_E_ARG; HF_E_MEMORY; HF_E_STORE,
 * also of a Redis with more than 256 MiB of such names (ten million sessions),
 * or whose scan takes more than five minutes */
HF_MUST_USE enum hf_err hf_store_list(struct hf_store *store,
    struct hf_span prefix,
    int (*each)(void *arg, struct hf_span key, struct hf_span value),
    void *arg);
/** Removes what has expired, some at a time: *n tells how many.
 * @return HF_OK; HF_E_MEMORY; HF_E_STORE */
HF_MUST_USE enum hf_err hf_store_sweep(struct hf_store *store, uint64_t now,
    size_t *n);

/** @} */
/** @name Who had too many failures (spec sections 10.4 and 18.3) */ /** @{ */

/** What is counted: those of a user, of one from one source, of a source. */
enum hf_counted {
	HF_COUNTED_USER,  /**< from wherever he comes */
	HF_COUNTED_PAIR,  /**< a user from one source */
	HF_COUNTED_SOURCE /**< whoever it is */
};
/** Sizes. */
enum { HF_COUNTER_KEY_BYTES = 2 + 16 /**< of a counter's key */ };
/** The key of a counter that all servers of a store share. `subject` is not
 * looked at for a source, nor `source` for a user.
 * @return HF_OK; HF_E_ARG for a subject that is too long; HF_E_EXPIRED where no
 * key is in force; HF_E_CRYPTO */
HF_MUST_USE enum hf_err hf_counter_key(uint8_t key[HF_COUNTER_KEY_BYTES],
    const struct hf_vault *vault, enum hf_counted what, const char *subject,
    struct hf_span source, uint64_t now);

/** @} */
/** @name Who may hold a cluster's sessions (spec section 19) */ /** @{ */

/** Sizes. */
enum { HF_MEMBER_ID_TEXT = 2 * HF_KEY_BYTES + 1 /**< an id, and a NUL */ };
/** A member of a cluster, as a store has it. */
struct hf_member {
	char id[HF_MEMBER_ID_TEXT]; /**< its certificate's hash, in hex */
	struct hf_name scope[HF_SCOPES_MAX]; /**< those it has keys of */
	size_t scope_n;			     /**< so many */
	uint8_t cert[HF_CERT_MAX];	     /**< its leaf certificate */
	size_t cert_len;		     /**< bytes of it */
};
/** A cluster, for who has its key. One thread's at a time. */
struct hf_cluster;

/** The id of the member that has this leaf certificate. */
void hf_member_id(char out[HF_MEMBER_ID_TEXT], struct hf_span cert);
/** Opens a cluster by its key and certificate. All is borrowed until
 * hf_cluster_close(). `least`: the serial that hf_cluster_serial() said after
 * the last change, kept where no store can change it; 0 at first.
 * @return HF_OK; HF_E_OWN_CERT when the certificate is not this key's, or no
 * cluster's; HF_E_ROLLBACK where the store has an older ring; HF_E_STORE; as
 * hf_cert_read(); as hf_keygrant_open() for a ring that is not right */
HF_MUST_USE enum hf_err hf_cluster_open(struct hf_cluster **cluster,
    struct hf_store *store, const struct hf_identity *id, struct hf_span cert,
    uint64_t now, uint64_t least);
/** The serials that changes were begun with: `used` is the highest, 0 at first,
 * and each further one is told to `remember` before anything is signed under
 * it, to be kept where no store can change it; where that fails the change is
 * not made, with its error. Without this whoever hides what a change that
 * stopped had given him is a member again after he was removed. */
void hf_cluster_remember(struct hf_cluster *cluster, uint64_t used,
    enum hf_err (*remember)(void *arg, uint64_t used), void *arg);
/** hf_cluster_admit() may begin a store anew that has no ring, though there was
 * one: it lost all, or it is another one. Whoever was a member is none then. */
void hf_cluster_anew(struct hf_cluster *cluster);
/** Frees; accepts NULL. */
void hf_cluster_close(struct hf_cluster *cluster);
/** The serial that all rings have, or the lowest where a change stopped on the
 * way. */
uint64_t hf_cluster_serial(const struct hf_cluster *cluster);
/** Gives a server, by its leaf certificate, the keys of a scope: `scope` says
 * its name and targets, and no more.
 * @return HF_OK; HF_E_ARG where the scope has other targets, or cannot be named
 * so; HF_E_SPACE: it has HF_SCOPES_MAX, or there are too many scopes;
 * HF_E_STORE; HF_E_FENCED: others changed it meanwhile, again and again, as
 * with each of these; HF_E_ROLLBACK, as with each: a ring is older than `least`,
 * or there is none though there was, see hf_cluster_anew(); as
 * hf_keygrant_make() */
HF_MUST_USE enum hf_err hf_cluster_admit(struct hf_cluster *cluster,
    struct hf_span cert, const struct hf_keygrant *scope);
/** Takes a member out, with new keys for all scopes. Evicted: what anybody
 * could open until now is refused from now on. @return HF_OK; HF_E_NO_SESSION:
 * done, but there was no record of it; HF_E_STORE */
HF_MUST_USE enum hf_err hf_cluster_remove(struct hf_cluster *cluster,
    struct hf_span cert, int evict);
/** A new key for a scope; with cut_off the others are refused from now on. *n:
 * the grants made of it. @return HF_OK; HF_E_NO_SESSION: there is none; HF_E_STORE */
HF_MUST_USE enum hf_err hf_cluster_rotate(struct hf_cluster *cluster,
    const char *scope, int cut_off, size_t *n);
/** Fresh grants for everybody. *n tells how many.
 * @return HF_OK; HF_E_STORE */
HF_MUST_USE enum hf_err hf_cluster_renew(struct hf_cluster *cluster,
    size_t *n);
/** The members by what the store says, who may say what is not so, until `each`
 * returns 0; each is borrowed until it returns. @return as hf_store_list() */
HF_MUST_USE enum hf_err hf_cluster_members(struct hf_store *store,
    int (*each)(void *arg, const struct hf_member *member), void *arg);
/** What a member's grants say. */
struct hf_granted {
	uint64_t serial;    /**< the lowest of theirs: all have come to it */
	uint64_t not_after; /**< when the first of them ends */
};
/** A member's grants into its vault.
 * @return HF_OK; HF_E_NO_SESSION when it has none; HF_E_STORE; as
 * hf_keygrant_open() */
HF_MUST_USE enum hf_err hf_member_grants(struct hf_vault *vault,
    struct hf_store *store, const struct hf_keygrant_judge *by,
    struct hf_granted *granted);

/** When the state of a session that may move is stored, beside what must be
 * stored in any case. */
struct hf_checkpoint_policy {
	/** The occasion. */
	enum {
		HF_CHECKPOINT_RECORD,  /**< with every record */
		HF_CHECKPOINT_MS,      /**< at most `value` ms later */
		HF_CHECKPOINT_BYTES,   /**< after `value` bytes of data */
		HF_CHECKPOINT_HANDOVER /**< when it leaves in order */
	} kind;
	uint64_t value; /**< what `kind` says */
	/** So long after a soft takeover a refresh begins: what waits for the
	 * takeover comes first. 0: none does, beside those that a session
	 * begins by itself (hf_config_refresh()). */
	uint64_t refresh_ms;
};

/** @} */
/** @name With systemd: sd_notify(3) and sd_listen_fds(3) */ /** @{ */

/** Tells the service manager, where there is one. */
void hf_notify(const char *state);
/** It reads its files anew; hf_notify("READY=1") follows. */
void hf_notify_reloading(void);
/** How often "WATCHDOG=1" is to be said, in milliseconds; 0: never. */
uint64_t hf_watchdog_ms(void);
/** The listening sockets that this process was given, and where they listen,
 * `cap` at most; none are given twice.
 * @return HF_OK; HF_E_SPACE: more than cap; HF_E_ARG: *n is the number of one
 * that is no stream socket that listens */
HF_MUST_USE enum hf_err hf_given_sockets(int *fds, struct hf_address *at,
    size_t *n, size_t cap);

/** @} */
/** @name What a program gives up */ /** @{ */

/** Becomes that user, with its groups, for good. Before there are threads.
 * @return HF_OK, also where it is that user; HF_E_ARG: there is none; HF_E_IO,
 * errno says why */
HF_MUST_USE enum hf_err hf_user_become(const char *name);
/** From now on this thread, and those that it begins, change files beneath these
 * n directories alone, and execute none. What may be read stays.
 * @return Landlock's version; 0: this kernel has it not; -1, errno says why */
int hf_sandbox_files(const char *const *dirs, size_t n);
/** All threads are left the system calls of one that carries bytes.
 * @return 1; 0: that is not possible here */
int hf_sandbox_calls(void);

/** @} */
/** @name Servers: many links on worker threads */ /** @{ */

/** A server. Its calls belong to one thread, but for those on a connection. */
struct hf_server;
/** One of its threads. */
struct hf_worker;
/** What the server knows of a connection. */
struct hf_served_own;

/** One connection. The owner's hooks run on its worker's thread. */
struct hf_served {
	struct hf_link *link;	      /**< its session */
	struct hf_worker *worker;     /**< whose it is */
	uv_loop_t *loop;	      /**< that one's */
	void *generation;	      /**< the one it began with */
	void *app;		      /**< the owner's */
	char source[HF_ADDRESS_TEXT]; /**< where the peer comes from */
	int of_proxy;		      /**< its own, for nobody else */
	uint64_t began;		      /**< uv_hrtime() */
	struct hf_served_own *own;    /**< the server's */
};

/** What the owner of a server answers; borrowed until hf_server_free().
 * `generation` is its configuration, in use by many workers at once, given back
 * when its last session ended. All but those that say so must be there. */
struct hf_service {
	/** Makes the config of one worker, which is the server's then. */
	enum hf_err (*configure)(struct hf_config **config, void *generation);
	/** Takes a generation back. */
	void (*retire)(void *generation);
	/** Where there is a store: whose sessions may be held, and under which
	 * keys names stand there; borrowed as long as the generation. May be
	 * NULL, or give NULL. */
	const struct hf_vault *(*vault)(void *generation);
	/** A stored session names a newer key than the vault has: the keys are
	 * to be read again, as a new generation. From any thread, at most once a
	 * second. May be NULL. */
	void (*renew)(void);
	/** What became of a session's checkpoint: HF_OK, HF_E_FENCED, or
	 * HF_E_STORE, when it is tried again. From any thread; may be NULL. */
	void (*stored)(enum hf_err err);
	/** Limits and replay are seen to: judge the peer by hf_link_trust() or
	 * hf_link_verify(), now or later. */
	void (*judge)(struct hf_served *conn);
	/** The session is open; see the link's hook, as of the next three. */
	void (*opened)(struct hf_served *conn);
	/** Data came, `len` bytes, borrowed until the hook returns. */
	void (*data)(struct hf_served *conn, const uint8_t *data, size_t len);
	/** The peer sends nothing more. */
	void (*closed)(struct hf_served *conn);
	/** There is room again for what is sent. */
	void (*drained)(struct hf_served *conn);
	/** With hf_link_carry(): see the link's hook. May be NULL. */
	void (*channels)(struct hf_served *conn);
	/** A session that may move: the peer may have acked more. May be
	 * NULL. */
	void (*acked)(struct hf_served *conn);
	/** The session is quiet, and was so for too long or the server stops: 1
	 * when it may be closed in order: nothing of what either side had to say
	 * would be missing without a word. Else it is cut. */
	int (*idle)(struct hf_served *conn);
	/** It is over; HF_OK after a close both ways. `conn` is freed then. */
	void (*ended)(struct hf_served *conn, enum hf_err err);
	/** See the link's hook. May be NULL. */
	void (*trace)(struct hf_served *conn, int sent, int type, size_t bytes,
	    uint64_t ns);
	/** Closed unheard since the last such call, at most one a second: that
	 * many, the latest from `source`. */
	void (*turned_away)(const char *source, uint64_t n);
};

/** How a server serves; hf_server_defaults() fills them in. */
struct hf_server_options {
	unsigned workers; /**< threads; 1 to HF_WORKERS_MAX */
	/** Wrong passwords of a user and minute, from one source; from all of
	 * them twice that. The servers on one store count them together. */
	uint32_t max_failures;
	uint32_t max_source_failures; /**< refused tokens of a source */
	/** Connections of a source and minute that come to no session: what
	 * comes from there then waits in line. */
	uint32_t max_source_unopened;
	unsigned busy; /**< unfinished handshakes of a source: cookies */
	/** Unfinished handshakes of a source; never more than a quarter of what
	 * there is room for, but one. */
	unsigned max_pending_source;
	unsigned max_open_subject; /**< sessions of one; 0: that quarter too */
	uint64_t idle_ms;      /**< 0, or how long a session may be quiet */
	unsigned fds_per_conn; /**< that the service takes, socket too; >= 1 */
	uint32_t tolerance;    /**< seconds that clocks may differ */
	const char *used_path; /**< used tickets; NULL: memory only */
	/** Borrowed. NULL: sessions do not move, and what is counted and burnt
	 * is so for this server alone. */
	struct hf_store *store;
	uint64_t store_ms; /**< the deadline of its answers */
	struct hf_checkpoint_policy checkpoint; /**< when there is a store */
	/** Who comes from there says first for whom, in a header. */
	struct hf_cidr proxy[HF_CIDRS_MAX];
	size_t proxy_n; /**< so many of them */
};
/** Limits. */
enum hf_server_limits {
	HF_WORKERS_MAX = 64, /**< threads of a server */
	HF_LISTENERS_MAX = 8 /**< sockets that it listens at */
};

/** What holds where nothing is said. */
void hf_server_defaults(struct hf_server_options *options);
/** Makes a server; the options are copied, the paths and the store in them are
 * borrowed. @return HF_OK; HF_E_ARG; HF_E_MEMORY; as hf_used_open() */
HF_MUST_USE enum hf_err hf_server_new(struct hf_server **server,
    const struct hf_server_options *options, const struct hf_service *service);
/** Adds a listening socket of that family, which it closes in the end.
 * @return HF_OK; HF_E_ARG: one too many, or after the start: it is the caller's
 * still */
HF_MUST_USE enum hf_err hf_server_listen(struct hf_server *server, int fd,
    int family);
/** Sets what new sessions use, and under which keys those that move are stored.
 * The generation is the server's after HF_OK, and the caller's after an error.
 * @return as `configure`; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf_server_generation(struct hf_server *server,
    void *generation);
/** Starts the threads, once; the generation must have been set.
 * @return HF_OK; HF_E_STATE; HF_E_MEMORY; HF_E_IO, errno says why */
HF_MUST_USE enum hf_err hf_server_start(struct hf_server *server);
/** Asks every thread for a sign of life. 1 when all have given the one that they
 * were asked for before, or were not asked yet. */
int hf_server_lives(struct hf_server *server);
/** Accepts no more; closes the sessions that are idle, cuts the others off
 * after two seconds. */
void hf_server_stop(struct hf_server *server);
/** Stops where needed and frees; accepts NULL. */
void hf_server_free(struct hf_server *server);
/** For a `judge` that took its time: 0 when the user or the source of this
 * connection had too many failures by now. */
int hf_server_allowed(struct hf_served *conn);
/** For a `judge` that asks elsewhere: from now on (@p asked 1, 0 when it was
 * answered) the time it takes may tell what the answer will be. Where the
 * handshake's deadline comes first the password counts as a wrong one. (spec
 * section 10.4) */
void hf_server_asked(struct hf_served *conn, int asked);
/** 1 when wrong passwords of both count for one user from one source. */
int hf_served_same_pair(const struct hf_served *a, const struct hf_served *b);
/** 1 when failures of both count as one source's. */
int hf_served_same_source(const struct hf_served *a,
    const struct hf_served *b);
/** 1 when the session was asked to go on with another server, and stood in the
 * store for it. */
int hf_served_moved_away(const struct hf_served *conn);

/** @} */

#endif
