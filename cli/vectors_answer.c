/* SPDX-License-Identifier: ISC */
/*
 * The application of a vector's side: what it says when the session asks for
 * admission, trust, a password, a burnt ticket. Its lists stand in the vector;
 * no judgement here is the protocol's.
 */
#include <string.h>

#include "vectors.h"

/* --- what it is told ------------------------------------------------------------ */

static void
check_texts(struct vec *v, const json_t *in, const char *key)
{
	const json_t *list = vec_get(v, in, key, JSON_ARRAY);
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			vec_fault(v, key, "holds what is no text");
}

static void
check_users(struct vec *v, const json_t *in)
{
	uint8_t verifier[HF_KEY_BYTES];
	json_t *list, *entry;
	size_t i;

	list = (json_t *)vec_get(v, in, "users", JSON_ARRAY);
	json_array_foreach(list, i, entry) {
		vec_members(v, entry, "user verifier");
		(void)vec_text(v, entry, "user");
		vec_hex_into(verifier, sizeof(verifier), v, entry, "verifier");
	}
	list = (json_t *)vec_get(v, in, "passwords", JSON_ARRAY);
	json_array_foreach(list, i, entry) {
		vec_members(v, entry, "user password");
		(void)vec_text(v, entry, "user");
		(void)vec_text(v, entry, "password");
	}
}

static enum hf_err shelf_says(struct vec_side *side, const char *word);

static void
check_shelf(struct vec_side *side)
{
	const json_t *shelf = json_object_get(side->app, "shelf");

	if (shelf == NULL)
		return;
	vec_members(side->v, shelf, "entry get claim confirm");
	if (!vec_is_null(shelf, "entry"))
		(void)vec_hex(side->v, shelf, "entry");
	(void)shelf_says(side, "get");
	(void)shelf_says(side, "claim");
	(void)shelf_says(side, "confirm");
}

/* Here at once: what is read only when it is asked for could be anything
 * where it is never asked for. */
void
vec_answer_check(struct vec_side *side)
{
	static const char *const lists[] = { "retry", "limited_users", "seen",
		"used" };
	struct vec *v = side->v;
	size_t i;

	check_texts(v, side->app, "refuse");
	if (side->role == HF_INITIATOR) {
		vec_members(v, side->app, "refuse");
		return;
	}
	vec_members(v, side->app,
	    "retry limited limited_users seen users passwords refuse store "
	    "used ?shelf");
	for (i = 0; i < HF__ARRAY_N(lists); i++)
		check_texts(v, side->app, lists[i]);
	(void)vec_bool(v, side->app, "limited");
	(void)vec_bool(v, side->app, "store");
	check_users(v, side->app);
	check_shelf(side);
}

/* --- passwords ----------------------------------------------------------------- */

static enum hf_err
give_password(struct vec_side *side, const struct hf_peer *peer)
{
	const json_t *token = json_object_get(side->told, "token");
	const char *user = vec_text(side->v, token, "user");
	const char *password = vec_text(side->v, token, "password");
	uint8_t stretched[HF_KEY_BYTES];
	struct hf_cert_info info;
	enum hf_err e;

	if (side->config->method == HF_METHOD_PLAIN_PASSWORD)
		return hf_session_password(side->s, password,
		    strlen(password));
	if ((e = hf_cert_read(&info, peer->cert.ptr, peer->cert.len)) !=
		HF_OK ||
	    (e = vec_stretch(stretched, password, info.realm.text, user,
		 info.cost_mib, info.cost_passes)) != HF_OK)
		return e;
	return hf_session_stretched(side->s, stretched);
}

/* The verifier of the user that fits what was shown; else any of that user;
 * else NULL. */
