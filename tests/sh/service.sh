#!/bin/bash
# SPDX-License-Identifier: ISC
# A responder's life: signals, what it does with sessions, addresses that it
# listens on, password commands, peers that die or talk nonsense.
#
#    service.sh [watchdog]     only that
. "$(dirname "$0")/session.inc"
make_pki
echo hello >hello

# what the manager of services is told as long as it lives
cat >alive.py <<'PY'
import os, signal, socket, subprocess, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("alive")
s.settimeout(20)
p = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL, env=dict(
    os.environ, NOTIFY_SOCKET=os.path.abspath("alive"),
    WATCHDOG_USEC="200000"))
try:
    for _ in range(4):
        print(s.recv(100).decode())
    p.send_signal(signal.SIGTERM)
    said = "WATCHDOG=1"
    while said == "WATCHDOG=1":
        said = s.recv(100).decode()
    print(said)
finally:
    p.terminate()
    p.wait()
PY
watchdog() {
	w=WATCHDOG=1
	same 'watchdog' "READY=1 $w $w $w STOPPING=1" "$(echo $(/usr/bin/python3 alive.py \
	    "$HANDFAST" respond --listen 127.0.0.1:0 --identity server.key \
	    --cert server.cert --trust ca/ca.cert --echo))"
}
[ $# -eq 0 ] || { watchdog; finish; }

# print
start print tcp
try $as_alice <hello
same 'print: exit code' "0 " "$code $(cat out)"
await 'result=ok' print.log
same 'print: printed' hello "$(cat print.out)"
head -c 3000000 /dev/urandom >big
try $as_alice <big
await 'bytes_in=3000000' print.log
same 'print: bulk' "$(cat hello big | sha256sum)" "$(sha256sum <print.out)"
stop $pid
same 'print: SIGTERM' 0 $code

# a reader that does not read keeps nobody from stopping
mkfifo stuck
sleep 60 <stuck &
sleeper=$!
name=stuck
"$HANDFAST" respond --listen 127.0.0.1:0 --port-file stuck.port \
    --identity server.key --cert server.cert --trust ca/ca.cert \
    >stuck 2>stuck.log </dev/null &
pid=$!
pids="$pids $pid"
await . stuck.port
at=127.0.0.1:$(cat stuck.port)
"$HANDFAST" initiate --connect "$at" $as_alice <big >out 2>err &
client=$!
sleep 0.5
before=$(date +%s)
stop $pid
same 'stuck output: SIGTERM' 0 $code
[ $(($(date +%s) - before)) -le 6 ] && ok 'stuck output: in seconds' ||
    fail 'stuck output: took long'
wait $client
same 'stuck output: the client' 3 $?
kill $sleeper
wait $sleeper 2>/dev/null

# exec
cat >show <<'SH'
#!/bin/sh
echo "$HANDFAST_NAME $HANDFAST_SUBJECT $HANDFAST_METHOD $1 $2"
ls -l /proc/self/fd | sed -n 's/.* \([0-9]*\) -> .*/\1/p' | tr '\n' ' '
echo
cat
SH
chmod +x show
exec 7<password
start exec tcp --users users --exec "$dir/show one  two"
exec 7<&-
try $as_bob <hello
same 'exec: exit code' 0 $code
same 'exec: who and what' 'bob bob@example password one two' \
    "$(sed -n 1p out)"
same 'exec: descriptors' '0 1 2 3 ' "$(sed -n 2p out)"
same 'exec: data' hello "$(sed -n 3p out)"
stop $pid
start exec2 tcp --exec cat
try $as_alice <big
same 'exec: bulk' "0 $(sum big)" "$code $(sum out)"
stays exec
stop $pid
same 'exec: SIGTERM with a program running' 0 $code
wait $slow_pid
same 'exec: the peer learns that it was cut' 3 $?
exec 6>&-
mkfifo idle
start exec3 tcp --exec 'head -c 5'
exec 6<>idle
echo 1234567 >&6
timeout 10 "$HANDFAST" initiate --connect "$at" $as_alice <&6 >out 2>err
same 'exec: a program that ends first' "3 12345" "$? $(cat out)"
exec 6>&-
stop $pid
start exec4 tcp --exec 'sh -c kill${IFS}-9${IFS}$$'
try $as_alice <hello
same 'exec: a program that is killed' 3 $code
stop $pid
printf '#!/bin/sh\ncat big\nexit 1\n' >half
chmod +x half
start exec6 tcp --exec "$dir/half"
try $as_alice <hello
same 'exec: a program that fails: its output' "$(sum big)" "$(sum out)"
same 'exec: a program that fails: not complete' 3 $code
has 'exec: a program that fails: said so' HF_E_TRUNCATED err
has 'exec: a program that fails: in the log' 'lost .*HF_E_IO' exec6.log
stop $pid
start exec5 tcp --exec "$dir/missing"
try $as_alice <hello
same 'exec: no such program' 3 $code
stop $pid

# forward, to another responder: sessions within sessions
start inner tcp --echo
inner=$at inner_pid=$pid
start forward tcp --forward "$inner"
cat >within.py <<'PY'
import socket, subprocess, sys, threading
program, at = sys.argv[1:3]
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
def relay():
    c, _ = server.accept()
    p = subprocess.Popen([program, "initiate", "--connect", at] +
        sys.argv[3:], stdin=c, stdout=c)
    c.close()
    p.wait()
threading.Thread(target=relay).start()
args = [program, "initiate", "--connect", "127.0.0.1:%d" % port]
sys.exit(subprocess.call(args + sys.argv[3:]))
PY
timeout 60 /usr/bin/python3 within.py "$HANDFAST" "$at" $as_alice <big >out 2>err
same 'forward: a session within a session' "0 $(sum big)" "$? $(sum out)"
stop $pid
same 'forward: SIGTERM' 0 $code
stop $inner_pid
start nowhere tcp --forward 127.0.0.1:1
try $as_alice <hello
same 'forward: nobody there' 3 $code
stop $pid

# password command
cat >ask <<'SH'
#!/bin/sh
read -r user; read -r password
[ "$user $password" = "dave let me in" ]
SH
chmod +x ask
start ask tcp --password-command "$dir/ask" --echo
echo 'let me in' >dave
try $to --user dave --plain-password --passphrase-file dave <hello
same 'password command: yes' "0 hello" "$code $(cat out)"
try $to --user dave --plain-password --passphrase-file password <hello
same 'password command: no' 4 $code
try $to --user bob --passphrase-file password <hello
same 'password command: the stretched form is refused' 4 $code
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	"$HANDFAST" initiate --connect "$at" $to --user dave --plain-password \
	    --passphrase-file dave <hello >out.$i 2>err.$i &
	crowd="${crowd:-} $!"
done
wait $crowd
same 'password command: many' 12 "$(cat out.* | grep -c hello)"
stop $pid
start tries tcp --users users --echo --max-failures 3
echo wrong >wrong
for i in 1 2 3; do try $to --user bob --passphrase-file wrong <hello; done
try $as_bob <hello
same 'too many failures' 4 $code
has 'too many failures, in the log' 'name=bob .*HF_E_LIMITED' tries.log
try $as_alice <hello
same 'another is not concerned' 0 $code
stop $pid

# policy
start allow tcp --echo --allow 'bob*' --allow 'al?ce' --target t1 --ring ring
try $as_alice --target t1 <hello
same 'allow: matches' "0 hello" "$code $(cat out)"
try $as_alice --target t2 <hello
same 'another target' 4 $code
try $as_carol --target t1 <hello
same 'not allowed' 4 $code
has 'not allowed, in the log' 'name=carol .*HF_E_POLICY' allow.log
stop $pid
must hf user add --db users --realm example --passphrase-file password bob@corp
start issue tcp --echo --ring ring --issue-tickets 1h --users users
try $to --user bob@corp --passphrase-file password --ticket-out at.ticket <hello
same 'a ticket is given to a user with an @' 0 $code
try $to --ticket at.ticket <hello
same 'and works, too' "0 hello" "$code $(cat out)"
try $as_bob --ticket-out got.ticket <hello
same 'a ticket is given' "0 600" "$code $(stat -c %a got.ticket)"
try $to --ticket got.ticket <hello
same 'and works' "0 hello" "$code $(cat out)"
must hf user del --db users --realm example bob
kill -HUP $pid
await 'event=reload result=ok' issue.log || fail 'reload'
try $to --ticket got.ticket <hello
same 'not when its user is gone' 4 $code
must hf user add --db users --realm example --passphrase-file password bob
stop $pid
start used tcp --echo --ring ring --used-tickets used
must hf ticket issue --ring ring --subject carol --audience server --ttl 1h \
    --single-use -o once.ticket
try $to --ticket once.ticket <hello
same 'single use: once' 0 $code
stop $pid
start used2 tcp --echo --ring ring --used-tickets used
try $to --ticket once.ticket <hello
same 'single use: not after a restart' 4 $code
has 'single use: in the log' HF_E_TICKET_USED used2.log
stop $pid

# reload
start reload tcp --echo --users users
stays reload
must hf ca revoke ca alice.cert -o list
echo garbage >users.new
cp users users.good
cp users.new users
kill -HUP $pid
await 'event=reload result=failed' reload.log || fail 'reload: must fail'
try $as_alice <hello
same 'a failed reload keeps the old' "0 hello" "$code $(cat out)"
cp users.good users
kill -HUP $pid
await 'event=reload result=ok' reload.log || fail 'reload: must succeed'
echo two >&6
await two slow.out && ok 'a session outlives a reload' ||
    fail 'a session outlives a reload'
exec 6>&-
wait $slow_pid
same 'and ends well' "0 one two" "$? $(echo $(cat slow.out))"
stop $pid
start revoked tcp --echo --revoked list
try $as_alice <hello
same 'revoked' 4 $code
has 'revoked, in the log' 'result=refused .*HF_E_REVOKED' revoked.log
stop $pid

# reload of a sealed key: its passphrase comes only once
echo 'open sesame' >pp
must hf keygen --passphrase-file pp -o sealed.key
must hf cert request --identity sealed.key --passphrase-file pp \
    --subject server -o sealed.req
must hf cert issue --ca ca --request sealed.req --usage responder \
    -o sealed.cert
cp server.key plain.key
cp server.cert plain.cert
cp sealed.key server.key
cp sealed.cert server.cert
# sealed NAME OPTIONS...: starts, reloads, serves; with the passphrase at 5.
sealed() {
	exec 5<pp
	start "$@"
	exec 5<&-
	kill -HUP $pid
	has "$name: reload" 'event=reload result=ok' "$name.log"
	try $as_alice <hello
	same "$name: serves on" "0 hello" "$code $(cat out)"
}
sealed sealed-fd tcp --echo --passphrase-fd 5
stop $pid
sealed sealed-pipe tcp --echo --passphrase-file <(cat pp)
stop $pid
sealed sealed-file tcp --echo --passphrase-file pp
echo 'of another key' >pp
kill -HUP $pid
has 'sealed-file: read anew' HF_E_PASSPHRASE sealed-file.log
stop $pid
cp plain.key server.key
cp plain.cert server.cert

# what the manager of services is told
cat >notify.py <<'PY'
import os, signal, socket, subprocess, sys
for name in ("\0handfast-test-%d" % os.getpid(), os.getcwd() + "/notify"):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(name)
    s.settimeout(20)
    p = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL,
        env=dict(os.environ, NOTIFY_SOCKET=name.replace("\0", "@")))
    try:
        print(s.recv(100).decode())
        p.send_signal(signal.SIGHUP)
        print(s.recv(100).decode())
        p.send_signal(signal.SIGTERM)
        print(s.recv(100).decode())
    finally:
        p.terminate()
        p.wait()
