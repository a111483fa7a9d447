# SPDX-License-Identifier: ISC
# handfast inspect: every kind of file that the program makes, a captured
# session in both directions, whole and cut; no secret is ever shown; foreign
# CBOR and COSE, garbage.
. "$(dirname "$0")/session.inc"
data=${HANDFAST_TESTDATA:-$here/../shared/data}
make_pki
note='handfast: note: nothing is verified by inspect'

# look CODE FILE: exit code and first line of stderr; leaves out and err.
look() {
	"$HANDFAST" inspect "$2" >out 2>err
	same "$2: exit code" "$1" $?
	same "$2: note" "$note" "$(head -n 1 err)"
}
# shows LINE...: fixed strings in out
shows() {
	for line; do
		if grep -qF -- "$line" out; then ok "$line"; else
			fail "out lacks '$line'"
			sed 's/^/    /' out
		fi
	done
}
raw() { sed '/^-----/d' "$1" | base64 -d; }
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
	# Cut anywhere, it stays hidden.
	n=1
	while [ $n -lt $(($2 + $3)) ]; do
		head -c $n secret.bin | "$HANDFAST" inspect - >cut 2>&1
		grep -qi "$part" cut && fail "$1: its secret, cut at $n"
		n=$((n + 1))
	done
}

# Files
look 0 alice.key
shows 'HANDFAST IDENTITY, 36 bytes: identity' '<32 secret bytes>' \
    '# seed: the private key'
hides alice.key 4 32
must hf keygen --passphrase-file password -o sealed.key
look 0 sealed.key
shows 'encrypted identity' '# box: seals 32 bytes' '64,   ' '# memory: MiB'
look 0 server.cert
shows 'HANDFAST CERTIFICATE' ': certificate' '1: "Test CA",' \
    '# iss: the issuer' '2: "server",' '# cti: the certificate' \
    '# crv: X25519' '# usage: responder' '3: "example",' '# realm' \
    '# suites: x25519-chacha20poly1305' '# signature: not judged' \
    '# alg: EdDSA' '<<{' '}>>,'
until=$("$HANDFAST" cert verify --trust ca/ca.cert server.cert |
    sed -n 's/^valid: .* to //p')
shows "# exp: not after, $until"
look 0 alice.req
shows 'certificate request' '# sub: the subject' '# crv: Ed25519'
must hf ca revoke ca alice.cert -o list
look 0 list
shows 'revocation list' '# number: rises with every list' \
    '# revoked: ids of certificates' '# exp: the next update'
look 0 ring
shows 'ticket ring' '# kid: its name in tickets' '# created: 20'
hides ring 14 32
look 0 carol.ticket
shows 'ticket file' '# ticket: sealed to the ring' '"carol",' '"server",' \
    '# key: proof of possession' '# alg: ChaCha20/Poly1305' \
    '# single use: may be used again'
size=$(raw carol.ticket | od -An -tu1 -j 3 -N 1 | tr -d ' ')
hides carol.ticket $((4 + size + 2)) 32
cat server.cert ca/ca.cert >chain
look 0 chain
same 'two certificates' 2 "$(grep -c ': certificate$' out)"
look 0 users
shows 'users file' 'realm  "example"' 'cost   64 MiB, 2 passes' \
    'user   bob  <32 secret bytes>'
"$HANDFAST" inspect --json users >json 2>err
verifier=$(sed -n 's/^bob //p' users)
cat out json err | grep -qi "$(echo "$verifier" | cut -c 1-16)" &&
    fail 'the verifier is shown'
has 'users as JSON' '"verifier":"<32 secret bytes>"' json
chmod 644 alice.key
look 0 alice.key
has 'readable secret' 'warning: alice.key: a secret that others can' err
chmod 600 alice.key

# Frames of channels, as a record's data has them.
printf '\203\000\000\144echo\203\001\000\101x\203\002\000\030d' >frames
printf '\202\003\000\203\004\000\003' >>frames
look 0 frames
shows ': open of a channel' '"echo"                              # label' \
    ': data of a channel' ': credit of a channel' '# bytes: more' \
    ': fin of a channel' ': reset of a channel' '# reason: failed'

# Sessions that move, as the vectors have them: what each end said on each
# connection, what the store had, what the cluster gave its members.
cat >moving.py <<'EOF'
import json, subprocess, sys
program, vectors = sys.argv[1:]
count = 0
def load(name):
    with open(f"{vectors}/{name}.json") as f:
        return json.load(f)["vectors"]
def look(octets, types, name=None):
    global count
    p = subprocess.run([program, "inspect", "--json", "-"], input=octets,
                       capture_output=True)
    j = json.loads(p.stdout)
    found = [i["type"] for i in j.get("items", [j])]
    error = j.get("error", {}).get("name")
    if found != types or error != name:
        print("FAIL:", found, error, "not", types, name, octets.hex())
    count += 1
for v in load("ok/takeover")[::8]:
    for c in v["connections"]:
        for side in "initiator", "responder":
            said = [m for m in c["messages"] if m["from"] == side]
            if said:
                look(bytes.fromhex("".join(m["bytes"] for m in said)),
                     [m["type"] for m in said])
        for entry in c["entries"]:
            look(bytes.fromhex(entry), ["stored session"])
