/* SPDX-License-Identifier: ISC */
/*
 * What the files behind `respond` and `initiate` share: the log line, the
 * streams that block, and what a responder does with a session's data.
 */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include <sys/queue.h>

#include <stdarg.h>
#include <stdatomic.h>

#include "cli.h"
#include "fleet.h"
#include "stores.h"

/* log.c: one line on stderr, of key=value pairs or (log_json, which may change
 * while other threads write theirs) one object.
 * Values are escaped, so that no peer can forge a line or a pair. */
extern atomic_int log_json;

struct log_line {
	int json; /* as it was when the line began */
	size_t len;
	char text[4096];
};
void log_begin(struct log_line *line, const char *event);
/* Nothing is added for NULL or an empty value. */
void log_text(struct log_line *line, const char *key, const char *value);
void log_bytes(struct log_line *line, const char *key, struct hf_span value);
void log_number(struct log_line *line, const char *key, uint64_t value);
void log_end(struct log_line *line);
/* `trace: sent request 612 bytes 143 us` on stderr, or with --json
 * {"trace":{"way":"sent","message":"request","bytes":612,"us":143}}. */
void log_trace(int sent, int type, size_t bytes, uint64_t ns);
/* `trace: digest SID initiator 12 RECORDS' DIGEST responder 3 ...` on stderr:
 * the same at both ends where all has arrived. Nothing without a session. */
void log_digests(const struct hf_session *session);

/* parse.c: reads the address that an option gives, or says what is wrong */
int cli_address(struct hf_address out[HF_ADDRESSES_MAX], size_t *n,
    const char *command, const char *option, const char *text);

/* bound.c: the port of an address, or the address of a unix socket, into a
 * file (path NULL: none), which was looked at before there was a socket; and
 * the end of all unix sockets among n. */
int bound_check_port(const char *path);
int bound_write_port(const char *path, const struct hf_address *bound);
void bound_remove(const struct hf_address *bound, size_t n);

/* loop.c: uv_loop_init() of the process's first loop, and its pool of threads;
 * has said what was wrong */
int loop_init(uv_loop_t *loop);
/* Signals of a program that goes on until it is told: SIGTERM and SIGINT stop
 * it, SIGHUP has it read its files anew. Has said what was wrong. */
struct loop_signals {
	uv_signal_t term, intr, hup;
};
int loop_signals(struct loop_signals *signals, uv_loop_t *loop,
    uv_signal_cb stop, uv_signal_cb reload);
void loop_signals_close(struct loop_signals *signals);
/* As many descriptors as this process may have, but no more than that. */
void loop_files(unsigned most);

/* pump.c: descriptors that may block, used from threads of their own */

/* Begins or ends what lets threads be stopped. */
int pump_init(void);
void pump_stop(void);
/* Reads what there is; 0 at the end. Waits at most idle_ms (-1: for ever). -1:
 * errno, EAGAIN after that, which is no end, and ECANCELED after
 * pump_stop(). */
ssize_t pump_read(int fd, uint8_t *buf, size_t cap, const atomic_int *idle_ms);
/* Lets waiting readers look at their idle_ms again. */
void pump_nudge(void);
/* Writes all. Returns 0 or an errno, ECANCELED after pump_stop(). */
int pump_write(int fd, const uint8_t *data, size_t len);

/* lane.c: what a sink serves: a session, or one channel of a session. For a
 * channel each call does what its namesake of the link does for a session. */
struct lane {
	struct hf_served *conn;
	void *sink;		    /* what the sink keeps */
	struct hf_channel *channel; /* NULL: the whole session */
	LIST_ENTRY(lane) beside;    /* those of a session */
	int held, delivering, told, over;
};
enum {
	CHANNELS_USUAL = 64, /* of a session */
	CARRY_PIECE = 65536  /* bytes of a channel at a time */
};
struct hf_session *lane_session(const struct lane *lane);
void lane_send(struct lane *lane, const uint8_t *data, size_t len);
/* 1 while nothing more should be sent: `drained` follows. */
int lane_full(const struct lane *lane);
void lane_pause(struct lane *lane);
void lane_resume(struct lane *lane);
void lane_close(struct lane *lane);
void lane_finish(struct lane *lane, uint64_t ms);
void lane_cut(struct lane *lane, enum hf_err err, uint64_t ms);
void lane_abort(struct lane *lane, enum hf_err err);

/* carry.c: the channels of a session, each a lane of its own */
struct carry;
/* The session is open; where it has channels they are served. 1: it has. */
int carry_begin(struct hf_served *conn);
void carry_news(struct hf_served *conn);
/* The peer sends nothing more. */
void carry_closed(struct hf_served *conn);
/* 1 while no channel is open. */
int carry_idle(const struct hf_served *conn);
/* How many there were. */
uint64_t carry_count(const struct hf_served *conn);
/* The connection has ended: so have they all. */
void carry_end(struct hf_served *conn);
/* For lane.c: the lane ends, soon; data may be taken again. */
void carry_over(struct lane *lane);
void carry_deliver(struct lane *lane);

