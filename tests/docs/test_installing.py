"""No page says to install `speakr` by its name: on a public registry that name belongs to another project."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT

_NAME = r"['\"]?(?<![\w./-])speakr(?![\w/-])"
BY_NAME = re.compile(
    rf"""
    \b(?:install|add|uvx|pip\ (?:wheel|download)|pipx\ run)
    (?: (?:[ \t]+[^\s`;&|]+)*? [ \t]+ | \s+ )   # on the same line, or the first word of the next one
    {_NAME}
    | (?<![\w./])speakr\[\w                     # a requirement with an extra
    """,
    re.VERBOSE,
)
FOLDERS = ("docs", "examples", "speakr", "config")
FILES = sorted(
    [
        *ROOT.glob("*.md"),
        *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()),
    ]
)
READ = [path for path in FILES if path.suffix not in {".flac", ".pyc"}]


def test_no_page_installs_speakr_by_name() -> None:
    assert {path.name for path in READ} >= {"README.md", "operations.md", "whisper.py", "upload.py"}
    printed = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in READ
        for found in BY_NAME.finditer(path.read_text())
    ]
    assert printed == []


@pytest.mark.parametrize(
    "text",
    [
        "pip install speakr",
        "`pip install speakr[whisper]` adds",
        "python3 -m pip install --upgrade 'speakr[whisper]>=0.1'",
        "the command is pip install\n    speakr, and",
        "uv add speakr",
        "uv tool install speakr.",
        "pipx run speakr up",
        "its extra is named speakr[whisper].",
    ],
)
def test_a_name_is_found(text: str) -> None:
    assert BY_NAME.search(text)


@pytest.mark.parametrize(
    "text",
    [
        ".venv/bin/pip install -e '.[whisper]'",
        "pip install --no-deps --no-index ./speakr-0.1.0-py3-none-any.whl\nspeakr up",
        "pip install . && speakr up",
        "/opt/speakr/bin/pip install -r requirements.txt\n/opt/speakr/bin/speakr up",
    ],
)
def test_a_file_or_a_folder_is_no_name(text: str) -> None:
    assert not BY_NAME.search(text)
