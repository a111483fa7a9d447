/* SPDX-License-Identifier: ISC */
/*
 * What a store gives a responder that is asked to go on with a session (spec
 * section 17.2): its own entry, an old one, another session's, another
 * scope's, cluster's or generation's, one that is claimed already, changed or
 * not, or any bytes. Where seals are skipped what comes of it is held to the
 * receiver's steps; where they are not an entry opens that was sealed for
 * just this, and no other, and the initiator then goes on by what it knows.
 */
#include "takeover.h"

enum which {
	OWN,
	OLDER,	  /* the first checkpoint */
	CLAIMED,  /* by this very resume */
	STRANGER, /* of another session */
	SCOPE,	  /* another, that this server holds too */
	MEMBER,	  /* of the same, by another server */
	CLUSTER,
	KEY,
	GENERATION_OLD, /* one that was cut off */
	GENERATION_NEW, /* one that is not known here */
	NOTHING,
	RAW,
	WHICH
};

static struct {
	struct hf_vault *vault[WHICH];
	uint8_t older[HF_ENTRY_MAX], stranger[HF_ENTRY_MAX];
	size_t older_len, stranger_len;
} shelf;

static struct hf_vault *
vault_of(const char *cluster, const char *owner, uint32_t generation, int byte)
{
	uint8_t key[HF_KEY_BYTES] = { (uint8_t)byte };
	struct hf_vault *v;

	MUST(hf_vault_new(&v, cluster, owner));
	MUST(hf_vault_scope(v, "default", NULL, 0));
	MUST(hf_vault_key(v, "default", generation, key, 0));
	return v;
}

static void
make_vaults(void)
{
	if (shelf.vault[MEMBER] != NULL)
		return;
	shelf.vault[MEMBER] = vault_of("cluster", "member", 3, 7);
	shelf.vault[CLUSTER] = vault_of("cluster2", "server", 3, 7);
	shelf.vault[KEY] = vault_of("cluster", "server", 3, 8);
	shelf.vault[GENERATION_OLD] = vault_of("cluster", "server", 2, 7);
	shelf.vault[GENERATION_NEW] = vault_of("cluster", "server", 4, 7);
}

static void
keep(uint8_t out[HF_ENTRY_MAX], size_t *len)
{
	memcpy(out, moving.entry, fuzz_entry.len);
	*len = fuzz_entry.len;
}

/* As moving_leave(), with an entry of the beginning, and of somebody else. */
static void
leave(struct act *a, unsigned choice)
{
	enum leave leave = choice >> 3 & 7;
	/* The ticket is sealed by nobody's key: it serves where all are. */
	unsigned method = choice % ((choice & 64) != 0 ? 3 : FUZZ_METHODS);
	struct hf_session *first;

	fuzz_random((const uint8_t *)"stranger", 8);
	moving_open(&a->i, &first, method, choice >> 2 & 1);
	moving_before(a->i, first, LEAVE_PLAIN);
	keep(shelf.stranger, &shelf.stranger_len);
	hf_session_free(a->i);
	hf_session_free(first);
	fuzz_random(NULL, 0);
	moving_open(&a->i, &first, method, choice >> 2 & 1);
	MUST(hf_session_checkpoint(first, shelf.older, HF_ENTRY_MAX,
	    &shelf.older_len));
	MUST(hf_session_checkpointed(first, HF_E_STORE));
	moving_before(a->i, first, leave);
	moving_after(a->i, first, leave);
	if (leave >= LEAVE_UNCONFIRMED)
		moving_claimed(a->i, first, leave);
	hf_session_free(first);
	a->said = moving_resume(a->i);
	a->r = a->s = fuzz_session(moving.r[choice >> 2 & 1]);
}

/* --- entries -------------------------------------------------------------------- */

/* The own one, sealed for others. */
static size_t
reseal(uint8_t out[HF_ENTRY_MAX], const struct hf_vault *vault, size_t scope)
{
	struct hf__stored st;
	size_t len;

	MUST(hf__state_open(&st, moving.vault, fuzz_entry.ptr, fuzz_entry.len,
	    FUZZ_NOW));
	st.scope = &vault->scope[scope];
	MUST(hf__state_seal(out, &len, vault, &st, FUZZ_NOW));
	return len;
}

