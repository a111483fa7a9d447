/* SPDX-License-Identifier: ISC */
/*
 * The agent's own protocol (spec section 21): the frames between applications
 * and the agent, for the files that speak it and for its fuzzer.
 */
#ifndef FLEET_AGENT_WIRE_H
#define FLEET_AGENT_WIRE_H

#include "handfast.h"

enum {
	HF__WIRE_VERSION = 1,
	HF__WIRE_DATA_MAX = 16384, /* bytes in a frame of data */
	HF__WIRE_HEAD = 5,	   /* bytes before them at the most */
	HF__WIRE_MAX = HF__WIRE_DATA_MAX + HF__WIRE_HEAD,
	HF__WIRE_PEER_MAX = 64, /* bytes of a peer's name in the file */
	HF__WIRE_FIELDS = 11,	/* of a frame at the most, after its type */
	HF__WIRE_SMALL = 512	/* room for any frame but one of data */
};

enum hf__wire_type {
	HF__WIRE_OPEN = 0,   /* the application: a channel to a peer */
	HF__WIRE_DATA = 1,   /* either */
	HF__WIRE_END = 2,    /* either: nothing more is sent */
	HF__WIRE_OVER = 3,   /* either: the channel is given up, and why */
	HF__WIRE_STATUS = 4, /* the agent's user: tell of all peers */
	HF__WIRE_CLOSE = 5,  /* the agent's user: end a peer's session */
	HF__WIRE_INFO = 16,  /* the agent: what the session is now */
	HF__WIRE_PEER = 17,  /* the agent: one peer */
	HF__WIRE_DONE = 18   /* the agent: that was all */
};
/* Where one side is in what it sends, and so what may come from it next. */
enum hf__wire_stage {
	HF__WIRE_ASKS,	  /* an application, first: open, status or close */
	HF__WIRE_SENDS,	  /* it has opened: data, end or over */
	HF__WIRE_SENT,	  /* it has ended: over */
	HF__WIRE_ANSWERS, /* the agent, to an open: info or over */
	HF__WIRE_CARRIES, /* there is a channel: info, data, end or over */
	HF__WIRE_CARRIED, /* the peer has finished: info or over */
	HF__WIRE_TELLS,	  /* the agent, to a status: peer, done or over */
	HF__WIRE_AGREES,  /* the agent, to a close: done or over */
	HF__WIRE_ANY,	  /* the agent, to what is not known */
	HF__WIRE_LAST	  /* nothing more */
};

/* A frame: of each field its number, or its bytes, in their order after the
 * type. Bytes are views into what was read. */
struct hf__wire {
	enum hf__wire_type type;
	uint64_t number[HF__WIRE_FIELDS];
	struct hf_span bytes[HF__WIRE_FIELDS];
};
/* Fields of HF__WIRE_OPEN and HF__WIRE_CLOSE; of HF__WIRE_STATUS the first. */
enum { HF__OPEN_VERSION, HF__OPEN_PEER };
/* Of HF__WIRE_OVER; of HF__WIRE_DONE the first. */
enum { HF__OVER_ERROR, HF__OVER_REASON };
/* Of HF__WIRE_INFO. */
enum {
	HF__INFO_SID,
	HF__INFO_SUITE,
	HF__INFO_EPOCH,
	HF__INFO_STRENGTH,
	HF__INFO_RESPONDER,
	HF__INFO_BROKEN
};
/* Of HF__WIRE_PEER. */
enum {
	HF__PEER_NAME,
	HF__PEER_STATE,
	HF__PEER_SID,
	HF__PEER_EPOCH,
	HF__PEER_CHANNELS,
	HF__PEER_OPENED,
	HF__PEER_HANDSHAKES,
	HF__PEER_RESUMES,
	HF__PEER_IN,
	HF__PEER_OUT,
	HF__PEER_ERROR
};

/* Reads the frame at ptr, as whoever is at that stage may send it. *used: its
 * bytes; 0: more are needed.
 * @return HF_OK; HF_E_CBOR, HF_E_SHAPE, HF_E_TOO_BIG, HF_E_VERSION;
 * HF_E_UNEXPECTED for a type that has no place there */
HF_MUST_USE enum hf_err hf__wire_read(struct hf__wire *wire, size_t *used,
    const uint8_t *ptr, size_t have, enum hf__wire_stage stage);
/* The stage after a frame of that type. */
enum hf__wire_stage hf__wire_next(enum hf__wire_stage stage,
    enum hf__wire_type type);
/* 1 where a frame of that type may come. */
int hf__wire_may(enum hf__wire_stage stage, enum hf__wire_type type);
/* Writes any frame but one of data; the fields must be right. Returns its
 * bytes. */
size_t hf__wire_write(uint8_t out[HF__WIRE_SMALL],
    const struct hf__wire *wire);
/* What stands before len bytes of data, 1 to HF__WIRE_DATA_MAX. */
size_t hf__wire_data(uint8_t out[HF__WIRE_HEAD], size_t len);
/* 1 for 1 to HF__WIRE_PEER_MAX letters, digits, dots, hyphens, underscores:
 * what a peer may be called. */
int hf__wire_peer(const char *name, size_t len);

#endif
