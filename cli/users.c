/* SPDX-License-Identifier: ISC */
/*
 * The users file: text, a first line with realm and password cost, then a
 * name and the hex of its verifier a line, sorted. It reads, finds and writes
 * them; it never sees a password.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { HEX = 2 * HF_KEY_BYTES };

void
cli_users_free(struct cli_users *users)
{
	if (users == NULL)
		return;
	if (users->user != NULL)
		sodium_memzero(users->user, users->n * sizeof(*users->user));
	free(users->user);
	free(users);
}

/* Written in one way only, so that what is read is what is written. */
int
cli_users_cost(unsigned *mib, unsigned *passes, const char *text, size_t len)
{
	char form[32];
	unsigned a, b;
	int n;

	if (len >= sizeof(form))
		return -1;
	memcpy(form, text, len);
	form[len] = '\0';
	if (sscanf(form, "%4u:%2u", &a, &b) != 2 || a < 64 || a > 1024 ||
	    b < 2 || b > 10)
		return -1;
	n = snprintf(form, sizeof(form), "%u:%u", a, b);
	if (n < 0 || (size_t)n != len || memcmp(form, text, len) != 0)
		return -1;
	*mib = a;
	*passes = b;
	return 0;
}

/* As in a certificate. */
int
cli_users_realm(const char *text, size_t len)
{
	size_t i, n;
	uint32_t c;

	if (len == 0 || len > HF_NAME_MAX)
		return -1;
	for (i = 0; i < len; i += n) {
		n = cli_utf8(&c, text + i, len - i);
		if (n == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == '@')
			return -1;
	}
	return 0;
}

/* `handfast-users 1 realm=R cost=MIB:PASSES`: the realm may hold blanks. */
static int
read_head(struct cli_users *users, const char *line)
{
	static const char magic[] = "handfast-users 1 realm=";
	const char *realm = line + sizeof(magic) - 1, *cost, *next;
	char text[HF_NAME_MAX + 1];

	if (strncmp(line, magic, sizeof(magic) - 1) != 0 ||
	    (cost = strstr(realm, " cost=")) == NULL)
		return -1;
	while ((next = strstr(cost + 1, " cost=")) != NULL)
		cost = next;
	if (cli_users_realm(realm, (size_t)(cost - realm)) != 0)
		return -1;
	memcpy(text, realm, (size_t)(cost - realm));
	text[cost - realm] = '\0';
	if (cli_users_cost(&users->mib, &users->passes, cost + 6,
		strlen(cost + 6)) != 0)
		return -1;
	users->realm.len = strlen(text);
	memcpy(users->realm.text, text, users->realm.len + 1);
	return 0;
}

static int
read_user(struct cli_user *user, const char *line)
{
	const char *hex = strchr(line, ' ');
	size_t got, len = hex == NULL ? 0 : (size_t)(hex - line);

	if (len == 0 || hf_user_check(line, len) != HF_OK ||
	    strlen(hex + 1) != HEX ||
	    sodium_hex2bin(user->verifier, HF_KEY_BYTES, hex + 1, HEX, NULL,
		&got, NULL) != 0 ||
	    got != HF_KEY_BYTES)
		return -1;
	memset(user->name, 0, sizeof(user->name));
	memcpy(user->name, line, len);
	return 0;
}

static int
read_lines(struct cli_users *users, char *text, const char *path)
{
	size_t lines = 0, number = 0;
	struct cli_user *user;
	char *line, *end;

	for (line = text; (line = strchr(line, '\n')) != NULL; line++)
		lines++;
	users->user = calloc(lines + 1, sizeof(*users->user));
	if (users->user == NULL)
		return cli_errno("%s", path);
	for (line = text; *line != '\0'; line = end + 1) {
		number++;
		if ((end = strchr(line, '\n')) == NULL)
			return cli_error(CLI_FORMAT,
			    "%s:%zu: the line has no end", path, number);
		*end = '\0';
		if (number == 1) {
			if (read_head(users, line) == 0)
				continue;
			return cli_error(CLI_FORMAT,
			    "%s:1: not the head of a handfast users file",
			    path);
		}
		/* Counted first: what is refused is wiped like the others. */
		user = &users->user[users->n++];
		if (read_user(user, line) != 0)
			return cli_error(CLI_FORMAT,
			    "%s:%zu: not a name and a verifier", path, number);
		if (users->n > 1 &&
		    memcmp(user[-1].name, user->name, HF_USER_MAX) >= 0)
			return cli_error(CLI_FORMAT,
			    "%s:%zu: not sorted, or a name twice", path,
			    number);
	}
	if (number == 0)
		return cli_error(CLI_FORMAT, "%s: empty", path);
	return CLI_OK;
}

