/* SPDX-License-Identifier: ISC */
/*
 * handfast cert: asking for certificates and issuing them. It carries files
 * and options to the library and back; verify is in verify.c.
 */
#include <sys/stat.h>

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cadir.h"

#define PEM_REQUEST "HANDFAST CERTIFICATE REQUEST"

/* clang-format off */
const char help_cert[] =
"usage: handfast cert request --identity FILE --subject NAME -o REQ\n"
"       handfast cert issue --ca DIR --request REQ --usage LIST -o CERT\n"
"       handfast cert verify --trust CA.cert CERT\n"
"\n"
"request: asks for a certificate, without showing the key to anybody.\n"
"      --identity FILE      the key ('handfast keygen')\n"
"      --subject NAME       the name to be certified\n"
"      --suite N            a suite the subject has, best first (repeat)\n"
"      --force              replace REQ, if it is a request\n"
"\n"
"issue: certifies the key of a request. What is granted is said here; from\n"
"the request come key, subject (unless --subject) and suites (--suite).\n"
"      --ca DIR             the CA ('handfast ca init')\n"
"      --request REQ        the request\n"
"      --usage LIST         of responder,initiator,ca,server,cluster\n"
"      --name NAME          another name beside the subject (repeat)\n"
"      --days N             valid for N days (365; a ca 3650), or exactly:\n"
"      --not-before T       2026-01-02T03:04:05Z or seconds since 1970\n"
"      --not-after T\n"
"      --realm R            a responder's realm for user names\n"
"      --cluster C          the cluster a server belongs to\n"
"      --password-cost M:P  Argon2id MiB and passes for its users (64:2)\n"
"      --permit-name S      (ca) names it may certify end with S (repeat)\n"
"      --permit-realm R     (ca) realms it may certify (repeat)\n"
"      --path-length N      (ca) CAs that may stand below it (0-3)\n"
"      --force              replace CERT, if it is a certificate\n"
"\n"
"verify: prints what a certificate says, only if it is good.\n"
"      --trust CA.cert      whom to believe (repeat)\n"
"      --revoked LIST       a revocation list (repeat)\n"
"      --usage LIST         uses it must have, all of them\n"
"      --expect NAME        a name it must carry\n"
"      --at T               judge as of that time, not now\n"
"\n"
"  -o, --output FILE        the file to write (- is stdout)\n"
"      --passphrase-file F, --passphrase-fd N   the key's passphrase\n"
"      --allow-readable-key use a key file that others can read\n"
"      --json               words, and what verify prints, as JSON\n"
"\n"
"example:\n"
"  handfast cert request --identity a.key --subject alice -o a.req\n"
"  handfast cert issue --ca ca --request a.req --usage initiator -o a.cert\n"
"  handfast cert verify --trust ca/ca.cert --usage initiator a.cert\n"
"\n"
"exit codes: 0 done, 2 usage, 3 I/O, 4 issuer, signature, name, usage,\n"
"constraint, revoked or stale list, 5 a key that others can read, a wrong\n"
"passphrase, a file that exists or (--force) is another kind, 6 malformed,\n"
"7 expired or not yet valid\n";
/* clang-format on */

enum {
	OPT_FILE = 256,
	OPT_FD,
	OPT_IDENTITY,
	OPT_CA,
	OPT_REQUEST,
	OPT_FORCE,
	OPT_READABLE
};

static const struct option request_options[] = {
	{ "identity", required_argument, NULL, OPT_IDENTITY },
	{ "subject", required_argument, NULL, CLI_OPT_SUBJECT },
	{ "suite", required_argument, NULL, CLI_OPT_SUITE },
	{ "output", required_argument, NULL, 'o' },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "passphrase-file", required_argument, NULL, OPT_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_FD },
	{ "allow-readable-key", no_argument, NULL, OPT_READABLE },
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

static const struct option issue_options[] = {
	{ "ca", required_argument, NULL, OPT_CA },
	{ "request", required_argument, NULL, OPT_REQUEST },
	{ "usage", required_argument, NULL, CLI_OPT_USAGE },
	{ "name", required_argument, NULL, CLI_OPT_NAME },
	{ "subject", required_argument, NULL, CLI_OPT_SUBJECT },
	{ "days", required_argument, NULL, CLI_OPT_DAYS },
	{ "not-before", required_argument, NULL, CLI_OPT_BEFORE },
	{ "not-after", required_argument, NULL, CLI_OPT_AFTER },
	{ "realm", required_argument, NULL, CLI_OPT_REALM },
	{ "cluster", required_argument, NULL, CLI_OPT_CLUSTER },
	{ "password-cost", required_argument, NULL, CLI_OPT_COST },
	{ "permit-name", required_argument, NULL, CLI_OPT_PERMIT_NAME },
	{ "permit-realm", required_argument, NULL, CLI_OPT_PERMIT_REALM },
	{ "path-length", required_argument, NULL, CLI_OPT_PATH_LENGTH },
	{ "suite", required_argument, NULL, CLI_OPT_SUITE },
	{ "output", required_argument, NULL, 'o' },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "passphrase-file", required_argument, NULL, OPT_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_FD },
	{ "allow-readable-key", no_argument, NULL, OPT_READABLE },
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

