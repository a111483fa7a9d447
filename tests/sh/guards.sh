#!/bin/sh
# SPDX-License-Identifier: ISC
# The checks that the program makes itself, each by its plainest case: whose
# files it believes, whom it lets in, what an exit code promises. A check that
# is gone is a line here that fails.
#
#    guards.sh [PART...]     PART: files, kept, fits, users, lists, door, bare,
#                            asked, earned, odd, paused, closed
. "$(dirname "$0")/session.inc"
umask 022
must hf keygen -o new.key
same 'mode of a new key' 600 "$(stat -c %a new.key)"
make_pki
echo hello >hello
echo wrong >wrong

# run CODE WHAT WORDS...: the program's exit code; nothing on stdout. One that
# does not end, as a responder that should not have started, is ended.
run() {
	code=$1 what=$2
	shift 2
	timeout 5 "$HANDFAST" "$@" >out 2>err <hello
	same "$what" "$code " "$? $(cat out)"
}
# refuse CODE WHAT OPTIONS...: a responder that must not start
refuse() {
	code=$1 what=$2
	shift 2
	run "$code" "$what" respond --listen 127.0.0.1:0 --identity server.key \
	    --cert server.cert --trust ca/ca.cert --echo "$@"
}
# open CODE OUTPUT WHAT OPTIONS...: an initiator to $at
open() {
	want=$1 said=$2 what=$3
	shift 3
	try "$@" <hello
	same "$what" "$want $said" "$code $(cat out)"
}

parts=$*
# part NAME: whether it is to run
part() { [ -z "$parts" ] || case " $parts " in *" $1 "*) ;; *) false ;; esac; }
must hf ca init other --name 'Other CA'

files() {
	# secrets that others can read, or own
	for f in server.key ring users; do
		chmod 640 $f
		refuse 5 "readable $f" --ring ring --users users
		chmod 600 $f
	done
	run 5 'existing key' keygen -o server.key
	ln -s nowhere link
	run 5 'dangling key' keygen -o link
	at=127.0.0.1:1
	for f in alice.key carol.ticket; do
		chmod 604 $f
		case $f in
		*.key) open 5 '' "readable $f" $as_alice;;
		*) open 5 '' "readable $f" $as_carol;;
		esac
		chmod 600 $f
	done
	# an option is named where there is one
	chmod 644 server.key
	secret='handfast: hint: chmod 600 and chown it'
	run 5 'readable key, cluster' cluster renew --key server.key \
	    --store lmdb:none
	same 'readable key, cluster: hint' "$secret" "$(sed -n 2p err)"
	run 5 'readable key, cert' cert request --identity server.key \
	    --subject x -o x.req
	same 'readable key, cert: hint' "$secret, or give --allow-readable-key" \
	    "$(sed -n 2p err)"
	chmod 600 server.key
	if [ "$(id -u)" -eq 0 ]; then
		cp -p server.key mine.key
		chown 12345 server.key
		refuse 5 "another's key"
		cp -p mine.key server.key
	fi
	for f in server.key alice.key ring users carol.ticket; do
		same "mode of $f" 600 "$(stat -c %a $f)"
	done
	{ cat server.key; head -c 70000 /dev/zero | tr '\0' '\n'; } >long.key
	chmod 600 long.key
	run 6 'long file' cert request --identity long.key --subject x -o x.req
	: >empty
	run 2 'empty passphrase' keygen --passphrase-file empty -o x.key
	same 'no key of an empty passphrase' no "$([ -e x.key ] && echo yes || echo no)"
}

# keeps CODE WHAT FILE WORDS...: the program refuses to write FILE, which stays
# byte for byte. The first line of what it said is in $said.
there() { [ -e "$1" ] && echo yes || echo no; }
keeps() {
	want=$1 what=$2 file=$3
	shift 3
	before=$(sum "$file")$(stat -c %a "$file")
	run "$want" "$what" "$@"
	said=$(head -n 1 err)
	same "$what: as it was" "$before" "$(sum "$file")$(stat -c %a "$file")"
}

