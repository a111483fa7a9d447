/* SPDX-License-Identifier: ISC */
/*
 * A cluster's changes over a store that somebody else writes to as well (spec
 * section 19.3): the input is a script in which values are kept and brought
 * back, exchanged, changed, hidden and made up between one change and the
 * next. Grants are made for those alone whom the cluster admitted and did not
 * let go; who was let go knows no key that is given out later.
 */
#include "moving.h"
#include "fleet.h"

enum {
	ONE,
	TWO,
	THIEF,
	PEOPLE,
	SCOPES = 2,
	VALUES = 24,
	KEYS = 256,
	STEPS = 24
};

static const char *const scope_name[SCOPES] = { "default", "files" };

static struct {
	struct hf_identity *id[PEOPLE], *cluster;
	struct blob {
		uint8_t bytes[HF_CERT_MAX];
		size_t len;
	} cert[PEOPLE], cluster_cert;
	char hex[PEOPLE][HF_MEMBER_ID_TEXT];
} people;

/* --- the store ---------------------------------------------------------------- */

struct value {
	uint8_t key[HF_STORE_KEY_MAX], bytes[HF_STORE_VALUE_MAX];
	size_t key_len, len;
};

static struct {
	struct value value[VALUES];
	size_t n;
	bool ours;	  /* the cluster changes it now */
	unsigned fail_at; /* it is down at that question */
	bool failed;
} shelf;

static struct value past[VALUES];
static size_t past_n;

/* What is true, whatever the store says. */
static struct {
	bool member[PEOPLE][SCOPES];
	uint8_t key[KEYS][32]; /* known to somebody who was let go */
	bool cut[KEYS];
	size_t key_n;
	uint8_t given[KEYS][32]; /* known to somebody */
	size_t given_n;
	uint64_t least, used;
} truth;

static struct value *
find(struct hf_span key)
{
	size_t i;

	for (i = 0; i < shelf.n; i++)
		if (shelf.value[i].key_len == key.len &&
		    memcmp(shelf.value[i].key, key.ptr, key.len) == 0)
			return &shelf.value[i];
	return NULL;
}

static bool
put(struct hf_span key, struct hf_span value)
{
	struct value *v = find(key);

	if (value.len == 0) {
		if (v != NULL)
			*v = shelf.value[--shelf.n];
		return true;
	}
	if (v == NULL && shelf.n == VALUES)
		return false;
	if (v == NULL)
		v = &shelf.value[shelf.n++];
	memcpy(v->key, key.ptr, v->key_len = key.len);
	memmove(v->bytes, value.ptr, v->len = value.len);
	return true;
}

static int
in_order(const void *a, const void *b)
{
	const struct value *x = a, *y = b;
	size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	int r = memcmp(x->key, y->key, n);

	return r != 0 ? r :
			(x->key_len > y->key_len) - (x->key_len < y->key_len);
}

enum hf_err
hf_store_get(struct hf_store *store, struct hf_span key,
    uint8_t value[HF_STORE_VALUE_MAX], size_t *len)
{
	const struct value *v = find(key);

	(void)store;
	*len = 0;
	if (key.len == 0)
		return HF_E_ARG;
	if (shelf.fail_at > 0 && --shelf.fail_at == 0) {
		shelf.failed = true;
		return HF_E_STORE;
	}
	if (v == NULL)
		return HF_E_NO_SESSION;
	memcpy(value, v->bytes, *len = v->len);
	return HF_OK;
}

enum hf_err
hf_store_list(struct hf_store *store, struct hf_span prefix,
    int (*each)(void *arg, struct hf_span key, struct hf_span value),
    void *arg)
{
	size_t i;

	(void)store;
	qsort(shelf.value, shelf.n, sizeof(shelf.value[0]), in_order);
	for (i = 0; i < shelf.n; i++) {
		struct value *v = &shelf.value[i];

		if (v->key_len >= prefix.len &&
		    memcmp(v->key, prefix.ptr, prefix.len) == 0 &&
		    !each(arg, (struct hf_span){ v->key, v->key_len },
			(struct hf_span){ v->bytes, v->len }))
			break;
	}
	return HF_OK;
}

