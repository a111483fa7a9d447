/* SPDX-License-Identifier: ISC */
/*
 * handfast session: what a store holds, by what is in clear there: no key is
 * needed, and nothing is opened.
 */
#include <getopt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "stores.h"

enum { EVICT_TRIES = 100 };

const char help_session[] =
    "usage: handfast session list --store URI\n"
    "       handfast session show --store URI SESSION\n"
    "       handfast session evict --store URI SESSION\n"
    "\n"
    "Shows the sessions of a cluster by what its store has in clear: id, owner,\n"
    "scope, how often it moved, when it ends. evict removes one: it goes on\n"
    "where it is, and cannot be taken over.\n"
    "\n"
    "SESSION is an id in hexadecimal, or the first digits of one.\n"
    "\n"
    "      --store URI          lmdb:DIR, redis://..., postgresql://..., @FILE\n"
    "      --json               an array (list), an object (show); words too\n"
    "\n"
    "example:\n"
    "  handfast session list --store lmdb:/run/web\n"
    "\n"
    "exit codes: 0 done, 2 usage, 3 I/O, 5 refused, 8 the store\n";

static struct {
	const char *uri;
	const char *prefix;
	struct hf_entry_info found;
	struct hf_span key, value;
	uint8_t bytes[HF_STORE_VALUE_MAX];
	size_t len;
	unsigned matches;
	json_t *rows; /* with --json */
	int lacks;    /* memory for one of them */
} job;

static json_t *
row_json(const struct hf_entry_info *i, const char *sid)
{
	char until[CLI_TIME_TEXT];

	return json_pack("{s:s,s:s,s:s,s:I,s:s}", "sid", sid, "owner",
	    i->owner.text, "scope", i->scope.text, "epoch",
	    (json_int_t)i->epoch, "until", cli_time_text(until, i->expires));
}

static void
print_row(const struct hf_entry_info *i)
{
	char sid[2 * HF_SID_BYTES + 1], until[CLI_TIME_TEXT];
	char owner[CLI_SAFE(HF_NAME_MAX)], scope[CLI_SAFE(HF_NAME_MAX)];

	sodium_bin2hex(sid, sizeof(sid), i->sid, sizeof(i->sid));
	if (job.rows != NULL) {
		job.lacks |=
		    json_array_append_new(job.rows, row_json(i, sid)) != 0;
		return;
	}
	printf("%s  owner %s  scope %s  epoch %llu  until %s\n", sid,
	    cli_safe(owner, sizeof(owner), i->owner.text),
	    cli_safe(scope, sizeof(scope), i->scope.text),
	    (unsigned long long)i->epoch, cli_time_text(until, i->expires));
}

static int
list_one(void *arg, struct hf_span key, struct hf_span value)
{
	struct hf_entry_info *info = arg;

	(void)key;
	if (hf_entry_read(info, value.ptr, value.len) == HF_OK)
		print_row(info);
	return 1;
}

static int
match(void *arg, struct hf_span key, struct hf_span value)
{
	char sid[2 * HF_SID_BYTES + 1];

	(void)arg;
	if (key.len != 2 + HF_SID_BYTES || value.len > sizeof(job.bytes))
		return 1;
	sodium_bin2hex(sid, sizeof(sid), key.ptr + 2, HF_SID_BYTES);
	if (strncmp(sid, job.prefix, strlen(job.prefix)) != 0)
		return 1;
	job.matches++;
	memcpy(job.bytes, value.ptr, value.len);
	job.len = value.len;
	return 1;
}

static int
find(struct hf_store *store, const char *text)
{
	uint8_t from[2 + HF_SID_BYTES] = { 's', '/' };
	size_t n = 0;
	enum hf_err e;

	if (strlen(text) > 2 * HF_SID_BYTES || *text == '\0' ||
	    strspn(text, "0123456789abcdef") != strlen(text))
		return cli_usage("session", "%s: not a session's id", text);
	job.prefix = text;
	/* Of all that a store has, only what begins with the whole bytes; half
	 * a byte at the end is for match(). */
	(void)sodium_hex2bin(from + 2, HF_SID_BYTES, text, strlen(text) & ~1U,
	    NULL, &n, NULL);
	e = hf_store_list(store, (struct hf_span){ from, 2 + n }, match, NULL);
	if (e != HF_OK)
		return cli_store_fail(e, store, job.uri);
	if (job.matches != 1)
		return cli_error(CLI_USAGE, "%s: %s", text,
		    job.matches == 0 ? "there is no such session" :
				       "more than one session begins so");
	e = hf_entry_read(&job.found, job.bytes, job.len);
	return e == HF_OK ? CLI_OK : cli_fail(e, "%s", text);
}

