/* SPDX-License-Identifier: ISC */
/*
 * Every word of up to six letters, each letter a whole message, said to either
 * role: what the session then is must be what the automaton of words.h says.
 * A letter is genuine wherever an honest peer can say it; where none can, it
 * is what such a peer said elsewhere. Words share their beginnings by being
 * played anew, which happens only while the session lives: one that has failed
 * or is closed is fed all the rest as it is.
 */
#include <string.h>

#include "testing.h"
#include "words.h"

enum { LENGTH = 6 };

/* --- the stage --------------------------------------------------------------------- */

/* Two worlds of the same people: in the second the initiator knows the
 * responder's certificate. */
static struct world unknown, known;
static const struct setting *setting;

static struct hf_session *s;	 /* is spoken to */
static struct hf_session *by[2]; /* honest peers: of each world */
static struct hf_session *peer;	 /* the one that s talks to; NULL: nobody */

/* Messages by their letter: ready to be said; said before, by either side; and
 * those of a whole session that is over. */
static struct blob ready[CONFIRM + 1], said[CONFIRM + 1], last;
static struct blob stock[CLOSE + 1], stock_request;

/* What was seen of the word under way. */
static struct sum seen;

static void
copy(struct blob *to, const void *bytes, size_t len)
{
	memcpy(to->bytes, bytes, len);
	to->len = len;
}

/* Messages of the handshake, each to its letter. */
static void
sort(struct blob by_letter[CONFIRM + 1], const struct blob *b)
{
	size_t len, off;

	for (off = 0; off < b->len; off += len) {
		assert_ok(hf__cbor_extent(&len, b->bytes + off, b->len - off,
		    HF_RECORD_MAX));
		assert_true(len > 0);
		if (b->bytes[off + 1] <= CONFIRM)
			copy(&by_letter[b->bytes[off + 1]], b->bytes + off,
			    len);
	}
}

/* A record of that content, as no honest session would refuse to make it. */
static void
seal(struct blob *out, struct hf_session *from, enum hf__content content,
    const char *data)
{
	assert_ok(hf__record_seal(from, content, (const uint8_t *)data,
	    strlen(data)));
	take(out, from);
}

/* An honest peer answers what it is asked; what it then says is sorted. */
static void
speak(struct blob *by_letter, struct blob *b, struct hf_session *who)
{
	while (hf_session_want(who) == HF_WANT_ADMIT ||
	    hf_session_want(who) == HF_WANT_TRUST ||
	    hf_session_want(who) == HF_WANT_COMMIT)
		assert_ok(answer(&unknown, who));
	take(b, who);
	sort(by_letter, b);
}

/* The responder asks for a cookie as its setting says. */
static enum hf_err
admit(void)
{
	int asks = setting->start == B_START ||
	    (setting->start == Q_START && s->hs->outer.type == HF__REQUEST);

	return hf_session_admit(s,
	    asks && !hf_session_cookie_shown(s) ? HF_ADMIT_COOKIE : HF_ADMIT);
}

static enum hf_err
answer_all(void)
{
	enum hf_err e = HF_OK;

	while (e == HF_OK) {
		switch (hf_session_want(s)) {
		case HF_WANT_ADMIT:
			e = admit();
			break;
		case HF_WANT_TRUST:
		case HF_WANT_COMMIT:
			e = answer(&unknown, s);
			break;
		default:
			return HF_OK;
		}
	}
	return e;
}

/* What s has to say reaches its peer. */
static void
hear(void)
{
	static struct blob b;

	take(&b, s);
	sort(said, &b);
	if (peer == NULL)
		return;
	assert_ok(give(peer, b.bytes, b.len));
	if (setting->role == HF_RESPONDER)
		speak(ready, &b, peer);
}

