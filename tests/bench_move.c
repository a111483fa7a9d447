/* SPDX-License-Identifier: ISC */
/*
 * What a takeover costs, over the handshake that it replaces: the same client,
 * the same servers, certificates that both have seen before, the path of one
 * round trip. Both sides of it are counted, with the opening of the stored
 * state and the two sealings; no store and no socket.
 */
#include <string.h>

#include "bench.h"

enum { MOVES = 4 /* a round */ };

static struct hf_identity *ids[2];
static uint8_t certs[2][HF_CERT_MAX];
static struct hf_span chains[2];
static struct hf_vault *vaults[2];
static struct hf_config *client, *servers[2];

/* The session that moves, and the whole store. */
static struct hf_session *i, *r;
static uint8_t entry[HF_ENTRY_MAX];
static size_t entry_len, entry_most;
static int at;

static void
server(int n, const char *name)
{
	static const uint8_t key[HF_KEY_BYTES] = { 7 };
	struct hf_cert_info t =
	    bench_terms(name, HF_USAGE_RESPONDER | HF_USAGE_SERVER);

	memcpy(t.cluster.text, "cluster", 8);
	t.cluster.len = 7;
	MUST(hf_identity_new(&ids[n], NULL));
	bench_certify(certs[n], &chains[n], ids[n], &t);
	MUST(hf_vault_new(&vaults[n], "cluster", name));
	MUST(hf_vault_scope(vaults[n], "default", NULL, 0));
	MUST(hf_vault_key(vaults[n], "default", 1, key, 0));
	MUST(hf_config_new(&servers[n], HF_RESPONDER));
	MUST(hf_config_trust(servers[n], bench_trust()));
	MUST(hf_config_identity(servers[n], ids[n], &chains[n], 1));
}

static void
store(struct hf_span next)
{
	memcpy(entry, next.ptr, next.len);
	entry_len = next.len;
	if (next.len > entry_most)
		entry_most = next.len;
}

/* What the owner has is stored, and the client told. */
static void
keep(void)
{
	struct hf_span data;
	enum hf_content content;
	uint8_t next[HF_ENTRY_MAX];
	size_t len;

	MUST(hf_session_checkpoint(r, next, sizeof(next), &len));
	store((struct hf_span){ next, len });
	MUST(hf_session_checkpointed(r, HF_OK));
	bench_pass(r, i);
	MUST(hf_session_recv(i, &content, &data));
	must(content == HF_CONTENT_ACK, "ack");
}

static void
begin(enum hf_mobility mobility)
{
	struct hf_session *s[2];
	int n;

	for (n = 0; n < 2; n++)
		MUST(hf_config_vault(servers[n], vaults[n], mobility));
	bench_handshake(s, client, servers[0]);
	i = s[0];
	r = s[1];
	at = 0;
	keep();
}

static void
end(void)
{
	hf_session_free(i);
	hf_session_free(r);
}

/* From the client's resume until the new owner may release and send. */
static void
move(void)
{
	struct hf_session *next;

	at = !at;
	MUST(hf_session_new(&next, servers[at], 0, NOW));
	MUST(hf_session_reconnect(i, 0, NOW));
	bench_pass(i, next);
	MUST(hf_session_admit(next, HF_ADMIT));
	MUST(hf_session_supply(next, HF_OK, entry, entry_len));
	MUST(hf_session_trust(next, HF_OK));
	store(hf_session_entry(next));
	MUST(hf_session_commit(next, HF_OK));
	bench_pass(next, i);
	bench_pass(i, next);
	store(hf_session_entry(next));
	MUST(hf_session_commit(next, HF_OK));
	must(hf_session_want(i) == HF_WANT_DONE &&
		hf_session_want(next) == HF_WANT_DONE,
	    "takeover");
	hf_session_free(r);
	r = next;
}

static void
moves(void)
{
	int n;

	for (n = 0; n < MOVES; n++)
		move();
}