static size_t
claimed(uint8_t out[HF_ENTRY_MAX], const struct act *a)
{
	struct hf_session *r = fuzz_session(a->r->config);
	size_t len;

	fuzz_give(r, a->said);
	while (fuzz_answer(r) == HF_OK)
		;
	CLAIM(r->state == HF__R_RESUMED);
	len = r->move->claim->entry_len;
	memcpy(out, r->move->claim->entry, len);
	hf_session_free(r);
	return len;
}

static struct hf_span
choose(uint8_t out[HF_ENTRY_MAX], const struct act *a, enum which which)
{
	struct hf_span entry = { out, 0 };

	switch (which) {
	case OWN:
		keep(out, &entry.len);
		break;
	case OLDER:
		memcpy(out, shelf.older, entry.len = shelf.older_len);
		break;
	case STRANGER:
		memcpy(out, shelf.stranger, entry.len = shelf.stranger_len);
		break;
	case CLAIMED:
		entry.len = claimed(out, a);
		break;
	case SCOPE:
		entry.len = reseal(out, moving.vault, 0);
		break;
	default:
		if (which < NOTHING)
			entry.len = reseal(out, shelf.vault[which], 0);
	}
	return entry;
}

/* --- the entry as it would be without seals ------------------------------------------ */

/* Section 18.1 anew; false where it does not open by the key of that scope. */
static bool
unseal(uint8_t out[HF_ENTRY_MAX], struct hf_span entry)
{
	static const char context[] = "hfstate_";
	static const char head[] = "\x8a\x70handfast/1 state";
	const uint8_t key[HF_KEY_BYTES] = { 7 };
	struct hf_span box, nonce, from;
	uint8_t box_key[32], aad[HF_ENTRY_MAX + sizeof(head)];
	size_t clear;

	if (!entry_fits(entry))
		return false;
	box = shape_item(entry, ENTRY_BOX);
	nonce = shape_item(entry, 9);
	from = shape_from(entry, 9);
	clear = (size_t)(from.ptr - entry.ptr) - 1;
	memcpy(aad, head, sizeof(head) - 1);
	memcpy(aad + sizeof(head) - 1, entry.ptr + 1, clear);
	memcpy(out, entry.ptr, entry.len);
	memset(out + entry.len - HF__TAG_BYTES, 0, HF__TAG_BYTES);
	CLAIM(crypto_kdf_derive_from_key(box_key, 32, 1, context, key) == 0);
	return crypto_aead_xchacha20poly1305_ietf_decrypt(out +
		       (box.ptr - entry.ptr),
		   NULL, NULL, box.ptr, box.len, aad, sizeof(head) - 1 + clear,
		   nonce.ptr, box_key) == 0;
}

/* Section 17.2: by the secret of the state, or the previous one. */
static bool
unseal_resume(uint8_t *out, struct hf_span message, struct hf_span entry)
{
	static const char label[] = "handfast/1 resume";
	struct hf_span state = take_plain(entry, ENTRY_BOX);
	struct hf_span secret = shape_item(state, STATE_SECRET);
	struct hf_span box = shape_item(message, RESUME_BOX);
	uint8_t key[32], in[sizeof(label) - 1 + 32], nonce[12] = { 0 };

	if (shape_number(message, RESUME_EPOCH) !=
	    shape_number(entry, ENTRY_EPOCH))
		secret = shape_item(shape_from(state, STATE_PREVIOUS), 1);
	memcpy(in, label, sizeof(label) - 1);
	memcpy(in + sizeof(label) - 1, shape_item(message, 6).ptr, 32);
	CLAIM(
	    crypto_generichash(key, 32, in, sizeof(in), secret.ptr, 32) == 0);
	memcpy(out, message.ptr, message.len);
	memset(out + message.len - HF__TAG_BYTES, 0, HF__TAG_BYTES);
	return crypto_aead_chacha20poly1305_ietf_decrypt(out +
		       (box.ptr - message.ptr),
		   NULL, NULL, box.ptr, box.len, message.ptr,
		   (size_t)(shape_from(message, RESUME_BOX).ptr - message.ptr),
		   nonce, key) == 0;
}

