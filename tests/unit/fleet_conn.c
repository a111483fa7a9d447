/* SPDX-License-Identifier: ISC */
/*
 * An application's end of a connection before an agent that is none: what such
 * a one may not say ends it with the error, what it says in pieces is one word,
 * and where there is no agent nobody else takes its place unasked.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "testing.h"

#define SID "\x50sssssssssssssss-"
#define OPENED "\x87\x10" SID "\x01\x00\x00\x46server\x00"

enum { ANSWERS = 1000 };

static char dir[64], path[80];
static int listener;
static struct hf_conn *conn;
static int agent = -1; /* its end of the connection */

static int
make(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/hf-conn.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/a", dir);
	memcpy(un.sun_path, path, strlen(path) + 1);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&un,
			     sizeof(un)),
	    0);
	return listen(listener, 8);
}

static int
unmake(void **state)
{
	(void)state;
	(void)close(listener);
	(void)unlink(path);
	return rmdir(dir);
}

/* Asks for a channel, as one that does not wait. */
static void
begin(void)
{
	char asked[16];

	assert_ok(
	    hf_conn_open_at(&conn, "one", HF_SHARED | HF_NONBLOCK, path));
	agent = accept(listener, NULL, NULL);
	assert_true(agent != -1);
	assert_int_equal(read(agent, asked, sizeof(asked)), 7);
	assert_memory_equal(asked, "\x83\x00\x01\x63one", 7);
}

static void
end(enum hf_err expected)
{
	assert_err(hf_conn_close(conn), expected);
	if (agent != -1)
		(void)close(agent);
	agent = -1;
}

static void
say(const char *bytes, size_t len)
{
	assert_int_equal(write(agent, bytes, len), (ssize_t)len);
}
#define SAY(bytes) say(bytes, sizeof(bytes) - 1)

/* The next call, and every later one, ends with that. */
static void
broken(enum hf_err expected)
{
	char buf[16];
	size_t n;

	assert_err(hf_conn_recv(conn, &n, buf, sizeof(buf)), expected);
	assert_int_equal(n, 0);
	assert_err(hf_conn_send(conn, &n, "x", 1), expected);
	assert_err(hf_conn_finish(conn), expected);
	end(expected);
}

static void
out_of_place(void **state)
{
	(void)state;
	/* before there is a channel */
	begin();
	SAY("\x82\x01\x41x");
	broken(HF_E_UNEXPECTED);
	begin();
	SAY("\x81\x02");
	broken(HF_E_UNEXPECTED);
	/* what answers another question */
	begin();
	SAY("\x82\x12\x00");
	broken(HF_E_UNEXPECTED);
	/* behind the end */
	begin();
	SAY(OPENED "\x81\x02\x82\x01\x41x");
	hf_conn_wait(conn, 0);
	assert_int_equal(hf_conn_pending(conn), 1);
	end(HF_E_RESET);
	/* what an application says */
	begin();
	SAY("\x83\x00\x01\x63one");
	broken(HF_E_UNEXPECTED);
	/* what no call ends with: whoever waits would wait for ever */
	begin();
	SAY("\x83\x03\x18\x50\x00");
	broken(HF_E_SHAPE);
	/* no frame at all; and one that has too much in it */
	begin();
	SAY("HTTP/1.1 200 OK\r\n");
	broken(HF_E_SHAPE);
	begin();
	SAY(OPENED "\x82\x01\x59\x40\x01");
	broken(HF_E_TOO_BIG);
}

static void
in_pieces(void **state)
{
	static const char said[] = OPENED "\x82\x01\x45hello\x81\x02";
	struct hf_conn_info info;
	char buf[16];
	size_t i, n, got = 0;

	(void)state;
	begin();
	for (i = 0; i + 1 < sizeof(said); i++) {
		say(said + i, 1);
		if (i + 1 < sizeof(OPENED) - 1) {
			hf_conn_info(&info, conn);
			assert_int_equal(info.open, 0);
		}
		if (hf_conn_recv(conn, &n, buf + got, 5) == HF_OK)
			got += n;
	}
	assert_int_equal(got, 5);
	assert_memory_equal(buf, "hello", 5);
	hf_conn_info(&info, conn);
	assert_int_equal(info.open, 1);
	assert_string_equal(info.responder, "server");
	assert_ok(hf_conn_recv(conn, &n, buf, 5));
	assert_int_equal(n, 0);
	assert_ok(hf_conn_finish(conn));
	end(HF_OK);
}

/* Why it is over is told behind the data that came before. */
static void
told_why(void **state)
{
	struct hf_conn_info info;
	char buf[16];
	size_t n;

	(void)state;
	begin();
	SAY(OPENED "\x82\x01\x41x\x83\x03\x18\x54\x05");
	assert_ok(hf_conn_recv(conn, &n, buf, sizeof(buf)));
	assert_int_equal(n, 1);
	hf_conn_info(&info, conn);
	assert_int_equal(info.reason, HF_REASON_GONE);
	broken(HF_E_RESET);
	/* Who says nothing is gone: that is no end. */
	begin();
	SAY(OPENED "\x82\x01\x42x");
	(void)close(agent);
	agent = -1;
	broken(HF_E_AGENT_GONE);
}

/* It can send no more: a frame has gone in part and its end waits when the agent
 * says three words more, and why that was all. */
static void
begin_cut(void)
{
	static const uint8_t much[1 << 20];
	size_t n;

	begin();
	SAY(OPENED);
	assert_ok(hf_conn_send(conn, &n, much, sizeof(much)));
	assert_true(n < sizeof(much));
	SAY("\x82\x01\x41x\x82\x01\x41y\x82\x01\x41z\x83\x03\x18\x53\x05");
}

