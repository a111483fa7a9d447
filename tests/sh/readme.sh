#!/bin/sh
# The README word for word: its shell blocks are run in an empty folder, and
# print what it says. Its commands are checked to be all there.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$dir/run.sh"
blocks=$(grep -c '^```sh$' README.md)
[ "$blocks" -eq 2 ] || { echo "README.md has $blocks shell blocks"; exit 1; }
cp "$HANDFAST" "$dir/handfast"
(cd "$dir" && PATH="$dir:$PATH" sh -eu run.sh >out 2>err) || {
	cat "$dir/err"
	exit 1
}
[ "$(cat "$dir/out")" = "hello
hello
hello" ] || { echo "the README's commands print:"; cat "$dir/out"; exit 1; }
if grep -q -e 'warning' -e 'error' "$dir/err"; then
	cat "$dir/err"
	exit 1
fi
lines=$(wc -l <README.md)
[ "$lines" -lt 220 ] || { echo "README.md has $lines lines"; exit 1; }
