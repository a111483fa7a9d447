/* SPDX-License-Identifier: ISC */
/*
 * The program's readers, for the fuzzers of them: an input as a file in
 * memory, and what is said on stdout and stderr caught and held to its form.
 */
#ifndef HANDFAST_PROGRAM_H
#define HANDFAST_PROGRAM_H

#include <getopt.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli.h"
#include "fuzzing.h"

/* The input, to be opened by that path. */
static inline const char *
program_file(const uint8_t *data, size_t len)
{
	static char path[64];
	static int fd = -1;

	if (fd == -1) {
		CLAIM((fd = memfd_create("input", MFD_CLOEXEC)) != -1);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		cli_allow_readable = 1; /* whose mode is as it is */
	}
	CLAIM(ftruncate(fd, 0) == 0);
	CLAIM(pwrite(fd, data, len, 0) == (ssize_t)len);
	return path;
}

/* What was said, and where it would have gone. */
struct said {
	FILE *stream, *real;
	char *text;
	size_t len;
};

static struct said said_out, said_err;

static inline void
program_listen(void)
{
	said_out.real = stdout;
	said_err.real = stderr;
	said_out.stream = open_memstream(&said_out.text, &said_out.len);
	said_err.stream = open_memstream(&said_err.text, &said_err.len);
	CLAIM(said_out.stream != NULL && said_err.stream != NULL);
	stdout = said_out.stream;
	stderr = said_err.stream;
}

static inline void
program_heard(void)
{
	stdout = said_out.real;
	stderr = said_err.real;
	CLAIM(fclose(said_out.stream) == 0 && fclose(said_err.stream) == 0);
}

static inline void
program_forget(void)
{
	free(said_out.text);
	free(said_err.text);
	said_out.text = said_err.text = NULL;
}

/* Runs a command of the program, words and all; they end with NULL. */
static inline int
program_run(int (*command)(int, char **), const char *const *words)
{
	char *argv[8] = { NULL };
	int n, result;

	for (n = 0; words[n] != NULL; n++)
		CLAIM(n < 7 && (argv[n] = strdup(words[n])) != NULL);
	cli_json = 0;
	optind = 0;
	opterr = 0;
	program_listen();
	result = command(n, argv);
	program_heard();
	while (n-- > 0)
		free(argv[n]);
	return result;
}

/* Lines of UTF-8 in which nothing drives a terminal. */
static inline void
program_safe(const struct said *said)
{
	const char *p = said->text;
	size_t len = said->len, used;
	uint32_t c;

	for (; len > 0; p += used, len -= used) {
		CLAIM((used = cli_utf8(&c, p, len)) > 0);
		CLAIM(c == '\n' || !cli_unsafe(c));
	}
}

#endif
