/* SPDX-License-Identifier: ISC */
/*
 * Joins two descriptors to a connection: what is read from one is sent, what is
 * received is written to the other. Nothing waits but for all of them at once.
 */
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "agenting.h"
#include "initiate.h"

enum { BUFFER = 1 << 16, IDLE_MS = 1000 };

struct flow {
	size_t at, len;
	int ended; /* nothing is in it, and nothing more comes */
	uint8_t buf[BUFFER];
};
struct join {
	struct hf_conn *conn;
	int in, out;
	const struct agent_program *program; /* whose they are, or NULL */
	size_t most;	  /* that is written at once without blocking */
	uint64_t taken;	  /* bytes of its input, in all */
	int starved;	  /* the connection has nothing now */
	enum hf_err sent; /* whether the connection takes any more */
	struct flow there, back;
};

/* The library does not say that it was the file of peers which it could not
 * read. Of who would rather have an agent it is not known that it was. */
static int
fail_open(enum hf_err e, const struct agent_want *want)
{
	int falls_back = (want->flags & HF_FALLBACK) != 0, result;
	const char *path = want->peers;
	char where[HF_AGENT_PATH];

	if (path == NULL && hf_agent_where(where, 1) == HF_OK)
		path = where;
	if (e != HF_E_IO || path == NULL || access(path, R_OK) == 0 ||
	    ((want->flags & HF_UNSHARED) == 0 && !falls_back))
		return cli_fail(e, "%s", want->peer);
	if (!falls_back)
		return cli_errno("%s", path);
	result = cli_fail(e, "%s", want->peer);
	cli_hint("without an agent a session needs %s, which cannot be read",
	    path);
	return result;
}

int
agent_open(struct hf_conn **conn, const struct agent_want *want)
{
	struct hf_conn_info info;
	enum hf_err e;

	e = hf_conn_open_at(conn, want->peer, want->flags,
	    (want->flags & HF_SHARED) != 0 ? want->agent : want->peers);
	if (e == HF_E_CONFIG) {
		(void)cli_error(CLI_FORMAT,
		    "%s: the file of peers cannot be used", want->peer);
		cli_hint("'handfast agent --check --config FILE' says why");
		return CLI_FORMAT;
	}
	if (e != HF_OK)
		return fail_open(e, want);
	hf_conn_info(&info, *conn);
	if (info.fell_back)
		cli_warn("%s: there is no agent; a session of its own",
		    want->peer);
	return CLI_OK;
}

/* A pipe takes so much at once when it takes anything; a file takes all. */
static size_t
most_at_once(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? BUFFER : PIPE_BUF;
}

/* What was read is sent; and where all of it was, what the connection kept. */
static enum hf_err
send_some(struct join *j)
{
	enum hf_err e;
	size_t n;

	if (j->there.ended)
		return hf_conn_finish(j->conn);
	e = hf_conn_send(j->conn, &n, j->there.buf + j->there.at,
	    j->there.len);
	j->there.at += n;
	j->there.len -= n;
	return e == HF_E_AGAIN ? HF_OK : e;
}

static enum hf_err
receive_some(struct join *j)
{
	enum hf_err e;
	size_t n;

	j->starved = 0;
	if (j->back.len > 0 || j->back.ended)
		return HF_OK;
	e = hf_conn_recv(j->conn, &n, j->back.buf, sizeof(j->back.buf));
	if (e == HF_E_AGAIN) {
		j->starved = 1;
		return HF_OK;
	}
	if (e != HF_OK)
		return e;
	j->back.at = 0;
	j->back.len = n;
	j->back.ended = n == 0;
	return HF_OK;
}

