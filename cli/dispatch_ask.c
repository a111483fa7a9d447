/* SPDX-License-Identifier: ISC */
/*
 * handfast dispatch status, drain and undrain: asks a dispatcher that runs,
 * over its control socket. The table of `status` is drawn anew now and then
 * where it stands on a terminal.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatching.h"

static struct {
	const char *word, *server, *control;
	int once;
} ask;

/* The caller frees the answer; NULL where there is none. */
static int
ask_once(char **answer, const char *line)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = 0, cap = DISPATCH_REPLY_MAX;
	ssize_t n = -1;
	int fd;

	*answer = NULL;
	if (strlen(ask.control) >= sizeof(un.sun_path))
		return cli_usage("dispatch", "--control: too long a path");
	memcpy(un.sun_path, ask.control, strlen(ask.control) + 1);
	if ((*answer = malloc(cap + 1)) == NULL)
		return cli_fail(HF_E_MEMORY, "dispatch");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 &&
	    connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 &&
	    send(fd, line, strlen(line), MSG_NOSIGNAL) ==
		(ssize_t)strlen(line))
		while (
		    len < cap && (n = read(fd, *answer + len, cap - len)) > 0)
			len += (size_t)n;
	if (fd != -1)
		(void)close(fd);
	(*answer)[len] = '\0';
	if (n < 0) {
		free(*answer);
		*answer = NULL;
		return cli_errno("--control %s", ask.control);
	}
	return CLI_OK;
}

static json_int_t
count(const json_t *in, const char *key)
{
	return json_integer_value(json_object_get(in, key));
}

static const char *
word_of(const json_t *server)
{
	if (!json_is_true(json_object_get(server, "up")))
		return "down";
	return json_is_true(json_object_get(server, "draining")) ? "leaving" :
								   "up";
}

static void
print_table(const json_t *root)
{
	const json_t *servers = json_object_get(root, "servers"), *s;
	char name[CLI_SAFE(HF_NAME_MAX)];
	size_t i;

	(void)printf("%-20s %-8s %11s %10s %8s  %s\n", "SERVER", "STATE",
	    "CONNECTIONS", "TAKEN", "FAILED", "ADDRESS");
	json_array_foreach((json_t *)servers, i, s) {
		(void)printf("%-20s %-8s %11lld %10lld %8lld  %s\n",
		    cli_safe(name, sizeof(name),
			json_string_value(json_object_get(s, "name"))),
		    word_of(s), (long long)count(s, "connections"),
		    (long long)count(s, "taken"),
		    (long long)count(s, "failed"),
		    json_string_value(json_object_get(s, "address")));
	}
	(void)printf("connections %lld, affinity %lld, transfers %lld, "
		     "balanced %lld, moves %lld, lost %lld\n",
	    (long long)count(root, "connections"),
	    (long long)count(root, "affinity"),
	    (long long)count(root, "transfers"),
	    (long long)count(root, "balanced"),
	    (long long)count(root, "moves"), (long long)count(root, "lost"));
}

/* How many of `all` were done within `us`, and not within half of it. */
static json_int_t
within(const json_t *all, json_int_t us)
{
	const json_t *b;
	size_t i;

	json_array_foreach((json_t *)json_object_get(all, "within_us"), i, b)
		if (json_integer_value(json_array_get(b, 0)) == us)
			return json_integer_value(json_array_get(b, 1));
	return 0;
}

static void
print_bar(json_int_t n, json_int_t most)
{
	enum { WIDTH = 24 };
	int len = most > 0 ? (int)((n * WIDTH + most - 1) / most) : 0;

	(void)printf("  %8lld %-*.*s", (long long)n, WIDTH, len,
	    "########################");
}

/* Of too few there is no median. */
static const char *
recent(char out[32], const json_t *kind)
{
	const json_t *us = json_object_get(kind, "recent_median_us");

	if (!json_is_integer(us))
		return "-";
	(void)snprintf(out, 32, "%.1f ms",
	    (double)json_integer_value(us) / 1000);
	return out;
}

