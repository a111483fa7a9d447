/* SPDX-License-Identifier: ISC */
/*
 * The users file: one that is read is sorted, finds each of its users and no
 * other, and is what the program would write; `inspect` takes the same files.
 */
#include "inspect.h"
#include "program.h"

/* As it is written; hex in an input may be of either case. */
static void
check_text(const struct cli_users *users, const uint8_t *data, size_t len)
{
	char line[HF_NAME_MAX + 2 * HF_KEY_BYTES + 80], hex[80];
	size_t i, k, at = 0;
	int n;

	n = snprintf(line, sizeof(line),
	    "handfast-users 1 realm=%s cost=%u:%u\n", users->realm.text,
	    users->mib, users->passes);
	for (i = 0; i <= users->n; i++) {
		CLAIM(n > 0 && (size_t)n <= len - at);
		for (k = 0; k < (size_t)n; k++)
			CLAIM(data[at + k] == (uint8_t)line[k] ||
			    (i > 0 && data[at + k] >= 'A' &&
				data[at + k] <= 'F' &&
				data[at + k] + 32 == line[k]));
		at += (size_t)n;
		if (i == users->n)
			break;
		sodium_bin2hex(hex, sizeof(hex), users->user[i].verifier,
		    HF_KEY_BYTES);
		n = snprintf(line, sizeof(line), "%.*s %s\n", HF_USER_MAX,
		    (const char *)users->user[i].name, hex);
	}
	CLAIM(at == len);
}

static void
check_users(const struct cli_users *users)
{
	const char *name;
	size_t i, len;

	CLAIM(users->mib >= 64 && users->mib <= 1024);
	CLAIM(users->passes >= 2 && users->passes <= 10);
	CLAIM(users->realm.len > 0 && users->realm.len <= HF_NAME_MAX);
	CLAIM(strchr(users->realm.text, '@') == NULL);
	for (i = 0; i < users->n; i++) {
		name = (const char *)users->user[i].name;
		len = strnlen(name, HF_USER_MAX);
		CLAIM(hf_user_check(name, len) == HF_OK);
		CLAIM(i == 0 ||
		    memcmp(users->user[i - 1].name, name, HF_USER_MAX) < 0);
		CLAIM(cli_users_find(users, name, len) ==
		    users->user[i].verifier);
		/* What comes just before it is nobody's. */
		CLAIM(len < 2 ||
		    (i > 0 &&
			strncmp((const char *)users->user[i - 1].name, name,
			    len - 1) == 0) ||
		    cli_users_find(users, name, len - 1) == NULL);
	}
	CLAIM(cli_users_find(users, "NOBODY", 6) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cli_users *users;
	const char *path = program_file(data, len);
	json_t *json = NULL;
	int result, seen;

	program_listen();
	result = cli_load_users(&users, path);
	seen = len == 0 ? CLI_FORMAT :
			  inspect_users(&json, path, (const char *)data, len);
	program_heard();
	CLAIM(result == CLI_OK || result == CLI_FORMAT);
	CLAIM(seen == result);
	program_safe(&said_err);
	if (result == CLI_OK) {
		check_users(users);
		check_text(users, data, len);
	} else
		CLAIM(users == NULL);
	json_decref(json);
	cli_users_free(users);
	program_forget();
	return 0;
}
