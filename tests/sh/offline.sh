#!/bin/sh
# SPDX-License-Identifier: ISC
# The commands that need no peer: keys, CAs, certificates, lists, users, rings
# and tickets. Exit codes are exact, stdout is empty on failure.
set -u
. "$(dirname "$0")/lib.inc"
umask 022

# words
hf 2
says 'no command'
hf 2 frobnicate
says "there is no command 'frobnicate'"
hf 2 keygen --frobnicate
says 'unknown or ambiguous option --frobnicate'
says "hint: see 'handfast help keygen'"
hf 2 keygen -o
says 'option -o needs a value'
hf 2 cert verify --json=yes x
says 'takes no value'
hf 2 ca frobnicate
hf 2 cert
hf 2 keygen
says 'no -o FILE'
hf 0 help
prints 'handfast initiate --connect'
for c in demo keygen ca cert user ticket respond initiate version help; do
	hf 0 help $c
	prints "^usage: handfast $c"
	prints '^exit codes:'
	cp out text
	hf 0 $c --help
	cmp -s out text || fail "$c --help is not help $c"
done
hf 2 help frobnicate
hf 0 version
prints '^handfast [0-9]+\.[0-9]+\.[0-9]+$'
prints '^suite 1 x25519-chacha20poly1305$'
hf 0 version --json
prints '"protocol":1,'
expect 3 sh -c '"$1" version >/dev/full' sh "$HANDFAST"
says 'standard output'

# keys
hf 0 keygen -o alice.key
is 'silent' "$(cat out err)" ''
mode alice.key 600
hf 5 keygen -o alice.key
says 'alice.key: exists, not overwritten'
ln -s nowhere dangling
hf 5 keygen -o dangling
hf 3 keygen -o no/such/dir.key
says 'no/such/dir.key: No such file'
echo 'a passphrase' >pass
echo wrong >wrong
: >empty
chmod 600 pass wrong empty
hf 2 keygen --passphrase-file empty -o never.key
[ -e never.key ] && fail 'an empty passphrase made a key'
hf 0 keygen --passphrase-file pass -o sealed.key
grep -q 'ENCRYPTED IDENTITY' sealed.key || fail 'the key is not sealed'
expect 0 sh -c 'echo other | "$1" keygen --passphrase-fd 0 -o fd.key' sh \
    "$HANDFAST"
hf 3 keygen --passphrase-fd 77 -o never.key
hf 2 keygen --passphrase-fd x -o never.key
for c in keygen 'ca init' 'ca revoke' 'cert request' 'cert issue' 'user add' \
    'cluster init' respond initiate; do
	hf 2 $c --passphrase-file pass --passphrase-fd 0
	says '^handfast: error: either --passphrase-file or --passphrase-fd$'
	says "^handfast: hint: see 'handfast help ${c% *}'$"
	hf 2 $c --passphrase-fd 0 --passphrase-file pass
	says '^handfast: error: either --passphrase-file or --passphrase-fd$'
done
for c in 'keygen -o never.key' 'ca init never --name CA'; do
	hf 2 $c --passphrase --passphrase-file pass
	says '^handfast: error: either --passphrase or --passphrase-file$'
	hf 2 $c --passphrase-fd 0 --passphrase
	says '^handfast: error: either --passphrase or --passphrase-fd$'
done
[ -e never.key ] || [ -e never ] && fail 'made with two passphrases'

# CAs
hf 2 ca init ca
says 'no --name'
hf 2 ca init --name CA
hf 2 ca init ca --name "$(printf 'a\nb')"
says '^handfast: error: --name: a name has no control characters'
hf 2 cert request --identity none.key --subject "$(printf 'a\033')" -o x.req
says '^handfast: error: --subject: a name has no control characters'
hf 0 ca init ca --name 'Test CA'
mode ca/ca.key 600
mode ca/ca.cert 644
hf 5 ca init ca --name 'Test CA'
says '^handfast: hint: choose another DIR'
hf 0 ca init other --name 'Other CA'
hf 0 ca init twin --name 'Test CA'
hf 0 ca init locked --name Locked --passphrase-file pass

