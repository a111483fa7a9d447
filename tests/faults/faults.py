# SPDX-License-Identifier: ISC
"""What the parts of `make faults` share: the control of tests/preload/fault.c,
lines that are counted, and what a directory held. It knows no command.
"""
import errno
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from session import BUILD, PROGRAM, House, Relay, field, kind, skip  # noqa: E402

PART = os.path.basename(sys.argv[0])[:-3]
SHIM = os.path.join(BUILD, "tests", "fault.so")
QUICK = os.path.join(BUILD, "tests", "quick.so")
SHORT = -1
ALWAYS = 0xffffffff
counts = {True: 0, False: 0}
lock = threading.Lock()
# Passwords cost nothing in these tests, for nobody.
os.environ["LD_PRELOAD"] = QUICK


def need_shim():
    for x in (SHIM, QUICK):
        if not os.path.exists(x):
            skip("there is no " + x)


def case(name, faults, *more):
    """One line: what was tried, and what was wrong with it."""
    lines = ["%s faults/%s/%s%s" % ("FAIL" if faults else "PASS", PART, name,
                                    "".join(" (%s)" % m for m in more))]
    lines += ["    " + f for f in faults[:5]]
    if len(faults) > 5:
        lines.append("    and %d more" % (len(faults) - 5))
    with lock:
        counts[not faults] += 1
        print("\n".join(lines), flush=True)


def finish():
    print("%d passed, %d failed" % (counts[True], counts[False]))
    sys.exit(1 if counts[False] or not counts[True] else 0)


def word(what):
    return "short" if what == SHORT else errno.errorcode[what]


class Faults:
    """The file that fault.c reads: struct control there."""
    FORM = struct.Struct("<16s8siIIII256s")

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="handfast-fault-")
        self.file.write(bytes(self.FORM.size))
        self.file.flush()
        self.map = mmap.mmap(self.file.fileno(), self.FORM.size)
        self.env = {"LD_PRELOAD": SHIM + ":" + QUICK,
                    "HANDFAST_FAULT": self.file.name}

    def set(self, call="", kind="any", what=0, first=1, last=None):
        """The calls from first to last (the first alone) fail from now."""
        # The name last: a process may look at any time.
        self.map[:16] = bytes(16)
        self.map[:] = self.FORM.pack(
            b"", kind.encode(), what, first, last or first, 0, 0, b"")
        self.map[:len(call)] = call.encode()

    def off(self):
        self.map[:16] = bytes(16)

    def _get(self):
        return self.FORM.unpack(self.map[:])

    @property
    def seen(self):
        return self._get()[5]

    @property
    def hit(self):
        return self._get()[6]

    @property
    def where(self):
        return self._get()[7].split(b"\0")[0].decode()


def run(words, env, data=b"", timeout=30, **more):
    """The program: exit code, stdout, stderr."""
    p = subprocess.run([PROGRAM] + list(words), input=data,
                       capture_output=True, timeout=timeout,
                       env=dict(os.environ, **env), **more)
    return p.returncode, p.stdout, p.stderr.decode("utf-8", "replace")


def each(faults, call, kind, what, attempt, lasts=False, most=600):
    """attempt() with the first, second... of these calls failing, until none
    is left to fail, and all that follow if it lasts; with a short one all are
    short at once. attempt() says what was wrong, or None. Returns that list,
    and how many calls there were."""
    wrong, n = [], 0
    while n < most:
        n += 1
        faults.set(call, kind, what, n,
                   ALWAYS if lasts or what == SHORT else n)
        fault = attempt()
        hit, where = faults.hit, faults.where
        faults.off()
        if fault:
            wrong.append("n = %d, %s: %s" % (n, where, fault))
        if not hit:
            return wrong, n - 1
        if what == SHORT:
            return wrong, hit
    return wrong + ["no end after %d" % n], n


def files(under="."):
    """Every file there, with what is in it."""
    found = {}
    for base, _, names in os.walk(under):
        for n in names:
            path = os.path.relpath(os.path.join(base, n), under)
            with open(os.path.join(base, n), "rb") as f:
                found[path] = f.read()
    return found


def restore(was):
    """Brings the directory back to that."""
    now = files()
    for path in now:
        if path not in was:
            os.unlink(path)
    wanted = {os.path.dirname(path) for path in was}
    for base, _, _ in list(os.walk("."))[:0:-1]:
        if os.path.relpath(base) not in wanted:
            os.rmdir(base)
    for path, data in was.items():
        if now.get(path) != data:
            with open(path, "wb") as f:
                f.write(data)
