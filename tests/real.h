/* SPDX-License-Identifier: ISC */
/*
 * Two real responders on one real store, each a process of the program, and a
 * client in this process that drives the library by hand over sockets that
 * block: for tests and measures that must say what is sent to whom, and when.
 */
#ifndef REAL_H
#define REAL_H

#include <sys/types.h>

#include "handfast.h"

enum {
	REAL_WAIT_MS = 30000,
	REAL_DISPATCHER = 2, /* d, where there is one */
	REAL_C,		     /* a third server, where there is one */
	REAL_SERVERS
};

struct real {
	char dir[64];
	char store[320];
	pid_t server[REAL_SERVERS];
	struct hf_identity *id;
	struct hf_trust *trust;
	struct hf_config *client;
};

/* One connection of a session. */
struct real_end {
	struct hf_session *s;
	int fd; /* -1: none */
	uint8_t heard[4096];
	size_t heard_len;
};

/* Ends the program with a word of what failed. */
void real_must(int ok, const char *what);
void real_ok(enum hf_err e, const char *what);
#define REAL_OK(call) real_ok((call), #call)

/* Makes a CA, a cluster, its servers a, b and c and the client alice, in a new
 * directory under `under`. */
void real_make(struct real *r, const char *program, const char *under);
/* The same on a store of one's own. */
void real_make_on(struct real *r, const char *program, const char *under,
    const char *store);
/* Stops what runs and removes the directory. */
void real_free(struct real *r);
/* Starts a server: 0 is a, 1 is b. `more` goes behind its words, a NULL ends
 * it. */
void real_serve(struct real *r, int n, const char *const *more);
/* Starts the program with these words; it listens at unix:a.sock, b.sock or
 * d.sock. */
void real_start(struct real *r, int n, const char *const *words);
/* A config like the client's, that knows the certificate of server n; -1: of
 * none. */
void real_client(struct hf_config **config, const struct real *r, int n);
/* A connected socket. */
int real_connect(const struct real *r, int n);
/* Sends all. Returns 0 when the peer is gone. */
int real_send(int fd, const uint8_t *bytes, size_t len);
/* Answers and reads until the session is open or has failed. What it has to
 * say then, it has not said yet: real_flush() does. */
void real_open(struct real_end *e);
void real_flush(struct real_end *e);
/* Reads until data has come; empty where the session failed first. */
struct hf_span real_receive(struct real_end *e);
/* Reads once. */
void real_hear(struct real_end *e);
/* Begins a session with a server. */
void real_begin(const struct real *r, struct real_end *e, int n);
void real_close(struct real_end *e);

uint64_t real_ns(void);
/* Sorts the n values, and gives the one below which so many percent are. */
double real_percentile(double *values, size_t n, unsigned percent);

#endif
