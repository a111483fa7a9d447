-- SPDX-License-Identifier: ISC
-- handfast/1 for Wireshark: what stands in clear in the messages of a stream
-- (handfast.md, section 4). Boxes and records stay sealed; nothing is
-- verified. It reads deterministic CBOR only and believes no length.
--
--   tshark -X lua_script:handfast.lua -d tcp.port==7000,handfast -r FILE
--   or put it into Wireshark's plugin folder: streams are found by their
--   first bytes, or by the port in the preferences.

local handfast = Proto("handfast", "handfast/1")

local types = { [0] = "hello", "offer", "retry", "request", "grant",
    "confirm", "resume", "resumed", "alert", "query", [16] = "record" }
local suites = { "x25519-chacha20poly1305", "x25519-aes256gcm",
    "x25519-aegis256", "xwing (reserved)" }
local alerts = { "refused", "store failure", "unknown key", "no session",
    "no target" }
local known = { "dispatched", "channels" } -- extensions

local MESSAGE_MAX, RECORD_MAX, DEPTH = 16384, 65576, 8

local f = handfast.fields
f.type = ProtoField.uint8("handfast.type", "Type", base.DEC, types)
f.version = ProtoField.uint32("handfast.version", "Version")
f.suite = ProtoField.uint16("handfast.suite", "Suite", base.DEC, suites)
f.target = ProtoField.string("handfast.target", "Target")
f.cookie = ProtoField.bytes("handfast.cookie", "Cookie")
f.certificate = ProtoField.bytes("handfast.certificate", "Certificate")
f.prekey = ProtoField.bytes("handfast.prekey", "Prekey")
f.key_id = ProtoField.bytes("handfast.key_id", "Key id")
f.session_id = ProtoField.bytes("handfast.session_id", "Session id")
f.epoch = ProtoField.uint32("handfast.epoch", "Epoch")
f.serial = ProtoField.uint32("handfast.serial", "Serial")
f.nonce = ProtoField.bytes("handfast.nonce", "Nonce")
f.reply_key = ProtoField.bytes("handfast.reply_key", "Reply key")
f.enc = ProtoField.bytes("handfast.enc", "Encapsulation")
f.prekey_enc = ProtoField.bytes("handfast.prekey_enc",
    "Encapsulation to the prekey")
f.cert_enc = ProtoField.bytes("handfast.cert_enc",
    "Encapsulation to the certificate")
f.ext_key = ProtoField.int64("handfast.extension.key", "Extension")
f.ext_value = ProtoField.bytes("handfast.extension.value", "Value")
f.box = ProtoField.bytes("handfast.box", "Box")
f.sealed = ProtoField.uint32("handfast.sealed", "Sealed bytes")
f.alert = ProtoField.uint16("handfast.alert", "Alert", base.DEC, alerts)

local malformed = ProtoExpert.new("handfast.malformed", "Malformed",
    expert.group.MALFORMED, expert.severity.ERROR)
local critical = ProtoExpert.new("handfast.critical",
    "Unknown critical extension", expert.group.PROTOCOL,
    expert.severity.WARN)
handfast.experts = { malformed, critical }

handfast.prefs.port = Pref.uint("TCP port", 0,
    "Streams of this port are handfast's (0: found by their first bytes)")

-- The head at off: major type, argument, its bytes. nil: not all there.
-- false: none that handfast uses.
local function head(buf, off)
	if off >= buf:len() then
		return nil
	end
	local first = buf(off, 1):uint()
	local major, info = math.floor(first / 32), first % 32
	if major == 7 and (info < 20 or info > 22) or major == 6 then
		return false
	end
	if info < 24 then
		return major, info, 1
	elseif info > 27 then
		return false
	end
	local n = 2 ^ (info - 24)
	if off + 1 + n > buf:len() then
		return nil
	end
	if n == 8 then
		return major, buf(off + 1, 8):uint64():tonumber(), 9
	end
	return major, buf(off + 1, n):uint(), 1 + n
end

