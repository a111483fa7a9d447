/* SPDX-License-Identifier: ISC */
/*
 * The inside of a mux and its channels (spec section 20), for the files that
 * share it: channel.c, what an application does to one; channel_mux.c, what
 * the peer does; channel_send.c, what is sent next; channel_frame.c, how a
 * frame is written. None of them knows a session but hf_mux_seal().
 */
#ifndef HANDFAST_CHANNEL_H
#define HANDFAST_CHANNEL_H

#include "session.h"

/* channel_frame.c --------------------------------------------------------- */

enum hf__frame_type {
	HF__FRAME_OPEN = 0,
	HF__FRAME_DATA = 1,
	HF__FRAME_CREDIT = 2,
	HF__FRAME_FIN = 3,
	HF__FRAME_RESET = 4
};
enum {
	/* of data: array, type, number, head of the bytes */
	HF__FRAME_HEAD = 1 + 1 + 5 + 5,
	/* the largest without data */
	HF__FRAME_OPEN_BYTES = 1 + 1 + 5 + 2 + HF_LABEL_MAX,
	HF__FRAME_SMALL_BYTES = 1 + 1 + 5 + 5
};

struct hf__frame {
	enum hf__frame_type type;
	uint32_t number;
	struct hf_span span; /* the label or the data; a view */
	uint32_t value;	     /* the credit or the reason */
};

/* Reads one frame, and judges nothing but its form. */
enum hf_err hf__frame_get(struct hf__frame *, struct hf__reader *);
void hf__frame_put(struct hf__writer *, const struct hf__frame *);
/* Whether a reset may say that. */
bool hf__reason_sent(uint64_t reason);

/* the mux ------------------------------------------------------------------- */

/* What is a word is sent ahead of turns. */
enum { HF__WORD = 2048 };
/* The least part of what may be on its way; who says less is not counted. */
enum { HF__PART_MIN = HF_QUANTUM / 4 };

/* Lines in which a channel stands, each at most once; of WORD and DATA in one
 * of both. */
enum hf__line {
	HF__LINE_ALL,	  /* every channel of the mux */
	HF__LINE_CONTROL, /* has an open, a credit or a reset to send */
	HF__LINE_DATA,	  /* has data and credit, or a fin to send */
	HF__LINE_WORD,	  /* the same, but a few bytes, and it said little */
	HF__LINE_HEARD,	  /* was heard lately, the last one last */
	HF__LINE_NEWS,	  /* has something to tell its application */
	HF__LINES
};

struct hf__place {
	struct hf_channel *prev, *next;
	bool in;
};

struct hf_channel {
	struct hf_mux *mux;
	struct hf__place place[HF__LINES];
	struct hf_channel *chain; /* in the table */
	uint32_t number;
	bool own;	/* opened here */
	bool numbered;	/* its open was written, or came */
	bool held;	/* its application has the handle */
	bool live;	/* counts as one of its side's */
	bool taken;	/* counts as one of the peer's that are taken */
	bool over;	/* final frames have gone both ways */
	bool ended;	/* for its application */
	bool finishing; /* a fin is to follow what waits */
	int cut;	/* in its place a reset, for that reason */
	bool hangup;	/* and after it a reset: nobody reads here any more */
	bool fin_sent, fin_got;
	bool reset_sent, reset_got; /* or is in the control line, to be sent */
	bool open_due, credit_due, reset_due;
	bool turn;	/* has had its quantum of this round */
	uint64_t round; /* in which it sent last; */
	size_t said;	/* so many bytes */
	int reason;
	unsigned news;
	uint64_t credit; /* bytes that may still be sent */
	uint64_t given;	 /* bytes that the peer may still send */
	uint64_t heard;	 /* of the mux, when it was heard last */
	size_t part;	 /* that the credit which is due is to fill */
	size_t lately;	 /* bytes heard since it was found to send */
	size_t deficit;
	struct hf__buffer in, out;
	void *kept;
	size_t label_len;
	char label[HF_LABEL_MAX];
};

enum { HF__TABLE = 512 };
struct hf_mux {
	struct hf_mux_limits limits;
	enum hf_err err; /* the peer broke the rules */
	struct {
		struct hf_channel *first, *last;
		size_t n;
	} line[HF__LINES];
	struct hf_channel *table[HF__TABLE]; /* those not over, by number */
	uint64_t own_next, peers_next;	     /* numbers */
	uint64_t round;			     /* of turns */
	size_t ahead;		     /* bytes of words since a turn began */
	size_t flight;		     /* 0, or hf_mux_flight() */
	uint64_t heard;		     /* bytes of data, of all channels */
	size_t unnumbered;	     /* own, whose open is due */
	size_t own_live, peers_live; /* not over, or an answer is owed */
	size_t peers_taken;	     /* not over, or held: theirs keep data */
};

/* channel.c: an empty buffer gives its memory back. */
void hf__channel_trim(struct hf__buffer *);
void hf__channel_give(struct hf_channel *);

/* channel_mux.c */
void hf__line_add(struct hf_channel *, enum hf__line);
void hf__line_remove(struct hf_channel *, enum hf__line);
/* A channel that is in no table yet. NULL when memory ran out. */
struct hf_channel *hf__channel_new(struct hf_mux *, bool own,
    struct hf_span label);
/* It is known by its number from now on. */
void hf__channel_enter(struct hf_channel *, uint32_t number);
/* Tells the application, where there is one. */
void hf__channel_news(struct hf_channel *, unsigned news);
/* The lines for sending follow from what is to be sent. */
void hf__channel_settle(struct hf_channel *);
/* Its application has nothing to do with it any more. */
void hf__channel_end(struct hf_channel *, int reason);
/* A reset is to be sent: what waited is not. */
void hf__channel_refuse(struct hf_channel *, int reason);
/* Whether it is over follows from its final frames. It may be freed here: it
 * is not to be used after that. */
void hf__channel_judge(struct hf_channel *);

#endif
