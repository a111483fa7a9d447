/* SPDX-License-Identifier: ISC */
/*
 * Options of a command, by getopt_long(), in one way for all commands. What
 * they mean it does not know, but for --json and --help.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

const struct cli_command *cli_running;
static const struct option *known; /* what it takes; NULL: not read yet */

int
cli_has_option(const char *name)
{
	const struct option *o;

	for (o = known; o != NULL && o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return 1;
	return 0;
}

/* Nothing but the words has been looked at when help is asked for. */
static void
look_ahead(int argc, char **argv, const char *shorts,
    const struct option *options)
{
	int c;

	while ((c = getopt_long(argc, argv, shorts, options, NULL)) != -1)
		if (c == '?' && optopt == 0 &&
		    strcmp(argv[optind - 1], "--help") == 0) {
			fputs(cli_running->text, stdout);
			exit(cli_flush());
		}
	optind = 0; /* from the beginning */
}

int
cli_option(int argc, char **argv, const char *shorts,
    const struct option *options)
{
	int c;

	known = options;
	if (optind <= 1)
		look_ahead(argc, argv, shorts, options);
	do
		c = getopt_long(argc, argv, shorts, options, NULL);
	while (c == 0); /* --json: it is kept */
	return c;
}

int
cli_no_word(int argc, char **argv, const char *words)
{
	static const struct option options[] = {
		{ "json", no_argument, &cli_json, 1 }, { NULL, 0, NULL, 0 }
	};
	const char *name = cli_running->name, *word = argc > 1 ? argv[1] : "-";

	while (cli_option(argc, argv, ":", options) != -1)
		continue;
	if (*word == '-')
		return cli_usage(name, "%s needs a word: %s", name, words);
	return cli_usage(name, "there is no '%s %s': %s?", name, word, words);
}
