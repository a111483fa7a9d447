/* SPDX-License-Identifier: ISC */
/*
 * What a new certificate shall say, gathered from options: names, times,
 * usage, suites, constraints. It knows the words for them and which of them
 * contradict each other; what a CA may grant is the library's to judge.
 */
#include <string.h>

#include "cli.h"

enum { BACKDATED = 300 }; /* so that slightly slow clocks take it */

static const struct {
	unsigned bit;
	const char *word;
} usages[] = { { HF_USAGE_RESPONDER, "responder" },
	{ HF_USAGE_INITIATOR, "initiator" }, { HF_USAGE_CA, "ca" },
	{ HF_USAGE_SERVER, "server" }, { HF_USAGE_CLUSTER, "cluster" } };

enum { USAGES = sizeof(usages) / sizeof(usages[0]) };

const char *
cli_usage_word(unsigned bit)
{
	size_t i;

	for (i = 0; i < USAGES; i++)
		if (usages[i].bit == bit)
			return usages[i].word;
	return "?";
}

int
cli_usage_bits(unsigned *usage, const char *option, const char *text)
{
	const char *word = text;
	size_t i, len;

	*usage = 0;
	for (;;) {
		len = strcspn(word, ",");
		for (i = 0; i < USAGES; i++)
			if (strlen(usages[i].word) == len &&
			    strncmp(usages[i].word, word, len) == 0)
				break;
		if (i == USAGES)
			return cli_error(CLI_USAGE,
			    "%s: '%.*s' is none of "
			    "responder, initiator, ca, server, cluster",
			    option, (int)len, word);
		*usage |= usages[i].bit;
		if (word[len] == '\0')
			return CLI_OK;
		word += len + 1;
	}
}

void
cli_terms_init(struct cli_terms *terms)
{
	memset(terms, 0, sizeof(*terms));
	terms->info.path_length = -1;
}

/* Suite 2 is named even where this processor lacks it: another of the
 * subject's machines may have it, and suite 1 is always there to fall to. */
void
cli_default_suites(struct hf_cert_info *info)
{
	int suite;

	info->suites_n = 0;
	for (suite = 1; suite <= HF_SUITES_MAX; suite++)
		if (suite <= 2 || hf_suite_available(suite))
			info->suites[info->suites_n++] = (uint16_t)suite;
}

typedef int reading(struct hf_name *, const char *option, const char *text);

static int
add_name(struct hf_name names[HF_NAMES_MAX], size_t *n, reading *read,
    const char *option, const char *text)
{
	if (*n == HF_NAMES_MAX)
		return cli_error(CLI_USAGE, "%s: at most %d of them", option,
		    HF_NAMES_MAX);
	return read(&names[(*n)++], option, text);
}

static int
add_suite(struct hf_cert_info *info, const char *text)
{
	uint64_t suite;
	size_t i;

	if (cli_number(&suite, "--suite", text, 1, UINT16_MAX) != CLI_OK)
		return CLI_USAGE;
	if (hf_suite_name((int)suite) == NULL)
		return cli_error(CLI_USAGE, "--suite: there is no suite %s",
		    text);
	for (i = 0; i < info->suites_n; i++)
		if (info->suites[i] == suite)
			return cli_error(CLI_USAGE, "--suite: %s twice", text);
	if (info->suites_n == HF_SUITES_MAX)
		return cli_error(CLI_USAGE, "--suite: at most %d of them",
		    HF_SUITES_MAX);
	info->suites[info->suites_n++] = (uint16_t)suite;
	return CLI_OK;
}

static int
set_path_length(struct hf_cert_info *info, const char *text)
{
	uint64_t n;

	if (cli_number(&n, "--path-length", text, 0, 3) != CLI_OK)
		return CLI_USAGE;
	info->path_length = (int)n;
	return CLI_OK;
}

int
cli_terms_option(struct cli_terms *terms, int option, const char *text)
{
	struct hf_cert_info *info = &terms->info;

	switch (option) {
	case CLI_OPT_NAME:
		return add_name(info->names, &info->names_n, cli_name,
		    "--name", text);
	case CLI_OPT_SUBJECT:
		return cli_name(&info->subject, "--subject", text);
	case CLI_OPT_USAGE:
		return cli_usage_bits(&info->usage, "--usage", text);
	case CLI_OPT_DAYS:
		terms->has_days = 1;
		return cli_number(&terms->days, "--days", text, 1, 36500);
	case CLI_OPT_BEFORE:
		terms->has_before = 1;
		return cli_time(&info->not_before, "--not-before", text);
	case CLI_OPT_AFTER:
		terms->has_after = 1;
		return cli_time(&info->not_after, "--not-after", text);
	case CLI_OPT_REALM:
		return cli_realm(&info->realm, "--realm", text);
	case CLI_OPT_CLUSTER:
		return cli_name(&info->cluster, "--cluster", text);
	case CLI_OPT_COST:
		return cli_cost(&info->cost_mib, &info->cost_passes,
		    "--password-cost", text);
	case CLI_OPT_PERMIT_NAME:
		return add_name(info->permitted_names,
		    &info->permitted_names_n, cli_name, "--permit-name", text);
	case CLI_OPT_PERMIT_REALM:
		return add_name(info->permitted_realms,
		    &info->permitted_realms_n, cli_realm, "--permit-realm",
		    text);
	case CLI_OPT_PATH_LENGTH:
		return set_path_length(info, text);
	case CLI_OPT_SUITE:
		return add_suite(info, text);
	}
	return CLI_USAGE;
}

int
cli_terms_times(struct cli_terms *terms, const char *command, uint64_t days)
{
	struct hf_cert_info *info = &terms->info;
	uint64_t now = cli_now(), from = now;

	if (terms->has_days && terms->has_after)
		return cli_usage(command, "either --days or --not-after");
	info->issued = now;
	if (terms->has_before)
		from = info->not_before;
	else
		info->not_before = now - BACKDATED;
	if (!terms->has_after)
		info->not_after =
		    from + (terms->has_days ? terms->days : days) * 86400;
	else if (!terms->has_before && info->not_after <= info->not_before)
		return cli_usage(command,
		    "--not-after lies in the past: give --not-before too");
	if (info->not_after <= info->not_before)
		return cli_usage(command,
		    "--not-after is not later than --not-before");
	return CLI_OK;
}
