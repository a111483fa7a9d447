# SPDX-License-Identifier: ISC
"""How an end that is refused is judged: what the program says and what the
responder's log does. With all of session.py.
"""
import re

from session import *  # noqa: F403

REFUSED = "the other side refused (HF_E_REFUSED)"
ASK_LOG = "the other side does not say why; its log does"


def ends(what, r, code, error, hint=None, out=b"", before=""):
    """error and hint are regular expressions for what follows the prefix;
    `before` is the first line where that is no error."""
    wrong = []
    if r.code != code:
        wrong.append("exit code %s, not %s" % (r.code, code))
    if r.out != out:
        wrong.append("standard output %r, not %r" % (r.out[:60], out[:60]))
    lines = list(r.lines)
    for prefix, pattern in (("warning", before), ("error", error),
                            ("hint", hint)):
        if not pattern:
            continue
        line = lines.pop(0) if lines else ""
        if not re.fullmatch("handfast: %s: %s" % (prefix, pattern), line):
            wrong.append("not %r: %r" % (pattern, line))
    if lines:
        wrong.append("more on stderr: %r" % lines)
    check(what, not wrong, *wrong)


def logged(what, responder, result, error, **fields):
    """What the responder's log says of the session: its error or None."""
    line = responder.session()
    wrong = []
    if field(line, "result") != result or field(line, "error") != error:
        wrong.append("not result=%s error=%s" % (result, error))
    for name, value in fields.items():
        if field(line, name) != value:
            wrong.append("not %s=%s" % (name, value))
    # One line, of known words, in their order.
    if not re.fullmatch(
            r"event=session result=(ok|refused|lost)( name=\S+)?"
            r"( subject=\S+)?( method=\S+)? from=\S+( target=\S+)?"
            r"( suite=\S+)?( sid=[0-9a-f]{8})?( error=HF_E_[A-Z_]+)? "
            r"bytes_in=\d+ bytes_out=\d+ ms=\d+", line):
        wrong.append("not a log line")
    if result == "refused" and not re.search(r" bytes_in=0 bytes_out=0 ",
                                             line):
        wrong.append("data of a refused session")
    check(what + ": log", not wrong, *(wrong + [line]))
