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

/* Of one answer. A page of a scan has some thousand names, the news as many;
 * news stand five deep. */
enum {
	BACKLOG_MAX = 1 << 22, /* bytes */
	ARRAY_MAX = 1 << 14,   /* elements of one array */
	DEPTH_MAX = 7	       /* arrays in each other */
};

#if HIREDIS_MAJOR > 0
typedef size_t array_n;
#else
typedef int array_n;
#endif

struct sending {
	uv_write_t req;
	size_t len;
	char *bytes;
};

/* --- asking ----------------------------------------------------------------------------- */

static void
forget_wanted(struct hf__redis_conn *c)
{
	struct hf__redis_wanted *w;

	while ((w = c->wanted) != NULL) {
		c->wanted = w->next;
		free(w);
	}
	c->wanted_end = &c->wanted;
}

void
hf__redis_down(struct hf__redis_conn *c, const char *why)
{
	if (c->line == NULL)
		return;
	hf__redis_hang_up(c);
	if (c->up || !hf__redis_next(c))
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
		if (uv_write(&s->req, &c->wire->io.stream, &buf, 1, written) ==
		    0)
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
	struct hf__redis_wanted *w;
	char *bytes = NULL;
	int len = -1;

	if (c->wire == NULL)
		return; /* it went down meanwhile */
	if ((w = calloc(1, sizeof(*w))) != NULL)
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

/* --- what comes --------------------------------------------------------------------------- */

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
	(void)uv_timer_stop(&c->watch);
	hf__line_up(c->line);
}

void
hf__redis_load(struct hf__redis_conn *c)
{
	static const char *const words[] = { "SCRIPT", "LOAD",
		hf__redis_script };

	hf__redis_say(c, got_script, NULL, 3, words);
}

/* In hiredis' place, which makes room for a whole array when it has read only
 * how long it is said to be: twelve bytes would have it fill gigabytes. It
 * frees what stands in each other by recursion. */
static void *
make_array(const redisReadTask *task, array_n n)
{
	const redisReplyObjectFunctions *theirs = task->privdata;
	const redisReadTask *in = task->parent;
	int depth = 1;

	for (; in != NULL; in = in->parent)
		depth++;
	return depth <= DEPTH_MAX && n <= ARRAY_MAX ?
	    theirs->createArray(task, n) :
	    NULL;
}

static int
make_reader(struct hf__redis_wire *w)
{
	if ((w->reader = redisReaderCreate()) == NULL)
		return 0;
	w->reader->privdata = w->reader->fn;
	w->made_by = *w->reader->fn;
	w->made_by.createArray = make_array;
	w->reader->fn = &w->made_by;
	return 1;
}

static void
give_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct hf__redis_wire *w = handle->data;

	(void)size;
	*buf = uv_buf_init(w->bytes, sizeof(w->bytes));
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
	struct hf__redis_wire *w = from->data;
	void *reply = NULL;

	if (w->conn == NULL || n == 0)
		return;
	if (n < 0) {
		hf__redis_down(w->conn, "the store has closed the connection");
		return;
	}
	w->heard += (size_t)n;
	if (redisReaderFeed(w->reader, buf->base, (size_t)n) != REDIS_OK ||
	    w->heard > BACKLOG_MAX) {
		hf__redis_down(w->conn,
		    "the store answers what was not asked");
		return;
	}
	while (w->conn != NULL) {
		if (redisReaderGetReply(w->reader, &reply) != REDIS_OK) {
			hf__redis_down(w->conn,
			    w->reader->err == REDIS_ERR_OOM ?
				"the store answers what was not asked" :
				"that is no Redis");
			return;
		}
		if (reply == NULL)
			return;
		/* What of it was read is not in the reader any more. */
		w->heard = w->reader->len - w->reader->pos;
		take_reply(w->conn, reply);
	}
}

/* --- wires --------------------------------------------------------------------------------- */

static void
wire_closed(uv_handle_t *handle)
{
	struct hf__redis_wire *w = handle->data;

	redisReaderFree(w->reader);
	sodium_memzero(w, sizeof(*w));
	free(w);
}

void
hf__redis_hang_up(struct hf__redis_conn *c)
{
	forget_wanted(c);
	if (c->wire == NULL)
		return;
	c->wire->conn = NULL;
	uv_close(&c->wire->io.handle, wire_closed);
	c->wire = NULL;
}

static void
connected(uv_connect_t *req, int status)
{
	struct hf__redis_wire *w = req->data;
	struct hf__redis_conn *c = w->conn;

	if (c == NULL)
		return;
	if (status != 0) {
		if (!hf__redis_next_address(c))
			hf__redis_down(c, uv_strerror(status));
	} else if (uv_read_start(&w->io.stream, give_room, came) != 0)
		hf__redis_down(c, "cannot read from the store");
	else
		hf__redis_introduce(c);
}

static struct hf__redis_wire *
wire_new(struct hf__redis_conn *c, int pipe)
{
	struct hf__redis_wire *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	if (!make_reader(w) ||
	    (pipe ? uv_pipe_init(c->loop, &w->io.pipe, 0) :
		    uv_tcp_init(c->loop, &w->io.tcp)) != 0) {
		if (w->reader != NULL)
			redisReaderFree(w->reader);
		free(w);
		return NULL;
	}
	w->conn = c;
	w->connecting.data = w->io.handle.data = w;
	uv_unref(&w->io.handle);
	return w;
}

void
hf__redis_dial(struct hf__redis_conn *c, const struct sockaddr *to)
{
	int r = 0;

	hf__redis_hang_up(c);
	if ((c->wire = wire_new(c, to == NULL)) == NULL) {
		hf__redis_down(c, "cannot begin to connect");
		return;
	}
	if (to == NULL)
		uv_pipe_connect(&c->wire->connecting, &c->wire->io.pipe,
		    c->at->uri.path, connected);
	else {
		(void)uv_tcp_nodelay(&c->wire->io.tcp, 1);
		r = uv_tcp_connect(&c->wire->connecting, &c->wire->io.tcp, to,
		    connected);
	}
	if (r != 0)
		hf__redis_down(c, uv_strerror(r));
}

static void *
redis_connect(void *engine, struct hf__line *line, uv_loop_t *loop)
{
	struct hf__redis_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->line = line;
	c->at = engine;
	c->loop = loop;
	c->wanted_end = &c->wanted;
	(void)uv_timer_init(loop, &c->watch);
	c->watch.data = c;
	uv_unref((uv_handle_t *)&c->watch);
	/* On the loop's next turn, so that nothing is said before it
	 * returns. */
	(void)uv_timer_start(&c->watch, hf__redis_begin, 0, 0);
	return c;
}

static void
closed(uv_handle_t *handle)
{
	struct hf__redis_conn *c = handle->data;

	sodium_memzero(c, sizeof(*c));
	free(c);
}

static void
redis_cut(void *conn)
{
	struct hf__redis_conn *c = conn;

	c->line = NULL;
	hf__lookup_forget(c->lookup);
	hf__redis_hang_up(c);
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
