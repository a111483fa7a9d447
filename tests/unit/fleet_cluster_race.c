/* SPDX-License-Identifier: ISC */
/*
 * Two changes of a cluster at the same time (spec section 19.3), as by two
 * people on two machines: between any two questions to the store the other may
 * have its turn, at each place in turn and by chance, and one may die there.
 * An eviction that was done stays done, whatever of the evicted one's comes
 * back; and who is not put out is in, with the keys of the ring.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fleet.h"
#include "testing.h"

enum { ONE, TWO, THREE, PEOPLE, VALUES = 32, LOGGED = 4096 };

static struct world w;
static struct hf_identity *id, *person[PEOPLE];
static struct blob cert, cert_of[PEOPLE];

static struct hf_span
span(const struct blob *b)
{
	return (struct hf_span){ b->bytes, b->len };
}

/* --- who has the turn --------------------------------------------------------------- */

struct side {
	pthread_t thread;
	int me;
	void (*change)(struct side *);
	unsigned asked, dies_at; /* questions to the store */
	unsigned rests, paused;	 /* so many of the other's, and how often */
	int over, dead;
	enum hf_err e;
	uint64_t kept;
	size_t n;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct side *side; /* two, or none are at work */
	int turn;
	unsigned first; /* so many questions of the first, then the second's */
	uint32_t chance; /* or by chance */
	unsigned pauses;
} race = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.moved = PTHREAD_COND_INITIALIZER };
static _Thread_local struct side *self;

static int
whose(void)
{
	int i;

	if (race.side[0].over || race.side[1].over)
		return race.side[0].over;
	for (i = 0; i < 2; i++)
		if (race.side[i].rests > 0) {
			race.side[i].rests--;
			return 1 - i;
		}
	if (race.chance == 0)
		return race.side[0].asked >= race.first;
	race.chance = race.chance * 1664525 + 1013904223;
	return race.chance >> 31;
}

static void
pass_turn(void)
{
	race.turn = whose();
	pthread_cond_broadcast(&race.moved);
}

/* Before each question; 0 for who is dead. */
static int
may_ask(void)
{
	if (self == NULL)
		return 1;
	pthread_mutex_lock(&race.lock);
	pass_turn();
	while (race.turn != self->me)
		pthread_cond_wait(&race.moved, &race.lock);
	pthread_mutex_unlock(&race.lock);
	self->dead |= ++self->asked == self->dies_at;
	return !self->dead;
}

static void *
work(void *arg)
{
	self = arg;
	/* Who draws lots is who has the turn: each run is as the one before. */
	pthread_mutex_lock(&race.lock);
	while (race.turn != self->me)
		pthread_cond_wait(&race.moved, &race.lock);
	pthread_mutex_unlock(&race.lock);
	self->change(self);
	pthread_mutex_lock(&race.lock);
	self->over = 1;
	pass_turn();
	pthread_mutex_unlock(&race.lock);
	return NULL;
}

/* Who waits a moment gives the other some turns. */
int
nanosleep(const struct timespec *how_long, struct timespec *left)
{
	(void)how_long;
	(void)left;
	race.pauses++;
	if (self != NULL)
		self->rests = race.chance / 7 % (64u << ++self->paused);
	return 0;
}

/* --- the store ------------------------------------------------------------------------ */

struct value {
	char key[HF_STORE_KEY_MAX + 1];
	uint8_t bytes[2048];
	size_t len;
};

static struct value shelf[VALUES];
static struct value at_first[VALUES];
static size_t shelf_n, at_first_n;
static struct {
	int who;
	uint64_t serial;
	uint32_t number;
} logged[LOGGED]; /* every grant that ever stood there */
static size_t logged_n;
static unsigned rewrites;    /* of a ring, each time that one is put */
static unsigned refusals;    /* of a grant */
static const char *vanishes; /* when a ring is put next */
static const char *unread;   /* once there is nothing more to refuse */

