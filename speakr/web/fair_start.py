"""Start requests one after another, in turn among users.

A client that sends a thousand requests at once would keep the event loop busy for seconds, and every other
request would wait for all of them. Here each user has a queue, and the queues take turns. Few requests of
a user are computed at once; those that wait for their client, or for another server, do not count.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Mapping

import gevent
from gevent.event import Event

from speakr.web.known_users import user_of

MAX_AT_ONCE = 8
"""Requests of one user that are computed at once."""

MAX_COUNTED_SECONDS = 1.0
"""A request that takes longer waits for something else than this process, so it makes room for another one."""

MAX_SECONDS_BETWEEN_POLLS = 0.005
"""Requests begin without a look at the sockets for no longer than this."""

_PAUSE_SECONDS = 0.0001
"""A pause of zero is not enough: gevent polls its sockets only after fifty of those."""

HEALTH_PATHS = {"/healthz": -1, "/readyz": -2}
"""Paths with a queue of their own, and the key of each. Many who ask for one must not delay the other, whose answer may
decide whether this process is killed."""


class Turn:
    """One request, from the moment it may begin until it is answered or waits for its client."""

    __slots__ = ("_began", "_queue", "is_over", "may_begin")

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue
        self._began = 0.0
        self.may_begin = Event()
        self.is_over = False

    def begin(self) -> None:
        """Let the request go on."""
        self._began = time.monotonic()
        self._queue.computed.append(self)
        self.may_begin.set()

    def is_counted(self, now: float) -> bool:
        """Return whether the request still occupies one of its user's places."""
        return not self.is_over and now - self._began < MAX_COUNTED_SECONDS

    def end(self) -> None:
        """Give the place to the next request. Further calls do nothing."""
        self.is_over = True


class _Queue:
    """The requests of one user."""

    def __init__(self) -> None:
        self.waiting: deque[Turn] = deque()
        self.computed: list[Turn] = []

    def begin_next(self, now: float) -> bool:
        """Begin the next request, if one waits and there is a place for it."""
        self.computed = [turn for turn in self.computed if turn.is_counted(now)]
        if not self.waiting or len(self.computed) >= MAX_AT_ONCE:
            return False
        self.waiting.popleft().begin()
        return True


class FairStart:
    """The queues of one process."""

    def __init__(self) -> None:
        self._queues: OrderedDict[int, _Queue] = OrderedDict()
        self._is_running = False

    def wait(self, path: str, headers: Mapping[str, str], query: str = "") -> Turn:
        """Return when it is this request's turn. The names of headers are upper case.

        Requests with a credential that was not accepted before, or with none, share one queue.
        """
        key = HEALTH_PATHS[path] if path in HEALTH_PATHS else user_of(headers, query)
        queue = self._queues.setdefault(key, _Queue())
        turn = Turn(queue)
        queue.waiting.append(turn)
        if not self._is_running:
            self._is_running = True
            gevent.spawn(self._run)
        turn.may_begin.wait()
        return turn

    def _run(self) -> None:
        polled_at = 0.0
        while self._queues:
            now = time.monotonic()
            has_begun = False
            for key, queue in list(self._queues.items()):
                if queue.begin_next(now):
                    has_begun = True
                    gevent.sleep(0)  # the request runs until it waits for something
                    if time.monotonic() - polled_at > MAX_SECONDS_BETWEEN_POLLS:
                        gevent.sleep(_PAUSE_SECONDS)
                        polled_at = time.monotonic()
                elif not queue.waiting and not queue.computed:
                    del self._queues[key]
            if not has_begun:
                gevent.sleep(0.005)
        self._is_running = False
