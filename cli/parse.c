/* SPDX-License-Identifier: ISC */
/*
 * Words of the command line to values: times, durations, numbers, names,
 * password costs, addresses. It knows the calendar and the protocol's limits; it opens
 * no file.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "serve.h"

#define TIME_MAX (UINT64_C(1) << 53) /* what a certificate can say */

uint64_t
cli_now(void)
{
	time_t now = time(NULL);

	return now < 0 ? 0 : (uint64_t)now;
}

/* Digits only: strtoull() would take signs and blanks. */
static int
digits(uint64_t *out, const char *text, size_t len, uint64_t max)
{
	uint64_t d, n = 0;
	size_t i;

	if (len == 0)
		return -1;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		d = (uint64_t)(text[i] - '0');
		if (d > max || n > (max - d) / 10)
			return -1;
		n = n * 10 + d;
	}
	*out = n;
	return 0;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar from 1970 on. */
static uint64_t
days_until(uint64_t year, uint64_t month, uint64_t day)
{
	static const unsigned before[12] = { 0, 31, 59, 90, 120, 151, 181, 212,
		243, 273, 304, 334 };
	uint64_t y = month > 2 ? year : year - 1;

	return (year - 1970) * 365 + (y / 4 - y / 100 + y / 400) -
	    (1969 / 4 - 1969 / 100 + 1969 / 400) + before[month - 1] + day - 1;
}

static unsigned
month_days(uint64_t year, uint64_t month)
{
	static const unsigned days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30,
		31, 30, 31 };

	if (month == 2 && year % 4 == 0 &&
	    (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

/* The offset at the end of an RFC 3339 time: Z, or +HH:MM. */
static int
offset(int64_t *out, const char *s)
{
	uint64_t hour, minute;

	*out = 0;
	if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
		return 0;
	if ((*s != '+' && *s != '-') || strlen(s) != 6 || s[3] != ':' ||
	    digits(&hour, s + 1, 2, 23) != 0 ||
	    digits(&minute, s + 4, 2, 59) != 0)
		return -1;
	*out = (int64_t)(hour * 3600 + minute * 60);
	if (*s == '-')
		*out = -*out;
	return 0;
}

static int
calendar(uint64_t *out, const char *s)
{
	uint64_t year, month, day, hour = 0, minute = 0, second = 0;
	int64_t east = 0, t;
	size_t len = strlen(s);

	if (len < 10 || s[4] != '-' || s[7] != '-' ||
	    digits(&year, s, 4, 9999) != 0 || year < 1970 ||
	    digits(&month, s + 5, 2, 12) != 0 || month < 1 ||
	    digits(&day, s + 8, 2, 31) != 0 || day < 1 ||
	    day > month_days(year, month))
		return -1;
	if (len > 10 &&
	    (len < 20 || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') ||
		s[13] != ':' || s[16] != ':' ||
		digits(&hour, s + 11, 2, 23) != 0 ||
		digits(&minute, s + 14, 2, 59) != 0 ||
		digits(&second, s + 17, 2, 60) != 0 ||
		offset(&east, s + 19) != 0))
		return -1;
	t = (int64_t)(days_until(year, month, day) * 86400 + hour * 3600 +
		minute * 60 + second) -
	    east;
	if (t < 0)
		return -1;
	*out = (uint64_t)t;
	return 0;
}

int
cli_time(uint64_t *out, const char *option, const char *text)
{
	const char *number = *text == '@' ? text + 1 : text;

	if (digits(out, number, strlen(number), TIME_MAX) == 0 ||
	    calendar(out, text) == 0)
		return CLI_OK;
	return cli_error(CLI_USAGE,
	    "%s: '%s' is no time; write "
	    "2026-01-02T03:04:05Z, 2026-01-02 or seconds since 1970",
	    option, text);
}

int
cli_duration(uint64_t *out, const char *option, const char *text)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 } };
	size_t i, len = strlen(text);
	uint64_t n, scale = 1;

	for (i = 0; len > 0 && i < sizeof(units) / sizeof(units[0]); i++)
		if (text[len - 1] == units[i].unit) {
			scale = units[i].seconds;
			len--;
			break;
		}
	if (digits(&n, text, len, UINT32_MAX / scale) != 0 || n == 0)
		return cli_error(CLI_USAGE,
		    "%s: '%s' is no duration; write 90s, 15m, 8h or 30d",
		    option, text);
	*out = n * scale;
	return CLI_OK;
}

