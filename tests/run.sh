#!/bin/bash
# SPDX-License-Identifier: ISC
# Runs tests, a few at a time, for make: run.sh TEST...
#
# One line a test: PASS, FAIL or SKIP (exit code 77), and its seconds. The
# output is kept in $BUILD/log and shown where it fails, or with V=1; lines
# that begin with "note:" and what was skipped are always shown. $RUN is what
# runs programs for another machine. Most tests wait more than they compute,
# so AT_ONCE is two more than there are processors; a shell test that says
# "# alone: WHY" in a line of its own comes last, and by itself. So does, once
# more, one that failed beside others: AGAIN, with all that it said.

set -u
AT_ONCE=${AT_ONCE:-$(($(nproc) + 2))}
SECONDS_EACH=${TEST_SECONDS:-900}
log=$BUILD/log
mkdir -p "$log" || exit 1
export CC HANDFAST BUILD SAN PYTHONDONTWRITEBYTECODE=1

command_of() { # TEST, into the array `run`
	case $1 in
	*.sh) read -r interpreter <"$1" && run=("${interpreter#??}" "$1") ;;
	*.py) run=("$PYTHON" "$1") ;;
	lint-*) run=(make --no-print-directory "$1") ;;
	*) run=(${RUN:-} "$1") ;;
	esac
}

# What there is to say of a test goes to its own file, in one piece.
tell() { # WORD NAME MS CODE LOG
	printf '%s %s (%d.%03d s)\n' "$1" "$2" $(($3 / 1000)) $(($3 % 1000))
	if [ "$1" = FAIL ] || [ "$1" = AGAIN ] || [ -n "${V:-}" ]; then
		sed 's/^/    /' "$5"
		echo "    exit code $4"
	elif [ "$1" = SKIP ]; then
		tail -n 1 "$5" | sed 's/^/    /'
	else
		grep -aE '^note:|SKIPPED \] [a-z]' "$5" |
		    awk '!seen[$0]++ { print "    " $0 }'
	fi
}

one() { # TEST [beside others]
	local name=${1#"$BUILD"/} out start ms code word run interpreter
	name=${name#"${BUILD#"$PWD"/}"/}
	out=$log/$(basename "$1")
	command_of "$1"
	start=$(date +%s%N)
	timeout -k 10 "$SECONDS_EACH" "${run[@]}" >"$out.log" 2>&1 </dev/null
	code=$?
	ms=$((($(date +%s%N) - start) / 1000000))
	case $code in
	0) word=PASS ;;
	77) word=SKIP ;;
	*) word=FAIL ;;
	esac
	[ $word = FAIL ] && [ -n "${2:-}" ] && word=AGAIN
	tell "$word" "$name" "$ms" "$code" "$out.log" >"$out.told"
	cat "$out.told"
	if [ $word = AGAIN ]; then
		echo "$1" >>"$log/again"
	else
		echo "$word $name" >>"$log/verdicts"
	fi
}

alone() {
	case $1 in
	*.sh | *.py) grep -q '^# alone: ' "$1" ;;
	*) false ;;
	esac
}

# What most scripts begin with is made once.
case "$*" in
*tests/sh/*)
	export HANDFAST_PKI=$BUILD/pki
	rm -rf "$HANDFAST_PKI"
	mkdir "$HANDFAST_PKI"
	(unset HANDFAST_PKI && cd "$BUILD/pki" && sh "$OLDPWD/tests/pki.sh") \
	    >"$log/pki.log" 2>&1 || {
		cat "$log/pki.log"
		exit 1
	}
	;;
esac

: >"$log/verdicts"
: >"$log/again"
last=()
for t in "$@"; do
	if alone "$t"; then
		last+=("$t")
		continue
	fi
	while [ "$(jobs -rp | wc -l)" -ge "$AT_ONCE" ]; do
		wait -n
	done
	one "$t" others &
done
wait
mapfile -t again <"$log/again"
last+=(${again[@]+"${again[@]}"})
for t in ${last[@]+"${last[@]}"}; do
	one "$t"
done

# A test without a verdict did not run to its end, which is a failure too.
count() { grep -c "^$1 " "$log/verdicts"; }
passed=$(count PASS) skipped=$(count SKIP)
failed=$(($# - passed - skipped))
[ ${#again[@]} -eq 0 ] ||
    echo "note: failed beside others, then run alone: ${again[*]##*/}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && exit 0
echo "failed:$(sed -n 's/^FAIL//p' "$log/verdicts" | tr -d '\n')"
exit 1
