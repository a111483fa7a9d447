/* SPDX-License-Identifier: ISC */
/*
 * The automaton of spec/handfast.md, section 11, for tests that speak whole
 * words to a session: letters are messages, a row is a state and what of the
 * past still matters in it. Written down from the specification; it knows
 * nothing of the library but its names.
 */
#ifndef HANDFAST_WORDS_H
#define HANDFAST_WORDS_H

#include "session.h"

/* offer and retry too: an initiator's way begins with them, and a word that
 * has left the way costs only the feeding. */
enum letter {
	HELLO,
	OFFER,
	RETRY,
	REQUEST,
	GRANT,
	CONFIRM,
	RECORD,
	CLOSE,
	ALERT,
	JUNK,	 /* not one byte of a message */
	REPLAY,	 /* the last letter's bytes again */
	FOREIGN, /* what is awaited, but of another session */
	LETTERS
};

enum row {
	NOWHERE, /* so that a cell of none is U */
	/* an initiator */
	HELLO_SENT,
	HELLO_ANEW, /* after the one retry */
	ASKED,	    /* the request is sent */
	ASKED_ANEW, /* and there was the one retry */
	LOST,	    /* the request is sent to whoever made a foreign offer */
	LOST_ANEW,
	/* a responder */
	START,
	OFFERED,
	GRANTED,
	NOBODY, /* granted to whoever made a foreign request */
	/* one that asks for a cookie where none was shown */
	B_START,
	B_HELLO,   /* has asked for that of a hello */
	B_REQUEST, /* of a request */
	B_FOREIGN, /* of a foreign one: its sender is not here */
	/* one that does so for requests alone */
	Q_START,
	Q_OFFERED,
	Q_OFFERED_ASKED,
	Q_OFFERED_FOREIGN,
	Q_REQUEST,
	Q_FOREIGN,
	Q_SPENT, /* an offer was made, but the one retry was for another */
	/* both */
	OPEN,
	TAKEN, /* the last letter was a record */
	HALF,  /* the peer has closed */
	CLOSED,
	FAILED,
	ROWS
};

/* A cell is the row that follows, or less the error by which the session
 * fails. What is not named is U, as in nearly all cells of section 11. */
enum {
	U = 0,
	S = -HF_E_SHAPE,
	B = -HF_E_BOX,
	R = -HF_E_REFUSED /* failed*: no alert in answer */
};

