#!/bin/bash
# SPDX-License-Identifier: ISC
# What make install puts where; a program outside the tree, as C11 and as
# C++17, found by pkg-config alone, against the shared and the static library;
# what the shared library shows and wants; and that uninstall leaves nothing.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$here/build}
[ -z "${SAN:-}" ] || { echo 'no library with sanitizers is installed'; exit 77; }
. "$here/tests/sh/lib.inc"
unset MAKEFLAGS MFLAGS MAKEOVERRIDES # of the make that runs this
CC=${CC:-gcc}
root=$PWD/root
hfmake() {
	make -C "$here" --no-print-directory BUILD="$BUILD" CC="$CC" \
	    DESTDIR="$root" PREFIX=/usr "$@"
}
# lines WHAT GOT WANTED: of whole sets only the difference is shown.
lines() {
	checks=$((checks + 1))
	diff <(echo "$2") <(echo "$3") >diff || { fail "$1"; cat diff; }
}

umask 077 # of whoever installs: others can read it all the same
expect 0 hfmake install
is 'files that others cannot read' "$(find "$root" -type f ! -perm -044)" ''
[ $failed -eq 0 ] || finish
is 'words of make install' "$(cat err)" ''
for f in bin/handfast include/handfast.h lib/libhandfast.a \
    lib/libhandfast.so.0.1.0 lib/pkgconfig/handfast.pc \
    share/bash-completion/completions/handfast \
    share/zsh/site-functions/_handfast share/man/man1/handfast.1 \
    share/man/man3/handfast.3 share/man/man5/handfast.5 \
    include/handfast/fleet.h include/handfast/conn.h lib/libhandfast-fleet.a \
    lib/libhandfast-fleet.so.0.1.0 lib/pkgconfig/handfast-fleet.pc \
    share/man/man7/handfast-agent.7 share/doc/handfast/agent.cddl \
    share/man/man7/handfast.7 share/man/man7/handfast-store.7 share/doc/handfast/handfast.md \
    share/doc/handfast/handfast.lua share/doc/handfast/examples/handshake.c \
    share/doc/handfast/examples/handshake.py; do
	checks=$((checks + 1))
	[ -s "$root/usr/$f" ] || fail "$f is not installed"
done
lib=$root/usr/lib
so=$lib/libhandfast.so
is 'libhandfast.so' "$(readlink "$so")" libhandfast.so.0
is 'libhandfast.so.0' "$(readlink "$so.0")" libhandfast.so.0.1.0
hf 0 version
cp out version
expect 0 "$root/usr/bin/handfast" version
lines 'the installed program' "$(cat out)" "$(cat version)"

# The shared library: names, needs.
tag() {
	readelf -dW "$so" | sed -n "s/.*($1).*\\[\\(.*\\)\\]/\\1/p"
}
is 'soname' "$(tag SONAME)" libhandfast.so.0
is 'what it links' "$(tag NEEDED | sed 's/\.so.*//' | grep -vx libc | sort |
    tr '\n' ' ')" 'libcbor libsodium '
# Declared is what stands outside comments before a parenthesis.
lines 'exported names' "$(nm -D --defined-only "$so" |
    awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)" \
    "$(sed 's,/\*.*,,; /^ \*/d' "$here/proto/handfast.h" |
	grep -oE '\bhf_[a-z0-9_]+\(' | tr -d '(' | sort -u)"
# Of libc: memory and strings, and what the compiler adds.
lines 'imported names' "$(nm -D --undefined-only "$so" |
    awk '{ sub(/@.*/, "", $2); print $2 }' |
    grep -vE '^(crypto|sodium|randombytes|cbor)_' |
    grep -vxE '(__)?(mem(chr|cmp|cpy|move|set)|str(len|n?cmp|n?len|r?chr))(_chk)?' |
    grep -vxE '[mc]alloc|realloc|free|qsort|bsearch|__stack_chk_fail' |
    grep -vxE '_ITM_(de)?registerTMCloneTable|__cxa_finalize|__gmon_start__')" ''

# A program outside the tree.
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$lib/pkgconfig
expect 0 pkg-config --modversion handfast
is 'version' "handfast $(cat out)" "$(head -n 1 version)"
read -ra flags <<<"$(pkg-config --cflags --libs handfast)"
is 'links itself alone' \
    "$(printf '%s\n' "${flags[@]}" | grep -c -e '^-l')" 1
