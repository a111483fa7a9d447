/* SPDX-License-Identifier: ISC */
/*
 * A request and its answer in one call, over the others: it sends and receives
 * at the same time, so that neither end waits for the other for ever.
 */
#include <errno.h>
#include <poll.h>

#include "conn.h"

struct call {
	struct hf_conn *conn;
	const uint8_t *data;
	size_t len, at; /* of the request */
	uint8_t *answer;
	size_t cap, got;
	int done;
};

/* What of the answer is there. */
static enum hf_err
hear(struct call *k)
{
	uint8_t more;
	enum hf_err e;
	size_t n;

	if (k->got < k->cap)
		e = hf_conn_recv(k->conn, &n, k->answer + k->got,
		    k->cap - k->got);
	else if ((e = hf_conn_recv(k->conn, &n, &more, 1)) == HF_OK && n > 0)
		return HF_E_SPACE;
	if (e != HF_OK)
		return e;
	k->got += n;
	k->done = n == 0;
	return HF_OK;
}

/* Sends what goes and receives what is there. HF_E_AGAIN: neither. */
static enum hf_err
step(struct call *k)
{
	enum hf_err sent = HF_E_AGAIN, e;
	size_t n;

	if (k->at < k->len) {
		sent =
		    hf_conn_send(k->conn, &n, k->data + k->at, k->len - k->at);
		k->at += n;
	}
	if (k->at == k->len && (e = hf_conn_finish(k->conn)) != HF_OK)
		sent = e;
	/* What came before an end is heard before that is told. */
	e = k->done ? HF_E_AGAIN : hear(k);
	return e == HF_E_AGAIN ? sent : e;
}

static enum hf_err
wait_for_more(const struct hf_conn *conn)
{
	struct pollfd p = { .fd = -1 };
	int r;

	p.fd = hf_conn_poll_fd(conn, &p.events);
	do
		r = poll(&p, 1, -1);
	while (r == -1 && errno == EINTR);
	return r == -1 ? HF_E_IO : HF_OK;
}

enum hf_err
hf_conn_call(unsigned flags, const void *data, size_t len, void *answer,
    size_t cap, size_t *answer_len, const char *peer)
{
	struct call k = { NULL, data, len, 0, answer, cap, 0, 0 };
	enum hf_err e, closed;

	*answer_len = 0;
	if ((flags & HF_NONBLOCK) != 0)
		return HF_E_ARG;
	if ((e = hf_conn_open(&k.conn, peer, flags)) != HF_OK)
		return e;
	hf_conn_wait(k.conn, 0);
	while (e == HF_OK && (!k.done || k.at < k.len))
		if ((e = step(&k)) == HF_E_AGAIN)
			e = wait_for_more(k.conn);
	hf_conn_wait(k.conn, -1);
	if (e == HF_OK)
		e = hf_conn_finish(k.conn);
	closed = hf_conn_close(k.conn);
	*answer_len = k.got;
	return e != HF_OK ? e : closed;
}