static const uint8_t *
find_verifier(struct vec_side *side, const char *user, bool *fits)
{
	const json_t *users = vec_get(side->v, side->app, "users", JSON_ARRAY);
	const uint8_t *found = NULL;
	uint8_t shown[HF_KEY_BYTES];
	struct hf_span verifier;
	json_t *entry;
	size_t i;

	*fits = false;
	if (hf_password_verifier(shown, side->s->hs->token.password.ptr) !=
	    HF_OK)
		return NULL;
	json_array_foreach((json_t *)users, i, entry) {
		verifier = vec_hex(side->v, entry, "verifier");
		if (*fits || verifier.len != HF_KEY_BYTES ||
		    strcmp(vec_text(side->v, entry, "user"), user) != 0)
			continue;
		found = verifier.ptr;
		*fits = memcmp(found, shown, sizeof(shown)) == 0;
	}
	return found;
}

static bool
plain_fits(struct vec_side *side, const char *user)
{
	const json_t *list =
	    vec_get(side->v, side->app, "passwords", JSON_ARRAY);
	struct hf_span asked = hf_session_asked_password(side->s);
	const char *password;
	bool fits = false;
	json_t *entry;
	size_t i;

	json_array_foreach((json_t *)list, i, entry) {
		password = vec_text(side->v, entry, "password");
		fits |= strcmp(vec_text(side->v, entry, "user"), user) == 0 &&
		    strlen(password) == asked.len &&
		    memcmp(password, asked.ptr, asked.len) == 0;
	}
	return fits;
}

/* --- what is asked ---------------------------------------------------------------- */

static enum hf_err
answer_admit(struct vec_side *side)
{
	enum hf__type type = side->s->hs->outer.type;
	const char *word = type == HF__HELLO ? "hello" :
	    type == HF__RESUME		     ? "resume" :
					       "request";
	struct hf_span finger = hf_session_fingerprint(side->s);
	char hex[2 * HF_FINGERPRINT_BYTES + 1] = "";

	if (finger.len == HF_FINGERPRINT_BYTES)
		(void)sodium_bin2hex(hex, sizeof(hex), finger.ptr, finger.len);
	if (vec_bool(side->v, side->app, "limited"))
		return hf_session_admit(side->s, HF_ADMIT_LIMIT);
	if (hex[0] != '\0' &&
	    vec_holds(json_object_get(side->app, "seen"), hex))
		return hf_session_admit(side->s, HF_ADMIT_REPLAY);
	if (vec_holds(json_object_get(side->app, "retry"), word) &&
	    !hf_session_cookie_shown(side->s))
		return hf_session_admit(side->s, HF_ADMIT_COOKIE);
	side->prekey = side->s->hs->prekey; /* wiped when it has served */
	return hf_session_admit(side->s, HF_ADMIT);
}

static int
refuses(const struct vec_side *side, const char *list, const char *name)
{
	return vec_holds(json_object_get(side->app, list), name);
}

/* A peer who showed himself to another server, in the handshake. */
static enum hf_err
answer_takeover(struct vec_side *side, const struct hf_peer *peer)
{
	if (refuses(side, "limited_users", peer->name))
		return hf_session_trust(side->s, HF_E_LIMITED);
	return hf_session_trust(side->s,
	    refuses(side, "refuse", peer->name) ? HF_E_POLICY : HF_OK);
}

static enum hf_err
answer_responder(struct vec_side *side, const struct hf_peer *peer)
{
	int refused = refuses(side, "refuse", peer->name);
	const uint8_t *verifier;
	bool fits = true;

	if (hf_session_takes_over(side->s))
		return answer_takeover(side, peer);

	json_decref(side->opened);
	side->opened = vec_inside_request(side->v, side->s, &side->prekey,
	    (struct hf_span){ NULL, 0 });
	if (refuses(side, "limited_users", peer->name))
		return hf_session_trust(side->s, HF_E_LIMITED);
	if (peer->method == HF_METHOD_PASSWORD) {
		verifier = find_verifier(side, peer->name, &fits);
		if (!fits || !refused)
			return hf_session_verify(side->s, verifier);
	} else if (peer->method == HF_METHOD_PLAIN_PASSWORD)
		fits = plain_fits(side, peer->name);
	if (!fits)
		return hf_session_trust(side->s, HF_E_PASSWORD);
	return hf_session_trust(side->s, refused ? HF_E_POLICY : HF_OK);
}