PY
told='READY=1 STATUS=files read anew STOPPING=1'
same 'notify' "$told $told" "$(echo $(/usr/bin/python3 notify.py "$HANDFAST" respond \
    --listen 127.0.0.1:0 --identity server.key --cert server.cert \
    --trust ca/ca.cert --echo))"
watchdog

# the example for systemd's unit
cp server.key echo.key
cp server.cert echo.cert
cp ca/ca.cert ca.cert
cp list my.list
sed "s,/var/lib/handfast,$dir,; s,:7000,:0,; s,:8080,:1," \
    "$here/fleet/examples/respond.env" >env
. ./env
"$HANDFAST" respond $RESPOND_OPTIONS --port-file unit.port 2>unit.log &
pid=$!
pids="$pids $pid"
await . unit.port && ok 'unit: starts' || { name=unit; fail 'unit: starts'; }
stop $pid
same 'unit: SIGTERM' 0 $code
grep -q '^ExecStart=.* respond \$RESPOND_OPTIONS$' \
    "$here/fleet/systemd/handfast-respond.service" &&
    ok 'unit: takes them' || fail 'unit: takes them'

# SIGTERM with sessions open
start term tcp --echo
stays term
stop $pid
same 'SIGTERM with a session open' 0 $code
wait $slow_pid
same 'the session was cut: its peer had not ended' 3 $?
exec 6>&-

