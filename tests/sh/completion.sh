#!/bin/bash
# SPDX-License-Identifier: ISC
# What the shells complete, what the manual page names, what the help names
# and what the program takes are the same commands and options.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
. "$here/tests/sh/lib.inc"
. "$here/cli/completion/handfast.bash"

# Options from text, one a line, sorted; --help is everywhere.
options() {
	grep -oE -- '(^|[^a-z-])--?[a-z][a-z-]*' |
	    grep -oE -- '--?[a-z][a-z-]*$' | grep -vxF -- --help | sort -u
}
in_help() {
	"$HANDFAST" help "$1" |
	    awk '/^$/ { rest = 1 } !rest || /^ +-/' | options
}
in_page() {
	awk -v name="$1" '/^#/ { on = ($0 == "## " name) } on && /^\*-/' \
	    "$here/cli/man/handfast.1.scd" | grep -oE '\*--?[a-z-]+\*' | options
}
in_bash() {
	COMP_WORDS=(handfast "$@" -) COMP_CWORD=$(($# + 1))
	_handfast
	printf '%s\n' "${COMPREPLY[@]}" | options
}
# _arguments' specifications say which options there are.
in_zsh() {
	zsh -f -c '_arguments() { print -rl -- "$@" }; _describe() { : }
	    compadd() { print -rl -- "$@" }
	    file=$1; shift; words=(handfast "$@" ""); CURRENT=$#words
	    run() { . $file }; run' zsh "$here/cli/completion/_handfast" "$@" |
	    sed -e 's/^([^)]*)//' -e 's/\[.*//' | options
}
# taken OPTIONS WORD...: those that the program knows after these words: it
# says so of an unknown one first.
taken() {
	for o in $1; do
		case $(timeout 20 "$HANDFAST" "${@:2}" "$o" </dev/null 2>&1) in
		*unknown\ option* | *unknown\ or\ ambiguous\ option*) ;;
		*) echo "$o" ;;
		esac
	done
}

same() {
	checks=$((checks + 1))
	[ "$2" = "$3" ] && return
	fail "$1:"
	diff <(echo "$2") <(echo "$3") | grep '^[<>]' | sed 's/^/    /'
}

commands=$("$HANDFAST" help | awk '/^Commands/ { on = 1; next } /^[a-z]/ { on = 0 }
    on && NF { print $1 }')
same 'commands (help, bash)' "$(echo "$commands" | sort)" \
    "$(_handfast_subcommands help | tr ' ' '\n' | sort)"
zsh=$(command -v zsh) || echo 'note: no zsh: its completion was not tested'
for c in $commands; do
	help=$(in_help "$c")
	same "$c (help, page)" "$help" "$(in_page "$c")"
	subs=
	[ "$c" = help ] || subs=$(_handfast_subcommands "$c")
	# Of those that have none, the empty word stands for it.
	[ -n "$subs" ] || subs=-
	all=
	for sub in $subs; do
		words=("$c" "$sub")
		[ "$sub" != - ] || words=("$c")
		got=
		[ "$c" = help ] || got=$(in_bash "${words[@]}")
		all="$all $got"
		same "${words[*]} (program, bash)" "$(taken "$help" "${words[@]}")" "$got"
		[ -z "$zsh" ] || [ "$c" = help ] ||
		    same "${words[*]} (bash, zsh)" "$got" \
			"$(in_zsh "${words[@]}")"
	done
	same "$c (help, bash)" "$help" \
	    "$(echo "$all" | tr ' ' '\n' | grep . | sort -u)"
	[ "$subs" = - ] || [ -z "$zsh" ] ||
	    same "$c (subcommands)" "$(echo "$subs" | tr ' ' '\n')" \
		"$(zsh -f -c '_describe() { : }; compadd() { print -rl -- "$@" }
		    file=$1; words=(handfast $2 ""); CURRENT=3
		    run() { . $file }; run' zsh \
		    "$here/cli/completion/_handfast" "$c")"
done

# An option in the place of a subcommand means run.
for c in agent dispatch; do
	run=$(in_bash $c run)
	same "$c --config (bash)" "$run" "$(in_bash $c --config x)"
	same "$c (bash)" "$run" "$(in_bash $c)"
	[ -z "$zsh" ] ||
	    same "$c --config (zsh)" "$run" "$(in_zsh $c --config x)"
done

# Values: files, directories, words.
touch a.cert
mkdir adir
value() {
	COMP_WORDS=(handfast "$@") COMP_CWORD=$#
	_handfast
	echo "${COMPREPLY[*]}"
}
is 'a file' "$(value initiate --cert a.)" a.cert
is 'a directory' "$(value cert issue --ca a)" adir
is 'a word' "$(value cert issue --usage resp)" responder
is 'a command' "$(value re)" respond
is 'nothing' "$(value initiate --user a)" ''
finish
