/* SPDX-License-Identifier: ISC */
/*
 * A file of peers: from libconfuse's words to entries, each judged as far as
 * that goes without connecting. Paths in it begin at the file's directory. It
 * knows no agent; what the files hold that it names credentials.c knows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "peers.h"

static enum hf_err
fault(char why[HF_WHY_MAX], const struct hf__entry *p, const char *what)
{
	return hf__why(why, HF_E_CONFIG, "peer %s: %s", p->name, what);
}

static enum hf_err
no_memory(char why[HF_WHY_MAX])
{
	return hf__why(why, HF_E_MEMORY, "out of memory");
}

/* --- words ---------------------------------------------------------------------------- */

/* A copy; as a path (dir is not NULL) it begins at the file's directory. NULL
 * when memory ran out. */
static char *
copy(const char *word, const char *dir)
{
	char *whole;

	if (dir == NULL || *word == '/')
		return strdup(word);
	return asprintf(&whole, "%s%s", dir, word) == -1 ? NULL : whole;
}

/* A word, or NULL. */
static enum hf_err
text(char **out, cfg_t *cfg, const char *name, const char *dir,
    char why[HF_WHY_MAX])
{
	const char *said = cfg_getstr(cfg, name);

	if (said == NULL || *said == '\0')
		return HF_OK;
	*out = copy(said, dir);
	return *out == NULL ? no_memory(why) : HF_OK;
}

static enum hf_err
list(char **out, size_t *n, size_t most, cfg_t *cfg, const char *name,
    const char *dir, const struct hf__entry *p, char why[HF_WHY_MAX])
{
	size_t i, said = cfg_size(cfg, name);

	if (said > most)
		return hf__why(why, HF_E_CONFIG, "peer %s: %s: more than %zu",
		    p->name, name, most);
	for (i = 0; i < said; i++) {
		out[i] = copy(cfg_getnstr(cfg, name, (unsigned)i), dir);
		if (out[i] == NULL)
			return no_memory(why);
		++*n;
	}
	return HF_OK;
}

static enum hf_err
number(uint64_t *out, cfg_t *cfg, const char *name, long least, long most,
    const struct hf__entry *p, char why[HF_WHY_MAX])
{
	long said = cfg_getint(cfg, name);

	if (said < least || said > most)
		return hf__why(why, HF_E_CONFIG, "peer %s: %s: not %ld to %ld",
		    p->name, name, least, most);
	*out = (uint64_t)said;
	return HF_OK;
}

/* A unix socket's path begins at the file's directory too. */
static enum hf_err
whole_addresses(struct hf__entry *p, const char *dir, char why[HF_WHY_MAX])
{
	char *whole;
	size_t i;

	for (i = 0; i < p->addresses_n; i++) {
		if (strncmp(p->address[i], "unix:", 5) != 0 ||
		    p->address[i][5] == '/')
			continue;
		if (asprintf(&whole, "unix:%s%s", dir, p->address[i] + 5) ==
		    -1)
			return no_memory(why);
		free(p->address[i]);
		p->address[i] = whole;
	}
	return HF_OK;
}

/* --- one peer ------------------------------------------------------------------------------ */

/* What must go together, before any file is opened. */
static enum hf_err
judge(const struct hf__entry *p, char why[HF_WHY_MAX])
{
	int tokens = (p->identity != NULL || p->certificate != NULL) +
	    (p->user != NULL || p->password_file != NULL) +
	    (p->ticket != NULL);
	size_t i;

	if (p->addresses_n == 0)
		return fault(why, p, "no address");
	for (i = 0; i < p->addresses_n; i++)
		if (!hf_address_looks(p->address[i]))
			return hf__why(why, HF_E_CONFIG,
			    "peer %s: address %.*s: not HOST:PORT or unix:PATH",
			    p->name, HF_WHY_MAX / 4, p->address[i]);
	if (p->trust_n == 0)
		return fault(why, p, "no trust");
	if (tokens != 1)
		return fault(why, p,
		    "one of identity with certificate, user with "
		    "password-file, ticket");
	if ((p->identity == NULL) != (p->certificate == NULL))
		return fault(why, p, "identity and certificate go together");
	if ((p->user == NULL) != (p->password_file == NULL))
		return fault(why, p, "user and password-file go together");
	if (p->realm != NULL && strchr(p->realm, '@') != NULL)
		return fault(why, p, "a realm has no @");
	if (p->user != NULL && p->expect == NULL && p->realm == NULL)
		return fault(why, p,
		    "a password is sent only to one who was named: expect, or "
		    "realm");
	return HF_OK;
}