static void
gone(void)
{
	(void)close(agent);
	agent = -1;
}

/* What came before the end is received, whatever else is tried first. */
static void
cut_short(void **state)
{
	char buf[4];
	size_t i, n;

	(void)state;
	/* who only receives, and has something left to send */
	begin_cut();
	assert_ok(hf_conn_finish(conn));
	gone();
	for (i = 0; i < 3; i++) {
		assert_ok(hf_conn_recv(conn, &n, buf, sizeof(buf)));
		assert_int_equal(n, 1);
		assert_int_equal(buf[0], "xyz"[i]);
	}
	broken(HF_E_QUOTA);
	/* who sends, and finds it out by that */
	begin_cut();
	gone();
	for (i = 0; i < 3; i++) {
		assert_err(hf_conn_send(conn, &n, "x", 1), HF_E_RESET);
		assert_int_equal(n, 0);
		assert_ok(hf_conn_recv(conn, &n, buf, sizeof(buf)));
		assert_int_equal(n, 1);
		assert_int_equal(buf[0], "xyz"[i]);
	}
	assert_err(hf_conn_send(conn, &n, "x", 1), HF_E_QUOTA);
	broken(HF_E_QUOTA);
	/* who closes it then had not finished */
	begin_cut();
	gone();
	assert_err(hf_conn_finish(conn), HF_E_RESET);
	end(HF_E_RESET);
}

/* The agent, as a process: it reads what it is asked for, nothing more, and
 * answers all the same. */
static void
answer_and_go(void)
{
	int fd = accept(listener, NULL, NULL), i;
	char said[sizeof(OPENED) + 4 * ANSWERS + 8], asked[7];
	size_t len = sizeof(OPENED) - 1;

	memcpy(said, OPENED, len);
	for (i = 0; i < ANSWERS; i++, len += 4)
		memcpy(said + len, "\x82\x01\x41x", 4);
	memcpy(said + len, "\x83\x03\x18\x53\x05", 5);
	len += 5;
	_exit(recv(fd, asked, sizeof(asked), MSG_WAITALL) != sizeof(asked) ||
	    write(fd, said, len) != (ssize_t)len || close(fd) != 0);
}

/* An answer that came before its request had gone is one. */
static void
answered_early(void **state)
{
	static const uint8_t much[1 << 20];
	static char answer[2 * ANSWERS];
	size_t n;
	pid_t pid;
	int how;

	(void)state;
	assert_int_equal(setenv("HANDFAST_AGENT", path, 1), 0);
	if ((pid = fork()) == 0)
		answer_and_go();
	assert_err(hf_conn_call(HF_SHARED, much, sizeof(much), answer,
		       sizeof(answer), &n, "one"),
	    HF_E_QUOTA);
	assert_int_equal(n, ANSWERS);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
}

/* Descriptors have no place in what an agent says, and none stays. */
static void
descriptors(void **state)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)OPENED, sizeof(OPENED) - 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int passed[2];

	(void)state;
	begin();
	assert_int_equal(pipe(passed), 0);
	assert_int_equal(fcntl(passed[0], F_SETFL, O_NONBLOCK), 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &passed[1], sizeof(int));
	assert_true(sendmsg(agent, &m, 0) > 0);
	broken(HF_E_UNEXPECTED);
	(void)close(passed[1]);
	assert_int_equal(read(passed[0], room, 1), 0);
	(void)close(passed[0]);
}

/* A session is shared or one's own, by a name that a peer can have. */
static void
arguments(void **state)
{
	static const unsigned wrong[] = { 0, HF_SHARED | HF_UNSHARED,
		HF_UNSHARED | HF_FALLBACK, HF_SHARED | HF_NONBLOCK | 64,
		HF_NONBLOCK };
	size_t i, n;

	(void)state;
	conn = NULL;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(hf_conn_open_at(&conn, "one", wrong[i], path),
		    HF_E_ARG);
	assert_err(hf_conn_open_at(&conn, "../one", HF_SHARED | HF_NONBLOCK,
		       path),
	    HF_E_ARG);
	assert_err(hf_conn_call(HF_SHARED | HF_NONBLOCK, "", 0, dir, 1, &n,
		       "one"),
	    HF_E_ARG);
	assert_null(conn);
}

static void
no_agent(void **state)
{
	struct hf_conn_info info;
	char other[96];

	(void)state;
	(void)snprintf(other, sizeof(other), "%s/none", dir);
	assert_err(hf_conn_open_at(&conn, "one", HF_SHARED, other),
	    HF_E_NO_AGENT);
	/* With the flag it falls back: on a file that is not there. */
	assert_int_equal(setenv("HANDFAST_PEERS", other, 1), 0);
	assert_err(hf_conn_open_at(&conn, "one", HF_SHARED | HF_FALLBACK,
		       other),
	    HF_E_IO);
	/* Where one may not connect nobody falls back either. */
	assert_int_equal(chmod(dir, 0777), 0);
	assert_err(hf_conn_open_at(&conn, "one", HF_SHARED | HF_FALLBACK,
		       path),
	    HF_E_POLICY);
	assert_int_equal(chmod(dir, 0700), 0);
	begin();
	hf_conn_info(&info, conn);
	assert_int_equal(info.shared, 1);
	assert_int_equal(info.fell_back, 0);
	end(HF_E_RESET);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_of_place),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(told_why),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(answered_early),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(arguments),
		cmocka_unit_test(no_agent),
	};

	return hf_init() != HF_OK ||
	    cmocka_run_group_tests(tests, make, unmake);
}
