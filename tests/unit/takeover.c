/* SPDX-License-Identifier: ISC */
/*
 * Sessions that move (spec section 17): from one server to another, each way
 * of authenticating, soft and proved; what was lost in between; the retry
 * window; and everything that must be refused.
 */
#include "cluster.h"

static struct cluster c;
static struct hf_session *i;
static struct end a, b;

static void
begin(const struct meeting *m, enum hf_mobility mobility)
{
	cluster_make(&c, m, mobility);
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_int_equal(received(i, NULL), HF_CONTENT_ACK);
	memset(&b, 0, sizeof(b));
}

static void
finish(void)
{
	hf_session_free(i);
	end_free(&a);
	end_free(&b);
	cluster_free(&c);
}

/* The initiator's connection breaks; it goes to a server. */
static enum hf_err
move_to(struct end *end, int server)
{
	if (i->state == HF__OPEN)
		assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_ok(hf_session_reconnect(i, START_MS, NOW + 1));
	end_make(end, &c, server);
	return converse(&c, i, end);
}

static void
talk(struct end *end)
{
	say(i, "forth");
	assert_ok(converse(&c, i, end));
	assert_int_equal(received(end->s, "forth"), HF_CONTENT_DATA);
	say(end->s, "back");
	assert_ok(converse(&c, i, end));
	assert_int_equal(received(i, "back"), HF_CONTENT_DATA);
}

/* Every token, path and suite; soft and proved. */
static void
every_way(void **state)
{
	static const enum hf_method methods[] = { HF_METHOD_CERTIFICATE,
		HF_METHOD_PASSWORD, HF_METHOD_PLAIN_PASSWORD,
		HF_METHOD_TICKET };
	struct meeting m = { .target = "t" };
	struct hf_bases bases;
	struct hf_peer was, is;
	size_t k;
	int n, moved = 0;

	(void)state;
	for (n = 0; n < 16 * 4; n++) {
		k = (size_t)n % 4;
		m.method = methods[k];
		m.known = (n & 4) != 0;
		m.suite = (n & 8) != 0 ? 2 : 1;
		m.grease = (n & 32) != 0;
		if (m.method == HF_METHOD_PLAIN_PASSWORD && m.known)
			continue;
		if (!hf_suite_available(m.suite))
			continue;
		begin(&m, (n & 16) != 0 ? HF_MOVES_PROVED : HF_MOVES_SOFT);
		talk(&a);
		assert_ok(end_checkpoint(&a));
		assert_ok(hf_session_peer(&was, a.s));
		assert_ok(move_to(&b, 1));
		assert_int_equal(i->state, HF__OPEN);
		assert_int_equal(b.s->state, HF__OPEN);
		assert_int_equal(hf_session_epoch(i), 1);
		assert_int_equal(hf_session_epoch(b.s), 1);
		assert_memory_equal(hf_session_id(i).ptr,
		    hf_session_id(a.s).ptr, HF_SID_BYTES);
		assert_memory_equal(hf_session_id(b.s).ptr,
		    hf_session_id(a.s).ptr, HF_SID_BYTES);
		assert_ok(hf_session_peer(&is, b.s));
		assert_string_equal(is.name, was.name);
		assert_string_equal(is.subject, was.subject);
		assert_int_equal(is.method, was.method);
		assert_true(is.authenticated);
		assert_ok(hf_session_bases(&bases, i));
		assert_int_equal(bases.own_count, 1);
		assert_int_equal(bases.own_bytes, 5);
		assert_int_equal(bases.sent_count, 1);
		talk(&b);
		moved++;
		finish();
	}
	print_message("%d ways\n", moved);
	assert_int_equal(moved, hf_suite_available(2) ? 56 : 28);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
