/* SPDX-License-Identifier: ISC */
/*
 * handfast cert verify: prints what a certificate says, and only when it is
 * good. The judgement is the library's; here stand the options, the printing
 * and what to say about a refusal.
 */
#include <getopt.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cadir.h"

enum { OPT_TRUST = 256, OPT_REVOKED, OPT_USAGE, OPT_EXPECT, OPT_AT };

static const struct option options[] = {
	{ "trust", required_argument, NULL, OPT_TRUST },
	{ "revoked", required_argument, NULL, OPT_REVOKED },
	{ "usage", required_argument, NULL, OPT_USAGE },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "at", required_argument, NULL, OPT_AT },
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

struct job {
	const char *trust[CLI_PATHS_MAX], *revoked[CLI_PATHS_MAX];
	size_t trust_n, revoked_n;
	unsigned usage;
	const char *expect, *cert;
	uint64_t at;
};

static json_t *
text_json(const struct hf_name *name)
{
	return name->len > 0 ? json_string(name->text) : json_null();
}

static json_t *
names_json(const struct hf_name *names, size_t n)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		(void)json_array_append_new(array, text_json(&names[i]));
	return array;
}

static json_t *
info_json(const struct hf_cert_info *info)
{
	json_t *usage = json_array(), *suites = json_array();
	char cti[2 * HF_CTI_BYTES + 1], key[2 * HF_KEY_BYTES + 1];
	unsigned bit;
	size_t i;

	sodium_bin2hex(cti, sizeof(cti), info->cti, HF_CTI_BYTES);
	sodium_bin2hex(key, sizeof(key), info->key, HF_KEY_BYTES);
	for (bit = 1; bit <= HF_USAGE_CLUSTER; bit <<= 1)
		if ((info->usage & bit) != 0)
			(void)json_array_append_new(usage,
			    json_string(cli_usage_word(bit)));
	for (i = 0; i < info->suites_n; i++)
		(void)json_array_append_new(suites,
		    json_integer(info->suites[i]));
	return json_pack("{s:o,s:o,s:o,s:o,s:s,s:s,s:I,s:I,s:I,s:o,s:o,s:o,"
			 "s:o,s:o,s:i}",
	    "subject", text_json(&info->subject), "names",
	    names_json(info->names, info->names_n), "issuer",
	    text_json(&info->issuer), "usage", usage, "id", cti, "key", key,
	    "issued", (json_int_t)info->issued, "not_before",
	    (json_int_t)info->not_before, "not_after",
	    (json_int_t)info->not_after, "suites", suites, "realm",
	    text_json(&info->realm), "cluster", text_json(&info->cluster),
	    "permitted_names",
	    names_json(info->permitted_names, info->permitted_names_n),
	    "permitted_realms",
	    names_json(info->permitted_realms, info->permitted_realms_n),
	    "path_length", info->path_length);
}

static int
print_json(const struct hf_cert_info *info, const struct job *job, size_t n)
{
	json_t *root = info_json(info);
	char *text = NULL;

	if (root != NULL && info->cost_mib != 0)
		(void)json_object_set_new(root, "password_cost",
		    json_pack("[i,i]", (int)info->cost_mib,
			(int)info->cost_passes));
	if (root != NULL &&
	    json_object_set_new(root, "chain", json_integer((json_int_t)n)) ==
		0 &&
	    json_object_set_new(root, "revocation_lists",
		json_integer((json_int_t)job->revoked_n)) == 0)
		text = json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(root);
	if (text == NULL)
		return cli_fail(HF_E_MEMORY, "%s", job->cert);
	printf("%s\n", text);
	free(text);
	return CLI_OK;
}

static void
print_names(const char *word, const struct hf_name *names, size_t n)
{
	char safe[CLI_SAFE(HF_NAME_MAX)];
	size_t i;

	for (i = 0; i < n; i++)
		if (names[i].len > 0)
			printf("%-11s%s\n", word,
			    cli_safe(safe, sizeof(safe), names[i].text));
}

