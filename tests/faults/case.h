/* SPDX-License-Identifier: ISC */
/*
 * Cases of `make faults` that run in this program: each in a process of its
 * own, a line for each, the total at the end. A case fails when an assertion
 * does, or a signal ends it.
 */
#ifndef HANDFAST_CASE_H
#define HANDFAST_CASE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned case_counts[2];

/* Runs it; it may print what goes behind its name. */
static inline void
run_case(const char *part, const char *name, void (*f)(const void *),
    const void *arg)
{
	char said[64] = "";
	int fd[2], status = -1, good;
	ssize_t n;
	pid_t pid;

	fflush(NULL);
	if (pipe(fd) != 0 || (pid = fork()) == -1)
		abort();
	if (pid == 0) {
		(void)dup2(fd[1], 3);
		f(arg);
		_exit(0);
	}
	(void)close(fd[1]);
	if ((n = read(fd[0], said, sizeof(said) - 1)) < 0)
		n = 0;
	said[n] = '\0';
	(void)close(fd[0]);
	good = waitpid(pid, &status, 0) == pid && status == 0;
	case_counts[good]++;
	printf("%s faults/%s/%s%s\n", good ? "PASS" : "FAIL", part, name,
	    said);
	if (!good && WIFSIGNALED(status))
		printf("    signal %d\n", WTERMSIG(status));
	fflush(stdout);
}

/* From a case: what is said behind its name. */
static inline void
case_count(const char *what, unsigned long n)
{
	dprintf(3, " (%s = 1..%lu)", what, n);
}

static inline int
case_total(void)
{
	printf("%u passed, %u failed\n", case_counts[1], case_counts[0]);
	return case_counts[0] != 0 || case_counts[1] == 0;
}

#endif
