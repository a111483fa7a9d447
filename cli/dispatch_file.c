/* SPDX-License-Identifier: ISC */
/*
 * A dispatcher's configuration file: from libconfuse's words to what the
 * dispatcher takes. It judges what can be judged without beginning.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "dispatching.h"

/* The file that is read: for words about it. */
static const char *where;

static int
fault(const char *what, const char *value)
{
	return cli_error(CLI_FORMAT, "%s: %s: %s", where, what, value);
}

static int
read_name(struct hf_name *name, const char *what, const char *value,
    size_t least)
{
	size_t len = strlen(value);

	if (len < least || len > HF_NAME_MAX)
		return fault(what, "not 1 to 255 bytes");
	memcpy(name->text, value, len + 1);
	name->len = len;
	return CLI_OK;
}

static int
read_address(struct hf_address *at, cfg_t *cfg, const char *server)
{
	struct hf_address found[HF_ADDRESSES_MAX];
	const char *text = cfg_getstr(cfg, "address");
	size_t n;
	int r;

	if (text == NULL)
		return cli_error(CLI_FORMAT, "%s: server %s has no address",
		    where, server);
	if ((r = dispatch_address(found, &n, "address", text)) != CLI_OK)
		return r;
	*at = found[0];
	return CLI_OK;
}

