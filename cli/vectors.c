/* SPDX-License-Identifier: ISC */
/*
 * handfast vectors verify: finds the files, hands each vector on and counts.
 * It knows files and how results are told; what a vector says is known to the
 * files beside this one.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vectors.h"

/* clang-format off */
const char help_vectors[] =
"usage: handfast vectors verify [--json] DIR...\n"
"\n"
"Computes every vector in the files *.json below each DIR anew, from its\n"
"inputs and its randomness, and compares every field. A field or a kind that\n"
"is not known, a byte or an error that differs: the vector fails. Vectors\n"
"that need a suite which this processor lacks are counted, and only their sum\n"
"is checked. Below DIR no link into a directory is followed.\n"
"Prints a line for each file; the first fault of each vector goes to stderr.\n"
"\n"
"  --json   one object: files, vectors, failed, skipped, failures\n"
"\n"
"example: handfast vectors verify vectors/ok vectors/bad\n"
"\n"
"exit codes: 0 all are right, 2 usage, 3 I/O, 6 a vector fails or no vector\n"
"is found\n";
/* clang-format on */

static const struct option options[] = {
	{ "json", no_argument, &cli_json, 1 },
	{ NULL, 0, NULL, 0 },
};

struct count {
	size_t vectors, failed, skipped;
};

struct report {
	struct count all;
	json_t *ids; /* of all vectors: none stands twice */
	json_t *files, *failures;
	int result;
};

/* What a file or a path holds, which may be no UTF-8, or be cut in it. */
static json_t *
safe_json(const char *text)
{
	size_t cap = CLI_SAFE(strlen(text));
	char *safe = malloc(cap);
	json_t *json =
	    safe == NULL ? NULL : json_string(cli_safe(safe, cap, text));

	free(safe);
	return json;
}

/* Rejected by the file or by the vector, in one line. */
static void
add_failure(struct report *r, const char *path, const char *id,
    const struct vec *v)
{
	r->all.failed++;
	r->result = CLI_FORMAT;
	if (cli_json)
		(void)json_array_append_new(r->failures,
		    json_pack("{s:o,s:s,s:o,s:o}", "file", safe_json(path),
			"id", id, "field", safe_json(v->field), "fault",
			safe_json(v->text)));
	else
		(void)cli_error(CLI_FORMAT, "%s: %s: %s: %s", path, id,
		    v->field, v->text);
}

/* The file lies in a directory of that name. */
static int
lies_in(const char *path, const char *dir)
{
	const char *slash = strrchr(path, '/');
	size_t len = strlen(dir);

	if (slash == NULL || (size_t)(slash - path) < len ||
	    memcmp(slash - len, dir, len) != 0)
		return 0;
	return slash - len == path || slash[-(ptrdiff_t)len - 1] == '/';
}

static void
check_place(struct vec *v, struct report *r, const char *path, const char *id)
{
	int error = json_object_get(v->told, "error") != NULL;

	if (lies_in(path, "ok") && error)
		vec_fault(v, "error", "an error under ok/");
	if (lies_in(path, "bad") && !error)
		vec_fault(v, "error", "no error under bad/");
	if (json_object_get(r->ids, id) != NULL)
		vec_fault(v, "id", "stands twice");
	(void)json_object_set_new(r->ids, id, json_true());
}

static void
check_vector(struct report *r, struct count *count, const char *path,
    const json_t *told)
{
	const char *id = json_string_value(json_object_get(told, "id"));
	struct vec v;

	id = id == NULL ? "?" : id;
	vec_check(&v, told);
	check_place(&v, r, path, id);
	count->vectors++;
	r->all.vectors++;
	if (v.failed) {
		count->failed++;
		add_failure(r, path, id, &v);
	} else if (v.skipped) {
		count->skipped++;
		r->all.skipped++;
	}
	vec_done(&v);
}

static void
tell_file(struct report *r, const char *path, const struct count *count)
{
	char safe[CLI_SAFE(PATH_MAX)];

	(void)cli_safe(safe, sizeof(safe), path);
	if (cli_json)
		(void)json_array_append_new(r->files,
		    json_pack("{s:s,s:I,s:I,s:I}", "file", safe, "vectors",
			(json_int_t)count->vectors, "failed",
			(json_int_t)count->failed, "skipped",
			(json_int_t)count->skipped));
	else if (count->failed > 0)
		(void)cli_error(CLI_FORMAT, "%s: %zu of %zu vectors failed",
		    path, count->failed, count->vectors);
	else if (count->skipped > 0)
		printf("%s: %zu vectors, %zu skipped (suite not available "
		       "here)\n",
		    safe, count->vectors, count->skipped);
	else
		printf("%s: %zu vectors\n", safe, count->vectors);
}