static struct value *
find(struct hf_span key)
{
	size_t i;

	for (i = 0; i < shelf_n; i++)
		if (strlen(shelf[i].key) == key.len &&
		    memcmp(shelf[i].key, key.ptr, key.len) == 0)
			return &shelf[i];
	return NULL;
}

enum hf_err
hf_store_get(struct hf_store *store, struct hf_span key,
    uint8_t value[HF_STORE_VALUE_MAX], size_t *len)
{
	const struct value *v;

	(void)store;
	*len = 0;
	if (!may_ask() ||
	    (unread != NULL && refusals == 0 && key.len == strlen(unread) &&
		memcmp(key.ptr, unread, key.len) == 0))
		return HF_E_STORE;
	if ((v = find(key)) == NULL)
		return HF_E_NO_SESSION;
	memcpy(value, v->bytes, *len = v->len);
	return HF_OK;
}

static int
in_order(const void *a, const void *b)
{
	return strcmp(((const struct value *)a)->key,
	    ((const struct value *)b)->key);
}

enum hf_err
hf_store_list(struct hf_store *store, struct hf_span prefix,
    int (*each)(void *arg, struct hf_span key, struct hf_span value),
    void *arg)
{
	size_t i;

	(void)store;
	if (!may_ask())
		return HF_E_STORE;
	qsort(shelf, shelf_n, sizeof(shelf[0]), in_order);
	for (i = 0; i < shelf_n; i++)
		if (strncmp(shelf[i].key, (const char *)prefix.ptr,
			prefix.len) == 0 &&
		    !each(arg,
			(struct hf_span){ (const uint8_t *)shelf[i].key,
			    strlen(shelf[i].key) },
			(struct hf_span){ shelf[i].bytes, shelf[i].len }))
			break;
	return HF_OK;
}

static void
log_grant(const struct value *v)
{
	char hex[HF_MEMBER_ID_TEXT];
	struct hf_keygrant g;
	int who;

	if (v->key[0] != 'g' || v->len == 0)
		return;
	assert_ok(hf_keygrant_verify(&g, v->bytes, v->len, span(&cert)));
	for (who = 0; who < PEOPLE; who++) {
		hf_member_id(hex, span(&cert_of[who]));
		if (strncmp(v->key + 2, hex, strlen(hex)) == 0)
			break;
	}
	assert_true(logged_n < LOGGED);
	logged[logged_n].who = who;
	logged[logged_n].number = g.generation[0].number;
	logged[logged_n++].serial = g.serial;
}

/* The same ring, in other bytes. */
static void
rewrite(struct hf_span key)
{
	struct hf_keygrant_judge by = { .identity = id,
		.member = span(&cert),
		.cluster = span(&cert),
		.now = NOW,
		.own_copy = 1 };
	struct value *v = find(key);
	struct hf_keygrant g;

	rewrites--;
	assert_non_null(v);
	assert_ok(hf_keygrant_open(&g, v->bytes, v->len, &by));
	assert_ok(hf_keygrant_make(v->bytes, sizeof(v->bytes), &v->len, id, &g,
	    cert.bytes, cert.len));
}

static void
vanish(void)
{
	struct value *v = find(
	    (struct hf_span){ (const uint8_t *)vanishes, strlen(vanishes) });

	vanishes = NULL;
	assert_non_null(v);
	*v = shelf[--shelf_n];
}

enum hf_err
hf_store_swap(struct hf_store *store, struct hf_span key,
    struct hf_span expected, struct hf_span next, uint64_t expires)
{
	struct value *v;