# requests
hf 0 cert request --identity alice.key --subject alice -o alice.req
hf 2 cert request --identity alice.key -o x.req
says 'no --subject'
hf 2 cert request --subject alice -o x.req
hf 5 cert request --identity alice.key --subject alice -o alice.req
hf 0 cert request --identity alice.key --subject alice -o alice.req --force
hf 3 cert request --identity none.key --subject alice -o x.req
cp alice.req no.key
chmod 600 no.key
hf 6 cert request --identity no.key --subject alice -o x.req
says '^handfast: error: no.key: .*\(HF_E_OBJECT\)'
hf 2 cert request --identity alice.key --subject alice --suite 99 -o x.req
says 'there is no suite 99'
chmod 640 alice.key
hf 5 cert request --identity alice.key --subject alice -o x.req
says 'alice.key: a secret that others can read \(mode 0640\)'
hf 0 cert request --identity alice.key --subject alice -o x.req \
    --allow-readable-key
chmod 600 alice.key
ln -s alice.key link.key
hf 0 cert request --identity link.key --subject alice -o link.req
if [ "$(id -u)" -eq 0 ]; then
	cp -p alice.key theirs.key
	chown 12345 theirs.key
	hf 5 cert request --identity theirs.key --subject alice -o y.req
	says 'belongs to another user'
fi
expect 5 setsid "$HANDFAST" cert request --identity sealed.key --subject s \
    -o s.req
says 'sealed.key: sealed under a passphrase, and none was given \(HF_E_PASSPHRASE\)'
says 'hint: give it by --passphrase-file or --passphrase-fd'
hf 5 cert request --identity sealed.key --subject s -o s.req \
    --passphrase-file wrong
says 'sealed.key: the passphrase does not open the key \(HF_E_PASSPHRASE\)'
hf 0 cert request --identity sealed.key --subject s -o s.req \
    --passphrase-file pass
chmod 644 pass
hf 0 cert request --identity sealed.key --subject s -o s.req --force \
    --passphrase-file pass
says 'warning: pass: others can read this passphrase'
chmod 600 pass

# issuing
issue() {
	want_code=$1 ca=$2 cert=$3
	shift 3
	hf "$want_code" cert issue --ca "$ca" --request alice.req --force \
	    -o "$cert" "$@"
}
hf 0 cert issue --ca ca --request alice.req --usage initiator -o alice.cert
mode alice.cert 644
hf 5 cert issue --ca ca --request alice.req --usage initiator -o alice.cert
issue 0 ca alice.cert --usage initiator
issue 2 ca x.cert
says 'no --usage'
issue 2 ca x.cert --usage king
says "'king' is none of"
issue 2 ca x.cert --usage ca,responder
says 'stand alone'
issue 2 ca x.cert --usage initiator --path-length 1
issue 2 ca x.cert --usage initiator --days 0
issue 2 ca x.cert --usage initiator --days 3 --not-after 2030-01-01
issue 2 ca x.cert --usage initiator --not-before 2030-02-30
says "'2030-02-30' is no time"
issue 2 ca x.cert --usage initiator --not-before 2030-01-02 \
    --not-after 2030-01-01T00:00:00Z
issue 2 ca x.cert --usage responder --password-cost 32:2
issue 2 ca x.cert --usage responder --password-cost 64
issue 3 nowhere x.cert --usage initiator
says 'nowhere/ca.cert: No such file'
issue 5 locked x.cert --usage initiator --passphrase-file wrong
issue 0 locked locked.cert --usage initiator --passphrase-file pass
chmod 644 ca/ca.key
issue 5 ca x.cert --usage initiator
says 'ca/ca.key'
chmod 600 ca/ca.key
mkdir mixed
cp -p ca/ca.cert mixed
cp -p other/ca.key mixed
issue 5 mixed x.cert --usage initiator
says 'HF_E_OWN_CERT'
sed 's/^[A-Za-z0-9+]\{10\}/AAAAAAAAAA/' alice.req >forged.req
hf 6 cert issue --ca ca --request forged.req --usage initiator -o x.cert
hf 6 cert issue --ca ca --request alice.cert --usage initiator -o x.cert
says 'alice.cert'
[ -e x.cert ] && fail 'a refused certificate was written'
issue 0 ca - --usage initiator
prints 'BEGIN HANDFAST CERTIFICATE'