static void
begin(void)
{
	struct world *w = setting->start == ASKED ? &known : &unknown;
	static struct blob b;
	unsigned i;

	memset(&seen, 0, sizeof(seen));
	last.len = 0;
	for (i = 0; i <= CONFIRM; i++)
		ready[i].len = said[i].len = 0;
	by[1] = NULL;
	if (setting->role == HF_RESPONDER) {
		assert_ok(hf_session_new(&s, w->r, START_MS, NOW));
		assert_ok(hf_session_new(&by[0], unknown.i, START_MS, NOW));
		assert_ok(hf_session_new(&by[1], known.i, START_MS, NOW));
		speak(ready, &b, by[0]);
		speak(ready, &b, by[1]);
		peer = NULL;
		return;
	}
	assert_ok(hf_session_new(&s, w->i, START_MS, NOW));
	assert_ok(hf_session_new(&by[0], w->r, START_MS, NOW));
	peer = by[0];
	assert_ok(answer_all());
	hear();
}

static void
end(void)
{
	hf_session_free(s);
	hf_session_free(by[0]);
	hf_session_free(by[1]);
}

/* --- letters ------------------------------------------------------------------------ */

/* An honest responder decides when it is asked: for an offer or a grant, or
 * for the one retry. */
static void
decide(enum letter letter)
{
	static struct blob b;
	bool retry = letter == RETRY;

	if (setting->role != HF_INITIATOR ||
	    hf_session_want(by[0]) != HF_WANT_ADMIT ||
	    (retry && by[0]->hs->retried) ||
	    (!retry &&
		letter !=
		    (by[0]->hs->outer.type == HF__HELLO ? OFFER : GRANT)))
		return;
	assert_ok(hf_session_admit(by[0], retry ? HF_ADMIT_COOKIE : HF_ADMIT));
	speak(ready, &b, by[0]);
}

static const struct blob *
handshake_message(enum letter letter)
{
	decide(letter);
	if (ready[letter].len > 0) {
		said[letter] = ready[letter];
		ready[letter].len = 0;
	}
	return said[letter].len > 0 ? &said[letter] : &stock[letter];
}

/* What s waits for, from the session that is over. */
static const struct blob *
foreign_message(void)
{
	switch (s->state) {
	case HF__I_HELLO_SENT:
		return &stock[OFFER];
	case HF__I_REQUEST_SENT:
		return &stock[GRANT];
	case HF__R_START:
		return &stock_request;
	case HF__R_OFFERED:
		return &stock[REQUEST];
	case HF__R_GRANTED:
		return &stock[CONFIRM];
	default:
		return &stock[RECORD];
	}
}

static void
message_of(struct blob *b, enum letter letter)
{
	static const uint8_t alert[] = { 0x82, HF__ALERT, 1 };
	bool keys = peer != NULL && peer->keys;

	switch (letter) {
	case RECORD:
	case CLOSE:
		if (keys)
			seal(b, peer, letter == RECORD ? HF__DATA : HF__CLOSE,
			    letter == RECORD ? "data" : "");
		else
			copy(b, stock[letter].bytes, stock[letter].len);
		break;
	case ALERT: /* in clear where no sealed one is legal */
		if (keys && s->state == HF__OPEN && !s->got_close)
			seal(b, peer, HF__CONTENT_ALERT, "\1");
		else
			copy(b, alert, sizeof(alert));
		break;
	case JUNK:
		copy(b, "GET / HTTP/1.1\r\n\r\n", 18);
		break;
	case REPLAY: /* of the connection before this one, at first */
		*b = last.len > 0 ? last : stock[CLOSE];
		break;
	case FOREIGN:
		*b = *foreign_message();
		break;
	default:
		*b = *handshake_message(letter);
	}
}

/* Whom s talks to once it has taken the letter. */
static void
meet(enum letter letter, enum hf__state before)
{
	if (letter == FOREIGN)
		peer = NULL;
	else if (letter == HELLO)
		peer = by[0];
	else if (letter == REQUEST && before == HF__R_START)
		peer = by[1];
}

