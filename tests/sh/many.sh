#!/bin/sh
# SPDX-License-Identifier: ISC
# 500 sessions open at the same time, all echoing, with one worker and with
# several: their initiators are tests/load's crowd, in one process. And a
# responder with few descriptors, which serves the rest later: there the
# initiators are the program.
. "$(dirname "$0")/session.inc"
make_pki
N=${N:-500}
BUILD=${BUILD:-$here/build}

# late PATTERN FILE: await, for what takes a minute or two where it is slow
late() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do ! await "$@" || return 0; done
	fail "$name: no $1"
}
resident() {
	rss=$(sed -n 's/VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status)
	echo "note: $1 sessions open, responder at $rss KiB"
}
# many SESSIONS: all are open, and had an echo; they have another, and end.
many() {
	rm -f go
	mkfifo go
	"$BUILD/crowd" --port "${at##*:}" --count "$1" --at-once "$1" \
	    --seconds 120 --stay hold:certificate:alice <go >crowd.out 2>err &
	crowd=$!
	exec 8>go
	late "\"held\", \"n\": $1}" crowd.out
	resident "$1"
	echo again >&8
	late "\"again\", \"n\": $1}" crowd.out
	exec 8>&-
	wait $crowd
	same "$name: the crowd" 0 $?
	same "$name: $1 sessions at once" \
	    "\"begun\": $1, \"good\": $1, \"held\": $1, \"again\": $1" \
	    "$(tail -n 1 crowd.out | grep -oE '"begun".*"again": [0-9]+')"
}

cat >crowd.py <<'PY'
import subprocess, sys, threading
program, address, n, held = sys.argv[1], sys.argv[2], int(sys.argv[3]), \
    int(sys.argv[4])
args = [program, "initiate", "--connect", address, "--trust", "ca/ca.cert",
    "--expect", "server", "--identity", "alice.key", "--cert", "alice.cert",
    "--responder-cert", "server.cert", "--connect-timeout", "60s",
    "--deadline", "60s"]
p = []
bad = 0
def begin():
    p.append(subprocess.Popen(args, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, bufsize=0))
    p[-1].stdin.write(b"first %d\n" % (len(p) - 1))
def answered(i):
    return p[i].stdout.readline() == b"first %d\n" % i
for i in range(n):
    begin()
    if i < held:
        bad += not answered(i)
print("open at once:", held - bad)
sys.stdout.flush()
open("open", "w").close()
input()
for i in range(n):
    p[i].stdin.write(b"last %d\n" % i)
    p[i].stdin.close()
for i in range(n):
    want = (b"" if i < held else b"first %d\n" % i) + b"last %d\n" % i
    if p[i].stdout.read() != want or p[i].wait() != 0:
        bad += 1
print("bad:", bad)
PY
# crowd SESSIONS HELD: SESSIONS initiators, HELD of them open at once
crowd() {
	rm -f open go
	mkfifo go
	/usr/bin/python3 crowd.py "$HANDFAST" "$at" "$1" "$2" \
	    <go >crowd.out 2>err &
	crowd=$!
	exec 8>go
	i=0
	while [ ! -e open ] && [ $i -lt 1200 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	resident "$2"
	echo go >&8
	exec 8>&-
	wait $crowd
	same "$name: $1 sessions, $2 at once" \
	    "open at once: $2 bad: 0" "$(echo $(cat crowd.out))"
}

start one tcp --echo
many "$N"
[ "$rss" -lt 65536 ] && ok "one: under 64 MiB" || fail "one: $rss KiB"
stop $pid
same 'one: SIGTERM' 0 $code
same 'one: lines in the log' "$N" "$(grep -c 'result=ok' one.log)"

start three tcp --echo --workers 3
many "$N"
stop $pid
same 'three: SIGTERM' 0 $code
same 'three: lines in the log' "$N" "$(grep -c 'result=ok' three.log)"

# Everybody has to show a cookie.
start cookies tcp --echo --busy 0
try $as_alice --trace <server.cert
same 'cookie: exit code' 0 $code
has 'cookie: shown' '^trace: received retry' err
try $as_bob --trace <server.cert
has 'no users here: refused' HF_E_REFUSED err
stop $pid

# With few places: they are taken one after the other, as one source may not
# begin many at once; those who come then wait until some are left.
prlimit --nofile=80 true 2>/dev/null && {
	real=$HANDFAST
	cat >few <<-SH
	#!/bin/sh
	exec prlimit --nofile=80 "$real" "\$@"
	SH
	chmod +x few
	HANDFAST=$dir/few
	start few tcp --echo --max-sessions 80
	HANDFAST=$real
	crowd 52 43
	stop $pid
	same 'few: SIGTERM' 0 $code
}
finish
