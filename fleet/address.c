/* SPDX-License-Identifier: ISC */
/*
 * Addresses as people write them, and the sockets that listen on them. It
 * knows TCP and unix sockets, and what must hold for a socket file to be
 * safe: no directory on the way lets others replace it. It knows no protocol.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"

enum {
	KEEPALIVE_S = 60,
	UNSENT_MS = 120000 /* a peer that acknowledges nothing is gone */
};

enum { PORT_MAX = 65535 };

static enum hf_err
parse_unix(struct hf_address *out, const char *path)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&out->at;
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(un->sun_path))
		return HF_E_ARG;
	memset(out, 0, sizeof(*out));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len + 1);
	out->len = sizeof(*un);
	return HF_OK;
}

/* Cuts HOST:PORT or [HOST]:PORT in two. Returns 0 when it is neither. */
static int
cut(char host[NI_MAXHOST], const char **port, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (colon == NULL || colon[1] == '\0' ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strlen(colon + 1) > 5 || atoi(colon + 1) > PORT_MAX)
		return 0;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL) {
		return 0;
	}
	if (len == 0 || len >= NI_MAXHOST)
		return 0;
	memcpy(host, text, len);
	host[len] = '\0';
	*port = colon + 1;
	return 1;
}

int
hf_address_looks(const char *text)
{
	struct hf_address at;
	char host[NI_MAXHOST];
	const char *port;

	return strncmp(text, "unix:", 5) == 0 ?
	    parse_unix(&at, text + 5) == HF_OK :
	    cut(host, &port, text);
}

enum hf_err
hf_address_parse(struct hf_address out[HF_ADDRESSES_MAX], size_t *n,
    const char *text)
{
	struct addrinfo hints, *list, *ai;
	char host[NI_MAXHOST];
	const char *port;
	int r;

	*n = 1;
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(&out[0], text + 5);
	*n = 0;
	if (!cut(host, &port, text))
		return HF_E_ARG;
	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICSERV;
	if ((r = getaddrinfo(host, port, &hints, &list)) != 0) {
		errno = r == EAI_SYSTEM ? errno : r == EAI_MEMORY ? ENOMEM : 0;
		return r == EAI_SERVICE ? HF_E_ARG : HF_E_IO;
	}
	for (ai = list; ai != NULL && *n < HF_ADDRESSES_MAX;
	     ai = ai->ai_next) {
		if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
			continue;
		memset(&out[*n], 0, sizeof(out[*n]));
		memcpy(&out[*n].at, ai->ai_addr, ai->ai_addrlen);
		out[*n].len = ai->ai_addrlen;
		++*n;
	}
	freeaddrinfo(list);
	errno = 0;
	return *n > 0 ? HF_OK : HF_E_IO;
}

const char *
hf_address_text(char out[HF_ADDRESS_TEXT], const struct hf_address *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->at;
	char host[NI_MAXHOST], port[NI_MAXSERV];
	int n;

	if (a->at.ss_family == AF_UNIX)
		n = snprintf(out, HF_ADDRESS_TEXT, "unix:%s", un->sun_path);
	else if (getnameinfo((const struct sockaddr *)&a->at, a->len, host,
		     sizeof(host), port, sizeof(port),
		     NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		n = snprintf(out, HF_ADDRESS_TEXT, "unknown");
	else if (a->at.ss_family == AF_INET6)
		n = snprintf(out, HF_ADDRESS_TEXT, "[%s]:%s", host, port);
	else
		n = snprintf(out, HF_ADDRESS_TEXT, "%s:%s", host, port);
	if (n < 0)
		out[0] = '\0';
	return out;
}

/* Whether nobody but this user and root can put something else in the place
 * of what is in this directory, or of one above it. */
static int
directory_safe(const char *path)
{
	char dir[PATH_MAX];
	struct stat st;
	char *slash;

	memcpy(dir, path, strlen(path) + 1);
	for (;;) {
		if (stat(dir, &st) != 0)
			return 0;
		errno = EPERM;
		if (!S_ISDIR(st.st_mode) ||
		    (st.st_uid != geteuid() && st.st_uid != 0) ||
		    ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
			(st.st_mode & S_ISVTX) == 0))
			return 0;
		if (dir[1] == '\0')
			return 1;
		slash = strrchr(dir, '/');
		slash[slash == dir] = '\0';
	}
}

/* The directory of a socket as it is, without links that could be changed;
 * the address too, where that fits into one. */
static enum hf_err
settle(struct hf_address *a)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->at;
	const char *base = strrchr(un->sun_path, '/');
	char dir[sizeof(un->sun_path) + 1], real[PATH_MAX],
	    path[PATH_MAX + sizeof(un->sun_path)];
	int n;

	base = base == NULL ? un->sun_path : base + 1;
	n = snprintf(dir, sizeof(dir), "%.*s.", (int)(base - un->sun_path),
	    un->sun_path);
	if (n < 0 || realpath(dir, real) == NULL)
		return HF_E_IO;
	if (!directory_safe(real))
		return errno == EPERM ? HF_E_POLICY : HF_E_IO;
	n = snprintf(path, sizeof(path), "%s/%s", real[1] == '\0' ? "" : real,
	    base);
	if (n > 0 && (size_t)n < sizeof(un->sun_path))
		memcpy(un->sun_path, path, (size_t)n + 1);
	return HF_OK;
}

