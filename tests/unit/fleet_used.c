/* SPDX-License-Identifier: ISC */
/*
 * Used tickets: burnt once, remembered in a file over restarts, and no longer
 * than they are valid.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testing.h"

#include "fleet.h"

enum { ENTRY = HF_CTI_BYTES + 8 };

static char dir[] = "/tmp/handfast-used.XXXXXX";
static char path[sizeof(dir) + 8], target[sizeof(dir) + 8];

static int
enter(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/used", dir);
	(void)snprintf(target, sizeof(target), "%s/other", dir);
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
	/* Ten, and one for all that is forgotten. */
	u = reopen(u, NOW + 30);
	assert_int_equal(entries(), 11);
	assert_int_equal(access(temp, F_OK), -1);
	for (n = 30; n < 40; n++)
		assert_err(hf_used_burn(u, id(n), NOW + n, NOW + 30),
		    HF_E_TICKET_USED);
	assert_ok(hf_used_burn(u, id(99), NOW + 99, NOW + 30));
	u = reopen(u, NOW + 31);
	assert_int_equal(entries(), 11);
	assert_err(hf_used_burn(u, id(99), NOW + 99, NOW + 31),
	    HF_E_TICKET_USED);
	u = reopen(u, NOW + 100);
	assert_int_equal(entries(), 1);
	assert_ok(hf_used_burn(u, id(100), NOW + 200, NOW + 100));
	assert_int_equal(entries(), 2);
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
}

/* The clock was far ahead when the file was opened, and is right again: what
 * was burnt stays so, though it was forgotten. */
