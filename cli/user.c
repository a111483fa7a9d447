/* SPDX-License-Identifier: ISC */
/*
 * handfast user: keeps a users file. It stretches passwords as a client does
 * and stores the verifier alone; the file's format is users.c's.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* clang-format off */
const char help_user[] =
"usage: handfast user add --db FILE --realm R [options] NAME\n"
"       handfast user del --db FILE [--realm R] NAME\n"
"       handfast user list --db FILE [--realm R] [--json]\n"
"\n"
"Keeps the file of users that 'handfast respond --users' accepts. It holds\n"
"hashes of stretched passwords: they cannot log in, but guessing at them\n"
"costs one Argon2id a guess, so the file is mode 0600. The first add makes\n"
"it. Names are 1 to 64 of a-z 0-9 . _ @ + -\n"
"\n"
"      --db FILE            the users file\n"
"      --realm R            what the names belong to; the responder's\n"
"                           certificate must say the same\n"
"      --password-cost M:P  Argon2id MiB and passes, 64:2 unless said when\n"
"                           the file is made; the certificate's must match\n"
"      --replace            (add) the user exists: give a new password\n"
"      --passphrase-file F  the password: first line of F (- is stdin)\n"
"      --passphrase-fd N    ... from descriptor N; else the terminal asks\n"
"      --json               (list) print JSON, errors too\n"
"      --allow-readable-key use a file that others can read\n"
"\n"
"example:\n"
"  handfast user add --db users --realm example.org alice\n"
"\n"
"exit codes: 0 done, 2 usage, no such user, another realm or cost, 3 I/O,\n"
"5 a file that others can read, the user exists, 6 malformed\n";
/* clang-format on */

enum {
	OPT_DB = 256,
	OPT_REALM,
	OPT_COST,
	OPT_FILE,
	OPT_FD,
	OPT_REPLACE,
	OPT_READABLE
};

static const struct option options[] = {
	{ "db", required_argument, NULL, OPT_DB },
	{ "realm", required_argument, NULL, OPT_REALM },
	{ "password-cost", required_argument, NULL, OPT_COST },
	{ "passphrase-file", required_argument, NULL, OPT_FILE },
	{ "passphrase-fd", required_argument, NULL, OPT_FD },
	{ "replace", no_argument, NULL, OPT_REPLACE },
	{ "json", no_argument, &cli_json, 1 },
	{ "allow-readable-key", no_argument, NULL, OPT_READABLE },
	{ NULL, 0, NULL, 0 },
};

struct job {
	struct cli_pass pass;
	struct hf_name realm;
	unsigned mib, passes; /* 0: not said */
	const char *db, *name;
	int replace;
};

static int
read_option(struct job *job, int c)
{
	switch (c) {
	case OPT_DB:
		job->db = optarg;
		return CLI_OK;
	case OPT_REALM:
		return cli_realm(&job->realm, "--realm", optarg);
	case OPT_COST:
		return cli_cost(&job->mib, &job->passes, "--password-cost",
		    optarg);
	case OPT_FILE:
		return cli_pass_file(&job->pass, optarg);
	case OPT_FD:
		return cli_pass_fd(&job->pass, optarg);
	case OPT_REPLACE:
		job->replace = 1;
		return CLI_OK;
	case OPT_READABLE:
		cli_allow_readable = 1;
		return CLI_OK;
	}
	return CLI_USAGE;
}

/* What the command line says must be what the file says. */
static int
check_head(const struct cli_users *users, const struct job *job)
{
	if (job->realm.len > 0 &&
	    strcmp(job->realm.text, users->realm.text) != 0)
		return cli_error(CLI_USAGE, "%s: its realm is '%s', not '%s'",
		    job->db, users->realm.text, job->realm.text);
	if (job->mib != 0 &&
	    (job->mib != users->mib || job->passes != users->passes))
		return cli_error(CLI_USAGE,
		    "%s: its password cost is %u:%u, not %u:%u", job->db,
		    users->mib, users->passes, job->mib, job->passes);
	return CLI_OK;
}

static int
new_users(struct cli_users **users, const struct job *job)
{
	if (job->realm.len == 0)
		return cli_usage("user", "a new users file needs --realm R");
	if ((*users = calloc(1, sizeof(**users))) == NULL)
		return cli_errno("%s", job->db);
	(*users)->realm = job->realm;
	(*users)->mib = job->mib != 0 ? job->mib : 64;
	(*users)->passes = job->mib != 0 ? job->passes : 2;
	return CLI_OK;
}

static int
open_users(struct cli_users **users, const struct job *job, int create)
{
	int result;

	*users = NULL;
	if (create && access(job->db, F_OK) == -1 && errno == ENOENT)
		return new_users(users, job);
	result = cli_load_users(users, job->db);
	if (result == CLI_OK && (result = check_head(*users, job)) != CLI_OK) {
		cli_users_free(*users);
		*users = NULL;
	}
	return result;
}

static int
find(const struct cli_users *users, const char *name, size_t *at)
{
	uint8_t wanted[HF_USER_MAX] = { 0 };
	size_t i;
	int order = 1;

	memcpy(wanted, name, strlen(name));
	for (i = 0; i < users->n; i++) {
		order = memcmp(users->user[i].name, wanted, HF_USER_MAX);
		if (order >= 0)
			break;
	}
	*at = i;
	return i < users->n && order == 0;
}

/* A copy, not realloc(): the old memory is wiped when it is let go. */
static int
insert(struct cli_users *users, size_t at, const struct cli_user *user)
{
	struct cli_user *more;

	more = calloc(users->n + 1, sizeof(*more));
	if (more == NULL)
		return cli_errno("the users");
	if (users->n > 0) {
		memcpy(more, users->user, at * sizeof(*more));
		memcpy(more + at + 1, users->user + at,
		    (users->n - at) * sizeof(*more));
		sodium_memzero(users->user, users->n * sizeof(*more));
	}
	more[at] = *user;
	free(users->user);
	users->user = more;
	users->n++;
	return CLI_OK;
}