static enum hf_err
read_numbers(struct hf__entry *p, cfg_t *cfg, char why[HF_WHY_MAX])
{
	enum { HOUR = 3600000, WEEK = 7 * 86400 };
	uint64_t idle = 0, of_process = 0, of_user = 0;
	enum hf_err e;

	if ((e = number(&idle, cfg, "idle", 0, WEEK, p, why)) != HF_OK ||
	    (e = number(&p->connect_ms, cfg, "connect-ms", 10, HOUR, p,
		 why)) != HF_OK ||
	    (e = number(&p->retry_ms, cfg, "retry-ms", 0, HOUR, p, why)) !=
		HF_OK ||
	    (e = number(&of_process, cfg, "channels", 1, HF_CHANNELS_MAX, p,
		 why)) != HF_OK ||
	    (e = number(&of_user, cfg, "user-channels", 1, HF_CHANNELS_MAX, p,
		 why)) != HF_OK)
		return e;
	p->idle_ms = idle * 1000;
	p->channels = (unsigned)of_process;
	p->user_channels = (unsigned)of_user;
	p->dispatched = cfg_getbool(cfg, "dispatched");
	return HF_OK;
}

static enum hf_err
read_peer(struct hf__entry *p, cfg_t *cfg, const char *dir,
    char why[HF_WHY_MAX])
{
	const char *title = cfg_title(cfg);
	enum hf_err e;

	if (!hf__wire_peer(title, strlen(title)))
		return hf__why(why, HF_E_CONFIG,
		    "peer: a name is 1 to 64 of [A-Za-z0-9._-]");
	memcpy(p->name, title, strlen(title) + 1);
	if ((e = list(p->address, &p->addresses_n, HF__ADDRESSES, cfg,
		 "address", NULL, p, why)) != HF_OK ||
	    (e = whole_addresses(p, dir, why)) != HF_OK ||
	    (e = list(p->trust, &p->trust_n, HF__FILES, cfg, "trust", dir, p,
		 why)) != HF_OK ||
	    (e = list(p->revoked, &p->revoked_n, HF__FILES, cfg, "revoked",
		 dir, p, why)) != HF_OK ||
	    (e = text(&p->expect, cfg, "expect", NULL, why)) != HF_OK ||
	    (e = text(&p->realm, cfg, "realm", NULL, why)) != HF_OK ||
	    (e = text(&p->target, cfg, "target", NULL, why)) != HF_OK ||
	    (e = text(&p->identity, cfg, "identity", dir, why)) != HF_OK ||
	    (e = text(&p->certificate, cfg, "certificate", dir, why)) !=
		HF_OK ||
	    (e = text(&p->user, cfg, "user", NULL, why)) != HF_OK ||
	    (e = text(&p->password_file, cfg, "password-file", dir, why)) !=
		HF_OK ||
	    (e = text(&p->ticket, cfg, "ticket", dir, why)) != HF_OK ||
	    (e = text(&p->known, cfg, "responder-certificate", dir, why)) !=
		HF_OK ||
	    (e = read_numbers(p, cfg, why)) != HF_OK ||
	    (e = hf__entry_read_allowed(p, cfg, why)) != HF_OK)
		return e;
	return judge(p, why);
}

static void
free_list(char **item, size_t n)
{
	while (n > 0)
		free(item[--n]);
}

