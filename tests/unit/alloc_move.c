/* SPDX-License-Identifier: ISC */
/*
 * Memory that runs out where sessions move: each allocation of a session that
 * is checkpointed, moves and falls back, one by one and all from there on, is
 * refused. The call says HF_E_MEMORY, nothing leaks, no key is left in what is
 * given back; and an initiator whose session was not over goes on with it.
 */
#include "heap.h"

#include "cluster.h"

#ifdef HAVE_HEAP

static struct cluster c;
static struct hf_session *i;
static struct end a, b, d;

static enum hf_err
begin(struct end *end, int server)
{
	memset(end, 0, sizeof(*end));
	end->shelf = &c.shelf;
	return hf_session_new(&end->s, c.server[server], START_MS, NOW);
}

static void
watch(const uint8_t *secret)
{
	if (sodium_is_zero(secret, SECRET_BYTES) ||
	    heap.secrets == SECRETS_MAX)
		return;
	memcpy(heap.secret[heap.secrets], secret, SECRET_BYTES);
	heap.secrets++;
}

/* What must be in no memory that is given back. */
static void
watch_session(const struct hf_session *s)
{
	watch(s->secrets.resumption);
	watch(s->secrets.exporter);
	watch(s->send.ratchet);
	watch(s->recv.ratchet);
}

/* Everything that waits is taken. */
static enum hf_err
take_all(struct end *end)
{
	enum hf_content content;
	struct hf_span data;
	enum hf_err e;

	do {
		if ((e = converse(&c, i, end)) != HF_OK ||
		    (i->pending &&
			(e = hf_session_recv(i, &content, &data)) != HF_OK) ||
		    (end->s->pending &&
			(e = hf_session_recv(end->s, &content, &data)) !=
			    HF_OK))
			return e;
	} while (
	    hf_session_output(i).len > 0 || hf_session_output(end->s).len > 0);
	return HF_OK;
}

/* Records until the history has grown twice, and one acked checkpoint. */
static enum hf_err
talk(struct end *end)
{
	enum hf_err e;
	int n;

	watch_session(i);
	watch_session(end->s);
	for (n = 0; n < 70; n++) {
		if ((e = hf_session_send(i, (const uint8_t *)"x", 1)) !=
			HF_OK ||
		    (e = hf_session_send(end->s, (const uint8_t *)"y", 1)) !=
			HF_OK ||
		    (e = take_all(end)) != HF_OK)
			return e;
	}
	if ((e = end_checkpoint(end)) != HF_OK)
		return e;
	return take_all(end);
}

static enum hf_err
move_to(struct end *end, int server)
{
	enum hf_err e;

	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	if ((e = hf_session_reconnect(i, START_MS, NOW + 1)) != HF_OK ||
	    (e = begin(end, server)) != HF_OK)
		return e;
	return converse(&c, i, end);
}

/* The initiator's process ends, and another one goes on. */
static enum hf_err
rest(void)
{
	static const uint8_t key[HF_KEY_BYTES] = { 3 };
	uint8_t object[HF_REST_MAX];
	size_t len;
	enum hf_err e;

	if ((e = hf_session_rest(object, sizeof(object), &len, i, "p", key)) !=
	    HF_OK)
		return e;
	hf_session_free(i);
	return hf_session_wake(&i, c.world.i, "p", object, len, key, NOW);
}

static enum hf_err
whole(void)
{
	enum hf_err e;

	if ((e = begin(&a, 0)) != HF_OK ||
	    (e = hf_session_new(&i, c.world.i, START_MS, NOW)) != HF_OK ||
	    (e = hf_session_error(i)) != HF_OK ||
	    (e = converse(&c, i, &a)) != HF_OK ||
	    (e = end_checkpoint(&a)) != HF_OK || (e = talk(&a)) != HF_OK ||
	    (e = move_to(&b, 1)) != HF_OK || (e = talk(&b)) != HF_OK)
		return e;
	if ((e = rest()) != HF_OK)
		return e;
	c.shelf.len = 0;
	if ((e = move_to(&d, 0)) != HF_OK)
		return e;
	assert_int_equal(hf_session_epoch(i), 0);
	return HF_OK;
}

