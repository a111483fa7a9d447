/* SPDX-License-Identifier: ISC */
/*
 * What a program gives up, in processes of its own: whether it is gone, and
 * what it needs is still there. And the sockets that a process is given.
 */
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"
#include "testing.h"

enum { SKIPPED = 77 };

/* What the child says of itself: 0, the line that was not so, or SKIPPED. */
static int
in_child(int (*part)(const char *), const char *arg)
{
	pid_t pid = fork();
	int status;

	assert_true(pid != -1);
	if (pid == 0)
		_exit(part(arg));
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define IS(what)     \
	if (!(what)) \
	return __LINE__ % 251 == SKIPPED ? 78 : __LINE__ % 251

static int
writes(const char *dir, const char *name)
{
	char path[192];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		return errno;
	(void)close(fd);
	return 0;
}

static int
files(const char *dir)
{
	char path[128];
	const char *list[1] = { path };
	int version;

	(void)snprintf(path, sizeof(path), "%s/own", dir);
	version = hf_sandbox_files(list, 1);
	if (version == 0)
		return SKIPPED;
	IS(version > 0);
	IS(writes(path, "new") == 0);
	IS(writes(path, "new") == 0);
	IS(writes(dir, "new") == EACCES);
	IS(writes(dir, "there") == EACCES);
	(void)snprintf(path, sizeof(path), "%s/there", dir);
	IS(unlink(path) == -1 && errno == EACCES);
	IS(open(path, O_WRONLY | O_CLOEXEC) == -1 && errno == EACCES);
	IS(version < 3 || (truncate(path, 0) == -1 && errno == EACCES));
	IS(access(path, R_OK) == 0 && open(path, O_RDONLY) != -1);
	(void)snprintf(path, sizeof(path), "%s/own/new", dir);
	IS(unlink(path) == 0);
	/* Where it could, this child would not end with 0. */
	IS(execl("/bin/false", "false", (char *)NULL) == -1 &&
	    errno == EACCES);
	return 0;
}

static int
no_directory(const char *dir)
{
	const char *list[1] = { "/nowhere/at/all" };
	int version = hf_sandbox_files(list, 1);

	if (version == 0)
		return SKIPPED;
	IS(version == -1 && errno == ENOENT);
	/* Then nothing is given up. */
	IS(writes(dir, "there") == 0);
	return 0;
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
calls(const char *dir)
{
	pthread_t thread;
	int fds[2];

	if (!hf_sandbox_calls())
		return SKIPPED;
	IS(writes(dir, "there") == 0);
	IS(socket(AF_INET, SOCK_STREAM, 0) != -1);
	IS(pipe2(fds, O_CLOEXEC) == 0);
	IS(pthread_create(&thread, NULL, nothing, NULL) == 0);
	IS(pthread_join(thread, NULL) == 0);
	IS(fork() == -1 && errno == EPERM);
	IS(execl("/bin/false", "false", (char *)NULL) == -1 && errno == EPERM);
	IS(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1 && errno == EPERM);
	IS(setuid(0) == -1 && errno == EPERM);
	return 0;
}

static int
user(const char *dir)
{
	IS(hf_user_become("nobody") == HF_OK);
	IS(getuid() != 0 && geteuid() != 0 && getgid() != 0);
	IS(getgroups(0, NULL) == 1);
	IS(setuid(0) == -1 && setgid(0) == -1);
	IS(writes(dir, "there") == EACCES);
	IS(hf_user_become("nobody") == HF_OK);
	IS(hf_user_become("root") == HF_E_IO && errno == EPERM);
	IS(hf_user_become("no such user") == HF_E_ARG);
	return 0;
}

static char folder[] = "/tmp/handfast-sandbox.XXXXXX";

static void
test(int (*part)(const char *))
{
	int r = in_child(part, folder);

	if (r == SKIPPED)
		skip();
	assert_int_equal(0, r);
}

static void
sandbox_files(void **state)
{
	(void)state;
	test(files);
	test(no_directory);
}

static void
sandbox_calls(void **state)
{
	(void)state;
	test(calls);
}

static void
sandbox_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	test(user);
}

/* --- sockets that are given ----------------------------------------------------- */

static int
listener(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(fd, 1) != 0)
		return -1;
	return fd;
}

static void
say(int n, long pid)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%d", n);
	(void)setenv("LISTEN_FDS", text, 1);
	(void)snprintf(text, sizeof(text), "%ld", pid);
	(void)setenv("LISTEN_PID", text, 1);
}

static int
given(const char *arg)
{
	struct hf_address at[2];
	int fds[2], fd = listener();
	size_t n = 9;

	(void)arg;
	IS(fd != -1 && dup2(fd, 3) == 3 && dup2(0, 4) == 4);
	IS(hf_given_sockets(fds, at, &n, 2) == HF_OK && n == 0);
	IS(fcntl(3, F_SETFD, 0) == 0);
	(void)setenv("LISTEN_FDS", "1", 1); /* nobody's */
	IS(hf_given_sockets(fds, at, &n, 2) == HF_OK && n == 0);
	say(1, getpid() + 1); /* another's */
	IS(hf_given_sockets(fds, at, &n, 2) == HF_OK && n == 0);
	say(3, getpid());
	IS(hf_given_sockets(fds, at, &n, 2) == HF_E_SPACE);
	say(2, getpid());
	IS(hf_given_sockets(fds, at, &n, 2) == HF_E_ARG && n == 1);
	say(1, getpid());
	IS(hf_given_sockets(fds, at, &n, 2) == HF_OK && n == 1);
	IS(fds[0] == 3 && at[0].at.ss_family == AF_INET);
	IS((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
	IS((fcntl(3, F_GETFL) & O_NONBLOCK) != 0);
	/* Once. */
	IS(hf_given_sockets(fds, at, &n, 2) == HF_OK && n == 0);
	return 0;
}

static int
watchdog(const char *arg)
{
	char text[32];

	(void)arg;
	IS(hf_watchdog_ms() == 0);
	(void)setenv("WATCHDOG_USEC", "3000000", 1);
	IS(hf_watchdog_ms() == 1500);
	(void)setenv("WATCHDOG_PID", "1", 1);
	IS(hf_watchdog_ms() == 0);
	(void)snprintf(text, sizeof(text), "%ld", (long)getpid());
	(void)setenv("WATCHDOG_PID", text, 1);
	IS(hf_watchdog_ms() == 1500);
	(void)setenv("WATCHDOG_USEC", "3000000s", 1);
	IS(hf_watchdog_ms() == 0);
	return 0;
}

static void
given_sockets(void **state)
{
	(void)state;
	test(given);
}

static void
given_watchdog(void **state)
{
	(void)state;
	test(watchdog);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sandbox_files),
		cmocka_unit_test(sandbox_calls),
		cmocka_unit_test(sandbox_user),
		cmocka_unit_test(given_sockets),
		cmocka_unit_test(given_watchdog),
	};
	char path[64];
	int r;

	if (mkdtemp(folder) == NULL || writes(folder, "there") != 0)
		return 1;
	(void)snprintf(path, sizeof(path), "mkdir %s/own", folder);
	if (system(path) != 0)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(path, sizeof(path), "rm -r %s", folder);
	return system(path) != 0 || r != 0;
}
