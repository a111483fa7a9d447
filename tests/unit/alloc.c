/* SPDX-License-Identifier: ISC */
/*
 * Memory that runs out: each allocation of a whole session, one by one and
 * all from there on, is refused. The call says HF_E_MEMORY, nobody is let in,
 * nothing leaks, and the same configuration works the next time. And memory
 * that is given back: no key or password is left in it (threat A50).
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);

/* --- malloc, that fails and watches ---------------------------------------------- */

enum { SECRETS_MAX = 64, SECRET_BYTES = 16 };

static struct {
	long live;	  /* blocks */
	unsigned long n;  /* allocations since it was armed */
	unsigned long at; /* this one fails; 0: none */
	int all;	  /* and all that follow */
	uint8_t secret[SECRETS_MAX][SECRET_BYTES];
	size_t secrets;
	unsigned long found; /* blocks freed with a secret in them */
} heap;

static int
refused(void)
{
	if (heap.at == 0)
		return 0;
	heap.n++;
	return heap.all ? heap.n >= heap.at : heap.n == heap.at;
}

void *
malloc(size_t n)
{
	void *ptr = refused() ? NULL : __libc_malloc(n);

	heap.live += ptr != NULL;
	return ptr;
}

void *
calloc(size_t n, size_t size)
{
	void *ptr = refused() ? NULL : __libc_calloc(n, size);

	heap.live += ptr != NULL;
	return ptr;
}

void *
realloc(void *old, size_t n)
{
	void *ptr = refused() ? NULL : __libc_realloc(old, n);

	heap.live += ptr != NULL && old == NULL;
	return ptr;
}

void
free(void *ptr)
{
	size_t i;

	if (ptr == NULL)
		return;
	heap.live--;
	for (i = 0; i < heap.secrets; i++)
		if (memmem(ptr, malloc_usable_size(ptr), heap.secret[i],
			SECRET_BYTES) != NULL) {
			heap.found++;
			break;
		}
	__libc_free(ptr);
}

/* --- one whole session --------------------------------------------------------------- */

static struct world w;
static struct pair p;

static enum hf_err
start(struct hf_session **s, struct hf_config *c)
{
	enum hf_err e;

	if ((e = hf_session_new(s, c, START_MS, NOW)) != HF_OK)
		return e;
	return hf_session_error(*s);
}

static void (*after_each_step)(void);
static void (*note_data)(const uint8_t *data);

/* All that one side has to say goes to the other. */
static enum hf_err
pass(struct hf_session *from, struct hf_session *to, size_t *moved)
{
	static struct blob b;
	enum hf_err e;

	while (hf_session_want(from) == HF_WANT_ADMIT ||
	    hf_session_want(from) == HF_WANT_TRUST ||
	    hf_session_want(from) == HF_WANT_COMMIT) {
		if ((e = answer(&w, from)) != HF_OK)
			return e;
		after_each_step();
	}
	take(&b, from);
	*moved += b.len;
	e = give(to, b.bytes, b.len);
	after_each_step();
	return e;
}

static enum hf_err
handshake(void)
{
	size_t moved;
	enum hf_err e;

	if ((e = start(&p.i, w.i)) != HF_OK || (e = start(&p.r, w.r)) != HF_OK)
		return e;
	do {
		moved = 0;
		if ((e = pass(p.i, p.r, &moved)) != HF_OK ||
		    (e = pass(p.r, p.i, &moved)) != HF_OK)
			return e;
	} while (moved > 0);
	return HF_OK;
}