/* Its owner may write it at any time: then it is read anew, and tried again. */
static int
evict(struct hf_store *store)
{
	uint8_t bytes[2 + HF_SID_BYTES] = { 's', '/' };
	const struct hf_span key = { bytes, sizeof(bytes) };
	enum hf_err e = HF_OK;
	int n;

	memcpy(bytes + 2, job.found.sid, HF_SID_BYTES);
	for (n = 0; n < EVICT_TRIES && e == HF_OK; n++) {
		e = hf_store_swap(store, key,
		    (struct hf_span){ job.bytes, job.len },
		    (struct hf_span){ NULL, 0 }, 0);
		if (e != HF_E_FENCED)
			return e == HF_OK ? CLI_OK :
					    cli_store_fail(e, store, job.uri);
		e = hf_store_get(store, key, job.bytes, &job.len);
	}
	if (e == HF_E_NO_SESSION) /* by somebody else */
		return CLI_OK;
	if (e != HF_OK)
		return cli_store_fail(e, store, job.uri);
	return cli_error(CLI_STORE,
	    "it was changed again and again meanwhile; try again");
}

static int
run(struct hf_store *store, const char *word, const char *id)
{
	static const uint8_t sessions[] = { 's', '/' };
	struct hf_entry_info info;
	enum hf_err e;
	json_t *row;
	int r;

	if (cli_json && (job.rows = json_array()) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", job.uri);
	if (id == NULL) { /* list */
		e = hf_store_list(store,
		    (struct hf_span){ sessions, sizeof(sessions) }, list_one,
		    &info);
		if (e != HF_OK)
			return cli_store_fail(e, store, job.uri);
		if (job.lacks)
			return cli_fail(HF_E_MEMORY, "%s", job.uri);
		return job.rows != NULL ?
		    cli_store_json(json_incref(job.rows), job.uri) :
		    cli_flush();
	}
	if ((r = find(store, id)) != CLI_OK)
		return r;
	if (strcmp(word, "evict") == 0)
		return evict(store);
	print_row(&job.found);
	if (job.rows != NULL) {
		row = json_incref(json_array_get(job.rows, 0));
		(void)json_object_set_new(row, "cluster",
		    json_string(job.found.cluster.text));
		(void)json_object_set_new(row, "generation",
		    json_integer(job.found.generation));
		(void)json_object_set_new(row, "bytes",
		    json_integer((json_int_t)job.len));
		return cli_store_json(row, job.uri);
	}
	printf("cluster %s  generation %u  %zu bytes\n",
	    job.found.cluster.text, job.found.generation, job.len);
	return cli_flush();
}

int
cmd_session(int argc, char **argv)
{
	static const struct option options[] = { { "store", required_argument,
						     NULL, 's' },
		{ "json", no_argument, &cli_json, 1 }, { NULL, 0, NULL, 0 } };
	struct hf_store *store = NULL;
	const char *word = argc > 1 ? argv[1] : "";
	int c, r, wants = strcmp(word, "list") != 0;

	if (strcmp(word, "list") != 0 && strcmp(word, "show") != 0 &&
	    strcmp(word, "evict") != 0)
		return cli_no_word(argc, argv, "list, show or evict");
	argc--;
	argv++;
	while ((c = cli_option(argc, argv, ":", options)) != -1)
		if (c == 's')
			job.uri = optarg;
		else
			return cli_bad_option("session", c, argv);
	if (job.uri == NULL)
		return cli_usage("session", "no --store URI");
	if (argc - optind != wants)
		return cli_usage("session", "%s takes %s", word,
		    wants ? "one SESSION" : "no more words");
	if ((r = cli_store_find(&store, job.uri)) == CLI_OK)
		r = run(store, word, wants ? argv[optind] : NULL);
	json_decref(job.rows);
	hf_store_close(store);
	return r;
}
