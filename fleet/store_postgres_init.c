/* SPDX-License-Identifier: ISC */
/*
 * The tables that a store in PostgreSQL has, and what a server's role may do
 * with them. For a command: it waits, but no longer than it is told.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_postgres.h"

/* From each version to the next one. */
static const char *const steps[HF__PG_SCHEMA] = {
	"CREATE SCHEMA handfast;"
	"CREATE TABLE handfast.version (number integer NOT NULL);"
	"INSERT INTO handfast.version VALUES (0);"
	"CREATE SEQUENCE handfast.changes;"
	"CREATE TABLE handfast.entry ("
	" key bytea PRIMARY KEY CHECK (octet_length(key) BETWEEN 1 AND 128),"
	" value bytea NOT NULL CHECK (octet_length(value) BETWEEN 1 AND 8192),"
	" expires bigint NOT NULL,"
	" writer text NOT NULL,"
	" changed bigint NOT NULL DEFAULT 0"
	") WITH (fillfactor = 70);"
	/* Sealed values do not get smaller. */
	"ALTER TABLE handfast.entry ALTER value SET STORAGE EXTERNAL;"
	"CREATE INDEX entry_expires ON handfast.entry (expires);"
	"CREATE INDEX entry_changed ON handfast.entry (changed)"
	" WHERE changed > 0;"
	"CREATE FUNCTION handfast.taken() RETURNS trigger LANGUAGE plpgsql"
	" SET search_path = '' AS $$ BEGIN"
	" NEW.changed := nextval('handfast.changes');"
	" PERFORM pg_notify('handfast', NEW.changed || ' ' || NEW.writer ||"
	" ' ' || encode(NEW.key, 'hex'));"
	" RETURN NEW; END $$;"
	"CREATE TRIGGER taken BEFORE UPDATE ON handfast.entry FOR EACH ROW"
	" WHEN (OLD.writer IS DISTINCT FROM NEW.writer)"
	" EXECUTE FUNCTION handfast.taken();",
	/* Whoever takes an entry counts and tells it himself: what others are
	 * told can wait until he has his answer. */
	"DROP TRIGGER taken ON handfast.entry;"
	"DROP FUNCTION handfast.taken();",
	/* What others are told has a table of its own, so that an entry that is
	 * taken keeps its place in every index. Lengths are checked by who reads:
	 * the server would read these rules anew for each write. */
	"CREATE TABLE handfast.change ("
	" number bigint PRIMARY KEY DEFAULT nextval('handfast.changes'),"
	" writer text NOT NULL,"
	" key bytea NOT NULL);"
	"DROP INDEX handfast.entry_changed;"
	"ALTER TABLE handfast.entry DROP COLUMN changed,"
	" DROP CONSTRAINT entry_key_check, DROP CONSTRAINT entry_value_check;",
};

/* All that a server's role needs. */
static const char *const rights[] = {
	"GRANT USAGE ON SCHEMA handfast TO ",
	"GRANT SELECT ON handfast.version TO ",
	"GRANT SELECT, INSERT, UPDATE, DELETE ON handfast.entry TO ",
	"GRANT SELECT, INSERT (writer, key), DELETE ON handfast.change TO ",
	"GRANT USAGE ON SEQUENCE handfast.changes TO ",
};

struct work {
	PGconn *pg;
	uint64_t until; /* ms */
	char *reason;
};

static enum hf_err
failed(struct work *w, const char *why)
{
	hf__store_say(w->reason, why);
	return HF_E_STORE;
}

/* Returns 0 when the time is up. */
static int
wait_until_ready(struct work *w, short events)
{
	uint64_t now = hf__store_ms();
	struct pollfd fd = { hf__pq.socket(w->pg), events, 0 };

	return now < w->until && poll(&fd, 1, (int)(w->until - now)) > 0;
}

static enum hf_err
connect_now(struct work *w, const struct hf__pg *at)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	struct hf__pg_terms terms;

	hf__pg_terms(&terms, at, NULL, NULL, NULL);
	w->pg = hf__pq.connectStartParams(terms.name, terms.value, 0);
	if (w->pg == NULL)
		return HF_E_MEMORY;
	if (hf__pq.status(w->pg) == CONNECTION_BAD)
		return failed(w, hf__pg_message(w->pg));
	while (next != PGRES_POLLING_OK) {
		if (next == PGRES_POLLING_FAILED)
			return failed(w, hf__pg_message(w->pg));
		if (!wait_until_ready(w,
			next == PGRES_POLLING_READING ? POLLIN : POLLOUT))
			return failed(w, "the store does not answer");
		next = hf__pq.connectPoll(w->pg);
	}
	return HF_OK;
}

