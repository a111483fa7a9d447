/* SPDX-License-Identifier: ISC */
/*
 * handfast cluster members: who is in a cluster, as its store says, which is
 * believed by nobody else. It needs no key and opens nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stores.h"

struct table {
	json_t *rows; /* NULL: text */
	int lacks;    /* memory for one of them */
};

/* What the store says may be no text. */
static json_t *
row(const struct hf_member *m, const struct hf_cert_info *info)
{
	char name[CLI_SAFE(HF_NAME_MAX)], until[CLI_TIME_TEXT];
	json_t *scopes = json_array();
	size_t i;

	for (i = 0; i < m->scope_n; i++)
		if (json_array_append_new(scopes,
			json_string(cli_safe(name, sizeof(name),
			    m->scope[i].text))) != 0) {
			json_decref(scopes);
			return NULL;
		}
	return json_pack("{s:s,s:s,s:s,s:o}", "id", m->id, "name",
	    cli_safe(name, sizeof(name), info->subject.text), "until",
	    cli_time_text(until, info->not_after), "scopes", scopes);
}

static void
show(const struct hf_member *m, const struct hf_cert_info *info)
{
	char name[CLI_SAFE(HF_NAME_MAX)], until[CLI_TIME_TEXT];
	size_t i;

	(void)cli_time_text(until, info->not_after);
	printf("%.16s  %s  until %s ", m->id,
	    cli_safe(name, sizeof(name), info->subject.text), until);
	for (i = 0; i < m->scope_n; i++)
		printf(" %s", cli_safe(name, sizeof(name), m->scope[i].text));
	putchar('\n');
}

static int
each(void *arg, const struct hf_member *m)
{
	struct hf_cert_info *info = calloc(1, sizeof(*info));
	struct table *t = arg;

	if (info == NULL)
		t->lacks = 1;
	else if (hf_cert_read(info, m->cert, m->cert_len) == HF_OK) {
		if (t->rows == NULL)
			show(m, info);
		else if (json_array_append_new(t->rows, row(m, info)) != 0)
			t->lacks = 1;
	}
	free(info);
	return !t->lacks;
}

int
cluster_members(const char *uri)
{
	struct hf_store *store = NULL;
	struct table t = { NULL, 0 };
	enum hf_err e;
	int r;

	if (cli_json && (t.rows = json_array()) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", uri);
	if ((r = cli_store_find(&store, uri)) == CLI_OK) {
		if ((e = hf_cluster_members(store, each, &t)) == HF_OK &&
		    t.lacks)
			e = HF_E_MEMORY;
		if (e != HF_OK)
			r = cli_store_fail(e, store, uri);
		else
			r = t.rows == NULL ?
			    cli_flush() :
			    cli_store_json(json_incref(t.rows), uri);
	}
	json_decref(t.rows);
	hf_store_close(store);
	return r;
}
