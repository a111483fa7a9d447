/* SPDX-License-Identifier: ISC */
/*
 * handfast demo: the whole thing on this machine, by running this very
 * program as anybody would: a CA, an identity for each side, a users file, a
 * ring and a ticket in a directory of its own; then a responder and three
 * initiators as processes over TCP. It knows what their traces say, and
 * explains it; it speaks no protocol itself.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

const char help_demo[] =
    "usage: handfast demo\n"
    "\n"
    "Shows the whole thing on this machine and explains it: makes a CA,\n"
    "keys, certificates, a user and a ticket in a directory that it removes,\n"
    "starts a responder, then an initiator with each of the three tokens,\n"
    "and says what every message carried, its bytes and its microseconds.\n"
    "\n"
    "exit codes: 0 every echo came back right, 3 something failed\n";

enum { WAIT_MS = 15000, STEP_MS = 10 };

static char dir[4096];	/* the working directory of all that is started */
static char self[4096]; /* this program */
static pid_t responder = -1;
static sigset_t before; /* the signal mask as it was */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
clean_up(void)
{
	int status;

	if (responder > 0 && kill(responder, SIGTERM) == 0)
		while (waitpid(responder, &status, 0) == -1 && errno == EINTR)
			continue;
	responder = -1;
	if (dir[0] != '\0')
		(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	dir[0] = '\0';
}

static int
open_or(const char *path, int flags, int otherwise)
{
	return path == NULL ? otherwise : open(path, flags | O_CLOEXEC, 0600);
}

/* Starts this program in the directory. NULL: /dev/null, stderr as ours. */
static pid_t
start(const char *const *args, const char *in, const char *out,
    const char *err)
{
	pid_t pid;
	int fd[3];

	if ((pid = fork()) != 0)
		return pid;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (chdir(dir) != 0)
		_exit(CLI_IO);
	fd[0] = open_or(in == NULL ? "/dev/null" : in, O_RDONLY, -1);
	fd[1] = open_or(out == NULL ? "/dev/null" : out,
	    O_WRONLY | O_CREAT | O_TRUNC, -1);
	fd[2] = open_or(err, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
	if (fd[0] < 0 || fd[1] < 0 || fd[2] < 0 || dup2(fd[0], 0) < 0 ||
	    dup2(fd[1], 1) < 0 || dup2(fd[2], 2) < 0)
		_exit(CLI_IO);
	(void)execv(self, (char *const *)(uintptr_t)args);
	_exit(CLI_IO);
}

/* Runs this program to its end. */
static int
tool(const char *const *args, const char *in, const char *out, const char *err)
{
	pid_t pid = start(args, in, out, err);
	int status;

	if (pid == -1)
		return cli_errno("cannot start a process");
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return cli_errno("cannot wait for a process");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return CLI_OK;
	return cli_error(CLI_IO, "'handfast %s' failed", args[1]);
}

static int
in_dir(char out[4096 + 64], const char *name)
{
	int n = snprintf(out, 4096 + 64, "%s/%s", dir, name);

	return n > 0 && n < 4096 + 64;
}

static int
write_text(const char *name, const char *text)
{
	char path[4096 + 64];

	if (!in_dir(path, name))
		return CLI_IO;
	return cli_write_file(path, text, strlen(text), 0600, CLI_REPLACE);
}

int
demo_read(char *buf, size_t cap, const char *name)
{
	char path[4096 + 64];
	size_t n;
	FILE *f;

	buf[0] = '\0';
	if (!in_dir(path, name) || (f = fopen(path, "re")) == NULL)
		return 0;
	n = fread(buf, 1, cap - 1, f);
	buf[n] = '\0';
	(void)fclose(f);
	return 1;
}

static void
nap(void)
{
	struct timespec t = { 0, STEP_MS * 1000000L };

	(void)nanosleep(&t, NULL);
}

static int
make_directory(void)
{
	const char *tmp = getenv("TMPDIR");
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	sigset_t set;

	if (n <= 0)
		return cli_errno("/proc/self/exe");
	self[n] = '\0';
	/* Signals wait until the directory is removed again; a process that
	 * was started gets them at once and ends the act. */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	if (tmp == NULL || tmp[0] != '/')
		tmp = "/tmp";
	if (snprintf(dir, sizeof(dir), "%s/handfast-demo-XXXXXX", tmp) >=
		(int)sizeof(dir) ||
	    mkdtemp(dir) == NULL) {
		dir[0] = '\0';
		return cli_errno("a directory in %s", tmp);
	}
	return CLI_OK;
}

#define WORDS(...) ((const char *const[]){ "handfast", __VA_ARGS__, NULL })

static int
make_objects(void)
{
	int r;

	if ((r = write_text("password", "correct horse battery\n")) != CLI_OK)
		return r;
	(void)((r = tool(WORDS("ca", "init", "ca", "--name", "Demo CA"), NULL,
		    NULL, NULL)) != CLI_OK ||
	    (r = tool(WORDS("keygen", "-o", "server.key"), NULL, NULL,
		 NULL)) != CLI_OK ||
	    (r = tool(WORDS("cert", "request", "--identity", "server.key",
			  "--subject", "server.example", "-o", "server.req"),
		 NULL, NULL, NULL)) != CLI_OK ||
	    (r = tool(WORDS("cert", "issue", "--ca", "ca", "--request",
			  "server.req", "--usage", "responder", "--realm",
			  "example", "-o", "server.cert"),
		 NULL, NULL, NULL)) != CLI_OK ||
	    (r = tool(WORDS("keygen", "-o", "alice.key"), NULL, NULL, NULL)) !=
		CLI_OK ||
	    (r = tool(WORDS("cert", "request", "--identity", "alice.key",
			  "--subject", "alice", "-o", "alice.req"),
		 NULL, NULL, NULL)) != CLI_OK ||
	    (r = tool(WORDS("cert", "issue", "--ca", "ca", "--request",
			  "alice.req", "--usage", "initiator", "-o",
			  "alice.cert"),
		 NULL, NULL, NULL)) != CLI_OK ||
	    (r = tool(WORDS("user", "add", "--db", "users", "--realm",
			  "example", "--passphrase-file", "password", "bob"),
		 NULL, NULL, NULL)) != CLI_OK ||
	    (r = tool(WORDS("ticket", "ring", "ring"), NULL, NULL, NULL)) !=
		CLI_OK ||
	    (r = tool(WORDS("ticket", "issue", "--ring", "ring", "--subject",
			  "carol", "--audience", "server.example", "--ttl",
			  "8h", "-o", "carol.ticket"),
		 NULL, NULL, NULL)) != CLI_OK);
	return r;
}

/* Starts the responder and learns its port. */
static int
start_responder(char address[64])
{
	char port[32];
	int i;

	responder =
	    start(WORDS("respond", "--listen", "127.0.0.1:0", "--port-file",
		      "port", "--identity", "server.key", "--cert",
		      "server.cert", "--trust", "ca/ca.cert", "--users",
		      "users", "--ring", "ring", "--echo", "--trace"),
		NULL, NULL, "responder.log");
	if (responder == -1)
		return cli_errno("cannot start the responder");
	for (i = 0; i < WAIT_MS / STEP_MS; i++) {
		if (demo_read(port, sizeof(port), "port") &&
		    strchr(port, '\n') != NULL) {
			port[strcspn(port, "\n")] = '\0';
			(void)snprintf(address, 64, "127.0.0.1:%s", port);
			return CLI_OK;
		}
		nap();
	}
	return cli_error(CLI_IO, "the responder did not start");
}

/* What the responder logged about the n-th session is complete. */
static int
wait_logged(char *log, size_t cap, unsigned n)
{
	unsigned seen;
	const char *p;
	int i;

	for (i = 0; i < WAIT_MS / STEP_MS; i++) {
		(void)demo_read(log, cap, "responder.log");
		for (seen = 0, p = log;
		     (p = strstr(p, "event=session")) != NULL &&
		     strchr(p, '\n') != NULL;
		     p++)
			seen++;
		if (seen >= n)
			return 1;
		nap();
	}
	return 0;
}

/* One session with one token. Returns 1 when the echo was right. */
static int
play(const struct demo_act *act, unsigned n, const char *address)
{
	static const char *const common[] = { "handfast", "initiate",
		"--trust", "ca/ca.cert", "--expect", "server.example",
		"--trace", "--connect" };
	enum { COMMON = sizeof(common) / sizeof(common[0]) };
	static char ours[DEMO_LOG], theirs[DEMO_LOG];
	const char *args[COMMON + DEMO_ARGS + 2] = { NULL };
	char said[128], back[128];
	size_t i;

	memcpy(args, common, sizeof(common));
	args[COMMON] = address;
	for (i = 0; i < DEMO_ARGS && act->args[i] != NULL; i++)
		args[COMMON + 1 + i] = act->args[i];
	(void)snprintf(said, sizeof(said), "hello, this is %s\n", act->who);
	if (write_text("said", said) != CLI_OK ||
	    write_text("initiator.log", "") != CLI_OK ||
	    tool(args, "said", "back", "initiator.log") != CLI_OK ||
	    !demo_read(back, sizeof(back), "back") ||
	    !wait_logged(theirs, sizeof(theirs), n)) {
		if (demo_read(ours, sizeof(ours), "initiator.log"))
			(void)fputs(ours, stderr);
		return 0;
	}
	(void)demo_read(ours, sizeof(ours), "initiator.log");
	demo_show(act, n, ours, theirs);
	(void)printf("   sent and got back: %s\n", back);
	return strcmp(said, back) == 0;
}

int
cmd_demo(int argc, char **argv)
{
	char address[64];
	unsigned i, right = 0;
	int r;

	if (argc > 1)
		return cli_usage("demo", "unexpected word '%s'", argv[1]);
	if ((r = make_directory()) == CLI_OK &&
	    (r = make_objects()) == CLI_OK &&
	    (r = start_responder(address)) == CLI_OK) {
		demo_begin(address, (long)getpid(), (long)responder);
		for (i = 0; i < DEMO_ACTS; i++)
			right += (unsigned)play(&demo_acts[i], i + 1, address);
		if (right == DEMO_ACTS)
			demo_finish();
		else
			r = cli_error(CLI_IO,
			    "%u of %d echoes came back "
			    "right",
			    right, DEMO_ACTS);
	}
	clean_up();
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