static int
make_user(struct cli_user *user, const struct cli_users *users,
    const struct job *job, const struct cli_secret *secret)
{
	uint8_t stretched[HF_KEY_BYTES];
	enum hf_err e;

	memset(user, 0, sizeof(*user));
	memcpy(user->name, job->name, strlen(job->name));
	cli_busy("stretching the password: %u MiB, %u passes", users->mib,
	    users->passes);
	e = hf_password_stretch(stretched, secret->text, secret->len,
	    users->realm.text, job->name, users->mib, users->passes);
	if (e == HF_OK)
		e = hf_password_verifier(user->verifier, stretched);
	cli_idle();
	sodium_memzero(stretched, sizeof(stretched));
	if (e != HF_OK)
		return cli_fail(e, "%s: user '%s'", job->db, job->name);
	return CLI_OK;
}

static int
add_locked(struct cli_users *users, const struct job *job,
    const struct cli_secret *secret)
{
	struct cli_user user;
	size_t at;
	int known, result;

	known = find(users, job->name, &at);
	if (known && !job->replace) {
		(void)cli_error(CLI_POLICY, "%s: user '%s' exists", job->db,
		    job->name);
		cli_hint("--replace gives a new password");
		return CLI_POLICY;
	}
	if ((result = make_user(&user, users, job, secret)) == CLI_OK) {
		if (known)
			users->user[at] = user;
		else
			result = insert(users, at, &user);
	}
	if (result == CLI_OK)
		result = cli_users_save(users, job->db, CLI_UPDATE);
	sodium_memzero(&user, sizeof(user));
	return result;
}

static int
user_add(const struct job *job)
{
	struct cli_users *users = NULL;
	struct cli_secret secret;
	int fd, result;

	result = cli_pass_read(&secret, &job->pass, "Password: ", 1);
	if (result != CLI_OK)
		return result;
	if ((result = cli_lock(&fd, job->db)) == CLI_OK) {
		result = open_users(&users, job, 1);
		if (result == CLI_OK && users != NULL)
			result = add_locked(users, job, &secret);
		(void)close(fd);
	}
	cli_users_free(users);
	cli_secret_free(&secret);
	return result;
}

static int
user_del(const struct job *job)
{
	struct cli_users *users = NULL;
	size_t at = 0;
	int fd, result;

	if ((result = cli_lock(&fd, job->db)) != CLI_OK)
		return result;
	result = open_users(&users, job, 0);
	if (result == CLI_OK && !find(users, job->name, &at))
		result = cli_error(CLI_USAGE, "%s: no user '%s'", job->db,
		    job->name);
	if (result == CLI_OK) {
		users->n--;
		memmove(users->user + at, users->user + at + 1,
		    (users->n - at) * sizeof(*users->user));
		sodium_memzero(users->user + users->n, sizeof(*users->user));
		result = cli_users_save(users, job->db, CLI_UPDATE);
	}
	cli_users_free(users);
	(void)close(fd);
	return result;
}

static int
list_json(const struct cli_users *users)
{
	json_t *names = json_array(), *root;
	char *text;
	size_t i;

	for (i = 0; i < users->n; i++)
		(void)json_array_append_new(names,
		    json_stringn((const char *)users->user[i].name,
			strnlen((const char *)users->user[i].name,
			    HF_USER_MAX)));
	root = json_pack("{s:s,s:[i,i],s:o}", "realm", users->realm.text,
	    "password_cost", (int)users->mib, (int)users->passes, "users",
	    names);
	text = root != NULL ?
	    json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII) :
	    NULL;
	json_decref(root);
	if (text == NULL)
		return cli_fail(HF_E_MEMORY, "the users");
	printf("%s\n", text);
	free(text);
	return CLI_OK;
}

static int
user_list(const struct job *job)
{
	struct cli_users *users;
	size_t i;
	int result;

	if ((result = open_users(&users, job, 0)) != CLI_OK)
		return result;
	if (cli_json)
		result = list_json(users);
	else
		for (i = 0; i < users->n; i++)
			printf("%.*s\n", HF_USER_MAX,
			    (const char *)users->user[i].name);
	cli_users_free(users);
	return result;
}

static int
read_words(struct job *job, int argc, char **argv, int named)
{
	int c;

	memset(job, 0, sizeof(*job));
	job->pass.fd = -1;
	job->db = job->name = "";
	while ((c = cli_option(argc, argv, ":", options)) != -1) {
		if (c == '?' || c == ':')
			return cli_bad_option("user", c, argv);
		if (read_option(job, c) != CLI_OK)
			return CLI_USAGE;
	}
	if (*job->db == '\0')
		return cli_usage("user", "no --db FILE");
	if (argc - optind != named)
		return cli_usage("user",
		    named ? "one NAME is needed" : "user list takes no name");
	if (!named)
		return CLI_OK;
	job->name = argv[optind];
	return cli_user_name("user", job->name);
}

int
cmd_user(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	struct job job;
	int (*run)(const struct job *) = NULL;
	int result;

	if (strcmp(word, "add") == 0)
		run = user_add;
	else if (strcmp(word, "del") == 0)
		run = user_del;
	else if (strcmp(word, "list") == 0)
		run = user_list;
	else
		return cli_no_word(argc, argv, "add, del or list");
	result = read_words(&job, argc - 1, argv + 1, run != user_list);
	return result == CLI_OK ? run(&job) : result;
}
