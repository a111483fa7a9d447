/* SPDX-License-Identifier: ISC
 *
 * A client, two servers and a store with compare-and-set (17.2 to 17.4, 17.7,
 * 17.8): who owns the session, and who can go on with it, where messages and
 * answers of the store are lost or late, servers stop at any step, resumes are
 * played again to either, and, with ROLLBACK, the store once gives an old entry
 * back. Cryptography is as in soft.pv: keys are new ones, and nobody makes a
 * resume without the secret.
 *
 * Until it is calm anything may be lost, late or cut; from then on nothing is,
 * but compare-and-sets that are under way. It becomes calm at any point, so the
 * last assertion speaks of every state that is reached. What must hold:
 *
 *   no key is used by two runs of servers, and no epoch belongs to two where
 *   the store does not lie (uses, belongs);
 *   no session goes on where a record that was acked is lost, and none is given
 *   up where the store does not lie (resumed, refused);
 *   nobody is stranded: in the end the client has an open session with an
 *   owner, or was told that it is lost (network).
 *
 * Runs:
 *   nothing                   true
 *   ASKS=3 CLAIMS=3 MARKS=0   true
 *   ROLLBACK                  true
 *   REFRESH                   true
 *   REFRESH ROLLBACK MARKS=0  true
 *   NO_SERIAL                 false
 *   NO_PREVIOUS               false
 *   CLAIM_UNVERIFIED          false
 *   CAS_ON_EPOCH              false
 *   NO_CAS_AT_CLAIM           false
 *   NO_CAS_AT_CONFIRM         false
 *   NO_SERVER_NONCE ROLLBACK  false
 *   NO_ACK_CHECK ROLLBACK     false
 *   NO_PREVIOUS_IN_REFRESH REFRESH  false
 *   SEEN_OWNED                false
 *   SEEN_REFRESHED REFRESH    false
 *   SEEN_LOST ROLLBACK        false
 *
 * The last three show that it takes place: SEEN_... says that it never does. */

#ifndef ASKS
#define ASKS 2			/* resumes before it is calm */
#endif
#ifndef CLAIMS
#define CLAIMS 2		/* claims before it is calm */
#endif
#ifndef MARKS
#define MARKS 1			/* checkpoints, all before it is calm */
#endif
#define CALM_ASKS 3
#define NA (ASKS + CALM_ASKS + 1)
#define NR (CLAIMS + CALM_ASKS + 2)

/* An entry (18.2) is the run that wrote it, which is its token; how far that
 * was; and how many records were released. The rest follows. */
#define CLAIMED 0
#define CONFIRMED 1
#define REFRESHED 2
#define ANSWERED 3
#define STATE(r, how, n) ((r) * 16 + (how) * 4 + (n))
#define TOKEN(a) ((a) / 16)
#define HOW(a) ((a) / 4 % 4)
#define COUNT(a) ((a) % 4)
#define KEY2(r) (NR + (r))
#define NOW(a) (HOW(a) >= REFRESHED -> KEY2(TOKEN(a)) : did[TOKEN(a)].key)
#define EPOCH(a) (did[TOKEN(a)].epoch + (HOW(a) >= REFRESHED))
#define SERIAL(a) (HOW(a) == CLAIMED -> ask[did[TOKEN(a)].resume].serial : 0)
#ifdef NO_PREVIOUS
#define BEFORE(a) 0
#else
#define BEFORE(a) (HOW(a) == CLAIMED -> did[TOKEN(a)].from : \
	(HOW(a) == REFRESHED -> did[TOKEN(a)].key : 0))
#endif

typedef Resume {
	byte key;		/* the secret that it is made with */
	byte serial
};

/* A claim. Its keys, and the secret of its epoch, are one number. */
typedef Run {
	byte resume;
	byte from;		/* the secret that its keys are made from */
	byte epoch;
	byte key;
	byte count;
	bit resumed;		/* sent by the server */
	bit confirm;		/* sent by the client */
	bit begun;		/* its refresh, */
	bit refresh;		/* sent by the server */
	bit answer		/* sent by the client */
};

