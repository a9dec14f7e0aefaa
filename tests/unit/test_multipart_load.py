"""Costs of a big upload: memory of the process, and delay of other requests."""

import subprocess
import sys

PRELUDE = """
import resource, time
from flask import Request
from werkzeug.test import create_environ
from speakr.web.multipart import receive_upload
from tests.unit.incoming import incoming

HEAD = b'--B\\r\\nContent-Disposition: form-data; name="file"; filename="a.wav"\\r\\n\\r\\n'
TAIL = b'\\r\\n--B--\\r\\n'

class FastSender:
    '''Never lets a read wait, like a client on this machine.'''
    def __init__(self, size):
        self.left = len(HEAD) + size + len(TAIL)
        self.begin, self.block = HEAD, bytes(65536)
    def read(self, size=-1):
        data = self.begin or (self.block[: self.left - len(TAIL)] if self.left > len(TAIL) else TAIL[-self.left :])
        self.begin = b''
        data = data[:size] if self.left else b''
        self.left -= len(data)
        return data

class NullSink:
    def write(self, data): return len(data)
    def commit(self): pass
    def abort(self): pass

def upload(size):
    environ = create_environ(method='POST')
    environ |= {'CONTENT_TYPE': 'multipart/form-data; boundary=B', 'wsgi.input': FastSender(size),
                'wsgi.input_terminated': True}
    target = incoming(NullSink, 1 << 31)
    receive_upload(Request(environ), target)
    assert target.size_bytes == size
"""


def _run(script: str, prelude: str = "") -> int:
    """Run in a process of its own and return the number it prints."""
    done = subprocess.run(
        [sys.executable, "-c", prelude + PRELUDE + script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return int(done.stdout)


def test_memory_stays_flat() -> None:
    grown_kib = _run("""
upload(1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
upload(200 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
""")
    assert grown_kib < 2048


def test_other_greenlets_get_their_turn() -> None:
    """Two greenlets play ping-pong over a socket; each hit needs the event loop to look at its sockets."""
    hits = _run(
        """
import gevent, socket
left, right = socket.socketpair()
hits = 0
def play(mine):
    global hits
    while mine.recv(1):
        hits += 1
        mine.send(b'.')
for side in (left, right):
    gevent.spawn(play, side)
gevent.sleep(0)
left.send(b'.')
gevent.spawn(upload, 64 << 20).get()
print(hits)
""",
        prelude="from gevent import monkey; monkey.patch_all()\n",
    )
    assert hits >= 16  # of 32 pauses; were they of no length, one in fifty would count
