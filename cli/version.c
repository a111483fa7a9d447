/* SPDX-License-Identifier: ISC */
/*
 * handfast version: what this build is made of and can do here.
 */
#include <getopt.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

/* Macros only: the library itself is seen by nobody above proto/. */
#include <cbor/configuration.h>

#include "cli.h"

#define SUITE_LAST 64

/* clang-format off */
const char help_version[] =
"usage: handfast version [--json]\n"
"\n"
"Prints the versions of the program, the protocol and the libraries below,\n"
"and the suites: those that this build and this processor can run, and\n"
"those that they lack.\n"
"\n"
"exit codes: 0 done, 2 usage, 3 I/O\n";
/* clang-format on */

static const struct option options[] = {
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

static void
cbor_version(char *out, size_t cap)
{
	(void)snprintf(out, cap, "%d.%d.%d", CBOR_MAJOR_VERSION,
	    CBOR_MINOR_VERSION, CBOR_PATCH_VERSION);
}

static int
print_json(void)
{
	char cbor[32];
	json_t *root, *suites = json_array();
	char *text;
	int suite;

	cbor_version(cbor, sizeof(cbor));
	for (suite = 1; suite <= SUITE_LAST; suite++)
		if (hf_suite_name(suite) != NULL)
			(void)json_array_append_new(suites,
			    json_pack("{s:i,s:s,s:b}", "suite", suite, "name",
				hf_suite_name(suite), "available",
				hf_suite_available(suite)));
	root = json_pack("{s:s,s:i,s:o,s:s,s:s}", "version", hf_version(),
	    "protocol", (int)HF_VERSION_PROTOCOL, "suites", suites,
	    "libsodium", sodium_version_string(), "libcbor", cbor);
	text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (text == NULL)
		return cli_fail(HF_E_MEMORY, "version");
	printf("%s\n", text);
	free(text);
	return CLI_OK;
}

int
cmd_version(int argc, char **argv)
{
	char cbor[32];
	int c, suite;

	if ((c = cli_option(argc, argv, ":", options)) != -1)
		return cli_bad_option("version", c, argv);
	if (optind < argc)
		return cli_usage("version", "unexpected word '%s'",
		    argv[optind]);
	if (cli_json)
		return print_json();
	cbor_version(cbor, sizeof(cbor));
	printf("handfast %s\n", hf_version());
	printf("protocol handfast/%d\n", (int)HF_VERSION_PROTOCOL);
	for (suite = 1; suite <= SUITE_LAST; suite++)
		if (hf_suite_name(suite) != NULL)
			printf("suite %d %s%s\n", suite, hf_suite_name(suite),
			    hf_suite_available(suite) ?
				"" :
				" (not available here)");
	printf("libsodium %s\n", sodium_version_string());
	printf("libcbor %s\n", cbor);
	return CLI_OK;
}
