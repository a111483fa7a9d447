/* SPDX-License-Identifier: ISC */
/*
 * Where a PostgreSQL is: the terms of a URI, as libpq reads them. It would
 * look names up while all wait: they are looked up on the loop, and it is
 * given their addresses.
 */
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_postgres.h"

/* --- terms ---------------------------------------------------------------------------------- */

const char *
hf__pg_term(const struct hf__pg *at, const char *name)
{
	const PQconninfoOption *o;

	for (o = at->terms; o->keyword != NULL; o++)
		if (strcmp(o->keyword, name) == 0 && o->val != NULL &&
		    o->val[0] != '\0')
			return o->val;
	return NULL;
}

void
hf__pg_terms(struct hf__pg_terms *out, const struct hf__pg *at,
    const char *hosts, const char *addresses, const char *ports)
{
	/* Kerberos would be looked for while all wait. */
	const char *const ours[][2] = { { "host", hosts },
		{ "hostaddr", addresses }, { "port", ports },
		{ "application_name", "handfast" },
		{ "gssencmode", "disable" } };
	const PQconninfoOption *o;
	size_t i, n = 0;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if ((i < 3 || hf__pg_term(at, ours[i][0]) == NULL) &&
		    ours[i][1] != NULL) {
			out->name[n] = ours[i][0];
			out->value[n++] = ours[i][1];
		}
	for (o = at->terms; o->keyword != NULL; o++) {
		if (o->val == NULL || o->val[0] == '\0' ||
		    n == HF__PG_WORDS_MAX - 1 ||
		    (hosts != NULL && strcmp(o->keyword, "host") == 0) ||
		    (addresses != NULL &&
			strcmp(o->keyword, "hostaddr") == 0) ||
		    (ports != NULL && strcmp(o->keyword, "port") == 0))
			continue;
		out->name[n] = o->keyword;
		out->value[n++] = o->val;
	}
	out->name[n] = out->value[n] = NULL;
}

/* --- names ---------------------------------------------------------------------------------------------- */

static void
add(char list[HF__PG_HOSTS_TEXT], const char *word, int first)
{
	size_t len = strlen(list);

	(void)snprintf(list + len, HF__PG_HOSTS_TEXT - len, "%s%s",
	    first ? "" : ",", word);
}

/* A host with an address, "" for a socket's folder. */
static void
add_host(struct hf__pg_conn *c, const char *address)
{
	int first = c->hosts[0] == '\0';

	if (strlen(c->hosts) + strlen(c->host[c->host_at]) + 2 >
		HF__PG_HOSTS_TEXT ||
	    strlen(c->addresses) + 64 > HF__PG_HOSTS_TEXT)
		return;
	add(c->hosts, c->host[c->host_at], first);
	add(c->addresses, address, first);
	add(c->ports, c->port[c->host_at], first);
}

static void look_up(struct hf__pg_conn *);

static void
found(void *arg, const struct addrinfo *list)
{
	struct hf__pg_conn *c = arg;
	char text[64];

	c->lookup = NULL;
	for (; list != NULL; list = list->ai_next)
		if (getnameinfo(list->ai_addr, list->ai_addrlen, text,
			sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
			add_host(c, text);
	c->host_at++;
	look_up(c);
}

/* The names, one after the other; then it can begin. */
static void
look_up(struct hf__pg_conn *c)
{
	for (; c->host_at < c->host_n; c->host_at++) {
		if (c->host[c->host_at][0] == '/' ||
		    c->host[c->host_at][0] == '@') {
			add_host(c, "");
			continue;
		}
		c->lookup = hf__lookup(c->loop, c->host[c->host_at], found, c);
		if (c->lookup == NULL)
			hf__pg_down(c, "cannot look for the store's name");
		return;
	}
	if (c->host_n > 0 && c->hosts[0] == '\0')
		hf__pg_down(c, "the store's name is not found");
	else
		hf__pg_begin(c);
}

/* Ends each word of a list; "" is the last one's port for all. */
static size_t
split(char *list, const char *word[HF__PG_HOSTS])
{
	size_t n = 0;
	char *end;

	while (n < HF__PG_HOSTS) {
		word[n++] = list;
		if ((end = strchr(list, ',')) == NULL)
			break;
		*end = '\0';
		list = end + 1;
	}
	return n;
}

/* On the loop's next turn, so that nothing is said before it returns. */
void
hf__pg_look_up(uv_timer_t *timer)
{
	struct hf__pg_conn *c = timer->data;
	const char *hosts = hf__pg_term(c->at, "host"),
		   *ports = hf__pg_term(c->at, "port");
	size_t i, n, len, more;

	if (hosts == NULL)
		hosts = getenv("PGHOST");
	if (hosts == NULL || hf__pg_term(c->at, "hostaddr") != NULL ||
	    hf__pg_term(c->at, "service") != NULL) {
		hf__pg_begin(c);
		return;
	}
	if (ports == NULL && (ports = getenv("PGPORT")) == NULL)
		ports = "";
	len = strlen(hosts) + 1;
	more = strlen(ports) + 1;
	if ((c->names = malloc(len + more)) == NULL) {
		hf__pg_down(c, "out of memory");
		return;
	}
	memcpy(c->names, hosts, len);
	memcpy(c->names + len, ports, more);
	c->host_n = split(c->names, c->host);
	n = split(c->names + len, c->port);
	for (i = n; i < c->host_n; i++)
		c->port[i] = c->port[n - 1];
	look_up(c);
}

/* --- the engine ------------------------------------------------------------------------------------------ */

enum hf_err
hf__pg_open(void **engine, const char *uri, const char **reason)
{
	uint8_t name[HF__PG_WRITER / 2];
	struct hf__pg *at;

	if ((*reason = hf__pq_load()) != NULL)
		return HF_E_STORE;
	*reason = "";
	if ((at = calloc(1, sizeof(*at))) == NULL)
		return HF_E_MEMORY;
	if ((at->terms = hf__pq.conninfoParse(uri, NULL)) == NULL) {
		*reason = "libpq does not understand it";
		free(at);
		return HF_E_ARG;
	}
	randombytes_buf(name, sizeof(name));
	sodium_bin2hex(at->writer, sizeof(at->writer), name, sizeof(name));
	*engine = at;
	return HF_OK;
}

void
hf__pg_close(void *engine)
{
	struct hf__pg *at = engine;
	PQconninfoOption *o;

	for (o = at->terms; o->keyword != NULL; o++)
		if (o->val != NULL)
			sodium_memzero(o->val, strlen(o->val));
	hf__pq.conninfoFree(at->terms);
	free(at);
}
