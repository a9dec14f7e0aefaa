"""Each API family besides the native one can be deleted: its package, its tests and its line; the rest stands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from speakr.app import FAMILIES
from tests.matrix.families import FOLDERS, package_of

pytestmark = pytest.mark.on_sqlite

ROOT = Path(__file__).resolve().parents[2]
REMOVABLE = [path for path in FAMILIES if not path.startswith("speakr.api.")]
IGNORED = shutil.ignore_patterns("__pycache__", "*.flac", "*.wav", "*.mp3", "*.pdf", ".*")

LOOK = """
import json, sys
from pathlib import Path
from importlinter.cli import lint_imports
from speakr.app import create_app
from speakr.settings import Settings
from tests.matrix.families import FAMILY_ROWS
from tests.matrix.routes import PUBLIC, ROUTES

folder = Path.cwd()
app = create_app(Settings(secret_key="s" * 40, data_dir=folder, database_url=f"sqlite:///{folder}/test.db",
                          redis_url=f"unix://{folder}/no.sock", rate_limits_enabled=False))
routes = {f"{m} {r.rule}" for r in app.url_map.iter_rules() for m in r.methods - {"HEAD", "OPTIONS"}}
known = {*PUBLIC, *ROUTES, *(route for rows in FAMILY_ROWS for route in rows.elsewhere)}
answer = app.test_client().get("/api/v1/openapi.json")
document = json.loads(answer.data)
print(json.dumps({
    "routes": sorted(routes),
    "unknown": sorted(routes ^ known),
    "operations": len(document["paths"]),
    "contracts": lint_imports(config_filename=str(folder / "pyproject.toml"), cache_dir=None),
}))
"""


def tree_without(path: str, folder: Path) -> None:
    """Copy the project without a family: its package, its tests, and its line in `app.py`."""
    for name in ("speakr", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=IGNORED)
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.rmtree(folder / package_folder(path))
    for tests in test_folders(path):
        shutil.rmtree(folder / tests, ignore_errors=True)
    app = folder / "speakr" / "app.py"
    before = app.read_text()
    after = re.sub(rf'\s*"{re.escape(path)}",', "", before)
    assert after.count("\n") == before.count("\n") - 1, "one line of app.py names the family"
    app.write_text(after)


def package_folder(path: str) -> Path:
    return Path(*path.partition(":")[0].split(".")[:-1])


def test_folders(path: str) -> list[Path]:
    return [Path(*folder.split("."), package_of(path)) for folder in FOLDERS]


test_folders.__test__ = False  # type: ignore[attr-defined] # a function of this module, not a test


@pytest.mark.parametrize("path", REMOVABLE)
def test_the_server_stands_without_the_family(plain_app: Flask, tmp_path: Path, path: str) -> None:
    tree_without(path, tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["contracts"] == 0, done.stdout
    assert found["unknown"] == []
    prefix = prefix_of(path)
    others = {
        f"{method} {rule.rule}"
        for rule in plain_app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith(f"{prefix}/")
    }
    assert set(found["routes"]) == others
    assert found["operations"] > 50, "the native document is complete"


def prefix_of(path: str) -> str:
    from pkgutil import resolve_name

    return str(resolve_name(path).prefix)


@pytest.mark.parametrize("path", REMOVABLE)
def test_no_other_file_imports_the_family(path: str) -> None:
    package = ".".join(package_folder(path).parts)
    own = [ROOT / package_folder(path), *(ROOT / folder for folder in test_folders(path))]
    names = re.compile(
        rf"{re.escape(package)}\b|{'|'.join(re.escape(f'{folder}.{package_of(path)}') for folder in FOLDERS)}"
    )
    named_in = {
        file.relative_to(ROOT).as_posix()
        for folder in ("speakr", "tests", "benchmarks", "evaluation")
        for file in (ROOT / folder).rglob("*.py")
        if not any(file.is_relative_to(place) for place in own) and names.search(file.read_text())
    }
    assert named_in == {"speakr/app.py"}


@pytest.mark.parametrize("path", REMOVABLE)
def test_a_family_of_another_product_stays_small(path: str) -> None:
    """A family translates only: what needs more lines belongs into a service that all families share."""
    modules = [
        file for file in (ROOT / package_folder(path)).rglob("*.py") if not file.stem.startswith("schemas")
    ]
    assert sum(len(file.read_text().splitlines()) for file in modules) <= 250