Resume ask[NA];
Run did[NR];
byte asks, runs = 1, marks;
byte store = STATE(0, CONFIRMED, 0);
byte copied;			/* an entry that was there, + 1 */
byte late_old, late_new;	/* a compare-and-set under way */
byte user[2 * NR];		/* by key: the run that uses it, + 1 */
byte owner[NR + 2];		/* by epoch: the run that it belongs to, + 1 */
bit calm, lied, delivered, refusal;

mtype = { opened, cut, awaits, lost };
mtype client = opened;
byte c_run, c_key = 1, c_epoch, c_serial, c_acked, c_last;
byte at[2];			/* the run at a server, + 1 */
bit owns[2];

#ifdef CAS_ON_EPOCH
#define SAME(a, b) (EPOCH(a) == EPOCH(b))
#else
#define SAME(a, b) ((a) == (b))
#endif

#ifdef SEEN_OWNED
#define SEEN_A_MOVE assert(false)
#else
#define SEEN_A_MOVE skip
#endif
#ifdef SEEN_REFRESHED
#define SEEN_A_REFRESH assert(false)
#else
#define SEEN_A_REFRESH skip
#endif
#ifdef SEEN_LOST
#define SEEN_A_LOSS assert(false)
#else
#define SEEN_A_LOSS skip
#endif

#ifdef NO_SERIAL
#define NEWER(n, a) true
#else
#define NEWER(n, a) ((n) > SERIAL(a))
#endif

#ifdef NO_CAS_AT_CLAIM
#define FREE(a) true
#else
#define FREE(a) SAME(store, a)
#endif

/* What is said of a resume reaches the client, where nothing is lost. */
#define HEARD (client == awaits && delivered && k == c_last)

/* Keys are made from the secret, both nonces and the epoch; so they are new
 * ones, where the server's nonce is among them. */
inline make_key(me_)
{
	did[me_].key = me_ + 1;
#ifdef NO_SERVER_NONCE
	x = 1;
	do
	:: x < me_ ->
		if
		:: did[x].from == did[me_].from &&
		    did[x].epoch == did[me_].epoch &&
		    did[x].resume == did[me_].resume -> did[me_].key = did[x].key
		:: else
		fi;
		x++
	:: else -> break
	od;
	x = 0
#endif
}

/* No key is ever used by two. */
inline uses(key_, who)
{
	assert(user[key_] == 0 || user[key_] == who + 1);
	user[key_] = who + 1
}

/* Nor does an epoch have two owners, where the store does not lie. */
inline belongs(epoch_, who)
{
	assert(lied || owner[epoch_] == 0 || owner[epoch_] == who + 1);
	owner[epoch_] = who + 1
}

/* A compare-and-set, whose answer may get lost, before or after it is done. */
inline put(old)
{
	if
	:: atomic { SAME(store, old) -> store = new; got = 1 }
	:: atomic { !SAME(store, old) -> got = 2 }
	:: atomic { !calm && SAME(store, old) -> store = new; got = 0 }
	:: atomic { !calm && late_new == 0 ->
		late_old = old; late_new = new; got = 0 }
	fi
}

/* An owner's write. Without a good answer it reads what is there. */
inline write()
{
	put(mine);
	do
	:: got == 1 -> break
	:: atomic { got != 1 && store == new -> got = 1; break }
	:: atomic { got != 1 && store != new && TOKEN(store) == r ->
		mine = store };
		put(mine)
	:: atomic { got != 1 && store != new && TOKEN(store) != r ->
		got = 2; break }
	od
}

inline drop()
{
	at[me] = 0;
	owns[me] = 0;
	r = 0; k = 0; seen = 0; mine = 0; new = 0; got = 0; from = 0
}

