/* SPDX-License-Identifier: ISC */
/*
 * A file of vectors, as `handfast vectors verify` reads it. One that it says
 * is right holds vectors of vectors/, or of the corpus where inputs have
 * names, and no others: whatever was changed in one, by whomever, it finds.
 * Passwords cost nothing here, so that vectors which need one are not right.
 */
#include <glob.h>
#include <jansson.h>

#include "program.h"

static json_t *known; /* sum to vector */

static const char *
sum_of(const json_t *vector)
{
	const char *sum = json_string_value(json_object_get(vector, "sum"));

	CLAIM(sum != NULL);
	return sum;
}

static void
know(const char *pattern)
{
	json_t *root, *vector;
	json_error_t error;
	glob_t found;
	size_t i, k, len;
	char *text;

	CLAIM(glob(pattern, 0, NULL, &found) == 0);
	for (i = 0; i < found.gl_pathc; i++) {
		CLAIM(cli_read_file(found.gl_pathv[i], 8 << 20, &text, &len) ==
		    CLI_OK);
		CLAIM((root = json_loadb(text, len, 0, &error)) != NULL);
		cli_free_file(text, len);
		json_array_foreach(json_object_get(root, "vectors"), k, vector)
			(void)json_object_set(known, sum_of(vector), vector);
		json_decref(root);
	}
	globfree(&found);
}

static void
check_genuine(const uint8_t *data, size_t len)
{
	json_error_t error;
	json_t *root = json_loadb((const char *)data, len, 0, &error), *vector;
	size_t k;

	json_array_foreach(json_object_get(root, "vectors"), k, vector) {
		CLAIM(json_equal(vector,
		    json_object_get(known, sum_of(vector))));
	}
	CLAIM(k > 0);
	json_decref(root);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *path = program_file(data, len);
	const char *words[] = { "vectors", "verify", path, NULL };
	int result;

	fuzz_skip = SKIP_STRETCH;
	if (known == NULL) {
		MUST(hf_init());
		known = json_object();
		know("vectors/ok/*.json");
		know("vectors/bad/*.json");
		know("tests/fuzz/vectors.corpus/*-*");
		CLAIM(json_object_size(known) > 100);
	}
	result = program_run(cmd_vectors, words);
	CLAIM(result == CLI_OK || result == CLI_FORMAT);
	CLAIM(result == CLI_OK || said_err.len > 0);
	program_safe(&said_err);
	program_safe(&said_out);
	if (result == CLI_OK)
		check_genuine(data, len);
	program_forget();
	return 0;
}
