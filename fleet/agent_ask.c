/* SPDX-License-Identifier: ISC */
/*
 * Asks an agent that runs: how its peers are, and that a session shall end. It
 * waits for the answer, for a while.
 */
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "agent_path.h"
#include "agent_wire.h"

enum { PATIENCE_S = 10, ROOM = 4096 };

struct answers {
	int fd;
	enum hf__wire_stage stage;
	size_t len;
	uint8_t in[ROOM];
};

/* Connects and asks. */
static enum hf_err
ask(struct answers *a, const char *path, const struct hf__wire *w)
{
	struct timeval most = { PATIENCE_S, 0 };
	uint8_t frame[HF__WIRE_SMALL];
	size_t len = hf__wire_write(frame, w);
	enum hf_err e;

	a->len = 0;
	a->stage =
	    w->type == HF__WIRE_STATUS ? HF__WIRE_TELLS : HF__WIRE_AGREES;
	if ((e = hf__agent_connect(&a->fd, path)) != HF_OK)
		return e;
	if (setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)) ==
		0 &&
	    send(a->fd, frame, len, MSG_NOSIGNAL) == (ssize_t)len)
		return HF_OK;
	(void)close(a->fd);
	return HF_E_AGENT_GONE;
}

/* The next frame; its views are good until the next call. */
static enum hf_err
next(struct hf__wire *w, struct answers *a, size_t *used)
{
	enum hf_err e;
	ssize_t n;

	memmove(a->in, a->in + *used, a->len - *used);
	a->len -= *used;
	for (;;) {
		e = hf__wire_read(w, used, a->in, a->len, a->stage);
		if (e != HF_OK || *used > 0)
			return e;
		do
			n = recv(a->fd, a->in + a->len, ROOM - a->len, 0);
		while (n == -1 && errno == EINTR);
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return HF_E_DEADLINE;
		if (n <= 0)
			return HF_E_AGENT_GONE;
		a->len += (size_t)n;
	}
}

static void
tell(const struct hf__wire *w,
    void (*each)(void *arg, const struct hf_agent_peer *peer), void *arg)
{
	char name[HF__WIRE_PEER_MAX + 1];
	struct hf_agent_peer peer = { .name = name };

	memcpy(name, w->bytes[HF__PEER_NAME].ptr, w->bytes[HF__PEER_NAME].len);
	name[w->bytes[HF__PEER_NAME].len] = '\0';
	peer.state = (enum hf_agent_state)w->number[HF__PEER_STATE];
	memcpy(peer.sid, w->bytes[HF__PEER_SID].ptr,
	    w->bytes[HF__PEER_SID].len);
	peer.epoch = w->number[HF__PEER_EPOCH];
	peer.channels = w->number[HF__PEER_CHANNELS];
	peer.opened = w->number[HF__PEER_OPENED];
	peer.handshakes = w->number[HF__PEER_HANDSHAKES];
	peer.resumes = w->number[HF__PEER_RESUMES];
	peer.in = w->number[HF__PEER_IN];
	peer.out = w->number[HF__PEER_OUT];
	peer.error = (enum hf_err)w->number[HF__PEER_ERROR];
	each(arg, &peer);
}

static enum hf_err
hear(struct answers *a,
    void (*each)(void *arg, const struct hf_agent_peer *peer), void *arg)
{
	struct hf__wire w;
	size_t used = 0;
	enum hf_err e;

	for (;;) {
		if ((e = next(&w, a, &used)) != HF_OK)
			break;
		if (w.type != HF__WIRE_PEER) {
			e = (enum hf_err)w.number[HF__OVER_ERROR];
			break;
		}
		if (each != NULL)
			tell(&w, each, arg);
	}
	(void)close(a->fd);
	return e;
}

enum hf_err
hf_agent_status(const char *path,
    void (*each)(void *arg, const struct hf_agent_peer *peer), void *arg)
{
	struct hf__wire w = { .type = HF__WIRE_STATUS };
	struct answers a;
	enum hf_err e;

	w.number[HF__OPEN_VERSION] = HF__WIRE_VERSION;
	if ((e = ask(&a, path, &w)) != HF_OK)
		return e;
	return hear(&a, each, arg);
}

enum hf_err
hf_agent_close(const char *path, const char *peer)
{
	struct hf__wire w = { .type = HF__WIRE_CLOSE };
	struct answers a;
	enum hf_err e;

	if (!hf__wire_peer(peer, strlen(peer)))
		return HF_E_ARG;
	w.number[HF__OPEN_VERSION] = HF__WIRE_VERSION;
	w.bytes[HF__OPEN_PEER].ptr = (const uint8_t *)peer;
	w.bytes[HF__OPEN_PEER].len = strlen(peer);
	if ((e = ask(&a, path, &w)) != HF_OK)
		return e;
	return hear(&a, NULL, NULL);
}
