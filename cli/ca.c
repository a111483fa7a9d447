/* SPDX-License-Identifier: ISC */
/*
 * handfast ca: the directory of a certificate authority. DIR/ca.key and
 * DIR/ca.cert are made once; DIR/ca.list is the last revocation list, and so
 * the memory of what was revoked and of the list's number. It issues nothing:
 * that is cert.c.
 */
#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "cadir.h"

/* clang-format off */
const char help_ca[] =
"usage: handfast ca init DIR --name NAME [options]\n"
"       handfast ca revoke DIR [CERT...] -o LIST [options]\n"
"\n"
"init makes a certificate authority: DIR/ca.key (its private key, mode 0600)\n"
"and DIR/ca.cert (what others trust by --trust).\n"
"\n"
"      --name NAME          the CA's name, the issuer in its certificates\n"
"      --days N             valid for N days (3650), or exactly:\n"
"      --not-before T       2026-01-02T03:04:05Z or seconds since 1970\n"
"      --not-after T\n"
"      --permit-name S      certify only names that end with S (repeat)\n"
"      --permit-realm R     certify only this realm (repeat)\n"
"      --path-length N      CAs that may stand below it in a chain (0-3)\n"
"\n"
"revoke adds certificates to the CA's revocation list and writes it for\n"
"those who verify (--revoked). Without CERT it renews the list: do that\n"
"before the old one runs out, since an outdated list refuses everybody.\n"
"A root's own certificate is refused: no list has an effect on it.\n"
"\n"
"  -o, --output LIST        the list for others; replaced when it is one\n"
"      --days N             to be used for N days (30), or exactly:\n"
"      --next-update T      until T\n"
"\n"
"      --passphrase-file F  the key's passphrase: first line of F\n"
"      --passphrase-fd N    ... from descriptor N\n"
"      --passphrase         (init) ask for one on the terminal\n"
"      --allow-readable-key (revoke) use a key file that others can read\n"
"      --json               words as JSON\n"
"\n"
"A CA below another: keygen -o sub/ca.key, 'cert request', then the upper\n"
"CA's 'cert issue --usage ca' -o sub/ca.cert.\n"
"\n"
"example:\n"
"  handfast ca init ca --name 'My CA'\n"
"  handfast ca revoke ca alice.cert -o my.list\n"
"\n"
"exit codes: 0 done, 2 usage, 3 I/O, 4 a certificate of another CA, 5 a key\n"
"that others can read, a wrong passphrase, a file that exists or\n"
"holds something else, a root's own certificate, 6 malformed\n";
/* clang-format on */

enum { OPT_NAME = 256, OPT_FILE, OPT_FD, OPT_ASK, OPT_NEXT, OPT_READABLE };

static const struct option init_options[] = {
	{ "name", required_argument, NULL, OPT_NAME },
	{ "days", required_argument, NULL, CLI_OPT_DAYS },
	{ "not-before", required_argument, NULL, CLI_OPT_BEFORE },
	{ "not-after", required_argument, NULL, CLI_OPT_AFTER },
	{ "permit-name", required_argument, NULL, CLI_OPT_PERMIT_NAME },
	{ "permit-realm", required_argument, NULL, CLI_OPT_PERMIT_REALM },
	{ "path-length", required_argument, NULL, CLI_OPT_PATH_LENGTH },
	{ "passphrase-file", required_argument, NULL, OPT_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_FD },
	{ "passphrase", no_argument, NULL, OPT_ASK },
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

static const struct option revoke_options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "days", required_argument, NULL, CLI_OPT_DAYS },
	{ "next-update", required_argument, NULL, OPT_NEXT },
	{ "passphrase-file", required_argument, NULL, OPT_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_FD },
	{ "allow-readable-key", no_argument, NULL, OPT_READABLE },
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

/* Key first, so that no certificate stands there without its key. */
static int
init_files(const struct cadir_paths *paths, const struct hf_identity *id,
    const struct cli_secret *secret, const struct hf_cert_info *info)
{
	uint8_t cert[HF_CERT_MAX];
	size_t len;
	enum hf_err e;
	int result;

	if ((e = hf_cert_self(cert, sizeof(cert), &len, id, info)) != HF_OK)
		return cli_fail(e, "%s", paths->cert);
	result = cli_save_identity(id, paths->key, secret);
	if (result != CLI_OK)
		return result;
	result =
	    cli_write_pem(paths->cert, PEM_CERT, cert, len, 0644, CLI_NEW);
	if (result != CLI_OK)
		(void)unlink(paths->key);
	return result;
}

