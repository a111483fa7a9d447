/* SPDX-License-Identifier: ISC */
/*
 * A fuzzer without a fuzzer: gives each file of tests/fuzz/NAME.corpus, in the
 * order of their names, to the harness that it is linked with. The name is its
 * own, without "fuzz_"; other files are named as arguments. It knows nothing
 * of what is in them.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { INPUT_MAX = 1 << 20 };

static int
replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	size_t len;

	if (f == NULL || (data = malloc(INPUT_MAX)) == NULL) {
		perror(path);
		return -1;
	}
	len = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	/* In memory of just that size, so that nothing behind it is read. */
	if (len == 0) {
		free(data);
		data = calloc(1, 1);
	} else
		data = realloc(data, len);
	if (data == NULL)
		abort();
	fprintf(stderr, "%s\n", path);
	(void)LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 0;
}

static int
is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
replay_corpus(const char *name)
{
	struct dirent **entries;
	char path[4096];
	int i, n, bad = 0;

	(void)snprintf(path, sizeof(path), "tests/fuzz/%s.corpus", name);
	if ((n = scandir(path, &entries, is_input, alphasort)) <= 0) {
		fprintf(stderr, "%s: no inputs\n", path);
		return 1;
	}
	for (i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "tests/fuzz/%s.corpus/%s",
		    name, entries[i]->d_name);
		bad |= replay(path);
		free(entries[i]);
	}
	free(entries);
	printf("%d inputs\n", n);
	return bad != 0;
}

int
main(int argc, char **argv)
{
	const char *name = strstr(argv[0], "fuzz_");
	int i, bad = 0;

	if (argc == 1 && name != NULL)
		return replay_corpus(name + strlen("fuzz_"));
	for (i = 1; i < argc; i++)
		bad |= replay(argv[i]);
	return bad != 0;
}
