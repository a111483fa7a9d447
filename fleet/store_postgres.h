/* SPDX-License-Identifier: ISC */
/*
 * The inside of the PostgreSQL engine, for store_postgres*.c alone: where it
 * is, a connection to it, and what is said over that.
 */
#ifndef FLEET_STORE_POSTGRES_H
#define FLEET_STORE_POSTGRES_H

#include "libpq.h"
#include "store.h"

enum {
	HF__PG_WRITER = 16,
	HF__PG_WORDS_MAX = 64, /* of a connection's terms */
	HF__PG_HOSTS = 8,
	HF__PG_HOSTS_TEXT = 1024,
	HF__PG_SCHEMA = 3, /* its version */
	HF__PG_TOLD = 16,  /* changes of which others hear together */
	HF__PG_TELL_MS = 5 /* not while somebody waits */
};

struct hf__pg {
	PQconninfoOption *terms;	/* as the URI says */
	char writer[HF__PG_WRITER + 1]; /* this process */
};

/* The terms as two lists that end with NULL, for PQconnectStartParams(); with
 * other hosts, addresses and ports where those are not NULL. */
struct hf__pg_terms {
	const char *name[HF__PG_WORDS_MAX], *value[HF__PG_WORDS_MAX];
};
void hf__pg_terms(struct hf__pg_terms *out, const struct hf__pg *at,
    const char *hosts, const char *addresses, const char *ports);
/* One that the URI says; NULL where it does not. */
const char *hf__pg_term(const struct hf__pg *at, const char *name);

struct hf__pg_conn;
/* What came as the result of a statement. */
typedef void hf__pg_got(struct hf__pg_conn *, struct hf_op *,
    const PGresult *);

/* What is to come: the result of a statement, or the end of a transaction. */
struct hf__pg_wanted {
	struct hf__pg_wanted *next;
	hf__pg_got *got; /* NULL: the end */
	struct hf_op *op;
};

struct hf__pg_poll;

struct hf__pg_conn {
	struct hf__line *line; /* NULL: cut */
	const struct hf__pg *at;
	uv_loop_t *loop;
	uv_timer_t timer;
	PGconn *pg;
	struct hf__pg_poll *poll; /* of its socket of now */
	int watched;		  /* for these events */
	int up, bad;		  /* the version did not fit */
	uint64_t seen;		  /* the last change */
	struct {
		uint8_t key[HF_STORE_KEY_MAX];
		size_t len;
	} told[HF__PG_TOLD]; /* of which others hear soon */
	size_t told_n;
	struct hf__pg_wanted *wanted, **wanted_end;
	/* What the transaction under way will have answered. */
	enum hf_err verdict;
	const char *why;
	/* Names that are being looked up. */
	struct hf__lookup *lookup;
	char *names; /* the hosts, each ended by NUL */
	const char *host[HF__PG_HOSTS], *port[HF__PG_HOSTS];
	size_t host_n, host_at;
	char hosts[HF__PG_HOSTS_TEXT], addresses[HF__PG_HOSTS_TEXT],
	    ports[HF__PG_HOSTS_TEXT];
};

/* A parameter of a statement. */
struct hf__pg_value {
	const void *ptr;
	size_t len;
	unsigned type; /* of PostgreSQL */
};
enum { HF__PG_BYTEA = 17, HF__PG_INT8 = 20, HF__PG_TEXT = 25 };

/* store_postgres_where.c */
enum hf_err hf__pg_open(void **engine, const char *uri, const char **reason);
void hf__pg_close(void *engine);
/* Looks up what names there are, of the connection that the timer belongs to;
 * hf__pg_begin() follows. */
void hf__pg_look_up(uv_timer_t *timer);

/* store_postgres_conn.c */
void hf__pg_begin(struct hf__pg_conn *conn);
/* Executes a prepared statement, or one that is written out, whose result goes
 * to `got`; the line goes down where it cannot. hf__pg_end() ends the
 * transaction, and answers. */
void hf__pg_execute(struct hf__pg_conn *conn, hf__pg_got *got,
    struct hf_op *op, const char *prepared, const char *sql, int n,
    const struct hf__pg_value *values);
void hf__pg_prepare(struct hf__pg_conn *conn, const char *name,
    const char *sql);
void hf__pg_end(struct hf__pg_conn *conn, struct hf_op *op);
void hf__pg_down(struct hf__pg_conn *conn, const char *why);
/* What an error of the server means, in our words. */
const char *hf__pg_words(const PGresult *result);
/* The last error of a connection, without what goes before its words. */
const char *hf__pg_message(const PGconn *pg);

/* store_postgres.c */
void hf__pg_send(void *conn, struct hf_op *op);
void hf__pg_watch(void *conn);
void hf__pg_notified(struct hf__pg_conn *conn, const char *words);
/* All that is said before anything is asked. */
void hf__pg_introduce(struct hf__pg_conn *conn);

/* store_postgres_init.c */
enum hf_err hf__pg_init(void *engine, const char *role, uint64_t ms,
    char reason[HF_STORE_REASON_MAX]);

#endif
