/* SPDX-License-Identifier: ISC */
/*
 * handfast agent status and close: asks an agent that runs.
 */
#include <getopt.h>
#include <jansson.h>
#include <string.h>

#include "agenting.h"

static const char *
word_of(enum hf_agent_state state)
{
	return state == HF_AGENT_OPENING ? "opening" :
	    state == HF_AGENT_OPEN	 ? "open" :
	    state == HF_AGENT_BROKEN	 ? "broken" :
					   "down";
}

static void
sid_text(char out[2 * HF_SID_BYTES + 1], const struct hf_agent_peer *p)
{
	size_t i;

	*out = '\0';
	if (p->state != HF_AGENT_OPEN && p->state != HF_AGENT_BROKEN)
		return;
	for (i = 0; i < HF_SID_BYTES; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", p->sid[i]);
}

/* Once, and not before there is an answer. */
static void
head(int *said)
{
	if (!*said)
		(void)printf("%-20s %-8s %8s %10s %10s %8s  %s\n", "PEER",
		    "STATE", "CHANNELS", "OPENED", "HANDSHAKES", "RESUMES",
		    "SESSION");
	*said = 1;
}

static void
as_line(void *arg, const struct hf_agent_peer *p)
{
	char sid[2 * HF_SID_BYTES + 1];

	head(arg);
	sid_text(sid, p);
	(void)printf("%-20s %-8s %8llu %10llu %10llu %8llu  %.8s%s%s\n",
	    p->name, word_of(p->state), (unsigned long long)p->channels,
	    (unsigned long long)p->opened, (unsigned long long)p->handshakes,
	    (unsigned long long)p->resumes, sid, *sid != '\0' ? " " : "",
	    p->error == HF_OK ? "" : hf_error_name((int)p->error));
}

static void
as_json(void *arg, const struct hf_agent_peer *p)
{
	char sid[2 * HF_SID_BYTES + 1];

	sid_text(sid, p);
	(void)json_array_append_new(arg,
	    json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "name",
		p->name, "state", word_of(p->state), "sid", sid, "epoch",
		(json_int_t)p->epoch, "channels", (json_int_t)p->channels,
		"opened", (json_int_t)p->opened, "handshakes",
		(json_int_t)p->handshakes, "resumes", (json_int_t)p->resumes,
		"bytes_in", (json_int_t)p->in, "bytes_out", (json_int_t)p->out,
		"error",
		p->error == HF_OK ? "" : hf_error_name((int)p->error)));
}

static int
status(const char *path)
{
	json_t *root = NULL;
	enum hf_err e;
	char *text;
	int said = 0;

	if (!cli_json) {
		if ((e = hf_agent_status(path, as_line, &said)) != HF_OK)
			return cli_fail(e, "%s", path);
		head(&said);
		return CLI_OK;
	}
	if ((root = json_array()) == NULL)
		return cli_fail(HF_E_MEMORY, "status");
	e = hf_agent_status(path, as_json, root);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (e == HF_OK && text != NULL)
		cli_put_json(stdout, text);
	free(text);
	return e == HF_OK ? CLI_OK : cli_fail(e, "%s", path);
}

static int
close_peer(const char *path, const char *peer)
{
	enum hf_err e = hf_agent_close(path, peer);

	if (e == HF_E_CONFIG)
		return cli_error(CLI_USAGE, "the agent knows no peer '%s'",
		    peer);
	return e == HF_OK ? CLI_OK : cli_fail(e, "%s", path);
}

int
agent_ask(int argc, char **argv)
{
	static const struct option options[] = { { "agent", required_argument,
						     NULL, 'a' },
		{ "json", no_argument, &cli_json, 1 }, { NULL, 0, NULL, 0 } };
	char where[HF_AGENT_PATH];
	const char *word = argv[0], *path = NULL;
	int c, asks = strcmp(word, "status") == 0;

	while ((c = cli_option(argc, argv, ":", options)) != -1)
		switch (c) {
		case 'a':
			path = optarg;
			break;
		default:
			return cli_bad_option("agent", c, argv);
		}
	if (argc - optind != (asks ? 0 : 1))
		return cli_usage("agent", "%s takes %s", word,
		    asks ? "no word more" : "the name of a peer");
	if (path == NULL) {
		if (hf_agent_where(where, 0) != HF_OK)
			return cli_usage("agent", "no --agent PATH");
		path = where;
	}
	return asks ? status(path) : close_peer(path, argv[optind]);
}