static int
read_key(struct hf_dispatch_server *s, cfg_t *cfg)
{
	const char *path = cfg_getstr(cfg, "certificate");
	struct cli_chain *chain;
	int r;

	if (path == NULL)
		return CLI_OK;
	if ((chain = malloc(sizeof(*chain))) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", path);
	if ((r = cli_load_chain(chain, path)) == CLI_OK) {
		hf_key_id(s->key_id[0], chain->spans[0].ptr,
		    chain->spans[0].len);
		s->keys_n = 1;
	}
	free(chain);
	return r;
}

static int
read_server(struct hf_dispatch_server *s, cfg_t *cfg)
{
	const char *title = cfg_title(cfg), *owner = cfg_getstr(cfg, "owner");
	unsigned i, n = cfg_size(cfg, "targets");
	int r;

	if ((r = read_name(&s->name, "server", title, 1)) != CLI_OK ||
	    (r = read_name(&s->owner, "owner", owner == NULL ? title : owner,
		 1)) != CLI_OK ||
	    (r = read_name(&s->scope, "scope", cfg_getstr(cfg, "scope"), 1)) !=
		CLI_OK ||
	    (r = read_address(&s->at, cfg, title)) != CLI_OK)
		return r;
	if (n > HF_DISPATCH_TARGETS_MAX)
		return fault(title, "more than 64 targets");
	for (i = 0; i < n; i++)
		if ((r = read_name(&s->target[i], "targets",
			 cfg_getnstr(cfg, "targets", i), 0)) != CLI_OK)
			return r;
	s->targets_n = n;
	s->proxy = cfg_getbool(cfg, "proxy");
	return read_key(s, cfg);
}

/* Who is found by its address, or by its name in the store, is one. */
static int
differs(const struct hf_dispatch_server *a, const struct hf_dispatch_server *b)
{
	const char *what = NULL;

	if (a->at.len == b->at.len &&
	    memcmp(&a->at.at, &b->at.at, a->at.len) == 0)
		what = "the same address";
	else if (strcmp(a->owner.text, b->owner.text) == 0)
		what = "the same owner";
	return what == NULL ?
	    CLI_OK :
	    cli_error(CLI_FORMAT, "%s: servers %s and %s have %s", where,
		a->name.text, b->name.text, what);
}

static int
read_servers(struct hf_dispatch_config *c, cfg_t *cfg)
{
	unsigned i, k, n = cfg_size(cfg, "server");
	int r;

	if (n == 0)
		return fault("server", "there is none");
	if (n > HF_DISPATCH_SERVERS_MAX)
		return fault("server", "more than 64 of them");
	for (i = 0; i < n; i++) {
		if ((r = read_server(&c->server[i],
			 cfg_getnsec(cfg, "server", i))) != CLI_OK)
			return r;
		for (k = 0; k < i; k++)
			if ((r = differs(&c->server[k], &c->server[i])) !=
			    CLI_OK)
				return r;
	}
	c->servers_n = n;
	return CLI_OK;
}

/* A number within its bounds. */
static int
number(uint64_t *out, cfg_t *cfg, const char *name, long min, long max)
{
	long value = cfg_getint(cfg, name);

	if (value < min || value > max)
		return cli_error(CLI_FORMAT, "%s: %s: not %ld to %ld", where,
		    name, min, max);
	*out = (uint64_t)value;
	return CLI_OK;
}

static int
read_numbers(struct hf_dispatch_config *c, cfg_t *cfg)
{
	enum { HOUR = 3600000, DAY = 24 * HOUR };
	uint64_t source = 0, conns = 0, rate = 0;
	int r;

	if ((r = number(&c->header_ms, cfg, "header-ms", 100, HOUR)) !=
		CLI_OK ||
	    (r = number(&c->connect_ms, cfg, "connect-ms", 10, HOUR)) !=
		CLI_OK ||
	    (r = number(&c->server_ms, cfg, "server-ms", 100, HOUR)) !=
		CLI_OK ||
	    (r = number(&c->answer_ms, cfg, "answer-ms", 100, HOUR)) !=
		CLI_OK ||
	    (r = number(&c->idle_ms, cfg, "idle-ms", 0, 7L * DAY)) != CLI_OK ||
	    (r = number(&c->health_ms, cfg, "health-ms", 100, HOUR)) !=
		CLI_OK ||
	    (r = number(&c->lookup_ms, cfg, "lookup-ms", 10, 10000)) !=
		CLI_OK ||
	    (r = number(&source, cfg, "source-connections", 1, 1 << 20)) !=
		CLI_OK ||
	    (r = number(&conns, cfg, "connections", 1, 1 << 20)) != CLI_OK ||
	    (r = number(&rate, cfg, "drain-rate", 1, 100000)) != CLI_OK)
		return r;
	c->source_conns = (unsigned)source;
	c->conns = (unsigned)conns;
	c->drain_rate = (unsigned)rate;
	return CLI_OK;
}

static int
read_text(char *out, size_t cap, cfg_t *cfg, const char *name)
{
	const char *text = cfg_getstr(cfg, name);
	int n = snprintf(out, cap, "%s", text == NULL ? "" : text);

	return n < 0 || (size_t)n >= cap ? fault(name, "too long") : CLI_OK;
}

static int
read_all(struct dispatch_file *file, cfg_t *cfg)
{
	const char *balance = cfg_getstr(cfg, "balance"), *one;
	const char *prefer = cfg_getstr(cfg, "prefer");
	unsigned i, n = cfg_size(cfg, "listen");
	int r;

	if (n == 0 || n > DISPATCH_LISTEN_MAX)
		return fault("listen", "not 1 to 8 addresses");
	for (i = 0; i < n; i++) {
		one = cfg_getnstr(cfg, "listen", i);
		if (strlen(one) >= sizeof(file->listen[i]))
			return fault("listen", "too long");
		memcpy(file->listen[i], one, strlen(one) + 1);
	}
	file->listen_n = n;
	if (strcmp(balance, "least") != 0 && strcmp(balance, "hash") != 0)
		return fault("balance", "neither least nor hash");
	file->config.balance =
	    strcmp(balance, "hash") == 0 ? HF_BALANCE_HASH : HF_BALANCE_LEAST;
	if (strcmp(prefer, "transfer") != 0 && strcmp(prefer, "faster") != 0)
		return fault("prefer", "neither transfer nor faster");
	file->config.faster = strcmp(prefer, "faster") == 0;
	file->config.ask = cfg_getbool(cfg, "ask");
	file->log_json = cfg_getbool(cfg, "log-json");
	file->sandbox = cfg_getbool(cfg, "sandbox");
	if ((r = read_text(file->user, sizeof(file->user), cfg, "user")) !=
		CLI_OK ||
	    (r = read_text(file->control, sizeof(file->control), cfg,
		 "control")) != CLI_OK ||
	    (r = read_text(file->store, sizeof(file->store), cfg, "store")) !=
		CLI_OK ||
	    (r = read_text(file->metrics, sizeof(file->metrics), cfg,
		 "metrics")) != CLI_OK ||
	    (r = read_numbers(&file->config, cfg)) != CLI_OK)
		return r;
	return read_servers(&file->config, cfg);
}

int
dispatch_file_read(struct dispatch_file *file, const char *path)
{
	cfg_opt_t server[] = { CFG_STR("address", NULL, CFGF_NONE),
		CFG_STR("owner", NULL, CFGF_NONE),
		CFG_STR("scope", "default", CFGF_NONE),
		CFG_STR("certificate", NULL, CFGF_NONE),
		CFG_BOOL("proxy", cfg_false, CFGF_NONE),
		CFG_STR_LIST("targets", NULL, CFGF_NONE), CFG_END() };
	cfg_opt_t top[] = { CFG_STR_LIST("listen", NULL, CFGF_NONE),
		CFG_STR("control", NULL, CFGF_NONE),
		CFG_STR("metrics", NULL, CFGF_NONE),
		CFG_STR("store", NULL, CFGF_NONE),
		CFG_STR("balance", "least", CFGF_NONE),
		CFG_STR("prefer", "transfer", CFGF_NONE),
		CFG_BOOL("ask", cfg_false, CFGF_NONE),
		CFG_BOOL("log-json", cfg_false, CFGF_NONE),
		CFG_STR("user", NULL, CFGF_NONE),
		CFG_BOOL("sandbox", cfg_true, CFGF_NONE),
		CFG_INT("header-ms", 5000, CFGF_NONE),
		CFG_INT("connect-ms", 2000, CFGF_NONE),
		CFG_INT("server-ms", 5000, CFGF_NONE),
		CFG_INT("answer-ms", 5000, CFGF_NONE),
		CFG_INT("idle-ms", 3600000, CFGF_NONE),
		CFG_INT("health-ms", 5000, CFGF_NONE),
		CFG_INT("lookup-ms", 300, CFGF_NONE),
		CFG_INT("source-connections", 1000, CFGF_NONE),
		CFG_INT("connections", 100000, CFGF_NONE),
		CFG_INT("drain-rate", 100, CFGF_NONE),
		CFG_SEC("server", server,
		    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END() };
	struct hf_conf_fault wrong;
	size_t len;
	char *text;
	cfg_t *cfg;
	int r;

	memset(file, 0, sizeof(*file));
	hf_dispatch_defaults(&file->config);
	where = path;
	if ((r = cli_read_file(path, HF_CONF_MAX, &text, &len)) != CLI_OK)
		return r;
	switch (hf_conf_parse(&cfg, top, text, len, &wrong)) {
	case HF_OK:
		r = read_all(file, cfg);
		break;
	case HF_E_MEMORY:
		r = cli_fail(HF_E_MEMORY, "%s", path);
		break;
	default:
		r = cli_error(CLI_FORMAT, "%s:%d: %s", path, wrong.line,
		    wrong.what);
	}
	hf_conf_free(cfg);
	cli_free_file(text, len);
	return r;
}
