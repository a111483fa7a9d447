/* SPDX-License-Identifier: ISC */
/*
 * Channels over a link: records go into the mux, and what it has to say goes
 * out as late as can be, so that no channel stands in another's way. What the
 * channels carry it does not know.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "link.h"

enum {
	RECORD = HF_LINK_RECORD + 128,
	UNSENT_MAX = 1 << 15,
	FLIGHT_MIN = 1 << 17,
	FLIGHT_MAX = 1 << 28, /* however slowly the other end answers */
	FLIGHT_US = 1 << 10   /* bytes that a fast way holds, a microsecond */
};

/* What the socket has taken cannot be overtaken: it takes little more than it
 * can send. */
static void
keep_short(struct hf_link *l)
{
	int most = UNSENT_MAX;
	uv_os_fd_t fd;

	if (l->family == AF_UNIX || uv_fileno(&l->io.handle, &fd) != 0)
		return;
	/* A comfort: a socket without it still works. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most,
	    sizeof(most));
}

/* What is on its way to here cannot be overtaken either: no more of it than
 * the way holds. */
static void
keep_light(const struct hf_link *l)
{
	uint64_t flight = FLIGHT_MIN;
#ifdef __linux__
	struct tcp_info info = { .tcpi_rtt = 0 };
	socklen_t len = sizeof(info);
	uv_os_fd_t fd;

	if (l->family != AF_UNIX && uv_fileno(&l->io.handle, &fd) == 0 &&
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    (uint64_t)info.tcpi_rtt * FLIGHT_US > flight)
		flight = (uint64_t)info.tcpi_rtt * FLIGHT_US;
#endif
	hf_mux_flight(l->mux,
	    flight < FLIGHT_MAX ? (size_t)flight : (size_t)FLIGHT_MAX);
}

/* A record of frames. Returns 0 when there is none to send now. */
static int
seal_one(struct hf_link *l)
{
	size_t room = hf_session_sendable(l->session), len;
	uint8_t *record;
	enum hf_err e;

	if (room > RECORD)
		room = RECORD;
	if (room < HF_FRAMES_MIN || !hf_mux_pending(l->mux))
		return 0;
	if ((record = hf_session_room(l->session, room)) == NULL)
		e = HF_E_MEMORY;
	else if ((e = hf_mux_output(l->mux, record, room, &len)) == HF_OK)
		e = hf_session_send_frames(l->session, record, len);
	if (e == HF_OK) {
		l->bytes_out += len;
		return 1;
	}
	if (hf_session_want(l->session) != HF_WANT_FAILED)
		hf__link_end(l, e, 1);
	return 0;
}

int
hf__link_mux_waits(const struct hf_link *l)
{
	return l->mux != NULL && hf_mux_pending(l->mux);
}

int
hf__link_mux_send(struct hf_link *l)
{
	int sealed = 0;

	if (l->mux == NULL || l->phase != RUNNING || !l->opened || l->closing)
		return 0;
	/* Several records go out by one call. */
	while (l->phase == RUNNING &&
	    uv_stream_get_write_queue_size(&l->io.stream) < HF_LINK_LOW &&
	    hf_session_output(l->session).len < HF_LINK_LOW && seal_one(l))
		sealed = 1;
	/* What was sent has made room, or ended a channel. */
	if (sealed && l->phase == RUNNING && l->hooks->channels != NULL &&
	    hf_mux_has_news(l->mux))
		l->hooks->channels(l->owner, l);
	if (l->phase == RUNNING && l->close_wanted && !hf_mux_pending(l->mux))
		hf_link_close(l);
	return l->phase == RUNNING &&
	    (hf_session_output(l->session).len > 0 ||
		hf_session_want(l->session) == HF_WANT_FAILED);
}

void
hf__link_mux_feed(struct hf_link *l, struct hf_span data)
{
	enum hf_err e = HF_E_UNEXPECTED;

	l->bytes_in += data.len;
	if (l->mux != NULL)
		e = hf_mux_feed(l->mux, data.ptr, data.len);
	if (e != HF_OK) {
		if (hf_session_fail(l->session, e) != e)
			hf__link_end(l, e, 1);
	} else if (l->hooks->channels != NULL) {
		l->hooks->channels(l->owner, l);
	}
}

enum hf_err
hf_link_carry(struct hf_link *l, struct hf_mux *mux)
{
	if (l->phase != RUNNING || !l->opened ||
	    !hf_session_channels(l->session))
		return HF_E_STATE;
	keep_short(l);
	l->mux = mux;
	keep_light(l);
	return HF_OK;
}

void
hf_link_pump(struct hf_link *l)
{
	if (!l->running && l->phase == RUNNING)
		hf__link_run(l);
}
