#!/bin/bash
# SPDX-License-Identifier: ISC
# The source archive: twice the same bytes, and the library builds from it. To
# measure the library takes no more packages than itself; each target has what
# it uses among its packages.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
git -C "$here" rev-parse -q --verify HEAD >/dev/null 2>&1 || {
	echo 'not a git checkout'
	exit 77
}
. "$here/tests/sh/lib.inc"
unset MAKEFLAGS MFLAGS MAKEOVERRIDES # of the make that runs this
for n in 1 2; do
	expect 0 make -C "$here" --no-print-directory BUILD="$PWD/$n" dist
	sleep 1
done
cmp 1/handfast-*.tar.gz 2/handfast-*.tar.gz || fail 'two archives differ'
expect 0 tar -xzf 1/handfast-*.tar.gz
mkdir elsewhere
cp -a handfast-*/ elsewhere/
for at in handfast-* elsewhere/handfast-*; do
	expect 0 make -C "$at" CC="${CC:-gcc}" CFLAGS='-O0 -g' HARDEN= \
	    BUILD=there there/proto/frame.o
	expect 0 env SOURCE_DATE_EPOCH=86400 make -C "$at" BUILD=there \
	    there/man/handfast.7
	checks=$((checks + 1))
	grep -q '"1970-01-02"' "$at/there/man/handfast.7" ||
	    fail "$at: the page has another date"
done
for f in proto/frame.o man/handfast.7; do
	checks=$((checks + 1))
	cmp handfast-*/there/$f elsewhere/handfast-*/there/$f ||
	    fail "$f: where it is built stands in it"
done
cd handfast-* || exit 1
expect 0 make -j2 CC="${CC:-gcc}" CFLAGS=-O0 HARDEN= lib
for f in libhandfast.a libhandfast.so; do
	checks=$((checks + 1))
	[ -s build/$f ] || fail "no $f from the archive"
done
expect 0 make -n --no-print-directory BUILD=none bench-lib
prints 'sodium\.h'
checks=$((checks + 1))
grep -q 'cmocka\|uv\.h' out && fail 'bench-lib asks for more than the library'
# What has deps-test has all of this if check has. Of cross make -n runs a part.
targets=$(sed -nE '/deps-test *$/d; s/^([a-z-]+):.*\bdeps\b.*/\1/p' Makefile |
    grep -vx cross)
is 'targets' "$(echo "$targets" | grep -cxE 'demo-agent|demo-cluster|lint|ct')" 4
for target in check bench bench-agent $targets; do
	expect 0 make -n --no-print-directory BUILD=none STORE=lmdb "$target"
	for need in cmocka.h:libcmocka-dev /usr/bin/python3:python3; do
		grep -qF "${need%:*}" out || continue
		checks=$((checks + 1))
		grep 'for p in ' out | grep -qE " ${need#*:}[ ;]" ||
		    fail "$target: no ${need#*:} among its packages"
	done
done
finish
