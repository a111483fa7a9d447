/* SPDX-License-Identifier: ISC */
/*
 * Whether servers are up: now and then each is said hello, and must answer.
 * That the kernel takes a connection for it says nothing: its process may
 * stand still. One that was seen to answer lately is not asked.
 */
#include <stdlib.h>
#include <string.h>

#include "dispatch_own.h"

enum { HELLO_MAX = 300 + HF_PROXY_WRITTEN, OFFER = 1, RETRY = 2, ALERT = 8 };

struct hf__check {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} io;
	uv_connect_t connect;
	struct hf__backend *backend; /* NULL: it has its answer */
	uint64_t due;
	size_t len;
	uint8_t answer[HF_MESSAGE_MAX];
};

void
hf__health_tell(struct hf__backend *b, int up)
{
	if (up)
		b->seen_ms = uv_now(b->d->loop);
	if (b->up == up)
		return;
	b->up = up;
	if (b->listed && b->d->hooks->health != NULL)
		b->d->hooks->health(b->d->owner, b->is.name.text, up);
}

/* No word of a server, but of what is lacking here: ports, descriptors,
 * memory. Where there never was an address for it, that is no lack of ports. */
static int
is_lack(const struct hf__backend *b, int r)
{
	return (r == UV_EADDRNOTAVAIL && b->seen_ms != 0) || r == UV_EMFILE ||
	    r == UV_ENFILE || r == UV_ENOBUFS || r == UV_ENOMEM;
}

void
hf__health_failed(struct hf__backend *b, int r)
{
	b->failed++;
	if (!is_lack(b, r))
		hf__health_tell(b, 0);
}

static void
check_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Ends, and says nothing. */
static void
leave(struct hf__check *k)
{
	struct hf__backend *b = k->backend;

	if (b == NULL)
		return;
	k->backend = NULL;
	b->check = NULL;
	uv_close(&k->io.handle, check_closed);
	hf__backend_release(b);
}

static void
finish(struct hf__check *k, int up)
{
	if (k->backend != NULL)
		hf__health_tell(k->backend, up);
	leave(k);
}

static void
unreached(struct hf__check *k, int r)
{
	if (k->backend != NULL && is_lack(k->backend, r))
		leave(k);
	else
		finish(k, 0);
}

void
hf__health_stop(struct hf__backend *b)
{
	if (b->check != NULL)
		leave(b->check);
}

static void
give_room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct hf__check *k = handle->data;

	(void)size;
	*buf = uv_buf_init((char *)k->answer + k->len,
	    (unsigned)(sizeof(k->answer) - k->len));
}

/* An offer, or the wish to see a cookie first; or an alert: somebody is there,
 * who has sessions and wants no new ones from here. */
static void
arrived(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct hf__check *k = stream->data;
	uint8_t key_id[HF_KEY_ID_BYTES];
	size_t len;
	int type;

	(void)buf;
	if (n == 0 || k->backend == NULL)
		return;
	if (n < 0) {
		finish(k, 0);
		return;
	}
	k->len += (size_t)n;
	if (hf_frame_read(&type, &len, k->answer, k->len) != HF_OK) {
		finish(k, 0);
		return;
	}
	if (len == 0)
		return;
	if (type == OFFER && hf_offer_key_id(key_id, k->answer, len) == HF_OK)
		hf__backend_learn(k->backend, key_id);
	k->backend->refuses = type == ALERT;
	finish(k, type == OFFER || type == RETRY || type == ALERT);
}

/* hello = [0, 1, [1, 2], target, null, {}] */
static size_t
hello(uint8_t out[HELLO_MAX], const struct hf__backend *b)
{
	static const uint8_t head[] = { 0x86, 0, 1, 0x82, 1, 2 };
	const struct hf_name none = { .len = 0 };
	const struct hf_name *target =
	    b->is.targets_n > 0 ? &b->is.target[0] : &none;
	const struct hf_address nobody = { .len = 0 };
	size_t n = 0;

	if (b->is.proxy)
		n = hf_proxy_write(out, &nobody, &nobody);
	memcpy(out + n, head, sizeof(head));
	n += sizeof(head);
	if (target->len < 24) {
		out[n++] = (uint8_t)(0x60 + target->len);
	} else {
		out[n++] = 0x78;
		out[n++] = (uint8_t)target->len;
	}
	memcpy(out + n, target->text, target->len);
	n += target->len;
	out[n++] = 0xf6;
	out[n++] = 0xa0;
	return n;
}

static void
connected(uv_connect_t *req, int status)
{
	struct hf__check *k = (struct hf__check *)req->handle->data;
	uint8_t out[HELLO_MAX];
	uv_buf_t buf;

	if (k->backend == NULL || status == UV_ECANCELED)
		return;
	if (status != 0) {
		unreached(k, status);
		return;
	}
	buf = uv_buf_init((char *)out, (unsigned)hello(out, k->backend));
	if (uv_try_write(&k->io.stream, &buf, 1) != (int)buf.len ||
	    uv_read_start(&k->io.stream, give_room, arrived) != 0)
		finish(k, 0);
}

static void
begin(struct hf__backend *b, uint64_t ms)
{
	int is_unix = b->is.at.at.ss_family == AF_UNIX, r;
	struct hf__check *k;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return;
	r = is_unix ? uv_pipe_init(b->d->loop, &k->io.pipe, 0) :
		      uv_tcp_init(b->d->loop, &k->io.tcp);
	if (r != 0) {
		free(k);
		return;
	}
	k->io.handle.data = k;
	k->due = ms + b->d->config.connect_ms;
	k->backend = b;
	b->check = k;
	b->refs++;
	r = hf_address_connect(&k->connect, &k->io.stream, &b->is.at,
	    connected);
	if (r != 0)
		unreached(k, r);
}

void
hf__health_doubt(struct hf__backend *b)
{
	if (b->listed && b->check == NULL && !b->d->stopping) {
		b->asked_ms = uv_now(b->d->loop);
		begin(b, b->asked_ms);
	}
}

void
hf__health_look(struct hf_dispatch *d, uint64_t ms)
{
	uint64_t every;
	struct hf__backend *b;
	size_t i;

	for (i = 0; i < d->backends_n; i++) {
		b = d->backend[i];
		if (b->check != NULL) {
			if (ms >= b->check->due)
				finish(b->check, 0);
			continue;
		}
		/* One that is down is looked for more often. */
		every =
		    b->up ? d->config.health_ms : d->config.health_ms / 4 + 1;
		if (b->asked_ms != 0 && ms - b->asked_ms < every)
			continue;
		if (b->up && !b->refuses && b->is.keys_n > 0 &&
		    ms - b->seen_ms < d->config.health_ms)
			continue;
		b->asked_ms = ms;
		begin(b, ms);
	}
}