for v in load("ok/rest"):
    if "bytes" in v:
        look(bytes.fromhex(v["bytes"]), ["session at rest"])
for v in load("ok/key-grant"):
    look(bytes.fromhex(v["bytes"]), ["key grant"])
for v in load("bad/key-grant"):
    if any(w in v["id"] for w in ("version", "serial", "targets", "member")) \
            and v["error"] == "HF_E_OBJECT":
        look(bytes.fromhex(v["bytes"]), ["key grant"], v["error"])
print("looked at", count)
EOF
/usr/bin/python3 moving.py "$HANDFAST" "$here/vectors" >log 2>&1
grep -E 'FAIL|Error' log && fail 'sessions that move'
has 'all that moves' '^looked at [1-9][0-9]' log
/usr/bin/python3 -c "import json, sys
t = json.load(open('$here/vectors/ok/takeover.json'))['vectors'][0]
said = [m['bytes'] for c in t['connections'] for m in c['messages']
        if m['type'] in ('resume', 'resumed')]
entries = [e for c in t['connections'] for e in c['entries']]
sys.stdout.buffer.write(bytes.fromhex(said[0] + said[1] + '8209a0820804' +
    '8209a201400240'))
open('entry', 'wb').write(bytes.fromhex(entries[0]))
r = json.load(open('$here/vectors/ok/rest.json'))['vectors'][0]
open('rest', 'wb').write(bytes.fromhex(r['bytes']))
k = json.load(open('$here/vectors/ok/key-grant.json'))['vectors'][0]
open('grant', 'wb').write(bytes.fromhex(k['bytes']))" >moved
look 0 moved
shows ': resume' '# type: resume' '# session id' '# epoch' \
    '# serial: of attempts' '# nonce' '# reply key' ': resumed' \
    '# type: resumed' '# enc: null in a soft takeover' ': query' \
    '# extensions: none' '# code: no session' '1: h'"''"', ' '# dispatched' \
    '# channels'
look 0 entry
shows ': stored session' '# cluster' '# scope' '# generation: of the key' \
    '# owner: who wrote it' '# expires: 20'
look 0 rest
shows ': session at rest' '# peer: as its process calls it' '# session id' \
    '# expires: 20' '# box'
# Malformed, it has the exit code of a store.
{
	printf '\206\001\141p\120'
	head -c 16 /dev/zero
	printf '\001\130\030'
	head -c 24 /dev/zero
	printf '\101\001'
} >rest.small
look 8 rest.small
has 'a box of no size' 'box: of another size: .*HF_E_ENTRY' err
look 0 grant
shows ': key grant' '# member: hash of its certificate' '# cut-off: none' \
    '# not after: 20'

