#!/bin/bash
# SPDX-License-Identifier: ISC
# Two servers, one session, one resume at both: one owner each time. `make
# races` does it 10,000 times.
set -u
cd "$(dirname "$0")/../.." || exit 1
races="${BUILD:=build}/races"
[ -x "$races" ] || { echo "nothing built in $BUILD"; exit 77; }
one_owner() {
	"$races" "${HANDFAST:-$PWD/build/handfast}" 400
}
one_owner
