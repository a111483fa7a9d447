/* SPDX-License-Identifier: ISC */
/*
 * What a caller can do wrong with sessions that move, vaults and grants:
 * nothing where something must be, a value out of its range, a call that is
 * for a session which moves. Each is refused by name.
 */
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "stage.h"

static const uint8_t key[HF_KEY_BYTES] = { 1 };
static const uint8_t bytes[4] = { 1, 2, 3, 4 };

static void
vaults(void **state)
{
	static const char *const targets[] = { "t", NULL };
	const char *many[HF_SCOPE_TARGETS_MAX + 1];
	char name[HF_NAME_MAX + 2], scope[8];
	struct hf_vault *v;
	size_t i;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (i = 0; i <= HF_SCOPE_TARGETS_MAX; i++)
		many[i] = "t";
	assert_err(hf_vault_new(NULL, "c", "o"), HF_E_ARG);
	assert_err(hf_vault_new(&v, "", "o"), HF_E_ARG);
	assert_err(hf_vault_new(&v, "c\n", "o"), HF_E_ARG);
	assert_null(v);
	assert_err(hf_vault_new(&v, "c", name), HF_E_ARG);
	assert_ok(hf_vault_new(&v, "c", "o"));
	assert_err(hf_vault_scope(NULL, "s", targets, 1), HF_E_ARG);
	assert_err(hf_vault_scope(v, "s", NULL, 1), HF_E_ARG);
	assert_err(hf_vault_scope(v, "s", many, HF_SCOPE_TARGETS_MAX + 1),
	    HF_E_ARG);
	assert_err(hf_vault_scope(v, "", targets, 1), HF_E_ARG);
	assert_err(hf_vault_scope(v, name, targets, 1), HF_E_ARG);
	assert_err(hf_vault_scope(v, "s", targets, 2), HF_E_ARG);
	assert_err(hf_vault_key(NULL, "s", 1, key, 0), HF_E_ARG);
	assert_err(hf_vault_key(v, NULL, 1, key, 0), HF_E_ARG);
	assert_err(hf_vault_key(v, "s", 1, key, 0), HF_E_ARG);
	assert_ok(hf_vault_scope(v, "s", targets, 1));
	assert_err(hf_vault_scope(v, "s", targets, 1), HF_E_ARG);
	assert_err(hf_vault_key(v, "s", 0, key, 0), HF_E_ARG);
	assert_err(hf_vault_key(v, "s", 1, NULL, 0), HF_E_ARG);
	for (i = 1; i < HF_SCOPES_MAX; i++) {
		(void)snprintf(scope, sizeof(scope), "s%zu", i);
		assert_ok(hf_vault_scope(v, scope, NULL, 0));
	}
	assert_err(hf_vault_scope(v, "one more", NULL, 0), HF_E_SPACE);
	hf_vault_free(v);
	hf_vault_free(NULL);
}

