/* SPDX-License-Identifier: ISC */
/*
 * handfast cluster: who may hold a cluster's sessions. It has the cluster's
 * key and the store; what a grant is it leaves to fleet.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cadir.h"
#include "stores.h"

const char help_cluster[] =
    "usage: handfast cluster init --ca DIR --name N --store URI -o X.cert\n"
    "       handfast cluster admit|release|evict --key X.key --store URI\n"
    "                        --cert S.cert [--scope S[=T,...]]\n"
    "       handfast cluster renew --key X.key --store URI\n"
    "       handfast cluster rotate --key X.key --store URI [--scope S]\n"
    "       handfast cluster members --store URI\n"
    "\n"
    "A cluster's servers take each other's sessions over from one store. Its\n"
    "key says which servers may, for a day at a time: let a timer call renew.\n"
    "\n"
    "init     makes the cluster's key (X.key) and certificate (X.cert)\n"
    "admit    gives a server the keys of a scope; again for another one\n"
    "release  ends that for a server that leaves; the others get new keys\n"
    "evict    the same for one that is not to be believed any more: what was\n"
    "         stored until now is refused. Revoke its certificate too\n"
    "renew    fresh grants for all members, for a day\n"
    "rotate   new keys for a scope\n"
    "members  who is in, as the store says\n"
    "\n"
    "      --store URI          lmdb:DIR, redis://..., postgresql://..., @FILE\n"
    "      --key X.key          the cluster's key; X.cert is beside it, and\n"
    "                           X.key.serial: keep it, against old keys\n"
    "      --cert S.cert        a server's certificate: usage responder,server\n"
    "                           and --cluster N\n"
    "      --scope S[=T,...]    a named set of targets (default, every target)\n"
    "      --anew               (admit) in a store that lost all\n"
    "  -o, --output X.cert      a new file\n"
    "      --days N             of the cluster's certificate (3650)\n"
    "      --passphrase-file F  what the CA's key is sealed under (init), or\n"
    "                           the cluster's\n"
    "      --passphrase-fd N    ... from descriptor N\n"
    "      --json               words as JSON; members: an array of objects\n"
    "\n"
    "example:\n"
    "  handfast cluster init --ca ca --name web --store lmdb:/run/web -o "
    "web.cert\n"
    "  handfast cluster admit --key web.key --store lmdb:/run/web --cert "
    "a.cert\n"
    "\n"
    "exit codes: 0 done, 2 usage, 3 I/O, 5 refused, 6 malformed, 8 the store\n";

enum {
	OPT_CA = 256,
	OPT_NAME,
	OPT_STORE,
	OPT_KEY,
	OPT_CERT,
	OPT_SCOPE,
	OPT_DAYS,
	OPT_FILE,
	OPT_FD,
	OPT_ANEW
};

static const struct option options[] = { { "ca", required_argument, NULL,
					     OPT_CA },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "scope", required_argument, NULL, OPT_SCOPE },
	{ "anew", no_argument, NULL, OPT_ANEW },
	{ "days", required_argument, NULL, OPT_DAYS },
	{ "output", required_argument, NULL, 'o' },
	{ "passphrase-file", required_argument, NULL, OPT_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_FD },
	{ "json", no_argument, &cli_json, 1 }, { NULL, 0, NULL, 0 } };

static struct {
	const char *ca, *store, *key, *cert, *output;
	struct hf_name name;
	struct hf_keygrant scope; /* its name and targets */
	uint64_t days;
	struct cli_pass pass;
	int scope_given, anew;
} args;

static int
add_target(const char *text, size_t len)
{
	struct hf_name *t;

	if (args.scope.target_n == HF_SCOPE_TARGETS_MAX)
		return cli_usage("cluster", "--scope: at most %d targets",
		    HF_SCOPE_TARGETS_MAX);
	if (len > HF_NAME_MAX)
		return cli_usage("cluster", "--scope: a target is too long");
	t = &args.scope.target[args.scope.target_n++];
	memcpy(t->text, text, len);
	t->text[len] = '\0';
	t->len = len;
	return CLI_OK;
}

