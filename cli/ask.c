/* SPDX-License-Identifier: ISC */
/*
 * respond --password-command: asks a program whether a user's password is
 * right. The program gets both on its standard input, a line each, and says
 * yes by exiting with 0. A few run at once in each thread, one of a user from
 * one source, so that each guess is counted before the next; the rest wait
 * their turn. One that takes too long is killed. The password is wiped as soon
 * as it was handed over.
 */
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve.h"

enum {
	RUNNING_MAX = 8,
	WAITING_MAX = 256,
	SOURCE_MAX = 16, /* waiting of one source: others come soon */
	PAIR_MAX = 12,	 /* and of one user from there: room for others */
	TIMEOUT_MS = 8000,
	LEAST_MS = 2000 /* to the deadline: what begins later is no use */
};

struct ask {
	struct hf_served *conn; /* NULL: nobody waits for the answer */
	struct ask *prev, *next;
	uv_process_t process;
	uv_pipe_t input;
	uv_timer_t timer;
	uv_write_t req;
	uv_shutdown_t end;
	int handles, started, killed;
	char **env;
	size_t len;
	char text[HF_USER_MAX + HF_PASSWORD_MAX + 2];
};

/* Of this thread: the loops' threads share nothing. */
static _Thread_local struct {
	struct ask *first, *last; /* waiting */
	struct ask *run[RUNNING_MAX];
	unsigned running, waiting;
} asks;

static void start(struct ask *);

static void
unqueue(struct ask *a)
{
	if (a->prev != NULL)
		a->prev->next = a->next;
	else
		asks.first = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	else
		asks.last = a->prev;
	a->prev = a->next = NULL;
	asks.waiting--;
}

static void
discard(struct ask *a)
{
	free(a->env);
	sodium_memzero(a, sizeof(*a));
	free(a);
}

/* Whether that user from there is asked about now. */
static int
is_asked(const struct hf_served *conn)
{
	size_t i;

	for (i = 0; i < RUNNING_MAX; i++)
		if (asks.run[i] != NULL && asks.run[i]->conn != NULL &&
		    hf_served_same_pair(asks.run[i]->conn, conn))
			return 1;
	return 0;
}

/* Others do not wait for that. */
static struct ask *
next_ask(void)
{
	struct ask *a = asks.first;

	while (a != NULL && is_asked(a->conn))
		a = a->next;
	return a;
}

/* A right password whose command could not end would count as a wrong one. */
static int
in_time(const struct hf_served *conn)
{
	const struct hf_session *s = hf_link_session(conn->link);

	return uv_hrtime() / 1000000 + LEAST_MS <= hf_session_deadline(s);
}

static void
start_next(void)
{
	struct ask *a;

	while (asks.running < RUNNING_MAX && (a = next_ask()) != NULL) {
		unqueue(a);
		if (in_time(a->conn) && hf_server_allowed(a->conn)) {
			start(a);
			continue;
		}
		((struct serve *)a->conn->app)->ask = NULL;
		hf_link_trust(a->conn->link, HF_E_LIMITED);
		discard(a);
	}
}

/* Puts one in the place of another among those that run; of NULL any. */
static void
enlist(const struct ask *old, struct ask *new)
{
	size_t i = 0;

	while (asks.run[i] != old)
		i++;
	asks.run[i] = new;
}

static void
handle_closed(uv_handle_t *handle)
{
	struct ask *a = handle->data;

	if (--a->handles > 0)
		return;
	enlist(a, NULL);
	discard(a);
	asks.running--;
	start_next();
}

/* Gives the answer, once, if it is still waited for. */
static void
answer(struct ask *a, enum hf_err verdict)
{
	struct hf_served *conn = a->conn;

	if (conn == NULL)
		return;
	a->conn = NULL;
	((struct serve *)conn->app)->ask = NULL;
	hf_server_asked(conn, 0);
	hf_link_trust(conn->link, verdict);
}

static void
exited(uv_process_t *process, int64_t status, int signal)
{
	struct ask *a = process->data;
	enum hf_err verdict = HF_OK;

	if (signal != 0 || a->killed)
		verdict = HF_E_STORE;
	else if (status != 0)
		verdict = HF_E_PASSWORD;
	uv_close((uv_handle_t *)process, handle_closed);
	uv_close((uv_handle_t *)&a->input, handle_closed);
	uv_close((uv_handle_t *)&a->timer, handle_closed);
	answer(a, verdict);
}

static void
overdue(uv_timer_t *timer)
{
	struct ask *a = timer->data;

	a->killed = 1;
	(void)uv_process_kill(&a->process, SIGKILL);
}

