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
# Its configuration of a dispatcher is a good one.
awk '/^```conf$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$dir/d.conf"
[ "$(grep -c '^server' "$dir/d.conf")" -eq 2 ] || { echo "no servers"; exit 1; }
"$HANDFAST" dispatch --config "$dir/d.conf" --check || exit 1
lines=$(wc -l <README.md)
[ "$lines" -lt 220 ] || { echo "README.md has $lines lines"; exit 1; }
