/* SPDX-License-Identifier: ISC */
/*
 * Sizes that are only claimed, up to 2^64, to every reader there is (threat
 * A29), lengths of records (B12) and of passwords (A39): each by its exact
 * error, and with hardly any memory to spare.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing.h"
#include "stage.h"
#include "craft.h"

/* Feeds a claim to each reader there is; nothing may be kept for it. */
static int
claims_cost_nothing(void)
{
	static const char *const heads[] = { "5a00010100", "5affffffff",
		"5b0000000100000000", "5b7fffffffffffffff",
		"5b8000000000000000", "5bffffffffffffffff" };
	static const uint8_t types[] = { HF__HELLO, HF__REQUEST, HF__OFFER,
		HF__GRANT, HF__CONFIRM, HF__RECORD };
	struct hf_cert_info cert;
	struct hf_list_info list;
	struct hf_ticket_info ticket;
	uint8_t bytes[32] = { 0x8a };
	struct hf_session *to;
	size_t i, k, len, major;
	struct blob b;

	for (i = 0; i < HF__ARRAY_N(heads); i++)
		for (k = 0; k < HF__ARRAY_N(types); k++)
			for (major = 2; major <= 5; major++) {
				len = unhex(bytes + 2, sizeof(bytes) - 2,
				    heads[i]);
				bytes[1] = types[k];
				bytes[2] =
				    (uint8_t)(major << 5 | (bytes[2] & 31));
				to = before(&b,
				    k < 2      ? HELLO :
					k == 2 ? OFFER :
					k == 3 ? GRANT :
					k == 4 ? CONFIRM :
						 RECORD);
				if (give(to, bytes, len + 2) != HF_E_TOO_BIG ||
				    hf_session_bytes(to) > 32768)
					return 1;
				pair_free(&p);
				/* A whole item, with such a field. */
				if (hf_cert_read(&cert, bytes + 2, len) !=
				    HF_E_CBOR)
					return 2;
				if (hf_list_read(&list, bytes + 2, len) !=
					HF_E_CBOR ||
				    hf_ticket_read(&ticket, bytes + 2, len) !=
					HF_E_CBOR)
					return 3;
			}
	return 0;
}

static void
claims_with_little_memory(void **state)
{
	struct meeting m = path_of(HELLO, 0);
	int status, code;
	pid_t pid;

	(void)state;
	world_make(&w, &m);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
#ifndef __SANITIZE_ADDRESS__
		unsigned long pages = 0;
		struct rlimit limit;
		FILE *f = fopen("/proc/self/statm", "r");

		/* What is mapped now, and half a MiB. */
		if (f == NULL || fscanf(f, "%lu", &pages) != 1)
			_exit(9);
		fclose(f);
		limit.rlim_cur = limit.rlim_max =
		    pages * (rlim_t)sysconf(_SC_PAGESIZE) + (1 << 19);
		if (setrlimit(RLIMIT_AS, &limit) != 0)
			_exit(9);
#endif
		code = claims_cost_nothing();
		_exit(code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	world_free(&w);
}

/* The same claims where they are sealed: the plaintext is whole, so that
 * nothing is waited for. */
static void
sealed_claims(void **state)
{
	static const char *const heads[] = { "5affffffff",
		"5bffffffffffffffff", "9bffffffffffffffff",
		"bb8000000000000000", "7b7fffffffffffffff", "9affffffff" };
	struct meeting m = path_of(REQUEST, 0);
	struct blob plain;
	uint8_t with[16];
	size_t n, i, len;

	(void)state;
	world_make(&w, &m);
	for (n = 0; n < 5; n++)
		for (i = 0; i < HF__ARRAY_N(heads); i++) {
			request_plain(&plain);
			len = unhex(with, sizeof(with), heads[i]);
			assert_true(replace(&plain, n, with, len));
			assert_err(seal_request(&plain), HF_E_CBOR);
			assert_true(hf_session_bytes(p.r) < 16384);
			pair_free(&p);
		}
	world_free(&w);
}

/* B12: the largest record, one byte more, and the smallest. */
static void
record_lengths(void **state)
{
	static const struct {
		const char *hex;
		enum hf_err expected;
	} cases[] = {
		{ "82105a00010011", HF_OK }, /* waits for the rest */
		{ "82105a00010012", HF_E_TOO_BIG },
		{ "82105affffffff", HF_E_TOO_BIG },
		{ "82105bffffffffffffffff", HF_E_TOO_BIG },
		{ "821040", HF_E_SHAPE },
		{ "82104100", HF_E_SHAPE },
		{ "821050"
		  "00000000000000000000000000000000",
		    HF_E_SHAPE },
		{ "821051"
		  "0000000000000000000000000000000000",
		    HF_E_BOX },
		{ "82108100", HF_E_SHAPE },
		{ "82109a00010100", HF_E_TOO_BIG },
	};
	struct meeting m = path_of(RECORD, 1);
	struct hf_session *to;
	uint8_t bytes[32];
	struct blob b;
	size_t i, len;
	enum hf_err e;

	(void)state;
	world_make(&w, &m);
	for (i = 0; i < HF__ARRAY_N(cases); i++) {
		to = before(&b, RECORD);
		len = unhex(bytes, sizeof(bytes), cases[i].hex);
		e = give(to, bytes, len);
		if (e != cases[i].expected)
			fail_msg("%s: %s", cases[i].hex, hf_error_name(e));
		assert_true(hf_session_bytes(to) < 8192);
		pair_free(&p);
	}
	/* A thousand empty ones: the first is the last. */
	to = before(&b, RECORD);
	assert_ok(hf__record_seal(p.i, HF__DATA, NULL, 0));
	take(&b, p.i);
	assert_err(give(to, b.bytes, b.len), HF_E_BOX); /* out of order */
	pair_free(&p);
	to = before(&b, RECORD);
	assert_ok(give(to, b.bytes, b.len));
	assert_ok(hf_session_recv(to, &(enum hf_content){ 0 },
	    &(struct hf_span){ 0 }));
	assert_ok(hf__record_seal(p.i, HF__DATA, NULL, 0));
	take(&b, p.i);
	assert_err(give(to, b.bytes, b.len), HF_E_SHAPE);
	assert_err(give(to, b.bytes, b.len), HF_E_STATE);
	pair_free(&p);
	world_free(&w);
}

/* --- A39 ----------------------------------------------------------------------------------- */

static void
password_lengths(void **state)
{
	struct meeting m = { .method = HF_METHOD_PLAIN_PASSWORD };
	static char text[1 << 20];
	uint8_t out[32];
	struct blob b;

	(void)state;
	memset(text, 'a', sizeof(text));
	begin(&m);
	judged();
	assert_err(hf_session_password(p.i, text, 0), HF_E_ARG);
	assert_err(hf_session_password(p.i, text, 1025), HF_E_ARG);
	assert_err(hf_session_password(p.i, text, sizeof(text)), HF_E_ARG);
	assert_err(hf_password_stretch(out, text, 0, "r", "u", 0, 0),
	    HF_E_ARG);
	assert_err(hf_password_stretch(out, text, sizeof(text), "r", "u", 0,
		       0),
	    HF_E_ARG);
	/* The session has not suffered. */
	assert_ok(hf_session_password(p.i, text, 1024));
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(answer(&w, p.r));
	assert_int_equal(hf_session_asked_password(p.r).len, 1024);
	end();
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_with_little_memory),
		cmocka_unit_test(sealed_claims),
		cmocka_unit_test(record_lengths),
		cmocka_unit_test(password_lengths),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
