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

static void
echo_data(struct hf_conn *conn, const uint8_t *data, size_t len)
{
	hf_link_send(conn->link, data, len);
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

const struct sink sink_echo = { nothing, echo_data, echo_closed, echo_drained,
	nothing, 1, 1 };

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
	print_ended, 1, 1 };
