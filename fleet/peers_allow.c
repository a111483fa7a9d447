/* SPDX-License-Identifier: ISC */
/*
 * Who may have a peer of the file from an agent: names become numbers when the
 * file is read, and nobody is asked for them later.
 */
#include <sys/types.h>

#include <confuse.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers.h"

enum { NAMES_TEXT = 1 << 14 };

static int
as_number(unsigned long *out, const char *word)
{
	char *end;

	if (*word < '0' || *word > '9')
		return 0;
	errno = 0;
	*out = strtoul(word, &end, 10);
	return errno == 0 && *end == '\0' && *out < UINT32_MAX;
}

static enum hf_err
read_user(struct hf__entry *p, const char *word, char why[HF_WHY_MAX])
{
	struct passwd pw, *found = NULL;
	char room[NAMES_TEXT];
	unsigned long n;

	if (strcmp(word, "*") == 0) {
		p->everyone = 1;
		return HF_OK;
	}
	if (as_number(&n, word)) {
		p->uid[p->uids_n++] = (uid_t)n;
		return HF_OK;
	}
	if (getpwnam_r(word, &pw, room, sizeof(room), &found) != 0 ||
	    found == NULL)
		return hf__why(why, HF_E_CONFIG,
		    "peer %s: users: there is no user %s", p->name, word);
	p->uid[p->uids_n++] = pw.pw_uid;
	return HF_OK;
}

static enum hf_err
read_group(struct hf__entry *p, const char *word, char why[HF_WHY_MAX])
{
	struct group gr, *found = NULL;
	char room[NAMES_TEXT];
	unsigned long n;

	if (as_number(&n, word)) {
		p->gid[p->gids_n++] = (gid_t)n;
		return HF_OK;
	}
	if (getgrnam_r(word, &gr, room, sizeof(room), &found) != 0 ||
	    found == NULL)
		return hf__why(why, HF_E_CONFIG,
		    "peer %s: groups: there is no group %s", p->name, word);
	p->gid[p->gids_n++] = gr.gr_gid;
	return HF_OK;
}

enum hf_err
hf__entry_read_allowed(struct hf__entry *p, struct cfg_t *cfg,
    char why[HF_WHY_MAX])
{
	unsigned i, users = cfg_size(cfg, "users"),
		    groups = cfg_size(cfg, "groups");
	enum hf_err e = HF_OK;

	if (users > HF__ALLOWED || groups > HF__ALLOWED)
		return hf__why(why, HF_E_CONFIG,
		    "peer %s: more than 64 users, or groups", p->name);
	for (i = 0; e == HF_OK && i < users; i++)
		e = read_user(p, cfg_getnstr(cfg, "users", i), why);
	for (i = 0; e == HF_OK && i < groups; i++)
		e = read_group(p, cfg_getnstr(cfg, "groups", i), why);
	return e;
}

int
hf__entry_allows(const struct hf__entry *p, const struct hf__who *who)
{
	size_t i, k;

	if (p->everyone || who->uid == geteuid())
		return 1;
	for (i = 0; i < p->uids_n; i++)
		if (p->uid[i] == who->uid)
			return 1;
	for (i = 0; i < p->gids_n; i++) {
		if (p->gid[i] == who->gid)
			return 1;
		for (k = 0; k < who->groups_n; k++)
			if (p->gid[i] == who->group[k])
				return 1;
	}
	return 0;
}