# a responder that dies
start dies tcp --echo
stays dies
disown $pid; kill -9 $pid
wait $pid 2>/dev/null
wait $slow_pid
same 'the responder was killed' 3 $?
has 'the responder was killed: said so' HF_E_TRUNCATED slow.err
exec 6>&-

# unix sockets
mkdir run
chmod 700 run
start unix "unix:$dir/run/sock" --echo
at=unix:$dir/run/sock
try $as_alice <big
same 'unix socket' "0 $(sum big)" "$code $(sum out)"
same 'unix socket: mode' 600 "$(stat -c %a run/sock)"
has 'unix socket: from' 'from=unix:0 ' unix.log
"$HANDFAST" respond --listen "unix:$dir/run/sock" --identity server.key \
    --cert server.cert --trust ca/ca.cert --echo 2>err
same 'unix socket: in use' 3 $?
disown $pid; kill -9 $pid
wait $pid 2>/dev/null
start unix2 "unix:$dir/run/sock" --echo
at=unix:$dir/run/sock
try $as_alice <hello
same 'unix socket: stale, replaced' 0 $code
stop $pid
same 'unix socket: removed' '' "$(ls run)"
echo keep >run/sock
"$HANDFAST" respond --listen "unix:$dir/run/sock" --identity server.key \
    --cert server.cert --trust ca/ca.cert --echo 2>err
