/* SPDX-License-Identifier: ISC */
/*
 * Randomness that fails, that is shared by a fork, and that repeats (threat
 * A46), for everything that draws any: with a source that fails the process
 * ends before it has made anything; two processes that part make different
 * things; and where only one side's source is stuck, no session has the keys
 * of another.
 */
#include <signal.h>
#include <string.h>

#include "testing.h"

#include "case.h"
#include "norandom.h"
#include "stage.h"

struct draw {
	const char *name;
	void (*prepare)(void);
	void (*make)(struct blob *);
	struct meeting meeting;
};

/* --- what draws -------------------------------------------------------------- */

static void
nothing(void)
{
}

static void
asked_hello(void)
{
	struct blob b;

	take(&b, p.i);
	assert_ok(give(p.r, b.bytes, b.len));
}

static void
make_offer(struct blob *out)
{
	assert_ok(answer(&w, p.r));
	take(out, p.r);
}

static void
make_request(struct blob *out)
{
	assert_ok(answer(&w, p.i));
	take(out, p.i);
}

static void
is_opened(void)
{
	struct blob b;

	opened(&b);
}

static void
make_grant(struct blob *out)
{
	assert_ok(answer(&w, p.r));
	take(out, p.r);
}

static void
is_established(void)
{
	assert_ok(run(&p));
	assert_int_equal(hf_session_want(p.r), HF_WANT_DONE);
}

static void
make_session_ticket(struct blob *out)
{
	assert_ok(hf_session_issue_ticket(p.r, 60, 600, 0));
	take(out, p.r);
}

/* Under the key that a new configuration draws. */
static void
make_cookie(struct blob *out)
{
	struct hf_config *c;
	struct hf_session *s;
	struct blob b;

	take(&b, p.i);
	assert_ok(hf_config_new(&c, HF_RESPONDER));
	assert_ok(hf_config_trust(c, w.trust));
	assert_ok(
	    hf_config_identity(c, w.responder, w.responder_chain, w.chain_n));
	assert_ok(hf_session_new(&s, c, START_MS, NOW));
	assert_ok(give(s, b.bytes, b.len));
	assert_ok(hf_session_admit(s, HF_ADMIT_COOKIE));
	take(out, s);
	hf_session_free(s);
	hf_config_free(c);
}

static void
make_identity(struct blob *out)
{
	struct hf_identity *id;

	assert_ok(hf_identity_new(&id, NULL));
	hf_identity_public(out->bytes, NULL, id);
	out->len = 32;
	hf_identity_free(id);
}

static void
make_sealed(struct blob *out)
{
	assert_ok(hf_identity_encode((char *)out->bytes, sizeof(out->bytes),
	    &out->len, w.initiator, "passphrase", 10));
}

static void
make_ring(struct blob *out)
{
	assert_ok(hf_ring_rotate(w.ring, NOW));
	assert_ok(hf_ring_encode((char *)out->bytes, sizeof(out->bytes),
	    &out->len, w.ring));
}

static void
make_ticket_file(struct blob *out)
{
	struct hf_ticket_info info = { .issued = NOW, .expires = NOW + 60 };

	name_set(&info.subject, "bob");
	name_set(&info.audience, "server.example");
	assert_ok(hf_ticket_issue(out->bytes, sizeof(out->bytes), &out->len,
	    w.ring, &info));
}

static struct blob request;

static void
have_request(void)
{
	struct hf_cert_info terms = terms_of("bob", HF_USAGE_INITIATOR);

	assert_ok(hf_request_make(request.bytes, sizeof(request.bytes),
	    &request.len, w.responder, &terms, NOW));
}

static void
make_certificate(struct blob *out)
{
	struct hf_cert_info terms = terms_of("bob", HF_USAGE_INITIATOR);

	assert_ok(hf_cert_issue(out->bytes, sizeof(out->bytes), &out->len,
	    w.ca, w.ca_cert.bytes, w.ca_cert.len, &terms, request.bytes,
	    request.len));
}

