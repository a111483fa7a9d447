/* SPDX-License-Identifier: ISC */
/*
 * Words on stderr: errors, hints and warnings, for people or (--json) for
 * programs. It knows how things are said and which hint fits which result of
 * the library; it refuses to know why they happened, and never exits.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { TEXT_MAX = 2048 };

int cli_json;
int cli_allow_readable;
static int busy; /* a line of cli_busy() is there */

static const struct {
	enum hf_err err;
	const char *text;
} hints[] = { { HF_E_OWN_CERT,
		  "is the certificate for this identity, and issued "
		  "with the usage it needs?" },
	{ HF_E_OWN_EXPIRED, "ask its issuer for a new one; check the clock" },
	{ HF_E_ISSUER,
	    "trust the certificate of the CA at the top of the chain" },
	{ HF_E_SIGNATURE, "another CA of the same name, or a changed file" },
	{ HF_E_NOT_YET, "check the clocks of this machine and the issuer" },
	{ HF_E_STALE_LIST,
	    "get a new list from the CA: handfast ca revoke DIR -o LIST" },
	{ HF_E_USAGE, "see --usage in 'handfast help cert'" },
	{ HF_E_CONSTRAINT,
	    "see --permit-name, --permit-realm and "
	    "--path-length in 'handfast help cert'" },
	{ HF_E_TIME, "check the clocks of both machines" },
	{ HF_E_REFUSED, "the other side does not say why; its log does" },
	{ HF_E_SUITE,
	    "the first suite in the certificate that both sides "
	    "have must be the one used" },
	{ HF_E_UNSUPPORTED, "'handfast version' lists what this build has" } };

static int
on_terminal(FILE *stream)
{
	const char *term = getenv("TERM");

	if (term == NULL || strcmp(term, "dumb") == 0)
		return 0;
	return isatty(fileno(stream));
}

int
cli_color(FILE *stream)
{
	const char *no = getenv("NO_COLOR");

	if (no != NULL && *no != '\0')
		return 0;
	return on_terminal(stream);
}

static void
say(const char *kind, const char *color, const char *text)
{
	char safe[CLI_SAFE(TEXT_MAX)];

	cli_idle();
	/* A name from a peer or a file must not drive the terminal. */
	(void)cli_safe(safe, sizeof(safe), text);
	if (cli_color(stderr))
		fprintf(stderr, "handfast: \033[%sm%s:\033[0m %s\n", color,
		    kind, safe);
	else
		fprintf(stderr, "handfast: %s: %s\n", kind, safe);
}

static const char *
exit_name(int exit_code)
{
	switch (exit_code) {
	case CLI_USAGE:
		return "usage";
	case CLI_IO:
		return "io";
	case CLI_PEER:
		return "not-authenticated";
	case CLI_POLICY:
		return "policy";
	case CLI_FORMAT:
		return "malformed";
	case CLI_TIME:
		return "time";
	case CLI_STORE:
		return "store";
	}
	return "error";
}

static void
say_json(const char *kind, const char *name, int exit_code, const char *text)
{
	char safe[CLI_SAFE(TEXT_MAX)];
	json_t *object;
	char *line;

	object = json_pack("{s:{s:s,s:i,s:s}}", kind, "name", name, "exit",
	    exit_code, "text", cli_safe(safe, sizeof(safe), text));
	line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	if (line != NULL)
		fprintf(stderr, "%s\n", line);
	free(line);
	json_decref(object);
}

static void
say_error(const char *name, int exit_code, const char *text)
{
	if (cli_json)
		say_json("error", name, exit_code, text);
	else
		say("error", "31", text);
}

/* Of what is no error the name is its kind. */
static void
say_word(const char *kind, const char *color, const char *text)
{
	if (cli_json)
		say_json(kind, kind, 0, text);
	else
		say(kind, color, text);
}

int
cli_error(int exit_code, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say_error(exit_name(exit_code), exit_code, text);
	return exit_code;
}

/* Puts more behind a text, as far as there is room. */
static void append(char text[TEXT_MAX], const char *fmt, ...) CLI_PRINTF(2, 3);

static void
append(char text[TEXT_MAX], const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text + len, TEXT_MAX - len, fmt, ap);
	va_end(ap);
}

int
cli_errno(const char *fmt, ...)
{
	char text[TEXT_MAX];
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(text, ": %s", strerror(saved));
	say_error("io", CLI_IO, text);
	return CLI_IO;
}

/* The library's error, whose name JSON has apart. */
static int
refuse(enum hf_err e, char text[TEXT_MAX])
{
	if (!cli_json)
		append(text, " (%s)", hf_error_name(e));
	say_error(hf_error_name(e), hf_error_exit(e), text);
	return hf_error_exit(e);
}

int
cli_fail(enum hf_err e, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;
	size_t i;
	int r;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(text, ": %s", hf_error_text(e));
	r = refuse(e, text);
	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].err == e)
			cli_hint("%s", hints[i].text);
	return r;
}

int
cli_refuse(enum hf_err e, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return refuse(e, text);
}

int
cli_usage(const char *command, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say_error("usage", CLI_USAGE, text);
	cli_hint("see 'handfast help%s%s'", *command != '\0' ? " " : "",
	    command);
	return CLI_USAGE;
}

/* getopt_long() leaves optopt 0 for a long word that it does not know. */
int
cli_bad_option(const char *command, int c, char **argv)
{
	const char *word = optind > 0 ? argv[optind - 1] : NULL;

	if (word == NULL)
		word = "?";
	if (c == ':')
		return cli_usage(command, "option %s needs a value", word);
	if (optopt != 0 && strncmp(word, "--", 2) == 0)
		return cli_usage(command, "option %s takes no value", word);
	if (optopt != 0)
		return cli_usage(command, "unknown option -%c", optopt);
	return cli_usage(command, "unknown or ambiguous option %s", word);
}

void
cli_hint(const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (cli_json)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say("hint", "36", text);
}

void
cli_warn(const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say_word("warning", "33", text);
}

void
cli_note(const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say_word("note", "36", text);
}

void
cli_busy(const char *fmt, ...)
{
	char text[TEXT_MAX], safe[CLI_SAFE(TEXT_MAX)];
	va_list ap;

	if (cli_json || !on_terminal(stderr))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cli_idle();
	fprintf(stderr, "handfast: %s ...",
	    cli_safe(safe, sizeof(safe), text));
	busy = 1;
}

void
cli_idle(void)
{
	if (busy)
		fprintf(stderr, "\r\033[K");
	busy = 0;
}

int
cli_flush(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_errno("standard output");
	return CLI_OK;
}
