/* SPDX-License-Identifier: ISC */
/*
 * An agent (spec section 21): it holds sessions with peers that a file names,
 * one each, and gives the applications of this machine channels of them. It
 * alone has the keys. All of it belongs to one loop's thread; it prints
 * nothing and never exits.
 */
#ifndef FLEET_AGENT_H
#define FLEET_AGENT_H

#include <sys/stat.h>

#include "fleet.h"

enum {
	HF_AGENT_PATH = 4096, /* room for the path of a socket or a file */
	HF_PEERS_MAX = 64,    /* in a file */
	HF_WHY_MAX = 512      /* room for what was wrong, in words */
};

/* --- peers.c: a file of peers (handfast(5)) --- */

/* Peers with their trust and their credentials, as a file has them. */
struct hf_peers;

/* Reads a file, and all files that it names; with `only` those of that peer
 * alone (HF_E_POLICY where it has none of that name). Where it fails, `why`
 * says so, with file and line.
 * @return HF_OK; HF_E_CONFIG for what it says; HF_E_IO for a file that cannot
 * be read; HF_E_POLICY for one that others could read or change; what is wrong
 * with an object in it */
HF_MUST_USE enum hf_err hf_peers_read(struct hf_peers **peers,
    const char *path, const char *only, char why[HF_WHY_MAX]);
/* Reads what stands before its peers alone, and none of the files that it
 * names: whom to become before that. @return as hf_peers_read() */
HF_MUST_USE enum hf_err hf_peers_read_top(struct hf_peers **peers,
    const char *path, char why[HF_WHY_MAX]);
/* Wipes and frees; accepts NULL. */
void hf_peers_free(struct hf_peers *peers);
/* The socket that the file names; "" where it names none. */
const char *hf_peers_socket(const struct hf_peers *peers);
/* Where it says that sessions rest, and the file of the key that seals them;
 * "" where it does not. */
const char *hf_peers_store(const struct hf_peers *peers);
const char *hf_peers_store_key(const struct hf_peers *peers);
/* 1 when a peer is for other users than this one. */
int hf_peers_for_others(const struct hf_peers *peers);
int hf_peers_log_json(const struct hf_peers *peers);
/* Who an agent of these is to be, "" for who it is; and whether it gives up
 * what it does not need. */
const char *hf_peers_user(const struct hf_peers *peers);
int hf_peers_sandbox(const struct hf_peers *peers);

/* --- agent_path.c, agent_bind.c: where it is --- */

/* The path that holds where none is given: of the socket, or (peers) of the
 * file of peers. HF_E_CONFIG: there is none, or it is too long. */
HF_MUST_USE enum hf_err hf_agent_where(char out[HF_AGENT_PATH], int peers);
/* Listens at the path, in a directory that is made (0700, or 0711 where it is
 * for others too) and must be this user's alone to change. A dead socket of
 * this user is replaced, anything else left as it is; where it fails none is
 * left. `made` says which one it is, for who takes it away in the end.
 * @return HF_OK; HF_E_ARG: no whole path, at the root, or too long for a
 * socket; HF_E_POLICY: it is not safe there; HF_E_IO, errno says why */
HF_MUST_USE enum hf_err hf_agent_bind(int *fd, struct stat *made,
    const char *path, int others);
/* Whether that could be, whoever listens there now; nothing is changed.
 * @return as hf_agent_bind() */
HF_MUST_USE enum hf_err hf_agent_look(const char *path);
/* The socket that systemd listens at for this process. -1: there is none, or
 * not a unix socket alone. */
int hf_agent_inherited(void);

/* --- agent.c --- */

struct hf_agent;

enum hf_agent_state {
	HF_AGENT_DOWN,	  /* no session */
	HF_AGENT_OPENING, /* it begins */
	HF_AGENT_OPEN,
	HF_AGENT_BROKEN /* no connection: it is resumed, or begins anew */
};
/* A peer, as it is. Text is the agent's, until the next call. */
struct hf_agent_peer {
	const char *name;
	enum hf_agent_state state;
	uint8_t sid[HF_SID_BYTES]; /* 0 where there is no session */
	uint64_t epoch;
	uint64_t channels; /* that are there, or are waited for */
	/* These begin anew where a session ends in order, and with a file that
	 * is read anew. */
	uint64_t opened, handshakes, resumes;
	uint64_t in, out;  /* bytes from and to the peer, of channels that are
			      over */
	enum hf_err error; /* of the last session that ended */
};

/* What is told, and good until the callback returns. Text is NULL, and `sid`
 * empty, where it does not apply. */
