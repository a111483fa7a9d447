/* SPDX-License-Identifier: ISC */
/*
 * respond --exec: a program of its own for each session, without a shell. The
 * program learns who the peer is from its environment, and gets the session's
 * data as its input and output and nothing else: every other descriptor of
 * this process is closed to it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve.h"

enum { CLOSE_MS = 5000, KILL_MS = 1000, OURS = 4 };

struct child {
	struct joint joint; /* first: the hooks get it */
	uv_process_t process;
	uv_timer_t timer;
	int running;
	int failed; /* a signal ended it, or it says so */
};

char **
split_words(const char *text)
{
	size_t len = strlen(text), n = 0, words = len / 2 + 2;
	char **list, *copy, *word, *rest;

	if ((list = malloc(words * sizeof(*list) + len + 1)) == NULL)
		return NULL;
	copy = (char *)(list + words);
	memcpy(copy, text, len + 1);
	for (word = strtok_r(copy, " \t", &rest); word != NULL;
	     word = strtok_r(NULL, " \t", &rest))
		list[n++] = word;
	list[n] = NULL;
	return list;
}

/* The environment, with what it says of the peer replaced. */
static char **
make_env(char text[OURS][HF_NAME_MAX + HF_USER_MAX + 64],
    const struct lane *lane)
{
	static const char *const replaced[] = { "HANDFAST_", NULL };
	struct hf_peer peer;
	size_t kept;
	char **env;
	int r[OURS], i;

	if (hf_session_peer(&peer, lane_session(lane)) != HF_OK)
		return NULL;
	r[0] =
	    snprintf(text[0], sizeof(text[0]), "HANDFAST_NAME=%s", peer.name);
	r[1] = snprintf(text[1], sizeof(text[1]), "HANDFAST_SUBJECT=%s",
	    peer.subject);
	r[2] = snprintf(text[2], sizeof(text[2]), "HANDFAST_METHOD=%s",
	    hf_method_name((int)peer.method));
	r[3] = 0;
	if (lane->channel != NULL)
		r[3] =
		    snprintf(text[3], sizeof(text[3]), "HANDFAST_LABEL=%.*s",
			(int)hf_channel_label(lane->channel).len,
			(const char *)hf_channel_label(lane->channel).ptr);
	if ((env = child_env(&kept, replaced, OURS)) == NULL)
		return NULL;
	for (i = 0; i < OURS; i++) {
		if (r[i] < 0 || (size_t)r[i] >= sizeof(text[i])) {
			free(env);
			return NULL;
		}
		if (r[i] > 0)
			env[kept++] = text[i];
	}
	return env;
}

/* The child is done when it has exited and its output has ended. What it did
 * not do to the end must not look complete. */
static void
check_done(struct child *c)
{
	struct joint *j = &c->joint;

	if (j->lane == NULL || c->running || !j->over)
		return;
	if (c->failed)
		lane_cut(j->lane, HF_E_IO, CLOSE_MS);
	else
		lane_finish(j->lane, CLOSE_MS);
}

static void
exited(uv_process_t *process, int64_t status, int signal)
{
	struct child *c = process->data;

	c->running = 0;
	c->failed = status != 0 || signal != 0;
	uv_close((uv_handle_t *)process, joint_handle_closed);
	if (c->joint.lane == NULL)
		uv_close((uv_handle_t *)&c->timer, joint_handle_closed);
	else
		check_done(c);
}

static void
output_ended(struct joint *j, int err)
{
	(void)err;
	check_done((struct child *)j);
}

static void
freed(struct joint *j)
{
	free(j);
}

static const struct joint_hooks hooks = { output_ended, freed };

static int
spawn(struct child *c, struct lane *lane)
{
	char text[OURS][HF_NAME_MAX + HF_USER_MAX + 64];
	uv_stdio_container_t stdio[3];
	uv_process_options_t o;
	int r;

	memset(&o, 0, sizeof(o));
	memset(stdio, 0, sizeof(stdio));
	stdio[0].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_READABLE_PIPE);
	stdio[0].data.stream = &c->joint.there.stream;
	stdio[1].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
	stdio[1].data.stream = &c->joint.back.stream;
	stdio[2].flags = UV_INHERIT_FD;
	stdio[2].data.fd = STDERR_FILENO;
	o.file = respond.exec[0];
	o.args = respond.exec;
	o.stdio = stdio;
	o.stdio_count = 3;
	o.exit_cb = exited;
	if ((o.env = make_env(text, lane)) == NULL)
		return UV_ENOMEM;
	c->joint.handles++;
	r = uv_spawn(lane->conn->loop, &c->process, &o);
	if (r != 0)
		uv_close((uv_handle_t *)&c->process, joint_handle_closed);
	free(o.env);
	return r;
}

static void
opened(struct lane *lane)
{
	struct child *c;
	struct joint *j;
	int r;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		lane_abort(lane, HF_E_MEMORY);
		return;
	}
	j = &c->joint;
	j->hooks = &hooks;
	j->lane = lane;
	j->out = &j->there.stream;
	j->in = &j->back.stream;
	/* These fail for no reason that can arise here. */
	(void)uv_pipe_init(lane->conn->loop, &j->there.pipe, 0);
	(void)uv_pipe_init(lane->conn->loop, &j->back.pipe, 0);
	(void)uv_timer_init(lane->conn->loop, &c->timer);
	j->there.handle.data = j->back.handle.data = j;
	c->timer.data = c->process.data = c;
	j->handles = 3;
	lane->sink = c;
	if ((r = spawn(c, lane)) != 0) {
		cli_error(CLI_IO, "--exec %s: %s", respond.exec[0],
		    uv_strerror(r));
		lane_abort(lane, HF_E_IO);
		return;
	}
	c->running = 1;
	joint_start(j);
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
	if (lane->sink != NULL)
		joint_drained(lane->sink);
}

static void
overdue(uv_timer_t *timer)
{
	struct child *c = timer->data;

	if (c->running)
		(void)uv_process_kill(&c->process, SIGKILL);
}

static void
ended(struct lane *lane)
{
	struct child *c = lane->sink;

	if (c == NULL)
		return;
	/* Told before its input ends: what was cut off is not all. One that goes
	 * on is made to end. */
	if (c->running)
		(void)uv_process_kill(&c->process, SIGTERM);
	joint_end(&c->joint, 0);
	if (!c->running)
		uv_close((uv_handle_t *)&c->timer, joint_handle_closed);
	else if (uv_timer_start(&c->timer, overdue, KILL_MS, 0) != 0)
		(void)uv_process_kill(&c->process, SIGKILL);
}

const struct sink sink_exec = { opened, data, closed, drained, ended, NULL, 0,
	0, 4, 1 };