	(void)store;
	(void)expires;
	if (!may_ask())
		return HF_E_STORE;
	if (key.ptr[0] == 'r' && rewrites > 0)
		rewrite(key);
	if (key.ptr[0] == 'r' && vanishes != NULL)
		vanish();
	if (key.ptr[0] == 'g' && refusals > 0) {
		refusals--;
		return HF_E_FENCED;
	}
	v = find(key);
	if (expected.len != (v == NULL ? 0 : v->len) ||
	    (v != NULL && memcmp(v->bytes, expected.ptr, v->len) != 0))
		return HF_E_FENCED;
	if (next.len == 0) {
		if (v != NULL)
			*v = shelf[--shelf_n];
		return HF_OK;
	}
	assert_true(shelf_n < VALUES && next.len <= sizeof(v->bytes));
	if (v == NULL)
		v = &shelf[shelf_n++];
	memset(v->key, 0, sizeof(v->key));
	memcpy(v->key, key.ptr, key.len);
	memcpy(v->bytes, next.ptr, v->len = next.len);
	log_grant(v);
	return HF_OK;
}

/* --- changes --------------------------------------------------------------------------- */

static struct hf_cluster *
take_up(struct side *s)
{
	struct hf_cluster *c;

	s->e = hf_cluster_open(&c, NULL, id, span(&cert), NOW, 0);
	return c;
}

static void
put_down(struct side *s, struct hf_cluster *c)
{
	s->kept = hf_cluster_serial(c);
	hf_cluster_close(c);
}

static void
admit(struct side *s, int who, const char *scope)
{
	struct hf_keygrant g = { .serial = 0 };
	struct hf_cluster *c = take_up(s);

	if (c == NULL)
		return;
	name_set(&g.scope, scope);
	s->e = hf_cluster_admit(c, span(&cert_of[who]), &g);
	put_down(s, c);
}

static void
admit_three(struct side *s)
{
	admit(s, THREE, "default");
}

static void
new_scope(struct side *s)
{
	admit(s, THREE, "a new one");
}

static void
wider(struct side *s)
{
	admit(s, ONE, "more");
}

static void
evict_two(struct side *s)
{
	struct hf_cluster *c = take_up(s);

	if (c == NULL)
		return;
	s->e = hf_cluster_remove(c, span(&cert_of[TWO]), 1);
	put_down(s, c);
}

static void
renew(struct side *s)
{
	struct hf_cluster *c = take_up(s);

	if (c == NULL)
		return;
	s->e = hf_cluster_renew(c, &s->n);
	put_down(s, c);
}

static void
rotate(struct side *s)
{
	struct hf_cluster *c = take_up(s);

	if (c == NULL)
		return;
	s->e = hf_cluster_rotate(c, "default", 0, &s->n);
	put_down(s, c);
}

static void (*const changes[])(struct side *) = { renew, rotate, admit_three,
	new_scope, wider, evict_two };

static void
begin(void)
{
	struct side s = { .me = 0 };

	logged_n = 0;
	memcpy(shelf, at_first, sizeof(shelf));
	shelf_n = at_first_n;
	if (shelf_n > 0)
		return;
	admit(&s, ONE, "default");
	assert_ok(s.e);
	admit(&s, ONE, "files");
	assert_ok(s.e);
	admit(&s, TWO, "default");
	assert_ok(s.e);
	memcpy(at_first, shelf, sizeof(shelf));
	at_first_n = shelf_n;
}

static void
both(struct side side[2])
{
	int i;

	begin();
	race.side = side;
	race.turn = whose();
	for (i = 0; i < 2; i++) {
		side[i].me = i;
		assert_int_equal(pthread_create(&side[i].thread, NULL, work,
				     &side[i]),
		    0);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(side[i].thread, NULL), 0);
	race.side = NULL;
}

/* --- what holds then ---------------------------------------------------------------------- */

static int
look(struct hf_keygrant *g, char kind, int who, const char *scope)
{
	struct hf_keygrant_judge by = { .identity =
					    kind == 'r' ? id : person[who],
		.member = kind == 'r' ? span(&cert) : span(&cert_of[who]),
		.cluster = span(&cert),
		.now = NOW,
		.own_copy = kind == 'r' };
	char hex[HF_MEMBER_ID_TEXT] = "", key[HF_STORE_KEY_MAX + 1];
	const struct value *v;

	if (kind != 'r')
		hf_member_id(hex, span(&cert_of[who]));
	(void)snprintf(key, sizeof(key), "%c/%s%s%s", kind, hex,
	    kind == 'r' ? "" : "/", scope);
	v = find((struct hf_span){ (const uint8_t *)key, strlen(key) });
	if (v == NULL)
		return 0;
	assert_ok(hf_keygrant_open(g, v->bytes, v->len, &by));
	return 1;
}

