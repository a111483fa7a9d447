/* SPDX-License-Identifier: ISC */
/*
 * A connection to a Redis or Valkey on a loop: hiredis writes and reads its
 * protocol, libuv carries it. Its own way of connecting is not used: it would
 * look names up while all wait, and its sockets would be left open to the
 * programs that the server starts.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_redis.h"

enum { BACKLOG_MAX = 1 << 22 /* bytes of one answer */ };

struct sending {
	uv_write_t req;
	size_t len;
	char *bytes;
};

/* --- asking ----------------------------------------------------------------------------- */

void
hf__redis_down(struct hf__redis_conn *c, const char *why)
{
	if (c->line != NULL)
		hf__line_down(c->line, why);
}

static void
written(uv_write_t *req, int status)
{
	struct sending *s = req->data;

	(void)status; /* the reader learns of it */
	sodium_memzero(s->bytes, s->len);
	redisFreeCommand(s->bytes);
	free(s);
}

static uv_stream_t *
stream(struct hf__redis_conn *c)
{
	return &c->io[c->tried].stream;
}

/* Takes the bytes, of hiredis. */
static int
write_bytes(struct hf__redis_conn *c, char *bytes, size_t len)
{
	struct sending *s = calloc(1, sizeof(*s));
	uv_buf_t buf = uv_buf_init(bytes, (unsigned)len);

	if (s != NULL) {
		s->req.data = s;
		s->bytes = bytes;
		s->len = len;
		if (uv_write(&s->req, stream(c), &buf, 1, written) == 0)
			return 1;
	}
	sodium_memzero(bytes, len);
	redisFreeCommand(bytes);
	free(s);
	return 0;
}

void
hf__redis_command(struct hf__redis_conn *c, hf__redis_got *got,
    struct hf_op *op, int n, const char *const *words, const size_t *lengths)
{
	struct hf__redis_wanted *w = calloc(1, sizeof(*w));
	char *bytes = NULL;
	int len = -1;

	if (w != NULL)
		len = redisFormatCommandArgv(&bytes, n,
		    (const char **)(uintptr_t)words, lengths);
	if (len < 0 || !write_bytes(c, bytes, (size_t)len)) {
		free(w);
		hf__redis_down(c, "cannot write to the store");
		return;
	}
	w->got = got;
	w->op = op;
	*c->wanted_end = w;
	c->wanted_end = &w->next;
}

/* Of words without NUL. */
void
hf__redis_say(struct hf__redis_conn *c, hf__redis_got *got, struct hf_op *op,
    int n, const char *const *words)
{
	size_t lengths[8];
	int i;

	for (i = 0; i < n; i++)
		lengths[i] = strlen(words[i]);
	hf__redis_command(c, got, op, n, words, lengths);
}

/* --- connecting --------------------------------------------------------------------------- */

static void
got_entry(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	(void)op;
	if (r->type == REDIS_REPLY_ERROR)
		hf__redis_down(c, hf__redis_words(r->str));
}

static void
got_script(struct hf__redis_conn *c, struct hf_op *op, const redisReply *r)
{
	(void)op;
	if (r->type != REDIS_REPLY_STRING || r->len != HF__REDIS_SHA - 1) {
		hf__redis_down(c,
		    r->type == REDIS_REPLY_ERROR ?
			hf__redis_words(r->str) :
			"the store answers what was not asked");
		return;
	}
	memcpy(c->sha, r->str, HF__REDIS_SHA);
	if (c->up || c->line == NULL)
		return;
	c->up = 1;
	hf__line_up(c->line);
}

void
hf__redis_load(struct hf__redis_conn *c)
{
	static const char *const words[] = { "SCRIPT", "LOAD",
		hf__redis_script };

	hf__redis_say(c, got_script, NULL, 3, words);
}