/* A record that waits is taken; until then nothing else is. */
static void
take_record(const struct blob *b, enum letter letter)
{
	enum hf_content content;
	struct hf_span data;
	size_t used = 99;

	assert_err(hf_session_feed(s, &used, b->bytes, b->len), HF_E_STATE);
	assert_int_equal(used, 0);
	assert_int_equal(s->state, HF__OPEN);
	assert_ok(hf_session_recv(s, &content, &data));
	if (letter == CLOSE) {
		assert_int_equal(content, HF_CONTENT_CLOSE);
		if (setting->closes)
			assert_ok(hf_session_close(s));
		return;
	}
	assert_int_equal(content, HF_CONTENT_DATA);
	assert_int_equal(data.len, 4);
	assert_memory_equal(data.ptr, "data", 4);
	seen.released = 1;
}

/* --- words -------------------------------------------------------------------------- */

/* Exactly one alert, in clear or sealed; none in answer to one. */
static void
check_alert(enum row row, enum hf_err error)
{
	static const uint8_t clear[] = { 0x82, HF__ALERT, 1 };
	static const uint8_t sealed[] = { 0x82, HF__RECORD, 0x52 };
	static struct blob b;

	take(&b, s);
	if (error == HF_E_REFUSED) {
		assert_int_equal(b.len, 0);
	} else if (row != GRANTED && row != NOBODY && row < OPEN) {
		assert_int_equal(b.len, sizeof(clear));
		assert_memory_equal(b.bytes, clear, sizeof(clear));
	} else {
		assert_int_equal(b.len, sizeof(sealed) + 2 + HF__TAG_BYTES);
		assert_memory_equal(b.bytes, sealed, sizeof(sealed));
		if (peer != NULL && peer->state == HF__OPEN)
			assert_err(give(peer, b.bytes, b.len), HF_E_REFUSED);
	}
}

static void
check_failed(enum row row, enum hf_err error)
{
	assert_err(hf_session_error(s), error);
	assert_int_equal(s->state, HF__FAILED);
	assert_false(s->keys);
	assert_null(s->hs);
	assert_true(
	    sodium_is_zero((const uint8_t *)&s->recv, sizeof(s->recv)));
	assert_true(
	    sodium_is_zero((const uint8_t *)&s->send, sizeof(s->send)));
	check_alert(row, error);
}

/* One letter in a row of the automaton; returns the next. */
static enum row
say(enum row row, enum letter letter)
{
	enum row next = row_after(setting, row, letter);
	enum hf__state before = s->state;
	struct blob b;
	enum hf_err e;

	message_of(&b, letter);
	e = give(s, b.bytes, b.len);
	if (e == HF_OK)
		e = answer_all();
	if (e == HF_OK && s->pending)
		take_record(&b, letter);
	last = b;
	assert_err(e, row_error(row, letter));
	assert_int_equal(s->state, automaton[next].state);
	if (next == FAILED) {
		check_failed(row, e);
	} else {
		meet(letter, before);
		hear();
	}
	seen.open |= hf_session_want(s) == HF_WANT_DONE;
	seen.closed |= hf_session_want(s) == HF_WANT_CLOSED;
	assert_int_equal(s->authenticated, seen.open | seen.closed);
	return next;
}

static void
count(struct sum *sum)
{
	sum->words++;
	sum->open += seen.open;
	sum->closed += seen.closed;
	sum->released += seen.released;
}