/* Who failed holds no keys. */
static void
judge(const struct hf_session *s)
{
	if (s == NULL || hf_session_want(s) != HF_WANT_FAILED)
		return;
	assert_false(s->keys);
	assert_true(sodium_is_zero((const uint8_t *)&s->send.key,
	    sizeof(s->send.key)));
	assert_true(sodium_is_zero((const uint8_t *)&s->recv.key,
	    sizeof(s->recv.key)));
	assert_null(s->hs);
	/* What was given up has left no secret to go on with. */
	if (s->lost.lost && s->move == NULL)
		assert_true(sodium_is_zero(s->secrets.resumption,
		    sizeof(s->secrets.resumption)));
}

/* Memory is there again, and the initiator asks once more. */
static void
go_on(void)
{
	struct end end;

	if (i == NULL || !hf_session_can_reconnect(i))
		return;
	if (i->state == HF__OPEN)
		assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	assert_ok(begin(&end, 0));
	assert_ok(converse(&c, i, &end));
	assert_int_equal(hf_session_want(i), HF_WANT_DONE);
	assert_int_equal(hf_session_want(end.s), HF_WANT_DONE);
	end_free(&end);
}

/* Returns 0 when there is no allocation of that number. */
static int
refuse(unsigned long n, int all)
{
	long live = heap.live;
	enum hf_err e;

	i = NULL;
	a.s = b.s = d.s = NULL;
	c.shelf.len = 0;
	heap.secrets = 0;
	e = heap_refuse(whole, n, all);
	if (heap.n < n)
		assert_ok(e);
	else
		assert_err(e, HF_E_MEMORY);
	judge(i);
	judge(a.s);
	judge(b.s);
	judge(d.s);
	go_on();
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	end_free(&d);
	assert_int_equal(heap.found, 0);
	assert_int_equal(heap.live, live);
	heap.secrets = 0;
	return heap.n >= n;
}

static void
every_allocation_of_a_move(void **state)
{
	static const struct {
		struct meeting meeting;
		enum hf_mobility mobility;
	} ways[] = {
		{ { .method = HF_METHOD_CERTIFICATE }, HF_MOVES_PROVED },
		{ { .method = HF_METHOD_CERTIFICATE, .known = 1 },
		    HF_MOVES_SOFT },
		{ { .method = HF_METHOD_TICKET, .known = 1 },
		    HF_MOVES_PROVED },
		{ { .method = HF_METHOD_PASSWORD }, HF_MOVES_SOFT },
	};
	unsigned long n, total = 0;
	size_t k;
	int all;

	(void)state;
	for (k = 0; k < HF__ARRAY_N(ways); k++) {
		cluster_make(&c, &ways[k].meeting, ways[k].mobility);
		c.before_commit = watch_session;
		for (all = 0; all < 2; all++)
			for (n = 1; refuse(n, all); n++)
				total++;
		assert_in_range(n, 30, 200);
		cluster_free(&c);
	}
	print_message("%lu allocations refused\n", total);
}

static enum hf_err
reconnect(void)
{
	return hf_session_reconnect(i, START_MS, NOW + 1);
}

/* Whose keys went with the connection that it gave up is not open. */
static void
open_no_more(void **state)
{
	static const struct meeting m = { .method = HF_METHOD_CERTIFICATE,
		.known = 1 };

	(void)state;
	cluster_make(&c, &m, HF_MOVES_SOFT);
	i = cluster_meet(&c, &a, 0);
	assert_ok(take_all(&a));
	assert_err(heap_refuse(reconnect, 1, 0), HF_E_MEMORY);
	judge(i);
	assert_int_equal(hf_session_want(i), HF_WANT_FAILED);
	assert_err(hf_session_error(i), HF_E_MEMORY);
	assert_err(hf_session_send(i, (const uint8_t *)"x", 1), HF_E_STATE);
	assert_int_equal(hf_session_output(i).len, 0);
	assert_int_equal(hf_session_can_reconnect(i), 1);
	go_on();
	hf_session_free(i);
	end_free(&a);
	cluster_free(&c);
}

static void
vault(void **state)
{
	struct hf_vault *v = NULL;

	(void)state;
	heap.n = 0;
	heap.all = 1;
	heap.at = 1;
	assert_err(hf_vault_new(&v, "c", "o"), HF_E_MEMORY);
	heap.at = 0;
	assert_null(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_of_a_move),
		cmocka_unit_test(open_no_more),
		cmocka_unit_test(vault),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int
main(void)
{
	print_message("skipped: a sanitizer has malloc for itself\n");
	return 77;
}

#endif
