/* SPDX-License-Identifier: ISC */
/*
 * The link of a session that moves, over a socket pair, with a peer that sends
 * and does not read: how much waits for it, and that it goes on once it reads.
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include "cluster.h"

#include "fleet.h"

/* Of one byte each; an ack takes some 60. */
enum { RECORDS = 12000, KERNEL = 16384 };

static const struct meeting certified = { .method = HF_METHOD_CERTIFICATE };
static struct cluster c;
static struct hf_session *peer;
static uint8_t scratch[HF_LINK_SCRATCH];
static struct hf_link *link_;
static int heard, writing, stored, ended, fd;

/* The wall clock of all that is linked here. */
time_t
time(time_t *out)
{
	if (out != NULL)
		*out = NOW;
	return NOW;
}

/* --- hooks -------------------------------------------------------------------- */

static enum hf_admission
on_admit(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
	return HF_ADMIT;
}

static void
on_trust(void *owner, struct hf_link *link)
{
	(void)owner;
	hf_link_trust(link, HF_OK);
}

static void
on_nothing(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
}

static void
on_data(void *owner, struct hf_link *link, enum hf_content content,
    const uint8_t *data, size_t len)
{
	(void)owner;
	(void)link;
	(void)data;
	assert_int_equal(content, HF_CONTENT_DATA);
	heard += (int)len;
}

/* A store that does what it is asked, from the loop. */
static void
on_moved(void *owner, struct hf_link *link)
{
	uint8_t entry[HF_ENTRY_MAX];
	size_t len;

	(void)owner;
	if (writing || hf_session_checkpoint_due(hf_link_session(link)) == 0)
		return;
	assert_ok(hf_link_checkpoint(link, entry, sizeof(entry), &len));
	writing = 1;
}

static void
on_ended(void *owner, struct hf_link *link, enum hf_err err)
{
	(void)owner;
	(void)link;
	assert_err(err, HF_E_TRUNCATED);
	ended = 1;
}

static const struct hf_link_hooks hooks = { .admit = on_admit,
	.trust = on_trust,
	.commit = on_nothing,
	.opened = on_nothing,
	.data = on_data,
	.closed = on_nothing,
	.drained = on_nothing,
	.moved = on_moved,
	.ended = on_ended };

static void
turn(uv_loop_t *loop)
{
	(void)uv_run(loop, UV_RUN_NOWAIT);
	if (!writing)
		return;
	writing = 0;
	stored++;
	hf_link_checkpointed(link_, HF_OK);
}

/* --- the peer -------------------------------------------------------------------- */

static void
send_all(void)
{
	struct hf_span out;
	ssize_t n;

	while ((out = hf_session_output(peer)).len > 0) {
		n = send(fd, out.ptr, out.len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		assert_ok(hf_session_drained(peer, (size_t)n));
	}
}

static void
read_all(void)
{
	enum hf_content content;
	struct hf_span data;
	uint8_t in[4096];
	size_t at, used;
	ssize_t n;

	while ((n = recv(fd, in, sizeof(in), 0)) > 0)
		for (at = 0; at < (size_t)n; at += used) {
			assert_ok(hf_session_feed(peer, &used, in + at,
			    (size_t)n - at));
			while (hf_session_want(peer) == HF_WANT_TRUST)
				assert_ok(answer(&c.world, peer));
			while (hf_session_want(peer) == HF_WANT_RECV)
				assert_ok(
				    hf_session_recv(peer, &content, &data));
		}
}

/* --- a run ------------------------------------------------------------------------ */

static void
begin(uv_loop_t *loop)
{
	int fds[2], small = KERNEL;

	cluster_make(&c, &certified, HF_MOVES_SOFT);
	assert_ok(hf_session_new(&peer, c.world.i, 0, NOW));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fd = fds[0];
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small,
			     sizeof(small)),
	    0);
	assert_int_equal(uv_loop_init(loop), 0);
	assert_ok(hf_link_new(&link_, loop, AF_UNIX, scratch, &hooks, NULL));
	assert_int_equal(uv_pipe_open((uv_pipe_t *)hf_link_stream(link_),
			     fds[1]),
	    0);
	hf_link_start(link_, c.server[0], NULL, 0);
	while (hf_session_want(peer) != HF_WANT_DONE || stored == 0) {
		send_all();
		turn(loop);
		read_all();
	}
}

/* It says all that, beyond what it may before it has read an ack, and is
 * heard. */
static void
say_all(uv_loop_t *loop)
{
	for (int said = 0; heard < RECORDS;) {
		if (said < RECORDS && hf__record_fits(peer, 1)) {
			assert_ok(hf__record_seal(peer, HF__DATA,
			    (const uint8_t *)"x", 1));
			said++;
		}
		send_all();
		turn(loop);
	}
}

/* Acks do not pile up; the last one comes when those before it were read. What
 * they say is beyond who said so much. */
static void
reads_nothing(void **state)
{
	uint8_t in[4096];
	uv_loop_t loop;
	size_t left;

	(void)state;
	begin(&loop);
	say_all(&loop);
	left = hf_link_queued(link_);
	assert_true(left > HF_LINK_HIGH && left < HF_LINK_HIGH + 1024);
	assert_true(stored > RECORDS / 2);
	while (hf_link_queued(link_) > 0) {
		while (recv(fd, in, sizeof(in), 0) > 0)
			continue;
		turn(&loop);
	}
	assert_true(recv(fd, in, sizeof(in), 0) > 0);
	assert_false(hf_link_session(link_)->move->owes_ack);
	assert_int_equal(close(fd), 0);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(ended);
	assert_int_equal(uv_loop_close(&loop), 0);
	hf_session_free(peer);
	cluster_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_nothing),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
