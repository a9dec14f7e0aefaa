"""The Makefile, as far as it can be read without running it, and what runs it."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.operations.conftest import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def dry(*arguments: str) -> str:
    return subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *arguments],  # noqa: S607 - the one its reader has
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ((), []),
        (("PORT=8123",), ["--port", "8123"]),
        (("HOST=0.0.0.0", "SAMPLE=no"), ["--host", "0.0.0.0", "--no-sample"]),  # noqa: S104 - only read
        (("DATA=/srv/my data", "SAMPLE=yes"), ["--data", "/srv/my data"]),
        (("VERBOSE=yes",), ["--verbose"]),
    ],
)
def test_run_passes_its_options_on(variables: tuple[str, ...], options: list[str]) -> None:
    (command,) = re.findall(r"-m speakr up((?:\\\n|.)*)", dry("run", *variables))
    written = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert [option for option in written if option] == options


def test_english_installations_leave_out_what_other_languages_need() -> None:
    everything, english = dry("run"), dry("run", "LANGUAGES=en")
    assert "models-prepared-en" in english
    assert "models-prepared-en" not in everything
    assert "requirements-languages.txt" not in english


def test_test_hands_its_arguments_on() -> None:
    assert re.search(
        r"-m pytest -n auto --dist worksteal tests/api -k upload$",
        dry("test", "ARGS=tests/api -k upload"),
        re.MULTILINE,
    )


def test_everything_installed_is_pinned_and_from_no_named_place() -> None:
    installs = re.findall(r"\$\(PIP\) (.+?) &&", MAKEFILE)
    assert len(installs) == 5
    assert all("--require-hashes" in install or install.endswith("--editable .") for install in installs)
    assert "://" not in MAKEFILE


def test_continuous_integration_runs_what_the_reader_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in script
    assert script.rstrip().endswith("exec make test")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