/* Transfers and handshakes side by side. */
static void
print_times(const json_t *root)
{
	const json_t *kind[2] = { json_object_get(root, "transfer"),
		json_object_get(root, "handshake") };
	json_int_t us, n[2], most = 0, first = 0, last = 0;
	char first_text[32], second_text[32];
	size_t k;

	for (us = 1; us < (json_int_t)1 << 40; us *= 2)
		for (k = 0; k < 2; k++) {
			n[k] = within(kind[k], us);
			most = n[k] > most ? n[k] : most;
			if (n[k] > 0) {
				first = first == 0 ? us : first;
				last = us;
			}
		}
	if (most == 0)
		return;
	(void)printf("\n%12s  %8s %-24s  %8s\n", "WITHIN", "TRANSFER", "",
	    "HANDSHAKE");
	for (us = first; us <= last; us *= 2) {
		(void)printf("%9.1f ms", (double)us / 1000);
		for (k = 0; k < 2; k++)
			print_bar(within(kind[k], us), most);
		(void)putchar('\n');
	}
	(void)printf("medians of the last minute: transfers %s, "
		     "handshakes %s\n",
	    recent(first_text, kind[0]), recent(second_text, kind[1]));
}

static int
status(void)
{
	int live = !ask.once && !cli_json && isatty(STDOUT_FILENO), r;
	char *text = NULL;
	json_t *root;

	do {
		if ((r = ask_once(&text, "status\n")) != CLI_OK ||
		    text == NULL)
			return r;
		root = json_loads(text, 0, NULL);
		if (cli_json && root != NULL)
			cli_put_json(stdout, text);
		else if (root != NULL) {
			if (live)
				(void)fputs("\033[H\033[2J", stdout);
			print_table(root);
			print_times(root);
		}
		free(text);
		if (root == NULL)
			return cli_error(CLI_FORMAT,
			    "%s: that is no dispatcher", ask.control);
		json_decref(root);
		(void)fflush(stdout);
	} while (live && sleep(1) == 0);
	return CLI_OK;
}

static int
tell(void)
{
	char line[HF_NAME_MAX + 16], *text = NULL, *more;
	int n, r;

	n = snprintf(line, sizeof(line), "%s %s\n", ask.word, ask.server);
	if (n < 0 || (size_t)n >= sizeof(line) ||
	    strchr(ask.server, '\n') != NULL)
		return cli_usage("dispatch", "no name of a server");
	if ((r = ask_once(&text, line)) != CLI_OK || text == NULL)
		return r;
	more = text + strcspn(text, "\n");
	if (*more != '\0')
		*more++ = '\0';
	more[strcspn(more, "\n")] = '\0';
	if (strcmp(text, "ok") != 0)
		r = cli_error(CLI_USAGE, "%s: %s", ask.server, text);
	else if (*more != '\0')
		cli_warn("%s: %s", ask.server, more);
	free(text);
	return r;
}

static int
metrics(void)
{
	char *text = NULL;
	int r;

	if ((r = ask_once(&text, "metrics\n")) != CLI_OK || text == NULL)
		return r;
	(void)fputs(text, stdout);
	free(text);
	return CLI_OK;
}

int
dispatch_ask(int argc, char **argv)
{
	static const struct option options[] = {
		{ "control", required_argument, NULL, 'c' },
		{ "json", no_argument, &cli_json, 1 },
		{ "once", no_argument, NULL, '1' }, { NULL, 0, NULL, 0 }
	};
	int c;

	ask.word = argv[0];
	while ((c = cli_option(argc, argv, ":", options)) != -1)
		switch (c) {
		case 'c':
			ask.control = optarg;
			break;
		case '1':
			ask.once = 1;
			break;
		default:
			return cli_bad_option("dispatch", c, argv);
		}
	if (ask.control == NULL)
		return cli_usage("dispatch", "no --control PATH");
	if (strcmp(ask.word, "status") == 0 && optind == argc)
		return status();
	if (strcmp(ask.word, "metrics") == 0 && optind == argc)
		return metrics();
	if (optind + 1 != argc || strcmp(ask.word, "status") == 0 ||
	    strcmp(ask.word, "metrics") == 0)
		return cli_usage("dispatch", "%s takes %s", ask.word,
		    *ask.word == 'd' || *ask.word == 'u' ?
			"the name of a server" :
			"no word more");
	ask.server = argv[optind];
	return tell();
}
