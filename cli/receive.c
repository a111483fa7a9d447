/* SPDX-License-Identifier: ISC */
/*
 * respond --receive DIR: each session's stream into a file of its own, at the
 * stream's own offset: what arrives twice, after another server has taken the
 * session over, is written over itself. It knows files and offsets.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve.h"

struct receive {
	int fd;
	off_t at;
};

static void
broken(struct lane *lane)
{
	(void)cli_errno("--receive %s", respond.receive);
	lane_abort(lane, HF_E_IO);
}

/* Before anybody is served: later it would be each session's end. */
int
receive_look(void)
{
	struct stat st;

	if (stat(respond.receive, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			errno = ENOTDIR;
		else if (faccessat(AT_FDCWD, respond.receive, W_OK | X_OK,
			     AT_EACCESS) == 0)
			return CLI_OK;
	}
	return cli_errno("--receive %s", respond.receive);
}

/* What another server took of it is not there: a hole in its place would look
 * like a stream that is whole. */
static void
lacking(struct lane *lane, const char *path, off_t at)
{
	(void)cli_error(CLI_IO,
	    "%s: the %lld bytes that another server took are not there", path,
	    (long long)at);
	cli_hint("--receive is the same directory at all servers of a store");
	lane_abort(lane, HF_E_IO);
}

static int
ends_before(int fd, off_t at)
{
	struct stat st;

	return fstat(fd, &st) != 0 || st.st_size < at;
}

static void
receive_opened(struct lane *lane)
{
	struct hf_session *s = lane_session(lane);
	struct hf_span id = hf_session_id(s);
	char sid[2 * HF_SID_BYTES + 1], path[4096];
	struct hf_bases bases;
	struct receive *r;
	int n;

	if ((r = calloc(1, sizeof(*r))) == NULL) {
		lane_abort(lane, HF_E_MEMORY);
		return;
	}
	lane->sink = r;
	sodium_bin2hex(sid, sizeof(sid), id.ptr, id.len);
	n = snprintf(path, sizeof(path), "%s/%s", respond.receive, sid);
	if (hf_session_bases(&bases, s) == HF_OK)
		r->at = (off_t)bases.peer_bytes;
	r->fd = -1;
	if (n > 0 && (size_t)n < sizeof(path))
		r->fd = open(path,
		    O_WRONLY | O_CLOEXEC | O_NOFOLLOW |
			(r->at == 0 ? O_CREAT : 0),
		    0600);
	if (r->at > 0 &&
	    (r->fd == -1 ? errno == ENOENT : ends_before(r->fd, r->at)))
		lacking(lane, path, r->at);
	else if (r->fd == -1)
		broken(lane);
}

/* Written before the record counts as stored anywhere. */
static void
receive_data(struct lane *lane, const uint8_t *data, size_t len)
{
	struct receive *r = lane->sink;
	ssize_t n;

	for (; len > 0; data += n, len -= (size_t)n) {
		n = pwrite(r->fd, data, len, r->at);
		if (n < 0 && errno == EINTR) {
			n = 0;
			continue;
		}
		if (n < 0) {
			broken(lane);
			return;
		}
		r->at += n;
	}
}

static void
receive_closed(struct lane *lane)
{
	struct receive *r = lane->sink;

	if (fsync(r->fd) != 0 && errno != EINVAL) {
		broken(lane);
		return;
	}
	lane_close(lane);
}

static void
receive_drained(struct lane *lane)
{
	(void)lane;
}

static void
receive_ended(struct lane *lane)
{
	struct receive *r = lane->sink;

	if (r == NULL)
		return;
	if (r->fd != -1)
		(void)close(r->fd);
	free(r);
}

const struct sink sink_receive = { receive_opened, receive_data,
	receive_closed, receive_drained, receive_ended, NULL, 1, 1, 2, 0 };