static int
init_dir(const char *dir, const struct hf_cert_info *info,
    const struct cli_pass *pass, int ask)
{
	struct cadir_paths paths;
	struct hf_identity *id = NULL;
	struct cli_secret secret;
	enum hf_err e;
	int result;

	if ((result = cadir_paths(&paths, dir)) != CLI_OK)
		return result;
	if (access(paths.key, F_OK) == 0) {
		(void)cli_error(CLI_POLICY, "%s: exists, not overwritten",
		    paths.key);
		cli_hint("choose another DIR; who trusts this CA trusts its "
			 "key");
		return CLI_POLICY;
	}
	if ((result = cli_pass_new(&secret, pass, ask)) != CLI_OK)
		return result;
	if (mkdir(dir, 0755) == -1 && errno != EEXIST)
		result = cli_errno("%s", dir);
	else if ((e = hf_identity_new(&id, NULL)) != HF_OK)
		result = cli_fail(e, "a new identity");
	else
		result = init_files(&paths, id, &secret, info);
	hf_identity_free(id);
	cli_secret_free(&secret);
	return result;
}

static int
ca_init(int argc, char **argv)
{
	struct cli_pass pass = CLI_PASS_NONE;
	struct cli_terms terms;
	int ask = 0, c;

	cli_terms_init(&terms);
	while ((c = cli_option(argc, argv, ":", init_options)) != -1)
		switch (c) {
		case OPT_NAME:
			if (cli_name(&terms.info.subject, "--name", optarg) !=
			    CLI_OK)
				return CLI_USAGE;
			break;
		case OPT_FILE:
			if (cli_pass_file(&pass, optarg) != CLI_OK)
				return CLI_USAGE;
			break;
		case OPT_FD:
			if (cli_pass_fd(&pass, optarg) != CLI_OK)
				return CLI_USAGE;
			break;
		case OPT_ASK:
			ask = 1;
			break;
		case '?':
		case ':':
			return cli_bad_option("ca", c, argv);
		default:
			if (cli_terms_option(&terms, c, optarg) != CLI_OK)
				return CLI_USAGE;
		}
	if (argc - optind != 1)
		return cli_usage("ca", "ca init takes one DIR");
	if (terms.info.subject.len == 0)
		return cli_usage("ca", "no --name for the CA");
	terms.info.issuer = terms.info.subject;
	terms.info.usage = HF_USAGE_CA;
	if (cli_terms_times(&terms, "ca", 3650) != CLI_OK)
		return CLI_USAGE;
	return init_dir(argv[optind], &terms.info, &pass, ask);
}

/* A list of this CA and of no other; the caller frees it. */
static int
load_own(uint8_t **list, struct hf_list_info *info, const char *path,
    const struct cadir *ca)
{
	size_t len;
	enum hf_err e;
	int result;

	if ((result = cli_load_list(list, &len, path)) != CLI_OK)
		return result;
	if ((e = hf_list_read(info, *list, len)) != HF_OK)
		result = cli_fail(e, "%s", path);
	else if (strcmp(info->issuer.text, ca->info.subject.text) != 0)
		result = cli_error(CLI_PEER, "%s: a list of another CA", path);
	if (result != CLI_OK)
		free(*list);
	return result;
}

/* Fills the ids with those of the last list, if there is one. */
static int
read_state(struct idset *set, uint64_t *number, const struct cadir *ca)
{
	struct hf_list_info info;
	uint8_t cti[HF_CTI_BYTES], *list;
	enum hf_err e;
	size_t i;
	int result;

	*number = 0;
	if (access(ca->paths.list, F_OK) == -1 && errno == ENOENT)
		return CLI_OK;
	if ((result = load_own(&list, &info, ca->paths.list, ca)) != CLI_OK)
		return result;
	for (i = 0; result == CLI_OK && i < info.n; i++) {
		if ((e = hf_list_id(cti, &info, i)) != HF_OK)
			result = cli_fail(e, "%s", ca->paths.list);
		else
			result = idset_add(set, cti);
	}
	if (result == CLI_OK)
		*number = info.number;
	free(list);
	return result;
}

/* Whether a list may be written there: what another CA has revoked may stand
 * nowhere else. */