/* NAME or NAME=TARGET,TARGET */
static int
set_scope(const char *text)
{
	size_t len = strcspn(text, "=");
	const char *at = text + len, *end;
	int r;

	if (len == 0 || len > 60 || memchr(text, '/', len) != NULL)
		return cli_usage("cluster",
		    "--scope %s: a name of 1 to 60 bytes without '/'", text);
	memcpy(args.scope.scope.text, text, len);
	args.scope.scope.text[len] = '\0';
	args.scope.scope.len = len;
	args.scope.target_n = 0;
	args.scope_given = 1;
	while (*at != '\0') {
		at++;
		end = at + strcspn(at, ",");
		if ((r = add_target(at, (size_t)(end - at))) != CLI_OK)
			return r;
		at = end;
	}
	return CLI_OK;
}

static int
take_option(int c)
{
	switch (c) {
	case OPT_CA:
		args.ca = optarg;
		return CLI_OK;
	case OPT_NAME:
		return cli_name(&args.name, "--name", optarg);
	case OPT_STORE:
		args.store = optarg;
		return CLI_OK;
	case OPT_KEY:
		args.key = optarg;
		return CLI_OK;
	case OPT_CERT:
		args.cert = optarg;
		return CLI_OK;
	case OPT_SCOPE:
		return set_scope(optarg);
	case OPT_ANEW:
		args.anew = 1;
		return CLI_OK;
	case OPT_DAYS:
		return cli_number(&args.days, "--days", optarg, 1, 36500);
	case OPT_FILE:
		return cli_pass_file(&args.pass, optarg);
	case OPT_FD:
		return cli_pass_fd(&args.pass, optarg);
	case 'o':
		args.output = optarg;
		return CLI_OK;
	default:
		return CLI_USAGE;
	}
}

static int
read_options(int argc, char **argv)
{
	int c, r;

	args.pass = (struct cli_pass)CLI_PASS_NONE;
	args.days = 3650;
	(void)set_scope("default");
	args.scope_given = 0;
	while ((c = cli_option(argc, argv, ":o:", options)) != -1) {
		if (c == '?' || c == ':')
			return cli_bad_option("cluster", c, argv);
		if ((r = take_option(c)) != CLI_OK)
			return r;
	}
	if (optind < argc)
		return cli_usage("cluster", "unexpected word '%s'",
		    argv[optind]);
	if (args.store == NULL)
		return cli_usage("cluster", "no --store URI");
	return CLI_OK;
}

/* X.key and X.cert stand beside each other. */
static int
beside(char out[4096], const char *path, const char *from, const char *to)
{
	size_t len = strlen(path), n = strlen(from);

	if (len <= n || len + 8 > 4096 || strcmp(path + len - n, from) != 0)
		return cli_usage("cluster", "%s: the name must end in %s",
		    path, from);
	memcpy(out, path, len - n);
	memcpy(out + len - n, to, strlen(to) + 1);
	return CLI_OK;
}

/* --- init ------------------------------------------------------------------------------- */

static int
write_chain(const struct cadir *ca, const uint8_t *cert, size_t len)
{
	char text[CLI_TEXT_MAX];
	size_t at = 0, used, i;
	enum hf_err e;

	e = hf_pem_encode(text, sizeof(text), &used, PEM_CERT, cert, len);
	for (at = used, i = 0;
	     e == HF_OK && i < ca->chain.n && !cli_is_root(&ca->info); i++) {
		e = hf_pem_encode(text + at, sizeof(text) - at, &used,
		    PEM_CERT, ca->chain.spans[i].ptr, ca->chain.spans[i].len);
		at += used;
	}
	if (e != HF_OK)
		return cli_fail(e, "%s", args.output);
	return cli_write_file(args.output, text, at, 0644, CLI_NEW);
}

static int
certify(const struct cadir *ca, const struct hf_identity *id)
{
	uint8_t request[HF_CERT_MAX], cert[HF_CERT_MAX];
	struct hf_cert_info *info = calloc(1, sizeof(*info));
	size_t request_len, len;
	enum hf_err e = HF_E_MEMORY;
	int r = CLI_OK;

	if (info != NULL) {
		info->subject = args.name;
		cli_default_suites(info);
		e = hf_request_make(request, sizeof(request), &request_len, id,
		    info, cli_now());
		info->suites_n = 0;
		info->usage = HF_USAGE_CLUSTER;
		info->path_length = -1;
		info->issued = info->not_before = cli_now();
		info->not_after = info->issued + args.days * 86400;
		if (info->not_after > ca->info.not_after)
			info->not_after = ca->info.not_after;
	}
	if (e == HF_OK)
		e = hf_cert_issue(cert, sizeof(cert), &len, ca->id,
		    ca->chain.spans[0].ptr, ca->chain.spans[0].len, info,
		    request, request_len);
	free(info);
	if (e != HF_OK)
		return cli_fail(e, "%s", args.output);
	return r == CLI_OK ? write_chain(ca, cert, len) : r;
}

