# SPDX-License-Identifier: ISC
# bash completion for handfast(1). What a command takes is listed once a line;
# tests/sh/completion.sh compares it with the program.

_handfast_subcommands() {
	case $1 in
	ca) echo 'init revoke' ;;
	cert) echo 'request issue verify' ;;
	user) echo 'add del list' ;;
	ticket) echo 'ring issue' ;;
	cluster) echo 'init admit release evict renew rotate members' ;;
	session) echo 'list show evict' ;;
	store) echo init ;;
	dispatch) echo 'run status metrics drain undrain' ;;
	agent) echo 'run status close' ;;
	vectors) echo verify ;;
	help)
		echo demo keygen ca cert user ticket cluster session store \
		    respond initiate dispatch agent run inspect vectors \
		    version help
		;;
	'') echo "$(_handfast_subcommands help) --help --version" ;;
	esac
}

_handfast_options() {
	local pass='--passphrase-file --passphrase-fd'
	local readable='--allow-readable-key'
	local validity='--days --not-before --not-after'
	local permits='--permit-name --permit-realm --path-length'

	echo --help
	case "$1 $2" in
	'keygen ') echo -o --output $pass --passphrase --json ;;
	'ca init') echo --name $validity $permits $pass --passphrase --json ;;
	'ca revoke')
		echo -o --output --days --next-update $pass $readable --json
		;;
	'cert request')
		echo -o --output --identity --subject --suite --force $pass \
		    $readable --json
		;;
	'cert issue')
		echo -o --output --ca --request --usage --subject --name \
		    $validity --realm --cluster --password-cost $permits \
		    --suite --force $pass $readable --json
		;;
	'cert verify') echo --trust --revoked --usage --expect --at --json ;;
	'user add' | 'user del' | 'user list')
		echo --db --realm --password-cost --replace --json $pass $readable
		;;
	'ticket ring') echo --rotate $readable --json ;;
	'ticket issue')
		echo -o --output --ring --subject --audience --ttl --single-use \
		    $readable --json
		;;
	'cluster init' | 'cluster admit' | 'cluster release' | 'cluster evict' | \
	    'cluster renew' | 'cluster rotate' | 'cluster members')
		echo -o --output --ca --name --store --key --cert --scope \
		    --anew --days $pass --json
		;;
	'session list' | 'session show' | 'session evict')
		echo --store --json
		;;
	'store init') echo --store --grant --json ;;
	'respond ')
		echo --listen --port-file --identity --cert --trust --revoked \
		    --users --password-command --ring --used-tickets \
		    --issue-tickets --allow --target --echo --exec --forward \
		    --receive --store --cluster --checkpoint --takeover \
		    --no-refresh --workers --max-failures --max-source-failures \
		    --max-unopened --busy --max-pending --max-sessions --channels --proxy-from \
		    --idle $pass $readable --log-json --json --trace
		;;
	'initiate ')
		echo --connect --trust --revoked --expect --realm --target \
		    --responder-cert --identity --cert --user --ticket $pass \
		    --plain-password --no-prekey --ticket-out \
		    --connect-timeout --deadline --no-fallback --dispatched --retry \
		    --shared --agent $readable --trace --json
		;;
	'dispatch run') echo --config --check --workers --port-file --json ;;
	'dispatch status' | 'dispatch metrics' | 'dispatch drain' | \
	    'dispatch undrain')
		echo --control --once --json
		;;
	'agent run') echo --config --agent --check --json ;;
	'agent status' | 'agent close') echo --agent --json ;;
	'run ') echo --agent --fallback --unshared --peers --json ;;
	'inspect ' | 'vectors verify' | 'version ') echo --json ;;
	esac
}

_handfast_words() {
	COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

_handfast_files() {
	compopt -o filenames 2>/dev/null
	COMPREPLY=($(compgen "$1" -- "$cur"))
}

_handfast() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} sub= subs
	local IFS=$' \t\n'

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		_handfast_words "$(_handfast_subcommands '')"
		return
	fi
	subs=$(_handfast_subcommands "$command")
	[ -z "$subs" ] || sub=${COMP_WORDS[2]}
	case "$subs $sub" in
	'run '*' -'*) sub=run ;; # an option in its place
	' '*) ;;
	*)
		if [ "$COMP_CWORD" -eq 2 ]; then
			_handfast_words "$subs --help"
			return
		fi
		;;
	esac
	case $prev in
	-o | --output | --*-file | --key | --identity | --cert | --trust | --revoked | \
	    --request | --db | --users | --ring | --used-tickets | \
	    --responder-cert | --ticket | --ticket-out | --agent | --peers)
		local IFS=$'\n'
		_handfast_files -f
		;;
	--ca | --receive)
		local IFS=$'\n'
		_handfast_files -d
		;;
	--usage) _handfast_words 'responder initiator ca server cluster' ;;
	--suite) _handfast_words '1 2 3' ;;
	--path-length) _handfast_words '0 1 2 3' ;;
	--password-cost) _handfast_words 64:2 ;;
	--password-command | --exec) _handfast_files -c ;;
	--passphrase-fd | --name | --days | --not-* | --permit-* | \
	    --next-update | --subject | --realm | --cluster | --expect | --at | \
	    --audience | --ttl | --listen | --issue-tickets | --allow | \
	    --target | --forward | --workers | --max-* | --busy | --connect | \
	    --user | --connect-timeout | --deadline | --retry | --store | \
	    --grant | --scope | --checkpoint | --shared) ;;
	--takeover) _handfast_words 'soft proved' ;;
	*)
		if [ "${cur:0:1}" = - ]; then
			_handfast_words "$(_handfast_options "$command" "$sub")"
			return
		fi
		local IFS=$'\n'
		_handfast_files -f
		;;
	esac
}

complete -F _handfast handfast
