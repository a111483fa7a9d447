#!/bin/bash
# SPDX-License-Identifier: ISC
# The manual pages: mandoc has nothing to say, not even about style; each has
# EXAMPLES and EXIT STATUS; handfast(3) names every function and error that
# there is; the examples are run and compiled. Options: see completion.sh.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$here/build}
command -v scdoc >/dev/null || { echo 'no scdoc'; exit 77; }
unset MAKEFLAGS MFLAGS MAKEOVERRIDES # of the make that runs this
make -C "$here" --no-print-directory BUILD="$BUILD" man || exit 1
. "$here/tests/sh/lib.inc"
CC=${CC:-gcc}

for n in .1 .3 .5 .7 -agent.7 -store.7; do
	page=$BUILD/man/handfast$n
	expect 0 mandoc -T lint "$page"
	is "mandoc -T lint handfast$n" "$(cat out)" ''
	for section in NAME DESCRIPTION EXAMPLES 'EXIT STATUS'; do
		checks=$((checks + 1))
		grep -qx ".SH $section" "$page" ||
		    fail "handfast$n has no $section"
	done
done

# Names are plain text on the page.
sed 's/\\f.//g' "$BUILD/man/handfast.3" >plain
is 'functions' "$(nm -D --defined-only "$BUILD/libhandfast.so" |
    awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort)" \
    "$(sed -n '/^\.SH FUNCTIONS/,/^\.SH THREADS/p' plain |
	grep -oE 'hf_[a-z0-9_]+' | sort)"
is 'errors' "$(grep -oE 'X\(HF_[A-Z_]+' "$here/proto/handfast.h" |
    sed 's/X(//')" \
    "$(sed -n '/^\.SH ERRORS/,/^\.SH EXIT/p' plain | grep -oE '^HF_[A-Z_]+')"

# Whatever stands in a log line of respond and dispatch is on their page.
sed 's/\\f.//g; s/\\//g' "$BUILD/man/handfast.1" |
    sed -n '/^\.SH LOG LINES/,/^\.SH ENVIRONMENT/p' >lines
fields=$(cat "$here"/cli/service.c "$here"/cli/respond.c "$here"/cli/dispatch.c |
    tr -d '\n' | grep -oE 'log_(begin|text|bytes|number)\(&line,[[:space:]]*"[a-z_-]+"' |
    sed 's/.*"\(.*\)"/\1/' | sort -u)
for f in $fields $(sed -n 's/.*c->how = "\(.*\)";/\1/p' "$here"/fleet/dispatch*.c); do
	checks=$((checks + 1))
	grep -qw -- "$f" lines || fail "handfast(1) does not tell of $f in log lines"
done
checks=$((checks + 1))
[ "$(echo "$fields" | wc -l)" -gt 20 ] || fail "only these: $fields"

# Each want with the call that the header answers it by.
sed -n '/^\.SH WANTS/,/^\.SH FUNCTIONS/p' plain | tr '\n' ' ' |
    sed 's/ HF_WANT/\nHF_WANT/g' >wants
sed -n 's/^ \*     case \(HF_WANT_[A-Z]*\):.* \(hf_[a-z_]*\)().*/\1 \2/p' \
    "$here/proto/handfast.h" >answers
is 'wants with an answer' "$(wc -l <answers)" 9
while read -r want answer; do
	checks=$((checks + 1))
	grep "^$want " wants | grep -qw "$answer" ||
	    fail "handfast(3) does not answer $want by $answer()"
done <answers

# The blocks of code in the source of a page.
blocks() {
	awk '/^```$/ { on = !on; next } on' "$here/cli/man/handfast.$1.scd" |
	    sed 's/\\\\/\\/g'
}
blocks 3 | sed -n '/^#include/,$p' >talk.c
expect 0 $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-result -Werror \
    -I"$here/proto" -fsyntax-only talk.c

ln -s "$HANDFAST" handfast
PATH=$PWD:$PATH
mkdir one five
blocks 1 >one.sh
(cd one && sh -eu ../one.sh) >out 2>err || { fail 'handfast(1)'; cat err; }
is 'what it prints' "$(grep -c '^hello$' out)" 4
prints '^again$'
prints '^verified: '
blocks 5 | sed -n '/^handfast/,/^handfast cert verify/p' |
    grep -v '^handfast-users' | grep -vE '^(alice|bob) ' >five.sh
(umask 077 && echo 'correct horse' >five/password)
(cd five && sh -eu ../five.sh) >out 2>err || { fail 'handfast(5)'; cat err; }
prints '^verified: '
is 'files of handfast(5)' "$(cd five && find . -type f ! -name '.*.lock' | sort | tr '\n' ' ')" \
    './ca/ca.cert ./ca/ca.key ./ca/ca.list ./carol.ticket ./echo.cert ./echo.key ./echo.req ./my.list ./password ./ring ./users '
finish