static void
handed_over(uv_write_t *req, int status)
{
	struct ask *a = req->data;

	sodium_memzero(a->text, sizeof(a->text));
	/* A command that does not read may still say yes. */
	if (status == 0 && !uv_is_closing((uv_handle_t *)&a->input))
		(void)uv_shutdown(&a->end, (uv_stream_t *)&a->input, NULL);
}

static int
spawn(struct ask *a)
{
	uv_stdio_container_t stdio[3];
	uv_process_options_t o;

	memset(&o, 0, sizeof(o));
	memset(stdio, 0, sizeof(stdio));
	stdio[0].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_READABLE_PIPE);
	stdio[0].data.stream = (uv_stream_t *)&a->input;
	stdio[1].flags = UV_IGNORE;
	stdio[2].flags = UV_INHERIT_FD;
	stdio[2].data.fd = STDERR_FILENO;
	o.file = respond.password_command[0];
	o.args = respond.password_command;
	o.env = a->env;
	o.stdio = stdio;
	o.stdio_count = 3;
	o.exit_cb = exited;
	return uv_spawn(a->conn->loop, &a->process, &o);
}

static void
start(struct ask *a)
{
	uv_buf_t buf = uv_buf_init(a->text, (unsigned int)a->len);
	uv_loop_t *loop = a->conn->loop;
	int r;

	asks.running++;
	enlist(NULL, a);
	hf_server_asked(a->conn, 1);
	a->started = 1;
	a->process.data = a->input.data = a->timer.data = a->req.data = a;
	/* These fail for no reason that can arise here. */
	(void)uv_pipe_init(loop, &a->input, 0);
	(void)uv_timer_init(loop, &a->timer);
	a->handles = 3;
	if ((r = spawn(a)) != 0) {
		cli_error(CLI_IO, "--password-command %s: %s",
		    respond.password_command[0], uv_strerror(r));
		exited(&a->process, 0, SIGKILL);
		return;
	}
	if (uv_timer_start(&a->timer, overdue, TIMEOUT_MS, 0) != 0 ||
	    uv_write(&a->req, (uv_stream_t *)&a->input, &buf, 1,
		handed_over) != 0) {
		a->killed = 1;
		(void)uv_process_kill(&a->process, SIGKILL);
	}
}

static struct ask *
make(struct hf_served *conn)
{
	struct hf_session *session = hf_link_session(conn->link);
	struct hf_span password = hf_session_asked_password(session);
	static const char *const without[] = { "HANDFAST_", NULL };
	struct hf_peer peer;
	struct ask *a;
	size_t n;

	if (hf_session_peer(&peer, session) != HF_OK ||
	    (n = strlen(peer.name)) > HF_USER_MAX ||
	    password.len > HF_PASSWORD_MAX ||
	    (a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	memcpy(a->text, peer.name, n);
	a->text[n] = '\n';
	memcpy(a->text + n + 1, password.ptr, password.len);
	a->text[n + 1 + password.len] = '\n';
	a->len = n + password.len + 2;
	a->conn = conn;
	if ((a->env = child_env(&n, without, 0)) == NULL) {
		discard(a);
		return NULL;
	}
	return a;
}

/* So many wait that are one's by that. */
static unsigned
waiting(const struct hf_served *conn,
    int (*same)(const struct hf_served *, const struct hf_served *))
{
	const struct ask *a;
	unsigned n = 0;

	for (a = asks.first; a != NULL; a = a->next)
		n += (unsigned)same(a->conn, conn);
	return n;
}

void
ask_begin(struct hf_served *conn)
{
	struct hf_span password =
	    hf_session_asked_password(hf_link_session(conn->link));
	struct ask *a;

	/* It could not be told from a line of its own. */
	if (password.len > 0 &&
	    (memchr(password.ptr, '\n', password.len) != NULL ||
		memchr(password.ptr, '\0', password.len) != NULL)) {
		hf_link_trust(conn->link, HF_E_PASSWORD);
		return;
	}
	if (asks.waiting == WAITING_MAX ||
	    waiting(conn, hf_served_same_source) == SOURCE_MAX ||
	    waiting(conn, hf_served_same_pair) == PAIR_MAX) {
		hf_link_trust(conn->link, HF_E_LIMITED);
		return;
	}
	if ((a = make(conn)) == NULL) {
		hf_link_trust(conn->link, HF_E_MEMORY);
		return;
	}
	((struct serve *)conn->app)->ask = a;
	a->prev = asks.last;
	if (asks.last != NULL)
		asks.last->next = a;
	else
		asks.first = a;
	asks.last = a;
	asks.waiting++;
	start_next();
}

void
ask_forget(struct hf_served *conn)
{
	struct ask *a = ((struct serve *)conn->app)->ask;

	if (a == NULL)
		return;
	a->conn = NULL;
	if (a->started) {
		overdue(&a->timer);
		return;
	}
	unqueue(a);
	discard(a);
}