static void
free_entry(struct hf__entry *p)
{
	hf__entry_unload(p);
	free_list(p->address, p->addresses_n);
	free_list(p->trust, p->trust_n);
	free_list(p->revoked, p->revoked_n);
	free(p->expect);
	free(p->realm);
	free(p->target);
	free(p->identity);
	free(p->certificate);
	free(p->user);
	free(p->password_file);
	free(p->ticket);
	free(p->known);
}

/* --- the file ------------------------------------------------------------------------------ */

/* What stands before the peers. */
static enum hf_err
read_top(struct hf_peers *f, cfg_t *cfg, char why[HF_WHY_MAX])
{
	const char *at = cfg_getstr(cfg, "socket");
	const char *user = cfg_getstr(cfg, "user");
	enum hf_err e;

	if (at != NULL && (*at != '/' || strlen(at) >= sizeof(f->socket)))
		return hf__why(why, HF_E_CONFIG, "socket: not a whole path");
	if (at != NULL)
		memcpy(f->socket, at, strlen(at) + 1);
	if (user != NULL && strlen(user) >= sizeof(f->user))
		return hf__why(why, HF_E_CONFIG, "user: too long");
	if (user != NULL)
		memcpy(f->user, user, strlen(user) + 1);
	f->log_json = cfg_getbool(cfg, "log-json");
	f->sandbox = cfg_getbool(cfg, "sandbox");
	e = text(&f->store, cfg, "store", f->dir, why);
	return e == HF_OK ?
	    text(&f->store_key, cfg, "store-key", f->dir, why) :
	    e;
}

static enum hf_err
read_all(struct hf_peers *f, cfg_t *cfg, const char *only,
    char why[HF_WHY_MAX])
{
	unsigned i, n = cfg_size(cfg, "peer");
	enum hf_err e;
	cfg_t *peer;

	if ((e = read_top(f, cfg, why)) != HF_OK || f->top_only)
		return e;
	if (n > HF_PEERS_MAX)
		return hf__why(why, HF_E_CONFIG, "more than 64 peers");
	for (i = 0; i < n; i++) {
		peer = cfg_getnsec(cfg, "peer", i);
		if (only != NULL && strcmp(cfg_title(peer), only) != 0)
			continue;
		f->entry[f->n].file = f;
		/* Counted first: what was read of it is freed. */
		e = read_peer(&f->entry[f->n++], peer, f->dir, why);
		if (e == HF_OK)
			e = hf__entry_load(&f->entry[f->n - 1], why);
		if (e != HF_OK)
			return e;
	}
	if (f->n > 0)
		return HF_OK;
	return only != NULL ?
	    hf__why(why, HF_E_POLICY, "there is no peer %s", only) :
	    hf__why(why, HF_E_CONFIG, "there is no peer in it");
}

static enum hf_err
parse(struct hf_peers *f, const char *body, size_t len, const char *only,
    char why[HF_WHY_MAX])
{
	cfg_opt_t peer[] = { CFG_STR_LIST("address", NULL, CFGF_NONE),
		CFG_STR_LIST("trust", NULL, CFGF_NONE),
		CFG_STR_LIST("revoked", NULL, CFGF_NONE),
		CFG_STR("expect", NULL, CFGF_NONE),
		CFG_STR("realm", NULL, CFGF_NONE),
		CFG_STR("target", NULL, CFGF_NONE),
		CFG_STR("identity", NULL, CFGF_NONE),
		CFG_STR("certificate", NULL, CFGF_NONE),
		CFG_STR("user", NULL, CFGF_NONE),
		CFG_STR("password-file", NULL, CFGF_NONE),
		CFG_STR("ticket", NULL, CFGF_NONE),
		CFG_STR("responder-certificate", NULL, CFGF_NONE),
		CFG_BOOL("dispatched", cfg_false, CFGF_NONE),
		CFG_INT("idle", 300, CFGF_NONE),
		CFG_INT("connect-ms", 10000, CFGF_NONE),
		CFG_INT("retry-ms", 10000, CFGF_NONE),
		CFG_INT("channels", 64, CFGF_NONE),
		CFG_INT("user-channels", 256, CFGF_NONE),
		CFG_STR_LIST("users", NULL, CFGF_NONE),
		CFG_STR_LIST("groups", NULL, CFGF_NONE), CFG_END() };
	cfg_opt_t top[] = { CFG_STR("socket", NULL, CFGF_NONE),
		CFG_STR("store", NULL, CFGF_NONE),
		CFG_STR("store-key", NULL, CFGF_NONE),
		CFG_STR("user", NULL, CFGF_NONE),
		CFG_BOOL("log-json", cfg_false, CFGF_NONE),
		CFG_BOOL("sandbox", cfg_true, CFGF_NONE),
		CFG_SEC("peer", peer,
		    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END() };
	struct hf_conf_fault fault;
	enum hf_err e;
	cfg_t *cfg;

	e = hf_conf_parse(&cfg, top, body, len, &fault);
	if (e != HF_OK)
		return fault.line == 0 ?
		    hf__why(why, e, "%s", fault.what) :
		    hf__why(why, e, "line %d: %s", fault.line, fault.what);
	e = read_all(f, cfg, only, why);
	hf_conf_free(cfg);
	return e;
}

/* With its slash; "" for the present one. */
static char *
directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strndup(path, slash == NULL ? 0 : (size_t)(slash + 1 - path));
}

