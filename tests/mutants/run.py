#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Removes each security check in turn, and asks the test that must notice.

The mutants stand in tests/mutants/*.txt, each as

    @ ID FILE THREAT TEST
    # what is removed
     a line that stays
    -a line that goes
    +a line that comes

TEST is unit/BINARY:NAME of a cmocka test, vectors/DIR/FILE.json:ID of a test
vector, or sh/SCRIPT:what it says where it fails; words that SCRIPT is told may
follow it (the names of those of its tests that run). The
lines must stand in FILE exactly once, and together. A mutant is a copy of FILE
compiled into a directory of its own and linked with the libraries of the tree
as it is, so that no file of the tree is ever touched. It is killed when TEST
fails by name; one that does not compile is an error, and one whose test takes
too long is not killed. Every such test must have passed without a mutant.
Only what can kill it is run: of a unit test that test alone, of a script what
comes before the line that says so.

    run.py [--find] [--list] [ID...]     ID may hold *
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import glob
import itertools
import os
import queue
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
PKI = os.path.join(BUILD, "mutants", "pki")
CC = shlex.split(os.environ.get("CC", "gcc"))
TIMEOUT = {"unit": 120, "vectors": 120, "sh": 300}  # seconds for one test
# At once: unit tests compute; shell tests mostly wait, and run beside them.
CPUS = os.cpu_count() or 1
WORKERS = int(os.environ.get("WORKERS", 1 + CPUS))
WAITERS = int(os.environ.get("WAITERS", 5 * CPUS))
# What waits longest begins first, so that nobody waits for it in the end.
LONG = ("watchdog-look", "watchdog-hangs", "dispatch-half",
        "dispatch-half-quiet", "link-was-closed",
        "dispatch-metrics-here", "dispatch-demo-drain", "given-listens",
        "agent-hears-long", "serve-accept", "agent-expects", "dispatch-opens")
# How the rooms are compiled and linked, as the Makefile has it.
FLAGS = {room: shlex.split(os.environ.get("FLAGS_" + room, "-I" + room))
         for room in ("proto", "fleet", "cli")}
LIBS = {room: shlex.split(os.environ.get("LIBS_" + room, ""))
        for room in ("proto", "fleet", "cli", "tests")}
# Nobody debugs a mutant, and there is much to link.
LINK = ["-pie", "-Wl,-S"] + (["-fuse-ld=gold"] if shutil.which("ld.gold")
                             else [])

Mutant = collections.namedtuple("Mutant",
                                "id file threat test what old new where")


class Bad(Exception):
    """Why a mutant cannot be judged."""


def parse(path):
    """The mutants of one list."""
    found, head, what, body = [], None, "", []

    def close():
        if head is None:
            return
        ident, file, threat, test = head[1]
        old = "".join(x[1:] + "\n" for x in body if x[0] in " -")
        new = "".join(x[1:] + "\n" for x in body if x[0] in " +")
        found.append(Mutant(ident, file, threat, test, what, old, new,
                            "%s:%d" % (os.path.relpath(path, ROOT),
                                       head[0])))

    for number, line in enumerate(open(path).read().split("\n"), 1):
        if line.startswith("@ "):
            close()
            words = line[2:].split(" ", 3)
            if len(words) != 4:
                sys.exit("%s:%d: not @ ID FILE THREAT TEST" % (path, number))
            head, what, body = (number, words), "", []
        elif line.startswith("# ") and head is not None and not body:
            what = (what + " " + line[2:]).strip()
        elif line[:1] in (" ", "-", "+") and head is not None:
            body.append(line)
        elif line and not line.startswith("//"):
            sys.exit("%s:%d: what is %r?" % (path, number, line))
    close()
    return found


def changed(m):
    """The text of the file with the mutant in it."""
    try:
        text = open(os.path.join(ROOT, m.file)).read()
    except OSError as e:
        raise Bad(str(e))
    times = text.count(m.old)
    if not m.old or m.old == m.new:
        raise Bad("it changes nothing")
    if times != 1:
        raise Bad("stale: its lines stand in %s %d times" % (m.file, times))
    return text.replace(m.old, m.new)


def command(words, log, **more):
    p = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                       **more)
    log.append(" ".join(words[:1]) + "\n" +
               p.stdout.decode("utf-8", "replace"))
    return p.returncode


def compiled(m, place):
    room = m.file.split("/")[0]
    source = os.path.join(place, m.file)
    os.makedirs(os.path.dirname(source), exist_ok=True)
    with open(source, "w") as f:
        f.write(changed(m))
    log = []
    if command(CC + ["-O0"] + FLAGS[room] +
               ["-w", "-I" + room, "-c", "-o",
                os.path.join(place, "mutant.o"), source], log) != 0:
        raise Bad("it does not compile\n" + "".join(log))


def is_fleet(name):
    return name.startswith("fleet_")


def library(name):
    return os.path.join(BUILD, "lib%s.a" % name)


def program(test):
    """What the test runs where there is no mutant."""
    kind, name = test.split(":", 1)[0].split("/", 1)
    return os.path.join(BUILD, "tests", name) if kind == "unit" else \
        os.path.join(BUILD, "handfast")


def linked(test, place):
    """The program that the test runs, the mutant in it: what is defined
    there is not taken from the libraries."""
    kind, name = test.split(":", 1)[0].split("/", 1)
    out = os.path.join(place, os.path.basename(program(test)))
    words = [os.path.join(place, "mutant.o")]
    if kind == "unit":
        words += [os.path.join(BUILD, "tests", "unit", name + ".o"),
                  library("testing")] + \
            ([library("handfast-fleet")] if is_fleet(name) else []) + \
            [library("handfast")] + LIBS["tests"] + \
            LIBS["fleet" if is_fleet(name) else "proto"]
    else:
        words += [x for x in [os.path.join(BUILD, "cli", "handfast.o")]
                  if not os.path.exists(os.path.join(place,
                                                     "cli/handfast.c"))]
        words += [library("handfast-cli"), library("handfast-fleet"),
                  library("handfast")] + LIBS["cli"]
    log = []
    if not os.path.exists(out) and \
            command(CC + LINK + ["-o", out] + words, log) != 0:
        raise Bad("it does not link\n" + "".join(log))
    return out


def ended(words, env, seconds, enough=None):
    """Output, and exit code: None for one that took too long, 1 for one that
    was ended when a line of its output was enough. Whatever it left behind
    ends, too."""
    lines, p = [], subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=dict(os.environ, **env),
        start_new_session=True)

    def read():
        for line in p.stdout:
            lines.append(line.decode("utf-8", "replace"))
            if enough and enough(lines[-1]):
                found.set()

    def kill(how):
        try:
            os.killpg(p.pid, how)
        except ProcessLookupError:
            pass

    found, reader = threading.Event(), threading.Thread(target=read)
    reader.start()
    until, code, pause = time.monotonic() + seconds, None, 0.005
    while p.poll() is None:
        if time.monotonic() > until:
            kill(9)
        elif found.is_set() and code is None:
            code, until = 1, time.monotonic() + 20  # to clean up
            kill(15)
        else:
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
    late = time.monotonic() > until
    kill(9)
    reader.join()
    p.stdout.close()
    return "".join(lines), code or (None if late else p.returncode)


def unit_failures(out, code):
    """The cmocka tests that failed; one that a signal ended did."""
    failed = set(re.findall(r"^\[  FAILED  \] (\w+)$", out, re.M))
    begun = re.findall(r"^\[ RUN      \] (\w+)$", out, re.M)
    if code is not None and code < 0 and begun and \
            not re.search(r"^\[  (PASSED|FAILED)  \] \d", out, re.M):
        failed.add(begun[-1])
    return failed


def script_failures(out):
    return set(re.findall(r"^FAIL:? (.*)$", out, re.M))


def interpreter(script):
    """What its first line says, where a script begins #!"""
    if script.endswith(".py"):
        return "/usr/bin/python3"
    with open(script) as f:
        return f.readline()[2:].strip()


def make_pki():
    """What most scripts begin with, by the program as it is: once."""
    shutil.rmtree(PKI, ignore_errors=True)
    os.makedirs(PKI)
    env = dict(os.environ, HANDFAST=os.path.join(BUILD, "handfast"))
    env.pop("HANDFAST_PKI", None)
    p = subprocess.run(["sh", os.path.join(ROOT, "tests", "pki.sh")], cwd=PKI,
                       env=env, capture_output=True, text=True)
    if p.returncode != 0:
        sys.exit("tests/pki.sh: " + p.stderr)


def run_test(test, place, what, only=True, seconds=None):
    """Runs one test by the program `what`. Returns what failed in it by
    name, its exit code (None: it took too long), and its output."""
    unit, name = test.split(":", 1)
    kind, file = unit.split("/", 1)
    seconds = seconds or TIMEOUT[kind]
    env = {"BUILD": BUILD, "HANDFAST": what, "TMPDIR": place,
           "PYTHONDONTWRITEBYTECODE": "1",
           "HANDFAST_PKI": PKI, "HANDFAST_TEST_KILLED": "100",
           "HANDFAST_TEST_WAIT": "15"}  # what is awaited mostly never comes
    if kind == "unit":
        if only:
            env.update(HANDFAST_TEST=name,
                       LD_PRELOAD=os.path.join(BUILD, "tests", "only.so"))
        out, code = ended([what], env, seconds)
        return unit_failures(out, code), code, out
    if kind == "vectors":
        out, code = ended([what, "vectors", "verify", unit], env, seconds)
        return set(re.findall("^handfast: error: %s: ([^ :]+): " %
                              re.escape(unit), out, re.M)), code, out
    script, *told = file.split()
    script = os.path.join(ROOT, "tests", "sh", script)
    out, code = ended([interpreter(script), script, *told],
                      env, seconds, lambda x: hit(test, script_failures(x)))
    return script_failures(out), code, out


def hit(test, failed):
    """Whether the test is among those that failed."""
    name = test.split(":", 1)[1]
    if not test.startswith("sh/"):
        return name in failed
    return any(x.startswith(name) for x in failed)


class Place:
    """A directory for one mutant, which goes away."""

    def __init__(self, name):
        self.path = os.path.join(BUILD, "mutants", name)

    def __enter__(self):
        shutil.rmtree(self.path, ignore_errors=True)
        os.makedirs(self.path)
        return self.path

    def __exit__(self, *why):
        shutil.rmtree(self.path, ignore_errors=True)


def sound(tests):
    """Why these tests, which are one run, cannot judge a mutant: None when
    they pass without one."""
    # A short name: sockets of unix lie there.
    with Place("sound-%x" % zlib.crc32(tests[0].encode())) as place:
        for _ in range(2):  # some are in a hurry, on a machine that is not
            failed, code, out = run_test(tests[0], place, program(tests[0]))
            if code == 0:
                break
    if code != 0:
        return "it fails without a mutant\n" + out
    for test in tests:
        unit, name = test.split(":", 1)
        if unit.startswith("unit/") and \
                "[       OK ] %s\n" % name not in out or \
                unit.startswith("vectors/") and '"id": "%s"' % name not in \
                open(os.path.join(ROOT, unit)).read():
            return "there is no such test: " + test
    return None


def judge(m, seconds=None):
    """None when the mutant was killed by its test, or why not."""
    with Place(m.id) as place:
        try:
            compiled(m, place)
            failed, code, out = run_test(m.test, place,
                                         linked(m.test, place),
                                         seconds=seconds)
        except Bad as e:
            return str(e)
    if code is None:
        return "it took too long, which is no kill"
    if code == 0:
        return "it survived " + m.test
    if not hit(m.test, failed):
        return "%s failed, but not by that name: %s\n%s" % (
            m.test, sorted(failed), out[-2000:])
    return None


def timed(m):
    """The verdict, and how many seconds it took."""
    begun = time.monotonic()
    return judge(m), time.monotonic() - begun


def controls():
    """What must not be taken for a kill, in the place of one that is: says
    of each whether it was not."""
    old = "\tif (cookie.len != HF__COOKIE_BYTES)\n\t\treturn false;\n"
    for what, new, why in (
            ("that changes nothing", old + "\t/* nothing */\n",
             "it survived"),
            ("that does not compile", old + "\tnothing\n",
             "it does not compile"),
            ("that never ends", "\tfor (;;)\n\t\tcontinue;\n",
             "it took too long"),
            ("that is stale", None, "stale"),
            ("that removes a check", "", None)):
        m = Mutant("control", "proto/cookie.c", "-", "unit/cookie:lengths",
                   what, old if new is not None else old + "?\n",
                   new or "", "control")
        found = judge(m, seconds=2)
        yield what, found == why or (
            None not in (found, why) and found.startswith(why)), found