static void
print_text(const struct hf_cert_info *info, const struct job *job, size_t n)
{
	char from[CLI_TIME_TEXT], until[CLI_TIME_TEXT];
	char hex[2 * HF_KEY_BYTES + 1];
	const char *comma = "";
	unsigned bit;
	size_t i;

	print_names("subject:", &info->subject, 1);
	print_names("name:", info->names, info->names_n);
	print_names("issuer:", &info->issuer, 1);
	printf("%-11s", "usage:");
	for (bit = 1; bit <= HF_USAGE_CLUSTER; bit <<= 1)
		if ((info->usage & bit) != 0) {
			printf("%s%s", comma, cli_usage_word(bit));
			comma = ",";
		}
	printf("\n%-11s%s to %s\n",
	    "valid:", cli_time_text(from, info->not_before),
	    cli_time_text(until, info->not_after));
	for (i = 0; i < info->suites_n; i++)
		printf("%-11s%u %s\n", "suite:", info->suites[i],
		    hf_suite_name(info->suites[i]) != NULL ?
			hf_suite_name(info->suites[i]) :
			"(unknown)");
	print_names("realm:", &info->realm, 1);
	print_names("cluster:", &info->cluster, 1);
	if (info->cost_mib != 0)
		printf("%-11s%u:%u\n", "cost:", info->cost_mib,
		    info->cost_passes);
	print_names("permits:", info->permitted_names,
	    info->permitted_names_n);
	print_names("permits:", info->permitted_realms,
	    info->permitted_realms_n);
	if (info->path_length >= 0)
		printf("%-11s%d\n", "below:", info->path_length);
	sodium_bin2hex(hex, sizeof(hex), info->cti, HF_CTI_BYTES);
	printf("%-11s%s\n", "id:", hex);
	sodium_bin2hex(hex, sizeof(hex), info->key, HF_KEY_BYTES);
	printf("%-11s%s\n", "key:", hex);
	printf("%-11s%zu certificate%s against %zu revocation list%s\n",
	    "verified:", n, n == 1 ? "" : "s", job->revoked_n,
	    job->revoked_n == 1 ? "" : "s");
}

/* A name alone says little: what was found instead goes with it. */
static int
refuse(enum hf_err e, const struct job *job, const struct cli_chain *chain)
{
	struct hf_cert_info info;
	char text[CLI_TIME_TEXT];

	if (hf_cert_read(&info, chain->spans[0].ptr, chain->spans[0].len) !=
	    HF_OK)
		return cli_fail(e, "%s", job->cert);
	if (e == HF_E_EXPIRED && info.not_after <= job->at)
		return cli_fail(e, "%s: until %s", job->cert,
		    cli_time_text(text, info.not_after));
	if (e == HF_E_NOT_YET && info.not_before > job->at)
		return cli_fail(e, "%s: from %s", job->cert,
		    cli_time_text(text, info.not_before));
	if (e == HF_E_NAME)
		return cli_fail(e, "%s: subject '%s', expected '%s'",
		    job->cert, info.subject.text, job->expect);
	if (e == HF_E_ISSUER)
		return cli_fail(e, "%s: issuer '%s'", job->cert,
		    info.issuer.text);
	return cli_fail(e, "%s", job->cert);
}

static int
verify(const struct job *job)
{
	struct hf_cert_info info;
	struct hf_trust *trust;
	struct cli_chain chain;
	enum hf_err e;
	int result;

	if ((result = cli_load_trust(&trust, job->trust, job->trust_n,
		 job->revoked, job->revoked_n, job->at)) != CLI_OK)
		return result;
	if ((result = cli_load_chain(&chain, job->cert)) == CLI_OK) {
		e = hf_trust_verify(&info, trust, chain.spans, chain.n,
		    job->usage, job->expect, job->at);
		if (e != HF_OK)
			result = refuse(e, job, &chain);
		else if (cli_json)
			result = print_json(&info, job, chain.n);
		else
			print_text(&info, job, chain.n);
	}
	hf_trust_free(trust);
	return result;
}

int
cert_verify(int argc, char **argv)
{
	struct job job;
	int c, result = CLI_OK;

	memset(&job, 0, sizeof(job));
	job.at = cli_now();
	while (result == CLI_OK &&
	    (c = cli_option(argc, argv, ":", options)) != -1)
		switch (c) {
		case OPT_TRUST:
			result = cli_path(job.trust, &job.trust_n, "--trust",
			    optarg);
			break;
		case OPT_REVOKED:
			result = cli_path(job.revoked, &job.revoked_n,
			    "--revoked", optarg);
			break;
		case OPT_USAGE:
			result = cli_usage_bits(&job.usage, "--usage", optarg);
			break;
		case OPT_EXPECT:
			job.expect = optarg;
			break;
		case OPT_AT:
			result = cli_time(&job.at, "--at", optarg);
			break;
		default:
			result = cli_bad_option("cert", c, argv);
		}
	if (result != CLI_OK)
		return result;
	if (argc - optind != 1)
		return cli_usage("cert", "cert verify takes one CERT");
	if (job.trust_n == 0)
		return cli_usage("cert", "no --trust CA.cert");
	job.cert = argv[optind];
	return verify(&job);
}