int
cli_number(uint64_t *out, const char *option, const char *text, uint64_t min,
    uint64_t max)
{
	if (digits(out, text, strlen(text), max) != 0 || *out < min)
		return cli_error(CLI_USAGE,
		    "%s: '%s' is no number from %llu to %llu", option, text,
		    (unsigned long long)min, (unsigned long long)max);
	return CLI_OK;
}

int
cli_cost(unsigned *mib, unsigned *passes, const char *option, const char *text)
{
	const char *colon = strchr(text, ':');
	uint64_t m, p;

	if (colon == NULL ||
	    digits(&m, text, (size_t)(colon - text), 1024) != 0 || m < 64 ||
	    digits(&p, colon + 1, strlen(colon + 1), 10) != 0 || p < 2)
		return cli_error(CLI_USAGE,
		    "%s: '%s' is no MIB:PASSES from 64:2 to 1024:10", option,
		    text);
	*mib = (unsigned)m;
	*passes = (unsigned)p;
	return CLI_OK;
}

int
cli_name(struct hf_name *out, const char *option, const char *text)
{
	size_t i, n, len = strlen(text);
	uint32_t c;

	if (len == 0 || len > HF_NAME_MAX)
		return cli_error(CLI_USAGE, "%s: a name has 1 to %d bytes",
		    option, HF_NAME_MAX);
	for (i = 0; i < len; i += n) {
		if ((n = cli_utf8(&c, text + i, len - i)) == 0)
			return cli_error(CLI_USAGE, "%s: a name is UTF-8",
			    option);
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return cli_error(CLI_USAGE,
			    "%s: a name has no control characters", option);
	}
	memset(out, 0, sizeof(*out));
	memcpy(out->text, text, len);
	out->len = len;
	return CLI_OK;
}

int
cli_realm(struct hf_name *out, const char *option, const char *text)
{
	if (strchr(text, '@') == NULL)
		return cli_name(out, option, text);
	(void)cli_error(CLI_USAGE, "%s: a realm has no @", option);
	cli_hint("of user@realm the realm is what stands behind the last @; a "
		 "user's name may hold more");
	return CLI_USAGE;
}

int
cli_path(const char *paths[CLI_PATHS_MAX], size_t *n, const char *option,
    const char *text)
{
	if (*n == CLI_PATHS_MAX)
		return cli_error(CLI_USAGE, "%s: at most %d of them", option,
		    CLI_PATHS_MAX);
	paths[(*n)++] = text;
	return CLI_OK;
}

const char *
cli_time_text(char out[CLI_TIME_TEXT], uint64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds > TIME_MAX || gmtime_r(&t, &tm) == NULL ||
	    strftime(out, CLI_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, CLI_TIME_TEXT, "@%llu",
		    (unsigned long long)seconds);
	return out;
}

int
cli_user_name(const char *command, const char *text)
{
	if (hf_user_check(text, strlen(text)) == HF_OK)
		return CLI_OK;
	return cli_usage(command,
	    "'%s' is no user name: 1 to %d of a-z 0-9 . _ @ + -", text,
	    HF_USER_MAX);
}

int
cli_address(struct hf_address out[HF_ADDRESSES_MAX], size_t *n,
    const char *command, const char *option, const char *text)
{
	enum hf_err e = hf_address_parse(out, n, text);

	if (e == HF_OK)
		return CLI_OK;
	if (e == HF_E_ARG)
		return cli_usage(command,
		    "%s %s is not HOST:PORT or unix:PATH", option, text);
	if (errno == 0)
		return cli_error(CLI_IO, "%s %s: no such host is known",
		    option, text);
	return cli_errno("%s %s", option, text);
}

const char *
cli_strength(enum hf_mobility strength)
{
	return strength == HF_MOVES_PROVED ? "proved" :
	    strength == HF_MOVES_SOFT	   ? "soft" :
					     "none";
}