/* All that is said before anything is asked, in one go. */
static void
introduce(struct hf__redis_conn *c)
{
	const struct hf__redis_uri *u = &c->at->uri;
	const char *const auth[] = { "AUTH", u->user, u->password };
	const char *const old_auth[] = { "AUTH", u->password };
	char db[16];
	const char *const select[] = { "SELECT", db };

	if (u->user[0] != '\0')
		hf__redis_say(c, got_entry, NULL, 3, auth);
	else if (u->password[0] != '\0')
		hf__redis_say(c, got_entry, NULL, 2, old_auth);
	(void)snprintf(db, sizeof(db), "%u", u->db);
	if (u->db != 0 && c->line != NULL)
		hf__redis_say(c, got_entry, NULL, 2, select);
	if (c->line != NULL)
		hf__redis_load(c);
}

static void
give_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct hf__redis_conn *c = handle->data;

	(void)size;
	*buf = uv_buf_init(c->bytes, sizeof(c->bytes));
}

/* One whole reply, handed to whom it is for. */
static void
take_reply(struct hf__redis_conn *c, redisReply *reply)
{
	struct hf__redis_wanted *w = c->wanted;

	if (w == NULL) {
		hf__redis_down(c, "the store answers what was not asked");
	} else {
		if ((c->wanted = w->next) == NULL)
			c->wanted_end = &c->wanted;
		w->got(c, w->op, reply);
		free(w);
	}
	freeReplyObject(reply);
}

static void
came(uv_stream_t *from, ssize_t n, const uv_buf_t *buf)
{
	struct hf__redis_conn *c = from->data;
	void *reply = NULL;

	if (n < 0) {
		hf__redis_down(c, "the store has closed the connection");
		return;
	}
	if (n == 0 || c->line == NULL)
		return;
	if (redisReaderFeed(c->reader, buf->base, (size_t)n) != REDIS_OK ||
	    c->reader->len - c->reader->pos > BACKLOG_MAX) {
		hf__redis_down(c, "the store answers what was not asked");
		return;
	}
	while (c->line != NULL) {
		if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
			hf__redis_down(c, "that is no Redis");
			return;
		}
		if (reply == NULL)
			return;
		take_reply(c, reply);
	}
}

static void
closed(uv_handle_t *handle)
{
	struct hf__redis_conn *c = handle->data;
	struct hf__redis_wanted *w;

	if (--c->handles > 0)
		return;
	while ((w = c->wanted) != NULL) {
		c->wanted = w->next;
		free(w);
	}
	redisReaderFree(c->reader);
	sodium_memzero(c, sizeof(*c));
	free(c);
}

static void try_address(struct hf__redis_conn *);

static void
connected(uv_connect_t *req, int status)
{
	struct hf__redis_conn *c = req->data;

	if (c->line == NULL)
		return;
	if (status != 0 && c->tried + 1 < c->to_n) {
		uv_close(&c->io[c->tried++].handle, closed);
		try_address(c);
	} else if (status != 0)
		hf__redis_down(c, uv_strerror(status));
	else if (uv_read_start(stream(c), give_room, came) != 0)
		hf__redis_down(c, "cannot read from the store");
	else
		introduce(c);
}

/* The next one; the handle of the first is there already. */
static void
try_address(struct hf__redis_conn *c)
{
	union hf__redis_io *io = &c->io[c->tried];
	int r;

	if (c->tried > 0) {
		(void)uv_tcp_init(c->loop, &io->tcp);
		io->handle.data = c;
		uv_unref(&io->handle);
		c->handles++;
	}
	(void)uv_tcp_nodelay(&io->tcp, 1);
	r = uv_tcp_connect(&c->connecting, &io->tcp,
	    (const struct sockaddr *)&c->to[c->tried], connected);
	if (r != 0)
		hf__redis_down(c, uv_strerror(r));
}