struct job {
	struct cli_pass pass;
	struct cli_terms terms;
	const char *identity, *ca, *request, *output;
	enum cli_write how;
};

static int
read_options(struct job *job, int argc, char **argv,
    const struct option *options)
{
	int c;

	memset(job, 0, sizeof(*job));
	job->pass.fd = -1;
	cli_terms_init(&job->terms);
	while ((c = cli_option(argc, argv, ":o:", options)) != -1) {
		if (c == '?' || c == ':')
			return cli_bad_option("cert", c, argv);
		if (c == 'o')
			job->output = optarg;
		else if (c == OPT_IDENTITY)
			job->identity = optarg;
		else if (c == OPT_CA)
			job->ca = optarg;
		else if (c == OPT_REQUEST)
			job->request = optarg;
		else if (c == OPT_FORCE)
			job->how = CLI_REPLACE;
		else if (c == OPT_READABLE)
			cli_allow_readable = 1;
		else if (c == OPT_FILE) {
			if (cli_pass_file(&job->pass, optarg) != CLI_OK)
				return CLI_USAGE;
		} else if (c == OPT_FD) {
			if (cli_pass_fd(&job->pass, optarg) != CLI_OK)
				return CLI_USAGE;
		} else if (cli_terms_option(&job->terms, c, optarg) != CLI_OK)
			return CLI_USAGE;
	}
	if (optind < argc)
		return cli_usage("cert", "unexpected word '%s'", argv[optind]);
	if (job->output == NULL)
		return cli_usage("cert", "no -o FILE");
	return CLI_OK;
}

static int
cert_request(int argc, char **argv)
{
	struct hf_identity *id;
	uint8_t request[HF_CERT_MAX];
	struct job job;
	size_t len;
	enum hf_err e;
	int result;

	result = read_options(&job, argc, argv, request_options);
	if (result != CLI_OK)
		return result;
	if (job.identity == NULL)
		return cli_usage("cert", "no --identity FILE");
	if (job.terms.info.subject.len == 0)
		return cli_usage("cert", "no --subject NAME");
	if (job.terms.info.suites_n == 0)
		cli_default_suites(&job.terms.info);
	if (job.how == CLI_REPLACE &&
	    (result = cli_may_replace(job.output, PEM_REQUEST,
		 "--force replaces only certificate requests")) != CLI_OK)
		return result;
	result = cli_load_identity(&id, job.identity, &job.pass);
	if (result != CLI_OK)
		return result;
	e = hf_request_make(request, sizeof(request), &len, id,
	    &job.terms.info, cli_now());
	hf_identity_free(id);
	if (e != HF_OK)
		return cli_fail(e, "%s", job.output);
	return cli_write_pem(job.output, PEM_REQUEST, request, len, 0644,
	    job.how);
}

/* Says in words what the library would only call an argument out of range. */
static int
check_terms(const struct hf_cert_info *info)
{
	unsigned u = info->usage;

	if (u == 0)
		return cli_usage("cert", "no --usage LIST");
	if ((u & (HF_USAGE_CA | HF_USAGE_CLUSTER)) != 0 && u != HF_USAGE_CA &&
	    u != HF_USAGE_CLUSTER)
		return cli_usage("cert",
		    "--usage: ca and cluster stand alone");
	if (u != HF_USAGE_CA &&
	    (info->path_length >= 0 || info->permitted_names_n > 0 ||
		info->permitted_realms_n > 0))
		return cli_usage("cert",
		    "--permit-name, --permit-realm and "
		    "--path-length are for --usage ca");
	if ((u & HF_USAGE_RESPONDER) == 0 && info->cost_mib != 0)
		return cli_usage("cert",
		    "--password-cost is for --usage responder");
	return CLI_OK;
}

static int
load_request(uint8_t request[HF_CERT_MAX], size_t *len,
    struct hf_cert_info *asked, const char *path)
{
	char *text;
	size_t text_len, used;
	enum hf_err e;
	int result;

	result = cli_read_file(path, CLI_TEXT_MAX, &text, &text_len);
	if (result != CLI_OK)
		return result;
	e = hf_pem_decode(request, HF_CERT_MAX, len, &used, PEM_REQUEST, text,
	    text_len);
	if (e == HF_E_SPACE)
		e = HF_E_TOO_BIG;
	if (e == HF_OK)
		e = hf_request_read(asked, request, *len);
	if (e != HF_OK)
		result = cli_fail_file(e, path, text, PEM_REQUEST);
	cli_free_file(text, text_len);
	return result;
}

