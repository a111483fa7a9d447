/* SPDX-License-Identifier: ISC */
/*
 * The two simple ends of a session at the responder: what arrives is sent
 * back, or printed to standard output. Neither knows who sent it.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve.h"

static void
nothing(struct hf_conn *conn)
{
	(void)conn;
}

/* What was sent back and not acked yet: of a session that may move, a record
 * is done with only when its echo has arrived. */
enum { ECHO_MARKS = 1 << 11 };
struct echo {
	uint64_t
	    skip;     /* bytes that the peer has already, from another owner */
	uint64_t out; /* bytes sent back, over all owners */
	size_t first, n;
	struct {
		uint64_t count, out;
	} mark[ECHO_MARKS];
};

static void
echo_opened(struct hf_conn *conn)
{
	struct hf_session *s = hf_link_session(conn->link);
	struct hf_bases bases;
	struct echo *e;

	if (hf_session_mobility(s) == HF_MOVES_NOT)
		return;
	if ((e = calloc(1, sizeof(*e))) == NULL) {
		hf_link_abort(conn->link, HF_E_MEMORY);
		return;
	}
	serve_set_sink(conn, e);
	if (hf_session_bases(&bases, s) != HF_OK)
		return;
	/* Byte n comes back as byte n: what is there is not sent again. */
	e->out = bases.own_bytes;
	if (bases.own_bytes > bases.peer_bytes)
		e->skip = bases.own_bytes - bases.peer_bytes;
}

static void
echo_mark(struct hf_conn *conn, struct echo *e)
{
	uint8_t digest[HF_KEY_BYTES];
	uint64_t count;
	size_t at;

	if (hf_session_digest(digest, &count, hf_link_session(conn->link),
		HF_INITIATOR) != HF_OK)
		return;
	if (e->n == ECHO_MARKS) { /* a later one stands for the oldest */
		e->first = (e->first + 1) % ECHO_MARKS;
		e->n--;
	}
	at = (e->first + e->n++) % ECHO_MARKS;
	e->mark[at].count = count;
	e->mark[at].out = e->out;
}

static void
echo_acked(struct hf_conn *conn)
{
	struct echo *e = serve_sink(conn);
	uint64_t count, bytes, done = 0;

	if (e == NULL)
		return;
	hf_session_acked(&count, &bytes, hf_link_session(conn->link));
	while (e->n > 0 && e->mark[e->first].out <= bytes) {
		done = e->mark[e->first].count;
		e->first = (e->first + 1) % ECHO_MARKS;
		e->n--;
	}
	if (done > 0)
		hf_link_release(conn->link, done);
}

static void
echo_data(struct hf_conn *conn, const uint8_t *data, size_t len)
{
	struct echo *e = serve_sink(conn);
	size_t skip = 0;

	if (e != NULL) {
		skip = e->skip < len ? (size_t)e->skip : len;
		e->skip -= skip;
		e->out += len - skip;
		echo_mark(conn, e);
	}
	hf_link_send(conn->link, data + skip, len - skip);
	if (hf_link_queued(conn->link) > HF_LINK_HIGH)
		hf_link_pause(conn->link);
}

static void
echo_closed(struct hf_conn *conn)
{
	hf_link_close(conn->link);
}

static void
echo_drained(struct hf_conn *conn)
{
	hf_link_resume(conn->link);
}

static void
echo_ended(struct hf_conn *conn)
{
	free(serve_sink(conn));
}

const struct sink sink_echo = { echo_opened, echo_data, echo_closed,
	echo_drained, echo_ended, echo_acked, 1, 1, 1 };

/* One write to standard output, under way in a thread. */
struct print {
	uv_work_t work;
	struct hf_conn *conn; /* NULL: it ended */
	int busy, err;
	size_t len;
	uint8_t data[HF_PLAINTEXT_MAX];
};

static uv_once_t once = UV_ONCE_INIT;
static uv_mutex_t lock; /* records are printed whole */

static void
make_lock(void)
{
	if (uv_mutex_init(&lock) != 0)
		abort();
}

static void
print_free(struct print *p)
{
	sodium_memzero(p, sizeof(*p));
	free(p);
}

static void
print_work(uv_work_t *work)
{
	struct print *p = work->data;

	uv_mutex_lock(&lock);
	p->err = pump_write(STDOUT_FILENO, p->data, p->len);
	uv_mutex_unlock(&lock);
}

static void
print_done(uv_work_t *work, int status)
{
	struct print *p = work->data;

	p->busy = 0;
	if ((status != 0 || p->err != 0) && p->err != ECANCELED) {
		cli_error(CLI_IO, "standard output: %s", strerror(p->err));
		respond_fatal();
	}
	if (p->conn == NULL)
		print_free(p);
	else if (status != 0 || p->err != 0)
		hf_link_abort(p->conn->link, HF_E_IO);
	else
		hf_link_resume(p->conn->link);
}

static void
print_data(struct hf_conn *conn, const uint8_t *data, size_t len)
{
	struct print *p = serve_sink(conn);

	if (len == 0)
		return;
	uv_once(&once, make_lock);
	if (p == NULL && (p = calloc(1, sizeof(*p))) == NULL) {
		hf_link_abort(conn->link, HF_E_MEMORY);
		return;
	}
	serve_set_sink(conn, p);
	p->conn = conn;
	p->work.data = p;
	memcpy(p->data, data, len);
	p->len = len;
	if (uv_queue_work(conn->loop, &p->work, print_work, print_done) != 0) {
		hf_link_abort(conn->link, HF_E_IO);
		return;
	}
	p->busy = 1;
	hf_link_pause(conn->link);
}

static void
print_closed(struct hf_conn *conn)
{
	/* The last write is done: it held this back. */
	hf_link_close(conn->link);
}

static void
print_ended(struct hf_conn *conn)
{
	struct print *p = serve_sink(conn);

	if (p == NULL)
		return;
	p->conn = NULL;
	if (!p->busy)
		print_free(p);
}

const struct sink sink_print = { nothing, print_data, print_closed, nothing,
	print_ended, NULL, 1, 1, 1 };
