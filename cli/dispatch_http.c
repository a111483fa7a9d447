/* SPDX-License-Identifier: ISC */
/*
 * GET /metrics and GET /status, for those who watch a dispatcher: on a unix
 * socket or on this machine's loopback, and nowhere else. libmicrohttpd reads
 * what is said; nothing can be changed here.
 */
#include <netinet/in.h>
#include <sys/un.h>

#include <microhttpd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatching.h"
#include "library.h"

/* What is used of libmicrohttpd, which brings GnuTLS along: it is loaded where
 * metrics are wanted. `mhd.run(d)` is MHD_run(d). */
static struct mhd {
	_Alignas(HF_TABLE_BYTES) __typeof__(MHD_add_response_header)
	    *add_response_header;
	__typeof__(MHD_create_response_from_buffer)
	    *create_response_from_buffer;
	__typeof__(MHD_destroy_response) *destroy_response;
	__typeof__(MHD_get_daemon_info) *get_daemon_info;
	__typeof__(MHD_queue_response) *queue_response;
	__typeof__(MHD_run) *run;
	__typeof__(MHD_start_daemon) *start_daemon;
	__typeof__(MHD_stop_daemon) *stop_daemon;
	char end[];
} mhd;
#define OF(name) "MHD_" #name, offsetof(struct mhd, name)
static const struct hf_symbol symbols[] = {
	{ OF(add_response_header) },
	{ OF(create_response_from_buffer) },
	{ OF(destroy_response) },
	{ OF(get_daemon_info) },
	{ OF(queue_response) },
	{ OF(run) },
	{ OF(start_daemon) },
	{ OF(stop_daemon) },
};
enum { SYMBOLS = sizeof(symbols) / sizeof(symbols[0]) };
_Static_assert(SYMBOLS == offsetof(struct mhd, end) / sizeof(void (*)(void)),
    "each member has its symbol");

enum { CALLERS_MAX = 8, PATIENCE_S = 5, TURN_MS = 500 };

struct http {
	struct MHD_Daemon *daemon;
	const struct hf_dispatch *dispatch;
	uv_poll_t poll;
	uv_timer_t timer;
	struct hf_address bound;
	int handles;
};

static enum MHD_Result
reply(struct MHD_Connection *connection, unsigned code, const char *type,
    char *text)
{
	struct MHD_Response *r;
	enum MHD_Result result;

	if (text == NULL)
		return MHD_NO;
	r = mhd.create_response_from_buffer(strlen(text), text,
	    MHD_RESPMEM_MUST_FREE);
	if (r == NULL) {
		free(text);
		return MHD_NO;
	}
	(void)mhd.add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)mhd.add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL,
	    "no-store");
	result = mhd.queue_response(connection, code, r);
	mhd.destroy_response(r);
	return result;
}

static enum MHD_Result
asked(void *arg, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *body, size_t *len,
    void **seen)
{
	const struct http *h = arg;
	json_t *root;
	char *text;

	(void)version;
	(void)body;
	(void)seen;
	if (*len > 0) {
		*len = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
		    "text/plain", strdup("GET only\n"));
	if (strcmp(url, "/metrics") == 0)
		return reply(connection, MHD_HTTP_OK,
		    "text/plain; version=0.0.4",
		    dispatch_metrics(h->dispatch));
	if (strcmp(url, "/status") != 0)
		return reply(connection, MHD_HTTP_NOT_FOUND, "text/plain",
		    strdup("/metrics or /status\n"));
	root = dispatch_json(h->dispatch);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return reply(connection, MHD_HTTP_OK, "application/json", text);
}

static void
readable(uv_poll_t *poll, int status, int events)
{
	struct http *h = poll->data;

	(void)status;
	(void)events;
	(void)mhd.run(h->daemon);
}

/* Whoever says nothing is hung up on. */
static void
turn(uv_timer_t *timer)
{
	struct http *h = timer->data;

	(void)mhd.run(h->daemon);
}

static int
is_here(const struct hf_address *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->at;
	const struct sockaddr_in *four = (const struct sockaddr_in *)&a->at;

	if (a->at.ss_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return a->at.ss_family == AF_UNIX ||
	    IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static void
http_closed(uv_handle_t *handle)
{
	struct http *h = handle->data;

	if (--h->handles > 0)
		return;
	mhd.stop_daemon(h->daemon);
	free(h);
}

void
http_close(struct http *h)
{
	if (h == NULL || uv_is_closing((uv_handle_t *)&h->poll))
		return;
	if (h->bound.at.ss_family == AF_UNIX)
		(void)unlink(((struct sockaddr_un *)&h->bound.at)->sun_path);
	uv_close((uv_handle_t *)&h->poll, http_closed);
	uv_close((uv_handle_t *)&h->timer, http_closed);
}

static int
watch(struct http *h, uv_loop_t *loop)
{
	const union MHD_DaemonInfo *info =
	    mhd.get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	if (info == NULL || uv_poll_init(loop, &h->poll, info->epoll_fd) != 0)
		return 0;
	(void)uv_timer_init(loop, &h->timer);
	h->poll.data = h->timer.data = h;
	h->handles = 2;
	if (uv_poll_start(&h->poll, UV_READABLE, readable) == 0 &&
	    uv_timer_start(&h->timer, turn, TURN_MS, TURN_MS) == 0)
		return 1;
	return 0;
}

int
http_where(struct hf_address *at, const char *text)
{
	struct hf_address found[HF_ADDRESSES_MAX];
	size_t n;
	int r;

	if ((r = dispatch_address(found, &n, "metrics", text)) != CLI_OK)
		return r;
	*at = found[0];
	return is_here(at) ? CLI_OK :
			     cli_error(CLI_POLICY,
				 "metrics %s: only a unix socket or the "
				 "loopback",
				 text);
}

int
http_load(void)
{
	const char *why =
	    hf_library_load(&mhd, "libmicrohttpd.so.12", symbols, SYMBOLS);

	return why == NULL ? CLI_OK : cli_error(CLI_IO, "metrics: %s", why);
}

int
http_open(struct http **http, uv_loop_t *loop, const char *text,
    const struct hf_dispatch *dispatch)
{
	char shown[HF_ADDRESS_TEXT];
	struct hf_address at;
	struct http *h;
	int fd, r;

	if ((r = http_where(&at, text)) != CLI_OK ||
	    (r = http_load()) != CLI_OK)
		return r;
	if ((h = calloc(1, sizeof(*h))) == NULL)
		return cli_fail(HF_E_MEMORY, "metrics");
	h->dispatch = dispatch;
	if (hf_address_listen(&fd, &h->bound, &at) != HF_OK) {
		free(h);
		return cli_errno("metrics %s", text);
	}
	h->daemon = mhd.start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, asked, h,
	    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CALLERS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)PATIENCE_S, MHD_OPTION_END);
	if (h->daemon == NULL || !watch(h, loop)) {
		if (h->daemon == NULL)
			(void)close(fd);
		else
			mhd.stop_daemon(h->daemon);
		free(h);
		return cli_error(CLI_IO, "metrics %s: cannot begin", text);
	}
	(void)fprintf(stderr, "handfast: metrics on %s\n",
	    hf_address_text(shown, &h->bound));
	*http = h;
	return CLI_OK;
}
