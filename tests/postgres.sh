#!/bin/sh
# SPDX-License-Identifier: ISC
# A new cluster of PostgreSQL for a test: postgres.sh DIR [USER], in DIR/db,
# of USER where this is root; its superuser is `postgres`. Beside it a CA, the
# certificate of the server, `host`, one of the client `server`, and one of
# another client of that name by nobody we know, `other`. To make all that
# takes a second or two, so whoever comes first leaves a copy in $BUILD for
# those who come later, of the same program, user and script.
set -eu
dir=$1 user=${2:-}
bin=$(pg_config --bindir) || bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
case ${BUILD:-} in
/*)
	kept=$(printf '%s' "$bin ${user:-$(id -u)} $(cksum <"$0")" |
	    tr -c 'A-Za-z0-9.' -)
	kept=$BUILD/postgres$kept
	;;
*) kept= ;;
esac
if [ -n "$kept" ] && [ -d "$kept" ]; then
	cp -a "$kept"/* "$dir"
	exit
fi

cd "$dir"
as=
[ -z "$user" ] ||
    as="setpriv --reuid $user --regid $(id -g "$user") --clear-groups"
$as "$bin/initdb" -D "$dir/db" -U postgres -N -A trust --no-instructions \
    -E UTF8 --locale C

key() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
	chmod 600 "$1.key"
}
# alone NAME SUBJECT: by itself; signed NAME SUBJECT: by the CA
alone() {
	key "$1"
	openssl req -x509 -new -key "$1.key" -days 3650 -subj "/CN=$2" \
	    -out "$1.crt"
}
signed() {
	key "$1"
	openssl req -new -key "$1.key" -subj "/CN=$2" \
	    -addext "subjectAltName=DNS:$2,IP:127.0.0.1" -out "$1.csr"
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key \
	    -CAcreateserial -days 3650 -copy_extensions copy -out "$1.crt"
}
alone ca CA
signed host localhost
signed client server
alone other server
[ -z "$user" ] || chown "$user:" ./*.key ./*.crt

# Who cannot leave one has his own; somebody else may have been as quick.
[ -n "$kept" ] && copy=$(mktemp -d "$kept.XXXXXX") || exit 0
cp -a db ./*.key ./*.crt "$copy" && mv -T "$copy" "$kept" 2>/dev/null ||
    rm -rf "$copy"
