/* SPDX-License-Identifier: ISC */
/*
 * handfast run: a program whose input and output are a channel to a peer. It
 * knows nothing of that, and ends as it would with a pipe; how it ends is how
 * this ends. A signal that would end this is the program's.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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

enum {
	NOT_FOUND = 127,
	SIGNALLED = 128,
	END_MS = 250,  /* from the end of its output to its own */
	KILL_MS = 5000 /* from SIGTERM to SIGKILL */
};

static struct {
	struct agent_want want;
	char **command;
	char **env;
	char *ours[2]; /* in it */
	/* Never reaped: as long as this runs the number is nobody else's. */
	pid_t pid;
	volatile sig_atomic_t ended;
	volatile sig_atomic_t whole; /* its output was, before it ended */
	volatile sig_atomic_t over;  /* the channel; how it ended is known */
	int told;		     /* the command, that it was cut */
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

/* In the child: only what it shall have. No pipe of ours has a number of the
 * standard ones. */
static void
become(int in, int out, const sigset_t *mask)
{
	if (dup2(in, STDIN_FILENO) != -1 && dup2(out, STDOUT_FILENO) != -1) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)sigprocmask(SIG_SETMASK, mask, NULL);
		(void)execvpe(run.command[0], run.command, run.env);
	}
	(void)cli_errno("%s", run.command[0]);
	_exit(NOT_FOUND);
}

static int
ended_as(const siginfo_t *end)
{
	return end->si_code == CLD_EXITED ? end->si_status :
					    SIGNALLED + end->si_status;
}

/* A signal that the command is to have. One of the terminal's keys its group
 * has already; a hangup is for who leads the session alone. When it has ended,
 * and only its channel has not, nobody but this is left to end. */
static void
tell(int sig, siginfo_t *from, void *unused)
{
	int saved = errno;

	(void)unused;
	if (run.ended)
		_exit(SIGNALLED + sig);
	if (from->si_code != SI_KERNEL ||
	    (sig == SIGHUP && getsid(0) == getpid()) ||
	    getpgid(run.pid) != getpgrp())
		(void)kill(run.pid, sig);
	errno = saved;
}

/* How the command has ended; 0 when it has not. */
static int
look(siginfo_t *end)
{
	end->si_pid = 0;
	return waitid(P_PID, (id_t)run.pid, end,
		   WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    end->si_pid != 0;
}

/* The command has ended. Where a signal ended it what it sent is not whole: the
 * channel is cut, whoever could write to it. */
static void
left(int sig, siginfo_t *from, void *unused)
{
	int saved = errno;
	siginfo_t end;

	(void)sig;
	(void)from;
	(void)unused;
	if (look(&end)) {
		if (!run.over && !run.whole && end.si_code != CLD_EXITED)
			_exit(ended_as(&end));
		run.ended = 1;
	}
	errno = saved;
}

/* No handler interrupts another. */
static void
watch(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP };

	(void)sigfillset(&action.sa_mask);
	(void)sigaction(sig, &action, NULL);
}

/* What is ignored stays so, here and in the command. */
static void
forward(int sig)
{
	struct sigaction was;

	if (sigaction(sig, NULL, &was) == 0 && was.sa_handler != SIG_IGN)
		watch(sig, tell);
}

/* No signal comes before it is known whom it is for; whoever began this may not
 * want to hear of children. Returns 0 and errno where there is no child. */
static int
start(int in, int out)
{
	sigset_t all, before, ours;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	ours = before;
	(void)sigdelset(&ours, SIGCHLD);
	watch(SIGCHLD, left);
	if ((run.pid = fork()) == 0)
		become(in, out, &before);
	if (run.pid != -1) {
		forward(SIGHUP);
		forward(SIGINT);
		forward(SIGTERM);
	}
	(void)sigprocmask(SIG_SETMASK, &ours, NULL);
	return run.pid != -1;
}

static int64_t
clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for its end; 0 when it has not come in that time. */
static int
look_for(siginfo_t *end, int ms)
{
	const struct timespec step = { 0, 1000000 };
	int64_t until = clock_ms() + ms;

	while (!look(end)) {
		if (clock_ms() >= until)
			return 0;
		(void)nanosleep(&step, NULL);
	}
	return 1;
}

/* The output of the command has ended: it may have closed it, and go on. Where
 * a signal ended it that is known only a moment later, and left() hears it. */
static void
output_ended(void)
{
	siginfo_t end;

	(void)look_for(&end, END_MS);
	run.whole = 1;
}

/* How the command ends then says nothing of the channel. Where that was cut the
 * command is told before its input ends: what it had is not all. */
static void
over(int cut)
{
	run.over = 1;
	run.told = cut;
	if (cut)
		(void)kill(run.pid, SIGTERM);
}

/* Its end is ours; who was told to end, and does not, is made to. */
static int
wait_for(int joined)
{
	siginfo_t end;

	if (joined != CLI_OK) {
		if (!run.told) /* its close came to nothing */
			(void)kill(run.pid, SIGTERM);
		if (!look_for(&end, KILL_MS))
			(void)kill(run.pid, SIGKILL);
		return joined;
	}
	while (waitid(P_PID, (id_t)run.pid, &end, WEXITED | WNOWAIT) == -1)
		if (errno != EINTR)
			return cli_errno("%s", run.command[0]);
	return ended_as(&end);
}

static int
run_command(void)
{
	static const struct agent_program program = { output_ended, over };
	struct hf_conn_info info;
	struct hf_conn *conn;
	int to[2], from[2], r;

	if ((r = agent_open(&conn, &run.want)) != CLI_OK)
		return r;
	hf_conn_info(&info, conn);
	if (!make_env(info.responder) || pipe2(to, O_CLOEXEC) != 0 ||
	    pipe2(from, O_CLOEXEC) != 0 ||
	    fcntl(to[1], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(from[0], F_SETFL, O_NONBLOCK) != 0 ||
	    !start(to[0], from[1])) {
		r = cli_errno("%s", run.command[0]);
		(void)hf_conn_close(conn);
		return r;
	}
	(void)close(to[0]);
	(void)close(from[1]);
	return wait_for(
	    agent_join(conn, run.want.peer, from[0], to[1], &program));
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