static void
clock_set_back_revives_nothing(void **state)
{
	struct hf_used *u = reopen(NULL, NOW);
	int again;

	(void)state;
	assert_ok(hf_used_burn(u, id(1), NOW + 50, NOW));
	assert_ok(hf_used_burn(u, id(2), NOW + 5000, NOW));
	u = reopen(u, NOW + 1000);
	for (again = 0; again < 2; again++) {
		u = reopen(u, NOW);
		assert_int_equal(entries(), 2);
		assert_err(hf_used_burn(u, id(1), NOW + 50, NOW), HF_E_STORE);
		assert_err(hf_used_burn(u, id(2), NOW + 5000, NOW),
		    HF_E_TICKET_USED);
		/* Another that was to expire as early is as suspect. */
		assert_err(hf_used_burn(u, id(3), NOW + 50, NOW), HF_E_STORE);
	}
	assert_ok(hf_used_burn(u, id(3), NOW + 51, NOW));
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
	/* In memory the same, when a full table is swept. */
	assert_ok(hf_used_new(&u, 2));
	assert_ok(hf_used_burn(u, id(1), NOW + 50, NOW));
	assert_ok(hf_used_burn(u, id(2), NOW + 5000, NOW));
	assert_ok(hf_used_burn(u, id(3), NOW + 5000, NOW + 1000));
	assert_err(hf_used_burn(u, id(1), NOW + 50, NOW), HF_E_STORE);
	hf_used_free(u);
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
	assert_int_equal(entries(), 1);
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

/* A disk with room for one entry more. What was not written was not burnt,
 * and nothing is burnt any more. */
static void
no_disk_left(void **state)
{
	struct hf_used *u = reopen(NULL, NOW);
	struct rlimit limit, old;

	(void)state;
	assert_ok(hf_used_burn(u, id(1), NOW + 5, NOW));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 2 * ENTRY;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_ok(hf_used_burn(u, id(2), NOW + 5, NOW));
	assert_err(hf_used_burn(u, id(3), NOW + 5, NOW), HF_E_STORE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_err(hf_used_burn(u, id(3), NOW + 5, NOW), HF_E_STORE);
	assert_err(hf_used_burn(u, id(4), NOW + 5, NOW + 1), HF_E_STORE);
	assert_err(hf_used_burn(u, id(2), NOW + 5, NOW), HF_E_TICKET_USED);
	u = reopen(u, NOW);
	assert_int_equal(entries(), 2);
	assert_ok(hf_used_burn(u, id(3), NOW + 5, NOW));
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
}

/* The first entry is torn: nothing of it stays, since nothing would tell it
 * from a file of something else. */
static void
no_disk_at_all(void **state)
{
	struct hf_used *u = reopen(NULL, NOW);
	struct rlimit limit, old;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = ENTRY / 2;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_err(hf_used_burn(u, id(1), NOW + 5, NOW), HF_E_STORE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(entries(), 0);
	u = reopen(u, NOW);
	assert_ok(hf_used_burn(u, id(1), NOW + 5, NOW));
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
}

static void
assert_not_opened(enum hf_err err)
{
	struct hf_used *u;

	assert_ok(hf_used_new(&u, 64));
	assert_err(hf_used_open(u, path, NOW), err);
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
}

/* A file of something else is refused, and stays as it is. */
static void
assert_kept(const uint8_t *bytes, size_t len)
{
	uint8_t after[256];
	struct hf_used *u;
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	assert_true(fd != -1);
	assert_int_equal(write(fd, bytes, len), len);
	assert_ok(hf_used_new(&u, 64));
	assert_err(hf_used_open(u, path, NOW), HF_E_OBJECT);
	hf_used_free(u);
	assert_int_equal(pread(fd, after, sizeof(after), 0), len);
	assert_memory_equal(after, bytes, len);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
}

static void
files_of_something_else(void **state)
{
	static const char key[] =
	    "-----BEGIN HANDFAST IDENTITY-----\n"
	    "ggFYIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
	    "-----END HANDFAST IDENTITY-----\n";
	uint8_t bytes[3 * ENTRY + 5];
	size_t len;

	(void)state;
	assert_kept((const uint8_t *)key, sizeof(key) - 1);
	/* Times that a ticket may have, and the first that none has. */
	memset(bytes, 0, sizeof(bytes));
	memset(bytes, 1, HF_CTI_BYTES);
	bytes[2 * ENTRY + HF_CTI_BYTES + 1] = 0x20;
	bytes[3 * ENTRY - 1] = 1;
	assert_kept(bytes, sizeof(bytes));
	/* Too short for a time. */
	for (len = 1; len < ENTRY; len++)
		assert_kept(bytes, len);
}

/* A ticket may expire at the last second that there is. */
static void
last_second(void **state)
{
	struct hf_used *u = reopen(NULL, NOW);
	uint64_t last = UINT64_C(1) << 53;

	(void)state;
	assert_ok(hf_used_burn(u, id(1), last, NOW));
	u = reopen(u, NOW);
	assert_err(hf_used_burn(u, id(1), last, NOW), HF_E_TICKET_USED);
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
}

/* Files that others can write to, links, and what is no file. */
static void
files_of_others(void **state)
{
	static const mode_t modes[] = { 0620, 0602 };
	struct hf_used *u;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < 2; i++) {
		u = reopen(NULL, NOW);
		hf_used_free(u);
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_not_opened(HF_E_OBJECT);
	}
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR);
	assert_true(fd != -1);
	assert_not_opened(HF_E_OBJECT);
	assert_int_equal(close(fd), 0);
	fd = open(target, O_RDWR | O_CREAT, 0600);
	assert_true(fd != -1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_not_opened(HF_E_IO);
	assert_int_equal(unlink(target), 0);
	if (geteuid() != 0)
		return;
	u = reopen(NULL, NOW);
	hf_used_free(u);
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_not_opened(HF_E_OBJECT);
}

/* A file that holds more than there is room for. */
static void
more_than_fits(void **state)
{
	struct hf_used *u = reopen(NULL, NOW);
	unsigned n;

	(void)state;
	for (n = 1; n <= 9; n++)
		assert_ok(hf_used_burn(u, id(n), NOW + 5, NOW));
	hf_used_free(u);
	assert_ok(hf_used_new(&u, 8));
	assert_err(hf_used_open(u, path, NOW), HF_E_STORE);
	hf_used_free(u);
	assert_ok(hf_used_new(&u, 9));
	assert_ok(hf_used_open(u, path, NOW));
	hf_used_free(u);
	assert_int_equal(unlink(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expired_entries_leave_the_file),
		cmocka_unit_test(clock_set_back_revives_nothing),
		cmocka_unit_test(torn_entry_is_cut_off),
		cmocka_unit_test(one_process_at_a_time),
		cmocka_unit_test(full_table_refuses),
		cmocka_unit_test(no_disk_left),
		cmocka_unit_test(no_disk_at_all),
		cmocka_unit_test(files_of_others),
		cmocka_unit_test(files_of_something_else),
		cmocka_unit_test(last_second),
		cmocka_unit_test(more_than_fits),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