/* A record, whole or in two pieces, to the application. */
static enum hf_err
record(struct hf_session *from, struct hf_session *to, size_t len,
    size_t first)
{
	static uint8_t data[HF_PLAINTEXT_MAX], wire[HF_RECORD_MAX];
	enum hf_content content;
	struct hf_span got;
	size_t n, used;
	uint8_t *room;
	enum hf_err e;

	if ((room = hf_session_room(from, len)) == NULL) {
		/* That alone spoils nothing. */
		assert_int_equal(hf_session_want(from), HF_WANT_DONE);
		return HF_E_MEMORY;
	}
	memset(room, (int)len % 251 + 1, len);
	note_data(room);
	if ((e = hf_session_send(from, room, len)) != HF_OK)
		return e;
	assert_ok(hf_session_drain(from, wire, sizeof(wire), &n));
	if (first > 0 &&
	    (e = hf_session_feed(to, &used, wire, first)) != HF_OK)
		return e;
	if ((e = hf_session_feed(to, &used, wire + first, n - first)) != HF_OK)
		return e;
	assert_ok(hf_session_recv(to, &content, &got));
	assert_int_equal(got.len, len);
	memset(data, (int)len % 251 + 1, len);
	assert_memory_equal(got.ptr, data, len);
	return HF_OK;
}

static enum hf_err
handed_ticket(void)
{
	enum hf_content content;
	struct hf_span data;
	struct blob b;
	enum hf_err e;

	if ((e = hf_session_issue_ticket(p.r, 60, 600, 0)) != HF_OK)
		return e;
	take(&b, p.r);
	if ((e = give(p.i, b.bytes, b.len)) != HF_OK)
		return e;
	assert_ok(hf_session_recv(p.i, &content, &data));
	assert_int_equal(content, HF_CONTENT_TICKET);
	return HF_OK;
}

static enum hf_err
closed(struct hf_session *from, struct hf_session *to)
{
	enum hf_content content;
	struct hf_span data;
	struct blob b;
	enum hf_err e;

	if ((e = hf_session_close(from)) != HF_OK)
		return e;
	take(&b, from);
	if ((e = give(to, b.bytes, b.len)) != HF_OK)
		return e;
	assert_ok(hf_session_recv(to, &content, &data));
	return HF_OK;
}

/* From such a session no ticket is issued. */
static int
single_use(void)
{
	return p.r->ticket != NULL && p.r->ticket->single_use;
}

static enum hf_err
whole_session(void)
{
	enum hf_err e;

	if ((e = handshake()) != HF_OK ||
	    (e = record(p.i, p.r, 20, 0)) != HF_OK ||
	    (e = record(p.i, p.r, 3000, 1)) != HF_OK ||
	    (e = record(p.r, p.i, 65536, 40000)) != HF_OK ||
	    (!single_use() && (e = handed_ticket()) != HF_OK) ||
	    (e = record(p.i, p.r, 65536, 0)) != HF_OK ||
	    (e = closed(p.i, p.r)) != HF_OK || (e = closed(p.r, p.i)) != HF_OK)
		return e;
	assert_int_equal(hf_session_want(p.i), HF_WANT_CLOSED);
	assert_int_equal(hf_session_want(p.r), HF_WANT_CLOSED);
	return HF_OK;
}

static enum hf_err build_list(void);

static void
nothing_to_note(void)
{
}

static void
no_data_to_note(const uint8_t *data)
{
	(void)data;
}

/* Where it failed, nobody is let in by it: who failed knows nobody. */
static void
judge(const struct hf_session *s)
{
	if (s == NULL || hf_session_error(s) == HF_OK)
		return;
	assert_int_equal(hf_session_want(s), HF_WANT_FAILED);
	assert_false(s->keys);
	assert_true(
	    sodium_is_zero((const uint8_t *)&s->send, sizeof(s->send)));
	assert_true(
	    sodium_is_zero((const uint8_t *)&s->recv, sizeof(s->recv)));
	assert_null(s->hs);
}

/* Refuses allocation n. Returns 0 when there is none of that number. */
static int
refuse(enum hf_err (*f)(void), unsigned long n, int all)
{
	long live = heap.live;
	enum hf_err e;

	p = (struct pair){ &w, NULL, NULL };
	heap.n = 0;
	heap.all = all;
	heap.at = n;
	e = f();
	heap.at = 0;
	/* qsort() sorts without, where it gets no memory. */
	if (heap.n < n || (f == build_list && e == HF_OK))
		assert_ok(e);
	else
		assert_err(e, HF_E_MEMORY);
	judge(p.i);
	judge(p.r);
	hf_session_free(p.i);
	hf_session_free(p.r);
	assert_int_equal(heap.live, live);
	return heap.n >= n;
}