/* Step 7 of 17.2. 0: refused. */
inline judge()
{
	if
#ifdef CLAIM_UNVERIFIED
	:: k == 0 -> from = NOW(seen)
#endif
	:: k != 0 && ask[k].key == NOW(seen) -> from = NOW(seen)
	:: k != 0 && ask[k].key != NOW(seen) &&
	    ask[k].key == BEFORE(seen) && NEWER(ask[k].serial, seen) ->
		from = BEFORE(seen)
	:: else -> from = 0
	fi
}

proctype server(byte me)
{
	byte r, k, seen, mine = STATE(0, CONFIRMED, 0), new, got, from, x;

end:	do
	/* A resume comes, perhaps late, perhaps not for the first time. */
	:: atomic { at[me] == 0 && !calm && runs <= CLAIMS && asks > 0 ->
		k = asks;
		do
		:: k > 1 -> k--
		:: break
#ifdef CLAIM_UNVERIFIED
		:: k == 1 -> k = 0; break
#endif
		od;
		seen = store };
		goto claim
	:: atomic { at[me] == 0 && calm && client == awaits && !delivered ->
		delivered = 1; k = c_last; seen = store };
		goto claim
	/* confirm comes: the second compare-and-set. */
	:: atomic { at[me] != 0 && !owns[me] &&
	    did[did[r].key - 1].confirm ->
		new = STATE(r, CONFIRMED, did[r].count) };
#ifdef NO_CAS_AT_CONFIRM
		atomic { store = new; got = 1 };
#else
		write();
#endif
		atomic {
			if
			:: got == 1 ->
				owns[me] = 1;
				uses(did[r].key, r);
				belongs(did[r].epoch, r);
				SEEN_A_MOVE;
				mine = new; new = 0; got = 0
			:: else -> drop()
			fi
		}
	/* It releases a record, and writes a checkpoint. */
	:: atomic { at[me] != 0 && owns[me] && !calm && marks < MARKS &&
	    HOW(mine) != REFRESHED ->
		marks++;
		new = mine + 1 };
		write();
		atomic {
			if
			:: got == 1 ->
				if	/* the ack */
				:: client == opened && c_run == r ->
					c_acked = COUNT(new)
				:: skip
				fi;
				mine = new; new = 0; got = 0
			:: else -> drop()
			fi
		}
#ifdef REFRESH
	:: atomic { at[me] != 0 && owns[me] && r != 0 &&
	    HOW(mine) == CONFIRMED && !did[r].begun ->
		did[r].begun = 1;
#ifdef NO_PREVIOUS_IN_REFRESH
		new = STATE(r, ANSWERED, COUNT(mine)) };
#else
		new = STATE(r, REFRESHED, COUNT(mine)) };
#endif
		put(mine);
		atomic {
			if
			:: got == 1 ->
				did[r].refresh = 1;
				mine = new; new = 0; got = 0
			:: got == 0 -> new = 0	/* given up */
			:: got == 2 -> drop()
			fi
		}
	:: atomic { at[me] != 0 && owns[me] && did[r].answer &&
	    HOW(mine) == REFRESHED ->
		new = STATE(r, ANSWERED, COUNT(mine)) };
		write();
		atomic {
			if
			:: got == 1 ->
				uses(KEY2(r), r);
				belongs(did[r].epoch + 1, r);
				SEEN_A_REFRESH;
				mine = new; new = 0; got = 0
			:: else -> drop()
			fi
		}
#endif
	/* It stops, is told by a purge notice, or its connection ends. */
	:: atomic { at[me] != 0 && (!calm ||
	    !(client == opened && c_run == r) &&
	    !(client == awaits && did[r].resume == c_last)) -> drop() }
	od;

