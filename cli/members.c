/* SPDX-License-Identifier: ISC */
/*
 * handfast cluster members: who is in a cluster, as its store says, which is
 * believed by nobody else. It needs no key and opens nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stores.h"

/* A row, of text or with --json in an array. */
static void
show(json_t *rows, const struct hf_member *m, const struct hf_cert_info *info)
{
	char name[CLI_SAFE(HF_NAME_MAX)], until[CLI_TIME_TEXT];
	json_t *scopes;
	size_t i;

	(void)cli_time_text(until, info->not_after);
	if (rows != NULL) {
		scopes = json_array();
		for (i = 0; i < m->scope_n; i++)
			(void)json_array_append_new(scopes,
			    json_string(m->scope[i].text));
		(void)json_array_append_new(rows,
		    json_pack("{s:s,s:s,s:s,s:o}", "id", m->id, "name",
			info->subject.text, "until", until, "scopes", scopes));
		return;
	}
	printf("%.16s  %s  until %s ", m->id,
	    cli_safe(name, sizeof(name), info->subject.text), until);
	for (i = 0; i < m->scope_n; i++)
		printf(" %s", cli_safe(name, sizeof(name), m->scope[i].text));
	putchar('\n');
}

static int
each(void *rows, const struct hf_member *m)
{
	struct hf_cert_info *info = calloc(1, sizeof(*info));

	if (info != NULL && hf_cert_read(info, m->cert, m->cert_len) == HF_OK)
		show(rows, m, info);
	free(info);
	return 1;
}

int
cluster_members(const char *uri)
{
	struct hf_store *store = NULL;
	json_t *rows = NULL;
	enum hf_err e;
	int r;

	if ((r = cli_store_open(&store, uri)) == CLI_OK) {
		if (cli_json && (rows = json_array()) == NULL)
			r = cli_fail(HF_E_MEMORY, "%s", uri);
		else if ((e = hf_cluster_members(store, each, rows)) != HF_OK)
			r = cli_store_fail(e, store, uri);
		else
			r = rows == NULL ?
			    cli_flush() :
			    cli_store_json(json_incref(rows), uri);
	}
	json_decref(rows);
	hf_store_close(store);
	return r;
}