/* What a responder does with the data of its sessions. */
struct sink {
	void (*opened)(struct lane *lane);
	void (*data)(struct lane *lane, const uint8_t *data, size_t len);
	void (*closed)(struct lane *lane);
	void (*drained)(struct lane *lane);
	void (*ended)(struct lane *lane);
	void (*acked)(struct lane *lane); /* NULL: received is done with */
	int idle;     /* nothing is at work behind a quiet channel */
	int moves;    /* another server's sink of this kind can go on */
	unsigned fds; /* descriptors a session takes, its socket included */
	int channels; /* each channel can be served as a session is */
};
extern const struct sink sink_echo, sink_print; /* sink.c */
extern const struct sink sink_exec;		/* exec.c */
extern const struct sink sink_forward;		/* forward.c */
extern const struct sink sink_receive;		/* receive.c */
/* Whether --receive DIR can be written to. Returns an exit code. */
int receive_look(void);

enum { ALLOW_MAX = 64, TARGETS_MAX = 64 };

/* What the command line of `respond` says. */
struct respond {
	const char *listen[HF_LISTENERS_MAX];
	size_t listen_n;
	const char *identity, *cert, *users, *ring, *port_file;
	const char *trust[CLI_PATHS_MAX], *revoked[CLI_PATHS_MAX];
	size_t trust_n, revoked_n;
	const char *targets[TARGETS_MAX], *allow[ALLOW_MAX];
	size_t targets_n, allow_n;
	char **password_command, **exec; /* split at blanks */
	const char *forward, *receive;
	const char *store, *cluster; /* both or none */
	enum hf_mobility takeover;
	const struct sink *sink;
	struct cli_pass pass;
	struct cli_secret kept; /* the passphrase, for SIGHUP */
	uint64_t ticket_ttl;
	int trace;
	uint64_t channels; /* of a session; 0: none */
	struct hf_server_options server;
};

/* The state of one connection: conn->app. */
struct serve {
	void *ask;	     /* ask.c: the password command that runs for it */
	struct lane whole;   /* the session */
	struct carry *carry; /* or its channels */
};

/* The one `respond` of this process; threads only read it. */
extern struct respond respond;

/* respond_args.c: reads the command line into it. */
int respond_read(int argc, char **argv);
/* Ends the program after an error that concerns all sessions. */
void respond_fatal(void);
/* From any thread: keys are read again. */
void respond_renew(void);

/* joint.c: joins a lane to two streams, there and back */
struct joint;
struct joint_hooks {
	/* Nothing comes back any more (err 0), or it broke. */
	void (*ended)(struct joint *joint, int err);
	/* All handles are closed: free what holds the joint. */
	void (*freed)(struct joint *joint);
};
struct joint {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} there, back; /* `back` is unused where one stream does both */
	uv_shutdown_t shutdown;
	uv_timer_t timer;
	uv_stream_t *out, *in;
	const struct joint_hooks *hooks;
	struct lane *lane; /* NULL: it ended */
	uint8_t *buf;
	int handles;  /* open; the owner may add its own */
	int ready;    /* the streams are connected */
	int held;     /* the connection waits for the streams */
	int blocked;  /* the streams wait for the connection */
	int over;     /* nothing comes back any more */
	int broken;   /* nothing can be sent there */
	int finished; /* the peer sends nothing more */
	int shut;     /* that was told there, after all else */
	int waits;    /* the connection ended, and it was not told yet */
	size_t left;  /* bytes to write then, when it was looked at last */
};
/* The streams are connected: data may flow. */
void joint_start(struct joint *joint);
void joint_data(struct joint *joint, const uint8_t *data, size_t len);
void joint_closed(struct joint *joint);
void joint_drained(struct joint *joint);
/* The connection ended: closes the streams. Where the peer had finished what is
 * not written yet is, as long as some of it goes within `ms`. Where he had not
 * a TCP connection is reset. */
void joint_end(struct joint *joint, uint64_t ms);
/* For uv_close(); handle->data is the joint. */
void joint_handle_closed(uv_handle_t *handle);

/* ask.c: asks --password-command about a plain password */
void ask_begin(struct hf_served *conn);
/* The connection ended: its answer is not waited for. */
void ask_forget(struct hf_served *conn);

/* Splits at blanks into a new NULL-ended list, freed by free(). */
char **split_words(const char *text);

/* service.c: what `respond` answers to its server */
extern const struct hf_service serve_service;
/* Reads all files into a new generation; has said what was wrong. */
int serve_load(void **generation, const void *before);
void serve_warn_expiry(const void *generation);
/* vault.c: whether a key of the store is that of a grant of this server. */
int vault_concerns(struct hf_span key);
/* Whether the store did not answer when this server's grants were read last. */
int vault_unanswered(void);

#endif