# JSON: one object, whatever there is.
field() { /usr/bin/python3 -c "import json, sys
j = json.load(open('json'))
print($1)"; }
"$HANDFAST" inspect --json server.cert >json 2>err
same 'JSON type' certificate "$(field "j['type']")"
same 'JSON fields' 'server 1 responder' "$(field "' '.join(map(str, [
    j['fields']['payload']['value']['sub']['value'],
    j['fields']['payload']['value']['handfast']['value']['usage']['value'],
    j['fields']['payload']['value']['handfast']['value']['usage']['words']]))")"
same 'JSON diagnostic' '[<<{1: -8}>>, {}, <<{1: "Test CA", 2: "server", 4: ' \
    "$(field "j['diagnostic'][:51]")"
same 'JSON verified' False "$(field "j['verified']")"
has 'JSON note' '^\{"note":\{"name":"unverified"' err
"$HANDFAST" inspect --json chain >json 2>err
same 'JSON chain' 'certificate chain 2' \
    "$(field "j['type'] + ' ' + str(len(j['items']))")"

# A session through a wire that listens.
cat >wire.py <<'EOF'
import socket, sys, threading
host, port = sys.argv[1].rsplit(":", 1)
ear = socket.socket()
ear.bind(("127.0.0.1", 0))
ear.listen(1)
open("wire.port", "w").write("%d\n" % ear.getsockname()[1])
one, _ = ear.accept()
two = socket.create_connection((host, int(port)))
def copy(a, b, name):
    with open(name, "wb") as f:
        while True:
            data = a.recv(65536)
            f.write(data)
            f.flush()
            if not data:
                break
            b.sendall(data)
    b.shutdown(socket.SHUT_WR)
threads = [threading.Thread(target=copy, args=args) for args in
           ((one, two, "to.bin"), (two, one, "from.bin"))]
for t in threads: t.start()
for t in threads: t.join()
EOF
start echo tcp --users users --ring ring --echo
rm -f wire.port
/usr/bin/python3 wire.py "$at" &
wire=$!
pids="$pids $wire"
await . wire.port || fail 'no wire'
at=127.0.0.1:$(cat wire.port)
echo hello >hello
try $as_alice --target shell <hello
same 'a session is captured' "0 hello" "$code $(cat out)"
wait $wire
look 0 to.bin
shows ': hello' ': request' ': confirm' ': record' '# type: hello' \
    '"shell",' '# target' '# suites: x25519-chacha20poly1305' \
    '# key id: of the responder' '# box: seals nothing: a tag alone' \
    '# ciphertext: seals 6 bytes' '# ciphertext: seals 0 bytes'
look 0 from.bin
shows ': offer' ': grant' '# chain: leaf first' '# prekey' '# iss' \
    '# box: seals 58 bytes'
"$HANDFAST" inspect --json to.bin >json 2>err
same 'JSON messages' 'messages hello request confirm record' \
    "$(field "' '.join([j['type']] + [i['type'] for i in j['items']][:4])")"

# Cut, or changed: what was understood is shown, and where it ends.
size=$(wc -c <from.bin)
for n in 1 2 3 5 40 100 200 $((size / 2)) $((size - 1)); do
	head -c $n from.bin >cut.bin
	"$HANDFAST" inspect cut.bin >out 2>err
	same "cut at $n" 6 $?
	grep -qE "byte $n: the input ends" err || {
		fail "cut at $n: not said where"
		cat err
	}
done
shows ': offer' ': grant' ', its end missing'
printf '\206\000\001\202\001\002\145shell\366\242\031\001\000\101\001' >hey
printf '\032\000\001\000\005\102\001\002' >>hey
look 0 hey
shows '# unknown, ignored' '# grease: means nothing'
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

# Public data of other origin
if [ ! -d "$data/cbor" ]; then
	echo "note: no public data at $data: part of this test was left out"
	finish
fi
cat >public.py <<'EOF'
import glob, json, math, os, subprocess, sys
program, data = sys.argv[1:]
bad = 0
def fail(*words):
    global bad
    bad += 1
    print("FAIL:", *words)
def inspect(octets, *options):
    p = subprocess.run([program, "inspect", *options, "-"], input=octets,
                       capture_output=True)
    if p.returncode not in (0, 4, 6):
        fail("exit", p.returncode, octets.hex(), p.stderr.decode())
    return p
def parse(text):
    """Diagnostic notation of the examples back to Python's values."""
    text = text.replace("_ ", "")
    if text.startswith('("'):
        return "".join(json.loads("[" + text[1:-1] + "]"))
    return json.loads(text)
def same(a, b):
    if isinstance(a, float) or isinstance(b, float):
        return isinstance(a, float) == isinstance(b, float) and \
            a == b and math.copysign(1, a) == math.copysign(1, b)
    return a == b
n = 0
for v in json.load(open(data + "/cbor/appendix_a.json")):
    octets = bytes.fromhex(v["hex"])
    text, j = inspect(octets), inspect(octets, "--json")
    if v["hex"] == "f818":
        # simple(24) in RFC 7049; not well-formed since RFC 8949
        if text.returncode != 6:
            fail(v["hex"], text)
        continue
    if text.returncode or j.returncode:
        fail(v["hex"], text.stderr.decode())
        continue
    diagnostic = json.loads(j.stdout)["diagnostic"]
    head, line = text.stdout.decode().splitlines()[:2]
    if line.split("#")[0].strip() != diagnostic:
        fail(v["hex"], line, diagnostic)
    if ": not a handfast object" not in head:
        fail(v["hex"], head)
    if ("not deterministic" in head) == v["roundtrip"]:
        fail(v["hex"], head)
    if "diagnostic" in v and v["diagnostic"] != diagnostic:
        fail(v["hex"], v["diagnostic"], diagnostic)
    if "decoded" in v and not same(v["decoded"], parse(diagnostic)):
        fail(v["hex"], v["decoded"], diagnostic)
    n += 1
print("appendix A:", n)
n = 0
for v in json.load(open(data + "/cbor/fail.json")):
    p = inspect(bytes.fromhex(v["hex"]))
    if p.returncode != 6 or b"HF_E_CBOR" not in p.stderr:
        fail(v["hex"], p)
    n += 1
print("not well-formed:", n)
n = 0
for f in sorted(glob.glob(data + "/cose/*/*.json")):
    v = json.load(open(f))["output"]
    octets = bytes.fromhex(v["cbor"])
    p = inspect(octets)
    j = json.loads(inspect(octets, "--json").stdout)
    if p.returncode or not j["type"].startswith("COSE_") or \
       "not a handfast object" not in j["type"]:
        fail(f, p.returncode, j["type"])
    for cut in range(1, len(octets), 7):
        if inspect(octets[:cut]).returncode != 6:
            fail(f, "cut at", cut)
    n += 1
print("COSE:", n)
sys.exit(bad != 0)
EOF
/usr/bin/python3 public.py "$HANDFAST" "$data" >log 2>&1
same 'public data' 0 $?
cat log
/usr/bin/python3 -c "import json; open('cwt', 'wb').write(bytes.fromhex(
json.load(open('$data/cose/cwt/A_3.json'))['output']['cbor']))"
look 0 cwt
shows 'COSE_Sign1; not a handfast object' '# alg: ES256' \
    '1: "coap://as.example.com",' '# exp: not after, 2015-10-05T17:09:04Z'
finish
