/* SPDX-License-Identifier: ISC */
/*
 * handfast help: what this is, a first use, the commands; or one command's
 * text, which stands beside that command.
 */
#include <string.h>

#include "cli.h"

/* clang-format off */
const char help_help[] =
"usage: handfast help [COMMAND]\n"
"\n"
"Without COMMAND: what handfast is, a first use, and all commands.\n"
"With one: its usage, options, an example and its exit codes.\n"
"\n"
"exit codes: 0 done, 2 usage, 3 I/O\n";
/* clang-format on */

/* clang-format off */
static const char intro[] =
"handfast sets up secure sessions between two systems that have never met.\n"
"The initiator checks the responder's certificate and sends it, sealed, a\n"
"token: a certificate of its own, a name and password, or a ticket. The\n"
"responder checks that and answers with a session key; from then on both\n"
"sides know each other and whatever they pipe through is sealed.\n"
"\n"
"See it at work:  handfast demo\n"
"\n"
"A first use: a CA, a server 'echo' and a client 'alice'.\n"
"\n"
"  handfast ca init ca --name 'My CA'\n"
"  for n in echo alice; do handfast keygen -o $n.key &&\n"
"    handfast cert request --identity $n.key --subject $n -o $n.req; done\n"
"  handfast cert issue --ca ca --request echo.req --usage responder"
" -o echo.cert\n"
"  handfast cert issue --ca ca --request alice.req --usage initiator"
" -o alice.cert\n"
"  handfast respond --listen 127.0.0.1:7000 --identity echo.key \\\n"
"    --cert echo.cert --trust ca/ca.cert --echo &\n"
"  sleep 1\n"
"  echo hello | handfast initiate --connect 127.0.0.1:7000 \\\n"
"    --trust ca/ca.cert --expect echo --identity alice.key"
" --cert alice.cert\n"
"\n"
"Commands ('handfast help COMMAND' says more):\n"
"\n";
/* clang-format on */

/* clang-format off */
static const char codes[] =
"\n"
"stdout is data, stderr is words. Exit codes: 0 done, 2 usage, 3 I/O,\n"
"4 peer not authenticated (or it refused), 5 refused here by policy,\n"
"6 malformed, 7 expired, not yet valid or replayed, 8 store.\n";
/* clang-format on */

int
cmd_help(int argc, char **argv)
{
	const struct cli_command *command;

	if (argc >= 2 && argv[1][0] == '-')
		return cli_usage("help", "unknown option %s", argv[1]);
	if (argc < 2) {
		fputs(intro, stdout);
		for (command = cli_commands; command->name != NULL; command++)
			printf("  %-9s %s\n", command->name, command->brief);
		fputs(codes, stdout);
		return CLI_OK;
	}
	for (command = cli_commands; command->name != NULL; command++)
		if (strcmp(command->name, argv[1]) == 0) {
			fputs(command->text, stdout);
			return CLI_OK;
		}
	return cli_usage("", "there is no command '%s'", argv[1]);
}
