/* SPDX-License-Identifier: ISC */
/*
 * Randomness (threat A46): what each message draws, that nothing secret is
 * the same in two runs from one state unless the source is, that processes
 * which part share nothing afterwards, and that a source which fails ends the
 * process before anything is sent.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing.h"

#include "norandom.h"

static const enum hf_method methods[] = { HF_METHOD_CERTIFICATE,
	HF_METHOD_PASSWORD, HF_METHOD_PLAIN_PASSWORD, HF_METHOD_TICKET };

/* --- what one handshake makes ------------------------------------------------ */

enum { VALUES = 10 };

/* Each must be new in every handshake; shorter ones are filled up. */
struct made {
	uint8_t value[VALUES][32];
	size_t n;
};

static void
note(struct made *m, const uint8_t *ptr, size_t len)
{
	assert_true(m->n < VALUES && len >= 16);
	memset(m->value[m->n], 0, 32);
	memcpy(m->value[m->n++], ptr, len < 32 ? len : 32);
}

/* enc and the last 32 bytes of the box. */
static void
note_message(struct made *m, const struct blob *b, size_t enc_at)
{
	assert_memory_equal(b->bytes + enc_at - 2, "\x58\x20", 2);
	note(m, b->bytes + enc_at, 32);
	note(m, b->bytes + b->len - 32, 32);
}

/* Where enc begins: behind target and cookie, both empty here. */
enum { REQUEST_ENC = 25, GRANT_ENC = 5 };

static void
one_handshake(struct made *m, struct world *w)
{
	uint8_t key[32];
	struct blob b;
	struct pair p;

	m->n = 0;
	pair_make(&p, w);
	if (p.i->state == HF__I_HELLO_SENT) {
		take(&b, p.i);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_ok(answer(w, p.r));
		take(&b, p.r);
		note(m, p.r->hs->prekey.pk, 32);
		assert_ok(give(p.i, b.bytes, b.len));
	}
	assert_ok(answer(w, p.i));
	note(m, p.i->hs->transport_key, 32);
	take(&b, p.i);
	note_message(m, &b, REQUEST_ENC);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_ok(answer(w, p.r));
	assert_ok(answer(w, p.r));
	take(&b, p.r);
	note_message(m, &b, GRANT_ENC);
	assert_ok(give(p.i, b.bytes, b.len));
	take(&b, p.i);
	note(m, b.bytes + b.len - 16, 16);
	assert_ok(give(p.r, b.bytes, b.len));
	note(m, hf_session_id(p.r).ptr, 16);
	assert_ok(hf_session_export(key, 32, p.r, "x", NULL, 0));
	note(m, key, 32);
	pair_free(&p);
}

enum { RUNS = 40 };

/* One config, one clock, one input: all that differs is the source. */
static void
nothing_is_made_twice(void **state)
{
	static struct made made[RUNS];
	struct made again;
	struct world w;
	char seed[8];
	size_t a, b, i, k, n, way;

	(void)state;
	for (way = 0; way < 8; way++) {
		struct meeting m = { .method = methods[way & 3],
			.known = way >> 2 & 1 };

		world_make(&w, &m);
		for (n = 0; n < RUNS; n++) {
			snprintf(seed, sizeof(seed), "%zu", n);
			fixed_random(seed);
			one_handshake(&made[n], &w);
		}
		for (a = 0; a < RUNS; a++)
			for (b = a; b < RUNS; b++)
				for (i = 0; i < made[a].n; i++)
					for (k = a == b ? i + 1 : 0;
					     k < made[b].n; k++)
						assert_memory_not_equal(
						    made[a].value[i],
						    made[b].value[k], 32);
		/* The same source again: there is no other. */
		one_handshake(&again, &w);
		fixed_random("0");
		one_handshake(&again, &w);
		assert_memory_equal(again.value, made[0].value,
		    sizeof(again.value[0]) * again.n);
		fixed_random(NULL);
		world_free(&w);
	}
}

/* --- how much is drawn --------------------------------------------------------- */

static size_t drawn;

static const char *
counting_name(void)
{
	return "counting";
}

static void
counting_buf(void *const out, const size_t len)
{
	randombytes_sysrandom_implementation.buf(out, len);
	drawn += len;
}