/* --- what the cluster writes ------------------------------------------------------ */

static bool
is_known(const uint8_t *key, size_t *at)
{
	for (*at = 0; *at < truth.key_n; ++*at)
		if (memcmp(truth.key[*at], key, 32) == 0)
			return true;
	return false;
}

static void
note_given(const uint8_t *key)
{
	size_t i;

	for (i = 0; i < truth.given_n; i++)
		if (memcmp(truth.given[i], key, 32) == 0)
			return;
	CLAIM(truth.given_n < KEYS);
	memcpy(truth.given[truth.given_n++], key, 32);
}

/* A grant for a member, or the cluster's own copy; no seal is closed. */
static void
check_written(struct hf_span key, struct hf_span value)
{
	struct hf_span cert = { people.cluster_cert.bytes,
		people.cluster_cert.len };
	char hex[HF_MEMBER_ID_TEXT];
	struct hf__sign1 cose;
	struct hf_keygrant g;
	struct hf_span keys;
	size_t i, s, at;

	MUST(hf_keygrant_verify(&g, value.ptr, value.len, cert));
	MUST(hf__sign1_read(&cose, value.ptr, value.len));
	sodium_bin2hex(hex, sizeof(hex), g.member, sizeof(g.member));
	for (s = 0; s < SCOPES && strcmp(scope_name[s], g.scope.text) != 0;)
		s++;
	CLAIM(s < SCOPES && g.serial > 0);
	keys = shape_item(cose.payload, 9);
	CLAIM(keys.len > HF__TAG_BYTES);
	for (i = 0; i < g.generation_n; i++) {
		const uint8_t *k = shape_item(keys, i).ptr;

		if (is_known(k, &at))
			CLAIM(i > 0 &&
			    (!truth.cut[at] ||
				(g.generation[i].cut_off > 0 &&
				    g.generation[i].cut_off <= FUZZ_NOW)));
		note_given(k);
	}
	if (key.ptr[0] == 'r')
		return;
	CLAIM(key.ptr[0] == 'g' && memcmp(key.ptr + 2, hex, 64) == 0);
	for (i = 0; i < PEOPLE && strcmp(people.hex[i], hex) != 0;)
		i++;
	CLAIM(i < PEOPLE && truth.member[i][s]);
}

enum hf_err
hf_store_swap(struct hf_store *store, struct hf_span key,
    struct hf_span expected, struct hf_span next, uint64_t expires)
{
	const struct value *v = find(key);

	(void)store;
	CLAIM(key.len > 2 && shelf.ours);
	CLAIM(expected.len == (v == NULL ? 0 : v->len));
	CLAIM(next.len == 0 || expires > FUZZ_NOW);
	if (next.len > 0 && key.ptr[0] != 'm')
		check_written(key, next);
	return put(key, next) ? HF_OK : HF_E_STORE;
}

/* --- the cluster's changes --------------------------------------------------------- */

static enum hf_err
remember(void *arg, uint64_t used)
{
	(void)arg;
	CLAIM(used > truth.used && used > truth.least);
	truth.used = used;
	return HF_OK;
}

static enum hf_err
change_it(unsigned what, unsigned who, unsigned scope, bool evict)
{
	struct hf_span cert = { people.cert[who].bytes, people.cert[who].len };
	struct hf_keygrant g = { .serial = 0 };
	struct hf_cluster *c;
	enum hf_err e;
	size_t n;

	fuzz_name(&g.scope, scope_name[scope]);
	shelf.ours = true;
	if ((e = hf_cluster_open(&c, NULL, people.cluster,
		 (struct hf_span){ people.cluster_cert.bytes,
		     people.cluster_cert.len },
		 FUZZ_NOW, truth.least)) != HF_OK)
		return e;
	hf_cluster_remember(c, truth.used, remember, NULL);
	if (what == 0)
		hf_cluster_anew(c);
	if (what == 0)
		e = hf_cluster_admit(c, cert, &g);
	else if (what == 1)
		e = hf_cluster_rotate(c, g.scope.text, 0, &n);
	else if (what == 2)
		e = hf_cluster_remove(c, cert, evict);
	else
		e = hf_cluster_renew(c, &n);
	if (what == 2 && e == HF_E_NO_SESSION)
		e = HF_OK;
	CLAIM(hf_cluster_serial(c) >= truth.least);
	truth.least = hf_cluster_serial(c);
	hf_cluster_close(c);
	return e;
}

