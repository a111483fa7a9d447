/* SPDX-License-Identifier: ISC */
/*
 * Joins standard input and output to a session. Reads and writes wait in
 * threads, one of each at a time and two buffers a direction, so that sealing
 * goes on meanwhile; a direction that cannot go on holds back the other end.
 * It knows no handshake. What it held is wiped.
 */
#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "initiate.h"

enum {
	READ_MAX = 1 << 16,
	WRITE_MAX = 1 << 18,
	/* Beyond this the session waits: one more record must fit. */
	WRITE_HIGH = WRITE_MAX - HF_PLAINTEXT_MAX,
	IDLE_MS = 1000
};

struct joined {
	uv_loop_t *loop;
	const struct joined_hooks *hooks;
	struct hf_link *link;
	uv_work_t reading, writing;
	int read_busy, write_busy;
	int ended;   /* nothing more is read */
	int waiting; /* the next read waits for the link's queue */
	int paused;  /* the link waits for the output */
	int turn;    /* the read buffer in use */
	int read_errno, write_errno;
	ssize_t got;
	uint64_t taken; /* bytes read, in all */
	/* Where the session may move: what was read and is not acked. */
	int keeping, suspended;
	int finished; /* the input has ended */
	uint8_t *kept;
	size_t kept_len, kept_cap;
	uint64_t kept_at; /* where it begins, in the session's bytes */
	atomic_int idle_ms;
	size_t out_len, filled;
	uint8_t *out, *fill;	    /* being written, being filled */
	size_t in_most, store_most; /* ever stood in one of: */
	uint8_t in[2][READ_MAX];
	uint8_t store[2][WRITE_MAX];
};

static void read_more(struct joined *);

int
joined_new(struct joined **joined, uv_loop_t *loop,
    const struct joined_hooks *hooks)
{
	struct joined *j;

	if ((j = calloc(1, sizeof(*j))) == NULL)
		return cli_fail(HF_E_MEMORY, "buffers");
	j->loop = loop;
	j->hooks = hooks;
	j->out = j->store[0];
	j->fill = j->store[1];
	atomic_init(&j->idle_ms, -1);
	j->reading.data = j->writing.data = j;
	*joined = j;
	return CLI_OK;
}

static void
grow(size_t *most, size_t len)
{
	if (*most < len)
		*most = len;
}

static void
keep_nothing(struct joined *j)
{
	if (j->kept != NULL)
		sodium_memzero(j->kept, j->kept_cap);
	free(j->kept);
	j->kept = NULL;
	j->kept_len = j->kept_cap = 0;
}

void
joined_free(struct joined *j)
{
	int i;

	if (j == NULL)
		return;
	/* Only what was used: the rest is not even in memory, as a rule. */
	for (i = 0; i < 2; i++) {
		sodium_memzero(j->in[i], j->in_most);
		sodium_memzero(j->store[i], j->store_most);
	}
	keep_nothing(j);
	sodium_memzero(j, offsetof(struct joined, in));
	free(j);
}

static void
read_work(uv_work_t *work)
{
	struct joined *j = work->data;

	j->got =
	    pump_read(STDIN_FILENO, j->in[j->turn], READ_MAX, &j->idle_ms);
	j->read_errno = j->got < 0 ? errno : 0;
	if (j->got > 0)
		grow(&j->in_most, (size_t)j->got);
}

/* The input said nothing for as long as it is waited for. */
static int
silent(const struct joined *j)
{
	return j->got < 0 && j->read_errno == EAGAIN;
}

/* --- what is kept until it is acked ---------------------------------------------- */

static int
keep(struct joined *j, const uint8_t *data, size_t len)
{
	size_t cap = j->kept_len + len;
	uint8_t *more;

	if (!j->keeping)
		return 1;
	if (cap > j->kept_cap) {
		if ((more = malloc(2 * cap)) == NULL)
			return 0;
		if (j->kept_len > 0)
			memcpy(more, j->kept, j->kept_len);
		if (j->kept != NULL)
			sodium_memzero(j->kept, j->kept_cap);
		free(j->kept);
		j->kept = more;
		j->kept_cap = 2 * cap;
	}
	memcpy(j->kept + j->kept_len, data, len);
	j->kept_len += len;
	return 1;
}

void
joined_keep(struct joined *j, int on)
{
	j->keeping = on;
}

/* How much of what is kept stands before there. */
static size_t
before(const struct joined *j, uint64_t bytes)
{
	uint64_t n = bytes > j->kept_at ? bytes - j->kept_at : 0;

	return n < j->kept_len ? (size_t)n : j->kept_len;
}

static void
drop(struct joined *j, size_t n)
{
	if (n == 0)
		return;
	memmove(j->kept, j->kept + n, j->kept_len - n);
	j->kept_len -= n;
	j->kept_at += n;
}

void
joined_acked(struct joined *j, uint64_t bytes)
{
	size_t n = before(j, bytes);

	/* Moved only when much is gone: not for every ack. */
	if (n >= j->kept_len / 2 || n >= (1 << 20))
		drop(j, n);
}

void
joined_suspend(struct joined *j)
{
	j->link = NULL;
	j->suspended = 1;
}

/* Sends what is kept from there on, and goes on reading. */
static void
go_on(struct joined *j, struct hf_link *link, uint64_t bytes)
{
	size_t skip = before(j, bytes);

	j->suspended = 0;
	j->link = link;
	if (j->paused)
		hf_link_pause(link);
	if (j->kept_len > skip)
		hf_link_send(link, j->kept + skip, j->kept_len - skip);
	if (j->link == NULL)
		return; /* it broke again */
	if (j->finished)
		hf_link_close(link);
	else if (hf_link_queued(link) <= HF_LINK_HIGH)
		read_more(j);
	else
		j->waiting = 1;
}

