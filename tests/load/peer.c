/* SPDX-License-Identifier: ISC */
/*
 * One peer: a session over libhandfast-fleet, or a few bytes on a socket and
 * a way to leave. It tells what became of it and counts nothing itself.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"

enum { DRIP_MS = 1000 };

struct peer {
	struct kind *kind;
	struct hf_link *link; /* of a session; else the rest */
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct blob message;
	size_t said;
	uint64_t began;
	int left, handles, echoes;
	uint64_t word; /* what it says, this time and nobody else */
	struct peer *prev, *next;
};

static struct peer *peers;

static void
link_in(struct peer *p)
{
	p->next = peers;
	if (peers != NULL)
		peers->prev = p;
	peers = p;
	crowd.live++;
}

static void
forget(struct peer *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		peers = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	crowd.live--;
	free(p);
	peer_gone();
}

/* --- a session ---------------------------------------------------------------- */

static void
trust(void *owner, struct hf_link *link)
{
	struct peer *p = owner;

	if (p->kind->password[0] == '\0')
		hf_link_trust(link, HF_OK);
	else
		hf_link_stretched(link, p->kind->stretched);
}

static void
ask(const struct peer *p)
{
	hf_link_send(p->link, (const uint8_t *)&p->word, sizeof(p->word));
}

static void
opened(void *owner, struct hf_link *link)
{
	(void)link;
	ask(owner);
}

static void
data(void *owner, struct hf_link *link, enum hf_content content,
    const uint8_t *bytes, size_t len)
{
	struct peer *p = owner;

	if (content != HF_CONTENT_DATA || len != sizeof(p->word) ||
	    memcmp(bytes, &p->word, len) != 0) {
		hf_link_abort(link, HF_E_UNEXPECTED);
		return;
	}
	p->word++;
	p->echoes++;
	if (p->echoes > 1) {
		p->kind->again++;
		peer_echoed();
		return;
	}
	count_time(p->kind, uv_hrtime() - p->began);
	if (p->kind->act == SERVE)
		hf_link_close(link);
	else
		peer_held(p->kind);
}

static void
closed(void *owner, struct hf_link *link)
{
	(void)owner;
	hf_link_close(link);
}

static void
drained(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
}

static void
ended(void *owner, struct hf_link *link, enum hf_err err)
{
	struct peer *p = owner;

	(void)link;
	if (p->left == 2)
		p->kind->unconnected++;
	else if (err == HF_OK && p->echoes > 0)
		p->kind->good++;
	else
		p->kind->refused++;
	if (err != HF_OK)
		count_error(p->kind, err);
	forget(p);
}

static const struct hf_link_hooks hooks = { .trust = trust,
	.opened = opened,
	.data = data,
	.closed = closed,
	.drained = drained,
	.ended = ended };

/* --- a few bytes ------------------------------------------------------------- */

static void
handle_closed(uv_handle_t *handle)
{
	struct peer *p = handle->data;

	if (--p->handles == 0)
		forget(p);
}

/* Leaves: in order, or with an RST. */
static void
leave(struct peer *p, int reset)
{
	if (p->left)
		return;
	p->left = 1;
	uv_close((uv_handle_t *)&p->timer, handle_closed);
	if (!reset || uv_tcp_close_reset(&p->tcp, handle_closed) != 0)
		uv_close((uv_handle_t *)&p->tcp, handle_closed);
}

/* What is written here is small: it goes at once, or the peer is gone. */
static int
say(struct peer *p, size_t len)
{
	uv_buf_t buf =
	    uv_buf_init((char *)p->message.ptr + p->said, (unsigned)len);
	int n = uv_try_write((uv_stream_t *)&p->tcp, &buf, 1);

	if (n > 0)
		p->said += (size_t)n;
	return n > 0;
}

static void
drip(uv_timer_t *timer)
{
	struct peer *p = timer->data;

	if (p->said < p->message.len)
		(void)say(p, 1);
}

static void
alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init((char *)crowd.scratch, sizeof(crowd.scratch));
}