static const struct {
	enum hf__state state; /* of section 11 */
	int cell[LETTERS];
} automaton[ROWS] = {
	[HELLO_SENT] = { HF__I_HELLO_SENT,
	    { [OFFER] = ASKED,
		[RETRY] = HELLO_ANEW,
		[ALERT] = R,
		[JUNK] = S,
		[FOREIGN] = LOST } },
	[HELLO_ANEW] = { HF__I_HELLO_SENT,
	    { [OFFER] = ASKED_ANEW,
		[ALERT] = R,
		[JUNK] = S,
		[FOREIGN] = LOST_ANEW } },
	[ASKED] = { HF__I_REQUEST_SENT,
	    { [RETRY] = ASKED_ANEW,
		[GRANT] = OPEN,
		[ALERT] = R,
		[JUNK] = S,
		[FOREIGN] = B } },
	[ASKED_ANEW] = { HF__I_REQUEST_SENT,
	    { [GRANT] = OPEN, [ALERT] = R, [JUNK] = S, [FOREIGN] = B } },
	[LOST] = { HF__I_REQUEST_SENT,
	    { [RETRY] = LOST_ANEW,
		[GRANT] = B,
		[ALERT] = R,
		[JUNK] = S,
		[FOREIGN] = B } },
	[LOST_ANEW] = { HF__I_REQUEST_SENT,
	    { [GRANT] = B, [ALERT] = R, [JUNK] = S, [FOREIGN] = B } },

	[START] = { HF__R_START,
	    { [HELLO] = OFFERED,
		[REQUEST] = GRANTED,
		[ALERT] = R,
		[JUNK] = S,
		[FOREIGN] = NOBODY } },
	[OFFERED] = { HF__R_OFFERED,
	    { [REQUEST] = GRANTED, [ALERT] = R, [JUNK] = S, [FOREIGN] = B } },
	[GRANTED] = { HF__R_GRANTED,
	    { [CONFIRM] = OPEN, [ALERT] = R, [JUNK] = S, [FOREIGN] = B } },
	[NOBODY] = { HF__R_GRANTED,
	    { [CONFIRM] = B, [ALERT] = R, [JUNK] = S, [FOREIGN] = B } },

	[B_START] = { HF__R_START,
	    { [HELLO] = B_HELLO,
		[REQUEST] = B_REQUEST,
		[ALERT] = R,
		[JUNK] = S,
		[FOREIGN] = B_FOREIGN } },
	[B_HELLO] = { HF__R_START,
	    { [HELLO] = OFFERED, [ALERT] = R, [JUNK] = S } },
	[B_REQUEST] = { HF__R_START,
	    { [REQUEST] = GRANTED, [ALERT] = R, [JUNK] = S } },
	[B_FOREIGN] = { HF__R_START, { [ALERT] = R, [JUNK] = S } },

	[Q_START] = { HF__R_START,
	    { [HELLO] = Q_OFFERED,
		[REQUEST] = Q_REQUEST,
		[ALERT] = R,
		[JUNK] = S,
		[FOREIGN] = Q_FOREIGN } },
	[Q_OFFERED] = { HF__R_OFFERED,
	    { [REQUEST] = Q_OFFERED_ASKED,
		[ALERT] = R,
		[JUNK] = S,
		[FOREIGN] = Q_OFFERED_FOREIGN } },
	[Q_OFFERED_ASKED] = { HF__R_OFFERED,
	    { [REQUEST] = GRANTED, [ALERT] = R, [JUNK] = S } },
	[Q_OFFERED_FOREIGN] = { HF__R_OFFERED, { [ALERT] = R, [JUNK] = S } },
	[Q_REQUEST] = { HF__R_START,
	    { [HELLO] = Q_SPENT,
		[REQUEST] = GRANTED,
		[ALERT] = R,
		[JUNK] = S } },
	[Q_FOREIGN] = { HF__R_START,
	    { [HELLO] = Q_SPENT, [ALERT] = R, [JUNK] = S } },
	[Q_SPENT] = { HF__R_OFFERED, { [ALERT] = R, [JUNK] = S } },

	[OPEN] = { HF__OPEN,
	    { [RECORD] = TAKEN,
		[CLOSE] = HALF,
		[ALERT] = R,
		[JUNK] = S,
		[FOREIGN] = B } },
	[TAKEN] = { HF__OPEN,
	    { [RECORD] = TAKEN,
		[CLOSE] = HALF,
		[ALERT] = R,
		[JUNK] = S,
		[REPLAY] = B,
		[FOREIGN] = B } },
	[HALF] = { HF__OPEN, { [JUNK] = S } },
	/* HF_E_STATE in all cells: they stay as they are. */
	[CLOSED] = { HF__CLOSED, { 0 } },
	[FAILED] = { HF__FAILED, { 0 } },
};

/* Who is spoken to. */
struct setting {
	const char *name;
	enum hf_role role;
	enum hf_method method;
	enum row start;
	int closes; /* it answers a close by its own */
};

static inline enum row
row_after(const struct setting *t, enum row row, enum letter letter)
{
	int cell = automaton[row].cell[letter];

	if (row >= CLOSED)
		return row;
	if (cell <= 0)
		return FAILED;
	return cell == HALF && t->closes ? CLOSED : (enum row)cell;
}

/* What that letter gives in that row. */
static inline enum hf_err
row_error(enum row row, enum letter letter)
{
	int cell = automaton[row].cell[letter];

	if (row >= CLOSED)
		return HF_E_STATE;
	if (cell > 0)
		return HF_OK;
	return cell == U ? HF_E_UNEXPECTED : (enum hf_err) - cell;
}

/* What words come to, counted. */
struct sum {
	unsigned long words, open, closed, released;
};

/* How many words come to what, of those that begin in this row with these
 * facts and go on for up to `left` letters. */
static inline void
walk(struct sum *sum, const struct setting *t, enum row row, struct sum facts,
    unsigned left)
{
	unsigned letter;

	facts.open |= row >= OPEN && row <= CLOSED;
	facts.closed |= row == CLOSED;
	facts.released |= row == TAKEN;
	sum->words++;
	sum->open += facts.open;
	sum->closed += facts.closed;
	sum->released += facts.released;
	for (letter = 0; left > 0 && letter < LETTERS; letter++)
		walk(sum, t, row_after(t, row, (enum letter)letter), facts,
		    left - 1);
}

#endif