void
joined_relink(struct joined *j, struct hf_link *link, uint64_t bytes)
{
	go_on(j, link, bytes);
}

void
joined_restart(struct joined *j, struct hf_link *link, uint64_t bytes)
{
	drop(j, before(j, bytes));
	j->kept_at = 0;
	/* What the peer closed was the session before. */
	atomic_store(&j->idle_ms, -1);
	go_on(j, link, 0);
	if (!j->keeping)
		keep_nothing(j); /* it was sent for the last time */
}

/* While there is no link, what was being read is kept for the next one. */
static void
read_suspended(struct joined *j, const uint8_t *data, ssize_t got)
{
	if (silent(j))
		return; /* it is asked again then */
	if (got < 0)
		j->hooks->failed(1, j->read_errno);
	else if (got == 0)
		j->finished = 1;
	else if (!keep(j, data, (size_t)got))
		j->hooks->failed(1, ENOMEM);
	j->turn = !j->turn;
}

static void
read_done(uv_work_t *work, int status)
{
	struct joined *j = work->data;
	const uint8_t *data = j->in[j->turn];
	ssize_t got = j->got;

	j->read_busy = 0;
	if (status == 0 && got > 0)
		j->taken += (uint64_t)got;
	if (status == 0 && j->suspended) {
		read_suspended(j, data, got);
		return;
	}
	if (status != 0 || j->link == NULL || got <= 0)
		j->ended = 1;
	if (j->link == NULL) {
		j->hooks->idle();
		return;
	}
	if (status == 0 && silent(j) && isatty(STDIN_FILENO)) {
		got = 0; /* who sits there has seen that it is over */
	} else if (status == 0 && silent(j)) {
		j->hooks->silent();
		return;
	}
	if (status != 0 || got < 0) {
		j->hooks->failed(1, status != 0 ? EIO : j->read_errno);
		return;
	}
	if (got == 0) {
		j->finished = 1;
		hf_link_close(j->link);
		return;
	}
	if (!keep(j, data, (size_t)got)) {
		j->hooks->failed(1, ENOMEM);
		return;
	}
	/* The other buffer fills while this one is sealed. */
	j->turn = !j->turn;
	if (hf_link_queued(j->link) <= HF_LINK_HIGH)
		read_more(j);
	else
		j->waiting = 1;
	hf_link_send(j->link, data, (size_t)got);
}

static void
read_more(struct joined *j)
{
	j->waiting = 0;
	if (j->ended || j->finished || j->read_busy || j->link == NULL)
		return;
	if (uv_queue_work(j->loop, &j->reading, read_work, read_done) != 0) {
		j->ended = 1;
		j->hooks->failed(1, EIO);
		return;
	}
	j->read_busy = 1;
}

void
joined_open(struct joined *j, struct hf_link *link)
{
	j->link = link;
	read_more(j);
}

void
joined_drained(struct joined *j)
{
	if (j->waiting)
		read_more(j);
}

static void
write_work(uv_work_t *work)
{
	struct joined *j = work->data;

	j->write_errno = pump_write(STDOUT_FILENO, j->out, j->out_len);
}

static void write_done(uv_work_t *, int);

static void
write_more(struct joined *j)
{
	uint8_t *full = j->fill;

	if (j->write_busy || j->filled == 0)
		return;
	j->fill = j->out;
	j->out = full;
	j->out_len = j->filled;
	j->filled = 0;
	if (uv_queue_work(j->loop, &j->writing, write_work, write_done) != 0)
		j->hooks->failed(0, EIO);
	else
		j->write_busy = 1;
}

static void
write_done(uv_work_t *work, int status)
{
	struct joined *j = work->data;
	int err = status != 0 ? EIO : j->write_errno;

	j->write_busy = 0;
	sodium_memzero(j->out, j->out_len);
	if (err != 0) {
		j->filled = 0;
		j->hooks->failed(0, err);
	}
	write_more(j);
	if (j->paused && j->filled <= WRITE_HIGH) {
		j->paused = 0;
		if (j->link != NULL)
			hf_link_resume(j->link);
	}
	if (!j->write_busy)
		j->hooks->idle();
}

void
joined_write(struct joined *j, const uint8_t *data, size_t len)
{
	/* Fits: the link was paused before it could not. */
	if (len > WRITE_MAX - j->filled) {
		j->hooks->failed(0, ENOBUFS);
		return;
	}
	memcpy(j->fill + j->filled, data, len);
	j->filled += len;
	grow(&j->store_most, j->filled);
	write_more(j);
	if (j->filled > WRITE_HIGH && j->link != NULL) {
		j->paused = 1;
		hf_link_pause(j->link);
	}
}

void
joined_peer_closed(struct joined *j)
{
	atomic_store(&j->idle_ms, isatty(STDIN_FILENO) ? 0 : IDLE_MS);
	pump_nudge();
}

void
joined_unlink(struct joined *j)
{
	j->link = NULL;
	j->suspended = 0;
	j->ended = 1;
	atomic_store(&j->idle_ms, 0);
	pump_nudge();
}

int
joined_finished(const struct joined *j, uint64_t *bytes)
{
	*bytes = j->taken;
	return j->finished;
}

int
joined_busy(const struct joined *j)
{
	return j->read_busy || j->write_busy || j->filled > 0;
}
