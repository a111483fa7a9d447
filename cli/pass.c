/* SPDX-License-Identifier: ISC */
/*
 * Passphrases and passwords: from a file, a descriptor or the terminal, never
 * from the command line. It keeps them in guarded memory and wipes what it
 * used on the way; what they open it refuses to know.
 */
#include <sys/stat.h>

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { ROOM = HF_PASSWORD_MAX + 2 };

int
cli_pass_given(const struct cli_pass *pass)
{
	return pass != NULL && (pass->file != NULL || pass->fd >= 0);
}

int
cli_pass_available(const struct cli_pass *pass)
{
	int fd;

	if (cli_pass_given(pass))
		return 1;
	if (pass != NULL && pass->kept != NULL && pass->kept->text != NULL)
		return 1;
	if (pass != NULL && pass->ask_no_more)
		return 0;
	if ((fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) == -1)
		return 0;
	(void)close(fd);
	return 1;
}

static int
only_one(const struct cli_pass *pass)
{
	if (pass->file != NULL && pass->fd >= 0)
		return cli_usage(cli_running->name,
		    "either --passphrase-file or --passphrase-fd");
	return CLI_OK;
}

int
cli_pass_file(struct cli_pass *pass, const char *text)
{
	pass->file = text;
	return only_one(pass);
}

int
cli_pass_fd(struct cli_pass *pass, const char *text)
{
	uint64_t fd;

	if (cli_number(&fd, "--passphrase-fd", text, 0, 1 << 20) != CLI_OK)
		return CLI_USAGE;
	pass->fd = (int)fd;
	return only_one(pass);
}

void
cli_secret_free(struct cli_secret *secret)
{
	sodium_free(secret->text);
	secret->text = NULL;
	secret->len = 0;
}

/* A byte at a time: what follows the line belongs to another reader. */
static int
read_line(char *out, size_t *len, int fd, const char *from)
{
	ssize_t got;

	*len = 0;
	for (;;) {
		got = read(fd, out + *len, 1);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return cli_errno("%s", from);
		if (got == 0 || out[*len] == '\n')
			break;
		if (++*len > HF_PASSWORD_MAX)
			return cli_error(CLI_USAGE,
			    "%s: a first line of more than %d bytes", from,
			    HF_PASSWORD_MAX);
	}
	if (*len > 0 && out[*len - 1] == '\r')
		--*len;
	if (memchr(out, '\0', *len) != NULL)
		return cli_error(CLI_USAGE, "%s: a NUL byte in the first line",
		    from);
	out[*len] = '\0';
	return CLI_OK;
}

static int
from_file(struct cli_secret *secret, const char *path)
{
	struct stat st;
	int fd, result;

	if (strcmp(path, "-") == 0)
		return read_line(secret->text, &secret->len, STDIN_FILENO,
		    "standard input");
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1)
		return cli_errno("%s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 077) != 0 && !cli_allow_readable)
		cli_warn("%s: others can read this passphrase (mode %04o)",
		    path, (unsigned)(st.st_mode & 07777));
	result = read_line(secret->text, &secret->len, fd, path);
	(void)close(fd);
	return result;
}

static int
from_terminal(struct cli_secret *secret, const char *prompt, int confirm)
{
	char again[ROOM];
	int result = CLI_OK;

	if (readpassphrase(prompt, secret->text, ROOM,
		RPP_ECHO_OFF | RPP_REQUIRE_TTY) == NULL) {
		(void)cli_error(CLI_USAGE,
		    "no terminal to ask for a passphrase on");
		cli_hint("give --passphrase-file or --passphrase-fd");
		return CLI_USAGE;
	}
	secret->len = strlen(secret->text);
	if (secret->len > HF_PASSWORD_MAX)
		result = cli_error(CLI_USAGE, "more than %d bytes",
		    HF_PASSWORD_MAX);
	if (result == CLI_OK && confirm) {
		if (readpassphrase("Once more: ", again, sizeof(again),
			RPP_ECHO_OFF | RPP_REQUIRE_TTY) == NULL ||
		    strcmp(again, secret->text) != 0)
			result = cli_error(CLI_USAGE, "the two differ");
		sodium_memzero(again, sizeof(again));
	}
	return result;
}

/* A file in the proper sense says the same again, or what is new. */
static int
lasts(const struct cli_pass *pass)
{
	struct stat st;

	return pass->file != NULL && strcmp(pass->file, "-") != 0 &&
	    stat(pass->file, &st) == 0 && S_ISREG(st.st_mode);
}

static int
copy(struct cli_secret *to, const struct cli_secret *from)
{
	to->len = 0;
	if ((to->text = sodium_malloc(ROOM)) == NULL)
		return cli_errno("a passphrase");
	memset(to->text, 0, ROOM);
	if (from->text != NULL)
		memcpy(to->text, from->text, from->len);
	to->len = from->len;
	return CLI_OK;
}

int
cli_pass_read(struct cli_secret *secret, const struct cli_pass *pass,
    const char *prompt, int confirm)
{
	static const struct cli_secret nothing;
	int keep = pass != NULL && pass->kept != NULL && !lasts(pass);
	int result;

	if (keep && pass->kept->text != NULL)
		return copy(secret, pass->kept);
	if ((result = copy(secret, &nothing)) != CLI_OK)
		return result;
	if (pass != NULL && pass->file != NULL)
		result = from_file(secret, pass->file);
	else if (pass != NULL && pass->fd >= 0)
		result = read_line(secret->text, &secret->len, pass->fd,
		    "--passphrase-fd");
	else
		result = from_terminal(secret, prompt, confirm);
	if (result == CLI_OK && secret->len == 0)
		result = cli_error(CLI_USAGE, "the passphrase is empty");
	if (result == CLI_OK && keep)
		result = copy(pass->kept, secret);
	if (result != CLI_OK)
		cli_secret_free(secret);
	return result;
}

int
cli_pass_new(struct cli_secret *secret, const struct cli_pass *pass, int ask)
{
	secret->text = NULL;
	secret->len = 0;
	if (ask && cli_pass_given(pass))
		return cli_usage(cli_running->name,
		    "either --passphrase or %s",
		    pass->file != NULL ? "--passphrase-file" :
					 "--passphrase-fd");
	if (!ask && !cli_pass_given(pass))
		return CLI_OK;
	return cli_pass_read(secret, pass, "New passphrase: ", 1);
}
