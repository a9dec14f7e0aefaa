"""The wheel: what it holds, and that it runs where there is no checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.conftest import ROOT, Stack

pytestmark = pytest.mark.stack

TOKEN = "a-token-for-tests-that-is-long-enough-to-be-taken"
SOURCES = ("speakr", "migrations", "config", "pyproject.toml", "setup.py")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": "", "HOME": str(cwd)},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, for a build leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("build")
    copy = folder / "checkout"
    copy.mkdir()
    for name in SOURCES:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    # An earlier build has left a migration behind that no longer exists.
    left = copy / "build" / "lib" / "speakr" / "bundled" / "migrations" / "versions" / "gone.py"
    left.parent.mkdir(parents=True)
    left.write_text("")
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder))
    _run(*PIP, "wheel", *options, str(copy), cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_all_that_runs_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {name for name in names if ".dist-info/" not in name}
    assert {name for name in ours if not name.endswith(".py")} == {
        "speakr/bundled/config/env.example",
        "speakr/bundled/config/requirements-convert.in",
        "speakr/bundled/config/requirements-convert.txt",
        "speakr/bundled/config/requirements-weights.in",
        "speakr/bundled/config/requirements-weights.txt",
        "speakr/bundled/migrations/script.py.mako",
        "speakr/sample/LICENCE.md",
        "speakr/sample/sense_and_sensibility.flac",
    }
    modules = {f"speakr/{path.relative_to(ROOT / 'speakr')}" for path in (ROOT / "speakr").rglob("*.py")}
    bundled = {
        f"speakr/bundled/{path.relative_to(ROOT)}"
        for folder in ("config", "migrations")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert "speakr/bundled/config/gunicorn.conf.py" in bundled
    assert {name for name in ours if name.endswith(".py")} == modules | bundled


def test_an_installed_wheel_serves_without_the_checkout(
    wheel: Path, start: Callable[..., Stack], tmp_path: Path
) -> None:
    # Blanks and percent signs: Alembic and its configuration would read them in their own ways.
    environment = tmp_path / "100%(here)s of it"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    _run(
        *PIP, f"--python={python}", "install", "--no-deps", "--no-index", "--no-compile", wheel, cwd=tmp_path
    )
    (packages,) = environment.glob("lib/python*/site-packages")
    # The dependencies of the tests, but not their speakr: files that lead to a checkout are read in the folder
    # of an environment only, and this is a line in another one's.
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "dependencies.pth").write_text("\n".join(sorted(dependencies)))
    where = _run(python, "-c", "import speakr; print(speakr.__file__)", cwd=tmp_path)
    assert Path(where.strip()) == packages / "speakr" / "__init__.py"
    # Another program's, in the current folder, where gunicorn looks first.
    (tmp_path / "wsgi.py").write_text("raise SystemExit('not ours')\n")

    stack = start(program=environment / "bin" / "speakr", SPEAKR_BOOTSTRAP_TOKEN=TOKEN)
    stack.wait_for_text("(Serving at)")
    assert "rather cold hearted and rather selfish" in stack.screen
    assert "received recording.summary.completed for recording 1, signature verified" in stack.screen
    assert stack.get("/healthz")[0] == 200
    assert stack.get("/readyz")[0] == 200
    assert stack.get("/api/v1/recordings/1/status", TOKEN)[1]["status"] == "COMPLETED"
    commands = stack.processes().values()
    assert any(
        str(packages / "speakr" / "bundled" / "config" / "gunicorn.conf.py") in each for each in commands
    )
    assert not any(re.search(rf"{re.escape(str(ROOT))}/(?!\.venv/)", each) for each in commands)
    assert stack.stop() == 0
    assert stack.processes() == {}