/* Leaf first, then the CA's own chain as far as it is below the root. */
static int
write_chain(const struct job *job, const struct cadir *ca, const uint8_t *cert,
    size_t cert_len)
{
	size_t cap = (HF_CHAIN_MAX + 1) * (HF_CERT_MAX * 3 / 2 + 256);
	const uint8_t *data = cert;
	struct hf_cert_info info;
	size_t at = 0, i, len = cert_len;
	char *text;
	enum hf_err e = HF_OK;
	int result;

	if ((text = malloc(cap)) == NULL)
		return cli_errno("%s", job->output);
	for (i = 0; e == HF_OK; i++) {
		e = hf_pem_encode(text + at, cap - at, &len, PEM_CERT, data,
		    len);
		at += e == HF_OK ? len : 0;
		if (e != HF_OK || i == ca->chain.n)
			break;
		data = ca->chain.spans[i].ptr;
		len = ca->chain.spans[i].len;
		e = hf_cert_read(&info, data, len);
		if (e == HF_OK && cli_is_root(&info))
			break;
	}
	if (e != HF_OK)
		result = cli_fail(e, "%s", ca->paths.cert);
	else if (i + 1 > HF_CHAIN_MAX)
		result = cli_error(CLI_FORMAT,
		    "%s: with it the chain has more than %d certificates",
		    ca->paths.cert, HF_CHAIN_MAX);
	else
		result = cli_write_file(job->output, text, at, 0644, job->how);
	free(text);
	return result;
}

/* What nobody asked for stays within the CA's own time. */
static void
fit_times(struct cli_terms *terms, const struct hf_cert_info *ca)
{
	struct hf_cert_info *info = &terms->info;

	if (!terms->has_before && info->not_before < ca->not_before &&
	    ca->not_before < info->not_after)
		info->not_before = ca->not_before;
	if (!terms->has_days && !terms->has_after &&
	    info->not_after > ca->not_after &&
	    ca->not_after > info->not_before)
		info->not_after = ca->not_after;
}

static int
issue(struct job *job, const struct cadir *ca)
{
	struct hf_cert_info asked, *info = &job->terms.info;
	uint8_t request[HF_CERT_MAX], cert[HF_CERT_MAX];
	size_t request_len, len;
	enum hf_err e;
	int result;

	memset(&asked, 0, sizeof(asked));
	result = load_request(request, &request_len, &asked, job->request);
	if (result != CLI_OK)
		return result;
	if ((info->usage & (HF_USAGE_CA | HF_USAGE_CLUSTER)) != 0)
		info->suites_n = 0;
	else if (info->suites_n == 0 && asked.suites_n == 0)
		cli_default_suites(info);
	else if (info->suites_n == 0) {
		memcpy(info->suites, asked.suites, sizeof(info->suites));
		info->suites_n = asked.suites_n;
	}
	fit_times(&job->terms, &ca->info);
	e = hf_cert_issue(cert, sizeof(cert), &len, ca->id,
	    ca->chain.spans[0].ptr, ca->chain.spans[0].len, info, request,
	    request_len);
	if (e == HF_E_SPACE)
		return cli_error(CLI_USAGE,
		    "%s: a certificate of more than %d bytes", job->output,
		    HF_CERT_MAX);
	if (e == HF_E_CONSTRAINT)
		return cli_fail(e, "%s", ca->paths.cert);
	if (e != HF_OK)
		return cli_fail(e, "%s", job->output);
	if (info->not_after > ca->info.not_after)
		cli_warn("%s: valid longer than its CA, %s", job->output,
		    ca->paths.cert);
	return write_chain(job, ca, cert, len);
}

/* Other CAs' certificates are replaced as anybody's: theirs are renewed so. */
static int
check_output(const struct job *job, const struct cadir *ca)
{
	struct stat own, there;

	if (job->how != CLI_REPLACE)
		return CLI_OK;
	if (stat(job->output, &there) == 0 &&
	    stat(ca->paths.cert, &own) == 0 && own.st_ino == there.st_ino &&
	    own.st_dev == there.st_dev)
		return cli_error(CLI_POLICY,
		    "%s: the CA's own certificate, not replaced", job->output);
	return cli_may_replace(job->output, PEM_CERT,
	    "--force replaces only certificates");
}

static int
cert_issue(int argc, char **argv)
{
	struct cadir ca;
	struct job job;
	int result;

	result = read_options(&job, argc, argv, issue_options);
	if (result != CLI_OK)
		return result;
	if (job.ca == NULL)
		return cli_usage("cert", "no --ca DIR");
	if (job.request == NULL)
		return cli_usage("cert", "no --request REQ");
	if (check_terms(&job.terms.info) != CLI_OK ||
	    cli_terms_times(&job.terms, "cert",
		job.terms.info.usage == HF_USAGE_CA ? 3650 : 365) != CLI_OK)
		return CLI_USAGE;
	if ((result = cadir_load(&ca, job.ca, &job.pass)) != CLI_OK)
		return result;
	if ((result = check_output(&job, &ca)) == CLI_OK)
		result = issue(&job, &ca);
	cadir_free(&ca);
	return result;
}

int
cmd_cert(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "request") == 0)
		return cert_request(argc - 1, argv + 1);
	if (strcmp(word, "issue") == 0)
		return cert_issue(argc - 1, argv + 1);
	if (strcmp(word, "verify") == 0)
		return cert_verify(argc - 1, argv + 1);
	return cli_no_word(argc, argv, "request, issue or verify");
}