claim:	atomic {
		judge();
		if
		:: from == 0 ->
			if
			:: HEARD -> refusal = 1
			:: else
			fi;
			drop();
			goto end
		:: else ->
			skip
		fi
	};
	/* The compare-and-set has failed, or never came there. */
	if
	:: atomic { !FREE(seen) || !calm ->
		if
		:: HEARD -> client = cut
		:: else
		fi;
		drop() };
		goto end
	:: atomic { FREE(seen) || !calm && late_new == 0 ->
		r = runs;
		runs++;
		did[r].resume = k;
		did[r].from = from;
		did[r].epoch = EPOCH(seen) + 1;
		did[r].count = COUNT(seen);
		make_key(r);
		new = STATE(r, CLAIMED, COUNT(seen));
		if
		:: FREE(seen) -> store = new; got = 1
		:: !calm && FREE(seen) -> store = new
		:: !calm && late_new == 0 -> late_old = seen; late_new = new
		fi;
		if
		:: got == 1 ->
			at[me] = r + 1;
			did[r].resumed = 1;
			mine = new; new = 0; got = 0; k = 0; seen = 0; from = 0
		:: else -> drop()
		fi };
		goto end
	fi
}

proctype initiator()
{
	byte r;

end:	do
	:: atomic { client == opened && (!calm && asks < ASKS || calm &&
	    at[0] != c_run + 1 && at[1] != c_run + 1) -> client = cut }
	:: atomic { client == awaits && !calm && asks < ASKS -> client = cut }
	:: atomic { client == cut && (asks < ASKS ||
	    calm && asks < NA - 1) ->
		asks++;
		c_serial++;
		ask[asks].key = c_key;
		ask[asks].serial = c_serial;
		c_last = asks;
		delivered = 0;
		client = awaits }
	/* resumed, for the latest nonce. */
	:: atomic { client == awaits && !refusal ->
		r = runs - 1;
		do
		:: r > 0 && !(did[r].resume == c_last && did[r].resumed) -> r--
		:: else -> break
		od;
		if
		:: r > 0 ->
#ifndef NO_ACK_CHECK
			if
			:: did[r].count < c_acked ->	/* HF_E_ROLLBACK */
				assert(lied);
				client = lost;
				SEEN_A_LOSS
			:: else
			fi;
#endif
			if
			:: client == awaits ->
				assert(did[r].epoch > c_epoch);
				assert(did[r].count >= c_acked);
				c_run = r;
				c_key = did[r].key;
				c_epoch = did[r].epoch;
				c_serial = 0;
				did[c_key - 1].confirm = 1;
				uses(c_key, r);
				client = opened
			:: else
			fi
		:: else
		fi;
		r = 0 }
	/* An alert: it begins anew, and says so. */
	:: atomic { refusal -> assert(lied); refusal = 0; client = lost;
		SEEN_A_LOSS }
#ifdef REFRESH
	:: atomic { client == opened && did[c_run].refresh &&
	    !did[c_run].answer ->
		did[c_run].answer = 1;
		c_key = KEY2(c_run);
		c_epoch = did[c_run].epoch + 1;
		c_serial = 0;
		uses(c_key, c_run) }
#endif
	od
}

proctype network()
{
	byte x;

end:	do
	:: atomic { late_new != 0 ->
		if
		:: SAME(store, late_old) -> store = late_new
		:: else
		fi;
		late_old = 0; late_new = 0 }
	:: atomic { late_new != 0 -> late_old = 0; late_new = 0 }
#ifdef ROLLBACK
	:: atomic { !calm && !lied && copied == 0 -> copied = store + 1 }
	:: atomic { !calm && copied != 0 && store != copied - 1 ->
		store = copied - 1; copied = 0; lied = 1 }
#endif
	:: atomic { !calm ->
		calm = 1;
		if
		:: client == awaits -> client = cut
		:: else
		fi }
	/* Nothing more happens: nobody is stranded. */
	:: atomic { calm && timeout ->
		assert(client == lost || client == opened &&
		    (at[0] == c_run + 1 && owns[0] ||
		    at[1] == c_run + 1 && owns[1]));
		assert(lied || client == opened && (NOW(store) == c_key ||
		    BEFORE(store) == c_key));
		break }
	od
}

init {
	atomic {
		did[0].key = 1;
		user[1] = 1;
		owner[0] = 1;
		at[0] = 1;
		owns[0] = 1;
#ifdef CLAIM_UNVERIFIED
		ask[0].serial = 200;
#endif
		run server(0);
		run server(1);
		run initiator();
		run network()
	}
}
