#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The dissector of spec/handfast.lua under tshark, where there is one: every
message of the sessions in the vectors is called by its name, and none is
malformed."""
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORT, OTHER = 7000, 40000


def said():
    """(side, name, bytes) of some takeovers, and what the vectors lack."""
    vectors = json.loads((ROOT / "vectors/ok/takeover.json").read_text())
    for vector in vectors["vectors"][::8]:
        for connection in vector["connections"]:
            for message in connection["messages"]:
                yield (message["from"] == "initiator", message["type"],
                       bytes.fromhex(message["bytes"]))
    yield False, "query", bytes.fromhex("8209a201400240")
    for code, name in enumerate(("refused", "store failure", "unknown key",
                                 "no session", "no target"), 1):
        yield False, f"alert ({name})", bytes((0x82, 8, code))


def packet(n, forth, seq, data):
    """One of a capture: IPv4 and TCP around the data; sums are not looked at."""
    ports = (OTHER, PORT) if forth else (PORT, OTHER)
    tcp = struct.pack(">HHIIBBHHH", *ports, *seq, 0x50, 0x18, 65535, 0,
                      0) + data
    whole = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), n, 0, 64, 6,
                        0, b"\x0a\0\0\1", b"\x0a\0\0\2") + tcp
    return struct.pack("<IIII", n, 0, len(whole), len(whole)) + whole


def main():
    if shutil.which("tshark") is None:
        print("no tshark")
        return 77
    names, seq = [], {True: 1, False: 1}
    with tempfile.NamedTemporaryFile(suffix=".pcap") as capture:
        capture.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535,
                                  101))
        for forth, name, data in said():
            capture.write(packet(len(names) + 1, forth,
                                 (seq[forth], seq[not forth]), data))
            seq[forth] += len(data)
            names.append(name)
        capture.flush()
        told = subprocess.run(
            ["tshark", "-X", f"lua_script:{ROOT}/spec/handfast.lua", "-d",
             f"tcp.port=={PORT},handfast", "-r", capture.name, "-T", "fields",
             "-e", "_ws.col.Info", "-e", "handfast.malformed"],
            check=True, capture_output=True, text=True)
    found = [line.strip() for line in told.stdout.splitlines()]
    wrong = [(n, name, line) for n, (name, line) in
             enumerate(zip(names, found), 1) if name != line]
    for n, name, line in wrong:
        print(f"FAIL: packet {n}: '{line}', not '{name}'")
    if len(found) != len(names) or len(set(names)) < 15:
        print(f"FAIL: {len(found)} packets of {len(names)}")
        return 1
    print(f"{len(names)} packets, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
