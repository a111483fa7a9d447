#!/bin/bash
# SPDX-License-Identifier: ISC
# Bulk: HANDFAST_BIG MiB (64) through `initiate | respond --echo` come back
# with the same SHA-256, and the responder never needs 64 MiB of memory, not
# even for a peer that sends and does not read. With several sessions at once
# it needs little more.
. "$(dirname "$0")/session.inc"
: "${HANDFAST_BIG:=64}"
LIMIT=65536 # KiB
make_pki

# peak PID: the most memory that it had, in KiB
peak() { sed -n 's/VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }
# A sanitizer's shadow is not the program's memory.
small() {
	if [ -n "${SAN:-}" ]; then
		echo "note: $1: peak $2 KiB, with a sanitizer"
	elif [ -n "$2" ] && [ "$2" -lt $LIMIT ]; then
		ok "$1: peak $2 KiB"
	else
		fail "$1: peak '$2' KiB, limit $LIMIT"
	fi
}
# Bytes that do not repeat, without a file of that size.
cat >bytes.py <<'PY'
import hashlib, os, sys
key, mib = os.urandom(32), int(sys.argv[1])
digest = hashlib.sha256()
block = bytearray(hashlib.shake_256(key).digest(1 << 20))
for i in range(mib):
    block[:8] = i.to_bytes(8, "big")
    digest.update(block)
    sys.stdout.buffer.write(block)
sys.stdout.buffer.flush()
open(sys.argv[2], "w").write(digest.hexdigest())
PY

start big tcp --echo
begun=$(date +%s%N)
got=$(/usr/bin/python3 bytes.py "$HANDFAST_BIG" sent |
    { "$HANDFAST" initiate --connect "$at" $as_alice 2>err; echo $? >code; } |
    tee >(wc -c >count) | sha256sum | cut -d' ' -f1)
ms=$((($(date +%s%N) - begun) / 1000000))
same "$HANDFAST_BIG MiB: exit code" 0 "$(cat code)"
same "$HANDFAST_BIG MiB: SHA-256" "$(cat sent)" "$got"
i=0
while [ ! -s count ] && [ $i -lt 100 ]; do sleep 0.05; i=$((i + 1)); done
same "$HANDFAST_BIG MiB: bytes" $((HANDFAST_BIG << 20)) "$(cat count)"
hwm=$(peak $pid)
small "$HANDFAST_BIG MiB" "$hwm"
echo "note: $HANDFAST_BIG MiB to the echo and back in $ms ms," \
    "$((HANDFAST_BIG * 1000 / (ms + 1))) MiB/s, responder's peak $hwm KiB"
await 'event=session' big.log
has "$HANDFAST_BIG MiB: in the log" "result=ok .* bytes_in=\
$((HANDFAST_BIG << 20)) bytes_out=$((HANDFAST_BIG << 20)) " big.log
stop $pid
same 'SIGTERM' 0 $code

# One that sends all it can and reads nothing: the responder stops reading.
start stuck tcp --echo
mkfifo stuck.fifo
head -c 100000000 /dev/zero | "$HANDFAST" initiate --connect "$at" \
    $as_alice >stuck.fifo 2>err &
stuck=$!
pids="$pids $stuck"
exec 7<stuck.fifo
sleep 2
small 'a peer that does not read' "$(peak $pid)"
/usr/bin/python3 bytes.py 4 sent |
    "$HANDFAST" initiate --connect "$at" $as_alice \
    2>err >out
same 'another is served meanwhile' "$(cat sent)" "$(sum out)"
# It goes on where it was as soon as somebody reads.
same 'and then it ends well' 100000000 "$(wc -c <&7)"
wait $stuck
same 'with its exit code' 0 $?
exec 7<&-
stop $pid

# Several at once.
start many tcp --echo --workers 2
crowd=
for i in 1 2 3 4; do
	{ /usr/bin/python3 bytes.py $((HANDFAST_BIG / 8 + 1)) sent.$i |
	    "$HANDFAST" initiate --connect "$at" $as_alice 2>err.$i |
	    sha256sum | cut -d' ' -f1 >got.$i; } &
	crowd="$crowd $!"
done
wait $crowd
for i in 1 2 3 4; do
	same "session $i of four: SHA-256" "$(cat sent.$i)" "$(cat got.$i)"
done
small 'four sessions at once' "$(peak $pid)"
stop $pid
finish
