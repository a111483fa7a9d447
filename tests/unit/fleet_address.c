/* SPDX-License-Identifier: ISC */
/*
 * Addresses as people write them, and the sockets of this machine: where one
 * may be, who may reach it, and what is never removed for it (threat D11).
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testing.h"

#include "fleet.h"

static char dir[] = "/tmp/handfast-address.XXXXXX";
static char below[sizeof(dir) + 8], path[sizeof(below) + 8];

static int
enter(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(below, sizeof(below), "%s/d", dir);
	(void)snprintf(path, sizeof(path), "%s/s", below);
	return mkdir(below, 0700);
}

static int
leave(void **state)
{
	(void)state;
	return rmdir(below) != 0 ? -1 : rmdir(dir);
}

static enum hf_err
parsed(const char *text)
{
	struct hf_address a[HF_ADDRESSES_MAX];
	char back[HF_ADDRESS_TEXT];
	enum hf_err e;
	size_t n;

	if ((e = hf_address_parse(a, &n, text)) == HF_OK) {
		assert_in_range(n, 1, HF_ADDRESSES_MAX);
		assert_string_equal(hf_address_text(back, &a[0]), text);
	}
	return e;
}

static void
words(void **state)
{
	static const char *const bad[] = { "", "127.0.0.1",
		"127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:99999",
		"127.0.0.1:000080", "127.0.0.1:-1", "127.0.0.1:http", "::1:80",
		"[]:80", "127.0.0.1:80 ", "unix:", "unix" };
	char text[200];
	size_t i, room = sizeof(((struct sockaddr_un *)0)->sun_path);

	(void)state;
	assert_ok(parsed("127.0.0.1:0"));
	assert_ok(parsed("127.0.0.1:65535"));
	assert_ok(parsed("[::1]:80"));
	assert_ok(parsed("unix:/run/x"));
	assert_ok(parsed("unix:x:80"));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parsed(bad[i]) != HF_E_ARG)
			fail_msg("%s", bad[i]);
	memset(text, 'x', sizeof(text));
	memcpy(text, "unix:", 5);
	text[5 + room - 1] = '\0';
	assert_ok(parsed(text));
	text[5 + room - 1] = 'x';
	text[5 + room] = '\0';
	assert_err(parsed(text), HF_E_ARG);
}

/* Listens at the path; the descriptor in *fd. */
static enum hf_err
listens(int *fd)
{
	struct hf_address a[HF_ADDRESSES_MAX], bound;
	char text[sizeof(path) + 8];
	size_t n;

	(void)snprintf(text, sizeof(text), "unix:%s", path);
	assert_ok(hf_address_parse(a, &n, text));
	return hf_address_listen(fd, &bound, &a[0]);
}

static void
sockets(void **state)
{
	struct stat st;
	int fd, again;

	(void)state;
	assert_ok(listens(&fd));
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	/* Somebody listens there. */
	assert_err(listens(&again), HF_E_IO);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	/* Nobody does any more. */
	assert_int_equal(close(fd), 0);
	assert_ok(listens(&fd));
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
	/* Another file is there. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd != -1);
	assert_int_equal(close(fd), 0);
	assert_err(listens(&fd), HF_E_POLICY);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(unlink(path), 0);
	if (geteuid() != 0)
		return;
	/* A dead socket of somebody else is his. */
	assert_ok(listens(&fd));
	assert_int_equal(close(fd), 0);
	assert_int_equal(lchown(path, 12345, 12345), 0);
	assert_err(listens(&fd), HF_E_POLICY);
	assert_int_equal(unlink(path), 0);
}

/* Its directory, or the one above, with that mode. */
static void
judged(const char *which, mode_t mode, enum hf_err expected)
{
	int fd;

	assert_int_equal(chmod(which, mode), 0);
	assert_err(listens(&fd), expected);
	assert_int_equal(chmod(which, 0700), 0);
	if (expected != HF_OK)
		return;
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
}

static void
directories(void **state)
{
	const char *const both[] = { below, dir };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		judged(both[i], 0755, HF_OK);
		judged(both[i], 0775, HF_E_POLICY);
		judged(both[i], 0757, HF_E_POLICY);
		judged(both[i], 01777, HF_OK); /* as /tmp is */
		if (geteuid() != 0)
			continue;
		assert_int_equal(chown(both[i], 12345, 12345), 0);
		judged(both[i], 0700, HF_E_POLICY);
		assert_int_equal(chown(both[i], 0, 0), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(sockets),
		cmocka_unit_test(directories),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
