#!/bin/bash
# SPDX-License-Identifier: ISC
# The source archive: twice the same bytes, and the library builds from it. To
# measure the library takes no more packages than itself.
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
finish