/* What is due with seals as they are. */
static enum hf_err
due_sealed(struct hf_span entry, struct hf_span message)
{
	static uint8_t plain[HF_ENTRY_MAX], opened[HF_MESSAGE_MAX];
	struct hf_span en = { plain, entry.len }, re = { opened, message.len };
	struct past received, sent;
	enum hf_err e;

	if (entry.len > HF_ENTRY_MAX || !unseal(plain, entry) ||
	    !entry_opens(en))
		return HF_E_ENTRY;
	memcpy(opened, message.ptr, message.len);
	opened[message.len - 1] = 0;
	if (memcmp(shape_item(en, ENTRY_SID).ptr,
		shape_item(re, RESUME_SID).ptr, HF_SID_BYTES) == 0 &&
	    (e = take_secret(&received, &sent, en, re)) == HF_OK &&
	    (e = take_suite(take_plain(en, ENTRY_BOX), re)) == HF_OK &&
	    !unseal_resume(opened, message, en))
		return HF_E_BOX;
	return take_steps(en, re);
}

static void
check_sealed(const struct act *a, struct hf_span entry)
{
	enum hf_err due =
	    entry.len == 0 ? HF_E_NO_SESSION : due_sealed(entry, a->said);

	if (due == HF_OK)
		CLAIM(a->r->state == HF__R_RESUMED);
	else if (a->r->state == HF__R_START)
		CLAIM(hf_session_refused(a->r) == due &&
		    take_fits("[ =8 =4 ]",
			(struct hf_span){ act_out, act_out_len }));
	else
		CLAIM(hf_session_error(a->r) == due);
}

/* --- and the initiator ------------------------------------------------------------------ */

/* A state that was changed beneath its seal may ask for less of the takeover,
 * or more, than the initiator: then it hears so by the shape. */
static bool
other_strength(const struct act *a)
{
	bool proved = act_out[2 + 2 + HF_KEY_BYTES] != 0xf6; /* its enc */

	return proved != (hf_session_mobility(a->i) == HF_MOVES_PROVED);
}

/* It goes on with what is not below what it was told; and then both do. */
static void
check_initiator(struct act *a)
{
	struct hf_bases b;
	size_t used;
	enum hf_err e;

	e = hf_session_feed(a->i, &used, act_out, act_out_len);
	if (e != HF_OK) {
		CLAIM(e == HF_E_ROLLBACK ?
			!hf_session_can_reconnect(a->i) :
			e == HF_E_SHAPE && other_strength(a));
		return;
	}
	MUST(hf_session_bases(&b, a->i));
	CLAIM(b.own_count >= moving.own.past[moving.acked].count);
	CLAIM(b.own_count <= b.sent_count);
	CLAIM(b.peer_count == line_last(&moving.peers)->count);
	moving_lose(a->r);
	fuzz_give(a->r, fuzz_take(act_said, sizeof(act_said), a->i));
	MUST(fuzz_answer(a->r));
	CLAIM(a->r->state == HF__OPEN && a->r->authenticated);
	if (!a->r->sent_close) {
		moving_say(a->r);
		moving_hear(a->r, a->i);
	}
	if (!a->i->sent_close) {
		moving_say(a->i);
		moving_hear(a->i, a->r);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t entry[HF_ENTRY_MAX], said[HF_MESSAGE_MAX];
	struct hf_span in = { data, len }, given, out;
	struct act a = { .admission = HF_ADMIT };
	unsigned choice = in_byte(&in);
	enum which which = in_byte(&in) % WHICH;
	bool sealed = (choice & 64) != 0;

	fuzz_skip = SKIP_SEALS;
	fuzz_people();
	moving_make();
	make_vaults();
	if (sealed)
		fuzz_skip = SKIP_KEYS;
	leave(&a, choice);
	memcpy(said, a.said.ptr, a.said.len);
	a.said.ptr = said;
	given = choose(entry, &a, which);
	if (which == RAW)
		given = in;
	else if (choice & GENUINE && given.len > 0)
		(void)fuzz_change(entry, given.len, &in);
	fuzz_entry = given;
	fuzz_give(a.r, a.said);
	act_out_len = 0;
	act_settle(&a);
	out = (struct hf_span){ act_out, act_out_len };
	if (sealed)
		check_sealed(&a, given);
	else
		check_taken(a.r, out, given, a.said);
	if (a.r->state == HF__R_RESUMED)
		check_initiator(&a);
	hf_session_free(a.i);
	hf_session_free(a.r);
	return 0;
}