kept() {
	# what is written replaces nothing of another kind
	cp -p alice.key other.key
	printf 'to be kept\n' >short
	cp alice.cert plain
	chmod 600 short plain
	for f in other.key short plain; do
		keeps 6 "used tickets in $f" $f respond --listen 127.0.0.1:0 \
		    --identity server.key --cert server.cert --trust ca/ca.cert \
		    --echo --ring ring --used-tickets $f
		same "used tickets in $f: says so" "handfast: error: $f: no file \
of used tickets, or one that others can write (HF_E_OBJECT)" "$said"
	done
	# keeps5 WHAT FILE HINT WORDS...: as it says
	keeps5() {
		named=$1 of=$2 hint=$3
		shift 3
		keeps 5 "$named" "$of" "$@"
		same "$named: says so" "handfast: error: $of: holds something \
else, not replaced handfast: hint: $hint" "$said $(sed -n 2p err)"
	}
	takes_port() { # FILE
		"$HANDFAST" $respond --port-file "$1" 2>err &
		pid=$!
		pids="$pids $pid"
		await listening err && await 'kept.sock$' "$1"
		same "port over $1" 0 $?
		stop $pid
	}
	respond="respond --listen unix:kept.sock --identity server.key \
	    --cert server.cert --trust ca/ca.cert --echo"
	initiate="initiate --connect 127.0.0.1:1 $as_alice"
	request="cert request --identity other.key --subject x --force"
	issue="cert issue --ca ca --request alice.req --usage initiator --force"
	cat alice.cert other.key >both
	cat carol.ticket other.key >ticket+key
	{ cat carol.ticket; echo 'the passphrase is in the safe'; } >ticket+words
	{ echo 'of carol:'; cat carol.ticket; } >words+ticket
	cat ring other.key >ring+key
	{ cat carol.ticket; printf '\0'; cat other.key; } >ticket+nul
	printf '4711\nmore\n' >lines
	echo 471100 >number
	chmod 600 both ticket+* words+ticket ring+key lines number
	hint='--port-file replaces only port files'
	keeps5 'port over a key' other.key "$hint" $respond --port-file other.key
	for f in short number lines alice.cert; do
		keeps5 "port over $f" $f "$hint" $respond --port-file $f
	done
	same 'port over others: no socket' no "$(there kept.sock)"
	printf 'listen = "127.0.0.1:0"\nserver a { address = "127.0.0.1:1" }\n' \
	    >dispatch.conf
	keeps5 'port of a dispatcher over a key' other.key "$hint" dispatch \
	    --config dispatch.conf --port-file other.key
	hint='--ticket-out replaces only tickets'
	keeps5 'ticket over a key' other.key "$hint" $initiate \
	    --ticket-out other.key
	keeps5 'ticket over a key beside one' ticket+key "$hint" $initiate \
	    --ticket-out ticket+key
	keeps5 'ticket over a key behind a NUL' ticket+nul "$hint" $initiate \
	    --ticket-out ticket+nul
	for f in ticket+words words+ticket; do
		keeps5 'ticket over words beside one' $f "$hint" $initiate \
		    --ticket-out $f
	done
	keeps5 'ticket over a ring' ring "$hint" $initiate --ticket-out ring
	ln -s other.key link.key
	keeps5 'ticket over a link to a key' link.key "$hint" $initiate \
	    --ticket-out link.key
	mkfifo pipe
	run 5 'ticket over no file' $initiate --ticket-out pipe
	keeps5 'ring over a key beside one' ring+key \
	    'the ring that is rotated has a file of its own' ticket ring \
	    --rotate ring+key
	hint='--force replaces only certificate requests'
	keeps5 'request over its key' other.key "$hint" $request -o other.key
	keeps5 'request over a certificate' alice.cert "$hint" $request \
	    -o alice.cert
	hint='--force replaces only certificates'
	keeps5 'certificate over a key' other.key "$hint" $issue -o other.key
	keeps5 "certificate over the CA's key" ca/ca.key "$hint" $issue \
	    -o ca/ca.key
	keeps5 'certificate over its request' alice.req "$hint" $issue \
	    -o alice.req
	keeps5 'certificate over a key too' both "$hint" $issue -o both
	ln ca/ca.cert own.cert
	for f in ca/ca.cert own.cert; do
		keeps 5 "certificate over the CA's own: $f" $f $issue -o $f
		same "certificate over the CA's own: $f: says so" \
		    "handfast: error: $f: the CA's own certificate, not replaced" \
		    "$said"
	done
	rm own.cert
	keeps5 'list over a certificate' alice.cert \
	    "-o replaces only this CA's lists" ca revoke ca -o alice.cert
	rm -rf elsewhere
	must hf ca init elsewhere --name Elsewhere
	must hf ca revoke elsewhere -o elsewhere.list
	for f in elsewhere.list elsewhere/ca.list; do
		keeps 4 "list over another CA's" $f ca revoke ca -o $f
		same "list over another CA's: $f: says so" "handfast: error: \
$f: a list of another CA handfast: hint: -o replaces only this CA's lists" \
		    "$said $(sed -n 2p err)"
	done
	cat elsewhere.list elsewhere/ca.list >lists
	keeps5 'list over two' lists "-o replaces only this CA's lists" \
	    ca revoke elsewhere -o lists
	# of its own kind it does, and an empty file
	cat server.cert ca/ca.cert >chain
	run 0 'certificate over a chain' $issue -o chain
	: >fresh
	cp alice.req again.req
	for f in fresh again.req; do
		run 0 "request over $f" $request -o $f
		same "request over $f: is one" 1 "$(grep -c 'BEGIN.*REQUEST' $f)"
	done
	cp server.cert again.cert
	run 0 'certificate over another' $issue -o again.cert
	: >fresh
	echo 1 >again.port
	for f in fresh again.port; do
		takes_port $f
	done
	takes_port again.port
}