static void
is_in(int who, const char *scope)
{
	struct hf_keygrant ring, g;

	assert_true(look(&ring, 'r', 0, scope));
	assert_true(look(&g, 'g', who, scope));
	assert_true(g.serial >= ring.serial);
	assert_int_equal(g.generation_n, ring.generation_n);
	assert_memory_equal(g.generation, ring.generation,
	    ring.generation_n * sizeof(ring.generation[0]));
}

/* Nothing that it ever had counts, should it come back; nor does anybody seal
 * under a key that it knows. */
static void
is_out(int who)
{
	struct hf_keygrant ring, g;
	uint32_t known = 0;
	size_t i;

	assert_true(look(&ring, 'r', 0, "default"));
	assert_false(look(&g, 'g', who, "default"));
	for (i = 0; i < logged_n; i++) {
		if (logged[i].who != who)
			continue;
		assert_true(logged[i].serial < ring.serial);
		if (logged[i].number > known)
			known = logged[i].number;
	}
	assert_true(look(&g, 'g', ONE, "default"));
	assert_true(g.serial >= ring.serial);
	assert_true(g.generation[0].number > known);
	for (i = 0; i < g.generation_n; i++)
		assert_true(g.generation[i].number > known ||
		    g.generation[i].cut_off != 0);
}

static void
takes_all(int who)
{
	struct hf_keygrant_judge by = { .identity = person[who],
		.member = span(&cert_of[who]),
		.cluster = span(&cert),
		.now = NOW };
	struct hf_granted granted = { 0 };
	struct hf_vault *v;
	size_t i;

	for (i = 0; i < logged_n; i++)
		if (logged[i].who == who && logged[i].serial > by.serial)
			by.serial = logged[i].serial;
	assert_ok(hf_vault_new(&v, "c", "m"));
	assert_ok(hf_member_grants(v, NULL, &by, &granted));
	hf_vault_free(v);
}

/* Where one died all is well with the next renewal. */
static void
judge(struct side side[2])
{
	struct side after = { .me = 0 };
	struct hf_cluster *c;
	int i;

	for (i = 0; i < 2; i++) {
		assert_true(side[i].e == HF_OK ||
		    (side[i].dead && side[i].e == HF_E_STORE) ||
		    (side[1 - i].change == evict_two &&
			side[i].change == evict_two &&
			side[i].e == HF_E_NO_SESSION));
		if (side[i].change == evict_two && side[i].e == HF_OK)
			is_out(TWO);
		/* What it remembers keeps it from nothing. */
		assert_ok(hf_cluster_open(&c, NULL, id, span(&cert), NOW,
		    side[i].kept));
		hf_cluster_close(c);
	}
	if (side[0].dead || side[1].dead) {
		renew(&after);
		assert_ok(after.e);
	}
	is_in(ONE, "default");
	is_in(ONE, "files");
	takes_all(ONE);
	for (i = 0; i < 2; i++) {
		if (side[i].e != HF_OK)
			continue;
		if (side[i].change == evict_two)
			is_out(TWO);
		if (side[i].change == admit_three)
			is_in(THREE, "default");
		if (side[i].change == new_scope)
			is_in(THREE, "a new one");
		if (side[i].change == admit_three ||
		    side[i].change == new_scope)
			takes_all(THREE);
	}
}

static void
try(void (*a)(struct side *), void (*b)(struct side *), unsigned dies_at,
    unsigned *asked)
{
	struct side side[2] = { { .change = a, .dies_at = dies_at },
		{ .change = b } };

	both(side);
	judge(side);
	if (asked != NULL)
		*asked = side[0].asked;
}

