/* SPDX-License-Identifier: ISC */
/*
 * Used tickets: burnt once, remembered in a file over restarts, and no longer
 * than they are valid.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testing.h"

#include "fleet.h"

enum { ENTRY = HF_CTI_BYTES + 8 };

static char dir[] = "/tmp/handfast-used.XXXXXX";
static char path[sizeof(dir) + 8];

static int
enter(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/used", dir);
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	return rmdir(dir);
}

static const uint8_t *
id(unsigned n)
{
	static uint8_t cti[HF_CTI_BYTES];

	memset(cti, 0, sizeof(cti));
	memcpy(cti, &n, sizeof(n));
	return cti;
}

static struct hf_used *
reopen(struct hf_used *used, uint64_t now)
{
	hf_used_free(used);
	assert_ok(hf_used_new(&used, 64));
	assert_ok(hf_used_open(used, path, now));
	return used;
}

static long
entries(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size % ENTRY, 0);
	return (long)st.st_size / ENTRY;
}

static void
expired_entries_leave_the_file(void **state)
{
	struct hf_used *u = reopen(NULL, NOW);
	char temp[sizeof(path) + 8];
	unsigned n;
	int fd;

	(void)state;
	for (n = 0; n < 40; n++)
		assert_ok(hf_used_burn(u, id(n), NOW + n, NOW));
	assert_int_equal(entries(), 40);
	u = reopen(u, NOW);
	assert_int_equal(entries(), 40);
	/* One that a crash left behind is in nobody's way. */
	(void)snprintf(temp, sizeof(temp), "%s.new", path);
	fd = open(temp, O_WRONLY | O_CREAT, 0600);
	assert_true(fd != -1);
	assert_int_equal(write(fd, "left", 4), 4);
	assert_int_equal(close(fd), 0);
	u = reopen(u, NOW + 30);
	assert_int_equal(entries(), 10);
	assert_int_equal(access(temp, F_OK), -1);
	for (n = 30; n < 40; n++)
		assert_err(hf_used_burn(u, id(n), NOW + n, NOW + 30),
		    HF_E_TICKET_USED);
	assert_ok(hf_used_burn(u, id(99), NOW + 99, NOW + 30));
	u = reopen(u, NOW + 31);
	assert_int_equal(entries(), 10);
	assert_err(hf_used_burn(u, id(99), NOW + 99, NOW + 31),
	    HF_E_TICKET_USED);
	u = reopen(u, NOW + 100);
	assert_int_equal(entries(), 0);
	assert_ok(hf_used_burn(u, id(100), NOW + 200, NOW + 100));
	assert_int_equal(entries(), 1);
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
}

static void
torn_entry_is_cut_off(void **state)
{
	struct hf_used *u = reopen(NULL, NOW);
	int fd;

	(void)state;
	assert_ok(hf_used_burn(u, id(1), NOW + 5, NOW));
	assert_ok(hf_used_burn(u, id(2), NOW + 50, NOW));
	fd = open(path, O_WRONLY | O_APPEND);
	assert_true(fd != -1);
	assert_int_equal(write(fd, "torn", 4), 4);
	assert_int_equal(close(fd), 0);
	u = reopen(u, NOW);
	assert_int_equal(entries(), 2);
	assert_err(hf_used_burn(u, id(2), NOW + 50, NOW), HF_E_TICKET_USED);
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
}

/* Whether another process could use the file too. */
static void
assert_held(void)
{
	int status;
	pid_t pid = fork();

	assert_true(pid != -1);
	if (pid == 0) {
		struct hf_used *u;

		_exit(hf_used_new(&u, 64) == HF_OK &&
		    hf_used_open(u, path, NOW) == HF_E_IO);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
one_process_at_a_time(void **state)
{
	struct hf_used *u = reopen(NULL, NOW);

	(void)state;
	assert_held();
	assert_ok(hf_used_burn(u, id(1), NOW + 5, NOW));
	/* The new file is held as the old one was. */
	u = reopen(u, NOW + 10);
	assert_int_equal(entries(), 0);
	assert_held();
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
}

static void
full_table_refuses(void **state)
{
	struct hf_used *u;
	unsigned n;

	(void)state;
	assert_ok(hf_used_new(&u, 8));
	for (n = 0; n < 8; n++)
		assert_ok(hf_used_burn(u, id(n), NOW + n, NOW));
	assert_err(hf_used_burn(u, id(8), NOW + 9, NOW), HF_E_STORE);
	assert_err(hf_used_burn(u, id(7), NOW + 7, NOW), HF_E_TICKET_USED);
	assert_ok(hf_used_burn(u, id(8), NOW + 9, NOW + 1));
	hf_used_free(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expired_entries_leave_the_file),
		cmocka_unit_test(torn_entry_is_cut_off),
		cmocka_unit_test(one_process_at_a_time),
		cmocka_unit_test(full_table_refuses),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
