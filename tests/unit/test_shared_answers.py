"""An expensive answer is computed once for the requests that wait for it."""

from __future__ import annotations

import threading

from speakr.web.shared_answers import SharedAnswer


def test_requests_that_arrive_meanwhile_share_the_next_computation() -> None:
    may_end, has_begun = threading.Event(), threading.Event()
    numbers: list[int] = []

    def compute() -> int:
        numbers.append(len(numbers) + 1)
        if numbers == [1]:
            has_begun.set()
            assert may_end.wait(10)
        return numbers[-1]

    shared = SharedAnswer(compute)
    answers: list[int] = []
    first = threading.Thread(target=lambda: answers.append(shared.get()))
    first.start()
    assert has_begun.wait(10)
    arrived = threading.Barrier(6)

    def wait() -> None:
        arrived.wait(10)
        answers.append(shared.get())

    others = [threading.Thread(target=wait) for _ in range(5)]
    for each in others:
        each.start()
    arrived.wait(10)
    may_end.set()
    for each in (first, *others):
        each.join(10)
    assert answers.count(1) == 1
    assert len(numbers) <= 6  # one of its own for each that arrives late, at worst
    assert min(sorted(answers)[1:]) >= 2


def test_a_later_request_gets_a_new_answer() -> None:
    numbers = iter(range(10))
    shared = SharedAnswer(lambda: next(numbers))
    assert [shared.get() for _ in range(3)] == [0, 1, 2]
