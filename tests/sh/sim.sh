#!/bin/bash
# SPDX-License-Identifier: ISC
# The simulation of sessions that move: 2,000 seeds without a violation and
# with everything reached, the same trace twice, planted faults found; and the
# retry window searched whole. A quarter of the seeds with sanitizers.

set -u
cd "$(dirname "$0")/../.." || exit 1
sim="${BUILD:=build}/sim"
[ -x "$sim" ] || { echo "nothing built in $BUILD"; exit 77; }
fail() {
	echo "FAIL: $*"
	exit 1
}
# No key and nonce twice, no two histories, nobody stranded.
seeds() {
	"$sim" 1 "$([ -n "${SAN:-}" ] && echo 500 || echo 2000)" \
	    >"$BUILD/sim.log" 2>&1 || {
		cat "$BUILD/sim.log"
		fail 'a violation, or something was not reached'
	}
	echo "note: $(tail -n 1 "$BUILD/sim.log")"
}
repeats() {
	"$sim" 1 100 >"$BUILD/sim.1" 2>&1
	"$sim" 1 100 >"$BUILD/sim.2" 2>&1
	cmp "$BUILD/sim.1" "$BUILD/sim.2" ||
	    fail 'the same seeds, another trace'
}
# Each fault is found, and for what it does.
planted() {
	while read -r fault what; do
		"$sim" --plant "$fault" 1 8000 >"$BUILD/sim.plant" 2>&1 &&
		    fail "$fault was not found"
		grep -q "$what" "$BUILD/sim.plant" ||
		    fail "$fault was found for another reason"
	done <<-END
		cas-on-epoch written over what its writer never saw
		no-cas-at-confirm written over what its writer never saw
		no-epoch a key and nonce were used twice
		no-digest a history that never was
		claim-first a claim by a resume that nobody made
	END
}
# Every schedule of three attempts and a replay, and of two with a whole
# refresh: nobody is stranded; without the previous secret, or the second compare-and-set, somebody is.
searched() {
	for attempts in 3 2; do
		"$sim" --search "$attempts" 1 >"$BUILD/sim.search" 2>&1 || {
			cat "$BUILD/sim.search"
			fail 'a client is stranded'
		}
		echo "note: $(tail -n 1 "$BUILD/sim.search")"
	done
	for fault in no-previous no-cas-at-confirm; do
		"$sim" --plant "$fault" --search 2 1 >"$BUILD/sim.plant" \
		    2>&1 && fail "the search did not find $fault"
		grep -q 'the client is stranded' "$BUILD/sim.plant" ||
		    fail "the search found $fault for another reason"
	done
}
seeds
repeats
planted
searched