static int
read_some(struct join *j)
{
	ssize_t n = read(j->in, j->there.buf, sizeof(j->there.buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ?
		    CLI_OK :
		    cli_errno("standard input");
	j->there.at = 0;
	j->there.len = (size_t)n;
	j->taken += (uint64_t)n;
	j->there.ended = n == 0;
	if (n == 0 && j->program != NULL)
		j->program->output_ended();
	return CLI_OK;
}

static int
write_some(struct join *j)
{
	size_t len = j->back.len < j->most ? j->back.len : j->most;
	ssize_t n = write(j->out, j->back.buf + j->back.at, len);

	/* A program may end before it has read all. */
	if (n < 0 && errno == EPIPE && j->program != NULL)
		n = (ssize_t)j->back.len;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ?
		    CLI_OK :
		    cli_errno("standard output");
	j->back.at += (size_t)n;
	j->back.len -= (size_t)n;
	return CLI_OK;
}

/* Waits for whatever can go on. Where the peer has finished input that has
 * nothing to say for a second is not waited for; it has not ended, either. */
static int
wait_for(struct join *j, const char *peer)
{
	struct pollfd p[3] = { { -1, 0, 0 }, { -1, POLLIN, 0 },
		{ -1, POLLOUT, 0 } };
	int last = j->back.ended && j->program == NULL;
	int r;

	if (j->sent == HF_OK)
		p[0].fd = hf_conn_poll_fd(j->conn, &p[0].events);
	if (!j->starved)
		p[0].events &= ~POLLIN;
	if (p[0].events == 0)
		p[0].fd = -1; /* that it hung up is no news */
	/* A program that nobody hears any more is not to stand in its own way:
	 * it may read when it has written. */
	if ((j->sent == HF_OK || j->program != NULL) && j->there.len == 0 &&
	    !j->there.ended)
		p[1].fd = j->in;
	if (j->back.len > 0)
		p[2].fd = j->out;
	r = poll(p, 3, last ? IDLE_MS : -1);
	if (r == -1)
		return errno == EINTR ? CLI_OK : cli_errno("poll");
	if (r == 0 && last && p[1].fd != -1)
		return cli_error(CLI_IO,
		    "%s: the peer has finished, and standard input had not "
		    "ended: %llu bytes of it were read",
		    peer, (unsigned long long)j->taken);
	if (p[1].revents != 0 && (r = read_some(j)) != CLI_OK)
		return r;
	return p[2].revents != 0 ? write_some(j) : CLI_OK;
}

static int
carry(struct join *j, const char *peer)
{
	enum hf_err e;
	int r;

	for (;;) {
		/* What came before an end is written before that is told. */
		if ((j->sent = send_some(j)) != HF_OK)
			j->there.len = 0;
		if ((e = receive_some(j)) == HF_OK && j->back.ended)
			e = j->sent;
		if (e != HF_OK)
			return cli_fail(e, "%s", peer);
		if (j->program != NULL && j->back.ended && j->out != -1) {
			(void)close(j->out);
			j->out = -1;
		}
		if (j->there.ended && j->back.ended)
			return CLI_OK;
		if ((r = wait_for(j, peer)) != CLI_OK)
			return r;
	}
}

int
agent_join(struct hf_conn *conn, const char *peer, int in, int out,
    const struct agent_program *program)
{
	static struct join j;
	enum hf_err e;
	int r;

	j.conn = conn;
	j.in = in;
	j.out = out;
	j.program = program;
	j.most = program != NULL ? BUFFER : most_at_once(out);
	hf_conn_wait(conn, 0);
	r = carry(&j, peer);
	if (program != NULL) {
		program->over(r != CLI_OK);
		(void)close(j.in);
		if (j.out != -1)
			(void)close(j.out);
	}
	hf_conn_wait(conn, -1);
	if (r == CLI_OK && (e = hf_conn_finish(conn)) != HF_OK)
		r = cli_fail(e, "%s", peer);
	e = hf_conn_close(conn);
	if (r == CLI_OK && e != HF_OK)
		r = cli_fail(e, "%s", peer);
	sodium_memzero(&j, sizeof(j));
	return r;
}

int
initiate_shared(const struct initiate *args)
{
	struct agent_want want = { args->shared, args->agent, NULL,
		HF_SHARED };
	struct hf_conn *conn;
	int r;

	if ((r = agent_open(&conn, &want)) != CLI_OK)
		return r;
	return agent_join(conn, args->shared, STDIN_FILENO, STDOUT_FILENO,
	    NULL);
}
