/* SPDX-License-Identifier: ISC */
/*
 * handfast store: makes what a store needs. And the opening of stores for all
 * commands: no password stands among the words of one, where all can read it.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "stores.h"

const char help_store[] =
    "usage: handfast store init --store URI [--grant ROLE]\n"
    "\n"
    "Makes the tables of a store in PostgreSQL, or brings them up to date, and\n"
    "lets a server's role use them. A store of another kind is made by its first\n"
    "use: then it is only tried.\n"
    "\n"
    "      --store URI          lmdb:DIR, redis://HOST, postgresql://HOST/DB\n"
    "                           (handfast-store(7)), or @FILE that holds one\n"
    "      --grant ROLE         a role of PostgreSQL, for servers and commands\n"
    "      --json               words as JSON\n"
    "\n"
    "example:\n"
    "  handfast store init --store postgresql:///web --grant web\n"
    "\n"
    "exit codes: 0 done, 2 usage, 3 I/O, 5 refused, 8 the store\n";

enum { URI_MAX = 4096, INIT_MS = 20000 };

/* USER:PASSWORD@ or password=: it was said for all to read. */
static int
has_password(const char *uri)
{
	const char *at = strstr(uri, "://"), *end, *p;

	if (at == NULL)
		return 0;
	at += 3;
	end = at + strcspn(at, "/?");
	for (p = end; p > at && p[-1] != '@'; p--)
		continue;
	if (p > at && memchr(at, ':', (size_t)(p - at)) != NULL)
		return 1;
	return strstr(end, "password=") != NULL;
}

/* The URI: these words, or what a file holds. Given back by cli_free_file(). */
static int
read_uri(char **uri, size_t *len, const char *text)
{
	int r;

	*uri = NULL;
	*len = 0;
	if (*text == '@') {
		if ((r = cli_read_secret_file(text + 1, URI_MAX, uri, len)) ==
		    CLI_OK)
			(*uri)[strcspn(*uri, "\r\n")] = '\0';
		return r;
	}
	if (has_password(text)) {
		(void)cli_error(CLI_POLICY,
		    "%sstore: a password in words that all can read",
		    cli_has_option("store") ? "--" : "");
		cli_hint("@FILE in its place, or passfile= in the URI");
		return CLI_POLICY;
	}
	if ((*uri = strdup(text)) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", text);
	*len = strlen(text);
	return CLI_OK;
}

static int
fail(enum hf_err e, const char *reason, const char *what)
{
	if (e == HF_E_ARG) {
		(void)cli_error(CLI_USAGE,
		    "%sstore %s: not lmdb:DIR, redis://... or "
		    "postgresql://...",
		    cli_has_option("store") ? "--" : "", what);
		if (*reason != '\0')
			cli_hint("%s", reason);
		return CLI_USAGE;
	}
	if (e != HF_OK && *reason != '\0')
		return cli_refuse(e, "%s: %s", what, reason);
	return cli_fail(e, "%s", what);
}

int
cli_store_fail(enum hf_err e, const struct hf_store *store, const char *what)
{
	return fail(e, e == HF_E_STORE ? hf_store_reason(store) : "", what);
}

int
cli_store_json(json_t *value, const char *what)
{
	char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT);

	json_decref(value);
	if (text == NULL)
		return cli_fail(HF_E_MEMORY, "%s", what);
	cli_put_json(stdout, text);
	free(text);
	return cli_flush();
}

static int
open_store(struct hf_store **store, const char *text, int missing)
{
	enum hf_err e = HF_OK;
	const char *reason = "";
	size_t len;
	char *uri;
	int r;

	if ((r = read_uri(&uri, &len, text)) != CLI_OK)
		return r;
	if (!missing && (e = hf_store_find(uri)) == HF_E_STORE)
		reason = "there is no store";
	if (e == HF_OK) {
		e = hf_store_open(store, uri);
		reason = hf_store_reason(*store);
	}
	cli_free_file(uri, len);
	return e == HF_OK ? CLI_OK : fail(e, reason, text);
}

int
cli_store_open(struct hf_store **store, const char *text)
{
	return open_store(store, text, 1);
}

int
cli_store_find(struct hf_store **store, const char *text)
{
	return open_store(store, text, 0);
}

int
cli_store_check(const char *text)
{
	char reason[HF_STORE_REASON_MAX];
	enum hf_err e;
	size_t len;
	char *uri;
	int r;

	if ((r = read_uri(&uri, &len, text)) != CLI_OK)
		return r;
	e = hf_store_known(uri, reason);
	cli_free_file(uri, len);
	return e == HF_OK ? CLI_OK : fail(e, reason, text);
}

static int
init(const char *text, const char *role)
{
	char reason[HF_STORE_REASON_MAX];
	enum hf_err e;
	size_t len;
	char *uri;
	int r;

	if ((r = read_uri(&uri, &len, text)) != CLI_OK)
		return r;
	e = hf_store_init(uri, role, INIT_MS, reason);
	cli_free_file(uri, len);
	if (e == HF_E_UNSUPPORTED && *reason == '\0')
		return cli_usage("store",
		    "--grant: only PostgreSQL has roles");
	return e == HF_OK ? CLI_OK : fail(e, reason, text);
}

int
cmd_store(int argc, char **argv)
{
	static const struct option options[] = { { "store", required_argument,
						     NULL, 's' },
		{ "grant", required_argument, NULL, 'g' },
		{ "json", no_argument, &cli_json, 1 }, { NULL, 0, NULL, 0 } };
	const char *uri = NULL, *role = NULL;
	int c;

	if (argc < 2 || strcmp(argv[1], "init") != 0)
		return cli_no_word(argc, argv, "init");
	argc--;
	argv++;
	while ((c = cli_option(argc, argv, ":", options)) != -1)
		if (c == 's')
			uri = optarg;
		else if (c == 'g')
			role = optarg;
		else
			return cli_bad_option("store", c, argv);
	if (uri == NULL)
		return cli_usage("store", "no --store URI");
	if (optind < argc)
		return cli_usage("store", "unexpected word '%s'",
		    argv[optind]);
	return init(uri, role);
}
