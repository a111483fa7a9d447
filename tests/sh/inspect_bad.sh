#!/bin/sh
# SPDX-License-Identifier: ISC
# handfast inspect of what is none of ours, or spoilt: the exact error and its
# byte, and what may be shown of it.
. "$(dirname "$0")/inspect.inc"
make_pki

bytes() { printf "$1" >bytes.bin; }
# wrong NAME OFFSET PRINTF: the exact error and its byte
wrong() {
	bytes "$3"
	"$HANDFAST" inspect bytes.bin >out 2>err
	code=$?
	grep -qE "^handfast: error: bytes.bin: byte $2: .*\($1\)" err ||
	    fail "$3: not $1 at $2: $(cat err)"
	case $1 in
	HF_E_VERSION) same "$3" 4 $code ;;
	*) same "$3" 6 $code ;;
	esac
}
wrong HF_E_CBOR 4 '\206\000\001\202\030\001\002\140\366\240'
wrong HF_E_VERSION 2 '\206\000\002\202\001\002\140\366\240'
wrong HF_E_SHAPE 6 '\206\000\001\202\001\002\141\001\366\240'
wrong HF_E_SHAPE 7 '\206\000\001\202\001\002\140\100\240'
wrong HF_E_EXTENSION 9 '\206\000\001\202\001\002\140\366\241\040\100'
wrong HF_E_CBOR 11 '\206\000\001\202\001\002\140\366\242\001\100\000\100'
wrong HF_E_TOO_BIG 6 '\206\000\001\202\001\002\271\377\377'
wrong HF_E_SHAPE 2 '\202\010\006'
wrong HF_E_SHAPE 3 '\202\010\001\202\006\001'
wrong HF_E_CBOR 5 '\202\011\242\002\100\001\100'
wrong HF_E_SHAPE 3 '\202\010\001\000'
wrong HF_E_UNEXPECTED 4 '\202\010\001\202\012\001'
wrong HF_E_CBOR 0 '\034'
wrong HF_E_CBOR 2 '\202\001'
wrong HF_E_CBOR 1 '\237\034'
wrong HF_E_CBOR 16 "$(printf '\\201%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 \
    16 17 18)"
wrong HF_E_CBOR 9 '\133\377\377\377\377\377\377\377\377'
sed 's/^h[A-Za-z0-9+]\{10\}/AAAAAAAAAAA/' server.cert >bad.cert
look 6 bad.cert
has 'a bad block' 'block 1, HANDFAST CERTIFICATE: byte [0-9]+: .*HF_E_' err
sed 's/^-----END.*//' alice.key >bad.key
look 6 bad.key
has 'a block without an end' 'bad.key: byte 0: a block that is not well' err
same 'nothing shown' '' "$(cat out)"
# A byte too many: of secret files there is one error for all faults.
for f in ring server.cert; do
	{
		head -n 1 "$f"
		{ raw "$f" && printf '\0'; } | base64 -w 64
		tail -n 1 "$f"
	} >more.$f
	(umask 077 && cp more.$f more)
	look 6 more
	name=HF_E_OBJECT
	[ $f = ring ] || name=HF_E_CBOR
	has "$f and a byte" "bytes are left over: .*\\($name\\)" err
done
# What would drive a terminal is written out, in JSON too.
printf '\147a\177\302\233\342\200\256' >drives
look 0 drives
has 'controls in text' '^  "a.u007f.u009b.u202e"$' out
"$HANDFAST" inspect --json drives >json 2>err
has 'controls in JSON' '"fields":"a.u007f.u009b.u202e"' json
echo '-----BEGIN CERTIFICATE-----' >other
look 6 other
has 'other labels' "passed over a block 'CERTIFICATE'" err
sed '2s/.$//' users >bad.users
look 6 bad.users
has 'a bad users file' 'bad.users: byte [0-9]+: not a verifier' err
sed '1s/1/2/' users >bad.users
look 6 bad.users
has 'a head of another kind' 'bad.users: byte 0: not the head' err
printf 'handfast-users 1 realm=ex\033ample cost=64:2\n' >bad.users
look 6 bad.users
has 'a realm' 'bad.users: byte 23: a realm has 1 to 255 bytes of UTF-8' err
"$HANDFAST" inspect --json bad.users >json 2>err
has 'a realm, in JSON' '"error":\{"name":"HF_E_OBJECT","offset":23,' json
# U+0085, a control of one byte in other character sets
printf 'handfast-users 1 realm=ex\302\205ample cost=64:2\n' >bad.users
look 6 bad.users
has 'a control above ASCII' 'byte 23: a realm has 1 to 255 bytes of UTF-8' err
printf 'handfast-users 1 realm=corp@example cost=64:2\n' >bad.users
look 6 bad.users
has 'an @ in a realm' 'byte 23: a realm has .*, no @' err
# No signature is judged: what is wrong is the realm.
raw server.cert | LC_ALL=C sed 's/gexample/gex@mple/' >bad.cert
look 6 bad.cert
has "an @ in a certificate's realm" \
    'byte [0-9]+: realm: an @ in it: .*\(HF_E_OBJECT\)' err
