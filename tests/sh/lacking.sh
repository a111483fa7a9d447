#!/bin/bash
# SPDX-License-Identifier: ISC
# A build without libpq and hiredis: the program is linked without both, takes
# LMDB as ever, and says of the other stores what it lacks. And the Makefile
# asks for neither.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$here/build}
. "$here/tests/sh/lib.inc"
CC=${CC:-gcc}
san=
[ -z "${SAN:-}" ] || san=-fsanitize=address,undefined

checks=$((checks + 1))
make -C "$here" -nB REDIS= POSTGRES= BUILD="$tmp/b" all >words 2>&1 ||
    fail 'make -n fails without both'
for word in lpq libpq.o lhiredis HF_WITH_REDIS HF_WITH_POSTGRES store_redis \
    store_postgres; do
	is "what make says of $word" "$(grep -c -e "$word" words)" 0
done
is 'what make says of store_none.c' \
    "$(grep -c -e 'store_none.o fleet/store_none.c' words)" 1

# What stands in the engines' place comes before them.
expect 0 $CC -std=c11 -D_GNU_SOURCE $san -I"$here/fleet" -I"$here/proto" -c \
    "$here/fleet/store_none.c" -o none.o
libs='-luv -llmdb -lsodium -lcbor -lbsd -lconfuse -ljansson'
! grep -q -e -lseccomp words || libs="$libs -lseccomp"
expect 0 $CC $san -o lacking "$BUILD/cli/handfast.o" none.o \
    "$BUILD/libhandfast-cli.a" "$BUILD/libhandfast-fleet.a" \
    "$BUILD/libhandfast.a" $libs -lm -lpthread -ldl
is 'its libraries' "$(ldd lacking | grep -c 'libpq\|libhiredis')" 0

for uri in redis://127.0.0.1 rediss://127.0.0.1 \
    'redis://a,b?sentinel=web' redis:///nowhere/redis.sock \
    postgresql:///web postgres://127.0.0.1/web; do
	for command in 'store init' 'session list' 'cluster members'; do
		expect 2 ./lacking $command --store "$uri"
		says ': this build has no client library for such a store \(HF_E_UNSUPPORTED\)$'
	done
done
expect 2 ./lacking store init --store file:/tmp
says 'not lmdb:DIR, redis://... or postgresql://...'
expect 0 ./lacking store init --store lmdb:db
expect 0 ./lacking ca init ca --name CA
expect 0 ./lacking cluster init --ca ca --name web --store lmdb:db -o web.cert
expect 0 ./lacking cluster members --store lmdb:db
finish
