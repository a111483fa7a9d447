/* SPDX-License-Identifier: ISC */
/*
 * The socket on which a dispatcher is asked and told things: one line from
 * whoever may connect, one answer, the end. Only this user and root may, by
 * the file's mode and by what the kernel says of the caller.
 */
#include <sys/queue.h>
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatching.h"

enum { LINE_MAX_BYTES = 512, CALLERS_MAX = 8, PATIENCE_MS = 2000 };

struct control {
	uv_pipe_t listener;
	struct hf_dispatch *dispatch;
	char path[DISPATCH_PATH];
	unsigned callers;
	LIST_HEAD(, caller) all;
	int closing;
};

struct caller {
	struct control *control;
	LIST_ENTRY(caller) beside;
	uv_pipe_t pipe;
	uv_timer_t timer;
	uv_write_t write;
	char line[LINE_MAX_BYTES];
	size_t len;
	char *answer;
	int handles, answered;
};

static void
caller_closed(uv_handle_t *handle)
{
	struct caller *c = handle->data;

	if (--c->handles > 0)
		return;
	free(c->answer);
	free(c);
}

static void
hang_up(struct caller *c)
{
	struct control *k = c->control;

	if (uv_is_closing((uv_handle_t *)&c->pipe))
		return;
	LIST_REMOVE(c, beside);
	k->callers--;
	uv_close((uv_handle_t *)&c->pipe, caller_closed);
	uv_close((uv_handle_t *)&c->timer, caller_closed);
}

static void
too_slow(uv_timer_t *timer)
{
	hang_up(timer->data);
}

static void
said(uv_write_t *req, int status)
{
	(void)status;
	hang_up(req->data);
}

static void
say(struct caller *c, char *text)
{
	uv_buf_t buf;

	c->answered = 1;
	c->answer = text;
	if (text == NULL) {
		hang_up(c);
		return;
	}
	buf = uv_buf_init(text, (unsigned)strlen(text));
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, said) != 0)
		hang_up(c);
}

static char *
drain(struct control *k, const char *server, int on)
{
	struct log_line line;
	const char *target;
	char *text;

	if (hf_dispatch_drain(k->dispatch, server, on) != HF_OK)
		return strdup("there is no such server\n");
	if (!on || !hf_dispatch_alone(&target, k->dispatch, server))
		return strdup("ok\n");
	log_begin(&line, "drain");
	log_text(&line, "server", server);
	log_text(&line, "result", "alone");
	log_text(&line, "target", target == NULL ? "*" : target);
	log_end(&line);
	return asprintf(&text,
		   "ok\nno other server that is up has %s%s: sessions there "
		   "are cut off until one has\n",
		   target == NULL ? "all targets" : "target ",
		   target == NULL      ? "" :
		       *target == '\0' ? "\"\"" :
					 target) == -1 ?
	    NULL :
	    text;
}

static char *
status(const struct control *k)
{
	json_t *root = dispatch_json(k->dispatch);
	char *text = json_dumps(root, JSON_COMPACT);

	json_decref(root);
	return text;
}

static void
answer(struct caller *c)
{
	struct control *k = c->control;

	if (strcmp(c->line, "status") == 0)
		say(c, status(k));
	else if (strcmp(c->line, "metrics") == 0)
		say(c, dispatch_metrics(k->dispatch));
	else if (strncmp(c->line, "drain ", 6) == 0)
		say(c, drain(k, c->line + 6, 1));
	else if (strncmp(c->line, "undrain ", 8) == 0)
		say(c, drain(k, c->line + 8, 0));
	else
		say(c, strdup("that is not understood\n"));
}

static void
give_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct caller *c = handle->data;

	(void)size;
	*buf = uv_buf_init(c->line + c->len,
	    (unsigned)(sizeof(c->line) - 1 - c->len));
}

static void
heard(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct caller *c = stream->data;
	char *end;

	(void)buf;
	if (n < 0 || c->answered) {
		if (n < 0 && !c->answered)
			hang_up(c);
		return;
	}
	c->len += (size_t)n;
	c->line[c->len] = '\0';
	if ((end = strchr(c->line, '\n')) != NULL) {
		*end = '\0';
		(void)uv_read_stop(stream);
		answer(c);
	} else if (c->len == sizeof(c->line) - 1) {
		hang_up(c);
	}
}

static int
may_ask(uv_pipe_t *pipe)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	uv_os_fd_t fd;

	return uv_fileno((uv_handle_t *)pipe, &fd) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    (cred.uid == geteuid() || cred.uid == 0);
}

static void
called(uv_stream_t *listener, int status)
{
	struct control *k = listener->data;
	struct caller *c;

	if (status != 0 || (c = calloc(1, sizeof(*c))) == NULL)
		return;
	c->control = k;
	if (uv_pipe_init(listener->loop, &c->pipe, 0) != 0 ||
	    uv_timer_init(listener->loop, &c->timer) != 0) {
		free(c); /* neither fails */
		return;
	}
	c->pipe.data = c->timer.data = c;
	c->handles = 2;
	LIST_INSERT_HEAD(&k->all, c, beside);
	k->callers++;
	if (uv_accept(listener, (uv_stream_t *)&c->pipe) != 0 ||
	    k->callers > CALLERS_MAX || !may_ask(&c->pipe) ||
	    uv_timer_start(&c->timer, too_slow, PATIENCE_MS, 0) != 0 ||
	    uv_read_start((uv_stream_t *)&c->pipe, give_room, heard) != 0)
		hang_up(c);
}

int
control_open(struct control **control, uv_loop_t *loop, const char *path,
    struct hf_dispatch *dispatch)
{
	struct hf_address at[HF_ADDRESSES_MAX], bound;
	char text[DISPATCH_PATH + 8];
	struct control *k;
	size_t n;
	int fd, r;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return cli_fail(HF_E_MEMORY, "control");
	(void)snprintf(text, sizeof(text), "unix:%s", path);
	if ((r = cli_address(at, &n, "dispatch", "control", text)) != CLI_OK) {
		free(k);
		return r;
	}
	if (hf_address_listen(&fd, &bound, &at[0]) != HF_OK) {
		free(k);
		return cli_errno("control %s", path);
	}
	(void)snprintf(k->path, sizeof(k->path), "%s", path);
	k->dispatch = dispatch;
	if (uv_pipe_init(loop, &k->listener, 0) != 0 ||
	    uv_pipe_open(&k->listener, fd) != 0) {
		(void)close(fd);
		free(k);
		return cli_error(CLI_IO, "control %s", path);
	}
	k->listener.data = k;
	if (uv_listen((uv_stream_t *)&k->listener, CALLERS_MAX, called) != 0) {
		control_close(k);
		return cli_error(CLI_IO, "control %s", path);
	}
	*control = k;
	return CLI_OK;
}

static void
listener_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
control_close(struct control *k)
{
	if (k == NULL || k->closing)
		return;
	k->closing = 1;
	while (!LIST_EMPTY(&k->all))
		hang_up(LIST_FIRST(&k->all));
	(void)unlink(k->path);
	uv_close((uv_handle_t *)&k->listener, listener_closed);
}
