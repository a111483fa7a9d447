/* SPDX-License-Identifier: ISC */
/*
 * No branch and no address may depend on a secret. Run under valgrind's
 * memcheck by tests/ct/run.sh: in the world of each test every secret (private
 * keys, all randomness, passwords, tokens, ring and cookie keys, data) is
 * marked undefined, and memcheck reports where the program's course depends on
 * one. A test passes when nothing is reported, and when each of its controls,
 * which leaks on purpose at one point, is.
 *
 *     ct-secrets LABEL [NAME]     all tests, or those whose name begins so
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#include "cases.h"

struct world w;
struct pair p;

enum { SILENT = 0, REPORTED = 1 };

static void
secret_identity(const struct hf_identity *id)
{
	secret(id->seed, sizeof(id->seed));
	secret(id->sign_sk, 32); /* the other half is the public key */
	secret(id->kem.sk, sizeof(id->kem.sk));
}

static void
begin(const struct meeting *m)
{
	random_is_secret = 0;
	world_make(&w, m);
	random_is_secret = 1;
	secret_identity(w.ca);
	secret_identity(w.initiator);
	secret_identity(w.responder);
	secret(w.ring->keys[0].key, HF_KEY_BYTES);
	secret(w.r->cookie_key, sizeof(w.r->cookie_key));
	secret(w.stretched, sizeof(w.stretched));
	secret(w.verifier, sizeof(w.verifier));
	secret(w.r->known.key_id, sizeof(w.r->known.key_id));
	/* The token, certificate or ticket, is for the responder alone. */
	if (w.i->own.n > 0)
		secret(w.i->own.cert[0].ptr, w.i->own.cert[0].len);
	if (w.i->ticket != NULL) {
		secret(w.i->ticket_file.key.ptr, HF_KEY_BYTES);
		secret(w.i->ticket_file.ticket.ptr,
		    w.i->ticket_file.ticket.len);
	}
	pair_make(&p, &w);
}

static void
end(void)
{
	pair_free(&p);
	world_free(&w);
}

/* Runs the test in a process of its own: SILENT, REPORTED, or what went
 * wrong. */
static int
run_apart(const struct ct_case *c, unsigned leak)
{
	unsigned before;
	int status;
	pid_t pid;

	fflush(NULL);
	if ((pid = fork()) == 0) {
		leaking = leak;
		before = VALGRIND_COUNT_ERRORS;
		c->run();
		leaking = 0;
		_exit(VALGRIND_COUNT_ERRORS == before ? SILENT : REPORTED);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Returns 1 where all went as it must. */
static int
run_case(const char *label, const struct ct_case *c)
{
	unsigned point, controls = 0, missed = 0;
	int result;

	begin(&c->meeting);
	if (c->prepare != NULL)
		c->prepare();
	(void)VALGRIND_PRINTF("== %s/%s\n", label, c->name);
	result = run_apart(c, 0);
	(void)VALGRIND_PRINTF("== controls\n");
	for (point = 1; point <= POINT_RESULT; point <<= 1) {
		if ((c->points & point) == 0)
			continue;
		controls++;
		if (run_apart(c, point) != REPORTED)
			missed |= point;
	}
	end();
	if (result == SILENT && missed == 0 && controls > 0) {
		printf("PASS %s/%s (silent; %u leaks on purpose seen)\n",
		    label, c->name, controls);
		return 1;
	}
	printf("FAIL %s/%s: %s; controls not seen: %#x of %#x\n", label,
	    c->name,
	    result == SILENT	   ? "silent" :
		result == REPORTED ? "its course depends on a secret" :
				     "the test itself failed",
	    missed, c->points);
	return 0;
}

static void
run_cases(const char *label, const char *only, const struct ct_case *c,
    size_t n, unsigned counts[2])
{
	for (; n > 0; n--, c++) {
		if (strncmp(c->name, only, strlen(only)) != 0)
			continue;
		if (c->meeting.suite != 0 &&
		    !hf_suite_available(c->meeting.suite)) {
			printf("note: %s/%s: this processor lacks the suite\n",
			    label, c->name);
			continue;
		}
		counts[run_case(label, c)]++;
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	const char *label = argc > 1 ? argv[1] : "ct";
	const char *only = argc > 2 ? argv[2] : "";
	unsigned counts[2] = { 0, 0 };

	if (!RUNNING_ON_VALGRIND) {
		printf("only valgrind sees anything here\n");
		return 2;
	}
	assert_ok(hf_init());
	run_cases(label, only, session_cases, session_cases_n, counts);
	run_cases(label, only, object_cases, object_cases_n, counts);
	printf("%u passed, %u failed\n", counts[1], counts[0]);
	return counts[0] != 0;
}
