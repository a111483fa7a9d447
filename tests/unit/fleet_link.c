/* SPDX-License-Identifier: ISC */
/*
 * A responder's link over a socket pair, with a peer that is played by hand:
 * when it gives up, what it releases and when, and how it says that it ended.
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "testing.h"

#include "fleet.h"

/* In the second a handshake is done. */
enum { SHORT_MS = 60, SLOW_MS = 600, LONG_MS = 5000 };

static struct world w;
static uv_loop_t loop;
static uv_timer_t watch;
static uint8_t scratch[HF_LINK_SCRATCH];
static char told[64]; /* the hooks in the order in which they came */

/* One run: the link, its peer, and what the hooks were asked and told. */
static struct {
	struct hf_link *link;
	struct hf_session *peer;
	int fd;		 /* the peer's end */
	int over, said;	 /* it has ended; the peer has sent data */
	int mute, still; /* trust is not answered; the peer is quiet */
	int mute_commit; /* nor is commit */
	enum hf_err err, failed;
	enum hf_err welcome, verdict; /* the answers to trust and commit */
	size_t received;
	uint8_t bytes[64];
	int (*play)(void); /* the peer's next move; 0: none any more */
} t;

/* The wall clock of all that is linked here. */
static uint64_t now = NOW;
time_t
time(time_t *out)
{
	if (out != NULL)
		*out = (time_t)now;
	return (time_t)now;
}

static void
tell(const char *what)
{
	assert_true(strlen(told) + strlen(what) < sizeof(told));
	(void)strcat(told, what);
}

/* --- hooks -------------------------------------------------------------------- */

static enum hf_admission
on_admit(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
	tell("a");
	return HF_ADMIT;
}

static void
on_trust(void *owner, struct hf_link *link)
{
	(void)owner;
	tell("t");
	if (!t.mute)
		hf_link_trust(link, t.welcome);
}

static void
on_commit(void *owner, struct hf_link *link)
{
	(void)owner;
	tell("c");
	if (!t.mute_commit)
		hf_link_committed(link, t.verdict);
}

static void
on_opened(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
	tell("o");
}

static void
on_data(void *owner, struct hf_link *link, enum hf_content content,
    const uint8_t *data, size_t len)
{
	(void)owner;
	(void)link;
	assert_int_equal(content, HF_CONTENT_DATA);
	tell("d");
	assert_true(t.received + len <= sizeof(t.bytes));
	memcpy(t.bytes + t.received, data, len);
	t.received += len;
}

static void
on_closed(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
	tell("x");
}

static void
on_drained(void *owner, struct hf_link *link)
{
	(void)owner;
	(void)link;
}

static void
on_failed(void *owner, struct hf_link *link, enum hf_err err)
{
	(void)owner;
	(void)link;
	tell("f");
	t.failed = err;
}

static void
on_ended(void *owner, struct hf_link *link, enum hf_err err)
{
	(void)owner;
	(void)link;
	tell("e");
	t.over++;
	t.err = err;
}

static const struct hf_link_hooks hooks = { .admit = on_admit,
	.trust = on_trust,
	.commit = on_commit,
	.opened = on_opened,
	.data = on_data,
	.closed = on_closed,
	.drained = on_drained,
	.failed = on_failed,
	.ended = on_ended };

/* --- the peer -------------------------------------------------------------------- */

static void
hang_up(void)
{
	assert_int_equal(close(t.fd), 0);
	t.fd = -1;
}

/* Moves bytes both ways and answers kindly. */
static void
move(void)
{
	struct hf_span out;
	uint8_t in[4096];
	ssize_t n;

	while (hf_session_want(t.peer) == HF_WANT_TRUST)
		assert_ok(answer(&w, t.peer));
	out = hf_session_output(t.peer);
	if (out.len > 0) {
		n = send(t.fd, out.ptr, out.len, MSG_NOSIGNAL);
		if (n > 0)
			assert_ok(hf_session_drained(t.peer, (size_t)n));
	}
	n = recv(t.fd, in, sizeof(in), 0);
	if (n > 0)
		(void)give(t.peer, in, (size_t)n);
	else if (n == 0)
		hang_up();
}