/* A store that does not say who is in ends the change. */
static enum hf_err
change(unsigned what, unsigned who, unsigned scope, bool evict)
{
	enum hf_err e;

	shelf.failed = false;
	e = change_it(what, who, scope, evict);
	CLAIM(!shelf.failed || e == HF_E_STORE);
	shelf.fail_at = 0;
	return e;
}

static void
admit(unsigned who, unsigned scope)
{
	truth.member[who][scope] = true;
	(void)change(0, who, scope, false);
}

/* A ring's newest key is none of those that were given out before; of one that
 * was put there by others nothing is said. */
static void
check_new(const struct value *ring, size_t before)
{
	struct hf__sign1 cose;
	struct hf_keygrant g;
	size_t i;

	if (hf_keygrant_verify(&g, ring->bytes, ring->len,
		(struct hf_span){ people.cluster_cert.bytes,
		    people.cluster_cert.len }) != HF_OK ||
	    g.scope.len != ring->key_len - 2 ||
	    memcmp(g.scope.text, ring->key + 2, g.scope.len) != 0 ||
	    g.serial < truth.least)
		return;
	MUST(hf__sign1_read(&cose, ring->bytes, ring->len));
	for (i = 0; i < before; i++)
		CLAIM(memcmp(truth.given[i],
			  shape_item(shape_item(cose.payload, 9), 0).ptr,
			  32) != 0);
}

/* Where it is not done, it is one still. */
static void
let_go(unsigned who, bool evict)
{
	size_t i, at, before = truth.given_n;
	bool was[SCOPES];

	memcpy(was, truth.member[who], sizeof(was));
	memset(truth.member[who], 0, sizeof(was));
	if (change(2, who, 0, evict) != HF_OK) {
		memcpy(truth.member[who], was, sizeof(was));
		return;
	}
	for (i = 0; i < shelf.n; i++)
		if (shelf.value[i].key[0] == 'r')
			check_new(&shelf.value[i], before);
	for (i = 0; i < before; i++) {
		if (!is_known(truth.given[i], &at)) {
			CLAIM(truth.key_n < KEYS);
			memcpy(truth.key[truth.key_n++], truth.given[i], 32);
		}
		truth.cut[at] |= evict;
	}
}

/* --- somebody else's ------------------------------------------------------------------ */

/* A record of a member, as the cluster writes them. */
static void
make_up(unsigned where, unsigned who, unsigned scopes)
{
	uint8_t bytes[HF_STORE_VALUE_MAX];
	char key[2 + HF_MEMBER_ID_TEXT];
	size_t at = 1, s;

	bytes[0] = 0;
	for (s = 0; s < SCOPES; s++)
		if ((scopes >> s & 1) != 0) {
			bytes[0]++;
			bytes[at++] = (uint8_t)strlen(scope_name[s]);
			memcpy(bytes + at, scope_name[s],
			    strlen(scope_name[s]));
			at += strlen(scope_name[s]);
		}
	memcpy(bytes + at, people.cert[who].bytes, people.cert[who].len);
	(void)snprintf(key, sizeof(key), "m/%s", people.hex[where]);
	(void)put((struct hf_span){ (uint8_t *)key, strlen(key) },
	    (struct hf_span){ bytes, at + people.cert[who].len });
}

