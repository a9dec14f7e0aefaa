"""The data folder of an embedded server: private, locked by one supervisor; it holds the secret key."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from speakr.operations.errors import OperatorError


@dataclass(frozen=True, slots=True)
class DataFolder:
    """An existing folder that belongs to us alone."""

    path: Path

    @classmethod
    def prepare(cls, path: Path) -> DataFolder:
        """Make the folder, readable by its owner only, with a folder for logs."""
        folder = path.expanduser().absolute()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)  # it may have been there before; mkdir obeys the umask besides
            (folder / "logs").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise OperatorError(
                f"The data folder {folder} cannot be used: {(error.strerror or 'unknown error').lower()}."
            ) from error
        return cls(folder)

    @property
    def logs(self) -> Path:
        """Where each process has its log."""
        return self.path / "logs"

    def acquire_lock(self) -> int:
        """Lock the folder for this process; the lock ends with the process.

        Returns the descriptor of the lock (flock(2)), which children do not inherit.
        """
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise OperatorError(
                f"Another server is running on the data folder {self.path} (process {holder}). "
                "Stop it first, or choose another folder with --data."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock

    def secret_key(self) -> str:
        """Return the stored key; make it the first time. Call it only while the folder is locked."""
        file = self.path / "secret_key"
        try:
            return file.read_text().strip()
        except FileNotFoundError:
            pass
        # What `secrets` would do; but importing it costs the supervisor four megabytes of OpenSSL for good.
        key = os.urandom(32).hex()
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(key + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        # Atomic: half a key after a power cut would make every webhook secret unreadable.
        draft.rename(file)
        return key