static void
moved(uv_timer_t *timer)
{
	if (t.over) {
		(void)uv_timer_stop(timer);
		return;
	}
	if (t.fd != -1 && !t.still)
		move();
	if (t.play != NULL && !t.play())
		t.play = NULL;
}

/* --- one run --------------------------------------------------------------------- */

static void
too_long(uv_timer_t *timer)
{
	tell("!");
	uv_stop(timer->loop);
}

static void
begin(const struct meeting *m, uint32_t deadline)
{
	int fds[2];

	memset(&t, 0, sizeof(t));
	told[0] = '\0';
	now = NOW;
	world_make(&w, m);
	assert_ok(hf_config_deadline(w.r, deadline));
	assert_ok(hf_session_new(&t.peer, w.i, 0, NOW));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	t.fd = fds[0];
	assert_int_equal(fcntl(t.fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_timer_init(&loop, &watch), 0);
	assert_ok(hf_link_new(&t.link, &loop, AF_UNIX, scratch, &hooks, &t));
	assert_int_equal(uv_pipe_open((uv_pipe_t *)hf_link_stream(t.link),
			     fds[1]),
	    0);
}

/* Until the link has ended; it does so once, and in time. */
static void
run_to_end(enum hf_err err)
{
	uv_timer_t limit;

	assert_int_equal(uv_timer_init(&loop, &limit), 0);
	assert_int_equal(uv_timer_start(&limit, too_long, LONG_MS, 0), 0);
	uv_unref((uv_handle_t *)&limit);
	assert_int_equal(uv_timer_start(&watch, moved, 0, 5), 0);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_null(strchr(told, '!'));
	assert_int_equal(t.over, 1);
	assert_err(t.err, err);
	uv_close((uv_handle_t *)&watch, NULL);
	uv_close((uv_handle_t *)&limit, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
clean(void)
{
	if (t.fd != -1)
		hang_up();
	hf_session_free(t.peer);
	world_free(&w);
}

static void
finish(enum hf_err err)
{
	run_to_end(err);
	clean();
}

static const struct meeting certified = { .method = HF_METHOD_CERTIFICATE };
static const struct meeting single_use = { .method = HF_METHOD_TICKET,
	.known = 1,
	.single_use = 1 };

static void
start(void)
{
	hf_link_start(t.link, w.r, NULL, 0);
}

/* Data, as soon as the peer may send. 1 until it has arrived. */
static int
says(void)
{
	if (hf_session_want(t.peer) == HF_WANT_DONE && !t.said) {
		t.said = 1;
		assert_ok(hf_session_send(t.peer, (const uint8_t *)"data", 4));
		move();
	}
	return strchr(told, 'd') == NULL;
}

static int
says_and_hangs_up(void)
{
	if (says())
		return 1;
	hang_up();
	return 0;
}

static int
says_and_closes(void)
{
	if (says())
		return 1;
	assert_ok(hf_session_close(t.peer));
	move();
	hf_link_close(t.link);
	return 0;
}

/* --- when it gives up ------------------------------------------------------- */

/* Nothing comes: it is hurried, whatever the handshake's deadline. */
static void
silent(void **state)
{
	(void)state;
	begin(&certified, 2 * LONG_MS);
	hf_link_hurry(t.link, SHORT_MS);
	t.still = 1;
	start();
	finish(HF_E_DEADLINE);
	assert_string_equal(told, "e");
}

static int
one_byte(void)
{
	struct hf_span out = hf_session_output(t.peer);

	assert_int_equal(send(t.fd, out.ptr, 1, 0), 1);
	return 0;
}

/* One byte is no message. */
static void
drip(void **state)
{
	(void)state;
	begin(&certified, 2 * LONG_MS);
	hf_link_hurry(t.link, SHORT_MS);
	t.still = 1;
	t.play = one_byte;
	start();
	finish(HF_E_DEADLINE);
	assert_string_equal(told, "e");
}

static int
hello_alone(void)
{
	t.still = strchr(told, 'a') != NULL;
	return !t.still;
}

/* It said hello and nothing more: the handshake has a deadline. */
static void
unfinished(void **state)
{
	(void)state;
	begin(&certified, SHORT_MS);
	hf_link_hurry(t.link, LONG_MS);
	t.play = hello_alone;
	start();
	finish(HF_E_DEADLINE);
	assert_string_equal(told, "afe");
	assert_err(t.failed, HF_E_DEADLINE);
}

static int
answers_late(void)
{
	if (strchr(told, 't') == NULL)
		return 1;
	(void)usleep(2 * SLOW_MS * 1000);
	hf_link_trust(t.link, HF_OK);
	return 0;
}

/* An answer that comes after the deadline lets nobody in. */
static void
late_answer(void **state)
{
	(void)state;
	begin(&certified, SLOW_MS);
	t.mute = 1;
	t.play = answers_late;
	start();
	run_to_end(HF_E_DEADLINE);
	assert_string_equal(told, "aatfe");
	assert_err(hf_session_error(t.peer), HF_E_REFUSED);
	assert_int_equal(hf_session_id(t.peer).len, 0); /* no grant came */
	clean();
}

static int
much_later(void)
{
	if (says())
		return 1;
	now += 2;
	return 0;
}

/* An open session ends with its lifetime. */
static void
lifetime(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	assert_ok(hf_config_lifetime(w.r, 1));
	t.play = much_later;
	start();
	finish(HF_E_EXPIRED);
	assert_string_equal(told, "aatodfe");
}

/* --- what it releases, and when ------------------------------------------------ */

static void
in_order(void **state)
{
	(void)state;
	begin(&single_use, LONG_MS);
	t.play = says_and_closes;
	start();
	finish(HF_OK);
	assert_string_equal(told, "atcodxe");
	assert_memory_equal(t.bytes, "data", 4);
}

/* What was said is read in the call; where nothing was, or the link has not
 * begun, the call is all. */
static void
looks(void **state)
{
	(void)state;
	begin(&single_use, LONG_MS);
	move(); /* a request */
	hf_link_look(t.link);
	start();
	assert_string_equal(told, "");
	hf_link_look(t.link);
	assert_string_equal(told, "at");
	hf_link_look(t.link);
	assert_string_equal(told, "at");
	t.play = says_and_closes;
	finish(HF_OK);
	assert_string_equal(told, "atcodxe");
}

/* Data that came with the confirm of a ticket that was used. */
static void
ticket_used(void **state)
{
	(void)state;
	begin(&single_use, LONG_MS);
	t.verdict = HF_E_TICKET_USED;
	t.play = says;
	start();
	finish(HF_E_TICKET_USED);
	assert_string_equal(told, "atcfe");
	assert_int_equal(t.received, 0);
	assert_err(t.failed, HF_E_TICKET_USED);
}

static int
burns_later(void)
{
	if (strchr(told, 'c') == NULL)
		return 1;
	if (!t.still) {
		t.still = 1; /* as often as it is asked, it waits */
		return 1;
	}
	assert_null(strchr(told, 'o'));
	t.still = 0;
	hf_link_committed(t.link, HF_OK);
	t.play = says_and_hangs_up;
	return 1;
}

/* What burns tickets may take its time: nothing is released before. */
static void
burnt_later(void **state)
{
	(void)state;
	begin(&single_use, LONG_MS);
	t.mute_commit = 1;
	t.play = burns_later;
	start();
	finish(HF_E_TRUNCATED);
	assert_string_equal(told, "atcodfe");
}

static int
burns_too_late(void)
{
	if (strchr(told, 'c') == NULL)
		return 1;
	(void)usleep(2 * SLOW_MS * 1000);
	hf_link_committed(t.link, HF_OK);
	return 0;
}

/* But not more than the handshake has. */
static void
burnt_too_late(void **state)
{
	(void)state;
	begin(&single_use, SLOW_MS);
	t.mute_commit = 1;
	t.play = burns_too_late;
	start();
	finish(HF_E_DEADLINE);
	assert_string_equal(told, "atcfe");
}

static int
sends_too_early(void)
{
	if (strchr(told, 't') == NULL)
		return 1;
	hf_link_send(t.link, (const uint8_t *)"secret", 6);
	assert_int_equal(hf_link_bytes_out(t.link), 0);
	assert_false(hf_link_opened(t.link));
	assert_err(hf_link_issue_ticket(t.link, 60, 60), HF_E_STATE);
	hf_link_trust(t.link, HF_OK);
	t.play = says_and_closes;
	return 1;
}

/* Nothing is sent before the peer has shown who it is. */
static void
early_words(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	t.mute = 1;
	t.play = sends_too_early;
	start();
	finish(HF_OK);
	assert_string_equal(told, "aatodxe");
}

static int
answers_unasked(void)
{
	hf_link_trust(t.link, HF_OK);
	hf_link_verify(t.link, w.verifier);
	hf_link_stretched(t.link, w.stretched);
	hf_link_password(t.link, "secret", 6);
	if (strchr(told, 'o') != NULL)
		t.play = says_and_closes;
	return 1;
}

/* Answers that nobody asked for change nothing. */
static void
unasked(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	t.play = answers_unasked;
	start();
	finish(HF_OK);
	assert_string_equal(told, "aatodxe");
}

static int
held_back(void)
{
	static int looks;

	if (strchr(told, 'o') == NULL) {
		looks = 0;
		return 1;
	}
	hf_link_pause(t.link);
	(void)says();
	if (++looks < 5)
		return 1;
	assert_true(t.said);
	assert_int_equal(t.received, 0);
	hf_link_resume(t.link);
	t.play = says_and_closes;
	return 1;
}

static void
paused(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	t.play = held_back;
	start();
	finish(HF_OK);
	assert_int_equal(t.received, 4);
}

/* --- how it ends ------------------------------------------------------------------ */

static void
truncated(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	t.play = says_and_hangs_up;
	start();
	finish(HF_E_TRUNCATED);
	assert_string_equal(told, "aatodfe");
}

static int
hangs_up(void)
{
	if (strchr(told, 'a') == NULL)
		return 1;
	hang_up();
	return 0;
}

static void
gone(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	t.play = hangs_up;
	start();
	finish(HF_E_GONE);
	assert_string_equal(told, "afe");
}

static int
is_cut(void)
{
	if (says())
		return 1;
	hf_link_cut(t.link, HF_E_POLICY, LONG_MS);
	return 0;
}

/* Cut off here: the peer does not take it for an end. */
static void
cut(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	t.play = is_cut;
	start();
	run_to_end(HF_E_POLICY);
	assert_err(hf_session_eof(t.peer), HF_E_TRUNCATED);
	clean();
}

static int
speaks_after_close(void)
{
	if (says())
		return 1;
	assert_ok(hf_session_close(t.peer));
	move();
	hf_link_close(t.link);
	hf_link_send(t.link, (const uint8_t *)"more", 4);
	return 0;
}

/* There was more to say after the close: that is no good end. */
static void
more_to_say(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	t.play = speaks_after_close;
	start();
	finish(HF_E_TRUNCATED);
}

static int
is_finished(void)
{
	if (says())
		return 1;
	t.still = 1;
	hf_link_finish(t.link, SHORT_MS);
	return 0;
}

/* A peer that does not close in its turn is not waited for. */
static void
no_close_in_return(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	t.play = is_finished;
	start();
	finish(HF_E_TRUNCATED);
}

/* A refusal reaches the peer as the one alert. */
static void
refused(void **state)
{
	(void)state;
	begin(&certified, LONG_MS);
	t.welcome = HF_E_POLICY;
	start();
	run_to_end(HF_E_POLICY);
	assert_string_equal(told, "aatfe");
	assert_err(hf_session_error(t.peer), HF_E_REFUSED);
	clean();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent),
		cmocka_unit_test(drip),
		cmocka_unit_test(unfinished),
		cmocka_unit_test(late_answer),
		cmocka_unit_test(lifetime),
		cmocka_unit_test(in_order),
		cmocka_unit_test(looks),
		cmocka_unit_test(ticket_used),
		cmocka_unit_test(burnt_later),
		cmocka_unit_test(burnt_too_late),
		cmocka_unit_test(early_words),
		cmocka_unit_test(unasked),
		cmocka_unit_test(paused),
		cmocka_unit_test(truncated),
		cmocka_unit_test(gone),
		cmocka_unit_test(cut),
		cmocka_unit_test(more_to_say),
		cmocka_unit_test(no_close_in_return),
		cmocka_unit_test(refused),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