static uint32_t
counting_word(void)
{
	uint32_t word;

	counting_buf(&word, sizeof(word));
	return word;
}

static struct randombytes_implementation counting = {
	.implementation_name = counting_name,
	.random = counting_word,
	.buf = counting_buf,
};

static size_t
draw(enum hf_err e)
{
	size_t n = drawn;

	assert_ok(e);
	drawn = 0;
	return n;
}

/* Request: ephemeral and transport key. Offer: prekey. Grant: ephemeral,
 * session key, session id. Twice each, for nothing is drawn ahead. */
static void
what_is_drawn(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct world w;
	struct pair p;
	struct blob b;
	int i;

	(void)state;
	world_make(&w, &m);
	assert_int_equal(randombytes_set_implementation(&counting), 0);
	for (i = 0; i < 2; i++) {
		drawn = 0;
		pair_make(&p, &w);
		take(&b, p.i);
		assert_int_equal(draw(give(p.r, b.bytes, b.len)), 0);
		assert_int_equal(draw(answer(&w, p.r)), 32);
		take(&b, p.r);
		assert_int_equal(draw(give(p.i, b.bytes, b.len)), 0);
		assert_int_equal(draw(answer(&w, p.i)), 64);
		take(&b, p.i);
		assert_ok(give(p.r, b.bytes, b.len));
		assert_int_equal(draw(answer(&w, p.r)), 0);
		assert_int_equal(draw(answer(&w, p.r)), 80);
		take(&b, p.r);
		assert_int_equal(draw(give(p.i, b.bytes, b.len)), 0);
		pair_free(&p);
	}
	fixed_random(NULL);
	world_free(&w);
}

/* --- a message made again -------------------------------------------------------- */

/* No four bytes in the same place: a run that kept anything would show. */
static void
assert_no_run(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i;

	for (i = 0; i + 4 <= len; i++)
		assert_memory_not_equal(a + i, b + i, 4);
}

/* The same by one constant difference: a key stream used twice. The two
 * plaintexts are the same but for the transport key, 3 to 34. */
static void
assert_no_common_stream(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t zero[4] = { 0 }, x[4];
	size_t i, k;

	for (i = 35; i + 4 <= len; i++) {
		for (k = 0; k < 4; k++)
			x[k] = a[i + k] ^ b[i + k];
		assert_memory_not_equal(x, zero, 4);
	}
}

static void
made_anew_after_a_retry(void **state)
{
	struct blob first, again, b;
	uint8_t key[32];
	struct world w;
	struct pair p;
	size_t way, box;

	(void)state;
	for (way = 0; way < 8; way++) {
		struct meeting m = { .method = methods[way & 3],
			.known = way >> 2 & 1 };

		world_make(&w, &m);
		pair_make(&p, &w);
		if (p.i->state == HF__I_HELLO_SENT) {
			take(&b, p.i);
			assert_ok(give(p.r, b.bytes, b.len));
			assert_ok(answer(&w, p.r));
			take(&b, p.r);
			assert_ok(give(p.i, b.bytes, b.len));
		}
		assert_ok(answer(&w, p.i));
		memcpy(key, p.i->hs->transport_key, 32);
		take(&first, p.i);
		assert_ok(give(p.r, first.bytes, first.len));
		assert_ok(hf_session_admit(p.r, HF_ADMIT_COOKIE));
		take(&b, p.r);
		assert_ok(give(p.i, b.bytes, b.len));
		take(&again, p.i);
		/* In clear: the same up to the cookie, which is new. */
		assert_memory_equal(first.bytes, again.bytes, 22);
		assert_int_equal(first.bytes[22], 0xf6);
		assert_memory_equal(again.bytes + 22, "\x58\x18", 2);
		assert_int_equal(again.len, first.len + 25);
		assert_no_run(first.bytes + REQUEST_ENC,
		    again.bytes + REQUEST_ENC + 25, 32);
		/* prekey_enc, extensions, a head of two or three bytes */
		box = REQUEST_ENC + 32 + 2;
		assert_int_equal(first.bytes[box] | 1, 0x59);
		box += first.bytes[box] == 0x59 ? 3 : 2;
		assert_no_run(first.bytes + box, again.bytes + box + 25,
		    first.len - box);
		assert_no_common_stream(first.bytes + box,
		    again.bytes + box + 25, first.len - box);
		assert_no_run(key, p.i->hs->transport_key, 32);
		/* The one that counts is the last. */
		assert_ok(give(p.r, again.bytes, again.len));
		assert_ok(run(&p));
		assert_true(p.r->authenticated);
		pair_free(&p);
		world_free(&w);
	}
}