/* The other one begins and ends at each place. */
static void
between(void **state)
{
	unsigned asked;
	size_t i;

	(void)state;
	race.chance = 0;
	for (i = 0; i < HF__ARRAY_N(changes); i++) {
		asked = 1;
		for (race.first = 0; race.first < asked; race.first++)
			try(changes[i], evict_two, 0, &asked);
		asked = 1;
		for (race.first = 0; race.first < asked; race.first++)
			try(evict_two, changes[i], 0, &asked);
	}
}

static void
by_chance(void **state)
{
	unsigned seed;

	(void)state;
	for (seed = 1; seed <= 60; seed++) {
		race.chance = seed * 2654435761u;
		try(changes[seed % HF__ARRAY_N(changes)], evict_two, 0, NULL);
	}
}

/* One of the two is killed, somewhere. */
static void
one_dies(void **state)
{
	unsigned seed;

	(void)state;
	for (seed = 1; seed <= 120; seed++) {
		race.chance = seed * 2654435761u;
		try(changes[seed % HF__ARRAY_N(changes)], evict_two,
		    1 + seed * 7919u % 80, NULL);
	}
}

/* It is begun again, so often and not more; what was not done changed
 * nothing. */
static void
again(void **state)
{
	struct hf_keygrant ring, g;
	struct side s = { .me = 0 };
	unsigned n;

	(void)state;
	for (n = 1; n <= 5; n++) {
		begin();
		race.pauses = 0;
		rewrites = n;
		evict_two(&s);
		assert_err(s.e, n < 5 ? HF_OK : HF_E_FENCED);
		assert_int_equal(race.pauses, n < 5 ? n : 4);
		/* Each try has a serial of its own. */
		assert_int_equal(s.kept, n < 5 ? 4 + n : 3);
		assert_int_equal(rewrites, 0);
		assert_true(look(&ring, 'r', 0, "default"));
		assert_int_equal(ring.serial, s.kept);
		assert_int_equal(look(&g, 'g', TWO, "default"), n == 5);
	}
}

/* What comes to nothing again and again leaves no generation behind: those
 * that were there stay until something is done. */
static void
nothing_used_up(void **state)
{
	struct hf_keygrant before, after;
	struct side s = { .me = 0 };

	(void)state;
	begin();
	rotate(&s);
	rotate(&s);
	rotate(&s);
	assert_true(look(&before, 'r', 0, "default"));
	assert_int_equal(before.generation_n, 4);
	refusals = 4;
	evict_two(&s);
	assert_ok(s.e);
	assert_int_equal(refusals, 0);
	assert_true(look(&after, 'r', 0, "default"));
	/* Four of nothing, and there is no room for a fifth. */
	assert_int_equal(after.generation_n, before.generation_n + 1);
	assert_int_equal(after.generation[0].number,
	    before.generation[0].number + 5);
	assert_int_equal(after.generation[1].number,
	    before.generation[0].number);
	is_out(TWO);
}

static enum hf_err
keep_used(void *arg, uint64_t serial)
{
	uint64_t *used = arg;

	assert_true(serial > *used);
	*used = serial;
	return HF_OK;
}

/* Each change has a serial of its own, also after one that came to nothing. */
static void
one_serial_each(void **state)
{
	uint64_t used = 0, before;
	struct side s = { .me = 0 };
	struct hf_cluster *c;
	size_t n;

	(void)state;
	begin();
	assert_non_null(c = take_up(&s));
	hf_cluster_remember(c, used, keep_used, &used);
	refusals = 5;
	assert_err(hf_cluster_rotate(c, "default", 0, &n), HF_E_FENCED);
	assert_int_equal(refusals, 0);
	before = used;
	assert_ok(hf_cluster_rotate(c, "default", 0, &n));
	assert_int_equal(used, before + 1);
	assert_int_equal(hf_cluster_serial(c), used);
	put_down(&s, c);
}

/* A change had stopped when one ring had its serial; the second try of the next
 * cannot read the other one. What is remembered is what both have. */
