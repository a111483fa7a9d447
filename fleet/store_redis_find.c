/* SPDX-License-Identifier: ISC */
/*
 * Which Redis is the one to ask: the only one that the URI names; of several
 * the master; or the one that a Sentinel says is it, which must agree. One
 * host is tried after the other, and all together no longer than the line
 * waits. It knows nothing of what is then asked.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_redis.h"

#define A_REPLICA "the store is a replica that takes no writes"

/* --- hosts ------------------------------------------------------------------------------ */

static int
asks_sentinel(const struct hf__redis_conn *c)
{
	return c->at->uri.master[0] != '\0' && c->master.name[0] == '\0';
}

static const struct hf__redis_host *
host(const struct hf__redis_conn *c)
{
	return c->master.name[0] != '\0' ? &c->master :
					   &c->at->uri.host[c->place];
}

int
hf__redis_next_address(struct hf__redis_conn *c)
{
	if (c->tried + 1 >= c->to_n)
		return 0;
	c->tried++;
	hf__redis_dial(c, (const struct sockaddr *)&c->to[c->tried]);
	return 1;
}

/* In the place of whichever addresses were tried before. */
static void
add_address(struct hf__redis_conn *c, const struct sockaddr *address,
    size_t len)
{
	struct sockaddr_storage *to;
	uint16_t port = htons(host(c)->port);

	if (c->to_n == HF__REDIS_ADDRESSES)
		return;
	to = &c->to[c->to_n++];
	memcpy(to, address, len);
	if (to->ss_family == AF_INET6)
		((struct sockaddr_in6 *)to)->sin6_port = port;
	else
		((struct sockaddr_in *)to)->sin_port = port;
}

static void
found(void *arg, const struct addrinfo *list)
{
	struct hf__redis_conn *c = arg;

	c->lookup = NULL;
	for (; list != NULL; list = list->ai_next)
		add_address(c, list->ai_addr, list->ai_addrlen);
	if (c->to_n == 0)
		hf__redis_down(c, "the store's name is not found");
	else
		hf__redis_dial(c, (const struct sockaddr *)&c->to[0]);
}

static void
too_long(uv_timer_t *timer)
{
	hf__redis_down(timer->data, "the store does not answer");
}

/* One that does not answer must not take the time of all others. */
static void
limit(struct hf__redis_conn *c)
{
	uint64_t n = c->at->uri.host_n;

	(void)uv_timer_stop(&c->watch);
	if (n > 1)
		(void)uv_timer_start(&c->watch, too_long,
		    hf__line_deadline(c->line) / n, 0);
}

static void
go_to(struct hf__redis_conn *c)
{
	const struct hf__redis_host *h = host(c);
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	c->to_n = c->tried = 0;
	if (uv_ip4_addr(h->name, h->port, &four) == 0)
		add_address(c, (struct sockaddr *)&four, sizeof(four));
	else if (uv_ip6_addr(h->name, h->port, &six) == 0)
		add_address(c, (struct sockaddr *)&six, sizeof(six));
	if (c->to_n > 0)
		hf__redis_dial(c, (const struct sockaddr *)&c->to[0]);
	else if ((c->lookup = hf__lookup(c->loop, h->name, found, c)) == NULL)
		hf__redis_down(c, "cannot look for the store's name");
}

void
hf__redis_begin(uv_timer_t *timer)
{
	struct hf__redis_conn *c = timer->data;

	if (c->at->uri.path[0] != '\0') {
		hf__redis_dial(c, NULL);
		return;
	}
	limit(c);
	go_to(c);
}

/* On the loop's next turn: whoever says that this one is none is not done
 * with it. */
int
hf__redis_next(struct hf__redis_conn *c)
{
	if (c->place + 1 >= c->at->uri.host_n)
		return 0;
	c->place++;
	c->master.name[0] = '\0';
	hf__lookup_forget(c->lookup);
	c->lookup = NULL;
	(void)uv_timer_start(&c->watch, hf__redis_begin, 0, 0);
	return 1;
}

/* --- Sentinels --------------------------------------------------------------------------- */

/* [host, port]; nil for a name that it does not know */
static void
got_master(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	unsigned long port = 0;
	char *end = NULL;

	(void)op;
	if (r->type == REDIS_REPLY_ERROR) {
		hf__redis_down(c, hf__redis_words(r->str));
		return;
	}
	if (r->type == REDIS_REPLY_NIL) {
		hf__redis_down(c, "the Sentinel knows no such master");
		return;
	}
	if (r->type == REDIS_REPLY_ARRAY && r->elements == 2 &&
	    r->element[0]->type == REDIS_REPLY_STRING &&
	    r->element[0]->len > 0 && r->element[0]->len < HF__REDIS_TEXT &&
	    r->element[1]->type == REDIS_REPLY_STRING)
		port = strtoul(r->element[1]->str, &end, 10);
	if (port == 0 || port > 65535 || *end != '\0') {
		hf__redis_down(c, "the Sentinel answers what was not asked");
		return;
	}
	(void)snprintf(c->master.name, sizeof(c->master.name), "%s",
	    r->element[0]->str);
	c->master.port = (uint16_t)port;
	hf__redis_hang_up(c);
	go_to(c);
}

/* --- a Redis ------------------------------------------------------------------------------ */

static void
got_entry(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	(void)op;
	if (r->type == REDIS_REPLY_ERROR)
		hf__redis_down(c, hf__redis_words(r->str));
}

/* ["master", ...] or ["slave", ...] */
static void
got_role(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	(void)op;
	if (r->type == REDIS_REPLY_ERROR)
		hf__redis_down(c, hf__redis_words(r->str));
	else if (r->type != REDIS_REPLY_ARRAY || r->elements == 0 ||
	    r->element[0]->type != REDIS_REPLY_STRING)
		hf__redis_down(c, "the store answers what was not asked");
	else if (strcmp(r->element[0]->str, "master") != 0)
		hf__redis_down(c, A_REPLICA);
}

static void
log_in(struct hf__redis_conn *c)
{
	const struct hf__redis_uri *u = &c->at->uri;
	const char *const auth[] = { "AUTH", u->user, u->password };
	const char *const old_auth[] = { "AUTH", u->password };

	if (u->user[0] != '\0')
		hf__redis_say(c, got_entry, NULL, 3, auth);
	else if (u->password[0] != '\0')
		hf__redis_say(c, got_entry, NULL, 2, old_auth);
}

/* A Sentinel has no login of ours; of a single host it does not matter what
 * it is. */
void
hf__redis_introduce(struct hf__redis_conn *c)
{
	const struct hf__redis_uri *u = &c->at->uri;
	const char *const who[] = { "SENTINEL", "GET-MASTER-ADDR-BY-NAME",
		u->master };
	static const char *const role[] = { "ROLE" };
	char db[16];
	const char *const select[] = { "SELECT", db };

	if (asks_sentinel(c)) {
		hf__redis_say(c, got_master, NULL, 3, who);
		return;
	}
	log_in(c);
	(void)snprintf(db, sizeof(db), "%u", u->db);
	if (u->db != 0)
		hf__redis_say(c, got_entry, NULL, 2, select);
	if (u->host_n > 1 || u->master[0] != '\0')
		hf__redis_say(c, got_role, NULL, 1, role);
	hf__redis_load(c);
}
