/* SPDX-License-Identifier: ISC */
/*
 * handfast ticket: rings of keys that seal tickets, and tickets. What a
 * ticket means is the library's to know; both kinds of file are secrets.
 */
#include <getopt.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* clang-format off */
const char help_ticket[] =
"usage: handfast ticket ring FILE [--rotate]\n"
"       handfast ticket issue --ring FILE --subject S --audience A --ttl T\n"
"                             [--single-use] -o TICKET\n"
"\n"
"A ring holds the keys that seal and open tickets, at most four, newest\n"
"first. Whoever has it can make a ticket for anybody: only responders and\n"
"those who issue need it. 'ring' makes a new one, or with --rotate puts a\n"
"fresh key in front; tickets under a key that falls out are void.\n"
"\n"
"A ticket lets its holder in as S until it expires. Its file is a private\n"
"key: hand it over as you would a password.\n"
"\n"
"      --rotate             the ring exists: add a key\n"
"      --ring FILE          the ring that the responder has too\n"
"      --subject S          whom it names\n"
"      --audience A         a name or cluster in the responder's certificate\n"
"      --ttl T              valid for 90s, 15m, 8h or 30d from now\n"
"      --single-use         good for one session only\n"
"  -o, --output TICKET      a new file, mode 0600; refused when it exists\n"
"      --allow-readable-key use a ring that others can read\n"
"      --json               words as JSON\n"
"\n"
"example:\n"
"  handfast ticket ring ring\n"
"  handfast ticket issue --ring ring --subject alice --audience echo \\\n"
"    --ttl 8h -o alice.ticket\n"
"\n"
"exit codes: 0 done, 2 usage, 3 I/O, 5 a ring that others can read, a file\n"
"that exists, 6 malformed\n";
/* clang-format on */

enum {
	OPT_ROTATE = 256,
	OPT_RING,
	OPT_SUBJECT,
	OPT_AUDIENCE,
	OPT_TTL,
	OPT_SINGLE,
	OPT_READABLE
};

static const struct option ring_options[] = {
	{ "rotate", no_argument, NULL, OPT_ROTATE },
	{ "allow-readable-key", no_argument, NULL, OPT_READABLE },
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

static const struct option issue_options[] = {
	{ "ring", required_argument, NULL, OPT_RING },
	{ "subject", required_argument, NULL, OPT_SUBJECT },
	{ "audience", required_argument, NULL, OPT_AUDIENCE },
	{ "ttl", required_argument, NULL, OPT_TTL },
	{ "single-use", no_argument, NULL, OPT_SINGLE },
	{ "output", required_argument, NULL, 'o' },
	{ "allow-readable-key", no_argument, NULL, OPT_READABLE },
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

static int
write_ring(struct hf_ring *ring, const char *path, enum cli_write how)
{
	char text[4096];
	size_t len;
	enum hf_err e;
	int result;

	if ((e = hf_ring_rotate(ring, cli_now())) != HF_OK ||
	    (e = hf_ring_encode(text, sizeof(text), &len, ring)) != HF_OK)
		result = cli_fail(e, "%s", path);
	else
		result = cli_write_file(path, text, len, 0600, how);
	sodium_memzero(text, sizeof(text));
	return result;
}

static int
make_ring(const char *path, int rotate)
{
	struct hf_ring *ring = NULL;
	enum hf_err e;
	int fd, result;

	if ((result = cli_lock(&fd, path)) != CLI_OK)
		return result;
	if (!rotate && (e = hf_ring_new(&ring)) != HF_OK)
		result = cli_fail(e, "%s", path);
	else if (rotate && (result = cli_load_ring(&ring, path)) == CLI_OK)
		result = cli_may_replace(path, PEM_RING,
		    "the ring that is rotated has a file of its own");
	if (result == CLI_OK)
		result = write_ring(ring, path, rotate ? CLI_UPDATE : CLI_NEW);
	if (result == CLI_POLICY && !rotate)
		cli_hint("--rotate adds a key to a ring that exists");
	hf_ring_free(ring);
	(void)close(fd);
	return result;
}

static int
ticket_ring(int argc, char **argv)
{
	int c, rotate = 0;

	while ((c = cli_option(argc, argv, ":", ring_options)) != -1)
		switch (c) {
		case OPT_ROTATE:
			rotate = 1;
			break;
		case OPT_READABLE:
			cli_allow_readable = 1;
			break;
		default:
			return cli_bad_option("ticket", c, argv);
		}
	if (argc - optind != 1)
		return cli_usage("ticket", "ticket ring takes one FILE");
	return make_ring(argv[optind], rotate);
}

static int
issue(const struct hf_ticket_info *info, const char *ring_path,
    const char *output)
{
	uint8_t ticket[CLI_TICKET_FILE];
	struct hf_ring *ring;
	size_t len;
	enum hf_err e;
	int result;

	if ((result = cli_load_ring(&ring, ring_path)) != CLI_OK)
		return result;
	e = hf_ticket_issue(ticket, sizeof(ticket), &len, ring, info);
	if (e != HF_OK)
		result = cli_fail(e, "%s", output);
	else
		result = cli_write_pem(output, PEM_TICKET, ticket, len, 0600,
		    CLI_NEW);
	sodium_memzero(ticket, sizeof(ticket));
	hf_ring_free(ring);
	return result;
}

static int
check_issue(const struct hf_ticket_info *info, const char *ring,
    const char *output, uint64_t ttl)
{
	if (ring == NULL)
		return cli_usage("ticket", "no --ring FILE");
	if (info->subject.len == 0)
		return cli_usage("ticket", "no --subject S");
	if (info->audience.len == 0)
		return cli_usage("ticket", "no --audience A");
	if (ttl == 0)
		return cli_usage("ticket", "no --ttl T");
	if (output == NULL)
		return cli_usage("ticket", "no -o TICKET");
	return CLI_OK;
}

static int
ticket_issue(int argc, char **argv)
{
	struct hf_ticket_info info;
	const char *ring = NULL, *output = NULL;
	uint64_t ttl = 0;
	int c, result = CLI_OK;

	memset(&info, 0, sizeof(info));
	while (result == CLI_OK &&
	    (c = cli_option(argc, argv, ":o:", issue_options)) != -1)
		switch (c) {
		case 'o':
			output = optarg;
			break;
		case OPT_RING:
			ring = optarg;
			break;
		case OPT_SUBJECT:
			result = cli_name(&info.subject, "--subject", optarg);
			break;
		case OPT_AUDIENCE:
			result =
			    cli_name(&info.audience, "--audience", optarg);
			break;
		case OPT_TTL:
			result = cli_duration(&ttl, "--ttl", optarg);
			break;
		case OPT_SINGLE:
			info.single_use = 1;
			break;
		case OPT_READABLE:
			cli_allow_readable = 1;
			break;
		default:
			result = cli_bad_option("ticket", c, argv);
		}
	if (result == CLI_OK && optind < argc)
		result =
		    cli_usage("ticket", "unexpected word '%s'", argv[optind]);
	if (result == CLI_OK)
		result = check_issue(&info, ring, output, ttl);
	if (result != CLI_OK)
		return result;
	info.issued = info.first_auth = cli_now();
	info.expires = info.limit = info.issued + ttl;
	return issue(&info, ring, output);
}

int
cmd_ticket(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "ring") == 0)
		return ticket_ring(argc - 1, argv + 1);
	if (strcmp(word, "issue") == 0)
		return ticket_issue(argc - 1, argv + 1);
	return cli_no_word(argc, argv, "ring or issue");
}