static void
heard(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct peer *p = stream->data;
	struct blob request = p->kind->request;

	if (n == 0)
		return;
	if (n < 0) { /* the responder has closed */
		p->kind->closed++;
		count_time(p->kind, uv_hrtime() - p->began);
		leave(p, 0);
		return;
	}
	kind_heard(p->kind, (const uint8_t *)buf->base, (size_t)n);
	if (p->kind->act == BARE || p->kind->act == HELLO) {
		p->kind->good++;
		leave(p, 1);
	} else if (p->kind->act == CRAWL && p->message.ptr != request.ptr) {
		p->message = request;
		p->said = 0;
		(void)uv_timer_start(&p->timer, drip, DRIP_MS, DRIP_MS);
	}
}

static void
speak(struct peer *p)
{
	size_t half = p->message.len / 2;

	switch (p->kind->act) {
	case TOUCH:
		p->kind->good++;
		leave(p, 0);
		return;
	case SILENT:
		break;
	case DRIP:
		(void)uv_timer_start(&p->timer, drip, DRIP_MS, DRIP_MS);
		break;
	case RESET:
		(void)say(p, half);
		p->kind->good++;
		leave(p, 1);
		return;
	case FINISH:
		(void)say(p, half);
		(void)uv_shutdown(&p->shutdown, (uv_stream_t *)&p->tcp, NULL);
		break;
	default:
		(void)say(p, p->message.len);
	}
	if (uv_read_start((uv_stream_t *)&p->tcp, alloc, heard) != 0)
		leave(p, 1);
	peer_held(p->kind);
}

/* --- both ---------------------------------------------------------------------- */

static void
connected(uv_connect_t *req, int status)
{
	struct peer *p = req->data;

	if (p->left || status == UV_ECANCELED)
		return;
	if (p->link != NULL && status == 0) {
		hf_link_start(p->link, p->kind->config, NULL, 0);
	} else if (p->link != NULL) {
		p->left = 2;
		hf_link_abort(p->link, HF_E_IO);
	} else if (status == 0) {
		speak(p);
	} else {
		p->kind->unconnected++;
		p->kind->why = status;
		leave(p, 0);
	}
}

/* The port is chosen when it connects: more fit. */
static int
dial(struct peer *p, uv_tcp_t *tcp)
{
	struct sockaddr_in to = { .sin_family = AF_INET }, from = to;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	to.sin_port = htons((uint16_t)crowd.port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr =
	    htonl(0x7f000000U + (unsigned)crowd.first_source +
		crowd.next_source++ % (unsigned)crowd.sources);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
		sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    uv_tcp_open(tcp, fd) != 0) {
		(void)close(fd);
		return -errno;
	}
	p->connect.data = p;
	return uv_tcp_connect(&p->connect, tcp, (struct sockaddr *)&to,
	    connected);
}

void
peer_begin(struct kind *k)
{
	static uint64_t words;
	struct peer *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL)
		give_up("no memory", k->name);
	p->kind = k;
	p->word = words += 1 << 16;
	p->began = uv_hrtime();
	k->begun++;
	link_in(p);
	if (k->act == SERVE || k->act == HOLD) {
		must(hf_link_new(&p->link, crowd.loop, AF_INET, crowd.scratch,
			 &hooks, p),
		    k->name);
		r = dial(p, (uv_tcp_t *)hf_link_stream(p->link));
		if (r != 0) {
			p->left = 2;
			hf_link_abort(p->link, HF_E_IO);
		}
		return;
	}
	p->message = kind_message(k);
	p->handles = 2;
	p->tcp.data = p->timer.data = p;
	if (uv_tcp_init(crowd.loop, &p->tcp) != 0 ||
	    uv_timer_init(crowd.loop, &p->timer) != 0)
		give_up("no handle", k->name);
	if ((r = dial(p, &p->tcp)) != 0) {
		k->unconnected++;
		k->why = r;
		leave(p, 0);
	}
}

unsigned
peers_again(void)
{
	struct peer *p, *next;
	unsigned n = 0;

	for (p = peers; p != NULL; p = next) {
		next = p->next;
		if (p->kind->act != HOLD || p->echoes == 0)
			continue;
		ask(p);
		n++;
	}
	return n;
}

void
peers_leave(void)
{
	struct peer *p, *next;

	for (p = peers; p != NULL; p = next) {
		next = p->next;
		if (p->link == NULL)
			leave(p, 1);
		else if (p->kind->act == HOLD)
			hf_link_close(p->link);
	}
}