int
cli_load_users(struct cli_users **users, const char *path)
{
	char *text;
	size_t len;
	int result;

	*users = NULL;
	result = cli_read_secret_file(path, CLI_USERS_MAX, &text, &len);
	if (result != CLI_OK)
		return result;
	if (strlen(text) != len)
		result = cli_error(CLI_FORMAT, "%s: holds NUL bytes", path);
	else if ((*users = calloc(1, sizeof(**users))) == NULL)
		result = cli_errno("%s", path);
	else
		result = read_lines(*users, text, path);
	cli_free_file(text, len);
	if (result != CLI_OK) {
		cli_users_free(*users);
		*users = NULL;
	}
	return result;
}

/* 1 when a < b, 2 when they are equal, else 0; looks at every byte. */
static unsigned
compare(const uint8_t a[HF_USER_MAX], const uint8_t b[HF_USER_MAX])
{
	unsigned less = 0, equal = 1, x, y;
	size_t i;

	for (i = 0; i < HF_USER_MAX; i++) {
		x = a[i];
		y = b[i];
		less |= equal & ((x - y) >> 31);
		equal &= 1 ^ (((x ^ y) + 255) >> 8);
	}
	return less | equal << 1;
}

/* A bisection that always runs to its end: how many steps it takes depends on
 * the number of users only, not on whether this one is among them. Nor does
 * what is fetched, or which way the last step goes. */
const uint8_t *
cli_users_find(const struct cli_users *users, const char *name, size_t len)
{
	static const struct cli_user nobody;
	uint8_t wanted[HF_USER_MAX] = { 0 };
	const uint8_t *answer[2] = { NULL, NULL };
	const struct cli_user *at;
	size_t low = 0, step, room;

	if (len == 0 || len > HF_USER_MAX)
		return NULL;
	memcpy(wanted, name, len);
	for (step = 1; step <= users->n / 2;)
		step *= 2;
	for (; step > 0; step /= 2) {
		room = users->n - low;
		at = step < room ? &users->user[low + step] : &nobody;
		/* Go on when at <= wanted: not wanted < at. */
		low += step *
		    ((compare(wanted, at->name) & 1) == 0 && step < room);
	}
	at = users->n > 0 ? &users->user[low] : &nobody;
	answer[1] = at->verifier;
	(void)*(const volatile uint8_t *)at->verifier;
	return answer[compare(wanted, at->name) >> 1];
}

int
cli_users_save(const struct cli_users *users, const char *path,
    enum cli_write how)
{
	size_t i, at, cap = (users->n + 4) * (HF_USER_MAX + HEX + 2);
	char *text;
	int n, result;

	if ((text = malloc(cap)) == NULL)
		return cli_errno("%s", path);
	n = snprintf(text, cap, "handfast-users 1 realm=%s cost=%u:%u\n",
	    users->realm.text, users->mib, users->passes);
	at = n > 0 ? (size_t)n : 0;
	for (i = 0; i < users->n; i++) {
		n = snprintf(text + at, cap - at, "%.*s ", HF_USER_MAX,
		    (const char *)users->user[i].name);
		at += n > 0 ? (size_t)n : 0;
		sodium_bin2hex(text + at, cap - at, users->user[i].verifier,
		    HF_KEY_BYTES);
		at += HEX;
		text[at++] = '\n';
	}
	result = cli_write_file(path, text, at, 0600, how);
	cli_free_file(text, at);
	return result;
}