# verifying: each refusal has its own code and text
verify() {
	want_code=$1
	shift
	hf "$want_code" cert verify "$@"
}
trust='--trust ca/ca.cert'
verify 0 $trust alice.cert
prints '^subject: +alice$'
prints '^issuer: +Test CA$'
prints '^usage: +initiator$'
prints '^verified: +1 certificate against 0 revocation lists$'
verify 0 $trust --usage initiator --expect alice --json alice.cert
prints '"subject":"alice",'
prints '"usage":\["initiator"\],'
verify 2 alice.cert
says 'no --trust'
verify 2 $trust
verify 3 $trust none.cert
verify 6 $trust alice.req
says 'alice.req'
verify 6 --trust alice.req alice.cert
verify 4 --trust alice.cert alice.cert
verify 4 --trust other/ca.cert alice.cert
says "alice.cert: issuer 'Test CA': no trusted authority.*HF_E_ISSUER"
says '^handfast: hint: '
verify 4 --trust twin/ca.cert alice.cert
says 'HF_E_SIGNATURE'
verify 0 --trust other/ca.cert $trust alice.cert
verify 4 $trust --usage responder alice.cert
says 'alice.cert: the certificate is not for this use \(HF_E_USAGE\)'
verify 4 $trust --expect bob alice.cert
says "subject 'alice', expected 'bob'.*HF_E_NAME"
issue 0 ca old.cert --usage initiator --not-before 2020-01-01T00:00:00Z \
    --not-after 2020-02-01T01:00:00+01:00
verify 7 $trust old.cert
says 'old.cert: until 2020-02-01T00:00:00Z: expired \(HF_E_EXPIRED\)'
verify 7 $trust --json old.cert
says '^\{"error":\{"name":"HF_E_EXPIRED","exit":7,"text":"old.cert: .*\}\}$'
is 'lines of a JSON error' "$(wc -l <err)" 1
issue 0 ca soon.cert --usage initiator --not-before 4000000000 \
    --not-after @4000000100
says 'warning: soon.cert: valid longer than its CA'
verify 7 $trust soon.cert
says 'soon.cert: from 2096-10-02T07:06:40Z: not yet valid \(HF_E_NOT_YET\)'
verify 7 $trust --at 2040-01-01 alice.cert
says 'HF_E_EXPIRED'
issue 0 ca full.cert --usage responder,server --name www --name mail \
    --realm example.org --cluster pool --password-cost 128:3 --suite 1
verify 0 $trust --expect mail full.cert
prints '^realm: +example.org$'
prints '^cost: +128:3$'
verify 0 $trust --expect pool --usage responder,server full.cert
verify 4 $trust --usage responder,initiator full.cert

# A realm has no @: of user@realm nobody could say where it begins.
hint='^handfast: hint: of user@realm the realm is what stands behind the last @'
issue 2 ca x.cert --usage responder --realm corp@example
says '^handfast: error: --realm: a realm has no @$'
says "$hint"
issue 2 ca x.cert --usage ca --permit-realm r --permit-realm corp@example
says '^handfast: error: --permit-realm: a realm has no @$'
[ -e x.cert ] && fail 'a refused realm left a certificate'
hf 2 ca init realms --name Realms --permit-realm @
says '^handfast: error: --permit-realm: a realm has no @$'
[ -e realms ] && fail 'a refused realm left a CA'

# a CA below
mkdir -m 700 sub
hf 0 keygen -o sub/ca.key
hf 0 cert request --identity sub/ca.key --subject 'Sub CA' -o sub.req
hf 0 cert issue --ca ca --request sub.req --usage ca --permit-name .example \
    --permit-realm r --path-length 0 -o sub/ca.cert
issue 0 sub a.cert --usage initiator --subject alice.example
is 'chain' "$(grep -c BEGIN a.cert)" 2
verify 0 $trust a.cert
prints '^verified: +2 certificates'
issue 4 sub x.cert --usage initiator --subject alice.test
says 'HF_E_CONSTRAINT'
issue 4 sub x.cert --usage responder --subject a.example --realm other
issue 4 sub x.cert --usage ca --subject ca.example
hf 0 ca revoke sub a.cert -o sub.list
verify 4 $trust --revoked sub.list a.cert
says 'sub.list: a revocation list of none of the CAs given'
verify 4 $trust --trust sub/ca.cert --revoked sub.list a.cert
says 'a.cert: the certificate is revoked \(HF_E_REVOKED\)'
verify 4 --trust sub/ca.cert a.cert
says 'HF_E_ISSUER'

