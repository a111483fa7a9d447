#!/bin/sh
# SPDX-License-Identifier: ISC
# handfast inspect shows no secret, whole or cut, at its place or at another,
# of handfast or of other origin.
. "$(dirname "$0")/inspect.inc"
make_pki

# A seed where none belongs: what does not fit is masked too.
{
	echo '-----BEGIN HANDFAST IDENTITY-----'
	{ printf '\202\130\040'; head -c 32 /dev/zero | tr '\0' Z; printf '\001'; } |
	    base64
	echo '-----END HANDFAST IDENTITY-----'
} >odd.key
look 6 odd.key
grep -q 5a5a5a out && fail 'a misplaced seed is shown'
# Nor as the key of a map, which JSON would have for a name.
{
	echo '-----BEGIN HANDFAST IDENTITY-----'
	{ printf '\241\170\040'; head -c 32 /dev/zero | tr '\0' Z; printf '\001'; } |
	    base64
	echo '-----END HANDFAST IDENTITY-----'
} >odd.key
look 6 odd.key
"$HANDFAST" inspect --json odd.key >json 2>err2
cat out err json err2 | grep -q ZZZZ && fail 'a seed as a key is shown'
has 'a seed as a key' '"<32 secret bytes>":1' json
# Nor a ticket's key where the ticket belongs: no CBOR, an item and more, a
# string that is cut, a whole one.
for case in 'nothing:\377' 'more:\001' cut:Z 'whole:\130\036'; do
	key=${case#*:} case=${case%:*}
	{
		printf '\211\001\130\040'"$key"
		head -c $((33 - $(printf "$key" | wc -c) - 1)) /dev/zero | tr '\0' Z
		printf '\101a\141b\141c\001\002\000\003'
	} >odd.ticket
	look 6 odd.ticket
	"$HANDFAST" inspect --json odd.ticket >json 2>err2
	cat out err json err2 | grep -q 'ZZZZ\|5a5a5a' && fail "$case: a key is shown"
	has "$case: a key for a ticket" 'ticket file' out
done

# Keys of other origin, wherever they stand: alone, in a confirmation claim,
# in arrays and maps, behind tags, in a byte string.
part=5a5a5a5a5a5a5a5a
secret=5820$part$part$part$part
symmetric=a2010420$secret
okp=a30101200623$secret
rsa=a4010320412a2143010001
for hex in $symmetric $okp "${rsa}22$secret" "a201616108a101$symmetric" \
    "8200$okp" "a1636b6579$okp" "c1d9d9f7$symmetric" "5826$symmetric" \
    "a1015828$okp" "a4010703382f2041aa21$secret" \
    "d18443a10105a05826${symmetric}4101" "8443a10127a05828${okp}4101"; do
	/usr/bin/python3 -c "import sys
sys.stdout.buffer.write(bytes.fromhex('$hex'))" >foreign
	"$HANDFAST" inspect foreign >out 2>err
	"$HANDFAST" inspect --json foreign >json 2>err2
	cat out err json err2 | grep -qi $part && fail "$hex: its key is shown"
	same "$hex" 2 "$(grep -lF '<32 secret bytes>' out json | wc -l)"
done
# Keys in keys, in strings: they are read in each other a few times, and what
# is below is no more than bytes.
/usr/bin/python3 -c "
import sys
key, parts = bytes.fromhex('a201042040'), []
size = len(key)
for n in range(30000):
    parts.append(bytes.fromhex('a30104025a') + size.to_bytes(4, 'big'))
    size += len(parts[-1]) + 2
sys.stdout.buffer.write(b''.join(parts[::-1]) + key + b'\x20\x40' * 30000)" \
    >deep
timeout 60 "$HANDFAST" inspect --json deep >json 2>err
same 'keys in keys, JSON' 0 $?
same 'keys in keys, their type' 'COSE_Key; not a handfast object' \
    "$(field "j['type']")"
timeout 10 "$HANDFAST" inspect deep >out 2>err
same 'keys in keys' 0 $?
shows 'COSE_Key; not a handfast object'

# Nor is a block, or a users file, that is not where it belongs, whatever is
# beside it: behind blanks and what drives a terminal, in UTF-16, in a string.
{ printf '\033[32m\n'; sed 's/^/  /' alice.key; } >aside
{ printf '\n'; cat users; printf '\033[0m\n'; } >users.aside
iconv -f UTF-8 -t UTF-16LE alice.key >wide
iconv -f UTF-8 -t UTF-32BE users >wider
{ printf '\170\377'; sed 's/^/ /' alice.key; } >within
for f in aside users.aside wide wider within; do
	for json in '' --json; do
		(umask 077 && "$HANDFAST" inspect $json $f >out 2>err)
		same "$f $json: exit code" 6 $?
		same "$f $json: nothing is shown" '' "$(cat out)"
		has "$f $json" 'byte 0: text, and no block of handfast' err
	done
done

# A users file's verifiers.
"$HANDFAST" inspect users >out 2>err
"$HANDFAST" inspect --json users >json 2>err
verifier=$(sed -n 's/^bob //p' users)
cat out json err | grep -qi "$(echo "$verifier" | cut -c 1-16)" &&
    fail 'the verifier is shown'

cat >cuts.py <<'EOF'
import subprocess, sys
program, part, end = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3])
octets = open("secret.bin", "rb").read()
for n in range(1, end):
    p = subprocess.run([program, "inspect", "-"], input=octets[:n],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if part in p.stdout.lower() or p.returncode not in (0, 4, 6):
        print("cut at", n, "exit", p.returncode, p.stdout)
print(end - 1, "cuts")
EOF
# hides FILE OFFSET LEN: those bytes of the CBOR are in no output, nor is a
# part of them; in hex, and in base64 at each alignment.
hides() {
	raw "$1" >secret.bin
	hex=$(od -An -tx1 -v -j "$2" -N "$3" secret.bin | tr -d ' \n')
	part=$(printf %s "$hex" | cut -c 1-16)
	"$HANDFAST" inspect "$1" >out 2>err
	"$HANDFAST" inspect --json "$1" >json 2>err2
	"$HANDFAST" inspect secret.bin >raw.out 2>raw.err
	"$HANDFAST" inspect --json secret.bin >raw.json 2>raw.err2
	cat out err json err2 raw.out raw.err raw.json raw.err2 >all
	grep -qi "$part" all && fail "$1: its secret in hex"
	for skip in 0 1 2; do
		text=$(dd if=secret.bin bs=1 skip=$(($2 + skip)) count=18 \
		    2>/dev/null | base64 | cut -c 1-16)
		grep -qF "$text" all && fail "$1: its secret in base64"
	done
	same "$1: masked everywhere" 4 \
	    "$(grep -lF "<$3 secret bytes>" out json raw.out raw.json | wc -l)"
	same "$1: cut anywhere, it stays hidden" "$(($2 + $3 - 1)) cuts" \
	    "$(/usr/bin/python3 cuts.py "$HANDFAST" "$part" $(($2 + $3)))"
}
hides alice.key 4 32
hides ring 14 32
size=$(raw carol.ticket | od -An -tu1 -j 3 -N 1 | tr -d ' ')
hides carol.ticket $((4 + size + 2)) 32
finish
