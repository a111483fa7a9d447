/* SPDX-License-Identifier: ISC */
/*
 * The state machine against the tables of spec/handfast.md, section 11: the
 * tables are read from the specification, and every cell is tried: every
 * message type in every state of both roles, with its exact error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

enum { COLUMNS = 12, OTHER = 23 };

static const unsigned column_type[COLUMNS] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
	16, OTHER };

static const struct {
	enum hf_role role;
	const char *name;
	enum hf__state state;
} states[] = {
	{ HF_INITIATOR, "start", HF__I_START },
	{ HF_INITIATOR, "hello-sent", HF__I_HELLO_SENT },
	{ HF_INITIATOR, "trust", HF__I_TRUST },
	{ HF_INITIATOR, "request-sent", HF__I_REQUEST_SENT },
	{ HF_INITIATOR, "resume-sent", HF__I_RESUME_SENT },
	{ HF_INITIATOR, "open", HF__OPEN },
	{ HF_INITIATOR, "closed", HF__CLOSED },
	{ HF_INITIATOR, "failed", HF__FAILED },
	{ HF_RESPONDER, "start", HF__R_START },
	{ HF_RESPONDER, "admit", HF__R_ADMIT },
	{ HF_RESPONDER, "offered", HF__R_OFFERED },
	{ HF_RESPONDER, "trust", HF__R_TRUST },
	{ HF_RESPONDER, "granted", HF__R_GRANTED },
	{ HF_RESPONDER, "commit", HF__R_COMMIT },
	{ HF_RESPONDER, "state", HF__R_STATE },
	{ HF_RESPONDER, "claim", HF__R_CLAIM },
	{ HF_RESPONDER, "resumed", HF__R_RESUMED },
	{ HF_RESPONDER, "confirm", HF__R_CONFIRM },
	{ HF_RESPONDER, "open", HF__OPEN },
	{ HF_RESPONDER, "closed", HF__CLOSED },
	{ HF_RESPONDER, "failed", HF__FAILED },
};

static struct world hello_world, known_world;
static struct cluster moving;

/* --- reaching a state, and keeping what was said on the way --------------------- */

/* The last message of each type that this pair said. */
static struct blob said[COLUMNS];

static void
remember(const struct blob *b)
{
	struct blob *slot;
	size_t len, off;

	for (off = 0; off < b->len; off += len) {
		assert_ok(hf__cbor_extent(&len, b->bytes + off, b->len - off,
		    HF_RECORD_MAX));
		if (len == 0)
			break;
		slot =
		    &said[b->bytes[off + 1] == HF__RECORD ? 10 :
							    b->bytes[off + 1]];
		memcpy(slot->bytes, b->bytes + off, len);
		slot->len = len;
	}
}

/* Runs until the session is in that state. Where the state reads, the message
 * that it then waits for is in said, and not fed. */
static void
reach(struct pair *p, enum hf_role role, enum hf__state state)
{
	struct hf_session *s = role == HF_INITIATOR ? p->i : p->r;
	struct hf_session *from, *to;
	enum hf__state before;
	static struct blob b;
	unsigned turn;

	for (turn = 0; turn < 40; turn++) {
		from = turn % 2 == 0 ? p->i : p->r;
		to = turn % 2 == 0 ? p->r : p->i;
		do {
			before = from->state;
			if (from != s || before != state)
				assert_ok(answer(p->world, from));
		} while (from->state != before);
		take(&b, from);
		remember(&b);
		if (s->state == state &&
		    (!hf__state_reads(state) || (to == s && b.len > 0)))
			return;
		assert_ok(give(to, b.bytes, b.len));
	}
	fail_msg("state %d not reached", (int)state);
}

static void
close_both(struct pair *p)
{
	enum hf_content content;
	struct hf_span data;
	struct blob b;

	assert_ok(hf_session_close(p->i));
	assert_ok(hf_session_close(p->r));
	take(&b, p->i);
	assert_ok(give(p->r, b.bytes, b.len));
	assert_ok(hf_session_recv(p->r, &content, &data));
	take(&b, p->r);
	assert_ok(give(p->i, b.bytes, b.len));
	assert_ok(hf_session_recv(p->i, &content, &data));
}

/* A pair whose session is on its way to another server. */
static void
take_over(struct pair *p, enum hf__state state)
{
	struct blob b;
	struct end first, next;
	enum hf_err e = HF_OK;

	moving.shelf.len = 0;
	p->world = &moving.world;
	p->i = cluster_meet(&moving, &first, 0);
	end_free(&first);
	assert_ok(hf_session_reconnect(p->i, START_MS, NOW));
	take(&b, p->i);
	remember(&b);
	end_make(&next, &moving, 1);
	p->r = next.s;
	assert_ok(give(p->r, b.bytes, b.len));
	while (p->r->state != state && end_step(&moving, &next, &e))
		assert_ok(e);
	take(&b, p->r);
	if (b.len == 0)
		return;
	remember(&b);
	if (state == HF__I_RESUME_SENT)
		return;
	assert_ok(give(p->i, b.bytes, b.len));
	take(&b, p->i);
	remember(&b);
	if (state == HF__R_CONFIRM)
		assert_ok(give(p->r, b.bytes, b.len));
}