struct hf_agent_event {
	enum {
		HF_AGENT_SESSION,   /* it is open */
		HF_AGENT_RESUMED,   /* it went on with a new connection */
		HF_AGENT_RESTED,    /* it was put to rest; err: or why not */
		HF_AGENT_DISCARDED, /* what rested cannot be waked: err;
				       HF_E_POLICY: for no peer of the
				       file */
		HF_AGENT_EXPIRED,   /* what rests is past its end */
		HF_AGENT_ENDED,	    /* it is over: err */
		HF_AGENT_REFUSED,   /* an application: err */
		HF_AGENT_CHANNEL    /* an application's is over: err, reason */
	} what;
	const char *peer; /* NULL: it named none */
	const char *address;
	enum hf_err err;
	int reason;	    /* enum hf_reason */
	unsigned long uid;  /* of the application */
	long pid;	    /* -1: not known */
	uint64_t in, out;   /* HF_AGENT_CHANNEL: bytes from and to the peer */
	uint64_t ms;	    /* of the application: since it connected */
	struct hf_span sid; /* of the session */
	uint64_t expires;   /* HF_AGENT_EXPIRED: when, seconds since the
			       epoch */
};

/* The peers are the agent's after HF_OK. The loop is borrowed; `told`, which
 * may be NULL, is called on its thread and may not call the agent.
 * @return HF_OK; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf_agent_new(struct hf_agent **agent, uv_loop_t *loop,
    struct hf_peers *peers,
    void (*told)(void *owner, const struct hf_agent_event *event),
    void *owner);
/* Takes applications from a listening socket that does not block; it closes
 * that in the end. @return HF_OK; HF_E_IO */
HF_MUST_USE enum hf_err hf_agent_listen(struct hf_agent *agent, int fd);
/* Sessions rest in that directory, which is made (0700) and must be this
 * user's, sealed under the key in that file, which is made (0600). What rests
 * there is waked when it is asked for (spec section 21.4), and what is there
 * for none of the peers is removed.
 * @return HF_OK; HF_E_POLICY for a directory or file that is another's, or not
 * closed; HF_E_AGAIN where another agent has the directory, and keeps it for
 * three seconds; HF_E_OBJECT, HF_E_TOO_BIG for a key that is none; HF_E_CONFIG;
 * HF_E_IO; HF_E_MEMORY; `why` says more */
HF_MUST_USE enum hf_err hf_agent_store(struct hf_agent *agent, const char *dir,
    const char *key, char why[HF_WHY_MAX]);
/* Whether that could be, whoever has the directory now; nothing is changed.
 * @return as hf_agent_store() */
HF_MUST_USE enum hf_err hf_agent_store_look(const char *dir, const char *key,
    char why[HF_WHY_MAX]);
/* Takes one, by a connected socket that does not block, which may have every
 * peer. When it is over the agent stops. The socket is closed in any case.
 * @return HF_OK; HF_E_MEMORY */
HF_MUST_USE enum hf_err hf_agent_serve(struct hf_agent *agent, int fd);
/* Other peers from now on, by sessions of their own. Those that are open carry
 * the channels that they have, and end with the last one. The peers are the
 * agent's. */
void hf_agent_configure(struct hf_agent *agent, struct hf_peers *peers);
/* Closes all that is open, or puts it to rest; channels end with
 * HF_E_AGENT_GONE. The loop then runs out of what is the agent's;
 * hf_agent_free() follows. */
void hf_agent_stop(struct hf_agent *agent);
/* After the loop has ended. Accepts NULL. */
void hf_agent_free(struct hf_agent *agent);

/* --- agent_ask.c: asks one that runs; waits ten seconds at most for a
 *     connection, and for each part of the answer --- */

/* Each peer in turn; what `each` gets is good until it returns.
 * @return HF_OK; HF_E_ARG: no whole path; HF_E_NO_AGENT; HF_E_POLICY, also for
 * another user than the agent's and root; HF_E_QUOTA: too many connections;
 * HF_E_AGENT_GONE; HF_E_DEADLINE; HF_E_IO; what is wrong with an answer */
HF_MUST_USE enum hf_err hf_agent_status(const char *path,
    void (*each)(void *arg, const struct hf_agent_peer *peer), void *arg);
/* Ends a peer's session and its channels, and takes away what rests of it.
 * Those too that are open from before its file was read anew.
 * @return as that; HF_E_CONFIG: no such peer; HF_E_ARG: no name of one */
HF_MUST_USE enum hf_err hf_agent_close(const char *path, const char *peer);

#endif