static void
not_looked_at(void **state)
{
	static const uint8_t name[] = "r/files";
	const struct hf_span files = { name, sizeof(name) - 1 };
	struct side s = { .me = 0 };
	struct hf_cluster *c;
	struct value was;
	size_t n;

	(void)state;
	begin();
	was = *find(files);
	rotate(&s);
	assert_ok(s.e);
	*find(files) = was;
	assert_non_null(c = take_up(&s));
	assert_int_equal(hf_cluster_serial(c), 3);
	refusals = 1;
	unread = "r/files";
	assert_err(hf_cluster_renew(c, &n), HF_E_STORE);
	unread = NULL;
	put_down(&s, c);
	assert_int_equal(s.kept, 3);
	assert_ok(hf_cluster_open(&c, NULL, id, span(&cert), NOW, s.kept));
	assert_ok(hf_cluster_renew(c, &n));
	put_down(&s, c);
}

/* A ring that is taken away during a change does not end it as if there were
 * nobody to be evicted. */
static void
ring_taken_away(void **state)
{
	struct side s = { .me = 0 };

	(void)state;
	begin();
	vanishes = "r/files";
	evict_two(&s);
	assert_ok(s.e);
	assert_null(vanishes);
	is_out(TWO);
}

static void
admit_two(struct side *s)
{
	admit(s, TWO, "default");
}

static void
release_two(struct side *s)
{
	struct hf_cluster *c = take_up(s);

	if (c == NULL)
		return;
	s->e = hf_cluster_remove(c, span(&cert_of[TWO]), 0);
	put_down(s, c);
}

/* A server that is admitted once more while it is let go of is a member with
 * a record and a grant, or none with neither. */
static void
comes_and_goes(void **state)
{
	char key[HF_MEMBER_ID_TEXT + 2] = "m/";
	struct hf_keygrant g;
	int first;
	unsigned seed;

	(void)state;
	hf_member_id(key + 2, span(&cert_of[TWO]));
	for (first = 0; first < 2; first++)
		for (seed = 0; seed < 120; seed++) {
			struct side side[2] = {
				{ .change = first ? admit_two : release_two },
				{ .change = first ? release_two : admit_two }
			};

			race.chance = seed < 60 ? 0 : seed * 2654435761u;
			race.first = seed;
			both(side);
			assert_ok(side[0].e);
			assert_ok(side[1].e);
			assert_int_equal(look(&g, 'g', TWO, "default"),
			    find((struct hf_span){ (const uint8_t *)key,
				strlen(key) }) != NULL);
		}
}

static int
set_up(void **state)
{
	struct hf_cert_info terms;
	int i;

	(void)state;
	if (hf_init() != HF_OK)
		return -1;
	world_make(&w, &(struct meeting){ .method = HF_METHOD_CERTIFICATE });
	id = identity_of(20);
	terms = terms_of("c", HF_USAGE_CLUSTER);
	terms.path_length = -1;
	certify(&cert, w.ca, &w.ca_cert, id, &terms);
	terms = terms_of("m", HF_USAGE_RESPONDER | HF_USAGE_SERVER);
	name_set(&terms.cluster, "c");
	for (i = 0; i < PEOPLE; i++) {
		person[i] = identity_of((uint8_t)(21 + i));
		certify(&cert_of[i], w.ca, &w.ca_cert, person[i], &terms);
	}
	return 0;
}

static int
tear_down(void **state)
{
	int i;

	(void)state;
	hf_identity_free(id);
	for (i = 0; i < PEOPLE; i++)
		hf_identity_free(person[i]);
	world_free(&w);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(again),
		cmocka_unit_test(between),
		cmocka_unit_test(by_chance),
		cmocka_unit_test(one_dies),
		cmocka_unit_test(nothing_used_up),
		cmocka_unit_test(one_serial_each),
		cmocka_unit_test(not_looked_at),
		cmocka_unit_test(ring_taken_away),
		cmocka_unit_test(comes_and_goes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
