#!/bin/bash
# SPDX-License-Identifier: ISC
# The library in other programs: the README's example, word for word, as C11
# and as C++17, with a driver that reads what the program's commands wrote; a
# client with an event loop of its own; Python.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$here/build}
. "$here/tests/sh/lib.inc"
CC=${CC:-gcc}
examples=$here/tests/examples
warn="-Wall -Wextra -Wpedantic -Werror -I$here/proto"
[ -z "${SAN:-}" ] || warn="$warn -fsanitize=address,undefined"
libs="$BUILD/libhandfast.a -lsodium -lcbor"
# The same compiler's C++: what sanitizers bring along differs.
case $CC in
*clang*) cxx=clang++ ;;
*) cxx=g++ ;;
esac

# An authority, a server and a client.
hf 0 ca init ca --name 'My CA'
for n in echo alice stranger; do
	hf 0 keygen -o $n.key
	hf 0 cert request --identity $n.key --subject $n -o $n.req
done
hf 0 cert issue --ca ca --request echo.req --usage responder -o echo.cert
hf 0 cert issue --ca ca --request alice.req --usage initiator -o alice.cert
hf 0 cert issue --ca ca --request stranger.req --usage responder \
    -o stranger.cert

# The README's only block of C.
is 'blocks of C' "$(grep -c '^```c$' "$here/README.md")" 1
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$here/README.md" >meet.c
cp "$examples/readme_driver.c" driver.c
expect 0 $CC -std=c11 $warn meet.c driver.c $libs -o c11
expect 0 $cxx -std=c++17 $warn -x c++ meet.c driver.c -x none $libs -o c++17
for program in c11 c++17; do
	expect 0 ./$program ca/ca.cert alice.key alice.cert echo.key echo.cert
	is "$program prints" "$(cat out)" hello
	# Another name than expected: nothing is said.
	checks=$((checks + 1))
	./$program ca/ca.cert alice.key alice.cert stranger.key stranger.cert \
	    >out 2>err
	is "$program with a stranger" "$? $(cat out err)" \
	    '4 meet: the peer has another name than expected'
done

# A client under libuv, against the program.
expect 0 $CC -std=c11 -D_GNU_SOURCE $warn "$examples/uv_client.c" $libs -luv \
    -o uv_client
hf 0 ticket ring ring
for n in echo other; do
	hf 0 ticket issue --ring ring --subject carol --audience $n --ttl 1h \
	    -o $n.ticket
done
"$HANDFAST" respond --listen unix:echo.sock --identity echo.key \
    --cert echo.cert --trust ca/ca.cert --ring ring --echo 2>log &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$tmp"' EXIT
for _ in $(seq 100); do
	[ -S echo.sock ] && break
	sleep 0.1
done
expect 0 ./uv_client echo.sock ca/ca.cert echo.ticket 'hello, uv'
is 'the echo' "$(cat out)" 'hello, uv'
./uv_client echo.sock ca/ca.cert other.ticket hello >out 2>err
is 'a ticket for another' "$? $(cat out err)" \
    '4 session: the peer has another name than expected'
kill $server
wait $server

# Every constant of the header, and nothing else, has its name and value.
$CC -E -P -x c "$here/proto/handfast.h" | tr -d '\n' |
    grep -oE 'enum( [a-z_]+)? *[{][^}]*' | sed 's/.*{//' | tr ',' '\n' |
    sed -n 's/^[[:space:]]*\(HF_[A-Z0-9_]*\).*/\1/p' |
    grep -vE '^HF_(OK$|E_)' >names
{
	echo '#include <handfast.h>'
	echo '#include <stdio.h>'
	echo 'int main(void) { int bad = 0;'
	sed 's/.*/if (hf_constant("&") != (int64_t)(&)) bad = !!puts("&");/' names
	echo 'if (hf_constant("HF_NONE") != -1 || hf_constant("") != -1 ||'
	echo '    hf_constant("HF_OK") != -1 || hf_constant(NULL) != -1)'
	echo '    bad = !!puts("what is none");'
	echo 'return bad; }'
} >constants.c
expect 0 $CC -std=c11 $warn constants.c $libs -o constants
expect 0 ./constants
is 'constants' "$(sed -n 's/^.*X(\(HF_[A-Z0-9_]*\)).*/\1/p' \
    "$here/proto/constant.c" | sort)" "$(sort names)"

# Python, through ctypes.
if [ -n "${SAN:-}" ]; then
	echo 'note: embed: python loads no library with sanitizers'
else
	py="/usr/bin/python3 $examples/handshake.py $BUILD/libhandfast.so"
	files='ca/ca.cert alice.key alice.cert'
	expect 0 $py $files echo.key echo.cert
	is 'python' "$(cat out)" "echo by x25519-chacha20poly1305
alice by x25519-chacha20poly1305
hello"
	$py $files >out 2>err
	is 'python without its files' "$? $(sed -n 1p err)" \
	    '1 A handshake in memory through ctypes, of files made by `handfast`.'
	$py $files stranger.key stranger.cert >out 2>err
	is 'python with a stranger' "$? $(cat out err)" \
	    '1 hf_session_feed: the peer has another name than expected'
fi

finish
