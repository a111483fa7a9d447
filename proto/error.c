/* SPDX-License-Identifier: ISC */
/*
 * Names, texts and exit codes of every result, all from the one table
 * HF_ERRORS; the library's version and its start. It knows no session.
 */
#include <string.h>

#include "internal.h"

static const struct {
	int number, exit_code;
	const char *name, *text;
} errors[] = {
#define ROW(name, number, exit_code, text) { number, exit_code, #name, text },
	HF_ERRORS(ROW)
#undef ROW
};

static size_t
find(int err)
{
	size_t i;

	for (i = 0; i < HF__ARRAY_N(errors); i++)
		if (errors[i].number == err)
			break;
	return i;
}

const char *
hf_error_name(int err)
{
	size_t i = find(err);

	return i < HF__ARRAY_N(errors) ? errors[i].name : "HF_E_?";
}

const char *
hf_error_text(int err)
{
	size_t i = find(err);

	return i < HF__ARRAY_N(errors) ? errors[i].text : "unknown error";
}

int
hf_error_exit(int err)
{
	size_t i = find(err);

	return i < HF__ARRAY_N(errors) ? errors[i].exit_code : 3;
}

int
hf_error_at(size_t n)
{
	return n < HF__ARRAY_N(errors) ? errors[n].number : -1;
}

const char *
hf_method_name(int method)
{
	switch (method) {
	case HF_METHOD_CERTIFICATE:
		return "certificate";
	case HF_METHOD_PASSWORD:
		return "password";
	case HF_METHOD_PLAIN_PASSWORD:
		return "plain-password";
	case HF_METHOD_TICKET:
		return "ticket";
	default:
		return "none";
	}
}

bool
hf__same(const void *a, const void *b, size_t len)
{
	return memcmp(a, b, len) == 0; /* public */
}

const char *
hf_version(void)
{
	return "0.1.0";
}

enum hf_err
hf_init(void)
{
	return sodium_init() < 0 ? HF_E_CRYPTO : HF_OK;
}