def units():
    return ["unit/%s:*" % os.path.basename(x)[:-2]
            for x in sorted(glob.glob(os.path.join(ROOT, "tests/unit/*.c")))]


def find(m, skip):
    """All unit tests that kill the mutant."""
    killers = []
    with Place(m.id) as place:
        try:
            compiled(m, place)
        except Bad as e:
            return [str(e)]
        for test in units():
            if test.split("/")[1].split(":")[0] in skip:
                continue
            if m.file.startswith("fleet/") and \
                    not test.startswith("unit/fleet_"):
                continue
            what = linked(test, place)
            failed, code, out = run_test(test, place, what, only=False)
            killers += [test[:-1] + x for x in sorted(failed)]
            if code is None:
                killers.append(test[:-1] + "(too long)")
            os.unlink(what)
    return killers


def read_lists(patterns):
    mutants = [m for path in sorted(glob.glob(os.path.join(HERE, "*.txt")))
               for m in parse(path)]
    twice = [i for i, n in collections.Counter(
        m.id for m in mutants).items() if n > 1]
    if twice:
        sys.exit("the same id twice: " + ", ".join(twice))
    if patterns:
        mutants = [m for m in mutants
                   if any(fnmatch.fnmatch(m.id, p) for p in patterns)]
    return mutants