same 'unix socket: another file is kept' "5 keep" "$? $(cat run/sock)"
rm run/sock
# One that takes its time to end, and its successor.
start old "unix:$dir/run/sock" --exec 'sh -c trap${IFS}:${IFS}TERM;sleep${IFS}9'
old=$pid at=unix:$dir/run/sock
"$HANDFAST" initiate --connect "$at" $as_alice <slow >out 2>err &
slow_pid=$!
exec 6>slow
echo one >&6
sleep 0.5
kill $old
i=0
while [ -e run/sock ] && [ $i -lt 20 ]; do sleep 0.05; i=$((i + 1)); done
start new "unix:$dir/run/sock" --echo
at=unix:$dir/run/sock
exec 6>&-
wait $slow_pid
stop $old
try $as_alice <hello
same "unix socket: a successor's is left" "0 hello" "$code $(cat out)"
stop $pid
chmod 777 run
mkdir -m 700 run/below
for s in run/sock run/below/sock; do
	timeout 9 "$HANDFAST" respond --listen "unix:$s" --identity server.key \
	    --cert server.cert --trust ca/ca.cert --echo 2>err
	same "unix socket: a directory of others: $s" 5 $?
done
ln -s ../ca run/link
"$HANDFAST" respond --listen unix:run/link/sock --identity server.key \
    --cert server.cert --trust ca/ca.cert --port-file port --echo 2>err &
pid=$!
pids="$pids $pid"
await . port
same 'unix socket: a link is followed once' "unix:$(realpath ca)/sock" \
    "$(cat port)"
stop $pid
start six '[::1]:0' --echo
try $as_alice <hello
same 'IPv6' "0 hello" "$code $(cat out)"
stop $pid

# nonsense, half-open and slow peers; the responder goes on serving
start rude tcp --echo --log-json
cat >rude.py <<'PY'
import os, socket, struct, sys, time
host, port = sys.argv[1].rsplit(":", 1)
def dial():
    return socket.create_connection((host, int(port)), timeout=15)
def answer(data, half=False):
    s = dial()
    s.sendall(data)
    if half:
        s.shutdown(socket.SHUT_WR)
    got = b""
    try:
        while True:
            b = s.recv(4096)
            if not b:
                return got
            got += b
    except ConnectionResetError:
        return got
for i in range(50):
    answer(os.urandom(100 + i))
answer(b"GET / HTTP/1.0\r\n\r\n")
answer(b"", half=True)
answer(b"\x8a", half=True)
answer(b"\x9a\xff\xff\xff\xff")
answer(b"\x8a\x03\x01\x01\x50", half=True)
for i in range(20):
    s = dial()
    s.sendall(b"\x86")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
slow = dial()
t = time.time()
slow.sendall(b"\x86")
slow.settimeout(14)
try:
    slow.recv(100)
except ConnectionResetError:
    pass
took = time.time() - t
assert 2.5 < took < 8, took
print("ok")
PY
same 'rude peers' ok "$(/usr/bin/python3 rude.py "$at" 2>err)"
try $as_alice <hello
same 'serves on' "0 hello" "$code $(cat out)"
stop $pid
/usr/bin/python3 -c '
import json, sys
lines = [json.loads(l) for l in open("rude.log")]
assert lines[0]["event"] == "listen"
assert lines[-1]["result"] == "ok" and lines[-1]["name"] == "alice"
errors = {l["error"] for l in lines if l.get("result") == "refused"}
assert "HF_E_DEADLINE" in errors and "HF_E_GONE" in errors, errors
' && ok 'log as JSON' || fail 'log as JSON'

