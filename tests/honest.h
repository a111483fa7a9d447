/* SPDX-License-Identifier: ISC */
/*
 * The honest side against a peer that misbehaves: a session of the library in
 * memory that can be searched, with an application that admits, trusts, burns
 * and releases as a real one; and the runner that judges how it ends. One row
 * of a table is one switch, and one test.
 */
#ifndef HANDFAST_HONEST_H
#define HANDFAST_HONEST_H

#include "misbehave.h"

/* What the honest side says when it has refused. */
enum says {
	CLEAR,	/* the one alert, in clear */
	SEALED, /* the one alert, as a record */
	NOTHING
};

struct row {
	struct misbehaviour how;
	const struct meeting *meeting;
	enum hf_err expected; /* HF_OK: it harms nobody but itself */
	enum says says;
	enum hf__state in; /* the state in which it is noticed */
	const char *threat;
	unsigned released; /* records that were good until then */
	bool retry;	   /* a cookie is asked for */
	bool forgetful;	   /* no replay cache */
	bool store_fails;  /* nothing can be burnt */
	bool stays_open;   /* it does not answer a close with its own */
};

/* How the two meet, where the row needs no other way. */
extern const struct meeting asked, known, by_ticket, by_ticket_known,
    by_password, by_password_known, by_plain, by_single_use;

/* What its application keeps from one session to the next. */
struct app {
	struct hf_replay *replay;
	uint8_t burnt[HF_CTI_BYTES];
	bool has_burnt;
};

enum { HONEST_SECRETS = 64 };

struct honest {
	const struct row *row;
	struct world *world;
	struct app *app;
	struct hf_session *s;
	uint8_t *memory; /* all of the session's */
	size_t size;
	/* what must be gone in the end */
	struct {
		uint8_t bytes[32];
		size_t len;
	} secret[HONEST_SECRETS];
	size_t secrets;
	uint8_t resumption[32];
	/* how it was before what it refused */
	enum hf__state was;
	struct hf__traffic send;
	unsigned suite;
	/* what it did */
	unsigned released, logins, burns, requests;
	bool greeted, eof;
};

void honest_start(struct honest *, const struct row *, struct world *,
    struct app *, enum hf_role peer);
/* A whole session with the peer, to its end or to the first error. */
enum hf_err honest_meets(struct honest *, struct peer *);
/* Whether its memory holds a secret; that it holds none of its own. */
bool honest_holds(const struct honest *, const uint8_t *secret, size_t len);
void honest_wiped(const struct honest *);
/* Frees the session: what it held is gone with it. */
void honest_stop(struct honest *);

/* judge.c: every switch is a test of its name; role is the peer's. With the
 * switch off the peer must succeed, in the same row. */
int run_switches(const char *group, const struct row *, size_t n,
    enum hf_role role);

#endif
