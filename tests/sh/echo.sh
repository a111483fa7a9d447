#!/bin/bash
# SPDX-License-Identifier: ISC
# Each token through the program in a pipe, both paths; bulk that comes back
# whole; what the responder's log says; refusals with their exit codes.
. "$(dirname "$0")/session.inc"
make_pki
start echo tcp --users users --ring ring --echo

echo hello >hello
for who in alice bob carol; do
	for known in '' '--responder-cert server.cert'; do
		case $who in
		alice) token=$as_alice method=certificate ;;
		bob) token=$as_bob method=password ;;
		carol) token=$as_carol method=ticket ;;
		esac
		try $token $known <hello
		same "$who ${known:-unknown certificate}: exit code" 0 $code
		same "$who ${known:-unknown certificate}: echo" hello \
		    "$(cat out)"
		same "$who: quiet" '' "$(cat err)"
	done
	has "$who in the log" "event=session result=ok name=$who .*\
method=$method from=127.0.0.1:[0-9]+ suite=[a-z0-9-]+ sid=[0-9a-f]{8} \
bytes_in=6 bytes_out=6 ms=" echo.log
done
try $as_bob --responder-cert server.cert --no-prekey <hello
same 'password in one round trip' "0 hello" "$code $(cat out)"
try $as_alice --trace --responder-cert server.cert <hello
has 'trace' '^trace: sent request [0-9]+ bytes [0-9]+ us$' err
try $as_alice </dev/null
same 'empty input' "0 " "$code $(cat out)"
try $as_alice <"$dir" 2>/dev/null
same 'a directory as input' 3 $code

# Input of every kind.
head -c 20000000 /dev/urandom >big
try $as_alice <big
same '20 MB from a file' "0 $(sum big)" "$code $(sum out)"
cat big | "$HANDFAST" initiate --connect "$at" $as_bob 2>err | cat >out
same '20 MB through pipes' "$(sum big)" "$(sum out)"
(head -c 5000000 big; sleep 0.3; tail -c +5000001 big) |
    "$HANDFAST" initiate --connect "$at" $as_carol 2>err |
    (sleep 0.5; cat) >out
same '20 MB with slow ends' "$(sum big)" "$(sum out)"
head -c 500 big >small
/usr/bin/python3 -c 'import sys, time
for b in open("small", "rb").read():
	sys.stdout.buffer.write(bytes([b]))
	sys.stdout.buffer.flush()' |
    "$HANDFAST" initiate --connect "$at" $as_alice >out 2>err
same 'byte by byte' "$(sum small)" "$(sum out)"
"$HANDFAST" initiate --connect "$at" $as_alice <big 2>err | head -c 10 >out
same 'a reader that goes away' 3 "${PIPESTATUS[0]}"

# Refusals: code, no output, the same words from afar.
must hf ca init other --name 'Other CA'
must hf cert issue --ca other --request alice.req --usage initiator \
    -o stranger.cert
try $to --identity alice.key --cert stranger.cert <hello
same 'stranger: code' 4 $code
same 'stranger: no output' '' "$(cat out)"
try --trust other/ca.cert --expect server --identity alice.key \
    --cert alice.cert <hello
same 'wrong CA: code' 4 $code
try --trust ca/ca.cert --expect nobody --identity alice.key \
    --cert alice.cert <hello
same 'wrong name: code' 4 $code
echo wrong >wrong
try $to --user bob --passphrase-file wrong <hello
same 'wrong password: code' 4 $code
grep -v hint: err >wrong.err
try $to --user mallory --passphrase-file wrong <hello
same 'unknown user: code' 4 $code
grep -v hint: err >unknown.err
same 'unknown user: same words' "$(cat wrong.err)" "$(cat unknown.err)"
has 'wrong password in the log' 'result=refused name=bob .*error=HF_E_PASSWORD' \
    echo.log
must hf ticket ring ring2
must hf ticket issue --ring ring2 --subject carol --audience server --ttl 1h \
    -o forged.ticket
try $to --ticket forged.ticket <hello
same 'forged ticket: code' 4 $code
must hf ticket issue --ring ring --subject carol --audience server --ttl 1h \
    --single-use -o once.ticket
try $to --ticket once.ticket <hello
same 'single-use ticket' "0 hello" "$code $(cat out)"
try $to --ticket once.ticket <hello
same 'used again: code' 4 $code
has 'used again in the log' 'error=HF_E_TICKET_USED' echo.log
must hf ticket issue --ring ring --subject carol --audience server --ttl 1s \
    -o short.ticket
sleep 2
try $to --ticket short.ticket <hello
same 'expired ticket: code' 7 $code
chmod 644 alice.key
try $as_alice <hello
same 'readable key: code' 5 $code
chmod 600 alice.key
must hf keygen -o new.key
must hf cert request --identity new.key --subject server -o new.req
must hf cert issue --ca ca --request new.req --usage responder --realm example \
    -o new.cert
try $as_alice --responder-cert new.cert <hello
same 'another certificate: asked for' "0 hello" "$code $(cat out)"
has 'another certificate: said so' 'warning' err
echo nothing | "$HANDFAST" initiate --connect 127.0.0.1:1 $as_alice >out 2>err
same 'connection refused' 3 $?

stop $pid
same 'SIGTERM' 0 $code
finish
