"""Rules of the code base: layers, commits, sizes, registries, migrations."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from pkgutil import resolve_name

import pytest
from importlinter.cli import lint_imports

from speakr import connectors
from speakr.connectors import embedding, language, transcription
from speakr.domain.events import EVENTS, EventType
from speakr.domain.jobs import KINDS, JobKind
from speakr.jobs.runner import handler_of
from speakr.models import Job
from speakr.queue import HELPER_PATH, JOB_PATH
from speakr.schema import differences, downgrade, upgrade
from speakr.services.jobs.kinds import Steps, steps_of
from speakr.storage import STORAGES

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "speakr"
SOURCES = sorted(PACKAGE.rglob("*.py"))

MAX_LINES = 400
OVER_BUDGET: dict[str, str] = {}
"""File -> why it may be longer."""


def test_imports_only_point_down(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)
    assert status == 0, capsys.readouterr().out


def test_only_the_unit_of_work_commits() -> None:
    """Sinks commit blobs; nothing but `db.py` commits a transaction."""
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "commit"
        and "sink" not in ast.unparse(node.func.value)
        and "storage" not in path.parts
    }
    assert {place.partition(":")[0] for place in found} == {"speakr/db.py"}
    assert len(found) == 1


def test_files_stay_small() -> None:
    too_long = {
        str(path.relative_to(ROOT))
        for path in [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
        if len(path.read_text().splitlines()) > MAX_LINES
    }
    assert too_long - set(OVER_BUDGET) == set()


def test_every_registered_name_leads_somewhere() -> None:
    for path in (JOB_PATH, HELPER_PATH):
        assert callable(resolve_name(":".join(path.rsplit(".", 1))))
    for registry in (transcription.CONNECTORS, language.CONNECTORS, embedding.CONNECTORS):
        for factory in registry.values():
            assert callable(resolve_name(factory))
    assert set(STORAGES) == {"file", "s3", "memory"}
    assert connectors.__doc__


def test_every_kind_of_job_is_described_and_leads_to_its_code() -> None:
    assert list(KINDS) == list(JobKind)
    for name in KINDS:
        assert callable(handler_of(name))
        assert isinstance(steps_of(Job(kind=name)), Steps)


def test_every_event_type_has_its_data_class() -> None:
    assert [event.type for event in EVENTS] == list(EventType)


def test_every_package_says_what_it_is_for() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        if "sample" not in path.parts:
            assert ast.get_docstring(ast.parse(path.read_text())), path


def test_there_is_no_room_for_odds_and_ends() -> None:
    names = {path.stem for path in PACKAGE.rglob("*")}
    assert names & {"utils", "util", "helpers", "common_utils", "misc", "manager", "core"} == set()


def test_broad_excepts_are_few_and_say_why() -> None:
    for path in SOURCES:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if re.search(r"except (Base)?Exception\b", line):
                around = "\n".join(lines[max(0, number - 1) : number + 6])
                assert re.search(r"#|raise", around), f"{path}:{number + 1}"


def test_no_requirement_names_an_index() -> None:
    for path in ROOT.glob("requirements*.txt"):
        text = path.read_text()
        assert "://" not in text, path
        assert "--index-url" not in text, path
        pinned = [line for line in text.splitlines() if re.match(r"^[A-Za-z0-9]", line)]
        assert pinned
        assert all("==" in line for line in pinned), path


def test_migrations_go_up_down_and_up_and_match_the_tables(empty_database: str) -> None:
    upgrade(empty_database)
    assert differences(empty_database) == []
    downgrade(empty_database, "base")
    upgrade(empty_database)
    upgrade(empty_database)
    assert differences(empty_database) == []