static void
found(void *arg, const struct addrinfo *list)
{
	struct hf__redis_conn *c = arg;
	struct sockaddr_storage *to;

	c->lookup = NULL;
	for (; list != NULL && c->to_n < HF__REDIS_ADDRESSES;
	     list = list->ai_next) {
		to = &c->to[c->to_n++];
		memcpy(to, list->ai_addr, list->ai_addrlen);
		if (to->ss_family == AF_INET6)
			((struct sockaddr_in6 *)to)->sin6_port =
			    htons(c->at->uri.port);
		else
			((struct sockaddr_in *)to)->sin_port =
			    htons(c->at->uri.port);
	}
	if (c->to_n == 0)
		hf__redis_down(c, "the store's name is not found");
	else
		try_address(c);
}

/* On the loop's next turn, so that nothing is said before it returns. */
static void
begin(uv_timer_t *timer)
{
	struct hf__redis_conn *c = timer->data;
	const struct hf__redis_uri *u = &c->at->uri;

	if (u->path[0] != '\0')
		uv_pipe_connect(&c->connecting, &c->io[0].pipe, u->path,
		    connected);
	else if (uv_ip4_addr(u->host, u->port,
		     (struct sockaddr_in *)&c->to[0]) == 0 ||
	    uv_ip6_addr(u->host, u->port, (struct sockaddr_in6 *)&c->to[0]) ==
		0) {
		c->to_n = 1;
		try_address(c);
	} else if ((c->lookup = hf__lookup(c->loop, u->host, found, c)) ==
	    NULL)
		hf__redis_down(c, "cannot look for the store's name");
}

static void *
redis_connect(void *engine, struct hf__line *line, uv_loop_t *loop)
{
	const struct hf__redis *at = engine;
	struct hf__redis_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->line = line;
	c->at = at;
	c->loop = loop;
	c->wanted_end = &c->wanted;
	if ((c->reader = redisReaderCreate()) == NULL ||
	    (at->uri.path[0] != '\0' ?
		    uv_pipe_init(loop, &c->io[0].pipe, 0) :
		    uv_tcp_init(loop, &c->io[0].tcp)) != 0) {
		if (c->reader != NULL)
			redisReaderFree(c->reader);
		free(c);
		return NULL;
	}
	(void)uv_timer_init(loop, &c->watch);
	c->handles = 2;
	c->connecting.data = c->io[0].handle.data = c->watch.data = c;
	uv_unref(&c->io[0].handle);
	uv_unref((uv_handle_t *)&c->watch);
	(void)uv_timer_start(&c->watch, begin, 0, 0);
	return c;
}

static void
redis_cut(void *conn)
{
	struct hf__redis_conn *c = conn;

	c->line = NULL;
	hf__lookup_forget(c->lookup);
	uv_close(&c->io[c->tried].handle, closed);
	uv_close((uv_handle_t *)&c->watch, closed);
}

/* --- the engine -------------------------------------------------------------------------------- */

static enum hf_err
redis_open(void **engine, const char *uri, const char **reason)
{
	struct hf__redis *at = calloc(1, sizeof(*at));
	uint8_t name[HF__REDIS_WRITER / 2];
	enum hf_err e;

	if (at == NULL)
		return HF_E_MEMORY;
	if ((e = hf__redis_uri(&at->uri, uri, reason)) != HF_OK) {
		sodium_memzero(at, sizeof(*at));
		free(at);
		return e;
	}
	randombytes_buf(name, sizeof(name));
	sodium_bin2hex(at->writer, sizeof(at->writer), name, sizeof(name));
	*engine = at;
	return HF_OK;
}

static void
redis_close(void *engine)
{
	struct hf__redis *at = engine;

	sodium_memzero(at, sizeof(*at));
	free(at);
}

static const struct hf__remote remote = {
	.open = redis_open,
	.close = redis_close,
	.connect = redis_connect,
	.send = hf__redis_send,
	.watch = hf__redis_watch,
	.cut = redis_cut,
};
const struct hf__remote *const hf__store_redis = &remote;