# revoking
hf 2 ca revoke ca
hf 2 ca revoke ca -o past.list --next-update 1700000000
says '^handfast: error: --next-update is in the past'
hf 4 ca revoke other alice.cert -o my.list
says "issued by 'Test CA', not by 'Other CA'"
hf 4 ca revoke twin alice.cert -o my.list
[ -e twin/ca.list ] && fail 'a refused revocation left a list'
hf 0 ca revoke ca -o my.list
verify 0 $trust --revoked my.list alice.cert
prints 'against 1 revocation list$'
cp my.list first.list
hf 0 ca revoke ca old.cert -o my.list
hf 0 ca revoke ca alice.cert alice.cert -o my.list
mode my.list 644
verify 4 $trust --revoked my.list alice.cert
says 'alice.cert: the certificate is revoked \(HF_E_REVOKED\)'
verify 0 $trust --revoked my.list full.cert
verify 0 $trust --revoked first.list alice.cert
hf 0 ca revoke ca -o my.list
verify 4 $trust --revoked my.list alice.cert
verify 4 $trust --revoked my.list --revoked first.list full.cert
says 'first.list: an older list'
hf 0 ca revoke twin -o twin.list
verify 4 $trust --revoked twin.list full.cert
says 'twin.list.*HF_E_SIGNATURE'
hf 0 ca revoke ca -o stale.list --days 1
verify 4 $trust --revoked stale.list --at "@$(($(date +%s) + 172800))" \
    full.cert
says 'HF_E_STALE_LIST'
# a CA below that was good then and is not now, given for its list
hf 0 ca init then --name Then --not-before 1500000000 --not-after 4000000000
mkdir -m 700 below
hf 0 keygen -o below/ca.key
hf 0 cert request --identity below/ca.key --subject Below -o below.req
hf 0 cert issue --ca then --request below.req --usage ca \
    --not-before 1500000000 --not-after 1600000000 -o below/ca.cert
hf 0 cert issue --ca below --request alice.req --usage initiator \
    --not-before 1500000000 --not-after 1590000000 -o then.cert
verify 0 --trust then/ca.cert --trust below/ca.cert --at @1550000000 then.cert
verify 7 --trust then/ca.cert --trust below/ca.cert then.cert
hf 5 ca revoke ca -o alice.key
says "replaces only this CA's lists"
grep -q IDENTITY alice.key || fail 'ca revoke wrote over a key'
cp ca/ca.list keep
echo rubbish >ca/ca.list
hf 6 ca revoke ca -o my.list
says 'ca/ca.list'
cp keep ca/ca.list
cp my.list before.list
mv ca/ca.list elsewhere
ln -s ../elsewhere ca/ca.list
hf 5 ca revoke ca -o my.list
says 'ca/ca.list: a link, not replaced'
ln -sf nowhere ca/ca.list
hf 5 ca revoke ca -o my.list
cmp -s before.list my.list || fail 'a list that began anew was given out'
mv elsewhere ca/ca.list

