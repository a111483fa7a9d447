/* SPDX-License-Identifier: ISC */
/*
 * respond --forward: passes each session on to another program's socket, in
 * the clear. It knows addresses; half-closes go through both ways, and what is
 * cut off is reset there.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "serve.h"
#include "service.h"

enum { CLOSE_MS = 5000 };

struct route {
	struct joint joint; /* first: the hooks get it */
	uv_connect_t req;
	size_t next; /* the address to try */
	int connecting;
};

static void attempt(struct route *);

static void
ended_back(struct joint *j, int err)
{
	if (err != 0)
		lane_abort(j->lane, HF_E_IO);
	else if (j->broken)
		lane_finish(j->lane, CLOSE_MS);
	else
		lane_close(j->lane);
}

static void
freed(struct joint *j)
{
	free(j);
}

static const struct joint_hooks hooks = { ended_back, freed };

/* The socket of a failed attempt is closed: the next, or none. */
static void
again(uv_handle_t *handle)
{
	struct route *r = handle->data;

	r->joint.handles--;
	if (r->joint.lane == NULL)
		free(r);
	else
		attempt(r);
}

static void
connected(uv_connect_t *req, int status)
{
	struct route *r = req->data;

	r->connecting = 0;
	if (r->joint.lane == NULL)
		return;
	if (status != 0) {
		uv_close(&r->joint.there.handle, again);
		return;
	}
	joint_start(&r->joint);
}

static void
attempt(struct route *r)
{
	struct joint *j = &r->joint;
	struct lane *lane = j->lane;
	const struct generation *g = lane->conn->generation;
	const struct hf_address *a;
	int unix_socket;

	if (r->next == g->forward_n) {
		cli_error(CLI_IO, "--forward %s: cannot connect",
		    respond.forward);
		lane->sink = NULL;
		free(r);
		lane_abort(lane, HF_E_IO);
		return;
	}
	a = &g->forward[r->next++];
	unix_socket = a->at.ss_family == AF_UNIX;
	/* These fail for no reason that can arise here. */
	if (unix_socket)
		(void)uv_pipe_init(lane->conn->loop, &j->there.pipe, 0);
	else
		(void)uv_tcp_init(lane->conn->loop, &j->there.tcp);
	j->there.handle.data = j;
	j->handles++;
	j->out = j->in = &j->there.stream;
	r->req.data = r;
	r->connecting = 1;
	if (hf_address_connect(&r->req, &j->there.stream, a, connected) != 0) {
		r->connecting = 0;
		uv_close(&j->there.handle, again);
	}
}

static void
opened(struct lane *lane)
{
	struct route *r;

	if ((r = calloc(1, sizeof(*r))) == NULL) {
		lane_abort(lane, HF_E_MEMORY);
		return;
	}
	r->joint.hooks = &hooks;
	r->joint.lane = lane;
	lane->sink = r;
	lane_pause(lane);
	attempt(r);
}

static void
data(struct lane *lane, const uint8_t *bytes, size_t len)
{
	joint_data(lane->sink, bytes, len);
}

static void
closed(struct lane *lane)
{
	joint_closed(lane->sink);
}

static void
drained(struct lane *lane)
{
	struct route *r = lane->sink;

	if (r != NULL && r->joint.ready)
		joint_drained(&r->joint);
}

static void
ended(struct lane *lane)
{
	if (lane->sink != NULL)
		joint_end(lane->sink, CLOSE_MS);
}

const struct sink sink_forward = { opened, data, closed, drained, ended, NULL,
	0, 0, 2, 1 };
