"""Start requests one after another, in turn among users.

A client that sends a thousand requests at once would keep the event loop busy for seconds, and every other
request would wait for all of them. Here each user has a queue, and the queues take turns: another user's request
waits for one request of each user, however many they have sent.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping

import gevent
from gevent.event import Event

from speakr.web.known_users import user_of

_HEALTH = -1
HEALTH_PATHS = frozenset({"/healthz", "/readyz"})


class FairStart:
    """The queues of one process."""

    def __init__(self) -> None:
        self._queues: OrderedDict[int, deque[Event]] = OrderedDict()
        self._is_running = False

    def wait(self, path: str, headers: Mapping[str, str]) -> None:
        """Return when it is this request's turn.

        Requests with a credential that was not accepted before, or with none, share one queue.
        """
        queue = _HEALTH if path in HEALTH_PATHS else user_of(headers)
        turn = Event()
        self._queues.setdefault(queue, deque()).append(turn)
        if not self._is_running:
            self._is_running = True
            gevent.spawn(self._run)
        turn.wait()

    def _run(self) -> None:
        while self._queues:
            queue, turns = self._queues.popitem(last=False)
            turns.popleft().set()
            if turns:
                self._queues[queue] = turns
            # The request runs until it waits for something; then the loop looks at its sockets.
            gevent.sleep(0)
        self._is_running = False