static void
entries_and_grants(void **state)
{
	struct hf_keygrant grant = { .generation_n = 0 };
	struct hf_keygrant_judge by = { .identity = NULL };
	struct hf_entry_info info;
	struct hf_vault *v;
	uint8_t out[64];
	size_t len;

	(void)state;
	begin(&(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	assert_ok(hf_vault_new(&v, "c", "o"));
	assert_err(hf_entry_read(NULL, bytes, 4), HF_E_ARG);
	assert_err(hf_entry_read(&info, NULL, 4), HF_E_ARG);
	assert_err(hf_entry_open(&info, NULL, bytes, 4, NOW), HF_E_ARG);
	assert_err(hf_keygrant_read(NULL, bytes, 4), HF_E_ARG);
	assert_err(hf_keygrant_verify(NULL, bytes, 4,
		       (struct hf_span){ bytes, 4 }),
	    HF_E_ARG);
	assert_err(hf_keygrant_verify(&grant, NULL, 4,
		       (struct hf_span){ bytes, 4 }),
	    HF_E_ARG);
	assert_err(hf_keygrant_read(&grant, NULL, 4), HF_E_ARG);
	assert_err(hf_keygrant_open(&grant, bytes, 4, NULL), HF_E_ARG);
	assert_err(hf_keygrant_open(&grant, bytes, 4, &by), HF_E_ARG);
	memset(&grant, 0, sizeof(grant));
	assert_err(hf_keygrant_make(out, sizeof(out), &len, w.ca, &grant,
		       bytes, 4),
	    HF_E_ARG);
	name_set(&grant.cluster, "c");
	name_set(&grant.scope, "s");
	grant.serial = 1;
	grant.not_after = NOW + 60;
	grant.generation_n = 1;
	grant.generation[0].number = 1;
	assert_err(hf_keygrant_make(out, sizeof(out), &len, w.ca, &grant,
		       bytes, 4),
	    HF_E_OBJECT);
	memset(&grant, 0, sizeof(grant));
	assert_err(hf_vault_grant(NULL, &grant), HF_E_ARG);
	assert_err(hf_vault_grant(v, NULL), HF_E_ARG);
	assert_err(hf_vault_grant(v, &grant), HF_E_ARG);
	hf_vault_free(v);
	end();
}

static void
no_session(void **state)
{
	struct hf_bases bases;
	uint8_t out[64];
	size_t len;

	(void)state;
	begin(&(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	assert_err(hf_config_release_by_hand(NULL, 1), HF_E_ARG);
	assert_err(hf_config_fallback(NULL, 1), HF_E_ARG);
	assert_err(hf_config_fallback(w.r, 1), HF_E_ARG);
	assert_err(hf_session_supply(NULL, HF_OK, bytes, 4), HF_E_ARG);
	assert_err(hf_session_supply(p.r, HF_OK, NULL, 4), HF_E_ARG);
	assert_err(hf_session_release(NULL, 1), HF_E_ARG);
	assert_err(hf_session_checkpoint(NULL, out, sizeof(out), &len),
	    HF_E_ARG);
	assert_err(hf_session_checkpoint(p.r, NULL, 0, &len), HF_E_ARG);
	assert_err(hf_session_checkpoint(p.r, out, 1, NULL), HF_E_ARG);
	assert_err(hf_session_checkpointed(NULL, HF_OK), HF_E_ARG);
	assert_err(hf_session_query(NULL), HF_E_ARG);
	assert_err(hf_session_reconnect(NULL, START_MS, NOW), HF_E_ARG);
	assert_err(hf_session_bases(NULL, p.i), HF_E_ARG);
	assert_err(hf_session_bases(&bases, NULL), HF_E_ARG);
	end();
}

/* A session that stays where it is. */
static void
does_not_move(void **state)
{
	struct hf_bases bases;
	uint8_t out[64];
	size_t len;

	(void)state;
	begin(&(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	assert_ok(run(&p));
	assert_err(hf_session_supply(p.r, HF_OK, bytes, 4), HF_E_STATE);
	assert_err(hf_session_release(p.r, 0), HF_E_ARG);
	assert_err(hf_session_checkpoint(p.r, out, sizeof(out), &len),
	    HF_E_STATE);
	assert_err(hf_session_checkpointed(p.r, HF_OK), HF_E_STATE);
	assert_err(hf_session_query(p.r), HF_E_STATE);
	assert_err(hf_session_reconnect(p.i, START_MS, NOW), HF_E_STATE);
	assert_err(hf_session_bases(&bases, p.i), HF_E_STATE);
	assert_null(hf_session_entry(p.r).ptr);
	assert_int_equal(hf_session_want(p.r), HF_WANT_DONE);
	end();
}

/* One that moves, with all the output that may wait: what does not fit is not
 * lost, and what it costs is said. */
static void
full_output(void **state)
{
	static const uint8_t data[HF_PLAINTEXT_MAX];
	static struct cluster c;
	struct hf_session *i;
	struct end a;
	uint8_t entry[HF_ENTRY_MAX];
	size_t len, waits;

	(void)state;
	cluster_make(&c,
	    &(struct meeting){ .method = HF_METHOD_CERTIFICATE, .known = 1 },
	    HF_MOVES_SOFT);
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_true(hf_session_bytes(a.s) > sizeof(*a.s) + a.s->in.cap +
		a.s->out.cap + sizeof(struct hf__move));
	while (hf_session_send(a.s, data, sizeof(data)) == HF_OK)
		continue;
	while (hf_session_send(a.s, data, 1) == HF_OK)
		continue;
	waits = hf_session_output(a.s).len;
	assert_err(hf_session_query(a.s), HF_E_SPACE);
	assert_ok(hf_session_checkpoint(a.s, entry, sizeof(entry), &len));
	assert_ok(hf_session_checkpointed(a.s, HF_OK));
	assert_int_equal(hf_session_output(a.s).len, waits);
	assert_err(hf_session_error(a.s), HF_OK);
	assert_ok(hf_session_drained(a.s, waits));
	assert_ok(hf_session_query(a.s));
	hf_session_free(i);
	end_free(&a);
	cluster_free(&c);
}

/* A session that lost its server: nothing to release, and an answer that is
 * no alert. */
static void
cut_off(void **state)
{
	static const uint8_t alert[] = { 0x82, HF__ALERT, 0x40 };
	static struct cluster c;
	struct hf_session *i;
	struct end a;
	size_t used;

	(void)state;
	cluster_make(&c,
	    &(struct meeting){ .method = HF_METHOD_CERTIFICATE, .known = 1 },
	    HF_MOVES_SOFT);
	assert_ok(hf_config_release_by_hand(c.world.i, 1));
	i = cluster_meet(&c, &a, 0);
	assert_ok(converse(&c, i, &a));
	assert_ok(hf_session_release(i, 0));
	assert_err(hf_session_release(i, UINT64_MAX), HF_E_ARG);
	assert_err(hf_session_eof(i), HF_E_TRUNCATED);
	assert_err(hf_session_release(i, 0), HF_E_STATE);
	assert_ok(hf_session_reconnect(i, START_MS, NOW));
	assert_ok(hf_session_drained(i, hf_session_output(i).len));
	assert_err(hf_session_feed(i, &used, alert, sizeof(alert)),
	    HF_E_SHAPE);
	hf_session_free(i);
	end_free(&a);
	cluster_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vaults),
		cmocka_unit_test(entries_and_grants),
		cmocka_unit_test(no_session),
		cmocka_unit_test(does_not_move),
		cmocka_unit_test(full_output),
		cmocka_unit_test(cut_off),
	};

	if (hf_init() != HF_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
