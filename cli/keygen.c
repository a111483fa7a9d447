/* SPDX-License-Identifier: ISC */
/*
 * handfast keygen: a new identity in a new file. It knows no certificate.
 */
#include <getopt.h>

#include "cli.h"

/* clang-format off */
const char help_keygen[] =
"usage: handfast keygen [options] -o FILE\n"
"\n"
"Makes an identity: the private key of a person, a program or a machine.\n"
"The file is new, mode 0600, and never leaves its owner: a CA is sent a\n"
"request ('handfast cert request'), not the key.\n"
"\n"
"  -o, --output FILE        the key file; refused when it exists\n"
"      --passphrase-file F  seal it under the first line of F (- is stdin)\n"
"      --passphrase-fd N    ... under the first line from descriptor N\n"
"      --passphrase         ... under one asked for on the terminal\n"
"      --json               words as JSON\n"
"\n"
"Without a passphrase the file alone is the key.\n"
"\n"
"example:\n"
"  handfast keygen -o alice.key\n"
"\n"
"exit codes: 0 done, 2 usage, 3 I/O, 5 the file exists\n";
/* clang-format on */

enum { OPT_FILE = 256, OPT_FD, OPT_ASK };

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "passphrase-file", required_argument, NULL, OPT_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_FD },
	{ "passphrase", no_argument, NULL, OPT_ASK },
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

static int
generate(const char *path, const struct cli_pass *pass, int ask)
{
	struct hf_identity *id = NULL;
	struct cli_secret secret;
	enum hf_err e;
	int result;

	if ((result = cli_pass_new(&secret, pass, ask)) != CLI_OK)
		return result;
	if ((e = hf_identity_new(&id, NULL)) != HF_OK)
		result = cli_fail(e, "a new identity");
	else
		result = cli_save_identity(id, path, &secret);
	hf_identity_free(id);
	cli_secret_free(&secret);
	return result;
}

int
cmd_keygen(int argc, char **argv)
{
	struct cli_pass pass = CLI_PASS_NONE;
	const char *path = NULL;
	int ask = 0, c;

	while ((c = cli_option(argc, argv, ":o:", options)) != -1)
		switch (c) {
		case 'o':
			path = optarg;
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
		default:
			return cli_bad_option("keygen", c, argv);
		}
	if (optind < argc)
		return cli_usage("keygen", "unexpected word '%s'",
		    argv[optind]);
	if (path == NULL)
		return cli_usage("keygen", "no -o FILE");
	return generate(path, &pass, ask);
}