static bool
of_a_takeover(enum hf__state state)
{
	return state == HF__I_RESUME_SENT || state == HF__R_STATE ||
	    state == HF__R_CLAIM || state == HF__R_RESUMED ||
	    state == HF__R_CONFIRM;
}

/* A pair with the wanted session in the wanted state. */
static struct hf_session *
bring(struct pair *p, enum hf_role role, enum hf__state state)
{
	struct world *w = state == HF__I_TRUST || state == HF__R_COMMIT ?
	    &known_world :
	    &hello_world;
	struct hf_session *s;
	struct blob b;

	memset(said, 0, sizeof(said));
	if (of_a_takeover(state)) {
		take_over(p, state);
		s = role == HF_INITIATOR ? p->i : p->r;
		assert_int_equal(s->state, state);
		return s;
	}
	pair_make(p, w);
	s = role == HF_INITIATOR ? p->i : p->r;
	switch (state) {
	case HF__I_START:
		s->state = HF__I_START; /* left at once by itself */
		break;
	case HF__I_HELLO_SENT:
	case HF__R_START:
		take(&b, p->i);
		remember(&b);
		assert_ok(give(p->r, b.bytes, b.len));
		assert_ok(answer(w, p->r));
		take(&b, p->r);
		remember(&b);
		if (role == HF_RESPONDER) {
			hf_session_free(p->r);
			assert_ok(hf_session_new(&p->r, w->r, START_MS, NOW));
			s = p->r;
		}
		break;
	case HF__OPEN:
	case HF__CLOSED:
		assert_ok(run(p));
		if (state == HF__CLOSED) {
			close_both(p);
			break;
		}
		assert_ok(hf_session_send(role == HF_INITIATOR ? p->r : p->i,
		    (const uint8_t *)"data", 4));
		take(&b, role == HF_INITIATOR ? p->r : p->i);
		remember(&b);
		break;
	case HF__FAILED:
		assert_err(hf__fail(s, HF_E_DEADLINE), HF_E_DEADLINE);
		break;
	default:
		reach(p, role, state);
	}
	assert_int_equal(s->state, state);
	return s;
}

/* --- one cell --------------------------------------------------------------------- */

/* A message of that type that is genuine where this pair said one, else one
 * that is at least well formed. */
static void
message_of(struct blob *b, unsigned column)
{
	static const uint8_t resume[] = { 0x8b, HF__RESUME, 1, 0x50, [20] = 0,
		1, 0x60, 0x58, 32, [57] = 0xf6, 0xf6, 0xa0, 0x50, [76] = 0 };
	static const uint8_t alert[] = { 0x82, HF__ALERT, 1 };
	static const uint8_t retry[] = { 0x82, HF__RETRY, 0x41, 0x00 };
	static const uint8_t query[] = { 0x82, HF__QUERY, 0xa0 };

	if (said[column].len > 0) {
		*b = said[column];
	} else if (column_type[column] == HF__ALERT) {
		memcpy(b->bytes, alert, b->len = sizeof(alert));
	} else if (column_type[column] == HF__RESUME) {
		memcpy(b->bytes, resume, b->len = sizeof(resume));
	} else if (column_type[column] == HF__QUERY) {
		memcpy(b->bytes, query, b->len = sizeof(query));
	} else if (column_type[column] == HF__RETRY) {
		memcpy(b->bytes, retry, b->len = sizeof(retry));
	} else {
		b->bytes[0] = 0x82;
		b->bytes[1] = (uint8_t)column_type[column];
		b->bytes[2] = 0x40;
		b->len = 3;
	}
}

static void
check_legal(struct hf_session *s, enum hf_role role, const char *cell,
    enum hf_err e)
{
	size_t i;

	if (strcmp(cell, "failed*") == 0) {
		assert_err(e, HF_E_REFUSED);
		assert_int_equal(s->state, HF__FAILED);
		assert_int_equal(hf_session_output(s).len, 0);
		return;
	}
	assert_ok(e);
	if (strcmp(cell, "commit or open") == 0)
		cell = s->state == HF__R_COMMIT ? "commit" : "open";
	for (i = 0; i < HF__ARRAY_N(states); i++)
		if (states[i].role == role && states[i].state == s->state) {
			assert_string_equal(states[i].name, cell);
			return;
		}
	fail_msg("no such state");
}