static const struct meeting ways[] = {
	{ .method = HF_METHOD_CERTIFICATE },
	{ .method = HF_METHOD_CERTIFICATE, .known = 1, .intermediate = 1 },
	{ .method = HF_METHOD_PASSWORD },
	{ .method = HF_METHOD_PLAIN_PASSWORD },
	{ .method = HF_METHOD_TICKET, .known = 1 },
	{ .method = HF_METHOD_TICKET, .known = 1, .single_use = 1 },
};

static void
every_allocation_of_a_session(void **state)
{
	unsigned long n, total = 0;
	size_t i;
	int all;

	(void)state;
	after_each_step = nothing_to_note;
	note_data = no_data_to_note;
	for (i = 0; i < HF__ARRAY_N(ways); i++) {
		world_make(&w, &ways[i]);
		for (all = 0; all < 2; all++)
			for (n = 1; refuse(whole_session, n, all); n++)
				total++;
		assert_in_range(n, 10, 100);
		world_free(&w);
	}
	print_message("%lu allocations refused\n", total);
}

/* --- everything else that allocates ---------------------------------------------- */

static struct blob sub_list;

static enum hf_err
build_trust(void)
{
	struct hf_trust *t = NULL;
	enum hf_err e;

	if ((e = hf_trust_new(&t)) != HF_OK ||
	    (e = hf_trust_add_ca(t, w.ca_cert.bytes, w.ca_cert.len)) !=
		HF_OK ||
	    (e = hf_trust_add_issuer(t, w.sub_cert.bytes, w.sub_cert.len,
		 NOW)) != HF_OK ||
	    (e = hf_trust_add_list(t, sub_list.bytes, sub_list.len)) !=
		HF_OK ||
	    (e = hf_trust_verify(NULL, t, w.initiator_chain, 2,
		 HF_USAGE_INITIATOR, "alice", NOW)) != HF_OK)
		goto out;
out:
	hf_trust_free(t);
	return e;
}

static enum hf_err
build_initiator(void)
{
	struct hf_config *c = NULL;
	enum hf_err e;

	if ((e = hf_config_new(&c, HF_INITIATOR)) != HF_OK ||
	    (e = hf_config_trust(c, w.trust)) != HF_OK ||
	    (e = hf_config_identity(c, w.initiator, w.initiator_chain, 2)) !=
		HF_OK ||
	    (e = hf_config_responder(c, w.responder_chain, 2)) != HF_OK ||
	    (e = hf_config_ticket(c, w.ticket.bytes, w.ticket.len)) != HF_OK ||
	    (e = hf_config_responder(c, w.responder_chain, 2)) != HF_OK)
		goto out;
out:
	hf_config_free(c);
	return e;
}

static enum hf_err
build_tables(void)
{
	struct hf_replay *replay = NULL;
	struct hf_limit *limit = NULL;
	enum hf_err e;

	if ((e = hf_replay_new(&replay, 100, 60)) == HF_OK)
		e = hf_limit_new(&limit, 100, 20);
	if (e != HF_OK && replay != NULL)
		assert_null(limit);
	hf_replay_free(replay);
	hf_limit_free(limit);
	return e;
}

static enum hf_err
build_list(void)
{
	static uint8_t ids[300 * HF_CTI_BYTES], out[8192];
	struct hf_list_info info;
	size_t len;
	enum hf_err e;

	randombytes_buf(ids, sizeof(ids));
	if ((e = hf_list_make(out, sizeof(out), &len, w.ca, w.ca_cert.bytes,
		 w.ca_cert.len, 1, ids, 300, NOW, NOW + 1)) != HF_OK)
		return e;
	e = hf_list_read(&info, out, len); /* that they rise, too */
	assert_int_equal(info.n, 300);
	return e;
}

