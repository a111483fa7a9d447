/* SPDX-License-Identifier: ISC */
/*
 * The inside of crowd, a great number of peers in one process, for its three
 * files: crowd.c, which starts them and counts; token.c, which makes what
 * they show; peer.c, which is one peer of each kind.
 */
#ifndef CROWD_H
#define CROWD_H

#include <time.h>

#include "fleet.h"

enum {
	KINDS_MAX = 16,
	ERRORS_MAX = 16,
	HIST_MAX = 1 << 20, /* times kept of a kind */
	POOL = 200,	    /* requests that are made beforehand */
	RETRY_MAX = 128,
	COOKIE_S = 10 /* a cookie is good for some time */
};

/* What a peer does once it is connected. */
enum act {
	SERVE,	 /* a session: one echo, then it closes in order */
	HOLD,	 /* a session that stays, and asks for an echo again later */
	BARE,	 /* a whole first message; goes when it was answered */
	HELLO,	 /* the same, a hello */
	BOX,	 /* a request that does not open, never the same */
	SILENT,	 /* says nothing */
	DRIP,	 /* a hello, one byte a second */
	CRAWL,	 /* a hello, then a request at one byte a second */
	TOUCH,	 /* goes at once */
	GARBAGE, /* bytes that are no message */
	RESET,	 /* half a hello, then an RST */
	FINISH	 /* half a hello, then a FIN, and stays to read */
};

struct blob {
	uint8_t *ptr;
	size_t len;
};

/* What peers of one kind share, and what became of them. */
struct kind {
	const char *name;
	enum act act;
	struct hf_identity *identity;
	struct hf_config *config; /* of a token, or NULL */
	char password[128];	  /* empty without */
	uint8_t stretched[HF_KEY_BYTES];
	struct blob pool[POOL];
	unsigned pool_made[POOL]; /* with which retry */
	unsigned pool_n, pool_next;
	uint8_t retry[RETRY_MAX]; /* the last one heard */
	size_t retry_len;
	unsigned retries;
	time_t retried;
	struct blob request; /* of who crawls */
	uint64_t begun, good, held, again, refused, closed, unconnected;
	int why; /* the last was not connected: libuv's error */
	struct {
		enum hf_err err;
		uint64_t n;
	} error[ERRORS_MAX];
	uint32_t *us; /* from connecting to the echo, or to being closed */
	size_t us_n;
};

extern struct crowd {
	uv_loop_t *loop;
	struct hf_trust *trust;
	int port, first_source, sources;
	unsigned live, next_source;
	uint8_t scratch[HF_LINK_SCRATCH];
} crowd;

/* Ends the program with a word of why. */
_Noreturn void give_up(const char *what, const char *why);
void must(enum hf_err e, const char *what);

/* token.c: reads `serve:certificate:alice` and the like. */
void kind_make(struct kind *k, char *word);
/* A first message, with the newest cookie; all of a pool take turns. */
struct blob kind_message(struct kind *k);
/* What a peer heard: its cookie, if it is a retry, serves all of its kind. */
void kind_heard(struct kind *k, const uint8_t *bytes, size_t len);

/* peer.c: begins one. */
void peer_begin(struct kind *k);
/* All that hold ask for an echo. Returns how many. */
unsigned peers_again(void);
/* All that hold close; all others are dropped. */
void peers_leave(void);

/* crowd.c: what peer.c tells. */
void peer_echoed(void);
void count_time(struct kind *k, uint64_t ns);
void count_error(struct kind *k, enum hf_err e);
void peer_held(struct kind *k);
void peer_gone(void);

#endif
