/* SPDX-License-Identifier: ISC */
/*
 * How the honest side must end: well, or with the exact error, the one alert,
 * its keys wiped and nothing done; and the runner of tables of switches.
 */
#include <stdlib.h>
#include <string.h>

#include "honest.h"

static const uint8_t words[] = { 'w', 'o', 'r', 'd', 's' };

/* Both ends have said all, heard all, and closed. */
static void
assert_well(const struct honest *h, const struct peer *p, enum hf_err e)
{
	uint8_t mine[32], theirs[32];

	assert_ok(e);
	assert_int_equal(h->s->state, HF__CLOSED);
	assert_int_equal(h->released, 2);
	assert_int_equal(h->logins, 1);
	assert_int_equal(h->burns, h->row->meeting->single_use ? 1 : 0);
	assert_ok(hf_session_export(mine, 32, h->s, "same", NULL, 0));
	assert_ok(hf__schedule_export(theirs, 32, p->secrets.exporter, "same",
	    NULL, 0));
	assert_memory_equal(mine, theirs, 32);
	if (p->earlier != NULL)
		assert_memory_not_equal(p->secrets.exporter,
		    p->earlier->secrets.exporter, 32);
	assert_int_equal(p->words, 1);
	assert_int_equal(p->closes, 1);
}

/* The one generic alert: its bytes, and nothing else with it. */
static void
assert_alert(struct honest *h, enum hf_err e)
{
	struct hf_span out = hf_session_output(h->s);
	uint8_t code = e == HF_E_STORE ? 2 : e == HF_E_UNKNOWN_KEY ? 3 : 1;
	uint8_t record[32];
	size_t len;

	if (h->row->says == NOTHING) {
		assert_int_equal(out.len, 0);
		return;
	}
	if (h->row->says == CLEAR) {
		assert_int_equal(out.len, 3);
		assert_memory_equal(out.ptr, "\x82\x08", 2);
		assert_int_equal(out.ptr[2], code);
	} else {
		assert_int_equal(out.len, 3 + 1 + 1 + HF__TAG_BYTES);
		assert_memory_equal(out.ptr, "\x82\x10\x52", 3);
		memcpy(record, out.ptr + 3, out.len - 3);
		len = out.len - 3;
		assert_ok(peer_open(&h->send, h->suite, record, &len));
		assert_int_equal(len, 1);
		assert_int_equal(record[1], HF__CONTENT_ALERT);
		assert_int_equal(record[0], code);
	}
	assert_ok(hf_session_drained(h->s, out.len));
}

/* It takes no more, says no more, and knows no more. */
static void
assert_over(struct honest *h)
{
	enum hf_content content;
	struct hf_span data;
	uint8_t key[32];
	size_t used;

	assert_err(hf_session_feed(h->s, &used, words, sizeof(words)),
	    HF_E_STATE);
	assert_err(hf_session_recv(h->s, &content, &data), HF_E_STATE);
	assert_err(hf_session_send(h->s, words, sizeof(words)), HF_E_STATE);
	assert_err(hf_session_close(h->s), HF_E_STATE);
	assert_err(hf_session_export(key, 32, h->s, "x", NULL, 0), HF_E_STATE);
	assert_int_equal(hf_session_output(h->s).len, 0);
	honest_wiped(h);
}

/* Nothing of what only an authenticated peer causes. */
static void
assert_no_effect(const struct honest *h)
{
	bool open = h->was == HF__OPEN;
	struct hf_peer peer;

	assert_ok(hf_session_peer(&peer, h->s));
	assert_int_equal(peer.authenticated, open);
	assert_int_equal(h->logins, open);
	assert_int_equal(h->released, h->row->released);
	assert_int_equal(h->burns, open && h->row->meeting->single_use);
	if (h->was < HF__I_REQUEST_SENT)
		assert_int_equal(h->requests, 0);
	if (!open)
		assert_false(!sodium_is_zero(h->resumption, 32) &&
		    honest_holds(h, h->resumption, 32));
}

static void
assert_refused(struct honest *h, enum hf_err e)
{
	assert_err(e, h->row->expected);
	assert_err(hf_session_error(h->s), h->row->expected);
	assert_int_equal(hf_session_want(h->s), HF_WANT_FAILED);
	assert_int_equal(h->was, h->row->in);
	assert_alert(h, e);
	assert_over(h);
	assert_no_effect(h);
}

/* --- the runner --------------------------------------------------------------------------- */

static enum hf_role misbehaves;

/* With the switch off the peer succeeds; what was said then it remembers.
 * With it on, the honest side ends as the row says. */
static void
run_switch(void **state)
{
	const struct row *row = *state;
	struct row honest_row = *row;
	static struct peer p, earlier;
	struct honest h;
	struct world w;
	struct app app = { .replay = NULL };
	enum hf_err e;

	honest_row.store_fails = honest_row.stays_open = false;
	world_make(&w, row->meeting);
	assert_ok(hf_replay_new(&app.replay, 16, 240));
	peer_init(&p, &w, row->meeting, misbehaves, NULL);
	honest_start(&h, &honest_row, &w, &app, misbehaves);
	e = honest_meets(&h, &p);
	assert_well(&h, &p, e);
	honest_stop(&h);
	earlier = p;
	peer_init(&p, &w, row->meeting, misbehaves, &row->how);
	p.earlier = &earlier;
	honest_start(&h, row, &w, &app, misbehaves);
	e = honest_meets(&h, &p);
	if (row->expected == HF_OK)
		assert_well(&h, &p, e);
	else
		assert_refused(&h, e);
	honest_stop(&h);
	hf_replay_free(app.replay);
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
run_switches(const char *group, const struct row *rows, size_t n,
    enum hf_role role)
{
	struct CMUnitTest *tests = calloc(n, sizeof(*tests));
	size_t i;
	int r;

	if (tests == NULL)
		return 1;
	misbehaves = role;
	for (i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].how.name,
			.test_func = run_switch,
			.initial_state = (void *)(uintptr_t)&rows[i] };
	r = _cmocka_run_group_tests(group, tests, n, set_up, NULL);
	print_message("note: %s: %zu switches\n", group, n);
	free(tests);
	return r;
}
