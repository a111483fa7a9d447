/* SPDX-License-Identifier: ISC */
/*
 * The users file for `inspect`: realm, cost and names, the verifiers masked.
 * It reads text that is there already and says at which byte it is wrong;
 * users.c reads it for use.
 */
#include <string.h>

#include "inspect.h"

enum { HEX = 2 * HF_KEY_BYTES };

#define MAGIC "handfast-users 1 realm="
#define MASK "<32 secret bytes>"

struct reading {
	const char *path;
	json_t *users;
	json_t *error; /* --json: the fault */
	char last[HF_USER_MAX + 1];
};

static int
refuse(struct reading *r, size_t off, const char *text)
{
	if (r->users != NULL)
		r->error = json_pack("{s:s,s:I,s:s}", "name",
		    hf_error_name(HF_E_OBJECT), "offset", (json_int_t)off,
		    "text", text);
	return cli_fail(HF_E_OBJECT, "%s: byte %zu: %s", r->path, off, text);
}

/* The last " cost=" of the line: the realm may hold one. */
static const char *
find_cost(const char *line, size_t len)
{
	const char *cost = NULL;
	size_t i;

	for (i = sizeof(MAGIC) - 1; i + 6 <= len; i++)
		if (memcmp(line + i, " cost=", 6) == 0)
			cost = line + i;
	return cost;
}

static int
show_head(json_t *fields, struct reading *r, const char *line, size_t len)
{
	const char *realm = line + sizeof(MAGIC) - 1;
	const char *cost = find_cost(line, len);
	unsigned mib, passes;

	if (len < sizeof(MAGIC) ||
	    memcmp(line, MAGIC, sizeof(MAGIC) - 1) != 0 || cost == NULL)
		return refuse(r, 0, "not the head of a users file");
	if (cli_users_realm(realm, (size_t)(cost - realm)) != 0)
		return refuse(r, sizeof(MAGIC) - 1,
		    "a realm has 1 to 255 bytes of UTF-8, no control "
		    "characters, no @");
	if (cli_users_cost(&mib, &passes, cost + 6,
		(size_t)(line + len - cost) - 6) != 0)
		return refuse(r, (size_t)(cost - line), "not a cost");
	if (fields != NULL) {
		(void)json_object_set_new(fields, "realm",
		    json_stringn(realm, (size_t)(cost - realm)));
		(void)json_object_set_new(fields, "cost",
		    json_pack("[i,i]", (int)mib, (int)passes));
		return CLI_OK;
	}
	fputs("  realm  ", stdout);
	diag_quote(stdout, (const uint8_t *)realm, (size_t)(cost - realm));
	printf("\n  cost   %u MiB, %u passes\n", mib, passes);
	return CLI_OK;
}

static int
show_user(struct reading *r, const char *line, size_t len, size_t off)
{
	const char *hex = memchr(line, ' ', len);
	size_t name = hex == NULL ? 0 : (size_t)(hex - line);
	char user[HF_USER_MAX + 1] = "";

	if (name == 0 || hf_user_check(line, name) != HF_OK)
		return refuse(r, off, "not the name of a user");
	if (len != name + 1 + HEX ||
	    strspn(hex + 1, "0123456789abcdefABCDEF") != HEX)
		return refuse(r, off + name + 1, "not a verifier");
	memcpy(user, line, name);
	if (strcmp(r->last, user) >= 0)
		return refuse(r, off, "not sorted, or a name twice");
	memcpy(r->last, user, sizeof(user));
	if (r->users != NULL)
		(void)json_array_append_new(r->users,
		    json_pack("{s:s,s:s}", "user", user, "verifier", MASK));
	else
		printf("  user   %s  %s\n", user, MASK);
	return CLI_OK;
}

int
inspect_users(json_t **json, const char *path, const char *text, size_t len)
{
	struct reading r = { path, NULL, NULL, "" };
	json_t *fields = NULL;
	const char *end;
	size_t at = 0, line;
	int result = CLI_OK;

	if (json != NULL) {
		fields = json_object();
		r.users = json_array();
	} else
		printf("%zu bytes: users file\n", len);
	for (; result == CLI_OK && at < len; at += line + 1) {
		if ((end = memchr(text + at, '\n', len - at)) == NULL) {
			result = refuse(&r, len, "the last line has no end");
			break;
		}
		line = (size_t)(end - text) - at;
		if (memchr(text + at, '\0', line) != NULL)
			result = refuse(&r, at, "holds a NUL");
		else if (at == 0)
			result = show_head(fields, &r, text, line);
		else
			result = show_user(&r, text + at, line, at);
	}
	if (json == NULL)
		return result;
	(void)json_object_set_new(fields, "users", r.users);
	*json =
	    json_pack("{s:s,s:i,s:I,s:o,s:n}", "type", "users file", "offset",
		0, "length", (json_int_t)len, "fields", fields, "diagnostic");
	if (r.error != NULL)
		(void)json_object_set_new(*json, "error", r.error);
	return result;
}
