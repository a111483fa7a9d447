/* SPDX-License-Identifier: ISC */
/*
 * handfast run: a program whose input and output are a channel to a peer. It
 * knows nothing of that, and ends as it would with a pipe; how it ends is how
 * this ends.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agenting.h"

/* clang-format off */
const char help_run[] =
"usage: handfast run PEER [--agent PATH] [--fallback] -- COMMAND [ARG...]\n"
"       handfast run PEER --unshared [--peers FILE] -- COMMAND [ARG...]\n"
"\n"
"Runs COMMAND with its input and output joined to PEER: by a channel of the\n"
"session that the agent has, or with --unshared by a session of its own. In its\n"
"environment HANDFAST_PEER is PEER, HANDFAST_NAME the name in the peer's\n"
"certificate.\n"
"\n"
"  --agent PATH   the agent's socket (handfast help agent)\n"
"  --fallback     a session of its own where no agent answers\n"
"  --unshared     a session of its own\n"
"  --peers FILE   the file of peers for that ($HANDFAST_PEERS, else\n"
"                 handfast/peers.conf in $XDG_CONFIG_HOME or ~/.config)\n"
"  --json         words as JSON\n"
"\n"
"example: handfast run echo -- sh -c 'echo hello; read x; echo \"$x\" >&2'\n"
"\n"
"exit codes: the command's, 127 where there is no such, 128 and the number for\n"
"a signal; where it never ran, or the channel was cut: 2 usage, 3 I/O or no\n"
"agent, 4 not authenticated, 5 not allowed, 6 malformed, 7 expired, 8 the\n"
"peer's store\n";
/* clang-format on */

enum { NOT_FOUND = 127, SIGNALLED = 128 };

static struct {
	struct agent_want want;
	char **command;
	char **env;
	char *ours[2]; /* in it */
} run;

/* The environment, with what it says of the peer replaced. Returns 0 when
 * memory ran out. */
static int
make_env(const char *name)
{
	static const char *const replaced[] = { "HANDFAST_PEER=",
		"HANDFAST_NAME=", NULL };
	size_t kept;

	if ((run.env = child_env(&kept, replaced, 2)) == NULL)
		return 0;
	if (asprintf(&run.ours[0], "HANDFAST_PEER=%s", run.want.peer) == -1)
		run.ours[0] = NULL;
	if (asprintf(&run.ours[1], "HANDFAST_NAME=%s", name) == -1)
		run.ours[1] = NULL;
	run.env[kept] = run.ours[0];
	run.env[kept + 1] = run.ours[1];
	return run.ours[0] != NULL && run.ours[1] != NULL;
}

/* In the child: only what it shall have. */
static void
become(int in, int out)
{
	if (dup2(in, STDIN_FILENO) != -1 && dup2(out, STDOUT_FILENO) != -1) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)execvpe(run.command[0], run.command, run.env);
	}
	(void)cli_errno("%s", run.command[0]);
	_exit(NOT_FOUND);
}

/* Its end is ours; where the channel was cut, ours comes first. */
static int
wait_for(pid_t pid, int joined)
{
	int status = 0;

	if (joined != CLI_OK)
		(void)kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return cli_errno("%s", run.command[0]);
	if (joined != CLI_OK)
		return joined;
	return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

static int
run_command(void)
{
	struct hf_conn_info info;
	struct hf_conn *conn;
	int to[2], from[2], r;
	pid_t pid;

	if ((r = agent_open(&conn, &run.want)) != CLI_OK)
		return r;
	hf_conn_info(&info, conn);
	if (!make_env(info.responder) || pipe2(to, O_CLOEXEC) != 0 ||
	    pipe2(from, O_CLOEXEC) != 0 ||
	    fcntl(to[1], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(from[0], F_SETFL, O_NONBLOCK) != 0 || (pid = fork()) == -1) {
		r = cli_errno("%s", run.command[0]);
		(void)hf_conn_close(conn);
		return r;
	}
	if (pid == 0)
		become(to[0], from[1]);
	(void)close(to[0]);
	(void)close(from[1]);
	r = agent_join(conn, run.want.peer, from[0], to[1], 1);
	return wait_for(pid, r);
}

int
cmd_run(int argc, char **argv)
{
	static const struct option options[] = { { "agent", required_argument,
						     NULL, 'a' },
		{ "peers", required_argument, NULL, 'p' },
		{ "fallback", no_argument, NULL, 'f' },
		{ "unshared", no_argument, NULL, 'u' },
		{ "json", no_argument, &cli_json, 1 }, { NULL, 0, NULL, 0 } };
	int c, unshared = 0, fallback = 0;

	/* '-': in this order, so that what has options of its own is behind --. */
	while ((c = cli_option(argc, argv, "-:", options)) != -1)
		switch (c) {
		case 1:
			if (run.want.peer != NULL)
				return cli_usage("run", "no -- COMMAND");
			run.want.peer = optarg;
			break;
		case 'a':
			run.want.agent = optarg;
			break;
		case 'p':
			run.want.peers = optarg;
			break;
		case 'f':
			fallback = 1;
			break;
		case 'u':
			unshared = 1;
			break;
		default:
			return cli_bad_option("run", c, argv);
		}
	if (run.want.peer == NULL)
		return cli_usage("run", "no PEER");
	if (optind == argc || strcmp(argv[optind - 1], "--") != 0)
		return cli_usage("run", "no -- COMMAND");
	if (unshared && (fallback || run.want.agent != NULL))
		return cli_usage("run", "%s is for a shared session",
		    fallback ? "--fallback" : "--agent");
	if (!unshared && run.want.peers != NULL)
		return cli_usage("run", "--peers is for --unshared");
	run.want.flags =
	    unshared ? HF_UNSHARED : HF_SHARED | (fallback ? HF_FALLBACK : 0);
	run.command = argv + optind;
	c = run_command();
	free(run.ours[0]);
	free(run.ours[1]);
	free(run.env);
	return c;
}
