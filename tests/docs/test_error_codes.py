"""Every code that a client may get is in docs/api/errors.md, with its status."""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from speakr.domain import errors
from speakr.media.refusals import _SENTENCES
from speakr.web.failures import _HTTP_SLUGS, SLUG_STATUS, status_of
from tests.docs.pages import ROOT, in_backticks, read, table

NEVER_MET = {
    "error": "the base of all errors, never raised itself",
    "job_failed": "the base of job errors, never raised itself",
    "claim_lost": "makes a worker stop without a word",
    "foreign_storage": "stops the orphan sweep; operators see it on the command line and in the log",
}
ALSO_MET_AT_UPLOAD = {"media_tool_failed", "storage_unavailable", "out_of_space"}
"""Job errors that an upload can meet while its file is looked at."""


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / "speakr").rglob("*.py")):
        yield path, ast.parse(path.read_text())


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@cache
def classes() -> dict[str, type[errors.SpeakrError]]:
    """Return all of our error classes by name; those outside of the domain declare a code of their own."""
    found = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(
                base.id in found for base in node.bases if isinstance(base, ast.Name)
            ):
                found[node.name] = getattr(importlib.import_module(_module(path)), node.name)
    return {name: kind for name, kind in found.items() if issubclass(kind, errors.SpeakrError)}


@cache
def raised() -> dict[str, set[type[errors.SpeakrError]]]:
    """Return each slug with the classes that carry it: their own code, or one named where they are made."""
    found: dict[str, set[type[errors.SpeakrError]]] = defaultdict(set)
    for kind in classes().values():
        found[kind.code].add(kind)
    for _, tree in _trees():
        for node in ast.walk(tree):
            kind = (
                classes().get(ast.unparse(node.func).rpartition(".")[2])
                if isinstance(node, ast.Call)
                else None
            )
            if kind is None:
                continue
            for keyword in node.keywords:
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                    found[keyword.value.value].add(kind)
    for slug, _ in _SENTENCES.values():
        found[slug].add(errors.UnusableMedia)
    return found


def documented() -> dict[str, set[int]]:
    return {
        code: {int(status) for status in row[1].split(",")}
        for row in table(read("api"), "code").rows
        for code in in_backticks(row[0])
    }


def is_of_jobs(kind: type[errors.SpeakrError]) -> bool:
    return issubclass(kind, errors.JobError) and not issubclass(kind, errors.Invalid | errors.Unavailable)


def test_the_search_finds_what_is_there() -> None:
    assert {"invalid", "job_not_failed", "not_media", "address_refused", "worker_crashed"} <= set(raised())
    assert len(raised()) > 50


def test_every_code_of_a_request_has_its_row_and_status() -> None:
    expected: dict[str, set[int]] = defaultdict(set)
    for slug, kinds in raised().items():
        for kind in kinds:
            if slug not in NEVER_MET and (not is_of_jobs(kind) or slug in ALSO_MET_AT_UPLOAD):
                made = kind.__new__(kind)
                made.slug = slug
                if slug != "out_of_space" or not is_of_jobs(kind):
                    expected[slug].add(status_of(made))
    for status, slug in _HTTP_SLUGS.items():
        expected[slug].add(status)
    assert documented() == expected
    assert {code: {status} for code, status in SLUG_STATUS.items()}.items() <= documented().items()


def test_every_code_of_a_job_is_documented() -> None:
    of_jobs = {
        slug for slug, kinds in raised().items() if any(issubclass(kind, errors.JobError) for kind in kinds)
    }
    listed = set(table(read("api"), "error_code").codes())
    assert of_jobs - set(NEVER_MET) - listed <= set(documented())
    unlisted = of_jobs - set(NEVER_MET) - listed
    of_media = [kind for slug in unlisted for kind in raised()[slug] if issubclass(kind, errors.JobError)]
    assert all(issubclass(kind, errors.UnusableMedia) for kind in of_media)
    assert listed <= of_jobs