/* A grant that the thief signed, or another's in its place. */
static void
forge(unsigned where, unsigned scope, unsigned whose)
{
	struct hf_keygrant g = { .serial = 1000,
		.not_after = FUZZ_NOW + 1000,
		.generation_n = 1,
		.generation = { { .number = 1 } } };
	char key[HF_STORE_KEY_MAX];
	struct value *other;
	uint8_t bytes[HF_STORE_VALUE_MAX];
	struct hf_span value = { bytes, 0 };

	(void)snprintf(key, sizeof(key), "g/%s/%s", people.hex[whose],
	    scope_name[scope]);
	other = find((struct hf_span){ (uint8_t *)key, strlen(key) });
	if (whose == THIEF) {
		fuzz_name(&g.cluster, "cluster");
		fuzz_name(&g.scope, scope_name[scope]);
		MUST(hf_keygrant_make(bytes, sizeof(bytes), &value.len,
		    people.id[THIEF], &g, people.cert[where].bytes,
		    people.cert[where].len));
	} else if (other != NULL)
		memcpy(bytes, other->bytes, value.len = other->len);
	memcpy(key + 2, people.hex[where], HF_MEMBER_ID_TEXT - 1);
	(void)put((struct hf_span){ (uint8_t *)key, strlen(key) }, value);
}

static void
bring_back(const struct value *v, unsigned kinds)
{
	static const char kind[] = "mgr";
	const char *at = strchr(kind, v->key[0]);

	if (at != NULL && (kinds >> (at - kind) & 1) != 0)
		(void)put((struct hf_span){ v->key, v->key_len },
		    (struct hf_span){ v->bytes, v->len });
}

static void
meddle(unsigned how, struct hf_span *in)
{
	unsigned k = in_byte(in), j = in_byte(in);
	struct value *v, *w;

	if (shelf.n == 0)
		return;
	v = &shelf.value[k % shelf.n];
	w = &shelf.value[j % shelf.n];
	switch (how) {
	case 3:
		(void)put((struct hf_span){ v->key, v->key_len },
		    (struct hf_span){ NULL, 0 });
		break;
	case 4:
		memmove(v->bytes, w->bytes, v->len = w->len);
		break;
	case 5:
		v->bytes[in_word(in) % v->len] ^= (uint8_t)j;
		break;
	case 6:
		memcpy(past, shelf.value, sizeof(past));
		past_n = shelf.n;
		break;
	case 7: /* records, grants, rings */
		for (k = 0; k < past_n; k++)
			bring_back(&past[k], j);
		break;
	default:
		make_up(k % PEOPLE, j % PEOPLE, j >> 4);
		if (k & 64)
			forge(k % PEOPLE, j >> 2 & 1, k & 128 ? ONE : THIEF);
	}
}

/* A file of its own in the store's place: a record, or none. */
static void
write_raw(struct hf_span *in)
{
	static const char kinds[] = "mgr";
	char key[2 + HF_MEMBER_ID_TEXT + 10];
	unsigned what = in_byte(in), who = in_byte(in);
	struct hf_span bytes = in_span(in, in_byte(in));

	(void)snprintf(key, sizeof(key), "%c/%s%s%s", kinds[what % 3],
	    what % 3 == 2 ? "" : people.hex[who % PEOPLE],
	    what % 3 == 1 ? "/" : "",
	    what % 3 == 0 ? "" : scope_name[who >> 4 & 1]);
	(void)put((struct hf_span){ (uint8_t *)key, strlen(key) }, bytes);
}

/* --- what members make of it ------------------------------------------------------------ */

static void
load(unsigned who)
{
	struct hf_keygrant_judge by = { .identity = people.id[who],
		.member = { people.cert[who].bytes, people.cert[who].len },
		.cluster = { people.cluster_cert.bytes,
		    people.cluster_cert.len },
		.now = FUZZ_NOW };
	struct hf_vault *v;
	struct hf_granted granted = { 0 };
	enum hf_err e;

	MUST(hf_vault_new(&v, "cluster", "member"));
	e = hf_member_grants(v, NULL, &by, &granted);
	CLAIM(e != HF_OK ||
	    (granted.serial > 0 && granted.not_after > FUZZ_NOW &&
		v->scope_n > 0));
	hf_vault_free(v);
}