static void
make_ca_certificate(struct blob *out)
{
	struct hf_cert_info terms = terms_of("New CA", HF_USAGE_CA);

	assert_ok(hf_cert_self(out->bytes, sizeof(out->bytes), &out->len, w.ca,
	    &terms));
}

/* --- a source that fails, and processes that part ------------------------------- */

/* What a child makes; its end is in status. */
static void
child_makes(struct blob *made, int *status, const struct draw *d, int broken)
{
	static struct blob out;
	ssize_t n;
	int fd[2];
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	assert_true((pid = fork()) >= 0);
	if (pid == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		if (broken && !break_getrandom())
			_exit(2);
		out.len = 0;
		d->make(&out);
		n = write(fd[1], out.bytes, out.len);
		_exit(n == (ssize_t)out.len ? 0 : 1);
	}
	(void)close(fd[1]);
	for (made->len = 0; (n = read(fd[0], made->bytes + made->len,
				 sizeof(made->bytes) - made->len)) > 0;)
		made->len += (size_t)n;
	(void)close(fd[0]);
	assert_int_equal(waitpid(pid, status, 0), pid);
}

static void
fails(const void *arg)
{
	const struct draw *d = arg;
	static struct blob made;
	int status;

	begin(&d->meeting);
	d->prepare();
	child_makes(&made, &status, d, 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_int_equal(made.len, 0);
	/* With a source it is made. */
	child_makes(&made, &status, d, 0);
	assert_int_equal(status, 0);
	assert_true(made.len > 0);
	end();
}

/* The process, and two that it has started, from the same state. */
static void
parts(const void *arg)
{
	const struct draw *d = arg;
	static struct blob made[3];
	int status, i, k;

	assert_string_equal(randombytes_implementation_name(), "sysrandom");
	begin(&d->meeting);
	d->prepare();
	for (i = 0; i < 2; i++) {
		child_makes(&made[i], &status, d, 0);
		assert_int_equal(status, 0);
	}
	d->make(&made[2]);
	for (i = 0; i < 3; i++)
		for (k = i + 1; k < 3; k++) {
			assert_int_equal(made[i].len, made[k].len);
			assert_memory_not_equal(made[i].bytes, made[k].bytes,
			    made[i].len);
		}
	end();
}

/* --- a source that is stuck -------------------------------------------------------- */

enum { INITIATOR = 1, RESPONDER = 2, SESSIONS = 8 };

struct stuck {
	struct meeting meeting;
	int sides;
};

static const char *
stuck_name(void)
{
	return "stuck";
}

static void
stuck_buf(void *const out, const size_t len)
{
	memset(out, 0x55, len);
}

static uint32_t
stuck_word(void)
{
	return 0x55555555;
}

/* For what is done next by that side. */
static void
source_of(int side, int sides)
{
	static struct randombytes_implementation stuck = {
		.implementation_name = stuck_name,
		.random = stuck_word,
		.buf = stuck_buf,
	};

	assert_int_equal(randombytes_set_implementation((side & sides) != 0 ?
				 &stuck :
				 &randombytes_sysrandom_implementation),
	    0);
}

static void
one_session(uint8_t key[3][32], const struct stuck *x)
{
	static struct blob b;
	int step;

	pair_make(&p, &w);
	for (step = 0; step < 8; step++) {
		source_of(INITIATOR, x->sides);
		while (hf_session_want(p.i) == HF_WANT_TRUST)
			assert_ok(answer(&w, p.i));
		take(&b, p.i);
		source_of(RESPONDER, x->sides);
		assert_ok(give(p.r, b.bytes, b.len));
		while (hf_session_want(p.r) == HF_WANT_ADMIT ||
		    hf_session_want(p.r) == HF_WANT_TRUST)
			assert_ok(answer(&w, p.r));
		take(&b, p.r);
		source_of(INITIATOR, x->sides);
		assert_ok(give(p.i, b.bytes, b.len));
	}
	assert_int_equal(hf_session_want(p.r), HF_WANT_DONE);
	memcpy(key[0], p.r->send.ratchet, 32);
	memcpy(key[1], p.r->recv.ratchet, 32);
	assert_ok(hf_session_export(key[2], 32, p.i, "x", NULL, 0));
	pair_free(&p);
}

static void
stuck(const void *arg)
{
	const struct stuck *x = arg;
	uint8_t key[SESSIONS][3][32];
	size_t a, b, i;

	world_make(&w, &x->meeting);
	for (a = 0; a < SESSIONS; a++)
		one_session(key[a], x);
	for (a = 0; a < SESSIONS; a++)
		for (b = 0; b < a; b++)
			for (i = 0; i < 3; i++)
				/* When both are stuck nothing helps. */
				assert_int_equal(memcmp(key[a][i], key[b][i],
						     32) == 0,
				    x->sides == (INITIATOR | RESPONDER));
	source_of(0, 0);
	world_free(&w);
}

/* --- the list --------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum hf_method method;
} tokens[] = { { "certificate", HF_METHOD_CERTIFICATE },
	{ "password", HF_METHOD_PASSWORD },
	{ "plain-password", HF_METHOD_PLAIN_PASSWORD },
	{ "ticket", HF_METHOD_TICKET } };

static void
both(const struct draw *d, const char *more)
{
	char name[80];

	(void)snprintf(name, sizeof(name), "source-fails/%s%s", d->name, more);
	run_case("random", name, fails, d);
	(void)snprintf(name, sizeof(name), "after-a-fork/%s%s", d->name, more);
	run_case("random", name, parts, d);
}

int
main(void)
{
	static const struct draw objects[] = {
		{ "offer", asked_hello, make_offer,
		    { .method = HF_METHOD_CERTIFICATE } },
		{ "session-ticket", is_established, make_session_ticket,
		    { .method = HF_METHOD_CERTIFICATE } },
		{ "cookie-key", nothing, make_cookie,
		    { .method = HF_METHOD_CERTIFICATE } },
		{ "identity", nothing, make_identity,
		    { .method = HF_METHOD_CERTIFICATE } },
		{ "sealed-identity", nothing, make_sealed,
		    { .method = HF_METHOD_CERTIFICATE } },
		{ "ring", nothing, make_ring,
		    { .method = HF_METHOD_CERTIFICATE } },
		{ "ticket", nothing, make_ticket_file,
		    { .method = HF_METHOD_CERTIFICATE } },
		{ "certificate", have_request, make_certificate,
		    { .method = HF_METHOD_CERTIFICATE } },
		{ "ca-certificate", nothing, make_ca_certificate,
		    { .method = HF_METHOD_CERTIFICATE } },
	};
	static const char *const sides[] = { "initiator", "responder",
		"both" };
	struct draw request_of = { "request/", judged, make_request, { 0 } };
	struct draw grant_of = { "grant/", is_opened, make_grant, { 0 } };
	struct stuck x;
	char name[80];
	size_t i, known, k;

	assert_ok(hf_init());
	for (i = 0; i < HF__ARRAY_N(objects); i++)
		both(&objects[i], "");
	for (i = 0; i < HF__ARRAY_N(tokens); i++) {
		request_of.meeting.method = tokens[i].method;
		grant_of.meeting.method = tokens[i].method;
		both(&request_of, tokens[i].name);
		both(&grant_of, tokens[i].name);
	}
	for (i = 0; i < HF__ARRAY_N(tokens); i++)
		for (known = 0; known < 2; known++)
			for (k = 0; k < 3; k++) {
				x = (struct stuck){
					.meeting = { .method =
							 tokens[i].method,
					    .known = (int)known },
					.sides = (int)k + 1
				};
				(void)snprintf(name, sizeof(name),
				    "source-repeats/%s/%s/%s", sides[k],
				    tokens[i].name, known ? "known" : "offer");
				run_case("random", name, stuck, &x);
			}
	return case_total();
}