must hf ca init limited --name Limited --permit-realm one --permit-realm two
raw limited/ca.cert | LC_ALL=C sed 's/ctwo/ct@o/' >bad.cert
look 6 bad.cert
has 'an @ in a permitted realm' \
    'byte [0-9]+: an entry: an @ in it: .*\(HF_E_OBJECT\)' err
sed '1s/64:2/+64:2/' users >bad.users
look 6 bad.users
has 'a cost with a sign' 'bad.users: byte [0-9]+: not a cost' err
: >empty
look 6 empty
head -c 2097153 /dev/zero >large
"$HANDFAST" inspect large >out 2>err
same 'too large' 6 $?
for n in 1 2 3 4 5 6 7 8; do
	head -c 3000 /dev/urandom >noise
	for json in '' --json; do
		"$HANDFAST" inspect $json noise >out 2>err
		case $? in 0 | 4 | 6) ;; *) fail "noise: exit $?" ;; esac
	done
done
# A tag that JSON's readers do not agree about.
printf '\333\377\377\377\377\377\377\377\377\001' >tag
"$HANDFAST" inspect --json tag >json 2>err
has 'a large tag' '"fields":"18446744073709551615\(1\)"' json
# What is not a number may be as long as its bits need.
for case in 'fb7ff47eaa6bb744df 0' 'fa7fa3f553 0' 'f97d1f 0' 'fa7fc00000 1' \
    'fb7ff8000000000000 1' 'fb7ff47c0000000000 1' 'faffca24fe 0' \
    'fa7fa02000 1' 'fb7ff4000020000000 1' 'fb7ff4000010000000 0'; do
	/usr/bin/python3 -c "import sys
sys.stdout.buffer.write(bytes.fromhex('${case% *}'))" >number
	look 0 number
	same "$case" "${case#* }" "$(grep -c 'a float longer than needed' out)"
done
# Text is not read as CBOR, which would show what it holds.
printf '{"kty": "OKP", "crv": "X25519", "d": "WlpaWlpaWlpa"}' >key.json
od -An -tx1 -v server.cert >hexadecimal
echo 'AQIDBAUGBwgJCgsMDQ4P' >base64
printf 'jKUSgaYDZdbMW7ciKyrZ7yTrYMLuIhXMeOL0N2BR5mI=' >noline
printf 'my password is hunter2' >words
printf %s 8443a10127a0f640 >short
for f in key.json hexadecimal base64 noline words short "$here/README.md"; do
	look 6 "$f"
	same "$f: nothing is shown" '' "$(cat out)"
	has "$f" 'byte 0: text, and no block of handfast' err
	hints=$(grep -c '^handfast: hint: hexadecimal' err)
	case $f in
	hexadecimal | short) same "$f: hint" 1 "$hints" ;;
	*) same "$f: hint" 0 "$hints" ;;
	esac
done
printf 'x@%063d\n' 0 >line
look 0 line
printf -- '-72' >few
look 0 few
"$HANDFAST" inspect >out 2>err
same 'no file' 2 $?
"$HANDFAST" inspect --secrets alice.key >out 2>err
same 'no such option' 2 $?
"$HANDFAST" inspect none >out 2>err
same 'no such file' 3 $?
"$HANDFAST" inspect - <server.cert >out 2>err
same 'standard input' 0 $?
finish
