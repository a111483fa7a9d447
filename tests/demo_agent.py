#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""make demo-agent: 50 processes share one session with a responder, and a few
have channels of another one's beside it, by one agent. Each sends what no other
sends and gets it back. Ends with 1 where anything of that fails.

    demo_agent.py [--processes N] PROGRAM
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


class Failed(Exception):
    pass


class House:
    """A CA, two responders that echo, alice, and the agent that is hers."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.dir = program, folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.do("ca", "init", "ca", "--name", "Demo CA")
        for name in ("first", "second", "alice"):
            usage = "initiator" if name == "alice" else "responder"
            self.do("keygen", "-o", f"{name}.key")
            self.do("cert", "request", "--identity", f"{name}.key",
                    "--subject", name, "-o", f"{name}.req")
            self.do("cert", "issue", "--ca", "ca", "--request", f"{name}.req",
                    "--usage", usage, "-o", f"{name}.cert")

    def do(self, *words: str) -> str:
        done = subprocess.run([self.program, *words], cwd=self.dir,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"handfast {' '.join(words)}: {done.stderr}")
        return done.stdout

    def start(self, name: str, *words: str, until: str) -> None:
        with open(self.dir / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [self.program, *words], cwd=self.dir, stderr=log,
                stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not (self.dir / until).exists():
            if time.monotonic() > end:
                raise Failed(f"{name} does not listen: {self.log(name)}")
            time.sleep(0.01)

    def log(self, name: str) -> str:
        return (self.dir / f"{name}.log").read_text()

    def serve(self, name: str) -> None:
        self.start(name, "respond", "--listen", f"unix:{name}.sock",
                   "--identity", f"{name}.key", "--cert", f"{name}.cert",
                   "--trust", "ca/ca.cert", "--channels", "64", "--trace",
                   "--echo", until=f"{name}.sock")

    def hold(self) -> None:
        lines = [f'socket = "{self.dir}/run/agent"']
        for name in ("first", "second"):
            lines.append(f"""peer {name} {{
  address = {{"unix:{name}.sock"}}
  trust = {{"ca/ca.cert"}}
  expect = "{name}"
  identity = "alice.key"
  certificate = "alice.cert"
}}""")
        (self.dir / "agent.conf").write_text("\n".join(lines) + "\n")
        self.start("agent", "agent", "--config", "agent.conf",
                   until="run/agent")

    def status(self) -> dict[str, dict[str, int]]:
        rows = json.loads(self.do("agent", "status", "--agent",
                                  f"{self.dir}/run/agent", "--json"))
        return {row["name"]: row for row in rows}

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.terminate()
        if process.wait(20) != 0:
            raise Failed(f"{name} ended with {process.returncode}")

    def kill(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()


class Application:
    """One process, that waits with its channel open until all have one."""

    def __init__(self, house: House, peer: str, number: int) -> None:
        self.peer, self.number = peer, number
        self.data = hashlib.sha256(b"%d" % number).digest() * 4000
        self.p = subprocess.Popen(
            [house.program, "initiate", "--shared", peer, "--agent",
             f"{house.dir}/run/agent"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self) -> bool:
        out, err = self.p.communicate(self.data, timeout=120)
        if self.p.returncode != 0:
            raise Failed(f"process {self.number}: {err.decode()}")
        return out == self.data


def must(holds: bool, what: str) -> None:
    print(f"  {'yes' if holds else 'NO '}  {what}")
    if not holds:
        raise Failed(what)


def show(house: House, processes: int) -> None:
    for name in ("first", "second"):
        house.serve(name)
    house.hold()
    print(f"one agent, two responders; {processes} processes for the first, "
          "5 for the second")
    apps = [Application(house, "first", n) for n in range(processes)]
    apps += [Application(house, "second", 1000 + n) for n in range(5)]
    end = time.monotonic() + 60
    while house.status()["first"]["channels"] < processes or \
            house.status()["second"]["channels"] < 5:
        if time.monotonic() > end:
            raise Failed("not all have a channel")
        time.sleep(0.05)
    print(house.do("agent", "status", "--agent", f"{house.dir}/run/agent"))
    right = sum(app.finish() for app in apps)
    must(right == len(apps), f"every process's bytes came back right "
         f"({right} of {len(apps)})")
    house.stop("agent")
    for name, count in (("first", processes), ("second", 5)):
        house.stop(name)
        log = house.log(name)
        grants = len(re.findall(r"sent grant", log))
        must(grants == 1, f"one handshake in the log of {name}")
        sessions = re.findall(r"^event=session .*", log, re.M)
        must(len(sessions) == 1 and "name=alice" in sessions[0] and
             "result=ok" in sessions[0], f"one session in the log of {name}")
        channels = re.search(r"channels=(\d+)", sessions[0])
        must(channels is not None and int(channels[1]) == count,
             f"{count} channels in it")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=50)
    parser.add_argument("program")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="handfast-agent.") as folder:
        os.chmod(folder, 0o700)
        house = None
        try:
            house = House(os.path.abspath(args.program), Path(folder))
            show(house, args.processes)
        except (Failed, subprocess.TimeoutExpired) as e:
            print(f"failed: {e}", file=sys.stderr)
            return 1
        finally:
            if house is not None:
                house.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
