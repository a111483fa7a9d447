#!/bin/sh
# SPDX-License-Identifier: ISC
# What --json promises: an error is one object wherever the option stands, its
# name is the library's where the library has one, there is no hint; and what
# stores hold is JSON too.
. "$(dirname "$0")/session.inc"
umask 077
must hf ca init ca --name 'Test CA'
must hf keygen -o alice.key
must hf cert request --identity alice.key --subject alice -o alice.req
must hf cert issue --ca ca --request alice.req --usage initiator -o alice.cert
echo 'a passphrase' >pass
must hf keygen --passphrase-file pass -o sealed.key
py=/usr/bin/python3

# error NAME CODE WHAT WORDS...
error() {
	want="$1 $2" what=$3
	shift 3
	"$HANDFAST" "$@" >out 2>err </dev/null
	code=$?
	said=$($py -c 'import json, sys
lines = open("err").read().splitlines()
e = json.loads(lines[0])["error"]
assert e["exit"] == int(sys.argv[1]) and len(lines) == 1, lines
assert "HF_E_" not in e["text"], e
print(e["name"], e["exit"])' $code)
	same "$what" "$want " "$said $(cat out)"
}
error usage 2 'behind what is wrong' initiate --bogus --json
error usage 2 'before it' initiate --json --bogus
error usage 2 'no value' session list --json --store
error usage 2 'behind a word' cluster frobnicate --json
error usage 2 'behind a word without options' cert frobnicate --json
error usage 2 'cut short' initiate --bogus --jso
error usage 2 'no such command' bogus x --json
error usage 2 'no command' --json
error usage 2 'behind a peer' run x --bogus --json -- true
error io 3 'no such file' cert verify --json --trust none alice.cert
printf 'peer web {' >agent.conf
error malformed 6 'a file of peers' agent --json --config agent.conf
error HF_E_STORE 8 'a store' session list --store lmdb:/none/none --json
error HF_E_STORE 8 'a store that is away' cluster members --json \
    --store redis://127.0.0.1:1
must hf ca init other --name 'Other CA'
must hf ca revoke other -o other.list
error HF_E_ISSUER 4 'a list of nobody' cert verify --json --trust ca/ca.cert \
    --revoked other.list alice.cert
touch there.key
error policy 5 'a key that is there' keygen -o there.key --json
error usage 2 'no name' ca init --json none
error io 3 'a CA that is away' ca revoke none -o none.list --json
error usage 2 'no subject' cert request --identity alice.key --json -o none.req
error HF_E_OBJECT 6 'no request' cert issue --ca ca --request ca/ca.cert \
    --usage initiator --json -o none.cert
error usage 2 'no ring' ticket issue --json
error policy 5 'a ring that is there' ticket ring --json there.key
# Behind -- the words are another program's.
"$HANDFAST" run x --agent /none -- true --json 2>err
same 'not ours' 'handfast: error: x: there is no agent to ask (HF_E_NO_AGENT)' "$(cat err)"
# As the value of an option it is a word like any other, and so is --help.
for word in --json --help; do
	"$HANDFAST" cert verify --trust ca/ca.cert --expect "$word" alice.cert \
	    >out 2>err
	same "the value $word" \
	    "4 handfast: error: alice.cert: subject 'alice', expected '$word': the \
peer has another name than expected (HF_E_NAME) 0" \
	    "$? $(cat err) $(wc -c <out)"
done
"$HANDFAST" cert verify --expect x --help >out
same 'help' "0 $("$HANDFAST" help cert)" "$? $(cat out)"
# For people: the same words with the name, and the hint.
"$HANDFAST" session list --store lmdb:/none/none 2>err
same 'in words' 'handfast: error: lmdb:/none/none: there is no store (HF_E_STORE)' \
    "$(cat err)"
# Who only looks makes none, neither in a directory that is there.
mkdir -m 700 bare
for words in 'session list' 'session show ab' 'session evict ab' \
    'cluster members'; do
	for at in lmdb:bare lmdb:absent; do
		"$HANDFAST" $words --store $at >out 2>err
		same "$words in $at" \
		    "8 handfast: error: $at: there is no store (HF_E_STORE) 0 " \
		    "$? $(cat err) $(wc -c <out) $(ls -d bare/* absent 2>/dev/null)"
	done
done

# A cluster of one, and a session in its store.
must hf cluster init --ca ca --name web --store lmdb:store -o web.cert
must hf keygen -o server.key
must hf cert request --identity server.key --subject server -o server.req
must hf cert issue --ca ca --request server.req --usage responder,server \
    --cluster web -o server.cert
must hf cluster admit --key web.key --store lmdb:store --cert server.cert
read_json() { $py -c "import json; x = json.load(open('out')); print($1)"; }
must hf session list --store lmdb:store --json >out
same 'no session' '[]' "$(cat out)"
must hf cluster members --store lmdb:store --json >out
same 'members' "1 server ['default'] 64 Z" "$(read_json "len(x), x[0]['name'],
x[0]['scopes'], len(x[0]['id']), x[0]['until'][-1]")"
must hf cluster renew --key web.key --store lmdb:store --json >out
same 'renew' '{"grants":1}' "$(cat out)"
must hf cluster rotate --key web.key --store lmdb:store --json >out
same "rotate" "1 True" "$(read_json "len(x), x['grants'] >= 1")"
# What is traced is among the words.
start traced tcp --echo --trace --json
echo hello | "$HANDFAST" initiate --connect "$at" --trust ca/ca.cert \
    --expect server --identity alice.key --cert alice.cert --trace --json \
    >out 2>err
same 'traced: a session' '0 hello' "$? $(cat out)"
await '"event":"session"' traced.log || fail 'traced: no line in the log'
stop $pid
traced() {
	$py -c 'import json, sys
said = [json.loads(line) for line in open(sys.argv[1])]
traces = [x["trace"] for x in said if "trace" in x]
assert all(list(x) == ["trace"] for x in said if "trace" in x), said
first, last = traces[:-1], traces[-1]
assert all(list(x) == ["way", "message", "bytes", "us"] and x["bytes"] > 0
           and x["us"] >= 0 for x in first), first
assert list(last) == ["sid", "initiator", "responder"], last
print(*(x["way"] + " " + x["message"] for x in first), len(last["sid"]),
      *((who, list(last[who]), last[who]["records"] > 0,
         len(last[who]["digest"])) for who in ("initiator", "responder")))' $1
}
digests="32 ('initiator', ['records', 'digest'], True, 64) \
('responder', ['records', 'digest'], True, 64)"
same 'traced: what an initiator says' "sent hello received offer sent request \
received grant sent confirm $digests" "$(traced err)"
same 'traced: what a responder says' "received hello sent offer received \
request sent grant received confirm $digests" "$(traced traced.log)"
same 'traced: the same digests' "$(grep '"digest"' traced.log)" \
    "$(grep '"digest"' err)"

start one tcp --echo --store lmdb:store --cluster web.cert
mkfifo hold
"$HANDFAST" initiate --connect "$at" --trust ca/ca.cert --expect web \
    --identity alice.key --cert alice.cert <hold >echoed 2>err &
client=$!
exec 6>hold
echo hello >&6
await hello echoed || fail 'no echo'
listed() { hf session list --store lmdb:store --json >out; ! grep -qx '\[\]' out; }
for _ in $(seq 100); do listed && break; sleep 0.1; done
same 'list' "1 server default 0 32 ['epoch', 'owner', 'scope', 'sid', 'until']" \
    "$(read_json "len(x), x[0]['owner'], x[0]['scope'], x[0]['epoch'],
len(x[0]['sid']), sorted(x[0])")"
sid=$(read_json "x[0]['sid']")
must hf session show --store lmdb:store --json "$sid" >out
same 'show' "$sid web True True" "$(read_json "x['sid'], x['cluster'],
x['generation'] >= 0, x['bytes'] > 100")"
must hf session list --store lmdb:store >out
same 'in words' "$sid  owner server  scope default  epoch 0" \
    "$(sed 's/  until .*//' out)"
exec 6>&-
wait $client
same 'the session' 0 $?
stop $pid
finish