fits() {
	# what must fit together
	refuse 5 "another's certificate" --identity alice.key
	refuse 5 'wrong usage' --identity alice.key --cert alice.cert
	rm -f costly others
	must hf user add --db costly --realm example --password-cost 65:2 \
	    --passphrase-file password bob
	refuse 5 'other cost' --users costly
	must hf user add --db others --realm elsewhere --passphrase-file password bob
	refuse 5 'other realm' --users others
	must hf cert issue --ca ca --request server.req --usage responder \
	    -o realmless.cert
	refuse 5 'no realm' --cert realmless.cert --users users
	now=$(date +%s)
	must hf cert issue --ca ca --request server.req --usage responder \
	    --not-before $((now - 60)) --not-after $((now - 1)) -o old.cert
	refuse 7 'expired certificate' --cert old.cert
	run 7 'verify: expired' cert verify --trust ca/ca.cert old.cert
	run 4 'verify: name' cert verify --trust ca/ca.cert --expect x server.cert
	run 4 'verify: usage' cert verify --trust ca/ca.cert --usage initiator \
	    server.cert
}

users() {
	# what is no users file, and whom it has
	for damage in '2s/^bob/BOB/' '2{h;G}' '1s/64:2/64:1/' '1s/example/\x01/' \
	    '1s/example/corp@&/' \
	    '2s/.$//' '$s/./&\n/'; do
		sed "$damage" users >bad
		chmod 600 bad
		refuse 6 "users: $damage" --users bad
	done
	cp -p users bad
	printf '\0' >>bad
	refuse 6 'users: NUL' --users bad
	cp -p users bad
	printf 'zed' >>bad
	refuse 6 'users: no end' --users bad
	run 5 'user exists' user add --db users --passphrase-file wrong bob
}

lists() {
	# what a CA revokes, and where that is written
	run 5 'list over a key' ca revoke ca -o server.key
	run 4 "another's certificate revoked" ca revoke other alice.cert -o list
	must hf ca init twin --name 'Test CA'
	run 4 'its own, of another key' ca revoke ca twin/ca.cert -o list
	for c in sub sub2; do
		mkdir $c
		must hf keygen -o $c/ca.key
		must hf cert request --identity $c/ca.key --subject Sub -o $c.req
		must hf cert issue --ca ca --request $c.req --usage ca -o $c/ca.cert
	done
	must hf cert issue --ca sub --request alice.req --usage initiator -o a.cert
	run 4 'below one of its name' ca revoke sub2 a.cert -o sub.list
	grep -q HF_E_SIGNATURE err || fail 'below one of its name: signature'
	run 0 'below its CA' ca revoke sub a.cert -o sub.list
	run 5 'a root itself' ca revoke ca alice.cert ca/ca.cert -o own.list
	same 'a root itself: says so' "handfast: error: ca/ca.cert: a root's own \
certificate: to revoke it has no effect" "$(head -n 1 err)"
	same 'a root itself: no list' "no no" "$(there own.list) $(there ca/ca.list)"
	run 0 'a CA below' ca revoke ca sub/ca.cert -o own.list
}

