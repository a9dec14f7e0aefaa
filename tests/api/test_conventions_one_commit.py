"""Units of work that are committed together or not at all."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from speakr.db import after_commit, db, one_commit, release, unit_of_work
from speakr.models import SystemSetting


def put(name: str) -> None:
    db.session.add(SystemSetting(name=name, value={"value": 1}))


def put_and_fail(name: str) -> None:
    with unit_of_work():
        put(name)
        raise KeyError


def kept() -> set[str]:
    release()
    return set(db.session.scalars(select(SystemSetting.name)))


def test_two_units_are_committed_together_and_promises_kept_afterwards(app: Flask) -> None:
    said: list[str] = []
    with one_commit():
        with unit_of_work():
            put("first")
            after_commit(lambda: said.append("first"))
        with unit_of_work():
            put("second")
        assert said == []
    assert said == ["first"]
    assert kept() == {"first", "second"}


def test_a_failure_between_them_keeps_neither(app: Flask) -> None:
    said: list[str] = []

    def work() -> None:
        with one_commit():
            with unit_of_work():
                put("first")
                after_commit(lambda: said.append("first"))
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert (kept(), said) == (set(), [])
    with unit_of_work():
        put("next")
    assert kept() == {"next"}


def test_a_unit_that_failed_and_was_forgiven_leaves_nothing(app: Flask) -> None:
    with one_commit():
        with pytest.raises(KeyError):
            put_and_fail("first")
        with unit_of_work():
            put("second")
    assert kept() == {"second"}


def test_what_the_database_refuses_shows_at_the_end_of_its_unit(app: Flask) -> None:
    with unit_of_work():
        put("first")
    with one_commit():
        with pytest.raises(IntegrityError), unit_of_work():
            put("first")
        with unit_of_work():
            put("second")
    assert kept() == {"first", "second"}


def test_a_block_inside_another_adds_nothing(app: Flask) -> None:
    def work() -> None:
        with one_commit():
            with one_commit(), unit_of_work():
                put("inner")
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert kept() == set()


def test_promises_may_open_units_of_their_own(app: Flask) -> None:
    def promise() -> None:
        with unit_of_work():
            put("promised")

    with one_commit(), unit_of_work():
        after_commit(promise)
    assert kept() == {"promised"}


def test_units_still_do_not_nest(app: Flask) -> None:
    with one_commit(), unit_of_work(), pytest.raises(RuntimeError), unit_of_work():
        pass
    with unit_of_work(), pytest.raises(RuntimeError), one_commit():
        pass


def test_nothing_is_opened_where_nothing_is_done(app: Flask) -> None:
    with one_commit():
        release()
    assert kept() == set()
