#!/bin/sh
# SPDX-License-Identifier: ISC
# What two sides need, into this directory: a CA, the responder `server` and
# the initiator with keys and certificates, a user with his password, a ring
# and a ticket sealed to it. Where $HANDFAST_PKI has all that already it is copied.
#
#     pki.sh [INITIATOR USER PASSWORD SUBJECT]
set -eu
umask 077
if [ $# -eq 0 ] && [ -n "${HANDFAST_PKI:-}" ]; then
	cp -pR "$HANDFAST_PKI"/* .
	exit
fi
hf() { "$HANDFAST" "$@"; }

hf ca init ca --name 'Test CA'
hf keygen -o server.key
hf cert request --identity server.key --subject server -o server.req
hf cert issue --ca ca --request server.req --usage responder \
    --realm example -o server.cert
hf keygen -o alice.key
hf cert request --identity alice.key --subject "${1:-alice}" -o alice.req
hf cert issue --ca ca --request alice.req --usage initiator -o alice.cert
echo "${3:-correct horse}" >password
hf user add --db users --realm example --passphrase-file password "${2:-bob}"
hf ticket ring ring
hf ticket issue --ring ring --subject "${4:-carol}" --audience server \
    --ttl 8h -o carol.ticket
