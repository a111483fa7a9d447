#!/bin/sh
# SPDX-License-Identifier: ISC
# Public-key work, counted from outside: a preloaded library counts the calls
# that the program makes into libsodium. What loading identities and CAs costs
# is told from the handshakes' by difference: at the responder between having
# served none, one and three sessions, at the initiator against one that has
# loaded everything and then finds nobody there.
. "$(dirname "$0")/session.inc"
so=${BUILD:=$here/build}/tests/count.so
[ -e "$so" ] || { echo "no $so: make tests"; exit 77; }
# The sanitizer's library need not be the first one.
export ASAN_OPTIONS="verify_asan_link_order=0:${ASAN_OPTIONS:-}"

# All that the program could call is counted: it is linked dynamically, and
# asks libsodium for nothing of this kind that the library lacks.
public='^crypto_(scalarmult|box|kx|sign|core_(ed|ris)|ecdh)'
if command -v nm >/dev/null; then
	nm -D --undefined-only "$HANDFAST" | awk '{ print $NF }' |
	    grep -E "$public" | sort >asked
	nm -D --defined-only "$so" | awk '{ print $NF }' | sort >counted
	same 'all public-key functions of the program are counted' '' \
	    "$(comm -23 asked counted | tr '\n' ' ')"
	has 'it asks for them by name' '^crypto_scalarmult$' asked
fi

make_pki
work='dh pair sign verify identity convert point'
# read_counts FILE: into $dh, $pair, ...
read_counts() {
	for w in $work; do eval "$w="; done
	while read -r w n; do eval "$w=$n"; done <"$1"
	[ -n "$point" ] || fail "no counts in $1"
}
# less A B: writes what A has more than B
less() {
	read_counts "$2"
	for w in $work; do eval "base_$w=\$$w"; done
	read_counts "$1"
	for w in $work; do eval "echo $w \$(($w - base_$w))"; done
}
show() {
	read_counts "$1"
	echo "$dh $pair $sign $verify $identity $convert"
}

# counted FILE NAME: starts a responder that leaves its counts in FILE.
cat >counted-respond <<SH
#!/bin/sh
HANDFAST_COUNT=\$COUNT_TO LD_PRELOAD=$so exec "$HANDFAST" "\$@"
SH
chmod +x counted-respond
real=$HANDFAST
counted() {
	export COUNT_TO=$dir/$1
	HANDFAST=$dir/counted-respond
	start "$2" tcp --echo --users users --ring ring
	HANDFAST=$real
}
# responder N TOKEN...: serves N sessions; leaves its counts in r.N, those of
# the last initiator in i.
responder() {
	n=$1
	shift
	counted "r.$n" "serve$n"
	k=0
	while [ $k -lt "$n" ]; do
		rm -f i
		echo hello | HANDFAST_COUNT=$dir/i LD_PRELOAD=$so \
		    "$HANDFAST" initiate --connect "$at" "$@" >out 2>err
		same "$what: session $((k + 1)) of $n" "0 hello" "$? $(cat out)"
		k=$((k + 1))
	done
	stop $pid
	same "$what: the responder of $n sessions ends" 0 $code
}

# measure WHAT DH PAIRS VERIFIED THERE TOKEN...: how many Diffie-Hellmans and
# key pairs each session takes, both sides together; how many signatures an
# initiator verifies from start to end, and the responder in a first session of
# this peer. It remembers them: there are none in later ones. Nothing is
# signed, and no identity made or converted, by either in any session.
measure() {
	what=$1 due_dh=$2 due_pair=$3 due_here=$4 due_there=$5
	shift 5
	rm -f r.* i
	HANDFAST_COUNT=$dir/i.0 LD_PRELOAD=$so "$HANDFAST" initiate \
	    --connect 127.0.0.1:1 "$@" </dev/null >out 2>err
	same "$what: nobody there" 3 $?
	for n in 0 1 3; do
		responder $n "$@"
		[ $n -ne 1 ] || cp i i.1
	done
	less i.1 i.0 >initiator
	less r.1 r.0 >first
	less r.3 r.1 >two
	echo "$what: initiator: loading $(show i.0), session" \
	    "$(show initiator); responder: loading $(show r.0), first session" \
	    "$(show first), two more $(show two)"
	read_counts i.0
	same "$what: initiator, loading" '0 0' "$dh $pair"
	read_counts r.0
	same "$what: responder, loading" '0 0' "$dh $pair"
	read_counts i.1
	same "$what: initiator, signatures verified" "$due_here" "$verify"
	read_counts initiator
	dh_i=$dh pair_i=$pair
	same "$what: initiator, nothing else" '0 0 0' \
	    "$sign $identity $convert"
	read_counts first
	same "$what: first session, both sides, DH and key pairs" \
	    "$due_dh $due_pair" "$((dh_i + dh)) $((pair_i + pair))"
	say="${say:+$say; }$what $((dh_i + dh)) and $((pair_i + pair))"
	same "$what: first session, responder, signatures verified" \
	    "$due_there" "$verify"
	same "$what: first session, responder, nothing else" '0 0 0' \
	    "$sign $identity $convert"
	dh_r=$dh pair_r=$pair
	read_counts two
	same "$what: two more sessions, responder" \
	    "$((2 * dh_r)) $((2 * pair_r)) 0 0 0 0" "$(show two)"
}
echo 'numbers are Diffie-Hellmans, key pairs, signatures made, signatures' \
    'verified, identities, conversions'

# A request takes one Diffie-Hellman at each side, a grant one, and with a
# certificate token a grant takes another; each has a key pair. So does a
# prekey, which takes one Diffie-Hellman at each side. The initiator verifies
# its CA and the responder's certificate.
known='--responder-cert server.cert'
measure 'certificate, known' 6 2 2 1 $as_alice $known
measure 'certificate, asked for' 8 3 2 1 $as_alice
measure 'ticket, known' 4 2 2 0 $as_carol $known
measure 'ticket, asked for' 6 3 2 0 $as_carol
measure 'password, no prekey' 4 2 2 0 $as_bob $known --no-prekey
measure 'password, asked for' 6 3 2 0 $as_bob

echo "note: Diffie-Hellmans and key pairs of a session, both sides: $say"

# What is refused early costs no public-key work: a request to another key.
must hf cert issue --ca ca --request server.req --usage responder \
    --realm example -o former.cert
cat >known.py <<'PY'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
# key id, then a box: nothing is opened for an unknown key.
s.sendall(b"\x8a\x03\x01\x01\x50" + bytes(16) + b"\x60\xf6\x58\x20" +
    b"\x09" * 32 + b"\xf6\xa0\x58\x90" + bytes(144))
got = b""
while True:
    b = s.recv(100)
    if not b:
        break
    got += b
assert got == b"\x82\x08\x03", got
PY
counted r.cheap cheap
must /usr/bin/python3 known.py "${at##*:}"
stop $pid
less r.cheap r.0 >cheap
same 'an unknown key id costs no public-key work' '0 0 0 0 0 0' "$(show cheap)"
has 'an unknown key id: in the log' HF_E_UNKNOWN_KEY cheap.log
finish
