"""Download a Whisper model from a hub that may be slow, broken, or accept a connection and never answer.

The hub's own client waits for ever in the last case, so Speakr sends the requests itself: first a small one with a limit
of eight seconds, then one per file with a limit on silence. Files go to a temporary folder that is renamed when it is complete, so
a half model is never visible.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import requests
import structlog

from speakr.connectors.transcription.waiting import HEARTBEAT_SECONDS, wait_interruptibly
from speakr.connectors.transcription.whisper_models import (
    NEEDED_FILES,
    OTHER_FILES,
    PUBLISHED,
    VOCABULARIES,
    missing_files,
)
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable

logger = structlog.get_logger(__name__)

HUB: Final = "The hub of speech models"
CONNECT_SECONDS: Final = 3.0
FIRST_ANSWER_SECONDS: Final = 8.0
SILENCE_SECONDS: Final = 20.0
_PIECE_BYTES: Final = 1 << 20
_SHA256_DIGITS: Final = 64

Heartbeat = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Hub:
    """Address of the hub, and time limit of a download."""

    url: str
    seconds: float


def fetch(hub: Hub, model: str, folder: Path, heartbeat: Heartbeat) -> None:
    """Download a published model into its folder; wait if another process already downloads it.

    Raises:
        ConnectorRejected: there is no such model.
        ConnectorUnavailable: the hub is away, silent, or its files are not what they should be.

    """
    published = PUBLISHED.get(model)
    if published is None:
        raise ConnectorRejected(f"There is no Whisper model named {model[:60]} here or to be fetched.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder, heartbeat):
        if not missing_files(folder):
            return
        repository = f"{hub.url.rstrip('/')}/{published.repository}/resolve/main"
        _expect_an_answer(repository, heartbeat)
        logger.info("model_is_fetched", model=model, megabytes=published.megabytes)
        place = Path(tempfile.mkdtemp(prefix=f".{model}-", dir=folder.parent))
        try:
            wait_interruptibly(HUB, lambda: _fetch_files(repository, place), hub.seconds, heartbeat)
            missing = missing_files(place)
            if missing:
                raise ConnectorUnavailable(f"{HUB} has no {missing[0]} for this model.")
            shutil.rmtree(folder, ignore_errors=True)
            place.rename(folder)
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _alone(folder: Path, heartbeat: Heartbeat) -> Iterator[None]:
    """Lock the model; the kernel releases the lock if the process dies."""
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(HEARTBEAT_SECONDS)
                heartbeat()
        yield


def _expect_an_answer(repository: str, heartbeat: Heartbeat) -> None:
    def ask() -> None:
        with _get(f"{repository}/config.json", silence=FIRST_ANSWER_SECONDS):
            pass

    wait_interruptibly(HUB, ask, FIRST_ANSWER_SECONDS, heartbeat)


def _fetch_files(repository: str, place: Path) -> None:
    for name in NEEDED_FILES:
        _fetch_file(f"{repository}/{quote(name)}", place / name)
    for name in (*VOCABULARIES, *OTHER_FILES):  # which of these there are differs by model
        with contextlib.suppress(ConnectorRejected):
            _fetch_file(f"{repository}/{quote(name)}", place / name)


def _fetch_file(url: str, path: Path) -> None:
    digest = hashlib.sha256()
    try:
        with _get(url, silence=SILENCE_SECONDS) as answer, path.open("wb") as file:
            for piece in answer.iter_content(_PIECE_BYTES):
                digest.update(piece)
                file.write(piece)
    except requests.RequestException as error:
        raise ConnectorUnavailable(f"{HUB} broke off.") from error
    except OSError as error:
        raise ConnectorUnavailable("There is no room for the speech model.", code="out_of_space") from error
    promised = {
        first.headers.get("X-Linked-ETag", "").strip('"') for first in (*answer.history, answer)
    }  # of large files: the SHA-256, in the hub's answer before its redirect
    hashes = {tag for tag in promised if len(tag) == _SHA256_DIGITS}
    if hashes and digest.hexdigest() not in hashes:
        raise ConnectorUnavailable(f"{HUB} sent a file that is not what it should be.")


def _get(url: str, *, silence: float) -> requests.Response:
    """Ask for a file; the caller closes the answer."""
    try:
        answer = requests.get(url, stream=True, timeout=(min(CONNECT_SECONDS, silence), silence))
    except requests.Timeout as error:
        raise ConnectorUnavailable(f"{HUB} does not answer.") from error
    except (requests.RequestException, ValueError) as error:
        raise ConnectorUnavailable(f"{HUB} cannot be reached.") from error
    if answer.ok:
        return answer
    answer.close()
    if answer.status_code in {401, 403, 404}:
        raise ConnectorRejected(f"{HUB} does not have this model (HTTP {answer.status_code}).")
    raise ConnectorUnavailable(f"{HUB} is not able to answer right now (HTTP {answer.status_code}).")