door() {
	# who is let in
	start door tcp --users users --ring ring --echo --allow 'al*' --allow bob \
	    --target '' --target t1
	open 0 hello 'alice' $as_alice
	open 0 hello 'bob' $as_bob
	open 4 '' 'not allowed' $as_carol
	has 'not allowed: log' 'name=carol .*HF_E_POLICY' door.log
	open 0 hello 'target' $as_alice --target t1
	open 4 '' 'no such target' $as_alice --target t2
	open 4 '' 'wrong password' $to --user bob --passphrase-file wrong
	for n in bo bobb a zed; do
		open 4 '' "unknown user $n" $to --user $n --passphrase-file password
	done
	open 4 '' 'wrong name' --trust ca/ca.cert --expect x --identity alice.key \
	    --cert alice.cert
	open 4 '' 'wrong realm' $to --realm x --user bob --passphrase-file password
	open 4 '' 'wrong CA' --trust other/ca.cert --expect server \
	    --identity alice.key --cert alice.cert
	must hf ca revoke ca server.cert -o list
	open 4 '' 'revoked there' $as_alice --revoked list
	open 2 '' 'password to anybody' --trust ca/ca.cert --user bob \
	    --passphrase-file password
	open 2 '' 'two tokens' $as_alice --ticket carol.ticket
	same 'no core file' '0 0' \
	    "$(awk '/^Max core/ { print $5, $6 }' /proc/$pid/limits)"
	stop $pid
	same 'stopped' 0 $code
}

bare() {
	start bare tcp --echo
	open 4 '' 'no passwords here' $as_bob
	has 'no passwords here: log' 'method=password .*HF_E_TOKEN' bare.log
	open 4 '' 'no tickets here' $as_carol
	"$HANDFAST" initiate --connect "$at" $as_alice <hello >/dev/full 2>err
	same 'output that nobody keeps' 3 $?
	# what is cut off is no end
	stays cut
	kill -9 $pid
	wait $slow_pid
	same 'cut' 3 $?
	exec 6>&-
	open 3 '' 'nobody there' $as_alice
	printf '#!/bin/sh\necho part\nexit 1\n' >half
	chmod +x half
	start half tcp --exec "$dir/half"
	open 3 part 'half an answer' $as_alice
	stop $pid
}

asked() {
	# passwords that a command judges
	printf '#!/bin/sh\nread -r u; read -r p\n[ "$u $p" = "bob correct horse" ]\n' \
	    >ask
	chmod +x ask
	start ask tcp --password-command "$dir/ask" --echo
	open 0 hello 'asked: yes' $as_bob --plain-password
	open 4 '' 'asked: no' $to --user bob --plain-password --passphrase-file wrong
	stop $pid
}

earned() {
	# tickets that a password earned
	start earn tcp --users users --ring ring --issue-tickets 1h --echo
	open 0 hello 'a ticket' $as_bob --ticket-out got
	same 'mode of a ticket' 600 "$(stat -c %a got)"
	open 0 hello 'a ticket, used' $to --ticket got
	must hf user del --db users bob
	kill -HUP $pid
	await 'event=reload result=ok' earn.log || fail 'reload'
	open 4 '' "a ticket whose user is gone" $to --ticket got
	stop $pid
}

odd() {
	# names that drive a terminal
	must hf cert request --identity alice.key \
	    --subject "$(printf 'a\342\200\256b')" -o odd.req
	must hf cert issue --ca ca --request odd.req --usage initiator -o odd.cert
	hf cert verify --trust ca/ca.cert odd.cert >out
	same 'odd name' 'subject:   a\u{202E}b' "$(sed -n 1p out)"
}