/* The client's next reply key was made while it rested, as the program does. */
static void
moves_prepared(void)
{
	int n;

	for (n = 0; n < MOVES; n++) {
		bench_pause();
		MUST(hf_session_prepare(i));
		bench_go_on();
		move();
	}
}

/* All that one says, and the other takes. */
static void
hear(struct hf_session *from, struct hf_session *to)
{
	enum hf_content content;
	struct hf_span out, data;
	size_t used;

	while ((out = hf_session_output(from)).len > 0) {
		MUST(hf_session_feed(to, &used, out.ptr, out.len));
		MUST(hf_session_drained(from, used));
		if (hf_session_want(to) == HF_WANT_RECV)
			MUST(hf_session_recv(to, &content, &data));
	}
}

/* After a soft takeover: until both know that they are proved. */
static void
refresh(void)
{
	uint8_t next[HF_ENTRY_MAX];
	size_t len;
	int n;

	for (n = 0; n < 2; n++) {
		MUST(hf_session_checkpoint(r, next, sizeof(next), &len));
		store((struct hf_span){ next, len });
		MUST(hf_session_checkpointed(r, HF_OK));
		hear(r, i);
		hear(i, r);
	}
	must(hf_session_strength(i) == HF_MOVES_PROVED &&
		hf_session_strength(r) == HF_MOVES_PROVED,
	    "refresh");
}

static void
moves_and_refreshes(void)
{
	int n;

	for (n = 0; n < MOVES; n++) {
		move();
		refresh();
	}
}

static void
handshakes(void)
{
	struct hf_session *s[2];
	int n;

	for (n = 0; n < MOVES; n++) {
		bench_handshake(s, client, servers[0]);
		hf_session_free(s[0]);
		hf_session_free(s[1]);
	}
}

/* The sealing of a state, and the ack of it at both ends. */
static void
checkpoints(void)
{
	int n;

	for (n = 0; n < MOVES; n++)
		keep();
}

static void
compare(enum hf_mobility mobility, void (*what)(void), const char *ratio,
    const char *us)
{
	struct figure f;

	begin(mobility);
	f = bench_compare(what, handshakes, MOVES);
	bench_figure(ratio, f.ratio);
	bench_figure(us, f.a_us);
	end();
}

void
bench_move(void)
{
	struct figure f;
	int n;

	server(0, "server.example");
	server(1, "other.example");
	client = bench_initiator("cluster");
	MUST(hf_config_responder(client, &chains[0], 1));
	/* The reply key of a refresh, and all that follows from it, is counted
	 * with the refresh. */
	MUST(hf_config_refresh(client, 0));
	compare(HF_MOVES_SOFT, moves, "takeover_cpu_over_handshake",
	    "takeover_cpu_us");
	MUST(hf_config_refresh(client, 1));
	compare(HF_MOVES_SOFT, moves, "takeover_reply_key_cpu_over_handshake",
	    "takeover_reply_key_cpu_us");
	compare(HF_MOVES_SOFT, moves_prepared,
	    "takeover_prepared_cpu_over_handshake",
	    "takeover_prepared_cpu_us");
	bench_whole("sealed_state_bytes", entry_most);
	compare(HF_MOVES_PROVED, moves, "takeover_proved_cpu_over_handshake",
	    "takeover_proved_cpu_us");
	compare(HF_MOVES_SOFT, moves_and_refreshes,
	    "takeover_refreshed_cpu_over_handshake",
	    "takeover_refreshed_cpu_us");
	begin(HF_MOVES_SOFT);
	f = bench_compare(checkpoints, handshakes, MOVES);
	bench_figure("checkpoint_us", f.a_us);
	end();
	hf_config_free(client);
	for (n = 0; n < 2; n++) {
		hf_config_free(servers[n]);
		hf_vault_free(vaults[n]);
		hf_identity_free(ids[n]);
	}
}