/* A reason from a result: the server's words, as they are for people. */
static enum hf_err
refused(struct work *w, const PGresult *r)
{
	const char *words =
	    hf__pq.resultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	return failed(w, words == NULL ? hf__pg_message(w->pg) : words);
}

/* One or more statements; *number is the first value of the last result. */
static enum hf_err
execute(struct work *w, const char *sql, long *number)
{
	enum hf_err e = HF_OK;
	PGresult *r;

	if (number != NULL)
		*number = -1;
	if (!hf__pq.sendQuery(w->pg, sql))
		return failed(w, hf__pg_message(w->pg));
	for (;;) {
		while (hf__pq.isBusy(w->pg))
			if (!wait_until_ready(w, POLLIN) ||
			    !hf__pq.consumeInput(w->pg))
				return failed(w, "the store does not answer");
		if ((r = hf__pq.getResult(w->pg)) == NULL)
			return e;
		if (hf__pq.resultStatus(r) == PGRES_FATAL_ERROR)
			e = refused(w, r);
		else if (number != NULL && hf__pq.ntuples(r) == 1 &&
		    !hf__pq.getisnull(r, 0, 0))
			*number = strtol(hf__pq.getvalue(r, 0, 0), NULL, 10);
		hf__pq.clear(r);
	}
}

static enum hf_err
migrate(struct work *w)
{
	long version = 0;
	char sql[100];
	enum hf_err e;

	if ((e = execute(w,
		 "SELECT count(*) FROM pg_catalog.pg_class c JOIN "
		 "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
		 "n.nspname = 'handfast' AND c.relname = 'version'",
		 &version)) != HF_OK)
		return e;
	if (version > 0 &&
	    (e = execute(w, "SELECT max(number) FROM handfast.version",
		 &version)) != HF_OK)
		return e;
	if (version < 0 || version > HF__PG_SCHEMA) {
		(void)snprintf(sql, sizeof(sql),
		    "the store's schema is of version %ld, not %d", version,
		    HF__PG_SCHEMA);
		return failed(w, sql);
	}
	for (; e == HF_OK && version < HF__PG_SCHEMA; version++)
		e = execute(w, steps[version], NULL);
	(void)snprintf(sql, sizeof(sql),
	    "UPDATE handfast.version SET number = %d", HF__PG_SCHEMA);
	return e == HF_OK ? execute(w, sql, NULL) : e;
}

static enum hf_err
grant(struct work *w, const char *role)
{
	char sql[300], *name;
	enum hf_err e = HF_OK;
	size_t i;
	int n;

	/* A name has at most 63 bytes there. */
	if (strlen(role) > 63) {
		hf__store_say(w->reason, "a role's name has at most 63 bytes");
		return HF_E_ARG;
	}
	if ((name = hf__pq.escapeIdentifier(w->pg, role, strlen(role))) ==
	    NULL)
		return failed(w, hf__pg_message(w->pg));
	for (i = 0; e == HF_OK && i < sizeof(rights) / sizeof(rights[0]);
	     i++) {
		n = snprintf(sql, sizeof(sql), "%s%s", rights[i], name);
		e = n > 0 && (size_t)n < sizeof(sql) ? execute(w, sql, NULL) :
						       HF_E_ARG;
	}
	hf__pq.freemem(name);
	return e;
}

/* All or nothing; one at a time. Behind one that waits for a table all servers
 * wait: not so long that they give up, and longer than a vacuum needs to go. */
enum hf_err
hf__pg_init(void *engine, const char *role, uint64_t ms,
    char reason[HF_STORE_REASON_MAX])
{
	struct work w = { NULL, hf__store_ms() + ms, reason };
	enum hf_err e = connect_now(&w, engine);

	if (e == HF_OK &&
	    (e = execute(&w,
		 "BEGIN; SET LOCAL client_min_messages = warning; "
		 "SET LOCAL search_path = pg_catalog; "
		 "SELECT pg_advisory_xact_lock(1212565313); "
		 "SET LOCAL lock_timeout = 1400",
		 NULL)) == HF_OK &&
	    (e = migrate(&w)) == HF_OK &&
	    (role == NULL || (e = grant(&w, role)) == HF_OK))
		e = execute(&w, "COMMIT", NULL);
	if (w.pg != NULL)
		hf__pq.finish(w.pg);
	return e;
}