/* --- processes that part --------------------------------------------------------- */

/* Both answer the same question of the same session; what each then says. */
static void
part(struct blob *parent, struct blob *child, struct world *w,
    struct hf_session *s)
{
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (answer(w, s) != HF_OK)
			_exit(1);
		take(child, s);
		n = write(fd[1], child->bytes, child->len);
		_exit(n == (ssize_t)child->len ? 0 : 1);
	}
	assert_ok(answer(w, s));
	take(parent, s);
	close(fd[1]);
	child->len = 0;
	while ((n = read(fd[0], child->bytes + child->len,
		    sizeof(child->bytes) - child->len)) > 0)
		child->len += (size_t)n;
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(parent->len, child->len);
	assert_true(parent->len > 0);
}

static void
after_a_fork(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct blob mine, other, b;
	struct world w;
	struct pair p;
	size_t at;

	(void)state;
	assert_string_equal(randombytes_implementation_name(), "sysrandom");
	world_make(&w, &m);
	pair_make(&p, &w);
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	part(&mine, &other, &w, p.r); /* offer: the prekey, before {} */
	assert_int_equal(mine.bytes[1], HF__OFFER);
	assert_memory_equal(mine.bytes, other.bytes, mine.len - 33);
	assert_no_run(mine.bytes + mine.len - 33, other.bytes + mine.len - 33,
	    32);
	assert_ok(give(p.i, mine.bytes, mine.len));
	part(&mine, &other, &w, p.i); /* request */
	assert_int_equal(mine.bytes[1], HF__REQUEST);
	assert_no_run(mine.bytes + REQUEST_ENC, other.bytes + REQUEST_ENC, 32);
	at = REQUEST_ENC + 32 + 5;
	assert_int_equal(mine.bytes[at - 3], 0x59);
	assert_no_run(mine.bytes + at, other.bytes + at, mine.len - at);
	assert_ok(give(p.r, mine.bytes, mine.len));
	assert_ok(answer(&w, p.r));
	part(&mine, &other, &w, p.r); /* grant */
	assert_int_equal(mine.bytes[1], HF__GRANT);
	assert_no_run(mine.bytes + GRANT_ENC, other.bytes + GRANT_ENC, 32);
	at = mine.len - 32;
	assert_no_run(mine.bytes + at, other.bytes + at, 32);
	pair_free(&p);
	world_free(&w);
}

/* --- a source that fails ------------------------------------------------------------ */

enum { CANNOT = 3, SPOKE = 4 };

/* How a child ends that answers without randomness: a signal, as it must. */
static int
end_without_random(struct world *w, struct hf_session *s)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		if (!break_getrandom())
			_exit(CANNOT);
		(void)!answer(w, s);
		_exit(hf_session_output(s).len > 0 ? SPOKE : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
		print_message("skipped: no system call can be refused here\n");
		skip();
	}
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void
fails_closed(void **state)
{
	struct meeting m = { .method = HF_METHOD_CERTIFICATE };
	struct world w;
	struct pair p;
	struct blob b;

	(void)state;
	world_make(&w, &m);
	pair_make(&p, &w);
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_int_equal(end_without_random(&w, p.r), SIGABRT); /* offer */
	assert_ok(answer(&w, p.r));
	take(&b, p.r);
	assert_ok(give(p.i, b.bytes, b.len));
	assert_int_equal(end_without_random(&w, p.i), SIGABRT); /* request */
	assert_ok(answer(&w, p.i));
	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
	assert_int_equal(end_without_random(&w, p.r), 0); /* opening */
	assert_ok(answer(&w, p.r));
	assert_int_equal(end_without_random(&w, p.r), SIGABRT); /* grant */
	pair_free(&p);
	world_free(&w);
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
		cmocka_unit_test(nothing_is_made_twice),
		cmocka_unit_test(what_is_drawn),
		cmocka_unit_test(made_anew_after_a_retry),
		cmocka_unit_test(after_a_fork),
		cmocka_unit_test(fails_closed),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