static enum hf_err
read_file(struct hf_peers **peers, const char *path, const char *only,
    int top_only, char why[HF_WHY_MAX])
{
	char reason[HF_WHY_MAX] = "";
	struct hf_peers *f;
	enum hf_err e;
	size_t len;
	char *body;

	if ((e = hf__file_read(&body, &len, path, HF_CONF_MAX, 0, why)) !=
	    HF_OK)
		return e;
	if ((f = calloc(1, sizeof(*f))) == NULL ||
	    (f->dir = directory(path)) == NULL) {
		free(f);
		hf__file_free(body, len);
		return no_memory(why);
	}
	f->refs = 1;
	f->top_only = top_only;
	e = parse(f, body, len, only, reason);
	hf__file_free(body, len);
	if (e == HF_OK) {
		*peers = f;
		return HF_OK;
	}
	hf_peers_free(f);
	return hf__why(why, e, "%s: %.*s", path, HF_WHY_MAX / 2, reason);
}

enum hf_err
hf_peers_read(struct hf_peers **peers, const char *path, const char *only,
    char why[HF_WHY_MAX])
{
	return read_file(peers, path, only, 0, why);
}

enum hf_err
hf_peers_read_top(struct hf_peers **peers, const char *path,
    char why[HF_WHY_MAX])
{
	return read_file(peers, path, NULL, 1, why);
}

void
hf_peers_free(struct hf_peers *f)
{
	if (f == NULL || --f->refs > 0)
		return;
	while (f->n > 0)
		free_entry(&f->entry[--f->n]);
	free(f->store);
	free(f->store_key);
	free(f->dir);
	free(f);
}

const char *
hf_peers_socket(const struct hf_peers *f)
{
	return f->socket;
}

const char *
hf_peers_store(const struct hf_peers *f)
{
	return f->store == NULL ? "" : f->store;
}

const char *
hf_peers_store_key(const struct hf_peers *f)
{
	return f->store_key == NULL ? "" : f->store_key;
}

int
hf_peers_log_json(const struct hf_peers *f)
{
	return f->log_json;
}

const char *
hf_peers_user(const struct hf_peers *f)
{
	return f->user;
}

int
hf_peers_sandbox(const struct hf_peers *f)
{
	return f->sandbox;
}

int
hf_peers_for_others(const struct hf_peers *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->entry[i].everyone || f->entry[i].uids_n > 0 ||
		    f->entry[i].gids_n > 0)
			return 1;
	return 0;
}

struct hf__entry *
hf__peers_find(struct hf_peers *f, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (strlen(f->entry[i].name) == len &&
		    memcmp(f->entry[i].name, name, len) == 0)
			return &f->entry[i];
	return NULL;
}
