#!/bin/bash
# SPDX-License-Identifier: ISC
# Who wants neither PostgreSQL nor metrics has none of their libraries in the
# process, and needs none of them on the machine; who does is told what is
# missing.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$here/build}
. "$here/tests/sh/lib.inc"
HANDFAST=${HANDFAST:-$BUILD/handfast}
missing='libnone.so.1: cannot open shared object file: No such file or directory'

expect 0 ldd "$HANDFAST"
ldd "$HANDFAST" >libraries
is 'a library' "$(grep -c 'libuv[.]' libraries)" 1
is 'those of others' "$(grep -cE \
    'lib(pq|microhttpd|gnutls|ssl|crypto|krb5|ldap)[-.]' libraries)" 0

# with FILE WORD...: the program, with that one in the place of both.
with() {
	HANDFAST_INSTEAD=$1 LD_PRELOAD=$BUILD/tests/instead.so \
	    ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-} \
	    "$HANDFAST" "${@:2}"
}
for command in 'store init' 'session list' 'cluster members'; do
	expect 8 with libnone.so.1 $command --store postgresql:///web
	says "^handfast: error: postgresql:///web: $missing \(HF_E_STORE\)$"
	expect 8 with libm.so.6 $command --store postgresql:///web
	says 'libm.so.6: undefined symbol: PQ[A-Za-z]* \(HF_E_STORE\)$'
done
expect 0 with libnone.so.1 store init --store lmdb:db

# dispatcher LINE: a file with that line more.
dispatcher() {
	cat >d.conf <<-CONF
	listen = {"unix:d.sock"}
	$1
	server "a" { address = "127.0.0.1:1" }
	CONF
}
dispatcher 'metrics = "unix:m"'
for check in --check ''; do
	expect 3 with libnone.so.1 dispatch --config d.conf $check
	says "^handfast: error: metrics: $missing$"
	expect 3 with libm.so.6 dispatch --config d.conf $check
	says 'libm.so.6: undefined symbol: MHD_[a-z_]*$'
done
dispatcher 'store = "postgresql:///web"'
expect 8 with libnone.so.1 dispatch --config d.conf --check
says "^handfast: error: postgresql:///web: $missing \(HF_E_STORE\)$"
dispatcher ''
expect 0 with libnone.so.1 dispatch --config d.conf --check
finish