-- Where the item at off ends. nil, n: at least n bytes more are needed;
-- false: malformed or larger than the limit. The heads alone are read.
local function item_end(buf, off, limit)
	local open, start = {}, off
	repeat
		local major, value, n = head(buf, off)
		if not major then
			return major, 1
		end
		off = off + n
		if major == 2 or major == 3 then
			if value > limit then
				return false
			end
			off = off + value
		elseif major == 4 or major == 5 then
			local count = major == 5 and 2 * value or value
			if count > limit or #open == DEPTH then
				return false
			end
			open[#open + 1] = count + 1
		end
		while #open > 0 do
			open[#open] = open[#open] - 1
			if open[#open] > 0 then
				break
			end
			open[#open] = nil
		end
		if off - start > limit then
			return false
		end
		if off > buf:len() then
			return nil, off - buf:len()
		end
	until #open == 0
	return off
end

-- The entries of an array or the keys and values of a map, as
-- {major, value, offset of the contents, offset, length}.
local function entries(buf, off)
	local major, count, n = head(buf, off)
	local list = {}
	if major ~= 4 and major ~= 5 then
		return list
	end
	off = off + n
	for i = 1, (major == 5 and 2 or 1) * count do
		local m, value, bytes = head(buf, off)
		local last = m and item_end(buf, off, RECORD_MAX)
		if not last then
			return list
		end
		list[i] = { major = m, value = value, inside = off + bytes,
		    off = off, len = last - off }
		off = last
	end
	return list
end

local function range(buf, item)
	return buf(item.off, item.len)
end

local function fault(tree, text)
	tree:add_proto_expert_info(malformed, text)
end

-- Fields: each shows one entry and returns what it found wrong.

local function number(field, most)
	most = most or 65535
	return function(tree, buf, item)
		if item.major ~= 0 or item.value > most then
			return "not a number of 0 to " .. most
		end
		tree:add(field, range(buf, item), item.value)
	end
end

local function bytes(field)
	return function(tree, buf, item)
		if item.major ~= 2 then
			return "not a byte string"
		end
		local it
		if item.value > 0 then
			it = tree:add(field, buf(item.inside, item.value))
		else
			it = tree:add(field, range(buf, item))
		end
		it:append_text(" (" .. item.value .. " bytes)")
	end
end

local function none_or(text, field)
	return function(tree, buf, item)
		if item.major == 7 then
			tree:add(range(buf, item), text .. ": none")
		elseif item.major ~= 2 then
			return "not a byte string"
		elseif item.value == 0 then
			tree:add(range(buf, item), text ..
			    ": by the same ephemeral key")
		else
			tree:add(field, buf(item.inside, item.value))
		end
	end
end

local function text(field)
	return function(tree, buf, item)
		if item.major ~= 3 then
			return "not text"
		end
		tree:add(field, range(buf, item), item.value == 0 and "" or
		    buf(item.inside, item.value):string(ENC_UTF_8))
	end
end

local function each(field, title, kind, or_none)
	return function(tree, buf, item)
		if or_none and item.major == 7 then
			tree:add(range(buf, item), title .. ": none")
			return nil
		elseif item.major ~= 4 then
			return "not an array"
		end
		local sub = tree:add(range(buf, item), title)
		for _, entry in ipairs(entries(buf, item.off)) do
			local wrong = kind(field)(sub, buf, entry)
			if wrong then
				return wrong
			end
		end
	end
end

local function meaning(key)
	if key < 0 then
		return "critical"
	elseif known[key] then
		return known[key]
	elseif key < 65536 then
		return "ignored"
	elseif key < 131072 then
		return "grease"
	end
	return "private, ignored"
end

local function extensions(tree, buf, item)
	if item.major ~= 5 then
		return "not a map"
	end
	local sub = tree:add(range(buf, item), "Extensions: " .. item.value)
	local list = entries(buf, item.off)
	for i = 1, #list - 1, 2 do
		local key, value = list[i], list[i + 1]
		if key.major > 1 or value.major ~= 2 then
			return "an extension that is none"
		end
		local n = key.major == 1 and -1 - key.value or key.value
		if math.abs(n) >= 2 ^ 53 then
			return "an extension key of more than 53 bits"
		end
		local it = sub:add(f.ext_key, range(buf, key), Int64.new(n))
		it:append_text(" (" .. meaning(n) .. ")")
		if value.value > 0 then
			it:add(f.ext_value, buf(value.inside, value.value))
		end
		if n < 0 then
			it:add_proto_expert_info(critical)
		end
	end
end

local function sealed(tree, buf, item)
	if item.major ~= 2 then
		return "not a byte string"
	end
	if item.value > 0 then
		tree:add(f.box, buf(item.inside, item.value))
	end
	if item.value >= 16 then
		tree:add(f.sealed, range(buf, item), item.value - 16)
		    :set_generated()
	end
end

local version = number(f.version)
local suite = number(f.suite)
local target = text(f.target)
local cookie = none_or("Cookie", f.cookie)
local messages = {
	[0] = { version, each(f.suite, "Suites", number), target, cookie,
	    extensions },
	[1] = { version, suite, each(f.certificate, "Chain", bytes),
	    bytes(f.prekey), extensions },
	[2] = { cookie },
	[3] = { version, suite, bytes(f.key_id), target, cookie, bytes(f.enc),
	    none_or("Encapsulation to the prekey", f.prekey_enc), extensions,
	    sealed },
	[4] = { version, bytes(f.enc),
	    none_or("Encapsulation to the certificate", f.cert_enc),
	    extensions, sealed },
	[5] = { sealed },
	[6] = { version, bytes(f.session_id), number(f.epoch, 4294967295),
	    number(f.serial, 4294967295), target, bytes(f.nonce), cookie,
	    none_or("Reply key", f.reply_key), extensions, sealed },
	[7] = { bytes(f.nonce), none_or("Encapsulation", f.enc),
	    each(f.certificate, "Chain", bytes, true), sealed },
	[8] = { number(f.alert) },
	[9] = { extensions },
	[16] = { sealed },
}

local function dissect_message(buf, tree)
	local list = entries(buf, 0)
	local kind = list[1].value
	local name = types[kind] or "unknown"
	local sub = tree:add(handfast, buf(0), "handfast/1 " .. name .. ", " ..
	    buf:len() .. " bytes")
	sub:add(f.type, range(buf, list[1]), kind)
	local fields = messages[kind]
	if not fields then
		fault(sub, "no message of this type is defined")
		return name
	end
	if #list ~= #fields + 1 then
		fault(sub, "not its number of items")
		return name
	end
	for i, field in ipairs(fields) do
		local wrong = field(sub, buf, list[i + 1])
		if wrong then
			fault(sub, "item " .. i + 1 .. ": " .. wrong)
			break
		end
	end
	if kind == 8 and alerts[list[2].value] then
		name = name .. " (" .. alerts[list[2].value] .. ")"
	end
	return name
end

-- Array of 2 to 11, type 0 to 23 (section 2.3, steps 1 and 2).
local function begins(buf, off)
	local left = buf:len() - off
	if left >= 1 and (buf(off, 1):uint() < 0x82 or
	    buf(off, 1):uint() > 0x8b) then
		return false
	end
	return left < 2 or buf(off + 1, 1):uint() <= 0x17
end

function handfast.dissector(buf, pinfo, tree)
	local off, names = 0, {}
	pinfo.cols.protocol = "handfast"
	while off < buf:len() do
		local rest = buf(off):tvb()
		local last, more
		if not begins(rest, 0) then
			last = false
		elseif rest:len() < 2 then
			last = nil
		else
			last, more = item_end(rest, 0,
			    rest(1, 1):uint() == 16 and RECORD_MAX or
			    MESSAGE_MAX)
		end
		if last == nil then
			pinfo.desegment_offset = off
			pinfo.desegment_len = more and more > 1 and more or
			    DESEGMENT_ONE_MORE_SEGMENT
			break
		elseif last == false then
			local sub = tree:add(handfast, rest(0),
			    "handfast/1: not a message")
			fault(sub, "not a message")
			names[#names + 1] = "malformed"
			off = buf:len()
			break
		end
		names[#names + 1] =
		    dissect_message(rest(0, last):tvb(), tree)
		off = off + last
	end
	if #names > 0 then
		pinfo.cols.info = table.concat(names, ", ")
	end
	return buf:len()
end

-- A stream is taken for handfast's when it begins as one can: with a hello,
-- request or resume of version 1, or what answers them.
local first = { ["860001"] = true, ["860101"] = true, ["8a0301"] = true,
    ["860401"] = true, ["8b0601"] = true, ["850758"] = true }
local function heuristic(buf, pinfo, tree)
	if buf:len() < 3 or not first[buf(0, 3):bytes():tohex(true)] then
		return false
	end
	local last = item_end(buf, 0, MESSAGE_MAX)
	if last == false then
		return false
	end
	pinfo.conversation = handfast
	handfast.dissector(buf, pinfo, tree)
	return true
end
handfast:register_heuristic("tcp", heuristic)

local ports = DissectorTable.get("tcp.port")
local port = 0
ports:add_for_decode_as(handfast)
function handfast.prefs_changed()
	if port ~= 0 then
		ports:remove(port, handfast)
	end
	port = handfast.prefs.port
	if port ~= 0 then
		ports:add(port, handfast)
	end
end