/* A file is {"vectors": [one, ...]}. */
static void
check_file(struct report *r, const char *path)
{
	struct count count = { 0 };
	const json_t *vectors;
	json_error_t error;
	struct vec bad = { .failed = 1, .field = "file" };
	size_t i, len;
	json_t *root;
	char *text;
	int result;

	if ((result = cli_read_file(path, VEC_FILE_MAX, &text, &len)) !=
	    CLI_OK) {
		r->result = result;
		return;
	}
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	cli_free_file(text, len);
	vectors = json_object_get(root, "vectors");
	if (root == NULL)
		(void)snprintf(bad.text, sizeof(bad.text), "line %d: %s",
		    error.line, error.text);
	else if (json_object_size(root) != 1 || json_array_size(vectors) == 0)
		(void)snprintf(bad.text, sizeof(bad.text),
		    "not {\"vectors\": [...]} alone");
	else
		for (i = 0; i < json_array_size(vectors); i++)
			check_vector(r, &count, path,
			    json_array_get(vectors, i));
	if (bad.text[0] != '\0') {
		count.failed = 1;
		add_failure(r, path, "-", &bad);
	}
	tell_file(r, path, &count);
	json_decref(root);
}

static int
is_wanted(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
ends_in_json(const char *path)
{
	size_t len = strlen(path);

	return len > 5 && strcmp(path + len - 5, ".json") == 0;
}

static void walk(struct report *, const char *path, int given);

static void
walk_directory(struct report *r, const char *path)
{
	struct dirent **entries;
	char *inner;
	int i, n;

	if ((n = scandir(path, &entries, is_wanted, alphasort)) == -1) {
		r->result = cli_errno("%s", path);
		return;
	}
	for (i = 0; i < n; i++) {
		if (asprintf(&inner, "%s/%s", path, entries[i]->d_name) == -1)
			r->result = cli_fail(HF_E_MEMORY, "%s", path);
		else {
			walk(r, inner, 0);
			free(inner);
		}
		free(entries[i]);
	}
	free(entries);
}

/* A path that was given is read whatever its name and kind. Below it a link
 * leads into no directory: two of them that lead back would never end; and
 * what is no file is not opened: a pipe that nobody writes would not end. */
static void
walk(struct report *r, const char *path, int given)
{
	struct stat st, link;

	if (lstat(path, &link) == -1 || stat(path, &st) == -1)
		r->result = cli_errno("%s", path);
	else if (S_ISDIR(st.st_mode)) {
		if (given || !S_ISLNK(link.st_mode))
			walk_directory(r, path);
	} else if (given || (S_ISREG(st.st_mode) && ends_in_json(path)))
		check_file(r, path);
}

static int
print_json(const struct report *r)
{
	json_t *root = json_pack("{s:b,s:I,s:I,s:I,s:O,s:O}", "verified",
	    r->result == CLI_OK, "vectors", (json_int_t)r->all.vectors,
	    "failed", (json_int_t)r->all.failed, "skipped",
	    (json_int_t)r->all.skipped, "files", r->files, "failures",
	    r->failures);
	char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	if (text == NULL)
		return cli_fail(HF_E_MEMORY, "vectors");
	cli_put_json(stdout, text);
	free(text);
	return CLI_OK;
}

static int
verify(char **paths)
{
	struct report r = { .ids = json_object(),
		.files = json_array(),
		.failures = json_array() };
	int result;

	vec_random_install();
	for (; *paths != NULL; paths++) {
		size_t before = r.all.vectors;

		walk(&r, *paths, 1);
		if (r.all.vectors == before && r.result == CLI_OK)
			r.result =
			    cli_error(CLI_FORMAT, "%s: no vectors", *paths);
	}
	if (cli_json && (result = print_json(&r)) != CLI_OK)
		r.result = result;
	if (r.all.failed > 0)
		(void)cli_error(CLI_FORMAT, "%zu of %zu vectors failed",
		    r.all.failed, r.all.vectors);
	json_decref(r.ids);
	json_decref(r.files);
	json_decref(r.failures);
	return r.result;
}

int
cmd_vectors(int argc, char **argv)
{
	int c;

	if (argc < 2 || strcmp(argv[1], "verify") != 0)
		return cli_no_word(argc, argv, "verify");
	argc--;
	argv++;
	if ((c = cli_option(argc, argv, ":", options)) != -1)
		return cli_bad_option("vectors", c, argv);
	if (optind == argc)
		return cli_usage("vectors", "no DIR");
	return verify(argv + optind);
}
