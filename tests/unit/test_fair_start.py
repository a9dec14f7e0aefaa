"""Requests that begin one after another leave the event loop time for its sockets."""

from __future__ import annotations

import time

import gevent

from speakr.web.fair_start import FairStart


def test_many_requests_at_once_do_not_stop_the_loop() -> None:
    queues = FairStart()
    late = []

    def serve() -> None:
        turn = queues.wait("/", {})
        end = time.monotonic() + 0.004
        while time.monotonic() < end:
            pass
        turn.end()  # it waits for its client

    def beat() -> None:
        while True:
            began = time.monotonic()
            gevent.sleep(0.001)
            late.append(time.monotonic() - began)

    watch = gevent.spawn(beat)
    gevent.joinall([gevent.spawn(serve) for _ in range(100)], raise_error=True)
    watch.kill()
    assert len(late) > 20  # about one beat in two requests