static int
may_write(const char *output, const struct cadir *ca)
{
	static const char hint[] = "-o replaces only this CA's lists";
	struct hf_list_info info;
	struct stat st;
	uint8_t *list;
	int result;

	if ((result = cli_may_replace(output, PEM_LIST, hint)) != CLI_OK ||
	    strcmp(output, "-") == 0 || stat(output, &st) != 0 ||
	    st.st_size == 0)
		return result;
	if ((result = load_own(&list, &info, output, ca)) == CLI_OK)
		free(list);
	else
		cli_hint("%s", hint);
	return result;
}

static int
write_list(const struct cadir *ca, const struct idset *set, uint64_t number,
    uint64_t next, const char *output)
{
	size_t cap = 1024 + set->n * (1 + HF_CTI_BYTES), len;
	uint8_t *list;
	enum hf_err e;
	int result;

	if ((list = malloc(cap)) == NULL)
		return cli_errno("%s", ca->paths.list);
	e = hf_list_make(list, cap, &len, ca->id, ca->chain.spans[0].ptr,
	    ca->chain.spans[0].len, number, set->ids, set->n, cli_now(), next);
	if (e != HF_OK)
		result = cli_fail(e, "%s", ca->paths.list);
	else if (len > HF_LIST_MAX)
		result = cli_fail(HF_E_TOO_BIG, "%s", ca->paths.list);
	else
		result = cli_write_pem(ca->paths.list, PEM_LIST, list, len,
		    0644, CLI_UPDATE);
	if (result == CLI_OK)
		result = cli_write_pem(output, PEM_LIST, list, len, 0644,
		    CLI_REPLACE);
	free(list);
	return result;
}

static int
revoke_certs(const struct cadir *ca, char **certs, size_t n, uint64_t next,
    const char *output)
{
	struct idset set = { NULL, 0 };
	struct cli_chain chain;
	struct hf_cert_info info;
	uint64_t number = 0;
	size_t i;
	int fd, result;

	if ((result = may_write(output, ca)) != CLI_OK ||
	    (result = cli_lock(&fd, ca->paths.list)) != CLI_OK)
		return result;
	result = read_state(&set, &number, ca);
	for (i = 0; result == CLI_OK && i < n; i++)
		if ((result = cli_load_chain(&chain, certs[i])) == CLI_OK &&
		    (result = cli_load_leaf(&info, &chain, certs[i])) ==
			CLI_OK &&
		    (result = cadir_issued(ca, &chain, certs[i])) == CLI_OK)
			result = idset_add(&set, info.cti);
	if (result == CLI_OK) {
		idset_sort(&set);
		result = write_list(ca, &set, number + 1, next, output);
	}
	free(set.ids);
	(void)close(fd);
	return result;
}

static int
ca_revoke(int argc, char **argv)
{
	struct cli_pass pass = CLI_PASS_NONE;
	struct cadir ca;
	const char *output = NULL;
	uint64_t days = 30, next = 0;
	int c, result = CLI_OK;

	while (result == CLI_OK &&
	    (c = cli_option(argc, argv, ":o:", revoke_options)) != -1)
		switch (c) {
		case 'o':
			output = optarg;
			break;
		case CLI_OPT_DAYS:
			result = cli_number(&days, "--days", optarg, 1, 36500);
			break;
		case OPT_NEXT:
			result = cli_time(&next, "--next-update", optarg);
			break;
		case OPT_FILE:
			result = cli_pass_file(&pass, optarg);
			break;
		case OPT_FD:
			result = cli_pass_fd(&pass, optarg);
			break;
		case OPT_READABLE:
			cli_allow_readable = 1;
			break;
		default:
			result = cli_bad_option("ca", c, argv);
		}
	if (result != CLI_OK)
		return result;
	if (argc - optind < 1)
		return cli_usage("ca", "ca revoke takes a DIR");
	if (output == NULL)
		return cli_usage("ca", "no -o LIST");
	if (next == 0)
		next = cli_now() + days * 86400;
	else if (next <= cli_now())
		return cli_error(CLI_USAGE, "--next-update is in the past");
	if ((result = cadir_load(&ca, argv[optind], &pass)) != CLI_OK)
		return result;
	result = revoke_certs(&ca, argv + optind + 1,
	    (size_t)(argc - optind - 1), next, output);
	cadir_free(&ca);
	return result;
}

int
cmd_ca(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "init") == 0)
		return ca_init(argc - 1, argv + 1);
	if (strcmp(word, "revoke") == 0)
		return ca_revoke(argc - 1, argv + 1);
	return cli_no_word(argc, argv, "init or revoke");
}
