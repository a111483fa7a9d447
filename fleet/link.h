/* SPDX-License-Identifier: ISC */
/*
 * The inside of a link, for its files: link.c, which asks the session,
 * stream.c, which moves the bytes, send.c, what is sent and how it ends, and
 * mux.c, its channels. Nobody else includes it.
 */
#ifndef FLEET_LINK_H
#define FLEET_LINK_H

#include "fleet.h"

enum {
	LINGER_MS = 1000 /* for an alert to arrive */
};

enum phase { FRESH, RUNNING, LINGERING, ENDING };

struct hf_link {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} io;
	uv_timer_t timer;
	uv_shutdown_t shutdown;
	const struct hf_link_hooks *hooks;
	void *owner;
	struct hf_session *session;
	struct hf_mux *mux; /* the owner's; NULL: no channels */
	uint8_t *scratch;
	uint8_t *held;	     /* what `next` points into, when not scratch */
	const uint8_t *next; /* read, not fed yet */
	size_t next_len;
	uint64_t bytes_in, bytes_out;
	uint64_t finish_at; /* 0, or when to end whatever the peer does */
	uint64_t first_by;  /* 0, or when the first message must be there */
	uint64_t spent;	    /* ns in the library, since the last message */
	size_t partial;	    /* bytes of the message that is arriving */
	enum hf_err err;
	enum hf_err cut; /* HF_OK, or why there is no close record */
	enum phase phase;
	int handles; /* not closed yet */
	int family;
	int message_type;
	int running, opened, asked, paused, reading, full;
	int unread;	  /* the peer does not read: no acks */
	int filled;	  /* the last read took all that it could */
	uint8_t *waiting; /* data beyond what the peer has acked */
	size_t waiting_len, waiting_cap;
	int kept;	  /* the session is somebody else's */
	int close_wanted; /* when nothing waits, and all is stored */
	int was_closed;	  /* before this owner had it: not told yet */
	int eof, eof_told, closing, shutting, shut, failed, dumb;
};

/* The monotonic clock, as the session wants it. */
uint64_t hf__link_ms(void);
/* Closes the handles; `ended` follows from the loop. */
void hf__link_end(struct hf_link *l, enum hf_err err, int reset);
/* The stream broke: ends with what that means for the session. */
void hf__link_broken(struct hf_link *l);
/* Reports one message of the handshake and the time since the last. */
void hf__link_trace(struct hf_link *l, int sent, int type, size_t bytes);
/* Sends all output of the session: at once what the socket takes, the rest
 * from a queue. */
HF_MUST_USE enum hf_err hf__link_flush(struct hf_link *l);
/* After the session was asked all it could be: what the stream does next. */
void hf__link_settle(struct hf_link *l);
/* The peer has acked: what waited for that is sent. */
void hf__link_send_waiting(struct hf_link *l);
/* mux.c: seals what channels have to say, as far as it can be sent: 1 when the
 * session is to be asked again; whether there is more; a record of theirs. */
int hf__link_mux_send(struct hf_link *l);
int hf__link_mux_waits(const struct hf_link *l);
void hf__link_mux_feed(struct hf_link *l, struct hf_span data);
/* Asks the session until it must wait. */
void hf__link_run(struct hf_link *l);

#endif
