#!/bin/bash
# SPDX-License-Identifier: ISC
# Constant time (threats A33, A49): tests/ct/secrets.c under memcheck must be
# silent, and its control, which leaks, must not be. Builds tests/ct/dudect.c
# too, whose measurements are for a quiet machine and run only on request.

set -u
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}" "${CC:=gcc}"
[ -z "${SAN:-}" ] || { echo 'skipped: no memcheck under a sanitizer'; exit 77; }
[ -f "$BUILD/libtesting.a" ] || { echo "nothing built in $BUILD"; exit 77; }
build() {
	$CC -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Iproto \
	    -Itests -o "$BUILD/tests/ct_$1" "tests/ct/$1.c" \
	    "$BUILD/libtesting.a" "$BUILD/libhandfast.a" -lcmocka -ljansson \
	    -lsodium -lcbor -ldl -lm
}
mkdir -p "$BUILD/tests"
build dudect || { echo 'FAIL: dudect does not build'; exit 1; }
command -v valgrind >/dev/null &&
    echo '#include <valgrind/memcheck.h>' | $CC -E -x c - >/dev/null 2>&1 || {
	echo 'skipped: no valgrind (apt-get install valgrind)'
	exit 77
}
build secrets || { echo 'FAIL: secrets does not build'; exit 1; }
check() {
	valgrind -q --error-exitcode=9 --track-origins=yes \
	    --suppressions=tests/ct/memcheck.supp "$BUILD/tests/ct_secrets" "$@"
}
check || { echo 'FAIL: the program takes its course by a secret'; exit 1; }
check leak >/dev/null 2>&1
[ $? -eq 9 ] || { echo 'FAIL: the leak of the control was not seen'; exit 1; }
echo 'note: timing is measured on request: tests/ct_dudect'
