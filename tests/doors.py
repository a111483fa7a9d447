# SPDX-License-Identifier: ISC
"""Small servers of the tests, in threads of this process: they stand where
another should be, or between a peer and another, and pass on what is said.
"""
import socket
import threading


def begin(work, *args):
    threading.Thread(target=work, args=args, daemon=True).start()


def reach(path):
    """A connection to a unix socket."""
    far = socket.socket(socket.AF_UNIX)
    far.connect(path)
    return far


def cut(*ends):
    """Both directions; who waits for one of them in a thread wakes."""
    for end in ends:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def pass_on(here, there, change=None):
    """What one says to the other, until its end; as change() has it."""
    try:
        while data := here.recv(1 << 16):
            there.sendall(change(data) if change else data)
        there.shutdown(socket.SHUT_WR)
    except OSError:
        cut(here, there)


def join(near, far, change=None):
    begin(pass_on, near, far, change)
    begin(pass_on, far, near, change)


class Door:
    """Takes connections on 127.0.0.1, or where a unix socket's path is given,
    until close(). Each is take()n in a thread of its own; where that says
    OSError it is closed."""

    def __init__(self, path=None, take=None):
        self.take = take or self.take
        self.listener = socket.create_server(
            path or ("127.0.0.1", 0), backlog=200,
            family=socket.AF_UNIX if path else socket.AF_INET)
        if path is None:
            self.port = self.listener.getsockname()[1]
            self.address = "127.0.0.1:%d" % self.port
        begin(self.run)

    def take(self, near):
        raise NotImplementedError

    def run(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            begin(self.one, near)

    def one(self, near):
        try:
            self.take(near)
        except OSError:
            near.close()

    def close(self):
        cut(self.listener)  # or who waits there would take one more
        self.listener.close()
