#!/bin/sh
# SPDX-License-Identifier: ISC
# handfast inspect: every kind of file that the program makes, a captured
# session in both directions, whole and cut; foreign CBOR and COSE. What it
# hides, and what it refuses: inspect_secrets.sh, inspect_bad.sh.
. "$(dirname "$0")/inspect.inc"
data=${HANDFAST_TESTDATA:-$here/../shared/data}
make_pki

look 0 alice.key
shows 'HANDFAST IDENTITY, 36 bytes: identity' '<32 secret bytes>' \
    '# seed: the private key'
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
look 0 carol.ticket
shows 'ticket file' '# ticket: sealed to the ring' '"carol",' '"server",' \
    '# key: proof of possession' '# alg: ChaCha20/Poly1305' \
    '# single use: may be used again'
cat server.cert ca/ca.cert >chain
look 0 chain
same 'two certificates' 2 "$(grep -c ': certificate$' out)"
look 0 users
shows 'users file' 'realm  "example"' 'cost   64 MiB, 2 passes' \
    'user   bob  <32 secret bytes>'
"$HANDFAST" inspect --json users >json 2>err
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
