#!/bin/sh
# SPDX-License-Identifier: ISC
# The vectors, by the library; and that nothing can be changed in one without
# its failing: copies with one thing changed, each of which must be found.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$(dirname "$0")/lib.inc"
vectors=$root/vectors
BUILD=${BUILD:-$root/build}

# words
hf 2 vectors
says "vectors needs a word: verify"
hf 2 vectors verify
says 'no DIR'
hf 2 vectors verify --frobnicate .
hf 3 vectors verify no/such/dir
mkdir empty
hf 6 vectors verify empty
says 'no vectors'

# all of them
hf 0 vectors verify "$vectors"
for f in "$vectors"/ok/*.json "$vectors"/bad/*.json; do
	prints "^$f: [0-9]+ vectors"
done
hf 0 vectors verify --json "$vectors/ok/schedule.json"
prints '^\{"verified":true,"vectors":[0-9]+,"failed":0,'

# Changed copies, in two directories. plain: one hex digit of each top-level
# field. sealed: a digit of every hex value, wherever it stands, and other
# changes, and `sum` made to fit, so that the change itself must be found.
cat >change.py <<'EOF'
import copy, hashlib, json, pathlib, sys

# Inputs of which some digits change nothing that is computed.
INPUTS = {
    "handshake": "initiator responder send",
    "session": "config",
    "ticket-accept": "leaf ring anchors lists",
    "certificate-read": "bytes",
    "cbor": "bytes",
    "takeover": "initiator responders",
    "entry-open": "scopes",
}
root = pathlib.Path(sys.argv[1])
out = {"plain": [], "sealed": []}
count = 0


def put(where, vector):
    global count
    count += 1
    vector["id"] = f"{where} {count}: {vector['id']}"
    if where == "sealed":
        vector.pop("sum", None)
        body = json.dumps(vector, sort_keys=True, separators=(",", ":"),
                          ensure_ascii=False)
        vector["sum"] = hashlib.blake2b(
            body.encode(), digest_size=32).hexdigest()
    out[where].append(vector)


def is_hex(text):
    return len(text) % 2 == 0 and len(text) > 0 and not text.strip(
        "0123456789abcdef")


def leaves(value, path):
    """Where there is hex."""
    if isinstance(value, str):
        if is_hex(value):
            yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, path + [key])
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from leaves(inner, path + [i])


def flip(vector, path, where):
    changed = copy.deepcopy(vector)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    text = inner[path[-1]]
    at = len(text) // 2
    digit = format(int(text[at], 16) ^ 1, "x")
    inner[path[-1]] = text[:at] + digit + text[at + 1:]
    changed["id"] += " " + ".".join(map(str, path))
    put(where, changed)


def change(vector, what, **fields):
    changed = copy.deepcopy(vector)
    changed.update(fields)
    changed["id"] += " " + what
    put("sealed", changed)


tried = set()


def places(value, path):
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, path + [key])
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from places(inner, path + [i])


def stand_in(vector, path, what, value):
    changed = copy.deepcopy(vector)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    changed["id"] += f" {what} {'.'.join(map(str, path))}"
    put("sealed", changed)


def shape(vector, name, ok):
    """Each place of a kind once: one member too many, wherever there is an
    object; a value of another type."""
    for path, value in places(vector, []):
        place = (name, vector["kind"],
                 *("*" if isinstance(step, int) else step for step in path))
        if not path or path in (["id"], ["sum"]) or place in tried:
            continue
        tried.add(place)
        if isinstance(value, dict):
            stand_in(vector, path, "unknown member in", {**value, "x": 0})
        if ok:
            number = isinstance(value, int) and not isinstance(value, bool)
            stand_in(vector, path, "another type", "x" if number else 7)


def moves(vector):
    """What nothing would come of."""
    responders, random = vector["responders"], vector["responder_random"]
    change(vector, "a responder too many", responders=responders +
           responders[-1:], responder_random=random + [[]])
    change(vector, "draws of no responder", responder_random=random + [[]])
    stand_in(vector, ["responders", 1, "application", "shelf", "entry"],
             "told", "00")
    stand_in(vector, ["script", 0, "lose"], "no message", "offers")


def one(vector, ok):
    kind = vector["kind"]
    if kind == "takeover":
        moves(vector)
    for key, value in vector.items():
        if key in ("id", "kind", "note"):
            continue
        found = list(leaves(value, [key]))
        for path in found[:1]:
            flip(vector, path, "plain")
        if key in INPUTS.get(kind, "").split() or not ok:
            continue
        for path in found:
            if key != "sum" and (kind, path[-1]) != ("session", "bytes"):
                flip(vector, path, "sealed")
    change(vector, "unknown field", another="00")
    change(vector, "unknown kind", kind=kind + "x")
    if not ok:
        change(vector, "other error", error="HF_E_MEMORY")
    else:
        change(vector, "an error", error="HF_E_CBOR")
    for key in ("initiator_random", "responder_random", "random"):
        draws = vector.get(key)
        if draws and isinstance(draws[0], list):
            continue  # of a takeover: by the step
        if draws is not None:
            change(vector, "a draw too many", **{key: draws + ["00" * 32]})
        if draws:
            change(vector, "a draw too few", **{key: draws[:-1]})
            change(vector, "a longer draw",
                   **{key: [draws[0] + "00"] + draws[1:]})
    for key in ("initiator", "responder", "config", "terms"):
        if isinstance(vector.get(key), dict):
            change(vector, "unknown input", **{key: {**vector[key], "x": 0}})


# Of each kind in each file; one where there are many fields, or Argon2.
LONG = "handshake", "identity-encrypted", "password"
for folder, most in (("ok", 2), ("bad", 3)):
    taken = {}
    for path in sorted(root.glob(f"{folder}/*.json")):
        for vector in json.loads(path.read_text())["vectors"]:
            # The largest are like the others.
            if len(json.dumps(vector)) > 40000:
                continue
            place = (path.name, vector["kind"])
            taken[place] = taken.get(place, 0) + 1
            limit = 1 if vector["kind"] in LONG else most
            if vector["kind"] != "identity-encrypted":
                shape(vector, path.name, folder == "ok")
            if taken[place] <= limit:
                one(vector, folder == "ok")
# A file of vectors has an end.
for name, vectors in out.items():
    pathlib.Path(name).mkdir()
    for i in range(0, len(vectors), 400):
        pathlib.Path(name, f"{i}.json").write_text(
            json.dumps({"vectors": vectors[i:i + 400]}, ensure_ascii=False))
EOF
cat >judge.py <<'EOF'
import glob, json, sys

for name in sys.argv[1:]:
    told = [one for part in glob.glob(f"{name}/*.json")
            for one in json.load(open(part))["vectors"]]
    report = json.load(open(f"{name}.report"))
    failed = {one["id"] for one in report["failures"]}
    passed = [one["id"] for one in told if one["id"] not in failed]
    for one in passed[:40]:
        print(f"passed: {one}")
    print(f"note: {name}: {len(told)} changed, {len(failed)} found")
    if report["skipped"] and name == "sealed":
        print(f"note: {name}: {report['skipped']} need a suite that is not here")
        passed = []
    if passed or len(told) < 100 or report["verified"]:
        sys.exit(1)
EOF
/usr/bin/python3 change.py "$vectors" || fail 'no changed copies'
for name in plain sealed; do
	"$HANDFAST" vectors verify --json $name >$name.report 2>err
	is "the exit code for $name" $? 6
done
/usr/bin/python3 judge.py plain sealed || fail 'a change was not found'

# Where the processor lacks a suite its vectors are passed over, but no digit
# of theirs can be changed there either.
lacking() {
	LD_PRELOAD=$BUILD/tests/lacking.so \
	    ASAN_OPTIONS=verify_asan_link_order=0 "$HANDFAST" "$@"
}
expect 0 lacking vectors verify --json "$vectors/ok" "$vectors/bad"
prints '^\{"verified":true,"vectors":[0-9]+,"failed":0,"skipped":[1-9]'
lacking vectors verify --json plain >plain.report 2>err
is 'the exit code for plain' $? 6
/usr/bin/python3 judge.py plain || fail 'a change was not found'

# A role that is none, a long word that is unknown, many steps.
cat >odd.py <<'EOF'
import hashlib, json, sys


def write(name, vector):
    vector.pop("sum", None)
    body = json.dumps(vector, sort_keys=True, separators=(",", ":"),
                      ensure_ascii=False)
    vector["sum"] = hashlib.blake2b(body.encode(), digest_size=32).hexdigest()
    with open(name, "w") as f:
        json.dump({"vectors": [vector]}, f, ensure_ascii=False)


vector = json.load(open(f"{sys.argv[1]}/ok/channel.json"))["vectors"][0]
write("role.json", {**vector, "role": "nobody"})
write("name.json", {**vector, "\u00fc" * 100: 0})
# A megabyte to be sent, two thousand times: what one step needs is enough.
write("many.json", {**vector, "role": "initiator", "own": 1, "window": 65536,
                    "send": 65536, "steps": [{"do": "open", "label": "a"}] +
                    [{"do": "send", "channel": 0, "size": 1 << 20,
                      "byte": 1}] * 2000})
EOF
/usr/bin/python3 odd.py "$vectors" || fail 'no odd vectors'
hf 6 vectors verify role.json
says "role.json: channel-echo: role: is 'nobody'"
"$HANDFAST" vectors verify --json name.json >out 2>err
is 'the exit code for name.json' $? 6
prints '"failures":\[\{"file":"name.json","id":"channel-echo","field":"ü'
case $HANDFAST in
*san*) ;; # needs an address space of its own
*)
	expect 6 sh -c 'ulimit -v 600000 && exec "$0" vectors verify many.json' \
	    "$HANDFAST"
	says 'channel-echo: hash: expected'
	;;
esac

# Names drive no terminal, and JSON tells of every file.
mkdir named
cp "$vectors/ok/counter.json" "named/$(printf 'a\033[2J\377').json"
hf 0 vectors verify named
prints '^named/a\\u\{001B\}\[2J\\xFF.json: [0-9]+ vectors$'
hf 0 vectors verify --json named
prints '"files":\[\{"file":"named/a'

# Links that lead back, and a pipe that nobody writes.
mkdir back
ln -s . back/a
ln -s . back/b
ln -s "$vectors/ok/counter.json" back/counter.json
mkfifo back/pipe.json
expect 0 timeout 20 "$HANDFAST" vectors verify back
is 'files behind links' "$(cat out)" \
    "back/counter.json: $(grep -c '"kind"' "$vectors/ok/counter.json") vectors"

# files that are none
mkdir files
for text in '' '[]' '{}' '{"vectors": []}' '{"vectors": [1]}' \
    '{"vectors": [{}], "more": 1}' '{"vectors": [{"id": "a", "id": "b"}]}'; do
	echo "$text" >files/x.json
	hf 6 vectors verify files
done

finish
