/* SPDX-License-Identifier: ISC */
/*
 * The program: a table of commands and the one way into them. It keeps the
 * process from leaking secrets into core files, and the numbers of standard
 * input, output and error from files of its own; what a command does it
 * refuses to know.
 */
#include <sys/prctl.h>
#include <sys/resource.h>

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

const struct cli_command cli_commands[] = {
	{ "demo", cmd_demo, "show and explain the whole thing on this machine",
	    help_demo },
	{ "keygen", cmd_keygen, "make an identity (a private key)",
	    help_keygen },
	{ "ca", cmd_ca, "make a certificate authority; revoke certificates",
	    help_ca },
	{ "cert", cmd_cert, "request, issue and verify certificates",
	    help_cert },
	{ "user", cmd_user, "add, remove and list users with passwords",
	    help_user },
	{ "ticket", cmd_ticket, "make ticket rings and issue tickets",
	    help_ticket },
	{ "cluster", cmd_cluster,
	    "say which servers may hold a cluster's sessions", help_cluster },
	{ "session", cmd_session, "show the sessions in a store",
	    help_session },
	{ "store", cmd_store, "make what a store of sessions needs",
	    help_store },
	{ "respond", cmd_respond, "serve authenticated sessions",
	    help_respond },
	{ "initiate", cmd_initiate, "open a session and pipe data through it",
	    help_initiate },
	{ "dispatch", cmd_dispatch,
	    "stand before servers, and send each session to one",
	    help_dispatch },
	{ "agent", cmd_agent, "hold sessions that processes share",
	    help_agent },
	{ "run", cmd_run, "run a program joined to a peer", help_run },
	{ "inspect", cmd_inspect, "show what a file or a capture holds",
	    help_inspect },
	{ "vectors", cmd_vectors, "verify the protocol's test vectors",
	    help_vectors },
	{ "version", cmd_version, "versions and suites of this build",
	    help_version },
	{ "help", cmd_help, "this text, or that of a command", help_help },
	{ NULL, NULL, NULL, NULL },
};

/* libsodium cannot go on: there is no randomness to be had. */
static void
no_crypto(void)
{
	_exit(cli_fail(HF_E_CRYPTO, "no randomness"));
}

/* What is opened gets the lowest number that is free: were one of these closed,
 * a store or a socket could have it, and words would be written there. Each is
 * taken by what cannot be used as it should: who reads or writes finds out. */
static int
hold_standard(void)
{
	int fd, mode;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", mode) != fd)
			return cli_errno("/dev/null");
	}
	return CLI_OK;
}

static void
guard_process(void)
{
	struct rlimit none = { 0, 0 };

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sodium_set_misuse_handler(no_crypto);
}

static int
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Where no option stands before it, whose value it could be. */
static int
wants_help(int argc, char **argv)
{
	return (argc > 1 && is_help(argv[1])) ||
	    (argc > 2 && argv[1][0] != '-' && is_help(argv[2]));
}

/* What it would have said is said as it was asked for. */
static int
no_command(int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		cli_json |= strcmp(argv[i], "--json") == 0;
	return cli_usage("", "there is no command '%s'", argv[0]);
}

static int
run_command(int argc, char **argv)
{
	const struct cli_command *command;
	const char *word = argv[0];

	if (is_help(word))
		word = "help";
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		word = "version";
	for (command = cli_commands; command->name != NULL; command++)
		if (strcmp(command->name, word) == 0)
			break;
	if (command->name == NULL)
		return no_command(argc, argv);
	if (wants_help(argc, argv)) {
		fputs(command->text, stdout);
		return CLI_OK;
	}
	cli_running = command;
	return command->run(argc, argv);
}

int
main(int argc, char **argv)
{
	enum hf_err e;
	int result;

	if ((result = hold_standard()) != CLI_OK)
		return result;
	guard_process();
	opterr = 0;
	if ((e = hf_init()) != HF_OK)
		return cli_fail(e, "start");
	if (argc < 2)
		return cli_usage("", "no command");
	result = run_command(argc - 1, argv + 1);
	/* Who failed to write has said so. */
	return result != CLI_OK ? result : cli_flush();
}
