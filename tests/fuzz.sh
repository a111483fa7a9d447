#!/bin/bash
# Runs the fuzzers of build-fuzz/fuzz, two at a time:
#   fuzz.sh run SECONDS NAME...    each for so long, from its corpus
#   fuzz.sh corpus 0 NAME...       takes what they found into the corpora
#   fuzz.sh lint 0 NAME...         whether each has a corpus and a floor
# A fuzzer fails by a finding, which is kept in build-fuzz/found, or when its
# corpus reaches less than nine tenths of the features that stand in
# tests/fuzz/floors: then the corpus no longer fits what is fuzzed.
set -u
floors=tests/fuzz/floors
corpus_max=100000

# The features that the committed corpus reaches.
measure() {
	build-fuzz/fuzz/"$1" -runs=0 -timeout=20 -rss_limit_mb=4096 \
	    -artifact_prefix=build-fuzz/found/"$1"- tests/fuzz/"$1".corpus \
	    >build-fuzz/log/"$1".corpus 2>&1 || return 1
	sed -n 's/.*DONE .* ft: \([0-9]*\) .*/\1/p' build-fuzz/log/"$1".corpus
}

one() {
	local name=$1 seconds=$2 reached floor log=build-fuzz/log/$1 line
	mkdir -p build-fuzz/corpus/"$name"
	if ! reached=$(measure "$name"); then
		echo "FAIL fuzz/$name: its corpus"
		grep -av '^#' "$log".corpus | tail -n 40
		return
	fi
	floor=$(sed -n "s/^$name //p" $floors)
	if [ "$((reached * 10))" -lt "$((${floor:-9999999} * 9))" ]; then
		echo "FAIL fuzz/$name: its corpus reaches $reached features," \
		    "not ${floor:-known in $floors}"
		return
	fi
	if ! build-fuzz/fuzz/"$name" -max_total_time="$seconds" -timeout=10 \
	    -rss_limit_mb=4096 -artifact_prefix=build-fuzz/found/"$name"- \
	    build-fuzz/corpus/"$name" tests/fuzz/"$name".corpus \
	    >"$log" 2>&1; then
		echo "FAIL fuzz/$name: $(grep -ao 'build-fuzz/found/[^ ]*' \
		    "$log" | head -n 1)"
		grep -av '^#' "$log" | tail -n 40
		return
	fi
	line=$(grep -a 'DONE' "$log" | tail -n 1)
	echo "PASS fuzz/$name: corpus $reached of $floor features; then" \
	    "$(sed 's/^#\([0-9]*\).* ft: \([0-9]*\) .*/\1 runs, \2/' \
	    <<<"$line")"
}

# The fewest inputs that reach what the corpus does not, small ones first.
grow() {
	local name=$1 to=tests/fuzz/$1.corpus new=build-fuzz/merged/$1
	local total size file
	rm -rf "$new"
	mkdir -p "$new" "$to" build-fuzz/corpus/"$name"
	cp -r "$to"/. "$new"
	build-fuzz/fuzz/"$name" -merge=1 -use_counters=0 -timeout=20 \
	    -rss_limit_mb=4096 "$new" build-fuzz/corpus/"$name" \
	    >build-fuzz/log/"$name".merge 2>&1 || return 1
	total=$(cat "$to"/* | wc -c)
	find "$new" -type f -printf '%s %p\n' | sort -n |
	while read -r size file; do
		[[ $file =~ /[0-9a-f]{40}$ ]] || continue
		[ "$((total += size))" -le "$corpus_max" ] || break
		cp "$file" "$to/$(basename "$file" | cut -c 1-12)"
	done
}

# Every fuzzer has inputs and one floor; nothing is there for one that is not.
judge() {
	local bad=0 name path
	wrong() { echo "tests/fuzz: $*"; bad=1; }
	for name; do
		[ -n "$(ls tests/fuzz/"$name".corpus 2>/dev/null)" ] ||
			wrong "$name has no corpus"
		[ "$(grep -cxE "$name [1-9][0-9]*" $floors)" -eq 1 ] ||
			wrong "$name has not one line in floors"
	done
	for path in tests/fuzz/*.corpus; do
		path=${path##*/}
		[[ " $* " == *" ${path%.corpus} "* ]] ||
			wrong "$path is of no fuzzer"
	done
	while read -r name _; do
		[[ " $* " == *" $name "* ]] || wrong "floors: $name is no fuzzer"
	done <$floors
	LC_ALL=C sort -c $floors || bad=1
	return $bad
}

what=$1 seconds=$2
shift 2
if [ "$what" = lint ]; then
	judge "$@"
	exit
fi
mkdir -p build-fuzz/log build-fuzz/found
case $what in
one)
	one "$1" "$seconds"
	;;
corpus)
	for name; do
		grow "$name" || { echo "$name: fails" >&2; exit 1; }
		reached=$(measure "$name") || { echo "$name: fails" >&2; exit 1; }
		echo "$name $reached"
		{ grep -v "^$name " $floors; echo "$name $reached"; } |
		    LC_ALL=C sort >build-fuzz/floors && mv build-fuzz/floors $floors
	done
	;;
run)
	printf '%s\n' "$@" | xargs -P 2 -I @ bash "$0" one "$seconds" @ |
	    tee build-fuzz/log/all
	passed=$(grep -ac '^PASS ' build-fuzz/log/all)
	failed=$(($# - passed))
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	;;
esac