/* Nothing but a socket of this user may stand there. */
static enum hf_err
look_there(int *stands, const struct hf_address *a)
{
	const char *path = ((const struct sockaddr_un *)&a->at)->sun_path;
	struct stat st;

	*stands = lstat(path, &st) == 0;
	if (!*stands)
		return errno == ENOENT ? HF_OK : HF_E_IO;
	errno = EEXIST;
	return S_ISSOCK(st.st_mode) && st.st_uid == geteuid() ? HF_OK :
								HF_E_POLICY;
}

enum hf_err
hf_address_look(const struct hf_address *address)
{
	struct hf_address at = *address;
	enum hf_err e;
	int stands;

	return (e = settle(&at)) != HF_OK ? e : look_there(&stands, &at);
}

/* Makes place for a socket file: only for a dead one of this user. */
static enum hf_err
clear_stale(const struct hf_address *a)
{
	const char *path = ((const struct sockaddr_un *)&a->at)->sun_path;
	enum hf_err e;
	int fd, r, stands;

	if ((e = look_there(&stands, a)) != HF_OK || !stands)
		return e;
	/* It does not wait in the queue of one that stands still. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return HF_E_IO;
	r = connect(fd, (const struct sockaddr *)&a->at, a->len);
	if (r != 0)
		r = errno;
	else
		r = EADDRINUSE;
	(void)close(fd);
	if (r != ECONNREFUSED) {
		errno = EADDRINUSE;
		return HF_E_IO;
	}
	return unlink(path) == 0 ? HF_OK : HF_E_IO;
}

enum hf_err
hf_address_listen(int *fd, struct hf_address *bound,
    const struct hf_address *address)
{
	int one = 1, is_unix = address->at.ss_family == AF_UNIX, r, s, saved;
	enum hf_err e;
	mode_t mask;

	*bound = *address;
	if (is_unix &&
	    ((e = settle(bound)) != HF_OK ||
		(e = clear_stale(bound)) != HF_OK))
		return e;
	s = socket(address->at.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s == -1)
		return HF_E_IO;
	if (!is_unix &&
	    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
		goto bad;
	/* The mask must hold before the file appears; no thread runs yet. */
	mask = umask(0177);
	r = bind(s, (const struct sockaddr *)&bound->at, bound->len);
	(void)umask(mask);
	if (r != 0 || listen(s, SOMAXCONN) != 0)
		goto bad;
	if (!is_unix &&
	    getsockname(s, (struct sockaddr *)&bound->at, &bound->len) != 0)
		goto bad;
	*fd = s;
	return HF_OK;
bad:
	saved = errno;
	(void)close(s);
	errno = saved;
	return HF_E_IO;
}

int
hf_address_connect(uv_connect_t *req, uv_stream_t *stream,
    const struct hf_address *address, uv_connect_cb done)
{
	const struct sockaddr_un *un;

	if (address->at.ss_family != AF_UNIX)
		return uv_tcp_connect(req, (uv_tcp_t *)stream,
		    (const struct sockaddr *)&address->at, done);
	un = (const struct sockaddr_un *)&address->at;
	uv_pipe_connect(req, (uv_pipe_t *)stream, un->sun_path, done);
	return 0;
}

void
hf_address_tune(uv_tcp_t *tcp)
{
	unsigned int unsent = UNSENT_MS;
	uv_os_fd_t fd;

	(void)uv_tcp_nodelay(tcp, 1);
	(void)uv_tcp_keepalive(tcp, 1, KEEPALIVE_S);
	if (uv_fileno((uv_handle_t *)tcp, &fd) == 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent,
		    sizeof(unsent));
}