static void
every_other_allocation(void **state)
{
	static enum hf_err (*const builders[])(
	    void) = { build_trust, build_initiator, build_tables, build_list };
	static const uint8_t id[HF_CTI_BYTES] = { 1 };
	unsigned long n, total = 0;
	size_t i;
	int all;

	(void)state;
	world_make(&w, &ways[1]);
	assert_ok(hf_list_make(sub_list.bytes, sizeof(sub_list.bytes),
	    &sub_list.len, w.sub, w.sub_cert.bytes, w.sub_cert.len, 1, id, 1,
	    NOW, NOW + 1000));
	for (i = 0; i < HF__ARRAY_N(builders); i++)
		for (all = 0; all < 2; all++) {
			for (n = 1; refuse(builders[i], n, all); n++)
				total++;
			assert_in_range(n, 3, 100);
		}
	world_free(&w);
	print_message("%lu allocations refused\n", total);
}

/* --- A50: what is given back -------------------------------------------------------- */

static void
watch(const uint8_t *secret)
{
	size_t i;

	if (sodium_is_zero(secret, SECRET_BYTES))
		return;
	for (i = 0; i < heap.secrets; i++)
		if (memcmp(heap.secret[i], secret, SECRET_BYTES) == 0)
			return;
	assert_true(heap.secrets < SECRETS_MAX);
	memcpy(heap.secret[heap.secrets], secret, SECRET_BYTES);
	heap.secrets++;
}

/* Every secret that a session holds at this moment. */
static void
note_secrets_of(const struct hf_session *s)
{
	if (s == NULL)
		return;
	watch(s->secrets.confirm);
	watch(s->secrets.resumption);
	watch(s->secrets.exporter);
	watch(s->send.ratchet);
	watch(s->recv.ratchet);
	if (s->hs == NULL)
		return;
	watch(s->hs->ephemeral.sk);
	watch(s->hs->prekey.sk);
	watch(s->hs->transport_key);
	watch(s->hs->password);
	watch(s->hs->pop);
}

static void
note_secrets(void)
{
	note_secrets_of(p.i);
	note_secrets_of(p.r);
}

static enum hf_err
wrong_password(void)
{
	enum hf_err e;

	w.verifier[0] ^= 1;
	e = handshake();
	w.verifier[0] ^= 1;
	return e == HF_E_PASSWORD ? HF_OK : e;
}

static void
nothing_secret_is_left(void **state)
{
	static enum hf_err (*const ends[])(
	    void) = { whole_session, handshake, wrong_password };
	size_t i, k, least;
	uint8_t *control;

	(void)state;
	after_each_step = note_secrets;
	note_data = watch;
	for (i = 0; i < HF__ARRAY_N(ways); i++)
		for (k = 0; k < HF__ARRAY_N(ends); k++) {
			if (ends[k] == wrong_password &&
			    ways[i].method != HF_METHOD_PASSWORD)
				continue;
			world_make(&w, &ways[i]);
			heap.secrets = 0;
			watch(w.stretched);
			(void)refuse(ends[k], (unsigned long)-1, 0);
			least = ends[k] == wrong_password ? 4 : 8;
			assert_in_range(heap.secrets, least, SECRETS_MAX);
			assert_int_equal(heap.found, 0);
			/* The watch does watch. */
			control = malloc(100);
			assert_non_null(control);
			memcpy(control + 50, heap.secret[1], SECRET_BYTES);
			__asm__ volatile("" : : "r"(control) : "memory");
			free(control);
			assert_int_equal(heap.found, 1);
			heap.found = 0;
			heap.secrets = 0;
			world_free(&w);
		}
	after_each_step = nothing_to_note;
	note_data = no_data_to_note;
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
		cmocka_unit_test(every_allocation_of_a_session),
		cmocka_unit_test(every_other_allocation),
		cmocka_unit_test(nothing_secret_is_left),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

#else

int
main(void)
{
	print_message("skipped: a sanitizer has malloc for itself\n");
	return 77;
}

#endif