/* It has ended: whatever else is said is not taken, and changes nothing. */
static void
absorb(struct sum *sum, const struct blob *messages, enum row row,
    unsigned left)
{
	enum hf_err error = s->error;
	enum hf_content content;
	struct hf_span data;
	size_t used;
	unsigned letter;

	for (letter = 0; left > 0 && letter < LETTERS; letter++) {
		used = 99;
		assert_int_equal(hf_session_feed(s, &used,
				     messages[letter].bytes,
				     messages[letter].len),
		    row_error(row, (enum letter)letter));
		assert_int_equal(used, 0);
		assert_int_equal(s->state, automaton[row].state);
		assert_int_equal(s->error, error);
		assert_int_equal(hf_session_output(s).len, 0);
		assert_int_equal(hf_session_recv(s, &content, &data),
		    HF_E_STATE);
		count(sum);
		absorb(sum, messages, row, left - 1);
	}
}

/* All words that begin with this one of n letters. */
static void
every(struct sum *sum, enum letter *word, unsigned n)
{
	static struct blob rest[LETTERS];
	enum row row = setting->start;
	unsigned i;

	begin();
	assert_int_equal(s->state, automaton[row].state);
	for (i = 0; i < n; i++)
		row = say(row, word[i]);
	count(sum);
	if (row >= CLOSED) {
		for (i = 0; i < LETTERS; i++)
			message_of(&rest[i], (enum letter)i);
		absorb(sum, rest, row, LENGTH - n);
	}
	end();
	for (i = 0; row < CLOSED && n < LENGTH && i < LETTERS; i++) {
		word[n] = (enum letter)i;
		every(sum, word, n + 1);
	}
}

/* A session of the same people that is over when the words begin. */
static void
make_stock(void)
{
	struct hf_session *from;
	static struct blob b;
	struct pair p;
	unsigned way;

	memset(stock, 0, sizeof(stock));
	for (way = 0; way < 2; way++) {
		pair_make(&p, way == 0 ? &known : &unknown);
		from = setting->role == HF_RESPONDER ? p.i : p.r;
		do {
			speak(stock, &b, p.i);
			assert_ok(give(p.r, b.bytes, b.len));
			speak(stock, &b, p.r);
			assert_ok(give(p.i, b.bytes, b.len));
		} while (p.r->state != HF__OPEN);
		if (way == 0)
			stock_request = stock[REQUEST];
		seal(&stock[RECORD], from, HF__DATA, "data");
		seal(&stock[CLOSE], from, HF__CLOSE, "");
		pair_free(&p);
	}
	copy(&stock[RETRY], "\x82\x02\x41\x00", 4);
}

static void
every_word(void **state)
{
	static const struct setting settings[] = {
		{ "responder, certificate", HF_RESPONDER,
		    HF_METHOD_CERTIFICATE, START, 1 },
		{ "responder, password, asks for cookies", HF_RESPONDER,
		    HF_METHOD_PASSWORD, B_START, 0 },
		{ "responder, single-use ticket, asks requests for cookies",
		    HF_RESPONDER, HF_METHOD_TICKET, Q_START, 0 },
		{ "initiator, certificate", HF_INITIATOR,
		    HF_METHOD_CERTIFICATE, HELLO_SENT, 1 },
		{ "initiator, password, without offer", HF_INITIATOR,
		    HF_METHOD_PASSWORD, ASKED, 0 },
	};
	const struct sum none = { 0 };
	enum letter word[LENGTH];
	struct meeting m = { .single_use = 1, .target = "t" };
	struct sum told, found;
	size_t i;

	(void)state;
	assert_ok(hf_init());
	for (i = 0; i < HF__ARRAY_N(settings); i++) {
		setting = &settings[i];
		m.method = setting->method;
		for (m.known = 0; m.known < 2; m.known++) {
			fixed_random("words"); /* the same people in both */
			world_make(m.known ? &known : &unknown, &m);
		}
		make_stock();
		told = found = none;
		walk(&told, setting, setting->start, none, LENGTH);
		every(&found, word, 0);
		print_message("note: %s: %lu words; %lu reach open, %lu "
			      "closed, %lu release data\n",
		    setting->name, found.words, found.open, found.closed,
		    found.released);
		assert_memory_equal(&found, &told, sizeof(told));
		world_free(&unknown);
		world_free(&known);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