# came: what a responder that says nothing else has of alice, or she of it
came() { cat got/* "$name.out" slow.out 2>/dev/null; }
# pauses NAME OPTIONS...: a responder that has a line of alice, who has not
# ended; her process is $slow_pid
pauses() {
	name=$1
	shift
	rm -rf got slow slow.out
	mkdir got
	mkfifo slow
	start $name tcp "$@"
	"$HANDFAST" initiate --connect "$at" $as_alice <slow >slow.out 2>err &
	slow_pid=$!
	exec 6>slow
	echo line 1 >&6
	i=0
	until came | grep -q lin || [ $i -ge 200 ]; do
		i=$((i + 1))
		sleep 0.05
	done
}
# no_end ERROR WORDS OUTPUT: her session is over, and nobody calls that its end
no_end() {
	wait $slow_pid
	same "$name: exit code" 3 $?
	exec 6>&-
	has "$name: log" "result=lost name=alice .*error=$1" $name.log
	same "$name: no end" 0 "$(grep -c result=ok $name.log)"
	has "$name: words" "$2, and standard input had not ended: 7 bytes" err
	same "$name: what came" "$3" "$(came)"
}

paused() {
	# input that pauses has not ended, and nobody says that it has
	for sink in '--receive got' --echo ''; do
		pauses "stopped${sink% *}" $sink
		stop $pid
		no_end HF_E_TRUNCATED 'not complete' 'line 1'
		same "$name: stopped" 0 $code
	done
	for sink in '--receive got' ''; do
		pauses "tired${sink% *}" --idle 1s $sink
		no_end HF_E_DEADLINE 'not complete' 'line 1'
		stop $pid
	done
	# nor where the other side has
	pauses first --exec 'head -c 3'
	no_end HF_E_TRUNCATED 'closed the session' lin
	open 0 hel 'first: input that ends' $as_alice
	stop $pid
}

# without WORDS...: the program has neither standard input nor output
without() { timeout 5 "$HANDFAST" "$@" 2>err <&- >&-; }
# waits for the socket of a responder that has not even a log
stands() {
	i=0
	until [ -S "$1" ] || [ $i -eq 200 ]; do
		sleep 0.05
		i=$((i + 1))
	done
	at=unix:$1
}

closed() {
	# a standard descriptor that is closed is no number for a file of its own
	must hf cluster init --ca ca --name web --store lmdb:store -o web.cert
	must hf keygen -o member.key
	must hf cert request --identity member.key --subject member -o member.req
	must hf cert issue --ca ca --request member.req --usage responder,server \
	    --cluster web -o member.cert
	must hf cluster admit --key web.key --store lmdb:store --cert member.cert
	must hf cluster members --store lmdb:store >before
	closed='handfast: error: standard output: Bad file descriptor'
	for words in 'cluster members --store lmdb:store' help 'keygen -o -'; do
		without $words
		same "closed: $words" "3 $closed" "$? $(cat err)"
		"$HANDFAST" $words 2>&- >&-
		same "closed: $words: without words" 3 $?
	done
	"$HANDFAST" cluster members --store lmdb:store >after 2>err <&-
	same 'closed: the store is as it was' "0 $(cat before)" "$? $(cat after)"
	"$HANDFAST" cluster members --store lmdb:none/none 2>&- >out <&-
	same 'closed: an error without words' '8 ' "$? $(cat out)"
	"$HANDFAST" cert verify --trust - server.cert 2>err >out <&-
	same 'closed: a file that is read' \
	    '3 handfast: error: -: Bad file descriptor' "$? $(cat err out)"
	# no descriptor is to be had for them; a sanitizer cannot even begin
	[ -n "${SAN:-}" ] || {
		(exec <&- >&-; ulimit -n 1; exec "$HANDFAST" version) 2>err
		same 'closed: no /dev/null' \
		    '3 handfast: error: /dev/null: Too many open files' \
		    "$? $(cat err)"
	}
	# what comes, and is to be printed, has no place
	serve="--identity server.key --cert server.cert --trust ca/ca.cert"
	timeout 20 "$HANDFAST" respond --listen unix:print.sock $serve \
	    2>print.log <&- >&- &
	pid=$!
	stands print.sock
	open 3 '' 'closed: a responder that prints: its peer' $as_alice
	wait $pid
	same 'closed: a responder that prints' 3 $?
	"$HANDFAST" respond --listen unix:echo.sock $serve --echo <&- >&- 2>&- &
	pid=$!
	pids="$pids $pid"
	stands echo.sock
	timeout 5 "$HANDFAST" initiate --connect $at $as_alice 2>err >out <&-
	same 'closed: nothing to send' \
	    '3 handfast: error: standard input: Bad file descriptor' "$? $(cat err out)"
	timeout 5 "$HANDFAST" initiate --connect $at $as_alice 2>err >&- <hello
	same 'closed: nowhere to write' "3 $closed" "$? $(cat err)"
	open 0 hello 'closed: a responder without any' $as_alice
	stop $pid
	same 'closed: a responder without any: its end' 0 $code
}

for p in files kept fits users lists door bare asked earned odd \
    paused closed; do
	! part $p || $p
done
finish