# a stream cut short
start cut tcp --echo
cat >cut.py <<'PY'
import socket, subprocess, sys, threading
host, port = sys.argv[2].rsplit(":", 1)
server = socket.create_server(("127.0.0.1", 0))
def relay():
    c, _ = server.accept()
    s = socket.create_connection((host, int(port)))
    def up():
        while True:
            b = c.recv(65536)
            if not b:
                break
            s.sendall(b)
    threading.Thread(target=up, daemon=True).start()
    n = 0
    while n < 500000:
        b = s.recv(65536)
        n += len(b)
        c.sendall(b)
    c.shutdown(socket.SHUT_WR)
threading.Thread(target=relay, daemon=True).start()
sys.exit(subprocess.call([sys.argv[1], "initiate", "--connect",
    "127.0.0.1:%d" % server.getsockname()[1]] + sys.argv[3:]))
PY
timeout 60 /usr/bin/python3 cut.py "$HANDFAST" "$at" $as_alice <big >out 2>err
same 'a stream cut short' 3 $?
has 'a stream cut short: said so' HF_E_TRUNCATED err
n=$(stat -c %s out)
head -c "$n" big | cmp -s - out && ok 'what came was right' ||
    fail 'what came was right'
stop $pid

# own files
chmod 644 server.key
"$HANDFAST" respond --listen 127.0.0.1:0 --identity server.key --cert \
    server.cert --trust ca/ca.cert --echo 2>err
same 'a readable key' 5 $?
chmod 600 server.key
"$HANDFAST" respond --listen 127.0.0.1:0 --identity alice.key --cert \
    alice.cert --trust ca/ca.cert --echo 2>err
same 'a certificate of the wrong usage' 5 $?
rm -f costly
must hf user add --db costly --realm example --password-cost 128:3 \
    --passphrase-file password bob
"$HANDFAST" respond --listen 127.0.0.1:0 --identity server.key --cert \
    server.cert --trust ca/ca.cert --users costly --echo 2>err
same 'another password cost' 5 $?
must hf cert issue --ca ca --request server.req --usage responder --days 3 \
    --realm example -o soon.cert
mv soon.cert server.cert
start soon tcp --echo
has 'expires soon' 'warning: server.cert expires on' soon.log
stop $pid
now=$(date +%s)
must hf cert issue --ca ca --request server.req --usage responder \
    --not-before $((now - 60)) --not-after $((now + 2)) -o brief.cert
cp brief.cert server.cert
start brief tcp --echo
while [ "$(date +%s)" -lt $((now + 3)) ]; do sleep 0.1; done
try $as_alice <hello
same 'expired since the start' 7 $code
has 'expired since the start: said so' HF_E_EXPIRED err
kill -HUP $pid
has 'expired: no reload' HF_E_OWN_EXPIRED brief.log
stop $pid
timeout 9 "$HANDFAST" respond --listen 127.0.0.1:0 --identity server.key --cert \
    server.cert --trust ca/ca.cert --echo 2>err
same 'expired: no start' 7 $?
cp plain.cert server.cert

# names that would drive a terminal, or turn a line around
start names tcp --echo --log-json
odd=$(printf 'caf\303\251 \342\200\256live')
must hf cert request --identity alice.key --subject "$odd" -o odd.req
must hf cert issue --ca ca --request odd.req --usage initiator -o odd.cert
try $to --identity alice.key --cert odd.cert --target "$odd" <hello
same 'odd name: exit code' 0 $code
await '"session"' names.log
stop $pid
grep -qF '"subject":"café \u202elive"' names.log &&
    grep -qF '"target":"café \u202elive"' names.log &&
    ok 'odd name: in the log' || { name=names; fail 'odd name: in the log'; }
hf cert verify --trust ca/ca.cert odd.cert >out 2>err
same 'odd name: printed' 'subject:   café \u{202E}live' "$(sed -n 1p out)"
hf cert verify --json --trust ca/ca.cert odd.cert >out 2>err
grep -qF '"caf\u00E9 \u202Elive"' out && ok 'odd name: as JSON' ||
    fail 'odd name: as JSON'
for json in '' --json; do
	hf cert verify $json --trust ca/ca.cert --expect x odd.cert >out 2>err
	same "odd name: refused $json" 4 $?
	grep -aqF "$(printf '\342\200\256')" err &&
	    fail "odd name: in words $json" || ok "odd name: in words $json"
done
hf cert verify --trust ca/ca.cert "$(printf 'no\033[31m\302\233file\377')" \
    >out 2>err
grep -qF 'no\u{001B}[31m\u{009B}file\xFF' err && ok 'odd path' ||
    fail 'odd path'
hf cert request --identity alice.key --subject "$(printf 'a\302\233b')" \
    -o c1.req 2>err
same 'a control character in a name' 2 $?
finish
