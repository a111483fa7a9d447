#!/bin/bash
# SPDX-License-Identifier: ISC
# Faults, for `make faults`: run.sh BUILD PART...; a part is a program or a
# Python script that prints a line for each case. Three run at a time, each with
# its time limit; their lines come when they have ended. The last line is the
# total, and fewer than LEAST cases are a failure of their own.

set -u
LEAST=200 AT_ONCE=3 SECONDS_EACH=${TEST_SECONDS:-600}
build=$(realpath "$1") && shift || exit 1
cd "$(dirname "$0")/../.." || exit 1
export BUILD="$build" HANDFAST="$build/handfast" PYTHONDONTWRITEBYTECODE=1
mkdir -p "$build/log"

part() { # PART
	name=$(basename "${1%.py}")
	out=$build/log/faults-${name#faults-}.log
	case $1 in
	*.py) run="/usr/bin/python3 $1";;
	*) run=$1;;
	esac
	start=$(date +%s%N)
	timeout -k 10 "$SECONDS_EACH" $run >"$out" 2>&1 </dev/null
	code=$?
	ms=$((($(date +%s%N) - start) / 1000000))
	{
		grep -aE '^(PASS|FAIL|note:|    )' "$out"
		if [ $code -eq 77 ]; then
			echo "note: $name: $(tail -n 1 "$out")"
		elif [ $code -gt 1 ] || ! tail -n 1 "$out" |
		    grep -aEq '^[0-9]+ passed, [0-9]+ failed$'; then
			echo "FAIL faults/$name broke off: exit code $code"
			tail -n 20 "$out" | sed 's/^/    /'
		fi
		echo "note: faults/$name took $((ms / 1000)) s"
	} >"$out.lines"
	cat "$out.lines"
}

all() {
	for p in "$@"; do
		while [ "$(jobs -rp | wc -l)" -ge $AT_ONCE ]; do
			wait -n
		done
		part "$p" &
	done
	wait
}

all "$@" | awk -v least=$LEAST '{ print; fflush() }
    /^PASS/ { p++ } /^FAIL/ { f++ }
    END {
	if (p + f < least) {
		print "FAIL faults: " p + f " cases, not " least
		f++
	}
	print p + 0 " passed, " f + 0 " failed"
	exit f > 0
    }'