static void
check_cell(enum hf_role role, enum hf__state state, unsigned column,
    const char *cell)
{
	struct pair p, q;
	struct hf_session *s = bring(&p, role, state);
	enum hf_err before = s->error, e;
	static struct blob b;
	size_t used = 99;

	message_of(&b, column);
	if (state == HF__R_START && column_type[column] == HF__REQUEST) {
		/* Without hello: from an initiator that knows us. */
		assert_ok(hf_config_responder(hello_world.i,
		    hello_world.responder_chain, hello_world.chain_n));
		pair_make(&q, &hello_world);
		assert_ok(answer(&hello_world, q.i));
		take(&b, q.i);
		pair_free(&q);
		assert_ok(hf_config_responder(hello_world.i, NULL, 0));
	}
	e = hf_session_feed(s, &used, b.bytes, b.len);
	if (strcmp(cell, "S") == 0) {
		assert_err(e, HF_E_STATE);
		assert_int_equal(used, 0);
		assert_int_equal(s->state, state);
		assert_err(s->error, before);
	} else if (strcmp(cell, "U") == 0) {
		assert_err(e, HF_E_UNEXPECTED);
		assert_int_equal(s->state, HF__FAILED);
		assert_true(hf_session_output(s).len > 0); /* the alert */
	} else {
		check_legal(s, role, cell, e);
	}
	pair_free(&p);
}

/* --- the tables --------------------------------------------------------------------- */

static enum hf__state
state_named(enum hf_role role, const char *name)
{
	size_t i;

	for (i = 0; i < HF__ARRAY_N(states); i++)
		if (states[i].role == role &&
		    strcmp(states[i].name, name) == 0)
			return states[i].state;
	fail_msg("the specification has a state \"%s\"", name);
	return HF__STATES;
}

static char *
trim(char *s)
{
	size_t len;

	s += strspn(s, " ");
	len = strlen(s);
	while (len > 0 && s[len - 1] == ' ')
		s[--len] = '\0';
	return s;
}

/* One row of a table: "| state | cell | ... |". Returns cells done. */
static unsigned
check_row(enum hf_role role, char *line)
{
	char *cells[COLUMNS + 1], *save = NULL, *cell;
	enum hf__state state;
	unsigned n = 0;

	for (cell = strtok_r(line, "|\n", &save); cell != NULL && n <= COLUMNS;
	     cell = strtok_r(NULL, "|\n", &save))
		if (strlen(trim(cell)) > 0)
			cells[n++] = trim(cell);
	assert_int_equal(n, COLUMNS + 1);
	state = state_named(role, cells[0]);
	for (n = 0; n < COLUMNS; n++)
		check_cell(role, state, n, cells[n + 1]);
	return COLUMNS;
}

static unsigned
stated_cells(const char *line)
{
	const char *stars = strstr(line, "**");

	return strstr(line, " cells**") == NULL || stars == NULL ?
	    0 :
	    (unsigned)strtoul(stars + 2, NULL, 10);
}

static void
every_cell(void **state)
{
	unsigned cells = 0, stated = 0, rows = 0;
	enum hf_role role = HF_INITIATOR;
	FILE *f = fopen("spec/handfast.md", "r");
	char line[1024];
	int inside = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "## ", 3) == 0)
			inside = strncmp(line, "## 11 ", 6) == 0;
		if (!inside)
			continue;
		if (stated == 0)
			stated = stated_cells(line);
		if (strncmp(line, "Initiator, ", 11) == 0)
			role = HF_INITIATOR;
		if (strncmp(line, "Responder, ", 11) == 0)
			role = HF_RESPONDER;
		if (strstr(line, "0 hello") != NULL ||
		    strncmp(line, "|-", 2) == 0 ||
		    strncmp(line, "| role", 6) == 0 ||
		    strncmp(line, "| I ", 4) == 0 ||
		    strncmp(line, "| R ", 4) == 0 ||
		    strncmp(line, "| both", 6) == 0 || line[0] != '|')
			continue;
		cells += check_row(role, line);
		rows++;
	}
	fclose(f);
	print_message("note: %u cells tried, the specification states %u\n",
	    cells, stated);
	assert_int_equal(rows, HF__ARRAY_N(states));
	assert_int_equal(cells, stated);
}

/* The second retry of a connection, in both states. */
static void
second_retry(void **state)
{
	static const uint8_t retry[] = { 0x82, HF__RETRY, 0x41, 0x07 };
	struct pair p;
	size_t used, i;

	(void)state;
	for (i = 0; i < 2; i++) {
		pair_make(&p, i == 0 ? &hello_world : &known_world);
		if (i == 1)
			assert_ok(answer(&known_world, p.i));
		assert_ok(hf_session_feed(p.i, &used, retry, sizeof(retry)));
		assert_err(hf_session_feed(p.i, &used, retry, sizeof(retry)),
		    HF_E_UNEXPECTED);
		pair_free(&p);
	}
}

static int
set_up(void **state)
{
	(void)state;
	assert_ok(hf_init());
	world_make(&hello_world,
	    &(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	cluster_make(&moving,
	    &(struct meeting){ .method = HF_METHOD_CERTIFICATE, .known = 1 },
	    HF_MOVES_SOFT);
	world_make(&known_world,
	    &(struct meeting){ .method = HF_METHOD_TICKET,
		.known = 1,
		.single_use = 1 });
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	world_free(&hello_world);
	world_free(&known_world);
	cluster_free(&moving);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell),
		cmocka_unit_test(second_retry),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