# users
hf 2 user add --db users --passphrase-file pass bob
says 'needs --realm'
hf 2 user add --db users --realm corp@example --passphrase-file pass bob
says 'error: --realm: a realm has no @$'
says "$hint"
[ -e users ] && fail 'a refused add made a users file'
hf 0 user add --db users --realm example.org --passphrase-file pass bob
mode users 600
hf 0 user add --db users --realm example.org --passphrase-file pass al
hf 0 user add --db users --passphrase-file wrong alice
is 'head' "$(head -n 1 users)" 'handfast-users 1 realm=example.org cost=64:2'
hf 0 user list --db users --realm example.org
is 'users' "$(tr '\n' ' ' <out)" 'al alice bob '
hf 0 user list --db users --json
prints '"users":\["al","alice","bob"\]'
cp -p users before
hf 5 user add --db users --passphrase-file wrong bob
says "user 'bob' exists"
hf 2 user add --db users --realm r --passphrase-file pass carol
says "its realm is 'example.org', not 'r'"
hf 2 user add --db users --password-cost 128:2 --passphrase-file pass carol
says 'password cost is 64:2, not 128:2'
hf 2 user add --db users --passphrase-file pass 'Carol'
says 'is no user name'
hf 2 user add --db users --passphrase-file pass
expect 2 setsid "$HANDFAST" user add --db users carol
says 'no terminal'
cmp -s users before || fail 'a refused add changed the users'
hf 0 user add --db users --replace --passphrase-file wrong bob
cmp -s users before && fail 'a replaced password changed nothing'
is 'same password' "$(grep -c "$(sed -n 's/^bob //p' before)" users)" 0
hf 0 user del --db users alice
hf 0 user list --db users
is 'users' "$(tr '\n' ' ' <out)" 'al bob '
hf 2 user del --db users alice
says "users: no user 'alice'"
# What is written again stays whose it was.
ln -s users link
hf 5 user del --db link bob
says 'link: a link, not replaced'
says 'hint: name the file that it leads to'
chmod 640 users
hf 5 user add --db users --passphrase-file pass dora
hf 0 user add --db users --passphrase-file pass --allow-readable-key dora
mode users 640
chmod 600 users
if [ "$(id -u)" -eq 0 ]; then
	chown 12345:12346 users
	hf 0 user del --db users --allow-readable-key dora
	is 'owner of users' "$(stat -c %u:%g:%a users)" "12345:$(id -g):600"
	chmod 640 users
	chgrp 12346 users
	hf 0 user add --db users --passphrase-file pass --allow-readable-key \
	    dora
	is 'group of users' "$(stat -c %u:%g:%a users)" 12345:12346:640
	chown "$(id -u):$(id -g)" users
	chmod 600 users
else
	hf 0 user add --db users --passphrase-file pass dora
fi
hf 0 user del --db users dora
hf 3 user list --db none
hf 3 user del --db none bob
chmod 644 users
hf 5 user list --db users
hf 0 user list --db users --allow-readable-key
chmod 600 users
for i in 1 2 3 4; do
	"$HANDFAST" user add --db users --passphrase-file pass u$i &
done
wait
hf 0 user list --db users
is 'users added at once' "$(grep -c '^u' out)" 4
for damage in 's/ bob/bob/' 's/^bob/BOB/' '1s/1/2/' '2s/.$//' '2{h;G}' \
    's/cost=64/cost=63/' 's/cost=64/cost=+64/' 's/cost=64/cost=064/' \
    's/64:2/64: 2/'; do
	sed "$damage" users >bad
	[ "$damage" = 's/ bob/bob/' ] && printf 'zed' >>bad
	chmod 600 bad
	hf 6 user list --db bad
	says '^handfast: error: bad:[0-9]+: '
done

# rings and tickets
hf 0 ticket ring ring
mode ring 600
hf 5 ticket ring ring
says 'rotate adds a key'
cp -p ring before
hf 0 ticket ring ring --rotate
mode ring 600
cmp -s ring before && fail 'the ring did not change'
hf 3 ticket ring none --rotate
hf 6 ticket ring alice.key --rotate
grep -q IDENTITY alice.key || fail 'ticket ring wrote over a key'
ticket() {
	want_code=$1
	shift
	hf "$want_code" ticket issue --ring ring --subject alice \
	    --audience server "$@"
}
ticket 0 --ttl 8h -o t1
mode t1 600
ticket 5 --ttl 8h -o t1
ticket 0 --ttl 90s --single-use -o t2
ticket 2 -o t3
says 'no --ttl'
ticket 2 --ttl 0s -o t3
ticket 2 --ttl 8y -o t3
says "'8y' is no duration"
ticket 2 --ttl 8h
ticket 2 --ttl 8h -o t3 word
hf 2 ticket issue --ring ring --subject a --ttl 8h -o t3
hf 3 ticket issue --ring none --subject a --audience b --ttl 8h -o t3
chmod 604 ring
ticket 5 --ttl 8h -o t3
[ -e t3 ] && fail 'a refused ticket was written'
finish