def is_long(m):
    return any(fnmatch.fnmatch(m.id, x) for x in LONG)


class Lane:
    """Threads that do one thing after the other, what takes long first, and
    say of each what came of it."""

    def __init__(self, threads, said):
        self.todo, self.turn = queue.PriorityQueue(), itertools.count()
        self.said = said
        for _ in range(threads):
            threading.Thread(target=self.run, daemon=True).start()

    def add(self, some, do, what):
        self.todo.put((not any(map(is_long, some)), next(self.turn), do,
                       what))

    def run(self):
        while True:
            _, _, do, what = self.todo.get()
            try:
                self.said.put((what, do(what)))
            except Exception as e:
                self.said.put((what, e))


def verdicts(mutants):
    """Each mutant, why it was not killed, and how many seconds it took; it is
    judged when its test has passed without it."""
    said, runs = queue.SimpleQueue(), collections.defaultdict(list)
    lanes = {True: Lane(WAITERS, said), False: Lane(WORKERS, said)}
    for m in mutants:
        runs[m.test if m.test.startswith("unit/") else
             m.test.split(":")[0]].append(m)
    runs = {tuple(sorted({m.test for m in some})): some
            for some in runs.values()}
    for tests, some in runs.items():
        lanes[tests[0].startswith("sh/")].add(some, sound, tests)
    left = len(runs)
    while left:
        what, found = said.get()
        left -= 1
        if isinstance(found, Exception):
            raise found
        if isinstance(what, Mutant):
            yield (what, *found)
            continue
        if found:
            print("FAIL %s without a mutant: %s" % (what[0], found))
        for m in runs[what]:
            if found:
                yield m, "its test is broken", 0.0
            else:
                lanes[m.test.startswith("sh/")].add([m], timed, m)
                left += 1


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--find", action="store_true",
                   help="name every unit test that kills the mutant")
    p.add_argument("--skip", default="mutate,fleet_race",
                   help="unit tests that --find leaves out")
    p.add_argument("--list", action="store_true")
    p.add_argument("id", nargs="*")
    args = p.parse_args()
    mutants = read_lists(args.id)
    begun = time.time()
    if args.list:
        for m in mutants:
            print("%-28s %-6s %-20s %s" % (m.id, m.threat, m.file, m.what))
        return 0
    if args.find:
        skip = args.skip.split(",")
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for m, found in zip(mutants, pool.map(
                    lambda m: find(m, skip), mutants)):
                print("%s: %s" % (m.id, " ".join(found) or "SURVIVES"),
                      flush=True)
        return 0

    make_pki()
    survivors, passed, failed = [], 0, 0
    for what, good, found in [] if args.id else controls():
        print("%s control: a mutant %s" % ("PASS" if good else "FAIL", what))
        if not good:
            print("    " + str(found))
        passed, failed = passed + good, failed + (not good)
    for m, why, took in verdicts(mutants):
        if why is None:
            passed += 1
            print("PASS %s killed by tests/%s (%.3f s)" % (
                m.id, m.test.replace(":", ".c:", 1)
                if m.test.startswith("unit/") else m.test, took), flush=True)
            continue
        survivors.append(m)
        print("FAIL %s (%s): %s" % (m.id, m.where, why), flush=True)
    for m in survivors:
        print("not killed: %s: %s (%s)" % (m.id, m.what, m.threat))
    print("note: %.0f s" % (time.time() - begun))
    failed += len(survivors)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not mutants else 0


sys.exit(main())