/* How many scopes, each with its length, and the certificate whose record it
 * is. */
static bool
record_fits(const struct value *v)
{
	struct hf_span value = { v->bytes, v->len };
	unsigned n = in_byte(&value), len;
	char hex[HF_MEMBER_ID_TEXT];

	if (n > HF_SCOPES_MAX)
		return false;
	for (; n > 0; n--)
		if ((len = in_byte(&value)) == 0 ||
		    in_span(&value, len).len != len)
			return false;
	if (value.len == 0 || value.len > HF_CERT_MAX)
		return false;
	hf_member_id(hex, value);
	return v->key_len == strlen(hex) + 2 &&
	    memcmp(v->key + 2, hex, strlen(hex)) == 0;
}

static int
count(void *arg, const struct hf_member *m)
{
	size_t *n = arg;

	CLAIM(m->scope_n <= HF_SCOPES_MAX && m->cert_len > 0);
	++*n;
	return 1;
}

static void
list(void)
{
	size_t i, n = 0, due = 0;

	MUST(hf_cluster_members(NULL, count, &n));
	for (i = 0; i < shelf.n; i++)
		due += shelf.value[i].key[0] == 'm' &&
		    record_fits(&shelf.value[i]);
	CLAIM(n == due);
}

/* --- ---------------------------------------------------------------------------------- */

static void
certify(struct blob *cert, const struct hf_identity *id, const char *subject,
    unsigned usage)
{
	struct hf_cert_info terms = fuzz_terms(subject, usage);
	uint8_t request[HF_CERT_MAX];
	size_t len;

	terms.suites_n = 2;
	if (usage != HF_USAGE_CLUSTER)
		fuzz_name(&terms.cluster, "cluster");
	MUST(hf_request_make(request, sizeof(request), &len, id, &terms,
	    FUZZ_NOW));
	if (usage == HF_USAGE_CLUSTER)
		terms.suites_n = 0;
	MUST(hf_cert_issue(cert->bytes, HF_CERT_MAX, &cert->len, fuzz.ca,
	    fuzz.ca_bytes, fuzz.ca_len, &terms, request, len));
}

static void
make_people(void)
{
	static const char *const name[PEOPLE] = { "one", "two", "thief" };
	int i;

	people.cluster = fuzz_identity(6);
	certify(&people.cluster_cert, people.cluster, "cluster",
	    HF_USAGE_CLUSTER);
	for (i = 0; i < PEOPLE; i++) {
		people.id[i] = fuzz_identity(10 + i);
		certify(&people.cert[i], people.id[i], name[i],
		    HF_USAGE_RESPONDER | HF_USAGE_SERVER);
		hf_member_id(people.hex[i],
		    (struct hf_span){ people.cert[i].bytes,
			people.cert[i].len });
	}
}

static void
step(struct hf_span *in)
{
	unsigned op = in_byte(in), who = op >> 4 & 1, scope = op >> 5 & 1;

	shelf.ours = false;
	switch (op & 15) {
	case 0:
		admit(who, scope);
		break;
	case 1:
		(void)change(1, 0, scope, false);
		break;
	case 2:
		let_go(who, (op & 64) != 0);
		break;
	case 3:
		(void)change(3, 0, 0, false);
		break;
	case 4:
		load(op >> 5 & 3 ? who : THIEF);
		break;
	case 5:
		list();
		if (op & 64)
			shelf.fail_at = in_byte(in);
		break;
	case 6:
		write_raw(in);
		break;
	default:
		meddle((op & 15) - 7, in);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hf_span in = { data, len };
	unsigned n;

	fuzz_skip = SKIP_SEALS | SKIP_CURVE;
	fuzz_people();
	if (people.cluster == NULL)
		make_people();
	fuzz_random(NULL, 0);
	memset(&truth, 0, sizeof(truth));
	shelf.n = past_n = 0;
	shelf.fail_at = 0;
	admit(ONE, 0);
	admit(TWO, 0);
	for (n = 0; n < STEPS && in.len > 0; n++)
		step(&in);
	return 0;
}
