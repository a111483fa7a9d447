/* SPDX-License-Identifier: ISC */
/*
 * How a dispatcher's connection comes to a server, and away from it: the
 * server is connected to, and where that fails another one is tried.
 */
#include "dispatch_own.h"

enum { REQUEST = 3 };

void
hf__conn_leave(struct hf__conn *c)
{
	hf__leg_close(c->server, 0);
	c->server = NULL;
	c->up.to = NULL;
	if (c->backend == NULL)
		return;
	c->backend->conns--;
	hf__backend_release(c->backend);
	c->backend = NULL;
}

static void connected(uv_connect_t *, int);

/* The present one is gone. Its message goes to another, where that may be. */
void
hf__conn_try_another(struct hf__conn *c)
{
	if (c->tried_n < HF__TRIES_MAX && c->backend != NULL)
		c->tried[c->tried_n++] = c->backend;
	else
		c->tried_n = HF__TRIES_MAX;
	hf__conn_leave(c);
	/* What it said of a message is not the beginning of the next one's. */
	(void)hf__flow_put(&c->down, c->down.buf, 0);
	hf__route_again(c);
}

void
hf__conn_connect(struct hf__conn *c, struct hf__backend *b)
{
	int r = UV_ENOMEM;

	b->refs++;
	b->conns++;
	c->backend = b;
	c->phase = HF__CONNECTING;
	c->due = uv_now(c->d->loop) + c->d->config.connect_ms;
	c->server = hf__leg_new(c->d->loop, b->is.at.at.ss_family, c);
	if (c->server != NULL)
		r = hf_address_connect(&c->server->connect,
		    &c->server->io.stream, &b->is.at, connected);
	if (r != 0) {
		hf__health_failed(b, r);
		hf__conn_try_another(c);
	}
}

/* The first bytes that a server gets, where it wants to know. Returns 0 when
 * it does not take them. */
static int
introduce(struct hf__conn *c)
{
	uint8_t head[HF_PROXY_WRITTEN];
	struct hf_address to = { .len = 0 };
	int len = sizeof(to.at);
	uv_buf_t buf;

	if (!c->backend->is.proxy)
		return 1;
	if (c->client->family != AF_UNIX)
		(void)uv_tcp_getsockname(&c->client->io.tcp,
		    (struct sockaddr *)&to.at, &len);
	buf = uv_buf_init((char *)head,
	    (unsigned)hf_proxy_write(head, &c->from, &to));
	return uv_try_write(&c->server->io.stream, &buf, 1) == (int)buf.len;
}

static void
connected(uv_connect_t *req, int status)
{
	struct hf__leg *leg = (struct hf__leg *)req->handle->data;
	struct hf__conn *c = leg->conn;

	if (c == NULL || status == UV_ECANCELED)
		return;
	if (status != 0 || !introduce(c)) {
		hf__health_failed(c->backend, status);
		hf__conn_try_another(c);
		hf__conn_renewed(c);
		return;
	}
	c->backend->taken++;
	if (leg->family != AF_UNIX)
		hf_address_tune(&leg->io.tcp);
	leg->from = &c->down;
	c->up.to = leg;
	c->up.held = 0;
	c->phase = HF__SHAKING;
	c->answered = c->resumed = c->granted = c->retried = 0;
	c->due = uv_now(c->d->loop) +
	    (c->type == REQUEST ? HF__SHAKE_MS : c->d->config.server_ms);
	hf__flow_run(&c->up);
}