static enum hf_err
answer_trust(struct vec_side *side)
{
	struct hf_peer peer;
	enum hf_err e;

	if ((e = hf_session_peer(&peer, side->s)) != HF_OK)
		return e;
	if (side->role == HF_RESPONDER)
		return answer_responder(side, &peer);
	if (refuses(side, "refuse", peer.name))
		return hf_session_trust(side->s, HF_E_POLICY);
	if (side->config->method == HF_METHOD_PASSWORD ||
	    side->config->method == HF_METHOD_PLAIN_PASSWORD)
		return give_password(side, &peer);
	return hf_session_trust(side->s, HF_OK);
}

/* What the store says to that: nothing, or an error by its name. */
static enum hf_err
shelf_says(struct vec_side *side, const char *word)
{
	static const enum hf_err errors[] = { HF_E_STORE, HF_E_NO_SESSION,
		HF_E_FENCED };
	const json_t *shelf =
	    vec_get(side->v, side->app, "shelf", JSON_OBJECT);
	const char *name;
	size_t i;

	if ((name = vec_text_or_null(side->v, shelf, word)) == NULL)
		return HF_OK;
	for (i = 0; i < HF__ARRAY_N(errors); i++)
		if (strcmp(name, hf_error_name(errors[i])) == 0)
			return errors[i];
	vec_fault(side->v, word, "is no answer of a store");
	return HF_OK;
}

static enum hf_err
answer_state(struct vec_side *side)
{
	enum hf_err verdict = shelf_says(side, "get");
	const json_t *shelf = json_object_get(side->app, "shelf");
	struct hf_span entry = { NULL, 0 };

	if (vec_is_null(shelf, "entry"))
		verdict = verdict == HF_OK ? HF_E_NO_SESSION : verdict;
	else
		entry = vec_hex(side->v, shelf, "entry");
	return hf_session_supply(side->s, verdict, entry.ptr, entry.len);
}

static enum hf_err
answer_swap(struct vec_side *side, const char *word)
{
	struct hf_span entry = hf_session_entry(side->s);

	vec_append(side->v, side->entries, vec_json_hex(entry.ptr, entry.len));
	return hf_session_commit(side->s, shelf_says(side, word));
}

static enum hf_err
answer_commit(struct vec_side *side)
{
	char hex[2 * HF_CTI_BYTES + 1];
	struct hf_peer peer;
	enum hf_err e;

	if ((e = hf_session_peer(&peer, side->s)) != HF_OK)
		return e;
	(void)sodium_bin2hex(hex, sizeof(hex), peer.ticket->cti, HF_CTI_BYTES);
	if (!vec_bool(side->v, side->app, "store"))
		return hf_session_commit(side->s, HF_E_STORE);
	return hf_session_commit(side->s,
	    refuses(side, "used", hex) ? HF_E_TICKET_USED : HF_OK);
}

static enum hf_err
answer_one(struct vec_side *side)
{
	switch (side->s->state) {
	case HF__R_ADMIT:
		return answer_admit(side);
	case HF__R_COMMIT:
		return answer_commit(side);
	case HF__R_STATE:
		return answer_state(side);
	case HF__R_CLAIM:
		return answer_swap(side, "claim");
	case HF__R_CONFIRM:
		return answer_swap(side, "confirm");
	default:
		return answer_trust(side);
	}
}

static bool
asks(const struct hf_session *s)
{
	return s->state == HF__R_ADMIT || s->state == HF__R_COMMIT ||
	    s->state == HF__I_TRUST || s->state == HF__R_TRUST ||
	    s->state == HF__R_STATE || s->state == HF__R_CLAIM ||
	    s->state == HF__R_CONFIRM;
}

/* All that is asked, until bytes are wanted. */
enum hf_err
vec_answer(struct vec_side *side)
{
	enum hf_err e = HF_OK;

	vec_random_begin(&side->draws);
	while (e == HF_OK && !side->v->failed && asks(side->s))
		e = answer_one(side);
	vec_random_end();
	return e;
}
