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
nothing(struct lane *lane)
{
	(void)lane;
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
echo_opened(struct lane *lane)
{
	struct hf_session *s = lane_session(lane);
	struct hf_bases bases;
	struct echo *e;

	/* What channels carry ends with the connection. */
	if (lane->channel != NULL || hf_session_mobility(s) == HF_MOVES_NOT)
		return;
	/* Its marks are many, and none is read before it was set. */
	if ((e = malloc(sizeof(*e))) == NULL) {
		lane_abort(lane, HF_E_MEMORY);
		return;
	}
	e->skip = e->out = 0;
	e->first = e->n = 0;
	lane->sink = e;
	if (hf_session_bases(&bases, s) != HF_OK)
		return;
	/* Byte n comes back as byte n: what is there is not sent again. */
	e->out = bases.own_bytes;
	if (bases.own_bytes > bases.peer_bytes)
		e->skip = bases.own_bytes - bases.peer_bytes;
}

static void
echo_mark(struct lane *lane, struct echo *e)
{
	uint8_t digest[HF_KEY_BYTES];
	uint64_t count;
	size_t at;

	if (hf_session_digest(digest, &count, lane_session(lane),
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
echo_acked(struct lane *lane)
{
	struct echo *e = lane->sink;
	uint64_t count, bytes, done = 0;

	if (e == NULL)
		return;
	hf_session_acked(&count, &bytes, lane_session(lane));
	while (e->n > 0 && e->mark[e->first].out <= bytes) {
		done = e->mark[e->first].count;
		e->first = (e->first + 1) % ECHO_MARKS;
		e->n--;
	}
	if (done > 0)
		hf_link_release(lane->conn->link, done);
}

static void
echo_data(struct lane *lane, const uint8_t *data, size_t len)
{
	struct echo *e = lane->sink;
	size_t skip = 0;

	if (e != NULL) {
		skip = e->skip < len ? (size_t)e->skip : len;
		e->skip -= skip;
		e->out += len - skip;
		echo_mark(lane, e);
	}
	lane_send(lane, data + skip, len - skip);
	if (lane_full(lane))
		lane_pause(lane);
}

static void
echo_closed(struct lane *lane)
{
	lane_close(lane);
}

static void
echo_drained(struct lane *lane)
{
	lane_resume(lane);
}

static void
echo_ended(struct lane *lane)
{
	free(lane->sink);
}

const struct sink sink_echo = { echo_opened, echo_data, echo_closed,
	echo_drained, echo_ended, echo_acked, 1, 1, 1, 1 };

/* One write to standard output, under way in a thread. */
struct print {
	uv_work_t work;
	struct lane *lane; /* NULL: it ended */
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
	if (p->lane == NULL)
		print_free(p);
	else if (status != 0 || p->err != 0)
		lane_abort(p->lane, HF_E_IO);
	else
		lane_resume(p->lane);
}

static void
print_data(struct lane *lane, const uint8_t *data, size_t len)
{
	struct print *p = lane->sink;

	if (len == 0)
		return;
	uv_once(&once, make_lock);
	if (p == NULL && (p = calloc(1, sizeof(*p))) == NULL) {
		lane_abort(lane, HF_E_MEMORY);
		return;
	}
	lane->sink = p;
	p->lane = lane;
	p->work.data = p;
	memcpy(p->data, data, len);
	p->len = len;
	if (uv_queue_work(lane->conn->loop, &p->work, print_work,
		print_done) != 0) {
		lane_abort(lane, HF_E_IO);
		return;
	}
	p->busy = 1;
	lane_pause(lane);
}

static void
print_closed(struct lane *lane)
{
	/* The last write is done: it held this back. */
	lane_close(lane);
}

static void
print_ended(struct lane *lane)
{
	struct print *p = lane->sink;

	if (p == NULL)
		return;
	p->lane = NULL;
	if (!p->busy)
		print_free(p);
}

const struct sink sink_print = { nothing, print_data, print_closed, nothing,
	print_ended, NULL, 1, 1, 1, 0 };
