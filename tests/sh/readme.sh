#!/bin/sh
# The README word for word: its shell blocks are run in an empty folder, and
# print what it says. Its commands are checked to be all there.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' HUP INT PIPE TERM
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
# So is the first use that the program's own help teaches.
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$dir/help"
"$HANDFAST" help | sed -n '/^  handfast ca init/,/^$/p' |
    sed "s/:7000/:$port/" >"$dir/help/run.sh"
echo 'kill $!' >>"$dir/help/run.sh"
said=$(cd "$dir/help" && PATH="$dir:$PATH" sh -u run.sh 2>err) || :
[ "$said" = hello ] || {
	echo "the help's first use prints '$said':"
	cat "$dir/help/err"
	exit 1
}
# Its configuration of a dispatcher is a good one.
awk '/^```conf$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$dir/d.conf"
[ "$(grep -c '^server' "$dir/d.conf")" -eq 2 ] || { echo "no servers"; exit 1; }
"$HANDFAST" dispatch --config "$dir/d.conf" --check || exit 1
lines=$(wc -l <README.md)
[ "$lines" -lt 220 ] || { echo "README.md has $lines lines"; exit 1; }
