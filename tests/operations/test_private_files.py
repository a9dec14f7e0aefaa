"""What the server makes is readable by its own user only, also in a folder and with a umask that are open to all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from speakr import private_files
from tests.operations.conftest import ROOT, Stack, clean_environment, speakr, wait_for

ANOTHER_USER = 65534


@pytest.fixture
def open_umask():
    """Let this process and its children make files that all users may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def open_to_others(folder: Path) -> dict[str, str]:
    """Paths below a folder, with their modes, that other users may use."""
    return {
        str(path.relative_to(folder)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in folder.rglob("*")
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    }


def settings_for(folder: Path) -> dict[str, str]:
    return {"SPEAKR_DATA": str(folder), "SPEAKR_SECRET_KEY": "k" * 40, "REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.mark.usefixtures("open_umask")
def test_migrate_makes_a_private_database_in_an_open_folder(open_folder: Path) -> None:
    done = speakr("migrate", **settings_for(open_folder))
    assert done.returncode == 0, done.stderr
    assert (open_folder / "speakr.db").exists()
    assert open_to_others(open_folder) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.usefixtures("open_umask")
def test_another_user_cannot_read_the_database(open_folder: Path) -> None:
    speakr("migrate", **settings_for(open_folder))
    for folder in open_folder.parents[: len(open_folder.parents) - 2]:
        folder.chmod(0o755)
    tried = subprocess.run(
        ["/bin/cat", str(open_folder / "speakr.db")], user=ANOTHER_USER, group=ANOTHER_USER, extra_groups=[],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Permission denied" in tried.stderr


@pytest.mark.usefixtures("open_umask")
def test_migrate_tightens_what_an_earlier_version_left(open_folder: Path) -> None:
    speakr("migrate", **settings_for(open_folder))
    (open_folder / "logs").mkdir()
    for name in ("speakr.db-wal", "secret_key", "logs/web.log", "notes.txt"):
        (open_folder / name).touch()
    for path in open_folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    done = speakr("migrate", **settings_for(open_folder))
    assert open_to_others(open_folder) == {"notes.txt": "0o644"}
    assert f"{open_folder / 'speakr.db'} is no longer readable by other users." in done.stderr


def test_tightening_leaves_links_and_files_of_others_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    elsewhere.chmod(0o644)
    data = tmp_path / "data"
    data.mkdir()
    (data / "secret_key").symlink_to(elsewhere)
    (data / "lock").touch()
    (data / "lock").chmod(0o664)
    assert private_files.tighten(data, "") == [data / "lock"]
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o644
    assert private_files.tighten(data, "postgresql://localhost/speakr") == []


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize(
    "entry", ["wsgi", "worker", "config/gunicorn.conf.py", "speakr list-users", "speakr work"]
)
def test_every_entry_point_sets_the_umask(entry: str, open_folder: Path) -> None:
    # The app itself is not needed: the test stops at its creation and looks at the umask of that moment.
    program = f"""
        import os, runpy, sys
        import speakr.app
        def stop(*arguments, **more):
            mask = os.umask(0)
            print(oct(mask))
            os._exit(0 if sys.stdout.flush() is None else 1)
        speakr.app.create_app = speakr.app.create_core_app = stop
        entry = {entry!r}
        if entry.startswith("speakr "):
            from speakr.cli import main
            main(entry.split()[1:])
        elif entry.endswith(".py"):
            found = runpy.run_path(entry)
            assert found["umask"] == 0o077
            stop()
        else:
            runpy.run_module(entry, run_name="__main__")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, text=True, check=False,
        env=clean_environment(**settings_for(open_folder)),
    )  # fmt: skip
    assert done.stdout == "0o77\n", done.stderr


@pytest.mark.stack
@pytest.mark.usefixtures("open_umask")
def test_a_whole_server_makes_private_files_only(start, tmp_path: Path) -> None:
    stack: Stack = start("--workers", "1")
    stack.wait_until_ready()
    wait_for(lambda: list((stack.data / "blobs").rglob("*")), "an upload of the sample")
    assert open_to_others(stack.data) == {}
    assert (stack.data / "speakr.db-wal").exists()
