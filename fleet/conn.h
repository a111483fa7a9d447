/* SPDX-License-Identifier: ISC */
/**
 * @file
 * Connections of an application: the wrapper API. A flag says whether one is
 * a channel of a session that processes share, which `handfast agent` holds,
 * or has a session of its own, which a thread of this process works on. The
 * calls, their results and what they mean are the same for both; who the
 * peers are, and how they are reached, a file says (handfast(5)).
 *
 * Compiles as C11 and as C++17, and needs handfast.h alone. A connection
 * belongs to one thread at a time. After fork() it is its parent's: the child
 * may only leave it alone. No call raises a signal.
 */
#ifndef FLEET_CONN_H
#define FLEET_CONN_H

#include "handfast.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Of HF_SHARED and HF_UNSHARED one; the others as wanted. */
enum hf_conn_flags {
	HF_SHARED = 1,	 /**< the agent's session */
	HF_UNSHARED = 2, /**< one's own */
	HF_FALLBACK = 4, /**< with HF_SHARED: one's own where no agent answers;
			     hf_conn_info() then says so */
	HF_NONBLOCK = 8	 /**< no call waits for the agent or the peer:
			     HF_E_AGAIN instead */
};
/** Limits. */
enum { HF_CONN_PEER_MAX = 64 /**< bytes of a peer's name in the file */ };

/** A connection: hf_conn_open() gives one, hf_conn_close() takes it. */
struct hf_conn;

/** What hf_conn_info() tells. */
struct hf_conn_info {
	int shared;    /**< 1: the agent's session; 0: one's own */
	int fell_back; /**< 1: shared was wanted, and no agent answered */
	int open;      /**< 1: the session is there; what follows says more */
	int broken;    /**< 1: at present it has no connection. No agent says
			  so yet: channels end with the connection. */
	int reason;    /**< why the channel ended, enum hf_reason */
	char peer[HF_CONN_PEER_MAX + 1]; /**< as it was asked for */
	char responder[HF_NAME_MAX + 1]; /**< its certificate's subject */
	uint8_t sid[HF_SID_BYTES];	 /**< the session's id */
	int suite;			 /**< see hf_suite_name() */
	uint64_t epoch;			 /**< how often it moved */
	enum hf_mobility strength;	 /**< of the last move */
};

/** Opens a connection to a peer of the file, by its name there: 1 to
 * HF_CONN_PEER_MAX of A-Z a-z 0-9 . - _. It waits until the session is
 * there, not until the peer has taken the channel; also with HF_NONBLOCK up to
 * ten seconds for an agent that takes nobody, and for files to be read. *out is
 * set on success only, and is the caller's: hf_conn_close().
 * @return HF_OK; HF_E_ARG for flags or a name that cannot be; HF_E_NO_AGENT;
 * HF_E_POLICY for a peer that the file does not have or does not let this user
 * have, for a socket or key file that is not safe; HF_E_QUOTA; HF_E_CONFIG for
 * a file that is wrong; HF_E_UNSUPPORTED for a peer without channels;
 * HF_E_MEMORY; HF_E_IO; why there is no session, as hf_session_error() and
 * with HF_E_IO where nobody could be connected to. With HF_NONBLOCK what is
 * found later is what the next calls return. */
HF_MUST_USE enum hf_err hf_conn_open(struct hf_conn **out, const char *peer,
    unsigned flags);
/** The same with the agent's socket, or the file of peers, at `where`. NULL:
 * $HANDFAST_AGENT, else handfast/agent in $XDG_RUNTIME_DIR, else
 * /run/handfast/agent; for HF_UNSHARED, and where it falls back,
 * $HANDFAST_PEERS, else handfast/peers.conf in $XDG_CONFIG_HOME or ~/.config. */
HF_MUST_USE enum hf_err hf_conn_open_at(struct hf_conn **out, const char *peer,
    unsigned flags, const char *where);
/** Sends all of it; with HF_NONBLOCK what goes without waiting. *sent: how much
 * that was.
 * @return HF_OK, with HF_NONBLOCK and some sent also when not all went;
 * HF_E_AGAIN: none of it; HF_E_STATE after hf_conn_finish(); HF_E_DEADLINE;
 * HF_E_RESET; HF_E_REFUSED; HF_E_AGENT_GONE; why the session ended. HF_E_RESET
 * also where what came before the end is not received yet: hf_conn_recv() has
 * it, and says then why. */
HF_MUST_USE enum hf_err hf_conn_send(struct hf_conn *conn, size_t *sent,
    const void *data, size_t len);
/** Says that nothing more will be sent. Again does nothing.
 * @return as hf_conn_send(), but never HF_E_AGAIN: what is left goes with the
 * next calls */
HF_MUST_USE enum hf_err hf_conn_finish(struct hf_conn *conn);
/** Receives what there is, 1 to cap bytes; waits for the first. *len 0 with
 * HF_OK: the peer sends nothing more.
 * @return HF_OK; HF_E_AGAIN; HF_E_ARG for a cap of 0; else as hf_conn_send().
 * What came before the end of the channel, or of its session, is received
 * before that is told; after the latter only while some of it is taken every
 * five seconds; where somebody closed the session, or the agent ended, what the
 * socket holds. */
HF_MUST_USE enum hf_err hf_conn_recv(struct hf_conn *conn, size_t *len,
    void *buf, size_t cap);
/** A descriptor to be polled for *events (POLLIN, POLLOUT), as they are after
 * the last call: then a call that said HF_E_AGAIN may say something else, and
 * what was sent and is kept here goes with the next call, be it to send 0
 * bytes, or hf_conn_finish() again. Where data was received before, hf_conn_pending() is 1 and there is no
 * need. Never read, written or closed by the application. */
int hf_conn_poll_fd(const struct hf_conn *conn, short *events);
/** 1 when hf_conn_recv() would not wait. */
int hf_conn_pending(struct hf_conn *conn);
/** How long a call may wait from now on, in milliseconds, before it says
 * HF_E_DEADLINE; -1, at first: for ever. 0: as HF_NONBLOCK. What was sent in
 * part by then stays so: *sent. */
void hf_conn_wait(struct hf_conn *conn, int ms);
/** What is known of it, without waiting. */
void hf_conn_info(struct hf_conn_info *info, struct hf_conn *conn);
/** Ends and frees; accepts NULL. Where one end has not finished the channel is
 * reset, and what was sent may be lost. With a session of one's own it waits,
 * where both have finished, until all that was sent is on its way: as long as
 * a call may wait, two seconds where none may. Then it waits for the session to
 * end in order, two seconds at most, and for a name that is being looked up or a
 * password that is being stretched.
 * @return HF_OK: both had finished; what ended it before; HF_E_RESET; with a
 * session of one's own also HF_E_DEADLINE, and why that ended, where some of
 * what was sent is lost by it */
enum hf_err hf_conn_close(struct hf_conn *conn);
/** One request and its answer: opens, sends all, finishes, receives until the
 * peer has finished, closes. It waits as long as that takes. *answer_len: what
 * was received, also after an error. HF_NONBLOCK is HF_E_ARG.
 * @return as those; HF_E_SPACE for an answer of more than cap bytes */
HF_MUST_USE enum hf_err hf_conn_call(unsigned flags, const void *data,
    size_t len, void *answer, size_t cap, size_t *answer_len,
    const char *peer);

#ifdef __cplusplus
}
#endif

#endif