static int
make_files(const struct cadir *ca, const char *key)
{
	struct cli_secret none = { NULL, 0 };
	struct hf_identity *id;
	enum hf_err e;
	int r;

	if ((e = hf_identity_new(&id, NULL)) != HF_OK)
		return cli_fail(e, "a new identity");
	if ((r = cli_save_identity(id, key, &none)) == CLI_OK &&
	    (r = certify(ca, id)) != CLI_OK)
		(void)unlink(key);
	hf_identity_free(id);
	return r;
}

static int
cluster_init(void)
{
	struct hf_store *store = NULL;
	struct cadir *ca;
	char key[4096];
	int r;

	if (args.ca == NULL || args.name.len == 0 || args.output == NULL)
		return cli_usage("cluster",
		    "init needs --ca DIR, --name N "
		    "and -o X.cert");
	if ((r = beside(key, args.output, ".cert", ".key")) != CLI_OK)
		return r;
	if ((ca = calloc(1, sizeof(*ca))) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", args.ca);
	/* A store that does not work is no beginning. */
	if ((r = cli_store_open(&store, args.store)) == CLI_OK &&
	    (r = cadir_load(ca, args.ca, &args.pass)) == CLI_OK)
		r = make_files(ca, key);
	hf_store_close(store);
	cadir_free(ca);
	free(ca);
	return r;
}

/* --- changes ------------------------------------------------------------------------------ */

struct opened {
	struct hf_store *store;
	struct hf_identity *id;
	struct cli_chain chain, server;
	struct hf_cluster *cluster;
	struct cli_serial serial;
	int said; /* why a change was not made */
	int lock; /* the key, from before that is read until the end */
};

/* Of a change that was not made. */
static int
fail(enum hf_err e, const struct opened *o, const char *what)
{
	int r;

	if (o->said)
		return CLI_IO;
	if (e != HF_E_FENCED) {
		r = cli_store_fail(e, o->store, what);
		if (e == HF_E_ROLLBACK)
			cli_hint("the store has an older ring than %s.serial "
				 "says, or none: is it that one? See --anew "
				 "in handfast(1)",
			    args.key);
		return r;
	}
	(void)cli_error(CLI_STORE,
	    "%s: the cluster was changed again and again meanwhile", what);
	cli_hint("somebody with the same key is at work elsewhere: try again");
	return CLI_STORE;
}

static enum hf_err
remember(void *arg, uint64_t used)
{
	struct opened *o = arg;

	o->serial.used = used;
	o->said = cli_serial_write(args.key, &o->serial) != CLI_OK;
	return o->said ? HF_E_IO : HF_OK;
}

static int
open_all(struct opened *o)
{
	struct hf_cert_info *info;
	char cert[4096];
	enum hf_err e;
	int r;

	if (args.key == NULL)
		return cli_usage("cluster", "no --key X.key");
	if ((r = beside(cert, args.key, ".key", ".cert")) != CLI_OK ||
	    (r = cli_load_identity(&o->id, args.key, &args.pass)) != CLI_OK ||
	    (r = cli_load_chain(&o->chain, cert)) != CLI_OK ||
	    (r = cli_store_open(&o->store, args.store)) != CLI_OK)
		return r;
	if ((info = calloc(1, sizeof(*info))) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", cert);
	r = cli_load_leaf(info, &o->chain, cert);
	args.scope.cluster = info->subject;
	free(info);
	/* Nobody waits for who is asked for a passphrase. */
	if (r != CLI_OK ||
	    (r = cli_serial_lock(&o->lock, args.key)) != CLI_OK ||
	    (r = cli_serial_read(&o->serial, args.key)) != CLI_OK)
		return r;
	e = hf_cluster_open(&o->cluster, o->store, o->id, o->chain.spans[0],
	    cli_now(), o->serial.seen);
	if (e != HF_OK)
		return fail(e, o, cert);
	hf_cluster_remember(o->cluster, o->serial.used, remember, o);
	if (args.anew)
		hf_cluster_anew(o->cluster);
	return CLI_OK;
}

static void
close_all(struct opened *o)
{
	hf_cluster_close(o->cluster);
	hf_store_close(o->store);
	hf_identity_free(o->id);
	if (o->lock != -1)
		(void)close(o->lock);
	free(o);
}

/* Whom a grant would help: a server of this cluster. */
static int
check_server(struct opened *o)
{
	struct hf_cert_info *info;
	int r;

	if (args.cert == NULL)
		return cli_usage("cluster", "no --cert S.cert");
	if ((r = cli_load_chain(&o->server, args.cert)) != CLI_OK)
		return r;
	if ((info = calloc(1, sizeof(*info))) == NULL)
		return cli_fail(HF_E_MEMORY, "%s", args.cert);
	r = cli_load_leaf(info, &o->server, args.cert);
	if (r == CLI_OK && (info->usage & HF_USAGE_SERVER) == 0)
		r = cli_fail(HF_E_USAGE, "%s", args.cert);
	else if (r == CLI_OK &&
	    strcmp(info->cluster.text, args.scope.cluster.text) != 0)
		r = cli_error(CLI_PEER, "%s is for cluster '%s', not '%s'",
		    args.cert, info->cluster.text, args.scope.cluster.text);
	free(info);
	return r;
}

static int
granted(enum hf_err e, const struct opened *o, size_t n, const char *what)
{
	if (e != HF_OK)
		return fail(e, o, what);
	if (cli_json)
		return cli_store_json(json_pack("{s:I}", "grants",
					  (json_int_t)n),
		    what);
	printf("%zu grants\n", n);
	return cli_flush();
}

static int
change(struct opened *o, const char *word)
{
	enum hf_err e;
	size_t n = 0;
	int r = CLI_OK;

	if (strcmp(word, "renew") == 0) {
		e = hf_cluster_renew(o->cluster, &n);
		return granted(e, o, n, word);
	}
	if (strcmp(word, "rotate") == 0) {
		e = hf_cluster_rotate(o->cluster, args.scope.scope.text, 0,
		    &n);
		if (e == HF_E_NO_SESSION)
			return cli_error(CLI_USAGE, "there is no scope '%s'",
			    args.scope.scope.text);
		return granted(e, o, n, args.scope.scope.text);
	}
	if ((r = check_server(o)) != CLI_OK)
		return r;
	if (strcmp(word, "admit") == 0)
		e = hf_cluster_admit(o->cluster, o->server.spans[0],
		    &args.scope);
	else
		e = hf_cluster_remove(o->cluster, o->server.spans[0],
		    strcmp(word, "evict") == 0);
	if (e == HF_E_ARG)
		return cli_error(CLI_USAGE,
		    "scope '%s' has other targets already",
		    args.scope.scope.text);
	if (e == HF_E_NO_SESSION)
		return cli_error(CLI_USAGE, "%s is no member", args.cert);
	return e == HF_OK ? CLI_OK : fail(e, o, args.cert);
}

int
cmd_cluster(int argc, char **argv)
{
	static const char *const words[] = { "init", "admit", "release",
		"evict", "renew", "rotate", "members" };
	const char *word = argc > 1 ? argv[1] : "";
	size_t i, n = sizeof(words) / sizeof(words[0]);
	struct opened *o;
	uint64_t seen;
	int r;

	for (i = 0; i < n && strcmp(word, words[i]) != 0; i++)
		continue;
	if (i == n)
		return cli_no_word(argc, argv,
		    "init, admit, release, evict, renew, rotate or members");
	if ((r = read_options(argc - 1, argv + 1)) != CLI_OK)
		return r;
	if (args.anew && strcmp(word, "admit") != 0)
		return cli_usage("cluster", "--anew is for admit");
	if (strcmp(word, "init") == 0)
		return cluster_init();
	if (strcmp(word, "members") == 0)
		return cluster_members(args.store);
	if ((o = calloc(1, sizeof(*o))) == NULL)
		return cli_fail(HF_E_MEMORY, "cluster");
	o->lock = -1;
	if ((r = open_all(o)) == CLI_OK) {
		r = change(o, word);
		seen = hf_cluster_serial(o->cluster);
		if (seen > o->serial.seen) {
			o->serial.seen = seen;
			if (cli_serial_write(args.key, &o->serial) != CLI_OK)
				r = CLI_IO;
		}
	}
	close_all(o);
	return r;
}