# For the static library, everything that it needs, from where it is.
read -ra static <<<"$(pkg-config --static --libs-only-l handfast |
    sed 's/-lhandfast/-l:libhandfast.a/')"
cp "$root/usr/share/doc/handfast/examples/handshake.c" meet.c
cp meet.c meet.cc
warn='-Wall -Wextra -Wpedantic -Werror'
expect 0 $CC -std=c11 $warn meet.c "${flags[@]}" -o c11
expect 0 $CC -std=c11 $warn meet.c -I"$root/usr/include" -L"$lib" \
    "${static[@]}" -o c11-static
for cxx in g++ clang++; do
	command -v $cxx >/dev/null && break
done
expect 0 $cxx -std=c++17 $warn meet.cc "${flags[@]}" -o c++17
expect 0 $cxx -std=c++17 $warn meet.cc -I"$root/usr/include" -L"$lib" \
    "${static[@]}" -o c++17-static
for program in c11 c++17 c11-static c++17-static; do
	links=1
	case $program in
	*-static) links=0 ;;
	esac
	is "$program links libhandfast.so.0" \
	    "$(readelf -dW $program | grep -c 'libhandfast\.so\.0')" $links
	expect 0 env LD_LIBRARY_PATH="$lib" ./$program
	prints '^server, by x25519-chacha20poly1305$'
	prints '^alice, by x25519-chacha20poly1305$'
	prints '^hello from alice$'
	prints '^hello from the server$'
done

# The fleet's library: its names are hf_, its own functions are no others', and
# a program needs conn.h alone.
so=$lib/libhandfast-fleet.so
is 'soname of the fleet' "$(tag SONAME)" libhandfast-fleet.so.0
is 'what the fleet links' "$(tag NEEDED | grep -c '^libhandfast\.so\.0$')" 1
lines 'other names of the fleet' "$(nm -D --defined-only "$so" |
    awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | grep -v '^hf_[a-z]')" ''
lines 'functions of conn.h' "$(sed 's,/\*.*,,; /^ \*/d' "$here/fleet/conn.h" |
    grep -oE '\bhf_conn_[a-z_]+\(' | tr -d '(' | sort -u | while read -r f; do
	nm -D --defined-only "$so" | grep -q " T $f@" || echo "$f"
done)" ''
cp "$here/tests/agent/app.c" app.c
read -ra flags <<<"$(pkg-config --cflags --libs handfast-fleet)"
expect 0 $CC -std=c11 -D_GNU_SOURCE $warn app.c "${flags[@]}" -o app \
    -Wl,-rpath-link,"$lib"
# All of the static one links by what its .pc file names.
read -ra parts <<<"$(pkg-config --print-requires-private handfast-fleet |
    tr '\n' ' ')"
read -ra parts <<<"$(pkg-config --libs-only-l "${parts[@]}")"
expect 0 $CC -std=c11 -D_GNU_SOURCE $warn app.c -I"$root/usr/include" \
    -I"$root/usr/include/handfast" -L"$lib" -Wl,--whole-archive \
    -l:libhandfast-fleet.a -Wl,--no-whole-archive "${static[@]}" \
    "${parts[@]}" -o app-static
expect 2 env LD_LIBRARY_PATH="$lib" sh -c './app || { echo "handfast: error: usage" >&2; exit 2; }'

# The units start what was installed.
for f in "$here"/fleet/systemd/*; do
	unit=$root/usr/share/doc/handfast/examples/${f##*/}
	is "${f##*/}" "$(cat "$unit")" \
	    "$(sed 's|=/usr/local/bin/|=/usr/bin/|' "$f")"
done
is 'units of another prefix' "$(grep -l /usr/local/ \
    "$root"/usr/share/doc/handfast/examples/*.service)" ''

expect 0 hfmake uninstall
is 'directory left by uninstall' "$(find "$root" -name 'handfast*')" ''
lines 'left by uninstall' "$(find "$root" ! -type d)" ''
expect 0 hfmake install LIBDIR=/usr/lib/here
checks=$((checks + 1))
[ -s "$root/usr/lib/here/libhandfast.a" ] || fail 'LIBDIR is ignored'
is 'libdir' "$(sed -n 's/^libdir=//p' "$lib/here/pkgconfig/handfast.pc")" \
    /usr/lib/here
finish
