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


def one(vector, ok):
    kind = vector["kind"]
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
            if taken[place] <= limit:
                one(vector, folder == "ok")
for name, vectors in out.items():
    pathlib.Path(name).mkdir()
    pathlib.Path(name, "all.json").write_text(
        json.dumps({"vectors": vectors}, ensure_ascii=False))
EOF
cat >judge.py <<'EOF'
import json, sys

for name in sys.argv[1:]:
    told = json.load(open(f"{name}/all.json"))["vectors"]
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
python3 change.py "$vectors" || fail 'no changed copies'
for name in plain sealed; do
	"$HANDFAST" vectors verify --json $name >$name.report 2>err
	is "the exit code for $name" $? 6
done
python3 judge.py plain sealed || fail 'a change was not found'

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
python3 judge.py plain || fail 'a change was not found'

# files that are none
mkdir files
for text in '' '[]' '{}' '{"vectors": []}' '{"vectors": [1]}' \
    '{"vectors": [{}], "more": 1}' '{"vectors": [{"id": "a", "id": "b"}]}'; do
	echo "$text" >files/x.json
	hf 6 vectors verify files
done

finish
