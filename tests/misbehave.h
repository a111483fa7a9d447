/* SPDX-License-Identifier: ISC */
/*
 * A peer that misbehaves, for tests alone: it makes every message by itself
 * from the library's primitives, in either role, and has a switch for each
 * wrong that it can do. With no switch set it is an honest peer.
 */
#ifndef HANDFAST_MISBEHAVE_H
#define HANDFAST_MISBEHAVE_H

#include "testing.h"

#define RAW(s)                                      \
	{                                           \
		(const uint8_t *)(s), sizeof(s) - 1 \
	}

/* What it says, in this order. */
enum said {
	SAY_HELLO,
	SAY_OFFER,
	SAY_RETRY,
	SAY_REQUEST,
	SAY_GRANT,
	SAY_CONFIRM,
	SAY_FIRST, /* two records of data, and the close */
	SAY_SECOND,
	SAY_CLOSE,
	SAID_N
};

/* What it does to one of them. */
enum act {
	PREPARED,    /* made with what prepare() changed */
	OUTSIDE,     /* item n is another, before the box is sealed */
	INSIDE,	     /* item n of the plaintext is another */
	AFTERWARDS,  /* item n is another, once the box is sealed */
	MORE_INSIDE, /* bytes behind the plaintext's item */
	FLIP,	     /* a bit of the n-th byte from its end */
	INSTEAD,     /* other bytes are sent */
	REPLAY,	     /* what was said there in the session before is sent */
	ECHO,	     /* what the other side said last is sent back */
	BEFORE,	     /* other bytes are sent first */
	BEHIND,	     /* other bytes are sent behind it */
	CUT,	     /* n bytes of it are sent, then the stream ends */
	UNSAID,	     /* it is left out */
	LATE,	     /* it is sent behind the one that follows */
	TWICE	     /* it is sent twice */
};

struct peer;

/* A switch. */
struct misbehaviour {
	const char *name;
	enum said at;
	enum act act;
	unsigned n;
	struct hf_span raw; /* encoded */
	void (*prepare)(struct peer *);
};

struct peer {
	struct world *world;
	const struct meeting *meeting;
	enum hf_role role;
	const struct misbehaviour *how; /* NULL: it is honest */
	struct hf__hpke_base base;
	const struct peer *earlier; /* the same peer in the session before */
	struct blob said[SAID_N], late, heard;
	bool ended;		/* it has closed its direction of the stream */
	unsigned words, closes; /* heard */

	/* What prepare() may change when a message is about to be made. */
	struct hf__pair own, ephemeral, prekey;
	uint8_t enc[32];   /* on the wire, of the ephemeral */
	uint8_t reply[32]; /* enc of the request, for the responder */
	uint8_t responder_pk[32], envelope_pk[32], offered[32], pop[32];
	uint8_t key_id[HF__KEY_ID_BYTES];
	struct hf_span chain[HF_CHAIN_MAX];
	size_t chain_n;
	struct hf__token token;
	uint64_t suite, time, lifetime;
	const char *target, *label; /* of the request's info */
	bool has_prekey, unmixed, unbound;
	uint8_t padding, more_padding; /* its bytes; how many too many */
	uint8_t cookie[HF__COOKIE_MAX];
	size_t cookie_len;
	uint8_t th0[32], th1[32];
	uint8_t transport_key[32], session_key[32];
	enum hf_method method; /* of the token */
	struct hf__secrets secrets;
	struct hf__traffic send, recv;
	uint8_t aad[2];
	unsigned content;
	struct hf_span data;
	/* Whatever a switch needs to keep. */
	struct blob object;
};

void peer_init(struct peer *, struct world *, const struct meeting *,
    enum hf_role, const struct misbehaviour *);
/* The next of its messages, as it is sent; perhaps nothing. */
void peer_say(struct peer *, struct blob *out, enum said);
/* One whole message of the honest side. */
void peer_hear(struct peer *, struct hf_span);

/* For prepare(): a point of order 8, and none; that key pair as ephemeral. */
extern const uint8_t peer_order_8[32], peer_zero[32];
void peer_use(struct peer *, const struct hf__pair *);

/* --- inside: misbehave_keys.c ---------------------------------------------------- */

/* An honest run must succeed; in another the peer may have lost its keys. */
void peer_must(const struct peer *, enum hf_err);
void peer_encap(uint8_t ss[32], const struct peer *, const uint8_t pk[32]);
void peer_decap(uint8_t ss[32], const struct peer *, const struct hf__pair *,
    const uint8_t enc[32]);
void peer_th0(struct peer *, struct hf_span hello, struct hf_span offer,
    struct hf_span leaf);
void peer_th1(struct peer *, struct hf_span request);
/* The context of the request's box. */
void peer_context(struct hf__hpke *, const struct peer *, const uint8_t ss[32],
    const uint8_t psk[32]);
/* What ties the grant to the token, for a secret encapsulated (enc NULL) or
 * received; NULL for nothing. */
const uint8_t *peer_binder(uint8_t out[32], const struct peer *,
    const uint8_t *enc);
/* Everything from th2 on. */
void peer_derive(struct peer *, struct hf_span grant,
    const struct hf__grant_keys *);
/* A record's box, in place: len bytes become len + 16. */
void peer_seal(struct peer *, uint8_t *box, size_t len);
/* Opens one in place: len becomes that of the data, which its content type
 * follows. */
enum hf_err peer_open(struct hf__traffic *, unsigned suite, uint8_t *box,
    size_t *len);

#endif
