#!/bin/bash
# SPDX-License-Identifier: ISC
# Constant time (threats A33, A49), for `make ct`: run.sh O0-BUILD O2-BUILD.
# ct-secrets of both builds under memcheck, at once; then ct-times, alone. What
# memcheck said of a test that failed is shown, and kept in ct-secrets.log.

set -u
cd "$(dirname "$0")/../.." || exit 1
command -v valgrind >/dev/null || { echo 'FAIL ct: no valgrind'; exit 1; }

watch() { # BUILD LABEL
	timeout -k 10 900 valgrind -q --error-limit=no \
	    --log-file="$1/ct-secrets.log" \
	    --suppressions=tests/ct/memcheck.supp "$1/ct-secrets" "$2" \
	    >"$1/ct-secrets.out" 2>&1
	echo $? >"$1/ct-secrets.code"
}

# The lines of one program, and what the log has on those that failed.
show() { # OUT LOG
	grep -E '^(PASS|FAIL|note:)' "$1"
	[ -n "${2:-}" ] || return
	sed -n 's/^FAIL \([^: ]*\).*/\1/p' "$1" | while read -r name; do
		awk -v name="$name" '/^\*\*.* == / { on = $NF == name; next }
		    on' "$2" | head -n 60 | sed 's/^/    /'
	done
}

# A program that broke off is a failure of its own.
ended() { # NAME CODE OUT
	tail -n 1 "$3" | grep -Eq '^[0-9]+ passed, [0-9]+ failed$' &&
	    [ "$2" -le 1 ] && return
	echo "FAIL $1 did not end as it should: exit code $2"
	tail -n 5 "$3" | sed 's/^/    /'
}

all() {
	watch "$1" O0 &
	watch "$2" O2
	wait
	for b in "$1" "$2"; do
		show "$b/ct-secrets.out" "$b/ct-secrets.log"
		ended "$b/ct-secrets" "$(cat "$b/ct-secrets.code")" \
		    "$b/ct-secrets.out"
	done
	# Where things lie in memory is drawn with each process, and in some of
	# them a verifier that is read costs some 25 ns more than one that is not
	# there. What a secret tells it tells in each.
	for again in 4 3 2 1 0; do
		timeout -k 10 300 "$2/ct-times" times >"$2/ct-times.out" 2>&1
		code=$?
		[ $code -eq 1 ] && [ $again -gt 0 ] || break
		sed -n 's/^FAIL \(.*\)/note: once more: \1/p' "$2/ct-times.out"
	done
	show "$2/ct-times.out"
	ended "$2/ct-times" "$code" "$2/ct-times.out"
}

[ -x "$1/ct-secrets" ] && [ -x "$2/ct-times" ] || {
	echo 'FAIL ct: nothing is built'
	exit 1
}
all "$1" "$2" | awk '{ print; fflush() } /^PASS/ { p++ } /^FAIL/ { f++ }
    END { print p + 0 " passed, " f + 0 " failed"; exit f > 0 || p == 0 }'
