/* SPDX-License-Identifier: ISC */
/* Libraries that are loaded when they are wanted: what their tables hold. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "library.h"
#include "testing.h"

struct table {
	_Alignas(HF_TABLE_BYTES) double (*cos)(double);
	double (*sin)(double);
};
static const struct hf_symbol symbols[] = {
	{ "cos", offsetof(struct table, cos) },
	{ "sin", offsetof(struct table, sin) },
};
static struct {
	struct table table;
	int after;
} other;
static struct table table;

static void
calls(void **state)
{
	(void)state;
	assert_null(hf_library_load(&table, "libm.so.6", symbols, 2));
	assert_true(table.cos(0.0) == 1.0);
	assert_true(table.sin(0.0) == 0.0);
}

/* The kernel is asked to write, which it does not: nobody is killed. What
 * stands behind the table can be written. */
static void
written_once(void **state)
{
	char bytes[sizeof(void *)] = { 0 };
	int fd[2];

	(void)state;
	assert_null(hf_library_load(&other.table, "libm.so.6", symbols, 2));
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], bytes, sizeof(bytes)), sizeof(bytes));
	errno = 0;
	assert_int_equal(read(fd[0], &other.table.sin, sizeof(bytes)), -1);
	assert_int_equal(errno, EFAULT);
	assert_true(other.table.sin(0.0) == 0.0);
	assert_int_equal(read(fd[0], &other.after, sizeof(other.after)),
	    sizeof(other.after));
	assert_int_equal(close(fd[0]) | close(fd[1]), 0);
}

/* The loader's own words. */
static void
missing(void **state)
{
	static const struct hf_symbol none = { "none", 0 };
	static struct table empty;
	const char *why;

	(void)state;
	why = hf_library_load(&empty, "libnone.so.1", symbols, 2);
	assert_string_equal(why,
	    "libnone.so.1: cannot open shared object "
	    "file: No such file or directory");
	why = hf_library_load(&empty, "libm.so.6", &none, 1);
	assert_non_null(why);
	assert_non_null(strstr(why, "libm.so.6: undefined symbol: none"));
	assert_null(hf_library_load(&empty, "libm.so.6", symbols, 2));
	assert_true(empty.cos(0.0) == 1.0);
}

/* A table that has no pages for itself. */
static void
aside(void **state)
{
	static struct {
		struct table first;
		char room[2 * sizeof(struct table)];
	} two;

	(void)state;
	assert_string_equal(hf_library_load(two.room + 8, "libm.so.6", symbols,
				2),
	    strerror(EINVAL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls),
		cmocka_unit_test(written_once),
		cmocka_unit_test(missing),
		cmocka_unit_test(aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
